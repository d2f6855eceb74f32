//! What a vantage point has been told to do: one value per role, in Envoy's words.
//!
//! *Knows* every knob, its default and where the default comes from, and which values Envoy
//! rejects. *Does not know* files, clocks or sockets. A role (sidecar, ALB node, DNS client) is
//! a [`PolicyConfig`] value; nothing in `policy` asks which role it plays.
//! Start reading at [`PolicyConfig`]; the presets are at the bottom.

use crate::units::Ratio;
use crate::units::Span;

/// Everything a [`Router`](crate::policy::Router) is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyConfig {
    /// How endpoints become known.
    pub discovery: Discovery,
    /// How one of them is chosen (`lb_policy`).
    pub lb_policy: LbPolicy,
    /// What a choice lasts for.
    pub affinity: Affinity,
    /// Passive ejection; `None` switches it off.
    pub outlier_detection: Option<OutlierDetection>,
    /// Active probes; `None` switches them off.
    pub health_check: Option<HealthCheck>,
    /// Retries; `None` switches them off.
    pub retry_policy: Option<RetryPolicy>,
    /// Ceilings on what is under way.
    pub circuit_breakers: CircuitBreakers,
    /// How long each thing may take.
    pub timeouts: Timeouts,
    /// When the balancer stops believing in health.
    pub panic: Panic,
    /// Health changes that follow a delivered one within this window are held back and delivered
    /// together (`common_lb_config.update_merge_window`; Envoy default 1 s, envoy.md 1.7).
    pub update_merge_window: Span,
    /// How connections are shared.
    pub pool: Pool,
    /// Which status the caller sees when no answer came from the endpoint.
    pub replies: Replies,
}

/// How endpoints become known to a router.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Discovery {
    /// Somebody delivers the list (control plane, target registration).
    Pushed,
    /// The router asks for names; each answer says how long it is valid.
    Resolved {
        /// What happens to an expired answer when the lookup fails.
        on_failure: Stale,
    },
}

/// What an expired answer is still good for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stale {
    /// It serves for this long after it expired.
    Serve {
        /// The longest time past expiry.
        at_most: Span,
    },
    /// The request fails.
    Refuse,
}

/// The rule that picks an endpoint (Envoy's `lb_policy` and what DNS clients do).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LbPolicy {
    /// `ROUND_ROBIN`: random start, never reset, one index per list (envoy.md 3.3).
    RoundRobin,
    /// `RANDOM`: uniform.
    Random,
    /// `LEAST_REQUEST`.
    LeastRequest(LeastRequest),
    /// The first of the list, as a DNS client that takes the first address does.
    FirstListed,
}

/// How `LEAST_REQUEST` looks for the least loaded endpoint (envoy.md 3.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeastRequest {
    /// `choice_count` uniform draws with replacement; the first keeps a tie.
    Choices(u32),
    /// `choice_count` draws of different endpoints. Envoy does not do this; the literature does.
    DistinctChoices(u32),
    /// `FULL_SCAN`: the minimum, ties broken at random.
    FullScan,
}

/// What a choice lasts for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Affinity {
    /// Every request is balanced; connections are pooled per endpoint.
    Request,
    /// The choice is made per connection; any idle connection to any endpoint is reused first.
    Connection {
        /// A connection older than this is not reused; `None` is for ever.
        age_max: Option<Span>,
    },
}

