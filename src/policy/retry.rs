//! What is retried, how long a retry waits, and what a failure is called.
//!
//! *Knows* Envoy's condition matrix (envoy.md 2.1), the back-off and the mapping of failures to
//! statuses and flags. All of it is pure. *Does not know* slots and budgets; the router counts.

use super::Answer;
use super::Cx;
use super::Outcome;
use super::Trouble;
use super::config::Replies;
use super::config::RetryOn;
use super::config::RetryPolicy;
use super::fact::Flag;
use super::fact::Flags;
use crate::units::Span;

/// What one request is retried for: its route's rules and those of its own headers.
pub(super) struct Rules<'a> {
    pub(super) on: RetryOn,
    /// The codes of the route, and the request's own.
    pub(super) codes: [&'a [u16]; 2],
}

/// The lowest of a policy's `retriable_status_codes`.
pub(super) fn codes_from(policy: Option<&RetryPolicy>) -> u16 {
    let codes = policy.map_or(&[][..], |policy| &policy.retriable_status_codes);
    codes.iter().copied().min().unwrap_or(u16::MAX)
}

/// True of what no rule retries, where the codes begin with `codes_from`: a first look, cheaper than
/// [`retriable`].
#[inline]
pub(super) const fn never_retriable(codes_from: u16, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Answered(answer) => {
            answer.status < 500
                && answer.status < codes_from
                && answer.status != 409
                && answer.grpc_status.is_none()
                && !answer.ratelimited
                && !answer.retriable_header
        }
        Outcome::Failed(_) => false,
    }
}

/// True if the rules retry that outcome, limits aside.
pub(super) fn retriable(rules: &Rules<'_>, outcome: Outcome) -> bool {
    let on = rules.on;
    let any_reset = RetryOn::FIVE_XX.with(RetryOn::GATEWAY_ERROR).with(RetryOn::RESET);
    match outcome {
        // Without the condition of that name such an answer is never retried, even under 5xx.
        Outcome::Answered(Answer { ratelimited: true, .. }) => on.any(RetryOn::ENVOY_RATELIMITED),
        Outcome::Answered(Answer { status, grpc_status, retriable_header, .. }) => {
            (on.any(RetryOn::FIVE_XX) && (500..600).contains(&status))
                || (on.any(RetryOn::GATEWAY_ERROR) && (502..=504).contains(&status))
                || (on.any(RetryOn::RETRIABLE_4XX) && status == 409)
                || (on.any(RetryOn::RETRIABLE_STATUS_CODES) && rules.codes.iter().any(|codes| codes.contains(&status)))
                || (on.any(RetryOn::RETRIABLE_HEADERS) && retriable_header)
                || grpc_status.is_some_and(|status| on.any(grpc_condition(status)))
        }
        Outcome::Failed(Trouble::ConnectRefused | Trouble::ConnectTimeout) => {
            on.any(any_reset.with(RetryOn::CONNECT_FAILURE).with(RetryOn::RESET_BEFORE_REQUEST))
        }
        Outcome::Failed(Trouble::Reset { sent }) => {
            on.any(any_reset) || (!sent && on.any(RetryOn::RESET_BEFORE_REQUEST))
        }
        Outcome::Failed(Trouble::RefusedStream) => on.any(any_reset.with(RetryOn::REFUSED_STREAM)),
        // A time-out of one attempt is a local reset.
        Outcome::Failed(
            Trouble::StreamReset | Trouble::Protocol | Trouble::Timeout | Trouble::IdleTimeout | Trouble::MaxDuration,
        ) => on.any(any_reset),
    }
}

/// The condition about a `grpc-status`; none about most.
const fn grpc_condition(status: u8) -> RetryOn {
    match status {
        1 => RetryOn::GRPC_CANCELLED,
        4 => RetryOn::GRPC_DEADLINE_EXCEEDED,
        8 => RetryOn::GRPC_RESOURCE_EXHAUSTED,
        13 => RetryOn::GRPC_INTERNAL,
        14 => RetryOn::GRPC_UNAVAILABLE,
        _ => RetryOn::NONE,
    }
}

