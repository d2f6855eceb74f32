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
use std::fmt;

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
        /// The status that is retried; `None` if there was no answer.
        status: Option<u16>,
        /// Where the length of the wait comes from.
        backoff: BackOff,
    },
    /// An answer or failure that is not to be retried came after a retry.
    RetrySucceeded,
    /// A body grew beyond `per_request_buffer_limit_bytes`: its request is retried no more.
    RetryAbandoned,
    /// A time limit passed.
    TimedOut(TimeLimit),
    /// A slow attempt was charged, and goes on beside its retry (`hedge_on_per_try_timeout`).
    Slow {
        /// The endpoint.
        endpoint: EndpointId,
        /// Which attempt.
        attempt: AttemptNo,
    },
    /// An attempt of a hedged request was given up, because another's answer won or time ran out.
    Withdrawn {
        /// The endpoint.
        endpoint: EndpointId,
        /// Which attempt.
        attempt: AttemptNo,
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
    /// Its caller went away before the end.
    Abandoned {
        /// What an access log says of it: no status, DC.
        verdict: Verdict,
    },
}

/// Where the length of a wait before a retry comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BackOff {
    /// From `retry_back_off`.
    Exponential,
    /// From the answer, by `rate_limited_retry_back_off`.
    RateLimited,
}

/// Which time limit passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeLimit {
    /// `timeout`, the whole request's.
    Request,
    /// `per_try_timeout`.
    PerTry,
    /// `per_try_idle_timeout`.
    PerTryIdle,
    /// The upstream stream's longest time.
    StreamDuration,
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

/// An Envoy response flag (envoy.md 2.8). The policy raises those from UH to UMSDR; the rest are names
/// for drivers that have a listener, routes or filters, which the policy does not.
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
    /// The upstream spoke no HTTP.
    Upe,
    /// The client went away.
    Dc,
    /// The upstream stream stood for too long.
    Umsdr,
    /// Local reset.
    Lr,
    /// No route. A listener's.
    Nr,
    /// The route's cluster is missing. A listener's.
    Nc,
    /// The stream was idle for too long. A listener's.
    Si,
    /// The downstream connection stood for too long. A listener's.
    Dt,
    /// The client spoke no HTTP. A listener's.
    Dpe,
    /// The client reset its stream. A listener's.
    Dr,
    /// A bad `x-envoy-` header. A listener's.
    Ih,
    /// This host failed its own health check. A filter's.
    Lh,
    /// A delay was injected. A filter's.
    Di,
    /// A fault was injected. A filter's.
    Fi,
    /// Rate limited. A filter's.
    Rl,
    /// The rate limit service failed. A filter's.
    Rlse,
    /// Denied by external authorization. A filter's.
    Uaex,
    /// Served from a cache. A filter's.
    Rfcf,
    /// A filter's configuration is missing.
    Nfcf,
    /// The overload manager said no.
    Om,
    /// Dropped by drop overload.
    Do,
    /// Dropped unconditionally.
    Udo,
}

