//! What a page needs of `scsim.sweep/1` and `scsim.capacity/1`, read with types.
//!
//! *Knows* the keys that are drawn, and what such a file must hold to be drawn without guessing. *Does not know*
//! how any of it is drawn. Keys that it has not heard of are passed over.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use serde_json::error::Category;
use thiserror::Error;

use crate::report::compare;
use crate::report::page::Taken;
use crate::report::page::read::Outcome;

/// A study, as typed and as it stood in the file.
#[derive(Debug)]
pub struct Study {
    /// What is drawn.
    pub(super) what: What,
    /// All of it.
    pub(super) whole: Value,
}

/// What a study is.
#[derive(Debug)]
pub(super) enum What {
    Sweep(Sweep),
    Capacity(Capacity),
}

/// The program that wrote it.
#[derive(Deserialize, Debug)]
pub(super) struct Program {
    pub model: u32,
}

/// What was varied.
#[derive(Deserialize, Debug)]
pub(super) struct Origin {
    #[serde(default)]
    pub file: String,
    pub title: String,
    #[serde(default)]
    pub digest: String,
}

#[derive(Deserialize, Debug)]
pub(super) struct Sweep {
    scsim: Program,
    scenario: Origin,
    pub seed: u64,
    pub replications: u32,
    pub confidence: f64,
    pub mode: String,
    pub axes: Vec<Field>,
    pub cells: Vec<Cell>,
}

/// A field and its values.
#[derive(Deserialize, Debug)]
pub(super) struct Field {
    pub key: String,
    pub values: Vec<String>,
}

#[derive(Deserialize, Debug)]
pub(super) struct Cell {
    #[serde(rename = "cell")]
    pub number: u64,
    /// By field; `None` leaves it to the file.
    pub values: Vec<Option<String>>,
    pub planes: Vec<PlaneCell>,
    #[serde(default)]
    pub expectations: Vec<Held>,
}

#[derive(Deserialize, Debug)]
pub(super) struct PlaneCell {
    pub name: String,
    pub not_applicable: Option<String>,
    #[serde(default)]
    pub figures: Vec<Figure>,
}

#[derive(Deserialize, Debug)]
pub(super) struct Figure {
    pub metric: String,
    pub scope: String,
    pub during: String,
    pub mean: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
}

#[derive(Deserialize, Debug)]
pub(super) struct Held {
    pub that: String,
    pub plane: Option<String>,
    pub verdict: String,
}

#[derive(Deserialize, Debug)]
pub(super) struct Capacity {
    scsim: Program,
    scenario: Origin,
    pub slo: Vec<String>,
    pub seed: u64,
    pub replications: Span,
    pub confidence: f64,
    pub duration_s: f64,
    pub varied: Varied,
    pub service: Option<String>,
    pub start: f64,
    pub answers: Vec<Answer>,
}

/// What positions count.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub(super) enum Varied {
    RequestsPerSecond,
    Tasks,
}

#[derive(Deserialize, Debug)]
pub(super) struct Span {
    pub first: u32,
    pub most: u32,
}

#[derive(Deserialize, Debug)]
pub(super) struct Answer {
    pub plane: String,
    pub variant: Option<String>,
    pub outcome: String,
    pub reason: Option<String>,
    pub passes: Option<f64>,
    pub fails: Option<f64>,
    pub binding: Option<Binding>,
    #[serde(default)]
    pub notes: Vec<String>,
    #[serde(default)]
    pub probes: Vec<Probe>,
}

#[derive(Deserialize, Debug)]
pub(super) struct Binding {
    pub at_fails: Pressure,
    pub share_at_passes: Option<f64>,
}

#[derive(Deserialize, Debug)]
pub(super) struct Pressure {
    pub kind: String,
    pub at: String,
    pub share: f64,
    pub mean: Option<f64>,
    pub limit: Option<String>,
}

#[derive(Deserialize, Debug)]
pub(super) struct Probe {
    pub at: f64,
    pub replications: u32,
    pub clauses: Vec<Clause>,
}

#[derive(Deserialize, Debug)]
pub(super) struct Clause {
    pub that: String,
    pub metric: String,
    pub limit: Option<f64>,
    pub observed: Option<Observed>,
    pub verdict: String,
}

#[derive(Clone, Copy, Deserialize, Debug)]
pub(super) struct Observed {
    pub mean: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
}

