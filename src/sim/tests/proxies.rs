//! Sidecars that are short of processor time or memory, that crash, that are not there.

use super::*;
use crate::measure::Flag;
use crate::measure::HappeningKind;

/// A plane of sidecars that add nothing by themselves, forget nobody and try nothing twice.
fn bare() -> Plane {
    let mut plane = sidecar();
    if let Mechanism::Sidecar(sidecar) = &mut plane.mechanism {
        sidecar.overhead = Distribution::Constant(Span::ZERO);
    }
    let policy = &mut plane.edge_policies[0];
    policy.retry_policy = None;
    policy.outlier_detection = None;
    policy.locality = LocalityRouting::None;
    plane
}

fn of(plane: &mut Plane) -> &mut SidecarPlane {
    let Mechanism::Sidecar(sidecar) = &mut plane.mechanism else { panic!("a plane of sidecars") };
    sidecar
}

fn times_of(recording: &Recording, kind: HappeningKind) -> Vec<Time> {
    recording.events.iter().filter(|event| event.kind == kind).map(|event| event.at).collect()
}

#[test]
fn a_sidecar_below_its_share_delays_nobody() {
    // 100 us of processor time at a quarter of one are 400 us of the share: 2,000 requests a second use 80 %.
    let mut s = pair(1, 1, Span::from_millis(1), [], bare());
    s.loads[0].arrivals = Arrivals::Trace((0..4_000).map(|i| Time::from_nanos(i * 500_000)).collect());
    let recording = run_once(&s);
    assert_eq!((recording.users(0).requests, recording.users(0).max), (4_000, Span::from_millis(1)));
    assert_eq!(recording.services[1].sidecar_wait, Span::ZERO);
    assert_eq!(recording.services[1].sidecar_busy_max_ppm, 800_000);
}

#[test]
fn a_saturated_sidecar_queues_as_a_deterministic_server_does() {
    // 5,000 a second for two seconds: twice what the proxies can do. The caller's is given 20,000 passages
    // of 200 us, never runs dry, and has done them 4 s later; what left a period ahead of that is the last.
    let mut s = pair(1, 1, Span::from_millis(1), [], bare());
    s.loads[0].arrivals = Arrivals::Trace((0..10_000).map(|i| Time::from_nanos(i * 200_000)).collect());
    let recording = run_once(&s);
    let users = recording.users(0);
    assert_eq!((users.requests, users.failed), (10_000, 0));
    assert_eq!(users.max, Span::from_millis(3_900).less(Span::from_micros(9_999 * 200)));
    assert_eq!(recording.services[0].sidecar_busy_max_ppm, 1_000_000);
    assert!(recording.services[0].sidecar_wait > Span::from_secs(1_000));
    // Twice the share, and nothing waits.
    of(&mut s.planes[0]).cpu = Cpu::from_millis(500);
    assert_eq!(run_once(&s).users(0).max, Span::from_millis(1));
}

#[test]
fn a_slow_sidecar_takes_longer_over_each_request() {
    let s = pair(1, 1, Span::from_millis(1), (1..=10).map(|i| i * 100), bare());
    let mut world = World::new(&s, 0, 0);
    let api = world.services[1].tasks[0];
    world.slow_sidecar(api, 10_000);
    // Nine times 50 us more on the way in and the same on the way out.
    assert_eq!(finish(world).users(0).max, Span::from_micros(1_900));
}

#[test]
fn callers_of_a_crashed_sidecar_are_refused_until_it_runs_again() {
    let s = pair(1, 1, Span::from_millis(200), (1..100).map(|i| i * 100), bare());
    let mut world = World::new(&s, 0, 0);
    advance(&mut world, at_ms(5_050));
    let api = world.services[1].tasks[0];
    world.crash_sidecar(api);
    let recording = finish(world);
    // Those of 4.9 and 5.0 s were under way; those of 5.1 to 6.0 s found the port closed.
    let users = recording.users(0);
    assert_eq!((users.requests, users.failed), (99, 12));
    assert_eq!(times_of(&recording, HappeningKind::SidecarUp), [at_ms(6_050)]);
    let edge = recording.edge(0, 0);
    assert_eq!((edge.flags[Flag::Uc.index()], edge.flags[Flag::Uf.index()]), (2, 10));
}

