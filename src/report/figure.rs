//! Every metric of the expectation language, read off a study.
//!
//! *Knows* which counters make a metric, on which planes it exists and which way it is bad.
//! *Does not know* how it is judged or printed. A percentile is taken from the pooled histogram,
//! its interval from the replications; everything else is a mean over replications.

use std::sync::OnceLock;

use crate::cost;
use crate::cost::Bill;
use crate::measure::Flag;
use crate::measure::Rollout;
use crate::measure::ServiceRecord;
use crate::measure::estimate::Bad;
use crate::measure::estimate::Estimate;
use crate::measure::estimate::Estimator;
use crate::measure::study::PlaneResult;
use crate::measure::study::Replica;
use crate::measure::study::Study;
use crate::measure::study::Tally;
use crate::policy::config::Panic;
use crate::policy::config::PolicyConfig;
use crate::scenario::Metric;
use crate::scenario::Plane;
use crate::scenario::Scenario;
use crate::scenario::Scope;
use crate::scenario::Window;

/// A scenario and its study, side by side.
pub struct Sheet<'a> {
    /// What was asked.
    pub scenario: &'a Scenario,
    /// What came out.
    pub study: &'a Study,
    estimator: Estimator,
    bill: OnceLock<Bill>,
}

/// The unit in which a metric is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A fraction, shown as percent.
    Share,
    /// A number of things.
    Count,
    /// Per second.
    PerSecond,
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
    /// A bare ratio.
    Plain,
    /// Dollars.
    Dollars,
}

/// Where a metric is read.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Place {
    /// On which plane.
    pub plane: usize,
    /// In which part of the run.
    pub window: Window,
    /// For which calls.
    pub scope: Scope,
}

impl Place {
    /// The users of a plane over the whole run.
    pub fn users(plane: usize) -> Place {
        Place { plane, window: Window::All, scope: Scope::Users }
    }
}

/// One value per replication, in order; `None` where a replication has none.
pub type Values = Vec<Option<f64>>;

/// The name of a metric in scenarios.
pub fn name(metric: Metric) -> String {
    let fixed = match metric {
        Metric::Requests => "requests",
        Metric::ErrorRate => "error_rate",
        Metric::FailedRequests => "failed_requests",
        Metric::SuccessRate => "success_rate",
        Metric::Goodput => "goodput",
        Metric::Mean => "mean",
        Metric::Max => "max",
        Metric::Percentile(share) => return format!("p{}", trimmed(share * 100.0)),
        Metric::AttemptsPerRequest => "attempts_per_request",
        Metric::RetriesPerRequest => "retries_per_request",
        Metric::Ejections => "ejections",
        Metric::TimeToEject => "time_to_eject",
        Metric::TimeToContain => "time_to_contain",
        Metric::TimeToRecover => "time_to_recover",
        Metric::StaleWindow => "stale_window",
        Metric::StaleDials => "stale_dials",
        Metric::Overflow => "overflow",
        Metric::PanicTime => "panic_time",
        Metric::QueueMax => "queue_max",
        Metric::CpuMax => "cpu_max",
        Metric::TasksMax => "tasks_max",
        Metric::TasksMean => "tasks_mean",
        Metric::DeployTime => "deploy_time",
        Metric::Rollbacks => "rollbacks",
        Metric::TestRequests => "test_requests",
        Metric::TestErrorRate => "test_error_rate",
        Metric::UnresolvedCalls => "unresolved_calls",
        Metric::CostPerMonth => "cost_per_month",
        Metric::Cost(figure) => figure.name(),
        Metric::InFlightMean => "in_flight_mean",
        Metric::QueueMean => "queue_mean",
        Metric::WaitShare => "wait_share",
        Metric::WaitMean => "wait_mean",
        Metric::Utilization => "utilization",
        Metric::SidecarCpuMax => "sidecar_cpu_max",
        Metric::ConnectionsOpened => "connections_opened",
        Metric::KeepAliveRaces => "keep_alive_races",
    };
    fixed.to_owned()
}

