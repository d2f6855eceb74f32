//! The configurations that a role starts from, each value with its source.

use super::Affinity;
use super::CircuitBreakers;
use super::Discovery;
use super::HealthCheck;
use super::LbPolicy;
use super::LocalityRouting;
use super::OutlierDetection;
use super::Panic;
use super::PolicyConfig;
use super::Pool;
use super::PoolProtocol;
use super::Ratio;
use super::Replies;
use super::RetryOn;
use super::RetryPolicy;
use super::Span;
use super::Stale;
use super::Timeouts;
use super::ZoneAware;

impl PolicyConfig {
    /// Envoy 1.40 with nothing configured: no retries, no ejection, round robin, 15 s.
    /// Source: envoy.md 1.1, 2.5, 3.2, 4.1, 4.2, most of it observed on the binary.
    pub fn envoy_default() -> PolicyConfig {
        PolicyConfig {
            discovery: Discovery::Pushed,
            lb_policy: LbPolicy::RoundRobin,
            slow_start: None,
            locality: LocalityRouting::None,
            overprovisioning_factor: 140,
            affinity: Affinity::Request,
            outlier_detection: None,
            health_check: None,
            retry_policy: None,
            hedge_on_per_try_timeout: false,
            per_request_buffer_limit_bytes: 1024 * 1024,
            circuit_breakers: CircuitBreakers::envoy_default(),
            timeouts: Timeouts {
                connect: Span::from_secs(5),
                per_try: Span::MAX,
                per_try_idle: Span::MAX,
                request: Span::from_secs(15),
                idle: Span::from_secs(3600),
            },
            panic: Panic::Below(Ratio::from_percent(50)),
            fail_traffic_on_panic: false,
            update_merge_window: Span::from_secs(1),
            pool: Pool { protocol: PoolProtocol::Http1, max_requests_per_connection: 0, preconnect_percent: 100 },
            replies: Replies::PROXY,
            strict_envoy: false,
        }
    }

    /// The managed sidecar of ECS Service Connect, `service-connect@2026-01`.
    /// Source: aws.md 1.1, 1.2 and 8; what AWS does not publish is listed by `scsim assumptions`.
    pub fn service_connect() -> PolicyConfig {
        PolicyConfig {
            // On by default since 2026, from two endpoints per zone on: six in three zones, which a scenario
            // corrects by its own zones (aws.md 1.3).
            locality: LocalityRouting::ZoneAware(ZoneAware { routing_enabled: 100, min_cluster_size: 6 }),
            outlier_detection: Some(OutlierDetection {
                // AWS documents 5 failures, 30 s and 30 to 300 s (aws.md 1.1).
                interval: Span::from_secs(30),
                // ASSUMPTION(sc.max_ejection_percent): not published; aws.md 8 takes Envoy's 10 %
                // with at least one endpoint, as App Mesh documented.
                max_ejection_percent: 10,
                always_eject_one_host: true,
                // ASSUMPTION(sc.success_rate_ejection): not published; AWS documents failures in a
                // row and nothing else (aws.md 1.1).
                enforcing_success_rate: 0,
                enforcing_local_origin_success_rate: 0,
                ..OutlierDetection::envoy_default()
            }),
            retry_policy: Some(RetryPolicy {
                // ASSUMPTION(sc.retry_on): App Mesh's documented default policy (aws.md 1.1).
                retry_on: RetryOn::RETRIABLE_STATUS_CODES
                    .with(RetryOn::CONNECT_FAILURE)
                    .with(RetryOn::REFUSED_STREAM)
                    .with(RetryOn::RESET)
                    .with(RetryOn::GRPC_UNAVAILABLE),
                retriable_status_codes: vec![503],
                num_retries: 2,
                previous_hosts: true,
                ..RetryPolicy::envoy_default()
            }),
            // ASSUMPTION(sc.circuit_breakers): App Mesh sets all to 2^31-1 (aws.md 1.1).
            circuit_breakers: CircuitBreakers::UNLIMITED,
            timeouts: Timeouts {
                // perRequestTimeout 15 s and idleTimeout 5 min (aws.md 1.1).
                idle: Span::from_secs(300),
                ..PolicyConfig::envoy_default().timeouts
            },
            ..PolicyConfig::envoy_default()
        }
    }

