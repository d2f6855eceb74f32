//! The policy on real sockets: a thin tokio driver around the same [`Router`](crate::policy::Router)
//! that the simulator drives.
//!
//! *Knows* clocks, sockets and jobs. *Does not know* any rule of choice, retry or ejection, nor
//! the simulator. Start reading at [`Driver::request`]; `upstream` is the only room that touches
//! sockets, `clock` the only one that mints instants and random words.

pub mod clock;
pub mod driver;
pub mod upstream;

pub use clock::Chance;
pub use clock::Clock;
pub use clock::Occasion;
pub use clock::OsEntropy;
pub use driver::Driver;
pub use driver::Finished;
pub use upstream::Answer;
pub use upstream::Backend;
pub use upstream::Exchange;
pub use upstream::Names;
pub use upstream::Request;
pub use upstream::TcpBackend;
