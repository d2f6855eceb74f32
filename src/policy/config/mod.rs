//! What a vantage point has been told to do: one value per role, in Envoy's words.
//!
//! *Knows* every knob, its default and where the default comes from, and which values Envoy
//! rejects. *Does not know* files, clocks or sockets. A role (sidecar, ALB node, DNS client) is
//! a [`PolicyConfig`] value; nothing in `policy` asks which role it plays.
//! Start reading at [`PolicyConfig`]; the presets have a room of their own.

mod balancing;
mod check;
mod limits;
mod outlier;
mod presets;
mod retry;

pub use balancing::LbPolicy;
pub use balancing::LeastRequest;
pub use balancing::LocalityRouting;
pub use balancing::SlowStart;
pub use balancing::ZoneAware;
pub use check::ConfigProblem;
pub use limits::CircuitBreakers;
pub use limits::Pool;
pub use limits::PoolProtocol;
pub use limits::RetryBudget;
pub use limits::TcpProxy;
pub use outlier::OutlierDetection;
pub use outlier::OutlierReading;
pub use outlier::SetNumber;
pub use outlier::SetSwitch;
pub use retry::HeaderMatch;
pub use retry::PreviousPriorities;
pub use retry::RateLimitedBackOff;
pub use retry::ResetFormat;
pub use retry::ResetHeader;
pub use retry::RetryOn;
pub use retry::RetryPolicy;

use crate::units::Ratio;
use crate::units::Span;

/// Everything a [`Router`](crate::policy::Router) is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyConfig {
    /// How endpoints become known.
    pub discovery: Discovery,
    /// How one of them is chosen (`lb_policy`).
    pub lb_policy: LbPolicy,
    /// New endpoints get their share bit by bit (`slow_start_config`); `None` gives it at once. For
    /// round robin and least request.
    pub slow_start: Option<SlowStart>,
    /// How zones matter (`common_lb_config.locality_config_specifier`).
    pub locality: LocalityRouting,
    /// Percent by which the healthy endpoints of a priority may be overloaded before the next
    /// priority gets a part. Envoy default 140.
    pub overprovisioning_factor: u32,
    /// What a choice lasts for.
    pub affinity: Affinity,
    /// Passive ejection; `None` switches it off.
    pub outlier_detection: Option<OutlierDetection>,
    /// Active probes; `None` switches them off.
    pub health_check: Option<HealthCheck>,
    /// Retries; `None` switches them off.
    pub retry_policy: Option<RetryPolicy>,
    /// `hedge_on_per_try_timeout`: a slow attempt is charged but goes on beside its retry. Default false.
    pub hedge_on_per_try_timeout: bool,
    /// A request body beyond this is not kept, and its request not retried
    /// (`per_request_buffer_limit_bytes`; default the connection's limit of 1 MiB, envoy.md 2.7).
    pub per_request_buffer_limit_bytes: u64,
    /// Ceilings on what is under way.
    pub circuit_breakers: CircuitBreakers,
    /// How long each thing may take.
    pub timeouts: Timeouts,
    /// When the balancer stops believing in health.
    pub panic: Panic,
    /// In panic nobody is chosen (`fail_traffic_on_panic`). Default false.
    pub fail_traffic_on_panic: bool,
    /// Health changes that follow a delivered one within this window are held back and delivered
    /// together (`common_lb_config.update_merge_window`; Envoy default 1 s, envoy.md 1.7).
    pub update_merge_window: Span,
    /// How connections are shared.
    pub pool: Pool,
    /// Which status the caller sees when no answer came from the endpoint.
    pub replies: Replies,
    /// Copies what look like mistakes in Envoy 1.40: an endpoint that success rate and failure
    /// percentage both find in one sweep is ejected twice (envoy.md 1.6), and a hedged 200 may carry
    /// URX (envoy.md 2.7). Not Envoy's; default false.
    pub strict_envoy: bool,
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

/// How long each thing may take. [`Span::MAX`] is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// Connection set-up. Envoy default 5 s.
    pub connect: Span,
    /// One attempt, from the moment it has a connection (`per_try_timeout`). Default none.
    pub per_try: Span,
    /// One attempt without a sign of life (`per_try_idle_timeout`). Default none.
    pub per_try_idle: Span,
    /// The whole request with its retries and back-offs (`timeout`). Envoy default 15 s.
    pub request: Span,
    /// An idle pooled connection is closed after this. Envoy default 1 h.
    pub idle: Span,
}

impl Timeouts {
    /// No limit on anything.
    pub const NONE: Timeouts = Timeouts {
        connect: Span::MAX,
        per_try: Span::MAX,
        per_try_idle: Span::MAX,
        request: Span::MAX,
        idle: Span::MAX,
    };
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
    /// Fewer than so many are healthy: the ALB's `minimum_healthy_targets.count`.
    FewerThan(u32),
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
    /// What came was no HTTP.
    pub protocol: u16,
    /// A time limit passed.
    pub timeout: u16,
    /// No endpoint to choose.
    pub no_endpoint: u16,
    /// A breaker was full.
    pub overflow: u16,
}

impl Replies {
    /// What Envoy answers (envoy.md 2.8).
    pub const PROXY: Replies = Replies {
        connect_failed: 503,
        connect_timeout: 503,
        reset: 503,
        protocol: 502,
        timeout: 504,
        no_endpoint: 503,
        overflow: 503,
    };
    /// What an ALB answers (aws.md 3.3).
    pub const ALB: Replies = Replies {
        connect_failed: 502,
        connect_timeout: 504,
        reset: 502,
        protocol: 502,
        timeout: 504,
        no_endpoint: 503,
        overflow: 503,
    };
    /// An application's own client: there is no HTTP answer.
    pub const NONE: Replies = Replies {
        connect_failed: 0,
        connect_timeout: 0,
        reset: 0,
        protocol: 0,
        timeout: 0,
        no_endpoint: 0,
        overflow: 0,
    };
}
