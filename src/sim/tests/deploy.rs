//! Deployments to the second: what happens when, who gets which request, and how it goes back.

use super::*;
use crate::measure::HappeningKind;

const FOR_ALL: Ratio = Ratio::from_percent(100);

fn secs(seconds: u64) -> Span {
    Span::from_secs(seconds)
}

fn at(seconds: u64) -> Time {
    Time::ZERO + secs(seconds)
}

/// api x2 -> payments, ten requests a second from 0.15 s on, no work and no distance: whatever is
/// seen at an instant happened at it.
fn shop(payments: u32, plane: Plane, deploy: Option<Deploy>) -> Scenario {
    let mut api = service("api", 2, None);
    api.endpoints[0].steps = vec![call(0)];
    let edges = vec![Edge { from: ServiceId(0), to: ServiceId(1) }];
    let mut s = scenario(vec![api, service("payments", payments, None)], edges, Rate::per_sec(10), 300, plane);
    s.run.warmup = Span::ZERO;
    s.loads[0].from = Time::ZERO + Span::from_millis(50);
    if let Arrivals::Open { spacing, .. } = &mut s.loads[0].arrivals {
        *spacing = Spacing::Constant;
    }
    s.deploys = deploy.into_iter().collect();
    s
}

fn rolling(minimum: u32, maximum: u32) -> Deploy {
    Deploy::rolling(at(60), ServiceId(1), minimum, maximum)
}

/// Green gets the traffic 20 s after it is up and bakes for 60 s.
fn shifting(shift: Shifting) -> Deploy {
    let strategy = Strategy::Shifting { shift, test_time: secs(20), test_errors: None, settle: secs(30) };
    Deploy { strategy, bake_time: secs(60), ..rolling(100, 200) }
}

/// The same, to a version that answers every request 500.
fn bad(shift: Shifting) -> Deploy {
    let change = Change { errors: Some(FOR_ALL), ..Change::default() };
    Deploy { change, ..shifting(shift) }
}

fn breaker(threshold: FailureThreshold) -> CircuitBreaker {
    CircuitBreaker { rollback: true, threshold, reset_on_healthy_task: true }
}

fn test_load(mut s: Scenario) -> Scenario {
    let load = Load { name: "tests".to_owned(), test: true, ..s.loads[0].clone() };
    s.loads.push(load);
    s
}

/// Steps of deployments: the second, and what ECS calls it.
fn steps(recording: &Recording) -> Vec<(u64, &'static str)> {
    let of_deploys = recording.events.iter().filter(|event| event.kind == HappeningKind::DeployStep);
    of_deploys.map(|event| (event.at.since(Time::ZERO).as_millis() / 1000, event.note)).collect()
}

/// Seconds at which something happened, with the task.
fn when(recording: &Recording, kind: HappeningKind) -> Vec<(u64, &str)> {
    let of_kind = recording.events.iter().filter(|event| event.kind == kind);
    of_kind
        .map(|event| {
            let name = recording.tasks.get(event.task as usize).map_or("", |task| task.name.as_str());
            (event.at.since(Time::ZERO).as_millis() / 1000, name)
        })
        .collect()
}

fn failed_between(recording: &Recording, from: usize, to: usize) -> u64 {
    recording.timeline.buckets[from..to].iter().map(|bucket| bucket.errors).sum()
}

fn of_tasks(recording: &Recording, numbers: std::ops::RangeInclusive<u32>) -> u64 {
    let named = |n: u32| recording.tasks.iter().find(|task| task.name == format!("payments#{n}"));
    numbers.filter_map(named).map(|task| task.requests).sum()
}

#[test]
fn a_rolling_deployment_is_over_when_the_last_old_task_has_stopped() {
    let recording = run_once(&shop(4, direct(PolicyConfig::direct()), Some(rolling(100, 200))));
    // Four start at 60 s; healthy 40 s after RUNNING, without a check; then the four old ones may go.
    assert_eq!(steps(&recording), [(60, "IN_PROGRESS"), (100, "COMPLETED")]);
    assert_eq!(recording.rollout.longest, secs(40));
    assert_eq!((recording.rollout.began, recording.rollout.completed, recording.rollout.rollbacks), (1, 1, 0));
    assert_eq!(recording.users(0).failed, 0);
}

