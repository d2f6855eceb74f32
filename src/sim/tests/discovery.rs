//! What callers know of tasks, from whom, how late: pushes, DNS, ALB nodes; and connections that close.

use super::super::control::Outage;
use super::*;
use crate::measure::Flag;
use crate::measure::HappeningKind;
use crate::policy::MemberKey;
use crate::policy::config::Affinity;
use crate::policy::config::RetryOn;
use crate::policy::config::RetryPolicy;
use crate::sim::record::NOBODY;

fn frozen() -> Outage {
    Outage { push_frozen: true, ..Outage::default() }
}

fn scale(s: &mut Scenario, service: u32, seconds: u64, tasks: u32) {
    s.scales.push(Scale { at: at_ms(seconds * 1_000), service: ServiceId(service), tasks });
}

/// Whether the first web task's router lists a task.
fn web_lists(world: &World<'_>, task: u32) -> bool {
    let router = world.tasks[world.services[0].tasks[0] as usize].routers[0];
    world.routers[router as usize].router.lists(MemberKey(u64::from(task)))
}

fn ready_at(recording: &Recording) -> Vec<Time> {
    let ready = recording.events.iter().filter(|event| event.kind == HappeningKind::TaskReady);
    ready.map(|event| event.at).collect()
}

#[test]
fn without_a_control_plane_the_last_list_serves_and_the_next_comes_when_it_is_back() {
    let mut s = pair(1, 2, Span::from_millis(1), (1..100).map(|i| i * 1_000), sidecar());
    scale(&mut s, 1, 10, 1);
    for (outage, late) in [(false, 13_000), (true, 43_000)] {
        let mut world = World::new(&s, 0, 0);
        let leaving = world.services[1].tasks[1];
        advance(&mut world, at_ms(9_000));
        if outage {
            world.set_outage(frozen());
            advance(&mut world, at_ms(40_000));
            assert!(web_lists(&world, leaving));
            world.set_outage(Outage::default());
        }
        // A push takes 3 s here.
        advance(&mut world, at_ms(late - 1));
        assert!(web_lists(&world, leaving), "{late}");
        advance(&mut world, at_ms(late));
        assert!(!web_lists(&world, leaving), "{late}");
        assert_eq!(finish(world).users(0).failed, 0, "its listener is closed, so that callers try another");
    }
}

#[test]
fn a_list_that_was_under_way_when_the_control_plane_went_is_sent_again() {
    let mut s = pair(1, 2, Span::from_millis(1), [], sidecar());
    scale(&mut s, 1, 10, 1);
    let mut world = World::new(&s, 0, 0);
    let leaving = world.services[1].tasks[1];
    advance(&mut world, at_ms(11_000));
    world.set_outage(frozen());
    advance(&mut world, at_ms(20_000));
    assert!(web_lists(&world, leaving));
    world.set_outage(Outage::default());
    advance(&mut world, at_ms(23_000));
    assert!(!web_lists(&world, leaving));
}

#[test]
fn a_task_that_starts_without_a_control_plane_waits_for_its_proxy() {
    let mut s = pair(1, 1, Span::from_millis(1), [], sidecar());
    s.run.duration = Span::from_secs(200);
    scale(&mut s, 0, 10, 2);
    scale(&mut s, 1, 10, 2);
    assert_eq!(ready_at(&run_once(&s)), [at_ms(40_000); 2]);
    for over in [30, 60] {
        let mut world = World::new(&s, 0, 0);
        advance(&mut world, at_ms(5_000));
        world.set_outage(frozen());
        advance(&mut world, at_ms(over * 1_000));
        world.set_outage(Outage::default());
        // A caller's proxy waits 3 s for its list; then the app takes its 30 s to start.
        assert_eq!(ready_at(&finish(world)), [at_ms((over + 30) * 1_000), at_ms((over + 33) * 1_000)]);
    }
}

#[test]
fn a_deleted_namespace_stays_in_running_proxies_and_in_no_new_one() {
    let mut s = pair(1, 2, Span::from_millis(1), (1..=99).map(|i| i * 1_000), sidecar());
    s.loads[0].spread = Spread::RoundRobin;
    scale(&mut s, 0, 20, 2);
    let mut world = World::new(&s, 0, 0);
    advance(&mut world, at_ms(10_000));
    world.set_outage(Outage { namespace_deleted: true, ..Outage::default() });
    let recording = finish(world);
    // The second web task serves from 50 s on and takes every other of the 50 requests from then on.
    let edge = recording.edge(0, 0);
    assert_eq!(ready_at(&recording), [at_ms(50_000)]);
    assert_eq!((edge.requests, edge.failed, edge.flags[Flag::Df.index()]), (99, 25, 25));
}

