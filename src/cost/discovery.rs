//! Names: Cloud Map registrations, the private zone, queries, API calls.
//!
//! *Knows* two readings of the registration fee, and which planes ask whom. *Does not know* how a resolver caches; of a study
//! it takes the lookups that the simulated clients made.

use super::lines::Group;
use super::lines::Line;
use super::lines::Shape;
use super::lines::counted;
use super::lines::fixed;
use super::month::Month;
use super::month::called;
use crate::scenario::Asked;
use crate::scenario::PriceItem;
use crate::scenario::Registration;
use crate::scenario::Scenario;

/// The first price of queries goes to here.
const FIRST_BILLION: u128 = 1_000_000_000;

/// The lines of a plane.
pub(super) fn lines(scenario: &Scenario, plane: usize, month: &Month<'_>) -> Vec<Line> {
    let (cost, facts) = (&scenario.cost, &scenario.planes[plane]);
    let group = Group::Discovery;
    let tasks: u64 = called(scenario).map(|service| u64::from(scenario.service(service).tasks)).sum();
    let mut all = Vec::new();
    // The control plane of Service Connect and App Mesh registers what the names of a snapshot lead to.
    let managed = facts.sidecar().is_some_and(|sidecar| sidecar.snapshot_names);
    if managed {
        let count = called(scenario).count() as u64;
        all.push(fixed(cost, group, "Service Connect itself", PriceItem::ServiceConnect, (count, "services"), 1));
    }
    for (used, free, name) in [
        (managed, PriceItem::CloudMapServiceConnect, "Cloud Map, used through Service Connect"),
        (facts.dns().is_some(), PriceItem::CloudMapEcsRegistration, "Cloud Map, registered by ECS"),
    ] {
        if used {
            let item = match cost.registration {
                Registration::Free => free,
                Registration::Charged => PriceItem::CloudMapRegistration,
            };
            all.push(fixed(cost, group, name, item, (tasks, "tasks registered"), 1));
        }
    }
    if facts.dns().is_none() {
        return all;
    }
    let lookups = month.count(|replica| u128::from(replica.usage.lookups));
    if cost.discovery == Asked::Api {
        let because = ", one call a simulated lookup";
        let shape = Shape { per: 1_000_000, times: 1, unit: "million calls", because };
        all.push(counted(cost, group, "DiscoverInstances", PriceItem::CloudMapApiCalls, &lookups, shape));
        return all;
    }
    all.push(fixed(cost, group, "private hosted zone", PriceItem::Zone, (1, "zone"), 1));
    let shape = |because| Shape { per: 1_000_000, times: 1, unit: "million queries", because };
    let first = lookups.up_to(FIRST_BILLION);
    let because = ", one query a simulated lookup";
    all.push(counted(cost, group, "Route 53 queries", PriceItem::Queries, &first, shape(because)));
    if lookups.whole().any(|count| count > FIRST_BILLION) {
        let rest = lookups.above(FIRST_BILLION);
        let item = "Route 53 queries past the first billion";
        all.push(counted(cost, group, item, PriceItem::QueriesOver1b, &rest, shape("")));
    }
    if facts.dns().is_some_and(|dns| dns.custom_health) {
        let name = "health checks (custom, told by ECS)";
        all.push(fixed(cost, group, name, PriceItem::CloudMapHealthCheck, (tasks, "tasks"), 1));
    }
    all
}
