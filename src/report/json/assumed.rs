//! The constants in use, as a result file lists them.
//!
//! *Knows* which of them digests cover. *Does not know* where they act.

use serde::Serialize;

use super::confidence_name;
use crate::scenario::Assumption;
use crate::scenario::LISTED_LATER;

/// A constant.
#[derive(Serialize)]
pub(super) struct Facts<'a> {
    id: &'a str,
    value: &'a str,
    source: &'a str,
    confidence: &'static str,
    overridden_by: &'a str,
    #[serde(rename = "override", skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

fn facts(a: &Assumption) -> Facts<'_> {
    Facts {
        id: &a.id,
        value: &a.value,
        source: &a.source,
        confidence: confidence_name(a.confidence),
        overridden_by: &a.overridden_by,
        remedy: None,
    }
}

/// All of them.
pub(super) fn all(assumptions: &[Assumption]) -> Vec<Facts<'_>> {
    assumptions.iter().map(|a| Facts { remedy: Some(a.remedy()), ..facts(a) }).collect()
}

/// Those that a digest covers: results were published without the others, on any plane.
pub(super) fn digested(assumptions: &[Assumption]) -> Vec<Facts<'_>> {
    let later = |a: &&Assumption| LISTED_LATER.iter().any(|id| a.id.ends_with(id));
    assumptions.iter().filter(|a| !later(a)).map(facts).collect()
}
