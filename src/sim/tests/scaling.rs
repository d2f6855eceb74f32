//! Target tracking minute by minute, and services that go to zero and come back.

use super::life::pair;
use super::life::scale;
use super::*;
use crate::measure::HappeningKind;

/// A callee of `tasks` under target tracking, asked by users without a plane: `rates` from which second on.
fn tracked(tasks: u32, tracked: Tracked, rates: &[(u64, u64)], seconds: u64) -> Scenario {
    let mut only = service("only", tasks, Some(Distribution::Constant(Span::from_millis(500))));
    only.concurrency = Some(10);
    only.startup = Distribution::Constant(Span::from_secs(30));
    let mut s = scenario(vec![only], vec![], Rate::per_sec(1), seconds, direct(PolicyConfig::direct()));
    s.planes[0].edge_policies.clear();
    s.run.warmup = Span::ZERO;
    let piece = |&(at, rate): &(u64, u64)| RatePiece {
        at: Time::ZERO + Span::from_secs(at),
        rate: Rate::per_sec(rate),
        ramps_to_next: false,
    };
    s.loads[0].arrivals =
        Arrivals::Open { pieces: rates.iter().map(piece).collect(), bursts: vec![], spacing: Spacing::Constant };
    s.loads[0].spread = Spread::RoundRobin;
    s.scalings.push(Scaling {
        service: ServiceId(0),
        min: 2,
        max: 12,
        tracked,
        scale_out_cooldown: Span::from_secs(300),
        scale_in_cooldown: Span::from_secs(300),
    });
    s
}

/// When the desired count changed, and how many tasks there are just after, seconds.
fn moves(recording: &Recording) -> Vec<(u64, usize)> {
    let mut moves = Vec::new();
    for event in recording.events.iter().filter(|event| event.kind == HappeningKind::Scaled) {
        let there = |task: &&crate::measure::TaskRecord| {
            task.started <= event.at && task.stopped.is_none_or(|stopped| stopped > event.at + Span::from_secs(1))
        };
        moves.push((event.at.as_nanos() / 1_000_000_000, recording.tasks.iter().filter(there).count()));
    }
    moves
}

#[test]
fn three_minutes_above_the_target_scale_out_in_proportion() {
    // 40 requests a second, half a second each: 20 of 4 x 10 servers are busy, at 30 % of them that is 1.67 times
    // the target; ceil(4 x 1.67) = 7. The same by rate (10 per task over 6) and by requests in a task (5 over 3).
    let targets =
        [Tracked::Cpu(Ratio::from_percent(30)), Tracked::Requests(Rate::per_sec(6)), Tracked::Concurrency(3_000)];
    for target in targets {
        let recording = run_once(&tracked(4, target, &[(0, 40)], 900));
        assert_eq!(moves(&recording), [(180, 7)], "{target:?}");
        let boots: Vec<u64> = recording
            .events
            .iter()
            .filter(|event| event.kind == HappeningKind::TaskReady)
            .map(|event| event.at.as_nanos() / 1_000_000_000)
            .collect();
        assert_eq!(boots, [210, 210, 210]);
    }
}

#[test]
fn a_cooldown_waits_for_the_last_scale_out_but_not_for_a_larger_one() {
    // 7 tasks at 180 s. From 240 s on 70 requests a second, 10 per task of the seven: 1.67 times the target.
    // By the four tasks of before that is 6.7, so the cooldown holds until 480 s, and ceil(7 x 1.67) = 12.
    let rate = Tracked::Requests(Rate::per_sec(6));
    let recording = run_once(&tracked(4, rate, &[(0, 40), (240, 70)], 900));
    assert_eq!(moves(&recording), [(180, 7), (480, 12)]);
    // 120 a second are 17.1 per task of the seven, 2.86 times the target. By the four of before that is ceil(11.4) = 12, more
    // than was ordered: three datapoints above the target suffice, those of 300, 360 and 420 s.
    let recording = run_once(&tracked(4, rate, &[(0, 40), (240, 120)], 900));
    assert_eq!(moves(&recording)[..2], [(180, 7), (420, 12)]);
}

#[test]
fn fifteen_minutes_below_scale_in_and_never_during_a_deployment() {
    // 12 a second over 6 tasks: 2 per task, a third of the target; ceil(6 / 3) = 2 after fifteen minutes.
    let rate = Tracked::Requests(Rate::per_sec(6));
    let quiet = tracked(6, rate, &[(0, 12)], 1_300);
    assert_eq!(moves(&run_once(&quiet)), [(900, 2)]);
    // 33 a second are 5.5 per task: below the target, but not below 90 % of it.
    assert_eq!(moves(&run_once(&tracked(6, rate, &[(0, 33)], 1_300))), []);
    // One after the other the new version's tasks take 70 s to count as healthy: 6 x 70 s from 600 s on.
    let mut deploying = quiet;
    deploying.deploys.push(Deploy::rolling(Time::ZERO + Span::from_secs(600), ServiceId(0), 100, 117));
    let recording = run_once(&deploying);
    let done = recording.events.iter().rfind(|event| event.kind == HappeningKind::DeployStep).unwrap().at;
    let done = done.as_nanos() / 1_000_000_000;
    assert!(done >= 840, "{done}");
    let expected = if done < 900 { 900 } else { done.next_multiple_of(60) };
    assert_eq!(moves(&recording).iter().map(|(at, _)| *at).collect::<Vec<_>>(), [expected]);
}

