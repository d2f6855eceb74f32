//! The texts of `scsim explain`: one page per metric, fault and field.
//!
//! *Knows* words and their meaning. *Does not know* how a page is found or printed.

/// A page.
pub struct Page {
    /// What one asks for.
    pub word: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The page; its first line stands in the index.
    pub text: &'static str,
}

/// What a page is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A metric of expectations and reports.
    Metric,
    /// A kind of fault.
    Fault,
    /// A field of a scenario.
    Field,
}

pub const fn metric(word: &'static str, text: &'static str) -> Page {
    Page { word, kind: Kind::Metric, text }
}
pub(super) const fn fault(word: &'static str, text: &'static str) -> Page {
    Page { word, kind: Kind::Fault, text }
}
pub const fn field(word: &'static str, text: &'static str) -> Page {
    Page { word, kind: Kind::Field, text }
}

/// Every page but those of faults.
pub const PAGES: &[Page] = &[
    metric("requests", "Requests from outside that came to an end, per replication.\nIn result files: requests."),
    metric(
        "error_rate",
        "Failed requests over all requests. A request fails if it gets no answer or a status of 500 or above.\nWritten with a percent sign: error_rate < 0.1%. In result files a fraction.",
    ),
    metric(
        "failed_requests",
        "Requests that failed, per replication. `failed_requests == 0` must hold in every replication, not just on average.",
    ),
    metric("success_rate", "One less the error rate."),
    metric("goodput", "Successful requests per second of the window: goodput > 190/s. In result files: goodput_rps."),
    metric(
        "mean",
        "Mean latency of successful requests, from the intended arrival to the last byte. Failures are kept apart.\nIn result files: mean_ms.",
    ),
    metric(
        "max",
        "Largest latency of a successful request. Grows with the number of requests: compare it only at equal load.",
    ),
    metric(
        "p99",
        "A percentile of successful requests' latency: p50, p90, p95, p99, p99.9, any pNN.\nThe figure comes from the pooled histogram of all replications (three significant digits), its\ninterval from the spread between replications. In result files: p99_ms, p999_ms.",
    ),
    metric("attempts_per_request", "Attempts over calls, on all edges or on the one in scope: 1 without retries."),
    metric("retries_per_request", "Attempts after the first, over calls, on all edges or on the one in scope."),
    metric(
        "ejections",
        "Ejections by outlier detection that took effect, whole run. Does not exist on planes without outlier detection.",
    ),
    metric(
        "time_to_eject",
        "Seconds from the beginning of the first fault to the first ejection after it. If nothing is ever ejected\nno limit is met. In result files: time_to_eject_s, over the replications that had one.",
    ),
    metric(
        "time_to_contain",
        "Seconds from the beginning of the first fault until the error rate is under twice its normal again.\nNormal is the rate between warm-up and fault, at least 0.1%; five buckets of the timeline are judged together.\nZero if errors never rose.",
    ),
    metric(
        "time_to_recover",
        "Seconds from the end of the first fault until the error rate is under twice its normal. Needs a fault with `for`.",
    ),
    metric("stale_window", "Longest time after a task had stopped at which somebody still dialled it, seconds."),
    metric("stale_dials", "Dials of, and sends to, tasks that had stopped."),
    metric("overflow", "Calls refused because a circuit breaker was full (response flag UO)."),
    metric(
        "panic_time",
        "Seconds during which balancers ignored health because too few endpoints were healthy, summed over routers.",
    ),
    metric("queue_max", "Longest queue in front of one task."),
    metric("cpu_max", "Highest share of a service's capacity in use over one bucket of the timeline."),
    metric("tasks_max", "Most tasks running at once, all services that are not external."),
    metric(
        "tasks_mean",
        "Mean number of tasks over the measured part, from the order to start to the last container, all services that\nare not external or the one in scope: what is paid for.",
    ),
    metric(
        "deploy_time",
        "Seconds from the start of a deployment to its COMPLETED; the longest, where there are several. If one never came to\nit, failed or was rolled back, no limit is met. In result files: deploy_time_s, over the replications in which all did.",
    ),
    metric(
        "rollbacks",
        "Deployments that were taken back: by the circuit breaker, an alarm, the test hook or rollback_at.",
    ),
    metric(
        "test_requests",
        "Requests of loads with test = true that came to an end. No other metric of the users counts them.",
    ),
    metric("test_error_rate", "Share of the test requests that failed."),
    metric(
        "unresolved_calls",
        "Calls to a name that the calling task could not resolve, because its service was last deployed before the\ncallee was created (Service Connect, App Mesh). They fail at once, without an attempt.",
    ),
    metric("in_flight_mean", "Mean number of requests in a service, waiting and in work (Little's L)."),
    metric("queue_mean", "Mean number of requests that wait for a server."),
    metric("wait_share", "Share of arriving requests that had to wait for a server."),
    metric("wait_mean", "Mean time in the queue over all requests served, those that did not wait included."),
    metric("utilization", "Busy share of servers. Needs `concurrency`."),
    field(
        "expect.that",
        "[plane.]metric op value, or plane.metric op plane.metric.\nHolds if the whole confidence interval satisfies it, fails if the whole interval violates it, is inconclusive\notherwise. Plane against plane is judged on the paired difference: all planes see the same arrivals,\nservice times and faults.",
    ),
    field(
        "expect.during",
        "all (default), warm, fault, after, deploy, the name of a fault or of a [[migrate]] step\n(it lasts to the next step), or [\"60s\", \"90s\"]: by the time of arrival.",
    ),
    field(
        "expect.over",
        "mean (default): judged by the interval of the mean. every-replication: each one must satisfy it.",
    ),
    field(
        "expect.cell",
        "Which cells of a sweep an expectation is about: cell = { \"fault.0.rate\" = \"10%\" }. Without it every cell is asked,\nand `scsim run`, which asks nothing that names a cell.",
    ),
    field(
        "sweep.vary",
        "Fields and their values for `scsim sweep`; keys are those of --set, in quotes:\n  [sweep]\n  vary = { \"policy.outlier_detection.consecutive_5xx\" = [2, 3, 5], \"service.payments.tasks\" = \"1..10\" }\nA value list, or a range: \"1..10\" (whole numbers), \"10ms..1s:log:7\", \"1%..50%:lin:8\". At most 100000 cells.\nTables in lists go by number or name: fault.0.rate, fault.NAME.rate. --vary on the command line replaces it.",
    ),
    field(
        "sweep.mode",
        "grid (default): each value with each; one-at-a-time: the file as it is, then one field after the other.",
    ),
    field(
        "claim.id",
        "[claim] enters a scenario into the ledger (`scsim ledger FOLDER -o reports/claims.md`): id (a letter and a number),\nsays, from, verdict, condition, because, figures. The verdict stands only if every expectation of the file holds.",
    ),
    field(
        "claim.verdict",
        "\"holds\", \"holds only if\" (needs `condition`) or \"refuted\": what the scenario shows, as its expectations state it.",
    ),
    field(
        "claim.figures",
        "What the ledger shows, the deciding one first: \"internal-alb.error_rate\", \"p99\" (every plane), or\n{ metric = \"p99\", during = \"fault\", service = \"payments\", label = \"p99 in the fault\" }.",
    ),
    field(
        "claim.because",
        "A sentence or two with figures in braces: {internal-alb.error_rate}, {service-connect.p99 in the fault}; in a sweep with\ntheir cell: {internal-alb.error_rate @ 10%}, for two fields @ 10%, 503.",
    ),
    field(
        "claim.sums",
        "Sums of money as articles have them, each beside a figure of cost: { article = \"004\", says = \"60 x $0.31: $18\",\nfigure = \"service-connect.cost_sidecar\" }; the page shows both, and the lines of the bill.",
    ),
    field("expect.severity", "error (default) fails the command; warn is only shown (see --fail-on)."),
    field("run.replications", "Runs per plane. Each replication has its own random numbers, shared by all planes."),
    field(
        "run.precision",
        "Instead of replications: run until the intervals of mean latency and error rate are this narrow, up to\nmax_replications.",
    ),
    field("run.warmup", "Requests that arrive this early are left out of every metric."),
    field(
        "service.calls",
        "What a service calls: [\"a\", [\"b\", \"c\"]] means a, then b and c at once. Each name needs its [service.NAME].",
    ),
    field(
        "service.startup",
        "From RUNNING to serving, a duration or a distribution. Default 30 s. While provisioning and image_pull are not\nwritten it stands for the whole way from the order to start.",
    ),
    field(
        "service.provisioning",
        "From the order to start a task to its place and network interface, a duration or a distribution. Default 0 s.",
    ),
    field("service.image_pull", "The time a task's image takes to arrive, a duration or a distribution. Default 0 s."),
    field(
        "service.health_check_grace_period",
        "For this long after RUNNING no check makes ECS replace a task: neither the target group's nor the container's.\nECS's default is 0 s. Where a scenario gives none, it is taken to cover the start-up.",
    ),
    field(
        "service.replacement",
        "first (default): an unhealthy task is stopped when its replacement is healthy. after: it is stopped at once, as with\nmaximumPercent = 100.",
    ),
    field("service.stop_timeout", "From SIGTERM to SIGKILL. Default 30 s; Fargate allows 2 to 120 s."),
    field(
        "service.stop_delay",
        "The app goes on serving for this long after SIGTERM, for callers that still hold its address. Default 0 s; SIGKILL\ndoes not wait for it.",
    ),
    field(
        "service.handles_sigterm",
        "true (default): on SIGTERM the app takes no more requests and finishes those it has. false: it dies at once.",
    ),
    field(
        "plane.sidecar.start",
        "From a sidecar's start until it is HEALTHY and the app's container may run. service-connect: 5 to 15 s; else 0 s.",
    ),
    field(
        "scaling.target_cpu",
        "Target tracking on the busy share of a service's `concurrency`, which stands for its CPU.\nOut after three one-minute datapoints above the target, to running x metric / target rounded up; in after fifteen\nbelow 90 % of it. Never in while a deployment is under way.",
    ),
    field("scaling.target_rps", "Target tracking on requests per second and task."),
    field("scaling.target_concurrency", "Target tracking on requests in a task at once, waiting ones included."),
    field("scaling.min", "Fewest tasks, default 1. Target tracking cannot come back from 0: no task, no metric."),
    field("scaling.max", "Most tasks."),
    field(
        "scaling.scale_out_cooldown",
        "After a scale-out, another one only if the load on the tasks of before asks for more. Default 300 s.",
    ),
    field(
        "scaling.scale_in_cooldown",
        "From one scale-in to the next. Default 300 s. A scale-out does not wait for it.",
    ),
    field(
        "outlier_detection.consecutive_5xx",
        "Answers of 500 and above in a row that eject an endpoint. Envoy's default is 5; 0 switches it off.",
    ),
    field(
        "outlier_detection.interval",
        "Time between sweeps. Ejection is immediate; an ejected endpoint returns only at a sweep.",
    ),
    field(
        "outlier_detection.max_ejection_percent",
        "Largest share of endpoints out at once. With Envoy's default of 10 nobody is ejected below ten endpoints,\nunless always_eject_one_host is set.",
    ),
    field(
        "retry_policy.num_retries",
        "Attempts after the first. Bounded further by circuit_breakers.max_retries and the request time-out.",
    ),
    field(
        "plane.preset",
        "What the policies of a plane start from: service-connect@2026-01, app-mesh or envoy-default for planes with\nsidecars, alb-default for an ALB, dns-client for DNS. `scsim explain envoy-default` lists its values with their sources.\n[policy] preset = ... does the same for every plane with sidecars.",
    ),
    field(
        "plane.zone_aware",
        "service-connect: prefer tasks of the caller's own zone. On by default since 2026, from two endpoints per zone on;\nfalse is a service that was not redeployed since.",
    ),
    field(
        "plane.outlier_reading",
        "The two readings of \"5 failures in 30 s\": consecutive (default; Envoy's, no window) or window (within 30 s).",
    ),
    field("plane.algorithm", "internal-alb: round_robin (default), least_outstanding_requests or weighted_random."),
    field(
        "plane.anomaly_mitigation",
        "internal-alb, weighted_random only: targets that fail more than their peers get a trickle. Default off.\nNeeds three healthy targets.",
    ),
    field(
        "plane.slow_start",
        "internal-alb, round_robin only: \"30s\" to \"900s\", or slow_start.duration_seconds = 30. A new target's share grows\nin a straight line. Default off.",
    ),
    field(
        "lb_policy",
        "ROUND_ROBIN (default), LEAST_REQUEST, RANDOM, RING_HASH or MAGLEV, each with a table of its own (maglev_lb_config ...).\nHash rules choose at random without a hash, and simulated requests have none.",
    ),
    field(
        "ring_hash_lb_config",
        "minimum_ring_size (default 1024) and maximum_ring_size (default and most 8388608). hash_function XX_HASH only.",
    ),
    field("maglev_lb_config", "table_size: a prime, at most 5000011. Default 65537."),
    field(
        "least_request_lb_config",
        "choice_count (default 2, not less), selection_method N_CHOICES or FULL_SCAN, slow_start_config.\ndistinct = true is scsim's own: draws without replacement.",
    ),
    field(
        "slow_start_config",
        "slow_start_window, aggression (default 1.0), min_weight_percent (default 10): a new endpoint's share grows over the\nwindow. ROUND_ROBIN and LEAST_REQUEST only. An endpoint that returns from ejection does not start slowly.",
    ),
    field(
        "common_lb_config.zone_aware_lb_config",
        "routing_enabled (default 100 %), min_cluster_size (default 6), fail_traffic_on_panic: the caller's zone first.\nfalse switches it off. Not together with locality_weighted_lb_config.",
    ),
    field(
        "common_lb_config.locality_weighted_lb_config",
        "Zones by weight and by how much of each is healthy. An empty table switches it on.",
    ),
    field(
        "common_lb_config.update_merge_window",
        "Health changes within this time of a delivered one are held back and delivered together. Default 1 s; 0s is at once.",
    ),
    field(
        "common_lb_config.healthy_panic_threshold",
        "With less than this share healthy, health is ignored. Default 50 %; 0 is never.",
    ),
    field(
        "overprovisioning_factor",
        "Percent by which the healthy endpoints of a priority may be overloaded before the next gets a part. Default 140.",
    ),
    field(
        "fail_traffic_on_panic",
        "In panic nobody is chosen and the request fails (UH). Default false. Envoy has it in zone_aware_lb_config.",
    ),
    field(
        "retry_policy.retry_on",
        "Conditions, as a list or Envoy's comma-separated string: 5xx, gateway-error, reset, connect-failure, refused-stream,\nretriable-4xx, retriable-status-codes, reset-before-request, retriable-headers, envoy-ratelimited, and gRPC's cancelled,\ndeadline-exceeded, internal, resource-exhausted, unavailable. Empty retries nothing.",
    ),
    field("retry_policy.retriable_status_codes", "The statuses behind retriable-status-codes in retry_on."),
    field(
        "retry_policy.retriable_headers",
        "Answer headers behind retriable-headers: names, or { name, string_match = { exact } }.",
    ),
    field(
        "retry_policy.retriable_request_headers",
        "Without one of these in the request nothing is retried. Simulated requests carry no headers.",
    ),
    field(
        "retry_policy.retry_back_off",
        "base_interval (25 ms) and max_interval (ten times the base, and never less than it). Each wait is drawn uniformly from\nzero to a range that starts at the base and doubles.",
    ),
    field(
        "retry_policy.rate_limited_retry_back_off",
        "reset_headers = [{ name, format = SECONDS or UNIX_TIMESTAMP }] and max_interval (300 s): the answer says how long to wait.",
    ),
    field(
        "retry_policy.retry_host_predicate",
        "previous_hosts: pick again, host_selection_retry_max_attempts times, while the pick was tried before.",
    ),
    field(
        "retry_policy.host_selection_retry_max_attempts",
        "Extra picks while retry_host_predicate rejects. Default 1.",
    ),
    field(
        "retry_policy.retry_priority",
        "previous_priorities: priorities that were tried are left out, every update_frequency attempts.",
    ),
    field(
        "retry_policy.per_try_timeout",
        "Limit of one attempt, from its connection on. Default none; ignored if it is not shorter than timeout.",
    ),
    field("retry_policy.per_try_idle_timeout", "Limit of one attempt without a sign of life. Default none."),
    field(
        "hedge_policy.hedge_on_per_try_timeout",
        "An attempt that passes per_try_timeout is charged but goes on beside its retry; the first good answer wins. Default false.",
    ),
    field(
        "per_request_buffer_limit_bytes",
        "A request with a larger body is not kept, so it is not retried. Default 1 MiB. Newer name: request_body_buffer_limit.",
    ),
    field(
        "circuit_breakers",
        "max_connections, max_pending_requests, max_requests (1024 each), max_retries (3), retry_budget, per router.\nper_host_thresholds = [{ max_connections }] holds for each endpoint. false is no limit at all.",
    ),
    field(
        "circuit_breakers.retry_budget",
        "budget_percent (20 %) and min_retry_concurrency (3): replaces max_retries by a share of what is under way.",
    ),
    field("circuit_breakers.per_host_thresholds", "max_connections to one endpoint; Envoy refuses anything else here."),
    field(
        "preconnect_policy.per_upstream_preconnect_ratio",
        "Connections are made for this many times what is under way and waiting. 1.0 (default) to 3.0.",
    ),
    field(
        "max_connect_attempts",
        "tcp_proxy, for services with protocol tcp: connections tried before a caller gives up. With it each call is a connection of\nits own, as a proxy sees TCP; without it applications keep their connections and use them again.",
    ),
    field(
        "outlier_detection.detect_degraded_hosts",
        "An answer below 500 with x-envoy-degraded makes its endpoint second choice for a while. Default false.",
    ),
    metric(
        "sidecar_cpu_max",
        "Highest share of its processor share that one sidecar was given in a second. 100 % is a saturated sidecar: requests\nand answers wait in it. Does not exist on planes without sidecars.",
    ),
    metric(
        "connections_opened",
        "Connections that were made, between services and through ALB nodes, whole run: as many TCP handshakes, and with\n[network] tls as many of TLS. Over requests: handshakes per request.",
    ),
    metric(
        "keep_alive_races",
        "Requests sent on a connection that the app was just closing (service.keep_alive), whole run. Through an ALB each is\na 502; an application's own client sees a reset, which client_retries repeats.",
    ),
    field(
        "service.keep_alive",
        "How long the app keeps an idle connection before it closes it. Default: it never does. Shorter than the 60 s of an\nALB it makes sporadic 502: a request that is sent within a round trip of the end arrives too late. Sidecars keep\nconnections themselves: no effect behind one.",
    ),
    field(
        "service.service_connect",
        "client-server (default), client (calls and has no endpoint) or none (not enrolled: calls of and to it fail at once, because\nno name resolves). Planes with sidecars only. A server that is not a client does not exist.",
    ),
    field(
        "plane.sidecar",
        "cpu (0.25 vCPU), cpu_per_request (100us), memory (64MiB), memory_base (40MiB), memory_growth (0 B per gRPC request),\nrestart (1s), restarts (3), overhead, drain. Past its share of a processor requests and answers wait in it. At `memory` it is\nkilled; the agent starts it again, and after `restarts` times ECS replaces the task.",
    ),
    field(
        "plane.client",
        "cloud-map-dns: the habits of a platform: jvm, jvm-security-manager, go, node, python, dotnet, nginx, envoy-strict-dns or\ngrpc. Sets resolver_cache, negative_ttl, pick and keep_alive; what is written beside it wins. DNS is asked for a new\nconnection only, whatever the client. That some try the next address at once when one refuses is client_retries' part.",
    ),
    field(
        "plane.resolver_cache",
        "cloud-map-dns: ttl (default), forever, jvm (30 s), none, or a duration that holds whatever the TTL. Each client has a cache\nof its own; the VPC resolver's, which hands out what is left of a TTL, is not modelled.",
    ),
    field(
        "plane.routing",
        "cloud-map-dns: multivalue (default: up to max_answers = 8 records in random order) or weighted (one record).\nWhere none is healthy, all that are registered are answered with.",
    ),
    field(
        "plane.custom_health",
        "cloud-map-dns: ECS tells Cloud Map which tasks are healthy. Default true; with false a task is answered with from the moment\nit is registered, ready or not.",
    ),
    field(
        "plane.cross_zone",
        "internal-alb: nodes send to targets of other zones. Default true. With false a node whose zone has no target answers 503;\nthat DNS then leaves the node out is not modelled.",
    ),
    field(
        "plane.minimum_healthy_targets",
        "internal-alb: with fewer healthy targets than this count, or share (\"50%\"), requests go to all targets. Default 1.",
    ),
    field(
        "strict_envoy",
        "scsim's own: copies what look like mistakes in Envoy 1.40 (ejected twice in one sweep, URX on a hedged 200). Default false.",
    ),
    field(
        "plane.migrate_to",
        "The plane that callers move to, built in or defined, of another kind than this one (sidecars, DNS, an ALB). Both paths are\nlive all along: each task is registered on both, a caller has a router for each with its own list, health and\nconnections, and a task that stops leaves both (out of both, the ALB drained, inbound listeners, SIGTERM, the sidecar last).\nIf one path has sidecars, everything that reaches a task passes its sidecar, whichever path it came.\nWho moves, and when: [[migrate]].",
    ),
    field(
        "migrate",
        "[[migrate]] at, caller = \"web\" or callers = [...], share (100% unless written) or back = true, name (step 1, step 2, ...):\nfrom then on that share of the callers' calls takes the plane's second path (migrate_to); nothing else changes.\nThe flag is asked for each call; who went at 10% goes at 50% as well. `during = \"NAME\"` lasts to the next step.\nPlanes without migrate_to are not touched, so they can stand beside it for comparison.",
    ),
    field(
        "deploy.strategy",
        "rolling (default), blue-green, canary or linear. The last three run both versions in full and shift the traffic:\nSCALE_UP, TEST_TRAFFIC_SHIFT (test_time), PRODUCTION_TRAFFIC_SHIFT, BAKE_TIME, CLEAN_UP. Sidecars hear of a shift as of\nany push, an ALB at once; with DNS there is nothing to shift, and the plane is not applicable.\nA request belongs to one version, and so do its retries.",
    ),
    field(
        "deploy.minimum_healthy_percent",
        "rolling: healthy tasks that stay, of the desired count, rounded up. Default 100. maximum_percent (200): tasks that may\nrun, rounded down.",
    ),
    field(
        "deploy.early_success",
        "rolling: { healthy_percent = 80, cleanup = \"deferred\" or \"blocking\" }: COMPLETED when so many new tasks are healthy\n(blocking: and the old ones have gone). The rest is replaced all the same. Off by default.",
    ),
    field(
        "deploy.bake_time",
        "Time after the last task is replaced, or after the last shift of traffic, in which alarms still count and the old\nversion of a blue-green deployment still runs. blue-green needs one; otherwise 0 by default.",
    ),
    field(
        "deploy.circuit_breaker",
        "true, or { enable, rollback (true), threshold, reset_on_healthy_task (true) }. Counts tasks of the new version that die\nbefore they were ever healthy, or fail their checks. threshold = { percent = 50 } (default: of the desired count, rounded\nup, 3 to 200), { unbounded_percent } or { count }. Then the deployment goes back; rollback = false only stops it.\nA task that dies after it was healthy is not counted, as a crash later than the 40 s without a check is.",
    ),
    field(
        "deploy.alarm",
        "{ error_rate = \"5%\", over = \"60s\", of = \"users\" (default) or \"service\", rollback (true) }: the deployment fails when more\nthan this share failed in one period. Periods begin at multiples of `over`; the first one counts from the deployment on.",
    ),
    field(
        "deploy.rollback_at",
        "The instant at which somebody stops the deployment with ROLLBACK, if it is still under way.",
    ),
    field(
        "deploy.canary_percent",
        "canary: share of the production traffic that shifts first, \"0.1%\" to \"100%\", default 5%. The rest follows after\ncanary_bake_time, default 10m, at most 24h.",
    ),
    field(
        "deploy.step_percent",
        "linear: share of the production traffic that shifts at each step, \"3%\" to \"100%\", default 10%. step_bake_time lies\nbetween two steps, default 6m, at most 24h.",
    ),
    field(
        "deploy.test_time",
        "blue-green, canary, linear: how long test requests alone reach the new version, as a hook on POST_TEST_TRAFFIC_SHIFT\nwould have it. Default 0. test_error_rate = \"1%\" fails the deployment if more of them failed in that time.",
    ),
    field(
        "deploy.settle",
        "blue-green, canary, linear: from the last shift, or the shift back, until tasks without traffic stop, at the least.\nDefault 30s, a guess that covers the pushes. The bake time counts towards it.",
    ),
    field(
        "deploy.change",
        "What the new version changes: latency, errors (a share) with status (500 to 599, default 500), startup,\ncrash_loop (true is \"10s\": it dies that long after RUNNING, every time).",
    ),
    field(
        "load.test",
        "true: these requests carry the test header of blue-green deployments, and so does every call they cause. From\nTEST_TRAFFIC_SHIFT on they reach the new version and nobody else does. Counted by test_requests and test_error_rate only.",
    ),
    field(
        "service.created",
        "When the ECS service is created; its tasks start then. Default: it was there before. On Service Connect and App Mesh\na task knows the names that existed at its own service's last deployment: callers need a new [[deploy]] before they can\nresolve it, and their replacement and scale-out tasks are no different. DNS and ALB names resolve for everybody.",
    ),
    field(
        "service.controller",
        "ECS (default), CODE_DEPLOY or EXTERNAL. Service Connect takes ECS only: with another one the scenario does not load\nwhile a service-connect plane is compared, as ECS would refuse the service.",
    ),
];
