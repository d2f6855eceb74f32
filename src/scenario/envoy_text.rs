//! A policy written out in Envoy's field names, one field a line, as a `[policy]` table has them.

use crate::policy::PolicyConfig;
use crate::policy::config::Affinity;
use crate::policy::config::Discovery;
use crate::policy::config::LbPolicy;
use crate::policy::config::LeastRequest;
use crate::policy::config::OutlierDetection;
use crate::policy::config::OutlierReading;
use crate::policy::config::Panic;
use crate::policy::config::PoolProtocol;
use crate::policy::config::RetryOn;
use crate::policy::config::RetryPolicy;
use crate::units::Span;
use std::fmt::Write as _;

/// The lines of a policy; what is off is said to be off.
pub fn lines(policy: &PolicyConfig) -> Vec<String> {
    let mut lines = vec![
        format!("timeout = {}", limit(policy.timeouts.request)),
        format!("connect_timeout = {}", limit(policy.timeouts.connect)),
        format!("idle_timeout = {}", limit(policy.timeouts.idle)),
        match policy.lb_policy {
            LbPolicy::RoundRobin => "lb_policy = \"ROUND_ROBIN\"".to_owned(),
            LbPolicy::Random => "lb_policy = \"RANDOM\"".to_owned(),
            LbPolicy::RingHash { minimum_ring_size, maximum_ring_size } => format!(
                "lb_policy = \"RING_HASH\"  # minimum_ring_size = {minimum_ring_size}, maximum_ring_size = {maximum_ring_size}"
            ),
            LbPolicy::Maglev { table_size } => format!("lb_policy = \"MAGLEV\"  # table_size = {table_size}"),
            LbPolicy::WeightedRandom { anomaly_mitigation } => {
                format!("# weighted_random, anomaly_mitigation = {anomaly_mitigation}")
            }
            LbPolicy::FirstListed => "# takes the first address of an answer".to_owned(),
            LbPolicy::LeastRequest(how) => {
                let how = match how {
                    LeastRequest::Choices(n) => format!("choice_count = {n}"),
                    LeastRequest::DistinctChoices(n) => format!("choice_count = {n}, distinct = true"),
                    LeastRequest::FullScan => "selection_method = \"FULL_SCAN\"".to_owned(),
                };
                format!("lb_policy = \"LEAST_REQUEST\"  # least_request_lb_config = {{ {how} }}")
            }
        },
        match policy.panic {
            Panic::Never => "healthy_panic_threshold = \"0%\"".to_owned(),
            Panic::Below(share) => format!("healthy_panic_threshold = \"{share}\""),
            Panic::NoneHealthy => "# fails open when no endpoint is healthy".to_owned(),
        },
        match &policy.retry_policy {
            None => "retry_policy = false".to_owned(),
            Some(retry) => retries(retry, policy.timeouts.per_try),
        },
        match &policy.outlier_detection {
            None => "outlier_detection = false".to_owned(),
            Some(outlier) => ejection(outlier),
        },
        breakers(policy),
        format!("update_merge_window = \"{}\"", policy.update_merge_window),
    ];
    if let Some(check) = policy.health_check {
        lines.push(format!(
            "health_check = {{ interval = \"{}\", timeout = \"{}\", healthy_threshold = {}, unhealthy_threshold = {} }}",
            check.interval, check.timeout, check.healthy_threshold, check.unhealthy_threshold
        ));
    }
    if let PoolProtocol::Http2 { max_concurrent_streams } = policy.pool.protocol {
        let streams = if max_concurrent_streams == u32::MAX {
            "any number of".to_owned()
        } else {
            max_concurrent_streams.to_string()
        };
        lines.push(format!("# HTTP/2, {streams} streams per connection"));
    }
    if let Affinity::Connection { age_max } = policy.affinity {
        let age = age_max.map_or(String::new(), |age| format!(", at most {age} old"));
        lines.push(format!("# chooses per connection and reuses any idle one{age}"));
    }
    if let Discovery::Resolved { .. } = policy.discovery {
        lines.push("# asks DNS when it needs a connection and its answer has expired".to_owned());
    }
    lines
}

fn limit(span: Span) -> String {
    if span == Span::MAX { "\"0s\"  # no limit".to_owned() } else { format!("\"{span}\"") }
}

fn retries(retry: &RetryPolicy, per_try: Span) -> String {
    let on: Vec<String> = RetryOn::NAMES
        .iter()
        .filter(|(_, condition)| retry.retry_on.any(*condition))
        .map(|(name, _)| format!("\"{name}\""))
        .collect();
    let mut text = format!("retry_policy = {{ retry_on = [{}], num_retries = {}", on.join(", "), retry.num_retries);
    if !retry.retriable_status_codes.is_empty() {
        let codes: Vec<String> = retry.retriable_status_codes.iter().map(u16::to_string).collect();
        let _ = write!(text, ", retriable_status_codes = [{}]", codes.join(", "));
    }
    if per_try != Span::MAX {
        let _ = write!(text, ", per_try_timeout = \"{per_try}\"");
    }
    let _ = write!(
        text,
        ", retry_back_off = {{ base_interval = \"{}\", max_interval = \"{}\" }}",
        retry.base_interval, retry.max_interval
    );
    if retry.previous_hosts {
        let _ = write!(
            text,
            ", retry_host_predicate = \"previous_hosts\", host_selection_retry_max_attempts = {}",
            retry.host_selection_retry_max_attempts
        );
    }
    text + " }"
}

