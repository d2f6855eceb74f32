//! The names of Envoy's fields, message by message, so that a slip of the pen is told from a field
//! that Envoy has and scsim does not model.
//!
//! *Knows* names and the place that each has in a policy. *Does not know* what any of them means.
//! Read from the message descriptors inside Envoy 1.40.0, deprecated fields included.

/// One message of Envoy's.
pub struct Message {
    /// Its name, without the package.
    pub name: &'static str,
    /// Where it stands in a policy; empty for the policy itself.
    pub path: &'static str,
    /// Its fields.
    pub fields: &'static [&'static str],
}

/// `envoy.config.cluster.v3.Cluster`.
pub const CLUSTER: Message = Message {
    name: "Cluster",
    path: "",
    fields: &[
        "transport_socket_matches",
        "transport_socket_matcher",
        "name",
        "alt_stat_name",
        "stats_matcher",
        "type",
        "cluster_type",
        "eds_cluster_config",
        "connect_timeout",
        "per_connection_buffer_limit_bytes",
        "per_connection_buffer_high_watermark_timeout",
        "lb_policy",
        "load_assignment",
        "health_checks",
        "max_requests_per_connection",
        "circuit_breakers",
        "upstream_http_protocol_options",
        "common_http_protocol_options",
        "http_protocol_options",
        "http2_protocol_options",
        "typed_extension_protocol_options",
        "dns_refresh_rate",
        "dns_jitter",
        "dns_failure_refresh_rate",
        "respect_dns_ttl",
        "dns_lookup_family",
        "dns_resolvers",
        "use_tcp_for_dns_lookups",
        "dns_resolution_config",
        "typed_dns_resolver_config",
        "wait_for_warm_on_init",
        "outlier_detection",
        "cleanup_interval",
        "upstream_bind_config",
        "lb_subset_config",
        "ring_hash_lb_config",
        "maglev_lb_config",
        "original_dst_lb_config",
        "least_request_lb_config",
        "round_robin_lb_config",
        "common_lb_config",
        "transport_socket",
        "metadata",
        "protocol_selection",
        "upstream_connection_options",
        "close_connections_on_host_health_failure",
        "ignore_health_on_host_removal",
        "filters",
        "load_balancing_policy",
        "lrs_server",
        "lrs_report_endpoint_metrics",
        "track_timeout_budgets",
        "upstream_config",
        "track_cluster_stats",
        "preconnect_policy",
        "connection_pool_per_downstream_connection",
        "queuing_policies",
    ],
};

/// `Cluster.CommonLbConfig`.
pub const COMMON_LB: Message = Message {
    name: "Cluster.CommonLbConfig",
    path: "common_lb_config",
    fields: &[
        "healthy_panic_threshold",
        "zone_aware_lb_config",
        "locality_weighted_lb_config",
        "update_merge_window",
        "ignore_new_hosts_until_first_hc",
        "close_connections_on_host_set_change",
        "consistent_hashing_lb_config",
        "override_host_status",
    ],
};

/// `ZoneAwareLbConfig`.
pub const ZONE_AWARE: Message = Message {
    name: "ZoneAwareLbConfig",
    path: "common_lb_config.zone_aware_lb_config",
    fields: &["routing_enabled", "min_cluster_size", "fail_traffic_on_panic"],
};

/// `LocalityWeightedLbConfig`.
pub const LOCALITY_WEIGHTED: Message =
    Message { name: "LocalityWeightedLbConfig", path: "common_lb_config.locality_weighted_lb_config", fields: &[] };

/// `ConsistentHashingLbConfig`.
pub const CONSISTENT: Message = Message {
    name: "ConsistentHashingLbConfig",
    path: "common_lb_config.consistent_hashing_lb_config",
    fields: &["use_hostname_for_hashing", "hash_balance_factor"],
};

/// `RoundRobinLbConfig`.
pub const ROUND_ROBIN: Message =
    Message { name: "RoundRobinLbConfig", path: "round_robin_lb_config", fields: &["slow_start_config"] };

