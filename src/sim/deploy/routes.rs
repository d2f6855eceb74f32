//! Two versions of a service side by side in every router that chooses among its tasks.
//!
//! *Knows* that a router of such a service has a twin: one has the tasks of group 0, the other those of
//! group 1, each with its own health, ejections and connections, as Envoy's weighted clusters and an
//! ALB's target groups have. A request is sent to one of them once and its retries stay there
//! (ASSUMPTION(deploy.two_clusters)).
//! *Does not know* when traffic shifts. A service that was never deployed in this way has no twins.

use crate::policy::Member;
use crate::policy::Router;
use crate::scenario::EdgeId;
use crate::sim::hop::Feed;
use crate::sim::hop::RouterHost;
use crate::sim::random::Key;
use crate::sim::random::Purpose;
use crate::sim::record::NOBODY;
use crate::sim::record::TESTING;
use crate::sim::world::World;
use crate::units::Ratio;
use std::sync::Arc;

/// Where requests go while two versions of a service take them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in crate::sim) struct Shift {
    /// Parts per million of production requests that go to group 1.
    pub(in crate::sim) to_one: u32,
    /// The group of requests with the test header.
    pub(in crate::sim) tests: u8,
}

impl Shift {
    /// Everything goes to one group.
    pub(in crate::sim) fn all(group: u8) -> Shift {
        Shift { to_one: u32::from(group) * 1_000_000, tests: group }
    }

    /// The group for a request, drawn by its key and nothing else.
    #[inline]
    pub(in crate::sim) fn group(self, key: Key, segment: u16) -> u8 {
        match self.to_one {
            _ if segment == TESTING => self.tests,
            0 => 0,
            1_000_000 => 1,
            share => u8::from(Ratio::from_ppm(share).covers(key.draw(Purpose::Version, 0).word())),
        }
    }
}

impl World<'_> {
    /// The router of the pair that takes a request.
    #[inline]
    pub(in crate::sim) fn side(&self, router: u32, key: Key, segment: u16) -> u32 {
        let host = &self.routers[router as usize];
        if host.twin != NOBODY && host.shift.group(key, segment) == 1 { host.twin } else { router }
    }

    /// Gives every router that chooses among a service's tasks its twin.
    pub(super) fn pair_routers(&mut self, service: u32) {
        if std::mem::replace(&mut self.services[service as usize].paired, true) {
            return;
        }
        for router in self.services[service as usize].routers_in.clone() {
            self.pair(router);
        }
    }

    /// Gives a router its twin, if what it chooses among has two versions at times.
    pub(in crate::sim) fn pair(&mut self, router: u32) {
        let host = &self.routers[router as usize];
        let takes_lists = matches!(host.feed, Feed::Now | Feed::Pushed);
        if !self.services[host.service as usize].paired || !takes_lists || host.second || host.dead {
            return;
        }
        let (task, node, edge, neighbours) = (host.task, host.node, host.edge, host.neighbours);
        let (zone, service, feed, path) = (host.zone, host.service, host.feed, host.path);
        let policy =
            if edge == NOBODY { Arc::new(host.router.config().clone()) } else { self.edge_policy(EdgeId(edge), path) };
        let blank = RouterHost::new(Router::new(policy), zone, service, feed);
        let twin = self.add_router(RouterHost { task, node, edge, second: true, path, ..blank });
        self.routers[router as usize].twin = twin;
        if let Some(version) = neighbours {
            self.on_neighbours(twin, version);
        }
        if let Some(version) = self.routers[router as usize].version {
            self.push_to_twin(router, version);
        }
    }

    /// The part of a list that a router chooses among.
    pub(in crate::sim) fn list_for(&self, router: u32, version: u32) -> Arc<[Member]> {
        let host = &self.routers[router as usize];
        let service = &self.services[host.service as usize];
        let members = &service.registries[usize::from(host.path)].versions[version as usize].members;
        if !service.paired || host.feed == Feed::Dns {
            return members.clone();
        }
        let group = u8::from(host.second);
        let of_group = |member: &&Member| {
            Self::member_task(member.key).is_none_or(|task| self.tasks[task as usize].group == group)
        };
        members.iter().filter(of_group).copied().collect()
    }

    /// What a router has just heard, its twin and its rule of sharing out hear at once: one proxy gets one
    /// configuration.
    pub(in crate::sim) fn push_to_twin(&mut self, router: u32, version: u32) {
        let host = &self.routers[router as usize];
        let (twin, service, path) = (host.twin, host.service, usize::from(host.path));
        if twin == NOBODY {
            return;
        }
        let shift = self.services[service as usize].registries[path].versions[version as usize].shift;
        self.routers[router as usize].shift = shift;
        let list = self.list_for(twin, version);
        self.tell_router(twin, |router, cx| router.on_members(cx, &list, None));
        self.forget_missing(twin);
    }

    /// A pair of routers ends with its task.
    pub(in crate::sim) fn bury_twin(&mut self, router: u32) {
        let twin = self.routers[router as usize].twin;
        if twin != NOBODY {
            self.routers[twin as usize].dead = true;
            let callee = self.routers[twin as usize].service;
            self.services[callee as usize].routers_in.retain(|&other| other != twin);
        }
    }

    /// Whether a panic is that of a router that nobody sends to, such as the nodes' before the first probe of
    /// a new version passed; or the end of such a one.
    pub(in crate::sim) fn is_idle_panic(&self, router: u32, on: bool) -> bool {
        let host = &self.routers[router as usize];
        let service = &self.services[host.service as usize];
        if !service.paired || !on {
            return service.paired && host.panic_since.is_none();
        }
        let (group, shift) = (u8::from(host.second), service.shift);
        shift.tests != group && shift.to_one == u32::from(1 - group) * 1_000_000
    }

    /// Requests under way from a router, or its twin, to a member.
    pub(in crate::sim) fn active_on(&self, router: u32, member: crate::policy::MemberKey) -> u32 {
        let host = &self.routers[router as usize];
        let of_twin = if host.twin == NOBODY { 0 } else { self.routers[host.twin as usize].router.active_on(member) };
        host.router.active_on(member) + of_twin
    }

    /// The control plane shares the traffic out anew; each router hears of it as of any list.
    pub(super) fn shift_to(&mut self, service: u32, shift: Shift) {
        self.services[service as usize].shift = shift;
        for path in 0..self.paths() {
            self.publish(service, path);
        }
    }

    /// All traffic goes to that group for good.
    pub(super) fn make_live(&mut self, service: u32, group: u8) {
        let state = &mut self.services[service as usize];
        if state.live != group {
            state.live = group;
            std::mem::swap(&mut state.serving, &mut state.side);
        }
    }

    /// A task serves from now on: its service's requests from outside find it.
    pub(in crate::sim) fn list_serving(&mut self, task: u32) {
        let (service, group) = (self.tasks[task as usize].service, self.tasks[task as usize].group);
        let state = &mut self.services[service as usize];
        if group == state.live {
            state.serving.push(task);
        } else {
            state.side.push(task);
        }
    }

    /// Requests from outside find a task no longer.
    pub(in crate::sim) fn unlist_serving(&mut self, task: u32) {
        let service = self.tasks[task as usize].service;
        let state = &mut self.services[service as usize];
        state.serving.retain(|&other| other != task);
        state.side.retain(|&other| other != task);
    }
}
