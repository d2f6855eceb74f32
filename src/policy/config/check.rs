//! What Envoy checks when it loads a configuration, in Envoy's own words.
//!
//! *Knows* the ranges and the rules between fields; each was tried on Envoy 1.40 (`--mode validate`)
//! unless its remark says otherwise. *Does not know* how a field is written in a file.

use super::LbPolicy;
use super::LeastRequest;
use super::LocalityRouting;
use super::OutlierDetection;
use super::OutlierReading;
use super::PolicyConfig;
use super::PoolProtocol;
use super::RetryPolicy;
use crate::units::Span;

/// Largest `table_size` of Maglev.
const MAGLEV_MAX: u64 = 5_000_011;
/// Largest ring: 8 Mi entries.
const RING_MAX: u64 = 8_388_608;

/// One thing wrong with a configuration, in the field's Envoy name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigProblem {
    /// Dotted path of the field, `outlier_detection.max_ejection_time`.
    pub field: &'static str,
    /// What is wrong: Envoy's own reason where Envoy has one, a sentence fragment otherwise.
    pub message: String,
    /// What to write instead, a sentence fragment.
    pub remedy: String,
    /// Envoy would not load it; false where it is scsim that cannot or will not.
    pub by_envoy: bool,
}

/// Problems in the order in which they were found.
#[derive(Default)]
struct Found(Vec<ConfigProblem>);

impl Found {
    fn envoy(&mut self, field: &'static str, message: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(ConfigProblem { field, message: message.into(), remedy: remedy.into(), by_envoy: true });
    }
    fn ours(&mut self, field: &'static str, message: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(ConfigProblem { field, message: message.into(), remedy: remedy.into(), by_envoy: false });
    }
    fn above_zero(&mut self, field: &'static str, span: Span) {
        if span.is_zero() {
            self.envoy(field, "value must be greater than 0s", "give it a duration, or leave it out");
        }
    }
    fn percent(&mut self, field: &'static str, percent: u32) {
        if percent > 100 {
            let message = "value must be less than or equal to 100";
            self.envoy(field, message, "a percentage lies between 0 and 100");
        }
    }
}

impl PolicyConfig {
    /// Checks what Envoy checks when it loads a configuration.
    ///
    /// # Errors
    /// Every problem found, in field order.
    pub fn check(&self) -> Result<(), Vec<ConfigProblem>> {
        let mut found = Found::default();
        if let Some(od) = &self.outlier_detection {
            outliers(od, &mut found);
        }
        if let Some(retry) = &self.retry_policy {
            retries(retry, &mut found);
        }
        self.probes(&mut found);
        self.balancing(&mut found);
        self.limits(&mut found);
        if found.0.is_empty() { Ok(()) } else { Err(found.0) }
    }

    fn probes(&self, found: &mut Found) {
        let Some(hc) = &self.health_check else { return };
        found.above_zero("health_check.interval", hc.interval);
        found.above_zero("health_check.timeout", hc.timeout);
        // Envoy loads a threshold of 0 and treats it as 1; a file that says 0 means something else.
        for (field, threshold) in [
            ("health_check.healthy_threshold", hc.healthy_threshold),
            ("health_check.unhealthy_threshold", hc.unhealthy_threshold),
        ] {
            if threshold == 0 {
                found.ours(field, "no check can decide anything at 0", "must be at least 1");
            }
        }
    }

