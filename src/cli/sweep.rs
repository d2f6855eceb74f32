//! `scsim sweep`: many variants of one scenario, in parallel, resumable, in parts if need be.
//!
//! *Knows* files, signals and exit codes. *Does not know* what a cell is made of. Finished cells
//! go to a file beside the output at once; every output is made from that file.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use super::Exit;
use super::args::Common;
use super::args::Format;
use super::args::Inconclusive;
use super::args::MergeArgs;
use super::args::SweepArgs;
use super::args::SweepCommand;
use super::args::SweepOutputs;
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
use crate::diagnostic::Diagnostic;
use crate::diagnostic::nearest;
use crate::report::expect;
use crate::report::figure::Sheet;
use crate::report::file::write_whole_with;
use crate::scenario;
use crate::scenario::Replications;
use crate::scenario::Scenario;
use crate::scenario::Sweep;
use crate::scenario::SweepMode;
use crate::sim;
use crate::sim::Conduct;
use crate::sweep::Cell;
use crate::sweep::Cells;
use crate::sweep::Header;
use crate::sweep::PartError;
use crate::sweep::Plan;
use crate::sweep::charts;
use crate::sweep::output;
use crate::sweep::part;
use crate::sweep::part::Part;
use crate::sweep::part::Writer;
use crate::sweep::table;

/// Metrics of table and charts when nobody names any; where a field of `[cost]` is varied, dollars a month too.
const METRICS: [&str; 2] = ["error_rate", "p99"];

/// Runs a sweep, a part of one, or joins parts.
pub fn sweep(console: &Console, common: &Common, args: &SweepArgs) -> Exit {
    let done = match &args.command {
        Some(SweepCommand::Merge(merge)) => join(console, common, merge),
        None => run(console, common, args),
    };
    done.unwrap_or_else(|exit| exit)
}

/// `scsim sweep merge`.
fn join(console: &Console, common: &Common, args: &MergeArgs) -> Result<Exit, Exit> {
    check_outputs(common, &args.outputs, "a part", &args.parts)?;
    let cells = Cells::join(&args.parts).map_err(|error| refused(&error))?;
    write(console, common, &args.outputs, &cells)
}

fn run(console: &Console, common: &Common, args: &SweepArgs) -> Result<Exit, Exit> {
    let Some(file) = &args.scenario else { return Err(Exit::Usage) };
    check_outputs(common, &args.outputs, "the scenario", std::slice::from_ref(file))?;
    let plan = plan(console, args, file)?;
    let header = Header::of(&plan, sim::replications(&plan.base.scenario));
    let place = Place::of(common, args);
    let written = compute(console, common, args, &plan, &header, &place);
    if place.fleeting {
        // Also when it was cut short: nobody can name this file again.
        let outcome = written.and_then(|()| finish(console, common, args, &place));
        let _ = fs::remove_file(&place.path);
        return outcome;
    }
    written?;
    finish(console, common, args, &place)
}

/// Where finished cells go.
struct Place {
    path: PathBuf,
    /// It is a shard's output itself.
    shard: bool,
    /// Nobody asked for a file.
    fleeting: bool,
}

impl Place {
    fn of(common: &Common, args: &SweepArgs) -> Place {
        let named = |path: &&PathBuf| path.as_path() != Path::new("-");
        let main = common.output.as_ref().filter(named);
        if let (Some(path), true) = (main, args.shard.is_some()) {
            return Place { path: path.clone(), shard: true, fleeting: false };
        }
        if let Some(path) = main.or(args.outputs.json.as_ref().filter(named)) {
            let mut name = path.clone().into_os_string();
            name.push(".part");
            return Place { path: PathBuf::from(name), shard: false, fleeting: false };
        }
        let name = format!("scsim-sweep-{}.part", std::process::id());
        Place { path: std::env::temp_dir().join(name), shard: false, fleeting: true }
    }
}

