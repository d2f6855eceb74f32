//! The vocabulary that simulation, live mode and reports share: a checked scenario.
//!
//! *Knows* what a scenario means once names are indices and units are types. *Does not know*
//! TOML (that is `file` and `lower`), nor how anything is simulated.
//! Invariant: every index in a [`Scenario`] points into that scenario; lowering proved it.

mod assumptions;
mod defaults;
mod distribution;
mod envoy_text;
mod expect;
mod faults;
mod happenings;
mod load;
mod lower;
mod planes;
mod policy;
mod presets;
mod services;
mod table;
mod tree;
pub mod value;
mod workload;

use crate::policy::PolicyConfig;
use crate::units::Bytes;
use crate::units::Cpu;
use crate::units::Rate;
use crate::units::Ratio;
use crate::units::Span;
use crate::units::Time;

pub use defaults::filled;
pub use load::LoadOptions;
pub use load::Loaded;
pub use load::load;
pub use load::parse;
pub use policy::envoy_message;
pub use presets::Preset;

/// Index of a service in [`Scenario::services`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServiceId(pub u32);

/// Index of an edge in [`Scenario::edges`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EdgeId(pub u32);

/// A whole scenario, names resolved, units typed, every default filled in.
#[derive(Clone, PartialEq, Debug)]
pub struct Scenario {
    /// The file as the user named it.
    pub file: String,
    /// One line; the file's stem if the user gave none.
    pub title: String,
    /// Longer text for reports.
    pub description: String,
    /// SHA-256 (hex) of the scenario's text, includes and overrides.
    pub digest: String,
    /// How long, how often, which seed.
    pub run: Run,
    /// Names of the availability zones; zone numbers index it.
    pub zones: Vec<String>,
    /// Services in file order.
    pub services: Vec<Service>,
    /// Every caller-callee pair that some step uses, in order of first use.
    pub edges: Vec<Edge>,
    /// Where requests come from.
    pub loads: Vec<Load>,
    /// Delays between tasks.
    pub network: Network,
    /// The planes to compare, in the order of `compare`.
    pub planes: Vec<Plane>,
    /// Things that go wrong.
    pub faults: Vec<Fault>,
    /// Changes of a service's task count.
    pub scales: Vec<Scale>,
    /// Deployments.
    pub deploys: Vec<Deploy>,
    /// What must be true.
    pub expects: Vec<Expect>,
    /// Constants that scsim had to take from somewhere, with source and confidence.
    pub assumptions: Vec<Assumption>,
    /// What the file says and no model covers yet; a run must refuse unless told otherwise.
    pub unmodelled: Vec<Unmodelled>,
}

/// Something that is understood and checked but not simulated yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unmodelled {
    /// What it is, a sentence fragment.
    pub what: String,
    /// Line in the file.
    pub line: u32,
}

/// `[run]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    /// Time over which requests arrive and are counted.
    pub duration: Span,
    /// Requests that arrive this early are left out of every metric.
    pub warmup: Span,
    /// Time after the last arrival in which requests may still finish.
    pub drain: Span,
    /// First seed; replication `i` derives its own from it.
    pub seed: u64,
    /// How often each plane is run.
    pub replications: Replications,
    /// Confidence of every interval, 0.95 by default.
    pub confidence: f64,
}

/// How often each plane is run.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Replications {
    /// This often.
    Fixed(u32),
    /// Until the interval of the mean latency and of the error rate is this narrow, relative to the mean.
    Precision {
        /// Half-width over mean.
        relative: f64,
        /// Stop here at the latest.
        at_most: u32,
    },
}

/// `[service.NAME]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Desired count.
    pub tasks: u32,
    /// Zones its tasks are spread over in turn (indices into [`Scenario::zones`]).
    pub zones: Vec<u8>,
    /// `appProtocol`.
    pub protocol: Protocol,
    /// Task CPU.
    pub cpu: Cpu,
    /// Task memory.
    pub memory: Bytes,
    /// Endpoint 0 is the one without a name.
    pub endpoints: Vec<Endpoint>,
    /// Requests a task works on at a time; `None` is no limit.
    pub concurrency: Option<u32>,
    /// Requests that may wait in a task; `None` is no limit. One more is answered 503.
    pub queue: Option<u32>,
    /// A request that waited this long in the task's queue is answered 503 without being served.
    pub queue_timeout: Option<Distribution>,
    /// From task start (RUNNING) to serving.
    pub startup: Distribution,
    /// From SIGTERM to SIGKILL.
    pub stop_timeout: Span,
    /// On SIGTERM the app stops accepting and finishes what it has; otherwise it dies at once.
    pub handles_sigterm: bool,
    /// Container health check.
    pub health_check: Option<ContainerCheck>,
    /// Not on ECS: no sidecar, no ALB, reached directly on every plane.
    pub external: bool,
}

