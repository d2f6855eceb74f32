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

/// True if the policy retries that outcome, limits aside.
#[inline]
pub(super) fn retriable(policy: &RetryPolicy, outcome: Outcome) -> bool {
    let on = policy.retry_on;
    let any_reset = RetryOn::FIVE_XX.with(RetryOn::GATEWAY_ERROR).with(RetryOn::RESET);
    match outcome {
        Outcome::Answered(Answer { status, .. }) => {
            (on.any(RetryOn::FIVE_XX) && (500..600).contains(&status))
                || (on.any(RetryOn::GATEWAY_ERROR) && (502..=504).contains(&status))
                || (on.any(RetryOn::RETRIABLE_4XX) && status == 409)
                || (on.any(RetryOn::RETRIABLE_STATUS_CODES) && policy.retriable_status_codes.contains(&status))
        }
        Outcome::Failed(Trouble::ConnectRefused | Trouble::ConnectTimeout) => {
            on.any(any_reset.with(RetryOn::CONNECT_FAILURE).with(RetryOn::RESET_BEFORE_REQUEST))
        }
        Outcome::Failed(Trouble::Reset { sent }) => {
            on.any(any_reset) || (!sent && on.any(RetryOn::RESET_BEFORE_REQUEST))
        }
        Outcome::Failed(Trouble::RefusedStream) => on.any(any_reset.with(RetryOn::REFUSED_STREAM)),
        // A per-try time-out is a local reset.
        Outcome::Failed(Trouble::Timeout) => on.any(any_reset),
    }
}

/// True if the endpoint may have acted on the request.
#[inline]
pub(super) fn may_have_acted(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Answered(_) | Outcome::Failed(Trouble::Timeout | Trouble::Reset { sent: true }) => true,
        Outcome::Failed(
            Trouble::ConnectRefused | Trouble::ConnectTimeout | Trouble::Reset { sent: false } | Trouble::RefusedStream,
        ) => false,
    }
}

/// The wait before retry number `retry` (0 for the first): full jitter over a range that starts at
/// the base and doubles up to the maximum (envoy.md 2.4).
pub(super) fn backoff(cx: &mut Cx<'_>, policy: &RetryPolicy, retry: u32) -> Span {
    let max = policy.max_interval.as_nanos();
    let mut range = policy.base_interval.as_nanos().min(max);
    for _ in 0..retry {
        range = if range < max / 2 { range * 2 } else { max };
    }
    // Envoy draws whole milliseconds. A finer range, which Envoy cannot express, is drawn in nanoseconds.
    let unit = if range.is_multiple_of(1_000_000) { 1_000_000 } else { 1 };
    let steps = range / unit;
    if steps == 0 { Span::ZERO } else { Span::from_nanos(cx.rng.next_u64() % steps * unit) }
}

/// The status and flag that a caller sees for an outcome that is not retried.
#[inline]
pub(super) fn reply(replies: &Replies, outcome: Outcome) -> (u16, Flags) {
    let flagged = |status, flag| (status, Flags::NONE.with(flag));
    match outcome {
        Outcome::Answered(Answer { status, .. }) => (status, Flags::NONE),
        Outcome::Failed(Trouble::ConnectRefused) => flagged(replies.connect_failed, Flag::Uf),
        Outcome::Failed(Trouble::ConnectTimeout) => flagged(replies.connect_timeout, Flag::Uf),
        Outcome::Failed(Trouble::Reset { .. }) => flagged(replies.reset, Flag::Uc),
        Outcome::Failed(Trouble::RefusedStream) => flagged(replies.reset, Flag::Ur),
        Outcome::Failed(Trouble::Timeout) => flagged(replies.timeout, Flag::Ut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Entropy;
    use crate::policy::NoFacts;
    use crate::units::Time;

    struct Word(u64);
    impl Entropy for Word {
        fn next_u64(&mut self) -> u64 {
            self.0
        }
    }

    fn policy(on: RetryOn) -> RetryPolicy {
        RetryPolicy { retry_on: on, retriable_status_codes: vec![503], ..RetryPolicy::envoy_default() }
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
        ];
        for (on, expected) in [
            (RetryOn::FIVE_XX, "..xxxxxxxxx"),
            (RetryOn::GATEWAY_ERROR, "...xxxxxxxx"),
            (RetryOn::RESET, ".....xxxxxx"),
            (RetryOn::CONNECT_FAILURE, ".....xx...."),
            (RetryOn::REFUSED_STREAM, ".........x."),
            (RetryOn::RETRIABLE_4XX, ".x........."),
            (RetryOn::RETRIABLE_STATUS_CODES, "....x......"),
            (RetryOn::RESET_BEFORE_REQUEST, ".....xx.x.."),
        ] {
            let got: String = outcomes.iter().map(|&o| if retriable(&policy(on), o) { 'x' } else { '.' }).collect();
            assert_eq!(got, expected, "{on:?}");
        }
    }

    #[test]
    fn backoff_ranges_double_up_to_the_maximum() {
        let policy = policy(RetryOn::FIVE_XX);
        // The largest word gives range - 1 ms when the range divides it evenly often enough; look at bounds.
        for (retry, range_ms) in [(0, 25), (1, 50), (2, 100), (3, 200), (4, 250), (9, 250)] {
            for word in [0, 1, range_ms - 1, range_ms, 7 * range_ms + 3] {
                let mut rng = Word(word);
                let mut cx = Cx { now: Time::ZERO, rng: &mut rng, facts: &mut NoFacts };
                assert_eq!(backoff(&mut cx, &policy, retry), Span::from_millis(word % range_ms));
            }
        }
    }
}
