//! `scsim run`: simulate, compare, judge, write.

#![expect(clippy::disallowed_methods, reason = "the wall time of a study is shown, never part of a result")]

use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::Exit;
use super::args::Common;
use super::args::FailOn;
use super::args::Format;
use super::args::Inconclusive;
use super::args::RunArgs;
use super::args::Shape;
use super::console;
use super::console::Console;
use super::console::complain;
use super::crash;
use super::gate;
use super::gate::Gate;
use super::loading;
use super::loading::Often;
use super::outputs;
use super::report;
use crate::measure::study::Study;
use crate::report::Report;
use crate::report::compare::stem;
use crate::report::csv;
use crate::report::expect::Judgement;
use crate::report::expect::Verdict;
use crate::report::hdr;
use crate::report::hdr::Distribution;
use crate::report::json;
use crate::report::markdown;
use crate::report::page;
use crate::report::series;
use crate::report::suite::Outcome;
use crate::report::text;
use crate::report::text::Style;
use crate::scenario;
use crate::scenario::Replications;
use crate::scenario::Scenario;
use crate::scenario::Severity;
use crate::sim;
use crate::sim::Conduct;
use crate::units::Span;

/// Simulator events after which a single run is given up.
pub(super) const EVENTS_MAX: u64 = 4_000_000_000;

/// Set by the first signal. A process has one set of signal handlers, so this is one per process.
pub(super) static STOP: AtomicBool = AtomicBool::new(false);

/// The texts of one report, in every form asked for.
#[derive(Default)]
struct Texts {
    human: Vec<String>,
    json: Vec<String>,
    markdown: Vec<String>,
    csv: Vec<String>,
    series: Vec<String>,
    distributions: Vec<Distribution>,
    /// Markdown for a job summary.
    summaries: Vec<String>,
}

/// Runs every scenario named.
pub fn run(console: &Console, common: &Common, args: &RunArgs) -> Exit {
    let named = [
        ("--json", &args.json),
        ("--markdown", &args.markdown),
        ("--csv", &args.csv),
        ("--html", &args.pages.html),
        ("--timeseries", &args.pages.timeseries),
        ("--junit", &args.gate.junit),
        ("--save-baseline", &args.gate.save_baseline),
    ];
    if let Err(exit) = outputs::one_owner_of_stdout(common, &named) {
        return exit;
    }
    let files = match loading::files(&args.scenarios) {
        Ok(files) => files,
        Err(exit) => return exit,
    };
    if let Err(exit) = outputs::check(common, args, &files).and_then(|()| args.look.check(common, &files)) {
        return exit;
    }
    let often = Often { replications: args.replications, precision: args.precision.clone(), fast: args.fast };
    // All files are read before any is run: a typo in the last must not cost the first one's time.
    let mut scenarios = Vec::new();
    let mut broken = false;
    for file in &files {
        match loading::loaded(console, file, &args.shape, &often) {
            Some(loaded) if !loading::refuses_unmodelled(&loaded.scenario, &args.shape) => scenarios.push(loaded),
            _ => broken = true,
        }
    }
    let names: Vec<&str> = scenarios.iter().map(|loaded| stem(&loaded.scenario.file)).collect();
    if broken || !looks_possible(common, args, &names) {
        return Exit::Usage;
    }
    let gate = match Gate::open(&args.gate) {
        Ok(gate) => gate,
        Err(exit) => return exit,
    };
    listen_for_signals();
    let mut exit = Exit::Held;
    let mut texts = Texts::default();
    let mut outcomes = Vec::new();
    for loaded in &scenarios {
        let scenario = &loaded.scenario;
        let bar = console.progress();
        let simulated = simulate(scenario, common.jobs, args.replication, &|progress| bar.update(progress));
        bar.clear();
        let study = match simulated {
            Ok(study) => study,
            Err(error) => {
                complain(&format!("error: {}: failed to {error}", scenario.file));
                return Exit::Usage;
            }
        };
        if let Replications::Precision { relative, at_most } = scenario.run.replications
            && !study.partial
            && let Some(needed) = sim::needed_for(&study, relative)
        {
            complain(&format!(
                "scsim: {at_most} replications did not reach the precision asked for; about {needed} would (max_replications)"
            ));
        }
        let mut report = Report::new(scenario, &study, repeated(&args.shape));
        report.settings = loaded.settings();
        report.filled = scenario::filled(loaded);
        report.again = again(args, &study, scenario);
        render(console, common, args, &report, &mut texts);
        match args.look.closer(console, scenario, &study, args.replication, &files) {
            Ok((stories, looked)) => {
                texts.human.extend(stories);
                exit = exit.or_worse(looked);
            }
            Err(failed) => return failed,
        }
        exit = exit.or_worse(judged(args, &study, &report.judgements));
        if gate.is_wanted() {
            let outcome = weighed(console, args, &gate, &report);
            if !outcome.regressions().is_empty() && !args.verdicts.exit_zero && !study.partial {
                exit = exit.or_worse(Exit::Failed);
            }
            if common.format == Format::Human {
                texts.human.extend(against(console, &outcome));
            }
            outcomes.push(outcome);
        }
        if study.partial {
            complain("scsim: interrupted, the results are partial");
            break;
        }
    }
    exit = exit.or_worse(write(console, common, args, &texts));
    let owned = common.format != Format::Human || named.iter().any(|(_, path)| path.as_deref() == Some(Path::new("-")));
    exit.or_worse(gate.finish(console, &outcomes, &texts.summaries.join("\n"), owned))
}

