//! Curves of one field and heat maps of two, as SVG.
//!
//! *Knows* how figures become pictures. *Does not know* fonts: letters are drawn by whoever shows
//! the file. The same cells give the same bytes.

use plotters::prelude::*;

use super::Cell;
use super::Cells;
use super::PartError;
use super::part::HeaderAxis;
use super::table;
use crate::report::figure::Unit;
use crate::report::format;
use crate::report::palette::COLOURS;

/// Width and height of a chart.
const SIZE: (u32, u32) = (820, 480);

/// Stops of the heat map's scale, from little to much (viridis).
const STOPS: [(f64, f64, f64); 5] =
    [(253.0, 231.0, 37.0), (94.0, 201.0, 98.0), (33.0, 145.0, 140.0), (59.0, 82.0, 139.0), (68.0, 1.0, 84.0)];

/// Tiles that still have room for their number.
const NUMBERED_MAX: usize = 150;

/// A picture and the name of its file.
pub struct Chart {
    /// Without a folder.
    pub name: String,
    /// SVG.
    pub svg: String,
}

/// Why nothing was drawn.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// The cells cannot be read.
    #[error(transparent)]
    Part(#[from] PartError),
    /// More than two fields at once have no picture.
    #[error("charts show one field or two, this grid varies {0}; vary fewer, or use --one-at-a-time")]
    TooManyFields(usize),
    /// The drawing failed.
    #[error("a chart cannot be drawn: {0}")]
    Drawing(String),
}

/// One value in a chart.
#[derive(Clone, Copy)]
struct Point {
    mean: f64,
    low: f64,
    high: f64,
}

/// What one metric shows on every plane, cell by cell.
struct Values {
    metric: String,
    unit: Unit,
    planes: Vec<(String, Vec<Option<Point>>)>,
}

/// Draws `metrics` of the users.
///
/// # Errors
/// What cannot be read or drawn.
pub fn draw(cells: &Cells, metrics: &[String]) -> Result<Vec<Chart>, ChartError> {
    let header = &cells.header;
    let single = header.mode != "grid";
    if !single && header.axes.len() > 2 {
        return Err(ChartError::TooManyFields(header.axes.len()));
    }
    let mut all: Vec<Values> =
        metrics.iter().map(|metric| Values { metric: metric.clone(), unit: Unit::Plain, planes: Vec::new() }).collect();
    cells.for_each(|cell, _| {
        for values in &mut all {
            values.add(&cell);
        }
        Ok(())
    })?;
    let mut charts = Vec::new();
    for values in all.iter().filter(|values| values.planes.iter().any(|(_, points)| points.iter().any(Option::is_some)))
    {
        if single {
            // Cell 0 is the file as it is; each field's cells follow those of the one before.
            let mut from = 1;
            for (number, axis) in header.axes.iter().enumerate() {
                let part = values.cut(from, axis.values.len());
                from += axis.values.len();
                charts
                    .push(Chart { name: file(&[&values.metric, &(number + 1).to_string()]), svg: curve(&part, axis)? });
            }
        } else if let [axis] = &header.axes[..] {
            charts.push(Chart { name: file(&[&values.metric]), svg: curve(values, axis)? });
        } else {
            for (plane, points) in &values.planes {
                if points.iter().any(Option::is_some) {
                    let svg = heat_map(values, plane, points, &header.axes)?;
                    charts.push(Chart { name: file(&[&values.metric, plane]), svg });
                }
            }
        }
    }
    Ok(charts)
}

impl Values {
    fn add(&mut self, cell: &Cell) {
        for plane in &cell.planes {
            let figure = cell.figure(&plane.name, &self.metric);
            if let Some(figure) = figure {
                self.unit = table::unit(&figure.unit);
            }
            let point = figure.and_then(|figure| {
                let mean = figure.mean?;
                Some(Point { mean, low: figure.low.unwrap_or(mean), high: figure.high.unwrap_or(mean) })
            });
            match self.planes.iter_mut().find(|(name, _)| *name == plane.name) {
                Some((_, points)) => points.push(point),
                None => self.planes.push((plane.name.clone(), vec![point])),
            }
        }
    }