/// The HTTP status that the detectors count for a `grpc-status` (envoy.md 1.2; the table is gRPC's own).
pub(super) const fn http_of_grpc(status: u8) -> u16 {
    match status {
        0 => 200,
        1 => 499,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        // 2, 13, 15, and what is no status.
        _ => 500,
    }
}

/// True if the endpoint may have acted on the request.
pub(super) fn may_have_acted(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Answered(_)
        | Outcome::Failed(
            Trouble::Timeout
            | Trouble::IdleTimeout
            | Trouble::MaxDuration
            | Trouble::StreamReset
            | Trouble::Protocol
            | Trouble::Reset { sent: true },
        ) => true,
        Outcome::Failed(
            Trouble::ConnectRefused | Trouble::ConnectTimeout | Trouble::Reset { sent: false } | Trouble::RefusedStream,
        ) => false,
    }
}

/// The wait before retry number `retry` (0 for the first): full jitter over a range that starts at
/// the base and doubles up to the maximum (envoy.md 2.4).
pub(super) fn backoff(cx: &mut Cx<'_>, policy: &RetryPolicy, retry: u32) -> Span {
    // Envoy counts whole milliseconds. What it cannot express is counted in nanoseconds.
    let (base, max) = (policy.base_interval.as_nanos(), policy.max_interval.as_nanos());
    let unit = if base.is_multiple_of(1_000_000) && max.is_multiple_of(1_000_000) { 1_000_000 } else { 1 };
    let max = max / unit;
    let mut range = (base / unit).min(max);
    for _ in 0..retry {
        range = if range < max / 2 { range * 2 } else { max };
    }
    if range == 0 { Span::ZERO } else { Span::from_nanos(cx.rng.next_u64() % range * unit) }
}

/// The wait that an answer asked for: from that long to half as long again (envoy.md 2.4).
pub(super) fn backoff_told(cx: &mut Cx<'_>, wait: Span) -> Span {
    // Envoy counts whole milliseconds.
    let ms = wait.as_millis();
    let half = ms.div_ceil(2);
    if half == 0 { Span::from_millis(ms) } else { Span::from_millis(ms + cx.rng.next_u64() % half) }
}

