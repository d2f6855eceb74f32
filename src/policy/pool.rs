//! Which connection carries a request; no sockets.
//!
//! *Knows* connections by name, who waits for one, and the ceilings (envoy.md 4.1, 4.2). *Does
//! not know* how a connection is made: it asks the driver through [`Upkeep`].
//! A group shares connections: one group per endpoint when requests are balanced, a single one
//! when the choice is made per connection.

use super::ConnKey;
use super::EndpointId;
use super::PolicyConfig;
use super::RequestKey;
use super::Trouble;
use super::config::Affinity;
use super::config::CircuitBreakers;
use super::config::Discovery;
use super::config::Pool as PoolConfig;
use super::config::PoolProtocol;
use super::config::Timeouts;
use super::fact::Limit;
use super::members::Members;
use super::router::Upkeep;
use crate::units::Span;
use crate::units::Time;
use std::collections::VecDeque;

/// A place in the queue for a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ticket(u32);

/// What became of a ticket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TicketState {
    /// Still waiting.
    Waiting,
    /// A connection is reserved for it.
    Granted(ConnKey),
    /// The connection it waited for could not be made.
    Failed(Trouble),
    /// A ceiling was hit when its turn came.
    Refused(Limit),
    /// The flight has gone; freed when the queue reaches it.
    Cancelled,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    request: RequestKey,
    /// The endpoint it hopes for; a shared group may give it another.
    slot: u32,
    state: TicketState,
}

#[derive(Clone, Copy, Debug)]
struct Conn {
    generation: u32,
    occupied: bool,
    slot: u32,
    state: ConnState,
    streams: u32,
    served: u32,
    opened: Time,
    idle_since: Time,
    /// It stands in its group's ready list.
    ready: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ConnState {
    Connecting,
    Open,
    /// Takes no more requests; closed when the last one ends.
    Draining,
    /// The peer closed it; freed when the last request has been reported.
    Dead,
}

#[derive(Clone, Debug, Default)]
struct Group {
    /// Connections with room, the most recently used last.
    ready: Vec<u32>,
    pending: VecDeque<u32>,
    /// Waiting tickets in `pending` (cancelled ones are not counted).
    waiting: u32,
    connecting: u32,
    conns: u32,
}

/// How a request gets a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Acquired {
    /// This one, now.
    Ready(ConnKey),
    /// Later.
    Pending(Ticket),
    /// Not at all.
    Refused(Limit),
}

/// The connections of one router.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    config: PoolConfig,
    breakers: CircuitBreakers,
    timeouts: Timeouts,
    shared: bool,
    age_max: Option<Span>,
    /// Connections outlive their endpoint's place in the list: an answer of DNS is a hint for the
    /// next connection, not a withdrawal of those that stand (aws.md 2.1).
    outlives_list: bool,
    conns: Vec<Conn>,
    free: Vec<u32>,
    tickets: Vec<Waiting>,
    free_tickets: Vec<u32>,
    groups: Vec<Group>,
    /// Connections that stand, or are being made.
    pub(super) conn_count: u32,
    /// Requests waiting for a connection.
    pub(super) pending: u32,
    /// Requests on a connection.
    pub(super) active: u32,
    /// When idle connections are looked through next.
    pub(super) sweep_due: Time,
}

impl Pool {
    pub(super) fn new(config: &PolicyConfig) -> Pool {
        let (shared, age_max) = match config.affinity {
            Affinity::Request => (false, None),
            Affinity::Connection { age_max } => (true, age_max),
        };
        Pool {
            config: config.pool,
            breakers: config.circuit_breakers,
            timeouts: config.timeouts,
            shared,
            age_max,
            outlives_list: matches!(config.discovery, Discovery::Resolved { .. }),
            conns: Vec::new(),
            free: Vec::new(),
            tickets: Vec::new(),
            free_tickets: Vec::new(),
            groups: Vec::new(),
            conn_count: 0,
            pending: 0,
            active: 0,
            sweep_due: Time::NEVER,
        }
    }

    fn group_of(&self, slot: u32) -> usize {
        if self.shared { 0 } else { slot as usize }
    }

    fn group(&mut self, slot: u32) -> &mut Group {
        let index = self.group_of(slot);
        if index >= self.groups.len() {
            self.groups.resize_with(index + 1, Group::default);
        }
        &mut self.groups[index]
    }