/// Why a text is no study.
#[derive(Error, Clone, PartialEq, Eq, Debug)]
pub enum Unfit {
    /// It ends too early.
    #[error("this {kind} is cut off in line {line}: write it again with `scsim {kind} ... --json FILE`")]
    CutOff {
        /// `sweep` or `capacity`.
        kind: &'static str,
        /// Its last line.
        line: usize,
    },
    /// It was written for another reader.
    #[error(
        "this file has the schema \"{found}\", which is newer than this scsim reads (scsim.{kind}/1): update scsim"
    )]
    Newer {
        /// `sweep` or `capacity`.
        kind: &'static str,
        /// What the file says.
        found: String,
    },
    /// Something in it is wrong.
    #[error("this {kind} is damaged: {what}; write it again with `scsim {kind} ... --json FILE`")]
    Damaged {
        /// `sweep` or `capacity`.
        kind: &'static str,
        /// What is wrong.
        what: String,
    },
}

const KINDS: [&str; 2] = ["sweep", "capacity"];

/// The study in a text; `None` if it is of another kind.
///
/// # Errors
/// [`Unfit`] if it is a study, but none that can be drawn.
pub fn read(text: &str) -> Result<Option<Study>, Unfit> {
    let whole: Value = match serde_json::from_str(text) {
        Ok(whole) => whole,
        Err(error) => {
            let Some(kind) = looks_like(text).filter(|_| error.classify() == Category::Eof) else { return Ok(None) };
            return Err(Unfit::CutOff { kind, line: error.line() });
        }
    };
    let Some((name, version)) = super::text_at(&whole, "schema").and_then(|name| name.split_once('/')) else {
        return Ok(None);
    };
    let Some(kind) = KINDS.into_iter().find(|kind| name.strip_prefix("scsim.") == Some(kind)) else {
        return Ok(None);
    };
    if version != "1" {
        return Err(Unfit::Newer { kind, found: format!("{name}/{version}") });
    }
    let damaged = |what: String| Unfit::Damaged { kind, what };
    let typed = |error: serde_json::Error| damaged(error.to_string());
    let what = if kind == "sweep" {
        let sweep: Sweep = serde_json::from_str(text).map_err(typed)?;
        sweep.check().map_err(damaged)?;
        What::Sweep(sweep)
    } else {
        let capacity: Capacity = serde_json::from_str(text).map_err(typed)?;
        capacity.check().map_err(damaged)?;
        What::Capacity(capacity)
    };
    Ok(Some(Study { what, whole }))
}

/// What the beginning of a text says it is: sweeps begin with their schema, searches with their answers.
fn looks_like(text: &str) -> Option<&'static str> {
    let begin: String = text.chars().filter(|c| !c.is_whitespace()).take(200).collect();
    if begin.contains("\"scsim.sweep/") {
        Some("sweep")
    } else if begin.contains("\"scsim.capacity/") || begin.starts_with("{\"answers\"") {
        Some("capacity")
    } else {
        None
    }
}

impl Study {
    /// The scenario that was varied.
    pub(super) fn origin(&self) -> &Origin {
        match &self.what {
            What::Sweep(sweep) => &sweep.scenario,
            What::Capacity(capacity) => &capacity.scenario,
        }
    }

    /// What its scenario is called: the name of its file, else its title.
    pub fn name(&self) -> String {
        let origin = self.origin();
        if origin.file.is_empty() { origin.title.clone() } else { compare::stem(&origin.file).to_owned() }
    }

    /// True if `name` means its scenario.
    pub fn is_called(&self, name: &str) -> bool {
        let origin = self.origin();
        name == origin.title || name == origin.file || name == self.name()
    }

    /// True if it varied the scenario of a result.
    pub fn varies(&self, taken: &Taken) -> bool {
        self.is_of(&taken.result)
    }

    /// The title of that scenario.
    pub fn title(&self) -> &str {
        &self.origin().title
    }

    pub(super) fn schema(&self) -> &'static str {
        match &self.what {
            What::Sweep(_) => "scsim.sweep/1",
            What::Capacity(_) => "scsim.capacity/1",
        }
    }

    pub(super) fn seed(&self) -> u64 {
        match &self.what {
            What::Sweep(sweep) => sweep.seed,
            What::Capacity(capacity) => capacity.seed,
        }
    }

    pub(super) fn model(&self) -> u32 {
        match &self.what {
            What::Sweep(sweep) => sweep.scsim.model,
            What::Capacity(capacity) => capacity.scsim.model,
        }
    }

    /// True if it varied the scenario of a result: equal digests, or the same title in a file of the same name.
    pub(super) fn is_of(&self, result: &Outcome) -> bool {
        let (mine, theirs) = (self.origin(), &result.scenario);
        (!mine.digest.is_empty() && mine.digest == theirs.digest)
            || mine.title == theirs.title && compare::stem(&mine.file) == compare::stem(&theirs.file)
    }

    /// True if both varied one scenario.
    pub(super) fn is_beside(&self, other: &Study) -> bool {
        let (mine, theirs) = (self.origin(), other.origin());
        mine.title == theirs.title && compare::stem(&mine.file) == compare::stem(&theirs.file)
    }
}

