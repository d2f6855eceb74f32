//! `[scaling.NAME]`: target tracking.
//!
//! *Knows* what Application Auto Scaling lets one ask for. *Does not know* how it reacts.

use crate::scenario::services::TASKS_MAX;
use crate::scenario::services::Topology;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::scenario::value;

/// `[scaling.NAME]` is checked; target tracking has no model yet.
pub fn read(tree: &Table, topology: &Topology, problems: &mut Problems<'_>) {
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
