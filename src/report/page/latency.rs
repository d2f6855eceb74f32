//! How long requests took: percentiles up to the last one, successes and failures apart, and over time.
//!
//! *Knows* that a percentile plot runs along 1 / (1 − p), so that each nine has the same room. *Does not know*
//! replications: these are all of them together.

use std::fmt::Write as _;

use super::Section;
use super::chart::Chart;
use super::chart::LEFT;
use super::chart::Layer;
use super::html::Table;
use super::html::escape;
use super::html::short;
use super::read::Heat;
use super::read::Latency;
use super::read::Mark;
use super::read::Plane;
use super::scale::Axis;
use super::timeline;
use crate::report::figure::Unit;

/// The panel.
pub(super) fn render(section: &Section<'_>) -> String {
    let planes: Vec<(usize, &Plane, &Latency)> =
        section.result.shown().filter_map(|(i, p)| Some((i, p, p.latency.as_ref()?))).collect();
    if planes.is_empty() {
        return String::new();
    }
    let mut out = timeline::legend(section);
    out.push_str(&percentiles(section, &planes, false));
    out.push_str(&percentiles(section, &planes, true));
    for (i, plane) in section.result.shown() {
        if let Some(heat) = &plane.heat {
            out.push_str(&heat_map(section, i, plane, heat));
        }
    }
    out
}

/// 1 / (1 − p), which for the last request is their number.
fn nines(share: f64, count: u64) -> f64 {
    let most = (count as f64).max(2.0);
    if share >= 1.0 { most } else { (1.0 / (1.0 - share)).clamp(1.0, most) }
}

/// A plane's number, its name, and its latency in ms by 1 / (1 − p).
type Line<'a> = (usize, &'a str, Vec<(f64, f64)>);

fn percentiles(section: &Section<'_>, planes: &[(usize, &Plane, &Latency)], failed: bool) -> String {
    let of = |l: &'_ Latency| -> Vec<(f64, f64)> {
        let (values, count) = if failed { (&l.failed_ms, l.failed) } else { (&l.ok_ms, l.ok) };
        let Some(values) = values else { return Vec::new() };
        let points = l.shares.iter().zip(values).filter(|(_, ms)| **ms > 0.0);
        let mut points: Vec<(f64, f64)> = points.map(|(share, ms)| (nines(*share, count), *ms)).collect();
        points.dedup_by(|a, b| a.0 <= b.0);
        points
    };
    let lines: Vec<Line<'_>> =
        planes.iter().map(|(i, p, l)| (*i, p.name.as_str(), of(l))).filter(|(_, _, line)| line.len() > 1).collect();
    if lines.is_empty() {
        return String::new();
    }
    let points = || lines.iter().flat_map(|(_, _, line)| line.iter());
    let most = points().map(|p| p.0).fold(2.0, f64::max);
    let mut ticks = vec![(1.0, "0 %".to_owned()), (2.0, "50 %".to_owned())];
    let mut decade = 10.0;
    let mut digits = 0;
    while decade <= most && digits < 9 {
        ticks.push((decade, format!("{:.*} %", usize::max(digits, 1) - 1, 100.0 - 100.0 / decade)));
        decade *= 10.0;
        digits += 1;
    }
    let mut table =
        Table::new(["1/(1−p)".to_owned()].into_iter().chain(lines.iter().map(|(_, name, _)| (*name).to_owned())));
    let longest = lines.iter().max_by_key(|(_, _, line)| line.len()).map_or(&[][..], |(_, _, line)| &line[..]);
    for (x, _) in longest {
        let mut row = vec![short(*x)];
        row.extend(lines.iter().map(|(_, _, line)| {
            line.iter().find(|(other, _)| (other / x - 1.0).abs() < 1e-6).map_or_else(String::new, |(_, ms)| short(*ms))
        }));
        table.rows.push(row);
    }
    let name = if failed { "failures" } else { "successes" };
    let title = if failed { "Failures by percentile" } else { "Successes by percentile" };
    let note = if failed {
        "how long failed requests took; a fast failure is cheap, a slow one costs twice"
    } else {
        "each nine has the same room; the right end is the slowest request of all replications"
    };
    let chart = Chart {
        id: format!("{}percentiles-{name}", section.prefix),
        title,
        note,
        x: Axis { from: 1.0, to: most, log: true, ticks },
        y: Axis::log(
            points().map(|p| p.1).fold(f64::INFINITY, f64::min),
            points().map(|p| p.1).fold(0.0, f64::max),
            Unit::Millis,
        ),
        left: LEFT,
        height: if failed { 150.0 } else { 230.0 },
        marks: &[],
        names: false,
        zooms: false,
        layers: lines
            .iter()
            .map(|(i, _, line)| Layer::Line(*i, line.iter().map(|(x, y)| (*x, Some(*y))).collect()))
            .collect(),
        table,
    };
    chart.render()
}

fn heat_map(section: &Section<'_>, number: usize, plane: &Plane, heat: &Heat) -> String {
    let x = timeline::axis(section.result);
    let rows = heat.edges_ms.len().saturating_sub(1);
    let most = heat.columns.iter().flatten().copied().max().unwrap_or(0) as f64;
    if rows == 0 || most <= 0.0 || heat.edges_ms[0] <= 0.0 {
        return String::new();
    }
    let mut tiles = Vec::new();
    let mut table = Table::new(
        ["t".to_owned()]
            .into_iter()
            .chain(heat.edges_ms.windows(2).map(|edge| format!("{}–{} ms", short(edge[0]), short(edge[1])))),
    );
    for (i, column) in heat.columns.iter().enumerate() {
        let from = i as f64 * heat.column_s;
        if from >= x.to {
            break;
        }
        for (row, &count) in column.iter().enumerate().filter(|(_, count)| **count > 0) {
            // By the logarithm: one slow request in a thousand must be seen.
            let share = 0.12 + 0.88 * libm::log1p(count as f64) / libm::log1p(most);
            tiles.push(([from, (from + heat.column_s).min(x.to), heat.edges_ms[row], heat.edges_ms[row + 1]], share));
        }
        let counts = column.iter().map(|n| if *n == 0 { String::new() } else { n.to_string() });
        table.rows.push([short(from)].into_iter().chain(counts).collect());
    }
    let y = Axis::log(heat.edges_ms[0] * 1.12, heat.edges_ms[rows] / 1.12, Unit::Millis);
    let mut marks: Vec<Mark> = Vec::new();
    for mark in &section.marks {
        // Bands would change the shades: their ends are enough here.
        marks.push(Mark { to_s: None, ..mark.clone() });
        if let Some(to) = mark.to_s {
            marks.push(Mark { from_s: to, to_s: None, label: format!("end of {}", mark.label) });
        }
    }
    let title = format!("Latency over time, {}", plane.name);
    let chart = Chart {
        id: format!("{}heat-{number}", section.prefix),
        title: &title,
        note: "successes; the darker, the more of them (by the logarithm)",
        x,
        y,
        left: LEFT,
        height: 130.0,
        marks: &marks,
        names: false,
        zooms: true,
        layers: vec![Layer::Tiles(number, tiles)],
        table,
    };
    let mut out = String::new();
    let _ = write!(out, "<div class=heat data-plane-name=\"{}\">{}</div>", escape(&plane.name), chart.render());
    out
}
