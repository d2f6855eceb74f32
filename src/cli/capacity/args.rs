//! What can be typed after `scsim capacity`.

use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;

use super::super::args::Shape;
use super::super::args::share;
use crate::scenario::value::parse_rate;
use crate::scenario::value::parse_span;
use crate::units::Rate;
use crate::units::Span;

/// `scsim capacity`.
#[derive(Args, Debug)]
pub struct CapacityArgs {
    /// Scenario file
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// What must hold, clauses of `[[expect]]` apart by commas: p99<300ms,error_rate<0.1%
    #[arg(long, env = "SCSIM_SLO", value_name = "CLAUSES", required = true)]
    pub slo: String,
    /// Look for the fewest tasks of this service, at the file's load
    #[arg(long, env = "SCSIM_TASKS", value_name = "SERVICE", conflicts_with_all = ["rate_min", "rate_max"])]
    pub tasks: Option<String>,
    /// Ask again with something missing for the whole run
    #[arg(long, env = "SCSIM_VARIANT", value_name = "LOSS", value_enum, value_delimiter = ',')]
    pub variant: Vec<Variant>,
    /// Time a loss has to be noticed before figures count; 90s where load and scenario are steady, else none
    #[arg(long, env = "SCSIM_SETTLE", value_name = "TIME", requires = "variant", value_parser = parse_span)]
    pub settle: Option<Span>,
    /// Lowest rate to try; a hundredth of the file's if nobody says
    #[arg(long, env = "SCSIM_RATE_MIN", value_name = "RATE", value_parser = parse_rate)]
    pub rate_min: Option<Rate>,
    /// Highest rate to try; twenty times the file's if nobody says
    #[arg(long, env = "SCSIM_RATE_MAX", value_name = "RATE", value_parser = parse_rate)]
    pub rate_max: Option<Rate>,
    /// Most tasks to try
    #[arg(long, env = "SCSIM_TASKS_MAX", value_name = "N", default_value_t = 1_000, requires = "tasks",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub tasks_max: u32,
    /// How close the two ends of the answer are to be
    #[arg(long, env = "SCSIM_WITHIN", value_name = "PERCENT", default_value = "2%", value_parser = close)]
    pub within: f64,
    /// Overrides.
    #[command(flatten)]
    pub shape: Shape,
    /// Runs of a probe at first; more where they do not decide
    #[arg(short = 'n', long, env = "SCSIM_REPLICATIONS", value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub replications: u32,
    /// Runs of a probe at the most; four times the first ones if nobody says
    #[arg(long, env = "SCSIM_MAX_REPLICATIONS", value_name = "N",
          value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub max_replications: Option<u32>,
    /// Write the answers and every probe as JSON; `-` makes stdout pure JSON
    #[arg(long, env = "SCSIM_JSON", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write every probe as CSV
    #[arg(long, env = "SCSIM_CSV", value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Draw the figures of the SLO against the rate into this SVG
    #[arg(long, env = "SCSIM_CHART", value_name = "FILE")]
    pub chart: Option<PathBuf>,
}

/// What may be missing.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Variant {
    /// One task of the busiest service.
    #[value(name = "n-1")]
    Task,
    /// The zone with the most tasks.
    ZoneLoss,
}

fn close(text: &str) -> Result<f64, String> {
    let share = share(text)?;
    if (0.001..=1.0).contains(&share) { Ok(share) } else { Err("between 0.1% and 100%".to_owned()) }
}
