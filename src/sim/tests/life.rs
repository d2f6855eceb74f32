//! Every step of a task's life, by the clock: what happens to whom, and exactly when.

use super::*;
use crate::measure::HappeningKind;
use crate::sim::world::World;

/// One request a second, each 4 s of work, from caller#1 to the `callees` tasks of the callee; no delay anywhere.
pub(super) fn pair(callees: u32, plane: Plane) -> Scenario {
    let mut caller = service("caller", 1, None);
    caller.endpoints[0].steps = vec![call(0)];
    let work = Distribution::Constant(Span::from_secs(4));
    let mut s = scenario(
        vec![caller, service("callee", callees, Some(work))],
        vec![Edge { from: ServiceId(0), to: ServiceId(1) }],
        Rate::per_sec(1),
        200,
        plane,
    );
    s.run.warmup = Span::ZERO;
    s.loads[0].arrivals = Arrivals::Open {
        pieces: vec![RatePiece { at: Time::ZERO, rate: Rate::per_sec(1), ramps_to_next: false }],
        bursts: vec![],
        spacing: Spacing::Constant,
    };
    match &mut s.planes[0].mechanism {
        Mechanism::Sidecar(sidecar) => sidecar.overhead = Distribution::Constant(Span::ZERO),
        Mechanism::Alb(alb) => alb.hop = Distribution::Constant(Span::ZERO),
        Mechanism::Dns(dns) => dns.lookup = Distribution::Constant(Span::ZERO),
        Mechanism::Direct => {}
    }
    s
}

pub(super) fn scale(s: &mut Scenario, at_ms: u64, tasks: u32) {
    s.scales.push(Scale { at: Time::ZERO + Span::from_millis(at_ms), service: ServiceId(1), tasks });
}

/// What ECS did with the callee's tasks: instant in ms, kind, task.
fn story(recording: &Recording) -> Vec<(u64, HappeningKind, &str)> {
    recording
        .events
        .iter()
        .filter(|event| {
            matches!(event.kind, TaskStarted | TaskReady | Sigterm | Sigkill | Deregistered | Withdrawn | TaskStopped)
        })
        .map(|event| {
            let name = recording.tasks[event.task as usize].name.as_str();
            (event.at.as_nanos() / 1_000_000, event.kind, name)
        })
        .collect()
}

