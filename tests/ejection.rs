//! What the detectors say of an endpoint. Goal: the event log line by line. Method: a bare router
//! with one endpoint or a few, requests answered at once, and the log as text.

use scsim::policy::*;
use scsim::units::*;
use std::sync::Arc;

use config::OutlierDetection;
use events::Event;

/// The same word each time; counts the draws.
#[derive(Default)]
struct Word {
    word: u64,
    drawn: u32,
}

impl Entropy for Word {
    fn next_u64(&mut self) -> u64 {
        self.drawn += 1;
        self.word
    }
}

/// Keeps the log, forgets facts.
#[derive(Default)]
struct Log(Vec<String>);

impl FactSink for Log {
    fn emit(&mut self, _at: Time, _fact: Fact) {}
    fn log(&mut self, at: Time, event: &Event) {
        self.0.push(format!("{} s: {event}", at.since(Time::ZERO).as_millis() / 1000));
    }
}

struct Desk {
    router: Router,
    now: Time,
    log: Log,
    word: Word,
}

impl Desk {
    /// All of its members may be out, and get requests nevertheless.
    fn new(detection: OutlierDetection, members: u64) -> Desk {
        let outlier_detection = Some(OutlierDetection { max_ejection_percent: 100, ..detection });
        let config =
            PolicyConfig { outlier_detection, update_merge_window: Span::ZERO, ..PolicyConfig::envoy_default() };
        let mut desk =
            Desk { router: Router::new(Arc::new(config)), now: Time::ZERO, log: Log::default(), word: Word::default() };
        let list: Vec<Member> = (0..members).map(|key| Member::of(MemberKey(key))).collect();
        desk.tell(|router, cx| router.on_members(cx, &list, None));
        desk
    }

    fn tell<T>(&mut self, what: impl FnOnce(&mut Router, &mut Cx<'_>) -> T) -> T {
        let cx = &mut Cx { now: self.now, rng: &mut self.word, facts: &mut self.log };
        let result = what(&mut self.router, cx);
        while let Some(upkeep) = self.router.poll_upkeep(cx) {
            if let Upkeep::Connect { conn, .. } = upkeep {
                self.router.on_connected(cx, conn);
            }
        }
        result
    }

    /// Passes the time up to that second, with whatever is due on the way.
    fn until(&mut self, second: u64) {
        let until = Time::ZERO + Span::from_secs(second);
        while self.router.upkeep_due() <= until {
            self.now = self.router.upkeep_due();
            self.tell(|_, _| ());
        }
        self.now = until;
    }

    fn answer(&mut self, answer: impl Fn(u64) -> Answer) {
        let mut flight = self.tell(|router, cx| router.begin(cx, Ask::of(RequestKey(1))));
        let mut step = self.tell(|router, cx| router.step(cx, &mut flight));
        if let Step::Wait { .. } = step {
            step = self.tell(|router, cx| router.step(cx, &mut flight));
        }
        let Step::Try(attempt) = step else { panic!("expected an attempt, got {step:?}") };
        let outcome = Outcome::Answered(answer(attempt.member.0));
        self.tell(|router, cx| router.report(cx, &mut flight, attempt.attempt, outcome));
        let Step::Done(_) = self.tell(|router, cx| router.step(cx, &mut flight)) else { panic!("it goes on") };
    }

    /// The lines since the last look.
    fn lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log.0)
    }
}

const fn short() -> OutlierDetection {
    OutlierDetection { base_ejection_time: Span::from_secs(10), ..OutlierDetection::envoy_default() }
}

