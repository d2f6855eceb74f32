//! `scsim cost`: what each plane costs a month, with the formula of every line, beside what it bought.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use serde_json::json;

use super::Exit;
use super::args::Common;
use super::args::Format;
use super::args::Shape;
use super::console;
use super::console::Console;
use super::console::complain;
use super::loading;
use super::loading::Often;
use super::outputs;
use super::run;
use crate::cost;
use crate::report::bill;
use crate::report::bill::Priced;
use crate::report::figure::Sheet;
use crate::report::json;
use crate::scenario;
use crate::scenario::LoadOptions;
use crate::scenario::Loaded;

/// Largest price file.
const PRICES_MAX: u64 = 1 << 20;

/// `scsim cost`.
#[derive(Args, Debug)]
pub struct CostArgs {
    /// Scenario files, or folders of them
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<PathBuf>,
    /// Overrides.
    #[command(flatten)]
    pub shape: Shape,
    /// Region whose prices count
    #[arg(long, env = "SCSIM_REGION", value_name = "REGION")]
    pub region: Option<String>,
    /// Hours of a month; 730 if nobody says otherwise
    #[arg(long, env = "SCSIM_HOURS", value_name = "N")]
    pub hours: Option<u64>,
    /// What tasks run on: fargate, fargate-spot or ec2
    #[arg(long, env = "SCSIM_LAUNCH_TYPE", value_name = "TYPE")]
    pub launch_type: Option<String>,
    /// Processor of Fargate tasks: x86 or arm
    #[arg(long, env = "SCSIM_ARCH", value_name = "ARCH")]
    pub arch: Option<String>,
    /// What a sidecar adds: legal (the next size on sale), exact, or none (it fits)
    #[arg(long, env = "SCSIM_FARGATE_SIZES", value_name = "READING")]
    pub fargate_sizes: Option<String>,
    /// Internal ALBs: dedicated, one a service, or shared
    #[arg(long, env = "SCSIM_ALB", value_name = "HOW")]
    pub alb: Option<String>,
    /// Prices of your own on top of scsim's
    #[arg(long, env = "SCSIM_PRICE_FILE", value_name = "FILE")]
    pub price_file: Option<PathBuf>,
    /// Simulate nothing: what depends on use is unknown then
    #[arg(long, env = "SCSIM_NO_RUN", value_parser = FalseyValueParser::new())]
    pub no_run: bool,
    /// Runs per plane
    #[arg(short = 'n', long, env = "SCSIM_REPLICATIONS", value_name = "N", conflicts_with = "no_run",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub replications: Option<u32>,
    /// Three replications
    #[arg(long, env = "SCSIM_FAST", conflicts_with_all = ["replications", "no_run"], value_parser = FalseyValueParser::new())]
    pub fast: bool,
    /// Write the bills as JSON; `-` makes stdout pure JSON
    #[arg(long, env = "SCSIM_JSON", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the bills as Markdown
    #[arg(long, env = "SCSIM_MARKDOWN", value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Write every line of the bills as CSV
    #[arg(long, env = "SCSIM_CSV", value_name = "FILE")]
    pub csv: Option<PathBuf>,
}

/// The bills in every form.
#[derive(Default)]
struct Texts {
    human: Vec<String>,
    json: Vec<String>,
    markdown: Vec<String>,
    csv: String,
}

/// Bills every scenario named.
pub fn cost(console: &Console, common: &Common, args: &CostArgs) -> Exit {
    billed(console, common, args).unwrap_or_else(|exit| exit)
}

fn billed(console: &Console, common: &Common, args: &CostArgs) -> Result<Exit, Exit> {
    let named = [("--json", &args.json), ("--markdown", &args.markdown), ("--csv", &args.csv)];
    outputs::one_owner_of_stdout(common, &named)?;
    let files = loading::files(&args.scenarios)?;
    let mut inputs = files.clone();
    inputs.extend(args.price_file.clone());
    let mut outs = vec![("--output", &common.output)];
    outs.extend(named);
    outputs::check_all(&outs, "an input", &inputs)?;
    let options = options(args)?;
    let mut scenarios = Vec::new();
    let mut broken = false;
    for file in &files {
        match loading::told(console, scenario::load(file, &options)) {
            Some(loaded) if !loading::refuses_unmodelled(&loaded.scenario, &args.shape) => scenarios.push(loaded),
            _ => broken = true,
        }
    }
    if broken {
        return Err(Exit::Usage);
    }
    run::listen_for_signals();
    let (mut exit, mut texts) = (Exit::Held, Texts::default());
    for loaded in &scenarios {
        let partial = one(console, common, args, loaded, &mut texts)?;
        if partial {
            complain("scsim: interrupted, the results are partial");
            exit = Exit::Interrupted;
            break;
        }
    }
    Ok(exit.or_worse(write(common, args, &texts)))
}

