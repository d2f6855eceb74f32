//! What the detectors did, as Envoy's event log and statistics tell it.
//!
//! *Knows* the names, and which statistic counts what (envoy.md 1.9). *Does not know* a file or a
//! format: whoever writes them reads these values.

use super::EndpointId;
use super::MemberKey;
use super::fact::Detector;
use super::rates::HostRate;
use crate::units::Span;
use std::fmt;

/// One line of the outlier event log.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Event {
    /// Whom it is about.
    pub endpoint: EndpointId,
    /// The driver's name for it.
    pub member: MemberKey,
    /// `action`.
    pub action: Action,
    /// `type`. A return says [`Detector::Consecutive5xx`], the first of Envoy's list, whatever led out.
    pub detector: Detector,
    /// `num_ejections`: how often the endpoint was ejected so far.
    pub num_ejections: u32,
    /// `enforced`: it was acted on. A return says no.
    pub enforced: bool,
    /// `secs_since_last_action`: the time since its last return if it goes, since its last ejection if
    /// it returns; `None` if there was none.
    pub since_last_action: Option<Span>,
    /// What a comparison of rates saw.
    pub rate: Option<HostRate>,
}

/// `action` of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// It goes, or would have gone.
    Eject,
    /// It returns.
    Uneject,
}

impl Action {
    /// Its name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Action::Eject => "EJECT",
            Action::Uneject => "UNEJECT",
        }
    }
}

impl Detector {
    /// Its name in the event log. What is not Envoy's has none there and is named alike.
    pub const fn name(self) -> &'static str {
        match self {
            Detector::Consecutive5xx => "CONSECUTIVE_5XX",
            Detector::ConsecutiveGatewayFailure => "CONSECUTIVE_GATEWAY_FAILURE",
            Detector::ConsecutiveLocalOriginFailure => "CONSECUTIVE_LOCAL_ORIGIN_FAILURE",
            Detector::SuccessRate => "SUCCESS_RATE",
            Detector::FailurePercentage => "FAILURE_PERCENTAGE",
            Detector::LocalOriginSuccessRate => "SUCCESS_RATE_LOCAL_ORIGIN",
            Detector::LocalOriginFailurePercentage => "FAILURE_PERCENTAGE_LOCAL_ORIGIN",
            Detector::Degraded => "DEGRADED",
            Detector::FailuresInWindow => "FAILURES_IN_WINDOW",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (action, detector, n, enforced) =
            (self.action.name(), self.detector.name(), self.num_ejections, self.enforced);
        write!(f, "{action} {detector} member={} num_ejections={n} enforced={enforced}", self.member.0)?;
        if let Some(span) = self.since_last_action {
            write!(f, " secs_since_last_action={}", span.as_millis() / 1000)?;
        }
        self.rate.map_or(Ok(()), |rate| write!(f, " {rate}"))
    }
}

/// The counters of `outlier_detection.`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct EjectionStats {
    /// `ejections_active`, a gauge. With `strict_envoy` it leaks where 1.40's does (envoy.md 1.6).
    pub active: u32,
    /// `ejections_overflow`: forbidden by `max_ejection_percent`.
    pub overflow: u64,
    /// `ejections_total` of old: runs of 5xx and success rates that the percentage let pass.
    pub legacy_total: u64,
    /// Before the percentage and the roll, by detector.
    detected: [u64; Detector::COUNT],
    /// Acted on, by detector.
    enforced: [u64; Detector::COUNT],
}

/// The detectors that have statistics, with their names there. Failures within a window, which Envoy
/// does not count, use the knobs of `consecutive_5xx` and its statistics as well.
const NAMES: [(Detector, &str, &str); 8] = [
    (Detector::Consecutive5xx, "ejections_detected_consecutive_5xx", "ejections_enforced_consecutive_5xx"),
    (
        Detector::ConsecutiveGatewayFailure,
        "ejections_detected_consecutive_gateway_failure",
        "ejections_enforced_consecutive_gateway_failure",
    ),
    (
        Detector::ConsecutiveLocalOriginFailure,
        "ejections_detected_consecutive_local_origin_failure",
        "ejections_enforced_consecutive_local_origin_failure",
    ),
    (Detector::SuccessRate, "ejections_detected_success_rate", "ejections_enforced_success_rate"),
    (Detector::FailurePercentage, "ejections_detected_failure_percentage", "ejections_enforced_failure_percentage"),
    (
        Detector::LocalOriginSuccessRate,
        "ejections_detected_local_origin_success_rate",
        "ejections_enforced_local_origin_success_rate",
    ),
    (
        Detector::LocalOriginFailurePercentage,
        "ejections_detected_local_origin_failure_percentage",
        "ejections_enforced_local_origin_failure_percentage",
    ),
    // Taking somebody for degraded is not enforced by chance: there is one statistic.
    (Detector::Degraded, "ejections_detected_degradation", ""),
];

impl EjectionStats {
    const fn place(detector: Detector) -> usize {
        match detector {
            Detector::FailuresInWindow => Detector::Consecutive5xx as usize,
            other => other as usize,
        }
    }

    pub(super) fn count_detected(&mut self, detector: Detector) {
        self.detected[EjectionStats::place(detector)] += 1;
    }

    /// The percentage lets it go.
    pub(super) fn count_allowed(&mut self, detector: Detector) {
        let counted = matches!(detector, Detector::Consecutive5xx | Detector::FailuresInWindow | Detector::SuccessRate);
        self.legacy_total += u64::from(counted);
    }

    pub(super) fn count_enforced(&mut self, detector: Detector) {
        self.active += 1;
        self.enforced[EjectionStats::place(detector)] += 1;
    }

    /// How often a detector fired on an endpoint that was in.
    pub const fn detected(&self, detector: Detector) -> u64 {
        self.detected[EjectionStats::place(detector)]
    }

    /// Ejections by any detector.
    pub fn enforced_total(&self) -> u64 {
        self.enforced.iter().sum()
    }

    /// Each statistic with Envoy's name, without the prefix `outlier_detection.`.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let alone = [
            ("ejections_active", u64::from(self.active)),
            ("ejections_overflow", self.overflow),
            ("ejections_enforced_total", self.enforced_total()),
            ("ejections_total", self.legacy_total),
            ("ejections_consecutive_5xx", self.detected(Detector::Consecutive5xx)),
            ("ejections_success_rate", self.detected(Detector::SuccessRate)),
        ];
        let by_detector = NAMES.iter().flat_map(|&(detector, detected, enforced)| {
            let place = EjectionStats::place(detector);
            [(detected, self.detected[place]), (enforced, self.enforced[place])]
        });
        alone.into_iter().chain(by_detector.filter(|(name, _)| !name.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_statistic_has_two_names_or_a_name_twice() {
        let mut stats = EjectionStats::default();
        for (detector, ..) in NAMES {
            stats.count_detected(detector);
            stats.count_enforced(detector);
        }
        let mut names: Vec<&str> = stats.named().map(|(name, _)| name).collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!((before, names.len()), (21, 21));
        assert!(stats.named().filter(|(name, _)| name.contains("detected")).all(|(_, count)| count == 1));
    }
}
