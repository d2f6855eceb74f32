//! What each kind of fault does, in numbers worked out by hand: evenly spaced arrivals, constant work,
//! no delay but what the fault makes.

use super::*;
use crate::measure::HappeningKind;
use crate::policy::config::PoolProtocol;
use crate::sim::world::World;

fn ms(n: u64) -> Span {
    Span::from_millis(n)
}
fn at(n: u64) -> Time {
    Time::ZERO + ms(n)
}
fn millis(nanos: u128) -> u128 {
    nanos / 1_000_000
}

/// One checkout calls one payments, which works for so long; arrivals are evenly spaced.
fn pair(work: Span, per_second: u64, length: Span) -> Scenario {
    let mut checkout = service("checkout", 1, None);
    checkout.endpoints[0].steps = vec![call(0)];
    let mut s = scenario(
        vec![checkout, service("payments", 1, Some(Distribution::Constant(work)))],
        vec![Edge { from: ServiceId(0), to: ServiceId(1) }],
        Rate::per_sec(per_second),
        1,
        direct(PolicyConfig::direct()),
    );
    s.run.duration = length;
    s.run.warmup = Span::ZERO;
    s.run.drain = Span::from_secs(60);
    if let Arrivals::Open { spacing, .. } = &mut s.loads[0].arrivals {
        *spacing = Spacing::Constant;
    }
    s
}

fn payments() -> Target {
    Target::Service(ServiceId(1))
}

fn on(s: &mut Scenario, kind: FaultKind, target: Target, from: u64, lasts: Option<Span>) -> &mut Fault {
    let name = format!("fault {}", s.faults.len() + 1);
    let when = When::Once { at: at(from), lasts };
    s.faults.push(Fault { name, kind, target, when, how: How::default() });
    s.faults.last_mut().unwrap()
}

fn times_of(recording: &Recording, kind: HappeningKind) -> Vec<u64> {
    recording.events.iter().filter(|e| e.kind == kind).map(|e| e.at.since(Time::ZERO).as_millis()).collect()
}

/// The world before anything happens.
fn world(s: &Scenario) -> World<'_> {
    World::new(s, 0, 0)
}

#[test]
fn every_tenth_of_a_thousand_is_exactly_a_hundred() {
    for kind in [
        FaultKind::Wedge { status: 503 },
        FaultKind::Grey { status: 500, rate: Ratio::ONE },
        FaultKind::Errors { status: 500, rate: Ratio::ONE },
        FaultKind::Reset,
        FaultKind::ResetAfter { delay: ms(5) },
        FaultKind::Hang,
        FaultKind::CutBody { rate: Ratio::ONE, sent: Ratio::ONE },
    ] {
        for target in [payments(), Target::Edge(EdgeId(0))] {
            let mut s = pair(ms(10), 100, ms(10_005));
            s.planes[0].edge_policies[0].timeouts.request = ms(1_000);
            on(&mut s, kind.clone(), target, 0, None).how.hits = Hits::EveryNth(10);
            let recording = run_once(&s);
            let users = recording.users(0);
            assert_eq!((users.requests, users.failed), (1_000, 100), "{kind:?}");
            let cut = recording.edge(0, 0).flags[crate::policy::Flag::Uc.index()];
            if matches!(kind, FaultKind::CutBody { .. }) {
                assert_eq!(cut, 100, "{kind:?}");
            }
        }
    }
}

#[test]
fn numbers_pick_single_requests_and_count_from_the_beginning_of_the_fault() {
    let mut s = pair(ms(1), 10, ms(10_050));
    on(&mut s, FaultKind::Wedge { status: 500 }, payments(), 5_000, None).how.hits = Hits::Nth(vec![3, 9]);
    let recording = run_once(&s);
    assert_eq!(recording.users(0).failed, 2);
    // One in ten takes eleven times as long: 90 x 10 ms + 10 x 110 ms.
    let mut s = pair(ms(10), 10, ms(10_050));
    on(&mut s, FaultKind::Slow { factor_milli: 11_000, added: None }, payments(), 0, None).how.hits =
        Hits::EveryNth(10);
    assert_eq!(run_once(&s).users(0).sum, 2_000_000_000);
}