/// Runs a world to which `before` does something at its first instant.
fn run_after(s: &Scenario, before: impl FnOnce(&mut World<'_>)) -> Recording {
    let stop = AtomicBool::new(false);
    let mut world = World::new(s, 0, 0);
    before(&mut world);
    let recording = world.run_to_end(Limits { stop: &stop, events_max: u64::MAX }).unwrap();
    assert_eq!(recording.books.problems, Vec::<String>::new());
    recording
}

use HappeningKind::*;

#[test]
fn a_task_is_placed_pulled_and_has_its_sidecar_before_it_runs() {
    // 10 s + 20 s on every plane, 12 s more where a sidecar comes first; then 5 s of boot.
    for (mut plane, running) in [(sidecar(), 102_000), (dns(), 90_000), (direct(PolicyConfig::direct()), 90_000)] {
        if let Mechanism::Sidecar(sidecar) = &mut plane.mechanism {
            sidecar.start = Distribution::Constant(Span::from_secs(12));
        }
        let mut s = pair(1, plane);
        s.services[1].life.provisioning = Distribution::Constant(Span::from_secs(10));
        s.services[1].life.image_pull = Distribution::Constant(Span::from_secs(20));
        s.services[1].startup = Distribution::Constant(Span::from_secs(5));
        scale(&mut s, 60_000, 2);
        let recording = run_once(&s);
        let expected = vec![(running, TaskStarted, "callee#2"), (running + 5_000, TaskReady, "callee#2")];
        assert_eq!(story(&recording), expected, "{}", s.planes[0].name);
        assert_eq!(
            recording.tasks[2].started,
            Time::ZERO + Span::from_secs(60),
            "it is there, and paid for, from the order"
        );
    }
}

#[test]
fn a_task_that_is_stopped_before_it_runs_is_never_told() {
    let mut s = pair(1, direct(PolicyConfig::direct()));
    s.services[1].life.image_pull = Distribution::Constant(Span::from_secs(20));
    scale(&mut s, 60_000, 2);
    scale(&mut s, 70_000, 1);
    assert_eq!(story(&run_once(&s)), vec![(70_000, TaskStopped, "callee#2")]);
}

/// The callee's only task is stopped at 60.5 s; its last request came at 60 s and ends at 64 s.
fn stopped(plane: Plane, change: impl FnOnce(&mut Scenario)) -> Recording {
    let mut s = pair(1, plane);
    scale(&mut s, 60_500, 0);
    change(&mut s);
    run_once(&s)
}

#[test]
fn behind_a_sidecar_the_app_stops_first_and_the_sidecar_drains_for_twenty_seconds() {
    let recording = stopped(sidecar(), |_| {});
    let expected = [(60_500, Withdrawn), (60_500, Sigterm), (84_000, TaskStopped)];
    assert_eq!(story(&recording), expected.map(|(at, kind)| (at, kind, "callee#1")));
    // Until 63.5 s the caller's proxy still has the endpoint; its listener is closed to nobody who is connected, so
    // the requests of 61, 62 and 63 s reach a sidecar without an app. All later ones have no endpoint. None is lost before.
    assert_eq!(recording.users(0).failed, 139);
}

#[test]
fn with_dns_sigterm_follows_deregistration_at_once() {
    let recording = stopped(dns(), |_| {});
    let expected = [(60_500, Withdrawn), (60_500, Sigterm), (64_000, TaskStopped)];
    assert_eq!(story(&recording), expected.map(|(at, kind)| (at, kind, "callee#1")));
}

#[test]
fn an_alb_drains_before_sigterm() {
    // Nodes are asked once a second from the deregistration on: 64.5 s is the first time after 64 s.
    let recording = stopped(alb(), |_| {});
    let expected = [(60_500, Deregistered), (64_500, Sigterm), (64_500, TaskStopped)];
    assert_eq!(story(&recording), expected.map(|(at, kind)| (at, kind, "callee#1")));
    // One that outlasts the delay of 2 s is cut off by SIGTERM's end, not by the ALB.
    let recording = stopped(alb(), |s| {
        if let Mechanism::Alb(alb) = &mut s.planes[0].mechanism {
            alb.deregistration_delay = Span::from_secs(2);
        }
    });
    let expected = [(60_500, Deregistered), (62_500, Sigterm), (64_000, TaskStopped)];
    assert_eq!(story(&recording), expected.map(|(at, kind)| (at, kind, "callee#1")));
}

#[test]
fn without_a_plane_a_task_is_told_at_once() {
    let recording = stopped(direct(PolicyConfig::direct()), |_| {});
    let expected = [(60_500, Withdrawn), (60_500, Sigterm), (64_000, TaskStopped)];
    assert_eq!(story(&recording), expected.map(|(at, kind)| (at, kind, "callee#1")));
}

#[test]
fn sigkill_comes_after_the_stop_timeout_and_the_sidecar_still_drains() {
    for (plane, gone) in [(sidecar(), 82_500), (dns(), 62_500)] {
        let recording = stopped(plane, |s| s.services[1].stop_timeout = Span::from_secs(2));
        let expected = [(60_500, Withdrawn), (60_500, Sigterm), (62_500, Sigkill), (gone, TaskStopped)];
        assert_eq!(story(&recording), expected.map(|(at, kind)| (at, kind, "callee#1")));
    }
}

#[test]
fn an_app_without_a_handler_dies_of_sigterm_with_its_requests() {
    let recording = stopped(sidecar(), |s| s.services[1].handles_sigterm = false);
    let expected = [(60_500, Withdrawn), (60_500, Sigterm), (80_500, TaskStopped)];
    assert_eq!(story(&recording), expected.map(|(at, kind)| (at, kind, "callee#1")));
}

#[test]
fn an_app_that_lingers_serves_those_who_have_not_heard() {
    // DNS shows the withdrawal at 63.5 s, but kept connections never ask. With ten seconds of grace the requests of 61
    // to 70 s are served as well.
    let failed = |delay: u64| {
        let recording = stopped(dns(), |s| s.services[1].life.stop_delay = Span::from_secs(delay));
        let gone = if delay == 0 { 64_000 } else { 74_000 };
        let expected = [(60_500, Withdrawn), (60_500, Sigterm), (gone, TaskStopped)];
        assert_eq!(story(&recording), expected.map(|(at, kind)| (at, kind, "callee#1")));
        recording.users(0).failed
    };
    assert_eq!((failed(0), failed(10)), (139, 129));
    // SIGKILL does not wait for it.
    let recording = stopped(dns(), |s| {
        s.services[1].life.stop_delay = Span::from_secs(60);
        s.services[1].stop_timeout = Span::from_secs(5);
    });
    let expected = [(60_500, Withdrawn), (60_500, Sigterm), (65_500, Sigkill), (65_500, TaskStopped)];
    assert_eq!(story(&recording), expected.map(|(at, kind)| (at, kind, "callee#1")));
}

#[test]
fn a_stopping_app_still_calls_out_through_its_sidecar() {
    // caller -> middle (4 s of work, then a call) -> leaf. The middle is stopped in the middle of its work.
    let mut s = pair(1, sidecar());
    s.services.push(service("leaf", 1, None));
    s.edges.push(Edge { from: ServiceId(1), to: ServiceId(2) });
    s.services[1].endpoints[0].steps.push(call(1));
    let policy = s.planes[0].edge_policies[0].clone();
    s.planes[0].edge_policies.push(policy);
    s.loads[0].until = Time::ZERO + Span::from_millis(60_400);
    scale(&mut s, 60_500, 0);
    let recording = run_once(&s);
    let users = recording.users(0);
    assert_eq!((users.requests, users.failed), (60, 0));
    let expected = [(60_500, Withdrawn), (60_500, Sigterm), (84_000, TaskStopped)];
    assert_eq!(story(&recording), expected.map(|(at, kind)| (at, kind, "callee#1")));
}

#[test]
fn reclaimed_capacity_is_gone_when_the_notice_is_over() {
    // Work of 4 s fits into two minutes; work of 500 s does not, and stop_timeout ends it before.
    let long = |s: &mut Scenario, stop: u64| {
        s.services[1].endpoints[0].steps = vec![Step::Work(Distribution::Constant(Span::from_secs(500)))];
        s.services[1].stop_timeout = Span::from_secs(stop);
        s.planes[0].edge_policies[0].timeouts.request = Span::MAX;
    };
    let notice = Span::from_secs(120);
    let told = |s: &Scenario, at: u64| {
        run_after(s, |world| {
            world.run_until(Time::ZERO + Span::from_secs(at));
            world.reclaim(1, notice);
        })
    };
    let head = |recording: &Recording| -> Vec<(u64, HappeningKind)> {
        story(recording)
            .into_iter()
            .filter(|(_, _, name)| *name == "callee#1")
            .map(|(at, kind, _)| (at, kind))
            .collect()
    };
    let mut s = pair(1, alb());
    long(&mut s, 30);
    if let Mechanism::Alb(alb) = &mut s.planes[0].mechanism {
        alb.node_policy.timeouts.request = Span::MAX;
    }
    // The ALB would drain for 300 s: the notice is over first, and nobody has been told.
    let recording = told(&s, 10);
    assert_eq!(head(&recording), [(10_000, Deregistered), (130_000, Sigkill), (130_000, TaskStopped)]);
    let started: Vec<u64> =
        story(&recording).iter().filter(|(_, kind, _)| *kind == TaskStarted).map(|(at, _, _)| *at).collect();
    assert_eq!(started, [19_000], "its replacement starts 9 s after the notice, once");
    let mut s = pair(1, sidecar());
    long(&mut s, 110);
    // SIGKILL at 120 s; the sidecar's 20 s end with the notice at 130 s.
    let recording = told(&s, 10);
    assert_eq!(head(&recording), [(10_000, Withdrawn), (10_000, Sigterm), (120_000, Sigkill), (130_000, TaskStopped)]);
    let recording = told(&pair(1, sidecar()), 10);
    assert_eq!(head(&recording)[2..], [(34_000, TaskStopped)], "the request of 10 s ends at 14 s");
}

#[test]
fn a_container_killed_for_its_memory_leaves_its_sidecar_behind() {
    for (plane, gone) in [(sidecar(), 20_000), (direct(PolicyConfig::direct()), 0)] {
        let recording = run_after(&pair(1, plane), |world| world.kill_for_memory(1));
        let mut expected = vec![
            (0, Sigkill, "callee#1"),
            (5_000, Withdrawn, "callee#1"),
            (14_000, TaskStarted, "callee#2"),
            (gone, TaskStopped, "callee#1"),
            (44_000, TaskReady, "callee#2"),
        ];
        expected.sort_by_key(|(at, _, _)| *at);
        assert_eq!(story(&recording), expected);
    }
}

#[test]
fn a_version_that_crashes_in_a_loop_is_started_again_and_again() {
    let mut s = pair(1, direct(PolicyConfig::direct()));
    s.services[1].startup = Distribution::Constant(Span::from_secs(5));
    s.run.duration = Span::from_secs(76);
    scale(&mut s, 10_000, 2);
    let recording = run_after(&s, |world| world.services[1].crash_loop = Some(Span::from_secs(20)));
    let round = |start: u64, name: &'static str| {
        [
            (start, TaskStarted, name),
            (start + 5_000, TaskReady, name),
            (start + 20_000, TaskStopped, name),
            (start + 25_000, Withdrawn, name),
        ]
    };
    let expected = [round(10_000, "callee#2"), round(44_000, "callee#3"), round(78_000, "callee#4")].concat();
    assert_eq!(story(&recording), expected);
}