/// The plan, after everything that can be wrong with it has been looked for.
fn plan(console: &Console, args: &SweepArgs, file: &Path) -> Result<Plan, Exit> {
    let wrong = |problems: Vec<Diagnostic>| {
        loading::tell(console, &problems);
        Exit::Usage
    };
    let often = Often { replications: args.replications, precision: None, fast: args.fast };
    let options = loading::options(&args.shape, &often);
    let Some(base) = loading::told(console, scenario::load(file, &options)) else { return Err(Exit::Usage) };
    if loading::refuses_unmodelled(&base.scenario, &args.shape) {
        return Err(Exit::Usage);
    }
    if let Replications::Precision { .. } = base.scenario.run.replications {
        complain(&format!(
            "error: {}: a sweep compares cells replication by replication, so their number is fixed: give --replications N in place of [run] precision",
            file.display()
        ));
        return Err(Exit::Usage);
    }
    let mut sweep = match (args.vary.as_slice(), &base.scenario.sweep) {
        ([], Some(sweep)) => sweep.clone(),
        ([], None) => {
            complain(&format!(
                "error: {}: nothing is varied; give --vary key=2,3,5 or write [sweep] vary = {{ \"key\" = [2, 3, 5] }}",
                file.display()
            ));
            return Err(Exit::Usage);
        }
        (varied, _) => {
            let mut axes = Vec::new();
            let mut problems = Vec::new();
            for text in varied {
                match scenario::vary(text) {
                    Ok(axis) => axes.push(axis),
                    Err(mut found) => problems.append(&mut found),
                }
            }
            if !problems.is_empty() {
                return Err(wrong(problems));
            }
            Sweep { axes, mode: SweepMode::Grid }
        }
    };
    if args.one_at_a_time {
        sweep.mode = SweepMode::OneAtATime;
    }
    let folder = file.parent().unwrap_or(Path::new(".")).to_owned();
    let plan = Plan::new(base, sweep, &folder, &options).map_err(wrong)?;
    let idle = plan.idle().map_err(wrong)?;
    if !idle.is_empty() && !console.quiet {
        loading::tell(console, &idle);
    }
    Ok(plan)
}

/// The writer, and which cells are there already.
fn begin(console: &Console, args: &SweepArgs, header: &Header, place: &Place) -> Result<(Writer, Vec<bool>), Exit> {
    let mut finished = vec![false; header.cells as usize];
    let shown = place.path.display();
    let io = |error| refused(&PartError::Io { path: shown.to_string(), error });
    if args.fresh || !place.path.exists() {
        return Ok((Writer::create(&place.path, header).map_err(io)?, finished));
    }
    let found = Part::read(&place.path).map_err(|error| {
        complain(&format!("error: {error}\n  help: --fresh begins anew"));
        Exit::Usage
    })?;
    if found.header.digest != header.digest {
        complain(&format!(
            "error: {shown} holds cells of another sweep: it differs in {}\n  help: --fresh begins anew, another --output leaves it alone",
            part::difference(&found.header, header)
        ));
        return Err(Exit::Usage);
    }
    found.cells().for_each(|cell| finished[cell as usize] = true);
    let count = finished.iter().filter(|done| **done).count();
    if count > 0 {
        console.say(&format!("scsim: {count} of {} cells were finished before and are kept ({shown})", header.cells));
    }
    Ok((Writer::resume(&found).map_err(io)?, finished))
}

/// What went wrong while cells were computed.
enum Trouble {
    /// This combination of values is wrong.
    Cell(Vec<Diagnostic>),
    /// A run hit a limit, or a line could not be written.
    Other(String),
}

