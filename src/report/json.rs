//! The result file, `schema = "scsim.result/1"`.
//!
//! *Knows* the published names and their order. *Does not know* how anything was computed.
//! Keys are only ever added. Numbers print in their shortest form that reads back the same;
//! `null` stands where a figure does not exist on that plane, and where it is infinite.

mod assumed;
pub mod names;
mod pictures;
mod rollout;
mod timeline;
mod view;

use std::fmt::Write as _;

use serde::Serialize;
use serde::Serializer;
use serde::ser::SerializeMap as _;
use sha2::Digest as _;
use sha2::Sha256;

use super::Report;
use super::bill;
use super::bill::Priced;
use super::detail;
use super::detail::Detail;
use super::differences::Difference;
use super::differences::differences;
use super::expect::Judgement;
use super::figure::Place;
use super::figure::Sheet;
use crate::MODEL_VERSION;
use crate::measure::Flag;
use crate::measure::ServiceRecord;
use crate::measure::estimate::Estimate;
use crate::measure::study::Replica;
use crate::scenario::Confidence;
use crate::scenario::EdgeId;
use crate::scenario::Metric;
use crate::scenario::Scope;
use crate::scenario::ServiceId;
use crate::scenario::Severity;
use crate::scenario::Window;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// One result file.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    scsim: Program,
    scenario: ScenarioFacts<'a>,
    seed: u64,
    replications: u32,
    confidence: f64,
    partial: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    trimmed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<view::Summary>,
    planes: Vec<PlaneFacts<'a>>,
    differences: Vec<Difference<'a>>,
    expectations: Vec<Expectation<'a>>,
    assumptions: Vec<assumed::Facts<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<bill::BillFacts<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<EngineFacts>,
}

#[derive(Serialize)]
struct Program {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    model: u32,
}

#[derive(Serialize)]
struct ScenarioFacts<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    title: &'a str,
    description: &'a str,
    digest: &'a str,
    duration_s: f64,
    warmup_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Named<&'a serde_json::Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    toml: Option<&'a str>,
}

#[derive(Serialize)]
struct PlaneFacts<'a> {
    name: &'a str,
    applicable: bool,
    reason: Option<&'a str>,
    warning: Option<&'a str>,
    metrics: Named<Option<Interval>>,
    fault: Option<Named<Option<Interval>>>,
    edges: Vec<EdgeFacts<'a>>,
    services: Vec<ServiceFacts<'a>>,
    tasks: Vec<TaskFacts<'a>>,
    timeline: Option<timeline::Timeline>,
    events: Vec<EventFacts<'a>>,
    events_dropped: u64,
    books: BooksFacts<'a>,
    runs: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replications_detail: Option<Detail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<view::Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribution: Option<view::Attribution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heat: Option<pictures::Heat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flows: Option<pictures::Flows>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lanes: Option<Vec<pictures::Lane>>,
}

/// A map in a fixed order.
pub(super) struct Named<T>(pub(super) Vec<(String, T)>);

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// `M` of the format.
#[derive(Serialize)]
pub(super) struct Interval {
    mean: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    worst: Option<f64>,
}

/// A number without a negative zero; infinity has no place in JSON.
pub(super) fn plain(x: f64) -> Option<f64> {
    x.is_finite().then_some(x + 0.0)
}

pub(super) fn interval(estimate: Option<Estimate>) -> Option<Interval> {
    estimate.map(|e| Interval {
        mean: plain(e.mean),
        low: e.low.and_then(plain),
        high: e.high.and_then(plain),
        worst: plain(e.worst),
    })
}

#[derive(Serialize)]
struct EdgeFacts<'a> {
    from: &'a str,
    to: &'a str,
    metrics: Named<Option<Interval>>,
    flags: Named<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
}

#[derive(Serialize)]
struct ServiceFacts<'a> {
    name: &'a str,
    metrics: Named<Option<Interval>>,
}

#[derive(Serialize)]
struct TaskFacts<'a> {
    id: &'a str,
    service: &'a str,
    requests: Option<Interval>,
    errors: Option<Interval>,
    ejected_s: Option<Interval>,
}

#[derive(Serialize)]
struct EventFacts<'a> {
    replication: u32,
    t_s: f64,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until_s: Option<f64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    note: &'static str,
}

#[derive(Serialize)]
struct BooksFacts<'a> {
    arrived: u64,
    finished: u64,
    failed: u64,
    in_flight: u64,
    little_error: Option<f64>,
    problems: &'a [String],
}

#[derive(Serialize)]
struct Expectation<'a> {
    that: &'a str,
    plane: Option<&'a str>,
    during: &'a str,
    scope: Option<String>,
    severity: &'static str,
    verdict: &'static str,
    observed: Option<Interval>,
    paired: bool,
    worst_replication: Option<u32>,
    replications_needed: Option<u32>,
    note: Option<&'a str>,
    line: u32,
}

