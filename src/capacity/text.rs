//! Capacity on the terminal: a line per plane and loss, what breaks first, what binds, what next.
//!
//! *Knows* columns and sentences. *Does not know* colours.

use std::fmt::Write as _;

use crate::capacity::answer::Answer;
use crate::capacity::answer::Outcome;
use crate::capacity::answer::Study;
use crate::capacity::answer::plain;
use crate::capacity::answer::shown;
use crate::capacity::pressure::Binding;
use crate::capacity::pressure::Kind as Full;
use crate::capacity::pressure::Pressure;
use crate::capacity::probe::Clause;
use crate::capacity::search::Kind;
use crate::capacity::search::Line;
use crate::report::format;

/// Mean over busiest below which tasks are told apart.
const UNEVEN: f64 = 0.9;

/// Lays out a study.
pub fn render(study: &Study, line: &Line) -> String {
    let mut out = String::new();
    let (least, most) = study.replications;
    let asked = match (&study.service, study.shaped) {
        (Some(service), _) => format!("fewest tasks of {service}"),
        (None, false) => "largest rate".to_owned(),
        (None, true) => "largest peak rate (the schedule keeps its shape)".to_owned(),
    };
    let _ = writeln!(out, "{}", study.title);
    let _ = writeln!(out, "{asked} with {}; the file has {}", study.slo.join(", "), shown(study.kind, study.start));
    let _ = writeln!(
        out,
        "{} s per run, {least} to {most} replications a probe, {} % intervals, the same arrivals at each · seed {}\n",
        plain(study.duration_s),
        plain(study.confidence * 100.0),
        study.seed
    );
    let losses = study.answers.iter().any(|answer| answer.variant.is_some());
    let mut head = vec!["plane", "carries", "breaks beyond", "what binds"];
    if study.kind == Kind::Tasks {
        head[1] = "needs";
        head[2] = "breaks with less";
    }
    if losses {
        head.insert(1, "missing");
    }
    let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<String>>()];
    for answer in &study.answers {
        let mut row = vec![answer.plane.clone()];
        if losses {
            row.push(answer.variant.clone().unwrap_or_else(|| "nothing".to_owned()));
        }
        row.extend(cells(study, line, answer));
        rows.push(row);
    }
    aligned(&mut out, &rows);
    let mut remarks = String::new();
    for answer in &study.answers {
        for note in &answer.notes {
            let _ = writeln!(remarks, "  {}: {note}", name(answer));
        }
    }
    if !remarks.is_empty() {
        let _ = write!(out, "\n{remarks}");
    }
    if let Some(next) = next(study) {
        let _ = writeln!(out, "\nnext: {next}");
    }
    out
}

/// A plane with what is missing on it.
pub fn name(answer: &Answer) -> String {
    match &answer.variant {
        Some(variant) => format!("{}, {variant}", answer.plane),
        None => answer.plane.clone(),
    }
}

fn cells(study: &Study, line: &Line, answer: &Answer) -> Vec<String> {
    let kind = study.kind;
    let binding = answer.binding.as_ref().map_or_else(
        || {
            if answer.outcome == Outcome::Found {
                "nothing is busy: see the broken clause".to_owned()
            } else {
                String::new()
            }
        },
        |binding| bound(answer, kind, binding),
    );
    match (&answer.outcome, answer.bracket.passes, answer.bracket.fails) {
        (Outcome::NotApplicable(why), ..) => vec!["–".to_owned(), format!("not applicable: {why}")],
        (Outcome::Found, Some(passes), Some(fails)) => {
            let carries = match kind {
                Kind::Rate => format!("{} [{}, {})", shown(kind, passes), plain(passes), plain(fails)),
                Kind::Tasks if fails + 1.0 < passes => format!("{:.0} to {:.0} tasks", fails + 1.0, passes),
                Kind::Tasks => shown(kind, passes),
            };
            vec![carries, breaks(answer, kind), binding]
        }
        (Outcome::NeverBroken, Some(passes), _) => {
            let (carries, why) = match kind {
                Kind::Rate => (
                    format!("{} or more", shown(kind, passes)),
                    format!("nothing up to {}, the most that was tried (--rate-max)", shown(kind, line.most)),
                ),
                Kind::Tasks => (shown(kind, passes), "nothing: fewer is not possible".to_owned()),
            };
            vec![carries, why, String::new()]
        }
        (Outcome::NeverMet, ..) => {
            let carries = if kind == Kind::Rate { "no rate" } else { "no number of tasks" };
            vec![carries.to_owned(), breaks(answer, kind), binding]
        }
        _ => vec![
            "cannot be told".to_owned(),
            "nothing surely passes: more replications (-n), or a longer --duration".to_owned(),
        ],
    }
}

