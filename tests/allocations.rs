//! Goal: a warm run allocates nothing per request. Method: a counting allocator, and the
//! difference between a run and one of twice its length, which cancels what setting up costs.
//! One test only: the count is the whole process's.

#[path = "../benches/models/mod.rs"]
mod models;

use scsim::scenario::Scenario;
use stats_alloc::INSTRUMENTED_SYSTEM;
use stats_alloc::Region;
use stats_alloc::StatsAlloc;
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations of one run, and its requests.
fn count(scenario: &Scenario) -> (usize, u64) {
    let region = Region::new(ALLOCATOR);
    let requests = models::run(scenario).books.arrived;
    let change = region.change();
    (change.allocations + change.reallocations, requests)
}

#[test]
fn a_warm_run_allocates_nothing_per_request() {
    // The hop is given longer: its connections and its queue of deadlines grow to their peak first.
    for (name, model, seconds) in [("queue", models::queue as fn(u64) -> Scenario, 100), ("hop", models::hop, 60)] {
        let (short, fewer) = count(&model(seconds));
        let (long, more) = count(&model(2 * seconds));
        let per_request = (long as f64 - short as f64) / (more - fewer) as f64;
        println!("{name}: {short} allocations for {fewer} requests, {long} for {more}: {per_request:.5} each");
        assert!(per_request < 0.001, "{name}: {per_request} allocations per request");
    }
}
