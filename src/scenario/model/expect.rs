//! What must be true.
//!
//! *Knows* the words of the vocabulary. *Does not know* TOML, nor how anything is simulated.

use crate::scenario::CostFigure;
use crate::scenario::EdgeId;
use crate::scenario::ServiceId;
use crate::units::Time;

/// `[[expect]]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Expect {
    /// As written.
    pub that: String,
    /// Line in the file.
    pub line: u32,
    /// Left side.
    pub left: Operand,
    /// Comparison.
    pub op: Comparison,
    /// Right side.
    pub right: Operand,
    /// Planes it is judged on (indices into [`Scenario::planes`](crate::scenario::Scenario::planes)); empty when both sides name theirs.
    pub planes: Vec<usize>,
    /// Narrowed to one service or edge.
    pub scope: Scope,
    /// In which window, index into [`Scenario::windows`](crate::scenario::Scenario::windows)' list.
    pub during: Window,
    /// How replications are judged.
    pub over: Over,
    /// A failed warning does not fail the run.
    pub severity: Severity,
    /// The cells of a sweep that it is about: keys and values, as shown. Empty is each cell, and the run itself.
    pub cell: Vec<(String, String)>,
}

impl Expect {
    /// The plane that its metric names, where a number is on the other side.
    pub fn lone_plane(&self) -> Option<usize> {
        match (&self.left, &self.right) {
            (Operand::Metric { plane, .. }, Operand::Number(_))
            | (Operand::Number(_), Operand::Metric { plane, .. }) => *plane,
            _ => None,
        }
    }
}

/// A side of a comparison.
#[derive(Clone, PartialEq, Debug)]
pub enum Operand {
    /// A metric, on a named plane (index) or on each plane judged.
    Metric {
        /// Which.
        metric: Metric,
        /// On which plane; `None` is each plane judged.
        plane: Option<usize>,
    },
    /// A number in the metric's own unit (fraction, milliseconds, seconds, count, per second).
    Number(f64),
}

/// A metric of the expectation language.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Metric {
    /// Requests.
    Requests,
    /// Failed over all.
    ErrorRate,
    /// Failed.
    FailedRequests,
    /// One less the error rate.
    SuccessRate,
    /// Successes per second.
    Goodput,
    /// Mean latency of successes, ms.
    Mean,
    /// Largest latency, ms.
    Max,
    /// A percentile of successes' latency, ms; 0.99 is p99.
    Percentile(f64),
    /// Attempts over requests, on the edges in scope.
    AttemptsPerRequest,
    /// Attempts after the first, over requests.
    RetriesPerRequest,
    /// Ejections.
    Ejections,
    /// From the first fault to the first ejection, s.
    TimeToEject,
    /// From the first fault until the error rate is under twice its normal again, s.
    TimeToContain,
    /// From the end of the first fault until the error rate is normal again, s.
    TimeToRecover,
    /// Longest time a stopped task was still dialled, s.
    StaleWindow,
    /// Dials of stopped tasks.
    StaleDials,
    /// Requests refused by a breaker.
    Overflow,
    /// Time in panic, summed over routers, s.
    PanicTime,
    /// Longest queue in front of a task.
    QueueMax,
    /// Highest share of a task's capacity in use over a second.
    CpuMax,
    /// Most tasks running at once.
    TasksMax,
    /// Mean number of tasks.
    TasksMean,
    /// The longest from a deployment's start to its COMPLETED, s; none if one never came to it.
    DeployTime,
    /// Deployments that were taken back.
    Rollbacks,
    /// Requests with the test header.
    TestRequests,
    /// Of them, the share that failed.
    TestErrorRate,
    /// Calls to a name that the calling task could not resolve.
    UnresolvedCalls,
    /// Dollars per month, all lines of the plane's bill.
    CostPerMonth,
    /// Another figure of the bill.
    Cost(CostFigure),
    /// Mean number in the service (Little's L).
    InFlightMean,
    /// Mean number waiting.
    QueueMean,
    /// Share of requests that waited.
    WaitShare,
    /// Mean wait in the queue over all requests that were served, ms.
    WaitMean,
    /// Busy share of servers.
    Utilization,
    /// Highest share of its processor share that a sidecar was given in a second.
    SidecarCpuMax,
    /// Connections that were made.
    ConnectionsOpened,
    /// Requests that met a connection which the app was just closing.
    KeepAliveRaces,
}

/// A comparison sign.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
}

/// What an expectation looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Requests as the users see them.
    Users,
    /// Calls to one service.
    Service(ServiceId),
    /// Calls on one edge.
    Edge(EdgeId),
}

/// A part of the run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Window {
    /// All of it, less the warm-up.
    All,
    /// Before the first fault, deployment or scaling.
    Warm,
    /// While any fault is on.
    AnyFault,
    /// After the last fault is over.
    After,
    /// While any deployment is under way.
    AnyDeploy,
    /// While that fault (index) is on.
    Fault(u32),
    /// Between two instants.
    Between(Time, Time),
}

/// How replications are judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Over {
    /// The mean, by its interval.
    Mean,
    /// Each one by itself.
    EveryReplication,
}

/// What a failed expectation does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// Fails the run.
    Error,
    /// Is shown.
    Warn,
}
