//! What one request costs in `policy` alone: begin, step, report and the look at its upkeep.
//!
//! `cargo bench --bench policy` prints two tables, in nanoseconds at 3, 30, 300 and 3000 endpoints, all of
//! them connected, for each rule of choice. A word after `--` leaves only the rows with that word in
//! their name.
//!
//! 1. A whole request. Every tenth answer is a 503, so that the detectors count and the retry rule is
//!    asked; the retry, its back-off and its second attempt are in the figure.
//! 2. One pick and one result, nothing else: the `step` of a begun request, which picks an endpoint and
//!    takes a connection to it, and the `report` of its 200, which counts it, ends the request and gives
//!    the connection back. Begun outside the time, in batches so that reading the clock does not show.
//!
//! A figure is the fastest of many short rounds: what else the machine does can only add.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]

use scsim::policy::Answer;
use scsim::policy::Ask;
use scsim::policy::Cx;
use scsim::policy::EdsHealth;
use scsim::policy::Entropy;
use scsim::policy::Flight;
use scsim::policy::Member;
use scsim::policy::MemberKey;
use scsim::policy::NoFacts;
use scsim::policy::Outcome;
use scsim::policy::PolicyConfig;
use scsim::policy::RequestKey;
use scsim::policy::Router;
use scsim::policy::Step;
use scsim::policy::Upkeep;
use scsim::policy::config::LbPolicy;
use scsim::policy::config::LeastRequest;
use scsim::policy::config::LocalityRouting;
use scsim::policy::config::OutlierDetection;
use scsim::policy::config::ZoneAware;
use scsim::units::Span;
use scsim::units::Time;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const REQUESTS: u64 = 20_000;
const ROUNDS: usize = 60;
/// Requests begun at a time before their picks are timed.
const BATCH: u64 = 64;

const ENDPOINTS: [u64; 4] = [3, 30, 300, 3000];

/// A row: its name, its rule, and what it changes of members and configuration.
struct Row {
    name: &'static str,
    rule: LbPolicy,
    member: fn(&mut Member),
    config: fn(&mut PolicyConfig),
}

fn main() {
    let plain = |name, rule| Row { name, rule, member: |_| {}, config: |_| {} };
    let weighted = |name, rule| Row { name, rule, member: |m| m.weight = 1 + m.key.0 as u32 % 3, config: |_| {} };
    let two = LbPolicy::LeastRequest(LeastRequest::Choices(2));
    let ring = LbPolicy::RingHash { minimum_ring_size: 1024, maximum_ring_size: 8 * 1024 * 1024 };
    let rows = [
        plain("round robin", LbPolicy::RoundRobin),
        plain("random", LbPolicy::Random),
        plain("least request, 2 choices", two),
        plain("least request, full scan", LbPolicy::LeastRequest(LeastRequest::FullScan)),
        weighted("round robin, weighted", LbPolicy::RoundRobin),
        weighted("least request, weighted", two),
        plain("ring hash", ring),
        plain("maglev", LbPolicy::Maglev { table_size: 65_537 }),
        plain("weighted random, mitigating", LbPolicy::WeightedRandom { anomaly_mitigation: true }),
        Row {
            name: "round robin, two priorities",
            rule: LbPolicy::RoundRobin,
            // A third of the first priority is down, so that both get a part.
            member: |m| {
                m.priority = u8::from(m.key.0 % 3 == 2);
                m.health = if m.key.0 % 3 == 0 { EdsHealth::Unhealthy } else { EdsHealth::Healthy };
            },
            config: |_| {},
        },
        Row {
            name: "round robin, weighted zones",
            rule: LbPolicy::RoundRobin,
            member: |m| (m.zone, m.locality_weight) = ((m.key.0 % 3) as u8, 1 + (m.key.0 % 3) as u32),
            config: |config| config.locality = LocalityRouting::Weighted,
        },
        Row {
            name: "round robin, zone-aware",
            rule: LbPolicy::RoundRobin,
            member: |m| m.zone = (m.key.0 % 3) as u8,
            config: |config| {
                let zones = ZoneAware { routing_enabled: 100, min_cluster_size: 1 };
                config.locality = LocalityRouting::ZoneAware(zones);
            },
        },
    ];
    let only = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let wanted = |row: &&Row| only.as_ref().is_none_or(|only| row.name.contains(only.as_str()));
    let tables =
        [("a whole request", whole_requests as fn(&mut Vantage) -> f64), ("a pick and a result", picks_and_results)];
    for (what, measure) in tables {
        println!("{what}: nanoseconds, fastest of {ROUNDS} rounds");
        println!("  {:<34}{:>8}{:>8}{:>8}{:>8}", "", "3", "30", "300", "3000");
        for row in rows.iter().filter(wanted) {
            let figures = ENDPOINTS.map(|endpoints| {
                let mut vantage = Vantage::connected(row, endpoints);
                let rounds = (0..ROUNDS).map(|_| measure(&mut vantage));
                format!("{:>8.1}", rounds.fold(f64::INFINITY, f64::min))
            });
            println!("  {:<34}{}", row.name, figures.concat());
        }
    }
}

/// A router and what drives it.
struct Vantage {
    router: Router,
    driver: Driver,
    now: Time,
}

