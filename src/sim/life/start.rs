//! How a task comes to serve.
//!
//! *Knows* the steps from the order to start to the first request. *Does not know* who wants the task.

use crate::measure::HappeningKind;
use crate::scenario::Mechanism;
use crate::scenario::ReadyWhen;
use crate::scenario::ServiceId;
use crate::scenario::ecs;
use crate::sim::fault::Trouble as TaskTrouble;
use crate::sim::life::Phase;
use crate::sim::random::Draw;
use crate::sim::random::Purpose;
use crate::sim::record::NOBODY;
use crate::sim::task::Task;
use crate::sim::world::Ev;
use crate::sim::world::World;
use std::collections::VecDeque;

impl World<'_> {
    pub(in crate::sim) fn new_task(&mut self, service: u32) -> u32 {
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
            group: state.group,
            deployed: state.deployed,
            proven: false,
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
    pub(in crate::sim) fn start_task(&mut self, service: u32) {
        let task = self.new_task(service);
        self.log(HappeningKind::TaskStarted, NOBODY, task);
        self.set_up_routers(task);
        let mut draw = self.task_draw(Purpose::Startup, task);
        let startup = self.services[service as usize].startup.sample(&mut draw);
        self.engine.after(startup, Ev::TaskReady { task });
        if let Some(after) = self.services[service as usize].crash_loop {
            self.engine.after(after, Ev::CrashLoop { task });
        }
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
        if state.phase != Phase::Starting {
            return;
        }
        state.phase = Phase::Serving;
        let (service, leaving) = (state.service, state.leaving);
        self.log(HappeningKind::TaskReady, NOBODY, task);
        if !leaving {
            self.list_serving(task);
            if matches!(self.plane.mechanism, Mechanism::Direct) || self.scenario.service(ServiceId(service)).external {
                self.announce(task);
            }
        }
        self.count_servers(service);
        self.strokes_may_be_over();
    }
}
