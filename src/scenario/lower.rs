//! A tree onto a [`Scenario`]: the sections in order, every problem collected.
//!
//! *Knows* which sections there are and what depends on what. *Does not know* any of them in
//! detail; each has a room of its own.

use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::Severity;
use crate::diagnostic::Source;
use crate::scenario::Replications;
use crate::scenario::Run;
use crate::scenario::Scenario;
use crate::scenario::assumptions;
use crate::scenario::claim;
use crate::scenario::cost;
use crate::scenario::expect;
use crate::scenario::faults;
use crate::scenario::fit;
use crate::scenario::happenings;
use crate::scenario::load::LoadOptions;
use crate::scenario::planes;
use crate::scenario::services;
use crate::scenario::sweep;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::table::at;
use crate::scenario::tree::Place;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::scenario::workload;
use crate::units::Span;

/// The version of the language that is read.
const LANGUAGE: u64 = 1;

/// Keys of the top level, which TOML wants before the first table.
pub const TOP: [&str; 6] = ["scsim", "format", "title", "description", "compare", "include"];

/// Tables of the top level.
const SECTIONS: [&str; 18] = [
    "run", "defaults", "service", "scaling", "load", "network", "plane", "policy", "edge", "fault", "deploy", "scale",
    "expect", "cost", "live", "sweep", "claim", "migrate",
];

/// Lowers a tree. The result is only good if no error was collected.
pub fn lower(source: &Arc<Source>, tree: &Table, options: &LoadOptions, problems: &mut Problems<'_>) -> Scenario {
    let start = Place { source: Arc::clone(source), span: 0..0 };
    let mut reader = Reader::new(tree, "a scenario", &start);
    for key in ["scsim", "format"] {
        let version = reader.count(key, 1..=u64::MAX, problems);
        if version.is_some_and(|version| version > LANGUAGE) {
            let label = format!("this scsim reads version {LANGUAGE}");
            problems.error("scenario::version", reader.key_place(key), "this file is newer than scsim", label);
        }
    }
    let title = reader.text("title", problems);
    let description = reader.text("description", problems).unwrap_or("").to_owned();
    reader.allow(&["compare", "include"]);
    reader.allow(&SECTIONS);
    swallowed(tree, problems);
    reader.finish(problems);

    let run = run(tree, &start, problems);
    let topology = services::read(tree, problems);
    for (key, label) in [("service", "add [service.NAME]"), ("load", "add [load] rate = \"200/s\"")] {
        if tree.get(key).is_none() {
            let message = format!("a scenario needs a [{key}]");
            problems.push(at(Severity::Error, "scenario::missing-section", &start, message).with_label(label));
        }
    }
    let loads = workload::read(tree, &topology, run.duration, problems);
    let network = planes::network(tree, problems);
    let mut planes = planes::read(tree, &topology, &options.planes, &network, problems);
    let happenings = happenings::read(tree, &topology, run.duration, problems);
    // A comparison that was narrowed has nothing to say about the planes that were left out.
    faults::fits(&happenings, if options.planes.is_empty() { &planes } else { &[] }, &topology, problems);
    if options.planes.is_empty() {
        happenings::migrate::fits(tree, &happenings.migrations, &planes, problems);
    }
    let sweep = sweep::read(tree, problems);
    fit::check(tree, &topology, &happenings.deploys, &mut planes, problems);
    fit::check_times(tree, &topology, &happenings, &loads, problems);
    let cx = expect::Context {
        topology: &topology,
        happenings: &happenings,
        planes: &planes,
        duration: run.duration,
        warmup: run.warmup,
        narrowed: !options.planes.is_empty(),
        sweep: sweep.as_ref(),
        cell: options.cell.as_deref(),
    };
    let written = expect::read(tree, &cx, problems);
    let expects = match &options.slo {
        Some(slo) => expect::slo::read(slo, tree, &cx, problems),
        None => written,
    };
    let claim = claim::read(tree, &cx, sweep.as_ref(), problems);
    let cost = cost::read(tree, &topology.services, network.0.tls_round_trips > 0, options, problems);

    let stem = Path::new(source.name()).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let mut scenario = Scenario {
        file: source.name().to_owned(),
        title: title.map_or_else(|| stem.unwrap_or_default(), str::to_owned),
        description,
        digest: String::new(),
        run,
        zones: topology.zones,
        services: topology.services,
        edges: topology.edges,
        loads,
        network: network.0,
        planes,
        faults: happenings.faults,
        scales: happenings.scales,
        scalings: happenings.scalings,
        deploys: happenings.deploys,
        migrations: happenings.migrations,
        expects,
        sweep,
        cost,
        claim,
        assumptions: Vec::new(),
        unmodelled: Vec::new(),
    };
    scenario.assumptions = assumptions::list(&scenario, tree);
    scenario
}