#[test]
fn the_minimum_is_rounded_up_and_the_maximum_down() {
    // Of three tasks 50 % is two and 150 % is four: one comes, one goes at once, one by one.
    let recording = run_once(&shop(3, direct(PolicyConfig::direct()), Some(rolling(50, 150))));
    let started: Vec<u64> = when(&recording, HappeningKind::TaskStarted).iter().map(|(at, _)| *at).collect();
    // 60: one more fits under four; one old goes (two stay healthy), so that a second fits.
    assert_eq!(started, [60, 60, 100]);
    let stopped: Vec<u64> = when(&recording, HappeningKind::TaskStopped).iter().map(|(at, _)| *at).collect();
    assert_eq!(stopped, [60, 100, 100]);
    assert_eq!(steps(&recording), [(60, "IN_PROGRESS"), (140, "COMPLETED")]);
}

#[test]
fn a_crash_loop_trips_the_breaker_at_its_threshold() {
    let looping = |threshold| {
        let change = Change { crash_loop: Some(secs(10)), ..Change::default() };
        let deploy = Deploy { change, circuit_breaker: threshold, ..rolling(100, 200) };
        run_once(&shop(1, direct(PolicyConfig::direct()), Some(deploy)))
    };
    // RUNNING at 60, dead at 70, noticed at 75, the next at 84: failures at 75, 99 and 123; of one task
    // 50 % is one, and three is the least.
    let recording = looping(Some(breaker(FailureThreshold::BoundedPercent(50))));
    let failed = [
        (60, "IN_PROGRESS"),
        (123, "FAILED: circuit breaker"),
        (123, "ROLLBACK_IN_PROGRESS"),
        (123, "ROLLBACK_SUCCESSFUL"),
    ];
    assert_eq!(steps(&recording), failed);
    assert_eq!((recording.rollout.completed, recording.rollout.rollbacks), (0, 1));
    assert_eq!(when(&recording, HappeningKind::TaskStarted).len(), 3);
    // The old task never went.
    assert_eq!(recording.users(0).failed, 0);
    let once = looping(Some(breaker(FailureThreshold::Count(1))));
    assert_eq!(steps(&once)[1], (75, "FAILED: circuit breaker"));
    // Without a breaker ECS tries for ever: a task every 24 s from 60 s to the end.
    let never = looping(None);
    assert_eq!(steps(&never), [(60, "IN_PROGRESS")]);
    assert_eq!(when(&never, HappeningKind::TaskStarted).len(), 11);
}

#[test]
fn a_breaker_without_rollback_stops_where_it_is() {
    let change = Change { crash_loop: Some(secs(10)), ..Change::default() };
    let stop = CircuitBreaker { rollback: false, threshold: FailureThreshold::Count(2), reset_on_healthy_task: true };
    let deploy = Deploy { change, circuit_breaker: Some(stop), ..rolling(100, 200) };
    let recording = run_once(&shop(1, direct(PolicyConfig::direct()), Some(deploy)));
    assert_eq!(steps(&recording), [(60, "IN_PROGRESS"), (99, "FAILED: circuit breaker")]);
    assert_eq!(when(&recording, HappeningKind::TaskStarted).len(), 2);
    assert_eq!(recording.users(0).failed, 0);
}

#[test]
fn a_death_after_the_task_was_healthy_is_not_counted() {
    // Dead after 50 s, ten after ECS took it for healthy: the breaker never counts it.
    let change = Change { crash_loop: Some(secs(50)), ..Change::default() };
    let deploy = Deploy { change, circuit_breaker: Some(breaker(FailureThreshold::Count(1))), ..rolling(100, 200) };
    let recording = run_once(&shop(1, direct(PolicyConfig::direct()), Some(deploy)));
    assert_eq!(steps(&recording), [(60, "IN_PROGRESS"), (100, "COMPLETED")]);
    assert!(recording.users(0).failed > 0, "and the service is down again and again");
}

