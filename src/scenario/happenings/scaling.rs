//! `[scaling.NAME]`: target tracking.
//!
//! *Knows* what Application Auto Scaling lets one ask for. *Does not know* how it reacts.

use crate::scenario::Scaling;
use crate::scenario::ServiceId;
use crate::scenario::Tracked;
use crate::scenario::services::TASKS_MAX;
use crate::scenario::services::Topology;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::units::Span;

/// Reads all of them.
pub fn read(tree: &Table, topology: &Topology, problems: &mut Problems<'_>) -> Vec<Scaling> {
    let mut scalings = Vec::new();
    let Some(node) = tree.get("scaling") else { return scalings };
    let Value::Table(services) = &node.value else {
        problems.error("scenario::type", &node.place, "scaling is a table per service", "write [scaling.NAME]");
        return scalings;
    };
    for (name, entry) in &services.entries {
        if name.starts_with("x_") {
            continue;
        }
        let service = topology.service(name);
        if service.is_none() {
            topology.unknown(name, &entry.key, &format!("there is no service `{name}` to scale"), problems);
        }
        let Some(mut reader) = Reader::of(&entry.node, format!("[scaling.{name}]"), problems) else { continue };
        scalings.extend(one(service, &mut reader, topology, problems));
        reader.finish(problems);
    }
    scalings
}

fn one(
    service: Option<ServiceId>,
    reader: &mut Reader<'_>,
    topology: &Topology,
    problems: &mut Problems<'_>,
) -> Option<Scaling> {
    let min = reader.count("min", 0..=TASKS_MAX, problems).unwrap_or(1) as u32;
    let max = reader.need("max", problems).and_then(|node| value::count(node, 1..=TASKS_MAX, problems));
    let max = max.map(|max| max as u32);
    if max.is_some_and(|max| max < min) {
        problems.error("scenario::range", reader.key_place("max"), "`max` is below `min`", "at least `min`");
    }
    let tracked = tracked(reader, problems);
    // ASSUMPTION(scaling.cooldown).
    let cooldown = Span::from_secs(300);
    let scale_out_cooldown = reader.span("scale_out_cooldown", problems).unwrap_or(cooldown);
    let scale_in_cooldown = reader.span("scale_in_cooldown", problems).unwrap_or(cooldown);
    let scaling =
        Scaling { service: service?, min, max: max?, tracked: tracked?, scale_out_cooldown, scale_in_cooldown };
    fits(&scaling, reader, topology, problems);
    Some(scaling)
}

