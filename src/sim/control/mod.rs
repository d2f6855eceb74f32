//! How routers hear of tasks: registrations, endpoint pushes, DNS records.
//!
//! *Knows* each mechanism's delay between the truth and what a router believes. *Does not know*
//! why a task is registered or withdrawn; `life` decides that.
//! Every change of a service's list makes a version. A proxy that has a newer version ignores an
//! older one that was longer on its way.

mod balancer;
mod dns;
mod outage;

pub(in crate::sim) use outage::Outage;

use crate::measure::HappeningKind;
use crate::policy::Member;
use crate::policy::MemberKey;
use crate::policy::config::LocalityRouting;
use crate::scenario::Mechanism;
use crate::sim::deploy::Shift;
use crate::sim::hop::Feed;
use crate::sim::random::Purpose;
use crate::sim::random::Sampler;
use crate::sim::record::NOBODY;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Span;
use crate::units::Time;
use std::sync::Arc;

/// A list of one service's tasks, and how many of them each zone has.
pub(in crate::sim) struct Listing {
    pub(in crate::sim) members: Arc<[Member]>,
    /// Indexed by zone.
    pub(in crate::sim) per_zone: Arc<[u32]>,
    /// How requests are shared out between two versions.
    pub(in crate::sim) shift: Shift,
}

/// The registrations of one service.
#[derive(Default)]
pub(in crate::sim) struct Registry {
    /// Registered tasks, oldest first.
    pub(in crate::sim) tasks: Vec<u32>,
    pub(in crate::sim) versions: Vec<Listing>,
    /// The version DNS shows.
    pub(in crate::sim) shown: u32,
    /// The version it would show if its answers were not frozen.
    pub(in crate::sim) due: u32,
    /// Tasks that are registered and not known to be healthy, each with the instant from which DNS knows it.
    pub(in crate::sim) unproven: Vec<(u32, Time)>,
}

impl Registry {
    pub(in crate::sim) fn contains(&self, task: u32) -> bool {
        self.tasks.contains(&task)
    }
    pub(in crate::sim) fn latest(&self) -> u32 {
        (self.versions.len() - 1) as u32
    }
}

