//! The comparison of planes, free of any format: rows, verdicts, sentences.
//!
//! *Knows* which figures are worth a row, what explains them and what may be claimed. *Does not
//! know* terminals, colours or files; `text`, `markdown` and `csv` lay it out. Invariant: a
//! column is called best only where the paired interval excludes zero.

use std::fmt::Write as _;

use super::cause;
use super::expect;
use super::expect::Judgement;
use super::figure;
use super::figure::Place;
use super::figure::Sheet;
use super::figure::Unit;
use super::format;
use super::format::Shown;
use super::json;
use crate::measure::estimate::Estimate;
use crate::scenario::Arrivals;
use crate::scenario::Assumption;
use crate::scenario::Confidence;
use crate::scenario::Fault;
use crate::scenario::Metric;
use crate::scenario::Operand;
use crate::scenario::Scenario;
use crate::scenario::Scope;
use crate::scenario::Spacing;
use crate::scenario::Target;
use crate::scenario::Window;

/// Everything a report says.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The scenario's title.
    pub title: String,
    /// Who calls whom, how much load, how long, how often.
    pub subtitle: String,
    /// Headings, in compare order.
    pub columns: Vec<Column>,
    /// Figures.
    pub rows: Vec<Row>,
    /// Errors over time.
    pub chart: Chart,
    /// Expectations.
    pub judgements: Vec<Judged>,
    /// What may be said in a chat.
    pub sentences: Vec<String>,
    /// Sentences that must accompany the figures.
    pub warnings: Vec<String>,
    /// What does not balance: our bug.
    pub alarms: Vec<String>,
    /// Seed, digest, runs, assumptions.
    pub footer: Vec<String>,
    /// The command to type next.
    pub next: String,
    /// The study was interrupted.
    pub partial: bool,
}

/// A plane's heading.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// The plane.
    pub name: String,
    /// Why it was not simulated.
    pub not_applicable: Option<String>,
}

/// A figure on every plane.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// What it is.
    pub label: String,
    /// Its name among the metrics of a result file, where it has one.
    pub key: Option<&'static str>,
    /// It narrows the row above.
    pub narrows: bool,
    /// One per column.
    pub cells: Vec<Cell>,
}

/// A figure on one plane.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Cell {
    /// What `shown` is made of, where it is a single figure.
    pub figure: Option<Estimate>,
    /// The figure; `None` where it does not exist.
    pub shown: Option<Shown>,
    /// More lines below, without an interval.
    pub more: Vec<String>,
    /// Better than on every other plane, beyond doubt.
    pub best: bool,
}

/// Errors per second over time, one line per plane.
#[derive(Clone, PartialEq, Debug)]
pub struct Chart {
    /// Seconds per value.
    pub bucket_s: f64,
    /// Length of the run, s.
    pub length_s: f64,
    /// By column; empty where not simulated.
    pub lines: Vec<Vec<f64>>,
    /// Faults, deployments and scalings.
    pub marks: Vec<Mark>,
}

/// Something that happens during the run.
#[derive(Clone, PartialEq, Debug)]
pub struct Mark {
    /// `wedge payments#1`.
    pub label: String,
    /// From, s.
    pub from_s: f64,
    /// To, s; `None` for an instant.
    pub to_s: Option<f64>,
}

/// A judgement in words.
#[derive(Clone, PartialEq, Debug)]
pub struct Judged {
    /// The judgement.
    pub judgement: Judgement,
    /// The plane's name; empty if both sides name theirs.
    pub plane: String,
    /// What was observed.
    pub observed: String,
    /// The worst replication, what is needed, why.
    pub remark: String,
}

/// How the study was come by.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// The digest in full.
    pub digest: String,
    /// Overrides that belong to a re-run command (`--set`, `--plane`, ...).
    pub arguments: Vec<String>,
}

