//! The rules that pick one endpoint.
//!
//! *Knows* priorities, zones, weights and the rules of choice, each in a room of its own, and keeps
//! what they remember: indices, turns, tables. *Does not know* why an endpoint is healthy or not; it
//! reads the view. Invariant: for the common rules a pick costs the same whatever the number of
//! endpoints, and allocates nothing; whatever walks over endpoints happens at a delivery.
//!
//! Where Envoy draws one random word for the priority and the endpoint together, a word each is drawn
//! here, and none where there is nothing to decide.

mod anomaly;
mod edf;
mod hashing;
mod least_request;
pub(super) mod loads;
mod locality;
mod maglev;
mod memory;
mod ring_hash;
mod slow_start;

pub use hashing::header_hash;
pub use loads::PriorityLoads;

use super::Cx;
use super::EndpointId;
use super::Outcome;
use super::Trouble;
use super::config::LbPolicy;
use super::config::LocalityRouting;
use super::config::PolicyConfig;
use super::config::PreviousPriorities;
use super::config::SlowStart;
use super::explain::Chosen;
use super::explain::Seen;
use super::explain::Unwatched;
use super::explain::Watch;
use super::flight::Tried;
use super::members::Class;
use super::members::Members;
use super::view;
use super::view::Level;
use super::view::Source;
use super::view::ZoneHosts;
use crate::units::Time;
use anomaly::Anomalies;
use locality::LocalCluster;
use locality::ZoneRouting;
use memory::LevelMemory;

/// The memory of a rule.
#[derive(Clone, Debug)]
pub(super) struct Balancer {
    rules: Rules,
    /// By priority.
    levels: Vec<LevelMemory>,
    /// One random word: where indices start, and how many turns are taken before the first (envoy.md 3.3).
    seed: Option<u64>,
    local: Option<LocalCluster>,
    /// For the first priority; the others have none.
    zone_routing: ZoneRouting,
    anomalies: Option<Anomalies>,
    /// The latest instant at which an endpoint became available, as far as slow start looks.
    latest_available: Option<Time>,
}

/// What of a configuration a choice depends on.
#[derive(Clone, Copy, Debug)]
struct Rules {
    rule: LbPolicy,
    slow_start: Option<SlowStart>,
    locality: LocalityRouting,
    fail_traffic_on_panic: bool,
}

/// What one choice depends on besides the view.
#[derive(Clone, Copy)]
pub(super) struct Choice<'a> {
    pub(super) hash: Option<u64>,
    pub(super) tried: &'a Tried,
    /// Picks again while the pick was tried before; 0 without the predicate.
    pub(super) extra: u32,
    pub(super) retry_priority: Option<PreviousPriorities>,
}

impl Choice<'_> {
    fn tried(&self, members: &Members, slot: u32) -> bool {
        self.tried.contains(members.id(slot))
    }
}

impl Rules {
    /// The weight an endpoint takes its next turn with.
    #[inline]
    fn weight(&self, now: Time, members: &Members, slot: u32) -> f64 {
        let endpoint = &members.slots[slot as usize];
        let weight = match self.rule {
            LbPolicy::LeastRequest(_) => least_request::weight(endpoint.member.weight, members.active(slot)),
            _ => f64::from(endpoint.member.weight),
        };
        match (self.slow_start, endpoint.available_since) {
            (Some(config), Some(since)) if endpoint.class() == Class::Healthy => {
                weight * slow_start::factor(config, now.since(since))
            }
            _ => weight,
        }
    }

    fn takes_turns(&self) -> bool {
        matches!(self.rule, LbPolicy::RoundRobin | LbPolicy::LeastRequest(_))
    }

    fn hashes(&self) -> bool {
        matches!(self.rule, LbPolicy::RingHash { .. } | LbPolicy::Maglev { .. })
    }
}

