//! Words of `[policy]`: Envoy's fields under Envoy's names.
//!
//! Which names Envoy has besides is in `envoy_fields`; they are understood and refused.

use super::Form;
use super::Key;
use super::Table;
use super::key;
use super::table;
use crate::policy::config::RetryOn;
use crate::scenario::policy::envoy_fields;
use crate::scenario::policy::envoy_fields::Message;
use crate::scenario::policy::rule_names;
use crate::scenario::presets;

const U32: Form = Form::Count(0, u32::MAX as u64);
const I32: Form = Form::Count(0, 2_147_483_647);
const U64: Form = Form::Count(0, u64::MAX);
const TUNABLE: Form = Form::Either(&[Form::Number(-1e9, 1e9), Form::Table("policy.runtime_number")]);
const SLOW: Form = Form::Either(&[Form::Off, Form::Table("policy.slow_start_config")]);
const HEADERS: Form = Form::List(&Form::Either(&[Form::Text, Form::Table("policy.retry_policy.retriable_headers")]));

/// The fields of these messages that `keys` has not.
fn others(keys: &[&[Key]], messages: &[&Message]) -> Vec<&'static str> {
    let modelled = |name: &str| keys.iter().any(|group| group.iter().any(|key| key.name == name));
    let mut names: Vec<&'static str> =
        messages.iter().flat_map(|message| message.fields.iter().copied()).filter(|name| !modelled(name)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

macro_rules! envoys {
    ($name:literal, $about:literal, $keys:expr, $messages:expr) => {
        Table { unmodelled: || others($keys, $messages), ..table($name, $about, $keys) }
    };
}

pub(super) const TABLES: &[Table] = &[
    envoys!(
        "policy",
        "A policy, in Envoy's own names: what Envoy spreads over clusters and routes is written flat.",
        &[POLICY, ROUTING, COMMON_LB],
        envoy_fields::POLICY
    ),
    envoys!("policy.common_lb_config", "What all balancing rules share.", &[COMMON_LB], &[&envoy_fields::COMMON_LB]),
    envoys!("policy.zone_aware_lb_config", "The caller's zone first.", &[ZONE_AWARE], &[&envoy_fields::ZONE_AWARE]),
    envoys!(
        "policy.locality_weighted_lb_config",
        "Zones by weight and health. An empty table switches it on.",
        &[],
        &[&envoy_fields::LOCALITY_WEIGHTED]
    ),
    envoys!("policy.round_robin_lb_config", "Settings of ROUND_ROBIN.", &[SLOW_START], &[&envoy_fields::ROUND_ROBIN]),
    envoys!(
        "policy.least_request_lb_config",
        "Settings of LEAST_REQUEST.",
        &[LEAST_REQUEST, SLOW_START],
        &[&envoy_fields::LEAST_REQUEST]
    ),
    envoys!("policy.ring_hash_lb_config", "Settings of RING_HASH.", &[RING_HASH], &[&envoy_fields::RING_HASH]),
    envoys!("policy.maglev_lb_config", "Settings of MAGLEV.", &[MAGLEV], &[&envoy_fields::MAGLEV]),
    envoys!(
        "policy.slow_start_config",
        "A new endpoint's share grows over a window.",
        &[RAMP],
        &[&envoy_fields::SLOW_START]
    ),
    envoys!("policy.retry_policy", "What is tried again, and how often.", &[RETRY], &[&envoy_fields::RETRY]),
    Table {
        needs: &["base_interval"],
        ..envoys!(
            "policy.retry_policy.retry_back_off",
            "Waits between attempts.",
            &[BACK_OFF],
            &[&envoy_fields::BACK_OFF]
        )
    },
    envoys!(
        "policy.retry_policy.rate_limited_retry_back_off",
        "The answer says how long to wait.",
        &[LIMITED],
        &[&envoy_fields::RATE_LIMITED]
    ),
    Table {
        needs: &["name"],
        ..envoys!(
            "policy.retry_policy.reset_headers",
            "A header that says how long.",
            &[RESET],
            &[&envoy_fields::RESET_HEADER]
        )
    },
    envoys!(
        "policy.retry_policy.retry_priority",
        "Priorities that were tried are left out.",
        &[PRIORITY],
        &[&envoy_fields::PREVIOUS_PRIORITIES]
    ),
    envoys!(
        "policy.retry_policy.retry_priority.typed_config",
        "The extension's own settings.",
        &[TYPED],
        &[&envoy_fields::PREVIOUS_PRIORITIES]
    ),
    Table {
        needs: &["name"],
        ..envoys!("policy.retry_policy.retriable_headers", "A header to match.", &[HEADER], &[&envoy_fields::HEADER])
    },
    envoys!("policy.hedge_policy", "A second attempt beside the first.", &[HEDGE], &[&envoy_fields::HEDGE]),
    envoys!("policy.outlier_detection", "When an endpoint is ejected.", &[OUTLIER], &[&envoy_fields::OUTLIER]),
    envoys!(
        "policy.circuit_breakers",
        "Limits of one router towards one service. Written flat, or as Envoy's `thresholds`.",
        &[BREAKERS, THRESHOLDS],
        &[&envoy_fields::BREAKERS, &envoy_fields::THRESHOLDS]
    ),
    envoys!(
        "policy.circuit_breakers.thresholds",
        "Limits of one priority; DEFAULT is the only one.",
        &[PRIORITIES, THRESHOLDS],
        &[&envoy_fields::THRESHOLDS]
    ),
    table("policy.circuit_breakers.per_host_thresholds", "Limits towards one endpoint.", &[PRIORITIES, PER_HOST]),
    envoys!(
        "policy.circuit_breakers.retry_budget",
        "Retries as a share of what is under way, in place of max_retries.",
        &[BUDGET],
        &[&envoy_fields::BUDGET]
    ),
    Table {
        needs: &["interval", "timeout", "healthy_threshold", "unhealthy_threshold"],
        ..envoys!("policy.health_check", "Active checks by the proxy.", &[PROBES], &[&envoy_fields::HEALTH_CHECK])
    },
    envoys!(
        "policy.common_http_protocol_options",
        "Settings of HTTP connections.",
        &[HTTP, PER_CONNECTION],
        &[&envoy_fields::COMMON_HTTP]
    ),
    envoys!("policy.http2_protocol_options", "Settings of HTTP/2.", &[HTTP2], &[&envoy_fields::HTTP2]),
    envoys!("policy.tcp_proxy", "Settings of services with protocol tcp.", &[TCP], &[&envoy_fields::TCP_PROXY]),
    envoys!(
        "policy.preconnect_policy",
        "Connections made before they are needed.",
        &[PRECONNECT],
        &[&envoy_fields::PRECONNECT]
    ),
    table("policy.runtime_number", "A number that Envoy may change at run time; here its default counts.", &[RUNTIME])
        .needs(&["default_value"]),
];

fn conditions() -> Vec<&'static str> {
    RetryOn::NAMES.iter().map(|(name, _)| *name).collect()
}

