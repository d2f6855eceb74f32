//! Trouble that the scenario asks for: when it is on, whom it hits, what it does.
//!
//! *Knows* targets and the effect of each kind on one request. *Does not know* how callers react.

use super::life::Phase;
use super::random::Draw;
use super::random::Key;
use super::random::Purpose;
use super::random::Sampler;
use super::record::NOBODY;
use super::world::Ev;
use super::world::World;
use crate::measure::HappeningKind;
use crate::scenario::FaultKind;
use crate::scenario::Target;
use crate::scenario::When;
use crate::scenario::Window;
use crate::units::Ratio;
use crate::units::Span;
use crate::units::Time;

/// What is wrong with a task, or with an arrow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trouble {
    wedge: Option<u16>,
    grey: Option<(u16, Ratio)>,
    pub(super) errors: Option<(u16, Ratio)>,
    pub(super) hang: bool,
    pub(super) reset: bool,
    pub(super) refuse: bool,
    /// Work takes longer.
    pub(super) slows: bool,
    factor_milli: u32,
    added: Option<u32>,
}

impl Default for Trouble {
    fn default() -> Self {
        Trouble {
            wedge: None,
            grey: None,
            errors: None,
            hang: false,
            reset: false,
            refuse: false,
            slows: false,
            factor_milli: 1000,
            added: None,
        }
    }
}

impl Trouble {
    /// How long that work takes now.
    pub(super) fn slowed(&self, work: Span, samplers: &[Sampler], draw: &mut Draw) -> Span {
        let mut work = Span::from_nanos((u128::from(work.as_nanos()) * u128::from(self.factor_milli) / 1000) as u64);
        if let Some(added) = self.added {
            work += samplers[added as usize].sample(draw);
        }
        work
    }

    /// Whether a check that does real work fails.
    pub(super) fn fails_deep_check(&self, draw: &mut Draw) -> bool {
        self.wedge.is_some()
            || self.grey.is_some_and(|(_, rate)| rate.covers(draw.word()))
            || self.errors.is_some_and(|(_, rate)| rate.covers(draw.word()))
    }

    fn add(&mut self, kind: &FaultKind, sampler: Option<u32>) {
        match kind {
            FaultKind::Wedge { status } => self.wedge = Some(*status),
            FaultKind::Grey { status, rate } => self.grey = Some((*status, *rate)),
            FaultKind::Errors { status, rate } => self.errors = Some((*status, *rate)),
            FaultKind::Hang => self.hang = true,
            FaultKind::Slow { factor_milli, .. } => {
                self.slows = true;
                self.factor_milli = (u64::from(self.factor_milli) * u64::from(*factor_milli) / 1000) as u32;
                self.added = sampler.or(self.added);
            }
            FaultKind::Reset => self.reset = true,
            FaultKind::Refuse => self.refuse = true,
            FaultKind::Crash | FaultKind::Stop => {}
        }
    }
}

/// A fault of the scenario, on or off.
#[derive(Clone, Debug)]
pub(super) struct ActiveFault {
    on: bool,
    /// Tasks it was aimed at when it began.
    tasks: Vec<u32>,
    sampler: Option<u32>,
    times: u32,
}

impl World<'_> {
    pub(super) fn set_up_faults(&mut self) {
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
    fn is_stroke(kind: &FaultKind) -> bool {
        matches!(kind, FaultKind::Crash | FaultKind::Stop)
    }

    pub(super) fn on_fault_on(&mut self, fault: u32) {
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

    pub(super) fn on_fault_off(&mut self, fault: u32) {
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
    pub(super) fn strokes_may_be_over(&mut self) {
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

    /// The tasks a fault is aimed at, now.
    fn targets(&self, fault: u32) -> Vec<u32> {
        let there = |task: &u32| {
            let state = &self.tasks[*task as usize];
            !state.leaving && state.phase != Phase::Gone
        };
        match &self.scenario.faults[fault as usize].target {
            Target::Task(service, number) => self.services[service.0 as usize]
                .tasks
                .iter()
                .copied()
                .filter(|&task| self.tasks[task as usize].number == *number)
                .collect(),
            Target::AnyTask(service) => {
                let tasks: Vec<u32> = self.services[service.0 as usize].tasks.iter().copied().filter(there).collect();
                let times = self.faults[fault as usize].times;
                let mut draw = self.seed.key(Purpose::Target, u64::from(fault)).draw(Purpose::Target, u64::from(times));
                if tasks.is_empty() { tasks } else { vec![tasks[draw.below(tasks.len())]] }
            }
            Target::Share(service, share) => {
                let tasks: Vec<u32> = self.services[service.0 as usize].tasks.iter().copied().filter(there).collect();
                let count = (tasks.len() as u64 * u64::from(share.as_ppm())).div_ceil(1_000_000);
                tasks.into_iter().take(count as usize).collect()
            }
            Target::Service(service) => self.services[service.0 as usize].tasks.iter().copied().filter(there).collect(),
            Target::Zone(zone) => (0..self.tasks.len() as u32)
                .filter(|task| there(task) && self.tasks[*task as usize].zone == *zone)
                .collect(),
            Target::Edge(_) => Vec::new(),
        }
    }

    /// A task that starts while a fault of its whole service or zone is on has it too.
    pub(super) fn trouble_newcomer(&mut self, task: u32) {
        let mut hit = false;
        for (fault, spec) in self.faults.iter_mut().zip(&self.scenario.faults) {
            let aimed = match &spec.target {
                Target::Service(service) => service.0 == self.tasks[task as usize].service,
                Target::Zone(zone) => *zone == self.tasks[task as usize].zone,
                _ => false,
            };
            if fault.on && aimed && !Self::is_stroke(&spec.kind) {
                fault.tasks.push(task);
                hit = true;
            }
        }
        if hit {
            self.refresh_trouble();
        }
    }

    /// Works out anew what is wrong with whom.
    fn refresh_trouble(&mut self) {
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
    pub(super) fn struck(&self, task: u32, edge: u32, key: Key) -> Option<u16> {
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
