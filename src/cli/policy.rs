//! `scsim policy replay`: vectors against the policy.

use std::path::Path;

use super::Exit;
use super::args::ReplayArgs;
use super::console;
use super::console::Console;
use super::console::complain;
use super::outputs;
use crate::replay;
use crate::replay::Counts;
use crate::replay::Outcome;
use crate::replay::Shown;

/// Replays every file named. A file that cannot be read does not keep the others from being replayed.
pub fn replay(console: &Console, args: &ReplayArgs) -> Exit {
    let dash = Path::new("-");
    let to_stdout = |path: &Option<std::path::PathBuf>| path.as_deref() == Some(dash);
    if to_stdout(&args.json) && to_stdout(&args.junit) {
        complain("error: --json and --junit cannot both write to stdout");
        return Exit::Usage;
    }
    let named = [("--json", &args.json), ("--junit", &args.junit)];
    if let Err(exit) = outputs::check_all(&named, "a file of vectors", &args.files) {
        return exit;
    }
    // With a report on stdout, nothing else may go there.
    let talks = !to_stdout(&args.json) && !to_stdout(&args.junit) && !console.quiet;
    let shown = Shown { timeline: args.timeline, strict: args.strict };
    let mut exit = Exit::Held;
    let mut files = Vec::new();
    for path in &args.files {
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                complain(&format!("error: cannot read {name}: {error}"));
                exit = exit.or_worse(Exit::Usage);
                continue;
            }
        };
        let vectors = match replay::replay(&text) {
            Ok(vectors) => vectors,
            Err(malformed) => {
                complain(&format!("error: {name}:{}: {}", malformed.line, malformed.message));
                exit = exit.or_worse(Exit::Usage);
                continue;
            }
        };
        if talks {
            let text = replay::text(&name, &vectors, shown);
            exit = exit.or_worse(console::print(&if console.ascii { text.replace('×', "x") } else { text }));
        }
        for vector in &vectors {
            if let Outcome::Malformed(wrong) = &vector.outcome {
                complain(&format!("error: {name}:{}: {}", wrong.line, wrong.message));
            }
        }
        files.push((name, vectors));
    }
    let counts = replay::counts(files.iter().flat_map(|(_, vectors)| vectors));
    exit = exit.or_worse(verdict(counts, args.strict));
    if exit == Exit::Nothing {
        complain("error: nothing was replayed");
    }
    if let Some(path) = &args.json {
        exit = exit.or_worse(outputs::deliver(path, &format!("{:#}\n", replay::json(&files, shown))));
    }
    if let Some(path) = &args.junit {
        exit = exit.or_worse(outputs::deliver(path, &replay::junit(&files, shown)));
    }
    exit
}

/// A build that tested nothing is not a good one: without a vector that was compared, there was nothing to do.
const fn verdict(counts: Counts, strict: bool) -> Exit {
    match counts {
        Counts { malformed: 1.., .. } => Exit::Usage,
        Counts { failed: 1.., .. } => Exit::Failed,
        Counts { not_replayable: 1.., .. } if strict => Exit::Failed,
        Counts { passed: 0, .. } => Exit::Nothing,
        _ => Exit::Held,
    }
}
