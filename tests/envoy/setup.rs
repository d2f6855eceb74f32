//! Clusters and virtual hosts in Envoy's JSON.
//!
//! *Knows* the names of Envoy's fields and which knob of a [`PolicyConfig`] is which. *Does not
//! know* what they do.

use super::case::Case;
use super::case::Family;
use super::case::Host;
use super::envoy::setup::cluster;
use super::envoy::setup::endpoint;
use super::envoy::setup::virtual_host;
use scsim::policy::PolicyConfig;
use scsim::policy::config::CircuitBreakers;
use scsim::policy::config::HeaderMatch;
use scsim::policy::config::LbPolicy;
use scsim::policy::config::LeastRequest;
use scsim::policy::config::OutlierDetection;
use scsim::policy::config::Panic;
use scsim::policy::config::RetryOn;
use scsim::policy::config::RetryPolicy;
use scsim::units::Span;
use serde_json::Value;
use serde_json::json;
use std::net::SocketAddr;

/// The header by which hashing policies choose.
pub const HASHED_HEADER: &str = "x-key";

fn seconds(span: Span) -> String {
    format!("{}.{:09}s", span.as_nanos() / 1_000_000_000, span.as_nanos() % 1_000_000_000)
}

/// The cluster of a case, with `hosts` for its endpoints in order.
pub fn case_cluster(case: &Case, hosts: &[SocketAddr]) -> Value {
    let config = &case.config;
    let mut it = cluster(&case.name(), &[]);
    let last = case.hosts.iter().map(|host| host.priority).max().unwrap_or(0);
    let weighted = |(host, &address): (&Host, &SocketAddr)| {
        let mut it = endpoint(address);
        it["load_balancing_weight"] = json!(host.weight);
        it
    };
    let level = |priority: u8| {
        let members = case.hosts.iter().zip(hosts).filter(|(host, _)| host.priority == priority);
        json!({"priority": priority, "lb_endpoints": members.map(weighted).collect::<Vec<_>>()})
    };
    it["load_assignment"]["endpoints"] = (0..=last).map(level).collect();
    it["lb_policy"] = json!(match config.lb_policy {
        LbPolicy::RoundRobin => "ROUND_ROBIN",
        LbPolicy::Random => "RANDOM",
        LbPolicy::LeastRequest(LeastRequest::Choices(2)) => "LEAST_REQUEST",
        LbPolicy::RingHash { .. } => "RING_HASH",
        LbPolicy::Maglev { .. } => "MAGLEV",
        other => panic!("{other:?} is not made for cases"),
    });
    it["connect_timeout"] = json!(seconds(config.timeouts.connect));
    it["common_lb_config"] = json!({
        "update_merge_window": seconds(config.update_merge_window),
        "healthy_panic_threshold": {"value": match config.panic {
            Panic::Never => 0.0,
            Panic::Below(share) => share.as_f64() * 100.0,
            Panic::NoneHealthy | Panic::FewerThan(_) => panic!("not Envoy's"),
        }},
    });
    it["circuit_breakers"] = json!({"thresholds": [breakers(&config.circuit_breakers)]});
    if config.fail_traffic_on_panic {
        it["common_lb_config"]["zone_aware_lb_config"] = json!({"fail_traffic_on_panic": true});
    }
    if config.pool.max_requests_per_connection > 0 {
        it["typed_extension_protocol_options"] = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http_protocol_options": {}},
            "common_http_protocol_options": {"max_requests_per_connection": config.pool.max_requests_per_connection},
        }});
    }
    match config.lb_policy {
        LbPolicy::RingHash { minimum_ring_size, maximum_ring_size } => {
            let sizes = json!({"minimum_ring_size": minimum_ring_size, "maximum_ring_size": maximum_ring_size});
            it["ring_hash_lb_config"] = sizes;
        }
        LbPolicy::Maglev { table_size } => it["maglev_lb_config"] = json!({"table_size": table_size}),
        _ => {}
    }
    if let Some(detection) = &config.outlier_detection {
        it["outlier_detection"] = outlier(detection);
    }
    it
}

fn breakers(breakers: &CircuitBreakers) -> Value {
    let limit = |n: u32| n.min(1_000_000);
    let mut it = json!({
        "max_connections": limit(breakers.max_connections),
        "max_pending_requests": limit(breakers.max_pending_requests),
        "max_requests": limit(breakers.max_requests),
        "max_retries": limit(breakers.max_retries),
    });
    if let Some(budget) = breakers.retry_budget {
        it["retry_budget"] = json!({
            "budget_percent": {"value": budget.budget_percent.as_f64() * 100.0},
            "min_retry_concurrency": budget.min_retry_concurrency,
        });
    }
    it
}

