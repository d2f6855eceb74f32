//! Checks the engine against queueing theory: scenarios whose results are known beforehand.
//!
//! *Knows* the validation scenarios, how a result is compared with its reference and what counts
//! as inside. *Does not know* how anything is simulated: a case is an ordinary scenario that goes
//! through the ordinary replication and the ordinary figures.
//! Invariant: a tolerance is the reference's own; nothing here widens it.

mod coverage;
mod figures;
mod library;
mod reference;
mod table;

pub use coverage::Coverage;
pub use coverage::coverage;
pub use library::FILES;
pub use reference::Bound;
pub use reference::Demand;
pub use reference::Quick;
pub use reference::Reference;
pub use reference::Value;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;

use crate::measure::estimate::Estimate;
use crate::report::figure::Sheet;
use crate::scenario;
use crate::scenario::LoadOptions;
use crate::scenario::Scenario;
use crate::sim;
use crate::sim::Conduct;
use crate::sim::RunError;
use figures::Figure;

/// What to check and how.
pub struct Options<'a> {
    /// Only these cases; all if empty.
    pub ids: Vec<String>,
    /// The short subset, in short runs.
    pub quick: bool,
    /// Threads; 0 is one per core.
    pub jobs: usize,
    /// Set from outside to stop early.
    pub stop: &'a AtomicBool,
    /// Told of each file when it is done.
    pub done: &'a dyn Fn(&CaseResult),
}

/// Why a validation could not be carried out.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum ValidateError {
    /// No file has that case.
    #[error("find a case `{id}`")]
    UnknownCase {
        /// As given.
        id: String,
    },
    /// A file of the library is broken.
    #[error("read {file}: {problem}")]
    File {
        /// Which.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// A run hit a limit.
    #[error("run {file}: {error}")]
    Run {
        /// Which file.
        file: String,
        /// The limit.
        error: RunError,
    },
    /// Stopped from outside.
    #[error("finish: it was stopped")]
    Stopped,
}

/// What became of one file.
#[derive(Clone, PartialEq, Debug)]
pub struct CaseResult {
    /// The file's stem.
    pub file: String,
    /// What it refers to.
    pub reference: Reference,
    /// One per value.
    pub checks: Vec<Check>,
    /// User requests simulated, all replications and planes.
    pub requests: u64,
    /// Replications.
    pub replications: u32,
    /// Sentences about books that do not balance.
    pub problems: Vec<String>,
}

/// One reference value and the result.
#[derive(Clone, PartialEq, Debug)]
pub struct Check {
    /// `T_mean`.
    pub name: String,
    /// The reference.
    pub reference: f64,
    /// The run's figure in the reference's unit; `None` if the run has none.
    pub result: Option<Estimate>,
    /// What became of it.
    pub verdict: Verdict,
}

/// Whether a result agrees with its reference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Within the tolerance.
    Inside,
    /// Beyond it, but the reference lies in the run's interval, and the tolerance allows that.
    InInterval,
    /// Neither.
    Outside,
}

impl Verdict {
    /// The word in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Inside => "inside",
            Verdict::InInterval => "in interval",
            Verdict::Outside => "OUTSIDE",
        }
    }
}

impl CaseResult {
    /// Every value agrees and the books balance.
    pub fn holds(&self) -> bool {
        self.problems.is_empty() && self.checks.iter().all(|check| check.verdict != Verdict::Outside)
    }
}

impl Check {
    /// Relative error of the result; absolute where the reference is zero.
    pub fn error(&self) -> Option<f64> {
        let difference = self.result?.mean - self.reference;
        Some(if self.reference == 0.0 { difference } else { difference / self.reference })
    }
}

/// All results.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Outcome {
    /// In the order of the library.
    pub cases: Vec<CaseResult>,
}

impl Outcome {
    /// Cases, by the id that their files share.
    pub fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = self.cases.iter().map(|case| case.reference.id.as_str()).collect();
        ids.dedup();
        ids
    }
    /// Cases of which a file does not hold.
    pub fn outside(&self) -> Vec<&str> {
        let mut ids: Vec<&str> =
            self.cases.iter().filter(|case| !case.holds()).map(|case| case.reference.id.as_str()).collect();
        ids.dedup();
        ids
    }
    /// Every case holds.
    pub fn holds(&self) -> bool {
        self.cases.iter().all(CaseResult::holds)
    }
}

