//! The comparison as Markdown: a table for the eye, details folded away.

use std::fmt::Write as _;

use super::expect::Verdict;
use super::model::Cell;
use super::model::Comparison;

/// The page of one comparison.
pub fn render(comparison: &Comparison) -> String {
    let mut out = format!("### {}\n\n{}\n\n", escaped(&comparison.title), escaped(&comparison.subtitle));
    for alarm in &comparison.alarms {
        let _ = write!(out, "> **BOOKS DO NOT BALANCE** (a bug in scsim): {}\n\n", escaped(alarm));
    }
    if comparison.partial {
        out.push_str("> **Interrupted**: partial results.\n\n");
    }
    out.push_str("| |");
    for column in &comparison.columns {
        let _ = write!(out, " {} |", escaped(&column.name));
    }
    out.push_str("\n|---|");
    out.push_str(&"---:|".repeat(comparison.columns.len()));
    out.push('\n');
    for row in &comparison.rows {
        let _ = write!(out, "| {}{} |", if row.narrows { "· " } else { "" }, row.label);
        for (cell, column) in row.cells.iter().zip(&comparison.columns) {
            let text = if column.not_applicable.is_some() { "not applicable".to_owned() } else { cell_text(cell) };
            let _ = write!(out, " {text} |");
        }
        out.push('\n');
    }
    out.push('\n');
    for column in &comparison.columns {
        if let Some(reason) = &column.not_applicable {
            let _ = write!(out, "{}: not applicable: {}\n\n", escaped(&column.name), escaped(reason));
        }
    }
    for warning in &comparison.warnings {
        let _ = write!(out, "> {}\n\n", escaped(warning));
    }
    if !comparison.judgements.is_empty() {
        out.push_str("| | expectation | plane | observed | |\n|---|---|---|---:|---|\n");
        for j in &comparison.judgements {
            let mark = match j.judgement.verdict {
                Verdict::Holds => "✓",
                Verdict::Fails => "✗",
                Verdict::Inconclusive => "?",
            };
            let window =
                if j.judgement.during == "all" { String::new() } else { format!(" in {}", j.judgement.during) };
            let _ = writeln!(
                out,
                "| {mark} | `{}`{} | {} | {} | {} |",
                j.judgement.that.replace('|', "\\|"),
                escaped(&window),
                escaped(&j.plane),
                escaped(&j.observed),
                escaped(&j.remark)
            );
        }
        out.push('\n');
    }
    for sentence in &comparison.sentences {
        out.push_str(&escaped(sentence));
        out.push('\n');
    }
    out.push_str("\n<details><summary>Provenance</summary>\n\n");
    for part in &comparison.footer {
        let _ = writeln!(out, "- {}", escaped(part));
    }
    let _ = writeln!(out, "\n```\n{}\n```\n\n</details>", comparison.next);
    out
}

fn cell_text(cell: &Cell) -> String {
    let Some(shown) = &cell.shown else { return "–".to_owned() };
    let mut text = escaped(&shown.value);
    if cell.best {
        text = format!("**{text}**");
    }
    if !shown.spread.is_empty() {
        text.push(' ');
        text.push_str(&escaped(&shown.spread));
    }
    for more in &cell.more {
        text.push_str("<br>");
        text.push_str(&escaped(more));
    }
    text
}

/// Text in which no character means anything to Markdown tables, HTML or emphasis.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' | '\r' => out.push(' '),
            _ => out.push(c),
        }
    }
    out
}
