//! Envoy's field names onto [`PolicyConfig`]: `[policy]`, `policy.*` of a plane, `[edge."a->b"]`.
//!
//! *Knows* which Envoy fields there are, which are modelled and which values change nothing.
//! *Does not know* to which planes a table applies.
//! Invariant: no field of Envoy is passed over in silence; it is applied, harmless, or an error.

mod parts;

use crate::diagnostic::Severity;
use crate::policy::PolicyConfig;
use crate::policy::config::CircuitBreakers;
use crate::policy::config::LbPolicy;
use crate::policy::config::LeastRequest;
use crate::policy::config::OutlierReading;
use crate::policy::config::Panic;
use crate::policy::config::PoolProtocol;
use crate::policy::config::RetryOn;
use crate::policy::config::RetryPolicy;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::table::at;
use crate::scenario::tree::Node;
use crate::scenario::tree::Place;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::units::Ratio;
use crate::units::Span;

/// Window of the AWS wording of outlier detection (aws.md 1.2).
const OUTLIER_WINDOW: Span = Span::from_secs(30);

type Change = Box<dyn Fn(&mut PolicyConfig)>;

/// Sets one number of a part of the policy.
type Number<T> = fn(&mut T, u32);

/// What one table changes in a policy.
#[derive(Default)]
pub struct Patch {
    changes: Vec<Change>,
    places: Vec<(String, Place)>,
}

impl Patch {
    /// Makes the changes.
    pub fn apply(&self, config: &mut PolicyConfig) {
        for change in &self.changes {
            change(config);
        }
    }
    /// True if it sets more than the two limits that Service Connect lets one set.
    pub fn tunes(&self) -> bool {
        self.places.iter().any(|(name, _)| name != "timeout" && name != "idle_timeout" && !name.starts_with("x_"))
    }
    /// Where a field of Envoy's is set.
    pub fn place_exactly(&self, field: &str) -> Option<&Place> {
        self.places.iter().rev().find(|(name, _)| name == field).map(|(_, place)| place)
    }
    /// Where a field of Envoy's is set, the nearest table around it otherwise.
    pub fn place_of(&self, field: &str) -> Option<&Place> {
        let mut path = field;
        loop {
            if let Some(place) = self.place_exactly(path) {
                return Some(place);
            }
            path = path.rsplit_once('.')?.0;
        }
    }
    /// Adds one change.
    pub fn push(&mut self, change: impl Fn(&mut PolicyConfig) + 'static) {
        self.changes.push(Box::new(change));
    }
}

/// Reads a table of Envoy's fields.
pub fn read(table: &Table, what: &str, place: &Place, problems: &mut Problems<'_>) -> Patch {
    let mut patch = Patch::default();
    record_places(table, "", &mut patch.places);
    let mut reader = Reader::new(table, what, place);
    if let Some(span) = reader.span("timeout", problems) {
        patch.push(move |config| config.timeouts.request = unlimited(span));
    }
    if let Some(span) = reader.span("idle_timeout", problems) {
        patch.push(move |config| config.timeouts.idle = unlimited(span));
    }
    if let Some(span) = reader.span("connect_timeout", problems) {
        patch.push(move |config| config.timeouts.connect = unlimited(span));
    }
    if let Some(reading) = outlier_reading(&mut reader, problems) {
        patch.push(move |config| {
            if let Some(od) = &mut config.outlier_detection {
                od.reading = reading;
            }
        });
    }
    balancing(&mut reader, &mut patch, problems);
    if let Some(node) = reader.get("common_lb_config")
        && let Some(mut inner) = Reader::of(node, "common_lb_config", problems)
    {
        common(&mut inner, &mut patch, problems);
        finish(&inner, "common_lb_config.", problems);
    }
    common(&mut reader, &mut patch, problems);
    if let Some(n) = reader.count("max_requests_per_connection", 0..=u64::from(u32::MAX), problems) {
        patch.push(move |config| config.pool.max_requests_per_connection = n as u32);
    }
    if let Some(n) = reader.count("max_concurrent_streams", 1..=u64::from(u32::MAX), problems) {
        patch.push(move |config| {
            if let PoolProtocol::Http2 { max_concurrent_streams } = &mut config.pool.protocol {
                *max_concurrent_streams = n as u32;
            }
        });
    }
    section(&mut reader, "retry_policy", |c| c.retry_policy = None, retries, &mut patch, problems);
    section(&mut reader, "outlier_detection", |c| c.outlier_detection = None, parts::outliers, &mut patch, problems);
    section(
        &mut reader,
        "circuit_breakers",
        |c| c.circuit_breakers = CircuitBreakers::UNLIMITED,
        parts::breakers,
        &mut patch,
        problems,
    );
    section(&mut reader, "health_check", |c| c.health_check = None, parts::probes, &mut patch, problems);
    finish(&reader, "", problems);
    patch
}