#[test]
fn a_deep_check_fails_as_often_as_the_version_does() {
    for (deep, errors, healthy) in [(false, 100, true), (true, 0, true), (true, 100, false)] {
        let mut s = hanging(sidecar(), Replacement::First);
        s.faults.clear();
        s.services[1].health_check.as_mut().unwrap().deep = deep;
        s.services[1].endpoints[0].errors = Ratio::from_percent(errors);
        scale(&mut s, 50_000, 3);
        let found = run_once(&s).events.iter().any(|event| event.kind == Healthy);
        assert_eq!(found, healthy, "deep {deep}, {errors} % errors");
    }
}

/// Two callees with a check every 10 s; callee#1 hangs from 50 s on.
fn hanging(plane: Plane, replacement: Replacement) -> Scenario {
    let mut s = pair(2, plane);
    s.services[1].health_check = Some(ContainerCheck {
        interval: Span::from_secs(10),
        timeout: Span::from_secs(5),
        retries: 3,
        start_period: Span::ZERO,
        deep: false,
    });
    s.services[1].startup = Distribution::Constant(Span::from_secs(25));
    s.services[1].life.replacement = replacement;
    s.faults.push(Fault {
        name: "fault 1".to_owned(),
        kind: FaultKind::Hang,
        how: crate::scenario::How::default(),
        target: Target::Task(ServiceId(1), 1),
        when: When::Once { at: Time::ZERO + Span::from_secs(50), lasts: None },
    });
    s
}