/// A number without the dust of binary fractions: 99.9, not 99.90000000000001.
fn trimmed(x: f64) -> String {
    format!("{x:.6}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The unit of a metric.
pub fn unit(metric: Metric) -> Unit {
    match metric {
        Metric::ErrorRate
        | Metric::SuccessRate
        | Metric::CpuMax
        | Metric::SidecarCpuMax
        | Metric::WaitShare
        | Metric::Utilization
        | Metric::TestErrorRate => Unit::Share,
        Metric::Requests
        | Metric::FailedRequests
        | Metric::Ejections
        | Metric::StaleDials
        | Metric::Overflow
        | Metric::QueueMax
        | Metric::ConnectionsOpened
        | Metric::KeepAliveRaces
        | Metric::TasksMax
        | Metric::Rollbacks
        | Metric::TestRequests
        | Metric::UnresolvedCalls => Unit::Count,
        Metric::Goodput => Unit::PerSecond,
        Metric::Mean | Metric::Max | Metric::Percentile(_) | Metric::WaitMean => Unit::Millis,
        Metric::TimeToEject
        | Metric::TimeToContain
        | Metric::TimeToRecover
        | Metric::StaleWindow
        | Metric::PanicTime
        | Metric::DeployTime => Unit::Seconds,
        Metric::CostPerMonth => Unit::Dollars,
        Metric::Cost(figure) if figure.is_money() => Unit::Dollars,
        Metric::Cost(figure) if figure.is_share() => Unit::Share,
        Metric::AttemptsPerRequest
        | Metric::RetriesPerRequest
        | Metric::InFlightMean
        | Metric::QueueMean
        | Metric::TasksMean
        | Metric::Cost(_) => Unit::Plain,
    }
}

/// Which way a metric is bad.
pub fn bad(metric: Metric) -> Bad {
    match metric {
        Metric::Requests | Metric::SuccessRate | Metric::Goodput | Metric::TestRequests => Bad::Down,
        _ => Bad::Up,
    }
}

/// A metric that is counted over the whole run, whatever the window.
pub fn is_whole_run(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::Ejections
            | Metric::TimeToEject
            | Metric::TimeToContain
            | Metric::TimeToRecover
            | Metric::StaleWindow
            | Metric::StaleDials
            | Metric::PanicTime
            | Metric::QueueMax
            | Metric::CpuMax
            | Metric::TasksMax
            | Metric::TasksMean
            | Metric::DeployTime
            | Metric::Rollbacks
            | Metric::TestRequests
            | Metric::TestErrorRate
            | Metric::UnresolvedCalls
            | Metric::InFlightMean
            | Metric::QueueMean
            | Metric::WaitShare
            | Metric::WaitMean
            | Metric::Utilization
            | Metric::SidecarCpuMax
            | Metric::ConnectionsOpened
            | Metric::KeepAliveRaces
            | Metric::CostPerMonth
            | Metric::Cost(_)
    )
}

impl<'a> Sheet<'a> {
    /// Puts a scenario and its study side by side.
    pub fn new(scenario: &'a Scenario, study: &'a Study) -> Sheet<'a> {
        Sheet { scenario, study, estimator: Estimator::new(study.confidence), bill: OnceLock::new() }
    }

    /// What the scenario costs, worked out when first asked for.
    pub fn bill(&self) -> &Bill {
        self.bill.get_or_init(|| cost::bill(self.scenario, Some(self.study)))
    }

    /// A figure of the bill in each replication, or why there is none.
    ///
    /// # Errors
    /// What is not known, in words.
    pub fn cost_values(&self, metric: Metric, place: Place) -> Result<Values, String> {
        let service = match place.scope {
            Scope::Users => None,
            Scope::Service(service) => Some(service),
            Scope::Edge(edge) => Some(self.scenario.edge(edge).to),
        };
        let figure = match metric {
            Metric::Cost(figure) => Some(figure),
            _ => None,
        };
        let known = cost::figure(self.bill(), place.plane, figure, service)?;
        let replicas = self.result(place.plane).replicas.len();
        Ok((0..replicas).map(|at| known.get(at).or_else(|| known.first()).copied()).collect())
    }

    /// The estimator at the study's confidence.
    pub fn estimator(&self) -> &Estimator {
        &self.estimator
    }

    /// The planes that were simulated.
    pub fn applicable(&self) -> Vec<usize> {
        (0..self.scenario.planes.len()).filter(|&p| self.scenario.planes[p].not_applicable.is_none()).collect()
    }

    /// The result of one plane.
    pub fn result(&self, plane: usize) -> &'a PlaneResult {
        &self.study.planes[plane]
    }

    /// The metric in each replication; `None` if it does not exist on that plane. Something that
    /// could have happened and never did takes for ever: infinity.
    pub fn values(&self, metric: Metric, place: Place) -> Option<Values> {
        let plane = &self.scenario.planes[place.plane];
        let result = self.result(place.plane);
        if plane.not_applicable.is_some() || !exists(metric, plane) {
            return None;
        }
        if matches!(metric, Metric::CostPerMonth | Metric::Cost(_)) {
            return self.cost_values(metric, place).ok().filter(|values| !values.is_empty());
        }
        let slice = self.study.frame.slice(place.window, place.scope);
        let values: Values = match metric {
            Metric::Percentile(share) => {
                let (slice, at) = (slice?, self.study.frame.shares.iter().position(|s| s.total_cmp(&share).is_eq())?);
                result.replicas.iter().map(|r| r.tallies[slice].percentiles_ms[at]).collect()
            }
            Metric::Goodput => {
                let slice = slice?;
                let window = self.study.frame.slices[slice].window;
                result.replicas.iter().map(|r| goodput(r, slice, window)).collect()
            }
            _ if is_whole_run(metric) => result.replicas.iter().map(|r| self.of_replica(metric, place, r)).collect(),
            _ => {
                let slice = slice?;
                result.replicas.iter().map(|r| of_tally(metric, &r.tallies[slice])).collect()
            }
        };
        values.iter().any(Option::is_some).then_some(values)
    }

    /// The metric's estimate; `None` if it does not exist on that plane or window. Infinite values
    /// make it infinite.
    pub fn estimate(&self, metric: Metric, place: Place) -> Option<Estimate> {
        let values: Vec<f64> = self.values(metric, place)?.into_iter().flatten().collect();
        self.shaped(metric, place, &values)
    }

    /// The metric's estimate over the replications in which it is finite.
    pub fn estimate_finite(&self, metric: Metric, place: Place) -> Option<Estimate> {
        let values: Vec<f64> = self.values(metric, place)?.into_iter().flatten().filter(|v| v.is_finite()).collect();
        self.shaped(metric, place, &values)
    }

    fn shaped(&self, metric: Metric, place: Place, values: &[f64]) -> Option<Estimate> {
        let mut estimate = self.estimator.estimate(values, bad(metric))?;
        if let Metric::Percentile(share) = metric
            && let Some(slice) = self.study.frame.slice(place.window, place.scope)
            && let Some(pooled) = self.result(place.plane).pooled.get(slice)
            && let Some(point) = pooled.percentile_ms(share)
        {
            estimate = estimate.around(point);
        }
        // A growth is a share that may pass all of it.
        let most = if unit(metric) == Unit::Share && !matches!(metric, Metric::Cost(_)) { 1.0 } else { f64::INFINITY };
        Some(estimate.within(0.0, most))
    }

    /// An estimate of any figure of a replication.
    pub fn estimate_of(&self, plane: usize, figure: impl Fn(&Replica) -> Option<f64>) -> Option<Estimate> {
        let values: Vec<f64> = self.result(plane).replicas.iter().filter_map(figure).collect();
        Some(self.estimator.estimate(&values, Bad::Up)?.within(0.0, f64::INFINITY))
    }

    /// The paired difference of a metric between two places: the first less the second.
    pub fn difference(&self, metric: Metric, left: Place, right: Place) -> Option<Estimate> {
        let (a, b) = (self.values(metric, left)?, self.values(metric, right)?);
        let mut difference = self.estimator.difference(&a, &b, bad(metric))?;
        if matches!(metric, Metric::Percentile(_))
            && let (Some(a), Some(b)) = (self.estimate(metric, left), self.estimate(metric, right))
        {
            difference = difference.around(a.mean - b.mean);
        }
        Some(difference)
    }

    fn of_replica(&self, metric: Metric, place: Place, replica: &Replica) -> Option<f64> {
        let never = || self.study.frame.first_fault.map(|_| f64::INFINITY);
        match metric {
            Metric::Ejections => Some(replica.ejections as f64),
            Metric::TimeToEject => replica.time_to_eject.map(crate::units::Span::as_secs_f64).or_else(never),
            Metric::TimeToContain => replica.contained,
            Metric::TimeToRecover => replica.recovered,
            Metric::StaleWindow => Some(replica.stale_window.as_secs_f64()),
            Metric::StaleDials => Some(replica.stale_dials as f64),
            Metric::PanicTime => Some(replica.panic_time.as_secs_f64()),
            Metric::TasksMax => Some(f64::from(replica.tasks_max)),
            Metric::ConnectionsOpened => Some(replica.connections_opened as f64),
            Metric::KeepAliveRaces => Some(replica.keep_alive_races as f64),
            Metric::DeployTime
            | Metric::Rollbacks
            | Metric::TestRequests
            | Metric::TestErrorRate
            | Metric::UnresolvedCalls => of_rollout(metric, &replica.rollout),
            _ => self.of_services(metric, place.scope, replica),
        }
    }

    /// Queueing figures: of one service, or of all in the way that fits the figure (sums for
    /// numbers waiting, the largest for maxima, the entry's for the number under way).
    fn of_services(&self, metric: Metric, scope: Scope, replica: &Replica) -> Option<f64> {
        let one = match scope {
            Scope::Users => None,
            Scope::Service(service) => Some(service.0 as usize),
            Scope::Edge(edge) => Some(self.scenario.edge(edge).to.0 as usize),
        };
        let picked: Vec<&ServiceRecord> = match one {
            Some(service) => replica.services.get(service).into_iter().collect(),
            None if metric == Metric::InFlightMean => {
                let mut entries: Vec<usize> = self.scenario.loads.iter().map(|l| l.entry.0 as usize).collect();
                entries.sort_unstable();
                entries.dedup();
                entries.into_iter().filter_map(|s| replica.services.get(s)).collect()
            }
            None => replica.services.iter().collect(),
        };
        let most = |values: Vec<Option<f64>>| values.into_iter().flatten().reduce(f64::max);
        let of_sums = |top: fn(&ServiceRecord) -> u64, bottom: fn(&ServiceRecord) -> u64| {
            ratio(
                picked.iter().map(|s| top(s)).sum::<u64>() as f64,
                picked.iter().map(|s| bottom(s)).sum::<u64>() as f64,
            )
        };
        match metric {
            Metric::QueueMax => picked.iter().map(|s| f64::from(s.queue_max)).reduce(f64::max),
            Metric::CpuMax => picked.iter().map(|s| f64::from(s.busy_max_ppm) / 1e6).reduce(f64::max),
            Metric::SidecarCpuMax => picked.iter().map(|s| f64::from(s.sidecar_busy_max_ppm) / 1e6).reduce(f64::max),
            Metric::InFlightMean => Some(picked.iter().filter_map(|s| in_service_mean(s)).sum()),
            Metric::QueueMean => Some(picked.iter().filter_map(|s| queue_mean(s)).sum()),
            Metric::TasksMean => Some(picked.iter().filter_map(|s| tasks_mean(s)).sum()),
            Metric::WaitShare => of_sums(|s| s.waited, |s| s.arrived),
            Metric::WaitMean => of_sums(|s| s.wait.as_nanos(), |s| s.finished).map(|ns| ns / 1e6),
            Metric::Utilization => most(picked.iter().map(|s| utilization(s)).collect()),
            _ => None,
        }
    }
}

