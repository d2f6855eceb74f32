//! What somebody changes on purpose.
//!
//! *Knows* the words of the vocabulary. *Does not know* TOML, nor how anything is simulated.

use crate::scenario::Distribution;
use crate::scenario::ServiceId;
use crate::units::Ratio;
use crate::units::Time;

/// `[[scale]]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scale {
    /// When.
    pub at: Time,
    /// Which service.
    pub service: ServiceId,
    /// The new desired count.
    pub tasks: u32,
}

/// `[[deploy]]`, rolling.
#[derive(Clone, PartialEq, Debug)]
pub struct Deploy {
    /// When.
    pub at: Time,
    /// Which service.
    pub service: ServiceId,
    /// Rounded up to tasks.
    pub minimum_healthy_percent: u32,
    /// Rounded down to tasks.
    pub maximum_percent: u32,
    /// What the new version changes.
    pub change: Change,
}

/// What a new version changes.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Change {
    /// New own latency of the main endpoint (replaces its first work step).
    pub latency: Option<Distribution>,
    /// New error share of every endpoint.
    pub errors: Option<Ratio>,
    /// New start-up time.
    pub startup: Option<Distribution>,
}