/// Builds the comparison.
pub fn compare(sheet: &Sheet<'_>, judgements: &[Judgement], circumstances: &Circumstances) -> Comparison {
    let scenario = sheet.scenario;
    let judged: Vec<Judged> = judgements.iter().map(|j| judged(sheet, j)).collect();
    let alarms = scenario
        .planes
        .iter()
        .zip(&sheet.study.planes)
        .flat_map(|(plane, result)| result.books.problems.iter().map(move |p| format!("{}: {p}", plane.name)))
        .collect();
    Comparison {
        title: scenario.title.clone(),
        subtitle: subtitle(sheet),
        columns: scenario
            .planes
            .iter()
            .map(|p| Column { name: p.name.clone(), not_applicable: p.not_applicable.clone() })
            .collect(),
        rows: rows(sheet),
        chart: chart(sheet),
        sentences: sentences(sheet),
        warnings: scenario
            .planes
            .iter()
            .filter_map(|p| p.warning.as_ref().map(|w| format!("{}: {w}", p.name)))
            .collect(),
        alarms,
        footer: footer(sheet, circumstances),
        next: next(sheet, judgements, circumstances),
        judgements: judged,
        partial: sheet.study.partial,
    }
}

/// `5f0c·91d2`: enough of a digest to compare by eye.
pub fn short_digest(digest: &str) -> String {
    match (digest.get(..4), digest.get(4..8)) {
        (Some(a), Some(b)) => format!("{a}·{b}"),
        _ => digest.to_owned(),
    }
}

fn subtitle(sheet: &Sheet<'_>) -> String {
    let scenario = sheet.scenario;
    let n = sheet.study.replications;
    let runs = if n == 1 { "1 replication".to_owned() } else { format!("{n} replications") };
    let shared = if sheet.applicable().len() > 1 { ", same arrivals on every plane" } else { "" };
    format!("{} · {} · {}, {runs}{shared}", topology(scenario), load(scenario), scenario.run.duration)
}

/// `checkout ×3 → payments ×6`, or counts where the graph is no short line.
fn topology(scenario: &Scenario) -> String {
    let named = |i: usize| {
        let service = &scenario.services[i];
        if service.external { service.name.clone() } else { format!("{} ×{}", service.name, service.tasks) }
    };
    let into = |i: usize| scenario.edges.iter().filter(|e| e.to.0 as usize == i).count();
    let is_line = scenario.services.len() <= 4
        && scenario.edges.len() + 1 == scenario.services.len()
        && (0..scenario.services.len())
            .all(|i| into(i) <= 1 && scenario.edges.iter().filter(|e| e.from.0 as usize == i).count() <= 1);
    if !is_line {
        return format!("{} services, {} edges", scenario.services.len(), scenario.edges.len());
    }
    let mut line = Vec::new();
    let mut at = (0..scenario.services.len()).find(|&i| into(i) == 0);
    while let Some(i) = at.filter(|_| line.len() < scenario.services.len()) {
        line.push(named(i));
        at = scenario.edges.iter().find(|e| e.from.0 as usize == i).map(|e| e.to.0 as usize);
    }
    line.join(" → ")
}

fn load(scenario: &Scenario) -> String {
    let [load] = scenario.loads.as_slice() else { return format!("{} loads", scenario.loads.len()) };
    match &load.arrivals {
        Arrivals::Open { pieces, bursts, spacing } => {
            let rate = |r: crate::units::Rate| format::number(r.as_f64(), usize::from(r.as_f64().fract() != 0.0));
            let rates: Vec<_> = pieces.iter().map(|p| p.rate).collect();
            let (low, high) = (rates.iter().min(), rates.iter().max());
            let span = match (low, high) {
                (Some(low), Some(high)) if low == high => rate(*low),
                (Some(low), Some(high)) => format!("{} to {}", rate(*low), rate(*high)),
                _ => "0".to_owned(),
            };
            let spacing = match spacing {
                Spacing::Poisson => " Poisson",
                Spacing::Constant => " evenly spaced",
                Spacing::Bursty { .. } => " in batches",
            };
            let bursts = match bursts.len() {
                0 => String::new(),
                1 => ", 1 burst".to_owned(),
                n => format!(", {n} bursts"),
            };
            format!("{span} req/s{spacing}{bursts}")
        }
        Arrivals::Users { users, .. } => format!("{users} users"),
        Arrivals::Trace(times) => format!("{} arrivals from a trace", format::number(times.len() as f64, 0)),
    }
}