/// `appProtocol` of a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// HTTP/1.1.
    Http,
    /// HTTP/2.
    Http2,
    /// gRPC over HTTP/2.
    Grpc,
    /// Bytes: the proxy balances connections and sees no status.
    Tcp,
}

/// One thing a service can be asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct Endpoint {
    /// Empty for the service's main endpoint.
    pub name: String,
    /// Share of requests that the app itself answers with 500, after its work.
    pub errors: Ratio,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One step of an endpoint's work.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// The task works for this long.
    Work(Distribution),
    /// A call to another service.
    Call(CallSite),
    /// All at once; over when the last is over.
    Parallel(Vec<Step>),
    /// The steps, this many times in a row.
    Repeat {
        /// How often.
        times: u32,
        /// What.
        steps: Vec<Step>,
    },
    /// The steps, one after the other (a branch of `parallel` with several steps).
    Sequence(Vec<Step>),
}

/// A call from one service to another.
#[derive(Clone, PartialEq, Debug)]
pub struct CallSite {
    /// Which arrow of the graph.
    pub edge: EdgeId,
    /// Which endpoint of the callee, index into [`Service::endpoints`].
    pub endpoint: u32,
    /// The caller gives up after this; `None` leaves it to the edge's policy.
    pub timeout: Option<Span>,
    /// The call is made with this probability.
    pub probability: Ratio,
    /// False forbids policy retries of requests that may have reached the callee. True by default.
    pub idempotent: bool,
    /// A failure does not fail the caller.
    pub optional: bool,
    /// Size of the request.
    pub request: Bytes,
    /// Size of the answer.
    pub response: Bytes,
}

/// A caller and a callee.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edge {
    /// Who calls.
    pub from: ServiceId,
    /// Who is called.
    pub to: ServiceId,
}

/// A positive random time.
#[derive(Clone, PartialEq, Debug)]
pub enum Distribution {
    /// Always the same.
    Constant(Span),
    /// Exponential.
    Exponential {
        /// Mean.
        mean: Span,
    },
    /// Log-normal: `exp(Normal(mu, sigma))` nanoseconds.
    LogNormal {
        /// Mean of the logarithm (of nanoseconds).
        mu: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// Gamma; an Erlang has a whole `shape`.
    Gamma {
        /// Shape.
        shape: f64,
        /// Mean.
        mean: Span,
    },
    /// Two exponential branches: the first with probability `first`.
    HyperExponential {
        /// Probability of the first branch.
        first: f64,
        /// Mean of the first branch.
        mean_first: Span,
        /// Mean of the second branch.
        mean_second: Span,
    },
    /// Pareto: at least `minimum`, tail index `shape`.
    Pareto {
        /// Smallest value.
        minimum: Span,
        /// Tail index, above 1.
        shape: f64,
    },
    /// Weibull.
    Weibull {
        /// Scale.
        scale: Span,
        /// Shape.
        shape: f64,
    },
    /// Uniform.
    Uniform {
        /// From.
        low: Span,
        /// To.
        high: Span,
    },
    /// Values with weights, drawn as they are.
    Empirical {
        /// The values, ascending.
        values: std::sync::Arc<[Span]>,
        /// Cumulative weights, the last one 1.0; same length.
        cumulative: std::sync::Arc<[f64]>,
    },
}

/// `health_check` of a service: the container's own check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContainerCheck {
    /// Time between checks.
    pub interval: Span,
    /// Time a check may take.
    pub timeout: Span,
    /// Failures in a row that make the container unhealthy.
    pub retries: u32,
    /// Failures this early do not count.
    pub start_period: Span,
    /// The check does real work, so that it fails when requests fail; a shallow one only shows
    /// that the process answers.
    pub deep: bool,
}