const POLICY: &[Key] = &[
    key("preset", Form::Known(presets::names_of_proxies), "the plane's own", "The named set of values to start from."),
    key("timeout", Form::Span, "15s", "Limit of a request with all its attempts; 0s is none."),
    key("idle_timeout", Form::Span, "1h; service-connect: 5m", "How long an idle connection is kept; 0s is forever."),
    key("connect_timeout", Form::Span, "5s", "Limit of an attempt to connect."),
    key("strict_envoy", Form::Truth, "false", "scsim's own: copies what look like mistakes in Envoy 1.40."),
    key(
        "outlier_reading",
        Form::Words(&["consecutive", "window"]),
        "consecutive",
        "scsim's own: failures in a row (Envoy's), or within 30 s.",
    ),
    key(
        "retry_policy",
        Form::Either(&[Form::Off, Form::Table("policy.retry_policy")]),
        "none; service-connect: 2 retries",
        "What is tried again. `false` retries nothing.",
    ),
    key(
        "outlier_detection",
        Form::Either(&[Form::Off, Form::Table("policy.outlier_detection")]),
        "none; service-connect: 5 in a row",
        "When an endpoint is ejected. `false` ejects nobody.",
    ),
    key(
        "circuit_breakers",
        Form::Either(&[Form::Off, Form::Table("policy.circuit_breakers")]),
        "1024, 1024, 1024, 3; service-connect: no limit",
        "Limits of one router towards one service. `false` is no limit.",
    ),
    key(
        "health_check",
        Form::Either(&[Form::Off, Form::Table("policy.health_check")]),
        "none",
        "Active checks by the proxy.",
    ),
    key(
        "hedge_policy",
        Form::Either(&[Form::Off, Form::Table("policy.hedge_policy")]),
        "none",
        "A second attempt beside the first.",
    ),
    key("max_requests_per_connection", U32, "0, no limit", "A connection is closed after so many requests."),
    key("max_concurrent_streams", I32, "1024", "Requests at once on one HTTP/2 connection."),
    key("max_connect_attempts", U32, "1", "protocol tcp: connections tried before a caller gives up."),
    key("common_http_protocol_options", Form::Table("policy.common_http_protocol_options"), "", "HTTP connections."),
    key("http2_protocol_options", Form::Table("policy.http2_protocol_options"), "", "HTTP/2 connections."),
    key("tcp_proxy", Form::Table("policy.tcp_proxy"), "", "Services with protocol tcp."),
    key("preconnect_policy", Form::Table("policy.preconnect_policy"), "", "Connections before they are needed."),
    key(
        "per_request_buffer_limit_bytes",
        Form::Either(&[U64, Form::Size]),
        "1MiB",
        "A request with a larger body is not kept, so it is not retried.",
    ),
    key(
        "request_body_buffer_limit",
        Form::Either(&[U64, Form::Size]),
        "1MiB",
        "The newer name of per_request_buffer_limit_bytes.",
    ),
];

