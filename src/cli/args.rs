//! What can be typed. Each flag has a twin in the environment, `SCSIM_*`.

use std::path::PathBuf;

use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use clap::builder::FalseyValueParser;

/// Simulates ECS service-to-service networking and compares data planes.
#[derive(Parser, Debug)]
#[command(name = "scsim", version, about, disable_help_subcommand = false)]
pub struct Invocation {
    /// Flags of every command.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// Errors only
    #[arg(short, long, global = true, env = "SCSIM_QUIET", value_parser = FalseyValueParser::new())]
    pub quiet: bool,
    /// More talk; twice for more still
    #[arg(short, long, global = true, action = clap::ArgAction::Count, env = "SCSIM_VERBOSE")]
    pub verbose: u8,
    /// Colour; `auto` hears `NO_COLOR` and `CLICOLOR_FORCE`
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, env = "SCSIM_COLOR", value_name = "WHEN")]
    pub color: When,
    /// Nothing but ASCII; draws sparklines into pipes too
    #[arg(long, global = true, env = "SCSIM_ASCII", value_parser = FalseyValueParser::new())]
    pub ascii: bool,
    /// Progress on a terminal
    #[arg(long, global = true, value_enum, default_value_t = Progress::Auto, env = "SCSIM_PROGRESS", value_name = "WHEN")]
    pub progress: Progress,
    /// Threads; never changes a result. 0 is one per core
    #[arg(long, global = true, default_value_t = 0, env = "SCSIM_JOBS", value_name = "N")]
    pub jobs: usize,
    /// Form of the main output
    #[arg(long, global = true, value_enum, default_value_t = Format::Human, env = "SCSIM_FORMAT", value_name = "FORMAT")]
    pub format: Format,
    /// File of the main output; `-` is stdout
    #[arg(short, long, global = true, env = "SCSIM_OUTPUT", value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// When to colour.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// When to show progress.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// On a terminal, if it takes longer than a second.
    Auto,
    /// Never.
    Never,
}

/// Form of the main output.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// For reading.
    Human,
    /// `scsim.result/1`.
    Json,
    /// A table and folded details.
    Markdown,
    /// One line per figure.
    Csv,
    /// One page, for `run` and `report`.
    Html,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Simulate scenarios, compare data planes, check expectations
    Run(RunArgs),
    /// Run scenarios as a regression suite: short lines, exit codes, JUnit
    Test(TestArgs),
    /// Compare two result files, or two scenarios: what changed, and is it real?
    Compare(CompareArgs),
    /// Vary fields of a scenario and compare the cells
    Sweep(SweepArgs),
    /// The largest rate, or the fewest tasks, that meets an SLO, and what binds
    Capacity(super::capacity::args::CapacityArgs),
    /// What each plane costs a month: every line with its formula, beside error rate and p99
    Cost(super::cost::CostArgs),
    /// One replication as a Perfetto trace, or one request as text: who was chosen, what was retried, and why
    Trace(super::trace::TraceArgs),
    /// Result files, sweeps and capacities as a page, without running anything
    Report(super::report::ReportArgs),
    /// Decide claims by scenarios and write the page that says so
    Ledger(LedgerArgs),
    /// Write a commented scenario to start from
    Init(super::init::InitArgs),
    /// Say whether scenarios are right, and what they mean, without running them
    Check(CheckArgs),
    /// List the constants in use: value, source, confidence, how to override
    Assumptions(AssumptionsArgs),
    /// Explain any word of scenarios, reports, errors and results
    Explain(ExplainArgs),
    /// Print a JSON Schema, for editors and scripts
    Schema(super::schema::SchemaArgs),
    /// Print the completions of a shell
    Completions(super::manual::CompletionsArgs),
    /// Print a manual page, or write all of them into the folder that --output names
    Man(super::manual::ManArgs),
    /// Check the engine against queueing theory
    Validate(ValidateArgs),
    /// Turn what other tools wrote into parts of a scenario
    Import {
        /// From what.
        #[command(subcommand)]
        command: ImportCommand,
    },
    /// The policy that simulator and proxy share
    Policy {
        /// What to do with it.
        #[command(subcommand)]
        command: PolicyCommand,
    },
}

