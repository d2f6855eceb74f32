//! One request's attempts: what is known about it and what it waits for.
//!
//! *Knows* its deadline, what it tried and the state of its current attempt. *Does not know*
//! endpoints' health or limits; those are the router's.

use super::AttemptNo;
use super::ConnKey;
use super::EndpointId;
use super::Flags;
use super::MemberKey;
use super::RequestKey;
use super::fact::Flag;
use super::pool::Ticket;
use crate::units::Span;
use crate::units::Time;

/// What a request asks of a router.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// The driver's name for it; comes back in `Upkeep::Wake`.
    pub request: RequestKey,
    /// Overrides the configured request time-out.
    pub timeout: Option<Span>,
    /// It may be repeated although it may have been acted on.
    pub idempotent: bool,
    /// What `hash_policy` made of the request; `None` where there is none, and the choice is random.
    pub hash: Option<u64>,
    /// Bytes of its body, which a retry needs kept.
    pub body: u64,
}

impl Ask {
    /// A repeatable request without a body, a hash or a time-out of its own.
    pub const fn of(request: RequestKey) -> Ask {
        Ask { request, timeout: None, idempotent: true, hash: None, body: 0 }
    }
}

/// One request's progress. Owned by the driver; every call about it goes to the router that began it.
#[must_use = "a flight holds capacity until it is done or abandoned"]
#[derive(Clone, Debug)]
pub struct Flight {
    pub(super) request: RequestKey,
    pub(super) deadline: Time,
    pub(super) idempotent: bool,
    /// Attempts begun.
    pub(super) attempts: u8,
    pub(super) retries_left: u8,
    /// The current attempt holds a slot of the retry breaker.
    pub(super) holds_retry: bool,
    pub(super) tried: Tried,
    pub(super) state: State,
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
    /// Report `Timeout` if there is no answer by then.
    pub give_up_at: Time,
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

impl Verdict {
    /// No answer, or 500 and above.
    pub const fn failed(self) -> bool {
        self.status == 0 || self.status >= 500
    }
    /// It failed because time ran out.
    pub const fn timed_out(self) -> bool {
        self.flags.has(Flag::Ut)
    }
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
    /// The attempt that waits for an answer, if one does.
    pub const fn open_attempt(&self) -> Option<AttemptNo> {
        match self.state {
            State::Open { .. } => Some(AttemptNo(self.attempts - 1)),
            _ => None,
        }
    }
}
