//! From the counts of a run to those of a month.
//!
//! *Knows* the rule: a month's count is the measured part's, times the length of the month over the measured part's, times
//! the share of the simulated load that the month has in the mean. All in whole numbers. *Does not know* prices.

use crate::measure::EdgeUse;
use crate::measure::study::PlaneResult;
use crate::measure::study::Replica;
use crate::measure::study::Study;
use crate::scenario::Scenario;
use crate::scenario::Scope;
use crate::scenario::ServiceId;
use crate::scenario::Window;
use crate::units::Money;

/// One plane's runs.
pub(super) struct Month<'a> {
    scenario: &'a Scenario,
    result: Option<&'a PlaneResult>,
    /// The slice of the users over the whole run.
    users: Option<usize>,
    /// By service: the edges into it.
    into: Vec<Vec<usize>>,
}

/// A count per replication, with what turns it into a month's.
pub(super) struct Counted {
    /// Count, numerator, denominator.
    each: Vec<(u128, u128, u128)>,
}

impl Counted {
    /// A study has it.
    pub(super) fn is_known(&self) -> bool {
        !self.each.is_empty()
    }
    /// Mean over replications, of units of `per`.
    pub(super) fn mean(&self, per: u128) -> Option<f64> {
        let sum: f64 =
            self.each.iter().map(|(count, top, bottom)| *count as f64 * (*top as f64 / *bottom as f64)).sum();
        self.is_known().then(|| sum / self.each.len() as f64 / per as f64)
    }
    /// Dollars per replication at a price for `per`, each paid `times` times.
    pub(super) fn priced(&self, price: Money, times: u128, per: u128) -> Vec<Money> {
        let one = |(count, top, bottom): &(u128, u128, u128)| {
            price.part(count.saturating_mul(*top).saturating_mul(times), bottom.saturating_mul(per))
        };
        self.each.iter().map(one).collect()
    }
    /// The month's count in each replication, rounded down.
    pub(super) fn whole(&self) -> impl Iterator<Item = u128> {
        self.each.iter().map(|(count, top, bottom)| count.saturating_mul(*top) / bottom)
    }
    /// Several counts in one.
    pub(super) fn total(all: &[Counted]) -> Counted {
        let length = all.first().map_or(0, |one| one.each.len());
        let sum = |at: usize| all.iter().map(|one| one.whole().nth(at).unwrap_or(0)).sum::<u128>();
        Counted { each: (0..length).map(|at| (sum(at), 1, 1)).collect() }
    }
    /// The same counts of another price's part: what is above `limit` a month.
    pub(super) fn above(&self, limit: u128) -> Counted {
        Counted { each: self.whole().map(|count| (count.saturating_sub(limit), 1, 1)).collect() }
    }
    /// What is not above `limit` a month.
    pub(super) fn up_to(&self, limit: u128) -> Counted {
        let part = |&(count, top, bottom): &(u128, u128, u128)| {
            if count.saturating_mul(top) / bottom > limit { (limit, 1, 1) } else { (count, top, bottom) }
        };
        Counted { each: self.each.iter().map(part).collect() }
    }
}

impl<'a> Month<'a> {
    /// The runs of one plane; without a study, or without a finished run, nothing is known.
    pub(super) fn of(scenario: &'a Scenario, study: Option<&'a Study>, plane: usize) -> Month<'a> {
        let result = study.map(|study| &study.planes[plane]).filter(|result| {
            result.replicas.iter().all(|replica| !replica.usage.measured.is_zero()) && !result.replicas.is_empty()
        });
        let users = study.and_then(|study| study.frame.slice(Window::All, Scope::Users));
        let mut into = vec![Vec::new(); scenario.services.len()];
        for (number, edge) in scenario.edges.iter().enumerate() {
            into[edge.to.0 as usize].push(number);
        }
        Month { scenario, result, users, into }
    }

    pub(super) fn replicas(&self) -> &'a [Replica] {
        self.result.map_or(&[], |result| &result.replicas)
    }

    /// Numerator and denominator from a replication's count to a month's.
    fn scale(&self, replica: &Replica) -> (u128, u128) {
        let cost = &self.scenario.cost;
        let month = u128::from(cost.hours) * 3_600_000_000_000;
        let (top, bottom) = (month * u128::from(cost.load_share.as_ppm()), 1_000_000);
        let measured = u128::from(replica.usage.measured.as_nanos());
        let divisor = gcd(top, bottom * measured);
        (top / divisor, bottom * measured / divisor)
    }

    /// A count of each replication, for a month.
    pub(super) fn count(&self, count: impl Fn(&Replica) -> u128) -> Counted {
        let one = |replica: &Replica| {
            let (top, bottom) = self.scale(replica);
            (count(replica), top, bottom)
        };
        Counted { each: self.replicas().iter().map(one).collect() }
    }

    /// The uses of the edges into a service on one path, added up by `figure`.
    pub(super) fn leading_to(
        &self,
        replica: &Replica,
        service: ServiceId,
        path: usize,
        figure: impl Fn(&EdgeUse) -> u128,
    ) -> u128 {
        let edges = self.scenario.edges.len();
        let of = |number: &usize| replica.usage.edges.get(number + path * edges).map_or(0, &figure);
        self.into[service.0 as usize].iter().map(of).sum()
    }

    /// Requests answered well and in time in a month, mean over replications.
    pub(super) fn good(&self) -> Option<u128> {
        let users = self.users?;
        let good = self.count(|replica| {
            let tally = &replica.tallies[users];
            u128::from(tally.requests - tally.failed - tally.late)
        });
        let n = self.replicas().len() as u128;
        (n > 0).then(|| good.whole().sum::<u128>() / n)
    }

    /// Tasks of a service in thousandths, by replication: its desired count, or where `[scaling]` moves it the simulated
    /// mean. One value where nothing varies. A deployment's extra tasks are not taken for a month's.
    pub(super) fn tasks(&self, service: usize) -> Vec<u64> {
        let scaled = self.scenario.scalings.iter().any(|scaling| scaling.service.0 as usize == service);
        let mean = |replica: &Replica| {
            let record = &replica.services[service];
            let measured = u128::from(record.measured.as_nanos());
            (record.area_tasks * 1_000).checked_div(measured).unwrap_or(0) as u64
        };
        match self.replicas() {
            replicas @ [_, ..] if scaled => replicas.iter().map(mean).collect(),
            _ => vec![u64::from(self.scenario.services[service].tasks) * 1_000],
        }
    }

    /// The most requests per second that reached one task of a service over a stretch, in thousandths; the largest of
    /// the replications. `None` without a study.
    pub(super) fn task_rate_max(&self, service: usize) -> Option<u64> {
        let rate = |replica: &Replica| {
            let ns = u128::from(replica.usage.stretch.as_nanos());
            let most = u128::from(replica.usage.task_requests_max.get(service).copied().unwrap_or(0));
            (most * 1_000_000_000_000).checked_div(ns).unwrap_or(0) as u64
        };
        self.replicas().iter().map(rate).max()
    }
}

/// Services that others call, and that run on ECS: those that something stands in front of.
pub(super) fn called(scenario: &Scenario) -> impl Iterator<Item = ServiceId> {
    let mut called: Vec<bool> = vec![false; scenario.services.len()];
    for edge in &scenario.edges {
        called[edge.to.0 as usize] = !scenario.service(edge.to).external;
    }
    (0..scenario.services.len() as u32).map(ServiceId).filter(move |id| called[id.0 as usize])
}

const fn gcd(a: u128, b: u128) -> u128 {
    let (mut a, mut b) = (a, b);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 { 1 } else { a }
}
