//! Bytes that go from one zone to another, as simulated, and what routing by zone is worth.
//!
//! *Knows* who is billed: whoever sends and whoever receives, each a cent a gigabyte in us-east-1; what an ALB node sends to
//! a target in another zone is not. Calls to external services are left out: they are the same on every plane.
//! The two readings beside the simulated one are arithmetic on the same bytes: shares of zones of callers and callees.

use super::amount::Amount;
use super::lines::Group;
use super::lines::Line;
use super::lines::Shape;
use super::lines::counted;
use super::month::Counted;
use super::month::Month;
use crate::measure::study::Replica;
use crate::scenario::PriceItem;
use crate::scenario::Scenario;
use crate::scenario::Service;

/// Bytes in a gigabyte as AWS counts transfer.
const GB: u128 = 1 << 30;

/// A month's cross-zone traffic between callers and what they choose.
#[derive(Clone, PartialEq, Debug)]
pub struct ZoneReading {
    /// As simulated.
    pub simulated: Amount,
    /// If every caller chose evenly among all endpoints, whatever their zone.
    pub even: Amount,
    /// If every caller kept to its zone as far as endpoints there go (share local = min(1, endpoints / callers)).
    pub by_zone: Amount,
}

/// The lines of a plane, and its reading with and without routing by zone.
pub(super) fn lines(scenario: &Scenario, plane: usize, month: &Month<'_>) -> (Vec<Line>, Option<ZoneReading>) {
    let cost = &scenario.cost;
    let (request, response) = (cost.message.request.get(), cost.message.response.get());
    let shape = |because| Shape { per: GB, times: 2, unit: "GB", because };
    let sizes = if has_bare(month, scenario) {
        ", calls without sizes taken as `request` and `response` of [cost]"
    } else {
        ""
    };
    let first = month.count(|replica| each(scenario, replica, |edge| edge.first.between_zones(request, response)));
    let mut all =
        vec![counted(cost, Group::CrossZone, "between zones, out and in", PriceItem::CrossZone, &first, shape(sizes))];
    let has_alb = super::balancer::path(scenario, plane).is_some();
    if has_alb {
        let behind =
            month.count(|replica| each(scenario, replica, |edge| edge.behind.between_zones(request, response)));
        let shape = Shape { per: GB, times: 1, unit: "GB", because: "" };
        all.push(counted(
            cost,
            Group::CrossZone,
            "from ALB nodes to other zones",
            PriceItem::AlbToTarget,
            &behind,
            shape,
        ));
    }
    if has_alb || scenario.zones.len() < 2 {
        return (all, None);
    }
    let zones: Vec<Vec<u64>> = scenario.services.iter().map(|service| by_zone(service, scenario.zones.len())).collect();
    let read = |by_zone: bool| {
        let share = |arrow: &crate::scenario::Edge| {
            let (from, to) = (arrow.from.0 as usize, arrow.to.0 as usize);
            if scenario.services[to].external { 0 } else { cross_share(&zones[from], &zones[to], by_zone) }
        };
        let shares: Vec<u64> = scenario.edges.iter().map(share).collect();
        let bytes = month.count(|replica| {
            let of = |(number, edge): (usize, &crate::measure::EdgeUse)| {
                edge.first.total(request, response) * u128::from(shares[number % shares.len()]) / 1_000_000
            };
            replica.usage.edges.iter().enumerate().map(of).sum()
        });
        amount(scenario, &bytes)
    };
    let zones = ZoneReading { simulated: all[0].amount.clone(), even: read(false), by_zone: read(true) };
    (all, Some(zones))
}

fn amount(scenario: &Scenario, bytes: &Counted) -> Amount {
    counted(
        &scenario.cost,
        Group::CrossZone,
        "",
        PriceItem::CrossZone,
        bytes,
        Shape { per: GB, times: 2, unit: "GB", because: "" },
    )
    .amount
}

/// A figure over all edges that lead to services on ECS.
fn each(scenario: &Scenario, replica: &Replica, figure: impl Fn(&crate::measure::EdgeUse) -> u128) -> u128 {
    let edges = scenario.edges.len();
    let of = |(number, edge): (usize, &crate::measure::EdgeUse)| {
        if scenario.service(scenario.edges[number % edges].to).external { 0 } else { figure(edge) }
    };
    replica.usage.edges.iter().enumerate().map(of).sum()
}

fn has_bare(month: &Month<'_>, scenario: &Scenario) -> bool {
    month.replicas().iter().any(|replica| each(scenario, replica, |edge| u128::from(edge.first.bare_requests)) > 0)
}

/// How many tasks of a service each zone has: they are spread over the service's zones in turn.
fn by_zone(service: &Service, zones: usize) -> Vec<u64> {
    let mut count = vec![0; zones];
    let (tasks, own) = (service.tasks as usize, service.zones.len());
    for (turn, &zone) in service.zones.iter().enumerate() {
        let rest = usize::from(turn < tasks % own);
        count[usize::from(zone)] += (tasks / own + rest) as u64;
    }
    count
}

/// The share of calls between zones, parts per million. Routing by zone is off below two endpoints a zone, as Service
/// Connect has it.
fn cross_share(callers: &[u64], endpoints: &[u64], by_zone: bool) -> u64 {
    let (all_callers, all_endpoints) = (callers.iter().sum::<u64>(), endpoints.iter().sum::<u64>());
    let zones = callers.iter().zip(endpoints).filter(|(c, e)| **c + **e > 0).count() as u64;
    let local = |(caller, endpoint): (&u64, &u64)| {
        if by_zone && all_endpoints >= 2 * zones {
            (caller * all_endpoints).min(endpoint * all_callers)
        } else {
            caller * endpoint
        }
    };
    let kept: u64 = callers.iter().zip(endpoints).map(local).sum();
    let whole = all_callers * all_endpoints;
    1_000_000 - (u128::from(kept) * 1_000_000 / u128::from(whole.max(1))) as u64
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::LoadOptions;
    use crate::scenario::parse;

    #[test]
    fn three_zones_evenly_are_two_thirds_and_by_zone_none() {
        let text = |tasks: u32| {
            format!("[service.a]\ntasks = 3\ncalls = [\"b\"]\n[service.b]\ntasks = {tasks}\n[load]\nrate = \"1/s\"\n")
        };
        let share = |tasks, by_zone| {
            let scenario = parse("t", &text(tasks), Path::new("."), &LoadOptions::default()).unwrap().scenario;
            let zones = |at: usize| super::by_zone(&scenario.services[at], scenario.zones.len());
            cross_share(&zones(0), &zones(1), by_zone)
        };
        assert_eq!(share(6, false), 666_667);
        assert_eq!(share(6, true), 0);
        assert_eq!(share(5, true), share(5, false), "below two endpoints a zone routing by zone is off");
        // Zones of three, two and two endpoints for a caller each: 1/3 + 2/7 + 2/7 stay.
        assert_eq!(share(7, true), 95_239);
    }
}