/// A DNS client that makes a connection for each request and takes its answers in turn.
fn no_keeping(cache: ResolverCache) -> Plane {
    let mut plane = dns();
    if let Mechanism::Dns(dns) = &mut plane.mechanism {
        dns.ttl = Span::from_secs(10);
        dns.resolver_cache = cache;
        dns.lookup = Distribution::Constant(Span::ZERO);
    }
    let policy = &mut plane.edge_policies[0];
    policy.lb_policy = LbPolicy::RoundRobin;
    policy.timeouts.idle = Span::from_millis(1);
    policy.timeouts.connect = Span::from_millis(10);
    plane
}

#[test]
fn a_stopped_task_is_dialled_until_the_cache_of_its_client_runs_out() {
    let stale = |cache: ResolverCache| {
        let mut s = pair(1, 2, Span::from_millis(1), (10..300).map(|i| i * 100), no_keeping(cache));
        s.scales.push(Scale { at: at_ms(15_550), service: ServiceId(1), tasks: 1 });
        run_once(&s).stale_window
    };
    let span = |ms: u64| (Span::from_millis(ms - 200), Span::from_millis(ms));
    let ends_before = |window: Span, ms: u64| {
        let (low, high) = span(ms);
        assert!(low <= window && window < high, "{window} of {high}");
    };
    // DNS shows the change at 18.55 s. By the TTL the client asks at 1, 11 and 21 s.
    ends_before(stale(ResolverCache::Ttl), 21_000 - 15_550);
    // A JVM asks at 1 and 31 s, after the last request; with a security manager never again.
    ends_before(stale(ResolverCache::For(Span::from_secs(30))), 30_000 - 15_550);
    ends_before(stale(ResolverCache::Forever), 30_000 - 15_550);
    // Without a cache what is left is Route 53's own delay.
    ends_before(stale(ResolverCache::For(Span::ZERO)), 3_000);
}

#[test]
fn a_kept_connection_outlives_every_answer() {
    let mut plane = no_keeping(ResolverCache::For(Span::ZERO));
    plane.edge_policies[0].timeouts.idle = Span::from_secs(90);
    let s = pair(1, 2, Span::from_millis(1), (1..=50).map(|i| i * 1_000), plane);
    let recording = run_once(&s);
    // One look-up for the first connection, and no other connection.
    assert_eq!((recording.lookups, recording.connections_opened, recording.users(0).failed), (1, 1, 0));
    let per_task: Vec<u64> =
        recording.tasks.iter().filter(|task| task.service == 1).map(|task| task.requests).collect();
    assert!(per_task == [50, 0] || per_task == [0, 50], "{per_task:?}");
}

#[test]
fn who_balances_each_request_over_what_it_resolved_does_not_stick() {
    let mut plane = no_keeping(ResolverCache::For(Span::from_secs(5)));
    plane.edge_policies[0].affinity = Affinity::Request;
    plane.edge_policies[0].timeouts.idle = Span::from_secs(3_600);
    let s = pair(1, 2, Span::from_millis(1), (1..=50).map(|i| i * 1_000), plane);
    let recording = run_once(&s);
    let per_task: Vec<u64> =
        recording.tasks.iter().filter(|task| task.service == 1).map(|task| task.requests).collect();
    // It asks at 1, 6, 11 ... 46 s.
    assert_eq!((recording.lookups, per_task.iter().sum::<u64>()), (10, 50));
    assert!(per_task.iter().all(|&n| n >= 20), "{per_task:?}");
}