    fn key(&self, conn: u32) -> ConnKey {
        ConnKey(u64::from(self.conns[conn as usize].generation) << 32 | u64::from(conn))
    }

    fn index(&self, key: ConnKey) -> Option<u32> {
        let conn = key.0 as u32;
        let state = self.conns.get(conn as usize)?;
        (state.occupied && u64::from(state.generation) == key.0 >> 32).then_some(conn)
    }

    /// The slot a live connection leads to.
    pub(super) fn slot_of(&self, key: ConnKey) -> Option<u32> {
        self.index(key).map(|conn| self.conns[conn as usize].slot)
    }

    fn streams_max(&self) -> u32 {
        match self.config.protocol {
            PoolProtocol::Http1 | PoolProtocol::Tcp(_) => 1,
            PoolProtocol::Http2 { max_concurrent_streams } => max_concurrent_streams,
        }
    }

    /// True where a failed request costs its connection.
    pub(super) fn one_request_per_connection(&self) -> bool {
        matches!(self.config.protocol, PoolProtocol::Http1 | PoolProtocol::Tcp(_))
    }

    /// A connection of the shared group that has room, whatever endpoint it leads to.
    pub(super) fn take_shared(
        &mut self,
        now: Time,
        members: &mut Members,
        upkeep: &mut VecDeque<Upkeep>,
    ) -> Option<Acquired> {
        if !self.shared {
            return None;
        }
        self.take_ready(0, now, members, upkeep)
    }

    /// A connection to that endpoint, now or later.
    pub(super) fn acquire(
        &mut self,
        slot: u32,
        request: RequestKey,
        now: Time,
        members: &mut Members,
        upkeep: &mut VecDeque<Upkeep>,
    ) -> Acquired {
        self.group(slot);
        if let Some(acquired) = self.take_ready(slot, now, members, upkeep) {
            return acquired;
        }
        // The first request of a pool is pending while its connection is made (envoy.md 4.1).
        if self.pending >= self.breakers.max_pending_requests {
            return Acquired::Refused(Limit::Pending);
        }
        let waiting = Waiting { request, slot, state: TicketState::Waiting };
        let ticket = if let Some(ticket) = self.free_tickets.pop() {
            self.tickets[ticket as usize] = waiting;
            ticket
        } else {
            self.tickets.push(waiting);
            (self.tickets.len() - 1) as u32
        };
        self.pending += 1;
        let group = self.group(slot);
        group.pending.push_back(ticket);
        group.waiting += 1;
        self.connect_if_short(slot, now, members, upkeep);
        Acquired::Pending(Ticket(ticket))
    }

    fn take_ready(
        &mut self,
        slot: u32,
        now: Time,
        members: &mut Members,
        upkeep: &mut VecDeque<Upkeep>,
    ) -> Option<Acquired> {
        let group = self.group_of(slot);
        loop {
            let conn = *self.groups.get(group)?.ready.last()?;
            let state = &self.conns[conn as usize];
            let idle_too_long = state.streams == 0 && now.since(state.idle_since) >= self.timeouts.idle;
            let too_old = self.age_max.is_some_and(|age| now.since(state.opened) >= age);
            if !(idle_too_long || too_old) {
                if self.active >= self.breakers.max_requests {
                    return Some(Acquired::Refused(Limit::Requests));
                }
                self.attach(conn, members);
                return Some(Acquired::Ready(self.key(conn)));
            }
            self.groups[group].ready.pop();
            self.conns[conn as usize].ready = false;
            self.drain(conn, members, upkeep);
        }
    }

    /// Puts a request on a connection that has room.
    fn attach(&mut self, conn: u32, members: &mut Members) {
        let streams_max = self.streams_max();
        let state = &mut self.conns[conn as usize];
        state.streams += 1;
        state.served += 1;
        self.active += 1;
        members.slots[state.slot as usize].active += 1;
        let used_up =
            self.config.max_requests_per_connection > 0 && state.served >= self.config.max_requests_per_connection;
        if used_up {
            state.state = ConnState::Draining;
        }
        if used_up || state.streams >= streams_max {
            let slot = state.slot;
            self.unready(conn, slot);
        }
    }