#[test]
fn scale_in_waits_for_its_cooldown_and_stops_at_the_minimum() {
    // 40 % of the target at 900 s: ceil(10 x 0.4) = 4. From then on 2 a second, 0.5 per task, a twelfth: still below, but the
    // next step comes at 1,200 s, to the minimum of 2.
    let rate = Tracked::Requests(Rate::per_sec(6));
    let recording = run_once(&tracked(10, rate, &[(0, 24), (900, 2)], 1_500));
    let desired: Vec<(u64, usize)> = moves(&recording);
    assert_eq!(desired, [(900, 4), (1_200, 2)]);
}

#[test]
fn the_books_know_how_many_tasks_there_were() {
    // 2 tasks for 100 s, 5 for the other 100 s, of a run without load on them.
    let mut s = pair(2, direct(PolicyConfig::direct()));
    scale(&mut s, 100_000, 5);
    let recording = run_once(&s);
    let area = |service: usize| recording.services[service].area_tasks;
    assert_eq!(area(1), 700 * 1_000_000_000);
    assert_eq!(area(0), 200 * 1_000_000_000);
    let tasks: Vec<u64> = [50, 99, 100, 199].map(|i| recording.timeline.buckets[i].tasks).to_vec();
    assert_eq!(tasks, [3, 3, 6, 6]);
    assert_eq!(recording.tasks_max, 6);
}

/// Calls that failed among those that began in each stretch of 10 s, by window.
fn failed_in(s: &mut Scenario, from: u64, to: u64) -> (u64, u64, crate::measure::Calls) {
    let during = Window::Between(Time::ZERO + Span::from_secs(from), Time::ZERO + Span::from_secs(to));
    s.expects.push(Expect {
        that: String::new(),
        line: 1,
        left: Operand::Number(0.0),
        op: Comparison::Equal,
        right: Operand::Number(0.0),
        planes: vec![],
        scope: Scope::Users,
        during,
        over: Over::Mean,
        severity: Severity::Warn,
        cell: vec![],
    });
    let window = s.windows().iter().position(|&w| w == during).unwrap();
    let recording = run_once(s);
    let users = recording.users(window);
    (users.requests, users.failed, recording.edge(window, 0))
}

/// Nobody is there from 50 s to 100 s; the new task serves from 110 s on.
fn zero(plane: Plane) -> Scenario {
    let mut s = pair(1, plane);
    s.services[1].endpoints[0].steps = vec![Step::Work(Distribution::Constant(Span::from_millis(100)))];
    s.services[1].startup = Distribution::Constant(Span::from_secs(10));
    scale(&mut s, 50_500, 0);
    scale(&mut s, 100_500, 1);
    s
}

#[test]
fn a_service_at_zero_fails_at_once_on_every_plane_and_comes_back() {
    use crate::policy::Flag;
    for plane in [sidecar(), alb(), direct(PolicyConfig::direct())] {
        let name = plane.name.clone();
        // Everybody has heard by 60 s.
        let (requests, failed, edge) = failed_in(&mut zero(plane.clone()), 60, 100);
        assert_eq!((requests, failed), (40, 40), "{name}");
        assert!(edge.max < Span::from_millis(1), "{name}: nobody waits for what is not there");
        if name != "internal-alb" {
            assert_eq!(edge.flags[Flag::Uh.index()], 40, "{name}: no healthy upstream");
        }
        let (requests, failed, _) = failed_in(&mut zero(plane), 150, 200);
        assert_eq!((requests, failed), (50, 0), "{name}");
    }
}

#[test]
fn a_name_that_did_not_exist_is_remembered() {
    // The record goes at 53.5 s. Kept connections broke at 50.5 s, and DNS shows the new task 3 s after 100.5 s. Whoever asked in
    // between keeps "no such name" for 60 s from then, so one asks at 51 s or later, 111 s or later, and finds it.
    let (requests, failed, _) = failed_in(&mut zero(dns()), 60, 100);
    assert_eq!((requests, failed), (40, 40));
    let s = |negative: u64| {
        let mut s = zero(dns());
        if let Mechanism::Dns(dns) = &mut s.planes[0].mechanism {
            dns.negative_ttl = Span::from_secs(negative);
            dns.ttl = Span::from_secs(1);
        }
        s
    };
    let (_, short, _) = failed_in(&mut s(5), 111, 200);
    let (_, long, _) = failed_in(&mut s(900), 111, 200);
    assert!(short <= 5, "{short} calls failed after the record was back");
    assert_eq!(long, 89, "with the zone's 900 s nobody asks again in this run");
}
