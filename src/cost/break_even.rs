//! From how many tasks on the sidecars of a service cost more than the ALB that they replace.
//!
//! *Knows* the crossing: dollars of an ALB over dollars of a sidecar. *Does not know* which is better. Tasks that nobody
//! calls have a sidecar and no ALB; the fleet's crossing counts them.

use super::PlaneBill;
use super::amount::Amount;
use super::balancer;
use super::month::Month;
use super::month::called;
use super::sidecar::Fleet;
use super::sidecar::mean;
use crate::measure::study::Study;
use crate::scenario::PriceItem;
use crate::scenario::Reading;
use crate::scenario::Scenario;
use crate::scenario::ServiceId;
use crate::units::Money;

/// Hundredths of a task: where two prices cross is seldom at a whole one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Crossing(u64);

impl Crossing {
    /// In tasks.
    pub fn tasks(self) -> f64 {
        self.0 as f64 / 1e2
    }
}

impl std::fmt::Display for Crossing {
    /// `2.16`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{}.{:02}", self.0 / 100, self.0 % 100))
    }
}

/// From how many tasks on sidecars cost more.
#[derive(Clone, PartialEq, Debug)]
pub struct BreakEven {
    /// The service; `None` is the whole fleet.
    pub service: Option<String>,
    /// By which reading of the sidecar's price.
    pub reading: Reading,
    /// Tasks at which both cost the same, to the nearest hundredth.
    pub tasks: Crossing,
    /// Tasks there are, the callers' among them for the fleet.
    pub now: f64,
    /// What the sidecars are weighed against.
    pub against: String,
    /// Dollars a month of that.
    pub alb: Money,
    /// Dollars a month of one task's sidecar, the mean for the fleet.
    pub per_task: Money,
    /// What must be said with it.
    pub note: String,
}

/// The crossings of each service that is called, and of the fleet, by the reading in force; the fleet's by the exact
/// one too.
pub(super) fn of(
    scenario: &Scenario,
    planes: &[PlaneBill],
    fleet: Option<&Fleet<'_>>,
    study: Option<&Study>,
    notes: &mut Vec<String>,
) -> Vec<BreakEven> {
    let cost = &scenario.cost;
    let Some(fleet) = fleet else { return Vec::new() };
    let Some(alb) = cost.prices.get(PriceItem::AlbHour).map(|price| price.amount.times(cost.hours)) else {
        notes.push(format!("no break-even: {}", super::lines::no_price(cost, PriceItem::AlbHour)));
        return Vec::new();
    };
    let balanced = (0..scenario.planes.len())
        .filter(|&plane| scenario.planes[plane].not_applicable.is_none())
        .find_map(|plane| Some((plane, balancer::path(scenario, plane)?)));
    let month = balanced.map(|(plane, path)| (Month::of(scenario, study, plane), path));
    let services: Vec<ServiceId> = called(scenario).collect();
    let reading = weighed(cost.sizes);
    let mut all = Vec::new();
    for &service in &services {
        let Some(need) = &fleet.needs[service.0 as usize] else { continue };
        let Some(per_task) = need.per_task(reading).filter(|per_task| !per_task.is_zero()) else { continue };
        let name = &scenario.service(service).name;
        let mut enter = |against: String, alb: Money| {
            let now = mean(&need.tasks);
            let tasks = crossing(alb, per_task);
            let note = verdict(now, tasks);
            all.push(BreakEven { service: Some(name.clone()), reading, tasks, now, against, alb, per_task, note });
        };
        enter("a dedicated ALB, idle".to_owned(), alb);
        if let Some((lcus, dollars)) =
            month.as_ref().and_then(|(month, path)| with_lcus(scenario, month, *path, service))
        {
            enter(format!("a dedicated ALB at {} LCU", super::plain(lcus)), alb + dollars);
        }
    }
    // The whole estate: ALB hours of every service called, and the LCUs where they are known.
    let idle = alb.times(services.len() as u64);
    let with = planes.iter().find_map(|plane| match plane.of_group(super::Group::LoadBalancer) {
        known @ (Amount::Fixed(_) | Amount::Each(_)) if plane.lcus.is_some() => known.spread(0.95),
        _ => None,
    });
    let tasks: f64 = fleet.needs.iter().flatten().map(|need| mean(&need.tasks)).sum();
    let callers: f64 = (0..scenario.services.len())
        .filter(|number| !services.iter().any(|id| id.0 as usize == *number))
        .filter_map(|number| fleet.needs[number].as_ref())
        .map(|need| mean(&need.tasks))
        .sum();
    for reading in [Reading::Exact, Reading::NextSize] {
        let sum: Amount = fleet.lines(reading).iter().map(|line| &line.amount).sum();
        let (Some(sum), true) = (sum.spread(0.95).filter(|_| sum.unknown().is_none()), tasks > 0.0) else { continue };
        let per_task = sum.mean.part(1_000, ((tasks * 1e3) as u128).max(1));
        if per_task.is_zero() || services.is_empty() {
            continue;
        }
        let mut enter = |against: String, alb: Money| {
            let at = crossing(alb, per_task);
            let own = if callers > 0.0 {
                format!("; {} of them stand in callers that nobody calls", super::plain(callers))
            } else {
                String::new()
            };
            let note = format!("{}{own}", verdict(tasks, at));
            all.push(BreakEven { service: None, reading, tasks: at, now: tasks, against, alb, per_task, note });
        };
        let s = if services.len() == 1 { "" } else { "s" };
        enter(format!("{} dedicated ALB{s}, idle", services.len()), idle);
        if let Some(with) = with {
            enter("the ALBs of this bill, LCUs included".to_owned(), with.mean);
        }
    }
    all
}

