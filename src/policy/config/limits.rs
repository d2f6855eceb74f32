//! Breakers and pools: the knobs and their defaults.

use crate::units::Ratio;

/// Envoy's `circuit_breakers`, per router. `u32::MAX` is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CircuitBreakers {
    /// Connections, open and being opened. Default 1024.
    pub max_connections: u32,
    /// Connections to one endpoint (`per_host_thresholds`). Default no limit.
    pub per_host_max_connections: u32,
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

impl CircuitBreakers {
    /// No limit on anything.
    pub const UNLIMITED: CircuitBreakers = CircuitBreakers {
        max_connections: u32::MAX,
        per_host_max_connections: u32::MAX,
        max_pending_requests: u32::MAX,
        max_requests: u32::MAX,
        max_retries: u32::MAX,
        retry_budget: None,
    };

    /// Envoy's defaults (envoy.md 4.1).
    pub const fn envoy_default() -> CircuitBreakers {
        CircuitBreakers {
            max_connections: 1024,
            per_host_max_connections: u32::MAX,
            max_pending_requests: 1024,
            max_requests: 1024,
            max_retries: 3,
            retry_budget: None,
        }
    }
}

/// How connections are shared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pool {
    /// What one connection carries.
    pub protocol: PoolProtocol,
    /// A connection is closed after this many requests; 0 is no limit.
    pub max_requests_per_connection: u32,
    /// `per_upstream_preconnect_ratio`, in percent: connections are made for this many times what is
    /// under way and waiting. From 100 to 300; default 100.
    pub preconnect_percent: u32,
}

impl Pool {
    /// Envoy's defaults towards an HTTP/1 endpoint (envoy.md 4.2).
    pub const fn envoy_default() -> Pool {
        Pool { protocol: PoolProtocol::Http1, max_requests_per_connection: 0, preconnect_percent: 100 }
    }
}

/// What one connection carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PoolProtocol {
    /// `tcp_proxy`: a request is a whole connection, which is never used again (envoy.md 4.4).
    Tcp(TcpProxy),
    /// One request at a time.
    Http1,
    /// This many streams at a time.
    Http2 {
        /// Envoy's own default is 1024 since 1.36.
        max_concurrent_streams: u32,
    },
}

/// `tcp_proxy`'s own rules, in place of a retry policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpProxy {
    /// `max_connect_attempts`. Default 1.
    pub max_connect_attempts: u32,
}