#[test]
fn a_finding_that_is_not_enforced_is_logged_with_the_time_since_the_last_return() {
    let mut desk = Desk::new(OutlierDetection { consecutive_5xx: 2, consecutive_gateway_failure: 1, ..short() }, 1);
    desk.until(3);
    desk.answer(|_| Answer::of(503));
    desk.answer(|_| Answer::of(503));
    // It returns with the sweep at 20 s.
    desk.until(25);
    desk.answer(|_| Answer::of(503));
    assert_eq!(
        desk.lines(),
        [
            "3 s: EJECT CONSECUTIVE_GATEWAY_FAILURE member=0 num_ejections=0 enforced=false",
            "3 s: EJECT CONSECUTIVE_GATEWAY_FAILURE member=0 num_ejections=0 enforced=false",
            "3 s: EJECT CONSECUTIVE_5XX member=0 num_ejections=1 enforced=true",
            "20 s: UNEJECT CONSECUTIVE_5XX member=0 num_ejections=1 enforced=false secs_since_last_action=17",
            "25 s: EJECT CONSECUTIVE_GATEWAY_FAILURE member=0 num_ejections=1 enforced=false secs_since_last_action=5",
        ]
    );
}

#[test]
fn a_degradation_is_logged_like_an_ejection_with_times_of_its_own() {
    let mut desk = Desk::new(OutlierDetection { detect_degraded_hosts: true, ..short() }, 1);
    desk.until(3);
    desk.answer(|_| Answer { degraded: true, ..Answer::of(200) });
    desk.until(26);
    desk.answer(|_| Answer { degraded: true, ..Answer::of(200) });
    assert_eq!(
        desk.lines(),
        [
            "3 s: EJECT DEGRADED member=0 num_ejections=0 enforced=true",
            "20 s: UNEJECT CONSECUTIVE_5XX member=0 num_ejections=0 enforced=false secs_since_last_action=17",
            "26 s: EJECT DEGRADED member=0 num_ejections=0 enforced=true secs_since_last_action=6",
        ]
    );
}

#[test]
fn ejections_are_counted_in_all() {
    let mut desk = Desk::new(OutlierDetection { consecutive_5xx: 1, ..short() }, 2);
    let total = |desk: &Desk| {
        let stats = desk.router.ejection_stats();
        stats.named().find(|(name, _)| *name == "ejections_enforced_total").map(|(_, count)| count)
    };
    assert_eq!(total(&desk), Some(0));
    for _ in 0..2 {
        desk.answer(|_| Answer::of(500));
    }
    assert_eq!(total(&desk), Some(2));
}

#[test]
fn a_rate_that_is_not_enforced_is_logged_all_the_same() {
    let detection = OutlierDetection {
        consecutive_5xx: 0,
        consecutive_gateway_failure: 0,
        failure_percentage_minimum_hosts: 2,
        failure_percentage_request_volume: 4,
        ..short()
    };
    let mut desk = Desk::new(detection, 2);
    for _ in 0..8 {
        desk.answer(|member| Answer::of(if member == 1 { 500 } else { 200 }));
    }
    desk.until(10);
    assert_eq!(
        desk.lines(),
        ["10 s: EJECT FAILURE_PERCENTAGE member=1 num_ejections=0 enforced=false host_success_rate=0"]
    );
}

/// The word that makes `below(100)` this.
const fn percent(roll: u64) -> u64 {
    u64::MAX / 100 * roll + u64::MAX / 200
}

/// Envoy rolls below 100 where an enforcing percentage lies between; nothing is drawn where it can go one way only.
#[test]
fn an_enforcing_percentage_is_a_roll_below_a_hundred() {
    for (enforcing, roll, out, drawn) in [(50, 49, 1, 1), (50, 50, 0, 1), (100, 99, 1, 0), (0, 0, 0, 0), (99, 98, 1, 1)]
    {
        let detection = OutlierDetection { consecutive_5xx: 1, enforcing_consecutive_5xx: enforcing, ..short() };
        let mut desk = Desk::new(detection, 2);
        desk.answer(|_| Answer::of(200));
        desk.word = Word { word: percent(roll), drawn: 0 };
        desk.answer(|_| Answer::of(500));
        assert_eq!((desk.router.ejected(), desk.word.drawn), (out, drawn), "{enforcing} %, roll {roll}");
    }
}

