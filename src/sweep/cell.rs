//! What is kept of one cell: its figures and its verdicts.
//!
//! *Knows* which figures a sweep shows. *Does not know* how they are laid out or stored.

use serde::Deserialize;
use serde::Serialize;

use crate::measure::estimate::Estimate;
use crate::report::csv;
use crate::report::expect::Judgement;
use crate::report::expect::window_name;
use crate::report::figure;
use crate::report::figure::Place;
use crate::report::figure::Sheet;
use crate::scenario::CostFigure;
use crate::scenario::EdgeId;
use crate::scenario::Metric;
use crate::scenario::Operand;
use crate::scenario::Scope;
use crate::scenario::Severity;
use crate::scenario::Sweep;
use crate::scenario::Window;

/// The figures of the users over the whole run that every cell has.
const METRICS: [Metric; 21] = [
    Metric::Requests,
    Metric::FailedRequests,
    Metric::ErrorRate,
    Metric::Goodput,
    Metric::Mean,
    Metric::Percentile(0.5),
    Metric::Percentile(0.9),
    Metric::Percentile(0.95),
    Metric::Percentile(0.99),
    Metric::Percentile(0.999),
    Metric::Max,
    Metric::AttemptsPerRequest,
    Metric::RetriesPerRequest,
    Metric::Ejections,
    Metric::TimeToEject,
    Metric::TimeToContain,
    Metric::StaleWindow,
    Metric::StaleDials,
    Metric::Overflow,
    Metric::QueueMax,
    Metric::CpuMax,
];

/// The figures of a bill that a cell has beside them if the scenario says what it costs.
const COSTS: [Metric; 4] = [
    Metric::CostPerMonth,
    Metric::Cost(CostFigure::Sidecar),
    Metric::Cost(CostFigure::LoadBalancer),
    Metric::Cost(CostFigure::PerMillion),
];

/// One cell of a sweep.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Cell {
    /// Its number.
    pub cell: u64,
    /// What each field is set to, in the order of the header's axes; `None` leaves it to the file.
    pub values: Vec<Option<String>>,
    /// SHA-256 of the scenario's text and its overrides, hex.
    pub digest: String,
    /// The planes, in the order of the scenario.
    pub planes: Vec<PlaneCell>,
    /// What was expected of it.
    pub expectations: Vec<Held>,
}

/// One plane of a cell.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct PlaneCell {
    /// Its name.
    pub name: String,
    /// Why it was not simulated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_applicable: Option<String>,
    /// What exists on it.
    pub figures: Vec<Figure>,
}

/// One figure.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Figure {
    /// Its name in scenarios.
    pub metric: String,
    /// `users`, a service, or an edge.
    pub scope: String,
    /// The window's name.
    pub during: String,
    /// `ms`, `s`, `fraction`, `count`, `1/s`, `1`.
    pub unit: String,
    /// Mean over the replications in which it is finite; for percentiles that of the pooled histogram.
    pub mean: Option<f64>,
    /// Lower end of the confidence interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// The worst of those replications.
    pub worst: Option<f64>,
    /// Replications in which it is finite.
    pub replications: u32,
    /// Replications in which it never came to pass.
    pub never: u32,
}

/// An expectation and what became of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Held {
    /// As written.
    pub that: String,
    /// Line in the file.
    pub line: u32,
    /// The plane it was judged on.
    pub plane: Option<String>,
    /// The window's name.
    pub during: String,
    /// `holds`, `fails`, `inconclusive`.
    pub verdict: String,
    /// A failure fails the command.
    pub error: bool,
}

