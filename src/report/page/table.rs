//! The comparison side by side, each figure with its interval drawn.
//!
//! *Knows* the rows of the comparison, and the paired differences for the relative view. *Does not know* which
//! figures deserve a row.

use std::fmt::Write as _;

use super::Section;
use super::html::escape;
use super::read::Cell;
use super::read::Figure;
use super::read::Outcome;
use super::read::Row;
use super::read::Summary;
use crate::measure::estimate::Estimate;
use crate::report::figure::Unit;
use crate::report::format;

/// The panel.
pub(super) fn render(section: &Section<'_>) -> String {
    let result = section.result;
    let Some(summary) = &result.summary else { return String::new() };
    let mut out = String::new();
    out.push_str(&choices(section, summary));
    let _ = write!(
        out,
        "<div class=scroll tabindex=0 role=group aria-label=\"side by side\"><table class=compare id=\"{}side\"><thead><tr><td>",
        section.prefix
    );
    for (i, column) in summary.columns.iter().enumerate() {
        let _ = write!(out, "<th scope=col><span class=\"key k{}\"></span>{}", i % 8, escape(&column.name));
    }
    out.push_str("<tbody>");
    for row in &summary.rows {
        let class = if row.narrows { " class=narrows" } else { "" };
        let _ = write!(out, "<tr{class}><th scope=row>{}", escape(&row.label));
        let most = row.cells.iter().filter_map(|c| c.figure?.high.or(c.figure?.mean)).fold(0.0, f64::max);
        for (i, cell) in row.cells.iter().enumerate() {
            if let Some(reason) = &summary.columns[i].not_applicable {
                let _ = write!(out, "<td class=absent title=\"{}\">not applicable", escape(reason));
            } else {
                out.push_str(&inside(result, summary, row, cell, i, most));
            }
        }
    }
    out.push_str("</table></div><p class=quiet>± is half of the confidence interval, brackets where it is lopsided; the bar shows the interval, its tick the mean. Bold is better than every other plane beyond doubt (paired by replication). Relative figures are paired differences where the result has them.</p>");
    out
}

/// Absolute or relative to a plane.
fn choices(section: &Section<'_>, summary: &Summary) -> String {
    let open: Vec<usize> =
        (0..summary.columns.len()).filter(|&i| summary.columns[i].not_applicable.is_none()).collect();
    if open.len() < 2 {
        return String::new();
    }
    let name = format!("{}relative", section.prefix);
    let mut out = format!(
        "<fieldset class=\"choice js\" data-relative=\"{}side\"><legend>Show</legend><label><input type=radio name=\"{name}\" value=\"\" checked> absolute</label>",
        section.prefix
    );
    for i in open {
        let _ = write!(
            out,
            "<label><input type=radio name=\"{name}\" value={i}> relative to {}</label>",
            escape(&summary.columns[i].name)
        );
    }
    out.push_str("</fieldset>");
    out
}

fn inside(result: &Outcome, summary: &Summary, row: &Row, cell: &Cell, column: usize, most: f64) -> String {
    let Some(value) = &cell.value else { return "<td class=none>–".to_owned() };
    let strong = if cell.best { " best" } else { "" };
    let mut out = format!("<td><span class=\"absolute{strong}\"><span class=value>{}</span>", escape(value));
    if let Some(spread) = &cell.spread {
        let _ = write!(out, " <span class=spread>{}</span>", escape(spread));
    }
    out.push_str("</span>");
    for (other, against) in summary.columns.iter().enumerate() {
        if against.not_applicable.is_none() && row.cells[other].figure.is_some() && cell.figure.is_some() {
            let text = relative(result, summary, row, column, other);
            let _ = write!(out, "<span class=rel data-to={other} hidden>{}</span>", escape(&text));
        }
    }
    for more in &cell.more {
        let _ = write!(out, "<span class=more>{}</span>", escape(more));
    }
    if let Some(figure) = cell.figure {
        out.push_str(&bar(figure, most, column));
    }
    out
}

/// The interval on a scale that the row shares.
fn bar(figure: Figure, most: f64, column: usize) -> String {
    let Some(mean) = figure.mean else { return String::new() };
    let at = |x: f64| if most > 0.0 { (x / most).clamp(0.0, 1.0) * 100.0 } else { 0.0 };
    let (low, high) = (at(figure.low.unwrap_or(mean)), at(figure.high.unwrap_or(mean)));
    format!(
        "<span class=\"bar k{}\" aria-hidden=true><i style=\"width:{:.1}%\"></i><b style=\"left:{low:.1}%;width:{:.1}%\"></b></span>",
        column % 8,
        at(mean),
        (high - low).max(0.0)
    )
}

/// The figure less that of another plane: paired where the file has the pair, else of the means alone.
fn relative(result: &Outcome, summary: &Summary, row: &Row, column: usize, other: usize) -> String {
    if column == other {
        return "reference".to_owned();
    }
    let means = (row.cells[column].figure.and_then(|f| f.mean), row.cells[other].figure.and_then(|f| f.mean));
    let (Some(mine), Some(theirs)) = means else { return "–".to_owned() };
    let (plane, against) = (&summary.columns[column].name, &summary.columns[other].name);
    let metric = row.metric.as_deref().unwrap_or_default();
    let paired = result.differences.iter().filter(|d| d.metric == metric).find_map(|d| {
        if d.plane == *plane && d.against == *against {
            Some((d.mean?, d.low?, d.high?))
        } else if d.plane == *against && d.against == *plane {
            Some((-d.mean?, -d.high?, -d.low?))
        } else {
            None
        }
    });
    let (mean, low, high) =
        paired.map_or((mine - theirs, None, None), |(mean, low, high)| (mean, Some(low), Some(high)));
    let unit = unit_of(&row.cells[column]);
    let text = format::bracketed(&Estimate { mean, low, high, worst: mean, replications: result.replications }, unit);
    let text = if unit == Unit::Share { text.replace(" %", " points") } else { text };
    let sign = if mean > 0.0 { "+" } else { "" };
    format!("{sign}{}", text.replace('-', "−"))
}

/// The unit that the shown text has.
fn unit_of(cell: &Cell) -> Unit {
    let text = cell.value.as_deref().unwrap_or_default();
    if text.ends_with('%') {
        Unit::Share
    } else if text.ends_with(" ms") || text.ends_with(" µs") {
        Unit::Millis
    } else if text.contains(" s ") {
        Unit::Seconds
    } else if text.ends_with(" s") {
        // Latencies above 10 s are shown in seconds too.
        Unit::Millis
    } else if cell.figure.and_then(|f| f.mean).is_some_and(|mean| mean >= 10.0) {
        Unit::Count
    } else {
        Unit::Plain
    }
}
