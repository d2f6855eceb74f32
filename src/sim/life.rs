//! The life of tasks: start, readiness, checks, stop, crash, replacement, scaling, deployments.
//!
//! *Knows* the order of ECS's steps per mechanism (aws.md 1.6, 4). *Does not know* how routers
//! learn of them (`control`) nor how requests fare (`task`, `hop`).

use super::fault::Trouble as TaskTrouble;
use super::hop::Feed;
use super::hop::Node;
use super::hop::RouterHost;
use super::program::Program;
use super::program::Version;
use super::random::Draw;
use super::random::Purpose;
use super::random::Sampler;
use super::record::NOBODY;
use super::task::Queueing;
use super::task::Task;
use super::world::Ev;
use super::world::ServiceState;
use super::world::World;
use crate::measure::HappeningKind;
use crate::measure::ServiceRecord;
use crate::policy::Router;
use crate::scenario::EdgeId;
use crate::scenario::Endpoint;
use crate::scenario::Mechanism;
use crate::scenario::ReadyWhen;
use crate::scenario::ServiceId;
use crate::scenario::Step;
use crate::scenario::Window;
use crate::scenario::ecs;
use crate::units::Span;
use crate::units::Time;
use std::collections::VecDeque;
use std::sync::Arc;

/// Where a task is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// RUNNING, but the app does not serve yet.
    Starting,
    /// The app serves.
    Serving,
    /// SIGTERM has come: no new requests, the old ones finish.
    Draining,
    /// The app has stopped; on a sidecar plane the proxy is still there.
    AppStopped,
    /// The last container has stopped.
    Gone,
}

/// A rolling deployment under way.
pub(super) struct Deployment {
    version: Version,
    min_healthy: u32,
    max_total: u32,
}