    /// App Mesh's documented default policy (aws.md 1.1); the service ended on 2026-09-30.
    pub fn app_mesh() -> PolicyConfig {
        PolicyConfig { outlier_detection: None, locality: LocalityRouting::None, ..PolicyConfig::service_connect() }
    }

    /// One node of an internal ALB (aws.md 3): active checks, no retry, fail-open.
    pub fn alb_node() -> PolicyConfig {
        PolicyConfig {
            health_check: Some(HealthCheck {
                interval: Span::from_secs(30),
                timeout: Span::from_secs(5),
                healthy_threshold: 5,
                unhealthy_threshold: 2,
                first_pass_suffices: true,
            }),
            circuit_breakers: CircuitBreakers::UNLIMITED,
            timeouts: Timeouts {
                connect: Span::from_secs(10),
                per_try: Span::MAX,
                per_try_idle: Span::MAX,
                // No answer within idle_timeout is a 504 (aws.md 3.3).
                request: Span::from_secs(60),
                idle: Span::from_secs(60),
            },
            panic: Panic::NoneHealthy,
            update_merge_window: Span::ZERO,
            replies: Replies::ALB,
            ..PolicyConfig::envoy_default()
        }
    }

    /// An application's own HTTP client behind DNS: no retry, no ejection, pooled connections.
    pub fn dns_client() -> PolicyConfig {
        PolicyConfig {
            discovery: Discovery::Resolved { on_failure: Stale::Refuse },
            lb_policy: LbPolicy::FirstListed,
            affinity: Affinity::Connection { age_max: None },
            circuit_breakers: CircuitBreakers::UNLIMITED,
            timeouts: Timeouts {
                // ASSUMPTION(dns.connect_timeout): a common client setting.
                connect: Span::from_secs(5),
                per_try: Span::MAX,
                per_try_idle: Span::MAX,
                // ASSUMPTION(dns.client_timeout): the same 15 s as Service Connect, so that planes
                // are compared and not time-outs.
                request: Span::from_secs(15),
                // Go's http.Transport keeps an idle connection for 90 s (aws.md 2.1).
                idle: Span::from_secs(90),
            },
            panic: Panic::Never,
            update_merge_window: Span::ZERO,
            replies: Replies::NONE,
            ..PolicyConfig::envoy_default()
        }
    }

    /// The ideal of plane `direct`: everybody known at once, no limits, no retry, no ejection.
    pub fn direct() -> PolicyConfig {
        PolicyConfig {
            circuit_breakers: CircuitBreakers::UNLIMITED,
            timeouts: Timeouts {
                connect: Span::MAX,
                per_try: Span::MAX,
                per_try_idle: Span::MAX,
                request: Span::MAX,
                idle: Span::MAX,
            },
            panic: Panic::Never,
            update_merge_window: Span::ZERO,
            pool: Pool {
                protocol: PoolProtocol::Http2 { max_concurrent_streams: u32::MAX },
                max_requests_per_connection: 0,
                preconnect_percent: 100,
            },
            ..PolicyConfig::envoy_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_one_that_envoy_would_load() {
        for preset in [
            PolicyConfig::envoy_default(),
            PolicyConfig::service_connect(),
            PolicyConfig::app_mesh(),
            PolicyConfig::alb_node(),
            PolicyConfig::dns_client(),
            PolicyConfig::direct(),
        ] {
            assert_eq!(preset.check(), Ok(()));
        }
    }

    #[test]
    fn envoy_rejects_a_maximum_below_the_base() {
        let mut config = PolicyConfig::service_connect();
        if let Some(od) = &mut config.outlier_detection {
            od.max_ejection_time = Span::from_secs(10);
        }
        let problems = config.check().unwrap_err();
        assert_eq!(problems[0].field, "outlier_detection.max_ejection_time");
    }
}