/// `outlier_reading`, which is scsim's own: how the failures of `outlier_detection` are counted.
pub fn outlier_reading(reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> Option<OutlierReading> {
    let words = [("consecutive", OutlierReading::Consecutive), ("window", OutlierReading::Window(OUTLIER_WINDOW))];
    reader.word("outlier_reading", &words, problems)
}

/// A table of fields, or `false` to switch the whole off.
fn section(
    reader: &mut Reader<'_>,
    key: &'static str,
    off: fn(&mut PolicyConfig),
    read: fn(&mut Reader<'_>, &mut Patch, &mut Problems<'_>),
    patch: &mut Patch,
    problems: &mut Problems<'_>,
) {
    let Some(node) = reader.get(key) else { return };
    if node.value == Value::Bool(false) {
        patch.push(off);
        return;
    }
    let Some(mut inner) = Reader::of(node, key, problems) else { return };
    read(&mut inner, patch, problems);
    finish(&inner, &format!("{key}."), problems);
}

/// In Envoy a time limit of zero is none.
fn unlimited(span: Span) -> Span {
    if span.is_zero() { Span::MAX } else { span }
}

fn record_places(table: &Table, prefix: &str, places: &mut Vec<(String, Place)>) {
    for (key, entry) in &table.entries {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match &entry.node.value {
            Value::Table(inner) => {
                places.push((path.clone(), entry.key.clone()));
                record_places(inner, &path, places);
            }
            _ => places.push((path, entry.node.place.clone())),
        }
    }
}

fn common(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    if let Some(share) = reader.get("healthy_panic_threshold").and_then(|node| percent(node, problems)) {
        let panic = if share == Ratio::ZERO { Panic::Never } else { Panic::Below(share) };
        patch.push(move |config| config.panic = panic);
    }
    if let Some(span) = reader.span("update_merge_window", problems) {
        patch.push(move |config| config.update_merge_window = span);
    }
}

fn balancing(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    if let Some(node) = reader.get("lb_policy")
        && let Some(name) = value::text(node, problems)
    {
        let policy = match name {
            "ROUND_ROBIN" => Some(LbPolicy::RoundRobin),
            "RANDOM" => Some(LbPolicy::Random),
            // Two choices is Envoy's default.
            "LEAST_REQUEST" => Some(LbPolicy::LeastRequest(LeastRequest::Choices(2))),
            "RING_HASH" | "MAGLEV" | "CLUSTER_PROVIDED" | "LOAD_BALANCING_POLICY_CONFIG" => {
                not_modelled(&node.place, &format!("lb_policy {name}"), problems);
                None
            }
            _ => {
                let names = ["ROUND_ROBIN", "RANDOM", "LEAST_REQUEST"];
                let label = format!("one of {}", names.join(", "));
                problems.error("policy::lb-policy", &node.place, format!("Envoy has no lb_policy `{name}`"), label);
                None
            }
        };
        if let Some(policy) = policy {
            patch.push(move |config| config.lb_policy = policy);
        }
    }
    let Some(node) = reader.get("least_request_lb_config") else { return };
    let Some(mut inner) = Reader::of(node, "least_request_lb_config", problems) else { return };
    let choices = inner.count("choice_count", 0..=1_000, problems).map(|n| n as u32);
    let full = inner.word("selection_method", &[("N_CHOICES", false), ("FULL_SCAN", true)], problems).unwrap_or(false);
    // scsim's own: what the literature calls power of d choices draws without replacement.
    let distinct = inner.truth("distinct", problems).unwrap_or(false);
    finish(&inner, "least_request_lb_config.", problems);
    patch.push(move |config| {
        if let LbPolicy::LeastRequest(how) = &mut config.lb_policy {
            let n = choices.unwrap_or(2);
            *how = match (full, distinct) {
                (true, _) => LeastRequest::FullScan,
                (false, true) => LeastRequest::DistinctChoices(n),
                (false, false) => LeastRequest::Choices(n),
            };
        }
    });
}

fn retries(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    patch.push(|config| {
        config.retry_policy.get_or_insert_with(RetryPolicy::envoy_default);
    });
    let mut set = |change: Box<dyn Fn(&mut RetryPolicy)>| {
        patch.push(move |config| change(config.retry_policy.get_or_insert_with(RetryPolicy::envoy_default)));
    };
    if let Some(on) = reader.get("retry_on").and_then(|node| retry_on(node, problems)) {
        set(Box::new(move |retry| retry.retry_on = on));
    }
    if let Some(node) = reader.get("retriable_status_codes") {
        let items = value::list(node, problems).unwrap_or(&[]);
        let codes: Vec<u16> =
            items.iter().filter_map(|item| value::count(item, 100..=599, problems)).map(|code| code as u16).collect();
        set(Box::new(move |retry| retry.retriable_status_codes.clone_from(&codes)));
    }
    if let Some(n) = reader.count("num_retries", 0..=u64::from(u32::MAX), problems) {
        set(Box::new(move |retry| retry.num_retries = n as u32));
    }
    if let Some(n) = reader.count("host_selection_retry_max_attempts", 0..=1_000, problems) {
        set(Box::new(move |retry| retry.host_selection_retry_max_attempts = n as u32));
    }
    if let Some(avoids) = reader.get("retry_host_predicate").and_then(|node| host_predicate(node, problems)) {
        set(Box::new(move |retry| retry.previous_hosts = avoids));
    }
    if let Some(node) = reader.get("retry_back_off")
        && let Some(mut inner) = Reader::of(node, "retry_back_off", problems)
    {
        let base = inner.span("base_interval", problems);
        let most = inner.span("max_interval", problems);
        finish(&inner, "retry_policy.retry_back_off.", problems);
        set(Box::new(move |retry| {
            if let Some(base) = base {
                retry.base_interval = base;
                // Envoy's default is ten times the base.
                retry.max_interval = base.times(10);
            }
            retry.max_interval = most.unwrap_or(retry.max_interval);
        }));
    }
    if let Some(span) = reader.span("per_try_timeout", problems) {
        patch.push(move |config| config.timeouts.per_try = unlimited(span));
    }
    if let Some(span) = reader.span("per_try_idle_timeout", problems)
        && !span.is_zero()
    {
        not_modelled(reader.key_place("per_try_idle_timeout"), "per_try_idle_timeout", problems);
    }
}

/// `retry_on`: a list of conditions, or Envoy's own comma-separated string.
fn retry_on(node: &Node, problems: &mut Problems<'_>) -> Option<RetryOn> {
    let mut names: Vec<(&str, &Place)> = Vec::new();
    match &node.value {
        Value::Text(text) => names.extend(text.split(',').map(|name| (name.trim(), &node.place))),
        _ => {
            for item in value::list(node, problems)? {
                names.push((value::text(item, problems)?.trim(), &item.place));
            }
        }
    }
    let mut set = RetryOn::NONE;
    for (name, place) in names {
        let elsewhere = [
            "envoy-ratelimited",
            "retriable-headers",
            "http3-post-connect-failure",
            "cancelled",
            "deadline-exceeded",
            "internal",
            "resource-exhausted",
            "unavailable",
        ];
        match RetryOn::named(name) {
            Some(condition) => set = set.with(condition),
            None if name.is_empty() => {}
            None if elsewhere.contains(&name) => not_modelled(place, &format!("retry_on {name}"), problems),
            None => {
                let known = RetryOn::NAMES.map(|(name, _)| name);
                let label = match crate::diagnostic::nearest(name, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("one of {}", known.join(", ")),
                };
                problems.error("policy::retry-on", place, format!("Envoy has no retry condition `{name}`"), label);
            }
        }
    }
    Some(set)
}

fn host_predicate(node: &Node, problems: &mut Problems<'_>) -> Option<bool> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut avoids = false;
    for item in items {
        let name = match &item.value {
            Value::Table(table) => table.get("name").and_then(|name| value::text(name, problems))?,
            _ => value::text(item, problems)?,
        };
        match name.trim_start_matches("envoy.retry_host_predicates.") {
            "previous_hosts" => avoids = true,
            other => not_modelled(&item.place, &format!("retry_host_predicate {other}"), problems),
        }
    }
    Some(avoids)
}

/// A percentage: "50%", Envoy's whole number 50, or Envoy's `{ value = 50 }`.
fn percent(node: &Node, problems: &mut Problems<'_>) -> Option<Ratio> {
    let number = match &node.value {
        Value::Table(table) => table.get("value")?,
        _ => node,
    };
    match &number.value {
        Value::Whole(_) | Value::Float(_) => {
            let share = value::number(number, 0.0..=100.0, problems)?;
            Some(Ratio::from_ppm((share * 10_000.0 + 0.5) as u32))
        }
        _ => value::ratio(number, problems),
    }
}

/// Fields that exist in Envoy and that scsim has no model for.
const ELSEWHERE: [&str; 27] = [
    "detect_degraded_hosts",
    "hedge_policy",
    "retry_priority",
    "rate_limited_retry_back_off",
    "retriable_headers",
    "retriable_request_headers",
    "retry_options_predicates",
    "ring_hash_lb_config",
    "maglev_lb_config",
    "round_robin_lb_config",
    "slow_start_config",
    "zone_aware_lb_config",
    "locality_weighted_lb_config",
    "consistent_hashing_lb_config",
    "ignore_new_hosts_until_first_hc",
    "close_connections_on_host_set_change",
    "override_host_status",
    "lb_subset_config",
    "max_stream_duration",
    "stream_idle_timeout",
    "max_connection_duration",
    "max_connection_pools",
    "per_host_thresholds",
    "preconnect_policy",
    "monitors",
    "active_request_bias",
    "budget_interval",
];

/// Reports the keys that are left: unknown to Envoy, or known and not modelled.
fn finish(reader: &Reader<'_>, prefix: &str, problems: &mut Problems<'_>) {
    for (key, entry) in reader.leftovers() {
        let field = format!("{prefix}{key}");
        if ELSEWHERE.contains(&key) {
            if !harmless(&entry.node.value) {
                not_modelled(&entry.key, &field, problems);
            }
            continue;
        }
        let label = match key {
            "consecutive_errors" => "use `consecutive_5xx` or `consecutive_gateway_failure`".to_owned(),
            "max_retries" | "retries" if prefix == "retry_policy." => "use `num_retries`".to_owned(),
            _ => reader.advice(key, problems),
        };
        let mut found = at(Severity::Error, "policy::unknown-field", &entry.key, format!("Envoy has no `{field}`"))
            .with_label(label);
        if prefix == "outlier_detection." || prefix == "retry_policy." {
            found.note = Some(
                "Service Connect does not let you set this today (aws/containers-roadmap#1963);\n\
                 the plane will be labelled \"tuned\", not \"service-connect\""
                    .to_owned(),
            );
        }
        problems.push(found);
    }
}

/// A value that switches its field off.
fn harmless(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => !truth,
        Value::Table(table) => table.entries.values().all(|entry| harmless(&entry.node.value)),
        Value::List(items) => items.is_empty(),
        Value::Text(text) => matches!(text.as_str(), "0s" | "0ms" | "0%"),
        Value::Whole(number) => *number == Some(0),
        Value::Float(_) | Value::Date => false,
    }
}

fn not_modelled(place: &Place, what: &str, problems: &mut Problems<'_>) {
    problems.push(
        at(Severity::Error, "policy::not-modelled", place, format!("scsim does not model `{what}` yet"))
            .with_label("Envoy would act on this; a result without it would mislead")
            .with_help("take it out, or rename the key to x_... to keep it as a note"),
    );
}