impl World<'_> {
    // ---- set-up ----------------------------------------------------------------------------

    pub(super) fn set_up_services(&mut self) {
        for (i, service) in self.scenario.services.iter().enumerate() {
            let patience = service.queue_timeout.as_ref().map(|law| self.program.add_sampler(Sampler::new(law)));
            self.services.push(ServiceState {
                tasks: Vec::new(),
                serving: Vec::new(),
                desired: service.tasks,
                next_number: 1,
                registry: super::control::Registry::default(),
                queueing: Queueing::default(),
                measured_from: ServiceRecord::default(),
                next_spread: 0,
                version: Program::first_version(i as u32),
                startup: Sampler::new(&service.startup),
                deployment: None,
                routers_in: Vec::new(),
                nodes: Vec::new(),
                patience,
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

    fn set_up_nodes(&mut self, service: u32) {
        let Mechanism::Alb(alb) = &self.plane.mechanism else { return };
        let called = self.scenario.edges.iter().any(|edge| edge.to.0 == service);
        if !called || self.scenario.service(ServiceId(service)).external {
            return;
        }
        let policy = Arc::new(alb.node_policy.clone());
        let zones = self.scenario.zones.len().max(1) as u32;
        for i in 0..alb.nodes {
            let node = self.nodes.len() as u32;
            let zone = (i % zones) as u8;
            let router = self.add_router(RouterHost {
                node,
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

    fn add_router(&mut self, host: RouterHost) -> u32 {
        let router = self.routers.len() as u32;
        self.services[host.service as usize].routers_in.push(router);
        self.routers.push(host);
        router
    }

    /// A router for each arrow that leaves the task's service.
    fn set_up_routers(&mut self, task: u32) {
        let (service, zone) = (self.tasks[task as usize].service, self.tasks[task as usize].zone);
        for (i, edge) in self.scenario.edges.iter().enumerate() {
            if edge.from.0 != service {
                continue;
            }
            let policy = self.edge_policy(EdgeId(i as u32));
            let host = RouterHost::new(Router::new(policy), zone, edge.to.0, self.feed_of(edge.to));
            let router = self.add_router(RouterHost { task, edge: i as u32, ..host });
            self.tasks[task as usize].routers[i] = router;
            self.introduce(router);
        }
    }

    fn edge_policy(&mut self, edge: EdgeId) -> Arc<crate::policy::PolicyConfig> {
        let cached = self.policies[edge.0 as usize]
            .get_or_insert_with(|| Arc::new(self.plane.edge_policies[edge.0 as usize].clone()));
        cached.clone()
    }

    // ---- beginnings ------------------------------------------------------------------------

    fn new_task(&mut self, service: u32) -> u32 {
        let now = self.engine.now();
        let spec = self.scenario.service(ServiceId(service));
        let state = &mut self.services[service as usize];
        let number = state.next_number;
        state.next_number += 1;
        let zone = if spec.zones.is_empty() { 0 } else { spec.zones[(number as usize - 1) % spec.zones.len()] };
        let task = self.recorder.task(format!("{}#{number}", spec.name), service, now);
        state.tasks.push(task);
        self.tasks.push(Task {
            service,
            number,
            zone,
            version: state.version,
            phase: Phase::Starting,
            leaving: false,
            inbound_open: true,
            container_healthy: false,
            check_failures: 0,
            nodes_healthy: 0,
            started: now,
            deaf_since: None,
            trouble: TaskTrouble::default(),
            busy: 0,
            queue: VecDeque::new(),
            jobs: 0,
            routers: vec![NOBODY; self.scenario.edges.len()],
        });
        if !spec.external {
            self.running += 1;
            self.recorder.recording.tasks_max = self.recorder.recording.tasks_max.max(self.running);
        }
        self.trouble_newcomer(task);
        task
    }

    /// A task is RUNNING in mid-run.
    fn start_task(&mut self, service: u32) {
        let task = self.new_task(service);
        self.log(HappeningKind::TaskStarted, NOBODY, task);
        self.set_up_routers(task);
        let mut draw = self.task_draw(Purpose::Startup, task);
        let startup = self.services[service as usize].startup.sample(&mut draw);
        self.engine.after(startup, Ev::TaskReady { task });
        let checked = self.scenario.service(ServiceId(service)).health_check.is_some();
        let at_running = match &self.plane.mechanism {
            Mechanism::Direct => false,
            Mechanism::Sidecar(sidecar) => !checked || sidecar.ready_when == ReadyWhen::TaskRunning,
            Mechanism::Dns(_) => !checked,
            // The target group probes it from now on.
            Mechanism::Alb(_) => true,
        };
        if at_running {
            self.announce(task);
        }
        if checked {
            self.schedule_checks(task, false);
        } else if matches!(self.plane.mechanism, Mechanism::Alb(_)) {
            // With a load balancer and no container check, the target group alone decides.
            self.tasks[task as usize].container_healthy = true;
        } else {
            self.engine.after(ecs::HEALTHY_WITHOUT_CHECK, Ev::Settled { task });
        }
    }

    /// Draws about one task, the same on every plane: by service and number.
    fn task_draw(&self, what: Purpose, task: u32) -> Draw {
        let state = &self.tasks[task as usize];
        self.seed.key(what, u64::from(state.service)).draw(what, u64::from(state.number))
    }

    pub(super) fn on_task_ready(&mut self, task: u32) {
        let state = &mut self.tasks[task as usize];
        if state.phase != Phase::Starting {
            return;
        }
        state.phase = Phase::Serving;
        let (service, leaving) = (state.service, state.leaving);
        self.log(HappeningKind::TaskReady, NOBODY, task);
        if !leaving {
            self.services[service as usize].serving.push(task);
            if matches!(self.plane.mechanism, Mechanism::Direct) || self.scenario.service(ServiceId(service)).external {
                self.announce(task);
            }
        }
        self.count_servers(service);
        self.strokes_may_be_over();
    }

    // ---- health ----------------------------------------------------------------------------

    fn schedule_checks(&mut self, task: u32, steady: bool) {
        let service = self.tasks[task as usize].service;
        let Some(check) = self.scenario.service(ServiceId(service)).health_check else { return };
        let mut delay = check.interval;
        if steady {
            // Tasks that were there before the run are at any point of their interval.
            delay = Span::from_nanos(
                self.task_draw(Purpose::Phase, task).below(check.interval.as_nanos() as usize) as u64 + 1,
            );
        }
        self.engine.after(delay, Ev::Check { task });
    }

    /// One check or probe of a task that answers at all: pass or fail, and how long it took. A
    /// shallow one only shows that the process answers; a deep one does real work.
    pub(super) fn check_once(&self, task: u32, draw: &mut Draw) -> (bool, Span) {
        let state = &self.tasks[task as usize];
        let trouble = &state.trouble;
        if state.phase != Phase::Serving || trouble.refuse || trouble.reset {
            return (false, Span::ZERO);
        }
        let deep = self.scenario.service(ServiceId(state.service)).health_check.is_some_and(|check| check.deep);
        if !deep {
            return (true, Span::ZERO);
        }
        let mut took = Span::ZERO;
        if let Some(sampler) = self.program.entry(state.version, 0).first_work {
            took = self.program.samplers[sampler as usize].sample(draw);
            took = trouble.slowed(took, &self.program.samplers, draw);
        }
        (!trouble.fails_deep_check(draw), took)
    }

    pub(super) fn on_check(&mut self, task: u32) {
        let state = &self.tasks[task as usize];
        if matches!(state.phase, Phase::Draining | Phase::AppStopped | Phase::Gone) || state.leaving {
            return;
        }
        let service = state.service;
        let Some(check) = self.scenario.service(ServiceId(service)).health_check else { return };
        self.engine.after(check.interval, Ev::Check { task });
        let now = self.engine.now();
        let mut draw = self.task_draw(Purpose::Phase, task);
        let _ = draw.word();
        let mut draw = self.seed.key(Purpose::Phase, draw.word()).draw(Purpose::Phase, now.as_nanos());
        let (passed, took) = self.check_once(task, &mut draw);
        let state = &mut self.tasks[task as usize];
        if passed && took <= check.timeout && !state.trouble.hang {
            state.check_failures = 0;
            if !state.container_healthy {
                state.container_healthy = true;
                self.log(HappeningKind::Healthy, NOBODY, task);
                self.on_container_healthy(task);
            }
            return;
        }
        // ASSUMPTION(ecs.start_period): failures while the app starts do not count, as if
        // `startPeriod` covered the start-up; with an explicit one, failures after it do.
        let covered = if check.start_period.is_zero() {
            state.phase == Phase::Starting
        } else {
            now.since(state.started) < check.start_period
        };
        if covered {
            return;
        }
        state.check_failures += 1;
        if state.check_failures >= check.retries {
            self.log(HappeningKind::Unhealthy, NOBODY, task);
            self.tasks[task as usize].container_healthy = false;
            // ECS replaces an unhealthy task: stop it, start another.
            self.stop_task(task);
            self.reconcile(service);
        }
    }

    fn on_container_healthy(&mut self, task: u32) {
        match &self.plane.mechanism {
            Mechanism::Direct | Mechanism::Alb(_) => {}
            Mechanism::Sidecar(_) => self.announce(task),
            Mechanism::Dns(dns) => self.engine.after(dns.health_lag, Ev::HealthShown { task }),
        }
        self.reconcile(self.tasks[task as usize].service);
    }

    pub(super) fn on_health_shown(&mut self, task: u32) {
        if !self.tasks[task as usize].leaving {
            self.announce(task);
        }
    }

    pub(super) fn on_settled(&mut self, task: u32) {
        let state = &mut self.tasks[task as usize];
        if !state.leaving {
            state.container_healthy = true;
            let service = state.service;
            self.reconcile(service);
        }
    }

    /// An ALB node changed its mind about a target.
    pub(super) fn on_target_probed(&mut self, task: u32, healthy: bool, in_run: bool) {
        let state = &mut self.tasks[task as usize];
        if healthy {
            state.nodes_healthy += 1;
        } else {
            state.nodes_healthy = state.nodes_healthy.saturating_sub(1);
        }
        if in_run {
            self.log(if healthy { HappeningKind::Healthy } else { HappeningKind::Unhealthy }, NOBODY, task);
            let state = &self.tasks[task as usize];
            let (service, leaving) = (state.service, state.leaving);
            if !healthy && !leaving && state.nodes_healthy == 0 && state.phase == Phase::Serving {
                // The target group calls it unhealthy: ECS replaces the task.
                self.stop_task(task);
            }
            // Not at once: a router is in the middle of a call.
            self.engine.after(Span::ZERO, Ev::Reconcile { service });
        }
    }

    /// Whether ECS counts a task as healthy.
    fn is_healthy(&self, task: u32) -> bool {
        let state = &self.tasks[task as usize];
        if state.leaving || !state.container_healthy {
            return false;
        }
        let nodes = self.services[state.service as usize].nodes.len() as u32;
        matches!(state.phase, Phase::Starting | Phase::Serving) && state.nodes_healthy >= nodes
    }

    // ---- endings ---------------------------------------------------------------------------

    /// ECS stops a task: out of discovery, then SIGTERM, each mechanism in its own order (aws.md 4).
    pub(super) fn stop_task(&mut self, task: u32) {
        let state = &mut self.tasks[task as usize];
        if state.leaving {
            return;
        }
        state.leaving = true;
        let service = state.service;
        self.services[service as usize].serving.retain(|&other| other != task);
        self.withdraw(task);
        match &self.plane.mechanism {
            Mechanism::Direct => self.on_sigterm(task),
            Mechanism::Sidecar(sidecar) => {
                if sidecar.drains_inbound_first {
                    self.tasks[task as usize].inbound_open = false;
                }
                self.on_sigterm(task);
            }
            Mechanism::Dns(dns) => match dns.deregister_before_stop {
                Some(wait) => self.engine.after(wait, Ev::Sigterm { task }),
                None => self.on_sigterm(task),
            },
            Mechanism::Alb(alb) => {
                // ECS waits for the target to be unused: drained, or the delay over.
                let until = self.engine.now() + alb.deregistration_delay;
                self.engine.after(Span::ZERO, Ev::Draining { task, until });
            }
        }
    }

    /// Whether the ALB has no more requests under way to a deregistered target; looked at once a second.
    pub(super) fn on_draining(&mut self, task: u32, until: Time) {
        let now = self.engine.now();
        let service = self.tasks[task as usize].service;
        let member = crate::policy::MemberKey(u64::from(task));
        let under_way: u32 = self.services[service as usize]
            .nodes
            .iter()
            .map(|&node| self.routers[self.nodes[node as usize].router as usize].router.active_on(member))
            .sum();
        if under_way == 0 || now >= until {
            self.on_sigterm(task);
        } else {
            self.engine.at((now + Span::from_secs(1)).min(until), Ev::Draining { task, until });
        }
    }

    /// A task has no more requests.
    pub(super) fn on_task_empty(&mut self, task: u32) {
        let state = &mut self.tasks[task as usize];
        if state.phase == Phase::Draining {
            self.on_app_stopped(task);
        }
    }

    pub(super) fn on_sigterm(&mut self, task: u32) {
        let now = self.engine.now();
        let state = &mut self.tasks[task as usize];
        if !matches!(state.phase, Phase::Starting | Phase::Serving) {
            return;
        }
        state.phase = Phase::Draining;
        state.deaf_since = Some(now);
        let (service, idle) = (state.service, state.jobs == 0);
        let spec = self.scenario.service(ServiceId(service));
        self.log(HappeningKind::Sigterm, NOBODY, task);
        self.count_servers(service);
        self.hang_up(task, false);
        if !spec.handles_sigterm {
            // The app dies of SIGTERM at once; behind a living sidecar its callers see a 503.
            let seen = self.front().map(|_| 503);
            self.kill_jobs(task, seen);
            self.on_app_stopped(task);
        } else if idle {
            self.on_app_stopped(task);
        } else {
            self.engine.after(spec.stop_timeout, Ev::Sigkill { task });
        }
    }

    pub(super) fn on_sigkill(&mut self, task: u32) {
        if self.tasks[task as usize].phase == Phase::Draining {
            self.log(HappeningKind::Sigkill, NOBODY, task);
            let seen = self.front().map(|_| 503);
            self.kill_jobs(task, seen);
            self.on_app_stopped(task);
        }
    }

    fn on_app_stopped(&mut self, task: u32) {
        let state = &mut self.tasks[task as usize];
        if matches!(state.phase, Phase::AppStopped | Phase::Gone) {
            return;
        }
        state.phase = Phase::AppStopped;
        let drain = self.front().map_or(Span::ZERO, |sidecar| sidecar.drain);
        self.engine.after(drain, Ev::TaskGone { task });
    }

    pub(super) fn on_task_gone(&mut self, task: u32) {
        let state = &mut self.tasks[task as usize];
        if state.phase == Phase::Gone {
            return;
        }
        state.phase = Phase::Gone;
        self.bury(task);
        let service = self.tasks[task as usize].service;
        self.reconcile(service);
    }

    /// The last things about a task that has gone.
    fn bury(&mut self, task: u32) {
        let now = self.engine.now();
        let service = self.tasks[task as usize].service;
        self.log(HappeningKind::TaskStopped, NOBODY, task);
        self.recorder.recording.tasks[task as usize].stopped = Some(now);
        if !self.scenario.service(ServiceId(service)).external {
            self.running -= 1;
        }
        self.services[service as usize].tasks.retain(|&other| other != task);
        self.hang_up(task, true);
        for i in 0..self.tasks[task as usize].routers.len() {
            let router = self.tasks[task as usize].routers[i];
            if router != NOBODY {
                self.routers[router as usize].dead = true;
                let callee = self.routers[router as usize].service;
                self.services[callee as usize].routers_in.retain(|&other| other != router);
            }
        }
        self.count_servers(service);
    }

    /// The connections to a task end. While a sidecar stands in front of the app, its connections
    /// outlive the app.
    pub(super) fn hang_up(&mut self, task: u32, gone: bool) {
        let service = self.tasks[task as usize].service;
        for router in self.services[service as usize].routers_in.clone() {
            if gone || !self.fronted(router) {
                let member = crate::policy::MemberKey(u64::from(task));
                self.tell_router(router, |router, cx| router.on_peer_gone(cx, member));
            }
        }
    }

    /// The process is gone without notice.
    pub(super) fn crash(&mut self, task: u32) {
        let now = self.engine.now();
        let state = &mut self.tasks[task as usize];
        if state.phase == Phase::Gone {
            return;
        }
        state.phase = Phase::Gone;
        state.leaving = true;
        state.inbound_open = false;
        state.deaf_since = state.deaf_since.or(Some(now));
        let service = state.service;
        self.services[service as usize].serving.retain(|&other| other != task);
        self.kill_jobs(task, None);
        self.bury(task);
        self.engine.after(ecs::NOTICE, Ev::Noticed { task });
    }

    /// ECS learns that a task died.
    pub(super) fn on_noticed(&mut self, task: u32) {
        self.withdraw(task);
        let service = self.tasks[task as usize].service;
        self.engine.after(ecs::REPLACE_AFTER, Ev::Reconcile { service });
    }

    // ---- wanted and there ------------------------------------------------------------------

    pub(super) fn on_scale(&mut self, scale: u32) {
        let scale = self.scenario.scales[scale as usize];
        let now = self.engine.now();
        self.recorder.set_windows(now, false, |w| w == Window::Warm);
        self.services[scale.service.0 as usize].desired = scale.tasks;
        self.reconcile(scale.service.0);
    }

    pub(super) fn on_deploy(&mut self, deploy: u32) {
        let now = self.engine.now();
        let spec = &self.scenario.deploys[deploy as usize];
        let service = spec.service.0;
        self.live_deploys += 1;
        self.recorder.set_windows(now, false, |w| w == Window::Warm);
        self.recorder.set_windows(now, true, |w| w == Window::AnyDeploy);
        let endpoints: Vec<Endpoint> = self
            .scenario
            .service(spec.service)
            .endpoints
            .iter()
            .map(|endpoint| {
                let mut endpoint = endpoint.clone();
                if let Some(errors) = spec.change.errors {
                    endpoint.errors = errors;
                }
                if let Some(latency) = &spec.change.latency {
                    match endpoint.steps.iter_mut().find(|step| matches!(step, Step::Work(_))) {
                        Some(step) => *step = Step::Work(latency.clone()),
                        None => endpoint.steps.insert(0, Step::Work(latency.clone())),
                    }
                }
                endpoint
            })
            .collect();
        let version = self.program.version(&endpoints);
        let state = &mut self.services[service as usize];
        if let Some(startup) = &spec.change.startup {
            state.startup = Sampler::new(startup);
        }
        state.version = version;
        // A newer deployment replaces one that is still under way.
        if state.deployment.is_some() {
            self.live_deploys -= 1;
        }
        state.deployment = Some(Deployment {
            version,
            // ECS rounds the minimum up and the maximum down.
            min_healthy: (state.desired * spec.minimum_healthy_percent).div_ceil(100),
            max_total: (state.desired * spec.maximum_percent / 100).max(1),
        });
        self.log(HappeningKind::DeployStep, NOBODY, NOBODY);
        self.reconcile(service);
    }

    /// Starts and stops tasks until what is there is what is wanted.
    pub(super) fn reconcile(&mut self, service: u32) {
        if self.services[service as usize].deployment.is_some() {
            return self.roll(service);
        }
        let mut staying: Vec<u32> = self.staying(service);
        let desired = self.services[service as usize].desired as usize;
        while staying.len() > desired {
            // The youngest goes first, which keeps the zones balanced.
            if let Some(task) = staying.pop() {
                self.stop_task(task);
            }
        }
        for _ in staying.len()..desired {
            self.start_task(service);
        }
        self.count_servers(service);
    }

    fn staying(&self, service: u32) -> Vec<u32> {
        let tasks = &self.services[service as usize].tasks;
        tasks.iter().copied().filter(|&task| !self.tasks[task as usize].leaving).collect()
    }

    /// One move of a rolling deployment.
    fn roll(&mut self, service: u32) {
        let state = &self.services[service as usize];
        let Some(deployment) = &state.deployment else { return };
        let (version, min_healthy, max_total) = (deployment.version, deployment.min_healthy, deployment.max_total);
        let desired = state.desired;
        loop {
            let staying = self.staying(service);
            let (new, old): (Vec<u32>, Vec<u32>) =
                staying.iter().partition(|&&task| self.tasks[task as usize].version == version);
            let healthy = staying.iter().filter(|&&task| self.is_healthy(task)).count() as u32;
            let new_healthy = new.iter().filter(|&&task| self.is_healthy(task)).count() as u32;
            // Over when the last old task has stopped, as `rolloutState` COMPLETED is.
            let old_there =
                self.services[service as usize].tasks.iter().any(|&task| self.tasks[task as usize].version != version);
            if !old_there && new_healthy >= desired {
                self.services[service as usize].deployment = None;
                self.live_deploys -= 1;
                self.log(HappeningKind::DeployStep, NOBODY, NOBODY);
                if self.live_deploys == 0 {
                    let now = self.engine.now();
                    self.recorder.set_windows(now, false, |w| w == Window::AnyDeploy);
                }
                break;
            }
            if (new.len() as u32) < desired && (staying.len() as u32) < max_total {
                self.start_task(service);
                continue;
            }
            // An unhealthy old task may always go; a healthy one if enough stay healthy.
            let victim = old
                .iter()
                .copied()
                .find(|&task| !self.is_healthy(task))
                .or_else(|| (healthy > min_healthy).then(|| old.first().copied()).flatten());
            let Some(victim) = victim else { break };
            self.stop_task(victim);
        }
        self.count_servers(service);
    }

    /// Tells the books how many servers there are.
    pub(super) fn count_servers(&mut self, service: u32) {
        let Some(each) = self.scenario.service(ServiceId(service)).concurrency else { return };
        let now = self.engine.now();
        let serving = self.services[service as usize]
            .tasks
            .iter()
            .filter(|&&task| matches!(self.tasks[task as usize].phase, Phase::Serving | Phase::Draining))
            .count() as u32;
        self.services[service as usize].queueing.set_servers(now, serving * each);
    }
}
