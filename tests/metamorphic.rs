//! What must not change a result, and what must change it in a known way.

use scsim::measure::Recording;
use scsim::scenario;
use scsim::scenario::LoadOptions;
use scsim::sim::Limits;
use std::path::Path;
use std::sync::atomic::AtomicBool;

fn run(text: &str, plane: usize) -> Recording {
    let loaded = scenario::parse("test.toml", text, Path::new("."), &LoadOptions::default())
        .unwrap_or_else(|problems| panic!("{problems:?}"));
    let stop = AtomicBool::new(false);
    let recording = scsim::sim::run(&loaded.scenario, plane, 0, Limits { stop: &stop, events_max: u64::MAX }).unwrap();
    assert!(recording.books.problems.is_empty(), "{:?}", recording.books.problems);
    recording
}

fn shop(extra: &str, unit_us: u64, rate: &str) -> String {
    let us = |n: u64| format!("{}us", n * unit_us);
    format!(
        "compare = [\"direct\"]\n[service.front]\ntasks = 2\ncalls = [\"back\"]\n[service.back]\ntasks = 3\nconcurrency = 2\n\
         latency = {{ mean = \"{}\", dist = \"exponential\" }}\n[load]\nentry = \"front\"\nrate = \"{rate}\"\n\
         [run]\nduration = \"{}\"\n{extra}",
        us(10_000),
        us(60_000_000),
    )
}

#[test]
fn an_unused_service_changes_nothing() {
    let without = run(&shop("", 1, "300/s"), 0);
    let with = run(&shop("[service.unused]\nlatency = \"5ms\"\n", 1, "300/s"), 0);
    assert_eq!(without.digest, with.digest);
}

#[test]
fn scaling_all_times_scales_all_latencies() {
    let fast = run(&shop("", 1, "300/s"), 0);
    let slow = run(&shop("", 10, "30/s"), 0);
    let (a, b) = (fast.users(0), slow.users(0));
    assert_eq!(a.requests, b.requests);
    let ratio = b.mean_ms().unwrap() / a.mean_ms().unwrap();
    // Every draw is rounded to a nanosecond, so not to the last bit.
    assert!((ratio - 10.0).abs() < 1e-4, "{ratio}");
}

#[test]
fn swapping_planes_swaps_columns() {
    let text = |order: &str| shop("", 1, "300/s").replace("compare = [\"direct\"]", &format!("compare = [{order}]"));
    let ab = text("\"service-connect\", \"cloud-map-dns\"");
    let ba = text("\"cloud-map-dns\", \"service-connect\"");
    assert_eq!(run(&ab, 0).digest, run(&ba, 1).digest);
    assert_eq!(run(&ab, 1).digest, run(&ba, 0).digest);
}

#[test]
fn books_balance_under_every_kind_of_trouble_on_every_plane() {
    for kind in [
        "kind = \"wedge\"",
        "kind = \"grey\"\nrate = \"30%\"",
        "kind = \"errors\"\nrate = \"30%\"",
        "kind = \"hang\"",
        "kind = \"slow\"\nfactor = 5",
        "kind = \"slow\"\nlatency = \"50ms\"",
        "kind = \"reset\"",
        "kind = \"refuse\"",
        "kind = \"crash\"",
        "kind = \"stop\"",
    ] {
        for target in ["back#1", "back#any", "back[50%]", "back", "front->back", "zone:a"] {
            if target == "front->back" && (kind.contains("crash") || kind.contains("stop")) {
                continue;
            }
            let fault = format!("[[fault]]\nat = \"10s\"\nfor = \"20s\"\ntarget = \"{target}\"\n{kind}\n");
            let text = shop(&fault, 1, "100/s").replace(
                "compare = [\"direct\"]",
                "compare = [\"service-connect\", \"cloud-map-dns\", \"internal-alb\", \"direct\", \"envoy\"]",
            );
            for plane in 0..5 {
                let recording = run(&text, plane);
                let books = &recording.books;
                assert!(books.arrived > 5_000, "{kind} {target}");
                assert_eq!(books.arrived, books.finished + books.failed + books.in_flight, "{kind} {target} {plane}");
            }
        }
    }
}

#[test]
fn zones_keep_calls_at_home_from_two_endpoints_per_zone_on() {
    let text = |tasks: u32, fields: &str| {
        format!(
            "compare = [\"service-connect\"]\n[service.front]\ntasks = 3\ncalls = [\"back\"]\n[service.back]\n\
             tasks = {tasks}\nlatency = \"1ms\"\n[load]\nrate = \"100/s\"\nspread = \"round-robin\"\n[run]\n\
             duration = \"30s\"\n[network]\nsame_zone = \"100us\"\ncross_zone = \"20ms\"\n\
             [plane.service-connect]\n{fields}\n"
        )
    };
    let mean = |tasks, fields| run(&text(tasks, fields), 0).users(0).mean_ms().unwrap();
    // Two crossings of 20 ms each for two calls in three, or for none.
    let (home, away) = (mean(6, ""), mean(6, "zone_aware = false"));
    assert!(home < 5.0 && (26.0..33.0).contains(&away), "{home} {away}");
    // Five are fewer than two in each of three zones.
    assert_eq!(run(&text(5, ""), 0).digest, run(&text(5, "zone_aware = false"), 0).digest);
}

#[test]
fn zones_follow_the_callers_own_tasks() {
    // When two of three zones lose their callers, the third's must not drown its two endpoints.
    let text = "compare = [\"service-connect\"]\n[service.front]\ntasks = 6\ncalls = [\"back\"]\n[service.back]\ntasks = 6\n\
        latency = \"1ms\"\n[load]\nrate = \"200/s\"\n[run]\nduration = \"120s\"\n[[scale]]\nat = \"20s\"\nservice = \"front\"\n\
        tasks = 1\n[network]\nsame_zone = \"100us\"\ncross_zone = \"20ms\"\n";
    let recording = run(text, 0);
    // One caller is in no zone's way: its local cluster is one zone, and it uses all of them in turn.
    let mean = recording.users(0).mean_ms().unwrap();
    assert!(mean > 10.0, "{mean}");
}
