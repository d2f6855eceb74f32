//! Settings that Envoy loads and that do not do what one expects of them together.
//!
//! *Knows* where two fields, or a field and the size of a service, cancel out. *Does not know*
//! fields that Envoy rejects; that is `policy::config::check`. Only what a file sets is remarked on:
//! nobody is warned of a preset.

use crate::policy::PolicyConfig;
use crate::policy::config::LbPolicy;
use crate::policy::config::PoolProtocol;
use crate::policy::config::RetryOn;
use crate::policy::config::RetryPolicy;
use crate::scenario::Service;
use crate::scenario::policy::Patch;
use crate::scenario::table::Problems;
use crate::scenario::tree::Place;
use crate::units::Span;

/// What a file set, layer upon layer.
struct Layers<'a>(&'a [&'a Patch]);

impl Layers<'_> {
    fn place(&self, field: &str) -> Option<&Place> {
        self.0.iter().rev().find_map(|layer| layer.place_exactly(field))
    }
}

/// Warns of what the policy towards `callee` does not do although the file asks for it.
pub fn advise(config: &PolicyConfig, layers: &[&Patch], callee: &Service, problems: &mut Problems<'_>) {
    let layers = Layers(layers);
    limits(config, &layers, problems);
    if let Some(retry) = &config.retry_policy {
        retries(retry, &layers, problems);
    }
    ejection(config, &layers, callee, problems);
    unused(config, &layers, callee, problems);
    headerless(config, &layers, problems);
}

/// Time limits that cancel each other.
fn limits(config: &PolicyConfig, layers: &Layers<'_>, problems: &mut Problems<'_>) {
    let (per_try, request) = (config.timeouts.per_try, config.timeouts.request);
    if per_try != Span::MAX
        && per_try >= request
        && let Some(place) = layers.place("retry_policy.per_try_timeout")
    {
        let message = format!("Envoy ignores a per_try_timeout of {per_try}: the timeout is {request}");
        problems.warn("policy::no-effect", place, message, format!("make it shorter than {request}"));
    }
    if config.hedge_on_per_try_timeout
        && (per_try == Span::MAX || per_try >= request)
        && let Some(place) = layers.place("hedge_policy.hedge_on_per_try_timeout")
    {
        let message = "nothing is hedged: hedging waits for a per_try_timeout, and none is in force";
        problems.warn("policy::no-effect", place, message, "set retry_policy.per_try_timeout");
    }
    if config.hedge_on_per_try_timeout
        && config.retry_policy.as_ref().is_none_or(|retry| retry.num_retries == 0)
        && let Some(place) = layers.place("hedge_policy.hedge_on_per_try_timeout")
    {
        let message = "nothing is hedged: a hedge is a retry, and there are none";
        problems.warn("policy::no-effect", place, message, "set retry_policy.num_retries");
    }
}

/// Retries that never happen.
fn retries(retry: &RetryPolicy, layers: &Layers<'_>, problems: &mut Problems<'_>) {
    let mut warn = |field: &str, message: &str, label: &str| {
        if let Some(place) = layers.place(field) {
            problems.warn("policy::no-effect", place, message, label);
        }
    };
    if retry.retry_on == RetryOn::NONE && retry.num_retries > 0 {
        warn(
            "retry_policy",
            "nothing is retried: retry_on is empty",
            "name conditions: retry_on = [\"connect-failure\"]",
        );
    }
    let lists = retry.retry_on.any(RetryOn::RETRIABLE_STATUS_CODES);
    if !lists && !retry.retriable_status_codes.is_empty() {
        let message = "these statuses are not retried: retry_on lacks retriable-status-codes";
        warn("retry_policy.retriable_status_codes", message, "add \"retriable-status-codes\" to retry_on");
    }
    if lists && retry.retriable_status_codes.is_empty() {
        let message = "retriable-status-codes covers nothing: retriable_status_codes is empty";
        warn("retry_policy.retry_on", message, "add retriable_status_codes = [503]");
    }
    if !retry.retry_on.any(RetryOn::RETRIABLE_HEADERS) && !retry.retriable_headers.is_empty() {
        let message = "these headers cause no retry: retry_on lacks retriable-headers";
        warn("retry_policy.retriable_headers", message, "add \"retriable-headers\" to retry_on");
    }
    if !retry.previous_hosts && retry.host_selection_retry_max_attempts > 1 {
        let message = "there is nothing to pick again for: no retry_host_predicate rejects a pick";
        let label = "add retry_host_predicate = \"previous_hosts\"";
        warn("retry_policy.host_selection_retry_max_attempts", message, label);
    }
}