/// A file of the library, ready to run.
struct Case {
    file: &'static str,
    reference: Reference,
    scenario: Scenario,
    figures: Vec<Figure>,
}

/// Runs the cases asked for.
///
/// # Errors
/// [`ValidateError`] if a case is unknown, a file is broken, a run hits a limit or is stopped.
pub fn run(options: &Options<'_>) -> Result<Outcome, ValidateError> {
    let mut known = Vec::new();
    let mut cases = Vec::new();
    for &(file, text) in FILES {
        let reference = reference_of(file, text)?;
        known.push(reference.id.clone());
        known.push(file.to_owned());
        let asked = options.ids.is_empty() || options.ids.iter().any(|id| *id == reference.id || id == file);
        if asked && (!options.quick || reference.quick.is_some()) {
            cases.push(case(file, text, reference, options.quick)?);
        }
    }
    if let Some(id) = options.ids.iter().find(|id| !known.contains(id)) {
        return Err(ValidateError::UnknownCase { id: id.clone() });
    }
    let mut outcome = Outcome::default();
    for case in &cases {
        let result = result(case, options)?;
        (options.done)(&result);
        outcome.cases.push(result);
    }
    Ok(outcome)
}

/// The ids of all cases, in the order of the library, each once.
///
/// # Errors
/// [`ValidateError::File`] if a file is broken.
pub fn ids() -> Result<Vec<String>, ValidateError> {
    let mut ids = Vec::new();
    for &(file, text) in FILES {
        let id = reference_of(file, text)?.id;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

fn reference_of(file: &str, text: &str) -> Result<Reference, ValidateError> {
    let problem = |problem: String| ValidateError::File { file: file.to_owned(), problem };
    Reference::parse(text).map_err(problem)?.ok_or_else(|| problem("it has no [x_reference]".to_owned()))
}

fn case(file: &'static str, text: &str, reference: Reference, quick: bool) -> Result<Case, ValidateError> {
    let mut options = LoadOptions::default();
    if let Some(short) = reference.quick.as_ref().filter(|_| quick) {
        options.duration = Some(short.duration.clone());
        options.set.push(format!("run.warmup={}", short.warmup));
        options.replications = Some(short.replications);
    }
    let scenario = parse(file, text, &options)?;
    let figures = reference.values.iter().map(|(name, value)| {
        let problem = |problem| ValidateError::File { file: file.to_owned(), problem: format!("{name}: {problem}") };
        Figure::named(value, &scenario).map_err(problem)
    });
    Ok(Case { file, figures: figures.collect::<Result<_, _>>()?, reference, scenario })
}

fn parse(file: &str, text: &str, options: &LoadOptions) -> Result<Scenario, ValidateError> {
    let loaded = scenario::parse(&format!("{file}.toml"), text, Path::new("."), options);
    let loaded = loaded.map_err(|found| {
        let messages: Vec<String> = found.into_iter().map(|diagnostic| diagnostic.message).collect();
        ValidateError::File { file: file.to_owned(), problem: messages.join("; ") }
    })?;
    if let Some(left_out) = loaded.scenario.unmodelled.first() {
        let problem = format!("{left_out:?} is not modelled");
        return Err(ValidateError::File { file: file.to_owned(), problem });
    }
    Ok(loaded.scenario)
}

/// Figures taken from recordings, by replication and plane.
type Samples = BTreeMap<(u32, usize), Vec<Option<f64>>>;

/// Simulator events after which a run is given up.
const EVENTS_MAX: u64 = 4_000_000_000;

fn result(case: &Case, options: &Options<'_>) -> Result<CaseResult, ValidateError> {
    let conduct =
        Conduct { jobs: options.jobs, only: None, events_max: EVENTS_MAX, stop: options.stop, progress: &|_| {} };
    // By replication, so that sums do not depend on which thread was first.
    let samples: Mutex<Samples> = Mutex::new(BTreeMap::new());
    let study = sim::replicate_with(&case.scenario, &conduct, |plane, replication, limits| {
        let recording = sim::run(&case.scenario, plane, replication, limits)?;
        let row = case.figures.iter().map(|figure| figure.sample(plane, &recording)).collect();
        samples.lock().unwrap_or_else(PoisonError::into_inner).insert((replication, plane), row);
        Ok(recording)
    });
    let study = study.map_err(|error| ValidateError::Run { file: case.file.to_owned(), error })?;
    if study.partial {
        return Err(ValidateError::Stopped);
    }
    let samples = samples.into_inner().unwrap_or_else(PoisonError::into_inner);
    let sheet = Sheet::new(&case.scenario, &study);
    let checks = case.reference.values.iter().zip(&case.figures).enumerate();
    // A short run sees too few of the slowest thousandth.
    let checks = checks.filter(|(_, ((_, value), _))| !options.quick || value.metric != "p99.9");
    let checks = checks.map(|(i, ((name, value), figure))| {
        let own: Vec<f64> = samples.values().filter_map(|row| row[i]).collect();
        let result = figure.estimate(&sheet, &own, case.reference.unit_ms);
        let verdict = judge(value, result, case.reference.or_inside_interval);
        Check { name: name.clone(), reference: value.value, result, verdict }
    });
    Ok(CaseResult {
        file: case.file.to_owned(),
        checks: checks.collect(),
        requests: study.engine.requests,
        replications: study.replications,
        problems: study.planes.iter().flat_map(|plane| plane.books.problems.iter().cloned()).collect(),
        reference: case.reference.clone(),
    })
}

/// Compares a result with its reference.
fn judge(value: &Value, result: Option<Estimate>, or_inside_interval: bool) -> Verdict {
    let (Some(result), Ok(demand)) = (result, value.demand()) else { return Verdict::Outside };
    let reference = value.value;
    // A hair for the arithmetic: "exactly 8" is 8.000000001 after a division.
    let hair = 1e-9 * reference.abs();
    let off = result.mean - reference;
    let inside = match demand {
        Demand::Within(share) => off.abs() <= share * reference.abs() + hair,
        Demand::PlusMinus(half) => off.abs() <= half + hair,
        Demand::Bounded(Bound::Least, share) => off >= -hair && off <= share * reference.abs() + hair,
        Demand::Bounded(Bound::Most, share) => off <= hair && off >= -share * reference.abs() - hair,
        Demand::Overlap(half) => {
            let (low, high) = (result.low.unwrap_or(result.mean), result.high.unwrap_or(result.mean));
            low <= reference + half && high >= reference - half
        }
    };
    let covered = matches!((result.low, result.high), (Some(low), Some(high)) if low <= reference && reference <= high);
    if inside {
        Verdict::Inside
    } else if or_inside_interval && covered {
        Verdict::InInterval
    } else {
        Verdict::Outside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        toml::from_str(&format!("value = 10.0\nmetric = \"mean\"\n{text}")).unwrap()
    }

    #[expect(clippy::unnecessary_wraps, reason = "the judge takes what a run may not have")]
    fn estimate(mean: f64, half: f64) -> Option<Estimate> {
        Some(Estimate { mean, low: Some(mean - half), high: Some(mean + half), worst: mean, replications: 10 })
    }

    #[test]
    fn an_interval_helps_only_where_the_tolerance_says_so() {
        let one_percent = value("within = \"1%\"");
        assert_eq!(judge(&one_percent, estimate(10.09, 0.01), false), Verdict::Inside);
        assert_eq!(judge(&one_percent, estimate(10.2, 0.3), false), Verdict::Outside);
        assert_eq!(judge(&one_percent, estimate(10.2, 0.3), true), Verdict::InInterval);
        assert_eq!(judge(&one_percent, estimate(10.2, 0.1), true), Verdict::Outside);
        assert_eq!(judge(&one_percent, None, true), Verdict::Outside);
    }

    #[test]
    fn two_intervals_overlap_or_not() {
        let simulated = value("ci95 = 0.1");
        assert_eq!(judge(&simulated, estimate(10.25, 0.16), false), Verdict::Inside);
        assert_eq!(judge(&simulated, estimate(10.25, 0.14), false), Verdict::Outside);
    }

    #[test]
    fn a_bound_is_never_passed() {
        let least = value("bound = \"least\"\nwithin = \"1%\"");
        assert_eq!(judge(&least, estimate(10.05, 0.0), false), Verdict::Inside);
        assert_eq!(judge(&least, estimate(9.999, 0.0), false), Verdict::Outside);
        assert_eq!(judge(&least, estimate(10.2, 0.0), false), Verdict::Outside);
    }
}
