//! Words of the top of a file, of services and of loads.

use super::Form;
use super::Key;
use super::Table;
use super::key;
use super::table;
use crate::scenario::distribution;
use crate::scenario::services::TASKS_MAX;

const SERVICE: Form = Form::Text;
const LAW: Form = Form::Either(&[Form::Span, Form::Table("distribution")]);

pub(super) const TABLES: &[Table] = &[
    table("", "A scenario of scsim: system, load, what happens, what must be true.", &[TOP])
        .needs(&["service", "load"]),
    table("run", "How long and how often.", &[RUN]),
    table("defaults", "Values for several tables at once.", &[DEFAULTS]),
    table("service", "A service, under its name.", &[SERVED, ENDPOINT]),
    table("service.health_check", "The container health check of ECS.", &[HEALTH]),
    table("service.endpoint", "One kind of request that a service answers, under its name.", &[ENDPOINT]),
    table(
        "service.steps",
        "A step: exactly one of `work`, `call`, `parallel` and `repeat`, with what belongs to it.",
        &[STEP],
    ),
    table(
        "distribution",
        "A random time: { p50, p99 }, { mean, dist }, { hist }, { file } or { values }.",
        &[DISTRIBUTION],
    ),
    table("load", "Where requests come from: exactly one of `rate`, `diurnal`, `users` and `trace`.", &[LOAD]),
    table("load.rate", "A point of a rate that changes.", &[POINT]).needs(&["at", "rate"]),
    table("load.diurnal", "A day's curve, a cosine between two rates.", &[DIURNAL]).needs(&["low", "high"]),
    table("load.burst", "A burst on top of the rate.", &[BURST]).needs(&["at", "for", "rate"]),
    table("network", "What lies between tasks.", &[NETWORK]),
];

const TOP: &[Key] = &[
    key("scsim", Form::Count(1, u64::MAX), "1", "Version of the language."),
    key("format", Form::Count(1, u64::MAX), "1", "Version of the language; another word for `scsim`."),
    key("title", Form::Text, "the file's name", "What a report is headed with."),
    key("description", Form::Text, "none", "Longer text for a report."),
    key(
        "compare",
        Form::List(&Form::Text),
        "service-connect, cloud-map-dns and internal-alb",
        "The planes to run, one column each. It stands above the first [table].",
    ),
    key(
        "include",
        Form::Either(&[Form::Text, Form::List(&Form::Text)]),
        "none",
        "Other TOML files whose tables are added, such as a shared topology. Paths are relative to this file.",
    ),
    key("run", Form::Table("run"), "", "How long and how often."),
    key("defaults", Form::Table("defaults"), "", "Values for several tables at once."),
    key("service", Form::Named("service"), "", "The services: [service.NAME]."),
    key("scaling", Form::Named("scaling"), "", "Target tracking: [scaling.SERVICE]."),
    key(
        "load",
        Form::Either(&[Form::Table("load"), Form::List(&Form::Table("load"))]),
        "",
        "Where requests come from: [load], or several [[load]].",
    ),
    key("network", Form::Table("network"), "", "What lies between tasks."),
    key(
        "plane",
        Form::Named("plane"),
        "",
        "Data planes: a built-in one with other values, or a variant under a name of your own with `extends`.",
    ),
    key("policy", Form::Table("policy"), "", "Envoy's fields under Envoy's names, for every plane and edge."),
    key("edge", Form::Named("policy"), "", "[edge.\"caller->callee\"]: [policy] for one arrow."),
    key("fault", Form::List(&Form::Table("fault")), "", "What goes wrong: [[fault]]."),
    key("deploy", Form::List(&Form::Table("deploy")), "", "New versions that roll out: [[deploy]]."),
    key("scale", Form::List(&Form::Table("scale")), "", "Changes of the number of tasks: [[scale]]."),
    key("migrate", Form::List(&Form::Table("migrate")), "", "Callers that move to another plane: [[migrate]]."),
    key("expect", Form::List(&Form::Table("expect")), "", "What must be true: [[expect]]."),
    key("cost", Form::Table("cost"), "", "Terms of the bill."),
    key("live", Form::Anything, "", "Terms of live mode; a simulation does not read them."),
    key("sweep", Form::Table("sweep"), "", "Fields to vary."),
    key("claim", Form::Table("claim"), "", "A statement that this scenario decides, for `scsim ledger`."),
];