#[test]
fn a_healthy_task_sets_the_breaker_back() {
    let crashes = |reset_on_healthy_task| {
        let breaker = CircuitBreaker { reset_on_healthy_task, ..breaker(FailureThreshold::Count(2)) };
        let deploy = Deploy { circuit_breaker: Some(breaker), ..rolling(100, 150) };
        let mut s = shop(2, direct(PolicyConfig::direct()), Some(deploy));
        for (number, second) in [(3, 65), (5, 125)] {
            s.faults.push(Fault {
                name: format!("crash {number}"),
                kind: FaultKind::Crash,
                how: crate::scenario::How::default(),
                target: Target::Task(ServiceId(1), number),
                when: When::Once { at: at(second), lasts: None },
            });
        }
        run_once(&s)
    };
    // One at a time: #3 dies, #4 starts at 79 and is healthy at 119, #5 starts then and dies.
    assert_eq!(steps(&crashes(true)), [(60, "IN_PROGRESS"), (179, "COMPLETED")]);
    let counted = crashes(false);
    assert_eq!(steps(&counted)[1], (130, "FAILED: circuit breaker"));
    assert_eq!(steps(&counted).last(), Some(&(170, "ROLLBACK_SUCCESSFUL")));
}

#[test]
fn a_change_of_the_desired_count_holds_for_both_versions() {
    let mut s = shop(4, direct(PolicyConfig::direct()), Some(shifting(Shifting::AllAtOnce)));
    s.scales.push(Scale { at: at(80), service: ServiceId(1), tasks: 6 });
    let recording = run_once(&s);
    // Two more of each start at 80 s, and the new version is up when its last one is healthy.
    assert_eq!(steps(&recording)[2], (120, "TEST_TRAFFIC_SHIFT"));
    assert_eq!(recording.tasks_max, 2 + 6 + 6);
    assert_eq!(steps(&recording).last(), Some(&(200, "COMPLETED")));
}

#[test]
fn failing_checks_trip_the_breaker_too() {
    let change = Change { startup: Some(Distribution::Constant(secs(1_000))), ..Change::default() };
    let deploy = Deploy { change, circuit_breaker: Some(breaker(FailureThreshold::Count(2))), ..rolling(100, 200) };
    let mut s = shop(1, direct(PolicyConfig::direct()), Some(deploy));
    s.services[1].health_check =
        Some(ContainerCheck { interval: secs(10), timeout: secs(5), retries: 3, start_period: secs(5), deep: false });
    // RUNNING at 60, checks fail at 70, 80 and 90; the next one starts as the first is stopped.
    let recording = run_once(&s);
    assert_eq!(steps(&recording)[1], (120, "FAILED: circuit breaker"));
    assert_eq!(steps(&recording).last(), Some(&(120, "ROLLBACK_SUCCESSFUL")));
}

#[test]
fn early_success_is_over_before_the_last_task_is_replaced() {
    let strategy = Strategy::Rolling {
        minimum_healthy_percent: 50,
        maximum_percent: 150,
        early_success: Some(EarlySuccess { healthy_percent: 60, blocking: false }),
    };
    let deploy = Deploy { strategy, ..rolling(50, 150) };
    let recording = run_once(&shop(3, direct(PolicyConfig::direct()), Some(deploy)));
    // Two of three are healthy at 100 s; the third starts then all the same.
    assert_eq!(steps(&recording), [(60, "IN_PROGRESS"), (100, "COMPLETED")]);
    assert_eq!(when(&recording, HappeningKind::TaskStarted).len(), 3);
    assert_eq!(when(&recording, HappeningKind::TaskStopped).len(), 3);
    // The old tasks' proxies drain for 20 s, which blocks only where it is asked to.
    let on_sidecars = |early_success| {
        let strategy = Strategy::Rolling { minimum_healthy_percent: 100, maximum_percent: 200, early_success };
        let recording = run_once(&shop(4, sidecar(), Some(Deploy { strategy, ..rolling(100, 200) })));
        steps(&recording)[1]
    };
    let all = |blocking| Some(EarlySuccess { healthy_percent: 100, blocking });
    assert_eq!(on_sidecars(all(false)), (100, "COMPLETED"));
    assert_eq!(on_sidecars(all(true)), (120, "COMPLETED"));
    assert_eq!(on_sidecars(None), (120, "COMPLETED"));
}