impl Balancer {
    pub(super) fn new(config: &PolicyConfig) -> Balancer {
        let mitigates = config.lb_policy == LbPolicy::WeightedRandom { anomaly_mitigation: true };
        Balancer {
            rules: Rules {
                rule: config.lb_policy,
                slow_start: config.slow_start,
                locality: config.locality,
                fail_traffic_on_panic: config.fail_traffic_on_panic,
            },
            levels: Vec::new(),
            seed: None,
            local: None,
            zone_routing: ZoneRouting::Off,
            anomalies: mitigates.then(Anomalies::new),
            latest_available: None,
        }
    }

    /// The first list is here: draws the random start, once.
    pub(super) fn seed(&mut self, cx: &mut Cx<'_>) {
        if self.rules.rule == LbPolicy::RoundRobin {
            self.seed_word(cx);
        }
        if let Some(anomalies) = &mut self.anomalies {
            anomalies.start(cx.now);
        }
    }

    fn seed_word(&mut self, cx: &mut Cx<'_>) -> u64 {
        *self.seed.get_or_insert_with(|| cx.rng.next_u64())
    }

    /// Picks a slot; `None` with nobody to pick.
    #[inline]
    pub(super) fn pick(&mut self, cx: &mut Cx<'_>, members: &Members, choice: &Choice<'_>) -> Option<u32> {
        self.pick_watched(cx, members, choice, &mut Unwatched)
    }

    /// The pick that [`Balancer::pick`] would make, and why; nothing remembers that it was made.
    pub(super) fn explain(&self, cx: &mut Cx<'_>, members: &Members, choice: &Choice<'_>) -> Option<Chosen> {
        let mut seen = Seen::default();
        let pick = self.clone().pick_watched(cx, members, choice, &mut seen)?;
        let (priority, source, among) = seen.list?;
        let zone = match source {
            Source::ZoneHealthy(at) | Source::ZoneDegraded(at) => Some(members.view.levels[priority].zones[at].zone),
            Source::Healthy | Source::Degraded | Source::All => None,
        };
        let other = seen.draws.iter().rev().find(|(slot, _)| *slot != pick);
        Some(Chosen {
            endpoint: members.id(pick),
            rule: self.rules.rule,
            by_weight: seen.by_weight,
            list: source.into(),
            among: among as u32,
            priority: priority as u8,
            zone,
            active: members.active(pick),
            other: other.map(|&(slot, active)| (members.id(slot), active)),
            rejected: seen.rejected,
            again: choice.tried(members, pick),
        })
    }

    #[inline]
    fn pick_watched<W: Watch>(
        &mut self,
        cx: &mut Cx<'_>,
        members: &Members,
        choice: &Choice<'_>,
        watch: &mut W,
    ) -> Option<u32> {
        if self.rules.hashes() {
            return self.pick_hashed(cx, members, *choice, watch);
        }
        let pick = self.pick_once(cx, members, choice, watch)?;
        if choice.extra == 0 || !choice.tried(members, pick) {
            Some(pick)
        } else {
            self.pick_again(cx, members, *choice, watch)
        }
    }

    /// The first pick was tried before: picks again, as often as the host predicate may reject.
    #[inline(never)]
    fn pick_again<W: Watch>(
        &mut self,
        cx: &mut Cx<'_>,
        members: &Members,
        choice: Choice<'_>,
        watch: &mut W,
    ) -> Option<u32> {
        watch.rejected();
        let mut pick = self.pick_once(cx, members, &choice, watch)?;
        for _ in 1..choice.extra {
            if !choice.tried(members, pick) {
                break;
            }
            watch.rejected();
            pick = self.pick_once(cx, members, &choice, watch)?;
        }
        Some(pick)
    }

