//! What goes wrong, for whom, when.
//!
//! *Knows* the words of the vocabulary. *Does not know* TOML, nor how anything is simulated.

use crate::scenario::Distribution;
use crate::scenario::EdgeId;
use crate::scenario::ServiceId;
use crate::units::Bytes;
use crate::units::Ratio;
use crate::units::Span;
use crate::units::Time;

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
    /// How it grows, which requests it picks, what ends it early.
    pub how: How,
}

/// What a fault may say besides kind, target and time; all of it optional.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct How {
    /// Its strength grows from nothing to all in a straight line over this time.
    pub ramp: Span,
    /// Which of the requests that the target receives it strikes.
    pub hits: Hits,
    /// It ends as soon as this has happened.
    pub stop_when: Option<Awaited>,
}

/// Which of the requests that a target receives a fault strikes, counted from 1 since the fault began.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Hits {
    /// All of them, or the share that the kind says.
    #[default]
    All,
    /// `nth`: those of these numbers, ascending.
    Nth(Vec<u64>),
    /// `every_nth`: every such one.
    EveryNth(u64),
}

impl Hits {
    /// Whether it strikes the request of that number.
    pub fn strikes(&self, number: u64) -> bool {
        match self {
            Hits::All => true,
            Hits::Nth(numbers) => numbers.binary_search(&number).is_ok(),
            Hits::EveryNth(each) => number.is_multiple_of(*each),
        }
    }
}

/// An event of the log that a fault waits for: `{ event = "ejected", count = 3 }`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Awaited {
    /// The event's name in result files.
    pub event: &'static str,
    /// The how-manieth.
    pub count: u32,
    /// Only events that happen to tasks of this service.
    pub service: Option<ServiceId>,
    /// Only events that happen to this task: its service and number.
    pub task: Option<(ServiceId, u32)>,
    /// Only events by tasks of this service.
    pub by: Option<ServiceId>,
}

impl Awaited {
    /// The events that can be waited for, named as in result files.
    pub const EVENTS: [&'static str; 17] = [
        "ejected",
        "unejected",
        "panic_on",
        "panic_off",
        "unhealthy",
        "healthy",
        "withdrawn",
        "deregistered",
        "task_started",
        "task_ready",
        "sigterm",
        "sigkill",
        "task_stopped",
        "dns_answer",
        "deploy_step",
        "fault_on",
        "fault_off",
    ];
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
    /// Once, when something has happened.
    After {
        /// What.
        event: Awaited,
        /// How long after it.
        wait: Span,
        /// For how long; `None` as for `Once`.
        lasts: Option<Span>,
    },
}

impl When {
    /// The first beginning; `None` if that is for the run to tell.
    pub fn begins(&self) -> Option<Time> {
        match *self {
            When::Once { at, .. } => Some(at),
            When::Every { period, .. } => Some(Time::ZERO + period),
            When::After { .. } => None,
        }
    }
    /// How long each time lasts.
    pub const fn lasts(&self) -> Option<Span> {
        match *self {
            When::Once { lasts, .. } | When::Every { lasts, .. } | When::After { lasts, .. } => lasts,
        }
    }
}

/// Which of the packets at a target a network fault hits. At an edge the target is the callee:
/// ingress are requests, egress are answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Those that come in.
    Ingress,
    /// Those that go out, as `tc netem` does it.
    Egress,
    /// All.
    Both,
}

/// What a leak grows with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leak {
    /// With time: so much per second.
    PerSecond(Bytes),
    /// With work: so much per request.
    PerRequest(Bytes),
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
    /// Others use this share of the task's processor, so that work takes `1 / (1 - load)` times as long.
    Cpu {
        /// The share.
        load: Ratio,
    },
    /// Accepts and resets.
    Reset,
    /// Accepts, and resets what has no answer after this time.
    ResetAfter {
        /// From the arrival of the request.
        delay: Span,
    },
    /// The port is closed.
    Refuse,
    /// The backlog is full: no connection beyond so many.
    ConnectionLimit {
        /// Connections to one task.
        limit: u32,
        /// One more is refused; otherwise its SYN is dropped.
        refuses: bool,
    },
    /// The headers of the answer come, its body breaks off. Nobody retries once headers were passed on.
    CutBody {
        /// Share of answers.
        rate: Ratio,
        /// Share of the body that comes before the break.
        sent: Ratio,
    },
    /// The app stands still: work, answers and checks wait; the kernel goes on accepting.
    Pause {
        /// How long each time.
        pause: Span,
        /// From one beginning to the next while the fault is on; `None` is once.
        interval: Option<Span>,
    },
    /// SIGSTOP: a pause for as long as the fault is on.
    Freeze,
    /// Memory in use grows until the kernel kills the task.
    MemoryLeak {
        /// How fast.
        rate: Leak,
        /// Share of the task's memory in use before.
        used: Ratio,
    },
    /// The process is gone without notice; ECS replaces the task.
    Crash,
    /// The tasks crash, and so does each that takes their place, this long after its start.
    CrashLoop {
        /// From RUNNING.
        delay: Span,
    },
    /// `StopTask`: SIGTERM, drain, SIGKILL; ECS replaces the task.
    Stop,
    /// AWS takes the capacity back.
    SpotReclaim {
        /// From the warning to the end.
        notice: Span,
    },
    /// Packets take longer.
    Latency {
        /// Added to each message.
        delay: Distribution,
        /// Uniformly so much more or less.
        jitter: Span,
        /// Which messages.
        direction: Direction,
    },
    /// Packets are lost and sent again.
    PacketLoss {
        /// The share.
        rate: Ratio,
        /// Which packets.
        direction: Direction,
    },
    /// Every packet is lost.
    Partition {
        /// Which packets.
        direction: Direction,
    },
    /// A link carries so much and no more; needs sizes of requests and answers.
    Bandwidth {
        /// Per second.
        rate: Bytes,
        /// Which packets.
        direction: Direction,
    },
    /// A zone is cut off from the others.
    AzOutage {
        /// It is without power too: its tasks die.
        power: bool,
    },
    /// DNS goes on showing what it shows.
    DnsFreeze,
    /// Look-ups fail (SERVFAIL).
    DnsFail,
    /// Look-ups take longer.
    DnsSlow {
        /// By this.
        added: Span,
    },
    /// No list reaches a proxy.
    PushFreeze,
    /// Lists reach proxies later.
    PushDelay {
        /// By this.
        added: Span,
    },
    /// Tasks are registered later: the API throttles.
    Throttle {
        /// By this.
        added: Span,
    },
    /// The Cloud Map namespace is gone.
    NamespaceDeleted,
    /// The proxy of a task dies; its agent starts it again.
    SidecarCrash,
    /// The proxy of a task needs more processor time.
    SidecarSlow {
        /// Factor in thousandths.
        factor_milli: u32,
    },
    /// The task's certificate is no longer valid: new TLS handshakes fail, what stands goes on.
    CertExpiry,
    /// The task ends its connections gracefully: no new request on them, those under way finish.
    Goaway,
}