/// What to import.
#[derive(Subcommand, Debug)]
pub enum ImportCommand {
    /// An AWS FIS experiment template as `[[fault]]` tables
    Fis(FisArgs),
}

/// Arguments of `scsim import fis`.
#[derive(Args, Clone, Debug)]
pub struct FisArgs {
    /// The template, as JSON
    #[arg(value_name = "TEMPLATE")]
    pub template: PathBuf,
    /// The service that targets without one mean
    #[arg(long, env = "SCSIM_SERVICE", value_name = "NAME")]
    pub service: Option<String>,
    /// When in the run the experiment begins
    #[arg(long, env = "SCSIM_AT", value_name = "TIME", default_value = "60s")]
    pub at: String,
}

/// What to do with the policy.
#[derive(Subcommand, Debug)]
pub enum PolicyCommand {
    /// Replay files of vectors: configuration, results over time, what must come of them
    Replay(ReplayArgs),
}

/// Arguments of `scsim policy replay`.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// Files of vectors, in YAML
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write what became of each vector as JSON; `-` is stdout
    #[arg(long, env = "SCSIM_JSON", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write a JUnit report; `-` is stdout
    #[arg(long, env = "SCSIM_JUNIT", value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Print what happened in every vector, not only in those that fail
    #[arg(long, env = "SCSIM_TIMELINE", value_parser = FalseyValueParser::new())]
    pub timeline: bool,
    /// Count what is not replayable as failed
    #[arg(long, env = "SCSIM_STRICT", value_parser = FalseyValueParser::new())]
    pub strict: bool,
}

/// Arguments that shape a scenario.
#[derive(Args, Clone, Default, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Override a field, `key=value` in TOML; repeat for more
    #[arg(long, env = "SCSIM_SET", value_name = "KEY=VALUE", value_delimiter = None)]
    pub set: Vec<String>,
    /// Compare this plane only; repeat for more, or `a,b`
    #[arg(long, env = "SCSIM_PLANE", value_name = "PLANE", value_delimiter = ',')]
    pub plane: Vec<String>,
    /// Simulated time, `2m`
    #[arg(long, env = "SCSIM_DURATION", value_name = "TIME")]
    pub duration: Option<String>,
    /// First seed
    #[arg(long, env = "SCSIM_SEED", value_name = "N")]
    pub seed: Option<u64>,
    /// Accept what the model does not cover and leave it out, with a warning
    #[arg(long, env = "SCSIM_ALLOW_UNMODELLED", value_parser = FalseyValueParser::new())]
    pub allow_unmodelled: bool,
}

/// `scsim run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Scenario files, or folders of them
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<PathBuf>,
    /// Overrides.
    #[command(flatten)]
    pub shape: Shape,
    /// Runs per plane
    #[arg(short = 'n', long, env = "SCSIM_REPLICATIONS", value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub replications: Option<u32>,
    /// Run until intervals are this narrow, `5%` of the mean
    #[arg(long, env = "SCSIM_PRECISION", value_name = "PERCENT", conflicts_with_all = ["replications", "fast"],
          value_parser = percent)]
    pub precision: Option<String>,
    /// Three replications
    #[arg(long, env = "SCSIM_FAST", conflicts_with = "replications", value_parser = FalseyValueParser::new())]
    pub fast: bool,
    /// Run this replication only
    #[arg(long, env = "SCSIM_REPLICATION", value_name = "I", conflicts_with_all = ["replications", "fast", "precision"])]
    pub replication: Option<u32>,
    /// Write the result file; `-` makes stdout pure JSON
    #[arg(long, env = "SCSIM_JSON", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the table as Markdown
    #[arg(long, env = "SCSIM_MARKDOWN", value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Write the figures as CSV
    #[arg(long, env = "SCSIM_CSV", value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// What people look at.
    #[command(flatten)]
    pub pages: super::report::PageArgs,
    /// A closer look.
    #[command(flatten)]
    pub look: super::why::LookArgs,
    /// What fails.
    #[command(flatten)]
    pub verdicts: Verdicts,
    /// What build machines need.
    #[command(flatten)]
    pub gate: GateArgs,
}

