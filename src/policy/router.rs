//! Being built.
/// Being built.
#[derive(Debug)]
pub struct Router;
/// Being built.
#[derive(Debug)]
pub enum Upkeep {}
