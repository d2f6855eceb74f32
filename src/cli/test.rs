//! `scsim test`: scenarios as a regression suite.
//!
//! Scenarios run side by side and are told in the order of their paths. A file that cannot be run
//! is told like the others and does not keep them from being run.

use std::panic;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;

use super::Exit;
use super::args::Common;
use super::args::Format;
use super::args::TestArgs;
use super::console;
use super::console::Console;
use super::console::complain;
use super::crash;
use super::gate;
use super::gate::Gate;
use super::loading;
use super::loading::Member;
use super::loading::Often;
use super::outputs;
use super::run;
use crate::diagnostic;
use crate::diagnostic::Form;
use crate::report::Report;
use crate::report::json;
use crate::report::suite;
use crate::report::suite::Outcome;
use crate::report::suite::Problem;
use crate::report::suite::Rules;
use crate::report::suite::Status;
use crate::report::text::Style;
use crate::scenario::Loaded;

/// A scenario of the suite, read.
struct Entry {
    name: String,
    file: String,
    loaded: Result<Loaded, Vec<Problem>>,
}

/// Runs every scenario below the folders named.
pub fn test(console: &Console, common: &Common, args: &TestArgs) -> Exit {
    let entries = match prepared(console, common, args) {
        Ok(entries) => entries,
        Err(exit) => return exit,
    };
    let gate = match Gate::open(&args.gate) {
        Ok(gate) => gate,
        Err(exit) => return exit,
    };
    run::listen_for_signals();
    let printer = Printer::new(console, common, args, &entries);
    let work = Work { common, args, gate: &gate, entries: &entries };
    let mut outcomes: Vec<Outcome> = Vec::new();
    work.all(|mut outcome| {
        if gate.needs_results() && !outcome.result.is_empty() && outcome.status != Status::Interrupted {
            gate.weigh(console, &mut outcome);
        }
        printer.tell(&outcome);
        outcomes.push(outcome);
    });
    let judged = outcomes.iter().fold(Exit::Held, |exit, o| exit.or_worse(gate::exit_of(o, args.verdicts.exit_zero)));
    let empty = outcomes.iter().filter(|o| o.total == 0 && o.status == Status::Passed).count();
    if empty > 0 && args.gate.baseline.is_none() {
        console.say(&format!("scsim: {empty} without [[expect]]: those only show that they run"));
    }
    if args.filter.is_none() {
        gate.tell_unguarded(console, &outcomes);
    }
    write(console, common, args, &gate, &outcomes, judged, &printer)
}

/// Finds, filters and reads the scenarios, and looks at where results go.
fn prepared(console: &Console, common: &Common, args: &TestArgs) -> Result<Vec<Entry>, Exit> {
    if common.format == Format::Csv {
        complain("error: a suite has no CSV; `scsim run --csv FILE` writes figures");
        return Err(Exit::Usage);
    }
    let named = [
        ("--json", &args.json),
        ("--markdown", &args.markdown),
        ("--junit", &args.gate.junit),
        ("--save-baseline", &args.gate.save_baseline),
    ];
    outputs::one_owner_of_stdout(common, &named)?;
    let paths = if !args.scenarios.is_empty() {
        args.scenarios.clone()
    } else if Path::new("scenarios").is_dir() {
        vec![PathBuf::from("scenarios")]
    } else {
        vec![PathBuf::from(".")]
    };
    let (members, passed_over) = loading::suite(&paths)?;
    if passed_over > 0 {
        console.say(&format!("scsim: {passed_over} .toml files passed over, they have no [service] or no [load]"));
    }
    let often = Often { replications: args.replications, precision: args.precision.clone(), fast: args.fast };
    let mut inputs = Vec::new();
    let mut entries = Vec::new();
    for member in members {
        inputs.push(member.file.clone());
        let entry = entry(console, args, &often, member);
        if args.filter.as_ref().is_none_or(|text| mentions(&entry, text)) {
            entries.push(entry);
        }
    }
    outputs::check_all(&named, "a scenario", &inputs)?;
    outputs::check_all(&[("--output", &common.output)], "a scenario", &inputs)?;
    if entries.is_empty() {
        complain(&match &args.filter {
            Some(text) if !inputs.is_empty() => {
                format!("error: none of {} scenarios has `{text}` in its path or title", inputs.len())
            }
            _ => "error: no scenario found (a scenario is a .toml file with [service.NAME] and [load])".to_owned(),
        });
        return Err(Exit::Nothing);
    }
    Ok(entries)
}

