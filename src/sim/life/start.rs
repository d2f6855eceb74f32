//! How a task comes to serve.
//!
//! *Knows* the steps from the order to start to the first request. *Does not know* who wants the task.

use crate::measure::HappeningKind;
use crate::scenario::Distribution;
use crate::scenario::Mechanism;
use crate::scenario::ReadyWhen;
use crate::scenario::ServiceId;
use crate::scenario::ecs;
use crate::sim::fault::Strain;
use crate::sim::fault::Trouble as TaskTrouble;
use crate::sim::life::Phase;
use crate::sim::note::Note;
use crate::sim::random::Draw;
use crate::sim::random::Purpose;
use crate::sim::random::Sampler;
use crate::sim::record::NOBODY;
use crate::sim::task::Task;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Span;
use crate::units::Time;
use std::collections::VecDeque;

impl World<'_> {
    pub(in crate::sim) fn new_task(&mut self, service: u32) -> u32 {
        let now = self.engine.now();
        let spec = self.scenario.service(ServiceId(service));
        let number = self.services[service as usize].next_number;
        self.services[service as usize].next_number += 1;
        let zone = self.placeable(&spec.zones, number as usize - 1);
        let task = self.recorder.task(format!("{}#{number}", spec.name), service, now);
        let state = &mut self.services[service as usize];
        state.tasks.push(task);
        self.tasks.push(Task {
            service,
            number,
            zone,
            version: state.version,
            phase: Phase::Pending,
            leaving: false,
            inbound_open: true,
            container_healthy: false,
            check_failures: 0,
            nodes_healthy: 0,
            probes_failed: 0,
            started: now,
            grace_until: Time::ZERO,
            condemned: false,
            termed: false,
            exited: false,
            deaf_since: None,
            trouble: TaskTrouble::default(),
            strain: Strain::default(),
            busy: 0,
            queue: VecDeque::new(),
            jobs: 0,
            group: state.group,
            deployed: state.deployed,
            proven: false,
            routers: vec![NOBODY; self.policies.len()],
        });
        self.note(Note::Task { service, number });
        if !spec.external {
            self.tasks_change(service, 1);
        }
        self.new_proxy(task);
        self.trouble_newcomer(task);
        task
    }

    /// ECS wants one task more: it gets a place and a network interface, its image is pulled, and where
    /// sidecars are its sidecar becomes HEALTHY, before its app's container runs.
    pub(in crate::sim) fn start_task(&mut self, service: u32) {
        let task = self.new_task(service);
        let spec = self.scenario.service(ServiceId(service));
        let mut wait = self.pending(Purpose::Provisioning, task, &spec.life.provisioning)
            + self.pending(Purpose::ImagePull, task, &spec.life.image_pull);
        if !spec.external
            && let Some(sidecar) = self.sidecar()
        {
            wait += self.pending(Purpose::SidecarStart, task, &sidecar.start);
        }
        if wait.is_zero() {
            self.on_running(task);
        } else {
            self.engine.after(wait, Ev::Running { task });
        }
    }

    /// One step of a task's way to RUNNING, the same on every plane that has it.
    fn pending(&self, what: Purpose, task: u32, law: &Distribution) -> Span {
        Sampler::new(law).sample(&mut self.task_draw(what, task))
    }

    /// The app's container runs, and with it the task. A task counts as RUNNING when its last container does, and
    /// on a sidecar plane that is the app's.
    pub(in crate::sim) fn on_running(&mut self, task: u32) {
        let now = self.engine.now();
        let state = &mut self.tasks[task as usize];
        if state.phase != Phase::Pending || state.leaving {
            return;
        }
        state.phase = Phase::Starting;
        state.started = now;
        let service = state.service;
        let spec = self.scenario.service(ServiceId(service));
        if let Some(grace) = spec.life.health_check_grace_period {
            state.grace_until = now + grace;
        }
        self.log(HappeningKind::TaskStarted, NOBODY, task);
        self.set_up_routers(task);
        self.strike_running(task);
        let mut draw = self.task_draw(Purpose::Startup, task);
        let startup = self.services[service as usize].startup.sample(&mut draw);
        self.engine.after(startup, Ev::TaskReady { task });
        if let Some(lives) = self.services[service as usize].crash_loop {
            self.engine.after(lives, Ev::AppExits { task });
        }
        let checked = spec.health_check.is_some();
        for path in 0..self.paths() {
            let at_running = match self.mechanism(path) {
                Mechanism::Direct => false,
                Mechanism::Sidecar(sidecar) => !checked || sidecar.ready_when == ReadyWhen::TaskRunning,
                Mechanism::Dns(dns) => !checked || !dns.custom_health,
                // The target group probes it from now on.
                Mechanism::Alb(_) => true,
            };
            if at_running {
                self.announce(task, path);
            } else if path == self.dns_path() {
                self.register_unproven(task);
            }
        }
        if checked {
            self.schedule_checks(task, false);
        } else if !self.services[service as usize].nodes.is_empty() {
            // With a load balancer and no container check, the target group alone decides.
            self.tasks[task as usize].container_healthy = true;
        } else {
            self.engine.after(ecs::HEALTHY_WITHOUT_CHECK, Ev::Settled { task });
        }
    }

    /// Draws about one task, the same on every plane: by service and number.
    pub(in crate::sim) fn task_draw(&self, what: Purpose, task: u32) -> Draw {
        let state = &self.tasks[task as usize];
        self.seed.key(what, u64::from(state.service)).draw(what, u64::from(state.number))
    }

    pub(in crate::sim) fn on_task_ready(&mut self, task: u32) {
        let state = &mut self.tasks[task as usize];
        if state.phase != Phase::Starting || self.proxy_waits(task) {
            return;
        }
        let state = &mut self.tasks[task as usize];
        state.phase = Phase::Serving;
        let (service, leaving) = (state.service, state.leaving);
        self.log(HappeningKind::TaskReady, NOBODY, task);
        if !leaving {
            self.list_serving(task);
            let external = self.scenario.service(ServiceId(service)).external;
            for path in 0..self.paths() {
                if external || matches!(self.mechanism(path), Mechanism::Direct) {
                    self.announce(task, path);
                }
            }
        }
        self.count_servers(service);
        self.strokes_may_be_over();
    }
}
