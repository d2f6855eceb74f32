//! Two ways to the same callees, and callers that move from one to the other.
//!
//! *Knows* which mechanism is on which path, and which path a call takes: the caller's flag says for how
//! large a share of its calls it is the second. *Does not know* what a mechanism does; every task is
//! registered on both paths all along, and every caller has a router for each, with its own list, its own
//! health and its own connections.
//!
//! A plane that nobody leaves has one path, and a call on it looks at nothing here but an empty list.

use super::hop::Feed;
use super::random::Key;
use super::random::Purpose;
use super::record::NOBODY;
use super::world::World;
use crate::measure::Happening;
use crate::measure::HappeningKind;
use crate::scenario::AlbPlane;
use crate::scenario::DnsPlane;
use crate::scenario::Mechanism;
use crate::scenario::ServiceId;
use crate::scenario::SidecarPlane;
use crate::units::Ratio;

impl<'a> World<'a> {
    /// How many paths the plane has.
    pub(super) fn paths(&self) -> u8 {
        1 + u8::from(self.plane.second.is_some())
    }

    /// What carries calls on a path.
    pub(super) fn mechanism(&self, path: u8) -> &'a Mechanism {
        match &self.plane.second {
            Some(second) if path == 1 => &second.mechanism,
            _ => &self.plane.mechanism,
        }
    }

    /// The path of that kind, if the plane has one: the two are never of the same kind.
    fn path_where(&self, is: fn(&Mechanism) -> bool) -> Option<u8> {
        (0..self.paths()).find(|&path| is(self.mechanism(path)))
    }

    /// The path on which clients ask DNS; the first if there is none.
    pub(super) fn dns_path(&self) -> u8 {
        self.path_where(|mechanism| matches!(mechanism, Mechanism::Dns(_))).unwrap_or(0)
    }

    /// The path on which an ALB stands; the first if there is none.
    pub(super) fn alb_path(&self) -> u8 {
        self.path_where(|mechanism| matches!(mechanism, Mechanism::Alb(_))).unwrap_or(0)
    }

    /// The sidecar part of the plane, if it has one.
    #[inline]
    pub(super) fn sidecar(&self) -> Option<&'a SidecarPlane> {
        self.plane.sidecar()
    }

    /// The DNS part of the plane, if it has one.
    pub(super) fn dns(&self) -> Option<&'a DnsPlane> {
        self.plane.dns()
    }

    /// The ALB part of the plane, if it has one.
    pub(super) fn alb(&self) -> Option<&'a AlbPlane> {
        self.plane.alb()
    }

    /// The sidecar that stands before each task's app, if the plane has such.
    #[inline]
    pub(super) fn front(&self) -> Option<&'a SidecarPlane> {
        self.sidecar().filter(|sidecar| sidecar.inbound)
    }

    /// True if what comes from that router passes a sidecar before it reaches the app: what the caller's
    /// proxy sends, and on the other path what an ALB's node sends as well, because the proxy listens on the
    /// container's own port (aws.md 1.4). ASSUMPTION(migration.inbound): so does what a DNS client sends.
    #[inline]
    pub(super) fn fronted(&self, router: u32) -> bool {
        self.routers[router as usize].meets_proxies() && self.front().is_some()
    }

    /// How a router hears of a callee on a path.
    pub(super) fn feed_of(&self, callee: ServiceId, path: u8) -> Feed {
        if self.scenario.service(callee).external {
            return Feed::Now;
        }
        match self.mechanism(path) {
            Mechanism::Direct => Feed::Now,
            Mechanism::Sidecar(_) => Feed::Pushed,
            Mechanism::Dns(_) => Feed::Dns,
            Mechanism::Alb(_) => Feed::Nodes,
        }
    }

    /// Where the policy and the time-outs of an arrow are, on a router's path.
    #[inline]
    pub(super) fn slot(&self, edge: u32, path: u8) -> usize {
        edge as usize + usize::from(path) * self.edge_trouble.len()
    }

    /// Nobody has moved yet.
    pub(super) fn set_up_migration(&mut self) {
        if self.plane.second.is_none() || self.scenario.migrations.is_empty() {
            return;
        }
        self.moved = vec![Ratio::ZERO; self.scenario.edges.len()];
        for (i, step) in self.scenario.migrations.iter().enumerate() {
            self.engine.at(step.at, super::world::Ev::Migrate { step: i as u32 });
        }
    }

    /// Callers' flags are set.
    pub(super) fn on_migrate(&mut self, step: u32) {
        let step = &self.scenario.migrations[step as usize];
        for (moved, edge) in self.moved.iter_mut().zip(&self.scenario.edges) {
            if step.callers.contains(&edge.from) {
                *moved = step.share;
            }
        }
        let (at, kind) = (self.engine.now(), HappeningKind::Migrated);
        let note = if step.share == Ratio::ZERO { "back" } else { "on" };
        self.recorder.noted(Happening { at, kind, by: NOBODY, task: NOBODY, until: None, note });
    }

    /// The router for a call of a task, on the path that its service's flag says.
    // ASSUMPTION(migration.flag): the flag is asked for each call, and a request that goes by the second path
    // at some share goes there at every larger one.
    #[inline(never)]
    pub(super) fn router_of_flag(&self, task: u32, edge: u32, key: Key) -> u32 {
        let routers = &self.tasks[task as usize].routers;
        let moved = self.moved[edge as usize];
        let second = routers[self.slot(edge, 1)];
        // What is not on ECS is called as ever.
        if second == NOBODY || moved == Ratio::ZERO || !moved.covers(key.draw(Purpose::Path, 0).word()) {
            return routers[edge as usize];
        }
        second
    }
}