/// What a fault is, in the words of the file.
pub fn fault_label(scenario: &Scenario, fault: &Fault) -> String {
    let kind = fault.kind.name();
    let sidecar = if fault.kind.is_of_sidecar() { "sidecar:" } else { "" };
    let target = match fault.target {
        Target::Task(s, n) => format!("{}#{n}", scenario.service(s).name),
        Target::AnyTask(s) => format!("{}#any", scenario.service(s).name),
        Target::Count(s, count) => format!("{}[{count}]", scenario.service(s).name),
        Target::Share(s, share) => format!("{}[{share}]", scenario.service(s).name),
        Target::Service(s) => scenario.service(s).name.clone(),
        Target::Edge(e) => scenario.edge_name(e),
        Target::Zone(z) => format!("zone:{}", scenario.zones.get(z as usize).map_or("?", String::as_str)),
        Target::Resolver => "dns".to_owned(),
        Target::ControlPlane => "control-plane".to_owned(),
    };
    format!("{kind} {sidecar}{target}")
}

fn chart(sheet: &Sheet<'_>) -> Chart {
    let scenario = sheet.scenario;
    let mut marks: Vec<Mark> = scenario
        .faults
        .iter()
        // One that waits for an event has no instant of its own.
        .filter_map(|fault| fault.when.begins().map(|from| (fault, from)))
        .map(|(fault, from)| Mark {
            label: fault_label(scenario, fault),
            from_s: from.as_secs_f64(),
            to_s: fault.when.lasts().map(|span| (from + span).as_secs_f64()),
        })
        .collect();
    marks.extend(scenario.deploys.iter().map(|d| Mark {
        label: format!("deploy {}", scenario.service(d.service).name),
        from_s: d.at.as_secs_f64(),
        to_s: None,
    }));
    marks.extend(scenario.scales.iter().map(|s| Mark {
        label: format!("{} to {} tasks", scenario.service(s.service).name, s.tasks),
        from_s: s.at.as_secs_f64(),
        to_s: None,
    }));
    let bucket_s = sheet.study.planes.iter().map(|p| p.timeline.bucket.as_secs_f64()).fold(0.0, f64::max);
    let length_s = scenario.run.duration.as_secs_f64();
    let count = if bucket_s > 0.0 { (length_s / bucket_s).ceil() as usize } else { 0 };
    let lines = sheet
        .study
        .planes
        .iter()
        .map(|plane| {
            let runs = plane.replicas.len().max(1) as f64;
            plane.timeline.buckets.iter().take(count).map(|b| b.errors as f64 / runs / bucket_s).collect()
        })
        .collect();
    Chart { bucket_s, length_s, lines, marks }
}