/// `scsim test`.
#[derive(Args, Debug)]
pub struct TestArgs {
    /// Scenario files, or folders: every scenario below them. Without one `scenarios`, or `.` if there is no such folder
    #[arg(value_name = "SCENARIO")]
    pub scenarios: Vec<PathBuf>,
    /// Only scenarios whose path or title has this text in it
    #[arg(long, env = "SCSIM_FILTER", value_name = "TEXT")]
    pub filter: Option<String>,
    /// Overrides.
    #[command(flatten)]
    pub shape: Shape,
    /// Runs per plane
    #[arg(short = 'n', long, env = "SCSIM_REPLICATIONS", value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub replications: Option<u32>,
    /// Run until intervals are this narrow, `5%` of the mean
    #[arg(long, env = "SCSIM_PRECISION", value_name = "PERCENT", conflicts_with_all = ["replications", "fast"],
          value_parser = percent)]
    pub precision: Option<String>,
    /// Three replications
    #[arg(long, env = "SCSIM_FAST", conflicts_with = "replications", value_parser = FalseyValueParser::new())]
    pub fast: bool,
    /// Write outcomes and results as JSON; `-` makes stdout pure JSON
    #[arg(long, env = "SCSIM_JSON", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the outcomes as Markdown
    #[arg(long, env = "SCSIM_MARKDOWN", value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// What fails.
    #[command(flatten)]
    pub verdicts: Verdicts,
    /// What build machines need.
    #[command(flatten)]
    pub gate: GateArgs,
}

/// `scsim compare`.
#[derive(Args, Debug)]
pub struct CompareArgs {
    /// Before: a result file of `run` or `test`, or a scenario, which is run
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// After
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// Compare this figure (`p95`, `queue_max`); repeat for more
    #[arg(long, env = "SCSIM_METRIC", value_name = "METRIC")]
    pub metric: Vec<String>,
    /// Change that nobody minds, as a share of the old value
    #[arg(long, env = "SCSIM_NOISE", value_name = "PERCENT", default_value = "2%", value_parser = share)]
    pub noise: f64,
    /// Overrides, for scenarios.
    #[command(flatten)]
    pub shape: Shape,
    /// Runs per plane, for scenarios
    #[arg(short = 'n', long, env = "SCSIM_REPLICATIONS", value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub replications: Option<u32>,
    /// Three replications, for scenarios
    #[arg(long, env = "SCSIM_FAST", conflicts_with = "replications", value_parser = FalseyValueParser::new())]
    pub fast: bool,
    /// Write the comparison as JSON; `-` makes stdout pure JSON
    #[arg(long, env = "SCSIM_JSON", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the comparison as Markdown
    #[arg(long, env = "SCSIM_MARKDOWN", value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// End with 0 whatever changed
    #[arg(long, env = "SCSIM_EXIT_ZERO", value_parser = FalseyValueParser::new())]
    pub exit_zero: bool,
}

/// What fails a run or a test.
#[derive(Args, Clone, Debug)]
pub struct Verdicts {
    /// What an inconclusive expectation counts as; exit code 3 if not given
    #[arg(long, value_enum, env = "SCSIM_INCONCLUSIVE", value_name = "AS")]
    pub inconclusive: Option<Inconclusive>,
    /// End with 0 whatever became of expectations
    #[arg(long, env = "SCSIM_EXIT_ZERO", value_parser = FalseyValueParser::new())]
    pub exit_zero: bool,
    /// Lowest severity of a failed expectation that fails the command
    #[arg(long, value_enum, default_value_t = FailOn::Error, env = "SCSIM_FAIL_ON", value_name = "SEVERITY")]
    pub fail_on: FailOn,
}

/// What build machines need.
#[derive(Args, Clone, Debug)]
pub struct GateArgs {
    /// Write a JUnit report; `-` is stdout
    #[arg(long, env = "SCSIM_JUNIT", value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Annotate failures and append a table to the job summary, as GitHub Actions reads them
    #[arg(long, env = "SCSIM_GITHUB", value_parser = FalseyValueParser::new())]
    pub github: bool,
    /// Fail if a figure is worse than in this result file
    #[arg(long, env = "SCSIM_BASELINE", value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write a small result file for later `--baseline`
    #[arg(long, env = "SCSIM_SAVE_BASELINE", value_name = "FILE")]
    pub save_baseline: Option<PathBuf>,
    /// Change against the baseline that nobody minds, as a share of the old value
    #[arg(long, env = "SCSIM_NOISE", value_name = "PERCENT", default_value = "2%", value_parser = share)]
    pub noise: f64,
}

