//! A sweep: curves along one field, a heat map over two, and a table of every cell.
//!
//! *Knows* which figures are shown: error rate and p99 of the users over the whole run. *Does not know* what a
//! field means: its values stand at equal distances, as they were written.

use std::fmt::Write as _;

use super::Place;
use super::keys;
use super::read::Cell;
use super::read::Field;
use super::read::Figure;
use super::read::PlaneCell;
use super::read::Sweep;
use crate::measure::estimate::Estimate;
use crate::report::figure::Unit;
use crate::report::format;
use crate::report::page::chart::Chart;
use crate::report::page::chart::LEFT;
use crate::report::page::chart::Layer;
use crate::report::page::html;
use crate::report::page::html::Table;
use crate::report::page::html::escape;
use crate::report::page::html::maybe;
use crate::report::page::html::short;
use crate::report::page::scale::Axis;

/// What is shown: metric, heading, unit.
const METRICS: [(&str, &str, Unit); 2] =
    [("error_rate", "Error rate", Unit::Share), ("p99", "p99 of successes", Unit::Millis)];

/// Rows of the table at the most, and figures in it.
const ROWS_MAX: usize = 2_000;
const FIGURES_MAX: usize = 40_000;
/// Rows and columns of a heat map at the most.
const HEAT_MAX: (usize, usize) = (30, 16);
/// Values along a curve at the most.
const VALUES_MAX: usize = 300;
/// Columns beyond which a tile has no room for its interval.
const ROOMY: usize = 8;
/// Fields that get curves at the most, one at a time.
const CURVES_MAX: usize = 12;

/// The panel.
pub(super) fn render<'a>(sweep: &'a Sweep, place: &mut Place<'a>) -> String {
    let planes = planes(sweep, place);
    let mut out = lead(sweep);
    for (name, why) in absent(sweep) {
        let _ = write!(out, "<p class=notice role=note>{}: not applicable: {}</p>", escape(name), escape(why));
    }
    let mut drawn = true;
    match &sweep.axes[..] {
        axes if sweep.is_single() || axes.len() == 1 => {
            let has_room = |(number, axis): &(usize, &Field)| *number < CURVES_MAX && axis.values.len() <= VALUES_MAX;
            let shown: Vec<(usize, &Field)> = axes.iter().enumerate().filter(has_room).collect();
            if !shown.is_empty() {
                out.push_str(&keys(planes.iter().copied()));
            }
            for (number, axis) in &shown {
                out.push_str(&curves(sweep, place, &planes, *number, axis));
            }
            drawn = !shown.is_empty();
            if shown.len() < axes.len() {
                let _ = write!(
                    out,
                    "<p class=notice role=note>{} of {} fields have no curve: there is room for {CURVES_MAX} fields with {VALUES_MAX} values each. The table has them.</p>",
                    axes.len() - shown.len(),
                    axes.len()
                );
            }
        }
        [rows, columns] if rows.values.len() <= HEAT_MAX.0 && columns.values.len() <= HEAT_MAX.1 => {
            out.push_str(&heat_maps(sweep, place, &planes, rows, columns));
        }
        axes => {
            drawn = false;
            let why = if axes.len() > 2 {
                format!("{} fields at once have no picture", axes.len())
            } else {
                format!("a heat map has room for {} by {} cells", HEAT_MAX.0, HEAT_MAX.1)
            };
            let _ = write!(out, "<p class=notice role=note>Only the table is shown: {why}.</p>");
        }
    }
    out.push_str(&table(sweep, place, &planes, !drawn));
    out
}

/// The planes that were simulated, with the numbers of their colours.
fn planes<'a>(sweep: &'a Sweep, place: &mut Place<'a>) -> Vec<(usize, &'a str)> {
    let mut all: Vec<(usize, &str)> = Vec::new();
    for plane in sweep.cells.iter().flat_map(|cell| &cell.planes).filter(|plane| plane.not_applicable.is_none()) {
        if !all.iter().any(|(_, known)| *known == plane.name) {
            all.push((place.colour(&plane.name), &plane.name));
        }
    }
    all
}

/// The planes that no cell has, and why.
fn absent(sweep: &Sweep) -> Vec<(&str, &str)> {
    let first = &sweep.cells[0].planes;
    let lacks = |plane: &PlaneCell| {
        let mut same = sweep.cells.iter().flat_map(|cell| &cell.planes).filter(|other| other.name == plane.name);
        same.all(|other| other.not_applicable.is_some())
    };
    first
        .iter()
        .filter(|plane| lacks(plane))
        .filter_map(|plane| Some((plane.name.as_str(), plane.not_applicable.as_deref()?)))
        .collect()
}