/// `[load]`: one source of requests.
#[derive(Clone, PartialEq, Debug)]
pub struct Load {
    /// For reports.
    pub name: String,
    /// Where requests enter.
    pub entry: ServiceId,
    /// Which endpoint of it.
    pub endpoint: u32,
    /// How requests come.
    pub arrivals: Arrivals,
    /// From when (relative to the start).
    pub from: Time,
    /// Until when.
    pub until: Time,
    /// Over which tasks of the entry they spread.
    pub spread: Spread,
}

/// How arrivals spread over the tasks of the entry service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spread {
    /// Each to a random task.
    Random,
    /// In turn.
    RoundRobin,
}

/// How requests come.
#[derive(Clone, PartialEq, Debug)]
pub enum Arrivals {
    /// Open loop: at a rate, whatever becomes of them.
    Open {
        /// Rate over time: pieces in ascending order, the first at zero.
        pieces: Vec<RatePiece>,
        /// Extra rate in windows.
        bursts: Vec<Burst>,
        /// How they are spaced.
        spacing: Spacing,
    },
    /// Closed loop: each user waits for its answer, thinks, asks again.
    Users {
        /// How many.
        users: u32,
        /// Between an answer and the next request.
        think: Distribution,
    },
    /// At these instants.
    Trace(std::sync::Arc<[Time]>),
}

/// A piece of a rate curve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RatePiece {
    /// From this instant.
    pub at: Time,
    /// The rate at that instant.
    pub rate: Rate,
    /// The rate approaches the next piece's in a straight line; otherwise it stays.
    pub ramps_to_next: bool,
}

/// An extra rate for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Burst {
    /// From.
    pub at: Time,
    /// To.
    pub until: Time,
    /// The rate during the burst, in place of the curve's.
    pub rate: Rate,
}

/// How open arrivals are spaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spacing {
    /// Exponential gaps.
    Poisson,
    /// Equal gaps.
    Constant,
    /// Poisson batches: exponential gaps between batches of geometric size with this mean.
    Bursty {
        /// Mean batch size.
        mean_batch: u32,
    },
}

/// `[network]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Network {
    /// One way, inside a zone.
    pub same_zone: Distribution,
    /// One way, between zones.
    pub cross_zone: Distribution,
    /// Round trips of a TLS handshake on each new connection; 0 without TLS.
    pub tls_round_trips: u8,
}

/// A data plane to compare.
#[derive(Clone, PartialEq, Debug)]
pub struct Plane {
    /// Its column heading.
    pub name: String,
    /// What carries a call.
    pub mechanism: Mechanism,
    /// The caller-side policy of each edge, indexed by [`EdgeId`].
    pub edge_policies: Vec<PolicyConfig>,
    /// Delays between tasks on this plane (`direct` has none unless `[network]` gives them).
    pub network: Network,
    /// A sentence that must accompany its figures ("App Mesh ended on 2026-09-30").
    pub warning: Option<String>,
    /// Why it cannot be simulated; the column then says so.
    pub not_applicable: Option<String>,
}

/// What carries a call.
#[derive(Clone, PartialEq, Debug)]
#[expect(clippy::large_enum_variant, reason = "a scenario holds a handful of planes, and none is moved in a hot loop")]
pub enum Mechanism {
    /// Nothing: the reference line.
    Direct,
    /// A proxy beside each task, endpoints pushed to it.
    Sidecar(SidecarPlane),
    /// The client asks DNS.
    Dns(DnsPlane),
    /// An internal ALB in between.
    Alb(AlbPlane),
}

/// Service Connect, self-managed Envoy, App Mesh.
#[derive(Clone, PartialEq, Debug)]
pub struct SidecarPlane {
    /// From a change at the control plane to a proxy that acts on it, drawn per proxy.
    pub endpoint_push: Distribution,
    /// When a task's endpoint is announced.
    pub ready_when: ReadyWhen,
    /// Delay that one passage through one proxy adds, request and answer together half each.
    pub overhead: Distribution,
    /// Processor time one request costs one proxy.
    pub cpu_per_request: Span,
    /// How long a stopping proxy drains after the app has gone (Service Connect: 20 s).
    pub drain: Span,
    /// A task has a proxy on its own side as well, not only its callers have one.
    pub inbound: bool,
    /// Inbound listeners close before SIGTERM reaches the app.
    pub drains_inbound_first: bool,
    /// Processor share set aside for the proxy, for `scsim cost`.
    pub cpu: Cpu,
    /// Memory set aside for the proxy, for `scsim cost`.
    pub memory: Bytes,
}

