//! Trouble that the scenario asks for: when it is on, whom it hits, what it does.
//!
//! *Knows* targets and the effect of each kind on one request. *Does not know* how callers react.
//! A room for each way in which trouble acts: `effect` on requests, `hits` on requests by number, `path` on
//! packets, `pause` on a task as a whole, `process` by blows at instants of their own; `target` says
//! whom, `events` what begins and ends a fault besides the clock.

mod effect;
mod events;
mod hits;
mod path;
mod pause;
mod process;
mod target;

pub(in crate::sim) use effect::Trouble;
pub(in crate::sim) use effect::slowed;
pub(in crate::sim) use path::Place;
pub(in crate::sim) use path::Resend;
pub(in crate::sim) use pause::Parked;
pub(in crate::sim) use pause::Strain;

use crate::measure::HappeningKind;
use crate::scenario::FaultKind;
use crate::scenario::Hits;
use crate::scenario::Target;
use crate::scenario::When;
use crate::scenario::Window;
use crate::sim::control::Outage;
use crate::sim::note::Note;
use crate::sim::random::Key;
use crate::sim::random::Purpose;
use crate::sim::random::Sampler;
use crate::sim::record::NOBODY;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Span;
use crate::units::Time;
use effect::FULL;
use path::PathFault;
use std::collections::BTreeMap;

/// A fault of the scenario, on or off.
#[derive(Clone, Debug)]
pub(in crate::sim) struct ActiveFault {
    pub(in crate::sim) on: bool,
    /// Tasks it was aimed at when it began.
    pub(in crate::sim) tasks: Vec<u32>,
    pub(in crate::sim) sampler: Option<u32>,
    pub(in crate::sim) times: u32,
    /// When it began last.
    since: Time,
    /// When it ends, as far as known.
    pub(in crate::sim) until: Time,
    /// How much of its strength it has, of [`FULL`].
    pub(in crate::sim) level: u32,
    /// Requests its target received since it began.
    seen: u64,
    /// Events heard of those it waits for.
    heard: u32,
    /// Events heard of those that end it.
    heard_since: u32,
}

/// What all faults together need to remember.
pub(in crate::sim) struct Faulting {
    /// Some packets are in trouble.
    pub(in crate::sim) impaired: bool,
    /// Some fault that is on counts requests.
    pub(in crate::sim) numbered: bool,
    /// The scenario has faults that make tasks stand still.
    pub(in crate::sim) pauses: bool,
    /// Zones that are cut off, by bit.
    pub(in crate::sim) cut_zones: u64,
    /// The fault that strikes the request that is being admitted, [`NOBODY`] if none.
    pub(in crate::sim) marked: u32,
    paths: Vec<PathFault>,
    /// When narrow links are free again: fault, owner, inwards.
    links: BTreeMap<(u32, u32, bool), Time>,
    /// Jobs of tasks that stand still.
    parked: Vec<(u32, Parked)>,
    /// A list did not reach a proxy that was cut off.
    missed: bool,
}

impl Faulting {
    /// No trouble yet.
    pub(in crate::sim) fn new() -> Faulting {
        Faulting {
            impaired: false,
            numbered: false,
            pauses: false,
            cut_zones: 0,
            marked: NOBODY,
            paths: Vec::new(),
            links: BTreeMap::new(),
            parked: Vec::new(),
            missed: false,
        }
    }
}