    fn cut(&self, from: usize, length: usize) -> Values {
        let planes = self.planes.iter();
        let planes =
            planes.map(|(name, points)| (name.clone(), points.iter().skip(from).take(length).copied().collect()));
        Values { metric: self.metric.clone(), unit: self.unit, planes: planes.collect() }
    }

    fn most(&self) -> f64 {
        let points = self.planes.iter().flat_map(|(_, points)| points.iter().flatten());
        let most = points.map(|point| point.high.max(point.mean)).fold(0.0, f64::max);
        if most > 0.0 { most * 1.08 } else { 1.0 }
    }
}

/// A name that every file system takes.
fn file(parts: &[&str]) -> String {
    let clean = |part: &&str| {
        part.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' }).collect()
    };
    let parts: Vec<String> = parts.iter().map(clean).collect();
    format!("{}.svg", parts.join("-"))
}

fn wrong(error: impl std::fmt::Display) -> ChartError {
    ChartError::Drawing(error.to_string())
}

/// The label of a position on an axis of values: only whole positions have one.
fn label(axis: &HeaderAxis, at: f64) -> String {
    let whole = at.round();
    let index = (at - whole).abs() < 1e-9 && whole >= 0.0;
    if index { axis.values.get(whole as usize).cloned().unwrap_or_default() } else { String::new() }
}

/// One field: a line per plane, its interval shaded.
fn curve(values: &Values, axis: &HeaderAxis) -> Result<String, ChartError> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(wrong)?;
        let last = axis.values.len().saturating_sub(1) as f64;
        let mut chart = ChartBuilder::on(&root)
            .caption(&values.metric, ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(46)
            .y_label_area_size(76)
            .build_cartesian_2d(-0.3..last + 0.3, 0.0..values.most())
            .map_err(wrong)?;
        let unit = values.unit;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(RGBColor(245, 245, 245))
            .bold_line_style(RGBColor(220, 220, 220))
            .x_labels(axis.values.len().clamp(2, 24))
            .x_label_formatter(&|at| label(axis, *at))
            .y_label_formatter(&|value| format::single(*value, unit))
            .x_desc(axis.key.as_str())
            .label_style(("sans-serif", 13))
            .draw()
            .map_err(wrong)?;
        for (number, (plane, points)) in values.planes.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            // What does not exist in a cell leaves a gap.
            let known: Vec<(usize, Point)> = points.iter().enumerate().filter_map(|(i, p)| Some((i, (*p)?))).collect();
            for run in known.chunk_by(|a, b| a.0 + 1 == b.0) {
                let mut band: Vec<(f64, f64)> = run.iter().map(|(i, p)| (*i as f64, p.low)).collect();
                band.extend(run.iter().rev().map(|(i, p)| (*i as f64, p.high)));
                chart.draw_series(std::iter::once(Polygon::new(band, colour.mix(0.15)))).map_err(wrong)?;
                let line = run.iter().map(|(i, p)| (*i as f64, p.mean));
                chart.draw_series(LineSeries::new(line, colour.stroke_width(2))).map_err(wrong)?;
            }
            let dots = known.iter().map(|(i, p)| Circle::new((*i as f64, p.mean), 4, colour.filled()));
            chart
                .draw_series(dots)
                .map_err(wrong)?
                .label(plane.as_str())
                .legend(move |(x, y)| Circle::new((x + 8, y), 4, colour.filled()));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.85))
            .border_style(RGBColor(200, 200, 200))
            .label_font(("sans-serif", 13))
            .draw()
            .map_err(wrong)?;
        root.present().map_err(wrong)?;
    }
    Ok(svg)
}

