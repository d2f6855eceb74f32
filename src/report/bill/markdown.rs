//! A bill as Markdown: the comparison first, then a table per plane.
//!
//! *Knows* tables. *Does not know* how a line came about.

use std::fmt::Write as _;

use super::Priced;
use super::per_million;
use super::table::amount;
use super::table::by_zone;
use super::table::crossings;
use super::table::dollars;
use super::table::heading;
use super::table::seen;
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
        let shown = |metric| escaped(&seen(priced, metric, at));
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
        if let Some(text) = by_zone(plane, confidence) {
            let _ = write!(out, "\n{}.\n", escaped(&text));
        }
        out.push_str("\n</details>\n");
    }
    if !bill.break_even.is_empty() {
        out.push_str("\n| break-even | tasks | prices | against |\n|---|---:|---|---|\n");
        let (rows, hidden) = crossings(&bill.break_even);
        for row in rows {
            let _ = writeln!(out, "| {} |", row.map(|cell| escaped(&cell)).join(" | "));
        }
        if hidden > 0 {
            let _ = writeln!(out, "| and {hidden} more in `--json` | | | |");
        }
    }
    if !bill.references.is_empty() {
        out.push_str("\n| for comparison, in no sum | a month | formula | |\n|---|---:|---|---|\n");
        for reference in &bill.references {
            let formulas: Vec<&str> = reference.lines.iter().map(|line| line.formula.as_str()).collect();
            let (total, formula) = (amount(&reference.total(), confidence), formulas.join(" + "));
            let _ =
                writeln!(out, "| {} | {total} | {} | {} |", reference.name, escaped(&formula), escaped(reference.note));
        }
    }
    out.push('\n');
    for note in &bill.notes {
        let _ = writeln!(out, "* {}", escaped(note));
    }
    out
}