/// The outcome of a run for build machines, weighed against the baseline.
fn weighed(console: &Console, args: &RunArgs, gate: &Gate<'_>, report: &Report<'_>) -> Outcome {
    let result = if gate.needs_results() { json::render_trimmed(report) } else { String::new() };
    let name = stem(&report.sheet.scenario.file);
    let mut outcome = Outcome::of(report, name, gate::rules(&args.verdicts), result);
    if gate.needs_results() {
        gate.weigh(console, &mut outcome);
    }
    outcome
}

/// What is worse than in the baseline, below the table.
fn against(console: &Console, outcome: &Outcome) -> Option<String> {
    outcome.baseline.as_ref()?;
    let regressions = outcome.regressions();
    let mut lines: Vec<String> =
        regressions.iter().map(|(_, sentence)| format!("against the baseline: {sentence}")).collect();
    if lines.is_empty() {
        lines.push("nothing is worse than in the baseline".to_owned());
    } else if let Some(differs) = outcome.differs() {
        lines.push(format!("differs from the baseline's: {differs}"));
    }
    let lines: Vec<String> = lines.iter().map(|line| console.style.spell(line)).collect();
    Some(lines.join("\n") + "\n")
}

/// Runs a scenario on every plane, on `jobs` threads, 0 being one per core; `only` one replication
/// where that is asked for.
///
/// # Errors
/// The [`sim::RunError`] of the first run that hit a limit.
pub(super) fn simulate(
    scenario: &Scenario,
    jobs: usize,
    only: Option<u32>,
    progress: &(dyn Fn(sim::Progress) + Sync),
) -> Result<Study, sim::RunError> {
    crash::note(crash::UnderWay { seed: scenario.run.seed, digest: scenario.digest.clone() });
    let began = Instant::now();
    let conduct = Conduct { jobs, only, events_max: EVENTS_MAX, stop: &STOP, progress };
    let mut study = sim::replicate(scenario, &conduct)?;
    study.engine.wall = Span::from_secs_f64(began.elapsed().as_secs_f64());
    Ok(study)
}

/// The overrides that a re-run command has to repeat.
pub(super) fn repeated(shape: &Shape) -> Vec<String> {
    let mut all: Vec<String> = shape.set.iter().map(|set| format!("--set {}", crash::quoted(set))).collect();
    all.extend(shape.duration.iter().map(|d| format!("--duration {}", crash::quoted(d))));
    if shape.allow_unmodelled {
        all.push("--allow-unmodelled".to_owned());
    }
    all
}

/// True unless a page is asked for that would show too many scenarios or be opened without being a file, or files of
/// distributions that would overwrite each other.
fn looks_possible(common: &Common, args: &RunArgs, names: &[&str]) -> bool {
    let scenarios = names.len();
    let wanted = common.format == Format::Html || args.pages.html.is_some();
    if wanted && scenarios > page::RESULTS_MAX {
        let most = page::RESULTS_MAX;
        complain(&format!("error: these are {scenarios} scenarios, a page shows {most} at the most; name fewer"));
        return false;
    }
    if args.pages.open && args.pages.html.as_deref() == Some(Path::new("-")) {
        complain("error: --open needs a file to open, not --html -");
        return false;
    }
    let twice = (1..scenarios).find(|&i| names[..i].contains(&names[i]));
    if let Some(i) = twice.filter(|_| args.pages.hdr.is_some()) {
        complain(&format!(
            "error: --hdr names files by scenario, and two are called {}; run them one by one",
            names[i]
        ));
        return false;
    }
    true
}

/// The command that makes the same result again.
fn again(args: &RunArgs, study: &Study, scenario: &Scenario) -> String {
    let mut words = vec!["scsim run".to_owned(), crash::quoted(&scenario.file)];
    words.extend(repeated(&args.shape));
    words.push(format!("--seed {}", study.seed));
    words.extend(args.shape.plane.iter().map(|plane| format!("--plane {}", crash::quoted(plane))));
    words.push(match args.replication {
        Some(only) => format!("--replication {only}"),
        None => format!("-n {}", study.replications),
    });
    words.join(" ")
}

