//! The command line: what to do, where to write it, with which exit code to end.
//!
//! *Knows* arguments, terminals and signals. *Does not know* figures. stdout is data, stderr is
//! talk. One room per concern: `args` is what can be typed, `run` the main command, `console`
//! streams and progress, `crash` what happens to our own bugs, `loading` the way to a scenario.

mod args;
mod assumptions;
mod capacity;
mod check;
mod compare;
mod console;
mod cost;
mod crash;
mod explain;
mod gate;
mod import;
mod init;
mod ledger;
mod loading;
mod manual;
mod outputs;
mod policy;
mod report;
mod run;
mod schema;
mod sweep;
mod test;
mod trace;
mod validate;
mod why;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use args::Command;
use args::ImportCommand;
use args::Invocation;
use args::PolicyCommand;
use console::Console;

/// How a command ended, as a number for scripts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Done; every expectation held.
    Held,
    /// An expectation failed.
    Failed,
    /// The command or a file is wrong.
    Usage,
    /// Nothing failed, something stayed inconclusive.
    Inconclusive,
    /// Nothing to do.
    Nothing,
    /// A bug of ours.
    Bug,
    /// Stopped by a signal.
    Interrupted,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Held => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Inconclusive => 3,
            Exit::Nothing => 4,
            Exit::Bug => 70,
            Exit::Interrupted => 130,
        }
    }

    /// The one to report of two: what says most about the whole.
    #[must_use]
    pub fn or_worse(self, other: Exit) -> Exit {
        let weight = |exit| match exit {
            Exit::Held => 0,
            Exit::Nothing => 1,
            Exit::Inconclusive => 2,
            Exit::Failed => 3,
            Exit::Interrupted => 4,
            Exit::Usage => 5,
            Exit::Bug => 6,
        };
        if weight(other) > weight(self) { other } else { self }
    }
}

/// The six lines that a bare `scsim` prints.
const WELCOME: &str = "\
scsim simulates how Amazon ECS services call each other, and compares the ways they can.
  scsim init wedged-replica        write a scenario to start from
  scsim run wedged-replica.toml    simulate it on every plane, side by side
  scsim check wedged-replica.toml  is the file right, and what does it mean?
  scsim explain wedge              what a word of files, reports or errors means
  scsim help                       every command; `scsim help run` its flags
";

/// Runs the command that `arguments` (program name first) spell out.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    ExitCode::from(crash::guarded(&arguments, || perform(&arguments)).code())
}

fn perform(arguments: &[OsString]) -> Exit {
    if arguments.len() <= 1 {
        return console::print(WELCOME);
    }
    let invocation = match Invocation::try_parse_from(arguments) {
        Ok(invocation) => invocation,
        Err(error) => {
            // A closed pipe is no reason to complain about help text.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Held };
        }
    };
    let console = Console::new(&invocation.common);
    if let Some(exit) = refuses_page(&invocation) {
        return exit;
    }
    match &invocation.command {
        Command::Run(args) => run::run(&console, &invocation.common, args),
        Command::Test(args) => test::test(&console, &invocation.common, args),
        Command::Compare(args) => compare::compare(&console, &invocation.common, args),
        Command::Sweep(args) => sweep::sweep(&console, &invocation.common, args),
        Command::Capacity(args) => capacity::capacity(&console, &invocation.common, args),
        Command::Trace(args) => trace::trace(&console, &invocation.common, args),
        Command::Cost(args) => cost::cost(&console, &invocation.common, args),
        Command::Report(args) => report::report(&console, &invocation.common, args),
        Command::Ledger(args) => ledger::ledger(&console, &invocation.common, args),
        Command::Init(args) => init::init(&console, &invocation.common, args),
        Command::Check(args) => check::check(&console, args),
        Command::Assumptions(args) => assumptions::list(&console, &invocation.common, args),
        Command::Explain(args) => explain::explain(&console, args),
        Command::Schema(args) => schema::schema(&invocation.common, args),
        Command::Completions(args) => manual::completions(&invocation.common, args),
        Command::Man(args) => manual::man(&console, &invocation.common, args),
        Command::Validate(args) => validate::validate(&console, &invocation.common, args),
        Command::Import { command: ImportCommand::Fis(args) } => import::fis(&console, &invocation.common, args),
        Command::Policy { command: PolicyCommand::Replay(args) } => policy::replay(&console, args),
    }
}

/// Only what `run` and `report` say has a page.
fn refuses_page(invocation: &Invocation) -> Option<Exit> {
    let has_one = matches!(invocation.command, Command::Run(_) | Command::Report(_));
    (invocation.common.format == args::Format::Html && !has_one).then(|| {
        console::complain("error: only `scsim run` and `scsim report` write --format html");
        Exit::Usage
    })
}
