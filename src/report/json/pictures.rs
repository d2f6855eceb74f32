//! What maps, lanes and heat maps are drawn from, in a result file.
//!
//! *Knows* how the published names map to what was measured. *Does not know* drawings. None of it is part of the
//! digest: it is what the figures are made of, coarser.

use serde::Serialize;

use crate::measure::pictures;
use crate::measure::study::PlaneResult;
use crate::report::model::fault_label;
use crate::scenario::Scenario;
use crate::units::Time;

/// Columns of a heat map at the most.
const COLUMNS_MAX: usize = 60;
/// Edges above which frames are merged, so that a file does not grow with the square of an estate.
const EDGES_MANY: usize = 60;
/// Lanes at the most, those of the first tasks.
const LANES_MAX: usize = 2_000;

/// Successes by time and latency, all replications together.
#[derive(Serialize)]
pub(super) struct Heat {
    column_s: f64,
    edges_ms: Vec<f64>,
    columns: Vec<Vec<u64>>,
}

/// The heat map of a plane; `None` without a success.
pub(super) fn heat(result: &PlaneResult) -> Option<Heat> {
    if result.timeline.buckets.is_empty() {
        return None;
    }
    let heat = result.timeline.heat(COLUMNS_MAX);
    (heat.edges_ms.len() > 1).then(|| Heat {
        column_s: heat.column.as_secs_f64(),
        edges_ms: heat.edges_ms,
        columns: heat.columns,
    })
}

/// Calls of each edge that ended in each frame, and failed ones: means per replication.
#[derive(Serialize)]
pub(super) struct Flows {
    frame_s: f64,
    calls: Vec<Vec<f64>>,
    failed: Vec<Vec<f64>>,
}

/// The flows of a plane; `None` where nothing was simulated or nobody calls anybody.
pub(super) fn flows(result: &PlaneResult, edges: usize) -> Option<Flows> {
    let (runs, flows) = (result.replicas.len(), &result.pictures.flows);
    if runs == 0 || edges == 0 || flows.of(0).is_empty() {
        return None;
    }
    let merged = if edges > EDGES_MANY { 2 } else { 1 };
    let of = |edge: usize, figure: fn(&pictures::Flow) -> u64| -> Vec<f64> {
        let sums = flows.of(edge).chunks(merged).map(|frames| frames.iter().map(figure).sum::<u64>());
        sums.map(|sum| (sum as f64 / runs as f64 * 10.0).round() / 10.0).collect()
    };
    Some(Flows {
        frame_s: flows.frame.as_secs_f64() * merged as f64,
        calls: (0..edges).map(|edge| of(edge, |flow| flow.calls)).collect(),
        failed: (0..edges).map(|edge| of(edge, |flow| flow.failed)).collect(),
    })
}

/// The life of one task of replication 0.
#[derive(Serialize)]
pub(super) struct Lane {
    task: String,
    from_s: f64,
    to_s: Option<f64>,
    first_s: Option<f64>,
    last_s: Option<f64>,
    requests: u64,
    errors: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<Strike>,
}

/// A fault that was on the task.
#[derive(Serialize)]
struct Strike {
    label: String,
    from_s: f64,
    to_s: Option<f64>,
}

/// The lanes of a plane; `None` without replication 0.
pub(super) fn lanes(scenario: &Scenario, result: &PlaneResult) -> Option<Vec<Lane>> {
    let lanes = &result.pictures.lanes;
    let strike = |strike: &pictures::Strike| {
        let fault = scenario.faults.get(strike.fault as usize)?;
        let (from_s, to_s) = (strike.from.as_secs_f64(), strike.to.map(Time::as_secs_f64));
        Some(Strike { label: fault_label(scenario, fault), from_s, to_s })
    };
    let lane = |lane: &pictures::Lane| Lane {
        task: lane.task.clone(),
        from_s: lane.started.as_secs_f64(),
        to_s: lane.stopped.map(Time::as_secs_f64),
        first_s: lane.reached.map(|(first, _)| first.as_secs_f64()),
        last_s: lane.reached.map(|(_, last)| last.as_secs_f64()),
        requests: lane.requests,
        errors: lane.errors,
        faults: lane.strikes.iter().filter_map(strike).collect(),
    };
    (!lanes.is_empty()).then(|| lanes.iter().take(LANES_MAX).map(lane).collect())
}
