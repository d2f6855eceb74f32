//! `scsim capacity`: the largest rate, or the fewest tasks, that meets an SLO, as a bracket with what binds.
//!
//! *Knows* files, flags and exit codes, and how a probe is run. *Does not know* where the boundary is looked
//! for, nor when a verdict is sure: that is `capacity`.

pub(super) mod args;

use std::path::Path;

use args::CapacityArgs;
use args::Variant;

use super::Exit;
use super::args::Common;
use super::args::Format;
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
use crate::capacity::answer::Answer;
use crate::capacity::answer::Outcome;
use crate::capacity::answer::Study;
use crate::capacity::answer::shown;
use crate::capacity::chart;
use crate::capacity::csv;
use crate::capacity::json;
use crate::capacity::pressure;
use crate::capacity::probe;
use crate::capacity::probe::Probe;
use crate::capacity::rates;
use crate::capacity::search::Kind;
use crate::capacity::search::Line;
use crate::capacity::search::Verdict;
use crate::capacity::text;
use crate::capacity::variant;
use crate::capacity::variant::Loss;
use crate::report::figure::Sheet;
use crate::scenario;
use crate::scenario::LoadOptions;
use crate::scenario::Loaded;
use crate::scenario::Replications;
use crate::scenario::Scenario;
use crate::sim;
use crate::sim::Conduct;
use crate::units::Rate;

/// How far above the file's rate is looked if nobody says.
const RATE_UP: f64 = 20.0;
/// And how far below.
const RATE_DOWN: f64 = 100.0;
/// The highest rate that a scenario can hold.
const RATE_MAX: f64 = 10_000_000.0;

/// Answers how much is carried.
pub fn capacity(console: &Console, common: &Common, args: &CapacityArgs) -> Exit {
    asked(console, common, args).unwrap_or_else(|exit| exit)
}

/// All that a search needs.
struct Asked<'a> {
    console: &'a Console,
    common: &'a Common,
    args: &'a CapacityArgs,
    options: LoadOptions,
    base: Loaded,
    line: Line,
}

/// One plane, with something missing or not.
struct Subject<'a> {
    plane: &'a str,
    loss: Option<Loss>,
    /// The scenario on that plane, as it stands.
    scenario: Scenario,
}

fn asked(console: &Console, common: &Common, args: &CapacityArgs) -> Result<Exit, Exit> {
    check_outputs(common, args)?;
    let often = Often { replications: None, precision: None, fast: false };
    let mut options = loading::options(&args.shape, &often);
    options.slo = Some(args.slo.clone());
    let loaded = loading::told(console, scenario::load(&args.scenario, &options));
    let Some(base) = loaded else { return Err(Exit::Usage) };
    if loading::refuses_unmodelled(&base.scenario, &args.shape) {
        return Err(Exit::Usage);
    }
    let line = line(console, args, &base.scenario)?;
    let asked = Asked { console, common, args, options, base, line };
    listen_for_signals();
    let mut study = asked.study();
    for plane in &asked.base.scenario.planes {
        match &plane.not_applicable {
            Some(why) => study.answers.push(Answer::not_applicable(&plane.name, None, why.clone())),
            None => study.answers.append(&mut asked.plane(&plane.name)?),
        }
    }
    let exit = verdict(&study);
    Ok(exit.or_worse(write(console, common, args, &study, &asked.line)))
}