    fn balancing(&self, found: &mut Found) {
        match self.lb_policy {
            LbPolicy::LeastRequest(LeastRequest::Choices(n) | LeastRequest::DistinctChoices(n)) if n < 2 => {
                let message = "value must be greater than or equal to 2";
                found.envoy(
                    "least_request_lb_config.choice_count",
                    message,
                    "2 is the default; RANDOM is a choice of 1",
                );
            }
            LbPolicy::RingHash { minimum_ring_size, maximum_ring_size } => {
                for (field, size) in [
                    ("ring_hash_lb_config.minimum_ring_size", minimum_ring_size),
                    ("ring_hash_lb_config.maximum_ring_size", maximum_ring_size),
                ] {
                    if size > RING_MAX {
                        found.envoy(field, "value must be less than or equal to 8388608", "8 Mi entries are the most");
                    }
                }
                if maximum_ring_size > 0 && minimum_ring_size == 0 {
                    let message = "Envoy loads this, and its ring would have no entry";
                    found.ours("ring_hash_lb_config.minimum_ring_size", message, "1024 is the default");
                }
                if minimum_ring_size > maximum_ring_size {
                    found.envoy(
                        "ring_hash_lb_config.minimum_ring_size",
                        format!(
                            "ring hash: minimum_ring_size ({minimum_ring_size}) > maximum_ring_size ({maximum_ring_size})"
                        ),
                        "the minimum is 1024 and the maximum 8388608 unless you say otherwise",
                    );
                }
            }
            LbPolicy::Maglev { table_size } => maglev(table_size, found),
            _ => {}
        }
        if let Some(slow) = &self.slow_start {
            if !matches!(self.lb_policy, LbPolicy::RoundRobin | LbPolicy::LeastRequest(_)) {
                let message = "only ROUND_ROBIN and LEAST_REQUEST have a slow start";
                found.ours("slow_start_config", message, "change lb_policy, or take slow_start_config out");
            }
            // Envoy counts the ramp in milliseconds.
            if slow.window.as_millis() == 0 {
                let remedy = "a millisecond or longer; leave slow_start_config out to switch it off";
                found.ours("slow_start_config.slow_start_window", "a window of nothing", remedy);
            }
            // Envoy loads it, because the value may change at run time; its documentation asks for more than 0.
            if slow.aggression_milli == 0 {
                let message = "aggression must be greater than 0.0";
                found.ours("slow_start_config.aggression", message, "1.0 is the default and makes the ramp a line");
            }
            if slow.min_weight_percent > 100 {
                let message = "value must be inside range [0, 100]";
                found.envoy("slow_start_config.min_weight_percent", message, "10 is the default");
            }
        }
        if let LocalityRouting::ZoneAware(zones) = &self.locality
            && zones.routing_enabled > 100
        {
            let field = "common_lb_config.zone_aware_lb_config.routing_enabled";
            found.envoy(field, "value must be inside range [0, 100]", "100 is the default");
        }
        if self.overprovisioning_factor == 0 {
            found.envoy("overprovisioning_factor", "value must be greater than 0", "140 is the default");
        }
    }

    fn limits(&self, found: &mut Found) {
        if !(100..=300).contains(&self.pool.preconnect_percent) {
            found.envoy(
                "preconnect_policy.per_upstream_preconnect_ratio",
                "value must be inside range [1, 3]",
                "1.0 is the default and makes no connection ahead of need",
            );
        }
        found.above_zero("connect_timeout", self.timeouts.connect);
        match self.pool.protocol {
            // Envoy's upper bound, 2^31 - 1, is not asked for: presets write "any number" as u32::MAX.
            PoolProtocol::Http2 { max_concurrent_streams: 0 } => {
                let message = "value must be inside range [1, 2147483647]";
                found.envoy("max_concurrent_streams", message, "1024 is the default");
            }
            PoolProtocol::Tcp(tcp) if tcp.max_connect_attempts == 0 => {
                let message = "value must be greater than or equal to 1";
                found.envoy("max_connect_attempts", message, "1 is the default");
            }
            PoolProtocol::Tcp(tcp) if tcp.max_connect_attempts > 250 => {
                found.ours("max_connect_attempts", "scsim counts at most 250 attempts", "250 or less");
            }
            _ => {}
        }
    }
}