fn lead(sweep: &Sweep) -> String {
    let fields: Vec<String> = sweep
        .axes
        .iter()
        .map(|axis| {
            let shown: Vec<String> = axis.values.iter().take(12).map(|value| escape(value)).collect();
            let more =
                if axis.values.len() > 12 { format!(" and {} more", axis.values.len() - 12) } else { String::new() };
            format!("<code>{}</code> = {}{more}", escape(&axis.key), shown.join(", "))
        })
        .collect();
    let how = if sweep.is_single() { "one at a time, the others as in the file" } else { "every combination" };
    let how = if sweep.axes.len() == 1 { String::new() } else { format!(" ({how})") };
    format!(
        "<p>Varied{how}: {}.</p><p class=quiet>{} cells, {} replications each with the same arrivals, {} % intervals, seed {}. Figures are those of users over the whole run.</p>",
        fields.join("; "),
        sweep.cells.len(),
        sweep.replications,
        short(sweep.confidence * 100.0),
        sweep.seed
    )
}

/// A figure of the users over the whole run.
fn figure<'a>(cell: &'a Cell, plane: &str, metric: &str) -> Option<&'a Figure> {
    let plane = cell.planes.iter().find(|found| found.name == plane)?;
    plane.figures.iter().find(|f| f.metric == metric && f.scope == "users" && f.during == "all")
}

/// Curves of each metric along one field.
fn curves(sweep: &Sweep, place: &Place<'_>, planes: &[(usize, &str)], number: usize, axis: &Field) -> String {
    // The cell of each value, in the order of the values.
    let cells: Vec<Option<&Cell>> = axis
        .values
        .iter()
        .map(|value| sweep.cells.iter().find(|cell| cell.values[number].as_ref() == Some(value)))
        .collect();
    let mut out = String::new();
    for (metric, heading, unit) in METRICS {
        let of =
            |name: &str| -> Vec<Option<&Figure>> { cells.iter().map(|cell| figure((*cell)?, name, metric)).collect() };
        let lines: Vec<(usize, &str, Vec<Option<&Figure>>)> =
            planes.iter().map(|(colour, name)| (*colour, *name, of(name))).collect();
        let known = || lines.iter().flat_map(|(_, _, line)| line.iter().flatten());
        if known().all(|f| f.mean.is_none()) {
            continue;
        }
        let most = known().flat_map(|f| [f.mean, f.high]).flatten().fold(0.0, f64::max);
        let mut head = vec![axis.key.clone()];
        for (_, name, _) in &lines {
            head.extend([(*name).to_owned(), format!("{name} low"), format!("{name} high")]);
        }
        let mut table = Table::new(head);
        for (at, value) in axis.values.iter().enumerate() {
            let mut row = vec![value.clone()];
            for (_, _, line) in &lines {
                row.extend(numbers(line[at], unit));
            }
            table.rows.push(row);
        }
        let mut layers = Vec::new();
        for (colour, _, line) in &lines {
            layers.extend(layers_of(*colour, line));
        }
        let title = format!("{heading} by {}", axis.key);
        let note = format!(
            "{}values at equal distances; shaded: the interval",
            if unit == Unit::Share { "in %; " } else { "in ms; " }
        );
        let chart = Chart {
            id: format!(
                "{}-{metric}{}",
                place.base,
                if number == 0 { String::new() } else { format!("-{}", number + 1) }
            ),
            title: &title,
            note: &note,
            x: steps(&axis.values),
            y: Axis::upwards(most, unit, 4.0),
            height: 170.0,
            left: LEFT,
            marks: &[],
            names: false,
            zooms: false,
            layers,
            table,
        };
        out.push_str(&by_rank(&chart.render()));
    }
    out
}

/// The script takes the rows of such a chart for its positions.
fn by_rank(chart: &str) -> String {
    chart.replacen("<figure class=chart", "<figure class=chart data-rank", 1)
}