/// Figures of deployments. One that never came to its end takes for ever.
fn of_rollout(metric: Metric, rollout: &Rollout) -> Option<f64> {
    match metric {
        Metric::DeployTime if rollout.completed < rollout.began => Some(f64::INFINITY),
        Metric::DeployTime => (rollout.began > 0).then(|| rollout.longest.as_secs_f64()),
        Metric::Rollbacks => Some(f64::from(rollout.rollbacks)),
        Metric::TestRequests => Some(rollout.tests as f64),
        Metric::TestErrorRate => ratio(rollout.tests_failed as f64, rollout.tests as f64),
        Metric::UnresolvedCalls => Some(rollout.unresolved as f64),
        _ => None,
    }
}

fn ratio(top: f64, bottom: f64) -> Option<f64> {
    (bottom > 0.0).then(|| top / bottom)
}

/// Mean number in a service.
pub fn in_service_mean(s: &ServiceRecord) -> Option<f64> {
    ratio(s.area_in_service as f64, s.measured.as_nanos() as f64)
}

/// Mean number of tasks of a service.
pub fn tasks_mean(s: &ServiceRecord) -> Option<f64> {
    ratio(s.area_tasks as f64, s.measured.as_nanos() as f64)
}

/// Mean number waiting in a service.
pub fn queue_mean(s: &ServiceRecord) -> Option<f64> {
    ratio(s.area_queue as f64, s.measured.as_nanos() as f64)
}

