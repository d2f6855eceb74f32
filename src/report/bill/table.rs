//! A bill for a terminal: three readings of the sidecar's price, what it stands in for, each plane's month, and dollars
//! beside error rate and p99.
//!
//! *Knows* widths. *Does not know* how a line came about. Every amount is rounded to the cent here and nowhere before.

use std::fmt::Write as _;

use super::Priced;
use super::book_name;
use super::in_force;
use super::known;
use super::per_million;
use crate::cost::Amount;
use crate::cost::BreakEven;
use crate::cost::Group;
use crate::cost::Line;
use crate::cost::PlaneBill;
use crate::cost::plain;
use crate::report::figure::Place;
use crate::report::figure::unit;
use crate::report::format;
use crate::scenario::LaunchType;
use crate::scenario::Metric;
use crate::scenario::Reading;
use crate::scenario::Scenario;
use crate::units::Money;

/// Services with a break-even of their own that are listed; the rest is in the JSON.
const SERVICES_SHOWN: usize = 8;

/// `$1 234.56`, halves away from zero.
pub fn dollars(money: Money) -> String {
    let text = money.rounded(2);
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let (whole, cents) = digits.split_once('.').unwrap_or((digits, "00"));
    let mut out = format!("{sign}$");
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    let _ = write!(out, ".{cents}");
    out
}

/// An amount with its interval; "at least" where a part is not known, "unknown" where nothing is or what is known is free.
pub fn amount(amount: &Amount, confidence: f64) -> String {
    let Some(spread) = amount.spread(confidence) else { return "unknown".to_owned() };
    // "At least nothing" says no more.
    if amount.unknown().is_some() && spread.mean.is_zero() {
        return "unknown".to_owned();
    }
    let least = if amount.unknown().is_some() { "≥ " } else { "" };
    let half = spread.low.zip(spread.high).map(|(low, high)| (high - low).part(1, 2));
    match half.filter(|half| *half >= Money::from_nanos(5_000_000)) {
        Some(half) => format!("{least}{} ±{}", dollars(spread.mean), half.rounded(2)),
        None => format!("{least}{}", dollars(spread.mean)),
    }
}

/// The bill, ending in a line break.
pub fn render(priced: &Priced<'_>) -> String {
    let (scenario, bill) = (priced.scenario, priced.bill);
    let mut out = format!("{}\n{}\n", scenario.title, heading(scenario));
    readings(&mut out, priced);
    let mut sources = Vec::new();
    for plane in &bill.planes {
        month(&mut out, priced, plane, &mut sources);
    }
    break_even(&mut out, &bill.break_even);
    references(&mut out, priced);
    reliability(&mut out, priced);
    let _ = writeln!(out, "\nprices: {}", book_name(scenario));
    for (number, source) in sources.iter().enumerate() {
        let _ = writeln!(out, "  [{}] {source}", number + 1);
    }
    for note in &bill.notes {
        let _ = writeln!(out, "  note: {note}");
    }
    if let Some(tasks) = bill.tasks {
        let _ = writeln!(out, "  note: the tasks themselves are {} on every plane, in no line", dollars(tasks));
    }
    out
}

/// `10 services × 3 Fargate tasks, 0.5 vCPU / 1 GB, us-east-1 (prices of 2026-09-29)`.
pub fn heading(scenario: &Scenario) -> String {
    let own: Vec<_> = scenario.services.iter().filter(|service| !service.external).collect();
    let tasks: u64 = own.iter().map(|service| u64::from(service.tasks)).sum();
    let size = |service: &crate::scenario::Service| crate::scenario::cost::fargate::TaskSize {
        cpu: service.cpu,
        memory: service.memory,
    };
    let same = own.first().filter(|first| own.iter().all(|other| size(other) == size(first)));
    let what = match scenario.cost.launch_type {
        LaunchType::Fargate => "Fargate tasks",
        LaunchType::Spot => "Fargate Spot tasks",
        LaunchType::Ec2 => "tasks on EC2",
    };
    let even = own.first().filter(|first| own.iter().all(|other| other.tasks == first.tasks));
    let s = if own.len() == 1 { "" } else { "s" };
    let many = match even {
        Some(one) => format!("{} service{s} × {} {what}", own.len(), one.tasks),
        None => format!("{} service{s}, {tasks} {what}", own.len()),
    };
    let sizes = same.map_or_else(|| "of several sizes".to_owned(), |service| size(service).to_string());
    let arch = if scenario.cost.arch == crate::scenario::Arch::Arm { ", ARM" } else { "" };
    let prices = &scenario.cost.prices;
    let file = prices.file.as_ref().map_or_else(String::new, |file| format!(", {file} on top"));
    format!("{many}, {sizes}{arch}, {} (prices of {}{file}), {} h", prices.region, prices.date, scenario.cost.hours)
}

