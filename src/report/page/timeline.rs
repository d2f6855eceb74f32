//! Figures over time, all planes in one chart each, on one shared axis.
//!
//! *Knows* which figures are worth a chart and that one that never moves is not. *Does not know* what the marks
//! mean.

use super::Section;
use super::chart::Chart;
use super::chart::LEFT;
use super::chart::Layer;
use super::html::Table;
use super::html::escape;
use super::html::maybe;
use super::html::short;
use super::read::Outcome;
use super::read::Timeline;
use super::scale::Axis;
use super::scale::clock;
use crate::report::figure::Unit;
use std::fmt::Write as _;

/// A line over time.
struct Figure {
    name: &'static str,
    title: &'static str,
    note: &'static str,
    unit: Unit,
    log: bool,
    /// Drawn even if nothing ever moves.
    always: bool,
    height: f64,
    /// The values of a bucket.
    of: fn(&Timeline, usize) -> Option<f64>,
    /// Where the lowest and the highest replication lie.
    range: fn(&Timeline, usize) -> Option<(f64, f64)>,
}

/// No range.
const fn none(_: &Timeline, _: usize) -> Option<(f64, f64)> {
    None
}

const FIGURES: [Figure; 8] = [
    Figure {
        name: "errors",
        title: "Error rate",
        note: "share of the requests that ended in each bucket and failed",
        unit: Unit::Share,
        log: false,
        always: true,
        height: 150.0,
        of: |t, i| (t.requests[i] > 0.0).then(|| t.errors[i] / t.requests[i]),
        range: none,
    },
    Figure {
        name: "requests",
        title: "Requests",
        note: "requests that ended, per second",
        unit: Unit::PerSecond,
        log: false,
        always: true,
        height: 110.0,
        of: |t, i| Some(t.requests[i] / t.bucket_s),
        range: none,
    },
    Figure {
        name: "goodput",
        title: "Goodput",
        note: "requests that succeeded, per second",
        unit: Unit::PerSecond,
        log: false,
        always: true,
        height: 110.0,
        of: |t, i| Some((t.requests[i] - t.errors[i]) / t.bucket_s),
        range: none,
    },
    Figure {
        name: "p50",
        title: "Median latency (p50)",
        note: "of successes; the shade reaches from the lowest replication to the highest",
        unit: Unit::Millis,
        log: true,
        always: true,
        height: 120.0,
        of: |t, i| t.p50_ms[i],
        range: |t, i| t.spread.as_ref().and_then(|s| s.p50_low[i].zip(s.p50_high[i])),
    },
    Figure {
        name: "p99",
        title: "Tail latency (p99)",
        note: "of successes; the shade reaches from the lowest replication to the highest",
        unit: Unit::Millis,
        log: true,
        always: true,
        height: 150.0,
        of: |t, i| t.p99_ms[i],
        range: |t, i| t.spread.as_ref().and_then(|s| s.p99_low[i].zip(s.p99_high[i])),
    },
    Figure {
        name: "retries",
        title: "Retries",
        note: "attempts after the first, on all edges, per second",
        unit: Unit::PerSecond,
        log: false,
        always: false,
        height: 100.0,
        of: |t, i| Some(t.retries[i] / t.bucket_s),
        range: none,
    },
    Figure {
        name: "ejected",
        title: "Ejected endpoints",
        note: "out at the end of each bucket, summed over the callers that ejected them",
        unit: Unit::Count,
        log: false,
        always: false,
        height: 90.0,
        of: |t, i| Some(t.ejected[i]),
        range: none,
    },
    Figure {
        name: "tasks",
        title: "Tasks",
        note: "tasks there are, all services",
        unit: Unit::Count,
        log: false,
        always: false,
        height: 90.0,
        of: |t, i| Some(t.tasks[i]),
        range: none,
    },
];

/// The panel.
pub(super) fn render(section: &Section<'_>) -> String {
    let result = section.result;
    if result.shown().all(|(_, plane)| plane.timeline.is_none()) {
        return String::new();
    }
    let mut out = legend(section);
    let mut first = true;
    for figure in &FIGURES {
        if let Some(chart) = draw(section, figure, first) {
            out.push_str(&chart);
            first = false;
        }
    }
    out.push_str(&happened(section));
    out
}

/// The planes, as switches.
pub(super) fn legend(section: &Section<'_>) -> String {
    let mut out = String::from("<div class=legend role=group aria-label=\"planes\">");
    for (i, plane) in section.result.shown() {
        let _ = write!(
            out,
            "<label class=k{0}><input type=checkbox class=js checked data-plane={0}><svg viewBox=\"0 0 30 10\" aria-hidden=true><path class=\"stroke k{0}\" d=\"M1 5H29\"/></svg>{1}</label>",
            i % 8,
            escape(&plane.name)
        );
    }
    out.push_str("<button type=button class=\"reset js\" hidden>Whole run</button><span class=\"quiet js\">Drag across a chart to zoom, double-click to leave; with the keyboard: arrows move the reading, + and − zoom.</span></div>");
    out
}

