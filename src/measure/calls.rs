//! Counts and latencies of a set of calls.
//!
//! *Knows* how calls are counted and merged. *Does not know* whose calls they are.
//! Percentiles come from a histogram of three significant digits between 1 µs and 1 h; means
//! and extremes are exact.

use crate::policy::Flags;
use crate::units::Span;

/// A histogram of nanoseconds.
pub type Histogram = hdrhistogram::Histogram<u64>;

/// Response flags that are counted, in Envoy's names.
pub type Flag = crate::policy::Flag;

/// An empty latency histogram: 1 µs to 1 h, three significant digits.
pub fn latency_histogram() -> Histogram {
    Histogram::new_with_bounds(1_000, 3_600_000_000_000, 3).expect("the bounds are valid constants")
}

/// Counts and latencies of a set of calls.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// Calls that came to an end.
    pub requests: u64,
    /// Of them, those that failed (no answer, or 500 and above).
    pub failed: u64,
    /// Attempts made for them.
    pub attempts: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Succeeded only because of a retry.
    pub saved: u64,
    /// Succeeded, but after the measured part was over.
    pub late: u64,
    /// How often each response flag was set, by [`Flag::index`].
    pub flags: [u64; Flag::COUNT],
    /// Sum of successful latencies, nanoseconds.
    pub sum: u128,
    /// Largest successful latency.
    pub max: Span,
    /// Sum of failed latencies, nanoseconds.
    pub failed_sum: u128,
    /// Successful latencies; made at the first one.
    pub latency: Option<Box<Histogram>>,
    /// Failed latencies; made at the first one.
    pub failed_latency: Option<Box<Histogram>>,
}

/// How a call came to its end.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// From the intended start to the last byte.
    pub latency: Span,
    /// No answer, or 500 and above.
    pub failed: bool,
    /// Attempts made.
    pub attempts: u32,
    /// Response flags.
    pub flags: Flags,
}

impl Calls {
    /// Counts one call.
    #[inline]
    pub fn record(&mut self, ending: Ending) {
        self.requests += 1;
        self.attempts += u64::from(ending.attempts);
        self.retries += u64::from(ending.attempts.saturating_sub(1));
        let ns = ending.latency.as_nanos();
        if ending.failed {
            self.failed += 1;
            self.failed_sum += u128::from(ns);
            self.failed_latency.get_or_insert_with(|| Box::new(latency_histogram())).saturating_record(ns);
        } else {
            self.sum += u128::from(ns);
            self.max = self.max.max(ending.latency);
            self.saved += u64::from(ending.attempts > 1);
            self.latency.get_or_insert_with(|| Box::new(latency_histogram())).saturating_record(ns);
        }
        if ending.flags != Flags::NONE {
            for flag in Flag::ALL {
                self.flags[flag.index()] += u64::from(ending.flags.has(flag));
            }
        }
    }

    /// Adds another set's counts to this one's.
    pub fn add(&mut self, other: &Calls) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.attempts += other.attempts;
        self.retries += other.retries;
        self.saved += other.saved;
        self.late += other.late;
        for (mine, theirs) in self.flags.iter_mut().zip(other.flags) {
            *mine += theirs;
        }
        self.sum += other.sum;
        self.failed_sum += other.failed_sum;
        self.max = self.max.max(other.max);
        for (mine, theirs) in [(&mut self.latency, &other.latency), (&mut self.failed_latency, &other.failed_latency)] {
            if let Some(theirs) = theirs {
                mine.get_or_insert_with(|| Box::new(latency_histogram()))
                    .add(theirs.as_ref())
                    .expect("both histograms have the same bounds");
            }
        }
    }

    /// Successful calls.
    pub fn succeeded(&self) -> u64 {
        self.requests - self.failed
    }
    /// Failed over all; `None` without calls.
    pub fn error_rate(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.failed as f64 / self.requests as f64)
    }
    /// Mean latency of successes in milliseconds; `None` without any.
    pub fn mean_ms(&self) -> Option<f64> {
        let n = self.succeeded();
        (n > 0).then(|| self.sum as f64 / n as f64 / 1e6)
    }
    /// A percentile (0.99) of successful latencies in milliseconds; `None` without any.
    pub fn percentile_ms(&self, share: f64) -> Option<f64> {
        let histogram = self.latency.as_ref()?;
        Some(histogram.value_at_quantile(share).min(self.max.as_nanos()) as f64 / 1e6)
    }
    /// A percentile of failed latencies in milliseconds; `None` without any.
    pub fn failed_percentile_ms(&self, share: f64) -> Option<f64> {
        Some(self.failed_latency.as_ref()?.value_at_quantile(share) as f64 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(ms: u64, failed: bool, attempts: u32) -> Ending {
        Ending { latency: Span::from_millis(ms), failed, attempts, flags: Flags::NONE }
    }

    #[test]
    fn failures_are_counted_apart_from_successes() {
        let mut calls = Calls::default();
        calls.record(ending(10, false, 1));
        calls.record(ending(30, false, 2));
        calls.record(ending(500, true, 3));
        assert_eq!((calls.requests, calls.failed, calls.retries, calls.saved), (3, 1, 3, 1));
        assert_eq!(calls.mean_ms(), Some(20.0));
        assert_eq!(calls.max, Span::from_millis(30));
    }

    #[test]
    fn merging_equals_recording_together() {
        let (mut a, mut b, mut both) = (Calls::default(), Calls::default(), Calls::default());
        for ms in 1..50 {
            let part = if ms % 3 == 0 { &mut a } else { &mut b };
            part.record(ending(ms, ms % 7 == 0, 1));
            both.record(ending(ms, ms % 7 == 0, 1));
        }
        a.add(&b);
        assert_eq!(a.percentile_ms(0.9), both.percentile_ms(0.9));
        assert_eq!((a.requests, a.failed, a.sum), (both.requests, both.failed, both.sum));
    }
}
