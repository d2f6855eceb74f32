//! `[[migrate]]`: callers move to a plane's other path, or back.
//!
//! *Knows* what a step may say. *Does not know* which plane has two paths, nor how a call picks one.

use crate::scenario::Migrate;
use crate::scenario::Plane;
use crate::scenario::ServiceId;
use crate::scenario::happenings::instant;
use crate::scenario::happenings::items;
use crate::scenario::services::Topology;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Place;
use crate::scenario::tree::Table;
use crate::scenario::value;
use crate::units::Ratio;
use crate::units::Span;

/// Names that `during` has for other windows.
const TAKEN: [&str; 5] = ["all", "warm", "fault", "after", "deploy"];

/// Reads all steps; `faults` are names that are taken too.
pub fn read(
    tree: &Table,
    topology: &Topology,
    duration: Span,
    faults: &[&str],
    problems: &mut Problems<'_>,
) -> Vec<Migrate> {
    let mut steps: Vec<Migrate> = Vec::new();
    for (i, node) in items(tree, "migrate", problems).iter().enumerate() {
        let Some(mut reader) = Reader::of(node, "[[migrate]]", problems) else { continue };
        let at = reader.need("at", problems).and_then(|node| instant(node, duration, "this step", problems));
        let callers = callers(&mut reader, topology, problems);
        let share = share(&mut reader, problems);
        let named = reader.text("name", problems).map(str::to_owned);
        if let Some(name) = &named
            && (TAKEN.contains(&name.as_str())
                || faults.contains(&name.as_str())
                || steps.iter().any(|step| step.name == *name))
        {
            let message = format!("`{name}` is the name of something else already");
            problems.error("scenario::duplicate-name", reader.key_place("name"), message, "give the step its own name");
        }
        reader.finish(problems);
        if let (Some(at), Some(share)) = (at, share) {
            let name = named.unwrap_or_else(|| format!("step {}", i + 1));
            steps.push(Migrate { at, name, callers, share });
        }
    }
    steps
}