/// Envoy's `outlier_detection` (defaults: envoy.md 1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutlierDetection {
    /// How failures are counted.
    pub reading: OutlierReading,
    /// Answers of 500 and above in a row that eject; 0 is off. Default 5.
    pub consecutive_5xx: u32,
    /// 502, 503 and 504 in a row that eject; 0 is off. Default 5.
    pub consecutive_gateway_failure: u32,
    /// Percent chance that a detected run of 5xx is acted on. Default 100.
    pub enforcing_consecutive_5xx: u32,
    /// Percent chance that a detected run of gateway failures is acted on. Default 0.
    pub enforcing_consecutive_gateway_failure: u32,
    /// Failures that never got an answer are counted apart. Default false.
    pub split_external_local_origin_errors: bool,
    /// Local failures in a row that eject, in split mode only. Default 5.
    pub consecutive_local_origin_failure: u32,
    /// Percent chance that a run of local failures is acted on. Default 100.
    pub enforcing_consecutive_local_origin_failure: u32,
    /// Percent chance that a low success rate is acted on. Default 100.
    pub enforcing_success_rate: u32,
    /// The same over local failures, in split mode. Default 100.
    pub enforcing_local_origin_success_rate: u32,
    /// Success rates are compared among this many endpoints at the least. Default 5.
    pub success_rate_minimum_hosts: u32,
    /// Requests in one interval without which an endpoint is left out of it. Default 100.
    pub success_rate_request_volume: u32,
    /// Standard deviations below the mean that eject, in thousandths. Default 1900.
    pub success_rate_stdev_factor: u32,
    /// Percent chance that a high share of failures is acted on. Default 0.
    pub enforcing_failure_percentage: u32,
    /// The same over local failures, in split mode. Default 0.
    pub enforcing_failure_percentage_local_origin: u32,
    /// The share of failures that ejects, in percent. Default 85.
    pub failure_percentage_threshold: u32,
    /// It takes this many endpoints at the least. Default 5.
    pub failure_percentage_minimum_hosts: u32,
    /// Requests in one interval without which an endpoint is left out of it. Default 50.
    pub failure_percentage_request_volume: u32,
    /// A probe that passes brings an ejected endpoint back at once. Default true.
    pub successful_active_health_check_uneject_host: bool,
    /// Copies what looks like a mistake in Envoy 1.40: an endpoint that success rate and failure
    /// percentage both find in one sweep is ejected twice (envoy.md 1.6). Not Envoy's; default false.
    pub strict_envoy: bool,
    /// Time between sweeps; endpoints return only at a sweep. Default 10 s.
    pub interval: Span,
    /// First ejection lasts this long, later ones a multiple. Default 30 s.
    pub base_ejection_time: Span,
    /// No ejection lasts longer. Default: the larger of 300 s and the base.
    pub max_ejection_time: Span,
    /// A random extra up to this long is drawn once per ejection. Default 0.
    pub max_ejection_time_jitter: Span,
    /// Largest share of endpoints out at once, in percent. Default 10: below ten endpoints nobody
    /// is ejected (envoy.md 1.4).
    pub max_ejection_percent: u32,
    /// One endpoint may always go, whatever the percentage. Default false.
    pub always_eject_one_host: bool,
}

/// Two readings of "5 failures in 30 s" (aws.md 1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutlierReading {
    /// Envoy's: failures in a row, however far apart.
    Consecutive,
    /// The wording of the AWS documentation: this many failures within the window.
    Window(Span),
}

/// Active health checks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HealthCheck {
    /// Time from one probe's start to the next.
    pub interval: Span,
    /// A probe without an answer fails after this.
    pub timeout: Span,
    /// Passes in a row that make an unhealthy endpoint healthy.
    pub healthy_threshold: u32,
    /// Failures in a row that make a healthy endpoint unhealthy.
    pub unhealthy_threshold: u32,
    /// A new endpoint becomes healthy at its first pass (true for the ALB and for Envoy).
    pub first_pass_suffices: bool,
}

/// Envoy's `retry_policy`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RetryPolicy {
    /// What is retried.
    pub retry_on: RetryOn,
    /// The statuses behind `retriable-status-codes`.
    pub retriable_status_codes: Vec<u16>,
    /// Attempts after the first. Envoy default 1.
    pub num_retries: u32,
    /// First back-off range. Envoy default 25 ms.
    pub base_interval: Span,
    /// Largest back-off range. Envoy default ten times the base.
    pub max_interval: Span,
    /// `retry_host_predicate: previous_hosts`: pick again while the pick was already tried.
    pub previous_hosts: bool,
    /// Extra picks while the predicate rejects. Envoy default 1.
    pub host_selection_retry_max_attempts: u32,
}

/// A set of retry conditions (envoy.md 2.1).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RetryOn(u16);

impl RetryOn {
    /// Nothing is retried.
    pub const NONE: RetryOn = RetryOn(0);
    /// `5xx`: any status from 500 to 599, any reset, any failed connect, any per-try time-out.
    pub const FIVE_XX: RetryOn = RetryOn(1);
    /// `gateway-error`: 502, 503, 504 and what `5xx` says of resets.
    pub const GATEWAY_ERROR: RetryOn = RetryOn(1 << 1);
    /// `reset`: any reset, failed connect or per-try time-out.
    pub const RESET: RetryOn = RetryOn(1 << 2);
    /// `connect-failure`: the connection could not be made.
    pub const CONNECT_FAILURE: RetryOn = RetryOn(1 << 3);
    /// `refused-stream`: HTTP/2 `REFUSED_STREAM`.
    pub const REFUSED_STREAM: RetryOn = RetryOn(1 << 4);
    /// `retriable-4xx`: 409.
    pub const RETRIABLE_4XX: RetryOn = RetryOn(1 << 5);
    /// `retriable-status-codes`: the configured list.
    pub const RETRIABLE_STATUS_CODES: RetryOn = RetryOn(1 << 6);
    /// `reset-before-request`: a failure before a byte of the request was sent.
    pub const RESET_BEFORE_REQUEST: RetryOn = RetryOn(1 << 7);

