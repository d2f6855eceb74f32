//! `[[scale]]`, `[[deploy]]`, `[[migrate]]` and `[scaling.*]`: changes that somebody makes on purpose.
//!
//! *Knows* what ECS lets one ask for. *Does not know* how a deployment proceeds.

mod deploy;
pub mod migrate;
mod scaling;

use crate::scenario::Deploy;
use crate::scenario::Fault;
use crate::scenario::Migrate;
use crate::scenario::Scale;
use crate::scenario::Scaling;
use crate::scenario::faults;
use crate::scenario::services::TASKS_MAX;
use crate::scenario::services::Topology;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::scenario::tree::Place;
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
    /// Where the target of each stands.
    pub fault_places: Vec<Place>,
    /// New desired counts.
    pub scales: Vec<Scale>,
    /// Services whose task count follows a metric.
    pub scalings: Vec<Scaling>,
    /// Deployments.
    pub deploys: Vec<Deploy>,
    /// Callers that move to a plane's other path, or back.
    pub migrations: Vec<Migrate>,
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
        happenings.deploys.extend(deploy::read(reader, topology, duration, problems));
    }
    happenings.scalings = scaling::read(tree, topology, problems);
    let faults: Vec<&str> = happenings.faults.iter().map(|fault| fault.name.as_str()).collect();
    happenings.migrations = migrate::read(tree, topology, duration, &faults, problems);
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
