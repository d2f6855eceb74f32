//! What does not go together across sections: deployments, their controllers, and planes.
//!
//! *Knows* what ECS refuses, and where a plane has nothing that a strategy needs. *Does not know* how
//! any of them is read or simulated.

use crate::diagnostic::Severity;
use crate::scenario::Deploy;
use crate::scenario::Load;
use crate::scenario::Plane;
use crate::scenario::Strategy;
use crate::scenario::happenings::Happenings;
use crate::scenario::services::Topology;
use crate::scenario::table::Problems;
use crate::scenario::table::at;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::units::Time;

/// Refuses what ECS refuses, and marks the planes on which a deployment has no meaning.
pub fn check(tree: &Table, topology: &Topology, deploys: &[Deploy], planes: &mut [Plane], problems: &mut Problems<'_>) {
    refuse_controllers(tree, topology, planes, problems);
    for plane in planes {
        if plane.not_applicable.is_none() && plane.dns().is_some() {
            plane.not_applicable = shifts_without_router(topology, deploys);
        }
    }
}

/// Service Connect takes the ECS controller only; anything else fails when the service is created.
fn refuse_controllers(tree: &Table, topology: &Topology, planes: &[Plane], problems: &mut Problems<'_>) {
    let mut paths = planes.iter().flat_map(Plane::paths);
    let Some(plane) = paths.find(|path| is_service_connect(tree, &path.name)) else { return };
    for (id, (controller, place)) in &topology.controllers {
        let service = &topology.services[id.0 as usize];
        if service.external {
            continue;
        }
        let (name, controller, plane) = (&service.name, controller.name(), &plane.name);
        let message =
            format!("ECS refuses `{name}`: Service Connect does not support the {controller} deployment controller");
        let label = format!(
            "write controller = \"ECS\", which has blue-green, canary and linear too, or leave `{plane}` out of `compare`"
        );
        problems.push(
            at(Severity::Error, "scenario::controller", place, message)
                .with_label(label)
                .with_help("scsim explain controller"),
        );
    }
}

/// True if that plane is Service Connect or a variant of it.
fn is_service_connect(tree: &Table, name: &str) -> bool {
    let mut name = name.to_owned();
    // A chain of variants is no longer than there are planes; a circle has been reported.
    for _ in 0..64 {
        if name == "service-connect" {
            return true;
        }
        let own = tree.table("plane").and_then(|planes| planes.table(&name));
        match own.and_then(|own| own.get("extends")).map(|node| &node.value) {
            Some(Value::Text(base)) => name.clone_from(base),
            _ => return false,
        }
    }
    false
}

/// Why a traffic shift cannot happen where clients ask DNS for addresses.
fn shifts_without_router(topology: &Topology, deploys: &[Deploy]) -> Option<String> {
    let shifts = deploys.iter().filter(|deploy| matches!(deploy.strategy, Strategy::Shifting { .. }));
    let called = |deploy: &&Deploy| topology.edges.iter().any(|edge| edge.to == deploy.service);
    let name = shifts.filter(called).map(|deploy| topology.name(deploy.service)).next()?;
    Some(format!(
        "ECS shifts traffic to a new version of {name} through a load balancer or Service Connect, and DNS is neither"
    ))
}

/// Things happen to a service when it is there, and a test request needs a new version to reach.
pub fn check_times(
    tree: &Table,
    topology: &Topology,
    happenings: &Happenings,
    loads: &[Load],
    problems: &mut Problems<'_>,
) {
    let Happenings { scales, deploys, .. } = happenings;
    let takes_tests = deploys.iter().any(|deploy| matches!(deploy.strategy, Strategy::Shifting { .. }));
    let there = |at: Time, service: crate::scenario::ServiceId| {
        let service = &topology.services[service.0 as usize];
        (at < service.created).then_some(service)
    };
    let entries = |key: &str| match tree.get(key).map(|node| &node.value) {
        Some(Value::List(items)) => items.iter().map(|item| item.place.clone()).collect(),
        Some(Value::Table(_)) => tree.get(key).map(|node| node.place.clone()).into_iter().collect(),
        _ => Vec::new(),
    };
    for (scale, place) in scales.iter().zip(entries("scale")) {
        if let Some(service) = there(scale.at, scale.service) {
            let label = format!("`{}` is created at {}", service.name, service.created);
            problems.error("scenario::not-created", &place, "this service does not exist yet", label);
        }
    }
    for (load, place) in loads.iter().zip(entries("load")) {
        if load.test && !takes_tests {
            let label = "add a [[deploy]] with strategy = \"blue-green\", \"canary\" or \"linear\"";
            problems.warn("scenario::test-load", &place, "these test requests have no new version to test", label);
        }
        if let Some(service) = there(load.from, load.entry) {
            let label = format!("`{}` is created at {}; until then every request fails", service.name, service.created);
            problems.warn("scenario::not-created", &place, "this load begins before its entry exists", label);
        }
    }
}
