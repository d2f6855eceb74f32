//! How an attempt ended, as a driver tells it.
//!
//! *Knows* what of an answer matters to a decision. *Does not know* bytes or header lists: a
//! driver reads those into marks (see [`Answer`]).

use crate::units::Span;

/// How an attempt ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// With an answer.
    Answered(Answer),
    /// Without one.
    Failed(Trouble),
}

/// The headers of an answer, as far as a decision depends on them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Its HTTP status.
    pub status: u16,
    /// It has a body that is still to come when the status is known: retrying it resets the stream, and
    /// on HTTP/1 costs the connection (envoy.md 2.7).
    pub body_follows: bool,
    /// `grpc-status`, if it came with the headers (an answer without a body). What comes in trailers
    /// is seen by neither retries nor detectors (envoy.md 1.2, 2.1).
    pub grpc_status: Option<u8>,
    /// `x-envoy-ratelimited` was there.
    pub ratelimited: bool,
    /// `x-envoy-degraded` was there.
    pub degraded: bool,
    /// One of the policy's `retriable_headers` matched.
    pub retriable_header: bool,
    /// What the first of the policy's `reset_headers` asks to wait for.
    pub reset_after: Option<Span>,
}

impl Answer {
    /// An answer without a body and without any header that matters.
    pub const fn of(status: u16) -> Answer {
        Answer {
            status,
            body_follows: false,
            grpc_status: None,
            ratelimited: false,
            degraded: false,
            retriable_header: false,
            reset_after: None,
        }
    }

    /// The same answer, with a body to come or without.
    #[must_use]
    pub const fn with_body(self, body_follows: bool) -> Answer {
        Answer { body_follows, ..self }
    }
}

/// How an attempt failed without an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// The connection was refused.
    ConnectRefused,
    /// The connection could not be made in time.
    ConnectTimeout,
    /// The connection broke.
    Reset {
        /// Some of the request had been sent.
        sent: bool,
    },
    /// HTTP/2 `REFUSED_STREAM`: the endpoint did not touch the request.
    RefusedStream,
    /// Another HTTP/2 `RST_STREAM` of the endpoint's.
    StreamReset,
    /// What came was no HTTP.
    Protocol,
    /// `give_up_at` passed.
    Timeout,
    /// It passed because there was no sign of life for `per_try_idle_timeout`.
    IdleTimeout,
    /// It passed because the stream had stood for as long as it may
    /// (`x-envoy-upstream-stream-duration-ms`, upstream `max_stream_duration`).
    MaxDuration,
}

impl Trouble {
    /// The router's patience ended, not the endpoint's or the network's.
    pub const fn is_timeout(self) -> bool {
        matches!(self, Trouble::Timeout | Trouble::IdleTimeout | Trouble::MaxDuration)
    }
}