/// `LeastRequestLbConfig`, and what the extension of that name adds.
pub const LEAST_REQUEST: Message = Message {
    name: "LeastRequestLbConfig",
    path: "least_request_lb_config",
    fields: &["choice_count", "active_request_bias", "slow_start_config", "selection_method", "enable_full_scan"],
};

/// `RingHashLbConfig`.
pub const RING_HASH: Message = Message {
    name: "RingHashLbConfig",
    path: "ring_hash_lb_config",
    fields: &["minimum_ring_size", "hash_function", "maximum_ring_size"],
};

/// `MaglevLbConfig`.
pub const MAGLEV: Message = Message { name: "MaglevLbConfig", path: "maglev_lb_config", fields: &["table_size"] };

/// `SlowStartConfig`.
pub const SLOW_START: Message = Message {
    name: "SlowStartConfig",
    path: "slow_start_config",
    fields: &["slow_start_window", "aggression", "min_weight_percent"],
};

/// `PreconnectPolicy`.
pub const PRECONNECT: Message = Message {
    name: "PreconnectPolicy",
    path: "preconnect_policy",
    fields: &["per_upstream_preconnect_ratio", "predictive_preconnect_ratio", "preconnect_enabled_metadata"],
};

/// `OutlierDetection`.
pub const OUTLIER: Message = Message {
    name: "OutlierDetection",
    path: "outlier_detection",
    fields: &[
        "consecutive_5xx",
        "interval",
        "base_ejection_time",
        "max_ejection_percent",
        "enforcing_consecutive_5xx",
        "enforcing_success_rate",
        "success_rate_minimum_hosts",
        "success_rate_request_volume",
        "success_rate_stdev_factor",
        "consecutive_gateway_failure",
        "enforcing_consecutive_gateway_failure",
        "split_external_local_origin_errors",
        "consecutive_local_origin_failure",
        "enforcing_consecutive_local_origin_failure",
        "enforcing_local_origin_success_rate",
        "failure_percentage_threshold",
        "enforcing_failure_percentage",
        "enforcing_failure_percentage_local_origin",
        "failure_percentage_minimum_hosts",
        "failure_percentage_request_volume",
        "max_ejection_time",
        "max_ejection_time_jitter",
        "successful_active_health_check_uneject_host",
        "monitors",
        "always_eject_one_host",
        "detect_degraded_hosts",
    ],
};

/// `CircuitBreakers`.
pub const BREAKERS: Message =
    Message { name: "CircuitBreakers", path: "circuit_breakers", fields: &["thresholds", "per_host_thresholds"] };

/// `CircuitBreakers.Thresholds`.
pub const THRESHOLDS: Message = Message {
    name: "CircuitBreakers.Thresholds",
    path: "circuit_breakers",
    fields: &[
        "priority",
        "max_connections",
        "max_pending_requests",
        "max_requests",
        "max_retries",
        "retry_budget",
        "track_remaining",
        "max_connection_pools",
    ],
};

/// `RetryBudget`.
pub const BUDGET: Message = Message {
    name: "RetryBudget",
    path: "circuit_breakers.retry_budget",
    fields: &["budget_percent", "budget_interval", "min_retry_concurrency"],
};

/// `VirtualHost`.
pub const VIRTUAL_HOST: Message = Message {
    name: "VirtualHost",
    path: "",
    fields: &[
        "name",
        "domains",
        "routes",
        "matcher",
        "require_tls",
        "virtual_clusters",
        "rate_limits",
        "request_headers_to_add",
        "request_headers_to_remove",
        "response_headers_to_add",
        "response_headers_to_remove",
        "cors",
        "typed_per_filter_config",
        "include_request_attempt_count",
        "include_attempt_count_in_response",
        "retry_policy",
        "retry_policy_typed_config",
        "hedge_policy",
        "include_is_timeout_retry_header",
        "per_request_buffer_limit_bytes",
        "request_body_buffer_limit",
        "request_mirror_policies",
        "metadata",
        "route_specifiers",
    ],
};

