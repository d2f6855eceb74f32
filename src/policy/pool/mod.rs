//! Which connection carries a request; no sockets.
//!
//! *Knows* connections by name, who waits for one, and the ceilings (envoy.md 4.1 to 4.3). *Does
//! not know* how a connection is made: it asks the driver through [`Upkeep`].
//! A group shares connections: one group per endpoint when requests are balanced, a single one
//! when the choice is made per connection. `conns` is what stands, `queue` who waits, `leaving`
//! how connections end.

mod conns;
mod leaving;
mod queue;

use super::ConnKey;
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
use conns::ConnState;
use conns::Conns;
use queue::NONE;
use queue::Tickets;
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

/// What happened to the connections of a router, under the names of Envoy's cluster statistics.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PoolStats {
    /// Connections begun.
    pub upstream_cx_total: u64,
    /// A connection was wanted, but `max_connections` or that of its host was reached; counted also
    /// where it was made nevertheless because its pool had none.
    pub upstream_cx_overflow: u64,
    /// Connections that could not be made, those that took too long included.
    pub upstream_cx_connect_fail: u64,
    /// Those of them that took too long.
    pub upstream_cx_connect_timeout: u64,
    /// Connections that had carried as many requests as they may.
    pub upstream_cx_max_requests: u64,
    /// Requests turned away by `max_pending_requests`.
    pub upstream_rq_pending_overflow: u64,
    /// Requests turned away by `max_requests` when a connection was there for them (1.38 and later).
    pub upstream_rq_active_overflow: u64,
}