/// The status and flag that a caller sees for an outcome that is not retried.
pub(super) fn reply(replies: &Replies, outcome: Outcome) -> (u16, Flags) {
    let flagged = |status, flag| (status, Flags::NONE.with(flag));
    match outcome {
        Outcome::Answered(Answer { status, .. }) => (status, Flags::NONE),
        Outcome::Failed(Trouble::ConnectRefused) => flagged(replies.connect_failed, Flag::Uf),
        Outcome::Failed(Trouble::ConnectTimeout) => flagged(replies.connect_timeout, Flag::Uf),
        Outcome::Failed(Trouble::Reset { .. }) => flagged(replies.reset, Flag::Uc),
        Outcome::Failed(Trouble::RefusedStream | Trouble::StreamReset) => flagged(replies.reset, Flag::Ur),
        Outcome::Failed(Trouble::Protocol) => flagged(replies.protocol, Flag::Upe),
        Outcome::Failed(Trouble::Timeout | Trouble::IdleTimeout) => flagged(replies.timeout, Flag::Ut),
        Outcome::Failed(Trouble::MaxDuration) => flagged(replies.timeout, Flag::Umsdr),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Entropy;
    use crate::policy::NoFacts;
    use crate::policy::outlier::Reported;
    use crate::units::Time;

    struct Word(u64);
    impl Entropy for Word {
        fn next_u64(&mut self) -> u64 {
            self.0
        }
    }

    fn rules(on: RetryOn) -> Rules<'static> {
        Rules { on, codes: [&[503], &[418]] }
    }

    /// The table of gRPC's documents, whole.
    #[test]
    fn each_grpc_status_has_its_http_status() {
        let https: Vec<u16> = (0..=17).map(http_of_grpc).collect();
        let expected = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401, 500];
        assert_eq!(https, expected);
    }

    /// What no rule retries is told by the first look already, and what one may retry never is.
    #[test]
    fn the_first_look_lets_through_what_a_rule_may_retry() {
        let plain = |status| never_retriable(u16::MAX, &Outcome::Answered(Answer::of(status)));
        assert!(plain(200) && plain(404) && plain(499) && !plain(409) && !plain(500));
        let from_418 = |status| never_retriable(418, &Outcome::Answered(Answer::of(status)));
        assert!(from_418(417) && !from_418(418));
        let marked = |answer| never_retriable(u16::MAX, &Outcome::Answered(answer));
        assert!(!marked(Answer { grpc_status: Some(0), ..Answer::of(200) }));
        assert!(!marked(Answer { ratelimited: true, ..Answer::of(200) }));
        assert!(!marked(Answer { retriable_header: true, ..Answer::of(200) }));
        assert!(!never_retriable(u16::MAX, &Outcome::Failed(Trouble::Timeout)));
        let codes = RetryPolicy { retriable_status_codes: vec![429, 418], ..RetryPolicy::envoy_default() };
        assert_eq!((codes_from(Some(&codes)), codes_from(None)), (418, u16::MAX));
    }

    #[test]
    fn who_was_never_asked_has_not_acted() {
        for (outcome, acted) in [
            (Outcome::Answered(Answer::of(503)), true),
            (Outcome::Failed(Trouble::Timeout), true),
            (Outcome::Failed(Trouble::Reset { sent: true }), true),
            (Outcome::Failed(Trouble::Reset { sent: false }), false),
            (Outcome::Failed(Trouble::ConnectRefused), false),
            (Outcome::Failed(Trouble::RefusedStream), false),
        ] {
            assert_eq!(may_have_acted(outcome), acted, "{outcome:?}");
        }
    }

    /// Both ends must be whole milliseconds for the range to be counted in them.
    #[test]
    fn a_range_with_a_part_of_a_millisecond_is_counted_in_nanoseconds() {
        let wait = |base: u64, max: u64| {
            let (base_interval, max_interval) = (Span::from_nanos(base), Span::from_nanos(max));
            let policy = RetryPolicy { base_interval, max_interval, ..RetryPolicy::envoy_default() };
            let mut word = Word(1);
            backoff(&mut Cx { now: Time::ZERO, rng: &mut word, facts: &mut NoFacts }, &policy, 0).as_nanos()
        };
        assert_eq!(wait(2_000_000, 8_000_000), 1_000_000);
        assert_eq!((wait(2_000_001, 8_000_000), wait(2_000_000, 8_000_001)), (1, 1));
    }

    #[test]
    fn the_condition_matrix_is_envoys() {
        let answered = |status| Outcome::Answered(Answer::of(status));
        let failed = Outcome::Failed;
        let outcomes = [
            answered(200),
            answered(409),
            answered(500),
            answered(502),
            answered(503),
            failed(Trouble::ConnectRefused),
            failed(Trouble::ConnectTimeout),
            failed(Trouble::Reset { sent: true }),
            failed(Trouble::Reset { sent: false }),
            failed(Trouble::RefusedStream),
            failed(Trouble::Timeout),
            failed(Trouble::IdleTimeout),
            failed(Trouble::MaxDuration),
            failed(Trouble::StreamReset),
            failed(Trouble::Protocol),
        ];
        for (on, expected) in [
            (RetryOn::FIVE_XX, "..xxxxxxxxxxxxx"),
            (RetryOn::GATEWAY_ERROR, "...xxxxxxxxxxxx"),
            (RetryOn::RESET, ".....xxxxxxxxxx"),
            (RetryOn::CONNECT_FAILURE, ".....xx........"),
            (RetryOn::REFUSED_STREAM, ".........x....."),
            (RetryOn::RETRIABLE_4XX, ".x............."),
            (RetryOn::RETRIABLE_STATUS_CODES, "....x.........."),
            (RetryOn::RESET_BEFORE_REQUEST, ".....xx.x......"),
            (RetryOn::GRPC.with(RetryOn::ENVOY_RATELIMITED).with(RetryOn::RETRIABLE_HEADERS), "..............."),
        ] {
            let got: String = outcomes.iter().map(|&o| if retriable(&rules(on), o) { 'x' } else { '.' }).collect();
            assert_eq!(got, expected, "{on:?}");
        }
        assert!(retriable(&rules(RetryOn::RETRIABLE_STATUS_CODES), answered(418)), "the request's own code");
    }

    #[test]
    fn marks_in_the_headers_are_conditions_of_their_own() {
        let grpc = |status| Outcome::Answered(Answer { grpc_status: Some(status), ..Answer::of(200) });
        for (status, on) in [
            (1, RetryOn::GRPC_CANCELLED),
            (4, RetryOn::GRPC_DEADLINE_EXCEEDED),
            (8, RetryOn::GRPC_RESOURCE_EXHAUSTED),
            (13, RetryOn::GRPC_INTERNAL),
            (14, RetryOn::GRPC_UNAVAILABLE),
        ] {
            for other in 0..=17 {
                assert_eq!(retriable(&rules(on), grpc(other)), other == status, "{other} under {on:?}");
            }
            assert!(!retriable(&rules(RetryOn::FIVE_XX), grpc(status)));
        }
        let limited = Outcome::Answered(Answer { ratelimited: true, ..Answer::of(503) });
        assert!(!retriable(&rules(RetryOn::FIVE_XX), limited));
        assert!(retriable(&rules(RetryOn::ENVOY_RATELIMITED), limited));
        let marked = Outcome::Answered(Answer { retriable_header: true, ..Answer::of(200) });
        assert!(retriable(&rules(RetryOn::RETRIABLE_HEADERS), marked));
        assert!(!retriable(&rules(RetryOn::FIVE_XX), marked));
    }

    #[test]
    fn detectors_see_grpc_as_http_and_nothing_of_a_stream_that_stood_too_long() {
        let told = |outcome| format!("{:?}", Reported::of(outcome, None));
        let grpc = |status| Outcome::Answered(Answer { grpc_status: Some(status), ..Answer::of(200) });
        for (status, http) in
            [(0, 200), (1, 499), (2, 500), (4, 504), (5, 404), (8, 429), (14, 503), (16, 401), (255, 500)]
        {
            assert_eq!(told(grpc(status)), format!("Some(Status({http}, false))"));
        }
        assert_eq!(told(Outcome::Failed(Trouble::MaxDuration)), "None");
        let alt = Reported::of(Outcome::Failed(Trouble::IdleTimeout), Some(204));
        assert_eq!(format!("{alt:?}"), "Some(Status(204, false))");
    }

    #[test]
    fn a_wait_that_was_told_is_stretched_by_less_than_half() {
        for (word, ms) in [(0, 1000), (499, 1499), (500, 1000)] {
            let mut rng = Word(word);
            let mut cx = Cx { now: Time::ZERO, rng: &mut rng, facts: &mut NoFacts };
            assert_eq!(backoff_told(&mut cx, Span::from_secs(1)), Span::from_millis(ms));
        }
    }

    #[test]
    fn backoff_ranges_double_up_to_the_maximum() {
        let policy = RetryPolicy::envoy_default();
        // The largest word gives range - 1 ms when the range divides it evenly often enough; look at bounds.
        for (retry, range_ms) in [(0, 25), (1, 50), (2, 100), (3, 200), (4, 250), (9, 250)] {
            for word in [0, 1, range_ms - 1, range_ms, 7 * range_ms + 3] {
                let mut rng = Word(word);
                let mut cx = Cx { now: Time::ZERO, rng: &mut rng, facts: &mut NoFacts };
                assert_eq!(backoff(&mut cx, &policy, retry), Span::from_millis(word % range_ms));
            }
        }
    }

    #[test]
    fn half_of_an_odd_maximum_is_rounded_down_to_whole_milliseconds() {
        let policy = RetryPolicy {
            base_interval: Span::from_millis(10),
            max_interval: Span::from_millis(21),
            ..RetryPolicy::envoy_default()
        };
        // Not 20 in between: 10 is not below 21 / 2, which is 10 in Envoy's integers.
        for (retry, range_ms) in [(0, 10), (1, 21), (2, 21)] {
            let mut rng = Word(20);
            let mut cx = Cx { now: Time::ZERO, rng: &mut rng, facts: &mut NoFacts };
            assert_eq!(backoff(&mut cx, &policy, retry), Span::from_millis(20 % range_ms));
        }
    }
}