    /// Every condition with its name in `retry_on`.
    pub const NAMES: [(&'static str, RetryOn); 8] = [
        ("5xx", RetryOn::FIVE_XX),
        ("gateway-error", RetryOn::GATEWAY_ERROR),
        ("reset", RetryOn::RESET),
        ("connect-failure", RetryOn::CONNECT_FAILURE),
        ("refused-stream", RetryOn::REFUSED_STREAM),
        ("retriable-4xx", RetryOn::RETRIABLE_4XX),
        ("retriable-status-codes", RetryOn::RETRIABLE_STATUS_CODES),
        ("reset-before-request", RetryOn::RESET_BEFORE_REQUEST),
    ];

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: RetryOn) -> RetryOn {
        RetryOn(self.0 | other.0)
    }
    /// True if the sets share a condition.
    pub const fn any(self, other: RetryOn) -> bool {
        self.0 & other.0 != 0
    }
    /// The condition of that name.
    pub fn named(name: &str) -> Option<RetryOn> {
        RetryOn::NAMES.iter().find(|(n, _)| *n == name).map(|(_, c)| *c)
    }
}

/// Envoy's `circuit_breakers`, per router. `u32::MAX` is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CircuitBreakers {
    /// Connections, open and being opened. Default 1024.
    pub max_connections: u32,
    /// Requests that wait for a connection, the first one included. Default 1024.
    pub max_pending_requests: u32,
    /// Requests on a connection. Default 1024.
    pub max_requests: u32,
    /// Retries under way, from the decision through back-off to the end of the attempt. Default 3.
    pub max_retries: u32,
    /// Replaces `max_retries` by a share of what is under way.
    pub retry_budget: Option<RetryBudget>,
}

/// Envoy's `retry_budget` (envoy.md 2.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetryBudget {
    /// Retries allowed per active and pending request. Default 20 %.
    pub budget_percent: Ratio,
    /// Retries that are always allowed. Default 3.
    pub min_retry_concurrency: u32,
}

/// How long each thing may take. [`Span::MAX`] is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// Connection set-up. Envoy default 5 s.
    pub connect: Span,
    /// One attempt, from the moment it has a connection (`per_try_timeout`). Default none.
    pub per_try: Span,
    /// The whole request with its retries and back-offs (`timeout`). Envoy default 15 s.
    pub request: Span,
    /// An idle pooled connection is closed after this. Envoy default 1 h.
    pub idle: Span,
}

/// When the balancer sends to unhealthy endpoints as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Panic {
    /// `healthy_panic_threshold` 0: never; with nobody healthy the request fails (UH).
    Never,
    /// Fewer than this share is healthy. Envoy default 50 %.
    Below(Ratio),
    /// Nobody is healthy: the ALB's fail-open.
    NoneHealthy,
}

/// How connections are shared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pool {
    /// What one connection carries.
    pub protocol: PoolProtocol,
    /// A connection is closed after this many requests; 0 is no limit.
    pub max_requests_per_connection: u32,
}

/// What one connection carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PoolProtocol {
    /// One request at a time.
    Http1,
    /// This many streams at a time.
    Http2 {
        /// Envoy's own default is 1024 since 1.36.
        max_concurrent_streams: u32,
    },
}

/// The status a caller sees when the endpoint gave none; 0 stands for "no HTTP answer at all".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replies {
    /// The connection could not be made.
    pub connect_failed: u16,
    /// The connection could not be made in time.
    pub connect_timeout: u16,
    /// The connection broke before an answer.
    pub reset: u16,
    /// A time limit passed.
    pub timeout: u16,
    /// No endpoint to choose.
    pub no_endpoint: u16,
    /// A breaker was full.
    pub overflow: u16,
}

/// One thing wrong with a configuration, in the field's Envoy name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigProblem {
    /// Dotted path of the field, `outlier_detection.max_ejection_time`.
    pub field: &'static str,
    /// What is wrong, a sentence fragment.
    pub message: String,
}