#[test]
fn dns_that_fails_stops_new_connections_only_and_is_forgotten_at_once() {
    let fails = |idle: Span| {
        let mut plane = no_keeping(ResolverCache::For(Span::ZERO));
        plane.edge_policies[0].timeouts.idle = idle;
        let s = pair(1, 2, Span::from_millis(1), (1..=50).map(|i| i * 1_000), plane);
        let mut world = World::new(&s, 0, 0);
        advance(&mut world, at_ms(10_500));
        world.set_outage(Outage { dns_failing: true, ..Outage::default() });
        advance(&mut world, at_ms(20_500));
        world.set_outage(Outage::default());
        let recording = finish(world);
        let edge = recording.edge(0, 0);
        (edge.failed, edge.flags[Flag::Df.index()])
    };
    assert_eq!(fails(Span::from_millis(1)), (10, 10));
    assert_eq!(fails(Span::from_secs(90)), (0, 0));
}

#[test]
fn a_slow_resolver_delays_new_connections_and_a_deleted_namespace_is_not_there() {
    let s = pair(1, 2, Span::from_millis(1), (1..=50).map(|i| i * 1_000), no_keeping(ResolverCache::For(Span::ZERO)));
    let mut world = World::new(&s, 0, 0);
    advance(&mut world, at_ms(10_500));
    world.set_outage(Outage { dns_delay: Span::from_millis(300), ..Outage::default() });
    advance(&mut world, at_ms(20_500));
    world.set_outage(Outage { namespace_deleted: true, ..Outage::default() });
    advance(&mut world, at_ms(30_500));
    world.set_outage(Outage::default());
    let recording = finish(world);
    // "No such name" of 21 s is kept for the 60 s of the zone: all that follow fail.
    assert_eq!(recording.users(0).failed, 30);
    assert_eq!(recording.users(0).max, Span::from_millis(301));
    assert_eq!(recording.users(0).sum, u128::from((Span::from_millis(10) + Span::from_millis(10 * 301)).as_nanos()));
}

#[test]
fn frozen_dns_shows_what_it_missed_when_it_is_over() {
    let mut s = pair(1, 2, Span::from_millis(1), [], no_keeping(ResolverCache::Ttl));
    scale(&mut s, 1, 10, 1);
    let mut world = World::new(&s, 0, 0);
    let shown = |world: &World<'_>| world.services[1].registries[0].shown;
    world.set_outage(Outage { dns_frozen: true, ..Outage::default() });
    advance(&mut world, at_ms(30_000));
    assert_eq!((shown(&world), world.services[1].registries[0].due), (0, 1));
    world.set_outage(Outage::default());
    assert_eq!(shown(&world), 1);
}

#[test]
fn where_nobody_is_healthy_dns_answers_with_whom_it_has() {
    let mut s = pair(1, 1, Span::from_millis(1), [], dns());
    let (interval, timeout) = (Span::from_secs(30), Span::from_secs(5));
    s.services[1].health_check =
        Some(ContainerCheck { interval, timeout, retries: 3, start_period: Span::ZERO, deep: false });
    let mut world = World::new(&s, 0, 0);
    let records = |world: &World<'_>| world.records(1).len();
    advance(&mut world, at_ms(10_000));
    world.crash(1);
    // ECS notices after 5 s, DNS shows it 3 s later, and 9 s after the notice another task starts, whose
    // check has yet to pass; DNS shows that one 3 s later.
    for (ms, expected) in [(17_999, 1), (18_000, 0), (26_999, 0), (27_000, 1)] {
        advance(&mut world, at_ms(ms));
        assert_eq!(records(&world), expected, "{ms}");
    }
}

#[test]
fn without_custom_health_a_task_is_answered_with_from_its_start() {
    let registered = |custom_health: bool| {
        let mut s = pair(1, 1, Span::from_millis(1), [], dns());
        let Mechanism::Dns(dns) = &mut s.planes[0].mechanism else { panic!("it asks DNS") };
        dns.custom_health = custom_health;
        let (interval, timeout) = (Span::from_secs(10), Span::from_secs(5));
        s.services[1].health_check =
            Some(ContainerCheck { interval, timeout, retries: 3, start_period: Span::ZERO, deep: false });
        scale(&mut s, 1, 10, 2);
        let mut world = World::new(&s, 0, 0);
        // DNS shows a registration 3 s later; the app serves 30 s later, its check passes 40 s later at the
        // most, and what that says takes 30 s and the 3 s.
        [12_000, 13_000, 60_000, 83_000].map(|ms| {
            advance(&mut world, at_ms(ms));
            world.records(1).len()
        })
    };
    assert_eq!(registered(false), [1, 2, 2, 2]);
    assert_eq!(registered(true), [1, 1, 1, 2]);
}

