//! Names of figures in result files.
//!
//! *Knows* which metrics a file has, in which order. *Does not know* their values.

use crate::scenario::Metric;

/// Metrics of calls, with their names in the file.
pub(super) const CALL_METRICS: [(&str, Metric); 14] = [
    ("requests", Metric::Requests),
    ("failed_requests", Metric::FailedRequests),
    ("error_rate", Metric::ErrorRate),
    ("goodput_rps", Metric::Goodput),
    ("mean_ms", Metric::Mean),
    ("p50_ms", Metric::Percentile(0.5)),
    ("p90_ms", Metric::Percentile(0.9)),
    ("p95_ms", Metric::Percentile(0.95)),
    ("p99_ms", Metric::Percentile(0.99)),
    ("p999_ms", Metric::Percentile(0.999)),
    ("max_ms", Metric::Max),
    ("attempts_per_request", Metric::AttemptsPerRequest),
    ("retries_per_request", Metric::RetriesPerRequest),
    ("overflow", Metric::Overflow),
];

/// Metrics of a plane as a whole, with their names in the file.
pub(super) const PLANE_METRICS: [(&str, Metric); 16] = [
    ("ejections", Metric::Ejections),
    ("stale_dials", Metric::StaleDials),
    ("time_to_eject_s", Metric::TimeToEject),
    ("time_to_contain_s", Metric::TimeToContain),
    ("time_to_recover_s", Metric::TimeToRecover),
    ("stale_window_s", Metric::StaleWindow),
    ("panic_time_s", Metric::PanicTime),
    ("queue_max", Metric::QueueMax),
    ("cpu_max", Metric::CpuMax),
    ("tasks_max", Metric::TasksMax),
    ("tasks_mean", Metric::TasksMean),
    ("in_flight_mean", Metric::InFlightMean),
    ("queue_mean", Metric::QueueMean),
    ("wait_share", Metric::WaitShare),
    ("wait_mean_ms", Metric::WaitMean),
    ("utilization", Metric::Utilization),
];

/// Metrics of one service.
pub(super) const SERVICE_METRICS: [(&str, Metric); 7] = [
    ("in_flight_mean", Metric::InFlightMean),
    ("queue_mean", Metric::QueueMean),
    ("queue_max", Metric::QueueMax),
    ("wait_share", Metric::WaitShare),
    ("wait_mean_ms", Metric::WaitMean),
    ("utilization", Metric::Utilization),
    ("cpu_max", Metric::CpuMax),
];

/// The key of a metric of calls in result files.
pub fn key(metric: Metric) -> Option<&'static str> {
    CALL_METRICS.iter().find(|(_, m)| *m == metric).map(|(key, _)| *key)
}
