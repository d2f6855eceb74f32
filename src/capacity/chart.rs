//! Curves of an SLO's figures against rate or tasks: the limit a line, each bracket shaded.
//!
//! *Knows* how figures become a picture. *Does not know* fonts. The same study gives the same bytes.

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::capacity::answer::Answer;
use crate::capacity::answer::Study;
use crate::capacity::answer::plain;
use crate::capacity::probe::Clause;
use crate::capacity::probe::Probe;
use crate::capacity::search::Kind;
use crate::capacity::text::name;
use crate::report::figure::Unit;
use crate::report::format;
use crate::report::palette::COLOURS;

/// Width of the picture, and height per clause.
const WIDTH: u32 = 860;
const HEIGHT: u32 = 340;

/// How far beyond its limit a figure is drawn: overload would flatten everything else.
const BEYOND: f64 = 2.5;

/// Draws a study: a panel per clause.
///
/// # Errors
/// What the drawing says, in words.
pub fn draw(study: &Study) -> Result<String, String> {
    let mut svg = String::new();
    {
        let panels = study.slo.len().max(1);
        let root = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT * panels as u32)).into_drawing_area();
        root.fill(&WHITE).map_err(wrong)?;
        for (clause, area) in root.split_evenly((panels, 1)).into_iter().enumerate() {
            panel(study, clause, &area)?;
        }
        root.present().map_err(wrong)?;
    }
    Ok(svg)
}

fn wrong(error: impl std::fmt::Display) -> String {
    format!("the chart cannot be drawn: {error}")
}

/// One clause at one position.
#[derive(Clone, Copy)]
struct Point {
    at: f64,
    mean: f64,
    low: f64,
    high: f64,
}

fn points(answer: &Answer, clause: usize) -> Vec<Point> {
    let of = |probe: &Probe| {
        let estimate = probe.clauses.get(clause)?.observed?;
        let mean = Some(estimate.mean).filter(|mean| mean.is_finite())?;
        Some(Point { at: probe.at, mean, low: estimate.low.unwrap_or(mean), high: estimate.high.unwrap_or(mean) })
    };
    answer.probes.iter().filter_map(of).collect()
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn panel(study: &Study, clause: usize, area: &Area<'_>) -> Result<(), String> {
    let Some(what) = study.answers.iter().flat_map(|a| &a.probes).find_map(|p| p.clauses.get(clause)) else {
        return Ok(());
    };
    let (limit, unit) = (what.limit, what.unit);
    let all: Vec<f64> =
        study.answers.iter().flat_map(|answer| points(answer, clause)).map(|point| point.high).collect();
    let most = all.iter().copied().fold(0.0, f64::max);
    let top = if limit > 0.0 { most.min(limit * BEYOND).max(limit * 1.2) } else { most.max(1e-9) * 1.08 };
    // What carries nothing else to a curve than its end is left out on the right.
    let end = study.answers.iter().filter_map(|a| a.bracket.fails.or(a.bracket.passes)).fold(0.0, f64::max);
    let positions = study.answers.iter().flat_map(|answer| &answer.probes).map(|probe| probe.at);
    let right =
        positions.clone().filter(|at| *at <= end * 1.6).fold(0.0, f64::max).max(study.start.min(end * 1.6)) * 1.03;
    let left = if study.kind == Kind::Tasks { 0.5 } else { 0.0 };
    let mut chart = ChartBuilder::on(area)
        .caption(caption(what, most > top), ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(42)
        .y_label_area_size(76)
        .build_cartesian_2d(left..right.max(left + 1.0), 0.0..top)
        .map_err(wrong)?;
    chart
        .configure_mesh()
        .light_line_style(RGBColor(246, 246, 246))
        .bold_line_style(RGBColor(224, 224, 224))
        .x_label_formatter(&|at| plain((at * 100.0).round() / 100.0))
        .y_label_formatter(&|value| format::single(*value, unit))
        .x_desc(axis(study))
        .label_style(("sans-serif", 13))
        .draw()
        .map_err(wrong)?;
    for (number, answer) in study.answers.iter().enumerate() {
        series(&mut chart, answer, clause, COLOURS[number % COLOURS.len()], (right, top))?;
    }
    limit_line(&mut chart, limit, unit, (left, right, top))?;
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .label_font(("sans-serif", 13))
        .draw()
        .map_err(wrong)
}

fn caption(clause: &Clause, cut: bool) -> String {
    let note = if cut { ", what lies above is drawn at the edge" } else { "" };
    format!("{} ({}{note})", clause.metric, clause.that)
}

fn axis(study: &Study) -> String {
    match (&study.service, study.shaped) {
        (Some(service), _) => format!("tasks of {service}"),
        (None, true) => "peak rate, requests per second".to_owned(),
        (None, false) => "rate, requests per second".to_owned(),
    }
}

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

fn series(
    chart: &mut Chart<'_, '_>,
    answer: &Answer,
    clause: usize,
    colour: RGBColor,
    (right, top): (f64, f64),
) -> Result<(), String> {
    if let (Some(passes), Some(fails)) = (answer.bracket.passes, answer.bracket.fails) {
        let shade = Rectangle::new([(passes, 0.0), (fails, top)], colour.mix(0.22).filled());
        chart.draw_series(std::iter::once(shade)).map_err(wrong)?;
    }
    let known: Vec<Point> = points(answer, clause).into_iter().filter(|point| point.at <= right).collect();
    let cut = |value: f64| value.min(top);
    if known.is_empty() {
        return Ok(());
    }
    let mut band: Vec<(f64, f64)> = known.iter().map(|p| (p.at, cut(p.low))).collect();
    band.extend(known.iter().rev().map(|p| (p.at, cut(p.high))));
    chart.draw_series(std::iter::once(Polygon::new(band, colour.mix(0.15)))).map_err(wrong)?;
    let line = known.iter().map(|p| (p.at, cut(p.mean)));
    chart.draw_series(LineSeries::new(line, colour.stroke_width(2))).map_err(wrong)?;
    chart
        .draw_series(known.iter().map(|p| Circle::new((p.at, cut(p.mean)), 3, colour.filled())))
        .map_err(wrong)?
        .label(name(answer))
        .legend(move |(x, y)| Circle::new((x + 8, y), 4, colour.filled()));
    Ok(())
}

fn limit_line(
    chart: &mut Chart<'_, '_>,
    limit: f64,
    unit: Unit,
    (left, right, top): (f64, f64, f64),
) -> Result<(), String> {
    if limit > top {
        return Ok(());
    }
    let red = RGBColor(190, 30, 30);
    chart
        .draw_series(LineSeries::new([(left, limit), (right, limit)], red.stroke_width(2)))
        .map_err(wrong)?
        .label(format!("limit {}", format::single(limit, unit)))
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], red.stroke_width(2)));
    Ok(())
}
