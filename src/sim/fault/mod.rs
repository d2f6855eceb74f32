//! Trouble that the scenario asks for: when it is on, whom it hits, what it does.
//!
//! *Knows* targets and the effect of each kind on one request. *Does not know* how callers react.

mod effect;
mod target;

pub(in crate::sim) use effect::Trouble;

use crate::measure::HappeningKind;
use crate::scenario::FaultKind;
use crate::scenario::Target;
use crate::scenario::When;
use crate::scenario::Window;
use crate::sim::random::Key;
use crate::sim::random::Purpose;
use crate::sim::random::Sampler;
use crate::sim::record::NOBODY;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Time;

/// A fault of the scenario, on or off.
#[derive(Clone, Debug)]
pub(in crate::sim) struct ActiveFault {
    pub(in crate::sim) on: bool,
    /// Tasks it was aimed at when it began.
    pub(in crate::sim) tasks: Vec<u32>,
    pub(in crate::sim) sampler: Option<u32>,
    pub(in crate::sim) times: u32,
}

impl World<'_> {
    pub(in crate::sim) fn set_up_faults(&mut self) {
        for (i, fault) in self.scenario.faults.iter().enumerate() {
            let sampler = match &fault.kind {
                FaultKind::Slow { added: Some(law), .. } => Some(self.program.add_sampler(Sampler::new(law))),
                _ => None,
            };
            self.faults.push(ActiveFault { on: false, tasks: Vec::new(), sampler, times: 0 });
            let first = match fault.when {
                When::Once { at, .. } => at,
                When::Every { period, .. } => Time::ZERO + period,
            };
            self.engine.at(first, Ev::FaultOn { fault: i as u32 });
            self.faults_to_come += 1;
        }
    }

    /// One stroke rather than a state.
    pub(in crate::sim) fn is_stroke(kind: &FaultKind) -> bool {
        matches!(kind, FaultKind::Crash | FaultKind::Stop)
    }

    pub(in crate::sim) fn on_fault_on(&mut self, fault: u32) {
        let now = self.engine.now();
        let spec = &self.scenario.faults[fault as usize];
        let lasts = match spec.when {
            When::Once { lasts, .. } => {
                self.faults_to_come -= 1;
                lasts
            }
            When::Every { period, lasts } => {
                self.engine.after(period, Ev::FaultOn { fault });
                lasts
            }
        };
        let tasks = self.targets(fault);
        let state = &mut self.faults[fault as usize];
        state.times += 1;
        state.tasks.clone_from(&tasks);
        if !state.on {
            state.on = true;
            self.live_faults += 1;
        }
        self.recorder.set_windows(now, false, |w| matches!(w, Window::Warm | Window::After));
        self.recorder.set_windows(now, true, |w| w == Window::AnyFault || w == Window::Fault(fault));
        self.log(HappeningKind::FaultOn, NOBODY, tasks.first().copied().unwrap_or(NOBODY));
        match spec.kind {
            FaultKind::Crash => tasks.iter().for_each(|&task| self.crash(task)),
            FaultKind::Stop => {
                for &task in &tasks {
                    self.stop_task(task);
                    let service = self.tasks[task as usize].service;
                    self.engine.after(crate::scenario::ecs::REPLACE_AFTER, Ev::Reconcile { service });
                }
            }
            _ => self.refresh_trouble(),
        }
        if let Some(lasts) = lasts {
            self.engine.after(lasts, Ev::FaultOff { fault });
        }
        if Self::is_stroke(&spec.kind) {
            self.strokes_may_be_over();
        }
    }

    pub(in crate::sim) fn on_fault_off(&mut self, fault: u32) {
        let now = self.engine.now();
        let state = &mut self.faults[fault as usize];
        if !std::mem::take(&mut state.on) {
            return;
        }
        self.live_faults -= 1;
        let task = state.tasks.first().copied().unwrap_or(NOBODY);
        self.log(HappeningKind::FaultOff, NOBODY, task);
        self.recorder.set_windows(now, false, |w| w == Window::Fault(fault));
        if self.live_faults == 0 {
            self.recorder.set_windows(now, false, |w| w == Window::AnyFault);
            if self.faults_to_come == 0 {
                self.recorder.set_windows(now, true, |w| w == Window::After);
            }
        }
        self.refresh_trouble();
    }

    /// A crash or a stop without a duration is over when its services have all their tasks again.
    pub(in crate::sim) fn strokes_may_be_over(&mut self) {
        for fault in 0..self.scenario.faults.len() as u32 {
            let spec = &self.scenario.faults[fault as usize];
            let lasts = match spec.when {
                When::Once { lasts, .. } | When::Every { lasts, .. } => lasts,
            };
            if lasts.is_some() || !self.faults[fault as usize].on || !Self::is_stroke(&spec.kind) {
                continue;
            }
            let restored = self.faults[fault as usize].tasks.iter().all(|&task| {
                let service = &self.services[self.tasks[task as usize].service as usize];
                service.serving.len() as u32 >= service.desired
            });
            if restored {
                self.on_fault_off(fault);
            }
        }
    }

    /// Works out anew what is wrong with whom.
    pub(in crate::sim) fn refresh_trouble(&mut self) {
        let before: Vec<bool> = self.tasks.iter().map(|task| task.trouble.refuse || task.trouble.reset).collect();
        for task in &mut self.tasks {
            task.trouble = Trouble::default();
        }
        for trouble in &mut self.edge_trouble {
            *trouble = Trouble::default();
        }
        for (fault, spec) in self.faults.iter().zip(&self.scenario.faults) {
            if !fault.on {
                continue;
            }
            for &task in &fault.tasks {
                self.tasks[task as usize].trouble.add(&spec.kind, fault.sampler);
            }
            if let Target::Edge(edge) = spec.target {
                self.edge_trouble[edge.0 as usize].add(&spec.kind, fault.sampler);
            }
        }
        for task in 0..self.tasks.len() as u32 {
            let trouble = &self.tasks[task as usize].trouble;
            if (trouble.refuse || trouble.reset) && !before[task as usize] {
                // The port closes, and with it what was open.
                self.hang_up(task, false);
            }
        }
    }

    /// Whether a request is answered at once by a fault instead of by the app.
    #[inline]
    pub(in crate::sim) fn struck(&self, task: u32, edge: u32, key: Key) -> Option<u16> {
        let on_task = &self.tasks[task as usize].trouble;
        let on_edge = if edge == NOBODY { None } else { self.edge_trouble.get(edge as usize) };
        for trouble in std::iter::once(on_task).chain(on_edge) {
            if let Some(status) = trouble.wedge {
                return Some(status);
            }
            if let Some((status, rate)) = trouble.grey
                && rate.covers(key.draw(Purpose::Fault, 0).word())
            {
                return Some(status);
            }
        }
        None
    }
}