impl World<'_> {
    /// The first version, before anything runs: everybody knows it.
    pub(in crate::sim) fn set_up_registry(&mut self, service: u32, tasks: &[u32]) {
        for path in 0..2 {
            self.services[service as usize].registries[usize::from(path)].tasks = tasks.to_vec();
            let listing = self.listing(service, path);
            self.services[service as usize].registries[usize::from(path)].versions.push(listing);
        }
    }

    pub(in crate::sim) fn listing(&self, service: u32, path: u8) -> Listing {
        let registry = &self.services[service as usize].registries[usize::from(path)];
        let zone = |task: u32| self.tasks[task as usize].zone;
        let mut per_zone = vec![0; self.scenario.zones.len().max(1)];
        for &task in &registry.tasks {
            per_zone[zone(task) as usize] += 1;
        }
        let member = |&task: &u32| Member { zone: zone(task), ..Member::of(MemberKey(u64::from(task))) };
        let shift = self.services[service as usize].shift;
        Listing { members: registry.tasks.iter().map(member).collect(), per_zone: per_zone.into(), shift }
    }

    /// A task's endpoint becomes known to the mechanism of a path.
    pub(in crate::sim) fn announce(&mut self, task: u32, path: u8) {
        if !self.outage.registration_delay.is_zero() {
            return self.engine.after(self.outage.registration_delay, Ev::Registered { task, path });
        }
        self.register(task, path);
    }

    /// The registration takes effect.
    pub(in crate::sim) fn register(&mut self, task: u32, path: u8) {
        let service = self.tasks[task as usize].service;
        let registry = &mut self.services[service as usize].registries[usize::from(path)];
        registry.unproven.retain(|&(other, _)| other != task);
        if !registry.contains(task) {
            registry.tasks.push(task);
            self.publish(service, path);
        }
    }

    /// A task's endpoint is taken back wherever it is known.
    pub(in crate::sim) fn withdraw_everywhere(&mut self, task: u32) {
        for path in 0..self.paths() {
            self.withdraw(task, path);
        }
    }

    /// A task's endpoint is taken back from the mechanism of a path.
    pub(in crate::sim) fn withdraw(&mut self, task: u32, path: u8) {
        let service = self.tasks[task as usize].service;
        let registry = &mut self.services[service as usize].registries[usize::from(path)];
        registry.unproven.retain(|&(other, _)| other != task);
        if registry.contains(task) {
            registry.tasks.retain(|&other| other != task);
            let alb = matches!(self.mechanism(path), Mechanism::Alb(_));
            self.log(if alb { HappeningKind::Deregistered } else { HappeningKind::Withdrawn }, NOBODY, task);
            self.publish(service, path);
        }
    }

    pub(in crate::sim) fn publish(&mut self, service: u32, path: u8) {
        let listing = self.listing(service, path);
        let registry = &mut self.services[service as usize].registries[usize::from(path)];
        registry.versions.push(listing);
        let version = registry.latest();
        let routers = self.services[service as usize].routers_in.clone();
        for router in routers {
            let host = &self.routers[router as usize];
            // A twin hears what its router hears.
            if host.dead || host.second || host.path != path {
                continue;
            }
            match self.routers[router as usize].feed {
                Feed::Now => self.on_push(router, version),
                // What is held back comes when the control plane is there again.
                Feed::Pushed if self.outage.holds_pushes() => {}
                Feed::Pushed => {
                    let delay = self.push_delay(router, version);
                    self.engine.after(delay, Ev::Push { router, version });
                }
                // Asked for, or only told of nodes.
                Feed::Dns | Feed::Nodes => {}
            }
        }
        self.tell_neighbours(service, version, path);
        if let Mechanism::Dns(dns) = self.mechanism(path) {
            let mut draw = self.seed.key(Purpose::Answer, u64::from(service)).draw(Purpose::Push, u64::from(version));
            let lag = Sampler::new(&dns.record_lag).sample(&mut draw);
            self.engine.after(lag, Ev::DnsShows { service, version });
        }
    }

    pub(in crate::sim) fn push_delay(&self, router: u32, version: u32) -> Span {
        let Some(sidecar) = self.sidecar() else { return Span::ZERO };
        let mut draw = self.seed.key(Purpose::Push, u64::from(router)).draw(Purpose::Push, u64::from(version));
        Sampler::new(&sidecar.endpoint_push).sample(&mut draw) + self.outage.push_delay
    }

    /// A list arrives at a router.
    pub(in crate::sim) fn on_push(&mut self, router: u32, version: u32) {
        if self.holds_back(router) || (self.faulting.impaired && self.misses_push(router)) {
            return;
        }
        let host = &mut self.routers[router as usize];
        if host.dead || host.version.is_some_and(|has| has >= version) {
            return;
        }
        host.version = Some(version);
        let (node, zone) = (host.node, host.zone);
        let mut list = self.list_for(router, version);
        if node != NOBODY && !self.crosses_zones() {
            list = list.iter().copied().filter(|member| member.zone == zone).collect();
        }
        self.tell_router(router, |router, cx| router.on_members(cx, &list, None));
        self.forget_missing(router);
        self.push_to_twin(router, version);
    }

    /// A service's own routers hear how its tasks spread over the zones: Envoy's local cluster. They
    /// hear of it as they hear of endpoints, each with a delay of its own.
    pub(in crate::sim) fn tell_neighbours(&mut self, service: u32, version: u32, path: u8) {
        for index in 0..self.services[service as usize].tasks.len() {
            let task = self.services[service as usize].tasks[index];
            for edge in 0..self.scenario.edges.len() as u32 {
                let router = self.tasks[task as usize].routers[self.slot(edge, path)];
                if router == NOBODY || self.routers[router as usize].dead || !self.heeds_zones(router) {
                    continue;
                }
                if self.holds_back(router) {
                    continue;
                }
                if self.routers[router as usize].feed == Feed::Pushed {
                    let Some(sidecar) = self.sidecar() else { continue };
                    let mut draw =
                        self.seed.key(Purpose::Push, u64::from(router)).draw(Purpose::Neighbours, u64::from(version));
                    let delay = Sampler::new(&sidecar.endpoint_push).sample(&mut draw);
                    self.engine.after(delay, Ev::Neighbours { router, version });
                } else {
                    self.on_neighbours(router, version);
                }
            }
        }
    }

    /// True if zones matter to what a task's router chooses.
    pub(in crate::sim) fn heeds_zones(&self, router: u32) -> bool {
        matches!(self.routers[router as usize].router.config().locality, LocalityRouting::ZoneAware(_))
    }

    /// A router hears how the tasks of its own service spread over the zones.
    pub(in crate::sim) fn on_neighbours(&mut self, router: u32, version: u32) {
        if self.holds_back(router) {
            return;
        }
        let host = &mut self.routers[router as usize];
        if host.dead || host.neighbours.is_some_and(|has| has >= version) {
            return;
        }
        host.neighbours = Some(version);
        let (zone, own, path) = (host.zone, self.tasks[host.task as usize].service, usize::from(host.path));
        let per_zone = self.services[own as usize].registries[path].versions[version as usize].per_zone.clone();
        self.tell_router(router, |router, cx| router.on_local_cluster(cx, zone, &per_zone));
        let twin = self.routers[router as usize].twin;
        if twin != NOBODY {
            self.on_neighbours(twin, version);
        }
    }

    /// Gives a new router the list of the moment.
    pub(in crate::sim) fn introduce(&mut self, router: u32) {
        let host = &self.routers[router as usize];
        let (service, path) = (host.service, usize::from(host.path));
        if host.task != NOBODY && self.heeds_zones(router) {
            let own = self.tasks[self.routers[router as usize].task as usize].service;
            let version = self.services[own as usize].registries[path].latest();
            self.on_neighbours(router, version);
        }
        let host = &self.routers[router as usize];
        match host.feed {
            Feed::Now | Feed::Pushed => {
                let version = self.services[service as usize].registries[path].latest();
                self.on_push(router, version);
            }
            Feed::Nodes => {
                let list: Vec<Member> = self.services[service as usize]
                    .nodes
                    .iter()
                    .map(|&node| Member {
                        zone: self.nodes[node as usize].zone,
                        ..Member::of(MemberKey(1 << 32 | u64::from(node)))
                    })
                    .collect();
                self.tell_router(router, |router, cx| router.on_members(cx, &list, None));
            }
            Feed::Dns => {}
        }
    }

    /// A router no longer lists a task it had taken out.
    pub(in crate::sim) fn forget_missing(&mut self, router: u32) {
        let now = self.engine.now();
        let by = self.routers[router as usize].task;
        for task in self.recorder.held_by(router) {
            if !self.routers[router as usize].router.lists(MemberKey(u64::from(task))) {
                self.recorder.unejected(now, router, by, task);
            }
        }
    }
}
