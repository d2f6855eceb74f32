//! `target` of a fault: tasks, a zone, an edge, a sidecar, the resolver, the control plane.
//!
//! *Knows* every form. *Does not know* which fault can hit what.

use crate::scenario::ServiceId;
use crate::scenario::Target;
use crate::scenario::services::Topology;
use crate::scenario::table::Problems;
use crate::scenario::tree::Node;
use crate::scenario::value;
use crate::units::Ratio;

/// Whom a fault is aimed at.
pub enum Aim {
    /// Tasks, or an edge.
    Tasks(Target),
    /// A sidecar, the resolver or the control plane, which only unmodelled faults hit.
    Other(&'static str),
}

/// "payments#1", "payments#any", "payments[50%]", "payments", "web->payments", "zone:a".
pub fn read(node: &Node, topology: &Topology, problems: &mut Problems<'_>) -> Option<Aim> {
    let text = value::text(node, problems)?;
    match text {
        "dns" if topology.service("dns").is_none() => return Some(Aim::Other("the resolver")),
        "control-plane" if topology.service("control-plane").is_none() => return Some(Aim::Other("the control plane")),
        _ => {}
    }
    if let Some(zone) = text.strip_prefix("zone:") {
        let found = topology.zones.iter().position(|name| name == zone);
        if found.is_none() {
            let label = format!("zones: {}", topology.zones.join(", "));
            problems.error(
                "scenario::unknown-zone",
                &node.place,
                format!("no service has tasks in zone `{zone}`"),
                label,
            );
        }
        return found.map(|index| Aim::Tasks(Target::Zone(index as u8)));
    }
    if text.contains("->") {
        return topology.edge(text, &node.place, problems).map(|edge| Aim::Tasks(Target::Edge(edge)));
    }
    if let Some(task) = text.strip_prefix("sidecar:") {
        task_target(task, node, topology, problems)?;
        return Some(Aim::Other("a sidecar"));
    }
    task_target(text, node, topology, problems).map(Aim::Tasks)
}

fn task_target(text: &str, node: &Node, topology: &Topology, problems: &mut Problems<'_>) -> Option<Target> {
    let name = text.split(['#', '[']).next().unwrap_or(text);
    let Some(service) = topology.service(name) else {
        topology.unknown(name, &node.place, &format!("there is no service `{name}`"), problems);
        return None;
    };
    let rest = &text[name.len()..];
    let wrong = |problems: &mut Problems<'_>, label: String| {
        problems.error("scenario::target", &node.place, format!("`{text}` names no task"), label);
        None
    };
    match rest {
        "" => Some(Target::Service(service)),
        "#any" => Some(Target::AnyTask(service)),
        _ => {
            if let Some(number) = rest.strip_prefix('#') {
                let tasks = tasks_of(topology, service);
                return match number.parse::<u32>() {
                    Ok(number) if (1..=tasks).contains(&number) => Some(Target::Task(service, number)),
                    Ok(_) => wrong(problems, format!("`{name}` has {tasks} tasks, {name}#1 to {name}#{tasks}")),
                    Err(_) => wrong(problems, format!("write \"{name}#1\" or \"{name}#any\"")),
                };
            }
            match rest.strip_prefix('[').and_then(|share| share.strip_suffix(']')) {
                Some(share) => match value::parse_ratio(share) {
                    Ok(share) if share > Ratio::ZERO => Some(Target::Share(service, share)),
                    Ok(_) => wrong(problems, "no task at all".to_owned()),
                    Err(label) => wrong(problems, label),
                },
                None => wrong(problems, format!("write \"{name}#1\", \"{name}#any\" or \"{name}[50%]\"")),
            }
        }
    }
}

fn tasks_of(topology: &Topology, service: ServiceId) -> u32 {
    topology.services.get(service.0 as usize).map_or(1, |service| service.tasks)
}
