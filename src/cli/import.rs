//! `scsim import`: what others' tools wrote, as parts of a scenario.
//!
//! *Knows* where the result goes and how much of the source was understood. *Does not know* any format;
//! each has a room of its own. What could not be read is told, in the result and on stderr: nothing is
//! left out in silence.

mod fis;

use super::Exit;
use super::args::Common;
use super::args::FisArgs;
use super::console;
use super::console::Console;
use super::console::complain;
use super::outputs;
use crate::scenario::value;
use std::fs;

/// `scsim import fis FILE`.
pub fn fis(console: &Console, common: &Common, args: &FisArgs) -> Exit {
    let path = &args.template;
    let starts = match value::parse_span(&args.at) {
        Ok(span) => span,
        Err(label) => {
            complain(&format!("error: --at {}: {label}", args.at));
            return Exit::Usage;
        }
    };
    if let Err(exit) = outputs::check_all(&[("--output", &common.output)], "the template", std::slice::from_ref(path)) {
        return exit;
    }
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            complain(&format!("error: cannot read {}: {error}", path.display()));
            return Exit::Usage;
        }
    };
    let name = path.display().to_string();
    let found = match fis::read(&text, &name, args.service.as_deref(), starts) {
        Ok(found) => found,
        Err(message) => {
            complain(&format!("error: {message}"));
            return Exit::Usage;
        }
    };
    for (action, why) in &found.unread {
        complain(&format!("not read: {action}: {why}"));
    }
    let all = found.read + found.unread.len();
    console.say(&format!("{name}: {} of {all} actions read, {} faults", found.read, found.faults));
    if found.faults == 0 {
        complain("error: nothing in this template could be used");
        return Exit::Nothing;
    }
    match &common.output {
        Some(path) => outputs::deliver(path, &found.toml),
        None => console::print(&found.toml),
    }
}
