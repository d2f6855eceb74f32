//! `scsim ledger`: runs every scenario with a claim and writes, or checks, the page of verdicts.
//!
//! *Knows* folders, signals and exit codes. *Does not know* when a verdict stands.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use super::Exit;
use super::args::Common;
use super::args::LedgerArgs;
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
use crate::ledger;
use crate::ledger::Entry;
use crate::ledger::Refused;
use crate::ledger::Shown;
use crate::report::expect;
use crate::report::figure::Sheet;
use crate::scenario;
use crate::scenario::LoadOptions;
use crate::scenario::Refusal;
use crate::scenario::Scenario;
use crate::sim;
use crate::sim::Conduct;
use crate::sweep::Plan;

/// Deepest folder that is looked into.
const DEPTH_MAX: usize = 8;

/// Most cells of one claim's sweep: each is a row of a page for people.
const CELLS_MAX: u64 = 200;

/// A scenario with a claim, before it is run.
enum Case {
    /// As it is.
    Single(Box<Scenario>),
    /// In every cell.
    Swept(Box<Plan>),
}

/// Decides every claim below a folder.
pub fn ledger(console: &Console, common: &Common, args: &LedgerArgs) -> Exit {
    decide(console, common, args).unwrap_or_else(|exit| exit)
}

fn decide(console: &Console, common: &Common, args: &LedgerArgs) -> Result<Exit, Exit> {
    let mut files = Vec::new();
    collect(&args.folder, 0, &mut files)?;
    files.sort();
    outputs::check_all(&[("--output", &common.output)], "a scenario", &files)?;
    let (cases, mut entries) = load(console, &files, args.fast)?;
    if entries.is_empty() {
        complain(&format!("error: no scenario below {} has a [claim]", args.folder.display()));
        return Err(Exit::Nothing);
    }
    if let Some(wrong) = ledger::contradiction(&entries) {
        complain(&format!("error: {wrong}"));
        return Err(Exit::Usage);
    }
    run(console, common, &cases, &mut entries)?;
    // Claims by letter and number; files of one claim by name.
    entries.sort_by_key(|entry| {
        let (letter, number) = entry.claim.id.split_at(1);
        (letter.to_owned(), number.parse::<u32>().unwrap_or(u32::MAX), entry.file.clone())
    });
    let stands = entries.iter().all(Entry::stands);
    for entry in entries.iter().filter(|entry| !entry.stands()) {
        complain(&format!("NOT SHOWN  {}  {} ({})", entry.claim.id, entry.claim.says, entry.file));
    }
    let out = common.output.as_deref().unwrap_or(Path::new("-"));
    let named = if out == Path::new("-") { Path::new("reports/claims.md") } else { out };
    let mut page = ledger::page(&entries, &args.folder.display().to_string(), named);
    page.truncate(page.trim_end().len());
    page.push('\n');
    let written = if args.check { check(out, &page)? } else { outputs::deliver(out, &page) };
    let count = entries.iter().filter(|entry| entry.stands()).count();
    console.say(&format!("scsim: {count} of {} verdicts stand", entries.len()));
    Ok(written.or_worse(if stands { Exit::Held } else { Exit::Failed }))
}

/// Every `.toml` below a folder.
fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Exit> {
    let entries = fs::read_dir(folder).map_err(|error| {
        complain(&format!("error: cannot read the folder {}: {error}", folder.display()));
        Exit::Usage
    })?;
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() && depth < DEPTH_MAX {
            collect(&path, depth + 1, files)?;
        } else if path.is_file() && path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    Ok(())
}

/// Reads all files before any is run; those without a claim are passed over.
fn load(console: &Console, files: &[PathBuf], fast: bool) -> Result<(Vec<Case>, Vec<Entry>), Exit> {
    let (mut cases, mut entries, mut broken) = (Vec::new(), Vec::new(), false);
    let shape = Shape::default();
    let options = loading::options(&shape, &Often { fast, ..Often::default() });
    for file in files {
        let Some(loaded) = loading::told(console, scenario::load(file, &options)) else {
            broken = true;
            continue;
        };
        let scenario = &loaded.scenario;
        let Some(claim) = scenario.claim.clone() else { continue };
        broken |= loading::refuses_unmodelled(scenario, &shape);
        let refusals = claim.refused.iter().map(|refusal| refused(file, &options, refusal)).collect();
        entries.push(Entry { refusals, ..Entry::new(scenario, claim, sim::replications(scenario)) });
        let Some(sweep) = scenario.sweep.clone() else {
            cases.push(Case::Single(Box::new(loaded.scenario)));
            continue;
        };
        let folder = file.parent().unwrap_or(Path::new("."));
        match Plan::new(loaded, sweep, folder, &options) {
            Ok(plan) if plan.cells() > CELLS_MAX => {
                complain(&format!(
                    "error: {}: a claim with {} cells; nobody reads more than {CELLS_MAX} rows",
                    file.display(),
                    plan.cells()
                ));
                broken = true;
            }
            Ok(plan) => cases.push(Case::Swept(Box::new(plan))),
            Err(problems) => {
                loading::tell(console, &problems);
                broken = true;
            }
        }
    }
    if broken { Err(Exit::Usage) } else { Ok((cases, entries)) }
}

