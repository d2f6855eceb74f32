//! A result file as Markdown and as CSV, as `run` wrote them when it was made.
//!
//! *Knows* how to take the comparison out of a file again. *Does not know* layouts: those are `markdown`'s and
//! `csv`'s.

use super::read::Figures;
use super::read::Judged as Written;
use super::read::Outcome;
use super::read::Plane;
use super::read::Row as WrittenRow;
use super::read::Summary;
use crate::report::csv;
use crate::report::expect::Judgement;
use crate::report::expect::Verdict;
use crate::report::figure;
use crate::report::format::Shown;
use crate::report::json;
use crate::report::markdown;
use crate::report::model::Cell;
use crate::report::model::Chart;
use crate::report::model::Column;
use crate::report::model::Comparison;
use crate::report::model::Judged;
use crate::report::model::Row;
use crate::scenario::Severity;

/// The result as Markdown; `None` if an earlier scsim wrote it without what the table says.
pub fn markdown(result: &Outcome) -> Option<String> {
    result.summary.as_ref().map(|summary| markdown::render(&comparison(result, summary)))
}

fn comparison(result: &Outcome, summary: &Summary) -> Comparison {
    let column = |c: &super::read::Column| Column { name: c.name.clone(), not_applicable: c.not_applicable.clone() };
    Comparison {
        title: result.scenario.title.clone(),
        subtitle: summary.subtitle.clone(),
        columns: summary.columns.iter().map(column).collect(),
        rows: summary.rows.iter().map(row).collect(),
        chart: Chart { bucket_s: 0.0, length_s: 0.0, lines: Vec::new(), marks: Vec::new() },
        judgements: summary.judgements.iter().map(judged).collect(),
        sentences: summary.sentences.clone(),
        warnings: summary.warnings.clone(),
        alarms: summary.alarms.clone(),
        footer: summary.footer.clone(),
        next: summary.next.clone(),
        partial: result.partial,
    }
}

fn row(row: &WrittenRow) -> Row {
    let cell = |cell: &super::read::Cell| Cell {
        figure: None,
        shown: cell.value.clone().map(|value| Shown { value, spread: cell.spread.clone().unwrap_or_default() }),
        more: cell.more.clone(),
        best: cell.best,
    };
    Row { label: row.label.clone(), key: None, narrows: row.narrows, cells: row.cells.iter().map(cell).collect() }
}

fn judged(j: &Written) -> Judged {
    let verdict = match j.verdict.as_str() {
        "holds" => Verdict::Holds,
        "fails" => Verdict::Fails,
        _ => Verdict::Inconclusive,
    };
    // Only what stands in the table is needed of it.
    let judgement = Judgement {
        expect: 0,
        that: j.that.clone(),
        line: 0,
        plane: None,
        during: j.during.clone(),
        verdict,
        observed: None,
        metric: None,
        paired: false,
        worst_replication: None,
        worst: None,
        needed: None,
        note: None,
        severity: Severity::Error,
    };
    Judged { judgement, plane: j.plane.clone(), observed: j.observed.clone(), remark: j.remark.clone() }
}

/// The lines of the result as CSV, without the head line.
pub fn csv(result: &Outcome) -> String {
    let mut out = String::new();
    for (_, plane) in result.shown() {
        lines(&mut out, result, plane, "users", &plane.metrics);
        for edge in &plane.edges {
            lines(&mut out, result, plane, &format!("{}->{}", edge.from, edge.to), &edge.metrics);
        }
    }
    out
}

fn lines(out: &mut String, result: &Outcome, plane: &Plane, scope: &str, metrics: &Figures) {
    for metric in csv::METRICS {
        let Some(key) = json::names::key(metric) else { continue };
        let figure = metrics.get(key).copied().flatten();
        let part = |x: Option<f64>| x.map_or_else(String::new, |x| (x + 0.0).to_string());
        let fields = [
            result.scenario.file.clone(),
            plane.name.clone(),
            scope.to_owned(),
            figure::name(metric),
            csv::unit(metric).to_owned(),
            part(figure.and_then(|f| f.mean)),
            part(figure.and_then(|f| f.low)),
            part(figure.and_then(|f| f.high)),
            part(figure.and_then(|f| f.worst)),
            figure.map_or_else(String::new, |_| replications(result, plane, scope, key).to_string()),
        ];
        out.push_str(&fields.map(|f| csv::quoted(&f)).join(","));
        out.push('\n');
    }
}

/// Replications in which a figure exists. Files keep that of the users' headline figures; of others they keep
/// how many replications there were.
fn replications(result: &Outcome, plane: &Plane, scope: &str, key: &str) -> usize {
    let values = plane.replications_detail.as_ref().and_then(|detail| detail.get(key)).filter(|_| scope == "users");
    values.map_or(result.replications as usize, |values| values.iter().flatten().count())
}