/// The three readings of the first plane with sidecars, and what stands in their place.
fn readings(out: &mut String, priced: &Priced<'_>) {
    let confidence = priced.scenario.run.confidence;
    let planes = &priced.bill.planes;
    let Some(plane) = planes.iter().find(|plane| !plane.readings.is_empty()) else { return };
    let mut rows = vec![[
        format!("what you pay for the sidecar ({})", plane.name),
        "per task".to_owned(),
        "fleet/month".to_owned(),
        String::new(),
    ]];
    for reading in &plane.readings {
        let mark = if reading.reading == priced.scenario.cost.sizes { "; in the sum" } else { "" };
        rows.push([
            format!("  {}", reading.label),
            reading.per_task.map_or_else(|| "unknown".to_owned(), dollars),
            amount(&reading.per_month, confidence),
            format!("{}{mark}", reading.note),
        ]);
    }
    let others: Vec<_> = planes.iter().filter(|other| other.readings.is_empty() && !other.lines.is_empty()).collect();
    if !others.is_empty() {
        rows.push(["instead of".to_owned(), String::new(), String::new(), String::new()]);
    }
    for other in others {
        let part = |group| other.lines.iter().any(|line| line.group == group);
        let group = if part(Group::LoadBalancer) {
            Group::LoadBalancer
        } else if part(Group::Discovery) {
            Group::Discovery
        } else {
            continue;
        };
        let items: Vec<String> = other
            .lines
            .iter()
            .filter(|line| line.group == group && !line.amount.known().iter().all(|money| money.is_zero()))
            .map(|line| line.formula.clone())
            .collect();
        let sum = amount(&other.of_group(group), confidence);
        rows.push([format!("  {}", other.name), String::new(), sum, items.join(" + ")]);
    }
    out.push('\n');
    aligned(out, &rows);
}

/// A plane's month, line by line.
fn month(out: &mut String, priced: &Priced<'_>, plane: &PlaneBill, sources: &mut Vec<String>) {
    let confidence = priced.scenario.run.confidence;
    if let Some(reason) = &plane.not_applicable {
        let _ = writeln!(out, "\n{}: not applicable: {reason}", plane.name);
        return;
    }
    let _ = writeln!(out, "\n{}: {} a month", plane.name, amount(&plane.total, confidence));
    let rows: Vec<[String; 4]> = plane
        .lines
        .iter()
        .map(|line| {
            let source = format!("{}; {}", line.source, line.confidence.name());
            let number = sources.iter().position(|known| *known == source).unwrap_or_else(|| {
                sources.push(source);
                sources.len() - 1
            });
            let mark = format!("[{}]", number + 1);
            [format!("  {}", line.item), amount(&line.amount, confidence), mark, reason(line)]
        })
        .collect();
    if rows.is_empty() {
        out.push_str("  nothing to pay for\n");
    }
    aligned(out, &rows);
    if let Some(text) = by_zone(plane, confidence) {
        let _ = writeln!(out, "  {text}");
    }
}

/// What routing by zone is worth, where it is worth something.
pub(super) fn by_zone(plane: &PlaneBill, confidence: f64) -> Option<String> {
    let zones = plane.zones.as_ref()?;
    let (even, by_zone) = (known(&zones.even, confidence)?, known(&zones.by_zone, confidence)?);
    let simulated = amount(&zones.simulated, confidence);
    (even != by_zone).then(|| {
        format!(
            "between zones: {simulated} as simulated, {} if callers ignored zones, {} if they kept to them",
            dollars(even),
            dollars(by_zone)
        )
    })
}

/// The formula, or why there is no amount.
fn reason(line: &Line) -> String {
    match line.amount.unknown() {
        Some(why) => format!("{} ({why})", line.formula),
        None => line.formula.clone(),
    }
}