fn rows(sheet: &Sheet<'_>) -> Vec<Row> {
    let scenario = sheet.scenario;
    let mut rows = vec![row(sheet, "error rate", Metric::ErrorRate, Window::All)];
    let mut narrow = |label, metric, window| {
        if sheet.study.frame.slice(window, Scope::Users).is_some() {
            let mut row = row(sheet, label, metric, window);
            row.narrows = true;
            rows.push(row);
        }
    };
    narrow("during the fault", Metric::ErrorRate, Window::AnyFault);
    narrow("during the deploy", Metric::ErrorRate, Window::AnyDeploy);
    rows.push(row(sheet, "failed requests", Metric::FailedRequests, Window::All));
    // The mean only where somebody asks for it: it says little about a skewed latency.
    let asked = |operand: &Operand| matches!(operand, Operand::Metric { metric: Metric::Mean, .. });
    if scenario.expects.iter().any(|expect| asked(&expect.left) || asked(&expect.right)) {
        rows.push(row(sheet, "mean", Metric::Mean, Window::All));
    }
    rows.push(row(sheet, "p50", Metric::Percentile(0.5), Window::All));
    rows.push(row(sheet, "p99", Metric::Percentile(0.99), Window::All));
    rows.extend(slow_failures(sheet));
    if !scenario.faults.is_empty() && scenario.planes.iter().any(figure::can_eject) {
        rows.push(first_ejection(sheet));
    }
    let mut retries = row(sheet, "retries per request", Metric::RetriesPerRequest, Window::All);
    retries.cells.iter_mut().for_each(|c| c.best = false);
    if !scenario.edges.is_empty() {
        rows.push(retries);
    }
    let why: Vec<Cell> = (0..scenario.planes.len()).map(|plane| cause::why(sheet, plane)).collect();
    if why.iter().any(|cell| cell.shown.is_some()) {
        rows.push(Row { label: "why".to_owned(), key: None, narrows: false, cells: why });
    }
    rows
}

fn row(sheet: &Sheet<'_>, label: &'static str, metric: Metric, window: Window) -> Row {
    let place = |plane| Place { plane, window, scope: Scope::Users };
    let planes = sheet.applicable();
    let cells = (0..sheet.scenario.planes.len())
        .map(|plane| {
            let figure = sheet.estimate(metric, place(plane));
            let shown = figure.as_ref().map(|e| format::estimate(e, figure::unit(metric)));
            let others = || planes.iter().filter(|&&other| other != plane);
            let best = shown.is_some()
                && others().next().is_some()
                && others().all(|&other| {
                    sheet
                        .difference(metric, place(plane), place(other))
                        .and_then(|d| d.high)
                        .is_some_and(|high| high < 0.0)
                });
            Cell { figure, shown, more: Vec::new(), best }
        })
        .collect();
    let key = (window == Window::All).then(|| json::names::key(metric)).flatten();
    Row { label: label.to_owned(), key, narrows: false, cells }
}

/// How long the failures took, where that is longer than the successes: p99 above leaves them out.
fn slow_failures(sheet: &Sheet<'_>) -> Option<Row> {
    let mut worth_it = false;
    let cells = (0..sheet.scenario.planes.len())
        .map(|plane| {
            let Some(failures) = sheet.estimate_of(plane, |r| r.tallies[0].failed_p99_ms) else {
                return Cell::default();
            };
            let successes = sheet.estimate(Metric::Percentile(0.99), Place::users(plane));
            worth_it |= successes.is_none_or(|s| failures.mean > s.mean);
            Cell { figure: Some(failures), ..cell(format::estimate(&failures, Unit::Millis), Vec::new()) }
        })
        .collect();
    worth_it.then_some(Row { label: "p99 of failures".to_owned(), key: Some("failed_p99_ms"), narrows: false, cells })
}

fn first_ejection(sheet: &Sheet<'_>) -> Row {
    let cells = (0..sheet.scenario.planes.len())
        .map(|plane| {
            let place = Place::users(plane);
            let Some(values) = sheet.values(Metric::TimeToEject, place) else { return Cell::default() };
            let never = values.iter().flatten().filter(|v| v.is_infinite()).count();
            let Some(e) = sheet.estimate_finite(Metric::TimeToEject, place) else {
                return cell(Shown { value: "never".to_owned(), spread: String::new() }, Vec::new());
            };
            let value = format!("{} after the fault", format::estimate(&e, Unit::Seconds).value);
            let more = if never > 0 { vec![format!("never in {never} of {}", values.len())] } else { Vec::new() };
            Cell { figure: Some(e), ..cell(Shown { value, spread: String::new() }, more) }
        })
        .collect();
    Row { label: "first ejection".to_owned(), key: Some("time_to_eject_s"), narrows: false, cells }
}