/// The axis of everything over time: the run without what was let out after its end.
pub(super) fn axis(result: &Outcome) -> Axis {
    Axis::time(result.scenario.duration_s)
}

fn draw(section: &Section<'_>, figure: &Figure, first: bool) -> Option<String> {
    let result = section.result;
    let x = axis(result);
    let planes: Vec<(usize, &str, &Timeline)> =
        result.shown().filter_map(|(i, p)| Some((i, p.name.as_str(), p.timeline.as_ref()?))).collect();
    let values = |t: &Timeline| -> Vec<(f64, Option<f64>)> {
        let count = t.requests.len().min((x.to / t.bucket_s).ceil() as usize);
        // Nothing is counted during the warm-up.
        let counted = |i: usize| (i + 1) as f64 * t.bucket_s > result.scenario.warmup_s;
        let value = |i| (figure.of)(t, i).filter(|v| v.is_finite() && counted(i));
        (0..count).map(|i| ((i as f64 + 0.5) * t.bucket_s, value(i))).collect()
    };
    let lines: Vec<Vec<(f64, Option<f64>)>> = planes.iter().map(|(_, _, t)| values(t)).collect();
    let known = || lines.iter().flatten().filter_map(|(_, y)| *y);
    let (least, most) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    if !figure.always && (most <= 0.0 || figure.name == "tasks" && least >= most) {
        return None;
    }
    let mut layers = Vec::new();
    let (mut low, mut high) = (least, most);
    for ((plane, _, t), line) in planes.iter().zip(&lines) {
        let ranges = line.iter().enumerate().map(|(i, (x, _))| (figure.range)(t, i).map(|(a, b)| (*x, a, b)));
        let ranges: Vec<Option<(f64, f64, f64)>> = ranges.collect();
        for run in ranges.split(Option::is_none) {
            let run: Vec<(f64, f64, f64)> = run.iter().flatten().copied().collect();
            low = run.iter().map(|r| r.1).fold(low, f64::min);
            high = run.iter().map(|r| r.2).fold(high, f64::max);
            if run.len() > 1 {
                layers.push(Layer::Ribbon(*plane, run));
            }
        }
    }
    layers.extend(planes.iter().zip(&lines).map(|((plane, ..), line)| Layer::Line(*plane, line.clone())));
    let y = if figure.log {
        Axis::log(low.max(1e-3), high, figure.unit)
    } else {
        Axis::upwards(most, figure.unit, if figure.height > 120.0 { 5.0 } else { 3.0 })
    };
    let mut table =
        Table::new(["t".to_owned()].into_iter().chain(planes.iter().map(|(_, name, _)| (*name).to_owned())));
    let rows = lines.iter().map(Vec::len).max().unwrap_or(0);
    let bucket = planes.iter().map(|(_, _, t)| t.bucket_s).fold(0.0, f64::max);
    for i in 0..rows {
        let mut row = vec![short(i as f64 * bucket)];
        row.extend(lines.iter().map(|line| maybe(line.get(i).and_then(|(_, y)| *y))));
        table.rows.push(row);
    }
    let id = format!("{}over-{}", section.prefix, figure.name);
    let chart = Chart {
        id,
        title: figure.title,
        note: figure.note,
        x,
        y,
        left: LEFT,
        height: figure.height,
        marks: &section.marks,
        names: first,
        zooms: true,
        layers,
        table,
    };
    Some(chart.render())
}

/// Marks up to which their list is open.
const OPEN_MAX: usize = 8;

/// Faults, deployments and scalings as a list: what the bands are.
fn happened(section: &Section<'_>) -> String {
    if section.marks.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "<details class=marks{}><summary>What the shaded parts are</summary><ul>",
        if section.marks.len() <= OPEN_MAX { " open" } else { "" }
    );
    let length = section.result.scenario.duration_s;
    for mark in &section.marks {
        let when = match mark.to_s {
            Some(to) => format!("{} to {}", clock(mark.from_s, length), clock(to, length)),
            None => format!("from {}", clock(mark.from_s, length)),
        };
        let until = if mark.is_deploy() && mark.to_s.is_some() { ", its last step on the slowest plane" } else { "" };
        let _ = write!(out, "<li><b>{}</b> {when}{until}", escape(&mark.label));
    }
    out.push_str("</ul></details>");
    out
}