fn break_even(out: &mut String, all: &[BreakEven]) {
    if all.is_empty() {
        return;
    }
    out.push_str("\nbreak-even: from so many tasks on sidecars cost more than what they replace\n");
    let (rows, hidden) = crossings(all);
    aligned(out, &rows.map(|[name, tasks, prices, why]| [format!("  {name}"), tasks, prices, why]).collect::<Vec<_>>());
    if hidden > 0 {
        let _ = writeln!(out, "  and {hidden} more in --json");
    }
}

/// The fleet's break-evens and those of the first services: whose, tasks, prices, against what; and how many are left out.
pub(super) fn crossings(all: &[BreakEven]) -> (impl Iterator<Item = [String; 4]>, usize) {
    let fleet = all.iter().filter(|at| at.service.is_none());
    let shown = fleet.clone().count() + 2 * SERVICES_SHOWN;
    let row = |at: &BreakEven| {
        let name = match &at.service {
            Some(service) => service.clone(),
            None => format!("the fleet, {}", if at.reading == Reading::Exact { "exact" } else { "next size" }),
        };
        let prices = format!("{} against {} a task", dollars(at.alb), dollars(at.per_task));
        [name, at.tasks.to_string(), prices, format!("{}; {}", at.against, at.note)]
    };
    let services = all.iter().filter(|at| at.service.is_some());
    (fleet.chain(services).take(shown).map(row), all.len().saturating_sub(shown))
}

fn references(out: &mut String, priced: &Priced<'_>) {
    let confidence = priced.scenario.run.confidence;
    if priced.bill.references.is_empty() {
        return;
    }
    out.push_str("\nfor comparison, in no sum\n");
    let one = |reference: &crate::cost::Reference| {
        let formulas: Vec<&str> = reference.lines.iter().map(|line| line.formula.as_str()).collect();
        [
            format!("  {}", reference.name),
            amount(&reference.total(), confidence),
            formulas.join(" + "),
            reference.note.to_owned(),
        ]
    };
    let rows: Vec<[String; 4]> = priced.bill.references.iter().map(one).collect();
    aligned(out, &rows);
}

/// Dollars beside error rate and p99 of the same runs.
fn reliability(out: &mut String, priced: &Priced<'_>) {
    let confidence = priced.scenario.run.confidence;
    out.push_str("\ncost against reliability\n");
    let mut rows = vec![["  plane", "a month", "error rate", "p99", "per million good requests"].map(str::to_owned)];
    for (at, plane) in priced.bill.planes.iter().enumerate() {
        if plane.not_applicable.is_some() {
            continue;
        }
        let shown = |metric| seen(priced, metric, at);
        rows.push([
            format!("  {}", plane.name),
            amount(&plane.total, confidence),
            shown(Metric::ErrorRate),
            shown(Metric::Percentile(0.99)),
            per_million(plane).map_or_else(|| "unknown".to_owned(), dollars),
        ]);
    }
    aligned(out, &rows);
    let growth = priced.bill.planes.iter().find_map(|plane| {
        in_force(plane, priced.scenario.cost.sizes)?;
        let doubled = |need: &&crate::cost::SidecarNeed| need.cpu >= need.now.cpu;
        let many = plane.sidecars.iter().flatten().filter(doubled).count();
        (many > 0).then(|| (many, plane.sidecars.iter().flatten().count()))
    });
    if let Some((many, all)) = growth {
        let _ = writeln!(
            out,
            "  note: in {} of {} services the sidecar at least doubles the CPU line",
            plain(many as f64),
            all
        );
    }
}

/// A figure of the users on a plane, with its interval.
pub(super) fn seen(priced: &Priced<'_>, metric: Metric, plane: usize) -> String {
    let estimate = priced.sheet.and_then(|sheet| sheet.estimate_finite(metric, Place::users(plane)));
    estimate.map_or_else(
        || "not simulated".to_owned(),
        |estimate| {
            let shown = format::estimate(&estimate, unit(metric));
            if shown.spread.is_empty() { shown.value } else { format!("{} {}", shown.value, shown.spread) }
        },
    )
}

/// Rows in columns, two spaces apart; the last column runs on.
pub(super) fn aligned<const N: usize>(out: &mut String, rows: &[[String; N]]) {
    let width = |text: &str| text.chars().count();
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0));
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            if column > 0 {
                line.push_str("  ");
            }
            line.push_str(cell);
            line.push_str(&" ".repeat(widths[column] - width(cell)));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}
