//! Being built.
use crate::scenario::Assumption;
use crate::scenario::Scenario;
use crate::scenario::tree::Table;

/// Being built.
pub fn list(_scenario: &Scenario, _tree: &Table) -> Vec<Assumption> {
    Vec::new()
}