/// The positions to try, after everything that can be wrong with them has been looked for.
fn line(console: &Console, args: &CapacityArgs, scenario: &Scenario) -> Result<Line, Exit> {
    let refuse = |what: &str| {
        complain(&format!("error: {}: {what}", args.scenario.display()));
        Err(Exit::Usage)
    };
    if let Some(name) = &args.tasks {
        return tasks(args, scenario, name);
    }
    let start = rates::peak(scenario);
    let fixed = rates::without_rate(scenario);
    if start <= 0.0 {
        return refuse(
            "no [load] has a rate to raise: users of a closed loop wait for their answers, so they slow down with the system and \
             overload nothing, and a trace has its instants\n  help: write rate = \"100/s\" in [load], or ask for the fewest tasks: --tasks SERVICE",
        );
    }
    if !fixed.is_empty() {
        console.say(&format!(
            "scsim: {} stay as they are, users of a closed loop and traces have no rate to raise",
            fixed.join(", ")
        ));
    }
    let least = args.rate_min.map_or(start / RATE_DOWN, Rate::as_f64);
    let most = args.rate_max.map_or((start * RATE_UP).min(RATE_MAX), Rate::as_f64);
    if least <= 0.0 || least >= most {
        return refuse(&format!(
            "--rate-min {} and --rate-max {} leave nothing between them",
            shown(Kind::Rate, least),
            shown(Kind::Rate, most)
        ));
    }
    Ok(Line { kind: Kind::Rate, start: start.clamp(least, most), least, most, within: args.within })
}

fn tasks(args: &CapacityArgs, scenario: &Scenario, name: &str) -> Result<Line, Exit> {
    let refuse = |what: String| {
        complain(&format!("error: --tasks {name}: {what}"));
        Err(Exit::Usage)
    };
    let names = scenario.services.iter().map(|service| service.name.as_str());
    let Some(index) = scenario.services.iter().position(|service| service.name == name) else {
        let near = loading::did_you_mean(name, names.clone());
        let all = if near.is_empty() { format!("; there are: {}", names.collect::<Vec<_>>().join(", ")) } else { near };
        return refuse(format!("there is no such service{all}"));
    };
    let service = &scenario.services[index];
    if service.external {
        return refuse("it is external, its tasks are not ours to count".to_owned());
    }
    if scenario.scalings.iter().any(|scaling| scaling.service.0 as usize == index) {
        return refuse(format!("its tasks follow a metric; take [scaling.{name}] out to count them"));
    }
    if scenario.scales.iter().any(|scale| scale.service.0 as usize == index) {
        return refuse("a [[scale]] changes its tasks during the run; take it out to count them".to_owned());
    }
    let most = f64::from(args.tasks_max);
    let start = f64::from(service.tasks).clamp(1.0, most);
    Ok(Line { kind: Kind::Tasks, start, least: 1.0, most, within: args.within })
}

