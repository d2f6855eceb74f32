//! What an endpoint does: `latency`, `calls`, `steps`; and that calls form no circle.
//!
//! *Knows* every form of a step. *Does not know* the rest of a service.

use crate::scenario::CallSite;
use crate::scenario::Distribution;
use crate::scenario::EdgeId;
use crate::scenario::Endpoint;
use crate::scenario::ServiceId;
use crate::scenario::Step;
use crate::scenario::services::Topology;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::units::Bytes;
use crate::units::Ratio;
use crate::units::Span;

pub fn endpoint(
    name: String,
    owner: ServiceId,
    reader: &mut Reader<'_>,
    topology: &mut Topology,
    problems: &mut Problems<'_>,
) -> Endpoint {
    let mut steps = Vec::new();
    let latency = reader.distribution("latency", problems);
    // No work at all is not a step; "0s" says the same as nothing.
    steps.extend(latency.filter(|latency| *latency != Distribution::Constant(Span::ZERO)).map(Step::Work));
    let errors = reader.ratio("errors", problems).unwrap_or(Ratio::ZERO);
    let calls = reader.get("calls");
    let long = reader.get("steps");
    if let (Some(_), Some(_)) = (calls, long) {
        let label = "`calls` is the short form of `steps`; use one of them";
        problems.error("scenario::calls-and-steps", reader.key_place("steps"), "both `calls` and `steps`", label);
    }
    for node in [calls, long].into_iter().flatten() {
        for item in value::list(node, problems).unwrap_or(&[]) {
            steps.extend(step(item, owner, false, topology, problems));
        }
    }
    Endpoint { name, errors, steps }
}

/// One entry of `calls` or `steps`; a list inside is the other of "in turn" and "at once".
fn step(
    node: &Node,
    owner: ServiceId,
    in_parallel: bool,
    topology: &mut Topology,
    problems: &mut Problems<'_>,
) -> Option<Step> {
    match &node.value {
        Value::Text(_) => {
            let to = callee(node, owner, topology, problems)?;
            Some(Step::Call(CallSite {
                edge: topology.edge_between(owner, to),
                endpoint: 0,
                timeout: None,
                probability: Ratio::ONE,
                idempotent: true,
                optional: false,
                request: Bytes::new(0),
                response: Bytes::new(0),
            }))
        }
        Value::List(items) => {
            let inner = items.iter().filter_map(|item| step(item, owner, !in_parallel, topology, problems)).collect();
            Some(if in_parallel { Step::Sequence(inner) } else { Step::Parallel(inner) })
        }
        Value::Table(table) => {
            let mut reader = Reader::new(table, "a step", &node.place);
            let found = step_table(&mut reader, owner, topology, problems);
            reader.finish(problems);
            found
        }
        other => {
            let label = format!("this is {}; write a service's name, a list or {{ call = ... }}", other.kind());
            problems.error("scenario::step", &node.place, "this is no step", label);
            None
        }
    }
}

fn callee(node: &Node, owner: ServiceId, topology: &Topology, problems: &mut Problems<'_>) -> Option<ServiceId> {
    let name = value::text(node, problems)?;
    let found = topology.service(name);
    if found.is_none() {
        let message = format!("`{}` calls a service that is not defined", topology.name(owner));
        topology.unknown(name, &node.place, &message, problems);
    }
    found
}

