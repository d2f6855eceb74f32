//! What a page needs of a result file, read with types.
//!
//! *Knows* the keys of `scsim.result/1` that are drawn, and which of them a file may lack: those that came later,
//! and those that a trimmed file leaves out. *Does not know* how any of it is drawn. Keys that it has not heard
//! of are passed over. Invariant: lists that run in parallel have one length.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use crate::report::compare;
use crate::report::compare::saved;
use crate::report::compare::saved::Unreadable;

/// One result, as typed and as it stood in the file.
#[derive(Debug)]
pub struct Taken {
    /// What is drawn.
    pub result: Outcome,
    /// All of it.
    pub whole: Value,
}

impl Taken {
    /// What it is called: the name of its file, else its title.
    pub fn name(&self) -> String {
        let about = &self.result.scenario;
        if about.file.is_empty() { about.title.clone() } else { compare::stem(&about.file).to_owned() }
    }

    /// True if `name` means it.
    pub fn is_called(&self, name: &str) -> bool {
        let about = &self.result.scenario;
        name == about.title || name == about.file || name == self.name()
    }
}

/// The result of one scenario.
#[derive(Deserialize, Debug)]
pub struct Outcome {
    pub scsim: Program,
    pub scenario: About,
    pub seed: u64,
    pub replications: u32,
    pub confidence: f64,
    #[serde(default)]
    pub partial: bool,
    #[serde(default)]
    pub trimmed: bool,
    #[serde(default)]
    pub digest: String,
    pub summary: Option<Summary>,
    pub planes: Vec<Plane>,
    #[serde(default)]
    pub differences: Vec<Difference>,
    #[serde(default)]
    pub assumptions: Vec<Assumption>,
    pub cost: Option<Bill>,
}

/// The program that wrote it.
#[derive(Deserialize, Debug)]
pub struct Program {
    #[serde(default)]
    pub version: String,
    pub model: u32,
}

/// What was simulated.
#[derive(Deserialize, Debug)]
pub struct About {
    #[serde(default)]
    pub file: String,
    pub title: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub digest: String,
    pub duration_s: f64,
    #[serde(default)]
    pub warmup_s: f64,
    pub toml: Option<String>,
}

/// The comparison as the terminal shows it.
#[derive(Deserialize, Debug)]
pub struct Summary {
    pub subtitle: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    #[serde(default)]
    pub judgements: Vec<Judged>,
    pub sentences: Vec<String>,
    pub warnings: Vec<String>,
    pub alarms: Vec<String>,
    pub footer: Vec<String>,
    pub next: String,
    #[serde(default)]
    pub again: String,
    pub marks: Vec<Mark>,
}

#[derive(Deserialize, Debug)]
pub struct Column {
    pub name: String,
    pub not_applicable: Option<String>,
}

#[derive(Deserialize, Debug)]
pub struct Row {
    pub label: String,
    pub metric: Option<String>,
    pub narrows: bool,
    pub cells: Vec<Cell>,
}

#[derive(Deserialize, Debug)]
pub struct Cell {
    pub value: Option<String>,
    pub spread: Option<String>,
    pub more: Vec<String>,
    pub best: bool,
    pub figure: Option<Figure>,
}

#[derive(Deserialize, Debug)]
pub struct Judged {
    pub verdict: String,
    pub that: String,
    pub during: String,
    pub plane: String,
    pub observed: String,
    pub remark: String,
}

/// A fault, a deployment or a scaling.
#[derive(Clone, Deserialize, Debug)]
pub struct Mark {
    pub label: String,
    pub from_s: f64,
    pub to_s: Option<f64>,
}

/// `M` of the format.
#[derive(Clone, Copy, Deserialize, Debug)]
pub struct Figure {
    pub mean: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub worst: Option<f64>,
}

/// Figures by name.
pub type Figures = IndexMap<String, Option<Figure>>;

