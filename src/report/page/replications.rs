//! Each replication as a dot: how far the runs lie apart, and which one to look into.
//!
//! *Knows* the figures that are kept by replication. *Does not know* intervals; those are in the table above.

use std::fmt::Write as _;

use super::Section;
use super::chart::Chart;
use super::chart::Layer;
use super::html::Table;
use super::html::escape;
use super::html::maybe;
use super::read::Outcome;
use super::read::Plane;
use super::scale::Axis;
use crate::report::figure::Unit;
use crate::report::format;

/// Figures with a strip: key, heading, unit, whether more is worse.
const STRIPS: [(&str, &str, Unit, bool); 6] = [
    ("error_rate", "Error rate", Unit::Share, true),
    ("p50_ms", "p50", Unit::Millis, true),
    ("p99_ms", "p99", Unit::Millis, true),
    ("goodput_rps", "Goodput", Unit::PerSecond, false),
    ("retries_per_request", "Retries per request", Unit::Plain, true),
    ("ejections", "Ejections", Unit::Count, true),
];

/// Room for names of planes.
const NAMES: f64 = 150.0;
/// Height of a plane's row.
const ROW: f64 = 26.0;

/// The panel.
pub(super) fn render(section: &Section<'_>) -> String {
    let planes: Vec<(usize, &Plane)> =
        section.result.shown().filter(|(_, plane)| plane.replications_detail.is_some()).collect();
    let count = planes.iter().filter_map(|(_, p)| Some(p.replications_detail.as_ref()?.get("index")?.len())).max();
    if count.unwrap_or(0) < 2 {
        return String::new();
    }
    let mut out = String::from(
        "<p class=quiet>One dot per replication; rows are planes. Arrivals are the same on every plane of a replication.</p>",
    );
    for strip in &STRIPS {
        out.push_str(&draw(section, &planes, strip));
    }
    out.push_str(&worst(section, &planes));
    out
}

fn values<'a>(plane: &'a Plane, key: &str) -> &'a [Option<f64>] {
    plane.replications_detail.as_ref().and_then(|detail| detail.get(key)).map_or(&[], |values| &values[..])
}

fn draw(section: &Section<'_>, planes: &[(usize, &Plane)], strip: &(&str, &str, Unit, bool)) -> String {
    let (key, title, unit, _) = *strip;
    let known = || planes.iter().flat_map(|(_, plane)| values(plane, key)).flatten().copied();
    let (least, most) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    // A strip on which nothing moves says nothing.
    if !least.is_finite() || most <= least {
        return String::new();
    }
    let from_zero = least <= 0.35 * most && least >= 0.0;
    let mut x = Axis::between(if from_zero { 0.0 } else { least }, most, unit);
    x.log = false;
    let rows = planes.len() as f64;
    let mut layers = Vec::new();
    let mut ticks = Vec::new();
    let mut table =
        Table::new(["replication".to_owned()].into_iter().chain(planes.iter().map(|(_, p)| p.name.clone())));
    for (row, (i, plane)) in planes.iter().enumerate() {
        let y = rows - row as f64 - 0.5;
        let name: String = plane.name.chars().take(20).collect();
        ticks.push((y, if plane.name.chars().count() > 20 { format!("{name}…") } else { name }));
        // Dots of one row stand a little above and below each other, always in the same way.
        let dots = values(plane, key).iter().enumerate();
        let dots = dots.filter_map(|(n, v)| Some(((*v)?, y + (f64::from((n * 7 % 11) as u32) / 10.0 - 0.5) * 0.5)));
        layers.push(Layer::Dots(*i, dots.collect()));
    }
    ticks.reverse();
    let count = planes.iter().map(|(_, plane)| values(plane, key).len()).max().unwrap_or(0);
    for n in 0..count {
        let index = planes.iter().find_map(|(_, plane)| *values(plane, "index").get(n)?);
        let mut row = vec![maybe(index)];
        row.extend(planes.iter().map(|(_, plane)| maybe(values(plane, key).get(n).copied().flatten())));
        table.rows.push(row);
    }
    let chart = Chart {
        id: format!("{}strip-{key}", section.prefix),
        title,
        note: "",
        x,
        y: Axis { from: 0.0, to: rows, log: false, ticks },
        left: NAMES,
        height: rows * ROW,
        marks: &[],
        names: false,
        zooms: false,
        layers,
        table,
    };
    // The rows of the twin are replications, not places on the axis.
    chart.render().replacen(" data-top=", " data-plain data-top=", 1)
}

/// File, overrides and seed of the run, as its command has them; earlier results keep no overrides.
fn base(result: &Outcome) -> String {
    let again = result.summary.as_ref().map_or("", |summary| summary.again.as_str());
    let words = again.strip_prefix("scsim run ").unwrap_or_default();
    // The last one is ours: what follows it are planes and replications.
    let named = words.rfind(" --seed ").map(|at| words[..at].to_owned());
    let named = named.unwrap_or_else(|| format::shell_word(&result.scenario.file));
    format!("{named} --seed {}", result.seed)
}

/// The worst replication of each plane, with the command that runs it alone.
fn worst(section: &Section<'_>, planes: &[(usize, &Plane)]) -> String {
    let result = section.result;
    let mut rows = String::new();
    for (i, plane) in planes {
        let index = values(plane, "index");
        let worst_of = |key: &str| {
            let all = values(plane, key).iter().zip(index).filter_map(|(value, index)| Some(((*value)?, (*index)?)));
            all.max_by(|a, b| a.0.total_cmp(&b.0))
        };
        let spread = values(plane, "error_rate").iter().flatten().any(|rate| *rate > 0.0);
        let (key, unit) = if spread { ("error_rate", Unit::Share) } else { ("p99_ms", Unit::Millis) };
        let Some((value, index)) = worst_of(key) else { continue };
        let only = format!("{} --plane {} --replication {index}", base(result), format::shell_word(&plane.name));
        let id = format!("{}worst-{i}", section.prefix);
        let command = format!("scsim run {only}");
        let trace = format!("scsim trace {only} -o trace.json");
        let _ = write!(
            rows,
            "<tr><th scope=row><span class=\"key k{}\"></span>{}<td class=n>{index}<td class=n>{} {}<td><code id=\"{id}\">{}</code> <button type=button class=\"copy js\" data-of=\"{id}\">Copy</button><br><code id=\"{id}-trace\">{}</code> <button type=button class=\"copy js\" data-of=\"{id}-trace\">Copy</button>",
            i % 8,
            escape(&plane.name),
            if spread { "error rate" } else { "p99" },
            format::single(value, unit),
            escape(&command),
            escape(&trace)
        );
    }
    if rows.is_empty() {
        return rows;
    }
    format!(
        "<h3>The worst replication of each plane</h3><div class=scroll tabindex=0 role=group aria-label=\"worst replications\"><table class=grid-table><thead><tr><th scope=col>plane<th scope=col class=n>replication<th scope=col class=n>figure<th scope=col>run it alone, or see it as a trace<tbody>{rows}</table></div>"
    )
}
