//! Faults that strike single tasks at instants of their own: pauses, leaks, crash loops.
//!
//! *Knows* when the next blow falls on whom. *Does not know* what becomes of a task that is killed.

use crate::scenario::FaultKind;
use crate::scenario::Leak;
use crate::scenario::ServiceId;
use crate::sim::life::Phase;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Ratio;
use crate::units::Span;
use crate::units::Time;

impl World<'_> {
    /// A fault begins: its blows on the tasks it is aimed at.
    pub(in crate::sim) fn strike_all(&mut self, fault: u32) {
        let scenario = self.scenario;
        let now = self.engine.now();
        let tasks = self.faults[fault as usize].tasks.clone();
        let times = self.faults[fault as usize].times;
        match &scenario.faults[fault as usize].kind {
            FaultKind::Crash | FaultKind::CrashLoop { .. } | FaultKind::AzOutage { power: true } => {
                for &task in &tasks {
                    self.crash(task);
                }
            }
            FaultKind::Stop => {
                for &task in &tasks {
                    self.stop_task(task);
                    let service = self.tasks[task as usize].service;
                    self.engine.after(crate::scenario::ecs::REPLACE_AFTER, Ev::Reconcile { service });
                }
            }
            FaultKind::SpotReclaim { notice } => {
                for &task in &tasks {
                    self.reclaim(task, *notice);
                }
            }
            FaultKind::SidecarCrash => {
                for &task in &tasks {
                    self.crash_sidecar(task);
                }
            }
            FaultKind::Goaway => {
                for &task in &tasks {
                    self.say_goaway(task);
                }
            }
            FaultKind::Pause { interval, .. } => {
                // Collectors of different tasks do not run in step: the beginnings are spread over the interval.
                let spread = interval.unwrap_or(Span::ZERO).as_nanos() / (tasks.len() as u64).max(1);
                for (i, &task) in tasks.iter().enumerate() {
                    self.engine.after(Span::from_nanos(spread * i as u64), Ev::Strike { fault, task, times });
                }
            }
            FaultKind::Freeze => {
                let until = self.faults[fault as usize].until;
                for &task in &tasks {
                    self.pause(task, until);
                }
            }
            FaultKind::MemoryLeak { rate: Leak::PerSecond(_), .. } => {
                for &task in &tasks {
                    self.begin_leak(fault, task, now);
                }
            }
            _ => {}
        }
    }

    /// The same for a task that joined while the fault was on.
    pub(in crate::sim) fn strike_newcomer(&mut self, fault: u32, task: u32) {
        let times = self.faults[fault as usize].times;
        match self.scenario.faults[fault as usize].kind {
            // Its time counts from RUNNING.
            FaultKind::CrashLoop { delay } if self.tasks[task as usize].phase != Phase::Pending => {
                self.engine.after(delay, Ev::Strike { fault, task, times });
            }
            FaultKind::Pause { interval: Some(interval), .. } => {
                self.engine.after(interval, Ev::Strike { fault, task, times });
            }
            FaultKind::Freeze => {
                let until = self.faults[fault as usize].until;
                self.pause(task, until);
            }
            FaultKind::MemoryLeak { rate: Leak::PerSecond(_), .. } => {
                let now = self.engine.now();
                self.begin_leak(fault, task, now);
            }
            _ => {}
        }
    }

    /// A task is RUNNING: from now on the time of a crash loop counts.
    pub(in crate::sim) fn strike_running(&mut self, task: u32) {
        for (fault, spec) in self.scenario.faults.iter().enumerate() {
            let state = &self.faults[fault];
            if let FaultKind::CrashLoop { delay } = spec.kind
                && state.on
                && state.tasks.contains(&task)
            {
                let (fault, times) = (fault as u32, state.times);
                self.engine.after(delay, Ev::Strike { fault, task, times });
            }
        }
    }

    /// A fault ends: what its tasks keep of it.
    pub(in crate::sim) fn relieve_all(&mut self, fault: u32) {
        let now = self.engine.now();
        let tasks = self.faults[fault as usize].tasks.clone();
        match self.scenario.faults[fault as usize].kind {
            FaultKind::Freeze => {
                for &task in &tasks {
                    self.thaw(task);
                }
            }
            FaultKind::MemoryLeak { rate: Leak::PerSecond(rate), .. } => {
                for &task in &tasks {
                    let strain = &mut self.tasks[task as usize].strain;
                    let lost = u128::from(rate.get()) * u128::from(now.since(strain.leaks_since).as_nanos());
                    strain.leaked += (lost / 1_000_000_000) as u64;
                }
            }
            _ => {}
        }
    }

    /// The next blow falls.
    pub(in crate::sim) fn on_strike(&mut self, fault: u32, task: u32, times: u32) {
        let state = &self.faults[fault as usize];
        if !state.on || state.times != times || self.tasks[task as usize].phase == Phase::Gone {
            return;
        }
        let now = self.engine.now();
        match self.scenario.faults[fault as usize].kind {
            FaultKind::Pause { pause, interval } => {
                self.pause(task, now + pause);
                if let Some(interval) = interval {
                    self.engine.after(interval, Ev::Strike { fault, task, times });
                }
            }
            FaultKind::CrashLoop { delay } => {
                let due = self.tasks[task as usize].started + delay;
                if self.tasks[task as usize].phase == Phase::Pending {
                    return;
                }
                if due > now {
                    self.engine.at(due, Ev::Strike { fault, task, times });
                } else {
                    self.crash(task);
                }
            }
            FaultKind::MemoryLeak { .. } => self.kill_for_memory(task),
            _ => {}
        }
    }

    /// Memory goes second by second: the instant at which none is left is known.
    fn begin_leak(&mut self, fault: u32, task: u32, now: Time) {
        let spec = &self.scenario.faults[fault as usize];
        let FaultKind::MemoryLeak { rate: Leak::PerSecond(rate), used } = spec.kind else { return };
        let room = self.memory_left(task, used);
        self.tasks[task as usize].strain.leaks_since = now;
        let nanos = (u128::from(room) * 1_000_000_000).div_ceil(u128::from(rate.get().max(1)));
        let times = self.faults[fault as usize].times;
        let wait = Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.engine.after(wait, Ev::Strike { fault, task, times });
    }

    /// Bytes that a task may still lose.
    fn memory_left(&self, task: u32, used: Ratio) -> u64 {
        let state = &self.tasks[task as usize];
        let memory = self.scenario.service(ServiceId(state.service)).memory.get();
        // ASSUMPTION(fault.memory_used): that share is in use before anything leaks.
        let taken = (u128::from(memory) * u128::from(used.as_ppm()) / 1_000_000) as u64;
        memory.saturating_sub(taken).saturating_sub(state.strain.leaked)
    }

    /// A request came to a task that leaks with each.
    pub(in crate::sim) fn leak(&mut self, task: u32) {
        let Some((bytes, used)) = self.tasks[task as usize].trouble.leak else { return };
        let left = self.memory_left(task, used);
        self.tasks[task as usize].strain.leaked += bytes;
        if left > 0 && left <= bytes {
            // Not at once: the request is on its way in.
            self.engine.after(Span::ZERO, Ev::OutOfMemory { task });
        }
    }

    /// The kernel kills it.
    pub(in crate::sim) fn on_out_of_memory(&mut self, task: u32) {
        if self.tasks[task as usize].phase != Phase::Gone {
            self.kill_for_memory(task);
        }
    }

    /// A task ends its connections gracefully. Behind a sidecar it is the sidecar that holds them, and
    /// does the same on its way out.
    fn say_goaway(&mut self, task: u32) {
        let service = self.tasks[task as usize].service;
        for router in self.services[service as usize].routers_in.clone() {
            let member = crate::policy::MemberKey(u64::from(task));
            self.tell_router(router, |router, cx| router.on_goaway_from(cx, member));
        }
    }
}
