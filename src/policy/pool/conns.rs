//! The connections of a router, and which of them have room.
//!
//! *Knows* each connection's state and streams, and how many more its group could take at once.
//! *Does not know* who waits.
//! Invariant: whatever changes a connection goes through [`Conns::change`], which keeps its group's
//! room and the chain of those that have room.

use super::queue::Line;
use super::queue::NONE;
use crate::policy::ConnKey;
use crate::units::Span;
use crate::units::Time;

/// One connection: one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Conn {
    pub(super) idle_since: Time,
    pub(super) opened: Time,
    generation: u32,
    pub(super) slot: u32,
    pub(super) streams: u32,
    /// Requests it may still take in its life; `u32::MAX` is no limit.
    pub(super) left: u32,
    /// Requests at a time.
    pub(super) limit: u32,
    /// Its neighbours in the chain of its group.
    prev: u32,
    next: u32,
    pub(super) state: ConnState,
    /// It stands in the chain.
    ready: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ConnState {
    /// The entry is not in use.
    Free,
    Connecting,
    Open,
    /// Takes no more requests; closed when the last one ends.
    Draining,
    /// The peer closed it; freed when the last request has been reported.
    Dead,
}

impl Conn {
    /// Requests it could take now, or when it stands. Negative when the peer lowered the limit
    /// below what is under way.
    #[inline]
    pub(super) fn unused(&self) -> i64 {
        i64::from(self.left).min(i64::from(self.limit) - i64::from(self.streams))
    }

    /// Its name: generation and index.
    #[inline]
    fn key(&self, conn: u32) -> ConnKey {
        ConnKey(u64::from(self.generation) << 32 | u64::from(conn))
    }

    /// What it adds to the room of its group.
    #[inline]
    fn counted(&self) -> i64 {
        if matches!(self.state, ConnState::Connecting | ConnState::Open) { self.unused() } else { 0 }
    }
}

/// Connections that are chosen among as one, and who waits for them.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(super) struct Group {
    /// Requests that its connections could take, those that are being made included.
    pub(super) room: i64,
    /// The most recently used connection with room.
    ready: u32,
    pub(super) line: Line,
    /// Connections, whatever their state.
    pub(super) conns: u32,
}

impl Group {
    const EMPTY: Group = Group { room: 0, ready: NONE, line: Line::EMPTY, conns: 0 };
}

/// All connections, by index; and their groups.
#[derive(Clone, Debug, Default)]
pub(super) struct Conns {
    all: Vec<Conn>,
    free: Vec<u32>,
    pub(super) groups: Vec<Group>,
    /// One group for all endpoints.
    pub(super) shared: bool,
    /// Connections in use.
    pub(super) count: u32,
}

impl Conns {
    pub(super) fn new(shared: bool) -> Conns {
        Conns { shared, ..Conns::default() }
    }

    /// The group of an endpoint's connections.
    #[inline]
    pub(super) fn group_of(&self, slot: u32) -> usize {
        if self.shared { 0 } else { slot as usize }
    }

    /// Makes sure that the endpoint has a group.
    #[inline]
    pub(super) fn ensure_group(&mut self, slot: u32) {
        let index = self.group_of(slot);
        if index >= self.groups.len() {
            self.groups.resize(index + 1, Group::EMPTY);
        }
    }

    #[inline]
    pub(super) fn get(&self, conn: u32) -> &Conn {
        &self.all[conn as usize]
    }

    pub(super) fn key(&self, conn: u32) -> ConnKey {
        self.all[conn as usize].key(conn)
    }

    /// The index of a connection that is still known.
    #[inline]
    pub(super) fn index(&self, key: ConnKey) -> Option<u32> {
        let conn = key.0 as u32;
        let state = self.all.get(conn as usize)?;
        (state.state != ConnState::Free && u64::from(state.generation) == key.0 >> 32).then_some(conn)
    }

    /// The most recently used connection of a group that has room.
    #[inline]
    pub(super) fn front(&self, group: usize) -> Option<u32> {
        let conn = self.groups.get(group)?.ready;
        (conn != NONE).then_some(conn)
    }

    /// Indices of the connections to an endpoint.
    pub(super) fn of(&self, slot: u32) -> impl Iterator<Item = u32> + use<> {
        // Collected: the caller closes some of them on the way.
        let of =
            |conn: &u32| self.all[*conn as usize].state != ConnState::Free && self.all[*conn as usize].slot == slot;
        (0..self.all.len() as u32).filter(of).collect::<Vec<u32>>().into_iter()
    }

    /// Indices of the connections that have been idle for as long as `idle`, and when the next one
    /// will have been.
    pub(super) fn idle_for(&self, idle: Span, now: Time) -> (Vec<u32>, Time) {
        let (mut over, mut next) = (Vec::new(), Time::NEVER);
        for (conn, state) in self.all.iter().enumerate() {
            if state.state == ConnState::Open && state.streams == 0 {
                let due = state.idle_since + idle;
                if due <= now {
                    over.push(conn as u32);
                } else {
                    next = next.min(due);
                }
            }
        }
        (over, next)
    }