impl Cell {
    /// Folds the study of one cell.
    pub fn of(sheet: &Sheet<'_>, judgements: &[Judgement], sweep: &Sweep, index: u64) -> Cell {
        let picked = sweep.cell(index);
        let values =
            sweep.axes.iter().zip(picked).map(|(axis, at)| at.map(|at| axis.values[at].shown.clone())).collect();
        let scenario = sheet.scenario;
        let asked = asked(sheet);
        let plane = |index: usize| {
            let plane = &scenario.planes[index];
            let figures = asked.iter().filter_map(|&(metric, during, scope)| {
                figure_of(sheet, metric, Place { plane: index, window: during, scope })
            });
            PlaneCell {
                name: plane.name.clone(),
                not_applicable: plane.not_applicable.clone(),
                figures: figures.collect(),
            }
        };
        let held = |j: &Judgement| Held {
            that: j.that.clone(),
            line: j.line,
            plane: j.plane.map(|plane| scenario.planes[plane].name.clone()),
            during: j.during.clone(),
            verdict: j.verdict.name().to_owned(),
            error: j.severity == Severity::Error,
        };
        Cell {
            cell: index,
            values,
            digest: scenario.digest.clone(),
            planes: (0..scenario.planes.len()).map(plane).collect(),
            expectations: judgements.iter().map(held).collect(),
        }
    }

    /// A figure of the users over the whole run.
    pub fn figure(&self, plane: &str, metric: &str) -> Option<&Figure> {
        let plane = self.planes.iter().find(|p| p.name == plane)?;
        plane.figures.iter().find(|f| f.metric == metric && f.scope == "users" && f.during == "all")
    }
}

impl Figure {
    /// As an estimate, for printing; something that never came to pass in every replication has none.
    pub fn estimate(&self) -> Option<Estimate> {
        let mean = self.mean?;
        let worst = self.worst.unwrap_or(mean);
        Some(Estimate { mean, low: self.low, high: self.high, worst, replications: self.replications })
    }
}

/// The figures of every cell: those that all have, and those that expectations and the claim name.
fn asked(sheet: &Sheet<'_>) -> Vec<(Metric, Window, Scope)> {
    let scenario = sheet.scenario;
    let mut all: Vec<(Metric, Window, Scope)> =
        METRICS.iter().map(|&metric| (metric, Window::All, Scope::Users)).collect();
    if scenario.cost.asked {
        all.extend(COSTS.iter().map(|&metric| (metric, Window::All, Scope::Users)));
    }
    let mut add = |metric: Metric, during: Window, scope: Scope| {
        // What is counted over the whole run has no other window.
        let during = if figure::is_whole_run(metric) { Window::All } else { during };
        if !all.contains(&(metric, during, scope)) {
            all.push((metric, during, scope));
        }
    };
    for expect in &scenario.expects {
        for side in [&expect.left, &expect.right] {
            if let Operand::Metric { metric, .. } = side {
                add(*metric, expect.during, expect.scope);
            }
        }
    }
    for figure in scenario.claim.iter().flat_map(|claim| &claim.figures) {
        add(figure.metric, figure.during, figure.scope);
    }
    all
}

/// A figure at a place; `None` where it does not exist.
pub fn figure_of(sheet: &Sheet<'_>, metric: Metric, place: Place) -> Option<Figure> {
    let values = sheet.values(metric, place)?;
    let estimate = sheet.estimate_finite(metric, place);
    let plain = |x: f64| x.is_finite().then_some(x + 0.0);
    let scenario = sheet.scenario;
    Some(Figure {
        metric: figure::name(metric),
        scope: match place.scope {
            Scope::Users => "users".to_owned(),
            Scope::Service(service) => scenario.service(service).name.clone(),
            Scope::Edge(edge) => scenario.edge_name(EdgeId(edge.0)),
        },
        during: window_name(scenario, place.window),
        unit: csv::unit(metric).to_owned(),
        mean: estimate.and_then(|e| plain(e.mean)),
        low: estimate.and_then(|e| e.low).and_then(plain),
        high: estimate.and_then(|e| e.high).and_then(plain),
        worst: estimate.and_then(|e| plain(e.worst)),
        replications: estimate.map_or(0, |e| e.replications),
        never: values.iter().flatten().filter(|v| v.is_infinite()).count() as u32,
    })
}
