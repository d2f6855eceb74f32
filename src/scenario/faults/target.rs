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
    /// What was named.
    At(Target),
    /// The sidecars of these tasks.
    Sidecars(Target),
}

/// `payments#1`, `payments#any`, `payments[2]`, `payments[50%]`, `payments`, `web->payments`, `zone:a`,
/// `sidecar:web#2`, `dns`, `control-plane`.
pub fn read(node: &Node, topology: &Topology, problems: &mut Problems<'_>) -> Option<Aim> {
    let text = value::text(node, problems)?;
    match text {
        "dns" if topology.service("dns").is_none() => return Some(Aim::At(Target::Resolver)),
        "control-plane" if topology.service("control-plane").is_none() => return Some(Aim::At(Target::ControlPlane)),
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
        return found.map(|index| Aim::At(Target::Zone(index as u8)));
    }
    if text.contains("->") {
        return topology.edge(text, &node.place, problems).map(|edge| Aim::At(Target::Edge(edge)));
    }
    if let Some(task) = text.strip_prefix("sidecar:") {
        return task_target(task, node, topology, problems).map(Aim::Sidecars);
    }
    task_target(text, node, topology, problems).map(Aim::At)
}

/// "payments#1" and nothing else.
pub fn task(node: &Node, topology: &Topology, problems: &mut Problems<'_>) -> Option<(ServiceId, u32)> {
    let text = value::text(node, problems)?;
    if let Target::Task(service, number) = task_target(text, node, topology, problems)? {
        return Some((service, number));
    }
    let label = "write \"payments#1\"; for any task of a service use `service`";
    problems.error("scenario::target", &node.place, format!("`{text}` is not one task"), label);
    None
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
            let tasks = tasks_of(topology, service);
            if let Some(number) = rest.strip_prefix('#') {
                return match number.parse::<u32>() {
                    Ok(number) if (1..=tasks).contains(&number) => Some(Target::Task(service, number)),
                    Ok(_) => wrong(problems, format!("`{name}` has {tasks} tasks, {name}#1 to {name}#{tasks}")),
                    Err(_) => wrong(problems, format!("write \"{name}#1\" or \"{name}#any\"")),
                };
            }
            let Some(inner) = rest.strip_prefix('[').and_then(|share| share.strip_suffix(']')) else {
                return wrong(
                    problems,
                    format!("write \"{name}#1\", \"{name}#any\", \"{name}[2]\" or \"{name}[50%]\""),
                );
            };
            if !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_digit()) {
                return match inner.parse::<u32>() {
                    Ok(count) if (1..=tasks).contains(&count) => Some(Target::Count(service, count)),
                    Ok(0) => wrong(problems, "no task at all".to_owned()),
                    _ => wrong(problems, format!("`{name}` has {tasks} tasks")),
                };
            }
            match value::parse_ratio(inner) {
                Ok(share) if share > Ratio::ZERO => Some(Target::Share(service, share)),
                Ok(_) => wrong(problems, "no task at all".to_owned()),
                Err(label) => wrong(problems, label),
            }
        }
    }
}

fn tasks_of(topology: &Topology, service: ServiceId) -> u32 {
    topology.services.get(service.0 as usize).map_or(1, |service| service.tasks)
}
