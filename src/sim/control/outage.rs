//! Trouble of what tells routers about tasks: the control plane, the namespace, the resolver.
//!
//! *Knows* what goes on working without them, and what does not. *Does not know* when they fail;
//! `fault` says so.

use crate::sim::hop::Feed;
use crate::sim::life::Phase;
use crate::sim::random::Purpose;
use crate::sim::random::Sampler;
use crate::sim::record::NOBODY;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Span;
use crate::units::Time;

/// What is wrong with the ways by which routers hear of tasks.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in crate::sim) struct Outage {
    /// No list reaches a proxy; what it has serves on.
    pub(in crate::sim) push_frozen: bool,
    /// Added to every push.
    pub(in crate::sim) push_delay: Span,
    /// Added to every registration.
    pub(in crate::sim) registration_delay: Span,
    /// The namespace is gone: no name of it resolves for a task that starts.
    pub(in crate::sim) namespace_deleted: bool,
    /// DNS goes on showing the lists it has.
    pub(in crate::sim) dns_frozen: bool,
    /// Every look-up fails (SERVFAIL).
    pub(in crate::sim) dns_failing: bool,
    /// Added to every look-up.
    pub(in crate::sim) dns_delay: Span,
}

impl Outage {
    /// No list reaches a proxy: nobody sends any, or there is nothing to send.
    pub(in crate::sim) fn holds_pushes(&self) -> bool {
        self.push_frozen || self.namespace_deleted
    }
}

impl World<'_> {
    /// The outage changes. What was held back comes when it is over.
    pub(in crate::sim) fn set_outage(&mut self, outage: Outage) {
        let before = std::mem::replace(&mut self.outage, outage);
        if before.dns_frozen && !outage.dns_frozen {
            for service in &mut self.services {
                for registry in &mut service.registries {
                    registry.shown = registry.due;
                }
            }
        }
        if before.holds_pushes() && !outage.holds_pushes() {
            for task in 0..self.tasks.len() as u32 {
                self.send_latest(task);
            }
        }
        if before.push_frozen && !outage.push_frozen {
            self.warm_up_proxies();
        }
    }

    /// True if a list that is on its way to that router does not arrive.
    pub(in crate::sim) fn holds_back(&self, router: u32) -> bool {
        let host = &self.routers[router as usize];
        if host.feed != Feed::Pushed || host.task == NOBODY {
            return false;
        }
        let proxy = &self.proxies.all[host.task as usize];
        self.outage.holds_pushes() || proxy.down || proxy.nameless
    }

    /// Sends each router in a task's proxy the list of the moment, after a delay of its own.
    pub(in crate::sim) fn send_latest(&mut self, task: u32) {
        let routers: Vec<u32> = self.pushed_routers(task).collect();
        for router in routers {
            let host = &self.routers[router as usize];
            if host.dead || self.holds_back(router) {
                continue;
            }
            let (service, own) = (host.service, self.tasks[task as usize].service);
            let (has, neighbours, path) = (host.version, host.neighbours, usize::from(host.path));
            let version = self.services[service as usize].registries[path].latest();
            if has != Some(version) {
                let delay = self.refetch_delay(router, version);
                self.engine.after(delay, Ev::Push { router, version });
            }
            let version = self.services[own as usize].registries[path].latest();
            if self.heeds_zones(router) && neighbours != Some(version) {
                let delay = self.refetch_delay(router, version);
                self.engine.after(delay, Ev::Neighbours { router, version });
            }
        }
    }

    /// How long a list takes that is asked for again.
    fn refetch_delay(&self, router: u32, version: u32) -> Span {
        let Some(sidecar) = self.sidecar() else { return Span::ZERO };
        let mut draw =
            self.seed.key(Purpose::Push, u64::from(router)).draw(Purpose::Push, 1 << 32 | u64::from(version));
        Sampler::new(&sidecar.endpoint_push).sample(&mut draw)
    }

    /// Proxies that began while the control plane was away get their configuration, and then the
    /// app behind each begins to start.
    fn warm_up_proxies(&mut self) {
        for task in 0..self.tasks.len() as u32 {
            if !std::mem::take(&mut self.proxies.all[task as usize].cold) {
                continue;
            }
            let service = self.tasks[task as usize].service;
            let mut wait = Span::ZERO;
            for router in self.pushed_routers(task) {
                let host = &self.routers[router as usize];
                let version = self.services[host.service as usize].registries[usize::from(host.path)].latest();
                wait = wait.max(self.refetch_delay(router, version));
            }
            let mut draw = self.task_draw(Purpose::Startup, task);
            let startup = self.services[service as usize].startup.sample(&mut draw);
            let ready_at: Time = self.engine.now() + wait + startup;
            self.proxies.all[task as usize].ready_at = ready_at;
            self.engine.at(ready_at, Ev::TaskReady { task });
        }
    }

    /// True while a task's app waits for its proxy.
    // ASSUMPTION(proxy.cold_start): a proxy that starts while the control plane is away waits for its first
    // configuration (ENVOY_INITIAL_FETCH_TIMEOUT 0) and is not HEALTHY; the app depends on that (aws.md 1.5, 1.8).
    pub(in crate::sim) fn proxy_waits(&self, task: u32) -> bool {
        let proxy = &self.proxies.all[task as usize];
        proxy.cold || self.engine.now() < proxy.ready_at
    }

    /// A registration that was throttled goes through, unless the task left meanwhile.
    pub(in crate::sim) fn on_registered(&mut self, task: u32, path: u8) {
        let state = &self.tasks[task as usize];
        if !state.leaving && state.phase != Phase::Gone {
            self.register(task, path);
        }
    }
}
