//! A bill as Markdown: the comparison first, then a table per plane.
//!
//! *Knows* tables. *Does not know* how a line came about.

use std::fmt::Write as _;

use super::Priced;
use super::per_million;
use super::table::amount;
use super::table::dollars;
use super::table::heading;
use crate::report::figure::Place;
use crate::report::figure::unit;
use crate::report::format;
use crate::report::markdown::escaped;
use crate::scenario::Metric;

/// The bill.
pub fn render(priced: &Priced<'_>) -> String {
    let (scenario, bill) = (priced.scenario, priced.bill);
    let confidence = scenario.run.confidence;
    let mut out = format!("### {}\n\n{}\n\n", escaped(&scenario.title), escaped(&heading(scenario)));
    out.push_str("| plane | a month | error rate | p99 | per million good requests |\n|---|---:|---:|---:|---:|\n");
    for (at, plane) in bill.planes.iter().enumerate() {
        if let Some(reason) = &plane.not_applicable {
            let _ = writeln!(out, "| {} | not applicable: {} | | | |", escaped(&plane.name), escaped(reason));
            continue;
        }
        let shown = |metric| {
            let estimate = priced.sheet.and_then(|sheet| sheet.estimate_finite(metric, Place::users(at)));
            estimate.map_or_else(|| "not simulated".to_owned(), |e| format::estimate(&e, unit(metric)).value)
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            escaped(&plane.name),
            amount(&plane.total, confidence),
            shown(Metric::ErrorRate),
            shown(Metric::Percentile(0.99)),
            per_million(plane).map_or_else(|| "unknown".to_owned(), dollars)
        );
    }
    for plane in bill.planes.iter().filter(|plane| plane.not_applicable.is_none()) {
        let _ = write!(out, "\n<details><summary>{}</summary>\n\n", escaped(&plane.name));
        if !plane.readings.is_empty() {
            out.push_str("| the sidecars | per task | a month | |\n|---|---:|---:|---|\n");
            for reading in &plane.readings {
                let _ = writeln!(
                    out,
                    "| {} | {} | {} | {} |",
                    escaped(&reading.label),
                    reading.per_task.map_or_else(|| "unknown".to_owned(), dollars),
                    amount(&reading.per_month, confidence),
                    escaped(&reading.note)
                );
            }
            out.push('\n');
        }
        out.push_str("| line | a month | formula | source | confidence |\n|---|---:|---|---|---|\n");
        for line in &plane.lines {
            let why = line.amount.unknown().map_or_else(String::new, |why| format!(" ({why})"));
            let _ = writeln!(
                out,
                "| {} | {} | {}{} | {} | {} |",
                escaped(&line.item),
                amount(&line.amount, confidence),
                escaped(&line.formula),
                escaped(&why),
                escaped(&line.source),
                line.confidence.name()
            );
        }
        out.push_str("\n</details>\n");
    }
    if !bill.break_even.is_empty() {
        out.push_str("\n| break-even | tasks | against | |\n|---|---:|---|---|\n");
        for at in bill.break_even.iter().filter(|at| at.service.is_none()) {
            let _ = writeln!(
                out,
                "| the fleet, {} | {} | {} | {} |",
                at.reading.id(),
                at.tasks,
                escaped(&at.against),
                escaped(&at.note)
            );
        }
    }
    out.push('\n');
    for note in &bill.notes {
        let _ = writeln!(out, "* {}", escaped(note));
    }
    out
}