impl PoolStats {
    /// Each statistic with its name.
    pub const fn named(&self) -> [(&'static str, u64); 7] {
        [
            ("upstream_cx_total", self.upstream_cx_total),
            ("upstream_cx_overflow", self.upstream_cx_overflow),
            ("upstream_cx_connect_fail", self.upstream_cx_connect_fail),
            ("upstream_cx_connect_timeout", self.upstream_cx_connect_timeout),
            ("upstream_cx_max_requests", self.upstream_cx_max_requests),
            ("upstream_rq_pending_overflow", self.upstream_rq_pending_overflow),
            ("upstream_rq_active_overflow", self.upstream_rq_active_overflow),
        ]
    }
}

/// New connections at the most per event in one group of Envoy's (envoy.md 4.2).
const CONNECTS_PER_EVENT: u32 = 3;

/// The connections of one router.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    config: PoolConfig,
    breakers: CircuitBreakers,
    timeouts: Timeouts,
    age_max: Option<Span>,
    /// Connections outlive their endpoint's place in the list: an answer of DNS is a hint for the
    /// next connection, not a withdrawal of those that stand (aws.md 2.1).
    outlives_list: bool,
    conns: Conns,
    tickets: Tickets,
    pub(super) stats: PoolStats,
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
            age_max,
            outlives_list: matches!(config.discovery, Discovery::Resolved { .. }),
            conns: Conns::new(shared),
            tickets: Tickets::default(),
            stats: PoolStats::default(),
            pending: 0,
            active: 0,
            sweep_due: Time::NEVER,
        }
    }

    /// Connections that stand, or are being made.
    pub(super) fn conn_count(&self) -> u32 {
        self.conns.count
    }

    /// The slot a live connection leads to.
    #[inline]
    pub(super) fn slot_of(&self, key: ConnKey) -> Option<u32> {
        self.conns.index(key).map(|conn| self.conns.get(conn).slot)
    }

    /// The slot that a connection which was just handed out leads to.
    #[inline]
    pub(super) fn leads_to(&self, key: ConnKey) -> u32 {
        self.conns.get(key.0 as u32).slot
    }

    /// How long a connection carried nothing, up to now or up to the only request on it.
    #[inline]
    pub(super) fn idle_for(&self, now: Time, key: ConnKey) -> Span {
        let Some(conn) = self.conns.index(key) else { return Span::ZERO };
        let state = self.conns.get(conn);
        if state.streams > 1 { Span::ZERO } else { now.since(state.idle_since) }
    }

    /// Requests that a connection carries at a time, as far as this end is concerned.
    fn own_limit(&self) -> u32 {
        match self.config.protocol {
            PoolProtocol::Http1 | PoolProtocol::Tcp(_) => 1,
            PoolProtocol::Http2 { max_concurrent_streams } => max_concurrent_streams,
        }
    }

    /// A request is a connection of its own.
    #[inline]
    pub(super) fn tcp(&self) -> bool {
        matches!(self.config.protocol, PoolProtocol::Tcp(_))
    }

    /// `max_requests` is for HTTP; a TCP proxy's requests are its connections.
    #[inline]
    fn requests_full(&self) -> bool {
        self.active >= self.breakers.max_requests && !self.tcp()
    }

    /// True where a failed request costs its connection.
    pub(super) fn one_request_per_connection(&self) -> bool {
        matches!(self.config.protocol, PoolProtocol::Http1 | PoolProtocol::Tcp(_))
    }

    /// A TCP proxy refuses where no connection may be made: it would wait for one that is never
    /// given back (envoy.md 4.4).
    pub(super) fn refuses_connection(&mut self) -> bool {
        let full = self.tcp() && self.conns.count >= self.breakers.max_connections;
        self.stats.upstream_cx_overflow += u64::from(full);
        full
    }

    /// A connection of the shared group that has room, whatever endpoint it leads to.
    #[inline]
    pub(super) fn take_shared(
        &mut self,
        now: Time,
        members: &mut Members,
        upkeep: &mut VecDeque<Upkeep>,
    ) -> Option<Acquired> {
        if self.conns.shared { self.take_any(now, members, upkeep) } else { None }
    }

    #[inline(never)]
    fn take_any(&mut self, now: Time, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) -> Option<Acquired> {
        let taken = self.take_ready(0, now, members, upkeep)?;
        if let Acquired::Ready(key) = taken
            && let Some(slot) = self.slot_of(key)
        {
            self.preconnect(slot, now, members, upkeep);
        }
        Some(taken)
    }

    /// A connection to that endpoint, now or later.
    #[expect(clippy::inline_always, reason = "every request makes this call (reports/performance.md)")]
    #[inline(always)]
    pub(super) fn acquire(
        &mut self,
        slot: u32,
        request: RequestKey,
        now: Time,
        members: &mut Members,
        upkeep: &mut VecDeque<Upkeep>,
    ) -> Acquired {
        self.conns.ensure_group(slot);
        if let Some(acquired) = self.take_ready(slot, now, members, upkeep) {
            self.preconnect(slot, now, members, upkeep);
            return acquired;
        }
        self.join(slot, request, now, members, upkeep)
    }

    /// A request that found no connection queues for one.
    #[inline(never)]
    fn join(
        &mut self,
        slot: u32,
        request: RequestKey,
        now: Time,
        members: &mut Members,
        upkeep: &mut VecDeque<Upkeep>,
    ) -> Acquired {
        // The first request of a pool is pending while its connection is made (envoy.md 4.1).
        if self.pending >= self.breakers.max_pending_requests {
            self.stats.upstream_rq_pending_overflow += 1;
            return Acquired::Refused(Limit::Pending);
        }
        let group = self.conns.group_of(slot);
        let ticket = self.tickets.join(&mut self.conns.groups[group].line, request, slot);
        self.pending += 1;
        self.connect_if_short(slot, now, members, upkeep);
        Acquired::Pending(Ticket(ticket))
    }

    #[expect(clippy::inline_always, reason = "every request makes this call (reports/performance.md)")]
    #[inline(always)]
    fn take_ready(
        &mut self,
        slot: u32,
        now: Time,
        members: &mut Members,
        upkeep: &mut VecDeque<Upkeep>,
    ) -> Option<Acquired> {
        let group = self.conns.group_of(slot);
        let mut conn = self.conns.front(group)?;
        if self.is_stale(conn, now) {
            conn = self.next_fresh(conn, group, now, members, upkeep)?;
        }
        if self.requests_full() {
            self.stats.upstream_rq_active_overflow += 1;
            return Some(Acquired::Refused(Limit::Requests));
        }
        Some(Acquired::Ready(self.attach(conn, members)))
    }

    /// It was idle for too long, or is too old.
    #[inline]
    fn is_stale(&self, conn: u32, now: Time) -> bool {
        let state = self.conns.get(conn);
        let idle_too_long = state.streams == 0 && now.since(state.idle_since) >= self.timeouts.idle;
        idle_too_long || self.age_max.is_some_and(|age| now.since(state.opened) >= age)
    }

    /// Drains the stale connections of a group, from its first on, up to one that is not.
    #[inline(never)]
    fn next_fresh(
        &mut self,
        stale: u32,
        group: usize,
        now: Time,
        members: &mut Members,
        upkeep: &mut VecDeque<Upkeep>,
    ) -> Option<u32> {
        self.drain(stale, members, upkeep);
        while let Some(conn) = self.conns.front(group) {
            if !self.is_stale(conn, now) {
                return Some(conn);
            }
            self.drain(conn, members, upkeep);
        }
        None
    }

    /// Puts a request on a connection that has room.
    #[expect(clippy::inline_always, reason = "every request makes this call (reports/performance.md)")]
    #[inline(always)]
    fn attach(&mut self, conn: u32, members: &mut Members) -> ConnKey {
        let (slot, key, used_up) = self.conns.load(conn);
        self.stats.upstream_cx_max_requests += u64::from(used_up);
        self.active += 1;
        *members.active_mut(slot) += 1;
        key
    }

    /// True if what stands and is being made does not do for what waits, times the preconnect ratio,
    /// which is for healthy endpoints only (envoy.md 4.2).
    fn short(&self, slot: u32, members: &Members) -> bool {
        let group = &self.conns.groups[self.conns.group_of(slot)];
        let waiting = i64::from(group.line.len);
        if self.config.preconnect_percent <= 100 || !members.wants_preconnect(slot) {
            return waiting > group.room;
        }
        let active = i64::from(if self.conns.shared { self.active } else { members.active(slot) });
        (waiting + active).saturating_mul(i64::from(self.config.preconnect_percent))
            > (group.room + active).saturating_mul(100)
    }

    #[inline]
    fn preconnect(&mut self, slot: u32, now: Time, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        if self.config.preconnect_percent > 100 && members.wants_preconnect(slot) {
            self.connect_if_short(slot, now, members, upkeep);
        }
    }

    fn connect_if_short(&mut self, slot: u32, now: Time, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        // In a shared group each of those who wait may hope for another endpoint.
        for _ in 0..if self.conns.shared { 1 } else { CONNECTS_PER_EVENT } {
            if !self.short(slot, members) {
                return;
            }
            let full = self.conns.count >= self.breakers.max_connections
                || members.conns(slot) >= self.breakers.per_host_max_connections;
            self.stats.upstream_cx_overflow += u64::from(full);
            // A pool without a connection may always open one (envoy.md 4.1).
            if full && self.conns.groups[self.conns.group_of(slot)].conns > 0 {
                return;
            }
            self.connect(slot, now, members, upkeep);
            if full {
                return;
            }
        }
    }

    fn connect(&mut self, slot: u32, now: Time, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        let left = match (self.tcp(), self.config.max_requests_per_connection) {
            (true, _) => 1,
            (false, 0) => u32::MAX,
            (false, most) => most,
        };
        let conn = self.conns.add(slot, now, left, self.own_limit());
        self.stats.upstream_cx_total += 1;
        *members.conns_mut(slot) += 1;
        upkeep.push_back(Upkeep::Connect {
            endpoint: members.id(slot),
            member: members.key(slot),
            conn: self.conns.key(conn),
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
        let Some(conn) = self.conns.index(key) else { return };
        if self.conns.get(conn).state != ConnState::Connecting {
            return;
        }
        self.conns.change(conn, |state| {
            state.state = ConnState::Open;
            state.opened = now;
            state.idle_since = now;
        });
        self.watch_idle(now);
        let slot = self.conns.get(conn).slot;
        if self.conns.shared && !members.listed(slot) && !self.outlives_list {
            self.serve_departed(conn, members, upkeep);
            self.drain(conn, members, upkeep);
        }
        self.serve(slot, now, members, upkeep);
        self.close_departed(slot, members, upkeep);
    }

    /// The peer of an HTTP/2 connection takes so many streams at a time; the smaller of that and
    /// this end's own limit counts (envoy.md 4.2).
    pub(super) fn on_settings(
        &mut self,
        key: ConnKey,
        max_concurrent_streams: u32,
        now: Time,
        members: &mut Members,
        upkeep: &mut VecDeque<Upkeep>,
    ) {
        let (PoolProtocol::Http2 { .. }, Some(conn)) = (self.config.protocol, self.conns.index(key)) else { return };
        let limit = self.own_limit().min(max_concurrent_streams);
        self.conns.change(conn, |state| state.limit = limit);
        self.serve(self.conns.get(conn).slot, now, members, upkeep);
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
        let Some(conn) = self.conns.index(key) else { return };
        if self.conns.get(conn).state != ConnState::Connecting {
            return;
        }
        self.stats.upstream_cx_connect_fail += 1;
        self.stats.upstream_cx_connect_timeout += u64::from(trouble == Trouble::ConnectTimeout);
        let slot = self.conns.get(conn).slot;
        let group = self.conns.group_of(slot);
        let mut ticket = self.tickets.find(self.conns.groups[group].line.head, slot);
        while ticket != NONE {
            let after = self.tickets.after(ticket);
            self.settle(ticket, TicketState::Failed(trouble), upkeep);
            ticket = if self.conns.shared { NONE } else { self.tickets.find(after, slot) };
        }
        self.free_conn(conn, members);
        // In a shared group others may still wait, for connections that were not allowed before.
        self.serve(slot, now, members, upkeep);
        self.preconnect(slot, now, members, upkeep);
        self.close_departed(slot, members, upkeep);
    }

    /// Ends a wait: the ticket leaves the counts and its flight is woken.
    fn settle(&mut self, ticket: u32, state: TicketState, upkeep: &mut VecDeque<Upkeep>) {
        let (slot, request) = (self.tickets.get(ticket).slot, self.tickets.get(ticket).request);
        let group = self.conns.group_of(slot);
        self.tickets.leave(&mut self.conns.groups[group].line, ticket, state);
        self.pending -= 1;
        upkeep.push_back(Upkeep::Wake { request });
    }

    /// Gives a waiting request a connection with room, unless a ceiling forbids it.
    fn grant(&mut self, ticket: u32, conn: u32, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        if self.requests_full() {
            self.stats.upstream_rq_active_overflow += 1;
            self.settle(ticket, TicketState::Refused(Limit::Requests), upkeep);
        } else {
            let key = self.attach(conn, members);
            self.settle(ticket, TicketState::Granted(key), upkeep);
        }
    }

    /// Hands ready connections to those who wait, and has more made if that does not do.
    fn serve(&mut self, slot: u32, now: Time, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        let group = self.conns.group_of(slot);
        while self.conns.groups[group].line.len > 0
            && let Some(conn) = self.conns.front(group)
        {
            self.grant(self.conns.groups[group].line.head, conn, members, upkeep);
        }
        let first = self.conns.groups[group].line.head;
        if first != NONE {
            self.connect_if_short(self.tickets.get(first).slot, now, members, upkeep);
        }
    }

    /// What became of a ticket. All but `Waiting` is told once: the ticket is gone then.
    pub(super) fn redeem(&mut self, ticket: Ticket) -> TicketState {
        let state = self.tickets.get(ticket.0).state;
        if state != TicketState::Waiting {
            self.tickets.forget(ticket.0);
        }
        state
    }

    /// The flight no longer waits. A connection that was reserved for it goes back.
    pub(super) fn cancel(&mut self, ticket: Ticket, now: Time, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        match self.redeem(ticket) {
            TicketState::Waiting => {
                let slot = self.tickets.get(ticket.0).slot;
                let group = self.conns.group_of(slot);
                self.tickets.leave(&mut self.conns.groups[group].line, ticket.0, TicketState::Waiting);
                self.tickets.forget(ticket.0);
                self.pending -= 1;
                if self.tcp() {
                    self.close_excess(slot, members, upkeep);
                }
                self.close_departed(slot, members, upkeep);
                self.release_if_gone(slot, members);
            }
            TicketState::Granted(key) => self.release(key, !self.tcp(), now, members, upkeep),
            TicketState::Failed(_) | TicketState::Refused(_) => {}
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
        let Some(conn) = self.conns.index(key) else { return };
        let slot = self.conns.unload(conn, now);
        self.active -= 1;
        *members.active_mut(slot) -= 1;
        let stays = keep && self.conns.get(conn).state == ConnState::Open;
        if stays {
            self.watch_idle(now);
        } else {
            self.drain(conn, members, upkeep);
        }
        if self.conns.groups[self.conns.group_of(slot)].line.len > 0 {
            self.serve(slot, now, members, upkeep);
        }
        if stays && !members.listed(slot) {
            self.close_departed(slot, members, upkeep);
        }
    }

    /// Makes sure that connections are looked at when they have been idle for too long.
    #[inline]
    fn watch_idle(&mut self, now: Time) {
        // Whoever became idle before is due before.
        if self.sweep_due == Time::NEVER && self.timeouts.idle != Span::MAX {
            self.sweep_due = now + self.timeouts.idle;
        }
    }
}
