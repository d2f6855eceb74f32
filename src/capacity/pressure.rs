//! What is full: tasks, queues, sidecars, breakers, and which of them binds.
//!
//! *Knows* simulated counters, and that who waits for a full service is busy too. *Does not know* the SLO.

use std::collections::BTreeSet;

use crate::measure::Flag;
use crate::measure::ServiceRecord;
use crate::policy::config::CircuitBreakers;
use crate::report::figure::Sheet;
use crate::scenario::EdgeId;
use crate::scenario::Plane;
use crate::scenario::Scenario;
use crate::scenario::Scope;
use crate::scenario::Window;

/// What may be full.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// The servers of a service's tasks (`concurrency`).
    Tasks,
    /// The processor share of a service's sidecars.
    SidecarCpu,
    /// The queues in front of a service's tasks turn requests away.
    Queue,
    /// A breaker refuses calls.
    Breaker,
    /// Calls run into their time-out.
    TimeOut,
    /// Calls find no endpoint or no connection.
    Endpoints,
}

impl Kind {
    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Tasks => "tasks",
            Kind::SidecarCpu => "sidecar-cpu",
            Kind::Queue => "queue",
            Kind::Breaker => "breaker",
            Kind::TimeOut => "time-out",
            Kind::Endpoints => "endpoints",
        }
    }

    /// Its value is the share of a capacity in use, not a share of calls refused.
    pub const fn is_busy(self) -> bool {
        matches!(self, Kind::Tasks | Kind::SidecarCpu)
    }
}

/// How full something was, over all replications of a probe.
#[derive(Clone, PartialEq, Debug)]
pub struct Pressure {
    /// What.
    pub kind: Kind,
    /// The service, or the edge, `checkout->payments`.
    pub at: String,
    /// Index of the service, or of the edge's callee.
    service: usize,
    /// Share of its capacity in use, for tasks that of the busiest one; for refusals their share of the calls.
    pub share: f64,
    /// The mean over all tasks, where `share` is that of one.
    pub mean: Option<f64>,
    /// The limit in words, where there is one to raise: `max_requests = 100`.
    pub limit: Option<String>,
}

/// What keeps more from passing.
#[derive(Clone, PartialEq, Debug)]
pub struct Binding {
    /// What is full at the first position that fails.
    pub pressure: Pressure,
    /// Its share at the last position that passes.
    pub before: Option<f64>,
}

/// Everything that may be full on a plane and is used at all.
pub fn all(sheet: &Sheet<'_>, plane: usize) -> Vec<Pressure> {
    let mut found = Vec::new();
    for service in 0..sheet.scenario.services.len() {
        of_service(sheet, plane, service, &mut found);
    }
    for edge in 0..sheet.scenario.edges.len() {
        of_edge(sheet, plane, edge, &mut found);
    }
    found
}

fn of_service(sheet: &Sheet<'_>, plane: usize, service: usize, found: &mut Vec<Pressure>) {
    let what = &sheet.scenario.services[service];
    let records: Vec<&ServiceRecord> =
        sheet.result(plane).replicas.iter().filter_map(|replica| replica.services.get(service)).collect();
    let sum = |of: fn(&ServiceRecord) -> u128| records.iter().map(|record| of(record)).sum::<u128>() as f64;
    if let Some((share, mean)) = busy(sheet, plane, service) {
        let limit = what.concurrency.map(|servers| format!("concurrency = {servers}"));
        found.push(Pressure { kind: Kind::Tasks, at: what.name.clone(), service, share, mean: Some(mean), limit });
    }
    let mut add = |kind, top: f64, bottom: f64, limit| {
        if top > 0.0 && bottom > 0.0 {
            // What is finished after the last arrival is counted, the time it takes is not.
            let share = (top / bottom).min(1.0);
            found.push(Pressure { kind, at: what.name.clone(), service, share, mean: None, limit });
        }
    };
    let places = what.queue.map(|queue| format!("queue = {queue}"));
    add(Kind::Queue, sum(|r| u128::from(r.rejected)), sum(|r| u128::from(r.arrived)), places);
    if let Some(sidecar) = sheet.scenario.planes[plane].sidecar() {
        // A task's sidecar has its share of a processor for as long as the task is there.
        let given = sum(|r| r.area_tasks) * f64::from(sidecar.cpu.as_millis()) / 1e3;
        let share = format!("{} vCPU", f64::from(sidecar.cpu.as_millis()) / 1e3);
        add(Kind::SidecarCpu, sum(|r| u128::from(r.sidecar_cpu.as_nanos())), given, Some(share));
    }
}