#[test]
fn a_pause_delays_what_is_under_way_by_what_it_takes_from_it() {
    let mut s = pair(ms(10), 10, ms(10_050));
    on(&mut s, FaultKind::Pause { pause: ms(50), interval: None }, payments(), 1_005, Some(ms(50)));
    let users = run_once(&s).users(0);
    // The request of 1.000 s had five of its ten milliseconds left.
    assert_eq!((users.requests, users.max), (100, ms(60)));
    assert_eq!(users.sum, 100 * 10_000_000 + 50_000_000);
    // Repeated each second from 1.005 s on: nine requests meet one.
    let mut s = pair(ms(10), 10, ms(10_050));
    let kind = FaultKind::Pause { pause: ms(50), interval: Some(ms(1_000)) };
    on(&mut s, kind, payments(), 1_005, None);
    assert_eq!(run_once(&s).users(0).sum, 100 * 10_000_000 + 10 * 50_000_000);
}

#[test]
fn a_frozen_task_takes_requests_and_answers_when_it_thaws() {
    let mut s = pair(ms(10), 10, ms(10_050));
    on(&mut s, FaultKind::Freeze, payments(), 1_005, Some(ms(1_000)));
    let users = run_once(&s).users(0);
    // 1.000 s waits a second more; those of 1.1 to 2.0 s begin at 2.005 s.
    let waiting: u64 = (0..10).map(|k| 15 + 100 * k).sum();
    assert_eq!((users.failed, users.max), (0, ms(1_010)));
    assert_eq!(users.sum, u128::from(1_010 + waiting + 89 * 10) * 1_000_000);
}

#[test]
fn checks_wait_for_a_task_that_stands_still() {
    let mut s = pair(ms(10), 1, ms(60_500));
    s.services[1].health_check = Some(ContainerCheck {
        interval: ms(5_000),
        timeout: ms(2_000),
        retries: 3,
        start_period: Span::ZERO,
        deep: false,
    });
    on(&mut s, FaultKind::Freeze, payments(), 10_000, Some(ms(16_000)));
    let recording = run_once(&s);
    // Three checks in sixteen seconds find it longer still than they wait.
    assert_eq!(times_of(&recording, HappeningKind::Unhealthy).len(), 1);
    s.faults[0].when = When::Once { at: at(10_000), lasts: Some(ms(1_900)) };
    assert_eq!(times_of(&run_once(&s), HappeningKind::Unhealthy).len(), 0);
}

#[test]
fn a_leak_kills_the_task_when_its_memory_is_gone() {
    let mut s = pair(ms(1), 10, ms(60_050));
    let used = Ratio::from_percent(50);
    let rate = Leak::PerSecond(Bytes::new(64 << 20));
    on(&mut s, FaultKind::MemoryLeak { rate, used }, payments(), 2_000, None);
    // 512 MiB at 64 MiB/s are 8 s; the newcomer, at 24 s, has 8 s too.
    let stopped = times_of(&run_once(&s), HappeningKind::TaskStopped);
    assert_eq!(stopped[..2], [10_000, 32_000]);
    // With each request: the 512th after 2 s, the first of which is that of 2.0 s, has nothing left.
    let rate = Leak::PerRequest(Bytes::new(1 << 20));
    s.faults[0].kind = FaultKind::MemoryLeak { rate, used };
    s.run.duration = ms(80_050);
    let stopped = times_of(&run_once(&s), HappeningKind::TaskStopped);
    assert!((53_100..=53_200).contains(&stopped[0]), "{stopped:?}");
}

#[test]
fn a_crash_loop_kills_each_newcomer_after_its_time() {
    let mut s = pair(ms(1), 1, ms(60_500));
    on(&mut s, FaultKind::CrashLoop { delay: ms(3_000) }, payments(), 10_000, Some(ms(30_000)));
    let recording = run_once(&s);
    // Noticed after 5 s, replaced after 9 s more, dead 3 s later, until the fault is over at 40 s.
    assert_eq!(times_of(&recording, HappeningKind::TaskStarted)[..2], [24_000, 41_000]);
    assert_eq!(times_of(&recording, HappeningKind::TaskStopped), [10_000, 27_000]);
}

