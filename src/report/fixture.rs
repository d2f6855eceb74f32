//! A hand-made study: recordings from a few lines of arithmetic in place of the simulator.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::measure::Books;
use crate::measure::Calls;
use crate::measure::Costliest;
use crate::measure::Ending;
use crate::measure::Happening;
use crate::measure::HappeningKind;
use crate::measure::Recording;
use crate::measure::Segment;
use crate::measure::ServiceRecord;
use crate::measure::TaskRecord;
use crate::measure::Timeline;
use crate::measure::study::Study;
use crate::policy::Flags;
use crate::scenario::LoadOptions;
use crate::scenario::Mechanism;
use crate::scenario::Scenario;
use crate::scenario::Window;
use crate::sim::Conduct;
use crate::sim::replicate_with;
use crate::units::Span;
use crate::units::Time;

/// The scenario of the fixture; `expects` is appended.
pub fn scenario(expects: &str) -> Scenario {
    let text = format!(
        r#"
title = "One wedged payments task that still passes its health check"
[service.checkout]
tasks = 3
calls = ["payments"]
[service.payments]
tasks = 6
latency = {{ p50 = "12ms", p99 = "80ms" }}
[load]
rate = "20/s"
[run]
duration = "5m"
replications = 8
[[fault]]
at = "60s"
for = "3m"
target = "payments#1"
kind = "wedge"
{expects}
"#
    );
    let mut loaded = crate::scenario::parse("wedged.toml", &text, Path::new("."), &LoadOptions::default())
        .expect("the fixture is a valid scenario")
        .scenario;
    // What the loader knows about constants may grow; the golden must not move with it.
    loaded.assumptions.clear();
    loaded.digest = "0".repeat(64);
    loaded
}

/// A study of it on `jobs` threads.
pub fn study(scenario: &Scenario, jobs: usize) -> Study {
    let stop = AtomicBool::new(false);
    let conduct = Conduct { jobs, only: None, events_max: 1, stop: &stop, progress: &|_| {} };
    replicate_with(scenario, &conduct, |plane, replication, _| Ok(recording(scenario, plane, replication)))
        .expect("the fixture does not fail")
}

/// One replication: arrivals every 50 ms with noise by replication, a sixth of them failing while
/// the fault is on, except on a sidecar plane, which saves them by one retry.
pub fn recording(scenario: &Scenario, plane: usize, replication: u32) -> Recording {
    let windows = scenario.windows();
    let sidecar = matches!(scenario.planes[plane].mechanism, Mechanism::Sidecar(_));
    let mut state = u64::from(replication) * 7_919 + 17;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    let mut timeline = Timeline::new(scenario.run.duration);
    let mut segments: Vec<Segment> = Vec::new();
    let mut failures = 0;
    for i in 0..6_000_u64 {
        let at = Time::from_nanos(i * 50_000_000);
        let secs = at.as_secs_f64();
        let faulty = (60.0..240.0).contains(&secs);
        let mask = windows.iter().enumerate().fold(0, |mask, (bit, window)| {
            let open = match window {
                Window::All => true,
                Window::AnyFault | Window::Fault(_) => faulty,
                Window::Warm => secs < 60.0,
                Window::After => secs >= 240.0,
                Window::AnyDeploy => false,
                Window::Between(from, to) => *from <= at && at < *to,
            };
            mask | u64::from(open) << bit
        });
        let (a, b) = (random(), random());
        let hit = faulty && a < 1.0 / 6.0;
        let failed = hit && !sidecar;
        let base = 8.0 + 10.0 * b + 60.0 * b * b * b * b * b * b * b * b;
        let overhead = if sidecar { 1.0 } else { 0.0 };
        let ms = if failed { 2.0 } else { base + overhead + if hit { 3.0 } else { 0.0 } };
        let latency = Span::from_nanos_f64(ms * 1e6);
        let index = segments.iter().position(|s| s.windows == mask).unwrap_or_else(|| {
            segments.push(Segment { windows: mask, users: Calls::default(), edges: vec![Calls::default()] });
            segments.len() - 1
        });
        let attempts = if hit && sidecar { 2 } else { 1 };
        failures += u64::from(failed);
        segments[index].users.record(Ending { latency, failed, attempts: 1, flags: Flags::NONE });
        segments[index].edges[0].record(Ending { latency, failed, attempts, flags: Flags::NONE });
        let bucket = timeline.index(at + latency);
        timeline.record(bucket, latency, failed);
    }
    let saved: u64 = segments.iter().map(|s| s.edges[0].saved).sum();
    let ejected = Happening {
        at: Time::from_nanos(60_400_000_000),
        kind: HappeningKind::Ejected,
        by: u32::MAX,
        task: 0,
        until: Some(Time::from_nanos(90_000_000_000)),
        note: "",
    };
    Recording {
        replication,
        window_lengths: windows
            .iter()
            .map(|w| Span::from_secs(if matches!(w, Window::All) { 300 } else { 180 }))
            .collect(),
        flows: crate::measure::Flows::new(&timeline, scenario.edges.len()),
        timeline,
        tasks: (1..=6)
            .map(|n| TaskRecord { name: format!("payments#{n}"), service: 1, requests: 1_000, ..TaskRecord::default() })
            .collect(),
        services: vec![ServiceRecord::default(); 2],
        events: if sidecar { vec![ejected] } else { Vec::new() },
        strikes: Vec::new(),
        events_dropped: 0,
        time_to_eject: sidecar.then(|| Span::from_millis(400 + u64::from(replication) * 5)),
        ejections: if sidecar { 12 } else { 0 },
        unanswered: 0,
        stale_dials: 0,
        stale_window: Span::ZERO,
        panic_time: Span::ZERO,
        tasks_max: 9,
        lookups: 0,
        connections_opened: 0,
        keep_alive_races: 0,
        saved_by_retry: saved,
        costliest: Costliest::default(),
        rollout: crate::measure::Rollout::default(),
        usage: crate::measure::Usage::default(),
        books: Books { arrived: 6_000, finished: 6_000 - failures, failed: failures, ..Books::default() },
        engine_events: 60_000,
        digest: u64::from(replication) << 8 | plane as u64,
        partial: false,
        segments,
    }
}
