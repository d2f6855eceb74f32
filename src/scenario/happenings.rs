//! `[[scale]]`, `[[deploy]]` and `[scaling.*]`: changes that somebody makes on purpose.
//!
//! *Knows* what ECS lets one ask for. *Does not know* how a deployment proceeds.

use std::collections::BTreeMap;

use crate::scenario::Change;
use crate::scenario::Deploy;
use crate::scenario::Fault;
use crate::scenario::Scale;
use crate::scenario::When;
use crate::scenario::faults;
use crate::scenario::services::TASKS_MAX;
use crate::scenario::services::Topology;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::units::Span;
use crate::units::Time;

/// All that happens in a run.
#[derive(Default)]
pub struct Happenings {
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// Faults without a model, by name: expectations may speak of them.
    pub later: BTreeMap<String, When>,
    /// New desired counts.
    pub scales: Vec<Scale>,
    /// Deployments.
    pub deploys: Vec<Deploy>,
}

/// Reads all happenings.
pub fn read(tree: &Table, topology: &Topology, duration: Span, problems: &mut Problems<'_>) -> Happenings {
    let mut happenings = Happenings::default();
    faults::read(tree, topology, duration, &mut happenings, problems);
    for node in items(tree, "scale", problems) {
        let Some(mut reader) = Reader::of(node, "[[scale]]", problems) else { continue };
        let at = reader.need("at", problems).and_then(|node| instant(node, duration, "this change", problems));
        let service = reader.need("service", problems).and_then(|node| topology.named(node, problems));
        let tasks = reader.need("tasks", problems).and_then(|node| value::count(node, 0..=TASKS_MAX, problems));
        reader.finish(problems);
        if let (Some(at), Some(service), Some(tasks)) = (at, service, tasks) {
            happenings.scales.push(Scale { at, service, tasks: tasks as u32 });
        }
    }
    for node in items(tree, "deploy", problems) {
        let Some(reader) = Reader::of(node, "[[deploy]]", problems) else { continue };
        happenings.deploys.extend(deploy(reader, topology, duration, problems));
    }
    scaling(tree, topology, problems);
    happenings
}

/// The entries of a list of tables.
pub fn items<'t>(tree: &'t Table, key: &str, problems: &mut Problems<'_>) -> &'t [Node] {
    match tree.get(key) {
        None => &[],
        Some(Node { value: Value::List(items), .. }) => items,
        Some(node) => {
            let label = format!("write [[{key}]], with two brackets");
            problems.error("scenario::type", &node.place, format!("there can be several of `{key}`"), label);
            &[]
        }
    }
}

/// An instant, with a warning if it comes when the run is over.
pub fn instant(node: &Node, duration: Span, what: &str, problems: &mut Problems<'_>) -> Option<Time> {
    let at = value::span(node, problems)?;
    if at >= duration {
        let label = format!("[run] duration is {duration}");
        problems.warn("scenario::after-end", &node.place, format!("{what} comes when the run is over"), label);
    }
    Some(Time::ZERO + at)
}

fn deploy(mut reader: Reader<'_>, topology: &Topology, duration: Span, problems: &mut Problems<'_>) -> Option<Deploy> {
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

/// `[scaling.NAME]` is checked; target tracking has no model yet.
fn scaling(tree: &Table, topology: &Topology, problems: &mut Problems<'_>) {
    let Some(node) = tree.get("scaling") else { return };
    let Value::Table(services) = &node.value else {
        problems.error("scenario::type", &node.place, "scaling is a table per service", "write [scaling.NAME]");
        return;
    };
    for (name, entry) in &services.entries {
        if name.starts_with("x_") {
            continue;
        }
        if topology.service(name).is_none() {
            topology.unknown(name, &entry.key, &format!("there is no service `{name}` to scale"), problems);
        }
        let Some(mut reader) = Reader::of(&entry.node, format!("[scaling.{name}]"), problems) else { continue };
        let least = reader.count("min", 0..=TASKS_MAX, problems).unwrap_or(1);
        let most = reader.need("max", problems).and_then(|node| value::count(node, 1..=TASKS_MAX, problems));
        if most.is_some_and(|most| most < least) {
            problems.error("scenario::range", reader.key_place("max"), "`max` is below `min`", "at least `min`");
        }
        let cpu = reader.ratio("target_cpu", problems).is_some();
        let rate = reader.rate("target_rps", problems).is_some();
        if cpu == rate && reader.has("target_cpu") == reader.has("target_rps") {
            let label = "give one of `target_cpu` and `target_rps`";
            problems.error("scenario::missing-key", reader.place(), "it is not clear what to track", label);
        }
        reader.span("scale_out_cooldown", problems);
        reader.span("scale_in_cooldown", problems);
        reader.finish(problems);
        problems.unmodelled(&entry.key, format!("target tracking of {name}"));
    }
}
