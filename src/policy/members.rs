//! The endpoints a router knows, and the view the balancer has of them.
//!
//! *Knows* which endpoints are listed, which of them are healthy, and when a change of health
//! reaches the balancer. *Does not know* why an endpoint is unhealthy.
//! Invariant: truth and view are two things. Health changes pass through the update-merge
//! window (envoy.md 1.7); a change of the list is delivered at once.

use super::Cx;
use super::EndpointId;
use super::Member;
use super::MemberKey;
use super::config::Panic;
use super::fact::Fact;
use super::outlier::Counters;
use super::outlier::HostOutlier;
use crate::units::Span;
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
    pub(super) outlier: HostOutlier,
}

/// What every request reads or writes of an endpoint: one cache line each.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Hot {
    key: MemberKey,
    generation: u32,
    /// Requests on its connections.
    active: u32,
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

impl Endpoint {
    /// Neither ejected nor failing its probes.
    pub(super) fn healthy(&self) -> bool {
        !self.ejected && matches!(self.probe.health, ProbeHealth::Unprobed | ProbeHealth::Passing)
    }
}

/// All endpoints of a router.
#[derive(Clone, Debug)]
pub(super) struct Members {
    pub(super) slots: Vec<Endpoint>,
    /// The same slots.
    hot: Vec<Hot>,
    free: Vec<u32>,
    /// Slots in the order of the list.
    pub(super) listed: Vec<u32>,
    pub(super) view: View,
    last_delivered: Option<Time>,
    merge_until: Option<Time>,
}

/// What the balancer sees.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// Slots in list order, those seen healthy.
    pub(super) healthy: Vec<u32>,
    /// All slots in list order.
    pub(super) all: Vec<u32>,
    /// Health is ignored.
    pub(super) panic: bool,
}

impl View {
    /// The slots to choose from.
    pub(super) fn candidates(&self) -> &[u32] {
        if self.panic { &self.all } else { &self.healthy }
    }
}

impl Members {
    pub(super) fn new() -> Members {
        Members {
            slots: Vec::new(),
            hot: Vec::new(),
            free: Vec::new(),
            listed: Vec::new(),
            view: View::default(),
            last_delivered: None,
            merge_until: None,
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
        self.hot[slot as usize].active
    }

    #[inline]
    pub(super) fn active_mut(&mut self, slot: u32) -> &mut u32 {
        &mut self.hot[slot as usize].active
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
            seen_healthy: self.view.healthy.contains(&slot),
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
        let cold = Endpoint { member, ejected: false, degraded: false, probe, outlier: HostOutlier::default() };
        let hot = |generation| Hot {
            key: member.key,
            generation,
            active: 0,
            conns: 0,
            occupied: true,
            listed: false,
            counters: Counters::default(),
        };
        if let Some(slot) = self.free.pop() {
            let at = slot as usize;
            (self.slots[at], self.hot[at]) = (cold, hot(self.hot[at].generation + 1));
            slot
        } else {
            self.slots.push(cold);
            self.hot.push(hot(0));
            (self.slots.len() - 1) as u32
        }
    }

    /// Frees the slot if the endpoint has left the list and nothing of it is under way.
    pub(super) fn release_if_gone(&mut self, slot: u32) {
        let endpoint = &mut self.hot[slot as usize];
        if endpoint.occupied && !endpoint.listed && endpoint.active == 0 && endpoint.conns == 0 {
            endpoint.occupied = false;
            self.free.push(slot);
        }
    }

    /// A health flag changed: the view follows now or when the merge window closes.
    pub(super) fn health_changed(&mut self, cx: &mut Cx<'_>, window: Span, panic: Panic) {
        // Envoy compares whole milliseconds and wants strictly more than the window.
        let outside = self.last_delivered.is_none_or(|last| cx.now.since(last).as_millis() > window.as_millis());
        if window.is_zero() || outside {
            self.deliver(cx, panic);
        } else if self.merge_until.is_none() {
            self.merge_until = Some(cx.now + window);
        }
    }

    /// When a held-back change is delivered.
    pub(super) fn merge_due(&self) -> Option<Time> {
        self.merge_until
    }

    /// Makes the view equal to the truth.
    pub(super) fn deliver(&mut self, cx: &mut Cx<'_>, panic: Panic) {
        self.last_delivered = Some(cx.now);
        self.merge_until = None;
        self.view.all.clear();
        self.view.healthy.clear();
        let mut counted = 0;
        for &slot in &self.listed {
            let endpoint = &self.slots[slot as usize];
            self.view.all.push(slot);
            counted += usize::from(endpoint.probe.health != ProbeHealth::Unknown);
            if endpoint.healthy() {
                self.view.healthy.push(slot);
            }
        }
        let now_in_panic = in_panic(panic, self.view.healthy.len(), counted) && !self.view.all.is_empty();
        if now_in_panic != self.view.panic {
            self.view.panic = now_in_panic;
            cx.emit(Fact::Panic(now_in_panic));
        }
    }
}

/// Whether health is ignored with `healthy` of `counted` endpoints healthy (envoy.md 3.2).
fn in_panic(panic: Panic, healthy: usize, counted: usize) -> bool {
    match panic {
        Panic::Never => false,
        Panic::NoneHealthy => healthy == 0,
        Panic::Below(share) => {
            // The overprovisioning factor of 1.4: with five of seven healthy the priority counts as
            // fully available, whatever the threshold.
            let fully_available = counted > 0 && 140 * healthy >= 100 * counted;
            !fully_available && (healthy as u64) * 1_000_000 < u64::from(share.as_ppm()) * counted.max(1) as u64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Ratio;

    #[test]
    fn panic_begins_strictly_below_the_threshold() {
        let half = Panic::Below(Ratio::from_percent(50));
        // envoy.md 3.2: 4 of 8 is not panic, 3 of 8 is.
        assert!(!in_panic(half, 4, 8));
        assert!(in_panic(half, 3, 8));
        assert!(in_panic(half, 0, 0));
        assert!(!in_panic(Panic::Below(Ratio::ZERO), 0, 8));
        assert!(!in_panic(Panic::Below(Ratio::from_percent(90)), 6, 8), "75 % times 1.4 is all");
        assert!(in_panic(Panic::NoneHealthy, 0, 3));
        assert!(!in_panic(Panic::NoneHealthy, 1, 3));
        assert!(!in_panic(Panic::Never, 0, 3));
    }
}
