//! Counts over simulated time, in equal buckets.
//!
//! *Knows* buckets. A request counts in the bucket of its end. Latencies go to a coarse
//! logarithmic histogram per bucket (16 steps per octave, 4 % wide), so that buckets of several
//! replications can be pooled before a percentile is taken.

use crate::units::Span;
use crate::units::Time;

/// Counts over simulated time.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// Width of a bucket.
    pub bucket: Span,
    /// One per bucket, to the end of the run with its drain.
    pub buckets: Vec<Bucket>,
    /// `buckets.len() * STEPS` latency counts.
    latencies: Vec<u32>,
}

/// One bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// User requests that ended in it.
    pub requests: u64,
    /// Of them, failed.
    pub errors: u64,
    /// Attempts after the first that began in it, on any edge.
    pub retries: u64,
    /// Endpoints out, summed over routers, at its end.
    pub ejected: u64,
    /// Tasks there are at its end, all services that are not external.
    pub tasks: u64,
}

/// Latency steps per bucket: 16 per octave from 1 µs, 32 octaves.
const STEPS: usize = 16 * 32;
/// Buckets a timeline has at the most.
const BUCKETS_MAX: u64 = 1_200;

impl Timeline {
    /// A timeline over `length`; the bucket is 1 s, or the next round width that needs no more
    /// than 1,200 buckets.
    pub fn new(length: Span) -> Timeline {
        let bucket = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600]
            .into_iter()
            .map(Span::from_secs)
            .find(|b| length.as_nanos().div_ceil(b.as_nanos()) <= BUCKETS_MAX)
            .unwrap_or(Span::from_nanos(length.as_nanos() / BUCKETS_MAX + 1));
        let count = length.as_nanos().div_ceil(bucket.as_nanos()).max(1) as usize;
        Timeline { bucket, buckets: vec![Bucket::default(); count], latencies: vec![0; count * STEPS] }
    }

    /// The bucket of an instant (the last one for anything later).
    #[inline]
    pub fn index(&self, at: Time) -> usize {
        ((at.as_nanos() / self.bucket.as_nanos()) as usize).min(self.buckets.len() - 1)
    }

    /// Counts a user request that ended in bucket `index`.
    #[inline]
    pub fn record(&mut self, index: usize, latency: Span, failed: bool) {
        let bucket = &mut self.buckets[index];
        bucket.requests += 1;
        if failed {
            bucket.errors += 1;
        } else {
            self.latencies[index * STEPS + step(latency)] += 1;
        }
    }

    /// Adds another replication's counts.
    pub fn add(&mut self, other: &Timeline) {
        if self.buckets.is_empty() {
            *self = other.clone();
            return;
        }
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            mine.requests += theirs.requests;
            mine.errors += theirs.errors;
            mine.retries += theirs.retries;
            mine.ejected += theirs.ejected;
            mine.tasks += theirs.tasks;
        }
        for (mine, theirs) in self.latencies.iter_mut().zip(&other.latencies) {
            *mine += theirs;
        }
    }

    /// A percentile of the successes of one bucket in milliseconds, 4 % coarse; `None` without any.
    pub fn percentile_ms(&self, index: usize, share: f64) -> Option<f64> {
        let steps = &self.latencies[index * STEPS..(index + 1) * STEPS];
        let total: u64 = steps.iter().map(|&n| u64::from(n)).sum();
        if total == 0 {
            return None;
        }
        let rank = ((total as f64 * share).ceil() as u64).clamp(1, total);
        let mut seen = 0;
        for (i, &n) in steps.iter().enumerate() {
            seen += u64::from(n);
            if seen >= rank {
                return Some(middle_ms(i));
            }
        }
        None
    }

    /// Successes by time and latency: at most `columns` columns of equal length, four rows per octave, from the
    /// lowest row with a success to the highest.
    pub fn heat(&self, columns: usize) -> Heat {
        const PER_ROW: usize = 4;
        let per_column = self.buckets.len().div_ceil(columns.max(1)).max(1);
        let counts = |steps: &[u32]| -> Vec<u64> {
            let rows = (0..STEPS).step_by(PER_ROW).map(|row| row..row + PER_ROW);
            let sum = |row: std::ops::Range<usize>| row.flat_map(|i| steps.iter().skip(i).step_by(STEPS));
            rows.map(|row| sum(row).map(|&n| u64::from(n)).sum()).collect()
        };
        let mut all: Vec<Vec<u64>> = self.latencies.chunks(per_column * STEPS).map(counts).collect();
        let used = |row: &usize| all.iter().any(|column| column[*row] > 0);
        let first = (0..STEPS / PER_ROW).find(used).unwrap_or(0);
        let end = (first..STEPS / PER_ROW).rfind(used).map_or(first, |last| last + 1);
        for column in &mut all {
            *column = column[first..end].to_vec();
        }
        Heat {
            column: Span::from_nanos(self.bucket.as_nanos() * per_column as u64),
            edges_ms: (first..=end).map(|row| lower_ms(row * PER_ROW)).collect(),
            columns: all,
        }
    }
}