fn outlier(od: &OutlierDetection) -> Value {
    json!({
        "consecutive_5xx": od.consecutive_5xx,
        "consecutive_gateway_failure": od.consecutive_gateway_failure,
        "enforcing_consecutive_5xx": od.enforcing_consecutive_5xx,
        "enforcing_consecutive_gateway_failure": od.enforcing_consecutive_gateway_failure,
        "split_external_local_origin_errors": od.split_external_local_origin_errors,
        "consecutive_local_origin_failure": od.consecutive_local_origin_failure,
        "enforcing_consecutive_local_origin_failure": od.enforcing_consecutive_local_origin_failure,
        "enforcing_success_rate": od.enforcing_success_rate,
        "enforcing_local_origin_success_rate": od.enforcing_local_origin_success_rate,
        "success_rate_minimum_hosts": od.success_rate_minimum_hosts,
        "success_rate_request_volume": od.success_rate_request_volume,
        "success_rate_stdev_factor": od.success_rate_stdev_factor,
        "enforcing_failure_percentage": od.enforcing_failure_percentage,
        "enforcing_failure_percentage_local_origin": od.enforcing_failure_percentage_local_origin,
        "failure_percentage_threshold": od.failure_percentage_threshold,
        "failure_percentage_minimum_hosts": od.failure_percentage_minimum_hosts,
        "failure_percentage_request_volume": od.failure_percentage_request_volume,
        "interval": seconds(od.interval),
        "base_ejection_time": seconds(od.base_ejection_time),
        "max_ejection_time": seconds(od.max_ejection_time),
        "max_ejection_time_jitter": seconds(od.max_ejection_time_jitter),
        "max_ejection_percent": od.max_ejection_percent,
        "always_eject_one_host": od.always_eject_one_host,
        "detect_degraded_hosts": od.detect_degraded_hosts,
    })
}

/// The virtual host of a case.
pub fn case_virtual_host(case: &Case) -> Value {
    let PolicyConfig { timeouts, retry_policy, .. } = &case.config;
    let timeout = if timeouts.request == Span::MAX { "0s".to_owned() } else { seconds(timeouts.request) };
    let retry = retry_policy.as_ref().map(|policy| {
        let mut it = retry(policy);
        if timeouts.per_try != Span::MAX {
            it["per_try_timeout"] = json!(seconds(timeouts.per_try));
        }
        if timeouts.per_try_idle != Span::MAX {
            it["per_try_idle_timeout"] = json!(seconds(timeouts.per_try_idle));
        }
        it
    });
    let mut it = virtual_host(&case.name(), retry, Some(&timeout));
    if case.config.hedge_on_per_try_timeout {
        it["routes"][0]["route"]["hedge_policy"] = json!({"hedge_on_per_try_timeout": true});
    }
    if case.family == Family::Hashed {
        it["routes"][0]["route"]["hash_policy"] = json!([{"header": {"header_name": HASHED_HEADER}}]);
    }
    it
}

fn retry(policy: &RetryPolicy) -> Value {
    let conditions: Vec<&str> =
        RetryOn::NAMES.iter().filter(|(_, condition)| policy.retry_on.any(*condition)).map(|(name, _)| *name).collect();
    let mut it = json!({
        "retry_on": conditions.join(","),
        "num_retries": policy.num_retries,
        "retriable_status_codes": policy.retriable_status_codes,
        "retry_back_off": {
            "base_interval": seconds(policy.base_interval),
            "max_interval": seconds(policy.max_interval),
        },
        "host_selection_retry_max_attempts": policy.host_selection_retry_max_attempts,
    });
    if !policy.retriable_headers.is_empty() {
        let matcher = |header: &HeaderMatch| match &header.exact {
            None => json!({"name": header.name, "present_match": true}),
            Some(exact) => json!({"name": header.name, "string_match": {"exact": exact}}),
        };
        it["retriable_headers"] = policy.retriable_headers.iter().map(matcher).collect();
    }
    if policy.previous_hosts {
        let kind = "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";
        it["retry_host_predicate"] =
            json!([{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {"@type": kind}}]);
    }
    it
}
