//! Whether a task counts as healthy, and who says so.
//!
//! *Knows* container checks, the 40 s without one, and what a target group tells ECS.

use crate::measure::HappeningKind;
use crate::policy::EndpointId;
use crate::scenario::Mechanism;
use crate::scenario::ReadyWhen;
use crate::scenario::ServiceId;
use crate::sim::life::Phase;
use crate::sim::random::Draw;
use crate::sim::random::Purpose;
use crate::sim::record::NOBODY;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Span;

impl World<'_> {
    pub(in crate::sim) fn schedule_checks(&mut self, task: u32, steady: bool) {
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
    pub(in crate::sim) fn check_once(&self, task: u32, draw: &mut Draw) -> (bool, Span) {
        let state = &self.tasks[task as usize];
        let trouble = &state.trouble;
        if state.phase != Phase::Serving || trouble.refuse || trouble.reset {
            return (false, Span::ZERO);
        }
        // A process that stands still answers when it moves again.
        let stands = state.strain.left(self.engine.now());
        let deep = self.scenario.service(ServiceId(state.service)).health_check.is_some_and(|check| check.deep);
        if !deep {
            return (true, stands);
        }
        let mut took = stands;
        let entry = self.program.entry(state.version, 0);
        if let Some(sampler) = entry.first_work {
            let work = self.program.samplers[sampler as usize].sample(draw);
            took += trouble.slowed(work, &self.program.samplers, draw);
        }
        // Real work fails as often as the version's requests do.
        let fails = entry.errors.as_ppm() > 0 && entry.errors.covers(draw.word());
        (!fails && !trouble.fails_deep_check(draw), took)
    }

    pub(in crate::sim) fn on_check(&mut self, task: u32) {
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
            state.condemned = false;
            if !state.container_healthy {
                state.container_healthy = true;
                self.log(HappeningKind::Healthy, NOBODY, task);
                self.on_container_healthy(task);
            }
            return;
        }
        // ASSUMPTION(ecs.start_period): failures while the app starts do not count, as if
        // `startPeriod` covered the start-up; with an explicit one, failures after it do. A check that passed has
        // ended it (aws.md 4).
        let covered = if check.start_period.is_zero() {
            state.phase == Phase::Starting
        } else {
            !state.container_healthy && state.check_failures == 0 && now.since(state.started) < check.start_period
        };
        if covered {
            return;
        }
        state.check_failures += 1;
        if state.check_failures < check.retries {
            return;
        }
        if state.check_failures == check.retries {
            state.container_healthy = false;
            self.log(HappeningKind::Unhealthy, NOBODY, task);
            self.on_container_unhealthy(task);
        }
        self.condemn(task);
        self.reconcile(service);
    }

    /// A failing container check takes a task out of discovery (aws.md 2).
    fn on_container_unhealthy(&mut self, task: u32) {
        for path in 0..self.paths() {
            match self.mechanism(path) {
                // ASSUMPTION(sc.unhealthy): who is announced when healthy is withdrawn when unhealthy.
                Mechanism::Sidecar(sidecar) if sidecar.ready_when == ReadyWhen::Healthy => self.withdraw(task, path),
                Mechanism::Direct | Mechanism::Alb(_) | Mechanism::Sidecar(_) => {}
                Mechanism::Dns(dns) => self.engine.after(dns.health_lag, Ev::HealthShown { task }),
            }
        }
    }

    pub(in crate::sim) fn on_container_healthy(&mut self, task: u32) {
        for path in 0..self.paths() {
            match self.mechanism(path) {
                Mechanism::Direct | Mechanism::Alb(_) => {}
                Mechanism::Sidecar(_) => self.announce(task, path),
                Mechanism::Dns(dns) => self.engine.after(dns.health_lag, Ev::HealthShown { task }),
            }
        }
        self.reconcile(self.tasks[task as usize].service);
    }

    pub(in crate::sim) fn on_health_shown(&mut self, task: u32) {
        let state = &self.tasks[task as usize];
        if state.leaving {
            return;
        }
        if state.container_healthy {
            self.announce(task, self.dns_path());
        } else {
            self.withdraw(task, self.dns_path());
        }
    }

    pub(in crate::sim) fn on_settled(&mut self, task: u32) {
        if self.proxy_waits(task) {
            return self.engine.after(crate::scenario::ecs::HEALTHY_WITHOUT_CHECK, Ev::Settled { task });
        }
        let state = &mut self.tasks[task as usize];
        if !state.leaving {
            state.container_healthy = true;
            let service = state.service;
            self.reconcile(service);
        }
    }

    /// An ALB node changed its mind about a target.
    pub(in crate::sim) fn on_target_probed(&mut self, task: u32, healthy: bool, in_run: bool) {
        let state = &mut self.tasks[task as usize];
        if healthy {
            state.nodes_healthy += 1;
            state.condemned = false;
        } else {
            state.nodes_healthy = state.nodes_healthy.saturating_sub(1);
        }
        if in_run {
            self.log(if healthy { HappeningKind::Healthy } else { HappeningKind::Unhealthy }, NOBODY, task);
            let state = &self.tasks[task as usize];
            let (service, leaving) = (state.service, state.leaving);
            if !healthy && !leaving && state.nodes_healthy == 0 && state.phase == Phase::Serving {
                // The target group calls it unhealthy: ECS replaces the task.
                self.condemn(task);
            }
            // Not at once: a router is in the middle of a call.
            self.engine.after(Span::ZERO, Ev::Reconcile { service });
        }
    }

    /// An ALB node's probe of a task came back. ASSUMPTION(ecs.grace_period): only where the scenario gives a
    /// grace period can the probes of a task that never passed one, or that failed during it, make ECS replace it.
    pub(in crate::sim) fn count_probe(&mut self, router: u32, endpoint: EndpointId, passed: bool) {
        let host = &self.routers[router as usize];
        let Some(task) = host.router.member_of(endpoint).and_then(Self::member_task) else { return };
        let state = &mut self.tasks[task as usize];
        state.probes_failed = if passed { 0 } else { state.probes_failed + 1 };
        let service = state.service;
        if passed || self.scenario.service(ServiceId(service)).life.health_check_grace_period.is_none() {
            return;
        }
        let threshold = host.router.config().health_check.map_or(u32::MAX, |check| check.unhealthy_threshold);
        let all = threshold.saturating_mul(self.services[service as usize].nodes.len() as u32);
        let there = matches!(state.phase, Phase::Starting | Phase::Serving) && !state.leaving;
        if there && !state.condemned && state.nodes_healthy == 0 && state.probes_failed >= all {
            if state.phase == Phase::Starting && state.probes_failed == all {
                self.log(HappeningKind::Unhealthy, NOBODY, task);
            }
            self.condemn(task);
            self.engine.after(Span::ZERO, Ev::Reconcile { service });
        }
    }

    /// Whether ECS counts a task as healthy.
    pub(in crate::sim) fn is_healthy(&self, task: u32) -> bool {
        let state = &self.tasks[task as usize];
        if state.leaving || !state.container_healthy {
            return false;
        }
        let nodes = self.nodes_before(task);
        matches!(state.phase, Phase::Starting | Phase::Serving) && state.nodes_healthy >= nodes
    }
}
