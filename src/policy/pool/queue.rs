//! Who waits for a connection, in order of arrival.
//!
//! *Knows* tickets and the queue each stands in. *Does not know* connections or ceilings.
//! Queues are chains through one table, so that a ticket leaves its queue without a search.

use super::TicketState;
use crate::policy::RequestKey;

/// No ticket, no connection: the end of a chain.
pub(super) const NONE: u32 = u32::MAX;

/// One queue: its ends and its length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) head: u32,
    tail: u32,
    pub(super) len: u32,
}

impl Line {
    pub(super) const EMPTY: Line = Line { head: NONE, tail: NONE, len: 0 };
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) request: RequestKey,
    /// The endpoint it hopes for; a shared group may give it another.
    pub(super) slot: u32,
    prev: u32,
    next: u32,
    pub(super) state: TicketState,
}

/// The tickets of all queues of a router.
#[derive(Clone, Debug, Default)]
pub(super) struct Tickets {
    all: Vec<Waiting>,
    free: Vec<u32>,
}

impl Tickets {
    pub(super) fn get(&self, ticket: u32) -> &Waiting {
        &self.all[ticket as usize]
    }

    /// Puts a request at the end of a queue.
    pub(super) fn join(&mut self, line: &mut Line, request: RequestKey, slot: u32) -> u32 {
        let waiting = Waiting { request, slot, prev: line.tail, next: NONE, state: TicketState::Waiting };
        let ticket = if let Some(ticket) = self.free.pop() {
            self.all[ticket as usize] = waiting;
            ticket
        } else {
            self.all.push(waiting);
            (self.all.len() - 1) as u32
        };
        match line.tail {
            NONE => line.head = ticket,
            tail => self.all[tail as usize].next = ticket,
        }
        line.tail = ticket;
        line.len += 1;
        ticket
    }

    /// Takes a ticket out of its queue; it is told `state` when it asks.
    pub(super) fn leave(&mut self, line: &mut Line, ticket: u32, state: TicketState) {
        let (prev, next) = (self.all[ticket as usize].prev, self.all[ticket as usize].next);
        match prev {
            NONE => line.head = next,
            prev => self.all[prev as usize].next = next,
        }
        match next {
            NONE => line.tail = prev,
            next => self.all[next as usize].prev = prev,
        }
        line.len -= 1;
        self.all[ticket as usize].state = state;
    }

    /// Forgets a ticket that has left its queue.
    pub(super) fn forget(&mut self, ticket: u32) {
        self.free.push(ticket);
    }

    /// The first from `from` on, itself included, that hopes for `slot`; [`NONE`] if none does.
    pub(super) fn find(&self, from: u32, slot: u32) -> u32 {
        let mut ticket = from;
        while ticket != NONE && self.all[ticket as usize].slot != slot {
            ticket = self.all[ticket as usize].next;
        }
        ticket
    }

    pub(super) fn after(&self, ticket: u32) -> u32 {
        self.all[ticket as usize].next
    }
}
