//! Outcomes as GitHub's workflow commands: an annotation beside the line of each failure.
//!
//! *Knows* how `::error` lines are escaped. *Does not know* the job summary's file; it gets the
//! Markdown of `suite` or `markdown`.

use std::fmt::Write as _;

use super::expect::Verdict;
use super::suite::Outcome;

/// A line per failure, inconclusive expectation and problem.
pub fn annotations(outcomes: &[Outcome]) -> String {
    let mut out = String::new();
    for outcome in outcomes {
        for problem in &outcome.problems {
            line(&mut out, "error", &problem.file, problem.line, &outcome.name, &problem.text);
        }
        for case in outcome.cases.iter().filter(|case| case.verdict != Verdict::Holds) {
            let level = match (case.counts_as, case.verdict) {
                (Verdict::Fails, _) => "error",
                (Verdict::Holds, Verdict::Inconclusive) => "notice",
                _ => "warning",
            };
            let what = if case.verdict == Verdict::Fails { "failed" } else { "inconclusive" };
            let remark = if case.remark.is_empty() { String::new() } else { format!(": {}", case.remark) };
            let text = format!(
                "{what}: {} on {}: observed {}{remark}\nrerun: {}",
                case.that, case.plane, case.observed, case.rerun
            );
            line(&mut out, level, &outcome.file, Some(case.line as usize), &outcome.name, &text);
        }
        for (_, sentence) in outcome.regressions() {
            line(&mut out, "error", &outcome.file, None, &outcome.name, &format!("against the baseline: {sentence}"));
        }
    }
    out
}

fn line(out: &mut String, level: &str, file: &str, at: Option<usize>, title: &str, text: &str) {
    let at = at.map_or_else(String::new, |line| format!(",line={line}"));
    let _ = writeln!(out, "::{level} file={}{at},title={}::{}", property(file), property(title), message(text));
}

fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::suite::Problem;

    #[test]
    fn no_text_ends_its_annotation_early() {
        let problem =
            Problem { file: "a,b:c.toml".to_owned(), line: Some(3), text: "50 % of\nit ::error::".to_owned() };
        let outcome = Outcome::broken("a,b:c.toml", "a,b", vec![problem]);
        assert_eq!(
            annotations(&[outcome]),
            "::error file=a%2Cb%3Ac.toml,line=3,title=a%2Cb::50 %25 of%0Ait ::error::\n"
        );
    }
}
