//! What one replication of one plane leaves behind: counters, histograms, a timeline, events.
//!
//! *Knows* how to count without allocating while a run is under way and how to hand the counts
//! out per window and scope. *Does not know* why anything happened, nor how it is printed.
//! Invariant: every finished request is in exactly one [`Segment`]; a window is the union of the
//! segments whose mask has its bit. Latencies are measured from the intended arrival.

mod calls;
mod containment;
mod costliest;
pub mod estimate;
pub mod frame;
pub mod pictures;
pub mod study;
mod timeline;
mod usage;

pub use calls::Calls;
pub use calls::Ending;
pub use calls::Flag;
pub use calls::Histogram;
pub use calls::latency_histogram;
pub use costliest::Costliest;
pub use costliest::Costly;
pub use pictures::Flows;
pub use pictures::Strike;
pub use timeline::Bucket;
pub use timeline::Timeline;
pub use usage::EdgeUse;
pub use usage::Leg;
pub use usage::Usage;

use crate::units::Span;
use crate::units::Time;

/// One replication of one plane.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Which replication, from 0.
    pub replication: u32,
    /// Counts by the set of windows that were open when the request arrived.
    pub segments: Vec<Segment>,
    /// How long each window was open, warm-up excluded; same order as `Scenario::windows`.
    pub window_lengths: Vec<Span>,
    /// Counts per second (or a longer bucket).
    pub timeline: Timeline,
    /// Calls of each edge over time.
    pub flows: Flows,
    /// One per task that ever ran, in order of creation.
    pub tasks: Vec<TaskRecord>,
    /// One per service.
    pub services: Vec<ServiceRecord>,
    /// What happened, oldest first; at most [`Recording::EVENTS_MAX`].
    pub events: Vec<Happening>,
    /// Which task was under which fault when, oldest first; at most [`Recording::EVENTS_MAX`].
    pub strikes: Vec<Strike>,
    /// Events left out because the list was full.
    pub events_dropped: u64,
    /// From the first fault to the first ejection after it.
    pub time_to_eject: Option<Span>,
    /// Ejections that took effect.
    pub ejections: u64,
    /// Requests that had no answer when the run was over, its drain included. They count as failed.
    pub unanswered: u64,
    /// Dials and sends to tasks that had stopped.
    pub stale_dials: u64,
    /// Longest time after a task had stopped at which it was still dialled.
    pub stale_window: Span,
    /// Time in panic, summed over routers.
    pub panic_time: Span,
    /// Most tasks running at once, all services that are not external.
    pub tasks_max: u32,
    /// DNS lookups made.
    pub lookups: u64,
    /// Connections that were made, between services and through ALB nodes: TCP handshakes, and with TLS
    /// as many of those.
    pub connections_opened: u64,
    /// Requests that met a connection which the app was just closing.
    pub keep_alive_races: u64,
    /// Requests that would have failed but for a retry.
    pub saved_by_retry: u64,
    /// The failed requests that cost the most time.
    pub costliest: Costliest,
    /// What deployments came to.
    pub rollout: Rollout,
    /// What it used of things that are paid by use.
    pub usage: Usage,
    /// The run's own books.
    pub books: Books,
    /// Simulator events handled.
    pub engine_events: u64,
    /// A running hash over every finished request: equal runs have equal ones.
    pub digest: u64,
    /// The run was cut short.
    pub partial: bool,
}

impl Recording {
    /// Events kept per replication.
    pub const EVENTS_MAX: usize = 2_000;

    /// The counts of one window as `scope` selects them; `window` indexes `Scenario::windows`.
    pub fn window(&self, window: usize, mut select: impl FnMut(&Segment, &mut Calls)) -> Calls {
        let mut sum = Calls::default();
        for segment in self.segments.iter().filter(|s| s.windows & (1 << window) != 0) {
            select(segment, &mut sum);
        }
        sum
    }
    /// The requests of one window as users see them.
    pub fn users(&self, window: usize) -> Calls {
        self.window(window, |segment, sum| sum.add(&segment.users))
    }
    /// The calls of one window on one edge.
    pub fn edge(&self, window: usize, edge: usize) -> Calls {
        self.window(window, |segment, sum| sum.add(&segment.edges[edge]))
    }
}