impl Flag {
    /// What it says of a call, for people (Envoy's access log documentation, in the words of this tool).
    pub const fn meaning(self) -> &'static str {
        match self {
            Flag::Uh => "no healthy endpoint to choose",
            Flag::Uf => "the connection could not be made",
            Flag::Uc => "the connection ended before the answer",
            Flag::Ur => "the endpoint reset the request",
            Flag::Uo => "refused by a circuit breaker",
            Flag::Ut => "no answer in time",
            Flag::Urx => "the retries were used up",
            Flag::Df => "the name did not resolve",
            Flag::Upe => "the answer was no HTTP",
            Flag::Dc => "the caller went away",
            Flag::Umsdr => "the request stood for too long",
            Flag::Lr => "reset by the caller's own proxy",
            Flag::Nr => "no route leads there",
            Flag::Nc => "the route's cluster does not exist",
            Flag::Si => "the stream was idle for too long",
            Flag::Dt => "the caller's connection stood for too long",
            Flag::Dpe => "the caller spoke no HTTP",
            Flag::Dr => "the caller reset its stream",
            Flag::Ih => "refused for a bad x-envoy- header",
            Flag::Lh => "the proxy failed its own health check",
            Flag::Di => "a delay was injected",
            Flag::Fi => "a fault was injected",
            Flag::Rl => "refused by a rate limit",
            Flag::Rlse => "the rate limit service failed",
            Flag::Uaex => "denied by external authorization",
            Flag::Rfcf => "served from a cache",
            Flag::Nfcf => "a filter has no configuration",
            Flag::Om => "refused by the overload manager",
            Flag::Do => "dropped by drop overload",
            Flag::Udo => "dropped without condition",
        }
    }
    /// True for those that the policy raises; the rest need a listener, routes or filters.
    pub const fn is_raised(self) -> bool {
        (self as u8) <= Flag::Umsdr as u8
    }
    /// How many there are.
    pub const COUNT: usize = 30;
    /// All of them, in order of [`Flag::index`].
    pub const ALL: [Flag; Flag::COUNT] = [
        Flag::Uh,
        Flag::Uf,
        Flag::Uc,
        Flag::Ur,
        Flag::Uo,
        Flag::Ut,
        Flag::Urx,
        Flag::Df,
        Flag::Upe,
        Flag::Dc,
        Flag::Umsdr,
        Flag::Lr,
        Flag::Nr,
        Flag::Nc,
        Flag::Si,
        Flag::Dt,
        Flag::Dpe,
        Flag::Dr,
        Flag::Ih,
        Flag::Lh,
        Flag::Di,
        Flag::Fi,
        Flag::Rl,
        Flag::Rlse,
        Flag::Uaex,
        Flag::Rfcf,
        Flag::Nfcf,
        Flag::Om,
        Flag::Do,
        Flag::Udo,
    ];

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
            Flag::Upe => "UPE",
            Flag::Dc => "DC",
            Flag::Umsdr => "UMSDR",
            Flag::Lr => "LR",
            Flag::Nr => "NR",
            Flag::Nc => "NC",
            Flag::Si => "SI",
            Flag::Dt => "DT",
            Flag::Dpe => "DPE",
            Flag::Dr => "DR",
            Flag::Ih => "IH",
            Flag::Lh => "LH",
            Flag::Di => "DI",
            Flag::Fi => "FI",
            Flag::Rl => "RL",
            Flag::Rlse => "RLSE",
            Flag::Uaex => "UAEX",
            Flag::Rfcf => "RFCF",
            Flag::Nfcf => "NFCF",
            Flag::Om => "OM",
            Flag::Do => "DO",
            Flag::Udo => "UDO",
        }
    }
    /// The flag of that name.
    pub fn named(name: &str) -> Option<Flag> {
        Flag::ALL.into_iter().find(|flag| flag.name() == name)
    }
}

/// A set of response flags. Printed as Envoy's access log has them: what became of the retries first,
/// then the cause, `URX,UF`; `-` is none.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash, Debug)]
pub struct Flags(u32);

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);

    /// The set with `flag` in it.
    #[must_use]
    pub const fn with(self, flag: Flag) -> Flags {
        Flags(self.0 | 1 << flag as u8)
    }
    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
    /// True if `flag` is in it.
    pub const fn has(self, flag: Flag) -> bool {
        self.0 & (1 << flag as u8) != 0
    }
    /// Its flags in the order of an access log.
    pub fn iter(self) -> impl Iterator<Item = Flag> {
        let of_retries = [Flag::Urx, Flag::Uo];
        let causes = Flag::ALL.into_iter().filter(move |flag| !of_retries.contains(flag));
        of_retries.into_iter().chain(causes).filter(move |flag| self.has(*flag))
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Flags::NONE {
            return f.write_str("-");
        }
        for (i, flag) in self.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { "," })?;
            f.write_str(flag.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_routes_or_filters_is_not_raised() {
        let raised: Vec<Flag> = Flag::ALL.into_iter().filter(|flag| flag.is_raised()).collect();
        assert!(raised.contains(&Flag::Uh) && raised.contains(&Flag::Umsdr));
        assert!(!raised.contains(&Flag::Nr) && !raised.contains(&Flag::Rl));
    }

    #[test]
    fn flags_print_as_in_an_access_log() {
        for (flags, text) in [
            (Flags::NONE, "-"),
            (Flags::NONE.with(Flag::Uf).with(Flag::Urx), "URX,UF"),
            (Flags::NONE.with(Flag::Uc).with(Flag::Uo), "UO,UC"),
            (Flags::NONE.with(Flag::Udo), "UDO"),
        ] {
            assert_eq!(flags.to_string(), text);
        }
    }

    #[test]
    fn every_flag_has_its_place_and_its_own_name() {
        for (i, flag) in Flag::ALL.into_iter().enumerate() {
            assert_eq!((flag.index(), Flag::named(flag.name())), (i, Some(flag)));
        }
    }
}
