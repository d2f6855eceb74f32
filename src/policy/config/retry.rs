//! Envoy's `retry_policy`: the knobs, the conditions and their defaults.

use crate::units::Span;

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
    /// The headers behind `retriable-headers`.
    pub retriable_headers: Vec<HeaderMatch>,
    /// Without one of these in the request nothing is retried; empty asks for none.
    pub retriable_request_headers: Vec<HeaderMatch>,
    /// The answer says how long to wait.
    pub rate_limited_retry_back_off: Option<RateLimitedBackOff>,
    /// `retry_priority: previous_priorities`.
    pub retry_priority: Option<PreviousPriorities>,
}

/// A header to look for: present, or of exactly that value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeaderMatch {
    /// Its name, in lower case.
    pub name: String,
    /// Its value; `None` is any.
    pub exact: Option<String>,
}

/// `rate_limited_retry_back_off` (envoy.md 2.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RateLimitedBackOff {
    /// The headers that say it, in order; the first that parses and fits counts.
    pub reset_headers: Vec<ResetHeader>,
    /// A longer wait is not believed. Default 300 s.
    pub max_interval: Span,
}

/// One of `reset_headers`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResetHeader {
    /// Its name, in lower case.
    pub name: String,
    /// How to read it.
    pub format: ResetFormat,
}

/// How a reset header is to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResetFormat {
    /// Seconds from now.
    Seconds,
    /// Seconds since 1970.
    UnixTimestamp,
}

/// `retry_priority: previous_priorities`: priorities that were tried are left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PreviousPriorities {
    /// Loads are computed anew every this many attempts.
    pub update_frequency: u32,
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
    /// `retriable-headers`: one of the configured headers is in the answer.
    pub const RETRIABLE_HEADERS: RetryOn = RetryOn(1 << 8);
    /// `envoy-ratelimited`: `x-envoy-ratelimited` is in the answer; without this condition such an
    /// answer is never retried.
    pub const ENVOY_RATELIMITED: RetryOn = RetryOn(1 << 9);
    /// gRPC `cancelled` (1) in the headers.
    pub const GRPC_CANCELLED: RetryOn = RetryOn(1 << 10);
    /// gRPC `deadline-exceeded` (4) in the headers.
    pub const GRPC_DEADLINE_EXCEEDED: RetryOn = RetryOn(1 << 11);
    /// gRPC `internal` (13) in the headers.
    pub const GRPC_INTERNAL: RetryOn = RetryOn(1 << 12);
    /// gRPC `resource-exhausted` (8) in the headers.
    pub const GRPC_RESOURCE_EXHAUSTED: RetryOn = RetryOn(1 << 13);
    /// gRPC `unavailable` (14) in the headers.
    pub const GRPC_UNAVAILABLE: RetryOn = RetryOn(1 << 14);

    /// Every condition with its name in `retry_on`.
    pub const NAMES: [(&'static str, RetryOn); 15] = [
        ("5xx", RetryOn::FIVE_XX),
        ("gateway-error", RetryOn::GATEWAY_ERROR),
        ("reset", RetryOn::RESET),
        ("connect-failure", RetryOn::CONNECT_FAILURE),
        ("refused-stream", RetryOn::REFUSED_STREAM),
        ("retriable-4xx", RetryOn::RETRIABLE_4XX),
        ("retriable-status-codes", RetryOn::RETRIABLE_STATUS_CODES),
        ("reset-before-request", RetryOn::RESET_BEFORE_REQUEST),
        ("retriable-headers", RetryOn::RETRIABLE_HEADERS),
        ("envoy-ratelimited", RetryOn::ENVOY_RATELIMITED),
        ("cancelled", RetryOn::GRPC_CANCELLED),
        ("deadline-exceeded", RetryOn::GRPC_DEADLINE_EXCEEDED),
        ("internal", RetryOn::GRPC_INTERNAL),
        ("resource-exhausted", RetryOn::GRPC_RESOURCE_EXHAUSTED),
        ("unavailable", RetryOn::GRPC_UNAVAILABLE),
    ];

    /// Every condition about `grpc-status`.
    pub const GRPC: RetryOn = RetryOn(0b111_1100_0000_0000);

    /// True if it holds no condition.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// The conditions of a comma-separated list that are in `among`; other words are passed over, as
    /// Envoy does with its request headers.
    pub fn listed(names: &str, among: RetryOn) -> RetryOn {
        let known = names.split(',').filter_map(|name| RetryOn::named(name.trim()));
        known.fold(RetryOn::NONE, |set, one| if among.any(one) { set.with(one) } else { set })
    }
    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: RetryOn) -> RetryOn {
        RetryOn(self.0 | other.0)
    }
    /// The set less the conditions of another.
    #[must_use]
    pub const fn without(self, other: RetryOn) -> RetryOn {
        RetryOn(self.0 & !other.0)
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
            retriable_headers: Vec::new(),
            retriable_request_headers: Vec::new(),
            rate_limited_retry_back_off: None,
            retry_priority: None,
        }
    }
}