const ROUTING: &[Key] = &[
    key("lb_policy", Form::Known(rule_names), "ROUND_ROBIN", "Who of the healthy endpoints gets a request."),
    key("least_request_lb_config", Form::Table("policy.least_request_lb_config"), "", "Settings of LEAST_REQUEST."),
    key("ring_hash_lb_config", Form::Table("policy.ring_hash_lb_config"), "", "Settings of RING_HASH."),
    key("maglev_lb_config", Form::Table("policy.maglev_lb_config"), "", "Settings of MAGLEV."),
    key("round_robin_lb_config", Form::Table("policy.round_robin_lb_config"), "", "Settings of ROUND_ROBIN."),
    key("slow_start_config", SLOW, "none", "A new endpoint's share grows over a window. `false` is none."),
    key("common_lb_config", Form::Table("policy.common_lb_config"), "", "What all balancing rules share."),
    key(
        "overprovisioning_factor",
        U32,
        "140",
        "Percent by which healthy endpoints may be overloaded before the next priority gets a part.",
    ),
    key("fail_traffic_on_panic", Form::Truth, "false", "In panic nobody is chosen and the request fails (UH)."),
];

const SLOW_START: &[Key] = &[key("slow_start_config", SLOW, "none", "A new endpoint's share grows over a window.")];

const COMMON_LB: &[Key] = &[
    key(
        "healthy_panic_threshold",
        Form::Percent,
        "50%",
        "With less than this share healthy, health is ignored; 0 never.",
    ),
    key("update_merge_window", Form::Span, "1s", "Health changes within it are delivered together; 0s is at once."),
    key(
        "zone_aware_lb_config",
        Form::Either(&[Form::Off, Form::Table("policy.zone_aware_lb_config")]),
        "none; service-connect: on",
        "The caller's zone first. `false` is none.",
    ),
    key(
        "locality_weighted_lb_config",
        Form::Either(&[Form::Off, Form::Table("policy.locality_weighted_lb_config")]),
        "none",
        "Zones by weight and health.",
    ),
];

