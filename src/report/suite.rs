//! Scenarios as a regression suite: what became of each, in short lines and for programs.
//!
//! *Knows* how judgements and changes against a baseline make a scenario pass or fail. *Does not
//! know* files or exit codes. `junit` and `github` write the same outcomes for build machines.
//! Start reading at [`Outcome`].

use std::fmt::Write as _;

use serde_json::Value;
use serde_json::json;

use super::Report;
use super::compare::Pair;
use super::compare::Verdict as ChangeVerdict;
use super::compare::show;
use super::expect::Judgement;
use super::expect::Verdict;
use super::figure;
use super::figure::Unit;
use super::format;
use super::markdown::escaped;
use super::model;
use super::text::Paint;
use super::text::Style;
use super::text::padded;
use super::text::width;
use crate::scenario::Operand;
use crate::scenario::Severity;

/// What counts as failed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rules {
    /// A failed warning fails its scenario.
    pub warnings_fail: bool,
    /// What an inconclusive expectation is taken for; itself if not given.
    pub inconclusive: Option<Taken>,
}

/// What an inconclusive expectation is taken for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// It holds.
    Held,
    /// It fails.
    Failed,
}

/// What became of a scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Every expectation held.
    Passed,
    /// One failed, or a figure is worse than the baseline.
    Failed,
    /// None failed, one cannot be told.
    Inconclusive,
    /// It could not be run.
    Broken,
    /// It was stopped, or never begun.
    Interrupted,
}

impl Status {
    /// Its word in files.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Passed => "passed",
            Status::Failed => "failed",
            Status::Inconclusive => "inconclusive",
            Status::Broken => "broken",
            Status::Interrupted => "interrupted",
        }
    }

    /// Its four letters at the beginning of a line.
    const fn mark(self) -> (&'static str, Paint) {
        match self {
            Status::Passed => ("PASS", Paint::Good),
            Status::Failed => ("FAIL", Paint::Bad),
            Status::Inconclusive => ("????", Paint::Unsure),
            Status::Broken => ("ERR ", Paint::Bad),
            Status::Interrupted => ("STOP", Paint::Unsure),
        }
    }
}

/// One scenario of a suite.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The file as it was named.
    pub file: String,
    /// What it is called in lines.
    pub name: String,
    /// Its title; empty if it could not be read.
    pub title: String,
    /// What became of it.
    pub status: Status,
    /// Expectations that held on every plane they are judged on.
    pub held: usize,
    /// Expectations.
    pub total: usize,
    /// Seconds on the wall.
    pub wall_s: f64,
    /// Seed.
    pub seed: u64,
    /// Replications that every plane finished.
    pub replications: u32,
    /// Digest of the result; empty without one.
    pub digest: String,
    /// Each expectation on each of its planes.
    pub cases: Vec<Case>,
    /// The comparison with the baseline, where there is one.
    pub baseline: Option<Pair>,
    /// Change against the baseline that nobody minds.
    pub noise: f64,
    /// Why it could not be run.
    pub problems: Vec<Problem>,
    /// Its result file, trimmed; empty without one.
    pub result: String,
}

/// An expectation on a plane.
#[derive(Clone, PartialEq, Debug)]
pub struct Case {
    /// As written, with its window.
    pub that: String,
    /// The planes it looks at.
    pub plane: String,
    /// What was judged.
    pub verdict: Verdict,
    /// What it counts as, once severity and rules are heard.
    pub counts_as: Verdict,
    /// What a failure does.
    pub severity: Severity,
    /// What was observed, with its interval.
    pub observed: String,
    /// What is needed or why; may be empty.
    pub remark: String,
    /// Line in the file.
    pub line: u32,
    /// The command that shows its worst replication again.
    pub rerun: String,
}

/// Why a scenario could not be run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The file, which may be one that it includes.
    pub file: String,
    /// Line in it, if it is about one.
    pub line: Option<usize>,
    /// The problem in a line.
    pub text: String,
}

impl Outcome {
    /// A scenario that could not be run.
    pub fn broken(file: &str, name: &str, problems: Vec<Problem>) -> Outcome {
        Outcome {
            file: file.to_owned(),
            name: name.to_owned(),
            title: String::new(),
            status: Status::Broken,
            held: 0,
            total: 0,
            wall_s: 0.0,
            seed: 0,
            replications: 0,
            digest: String::new(),
            cases: Vec::new(),
            baseline: None,
            noise: 0.0,
            problems,
            result: String::new(),
        }
    }