impl PolicyConfig {
    /// Checks what Envoy checks when it loads a configuration.
    ///
    /// # Errors
    /// Every problem found, in field order.
    pub fn check(&self) -> Result<(), Vec<ConfigProblem>> {
        let mut problems = Vec::new();
        let mut wrong = |field, message: &str| {
            problems.push(ConfigProblem { field, message: message.to_owned() });
        };
        if let Some(od) = &self.outlier_detection {
            if od.max_ejection_time < od.base_ejection_time {
                wrong(
                    "outlier_detection.max_ejection_time",
                    "must not be shorter than base_ejection_time (Envoy rejects it)",
                );
            }
            if od.interval.is_zero() {
                wrong("outlier_detection.interval", "must be longer than zero");
            }
            if od.base_ejection_time.is_zero() {
                wrong("outlier_detection.base_ejection_time", "must be longer than zero");
            }
            for (field, percent) in [
                ("outlier_detection.max_ejection_percent", od.max_ejection_percent),
                ("outlier_detection.enforcing_consecutive_5xx", od.enforcing_consecutive_5xx),
                ("outlier_detection.enforcing_consecutive_gateway_failure", od.enforcing_consecutive_gateway_failure),
                (
                    "outlier_detection.enforcing_consecutive_local_origin_failure",
                    od.enforcing_consecutive_local_origin_failure,
                ),
                ("outlier_detection.enforcing_success_rate", od.enforcing_success_rate),
                ("outlier_detection.enforcing_local_origin_success_rate", od.enforcing_local_origin_success_rate),
                ("outlier_detection.enforcing_failure_percentage", od.enforcing_failure_percentage),
                (
                    "outlier_detection.enforcing_failure_percentage_local_origin",
                    od.enforcing_failure_percentage_local_origin,
                ),
                ("outlier_detection.failure_percentage_threshold", od.failure_percentage_threshold),
            ] {
                if percent > 100 {
                    wrong(field, "must lie between 0 and 100");
                }
            }
            if od.reading == OutlierReading::Window(Span::ZERO) {
                wrong("outlier_reading", "the window must be longer than zero");
            }
        }
        if let Some(retry) = &self.retry_policy {
            if retry.base_interval.is_zero() {
                wrong("retry_policy.retry_back_off.base_interval", "must be longer than zero");
            }
            if retry.max_interval < retry.base_interval {
                wrong(
                    "retry_policy.retry_back_off.max_interval",
                    "must not be shorter than base_interval (Envoy rejects it)",
                );
            }
            if retry.num_retries > 250 {
                wrong("retry_policy.num_retries", "scsim counts at most 250 retries");
            }
        }
        if let Some(hc) = &self.health_check {
            if hc.interval.is_zero() || hc.timeout.is_zero() {
                wrong("health_check", "interval and timeout must be longer than zero");
            }
            if hc.healthy_threshold == 0 || hc.unhealthy_threshold == 0 {
                wrong("health_check", "thresholds must be at least 1");
            }
        }
        match self.lb_policy {
            LbPolicy::LeastRequest(LeastRequest::Choices(n)) if n < 2 => {
                wrong("least_request_lb_config.choice_count", "must be at least 2 (Envoy rejects less)");
            }
            LbPolicy::LeastRequest(LeastRequest::DistinctChoices(n)) if n < 2 => {
                wrong("least_request_lb_config.choice_count", "must be at least 2");
            }
            _ => {}
        }
        if let PoolProtocol::Http2 { max_concurrent_streams: 0 } = self.pool.protocol {
            wrong("max_concurrent_streams", "must be at least 1");
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Envoy 1.40 with nothing configured: no retries, no ejection, round robin, 15 s.
    /// Source: envoy.md 1.1, 2.5, 3.2, 4.1, 4.2, most of it observed on the binary.
    pub fn envoy_default() -> PolicyConfig {
        PolicyConfig {
            discovery: Discovery::Pushed,
            lb_policy: LbPolicy::RoundRobin,
            affinity: Affinity::Request,
            outlier_detection: None,
            health_check: None,
            retry_policy: None,
            circuit_breakers: CircuitBreakers::envoy_default(),
            timeouts: Timeouts {
                connect: Span::from_secs(5),
                per_try: Span::MAX,
                request: Span::from_secs(15),
                idle: Span::from_secs(3600),
            },
            panic: Panic::Below(Ratio::from_percent(50)),
            update_merge_window: Span::from_secs(1),
            pool: Pool { protocol: PoolProtocol::Http1, max_requests_per_connection: 0 },
            replies: Replies::PROXY,
        }
    }

    /// The managed sidecar of ECS Service Connect, `service-connect@2026-01`.
    /// Source: aws.md 1.1, 1.2 and 8; what AWS does not publish is listed by `scsim assumptions`.
    pub fn service_connect() -> PolicyConfig {
        PolicyConfig {
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
                    .with(RetryOn::RESET),
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
        PolicyConfig { outlier_detection: None, ..PolicyConfig::service_connect() }
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
                // ASSUMPTION(client.connect_timeout): a common client setting.
                connect: Span::from_secs(5),
                per_try: Span::MAX,
                // ASSUMPTION(client.timeout): the same 15 s as Service Connect, so that planes
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
            timeouts: Timeouts { connect: Span::MAX, per_try: Span::MAX, request: Span::MAX, idle: Span::MAX },
            panic: Panic::Never,
            update_merge_window: Span::ZERO,
            pool: Pool {
                protocol: PoolProtocol::Http2 { max_concurrent_streams: u32::MAX },
                max_requests_per_connection: 0,
            },
            ..PolicyConfig::envoy_default()
        }
    }
}

impl OutlierDetection {
    /// Envoy's defaults with `outlier_detection` present but empty (envoy.md 1.1).
    pub const fn envoy_default() -> OutlierDetection {
        OutlierDetection {
            reading: OutlierReading::Consecutive,
            consecutive_5xx: 5,
            consecutive_gateway_failure: 5,
            enforcing_consecutive_5xx: 100,
            enforcing_consecutive_gateway_failure: 0,
            split_external_local_origin_errors: false,
            consecutive_local_origin_failure: 5,
            enforcing_consecutive_local_origin_failure: 100,
            enforcing_success_rate: 100,
            enforcing_local_origin_success_rate: 100,
            success_rate_minimum_hosts: 5,
            success_rate_request_volume: 100,
            success_rate_stdev_factor: 1900,
            enforcing_failure_percentage: 0,
            enforcing_failure_percentage_local_origin: 0,
            failure_percentage_threshold: 85,
            failure_percentage_minimum_hosts: 5,
            failure_percentage_request_volume: 50,
            successful_active_health_check_uneject_host: true,
            strict_envoy: false,
            interval: Span::from_secs(10),
            base_ejection_time: Span::from_secs(30),
            max_ejection_time: Span::from_secs(300),
            max_ejection_time_jitter: Span::ZERO,
            max_ejection_percent: 10,
            always_eject_one_host: false,
        }
    }
}

impl RetryPolicy {
    /// Envoy's defaults for a route with a retry policy (envoy.md 2.2, 2.4, 2.6).
    pub const fn envoy_default() -> RetryPolicy {
        RetryPolicy {
            retry_on: RetryOn::NONE,
            retriable_status_codes: Vec::new(),
            num_retries: 1,
            base_interval: Span::from_millis(25),
            max_interval: Span::from_millis(250),
            previous_hosts: false,
            host_selection_retry_max_attempts: 1,
        }
    }
}

impl CircuitBreakers {
    /// No limit on anything.
    pub const UNLIMITED: CircuitBreakers = CircuitBreakers {
        max_connections: u32::MAX,
        max_pending_requests: u32::MAX,
        max_requests: u32::MAX,
        max_retries: u32::MAX,
        retry_budget: None,
    };

    /// Envoy's defaults (envoy.md 4.1).
    pub const fn envoy_default() -> CircuitBreakers {
        CircuitBreakers {
            max_connections: 1024,
            max_pending_requests: 1024,
            max_requests: 1024,
            max_retries: 3,
            retry_budget: None,
        }
    }
}

impl Replies {
    /// What Envoy answers (envoy.md 2.8).
    pub const PROXY: Replies = Replies {
        connect_failed: 503,
        connect_timeout: 503,
        reset: 503,
        timeout: 504,
        no_endpoint: 503,
        overflow: 503,
    };
    /// What an ALB answers (aws.md 3.3).
    pub const ALB: Replies = Replies {
        connect_failed: 502,
        connect_timeout: 504,
        reset: 502,
        timeout: 504,
        no_endpoint: 503,
        overflow: 503,
    };
    /// An application's own client: there is no HTTP answer.
    pub const NONE: Replies =
        Replies { connect_failed: 0, connect_timeout: 0, reset: 0, timeout: 0, no_endpoint: 0, overflow: 0 };
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