/// When a task's endpoint is announced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadyWhen {
    /// When its container is healthy (or RUNNING if there is no check).
    Healthy,
    /// As soon as the task is RUNNING.
    TaskRunning,
}

/// Cloud Map DNS.
#[derive(Clone, PartialEq, Debug)]
pub struct DnsPlane {
    /// TTL of a record.
    pub ttl: Span,
    /// How long the client keeps an answer.
    pub resolver_cache: ResolverCache,
    /// How long "no such name" is kept.
    pub negative_ttl: Span,
    /// Records per answer (8 for MULTIVALUE).
    pub max_answers: u32,
    /// From a change at ECS to an answer that shows it.
    pub record_lag: Distribution,
    /// From a health change to an answer that shows it (about 30 s for custom health).
    pub health_lag: Span,
    /// A stopping task is taken out this long before SIGTERM; `None` is at once, without waiting.
    pub deregister_before_stop: Option<Span>,
    /// One lookup takes this long.
    pub lookup: Distribution,
}

/// How long a client keeps a DNS answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResolverCache {
    /// As long as the TTL says.
    Ttl,
    /// For ever (a JVM with a security manager).
    Forever,
    /// This long, whatever the TTL.
    For(Span),
}

/// An internal Application Load Balancer.
#[derive(Clone, PartialEq, Debug)]
pub struct AlbPlane {
    /// Nodes, spread over the zones in turn.
    pub nodes: u32,
    /// The policy of each node; health checks, algorithm, idle time-out are in it.
    pub node_policy: PolicyConfig,
    /// A deregistered target finishes what it has, for at most this long.
    pub deregistration_delay: Span,
    /// Delay that one passage through a node adds.
    pub hop: Distribution,
    /// Nodes send to targets in other zones.
    pub cross_zone: bool,
}

/// `[[fault]]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Fault {
    /// Its name, usable in `during`; "fault 2" if the user gave none.
    pub name: String,
    /// What goes wrong.
    pub kind: FaultKind,
    /// For whom.
    pub target: Target,
    /// When.
    pub when: When,
}

/// When a fault is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// Once.
    Once {
        /// From.
        at: Time,
        /// For how long; `None` is to the end (or a single stroke, for `crash` and `stop`).
        lasts: Option<Span>,
    },
    /// Again and again.
    Every {
        /// Time between beginnings; the first comes after one period.
        period: Span,
        /// How long each lasts.
        lasts: Option<Span>,
    },
}

/// What goes wrong.
#[derive(Clone, PartialEq, Debug)]
pub enum FaultKind {
    /// Health checks pass; real requests are answered `status` at once.
    Wedge {
        /// The status.
        status: u16,
    },
    /// A share of real requests is answered `status` at once; health checks pass.
    Grey {
        /// The status.
        status: u16,
        /// The share.
        rate: Ratio,
    },
    /// A share of requests is answered `status` after its work; deep checks fail with that probability.
    Errors {
        /// The status.
        status: u16,
        /// The share.
        rate: Ratio,
    },
    /// Accepts, never answers; probes included.
    Hang,
    /// Service time times a factor in parts per million of itself, plus an addition.
    Slow {
        /// Factor in thousandths: 3000 is three times as slow.
        factor_milli: u32,
        /// Added to each request's work.
        added: Option<Distribution>,
    },
    /// Accepts and resets.
    Reset,
    /// The port is closed.
    Refuse,
    /// The process is gone without notice; ECS replaces the task.
    Crash,
    /// `StopTask`: SIGTERM, drain, SIGKILL; ECS replaces the task.
    Stop,
}

