//! The world under scenarios built in code: books, queueing theory, each mechanism's first principles.

mod deploy;
mod discovery;
mod faults;
mod life;
mod migration;
mod proxies;
mod scaling;

use super::Limits;
use super::run;
use super::slab::Ref;
use super::world::Ev;
use super::world::World;
use crate::measure::Recording;
use crate::policy::PolicyConfig;
use crate::policy::config::LbPolicy;
use crate::policy::config::LocalityRouting;
use crate::scenario::*;
use crate::units::*;
use std::sync::atomic::AtomicBool;

fn service(name: &str, tasks: u32, latency: Option<Distribution>) -> Service {
    Service {
        name: name.to_owned(),
        tasks,
        zones: vec![0, 1, 2],
        protocol: Protocol::Http,
        cpu: Cpu::from_millis(500),
        memory: Bytes::new(1 << 30),
        endpoints: vec![Endpoint {
            name: String::new(),
            errors: Ratio::ZERO,
            steps: latency.into_iter().map(Step::Work).collect(),
        }],
        concurrency: None,
        queue: None,
        queue_timeout: None,
        startup: Distribution::Constant(Span::from_secs(30)),
        stop_timeout: Span::from_secs(30),
        handles_sigterm: true,
        health_check: None,
        external: false,
        keep_alive: None,
        service_connect: Enrolment::ClientServer,
        life: TaskLife::default(),
        created: Time::ZERO,
    }
}

fn call(edge: u32) -> Step {
    Step::Call(CallSite {
        edge: EdgeId(edge),
        endpoint: 0,
        timeout: None,
        probability: Ratio::ONE,
        idempotent: true,
        optional: false,
        request: Bytes::new(0),
        response: Bytes::new(0),
    })
}

fn no_delay() -> Network {
    Network {
        same_zone: Distribution::Constant(Span::ZERO),
        cross_zone: Distribution::Constant(Span::ZERO),
        tls_round_trips: 0,
    }
}

fn direct(policy: PolicyConfig) -> Plane {
    Plane {
        name: "direct".to_owned(),
        mechanism: Mechanism::Direct,
        edge_policies: vec![policy],
        network: no_delay(),
        warning: None,
        not_applicable: None,
        second: None,
    }
}

fn sidecar() -> Plane {
    Plane {
        name: "service-connect".to_owned(),
        mechanism: Mechanism::Sidecar(SidecarPlane {
            endpoint_push: Distribution::Constant(Span::from_secs(3)),
            ready_when: ReadyWhen::Healthy,
            overhead: Distribution::Constant(Span::from_micros(300)),
            cpu_per_request: Span::from_micros(100),
            start: Distribution::Constant(Span::ZERO),
            drain: Span::from_secs(20),
            inbound: true,
            drains_inbound_first: true,
            cpu: crate::units::Cpu::from_millis(250),
            memory: crate::units::Bytes::new(64 << 20),
            memory_base: crate::units::Bytes::new(40 << 20),
            memory_growth: crate::units::Bytes::new(0),
            restart: Span::from_secs(1),
            restarts: 3,
            snapshot_names: true,
        }),
        edge_policies: vec![PolicyConfig::service_connect()],
        ..direct(PolicyConfig::direct())
    }
}

fn dns() -> Plane {
    Plane {
        name: "cloud-map-dns".to_owned(),
        mechanism: Mechanism::Dns(DnsPlane {
            ttl: Span::from_secs(60),
            resolver_cache: ResolverCache::Ttl,
            negative_ttl: Span::from_secs(60),
            max_answers: 8,
            record_lag: Distribution::Constant(Span::from_secs(3)),
            health_lag: Span::from_secs(30),
            deregister_before_stop: None,
            lookup: Distribution::Constant(Span::from_millis(1)),
            custom_health: true,
            client: None,
        }),
        edge_policies: vec![PolicyConfig::dns_client()],
        ..direct(PolicyConfig::direct())
    }
}