#[test]
fn an_unhealthy_task_is_replaced_first_and_stopped_then() {
    // The instant of the third failed check after 50 s is the task's own phase; everything else follows from it.
    let after_verdict = |s: &Scenario| -> Vec<(u64, HappeningKind, String)> {
        let recording = run_once(s);
        let verdict = recording.events.iter().find(|event| event.kind == Unhealthy).unwrap().at;
        assert!((70..=80).contains(&(verdict.as_nanos() / 1_000_000_000)), "three checks after 50 s: {verdict:?}");
        recording
            .events
            .iter()
            .filter(|event| event.task != u32::MAX && event.at >= verdict)
            .filter(|event| !matches!(event.kind, Ejected | Unejected))
            .map(|event| {
                let name = recording.tasks[event.task as usize].name.clone();
                (event.at.since(verdict).as_nanos() / 1_000_000, event.kind, name)
            })
            .collect()
    };
    let line = |at: u64, kind: HappeningKind, name: &str| (at, kind, name.to_owned());
    let first = after_verdict(&hanging(sidecar(), Replacement::First));
    // RUNNING at once, serves after 25 s, passes the check of 30 s; then the old one goes.
    let expected = [
        line(0, Unhealthy, "callee#1"),
        line(0, Withdrawn, "callee#1"),
        line(0, TaskStarted, "callee#3"),
        line(25_000, TaskReady, "callee#3"),
        line(30_000, Healthy, "callee#3"),
        line(30_000, Sigterm, "callee#1"),
    ];
    assert_eq!(first[..6], expected);
    let after = after_verdict(&hanging(sidecar(), Replacement::After));
    let expected = [
        line(0, Unhealthy, "callee#1"),
        line(0, Withdrawn, "callee#1"),
        line(0, Sigterm, "callee#1"),
        line(0, TaskStarted, "callee#3"),
    ];
    assert_eq!(after[..4], expected);
    // Cloud Map shows a failing check 30 s later, which is when the stop withdraws it anyway.
    let dns = after_verdict(&hanging(dns(), Replacement::First));
    assert!(dns.contains(&line(30_000, Withdrawn, "callee#1")), "{dns:?}");
}

#[test]
fn a_grace_period_holds_the_replacement_back() {
    let mut s = hanging(sidecar(), Replacement::First);
    s.services[1].life.health_check_grace_period = Some(Span::from_secs(60));
    // callee#3 runs from 10 s on and hangs from 50 s on: failed at 50, 60 and 70 s, and no longer in grace at 70 s.
    s.faults[0].target = Target::Task(ServiceId(1), 3);
    scale(&mut s, 10_000, 3);
    let verdict = |s: &Scenario, kind| {
        let recording = run_once(s);
        recording.events.iter().find(|event| event.kind == kind).map(|event| event.at.as_nanos() / 1_000_000_000)
    };
    assert_eq!((verdict(&s, Unhealthy), verdict(&s, Sigterm)), (Some(70), Some(100)));
    s.services[1].life.health_check_grace_period = Some(Span::from_secs(75));
    // In grace until 85 s: the check of 90 s is the first that counts for ECS.
    assert_eq!((verdict(&s, Unhealthy), verdict(&s, Sigterm)), (Some(70), Some(120)));
}

