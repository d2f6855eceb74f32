//! One request's attempts: what is known about it and what it waits for.
//!
//! *Knows* its deadline, what it tried, the state of its newest attempt and which slow ones go on
//! beside it. *Does not know* endpoints' health or limits; those are the router's.

use super::AttemptNo;
use super::ConnKey;
use super::EndpointId;
use super::Flags;
use super::MemberKey;
use super::RequestKey;
use super::Trouble;
use super::config::RetryOn;
use super::headers::Overrides;
use super::pool::Ticket;
use crate::units::Span;
use crate::units::Time;

/// What a request asks of a router.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The driver's name for it; comes back in `Upkeep::Wake`.
    pub request: RequestKey,
    /// Overrides the configured request time-out.
    pub timeout: Option<Span>,
    /// It may be repeated although it may have been acted on.
    pub idempotent: bool,
    /// What `hash_policy` made of the request; `None` where there is none, and the choice is random.
    pub hash: Option<u64>,
    /// Bytes of its body so far, which a retry needs kept.
    pub body: u64,
    /// All of it is there. If not, the time-outs wait for [`Router::on_request_complete`](super::Router::on_request_complete).
    pub complete: bool,
    /// It has one of the policy's `retriable_request_headers`.
    pub retriable_header: bool,
    /// What its own headers change; [`headers::overrides`](super::headers::overrides) reads them.
    pub overrides: Option<Box<Overrides>>,
}

impl Ask {
    /// A repeatable request without a body, a hash or a time-out of its own.
    pub const fn of(request: RequestKey) -> Ask {
        Ask {
            request,
            timeout: None,
            idempotent: true,
            hash: None,
            body: 0,
            complete: true,
            retriable_header: false,
            overrides: None,
        }
    }
}

/// One request's progress. Owned by the driver; every call about it goes to the router that began it.
#[must_use = "a flight holds capacity until it is done or abandoned"]
#[derive(Clone, Debug)]
pub struct Flight {
    pub(super) request: RequestKey,
    /// [`Time::NEVER`] also while the request is still coming.
    pub(super) deadline: Time,
    pub(super) timeout: Span,
    pub(super) idempotent: bool,
    /// What its choices hash by.
    pub(super) hash: Option<u64>,
    /// It has been received to its end.
    pub(super) complete: bool,
    /// There are rules of retry for it, and its body is kept.
    pub(super) may_retry: bool,
    pub(super) retry_on: RetryOn,
    /// Back-offs drawn from the widening range.
    pub(super) backoffs: u8,
    /// Attempts begun.
    pub(super) attempts: u8,
    pub(super) retries_left: u8,
    /// The current attempt holds a slot of the retry breaker.
    pub(super) holds_retry: bool,
    pub(super) tried: Tried,
    pub(super) state: State,
    pub(super) overrides: Option<Box<Overrides>>,
    /// Attempts that go on beside the newest; none without hedging.
    pub(super) hedge: Option<Box<Hedge>>,
}

/// What is left of attempts that were too slow, and of retries that failed beside them.
#[derive(Clone, Debug, Default)]
pub(super) struct Hedge {
    pub(super) slow: Vec<Slow>,
    /// What became of retries so far.
    pub(super) flags: Flags,
}

/// An attempt that was charged with a time-out and goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slow {
    pub(super) attempt: AttemptNo,
    pub(super) endpoint: EndpointId,
    pub(super) conn: ConnKey,
    /// Another attempt was made in its place, so that nothing more follows from its failure.
    pub(super) retried: bool,
}

/// What a flight waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// To be stepped: choose an endpoint.
    Choosing,
    /// For the back-off to end.
    BackOff { until: Time },
    /// For somebody's lookup.
    Resolving,
    /// For a connection.
    Pending { ticket: Ticket, endpoint: EndpointId },
    /// For an answer.
    Open { endpoint: EndpointId, conn: ConnKey },
    /// For the answers of slow attempts; the newest is over, or one of them.
    Late,
    /// For nothing.
    Done(Verdict),
}

/// What a driver does next.
#[must_use = "the step tells the driver what to do"]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Send the request on that connection.
    Try(Try),
    /// Step again at that time, or when woken.
    Wait {
        /// `None`: only when woken or at the deadline.
        until: Option<Time>,
    },
    /// Look the name up.
    Resolve,
    /// Over.
    Done(Verdict),
}

