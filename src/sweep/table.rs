//! A sweep on the terminal: a row per cell, a column per figure and plane.
//!
//! *Knows* how wide columns are and when there are too many rows. *Does not know* colours.

use std::fmt::Write as _;

use super::Cell;
use super::Cells;
use super::PartError;
use super::cell::Figure;
use super::cell::Held;
use crate::report::figure::Unit;
use crate::report::format;

/// Rows shown; the files have all.
const ROWS_MAX: u64 = 60;

/// Expectations that failed and are named one by one.
const NAMED_MAX: usize = 20;

/// The table, and what became of the expectations of all cells.
pub struct Summary {
    /// For reading.
    pub text: String,
    /// How many held.
    pub held: u64,
    /// How many failed, warnings left out.
    pub failed: u64,
    /// How many cannot be told, warnings left out.
    pub inconclusive: u64,
}

/// The unit that a name in a cell stands for.
pub fn unit(name: &str) -> Unit {
    match name {
        "fraction" => Unit::Share,
        "count" => Unit::Count,
        "1/s" => Unit::PerSecond,
        "ms" => Unit::Millis,
        "s" => Unit::Seconds,
        "USD" => Unit::Dollars,
        _ => Unit::Plain,
    }
}

/// A figure as people read it.
pub fn shown(figure: Option<&Figure>) -> String {
    let Some(figure) = figure else { return "–".to_owned() };
    let Some(estimate) = figure.estimate() else {
        return if figure.never > 0 { "never".to_owned() } else { "–".to_owned() };
    };
    let shown = format::estimate(&estimate, unit(&figure.unit));
    let mut text = shown.value;
    if !shown.spread.is_empty() {
        let _ = write!(text, " {}", shown.spread);
    }
    if figure.never > 0 {
        let _ = write!(text, ", never in {} of {}", figure.never, figure.never + figure.replications);
    }
    text
}

/// Lays out `metrics` of the users, cell by cell.
///
/// # Errors
/// What cannot be read.
pub fn render(cells: &Cells, metrics: &[String]) -> Result<Summary, PartError> {
    let header = &cells.header;
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut columns: Vec<(String, String)> = Vec::new();
    let mut summary = Summary { text: String::new(), held: 0, failed: 0, inconclusive: 0 };
    let mut bad = String::new();
    let mut named = 0;
    cells.for_each(|cell, _| {
        if columns.is_empty() {
            for metric in metrics {
                columns.extend(cell.planes.iter().map(|plane| (metric.clone(), plane.name.clone())));
            }
        }
        if cell.cell < ROWS_MAX {
            let mut row: Vec<String> =
                cell.values.iter().map(|value| value.clone().unwrap_or_else(|| "as in the file".to_owned())).collect();
            row.extend(columns.iter().map(|(metric, plane)| shown(cell.figure(plane, metric))));
            rows.push(row);
        }
        for held in &cell.expectations {
            match (held.verdict.as_str(), held.error) {
                ("holds", _) => summary.held += 1,
                ("fails", true) => summary.failed += 1,
                ("inconclusive", true) => summary.inconclusive += 1,
                _ => {}
            }
            if held.verdict != "holds" {
                named += 1;
                if named <= NAMED_MAX {
                    complaint(&mut bad, header, &cell, held);
                }
            }
        }
        Ok(())
    })?;
    let text = &mut summary.text;
    let _ = writeln!(text, "{}", header.title);
    let keys: Vec<&str> = header.axes.iter().map(|axis| axis.key.as_str()).collect();
    let plural = if header.cells == 1 { "" } else { "s" };
    let _ = writeln!(
        text,
        "{} · {} cell{plural} ({}), {} replications each, the same arrivals in all\n",
        keys.join(" × "),
        header.cells,
        header.mode,
        header.replications
    );
    let mut top: Vec<String> = vec![String::new(); header.axes.len()];
    let mut second: Vec<String> = header.axes.iter().map(|axis| axis.key.clone()).collect();
    let mut before = "";
    for (metric, plane) in &columns {
        top.push(if metric == before { String::new() } else { metric.clone() });
        second.push(plane.clone());
        before = metric;
    }
    rows.insert(0, second);
    rows.insert(0, top);
    aligned(text, &rows, header.axes.len());
    if header.cells > ROWS_MAX {
        let _ = writeln!(text, "… and {} more cells; --output FILE.csv has all", header.cells - ROWS_MAX);
    }
    if !bad.is_empty() {
        let _ = write!(text, "\n{bad}");
        if named > NAMED_MAX {
            let _ = writeln!(text, "  … and {} more", named - NAMED_MAX);
        }
    }
    let total = summary.held + summary.failed + summary.inconclusive;
    if total > 0 {
        let (failed, open) = (summary.failed, summary.inconclusive);
        let _ = writeln!(text, "\nexpectations: {} held, {failed} failed, {open} inconclusive", summary.held);
    }
    Ok(summary)
}

fn complaint(out: &mut String, header: &super::Header, cell: &Cell, held: &Held) {
    let mark = if held.verdict == "fails" { "✗" } else { "?" };
    let values: Vec<String> = header
        .axes
        .iter()
        .zip(&cell.values)
        .filter_map(|(axis, value)| Some(format!("{} = {}", axis.key, value.as_ref()?)))
        .collect();
    let plane = held.plane.as_deref().unwrap_or("");
    let _ = writeln!(out, "  {mark} {}  {plane}  at {} ({}:{})", held.that, values.join(", "), header.file, held.line);
}

/// Columns as wide as their widest cell; all but the first `left` to the right.
fn aligned(out: &mut String, rows: &[Vec<String>], left: usize) {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |i: usize| rows.iter().filter_map(|row| row.get(i)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width - cell.chars().count());
            let gap = if i == 0 { "  " } else { "   " };
            let _ = if i < left { write!(line, "{gap}{cell}{pad}") } else { write!(line, "{gap}{pad}{cell}") };
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_came_to_pass_says_so() {
        let mut figure = Figure {
            metric: "time_to_eject".to_owned(),
            scope: "users".to_owned(),
            during: "all".to_owned(),
            unit: "s".to_owned(),
            mean: None,
            low: None,
            high: None,
            worst: None,
            replications: 0,
            never: 5,
        };
        assert_eq!(shown(Some(&figure)), "never");
        (figure.mean, figure.low, figure.high, figure.replications, figure.never) =
            (Some(2.0), Some(1.5), Some(2.5), 3, 2);
        assert_eq!(shown(Some(&figure)), "2.0 s ±0.5, never in 2 of 5");
        assert_eq!(shown(None), "–");
    }
}
