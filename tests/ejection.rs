//! What the detectors say of an endpoint. Goal: the event log line by line. Method: a bare router
//! with one endpoint or a few, requests answered at once, and the log as text.

use scsim::policy::*;
use scsim::units::*;
use std::sync::Arc;

use config::OutlierDetection;
use events::Event;

struct Zero;

impl Entropy for Zero {
    fn next_u64(&mut self) -> u64 {
        0
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
}

impl Desk {
    /// All of its members may be out, and get requests nevertheless.
    fn new(detection: OutlierDetection, members: u64) -> Desk {
        let outlier_detection = Some(OutlierDetection { max_ejection_percent: 100, ..detection });
        let config =
            PolicyConfig { outlier_detection, update_merge_window: Span::ZERO, ..PolicyConfig::envoy_default() };
        let mut desk = Desk { router: Router::new(Arc::new(config)), now: Time::ZERO, log: Log::default() };
        let list: Vec<Member> = (0..members).map(|key| Member::of(MemberKey(key))).collect();
        desk.tell(|router, cx| router.on_members(cx, &list, None));
        desk
    }

    fn tell<T>(&mut self, what: impl FnOnce(&mut Router, &mut Cx<'_>) -> T) -> T {
        let cx = &mut Cx { now: self.now, rng: &mut Zero, facts: &mut self.log };
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
