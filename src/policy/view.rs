//! What the balancer sees: endpoints by priority, health and zone, as of the last delivery.
//!
//! *Knows* the lists that a choice is made from, and the loads of priorities. *Does not know* when a
//! change is delivered (`members`) nor by which rule is chosen (`balance`). Invariant: it changes
//! with a delivery and never between two; a choice walks over none of its lists.

use super::balance::loads;
use super::balance::loads::Availability;
use super::balance::loads::Counts;
use super::balance::loads::PriorityLoads;
use super::config::LocalityRouting;
use super::config::Panic;
use super::config::PolicyConfig;
use super::members::Class;
use super::members::Endpoint;
use crate::units::Span;
use crate::units::Time;

/// What of a configuration shapes the view.
#[derive(Clone, Copy, Debug)]
pub(super) struct ViewRules {
    panic: Panic,
    pub(super) overprovisioning_factor: u32,
    /// Endpoints are listed by zone, too.
    zones: bool,
    pub(super) update_merge_window: Span,
}

impl ViewRules {
    pub(super) fn of(config: &PolicyConfig) -> ViewRules {
        ViewRules {
            panic: config.panic,
            overprovisioning_factor: config.overprovisioning_factor,
            zones: config.locality != LocalityRouting::None,
            update_merge_window: config.update_merge_window,
        }
    }
}

/// What the balancer sees.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// By priority.
    pub(super) levels: Vec<Level>,
    pub(super) loads: PriorityLoads,
    /// Where all of the load goes, if it goes to one place.
    pub(super) sole: Option<(usize, Source)>,
    /// The priority whose healthy endpoints get all of it, without panic: the common case of `sole`.
    pub(super) healthy: Option<usize>,
    /// A priority with endpoints ignores health.
    pub(super) panic: bool,
    counts: Vec<Counts>,
    availability: Availability,
}

/// One priority, in list order.
#[derive(Clone, Debug, Default)]
pub(super) struct Level {
    /// Rises with every delivery.
    pub(super) version: u64,
    pub(super) healthy: Vec<u32>,
    pub(super) degraded: Vec<u32>,
    pub(super) all: Vec<u32>,
    /// In ascending order; none where zones do not matter.
    pub(super) zones: Vec<ZoneHosts>,
}

/// The endpoints of a priority in one zone.
#[derive(Clone, Debug)]
pub(super) struct ZoneHosts {
    pub(super) zone: u8,
    /// `locality_weight` of the first of them.
    pub(super) weight: u32,
    /// Those that count in percentages.
    pub(super) counted: u32,
    pub(super) healthy: Vec<u32>,
    pub(super) degraded: Vec<u32>,
    pub(super) all: Vec<u32>,
}

/// A list to choose from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    Healthy,
    Degraded,
    /// In panic.
    All,
    /// The healthy ones of the zone in this place.
    ZoneHealthy(usize),
    /// The degraded ones of the zone in this place.
    ZoneDegraded(usize),
}

impl Level {
    #[inline]
    pub(super) fn hosts(&self, source: Source) -> &[u32] {
        match source {
            Source::Healthy => &self.healthy,
            Source::Degraded => &self.degraded,
            Source::All => &self.all,
            Source::ZoneHealthy(i) => self.zones.get(i).map_or(&[], |zone| &zone.healthy),
            Source::ZoneDegraded(i) => self.zones.get(i).map_or(&[], |zone| &zone.degraded),
        }
    }

    fn clear(&mut self) {
        self.version += 1;
        self.healthy.clear();
        self.degraded.clear();
        self.all.clear();
        self.zones.clear();
    }

    fn zone(&mut self, zone: u8, weight: u32) -> &mut ZoneHosts {
        let at = self.zones.partition_point(|known| known.zone < zone);
        if self.zones.get(at).is_none_or(|known| known.zone != zone) {
            let (healthy, degraded, all) = (Vec::new(), Vec::new(), Vec::new());
            self.zones.insert(at, ZoneHosts { zone, weight, counted: 0, healthy, degraded, all });
        }
        &mut self.zones[at]
    }
}

impl View {
    /// Room for that many priorities.
    pub(super) fn resize(&mut self, levels: usize) {
        self.levels.resize_with(levels, Level::default);
        self.counts.resize(levels, Counts::default());
    }

    /// Brings one priority up to the truth.
    pub(super) fn take(
        &mut self,
        priority: usize,
        listed: &[u32],
        slots: &mut [Endpoint],
        rules: ViewRules,
        now: Time,
    ) {
        let level = &mut self.levels[priority];
        level.clear();
        let mut counted = 0;
        for &slot in listed {
            let endpoint = &mut slots[slot as usize];
            if usize::from(endpoint.member.priority) != priority {
                continue;
            }
            let class = endpoint.class();
            let counts = !endpoint.excluded();
            counted += u64::from(counts);
            level.all.push(slot);
            match class {
                Class::Healthy => {
                    // Slow start counts from here unless a probe has said it before (envoy.md 3.6).
                    endpoint.available_since.get_or_insert(now);
                    level.healthy.push(slot);
                }
                Class::Degraded => level.degraded.push(slot),
                Class::Unhealthy => {}
            }
            if rules.zones {
                let zone = level.zone(endpoint.member.zone, endpoint.member.locality_weight);
                zone.counted += u32::from(counts);
                zone.all.push(slot);
                match class {
                    Class::Healthy => zone.healthy.push(slot),
                    Class::Degraded => zone.degraded.push(slot),
                    Class::Unhealthy => {}
                }
            }
        }
        self.counts[priority] = Counts {
            healthy: level.healthy.len() as u64,
            degraded: level.degraded.len() as u64,
            counted,
            all: level.all.len() as u64,
        };
    }

    /// Shares the load out anew, after all priorities that changed were taken over.
    pub(super) fn share_out(&mut self, rules: ViewRules) {
        loads::compute(
            &self.counts,
            rules.overprovisioning_factor,
            rules.panic,
            &mut self.availability,
            &mut self.loads,
        );
        let full = |loads: &[u32]| loads.iter().position(|&load| load == 100);
        self.sole = match (full(&self.loads.healthy), full(&self.loads.degraded)) {
            (Some(at), _) => Some((at, Source::Healthy)),
            (None, Some(at)) => Some((at, Source::Degraded)),
            (None, None) => None,
        };
        self.healthy = match self.sole {
            Some((at, Source::Healthy)) if !self.loads.panic[at] => Some(at),
            _ => None,
        };
        let in_panic = |(panic, counts): (&bool, &Counts)| *panic && counts.all > 0;
        self.panic = self.loads.panic.iter().zip(&self.counts).any(in_panic);
    }

    /// Loads without some of the priorities; `None` if nothing is available then.
    pub(super) fn loads_without(&self, factor: u32, left_out: impl Fn(usize) -> bool) -> Option<PriorityLoads> {
        let mut availability = Availability::default();
        availability.measure(&self.counts, factor, left_out);
        let mut loads = PriorityLoads::default();
        availability.share_out(&mut loads);
        (availability.total() > 0).then_some(loads)
    }
}

/// The priority and the list for a roll from 1 to 100: healthy ones first, in order, then degraded ones.
pub(super) fn at_roll(loads: &PriorityLoads, roll: u32) -> (usize, Source) {
    let mut sum = 0;
    for (list, source) in [(&loads.healthy, Source::Healthy), (&loads.degraded, Source::Degraded)] {
        for (priority, load) in list.iter().enumerate() {
            sum += load;
            if roll <= sum {
                return (priority, source);
            }
        }
    }
    (0, Source::Healthy)
}
