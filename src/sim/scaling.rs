//! Target tracking: a metric per minute, two alarms, a new desired count.
//!
//! *Knows* Application Auto Scaling's rules. *Does not know* how tasks start and stop; `life` does that.
//! ASSUMPTION(scaling.alarms): out when three one-minute datapoints in a row are above the target, in when fifteen are
//! below 90 % of it, which is how the alarms look that Application Auto Scaling makes for ECS; the datapoint is
//! there when its minute is over. ASSUMPTION(scaling.capacity): the new count is the running tasks times
//! metric over target, rounded up. It never scales in while a deployment is under way (documented).

use crate::measure::HappeningKind;
use crate::measure::ServiceRecord;
use crate::scenario::Tracked;
use crate::sim::life::Phase;
use crate::sim::record::NOBODY;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Span;
use crate::units::Time;

/// Length of a datapoint.
const PERIOD: Span = Span::from_secs(60);
/// Datapoints above the target that scale out.
const ABOVE: u32 = 3;
/// Datapoints below [`LOW_PERCENT`] of the target that scale in.
const BELOW: u32 = 15;
/// Where the lower alarm lies, percent of the target.
const LOW_PERCENT: u128 = 90;
/// One, in the unit of loads.
const WHOLE: u128 = 1_000_000;

/// One service under target tracking.
#[derive(Default)]
pub(in crate::sim) struct Tracker {
    /// The service's books when the current datapoint began.
    since: ServiceRecord,
    /// Datapoints in a row above the target.
    above: u32,
    /// Datapoints in a row below the lower alarm.
    below: u32,
    /// Tasks that ran when the last scale-out began: what it added shall take effect first.
    out_base: u32,
    out_until: Time,
    in_until: Time,
}

impl World<'_> {
    pub(in crate::sim) fn set_up_scaling(&mut self) {
        for i in 0..self.scenario.scalings.len() as u32 {
            self.trackers.push(Tracker::default());
            self.engine.after(PERIOD, Ev::Datapoint { scaling: i });
        }
    }

    /// A minute is over.
    pub(in crate::sim) fn on_datapoint(&mut self, scaling: u32) {
        self.engine.after(PERIOD, Ev::Datapoint { scaling });
        let now = self.engine.now();
        let spec = self.scenario.scalings[scaling as usize];
        let service = spec.service.0;
        let books = self.services[service as usize].queueing.at(now);
        let minute = books.less(&self.trackers[scaling as usize].since);
        let running = self.running_tasks(service);
        let load = load(spec.tracked, &minute, running);
        let tracker = &mut self.trackers[scaling as usize];
        tracker.since = books;
        // Without a task there is no datapoint, and an alarm of missing data rings for nobody.
        tracker.above = if load.is_some_and(|load| load > WHOLE) { tracker.above + 1 } else { 0 };
        tracker.below = if load.is_some_and(|load| load * 100 < WHOLE * LOW_PERCENT) { tracker.below + 1 } else { 0 };
        let Some(load) = load else { return };
        let wanted = |tasks: u32| (u128::from(tasks) * load).div_ceil(WHOLE).min(u128::from(spec.max)) as u32;
        let desired = self.services[service as usize].desired;
        if tracker.above >= ABOVE {
            if now >= tracker.out_until {
                tracker.out_base = running;
            }
            let wanted = wanted(tracker.out_base).max(spec.min);
            if wanted > desired {
                tracker.out_until = now + spec.scale_out_cooldown;
                tracker.in_until = Time::ZERO;
                self.track(service, wanted);
            }
        } else if tracker.below >= BELOW
            && now >= tracker.in_until
            && self.services[service as usize].deployment.is_none()
        {
            let wanted = wanted(running).max(spec.min);
            if wanted < desired {
                tracker.in_until = now + spec.scale_in_cooldown;
                self.track(service, wanted);
            }
        }
    }

    fn track(&mut self, service: u32, tasks: u32) {
        self.log(HappeningKind::Scaled, NOBODY, NOBODY);
        self.services[service as usize].desired = tasks;
        self.reconcile(service);
    }

    /// RUNNING tasks that ECS means to keep.
    fn running_tasks(&self, service: u32) -> u32 {
        let running = |&&task: &&u32| {
            let state = &self.tasks[task as usize];
            !state.leaving && matches!(state.phase, Phase::Starting | Phase::Serving)
        };
        self.services[service as usize].tasks.iter().filter(running).count() as u32
    }
}

/// Metric over target of one minute, in millionths; `None` when there is nothing to measure.
fn load(tracked: Tracked, minute: &ServiceRecord, running: u32) -> Option<u128> {
    let tasks = u128::from(running);
    let second = u128::from(Span::from_secs(1).as_nanos());
    let period = u128::from(PERIOD.as_nanos());
    let (metric, target) = match tracked {
        Tracked::Cpu(share) => (minute.area_busy * WHOLE, minute.area_servers * u128::from(share.as_ppm())),
        Tracked::Requests(rate) => {
            let per_second = u128::from(minute.arrived) * WHOLE * second / period;
            (per_second, tasks * u128::from(rate.as_micros_per_sec()))
        }
        Tracked::Concurrency(milli) => (minute.area_in_service * 1_000, period * tasks * u128::from(milli)),
    };
    (running > 0 && target > 0).then(|| metric * WHOLE / target)
}
