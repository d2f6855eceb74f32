//! How a task ends although nobody at ECS wanted it to: its host goes, its app exits, its capacity is taken.
//!
//! *Knows* what is left of the task each time, and when ECS learns of it. *Does not know* why it fails.

use crate::measure::HappeningKind;
use crate::scenario::ecs;
use crate::sim::life::Phase;
use crate::sim::record::NOBODY;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Span;

impl World<'_> {
    /// The whole task is gone without notice: app, sidecar and network interface.
    pub(in crate::sim) fn crash(&mut self, task: u32) {
        let state = &self.tasks[task as usize];
        if state.phase == Phase::Gone {
            return;
        }
        let known = state.exited;
        self.vanish(task);
        if !known {
            self.engine.after(ecs::NOTICE, Ev::Noticed { task });
        }
    }

    /// Nothing of a task is left: whoever waits for an answer sees a broken connection.
    fn vanish(&mut self, task: u32) {
        let now = self.engine.now();
        let state = &mut self.tasks[task as usize];
        state.phase = Phase::Gone;
        state.leaving = true;
        state.inbound_open = false;
        state.deaf_since = state.deaf_since.or(Some(now));
        self.unlist_serving(task);
        self.kill_jobs(task, None);
        self.bury(task);
    }

    /// ECS learns that a task died.
    pub(in crate::sim) fn on_noticed(&mut self, task: u32) {
        self.withdraw_everywhere(task);
        self.on_start_failed(task);
        let service = self.tasks[task as usize].service;
        self.engine.after(ecs::REPLACE_AFTER, Ev::Reconcile { service });
    }

    /// The kernel kills a container that went over its memory limit, and ECS replaces the task.
    pub(in crate::sim) fn kill_for_memory(&mut self, task: u32) {
        if matches!(self.tasks[task as usize].phase, Phase::Starting | Phase::Serving | Phase::Draining) {
            self.log(HappeningKind::Sigkill, NOBODY, task);
            self.on_app_exits(task);
        }
    }

    /// The app of a task exits by itself. It is essential, so the agent stops the rest of the task: a sidecar
    /// drains as it does at every stop. ECS hears of it as it hears of a crash; the replacement does not wait for
    /// the sidecar.
    pub(in crate::sim) fn on_app_exits(&mut self, task: u32) {
        let now = self.engine.now();
        let state = &mut self.tasks[task as usize];
        if !matches!(state.phase, Phase::Starting | Phase::Serving | Phase::Draining) {
            return;
        }
        let stopping = std::mem::replace(&mut state.leaving, true);
        // Nobody may find it empty and stop it while its requests are being buried.
        state.phase = Phase::AppStopped;
        state.deaf_since = state.deaf_since.or(Some(now));
        state.exited = !stopping;
        let service = state.service;
        self.unlist_serving(task);
        self.count_servers(service);
        self.hang_up(task, false);
        let seen = self.front().map(|_| 503);
        self.kill_jobs(task, seen);
        let drain = self.front().map_or(Span::ZERO, |sidecar| sidecar.drain);
        self.engine.after(drain, Ev::TaskGone { task });
        if !stopping {
            self.engine.after(ecs::NOTICE, Ev::Noticed { task });
        }
    }

    /// AWS takes the capacity under a task back (Fargate Spot: two minutes' notice). ASSUMPTION(ecs.reclaim): with
    /// the notice the task is stopped in the order of any other stop, and ECS starts its replacement; what is left
    /// of it when the notice is over is killed, whatever it still waits for.
    pub(in crate::sim) fn reclaim(&mut self, task: u32, notice: Span) {
        if self.tasks[task as usize].phase == Phase::Gone {
            return;
        }
        self.stop_task(task);
        let service = self.tasks[task as usize].service;
        self.engine.after(ecs::REPLACE_AFTER, Ev::Reconcile { service });
        self.engine.after(notice, Ev::Reclaimed { task });
    }

    /// The notice is over.
    pub(in crate::sim) fn on_reclaimed(&mut self, task: u32) {
        let phase = self.tasks[task as usize].phase;
        if phase == Phase::Gone {
            return;
        }
        if matches!(phase, Phase::Starting | Phase::Serving | Phase::Draining) {
            self.log(HappeningKind::Sigkill, NOBODY, task);
        }
        self.vanish(task);
        let service = self.tasks[task as usize].service;
        self.reconcile(service);
    }
}