    /// A new connection, being made.
    pub(super) fn add(&mut self, slot: u32, now: Time, left: u32, limit: u32) -> u32 {
        let fresh = |generation| Conn {
            idle_since: now,
            opened: now,
            generation,
            slot,
            streams: 0,
            left,
            limit,
            prev: NONE,
            next: NONE,
            state: ConnState::Free,
            ready: false,
        };
        let conn = if let Some(conn) = self.free.pop() {
            self.all[conn as usize] = fresh(self.all[conn as usize].generation + 1);
            conn
        } else {
            self.all.push(fresh(0));
            (self.all.len() - 1) as u32
        };
        self.change(conn, |state| state.state = ConnState::Connecting);
        let group = self.group_of(slot);
        self.groups[group].conns += 1;
        self.count += 1;
        conn
    }

    /// Forgets a connection; its name means nothing from now on.
    pub(super) fn remove(&mut self, conn: u32) {
        self.change(conn, |state| state.state = ConnState::Free);
        let group = self.group_of(self.all[conn as usize].slot);
        self.groups[group].conns -= 1;
        self.count -= 1;
        self.free.push(conn);
    }

    /// Puts a request on a connection that has room. Where it leads to, its name, and true if the
    /// request was the last of its life.
    #[expect(clippy::inline_always, reason = "every request makes this call (reports/performance.md)")]
    #[inline(always)]
    pub(super) fn load(&mut self, conn: u32) -> (u32, ConnKey, bool) {
        let state = &mut self.all[conn as usize];
        let (slot, key) = (state.slot, state.key(conn));
        if state.ready && state.left == u32::MAX {
            // The common case of `change`: room for one less.
            state.streams += 1;
            let full = state.streams >= state.limit;
            let group = self.group_of(slot);
            self.groups[group].room -= 1;
            if full {
                self.unlink(conn, group);
            }
            return (slot, key, false);
        }
        (slot, key, self.load_slowly(conn))
    }

    #[inline(never)]
    fn load_slowly(&mut self, conn: u32) -> bool {
        let mut used_up = false;
        self.change(conn, |state| {
            state.streams += 1;
            if state.left != u32::MAX {
                state.left -= 1;
                if state.left == 0 {
                    state.state = ConnState::Draining;
                    used_up = true;
                }
            }
        });
        used_up
    }

    /// A request on a connection ended. Where it leads to.
    #[inline]
    pub(super) fn unload(&mut self, conn: u32, now: Time) -> u32 {
        let state = &mut self.all[conn as usize];
        let slot = state.slot;
        state.idle_since = now;
        if state.state == ConnState::Open && state.left == u32::MAX {
            // The common case of `change`: room for one more.
            state.streams -= 1;
            let links = !state.ready && state.streams < state.limit;
            let group = self.group_of(slot);
            self.groups[group].room += 1;
            if links {
                self.link(conn, group);
            }
        } else {
            self.unload_slowly(conn);
        }
        slot
    }

    #[inline(never)]
    fn unload_slowly(&mut self, conn: u32) {
        self.change(conn, |state| state.streams -= 1);
    }

    /// Changes a connection. One that gets room is the first to be used again.
    #[inline]
    pub(super) fn change(&mut self, conn: u32, how: impl FnOnce(&mut Conn)) {
        let index = self.group_of(self.all[conn as usize].slot);
        let (state, group) = (&mut self.all[conn as usize], &mut self.groups[index]);
        let before = state.counted();
        how(state);
        group.room += state.counted() - before;
        let ready = state.state == ConnState::Open && state.unused() > 0;
        if ready == state.ready {
            return;
        }
        if ready {
            self.link(conn, index);
        } else {
            self.unlink(conn, index);
        }
    }

    /// Puts a connection that has got room at the head of its group's chain.
    #[inline]
    fn link(&mut self, conn: u32, group: usize) {
        let next = std::mem::replace(&mut self.groups[group].ready, conn);
        let state = &mut self.all[conn as usize];
        state.ready = true;
        (state.prev, state.next) = (NONE, next);
        if next != NONE {
            self.all[next as usize].prev = conn;
        }
    }

    /// Takes a connection without room out of its group's chain.
    #[expect(clippy::inline_always, reason = "every request makes this call (reports/performance.md)")]
    #[inline(always)]
    fn unlink(&mut self, conn: u32, group: usize) {
        let state = &mut self.all[conn as usize];
        state.ready = false;
        let (prev, next) = (state.prev, state.next);
        match prev {
            NONE => self.groups[group].ready = next,
            prev => self.all[prev as usize].next = next,
        }
        if next != NONE {
            self.all[next as usize].prev = prev;
        }
    }
}