/// What an inconclusive expectation counts as.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inconclusive {
    /// As held.
    Pass,
    /// As failed.
    Fail,
}

/// Lowest severity that fails the command.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailOn {
    /// Errors.
    Error,
    /// Warnings too.
    Warn,
}

/// `scsim sweep`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct SweepArgs {
    /// Something else than running it.
    #[command(subcommand)]
    pub command: Option<SweepCommand>,
    /// Scenario file
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenario: Option<PathBuf>,
    /// A field and its values: `key=2,3,5`, `key=1..10`, `key=10ms..1s:log:7`; repeat for a grid. Replaces `[sweep]`
    #[arg(long, env = "SCSIM_VARY", value_name = "KEY=VALUES")]
    pub vary: Vec<String>,
    /// Vary one field at a time, the others as in the file
    #[arg(long, env = "SCSIM_ONE_AT_A_TIME", value_parser = FalseyValueParser::new())]
    pub one_at_a_time: bool,
    /// Overrides.
    #[command(flatten)]
    pub shape: Shape,
    /// Runs per plane and cell
    #[arg(short = 'n', long, env = "SCSIM_REPLICATIONS", value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub replications: Option<u32>,
    /// Three replications
    #[arg(long, env = "SCSIM_FAST", conflicts_with = "replications", value_parser = FalseyValueParser::new())]
    pub fast: bool,
    /// Compute one of N parts, `2/8`, into the file that --output names; `scsim sweep merge` joins them
    #[arg(long, env = "SCSIM_SHARD", value_name = "I/N", requires = "output", value_parser = shard)]
    pub shard: Option<(u64, u64)>,
    /// Begin anew, whatever an earlier run has finished
    #[arg(long, env = "SCSIM_FRESH", value_parser = FalseyValueParser::new())]
    pub fresh: bool,
    /// What to make of the cells.
    #[command(flatten)]
    pub outputs: SweepOutputs,
}

/// What to make of the cells of a sweep.
#[derive(Args, Clone, Debug)]
pub struct SweepOutputs {
    /// Write the cells as JSON; `-` is stdout
    #[arg(long, env = "SCSIM_JSON", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw curves (one field) or heat maps (two) into this folder
    #[arg(long, env = "SCSIM_SVG", value_name = "FOLDER")]
    pub svg: Option<PathBuf>,
    /// Metrics of the table and the charts; error_rate and p99 if none is named, cost_per_month too where a cost.* is varied
    #[arg(long, env = "SCSIM_METRIC", value_name = "METRIC")]
    pub metric: Vec<String>,
    /// What an inconclusive expectation counts as; exit code 3 if not given
    #[arg(long, value_enum, env = "SCSIM_INCONCLUSIVE", value_name = "AS")]
    pub inconclusive: Option<Inconclusive>,
    /// End with 0 whatever became of expectations
    #[arg(long, env = "SCSIM_EXIT_ZERO", value_parser = FalseyValueParser::new())]
    pub exit_zero: bool,
}

/// Something else than running a sweep.
#[derive(Subcommand, Debug)]
pub enum SweepCommand {
    /// Join the parts of a sweep: the same bytes as one run
    Merge(MergeArgs),
}

/// Arguments of `scsim sweep merge`.
#[derive(Args, Debug)]
pub struct MergeArgs {
    /// Files that --shard wrote
    #[arg(required = true, value_name = "PART")]
    pub parts: Vec<PathBuf>,
    /// What to make of the cells.
    #[command(flatten)]
    pub outputs: SweepOutputs,
}

/// `scsim ledger`.
#[derive(Args, Debug)]
pub struct LedgerArgs {
    /// Folder of scenarios with a `[claim]`, searched to the bottom
    #[arg(required = true, value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Compare with the page that --output names and write nothing; 1 if it is stale
    #[arg(long, env = "SCSIM_CHECK", requires = "output", conflicts_with = "fast", value_parser = FalseyValueParser::new())]
    pub check: bool,
    /// Three replications: for a look, not for the record
    #[arg(long, env = "SCSIM_FAST", value_parser = FalseyValueParser::new())]
    pub fast: bool,
}

