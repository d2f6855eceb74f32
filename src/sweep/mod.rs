//! Sweeps: one scenario in many variants, as figures by cell.
//!
//! *Knows* how cells are planned, kept on disk, put together and drawn. *Does not know* how one is
//! simulated. Invariants: a cell's line depends on the file, the cell and the seed, nothing else;
//! every output is made from those lines alone, so that parts computed anywhere give the bytes of
//! a single run. Start reading at [`Plan`], then [`part`] and [`Cells`].

pub mod cell;
pub mod charts;
pub mod output;
pub mod part;
mod plan;
pub mod table;

pub use cell::Cell;
pub use part::Cells;
pub use part::Header;
pub use part::PartError;
pub use plan::Plan;