    /// A scenario that was run. `result` is its result file, if one will be needed.
    pub fn of(report: &Report<'_>, name: &str, rules: Rules, result: String) -> Outcome {
        let (scenario, study) = (report.sheet.scenario, report.sheet.study);
        let cases: Vec<Case> = report.judgements.iter().map(|j| case(report, j, rules)).collect();
        let held = (0..scenario.expects.len())
            .filter(|&i| report.judgements.iter().filter(|j| j.expect == i).all(|j| j.verdict == Verdict::Holds))
            .count();
        let any = |verdict| cases.iter().any(|case| case.counts_as == verdict);
        let status = match (study.partial, any(Verdict::Fails), any(Verdict::Inconclusive)) {
            (true, ..) => Status::Interrupted,
            (_, true, _) => Status::Failed,
            (_, _, true) => Status::Inconclusive,
            _ => Status::Passed,
        };
        Outcome {
            title: scenario.title.clone(),
            status,
            held,
            total: scenario.expects.len(),
            wall_s: study.engine.wall.as_secs_f64(),
            seed: study.seed,
            replications: study.replications,
            digest: report.digest.clone(),
            cases,
            result,
            ..Outcome::broken(&scenario.file, name, Vec::new())
        }
    }

    /// Adds a comparison with the baseline: what is worse there fails.
    pub fn against(&mut self, pair: Pair, noise: f64) {
        self.noise = noise;
        let worse = pair.planes.iter().flat_map(|p| &p.changes).any(|c| c.verdict == ChangeVerdict::Worse);
        if worse && matches!(self.status, Status::Passed | Status::Inconclusive) {
            self.status = Status::Failed;
        }
        self.baseline = Some(pair);
    }

    /// What is worse than in the baseline: plane and sentence.
    pub fn regressions(&self) -> Vec<(&str, String)> {
        let Some(pair) = &self.baseline else { return Vec::new() };
        let all = pair.planes.iter().flat_map(|plane| plane.changes.iter().map(move |change| (plane, change)));
        all.filter(|(_, change)| change.verdict == ChangeVerdict::Worse)
            .map(|(plane, change)| (plane.name.as_str(), show::sentence(&plane.name, change, self.noise)))
            .collect()
    }

    /// What the scenario says differently from the baseline's, in a line; `None` for nothing.
    pub fn differs(&self) -> Option<String> {
        let pair = self.baseline.as_ref().filter(|pair| !pair.differs.is_empty())?;
        Some(pair.differs.iter().map(show::differs).collect::<Vec<_>>().join(", "))
    }
}

fn case(report: &Report<'_>, j: &Judgement, rules: Rules) -> Case {
    let scenario = report.sheet.scenario;
    let expect = &scenario.expects[j.expect];
    let mut planes: Vec<usize> = j.plane.into_iter().collect();
    if planes.is_empty() {
        planes.extend([&expect.left, &expect.right].into_iter().filter_map(|side| match side {
            Operand::Metric { plane, .. } => *plane,
            Operand::Number(_) => None,
        }));
        planes.dedup();
    }
    let planes: Vec<&str> = planes.into_iter().map(|plane| scenario.planes[plane].name.as_str()).collect();
    let unit = j.metric.map_or(Unit::Plain, figure::unit);
    let observed = match &j.observed {
        None => "–".to_owned(),
        Some(e) if e.mean.is_infinite() => "never".to_owned(),
        Some(e) if j.paired => format!("difference {}", model::difference_text(e, unit)),
        Some(e) => format::bracketed(e, unit),
    };
    let mut remarks: Vec<String> = j.note.iter().cloned().collect();
    match (j.verdict, j.needed) {
        (Verdict::Inconclusive, Some(n)) => remarks.push(format!("needs about {n} replications")),
        (Verdict::Inconclusive, None) if j.observed.is_some() => remarks.push("too close to tell".to_owned()),
        _ => {}
    }
    let counts_as = match (j.severity, j.verdict, rules.inconclusive) {
        (Severity::Warn, ..) if !rules.warnings_fail => Verdict::Holds,
        (_, Verdict::Inconclusive, Some(Taken::Held)) => Verdict::Holds,
        (_, Verdict::Inconclusive, Some(Taken::Failed)) => Verdict::Fails,
        (_, verdict, _) => verdict,
    };
    let window = if j.during == "all" { String::new() } else { format!(" during {}", j.during) };
    Case {
        that: format!("{}{window}", j.that),
        plane: planes.join(", "),
        verdict: j.verdict,
        counts_as,
        severity: j.severity,
        observed,
        remark: remarks.join("; "),
        line: j.line,
        rerun: rerun(report, j, &planes),
    }
}

