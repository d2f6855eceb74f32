//! A comparison for terminals, pages and programs.
//!
//! *Knows* layouts and sentences. *Does not know* how anything was compared.

use std::fmt::Write as _;

use serde_json::Value;
use serde_json::json;

use super::Change;
use super::Compared;
use super::Counts;
use super::Differs;
use super::Pair;
use super::PlaneChange;
use super::Verdict;
use super::stem;
use crate::measure::estimate::Estimate;
use crate::report::figure::Unit;
use crate::report::format;
use crate::report::markdown::escaped;
use crate::report::text::Paint;
use crate::report::text::Style;
use crate::report::text::padded;
use crate::report::text::width;

/// Settings that are named in a line; the rest is counted.
const DIFFERS_MAX: usize = 6;

/// A figure's name on the screen.
pub fn label(metric: &str) -> String {
    match metric {
        "error_rate" => "error rate".to_owned(),
        "retries_per_request" => "retries/request".to_owned(),
        "goodput_rps" => "goodput".to_owned(),
        "p999_ms" => "p99.9".to_owned(),
        _ => {
            let bare = ["_ms", "_s", "_rps"].iter().find_map(|unit| metric.strip_suffix(unit)).unwrap_or(metric);
            bare.replace('_', " ")
        }
    }
}

/// A value, or a dash.
fn value(estimate: Option<&Estimate>, unit: Unit) -> String {
    estimate.map_or_else(|| "–".to_owned(), |e| format::estimate(e, unit).value)
}

/// By how much, with its interval: `+0.21 pt [+0.17, +0.25]`, `−8 % [−10, −6]`.
pub fn size(change: &Change, interval: bool) -> String {
    let (Some(d), Some(old)) = (&change.difference, &change.old) else { return String::new() };
    let (factor, mark, most) = match change.unit {
        Unit::Share => (100.0, " pt", 4),
        _ if old.mean != 0.0 => (100.0 / old.mean.abs(), " %", 2),
        unit => {
            let (factor, mark, most, _) = format::scale(unit, d.mean);
            (factor, mark, most)
        }
    };
    let half = d.half_width().map_or(0.0, |half| half * factor);
    let measure = if half > 0.0 { half } else { d.mean.abs() * factor / 10.0 };
    let whole = half == 0.0 && (d.mean * factor).fract() == 0.0;
    let decimals = if measure > 0.0 && !whole { format::decimals_of(measure, most) } else { 0 };
    let text = format!("{}{mark}", signed(d.mean * factor, decimals));
    match (d.low, d.high) {
        (Some(low), Some(high)) if interval => {
            format!("{text} [{}, {}]", signed(low * factor, decimals), signed(high * factor, decimals))
        }
        _ => text,
    }
}

fn signed(value: f64, decimals: usize) -> String {
    if value.is_infinite() {
        return "∞".to_owned();
    }
    let text = format::number(value, decimals);
    match text.strip_prefix('-') {
        Some(rest) => format!("−{rest}"),
        None if text.bytes().any(|b| matches!(b, b'1'..=b'9')) => format!("+{text}"),
        None => text,
    }
}

/// What to make of it, in words.
fn words(change: &Change, noise: f64) -> String {
    match change.verdict {
        Verdict::Worse => "worse".to_owned(),
        Verdict::Better => "better".to_owned(),
        Verdict::WithinNoise if change.difference.is_some_and(|d| d.mean == 0.0) => "the same".to_owned(),
        Verdict::WithinNoise => format!("within noise ({})", percent(noise)),
        Verdict::Unclear { needed: Some(n) } => format!("cannot be told, needs about {n} replications"),
        Verdict::Unclear { needed: None } => "cannot be told".to_owned(),
        Verdict::Changed => match (&change.old, &change.new, &change.difference) {
            (None, ..) => "new".to_owned(),
            (_, None, _) => "gone".to_owned(),
            (.., Some(d)) if d.mean < 0.0 => "fewer".to_owned(),
            _ => "more".to_owned(),
        },
    }
}