const ZONE_AWARE: &[Key] = &[
    key("routing_enabled", Form::Percent, "100%", "Share of requests that it rules."),
    key("min_cluster_size", U64, "6", "Fewest endpoints for it to be in force."),
    key("fail_traffic_on_panic", Form::Truth, "false", "In panic nobody is chosen and the request fails (UH)."),
];

const LEAST_REQUEST: &[Key] = &[
    key("choice_count", Form::Count(0, 1_000), "2", "Endpoints drawn, of which the one with the fewest requests wins."),
    key("selection_method", Form::Words(&["N_CHOICES", "FULL_SCAN"]), "N_CHOICES", "Drawn, or all of them looked at."),
    key("distinct", Form::Truth, "false", "scsim's own: draws without replacement."),
    key("active_request_bias", TUNABLE, "1.0", "Only 1.0 is modelled."),
];

const RING_HASH: &[Key] = &[
    key("minimum_ring_size", U64, "1024", "Fewest entries of the ring."),
    key("maximum_ring_size", U64, "8388608", "Most entries of the ring."),
    key("hash_function", Form::Words(&["XX_HASH", "MURMUR_HASH_2"]), "XX_HASH", "Only XX_HASH is modelled."),
];

const MAGLEV: &[Key] = &[key("table_size", U64, "65537", "Entries of the table: a prime, at most 5000011.")];

const RAMP: &[Key] = &[
    key("slow_start_window", Form::Span, "", "Length of the window; without it there is no slow start."),
    key("aggression", TUNABLE, "1.0", "Shape of the ramp; 1.0 is a straight line."),
    key("min_weight_percent", Form::Percent, "10%", "Share that a new endpoint begins with."),
];

const RETRY: &[Key] = &[
    key(
        "retry_on",
        Form::Either(&[Form::Text, Form::List(&Form::Known(conditions))]),
        "nothing",
        "Conditions, as a list or as Envoy's comma-separated text.",
    ),
    key(
        "retriable_status_codes",
        Form::List(&Form::Count(100, 599)),
        "none; service-connect: 503",
        "The statuses behind retriable-status-codes.",
    ),
    key("num_retries", U32, "1; service-connect: 2", "Attempts after the first."),
    key("host_selection_retry_max_attempts", Form::Count(0, 1_000), "1", "Extra picks while a predicate rejects."),
    key(
        "retry_host_predicate",
        Form::Anything,
        "none; service-connect: previous_hosts",
        "previous_hosts: pick again while the pick was tried before.",
    ),
    key(
        "retry_priority",
        Form::Either(&[Form::Off, Form::Table("policy.retry_policy.retry_priority")]),
        "none",
        "previous_priorities: priorities that were tried are left out.",
    ),
    key("retriable_headers", HEADERS, "none", "Answer headers behind retriable-headers."),
    key("retriable_request_headers", HEADERS, "none", "Without one of these in the request nothing is retried."),
    key(
        "rate_limited_retry_back_off",
        Form::Either(&[Form::Off, Form::Table("policy.retry_policy.rate_limited_retry_back_off")]),
        "none",
        "The answer says how long to wait.",
    ),
    key(
        "retry_back_off",
        Form::Table("policy.retry_policy.retry_back_off"),
        "25ms to 250ms",
        "Waits between attempts.",
    ),
    key("per_try_timeout", Form::Span, "none", "Limit of one attempt."),
    key("per_try_idle_timeout", Form::Span, "none", "Limit of one attempt without a sign of life."),
];

const BACK_OFF: &[Key] = &[
    key("base_interval", Form::Span, "25ms", "The first wait is drawn from zero to this."),
    key("max_interval", Form::Span, "ten times the base", "The range doubles up to this."),
];

