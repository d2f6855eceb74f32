//! Why a plane did well or badly, from its counters.
//!
//! "It was better" without a cause is not believed; a cause that the counters do not show is not told.

use super::figure;
use super::figure::Sheet;
use super::format;
use super::format::Shown;
use super::model::Cell;
use super::model::cell;
use crate::measure::Flag;
use crate::measure::HappeningKind;
use crate::measure::ServiceRecord;
use crate::measure::study::Replica;
use crate::scenario::Mechanism;

/// What the counters say about why a plane did well or badly, means per run.
pub(super) fn why(sheet: &Sheet<'_>, plane: usize) -> Cell {
    let result = sheet.result(plane);
    if result.replicas.is_empty() {
        return Cell::default();
    }
    let mean = |figure: &dyn Fn(&Replica) -> f64| {
        result.replicas.iter().map(figure).sum::<f64>() / result.replicas.len() as f64
    };
    let users = |r: &Replica| r.tallies.first().cloned().unwrap_or_default();
    let failed = mean(&|r| users(r).failed as f64);
    let saved = mean(&|r| r.saved_by_retry as f64);
    let ejected = mean(&|r| r.ejections as f64);
    let unhealthy = mean(&|r| f64::from(r.count(HappeningKind::Unhealthy)));
    let stale = mean(&|r| r.stale_dials as f64);
    let races = mean(&|r| r.keep_alive_races as f64);
    let broken = mean(&|r| f64::from(r.count(HappeningKind::SidecarDown)));
    let rejected = mean(&|r| r.services.iter().map(|s| s.rejected).sum::<u64>() as f64);
    let unanswered = mean(&|r| r.unanswered as f64);
    let scenario = sheet.scenario;
    let scripted = scenario.scales.len() + scenario.deploys.len() + scenario.scalings.len();
    let scaled = mean(&|r| f64::from(r.count(HappeningKind::Scaled)));
    let replaced = if scripted == 0 { mean(&|r| f64::from(r.count(HappeningKind::TaskStarted))) } else { 0.0 };
    let refused = mean(&|r| users(r).hops.flags[Flag::Uo.index()] as f64);
    let panic = mean(&|r| r.panic_time.as_secs_f64());
    let mut parts = Vec::new();
    let mut part = |count: f64, one: &str, many: &str| {
        if count > 0.0 {
            let rounded = format::number(count, usize::from(count < 10.0 && count.fract() != 0.0));
            parts.push(format!("{rounded} {}", if rounded == "1" { one } else { many }));
        }
    };
    part(saved, "succeeded on a retry", "succeeded on a retry");
    part(ejected, "ejected", "ejected");
    part(rejected, "turned away by a full queue", "turned away by full queues");
    part(unanswered, "without an answer at the end", "without an answer at the end");
    part(unhealthy, "time found unhealthy", "times found unhealthy");
    part(replaced, "task replaced by ECS", "tasks replaced by ECS");
    part(scaled, "change of the task count", "changes of the task count");
    part(stale, "dial to a stopped task", "dials to stopped tasks");
    part(races, "request met a closing connection", "requests met a closing connection");
    part(broken, "sidecar crash", "sidecar crashes");
    part(refused, "refused by a breaker", "refused by breakers");
    part(panic, "s in panic, all routers", "s in panic, all routers");
    let waited = |s: &ServiceRecord| s.sidecar_busy_max_ppm >= 1_000_000 && !s.sidecar_wait.is_zero();
    let saturated = |n: usize| result.replicas.iter().any(|r| r.services.get(n).is_some_and(waited));
    let names = sheet.scenario.services.iter().enumerate().filter(|(n, _)| saturated(*n)).map(|(_, s)| s.name.as_str());
    let names: Vec<&str> = names.collect();
    if !names.is_empty() {
        parts.push(format!("sidecar saturated ({})", names.join(", ")));
    }
    // A task that dies gives no check the time to speak.
    let alive = sheet.scenario.faults.iter().all(|f| !f.kind.ends_tasks());
    let disturbed = !sheet.scenario.faults.is_empty() && alive;
    if failed >= 1.0 && disturbed && unhealthy == 0.0 {
        if figure::probes(&sheet.scenario.planes[plane]) {
            parts.push("health check stayed green".to_owned());
        } else if saved == 0.0 && ejected == 0.0 {
            parts.push("nothing stopped it".to_owned());
        }
    }
    let mut parts = parts.into_iter();
    match parts.next() {
        Some(first) => cell(Shown { value: first, spread: String::new() }, parts.collect()),
        None => Cell::default(),
    }
}

/// A sentence on why the one did better than the other; `None` where the counters do not say.
pub(super) fn sentence(sheet: &Sheet<'_>, first: usize, other: usize) -> Option<String> {
    let events =
        |plane: usize, figure: fn(&Replica) -> u64| -> u64 { sheet.result(plane).replicas.iter().map(figure).sum() };
    let noticed = events(other, |r| u64::from(r.count(HappeningKind::Unhealthy)));
    let ejected = events(first, |r| r.ejections);
    let alive = sheet.scenario.faults.iter().all(|f| !f.kind.ends_tasks());
    if figure::probes(&sheet.scenario.planes[other]) && alive && noticed == 0 && ejected > 0 {
        return Some("Health checks never noticed; real traffic did.".to_owned());
    }
    let stale = (events(first, |r| r.stale_dials), events(other, |r| r.stale_dials));
    if matches!(sheet.scenario.planes[other].mechanism, Mechanism::Dns(_)) && stale.1 > 10 * stale.0.max(1) {
        return Some("Clients kept dialling tasks that had stopped, on old DNS answers.".to_owned());
    }
    None
}