pub(super) fn cell(shown: Shown, more: Vec<String>) -> Cell {
    Cell { figure: None, shown: Some(shown), more, best: false }
}

fn judged(sheet: &Sheet<'_>, judgement: &Judgement) -> Judged {
    let unit = judgement.metric.map_or(Unit::Plain, figure::unit);
    let observed = match &judgement.observed {
        None => "–".to_owned(),
        Some(e) if e.mean.is_infinite() => "never".to_owned(),
        Some(e) if judgement.paired => format!("difference {}", difference_text(e, unit)),
        Some(e) if judgement.verdict == expect::Verdict::Inconclusive => format::bracketed(e, unit),
        Some(e) => format::estimate(e, unit).value,
    };
    let mut remarks = Vec::new();
    if let Some(note) = &judgement.note {
        remarks.push(note.clone());
    }
    match (judgement.verdict, judgement.needed) {
        (expect::Verdict::Inconclusive, Some(n)) => remarks.push(format!("needs about {n} replications")),
        (expect::Verdict::Inconclusive, None) if judgement.observed.is_some() => {
            remarks.push("too close to tell".to_owned());
        }
        (expect::Verdict::Holds | expect::Verdict::Fails, _) if judgement.note.is_none() => {
            if let (Some(e), false, Some(worst)) = (&judgement.observed, judgement.paired, judgement.worst)
                && e.replications > 1
            {
                remarks.push(format!("worst replication {}", format::alike(e, worst, unit)));
            }
        }
        _ => {}
    }
    Judged {
        plane: judgement.plane.map_or_else(String::new, |p| sheet.scenario.planes[p].name.clone()),
        observed,
        remark: remarks.join("; "),
        judgement: judgement.clone(),
    }
}

/// A difference: shares in points, everything else in its unit.
pub(super) fn difference_text(e: &Estimate, unit: Unit) -> String {
    let text = format::bracketed(e, unit);
    if unit == Unit::Share { text.replace(" %", " points") } else { text }
}

/// What may be claimed from paired differences: the first plane against the one it differs from
/// most beyond doubt, first in errors, then in p99.
fn sentences(sheet: &Sheet<'_>) -> Vec<String> {
    let planes = sheet.applicable();
    let [first, others @ ..] = planes.as_slice() else { return Vec::new() };
    if others.is_empty() {
        return Vec::new();
    }
    let name = |plane: usize| sheet.scenario.planes[plane].name.as_str();
    let difference = |metric, other| sheet.difference(metric, Place::users(*first), Place::users(other));
    let clear = |e: &Estimate| e.low.is_some_and(|l| l > 0.0) || e.high.is_some_and(|h| h < 0.0);
    // The size that the interval leaves no doubt about.
    let surely = |e: &Estimate| e.low.unwrap_or(0.0).abs().min(e.high.unwrap_or(0.0).abs());
    let largest = |metric| {
        others
            .iter()
            .filter_map(|&other| Some((other, difference(metric, other)?)))
            .filter(|(_, e)| clear(e))
            .max_by(|a, b| surely(&a.1).total_cmp(&surely(&b.1)))
    };
    let p99 = Metric::Percentile(0.99);
    if let Some((other, errors)) = largest(Metric::ErrorRate) {
        let (than, size) = if errors.mean < 0.0 { ("fewer", negated(errors)) } else { ("more", errors) };
        let mut sentence = format!(
            "{} failed {} {than} requests than {}{}",
            name(*first),
            points(&size),
            name(other),
            interval(&size, Unit::Share)
        );
        match difference(p99, other).filter(clear) {
            Some(e) if e.mean > 0.0 => {
                let _ = write!(
                    sentence,
                    " and added {} to p99{}",
                    format::estimate(&e, Unit::Millis).value,
                    interval(&e, Unit::Millis)
                );
            }
            Some(e) => {
                let e = negated(e);
                let _ = write!(
                    sentence,
                    " and took {} off p99{}",
                    format::estimate(&e, Unit::Millis).value,
                    interval(&e, Unit::Millis)
                );
            }
            None => sentence.push_str("; p99 did not differ measurably"),
        }
        sentence.push('.');
        let mut all = vec![sentence];
        all.extend(cause::sentence(sheet, *first, other));
        return all;
    }
    if let Some((other, e)) = largest(p99) {
        let (word, size) = if e.mean < 0.0 { ("lower", negated(e)) } else { ("higher", e) };
        return vec![format!(
            "{}'s p99 was {} {word} than {}'s{}; error rates did not differ measurably.",
            name(*first),
            format::estimate(&size, Unit::Millis).value,
            name(other),
            interval(&size, Unit::Millis)
        )];
    }
    if sheet.study.replications < 2 {
        return vec!["One replication: differences between planes cannot be told from chance.".to_owned()];
    }
    vec![format!(
        "No difference in errors or p99 between {} and the other planes can be told from chance in {} replications.",
        name(*first),
        sheet.study.replications
    )]
}

