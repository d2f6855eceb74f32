//! Charts: what is drawn from numbers, with axes, bands and a table twin.
//!
//! *Knows* plotters, which draws what lies inside the axes, and how a figure is laid out. *Does not know* what
//! the numbers mean. Colours are names: the page's style sheet gives each of [`COLOURS`] its light, dark and
//! printed form and its dashes. The part inside the axes is an SVG of its own, so that the script can widen it
//! without touching a letter.

use std::fmt::Write as _;

use plotters::prelude::*;

use super::html;
use super::html::Table;
use super::html::escape;
use super::read::Mark;
use super::scale::Axis;
use crate::report::palette::COLOURS;

/// Width of a chart in its own units.
pub const WIDTH: f64 = 1000.0;
/// Left of what lies inside the axes, where labels are numbers.
pub const LEFT: f64 = 74.0;
/// Right margin.
pub const RIGHT: f64 = 26.0;
/// Steps per unit inside the axes: plotters counts in whole ones.
const FINE: f64 = 2.0;

/// Something inside the axes, of the plane with that number.
pub enum Layer {
    /// The area between two lines.
    Ribbon(usize, Vec<(f64, f64, f64)>),
    /// A line; it breaks where there is no value.
    Line(usize, Vec<(f64, Option<f64>)>),
    /// Dots.
    Dots(usize, Vec<(f64, f64)>),
    /// A rectangle with a share between 0 and 1 of the darkest shade: x from and to, y from and to.
    Tiles(usize, Vec<([f64; 4], f64)>),
    /// A line across at that height, with its name.
    Limit(f64, String),
}

/// A chart.
pub struct Chart<'a> {
    /// Unique on the page.
    pub id: String,
    /// Heading.
    pub title: &'a str,
    /// What is seen, for those who look at it for the first time.
    pub note: &'a str,
    /// Across.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// Height inside the axes.
    pub height: f64,
    /// Room for the labels on the left: [`LEFT`], or more for names.
    pub left: f64,
    /// What happened meanwhile.
    pub marks: &'a [Mark],
    /// Their names stand above.
    pub names: bool,
    /// The script may widen it, together with the others on the same axis.
    pub zooms: bool,
    /// What is drawn, in this order.
    pub layers: Vec<Layer>,
    /// The twin.
    pub table: Table,
}

/// The class of the colour of a plane.
pub fn colour(plane: usize) -> usize {
    plane % COLOURS.len()
}

