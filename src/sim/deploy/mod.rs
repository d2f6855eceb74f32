//! Deployments: how a service comes from one version to the next, and back.
//!
//! *Knows* the rules of ECS (aws.md 4): what begins, ends and fails a deployment. `rolling` replaces tasks
//! a few at a time, `shift` runs both versions and moves the traffic, `watch` counts failed tasks and
//! listens to alarms, `routes` keeps two versions apart in every router, `names` says which tasks know
//! which names. *Does not know* how a task starts or stops; `life` does that.

mod names;
mod rolling;
mod routes;
mod shift;
mod watch;

pub(in crate::sim) use routes::Shift;

use crate::measure::Happening;
use crate::measure::HappeningKind;
use crate::scenario::Deploy;
use crate::scenario::Endpoint;
use crate::scenario::Step;
use crate::scenario::Strategy;
use crate::scenario::Window;
use crate::sim::program::Version;
use crate::sim::random::Sampler;
use crate::sim::record::NOBODY;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Span;
use crate::units::Time;

/// What the tasks of one deployment run.
#[derive(Clone)]
pub(in crate::sim) struct Revision {
    version: Version,
    startup: Sampler,
    crash_loop: Option<Span>,
    /// 0 or 1: which of the two lists of endpoints its tasks are in.
    group: u8,
    /// Its tasks resolve the names that existed then.
    deployed: Time,
}

/// Where a deployment is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Tasks are replaced.
    Rolling,
    /// The new version comes up beside the old one.
    ScaleUp,
    /// Test requests reach the new version.
    TestTraffic,
    /// A share of the production traffic does.
    Shifting,
    /// All of it does; the old version still runs.
    Bake,
    /// The traffic went back; the new version still runs.
    Back,
    /// What has no traffic stops.
    CleanUp,
}

/// A deployment under way.
pub(in crate::sim) struct Deployment {
    spec: u32,
    /// Tells its timers from those of others, and those before a rollback from those after.
    serial: u32,
    began: Time,
    stage: Stage,
    from: Revision,
    to: Revision,
    /// It is on its way back.
    back: bool,
    /// COMPLETED by early success, while tasks are still replaced.
    done: bool,
    /// When the bake time of a rolling deployment is over.
    baked: Option<Time>,
    /// Shifts of production traffic so far.
    shifts: u32,
    /// Failed tasks that the circuit breaker has counted.
    failed: u32,
    /// Requests and failures as the alarm's period began.
    at_period: (u64, u64),
    /// Test requests and failures as the test stage began.
    at_test: (u64, u64),
}

