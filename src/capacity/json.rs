//! Capacity as `scsim.capacity/1`.
//!
//! *Knows* the names of fields. *Does not know* how a figure was come by.

use serde_json::Value;
use serde_json::json;

use crate::capacity::answer::Answer;
use crate::capacity::answer::Outcome;
use crate::capacity::answer::Study;
use crate::capacity::pressure::Pressure;
use crate::capacity::probe::Probe;
use crate::capacity::search::Kind;
use crate::capacity::search::Verdict;
use crate::measure::estimate::Estimate;
use crate::report::json::VERSION;

/// The schema's name.
pub const SCHEMA: &str = "scsim.capacity/1";

/// A whole study.
pub fn render(study: &Study) -> String {
    let value = json!({
        "schema": SCHEMA,
        "scsim": { "version": VERSION, "model": crate::MODEL_VERSION },
        "scenario": { "file": study.file, "title": study.title, "digest": study.digest },
        "slo": study.slo,
        "seed": study.seed,
        "replications": { "first": study.replications.0, "most": study.replications.1 },
        "confidence": study.confidence,
        "duration_s": study.duration_s,
        "within": study.within,
        "varied": unit(study.kind),
        "service": study.service,
        "start": study.start,
        "answers": study.answers.iter().map(answer).collect::<Vec<Value>>(),
    });
    serde_json::to_string_pretty(&value).expect("every key is a string and no number is special") + "\n"
}

/// What positions count.
pub const fn unit(kind: Kind) -> &'static str {
    match kind {
        Kind::Rate => "requests_per_second",
        Kind::Tasks => "tasks",
    }
}

/// A verdict's name in files.
pub const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passes => "passes",
        Verdict::Fails => "fails",
        Verdict::Undecided => "undecided",
    }
}

fn answer(answer: &Answer) -> Value {
    let (outcome, reason) = match &answer.outcome {
        Outcome::Found => ("found", None),
        Outcome::NeverBroken => ("never-broken", None),
        Outcome::NeverMet => ("never-met", None),
        Outcome::Undecided => ("undecided", None),
        Outcome::NotApplicable(why) => ("not-applicable", Some(why)),
    };
    json!({
        "plane": answer.plane,
        "variant": answer.variant,
        "outcome": outcome,
        "reason": reason,
        "passes": answer.bracket.passes,
        "fails": answer.bracket.fails,
        "undecided": answer.bracket.undecided,
        "passes_beyond": answer.bracket.passes_beyond,
        "binding": answer.binding.as_ref().map(|binding| json!({
            "at_fails": pressure(&binding.pressure),
            "share_at_passes": binding.before,
        })),
        "notes": answer.notes,
        "probes": answer.probes.iter().map(probe).collect::<Vec<Value>>(),
    })
}

fn probe(probe: &Probe) -> Value {
    let clauses: Vec<Value> = probe
        .clauses
        .iter()
        .map(|clause| {
            json!({
                "that": clause.that,
                "metric": clause.metric,
                "limit": finite(clause.limit),
                "observed": clause.observed.as_ref().map(estimate),
                "verdict": verdict(clause.verdict),
            })
        })
        .collect();
    json!({
        "at": probe.at,
        "verdict": verdict(probe.verdict),
        "replications": probe.replications,
        "error_rate": probe.error_rate,
        "clauses": clauses,
        "pressures": probe.pressures.iter().map(pressure).collect::<Vec<Value>>(),
    })
}

fn pressure(pressure: &Pressure) -> Value {
    json!({
        "kind": pressure.kind.name(),
        "at": pressure.at,
        "share": pressure.share,
        "mean": pressure.mean,
        "limit": pressure.limit,
    })
}

fn estimate(estimate: &Estimate) -> Value {
    json!({
        "mean": finite(estimate.mean),
        "low": estimate.low.and_then(finite),
        "high": estimate.high.and_then(finite),
        "worst": finite(estimate.worst),
    })
}

/// JSON has no infinity.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