/// The worst replication again, or more of them where that would tell.
fn rerun(report: &Report<'_>, j: &Judgement, planes: &[&str]) -> String {
    let mut command = vec!["scsim run".to_owned(), format::shell_word(&report.sheet.scenario.file)];
    command.extend(report.arguments.iter().cloned());
    command.extend(planes.iter().map(|plane| format!("--plane {}", format::shell_word(plane))));
    command.push(format!("--seed {}", report.sheet.study.seed));
    match (j.verdict, j.needed, j.worst_replication) {
        (Verdict::Inconclusive, Some(n), _) => command.push(format!("-n {n}")),
        (Verdict::Fails, _, Some(replication)) => command.push(format!("--replication {replication}")),
        _ => {}
    }
    command.join(" ")
}

/// How many scenarios ended in which way.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// All expectations held.
    pub passed: usize,
    /// One failed.
    pub failed: usize,
    /// One cannot be told.
    pub inconclusive: usize,
    /// Could not be run.
    pub broken: usize,
    /// Stopped or never begun.
    pub interrupted: usize,
}

/// Counts the outcomes.
pub fn counts(outcomes: &[Outcome]) -> Counts {
    let of = |status| outcomes.iter().filter(|o| o.status == status).count();
    Counts {
        passed: of(Status::Passed),
        failed: of(Status::Failed),
        inconclusive: of(Status::Inconclusive),
        broken: of(Status::Broken),
        interrupted: of(Status::Interrupted),
    }
}

/// `3 scenarios: 1 passed, 1 failed, 1 inconclusive`; what did not happen is left out, but for passing.
pub fn summary(outcomes: &[Outcome]) -> String {
    let Counts { passed, failed, inconclusive, broken, interrupted } = counts(outcomes);
    let mut parts = vec![format!("{passed} passed")];
    for (n, what) in
        [(failed, "failed"), (inconclusive, "inconclusive"), (broken, "broken"), (interrupted, "interrupted")]
    {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    }
    let n = outcomes.len();
    format!("{n} scenario{}: {}", if n == 1 { "" } else { "s" }, parts.join(", "))
}

/// The lines of one scenario; names take `room` columns.
pub fn lines(outcome: &Outcome, room: usize, style: Style) -> String {
    let (mark, paint) = outcome.status.mark();
    let ratio = match outcome.status {
        Status::Broken => String::new(),
        _ => format!("{}/{}", outcome.held, outcome.total),
    };
    let wall = if outcome.digest.is_empty() { String::new() } else { format!("{:.1}s", outcome.wall_s) };
    let head = format!(
        "  {}  {}  {}  {wall}",
        style.paint(paint, mark),
        padded(&style.spell(&outcome.name), room),
        padded(&ratio, 5)
    );
    let mut out = format!("{}\n", head.trim_end());
    for problem in &outcome.problems {
        let _ = writeln!(out, "        {}", style.spell(&problem.text));
    }
    for case in outcome.cases.iter().filter(|case| case.verdict != Verdict::Holds || style.verbose) {
        let (mark, paint) = match (case.verdict, style.ascii) {
            (Verdict::Holds, false) => ("✓", Paint::Good),
            (Verdict::Holds, true) => ("ok", Paint::Good),
            (Verdict::Fails, false) => ("✗", Paint::Bad),
            (Verdict::Fails, true) => ("x", Paint::Bad),
            (Verdict::Inconclusive, _) => ("?", Paint::Unsure),
        };
        let remark = if case.remark.is_empty() { String::new() } else { format!(": {}", case.remark) };
        let warn = if case.severity == Severity::Warn { "  (warning)" } else { "" };
        let text = format!("{}   {}   {}{remark}{warn}", case.that, case.plane, case.observed);
        let _ = writeln!(out, "        {} {}", style.paint(paint, mark), style.spell(&text));
        if case.verdict == Verdict::Fails {
            let _ = writeln!(out, "          {}:{}", style.spell(&outcome.file), case.line);
            let _ = writeln!(out, "          rerun: {}", style.spell(&case.rerun));
        }
    }
    let regressions = outcome.regressions();
    for (_, sentence) in &regressions {
        let mark = style.paint(Paint::Bad, if style.ascii { "x" } else { "✗" });
        let _ = writeln!(out, "        {mark} {}", style.spell(&format!("against the baseline: {sentence}")));
    }
    if let Some(differs) = outcome.differs().filter(|_| !regressions.is_empty()) {
        let _ = writeln!(out, "          differs from the baseline's: {}", style.spell(&differs));
    }
    out
}

