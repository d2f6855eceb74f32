//! What is called: services, their endpoints, steps and distributions.
//!
//! *Knows* the words of the vocabulary. *Does not know* TOML, nor how anything is simulated.

use crate::scenario::EdgeId;
use crate::scenario::ServiceId;
use crate::units::Bytes;
use crate::units::Cpu;
use crate::units::Ratio;
use crate::units::Span;
use crate::units::Time;

/// `[service.NAME]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Desired count.
    pub tasks: u32,
    /// Zones its tasks are spread over in turn (indices into [`Scenario::zones`](crate::scenario::Scenario::zones)).
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
    /// The app closes a connection that was idle for so long; `None` leaves that to its peers.
    /// Behind a sidecar the proxy keeps connections and the app's end is local: no effect there.
    pub keep_alive: Option<Span>,
    /// Its part in Service Connect; means something on planes with sidecars only.
    pub service_connect: Enrolment,
    /// How its tasks come, are replaced and go.
    pub life: TaskLife,
    /// When the ECS service is created, and with it its name on planes that push names.
    pub created: Time,
}

/// The roles that Service Connect knows (aws.md 1.5). A server that is not a client does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Enrolment {
    /// Calls others and is called by name.
    ClientServer,
    /// Calls others; has no endpoint, so that nobody resolves it.
    Client,
    /// Neither: no proxy on its side, no name resolves in it and nobody resolves it.
    None,
}

/// What ECS does with the tasks of a service before they run, when they fail and when they stop.
#[derive(Clone, PartialEq, Debug)]
pub struct TaskLife {
    /// From the order to start a task until it has a place and a network interface. Zero unless written:
    /// ASSUMPTION(ecs.provisioning), `startup` then stands for the whole way.
    pub provisioning: Distribution,
    /// From there until its image is on the host; the container starts then. Zero unless written:
    /// ASSUMPTION(ecs.provisioning), as above.
    pub image_pull: Distribution,
    /// `healthCheckGracePeriodSeconds`: for this long after RUNNING no check makes ECS replace a task, neither
    /// the target group's nor the container's (ECS API). `None` covers the start-up, however long it takes:
    /// ASSUMPTION(ecs.grace_period).
    pub health_check_grace_period: Option<Span>,
    /// The app goes on serving for this long after SIGTERM, at most until SIGKILL: the usual remedy for callers that
    /// still hold an address (aws.md 2). Zero stops taking requests at once.
    pub stop_delay: Span,
    /// What comes first when a task has become unhealthy.
    pub replacement: Replacement,
}

impl Default for TaskLife {
    fn default() -> TaskLife {
        TaskLife {
            provisioning: Distribution::Constant(Span::ZERO),
            image_pull: Distribution::Constant(Span::ZERO),
            health_check_grace_period: None,
            stop_delay: Span::ZERO,
            replacement: Replacement::First,
        }
    }
}

/// What comes first when a task has become unhealthy (ECS Developer Guide, service scheduler).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replacement {
    /// Its replacement: the task is stopped when that one is healthy. What ECS does while `maximumPercent`
    /// leaves room, which its default of 200 always does.
    First,
    /// Its stop; the replacement starts at the same moment. What ECS does at a `maximumPercent` of 100.
    After,
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
    /// AWS's managed sidecar looks at no method and repeats such requests all the same: on Service Connect false
    /// stands for a sidecar that AWS does not sell (containers-roadmap#1963).
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
