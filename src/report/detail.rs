//! The headline figures of each replication, so that two result files can be compared in pairs.
//!
//! *Knows* which figures are worth keeping one by one. *Does not know* how they are compared.

use serde::Serialize;

use super::figure::Place;
use super::figure::Sheet;
use super::json::Named;
use super::json::plain;
use crate::scenario::Metric;

/// `replications_detail` of a plane: arrays that run in parallel.
#[derive(Serialize)]
pub struct Detail {
    /// Which replications.
    index: Vec<u32>,
    /// User requests that came in, warm-up included: equal where the arrivals are.
    arrived: Vec<u64>,
    #[serde(flatten)]
    figures: Named<Vec<Option<f64>>>,
}

/// Figures that are kept for each replication, with their names in the file.
const HEADLINES: [(&str, Metric); 11] = [
    ("requests", Metric::Requests),
    ("failed_requests", Metric::FailedRequests),
    ("error_rate", Metric::ErrorRate),
    ("goodput_rps", Metric::Goodput),
    ("mean_ms", Metric::Mean),
    ("p50_ms", Metric::Percentile(0.5)),
    ("p95_ms", Metric::Percentile(0.95)),
    ("p99_ms", Metric::Percentile(0.99)),
    ("p999_ms", Metric::Percentile(0.999)),
    ("retries_per_request", Metric::RetriesPerRequest),
    ("ejections", Metric::Ejections),
];

/// The detail of one plane; `None` where it was not simulated.
pub fn of(sheet: &Sheet<'_>, plane: usize) -> Option<Detail> {
    let replicas = &sheet.result(plane).replicas;
    let figures = HEADLINES.iter().filter_map(|(key, metric)| {
        let values = sheet.values(*metric, Place::users(plane))?;
        Some(((*key).to_owned(), values.into_iter().map(|v| v.and_then(plain)).collect()))
    });
    (!replicas.is_empty()).then(|| Detail {
        index: replicas.iter().map(|r| r.index).collect(),
        arrived: replicas.iter().map(|r| r.arrived).collect(),
        figures: Named(figures.collect()),
    })
}