/// Successes by time and latency.
#[derive(Clone, PartialEq, Debug)]
pub struct Heat {
    /// Length of a column.
    pub column: Span,
    /// Lower ends of the rows and the upper end of the last, ms.
    pub edges_ms: Vec<f64>,
    /// Per column a count for each row, lowest first.
    pub columns: Vec<Vec<u64>>,
}

/// The step of a latency: exponent and four bits of mantissa of its microseconds.
#[inline]
fn step(latency: Span) -> usize {
    let us = (latency.as_nanos() / 1_000).max(1);
    let octave = us.ilog2();
    let mantissa = if octave >= 4 { (us >> (octave - 4)) & 15 } else { (us << (4 - octave)) & 15 };
    (octave as usize * 16 + mantissa as usize).min(STEPS - 1)
}

/// The lower end of a step in milliseconds.
fn lower_ms(step: usize) -> f64 {
    (1_u64 << (step / 16)) as f64 * (1.0 + (step % 16) as f64 / 16.0) / 1_000.0
}

/// The middle of a step in milliseconds.
fn middle_ms(step: usize) -> f64 {
    let octave = (1_u64 << (step / 16)) as f64;
    octave * (1.0 + (step % 16) as f64 / 16.0 + 1.0 / 32.0) / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heat_keeps_every_success_where_it_belongs() {
        let mut timeline = Timeline::new(Span::from_secs(100));
        for second in 0..100 {
            timeline.record(second, Span::from_millis(10), false);
            timeline.record(second, Span::from_millis(500), second < 50);
        }
        let heat = timeline.heat(10);
        assert_eq!((heat.columns.len(), heat.column), (10, Span::from_secs(10)));
        let row = |ms: f64| heat.edges_ms.windows(2).position(|edge| edge[0] <= ms && ms < edge[1]).unwrap();
        for (i, column) in heat.columns.iter().enumerate() {
            assert_eq!((column.len(), column[row(10.0)]), (heat.edges_ms.len() - 1, 10));
            assert_eq!(column[row(500.0)], if i < 5 { 0 } else { 10 });
            assert_eq!(column.iter().sum::<u64>(), if i < 5 { 10 } else { 20 });
        }
        assert!(Timeline::new(Span::from_secs(1)).heat(10).columns[0].is_empty());
    }

    #[test]
    fn an_hour_has_wider_buckets_than_five_minutes() {
        assert_eq!(Timeline::new(Span::from_secs(300)).bucket, Span::from_secs(1));
        let hour = Timeline::new(Span::from_secs(3600));
        assert_eq!((hour.bucket, hour.buckets.len()), (Span::from_secs(5), 720));
    }

    #[test]
    fn percentiles_are_within_the_width_of_a_step() {
        let mut timeline = Timeline::new(Span::from_secs(2));
        for ms in 1..=100 {
            timeline.record(1, Span::from_millis(ms), false);
        }
        let p50 = timeline.percentile_ms(1, 0.5).unwrap();
        assert!((p50 / 50.0 - 1.0).abs() < 0.04, "{p50}");
        assert_eq!(timeline.percentile_ms(0, 0.5), None);
    }
}
