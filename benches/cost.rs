//! How long a bill takes.
//!
//! `cargo bench --bench cost` bills an estate of 500 services, 3,000 tasks and 2,000 edges on three planes, from the counts of five
//! replications and without any, and prints the median of twenty: lines alone, as JSON and as a table. The goal is 50 ms.
//! `-- once` does it a single time. The simulation is not in the time: it is two seconds long, which is as many counts as a day.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![expect(clippy::print_stdout, reason = "the figures are what a bench is for")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use scsim::cost;
use scsim::measure::study::Study;
use scsim::report::bill::Priced;
use scsim::report::bill::facts;
use scsim::report::bill::table;
use scsim::report::figure::Sheet;
use scsim::scenario::LoadOptions;
use scsim::scenario::parse;
use scsim::sim;
use scsim::sim::Conduct;

/// Services of the estate.
const SERVICES: usize = 500;
/// What each of them calls, where there are so many behind it.
const CALLS: usize = 4;

fn main() {
    let rounds = if std::env::args().any(|arg| arg == "once") { 1 } else { 20 };
    let text = estate();
    let start = Instant::now();
    let loaded = parse("estate.toml", &text, Path::new("."), &LoadOptions::default()).expect("the estate is right");
    let read = start.elapsed();
    let scenario = loaded.scenario;
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let time = |work: &dyn Fn()| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e3
    };
    let conduct =
        Conduct { jobs: 1, only: None, events_max: u64::MAX, stop: &AtomicBool::new(false), progress: &|_| {} };
    let study = sim::replicate(&scenario, &conduct).expect("nothing stops it");
    let lines_of = |study: Option<&Study>| {
        median((0..rounds).map(|_| time(&|| drop(black_box(cost::bill(&scenario, study))))).collect())
    };
    let (bare, lines) = (lines_of(None), lines_of(Some(&study)));
    let shown = |as_json: bool| {
        let sheet = Sheet::new(&scenario, &study);
        let priced = Priced { scenario: &scenario, bill: sheet.bill(), sheet: Some(&sheet) };
        if as_json {
            drop(black_box(serde_json::to_string_pretty(&facts(&priced))));
        } else {
            drop(black_box(table::render(&priced)));
        }
    };
    let json = median((0..rounds).map(|_| time(&|| shown(true))).collect());
    let human = median((0..rounds).map(|_| time(&|| shown(false))).collect());
    println!("{} services, {} edges, {} planes", scenario.services.len(), scenario.edges.len(), scenario.planes.len());
    println!("  reading the file    {:>8.2} ms, once", read.as_secs_f64() * 1e3);
    println!("  not simulated       {bare:>8.2} ms");
    println!("  the bill            {lines:>8.2} ms");
    println!("  the bill as JSON    {json:>8.2} ms (goal 50 ms)");
    println!("  the bill as a table {human:>8.2} ms");
}

/// Each service calls one of the next ones, none behind it.
fn estate() -> String {
    let mut text = String::from("title = \"estate\"\n[defaults.service]\ntasks = 6\n");
    for i in 0..SERVICES {
        let calls: Vec<String> = (1..=CALLS)
            .map(|k| i + k * (1 + i % 3))
            .filter(|j| *j < SERVICES)
            .map(|j| format!("{{ call = \"s{j}\", probability = \"25%\" }}"))
            .collect();
        let sizes = [
            "cpu = \"0.25 vCPU\"\nmemory = \"512MiB\"",
            "cpu = \"0.5 vCPU\"\nmemory = \"1GiB\"",
            "cpu = \"1 vCPU\"\nmemory = \"2GiB\"",
        ];
        let _ = writeln!(text, "[service.s{i}]\n{}\nlatency = \"2ms\"\nsteps = [{}]", sizes[i % 3], calls.join(", "));
    }
    text.push_str(
        "[load]\nentry = \"s0\"\nrate = \"100/s\"\n[run]\nduration = \"2s\"\nreplications = 5\n[cost]\ntls = true\n",
    );
    text
}