fn outliers(od: &OutlierDetection, found: &mut Found) {
    found.above_zero("outlier_detection.interval", od.interval);
    found.above_zero("outlier_detection.base_ejection_time", od.base_ejection_time);
    found.above_zero("outlier_detection.max_ejection_time", od.max_ejection_time);
    if od.max_ejection_time < od.base_ejection_time {
        found.envoy(
            "outlier_detection.max_ejection_time",
            "outlier detector's max_ejection_time cannot be smaller than base_ejection_time",
            format!("at least base_ejection_time, which is {}", od.base_ejection_time),
        );
    }
    for (field, percent) in [
        ("outlier_detection.max_ejection_percent", od.max_ejection_percent),
        ("outlier_detection.enforcing_consecutive_5xx", od.enforcing_consecutive_5xx),
        ("outlier_detection.enforcing_consecutive_gateway_failure", od.enforcing_consecutive_gateway_failure),
        ("outlier_detection.enforcing_consecutive_local_origin_failure", od.enforcing_consecutive_local_origin_failure),
        ("outlier_detection.enforcing_success_rate", od.enforcing_success_rate),
        ("outlier_detection.enforcing_local_origin_success_rate", od.enforcing_local_origin_success_rate),
        ("outlier_detection.enforcing_failure_percentage", od.enforcing_failure_percentage),
        ("outlier_detection.enforcing_failure_percentage_local_origin", od.enforcing_failure_percentage_local_origin),
        ("outlier_detection.failure_percentage_threshold", od.failure_percentage_threshold),
    ] {
        found.percent(field, percent);
    }
    if od.reading == OutlierReading::Window(Span::ZERO) {
        found.ours("outlier_reading", "the window must be longer than zero", "give it a duration");
    }
}

fn retries(retry: &RetryPolicy, found: &mut Found) {
    found.above_zero("retry_policy.retry_back_off.base_interval", retry.base_interval);
    if retry.max_interval.is_zero() {
        found.above_zero("retry_policy.retry_back_off.max_interval", retry.max_interval);
    } else if retry.max_interval < retry.base_interval {
        found.envoy(
            "retry_policy.retry_back_off.max_interval",
            "retry_policy.max_interval must greater than or equal to the base_interval",
            format!("at least base_interval, which is {}; ten times that is the default", retry.base_interval),
        );
    }
    if retry.num_retries > 250 {
        found.ours("retry_policy.num_retries", "scsim counts at most 250 retries", "250 or less");
    }
    if let Some(limited) = &retry.rate_limited_retry_back_off {
        if limited.reset_headers.is_empty() {
            found.envoy(
                "retry_policy.rate_limited_retry_back_off.reset_headers",
                "value must contain at least 1 item(s)",
                "name a header: reset_headers = [{ name = \"retry-after\", format = \"SECONDS\" }]",
            );
        }
        found.above_zero("retry_policy.rate_limited_retry_back_off.max_interval", limited.max_interval);
    }
    let nameless = |name: &String| name.is_empty();
    let limited = retry.rate_limited_retry_back_off.iter().flat_map(|limited| &limited.reset_headers);
    let headers = [
        ("retry_policy.rate_limited_retry_back_off.reset_headers", limited.map(|h| &h.name).any(nameless)),
        ("retry_policy.retriable_headers", retry.retriable_headers.iter().map(|h| &h.name).any(nameless)),
        (
            "retry_policy.retriable_request_headers",
            retry.retriable_request_headers.iter().map(|h| &h.name).any(nameless),
        ),
    ];
    for (field, empty) in headers {
        if empty {
            found.envoy(field, "value length must be at least 1 characters", "a header has a name");
        }
    }
    // From the message's own rule; 1.40 does not look into it when it validates a file.
    if retry.retry_priority.is_some_and(|priority| priority.update_frequency == 0) {
        let field = "retry_policy.retry_priority.update_frequency";
        found.envoy(field, "value must be greater than 0", "2 computes the loads anew every second attempt");
    }
}

fn maglev(table_size: u64, found: &mut Found) {
    let field = "maglev_lb_config.table_size";
    if table_size > MAGLEV_MAX {
        found.envoy(field, "value must be less than or equal to 5000011", "65537 is the default");
    } else if table_size == 1 {
        // 1.40 dies of a division by zero.
        found.envoy(field, "Envoy 1.40 crashes on a table of one entry", "65537 is the default");
    } else if !is_prime(table_size) {
        let message = "The table size of maglev must be prime number";
        let near = (table_size..=MAGLEV_MAX).find(|&n| is_prime(n)).unwrap_or(65_537);
        found.envoy(field, message, format!("{near} is a prime; 65537 is the default"));
    }
}