const RUN: &[Key] = &[
    key("duration", Form::Span, "3m", "Simulated time, warm-up included."),
    key("warmup", Form::Span, "0s", "Cut off at the start: no metric counts it."),
    key("drain", Form::Span, "30s", "Time after the end in which requests under way may finish."),
    key("seed", Form::Count(0, i64::MAX as u64), "1", "First seed; replication i has seed + i."),
    key("replications", Form::Count(1, 100_000), "10", "Runs per plane. More of them, narrower intervals."),
    key(
        "precision",
        Form::Share,
        "none",
        "In place of `replications`: run until the intervals are this narrow, as a share of the mean.",
    ),
    key("max_replications", Form::Count(2, 100_000), "200", "Where the search for `precision` ends."),
    key("confidence", Form::Share, "95%", "Level of all intervals, 50% to below 100%."),
];

const DEFAULTS: &[Key] =
    &[key("service", Form::Table("service"), "", "Keys of [service.NAME] for every service that does not write them.")];

const SERVED: &[Key] = &[
    key("tasks", Form::Count(1, TASKS_MAX), "2", "Tasks that run from the start; desiredCount."),
    key(
        "zones",
        Form::List(&Form::Text),
        "a, b and c",
        "Names of availability zones; tasks are dealt out over them in turn.",
    ),
    key(
        "protocol",
        Form::Words(&["http", "http2", "grpc", "tcp"]),
        "http",
        "appProtocol of the port. `tcp` has no requests to a proxy: no retries on a status, no ejection by one.",
    ),
    key(
        "cpu",
        Form::Cpu,
        "0.5 vCPU",
        "Processor of the task: \"0.25 vCPU\", or CPU units, \"256\". Priced, not simulated.",
    ),
    key("memory", Form::Size, "1GiB", "Memory of the task: what memory-leak fills, and what is priced."),
    key(
        "concurrency",
        Form::Count(1, 1_000_000),
        "no limit",
        "Requests that one task works on at once: that many servers with one queue. 1 is a single server.",
    ),
    key(
        "queue",
        Form::Count(0, 100_000_000),
        "no limit",
        "Requests that wait in one task; the next one is answered 503.",
    ),
    key("queue_timeout", LAW, "never", "A request that waited this long is answered 503 without work."),
    key("startup", LAW, "30s", "From RUNNING until the app serves."),
    key("stop_timeout", Form::Span, "30s", "From SIGTERM to SIGKILL."),
    key("handles_sigterm", Form::Truth, "true", "On SIGTERM the app finishes what it has; else it dies at once."),
    key("health_check", Form::Table("service.health_check"), "none", "The container health check of ECS."),
    key("external", Form::Truth, "false", "Not on ECS: a database, a partner. No sidecar, no ALB, nothing scales it."),
    key("keep_alive", Form::Span, "never", "The app closes a connection that was idle for so long."),
    key(
        "service_connect",
        Form::Words(&["client-server", "client", "none"]),
        "client-server",
        "Role in Service Connect: `client` calls through its sidecar and is not called through one; `none` is not enrolled.",
    ),
    key("provisioning", LAW, "0s", "From the order to start a task until it is placed."),
    key("image_pull", LAW, "0s", "Time to pull the image."),
    key(
        "health_check_grace_period",
        Form::Span,
        "covers the start-up",
        "For so long after its start ECS replaces no task for failed checks (healthCheckGracePeriodSeconds).",
    ),
    key(
        "stop_delay",
        Form::Span,
        "0s",
        "The app serves on for so long after SIGTERM before it drains (a sleep in preStop).",
    ),
    key(
        "replacement",
        Form::Words(&["first", "after"]),
        "first",
        "An unhealthy task stops when its replacement is healthy (`first`), or at once (`after`, as with maximumPercent 100).",
    ),
    key(
        "created",
        Form::Span,
        "from the start",
        "When in the run ECS creates the service; before, it has no tasks and no name.",
    ),
    key(
        "controller",
        Form::Words(&["ECS", "CODE_DEPLOY", "EXTERNAL"]),
        "ECS",
        "Who deploys. Service Connect refuses CODE_DEPLOY and EXTERNAL, as AWS does.",
    ),
    key(
        "endpoint",
        Form::Named("service.endpoint"),
        "none",
        "Kinds of requests: endpoint.charge = { latency = \"30ms\" }.",
    ),
];

