//! The comparison for a terminal.
//!
//! *Knows* widths, colours and glyphs. *Does not know* figures: they come formatted from the
//! model. Colour only decorates; symbols and words carry the meaning.

use super::expect::Verdict;
use super::model::Cell;
use super::model::Chart;
use super::model::Comparison;
use super::model::Judged;

/// How a report is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Columns of the terminal; below 80 planes are stacked.
    pub width: usize,
    /// Escape sequences for colour and weight.
    pub color: bool,
    /// Nothing outside ASCII.
    pub ascii: bool,
    /// Errors over time as a line of blocks.
    pub sparklines: bool,
    /// Says what the signs mean.
    pub verbose: bool,
}

impl Style {
    /// For pipes and files: no colour, no sparklines, as wide as need be.
    pub const PLAIN: Style = Style { width: usize::MAX, color: false, ascii: false, sparklines: false, verbose: false };
}

/// Text with its weight.
#[derive(Clone, Copy)]
pub(super) enum Paint {
    Bold,
    Dim,
    Good,
    Bad,
    Unsure,
}

impl Style {
    /// `text` in this style's alphabet.
    pub fn spell(self, text: &str) -> String {
        if !self.ascii {
            // A text from a file must not steer the terminal.
            return text.replace(|c: char| c.is_control(), "?");
        }
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '±' => out.push_str("+-"),
                '×' => out.push('x'),
                '→' => out.push_str("->"),
                '·' | '–' | '−' => out.push('-'),
                'µ' => out.push('u'),
                '≥' => out.push_str(">="),
                '▾' => out.push('v'),
                '▴' => out.push('^'),
                c if c.is_ascii() => out.push(c),
                _ => out.push('?'),
            }
        }
        out
    }

    /// The same line by line.
    pub fn spell_lines(self, text: &str) -> String {
        text.split_inclusive('\n').map(|line| self.spell(line.trim_end_matches('\n')) + "\n").collect()
    }

    pub(super) fn paint(self, paint: Paint, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Bold => "1",
            Paint::Dim => "2",
            Paint::Good => "32",
            Paint::Bad => "31",
            Paint::Unsure => "33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

pub(super) fn width(text: &str) -> usize {
    text.chars().count()
}

pub(super) fn padded(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

/// The report of one comparison, with a line break at its end.
pub fn render(comparison: &Comparison, style: Style) -> String {
    let mut lines: Vec<String> = Vec::new();
    lines.push(style.paint(Paint::Bold, &style.spell(&comparison.title)));
    lines.push(style.spell(&comparison.subtitle));
    if comparison.partial {
        lines.push(style.paint(Paint::Unsure, "interrupted: PARTIAL results"));
    }
    for alarm in &comparison.alarms {
        let text = format!("BOOKS DO NOT BALANCE (a bug in scsim, figures are not to be trusted): {alarm}");
        lines.push(style.paint(Paint::Bad, &style.spell(&text)));
    }
    lines.push(String::new());
    let table = table(comparison, style);
    let fits = style.width >= 80 && table.iter().all(|(_, plain)| *plain <= style.width);
    if fits {
        lines.extend(table.into_iter().map(|(line, _)| line));
    } else {
        lines.extend(stacked(comparison, style));
    }
    for column in &comparison.columns {
        if let Some(reason) = &column.not_applicable {
            lines.push(style.spell(&format!("  {}: not applicable: {reason}", column.name)));
        }
    }
    if style.verbose {
        lines.push(style.spell("  ± is half the confidence interval; [low, high] where it is lopsided"));
    }
    if style.sparklines {
        let chart = sparklines(comparison, style);
        if !chart.is_empty() {
            lines.push(String::new());
            lines.extend(chart);
        }
    }
    for warning in &comparison.warnings {
        lines.push(String::new());
        lines.push(style.paint(Paint::Unsure, &style.spell(&format!("  note: {warning}"))));
    }
    if !comparison.judgements.is_empty() {
        lines.push(String::new());
        lines.extend(judgements(&comparison.judgements, style));
    }
    if !comparison.sentences.is_empty() {
        lines.push(String::new());
        lines.extend(wrapped(&style.spell(&comparison.sentences.join(" ")), style.width.min(100)));
    }
    lines.push(String::new());
    let separator = if style.ascii { " | " } else { " · " };
    let footer: Vec<String> = comparison.footer.iter().map(|part| style.spell(part)).collect();
    lines.push(style.paint(Paint::Dim, &footer.join(separator)));
    lines.push(format!("next: {}", comparison.next));
    let mut out = String::new();
    for line in lines {
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// One printed line of a cell: value, interval.
fn cell_line(cell: &Cell, line: usize, style: Style) -> (String, String) {
    let Some(shown) = &cell.shown else {
        return (if line == 0 { style.spell("–") } else { String::new() }, String::new());
    };
    if line == 0 {
        (style.spell(&shown.value), style.spell(&shown.spread))
    } else {
        (cell.more.get(line - 1).map_or_else(String::new, |m| style.spell(m)), String::new())
    }
}

fn label_of(row: &super::model::Row, style: Style) -> String {
    style.spell(&if row.narrows { format!("   · {}", row.label) } else { format!("  {}", row.label) })
}

/// Side by side: each line with its width as seen.
fn table(comparison: &Comparison, style: Style) -> Vec<(String, usize)> {
    let label_width = comparison.rows.iter().map(|r| width(&label_of(r, style))).max().unwrap_or(0) + 2;
    let columns: Vec<(usize, usize)> = (0..comparison.columns.len())
        .map(|c| {
            let cells = || comparison.rows.iter().map(move |r| &r.cells[c]);
            // A long text without an interval must not push the intervals of its column aside.
            let value = cells()
                .filter(|cell| cell.shown.as_ref().is_some_and(|s| !s.spread.is_empty()))
                .map(|cell| width(&cell_line(cell, 0, style).0))
                .max()
                .unwrap_or(0);
            let all = cells()
                .flat_map(|cell| (0..=cell.more.len()).map(move |l| cell_line(cell, l, style)))
                .map(|(v, s)| if s.is_empty() { width(&v) } else { value + 1 + width(&s) })
                .chain([width(&style.spell(&comparison.columns[c].name)), 14])
                .max()
                .unwrap_or(0);
            (value, all + 2)
        })
        .collect();
    let mut lines = Vec::new();
    let mut head = " ".repeat(label_width);
    for (column, (_, all)) in comparison.columns.iter().zip(&columns) {
        head.push_str(&padded(&style.spell(&column.name), *all));
    }
    let head = head.trim_end().to_owned();
    lines.push((style.paint(Paint::Bold, &head), width(&head)));
    for (r, row) in comparison.rows.iter().enumerate() {
        let height = row.cells.iter().map(|c| c.more.len() + 1).max().unwrap_or(1);
        for l in 0..height {
            let label = if l == 0 { label_of(row, style) } else { String::new() };
            let mut line = padded(&label, label_width);
            let mut seen = label_width;
            for ((cell, column), (value_width, all)) in row.cells.iter().zip(&comparison.columns).zip(&columns) {
                let (value, spread) = if column.not_applicable.is_some() {
                    (if r == 0 && l == 0 { "not applicable".to_owned() } else { String::new() }, String::new())
                } else {
                    cell_line(cell, l, style)
                };
                let value_part = if spread.is_empty() { value.clone() } else { padded(&value, *value_width) };
                let painted =
                    if cell.best && l == 0 { style.paint(Paint::Bold, &value_part) } else { value_part.clone() };
                let plain =
                    if spread.is_empty() { width(&value_part) } else { width(&value_part) + 1 + width(&spread) };
                line.push_str(&painted);
                if !spread.is_empty() {
                    line.push(' ');
                    line.push_str(&style.paint(Paint::Dim, &spread));
                }
                line.push_str(&" ".repeat(all - plain.min(*all)));
                seen += (*all).max(plain);
            }
            // The gap after the last column does not count.
            lines.push((line, seen.saturating_sub(2)));
        }
    }
    lines
}

/// One plane under the other.
fn stacked(comparison: &Comparison, style: Style) -> Vec<String> {
    let label_width = comparison.rows.iter().map(|r| width(&label_of(r, style))).max().unwrap_or(0) + 2;
    let mut lines = Vec::new();
    for (c, column) in comparison.columns.iter().enumerate() {
        lines.push(style.paint(Paint::Bold, &style.spell(&column.name)));
        if column.not_applicable.is_some() {
            continue;
        }
        for row in &comparison.rows {
            let cell = &row.cells[c];
            for l in 0..=cell.more.len() {
                let label = if l == 0 { label_of(row, style) } else { String::new() };
                let (value, spread) = cell_line(cell, l, style);
                let value = if cell.best && l == 0 { style.paint(Paint::Bold, &value) } else { value };
                lines.push(format!("{}{value} {spread}", padded(&label, label_width)).trim_end().to_owned());
            }
        }
        lines.push(String::new());
    }
    lines.pop();
    lines
}

/// The eight heights of a sparkline.
fn block(level: usize, ascii: bool) -> char {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const LETTERS: [char; 7] = ['.', '_', '-', '=', '+', '*', '#'];
    if ascii { LETTERS[level.min(6)] } else { BLOCKS[level.min(7)] }
}

fn sparklines(comparison: &Comparison, style: Style) -> Vec<String> {
    let chart = &comparison.chart;
    let lines: Vec<(&str, &Vec<f64>)> = comparison
        .columns
        .iter()
        .zip(&chart.lines)
        .filter(|(_, line)| !line.is_empty())
        .map(|(column, line)| (column.name.as_str(), line))
        .collect();
    if lines.is_empty() || chart.length_s <= 0.0 {
        return Vec::new();
    }
    let label_width = lines.iter().map(|(name, _)| width(name)).chain([8]).max().unwrap_or(8) + 3;
    let room = style.width.min(100).saturating_sub(label_width + 12).clamp(20, 60);
    let most = lines.iter().flat_map(|(_, line)| line.iter().copied()).fold(0.0, f64::max);
    let mut out = vec![style.spell(&format!("{}{}", padded("  errors/s", label_width), axis(chart, room)))];
    for (name, line) in lines {
        let cells: String =
            squeezed(line, room).into_iter().map(|v| block(height(v, most, style.ascii), style.ascii)).collect();
        let peak = line.iter().copied().fold(0.0, f64::max);
        out.push(format!(
            "{}{cells}  max {}",
            padded(&format!("  {}", style.spell(name)), label_width),
            super::format::number(peak, 1)
        ));
    }
    out
}

/// Nothing is the lowest block; anything at all is at least the second.
fn height(value: f64, most: f64, ascii: bool) -> usize {
    let top = if ascii { 6.0 } else { 7.0 };
    if most <= 0.0 || value <= 0.0 { 0 } else { (value / most * top).round().max(1.0) as usize }
}

/// The means of `room` equal parts of a line.
fn squeezed(line: &[f64], room: usize) -> Vec<f64> {
    (0..room)
        .map(|i| {
            let from = i * line.len() / room;
            let to = ((i + 1) * line.len() / room).clamp(from + 1, line.len().max(from + 1));
            let part = &line[from.min(line.len() - 1)..to.min(line.len())];
            part.iter().sum::<f64>() / part.len().max(1) as f64
        })
        .collect()
}

/// The time axis with what happened on it: `▾` where it begins, `▴` where it ends.
fn axis(chart: &Chart, room: usize) -> String {
    let mut cells: Vec<char> = vec![' '; room];
    let mut write = |at: usize, text: &str| {
        let text: Vec<char> = text.chars().collect();
        let from = at.saturating_sub(usize::from(at > 0));
        if at + text.len() <= room && cells[from..at + text.len()].iter().all(|c| *c == ' ') {
            cells[at..at + text.len()].copy_from_slice(&text);
            true
        } else {
            false
        }
    };
    let place = |s: f64| ((s / chart.length_s * room as f64) as usize).min(room - 1);
    let seconds = |s: f64| format!("{}s", super::format::number(s, usize::from(s.fract() != 0.0)).replace(' ', ""));
    for mark in &chart.marks {
        let short = mark.label.split(' ').next().unwrap_or_default().to_owned();
        let at = place(mark.from_s);
        let _ = write(at, &format!("▾ {} {}", seconds(mark.from_s), mark.label))
            || write(at, &format!("▾ {} {short}", seconds(mark.from_s)))
            || write(at, "▾");
        if let Some(to) = mark.to_s {
            let at = place(to);
            let _ = write(at, &format!("▴ {}", seconds(to))) || write(at, "▴");
        }
    }
    let end = seconds(chart.length_s);
    let _ = write(0, "0s");
    let _ = write(room.saturating_sub(end.len()), &end);
    cells.into_iter().collect()
}

fn judgements(judged: &[Judged], style: Style) -> Vec<String> {
    let that = |j: &Judged| {
        let window = match j.judgement.during.as_str() {
            "all" => String::new(),
            "fault" => "  in fault".to_owned(),
            other => format!("  during {other}"),
        };
        style.spell(&format!("{}{window}", j.judgement.that))
    };
    // A line that names its planes itself needs no column for them and sets none for the others.
    let named = || judged.iter().filter(|j| !j.plane.is_empty());
    let that_width = named().map(|j| width(&that(j))).max().unwrap_or(0);
    let plane_width = judged.iter().map(|j| width(&j.plane)).max().unwrap_or(0);
    let observed_width = named().map(|j| width(&style.spell(&j.observed))).max().unwrap_or(0);
    judged
        .iter()
        .map(|j| {
            let (mark, paint) = match (j.judgement.verdict, style.ascii) {
                (Verdict::Holds, false) => ("✓", Paint::Good),
                (Verdict::Holds, true) => ("ok  ", Paint::Good),
                (Verdict::Fails, false) => ("✗", Paint::Bad),
                (Verdict::Fails, true) => ("FAIL", Paint::Bad),
                (Verdict::Inconclusive, false) => ("?", Paint::Unsure),
                (Verdict::Inconclusive, true) => ("?   ", Paint::Unsure),
            };
            let warn = if j.judgement.severity == crate::scenario::Severity::Warn { " (warning)" } else { "" };
            let remark = if j.remark.is_empty() { String::new() } else { format!("  ({})", style.spell(&j.remark)) };
            let mark = style.paint(paint, mark);
            let observed = style.spell(&j.observed);
            if j.plane.is_empty() {
                return format!("  {mark} {}  {observed}{remark}{warn}", that(j));
            }
            format!(
                "  {mark} {}  {}  {}{remark}{warn}",
                padded(&that(j), that_width),
                padded(&j.plane, plane_width),
                padded(&observed, observed_width),
            )
        })
        .collect()
}

/// Words in lines of at most `width`.
fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && width(line) + 1 + width(word) > most {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
