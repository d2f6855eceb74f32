//! `[[deploy]]`: a new version of a service, and how it comes.
//!
//! *Knows* what ECS lets one ask for. *Does not know* how a deployment proceeds.

use crate::scenario::Alarm;
use crate::scenario::AlarmOn;
use crate::scenario::Change;
use crate::scenario::CircuitBreaker;
use crate::scenario::Deploy;
use crate::scenario::EarlySuccess;
use crate::scenario::FailureThreshold;
use crate::scenario::ServiceId;
use crate::scenario::Shifting;
use crate::scenario::Strategy;
use crate::scenario::ecs;
use crate::scenario::happenings::instant;
use crate::scenario::services::Controller;
use crate::scenario::services::Topology;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::units::Ratio;
use crate::units::Span;
use crate::units::Time;

/// `strategy`, in the words of the scenario.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Rolling,
    BlueGreen,
    Canary,
    Linear,
}

/// The strategies by name.
const STRATEGIES: [(&str, Word); 4] =
    [("rolling", Word::Rolling), ("blue-green", Word::BlueGreen), ("canary", Word::Canary), ("linear", Word::Linear)];

/// Keys that only some strategies have.
const OWN_KEYS: [(&str, &[Word]); 10] = [
    ("minimum_healthy_percent", &[Word::Rolling]),
    ("maximum_percent", &[Word::Rolling]),
    ("early_success", &[Word::Rolling]),
    ("canary_percent", &[Word::Canary]),
    ("canary_bake_time", &[Word::Canary]),
    ("step_percent", &[Word::Linear]),
    ("step_bake_time", &[Word::Linear]),
    ("test_time", &[Word::BlueGreen, Word::Canary, Word::Linear]),
    ("test_error_rate", &[Word::BlueGreen, Word::Canary, Word::Linear]),
    ("settle", &[Word::BlueGreen, Word::Canary, Word::Linear]),
];

/// Longest canary or step bake time of the API, in minutes.
const BAKE_MINUTES_MAX: u64 = 1_440;

/// Reads one deployment.
pub fn read(
    mut reader: Reader<'_>,
    topology: &Topology,
    duration: Span,
    problems: &mut Problems<'_>,
) -> Option<Deploy> {
    let at = reader.need("at", problems).and_then(|node| instant(node, duration, "this deployment", problems));
    let service = reader.need("service", problems).and_then(|node| topology.named(node, problems));
    let word = reader.word("strategy", &STRATEGIES, problems).unwrap_or(Word::Rolling);
    for (key, owners) in OWN_KEYS {
        if reader.has(key) && !owners.contains(&word) {
            let name = |word: &Word| STRATEGIES.iter().find(|(_, other)| other == word).map_or("", |(name, _)| *name);
            let names: Vec<String> = owners.iter().map(|owner| format!("\"{}\"", name(owner))).collect();
            let message = format!("a {} deployment has no `{key}`", name(&word));
            let label = format!("that goes with strategy = {}", names.join(" or "));
            problems.error("scenario::deploy", reader.key_place(key), message, label);
        }
    }
    let strategy = match word {
        Word::Rolling => rolling(&mut reader, service, topology, problems),
        Word::BlueGreen | Word::Canary | Word::Linear => shifting(word, &mut reader, problems),
    };
    reader.allow(&OWN_KEYS.map(|(key, _)| key));
    let bake_time = match reader.get("bake_time") {
        Some(node) => value::span(node, problems).unwrap_or(Span::ZERO),
        None if word == Word::BlueGreen => {
            let label = "add bake_time = \"5m\": both versions run that long after the shift";
            let message = "ECS wants a bake time for a blue-green deployment";
            problems.error("scenario::missing-key", reader.place(), message, label);
            Span::ZERO
        }
        None => Span::ZERO,
    };
    let circuit_breaker = reader.get("circuit_breaker").and_then(|node| circuit_breaker(node, problems));
    if circuit_breaker.is_some() && word != Word::Rolling {
        let place = reader.key_place("circuit_breaker").clone();
        let label = "simulated all the same: failed tasks of the new version take it back";
        let message = "the ECS API speaks of the circuit breaker for rolling deployments only";
        problems.warn("scenario::deploy", &place, message, label);
    }
    let alarm = reader.get("alarm").and_then(|node| alarm(node, problems));
    let stays = circuit_breaker.is_some_and(|breaker| !breaker.rollback) || alarm.is_some_and(|alarm| !alarm.rollback);
    if stays && word != Word::Rolling {
        let label = "take out rollback = false: the traffic goes back to the version before";
        let message = "only a rolling deployment can fail and stay where it is";
        problems.error("scenario::deploy", reader.place(), message, label);
    }
    let rollback_at = match (reader.get("rollback_at"), at) {
        (Some(node), at) => rollback_at(node, at, duration, problems),
        (None, _) => None,
    };
    let change = reader.get("change").map_or_else(|| Some(Change::default()), |node| change(node, problems));
    if let (Some(service), Some(at)) = (service, at) {
        fits(&reader, word, service, at, topology, problems);
    }
    reader.finish(problems);
    Some(Deploy {
        at: at?,
        service: service?,
        strategy,
        bake_time,
        circuit_breaker,
        alarm,
        rollback_at,
        change: change?,
    })
}

