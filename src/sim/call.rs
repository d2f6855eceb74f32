//! A call under way: its flight, who made it, and where its attempts went.
//!
//! *Knows* the books of one call. *Does not know* when anything happens to it; `hop` drives it.

use super::random::Key;
use super::slab::Ref;
use super::task::Job;
use crate::policy::AttemptNo;
use crate::policy::ConnKey;
use crate::policy::Flight;
use crate::policy::MemberKey;
use crate::policy::Trouble;
use crate::units::Span;
use crate::units::Time;

/// A call under way.
pub(super) struct Call {
    pub(super) flight: Flight,
    pub(super) router: u32,
    pub(super) edge: u32,
    pub(super) site: u32,
    pub(super) parent: CallParent,
    pub(super) key: Key,
    pub(super) started: Time,
    /// The newest attempt's way.
    pub(super) hop: Hop,
    /// The ways of slow attempts beside it; none without hedging.
    pub(super) older: Vec<Hop>,
    pub(super) segment: u16,
    /// What the endpoint answered where the router cannot see it (TCP).
    pub(super) hidden_status: u16,
}

/// Where an attempt went.
#[derive(Clone, Copy)]
pub(super) struct Hop {
    pub(super) attempt: u8,
    /// One way, request or answer.
    pub(super) delay: Span,
    /// Between two zones.
    pub(super) crosses: bool,
    pub(super) member: MemberKey,
}

/// In [`Call::hidden_status`]: the answer's headers came and its body broke off.
pub(super) const CUT: u16 = u16::MAX;

impl Call {
    /// The way of an attempt that waits for its answer.
    #[inline]
    pub(super) fn open_hop(&self, attempt: u8) -> Option<Hop> {
        self.flight.is_open(AttemptNo(attempt)).then(|| self.hop_of(attempt))
    }

    /// The way of an attempt; of one that is over, the newest's.
    #[inline]
    pub(super) fn hop_of(&self, attempt: u8) -> Hop {
        if self.hop.attempt == attempt || self.older.is_empty() {
            return self.hop;
        }
        self.older.iter().rfind(|hop| hop.attempt == attempt).copied().unwrap_or(self.hop)
    }
}

/// Who makes a call.
#[derive(Clone, Copy)]
pub(super) enum CallParent {
    /// A task's job.
    Job(Ref<Job>),
    /// An ALB node, for a call of a client.
    Relay { call: Ref<Call>, attempt: u8 },
}

/// A connection being made.
pub(super) struct Dial {
    pub(super) router: u32,
    pub(super) conn: ConnKey,
    pub(super) member: MemberKey,
    pub(super) give_up_at: Time,
    pub(super) one_way: Span,
    /// The endpoint's kernel has taken it.
    pub(super) accepted: bool,
    /// `None` while it may still succeed.
    pub(super) trouble: Option<Trouble>,
}