const ENDPOINT: &[Key] = &[
    key("latency", LAW, "0s", "Own work before the calls. Time spent in calls comes on top."),
    key("errors", Form::Share, "0%", "Share of requests answered 500 after the work."),
    key(
        "calls",
        Form::Steps,
        "none",
        "Whom it calls, in turn; an inner list is at once: [\"a\", [\"b\", \"c\"], \"d\"].",
    ),
    key("steps", Form::Steps, "none", "The long form of `calls`: a list of tables."),
];

const STEP: &[Key] = &[
    key("work", LAW, "", "Own work of this length."),
    key("call", SERVICE, "", "A call to this service."),
    key("parallel", Form::Steps, "", "Steps that run at once; the slowest decides."),
    key(
        "repeat",
        Form::Either(&[Form::Text, Form::Steps, Form::Table("service.steps")]),
        "",
        "A step, or a list of them, done `times` over.",
    ),
    key("times", Form::Count(0, 10_000), "", "How often `repeat` repeats."),
    key("endpoint", Form::Text, "the service itself", "With `call`: which endpoint of the callee."),
    key("timeout", Form::Span, "the policy's", "With `call`: the caller's own limit for this call."),
    key("probability", Form::Share, "100%", "With `call`: share of requests that make it."),
    key(
        "idempotent",
        Form::Truth,
        "true",
        "With `call`: false forbids retries by a proxy once the request may have arrived.",
    ),
    key("optional", Form::Truth, "false", "With `call`: a failure does not fail the request."),
    key("request", Form::Size, "0B", "With `call`: bytes there, for bandwidth and the bill."),
    key("response", Form::Size, "0B", "With `call`: bytes back, for bandwidth and the bill."),
];

const HEALTH: &[Key] = &[
    key("path", Form::Text, "none", "For the reader; a model needs none."),
    key("interval", Form::Span, "30s", "From one check to the next."),
    key("timeout", Form::Span, "5s", "A check that takes longer has failed."),
    key("retries", Form::Count(1, 1_000), "3", "Failed checks in a row until the task is unhealthy."),
    key("start_period", Form::Span, "0s", "Failures do not count for so long after the start."),
    key("deep", Form::Truth, "false", "The check does real work, so it fails with it."),
];

const DISTRIBUTION: &[Key] = &[
    key("p50", Form::Span, "", "The median of a log-normal; one more percentile fixes it."),
    key("p90", Form::Span, "", "Beside p50: the 90th percentile."),
    key("p95", Form::Span, "", "Beside p50: the 95th percentile."),
    key("p99", Form::Span, "", "Beside p50: the 99th percentile."),
    key("p999", Form::Span, "", "Beside p50: the 99.9th percentile."),
    key("dist", Form::Known(distribution::families), "lognormal beside p50", "The family."),
    key("mean", Form::Span, "", "The mean."),
    key(
        "cv",
        Form::Number(1e-6, 1e3),
        "",
        "Standard deviation over mean: lognormal, gamma, hyperexponential (1 or more).",
    ),
    key("k", Form::Count(1, 1_000), "", "erlang: number of phases."),
    key("shape", Form::Number(1e-6, 1e6), "", "gamma, pareto (above 1), weibull: the shape."),
    key("scale", Form::Span, "", "weibull: the scale, in place of the mean."),
    key("minimum", Form::Span, "", "pareto: the smallest value, in place of the mean."),
    key("low", Form::Span, "", "uniform: the lower end."),
    key("high", Form::Span, "", "uniform: the upper end."),
    key("hist", Form::Text, "", "A file with an HdrHistogram's percentile distribution (.hgrm)."),
    key("file", Form::Text, "", "A file with one latency per line, or in a column named for its unit."),
    key("unit", Form::Words(&["ns", "us", "ms", "s"]), "ms", "Beside `hist` and `file`: the unit of bare numbers."),
    key("values", Form::List(&Form::Span), "", "Values to draw from."),
    key("weights", Form::List(&Form::Number(0.0, 1e12)), "all the same", "Beside `values`: a weight for each."),
];