impl FaultKind {
    /// Its word in files.
    pub const fn name(&self) -> &'static str {
        match self {
            FaultKind::Wedge { .. } => "wedge",
            FaultKind::Grey { .. } => "grey",
            FaultKind::Errors { .. } => "errors",
            FaultKind::Hang => "hang",
            FaultKind::Slow { .. } => "slow",
            FaultKind::Cpu { .. } => "cpu",
            FaultKind::Reset | FaultKind::ResetAfter { .. } => "reset",
            FaultKind::Refuse => "refuse",
            FaultKind::ConnectionLimit { .. } => "connection-limit",
            FaultKind::CutBody { .. } => "cut-body",
            FaultKind::Pause { .. } => "gc-pause",
            FaultKind::Freeze => "freeze",
            FaultKind::MemoryLeak { .. } => "memory-leak",
            FaultKind::Crash => "crash",
            FaultKind::CrashLoop { .. } => "crash-loop",
            FaultKind::Stop => "stop",
            FaultKind::SpotReclaim { .. } => "spot-reclaim",
            FaultKind::Latency { .. } => "latency",
            FaultKind::PacketLoss { .. } => "packet-loss",
            FaultKind::Partition { .. } => "partition",
            FaultKind::Bandwidth { .. } => "bandwidth",
            FaultKind::AzOutage { .. } => "az-outage",
            FaultKind::DnsFreeze => "dns-freeze",
            FaultKind::DnsFail => "dns-fail",
            FaultKind::DnsSlow { .. } => "dns-slow",
            FaultKind::PushFreeze => "push-freeze",
            FaultKind::PushDelay { .. } => "push-delay",
            FaultKind::Throttle { .. } => "throttle",
            FaultKind::NamespaceDeleted => "namespace-deleted",
            FaultKind::SidecarCrash => "sidecar-crash",
            FaultKind::SidecarSlow { .. } => "sidecar-slow",
            FaultKind::CertExpiry => "cert-expiry",
            FaultKind::Goaway => "goaway",
        }
    }

    /// One stroke rather than a state: over when the services it struck have all their tasks again.
    pub const fn is_stroke(&self) -> bool {
        matches!(
            self,
            FaultKind::Crash
                | FaultKind::Stop
                | FaultKind::SpotReclaim { .. }
                | FaultKind::SidecarCrash
                | FaultKind::Goaway
        )
    }

    /// It ends tasks, so that no check has time to notice anything.
    pub const fn ends_tasks(&self) -> bool {
        matches!(
            self,
            FaultKind::Crash
                | FaultKind::Stop
                | FaultKind::SpotReclaim { .. }
                | FaultKind::CrashLoop { .. }
                | FaultKind::MemoryLeak { .. }
                | FaultKind::AzOutage { power: true }
        )
    }

    /// It acts on the sidecar, not on the app.
    pub const fn is_of_sidecar(&self) -> bool {
        matches!(self, FaultKind::SidecarCrash | FaultKind::SidecarSlow { .. })
    }
}

/// For whom.
#[derive(Clone, PartialEq, Debug)]
pub enum Target {
    /// `payments#1`: the task of that number (1 is the first).
    Task(ServiceId, u32),
    /// `payments#any`: one task, drawn at each beginning.
    AnyTask(ServiceId),
    /// `payments[2]`: so many tasks, drawn at each beginning.
    Count(ServiceId, u32),
    /// `payments[50%]`: this share of the tasks, rounded up, the first ones.
    Share(ServiceId, Ratio),
    /// `payments`: all tasks.
    Service(ServiceId),
    /// `web->payments`: only requests on that edge see it.
    Edge(EdgeId),
    /// `zone:a`: every task in the zone (index into [`Scenario::zones`](crate::scenario::Scenario::zones)).
    Zone(u8),
    /// `dns`: the resolver, for everybody.
    Resolver,
    /// `control-plane`: what tells proxies of endpoints.
    ControlPlane,
}