#[test]
fn a_rolling_deployment_bakes_and_its_alarm_takes_it_back() {
    let change = Change { errors: Some(FOR_ALL), ..Change::default() };
    let alarm = Alarm { error_rate: Ratio::from_percent(5), over: secs(60), of: AlarmOn::Users, rollback: true };
    let deploy = Deploy { change, bake_time: secs(100), alarm: Some(alarm), ..rolling(100, 200) };
    let recording = run_once(&shop(2, direct(PolicyConfig::direct()), Some(deploy)));
    // Both replaced at 100 s. Of the requests of 60 to 120 s more than a third failed: the alarm rings at 120 s,
    // the old version comes up in 40 s.
    let expected = [
        (60, "IN_PROGRESS"),
        (100, "BAKE_TIME"),
        (120, "FAILED: alarm"),
        (120, "ROLLBACK_IN_PROGRESS"),
        (160, "ROLLBACK_SUCCESSFUL"),
    ];
    assert_eq!(steps(&recording), expected);
    assert_eq!(failed_between(&recording, 161, 300), 0);
    assert_eq!(failed_between(&recording, 0, 90), 0);
}

#[test]
fn blue_green_goes_through_its_stages() {
    let recording = run_once(&test_load(shop(4, direct(PolicyConfig::direct()), Some(bad(Shifting::AllAtOnce)))));
    let expected = [
        (60, "IN_PROGRESS"),
        (60, "SCALE_UP"),
        (100, "TEST_TRAFFIC_SHIFT"),
        (120, "PRODUCTION_TRAFFIC_SHIFT"),
        (120, "BAKE_TIME"),
        (180, "CLEAN_UP"),
        (180, "COMPLETED"),
    ];
    assert_eq!(steps(&recording), expected);
    // Both versions run in full, beside two of api.
    assert_eq!(recording.tasks_max, 10);
    // Before the shift no request of a user fails; after it every one does.
    assert_eq!((failed_between(&recording, 0, 120), failed_between(&recording, 120, 300)), (0, 1_800));
    // Test requests reach green alone from 100 s on.
    assert_eq!((recording.rollout.tests, recording.rollout.tests_failed), (2_999, 2_000));
    assert_eq!(of_tasks(&recording, 1..=4), 1_200 - 1 + 1_000 - 1);
    assert_eq!(recording.users(0).requests, 2_999);
}

#[test]
fn tests_that_fail_keep_green_from_the_users() {
    let mut deploy = bad(Shifting::AllAtOnce);
    deploy.strategy = Strategy::Shifting {
        shift: Shifting::AllAtOnce,
        test_time: secs(20),
        test_errors: Some(Ratio::from_percent(1)),
        settle: secs(30),
    };
    let recording = run_once(&test_load(shop(4, direct(PolicyConfig::direct()), Some(deploy))));
    let last: Vec<(u64, &str)> = steps(&recording).split_off(2);
    let expected = [
        (100, "TEST_TRAFFIC_SHIFT"),
        (120, "FAILED: test hook"),
        (120, "ROLLBACK_IN_PROGRESS"),
        (120, "CLEAN_UP"),
        (120, "ROLLBACK_SUCCESSFUL"),
    ];
    assert_eq!(last, expected);
    assert_eq!((recording.users(0).failed, recording.rollout.tests_failed), (0, 200));
}

#[test]
fn a_rollback_sends_the_traffic_back_at_once() {
    let deploy = Deploy { rollback_at: Some(at(130)), ..bad(Shifting::AllAtOnce) };
    let recording = run_once(&shop(4, direct(PolicyConfig::direct()), Some(deploy)));
    let last: Vec<(u64, &str)> = steps(&recording).split_off(3);
    let expected = [
        (120, "PRODUCTION_TRAFFIC_SHIFT"),
        (120, "BAKE_TIME"),
        (130, "ROLLBACK_REQUESTED"),
        (130, "ROLLBACK_IN_PROGRESS"),
        (160, "CLEAN_UP"),
        (160, "ROLLBACK_SUCCESSFUL"),
    ];
    assert_eq!(last, expected);
    assert_eq!((recording.users(0).failed, failed_between(&recording, 120, 130)), (100, 100));
    assert_eq!((recording.rollout.completed, recording.rollout.rollbacks), (0, 1));
}