#[derive(Serialize)]
struct EngineFacts {
    events: u64,
    requests: u64,
    wall_s: f64,
    events_per_s: Option<f64>,
    requests_per_s: Option<f64>,
    jobs: u32,
}

/// Word for a confidence in result files.
pub const fn confidence_name(confidence: Confidence) -> &'static str {
    confidence.name()
}

/// The result file of one scenario, without a line break at its end.
pub fn render(report: &Report<'_>) -> String {
    written(report, false)
}

/// The same without what comes per edge, service, task and second: small enough to be kept as a
/// baseline, and all that a comparison needs. It says so by `"trimmed": true`.
pub fn render_trimmed(report: &Report<'_>) -> String {
    written(report, true)
}

fn written(report: &Report<'_>, trimmed: bool) -> String {
    let study = report.sheet.study;
    let mut document = document(&report.sheet, &report.judgements);
    document.scsim.version = Some(VERSION);
    document.scenario.file = Some(&report.sheet.scenario.file);
    document.digest = Some(&report.digest);
    document.assumptions = assumed::all(&report.sheet.scenario.assumptions);
    let wall = study.engine.wall.as_secs_f64();
    let per_second = |n: u64| if wall > 0.0 { plain(n as f64 / wall) } else { None };
    if !report.settings.is_empty() {
        document.scenario.settings = Some(Named(report.settings.iter().map(|(k, v)| (k.clone(), v)).collect()));
    }
    for (plane, facts) in document.planes.iter_mut().enumerate() {
        facts.replications_detail = detail::of(&report.sheet, plane);
        if !trimmed {
            extend(facts, &report.sheet, plane);
        }
    }
    if !trimmed {
        document.summary = Some(view::summary(report.comparison(), &report.again));
        document.scenario.toml = (!report.filled.is_empty()).then_some(report.filled.as_str());
    }
    if trimmed {
        document.trimmed = Some(true);
        for plane in &mut document.planes {
            (plane.timeline, plane.edges, plane.services) = (None, Vec::new(), Vec::new());
            (plane.tasks, plane.events) = (Vec::new(), Vec::new());
        }
    }
    let priced = Priced { scenario: report.sheet.scenario, bill: report.sheet.bill(), sheet: Some(&report.sheet) };
    document.cost = Some(bill::facts(&priced));
    if trimmed {
        document.cost = None;
    }
    document.engine = Some(EngineFacts {
        events: study.engine.events,
        requests: study.engine.requests,
        wall_s: wall,
        events_per_s: per_second(study.engine.events),
        requests_per_s: per_second(study.engine.requests),
        jobs: study.engine.jobs,
    });
    serde_json::to_string_pretty(&document).expect("every key is a string and no number is special")
}

/// What is no part of the digest because it repeats what is.
fn extend(facts: &mut PlaneFacts<'_>, sheet: &Sheet<'_>, plane: usize) {
    let result = sheet.result(plane);
    facts.latency = view::latency(result);
    let slice = |edge| sheet.study.frame.slice(Window::All, Scope::Edge(EdgeId(edge as u32)));
    let failed = |edge: usize| slice(edge).and_then(|s| result.pooled.get(s)).map_or(0, |calls| calls.failed);
    facts.attribution = view::attribution(result, (0..facts.edges.len()).map(failed).sum());
    facts.heat = pictures::heat(result);
    facts.flows = pictures::flows(result, facts.edges.len());
    facts.lanes = pictures::lanes(sheet.scenario, result);
    for (edge, policy) in facts.edges.iter_mut().zip(&sheet.scenario.planes[plane].edge_policies) {
        edge.policy = Some(crate::scenario::policy_lines(policy).join("\n"));
    }
    if let Some(timeline) = &mut facts.timeline {
        timeline.widen(result);
    }
}

/// The result of several scenarios: one object, or an array of several.
pub fn join(results: &[String]) -> String {
    match results {
        [one] => format!("{one}\n"),
        many => format!("[\n{}\n]\n", many.join(",\n")),
    }
}