const LIMITED: &[Key] = &[
    key(
        "reset_headers",
        Form::List(&Form::Table("policy.retry_policy.reset_headers")),
        "",
        "Headers that say how long.",
    ),
    key("max_interval", Form::Span, "300s", "A longer wait is not believed."),
];

const RESET: &[Key] = &[
    key("name", Form::Text, "", "The header."),
    key("format", Form::Words(&["SECONDS", "UNIX_TIMESTAMP"]), "SECONDS", "What it holds."),
];

const PRIORITY: &[Key] = &[
    key("name", Form::Text, "previous_priorities", "The extension."),
    key("update_frequency", I32, "", "After so many attempts."),
    key(
        "typed_config",
        Form::Table("policy.retry_policy.retry_priority.typed_config"),
        "",
        "The extension's settings.",
    ),
];

const TYPED: &[Key] = &[
    key("@type", Form::Anything, "", "Envoy's name for the type of this table."),
    key("update_frequency", I32, "", "After so many attempts."),
];

const HEADER: &[Key] = &[
    key("name", Form::Text, "", "The header."),
    key("exact_match", Form::Text, "any value", "Its value."),
    key("present_match", Form::Truth, "true", "It is there; false is not modelled."),
    key("string_match", Form::Anything, "any value", "{ exact = \"...\" }: its value."),
];

const HEDGE: &[Key] = &[
    key(
        "hedge_on_per_try_timeout",
        Form::Truth,
        "false",
        "An attempt that passes per_try_timeout goes on beside its retry; the first good answer wins.",
    ),
    key("initial_requests", U32, "1", "Only 1 is modelled."),
    key("additional_request_chance", Form::Anything, "0", "Only 0 is modelled."),
];

const OUTLIER: &[Key] = &[
    key("consecutive_5xx", U32, "5", "Answers of 500 and above in a row that eject; 0 switches it off."),
    key("consecutive_gateway_failure", U32, "5", "Answers of 502, 503 and 504 in a row that eject."),
    key("consecutive_local_origin_failure", U32, "5", "Failures without an answer in a row, where they are split off."),
    key(
        "success_rate_minimum_hosts",
        U32,
        "5",
        "Fewest endpoints with enough requests for success rates to be compared.",
    ),
    key("success_rate_request_volume", U32, "100", "Fewest requests of an endpoint in one interval."),
    key("success_rate_stdev_factor", U32, "1900", "Thousandths of a standard deviation below the mean that eject."),
    key("failure_percentage_minimum_hosts", U32, "5", "As success_rate_minimum_hosts, for failure percentages."),
    key("failure_percentage_request_volume", U32, "50", "As success_rate_request_volume, for failure percentages."),
    key("enforcing_consecutive_5xx", Form::Percent, "100%", "Chance that it is acted upon."),
    key("enforcing_consecutive_gateway_failure", Form::Percent, "0%", "Chance that it is acted upon."),
    key("enforcing_consecutive_local_origin_failure", Form::Percent, "100%", "Chance that it is acted upon."),
    key("enforcing_success_rate", Form::Percent, "100%; service-connect: 0%", "Chance that it is acted upon."),
    key(
        "enforcing_local_origin_success_rate",
        Form::Percent,
        "100%; service-connect: 0%",
        "Chance that it is acted upon.",
    ),
    key("enforcing_failure_percentage", Form::Percent, "0%", "Chance that it is acted upon."),
    key("enforcing_failure_percentage_local_origin", Form::Percent, "0%", "Chance that it is acted upon."),
    key("failure_percentage_threshold", Form::Percent, "85%", "Share of failures in one interval that ejects."),
    key("max_ejection_percent", Form::Percent, "10%", "Largest share of endpoints out at once."),
    key("split_external_local_origin_errors", Form::Truth, "false", "Failures without an answer are counted apart."),
    key("always_eject_one_host", Form::Truth, "false; service-connect: true", "One may be ejected whatever the share."),
    key("detect_degraded_hosts", Form::Truth, "false", "x-envoy-degraded makes an endpoint second choice."),
    key(
        "successful_active_health_check_uneject_host",
        Form::Truth,
        "true",
        "An ejected endpoint returns when an active check passes.",
    ),
    key("interval", Form::Span, "10s; service-connect: 30s", "Time between sweeps; who is ejected returns at a sweep."),
    key("base_ejection_time", Form::Span, "30s", "Length of the first ejection; the nth lasts n times as long."),
    key("max_ejection_time", Form::Span, "300s", "Longest ejection."),
    key("max_ejection_time_jitter", Form::Span, "0s", "Random time on top of an ejection."),
];

