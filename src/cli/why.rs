//! A closer look at what a run has simulated: `--why`, the costliest failures, and `--trace`.
//!
//! *Knows* which requests are worth telling and that a replication can be run again to hear of them. *Does
//! not know* how a story is told.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::Exit;
use super::args::Common;
use super::args::Format;
use super::console::Console;
use super::console::complain;
use super::trace;
use crate::measure::Costly;
use crate::measure::study::Study;
use crate::report::format::number;
use crate::scenario::Scenario;
use crate::sim;
use crate::trace::Names;
use crate::trace::book::Book;
use crate::trace::book::Wanted;
use crate::trace::tree;
use crate::units::Span;

/// A closer look at a run.
#[derive(Args, Clone, Debug)]
pub struct LookArgs {
    /// Tell the stories of the ten costliest failures of each plane, those that took longest first
    #[arg(long, env = "SCSIM_WHY", value_parser = FalseyValueParser::new())]
    pub why: bool,
    /// Write the first replication, or the one that --replication names, as a Perfetto trace; a file for each plane
    #[arg(long, env = "SCSIM_TRACE", value_name = "FILE")]
    pub trace: Option<PathBuf>,
}

/// A failed request, told.
struct Told {
    costly: Costly,
    attempts: usize,
    text: String,
}

impl LookArgs {
    /// Whether what is asked for can be had.
    ///
    /// # Errors
    /// [`Exit::Usage`] after telling why not.
    pub fn check(&self, common: &Common, scenarios: &[PathBuf]) -> Result<(), Exit> {
        let problem = match &self.trace {
            Some(path) if path == Path::new("-") => {
                "--trace needs a file: stdout has the figures\n  help: scsim trace SCENARIO --plane PLANE --output -"
            }
            Some(_) if scenarios.len() > 1 => "--trace takes one scenario at a time",
            _ if self.why && common.format != Format::Human => "--why is text: it goes with --format human",
            _ => return Ok(()),
        };
        complain(&format!("error: {problem}"));
        Err(Exit::Usage)
    }

    /// Looks closer: the stories to print, and how writing the trace ended.
    ///
    /// # Errors
    /// How the command ends if a run failed.
    pub fn closer(
        &self,
        console: &Console,
        scenario: &Scenario,
        study: &Study,
        replication: Option<u32>,
        inputs: &[PathBuf],
    ) -> Result<(Option<String>, Exit), Exit> {
        if study.partial {
            return Ok((None, Exit::Held));
        }
        let mut exit = Exit::Held;
        if let Some(path) = &self.trace {
            exit = trace::beside_run(console, scenario, replication, path, inputs)?;
        }
        let stories = if self.why { Some(why(console, scenario, study)?) } else { None };
        Ok((stories, exit))
    }
}

/// The costliest failures of every plane, as text.
fn why(console: &Console, scenario: &Scenario, study: &Study) -> Result<String, Exit> {
    let mut text = String::new();
    for (plane, result) in study.planes.iter().enumerate() {
        if result.replicas.is_empty() {
            continue;
        }
        let name = &scenario.planes[plane].name;
        let failed: u64 = result.replicas.iter().filter_map(|r| r.tallies.first()).map(|tally| tally.failed).sum();
        let mut told = stories(console, scenario, plane, &result.costliest.iter().copied().collect::<Vec<_>>())?;
        // Of two that took as long, the one that cost more attempts.
        told.sort_by_key(|one| {
            (
                std::cmp::Reverse((one.costly.latency.as_nanos(), one.attempts)),
                one.costly.replication,
                one.costly.request,
            )
        });
        if !text.is_empty() {
            text.push('\n');
        }
        let many = number(failed as f64, 0);
        let _ = match told.len() {
            0 => writeln!(text, "{name}: no request failed"),
            1 => writeln!(text, "{name}: the failed request"),
            n if failed <= n as u64 => writeln!(text, "{name}: the {n} failed requests, the costliest first"),
            n => writeln!(text, "{name}: the {n} costliest of {many} failed requests"),
        };
        for one in told {
            let _ = write!(text, "\n{}", one.text);
        }
    }
    Ok(console.style.spell_lines(&text))
}

/// Runs the replications again that those requests were in, and tells what became of them.
fn stories(console: &Console, scenario: &Scenario, plane: usize, costliest: &[Costly]) -> Result<Vec<Told>, Exit> {
    let mut by_replication: BTreeMap<u32, BTreeMap<u32, Span>> = BTreeMap::new();
    for one in costliest {
        by_replication.entry(one.replication).or_default().insert(one.request, one.latency);
    }
    let mut told = Vec::new();
    for (replication, latencies) in by_replication {
        let numbers: BTreeSet<u32> = latencies.keys().copied().collect();
        let mut book = Book::new(Wanted::Numbers(numbers));
        sim::run_traced(scenario, plane, replication, trace::limits(), &mut book).map_err(|error| {
            complain(&format!("error: {}: failed to {error}", scenario.file));
            Exit::Usage
        })?;
        let stories = book.close();
        let names = Names { scenario, plane: &scenario.planes[plane], tasks: book.tasks() };
        told.extend(stories.iter().map(|story| {
            let latency = latencies.get(&story.request).copied().unwrap_or(Span::ZERO);
            let costly = Costly { replication, request: story.request, latency };
            Told { costly, attempts: story.attempts(), text: tree::render(story, &names, replication, console.ascii) }
        }));
    }
    Ok(told)
}
