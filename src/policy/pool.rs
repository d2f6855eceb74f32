//! Being built.
/// A place in the queue for a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket(pub u32);