/// `RouteAction`.
pub const ROUTE_ACTION: Message = Message {
    name: "RouteAction",
    path: "",
    fields: &[
        "cluster",
        "cluster_header",
        "weighted_clusters",
        "cluster_specifier_plugin",
        "inline_cluster_specifier_plugin",
        "cluster_not_found_response_code",
        "metadata_match",
        "prefix_rewrite",
        "regex_rewrite",
        "path_rewrite_policy",
        "path_rewrite",
        "host_rewrite_literal",
        "auto_host_rewrite",
        "host_rewrite_header",
        "host_rewrite_path_regex",
        "host_rewrite",
        "append_x_forwarded_host",
        "timeout",
        "idle_timeout",
        "flush_timeout",
        "early_data_policy",
        "retry_policy",
        "retry_policy_typed_config",
        "request_mirror_policies",
        "priority",
        "rate_limits",
        "include_vh_rate_limits",
        "hash_policy",
        "cors",
        "max_grpc_timeout",
        "grpc_timeout_offset",
        "upgrade_configs",
        "internal_redirect_policy",
        "internal_redirect_action",
        "max_internal_redirects",
        "hedge_policy",
        "max_stream_duration",
    ],
};

/// `RetryPolicy`.
pub const RETRY: Message = Message {
    name: "RetryPolicy",
    path: "retry_policy",
    fields: &[
        "retry_on",
        "num_retries",
        "per_try_timeout",
        "per_try_idle_timeout",
        "retry_priority",
        "retry_host_predicate",
        "retry_options_predicates",
        "host_selection_retry_max_attempts",
        "retriable_status_codes",
        "retry_back_off",
        "rate_limited_retry_back_off",
        "retriable_headers",
        "retriable_request_headers",
        "refresh_cluster_on_retry",
    ],
};

/// `RetryBackOff`.
pub const BACK_OFF: Message =
    Message { name: "RetryBackOff", path: "retry_policy.retry_back_off", fields: &["base_interval", "max_interval"] };

/// `RateLimitedRetryBackOff`.
pub const RATE_LIMITED: Message = Message {
    name: "RateLimitedRetryBackOff",
    path: "retry_policy.rate_limited_retry_back_off",
    fields: &["reset_headers", "max_interval"],
};

/// `ResetHeader`.
pub const RESET_HEADER: Message = Message {
    name: "ResetHeader",
    path: "retry_policy.rate_limited_retry_back_off.reset_headers",
    fields: &["name", "format"],
};

/// `PreviousPrioritiesConfig`.
pub const PREVIOUS_PRIORITIES: Message =
    Message { name: "PreviousPrioritiesConfig", path: "retry_policy.retry_priority", fields: &["update_frequency"] };

/// `HeaderMatcher`.
pub const HEADER: Message = Message {
    name: "HeaderMatcher",
    path: "retry_policy.retriable_headers",
    fields: &[
        "name",
        "exact_match",
        "safe_regex_match",
        "range_match",
        "present_match",
        "prefix_match",
        "suffix_match",
        "contains_match",
        "string_match",
        "invert_match",
        "treat_missing_header_as_empty",
    ],
};

/// `HedgePolicy`.
pub const HEDGE: Message = Message {
    name: "HedgePolicy",
    path: "hedge_policy",
    fields: &["initial_requests", "additional_request_chance", "hedge_on_per_try_timeout"],
};

/// `HttpProtocolOptions`.
pub const COMMON_HTTP: Message = Message {
    name: "HttpProtocolOptions",
    path: "common_http_protocol_options",
    fields: &[
        "idle_timeout",
        "max_connection_duration",
        "max_connection_duration_jitter",
        "max_headers_count",
        "max_response_headers_kb",
        "max_stream_duration",
        "headers_with_underscores_action",
        "max_requests_per_connection",
    ],
};

/// `Http2ProtocolOptions`.
pub const HTTP2: Message = Message {
    name: "Http2ProtocolOptions",
    path: "http2_protocol_options",
    fields: &[
        "hpack_table_size",
        "max_concurrent_streams",
        "initial_stream_window_size",
        "initial_connection_window_size",
        "allow_connect",
        "allow_metadata",
        "max_outbound_frames",
        "max_outbound_control_frames",
        "max_consecutive_inbound_frames_with_empty_payload",
        "max_inbound_priority_frames_per_stream",
        "max_inbound_window_update_frames_per_data_frame_sent",
        "stream_error_on_invalid_http_messaging",
        "override_stream_error_on_invalid_http_message",
        "custom_settings_parameters",
        "connection_keepalive",
        "use_oghttp2_codec",
        "max_metadata_size",
        "enable_huffman_encoding",
        "max_header_field_size_kb",
        "disallow_obs_text",
        "stream_reset_burst",
        "stream_reset_rate",
    ],
};