const LOAD: &[Key] = &[
    key("name", Form::Text, "load, load 1, load 2", "What reports call it."),
    key("entry", SERVICE, "the one service that nobody calls", "Where requests enter."),
    key("endpoint", Form::Text, "the service itself", "Which endpoint of the entry."),
    key(
        "rate",
        Form::Either(&[Form::Rate, Form::List(&Form::Table("load.rate"))]),
        "",
        "Open loop: arrivals per second, whether or not answers come. Constant, or a list of points.",
    ),
    key("diurnal", Form::Table("load.diurnal"), "", "Open loop over a day's curve."),
    key(
        "users",
        Form::Count(1, 1_000_000),
        "",
        "Closed loop: so many users who wait for the answer, think, and ask again.",
    ),
    key(
        "trace",
        Form::Text,
        "",
        "A file of arrivals: one instant per line, in seconds, with a unit, or as date and time.",
    ),
    key("think", LAW, "0s", "With `users`: the pause between answer and next request."),
    key("speed", Form::Number(1e-6, 1e6), "1", "With `trace`: 2 plays it twice as fast."),
    key(
        "burst",
        Form::Either(&[Form::Table("load.burst"), Form::List(&Form::Table("load.burst"))]),
        "none",
        "Bursts on top of the rate; they may not overlap.",
    ),
    key(
        "arrivals",
        Form::Words(&["poisson", "constant", "bursty"]),
        "poisson",
        "How arrivals are spaced at the given rate; `bursty` comes in batches.",
    ),
    key("batch", Form::Count(1, 100_000), "10", "With arrivals = \"bursty\": mean size of a batch."),
    key(
        "between",
        Form::List(&Form::Span),
        "the whole run",
        "Only from the first instant to the second: [\"10s\", \"4m\"].",
    ),
    key(
        "spread",
        Form::Words(&["random", "round-robin"]),
        "random",
        "How arrivals spread over the tasks of the entry.",
    ),
    key(
        "test",
        Form::Truth,
        "false",
        "Requests with the test header of blue-green deployments; users' metrics leave them out.",
    ),
];

const POINT: &[Key] = &[
    key("at", Form::Span, "", "From then on."),
    key("rate", Form::Rate, "", "The rate there."),
    key("ramp", Form::Words(&["step", "linear"]), "step", "How this point is reached from the one before."),
];

const DIURNAL: &[Key] = &[
    key("low", Form::Rate, "", "Rate in the depth of the night."),
    key("high", Form::Rate, "", "Rate at the peak."),
    key("period", Form::Span, "24h", "Length of a day."),
    key("peak", Form::Span, "14h", "When in the day the peak is."),
    key("speedup", Form::Number(1e-3, 1e6), "1", "144 runs a day in ten minutes."),
];

const BURST: &[Key] = &[
    key("at", Form::Span, "", "When it begins."),
    key("for", Form::Span, "", "How long it lasts."),
    key("rate", Form::Rate, "", "Arrivals on top of the rate."),
];

const NETWORK: &[Key] = &[
    key("same_zone", LAW, "0.25ms", "One way between two tasks of a zone."),
    key("cross_zone", LAW, "0.6ms", "One way between two zones."),
    key("tls", Form::Truth, "false", "Connections are encrypted: one round trip more each (TLS 1.3)."),
    key("tls_round_trips", Form::Count(0, 4), "0", "Round trips of a handshake, in place of `tls`."),
];