fn step_table(
    reader: &mut Reader<'_>,
    owner: ServiceId,
    topology: &mut Topology,
    problems: &mut Problems<'_>,
) -> Option<Step> {
    let kinds = ["work", "call", "parallel", "repeat"];
    let present: Vec<&str> = kinds.into_iter().filter(|kind| reader.has(kind)).collect();
    if present.len() != 1 {
        let label = "a step has exactly one of `work`, `call`, `parallel`, `repeat`";
        problems.error("scenario::step", reader.place(), "this is no step", label);
        reader.allow(&["work", "call", "parallel", "repeat", "times", "endpoint", "timeout", "probability"]);
        reader.allow(&["idempotent", "optional", "request", "response"]);
        return None;
    }
    match present[0] {
        "work" => reader.distribution("work", problems).map(Step::Work),
        "parallel" => {
            let items = reader.get("parallel").and_then(|node| value::list(node, problems))?;
            Some(Step::Parallel(items.iter().filter_map(|i| step(i, owner, true, topology, problems)).collect()))
        }
        "repeat" => {
            let times = reader.need("times", problems).and_then(|node| value::count(node, 0..=10_000, problems));
            let node = reader.get("repeat")?;
            let steps = match &node.value {
                Value::List(items) => items.iter().filter_map(|i| step(i, owner, false, topology, problems)).collect(),
                _ => step(node, owner, false, topology, problems).into_iter().collect(),
            };
            Some(Step::Repeat { times: times? as u32, steps })
        }
        _ => {
            let to = reader.get("call").and_then(|node| callee(node, owner, topology, problems));
            let endpoint = reader.get("endpoint");
            let mut site = CallSite {
                edge: EdgeId(0),
                endpoint: 0,
                timeout: reader.span("timeout", problems),
                probability: reader.ratio("probability", problems).unwrap_or(Ratio::ONE),
                idempotent: reader.truth("idempotent", problems).unwrap_or(true),
                optional: reader.truth("optional", problems).unwrap_or(false),
                request: reader.bytes("request", problems).unwrap_or(Bytes::new(0)),
                response: reader.bytes("response", problems).unwrap_or(Bytes::new(0)),
            };
            let to = to?;
            site.edge = topology.edge_between(owner, to);
            site.endpoint = topology.endpoint(to, endpoint, problems);
            Some(Step::Call(site))
        }
    }
}

/// A request that comes round to where it was never ends; the endpoints must form no circle.
pub fn refuse_cycles(topology: &Topology, problems: &mut Problems<'_>) {
    let mut first = Vec::new();
    let mut count = 0_usize;
    for service in &topology.services {
        first.push(count);
        count += service.endpoints.len();
    }
    if topology.services.len() != topology.index.len() {
        return;
    }
    let mut calls: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut callers = vec![0_usize; count];
    for (s, service) in topology.services.iter().enumerate() {
        for (e, endpoint) in service.endpoints.iter().enumerate() {
            for site in call_sites(&endpoint.steps) {
                let to = topology.edges[site.edge.0 as usize].to.0 as usize;
                let target = first[to] + site.endpoint as usize;
                calls[first[s] + e].push(target);
                callers[target] += 1;
            }
        }
    }
    // Whoever is left after all callers are taken away again and again is on a circle or behind one.
    let mut free: Vec<usize> = (0..count).filter(|i| callers[*i] == 0).collect();
    while let Some(next) = free.pop() {
        for target in &calls[next] {
            callers[*target] -= 1;
            if callers[*target] == 0 {
                free.push(*target);
            }
        }
    }
    let Some(mut here) = (0..count).find(|i| callers[*i] > 0) else { return };
    // Walking back along callers that are left ends in the circle itself.
    let mut caller_of = vec![None; count];
    for caller in (0..count).filter(|i| callers[*i] > 0) {
        for target in &calls[caller] {
            caller_of[*target] = Some(caller);
        }
    }
    let mut walked = Vec::new();
    let mut seen = vec![false; count];
    while !seen[here] {
        seen[here] = true;
        walked.push(here);
        let Some(caller) = caller_of[here] else { return };
        here = caller;
    }
    let owner = |endpoint: usize| first.partition_point(|start| *start <= endpoint) - 1;
    let from = walked.iter().position(|w| *w == here).unwrap_or(0);
    let mut names: Vec<&str> =
        walked[from..].iter().rev().map(|w| topology.services[owner(*w)].name.as_str()).collect();
    names.push(names[0]);
    names.truncate(12);
    let place = topology.index.get(names[0]).map(|named| named.place.clone());
    if let Some(place) = place {
        let message = "these calls go round in a circle, so no request ever ends";
        problems.error("scenario::call-cycle", &place, message, names.join(" -> "));
    }
}

/// Every call of some steps, at any depth.
pub fn call_sites(steps: &[Step]) -> Vec<&CallSite> {
    let mut found = Vec::new();
    let mut open: Vec<&Step> = steps.iter().rev().collect();
    while let Some(step) = open.pop() {
        match step {
            Step::Work(_) => {}
            Step::Call(site) => found.push(site),
            Step::Parallel(inner) | Step::Sequence(inner) | Step::Repeat { steps: inner, .. } => {
                open.extend(inner.iter().rev());
            }
        }
    }
    found
}