/// One ALB node, everything 1 ms apart, nothing that adds to it.
fn one_node() -> Plane {
    let mut plane = alb();
    let way = Distribution::Constant(Span::from_millis(1));
    plane.network = Network { same_zone: way.clone(), cross_zone: way, tls_round_trips: 0 };
    if let Mechanism::Alb(alb) = &mut plane.mechanism {
        alb.nodes = 1;
        alb.hop = Distribution::Constant(Span::ZERO);
    }
    plane
}

#[test]
fn a_request_on_a_connection_that_the_target_is_closing_is_a_502() {
    // The node has its answers at 1.005 (a new connection), 6.002, and 16.008 s (a new one again). The
    // request of 11 s leaves the node 4.999 s after the answer before it, within a round trip of 5 s: the
    // target has closed, the node does not know. Those of 5.999 and 21.01 s are before and after.
    let mut s = pair(1, 1, Span::ZERO, [1_000, 5_999, 11_000, 16_003, 21_010], one_node());
    s.services[1].keep_alive = Some(Span::from_secs(5));
    let recording = run_once(&s);
    assert_eq!((recording.keep_alive_races, recording.users(0).failed), (1, 1));
    // Three from the node, one from the client.
    assert_eq!(recording.connections_opened, 4);
    // A target that keeps connections for longer than the node's 60 s closes none under it.
    s.services[1].keep_alive = Some(Span::from_secs(75));
    let recording = run_once(&s);
    assert_eq!((recording.keep_alive_races, recording.users(0).failed, recording.connections_opened), (0, 0, 2));
}

#[test]
fn the_same_race_breaks_the_call_of_a_client_that_does_not_try_again() {
    let mut plane = one_node();
    plane.mechanism = dns().mechanism;
    plane.edge_policies = dns().edge_policies;
    // Answers are at the client at 1.005 (one look-up, one handshake, one round trip) and 6.001 s.
    let mut s = pair(1, 1, Span::ZERO, [1_000, 5_999, 11_000], plane);
    s.services[1].keep_alive = Some(Span::from_secs(5));
    let recording = run_once(&s);
    assert_eq!((recording.keep_alive_races, recording.users(0).failed), (1, 1));
    s.planes[0].edge_policies[0].retry_policy =
        Some(RetryPolicy { retry_on: RetryOn::RESET, num_retries: 1, ..RetryPolicy::envoy_default() });
    let recording = run_once(&s);
    assert_eq!((recording.keep_alive_races, recording.users(0).failed), (1, 0));
    // Behind a sidecar the app's end is local.
    s.planes = vec![Plane { network: s.planes[0].network.clone(), ..sidecar() }];
    assert_eq!(run_once(&s).keep_alive_races, 0);
}

#[test]
fn what_outlasts_the_deregistration_delay_is_cut_off() {
    let mut plane = one_node();
    plane.edge_policies[0].timeouts.request = Span::MAX;
    if let Mechanism::Alb(alb) = &mut plane.mechanism {
        alb.deregistration_delay = Span::from_secs(5);
    }
    // One request to each of two targets; the younger target is taken out at 2 s and cut off at 7 s.
    let mut s = pair(1, 2, Span::from_secs(20), [1_000, 1_100], plane);
    s.services[1].zones = vec![0];
    scale(&mut s, 1, 2, 1);
    let recording = run_once(&s);
    let edge = recording.edge(0, 0);
    assert_eq!((edge.requests, edge.failed), (2, 1));
    let took = Span::from_nanos(edge.failed_sum as u64);
    // The node tells the client at 7.001 s.
    assert!([6_001, 5_901].map(Span::from_millis).contains(&took), "{took}");
}

#[test]
fn a_node_without_cross_zone_has_the_targets_of_its_zone() {
    let mut s = pair(1, 4, Span::from_millis(1), [], alb());
    if let Mechanism::Alb(alb) = &mut s.planes[0].mechanism {
        alb.cross_zone = false;
    }
    let world = World::new(&s, 0, 0);
    let nodes = world.routers.iter().filter(|host| host.node != NOBODY);
    // Four tasks in three zones.
    assert_eq!(nodes.map(|host| host.router.endpoints().count()).collect::<Vec<_>>(), [2, 1, 1]);
    assert!(world.services[1].tasks.iter().all(|&task| world.is_healthy(task)), "each node of a task's zone sees it");
}

