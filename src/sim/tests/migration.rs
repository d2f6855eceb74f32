//! Callers that move from one path to another, both of them live.

use super::*;
use crate::measure::HappeningKind;
use crate::policy::Fact;
use crate::sim::note::Facts;
use crate::sim::record::NOBODY;

/// The first plane with the second as the path to move to; web moves such shares of its calls at these times (ms).
fn moving(mut s: Scenario, second: Plane, steps: &[(u64, u32)]) -> Scenario {
    s.planes[0].second = Some(Box::new(second));
    s.migrations = steps
        .iter()
        .map(|&(at, percent)| Migrate {
            at: at_ms(at),
            name: at.to_string(),
            callers: vec![ServiceId(0)],
            share: Ratio::from_percent(percent),
        })
        .collect();
    s
}

/// web -> two tasks of api, a request each second from 1 to 99 s.
fn shop(first: Plane, second: Plane, steps: &[(u64, u32)]) -> Scenario {
    moving(pair(1, 2, Span::from_millis(1), (1..100).map(|i| i * 1_000), first), second, steps)
}

/// When callers sent attempts on a path, ms; and the recording.
fn sent(s: &Scenario) -> ([Vec<u64>; 2], Recording) {
    let mut facts = Facts::default();
    let mut world = World::new(s, 0, 0);
    world.tracer = Some(&mut facts);
    let paths: Vec<(u8, u32)> = world.routers.iter().map(|host| (host.path, host.node)).collect();
    let stop = AtomicBool::new(false);
    let recording = world.run_to_end(Limits { stop: &stop, events_max: u64::MAX }).unwrap();
    assert_eq!(recording.books.problems, Vec::<String>::new());
    let mut sent = [Vec::new(), Vec::new()];
    for (router, at, fact) in facts.0 {
        let (path, node) = paths[router as usize];
        if node == NOBODY && matches!(fact, Fact::Sent { .. }) {
            sent[usize::from(path)].push(at.since(Time::ZERO).as_millis());
        }
    }
    (sent, recording)
}

fn wedge(s: &mut Scenario, kind: FaultKind, target: Target, at: u64) {
    let when = When::Once { at: at_ms(at), lasts: None };
    s.faults.push(Fault { name: "fault 1".to_owned(), kind, target, when, how: How::default() });
}

#[test]
fn a_step_moves_all_calls_and_a_rollback_brings_them_back() {
    for (first, second) in [(alb(), sidecar()), (sidecar(), dns()), (dns(), alb())] {
        let (sent, recording) = sent(&shop(first, second, &[(30_500, 100), (60_500, 0)]));
        let count = |path: usize, from: u64, to: u64| sent[path].iter().filter(|&&at| (from..to).contains(&at)).count();
        // 30 requests until the step, 30 until the rollback, 39 after it; nothing is lost, so nothing is retried.
        assert_eq!([(0, 30_500), (30_500, 60_500), (60_500, 100_000)].map(|(a, b)| count(0, a, b)), [30, 0, 39]);
        assert_eq!([(0, 30_500), (30_500, 60_500), (60_500, 100_000)].map(|(a, b)| count(1, a, b)), [0, 30, 0]);
        assert_eq!((recording.users(0).requests, recording.users(0).failed), (99, 0));
        let steps = recording.events.iter().filter(|event| event.kind == HappeningKind::Migrated);
        assert_eq!(steps.map(|event| event.note).collect::<Vec<_>>(), ["on", "back"]);
    }
}

#[test]
fn a_larger_share_takes_the_calls_of_a_smaller_one_and_more() {
    let at = |percent| sent(&shop(alb(), sidecar(), &[(0, percent)])).0[1].clone();
    let (tenth, half, all) = (at(10), at(50), at(100));
    assert_eq!(all.len(), 99);
    assert!((1..30).contains(&tenth.len()) && (30..70).contains(&half.len()), "{} {}", tenth.len(), half.len());
    // On the second path an attempt is sent in the same instant whatever the share.
    assert!(tenth.iter().all(|at| half.contains(at)));
}