/// A top-level key below a table header belongs to that table, which is hardly ever meant.
fn swallowed(tree: &Table, problems: &mut Problems<'_>) {
    for section in ["run", "load", "network", "cost"] {
        let Some(table) = tree.table(section) else { continue };
        for key in TOP {
            let Some(entry) = table.entries.get(key) else { continue };
            problems.push(
                at(
                    Severity::Error,
                    "scenario::swallowed-key",
                    &entry.key,
                    format!("`{key}` became part of [{section}], because it stands below that header"),
                )
                .with_label("move it to the top of the file, above the first [table]"),
            );
        }
    }
}

fn run(tree: &Table, start: &Place, problems: &mut Problems<'_>) -> Run {
    let empty = Table::default();
    let (table, place) = match tree.entries.get("run") {
        None => (&empty, start),
        Some(entry) => {
            if let Value::Table(table) = &entry.node.value {
                (table, &entry.key)
            } else {
                problems.error("scenario::type", &entry.node.place, "[run] is a table", "write [run]");
                (&empty, start)
            }
        }
    };
    let mut reader = Reader::new(table, "[run]", place);
    // These have been reported as swallowed.
    reader.allow(&TOP);
    let duration = reader.span("duration", problems).unwrap_or(Span::from_secs(180));
    if duration.is_zero() {
        problems.error("scenario::range", reader.key_place("duration"), "this run takes no time", "longer than zero");
    }
    let warmup = reader.span("warmup", problems).unwrap_or(Span::ZERO);
    if warmup >= duration && !warmup.is_zero() {
        let label = format!("[run] duration is {duration}");
        problems.error("scenario::range", reader.key_place("warmup"), "the warm-up takes the whole run", label);
    }
    let drain = reader.span("drain", problems).unwrap_or(Span::from_secs(30));
    let seed = match reader.get("seed") {
        Some(node) => value::count(node, 0..=i64::MAX as u64, problems).unwrap_or(1),
        None => 1,
    };
    let fixed = reader.count("replications", 1..=100_000, problems);
    let precision = reader.ratio("precision", problems);
    let most = reader.count("max_replications", 2..=100_000, problems);
    let confidence = reader.ratio("confidence", problems).map_or(0.95, crate::units::Ratio::as_f64);
    if !(0.5..1.0).contains(&confidence) {
        let label = "between 50% and 99.9999%";
        problems.error("scenario::range", reader.key_place("confidence"), "this is no confidence", label);
    }
    if most.is_some() && precision.is_none() {
        let label = "it ends a search for `precision`; add that, or use `replications`";
        problems.error("scenario::range", reader.key_place("max_replications"), "nothing to limit", label);
    }
    reader.finish(problems);
    let replications = match precision {
        Some(precision) if precision.as_ppm() > 0 => {
            Replications::Precision { relative: precision.as_f64(), at_most: most.unwrap_or(200) as u32 }
        }
        _ => Replications::Fixed(fixed.unwrap_or(10) as u32),
    };
    Run { duration, warmup, drain, seed, replications, confidence }
}
