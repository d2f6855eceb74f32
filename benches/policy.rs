//! What one request costs in `policy` alone: begin, step, report and the look at its upkeep.
//!
//! `cargo bench --bench policy` prints nanoseconds per request at 3, 30, 300 and 3000 endpoints, all of
//! them connected, for round robin and least request. Every tenth answer is a 503, so that the
//! detectors count and the retry rule is asked.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]

use scsim::policy::Answer;
use scsim::policy::Ask;
use scsim::policy::Cx;
use scsim::policy::Entropy;
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
use scsim::policy::config::OutlierDetection;
use scsim::units::Span;
use scsim::units::Time;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const REQUESTS: u64 = 300_000;
const ROUNDS: usize = 7;

fn main() {
    println!("nanoseconds per request, median of {ROUNDS}");
    println!("  {:<34}{:>8}{:>8}{:>8}{:>8}", "", "3", "30", "300", "3000");
    for (name, rule) in [
        ("round robin", LbPolicy::RoundRobin),
        ("least request, 2 choices", LbPolicy::LeastRequest(LeastRequest::Choices(2))),
        ("least request, full scan", LbPolicy::LeastRequest(LeastRequest::FullScan)),
    ] {
        let figures = [3, 30, 300, 3000].map(|endpoints| {
            let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| one_request(rule, endpoints)).collect();
            rounds.sort_unstable_by(f64::total_cmp);
            rounds[ROUNDS / 2]
        });
        let [a, b, c, d] = figures;
        println!("  {name:<34}{a:>8.1}{b:>8.1}{c:>8.1}{d:>8.1}");
    }
}

/// Nanoseconds per request through a router with that many endpoints.
fn one_request(rule: LbPolicy, endpoints: u64) -> f64 {
    let mut config = PolicyConfig { lb_policy: rule, ..PolicyConfig::service_connect() };
    // Detectors count, but nobody leaves: the list stays as long as the column says.
    config.outlier_detection = Some(OutlierDetection {
        enforcing_consecutive_5xx: 0,
        ..config.outlier_detection.expect("the preset has detectors")
    });
    let mut router = Router::new(Arc::new(config));
    let mut driver = Driver { words: Words(1), facts: NoFacts };
    let mut now = Time::ZERO;
    let members: Vec<Member> = (0..endpoints).map(|key| Member::of(MemberKey(key))).collect();
    router.on_members(&mut driver.cx(now), &members, None);
    // As many requests at once as there are endpoints, a few times over, open the connections.
    for _ in 0..8 {
        let flights: Vec<_> = (0..endpoints).map(|i| start(&mut router, now, &mut driver, i)).collect();
        for mut flight in flights {
            if let Step::Try(attempt) = router.step(&mut driver.cx(now), &mut flight) {
                router.report(&mut driver.cx(now), &mut flight, attempt.attempt, answer(200));
            }
            drain(&mut router, now, &mut driver);
        }
    }
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
                Step::Wait { until: Some(until) } => at = if drain(&mut router, at, &mut driver) { at } else { until },
                Step::Wait { until: None } | Step::Resolve => unreachable!("endpoints are known and deadlines finite"),
                Step::Done(verdict) => {
                    black_box(verdict);
                    break;
                }
            }
        }
        now = at;
        if !router.is_quiet(now) {
            drain(&mut router, now, &mut driver);
        }
    }
    before.elapsed().as_nanos() as f64 / REQUESTS as f64
}

/// Begins a request and takes it to its connection.
fn start(router: &mut Router, now: Time, driver: &mut Driver, request: u64) -> scsim::policy::Flight {
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
