//! Counters under Envoy's names, counted from facts alone.
//!
//! *Knows* which fact moves which counter (envoy.md 2.7). *Does not know* the router. Nothing is
//! allocated per request. A sink of its own, or part of one.

use super::fact::BackOff;
use super::fact::Denial;
use super::fact::Fact;
use super::fact::FactSink;
use super::fact::Limit;
use super::fact::TimeLimit;
use crate::units::Time;

/// One counter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Counter {
    /// Attempts that got a connection.
    RqTotal,
    /// Requests whose caller got a status.
    RqCompleted,
    /// Requests whose caller went away.
    RqCancelled,
    /// Retries decided.
    RqRetry,
    /// Retries after which nothing was left to retry.
    RqRetrySuccess,
    /// Retries denied because `num_retries` were used.
    RqRetryLimitExceeded,
    /// Retries denied by the breaker or budget.
    RqRetryOverflow,
    /// Retries after a wait of the policy's.
    RqRetryBackoffExponential,
    /// Retries after a wait that the answer asked for.
    RqRetryBackoffRatelimited,
    /// Requests that ran out of time.
    RqTimeout,
    /// Attempts that ran out of time and were not hedged.
    RqPerTryTimeout,
    /// Attempts that were silent for too long and were not hedged.
    RqPerTryIdleTimeout,
    /// Streams that stood for too long.
    RqMaxDurationReached,
    /// Requests whose body was too long to be kept for a retry.
    RetryOrShadowAbandoned,
    /// Requests refused because too many waited.
    RqPendingOverflow,
    /// Requests refused because too many were under way.
    RqActiveOverflow,
}

impl Counter {
    /// Every counter with its name in Envoy's `cluster.<name>.`, in the order of their numbers.
    pub const NAMES: [(&'static str, Counter); 16] = [
        ("upstream_rq_total", Counter::RqTotal),
        ("upstream_rq_completed", Counter::RqCompleted),
        ("upstream_rq_cancelled", Counter::RqCancelled),
        ("upstream_rq_retry", Counter::RqRetry),
        ("upstream_rq_retry_success", Counter::RqRetrySuccess),
        ("upstream_rq_retry_limit_exceeded", Counter::RqRetryLimitExceeded),
        ("upstream_rq_retry_overflow", Counter::RqRetryOverflow),
        ("upstream_rq_retry_backoff_exponential", Counter::RqRetryBackoffExponential),
        ("upstream_rq_retry_backoff_ratelimited", Counter::RqRetryBackoffRatelimited),
        ("upstream_rq_timeout", Counter::RqTimeout),
        ("upstream_rq_per_try_timeout", Counter::RqPerTryTimeout),
        ("upstream_rq_per_try_idle_timeout", Counter::RqPerTryIdleTimeout),
        ("upstream_rq_max_duration_reached", Counter::RqMaxDurationReached),
        ("retry_or_shadow_abandoned", Counter::RetryOrShadowAbandoned),
        ("upstream_rq_pending_overflow", Counter::RqPendingOverflow),
        ("upstream_rq_active_overflow", Counter::RqActiveOverflow),
    ];
}

/// The first status that has a counter, and how many follow.
const CODES: (u16, usize) = (100, 500);

/// The counters of one router.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stats {
    counts: [u64; Counter::NAMES.len()],
    /// What callers got, by status.
    codes: [u64; CODES.1],
    /// What was retried, by status.
    retried: [u64; CODES.1],
}

impl Default for Stats {
    fn default() -> Stats {
        Stats { counts: [0; Counter::NAMES.len()], codes: [0; CODES.1], retried: [0; CODES.1] }
    }
}

impl Stats {
    /// The value of one counter.
    pub const fn of(&self, counter: Counter) -> u64 {
        self.counts[counter as usize]
    }

    /// The value under a name of Envoy's, without `cluster.<name>.` before it: one of
    /// [`Counter::NAMES`], `upstream_rq_503`, `upstream_rq_5xx`, or either behind `retry.`.
    /// `None` if there is no such counter here.
    pub fn named(&self, name: &str) -> Option<u64> {
        if let Some((_, counter)) = Counter::NAMES.iter().find(|(known, _)| *known == name) {
            return Some(self.of(*counter));
        }
        let (codes, name) = match name.strip_prefix("retry.") {
            Some(name) => (&self.retried, name),
            None => (&self.codes, name),
        };
        let code = name.strip_prefix("upstream_rq_")?;
        if let Some(class) = code.strip_suffix("xx") {
            let first = place(class.parse::<u16>().ok()?.checked_mul(100)?)?;
            return Some(codes[first..first + 100].iter().sum());
        }
        Some(codes[place(code.parse().ok()?)?])
    }

    fn add(&mut self, counter: Counter) {
        self.counts[counter as usize] += 1;
    }
}

