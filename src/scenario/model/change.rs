//! What somebody changes on purpose.
//!
//! *Knows* the words of the vocabulary. *Does not know* TOML, nor how anything is simulated.

use crate::scenario::Distribution;
use crate::scenario::ServiceId;
use crate::units::Ratio;
use crate::units::Span;
use crate::units::Time;

/// `[[scale]]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scale {
    /// When.
    pub at: Time,
    /// Which service.
    pub service: ServiceId,
    /// The new desired count.
    pub tasks: u32,
}

/// `[[migrate]]`: callers' flags are set, so that a share of their calls takes the other path of a plane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Migrate {
    /// When.
    pub at: Time,
    /// Its name in `during`, which is the time until the next step; `step 3` if the user gave none.
    pub name: String,
    /// Whose flags.
    pub callers: Vec<ServiceId>,
    /// The share of their calls that takes the second path from now on; zero is `back = true`.
    pub share: Ratio,
}

/// `[[deploy]]`: a new version of a service, and how it comes.
#[derive(Clone, PartialEq, Debug)]
pub struct Deploy {
    /// When.
    pub at: Time,
    /// Which service.
    pub service: ServiceId,
    /// How the new version takes over.
    pub strategy: Strategy,
    /// Both versions run this long when the new one has all of the traffic (`bakeTimeInMinutes`); alarms
    /// are still watched.
    pub bake_time: Span,
    /// Deployment circuit breaker; `None` is off, as ECS has it.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// An alarm that fails the deployment and takes it back.
    pub alarm: Option<Alarm>,
    /// Somebody stops the deployment with `stopType` ROLLBACK, if it is still under way then.
    pub rollback_at: Option<Time>,
    /// What the new version changes.
    pub change: Change,
}

impl Deploy {
    /// A rolling deployment with nothing else switched on.
    pub fn rolling(at: Time, service: ServiceId, minimum_healthy_percent: u32, maximum_percent: u32) -> Deploy {
        Deploy {
            at,
            service,
            strategy: Strategy::Rolling { minimum_healthy_percent, maximum_percent, early_success: None },
            bake_time: Span::ZERO,
            circuit_breaker: None,
            alarm: None,
            rollback_at: None,
            change: Change::default(),
        }
    }
}

/// `strategy`: how a new version takes over (ECS API, DeploymentConfiguration).
#[derive(Clone, PartialEq, Debug)]
pub enum Strategy {
    /// Tasks are replaced a few at a time.
    Rolling {
        /// Rounded up to tasks.
        minimum_healthy_percent: u32,
        /// Rounded down to tasks.
        maximum_percent: u32,
        /// `earlySuccessCriteria`: over when this is met, and not when every task is replaced.
        early_success: Option<EarlySuccess>,
    },
    /// Both versions run in full, and the traffic shifts from one to the other.
    Shifting {
        /// How the traffic shifts.
        shift: Shifting,
        /// Test traffic alone reaches the new version for this long (a hook on POST_TEST_TRAFFIC_SHIFT).
        test_time: Span,
        /// The hook fails, and the deployment with it, if more than this share of the test requests
        /// failed; `None` is no such hook.
        test_errors: Option<Ratio>,
        /// From the last shift until tasks without production traffic may stop, at the least.
        settle: Span,
    },
}

/// How production traffic shifts from the old version to the new one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shifting {
    /// BLUE_GREEN: all at once.
    AllAtOnce,
    /// CANARY: a share first, and after its own bake time the rest.
    Canary {
        /// `canaryPercent`, 5 % by default.
        share: Ratio,
        /// `canaryBakeTimeInMinutes`, 10 min by default.
        bake: Span,
    },
    /// LINEAR: in equal steps.
    Linear {
        /// `stepPercent`, 10 % by default.
        step: Ratio,
        /// `stepBakeTimeInMinutes`, 6 min by default; not after the last step.
        every: Span,
    },
}

/// `earlySuccessCriteria` of a rolling deployment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EarlySuccess {
    /// `healthyPercent`: new tasks that must be healthy, of the desired count, rounded up.
    pub healthy_percent: u32,
    /// `sourceServiceRevisionCleanup` BLOCKING: the old tasks must have gone as well.
    pub blocking: bool,
}

/// `deploymentCircuitBreaker`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CircuitBreaker {
    /// A failed deployment goes back to the version before; otherwise it only stops.
    pub rollback: bool,
    /// Failed tasks that make the deployment fail.
    pub threshold: FailureThreshold,
    /// `resetOnHealthyTask`: a task that becomes healthy sets the count back to zero. On by default.
    pub reset_on_healthy_task: bool,
}

/// `thresholdConfiguration` of the circuit breaker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailureThreshold {
    /// BOUNDED_PERCENT: of the desired count, rounded up, at least 3 and at most 200. 50 by default.
    BoundedPercent(u32),
    /// UNBOUNDED_PERCENT: of the desired count, rounded up, at least 1.
    UnboundedPercent(u32),
    /// COUNT: so many.
    Count(u32),
}

impl FailureThreshold {
    /// The number of failed tasks at which a deployment to `desired` tasks fails.
    pub fn tasks(self, desired: u32) -> u32 {
        let part = |percent: u32| (u64::from(desired) * u64::from(percent)).div_ceil(100) as u32;
        match self {
            FailureThreshold::BoundedPercent(percent) => part(percent).clamp(3, 200),
            FailureThreshold::UnboundedPercent(percent) => part(percent).max(1),
            FailureThreshold::Count(count) => count.max(1),
        }
    }
}

/// `alarm`: a CloudWatch alarm on a share of failed requests, one datapoint to alarm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alarm {
    /// It rings when more than this share failed within a period.
    pub error_rate: Ratio,
    /// Its period. Periods begin at multiples of it, as CloudWatch's do.
    pub over: Span,
    /// Whose requests it counts.
    pub of: AlarmOn,
    /// The deployment is taken back; otherwise it fails and stops where it is.
    pub rollback: bool,
}

/// Whose requests an alarm counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AlarmOn {
    /// What users see.
    Users,
    /// What the tasks of the deployed service answer, test requests included.
    Service,
}

/// What a new version changes.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Change {
    /// New own latency of the main endpoint (replaces its first work step).
    pub latency: Option<Distribution>,
    /// New error share of every endpoint.
    pub errors: Option<Ratio>,
    /// The status of those errors; 500 where none is given.
    pub status: Option<u16>,
    /// New start-up time.
    pub startup: Option<Distribution>,
    /// The app dies this long after RUNNING, every time.
    pub crash_loop: Option<Span>,
}
