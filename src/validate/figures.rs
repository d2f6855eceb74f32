//! The figures that reference values are compared with.
//!
//! *Knows* the metrics of the product and a few that only validation needs, which it takes from
//! each recording. *Does not know* what is expected of them.

use crate::measure::HappeningKind;
use crate::measure::Recording;
use crate::measure::estimate::Bad;
use crate::measure::estimate::Estimate;
use crate::report::figure;
use crate::report::figure::Place;
use crate::report::figure::Sheet;
use crate::report::figure::Unit;
use crate::scenario::Metric;
use crate::scenario::Scenario;
use crate::scenario::Scope;
use crate::scenario::ServiceId;
use crate::scenario::Window;
use crate::units::Time;

use super::reference::Value;

/// A figure that a value names.
#[derive(Clone, PartialEq, Debug)]
pub struct Figure {
    plane: usize,
    kind: Kind,
}

#[derive(Clone, PartialEq, Debug)]
enum Kind {
    /// One of the product's own.
    Product { metric: Metric, window: Window, scope: Scope },
    /// Taken from each recording.
    Special(Special),
}

/// Figures that the product does not print.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Special {
    /// Mean latency of all requests, failed ones too.
    MeanAll,
    /// Share of all requests that took longer, failed ones too.
    ShareOver(u64),
    /// Attempts on an edge over user requests.
    AttemptsPerUser(usize),
    /// Attempts on an edge per second in a window.
    AttemptRate { edge: usize, window: usize },
    /// Requests that reached a service's tasks over ejections.
    RequestsPerEjection(u32),
    /// Mean number in a service, per task.
    InFlightPerTask(usize),
    /// Share of servers that are idle.
    IdleShare(usize),
    /// Variance of the number in a service.
    InFlightVariance(usize),
    /// Percentile of the number in a service, over time.
    InFlightPercentile(usize, f64),
    /// From the first fault to each task's health going, seconds.
    Unhealthy(Statistic),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Statistic {
    Min,
    Mean,
    P99,
    Max,
}