#[test]
fn a_full_backlog_takes_no_connection_beyond_its_limit() {
    let mut s = pair(ms(950), 10, ms(10_050));
    s.planes[0].edge_policies[0].pool.protocol = PoolProtocol::Http1;
    on(&mut s, FaultKind::ConnectionLimit { limit: 4, refuses: true }, payments(), 0, None);
    let users = run_once(&s).users(0);
    // Each connection carries one request a second: four of ten find one.
    assert_eq!((users.requests, users.failed), (100, 60));
    // Dropped SYNs: the others wait, and the pool hands them a connection that becomes free.
    s.faults[0].kind = FaultKind::ConnectionLimit { limit: 4, refuses: false };
    s.planes[0].edge_policies[0].timeouts.connect = ms(10_000);
    s.planes[0].edge_policies[0].timeouts.request = ms(1_000);
    let users = run_once(&s).users(0);
    assert!(users.failed > 50, "{}", users.failed);
}

#[test]
fn an_expired_certificate_hurts_new_connections_only() {
    let mut s = pair(ms(1), 10, ms(10_050));
    s.planes[0].network.tls_round_trips = 1;
    on(&mut s, FaultKind::CertExpiry, payments(), 5_050, None);
    assert_eq!(run_once(&s).users(0).failed, 0);
    // GOAWAY at 6.05 s ends the one connection there is: requests from 6.1 s on need a new one.
    on(&mut s, FaultKind::Goaway, payments(), 6_050, None);
    assert_eq!(run_once(&s).users(0).failed, 40);
    s.faults.remove(0);
    assert_eq!(run_once(&s).users(0).failed, 0);
}

#[test]
fn a_message_into_a_partition_arrives_with_the_first_retransmission_after_it() {
    let mut s = pair(Span::ZERO, 1, ms(10_500));
    let partition = FaultKind::Partition { direction: Direction::Both };
    on(&mut s, partition.clone(), Target::Edge(EdgeId(0)), 2_500, Some(ms(2_200)));
    // Sent at 3 s, again after 0.2, 0.6, 1.4 and 3.0 s: the partition ends at 4.7 s. At 4 s: after 1.4 s.
    let users = run_once(&s).users(0);
    assert_eq!((users.failed, millis(users.sum)), (0, 3_000 + 1_400));
    // A connection is tried again after 1, 3 and 7 s; this one, from 1 s on, gives up after 5 s.
    let mut s = pair(Span::ZERO, 1, ms(1_500));
    s.planes[0].edge_policies[0].timeouts.connect = ms(5_000);
    on(&mut s, partition.clone(), payments(), 500, None);
    let users = run_once(&s).users(0);
    assert_eq!((users.failed, millis(users.failed_sum)), (1, 5_000));
    s.faults[0].when = When::Once { at: at(500), lasts: Some(ms(2_000)) };
    // Sent at 1 s, again at 2 and 4 s.
    assert_eq!(millis(run_once(&s).users(0).sum), 3_000);
    // Only what the task sends is lost: the request comes, the answer waits.
    let mut s = pair(Span::ZERO, 1, ms(3_500));
    on(&mut s, FaultKind::Partition { direction: Direction::Egress }, payments(), 2_500, Some(ms(800)));
    assert_eq!(millis(run_once(&s).users(0).sum), 600);
}

#[test]
fn loss_costs_what_the_retransmission_timer_says() {
    let mut s = pair(Span::ZERO, 1_000, ms(20_000));
    let rate = Ratio::from_percent(10);
    on(&mut s, FaultKind::PacketLoss { rate, direction: Direction::Ingress }, Target::Edge(EdgeId(0)), 100, None);
    let users = run_once(&s).users(0);
    // 0.2 s x (E[2^R] - 1) with R geometric at 10 %: 0.2 s x (0.9 / 0.8 - 1) = 25 ms; one in ten waits at all.
    let mean = users.mean_ms().unwrap();
    assert!((mean - 25.0).abs() < 2.5, "{mean}");
    let p89 = users.percentile_ms(0.89).unwrap();
    let p91 = users.percentile_ms(0.91).unwrap();
    assert!(p89 < 1.0 && (p91 - 200.0).abs() < 1.0, "{p89} {p91}");
}

