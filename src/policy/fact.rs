//! Everything about decisions that can be observed.
//!
//! *Knows* the closed list of facts and of response flags. A fact is emitted at the instant of
//! the call that caused it; metrics, traces, goldens and parity tests read nothing else.

use super::AttemptNo;
use super::EndpointId;
use super::Trouble;
use super::Verdict;
use super::events::Event;
use crate::units::Time;

/// One observation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fact {
    /// A new list is in force.
    Members {
        /// Endpoints in it.
        live: u32,
    },
    /// An attempt got a connection to this endpoint.
    Sent {
        /// The endpoint.
        endpoint: EndpointId,
        /// Which attempt.
        attempt: AttemptNo,
    },
    /// An attempt ended with an answer.
    Answered {
        /// The endpoint.
        endpoint: EndpointId,
        /// The status.
        status: u16,
    },
    /// An attempt ended without an answer.
    Failed {
        /// The endpoint.
        endpoint: EndpointId,
        /// How.
        trouble: Trouble,
    },
    /// A retry was decided.
    Retrying {
        /// The attempt it follows.
        after: AttemptNo,
    },
    /// A failure was retriable, but a limit forbade it.
    RetryDenied(Denial),
    /// An endpoint was taken out.
    Ejected {
        /// The endpoint.
        endpoint: EndpointId,
        /// By which detector.
        detector: Detector,
        /// The earliest instant of its return, if it still has to wait for a sweep.
        until: Time,
    },
    /// A detector fired but nothing was done.
    NotEjected {
        /// The endpoint.
        endpoint: EndpointId,
        /// By which detector.
        detector: Detector,
        /// Why nothing was done.
        because: NotEjected,
    },
    /// An ejected endpoint came back.
    Unejected {
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// An endpoint said that it is degraded, and is second choice from now on.
    Degraded {
        /// The endpoint.
        endpoint: EndpointId,
        /// The earliest instant at which a sweep ends that.
        until: Time,
    },
    /// A degraded endpoint is first choice again.
    Undegraded {
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// Probes changed their mind about an endpoint.
    Probed {
        /// The endpoint.
        endpoint: EndpointId,
        /// What they think now.
        healthy: bool,
    },
    /// The balancer stopped or began to believe in health.
    Panic(bool),
    /// A breaker was full.
    LimitHit(Limit),
    /// A report named an attempt that was over.
    StaleReport,
    /// A request came to its end.
    Finished {
        /// How.
        verdict: Verdict,
    },
}

/// Why a retriable failure was not retried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Denial {
    /// `num_retries` were used (URX).
    LimitExceeded,
    /// The retry breaker or budget was full (UO).
    Overflow,
    /// The request may have been acted on and must not be repeated.
    NotIdempotent,
}

/// Which detector of `outlier_detection` fired.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Detector {
    /// `consecutive_5xx`.
    Consecutive5xx,
    /// `consecutive_gateway_failure`.
    ConsecutiveGatewayFailure,
    /// `consecutive_local_origin_failure`.
    ConsecutiveLocalOriginFailure,
    /// Success rate, over answers and, unless they are split off, local failures.
    SuccessRate,
    /// `failure_percentage_threshold`, over the same.
    FailurePercentage,
    /// Success rate of getting a connection and an answer, in split mode.
    LocalOriginSuccessRate,
    /// `failure_percentage_threshold` over local failures, in split mode.
    LocalOriginFailurePercentage,
    /// `detect_degraded_hosts`; it takes nobody out.
    Degraded,
    /// Failures within a window (AWS's wording, aws.md 1.2).
    FailuresInWindow,
}

impl Detector {
    /// How many there are.
    pub const COUNT: usize = 9;
}

/// Why a detected endpoint stayed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotEjected {
    /// `max_ejection_percent`.
    Overflow,
    /// The enforcing percentage's roll.
    NotEnforced,
}

/// Which ceiling was hit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// `max_pending_requests`.
    Pending,
    /// `max_requests`.
    Requests,
    /// `max_connections`; only a TCP proxy turns somebody away for it.
    Connections,
}

/// Where facts go. The driver owns it.
pub trait FactSink {
    /// Takes one fact.
    fn emit(&mut self, at: Time, fact: Fact);

    /// Takes one line of the outlier event log, which says more of an ejection than its fact.
    /// Default: nothing.
    fn log(&mut self, at: Time, event: &Event) {
        let _ = (at, event);
    }
}

/// A sink that forgets.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFacts;

impl FactSink for NoFacts {
    fn emit(&mut self, _at: Time, _fact: Fact) {}
}

impl FactSink for Vec<(Time, Fact)> {
    fn emit(&mut self, at: Time, fact: Fact) {
        self.push((at, fact));
    }
}

/// An Envoy response flag (envoy.md 2.8).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Flag {
    /// No healthy upstream.
    Uh,
    /// Upstream connection failure.
    Uf,
    /// Upstream connection lost.
    Uc,
    /// Upstream remote reset.
    Ur,
    /// Breaker overflow.
    Uo,
    /// Upstream request time-out.
    Ut,
    /// Retries used up.
    Urx,
    /// DNS failed.
    Df,
}

impl Flag {
    /// How many there are.
    pub const COUNT: usize = 8;
    /// All of them, in order of [`Flag::index`].
    pub const ALL: [Flag; Flag::COUNT] =
        [Flag::Uh, Flag::Uf, Flag::Uc, Flag::Ur, Flag::Uo, Flag::Ut, Flag::Urx, Flag::Df];

    /// Its place in arrays of counts.
    pub const fn index(self) -> usize {
        self as usize
    }
    /// Its name in access logs.
    pub const fn name(self) -> &'static str {
        match self {
            Flag::Uh => "UH",
            Flag::Uf => "UF",
            Flag::Uc => "UC",
            Flag::Ur => "UR",
            Flag::Uo => "UO",
            Flag::Ut => "UT",
            Flag::Urx => "URX",
            Flag::Df => "DF",
        }
    }
}

/// A set of response flags.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash, Debug)]
pub struct Flags(u8);

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);

    /// The set with `flag` in it.
    #[must_use]
    pub const fn with(self, flag: Flag) -> Flags {
        Flags(self.0 | 1 << flag as u8)
    }
    /// True if `flag` is in it.
    pub const fn has(self, flag: Flag) -> bool {
        self.0 & (1 << flag as u8) != 0
    }
}