/// Renders what will be written, and nothing else.
fn render(console: &Console, common: &Common, args: &RunArgs, report: &Report<'_>, texts: &mut Texts) {
    let wants = |format, path: &Option<PathBuf>| common.format == format || path.is_some();
    if wants(Format::Json, &args.json) || wants(Format::Html, &args.pages.html) {
        texts.json.push(json::render(report));
    }
    if wants(Format::Csv, &args.csv) {
        texts.csv.push(csv::render(report));
    }
    if args.pages.timeseries.is_some() {
        texts.series.push(series::render(report));
    }
    if args.pages.hdr.is_some() {
        texts.distributions.extend(hdr::distributions(report));
    }
    let comparison = report.comparison();
    if wants(Format::Markdown, &args.markdown) {
        texts.markdown.push(markdown::render(&comparison));
    }
    if args.gate.github {
        texts.summaries.push(markdown::render(&comparison));
    }
    if common.format == Format::Human {
        let to_file = common.output.as_deref().is_some_and(|path| path != Path::new("-"));
        let style = if to_file {
            Style { ascii: console.ascii, sparklines: console.ascii, ..Style::PLAIN }
        } else {
            console.style
        };
        texts.human.push(text::render(&comparison, style));
    }
    for alarm in &comparison.alarms {
        complain(&format!("scsim: THE BOOKS DO NOT BALANCE, this is a bug in scsim: {alarm}"));
    }
}

fn write(console: &Console, common: &Common, args: &RunArgs, texts: &Texts) -> Exit {
    let csv_text = format!("{}{}", csv::HEAD, texts.csv.concat());
    let json_text = json::join(&texts.json);
    let markdown_text = texts.markdown.join("\n");
    let series_text = format!("{}{}", series::HEAD, texts.series.concat());
    let html_text = if common.format == Format::Html || args.pages.html.is_some() {
        // The page is made of the file alone, so that `scsim report` makes the same one.
        page::render(&json_text).expect("what was just written is a result file")
    } else {
        String::new()
    };
    let mut exit = Exit::Held;
    let mut owned = false;
    let files = [
        (&args.json, &json_text),
        (&args.markdown, &markdown_text),
        (&args.csv, &csv_text),
        (&args.pages.html, &html_text),
        (&args.pages.timeseries, &series_text),
    ];
    for (path, text) in files {
        if let Some(path) = path {
            owned |= path == Path::new("-");
            exit = exit.or_worse(outputs::deliver(path, text));
        }
    }
    if let Some(folder) = &args.pages.hdr {
        exit = exit.or_worse(report::distributions(folder, &texts.distributions));
    }
    let human = texts.human.join("\n");
    if args.pages.open && exit == Exit::Held {
        report::open(console, args.pages.html.as_deref());
    }
    let main = match common.format {
        Format::Human => &human,
        Format::Json => &json_text,
        Format::Markdown => &markdown_text,
        Format::Csv => &csv_text,
        Format::Html => &html_text,
    };
    match &common.output {
        Some(path) => exit.or_worse(outputs::deliver(path, main)),
        // `--json -` silences the table.
        None if owned || common.quiet && common.format == Format::Human => exit,
        None => exit.or_worse(console::print(main)),
    }
}

/// The exit code that the judgements and the study deserve.
fn judged(args: &RunArgs, study: &Study, judgements: &[Judgement]) -> Exit {
    if study.partial {
        return Exit::Interrupted;
    }
    if args.verdicts.exit_zero {
        return Exit::Held;
    }
    let counts = |j: &&Judgement| j.severity == Severity::Error || args.verdicts.fail_on == FailOn::Warn;
    let any = |verdict| judgements.iter().filter(counts).any(|j| j.verdict == verdict);
    if any(Verdict::Fails) {
        return Exit::Failed;
    }
    match (any(Verdict::Inconclusive), args.verdicts.inconclusive) {
        (false, _) | (true, Some(Inconclusive::Pass)) => Exit::Held,
        (true, Some(Inconclusive::Fail)) => Exit::Failed,
        (true, None) => Exit::Inconclusive,
    }
}

/// The first signal asks for an early end with what there is; the second ends at once.
pub(super) fn listen_for_signals() {
    STOP.store(false, Ordering::Relaxed);
    // Fails only if a handler is there already, which then does the same.
    let _ = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            quit();
        }
        complain("scsim: stopping; what is finished will be written (once more to quit at once)");
    });
}

#[expect(clippy::exit, reason = "the second signal must end the process wherever it is")]
fn quit() -> ! {
    std::process::exit(i32::from(Exit::Interrupted.code()))
}
