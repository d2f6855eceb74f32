//! Blue-green, canary and linear: both versions run in full, and the traffic moves.
//!
//! *Knows* the stages of ECS (Developer Guide, blue-green-deployment-how-it-works) and how long each lasts.
//! *Does not know* how a router keeps two versions apart; `routes` does that.
//! Stages that only wait for hooks have no length here; `test_time` is the hook after the test shift.

use super::Revision;
use super::Shift;
use super::Stage;
use crate::scenario::Shifting;
use crate::scenario::Strategy;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Ratio;
use crate::units::Span;

/// Everything.
const ALL_PPM: u32 = 1_000_000;

/// The share of production traffic after the `nth` shift, from 1 on.
fn share_after(shift: Shifting, nth: u32) -> u32 {
    match shift {
        Shifting::AllAtOnce => ALL_PPM,
        Shifting::Canary { share, .. } => {
            if nth <= 1 {
                share.as_ppm()
            } else {
                ALL_PPM
            }
        }
        Shifting::Linear { step, .. } => step.as_ppm().saturating_mul(nth).min(ALL_PPM),
    }
}

impl World<'_> {
    /// Keeps each version at the desired count while it has a part to play, and stops it when it has none.
    pub(super) fn keep_both(&mut self, service: u32) {
        let state = &self.services[service as usize];
        let (Some(deployment), desired) = (&state.deployment, state.desired) else { return };
        let (stage, back) = (deployment.stage, deployment.back);
        let (from, to) = (deployment.from.clone(), deployment.to.clone());
        if stage == Stage::CleanUp {
            let (stays, goes) = if back { (from, to) } else { (to, from) };
            self.keep(service, &stays);
            self.stop_group(service, goes.group);
            if self.services[service as usize].tasks.iter().all(|&task| self.tasks[task as usize].group != goes.group) {
                self.make_live(service, stays.group);
                self.adopt(service, &stays);
                self.complete(service);
                self.services[service as usize].deployment = None;
            }
            return;
        }
        self.keep(service, &from);
        if back {
            return;
        }
        self.keep(service, &to);
        if stage == Stage::ScaleUp {
            let healthy = self.staying_of(service, to.group).iter().filter(|&&task| self.is_healthy(task)).count();
            if healthy as u32 >= desired {
                self.shift_tests(service);
            }
        }
    }

    /// Brings one version to the desired count.
    fn keep(&mut self, service: u32, revision: &Revision) {
        let mut staying = self.staying_of(service, revision.group);
        let desired = self.services[service as usize].desired as usize;
        while staying.len() > desired {
            if let Some(task) = staying.pop() {
                self.stop_task(task);
            }
        }
        if staying.len() < desired {
            self.adopt(service, revision);
            for _ in staying.len()..desired {
                self.start_task(service);
            }
        }
    }

    fn staying_of(&self, service: u32, group: u8) -> Vec<u32> {
        let mut staying = self.staying(service);
        staying.retain(|&task| self.tasks[task as usize].group == group);
        staying
    }

    /// Every task of a group stops.
    pub(super) fn stop_group(&mut self, service: u32, group: u8) {
        for task in self.staying_of(service, group) {
            self.stop_task(task);
        }
    }

    /// TEST_TRAFFIC_SHIFT: the new version is up, and the test header leads to it.
    fn shift_tests(&mut self, service: u32) {
        let rollout = self.recorder.recording.rollout;
        let shift = self.services[service as usize].shift;
        let Some(deployment) = &mut self.services[service as usize].deployment else { return };
        deployment.stage = Stage::TestTraffic;
        deployment.at_test = (rollout.tests, rollout.tests_failed);
        let (group, serial, spec) = (deployment.to.group, deployment.serial, deployment.spec);
        self.shift_to(service, Shift { tests: group, ..shift });
        self.deploy_step("TEST_TRAFFIC_SHIFT");
        let wait = match self.scenario.deploys[spec as usize].strategy {
            Strategy::Shifting { test_time, .. } => test_time,
            Strategy::Rolling { .. } => Span::ZERO,
        };
        self.engine.after(wait, Ev::DeployTimer { service, serial });
    }

    /// A stage's time is over: on to the next.
    pub(super) fn next_stage(&mut self, service: u32) {
        let Some(deployment) = &self.services[service as usize].deployment else { return };
        match deployment.stage {
            Stage::TestTraffic if self.tests_failed(service) => self.fail(service, "FAILED: test hook"),
            Stage::TestTraffic | Stage::Shifting => self.shift_production(service),
            Stage::Bake | Stage::Back => {
                if let Some(deployment) = &mut self.services[service as usize].deployment {
                    deployment.stage = Stage::CleanUp;
                }
                self.deploy_step("CLEAN_UP");
                self.reconcile(service);
            }
            Stage::Rolling | Stage::ScaleUp | Stage::CleanUp => {}
        }
    }

    /// Whether more of the test requests failed than the hook after the test shift allows.
    fn tests_failed(&self, service: u32) -> bool {
        let Some(deployment) = &self.services[service as usize].deployment else { return false };
        let Strategy::Shifting { test_errors: Some(most), .. } =
            self.scenario.deploys[deployment.spec as usize].strategy
        else {
            return false;
        };
        let rollout = &self.recorder.recording.rollout;
        let requests = rollout.tests - deployment.at_test.0;
        let failed = rollout.tests_failed - deployment.at_test.1;
        exceeds(failed, requests, most)
    }

    /// PRODUCTION_TRAFFIC_SHIFT, once or step by step.
    fn shift_production(&mut self, service: u32) {
        let Some(deployment) = &mut self.services[service as usize].deployment else { return };
        let spec = &self.scenario.deploys[deployment.spec as usize];
        let Strategy::Shifting { shift, settle, .. } = spec.strategy else { return };
        deployment.shifts += 1;
        let share = share_after(shift, deployment.shifts);
        let wait = match shift {
            _ if share == ALL_PPM => spec.bake_time.max(settle),
            Shifting::Canary { bake, .. } => bake,
            Shifting::Linear { every, .. } => every,
            Shifting::AllAtOnce => Span::ZERO,
        };
        deployment.stage = if share == ALL_PPM { Stage::Bake } else { Stage::Shifting };
        let (group, serial) = (deployment.to.group, deployment.serial);
        let to_one = if group == 1 { share } else { ALL_PPM - share };
        self.shift_to(service, Shift { to_one, tests: group });
        self.deploy_step("PRODUCTION_TRAFFIC_SHIFT");
        if share == ALL_PPM {
            self.deploy_step("BAKE_TIME");
        }
        self.engine.after(wait, Ev::DeployTimer { service, serial });
    }

    /// All traffic goes back to the old version, which still runs, at once.
    pub(super) fn shift_back(&mut self, service: u32) {
        let Some(deployment) = &mut self.services[service as usize].deployment else { return };
        let spec = &self.scenario.deploys[deployment.spec as usize];
        let Strategy::Shifting { settle, .. } = spec.strategy else { return };
        // Where production never shifted, nothing has to settle.
        let wait = if deployment.shifts > 0 { settle } else { Span::ZERO };
        deployment.stage = Stage::Back;
        let (group, serial) = (deployment.from.group, deployment.serial);
        self.shift_to(service, Shift::all(group));
        self.engine.after(wait, Ev::DeployTimer { service, serial });
    }
}

/// Whether more than that share failed.
pub(super) fn exceeds(failed: u64, requests: u64, most: Ratio) -> bool {
    u128::from(failed) * 1_000_000 > u128::from(requests) * u128::from(most.as_ppm())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_grow_as_the_api_says() {
        let canary = Shifting::Canary { share: Ratio::from_percent(5), bake: Span::ZERO };
        assert_eq!([1, 2].map(|nth| share_after(canary, nth)), [50_000, 1_000_000]);
        let linear = Shifting::Linear { step: Ratio::from_percent(30), every: Span::ZERO };
        assert_eq!([1, 2, 3, 4].map(|nth| share_after(linear, nth)), [300_000, 600_000, 900_000, 1_000_000]);
        assert_eq!(share_after(Shifting::AllAtOnce, 1), 1_000_000);
    }

    #[test]
    fn a_share_is_exceeded_by_more_of_it_only() {
        let five = Ratio::from_percent(5);
        assert!(!exceeds(5, 100, five));
        assert!(exceeds(6, 100, five));
        assert!(!exceeds(0, 0, five));
    }
}