impl Figure {
    /// The figure that a value names.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn named(value: &Value, scenario: &Scenario) -> Result<Figure, String> {
        let plane = match &value.plane {
            None => 0,
            Some(name) => {
                let found = scenario.planes.iter().position(|plane| plane.name == *name);
                found.ok_or_else(|| format!("no plane `{name}`"))?
            }
        };
        let service = match &value.service {
            None => None,
            Some(name) => {
                let found = scenario.services.iter().position(|service| service.name == *name);
                Some(found.ok_or_else(|| format!("no service `{name}`"))?)
            }
        };
        let edge = match &value.edge {
            None => None,
            Some(name) => {
                let mut ids = (0..scenario.edges.len() as u32).map(crate::scenario::EdgeId);
                let found = ids.find(|id| scenario.edge_name(*id) == *name);
                Some(found.ok_or_else(|| format!("no edge `{name}`"))?)
            }
        };
        let window = match scenario.expects.first() {
            Some(expect) if value.in_window_of_expect => expect.during,
            None if value.in_window_of_expect => return Err("there is no expectation".to_owned()),
            _ => Window::All,
        };
        let in_service = || service.ok_or("needs `service`".to_owned());
        let on_edge = || edge.map(|edge| edge.0 as usize).ok_or("needs `edge`".to_owned());
        let special = match value.metric.as_str() {
            "mean_all" => Special::MeanAll,
            "share_over" => {
                let over = value.over_ms.ok_or("needs `over_ms`")?;
                Special::ShareOver((over * 1e6) as u64)
            }
            "attempts_per_user_request" => Special::AttemptsPerUser(on_edge()?),
            "attempts_per_second" => {
                let at = scenario.windows().iter().position(|w| *w == window).ok_or("no such window")?;
                Special::AttemptRate { edge: on_edge()?, window: at }
            }
            "requests_per_ejection" => Special::RequestsPerEjection(in_service()? as u32),
            "in_flight_per_task" => Special::InFlightPerTask(in_service()?),
            "idle_share" => Special::IdleShare(in_service()?),
            "in_flight_variance" => Special::InFlightVariance(in_service()?),
            "in_flight_p99" => Special::InFlightPercentile(in_service()?, 0.99),
            "in_flight_p999" => Special::InFlightPercentile(in_service()?, 0.999),
            "time_to_unhealthy_min" => Special::Unhealthy(Statistic::Min),
            "time_to_unhealthy_mean" => Special::Unhealthy(Statistic::Mean),
            "time_to_unhealthy_p99" => Special::Unhealthy(Statistic::P99),
            "time_to_unhealthy_max" => Special::Unhealthy(Statistic::Max),
            name => {
                let metric = product_metric(name).ok_or_else(|| format!("no metric `{name}`"))?;
                let scope = match (service, edge) {
                    (Some(service), _) => Scope::Service(ServiceId(service as u32)),
                    (None, Some(edge)) => Scope::Edge(edge),
                    (None, None) => Scope::Users,
                };
                return Ok(Figure { plane, kind: Kind::Product { metric, window, scope } });
            }
        };
        Ok(Figure { plane, kind: Kind::Special(special) })
    }

    /// What the figure is in one replication, for those that are taken from recordings.
    pub fn sample(&self, plane: usize, recording: &Recording) -> Option<f64> {
        match &self.kind {
            Kind::Special(special) if plane == self.plane => special.of(recording),
            _ => None,
        }
    }

    /// The estimate in the reference's unit of time; `samples` are those of the recordings, in the
    /// order of replications.
    pub fn estimate(&self, sheet: &Sheet<'_>, samples: &[f64], unit_ms: f64) -> Option<Estimate> {
        let (estimate, unit) = match &self.kind {
            Kind::Product { metric, window, scope } => {
                let place = Place { plane: self.plane, window: *window, scope: *scope };
                (sheet.estimate(*metric, place)?, figure::unit(*metric))
            }
            Kind::Special(special) => {
                let mut estimate = sheet.estimator().estimate(samples, Bad::Up)?;
                // The extreme of a sample is that of all replications together.
                let extreme = match special {
                    Special::Unhealthy(Statistic::Min) => samples.iter().copied().reduce(f64::min),
                    Special::Unhealthy(Statistic::Max) => samples.iter().copied().reduce(f64::max),
                    _ => None,
                };
                if let Some(extreme) = extreme {
                    estimate = Estimate { mean: extreme, low: None, high: None, ..estimate };
                }
                (estimate, special.unit())
            }
        };
        let scale = match unit {
            Unit::Millis => 1.0 / unit_ms,
            Unit::Seconds => 1_000.0 / unit_ms,
            Unit::PerSecond => unit_ms / 1_000.0,
            Unit::Share | Unit::Count | Unit::Plain | Unit::Dollars => 1.0,
        };
        Some(Estimate {
            mean: estimate.mean * scale,
            low: estimate.low.map(|x| x * scale),
            high: estimate.high.map(|x| x * scale),
            worst: estimate.worst * scale,
            replications: estimate.replications,
        })
    }
}

impl Special {
    fn unit(self) -> Unit {
        match self {
            Special::MeanAll => Unit::Millis,
            Special::AttemptRate { .. } => Unit::PerSecond,
            Special::Unhealthy(_) => Unit::Seconds,
            Special::ShareOver(_) | Special::IdleShare(_) => Unit::Share,
            Special::AttemptsPerUser(_)
            | Special::RequestsPerEjection(_)
            | Special::InFlightPerTask(_)
            | Special::InFlightVariance(_)
            | Special::InFlightPercentile(..) => Unit::Plain,
        }
    }

