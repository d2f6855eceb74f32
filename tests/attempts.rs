//! The attempts of one request on a bare router. Goal: what no vector says. Method: a router with one
//! or two endpoints whose connections are made at once, and a request led by hand.

use scsim::policy::*;
use scsim::units::*;
use std::sync::Arc;

use config::HeaderMatch;
use config::OutlierDetection;
use config::RateLimitedBackOff;
use config::ResetFormat;
use config::ResetHeader;
use config::RetryOn;
use config::RetryPolicy;
use fact::Flag;
use fact::Flags;

const fn ms(n: u64) -> Span {
    Span::from_millis(n)
}

/// The same word each time.
struct Word(u64);

impl Entropy for Word {
    fn next_u64(&mut self) -> u64 {
        self.0
    }
}

struct Desk {
    router: Router,
    now: Time,
    word: Word,
    facts: Vec<(Time, Fact)>,
}

impl Desk {
    fn new(config: PolicyConfig, endpoints: u64) -> Desk {
        let mut desk =
            Desk { router: Router::new(Arc::new(config)), now: Time::ZERO, word: Word(0), facts: Vec::new() };
        let list: Vec<Member> = (0..endpoints).map(|key| Member::of(MemberKey(key))).collect();
        desk.tell(|router, cx| router.on_members(cx, &list, None));
        desk
    }