#[test]
fn a_task_that_stops_leaves_both_paths_and_waits_for_both() {
    use HappeningKind::*;
    let story = |steps: &[(u64, u32)]| {
        let mut s = moving(pair(1, 1, Span::from_secs(4), (1..100).map(|i| i * 1_000), alb()), sidecar(), steps);
        s.scales.push(Scale { at: at_ms(60_500), service: ServiceId(1), tasks: 0 });
        let events = run_once(&s).events;
        let kinds = [Deregistered, Withdrawn, Sigterm, TaskStopped];
        let of_task = events.into_iter().filter(|event| kinds.contains(&event.kind));
        of_task.map(|event| (event.at.since(Time::ZERO).as_millis(), event.kind)).collect::<Vec<_>>()
    };
    // Nobody has moved: the request of 60 s is under way at a node until 64 s, which the look at 64.5 s finds; then
    // SIGTERM, an app with nothing to do, and a sidecar that drains for 20 s.
    let out = [(60_500, Deregistered), (60_500, Withdrawn)];
    assert_eq!(story(&[]), [&out[..], &[(64_500, Sigterm), (84_500, TaskStopped)]].concat());
    // Everybody has: no node has anything under way, and the sidecar's order is all that is left.
    assert_eq!(story(&[(0, 100)]), [&out[..], &[(60_500, Sigterm), (84_000, TaskStopped)]].concat());
}

#[test]
fn a_wedged_task_hits_only_who_has_not_moved() {
    let failed = |percent| {
        let mut s = shop(alb(), sidecar(), &[(20_500, percent)]);
        wedge(&mut s, FaultKind::Wedge { status: 503 }, Target::Task(ServiceId(1), 1), 40_500);
        run_once(&s).users(0).failed
    };
    // Of the 59 requests from 41 s on, those that a node sends to the wedged one of two; sidecars retry a 503.
    let (none, half, all) = (failed(0), failed(50), failed(100));
    assert_eq!(all, 0);
    assert!(0 < half && half < none && (20..40).contains(&none), "{none} {half}");
}

#[test]
fn a_crashed_sidecar_of_the_caller_hits_only_who_has_moved() {
    let failed = |percent| {
        let mut s = shop(alb(), sidecar(), &[(20_500, percent)]);
        wedge(&mut s, FaultKind::SidecarCrash, Target::Task(ServiceId(0), 1), 40_500);
        run_once(&s).users(0).failed
    };
    // It is back at 41.5 s and has its list 3 s later: the requests of 41, 42, 43 and 44 s find nothing.
    assert_eq!((failed(0), failed(100)), (0, 4));
}

#[test]
fn what_an_alb_sends_passes_the_sidecar_of_the_other_path() {
    let alone = run_once(&pair(1, 2, Span::from_millis(1), (1..100).map(|i| i * 1_000), alb()));
    let both = run_once(&shop(alb(), sidecar(), &[]));
    // One passage of 0.3 ms, half of it on each way.
    let longer = mean_ms(&both) - mean_ms(&alone);
    assert!((longer - 0.3).abs() < 0.005, "{longer}");
    // Only the callee's proxies work: 99 requests of 100 us.
    assert_eq!(both.services[0].sidecar_cpu, Span::ZERO);
    assert_eq!(both.services[1].sidecar_cpu, Span::from_micros(9_900));
}

#[test]
fn a_callee_has_to_be_enrolled_before_its_callers_move() {
    let mut s = shop(alb(), sidecar(), &[(50_500, 100), (80_500, 0)]);
    s.services[1].service_connect = Enrolment::None;
    let (sent, recording) = sent(&s);
    // The requests from 51 to 80 s resolve no name; the rollback ends it.
    assert_eq!(recording.users(0).failed, 30);
    assert_eq!((sent[0].len(), sent[1].len()), (69, 0));
}