/// Reads one number off the settings.
type Part = fn(&OutlierDetection) -> u32;

fn ejection(outlier: &OutlierDetection) -> String {
    let mut fields = vec![
        format!("consecutive_5xx = {}", outlier.consecutive_5xx),
        format!("consecutive_gateway_failure = {}", outlier.consecutive_gateway_failure),
        format!("enforcing_consecutive_5xx = {}", outlier.enforcing_consecutive_5xx),
        format!("enforcing_consecutive_gateway_failure = {}", outlier.enforcing_consecutive_gateway_failure),
        format!("interval = \"{}\"", outlier.interval),
        format!("base_ejection_time = \"{}\"", outlier.base_ejection_time),
        format!("max_ejection_time = \"{}\"", outlier.max_ejection_time),
        format!("max_ejection_percent = {}", outlier.max_ejection_percent),
        format!("always_eject_one_host = {}", outlier.always_eject_one_host),
    ];
    if !outlier.max_ejection_time_jitter.is_zero() {
        fields.push(format!("max_ejection_time_jitter = \"{}\"", outlier.max_ejection_time_jitter));
    }
    if outlier.split_external_local_origin_errors {
        fields.push(format!(
            "split_external_local_origin_errors = true, consecutive_local_origin_failure = {}, enforcing_consecutive_local_origin_failure = {}",
            outlier.consecutive_local_origin_failure, outlier.enforcing_consecutive_local_origin_failure
        ));
    }
    let plain = OutlierDetection::envoy_default();
    let others: [(&str, Part); 10] = [
        ("enforcing_success_rate", |od| od.enforcing_success_rate),
        ("success_rate_minimum_hosts", |od| od.success_rate_minimum_hosts),
        ("success_rate_request_volume", |od| od.success_rate_request_volume),
        ("success_rate_stdev_factor", |od| od.success_rate_stdev_factor),
        ("enforcing_failure_percentage", |od| od.enforcing_failure_percentage),
        ("failure_percentage_threshold", |od| od.failure_percentage_threshold),
        ("failure_percentage_minimum_hosts", |od| od.failure_percentage_minimum_hosts),
        ("failure_percentage_request_volume", |od| od.failure_percentage_request_volume),
        ("enforcing_local_origin_success_rate", |od| od.enforcing_local_origin_success_rate),
        ("enforcing_failure_percentage_local_origin", |od| od.enforcing_failure_percentage_local_origin),
    ];
    // Local failures are compared in split mode only.
    let shown = if outlier.split_external_local_origin_errors { 10 } else { 8 };
    for (name, part) in &others[..shown] {
        if part(outlier) != part(&plain) {
            fields.push(format!("{name} = {}", part(outlier)));
        }
    }
    if !outlier.successful_active_health_check_uneject_host {
        fields.push("successful_active_health_check_uneject_host = false".to_owned());
    }
    let reading = match outlier.reading {
        OutlierReading::Consecutive => String::new(),
        OutlierReading::Window(window) => format!("  # counted within {window}: outlier_reading = \"window\""),
    };
    format!("outlier_detection = {{ {} }}{reading}", fields.join(", "))
}

fn breakers(policy: &PolicyConfig) -> String {
    let limits = &policy.circuit_breakers;
    let mut fields: Vec<String> = [
        ("max_connections", limits.max_connections),
        ("max_pending_requests", limits.max_pending_requests),
        ("max_requests", limits.max_requests),
        ("max_retries", limits.max_retries),
    ]
    .iter()
    .filter(|(_, limit)| *limit != u32::MAX)
    .map(|(name, limit)| format!("{name} = {limit}"))
    .collect();
    if let Some(budget) = limits.retry_budget {
        fields.push(format!(
            "retry_budget = {{ budget_percent = \"{}\", min_retry_concurrency = {} }}",
            budget.budget_percent, budget.min_retry_concurrency
        ));
    }
    if fields.is_empty() {
        "circuit_breakers = false".to_owned()
    } else {
        format!("circuit_breakers = {{ {} }}", fields.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_managed_sidecar_reads_as_an_envoy_policy() {
        let text = lines(&PolicyConfig::service_connect()).join("\n");
        assert!(text.contains("retriable_status_codes = [503]"), "{text}");
        assert!(text.contains("consecutive_5xx = 5"), "{text}");
        assert!(text.contains("circuit_breakers = false"), "{text}");
    }

    #[test]
    fn every_preset_reads_back_as_toml() {
        for preset in [
            PolicyConfig::service_connect(),
            PolicyConfig::envoy_default(),
            PolicyConfig::alb_node(),
            PolicyConfig::dns_client(),
            PolicyConfig::direct(),
        ] {
            let text = lines(&preset).join("\n");
            toml::de::DeTable::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        }
    }
}