/// An attempt to make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Try {
    /// Its number.
    pub attempt: AttemptNo,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The driver's name for the endpoint.
    pub member: MemberKey,
    /// The connection to use.
    pub conn: ConnKey,
    /// Report `then` if there is no answer by then. With hedging the attempt may stay open all the same.
    pub give_up_at: Time,
    /// Which time-out it is.
    pub then: Trouble,
    /// The longest silence; [`Span::MAX`] is any. Already in `give_up_at` as if nothing came at all.
    pub idle: Span,
    /// `give_up_at` but for silence, and which time-out that is.
    pub(super) hard: (Time, Trouble),
    /// How long the endpoint has, for `x-envoy-expected-rq-timeout-ms`; [`Span::MAX`] is for ever.
    pub expected: Span,
}

impl Try {
    /// The number for `x-envoy-attempt-count`.
    pub const fn count(self) -> u32 {
        self.attempt.0 as u32 + 1
    }

    /// The attempt after a part of an answer came at `now`, for a driver that sees parts.
    #[must_use]
    pub fn alive_at(self, now: Time) -> Try {
        let (give_up_at, then) = Try::limit(self.hard, now, self.idle);
        Try { give_up_at, then, ..self }
    }

    /// Which limit passes first after a sign of life at `now`.
    #[inline]
    pub(super) fn limit(hard: (Time, Trouble), now: Time, idle: Span) -> (Time, Trouble) {
        let silent = now + idle;
        if silent < hard.0 { (silent, Trouble::IdleTimeout) } else { hard }
    }
}

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// What the caller sees; 0 is no HTTP answer.
    pub status: u16,
    /// Attempts made; 0 if it was refused before the first.
    pub attempts: u8,
    /// Why, in Envoy's response flags.
    pub flags: Flags,
}

/// Endpoints tried before, for `previous_hosts`. The first four stand inline.
#[derive(Clone, Debug, Default)]
pub(super) struct Tried {
    inline: [Option<EndpointId>; 4],
    more: Vec<EndpointId>,
}

impl Tried {
    pub(super) fn push(&mut self, endpoint: EndpointId) {
        match self.inline.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => *slot = Some(endpoint),
            None => self.more.push(endpoint),
        }
    }
    pub(super) fn contains(&self, endpoint: EndpointId) -> bool {
        self.inline.contains(&Some(endpoint)) || self.more.contains(&endpoint)
    }
    /// In the order of the attempts.
    pub(super) fn iter(&self) -> impl Iterator<Item = EndpointId> + '_ {
        self.inline.iter().flatten().chain(&self.more).copied()
    }
}

impl Flight {
    /// The instant at which the request time-out passes; [`Time::NEVER`] without one.
    pub const fn deadline(&self) -> Time {
        self.deadline
    }
    /// The request's name.
    pub const fn request(&self) -> RequestKey {
        self.request
    }
    /// Attempts begun so far.
    pub const fn attempts(&self) -> u8 {
        self.attempts
    }
    /// The endpoint that the newest attempt waits for: for a connection or for an answer.
    pub const fn endpoint(&self) -> Option<EndpointId> {
        match self.state {
            State::Pending { endpoint, .. } | State::Open { endpoint, .. } => Some(endpoint),
            _ => None,
        }
    }
    /// The newest attempt, if it waits for an answer.
    pub const fn open_attempt(&self) -> Option<AttemptNo> {
        match self.state {
            State::Open { .. } => Some(AttemptNo(self.attempts - 1)),
            _ => None,
        }
    }
    /// True if that attempt waits for an answer, as the newest or as a slow one beside it.
    #[inline]
    pub fn is_open(&self, attempt: AttemptNo) -> bool {
        self.open_attempt() == Some(attempt) || self.slow().iter().any(|slow| slow.attempt == attempt)
    }
    /// True if its end returns something: a connection, a place in a queue, a slot, slow attempts.
    #[inline]
    pub(super) fn holds_something(&self) -> bool {
        let idle = matches!(self.state, State::Choosing | State::BackOff { .. } | State::Late | State::Done(_));
        self.holds_retry || self.hedge.is_some() || !idle
    }
    pub(super) fn slow(&self) -> &[Slow] {
        self.hedge.as_ref().map_or(&[], |hedge| &hedge.slow)
    }
    /// Takes a slow attempt out.
    pub(super) fn take_slow(&mut self, attempt: AttemptNo) -> Option<Slow> {
        let slow = &mut self.hedge.as_mut()?.slow;
        let at = slow.iter().position(|one| one.attempt == attempt)?;
        Some(slow.remove(at))
    }
    /// True if an answer may still come, from a slow attempt or from a retry on its way.
    pub(super) fn expects_more(&self) -> bool {
        !self.slow().is_empty() || !matches!(self.state, State::Late | State::Done(_))
    }
}