fn alb() -> Plane {
    let mut client = PolicyConfig::dns_client();
    client.discovery = crate::policy::config::Discovery::Pushed;
    client.lb_policy = LbPolicy::Random;
    Plane {
        name: "internal-alb".to_owned(),
        mechanism: Mechanism::Alb(AlbPlane {
            nodes: 3,
            node_policy: PolicyConfig::alb_node(),
            deregistration_delay: Span::from_secs(300),
            hop: Distribution::Constant(Span::from_millis(1)),
            cross_zone: true,
        }),
        edge_policies: vec![client],
        ..direct(PolicyConfig::direct())
    }
}

fn scenario(services: Vec<Service>, edges: Vec<Edge>, rate: Rate, seconds: u64, plane: Plane) -> Scenario {
    Scenario {
        file: "test".to_owned(),
        title: String::new(),
        description: String::new(),
        digest: String::new(),
        run: Run {
            duration: Span::from_secs(seconds),
            warmup: Span::from_secs(seconds / 10),
            drain: Span::from_secs(30),
            seed: 1,
            replications: Replications::Fixed(1),
            confidence: 0.95,
        },
        zones: vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
        services,
        edges,
        loads: vec![Load {
            name: "load".to_owned(),
            entry: ServiceId(0),
            endpoint: 0,
            arrivals: Arrivals::Open {
                pieces: vec![RatePiece { at: Time::ZERO, rate, ramps_to_next: false }],
                bursts: vec![],
                spacing: Spacing::Poisson,
            },
            from: Time::ZERO,
            until: Time::NEVER,
            spread: Spread::Random,
            test: false,
        }],
        network: no_delay(),
        planes: vec![plane],
        faults: vec![],
        scales: vec![],
        scalings: vec![],
        migrations: vec![],
        deploys: vec![],
        expects: vec![],
        sweep: None,
        cost: crate::scenario::Cost::default(),
        claim: None,
        assumptions: vec![],
        unmodelled: vec![],
    }
}

/// Runs a world up to an instant, which is then its time.
fn advance(world: &mut World<'_>, to: Time) {
    // Nobody's call: it only brings the clock there.
    world.engine.at(to, Ev::Step(Ref::from_word(u64::MAX)));
    while let Some(event) = world.engine.pop(to, |_| false) {
        world.dispatch(event);
        while let Some(call) = world.woken.pop_front() {
            world.drive(call);
        }
    }
    assert_eq!(world.engine.now(), to);
}

/// Runs a world to its end.
fn finish(world: World<'_>) -> Recording {
    let stop = AtomicBool::new(false);
    let recording = world.run_to_end(Limits { stop: &stop, events_max: u64::MAX }).unwrap();
    assert_eq!(recording.books.problems, Vec::<String>::new());
    recording
}

fn at_ms(ms: u64) -> Time {
    Time::ZERO + Span::from_millis(ms)
}

/// web -> api, requests at these instants (ms), every one of them counted, each taking `work` in api.
fn pair(web: u32, api: u32, work: Span, arrivals: impl IntoIterator<Item = u64>, plane: Plane) -> Scenario {
    let mut caller = service("web", web, None);
    caller.endpoints[0].steps = vec![call(0)];
    let callee = service("api", api, Some(Distribution::Constant(work)));
    let edges = vec![Edge { from: ServiceId(0), to: ServiceId(1) }];
    let mut s = scenario(vec![caller, callee], edges, Rate::per_sec(1), 100, plane);
    s.run.warmup = Span::ZERO;
    s.loads[0].arrivals = Arrivals::Trace(arrivals.into_iter().map(at_ms).collect());
    s
}

fn run_once(scenario: &Scenario) -> Recording {
    let stop = AtomicBool::new(false);
    let recording = run(scenario, 0, 0, Limits { stop: &stop, events_max: u64::MAX }).unwrap();
    assert_eq!(recording.books.problems, Vec::<String>::new());
    recording
}

/// checkout x3 -> payments x6, 200/s, payments#1 wedged from 10 s on.
fn wedged(plane: Plane) -> Scenario {
    let latency = Distribution::LogNormal { mu: 16.3, sigma: 0.8 };
    let mut checkout = service("checkout", 3, None);
    checkout.endpoints[0].steps = vec![call(0)];
    let mut s = scenario(
        vec![checkout, service("payments", 6, Some(latency))],
        vec![Edge { from: ServiceId(0), to: ServiceId(1) }],
        Rate::per_sec(200),
        60,
        plane,
    );
    s.run.warmup = Span::ZERO;
    s.faults.push(Fault {
        name: "fault 1".to_owned(),
        kind: FaultKind::Wedge { status: 503 },
        target: Target::Task(ServiceId(1), 1),
        when: When::Once { at: Time::ZERO + Span::from_secs(10), lasts: None },
        how: How::default(),
    });
    s
}