/// Ejections that never happen (envoy.md 1.4).
fn ejection(config: &PolicyConfig, layers: &Layers<'_>, callee: &Service, problems: &mut Problems<'_>) {
    let Some(od) = &config.outlier_detection else { return };
    let (tasks, percent) = (u64::from(callee.tasks), u64::from(od.max_ejection_percent));
    if od.always_eject_one_host || tasks == 0 || percent * tasks >= 100 {
        return;
    }
    let place = layers.place("outlier_detection.max_ejection_percent").or_else(|| layers.place("outlier_detection"));
    if let Some(place) = place {
        let message =
            format!("nobody is ever ejected: {percent} % of the {tasks} tasks of `{}` is less than one", callee.name);
        let label = format!("{} or more lets one go; so does always_eject_one_host = true", 100_u64.div_ceil(tasks));
        problems.warn("policy::no-effect", place, message, label);
    }
}

/// Tables of a rule that is not in force.
fn unused(config: &PolicyConfig, layers: &Layers<'_>, callee: &Service, problems: &mut Problems<'_>) {
    let rule = config.lb_policy;
    for (field, name, in_force) in [
        ("ring_hash_lb_config", "RING_HASH", matches!(rule, LbPolicy::RingHash { .. })),
        ("maglev_lb_config", "MAGLEV", matches!(rule, LbPolicy::Maglev { .. })),
        ("least_request_lb_config", "LEAST_REQUEST", matches!(rule, LbPolicy::LeastRequest(_))),
        ("round_robin_lb_config", "ROUND_ROBIN", rule == LbPolicy::RoundRobin),
    ] {
        if !in_force && let Some(place) = layers.place(field) {
            let message = format!("{field} does nothing: another lb_policy is in force");
            problems.warn("policy::no-effect", place, message, format!("set lb_policy = \"{name}\""));
        }
    }
    if !matches!(config.pool.protocol, PoolProtocol::Tcp(_))
        && let Some(place) = layers.place("max_connect_attempts")
    {
        let message = format!("max_connect_attempts does nothing towards `{}`, which speaks no plain TCP", callee.name);
        problems.warn("policy::no-effect", place, message, "it is for protocol = \"tcp\"; others have retry_policy");
    }
}

/// Fields about headers: the tasks and users of a scenario send none.
fn headerless(config: &PolicyConfig, layers: &Layers<'_>, problems: &mut Problems<'_>) {
    let retry = config.retry_policy.as_ref();
    let detects = config.outlier_detection.as_ref().is_some_and(|od| od.detect_degraded_hosts);
    let hashes = matches!(config.lb_policy, LbPolicy::RingHash { .. } | LbPolicy::Maglev { .. });
    let never = "no simulated task sends such a header, so it never happens in a run";
    for (field, set, message) in [
        (
            "retry_policy.retriable_request_headers",
            retry.is_some_and(|retry| !retry.retriable_request_headers.is_empty()),
            "nothing is retried: simulated requests carry no headers",
        ),
        ("retry_policy.retriable_headers", retry.is_some_and(|retry| !retry.retriable_headers.is_empty()), never),
        (
            "retry_policy.rate_limited_retry_back_off",
            retry.is_some_and(|retry| retry.rate_limited_retry_back_off.is_some()),
            never,
        ),
        ("outlier_detection.detect_degraded_hosts", detects, never),
        ("lb_policy", hashes, "simulated requests have no hash, and Envoy then chooses at random"),
    ] {
        if set && let Some(place) = layers.place(field) {
            problems.warn("policy::headers", place, message, "the simulator models no headers; the policy itself does");
        }
    }
}