/// From nothing up to `max_ejection_time_jitter`, in whole milliseconds.
#[test]
fn the_jitter_of_an_ejection_goes_up_to_its_maximum() {
    for (word, jitter) in [(0, 0), (9, 9), (10, 10), (11, 0)] {
        let detection = OutlierDetection {
            consecutive_5xx: 1,
            max_ejection_time_jitter: Span::from_millis(10),
            interval: Span::from_millis(1),
            base_ejection_time: Span::from_millis(100),
            ..short()
        };
        let mut desk = Desk::new(detection, 1);
        desk.word.word = word;
        desk.answer(|_| Answer::of(500));
        while desk.router.ejected() > 0 {
            desk.now = desk.router.upkeep_due();
            desk.tell(|_, _| ());
        }
        assert_eq!(desk.now, Time::ZERO + Span::from_millis(100 + jitter), "word {word}");
    }
}

/// Whatever found it: who is out keeps no connection.
#[test]
fn an_ejection_by_the_gateway_detector_drains_as_any_other() {
    let detection =
        OutlierDetection { consecutive_gateway_failure: 1, enforcing_consecutive_gateway_failure: 100, ..short() };
    let mut desk = Desk::new(detection, 1);
    desk.answer(|_| Answer::of(200));
    assert_eq!(desk.router.connections(), 1);
    desk.answer(|_| Answer::of(503));
    assert_eq!((desk.router.ejected(), desk.router.connections()), (1, 0));
}

/// Each rate rule has a number of hosts of its own, and is in force where the other is not. Who is found
/// loses its connections.
#[test]
fn each_rate_rule_looks_at_its_own_number_of_hosts() {
    for (rate_hosts, percentage_hosts, out) in [(3, 8, 1), (8, 3, 1), (8, 8, 0)] {
        let detection = OutlierDetection {
            consecutive_5xx: 0,
            consecutive_gateway_failure: 0,
            success_rate_minimum_hosts: rate_hosts,
            success_rate_request_volume: 4,
            success_rate_stdev_factor: 1000,
            failure_percentage_minimum_hosts: percentage_hosts,
            failure_percentage_request_volume: 4,
            enforcing_failure_percentage: 100,
            ..short()
        };
        let mut desk = Desk::new(detection, 5);
        for _ in 0..25 {
            desk.answer(|member| Answer::of(if member == 1 { 500 } else { 200 }));
        }
        assert_eq!(desk.router.connections(), 5);
        desk.until(10);
        let left = 5 - out;
        assert_eq!((desk.router.ejected(), desk.router.connections()), (out, left), "{rate_hosts}, {percentage_hosts}");
    }
}

/// Who was found and is not put out keeps its connections.
#[test]
fn a_finding_that_is_not_enforced_drains_nothing() {
    let detection = OutlierDetection {
        consecutive_5xx: 0,
        consecutive_gateway_failure: 0,
        success_rate_minimum_hosts: 3,
        success_rate_request_volume: 4,
        success_rate_stdev_factor: 1000,
        enforcing_success_rate: 0,
        ..short()
    };
    let mut desk = Desk::new(detection, 5);
    for _ in 0..25 {
        desk.answer(|member| Answer::of(if member == 1 { 500 } else { 200 }));
    }
    desk.until(10);
    assert_eq!(desk.lines().len(), 1);
    assert_eq!((desk.router.ejected(), desk.router.connections()), (0, 5));
}

/// A probe that passes brings back who is out only where `successful_active_health_check_uneject_host` says so
/// (envoy.md 1.5), and only who is still listed.
#[test]
fn a_probe_that_passes_brings_back_where_it_may() {
    for may in [true, false] {
        let detection = OutlierDetection {
            consecutive_5xx: 1,
            max_ejection_percent: 100,
            successful_active_health_check_uneject_host: may,
            ..short()
        };
        let health_check = Some(config::HealthCheck {
            interval: Span::from_secs(1),
            timeout: Span::from_secs(1),
            healthy_threshold: 1,
            unhealthy_threshold: 1,
            first_pass_suffices: true,
        });
        let config = PolicyConfig {
            outlier_detection: Some(detection),
            health_check,
            update_merge_window: Span::ZERO,
            ..PolicyConfig::envoy_default()
        };
        let mut desk =
            Desk { router: Router::new(Arc::new(config)), now: Time::ZERO, log: Log::default(), word: Word::default() };
        desk.tell(|router, cx| router.on_members(cx, &[Member::of(MemberKey(0))], None));
        let endpoint = desk.router.endpoints().next().map(|(endpoint, _)| endpoint).expect("it is listed");
        desk.tell(|router, cx| router.on_probe(cx, endpoint, true));
        desk.answer(|_| Answer::of(500));
        assert_eq!(desk.router.ejected(), 1);
        desk.tell(|router, cx| router.on_probe(cx, endpoint, true));
        assert_eq!(desk.router.ejected(), u32::from(!may), "{may}");
    }
}

