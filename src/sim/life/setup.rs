//! The state of the world before anything happens: tasks that run, routers that know them.
//!
//! *Knows* what each mechanism has in place in the steady state. *Does not know* how any of it changes.

use crate::measure::ServiceRecord;
use crate::policy::Router;
use crate::scenario::EdgeId;
use crate::scenario::Mechanism;
use crate::scenario::ServiceId;
use crate::sim::deploy::Shift;
use crate::sim::hop::Feed;
use crate::sim::hop::Node;
use crate::sim::hop::RouterHost;
use crate::sim::life::Phase;
use crate::sim::program::Program;
use crate::sim::random::Sampler;
use crate::sim::task::Queueing;
use crate::sim::world::ServiceState;
use crate::sim::world::World;
use crate::units::Span;
use crate::units::Time;
use std::sync::Arc;

impl World<'_> {
    pub(in crate::sim) fn set_up_services(&mut self) {
        for (i, service) in self.scenario.services.iter().enumerate() {
            let patience = service.queue_timeout.as_ref().map(|law| self.program.add_sampler(Sampler::new(law)));
            self.services.push(ServiceState {
                tasks: Vec::new(),
                serving: Vec::new(),
                // One that is not created yet has nothing that runs.
                desired: if service.created > Time::ZERO { 0 } else { service.tasks },
                next_number: 1,
                registries: Default::default(),
                queueing: Queueing::default(),
                measured_from: ServiceRecord::default(),
                next_spread: 0,
                version: Program::first_version(i as u32),
                startup: Sampler::new(&service.startup),
                crash_loop: None,
                deployment: None,
                routers_in: Vec::new(),
                nodes: Vec::new(),
                patience,
                deployments: 0,
                deployed: Time::ZERO,
                group: 0,
                live: 0,
                side: Vec::new(),
                shift: Shift::default(),
                paired: false,
            });
        }
        let everybody: Vec<u32> = (0..self.services.len() as u32).collect();
        for &service in &everybody {
            let tasks: Vec<u32> = (0..self.services[service as usize].desired)
                .map(|_| {
                    let task = self.new_task(service);
                    let state = &mut self.tasks[task as usize];
                    state.phase = Phase::Serving;
                    state.container_healthy = true;
                    self.services[service as usize].serving.push(task);
                    task
                })
                .collect();
            self.set_up_registry(service, &tasks);
            self.set_up_nodes(service);
            self.count_servers(service);
        }
        for task in 0..self.tasks.len() as u32 {
            self.set_up_routers(task);
            self.schedule_checks(task, true);
        }
    }

    pub(in crate::sim) fn set_up_nodes(&mut self, service: u32) {
        let Some(alb) = self.alb() else { return };
        let called = self.scenario.edges.iter().any(|edge| edge.to.0 == service);
        if !called || self.scenario.service(ServiceId(service)).external {
            return;
        }
        let keep_alive = self.scenario.service(ServiceId(service)).keep_alive;
        // A proxy before the app keeps its own connections to it.
        let app_idle = keep_alive.filter(|_| self.front().is_none()).unwrap_or(Span::MAX);
        let path = self.alb_path();
        let mut policy = alb.node_policy.clone();
        // Whoever closes first, the node knows it then and makes another connection.
        policy.timeouts.idle = policy.timeouts.idle.min(app_idle);
        let policy = Arc::new(policy);
        let zones = self.scenario.zones.len().max(1) as u32;
        for i in 0..alb.nodes {
            let node = self.nodes.len() as u32;
            let zone = (i % zones) as u8;
            let router = self.add_router(RouterHost {
                node,
                path,
                app_idle,
                ..RouterHost::new(Router::new(policy.clone()), zone, service, Feed::Now)
            });
            self.nodes.push(Node { zone, router });
            self.services[service as usize].nodes.push(node);
            self.introduce(router);
            // The run begins in the steady state: every target has passed its probes long ago.
            let endpoints: Vec<_> = self.routers[router as usize].router.endpoints().map(|(id, _)| id).collect();
            for endpoint in endpoints {
                self.on_probed(router, endpoint, true);
            }
        }
    }

    pub(in crate::sim) fn add_router(&mut self, host: RouterHost) -> u32 {
        let router = self.routers.len() as u32;
        self.services[host.service as usize].routers_in.push(router);
        self.routers.push(host);
        router
    }

    /// A router for each arrow that leaves the task's service, on each path.
    pub(in crate::sim) fn set_up_routers(&mut self, task: u32) {
        let (service, zone) = (self.tasks[task as usize].service, self.tasks[task as usize].zone);
        for path in 0..self.paths() {
            for (i, edge) in self.scenario.edges.iter().enumerate() {
                // What is not on ECS is called as ever, whoever moves.
                if edge.from.0 != service || (path > 0 && self.scenario.service(edge.to).external) {
                    continue;
                }
                let policy = self.edge_policy(EdgeId(i as u32), path);
                let host = RouterHost::new(Router::new(policy), zone, edge.to.0, self.feed_of(edge.to, path));
                let app_idle = self.app_idle(edge.to, path);
                let router = self.add_router(RouterHost { task, edge: i as u32, app_idle, path, ..host });
                let slot = self.slot(i as u32, path);
                self.tasks[task as usize].routers[slot] = router;
                self.pair(router);
                self.introduce(router);
            }
        }
    }

    pub(in crate::sim) fn edge_policy(&mut self, edge: EdgeId, path: u8) -> Arc<crate::policy::PolicyConfig> {
        let app_idle = self.app_idle(self.scenario.edge(edge).to, path);
        let (plane, slot) = (self.plane, self.slot(edge.0, path));
        let cached = self.policies[slot].get_or_insert_with(|| {
            let of_path = plane.second.as_deref().filter(|_| path > 0).unwrap_or(plane);
            let mut policy = of_path.edge_policies[edge.0 as usize].clone();
            policy.timeouts.idle = policy.timeouts.idle.min(app_idle);
            Arc::new(policy)
        });
        cached.clone()
    }

    /// After how long an app closes an idle connection that a caller has to it; [`Span::MAX`] where a
    /// proxy or a node stands in between, and on the ideal.
    fn app_idle(&self, callee: ServiceId, path: u8) -> Span {
        let service = self.scenario.service(callee);
        let faces_app = match self.mechanism(path) {
            Mechanism::Direct => false,
            Mechanism::Dns(_) => service.external || self.front().is_none(),
            Mechanism::Sidecar(sidecar) => service.external || !sidecar.inbound,
            Mechanism::Alb(_) => service.external,
        };
        service.keep_alive.filter(|_| faces_app).unwrap_or(Span::MAX)
    }
}