    fn unready(&mut self, conn: u32, slot: u32) {
        if std::mem::take(&mut self.conns[conn as usize].ready) {
            let ready = &mut self.group(slot).ready;
            // Nearly always the last one.
            if let Some(at) = ready.iter().rposition(|&c| c == conn) {
                ready.remove(at);
            }
        }
    }

    fn connect_if_short(&mut self, slot: u32, now: Time, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        let streams_max = u64::from(self.streams_max());
        let (max_connections, conn_count) = (self.breakers.max_connections, self.conn_count);
        let group = self.group(slot);
        let short = u64::from(group.connecting) * streams_max < u64::from(group.waiting);
        // A pool without a connection may always open one (envoy.md 4.1).
        if !short || (conn_count >= max_connections && group.conns > 0) {
            return;
        }
        group.connecting += 1;
        group.conns += 1;
        self.conn_count += 1;
        let fresh = |generation| Conn {
            generation,
            occupied: true,
            slot,
            state: ConnState::Connecting,
            streams: 0,
            served: 0,
            opened: now,
            idle_since: now,
            ready: false,
        };
        let conn = if let Some(conn) = self.free.pop() {
            self.conns[conn as usize] = fresh(self.conns[conn as usize].generation + 1);
            conn
        } else {
            self.conns.push(fresh(0));
            (self.conns.len() - 1) as u32
        };
        let endpoint = &mut members.slots[slot as usize];
        endpoint.conns += 1;
        upkeep.push_back(Upkeep::Connect {
            endpoint: EndpointId { slot, generation: endpoint.generation },
            member: endpoint.member.key,
            conn: self.key(conn),
            give_up_at: now + self.timeouts.connect,
        });
    }

    /// A connection was made.
    pub(super) fn on_connected(
        &mut self,
        key: ConnKey,
        now: Time,
        members: &mut Members,
        upkeep: &mut VecDeque<Upkeep>,
    ) {
        let Some(conn) = self.index(key) else { return };
        let state = &mut self.conns[conn as usize];
        if state.state != ConnState::Connecting {
            return;
        }
        state.state = ConnState::Open;
        state.opened = now;
        state.idle_since = now;
        let slot = state.slot;
        self.group(slot).connecting -= 1;
        if members.slots[slot as usize].listed || self.outlives_list {
            self.make_ready(conn, now);
            self.serve(slot, now, members, upkeep);
        } else {
            self.serve_departed(conn, members, upkeep);
            self.drain(conn, members, upkeep);
            self.serve(slot, now, members, upkeep);
        }
    }

    /// The endpoint left while the connection was being made: it serves only those who chose that
    /// endpoint, and nobody after them.
    fn serve_departed(&mut self, conn: u32, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        let slot = self.conns[conn as usize].slot;
        let group = self.group_of(slot);
        for i in 0..self.groups[group].pending.len() {
            let ticket = self.groups[group].pending[i];
            let waiting = &self.tickets[ticket as usize];
            if waiting.state != TicketState::Waiting || waiting.slot != slot {
                continue;
            }
            let state = &self.conns[conn as usize];
            if state.state != ConnState::Open || state.streams >= self.streams_max() {
                break;
            }
            if self.active >= self.breakers.max_requests {
                self.settle(ticket, TicketState::Refused(Limit::Requests), upkeep);
            } else {
                self.attach(conn, members);
                let key = self.key(conn);
                self.settle(ticket, TicketState::Granted(key), upkeep);
            }
        }
    }

    /// Frees the slot of an endpoint that has left, unless somebody still waits for it.
    pub(super) fn release_if_gone(&self, slot: u32, members: &mut Members) {
        if members.slots[slot as usize].listed {
            return;
        }
        let awaited = self.groups.get(self.group_of(slot)).is_some_and(|group| {
            group.waiting > 0
                && group.pending.iter().any(|&ticket| {
                    let waiting = &self.tickets[ticket as usize];
                    waiting.state == TicketState::Waiting && waiting.slot == slot
                })
        });
        if !awaited {
            members.release_if_gone(slot);
        }
    }

