//! How long errors stayed above their normal after the first fault.
//!
//! *Knows* counts per bucket. *Does not know* what the fault was.

use super::Bucket;
use super::Timeline;
use super::frame::Frame;
use crate::units::Time;

/// Buckets looked at together when asking whether errors are normal: one alone is too noisy.
const CALM_BUCKETS: usize = 5;
/// An error rate this low counts as normal whatever it was before.
const CALM_RATE: f64 = 0.001;

/// Seconds from the first fault until the error rate was under twice its normal again, and from
/// the fault's end. Zero if it never rose; infinite if it never fell again; `None` without a
/// fault (or without its end).
pub(super) fn containment(timeline: &Timeline, frame: &Frame) -> (Option<f64>, Option<f64>) {
    let Some((start, end)) = frame.first_fault else { return (None, None) };
    let width = timeline.bucket.as_nanos().max(1);
    let count = timeline.buckets.len().min(frame.end.as_nanos().div_ceil(width) as usize);
    let buckets = &timeline.buckets[..count];
    let first = (start.as_nanos() / width) as usize;
    if first >= count {
        return (None, None);
    }
    let rate = |buckets: &[Bucket]| {
        let requests: u64 = buckets.iter().map(|b| b.requests).sum();
        let errors: u64 = buckets.iter().map(|b| b.errors).sum();
        (requests > 0).then(|| errors as f64 / requests as f64)
    };
    let before = (frame.warmup.as_nanos().div_ceil(width) as usize).min(first);
    let limit = (2.0 * rate(&buckets[before..first]).unwrap_or(0.0)).max(CALM_RATE);
    // Nothing ending at all is no calm either.
    let calm = |i: usize| rate(&buckets[i..(i + CALM_BUCKETS).min(count)]).is_some_and(|r| r <= limit);
    let since = |i: usize, from: Time| Time::from_nanos(i as u64 * width).since(from).as_secs_f64();
    let contained = match (first..count).find(|&i| !calm(i)) {
        None => 0.0,
        Some(bad) => (bad..count).find(|&i| calm(i)).map_or(f64::INFINITY, |i| since(i, start)),
    };
    let recovered = end.and_then(|end| {
        let over = (end.as_nanos() / width) as usize;
        (over < count).then(|| (over..count).find(|&i| calm(i)).map_or(f64::INFINITY, |i| since(i, end)))
    });
    (Some(contained), recovered)
}
