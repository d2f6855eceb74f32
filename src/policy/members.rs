//! The endpoints a router knows, and when a change reaches the view that the balancer has of them.
//!
//! *Knows* which endpoints are listed, which of them are healthy, and when that is delivered. *Does
//! not know* why an endpoint is unhealthy, nor what the view makes of it.
//! Invariant: truth and view are two things. Health changes pass through the update-merge window of
//! their priority, one after another (envoy.md 1.7); a change of the list is delivered at once.

use super::Cx;
use super::EndpointId;
use super::Member;
use super::MemberKey;
use super::config::PolicyConfig;
use super::fact::Fact;
use super::member::EdsHealth;
use super::outlier::Counters;
use super::outlier::HostOutlier;
use super::view::View;
use super::view::ViewRules;
use crate::units::Time;

/// What is known about one endpoint, apart from what every request needs (see [`Hot`]).
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) member: Member,
    /// Failed the outlier check.
    pub(super) ejected: bool,
    /// An answer said that it is degraded (`detect_degraded_hosts`).
    pub(super) degraded: bool,
    pub(super) probe: Probe,
    /// A probe found it well, or without probes it was first delivered as healthy: then.
    pub(super) available_since: Option<Time>,
    pub(super) outlier: HostOutlier,
}

/// What every request reads or writes of an endpoint: one cache line each.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Hot {
    key: MemberKey,
    generation: u32,
    /// Connections to it, open or being opened.
    conns: u32,
    /// The slot is in use: listed, or still draining.
    occupied: bool,
    /// In the current list.
    listed: bool,
    counters: Counters,
}

/// What can be seen of one endpoint's health from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// It is out.
    pub ejected: bool,
    /// An answer said that it is degraded, and that is believed for now.
    pub degraded: bool,
    /// How often it was taken out.
    pub ejections: u32,
    /// Its ejection lasts this many times the base; the next one a time more.
    pub multiplier: u32,
    /// The balancer sees it as healthy, which may lag behind the truth.
    pub seen_healthy: bool,
}

/// What active probes say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Probe {
    pub(super) health: ProbeHealth,
    /// Results in a row that contradict `health`.
    pub(super) streak: u32,
    /// When the next probe starts; [`Time::NEVER`] while one is under way.
    pub(super) next: Time,
}

/// What active probes think.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ProbeHealth {
    /// There are no probes.
    Unprobed,
    /// No probe has ended yet; left out of every percentage.
    Unknown,
    /// It passes.
    Passing,
    /// It fails.
    Failing,
}

/// What an endpoint's health comes to (envoy.md 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    Healthy,
    /// Second choice.
    Degraded,
    /// Used in panic only.
    Unhealthy,
}

impl Endpoint {
    /// Neither ejected nor failing its probes.
    pub(super) fn healthy(&self) -> bool {
        !self.ejected && matches!(self.probe.health, ProbeHealth::Unprobed | ProbeHealth::Passing)
    }

    /// All that is known about its health in one word.
    pub(super) fn class(&self) -> Class {
        match self.member.health {
            _ if !self.healthy() => Class::Unhealthy,
            EdsHealth::Unhealthy | EdsHealth::Draining => Class::Unhealthy,
            EdsHealth::Degraded => Class::Degraded,
            EdsHealth::Healthy if self.degraded => Class::Degraded,
            EdsHealth::Healthy => Class::Healthy,
        }
    }

    /// It counts in no percentage: no probe has ended yet, or it is draining.
    pub(super) fn excluded(&self) -> bool {
        self.probe.health == ProbeHealth::Unknown || self.member.health == EdsHealth::Draining
    }
}

/// All endpoints of a router.
#[derive(Clone, Debug)]
pub(super) struct Members {
    pub(super) slots: Vec<Endpoint>,
    /// The same slots.
    hot: Vec<Hot>,
    /// Requests on the connections of each slot; apart from the rest, so that comparing two takes no
    /// cache line of either.
    active: Vec<u32>,
    free: Vec<u32>,
    /// Slots in the order of the list.
    pub(super) listed: Vec<u32>,
    pub(super) view: View,
    pub(super) rules: ViewRules,
    /// By priority.
    windows: Vec<MergeWindow>,
    /// The earliest end of a window that holds something back.
    merge_due: Time,
}