/// Columns that the longest name takes, within reason.
pub fn room<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(width).max().unwrap_or(0).min(48)
}

/// The suite as Markdown.
pub fn markdown(outcomes: &[Outcome]) -> String {
    let mut out = format!("### scsim test\n\n{}\n\n", summary(outcomes));
    out.push_str("| | scenario | held | time |\n|---|---|---:|---:|\n");
    for o in outcomes {
        let mark = match o.status {
            Status::Passed => "✓",
            Status::Failed => "✗ **failed**",
            Status::Inconclusive => "? inconclusive",
            Status::Broken => "✗ **broken**",
            Status::Interrupted => "interrupted",
        };
        let name = escaped(&o.name);
        let _ = writeln!(out, "| {mark} | {name} | {}/{} | {:.1} s |", o.held, o.total, o.wall_s);
    }
    for o in outcomes {
        let regressions = o.regressions();
        let told: Vec<&Case> = o.cases.iter().filter(|c| c.verdict != Verdict::Holds).collect();
        if told.is_empty() && regressions.is_empty() && o.problems.is_empty() {
            continue;
        }
        let _ = write!(out, "\n#### {}\n\n", escaped(&o.name));
        for problem in &o.problems {
            let _ = writeln!(out, "- {}", escaped(&problem.text));
        }
        for case in told {
            let mark = if case.verdict == Verdict::Fails { "✗" } else { "?" };
            let remark = if case.remark.is_empty() { String::new() } else { format!(": {}", case.remark) };
            let _ = writeln!(
                out,
                "- {mark} `{}` on {}: {}{} ({}:{})\n\n  ```\n  {}\n  ```",
                case.that.replace('`', "'"),
                escaped(&case.plane),
                escaped(&case.observed),
                escaped(&remark),
                escaped(&o.file),
                case.line,
                case.rerun
            );
        }
        for (_, sentence) in &regressions {
            let _ = writeln!(out, "- ✗ against the baseline: {}", escaped(sentence));
        }
        if let Some(differs) = o.differs().filter(|_| !regressions.is_empty()) {
            let _ = writeln!(out, "- differs from the baseline's: {}", escaped(&differs));
        }
    }
    out
}

/// `scsim.suite/1`, with the result files inside; `exit` is the code that the command will end with.
pub fn json(outcomes: &[Outcome], exit: u8) -> String {
    let case = |case: &Case| {
        json!({
            "that": case.that, "plane": case.plane, "verdict": case.verdict.name(),
            "counts_as": case.counts_as.name(), "severity": severity(case.severity), "observed": case.observed,
            "remark": case.remark, "line": case.line, "rerun": case.rerun,
        })
    };
    let one = |o: &Outcome| {
        let changes: Option<Vec<Value>> = o.baseline.as_ref().map(|pair| {
            let planes = pair.planes.iter();
            planes
                .flat_map(|p| p.changes.iter().map(|c| show::change_json(&p.name, c, o.noise)))
                .filter(|c| c["verdict"] != "within-noise")
                .collect()
        });
        let problems: Vec<Value> =
            o.problems.iter().map(|p| json!({ "file": p.file, "line": p.line, "text": p.text })).collect();
        json!({
            "file": o.file, "name": o.name, "title": o.title, "status": o.status.name(), "held": o.held,
            "expectations": o.total, "wall_s": o.wall_s, "seed": o.seed, "replications": o.replications,
            "digest": o.digest, "cases": o.cases.iter().map(case).collect::<Vec<_>>(), "problems": problems,
            "baseline": changes, "differs": o.differs(),
        })
    };
    let counts = counts(outcomes);
    let head = json!({
        "schema": "scsim.suite/1", "version": super::json::VERSION, "model": crate::MODEL_VERSION, "exit": exit,
        "passed": counts.passed, "failed": counts.failed, "inconclusive": counts.inconclusive,
        "broken": counts.broken, "interrupted": counts.interrupted,
        "scenarios": outcomes.iter().map(one).collect::<Vec<_>>(),
    });
    // The results are texts already; parsing them to print them again would only cost time.
    let results: Vec<&str> = outcomes.iter().map(|o| o.result.as_str()).filter(|r| !r.is_empty()).collect();
    let head = format!("{head:#}");
    let open = head.trim_end().trim_end_matches('}').trim_end();
    format!("{open},\n\"results\": [\n{}\n]\n}}\n", results.join(",\n"))
}

/// The word of a severity in files.
pub const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warn => "warn",
    }
}
