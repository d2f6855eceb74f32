//! The same scenario with something gone from beginning to end.
//!
//! *Knows* which fault stands for which loss. *Does not know* how much is carried then.

use crate::capacity::rates;
use crate::scenario::Fault;
use crate::scenario::FaultKind;
use crate::scenario::How;
use crate::scenario::Scale;
use crate::scenario::Scenario;
use crate::scenario::ServiceId;
use crate::scenario::Target;
use crate::scenario::When;
use crate::units::Span;
use crate::units::Time;

/// What is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// One task of a service (its index): it crashes as the run begins, and nothing takes its place.
    Task(usize),
    /// A zone (its number): cut off from the others for the whole run.
    Zone(u8),
}

/// How long a loss may take to be noticed before its figures count, unless the user says otherwise: a
/// DNS record's 60 s and the time until it is taken out.
pub const SETTLE: Span = Span::from_secs(90);

/// From the crash until the service wants a task less: ECS notices nothing sooner.
const AT_ONCE: Span = Span::from_millis(1);

/// The name of the fault that stands for a loss.
const NAME: &str = "capacity: lost";

/// The zone with the most tasks of called services, the first of equals; `None` with a single zone.
pub fn fullest_zone(scenario: &Scenario) -> Option<u8> {
    let mut tasks = vec![0_u64; scenario.zones.len()];
    for service in scenario.services.iter().filter(|service| !service.external) {
        for task in 0..service.tasks as usize {
            if let Some(zone) = service.zones.get(task % service.zones.len().max(1)) {
                tasks[usize::from(*zone)] += 1;
            }
        }
    }
    if tasks.iter().filter(|&&tasks| tasks > 0).count() < 2 {
        return None;
    }
    let most = tasks.iter().max()?;
    tasks.iter().position(|tasks| tasks == most).map(|zone| zone as u8)
}

/// How long to let a loss settle where nobody says: not at all where figures hang on the time of day.
pub fn settling(scenario: &Scenario) -> Span {
    let still = scenario.faults.is_empty()
        && scenario.scales.is_empty()
        && scenario.deploys.is_empty()
        && scenario.migrations.is_empty()
        && rates::is_flat(scenario);
    if still { SETTLE } else { Span::ZERO }
}

/// Takes something away at the start of the run. The first `settle` of it does not count; the measured
/// part stays as long as it was.
pub fn lose(scenario: &mut Scenario, loss: Loss, settle: Span) {
    let (kind, target) = match loss {
        Loss::Task(service) => {
            let id = ServiceId(service as u32);
            let tasks = scenario.services[service].tasks.saturating_sub(1);
            scenario.scales.push(Scale { at: Time::ZERO + AT_ONCE, service: id, tasks });
            scenario.scales.sort_by_key(|scale| scale.at);
            (FaultKind::Crash, Target::Task(id, 1))
        }
        Loss::Zone(zone) => (FaultKind::AzOutage { power: false }, Target::Zone(zone)),
    };
    let when = When::Once { at: Time::ZERO, lasts: None };
    scenario.faults.push(Fault { name: NAME.to_owned(), kind, target, when, how: How::default() });
    let end = Time::ZERO + scenario.run.duration;
    scenario.run.duration += settle;
    scenario.run.warmup += settle;
    for load in scenario.loads.iter_mut().filter(|load| load.until == end) {
        load.until = load.until + settle;
    }
}
