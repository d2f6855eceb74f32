//! What is remembered per priority: indices, turns and tables, one per list to choose from.
//!
//! *Knows* when turns go by weight, and the shares of weight that hash tables are made of (envoy.md
//! 3.3, 3.5). *Does not know* when it is renewed nor who is picked.

use super::edf::Edf;
use super::hashing::Part;
use super::hashing::Table;
use crate::policy::members::Members;
use crate::policy::view::Level;
use crate::policy::view::Source;

/// The memory of one priority.
#[derive(Clone, Debug, Default)]
pub(super) struct LevelMemory {
    /// Of the delivery that it follows.
    pub(super) version: u64,
    pub(super) healthy: Turns,
    degraded: Turns,
    all: Turns,
    /// Healthy and degraded, by the zone's place.
    zones: Vec<(Turns, Turns)>,
    pub(super) healthy_zones: Option<Edf>,
    pub(super) degraded_zones: Option<Edf>,
    pub(super) table: Option<Table>,
}

/// The memory of one list.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    /// The next turn with equal weights; never reset.
    index: u64,
    /// Its remainder by the length of the list it was last taken for, and that length: a division
    /// for every pick is dear.
    place: usize,
    len: usize,
    started: bool,
    /// Turns by weight.
    pub(super) edf: Option<Edf>,
}

impl Turns {
    /// The place whose turn it is in a list of that length, which is not 0.
    #[inline]
    pub(super) fn next(&mut self, len: usize) -> usize {
        if len != self.len {
            self.len = len;
            self.place = (self.index % len as u64) as usize;
        }
        let place = self.place;
        self.index = self.index.wrapping_add(1);
        self.place = if place + 1 == len || self.index == 0 { 0 } else { place + 1 };
        place
    }

    fn refresh(&mut self, hosts: &[u32], seed: u64, queued: bool, weight: impl Fn(u32) -> f64) {
        if !self.started {
            self.started = true;
            self.index = seed;
            self.len = 0;
        }
        self.edf = queued.then(|| Edf::with_head_start(hosts, seed, weight));
    }
}

impl LevelMemory {
    #[inline]
    pub(super) fn turns(&mut self, source: Source) -> &mut Turns {
        match source {
            Source::Healthy => &mut self.healthy,
            Source::Degraded => &mut self.degraded,
            Source::All => &mut self.all,
            Source::ZoneHealthy(i) => &mut self.zones[i].0,
            Source::ZoneDegraded(i) => &mut self.zones[i].1,
        }
    }

    /// Renews the turns of every list; `queued` says of which they go by weight.
    pub(super) fn refresh_turns(
        &mut self,
        level: &Level,
        seed: u64,
        queued: impl Fn(&[u32]) -> bool,
        weight: impl Fn(u32) -> f64,
    ) {
        self.zones.resize_with(level.zones.len().max(self.zones.len()), Default::default);
        let zones = self.zones.iter_mut().zip(&level.zones).flat_map(|((healthy, degraded), zone)| {
            [(healthy, zone.healthy.as_slice()), (degraded, zone.degraded.as_slice())]
        });
        let lists =
            [(&mut self.all, &level.all), (&mut self.healthy, &level.healthy), (&mut self.degraded, &level.degraded)];
        for (turns, hosts) in lists.into_iter().map(|(turns, hosts)| (turns, hosts.as_slice())).chain(zones) {
            turns.refresh(hosts, seed, queued(hosts), &weight);
        }
    }
}

/// All weights are the same, whatever they are.
pub(super) fn equal_weights(members: &Members, hosts: &[u32]) -> bool {
    let weight = |slot: u32| members.slots[slot as usize].member.weight;
    hosts.windows(2).all(|pair| weight(pair[0]) == weight(pair[1]))
}

/// The parts of a hash table: the healthy endpoints of a priority, in panic all of them, with their
/// shares; with `by_zone` a locality's weight is shared out among its own.
pub(super) fn parts(members: &Members, level: &Level, panic: bool, by_zone: bool) -> Vec<Part> {
    let mut parts = Vec::new();
    if by_zone {
        let sum: u64 = level.zones.iter().map(|zone| u64::from(zone.weight)).sum();
        for zone in level.zones.iter().filter(|zone| zone.weight > 0) {
            let hosts = if panic { &zone.all } else { &zone.healthy };
            add(members, hosts, f64::from(zone.weight) / sum as f64, &mut parts);
        }
    } else {
        add(members, if panic { &level.all } else { &level.healthy }, 1.0, &mut parts);
    }
    parts
}

fn add(members: &Members, hosts: &[u32], share: f64, parts: &mut Vec<Part>) {
    let weight = |slot: u32| members.slots[slot as usize].member.weight;
    let sum: u64 = hosts.iter().map(|&slot| u64::from(weight(slot))).sum();
    parts.extend(hosts.iter().map(|&slot| Part {
        id: members.id(slot),
        key: members.slots[slot as usize].member.address.to_string(),
        share: f64::from(weight(slot)) * share / sum as f64,
    }));
}
