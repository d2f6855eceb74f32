//! A case: a configuration, hosts, and what is asked when.
//!
//! *Knows* the shape of a case and which act of a host a hit gets. *Does not know* who plays it.

use super::envoy::upstreams::Act;
use scsim::policy::PolicyConfig;
use scsim::policy::config::LbPolicy;
use scsim::units::Span;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a case is about, which decides how it is made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Family {
    /// Failures in a row, no retries.
    Consecutive,
    /// The same with hosts that refuse connections, and with local failures counted apart.
    Local,
    /// Success rates and failure percentages.
    Rates,
    /// Health changes that are held back and delivered together.
    Merge,
    /// How few may be healthy.
    Panic,
    /// What is retried, how often and where.
    Retry,
    /// Retries and ejections together.
    RetryAndEject,
    /// Time-outs of requests and attempts.
    Timeout,
    /// Ceilings on connections and requests.
    Breaker,
    /// Ceilings on retries.
    RetryBreaker,
    /// Round robin by weight, with hosts that are ejected and return.
    Weighted,
    /// Ring hash and maglev over a header, by weight, with hosts that are ejected and return.
    Hashed,
    /// Answers whose headers decide on retries.
    Headers,
    /// gRPC statuses, in retries and detectors.
    Grpc,
    /// `per_try_idle_timeout`.
    IdleTimeout,
    /// `fail_traffic_on_panic`.
    FailOnPanic,
    /// `detect_degraded_hosts`.
    Degraded,
    /// Two priorities, hosts of both ejected.
    Priorities,
    /// `hedge_on_per_try_timeout`.
    Hedge,
    /// `max_requests_per_connection`.
    Worn,
}

impl Family {
    /// Lines that every request of the family carries.
    pub fn headers(self) -> &'static str {
        if self == Family::Grpc { "content-type: application/grpc\r\nte: trailers\r\n" } else { "" }
    }
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its number, which is also its cluster's name and its authority.
    pub nth: usize,
    pub family: Family,
    /// For both sides: Envoy's JSON is made of it.
    pub config: PolicyConfig,
    pub hosts: Vec<Host>,
    pub bursts: Vec<Burst>,
    /// Time between sweeps, whether there are detectors or not; bursts are placed by it.
    pub interval: Span,
}

/// One endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// Nobody listens there.
    pub refuses: bool,
    pub weight: u32,
    pub priority: u8,
}

/// Some requests.
#[derive(Clone, Debug)]
pub struct Burst {
    /// When the first begins, counted from a sweep.
    pub at: Span,
    pub requests: usize,
    /// Between the beginnings of two; `None` is one after the other, [`GAP`] after its end.
    pub apart: Option<Span>,
    /// What each host does: its `n`th hit in this burst gets entry `n`, over and over.
    pub acts: Vec<Vec<Act>>,
}

/// Between the end of one request and the beginning of the next: an ejection takes Envoy's two
/// threads some time.
pub const GAP: Span = Span::from_millis(10);

/// How a request is called: its burst, and its number in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Name {
    pub burst: usize,
    pub nth: usize,
}

impl Name {
    /// What the header that is hashed says: some keys come again.
    pub fn key(self) -> String {
        format!("key-{}", (self.burst * 7 + self.nth * 5) % 23)
    }

    pub fn path(self) -> String {
        format!("/b{}/r{}", self.burst, self.nth)
    }

    /// The request of that path.
    pub fn of(path: &str) -> Option<Name> {
        let (burst, nth) = path.strip_prefix("/b")?.split_once("/r")?;
        Some(Name { burst: burst.parse().ok()?, nth: nth.parse().ok()? })
    }
}

impl Case {
    pub fn name(&self) -> String {
        format!("c{}", self.nth)
    }

    pub fn act(&self, burst: usize, host: usize, hit: usize) -> &Act {
        let acts = &self.bursts[burst].acts[host];
        &acts[hit % acts.len()]
    }

