//! One position, judged: the clauses of the SLO by their intervals, and how busy everything was.
//!
//! *Knows* when an interval decides, and when too few requests were seen for it to. *Does not know*
//! where the next probe will be.

use crate::capacity::pressure;
use crate::capacity::pressure::Pressure;
use crate::capacity::search::Verdict;
use crate::measure::estimate::Estimate;
use crate::report::expect;
use crate::report::expect::Judgement;
use crate::report::figure;
use crate::report::figure::Place;
use crate::report::figure::Sheet;
use crate::report::figure::Unit;
use crate::scenario::Expect;
use crate::scenario::Metric;
use crate::scenario::Operand;

/// What a position showed.
#[derive(Clone, PartialEq, Debug)]
pub struct Probe {
    /// The rate or the number of tasks.
    pub at: f64,
    /// All clauses together.
    pub verdict: Verdict,
    /// Replications run.
    pub replications: u32,
    /// Each clause.
    pub clauses: Vec<Clause>,
    /// What the users' error rate was, whether or not the SLO speaks of it.
    pub error_rate: Option<f64>,
    /// How busy everything was.
    pub pressures: Vec<Pressure>,
}

/// A clause of the SLO at one position.
#[derive(Clone, PartialEq, Debug)]
pub struct Clause {
    /// As written.
    pub that: String,
    /// The metric's name.
    pub metric: String,
    /// Its unit.
    pub unit: Unit,
    /// The limit, in the metric's unit.
    pub limit: f64,
    /// What was seen; `None` when no request succeeded and the clause is about those that do.
    pub observed: Option<Estimate>,
    /// What came of it.
    pub verdict: Verdict,
}

/// Judges what was run at a position on the one plane `plane`.
///
/// # Errors
/// In words, why a clause cannot be judged however often it is run.
pub fn judge(sheet: &Sheet<'_>, plane: usize, at: f64) -> Result<Probe, String> {
    let mut clauses = Vec::new();
    for judgement in expect::judge(sheet).iter().filter(|judgement| judgement.plane == Some(plane)) {
        clauses.push(clause(sheet, plane, judgement)?);
    }
    let any = |verdict| clauses.iter().any(|clause: &Clause| clause.verdict == verdict);
    let verdict = match (any(Verdict::Fails), any(Verdict::Undecided)) {
        (true, _) => Verdict::Fails,
        (false, true) => Verdict::Undecided,
        (false, false) => Verdict::Passes,
    };
    Ok(Probe {
        at,
        verdict,
        replications: sheet.study.replications,
        clauses,
        error_rate: sheet.estimate(Metric::ErrorRate, Place::users(plane)).map(|estimate| estimate.mean),
        pressures: pressure::all(sheet, plane),
    })
}

fn clause(sheet: &Sheet<'_>, plane: usize, judgement: &Judgement) -> Result<Clause, String> {
    let expect = &sheet.scenario.expects[judgement.expect];
    let (metric, limit) = parts(expect);
    let users = sheet.result(plane).pooled.first();
    let (requests, succeeded) = users.map_or((0, 0), |calls| (calls.requests, calls.succeeded()));
    let verdict = match judgement.verdict {
        expect::Verdict::Fails => Verdict::Fails,
        expect::Verdict::Holds if is_luck(metric, limit, requests, requests - succeeded) => Verdict::Undecided,
        expect::Verdict::Holds => Verdict::Passes,
        // What nobody got an answer to was not answered in time.
        expect::Verdict::Inconclusive if judgement.observed.is_none() && requests > 0 && succeeded == 0 => {
            Verdict::Fails
        }
        expect::Verdict::Inconclusive if judgement.observed.is_none() => {
            let why = judgement.note.clone().unwrap_or_else(|| "there is no value".to_owned());
            return Err(format!("`{}` cannot be judged: {why}", expect.that));
        }
        expect::Verdict::Inconclusive => Verdict::Undecided,
    };
    let (name, unit) = (figure::name(metric), figure::unit(metric));
    Ok(Clause { that: expect.that.clone(), metric: name, unit, limit, observed: judgement.observed, verdict })
}

/// The metric and the number of a clause; an SLO has no others.
pub fn parts(expect: &Expect) -> (Metric, f64) {
    match (&expect.left, &expect.right) {
        (Operand::Metric { metric, .. }, Operand::Number(limit))
        | (Operand::Number(limit), Operand::Metric { metric, .. }) => (*metric, *limit),
        _ => (Metric::Requests, f64::NAN),
    }
}

/// No failure among so few requests says nothing of so small a share: replications without a failure have
/// an interval of no width. By the rule of three, 0 of n excludes no share below 3/n at 95 % (Hanley and
/// Lippman-Hand, JAMA 249 (1983) 1743).
fn is_luck(metric: Metric, limit: f64, requests: u64, failed: u64) -> bool {
    let allowed = match metric {
        Metric::ErrorRate => limit,
        Metric::SuccessRate => 1.0 - limit,
        _ => return false,
    };
    failed == 0 && allowed > 0.0 && 3.0 > allowed * requests as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_failure_among_few_is_no_proof() {
        assert!(is_luck(Metric::ErrorRate, 0.001, 2_999, 0));
        assert!(!is_luck(Metric::ErrorRate, 0.001, 3_000, 0));
        assert!(!is_luck(Metric::ErrorRate, 0.001, 100, 1), "a failure gives the interval a width");
        assert!(is_luck(Metric::SuccessRate, 0.999, 500, 0));
        assert!(!is_luck(Metric::ErrorRate, 0.0, 10, 0), "a share of nothing is what was asked for");
        assert!(!is_luck(Metric::Mean, 0.001, 10, 0));
    }
}
