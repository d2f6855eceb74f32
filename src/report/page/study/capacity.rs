//! A search for a capacity: what each plane carries, what binds, and the curves with the limit.
//!
//! *Knows* the words for outcomes and pressures. *Does not know* how a boundary was found.

use std::fmt::Write as _;

use super::Place;
use super::keys;
use super::read::Answer;
use super::read::Binding;
use super::read::Capacity;
use super::read::Clause;
use super::read::Observed;
use super::read::Pressure;
use super::read::Probe;
use super::read::Varied;
use crate::measure::estimate::Estimate;
use crate::report::figure::Unit;
use crate::report::format;
use crate::report::page::chart::Chart;
use crate::report::page::chart::LEFT;
use crate::report::page::chart::Layer;
use crate::report::page::html::Table;
use crate::report::page::html::escape;
use crate::report::page::html::maybe;
use crate::report::page::html::short;
use crate::report::page::scale::Axis;

/// How far beyond its limit a figure is drawn: overload would flatten everything else.
const BEYOND: f64 = 2.5;
/// How far beyond the last boundary positions are drawn.
const FURTHER: f64 = 1.6;
/// Width of a bracket at the least, as a share of its axis, so that it is seen.
const SEEN: f64 = 0.003;
/// Ratio of the last position to the first beyond which the axis is logarithmic.
const WIDE: f64 = 50.0;
/// Mean over busiest below which tasks are told apart.
const UNEVEN: f64 = 0.9;

/// The panel.
pub(super) fn render<'a>(capacity: &'a Capacity, place: &mut Place<'a>) -> String {
    let mut out = lead(capacity);
    if capacity.answers.is_empty() {
        return out;
    }
    let colours: Vec<usize> = capacity.answers.iter().map(|answer| place.colour(&answer.plane)).collect();
    out.push_str(&answers(capacity, place, &colours));
    let notes = capacity.answers.iter().flat_map(|answer| answer.notes.iter().map(move |note| (answer, note)));
    for (answer, note) in notes {
        let _ = write!(out, "<p class=quiet>{}: {}</p>", escape(&name(answer)), escape(note));
    }
    let mut variants: Vec<Option<&str>> = Vec::new();
    for kind in capacity.answers.iter().map(kind) {
        if !variants.contains(&kind) {
            variants.push(kind);
        }
    }
    let mut drawn: Vec<(usize, &str)> = Vec::new();
    for (answer, colour) in capacity.answers.iter().zip(&colours).filter(|(answer, _)| !answer.probes.is_empty()) {
        if !drawn.iter().any(|(_, known)| *known == answer.plane) {
            drawn.push((*colour, &answer.plane));
        }
    }
    out.push_str(&keys(drawn.into_iter()));
    for (number, variant) in variants.iter().enumerate() {
        let mine: Vec<(usize, &Answer)> =
            colours.iter().copied().zip(&capacity.answers).filter(|(_, answer)| kind(answer) == *variant).collect();
        for clause in 0..capacity.slo.len() {
            let id = format!("{}-{}-{}", place.base, clause + 1, number + 1);
            out.push_str(&curve(capacity, &mine, clause, *variant, id));
        }
    }
    out
}

/// The kind of loss: its name without what was lost, which may differ by plane.
fn kind(answer: &Answer) -> Option<&str> {
    answer.variant.as_deref().map(|variant| variant.split(" (").next().unwrap_or(variant))
}

/// A plane with what is missing on it.
fn name(answer: &Answer) -> String {
    match &answer.variant {
        Some(variant) => format!("{}, {variant}", answer.plane),
        None => answer.plane.clone(),
    }
}