#[test]
fn an_alarm_takes_a_shift_back() {
    let alarm = Alarm { error_rate: Ratio::from_percent(5), over: secs(60), of: AlarmOn::Service, rollback: true };
    let deploy = Deploy { alarm: Some(alarm), bake_time: secs(100), ..bad(Shifting::AllAtOnce) };
    let recording = run_once(&shop(4, direct(PolicyConfig::direct()), Some(deploy)));
    assert_eq!(steps(&recording)[5..7], [(180, "FAILED: alarm"), (180, "ROLLBACK_IN_PROGRESS")]);
    assert_eq!(recording.users(0).failed, 600);
}

#[test]
fn a_canary_gets_its_share_and_then_everything() {
    let share = Ratio::from_percent(10);
    let mut deploy = bad(Shifting::Canary { share, bake: secs(100) });
    deploy.bake_time = secs(40);
    let recording = run_once(&shop(4, direct(PolicyConfig::direct()), Some(deploy)));
    let last: Vec<(u64, &str)> = steps(&recording).split_off(3);
    let expected = [
        (120, "PRODUCTION_TRAFFIC_SHIFT"),
        (220, "PRODUCTION_TRAFFIC_SHIFT"),
        (220, "BAKE_TIME"),
        (260, "CLEAN_UP"),
        (260, "COMPLETED"),
    ];
    assert_eq!(last, expected);
    // A tenth of 1,000, within four standard deviations (9.5 each); then all of 800.
    let canary = failed_between(&recording, 120, 220);
    assert!((62..=138).contains(&canary), "{canary}");
    assert_eq!((failed_between(&recording, 0, 120), failed_between(&recording, 220, 300)), (0, 800));
}

#[test]
fn linear_goes_step_by_step() {
    let mut deploy = bad(Shifting::Linear { step: Ratio::from_percent(40), every: secs(50) });
    deploy.bake_time = secs(10);
    let recording = run_once(&shop(4, direct(PolicyConfig::direct()), Some(deploy)));
    let last: Vec<(u64, &str)> = steps(&recording).split_off(3);
    let expected = [
        (120, "PRODUCTION_TRAFFIC_SHIFT"),
        (170, "PRODUCTION_TRAFFIC_SHIFT"),
        (220, "PRODUCTION_TRAFFIC_SHIFT"),
        (220, "BAKE_TIME"),
        // The settling time is longer than the bake time.
        (250, "CLEAN_UP"),
        (250, "COMPLETED"),
    ];
    assert_eq!(last, expected);
    let (first, second) = (failed_between(&recording, 120, 170), failed_between(&recording, 170, 220));
    // 200 and 400 of 500 each, within four standard deviations.
    assert!((156..=244).contains(&first) && (364..=436).contains(&second), "{first} {second}");
}

#[test]
fn proxies_shift_when_they_hear_of_it_and_lose_nothing() {
    let recording = run_once(&shop(4, sidecar(), Some(bad(Shifting::AllAtOnce))));
    // 3 s for the push; a stopped task's proxy drains for 20 s.
    assert_eq!(failed_between(&recording, 0, 123), 0);
    assert_eq!(failed_between(&recording, 124, 300), 1_760);
    assert_eq!(steps(&recording).last(), Some(&(200, "COMPLETED")));
    for plane in [sidecar(), alb()] {
        let good = run_once(&shop(4, plane, Some(shifting(Shifting::AllAtOnce))));
        assert_eq!((good.users(0).failed, good.rollout.completed), (0, 1));
        // Green's targets are all new until a probe passes, and nobody sends to them.
        assert_eq!(good.panic_time, Span::ZERO);
        assert!(of_tasks(&good, 5..=8) > 1_000);
    }
}

#[test]
fn target_groups_share_by_weight() {
    let deploy = bad(Shifting::Canary { share: Ratio::from_percent(20), bake: secs(100) });
    let recording = run_once(&shop(4, alb(), Some(deploy)));
    let shifts: Vec<usize> = steps(&recording)
        .iter()
        .filter(|(_, note)| *note == "PRODUCTION_TRAFFIC_SHIFT")
        .map(|(at, _)| *at as usize)
        .collect();
    let [first, second] = shifts[..] else { panic!("{shifts:?}") };
    assert_eq!(second - first, 100);
    // A new target needs one pass of each node's probes, thirty seconds apart.
    assert!((90..=140).contains(&first), "{first}");
    let canary = failed_between(&recording, first + 1, second);
    assert!((147..=249).contains(&canary), "{canary} of 990, a fifth expected");
    assert_eq!(failed_between(&recording, 0, first), 0);
}