fn mentions(entry: &Entry, text: &str) -> bool {
    entry.file.contains(text) || entry.loaded.as_ref().is_ok_and(|loaded| loaded.scenario.title.contains(text))
}

fn entry(console: &Console, args: &TestArgs, often: &Often, member: Member) -> Entry {
    let file = member.file.display().to_string();
    let loaded = match loading::quietly(&member.file, &args.shape, often) {
        Err(problems) => Err(problems.iter().filter(|p| p.severity == diagnostic::Severity::Error).map(told).collect()),
        Ok(loaded) if !loaded.scenario.unmodelled.is_empty() && !args.shape.allow_unmodelled => Err(loaded
            .scenario
            .unmodelled
            .iter()
            .map(|u| Problem {
                file: file.clone(),
                line: Some(u.line as usize),
                text: format!("{file}:{}: not simulated yet: {} (--allow-unmodelled runs the rest)", u.line, u.what),
            })
            .collect()),
        Ok(loaded) => {
            if console.style.verbose && !loaded.warnings.is_empty() {
                console.say(&diagnostic::render_all(&loaded.warnings, Form::OneLine));
            }
            Ok(loaded)
        }
    };
    Entry { name: member.name, file, loaded }
}

fn told(problem: &diagnostic::Diagnostic) -> Problem {
    Problem {
        file: problem.file.clone(),
        line: problem.position().map(|position| position.line),
        text: diagnostic::render_all(std::slice::from_ref(problem), Form::OneLine).trim_end().to_owned(),
    }
}

/// The suite and all that a scenario of it needs to be run.
struct Work<'a> {
    common: &'a Common,
    args: &'a TestArgs,
    gate: &'a Gate<'a>,
    entries: &'a [Entry],
}

/// What a thread hands over: an outcome, or the panic of our own bug.
type Handed = (usize, thread::Result<Outcome>);