/// When a priority's changes of health were and will be delivered.
#[derive(Clone, Copy, Debug, Default)]
struct MergeWindow {
    last: Option<Time>,
    until: Option<Time>,
}

impl Members {
    pub(super) fn new(config: &PolicyConfig) -> Members {
        Members {
            slots: Vec::new(),
            hot: Vec::new(),
            active: Vec::new(),
            free: Vec::new(),
            listed: Vec::new(),
            view: View::default(),
            rules: ViewRules::of(config),
            windows: Vec::new(),
            merge_due: Time::NEVER,
        }
    }

    #[inline]
    pub(super) fn id(&self, slot: u32) -> EndpointId {
        EndpointId { slot, generation: self.hot[slot as usize].generation }
    }

    /// The driver's name for the endpoint.
    #[inline]
    pub(super) fn key(&self, slot: u32) -> MemberKey {
        self.hot[slot as usize].key
    }

    /// Requests on its connections.
    #[inline]
    pub(super) fn active(&self, slot: u32) -> u32 {
        self.active[slot as usize]
    }

    #[inline]
    pub(super) fn active_mut(&mut self, slot: u32) -> &mut u32 {
        &mut self.active[slot as usize]
    }

    /// Connections to it, open or being opened.
    #[inline]
    pub(super) fn conns(&self, slot: u32) -> u32 {
        self.hot[slot as usize].conns
    }

    pub(super) fn conns_mut(&mut self, slot: u32) -> &mut u32 {
        &mut self.hot[slot as usize].conns
    }

    /// It is in the current list.
    #[inline]
    pub(super) fn listed(&self, slot: u32) -> bool {
        self.hot[slot as usize].listed
    }

    /// What the detectors count.
    #[inline]
    pub(super) fn counters_mut(&mut self, slot: u32) -> &mut Counters {
        &mut self.hot[slot as usize].counters
    }

    /// Listed and healthy without reservation: connections are made for requests to come.
    pub(super) fn wants_preconnect(&self, slot: u32) -> bool {
        let endpoint = &self.slots[slot as usize];
        self.listed(slot) && endpoint.healthy() && !endpoint.degraded
    }

    /// The slot of a live id.
    #[inline]
    pub(super) fn live(&self, id: EndpointId) -> Option<u32> {
        let endpoint = self.hot.get(id.slot as usize)?;
        (endpoint.occupied && endpoint.generation == id.generation).then_some(id.slot)
    }