#[test]
fn an_entry_shifts_like_any_other_service() {
    let mut deploy = bad(Shifting::AllAtOnce);
    deploy.service = ServiceId(0);
    let recording = run_once(&shop(1, sidecar(), Some(deploy)));
    assert_eq!((failed_between(&recording, 0, 120), failed_between(&recording, 120, 300)), (0, 1_800));
}

#[test]
fn a_service_without_a_target_group_is_healthy_after_forty_seconds_on_every_plane() {
    let deploy = Deploy { service: ServiceId(0), ..rolling(100, 200) };
    let recording = run_once(&shop(2, alb(), Some(deploy)));
    assert_eq!(steps(&recording), [(60, "IN_PROGRESS"), (100, "COMPLETED")]);
    assert_eq!(recording.users(0).failed, 0);
}

#[test]
fn a_newer_deployment_takes_the_place_of_one_under_way() {
    let mut s = shop(4, direct(PolicyConfig::direct()), Some(bad(Shifting::AllAtOnce)));
    s.deploys.push(Deploy { at: at(110), ..shifting(Shifting::AllAtOnce) });
    let recording = run_once(&s);
    assert_eq!(recording.users(0).failed, 0);
    assert_eq!(steps(&recording).last(), Some(&(230, "COMPLETED")));
    assert_eq!((recording.rollout.began, recording.rollout.completed), (2, 1));
}

#[test]
fn two_shifts_in_a_row_and_a_rolling_one_after_them() {
    let mut s = shop(2, sidecar(), Some(shifting(Shifting::AllAtOnce)));
    s.run.duration = secs(900);
    s.deploys.push(Deploy { at: at(300), ..shifting(Shifting::AllAtOnce) });
    s.deploys.push(Deploy { at: at(600), ..rolling(100, 200) });
    let recording = run_once(&s);
    assert_eq!((recording.rollout.began, recording.rollout.completed, recording.users(0).failed), (3, 3, 0));
}

#[test]
fn the_status_of_a_bad_version_decides_whether_it_is_retried() {
    let failing = |status| {
        let change = Change { errors: Some(FOR_ALL), status, ..Change::default() };
        let deploy = Deploy { change, ..shifting(Shifting::AllAtOnce) };
        run_once(&shop(4, sidecar(), Some(deploy))).edge(0, 0).retries
    };
    assert_eq!(failing(None), 0);
    assert!(failing(Some(503)) > 1_000);
}

#[test]
fn a_task_knows_the_names_of_its_last_deployment() {
    let mut s = shop(2, sidecar(), None);
    s.services[1].created = at(60);
    // A task that comes later by scaling knows no more.
    s.scales.push(Scale { at: at(100), service: ServiceId(0), tasks: 3 });
    let recording = run_once(&s);
    assert_eq!((recording.users(0).failed, recording.rollout.unresolved), (2_999, 2_999));
    assert_eq!(recording.edge(0, 0).attempts, 0);
    assert_eq!(when(&recording, HappeningKind::UnknownHost).len(), 3);
    // One redeployment of the caller, and its tasks know the name one by one.
    s.deploys.push(Deploy { at: at(150), ..Deploy::rolling(at(150), ServiceId(0), 100, 200) });
    let recording = run_once(&s);
    assert_eq!(failed_between(&recording, 191, 300), 0);
    assert_eq!(failed_between(&recording, 0, 150), 1_499);
    // A plane that takes no snapshot, or no names at all, needs no redeployment.
    for plane in [alb(), dns()] {
        let mut s = shop(2, plane, None);
        s.services[1].created = at(60);
        let recording = run_once(&s);
        assert_eq!(recording.rollout.unresolved, 0);
        assert!(failed_between(&recording, 0, 60) > 500);
        assert_eq!(failed_between(&recording, 200, 300), 0);
    }
}