#[derive(Deserialize, Debug)]
pub struct Plane {
    pub name: String,
    #[serde(default = "yes")]
    pub applicable: bool,
    pub reason: Option<String>,
    pub metrics: Figures,
    #[serde(default)]
    pub edges: Vec<Edge>,
    #[serde(default)]
    pub tasks: Vec<Task>,
    pub timeline: Option<Timeline>,
    #[serde(default)]
    pub events: Vec<Event>,
    #[serde(default)]
    pub events_dropped: u64,
    pub replications_detail: Option<IndexMap<String, Vec<Option<f64>>>>,
    pub latency: Option<Latency>,
    pub attribution: Option<Attribution>,
    pub heat: Option<Heat>,
    pub flows: Option<Flows>,
    pub lanes: Option<Vec<Lane>>,
}

const fn yes() -> bool {
    true
}

#[derive(Deserialize, Debug)]
pub struct Edge {
    pub from: String,
    pub to: String,
    pub metrics: Figures,
    pub policy: Option<String>,
}

#[derive(Deserialize, Debug)]
pub struct Task {
    pub id: String,
    pub service: String,
    pub requests: Option<Figure>,
    pub errors: Option<Figure>,
    pub ejected_s: Option<Figure>,
}

#[derive(Deserialize, Debug)]
pub struct Timeline {
    pub bucket_s: f64,
    pub requests: Vec<f64>,
    pub errors: Vec<f64>,
    pub p50_ms: Vec<Option<f64>>,
    pub p99_ms: Vec<Option<f64>>,
    pub retries: Vec<f64>,
    pub ejected: Vec<f64>,
    pub tasks: Vec<f64>,
    pub spread: Option<Spread>,
}

#[derive(Deserialize, Debug)]
pub struct Spread {
    #[serde(rename = "p50_low_ms")]
    pub p50_low: Vec<Option<f64>>,
    #[serde(rename = "p50_high_ms")]
    pub p50_high: Vec<Option<f64>>,
    #[serde(rename = "p99_low_ms")]
    pub p99_low: Vec<Option<f64>>,
    #[serde(rename = "p99_high_ms")]
    pub p99_high: Vec<Option<f64>>,
}

#[derive(Deserialize, Debug)]
pub struct Event {
    pub replication: u32,
    pub t_s: f64,
    pub kind: String,
    #[serde(default)]
    pub by: String,
    #[serde(default)]
    pub task: String,
    pub until_s: Option<f64>,
    #[serde(default)]
    pub note: String,
}

#[derive(Deserialize, Debug)]
pub struct Latency {
    pub shares: Vec<f64>,
    pub ok_ms: Option<Vec<f64>>,
    pub failed_ms: Option<Vec<f64>>,
    pub ok: u64,
    pub failed: u64,
}

#[derive(Deserialize, Debug)]
pub struct Attribution {
    pub failed_calls: f64,
    pub failed: Vec<Cause>,
    pub saved: Vec<Cause>,
}

#[derive(Deserialize, Debug)]
pub struct Cause {
    #[serde(rename = "cause")]
    pub name: String,
    pub label: String,
    pub count: f64,
}

/// Successes by time and latency.
#[derive(Deserialize, Debug)]
pub struct Heat {
    pub column_s: f64,
    /// Lower ends of the rows, ms, ascending, and the upper end of the last.
    pub edges_ms: Vec<f64>,
    /// Per column as many counts as there are rows.
    pub columns: Vec<Vec<u64>>,
}

/// Calls of each edge over time, means per replication.
#[derive(Deserialize, Debug)]
pub struct Flows {
    pub frame_s: f64,
    /// Per edge, in the order of `edges`.
    pub calls: Vec<Vec<f64>>,
    pub failed: Vec<Vec<f64>>,
}

/// One task of replication 0.
#[derive(Deserialize, Debug)]
pub struct Lane {
    pub task: String,
    pub from_s: f64,
    pub to_s: Option<f64>,
    pub first_s: Option<f64>,
    pub last_s: Option<f64>,
    pub requests: u64,
    pub errors: u64,
    /// Faults that were on it.
    #[serde(default)]
    pub faults: Vec<Mark>,
}

#[derive(Deserialize, Debug)]
pub struct Difference {
    pub plane: String,
    pub against: String,
    pub metric: String,
    pub mean: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
}