/// Where a status is counted; `None` if it is none of HTTP's.
fn place(status: u16) -> Option<usize> {
    let at = usize::from(status.checked_sub(CODES.0)?);
    (at < CODES.1).then_some(at)
}

impl FactSink for Stats {
    #[inline]
    fn emit(&mut self, _at: Time, fact: Fact) {
        match fact {
            Fact::Sent { .. } => self.add(Counter::RqTotal),
            Fact::Retrying { status, backoff, .. } => {
                self.add(Counter::RqRetry);
                self.add(match backoff {
                    BackOff::Exponential => Counter::RqRetryBackoffExponential,
                    BackOff::RateLimited => Counter::RqRetryBackoffRatelimited,
                });
                if let Some(at) = status.and_then(place) {
                    self.retried[at] += 1;
                }
            }
            Fact::RetrySucceeded => self.add(Counter::RqRetrySuccess),
            Fact::RetryDenied(Denial::LimitExceeded) => self.add(Counter::RqRetryLimitExceeded),
            Fact::RetryDenied(Denial::Overflow) => self.add(Counter::RqRetryOverflow),
            Fact::RetryAbandoned => self.add(Counter::RetryOrShadowAbandoned),
            Fact::TimedOut(TimeLimit::Request) => self.add(Counter::RqTimeout),
            Fact::TimedOut(TimeLimit::PerTry) => self.add(Counter::RqPerTryTimeout),
            Fact::TimedOut(TimeLimit::PerTryIdle) => self.add(Counter::RqPerTryIdleTimeout),
            Fact::TimedOut(TimeLimit::StreamDuration) => self.add(Counter::RqMaxDurationReached),
            Fact::LimitHit(Limit::Pending) => self.add(Counter::RqPendingOverflow),
            Fact::LimitHit(Limit::Requests) => self.add(Counter::RqActiveOverflow),
            Fact::Finished { verdict } => {
                if let Some(at) = place(verdict.status) {
                    self.add(Counter::RqCompleted);
                    self.codes[at] += 1;
                }
            }
            Fact::Abandoned { .. } => self.add(Counter::RqCancelled),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_stands_at_its_number_under_one_name() {
        for (i, (name, counter)) in Counter::NAMES.into_iter().enumerate() {
            assert_eq!(counter as usize, i, "{name}");
            assert_eq!(Stats::default().named(name), Some(0));
        }
    }

    #[test]
    fn each_fact_counts_under_its_own_name() {
        for (fact, name) in [
            (Fact::RetryDenied(Denial::Overflow), "upstream_rq_retry_overflow"),
            (Fact::RetryDenied(Denial::LimitExceeded), "upstream_rq_retry_limit_exceeded"),
            (Fact::TimedOut(TimeLimit::Request), "upstream_rq_timeout"),
            (Fact::TimedOut(TimeLimit::PerTry), "upstream_rq_per_try_timeout"),
            (Fact::TimedOut(TimeLimit::PerTryIdle), "upstream_rq_per_try_idle_timeout"),
            (Fact::TimedOut(TimeLimit::StreamDuration), "upstream_rq_max_duration_reached"),
            (Fact::LimitHit(Limit::Pending), "upstream_rq_pending_overflow"),
            (Fact::LimitHit(Limit::Requests), "upstream_rq_active_overflow"),
            (Fact::RetryAbandoned, "retry_or_shadow_abandoned"),
            (Fact::RetrySucceeded, "upstream_rq_retry_success"),
        ] {
            let mut stats = Stats::default();
            stats.emit(Time::ZERO, fact);
            let counted: Vec<&str> =
                Counter::NAMES.into_iter().filter(|(_, at)| stats.of(*at) > 0).map(|(name, _)| name).collect();
            assert_eq!(counted, [name]);
        }
    }

    #[test]
    fn codes_have_places_from_the_first_to_the_last() {
        assert_eq!(place(CODES.0), Some(0));
        assert_eq!(place(CODES.0 + CODES.1 as u16 - 1), Some(CODES.1 - 1));
        assert_eq!(place(CODES.0 + CODES.1 as u16), None);
    }

    #[test]
    fn codes_are_counted_one_by_one_and_by_class() {
        use crate::policy::Flags;
        use crate::policy::Verdict;
        let mut stats = Stats::default();
        for status in [503, 504, 200, 0, 999] {
            let verdict = Verdict { status, attempts: 1, flags: Flags::NONE };
            stats.emit(Time::ZERO, Fact::Finished { verdict });
        }
        assert_eq!(stats.of(Counter::RqCompleted), 3);
        for (name, count) in [("upstream_rq_503", 1), ("upstream_rq_5xx", 2), ("upstream_rq_2xx", 1)] {
            assert_eq!(stats.named(name), Some(count), "{name}");
        }
        for name in ["upstream_rq_", "upstream_rq_9xx", "upstream_rq_99", "membership_total"] {
            assert_eq!(stats.named(name), None, "{name}");
        }
    }
}