#[test]
fn latency_is_paid_once_per_round_trip_and_bandwidth_by_the_byte() {
    let mut s = pair(Span::ZERO, 1, ms(10_500));
    let delay = Distribution::Constant(ms(100));
    let kind = FaultKind::Latency { delay, jitter: Span::ZERO, direction: Direction::Egress };
    on(&mut s, kind, payments(), 2_500, None);
    assert_eq!(run_once(&s).users(0).sum, 8 * 100_000_000);
    // With jitter: between 50 and 150 ms.
    if let FaultKind::Latency { jitter, .. } = &mut s.faults[0].kind {
        *jitter = ms(50);
    }
    let users = run_once(&s).users(0);
    assert!(users.max > ms(100) && users.max < ms(150) && users.sum != 800_000_000, "{}", users.max);
    // Ten answers of 100 kB, one each 50 ms, over a link that takes 100 ms for each: 50 k + 50 ms.
    let mut s = pair(Span::ZERO, 20, ms(10_000));
    if let Step::Call(site) = &mut s.services[0].endpoints[0].steps[0] {
        site.response = Bytes::new(100_000);
    }
    s.loads[0].until = at(525);
    let rate = Bytes::new(1_000_000);
    on(&mut s, FaultKind::Bandwidth { rate, direction: Direction::Egress }, payments(), 0, None);
    let users = run_once(&s).users(0);
    assert_eq!((users.requests, millis(users.sum)), (10, 3_250));
}

#[test]
fn strength_grows_along_a_ramp() {
    let mut s = pair(ms(100), 1, ms(12_900));
    on(&mut s, FaultKind::Slow { factor_milli: 3_000, added: None }, payments(), 500, None).how.ramp = ms(10_000);
    // At 1 s it has 5 % of its strength, at 2 s 15 %, ... at 10 s 95 %, then all: 100 ms + 2 ms a percent.
    let expected: u128 = (1..=10).map(|k| 100 + 2 * (10 * k - 5)).sum::<u128>() + 2 * 300;
    assert_eq!(run_once(&s).users(0).sum, expected * 1_000_000);
}

#[test]
fn a_busy_processor_stretches_work_and_a_reset_after_a_time_cuts_it() {
    let mut s = pair(ms(10), 10, ms(10_050));
    on(&mut s, FaultKind::Cpu { load: Ratio::from_percent(80) }, payments(), 0, None);
    assert_eq!(run_once(&s).users(0).sum, 100 * 50_000_000);
    let mut s = pair(ms(100), 10, ms(10_050));
    on(&mut s, FaultKind::ResetAfter { delay: ms(50) }, payments(), 0, None);
    let users = run_once(&s).users(0);
    assert_eq!((users.failed, users.failed_sum), (100, 100 * 50_000_000));
    s.services[1].endpoints[0].steps = vec![Step::Work(Distribution::Constant(ms(40)))];
    assert_eq!(run_once(&s).users(0).failed, 0);
}

#[test]
fn faults_begin_and_end_with_events() {
    let mut s = wedged(sidecar());
    for policy in s.planes.iter_mut().flat_map(|plane| &mut plane.edge_policies) {
        policy.locality = LocalityRouting::None;
    }
    let third = |kind: &'static str| Awaited { event: kind, count: 3, service: None, task: None, by: None };
    // All three checkouts eject payments#1; then the wedge is over, and two seconds later another begins.
    s.faults[0].how.stop_when = Some(third("ejected"));
    let event = third("ejected");
    s.faults.push(Fault {
        name: "next".to_owned(),
        kind: FaultKind::Errors { status: 500, rate: Ratio::ONE },
        target: Target::Task(ServiceId(1), 2),
        when: When::After { event, wait: ms(2_000), lasts: Some(ms(1_000)) },
        how: How::default(),
    });
    let recording = run_once(&s);
    let ejected = times_of(&recording, HappeningKind::Ejected)[2];
    assert_eq!(times_of(&recording, HappeningKind::FaultOn), [10_000, ejected + 2_000]);
    assert_eq!(times_of(&recording, HappeningKind::FaultOff), [ejected, ejected + 3_000]);
    // Events of another service do not count.
    s.faults[0].how.stop_when = Some(Awaited { service: Some(ServiceId(0)), ..event });
    assert_eq!(times_of(&run_once(&s), HappeningKind::FaultOff).len(), 1);
}