impl Sweep {
    /// One field at a time, the others as in the file.
    pub(super) fn is_single(&self) -> bool {
        self.mode != "grid"
    }

    fn check(&self) -> Result<(), String> {
        if !["grid", "one-at-a-time"].contains(&self.mode.as_str()) {
            return Err(format!("its mode is `{}`", self.mode));
        }
        confidence(self.confidence)?;
        if self.axes.is_empty() || self.cells.is_empty() {
            return Err("it varies nothing or has no cell".to_owned());
        }
        // Sweeps may have a hundred thousand values.
        let known: Vec<BTreeSet<&str>> =
            self.axes.iter().map(|axis| axis.values.iter().map(String::as_str).collect()).collect();
        self.cells.iter().try_for_each(|cell| {
            if cell.values.len() != self.axes.len() {
                return Err(format!(
                    "cell {} has {} values for {} fields",
                    cell.number,
                    cell.values.len(),
                    self.axes.len()
                ));
            }
            let strange =
                cell.values.iter().zip(&self.axes).zip(&known).find_map(|((value, axis), known)| match value {
                    Some(value) if !known.contains(value.as_str()) => Some(format!("`{value}` for {}", axis.key)),
                    None if !self.is_single() => Some(format!("nothing for {}", axis.key)),
                    _ => None,
                });
            strange.map_or(Ok(()), |what| Err(format!("cell {} has {what}, which the sweep does not", cell.number)))
        })
    }
}

impl Capacity {
    fn check(&self) -> Result<(), String> {
        confidence(self.confidence)?;
        for answer in &self.answers {
            if let Some(probe) = answer.probes.iter().find(|probe| probe.clauses.len() != self.slo.len()) {
                let (found, asked) = (probe.clauses.len(), self.slo.len());
                return Err(format!(
                    "plane `{}` has {found} clauses at {}, {asked} were asked",
                    answer.plane, probe.at
                ));
            }
        }
        Ok(())
    }
}

fn confidence(value: f64) -> Result<(), String> {
    if (0.5..1.0).contains(&value) { Ok(()) } else { Err(format!("a confidence of {value}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWEEP: &str = r#"{"schema":"scsim.sweep/1","scsim":{"model":3},"scenario":{"title":"t"},"seed":1,"replications":2,
        "confidence":0.95,"mode":"grid","axes":[{"key":"a","values":["1","2"]}],
        "cells":[{"cell":0,"values":["1"],"planes":[]},{"cell":1,"values":["2"],"planes":[]}]}"#;

    #[test]
    fn what_is_no_study_is_left_to_others() {
        for text in
            ["{}", "[]", "3", "title = 1", r#"{"schema":"scsim.result/1"}"#, r#"{"schema":"scsim.sweeps/1"}"#, "{"]
        {
            assert!(matches!(read(text), Ok(None)), "{text}");
        }
        assert!(read(SWEEP).unwrap().is_some());
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        for end in 30..SWEEP.len() {
            assert!(matches!(read(&SWEEP[..end]), Err(Unfit::CutOff { kind: "sweep", .. })), "cut at {end}");
        }
        let newer = read(&SWEEP.replace("sweep/1", "sweep/2")).unwrap_err();
        assert_eq!(newer, Unfit::Newer { kind: "sweep", found: "scsim.sweep/2".to_owned() });
        for (from, to) in [
            (r#""values":["2"]"#, r#""values":["3"]"#),
            (r#""values":["2"]"#, r#""values":[null]"#),
            (r#""values":["2"]"#, r#""values":[]"#),
            ("0.95", "95"),
            ("grid", "spiral"),
            (r#""seed":1"#, r#""seed":-1"#),
        ] {
            let text = SWEEP.replace(from, to);
            assert!(matches!(read(&text), Err(Unfit::Damaged { .. })), "{to}");
        }
    }
}
