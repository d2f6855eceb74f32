//! What a page draws besides the figures: the comparison as data, the distribution of latencies, and
//! what failed calls failed of.
//!
//! *Knows* how the published names map to the model. *Does not know* how any of it is drawn. None of it is part
//! of the digest: it repeats, in another form, what the digest covers.

use serde::Serialize;

use super::Interval;
use super::interval;
use crate::measure::Flag;
use crate::measure::Histogram;
use crate::measure::study::PlaneResult;
use crate::report::model::Comparison;

/// The comparison that the terminal shows.
#[derive(Serialize)]
pub(super) struct Summary {
    title: String,
    subtitle: String,
    columns: Vec<Column>,
    rows: Vec<Row>,
    judgements: Vec<Judged>,
    sentences: Vec<String>,
    warnings: Vec<String>,
    alarms: Vec<String>,
    footer: Vec<String>,
    next: String,
    /// The command that makes the same result again.
    again: String,
    marks: Vec<Mark>,
}

#[derive(Serialize)]
struct Column {
    name: String,
    not_applicable: Option<String>,
}

#[derive(Serialize)]
struct Row {
    label: String,
    /// The metric it is, where `metrics` has it under a name of its own.
    metric: Option<&'static str>,
    narrows: bool,
    cells: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    value: Option<String>,
    spread: Option<String>,
    more: Vec<String>,
    best: bool,
    figure: Option<Interval>,
}

/// A judgement in words.
#[derive(Serialize)]
struct Judged {
    verdict: &'static str,
    that: String,
    during: String,
    plane: String,
    observed: String,
    remark: String,
}

#[derive(Serialize)]
struct Mark {
    label: String,
    from_s: f64,
    to_s: Option<f64>,
}

/// The comparison as data.
pub(super) fn summary(comparison: Comparison, again: &str) -> Summary {
    let cell = |cell: crate::report::model::Cell| {
        let (value, spread) = match cell.shown {
            Some(shown) => (Some(shown.value), (!shown.spread.is_empty()).then_some(shown.spread)),
            None => (None, None),
        };
        Cell { value, spread, more: cell.more, best: cell.best, figure: interval(cell.figure) }
    };
    Summary {
        title: comparison.title,
        subtitle: comparison.subtitle,
        columns: comparison
            .columns
            .into_iter()
            .map(|c| Column { name: c.name, not_applicable: c.not_applicable })
            .collect(),
        rows: comparison
            .rows
            .into_iter()
            .map(|row| Row {
                label: row.label,
                metric: row.key,
                narrows: row.narrows,
                cells: row.cells.into_iter().map(cell).collect(),
            })
            .collect(),
        judgements: comparison
            .judgements
            .into_iter()
            .map(|j| Judged {
                verdict: j.judgement.verdict.name(),
                that: j.judgement.that,
                during: j.judgement.during,
                plane: j.plane,
                observed: j.observed,
                remark: j.remark,
            })
            .collect(),
        sentences: comparison.sentences,
        warnings: comparison.warnings,
        alarms: comparison.alarms,
        footer: comparison.footer,
        next: comparison.next,
        again: again.to_owned(),
        marks: comparison
            .chart
            .marks
            .into_iter()
            .map(|m| Mark { label: m.label, from_s: m.from_s, to_s: m.to_s })
            .collect(),
    }
}

/// Latencies of a plane's user requests by percentile, all replications together.
#[derive(Serialize)]
pub(super) struct Latency {
    /// Shares of the requests, ascending: as many per decade of 1 / (1 - share), up to the last request.
    shares: Vec<f64>,
    ok_ms: Option<Vec<f64>>,
    failed_ms: Option<Vec<f64>>,
    ok: u64,
    failed: u64,
}

/// What is left above each percentile of a decade: 10 to the power of 0, -1/8, -2/8 and so on.
const DECADE: [f64; 8] =
    [1.0, 0.749_894_2, 0.562_341_3, 0.421_696_5, 0.316_227_8, 0.237_137_4, 0.177_827_9, 0.133_352_1];

/// The distribution of a plane's latencies; `None` without a request.
pub(super) fn latency(result: &PlaneResult) -> Option<Latency> {
    let users = result.pooled.first()?;
    let (ok, failed) = (users.succeeded(), users.failed);
    let most = ok.max(failed);
    if most == 0 {
        return None;
    }
    let mut shares = Vec::new();
    let mut rest = 1_u64;
    while rest <= most {
        shares.extend(DECADE.iter().map(|left| ((1.0 - left / rest as f64) * 1e7).round() / 1e7));
        rest *= 10;
    }
    shares.push(1.0);
    shares.dedup();
    let at = |histogram: &Histogram, max_ns: u64| -> Vec<f64> {
        let ms = |share: &f64| histogram.value_at_quantile(*share).min(max_ns) as f64 / 1e6;
        shares.iter().map(|share| (ms(share) * 1e3).round() / 1e3).collect()
    };
    let ok_ms = users.latency.as_ref().map(|h| at(h, users.max.as_nanos()));
    let failed_ms = users.failed_latency.as_ref().map(|h| at(h, u64::MAX));
    Some(Latency { shares, ok_ms, failed_ms, ok, failed })
}

/// What calls between services failed of, and what saved requests: means per replication.
#[derive(Serialize)]
pub(super) struct Attribution {
    /// Calls between services that failed.
    failed_calls: f64,
    failed: Vec<Cause>,
    saved: Vec<Cause>,
}

#[derive(Serialize)]
struct Cause {
    #[serde(rename = "cause")]
    name: &'static str,
    label: &'static str,
    count: f64,
}

/// The causes by Envoy's response flags. A call may carry more than one; `status` is what carries none: an
/// answer of the service itself. `failed_calls` counts all edges and replications.
pub(super) fn attribution(result: &PlaneResult, failed_calls: u64) -> Option<Attribution> {
    let runs = result.replicas.len();
    if runs == 0 {
        return None;
    }
    let per_run = |n: u64| n as f64 / runs as f64;
    let hops = result.hops.first().copied().unwrap_or_default();
    // URX says what became of the retries, not what the call failed of.
    let causes = Flag::ALL.into_iter().filter(|flag| *flag != Flag::Urx && hops.flags[flag.index()] > 0);
    let mut failed: Vec<Cause> = causes
        .map(|flag| Cause { name: flag.name(), label: flag.meaning(), count: per_run(hops.flags[flag.index()]) })
        .collect();
    let flagged: u64 =
        Flag::ALL.into_iter().filter(|flag| *flag != Flag::Urx).map(|flag| hops.flags[flag.index()]).sum();
    let unflagged = failed_calls.saturating_sub(flagged);
    if unflagged > 0 {
        failed.push(Cause { name: "status", label: "the service answered with an error", count: per_run(unflagged) });
    }
    let unanswered: u64 = result.replicas.iter().map(|r| r.unanswered).sum();
    if unanswered > 0 {
        let label = "requests without an answer when the run was over";
        failed.push(Cause { name: "unanswered", label, count: per_run(unanswered) });
    }
    failed.sort_by(|a, b| b.count.total_cmp(&a.count));
    let by_retry: u64 = result.replicas.iter().map(|r| r.saved_by_retry).sum();
    let saved = (by_retry > 0)
        .then(|| Cause { name: "retry", label: "succeeded on a retry", count: per_run(by_retry) })
        .into_iter()
        .collect();
    Some(Attribution { failed_calls: per_run(failed_calls), failed, saved })
}