/// Busy share of servers; `None` with unlimited concurrency.
pub fn utilization(s: &ServiceRecord) -> Option<f64> {
    ratio(s.area_busy as f64, s.area_servers as f64)
}

fn goodput(replica: &Replica, slice: usize, window: usize) -> Option<f64> {
    let tally = &replica.tallies[slice];
    // What the drain still finished was no answer in the measured part.
    ratio((tally.requests - tally.failed - tally.late) as f64, replica.window_lengths.get(window)?.as_secs_f64())
}

fn of_tally(metric: Metric, tally: &Tally) -> Option<f64> {
    match metric {
        Metric::Requests => Some(tally.requests as f64),
        Metric::FailedRequests => (tally.requests > 0).then_some(tally.failed as f64),
        Metric::ErrorRate => ratio(tally.failed as f64, tally.requests as f64),
        Metric::SuccessRate => ratio((tally.requests - tally.failed) as f64, tally.requests as f64),
        Metric::Mean => tally.mean_ms,
        Metric::Max => tally.max_ms,
        Metric::AttemptsPerRequest => ratio(tally.hops.attempts as f64, tally.hops.requests as f64),
        Metric::RetriesPerRequest => ratio(tally.hops.retries as f64, tally.hops.requests as f64),
        Metric::Overflow => Some(tally.hops.flags[Flag::Uo.index()] as f64),
        _ => None,
    }
}

/// The policies of every vantage point on a plane.
fn policies(plane: &Plane) -> impl Iterator<Item = &PolicyConfig> {
    plane.paths().flat_map(|path| &path.edge_policies).chain(plane.alb().map(|alb| &alb.node_policy))
}

/// Something on the plane ejects.
pub fn can_eject(plane: &Plane) -> bool {
    policies(plane).any(|p| p.outlier_detection.is_some())
}

/// Something on the plane sends probes.
pub fn probes(plane: &Plane) -> bool {
    policies(plane).any(|p| p.health_check.is_some())
}

fn exists(metric: Metric, plane: &Plane) -> bool {
    match metric {
        Metric::Ejections | Metric::TimeToEject => can_eject(plane),
        Metric::PanicTime => policies(plane)
            .any(|p| p.panic != Panic::Never && (p.outlier_detection.is_some() || p.health_check.is_some())),
        Metric::SidecarCpuMax => plane.sidecar().is_some(),
        _ => true,
    }
}
