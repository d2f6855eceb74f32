//! Words of data planes: sidecars, DNS and internal ALBs.

use super::Form;
use super::Key;
use super::Table;
use super::key;
use super::table;
use crate::scenario::planes::client;

const LAW: Form = Form::Either(&[Form::Span, Form::Table("distribution")]);

pub(super) const TABLES: &[Table] = &[
    table(
        "plane",
        "A data plane. Which keys it has depends on what it extends: sidecars, DNS or an ALB.",
        &[ANY, PRESET, SIDECARS, ZONES, DNS, ALB, CLIENT, CONNECT],
    ),
    table(
        "plane.service-connect",
        "ECS Service Connect: a managed Envoy beside each task.",
        &[ANY, PRESET, SIDECARS, ZONES],
    ),
    table("plane.envoy", "A self-managed Envoy beside each task, with Envoy's own defaults.", &[ANY, PRESET, SIDECARS]),
    table(
        "plane.app-mesh",
        "App Mesh's documented defaults; the service ended on 2026-09-30.",
        &[ANY, PRESET, SIDECARS],
    ),
    table("plane.cloud-map-dns", "Clients that ask Cloud Map's DNS themselves.", &[ANY, PRESET, DNS, CLIENT, CONNECT]),
    table(
        "plane.internal-alb",
        "An internal Application Load Balancer in front of each service.",
        &[ANY, PRESET, ALB, CLIENT, CONNECT],
    ),
    table("plane.direct", "The ideal: every caller knows every ready task at once, without a hop.", &[ANY]),
    table("plane.sidecar", "The proxy beside a task.", &[SIDECAR]),
    table("plane.health_check", "The target group's health check.", &[TARGETS]),
    table("plane.slow_start", "The target group's attribute of that name.", &[RAMP]),
];

const ANY: &[Key] = &[
    key("extends", Form::Text, "", "The plane that this one varies. A name that is not built in needs it."),
    key("policy", Form::Table("policy"), "", "Envoy's fields, for this plane alone."),
    key(
        "migrate_to",
        Form::Text,
        "none",
        "A plane of another kind that callers can move to while this one stays live; [[migrate]] moves them.",
    ),
];

const PRESET: &[Key] = &[key(
    "preset",
    Form::Known(crate::scenario::presets::names),
    "the plane's own",
    "The named set of values to start from; `scsim explain` prints each with its sources.",
)];

const SIDECARS: &[Key] = &[
    key(
        "names",
        Form::Words(&["snapshot-at-start"]),
        "snapshot-at-start",
        "A task knows the names of its deployment's day.",
    ),
    key(
        "outlier_reading",
        Form::Words(&["consecutive", "window"]),
        "consecutive",
        "Two readings of \"5 failures in 30 s\": in a row (Envoy's), or within 30 s.",
    ),
    key(
        "endpoint_push",
        LAW,
        "p50 3s, p99 20s; envoy: 1s",
        "From a change in the control plane to the sidecar that knows it.",
    ),
    key(
        "ready_when",
        Form::Words(&["healthy", "task-running"]),
        "healthy",
        "A task gets traffic when its container is healthy, or as soon as it runs (no container health check).",
    ),
    key("sidecar", Form::Table("plane.sidecar"), "", "The proxy beside a task."),
];

const ZONES: &[Key] = &[key(
    "zone_aware",
    Form::Truth,
    "true",
    "service-connect: prefer tasks of the caller's zone, from two endpoints per zone on.",
)];

const SIDECAR: &[Key] = &[
    key("cpu", Form::Cpu, "0.25 vCPU", "Processor of the proxy; past its share requests and answers wait in it."),
    key("memory", Form::Size, "64MiB", "Memory of the proxy; at that size it is killed."),
    key("memory_base", Form::Size, "40MiB", "What it uses from the start."),
    key("memory_growth", Form::Size, "0B", "What each gRPC request leaves behind."),
    key("restart", Form::Span, "1s", "From a crash until it runs again."),
    key("restarts", Form::Count(0, 10), "3", "Restarts of one proxy; after that ECS replaces the task."),
    key("overhead", LAW, "p50 0.3ms, p99 1ms", "What one passage through one proxy adds."),
    key("cpu_per_request", Form::Span, "100us", "Processor time of one request in one proxy."),
    key("inbound", Form::Truth, "true", "A proxy stands in front of the callee as well. envoy only."),
    key("start", LAW, "uniform 5s to 15s; elsewhere 0s", "From its start until it is HEALTHY and the app may start."),
    key("drain", Form::Span, "20s; envoy: 0s", "Time in which the proxy goes on when its task stops."),
    key("drains_inbound_first", Form::Truth, "true", "Inbound listeners close before the app gets SIGTERM."),
];