/// The broken clauses at the easiest position that fails.
pub fn breaks(answer: &Answer, kind: Kind) -> String {
    let Some(fails) = answer.bracket.fails else { return String::new() };
    let clauses: Vec<String> = answer.broken().into_iter().map(observed).collect();
    format!("{} at {}", clauses.join(", "), shown(kind, fails))
}

/// `p99 312 ms [306, 318]`.
pub fn observed(clause: &Clause) -> String {
    match &clause.observed {
        Some(estimate) => format!("{} {}", clause.metric, format::bracketed(estimate, clause.unit)),
        None => format!("{} of nothing: no request succeeded", clause.metric),
    }
}

/// What binds, with its figures.
fn bound(answer: &Answer, kind: Kind, binding: &Binding) -> String {
    let pressure = &binding.pressure;
    let percent = |share: f64| format::number(share * 100.0, usize::from(share < 0.1));
    let share = percent(pressure.share);
    let mut text = match pressure.kind {
        Full::Tasks => tasks(pressure, &share),
        Full::SidecarCpu => format!("sidecar CPU of {} {share} % busy", pressure.at),
        Full::Queue => format!("{} queue turns {share} % away", pressure.at),
        Full::Breaker => format!("breaker of {} refuses {share} %", pressure.at),
        Full::TimeOut => format!("{share} % of {} time out", pressure.at),
        Full::Endpoints => format!("{share} % of {} find no endpoint", pressure.at),
    };
    if let Some(passes) = answer.bracket.passes {
        let before = binding.before.map_or_else(|| "0".to_owned(), percent);
        let _ = write!(text, " ({before} % at {})", shown(kind, passes));
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

/// What to type next: the run at the answer, or the other question.
fn next(study: &Study) -> Option<String> {
    let answer = study.answers.iter().find(|answer| answer.outcome == Outcome::Found && answer.variant.is_none())?;
    let file = format::shell_word(&study.file);
    let slo = format::shell_word(&study.slo.join(","));
    match study.kind {
        Kind::Rate => {
            let fails = plain(answer.bracket.fails.filter(|_| study.plain)?);
            let full = answer.binding.as_ref().map(|binding| &binding.pressure).filter(|p| p.kind == Full::Tasks);
            Some(full.map_or_else(
                || format!("scsim run {file} --plane {} --set load.rate={fails}/s", answer.plane),
                |full| {
                    let service = format::shell_word(&full.at);
                    format!("scsim capacity {file} --slo {slo} --tasks {service} --set load.rate={fails}/s")
                },
            ))
        }
        Kind::Tasks => {
            let service = study.service.as_deref()?;
            let passes = answer.bracket.passes?;
            Some(format!("scsim run {file} --plane {} --set service.{service}.tasks={passes:.0}", answer.plane))
        }
    }
}

/// Columns as wide as their widest cell.
fn aligned(out: &mut String, rows: &[Vec<String>]) {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    // The last columns of a row may be long sentences; only those before them are aligned.
    let width = |i: usize| {
        let whole = rows.iter().filter(|row| row.len() > i + 1);
        whole.map(|row| row[i].chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
            let gap = if i == 0 { "  " } else { "   " };
            let _ = write!(line, "{gap}{cell}{pad}");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}