    /// A connection could not be made: all that wait in that endpoint's pool fail at once
    /// (envoy.md 4.2); in a shared group only the first that hoped for that endpoint.
    pub(super) fn on_connect_failed(
        &mut self,
        key: ConnKey,
        trouble: Trouble,
        now: Time,
        members: &mut Members,
        upkeep: &mut VecDeque<Upkeep>,
    ) {
        let Some(conn) = self.index(key) else { return };
        if self.conns[conn as usize].state != ConnState::Connecting {
            return;
        }
        let slot = self.conns[conn as usize].slot;
        self.group(slot).connecting -= 1;
        let group = self.group_of(slot);
        for i in 0..self.groups[group].pending.len() {
            let ticket = self.groups[group].pending[i] as usize;
            if self.tickets[ticket].state == TicketState::Waiting && self.tickets[ticket].slot == slot {
                self.settle(ticket as u32, TicketState::Failed(trouble), upkeep);
                if self.shared {
                    break;
                }
            }
        }
        self.trim(group);
        self.free_conn(conn, members);
        // In a shared group others may still wait, for connections that were not allowed before.
        self.serve(slot, now, members, upkeep);
    }

    /// Ends a wait: the ticket leaves the counts and its flight is woken.
    fn settle(&mut self, ticket: u32, state: TicketState, upkeep: &mut VecDeque<Upkeep>) {
        let waiting = &mut self.tickets[ticket as usize];
        waiting.state = state;
        let (slot, request) = (waiting.slot, waiting.request);
        self.pending -= 1;
        self.group(slot).waiting -= 1;
        upkeep.push_back(Upkeep::Wake { request });
    }

    /// Drops settled and cancelled tickets from the head of a queue.
    fn trim(&mut self, group: usize) {
        while let Some(&ticket) = self.groups[group].pending.front() {
            match self.tickets[ticket as usize].state {
                TicketState::Waiting => break,
                TicketState::Cancelled => self.free_tickets.push(ticket),
                // Still to be read by its flight, which frees it.
                TicketState::Granted(_) | TicketState::Failed(_) | TicketState::Refused(_) => {}
            }
            self.groups[group].pending.pop_front();
        }
    }

    fn make_ready(&mut self, conn: u32, now: Time) {
        let state = &mut self.conns[conn as usize];
        if state.state == ConnState::Open && !state.ready {
            state.ready = true;
            let slot = state.slot;
            self.group(slot).ready.push(conn);
            if self.sweep_due == Time::NEVER && self.timeouts.idle != Span::MAX {
                self.sweep_due = now + self.timeouts.idle;
            }
        }
    }

    /// Hands ready connections to those who wait.
    fn serve(&mut self, slot: u32, now: Time, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        let group = self.group_of(slot);
        loop {
            self.trim(group);
            let (Some(&ticket), Some(&conn)) = (self.groups[group].pending.front(), self.groups[group].ready.last())
            else {
                break;
            };
            if self.active >= self.breakers.max_requests {
                self.settle(ticket, TicketState::Refused(Limit::Requests), upkeep);
                continue;
            }
            self.attach(conn, members);
            let key = self.key(conn);
            self.settle(ticket, TicketState::Granted(key), upkeep);
        }
        if self.groups[group].waiting > 0 {
            let hoped_for = self.groups[group]
                .pending
                .iter()
                .map(|&t| self.tickets[t as usize])
                .find(|w| w.state == TicketState::Waiting)
                .map_or(slot, |w| w.slot);
            self.connect_if_short(hoped_for, now, members, upkeep);
        }
    }

    /// What became of a ticket. All but `Waiting` is told once: the ticket is gone then.
    pub(super) fn redeem(&mut self, ticket: Ticket) -> TicketState {
        let state = self.tickets[ticket.0 as usize].state;
        if state != TicketState::Waiting {
            let waiting = self.tickets[ticket.0 as usize];
            let group = self.group_of(waiting.slot);
            // A settled ticket may still stand in the queue, behind others.
            if let Some(at) = self.groups[group].pending.iter().position(|&t| t == ticket.0) {
                self.groups[group].pending.remove(at);
            }
            self.free_tickets.push(ticket.0);
        }
        state
    }

    /// The flight no longer waits. A connection that was reserved for it goes back.
    pub(super) fn cancel(&mut self, ticket: Ticket, now: Time, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        match self.redeem(ticket) {
            TicketState::Waiting => {
                let slot = self.tickets[ticket.0 as usize].slot;
                self.tickets[ticket.0 as usize].state = TicketState::Cancelled;
                self.pending -= 1;
                self.group(slot).waiting -= 1;
                let group = self.group_of(slot);
                self.trim(group);
                self.release_if_gone(slot, members);
            }
            TicketState::Granted(key) => self.release(key, true, now, members, upkeep),
            TicketState::Failed(_) | TicketState::Refused(_) | TicketState::Cancelled => {}
        }
    }

