//! Zones: turns by the weight of localities, or the caller's own zone first.
//!
//! *Knows* the weight of a locality by its health, and zone-aware routing (envoy.md 3.6, both \[S\]: read
//! in Envoy's source and not seen on the binary). *Does not know* endpoints, only counts per zone.
//!
//! Zones stand in ascending order. Envoy puts the caller's own first, which moves which random word
//! means which zone, and no share.

use super::edf::Edf;
use crate::policy::Cx;
use crate::policy::config::ZoneAware;
use crate::policy::view::Level;
use crate::policy::view::ZoneHosts;

/// Turns over the zones of a priority. `None` if no zone has weight.
pub(super) fn turns(level: &Level, factor: u32, seed: u64, eligible: impl Fn(&ZoneHosts) -> usize) -> Option<Edf> {
    let weight = |i: u32| weight(level, factor, i, &eligible);
    let zones: Vec<u32> = (0..level.zones.len() as u32).filter(|&i| weight(i) > 0.0).collect();
    if zones.is_empty() { None } else { Some(Edf::with_head_start(&zones, seed, weight)) }
}

/// The weight of a zone for the turn after this one; it does not change between two deliveries.
pub(super) fn weight(level: &Level, factor: u32, zone: u32, eligible: impl Fn(&ZoneHosts) -> usize) -> f64 {
    let zone = &level.zones[zone as usize];
    if zone.counted == 0 {
        return 0.0;
    }
    let well = eligible(zone) as f64 / f64::from(zone.counted);
    f64::from(zone.weight) * (f64::from(factor) / 100.0 * well).min(1.0)
}

/// Where the caller is, and how many healthy ones like it are in each zone.
#[derive(Clone, Debug)]
pub(super) struct LocalCluster {
    pub(super) zone: u8,
    pub(super) hosts: Vec<u32>,
}

/// How requests find their zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum ZoneRouting {
    /// Zones do not matter.
    Off,
    /// All stay in the own zone, which has this place among the priority's zones.
    Direct(usize),
    /// Some stay; the others go where capacity is left.
    Residual {
        /// The place of the own zone, and how many in 10000 stay there.
        own: Option<(usize, u64)>,
        /// Capacity left in each zone and those before it, in 1/10000 of all.
        capacity: Vec<u64>,
    },
}

impl ZoneRouting {
    /// What the first priority's zones and the caller's make of it.
    pub(super) fn new(config: ZoneAware, level: &Level, local: &LocalCluster) -> ZoneRouting {
        let local_total: u64 = local.hosts.iter().map(|&n| u64::from(n)).sum();
        let local_in = |zone: u8| local.hosts.get(usize::from(zone)).map_or(0, |&n| u64::from(n));
        let upstream_total = level.healthy.len() as u64;
        let too_few = level.zones.len() < 2
            || local.hosts.iter().filter(|&&n| n > 0).count() < 2
            || local_in(local.zone) == 0
            || upstream_total < config.min_cluster_size;
        if too_few || upstream_total == 0 {
            return ZoneRouting::Off;
        }
        // Shares in 1/10000, truncated. A zone without healthy endpoints has no share of either.
        let shares: Vec<(u64, u64)> = level
            .zones
            .iter()
            .map(|zone| match zone.healthy.len() as u64 {
                0 => (0, 0),
                n => (10_000 * local_in(zone.zone) / local_total, 10_000 * n / upstream_total),
            })
            .collect();
        let own = level.zones.iter().position(|zone| zone.zone == local.zone);
        if let Some(own) = own
            && shares[own].1 > 0
            && shares[own].1 >= shares[own].0
        {
            return ZoneRouting::Direct(own);
        }
        let mut sum = 0;
        let capacity = shares
            .iter()
            .enumerate()
            .map(|(i, (local, upstream))| {
                if Some(i) != own {
                    sum += upstream.saturating_sub(*local);
                }
                sum
            })
            .collect();
        let stay = |own: usize| (own, (shares[own].1 * 10_000).checked_div(shares[own].0).unwrap_or(0));
        ZoneRouting::Residual { own: own.map(stay), capacity }
    }

    /// The place of a zone for one request; `None` leaves zones out.
    pub(super) fn pick(&self, cx: &mut Cx<'_>, config: ZoneAware) -> Option<usize> {
        if *self == ZoneRouting::Off {
            return None;
        }
        // The roll is drawn only where it can go either way.
        let enabled = u64::from(config.routing_enabled);
        if enabled == 0 || (enabled < 100 && cx.rng.next_u64() % 100 >= enabled) {
            return None;
        }
        match self {
            ZoneRouting::Off => None,
            ZoneRouting::Direct(own) => Some(*own),
            ZoneRouting::Residual { own, capacity } => {
                let stay = cx.rng.next_u64() % 10_000;
                if let Some((own, local)) = own
                    && stay < *local
                {
                    return Some(*own);
                }
                let all = capacity.last().copied().unwrap_or(0);
                if all == 0 {
                    // Shares were rounded away: any zone.
                    return Some((cx.rng.next_u64() % capacity.len() as u64) as usize);
                }
                let sample = cx.rng.next_u64() % all;
                Some(capacity.partition_point(|&upto| upto <= sample))
            }
        }
    }
}