/// What the deployments of a run came to, and what was seen of them from outside.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rollout {
    /// Deployments that began, rollbacks not counted.
    pub began: u32,
    /// Deployments that came to COMPLETED.
    pub completed: u32,
    /// The longest from a deployment's beginning to its COMPLETED.
    pub longest: Span,
    /// Deployments that were taken back.
    pub rollbacks: u32,
    /// Requests with the test header that came to an end; no other figure of the users counts them.
    pub tests: u64,
    /// Of them, failed.
    pub tests_failed: u64,
    /// Calls to a name that the calling task could not resolve.
    pub unresolved: u64,
}

/// Counts of the requests that arrived while the same set of windows was open.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Bit `i`: window `i` of `Scenario::windows` was open.
    pub windows: u64,
    /// Requests from outside, as users see them.
    pub users: Calls,
    /// Calls between services, by edge; counted in the segment of the user request they serve.
    pub edges: Vec<Calls>,
}

/// What became of one task.
#[derive(Clone, Debug, Default)]
pub struct TaskRecord {
    /// `payments#1`.
    pub name: String,
    /// Index of its service.
    pub service: u32,
    /// Requests that reached it.
    pub requests: u64,
    /// Of them, answered 500 or above or not at all.
    pub errors: u64,
    /// Time it was out, summed over the routers that ejected it.
    pub ejected: Span,
    /// The first and the last request that reached it.
    pub reached: Option<(Time, Time)>,
    /// When it started.
    pub started: Time,
    /// When it had gone; `None` if it was there at the end.
    pub stopped: Option<Time>,
}

/// Queueing figures of one service over the measured part of the run, all tasks together.
#[derive(Clone, Copy, Debug)]
pub struct ServiceRecord {
    /// Requests that reached its tasks.
    pub arrived: u64,
    /// Requests that it finished.
    pub finished: u64,
    /// Requests turned away by a full queue or by the queue time-out.
    pub rejected: u64,
    /// Requests that had to wait for a server.
    pub waited: u64,
    /// Sum of their waits.
    pub wait: Span,
    /// Integral of the number in the service, request-nanoseconds.
    pub area_in_service: u128,
    /// Integral of the number waiting.
    pub area_queue: u128,
    /// Sum of the times spent in the service by those who left it, nanoseconds.
    pub sojourn: u128,
    /// Integral of busy servers; with unlimited concurrency of requests in work.
    pub area_busy: u128,
    /// Integral of the servers there were, 0 with unlimited concurrency.
    pub area_servers: u128,
    /// Integral of the tasks there were, task-nanoseconds; 0 for an external service.
    pub area_tasks: u128,
    /// Longest queue in front of one task.
    pub queue_max: u32,
    /// Most requests in the service at once.
    pub in_service_max: u32,
    /// Highest share of servers busy over one timeline bucket, parts per million.
    pub busy_max_ppm: u32,
    /// Processor time its sidecars used.
    pub sidecar_cpu: Span,
    /// Highest share of its processor share that one of its sidecars was given in a second, parts per
    /// million; a million is a saturated one.
    pub sidecar_busy_max_ppm: u32,
    /// Time that requests and answers waited in its sidecars for processor time, sums.
    pub sidecar_wait: Span,
    /// Length of the measured part.
    pub measured: Span,
    /// Nanoseconds with exactly so many requests in the service, the last one with that many or more.
    pub levels: [u64; ServiceRecord::LEVELS],
}

impl Default for ServiceRecord {
    fn default() -> ServiceRecord {
        ServiceRecord {
            arrived: 0,
            finished: 0,
            rejected: 0,
            waited: 0,
            wait: Span::ZERO,
            area_in_service: 0,
            area_queue: 0,
            sojourn: 0,
            area_busy: 0,
            area_servers: 0,
            area_tasks: 0,
            queue_max: 0,
            in_service_max: 0,
            busy_max_ppm: 0,
            sidecar_cpu: Span::ZERO,
            sidecar_busy_max_ppm: 0,
            sidecar_wait: Span::ZERO,
            measured: Span::ZERO,
            levels: [0; ServiceRecord::LEVELS],
        }
    }
}

impl ServiceRecord {
    /// How many numbers in the service are told apart.
    pub const LEVELS: usize = 64;