/// Band, line and dots of a plane; what does not exist leaves a gap.
fn layers_of(colour: usize, line: &[Option<&Figure>]) -> Vec<Layer> {
    let points: Vec<(f64, Option<&Figure>)> = line.iter().enumerate().map(|(at, f)| (at as f64, *f)).collect();
    let mut layers = Vec::new();
    for run in points.split(|(_, f)| f.is_none_or(|f| f.mean.is_none())).filter(|run| run.len() > 1) {
        let band = run.iter().filter_map(|(x, f)| {
            let f = (*f)?;
            let mean = f.mean?;
            Some((*x, f.low.unwrap_or(mean), f.high.unwrap_or(mean)))
        });
        layers.push(Layer::Ribbon(colour, band.collect()));
    }
    layers.push(Layer::Line(colour, points.iter().map(|(x, f)| (*x, f.and_then(|f| f.mean))).collect()));
    layers.push(Layer::Dots(colour, points.iter().filter_map(|(x, f)| Some((*x, (*f)?.mean?))).collect()));
    layers
}

/// Values at equal distances; where there is no room only some have a label.
fn steps(values: &[String]) -> Axis {
    let label = |value: &String| {
        if value.chars().count() > 18 { value.chars().take(17).chain(['…']).collect() } else { value.clone() }
    };
    let labels: Vec<String> = values.iter().map(label).collect();
    let widest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(1) as f64 * 7.0 + 16.0;
    let every = (values.len() as f64 * widest / 860.0).ceil().max(1.0) as usize;
    let ticks =
        labels.into_iter().enumerate().filter(|(at, _)| at % every == 0).map(|(at, l)| (at as f64, l)).collect();
    let room = (values.len() as f64 * 0.06).max(0.15);
    Axis { from: -room, to: values.len() as f64 - 1.0 + room, log: false, ticks }
}

/// Mean and interval, in % or ms.
fn numbers(figure: Option<&Figure>, unit: Unit) -> [String; 3] {
    let factor = if unit == Unit::Share { 100.0 } else { 1.0 };
    let shown = |value: Option<f64>| maybe(value.map(|value| value * factor));
    figure.map_or_else(Default::default, |f| [shown(f.mean), shown(f.low), shown(f.high)])
}

/// A heat map per metric and plane.
fn heat_maps(sweep: &Sweep, place: &Place<'_>, planes: &[(usize, &str)], rows: &Field, columns: &Field) -> String {
    let mut out = String::new();
    for (metric, heading, unit) in METRICS {
        let means: Vec<f64> = sweep
            .cells
            .iter()
            .flat_map(|cell| planes.iter().filter_map(move |(_, plane)| figure(cell, plane, metric)?.mean))
            .collect();
        if means.is_empty() {
            continue;
        }
        let shade = Shade::of(&means, unit);
        let judged = sweep.cells.iter().any(|cell| !cell.expectations.is_empty());
        let _ = write!(
            out,
            "<h3>{heading}</h3><p class=quiet>{}{}</p><div class=heat-grids>",
            shade.words(unit),
            if judged { " ✗ marks cells in which an expectation of the scenario fails." } else { "" }
        );
        for (number, (colour, plane)) in planes.iter().enumerate() {
            let _ = write!(
                out,
                "<figure class=\"heat-grid k{}\" id=\"{}-{metric}-{number}\"><figcaption><b>{}</b> <span>{heading}</span></figcaption><div class=scroll tabindex=0 role=group aria-label=\"{heading} by cell\"><table><thead><tr><th scope=col>↓ <code>{}</code> <br>→ <code>{}</code>",
                colour % 8,
                place.base,
                escape(plane),
                escape(&rows.key),
                escape(&columns.key)
            );
            for value in &columns.values {
                let _ = write!(out, "<th scope=col>{}", escape(value));
            }
            out.push_str("<tbody>");
            for row in &rows.values {
                let _ = write!(out, "<tr><th scope=row>{}", escape(row));
                for column in &columns.values {
                    let is =
                        |cell: &&Cell| cell.values[0].as_ref() == Some(row) && cell.values[1].as_ref() == Some(column);
                    let cell = sweep.cells.iter().find(is);
                    out.push_str(&tile(cell, plane, metric, unit, &shade, columns.values.len() <= ROOMY));
                }
            }
            let _ = write!(
                out,
                "</table></div><button type=button class=\"csv js\" data-name=\"{}-{metric}-{number}\">CSV</button></figure>",
                place.base
            );
        }
        out.push_str("</div>");
    }
    out
}

/// How strongly values are shaded.
struct Shade {
    least: f64,
    most: f64,
    log: bool,
}

