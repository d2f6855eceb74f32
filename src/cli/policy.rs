//! `scsim policy replay`: vectors against the policy.

use std::path::Path;

use super::Exit;
use super::args::ReplayArgs;
use super::console;
use super::console::Console;
use super::console::complain;
use super::outputs;
use crate::replay;
use crate::replay::Outcome;

/// Replays every file named.
pub fn replay(console: &Console, args: &ReplayArgs) -> Exit {
    let dash = Path::new("-");
    // With JSON on stdout, nothing else may go there.
    let talks = args.json.as_deref() != Some(dash) && args.junit.as_deref() != Some(dash);
    let mut exit = Exit::Held;
    let mut files = Vec::new();
    for path in &args.files {
        let shown = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                complain(&format!("error: cannot read {shown}: {error}"));
                return Exit::Usage;
            }
        };
        let vectors = match replay::replay(&text) {
            Ok(vectors) => vectors,
            Err(malformed) => {
                complain(&format!("error: {shown}:{}: {}", malformed.line, malformed.message));
                return Exit::Usage;
            }
        };
        if vectors.iter().any(|vector| matches!(vector.outcome, Outcome::Failed(_))) {
            exit = exit.or_worse(Exit::Failed);
        }
        if talks && !console.quiet {
            exit = exit.or_worse(console::print(&replay::text(&shown, &vectors)));
        }
        files.push((shown, vectors));
    }
    if let Some(path) = &args.json {
        exit = exit.or_worse(outputs::deliver(path, &format!("{:#}\n", replay::json(&files))));
    }
    if let Some(path) = &args.junit {
        exit = exit.or_worse(outputs::deliver(path, &replay::junit(&files)));
    }
    exit
}
