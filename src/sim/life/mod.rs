//! The life of tasks: start, readiness, checks, stop, crash, replacement, scaling, deployments.
//!
//! *Knows* the order of ECS's steps per mechanism (aws.md 1.6, 4). *Does not know* how routers
//! learn of them (`control`) nor how requests fare (`task`, `hop`).

mod fail;
mod health;
mod replace;
mod setup;
mod start;
mod stop;

use crate::scenario::ServiceId;
use crate::scenario::Window;
use crate::sim::world::World;

/// Where a task is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::sim) enum Phase {
    /// Ordered, but not RUNNING: PROVISIONING, its image pulled, its sidecar not HEALTHY.
    Pending,
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

impl World<'_> {
    pub(in crate::sim) fn on_scale(&mut self, scale: u32) {
        let scale = self.scenario.scales[scale as usize];
        let now = self.engine.now();
        self.recorder.set_windows(now, false, |w| w == Window::Warm);
        self.services[scale.service.0 as usize].desired = scale.tasks;
        self.reconcile(scale.service.0);
    }

    /// Starts and stops tasks until what is there is what is wanted.
    pub(in crate::sim) fn reconcile(&mut self, service: u32) {
        if self.services[service as usize].deployment.is_some() {
            return self.roll(service);
        }
        self.replace_unhealthy(service);
        let mut sound: Vec<u32> = self.staying(service);
        sound.retain(|&task| !self.tasks[task as usize].condemned);
        let desired = self.services[service as usize].desired as usize;
        while sound.len() > desired {
            // The youngest goes first, which keeps the zones balanced.
            if let Some(task) = sound.pop() {
                self.stop_task(task);
            }
        }
        for _ in sound.len()..desired {
            self.start_task(service);
        }
        self.count_servers(service);
    }

    pub(in crate::sim) fn staying(&self, service: u32) -> Vec<u32> {
        let tasks = &self.services[service as usize].tasks;
        tasks.iter().copied().filter(|&task| !self.tasks[task as usize].leaving).collect()
    }

    /// Tells the books of a task more or less.
    pub(in crate::sim) fn tasks_change(&mut self, service: u32, by: i32) {
        let now = self.engine.now();
        self.running = self.running.saturating_add_signed(by);
        self.recorder.tasks_are(now, self.running);
        self.services[service as usize].queueing.tasks_change(now, by);
    }

    /// Tells the books how many servers there are.
    pub(in crate::sim) fn count_servers(&mut self, service: u32) {
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