impl Asked<'_> {
    fn study(&self) -> Study {
        let (scenario, args) = (&self.base.scenario, self.args);
        let flat = rates::is_flat(scenario);
        Study {
            file: scenario.file.clone(),
            title: scenario.title.clone(),
            digest: scenario.digest.clone(),
            slo: scenario.expects.iter().map(|expect| expect.that.clone()).collect(),
            kind: self.line.kind,
            service: args.tasks.clone(),
            start: if self.line.kind == Kind::Rate { rates::peak(scenario) } else { self.line.start },
            plain: flat && scenario.loads.len() == 1 && rates::without_rate(scenario).is_empty(),
            shaped: !flat,
            seed: scenario.run.seed,
            confidence: scenario.run.confidence,
            replications: (args.replications, self.most()),
            duration_s: scenario.run.duration.as_secs_f64(),
            within: args.within,
            answers: Vec::new(),
        }
    }

    fn most(&self) -> u32 {
        let first = self.args.replications;
        self.args.max_replications.unwrap_or(first.saturating_mul(4)).max(first)
    }

    /// The answers of one plane: as it is, then with each loss.
    fn plane(&self, plane: &str) -> Result<Vec<Answer>, Exit> {
        let scenario = self.load(plane, None)?;
        let whole = self.search(&Subject { plane, loss: None, scenario: scenario.clone() }, None, self.line)?;
        let mut answers = vec![whole];
        for variant in &self.args.variant {
            let answer = self.lost(plane, &scenario, &answers[0], *variant)?;
            answers.push(answer);
        }
        Ok(answers)
    }

    fn lost(&self, plane: &str, scenario: &Scenario, whole: &Answer, variant: Variant) -> Result<Answer, Exit> {
        let none = |label: &str, why: &str| Ok(Answer::not_applicable(plane, Some(label.to_owned()), why.to_owned()));
        let (label, loss) = match variant {
            Variant::Task => {
                let probe = whole.last_pass().or(whole.probes.first());
                let service = probe.and_then(|probe| pressure::busiest(scenario, &probe.pressures));
                let Some(service) = service else { return none("n-1", "no service has a second task") };
                (format!("n-1 ({}#1)", scenario.services[service].name), Loss::Task(service))
            }
            Variant::ZoneLoss => {
                let Some(zone) = variant::fullest_zone(scenario) else {
                    return none("zone-loss", "all tasks are in one zone");
                };
                (format!("zone-loss ({})", scenario.zones[usize::from(zone)]), Loss::Zone(zone))
            }
        };
        let Some(start) = whole.bracket.passes else {
            return none(&label, "the SLO is not met without the loss either");
        };
        let subject = Subject { plane, loss: Some(loss), scenario: scenario.clone() };
        self.search(&subject, Some(label), Line { start, ..self.line })
    }

    fn search(&self, subject: &Subject<'_>, label: Option<String>, line: Line) -> Result<Answer, Exit> {
        let mut probes: Vec<Probe> = Vec::new();
        let mut seen = Vec::new();
        let mut probe = |at: f64| {
            let probe = self.probe(subject, at)?;
            let verdict = probe.verdict;
            probes.push(probe);
            Ok(verdict)
        };
        line.search(&mut seen, &mut probe)?;
        for at in line.curve(&seen) {
            seen.push((at, probe(at)?));
        }
        // What the curve showed may have moved the boundary.
        line.search(&mut seen, &mut probe)?;
        Ok(Answer::of(subject.plane, label, &line, &subject.scenario, probes))
    }

    /// Runs one position until its intervals decide, or there were enough.
    fn probe(&self, subject: &Subject<'_>, at: f64) -> Result<Probe, Exit> {
        let scenario = self.scenario(subject, at)?;
        crash::note(crash::UnderWay { seed: scenario.run.seed, digest: scenario.digest.clone() });
        let bar = self.console.progress();
        let progress = |progress| bar.update(progress);
        let conduct =
            Conduct { jobs: self.common.jobs, only: None, events_max: EVENTS_MAX, stop: &STOP, progress: &progress };
        let where_at = || format!("{} on {}", shown(self.line.kind, at), subject.plane);
        let failed = |error: sim::RunError| {
            let help = if self.line.kind == Kind::Rate { "\n  help: --rate-max ends the search earlier" } else { "" };
            complain(&format!("error: {}: failed at {} to {error}{help}", scenario.file, where_at()));
            Exit::Usage
        };
        let mut study = sim::replicate(&scenario, &conduct).map_err(failed)?;
        let probe = loop {
            if study.partial {
                bar.clear();
                complain("scsim: interrupted before the boundary was found; nothing is written");
                return Err(Exit::Interrupted);
            }
            let judged = probe::judge(&Sheet::new(&scenario, &study), 0, at);
            let probe = judged.map_err(|why| {
                bar.clear();
                complain(&format!("error: {}: at {}: {why}", scenario.file, where_at()));
                Exit::Usage
            })?;
            let until = study.replications.saturating_mul(2).min(self.most());
            if probe.verdict != Verdict::Undecided || until <= study.replications {
                break probe;
            }
            sim::extend(&mut study, &scenario, until, &conduct).map_err(failed)?;
        };
        bar.clear();
        Ok(probe)
    }

    /// The scenario of one position.
    fn scenario(&self, subject: &Subject<'_>, at: f64) -> Result<Scenario, Exit> {
        let mut scenario = match self.line.kind {
            Kind::Rate => {
                let mut scenario = subject.scenario.clone();
                let peak = rates::peak(&scenario);
                rates::scale(&mut scenario, at / peak);
                scenario
            }
            Kind::Tasks => self.load(subject.plane, Some(at))?,
        };
        scenario.run.replications = Replications::Fixed(self.args.replications);
        if let Some(loss) = subject.loss {
            let settle = self.args.settle.unwrap_or_else(|| variant::settling(&scenario));
            variant::lose(&mut scenario, loss, settle);
        }
        Ok(scenario)
    }

    /// The scenario on one plane, with so many tasks of the service whose tasks are counted.
    fn load(&self, plane: &str, tasks: Option<f64>) -> Result<Scenario, Exit> {
        let mut options = LoadOptions { planes: vec![plane.to_owned()], ..self.options.clone() };
        if let (Some(service), Some(tasks)) = (&self.args.tasks, tasks) {
            options.set.push(format!("service.{}.tasks={tasks:.0}", scenario::quoted(service)));
        }
        let folder = self.args.scenario.parent().unwrap_or(Path::new("."));
        let source = &self.base.source;
        let loaded = scenario::parse(source.name(), source.text(), folder, &options);
        let mut scenario =
            loaded.map_err(|problems| loading::tell(self.console, &problems)).map_err(|()| Exit::Usage)?;
        // The claim of a ledger is about the file as it stands.
        scenario.scenario.claim = None;
        Ok(scenario.scenario)
    }
}

