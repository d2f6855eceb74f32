//! Being built.
use crate::scenario::Loaded;

/// Being built.
pub fn filled(_loaded: &Loaded) -> String {
    String::new()
}