#[test]
fn a_start_period_ends_with_the_first_check_that_passes() {
    let mut s = hanging(sidecar(), Replacement::After);
    s.faults[0].target = Target::Task(ServiceId(1), 3);
    s.services[1].startup = Distribution::Constant(Span::ZERO);
    scale(&mut s, 10_000, 3);
    if let Some(check) = &mut s.services[1].health_check {
        check.start_period = Span::from_secs(300);
    }
    let recording = run_once(&s);
    let unhealthy = recording.events.iter().find(|event| event.kind == Unhealthy).unwrap();
    assert_eq!(unhealthy.at, Time::ZERO + Span::from_secs(70));
}

#[test]
fn a_target_that_never_passes_is_replaced_when_its_grace_is_over() {
    let starts = |grace: Option<u64>, replacement: Replacement| -> Vec<u64> {
        let mut s = pair(1, alb());
        s.services[1].startup = Distribution::Constant(Span::from_secs(100));
        s.services[1].life.health_check_grace_period = grace.map(Span::from_secs);
        s.services[1].life.replacement = replacement;
        scale(&mut s, 10_000, 2);
        let recording = run_once(&s);
        story(&recording).iter().filter(|(_, kind, _)| *kind == TaskStarted).map(|(at, _, _)| *at / 1_000).collect()
    };
    // Three nodes probe every 30 s, each at its own time: all have failed twice after 30 to 60 s. The boot takes
    // 100 s, so no task ever gets there.
    let looping = starts(Some(0), Replacement::After);
    assert!((4..=8).contains(&looping.len()), "{looping:?}");
    assert!(looping.windows(2).all(|pair| (30..=60).contains(&(pair[1] - pair[0]))), "{looping:?}");
    // With its replacement first the old one lives to see the end of its boot, and the replacement goes.
    assert_eq!(starts(Some(0), Replacement::First).len(), 2);
    assert_eq!(starts(Some(120), Replacement::After), [10], "it serves after 100 s");
    assert_eq!(starts(None, Replacement::After), [10], "as if the grace period covered the start-up");
}

#[test]
fn without_a_check_a_task_counts_as_healthy_forty_seconds_after_it_runs() {
    for (pull, running) in [(0, 10_000), (20, 30_000)] {
        let mut s = pair(1, direct(PolicyConfig::direct()));
        s.services[1].startup = Distribution::Constant(Span::from_secs(5));
        s.services[1].life.image_pull = Distribution::Constant(Span::from_secs(pull));
        s.loads[0].until = Time::ZERO;
        s.deploys.push(Deploy::rolling(Time::ZERO + Span::from_secs(10), ServiceId(1), 100, 200));
        let recording = run_once(&s);
        let expected = [
            (running, TaskStarted, "callee#2"),
            (running + 5_000, TaskReady, "callee#2"),
            (running + 40_000, Withdrawn, "callee#1"),
            (running + 40_000, Sigterm, "callee#1"),
            (running + 40_000, TaskStopped, "callee#1"),
        ];
        assert_eq!(story(&recording), expected);
    }
}

#[test]
fn an_endpoint_announced_before_its_app_serves_costs_five_answers() {
    let errors = |ready_when: ReadyWhen| {
        let mut s = hanging(sidecar(), Replacement::First);
        s.faults.clear();
        s.services[1].endpoints[0].steps = vec![Step::Work(Distribution::Constant(Span::from_millis(100)))];
        if let Mechanism::Sidecar(sidecar) = &mut s.planes[0].mechanism {
            sidecar.ready_when = ready_when;
        }
        scale(&mut s, 60_500, 3);
        let recording = run_once(&s);
        assert_eq!(recording.users(0).failed, 0, "retries save them all");
        (recording.tasks[3].errors, recording.tasks[3].requests > 10)
    };
    // It serves 25 s after it runs; the fifth 503 in a row ejects it for the 30 s that are left of its boot and more.
    assert_eq!(errors(ReadyWhen::TaskRunning), (5, true));
    assert_eq!(errors(ReadyWhen::Healthy), (0, true));
}