/// How busy the servers of a service's tasks are: those of the busiest task, and all of them.
///
/// Callers may crowd on one task, and tasks that are cut off have idle servers. The busiest task is the one
/// that most requests reached in a stretch (a minute), at the mean work per request.
fn busy(sheet: &Sheet<'_>, plane: usize, service: usize) -> Option<(f64, f64)> {
    let servers = f64::from(sheet.scenario.services[service].concurrency?);
    let (mut busiest, mut mean, mut count) = (0.0, 0.0, 0.0);
    for replica in &sheet.result(plane).replicas {
        let Some(record) = replica.services.get(service).filter(|record| record.area_servers > 0) else { continue };
        let all = record.area_busy as f64 / record.area_servers as f64;
        let work = if record.finished > 0 { record.area_busy as f64 / record.finished as f64 } else { 0.0 };
        // Those that its queue turned away took none of its time.
        let taken = 1.0 - record.rejected as f64 / record.arrived.max(1) as f64;
        let most = replica.usage.task_requests_max.get(service).map_or(0.0, |most| *most as f64 * taken);
        let given = replica.usage.stretch.as_nanos() as f64 * servers;
        let one = if given > 0.0 { most * work / given } else { 0.0 };
        // More may arrive than is served.
        busiest += one.min(1.0).max(all);
        mean += all;
        count += 1.0;
    }
    (count > 0.0 && mean > 0.0).then(|| (busiest / count, mean / count))
}

fn of_edge(sheet: &Sheet<'_>, plane: usize, edge: usize, found: &mut Vec<Pressure>) {
    let id = EdgeId(edge as u32);
    let Some(slice) = sheet.study.frame.slice(Window::All, Scope::Edge(id)) else { return };
    let Some(hops) = sheet.result(plane).hops.get(slice).filter(|hops| hops.requests > 0) else { return };
    let service = sheet.scenario.edges[edge].to.0 as usize;
    let refused = |flags: &[Flag]| flags.iter().map(|flag| hops.flags[flag.index()]).sum::<u64>() as f64;
    let mut add = |kind, flags: &[Flag], limit| {
        let share = refused(flags) / hops.requests as f64;
        if share > 0.0 {
            found.push(Pressure { kind, at: sheet.scenario.edge_name(id), service, share, mean: None, limit });
        }
    };
    add(Kind::Breaker, &[Flag::Uo], breaker(&sheet.scenario.planes[plane], edge));
    add(Kind::TimeOut, &[Flag::Ut], None);
    add(Kind::Endpoints, &[Flag::Uh, Flag::Uf, Flag::Df], None);
}

/// Envoy's default of most limits: where something is set lower, that is what is meant.
const USUAL: u32 = 1024;

