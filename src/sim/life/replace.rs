//! What ECS does with tasks that failed their checks for good.
//!
//! *Knows* which comes first, the stop or the replacement (ECS Developer Guide, service scheduler).
//! *Does not know* how a check fails; that is `health`.

use crate::scenario::Replacement;
use crate::scenario::ServiceId;
use crate::sim::world::World;

impl World<'_> {
    /// A check of a task has failed for good: ECS replaces it, unless its grace period lasts. The caller then
    /// reconciles the service.
    pub(in crate::sim) fn condemn(&mut self, task: u32) {
        let now = self.engine.now();
        let state = &mut self.tasks[task as usize];
        if state.leaving || state.condemned || now < state.grace_until {
            return;
        }
        state.condemned = true;
        let service = state.service;
        self.on_check_failed(task);
        let spec = self.scenario.service(ServiceId(service));
        // A deployment makes room by its own rules.
        if spec.life.replacement == Replacement::After || self.services[service as usize].deployment.is_some() {
            self.stop_task(task);
        }
    }

    /// Stops condemned tasks for which a healthy one stands in. When a replacement is condemned as well, one of
    /// the two goes, so that there are never more than twice the desired count.
    pub(in crate::sim) fn replace_unhealthy(&mut self, service: u32) {
        let staying = self.staying(service);
        let (condemned, sound): (Vec<u32>, Vec<u32>) =
            staying.iter().partition(|&&task| self.tasks[task as usize].condemned);
        if condemned.is_empty() {
            return;
        }
        let desired = self.services[service as usize].desired as usize;
        let coming = sound.iter().filter(|&&task| !self.is_healthy(task)).count();
        let stops = condemned.len().saturating_sub(coming).min(staying.len().saturating_sub(desired));
        for &task in &condemned[..stops] {
            self.stop_task(task);
        }
    }
}