const DNS: &[Key] = &[
    key("client", Form::Known(client::names), "none", "The habits of a platform: resolver cache, pick, keep-alive."),
    key("ttl", Form::Span, "60s", "TTL of the records."),
    key("record", Form::Words(&["A", "SRV"]), "A", "Type of the records. Both lead to the same addresses."),
    key(
        "resolver_cache",
        Form::Either(&[Form::Words(&["ttl", "forever", "none", "jvm"]), Form::Span]),
        "ttl",
        "How long a client keeps an answer: the TTL, forever, not at all, 30 s (jvm), or a duration.",
    ),
    key("negative_ttl", Form::Span, "60s", "How long \"no such name\" is kept."),
    key("pick", Form::Words(&["first", "random", "round-robin"]), "first", "Whom of an answer a client takes."),
    key("routing", Form::Words(&["multivalue", "weighted"]), "multivalue", "Up to `max_answers` records, or one."),
    key("max_answers", Form::Count(1, 1_000), "8", "Most records of an answer."),
    key("keep_alive", Form::Span, "90s", "How long a client keeps an idle connection."),
    key("client_retries", Form::Count(0, 250), "0", "Retries by the client on connect failure and reset."),
    key("record_lag", LAW, "p50 3s, p99 20s", "Until Route 53 shows a change."),
    key("health_lag", Form::Span, "30s", "Until a changed custom health status shows."),
    key("deregister_before_stop", Form::Span, "at once", "Deregistered so long before SIGTERM."),
    key("lookup", LAW, "1ms", "Time of one look-up."),
    key("custom_health", Form::Truth, "true", "ECS tells Cloud Map which tasks are healthy."),
];

const ALB: &[Key] = &[
    key(
        "algorithm",
        Form::Words(&["round_robin", "least_outstanding_requests", "weighted_random"]),
        "round_robin",
        "How a node picks a target.",
    ),
    key(
        "anomaly_mitigation",
        Form::Either(&[Form::Truth, Form::Words(&["on", "off"])]),
        "off",
        "weighted_random only: targets that fail more than their peers get a trickle.",
    ),
    key("health_check", Form::Table("plane.health_check"), "", "The target group's health check."),
    key("idle_timeout", Form::Span, "60s", "A target that says nothing for so long is answered for with 504."),
    key(
        "slow_start",
        Form::Either(&[Form::Span, Form::Table("plane.slow_start")]),
        "off",
        "round_robin only: a new target's share grows over 30 s to 900 s.",
    ),
    key(
        "minimum_healthy_targets",
        Form::Either(&[Form::Count(1, 1_000_000), Form::Share]),
        "1",
        "With fewer healthy targets than this count or share, requests go to all.",
    ),
    key("nodes", Form::Count(1, 1_000), "one per zone", "Nodes of the load balancer."),
    key("deregistration_delay", Form::Span, "300s", "How long requests under way may finish on a target that leaves."),
    key("hop", LAW, "p50 0.7ms, p99 2ms", "What one passage through a node adds."),
    key("cross_zone", Form::Truth, "true", "Nodes send to targets of other zones."),
];

const CLIENT: &[Key] = &[key("timeout", Form::Span, "15s", "The client's limit for a request; 0s is none.")];
const CONNECT: &[Key] = &[key("connect_timeout", Form::Span, "5s; a node: 10s", "Limit for a connection; 0s is none.")];

const TARGETS: &[Key] = &[
    key("path", Form::Text, "none", "For the reader; a model needs none."),
    key("interval", Form::Span, "30s", "From one check to the next."),
    key("timeout", Form::Span, "5s", "A check that takes longer has failed."),
    key("healthy_threshold", Form::Count(1, 1_000), "5", "Good checks in a row until a target is healthy again."),
    key("unhealthy_threshold", Form::Count(1, 1_000), "2", "Failed checks in a row until it is unhealthy."),
];

const RAMP: &[Key] =
    &[key("duration_seconds", Form::Count(0, u32::MAX as u64), "0", "Length of the slow start, 30 to 900; 0 is none.")];