/// The exit code, after telling what no rate can meet.
fn verdict(study: &Study) -> Exit {
    let whole: Vec<&Answer> = study
        .answers
        .iter()
        .filter(|answer| answer.variant.is_none() && !matches!(answer.outcome, Outcome::NotApplicable(_)))
        .collect();
    for answer in whole.iter().filter(|answer| answer.outcome == Outcome::NeverMet) {
        let (what, least) = match study.kind {
            Kind::Rate => ("rate", "the lowest tried (--rate-min)"),
            Kind::Tasks => ("number of tasks", "the most tried (--tasks-max)"),
        };
        complain(&format!(
            "error: {}: no {what} meets {} on {}: {}, {least}",
            study.file,
            answer.broken().iter().map(|clause| clause.that.as_str()).collect::<Vec<_>>().join(", "),
            answer.plane,
            text::breaks(answer, study.kind)
        ));
    }
    let all = |outcome: &Outcome| !whole.is_empty() && whole.iter().all(|answer| answer.outcome == *outcome);
    if whole.is_empty() {
        complain("error: none of the planes compared is applicable");
        return Exit::Nothing;
    }
    if all(&Outcome::NeverMet) {
        return Exit::Usage;
    }
    if study.answers.iter().any(|answer| answer.outcome == Outcome::Undecided) {
        return Exit::Inconclusive;
    }
    Exit::Held
}

fn check_outputs(common: &Common, args: &CapacityArgs) -> Result<(), Exit> {
    let named = [("--json", &args.json), ("--csv", &args.csv), ("--chart", &args.chart)];
    outputs::one_owner_of_stdout(common, &named)?;
    let mut all = vec![("--output", &common.output)];
    all.extend(named);
    outputs::check_all(&all, "the scenario", std::slice::from_ref(&args.scenario))?;
    if common.format == Format::Markdown {
        complain("error: --format markdown: capacity has a table, JSON and CSV");
        return Err(Exit::Usage);
    }
    Ok(())
}

fn write(console: &Console, common: &Common, args: &CapacityArgs, study: &Study, line: &Line) -> Exit {
    let mut exit = Exit::Held;
    let mut owned = false;
    let mut put = |path: &Path, text: &str| {
        owned |= path == Path::new("-");
        exit = exit.or_worse(outputs::deliver(path, text));
    };
    if let Some(path) = &args.json {
        put(path, &json::render(study));
    }
    if let Some(path) = &args.csv {
        put(path, &csv::render(study));
    }
    if let Some(path) = &args.chart {
        match chart::draw(study) {
            Ok(svg) => put(path, &svg),
            Err(error) => complain(&format!("error: --chart {}: {error}", path.display())),
        }
    }
    let main = match common.format {
        Format::Json => json::render(study),
        Format::Csv => csv::render(study),
        Format::Human | Format::Markdown | Format::Html => console.style.spell_lines(&text::render(study, line)),
    };
    match &common.output {
        Some(path) => exit.or_worse(outputs::deliver(path, &main)),
        None if owned || common.quiet && common.format == Format::Human => exit,
        None => exit.or_worse(console::print(&main)),
    }
}
