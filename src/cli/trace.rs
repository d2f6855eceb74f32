//! `scsim trace`: one replication for a viewer of traces, or one request as text.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;

use super::Exit;
use super::args::Common;
use super::args::Shape;
use super::console;
use super::console::Console;
use super::console::complain;
use super::crash;
use super::loading;
use super::loading::Often;
use super::outputs;
use super::run::EVENTS_MAX;
use super::run::STOP;
use super::run::listen_for_signals;
use crate::scenario::Scenario;
use crate::sim;
use crate::sim::Limits;
use crate::trace::Names;
use crate::trace::book::Book;
use crate::trace::book::Wanted;
use crate::trace::tree;

/// `scsim trace`.
#[derive(Args, Debug)]
pub struct TraceArgs {
    /// Scenario file
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// Overrides.
    #[command(flatten)]
    pub shape: Shape,
    /// Which replication
    #[arg(long, env = "SCSIM_REPLICATION", value_name = "I", default_value_t = 0)]
    pub replication: u32,
    /// Tell the story of this request as text: 1 is the first to arrive, the warm-up included
    #[arg(long, env = "SCSIM_REQUEST", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub request: Option<u32>,
}

/// Traces a scenario.
pub fn trace(console: &Console, common: &Common, args: &TraceArgs) -> Exit {
    traced(console, common, args).unwrap_or_else(|exit| exit)
}

fn traced(console: &Console, common: &Common, args: &TraceArgs) -> Result<Exit, Exit> {
    outputs::check_all(&[("--output", &common.output)], "the scenario", std::slice::from_ref(&args.scenario))?;
    let scenario = loading::scenario(console, &args.scenario, &args.shape, &Often::default()).ok_or(Exit::Usage)?;
    if loading::refuses_unmodelled(&scenario, &args.shape) {
        return Err(Exit::Usage);
    }
    there_is(&scenario, args.replication)?;
    let planes = applicable(&scenario)?;
    listen_for_signals();
    match args.request {
        Some(request) => tell(console, common, args, &scenario, &planes, request),
        None => Ok(Exit::Held),
    }
}

/// Whether the scenario has that replication.
fn there_is(scenario: &Scenario, replication: u32) -> Result<(), Exit> {
    let often = sim::replications(scenario);
    if replication < often {
        return Ok(());
    }
    complain(&format!(
        "error: {} has no replication {replication}: they are numbered from 0 to {}\n  help: --set run.replications={} makes more",
        scenario.file,
        often - 1,
        u64::from(replication) + 1,
    ));
    Err(Exit::Usage)
}

/// The planes that can be simulated.
fn applicable(scenario: &Scenario) -> Result<Vec<usize>, Exit> {
    let mut planes = Vec::new();
    for (i, plane) in scenario.planes.iter().enumerate() {
        match &plane.not_applicable {
            None => planes.push(i),
            Some(reason) => complain(&format!("scsim: {} is not applicable: {reason}", plane.name)),
        }
    }
    if planes.is_empty() { Err(Exit::Nothing) } else { Ok(planes) }
}

/// The story of a request on each plane.
fn tell(
    console: &Console,
    common: &Common,
    args: &TraceArgs,
    scenario: &Scenario,
    planes: &[usize],
    request: u32,
) -> Result<Exit, Exit> {
    let mut text = String::new();
    for &plane in planes {
        let mut book = Book::new(Wanted::Numbers(BTreeSet::from([request])));
        crash::note(crash::UnderWay { seed: scenario.run.seed, digest: scenario.digest.clone() });
        let limits = Limits { stop: &STOP, events_max: EVENTS_MAX };
        let arrived = sim::run_traced(scenario, plane, args.replication, limits, &mut book).map_err(|error| {
            complain(&format!("error: {}: failed to {error}", scenario.file));
            Exit::Usage
        })?;
        let arrived = arrived.books.arrived;
        let stories = book.close();
        let name = &scenario.planes[plane].name;
        let Some(story) = stories.first() else {
            complain(&format!(
                "error: {} has no request {request}: {arrived} arrived in replication {} on {name}\n  help: requests are numbered from 1 in order of arrival, warm-up included",
                scenario.file, args.replication,
            ));
            return Err(Exit::Usage);
        };
        if !text.is_empty() {
            text.push('\n');
        }
        let names = Names { scenario, plane: &scenario.planes[plane], tasks: book.tasks() };
        text += &format!("{name} · seed {}, replication {}\n", scenario.run.seed, args.replication);
        text += &tree::render(story, &names, console.ascii);
    }
    let text: String = text.lines().map(|line| console.style.spell(line) + "\n").collect();
    Ok(match common.output.as_deref() {
        Some(path) if path != Path::new("-") => outputs::deliver(path, &text),
        _ => console::print(&text),
    })
}
