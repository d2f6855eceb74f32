//! `[[deploy]]`: a new version of a service, and how it comes.
//!
//! *Knows* what ECS lets one ask for. *Does not know* how a deployment proceeds.

use crate::scenario::Change;
use crate::scenario::Deploy;
use crate::scenario::happenings::instant;
use crate::scenario::services::Topology;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::units::Span;

/// Reads one deployment.
pub fn read(
    mut reader: Reader<'_>,
    topology: &Topology,
    duration: Span,
    problems: &mut Problems<'_>,
) -> Option<Deploy> {
    let at = reader.need("at", problems).and_then(|node| instant(node, duration, "this deployment", problems));
    let service = reader.need("service", problems).and_then(|node| topology.named(node, problems));
    let strategies = [("rolling", "rolling"), ("blue-green", "blue-green"), ("canary", "canary"), ("linear", "linear")];
    if let Some(strategy) = reader.word("strategy", &strategies, problems).filter(|strategy| *strategy != "rolling") {
        problems.unmodelled(reader.key_place("strategy"), format!("deployment strategy {strategy}"));
    }
    if reader.span("bake_time", problems).is_some_and(|span| !span.is_zero()) {
        problems.unmodelled(reader.key_place("bake_time"), "bake time of a deployment");
    }
    if reader.truth("circuit_breaker", problems) == Some(true) {
        problems.unmodelled(reader.key_place("circuit_breaker"), "deployment circuit breaker");
    }
    let minimum = reader.count("minimum_healthy_percent", 0..=100, problems).unwrap_or(100) as u32;
    let maximum = reader.count("maximum_percent", 100..=10_000, problems).unwrap_or(200) as u32;
    let change = reader.get("change").map_or_else(|| Some(Change::default()), |node| change(node, problems));
    if let Some(service) = service {
        let tasks = u64::from(topology.services[service.0 as usize].tasks);
        let least = (tasks * u64::from(minimum)).div_ceil(100);
        let most = tasks * u64::from(maximum) / 100;
        if most <= tasks && least >= tasks {
            let label = format!("of {tasks} tasks at least {least} must stay and at most {most} may run");
            let place = reader.key_place("maximum_percent").clone();
            problems.warn("scenario::deploy-stuck", &place, "this deployment cannot replace a single task", label);
        }
    }
    reader.finish(problems);
    Some(Deploy {
        at: at?,
        service: service?,
        minimum_healthy_percent: minimum,
        maximum_percent: maximum,
        change: change?,
    })
}

fn change(node: &Node, problems: &mut Problems<'_>) -> Option<Change> {
    let mut reader = Reader::of(node, "change", problems)?;
    let change = Change {
        latency: reader.distribution("latency", problems),
        errors: reader.ratio("errors", problems),
        startup: reader.distribution("startup", problems),
    };
    if reader.truth("crash_loop", problems) == Some(true) {
        problems.unmodelled(reader.key_place("crash_loop"), "a new version that crashes in a loop");
    }
    reader.finish(problems);
    Some(change)
}