impl World<'_> {
    pub(in crate::sim) fn on_deploy(&mut self, deploy: u32) {
        let now = self.engine.now();
        let scenario = self.scenario;
        let spec = &scenario.deploys[deploy as usize];
        let service = spec.service.0;
        self.live_deploys += 1;
        self.recorder.recording.rollout.began += 1;
        self.recorder.set_windows(now, false, |w| w == Window::Warm);
        self.recorder.set_windows(now, true, |w| w == Window::AnyDeploy);
        let version = self.compile(spec);
        let from = self.supersede(service);
        let shifts = matches!(spec.strategy, Strategy::Shifting { .. });
        let state = &mut self.services[service as usize];
        state.deployments += 1;
        let serial = state.deployments;
        let to = Revision {
            version,
            startup: spec.change.startup.as_ref().map_or_else(|| from.startup.clone(), Sampler::new),
            crash_loop: spec.change.crash_loop,
            group: if shifts { 1 - state.live } else { state.live },
            deployed: now,
        };
        let stage = if shifts { Stage::ScaleUp } else { Stage::Rolling };
        let at_period = self.alarm_counts(deploy);
        self.services[service as usize].deployment = Some(Deployment {
            spec: deploy,
            serial,
            began: now,
            stage,
            from,
            to: to.clone(),
            back: false,
            done: false,
            baked: None,
            shifts: 0,
            failed: 0,
            at_period,
            at_test: (0, 0),
        });
        self.deploy_step("IN_PROGRESS");
        if shifts {
            self.pair_routers(service);
            self.deploy_step("SCALE_UP");
        } else {
            self.adopt(service, &to);
        }
        self.schedule_alarm(service, serial);
        if let Some(at) = spec.rollback_at {
            self.engine.at(at.max(now), Ev::RollBack { service, serial });
        }
        self.reconcile(service);
    }

    /// The new version's program.
    fn compile(&mut self, spec: &Deploy) -> Version {
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
        self.program.version_failing_with(&endpoints, spec.change.status.unwrap_or(500))
    }

    /// A newer deployment replaces one that is still under way; returns what the last one that
    /// completed runs, which is what a rollback goes back to.
    fn supersede(&mut self, service: u32) -> Revision {
        let state = &mut self.services[service as usize];
        let Some(before) = state.deployment.take() else {
            return Revision {
                version: state.version,
                startup: state.startup.clone(),
                crash_loop: state.crash_loop,
                group: state.group,
                deployed: state.deployed,
            };
        };
        if before.done {
            return before.to;
        }
        self.live_deploys -= 1;
        // Tasks without production traffic make room; where it has shifted for good, that is the old ones.
        let shifted = before.stage == Stage::CleanUp && !before.back;
        let stays = if before.stage == Stage::Rolling || !shifted { before.from } else { before.to };
        if before.stage != Stage::Rolling {
            let idle = 1 - stays.group;
            if shifted {
                self.make_live(service, stays.group);
            } else {
                self.shift_to(service, Shift::all(stays.group));
            }
            self.stop_group(service, idle);
            self.adopt(service, &stays);
        }
        stays
    }

    /// Tasks that start from now on run that revision.
    fn adopt(&mut self, service: u32, revision: &Revision) {
        let state = &mut self.services[service as usize];
        state.version = revision.version;
        state.startup = revision.startup.clone();
        state.crash_loop = revision.crash_loop;
        state.group = revision.group;
        state.deployed = revision.deployed;
    }

    /// One move of whatever deployment a service has.
    pub(in crate::sim) fn roll(&mut self, service: u32) {
        self.prove(service);
        if self.is_tripped(service) {
            return self.fail(service, "FAILED: circuit breaker");
        }
        let Some(deployment) = &self.services[service as usize].deployment else { return };
        if deployment.stage == Stage::Rolling {
            self.roll_tasks(service);
        } else {
            self.keep_both(service);
        }
        self.count_servers(service);
    }

    /// A stage's time is over.
    pub(in crate::sim) fn on_deploy_timer(&mut self, service: u32, serial: u32) {
        let Some(deployment) = self.current(service, serial) else { return };
        if deployment.stage == Stage::Rolling {
            self.reconcile(service);
        } else {
            self.next_stage(service);
        }
    }

    /// Somebody stops the deployment and has it rolled back.
    pub(in crate::sim) fn on_roll_back(&mut self, service: u32, serial: u32) {
        if self.current(service, serial).is_some_and(|deployment| !deployment.done) {
            self.deploy_step("ROLLBACK_REQUESTED");
            self.roll_back(service);
        }
    }

    /// The deployment of that serial, if it is still under way.
    fn current(&self, service: u32, serial: u32) -> Option<&Deployment> {
        self.services[service as usize].deployment.as_ref().filter(|deployment| deployment.serial == serial)
    }

    /// A deployment fails: it goes back, or it stays where it is.
    fn fail(&mut self, service: u32, why: &'static str) {
        let Some(deployment) = &self.services[service as usize].deployment else { return };
        let spec = &self.scenario.deploys[deployment.spec as usize];
        let alarmed = why.ends_with("alarm");
        let takes_back = match deployment.stage {
            Stage::Rolling if alarmed => spec.alarm.is_none_or(|alarm| alarm.rollback),
            Stage::Rolling => spec.circuit_breaker.is_none_or(|breaker| breaker.rollback),
            _ => true,
        };
        self.deploy_step(why);
        if takes_back {
            return self.roll_back(service);
        }
        // No more tasks of the failed version; what runs stays.
        if let Some(deployment) = self.services[service as usize].deployment.take() {
            self.adopt(service, &deployment.from);
            self.close_deploy();
        }
        self.reconcile(service);
    }

    /// Back to the version before.
    fn roll_back(&mut self, service: u32) {
        let now = self.engine.now();
        let state = &mut self.services[service as usize];
        let Some(deployment) = &mut state.deployment else { return };
        if deployment.back {
            return;
        }
        state.deployments += 1;
        deployment.serial = state.deployments;
        deployment.back = true;
        deployment.baked = None;
        let rolls = deployment.stage == Stage::Rolling;
        if rolls {
            // A deployment of its own, to the old task definition.
            deployment.to = Revision { deployed: now, ..deployment.from.clone() };
        }
        let to = deployment.to.clone();
        self.recorder.recording.rollout.rollbacks += 1;
        self.deploy_step("ROLLBACK_IN_PROGRESS");
        if rolls {
            self.adopt(service, &to);
        } else {
            self.shift_back(service);
        }
        self.reconcile(service);
    }

    /// A deployment came to its end as it was meant to, or its rollback did.
    fn complete(&mut self, service: u32) {
        let now = self.engine.now();
        let Some(deployment) = &self.services[service as usize].deployment else { return };
        let (back, took) = (deployment.back, now.since(deployment.began));
        if !back {
            let rollout = &mut self.recorder.recording.rollout;
            rollout.completed += 1;
            rollout.longest = rollout.longest.max(took);
        }
        self.deploy_step(if back { "ROLLBACK_SUCCESSFUL" } else { "COMPLETED" });
        self.close_deploy();
    }

    /// One deployment fewer is under way.
    fn close_deploy(&mut self) {
        self.live_deploys -= 1;
        if self.live_deploys == 0 {
            let now = self.engine.now();
            self.recorder.set_windows(now, false, |w| w == Window::AnyDeploy);
        }
    }

    /// A line in the log, with the name that ECS has for it.
    fn deploy_step(&mut self, note: &'static str) {
        let (at, kind) = (self.engine.now(), HappeningKind::DeployStep);
        self.recorder.noted(Happening { at, kind, by: NOBODY, task: NOBODY, until: None, note });
    }
}
