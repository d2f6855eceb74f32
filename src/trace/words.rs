//! What things are called in a story.
//!
//! *Knows* names of tasks and nodes, and a phrase for every reason. *Does not know* layout.

use std::fmt::Write as _;

use super::story::Attempt;
use super::story::Call;
use super::story::End;
use crate::policy::Answer;
use crate::policy::Outcome;
use crate::policy::PolicyConfig;
use crate::policy::Trouble;
use crate::policy::config::LbPolicy;
use crate::policy::config::LeastRequest;
use crate::policy::config::RetryOn;
use crate::policy::explain::List;
use crate::policy::explain::conditions_met;
use crate::policy::fact::BackOff;
use crate::policy::fact::Denial;
use crate::policy::fact::Detector;
use crate::policy::fact::Limit;
use crate::policy::fact::TimeLimit;
use crate::scenario::Mechanism;
use crate::scenario::Plane;
use crate::scenario::Scenario;
use crate::sim::Host;
use crate::sim::Refusal;
use crate::units::Span;
use crate::units::Time;

/// The names in one run on one plane.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The plane.
    pub plane: &'a Plane,
    /// The service and the number of each task.
    pub tasks: &'a [(u32, u32)],
}

impl Names<'_> {
    /// `payments#1`.
    pub fn task(&self, task: u32) -> String {
        match self.tasks.get(task as usize) {
            Some(&(service, number)) => format!("{}#{number}", self.service(service)),
            None => format!("task {task}"),
        }
    }

    /// The name of a service.
    pub fn service(&self, service: u32) -> &str {
        self.scenario.services.get(service as usize).map_or("?", |service| service.name.as_str())
    }

    /// A task, or a node of an ALB.
    pub fn host(&self, host: Host) -> String {
        match host {
            Host::Task(task) => self.task(task),
            Host::Node(node) => Names::node(node),
        }
    }

    /// What a node is called.
    pub fn node(node: u32) -> String {
        format!("ALB node {}", node + 1)
    }

    /// The service at the far end of an edge.
    pub fn callee(&self, edge: u32) -> &str {
        self.scenario.edges.get(edge as usize).map_or("?", |edge| self.service(edge.to.0))
    }

    /// ` /slow`, or nothing for the endpoint without a name.
    pub fn endpoint(&self, task: u32, endpoint: u16) -> String {
        let service =
            self.tasks.get(task as usize).and_then(|&(service, _)| self.scenario.services.get(service as usize));
        let name =
            service.and_then(|service| service.endpoints.get(usize::from(endpoint))).map_or("", |e| e.name.as_str());
        if name.is_empty() { String::new() } else { format!(" {name}") }
    }

    /// The policy that a call was made under.
    fn policy(&self, call: &Call) -> Option<&PolicyConfig> {
        if call.node.is_some() {
            return self.plane.alb().map(|alb| &alb.node_policy);
        }
        self.plane.edge_policies.get(call.edge as usize)
    }

    /// What carries the calls of a task.
    pub fn carrier(&self) -> &'static str {
        if matches!(self.plane.mechanism, Mechanism::Sidecar(_)) { "sidecar" } else { "client" }
    }

    /// Why an endpoint was chosen.
    pub fn choice(&self, attempt: &Attempt) -> Option<String> {
        let why = attempt.why?;
        let among = match (why.list, why.zone) {
            (List::Healthy, None) => format!("{} healthy", why.among),
            (List::Healthy, Some(zone)) => format!("{} healthy in zone {}", why.among, self.zone(zone)),
            (List::Degraded, _) => format!("{} degraded (too few are healthy)", why.among),
            (List::Everybody, _) => format!("all {} (panic: too few are healthy to believe in health)", why.among),
        };
        let mut text = match why.rule {
            _ if why.by_weight => format!("its turn by weight among {among}"),
            LbPolicy::RoundRobin => format!("its turn in round robin among {among}"),
            LbPolicy::Random | LbPolicy::WeightedRandom { .. } => format!("drawn at random from {among}"),
            LbPolicy::LeastRequest(LeastRequest::FullScan) => {
                format!("the fewest requests under way ({}) of {among}", why.active)
            }
            LbPolicy::LeastRequest(_) => match (attempt.other, why.other) {
                (Some(other), Some((_, active))) => format!(
                    "fewer requests under way of two drawn from {among}: it had {}, {} had {active}",
                    why.active,
                    self.host(other)
                ),
                _ => format!("drawn twice from {among}"),
            },
            LbPolicy::RingHash { .. } | LbPolicy::Maglev { .. } => format!("by the request's hash among {among}"),
            LbPolicy::FirstListed => format!("the first address of {}", why.among),
        };
        if let (LbPolicy::LeastRequest(LeastRequest::Choices(_)), Some((_, active))) = (why.rule, why.other)
            && active == why.active
        {
            text = text.replacen("fewer requests under way of two", "the first of two", 1);
        }
        if why.priority > 0 {
            let _ = write!(text, ", priority {}", why.priority);
        }
        let more = match (why.rejected, why.again) {
            (0, true) => "; it had been tried before".to_owned(),
            (0, false) => String::new(),
            (n, false) => format!("; picked again {}, because a pick had been tried before", times(n)),
            (n, true) => format!("; tried before, but the extra picks were used up ({})", times(n)),
        };
        Some(text + &more)
    }

    fn zone(&self, zone: u8) -> String {
        self.scenario.zones.get(usize::from(zone)).map_or_else(|| zone.to_string(), ToString::to_string)
    }

    /// What came of an attempt's failure: a retry or why there was none; `None` for a success.
    pub fn aftermath(&self, call: &Call, at: usize) -> Option<String> {
        let attempt = &call.attempts[at];
        let policy = self.policy(call)?;
        let retry = policy.retry_policy.as_ref();
        if let Some(backoff) = attempt.retried {
            let nth = call.attempts[..=at].iter().filter(|one| one.retried.is_some()).count();
            let most = retry.map_or(0, |retry| retry.num_retries);
            let why = if attempt.slow { "it was slow (hedging)".to_owned() } else { self.met(call, attempt) };
            let waited = call.attempts.get(at + 1).map(|next| next.chosen.since(attempt.over.unwrap_or(next.chosen)));
            let wait = match (waited, backoff) {
                (None, _) => "and the request ended in its back-off".to_owned(),
                (Some(waited), BackOff::Exponential) => format!("after a back-off of {}", span(waited)),
                (Some(waited), BackOff::RateLimited) => format!("after {}, as the answer asked", span(waited)),
            };
            return Some(format!("retried because {why}: retry {nth} of {most}, {wait}"));
        }
        if let Some(denied) = attempt.denied {
            return Some(match denied {
                Denial::LimitExceeded => {
                    format!("not retried: num_retries ({}) is used up", retry.map_or(0, |retry| retry.num_retries))
                }
                Denial::Overflow => "not retried: the retry budget or breaker is full".to_owned(),
                Denial::NotIdempotent => "not retried: it may have been acted on, and is not idempotent".to_owned(),
            });
        }
        let failed = match attempt.end {
            Some(End::Answered(status)) => status >= 500,
            Some(End::Failed(_)) => true,
            None => false,
        };
        if !failed || attempt.timed_out == Some(TimeLimit::Request) {
            return None;
        }
        Some(match retry {
            Some(retry) if !retry.retry_on.is_empty() => {
                format!("not retried: meets no condition of retry_on ({})", conditions(retry.retry_on))
            }
            _ if call.node.is_some() => "not retried: an ALB does not repeat what reached a target".to_owned(),
            _ => "not retried: there is no retry_on on this plane".to_owned(),
        })
    }

    /// The conditions of `retry_on` that an attempt's end meets.
    fn met(&self, call: &Call, attempt: &Attempt) -> String {
        let outcome = match attempt.end {
            Some(End::Answered(status)) => Outcome::Answered(Answer::of(status)),
            Some(End::Failed(trouble)) => Outcome::Failed(trouble),
            None => return "it was slow (hedging)".to_owned(),
        };
        let Some(retry) = self.policy(call).and_then(|policy| policy.retry_policy.as_ref()) else {
            return "the connection could not be made".to_owned();
        };
        format!(
            "{} meets {}",
            end(attempt),
            conditions(conditions_met(retry.retry_on, &retry.retriable_status_codes, outcome))
        )
    }
}

