//! Deployments: how a service comes from one version to the next.
//!
//! *Knows* the rules of ECS (aws.md 4). *Does not know* how a task starts or stops; `life` does that.

use crate::measure::HappeningKind;
use crate::scenario::Endpoint;
use crate::scenario::Step;
use crate::scenario::Window;
use crate::sim::program::Version;
use crate::sim::random::Sampler;
use crate::sim::record::NOBODY;
use crate::sim::world::World;

/// A rolling deployment under way.
pub(in crate::sim) struct Deployment {
    version: Version,
    min_healthy: u32,
    max_total: u32,
}

impl World<'_> {
    /// A task failed its checks for good, or its app exited, without anybody having stopped it.
    pub(in crate::sim) fn on_start_failed(&mut self, _task: u32) {}

    pub(in crate::sim) fn on_deploy(&mut self, deploy: u32) {
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

    /// One move of a rolling deployment.
    pub(in crate::sim) fn roll(&mut self, service: u32) {
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
}
