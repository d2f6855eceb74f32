//! A bill as people and scripts read it.
//!
//! *Knows* the published names of `scsim.cost/1` and what is shown beside money: error rate and p99 of the same runs.
//! *Does not know* how a line came about. Money is exact text in JSON; only what is for people is rounded, to the cent.

pub mod csv;
pub mod markdown;
pub mod table;
pub mod working;

use serde::Serialize;

use super::figure::Place;
use super::figure::Sheet;
use super::json::Interval;
use super::json::interval;
use crate::cost;
use crate::cost::Amount;
use crate::cost::Bill;
use crate::cost::Line;
use crate::cost::PlaneBill;
use crate::scenario::Metric;
use crate::scenario::Reading;
use crate::scenario::Scenario;
use crate::units::Money;

/// The version of the format.
pub const SCHEMA: &str = "scsim.cost/1";

/// A scenario's bill, and the study that it goes with, if there was one.
pub struct Priced<'a> {
    /// What was billed.
    pub scenario: &'a Scenario,
    /// The bill.
    pub bill: &'a Bill,
    /// The study's figures; `None` where nothing was simulated.
    pub sheet: Option<&'a Sheet<'a>>,
}

/// `"cost"` of a result file, and what `scsim cost --json` prints under each scenario.
#[derive(Serialize)]
pub struct BillFacts<'a> {
    schema: &'static str,
    region: &'a str,
    currency: &'static str,
    hours: u64,
    launch_type: &'static str,
    arch: &'static str,
    fargate_sizes: &'static str,
    simulated: bool,
    price_book: BookFacts<'a>,
    /// The tasks themselves, in no plane's sum.
    tasks_per_month: Option<String>,
    planes: Vec<PlaneFacts<'a>>,
    break_even: Vec<BreakEvenFacts<'a>>,
    references: Vec<ReferenceFacts<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct BookFacts<'a> {
    name: String,
    date: &'a str,
    file: Option<&'a str>,
}

#[derive(Serialize)]
struct PlaneFacts<'a> {
    name: &'a str,
    applicable: bool,
    reason: Option<&'a str>,
    per_month: Option<String>,
    low: Option<String>,
    high: Option<String>,
    /// What is missing in `per_month`; empty where it is all there is.
    unknown: Vec<String>,
    per_million_good_requests: Option<String>,
    lines: Vec<LineFacts<'a>>,
    readings: Vec<ReadingFacts<'a>>,
    cross_zone: Option<ZoneFacts>,
    reliability: Reliability,
}

#[derive(Serialize)]
struct LineFacts<'a> {
    group: &'static str,
    item: &'a str,
    quantity: Option<String>,
    unit: &'a str,
    unit_price: Option<String>,
    per_month: Option<String>,
    low: Option<String>,
    high: Option<String>,
    formula: &'a str,
    source: &'a str,
    confidence: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<&'a str>,
}

#[derive(Serialize)]
struct ReadingFacts<'a> {
    id: &'static str,
    label: &'a str,
    per_task: Option<String>,
    per_month: Option<String>,
    note: &'a str,
    in_sum: bool,
}

#[derive(Serialize)]
struct ZoneFacts {
    simulated: Option<String>,
    without_zone_routing: Option<String>,
    with_zone_routing: Option<String>,
}

#[derive(Serialize)]
struct Reliability {
    error_rate: Option<Interval>,
    p99_ms: Option<Interval>,
}

#[derive(Serialize)]
struct BreakEvenFacts<'a> {
    /// `null` is the whole fleet.
    service: Option<&'a str>,
    reading: &'static str,
    tasks: String,
    tasks_now: String,
    against: &'a str,
    alb_per_month: String,
    sidecar_per_task: String,
    note: &'a str,
}

#[derive(Serialize)]
struct ReferenceFacts<'a> {
    name: &'static str,
    per_month: Option<String>,
    lines: Vec<LineFacts<'a>>,
    note: &'static str,
}