    /// What was counted since `earlier`; extremes are those of the whole time.
    #[must_use]
    pub fn less(&self, earlier: &ServiceRecord) -> ServiceRecord {
        ServiceRecord {
            arrived: self.arrived - earlier.arrived,
            finished: self.finished - earlier.finished,
            rejected: self.rejected - earlier.rejected,
            waited: self.waited - earlier.waited,
            wait: self.wait.less(earlier.wait),
            area_in_service: self.area_in_service - earlier.area_in_service,
            area_queue: self.area_queue - earlier.area_queue,
            sojourn: self.sojourn - earlier.sojourn,
            area_busy: self.area_busy - earlier.area_busy,
            area_servers: self.area_servers - earlier.area_servers,
            area_tasks: self.area_tasks - earlier.area_tasks,
            sidecar_cpu: self.sidecar_cpu.less(earlier.sidecar_cpu),
            sidecar_wait: self.sidecar_wait.less(earlier.sidecar_wait),
            levels: std::array::from_fn(|n| self.levels[n] - earlier.levels[n]),
            ..*self
        }
    }
}

/// Something worth a line in the report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Happening {
    /// When.
    pub at: Time,
    /// What.
    pub kind: HappeningKind,
    /// Index of the acting task in [`Recording::tasks`]; `u32::MAX` for nobody in particular.
    pub by: u32,
    /// Index of the task it happened to; `u32::MAX` for none.
    pub task: u32,
    /// Until when, where that means something.
    pub until: Option<Time>,
    /// More about it, such as the stage of a deployment; empty for nothing.
    pub note: &'static str,
}

/// Kinds of [`Happening`], named as in `interfaces.md` §3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum HappeningKind {
    /// A router took the task out.
    Ejected,
    /// It let it in again.
    Unejected,
    /// A router began to ignore health.
    PanicOn,
    /// It believes in health again.
    PanicOff,
    /// Probes or the container check declared the task unhealthy.
    Unhealthy,
    /// They declared it healthy.
    Healthy,
    /// The endpoint was taken out of the control plane or of DNS.
    Withdrawn,
    /// The ALB target was deregistered.
    Deregistered,
    /// RUNNING.
    TaskStarted,
    /// Serves.
    TaskReady,
    /// SIGTERM.
    Sigterm,
    /// SIGKILL.
    Sigkill,
    /// Gone.
    TaskStopped,
    /// A client got a DNS answer.
    DnsAnswer,
    /// A deployment began, moved or ended.
    DeployStep,
    /// Target tracking set another desired count.
    Scaled,
    /// A fault began.
    FaultOn,
    /// A fault ended.
    FaultOff,
    /// The proxy of the task crashed.
    SidecarDown,
    /// Its agent has started it again.
    SidecarUp,
    /// A task called a name that it cannot resolve, for the first time.
    UnknownHost,
    /// Callers' flags were set: their calls go by another path.
    Migrated,
}

impl HappeningKind {
    /// The name in result files.
    pub const fn name(self) -> &'static str {
        match self {
            HappeningKind::Ejected => "ejected",
            HappeningKind::Unejected => "unejected",
            HappeningKind::PanicOn => "panic_on",
            HappeningKind::PanicOff => "panic_off",
            HappeningKind::Unhealthy => "unhealthy",
            HappeningKind::Healthy => "healthy",
            HappeningKind::Withdrawn => "withdrawn",
            HappeningKind::Deregistered => "deregistered",
            HappeningKind::TaskStarted => "task_started",
            HappeningKind::TaskReady => "task_ready",
            HappeningKind::Sigterm => "sigterm",
            HappeningKind::Sigkill => "sigkill",
            HappeningKind::TaskStopped => "task_stopped",
            HappeningKind::DnsAnswer => "dns_answer",
            HappeningKind::DeployStep => "deploy_step",
            HappeningKind::Scaled => "scaled",
            HappeningKind::FaultOn => "fault_on",
            HappeningKind::FaultOff => "fault_off",
            HappeningKind::SidecarDown => "sidecar_down",
            HappeningKind::SidecarUp => "sidecar_up",
            HappeningKind::UnknownHost => "unknown_host",
            HappeningKind::Migrated => "migrated",
        }
    }
}

/// The run's own books, whole run, warm-up included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Books {
    /// Requests that arrived from outside.
    pub arrived: u64,
    /// Finished with an answer below 500.
    pub finished: u64,
    /// Failed.
    pub failed: u64,
    /// Still under way at the end.
    pub in_flight: u64,
    /// Largest relative error of Little's law over the services, `None` when nothing was served.
    pub little_error: Option<f64>,
    /// What does not balance, in words; empty when all does.
    pub problems: Vec<String>,
}
