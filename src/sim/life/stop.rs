//! How a task ends on purpose, each mechanism in its own order (aws.md 1.6, 4).
//!
//! *Knows* every step from the order to stop to the last container. *Does not know* why it is stopped,
//! nor how a task dies by itself; that is `fail`.

use crate::measure::HappeningKind;
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
        self.withdraw_everywhere(task);
        if self.tasks[task as usize].phase == Phase::Pending {
            // No container runs yet that could be told.
            self.tasks[task as usize].phase = Phase::AppStopped;
            self.engine.after(Span::ZERO, Ev::TaskGone { task });
            return;
        }
        // What a path waits for before SIGTERM; where there are two, both have to be content.
        let dns_wait = self.dns().and_then(|dns| dns.deregister_before_stop);
        if let Some(alb) = self.alb() {
            // ECS waits for the target to be unused: drained, or the delay over.
            let wait = dns_wait.unwrap_or(Span::ZERO);
            let until = self.engine.now() + alb.deregistration_delay.max(wait);
            self.engine.after(wait, Ev::Draining { task, until });
        } else if let Some(wait) = dns_wait {
            self.engine.after(wait, Ev::Sigterm { task });
        } else {
            self.order_sigterm(task);
        }
    }

    /// SIGTERM, and before it the end of the sidecar's inbound listeners.
    pub(in crate::sim) fn order_sigterm(&mut self, task: u32) {
        if self.sidecar().is_some_and(|sidecar| sidecar.drains_inbound_first) {
            self.tasks[task as usize].inbound_open = false;
        }
        self.on_sigterm(task);
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
            if under_way > 0 {
                self.cut_off(task);
            }
            self.order_sigterm(task);
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
        let state = &mut self.tasks[task as usize];
        if state.termed || !matches!(state.phase, Phase::Starting | Phase::Serving) {
            return;
        }
        state.termed = true;
        let serving = state.phase == Phase::Serving;
        let spec = self.scenario.service(ServiceId(state.service));
        self.log(HappeningKind::Sigterm, NOBODY, task);
        let linger = spec.life.stop_delay.min(spec.stop_timeout);
        if spec.handles_sigterm && serving && !linger.is_zero() {
            self.engine.after(linger, Ev::Deaf { task });
        } else {
            self.on_deaf(task);
        }
        if !matches!(self.tasks[task as usize].phase, Phase::AppStopped | Phase::Gone) {
            self.engine.after(spec.stop_timeout, Ev::Sigkill { task });
        }
    }

    /// The app was told to stop and takes no more requests from now on.
    pub(in crate::sim) fn on_deaf(&mut self, task: u32) {
        let now = self.engine.now();
        let state = &mut self.tasks[task as usize];
        if !matches!(state.phase, Phase::Starting | Phase::Serving) {
            return;
        }
        state.phase = Phase::Draining;
        state.deaf_since = Some(now);
        let (service, idle) = (state.service, state.jobs == 0);
        self.count_servers(service);
        self.hang_up(task, false);
        if !self.scenario.service(ServiceId(service)).handles_sigterm {
            // The app dies of SIGTERM at once; behind a living sidecar its callers see a 503.
            let seen = self.front().map(|_| 503);
            self.kill_jobs(task, seen);
            self.on_app_stopped(task);
        } else if idle {
            self.on_app_stopped(task);
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
        let (service, exited) = (state.service, state.exited);
        self.bury(task);
        if exited {
            // ECS learns of it in its own time.
            self.engine.after(ecs::NOTICE + ecs::REPLACE_AFTER, Ev::Reconcile { service });
        } else {
            self.reconcile(service);
        }
    }

    /// The last things about a task that has gone.
    pub(in crate::sim) fn bury(&mut self, task: u32) {
        let now = self.engine.now();
        let service = self.tasks[task as usize].service;
        self.log(HappeningKind::TaskStopped, NOBODY, task);
        self.recorder.recording.tasks[task as usize].stopped = Some(now);
        if !self.scenario.service(ServiceId(service)).external {
            self.tasks_change(service, -1);
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
}
