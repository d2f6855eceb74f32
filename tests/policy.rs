//! Lists of calls on a bare router, and the steps that must come of them.

use scsim::policy::Answer;
use scsim::policy::Ask;
use scsim::policy::ConnKey;
use scsim::policy::Cx;
use scsim::policy::Entropy;
use scsim::policy::Fact;
use scsim::policy::Flight;
use scsim::policy::Member;
use scsim::policy::MemberKey;
use scsim::policy::Outcome;
use scsim::policy::PolicyConfig;
use scsim::policy::RequestKey;
use scsim::policy::Router;
use scsim::policy::Step;
use scsim::policy::Try;
use scsim::policy::Upkeep;
use scsim::policy::Verdict;
use scsim::policy::config::Discovery;
use scsim::policy::config::OutlierDetection;
use scsim::policy::config::OutlierReading;
use scsim::policy::config::Panic;
use scsim::policy::config::RetryBudget;
use scsim::policy::config::RetryOn;
use scsim::policy::config::RetryPolicy;
use scsim::policy::config::Stale;
use scsim::policy::fact::Flag;
use scsim::units::Ratio;
use scsim::units::Span;
use scsim::units::Time;
use std::sync::Arc;

/// A router with its clock, its words (all zero) and its facts.
struct Bench {
    router: Router,
    now: Time,
    facts: Vec<(Time, Fact)>,
    closed: Vec<ConnKey>,
}

struct Zero;
impl Entropy for Zero {
    fn next_u64(&mut self) -> u64 {
        0
    }
}

impl Bench {
    fn new(config: PolicyConfig) -> Bench {
        Bench { router: Router::new(Arc::new(config)), now: Time::ZERO, facts: Vec::new(), closed: Vec::new() }
    }