#[test]
fn a_crashed_sidecar_cuts_off_the_calls_of_its_task_until_it_has_a_list_again() {
    let s = pair(1, 1, Span::from_millis(200), (1..100).map(|i| i * 100), bare());
    let mut world = World::new(&s, 0, 0);
    advance(&mut world, at_ms(5_050));
    let web = world.services[0].tasks[0];
    world.crash_sidecar(web);
    let recording = finish(world);
    // Two under way, ten while it is down (5.1 to 6.0 s), thirty while it waits 3 s for its list.
    let (users, edge) = (recording.users(0), recording.edge(0, 0));
    assert_eq!((users.requests, users.failed), (99, 42));
    let flags = [Flag::Uc, Flag::Uf, Flag::Uh].map(|flag| edge.flags[flag.index()]);
    assert_eq!(flags, [2, 10, 30]);
}

#[test]
fn a_sidecar_that_crashes_once_too_often_takes_its_task_with_it() {
    let s = pair(1, 2, Span::from_millis(1), [], bare());
    let mut world = World::new(&s, 0, 0);
    let api = world.services[1].tasks[0];
    for nth in 1..=4_u64 {
        advance(&mut world, at_ms(nth * 5_000));
        assert_eq!(world.staying(1).len(), 2, "before crash {nth}");
        world.crash_sidecar(api);
    }
    assert_eq!(world.staying(1).len(), 1);
    let recording = finish(world);
    // The agent restarted it three times; ECS starts another task 9 s after the fourth crash.
    assert_eq!(times_of(&recording, HappeningKind::SidecarUp).len(), 3);
    assert_eq!(times_of(&recording, HappeningKind::Sigterm), [at_ms(20_000)]);
    assert_eq!(times_of(&recording, HappeningKind::TaskStarted), [at_ms(29_000)]);
}

#[test]
fn grpc_fills_the_memory_of_a_sidecar_until_it_is_killed() {
    let mut s = pair(1, 1, Span::from_millis(1), (1..=25).map(|i| i * 1_000), bare());
    let plane = of(&mut s.planes[0]);
    (plane.memory, plane.memory_base, plane.memory_growth) = (Bytes::new(50), Bytes::new(40), Bytes::new(1));
    assert_eq!(times_of(&run_once(&s), HappeningKind::SidecarDown), []);
    s.services[1].protocol = Protocol::Grpc;
    let recording = run_once(&s);
    // Ten fit; the eleventh kills the caller's proxy before it gets to the callee's. The proxy comes back
    // with its memory empty and its list to be fetched, so that those of 12, 13 and 14 s get nowhere. That
    // of 15 s is the first again, and the callee's eleventh; that of 25 s is the caller's eleventh.
    assert_eq!(times_of(&recording, HappeningKind::SidecarDown), [11_000, 15_000, 25_000].map(at_ms));
}

#[test]
fn who_is_not_enrolled_neither_calls_nor_is_called() {
    let roles = [
        (Enrolment::ClientServer, Enrolment::ClientServer, 0),
        (Enrolment::Client, Enrolment::ClientServer, 0),
        (Enrolment::None, Enrolment::ClientServer, 10),
        (Enrolment::ClientServer, Enrolment::Client, 10),
        (Enrolment::ClientServer, Enrolment::None, 10),
    ];
    for (web, api, failed) in roles {
        let mut s = pair(2, 2, Span::from_millis(1), (1..=10).map(|i| i * 100), bare());
        (s.services[0].service_connect, s.services[1].service_connect) = (web, api);
        let recording = run_once(&s);
        let edge = recording.edge(0, 0);
        assert_eq!((edge.requests, edge.failed, edge.flags[Flag::Df.index()]), (10, failed, failed), "{web:?} {api:?}");
        assert_eq!(edge.attempts, 10 - failed);
        s.planes = vec![dns()];
        assert_eq!(run_once(&s).users(0).failed, 0, "it is a matter of Service Connect alone");
    }
}

#[test]
fn the_proxy_cuts_what_takes_longer_than_its_limit_and_only_on_edges_that_have_one() {
    let mut s = pair(1, 1, Span::from_secs(20), (1..=5).map(|i| i * 1_000), bare());
    let recording = run_once(&s);
    let edge = recording.edge(0, 0);
    assert_eq!((edge.failed, edge.flags[Flag::Ut.index()]), (5, 5));
    assert_eq!(edge.failed_sum, 5 * u128::from(Span::from_secs(15).as_nanos()));
    s.planes[0].edge_policies[0].timeouts.request = Span::MAX;
    let recording = run_once(&s);
    assert_eq!((recording.users(0).failed, recording.users(0).max), (0, Span::from_secs(20)));
}
