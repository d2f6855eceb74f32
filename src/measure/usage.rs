//! What a run used of things that are paid by use: bytes, connections, lookups, and a task's busiest stretch.
//!
//! *Knows* counts. *Does not know* prices. All of it is of the measured part: after the warm-up, until the last arrival.

use crate::units::Span;

/// One replication's use.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Usage {
    /// Length of the measured part; zero where nothing was metered.
    pub measured: Span,
    /// By edge, those of a second path behind those of the first.
    pub edges: Vec<EdgeUse>,
    /// DNS lookups.
    pub lookups: u64,
    /// By service: the most requests that reached one task in a stretch of [`Usage::stretch`].
    pub task_requests_max: Vec<u64>,
    /// A minute, or as much of one as divides the run evenly.
    pub stretch: Span,
    /// How often connections were counted, once at the end of each stretch.
    pub samples: u64,
}

/// One arrow of the graph.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct EdgeUse {
    /// From the caller to what it chooses: a task, or an ALB node.
    pub first: Leg,
    /// From an ALB node to a task.
    pub behind: Leg,
    /// Connections that callers made.
    pub connections: u64,
    /// Callers' connections that stood, summed over the samples.
    pub standing: u64,
}

/// Attempts on one stretch of the way and their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Leg {
    /// Attempts sent.
    pub requests: u64,
    /// Answers below 500 that came back.
    pub answers: u64,
    /// Bytes of those whose call site has sizes, both ways.
    pub bytes: u64,
    /// Of them, between zones.
    pub bytes_cross: u64,
    /// Attempts between zones.
    pub requests_cross: u64,
    /// Attempts at call sites without sizes.
    pub bare_requests: u64,
    /// Their answers.
    pub bare_answers: u64,
    /// Of those attempts, between zones.
    pub bare_requests_cross: u64,
    /// Of those answers, between zones.
    pub bare_answers_cross: u64,
}

impl Leg {
    /// Bytes both ways, a call without sizes counted as `request` and `response` long.
    pub fn total(&self, request: u64, response: u64) -> u128 {
        u128::from(self.bytes)
            + u128::from(self.bare_requests) * u128::from(request)
            + u128::from(self.bare_answers) * u128::from(response)
    }
    /// The same between zones.
    pub fn between_zones(&self, request: u64, response: u64) -> u128 {
        u128::from(self.bytes_cross)
            + u128::from(self.bare_requests_cross) * u128::from(request)
            + u128::from(self.bare_answers_cross) * u128::from(response)
    }
}