/// The one target that must be given.
fn tracked(reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> Option<Tracked> {
    const TARGETS: [&str; 3] = ["target_cpu", "target_rps", "target_concurrency"];
    let cpu = reader.ratio("target_cpu", problems);
    let rate = reader.rate("target_rps", problems);
    let most = 1_000_000.0;
    let in_task = reader.get("target_concurrency").and_then(|node| value::number(node, 0.0..=most, problems));
    if TARGETS.iter().filter(|key| reader.has(key)).count() != 1 {
        let label = "give one of `target_cpu`, `target_rps` and `target_concurrency`";
        problems.error("scenario::missing-key", reader.place(), "it is not clear what to track", label);
        return None;
    }
    let tracked = cpu
        .map(Tracked::Cpu)
        .or_else(|| rate.map(Tracked::Requests))
        .or_else(|| in_task.map(|n| Tracked::Concurrency((n * 1e3) as u32)))?;
    let zero = match tracked {
        Tracked::Cpu(share) => share.as_ppm() == 0,
        Tracked::Requests(rate) => rate.as_micros_per_sec() == 0,
        Tracked::Concurrency(milli) => milli == 0,
    };
    if zero {
        let key = TARGETS.into_iter().find(|key| reader.has(key)).unwrap_or("target_cpu");
        problems.error("scenario::range", reader.key_place(key), "a target of zero cannot be met", "must be more");
    }
    Some(tracked)
}

/// What does not fit the service.
fn fits(scaling: &Scaling, reader: &Reader<'_>, topology: &Topology, problems: &mut Problems<'_>) {
    let service = &topology.services[scaling.service.0 as usize];
    let name = &service.name;
    if service.external {
        let label = "take this table out, or `external` out of the service";
        problems.error(
            "scenario::scaling",
            reader.place(),
            format!("`{name}` is not on ECS: nothing scales it"),
            label,
        );
    }
    if matches!(scaling.tracked, Tracked::Cpu(_)) && service.concurrency.is_none() {
        let label = format!("add `concurrency` to [service.{name}], or track target_rps or target_concurrency");
        let message = "CPU is modelled as the busy share of `concurrency`, and this service has no limit";
        problems.error("scenario::scaling-cpu", reader.key_place("target_cpu"), message, label);
    }
    if !(scaling.min..=scaling.max.max(scaling.min)).contains(&service.tasks) {
        let label = format!("{} to {} here, {} tasks in [service.{name}]", scaling.min, scaling.max, service.tasks);
        let message = "the service does not begin between `min` and `max`";
        problems.warn("scenario::scaling", reader.place(), message, label);
    }
    if scaling.min == 0 {
        let label = "without a task there is no metric, so it stays at zero until a [[scale]]";
        problems.warn("scenario::scaling-zero", reader.key_place("min"), "target tracking cannot leave zero", label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::LoadOptions;
    use crate::scenario::Replacement;
    use crate::scenario::Scenario;
    use crate::scenario::filled;
    use crate::scenario::parse;
    use std::path::Path;

    const SHOP: &str = "compare = [\"service-connect\", \"direct\"]\n[load]\nrate = \"1/s\"\nentry = \"web\"\n\
        [service.web]\ncalls = [\"api\"]\n[service.api]\nconcurrency = 4\n";

    /// The scenario as read, and as read again from what `check --defaults` prints.
    fn both(more: &str) -> [Scenario; 2] {
        let read = |text: &str| {
            parse("t", text, Path::new("."), &LoadOptions::default())
                .unwrap_or_else(|found| panic!("{found:#?}\n{text}"))
        };
        let loaded = read(&format!("{SHOP}{more}"));
        let again = read(&filled(&loaded));
        [loaded.scenario, again.scenario]
    }

    #[test]
    fn each_target_is_read_and_written_back() {
        for (text, tracked) in [
            ("target_cpu = \"60%\"", Tracked::Cpu(crate::units::Ratio::from_percent(60))),
            ("target_rps = \"2.5/s\"", Tracked::Requests(crate::units::Rate::from_micros_per_sec(2_500_000))),
            ("target_concurrency = 1.5", Tracked::Concurrency(1_500)),
        ] {
            for scenario in both(&format!("[scaling.api]\nmax = 9\nscale_in_cooldown = \"60s\"\n{text}\n")) {
                let expected = Scaling {
                    service: ServiceId(1),
                    min: 1,
                    max: 9,
                    tracked,
                    scale_out_cooldown: Span::from_secs(300),
                    scale_in_cooldown: Span::from_secs(60),
                };
                assert_eq!(scenario.scalings, [expected]);
                let ids: Vec<&str> = scenario.assumptions.iter().map(|row| row.id.as_str()).collect();
                for id in ["scaling.alarms", "scaling.capacity", "scaling.cooldown", "ecs.provisioning"] {
                    assert!(ids.contains(&id), "{id} in {ids:?}");
                }
            }
        }
    }

    #[test]
    fn the_life_of_a_task_is_read_and_written_back() {
        let more = "provisioning = \"5s\"\nimage_pull = { p50 = \"20s\", p99 = \"60s\" }\nhealth_check_grace_period = \"90s\"\n\
            stop_delay = \"15s\"\nreplacement = \"after\"\n[plane.service-connect]\nsidecar = { start = \"7s\" }\n";
        let [first, again] = both(more);
        let life = &first.services[1].life;
        assert_eq!(life.provisioning, crate::scenario::Distribution::Constant(Span::from_secs(5)));
        assert_eq!(life.health_check_grace_period, Some(Span::from_secs(90)));
        assert_eq!((life.stop_delay, life.replacement), (Span::from_secs(15), Replacement::After));
        assert_eq!(*life, again.services[1].life);
        for scenario in [first, again] {
            let crate::scenario::Mechanism::Sidecar(sidecar) = &scenario.planes[0].mechanism else {
                panic!("a sidecar")
            };
            assert_eq!(sidecar.start, crate::scenario::Distribution::Constant(Span::from_secs(7)));
        }
    }
}