    /// Slots in use whose endpoint has that key, also if it has left the list.
    pub(super) fn of(&self, key: MemberKey) -> impl Iterator<Item = u32> + '_ {
        let of = move |(_, hot): &(usize, &Hot)| hot.occupied && hot.key == key;
        self.hot.iter().enumerate().filter(of).map(|(slot, _)| slot as u32)
    }

    /// The listed slot with that key.
    pub(super) fn find(&self, key: MemberKey) -> Option<u32> {
        self.listed.iter().copied().find(|&slot| self.key(slot) == key)
    }

    /// What can be seen of the health of a listed endpoint.
    pub(super) fn standing(&self, slot: u32) -> Standing {
        let state = &self.slots[slot as usize];
        Standing {
            ejected: state.ejected,
            degraded: state.degraded,
            ejections: state.outlier.ejections,
            multiplier: state.outlier.multiplier,
            seen_healthy: self
                .view
                .levels
                .get(usize::from(state.member.priority))
                .is_some_and(|level| level.healthy.contains(&slot)),
        }
    }

    /// Takes over a new list. Returns the slots that left; `added` hears of each new one.
    pub(super) fn replace(&mut self, list: &[Member], probe: Probe, mut added: impl FnMut(u32)) -> Vec<u32> {
        let before = std::mem::take(&mut self.listed);
        for &slot in &before {
            self.hot[slot as usize].listed = false;
        }
        for &member in list {
            // An entry that comes twice is one endpoint, also when it is new.
            let known = self.listed.iter().chain(&before).copied();
            let known = known.into_iter().find(|&slot| self.key(slot) == member.key);
            let slot = known.unwrap_or_else(|| {
                let slot = self.occupy(member, probe);
                added(slot);
                slot
            });
            self.slots[slot as usize].member = member;
            if !std::mem::replace(&mut self.hot[slot as usize].listed, true) {
                self.listed.push(slot);
            }
        }
        before.into_iter().filter(|&slot| !self.listed(slot)).collect()
    }

    fn occupy(&mut self, member: Member, probe: Probe) -> u32 {
        let cold = Endpoint {
            member,
            ejected: false,
            degraded: false,
            probe,
            available_since: None,
            outlier: HostOutlier::default(),
        };
        let hot = |generation| Hot {
            key: member.key,
            generation,
            conns: 0,
            occupied: true,
            listed: false,
            counters: Counters::default(),
        };
        if let Some(slot) = self.free.pop() {
            let at = slot as usize;
            (self.slots[at], self.hot[at]) = (cold, hot(self.hot[at].generation + 1));
            self.active[at] = 0;
            slot
        } else {
            self.slots.push(cold);
            self.hot.push(hot(0));
            self.active.push(0);
            (self.slots.len() - 1) as u32
        }
    }

    /// Frees the slot if the endpoint has left the list and nothing of it is under way.
    pub(super) fn release_if_gone(&mut self, slot: u32) {
        let endpoint = &mut self.hot[slot as usize];
        let busy = self.active[slot as usize] > 0 || endpoint.conns > 0;
        if endpoint.occupied && !endpoint.listed && !busy {
            endpoint.occupied = false;
            self.free.push(slot);
        }
    }

    /// A health flag of an endpoint changed: the view follows now or when the merge window of its
    /// priority closes. Each change goes through the window by itself, also when several come at once.
    pub(super) fn health_changed(&mut self, cx: &mut Cx<'_>, slot: u32) {
        let priority = usize::from(self.slots[slot as usize].member.priority);
        let window = self.rules.update_merge_window;
        let Some(state) = self.windows.get_mut(priority) else { return };
        // Envoy compares whole milliseconds and wants strictly more than the window.
        let outside = state.last.is_none_or(|last| cx.now.since(last).as_millis() > window.as_millis());
        if window.is_zero() || outside {
            self.deliver(cx, |level| level == priority);
        } else if state.until.is_none() {
            state.until = Some(cx.now + window);
            self.merge_due = self.merge_due.min(cx.now + window);
        }
    }

    /// When a held-back change is delivered; [`Time::NEVER`] if none is held back.
    #[inline]
    pub(super) fn merge_due(&self) -> Time {
        self.merge_due
    }

    /// Delivers what was held back until now.
    pub(super) fn deliver_due(&mut self, cx: &mut Cx<'_>) {
        let due: Vec<bool> = self.windows.iter().map(|w| w.until.is_some_and(|until| until <= cx.now)).collect();
        self.deliver(cx, |priority| due[priority]);
    }

    /// A new list: the view becomes equal to the truth.
    pub(super) fn deliver_all(&mut self, cx: &mut Cx<'_>) {
        let highest = self.listed.iter().map(|&slot| self.slots[slot as usize].member.priority).max();
        let levels = usize::from(highest.unwrap_or(0)) + 1;
        self.windows.resize(levels, MergeWindow::default());
        self.view.resize(levels);
        self.deliver(cx, |_| true);
    }

    /// Makes some priorities of the view equal to the truth.
    fn deliver(&mut self, cx: &mut Cx<'_>, which: impl Fn(usize) -> bool) {
        for (priority, window) in self.windows.iter_mut().enumerate().filter(|(priority, _)| which(*priority)) {
            *window = MergeWindow { last: Some(cx.now), until: None };
            self.view.take(priority, &self.listed, &mut self.slots, self.rules, cx.now);
        }
        self.merge_due = self.windows.iter().filter_map(|window| window.until).min().unwrap_or(Time::NEVER);
        let before = self.view.panic;
        self.view.share_out(self.rules);
        if self.view.panic != before {
            cx.emit(Fact::Panic(self.view.panic));
        }
    }
}
