//! Facts in words.
//!
//! *Knows* a phrase for each fact. *Does not know* when it happened or what came of it.

use crate::policy::EndpointId;
use crate::policy::Fact;
use crate::policy::Trouble;
use crate::policy::Verdict;
use crate::policy::fact::BackOff;
use crate::policy::fact::Denial;
use crate::policy::fact::Detector;
use crate::policy::fact::Limit;
use crate::policy::fact::NotEjected;
use crate::policy::fact::TimeLimit;
use crate::units::Time;

/// A detector's name in vectors: that of the event log in lower case.
pub fn detector_name(detector: Detector) -> String {
    detector.name().to_ascii_lowercase()
}

/// How an attempt ended.
pub fn ending(fact: Fact) -> String {
    match fact {
        Fact::Answered { status, .. } => status.to_string(),
        Fact::Failed { trouble, .. } => trouble_words(trouble).to_owned(),
        other => format!("{other:?}"),
    }
}

const fn trouble_words(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::ConnectRefused => "connection refused",
        Trouble::ConnectTimeout => "no connection in time",
        Trouble::Reset { sent: true } => "reset",
        Trouble::Reset { sent: false } => "reset before the request was sent",
        Trouble::RefusedStream => "REFUSED_STREAM",
        Trouble::StreamReset => "RST_STREAM",
        Trouble::Protocol => "no HTTP",
        Trouble::Timeout => "no answer in time",
        Trouble::IdleTimeout => "silent for too long",
        Trouble::MaxDuration => "stream stood for too long",
    }
}

fn verdict_words(verdict: Verdict) -> String {
    let attempts = match verdict.attempts {
        0 => "without an attempt".to_owned(),
        1 => "after 1 attempt".to_owned(),
        n => format!("after {n} attempts"),
    };
    format!("caller gets {} {} {attempts}", verdict.status, verdict.flags)
}

/// What a fact says, other than how an attempt began or ended.
pub fn words(fact: Fact, name: impl Fn(EndpointId) -> String, instant: impl Fn(Time) -> String) -> String {
    match fact {
        Fact::Members { live } => format!("list of {live}"),
        Fact::Sent { endpoint, .. } => format!("request to {}", name(endpoint)),
        Fact::Answered { endpoint, .. } | Fact::Failed { endpoint, .. } => {
            format!("{} {}", name(endpoint), ending(fact))
        }
        Fact::Retrying { backoff: BackOff::Exponential, .. } => "to be retried".to_owned(),
        Fact::Retrying { backoff: BackOff::RateLimited, .. } => "to be retried when the answer says".to_owned(),
        Fact::RetrySucceeded => "the retry helped".to_owned(),
        Fact::RetryAbandoned => "its body is too long to be kept for a retry".to_owned(),
        Fact::TimedOut(limit) => {
            let limit = match limit {
                TimeLimit::Request => "timeout",
                TimeLimit::PerTry => "per_try_timeout",
                TimeLimit::PerTryIdle => "per_try_idle_timeout",
                TimeLimit::StreamDuration => "max_stream_duration",
            };
            format!("{limit} is over")
        }
        Fact::Slow { endpoint, .. } => format!("{} is slow and charged, its attempt goes on", name(endpoint)),
        Fact::Withdrawn { endpoint, .. } => format!("attempt on {} given up", name(endpoint)),
        Fact::RetryDenied(Denial::LimitExceeded) => "not retried: num_retries are used".to_owned(),
        Fact::RetryDenied(Denial::Overflow) => "not retried: max_retries or retry_budget is full".to_owned(),
        Fact::RetryDenied(Denial::NotIdempotent) => "not retried: it must not be repeated".to_owned(),
        Fact::Ejected { endpoint, detector, until } => {
            let (name, detector) = (name(endpoint), detector_name(detector));
            format!("ejected {name} by {detector} until {} ms at least", instant(until))
        }
        Fact::NotEjected { endpoint, detector, because } => {
            let because = match because {
                NotEjected::Overflow => "max_ejection_percent",
                NotEjected::NotEnforced => "not enforced",
            };
            format!("{} detected by {}, not ejected: {because}", name(endpoint), detector_name(detector))
        }
        Fact::Unejected { endpoint } => format!("{} returned", name(endpoint)),
        Fact::Degraded { endpoint, until } => {
            format!("{} degraded until {} ms at least", name(endpoint), instant(until))
        }
        Fact::Undegraded { endpoint } => format!("{} no longer degraded", name(endpoint)),
        Fact::Probed { endpoint, healthy: true } => format!("{} healthy", name(endpoint)),
        Fact::Probed { endpoint, healthy: false } => format!("{} unhealthy", name(endpoint)),
        Fact::Panic(true) => "panic: health is ignored".to_owned(),
        Fact::Panic(false) => "panic is over".to_owned(),
        Fact::LimitHit(limit) => {
            let limit = match limit {
                Limit::Pending => "max_pending_requests",
                Limit::Requests => "max_requests",
                Limit::Connections => "max_connections",
            };
            format!("{limit} is full")
        }
        Fact::StaleReport => "a report on an attempt that was over".to_owned(),
        Fact::Finished { verdict } => verdict_words(verdict),
        Fact::Abandoned { .. } => "caller went away".to_owned(),
    }
}