const BREAKERS: &[Key] = &[
    key(
        "thresholds",
        Form::List(&Form::Table("policy.circuit_breakers.thresholds")),
        "",
        "Envoy's shape: a list with one table, for the default priority.",
    ),
    key(
        "per_host_thresholds",
        Form::List(&Form::Table("policy.circuit_breakers.per_host_thresholds")),
        "",
        "Limits towards one endpoint.",
    ),
];

const THRESHOLDS: &[Key] = &[
    key("max_connections", U32, "1024", "Connections of one router to one service."),
    key("max_pending_requests", U32, "1024", "Requests that wait for a connection."),
    key("max_requests", U32, "1024", "Requests under way."),
    key("max_retries", U32, "3", "Retries under way."),
    key(
        "retry_budget",
        Form::Table("policy.circuit_breakers.retry_budget"),
        "none",
        "A share in place of max_retries.",
    ),
    key("track_remaining", Form::Truth, "false", "Statistics only; it changes nothing here."),
];

const PRIORITIES: &[Key] = &[key("priority", Form::Words(&["DEFAULT"]), "DEFAULT", "The only one that is modelled.")];
const PER_HOST: &[Key] = &[key("max_connections", U32, "no limit", "Connections of one router to one endpoint.")];

const BUDGET: &[Key] = &[
    key("budget_percent", Form::Percent, "20%", "Retries as a share of what is under way."),
    key("min_retry_concurrency", U32, "3", "So many retries are always allowed."),
];

const PROBES: &[Key] = &[
    key("interval", Form::Span, "", "From one check to the next."),
    key("timeout", Form::Span, "", "A check that takes longer has failed."),
    key("healthy_threshold", U32, "", "Good checks in a row until healthy."),
    key("unhealthy_threshold", U32, "", "Failed checks in a row until unhealthy."),
    key("path", Form::Anything, "none", "For the reader; a model needs none."),
    key("http_health_check", Form::Anything, "none", "For the reader; a model needs none."),
];

const HTTP: &[Key] = &[key("idle_timeout", Form::Span, "1h", "How long an idle connection is kept; 0s is forever.")];
const PER_CONNECTION: &[Key] =
    &[key("max_requests_per_connection", U32, "0, no limit", "A connection is closed after so many requests.")];
const HTTP2: &[Key] = &[key("max_concurrent_streams", I32, "1024", "Requests at once on one HTTP/2 connection.")];
const TCP: &[Key] = &[key("max_connect_attempts", U32, "1", "Connections tried before a caller gives up.")];

const PRECONNECT: &[Key] = &[
    key(
        "per_upstream_preconnect_ratio",
        Form::Number(0.0, 1e6),
        "1.0",
        "Connections for so many times what is under way and waiting, 1.0 to 3.0.",
    ),
    key("predictive_preconnect_ratio", Form::Number(0.0, 1e6), "1.0", "Only 1.0 is modelled."),
];

const RUNTIME: &[Key] = &[
    key("default_value", Form::Number(-1e9, 1e9), "", "The number."),
    key("runtime_key", Form::Anything, "", "The name under which Envoy could change it."),
];