impl Chart<'_> {
    /// The figure element.
    pub fn render(&self) -> String {
        let labels = if self.names { names(self.marks, &self.x) } else { (String::new(), 0.0) };
        let top = 8.0 + labels.1;
        let total = top + self.height + 24.0;
        let left = self.left;
        let wide = WIDTH - left - RIGHT;
        let mut out = format!(
            "<figure class=chart id=\"{id}\" data-left={left} data-wide={wide} data-from=\"{}\" data-to=\"{}\" data-top={top} data-height=\"{}\"{}><figcaption><b id=\"{id}-t\">{}</b> <span>{}</span></figcaption>",
            self.x.from,
            self.x.to,
            self.height,
            if self.zooms { " data-zoom" } else { "" }.to_owned() + if self.x.log { " data-log" } else { "" },
            escape(self.title),
            escape(self.note),
            id = escape(&self.id),
        );
        let _ = write!(
            out,
            "<div class=scroll tabindex=0 role=group aria-labelledby=\"{id}-t\"><svg viewBox=\"0 0 {WIDTH} {total}\" role=img aria-labelledby=\"{id}-t\">",
            id = escape(&self.id)
        );
        out.push_str(&self.axes(top));
        out.push_str(&labels.0);
        let _ = write!(
            out,
            "<svg class=plot x={left} y={top} width={wide} height={} viewBox=\"0 0 {} {}\" preserveAspectRatio=none>",
            self.height,
            wide * FINE,
            self.height * FINE
        );
        out.push_str(&bands(self.marks, &self.x, wide * FINE, self.height * FINE));
        out.push_str(&self.inside(wide));
        out.push_str("</svg>");
        out.push_str(&self.limits(top));
        out.push_str("</svg></div>");
        let unit = if self.zooms { "; t in seconds" } else { "" };
        let caption = format!("{}, {}{unit}", self.title, self.note);
        out.push_str(&html::twin(&self.table, &self.id, caption.trim_end_matches(", ")));
        out.push_str("</figure>");
        out
    }

    fn axes(&self, top: f64) -> String {
        let (left, right, bottom) = (self.left, WIDTH - RIGHT, top + self.height);
        let mut out = String::from("<g class=axis>");
        for (value, label) in &self.y.ticks {
            let y = bottom - self.y.share(*value) * self.height;
            let _ = write!(
                out,
                "<path class=grid d=\"M{left} {y:.1}H{right}\"/><text x={} y=\"{:.1}\" text-anchor=end>{}</text>",
                left - 8.0,
                y + 4.0,
                escape(label)
            );
        }
        out.push_str("</g><g class=\"axis xticks\">");
        for (value, label) in &self.x.ticks {
            let x = left + self.x.share(*value) * (right - left);
            let _ = write!(
                out,
                "<path d=\"M{x:.1} {bottom}v4\"/><text x=\"{x:.1}\" y={} text-anchor=middle>{}</text>",
                bottom + 17.0,
                escape(label)
            );
        }
        let _ = write!(out, "</g><path class=base d=\"M{left} {bottom}H{right}\"/>");
        out
    }

    /// Lines across with their names; a limit above the axis has none.
    fn limits(&self, top: f64) -> String {
        let mut out = String::new();
        for layer in &self.layers {
            let Layer::Limit(value, name) = layer else { continue };
            if *value < self.y.from || *value > self.y.to {
                continue;
            }
            let (y, right) = (top + (1.0 - self.y.share(*value)) * self.height, WIDTH - RIGHT);
            let _ = write!(
                out,
                "<path class=limit d=\"M{} {y:.1}H{right}\"/><text class=limit x={} y=\"{:.1}\" text-anchor=end>{}</text>",
                self.left,
                right - 6.0,
                y - 5.0,
                escape(name)
            );
        }
        out
    }

    /// What plotters draws.
    fn inside(&self, wide: f64) -> String {
        let mut svg = String::new();
        let size = ((wide * FINE) as u32, (self.height * FINE) as u32);
        self.draw(&mut svg, size).expect("drawing into a string cannot fail");
        // Only what lies between the outermost tags: the frame around it is ours.
        let from = svg.find('>').map_or(0, |at| at + 1);
        let to = svg.rfind("</svg>").unwrap_or(svg.len());
        let mut out = self.tiles(wide * FINE, self.height * FINE);
        out.push_str(&svg[from..to].trim().replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", ""));
        out
    }

    /// Tiles, one path for all of a shade.
    fn tiles(&self, wide: f64, high: f64) -> String {
        const SHADES: f64 = 12.0;
        let mut out = String::new();
        for layer in &self.layers {
            let Layer::Tiles(plane, tiles) = layer else { continue };
            let mut paths = vec![String::new(); SHADES as usize + 1];
            for ([x0, x1, y0, y1], share) in tiles {
                let (left, right) = (self.x.share(*x0) * wide, self.x.share(*x1) * wide);
                let (top, bottom) = ((1.0 - self.y.share(*y1)) * high, (1.0 - self.y.share(*y0)) * high);
                let path = &mut paths[(share.clamp(0.0, 1.0) * SHADES).round() as usize];
                let _ = write!(path, "M{left:.0} {top:.0}H{right:.0}V{bottom:.0}H{left:.0}z");
            }
            let colour = COLOURS[colour(*plane)];
            for (shade, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
                let _ = write!(
                    out,
                    "<path fill=\"#{:02X}{:02X}{:02X}\" fill-opacity=\"{:.2}\" d=\"{path}\"/>",
                    colour.0,
                    colour.1,
                    colour.2,
                    shade as f64 / SHADES
                );
            }
        }
        out
    }

    fn draw(&self, svg: &mut String, size: (u32, u32)) -> Result<(), Box<dyn std::error::Error>> {
        let root = SVGBackend::with_string(svg, size).into_drawing_area();
        let mut area = ChartBuilder::on(&root).build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
        let at = |x: f64, y: f64| (self.x.share(x), self.y.share(y));
        for layer in &self.layers {
            match layer {
                Layer::Ribbon(plane, points) => {
                    let mut outline: Vec<(f64, f64)> = points.iter().map(|&(x, low, _)| at(x, low)).collect();
                    outline.extend(points.iter().rev().map(|&(x, _, high)| at(x, high)));
                    area.draw_series(std::iter::once(Polygon::new(outline, COLOURS[colour(*plane)].mix(0.16))))?;
                }
                Layer::Line(plane, points) => {
                    let style = COLOURS[colour(*plane)].stroke_width(3);
                    for run in points.split(|(_, y)| y.is_none()).filter(|run| !run.is_empty()) {
                        let line = run.iter().filter_map(|&(x, y)| Some(at(x, y?)));
                        area.draw_series(LineSeries::new(line, style))?;
                    }
                }
                Layer::Dots(plane, points) => {
                    let style = COLOURS[colour(*plane)].filled();
                    area.draw_series(points.iter().map(|&(x, y)| Circle::new(at(x, y), 7, style)))?;
                }
                // Too many for an element each; and what has a name stands outside.
                Layer::Tiles(..) | Layer::Limit(..) => {}
            }
        }
        root.present()?;
        Ok(())
    }
}