    fn tell<T>(&mut self, what: impl FnOnce(&mut Router, &mut Cx<'_>) -> T) -> T {
        let cx = &mut Cx { now: self.now, rng: &mut self.word, facts: &mut self.facts };
        let result = what(&mut self.router, cx);
        while let Some(upkeep) = self.router.poll_upkeep(cx) {
            if let Upkeep::Connect { conn, .. } = upkeep {
                self.router.on_connected(cx, conn);
            }
        }
        result
    }

    /// Steps, once more if that made a connection.
    fn step(&mut self, flight: &mut Flight) -> Step {
        match self.tell(|router, cx| router.step(cx, flight)) {
            Step::Wait { .. } => self.tell(|router, cx| router.step(cx, flight)),
            step => step,
        }
    }

    fn answer(&mut self, flight: &mut Flight, attempt: Try, answer: Answer) -> Step {
        self.tell(|router, cx| router.report(cx, flight, attempt.attempt, Outcome::Answered(answer)));
        self.step(flight)
    }

    fn stat(&self, name: &str) -> u64 {
        let mut stats = Stats::default();
        self.facts.iter().for_each(|(at, fact)| stats.emit(*at, *fact));
        stats.named(name).expect("a counter of that name")
    }
}

fn retrying(policy: RetryPolicy) -> PolicyConfig {
    PolicyConfig {
        retry_policy: Some(RetryPolicy { retry_on: RetryOn::FIVE_XX, ..policy }),
        ..PolicyConfig::envoy_default()
    }
}

fn ask() -> Ask {
    Ask::of(RequestKey(1))
}

fn first_try(desk: &mut Desk, ask: Ask) -> (Flight, Try) {
    let mut flight = desk.tell(|router, cx| router.begin(cx, ask));
    match desk.step(&mut flight) {
        Step::Try(attempt) => (flight, attempt),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_says_how_long_to_wait_for_one_retry_only() {
    let limited = RateLimitedBackOff {
        reset_headers: vec![ResetHeader { name: "retry-after".to_owned(), format: ResetFormat::Seconds }],
        max_interval: Span::from_secs(10),
    };
    let policy =
        RetryPolicy { num_retries: 3, rate_limited_retry_back_off: Some(limited), ..RetryPolicy::envoy_default() };
    let mut desk = Desk::new(retrying(policy), 1);
    let (mut flight, mut attempt) = first_try(&mut desk, ask());
    desk.word = Word(499);
    // Told, not told, told too much: from the answer, from the policy's first range, from its second.
    for (told, wait) in
        [(Some(Span::from_secs(1)), ms(1499)), (None, ms(499 % 25)), (Some(Span::from_secs(11)), ms(499 % 50))]
    {
        let answer = Answer { reset_after: told, ..Answer::of(503) };
        let Step::Wait { until: Some(until) } = desk.answer(&mut flight, attempt, answer) else { panic!("no wait") };
        assert_eq!(until, desk.now + wait);
        desk.now = until;
        attempt = match desk.tell(|router, cx| router.step(cx, &mut flight)) {
            Step::Try(attempt) => attempt,
            other => panic!("{other:?}"),
        };
    }
    assert_eq!(desk.stat("upstream_rq_retry_backoff_ratelimited"), 1);
    assert_eq!(desk.stat("upstream_rq_retry_backoff_exponential"), 2);
    desk.tell(|router, cx| router.abandon(cx, flight));
    assert_eq!(desk.router.retries(), 0);
}

#[test]
fn an_attempt_says_its_number_and_how_long_the_endpoint_has() {
    let mut config = retrying(RetryPolicy::envoy_default());
    config.timeouts.per_try = Span::from_secs(4);
    config.timeouts.request = Span::from_secs(5);
    let mut desk = Desk::new(config.clone(), 1);
    let (mut flight, attempt) = first_try(&mut desk, ask());
    assert_eq!((attempt.count(), attempt.expected), (1, Span::from_secs(4)));
    desk.now = desk.now + Span::from_secs(3);
    let step = desk.answer(&mut flight, attempt, Answer::of(503));
    let Step::Try(second) = step else { panic!("{step:?}") };
    assert_eq!((second.count(), second.expected), (2, Span::from_secs(2)), "the rest of the request's time");
    let _ = desk.answer(&mut flight, second, Answer::of(200));
    assert_eq!(desk.stat("upstream_rq_retry_success"), 1);
    let sent = desk.facts.iter().filter_map(|(_, fact)| match fact {
        Fact::Sent { attempt, .. } => Some(attempt.0),
        _ => None,
    });
    assert_eq!(sent.collect::<Vec<u8>>(), [0, 1]);
    // A hedged endpoint may use all of it.
    config.hedge_on_per_try_timeout = true;
    let (flight, attempt) = first_try(&mut Desk::new(config, 1), ask());
    assert_eq!(attempt.expected, Span::from_secs(5));
    drop(flight);
}

#[test]
fn signs_of_life_move_the_limit_of_silence_and_nothing_else() {
    let mut config = PolicyConfig::envoy_default();
    config.timeouts.per_try = ms(1000);
    config.timeouts.per_try_idle = ms(300);
    let mut desk = Desk::new(config, 1);
    let (mut flight, attempt) = first_try(&mut desk, ask());
    assert_eq!((attempt.give_up_at, attempt.then), (Time::ZERO + ms(300), Trouble::IdleTimeout));
    let alive = attempt.alive_at(Time::ZERO + ms(250));
    assert_eq!((alive.give_up_at, alive.then), (Time::ZERO + ms(550), Trouble::IdleTimeout));
    let alive = alive.alive_at(Time::ZERO + ms(900));
    assert_eq!((alive.give_up_at, alive.then), (Time::ZERO + ms(1000), Trouble::Timeout));
    desk.now = attempt.give_up_at;
    desk.tell(|router, cx| router.report(cx, &mut flight, attempt.attempt, Outcome::Failed(attempt.then)));
    let Step::Done(verdict) = desk.tell(|router, cx| router.step(cx, &mut flight)) else { panic!("it goes on") };
    assert_eq!((verdict.status, verdict.flags.to_string().as_str()), (504, "UT"));
    assert_eq!((desk.stat("upstream_rq_per_try_idle_timeout"), desk.stat("upstream_rq_per_try_timeout")), (1, 0));
}

/// Silence that lasts as long as the attempt may is no news.
#[test]
fn of_two_limits_that_pass_together_the_attempts_own_is_named() {
    let mut config = retrying(RetryPolicy::envoy_default());
    config.timeouts.per_try = ms(300);
    config.timeouts.per_try_idle = ms(300);
    let mut desk = Desk::new(config, 1);
    let (_, attempt) = first_try(&mut desk, ask());
    assert_eq!((attempt.give_up_at, attempt.then), (Time::ZERO + ms(300), Trouble::Timeout));
    assert_eq!(attempt.alive_at(Time::ZERO + ms(1)).then, Trouble::Timeout);
}

#[test]
fn a_flight_counts_the_attempts_that_it_began() {
    let mut desk = Desk::new(retrying(RetryPolicy::envoy_default()), 1);
    let mut flight = desk.tell(|router, cx| router.begin(cx, ask()));
    assert_eq!(flight.attempts(), 0);
    let Step::Try(attempt) = desk.step(&mut flight) else { panic!("no attempt") };
    assert_eq!(flight.attempts(), 1);
    // The word is 0, and so is the back-off.
    let Step::Try(_) = desk.answer(&mut flight, attempt, Answer::of(503)) else { panic!("no retry") };
    assert_eq!(flight.attempts(), 2);
}

#[test]
fn a_body_that_is_kept_may_be_sent_again() {
    let mut desk = Desk::new(retrying(RetryPolicy::envoy_default()), 1);
    let (mut flight, attempt) = first_try(&mut desk, ask());
    desk.tell(|router, cx| router.on_body(cx, &mut flight, 10));
    assert!(matches!(desk.answer(&mut flight, attempt, Answer::of(503)), Step::Try(_)));
}

/// Without a condition nothing is kept to be sent again, and nothing is given up.
#[test]
fn where_nothing_is_retried_no_retry_is_abandoned() {
    let nothing = RetryPolicy { retry_on: RetryOn::NONE, ..RetryPolicy::envoy_default() };
    for retry_policy in [None, Some(nothing)] {
        let mut desk = Desk::new(PolicyConfig { retry_policy, ..PolicyConfig::envoy_default() }, 1);
        let (mut flight, _) = first_try(&mut desk, ask());
        desk.tell(|router, cx| router.on_body(cx, &mut flight, u64::MAX));
        assert_eq!(desk.stat("retry_or_shadow_abandoned"), 0);
    }
}

#[test]
fn a_retry_names_the_attempt_it_follows() {
    let policy = RetryPolicy { num_retries: 2, ..RetryPolicy::envoy_default() };
    let mut desk = Desk::new(retrying(policy), 1);
    let (mut flight, mut attempt) = first_try(&mut desk, ask());
    for _ in 0..2 {
        let Step::Try(next) = desk.answer(&mut flight, attempt, Answer::of(503)) else { panic!("no retry") };
        attempt = next;
    }
    let after: Vec<u8> = desk
        .facts
        .iter()
        .filter_map(|(_, fact)| match fact {
            Fact::Retrying { after, .. } => Some(after.0),
            _ => None,
        })
        .collect();
    assert_eq!(after, [0, 1]);
}

/// A stream that may last as long as its attempt is ended by the attempt's limit.
#[test]
fn of_an_attempts_two_ends_at_once_the_time_out_is_named() {
    let mut config = PolicyConfig::envoy_default();
    config.timeouts.per_try = ms(100);
    let mut desk = Desk::new(config, 1);
    let own = headers::Overrides { stream_duration: Some(ms(100)), ..headers::Overrides::default() };
    let (_, attempt) = first_try(&mut desk, Ask { overrides: Some(Box::new(own)), ..ask() });
    assert_eq!((attempt.give_up_at, attempt.then), (Time::ZERO + ms(100), Trouble::Timeout));
}

/// Each limit that passes has its own statistic.
#[test]
fn which_limit_passed_is_told() {
    for (trouble, limit) in [
        (Trouble::Timeout, fact::TimeLimit::PerTry),
        (Trouble::IdleTimeout, fact::TimeLimit::PerTryIdle),
        (Trouble::MaxDuration, fact::TimeLimit::StreamDuration),
    ] {
        let mut desk = Desk::new(retrying(RetryPolicy::envoy_default()), 1);
        let (mut flight, attempt) = first_try(&mut desk, ask());
        desk.tell(|router, cx| router.report(cx, &mut flight, attempt.attempt, Outcome::Failed(trouble)));
        let told: Vec<fact::TimeLimit> = desk
            .facts
            .iter()
            .filter_map(|(_, fact)| match fact {
                Fact::TimedOut(limit) => Some(*limit),
                _ => None,
            })
            .collect();
        assert_eq!(told, [limit]);
    }
}

/// `x-envoy-upstream-rq-timeout-alt-response`: a time-out is a 204 to the detectors, unless they count connections apart.
#[test]
fn a_time_out_with_an_alternative_response_is_none_to_the_detectors() {
    for (alternative, split, out) in [(true, false, 0), (false, false, 1), (true, true, 1)] {
        let detection = OutlierDetection {
            consecutive_5xx: 1,
            consecutive_local_origin_failure: 1,
            split_external_local_origin_errors: split,
            max_ejection_percent: 100,
            ..OutlierDetection::envoy_default()
        };
        let mut config = PolicyConfig { outlier_detection: Some(detection), ..PolicyConfig::envoy_default() };
        config.timeouts.per_try = ms(100);
        let mut desk = Desk::new(config, 1);
        let own = headers::Overrides { timeout_alt_response: alternative, ..headers::Overrides::default() };
        let (mut flight, attempt) = first_try(&mut desk, Ask { overrides: Some(Box::new(own)), ..ask() });
        desk.now = attempt.give_up_at;
        desk.tell(|router, cx| router.report(cx, &mut flight, attempt.attempt, Outcome::Failed(Trouble::Timeout)));
        assert_eq!(desk.router.ejected(), out, "{alternative}, {split}");
    }
}

#[test]
fn a_list_of_nobody_is_no_panic() {
    let mut desk = Desk::new(PolicyConfig::envoy_default(), 1);
    desk.tell(|router, cx| router.on_members(cx, &[], None));
    assert!(!desk.facts.iter().any(|(_, fact)| matches!(fact, Fact::Panic(true))));
}

#[test]
fn a_flag_that_is_set_twice_is_set() {
    let flags = Flags::NONE.with(Flag::Ut).with(Flag::Ut);
    assert!(flags.has(Flag::Ut) && flags.and(flags).has(Flag::Ut));
}

#[test]
fn an_address_is_made_of_the_key() {
    assert_eq!(Member::of(MemberKey(0x01_0203)).address.to_string(), "10.1.2.3:8080");
}

#[test]
fn a_body_that_grows_past_what_is_kept_ends_retries() {
    let mut config = retrying(RetryPolicy::envoy_default());
    config.per_request_buffer_limit_bytes = 1000;
    // While an attempt is open the rest of the body goes to it.
    let mut desk = Desk::new(config.clone(), 1);
    let (mut flight, attempt) = first_try(&mut desk, Ask { complete: false, body: 500, ..ask() });
    assert_eq!((flight.deadline(), attempt.give_up_at), (Time::NEVER, Time::NEVER));
    desk.tell(|router, cx| router.on_body(cx, &mut flight, 1001));
    let Step::Done(verdict) = desk.answer(&mut flight, attempt, Answer::of(503)) else { panic!("it was retried") };
    assert_eq!((verdict.status, verdict.attempts, desk.stat("retry_or_shadow_abandoned")), (503, 1, 1));
    // During a back-off there is nowhere for it to go.
    let mut desk = Desk::new(config, 1);
    let (mut flight, attempt) = first_try(&mut desk, Ask { complete: false, body: 500, ..ask() });
    desk.word = Word(20);
    assert!(matches!(desk.answer(&mut flight, attempt, Answer::of(503)), Step::Wait { .. }));
    assert_eq!(desk.router.retries(), 1);
    desk.tell(|router, cx| router.on_body(cx, &mut flight, 1001));
    let Step::Done(verdict) = desk.tell(|router, cx| router.step(cx, &mut flight)) else { panic!("it goes on") };
    assert_eq!((verdict.status, desk.router.retries()), (507, 0));
}

#[test]
fn only_requests_with_the_wanted_header_are_retried() {
    let wanted = HeaderMatch { name: "x-again".to_owned(), exact: Some("yes".to_owned()) };
    let policy = RetryPolicy { retriable_request_headers: vec![wanted], ..RetryPolicy::envoy_default() };
    for (value, attempts) in [("yes", 2), ("no", 1)] {
        let mut desk = Desk::new(retrying(policy.clone()), 1);
        let retriable_header = headers::retriable_request(&policy, [("x-again", value)]);
        let (mut flight, mut attempt) = first_try(&mut desk, Ask { retriable_header, ..ask() });
        let verdict = loop {
            match desk.answer(&mut flight, attempt, Answer::of(503)) {
                Step::Try(next) => attempt = next,
                Step::Done(verdict) => break verdict,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(verdict.attempts, attempts);
        assert_eq!(verdict.flags.has(Flag::Urx), attempts == 2);
    }
}

#[test]
fn detectors_count_a_grpc_failure_in_the_headers_of_a_200() {
    let config = PolicyConfig {
        outlier_detection: Some(OutlierDetection { max_ejection_percent: 100, ..OutlierDetection::envoy_default() }),
        ..PolicyConfig::envoy_default()
    };
    for (grpc, ejected) in [(14, 1), (5, 0)] {
        let mut desk = Desk::new(config.clone(), 1);
        for _ in 0..5 {
            let (mut flight, attempt) = first_try(&mut desk, ask());
            let answer = Answer { grpc_status: Some(grpc), ..Answer::of(200) };
            let Step::Done(verdict) = desk.answer(&mut flight, attempt, answer) else { panic!("it goes on") };
            assert_eq!(verdict.status, 200);
        }
        assert_eq!(desk.router.ejected(), ejected);
    }
}

#[test]
fn an_endpoint_that_was_too_slow_is_charged_once_whatever_follows() {
    let mut config = retrying(RetryPolicy { num_retries: 1, ..RetryPolicy::envoy_default() });
    config.hedge_on_per_try_timeout = true;
    config.timeouts.per_try = ms(100);
    config.timeouts.request = ms(450);
    config.outlier_detection =
        Some(OutlierDetection { consecutive_5xx: 3, max_ejection_percent: 100, ..OutlierDetection::envoy_default() });
    let mut desk = Desk::new(config, 1);
    let (mut flight, first) = first_try(&mut desk, ask());
    desk.now = first.give_up_at;
    desk.tell(|router, cx| router.report(cx, &mut flight, first.attempt, Outcome::Failed(first.then)));
    let Step::Try(second) = desk.step(&mut flight) else { panic!("no second attempt") };
    assert!(flight.is_open(first.attempt) && flight.is_open(second.attempt));
    desk.now = second.give_up_at;
    desk.tell(|router, cx| router.report(cx, &mut flight, second.attempt, Outcome::Failed(second.then)));
    desk.now = flight.deadline();
    let Step::Done(verdict) = desk.tell(|router, cx| router.step(cx, &mut flight)) else { panic!("it goes on") };
    assert_eq!((verdict.status, verdict.flags.to_string().as_str()), (504, "URX,UT"));
    // Two slow attempts count two; their end at the deadline counts nothing more.
    assert_eq!(desk.router.ejected(), 0);
    assert_eq!((desk.router.active(), desk.router.retries()), (0, 0));
    assert_eq!((desk.stat("upstream_rq_timeout"), desk.stat("upstream_rq_per_try_timeout")), (1, 0));
}

#[test]
fn conditions_of_a_request_come_on_top_of_the_routes_also_where_they_are_the_same() {
    for (asked, status, attempts) in [
        (RetryOn::FIVE_XX, 503, 2),
        (RetryOn::FIVE_XX.with(RetryOn::RETRIABLE_4XX), 503, 2),
        (RetryOn::RETRIABLE_4XX, 409, 2),
        (RetryOn::NONE, 409, 1),
    ] {
        let mut desk = Desk::new(retrying(RetryPolicy::envoy_default()), 1);
        let overrides = Some(Box::new(headers::Overrides { retry_on: asked, ..headers::Overrides::default() }));
        let (mut flight, attempt) = first_try(&mut desk, Ask { overrides, ..ask() });
        let mut step = desk.answer(&mut flight, attempt, Answer::of(status));
        if let Step::Try(second) = step {
            step = desk.answer(&mut flight, second, Answer::of(200));
        }
        let Step::Done(verdict) = step else { panic!("{step:?}") };
        assert_eq!(verdict.attempts, attempts, "{asked:?} for {status}");
    }
}

#[test]
fn a_slow_attempt_that_was_not_retried_for_want_of_a_slot_may_be_when_it_fails() {
    let mut config = retrying(RetryPolicy { num_retries: 2, ..RetryPolicy::envoy_default() });
    config.hedge_on_per_try_timeout = true;
    config.timeouts.per_try = ms(100);
    config.circuit_breakers.max_retries = 1;
    let mut desk = Desk::new(config, 1);
    let (mut flight, first) = first_try(&mut desk, ask());
    desk.now = first.give_up_at;
    let (mut other, attempt) = first_try(&mut desk, Ask::of(RequestKey(2)));
    desk.word = Word(20);
    assert!(matches!(desk.answer(&mut other, attempt, Answer::of(503)), Step::Wait { .. }), "it has the only slot");
    desk.tell(|router, cx| router.report(cx, &mut flight, first.attempt, Outcome::Failed(first.then)));
    assert!(matches!(desk.step(&mut flight), Step::Wait { .. }) && flight.is_open(first.attempt));
    desk.tell(|router, cx| router.abandon(cx, other));
    desk.word = Word(0);
    // One of its retries was spent when the breaker said no; the other is left.
    let Step::Try(second) = desk.answer(&mut flight, first, Answer::of(503)) else { panic!("it is retried now") };
    assert_eq!((second.count(), desk.router.retries()), (2, 1));
    let Step::Done(verdict) = desk.answer(&mut flight, second, Answer::of(200)) else { panic!("it goes on") };
    assert_eq!((verdict.status, verdict.attempts, desk.router.retries()), (200, 2, 0));
}

#[test]
fn of_two_attempts_side_by_side_the_one_that_nobody_reads_costs_its_connection() {
    let slow_says = |answer: Answer| {
        let mut config = retrying(RetryPolicy::envoy_default());
        config.hedge_on_per_try_timeout = true;
        config.timeouts.per_try = ms(100);
        let mut desk = Desk::new(config, 1);
        let (mut flight, first) = first_try(&mut desk, ask());
        desk.now = first.give_up_at;
        desk.tell(|router, cx| router.report(cx, &mut flight, first.attempt, Outcome::Failed(first.then)));
        let Step::Try(second) = desk.step(&mut flight) else { panic!("no second attempt") };
        assert_eq!(desk.router.connections(), 2);
        let over = matches!(desk.answer(&mut flight, first, answer), Step::Done(_));
        (over, desk.router.knows(first.conn), desk.router.knows(second.conn))
    };
    assert_eq!(slow_says(Answer::of(503).with_body(true)), (false, false, true), "its body is not read");
    assert_eq!(slow_says(Answer::of(503)), (false, true, true), "there is nothing to read");
    assert_eq!(slow_says(Answer::of(200).with_body(true)), (true, true, false), "the other is withdrawn");
}

#[test]
fn an_attempt_that_is_slow_up_to_the_deadline_is_not_retried_beside() {
    let mut config = retrying(RetryPolicy::envoy_default());
    config.hedge_on_per_try_timeout = true;
    config.timeouts.per_try = ms(100);
    config.timeouts.request = ms(100);
    let mut desk = Desk::new(config, 1);
    let (mut flight, attempt) = first_try(&mut desk, ask());
    desk.now = flight.deadline();
    desk.tell(|router, cx| router.report(cx, &mut flight, attempt.attempt, Outcome::Failed(attempt.then)));
    let Step::Done(verdict) = desk.tell(|router, cx| router.step(cx, &mut flight)) else { panic!("it goes on") };
    assert_eq!((verdict.status, verdict.flags.to_string().as_str()), (504, "UT"));
    assert_eq!((desk.stat("upstream_rq_retry"), desk.stat("upstream_rq_timeout")), (0, 1));
}
