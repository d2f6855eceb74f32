//! What a scenario costs a month on each plane, line by line, with the formula and the source of each.
//!
//! *Knows* prices and bills. *Does not know* how anything is simulated: of a study it reads counts. Invariants: money is
//! whole nano-dollars, each line is rounded once and sums add rounded lines; what is not known, because nothing was
//! simulated or nobody gave a price for the region, is unknown and never zero. The tasks themselves are in no line:
//! they cost the same on every plane. Start reading at [`bill`].

mod amount;
mod balancer;
mod break_even;
mod discovery;
mod extras;
mod figures;
mod lines;
mod month;
mod reference;
mod sidecar;
mod transfer;

pub use amount::Amount;
pub use amount::Spread;
pub use amount::plain;
pub use break_even::BreakEven;
pub use break_even::Crossing;
pub use figures::figure;
pub use lines::Group;
pub use lines::Line;
pub use reference::Reference;
pub use sidecar::SidecarNeed;
pub use sidecar::readings::ReadingBill;
pub use transfer::ZoneReading;

use crate::measure::study::Study;
use crate::scenario::Cost;
use crate::scenario::Reading;
use crate::scenario::Scenario;
use crate::units::Money;
use month::Month;
use sidecar::Fleet;

/// What a scenario costs on each of its planes.
#[derive(Clone, Debug)]
pub struct Bill {
    /// In the order of the scenario's planes.
    pub planes: Vec<PlaneBill>,
    /// From how many tasks on sidecars cost more than the ALB that they replace.
    pub break_even: Vec<BreakEven>,
    /// Things that could be bought instead, in no plane's sum.
    pub references: Vec<Reference>,
    /// The tasks themselves, in no plane's sum; `None` where a price is missing.
    pub tasks: Option<Money>,
    /// What must be said with the figures.
    pub notes: Vec<String>,
    /// A study was read: lines by use are known.
    pub simulated: bool,
    /// The reading of sidecars that the sums have.
    pub sizes: Reading,
    /// The reading that break-evens are worked out by: the same, or the exact one where sidecars cost nothing.
    pub weighed: Reading,
    /// Names of the scenario's services.
    pub services: Vec<String>,
}

/// One plane's month.
#[derive(Clone, Debug)]
pub struct PlaneBill {
    /// The plane's name.
    pub name: String,
    /// Why there is no bill.
    pub not_applicable: Option<String>,
    /// What adds up.
    pub lines: Vec<Line>,
    /// What the sidecars cost by each reading; empty without sidecars.
    pub readings: Vec<ReadingBill>,
    /// Cross-zone traffic with and without routing by zone.
    pub zones: Option<ZoneReading>,
    /// By service: the sidecar that its tasks need; `None` without one.
    pub sidecars: Vec<Option<SidecarNeed>>,
    /// LCUs in use, all ALBs together; `None` without ALBs or without a study.
    pub lcus: Option<f64>,
    /// Requests answered well in a month, mean over replications.
    pub good: Option<u128>,
    /// The sum, by replication; one value without a study or where nothing depends on use.
    pub total: Amount,
}

impl PlaneBill {
    /// The sum of a group's lines.
    pub fn of_group(&self, group: Group) -> Amount {
        self.lines.iter().filter(|line| line.group == group).map(|line| &line.amount).sum()
    }
    /// Dollars for a million requests that were answered well.
    pub fn per_million_good(&self) -> Option<Money> {
        let good = self.good.filter(|good| *good > 0)?;
        Some(self.total.spread(0.95)?.mean.part(1_000_000, good))
    }
    /// What is not known, in words.
    pub fn unknown(&self) -> impl Iterator<Item = String> {
        self.lines.iter().filter_map(|line| Some(format!("{}: {}", line.item, line.amount.unknown()?)))
    }
}

/// The bill of a scenario; without a study whatever depends on use is unknown.
pub fn bill(scenario: &Scenario, study: Option<&Study>) -> Bill {
    let cost = &scenario.cost;
    let mut notes = Vec::new();
    let fleets: Vec<Option<Fleet<'_>>> = (0..scenario.planes.len())
        .map(|plane| Fleet::of(scenario, plane, &Month::of(scenario, study, plane), &mut notes))
        .collect();
    let planes: Vec<PlaneBill> = scenario
        .planes
        .iter()
        .enumerate()
        .map(|(plane, facts)| match &facts.not_applicable {
            Some(reason) => empty(&facts.name, Some(reason.clone())),
            None => plane_bill(scenario, plane, &Month::of(scenario, study, plane), fleets[plane].as_ref()),
        })
        .collect();
    let simulated = study.is_some_and(|study| study.planes.iter().any(|plane| !plane.replicas.is_empty()));
    let tasks = sidecar::tasks_themselves(scenario, &mut notes);
    let break_even = break_even::of(scenario, &planes, fleets.iter().flatten().next(), study, &mut notes);
    let references = reference::of(scenario, study);
    note_terms(cost, simulated, scenario, &mut notes);
    let weighed = break_even::weighed(cost.sizes);
    let services = scenario.services.iter().map(|service| service.name.clone()).collect();
    Bill { planes, break_even, references, tasks, notes, simulated, sizes: cost.sizes, weighed, services }
}

fn empty(name: &str, not_applicable: Option<String>) -> PlaneBill {
    PlaneBill {
        name: name.to_owned(),
        not_applicable,
        lines: Vec::new(),
        readings: Vec::new(),
        zones: None,
        sidecars: Vec::new(),
        lcus: None,
        good: None,
        total: Amount::Unknown("not applicable".to_owned()),
    }
}

fn plane_bill(scenario: &Scenario, plane: usize, month: &Month<'_>, fleet: Option<&Fleet<'_>>) -> PlaneBill {
    let facts = &scenario.planes[plane];
    let mut bill = empty(&facts.name, None);
    if let Some(fleet) = fleet {
        bill.lines.extend(fleet.lines(scenario.cost.sizes));
        bill.readings = fleet.readings();
        bill.sidecars = fleet.needs();
    }
    let (lines, lcus) = balancer::lines(scenario, plane, month);
    bill.lines.extend(lines);
    bill.lcus = lcus;
    bill.lines.extend(discovery::lines(scenario, plane, month));
    let (lines, zones) = transfer::lines(scenario, plane, month);
    bill.lines.extend(lines);
    bill.zones = zones;
    bill.lines.extend(extras::lines(scenario, plane, month));
    bill.total = bill.lines.iter().map(|line| &line.amount).sum();
    bill.good = month.good();
    bill
}

fn note_terms(cost: &Cost, simulated: bool, scenario: &Scenario, notes: &mut Vec<String>) {
    if simulated {
        let measured = scenario.run.duration.less(scenario.run.warmup);
        let share = match cost.load_share {
            crate::units::Ratio::ONE => String::new(),
            share => format!(", at {share} of the simulated load"),
        };
        notes.push(format!(
            "lines by use: counts of the measured {measured} times {} h over it{share}; intervals come from the replications",
            cost.hours
        ));
    } else {
        notes.push("nothing was simulated: lines by use are unknown, and no sum has them".to_owned());
    }
    notes.push(
        "the ALB that takes public traffic in, NAT and data stores are the same on every plane and in no line"
            .to_owned(),
    );
}