/// A new endpoint is believed at its first pass where that suffices, also after a failure; else as one that failed.
#[test]
fn how_many_probes_make_a_new_endpoint_healthy() {
    for (first_suffices, fails_first, passes) in
        [(true, false, 1), (true, true, 1), (false, false, 3), (false, true, 3)]
    {
        let health_check = Some(config::HealthCheck {
            interval: Span::from_secs(1),
            timeout: Span::from_secs(1),
            healthy_threshold: 3,
            unhealthy_threshold: 2,
            first_pass_suffices: first_suffices,
        });
        let config = PolicyConfig { health_check, update_merge_window: Span::ZERO, ..PolicyConfig::envoy_default() };
        let mut desk =
            Desk { router: Router::new(Arc::new(config)), now: Time::ZERO, log: Log::default(), word: Word::default() };
        let key = MemberKey(0);
        desk.tell(|router, cx| router.on_members(cx, &[Member::of(key)], None));
        assert_eq!(desk.router.upkeep_due(), Time::ZERO + Span::from_secs(1), "the next probe");
        let just_before = Time::ZERO + Span::from_nanos(999_999_999);
        assert!(desk.router.is_quiet(just_before) && !desk.router.is_quiet(Time::ZERO + Span::from_secs(1)));
        let endpoint = desk.router.endpoints().next().map(|(endpoint, _)| endpoint).expect("it is listed");
        if fails_first {
            desk.tell(|router, cx| router.on_probe(cx, endpoint, false));
        }
        let mut needed = 0;
        while !desk.router.standing_of(key).is_some_and(|standing| standing.seen_healthy) {
            desk.tell(|router, cx| router.on_probe(cx, endpoint, true));
            needed += 1;
        }
        assert_eq!(needed, passes, "{first_suffices}, {fails_first}");
    }
}

/// Who failed its first probe counts as unhealthy where one pass would not make it healthy: two of three are panic.
#[test]
fn who_failed_its_first_probe_counts() {
    let health_check = Some(config::HealthCheck {
        interval: Span::from_secs(1),
        timeout: Span::from_secs(1),
        healthy_threshold: 2,
        unhealthy_threshold: 2,
        first_pass_suffices: false,
    });
    let config = PolicyConfig { health_check, update_merge_window: Span::ZERO, ..PolicyConfig::envoy_default() };
    let mut desk =
        Desk { router: Router::new(Arc::new(config)), now: Time::ZERO, log: Log::default(), word: Word::default() };
    let list: Vec<Member> = (0..3).map(|key| Member::of(MemberKey(key))).collect();
    desk.tell(|router, cx| router.on_members(cx, &list, None));
    let ids: Vec<EndpointId> = desk.router.endpoints().map(|(endpoint, _)| endpoint).collect();
    for (endpoint, healthy) in [(ids[1], false), (ids[2], false), (ids[0], true), (ids[0], true)] {
        desk.tell(|router, cx| router.on_probe(cx, endpoint, healthy));
    }
    let reached = std::cell::RefCell::new(std::collections::BTreeSet::new());
    for _ in 0..6 {
        desk.answer(|member| {
            reached.borrow_mut().insert(member);
            Answer::of(200)
        });
    }
    assert_eq!(reached.into_inner().len(), 3);
}
