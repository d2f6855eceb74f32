//! `scsim validate`: the engine against queueing theory.

#![expect(clippy::disallowed_methods, reason = "the wall time is shown, never part of a result")]

use std::path::Path;
use std::time::Instant;

use super::Exit;
use super::args::Common;
use super::args::ValidateArgs;
use super::console;
use super::console::Console;
use super::console::complain;
use super::outputs;
use super::run::STOP;
use super::run::listen_for_signals;
use crate::validate;
use crate::validate::Options;
use crate::validate::Outcome;
use crate::validate::ValidateError;

/// Seeds of `--coverage`.
const SEEDS: u32 = 1_000;

/// Runs the cases named, or shows that intervals cover.
pub fn validate(console: &Console, common: &Common, args: &ValidateArgs) -> Exit {
    listen_for_signals();
    let began = Instant::now();
    let exit = if args.coverage { coverage(common) } else { cases(console, common, args) };
    console.say(&format!("wall time {:.1} s", began.elapsed().as_secs_f64()));
    exit
}

fn coverage(common: &Common) -> Exit {
    match validate::coverage(SEEDS, common.jobs, &STOP) {
        Ok(coverage) => {
            let exit = if coverage.holds() { Exit::Held } else { Exit::Failed };
            exit.or_worse(console::print(&coverage.text()))
        }
        Err(error) => refuse(&error),
    }
}

fn cases(console: &Console, common: &Common, args: &ValidateArgs) -> Exit {
    // With JSON on stdout, nothing else may go there.
    let table = args.json.as_deref() != Some(Path::new("-"));
    if table {
        console::print(&Outcome::heading());
    }
    let options = Options {
        ids: args.ids.clone(),
        quick: args.quick,
        jobs: common.jobs,
        stop: &STOP,
        done: &|case| {
            if table {
                console::print(&case.text());
            }
        },
    };
    let outcome = match validate::run(&options) {
        Ok(outcome) => outcome,
        Err(error) => return refuse(&error),
    };
    if outcome.cases.is_empty() {
        complain("error: none of these cases has a short run");
        return Exit::Nothing;
    }
    let mut exit = if outcome.holds() { Exit::Held } else { Exit::Failed };
    if table {
        exit = exit.or_worse(console::print(&outcome.summary()));
    } else {
        console.say(&outcome.summary());
    }
    let json = format!("{:#}\n", outcome.json());
    for (path, text) in [(&args.json, json), (&args.markdown, outcome.markdown())] {
        if let Some(path) = path {
            exit = exit.or_worse(outputs::deliver(path, &text));
        }
    }
    exit
}

fn refuse(error: &ValidateError) -> Exit {
    complain(&format!("error: failed to {error}"));
    match error {
        ValidateError::UnknownCase { .. } => {
            if let Ok(ids) = validate::ids() {
                complain(&format!("known: {}", ids.join(", ")));
            }
            Exit::Usage
        }
        ValidateError::Stopped => Exit::Interrupted,
        ValidateError::File { .. } => Exit::Bug,
        ValidateError::Run { .. } => Exit::Inconclusive,
    }
}