/// Runs every cell that is not there yet.
fn compute(
    console: &Console,
    common: &Common,
    args: &SweepArgs,
    plan: &Plan,
    header: &Header,
    place: &Place,
) -> Result<(), Exit> {
    let (writer, finished) = begin(console, args, header, place)?;
    let (i, n) = args.shard.unwrap_or((1, 1));
    let mine = |cell: &u64| cell % n == i - 1;
    let wanted = (0..header.cells).filter(mine).filter(|&cell| !finished[cell as usize]);
    let base = &plan.base.scenario;
    let planes = base.planes.iter().filter(|plane| plane.not_applicable.is_none()).count() as u64;
    let runs = wanted.clone().count() as u64 * u64::from(header.replications) * planes;
    crash::note(crash::UnderWay { seed: header.seed, digest: header.scenario.clone() });
    listen_for_signals();
    let bar = console.progress();
    let trouble: Mutex<Option<Trouble>> = Mutex::new(None);
    let halt = |found: Trouble| {
        let mut trouble = trouble.lock().expect("nobody panics while it holds the trouble");
        trouble.get_or_insert(found);
        STOP.store(true, Ordering::Relaxed);
    };
    let writer = Mutex::new(writer);
    let conduct = Conduct {
        jobs: common.jobs,
        only: None,
        events_max: EVENTS_MAX,
        stop: &STOP,
        progress: &|progress| bar.update(progress),
    };
    let scenarios = wanted.map_while(|cell| match plan.scenario(cell) {
        Ok(scenario) => Some((cell, scenario)),
        Err(problems) => {
            halt(Trouble::Cell(problems));
            None
        }
    });
    let done = |cell: &u64, scenario: &Scenario, study: Result<_, sim::RunError>| match study {
        Ok(study) => {
            let sheet = Sheet::new(scenario, &study);
            let cell = Cell::of(&sheet, &expect::judge(&sheet), &plan.sweep, *cell);
            let mut writer = writer.lock().expect("nobody panics while it holds the writer");
            if let Err(error) = writer.write(&cell) {
                halt(Trouble::Other(format!("cannot write {}: {error}", place.path.display())));
            }
        }
        Err(error) => halt(Trouble::Other(format!("cell {cell} failed to {error}"))),
    };
    sim::many(&conduct, u32::try_from(runs).unwrap_or(u32::MAX), scenarios, done);
    bar.clear();
    match trouble.into_inner().expect("nobody panics while it holds the trouble") {
        Some(Trouble::Cell(problems)) => {
            loading::tell(console, &problems);
            Err(Exit::Usage)
        }
        Some(Trouble::Other(what)) => {
            complain(&format!("error: {}: {what}", header.file));
            Err(Exit::Usage)
        }
        None if STOP.load(Ordering::Relaxed) => {
            complain(&interrupted(place));
            Err(Exit::Interrupted)
        }
        None => Ok(()),
    }
}

fn interrupted(place: &Place) -> String {
    if place.fleeting {
        return "scsim: interrupted; with --output FILE finished cells would have been kept".to_owned();
    }
    let kept = Part::read(&place.path).map_or(0, |part| part.cells().count());
    format!("scsim: interrupted; {kept} finished cells are kept in {}, the same command goes on", place.path.display())
}

/// Makes the outputs of a complete sweep, and tidies up.
fn finish(console: &Console, common: &Common, args: &SweepArgs, place: &Place) -> Result<Exit, Exit> {
    if place.shard {
        console
            .say(&format!("scsim: this part is complete; join all with: scsim sweep merge {} …", place.path.display()));
        return Ok(Exit::Held);
    }
    let cells = Cells::join(std::slice::from_ref(&place.path)).map_err(|error| refused(&error))?;
    let exit = write(console, common, &args.outputs, &cells)?;
    if !place.fleeting {
        // It has served its purpose; what was made of it is complete.
        let _ = fs::remove_file(&place.path);
    }
    Ok(exit)
}

