//! What makes a deployment fail: the circuit breaker's count and an alarm.
//!
//! *Knows* which tasks count as failed and when an alarm rings. *Does not know* what happens then.
//! ASSUMPTION(ecs.failed_tasks): a task counts as failed if it dies before ECS ever saw it healthy, or if a health check gets it
//! stopped (aws.md 4, "Circuit breaker"). One that dies after it was healthy does not: the breaker of
//! ECS does not see it either, so a crash that comes later than the 40 s without a check goes unnoticed.

use super::shift::exceeds;
use crate::scenario::AlarmOn;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Span;
use crate::units::Time;

impl World<'_> {
    /// ECS noticed that a task has died.
    pub(in crate::sim) fn on_start_failed(&mut self, task: u32) {
        if !self.tasks[task as usize].proven {
            self.count_failed(task);
        }
    }

    /// A health check gets a task stopped.
    pub(in crate::sim) fn on_check_failed(&mut self, task: u32) {
        self.count_failed(task);
    }

    fn count_failed(&mut self, task: u32) {
        let state = &self.tasks[task as usize];
        let (service, version) = (state.service, state.version);
        let Some(deployment) = &mut self.services[service as usize].deployment else { return };
        if deployment.to.version == version && !deployment.back && !deployment.done {
            deployment.failed += 1;
            if self.is_tripped(service) {
                // Not at once: a router may be in the middle of a call.
                self.engine.after(Span::ZERO, Ev::Reconcile { service });
            }
        }
    }

    /// Whether the breaker has counted enough.
    pub(super) fn is_tripped(&self, service: u32) -> bool {
        let state = &self.services[service as usize];
        let Some(deployment) = state.deployment.as_ref().filter(|d| !d.back && !d.done) else { return false };
        let breaker = self.scenario.deploys[deployment.spec as usize].circuit_breaker;
        breaker.is_some_and(|breaker| deployment.failed >= breaker.threshold.tasks(state.desired))
    }

    /// Notes which tasks of the new version have become healthy.
    pub(super) fn prove(&mut self, service: u32) {
        let Some(version) = self.services[service as usize].deployment.as_ref().map(|d| d.to.version) else { return };
        let mut proven = false;
        for task in self.staying(service) {
            let state = &self.tasks[task as usize];
            if state.version == version && !state.proven && self.is_healthy(task) {
                self.tasks[task as usize].proven = true;
                proven = true;
            }
        }
        if let Some(deployment) = self.services[service as usize].deployment.as_mut().filter(|_| proven) {
            let breaker = self.scenario.deploys[deployment.spec as usize].circuit_breaker;
            if breaker.is_some_and(|breaker| breaker.reset_on_healthy_task) {
                deployment.failed = 0;
            }
        }
    }

    /// Requests and failures that a deployment's alarm has seen since the run began.
    pub(super) fn alarm_counts(&self, deploy: u32) -> (u64, u64) {
        let spec = &self.scenario.deploys[deploy as usize];
        let recording = &self.recorder.recording;
        match spec.alarm.map(|alarm| alarm.of) {
            None => (0, 0),
            Some(AlarmOn::Users) => {
                let (books, rollout) = (&recording.books, &recording.rollout);
                (books.finished + books.failed - rollout.tests, books.failed - rollout.tests_failed)
            }
            Some(AlarmOn::Service) => {
                let of_service = recording.tasks.iter().filter(|task| task.service == spec.service.0);
                of_service.fold((0, 0), |(requests, errors), task| (requests + task.requests, errors + task.errors))
            }
        }
    }

    /// The end of the alarm's next period: the next multiple of it.
    pub(super) fn schedule_alarm(&mut self, service: u32, serial: u32) {
        let now = self.engine.now();
        let Some(deployment) = self.services[service as usize].deployment.as_ref() else { return };
        if let Some(alarm) = self.scenario.deploys[deployment.spec as usize].alarm {
            let period = alarm.over.as_nanos();
            let at = Time::from_nanos((now.as_nanos() / period + 1) * period);
            self.engine.at(at, Ev::AlarmDue { service, serial });
        }
    }

    /// ASSUMPTION(deploy.alarm): a period of the alarm is over and its datapoint is there at once; one
    /// datapoint above the threshold is enough.
    pub(in crate::sim) fn on_alarm_due(&mut self, service: u32, serial: u32) {
        let Some(deployment) = self.services[service as usize].deployment.as_ref() else { return };
        if deployment.serial != serial || deployment.back || deployment.done {
            return;
        }
        let (spec, before) = (deployment.spec, deployment.at_period);
        let Some(alarm) = self.scenario.deploys[spec as usize].alarm else { return };
        let counts = self.alarm_counts(spec);
        if exceeds(counts.1 - before.1, counts.0 - before.0, alarm.error_rate) {
            return self.fail(service, "FAILED: alarm");
        }
        if let Some(deployment) = &mut self.services[service as usize].deployment {
            deployment.at_period = counts;
        }
        self.schedule_alarm(service, serial);
    }
}
