//! A policy written out in Envoy's field names, one field a line, as a `[policy]` table has them.
//!
//! *Knows* every field of a policy. *Does not know* which plane it belongs to. Invariant: what can be
//! written in a `[policy]` is read back as it was; the rest (an ALB's rules, DNS) is a comment.

use crate::policy::PolicyConfig;
use crate::policy::config::Affinity;
use crate::policy::config::CircuitBreakers;
use crate::policy::config::Discovery;
use crate::policy::config::HeaderMatch;
use crate::policy::config::LbPolicy;
use crate::policy::config::LeastRequest;
use crate::policy::config::LocalityRouting;
use crate::policy::config::OutlierDetection;
use crate::policy::config::OutlierReading;
use crate::policy::config::Panic;
use crate::policy::config::PoolProtocol;
use crate::policy::config::ResetFormat;
use crate::policy::config::RetryOn;
use crate::policy::config::RetryPolicy;
use crate::policy::config::Timeouts;
use crate::units::Span;

/// The lines of a policy; what is off is said to be off.
pub fn lines(policy: &PolicyConfig) -> Vec<String> {
    let mut lines = vec![
        format!("timeout = {}", limit(policy.timeouts.request)),
        // Envoy has no way to write "no limit" here.
        match policy.timeouts.connect {
            Span::MAX => "# connect_timeout: no limit".to_owned(),
            span => format!("connect_timeout = \"{span}\""),
        },
        format!("idle_timeout = {}", limit(policy.timeouts.idle)),
    ];
    lines.extend(balancing(policy));
    lines.push(match policy.panic {
        Panic::Never => "healthy_panic_threshold = \"0%\"".to_owned(),
        Panic::Below(share) => format!("healthy_panic_threshold = \"{share}\""),
        Panic::FewerThan(least) => format!("# fails open when fewer than {least} endpoints are healthy"),
        Panic::NoneHealthy => "# fails open when no endpoint is healthy".to_owned(),
    });
    if policy.fail_traffic_on_panic {
        lines.push("fail_traffic_on_panic = true".to_owned());
    }
    if policy.overprovisioning_factor != 140 {
        lines.push(format!("overprovisioning_factor = {}", policy.overprovisioning_factor));
    }
    lines.push(match &policy.retry_policy {
        None => "retry_policy = false".to_owned(),
        Some(retry) => retries(retry, &policy.timeouts),
    });
    if policy.hedge_on_per_try_timeout {
        lines.push("hedge_policy = { hedge_on_per_try_timeout = true }".to_owned());
    }
    lines.push(match &policy.outlier_detection {
        None => "outlier_detection = false".to_owned(),
        Some(outlier) => ejection(outlier),
    });
    if matches!(policy.outlier_detection, Some(OutlierDetection { reading: OutlierReading::Window(_), .. })) {
        lines.push("outlier_reading = \"window\"".to_owned());
    }
    lines.push(breakers(policy));
    lines.push(format!("update_merge_window = \"{}\"", policy.update_merge_window));
    if policy.per_request_buffer_limit_bytes != PolicyConfig::envoy_default().per_request_buffer_limit_bytes {
        lines.push(format!("per_request_buffer_limit_bytes = {}", policy.per_request_buffer_limit_bytes));
    }
    if policy.strict_envoy {
        lines.push("strict_envoy = true".to_owned());
    }
    if let Some(check) = policy.health_check {
        lines.push(format!(
            "health_check = {{ interval = \"{}\", timeout = \"{}\", healthy_threshold = {}, unhealthy_threshold = {} }}",
            check.interval, check.timeout, check.healthy_threshold, check.unhealthy_threshold
        ));
    }
    lines.extend(connections(policy));
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

/// The rule that picks, what bends it, and zones.
fn balancing(policy: &PolicyConfig) -> Vec<String> {
    let (name, table) = match policy.lb_policy {
        LbPolicy::RoundRobin => ("ROUND_ROBIN", None),
        LbPolicy::Random => ("RANDOM", None),
        LbPolicy::RingHash { minimum_ring_size, maximum_ring_size } => {
            let sizes = format!("minimum_ring_size = {minimum_ring_size}, maximum_ring_size = {maximum_ring_size}");
            ("RING_HASH", Some(format!("ring_hash_lb_config = {{ {sizes} }}")))
        }
        LbPolicy::Maglev { table_size } => {
            ("MAGLEV", Some(format!("maglev_lb_config = {{ table_size = {table_size} }}")))
        }
        LbPolicy::LeastRequest(how) => {
            let how = match how {
                LeastRequest::Choices(n) => format!("choice_count = {n}"),
                LeastRequest::DistinctChoices(n) => format!("choice_count = {n}, distinct = true"),
                LeastRequest::FullScan => "selection_method = \"FULL_SCAN\"".to_owned(),
            };
            ("LEAST_REQUEST", Some(format!("least_request_lb_config = {{ {how} }}")))
        }
        LbPolicy::WeightedRandom { anomaly_mitigation } => {
            return vec![format!("# an ALB's weighted_random, anomaly_mitigation = {anomaly_mitigation}")];
        }
        LbPolicy::FirstListed => return vec!["# takes the first address of an answer".to_owned()],
    };
    let mut lines = vec![format!("lb_policy = \"{name}\"")];
    lines.extend(table);
    if let Some(slow) = &policy.slow_start {
        lines.push(format!(
            "slow_start_config = {{ slow_start_window = \"{}\", aggression = {}, min_weight_percent = {} }}",
            slow.window,
            f64::from(slow.aggression_milli) / 1000.0,
            slow.min_weight_percent
        ));
    }
    match policy.locality {
        LocalityRouting::None => {}
        LocalityRouting::Weighted => lines.push("locality_weighted_lb_config = {}".to_owned()),
        LocalityRouting::ZoneAware(zones) => lines.push(format!(
            "zone_aware_lb_config = {{ routing_enabled = {}, min_cluster_size = {} }}",
            zones.routing_enabled, zones.min_cluster_size
        )),
    }
    lines
}

/// What a connection carries and how many are made.
fn connections(policy: &PolicyConfig) -> Vec<String> {
    let mut lines = Vec::new();
    match policy.pool.protocol {
        PoolProtocol::Http1 => {}
        PoolProtocol::Http2 { max_concurrent_streams: u32::MAX } => {
            lines.push("# HTTP/2, any number of streams per connection".to_owned());
        }
        PoolProtocol::Http2 { max_concurrent_streams } => {
            lines.push(format!("max_concurrent_streams = {max_concurrent_streams}"));
        }
        PoolProtocol::Tcp(tcp) => lines.push(format!("max_connect_attempts = {}", tcp.max_connect_attempts)),
    }
    if policy.pool.max_requests_per_connection != 0 {
        lines.push(format!("max_requests_per_connection = {}", policy.pool.max_requests_per_connection));
    }
    if policy.pool.preconnect_percent != 100 {
        let ratio = f64::from(policy.pool.preconnect_percent) / 100.0;
        lines.push(format!("preconnect_policy = {{ per_upstream_preconnect_ratio = {ratio:?} }}"));
    }
    lines
}

fn retries(retry: &RetryPolicy, limits: &Timeouts) -> String {
    let on: Vec<String> = RetryOn::NAMES
        .iter()
        .filter(|(_, condition)| retry.retry_on.any(*condition))
        .map(|(name, _)| format!("\"{name}\""))
        .collect();
    let mut fields = vec![format!("retry_on = [{}]", on.join(", ")), format!("num_retries = {}", retry.num_retries)];
    if !retry.retriable_status_codes.is_empty() {
        let codes: Vec<String> = retry.retriable_status_codes.iter().map(u16::to_string).collect();
        fields.push(format!("retriable_status_codes = [{}]", codes.join(", ")));
    }
    for (name, headers) in [
        ("retriable_headers", &retry.retriable_headers),
        ("retriable_request_headers", &retry.retriable_request_headers),
    ] {
        if !headers.is_empty() {
            let headers: Vec<String> = headers.iter().map(header).collect();
            fields.push(format!("{name} = [{}]", headers.join(", ")));
        }
    }
    for (name, span) in [("per_try_timeout", limits.per_try), ("per_try_idle_timeout", limits.per_try_idle)] {
        if span != Span::MAX {
            fields.push(format!("{name} = \"{span}\""));
        }
    }
    let (base, most) = (retry.base_interval, retry.max_interval);
    fields.push(format!("retry_back_off = {{ base_interval = \"{base}\", max_interval = \"{most}\" }}"));
    if let Some(limited) = &retry.rate_limited_retry_back_off {
        let headers: Vec<String> = limited
            .reset_headers
            .iter()
            .map(|header| {
                let format = match header.format {
                    ResetFormat::Seconds => "SECONDS",
                    ResetFormat::UnixTimestamp => "UNIX_TIMESTAMP",
                };
                format!("{{ name = {:?}, format = \"{format}\" }}", header.name)
            })
            .collect();
        fields.push(format!(
            "rate_limited_retry_back_off = {{ reset_headers = [{}], max_interval = \"{}\" }}",
            headers.join(", "),
            limited.max_interval
        ));
    }
    if retry.previous_hosts {
        fields.push("retry_host_predicate = \"previous_hosts\"".to_owned());
    }
    if retry.previous_hosts || retry.host_selection_retry_max_attempts != 1 {
        fields.push(format!("host_selection_retry_max_attempts = {}", retry.host_selection_retry_max_attempts));
    }
    if let Some(priority) = retry.retry_priority {
        fields.push(format!("retry_priority = {{ update_frequency = {} }}", priority.update_frequency));
    }
    format!("retry_policy = {{ {} }}", fields.join(", "))
}

fn header(header: &HeaderMatch) -> String {
    match &header.exact {
        None => format!("{:?}", header.name),
        Some(value) => format!("{{ name = {:?}, string_match = {{ exact = {value:?} }} }}", header.name),
    }
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
        fields.push("split_external_local_origin_errors = true".to_owned());
    }
    if outlier.detect_degraded_hosts {
        fields.push("detect_degraded_hosts = true".to_owned());
    }
    let plain = OutlierDetection::envoy_default();
    let others: [(&str, Part); 12] = [
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
        ("consecutive_local_origin_failure", |od| od.consecutive_local_origin_failure),
        ("enforcing_consecutive_local_origin_failure", |od| od.enforcing_consecutive_local_origin_failure),
    ];
    for (name, part) in &others {
        if part(outlier) != part(&plain) {
            fields.push(format!("{name} = {}", part(outlier)));
        }
    }
    if !outlier.successful_active_health_check_uneject_host {
        fields.push("successful_active_health_check_uneject_host = false".to_owned());
    }
    format!("outlier_detection = {{ {} }}", fields.join(", "))
}

