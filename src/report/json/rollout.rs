//! Figures of deployments in the result file.
//!
//! *Knows* their names, and that they stand where there is something to deploy. *Does not know* how
//! they are measured.

use super::Interval;
use super::Metric;
use super::Place;
use super::Sheet;
use super::interval;
use crate::units::Time;

/// Metrics of deployments, with their names in the file.
const ROLLOUT_METRICS: [(&str, Metric); 5] = [
    ("deploy_time_s", Metric::DeployTime),
    ("rollbacks", Metric::Rollbacks),
    ("test_requests", Metric::TestRequests),
    ("test_error_rate", Metric::TestErrorRate),
    ("unresolved_calls", Metric::UnresolvedCalls),
];

/// The metrics of one plane; none in a scenario where nothing is deployed or created.
pub(super) fn metrics(sheet: &Sheet<'_>, place: Place) -> Vec<(String, Option<Interval>)> {
    let scenario = sheet.scenario;
    let anything = !scenario.deploys.is_empty() || scenario.services.iter().any(|s| s.created > Time::ZERO);
    let shown = if anything { &ROLLOUT_METRICS[..] } else { &[] };
    let figure = |metric| interval(sheet.estimate_finite(metric, place));
    shown.iter().map(|(key, metric)| ((*key).to_owned(), figure(*metric))).collect()
}