    #[expect(clippy::inline_always, reason = "every request makes this call (reports/performance.md)")]
    #[inline(always)]
    fn pick_once<W: Watch>(
        &mut self,
        cx: &mut Cx<'_>,
        members: &Members,
        choice: &Choice<'_>,
        watch: &mut W,
    ) -> Option<u32> {
        // The common case of `source` first: no zones, no retry priority, and one list that all go to.
        let (hosts, turns) = match (members.view.healthy, choice.retry_priority) {
            (Some(priority), None) if self.ignores_zones() => {
                let hosts = members.view.levels[priority].healthy.as_slice();
                watch.list(priority, Source::Healthy, hosts.len());
                (hosts, &mut self.levels[priority].healthy)
            }
            _ => {
                let (priority, source) = self.source(cx, members, *choice)?;
                let hosts = members.view.levels[priority].hosts(source);
                watch.list(priority, source, hosts.len());
                (hosts, self.levels[priority].turns(source))
            }
        };
        if hosts.is_empty() {
            return None;
        }
        let (rules, now) = (&self.rules, cx.now);
        Some(match rules.rule {
            LbPolicy::RoundRobin | LbPolicy::LeastRequest(_) => match (&mut turns.edf, rules.rule) {
                (Some(edf), _) => {
                    watch.by_weight();
                    return edf.pick(|slot| rules.weight(now, members, slot));
                }
                (None, LbPolicy::LeastRequest(how)) => least_request::pick(cx, how, hosts, members, watch),
                (None, _) => hosts[turns.next(hosts.len())],
            },
            LbPolicy::Random => hosts[cx.below(hosts.len())],
            LbPolicy::WeightedRandom { .. } => match &self.anomalies {
                Some(anomalies) => anomalies.pick(cx, hosts, members),
                None => hosts[cx.below(hosts.len())],
            },
            // As a client walks down the addresses it was given.
            LbPolicy::FirstListed => {
                hosts.iter().copied().find(|&slot| !choice.tried(members, slot)).unwrap_or(hosts[0])
            }
            LbPolicy::RingHash { .. } | LbPolicy::Maglev { .. } => unreachable!("picked by pick_hashed"),
        })
    }

    /// Hash rules: the hash decides the priority, too. Their tables are of the healthy endpoints, or in
    /// panic of all; degraded ones are in none, `fail_traffic_on_panic` and `retry_priority` do not
    /// reach them (\[S\], ThreadAwareLoadBalancerBase).
    #[inline(never)]
    fn pick_hashed<W: Watch>(
        &mut self,
        cx: &mut Cx<'_>,
        members: &Members,
        choice: Choice<'_>,
        watch: &mut W,
    ) -> Option<u32> {
        let hash = choice.hash.unwrap_or_else(|| cx.rng.next_u64());
        let (priority, source) = match members.view.sole {
            Some(sole) => sole,
            None => view::at_roll(&members.view.loads, (hash % 100) as u32 + 1),
        };
        let table = self.levels.get(priority)?.table.as_ref()?;
        watch.list(priority, source, table.len());
        let mut pick = table.pick(hash, 0);
        for attempt in 1..=choice.extra {
            if !choice.tried(members, pick) {
                break;
            }
            watch.rejected();
            pick = table.pick(hash, attempt);
        }
        Some(pick)
    }

    /// True if no request is sent by its zone.
    #[inline]
    fn ignores_zones(&self) -> bool {
        match self.rules.locality {
            LocalityRouting::None => true,
            LocalityRouting::ZoneAware(_) => matches!(self.zone_routing, ZoneRouting::Off),
            LocalityRouting::Weighted => false,
        }
    }