/// Looks at every output before anything is computed.
fn check_outputs(common: &Common, asked: &SweepOutputs, what: &str, inputs: &[PathBuf]) -> Result<(), Exit> {
    let known = [
        "requests",
        "failed_requests",
        "error_rate",
        "goodput",
        "mean",
        "max",
        "ejections",
        "time_to_eject",
        "time_to_contain",
        "stale_window",
        "stale_dials",
        "overflow",
        "queue_max",
        "cpu_max",
        "attempts_per_request",
        "retries_per_request",
        "p50",
        "p90",
        "p95",
        "p99",
        "p99.9",
        "cost_per_month",
        "cost_sidecar",
        "cost_load_balancer",
        "cost_per_million",
    ];
    for metric in &asked.metric {
        if !known.contains(&metric.as_str()) {
            let near = nearest(metric, known);
            let hint = near
                .map_or_else(|| format!("there are: {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
            complain(&format!("error: --metric {metric}: {hint}"));
            return Err(Exit::Usage);
        }
    }
    let named = [("--output", &common.output), ("--json", &asked.json)];
    outputs::check_all(&named, what, inputs)?;
    if let Some(folder) = asked.svg.as_deref().filter(|folder| folder.exists() && !folder.is_dir()) {
        complain(&format!("error: --svg {}: this is no folder", folder.display()));
        return Err(Exit::Usage);
    }
    let dash = Some(Path::new("-"));
    if asked.json.as_deref() == dash && (common.output.as_deref() == dash || common.format != Format::Human) {
        complain("error: only one output can go to stdout");
        return Err(Exit::Usage);
    }
    Ok(())
}

/// Writes everything that was asked for.
fn write(console: &Console, common: &Common, asked: &SweepOutputs, cells: &Cells) -> Result<Exit, Exit> {
    let metrics: Vec<String> = match asked.metric.as_slice() {
        [] => {
            let billed = cells.header.axes.iter().any(|axis| axis.key.starts_with("cost."));
            let cost = billed.then_some("cost_per_month");
            METRICS.into_iter().chain(cost).map(str::to_owned).collect()
        }
        named => named.to_vec(),
    };
    let main = match common.format {
        Format::Json => output::json,
        Format::Human | Format::Csv | Format::Markdown | Format::Html => output::csv,
    };
    let mut quiet = common.quiet;
    if let Some(path) = &common.output {
        quiet |= deliver(path, cells, main)?;
    } else if common.format != Format::Human {
        quiet |= deliver(Path::new("-"), cells, main)?;
    }
    if let Some(path) = &asked.json {
        quiet |= deliver(path, cells, output::json)?;
    }
    if let Some(folder) = &asked.svg {
        let drawn = charts::draw(cells, &metrics).map_err(|error| {
            complain(&format!("error: {error}"));
            Exit::Usage
        })?;
        if let Err(error) = fs::create_dir_all(folder) {
            complain(&format!("error: --svg {}: {error}", folder.display()));
            return Err(Exit::Usage);
        }
        for chart in &drawn {
            if outputs::deliver(&folder.join(&chart.name), &chart.svg) != Exit::Held {
                return Err(Exit::Usage);
            }
        }
        console.say(&format!("scsim: {} charts in {}", drawn.len(), folder.display()));
    }
    let summary = table::render(cells, &metrics).map_err(|error| refused(&error))?;
    if !quiet {
        console::print(&summary.text);
    }
    Ok(match (summary.failed > 0, summary.inconclusive > 0, asked.inconclusive) {
        _ if asked.exit_zero => Exit::Held,
        (true, ..) | (_, true, Some(Inconclusive::Fail)) => Exit::Failed,
        (_, true, None) => Exit::Inconclusive,
        _ => Exit::Held,
    })
}

type Form = fn(&Cells, &mut dyn std::io::Write) -> Result<(), PartError>;

/// Writes one form to a file, whole or not at all, or to stdout. True if it took stdout.
fn deliver(path: &Path, cells: &Cells, form: Form) -> Result<bool, Exit> {
    if path == Path::new("-") {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        return match form(cells, &mut out).map(|()| std::io::Write::flush(&mut out)) {
            Ok(Ok(())) => Ok(true),
            // A reader that went away is no error.
            Ok(Err(error)) | Err(PartError::Io { error, .. }) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                Ok(true)
            }
            Ok(Err(error)) => Err(refused(&PartError::Io { path: "stdout".to_owned(), error })),
            Err(error) => Err(refused(&error)),
        };
    }
    let mut wrong = None;
    let written = write_whole_with(path, |out| {
        form(cells, out).map_err(|error| {
            let kind = std::io::Error::other(error.to_string());
            wrong = Some(error);
            kind
        })
    });
    match (written, wrong) {
        (Ok(()), _) => Ok(false),
        (Err(_), Some(error)) => Err(refused(&error)),
        (Err(error), None) => Err(refused(&PartError::Io { path: path.display().to_string(), error })),
    }
}

fn refused(error: &PartError) -> Exit {
    complain(&format!("error: {error}"));
    Exit::Usage
}