fn times(n: u8) -> String {
    if n == 1 { "once".to_owned() } else { format!("{n} times") }
}

/// `5xx, reset`.
fn conditions(on: RetryOn) -> String {
    let names: Vec<&str> = RetryOn::NAMES.iter().filter(|(_, one)| on.any(*one)).map(|(name, _)| *name).collect();
    names.join(", ")
}

/// How an attempt ended, in a word or two.
pub(super) fn end(attempt: &Attempt) -> String {
    match attempt.end {
        Some(End::Answered(status)) => status.to_string(),
        Some(End::Failed(trouble)) => match attempt.timed_out {
            Some(TimeLimit::Request) => "request time-out".to_owned(),
            Some(TimeLimit::PerTry) => "per-try time-out".to_owned(),
            Some(TimeLimit::PerTryIdle) => "per-try idle time-out".to_owned(),
            Some(TimeLimit::StreamDuration) => "stream stood too long".to_owned(),
            None => self::trouble(trouble).to_owned(),
        },
        None if attempt.over.is_some() => "given up".to_owned(),
        None => "no answer".to_owned(),
    }
}

fn trouble(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::ConnectRefused => "connection refused",
        Trouble::ConnectTimeout => "connect time-out",
        Trouble::Reset { sent: true } => "connection broke",
        Trouble::Reset { sent: false } => "connection broke before it was sent",
        Trouble::RefusedStream => "stream refused",
        Trouble::StreamReset => "stream reset",
        Trouble::Protocol => "no HTTP",
        Trouble::Timeout => "time-out",
        Trouble::IdleTimeout => "idle time-out",
        Trouble::MaxDuration => "stream stood too long",
    }
}