/// For whom.
#[derive(Clone, PartialEq, Debug)]
pub enum Target {
    /// `payments#1`: the task of that number (1 is the first).
    Task(ServiceId, u32),
    /// `payments#any`: one task, drawn at each beginning.
    AnyTask(ServiceId),
    /// `payments[50%]`: this share of the tasks, rounded up, the first ones.
    Share(ServiceId, Ratio),
    /// `payments`: all tasks.
    Service(ServiceId),
    /// `web->payments`: only requests on that edge see it.
    Edge(EdgeId),
    /// `zone:a`: every task in the zone (index into [`Scenario::zones`]).
    Zone(u8),
}

/// `[[scale]]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scale {
    /// When.
    pub at: Time,
    /// Which service.
    pub service: ServiceId,
    /// The new desired count.
    pub tasks: u32,
}

/// `[[deploy]]`, rolling.
#[derive(Clone, PartialEq, Debug)]
pub struct Deploy {
    /// When.
    pub at: Time,
    /// Which service.
    pub service: ServiceId,
    /// Rounded up to tasks.
    pub minimum_healthy_percent: u32,
    /// Rounded down to tasks.
    pub maximum_percent: u32,
    /// What the new version changes.
    pub change: Change,
}

/// What a new version changes.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Change {
    /// New own latency of the main endpoint (replaces its first work step).
    pub latency: Option<Distribution>,
    /// New error share of every endpoint.
    pub errors: Option<Ratio>,
    /// New start-up time.
    pub startup: Option<Distribution>,
}

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
    /// Planes it is judged on (indices into [`Scenario::planes`]); empty when both sides name theirs.
    pub planes: Vec<usize>,
    /// Narrowed to one service or edge.
    pub scope: Scope,
    /// In which window, index into [`Scenario::windows`]' list.
    pub during: Window,
    /// How replications are judged.
    pub over: Over,
    /// A failed warning does not fail the run.
    pub severity: Severity,
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
    /// Dollars per month; needs `scsim cost`.
    CostPerMonth,
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

/// A constant that had to come from somewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assumption {
    /// `sc.push_latency`.
    pub id: String,
    /// The value in use, with its unit.
    pub value: String,
    /// Where it comes from.
    pub source: String,
    /// How sure that source is.
    pub confidence: Confidence,
    /// The scenario key that overrides it.
    pub overridden_by: String,
}

/// How sure a source is (aws.md's tags).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Confidence {
    /// In the vendor's documentation or API model.
    Documented,
    /// Read in published source code.
    Source,
    /// Observed on the real binary.
    Observed,
    /// Inferred from the above.
    Inferred,
    /// Credible third party.
    ThirdParty,
    /// From memory, not checked again.
    Memory,
    /// Not published anywhere: a guess.
    Guess,
    /// The user said so.
    User,
}

/// Constants of ECS that the simulator uses and no scenario key changes.
pub mod ecs {
    use crate::units::Span;

    /// A task without load balancer and container check counts as healthy this long after RUNNING
    /// (ECS API, DeploymentConfiguration; documented).
    pub const HEALTHY_WITHOUT_CHECK: Span = Span::from_secs(40);
    /// ASSUMPTION(ecs.replace_after): from a stopped task to the start of its replacement; 9 s in one
    /// public capture of service events.
    pub const REPLACE_AFTER: Span = Span::from_secs(9);
    /// ASSUMPTION(ecs.notice): from a crash to the control plane acting on it; a guess.
    pub const NOTICE: Span = Span::from_secs(5);
}

impl Scenario {
    /// The service of that index.
    pub fn service(&self, id: ServiceId) -> &Service {
        &self.services[id.0 as usize]
    }
    /// The edge of that index.
    pub fn edge(&self, id: EdgeId) -> Edge {
        self.edges[id.0 as usize]
    }
    /// `checkout->payments`.
    pub fn edge_name(&self, id: EdgeId) -> String {
        let edge = self.edge(id);
        format!("{}->{}", self.service(edge.from).name, self.service(edge.to).name)
    }
    /// The windows that some metric is asked for, [`Window::All`] first; recordings index it.
    pub fn windows(&self) -> Vec<Window> {
        let mut windows = vec![Window::All];
        if !self.faults.is_empty() {
            windows.push(Window::AnyFault);
        }
        if !self.deploys.is_empty() {
            windows.push(Window::AnyDeploy);
        }
        for expect in &self.expects {
            if !windows.contains(&expect.during) {
                windows.push(expect.during);
            }
        }
        windows
    }
}
