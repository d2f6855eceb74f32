//! `differences` of the result file: what planes differ in, in pairs of replications.
//!
//! *Knows* which figures are compared between planes. *Does not know* other files; comparing those
//! is `compare`.

use serde::Serialize;

use super::figure::Place;
use super::figure::Sheet;
use super::json::plain;
use crate::scenario::Metric;

/// One figure on two planes: the paired difference, the first less the second.
#[derive(Serialize)]
pub struct Difference<'a> {
    plane: &'a str,
    against: &'a str,
    metric: &'static str,
    mean: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
}

/// Every figure that is compared, for every two planes that were simulated.
pub fn differences<'a>(sheet: &'a Sheet<'_>) -> Vec<Difference<'a>> {
    const COMPARED: [(&str, Metric); 9] = [
        ("error_rate", Metric::ErrorRate),
        ("failed_requests", Metric::FailedRequests),
        ("goodput_rps", Metric::Goodput),
        ("mean_ms", Metric::Mean),
        ("p50_ms", Metric::Percentile(0.5)),
        ("p95_ms", Metric::Percentile(0.95)),
        ("p99_ms", Metric::Percentile(0.99)),
        ("p999_ms", Metric::Percentile(0.999)),
        ("retries_per_request", Metric::RetriesPerRequest),
    ];
    let name = |plane: usize| sheet.scenario.planes[plane].name.as_str();
    let planes = sheet.applicable();
    let mut all = Vec::new();
    for (i, &plane) in planes.iter().enumerate() {
        for &against in &planes[i + 1..] {
            for (metric, m) in COMPARED {
                if let Some(e) = sheet.difference(m, Place::users(plane), Place::users(against)) {
                    all.push(Difference {
                        plane: name(plane),
                        against: name(against),
                        metric,
                        mean: plain(e.mean),
                        low: e.low.and_then(plain),
                        high: e.high.and_then(plain),
                    });
                }
            }
        }
    }
    all
}