/// `scsim check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Scenario files, or folders of them
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<PathBuf>,
    /// Overrides.
    #[command(flatten)]
    pub shape: Shape,
    /// Print every value that would be used, as TOML with the defaults marked
    #[arg(long, env = "SCSIM_DEFAULTS", value_parser = FalseyValueParser::new())]
    pub defaults: bool,
}

/// `scsim assumptions`.
#[derive(Args, Debug)]
pub struct AssumptionsArgs {
    /// The scenario or preset whose constants to list; without it those of all built-in planes
    #[arg(value_name = "SCENARIO")]
    pub scenario: Option<PathBuf>,
    /// Overrides.
    #[command(flatten)]
    pub shape: Shape,
}

/// `scsim explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// Any word of scenarios, reports, errors or result files; or a list: `metrics`, `faults`, `fields`, `planes`,
    /// `presets`, `codes`, `flags`, `constants`, `results`
    #[arg(value_name = "WORD")]
    pub word: Option<String>,
}

/// `scsim validate`.
#[derive(Args, Debug)]
pub struct ValidateArgs {
    /// Cases; all of them if none is named
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// A subset in short runs, under a minute
    #[arg(long, env = "SCSIM_QUICK", value_parser = FalseyValueParser::new())]
    pub quick: bool,
    /// Show that 95 % intervals cover an exact mean as often as they say
    #[arg(long, env = "SCSIM_COVERAGE", conflicts_with_all = ["ids", "quick"], value_parser = FalseyValueParser::new())]
    pub coverage: bool,
    /// Write the results as JSON; `-` is stdout
    #[arg(long, env = "SCSIM_JSON", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the table as Markdown
    #[arg(long, env = "SCSIM_MARKDOWN", value_name = "FILE")]
    pub markdown: Option<PathBuf>,
}

/// `2/8`: the second of eight parts.
fn shard(text: &str) -> Result<(u64, u64), String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse::<u64>().ok()?, n.parse::<u64>().ok()?)));
    match parts {
        Some((i, n)) if i >= 1 && i <= n => Ok((i, n)),
        _ => Err("write I/N with I from 1 to N, such as 2/8".to_owned()),
    }
}

/// A percentage above nothing, kept as written.
fn percent(text: &str) -> Result<String, String> {
    let number = text.strip_suffix('%').ok_or_else(|| format!("write a percentage: `{text}%`"))?;
    let value: f64 = number.trim().parse().map_err(|_| format!("`{number}` is no number"))?;
    if value > 0.0 && value <= 100.0 {
        Ok(text.to_owned())
    } else {
        Err("must lie above 0% and at most 100%".to_owned())
    }
}

/// A percentage, as a fraction.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').ok_or_else(|| format!("write a percentage: `{text}%`"))?;
    let value: f64 = number.trim().parse().map_err(|_| format!("`{number}` is no number"))?;
    if (0.0..=100.0).contains(&value) { Ok(value / 100.0) } else { Err("must lie between 0% and 100%".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Invocation::command().debug_assert();
    }

    #[test]
    fn every_flag_has_a_twin_in_the_environment() {
        for command in std::iter::once(&Invocation::command()).chain(Invocation::command().get_subcommands()) {
            for arg in command.get_arguments().filter(|a| a.get_long().is_some()) {
                let long = arg.get_long().unwrap();
                if long == "help" || long == "version" {
                    continue;
                }
                let expected = format!("SCSIM_{}", long.to_uppercase().replace('-', "_"));
                assert_eq!(arg.get_env().and_then(|e| e.to_str()), Some(expected.as_str()), "--{long}");
            }
        }
    }

    #[test]
    fn shards_count_from_one() {
        assert_eq!(shard("2/8"), Ok((2, 8)));
        assert!(["0/8", "9/8", "2", "a/b", "1/0"].iter().all(|text| shard(text).is_err()));
    }

    #[test]
    fn percentages_need_their_sign() {
        assert_eq!(percent("5%"), Ok("5%".to_owned()));
        assert!(percent("5").is_err() && percent("0%").is_err() && percent("x%").is_err());
        assert_eq!((share("2%"), share("0%")), (Ok(0.02), Ok(0.0)));
        assert!(share("2").is_err() && share("-1%").is_err() && share("NaN%").is_err());
    }
}
