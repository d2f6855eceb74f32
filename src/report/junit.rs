//! Outcomes as JUnit XML: a suite per scenario, a case per expectation and plane.
//!
//! *Knows* XML and what build machines make of it. *Does not know* how anything was judged.
//! Whatever a scenario's texts hold, what is written is well-formed.

use std::fmt::Write as _;

use super::expect::Verdict;
use super::json::VERSION;
use super::suite::Case;
use super::suite::Outcome;
use super::suite::Status;
use crate::MODEL_VERSION;

/// The whole file.
pub fn render(outcomes: &[Outcome]) -> String {
    let mut body = String::new();
    let mut all = Totals::default();
    for outcome in outcomes {
        let totals = totals(outcome);
        all.tests += totals.tests;
        all.failures += totals.failures;
        all.errors += totals.errors;
        all.skipped += totals.skipped;
        suite(&mut body, outcome, &totals);
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"scsim\" {}>\n{body}</testsuites>\n",
        all.attributes()
    )
}

#[derive(Default)]
struct Totals {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Totals {
    fn attributes(&self) -> String {
        let Totals { tests, failures, errors, skipped } = self;
        format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
    }
}

fn totals(outcome: &Outcome) -> Totals {
    let of = |verdict| outcome.cases.iter().filter(|case| case.counts_as == verdict).count();
    let regressions = outcome.regressions().len();
    let errors = usize::from(outcome.status == Status::Broken);
    let stopped = usize::from(outcome.status == Status::Interrupted && outcome.cases.is_empty());
    Totals {
        tests: outcome.cases.len() + regressions + errors + stopped,
        failures: of(Verdict::Fails) + regressions,
        errors,
        skipped: of(Verdict::Inconclusive) + stopped,
    }
}

fn suite(out: &mut String, outcome: &Outcome, totals: &Totals) {
    let name = escaped(&outcome.name);
    let _ = writeln!(
        out,
        "  <testsuite name=\"{name}\" {} time=\"{:.3}\" file=\"{}\">",
        totals.attributes(),
        outcome.wall_s,
        escaped(&outcome.file)
    );
    let model = MODEL_VERSION.to_string();
    let (seed, replications) = (outcome.seed.to_string(), outcome.replications.to_string());
    out.push_str("    <properties>\n");
    for (key, value) in [
        ("title", outcome.title.as_str()),
        ("seed", &seed),
        ("replications", &replications),
        ("digest", &outcome.digest),
        ("version", VERSION),
        ("model", &model),
    ] {
        let _ = writeln!(out, "      <property name=\"{key}\" value=\"{}\"/>", escaped(value));
    }
    out.push_str("    </properties>\n");
    for case in &outcome.cases {
        expectation(out, &name, outcome, case);
    }
    for (_, sentence) in outcome.regressions() {
        let title = escaped(&format!("baseline: {sentence}"));
        let _ = writeln!(out, "    <testcase classname=\"{name}\" name=\"{title}\">");
        element(out, "failure", &sentence, &outcome.differs().map_or_else(String::new, |d| format!("differs: {d}")));
        out.push_str("    </testcase>\n");
    }
    if outcome.status == Status::Broken {
        let _ = writeln!(out, "    <testcase classname=\"{name}\" name=\"can be run\">");
        let texts: Vec<&str> = outcome.problems.iter().map(|p| p.text.as_str()).collect();
        element(out, "error", texts.first().unwrap_or(&"it cannot be run"), &texts.join("\n"));
        out.push_str("    </testcase>\n");
    } else if outcome.status == Status::Interrupted && outcome.cases.is_empty() {
        let _ = writeln!(out, "    <testcase classname=\"{name}\" name=\"was run\">");
        element(out, "skipped", "interrupted before it began", "");
        out.push_str("    </testcase>\n");
    }
    out.push_str("  </testsuite>\n");
}

fn expectation(out: &mut String, suite: &str, outcome: &Outcome, case: &Case) {
    let title = if case.plane.is_empty() { case.that.clone() } else { format!("{} @ {}", case.that, case.plane) };
    let _ = write!(out, "    <testcase classname=\"{suite}\" name=\"{}\" line=\"{}\"", escaped(&title), case.line);
    let remark = if case.remark.is_empty() { String::new() } else { format!(": {}", case.remark) };
    let message = format!("observed {}{remark}", case.observed);
    let text = format!("{message}\n{}:{}\nrerun: {}", outcome.file, case.line, case.rerun);
    match (case.counts_as, case.verdict) {
        (Verdict::Holds, Verdict::Holds) => {
            out.push_str("/>\n");
            return;
        }
        (Verdict::Holds, _) => {
            // A warning, or an inconclusive one that is to pass: nothing fails, but it can be read.
            let _ = writeln!(out, ">\n      <system-out>{}</system-out>", escaped(&text));
        }
        (Verdict::Fails, _) => {
            out.push_str(">\n");
            element(out, "failure", &message, &text);
        }
        (Verdict::Inconclusive, _) => {
            out.push_str(">\n");
            element(out, "skipped", &format!("inconclusive, {message}"), &text);
        }
    }
    out.push_str("    </testcase>\n");
}

fn element(out: &mut String, name: &str, message: &str, text: &str) {
    let _ = writeln!(out, "      <{name} message=\"{}\">{}</{name}>", escaped(message), escaped(text));
}

/// Text as XML takes it, in content and in attributes; what XML cannot hold at all becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