#[derive(Deserialize, Debug)]
pub struct Assumption {
    pub id: String,
    pub value: String,
    pub source: String,
    pub confidence: String,
    pub overridden_by: String,
}

/// A bill; amounts are decimal texts in dollars.
#[derive(Deserialize, Debug)]
pub struct Bill {
    pub region: String,
    pub hours: u64,
    pub simulated: bool,
    pub price_book: PriceBook,
    pub planes: Vec<PlaneBill>,
    #[serde(default)]
    pub break_even: Vec<BreakEven>,
    #[serde(default)]
    pub notes: Vec<String>,
}

#[derive(Deserialize, Debug)]
pub struct PriceBook {
    pub name: String,
    pub date: String,
}

#[derive(Deserialize, Debug)]
pub struct PlaneBill {
    pub name: String,
    pub applicable: bool,
    pub reason: Option<String>,
    pub per_month: Option<String>,
    pub low: Option<String>,
    pub high: Option<String>,
    #[serde(default)]
    pub unknown: Vec<String>,
    pub per_million_good_requests: Option<String>,
    #[serde(default)]
    pub lines: Vec<BillLine>,
    #[serde(default)]
    pub readings: Vec<Reading>,
}

#[derive(Deserialize, Debug)]
pub struct BillLine {
    pub group: String,
    pub item: String,
    pub quantity: Option<String>,
    pub unit: String,
    pub unit_price: Option<String>,
    pub per_month: Option<String>,
    pub formula: String,
    pub source: String,
    pub confidence: String,
}

#[derive(Deserialize, Debug)]
pub struct Reading {
    pub label: String,
    pub per_task: Option<String>,
    pub per_month: Option<String>,
    pub note: String,
    pub in_sum: bool,
}

#[derive(Deserialize, Debug)]
pub struct BreakEven {
    /// `None` for the whole estate.
    pub service: Option<String>,
    pub reading: String,
    pub tasks: Option<String>,
    pub tasks_now: String,
    pub against: String,
    pub alb_per_month: Option<String>,
    pub sidecar_per_task: Option<String>,
    pub note: String,
}

#[derive(Deserialize)]
struct Suite {
    results: Vec<Outcome>,
}

/// The results in a text: one, an array, or the outcomes of a suite.
///
/// # Errors
/// [`Unreadable`], with the line where it is known.
pub fn read(text: &str) -> Result<Vec<Taken>, Unreadable> {
    let (shape, values) = saved::values(text)?;
    let damaged = |place: usize, what: String| Unreadable::Damaged { place, what };
    let typed: Vec<Outcome> = match shape {
        saved::Shape::One => serde_json::from_str(text).map(|one| vec![one]),
        saved::Shape::Array => serde_json::from_str(text),
        saved::Shape::Suite => serde_json::from_str::<Suite>(text).map(|suite| suite.results),
    }
    // The text has no place of its own in a list; values tell which one it is.
    .map_err(|error| {
        let broken = values.iter().position(|value| serde_json::from_value::<Outcome>(value.clone()).is_err());
        damaged(broken.unwrap_or(0) + 1, error.to_string())
    })?;
    let taken: Vec<Taken> = typed.into_iter().zip(values).map(|(result, whole)| Taken { result, whole }).collect();
    for (i, one) in taken.iter().enumerate() {
        one.result.check().map_err(|what| damaged(i + 1, what))?;
    }
    Ok(taken)
}

/// Longest run, s: a hundred years.
const LENGTH_MAX: f64 = 3.2e9;

impl Outcome {
    /// Refuses what cannot be drawn without guessing.
    fn check(&self) -> Result<(), String> {
        let duration = self.scenario.duration_s;
        if !(duration > 0.0 && duration < LENGTH_MAX) {
            return Err(format!("scenario.duration_s is {duration}"));
        }
        if let Some(summary) = &self.summary {
            let columns = summary.columns.len();
            if let Some(row) = summary.rows.iter().find(|row| row.cells.len() != columns) {
                return Err(format!("row `{}` has {} cells for {columns} columns", row.label, row.cells.len()));
            }
        }
        self.planes.iter().try_for_each(|plane| plane.check().map_err(|what| format!("plane `{}`: {what}", plane.name)))
    }