/// By trial division, up to the root of the largest table.
fn is_prime(n: u64) -> bool {
    n >= 2 && (2..=2_236).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::config::PreviousPriorities;
    use crate::policy::config::RateLimitedBackOff;
    use crate::policy::config::SlowStart;
    use crate::policy::config::TcpProxy;
    use crate::policy::config::ZoneAware;

    type Change = fn(&mut PolicyConfig);

    fn fields(change: Change) -> Vec<(&'static str, String)> {
        let mut config = PolicyConfig::service_connect();
        change(&mut config);
        config.check().err().unwrap_or_default().into_iter().map(|p| (p.field, p.message)).collect()
    }

    fn detector(config: &mut PolicyConfig) -> &mut OutlierDetection {
        config.outlier_detection.as_mut().expect("the preset has one")
    }
    fn retry(config: &mut PolicyConfig) -> &mut RetryPolicy {
        config.retry_policy.as_mut().expect("the preset has one")
    }
    fn slow(config: &mut PolicyConfig) -> &mut SlowStart {
        config.slow_start.insert(SlowStart {
            window: Span::from_secs(60),
            aggression_milli: 1000,
            min_weight_percent: 10,
        })
    }

    #[test]
    fn what_envoy_rejects_is_rejected_with_its_reason() {
        let cases: [(&str, &str, Change); 22] = [
            ("outlier_detection.max_ejection_time", "cannot be smaller", |c| {
                detector(c).max_ejection_time = Span::from_secs(10);
            }),
            ("outlier_detection.interval", "greater than 0s", |c| detector(c).interval = Span::ZERO),
            ("outlier_detection.max_ejection_percent", "equal to 100", |c| detector(c).max_ejection_percent = 101),
            ("retry_policy.retry_back_off.max_interval", "base_interval", |c| {
                retry(c).max_interval = Span::from_millis(1);
            }),
            ("retry_policy.retry_back_off.base_interval", "greater than 0s", |c| retry(c).base_interval = Span::ZERO),
            ("retry_policy.rate_limited_retry_back_off.reset_headers", "at least 1 item", |c| {
                retry(c).rate_limited_retry_back_off =
                    Some(RateLimitedBackOff { reset_headers: Vec::new(), max_interval: Span::from_secs(1) });
            }),
            ("retry_policy.retry_priority.update_frequency", "greater than 0", |c| {
                retry(c).retry_priority = Some(PreviousPriorities { update_frequency: 0 });
            }),
            ("least_request_lb_config.choice_count", "equal to 2", |c| {
                c.lb_policy = LbPolicy::LeastRequest(LeastRequest::Choices(1));
            }),
            ("ring_hash_lb_config.minimum_ring_size", "(2048) > maximum_ring_size (1024)", |c| {
                c.lb_policy = LbPolicy::RingHash { minimum_ring_size: 2048, maximum_ring_size: 1024 };
            }),
            ("ring_hash_lb_config.maximum_ring_size", "8388608", |c| {
                c.lb_policy = LbPolicy::RingHash { minimum_ring_size: 1024, maximum_ring_size: RING_MAX + 1 };
            }),
            ("maglev_lb_config.table_size", "prime", |c| c.lb_policy = LbPolicy::Maglev { table_size: 65_536 }),
            ("maglev_lb_config.table_size", "prime", |c| c.lb_policy = LbPolicy::Maglev { table_size: 0 }),
            ("maglev_lb_config.table_size", "crashes", |c| c.lb_policy = LbPolicy::Maglev { table_size: 1 }),
            ("maglev_lb_config.table_size", "5000011", |c| c.lb_policy = LbPolicy::Maglev { table_size: 5_000_077 }),
            ("slow_start_config.slow_start_window", "nothing", |c| slow(c).window = Span::ZERO),
            ("slow_start_config.aggression", "greater than 0.0", |c| slow(c).aggression_milli = 0),
            ("slow_start_config.min_weight_percent", "[0, 100]", |c| slow(c).min_weight_percent = 101),
            ("slow_start_config", "ROUND_ROBIN", |c| {
                slow(c);
                c.lb_policy = LbPolicy::Random;
            }),
            ("common_lb_config.zone_aware_lb_config.routing_enabled", "[0, 100]", |c| {
                c.locality = LocalityRouting::ZoneAware(ZoneAware { routing_enabled: 101, min_cluster_size: 6 });
            }),
            ("preconnect_policy.per_upstream_preconnect_ratio", "[1, 3]", |c| c.pool.preconnect_percent = 99),
            ("preconnect_policy.per_upstream_preconnect_ratio", "[1, 3]", |c| c.pool.preconnect_percent = 301),
            ("max_connect_attempts", "equal to 1", |c| {
                c.pool.protocol = PoolProtocol::Tcp(TcpProxy { max_connect_attempts: 0 });
            }),
        ];
        for (field, reason, change) in cases {
            let found = fields(change);
            assert_eq!(found.len(), 1, "{field}: {found:?}");
            assert!(found[0].0 == field && found[0].1.contains(reason), "{field}, {reason}: {found:?}");
        }
    }

    /// What scsim itself cannot or will not do.
    #[test]
    fn what_envoy_loads_and_scsim_does_not_is_refused_too() {
        let probing = |interval, healthy_threshold, unhealthy_threshold| {
            Some(crate::policy::config::HealthCheck {
                interval: Span::from_secs(interval),
                timeout: Span::from_secs(1),
                healthy_threshold,
                unhealthy_threshold,
                first_pass_suffices: true,
            })
        };
        for (check, field) in [
            (probing(0, 1, 1), "health_check.interval"),
            (probing(1, 0, 1), "health_check.healthy_threshold"),
            (probing(1, 1, 0), "health_check.unhealthy_threshold"),
        ] {
            let config = PolicyConfig { health_check: check, ..PolicyConfig::envoy_default() };
            let found: Vec<&str> = config.check().unwrap_err().iter().map(|problem| problem.field).collect();
            assert_eq!(found, [field]);
        }
        let cases: [(&str, Change); 4] = [
            ("ring_hash_lb_config.minimum_ring_size", |c| {
                c.lb_policy = LbPolicy::RingHash { minimum_ring_size: 0, maximum_ring_size: 10 };
            }),
            ("max_concurrent_streams", |c| c.pool.protocol = PoolProtocol::Http2 { max_concurrent_streams: 0 }),
            ("max_connect_attempts", |c| {
                c.pool.protocol = PoolProtocol::Tcp(TcpProxy { max_connect_attempts: 251 });
            }),
            ("retry_policy.num_retries", |c| retry(c).num_retries = 251),
        ];
        for (field, change) in cases {
            let found: Vec<&str> = fields(change).iter().map(|(field, _)| *field).collect();
            assert_eq!(found, [field]);
        }
    }

    #[test]
    fn the_ends_of_ranges_are_fine() {
        let cases: [Change; 11] = [
            |c| c.lb_policy = LbPolicy::RingHash { minimum_ring_size: RING_MAX, maximum_ring_size: RING_MAX },
            |c| c.lb_policy = LbPolicy::RingHash { minimum_ring_size: 1, maximum_ring_size: 1 },
            |c| c.lb_policy = LbPolicy::RingHash { minimum_ring_size: 0, maximum_ring_size: 0 },
            |c| c.lb_policy = LbPolicy::LeastRequest(LeastRequest::Choices(2)),
            |c| c.pool.protocol = PoolProtocol::Tcp(TcpProxy { max_connect_attempts: 250 }),
            |c| c.pool.protocol = PoolProtocol::Http2 { max_concurrent_streams: 1 },
            |c| retry(c).num_retries = 250,
            |c| retry(c).max_interval = retry(c).base_interval,
            |c| slow(c).min_weight_percent = 100,
            |c| c.pool.preconnect_percent = 300,
            |c| c.locality = LocalityRouting::ZoneAware(ZoneAware { routing_enabled: 100, min_cluster_size: 6 }),
        ];
        for (at, change) in cases.into_iter().enumerate() {
            assert_eq!(fields(change), [], "case {at}");
        }
    }

    #[test]
    fn primes_have_no_divisors() {
        let primes: Vec<u64> = (0..50).filter(|&n| is_prime(n)).collect();
        assert_eq!(primes, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47]);
        assert!(!is_prime(2_221 * 2_221) && is_prime(MAGLEV_MAX));
    }

    #[test]
    fn the_largest_table_and_the_smallest_prime_are_fine() {
        for table_size in [2, 65_537, MAGLEV_MAX] {
            let config = PolicyConfig { lb_policy: LbPolicy::Maglev { table_size }, ..PolicyConfig::envoy_default() };
            assert_eq!(config.check(), Ok(()), "{table_size}");
        }
    }
}