fn negated(e: Estimate) -> Estimate {
    Estimate { mean: -e.mean, low: e.high.map(|h| -h), high: e.low.map(|l| -l), ..e }
}

fn points(e: &Estimate) -> String {
    format!("{} points", format::estimate(e, Unit::Share).value.trim_end_matches(" %"))
}

fn interval(e: &Estimate, unit: Unit) -> String {
    let text = format::bracketed(e, unit);
    text.find('[').map_or_else(String::new, |at| format!(" {}", &text[at..]))
}

/// Assumptions that nobody has confirmed.
pub fn unverified(assumptions: &[Assumption]) -> usize {
    assumptions
        .iter()
        .filter(|a| {
            matches!(
                a.confidence,
                Confidence::Inferred | Confidence::ThirdParty | Confidence::Memory | Confidence::Guess
            )
        })
        .count()
}

fn footer(sheet: &Sheet<'_>, circumstances: &Circumstances) -> Vec<String> {
    let study = sheet.study;
    let mut parts = vec![format!("seed {}", study.seed)];
    if !circumstances.digest.is_empty() {
        parts.push(format!("digest {}", short_digest(&circumstances.digest)));
    }
    let runs = format!("{} × {} runs", study.replications, sheet.applicable().len());
    let wall = study.engine.wall.as_secs_f64();
    parts.push(if wall > 0.0 { format!("{runs} in {} s", format::number(wall, 1)) } else { runs });
    parts.push(match unverified(&sheet.scenario.assumptions) {
        0 => "assumptions: none unverified".to_owned(),
        n => format!("assumptions: {n} unverified (scsim assumptions)"),
    });
    parts
}

/// The next command: what failed again in detail, what was too close with more replications, or
/// the data.
fn next(sheet: &Sheet<'_>, judgements: &[Judgement], circumstances: &Circumstances) -> String {
    let scenario = sheet.scenario;
    let mut command = vec!["scsim run".to_owned(), scenario.file.clone()];
    command.extend(circumstances.arguments.iter().cloned());
    let failed = judgements.iter().find(|j| j.verdict == expect::Verdict::Fails);
    if let Some((plane, replication)) = failed.and_then(|j| Some((j.plane?, j.worst_replication?))) {
        command.push(format!(
            "--plane {} --seed {} --replication {replication}",
            scenario.planes[plane].name, sheet.study.seed
        ));
    } else if let Some(n) = judgements.iter().filter_map(|j| j.needed).max() {
        command.push(format!("-n {n}"));
    } else {
        command.push("--html report.html --open".to_owned());
    }
    command.join(" ")
}