/// Two fields: a tile per cell; the first field goes up, the second to the right.
fn heat_map(values: &Values, plane: &str, points: &[Option<Point>], axes: &[HeaderAxis]) -> Result<String, ChartError> {
    let (rows, columns) = (&axes[0], &axes[1]);
    let known = || points.iter().flatten().map(|point| point.mean);
    let (least, most) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(wrong)?;
        let scale = format!("{} to {}", format::single(least, values.unit), format::single(most, values.unit));
        let mut chart = ChartBuilder::on(&root)
            .caption(format!("{} on {plane}, {scale}", values.metric), ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(46)
            .y_label_area_size(110)
            .build_cartesian_2d(-0.5..columns.values.len() as f64 - 0.5, -0.5..rows.values.len() as f64 - 0.5)
            .map_err(wrong)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .x_labels(columns.values.len().clamp(2, 24))
            .y_labels(rows.values.len().clamp(2, 24))
            .x_label_formatter(&|at| label(columns, *at))
            .y_label_formatter(&|at| label(rows, *at))
            .x_desc(columns.key.as_str())
            .y_desc(rows.key.as_str())
            .label_style(("sans-serif", 13))
            .draw()
            .map_err(wrong)?;
        for (index, point) in points.iter().enumerate() {
            let (y, x) = ((index / columns.values.len()) as f64, (index % columns.values.len()) as f64);
            let share = |value: f64| if most > least { (value - least) / (most - least) } else { 0.0 };
            let colour = point.map_or(RGBColor(225, 225, 225), |point| shade(share(point.mean)));
            let tile = [(x - 0.5, y - 0.5), (x + 0.5, y + 0.5)];
            chart.draw_series(std::iter::once(Rectangle::new(tile, colour.filled()))).map_err(wrong)?;
            if points.len() <= NUMBERED_MAX {
                let dark = point.is_some_and(|point| share(point.mean) > 0.45);
                let ink = if dark { WHITE } else { BLACK };
                let text = point.map_or_else(|| "–".to_owned(), |point| format::single(point.mean, values.unit));
                let centred = plotters::style::text_anchor::Pos::new(
                    plotters::style::text_anchor::HPos::Center,
                    plotters::style::text_anchor::VPos::Center,
                );
                let style = ("sans-serif", 13).into_font().color(&ink).pos(centred);
                chart.draw_series(std::iter::once(Text::new(text, (x, y), style))).map_err(wrong)?;
            }
        }
        root.present().map_err(wrong)?;
    }
    Ok(svg)
}

/// The colour of a share between zero and one.
fn shade(share: f64) -> RGBColor {
    let at = share.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let from = (at as usize).min(STOPS.len() - 2);
    let part = at - from as f64;
    let (a, b) = (STOPS[from], STOPS[from + 1]);
    let mix = |a: f64, b: f64| (a + (b - a) * part).round() as u8;
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(key: &str, values: &[&str]) -> HeaderAxis {
        HeaderAxis { key: key.to_owned(), values: values.iter().map(|v| (*v).to_owned()).collect() }
    }

    fn point(mean: f64) -> Point {
        Point { mean, low: mean * 0.9, high: mean * 1.1 }
    }

    #[test]
    fn a_curve_names_its_values_and_its_planes() {
        let values = Values {
            metric: "error_rate".to_owned(),
            unit: Unit::Share,
            planes: vec![
                ("service-connect".to_owned(), vec![Some(point(0.0)), None, Some(point(0.02))]),
                ("internal-alb".to_owned(), vec![Some(point(0.01)), Some(point(0.1)), Some(point(0.167))]),
            ],
        };
        let svg = curve(&values, &axis("fault.0.rate", &["1%", "10%", "100%"])).unwrap();
        for word in ["<svg", "error_rate", "service-connect", "internal-alb", "fault.0.rate", "1%", "10%", "100%"] {
            assert!(svg.contains(word), "{word} is missing");
        }
        assert_eq!(svg.matches("<circle").count(), 2 + 3 + 2, "a dot per known value and one per legend entry");
        assert_eq!(svg, curve(&values, &axis("fault.0.rate", &["1%", "10%", "100%"])).unwrap());
    }

    #[test]
    fn a_heat_map_has_a_tile_per_cell() {
        let points = [Some(point(1.0)), Some(point(2.0)), None, Some(point(4.0)), Some(point(5.0)), Some(point(6.0))];
        let values = Values { metric: "p99".to_owned(), unit: Unit::Millis, planes: Vec::new() };
        let axes = [axis("a", &["1", "2"]), axis("b", &["x", "y", "z"])];
        let svg = heat_map(&values, "direct", &points, &axes).unwrap();
        let full = format!("#{:02X}{:02X}{:02X}", 68, 1, 84);
        assert_eq!(svg.matches(&full).count(), 1, "the largest value has the last colour: {svg}");
        assert_eq!(svg.matches("#E1E1E1").count(), 1, "what is not known is grey");
        assert_eq!(shade(0.0), RGBColor(253, 231, 37));
    }
}