    /// A request ended; `keep` says whether its connection can carry another.
    #[inline]
    pub(super) fn release(
        &mut self,
        key: ConnKey,
        keep: bool,
        now: Time,
        members: &mut Members,
        upkeep: &mut VecDeque<Upkeep>,
    ) {
        let Some(conn) = self.index(key) else { return };
        let state = &mut self.conns[conn as usize];
        state.streams -= 1;
        state.idle_since = now;
        let slot = state.slot;
        self.active -= 1;
        members.slots[slot as usize].active -= 1;
        if keep && state.state == ConnState::Open {
            self.make_ready(conn, now);
            if self.groups[self.group_of(slot)].waiting > 0 {
                self.serve(slot, now, members, upkeep);
            }
        } else {
            self.drain(conn, members, upkeep);
            self.serve(slot, now, members, upkeep);
        }
    }

    /// No new request on that connection; it is closed now or when its last request ends.
    fn drain(&mut self, conn: u32, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        let state = &mut self.conns[conn as usize];
        let slot = state.slot;
        if state.state == ConnState::Open {
            state.state = ConnState::Draining;
        }
        let over = state.streams == 0 && matches!(state.state, ConnState::Draining | ConnState::Dead);
        let tell = state.state == ConnState::Draining;
        self.unready(conn, slot);
        if over {
            if tell {
                upkeep.push_back(Upkeep::Close { conn: self.key(conn) });
            }
            self.free_conn(conn, members);
        }
    }

    fn free_conn(&mut self, conn: u32, members: &mut Members) {
        let state = &mut self.conns[conn as usize];
        state.occupied = false;
        let slot = state.slot;
        self.unready(conn, slot);
        self.free.push(conn);
        self.group(slot).conns -= 1;
        self.conn_count -= 1;
        members.slots[slot as usize].conns -= 1;
        self.release_if_gone(slot, members);
    }

    /// An endpoint left the list.
    pub(super) fn on_unlisted(&mut self, slot: u32, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        if !self.outlives_list {
            self.drain_endpoint(slot, members, upkeep);
        }
        self.release_if_gone(slot, members);
    }

    /// Drains every connection to an endpoint: it was ejected, failed its probes or left.
    pub(super) fn drain_endpoint(&mut self, slot: u32, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        for conn in 0..self.conns.len() as u32 {
            let state = &self.conns[conn as usize];
            if state.occupied && state.slot == slot && state.state == ConnState::Open {
                self.drain(conn, members, upkeep);
            }
        }
    }

    /// The peer closed a connection. Requests on it are reported by the driver, one by one.
    pub(super) fn on_closed(&mut self, key: ConnKey, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        if let Some(conn) = self.index(key) {
            self.peer_closed(conn, members, upkeep);
        }
    }

    /// The peer closed all connections of an endpoint.
    pub(super) fn on_peer_gone(&mut self, slot: u32, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        for conn in 0..self.conns.len() as u32 {
            if self.conns[conn as usize].occupied && self.conns[conn as usize].slot == slot {
                self.peer_closed(conn, members, upkeep);
            }
        }
    }

    fn peer_closed(&mut self, conn: u32, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        let state = &mut self.conns[conn as usize];
        if state.state == ConnState::Connecting {
            // Its own answer is still to come.
            return;
        }
        state.state = ConnState::Dead;
        self.drain(conn, members, upkeep);
    }

    /// Closes connections that were idle too long.
    pub(super) fn sweep(&mut self, now: Time, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        self.sweep_due = Time::NEVER;
        let mut next = Time::NEVER;
        for conn in 0..self.conns.len() as u32 {
            let state = &self.conns[conn as usize];
            if !state.occupied || state.state != ConnState::Open {
                continue;
            }
            let due = state.idle_since + self.timeouts.idle;
            if state.streams > 0 || due > now {
                next = next.min(due.max(now + Span::from_millis(1)));
            } else {
                self.drain(conn, members, upkeep);
            }
        }
        self.sweep_due = next;
    }
}
