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
    let read = |by_zone: bool| {
        let bytes = month.count(|replica| {
            let edges = scenario.edges.len();
            let of = |(number, edge): (usize, &crate::measure::EdgeUse)| {
                let arrow = scenario.edges[number % edges];
                let (from, to) = (scenario.service(arrow.from), scenario.service(arrow.to));
                let total = if to.external { 0 } else { edge.first.total(request, response) };
                total * u128::from(cross_share(from, to, by_zone)) / 1_000_000
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

/// The share of calls between zones, parts per million. Tasks are spread over a service's zones in turn; routing by zone
/// is off below two endpoints a zone, as Service Connect has it.
fn cross_share(from: &Service, to: &Service, by_zone: bool) -> u64 {
    let shares = |service: &Service| {
        let mut count = [0_u64; 256];
        for task in 0..service.tasks as usize {
            count[usize::from(service.zones[task % service.zones.len()])] += 1;
        }
        count
    };
    let (callers, endpoints) = (shares(from), shares(to));
    let (all_callers, all_endpoints) = (u64::from(from.tasks), u64::from(to.tasks));
    let zones = callers.iter().zip(&endpoints).filter(|(c, e)| **c + **e > 0).count() as u64;
    let local = |(caller, endpoint): (&u64, &u64)| {
        if by_zone && all_endpoints >= 2 * zones {
            (caller * all_endpoints).min(endpoint * all_callers)
        } else {
            caller * endpoint
        }
    };
    let kept: u64 = callers.iter().zip(&endpoints).map(local).sum();
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
            cross_share(&scenario.services[0], &scenario.services[1], by_zone)
        };
        assert_eq!(share(6, false), 666_667);
        assert_eq!(share(6, true), 0);
        assert_eq!(share(5, true), share(5, false), "below two endpoints a zone routing by zone is off");
        // Zones of three, two and two endpoints for a caller each: 1/3 + 2/7 + 2/7 stay.
        assert_eq!(share(7, true), 95_239);
    }
}