/// LCUs of a service's own ALB and their dollars, mean over replications.
fn with_lcus(scenario: &Scenario, month: &Month<'_>, path: usize, service: ServiceId) -> Option<(f64, Money)> {
    let price = scenario.cost.prices.get(PriceItem::LcuHour)?.amount;
    let loads: Vec<u128> = month
        .replicas()
        .iter()
        .map(|replica| balancer::load(scenario, month, replica, path, &[service], 0).most())
        .collect();
    let n = loads.len() as u128;
    (n > 0).then(|| {
        let sum: u128 = loads.iter().sum();
        let dollars = price.part(sum * u128::from(scenario.cost.hours), n * 1_000_000_000);
        (sum as f64 / n as f64 / 1e9, dollars)
    })
}

/// The reading to weigh by: sidecars that cost nothing break even nowhere.
pub(super) fn weighed(sizes: Reading) -> Reading {
    if sizes == Reading::Fits { Reading::Exact } else { sizes }
}

/// Where `alb` is paid for, to the nearest hundredth of a task.
fn crossing(alb: Money, per_task: Money) -> Crossing {
    let (alb, per_task) = (alb.as_nanos().unsigned_abs(), per_task.as_nanos().unsigned_abs().max(1));
    Crossing(((alb * 200 + per_task) / (per_task * 2)) as u64)
}

fn verdict(now: f64, crossing: Crossing) -> String {
    let many = super::plain(now);
    let s = if (now - 1.0).abs() < 1e-9 { "" } else { "s" };
    match now.total_cmp(&crossing.tasks()) {
        std::cmp::Ordering::Greater => format!("{many} task{s}: the sidecars cost more"),
        std::cmp::Ordering::Less => format!("{many} task{s}: the sidecars cost less"),
        std::cmp::Ordering::Equal => format!("{many} task{s}: they cost the same"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crossing_is_where_both_cost_the_same() {
        let dollars = |text| Money::from_decimal(text).unwrap();
        // aws.md 5.3: 16.43 / 7.59 = 2.2 tasks idle, 22.27 / 7.59 = 2.9 at one LCU.
        assert_eq!(crossing(dollars("16.425"), dollars("7.59040")).to_string(), "2.16");
        assert_eq!(crossing(dollars("22.265"), dollars("7.59040")).to_string(), "2.93");
        for (alb, per_task) in [("16.425", "18.02"), ("0.01", "400"), ("164.25", "0.000000001")] {
            let (alb, per_task) = (dollars(alb), dollars(per_task));
            let at = crossing(alb, per_task);
            let half = per_task.part(1, 200) + Money::from_nanos(1);
            let there = per_task.part(u128::from(at.0), 100);
            assert!((there - alb).as_nanos().abs() <= half.as_nanos(), "{alb} {per_task} {at}");
        }
    }
}