/// SHA-256 over the result without its engine part, without what names no result (the program's
/// version, the path by which the file was called), and without what only repeats what is covered:
/// the settings, of which the scenario's digest is made, and the figures per replication, which
/// `runs` covers, and without the bill, which is arithmetic on what is covered and on prices. So a file that gained such a key has the digest it had before.
pub fn digest(sheet: &Sheet<'_>, judgements: &[Judgement]) -> String {
    let bytes =
        serde_json::to_vec(&document(sheet, judgements)).expect("every key is a string and no number is special");
    let mut hex = String::new();
    for byte in Sha256::digest(&bytes) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

fn document<'a>(sheet: &'a Sheet<'_>, judgements: &'a [Judgement]) -> Document<'a> {
    let (scenario, study) = (sheet.scenario, sheet.study);
    Document {
        schema: "scsim.result/1",
        scsim: Program { version: None, model: MODEL_VERSION },
        scenario: ScenarioFacts {
            file: None,
            title: &scenario.title,
            description: &scenario.description,
            digest: &scenario.digest,
            duration_s: scenario.run.duration.as_secs_f64(),
            warmup_s: scenario.run.warmup.as_secs_f64(),
            settings: None,
            toml: None,
        },
        seed: study.seed,
        replications: study.replications,
        confidence: study.confidence,
        partial: study.partial,
        trimmed: None,
        digest: None,
        summary: None,
        planes: (0..scenario.planes.len()).map(|plane| plane_facts(sheet, plane)).collect(),
        differences: differences(sheet),
        expectations: judgements.iter().map(|j| expectation(sheet, j)).collect(),
        assumptions: assumed::digested(&scenario.assumptions),
        cost: None,
        engine: None,
    }
}

fn call_metrics(sheet: &Sheet<'_>, place: Place) -> Vec<(String, Option<Interval>)> {
    let mut all: Vec<_> = names::CALL_METRICS
        .iter()
        .map(|(key, metric)| ((*key).to_owned(), interval(sheet.estimate_finite(*metric, place))))
        .collect();
    let slice = sheet.study.frame.slice(place.window, place.scope);
    let failed = slice.and_then(|s| sheet.estimate_of(place.plane, |r| r.tallies[s].failed_p99_ms));
    all.push(("failed_p99_ms".to_owned(), interval(failed)));
    all
}

fn plane_facts<'a>(sheet: &'a Sheet<'_>, plane: usize) -> PlaneFacts<'a> {
    let scenario = sheet.scenario;
    let facts = &scenario.planes[plane];
    let result = sheet.result(plane);
    let place = Place::users(plane);
    let mut metrics = call_metrics(sheet, place);
    for (key, metric) in names::PLANE_METRICS {
        metrics.push((key.to_owned(), interval(sheet.estimate_finite(metric, place))));
    }
    metrics.extend(rollout::metrics(sheet, place));
    let whole = |figure: fn(&Replica) -> u64| interval(sheet.estimate_of(plane, |r| Some(figure(r) as f64)));
    metrics.push(("saved_by_retry".to_owned(), whole(|r| r.saved_by_retry)));
    let asks_dns = matches!(facts.mechanism, crate::scenario::Mechanism::Dns(_));
    if result.replicas.iter().any(|r| r.keep_alive_races > 0) {
        metrics.push(("keep_alive_races".to_owned(), whole(|r| r.keep_alive_races)));
    }
    metrics.push(("lookups".to_owned(), if asks_dns { whole(|r| r.lookups) } else { None }));
    let fault = Place { window: Window::AnyFault, ..place };
    let has_fault = sheet.study.frame.slice(fault.window, fault.scope).is_some();
    PlaneFacts {
        name: &facts.name,
        applicable: facts.not_applicable.is_none(),
        reason: facts.not_applicable.as_deref(),
        warning: facts.warning.as_deref(),
        metrics: Named(metrics),
        fault: has_fault.then(|| Named(call_metrics(sheet, fault))),
        edges: (0..scenario.edges.len()).map(|e| edge_facts(sheet, plane, EdgeId(e as u32))).collect(),
        services: (0..scenario.services.len()).map(|s| service_facts(sheet, plane, s)).collect(),
        tasks: task_facts(sheet, plane),
        timeline: timeline::timeline(result),
        events: result
            .events
            .iter()
            .map(|e| EventFacts {
                replication: e.replication,
                t_s: e.at.as_secs_f64(),
                kind: e.kind.name(),
                by: e.by.as_deref(),
                task: e.task.as_deref(),
                until_s: e.until.map(crate::units::Time::as_secs_f64),
                note: e.note,
            })
            .collect(),
        events_dropped: result.events_dropped,
        books: BooksFacts {
            arrived: result.books.arrived,
            finished: result.books.finished,
            failed: result.books.failed,
            in_flight: result.books.in_flight,
            little_error: result.books.little_error.and_then(plain),
            problems: &result.books.problems,
        },
        runs: result.replicas.iter().map(|r| format!("{:016x}", r.digest)).collect(),
        replications_detail: None,
        latency: None,
        attribution: None,
        heat: None,
        flows: None,
        lanes: None,
    }
}