/// What the service itself has to say to a deployment.
fn fits(reader: &Reader<'_>, word: Word, id: ServiceId, at: Time, topology: &Topology, problems: &mut Problems<'_>) {
    let service = &topology.services[id.0 as usize];
    let place = reader.key_place("service").clone();
    if at < service.created {
        let message = format!("`{}` does not exist yet at this deployment", service.name);
        let label = format!("it is created at {}", service.created);
        problems.error("scenario::not-created", &place, message, label);
    }
    if service.external {
        let message = format!("`{}` is external: ECS does not deploy it", service.name);
        let label = "a [[fault]] can make it slow or wrong";
        problems.error("scenario::deploy", &place, message, label);
    }
    let controller = topology.controller(id);
    let place = reader.key_place("strategy").clone();
    match (controller, word) {
        (Controller::CodeDeploy, Word::Rolling) => {
            let label = "write strategy = \"blue-green\", \"canary\" or \"linear\"";
            let message = format!("CodeDeploy has no rolling deployment, and it controls `{}`", service.name);
            problems.error("scenario::controller", &place, message, label);
        }
        (Controller::External, _) => {
            let label = "take out controller = \"EXTERNAL\", or this deployment";
            let message = format!("ECS deploys nothing on `{}`: its controller is EXTERNAL", service.name);
            problems.error("scenario::controller", &place, message, label);
        }
        _ => {}
    }
}

fn rolling(
    reader: &mut Reader<'_>,
    service: Option<ServiceId>,
    topology: &Topology,
    problems: &mut Problems<'_>,
) -> Strategy {
    let minimum = reader.count("minimum_healthy_percent", 0..=100, problems).unwrap_or(100) as u32;
    let maximum = reader.count("maximum_percent", 100..=10_000, problems).unwrap_or(200) as u32;
    if let Some(service) = service {
        let tasks = u64::from(topology.services[service.0 as usize].tasks);
        let least = (tasks * u64::from(minimum)).div_ceil(100);
        let most = tasks * u64::from(maximum) / 100;
        if most <= tasks && least >= tasks {
            let label = format!("of {tasks} tasks at least {least} must stay and at most {most} may run");
            let place = reader.key_place("maximum_percent").clone();
            problems.warn("scenario::deploy-stuck", &place, "this deployment cannot replace a single task", label);
        }
    }
    let early_success = reader.get("early_success").and_then(|node| {
        let mut inner = Reader::of(node, "early_success", problems)?;
        let percent = inner.need("healthy_percent", problems).and_then(|node| value::count(node, 0..=100, problems));
        let cleanups = [("deferred", false), ("blocking", true)];
        let blocking = inner.word("cleanup", &cleanups, problems).unwrap_or(false);
        let healthy_percent = percent? as u32;
        if healthy_percent < minimum {
            let label = format!("minimum_healthy_percent is {minimum}, and ECS takes no less than that");
            let place = inner.key_place("healthy_percent");
            problems.error("scenario::range", place, "early success below the healthy minimum", label);
        }
        inner.finish(problems);
        Some(EarlySuccess { healthy_percent, blocking })
    });
    Strategy::Rolling { minimum_healthy_percent: minimum, maximum_percent: maximum, early_success }
}