impl World<'_> {
    pub(in crate::sim) fn set_up_faults(&mut self) {
        for (i, fault) in self.scenario.faults.iter().enumerate() {
            let sampler = match &fault.kind {
                FaultKind::Slow { added: Some(law), .. } | FaultKind::Latency { delay: law, .. } => {
                    Some(self.program.add_sampler(Sampler::new(law)))
                }
                _ => None,
            };
            self.faulting.pauses |= matches!(fault.kind, FaultKind::Pause { .. } | FaultKind::Freeze);
            self.recorder.listening |= matches!(fault.when, When::After { .. }) || fault.how.stop_when.is_some();
            self.faults.push(ActiveFault {
                on: false,
                tasks: Vec::new(),
                sampler,
                times: 0,
                since: Time::ZERO,
                until: Time::NEVER,
                level: FULL,
                seen: 0,
                heard: 0,
                heard_since: 0,
            });
            if let Some(first) = fault.when.begins() {
                self.engine.at(first, Ev::FaultOn { fault: i as u32 });
                self.faults_to_come += 1;
            }
        }
    }

    pub(in crate::sim) fn on_fault_on(&mut self, fault: u32) {
        let now = self.engine.now();
        let spec = &self.scenario.faults[fault as usize];
        match spec.when {
            When::Once { .. } | When::After { .. } => self.faults_to_come -= 1,
            When::Every { period, .. } => self.engine.after(period, Ev::FaultOn { fault }),
        }
        let lasts = spec.when.lasts();
        let tasks = self.targets(fault);
        let first = tasks.first().copied().unwrap_or(NOBODY);
        let ramp = spec.how.ramp;
        self.recorder.struck(now, fault, &tasks);
        let state = &mut self.faults[fault as usize];
        state.times += 1;
        state.tasks = tasks;
        state.since = now;
        state.until = lasts.map_or(Time::NEVER, |lasts| now + lasts);
        state.level = if ramp.is_zero() { FULL } else { 0 };
        (state.seen, state.heard_since) = (0, 0);
        let times = state.times;
        if !state.on {
            state.on = true;
            self.live_faults += 1;
        }
        self.recorder.set_windows(now, false, |w| matches!(w, Window::Warm | Window::After));
        self.recorder.set_windows(now, true, |w| w == Window::AnyFault || w == Window::Fault(fault));
        self.log(HappeningKind::FaultOn, NOBODY, first);
        self.note(Note::Fault { fault, on: true });
        self.strike_all(fault);
        if !spec.kind.is_stroke() {
            self.refresh_trouble();
        }
        if !ramp.is_zero() {
            self.engine.after(step_of(ramp), Ev::FaultGrows { fault, times });
        }
        if let Some(lasts) = lasts {
            self.engine.after(lasts, Ev::FaultOff { fault });
        }
        if spec.kind.is_stroke() {
            self.strokes_may_be_over();
        }
    }

    /// One step of a ramp: it has a hundred.
    pub(in crate::sim) fn on_fault_grows(&mut self, fault: u32, times: u32) {
        let now = self.engine.now();
        let ramp = self.scenario.faults[fault as usize].how.ramp;
        let state = &mut self.faults[fault as usize];
        if !state.on || state.times != times {
            return;
        }
        let passed = u128::from(now.since(state.since).as_nanos()) * u128::from(FULL);
        state.level = (passed / u128::from(ramp.as_nanos())).min(u128::from(FULL)) as u32;
        if state.level < FULL {
            self.engine.after(step_of(ramp), Ev::FaultGrows { fault, times });
        }
        self.refresh_trouble();
    }

    pub(in crate::sim) fn on_fault_off(&mut self, fault: u32) {
        let now = self.engine.now();
        let state = &mut self.faults[fault as usize];
        // It may have begun again since this end was planned.
        let again = state.until != Time::NEVER && state.until > now;
        if again || !std::mem::take(&mut state.on) {
            return;
        }
        self.live_faults -= 1;
        self.recorder.relieved(now, fault);
        let task = state.tasks.first().copied().unwrap_or(NOBODY);
        self.log(HappeningKind::FaultOff, NOBODY, task);
        self.note(Note::Fault { fault, on: false });
        self.recorder.set_windows(now, false, |w| w == Window::Fault(fault));
        if self.live_faults == 0 {
            self.recorder.set_windows(now, false, |w| w == Window::AnyFault);
            if self.faults_to_come == 0 {
                self.recorder.set_windows(now, true, |w| w == Window::After);
            }
        }
        self.relieve_all(fault);
        self.refresh_trouble();
    }

    /// A crash or a stop without a duration is over when its services have all their tasks again.
    pub(in crate::sim) fn strokes_may_be_over(&mut self) {
        for fault in 0..self.scenario.faults.len() as u32 {
            let spec = &self.scenario.faults[fault as usize];
            if spec.when.lasts().is_some() || !self.faults[fault as usize].on || !spec.kind.is_stroke() {
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
        self.faulting.numbered = false;
        for (fault, spec) in self.faults.iter().zip(&self.scenario.faults) {
            if !fault.on {
                continue;
            }
            if spec.how.hits != Hits::All {
                self.faulting.numbered = true;
                continue;
            }
            for &task in &fault.tasks {
                self.tasks[task as usize].trouble.add(&spec.kind, fault.sampler, fault.level);
            }
            if let Target::Edge(edge) = spec.target {
                self.edge_trouble[edge.0 as usize].add(&spec.kind, fault.sampler, fault.level);
            }
        }
        self.refresh_paths();
        self.refresh_sidecars();
        let outage = self.outage_now();
        if outage != self.outage {
            self.set_outage(outage);
        }
        for task in 0..self.tasks.len() as u32 {
            let trouble = &self.tasks[task as usize].trouble;
            if (trouble.refuse || trouble.reset) && !before[task as usize] {
                // The port closes, and with it what was open.
                self.hang_up(task, false);
            }
        }
    }

    /// What is wrong with the ways by which routers hear of tasks, all faults together.
    fn outage_now(&self) -> Outage {
        let mut outage = Outage::default();
        for (fault, spec) in self.faults.iter().zip(&self.scenario.faults).filter(|(fault, _)| fault.on) {
            let grown = |added: Span| effect::part_of_span(added, fault.level);
            match spec.kind {
                FaultKind::DnsFreeze => outage.dns_frozen = true,
                FaultKind::DnsFail => outage.dns_failing = true,
                FaultKind::DnsSlow { added } => outage.dns_delay += grown(added),
                FaultKind::PushFreeze => outage.push_frozen = true,
                FaultKind::PushDelay { added } => outage.push_delay += grown(added),
                FaultKind::Throttle { added } => outage.registration_delay += grown(added),
                FaultKind::NamespaceDeleted => outage.namespace_deleted = true,
                _ => {}
            }
        }
        outage
    }

    /// Tells sidecars how slow they are, where that changed.
    fn refresh_sidecars(&mut self) {
        if !self.scenario.faults.iter().any(|fault| matches!(fault.kind, FaultKind::SidecarSlow { .. })) {
            return;
        }
        let mut factors = vec![1000_u32; self.tasks.len()];
        for (fault, spec) in self.faults.iter().zip(&self.scenario.faults).filter(|(fault, _)| fault.on) {
            let FaultKind::SidecarSlow { factor_milli } = spec.kind else { continue };
            let factor = effect::part_of_factor(factor_milli, fault.level);
            for &task in &fault.tasks {
                let product = u64::from(factors[task as usize]) * u64::from(factor) / 1000;
                factors[task as usize] = product.min(u64::from(u32::MAX)) as u32;
            }
        }
        for (task, factor) in factors.into_iter().enumerate() {
            let strain = &mut self.tasks[task].strain;
            if strain.sidecar_milli != factor && (strain.sidecar_milli != 0 || factor != 1000) {
                strain.sidecar_milli = factor;
                self.slow_sidecar(task as u32, factor);
            }
        }
    }

    /// Whether a request is answered at once by a fault instead of by the app.
    #[inline]
    pub(in crate::sim) fn struck(&self, task: u32, edge: u32, key: Key) -> Option<u16> {
        let on_task = &self.tasks[task as usize].trouble;
        let on_edge = if edge == NOBODY { None } else { self.edge_trouble.get(edge as usize) };
        for trouble in std::iter::once(on_task).chain(on_edge) {
            if !trouble.sick {
                continue;
            }
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

/// A hundredth of a ramp.
fn step_of(ramp: Span) -> Span {
    Span::from_nanos(ramp.as_nanos().div_ceil(u64::from(FULL)).max(1))
}