    /// The priority and the list to choose from (envoy.md 3.2, 3.6).
    #[inline(never)]
    fn source(&mut self, cx: &mut Cx<'_>, members: &Members, choice: Choice<'_>) -> Option<(usize, Source)> {
        let view = &members.view;
        let adjusted = match choice.retry_priority {
            Some(rule) => adjusted_loads(members, &choice, rule),
            None => None,
        };
        let (priority, source) = match (adjusted, view.sole) {
            (Some(loads), _) => view::at_roll(&loads, (cx.rng.next_u64() % 100) as u32 + 1),
            (None, Some(sole)) => sole,
            (None, None) => view::at_roll(&view.loads, (cx.rng.next_u64() % 100) as u32 + 1),
        };
        if *view.loads.panic.get(priority)? {
            return if self.rules.fail_traffic_on_panic { None } else { Some((priority, Source::All)) };
        }
        let zone = match self.rules.locality {
            LocalityRouting::Weighted => self.weighted_zone(members, priority, source),
            LocalityRouting::ZoneAware(config) if priority == 0 => self.zone_routing.pick(cx, config),
            LocalityRouting::None | LocalityRouting::ZoneAware(_) => None,
        };
        Some(match (zone, source) {
            (Some(zone), Source::Healthy) => (priority, Source::ZoneHealthy(zone)),
            (Some(zone), Source::Degraded) => (priority, Source::ZoneDegraded(zone)),
            _ => (priority, source),
        })
    }

    fn weighted_zone(&mut self, members: &Members, priority: usize, source: Source) -> Option<usize> {
        let memory = &mut self.levels[priority];
        let level = &members.view.levels[priority];
        let factor = members.rules.overprovisioning_factor;
        let zone = match source {
            Source::Degraded => {
                memory.degraded_zones.as_mut()?.pick(|zone| locality::weight(level, factor, zone, zone_degraded))
            }
            _ => memory.healthy_zones.as_mut()?.pick(|zone| locality::weight(level, factor, zone, zone_healthy)),
        };
        zone.map(|zone| zone as usize)
    }

    /// Follows what was delivered since the last call; only the priorities that it was for.
    pub(super) fn refresh(&mut self, cx: &mut Cx<'_>, members: &Members) {
        let levels = &members.view.levels;
        self.levels.resize_with(levels.len(), LevelMemory::default);
        for (priority, level) in levels.iter().enumerate() {
            if self.levels[priority].version == level.version {
                continue;
            }
            self.levels[priority].version = level.version;
            self.refresh_level(cx, members, priority, level);
            if priority == 0 {
                self.route_zones(members);
            }
        }
    }

    fn refresh_level(&mut self, cx: &mut Cx<'_>, members: &Members, priority: usize, level: &Level) {
        if self.rules.takes_turns() {
            let slow = self.somebody_starts_slowly(cx.now, members, level);
            let queued = |hosts: &[u32]| hosts.len() > 1 && (slow || !memory::equal_weights(members, hosts));
            // Where turns of all do not go by weight, those of no part of them do.
            let needs_seed = self.rules.rule == LbPolicy::RoundRobin || queued(&level.all);
            let seed = if needs_seed { self.seed_word(cx) } else { 0 };
            let (rules, now) = (self.rules, cx.now);
            let weight = |slot| rules.weight(now, members, slot);
            self.levels[priority].refresh_turns(level, seed, queued, weight);
        }
        if self.rules.locality == LocalityRouting::Weighted && !self.rules.hashes() {
            let seed = self.seed_word(cx);
            let factor = members.rules.overprovisioning_factor;
            let memory = &mut self.levels[priority];
            memory.healthy_zones = locality::turns(level, factor, seed, zone_healthy);
            memory.degraded_zones = locality::turns(level, factor, seed, zone_degraded);
        }
        if self.rules.hashes() {
            let panic = members.view.loads.panic.get(priority).copied().unwrap_or(false);
            let by_zone = self.rules.locality == LocalityRouting::Weighted;
            let parts = memory::parts(members, level, panic, by_zone);
            let memory = &mut self.levels[priority];
            memory.table = hashing::Table::build(self.rules.rule, parts, memory.table.take());
        }
    }

    /// Slow start is asked about at a delivery only, as in Envoy: turns by weight go on until the
    /// next one, when all weights are full by then.
    fn somebody_starts_slowly(&mut self, now: Time, members: &Members, level: &Level) -> bool {
        let Some(config) = self.rules.slow_start else { return false };
        let latest = self.latest_available.get_or_insert(now);
        for &slot in &level.healthy {
            if let Some(since) = members.slots[slot as usize].available_since
                && since > *latest
                && now.since(since) <= config.window
            {
                *latest = since;
            }
        }
        now.since(*latest).as_millis() <= config.window.as_millis()
    }

