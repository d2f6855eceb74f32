//! Every probe as a line per clause.
//!
//! *Knows* columns. *Does not know* the bracket: that is made of these lines.

use std::fmt::Write as _;

use crate::capacity::answer::Study;
use crate::capacity::answer::plain;
use crate::capacity::json;

/// The first line.
const HEAD: &str = "plane,variant,varied,at,verdict,replications,clause,clause_verdict,mean,low,high\n";

/// A whole study.
pub fn render(study: &Study) -> String {
    let mut out = HEAD.to_owned();
    for answer in &study.answers {
        for probe in &answer.probes {
            for clause in &probe.clauses {
                let of =
                    |value: Option<f64>| value.filter(|v| v.is_finite()).map_or_else(String::new, |v| v.to_string());
                let observed = clause.observed.as_ref();
                let _ = writeln!(
                    out,
                    "{},{},{},{},{},{},{},{},{},{},{}",
                    field(&answer.plane),
                    field(answer.variant.as_deref().unwrap_or("")),
                    json::unit(study.kind),
                    plain(probe.at),
                    json::verdict(probe.verdict),
                    probe.replications,
                    field(&clause.that),
                    json::verdict(clause.verdict),
                    of(observed.map(|estimate| estimate.mean)),
                    of(observed.and_then(|estimate| estimate.low)),
                    of(observed.and_then(|estimate| estimate.high)),
                );
            }
        }
    }
    out
}

fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
