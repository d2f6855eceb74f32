//! What trouble does to one request, check or connection.
//!
//! *Knows* the effect of each kind. *Does not know* when it is on, nor how callers react.

use crate::scenario::FaultKind;
use crate::scenario::Leak;
use crate::sim::random::Draw;
use crate::sim::random::Sampler;
use crate::units::Ratio;
use crate::units::Span;

/// All of a fault's strength; less while it grows.
pub(in crate::sim) const FULL: u32 = 100;

/// What is wrong with a task, or with an arrow.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Trouble {
    /// Something is; all else need not be looked at otherwise.
    pub(in crate::sim) sick: bool,
    pub(in crate::sim) wedge: Option<u16>,
    pub(in crate::sim) grey: Option<(u16, Ratio)>,
    pub(in crate::sim) errors: Option<(u16, Ratio)>,
    pub(in crate::sim) hang: bool,
    pub(in crate::sim) reset: bool,
    /// What has no answer by then is reset.
    pub(in crate::sim) reset_after: Option<Span>,
    pub(in crate::sim) refuse: bool,
    /// Connections at the most, and whether one more is refused.
    pub(in crate::sim) limit: Option<(u32, bool)>,
    /// Share of answers whose body breaks off, and how much of it comes.
    pub(in crate::sim) cut: Option<(Ratio, Ratio)>,
    /// No TLS handshake succeeds.
    pub(in crate::sim) cert_expired: bool,
    /// Bytes lost with each request, and bytes there are to lose.
    pub(in crate::sim) leak: Option<(u64, Ratio)>,
    /// Work takes longer.
    pub(in crate::sim) slows: bool,
    pub(in crate::sim) factor_milli: u32,
    pub(in crate::sim) added: Option<u32>,
    /// How much of `added`, percent.
    pub(in crate::sim) added_percent: u32,
}

impl Default for Trouble {
    fn default() -> Self {
        Trouble {
            sick: false,
            wedge: None,
            grey: None,
            errors: None,
            hang: false,
            reset: false,
            reset_after: None,
            refuse: false,
            limit: None,
            cut: None,
            cert_expired: false,
            leak: None,
            slows: false,
            factor_milli: 1000,
            added: None,
            added_percent: FULL,
        }
    }
}

/// A share at a part of its strength.
pub(in crate::sim) fn part_of(rate: Ratio, level: u32) -> Ratio {
    Ratio::from_ppm((u64::from(rate.as_ppm()) * u64::from(level) / u64::from(FULL)) as u32)
}

/// A time at a part of its strength.
pub(in crate::sim) fn part_of_span(span: Span, level: u32) -> Span {
    if level == FULL {
        return span;
    }
    Span::from_nanos((u128::from(span.as_nanos()) * u128::from(level) / u128::from(FULL)) as u64)
}

/// A factor at a part of its strength: 1 at nothing.
pub(in crate::sim) fn part_of_factor(milli: u32, level: u32) -> u32 {
    let gain = (i64::from(milli) - 1000) * i64::from(level) / i64::from(FULL);
    (1000 + gain).clamp(0, i64::from(u32::MAX)) as u32
}

impl Trouble {
    /// How long that work takes now.
    pub(in crate::sim) fn slowed(&self, work: Span, samplers: &[Sampler], draw: &mut Draw) -> Span {
        slowed(work, self.factor_milli, self.added.map(|added| (added, self.added_percent)), samplers, draw)
    }

    /// Whether a check that does real work fails.
    pub(in crate::sim) fn fails_deep_check(&self, draw: &mut Draw) -> bool {
        self.wedge.is_some()
            || self.grey.is_some_and(|(_, rate)| rate.covers(draw.word()))
            || self.errors.is_some_and(|(_, rate)| rate.covers(draw.word()))
    }

    /// Adds a fault at a part of its strength. Kinds that act elsewhere change nothing here.
    pub(in crate::sim) fn add(&mut self, kind: &FaultKind, sampler: Option<u32>, level: u32) {
        let sick = std::mem::replace(&mut self.sick, true);
        match kind {
            FaultKind::Wedge { status } => self.wedge = Some(*status),
            FaultKind::Grey { status, rate } => self.grey = Some((*status, part_of(*rate, level))),
            FaultKind::Errors { status, rate } => self.errors = Some((*status, part_of(*rate, level))),
            FaultKind::Hang => self.hang = true,
            FaultKind::Slow { factor_milli, .. } => {
                self.slow_down(part_of_factor(*factor_milli, level));
                if sampler.is_some() {
                    (self.added, self.added_percent) = (sampler, level);
                }
            }
            FaultKind::Cpu { load } => {
                let left = 1_000_000 - part_of(*load, level).as_ppm();
                self.slow_down((1_000_000_000 / u64::from(left.max(1))) as u32);
            }
            FaultKind::Reset => self.reset = true,
            FaultKind::ResetAfter { delay } => self.reset_after = Some(*delay),
            FaultKind::Refuse => self.refuse = true,
            FaultKind::ConnectionLimit { limit, refuses } => self.limit = Some((*limit, *refuses)),
            FaultKind::CutBody { rate, sent } => self.cut = Some((part_of(*rate, level), *sent)),
            FaultKind::CertExpiry => self.cert_expired = true,
            FaultKind::MemoryLeak { rate: Leak::PerRequest(bytes), used } => self.leak = Some((bytes.get(), *used)),
            _ => self.sick = sick,
        }
    }

    fn slow_down(&mut self, factor_milli: u32) {
        self.slows = true;
        let product = u64::from(self.factor_milli) * u64::from(factor_milli) / 1000;
        self.factor_milli = product.min(u64::from(u32::MAX)) as u32;
    }
}

/// Work times a factor, plus a part of a draw.
pub(in crate::sim) fn slowed(
    work: Span,
    factor_milli: u32,
    added: Option<(u32, u32)>,
    samplers: &[Sampler],
    draw: &mut Draw,
) -> Span {
    let mut work = Span::from_nanos((u128::from(work.as_nanos()) * u128::from(factor_milli) / 1000) as u64);
    if let Some((added, percent)) = added {
        work += part_of_span(samplers[added as usize].sample(draw), percent);
    }
    work
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strength_grows_in_a_straight_line() {
        assert_eq!(part_of(Ratio::from_percent(40), 25), Ratio::from_percent(10));
        assert_eq!((part_of_factor(3000, 0), part_of_factor(3000, 50), part_of_factor(3000, FULL)), (1000, 2000, 3000));
        assert_eq!(part_of_factor(500, 50), 750);
        let mut trouble = Trouble::default();
        trouble.add(&FaultKind::Cpu { load: Ratio::from_percent(80) }, None, FULL);
        trouble.add(&FaultKind::Slow { factor_milli: 2000, added: None }, None, FULL);
        // A fifth of the processor is left, and each request needs twice as much of it.
        assert_eq!(trouble.factor_milli, 10_000);
    }
}