impl Shade {
    /// Latencies over more than a decade are shaded by their logarithm: one outlier would flatten the rest.
    fn of(means: &[f64], unit: Unit) -> Shade {
        let (least, most) = means.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), m| (a.min(*m), b.max(*m)));
        Shade { least, most, log: unit == Unit::Millis && least > 0.0 && most > least * 10.0 }
    }

    /// What shades mean.
    fn words(&self, unit: Unit) -> String {
        let (least, most) = (format::single(self.least, unit), format::single(self.most, unit));
        if least == most {
            return format!("{} in every cell of every plane.", escape(&most));
        }
        let how = if self.log { ", by the logarithm" } else { "" };
        format!(
            "The stronger the shade, the larger: from {} to {}{how}, the same on every plane.",
            escape(&least),
            escape(&most)
        )
    }

    fn share(&self, value: f64) -> f64 {
        let place = |x: f64| if self.log { libm::log(x) } else { x };
        let share = (place(value) - place(self.least)) / (place(self.most) - place(self.least));
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    }
}

fn tile(cell: Option<&Cell>, plane: &str, metric: &str, unit: Unit, shade: &Shade, roomy: bool) -> String {
    let figure = cell.and_then(|cell| figure(cell, plane, metric));
    let Some((figure, mean)) = figure.and_then(|figure| Some((figure, figure.mean?))) else {
        return "<td class=none>–".to_owned();
    };
    let estimate = Estimate { mean, low: figure.low, high: figure.high, worst: mean, replications: 0 };
    let shown = format::estimate(&estimate, unit);
    let mut out =
        format!("<td><i style=\"opacity:{:.2}\"></i><b>{}</b>", 0.04 + 0.4 * shade.share(mean), escape(&shown.value));
    let broken = cell.map_or_else(Vec::new, |cell| broken(cell, plane));
    if !broken.is_empty() {
        let _ = write!(out, " <em title=\"fails: {}\">✗</em>", escape(&broken.join(", ")));
    }
    if roomy && !shown.spread.is_empty() {
        let _ = write!(out, " <span>{}</span>", escape(&shown.spread));
    }
    out
}

/// The expectations that fail in a cell on a plane.
fn broken<'a>(cell: &'a Cell, plane: &str) -> Vec<&'a str> {
    let mine = cell.expectations.iter().filter(|held| held.plane.as_deref().is_none_or(|of| of == plane));
    mine.filter(|held| held.verdict == "fails").map(|held| held.that.as_str()).collect()
}

/// Every cell.
fn table(sweep: &Sweep, place: &Place<'_>, planes: &[(usize, &str)], open: bool) -> String {
    let judged = sweep.cells.iter().any(|cell| !cell.expectations.is_empty());
    let mut head = vec!["cell".to_owned()];
    head.extend(sweep.axes.iter().map(|axis| axis.key.clone()));
    if judged {
        head.push("expectations that fail".to_owned());
    }
    for (_, plane) in planes {
        for (metric, unit) in [("error rate", "%"), ("p99", "ms")] {
            head.extend([format!("{plane} {metric}, {unit}"), "low".to_owned(), "high".to_owned()]);
        }
    }
    let most = (FIGURES_MAX / head.len()).clamp(1, ROWS_MAX);
    let mut table = Table::new(head);
    for cell in sweep.cells.iter().take(most) {
        let mut row = vec![cell.number.to_string()];
        row.extend(cell.values.iter().map(|value| value.clone().unwrap_or_else(|| "as in the file".to_owned())));
        if judged {
            let fails = cell.expectations.iter().filter(|held| held.verdict == "fails").count();
            row.push(format!("{fails} of {}", cell.expectations.len()));
        }
        for (_, plane) in planes {
            for (metric, _, unit) in METRICS {
                row.extend(numbers(figure(cell, plane, metric), unit));
            }
        }
        table.rows.push(row);
    }
    let (id, caption) = (format!("{}-cells", place.base), "every cell; means with the ends of their intervals");
    let mut out = format!("<figure class=cells id=\"{id}\"><figcaption><b>Every cell</b></figcaption>");
    if open {
        let _ = write!(
            out,
            "{}<button type=button class=\"csv js\" data-name=\"{id}\">CSV</button>",
            table.render(caption)
        );
    } else {
        out.push_str(&html::twin(&table, &id, caption));
    }
    if sweep.cells.len() > most {
        let _ = write!(
            out,
            "<p class=notice>{} more cells are in the file of the sweep; <code>scsim sweep --csv</code> writes them all.</p>",
            sweep.cells.len() - most
        );
    }
    out.push_str("</figure>");
    out
}