    /// The planes that were simulated, with their places.
    pub fn shown(&self) -> impl Iterator<Item = (usize, &Plane)> {
        self.planes.iter().enumerate().filter(|(_, plane)| plane.applicable)
    }

    /// Faults, deployments and scalings. A deployment lasts until its last step in replication 0, on the plane
    /// where that comes last.
    pub fn marks(&self) -> Vec<Mark> {
        let marks = self.summary.as_ref().map_or(&[][..], |summary| &summary.marks);
        let steps = || {
            self.shown().flat_map(|(_, plane)| &plane.events).filter(|e| e.replication == 0 && e.kind == "deploy_step")
        };
        let deploys = || marks.iter().filter(|mark| mark.is_deploy());
        let lasting = |mark: &Mark| {
            let next =
                deploys().map(|other| other.from_s).filter(|from| *from > mark.from_s).fold(f64::INFINITY, f64::min);
            let mine = steps().map(|e| e.t_s).filter(|t| *t > mark.from_s && *t < next);
            let to_s = mine.fold(None, |last: Option<f64>, t| Some(last.map_or(t, |last| last.max(t))));
            Mark { to_s, ..mark.clone() }
        };
        marks
            .iter()
            .map(|mark| if mark.is_deploy() && mark.to_s.is_none() { lasting(mark) } else { mark.clone() })
            .collect()
    }
}

impl Mark {
    /// True of a deployment.
    pub fn is_deploy(&self) -> bool {
        self.label.starts_with("deploy ")
    }

    /// True of what somebody wanted: a deployment or a scaling, not a fault.
    pub fn is_planned(&self) -> bool {
        self.is_deploy() || self.to_s.is_none() && self.label.ends_with(" tasks")
    }
}

impl Plane {
    fn check(&self) -> Result<(), String> {
        if let Some(t) = &self.timeline {
            let n = t.requests.len();
            let mut lengths =
                vec![t.errors.len(), t.p50_ms.len(), t.p99_ms.len(), t.retries.len(), t.ejected.len(), t.tasks.len()];
            if let Some(s) = &t.spread {
                lengths.extend([&s.p50_low, &s.p50_high, &s.p99_low, &s.p99_high].map(Vec::len));
            }
            same(n, &lengths, "timeline")?;
            positive(t.bucket_s, "timeline.bucket_s")?;
        }
        if let Some(l) = &self.latency {
            let lengths = [&l.ok_ms, &l.failed_ms].into_iter().flatten().map(Vec::len).collect::<Vec<_>>();
            same(l.shares.len(), &lengths, "latency")?;
        }
        if let Some(h) = &self.heat {
            positive(h.column_s, "heat.column_s")?;
            let rows = h.edges_ms.len().saturating_sub(1);
            same(rows, &h.columns.iter().map(Vec::len).collect::<Vec<_>>(), "heat")?;
        }
        if let Some(f) = &self.flows {
            positive(f.frame_s, "flows.frame_s")?;
            same(self.edges.len(), &[f.calls.len(), f.failed.len()], "flows")?;
            let frames = f.calls.first().map_or(0, Vec::len);
            same(frames, &f.calls.iter().chain(&f.failed).map(Vec::len).collect::<Vec<_>>(), "flows")?;
        }
        if let Some(detail) = &self.replications_detail {
            let n = detail.get("index").map_or(0, Vec::len);
            same(n, &detail.values().map(Vec::len).collect::<Vec<_>>(), "replications_detail")?;
        }
        Ok(())
    }
}

fn same(length: usize, others: &[usize], what: &str) -> Result<(), String> {
    match others.iter().find(|other| **other != length) {
        Some(other) => Err(format!("lists of `{what}` have {length} and {other} entries")),
        None => Ok(()),
    }
}

fn positive(value: f64, what: &str) -> Result<(), String> {
    if value > 0.0 && value < LENGTH_MAX { Ok(()) } else { Err(format!("`{what}` is {value}")) }
}