/// `caller` or `callers`: services that call something on ECS.
fn callers(reader: &mut Reader<'_>, topology: &Topology, problems: &mut Problems<'_>) -> Vec<ServiceId> {
    let (one, several) = (reader.get("caller"), reader.get("callers"));
    let nodes = match (one, several) {
        (Some(node), None) => vec![node],
        (None, Some(node)) => value::list(node, problems).unwrap_or(&[]).iter().collect(),
        (one, _) => {
            let message = if one.is_some() { "both `caller` and `callers`" } else { "it is not said who moves" };
            let label = "write caller = \"web\", or callers = [\"web\", \"admin\"]";
            problems.error("scenario::missing-key", reader.place(), message, label);
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for node in nodes {
        let Some(id) = topology.named(node, problems) else { continue };
        let moves = |edge: &crate::scenario::Edge| edge.from == id && !topology.services[edge.to.0 as usize].external;
        if !topology.edges.iter().any(moves) {
            let message = format!("`{}` calls nothing on ECS, so it has nothing to move", topology.name(id));
            problems.error("scenario::migrate", &node.place, message, "name a caller, not a callee");
        }
        found.push(id);
    }
    found
}

/// `share`, or `back`, or everything.
fn share(reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> Option<Ratio> {
    let share = reader.ratio("share", problems);
    let back = reader.truth("back", problems) == Some(true);
    if back && reader.has("share") {
        let label = "`back` is a share of 0%; write only one of them";
        problems.error("scenario::migrate", reader.key_place("back"), "both `share` and `back`", label);
        return None;
    }
    if reader.has("share") && share.is_none() {
        return None;
    }
    Some(if back { Ratio::ZERO } else { share.unwrap_or(Ratio::ONE) })
}

/// Steps need a plane with two paths, and two paths need steps.
pub fn fits(tree: &Table, steps: &[Migrate], planes: &[Plane], problems: &mut Problems<'_>) {
    let first: Option<&Place> = items(tree, "migrate", problems).first().map(|node| &node.place);
    let own = tree.table("plane");
    let named = |plane: &Plane| own.and_then(|own| own.table(&plane.name)).and_then(|own| own.get("migrate_to"));
    let two = planes.iter().find(|plane| plane.second.is_some());
    match (first, two) {
        (Some(place), None) if planes.iter().all(|plane| named(plane).is_none()) => {
            let label = "write migrate_to = \"service-connect\" in the [plane] where they start";
            problems.error("scenario::migrate", place, "no plane compared has a path to move to", label);
        }
        (None, Some(plane)) => {
            if let Some(node) = named(plane).filter(|_| steps.is_empty()) {
                let label = "add [[migrate]] at = \"60s\", caller = \"web\"";
                problems.warn("scenario::migrate", &node.place, "nobody ever takes this path", label);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::LoadOptions;
    use crate::scenario::Mechanism;
    use crate::scenario::Window;
    use crate::scenario::filled;
    use crate::scenario::parse;
    use crate::units::Time;
    use std::path::Path;

    const SHOP: &str = "compare = [\"move\"]\n[load]\nrate = \"1/s\"\nentry = \"web\"\n[service.web]\ncalls = [\"api\"]\n\
        [service.api]\n[plane.move]\nextends = \"internal-alb\"\n";

    fn codes(text: &str) -> Vec<String> {
        let found = match parse("t", text, Path::new("."), &LoadOptions::default()) {
            Ok(loaded) => loaded.warnings,
            Err(found) => found,
        };
        found.iter().map(|diagnostic| diagnostic.code.to_string()).collect()
    }

    #[test]
    fn steps_and_paths_are_read_and_written_back() {
        let text = format!(
            "{SHOP}migrate_to = \"service-connect\"\n[plane.service-connect]\nendpoint_push = \"7s\"\n\
             [[migrate]]\nat = \"60s\"\ncaller = \"web\"\nshare = \"10%\"\nname = \"a tenth\"\n\
             [[migrate]]\nat = \"2m\"\ncallers = [\"web\"]\n[[migrate]]\nat = \"150s\"\ncaller = \"web\"\nback = true\n\
             [[expect]]\nthat = \"error_rate < 1%\"\nduring = \"a tenth\"\n\
             [[expect]]\nthat = \"error_rate < 1%\"\nduring = \"step 3\"\n"
        );
        let first =
            parse("t", &text, Path::new("."), &LoadOptions::default()).unwrap_or_else(|found| panic!("{found:#?}"));
        let again = filled(&first);
        let again = parse("t", &again, Path::new("."), &LoadOptions::default())
            .unwrap_or_else(|found| panic!("{found:#?}\n{again}"));
        for scenario in [&first.scenario, &again.scenario] {
            let secs = |s| Time::ZERO + Span::from_secs(s);
            let shares: Vec<_> = scenario.migrations.iter().map(|step| (step.at, step.share)).collect();
            assert_eq!(
                shares,
                [(secs(60), Ratio::from_percent(10)), (secs(120), Ratio::ONE), (secs(150), Ratio::ZERO)]
            );
            let names: Vec<_> = scenario.migrations.iter().map(|step| step.name.as_str()).collect();
            assert_eq!(names, ["a tenth", "step 2", "step 3"]);
            assert!(matches!(scenario.planes[0].mechanism, Mechanism::Alb(_)));
            let second = scenario.planes[0].second.as_deref().expect("two paths");
            let Mechanism::Sidecar(sidecar) = &second.mechanism else { panic!("Service Connect") };
            assert_eq!(sidecar.endpoint_push, crate::scenario::Distribution::Constant(Span::from_secs(7)));
        }
        let during: Vec<Window> = first.scenario.expects.iter().map(|expect| expect.during).collect();
        let secs = |s| Time::ZERO + Span::from_secs(s);
        assert_eq!(during, [Window::Between(secs(60), secs(120)), Window::Between(secs(150), secs(180))]);
        let ids: Vec<_> = first.scenario.assumptions.iter().map(|row| row.id.as_str()).collect();
        for id in ["migration.flag", "migration.inbound", "sc.push_latency", "alb.hop"] {
            assert!(ids.contains(&id), "{id} in {ids:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_said() {
        let to = |path: &str| format!("{SHOP}migrate_to = \"{path}\"\n");
        let step = "[[migrate]]\nat = \"60s\"\n";
        for (text, code) in [
            (format!("{}{step}caller = \"web\"\n", to("app-mash")), "scenario::unknown-plane"),
            (format!("{}{step}caller = \"web\"\n", to("internal-alb")), "scenario::migrate"),
            (format!("{}{step}caller = \"web\"\n", to("direct")), "scenario::migrate"),
            (format!("{}{step}caller = \"api\"\n", to("envoy")), "scenario::migrate"),
            (format!("{}{step}", to("envoy")), "scenario::missing-key"),
            (format!("{}{step}caller = \"web\"\nshare = \"5%\"\nback = true\n", to("envoy")), "scenario::migrate"),
            (format!("{}{step}caller = \"web\"\nname = \"after\"\n", to("envoy")), "scenario::duplicate-name"),
            (format!("{SHOP}{step}caller = \"web\"\n"), "scenario::migrate"),
            (to("envoy"), "scenario::migrate"),
        ] {
            assert_eq!(codes(&text), [code], "{text}");
        }
        assert_eq!(codes(&format!("{}{step}caller = \"web\"\n", to("envoy"))), Vec::<String>::new());
    }
}
