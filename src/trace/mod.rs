//! Stories of single requests, and whole runs as a trace that a viewer draws.
//!
//! *Knows* how the notes of a run become the story of each request, and how a story is written: as an
//! indented text or as slices on lanes. *Does not know* how anything is simulated; it watches. Start
//! reading at [`book::Book`], which listens, and [`story::Story`], which is what it makes of it.

pub mod book;
pub mod chrome;
mod events;
mod lanes;
mod slices;
pub mod story;
pub mod tree;
mod words;

pub use words::Names;