/// The limits of an edge's breaker that are limits, those below the usual ones alone where there are any.
fn breaker(plane: &Plane, edge: usize) -> Option<String> {
    let CircuitBreakers { max_connections, per_host_max_connections, max_pending_requests, max_requests, .. } =
        plane.edge_policies.get(edge)?.circuit_breakers;
    let limits = [
        ("max_requests", max_requests),
        ("max_pending_requests", max_pending_requests),
        ("max_connections", max_connections),
        ("per_host max_connections", per_host_max_connections),
    ];
    let low = limits.iter().any(|(_, limit)| *limit < USUAL);
    let set = limits.into_iter().filter(|(_, limit)| if low { *limit < USUAL } else { *limit != u32::MAX });
    let texts: Vec<String> = set.map(|(name, limit)| format!("{name} = {limit}")).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// Share of a capacity above which it is full: a queue in front of it grows without end soon after.
const FULL: f64 = 0.95;
/// Share of calls refused that is more than a few at the start.
const REFUSES: f64 = 0.001;
/// Share of a capacity below which waiting for it is rare.
const IDLE: f64 = 0.3;

/// What binds between the last position that passes and the first that fails: what is full, else what
/// refuses, else what is busiest. Of services that are full the one farthest from the users, because
/// those that wait for it hold their servers meanwhile. `None` if nothing is even busy.
pub fn binding(scenario: &Scenario, before: &[Pressure], beyond: &[Pressure]) -> Option<Binding> {
    let busiest = |least: f64| {
        let busy: Vec<&Pressure> = beyond.iter().filter(|p| p.kind.is_busy() && p.share >= least).collect();
        let waits = |p: &&&Pressure| {
            let below = below(scenario, p.service);
            !busy.iter().any(|other| other.service != p.service && below.contains(&other.service))
        };
        busy.iter().filter(waits).max_by(|a, b| a.share.total_cmp(&b.share)).copied()
    };
    let refusal = || {
        let refusing = beyond.iter().filter(|p| !p.kind.is_busy() && p.share >= REFUSES);
        // A breaker or a queue that refuses is a cause; a time-out is what came of one.
        refusing.min_by(|a, b| a.kind.cmp(&b.kind).then(b.share.total_cmp(&a.share)))
    };
    let most = beyond.iter().filter(|p| p.kind.is_busy()).map(|p| p.share).fold(0.0, f64::max);
    let found = busiest(FULL).or_else(refusal).or_else(|| busiest(IDLE.max(most * 0.9)))?;
    let same = before.iter().find(|p| p.kind == found.kind && p.at == found.at);
    Some(Binding { pressure: found.clone(), before: same.map(|p| p.share) })
}

/// The services that a service calls, theirs, and so on.
fn below(scenario: &Scenario, service: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open = vec![service];
    while let Some(caller) = open.pop() {
        for edge in scenario.edges.iter().filter(|edge| edge.from.0 as usize == caller) {
            let callee = edge.to.0 as usize;
            if callee != service && found.insert(callee) {
                open.push(callee);
            }
        }
    }
    found
}

/// The busiest service that tasks can be taken from: its index.
pub fn busiest(scenario: &Scenario, pressures: &[Pressure]) -> Option<usize> {
    let called = |service: usize| scenario.edges.iter().any(|edge| edge.to.0 as usize == service);
    let losable = |service: usize| scenario.services[service].tasks > 1 && !scenario.services[service].external;
    let busy = pressures.iter().filter(|p| p.kind.is_busy() && losable(p.service));
    let found = busy.max_by(|a, b| a.share.total_cmp(&b.share)).map(|p| p.service);
    // Where nothing has a limit, a task that is called is missed most where there are fewest.
    let services = || (0..scenario.services.len()).filter(|&service| losable(service));
    found.or_else(|| {
        services().filter(|&s| called(s)).min_by_key(|&s| scenario.services[s].tasks).or_else(|| services().next())
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::LoadOptions;
    use crate::scenario::parse;

    fn chain() -> Scenario {
        let text = "compare = [\"direct\"]\n[service.a]\ncalls = [\"b\"]\n[service.b]\ncalls = [\"c\"]\n[service.c]\ntasks = 2\n\
                    [load]\nrate = \"1/s\"\n";
        parse("t.toml", text, Path::new("."), &LoadOptions::default()).unwrap().scenario
    }

    fn pressure(kind: Kind, service: usize, share: f64) -> Pressure {
        Pressure { kind, at: format!("s{service}"), service, share, mean: None, limit: None }
    }

    #[test]
    fn who_waits_for_a_full_service_does_not_bind() {
        let beyond = [pressure(Kind::Tasks, 0, 1.0), pressure(Kind::Tasks, 1, 0.97), pressure(Kind::Tasks, 2, 0.5)];
        let found = binding(&chain(), &[pressure(Kind::Tasks, 1, 0.9)], &beyond).unwrap();
        assert_eq!((found.pressure.service, found.before), (1, Some(0.9)));
    }

    #[test]
    fn what_refuses_binds_where_nothing_is_full() {
        let beyond = [pressure(Kind::Tasks, 2, 0.6), pressure(Kind::TimeOut, 2, 0.5), pressure(Kind::Breaker, 2, 0.02)];
        assert_eq!(binding(&chain(), &[], &beyond).unwrap().pressure.kind, Kind::Breaker);
        let full = [pressure(Kind::Tasks, 2, 0.99), pressure(Kind::Breaker, 2, 0.02)];
        assert_eq!(binding(&chain(), &[], &full).unwrap().pressure.kind, Kind::Tasks);
    }

    #[test]
    fn nothing_binds_where_nothing_is_busy() {
        assert_eq!(binding(&chain(), &[], &[pressure(Kind::Tasks, 2, 0.1)]), None);
        assert_eq!(binding(&chain(), &[], &[pressure(Kind::Tasks, 2, 0.5)]).unwrap().pressure.service, 2);
    }

    #[test]
    fn the_busiest_service_that_can_lose_a_task_loses_one() {
        assert_eq!(busiest(&chain(), &[pressure(Kind::Tasks, 0, 0.9)]), Some(2), "the others have a single task");
    }
}