/// What happened meanwhile: an area with a pattern, or a line for an instant.
fn bands(marks: &[Mark], x: &Axis, wide: f64, high: f64) -> String {
    let mut out = String::new();
    for mark in marks {
        let from = x.share(mark.from_s) * wide;
        let planned = if mark.is_planned() { " planned" } else { "" };
        match mark.to_s {
            Some(to) => {
                let to = x.share(to) * wide;
                let _ = write!(
                    out,
                    "<rect class=\"band{planned}\" x=\"{from:.1}\" y=0 width=\"{:.1}\" height={high}><title>{}</title></rect><path class=\"edge{planned}\" d=\"M{from:.1} 0V{high}M{to:.1} 0V{high}\"/>",
                    (to - from).max(1.0),
                    escape(&mark.label)
                );
            }
            None => {
                let _ = write!(
                    out,
                    "<path class=\"instant{planned}\" d=\"M{from:.1} 0V{high}\"><title>{}</title></path>",
                    escape(&mark.label)
                );
            }
        }
    }
    out
}

/// Rows of names that a chart has room for.
const NAME_ROWS: usize = 4;
/// Width of a letter of a name.
const LETTER: f64 = 6.6;

/// Names of what happened, each where it begins and in a row where it has room, and how high they stand.
fn names(marks: &[Mark], x: &Axis) -> (String, f64) {
    let wide = WIDTH - LEFT - RIGHT;
    let mut ends = [f64::NEG_INFINITY; NAME_ROWS];
    let mut placed = Vec::new();
    for mark in marks.iter().filter(|mark| mark.from_s <= x.to) {
        let at = LEFT + x.share(mark.from_s) * wide;
        let label: String = if mark.label.chars().count() > 40 {
            mark.label.chars().take(39).chain(['…']).collect()
        } else {
            mark.label.clone()
        };
        let width = label.chars().count() as f64 * LETTER + 14.0;
        let start = at.min(WIDTH - width).max(0.0);
        // Those without room are in the list below the charts.
        if let Some(row) = ends.iter().position(|end| *end < start) {
            ends[row] = start + width;
            placed.push((start, row, label, mark));
        }
    }
    let rows = placed.iter().map(|(_, row, ..)| row + 1).max().unwrap_or(0);
    let mut out = String::from("<g class=names>");
    for (start, row, label, mark) in &placed {
        // Row 0 is the lowest, next to the chart.
        let y = (rows - row) as f64 * 15.0 - 3.0;
        let planned = if mark.is_planned() { " class=planned" } else { "" };
        let (from, label) = (mark.from_s, escape(label));
        let _ = write!(out, "<text x=\"{start:.1}\" y={y} data-from=\"{from}\"{planned}>▾ {label}</text>");
    }
    out.push_str("</g>");
    (out, rows as f64 * 15.0)
}
