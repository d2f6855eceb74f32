//! Target tracking, as Application Auto Scaling does it for ECS.
//!
//! *Knows* the words of the vocabulary. *Does not know* TOML, nor how anything is simulated.

use crate::scenario::ServiceId;
use crate::units::Rate;
use crate::units::Ratio;
use crate::units::Span;

/// `[scaling.NAME]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scaling {
    /// Which service.
    pub service: ServiceId,
    /// Fewest tasks.
    pub min: u32,
    /// Most tasks.
    pub max: u32,
    /// What is held at its target.
    pub tracked: Tracked,
    /// ASSUMPTION(scaling.cooldown): 300 s, as the API Reference says for ECS, from memory.
    pub scale_out_cooldown: Span,
    /// The same for taking tasks away.
    pub scale_in_cooldown: Span,
}

/// A metric with its target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tracked {
    /// `target_cpu`: the busy share of the service's `concurrency`, in place of `ECSServiceAverageCPUUtilization`.
    Cpu(Ratio),
    /// `target_rps`: requests that reach a task per second (`RequestCountPerTarget`, per second).
    Requests(Rate),
    /// `target_concurrency`: requests in a task at once, thousandths.
    Concurrency(u32),
}