#[test]
fn so_many_tasks_are_so_many() {
    let mut s = wedged(direct(PolicyConfig::direct()));
    s.faults[0].target = Target::Count(ServiceId(1), 2);
    let recording = run_once(&s);
    assert_eq!(recording.tasks.iter().filter(|task| task.service == 1 && task.errors > 0).count(), 2);
}

/// Three checkouts and three payments, one of each in every zone.
fn zones() -> Scenario {
    let mut s = pair(ms(1), 100, ms(60_005));
    s.services[0].tasks = 3;
    s.services[1].tasks = 3;
    s.planes[0].edge_policies[0].timeouts.connect = ms(1_000);
    s.planes[0].edge_policies[0].timeouts.request = ms(2_000);
    s
}

#[test]
fn a_zone_that_is_cut_off_is_out_of_reach_and_users_enter_elsewhere() {
    let mut s = zones();
    on(&mut s, FaultKind::AzOutage { power: false }, Target::Zone(0), 10_000, Some(ms(20_000)));
    let recording = run_once(&s);
    // Two checkouts go on calling payments#1, one call in three. From 28.6 s on the retransmission after
    // 1.4 s comes through before the time-out of 2 s: 18.6 s x 100/s / 3.
    let failed = recording.users(0).failed;
    assert!((615..=625).contains(&failed), "{failed}");
    assert_eq!(recording.unanswered, 0);
    // Without power its tasks die: failures end when ECS notices, and the newcomers stand in other zones.
    s.faults[0].kind = FaultKind::AzOutage { power: true };
    s.faults[0].when = When::Once { at: at(10_000), lasts: None };
    let recording = run_once(&s);
    let failed = recording.users(0).failed;
    assert!((150..=180).contains(&failed), "{failed}");
    assert_eq!(times_of(&recording, HappeningKind::TaskStarted), [24_000, 24_000]);
    assert_eq!(recording.tasks.iter().filter(|task| task.stopped.is_none()).count(), 6);
}

#[test]
fn a_task_that_is_cut_off_leaves_requests_from_outside_without_an_answer() {
    let mut s = pair(ms(1), 10, ms(10_050));
    on(&mut s, FaultKind::Partition { direction: Direction::Both }, Target::Service(ServiceId(0)), 5_050, None);
    assert_eq!(run_once(&s).unanswered, 50);
}

#[test]
fn discovery_hears_of_every_fault_that_concerns_it() {
    let mut s = wedged(sidecar());
    s.faults.clear();
    for kind in [
        FaultKind::DnsFreeze,
        FaultKind::DnsFail,
        FaultKind::DnsSlow { added: ms(200) },
        FaultKind::PushFreeze,
        FaultKind::PushDelay { added: ms(5_000) },
        FaultKind::Throttle { added: ms(7_000) },
        FaultKind::NamespaceDeleted,
    ] {
        on(&mut s, kind, Target::ControlPlane, 1_000, Some(ms(1_000)));
    }
    let mut world = world(&s);
    let pushed = world.push_delay(0, 1);
    (0..7).for_each(|fault| world.on_fault_on(fault));
    let outage = world.outage;
    assert!(outage.dns_frozen && outage.dns_failing && outage.push_frozen && outage.namespace_deleted);
    assert_eq!((outage.dns_delay, outage.push_delay, outage.registration_delay), (ms(200), ms(5_000), ms(7_000)));
    assert_eq!(world.push_delay(0, 1), pushed + ms(5_000));
}