#[test]
fn a_target_starts_slowly_only_beside_one_that_does_not() {
    let mut plane = one_node();
    if let Mechanism::Alb(alb) = &mut plane.mechanism {
        let (window, aggression_milli, min_weight_percent) = (Span::from_secs(900), 1000, 0);
        alb.node_policy.slow_start =
            Some(crate::policy::config::SlowStart { window, aggression_milli, min_weight_percent });
    }
    let mut s = pair(1, 1, Span::from_millis(1), [], plane);
    s.run.duration = Span::from_secs(3_000);
    scale(&mut s, 1, 1_500, 2);
    let mut world = World::new(&s, 0, 0);
    let weight = |world: &World<'_>, task: u32| {
        let node = world.routers.iter().find(|host| host.node != NOBODY).unwrap();
        node.router.weight_of(world.engine.now(), MemberKey(u64::from(task))).unwrap()
    };
    advance(&mut world, at_ms(1_000_000));
    world.crash(1);
    // The only target is replaced after 14 s, serves 30 s later and has passed a probe 30 s after that.
    advance(&mut world, at_ms(1_100_000));
    assert_eq!(weight(&world, 2), 1_000_000);
    // The next one serves 30 s after 1,500 s and passes within 30 s more: then its share begins to grow.
    advance(&mut world, at_ms(1_800_000));
    assert_eq!(weight(&world, 2), 1_000_000);
    assert!((240_000 * 10 / 9..=270_000 * 10 / 9).contains(&weight(&world, 3)), "{}", weight(&world, 3));
}

#[test]
fn a_target_that_starts_slowly_is_not_forgotten() {
    let text = "compare = [\"internal-alb\"]\n[service.a]\ntasks = 1\ncalls = [\"b\"]\n\
        [service.b]\ntasks = 2\nlatency = \"1ms\"\nstartup = \"1s\"\n\
        [plane.internal-alb]\nnodes = 1\nslow_start = \"30s\"\nhealth_check = { interval = \"5s\" }\n\
        [load]\nrate = \"100/s\"\narrivals = \"constant\"\n[[scale]]\nat = \"10s\"\nservice = \"b\"\ntasks = 3\n\
        [run]\nduration = \"60s\"\nwarmup = \"0s\"\n";
    let loaded = parse("t", text, std::path::Path::new("."), &LoadOptions::default());
    let recording = run_once(&loaded.unwrap_or_else(|found| panic!("{found:#?}")).scenario);
    let new = recording.tasks.iter().position(|task| task.name == "b#3").unwrap();
    // It passes its first probe between 11 and 16 s. u parts of 2 + u, u from 0 to 1 in 30 s, are 0.189 of 3,000
    // requests; from then on a third of all: 1,030 to 1,210, and some more by the tenth that it begins with.
    let found = recording.tasks[new].requests;
    assert!((1_000..=1_270).contains(&found), "{found}");
}

#[test]
fn handshakes_are_made_once_per_kept_connection_and_once_for_all_streams() {
    let opened = |protocol: crate::policy::config::PoolProtocol, tls: u8| {
        let mut plane = sidecar();
        plane.network.tls_round_trips = tls;
        plane.network.same_zone = Distribution::Constant(Span::from_millis(1));
        plane.network.cross_zone = Distribution::Constant(Span::from_millis(1));
        if let Mechanism::Sidecar(sidecar) = &mut plane.mechanism {
            sidecar.overhead = Distribution::Constant(Span::ZERO);
        }
        plane.edge_policies[0].pool.protocol = protocol;
        // Five at once, and five more when those are over.
        let s = pair(1, 1, Span::from_millis(100), [[1_000; 5], [2_000; 5]].concat(), plane);
        let recording = run_once(&s);
        (recording.connections_opened, recording.users(0).max)
    };
    let http2 = crate::policy::config::PoolProtocol::Http2 { max_concurrent_streams: 1024 };
    let http1 = crate::policy::config::PoolProtocol::Http1;
    let ms = Span::from_millis;
    // A request and its work 102 ms, a handshake 2 ms, TLS another 2 ms.
    assert_eq!((opened(http1, 0), opened(http2, 0)), ((5, ms(104)), (1, ms(104))));
    assert_eq!((opened(http1, 1), opened(http2, 1)), ((5, ms(106)), (1, ms(106))));
}