fn edge_facts<'a>(sheet: &'a Sheet<'_>, plane: usize, edge: EdgeId) -> EdgeFacts<'a> {
    let place = Place { plane, window: Window::All, scope: Scope::Edge(edge) };
    let ends = sheet.scenario.edge(edge);
    let hops = sheet
        .study
        .frame
        .slice(place.window, place.scope)
        .and_then(|slice| sheet.result(plane).hops.get(slice).copied())
        .unwrap_or_default();
    let flags = Flag::ALL.iter().map(|f| (f.name().to_owned(), hops.flags[f.index()])).filter(|(_, n)| *n > 0);
    EdgeFacts {
        from: &sheet.scenario.service(ends.from).name,
        to: &sheet.scenario.service(ends.to).name,
        metrics: Named(call_metrics(sheet, place)),
        flags: Named(flags.collect()),
        policy: None,
    }
}

fn service_facts<'a>(sheet: &'a Sheet<'_>, plane: usize, service: usize) -> ServiceFacts<'a> {
    let place = Place { plane, window: Window::All, scope: Scope::Service(ServiceId(service as u32)) };
    let mut metrics: Vec<_> = [
        ("requests", Metric::Requests),
        ("failed_requests", Metric::FailedRequests),
        ("error_rate", Metric::ErrorRate),
        ("mean_ms", Metric::Mean),
        ("p99_ms", Metric::Percentile(0.99)),
    ]
    .into_iter()
    .chain(names::SERVICE_METRICS)
    .map(|(key, metric)| (key.to_owned(), interval(sheet.estimate_finite(metric, place))))
    .collect();
    let of_record =
        |figure: fn(&ServiceRecord) -> f64| interval(sheet.estimate_of(plane, |r| r.services.get(service).map(figure)));
    metrics.push(("arrived".to_owned(), of_record(|s| s.arrived as f64)));
    metrics.push(("finished".to_owned(), of_record(|s| s.finished as f64)));
    metrics.push(("rejected".to_owned(), of_record(|s| s.rejected as f64)));
    metrics.push(("in_service_max".to_owned(), of_record(|s| f64::from(s.in_service_max))));
    metrics.push(("sidecar_cpu_s".to_owned(), of_record(|s| s.sidecar_cpu.as_secs_f64())));
    let waited = |r: &Replica| r.services.get(service).is_some_and(|s| !s.sidecar_wait.is_zero());
    if sheet.result(plane).replicas.iter().any(waited) {
        // Only where a sidecar was short of processor time, as flags are only where they were set.
        metrics.push(("sidecar_cpu_max".to_owned(), of_record(|s| f64::from(s.sidecar_busy_max_ppm) / 1e6)));
        metrics.push(("sidecar_wait_s".to_owned(), of_record(|s| s.sidecar_wait.as_secs_f64())));
    }
    ServiceFacts { name: &sheet.scenario.services[service].name, metrics: Named(metrics) }
}

fn task_facts<'a>(sheet: &'a Sheet<'_>, plane: usize) -> Vec<TaskFacts<'a>> {
    let result = sheet.result(plane);
    let n = result.replicas.len() as u32;
    let of = |sums| interval(sheet.estimator().estimate_sums(sums, n));
    let seconds = |e: Interval| {
        let s = |x: Option<f64>| x.map(|ms| ms / 1e3);
        Interval { mean: s(e.mean), low: s(e.low), high: s(e.high), worst: s(e.worst) }
    };
    result
        .tasks
        .iter()
        .map(|t| TaskFacts {
            id: &t.name,
            service: sheet.scenario.services.get(t.service as usize).map_or("", |s| s.name.as_str()),
            requests: of(t.requests),
            errors: of(t.errors),
            ejected_s: of(t.ejected_ms).map(seconds),
        })
        .collect()
}

fn expectation<'a>(sheet: &'a Sheet<'_>, judgement: &'a Judgement) -> Expectation<'a> {
    let expect = &sheet.scenario.expects[judgement.expect];
    // Sides that name their planes are told apart by the text; a lone side's plane is shown.
    Expectation {
        that: &judgement.that,
        plane: judgement.plane.or_else(|| expect.lone_plane()).map(|p| sheet.scenario.planes[p].name.as_str()),
        during: &judgement.during,
        scope: match expect.scope {
            Scope::Users => None,
            Scope::Service(service) => Some(sheet.scenario.service(service).name.clone()),
            Scope::Edge(edge) => Some(sheet.scenario.edge_name(edge)),
        },
        severity: match judgement.severity {
            Severity::Error => "error",
            Severity::Warn => "warn",
        },
        verdict: judgement.verdict.name(),
        observed: interval(judgement.observed),
        paired: judgement.paired,
        worst_replication: judgement.worst_replication,
        replications_needed: judgement.needed,
        note: judgement.note.as_deref(),
        line: judgement.line,
    }
}