fn mean_ms(recording: &Recording) -> f64 {
    recording.users(0).mean_ms().unwrap()
}

#[test]
fn mm1_has_the_mean_of_theory() {
    let mut queue = service("queue", 1, Some(Distribution::Exponential { mean: Span::from_millis(10) }));
    queue.concurrency = Some(1);
    let s = scenario(vec![queue], vec![], Rate::per_sec(50), 40_000, direct(PolicyConfig::direct()));
    let s = Scenario { planes: vec![Plane { edge_policies: vec![], ..s.planes[0].clone() }], ..s };
    let recording = run_once(&s);
    // rho 0.5: T = 1 / (100 - 50) s = 20 ms; two million requests put the mean within 1 %.
    let mean = mean_ms(&recording);
    assert!((mean / 20.0 - 1.0).abs() < 0.01, "{mean}");
    let p99 = recording.users(0).percentile_ms(0.99).unwrap();
    assert!((p99 / 92.1034 - 1.0).abs() < 0.02, "{p99}");
    let books = recording.services[0];
    let wait_share = books.waited as f64 / books.arrived as f64;
    assert!((wait_share - 0.5).abs() < 0.005, "{wait_share}");
}

#[test]
fn service_connect_retries_and_ejects_the_wedged_task() {
    // With six endpoints in three zones, only the caller of its own zone asks the wedged task at all.
    for (heeds_zones, ejections) in [(true, 1), (false, 3)] {
        let mut scenario = wedged(sidecar());
        for policy in scenario.planes.iter_mut().flat_map(|plane| &mut plane.edge_policies) {
            if !heeds_zones {
                policy.locality = LocalityRouting::None;
            }
        }
        let recording = run_once(&scenario);
        let users = recording.users(0);
        assert_eq!(users.failed, 0, "{:?}", users.flags);
        assert!((ejections..=2 * ejections).contains(&recording.ejections), "{}", recording.ejections);
        assert!(recording.time_to_eject.unwrap() < Span::from_secs(2));
    }
}

#[test]
fn an_alb_never_notices_the_wedged_task() {
    let recording = run_once(&wedged(alb()));
    let faulty = recording.users(1);
    let rate = faulty.error_rate().unwrap();
    assert!((rate - 1.0 / 6.0).abs() < 0.02, "{rate}");
    assert_eq!(recording.ejections, 0);
}

#[test]
fn dns_clients_stay_where_their_connections_lead() {
    let recording = run_once(&wedged(dns()));
    let users = recording.users(0);
    assert!(users.requests > 10_000);
    // A look-up is for a new connection only: kept ones carry nearly everything.
    assert!((1..users.requests / 100).contains(&recording.lookups), "{} look-ups", recording.lookups);
}

#[test]
fn planes_see_the_same_arrivals() {
    let counts: Vec<u64> =
        [sidecar(), dns(), alb()].into_iter().map(|plane| run_once(&wedged(plane)).books.arrived).collect();
    assert!(counts.iter().all(|&n| n == counts[0]), "{counts:?}");
}

#[test]
fn a_proxy_that_finds_a_task_unhealthy_does_not_make_ecs_replace_it() {
    let mut plane = sidecar();
    plane.edge_policies[0].health_check = PolicyConfig::alb_node().health_check;
    let mut s = wedged(plane);
    s.run.duration = Span::from_secs(200);
    s.faults[0].kind = FaultKind::Hang;
    let recording = run_once(&s);
    let kinds = |kind| recording.events.iter().filter(|event| event.kind == kind).count();
    assert!(kinds(crate::measure::HappeningKind::Unhealthy) > 0);
    assert_eq!(kinds(crate::measure::HappeningKind::TaskStarted), 0, "no check of ECS's failed");
}
