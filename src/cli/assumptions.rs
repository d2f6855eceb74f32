//! `scsim assumptions`: every constant in use, where it comes from, how to override it.

use std::fmt::Write as _;
use std::path::Path;

use super::Exit;
use super::args::AssumptionsArgs;
use super::args::Common;
use super::args::Format;
use super::console;
use super::console::Console;
use super::console::complain;
use super::loading;
use crate::report::json::confidence_name;
use crate::report::model::unverified;
use crate::scenario::Assumption;
use crate::scenario::Preset;

/// Lists the constants of a scenario, the values of a preset, or the constants of all built-in planes.
pub fn list(console: &Console, common: &Common, args: &AssumptionsArgs) -> Exit {
    let assumptions = match preset(args.scenario.as_deref()) {
        Some(preset) => preset.values(),
        None => match loading::for_assumptions(console, args.scenario.as_deref(), &args.shape) {
            Some(scenario) => scenario.assumptions,
            None => return Exit::Usage,
        },
    };
    match common.format {
        Format::Human => {
            let mut out = String::new();
            for assumption in &assumptions {
                out.push_str(&entry(assumption));
            }
            let count = assumptions.len();
            let _ = writeln!(out, "{count} constants, {} of them unverified", unverified(&assumptions));
            console::print(&out)
        }
        Format::Json => {
            let records: Vec<serde_json::Value> = assumptions.iter().map(record).collect();
            let text = serde_json::to_string_pretty(&records).expect("every key is a string");
            console::print(&format!("{text}\n"))
        }
        Format::Markdown | Format::Csv | Format::Html => {
            complain("error: assumptions are printed as human or json");
            Exit::Usage
        }
    }
}

/// The preset of that name, unless a file has it.
fn preset(scenario: Option<&Path>) -> Option<Preset> {
    scenario.filter(|path| !path.exists()).and_then(Path::to_str).and_then(Preset::named)
}

fn entry(a: &Assumption) -> String {
    let mut out = format!("{} = {}  ({})\n    source: {}\n", a.id, a.value, confidence_name(a.confidence), a.source);
    if !a.overridden_by.is_empty() {
        let _ = writeln!(out, "    override: {}", a.overridden_by);
    }
    out
}

fn record(a: &Assumption) -> serde_json::Value {
    serde_json::json!({
        "id": a.id,
        "value": a.value,
        "source": a.source,
        "confidence": confidence_name(a.confidence),
        "overridden_by": a.overridden_by,
    })
}
