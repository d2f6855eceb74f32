//! `scsim trace`: one replication for a viewer of traces, or one request as text.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::Exit;
use super::args::Common;
use super::args::Format;
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
use crate::report::file::write_whole_with;
use crate::scenario::Scenario;
use crate::scenario::value;
use crate::sim;
use crate::sim::Limits;
use crate::trace::Names;
use crate::trace::book::Book;
use crate::trace::book::Wanted;
use crate::trace::chrome::Chrome;
use crate::trace::chrome::Windows;
use crate::trace::chrome::Written;
use crate::trace::tree;
use crate::units::Span;
use crate::units::Time;

/// Bytes of a trace at the most, or about: a viewer in a browser takes no more.
const CAP: u64 = 200_000_000;

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
    /// Time to draw around each event, half before it and half after
    #[arg(long, env = "SCSIM_WINDOW", value_name = "TIME", default_value = "10s", conflicts_with = "request")]
    pub window: String,
    /// Draw the whole run
    #[arg(long, env = "SCSIM_TRACE_ALL", conflicts_with_all = ["request", "window"], value_parser = FalseyValueParser::new())]
    pub trace_all: bool,
}

/// Traces a scenario.
pub fn trace(console: &Console, common: &Common, args: &TraceArgs) -> Exit {
    traced(console, common, args).unwrap_or_else(|exit| exit)
}

fn traced(console: &Console, common: &Common, args: &TraceArgs) -> Result<Exit, Exit> {
    if common.format != Format::Human {
        complain("error: --format: a trace is JSON for a viewer, and with --request text; it has no other form");
        return Err(Exit::Usage);
    }
    let width = value::parse_span(&args.window).map_err(|label| {
        complain(&format!("error: --window {}: {label}", args.window));
        Exit::Usage
    })?;
    outputs::check_all(&[("--output", &common.output)], "the scenario", std::slice::from_ref(&args.scenario))?;
    let scenario = loading::scenario(console, &args.scenario, &args.shape, &Often::default()).ok_or(Exit::Usage)?;
    if loading::refuses_unmodelled(&scenario, &args.shape) {
        return Err(Exit::Usage);
    }
    there_is(&scenario, args.replication)?;
    let planes = applicable(&scenario)?;
    listen_for_signals();
    if let Some(request) = args.request {
        return tell(console, common, args, &scenario, &planes, request);
    }
    let width = (!args.trace_all).then_some(width);
    let run = Run { scenario: &scenario, replication: args.replication, width };
    if common.output.as_deref() == Some(Path::new("-")) {
        let [plane] = planes[..] else {
            complain(&format!(
                "error: --output -: stdout takes one trace, and there are {} planes\n  help: choose one with --plane",
                planes.len()
            ));
            return Err(Exit::Usage);
        };
        return run.draw_to_stdout(console, plane);
    }
    let files = if let Some(path) = &common.output {
        beside(path, &scenario, &planes)
    } else {
        let stem = args.scenario.file_stem().map_or_else(|| "scsim".into(), |stem| stem.to_string_lossy());
        planes.iter().map(|&plane| format!("{stem}.{}.trace.json", safe(&scenario, plane)).into()).collect()
    };
    run.draw_all(console, "--output", &planes, &files, std::slice::from_ref(&args.scenario))
}

/// `run --trace FILE`: a trace of each plane, of the replication that was run alone or of the first.
///
/// # Errors
/// How the command ends if that fails.
pub(super) fn beside_run(
    console: &Console,
    scenario: &Scenario,
    replication: Option<u32>,
    path: &Path,
    inputs: &[PathBuf],
) -> Result<Exit, Exit> {
    let planes = applicable(scenario)?;
    let files = beside(path, scenario, &planes);
    let run = Run { scenario, replication: replication.unwrap_or(0), width: Some(Span::from_secs(10)) };
    run.draw_all(console, "--trace", &planes, &files, inputs)
}

/// The file of each plane: the one named, or with several planes their names before its ending.
fn beside(path: &Path, scenario: &Scenario, planes: &[usize]) -> Vec<PathBuf> {
    if planes.len() == 1 {
        return vec![path.to_owned()];
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().map_or_else(String::new, |ending| format!(".{}", ending.to_string_lossy()));
    planes.iter().map(|&plane| path.with_file_name(format!("{stem}.{}{ending}", safe(scenario, plane)))).collect()
}

/// A plane's name as part of a file's.
fn safe(scenario: &Scenario, plane: usize) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_".contains(c) { c } else { '-' };
    scenario.planes[plane].name.chars().map(plain).collect()
}

/// One replication to be drawn.
struct Run<'a> {
    scenario: &'a Scenario,
    replication: u32,
    /// Of the windows around events; `None` is the whole run.
    width: Option<Span>,
}

