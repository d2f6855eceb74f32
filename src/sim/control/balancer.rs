//! What an ALB node is told, and what it does to connections.
//!
//! *Knows* zones of nodes and the end of a deregistration. *Does not know* how a node chooses: that is
//! `policy`'s.

use crate::policy::MemberKey;
use crate::sim::record::NOBODY;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Span;

impl World<'_> {
    /// Nodes send to targets of other zones too.
    pub(in crate::sim) fn crosses_zones(&self) -> bool {
        self.alb().is_none_or(|alb| alb.cross_zone)
    }

    /// How many ALB nodes have a task among their targets.
    pub(in crate::sim) fn nodes_before(&self, task: u32) -> u32 {
        let state = &self.tasks[task as usize];
        let nodes = &self.services[state.service as usize].nodes;
        if self.crosses_zones() {
            return nodes.len() as u32;
        }
        nodes.iter().filter(|&&node| self.nodes[node as usize].zone == state.zone).count() as u32
    }

    /// The deregistration delay of a target is over: what it still works on loses its connection at the
    /// node, and the client gets a 502 (aws.md 3.2, 3.3).
    pub(in crate::sim) fn cut_off(&mut self, task: u32) {
        let member = MemberKey(u64::from(task));
        let of_node = |world: &Self, router: u32| world.routers[router as usize].node != NOBODY;
        for (call, attempt) in self.attempts_on(member, of_node) {
            self.engine.after(Span::ZERO, Ev::Broken { call, attempt });
        }
        let service = self.tasks[task as usize].service;
        for node in self.services[service as usize].nodes.clone() {
            let router = self.nodes[node as usize].router;
            self.tell_router(router, |router, cx| router.on_peer_gone(cx, member));
        }
    }
}
