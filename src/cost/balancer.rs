//! Internal ALBs: hours, and LCUs by the largest of four dimensions.
//!
//! *Knows* the LCU (aws.md 3.4: 25 new connections/s, 3,000 active ones a minute, 1 GB/h, 1,000 rule evaluations/s past the
//! first ten rules; the largest counts) and how services share ALBs. *Does not know* what else a call costs.

use super::amount::Amount;
use super::amount::plain;
use super::lines::Group;
use super::lines::Line;
use super::lines::begun;
use super::lines::dollars;
use super::lines::fixed;
use super::lines::no_price;
use super::month::Month;
use super::month::called;
use crate::measure::study::Replica;
use crate::scenario::AlbSharing;
use crate::scenario::Mechanism;
use crate::scenario::PriceItem;
use crate::scenario::Scenario;
use crate::scenario::ServiceId;

/// Rules that cost nothing.
const RULES_FREE: u64 = 10;
/// ASSUMPTION(cost.alb_groups): target groups behind one ALB, its quota from memory.
pub(super) const GROUPS_MAX: u64 = 100;

/// The four dimensions, each in billionths of an LCU.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Lcu {
    /// New connections, active connections, bytes, rule evaluations.
    pub(super) by: [u128; 4],
}

/// Names of the dimensions.
pub(super) const DIMENSIONS: [&str; 4] = ["new connections", "active connections", "bytes", "rule evaluations"];

impl Lcu {
    /// The largest dimension, which is what counts.
    pub(super) fn most(&self) -> u128 {
        self.by.into_iter().max().unwrap_or(0)
    }
    /// Which that is.
    pub(super) fn binding(&self) -> &'static str {
        let at = (0..4).max_by_key(|&at| (self.by[at], 4 - at)).unwrap_or(0);
        DIMENSIONS[at]
    }
}

/// Which path of a plane goes through ALBs.
pub(super) fn path(scenario: &Scenario, plane: usize) -> Option<usize> {
    scenario.planes[plane].paths().position(|path| matches!(path.mechanism, Mechanism::Alb(_)))
}

/// The load of one ALB in one replication: the services behind it and how many rules it looks at.
pub(super) fn load(
    scenario: &Scenario,
    month: &Month<'_>,
    replica: &Replica,
    path: usize,
    behind: &[ServiceId],
    rules: u64,
) -> Lcu {
    let cost = &scenario.cost;
    let measured = u128::from(replica.usage.measured.as_nanos()).max(1);
    let (request, response) = (cost.message.request.get(), cost.message.response.get());
    let share = u128::from(cost.load_share.as_ppm());
    let sum = |figure: &dyn Fn(&crate::measure::EdgeUse) -> u128| -> u128 {
        behind.iter().map(|service| month.leading_to(replica, *service, path, figure)).sum()
    };
    let connections = sum(&|edge| u128::from(edge.connections));
    let standing = sum(&|edge| u128::from(edge.standing));
    let bytes = sum(&|edge| edge.first.total(request, response));
    let requests = sum(&|edge| u128::from(edge.first.requests));
    // Per second is times 10^9 over the nanoseconds; a billionth of an LCU is times 10^9 again.
    let per_second = |count: u128| count.saturating_mul(1_000_000_000_000_000_000) / measured;
    let scaled = |nano: u128| nano.saturating_mul(share) / 1_000_000;
    let samples = u128::from(replica.usage.samples).max(1);
    let extra = u128::from(rules.saturating_sub(RULES_FREE));
    Lcu {
        by: [
            scaled(per_second(connections) / 25),
            scaled(standing.saturating_mul(1_000_000_000) / (samples * 3_000)),
            scaled((bytes.saturating_mul(3_600_000_000_000) / measured).saturating_mul(1_000_000_000) / (1 << 30)),
            scaled(per_second(requests.saturating_mul(extra)) / 1_000),
        ],
    }
}

/// The ALBs of a plane: what stands behind each, and its rules.
pub(super) fn balancers(scenario: &Scenario) -> Vec<(Vec<ServiceId>, u64)> {
    let behind: Vec<ServiceId> = called(scenario).collect();
    match scenario.cost.alb {
        // The default rule alone, which is none.
        AlbSharing::Dedicated => behind.into_iter().map(|service| (vec![service], 0)).collect(),
        AlbSharing::Shared => {
            behind.chunks(GROUPS_MAX as usize).map(|part| (part.to_vec(), part.len() as u64)).collect()
        }
    }
}

/// The lines of a plane, and the LCUs of all its ALBs.
pub(super) fn lines(scenario: &Scenario, plane: usize, month: &Month<'_>) -> (Vec<Line>, Option<f64>) {
    let Some(path) = path(scenario, plane) else { return (Vec::new(), None) };
    let (cost, all) = (&scenario.cost, balancers(scenario));
    let count = all.len() as u64;
    let what = match (cost.alb, count) {
        (AlbSharing::Dedicated, 1) => "ALB".to_owned(),
        (AlbSharing::Dedicated, _) => "ALBs, one a service".to_owned(),
        (AlbSharing::Shared, 1) => "shared ALB".to_owned(),
        (AlbSharing::Shared, _) => format!("shared ALBs of {GROUPS_MAX} target groups"),
    };
    let hours = fixed(cost, Group::LoadBalancer, "ALB hours", PriceItem::AlbHour, (count, &what), cost.hours);
    let mut line = begun(cost, Group::LoadBalancer, "LCU hours", PriceItem::LcuHour, "LCU-hour");
    let replicas = month.replicas();
    let loads: Vec<Vec<Lcu>> = replicas
        .iter()
        .map(|replica| all.iter().map(|(behind, rules)| load(scenario, month, replica, path, behind, *rules)).collect())
        .collect();
    if loads.is_empty() {
        "largest of four dimensions, per ALB".clone_into(&mut line.formula);
        line.amount = Amount::Unknown("depends on use, and nothing was simulated".to_owned());
        return (vec![hours, line], None);
    }
    let sums: Vec<u128> = loads.iter().map(|loads| loads.iter().map(Lcu::most).sum()).collect();
    let mean = sums.iter().map(|sum| *sum as f64).sum::<f64>() / sums.len() as f64 / 1e9;
    line.quantity = Some(mean * cost.hours as f64);
    let busiest = loads[0].iter().copied().max_by_key(Lcu::most).unwrap_or_default();
    let shown = line.unit_price.map_or_else(|| "?".to_owned(), dollars);
    line.formula = format!(
        "{} LCU{} × {} h × {shown}; the busiest ALB by {}",
        plain(mean),
        if count == 1 { String::new() } else { format!(" over {count} ALBs") },
        cost.hours,
        busiest.binding()
    );
    line.amount = match line.unit_price {
        Some(price) => {
            Amount::Each(sums.iter().map(|sum| price.part(sum * u128::from(cost.hours), 1_000_000_000)).collect())
        }
        None => Amount::Unknown(no_price(cost, PriceItem::LcuHour)),
    };
    (vec![hours, line], Some(mean))
}
