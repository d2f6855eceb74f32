//! What trouble does to one request, check or connection.
//!
//! *Knows* the effect of each kind. *Does not know* when it is on, nor how callers react.

use crate::scenario::FaultKind;
use crate::sim::random::Draw;
use crate::sim::random::Sampler;
use crate::units::Ratio;
use crate::units::Span;

/// What is wrong with a task, or with an arrow.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Trouble {
    pub(in crate::sim) wedge: Option<u16>,
    pub(in crate::sim) grey: Option<(u16, Ratio)>,
    pub(in crate::sim) errors: Option<(u16, Ratio)>,
    pub(in crate::sim) hang: bool,
    pub(in crate::sim) reset: bool,
    pub(in crate::sim) refuse: bool,
    /// Work takes longer.
    pub(in crate::sim) slows: bool,
    pub(in crate::sim) factor_milli: u32,
    pub(in crate::sim) added: Option<u32>,
}

impl Default for Trouble {
    fn default() -> Self {
        Trouble {
            wedge: None,
            grey: None,
            errors: None,
            hang: false,
            reset: false,
            refuse: false,
            slows: false,
            factor_milli: 1000,
            added: None,
        }
    }
}

impl Trouble {
    /// How long that work takes now.
    pub(in crate::sim) fn slowed(&self, work: Span, samplers: &[Sampler], draw: &mut Draw) -> Span {
        let mut work = Span::from_nanos((u128::from(work.as_nanos()) * u128::from(self.factor_milli) / 1000) as u64);
        if let Some(added) = self.added {
            work += samplers[added as usize].sample(draw);
        }
        work
    }

    /// Whether a check that does real work fails.
    pub(in crate::sim) fn fails_deep_check(&self, draw: &mut Draw) -> bool {
        self.wedge.is_some()
            || self.grey.is_some_and(|(_, rate)| rate.covers(draw.word()))
            || self.errors.is_some_and(|(_, rate)| rate.covers(draw.word()))
    }

    pub(in crate::sim) fn add(&mut self, kind: &FaultKind, sampler: Option<u32>) {
        match kind {
            FaultKind::Wedge { status } => self.wedge = Some(*status),
            FaultKind::Grey { status, rate } => self.grey = Some((*status, *rate)),
            FaultKind::Errors { status, rate } => self.errors = Some((*status, *rate)),
            FaultKind::Hang => self.hang = true,
            FaultKind::Slow { factor_milli, .. } => {
                self.slows = true;
                self.factor_milli = (u64::from(self.factor_milli) * u64::from(*factor_milli) / 1000) as u32;
                self.added = sampler.or(self.added);
            }
            FaultKind::Reset => self.reset = true,
            FaultKind::Refuse => self.refuse = true,
            FaultKind::Crash | FaultKind::Stop => {}
        }
    }
}