/// Simulates, bills and renders one scenario; true if it was interrupted.
fn one(console: &Console, common: &Common, args: &CostArgs, loaded: &Loaded, texts: &mut Texts) -> Result<bool, Exit> {
    let scenario = &loaded.scenario;
    let study = if args.no_run {
        None
    } else {
        let bar = console.progress();
        let simulated = run::simulate(scenario, common.jobs, None, &|progress| bar.update(progress));
        bar.clear();
        Some(simulated.map_err(|error| {
            complain(&format!("error: {}: failed to {error}", scenario.file));
            Exit::Usage
        })?)
    };
    let sheet = study.as_ref().map(|study| Sheet::new(scenario, study));
    let unread;
    let made = if let Some(sheet) = &sheet {
        sheet.bill()
    } else {
        unread = cost::bill(scenario, None);
        &unread
    };
    let priced = Priced { scenario, bill: made, sheet: sheet.as_ref() };
    texts.human.push(console.style.spell_lines(&bill::table::render(&priced)));
    texts.markdown.push(bill::markdown::render(&priced));
    texts.csv.push_str(&bill::csv::render(&priced));
    let facts = json!({
        "scsim": { "version": json::VERSION, "model": crate::MODEL_VERSION },
        "scenario": { "file": scenario.file, "title": scenario.title, "digest": scenario.digest },
        "seed": scenario.run.seed,
        "replications": study.as_ref().map_or(0, |study| study.replications),
        "cost": bill::facts(&priced),
    });
    texts.json.push(serde_json::to_string_pretty(&facts).expect("every key is a string and no number is special"));
    Ok(study.is_some_and(|study| study.partial))
}

/// The flags as what they stand for in `[cost]`.
fn options(args: &CostArgs) -> Result<LoadOptions, Exit> {
    let often = Often { replications: args.replications, precision: None, fast: args.fast };
    let mut options = loading::options(&args.shape, &often);
    options.priced = true;
    let texts = [
        ("--region", "region", &args.region),
        ("--launch-type", "launch_type", &args.launch_type),
        ("--arch", "arch", &args.arch),
        ("--fargate-sizes", "fargate_sizes", &args.fargate_sizes),
        ("--alb", "alb", &args.alb),
    ];
    for (flag, key, value) in texts {
        if let Some(value) = value {
            options.cost.push((flag, format!("cost.{key}={}", scenario::quoted(value))));
        }
    }
    if let Some(hours) = args.hours {
        options.cost.push(("--hours", format!("cost.hours={hours}")));
    }
    if let Some(path) = &args.price_file {
        options.price_file = Some((path.display().to_string(), prices(path)?));
    }
    Ok(options)
}

fn prices(path: &Path) -> Result<String, Exit> {
    let refuse = |what: String| {
        complain(&format!("error: --price-file {}: {what}", path.display()));
        Exit::Usage
    };
    let meta = fs::metadata(path).map_err(|error| refuse(format!("this file cannot be read: {error}")))?;
    if !meta.is_file() {
        return Err(refuse("this is no file".to_owned()));
    }
    if meta.len() > PRICES_MAX {
        return Err(refuse("this file is larger than 1 MiB, the most that is read".to_owned()));
    }
    let bytes = fs::read(path).map_err(|error| refuse(format!("this file cannot be read: {error}")))?;
    String::from_utf8(bytes).map_err(|_| refuse("this file is not UTF-8".to_owned()))
}

fn write(common: &Common, args: &CostArgs, texts: &Texts) -> Exit {
    let (json, markdown) = (json::join(&texts.json), texts.markdown.join("\n"));
    let csv = format!("{}{}", bill::csv::HEAD, texts.csv);
    let mut exit = Exit::Held;
    let mut owned = false;
    for (path, text) in [(&args.json, &json), (&args.markdown, &markdown), (&args.csv, &csv)] {
        if let Some(path) = path {
            owned |= path == Path::new("-");
            exit = exit.or_worse(outputs::deliver(path, text));
        }
    }
    let human = texts.human.join("\n");
    let main = match common.format {
        Format::Human | Format::Html => &human,
        Format::Json => &json,
        Format::Markdown => &markdown,
        Format::Csv => &csv,
    };
    match &common.output {
        Some(path) => exit.or_worse(outputs::deliver(path, main)),
        None if owned || common.quiet && common.format == Format::Human => exit,
        None => exit.or_worse(console::print(main)),
    }
}