/// How a task turned a request away.
pub(super) fn refusal(how: Refusal) -> String {
    match how {
        Refusal::Fault(status) => format!("a fault makes it answer {status} without doing the work"),
        Refusal::Answered(status) => {
            format!("{status} in the app's place: a fault, or its sidecar because the app is out of reach")
        }
        Refusal::Full => "its queue was full".to_owned(),
        Refusal::Broke => "nobody served there any more: the connection broke".to_owned(),
        Refusal::Silent => "it took the request and never answered".to_owned(),
    }
}

/// Which detector, by Envoy's name.
pub(super) fn detector(detector: Detector) -> &'static str {
    match detector {
        Detector::Consecutive5xx => "consecutive_5xx",
        Detector::ConsecutiveGatewayFailure => "consecutive_gateway_failure",
        Detector::ConsecutiveLocalOriginFailure => "consecutive_local_origin_failure",
        Detector::SuccessRate => "success rate",
        Detector::FailurePercentage => "failure percentage",
        Detector::LocalOriginSuccessRate => "success rate of local origin",
        Detector::LocalOriginFailurePercentage => "failure percentage of local origin",
        Detector::Degraded => "degraded",
        Detector::FailuresInWindow => "failures in a window",
    }
}

/// Which ceiling.
pub(super) fn limit(limit: Limit) -> &'static str {
    match limit {
        Limit::Pending => "max_pending_requests was reached",
        Limit::Requests => "max_requests was reached",
        Limit::Connections => "max_connections was reached",
    }
}

/// `12.30 ms`, `1.250 s`.
pub(super) fn span(span: Span) -> String {
    let micros = span.as_nanos().div_ceil(500) / 2;
    if micros < 1_000_000 {
        format!("{}.{:02} ms", micros / 1_000, micros % 1_000 / 10)
    } else {
        format!("{}.{:03} s", micros / 1_000_000, micros % 1_000_000 / 1_000)
    }
}

/// An instant of a run in seconds: `63.214 s`.
pub(super) fn instant(at: Time) -> String {
    let ms = at.as_nanos() / 1_000_000;
    format!("{}.{:03} s", ms / 1_000, ms % 1_000)
}