fn breakers(policy: &PolicyConfig) -> String {
    let limits = &policy.circuit_breakers;
    if *limits == CircuitBreakers::UNLIMITED {
        return "circuit_breakers = false".to_owned();
    }
    // The largest number stands for no limit, as it does in Envoy.
    let mut fields: Vec<String> = [
        ("max_connections", limits.max_connections),
        ("max_pending_requests", limits.max_pending_requests),
        ("max_requests", limits.max_requests),
        ("max_retries", limits.max_retries),
    ]
    .iter()
    .map(|(name, limit)| format!("{name} = {limit}"))
    .collect();
    if limits.per_host_max_connections != u32::MAX {
        fields.push(format!("per_host_thresholds = [{{ max_connections = {} }}]", limits.per_host_max_connections));
    }
    if let Some(budget) = limits.retry_budget {
        fields.push(format!(
            "retry_budget = {{ budget_percent = \"{}\", min_retry_concurrency = {} }}",
            budget.budget_percent, budget.min_retry_concurrency
        ));
    }
    format!("circuit_breakers = {{ {} }}", fields.join(", "))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::policy::config::HealthCheck;
    use crate::policy::config::PreviousPriorities;
    use crate::policy::config::RateLimitedBackOff;
    use crate::policy::config::ResetHeader;
    use crate::policy::config::RetryBudget;
    use crate::policy::config::SlowStart;
    use crate::policy::config::ZoneAware;
    use crate::scenario::LoadOptions;
    use crate::scenario::parse;
    use crate::units::Ratio;

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

    /// What a plane of one's own Envoy makes of a `[policy]` towards a callee of that protocol.
    fn read_back(protocol: &str, text: &str) -> PolicyConfig {
        let file = format!(
            "compare = [\"envoy\"]\n[service.a]\ncalls = [\"b\"]\n[service.b]\ntasks = 20\n\
             protocol = \"{protocol}\"\n[load]\nrate = \"1/s\"\n[policy]\n{text}\n"
        );
        let loaded = parse("t", &file, Path::new("."), &LoadOptions::default());
        let scenario = loaded.unwrap_or_else(|found| panic!("{found:#?}\n{file}")).scenario;
        scenario.planes[0].edge_policies[0].clone()
    }

    type Change = fn(&mut PolicyConfig);

    fn retry(config: &mut PolicyConfig) -> &mut RetryPolicy {
        config.retry_policy.get_or_insert_with(RetryPolicy::envoy_default)
    }
    fn detector(config: &mut PolicyConfig) -> &mut OutlierDetection {
        config.outlier_detection.get_or_insert_with(OutlierDetection::envoy_default)
    }

    /// Every field that `[policy]` can set, off its default.
    const CHANGES: [Change; 45] = [
        |c| c.timeouts.request = Span::MAX,
        |c| c.timeouts.connect = Span::from_millis(250),
        |c| c.timeouts.idle = Span::from_secs(7),
        |c| c.lb_policy = LbPolicy::Random,
        |c| c.lb_policy = LbPolicy::RingHash { minimum_ring_size: 5, maximum_ring_size: 500 },
        |c| c.lb_policy = LbPolicy::Maglev { table_size: 251 },
        |c| c.lb_policy = LbPolicy::LeastRequest(LeastRequest::Choices(3)),
        |c| c.lb_policy = LbPolicy::LeastRequest(LeastRequest::DistinctChoices(4)),
        |c| c.lb_policy = LbPolicy::LeastRequest(LeastRequest::FullScan),
        |c| {
            c.slow_start =
                Some(SlowStart { window: Span::from_secs(60), aggression_milli: 1_500, min_weight_percent: 20 });
        },
        |c| c.locality = LocalityRouting::Weighted,
        |c| c.locality = LocalityRouting::ZoneAware(ZoneAware { routing_enabled: 50, min_cluster_size: 4 }),
        |c| c.overprovisioning_factor = 100,
        |c| c.panic = Panic::Never,
        |c| c.panic = Panic::Below(Ratio::from_percent(30)),
        |c| c.fail_traffic_on_panic = true,
        |c| c.update_merge_window = Span::ZERO,
        |c| RetryOn::NAMES.iter().for_each(|(_, on)| retry(c).retry_on = retry(c).retry_on.with(*on)),
        |c| retry(c).num_retries = 0,
        |c| retry(c).retriable_status_codes = vec![409, 503],
        |c| (retry(c).base_interval, retry(c).max_interval) = (Span::from_millis(5), Span::from_millis(7)),
        |c| (retry(c).previous_hosts, retry(c).host_selection_retry_max_attempts) = (true, 5),
        |c| retry(c).host_selection_retry_max_attempts = 3,
        |c| {
            let exact = Some("a \"b\"".to_owned());
            retry(c).retriable_headers = vec![HeaderMatch { name: "x-a".to_owned(), exact }];
        },
        |c| retry(c).retriable_request_headers = vec![HeaderMatch { name: "x-b".to_owned(), exact: None }],
        |c| {
            let header = |name: &str, format| ResetHeader { name: name.to_owned(), format };
            retry(c).rate_limited_retry_back_off = Some(RateLimitedBackOff {
                reset_headers: vec![
                    header("retry-after", ResetFormat::Seconds),
                    header("x-reset", ResetFormat::UnixTimestamp),
                ],
                max_interval: Span::from_secs(9),
            });
        },
        |c| retry(c).retry_priority = Some(PreviousPriorities { update_frequency: 2 }),
        |c| {
            retry(c);
            (c.timeouts.per_try, c.timeouts.per_try_idle) = (Span::from_secs(1), Span::from_secs(2));
        },
        |c| c.hedge_on_per_try_timeout = true,
        |c| c.per_request_buffer_limit_bytes = 4096,
        |c| c.circuit_breakers = CircuitBreakers::UNLIMITED,
        |c| c.circuit_breakers.per_host_max_connections = 4,
        |c| c.circuit_breakers.max_retries = u32::MAX,
        |c| {
            c.circuit_breakers.retry_budget =
                Some(RetryBudget { budget_percent: Ratio::from_percent(25), min_retry_concurrency: 7 });
        },
        |c| c.pool.preconnect_percent = 150,
        |c| c.pool.max_requests_per_connection = 12,
        |c| c.strict_envoy = true,
        |c| detector(c).detect_degraded_hosts = true,
        |c| detector(c).reading = OutlierReading::Window(Span::from_secs(30)),
        |c| detector(c).split_external_local_origin_errors = true,
        |c| detector(c).consecutive_local_origin_failure = 2,
        |c| (detector(c).base_ejection_time, detector(c).max_ejection_time) = (Span::from_secs(2), Span::from_secs(3)),
        |c| (detector(c).max_ejection_percent, detector(c).always_eject_one_host) = (77, true),
        |c| (detector(c).enforcing_success_rate, detector(c).success_rate_stdev_factor) = (3, 1_000),
        |c| {
            c.health_check = Some(HealthCheck {
                interval: Span::from_secs(3),
                timeout: Span::from_secs(1),
                healthy_threshold: 2,
                unhealthy_threshold: 4,
                first_pass_suffices: true,
            });
        },
    ];

    #[test]
    fn what_a_policy_can_say_is_read_back_as_it_was() {
        let mut all = PolicyConfig::envoy_default();
        for (index, change) in CHANGES.iter().enumerate() {
            let mut config = PolicyConfig::envoy_default();
            change(&mut config);
            assert_ne!(config, PolicyConfig::envoy_default(), "change {index} changes nothing");
            assert_eq!(read_back("http", &lines(&config).join("\n")), config, "change {index}");
            change(&mut all);
            // Slow start has two rules only.
            all.lb_policy = LbPolicy::RoundRobin;
        }
        assert_eq!(read_back("http", &lines(&all).join("\n")), all);
        let mut streams = PolicyConfig::envoy_default();
        streams.pool.protocol = PoolProtocol::Http2 { max_concurrent_streams: 7 };
        assert_eq!(read_back("http2", &lines(&streams).join("\n")), streams);
    }

    #[test]
    fn the_managed_presets_are_read_back_as_they_were() {
        for preset in [PolicyConfig::service_connect(), PolicyConfig::app_mesh(), PolicyConfig::envoy_default()] {
            assert_eq!(read_back("http", &lines(&preset).join("\n")), preset);
        }
    }
}