/// Loads a file with the change that must be refused.
fn refused(file: &Path, options: &LoadOptions, refusal: &Refusal) -> Refused {
    let mut changed = options.clone();
    changed.set.push(refusal.set.clone());
    let problems = scenario::load(file, &changed).err().unwrap_or_default();
    Refused::of(refusal, problems.iter().map(|problem| &*problem.message))
}

/// Runs everything on one pool and fills the entries' cells.
fn run(console: &Console, common: &Common, cases: &[Case], entries: &mut [Entry]) -> Result<(), Exit> {
    let cells = |case: &Case| match case {
        Case::Single(_) => 1,
        Case::Swept(plan) => plan.cells(),
    };
    let scenario_of = |case: &Case, cell: u64| match case {
        Case::Single(scenario) => Some((**scenario).clone()),
        // Every combination was loaded when the plan was made.
        Case::Swept(plan) => plan.scenario(cell).ok(),
    };
    let runs: u64 = cases
        .iter()
        .zip(entries.iter())
        .map(|(case, entry)| cells(case) * u64::from(entry.replications) * entry.planes.len() as u64)
        .sum();
    listen_for_signals();
    let bar = console.progress();
    let conduct = Conduct {
        jobs: common.jobs,
        only: None,
        events_max: EVENTS_MAX,
        stop: &STOP,
        progress: &|progress| bar.update(progress),
    };
    let found: Mutex<Vec<Vec<Option<Shown>>>> =
        Mutex::new(cases.iter().map(|case| vec![None; cells(case) as usize]).collect());
    let failed: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let work = cases.iter().enumerate().flat_map(|(number, case)| {
        (0..cells(case)).filter_map(move |cell| Some(((number, cell), scenario_of(case, cell)?)))
    });
    let done = |&(number, cell): &(usize, u64), scenario: &Scenario, study: Result<_, sim::RunError>| match study {
        Ok(study) => {
            let sheet = Sheet::new(scenario, &study);
            let judgements = expect::judge(&sheet);
            if let Some(claim) = &scenario.claim {
                let shown = Shown::of(&sheet, &judgements, claim, scenario.sweep.as_ref(), cell);
                found.lock().expect("nobody panics while it holds the cells")[number][cell as usize] = Some(shown);
            }
        }
        Err(error) => {
            let told = format!("error: {}: failed to {error}", scenario.file);
            failed.lock().expect("nobody panics while it holds the errors").push(told);
        }
    };
    if let Some(entry) = entries.first() {
        crash::note(crash::UnderWay { seed: entry.seed, digest: String::new() });
    }
    sim::many(&conduct, u32::try_from(runs).unwrap_or(u32::MAX), work, done);
    bar.clear();
    let mut failed = failed.into_inner().expect("nobody panics while it holds the errors");
    failed.sort();
    for told in &failed {
        complain(told);
    }
    if !failed.is_empty() {
        return Err(Exit::Usage);
    }
    if STOP.load(Ordering::Relaxed) {
        complain("scsim: interrupted, nothing was written");
        return Err(Exit::Interrupted);
    }
    let found = found.into_inner().expect("nobody panics while it holds the cells");
    for (entry, cells) in entries.iter_mut().zip(found) {
        entry.cells = cells.into_iter().flatten().collect();
    }
    Ok(())
}

/// Compares with the page that is there.
fn check(path: &Path, page: &str) -> Result<Exit, Exit> {
    let old = fs::read_to_string(path).map_err(|error| {
        complain(&format!("error: cannot read {}: {error}", path.display()));
        Exit::Usage
    })?;
    if old == page {
        return Ok(Exit::Held);
    }
    complain(&format!("error: {} is stale; run this without --check to write it anew", path.display()));
    Ok(console::print(&ledger::difference(&old, page)).or_worse(Exit::Failed))
}
