//! How a task ends: on purpose, each mechanism in its own order (aws.md 1.6, 4), or without notice.
//!
//! *Knows* every step from the order to stop to the last container. *Does not know* why it is stopped.

use crate::measure::HappeningKind;
use crate::scenario::Mechanism;
use crate::scenario::ServiceId;
use crate::scenario::ecs;
use crate::sim::life::Phase;
use crate::sim::record::NOBODY;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Span;
use crate::units::Time;

impl World<'_> {
    /// ECS stops a task: out of discovery, then SIGTERM, each mechanism in its own order (aws.md 4).
    pub(in crate::sim) fn stop_task(&mut self, task: u32) {
        let state = &mut self.tasks[task as usize];
        if state.leaving {
            return;
        }
        state.leaving = true;
        self.unlist_serving(task);
        self.withdraw(task);
        match &self.plane.mechanism {
            Mechanism::Direct => self.on_sigterm(task),
            Mechanism::Sidecar(sidecar) => {
                if sidecar.drains_inbound_first {
                    self.tasks[task as usize].inbound_open = false;
                }
                self.on_sigterm(task);
            }
            Mechanism::Dns(dns) => match dns.deregister_before_stop {
                Some(wait) => self.engine.after(wait, Ev::Sigterm { task }),
                None => self.on_sigterm(task),
            },
            Mechanism::Alb(alb) => {
                // ECS waits for the target to be unused: drained, or the delay over.
                let until = self.engine.now() + alb.deregistration_delay;
                self.engine.after(Span::ZERO, Ev::Draining { task, until });
            }
        }
    }

    /// Whether the ALB has no more requests under way to a deregistered target; looked at once a second.
    pub(in crate::sim) fn on_draining(&mut self, task: u32, until: Time) {
        let now = self.engine.now();
        let service = self.tasks[task as usize].service;
        let member = crate::policy::MemberKey(u64::from(task));
        let under_way: u32 = self.services[service as usize]
            .nodes
            .iter()
            .map(|&node| self.active_on(self.nodes[node as usize].router, member))
            .sum();
        if under_way == 0 || now >= until {
            self.on_sigterm(task);
        } else {
            self.engine.at((now + Span::from_secs(1)).min(until), Ev::Draining { task, until });
        }
    }

    /// A task has no more requests.
    pub(in crate::sim) fn on_task_empty(&mut self, task: u32) {
        let state = &mut self.tasks[task as usize];
        if state.phase == Phase::Draining {
            self.on_app_stopped(task);
        }
    }

    pub(in crate::sim) fn on_sigterm(&mut self, task: u32) {
        let now = self.engine.now();
        let state = &mut self.tasks[task as usize];
        if !matches!(state.phase, Phase::Starting | Phase::Serving) {
            return;
        }
        state.phase = Phase::Draining;
        state.deaf_since = Some(now);
        let (service, idle) = (state.service, state.jobs == 0);
        let spec = self.scenario.service(ServiceId(service));
        self.log(HappeningKind::Sigterm, NOBODY, task);
        self.count_servers(service);
        self.hang_up(task, false);
        if !spec.handles_sigterm {
            // The app dies of SIGTERM at once; behind a living sidecar its callers see a 503.
            let seen = self.front().map(|_| 503);
            self.kill_jobs(task, seen);
            self.on_app_stopped(task);
        } else if idle {
            self.on_app_stopped(task);
        } else {
            self.engine.after(spec.stop_timeout, Ev::Sigkill { task });
        }
    }

    pub(in crate::sim) fn on_sigkill(&mut self, task: u32) {
        if self.tasks[task as usize].phase == Phase::Draining {
            self.log(HappeningKind::Sigkill, NOBODY, task);
            let seen = self.front().map(|_| 503);
            self.kill_jobs(task, seen);
            self.on_app_stopped(task);
        }
    }

    pub(in crate::sim) fn on_app_stopped(&mut self, task: u32) {
        let state = &mut self.tasks[task as usize];
        if matches!(state.phase, Phase::AppStopped | Phase::Gone) {
            return;
        }
        state.phase = Phase::AppStopped;
        let drain = self.front().map_or(Span::ZERO, |sidecar| sidecar.drain);
        self.engine.after(drain, Ev::TaskGone { task });
    }

    pub(in crate::sim) fn on_task_gone(&mut self, task: u32) {
        let state = &mut self.tasks[task as usize];
        if state.phase == Phase::Gone {
            return;
        }
        state.phase = Phase::Gone;
        self.bury(task);
        let service = self.tasks[task as usize].service;
        self.reconcile(service);
    }

    /// The last things about a task that has gone.
    pub(in crate::sim) fn bury(&mut self, task: u32) {
        let now = self.engine.now();
        let service = self.tasks[task as usize].service;
        self.log(HappeningKind::TaskStopped, NOBODY, task);
        self.recorder.recording.tasks[task as usize].stopped = Some(now);
        if !self.scenario.service(ServiceId(service)).external {
            self.running -= 1;
        }
        self.services[service as usize].tasks.retain(|&other| other != task);
        self.hang_up(task, true);
        for i in 0..self.tasks[task as usize].routers.len() {
            let router = self.tasks[task as usize].routers[i];
            if router != NOBODY {
                self.routers[router as usize].dead = true;
                let callee = self.routers[router as usize].service;
                self.services[callee as usize].routers_in.retain(|&other| other != router);
                self.bury_twin(router);
            }
        }
        self.count_servers(service);
    }

    /// The connections to a task end. While a sidecar stands in front of the app, its connections
    /// outlive the app.
    pub(in crate::sim) fn hang_up(&mut self, task: u32, gone: bool) {
        let service = self.tasks[task as usize].service;
        for router in self.services[service as usize].routers_in.clone() {
            if gone || !self.fronted(router) {
                let member = crate::policy::MemberKey(u64::from(task));
                self.tell_router(router, |router, cx| router.on_peer_gone(cx, member));
            }
        }
    }

    /// The process is gone without notice.
    pub(in crate::sim) fn crash(&mut self, task: u32) {
        let now = self.engine.now();
        let state = &mut self.tasks[task as usize];
        if state.phase == Phase::Gone {
            return;
        }
        state.phase = Phase::Gone;
        state.leaving = true;
        state.inbound_open = false;
        state.deaf_since = state.deaf_since.or(Some(now));
        self.unlist_serving(task);
        self.kill_jobs(task, None);
        self.bury(task);
        self.engine.after(ecs::NOTICE, Ev::Noticed { task });
    }

    /// An app that crashes in a loop dies again.
    pub(in crate::sim) fn on_crash_loop(&mut self, task: u32) {
        if !self.tasks[task as usize].leaving {
            self.crash(task);
        }
    }

    /// ECS learns that a task died.
    pub(in crate::sim) fn on_noticed(&mut self, task: u32) {
        self.withdraw(task);
        self.on_start_failed(task);
        let service = self.tasks[task as usize].service;
        self.engine.after(ecs::REPLACE_AFTER, Ev::Reconcile { service });
    }

    /// The kernel kills a container that went over its memory limit, and ECS replaces the task.
    pub(in crate::sim) fn kill_for_memory(&mut self, task: u32) {
        self.crash(task);
    }

    /// AWS takes the capacity back: the stop begins at once, and after `notice` what is left is killed.
    pub(in crate::sim) fn reclaim(&mut self, task: u32, notice: crate::units::Span) {
        let _ = notice;
        self.stop_task(task);
    }
}