/// `HealthCheck`.
pub const HEALTH_CHECK: Message = Message {
    name: "HealthCheck",
    path: "health_check",
    fields: &[
        "name",
        "timeout",
        "interval",
        "initial_jitter",
        "interval_jitter",
        "interval_jitter_percent",
        "unhealthy_threshold",
        "healthy_threshold",
        "alt_port",
        "reuse_connection",
        "http_health_check",
        "tcp_health_check",
        "grpc_health_check",
        "custom_health_check",
        "no_traffic_interval",
        "no_traffic_healthy_interval",
        "unhealthy_interval",
        "unhealthy_edge_interval",
        "healthy_edge_interval",
        "event_log_path",
        "event_logger",
        "event_service",
        "always_log_health_check_failures",
        "always_log_health_check_success",
        "tls_options",
        "transport_socket_match_criteria",
    ],
};

/// `TcpProxy`.
pub const TCP_PROXY: Message = Message {
    name: "TcpProxy",
    path: "tcp_proxy",
    fields: &[
        "stat_prefix",
        "cluster",
        "weighted_clusters",
        "on_demand",
        "metadata_match",
        "idle_timeout",
        "downstream_idle_timeout",
        "upstream_idle_timeout",
        "access_log",
        "max_connect_attempts",
        "backoff_options",
        "hash_policy",
        "tunneling_config",
        "max_downstream_connection_duration",
        "max_downstream_connection_duration_jitter_percentage",
        "access_log_flush_interval",
        "flush_access_log_on_connected",
        "access_log_options",
        "proxy_protocol_tlvs",
        "proxy_protocol_tlv_merge_policy",
        "upstream_connect_mode",
        "max_early_data_bytes",
        "check_drain_close",
    ],
};

/// What the policy itself may hold: Envoy spreads it over clusters and routes, a scenario writes it flat.
pub const POLICY: &[&Message] = &[&CLUSTER, &ROUTE_ACTION, &VIRTUAL_HOST, &COMMON_LB, &COMMON_HTTP, &HTTP2, &TCP_PROXY];

/// All of them.
pub const ALL: &[&Message] = &[
    &CLUSTER,
    &COMMON_LB,
    &ZONE_AWARE,
    &LOCALITY_WEIGHTED,
    &CONSISTENT,
    &ROUND_ROBIN,
    &LEAST_REQUEST,
    &RING_HASH,
    &MAGLEV,
    &SLOW_START,
    &PRECONNECT,
    &OUTLIER,
    &BREAKERS,
    &THRESHOLDS,
    &BUDGET,
    &VIRTUAL_HOST,
    &ROUTE_ACTION,
    &RETRY,
    &BACK_OFF,
    &RATE_LIMITED,
    &RESET_HEADER,
    &PREVIOUS_PRIORITIES,
    &HEADER,
    &HEDGE,
    &COMMON_HTTP,
    &HTTP2,
    &HEALTH_CHECK,
    &TCP_PROXY,
];

/// A place where Envoy has a field of that name, other than in `here`.
pub fn elsewhere(key: &str, here: &[&Message]) -> Option<&'static Message> {
    ALL.iter()
        .copied()
        .find(|message| message.fields.contains(&key) && !here.iter().any(|known| known.name == message.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_within_a_message() {
        for message in ALL {
            for (index, field) in message.fields.iter().enumerate() {
                assert!(!message.fields[..index].contains(field), "{}.{field}", message.name);
            }
        }
    }

    #[test]
    fn a_field_is_found_where_it_belongs() {
        assert_eq!(elsewhere("consecutive_5xx", POLICY).map(|message| message.path), Some("outlier_detection"));
        assert_eq!(elsewhere("consecutive_6xx", POLICY).map(|message| message.path), None);
    }
}