/// Everything that a bill says, for JSON.
pub fn facts<'a>(priced: &Priced<'a>) -> BillFacts<'a> {
    let (scenario, bill) = (priced.scenario, priced.bill);
    let (cost, confidence) = (&scenario.cost, scenario.run.confidence);
    BillFacts {
        schema: SCHEMA,
        region: &cost.prices.region,
        currency: "USD",
        hours: cost.hours,
        launch_type: cost.launch_type.name(),
        arch: cost.arch.name(),
        fargate_sizes: cost.sizes.name(),
        simulated: bill.simulated,
        price_book: BookFacts { name: book_name(scenario), date: &cost.prices.date, file: cost.prices.file.as_deref() },
        tasks_per_month: bill.tasks.map(|money| money.to_string()),
        planes: bill.planes.iter().enumerate().map(|(at, plane)| plane_facts(priced, at, plane)).collect(),
        break_even: bill
            .break_even
            .iter()
            .map(|at| BreakEvenFacts {
                service: at.service.as_deref(),
                reading: at.reading.id(),
                tasks: at.tasks.to_string(),
                tasks_now: cost::plain(at.now),
                against: &at.against,
                alb_per_month: at.alb.to_string(),
                sidecar_per_task: at.per_task.to_string(),
                note: &at.note,
            })
            .collect(),
        references: bill
            .references
            .iter()
            .map(|reference| {
                let (per_month, ..) = exactly(&reference.total(), confidence);
                let lines = reference.lines.iter().map(|line| line_facts(line, confidence)).collect();
                ReferenceFacts { name: reference.name, per_month, lines, note: reference.note }
            })
            .collect(),
        notes: &bill.notes,
    }
}

fn plane_facts<'a>(priced: &Priced<'a>, at: usize, plane: &'a PlaneBill) -> PlaneFacts<'a> {
    let confidence = priced.scenario.run.confidence;
    let (per_month, low, high) = exactly(&plane.total, confidence);
    let applicable = plane.not_applicable.is_none();
    let estimate = |metric| priced.sheet.and_then(|sheet| sheet.estimate_finite(metric, Place::users(at)));
    PlaneFacts {
        name: &plane.name,
        applicable,
        reason: plane.not_applicable.as_deref(),
        per_month: per_month.filter(|_| applicable),
        low,
        high,
        unknown: plane.unknown().collect(),
        per_million_good_requests: per_million(plane).map(|money| money.to_string()),
        lines: plane.lines.iter().map(|line| line_facts(line, confidence)).collect(),
        readings: plane
            .readings
            .iter()
            .map(|reading| ReadingFacts {
                id: reading.reading.id(),
                label: &reading.label,
                per_task: reading.per_task.map(|money| money.to_string()),
                per_month: known(&reading.per_month, confidence).map(|money| money.to_string()),
                note: &reading.note,
                in_sum: reading.reading == priced.scenario.cost.sizes,
            })
            .collect(),
        cross_zone: plane.zones.as_ref().map(|zones| {
            let text = |amount| known(amount, confidence).map(|money| money.to_string());
            ZoneFacts {
                simulated: text(&zones.simulated),
                without_zone_routing: text(&zones.even),
                with_zone_routing: text(&zones.by_zone),
            }
        }),
        reliability: Reliability {
            error_rate: interval(estimate(Metric::ErrorRate)),
            p99_ms: interval(estimate(Metric::Percentile(0.99))),
        },
    }
}

fn line_facts(line: &Line, confidence: f64) -> LineFacts<'_> {
    let (per_month, low, high) = exactly(&line.amount, confidence);
    LineFacts {
        group: line.group.name(),
        item: &line.item,
        quantity: line.quantity.map(cost::plain),
        unit: &line.unit,
        unit_price: line.unit_price.map(|money| money.to_string()),
        per_month,
        low,
        high,
        formula: &line.formula,
        source: &line.source,
        confidence: line.confidence.name(),
        unknown: line.amount.unknown(),
    }
}

/// Mean and interval as exact decimals, of what is known.
fn exactly(amount: &Amount, confidence: f64) -> (Option<String>, Option<String>, Option<String>) {
    let Some(spread) = amount.spread(confidence) else { return (None, None, None) };
    let text = |money: Option<Money>| money.map(|money| money.to_string());
    (Some(spread.mean.to_string()), text(spread.low), text(spread.high))
}

/// The mean, if nothing in it is unknown.
pub(super) fn known(amount: &Amount, confidence: f64) -> Option<Money> {
    amount.spread(confidence).filter(|_| amount.unknown().is_none()).map(|spread| spread.mean)
}

/// Dollars for a million good requests, if the plane's sum is known in full.
pub(super) fn per_million(plane: &PlaneBill) -> Option<Money> {
    plane.per_million_good().filter(|_| plane.total.unknown().is_none())
}

/// What the prices are called.
pub(super) fn book_name(scenario: &Scenario) -> String {
    let prices = &scenario.cost.prices;
    match &prices.file {
        Some(file) => format!("scsim's prices of {} with {file} on top", prices.region),
        None => format!("scsim's prices of {}", prices.region),
    }
}

/// The reading of a plane that its sum has.
pub(super) fn in_force(plane: &PlaneBill, sizes: Reading) -> Option<&crate::cost::ReadingBill> {
    plane.readings.iter().find(|reading| reading.reading == sizes)
}
