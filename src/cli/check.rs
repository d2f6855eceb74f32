//! `scsim check`: is the file right, and what does it mean?

use std::fmt::Write as _;

use super::Exit;
use super::args::CheckArgs;
use super::console;
use super::console::Console;
use super::loading;
use crate::report::model::fault_label;
use crate::scenario::FaultKind;
use crate::scenario::Replications;
use crate::scenario::Scenario;

/// Checks every scenario named.
pub fn check(console: &Console, args: &CheckArgs) -> Exit {
    let files = match loading::files(&args.scenarios) {
        Ok(files) => files,
        Err(exit) => return exit,
    };
    let mut exit = Exit::Held;
    let mut out = String::new();
    for file in &files {
        match loading::with_defaults(console, file, &args.shape) {
            // Pure TOML: what is printed can be saved and run.
            Some((_, defaults)) if args.defaults => out.push_str(&defaults),
            Some((scenario, _)) => out.push_str(&summary(&scenario)),
            None => exit = Exit::Usage,
        }
    }
    if console.quiet && !args.defaults { exit } else { exit.or_worse(console::print(&out)) }
}

fn summary(scenario: &Scenario) -> String {
    let planes: Vec<&str> = scenario.planes.iter().map(|p| p.name.as_str()).collect();
    let often = match scenario.run.replications {
        Replications::Fixed(n) => format!("{n} replications"),
        Replications::Precision { relative, at_most } => {
            format!("until intervals are within {}% of the mean, at most {at_most} replications", relative * 100.0)
        }
    };
    let mut out = format!(
        "{}: {}\n  {} services, {} edges, {} loads; {} from seed {}, {often}\n  planes: {}\n",
        scenario.file,
        scenario.title,
        scenario.services.len(),
        scenario.edges.len(),
        scenario.loads.len(),
        scenario.run.duration,
        scenario.run.seed,
        planes.join(", ")
    );
    for fault in &scenario.faults {
        let _ = writeln!(out, "  fault: {}{}", fault_label(scenario, fault), meaning(&fault.kind));
    }
    for unmodelled in &scenario.unmodelled {
        let _ = writeln!(out, "  not modelled yet: {} (line {})", unmodelled.what, unmodelled.line);
    }
    match scenario.expects.len() {
        0 => out.push_str("  no expectations: a run will only compare\n"),
        n => {
            let _ = writeln!(out, "  {n} expectation{}", if n == 1 { "" } else { "s" });
        }
    }
    out
}

/// What a fault's status means for retries: the detail that decides the story.
fn meaning(kind: &FaultKind) -> String {
    let (FaultKind::Wedge { status } | FaultKind::Grey { status, .. } | FaultKind::Errors { status, .. }) = kind else {
        return String::new();
    };
    match status {
        503 => ", answers 503 (in Service Connect's retry set)".to_owned(),
        status => format!(", answers {status} (not in Service Connect's retry set, so it is not retried)"),
    }
}