impl Work<'_> {
    /// Runs all, on as many threads as there are to be, and hands them over in order.
    fn all(&self, mut sink: impl FnMut(Outcome)) {
        let jobs = match self.common.jobs {
            0 => thread::available_parallelism().map_or(1, usize::from),
            jobs => jobs,
        };
        let next = AtomicUsize::new(0);
        let abandoned = AtomicBool::new(false);
        let (sender, receiver) = mpsc::channel::<Handed>();
        let mut waiting: Vec<Option<Outcome>> = self.entries.iter().map(|_| None).collect();
        let mut told = 0;
        let mut crashed = None;
        thread::scope(|scope| {
            for _ in 0..jobs.min(self.entries.len()) {
                let sender = sender.clone();
                let (next, abandoned) = (&next, &abandoned);
                scope.spawn(move || {
                    while !abandoned.load(Ordering::Relaxed) {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(entry) = self.entries.get(index) else { break };
                        // The last ones share the threads that have nothing else to do.
                        let share = jobs.div_ceil(jobs.min(self.entries.len() - index));
                        let outcome = panic::catch_unwind(AssertUnwindSafe(|| self.one(entry, share)));
                        let ends = outcome.is_err();
                        if sender.send((index, outcome)).is_err() || ends {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            for (index, outcome) in receiver {
                match outcome {
                    Ok(outcome) => waiting[index] = Some(outcome),
                    Err(panic) => {
                        abandoned.store(true, Ordering::Relaxed);
                        crashed = Some((index, panic));
                    }
                }
                while let Some(outcome) = waiting.get_mut(told).and_then(Option::take) {
                    told += 1;
                    sink(outcome);
                }
            }
        });
        if let Some((index, panic)) = crashed {
            if let Ok(loaded) = &self.entries[index].loaded {
                let scenario = &loaded.scenario;
                crash::note(crash::UnderWay { seed: scenario.run.seed, digest: scenario.digest.clone() });
            }
            panic::resume_unwind(panic);
        }
    }

    fn one(&self, entry: &Entry, jobs: usize) -> Outcome {
        let loaded = match &entry.loaded {
            Ok(loaded) => loaded,
            Err(problems) => return Outcome::broken(&entry.file, &entry.name, problems.clone()),
        };
        if run::STOP.load(Ordering::Relaxed) {
            return Outcome { status: Status::Interrupted, ..Outcome::broken(&entry.file, &entry.name, Vec::new()) };
        }
        let study = match run::simulate(&loaded.scenario, jobs, None, &|_| {}) {
            Ok(study) => study,
            Err(error) => {
                let text = format!("{}: failed to {error}", entry.file);
                let problem = Problem { file: entry.file.clone(), line: None, text };
                return Outcome::broken(&entry.file, &entry.name, vec![problem]);
            }
        };
        let mut report = Report::new(&loaded.scenario, &study, run::repeated(&self.args.shape));
        report.settings = loaded.settings();
        for (plane, result) in loaded.scenario.planes.iter().zip(&study.planes) {
            for alarm in &result.books.problems {
                complain(&format!(
                    "scsim: THE BOOKS DO NOT BALANCE, this is a bug in scsim: {}: {}: {alarm}",
                    entry.file, plane.name
                ));
            }
        }
        let wanted = self.gate.needs_results() || self.args.json.is_some() || self.common.format == Format::Json;
        let result = if wanted { json::render_trimmed(&report) } else { String::new() };
        let rules: Rules = gate::rules(&self.args.verdicts);
        Outcome::of(&report, &entry.name, rules, result)
    }
}

/// Lines on stdout, as soon as it is their turn.
struct Printer<'a> {
    console: &'a Console,
    style: Style,
    room: usize,
    /// Lines go to stdout as they come.
    live: bool,
    /// stdout belongs to something else.
    owned: bool,
}

impl<'a> Printer<'a> {
    fn new(console: &'a Console, common: &Common, args: &TestArgs, entries: &[Entry]) -> Printer<'a> {
        let dash = Path::new("-");
        let outputs = [&args.json, &args.markdown, &args.gate.junit, &args.gate.save_baseline];
        let owned = outputs.iter().any(|path| path.as_deref() == Some(dash)) || common.format != Format::Human;
        let to_file = common.output.as_deref().is_some_and(|path| path != dash);
        let plain = Style { ascii: console.ascii, verbose: console.style.verbose, ..Style::PLAIN };
        Printer {
            console,
            style: if to_file { plain } else { console.style },
            room: suite::room(entries.iter().map(|entry| entry.name.as_str())),
            live: !owned && !to_file,
            owned,
        }
    }

    /// Of a suite asked to be quiet only what did not pass is told.
    fn text(&self, outcome: &Outcome) -> String {
        if self.console.quiet && outcome.status == Status::Passed {
            return String::new();
        }
        suite::lines(outcome, self.room, self.style)
    }

    fn tell(&self, outcome: &Outcome) {
        if self.live {
            console::print(&self.text(outcome));
        }
    }
}

fn write(
    console: &Console,
    common: &Common,
    args: &TestArgs,
    gate: &Gate<'_>,
    outcomes: &[Outcome],
    judged: Exit,
    printer: &Printer<'_>,
) -> Exit {
    let markdown = suite::markdown(outcomes);
    let mut exit = judged;
    if let Some(path) = &args.markdown {
        exit = exit.or_worse(outputs::deliver(path, &markdown));
    }
    exit = exit.or_worse(gate.finish(console, outcomes, &markdown, printer.owned));
    if let Some(path) = &args.json {
        exit = exit.or_worse(outputs::deliver(path, &suite::json(outcomes, exit.code())));
    }
    let last = format!("{}   (exit {})\n", suite::summary(outcomes), exit.code());
    let main = match common.format {
        Format::Json => suite::json(outcomes, exit.code()),
        Format::Markdown => markdown,
        _ if printer.live => last,
        _ => {
            let lines: String = outcomes.iter().map(|outcome| printer.text(outcome)).collect();
            format!("{lines}{last}")
        }
    };
    match &common.output {
        Some(path) => exit.or_worse(outputs::deliver(path, &main)),
        None if printer.owned && common.format == Format::Human => exit,
        None if console.quiet && common.format == Format::Human => exit,
        None => exit.or_worse(console::print(&main)),
    }
}
