//! What carries a call, and what it costs in time.
//!
//! *Knows* the words of the vocabulary. *Does not know* TOML, nor how anything is simulated.

use crate::policy::PolicyConfig;
use crate::scenario::Distribution;
use crate::units::Bytes;
use crate::units::Cpu;
use crate::units::Span;

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
    /// The caller-side policy of each edge, indexed by [`EdgeId`](crate::scenario::EdgeId).
    pub edge_policies: Vec<PolicyConfig>,
    /// Delays between tasks on this plane (`direct` has none unless `[network]` gives them).
    pub network: Network,
    /// A sentence that must accompany its figures ("App Mesh ended on 2026-09-30").
    pub warning: Option<String>,
    /// Why it cannot be simulated; the column then says so.
    pub not_applicable: Option<String>,
    /// The path that callers move to (`migrate_to`), live all along: another plane, of another kind.
    pub second: Option<Box<Plane>>,
}

impl Plane {
    /// The path that every caller starts on, then the one to move to, if there is one.
    pub fn paths(&self) -> impl Iterator<Item = &Plane> {
        std::iter::once(self).chain(self.second.as_deref())
    }
    /// The sidecars of either path.
    #[inline]
    pub fn sidecar(&self) -> Option<&SidecarPlane> {
        match &self.mechanism {
            Mechanism::Sidecar(sidecar) => Some(sidecar),
            _ => self.second.as_deref().and_then(Plane::sidecar),
        }
    }
    /// The DNS of either path.
    pub fn dns(&self) -> Option<&DnsPlane> {
        match &self.mechanism {
            Mechanism::Dns(dns) => Some(dns),
            _ => self.second.as_deref().and_then(Plane::dns),
        }
    }
    /// The ALB of either path.
    pub fn alb(&self) -> Option<&AlbPlane> {
        match &self.mechanism {
            Mechanism::Alb(alb) => Some(alb),
            _ => self.second.as_deref().and_then(Plane::alb),
        }
    }
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
    /// From the proxy's start until its agent calls it HEALTHY; the app's container starts only then, and the task
    /// is RUNNING only then (aws.md 1.5).
    pub start: Distribution,
    /// How long a stopping proxy drains after the app has gone (Service Connect: 20 s). The agent would wait 3 s more for
    /// an Envoy that does not exit; one that has drained exits at once.
    pub drain: Span,
    /// A task has a proxy on its own side as well, not only its callers have one.
    pub inbound: bool,
    /// Inbound listeners close before SIGTERM reaches the app.
    pub drains_inbound_first: bool,
    /// Processor share of the proxy: what `scsim cost` prices, and what it can do. It may be ahead of
    /// its share by the kernel's quota period; past that, requests and answers wait.
    pub cpu: Cpu,
    /// Memory of the proxy (on Fargate what the containers leave of the task's): what `scsim cost`
    /// prices, and where the kernel kills it.
    pub memory: Bytes,
    /// Memory it needs from the start. Counts only where it grows.
    pub memory_base: Bytes,
    /// Memory that each gRPC request leaves behind in each proxy it passes; 0 is none.
    pub memory_growth: Bytes,
    /// From a crash of the proxy until its agent has started it again.
    pub restart: Span,
    /// How often the agent starts it again; at the next crash ECS replaces the task (aws.md 1.5: 3).
    pub restarts: u32,
    /// A task resolves the names that existed at its service's last deployment and no other: ECS writes
    /// them into its `/etc/hosts` (Service Connect; App Mesh lists its backends).
    pub snapshot_names: bool,
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
    /// The platform whose habits the client has, if the scenario names one.
    pub client: Option<&'static str>,
    /// ECS tells Cloud Map about health (`HealthCheckCustomConfig`). Otherwise every registered task is
    /// answered with, healthy or not.
    pub custom_health: bool,
}

/// How long a client keeps a DNS answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResolverCache {
    /// As long as the TTL says.
    Ttl,
    /// For ever (a JVM with a security manager, nginx without a resolver).
    Forever,
    /// This long, whatever the TTL; zero is not at all.
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
