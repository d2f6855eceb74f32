//! The outcome as text, Markdown and JSON.

use std::fmt::Write as _;

use serde_json::Value as Json;
use serde_json::json;

use super::CaseResult;
use super::Check;
use super::Outcome;
use crate::measure::estimate::Estimate;

impl CaseResult {
    /// The lines of the text table, one per value.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for (i, check) in self.checks.iter().enumerate() {
            let label = if i == 0 { self.file.as_str() } else { "" };
            let _ = writeln!(
                out,
                "{label:<28} {:<26} {:>10} {:>10} {:>9}  {:<23} {}",
                check.name,
                number(check.reference),
                check.result.map_or_else(|| "-".to_owned(), |r| number(r.mean)),
                error(check),
                interval(check.result),
                check.verdict.name()
            );
        }
        for problem in &self.problems {
            let _ = writeln!(out, "{:<28} books: {problem}", self.file);
        }
        out
    }
}

impl Outcome {
    /// The heading of the text table.
    pub fn heading() -> String {
        format!(
            "{:<28} {:<26} {:>10} {:>10} {:>9}  {:<23} verdict\n",
            "case", "value", "reference", "result", "error", "95 % interval"
        )
    }

    /// One line over all.
    pub fn summary(&self) -> String {
        let values: usize = self.cases.iter().map(|case| case.checks.len()).sum();
        let requests: u64 = self.cases.iter().map(|case| case.requests).sum();
        let outside = self.outside();
        let mut text = format!(
            "{} cases, {values} values, {requests} requests: {} inside, {} outside",
            self.ids().len(),
            self.ids().len() - outside.len(),
            outside.len()
        );
        if !outside.is_empty() {
            let _ = write!(text, " ({})", outside.join(", "));
        }
        text.push('\n');
        text
    }

    /// A Markdown table of every value.
    pub fn markdown(&self) -> String {
        let mut out = String::from(
            "| case | value | reference | result | error | 95 % interval | tolerance | verdict |\n\
             |---|---|---:|---:|---:|---|---|---|\n",
        );
        for case in &self.cases {
            for check in &case.checks {
                let _ = writeln!(
                    out,
                    "| {} | {} | {} | {} | {} | {} | {} | {} |",
                    case.file,
                    check.name,
                    number(check.reference),
                    check.result.map_or_else(|| "-".to_owned(), |r| number(r.mean)),
                    error(check),
                    interval(check.result),
                    case.reference.tolerance,
                    check.verdict.name()
                );
            }
        }
        out
    }

    /// Everything, for programs.
    pub fn json(&self) -> Json {
        let cases: Vec<Json> = self.cases.iter().map(case_json).collect();
        json!({
            "schema": "scsim.validation/1",
            "scsim": { "version": env!("CARGO_PKG_VERSION"), "model": crate::MODEL_VERSION },
            "holds": self.holds(),
            "outside": self.outside(),
            "cases": cases,
        })
    }
}

fn case_json(case: &CaseResult) -> Json {
    let checks: Vec<Json> = case
        .checks
        .iter()
        .map(|check| {
            json!({
                "name": check.name,
                "reference": check.reference,
                "result": check.result.map(|r| r.mean),
                "low": check.result.and_then(|r| r.low),
                "high": check.result.and_then(|r| r.high),
                "error": check.error(),
                "verdict": check.verdict.name(),
            })
        })
        .collect();
    json!({
        "id": case.reference.id,
        "file": case.file,
        "kind": case.reference.kind,
        "source": case.reference.source,
        "tolerance": case.reference.tolerance,
        "replications": case.replications,
        "requests": case.requests,
        "holds": case.holds(),
        "problems": case.problems,
        "values": checks,
    })
}

/// Six digits at most.
fn number(x: f64) -> String {
    let decimals = match x.abs() {
        a if a >= 1_000.0 => 1,
        a if a >= 100.0 => 2,
        a if a >= 10.0 => 3,
        a if a >= 1.0 => 4,
        a if a >= 0.01 => 5,
        _ => 7,
    };
    let text = format!("{x:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn error(check: &Check) -> String {
    check.error().map_or_else(|| "-".to_owned(), |e| format!("{:+.2} %", 100.0 * e))
}

fn interval(result: Option<Estimate>) -> String {
    match result {
        Some(Estimate { low: Some(low), high: Some(high), .. }) => format!("{} .. {}", number(low), number(high)),
        _ => "-".to_owned(),
    }
}