#[test]
fn a_throttled_registration_comes_later() {
    let mut s = pair(ms(1), 1, ms(60_500));
    s.services[1].startup = Distribution::Constant(ms(1_000));
    on(&mut s, FaultKind::Crash, payments(), 10_000, None);
    // Gone at 10 s, withdrawn at 15 s, back at 25 s: requests of 10 to 24 s fail.
    assert_eq!(run_once(&s).users(0).failed, 15);
    on(&mut s, FaultKind::Throttle { added: ms(5_000) }, Target::ControlPlane, 5_000, None);
    assert_eq!(run_once(&s).users(0).failed, 20);
}

#[test]
fn sidecars_are_told_how_slow_they_are() {
    let mut s = wedged(sidecar());
    s.faults.clear();
    on(&mut s, FaultKind::SidecarSlow { factor_milli: 3_000 }, Target::Task(ServiceId(1), 2), 1_000, None);
    on(&mut s, FaultKind::SidecarSlow { factor_milli: 2_000 }, payments(), 1_000, None);
    let mut world = world(&s);
    (0..2).for_each(|fault| world.on_fault_on(fault));
    let told: Vec<u32> = world.tasks.iter().filter(|t| t.service == 1).map(|t| t.strain.sidecar_milli).collect();
    assert_eq!(told, [2_000, 6_000, 2_000, 2_000, 2_000, 2_000]);
}

#[test]
fn lists_do_not_reach_a_proxy_that_is_cut_off_and_come_after() {
    let mut s = wedged(sidecar());
    s.faults.clear();
    on(&mut s, FaultKind::Partition { direction: Direction::Both }, Target::Service(ServiceId(0)), 0, Some(ms(9)));
    let mut world = world(&s);
    let before = world.routers[0].version;
    world.publish(1, 0);
    world.on_fault_on(0);
    world.on_push(0, 1);
    assert_eq!(world.routers[0].version, before);
    // The other routers' pushes are still under way; the one that was missed comes again.
    world.faults[0].until = Time::ZERO;
    world.on_fault_off(0);
    world.on_push(0, 1);
    assert_eq!(world.routers[0].version, Some(1));
}

#[test]
fn strokes_end_tasks_in_their_own_ways() {
    for (kind, first) in [
        (FaultKind::Crash, HappeningKind::TaskStopped),
        (FaultKind::Stop, HappeningKind::Sigterm),
        (FaultKind::SpotReclaim { notice: ms(120_000) }, HappeningKind::Sigterm),
    ] {
        let mut s = pair(ms(1), 1, ms(20_500));
        on(&mut s, kind.clone(), payments(), 10_000, None);
        assert_eq!(times_of(&run_once(&s), first)[0], 10_000, "{kind:?}");
    }
}

/// One of every kind, the parameters as different from nothing as they may be.
fn every_kind() -> Vec<FaultKind> {
    let half = Ratio::from_percent(50);
    let both = Direction::Both;
    vec![
        FaultKind::Wedge { status: 503 },
        FaultKind::Grey { status: 500, rate: half },
        FaultKind::Errors { status: 503, rate: half },
        FaultKind::Hang,
        FaultKind::Slow { factor_milli: 3_000, added: Some(Distribution::Exponential { mean: ms(20) }) },
        FaultKind::Cpu { load: half },
        FaultKind::Reset,
        FaultKind::ResetAfter { delay: ms(10) },
        FaultKind::Refuse,
        FaultKind::ConnectionLimit { limit: 1, refuses: true },
        FaultKind::ConnectionLimit { limit: 0, refuses: false },
        FaultKind::CutBody { rate: half, sent: half },
        FaultKind::Pause { pause: ms(100), interval: Some(ms(300)) },
        FaultKind::Freeze,
        FaultKind::MemoryLeak { rate: Leak::PerSecond(Bytes::new(200 << 20)), used: half },
        FaultKind::MemoryLeak { rate: Leak::PerRequest(Bytes::new(9 << 20)), used: half },
        FaultKind::Crash,
        FaultKind::CrashLoop { delay: ms(500) },
        FaultKind::Stop,
        FaultKind::SpotReclaim { notice: ms(5_000) },
        FaultKind::Latency { delay: Distribution::Constant(ms(50)), jitter: ms(80), direction: both },
        FaultKind::PacketLoss { rate: half, direction: both },
        FaultKind::Partition { direction: both },
        FaultKind::Bandwidth { rate: Bytes::new(20_000), direction: both },
        FaultKind::AzOutage { power: false },
        FaultKind::AzOutage { power: true },
        FaultKind::DnsFreeze,
        FaultKind::DnsFail,
        FaultKind::DnsSlow { added: ms(200) },
        FaultKind::PushFreeze,
        FaultKind::PushDelay { added: ms(5_000) },
        FaultKind::Throttle { added: ms(7_000) },
        FaultKind::NamespaceDeleted,
        FaultKind::SidecarCrash,
        FaultKind::SidecarSlow { factor_milli: 3_000 },
        FaultKind::CertExpiry,
        FaultKind::Goaway,
    ]
}

