//! The names and units of metrics.
//!
//! *Knows* every spelling. *Does not know* how a metric is measured.

use crate::scenario::CostFigure;
use crate::scenario::Metric;

/// What a metric is counted in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A share of one.
    Share,
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
    /// A plain number.
    Number,
    /// Per second.
    PerSecond,
    /// Dollars.
    Money,
}

/// Every metric but the percentiles, with its names; the first is the usual one.
pub const METRICS: [(&[&str], Metric, Unit); 36] = [
    (&["requests"], Metric::Requests, Unit::Number),
    (&["error_rate"], Metric::ErrorRate, Unit::Share),
    (&["failed_requests"], Metric::FailedRequests, Unit::Number),
    (&["success_rate"], Metric::SuccessRate, Unit::Share),
    (&["goodput", "goodput_rps"], Metric::Goodput, Unit::PerSecond),
    (&["mean", "mean_ms"], Metric::Mean, Unit::Millis),
    (&["max", "max_ms"], Metric::Max, Unit::Millis),
    (&["attempts_per_request"], Metric::AttemptsPerRequest, Unit::Number),
    (&["retries_per_request"], Metric::RetriesPerRequest, Unit::Number),
    (&["ejections"], Metric::Ejections, Unit::Number),
    (&["time_to_eject", "time_to_eject_s"], Metric::TimeToEject, Unit::Seconds),
    (&["time_to_contain", "time_to_contain_s"], Metric::TimeToContain, Unit::Seconds),
    (&["time_to_recover", "time_to_recover_s"], Metric::TimeToRecover, Unit::Seconds),
    (&["stale_window", "stale_window_s"], Metric::StaleWindow, Unit::Seconds),
    (&["stale_dials"], Metric::StaleDials, Unit::Number),
    (&["overflow"], Metric::Overflow, Unit::Number),
    (&["panic_time", "panic_time_s"], Metric::PanicTime, Unit::Seconds),
    (&["queue_max"], Metric::QueueMax, Unit::Number),
    (&["cpu_max"], Metric::CpuMax, Unit::Share),
    (&["tasks_max"], Metric::TasksMax, Unit::Number),
    (&["tasks_mean"], Metric::TasksMean, Unit::Number),
    (&["deploy_time", "deploy_time_s"], Metric::DeployTime, Unit::Seconds),
    (&["rollbacks"], Metric::Rollbacks, Unit::Number),
    (&["test_requests"], Metric::TestRequests, Unit::Number),
    (&["test_error_rate"], Metric::TestErrorRate, Unit::Share),
    (&["unresolved_calls"], Metric::UnresolvedCalls, Unit::Number),
    (&["cost_per_month"], Metric::CostPerMonth, Unit::Money),
    (&["in_flight_mean"], Metric::InFlightMean, Unit::Number),
    (&["queue_mean"], Metric::QueueMean, Unit::Number),
    (&["wait_share"], Metric::WaitShare, Unit::Share),
    (&["wait_mean", "wait_mean_ms"], Metric::WaitMean, Unit::Millis),
    (&["utilization"], Metric::Utilization, Unit::Share),
    (&["sidecar_cpu_max"], Metric::SidecarCpuMax, Unit::Share),
    (&["connections_opened"], Metric::ConnectionsOpened, Unit::Number),
    (&["keep_alive_races"], Metric::KeepAliveRaces, Unit::Number),
    // `p50` to `p99.99` are parsed; this row only serves suggestions.
    (&["p99"], Metric::Percentile(0.99), Unit::Millis),
];

/// Every name of a metric, for suggestions.
pub fn names() -> impl Iterator<Item = &'static str> {
    let costs = CostFigure::ALL.into_iter().map(CostFigure::name);
    METRICS.iter().flat_map(|(names, _, _)| names.iter().copied()).chain(costs)
}

/// The metric of that name, with its unit.
pub fn metric(name: &str) -> Option<(Metric, Unit)> {
    if let Some((_, metric, unit)) = METRICS.iter().find(|(names, _, _)| names.contains(&name)) {
        return Some((*metric, *unit));
    }
    if let Some(figure) = CostFigure::ALL.into_iter().find(|figure| figure.name() == name) {
        let unit = if figure.is_money() {
            Unit::Money
        } else if figure.is_share() {
            Unit::Share
        } else {
            Unit::Number
        };
        return Some((Metric::Cost(figure), unit));
    }
    let digits = name.strip_prefix('p')?;
    let digits = digits.strip_suffix("_ms").unwrap_or(digits).replace('_', ".");
    if digits.is_empty() || digits.len() > 8 || !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    // "p999" is "p99.9" without its point.
    let text =
        if digits.len() > 2 && !digits.contains('.') { format!("{}.{}", &digits[..2], &digits[2..]) } else { digits };
    let percent = text.parse::<f64>().ok().filter(|percent| *percent > 0.0 && *percent < 100.0)?;
    Some((Metric::Percentile(percent / 100.0), Unit::Millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_have_many_spellings() {
        for (name, expected) in [
            ("p50", Some(0.5)),
            ("p99.9", Some(0.999)),
            ("p999", Some(0.999)),
            ("p99_9", Some(0.999)),
            ("p99_ms", Some(0.99)),
            ("p9999", Some(0.9999)),
            ("p5", Some(0.05)),
            ("p0", None),
            ("p", None),
            ("pi", None),
            ("p1e3", None),
        ] {
            let found = metric(name).map(|(metric, _)| match metric {
                Metric::Percentile(share) => share,
                _ => -1.0,
            });
            match (found, expected) {
                (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-12, "{name} {found}"),
                (found, expected) => assert_eq!(found, expected, "{name}"),
            }
        }
    }
}