fn percent(share: f64) -> String {
    let text = format!("{:.4}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// One sentence: `service-connect: the error rate rose from 0.00 % to 0.21 %, +0.21 pt [+0.17, +0.25]: worse.`
pub fn sentence(plane: &str, change: &Change, noise: f64) -> String {
    let name = label(&change.metric);
    let (old, new) = (value(change.old.as_ref(), change.unit), value(change.new.as_ref(), change.unit));
    let verdict = words(change, noise);
    match (&change.old, &change.new, change.difference) {
        (None, ..) => format!("{plane}: {name} is {new} and did not exist before."),
        (_, None, _) => format!("{plane}: {name} was {old} and does not exist any more."),
        (.., Some(d)) if d.mean == 0.0 => format!("{plane}: {name} stayed at {new}."),
        (.., d) => {
            let verb = if d.is_some_and(|d| d.mean > 0.0) { "rose" } else { "fell" };
            format!("{plane}: {name} {verb} from {old} to {new}, {}: {verdict}.", size(change, true))
        }
    }
}

/// `policy.retry_policy.num_retries 2 → 0`.
pub fn differs(differs: &Differs) -> String {
    let text = |value: &Option<Value>| match value {
        None => "not set".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    format!("{} {} → {}", differs.key, text(&differs.old), text(&differs.new))
}

fn differing(pair: &Pair) -> Option<String> {
    // What is expected and how it is called changes no figure; the JSON has it.
    let matters = |d: &&Differs| !d.key.starts_with("expect.") && d.key != "title" && d.key != "description";
    let shown: Vec<String> = pair.differs.iter().filter(matters).take(DIFFERS_MAX).map(differs).collect();
    let more = pair.differs.iter().filter(matters).count().saturating_sub(DIFFERS_MAX);
    let rest = if more > 0 { format!(" and {more} more (all in the JSON)") } else { String::new() };
    (!shown.is_empty()).then(|| format!("{}{rest}", shown.join(", ")))
}

/// What the names of two files are shortened to.
fn headings(compared: &Compared) -> (String, String) {
    let (old, new) = (stem(&compared.old), stem(&compared.new));
    if old == new { (compared.old.clone(), compared.new.clone()) } else { (old.to_owned(), new.to_owned()) }
}

/// A line of the table: plane, figure, before, after, change, verdict.
struct Line {
    cells: [String; 5],
    verdict: String,
    paint: Option<Paint>,
}

fn lines(plane: &PlaneChange, noise: f64, all: bool) -> Vec<Line> {
    let minded = |c: &&Change| all || c.verdict != Verdict::WithinNoise;
    let mut first = true;
    plane
        .changes
        .iter()
        .filter(minded)
        .map(|change| Line {
            cells: [
                if std::mem::take(&mut first) { plane.name.clone() } else { String::new() },
                label(&change.metric),
                value(change.old.as_ref(), change.unit),
                value(change.new.as_ref(), change.unit),
                size(change, change.verdict != Verdict::WithinNoise),
            ],
            verdict: words(change, noise),
            paint: match change.verdict {
                Verdict::Worse => Some(Paint::Bad),
                Verdict::Better => Some(Paint::Good),
                Verdict::Unclear { .. } => Some(Paint::Unsure),
                Verdict::WithinNoise | Verdict::Changed => None,
            },
        })
        .collect()
}

/// The comparison for a terminal; `exit` is the code that the command will end with.
pub fn text(compared: &Compared, style: Style, exit: u8) -> String {
    let (old, new) = headings(compared);
    let mut out = String::new();
    let several = compared.pairs.len() > 1;
    for pair in &compared.pairs {
        // Of many scenarios only what changed is worth a line.
        let all = style.verbose || !several;
        let mut rows: Vec<Line> = Vec::new();
        let mut same: Vec<&str> = Vec::new();
        for plane in &pair.planes {
            if plane.identical && !style.verbose {
                same.push(&plane.name);
            } else {
                rows.extend(lines(plane, compared.noise, all));
            }
        }
        if several {
            out.push_str(&style.paint(Paint::Bold, &style.spell(&pair.name)));
            out.push_str(if rows.is_empty() && pair.differs.is_empty() { ": nothing beyond noise\n" } else { "\n" });
        }
        let head = format!("change [{}]", percent(pair.confidence));
        table(&mut out, &[String::new(), String::new(), old.clone(), new.clone(), head], &rows, style);
        if !same.is_empty() && (!several || !rows.is_empty()) {
            let _ = writeln!(out, " {}: the same, request by request", style.spell(&same.join(", ")));
        }
        if style.verbose {
            for plane in &pair.planes {
                for change in &plane.changes {
                    let _ = writeln!(out, " {}", style.spell(&sentence(&plane.name, change, compared.noise)));
                }
            }
        }
        let seeds = if pair.paired { "same seed, same arrivals" } else { "" };
        match differing(pair) {
            Some(text) => {
                let line = format!(" differs: {text}     {seeds}");
                let _ = writeln!(out, "{}", style.spell(line.trim_end()));
            }
            None if pair.paired && !several => out.push_str(" same seed, same arrivals\n"),
            None => {}
        }
        for note in &pair.notes {
            let _ = writeln!(out, "{}", style.paint(Paint::Unsure, &style.spell(&format!(" note: {note}"))));
        }
    }
    for (side, names) in [(&compared.old, &compared.only_old), (&compared.new, &compared.only_new)] {
        if !names.is_empty() {
            let _ = writeln!(out, "{}", style.spell(&format!("only in {side}: {}", names.join(", "))));
        }
    }
    let _ = writeln!(out, "{}   (exit {exit})", summary(compared.counts()));
    out
}

fn table(out: &mut String, head: &[String; 5], rows: &[Line], style: Style) {
    if rows.is_empty() {
        return;
    }
    let spelled: Vec<Vec<String>> = rows.iter().map(|r| r.cells.iter().map(|c| style.spell(c)).collect()).collect();
    let head: Vec<String> = head.iter().map(|h| style.spell(h)).collect();
    let widths: Vec<usize> =
        (0..5).map(|i| spelled.iter().map(|r| width(&r[i])).chain([width(&head[i])]).max().unwrap_or(0)).collect();
    let line = |cells: &[String]| -> String {
        cells.iter().zip(&widths).map(|(cell, w)| padded(cell, *w)).collect::<Vec<_>>().join("  ")
    };
    let _ = writeln!(out, " {}", style.paint(Paint::Dim, line(&head).trim_end()));
    for (row, cells) in rows.iter().zip(&spelled) {
        let verdict = style.spell(&row.verdict);
        let verdict = row.paint.map_or(verdict.clone(), |paint| style.paint(paint, &verdict));
        let _ = writeln!(out, " {}  {verdict}", line(cells));
    }
}

/// `1 worse, 1 better, 1 unchanged`.
pub fn summary(counts: Counts) -> String {
    let mut parts = vec![
        format!("{} worse", counts.worse),
        format!("{} better", counts.better),
        format!("{} unchanged", counts.unchanged),
    ];
    if counts.changed > 0 {
        parts.push(format!("{} neither", counts.changed));
    }
    if counts.unclear > 0 {
        parts.push(format!("{} cannot be told", counts.unclear));
    }
    parts.join(", ")
}

/// The comparison as Markdown.
pub fn markdown(compared: &Compared) -> String {
    let (old, new) = headings(compared);
    let mut out = format!("### {} → {}\n\n{}\n", escaped(&old), escaped(&new), summary(compared.counts()));
    for pair in &compared.pairs {
        let _ = write!(out, "\n#### {}\n\n", escaped(&pair.name));
        let _ = write!(
            out,
            "| plane | | {} | {} | change \\[{}\\] | |\n|---|---|---:|---:|---:|---|\n",
            escaped(&old),
            escaped(&new),
            percent(pair.confidence)
        );
        for row in pair.planes.iter().flat_map(|plane| lines(plane, compared.noise, true)) {
            let cells: Vec<String> = row.cells.iter().map(|cell| escaped(cell)).collect();
            let verdict = if row.verdict == "worse" { "**worse**".to_owned() } else { escaped(&row.verdict) };
            let _ = writeln!(out, "| {} | {verdict} |", cells.join(" | "));
        }
        if let Some(text) = differing(pair) {
            let _ = write!(out, "\ndiffers: {}\n", escaped(&text));
        }
        if pair.paired {
            out.push_str("\nsame seed, same arrivals\n");
        }
        for note in &pair.notes {
            let _ = write!(out, "\n> {}\n", escaped(note));
        }
        out.push('\n');
        for plane in &pair.planes {
            for change in plane.changes.iter().filter(|c| c.verdict != Verdict::WithinNoise) {
                let _ = writeln!(out, "- {}", escaped(&sentence(&plane.name, change, compared.noise)));
            }
        }
    }
    for (side, names) in [(&compared.old, &compared.only_old), (&compared.new, &compared.only_new)] {
        if !names.is_empty() {
            let _ = write!(out, "\nonly in {}: {}\n", escaped(side), escaped(&names.join(", ")));
        }
    }
    out
}

fn figure(estimate: Option<&Estimate>) -> Value {
    let finite = |x: f64| x.is_finite().then_some(x + 0.0);
    estimate.map_or(
        Value::Null,
        |e| json!({ "mean": finite(e.mean), "low": e.low.and_then(finite), "high": e.high.and_then(finite) }),
    )
}

/// One change for programs.
pub fn change_json(plane: &str, change: &Change, noise: f64) -> Value {
    let needed = match change.verdict {
        Verdict::Unclear { needed } => needed,
        _ => None,
    };
    let relative = change.old.zip(change.difference).filter(|(old, _)| old.mean != 0.0).map(|(old, d)| {
        let by = old.mean.abs();
        Estimate { mean: d.mean / by, low: d.low.map(|x| x / by), high: d.high.map(|x| x / by), ..d }
    });
    json!({
        "plane": plane, "metric": change.metric, "old": figure(change.old.as_ref()), "new": figure(change.new.as_ref()),
        "change": figure(change.difference.as_ref()), "relative": figure(relative.as_ref()), "paired": change.paired,
        "verdict": change.verdict.name(), "replications_needed": needed,
        "sentence": sentence(plane, change, noise),
    })
}

/// `scsim.comparison/1`.
pub fn json(compared: &Compared) -> Value {
    let counts = compared.counts();
    let pair = |pair: &Pair| {
        let changes: Vec<Value> = pair
            .planes
            .iter()
            .flat_map(|plane| plane.changes.iter().map(|c| change_json(&plane.name, c, compared.noise)))
            .collect();
        let identical: Vec<&str> = pair.planes.iter().filter(|p| p.identical).map(|p| p.name.as_str()).collect();
        let differs: Vec<Value> =
            pair.differs.iter().map(|d| json!({ "setting": d.key, "old": d.old, "new": d.new })).collect();
        json!({
            "name": pair.name, "paired": pair.paired, "confidence": pair.confidence, "differs": differs,
            "notes": pair.notes, "identical": identical, "changes": changes,
        })
    };
    json!({
        "schema": "scsim.comparison/1", "old": compared.old, "new": compared.new, "noise": compared.noise,
        "worse": counts.worse, "better": counts.better, "unchanged": counts.unchanged, "changed": counts.changed,
        "unclear": counts.unclear, "scenarios": compared.pairs.iter().map(pair).collect::<Vec<_>>(),
        "only_old": compared.only_old, "only_new": compared.only_new,
    })
}
