//! Counts and percentiles over time in a result file.
//!
//! *Knows* the buckets of a plane. *Does not know* how they are drawn.

use serde::Serialize;

use super::plain;
use crate::measure::Bucket;
use crate::measure::study::PlaneResult;

/// Counts and percentiles of each bucket.
#[derive(Serialize)]
pub(super) struct Timeline {
    bucket_s: f64,
    requests: Vec<f64>,
    errors: Vec<f64>,
    p50_ms: Vec<Option<f64>>,
    p99_ms: Vec<Option<f64>>,
    retries: Vec<f64>,
    ejected: Vec<f64>,
    tasks: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spread: Option<Spread>,
}

/// The lowest and the highest replication of each bucket.
#[derive(Serialize)]
struct Spread {
    #[serde(rename = "p50_low_ms")]
    p50_low: Vec<Option<f64>>,
    #[serde(rename = "p50_high_ms")]
    p50_high: Vec<Option<f64>>,
    #[serde(rename = "p99_low_ms")]
    p99_low: Vec<Option<f64>>,
    #[serde(rename = "p99_high_ms")]
    p99_high: Vec<Option<f64>>,
}

impl Timeline {
    /// Adds how far replications lie apart, where there are several. No part of the digest.
    pub(super) fn widen(&mut self, result: &PlaneResult) {
        if result.replicas.len() < 2 {
            return;
        }
        let spread = |range: &[(f64, f64)], high: bool| -> Vec<Option<f64>> {
            let one = |&(least, most): &(f64, f64)| if high { most } else { least };
            range.iter().map(one).map(|ms| plain(ms).map(|ms| (ms * 1e3).round() / 1e3)).collect()
        };
        let [p50, p99] = &result.spread;
        self.spread = Some(Spread {
            p50_low: spread(p50, false),
            p50_high: spread(p50, true),
            p99_low: spread(p99, false),
            p99_high: spread(p99, true),
        });
    }
}

/// Means per replication and bucket; percentiles of all replications together.
pub(super) fn timeline(result: &PlaneResult) -> Option<Timeline> {
    let timeline = &result.timeline;
    if timeline.buckets.is_empty() {
        return None;
    }
    let n = result.replicas.len().max(1) as f64;
    let per = |figure: fn(&Bucket) -> u64| timeline.buckets.iter().map(|b| figure(b) as f64 / n).collect::<Vec<f64>>();
    // Bucket percentiles are four percent coarse: three digits are all they have.
    let percentile = |share| {
        (0..timeline.buckets.len())
            .map(|i| timeline.percentile_ms(i, share).map(|ms| (ms * 1e3).round() / 1e3))
            .collect()
    };
    Some(Timeline {
        bucket_s: timeline.bucket.as_secs_f64(),
        requests: per(|b| b.requests),
        errors: per(|b| b.errors),
        p50_ms: percentile(0.5),
        p99_ms: percentile(0.99),
        retries: per(|b| b.retries),
        ejected: per(|b| b.ejected),
        tasks: per(|b| b.tasks),
        spread: None,
    })
}
