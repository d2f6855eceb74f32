//! The rolling deployment: a few new tasks come, a few old ones go.
//!
//! *Knows* the healthy minimum, the maximum, early success and the bake time. *Does not know* what makes
//! a deployment fail.

use crate::scenario::EarlySuccess;
use crate::scenario::Strategy;
use crate::sim::world::Ev;
use crate::sim::world::World;

/// The limits of one rolling deployment, in tasks.
struct Limits {
    min_healthy: u32,
    max_total: u32,
    early: Option<EarlySuccess>,
}

impl World<'_> {
    /// ECS rounds the minimum up and the maximum down (ECS API, DeploymentConfiguration).
    fn limits(&self, spec: u32, desired: u32) -> Limits {
        match self.scenario.deploys[spec as usize].strategy {
            Strategy::Rolling { minimum_healthy_percent, maximum_percent, early_success } => Limits {
                min_healthy: (desired * minimum_healthy_percent).div_ceil(100),
                max_total: (desired * maximum_percent / 100).max(1),
                early: early_success,
            },
            Strategy::Shifting { .. } => Limits { min_healthy: desired, max_total: 2 * desired, early: None },
        }
    }

    /// One move of a rolling deployment.
    pub(super) fn roll_tasks(&mut self, service: u32) {
        loop {
            let state = &self.services[service as usize];
            let (Some(deployment), desired) = (&state.deployment, state.desired) else { return };
            let (version, spec) = (deployment.to.version, deployment.spec);
            let (back, done) = (deployment.back, deployment.done);
            let limits = self.limits(spec, desired);
            let staying = self.staying(service);
            let (new, old): (Vec<u32>, Vec<u32>) =
                staying.iter().partition(|&&task| self.tasks[task as usize].version == version);
            let healthy = staying.iter().filter(|&&task| self.is_healthy(task)).count() as u32;
            let new_healthy = new.iter().filter(|&&task| self.is_healthy(task)).count() as u32;
            // Over when the last old task has stopped, as `rolloutState` COMPLETED is.
            let old_there =
                self.services[service as usize].tasks.iter().any(|&task| self.tasks[task as usize].version != version);
            let replaced = !old_there && new_healthy >= desired;
            let early = limits.early.filter(|_| !back).is_some_and(|early| {
                new_healthy >= (desired * early.healthy_percent).div_ceil(100) && !(early.blocking && old_there)
            });
            if (replaced || early) && !done && self.is_baked(service) {
                self.complete(service);
                if let Some(deployment) = &mut self.services[service as usize].deployment {
                    deployment.done = true;
                }
                continue;
            }
            if replaced {
                if done {
                    self.services[service as usize].deployment = None;
                }
                break;
            }
            if (new.len() as u32) < desired && (staying.len() as u32) < limits.max_total {
                self.start_task(service);
                continue;
            }
            // An unhealthy old task may always go; a healthy one if enough stay healthy.
            let victim = old
                .iter()
                .copied()
                .find(|&task| !self.is_healthy(task))
                .or_else(|| (healthy > limits.min_healthy).then(|| old.first().copied()).flatten());
            let Some(victim) = victim else { break };
            self.stop_task(victim);
        }
    }

    /// Whether the bake time is over; it begins when this is asked first. A rollback has none.
    fn is_baked(&mut self, service: u32) -> bool {
        let now = self.engine.now();
        let Some(deployment) = &mut self.services[service as usize].deployment else { return true };
        let bake = self.scenario.deploys[deployment.spec as usize].bake_time;
        if deployment.back || bake.is_zero() {
            return true;
        }
        if let Some(until) = deployment.baked {
            return now >= until;
        }
        deployment.baked = Some(now + bake);
        let serial = deployment.serial;
        self.engine.after(bake, Ev::DeployTimer { service, serial });
        self.deploy_step("BAKE_TIME");
        false
    }
}
