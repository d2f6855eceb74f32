//! What deployments assume.
//!
//! *Knows* which assumption acts in which kind of deployment. *Does not know* how a deployment proceeds.

use super::Row;
use super::Rows;
use super::UNPUBLISHED;
use crate::scenario::Confidence;
use crate::scenario::Deploy;
use crate::scenario::Scenario;
use crate::scenario::Strategy;
use crate::scenario::ecs;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;

/// Rows for the deployments of a scenario; none where nothing is deployed in a way that assumes anything.
pub(super) fn list(rows: &mut Rows, scenario: &Scenario, tree: &Table) {
    let any = |which: &dyn Fn(&Deploy) -> bool| scenario.deploys.iter().any(which);
    let mut add = |id: &str, value: String, default: String, source: &str, confidence, key: &str| {
        rows.add(None, &Row { id, value, default, source, confidence, key });
    };
    let fixed = |text: &str| (text.to_owned(), text.to_owned());
    let settles = scenario.deploys.iter().filter_map(|deploy| match deploy.strategy {
        Strategy::Shifting { settle, .. } => Some(settle.to_string()),
        Strategy::Rolling { .. } => None,
    });
    let default = ecs::SHIFT_SETTLE.to_string();
    // The first that differs speaks for them all.
    let settles: Vec<String> = settles.collect();
    if let Some(settle) = settles.iter().find(|settle| **settle != default).or(settles.first()) {
        let confidence = Confidence::Guess;
        add("ecs.shift_settle", settle.clone(), default, UNPUBLISHED, confidence, "deploy.settle");
        let (value, default) = fixed("each version is a cluster of its own, chosen per request; retries stay in it");
        let source = "Envoy's weighted clusters and an ALB's weighted target groups; AWS does not say for sidecars";
        add("deploy.two_clusters", value, default, source, Confidence::Inferred, "none");
    }
    if any(&|deploy| deploy.circuit_breaker.is_some()) {
        let (value, default) = fixed("tasks that die before they were healthy, or fail their checks");
        let source = "ECS Developer Guide, deployment-circuit-breaker; it does not say what an exit after RUNNING is";
        add("ecs.failed_tasks", value, default, source, Confidence::Inferred, "none");
    }
    if any(&|deploy| deploy.alarm.is_some()) {
        let (value, default) = fixed("one datapoint, there at the end of its period");
        let source = "CloudWatch takes some seconds more, and alarms are set up with any number of datapoints";
        add("deploy.alarm", value, default, source, Confidence::Guess, "deploy.alarm");
    }
    if scenario.loads.iter().any(|load| load.test) {
        let (value, default) = fixed("apps pass the test header on to every call");
        add("app.forwards_test_header", value, default, "the app's own doing", Confidence::Guess, "none");
    }
    if gives_no_span(tree) {
        let (value, default) = fixed(&ecs::CRASH_LOOP.to_string());
        add("deploy.crash_loop", value, default, UNPUBLISHED, Confidence::Guess, "deploy.change.crash_loop");
    }
}

/// Some deployment says `crash_loop = true` and not how long it takes.
fn gives_no_span(tree: &Table) -> bool {
    let Some(Value::List(deploys)) = tree.get("deploy").map(|node| &node.value) else { return false };
    deploys.iter().any(|deploy| match &deploy.value {
        Value::Table(table) => table
            .table("change")
            .and_then(|change| change.get("crash_loop"))
            .is_some_and(|node| matches!(node.value, Value::Bool(true))),
        _ => false,
    })
}