    fn tell<R>(&mut self, what: impl FnOnce(&mut Router, &mut Cx<'_>) -> R) -> R {
        let cx = &mut Cx { now: self.now, rng: &mut Zero, facts: &mut self.facts };
        what(&mut self.router, cx)
    }

    fn list(&mut self, members: &[u64], valid_for: Option<Span>) {
        let list: Vec<Member> = members.iter().map(|&key| Member::of(MemberKey(key))).collect();
        self.tell(|router, cx| router.on_members(cx, &list, valid_for));
    }

    /// Every dial succeeds at once.
    fn settle(&mut self) {
        while let Some(upkeep) = self.tell(Router::poll_upkeep) {
            match upkeep {
                Upkeep::Connect { conn, .. } => self.tell(|router, cx| router.on_connected(cx, conn)),
                Upkeep::Close { conn } => self.closed.push(conn),
                Upkeep::Wake { .. } | Upkeep::Probe { .. } => {}
            }
        }
    }

    /// Begins a request and brings it as far as it goes.
    fn begin(&mut self, request: u64) -> (Flight, Step) {
        let ask = Ask::of(RequestKey(request));
        let mut flight = self.tell(|router, cx| router.begin(cx, ask));
        let step = self.step(&mut flight);
        (flight, step)
    }

    fn step(&mut self, flight: &mut Flight) -> Step {
        let mut step = self.tell(|router, cx| router.step(cx, flight));
        self.settle();
        if matches!(step, Step::Wait { .. }) {
            step = self.tell(|router, cx| router.step(cx, flight));
        }
        step
    }

    fn answer(&mut self, flight: &mut Flight, attempt: Try, status: u16) -> Step {
        let outcome = Outcome::Answered(Answer::of(status));
        self.tell(|router, cx| router.report(cx, flight, attempt.attempt, outcome));
        self.step(flight)
    }

    /// A request that is answered at once by whoever gets it; who that was.
    fn ask(&mut self, request: u64, status: u16) -> u64 {
        let (mut flight, step) = self.begin(request);
        let attempt = tried(step);
        let _ = self.answer(&mut flight, attempt, status);
        attempt.member.0
    }
}

fn tried(step: Step) -> Try {
    match step {
        Step::Try(attempt) => attempt,
        other => panic!("expected an attempt, got {other:?}"),
    }
}

#[test]
fn an_answer_of_dns_that_leaves_an_address_out_does_not_end_the_connection_to_it() {
    let mut bench = Bench::new(PolicyConfig::dns_client());
    let ttl = Some(Span::from_secs(1));
    let (mut flight, step) = bench.begin(1);
    assert_eq!(step, Step::Resolve);
    bench.list(&[7, 8], ttl);
    let attempt = tried(bench.step(&mut flight));
    assert_eq!(attempt.member, MemberKey(7));
    let _ = bench.answer(&mut flight, attempt, 200);
    bench.list(&[9], ttl);
    bench.settle();
    assert_eq!(bench.closed, []);
    assert_eq!(bench.ask(2, 200), 7, "the idle connection is reused, whatever the newest answer says");
}

/// Envoy's detector tells its pools of every change about a host that is out, not of its ejection only
/// (seen on the binary: each of the two changes below costs it a connection).
#[test]
fn one_that_is_out_loses_its_connections_again_when_it_is_degraded_and_when_that_ends() {
    let detection = OutlierDetection {
        consecutive_5xx: 1,
        detect_degraded_hosts: true,
        interval: Span::from_secs(10),
        base_ejection_time: Span::from_secs(30),
        max_ejection_percent: 100,
        ..OutlierDetection::envoy_default()
    };
    let mut bench = Bench::new(PolicyConfig {
        outlier_detection: Some(detection),
        update_merge_window: Span::ZERO,
        ..PolicyConfig::envoy_default()
    });
    // Alone it is in panic once it is out, and goes on getting requests.
    bench.list(&[7], None);
    for (request, degraded, closed) in [(1, true, 0), (2, false, 1), (3, true, 1)] {
        let (mut flight, step) = bench.begin(request);
        let attempt = tried(step);
        let answer = Answer { degraded, ..Answer::of(if degraded { 200 } else { 500 }) };
        let outcome = Outcome::Answered(answer);
        bench.tell(|router, cx| router.report(cx, &mut flight, attempt.attempt, outcome));
        let _ = bench.step(&mut flight);
        assert_eq!(bench.closed.len(), closed, "request {request}: it is degraded already");
        // A second ejection starts later than the degradation, which therefore ends before it.
        bench.now = bench.now + Span::from_secs(5);
    }
    bench.now = Time::ZERO + Span::from_secs(30);
    bench.settle();
    assert!(!bench.router.standing_of(MemberKey(7)).unwrap().degraded);
    assert!(bench.router.standing_of(MemberKey(7)).unwrap().ejected);
    assert_eq!(bench.closed.len(), 2, "it has recovered and is still out");
    assert_eq!(bench.ask(4, 200), 7);
    let (mut flight, step) = bench.begin(5);
    let attempt = tried(step);
    let outcome = Outcome::Answered(Answer { degraded: true, ..Answer::of(200) });
    bench.tell(|router, cx| router.report(cx, &mut flight, attempt.attempt, outcome));
    let _ = bench.step(&mut flight);
    assert_eq!(bench.closed.len(), 3, "it is degraded while it is out");
}

#[test]
fn a_pushed_list_that_leaves_an_endpoint_out_ends_its_connections() {
    let mut bench = Bench::new(PolicyConfig::envoy_default());
    bench.list(&[7], None);
    assert_eq!(bench.ask(1, 200), 7);
    bench.list(&[9], None);
    bench.settle();
    assert_eq!(bench.closed.len(), 1);
    assert_eq!(bench.ask(2, 200), 9);
}

#[test]
fn a_503_is_retried_elsewhere_and_five_in_a_row_eject() {
    let mut bench = Bench::new(PolicyConfig::service_connect());
    bench.list(&[1, 2, 3], None);
    for request in 0..30 {
        // Past the merge window after the list: a change of health within it would be held back.
        bench.now = bench.now + Span::from_millis(200);
        let (mut flight, mut step) = bench.begin(request);
        loop {
            match step {
                Step::Try(attempt) => {
                    let status = if attempt.member == MemberKey(1) { 503 } else { 200 };
                    step = bench.answer(&mut flight, attempt, status);
                }
                Step::Wait { until } => {
                    bench.now = until.unwrap();
                    step = bench.step(&mut flight);
                }
                Step::Done(verdict) => {
                    assert!(matches!(verdict, Verdict { status: 200, attempts: 1 | 2, .. }), "{verdict:?}");
                    break;
                }
                Step::Resolve => panic!("endpoints are pushed"),
            }
        }
    }
    assert_eq!(bench.router.ejected(), 1);
    let failures = bench.facts.iter().filter(|(_, fact)| matches!(fact, Fact::Answered { status: 503, .. })).count();
    assert_eq!(failures, 5);
}

#[test]
fn a_request_time_out_charges_the_endpoint_and_is_final() {
    let mut bench = Bench::new(PolicyConfig::service_connect());
    bench.list(&[1, 2], None);
    let (mut flight, step) = bench.begin(1);
    let attempt = tried(step);
    assert_eq!(attempt.give_up_at, Time::ZERO + Span::from_secs(15));
    bench.now = attempt.give_up_at;
    let Step::Done(verdict) = bench.step(&mut flight) else { panic!("the deadline has passed") };
    assert_eq!((verdict.status, verdict.attempts), (504, 1));
    assert!(verdict.flags.has(Flag::Ut));
    assert_eq!((bench.router.active(), bench.router.connections()), (0, 0), "an HTTP/1 connection is lost with it");
}

/// Retries that a budget of 20 %, one at the least, allows when twenty requests fail together.
fn allowed_of_twenty(body_follows: bool) -> usize {
    let mut config = PolicyConfig::envoy_default();
    config.circuit_breakers.retry_budget =
        Some(RetryBudget { budget_percent: Ratio::from_percent(20), min_retry_concurrency: 1 });
    config.retry_policy = Some(RetryPolicy { retry_on: RetryOn::FIVE_XX, ..RetryPolicy::envoy_default() });
    let mut bench = Bench::new(config);
    bench.list(&[7], None);
    let mut open: Vec<(Flight, Try)> = Vec::new();
    for request in 0..20 {
        let (flight, step) = bench.begin(request);
        open.push((flight, tried(step)));
    }
    let failure = Outcome::Answered(Answer::of(503).with_body(body_follows));
    for (flight, attempt) in &mut open {
        bench.tell(|router, cx| router.report(cx, flight, attempt.attempt, failure));
    }
    bench.facts.iter().filter(|(_, fact)| matches!(fact, Fact::Retrying { .. })).count()
}

#[test]
fn a_stream_reset_for_a_retry_counts_in_the_budget_until_the_instant_is_over() {
    // Both figures are Envoy's, for failures that it finds in one turn of its event loop.
    assert_eq!(allowed_of_twenty(false), 3);
    assert_eq!(allowed_of_twenty(true), 4);
}

#[test]
fn of_two_returns_in_one_sweep_the_second_is_seen_a_window_later() {
    let mut config = PolicyConfig::envoy_default();
    config.panic = Panic::Never;
    config.update_merge_window = Span::from_millis(400);
    config.outlier_detection = Some(OutlierDetection {
        consecutive_5xx: 1,
        interval: Span::from_secs(1),
        base_ejection_time: Span::from_millis(2500),
        max_ejection_percent: 100,
        ..OutlierDetection::envoy_default()
    });
    let mut bench = Bench::new(config);
    bench.list(&[1, 2], None);
    let pass = |bench: &mut Bench, ms| {
        let until = Time::ZERO + Span::from_millis(ms);
        while bench.router.upkeep_due() <= until {
            bench.now = bench.router.upkeep_due();
            bench.settle();
        }
        bench.now = until;
    };
    pass(&mut bench, 1500);
    for request in 0..2 {
        bench.ask(request, 500);
    }
    let seen = |bench: &Bench| {
        [1, 2].map(|key| bench.router.standing_of(MemberKey(key)).is_some_and(|standing| standing.seen_healthy))
    };
    for (ms, expected) in [
        (1950, [false, false]),
        (3999, [false, false]),
        (4000, [true, false]),
        (4399, [true, false]),
        (4400, [true; 2]),
    ] {
        pass(&mut bench, ms);
        assert_eq!(seen(&bench), expected, "at {ms} ms");
    }
}

/// Envoy wants strictly more than the window between two changes that are seen at once.
#[test]
fn a_change_exactly_one_window_after_the_last_waits_for_the_next() {
    let mut config = PolicyConfig::envoy_default();
    config.update_merge_window = Span::from_secs(1);
    config.outlier_detection =
        Some(OutlierDetection { consecutive_5xx: 1, max_ejection_percent: 100, ..OutlierDetection::envoy_default() });
    let mut bench = Bench::new(config);
    bench.list(&[1, 2, 3, 4], None);
    // What is due at a second is seen then.
    let mut seen = |seconds: &[u64]| {
        for &second in seconds {
            bench.now = Time::ZERO + Span::from_secs(second);
            bench.settle();
        }
        let out = bench.ask(1, 500);
        bench.router.standing_of(MemberKey(out)).is_some_and(|standing| standing.seen_healthy)
    };
    assert!(!seen(&[2]), "the first is out at once");
    assert!(seen(&[3]), "the second is still in the view");
    assert!(!seen(&[4, 6]), "the third comes more than a window after the second was seen");
}

/// The wording of AWS counts failures within a window, in a row or not; those further apart never add up.
#[test]
fn failures_within_the_window_eject_whatever_comes_between_and_slower_ones_never_do() {
    let window = Span::from_secs(30);
    let detection = OutlierDetection {
        reading: OutlierReading::Window(window),
        max_ejection_percent: 100,
        ..OutlierDetection::envoy_default()
    };
    for (apart, ejected_at) in [(7_500, Some(5)), (7_501, None), (1_000, Some(5))] {
        let mut bench =
            Bench::new(PolicyConfig { outlier_detection: Some(detection), ..PolicyConfig::envoy_default() });
        bench.list(&[7], None);
        let mut request = 0;
        let mut fired = None;
        for failure in 1..=12 {
            bench.now = bench.now + Span::from_millis(apart);
            bench.settle();
            for status in [500, 200] {
                request += 1;
                bench.ask(request, status);
            }
            if fired.is_none() && bench.router.ejected() == 1 {
                fired = Some(failure);
            }
        }
        assert_eq!(fired, ejected_at, "failures {apart} ms apart");
    }
}

#[test]
fn of_failures_within_the_window_the_latest_count_whatever_came_before_them() {
    let detection = OutlierDetection {
        reading: OutlierReading::Window(Span::from_secs(30)),
        max_ejection_percent: 100,
        ..OutlierDetection::envoy_default()
    };
    let mut bench = Bench::new(PolicyConfig { outlier_detection: Some(detection), ..PolicyConfig::envoy_default() });
    bench.list(&[7], None);
    let mut out = Vec::new();
    // At 42 s the fifth last was at 20 s; before, it was 40 and 31 s ago.
    for at in [0, 10, 20, 30, 40, 41, 42] {
        bench.now = Time::ZERO + Span::from_secs(at);
        bench.settle();
        bench.ask(1, 500);
        out.push(bench.router.ejected());
    }
    assert_eq!(out, [0, 0, 0, 0, 0, 0, 1]);
}

/// A resolver that serves stale answers does so for so long after they expired, and only if it has some.
#[test]
fn stale_answers_serve_as_long_as_they_may() {
    for (at, serves) in [(11, true), (12, false)] {
        let on_failure = Stale::Serve { at_most: Span::from_secs(10) };
        let discovery = Discovery::Resolved { on_failure };
        let mut bench = Bench::new(PolicyConfig { discovery, ..PolicyConfig::dns_client() });
        let (mut none, step) = bench.begin(1);
        assert_eq!(step, Step::Resolve);
        bench.tell(Router::on_lookup_failed);
        assert!(matches!(bench.step(&mut none), Step::Done(_)), "there is nothing to serve");
        bench.list(&[7], Some(Span::from_secs(1)));
        bench.now = Time::ZERO + Span::from_secs(at);
        let (mut flight, step) = bench.begin(2);
        assert_eq!(step, Step::Resolve);
        bench.tell(Router::on_lookup_failed);
        let step = bench.step(&mut flight);
        assert_eq!(matches!(step, Step::Try(_)), serves, "{at} s: {step:?}");
    }
}

#[test]
fn who_went_away_while_a_name_is_looked_up_is_not_woken() {
    let mut bench = Bench::new(PolicyConfig::dns_client());
    // The first asked and is told by whoever looks it up.
    let (first, _) = bench.begin(1);
    let (second, _) = bench.begin(2);
    let (third, _) = bench.begin(3);
    bench.tell(|router, cx| router.abandon(cx, second));
    bench.list(&[7], Some(Span::from_secs(1)));
    let mut woken = Vec::new();
    while let Some(upkeep) = bench.tell(Router::poll_upkeep) {
        if let Upkeep::Wake { request } = upkeep {
            woken.push(request);
        }
    }
    assert_eq!(woken, [RequestKey(3)]);
    for flight in [first, third] {
        bench.tell(|router, cx| router.abandon(cx, flight));
    }
}

#[test]
fn a_name_that_cannot_be_looked_up_fails_all_who_wait_for_it_and_is_asked_for_again() {
    let mut bench = Bench::new(PolicyConfig::dns_client());
    let (mut first, step) = bench.begin(1);
    assert_eq!(step, Step::Resolve);
    let (mut second, step) = bench.begin(2);
    assert!(matches!(step, Step::Wait { .. }), "one lookup is enough: {step:?}");
    bench.tell(Router::on_lookup_failed);
    for flight in [&mut first, &mut second] {
        let Step::Done(verdict) = bench.step(flight) else { panic!("there is no name") };
        assert_eq!((verdict.flags.to_string().as_str(), verdict.attempts), ("DF", 0));
    }
    let (mut third, step) = bench.begin(3);
    assert_eq!(step, Step::Resolve);
    bench.list(&[7], Some(Span::from_secs(1)));
    assert_eq!(tried(bench.step(&mut third)).member, MemberKey(7));
}
