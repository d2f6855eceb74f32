//! What a search came to, on one plane and with one thing missing or none.
//!
//! *Knows* what may be claimed of a bracket. *Does not know* how it is shown.

use crate::capacity::pressure;
use crate::capacity::pressure::Binding;
use crate::capacity::probe::Clause;
use crate::capacity::probe::Probe;
use crate::capacity::search::Bracket;
use crate::capacity::search::Kind;
use crate::capacity::search::Line;
use crate::capacity::search::Verdict;
use crate::scenario::Scenario;

/// Everything that was asked, and the answers.
pub struct Study {
    /// As the user named it.
    pub file: String,
    /// Of the scenario.
    pub title: String,
    /// Of the scenario, without what was varied.
    pub digest: String,
    /// The clauses, as written.
    pub slo: Vec<String>,
    /// Rates or tasks.
    pub kind: Kind,
    /// The service whose tasks were counted.
    pub service: Option<String>,
    /// What the file says: its highest rate, or its tasks.
    pub start: f64,
    /// The load has one source and one rate.
    pub plain: bool,
    /// The rate changes over the run, so that the highest is named.
    pub shaped: bool,
    /// The seed of every probe.
    pub seed: u64,
    /// The confidence of every interval.
    pub confidence: f64,
    /// Replications of a probe at the least and at the most.
    pub replications: (u32, u32),
    /// Simulated seconds per run.
    pub duration_s: f64,
    /// How far a bracket's ends may lie apart.
    pub within: f64,
    /// By plane, and on each by variant.
    pub answers: Vec<Answer>,
}

/// One plane, one variant.
pub struct Answer {
    /// The plane.
    pub plane: String,
    /// What is missing; `None` for the scenario as it is.
    pub variant: Option<String>,
    /// What came out.
    pub outcome: Outcome,
    /// Every probe, by position.
    pub probes: Vec<Probe>,
    /// The boundary.
    pub bracket: Bracket,
    /// What keeps more from passing.
    pub binding: Option<Binding>,
    /// What else a reader has to know.
    pub notes: Vec<String>,
}

/// What may be said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The boundary lies inside the bracket.
    Found,
    /// Nothing that was tried fails.
    NeverBroken,
    /// Nothing that was tried passes.
    NeverMet,
    /// Nothing surely passes, and nothing surely fails at the easiest position.
    Undecided,
    /// The plane, or the loss, means nothing here.
    NotApplicable(String),
}

/// Busy this much at the last position that passes, a longer run would hardly pass.
const SATURATED: f64 = 0.98;
/// Errors that an SLO without a word on them should not hide.
const SILENT_ERRORS: f64 = 0.01;

impl Answer {
    /// What the probes of a search say. `scenario` is any of them.
    pub fn of(
        plane: &str,
        variant: Option<String>,
        line: &Line,
        scenario: &Scenario,
        mut probes: Vec<Probe>,
    ) -> Answer {
        probes.sort_by(|a, b| a.at.total_cmp(&b.at));
        let seen: Vec<(f64, Verdict)> = probes.iter().map(|probe| (probe.at, probe.verdict)).collect();
        let bracket = line.bracket(&seen);
        let outcome = match (bracket.passes, bracket.fails) {
            (Some(_), Some(_)) => Outcome::Found,
            (Some(_), None) => Outcome::NeverBroken,
            (None, Some(_)) if bracket.undecided.is_empty() => Outcome::NeverMet,
            (None, _) => Outcome::Undecided,
        };
        let mut answer =
            Answer { plane: plane.to_owned(), variant, outcome, probes, bracket, binding: None, notes: Vec::new() };
        if let Some(beyond) = answer.first_failure() {
            let before = answer.last_pass().map_or(&[][..], |probe| &probe.pressures);
            answer.binding = pressure::binding(scenario, before, &beyond.pressures);
        }
        answer.notes = answer.remarks(line);
        answer
    }

    /// A plane, or a loss, that means nothing here.
    pub fn not_applicable(plane: &str, variant: Option<String>, why: String) -> Answer {
        Answer {
            plane: plane.to_owned(),
            variant,
            outcome: Outcome::NotApplicable(why),
            probes: Vec::new(),
            bracket: Bracket::default(),
            binding: None,
            notes: Vec::new(),
        }
    }

    fn at(&self, at: Option<f64>) -> Option<&Probe> {
        let at = at?;
        self.probes.iter().find(|probe| probe.at.total_cmp(&at).is_eq())
    }

    /// The probe at the hardest position that passes.
    pub fn last_pass(&self) -> Option<&Probe> {
        self.at(self.bracket.passes)
    }

    /// The probe at the easiest position that fails.
    pub fn first_failure(&self) -> Option<&Probe> {
        self.at(self.bracket.fails)
    }

    /// The clauses that are broken at the easiest position that fails.
    pub fn broken(&self) -> Vec<&Clause> {
        self.first_failure().map_or_else(Vec::new, |probe| {
            probe.clauses.iter().filter(|clause| clause.verdict == Verdict::Fails).collect()
        })
    }

    fn remarks(&self, line: &Line) -> Vec<String> {
        let mut notes = Vec::new();
        let numbers = |all: &[f64]| all.iter().map(|at| shown(line.kind, *at)).collect::<Vec<_>>().join(", ");
        if !self.bracket.passes_beyond.is_empty() {
            let (beyond, fails) = (numbers(&self.bracket.passes_beyond), numbers(self.bracket.fails.as_slice()));
            notes.push(format!(
                "not monotone: {beyond} passes although {fails} fails; the answer counts only what has no failure on its easier side"
            ));
        }
        if !self.bracket.undecided.is_empty() {
            notes.push(format!(
                "undecided at {}: the interval still holds the limit after {} replications; --max-replications decides more, or a longer --duration",
                numbers(&self.bracket.undecided),
                self.probes.iter().map(|probe| probe.replications).max().unwrap_or(0)
            ));
        }
        let Some(pass) = self.last_pass() else { return notes };
        if let Some(full) = pass.pressures.iter().find(|p| p.kind.is_busy() && p.share >= SATURATED) {
            notes.push(format!(
                "{} is {:.0} % busy where the SLO still holds: its queue grows through the run, and a longer run carries less",
                full.at,
                full.share * 100.0
            ));
        }
        let speaks = pass
            .clauses
            .iter()
            .any(|c| ["error_rate", "success_rate", "failed_requests", "goodput"].contains(&c.metric.as_str()));
        if let Some(errors) = pass.error_rate.filter(|errors| !speaks && *errors > SILENT_ERRORS) {
            notes.push(format!(
                "{:.1} % of the requests fail where the SLO holds, and it says nothing of errors: latencies are those of successes; add error_rate<1%",
                errors * 100.0
            ));
        }
        notes
    }
}

/// A position as people read it.
pub fn shown(kind: Kind, at: f64) -> String {
    match kind {
        Kind::Rate => format!("{}/s", plain(at)),
        Kind::Tasks if at.total_cmp(&1.0).is_eq() => "1 task".to_owned(),
        Kind::Tasks => format!("{at:.0} tasks"),
    }
}

/// A number that can be typed back.
pub fn plain(at: f64) -> String {
    let text = format!("{at:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