    fn of(self, recording: &Recording) -> Option<f64> {
        match self {
            Special::MeanAll => {
                let users = recording.users(0);
                ratio((users.sum + users.failed_sum) as f64 / 1e6, users.requests as f64)
            }
            Special::ShareOver(threshold) => {
                let users = recording.users(0);
                let above = |histogram: &Option<Box<crate::measure::Histogram>>| {
                    histogram.as_ref().map_or(0, |h| h.len() - h.count_between(0, threshold))
                };
                ratio((above(&users.latency) + above(&users.failed_latency)) as f64, users.requests as f64)
            }
            Special::AttemptsPerUser(edge) => {
                ratio(recording.edge(0, edge).attempts as f64, recording.users(0).requests as f64)
            }
            Special::AttemptRate { edge, window } => {
                ratio(recording.edge(window, edge).attempts as f64, recording.window_lengths[window].as_secs_f64())
            }
            Special::RequestsPerEjection(service) => {
                let requests: u64 = recording.tasks.iter().filter(|t| t.service == service).map(|t| t.requests).sum();
                ratio(requests as f64, recording.ejections as f64)
            }
            Special::InFlightPerTask(service) => {
                let tasks = recording.tasks.iter().filter(|t| t.service as usize == service).count();
                Some(figure::in_service_mean(&recording.services[service])? / tasks as f64)
            }
            Special::IdleShare(service) => Some(1.0 - figure::utilization(&recording.services[service])?),
            Special::InFlightVariance(service) => {
                let levels = levels(recording, service);
                let total = levels.iter().sum::<f64>();
                let mean = levels.iter().zip(0_u32..).map(|(t, n)| t * f64::from(n)).sum::<f64>() / total;
                let square = |n: u32| (f64::from(n) - mean) * (f64::from(n) - mean);
                ratio(levels.iter().zip(0_u32..).map(|(t, n)| t * square(n)).sum(), total)
            }
            Special::InFlightPercentile(service, share) => {
                let levels = levels(recording, service);
                let target = levels.iter().sum::<f64>() * share;
                let mut below = 0.0;
                levels
                    .iter()
                    .position(|t| {
                        below += t;
                        below >= target
                    })
                    .map(|n| n as f64)
            }
            // A log that is cut short has lost the late ones.
            Special::Unhealthy(_) if recording.events_dropped > 0 => None,
            Special::Unhealthy(statistic) => {
                let began: Time = recording.events.iter().find(|e| e.kind == HappeningKind::FaultOn)?.at;
                let late = recording.events.iter().filter(|e| e.kind == HappeningKind::Unhealthy && e.at >= began);
                let mut waits: Vec<f64> = late.map(|e| e.at.since(began).as_secs_f64()).collect();
                waits.sort_by(f64::total_cmp);
                let n = waits.len();
                match statistic {
                    Statistic::Min => waits.first().copied(),
                    Statistic::Max => waits.last().copied(),
                    Statistic::Mean => ratio(waits.iter().sum(), n as f64),
                    Statistic::P99 => waits.get((n as f64 * 0.99).ceil() as usize - usize::from(n > 0)).copied(),
                }
            }
        }
    }
}

/// Time spent at each number in a service, the last one also for all above.
fn levels(recording: &Recording, service: usize) -> Vec<f64> {
    recording.services[service].levels.iter().map(|&ns| ns as f64).collect()
}

fn ratio(top: f64, bottom: f64) -> Option<f64> {
    (bottom > 0.0).then(|| top / bottom)
}

/// The product's metric of that name.
fn product_metric(name: &str) -> Option<Metric> {
    let known = [
        Metric::Requests,
        Metric::ErrorRate,
        Metric::SuccessRate,
        Metric::Goodput,
        Metric::Mean,
        Metric::Max,
        Metric::Percentile(0.5),
        Metric::Percentile(0.9),
        Metric::Percentile(0.95),
        Metric::Percentile(0.99),
        Metric::Percentile(0.999),
        Metric::AttemptsPerRequest,
        Metric::RetriesPerRequest,
        Metric::Ejections,
        Metric::TimeToEject,
        Metric::InFlightMean,
        Metric::QueueMean,
        Metric::WaitShare,
        Metric::WaitMean,
        Metric::Utilization,
    ];
    known.into_iter().find(|metric| figure::name(*metric) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_go_by_the_names_of_the_language() {
        assert_eq!(product_metric("p99.9"), Some(Metric::Percentile(0.999)));
        assert_eq!(product_metric("wait_share"), Some(Metric::WaitShare));
        assert_eq!(product_metric("p98"), None);
    }
}
