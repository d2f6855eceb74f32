//! How long a bill takes.
//!
//! `cargo bench --bench cost` bills an estate of 500 services, 3,000 tasks and 2,000 edges on three planes, without simulating,
//! and prints the median of twenty: lines alone, and with the JSON. The goal is 50 ms. `-- once` does it a single time.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![expect(clippy::print_stdout, reason = "the figures are what a bench is for")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use scsim::cost;
use scsim::report::bill::Priced;
use scsim::report::bill::facts;
use scsim::report::bill::table;
use scsim::scenario::LoadOptions;
use scsim::scenario::parse;

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
    let lines = median((0..rounds).map(|_| time(&|| drop(black_box(cost::bill(&scenario, None))))).collect());
    let shown = |as_json: bool| {
        let bill = cost::bill(&scenario, None);
        let priced = Priced { scenario: &scenario, bill: &bill, sheet: None };
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
    println!("  the bill            {lines:>8.2} ms");
    println!("  the bill as JSON    {json:>8.2} ms (goal 50 ms)");
    println!("  the bill as a table {human:>8.2} ms");
}

/// Each service calls the next ones, none behind it.
fn estate() -> String {
    let mut text = String::from("title = \"estate\"\n[defaults.service]\ntasks = 6\n");
    for i in 0..SERVICES {
        let calls: Vec<String> =
            (1..=CALLS).map(|k| i + k * (1 + i % 3)).filter(|j| *j < SERVICES).map(|j| format!("\"s{j}\"")).collect();
        let sizes = [
            "cpu = \"0.25 vCPU\"\nmemory = \"512MiB\"",
            "cpu = \"0.5 vCPU\"\nmemory = \"1GiB\"",
            "cpu = \"1 vCPU\"\nmemory = \"2GiB\"",
        ];
        let _ = writeln!(text, "[service.s{i}]\n{}\nlatency = \"2ms\"\ncalls = [{}]", sizes[i % 3], calls.join(", "));
    }
    text.push_str("[load]\nentry = \"s0\"\nrate = \"100/s\"\n[cost]\ntls = true\n");
    text
}