    pub(super) fn set_local_cluster(&mut self, zone: u8, hosts: &[u32], members: &Members) {
        self.local = Some(LocalCluster { zone, hosts: hosts.to_vec() });
        self.route_zones(members);
    }

    fn route_zones(&mut self, members: &Members) {
        if let (LocalityRouting::ZoneAware(config), Some(local), Some(level)) =
            (self.rules.locality, &self.local, members.view.levels.first())
        {
            self.zone_routing = ZoneRouting::new(config, level, local);
        }
    }

    /// An attempt ended; anomaly mitigation counts what became of it.
    #[inline]
    pub(super) fn on_result(&mut self, endpoint: EndpointId, outcome: &Outcome) {
        if let Some(anomalies) = &mut self.anomalies {
            let failed = match outcome {
                Outcome::Answered(answer) => answer.status >= 500,
                Outcome::Failed(Trouble::Timeout) => false,
                Outcome::Failed(_) => true,
            };
            anomalies.count(endpoint, failed);
        }
    }

    /// When weights change by themselves; [`Time::NEVER`] if they do not.
    #[inline]
    pub(super) fn due(&self) -> Time {
        self.anomalies.as_ref().map_or(Time::NEVER, |anomalies| anomalies.due)
    }

    /// Weights change by themselves.
    pub(super) fn reweigh(&mut self, now: Time, members: &Members) {
        if let Some(anomalies) = &mut self.anomalies {
            anomalies.reweigh(now, members);
        }
    }

    /// The weight of an endpoint, in millionths.
    pub(super) fn weight_ppm(&self, now: Time, members: &Members, slot: u32) -> u64 {
        let share = self.anomalies.as_ref().map_or(1.0, |all| f64::from(all.weight(members.id(slot))) / 1000.0);
        (self.rules.weight(now, members, slot) * share * 1_000_000.0).round() as u64
    }

    /// The slots behind the entries of a priority's table.
    pub(super) fn entries(&self, priority: usize) -> Vec<u32> {
        let table = self.levels.get(priority).and_then(|memory| memory.table.as_ref());
        table.map_or_else(Vec::new, hashing::Table::entries)
    }
}

fn zone_healthy(zone: &ZoneHosts) -> usize {
    zone.healthy.len()
}

fn zone_degraded(zone: &ZoneHosts) -> usize {
    zone.degraded.len()
}

/// `previous_priorities` (\[S\]): from every `update_frequency`th attempt on, priorities that were tried
/// are left out, until none is left; then it begins again. `None` is the loads as they are. What was
/// tried is gone through anew each time, by the availability of now.
fn adjusted_loads(members: &Members, choice: &Choice<'_>, rule: PreviousPriorities) -> Option<PriorityLoads> {
    let (view, factor) = (&members.view, members.rules.overprovisioning_factor);
    let frequency = rule.update_frequency as usize;
    let mut attempted: Vec<usize> = Vec::new();
    let mut left_out = vec![false; view.levels.len()];
    let mut loads = None;
    for endpoint in choice.tried.iter() {
        // One that is gone has no priority, but counts.
        let priority = members.live(endpoint).map(|slot| members.slots[slot as usize].member.priority);
        attempted.push(priority.map_or(usize::MAX, usize::from));
        if attempted.len() < frequency {
            loads = None;
        } else if attempted.len().is_multiple_of(frequency) {
            for &priority in &attempted {
                if let Some(out) = left_out.get_mut(priority) {
                    *out = true;
                }
            }
            loads = view.loads_without(factor, |priority| left_out[priority]);
            if loads.is_none() {
                left_out.fill(false);
                attempted.clear();
                loads = view.loads_without(factor, |_| false);
            }
        }
    }
    loads
}
