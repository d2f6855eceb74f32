//! How connections end: drained, idle, lost, or their endpoint gone.
//!
//! *Knows* which of a group's connections end at which event (envoy.md 4.2, 4.3). *Does not know*
//! why an endpoint was ejected or left.

use super::ConnKey;
use super::Members;
use super::Pool;
use super::Time;
use super::Upkeep;
use super::VecDeque;
use super::conns::ConnState;
use super::queue::NONE;

impl Pool {
    /// No new request on that connection; it is closed now or when its last request ends.
    pub(super) fn drain(&mut self, conn: u32, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        if self.conns.get(conn).state == ConnState::Open {
            self.conns.change(conn, |state| state.state = ConnState::Draining);
        }
        if self.conns.get(conn).streams > 0 {
            return;
        }
        match self.conns.get(conn).state {
            ConnState::Draining => self.close(conn, members, upkeep),
            ConnState::Dead => self.free_conn(conn, members),
            ConnState::Free | ConnState::Connecting | ConnState::Open => {}
        }
    }

    /// Tells the driver to close a connection that carries nothing, and forgets it.
    fn close(&mut self, conn: u32, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        upkeep.push_back(Upkeep::Close { conn: self.conns.key(conn) });
        self.free_conn(conn, members);
    }

    pub(super) fn free_conn(&mut self, conn: u32, members: &mut Members) {
        let slot = self.conns.get(conn).slot;
        self.conns.remove(conn);
        *members.conns_mut(slot) -= 1;
        self.release_if_gone(slot, members);
    }

    /// Frees the slot of an endpoint that has left, unless somebody still waits for it.
    #[inline]
    pub(in crate::policy) fn release_if_gone(&self, slot: u32, members: &mut Members) {
        if members.listed(slot) {
            return;
        }
        let head = self.conns.groups.get(self.conns.group_of(slot)).map_or(NONE, |group| group.line.head);
        if self.tickets.find(head, slot) == NONE {
            members.release_if_gone(slot);
        }
    }

    /// An endpoint left the list. Connections that carry nothing are closed; the others serve those
    /// who chose the endpoint before it left, and are closed after them (envoy.md 4.3).
    pub(in crate::policy) fn on_unlisted(&mut self, slot: u32, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        if self.conns.shared && !self.outlives_list {
            self.drain_endpoint(slot, members, upkeep);
        }
        self.close_departed(slot, members, upkeep);
        self.release_if_gone(slot, members);
    }

    /// The endpoint has left, and its connections are of no use to anybody else.
    fn departed(&self, slot: u32, members: &Members) -> bool {
        !members.listed(slot) && !self.outlives_list && !self.conns.shared
    }

    /// Closes what carries nothing of the connections to an endpoint that has left, and what is still being
    /// made when nobody waits: asked whenever a dial stands or a request ends (Envoy's
    /// `checkForIdleAndCloseIdleConnsIfDraining`).
    pub(super) fn close_departed(&mut self, slot: u32, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        if !self.departed(slot, members) || members.conns(slot) == 0 {
            return;
        }
        for conn in self.conns.of(slot) {
            if self.conns.get(conn).state == ConnState::Open && self.conns.get(conn).streams == 0 {
                self.drain(conn, members, upkeep);
            }
        }
        self.close_unawaited(slot, members, upkeep);
    }

    /// Connections that are being made while nobody waits for one are given up.
    fn close_unawaited(&mut self, slot: u32, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        let group = self.conns.group_of(slot);
        if self.conns.groups.get(group).is_none_or(|group| group.line.len > 0) {
            return;
        }
        for conn in self.conns.of(slot) {
            if self.conns.get(conn).state == ConnState::Connecting {
                self.close(conn, members, upkeep);
            }
        }
    }

    /// A TCP client went away before its connection was made, and another one does not need it.
    pub(super) fn close_excess(&mut self, slot: u32, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        for conn in self.conns.of(slot) {
            let group = &self.conns.groups[self.conns.group_of(slot)];
            let active = i64::from(if self.conns.shared { self.active } else { members.active(slot) });
            let wanted = (i64::from(group.line.len) + active) * i64::from(self.config.preconnect_percent);
            let left = group.room - self.conns.get(conn).unused() + active;
            if self.conns.get(conn).state == ConnState::Connecting && wanted <= left * 100 {
                return self.close(conn, members, upkeep);
            }
        }
    }

    /// The endpoint of a shared group left while the connection was being made: it serves only those
    /// who chose that endpoint, and nobody after them.
    pub(super) fn serve_departed(&mut self, conn: u32, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        let slot = self.conns.get(conn).slot;
        let group = self.conns.group_of(slot);
        let mut ticket = self.tickets.find(self.conns.groups[group].line.head, slot);
        while ticket != NONE && self.conns.get(conn).state == ConnState::Open && self.conns.get(conn).unused() > 0 {
            let after = self.tickets.after(ticket);
            self.grant(ticket, conn, members, upkeep);
            ticket = self.tickets.find(after, slot);
        }
    }

    /// Drains every connection to an endpoint: it was ejected or failed its probes. Those that are
    /// being made go on if somebody waits for them (envoy.md 4.2).
    pub(in crate::policy) fn drain_endpoint(
        &mut self,
        slot: u32,
        members: &mut Members,
        upkeep: &mut VecDeque<Upkeep>,
    ) {
        if members.conns(slot) == 0 {
            return;
        }
        for conn in self.conns.of(slot) {
            if self.conns.get(conn).state == ConnState::Open {
                self.drain(conn, members, upkeep);
            }
        }
        self.close_unawaited(slot, members, upkeep);
    }

    /// The peer of an HTTP/2 connection takes no new streams (GOAWAY).
    pub(in crate::policy) fn on_goaway(&mut self, key: ConnKey, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        if let Some(conn) = self.conns.index(key)
            && self.conns.get(conn).state == ConnState::Open
        {
            self.drain(conn, members, upkeep);
        }
    }

    /// The peer closed a connection. Requests on it are reported by the driver, one by one.
    pub(in crate::policy) fn on_closed(
        &mut self,
        key: ConnKey,
        now: Time,
        members: &mut Members,
        upkeep: &mut VecDeque<Upkeep>,
    ) {
        if let Some(conn) = self.conns.index(key) {
            self.peer_closed(conn, now, members, upkeep);
        }
    }

    /// The peer closed all connections of an endpoint.
    pub(in crate::policy) fn on_peer_gone(
        &mut self,
        slot: u32,
        now: Time,
        members: &mut Members,
        upkeep: &mut VecDeque<Upkeep>,
    ) {
        for conn in self.conns.of(slot) {
            self.peer_closed(conn, now, members, upkeep);
        }
    }

    fn peer_closed(&mut self, conn: u32, now: Time, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        if matches!(self.conns.get(conn).state, ConnState::Connecting | ConnState::Free) {
            // Its own answer is still to come.
            return;
        }
        let slot = self.conns.get(conn).slot;
        self.conns.change(conn, |state| state.state = ConnState::Dead);
        self.drain(conn, members, upkeep);
        // Who waits and has just lost a connection needs another one.
        self.serve(slot, now, members, upkeep);
    }

    /// Closes connections that were idle too long.
    pub(in crate::policy) fn sweep(&mut self, now: Time, members: &mut Members, upkeep: &mut VecDeque<Upkeep>) {
        let (over, next) = self.conns.idle_for(self.timeouts.idle, now);
        for conn in over {
            self.drain(conn, members, upkeep);
        }
        // Those that carry something are watched from their next release on.
        self.sweep_due = next;
    }
}