#[test]
fn the_books_balance_under_every_fault_on_every_plane() {
    for plane in [direct(PolicyConfig::direct()), sidecar(), dns(), alb()] {
        for kind in every_kind() {
            for target in [payments(), Target::Service(ServiceId(0)), Target::Zone(0), Target::Edge(EdgeId(0))] {
                let mut s = wedged(plane.clone());
                s.run.duration = Span::from_secs(12);
                s.planes[0].network.tls_round_trips = 1;
                if let Step::Call(site) = &mut s.services[0].endpoints[0].steps[0] {
                    (site.request, site.response) = (Bytes::new(500), Bytes::new(4_000));
                }
                s.faults.clear();
                let zonal = matches!(kind, FaultKind::AzOutage { .. });
                if zonal != matches!(target, Target::Zone(_)) {
                    continue;
                }
                // Twice, overlapping, so that ends and beginnings meet.
                on(&mut s, kind.clone(), target.clone(), 3_000, Some(ms(4_000))).how.ramp = ms(1_000);
                on(&mut s, kind.clone(), target.clone(), 5_000, Some(ms(4_000)));
                // Arrivals and what became of them are the same, whoever counts.
                let recording = run_once(&s);
                assert!(recording.users(0).requests > 2_000, "{kind:?} on {}", plane.name);
            }
        }
    }
}

#[test]
fn a_body_cut_behind_an_alb_is_cut_for_the_client_too() {
    let mut s = wedged(alb());
    s.faults[0].kind = FaultKind::CutBody { rate: Ratio::ONE, sent: Ratio::ONE };
    s.faults[0].how.hits = Hits::EveryNth(4);
    let recording = run_once(&s);
    let flagged = recording.edge(0, 0).flags[crate::policy::Flag::Uc.index()];
    let task = recording.tasks.iter().find(|task| task.name == "payments#1").unwrap();
    assert!(task.errors > 100, "{}", task.errors);
    assert_eq!((recording.users(0).failed, flagged), (task.errors, task.errors));
}

#[test]
fn half_a_body_takes_half_the_time_of_a_narrow_link() {
    let mut s = pair(Span::ZERO, 1, ms(10_500));
    if let Step::Call(site) = &mut s.services[0].endpoints[0].steps[0] {
        site.response = Bytes::new(100_000);
    }
    let rate = Bytes::new(1_000_000);
    on(&mut s, FaultKind::Bandwidth { rate, direction: Direction::Egress }, payments(), 0, None);
    let sent = Ratio::from_percent(50);
    on(&mut s, FaultKind::CutBody { rate: Ratio::ONE, sent }, payments(), 0, None);
    let users = run_once(&s).users(0);
    assert_eq!((users.failed, users.failed_sum), (10, 10 * 50_000_000));
}

#[test]
fn pauses_of_several_tasks_are_not_in_step() {
    let mut s = pair(ms(1), 1, ms(10_500));
    s.services[1].tasks = 4;
    on(&mut s, FaultKind::Pause { pause: ms(100), interval: Some(ms(1_000)) }, payments(), 0, None);
    let mut world = world(&s);
    world.on_fault_on(0);
    world.on_strike(0, 1, 1);
    let standing: Vec<bool> = world.tasks.iter().map(|task| task.strain.stands).collect();
    assert_eq!(standing, [false, true, false, false, false]);
    assert_eq!(world.tasks[1].strain.left(at(40)), ms(60));
}