/// A number that can be typed back.
fn plain(at: f64) -> String {
    let text = format!("{at:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A position as people read it.
fn shown(varied: Varied, at: f64) -> String {
    match varied {
        Varied::RequestsPerSecond => format!("{}/s", plain(at)),
        Varied::Tasks if at.total_cmp(&1.0).is_eq() => "1 task".to_owned(),
        Varied::Tasks => format!("{at:.0} tasks"),
    }
}

/// What was asked and how.
fn lead(capacity: &Capacity) -> String {
    let asked = match (&capacity.service, capacity.varied) {
        (Some(service), Varied::Tasks) => format!("The fewest tasks of {service}"),
        (None, Varied::Tasks) => "The fewest tasks".to_owned(),
        _ => "The largest rate".to_owned(),
    };
    let slo: Vec<String> = capacity.slo.iter().map(|clause| format!("<code>{}</code>", escape(clause))).collect();
    format!(
        "<p>{} with {}; the file has {}.</p><p class=quiet>{} s per run, {} to {} replications a probe with the same arrivals, {} % intervals, seed {}.</p>",
        escape(&asked),
        slo.join(" and "),
        escape(&shown(capacity.varied, capacity.start)),
        short(capacity.duration_s),
        capacity.replications.first,
        capacity.replications.most,
        short(capacity.confidence * 100.0),
        capacity.seed
    )
}

/// A line per plane and loss.
fn answers(capacity: &Capacity, place: &Place<'_>, colours: &[usize]) -> String {
    let rate = capacity.varied == Varied::RequestsPerSecond;
    let (carries, beyond) = if rate { ("carries", "breaks beyond") } else { ("needs", "breaks with less") };
    let losses = capacity.answers.iter().any(|answer| answer.variant.is_some());
    let mut out = format!(
        "<figure class=falls id=\"{}-answers\"><div class=scroll tabindex=0 role=group aria-label=\"capacity by plane\"><table class=\"grid-table twin-of\"><thead><tr><th scope=col>plane{}<th scope=col>{carries}<th scope=col>{beyond}<th scope=col>what binds<tbody>",
        place.base,
        if losses { "<th scope=col>missing" } else { "" }
    );
    for (answer, colour) in capacity.answers.iter().zip(colours) {
        let _ = write!(out, "<tr><th scope=row><span class=\"key k{}\"></span>{}", colour % 8, escape(&answer.plane));
        if losses {
            let _ = write!(out, "<td>{}", escape(answer.variant.as_deref().unwrap_or("nothing")));
        }
        let [carries, breaks, binds] = words(capacity, answer);
        let _ =
            write!(out, "<td class=carries><b>{}</b><td>{}<td>{}", escape(&carries), escape(&breaks), escape(&binds));
    }
    let _ = write!(
        out,
        "</table></div><button type=button class=\"csv js\" data-name=\"{}-answers\">CSV</button></figure>",
        place.base
    );
    out
}

/// What a plane carries, what breaks beyond, what binds.
fn words(capacity: &Capacity, answer: &Answer) -> [String; 3] {
    let varied = capacity.varied;
    let binds = || match &answer.binding {
        Some(binding) => bound(answer, varied, binding),
        None if answer.outcome == "found" => "nothing is busy: see the broken clause".to_owned(),
        None => String::new(),
    };
    match (answer.outcome.as_str(), answer.passes, answer.fails) {
        ("not-applicable", ..) => {
            let why = answer.reason.as_deref().unwrap_or("no reason given");
            ["–".to_owned(), format!("not applicable: {why}"), String::new()]
        }
        ("found", Some(passes), Some(fails)) => {
            let carries = match varied {
                Varied::RequestsPerSecond => {
                    format!("{} [{}, {})", shown(varied, passes), plain(passes), plain(fails))
                }
                Varied::Tasks if fails + 1.0 < passes => format!("{:.0} to {passes:.0} tasks", fails + 1.0),
                Varied::Tasks => shown(varied, passes),
            };
            [carries, breaks(answer, varied), binds()]
        }
        ("never-broken", Some(passes), _) => match varied {
            Varied::RequestsPerSecond => [
                format!("{} or more", shown(varied, passes)),
                format!("nothing up to {}, the most that was tried", shown(varied, passes)),
                String::new(),
            ],
            Varied::Tasks => [shown(varied, passes), "nothing: fewer is not possible".to_owned(), String::new()],
        },
        ("never-met", ..) => {
            let none = if varied == Varied::Tasks { "no number of tasks" } else { "no rate" };
            [none.to_owned(), breaks(answer, varied), binds()]
        }
        ("undecided", ..) => [
            "cannot be told".to_owned(),
            "nothing surely passes: more replications, or a longer run".to_owned(),
            String::new(),
        ],
        (other, ..) => [other.to_owned(), String::new(), String::new()],
    }
}

/// The broken clauses at the easiest position that fails.
fn breaks(answer: &Answer, varied: Varied) -> String {
    let Some(fails) = answer.fails else { return String::new() };
    let at = |probe: &&Probe| probe.at.total_cmp(&fails).is_eq();
    let broken = answer.probes.iter().find(at).map_or(&[][..], |probe| &probe.clauses);
    let clauses: Vec<String> = broken.iter().filter(|clause| clause.verdict == "fails").map(observed).collect();
    format!("{} at {}", clauses.join(", "), shown(varied, fails))
}

/// `p99 312 ms [306, 318]`.
fn observed(clause: &Clause) -> String {
    match clause.observed.and_then(|o| Some((o, o.mean?))) {
        Some((Observed { low, high, .. }, mean)) => {
            let estimate = Estimate { mean, low, high, worst: mean, replications: 0 };
            format!("{} {}", clause.metric, format::bracketed(&estimate, unit(&clause.metric)))
        }
        None => format!("{} of nothing: no request succeeded", clause.metric),
    }
}

/// What binds, with its figures.
fn bound(answer: &Answer, varied: Varied, binding: &Binding) -> String {
    let pressure = &binding.at_fails;
    let percent = |share: f64| format::number(share * 100.0, usize::from(share < 0.1));
    let (share, at) = (percent(pressure.share), &pressure.at);
    let mut text = match pressure.kind.as_str() {
        "tasks" => tasks(pressure, &share),
        "sidecar-cpu" => format!("sidecar CPU of {at} {share} % busy"),
        "queue" => format!("{at} queue turns {share} % away"),
        "breaker" => format!("breaker of {at} refuses {share} %"),
        "time-out" => format!("{share} % of {at} time out"),
        "endpoints" => format!("{share} % of {at} find no endpoint"),
        other => format!("{other} of {at}: {share} %"),
    };
    if let Some(passes) = answer.passes {
        let before = binding.share_at_passes.map_or_else(|| "0".to_owned(), percent);
        let _ = write!(text, " ({before} % at {})", shown(varied, passes));
    }
    if let Some(limit) = &pressure.limit {
        let _ = write!(text, ", {limit}");
    }
    text
}

/// How busy tasks are: all, or one of them while the others have room.
fn tasks(pressure: &Pressure, share: &str) -> String {
    match pressure.mean.filter(|mean| *mean < pressure.share * UNEVEN) {
        Some(mean) => format!("busiest {} task {share} % busy (all: {:.0} %)", pressure.at, mean * 100.0),
        None => format!("{} tasks {share} % busy", pressure.at),
    }
}

/// The unit of a metric by its name; the file does not say it.
fn unit(metric: &str) -> Unit {
    match metric {
        "error_rate" | "success_rate" | "cpu_max" | "sidecar_cpu_max" | "utilization" | "wait_share" => Unit::Share,
        "mean" | "max" | "wait_mean" => Unit::Millis,
        "goodput" => Unit::PerSecond,
        "stale_window" | "panic_time" | "deploy_time" => Unit::Seconds,
        name if name.starts_with("time_to_") => Unit::Seconds,
        name if name.strip_prefix('p').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) => {
            Unit::Millis
        }
        _ => Unit::Plain,
    }
}

/// One clause by position, a line per plane.
fn curve(capacity: &Capacity, mine: &[(usize, &Answer)], clause: usize, variant: Option<&str>, id: String) -> String {
    let at = |probe: &Probe| -> Option<(f64, f64, f64)> {
        let seen = probe.clauses[clause].observed?;
        let mean = seen.mean?;
        Some((mean, seen.low.unwrap_or(mean), seen.high.unwrap_or(mean)))
    };
    let mut probes = mine.iter().flat_map(|(_, answer)| &answer.probes);
    let Some(what) = probes.next().map(|probe| &probe.clauses[clause]) else { return String::new() };
    let (unit, limit) = (unit(&what.metric), what.limit);
    let right = reach(capacity, mine);
    let further = mine.iter().flat_map(|(_, answer)| &answer.probes).filter(|probe| probe.at > right).count();
    let highs = mine.iter().flat_map(|(_, answer)| &answer.probes).filter(|p| p.at <= right).filter_map(at);
    let most = highs.map(|(_, _, high)| high).fold(0.0, f64::max);
    let top = limit.filter(|limit| *limit > 0.0).map_or(most, |limit| most.min(limit * BEYOND).max(limit * 1.2));
    let counts = if capacity.varied == Varied::Tasks { Unit::Count } else { Unit::PerSecond };
    let (x, y) = (across(mine, right, counts), Axis::upwards(top, unit, 4.0));
    let mut layers = brackets(mine, &x, &y);
    let bracketed = !layers.is_empty();
    for (colour, answer) in mine {
        let shown: Vec<(f64, (f64, f64, f64))> =
            answer.probes.iter().filter(|p| p.at <= right).filter_map(|p| Some((p.at, at(p)?))).collect();
        if shown.len() > 1 {
            layers.push(Layer::Ribbon(*colour, shown.iter().map(|(x, (_, low, high))| (*x, *low, *high)).collect()));
        }
        layers.push(Layer::Line(*colour, shown.iter().map(|(x, (mean, ..))| (*x, Some(*mean))).collect()));
        layers.push(Layer::Dots(*colour, shown.iter().map(|(x, (mean, ..))| (*x, *mean)).collect()));
    }
    if let Some(limit) = limit {
        layers.push(Layer::Limit(limit, format!("SLO {}", what.that)));
    }
    let title = match variant {
        Some(variant) => format!("{}, {variant} missing", what.metric),
        None => what.metric.clone(),
    };
    let note = format!(
        "by {}{}{}",
        match (&capacity.service, capacity.varied) {
            (Some(service), Varied::Tasks) => format!("tasks of {service}"),
            (None, Varied::Tasks) => "tasks".to_owned(),
            _ => "requests per second".to_owned(),
        },
        if bracketed { "; shaded, a strip per plane: from the last that passes to the first that fails" } else { "" },
        match (most > top, further > 0) {
            (true, true) => "; what lies above is drawn at the edge, what lies further right is in the table",
            (true, false) => "; what lies above is drawn at the edge",
            (false, true) => "; what lies further right is in the table",
            (false, false) => "",
        }
    );
    let chart = Chart {
        id,
        title: &title,
        note: &note,
        x,
        y,
        height: 190.0,
        left: LEFT,
        marks: &[],
        names: false,
        zooms: false,
        layers,
        table: twin(capacity, mine, clause, unit),
    };
    chart.render()
}

/// Each plane's bracket, from the last position that passes to the first that fails: a strip of its own, so that
/// none hides another.
fn brackets(mine: &[(usize, &Answer)], x: &Axis, y: &Axis) -> Vec<Layer> {
    let ends = |answer: &Answer| Some((answer.passes?, answer.fails?));
    let found: Vec<(usize, (f64, f64))> = mine.iter().filter_map(|(colour, a)| Some((*colour, ends(a)?))).collect();
    let high = (y.to - y.from) / found.len().max(1) as f64;
    let strip = |(row, (colour, (passes, fails))): (usize, &(usize, (f64, f64)))| {
        let (from, to) = (passes.min(*fails), passes.max(*fails));
        let least = if x.log { from * SEEN * 5.0 } else { (x.to - x.from) * SEEN };
        let top = y.to - row as f64 * high;
        Layer::Tiles(*colour, vec![([from, to.max(from + least), top - high, top], 0.34)])
    };
    found.iter().enumerate().map(strip).collect()
}

/// The last position that is drawn: a little beyond the last boundary, where one was found.
fn reach(capacity: &Capacity, mine: &[(usize, &Answer)]) -> f64 {
    let ends = |found: bool| {
        let answers = mine.iter().filter(move |(_, a)| !found || a.passes.is_some() && a.fails.is_some());
        answers.flat_map(|(_, a)| [a.passes, a.fails]).flatten().fold(0.0, f64::max)
    };
    let found = ends(true);
    let end = if found > 0.0 { found } else { ends(false) };
    let end = if end > 0.0 { end * FURTHER } else { f64::INFINITY };
    let positions = mine.iter().flat_map(|(_, answer)| &answer.probes).map(|probe| probe.at);
    positions.filter(|at| *at <= end).fold(0.0, f64::max).max(capacity.start.min(end))
}

/// Positions from the first to the last that is drawn; over more than a decade and a half by their logarithm.
fn across(mine: &[(usize, &Answer)], right: f64, unit: Unit) -> Axis {
    let positions = mine.iter().flat_map(|(_, answer)| &answer.probes).map(|probe| probe.at);
    let least = positions.filter(|at| *at > 0.0).fold(f64::INFINITY, f64::min);
    if least.is_finite() && right > least * WIDE {
        Axis::log(least, right, unit)
    } else {
        Axis::upwards(right, unit, 8.0)
    }
}

/// Every position: mean, interval and verdict by plane.
fn twin(capacity: &Capacity, mine: &[(usize, &Answer)], clause: usize, unit: Unit) -> Table {
    let mut head = vec![if capacity.varied == Varied::Tasks { "tasks" } else { "rate, 1/s" }.to_owned()];
    for (_, answer) in mine {
        let mark = if unit == Unit::Share { ", %" } else { "" };
        head.push(format!("{}{mark}", answer.plane));
        head.extend(["low", "high", "verdict", "replications"].map(|what| format!("{} {what}", answer.plane)));
    }
    let mut positions: Vec<f64> = mine.iter().flat_map(|(_, answer)| &answer.probes).map(|probe| probe.at).collect();
    positions.sort_by(f64::total_cmp);
    positions.dedup();
    let factor = if unit == Unit::Share { 100.0 } else { 1.0 };
    let mut table = Table::new(head);
    for position in positions {
        let mut row = vec![plain(position)];
        for (_, answer) in mine {
            let probe = answer.probes.iter().find(|probe| probe.at.total_cmp(&position).is_eq());
            let seen = probe.and_then(|probe| probe.clauses[clause].observed);
            let number = |value: Option<f64>| maybe(value.map(|value| value * factor));
            row.extend(seen.map_or_else(Default::default, |o| [number(o.mean), number(o.low), number(o.high)]));
            let verdict = probe.map_or("", |probe| &probe.clauses[clause].verdict);
            row.extend([verdict.to_owned(), probe.map_or_else(String::new, |probe| probe.replications.to_string())]);
        }
        table.rows.push(row);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure;
    use crate::scenario::Metric;

    #[test]
    fn units_are_those_of_the_figures() {
        for metric in [
            Metric::ErrorRate,
            Metric::SuccessRate,
            Metric::Goodput,
            Metric::Mean,
            Metric::Max,
            Metric::Percentile(0.5),
            Metric::Percentile(0.999),
            Metric::TimeToEject,
            Metric::TimeToRecover,
            Metric::StaleWindow,
            Metric::CpuMax,
            Metric::Utilization,
        ] {
            let name = figure::name(metric);
            assert_eq!(unit(&name), figure::unit(metric), "{name}");
        }
    }
}