impl Run<'_> {
    fn draw_all(
        &self,
        console: &Console,
        flag: &str,
        planes: &[usize],
        files: &[PathBuf],
        inputs: &[PathBuf],
    ) -> Result<Exit, Exit> {
        let named: Vec<Option<PathBuf>> = files.iter().cloned().map(Some).collect();
        let named: Vec<(&str, &Option<PathBuf>)> = named.iter().map(|file| (flag, file)).collect();
        outputs::check_all(&named, "the scenario", inputs)?;
        let mut exit = Exit::Held;
        for (&plane, file) in planes.iter().zip(files) {
            let windows = self.windows(console, plane)?;
            let mut failed = None;
            let mut written = None;
            let outcome = write_whole_with(file, |out| match self.draw(plane, windows, out) {
                Ok(what) => {
                    written = Some(what);
                    Ok(())
                }
                Err(Trouble::Run(exit)) => {
                    failed = Some(exit);
                    Err(io::Error::other("the run failed"))
                }
                Err(Trouble::File(error)) => Err(error),
            });
            match (outcome, failed, written) {
                (_, Some(exit), _) => return Err(exit),
                (Err(error), ..) => {
                    complain(&format!("error: cannot write {}: {error}", file.display()));
                    return Err(Exit::Usage);
                }
                (Ok(()), None, written) => self.told(console, plane, &file.display().to_string(), written),
            }
            if STOP.load(Ordering::Relaxed) {
                complain("scsim: interrupted, the trace ends there");
                exit = Exit::Interrupted;
                break;
            }
        }
        Ok(exit)
    }

    fn draw_to_stdout(&self, console: &Console, plane: usize) -> Result<Exit, Exit> {
        let windows = self.windows(console, plane)?;
        let mut out = io::BufWriter::new(io::stdout().lock());
        match self.draw(plane, windows, &mut out) {
            Ok(written) => {
                self.told(console, plane, "stdout", Some(written));
                Ok(Exit::Held)
            }
            Err(Trouble::Run(exit)) => Err(exit),
            // A reader that went away is no error.
            Err(Trouble::File(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Held),
            Err(Trouble::File(error)) => {
                complain(&format!("error: cannot write to stdout: {error}"));
                Err(Exit::Usage)
            }
        }
    }

    /// What is to be drawn; to know it takes a run of its own.
    fn windows(&self, console: &Console, plane: usize) -> Result<Windows, Exit> {
        let Some(width) = self.width else { return Ok(Windows::All) };
        note_run(self.scenario);
        let recording = sim::run(self.scenario, plane, self.replication, limits()).map_err(|error| {
            complain(&format!("error: {}: failed to {error}", self.scenario.file));
            Exit::Usage
        })?;
        let windows = Windows::around(&recording, width);
        if windows == Windows::These(Vec::new()) {
            let from = Time::ZERO + self.scenario.run.warmup;
            let name = &self.scenario.planes[plane].name;
            console.say(&format!(
                "scsim: nothing happened on {name}: the trace has the {width} after the warm-up; --trace-all draws everything"
            ));
            return Ok(Windows::These(vec![(from, from + width)]));
        }
        Ok(windows)
    }

    fn draw(&self, plane: usize, windows: Windows, out: &mut dyn io::Write) -> Result<Written, Trouble> {
        note_run(self.scenario);
        let mut chrome = Chrome::new(self.scenario, plane, self.replication, windows, out, CAP);
        sim::run_traced(self.scenario, plane, self.replication, limits(), &mut chrome).map_err(|error| {
            complain(&format!("error: {}: failed to {error}", self.scenario.file));
            Trouble::Run(Exit::Usage)
        })?;
        chrome.finish().map_err(Trouble::File)
    }

    fn told(&self, console: &Console, plane: usize, file: &str, written: Option<Written>) {
        let Some(Written { bytes, requests, cut_at }) = written else { return };
        let megabytes = bytes as f64 / 1e6;
        let name = &self.scenario.planes[plane].name;
        console.say(&format!(
            "scsim: {file}: {requests} requests of replication {} on {name}, {megabytes:.1} MB; open it at https://ui.perfetto.dev",
            self.replication
        ));
        if let Some(at) = cut_at {
            complain(&format!(
                "scsim: {file}: stopped at {} MB, {:.1} s into the run; a smaller --window or a lower --duration draws less",
                CAP / 1_000_000,
                at.as_secs_f64()
            ));
        }
    }
}

/// Why a trace was not drawn.
enum Trouble {
    /// The run failed; it has been told why.
    Run(Exit),
    /// The file cannot be written.
    File(io::Error),
}

pub(super) fn limits() -> Limits<'static> {
    Limits { stop: &STOP, events_max: EVENTS_MAX }
}

fn note_run(scenario: &Scenario) {
    crash::note(crash::UnderWay { seed: scenario.run.seed, digest: scenario.digest.clone() });
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
        note_run(scenario);
        let arrived = sim::run_traced(scenario, plane, args.replication, limits(), &mut book).map_err(|error| {
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
        let _ = writeln!(text, "{name} · seed {}", scenario.run.seed);
        text += &tree::render(story, &names, args.replication, console.ascii);
    }
    let text = console.style.spell_lines(&text);
    Ok(match common.output.as_deref() {
        Some(path) if path != Path::new("-") => outputs::deliver(path, &text),
        _ => console::print(&text),
    })
}
