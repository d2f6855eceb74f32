//! What `run` and `test` do for build machines: baselines, JUnit, GitHub's annotations.
//!
//! *Knows* which of it was asked for and where it goes. *Does not know* how a scenario is run.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::slice;

use super::Exit;
use super::args::FailOn;
use super::args::GateArgs;
use super::args::Inconclusive;
use super::args::Verdicts;
use super::console;
use super::console::Console;
use super::console::complain;
use super::outputs;
use crate::report::compare;
use crate::report::compare::Terms;
use crate::report::compare::saved;
use crate::report::compare::saved::Saved;
use crate::report::github;
use crate::report::json;
use crate::report::junit;
use crate::report::suite::Outcome;
use crate::report::suite::Rules;
use crate::report::suite::Status;
use crate::report::suite::Taken;

/// Largest result file that is read.
const RESULT_MAX: u64 = 1 << 30;

/// What was asked for.
pub struct Gate<'a> {
    args: &'a GateArgs,
    baseline: Option<Vec<Saved>>,
}

impl<'a> Gate<'a> {
    /// Reads the baseline, if there is to be one.
    ///
    /// # Errors
    /// [`Exit::Usage`] after telling what is wrong with it.
    pub fn open(args: &'a GateArgs) -> Result<Gate<'a>, Exit> {
        let baseline = match &args.baseline {
            Some(path) if !path.exists() => {
                let path = path.display();
                complain(&format!("error: there is no baseline {path}; make it with --save-baseline {path}"));
                return Err(Exit::Usage);
            }
            Some(path) => Some(results(path)?),
            None => None,
        };
        Ok(Gate { args, baseline })
    }

    /// Anything was asked for.
    pub fn is_wanted(&self) -> bool {
        self.args.junit.is_some() || self.args.github || self.needs_results()
    }

    /// Outcomes must carry their results.
    pub fn needs_results(&self) -> bool {
        self.baseline.is_some() || self.args.save_baseline.is_some()
    }

    /// Compares a finished scenario with the baseline.
    pub fn weigh(&self, console: &Console, outcome: &mut Outcome) {
        let Some(baseline) = &self.baseline else { return };
        let new = saved::read(&outcome.result).expect("what was just written is a result file").remove(0);
        let Some(old) = compare::found(baseline, &new) else {
            console.say(&format!("scsim: the baseline has no {}", outcome.name));
            return;
        };
        let terms = Terms { noise: self.args.noise, ..Terms::default() };
        let mut compared =
            compare::compare(("the baseline", slice::from_ref(old)), ("this run", slice::from_ref(&new)), &terms);
        outcome.against(compared.pairs.remove(0), self.args.noise);
    }

    /// Says which scenarios of the baseline were not run: they guard nothing any more.
    pub fn tell_unguarded(&self, console: &Console, outcomes: &[Outcome]) {
        let run = |old: &Saved| {
            outcomes.iter().any(|o| {
                let same_name = compare::stem(&o.file) == compare::stem(&old.scenario.file);
                same_name || !o.title.is_empty() && o.title == old.scenario.title
            })
        };
        for old in self.baseline.iter().flatten().filter(|old| !run(old)) {
            console.say(&format!("scsim: the baseline has {}, which was not run", compare::name(old)));
        }
    }

    /// Writes what was asked for. `summary` is the Markdown for the job summary; annotations go to
    /// stderr where stdout has an owner.
    pub fn finish(&self, console: &Console, outcomes: &[Outcome], summary: &str, stdout_owned: bool) -> Exit {
        let mut exit = Exit::Held;
        if let Some(path) = &self.args.junit {
            exit = exit.or_worse(outputs::deliver(path, &junit::render(outcomes)));
        }
        if self.args.github {
            let annotations = github::annotations(outcomes);
            if stdout_owned {
                complain(&annotations);
            } else {
                exit = exit.or_worse(console::print(&annotations));
            }
            exit = exit.or_worse(append_summary(console, summary));
        }
        if let Some(path) = &self.args.save_baseline {
            exit = exit.or_worse(save(path, outcomes));
        }
        exit
    }
}

/// Half a suite is no baseline: the next comparison would miss the other half.
fn save(path: &Path, outcomes: &[Outcome]) -> Exit {
    if outcomes.iter().any(|o| o.status == Status::Interrupted) {
        complain(&format!("scsim: interrupted, {} is left as it was", path.display()));
        return Exit::Interrupted;
    }
    let broken: Vec<&str> = outcomes.iter().filter(|o| o.status == Status::Broken).map(|o| o.name.as_str()).collect();
    if !broken.is_empty() {
        complain(&format!("scsim: {} is left as it was, it would lack {}", path.display(), broken.join(", ")));
        return Exit::Usage;
    }
    let results: Vec<String> = outcomes.iter().map(|o| o.result.clone()).collect();
    outputs::deliver(path, &json::join(&results))
}

fn append_summary(console: &Console, text: &str) -> Exit {
    let Some(path) = console::step_summary() else {
        console.say("scsim: GITHUB_STEP_SUMMARY is not set, so there is no job summary to append to");
        return Exit::Held;
    };
    let written = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .and_then(|mut file| file.write_all(format!("{text}\n").as_bytes()));
    match written {
        Ok(()) => Exit::Held,
        Err(error) => {
            complain(&format!("error: cannot append to {}: {error}", path.display()));
            Exit::Usage
        }
    }
}

/// The results in a file.
///
/// # Errors
/// [`Exit::Usage`] after telling what is wrong with it.
pub fn results(path: &Path) -> Result<Vec<Saved>, Exit> {
    saved::read(&text_of(path)?).map_err(|error| refused(path, &error.to_string()))
}

fn refused(path: &Path, what: &str) -> Exit {
    complain(&format!("error: {}: {what}", path.display()));
    Exit::Usage
}

/// The text of a result file.
///
/// # Errors
/// [`Exit::Usage`] after telling why it cannot be read.
pub fn text_of(path: &Path) -> Result<String, Exit> {
    let refuse = |what: String| refused(path, &what);
    let meta = fs::metadata(path).map_err(|error| refuse(format!("this file cannot be read: {error}")))?;
    if meta.is_dir() {
        return Err(refuse("this is a folder; name a result file".to_owned()));
    }
    if meta.len() > RESULT_MAX {
        return Err(refuse("this file is larger than 1 GiB, the most that is read".to_owned()));
    }
    let bytes = fs::read(path).map_err(|error| refuse(format!("this file cannot be read: {error}")))?;
    String::from_utf8(bytes).map_err(|_| refuse("this file is not UTF-8, so it is no JSON".to_owned()))
}

/// The rules that flags ask for.
pub fn rules(verdicts: &Verdicts) -> Rules {
    Rules {
        warnings_fail: verdicts.fail_on == FailOn::Warn,
        inconclusive: verdicts.inconclusive.map(|taken| match taken {
            Inconclusive::Pass => Taken::Held,
            Inconclusive::Fail => Taken::Failed,
        }),
    }
}

/// The exit code that an outcome deserves.
pub fn exit_of(outcome: &Outcome, exit_zero: bool) -> Exit {
    match outcome.status {
        Status::Broken => Exit::Usage,
        Status::Interrupted => Exit::Interrupted,
        Status::Failed if !exit_zero => Exit::Failed,
        Status::Inconclusive if !exit_zero => Exit::Inconclusive,
        _ => Exit::Held,
    }
}