impl Vantage {
    /// A router with that many endpoints, all of them connected.
    fn connected(row: &Row, endpoints: u64) -> Vantage {
        let mut config = PolicyConfig { lb_policy: row.rule, ..PolicyConfig::service_connect() };
        (row.config)(&mut config);
        // Detectors count, but nobody leaves: the list stays as long as the column says.
        config.outlier_detection = Some(OutlierDetection {
            enforcing_consecutive_5xx: 0,
            ..config.outlier_detection.expect("the preset has detectors")
        });
        let mut router = Router::new(Arc::new(config));
        let mut own = Driver { words: Words(1), facts: NoFacts };
        let driver = &mut own;
        let now = Time::ZERO;
        let mut members: Vec<Member> = (0..endpoints).map(|key| Member::of(MemberKey(key))).collect();
        members.iter_mut().for_each(row.member);
        router.on_members(&mut driver.cx(now), &members, None);
        // The caller's zone has more callers than endpoints: some of its requests leave it.
        router.on_local_cluster(&mut driver.cx(now), 0, &[2, 1, 1]);
        // As many requests at once as there are endpoints, a few times over, open the connections.
        for _ in 0..8 {
            let flights: Vec<_> = (0..endpoints).map(|i| start(&mut router, now, driver, i)).collect();
            for mut flight in flights {
                if let Step::Try(attempt) = router.step(&mut driver.cx(now), &mut flight) {
                    router.report(&mut driver.cx(now), &mut flight, attempt.attempt, answer(200));
                }
                drain(&mut router, now, driver);
            }
        }
        Vantage { router, driver: own, now }
    }
}

/// Nanoseconds for a request from its beginning to its end.
fn whole_requests(vantage: &mut Vantage) -> f64 {
    let Vantage { router, driver, now: clock } = vantage;
    let mut now = *clock;
    let before = Instant::now();
    for request in 0..REQUESTS {
        now = now + Span::from_micros(100);
        let mut flight = router.begin(&mut driver.cx(now), Ask::of(RequestKey(request)));
        let status = if request % 10 == 0 { 503 } else { 200 };
        let mut at = now;
        loop {
            match router.step(&mut driver.cx(at), &mut flight) {
                Step::Try(attempt) => {
                    let status = if attempt.attempt.0 == 0 { status } else { 200 };
                    router.report(&mut driver.cx(at), &mut flight, attempt.attempt, answer(status));
                }
                Step::Wait { until: Some(until) } => at = if drain(router, at, driver) { at } else { until },
                Step::Wait { until: None } | Step::Resolve => unreachable!("endpoints are known and deadlines finite"),
                Step::Done(verdict) => {
                    black_box(verdict);
                    break;
                }
            }
        }
        now = at;
        if !router.is_quiet(now) {
            drain(router, now, driver);
        }
    }
    *clock = now;
    before.elapsed().as_nanos() as f64 / REQUESTS as f64
}

/// Nanoseconds for the pick and the result alone.
fn picks_and_results(vantage: &mut Vantage) -> f64 {
    let Vantage { router, driver, now: clock } = vantage;
    let mut now = *clock;
    let mut flights: Vec<Flight> = Vec::with_capacity(BATCH as usize);
    let mut spent = 0;
    for batch in 0..REQUESTS / BATCH {
        now = now + Span::from_micros(100);
        let keys = batch * BATCH..(batch + 1) * BATCH;
        flights.extend(keys.map(|key| router.begin(&mut driver.cx(now), Ask::of(RequestKey(key)))));
        let before = Instant::now();
        for flight in &mut flights {
            let attempt = loop {
                match router.step(&mut driver.cx(now), flight) {
                    Step::Try(attempt) => break attempt,
                    // Chance has passed an endpoint by so far: it gets its connection now.
                    _ => assert!(drain(router, now, driver), "nothing else keeps a request"),
                }
            };
            router.report(&mut driver.cx(now), flight, attempt.attempt, answer(200));
        }
        spent += before.elapsed().as_nanos();
        black_box(&mut flights).clear();
        drain(router, now, driver);
    }
    *clock = now;
    spent as f64 / (REQUESTS / BATCH * BATCH) as f64
}

/// Begins a request and takes it to its connection.
fn start(router: &mut Router, now: Time, driver: &mut Driver, request: u64) -> Flight {
    let ask = Ask::of(RequestKey(request));
    let mut flight = router.begin(&mut driver.cx(now), ask);
    if matches!(router.step(&mut driver.cx(now), &mut flight), Step::Wait { .. }) {
        drain(router, now, driver);
    }
    flight
}

/// Does all upkeep; true if there was any.
fn drain(router: &mut Router, now: Time, driver: &mut Driver) -> bool {
    let mut any = false;
    while let Some(upkeep) = router.poll_upkeep(&mut driver.cx(now)) {
        any = true;
        if let Upkeep::Connect { conn, .. } = upkeep {
            router.on_connected(&mut driver.cx(now), conn);
        }
    }
    any
}

fn answer(status: u16) -> Outcome {
    Outcome::Answered(Answer::of(status))
}

/// What a driver brings along: random words and an ear for facts.
struct Driver {
    words: Words,
    facts: NoFacts,
}

impl Driver {
    fn cx(&mut self, now: Time) -> Cx<'_> {
        Cx { now, rng: &mut self.words, facts: &mut self.facts }
    }
}

/// A linear congruential generator: the words only have to be cheap and spread.
struct Words(u64);

impl Entropy for Words {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 ^ (self.0 >> 33)
    }
}
