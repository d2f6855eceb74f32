//! Scenarios that measurements run: plain queues and one hop, built in code.

use scsim::measure::Recording;
use scsim::policy::PolicyConfig;
use scsim::scenario::Arrivals;
use scsim::scenario::CallSite;
use scsim::scenario::Distribution;
use scsim::scenario::Edge;
use scsim::scenario::EdgeId;
use scsim::scenario::Endpoint;
use scsim::scenario::Enrolment;
use scsim::scenario::Load;
use scsim::scenario::Mechanism;
use scsim::scenario::Network;
use scsim::scenario::Plane;
use scsim::scenario::Protocol;
use scsim::scenario::RatePiece;
use scsim::scenario::ReadyWhen;
use scsim::scenario::Replications;
use scsim::scenario::Run;
use scsim::scenario::Scenario;
use scsim::scenario::Service;
use scsim::scenario::ServiceId;
use scsim::scenario::SidecarPlane;
use scsim::scenario::Spacing;
use scsim::scenario::Spread;
use scsim::scenario::Step;
use scsim::scenario::TaskLife;
use scsim::sim::Limits;
use scsim::units::Bytes;
use scsim::units::Cpu;
use scsim::units::Rate;
use scsim::units::Ratio;
use scsim::units::Span;
use scsim::units::Time;
use std::sync::atomic::AtomicBool;

/// M/M/10 at a load of 0.8: 800 requests per second, exponential work of 10 ms.
pub fn queue(seconds: u64) -> Scenario {
    let mut queue = service("queue", 1, vec![work(Span::from_millis(10))]);
    queue.concurrency = Some(10);
    let plane = Plane {
        name: "direct".to_owned(),
        mechanism: Mechanism::Direct,
        edge_policies: vec![],
        network: no_delay(),
        warning: None,
        not_applicable: None,
        second: None,
    };
    scenario(vec![queue], vec![], Rate::per_sec(800), seconds, plane)
}

/// One Service Connect hop at 2,000 requests per second: 200 callers, 10 callees with 10 ms of
/// exponential work, both sidecars, time-outs of 15 s. One answer in a thousand is a 500, so that
/// detectors count and now and then eject.
pub fn hop(seconds: u64) -> Scenario {
    let call = Step::Call(CallSite {
        edge: EdgeId(0),
        endpoint: 0,
        timeout: None,
        probability: Ratio::ONE,
        idempotent: true,
        optional: false,
        request: Bytes::new(0),
        response: Bytes::new(0),
    });
    let mut callee = service("callee", 10, vec![work(Span::from_millis(10))]);
    callee.endpoints[0].errors = Ratio::from_ppm(1_000);
    let plane = Plane {
        name: "service-connect".to_owned(),
        mechanism: Mechanism::Sidecar(SidecarPlane {
            endpoint_push: Distribution::Constant(Span::from_secs(3)),
            ready_when: ReadyWhen::Healthy,
            overhead: Distribution::Exponential { mean: Span::from_micros(300) },
            cpu: Cpu::from_millis(250),
            memory: Bytes::new(64 << 20),
            snapshot_names: true,
            cpu_per_request: Span::from_micros(100),
            start: Distribution::Constant(Span::ZERO),
            drain: Span::from_secs(20),
            inbound: true,
            drains_inbound_first: true,
            memory_base: Bytes::new(40 << 20),
            memory_growth: Bytes::new(0),
            restart: Span::from_secs(1),
            restarts: 3,
        }),
        edge_policies: vec![PolicyConfig::service_connect()],
        network: Network {
            same_zone: Distribution::Constant(Span::from_micros(250)),
            cross_zone: Distribution::Constant(Span::from_micros(600)),
            tls_round_trips: 1,
        },
        warning: None,
        not_applicable: None,
        second: None,
    };
    let edge = Edge { from: ServiceId(0), to: ServiceId(1) };
    scenario(vec![service("caller", 200, vec![call]), callee], vec![edge], Rate::per_sec(2_000), seconds, plane)
}

/// Runs one replication and checks its books.
pub fn run(scenario: &Scenario) -> Recording {
    let stop = AtomicBool::new(false);
    let limits = Limits { stop: &stop, events_max: u64::MAX };
    let recording = scsim::sim::run(scenario, 0, 0, limits).expect("no limit is set");
    assert_eq!(recording.books.problems, Vec::<String>::new());
    recording
}

fn work(mean: Span) -> Step {
    Step::Work(Distribution::Exponential { mean })
}

fn no_delay() -> Network {
    let none = Distribution::Constant(Span::ZERO);
    Network { same_zone: none.clone(), cross_zone: none, tls_round_trips: 0 }
}

fn service(name: &str, tasks: u32, steps: Vec<Step>) -> Service {
    Service {
        name: name.to_owned(),
        tasks,
        zones: vec![0, 1, 2],
        protocol: Protocol::Http,
        cpu: Cpu::from_millis(500),
        memory: Bytes::new(1 << 30),
        endpoints: vec![Endpoint { name: String::new(), errors: Ratio::ZERO, steps }],
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

fn scenario(services: Vec<Service>, edges: Vec<Edge>, rate: Rate, seconds: u64, plane: Plane) -> Scenario {
    Scenario {
        file: "bench".to_owned(),
        title: String::new(),
        description: String::new(),
        digest: String::new(),
        run: Run {
            duration: Span::from_secs(seconds),
            warmup: Span::ZERO,
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
        unmodelled: Vec::new(),
        sweep: None,
        cost: scsim::scenario::Cost::default(),
        claim: None,
        assumptions: vec![],
    }
}