    /// Which stretch of the case an instant lies in: the sweep that it is close to, or the burst
    /// that was last begun.
    pub fn stretch(&self, at: Span) -> Stretch {
        let interval = self.interval.as_nanos();
        let early = at.as_nanos() + interval / 10;
        // The view may follow a sweep by a merge window; an event is at the sweep itself.
        if early % interval < interval / 5 {
            return Stretch::Sweep(early / interval);
        }
        let begun = self.bursts.iter().take_while(|burst| burst.at.as_nanos() < early).count();
        Stretch::Burst(begun)
    }

    /// True if a host may be chosen although its like is not used up: Envoy rolls for its priority, or
    /// for healthy or degraded.
    pub fn rolls(&self) -> bool {
        matches!(self.family, Family::Degraded | Family::Priorities)
    }

    /// True if the first pick depends on a random start.
    pub fn random_start(&self) -> bool {
        self.config.lb_policy == LbPolicy::RoundRobin
    }

    /// The configuration and what the hosts do, for a person.
    pub fn describe(&self) -> String {
        let mut text = format!("{:?}, interval {:?}\n", self.family, self.interval);
        let _ = writeln!(text, "config {:#?}", self.config);
        for (i, host) in self.hosts.iter().enumerate() {
            let _ = writeln!(text, "host {i}: {host:?}");
        }
        for (i, burst) in self.bursts.iter().enumerate() {
            let _ = writeln!(text, "burst {i} at {:?}: {} requests, apart {:?}", burst.at, burst.requests, burst.apart);
            for (host, acts) in burst.acts.iter().enumerate() {
                let acts: Vec<String> = acts.iter().map(short).collect();
                let _ = writeln!(text, "  host {host}: {}", acts.join(", "));
            }
        }
        text
    }
}

/// An act in a word.
fn short(act: &Act) -> String {
    match act {
        Act::Answer(answer) => {
            let mut text = answer.status.to_string();
            if answer.body {
                text += "+body";
            }
            if !answer.after.is_zero() {
                let _ = write!(text, " after {:?}", answer.after);
            }
            for header in &answer.headers {
                let _ = write!(text, " [{header}]");
            }
            text
        }
        Act::Reset(after) => format!("RST after {after:?}"),
        Act::Close => "FIN".to_owned(),
        Act::Hang => "nothing".to_owned(),
    }
}

/// A part of a case's time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stretch {
    /// At a sweep, 0 being the case's beginning.
    Sweep(u64),
    /// During or after a burst, by the number of bursts begun.
    Burst(usize),
}

impl Stretch {
    /// Its place in time.
    pub fn begin(self, case: &Case) -> Span {
        match self {
            Stretch::Sweep(nth) => case.interval.times(nth),
            Stretch::Burst(0) => Span::ZERO,
            Stretch::Burst(begun) => case.bursts[begun - 1].at,
        }
    }
}

/// What a side saw of one request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    pub status: u16,
    /// Envoy's response flags, sorted.
    pub flags: Vec<String>,
    /// As Envoy counts: one that no endpoint or no connection was left for is one, too.
    pub attempts: u32,
    /// Who was asked, in order. Attempts whose connection was refused are not in it: nobody saw them.
    pub hosts: Vec<usize>,
}

/// What a side saw of one ejection or return.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    pub stretch: Stretch,
    pub host: usize,
    /// Otherwise it returned.
    pub ejected: bool,
    /// The detector in the words of Envoy's event log; empty for a return.
    pub kind: String,
    pub enforced: bool,
}

/// Everything a side saw of a case.
#[derive(Clone, Default, Debug)]
pub struct Played {
    pub requests: BTreeMap<Name, Seen>,
    pub events: Vec<Event>,
    /// Connections refused, by host.
    pub refusals: Vec<u64>,
    /// By Envoy's names of statistics.
    pub counts: BTreeMap<&'static str, u64>,
}

/// The statistics that are compared.
pub const COUNTS: [&str; 8] = [
    "outlier_detection.ejections_overflow",
    "outlier_detection.ejections_enforced_total",
    "upstream_rq_retry",
    "upstream_rq_retry_overflow",
    "upstream_rq_retry_limit_exceeded",
    "upstream_rq_pending_overflow",
    "upstream_rq_active_overflow",
    "upstream_cx_total",
];