fn shifting(word: Word, reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> Strategy {
    let shift = match word {
        Word::Canary => Shifting::Canary {
            share: share(reader, "canary_percent", 1_000, problems).unwrap_or(Ratio::from_percent(5)),
            bake: bake(reader, "canary_bake_time", problems).unwrap_or(Span::from_secs(600)),
        },
        Word::Linear => Shifting::Linear {
            step: share(reader, "step_percent", 30_000, problems).unwrap_or(Ratio::from_percent(10)),
            every: bake(reader, "step_bake_time", problems).unwrap_or(Span::from_secs(360)),
        },
        Word::Rolling | Word::BlueGreen => Shifting::AllAtOnce,
    };
    Strategy::Shifting {
        shift,
        test_time: reader.span("test_time", problems).unwrap_or(Span::ZERO),
        test_errors: reader.ratio("test_error_rate", problems),
        // ASSUMPTION(ecs.shift_settle).
        settle: reader.span("settle", problems).unwrap_or(ecs::SHIFT_SETTLE),
    }
}

/// A share of the traffic, at least `least_ppm` and a multiple of 0.1 %, as the API has it.
fn share(reader: &mut Reader<'_>, key: &'static str, least_ppm: u32, problems: &mut Problems<'_>) -> Option<Ratio> {
    let share = reader.ratio(key, problems)?;
    if share.as_ppm() < least_ppm || !share.as_ppm().is_multiple_of(1_000) {
        let message = format!("ECS takes no `{key}` of {share}");
        let label = format!("{} to 100%, in steps of 0.1%", Ratio::from_ppm(least_ppm));
        problems.error("scenario::range", reader.key_place(key), message, label);
    }
    Some(share)
}

fn bake(reader: &mut Reader<'_>, key: &'static str, problems: &mut Problems<'_>) -> Option<Span> {
    let span = reader.span(key, problems)?;
    if span > Span::from_secs(60 * BAKE_MINUTES_MAX) {
        let message = format!("ECS takes no `{key}` of {span}");
        problems.error("scenario::range", reader.key_place(key), message, "at most 24h");
    }
    Some(span)
}

/// `circuit_breaker = true`, or a table.
fn circuit_breaker(node: &Node, problems: &mut Problems<'_>) -> Option<CircuitBreaker> {
    let standard =
        CircuitBreaker { rollback: true, threshold: FailureThreshold::BoundedPercent(50), reset_on_healthy_task: true };
    if !matches!(node.value, Value::Table(_)) {
        return value::truth(node, problems).filter(|on| *on).map(|_| standard);
    }
    let mut reader = Reader::of(node, "circuit_breaker", problems)?;
    let on = reader.truth("enable", problems).unwrap_or(true);
    let breaker = CircuitBreaker {
        rollback: reader.truth("rollback", problems).unwrap_or(standard.rollback),
        threshold: reader.get("threshold").and_then(|node| threshold(node, problems)).unwrap_or(standard.threshold),
        reset_on_healthy_task: reader
            .truth("reset_on_healthy_task", problems)
            .unwrap_or(standard.reset_on_healthy_task),
    };
    reader.finish(problems);
    on.then_some(breaker)
}

fn threshold(node: &Node, problems: &mut Problems<'_>) -> Option<FailureThreshold> {
    let mut reader = Reader::of(node, "threshold", problems)?;
    let percent = reader.count("percent", 1..=100, problems).map(|n| FailureThreshold::BoundedPercent(n as u32));
    let unbounded = reader.count("unbounded_percent", 1..=100, problems);
    let unbounded = unbounded.map(|n| FailureThreshold::UnboundedPercent(n as u32));
    let count = reader.count("count", 1..=100_000, problems).map(|n| FailureThreshold::Count(n as u32));
    let given = ["percent", "unbounded_percent", "count"].into_iter().filter(|key| reader.has(key)).count();
    if given != 1 {
        let label = "one of percent = 50, unbounded_percent = 50 and count = 5";
        problems.error("scenario::deploy", reader.place(), "it is not clear when the breaker trips", label);
    }
    reader.finish(problems);
    percent.or(unbounded).or(count)
}

/// `alarm = { error_rate = "5%", over = "60s" }`.
fn alarm(node: &Node, problems: &mut Problems<'_>) -> Option<Alarm> {
    let mut reader = Reader::of(node, "alarm", problems)?;
    let error_rate = reader.need("error_rate", problems).and_then(|node| value::ratio(node, problems));
    let over = reader.span("over", problems).unwrap_or(Span::from_secs(60));
    if over < Span::from_secs(10) {
        let label = "10 s is the shortest period of a CloudWatch metric alarm";
        problems.error("scenario::range", reader.key_place("over"), "this period is too short", label);
    }
    let of = [("users", AlarmOn::Users), ("service", AlarmOn::Service)];
    let of = reader.word("of", &of, problems).unwrap_or(AlarmOn::Users);
    let rollback = reader.truth("rollback", problems).unwrap_or(true);
    reader.finish(problems);
    Some(Alarm { error_rate: error_rate?, over, of, rollback })
}

fn rollback_at(node: &Node, at: Option<Time>, duration: Span, problems: &mut Problems<'_>) -> Option<Time> {
    let back = instant(node, duration, "this rollback", problems)?;
    if let Some(at) = at
        && back <= at
    {
        let label = format!("the deployment starts at {at}");
        problems.error("scenario::range", &node.place, "nothing is there to take back yet", label);
    }
    Some(back)
}

fn change(node: &Node, problems: &mut Problems<'_>) -> Option<Change> {
    let mut reader = Reader::of(node, "change", problems)?;
    let crash_loop = reader.get("crash_loop").and_then(|node| match &node.value {
        // ASSUMPTION(deploy.crash_loop): an app that cannot work gives up 10 s after RUNNING.
        Value::Bool(on) => on.then_some(ecs::CRASH_LOOP),
        _ => value::span(node, problems),
    });
    let change = Change {
        latency: reader.distribution("latency", problems),
        errors: reader.ratio("errors", problems),
        status: reader.count("status", 500..=599, problems).map(|status| status as u16),
        startup: reader.distribution("startup", problems),
        crash_loop,
    };
    if change.status.is_some() && change.errors.is_none() {
        let label = "add errors = \"100%\", or another share";
        problems.error("scenario::deploy", reader.key_place("status"), "no request is given this status", label);
    }
    reader.finish(problems);
    Some(change)
}
