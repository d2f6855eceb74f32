//! Envoy's `outlier_detection`: the knobs and their defaults.

use crate::units::Span;

/// Envoy's `outlier_detection` (defaults: envoy.md 1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutlierDetection {
    /// How failures are counted.
    pub reading: OutlierReading,
    /// Answers of 500 and above in a row that eject; 0 is off. Default 5.
    pub consecutive_5xx: u32,
    /// 502, 503 and 504 in a row that eject; 0 is off. Default 5.
    pub consecutive_gateway_failure: u32,
    /// Percent chance that a detected run of 5xx is acted on. Default 100.
    pub enforcing_consecutive_5xx: u32,
    /// Percent chance that a detected run of gateway failures is acted on. Default 0.
    pub enforcing_consecutive_gateway_failure: u32,
    /// Failures that never got an answer are counted apart. Default false.
    pub split_external_local_origin_errors: bool,
    /// Local failures in a row that eject, in split mode only. Default 5.
    pub consecutive_local_origin_failure: u32,
    /// Percent chance that a run of local failures is acted on. Default 100.
    pub enforcing_consecutive_local_origin_failure: u32,
    /// Percent chance that a low success rate is acted on. Default 100.
    pub enforcing_success_rate: u32,
    /// The same over local failures, in split mode. Default 100.
    pub enforcing_local_origin_success_rate: u32,
    /// Success rates are compared among this many endpoints at the least. Default 5.
    pub success_rate_minimum_hosts: u32,
    /// Requests in one interval without which an endpoint is left out of it. Default 100.
    pub success_rate_request_volume: u32,
    /// Standard deviations below the mean that eject, in thousandths. Default 1900.
    pub success_rate_stdev_factor: u32,
    /// Percent chance that a high share of failures is acted on. Default 0.
    pub enforcing_failure_percentage: u32,
    /// The same over local failures, in split mode. Default 0.
    pub enforcing_failure_percentage_local_origin: u32,
    /// The share of failures that ejects, in percent. Default 85.
    pub failure_percentage_threshold: u32,
    /// It takes this many endpoints at the least. Default 5.
    pub failure_percentage_minimum_hosts: u32,
    /// Requests in one interval without which an endpoint is left out of it. Default 50.
    pub failure_percentage_request_volume: u32,
    /// A probe that passes brings an ejected endpoint back at once. Default true.
    pub successful_active_health_check_uneject_host: bool,
    /// An answer below 500 with `x-envoy-degraded` makes its endpoint second choice for as long as an
    /// ejection would last (1.38 and later). Default false.
    pub detect_degraded_hosts: bool,
    /// Time between sweeps; endpoints return only at a sweep. Default 10 s.
    pub interval: Span,
    /// First ejection lasts this long, later ones a multiple. Default 30 s.
    pub base_ejection_time: Span,
    /// No ejection lasts longer. Default: the larger of 300 s and the base.
    pub max_ejection_time: Span,
    /// A random extra up to this long is drawn once per ejection. Default 0.
    pub max_ejection_time_jitter: Span,
    /// Largest share of endpoints out at once, in percent. Default 10: below ten endpoints nobody
    /// is ejected (envoy.md 1.4).
    pub max_ejection_percent: u32,
    /// One endpoint may always go, whatever the percentage. Default false.
    pub always_eject_one_host: bool,
}

/// Two readings of "5 failures in 30 s" (aws.md 1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutlierReading {
    /// Envoy's: failures in a row, however far apart.
    Consecutive,
    /// The wording of the AWS documentation: this many failures within the window.
    Window(Span),
}

/// Sets a number of `outlier_detection`.
pub type SetNumber = fn(&mut OutlierDetection, u32);
/// Sets a switch of `outlier_detection`.
pub type SetSwitch = fn(&mut OutlierDetection, bool);

impl OutlierDetection {
    /// The fields that are counts, by Envoy's names.
    pub const COUNTS: [(&'static str, SetNumber); 8] = [
        ("consecutive_5xx", |od, n| od.consecutive_5xx = n),
        ("consecutive_gateway_failure", |od, n| od.consecutive_gateway_failure = n),
        ("consecutive_local_origin_failure", |od, n| od.consecutive_local_origin_failure = n),
        ("success_rate_minimum_hosts", |od, n| od.success_rate_minimum_hosts = n),
        ("success_rate_request_volume", |od, n| od.success_rate_request_volume = n),
        ("success_rate_stdev_factor", |od, n| od.success_rate_stdev_factor = n),
        ("failure_percentage_minimum_hosts", |od, n| od.failure_percentage_minimum_hosts = n),
        ("failure_percentage_request_volume", |od, n| od.failure_percentage_request_volume = n),
    ];
    /// The fields that are percents.
    pub const PERCENTS: [(&'static str, SetNumber); 9] = [
        ("enforcing_consecutive_5xx", |od, n| od.enforcing_consecutive_5xx = n),
        ("enforcing_consecutive_gateway_failure", |od, n| od.enforcing_consecutive_gateway_failure = n),
        ("enforcing_consecutive_local_origin_failure", |od, n| od.enforcing_consecutive_local_origin_failure = n),
        ("enforcing_success_rate", |od, n| od.enforcing_success_rate = n),
        ("enforcing_local_origin_success_rate", |od, n| od.enforcing_local_origin_success_rate = n),
        ("enforcing_failure_percentage", |od, n| od.enforcing_failure_percentage = n),
        ("enforcing_failure_percentage_local_origin", |od, n| od.enforcing_failure_percentage_local_origin = n),
        ("failure_percentage_threshold", |od, n| od.failure_percentage_threshold = n),
        ("max_ejection_percent", |od, n| od.max_ejection_percent = n),
    ];
    /// The fields that are switches.
    pub const SWITCHES: [(&'static str, SetSwitch); 4] = [
        ("split_external_local_origin_errors", |od, on| od.split_external_local_origin_errors = on),
        ("always_eject_one_host", |od, on| od.always_eject_one_host = on),
        ("detect_degraded_hosts", |od, on| od.detect_degraded_hosts = on),
        ("successful_active_health_check_uneject_host", |od, on| od.successful_active_health_check_uneject_host = on),
    ];

    /// Envoy's defaults with `outlier_detection` present but empty (envoy.md 1.1).
    pub const fn envoy_default() -> OutlierDetection {
        OutlierDetection {
            reading: OutlierReading::Consecutive,
            consecutive_5xx: 5,
            consecutive_gateway_failure: 5,
            enforcing_consecutive_5xx: 100,
            enforcing_consecutive_gateway_failure: 0,
            split_external_local_origin_errors: false,
            consecutive_local_origin_failure: 5,
            enforcing_consecutive_local_origin_failure: 100,
            enforcing_success_rate: 100,
            enforcing_local_origin_success_rate: 100,
            success_rate_minimum_hosts: 5,
            success_rate_request_volume: 100,
            success_rate_stdev_factor: 1900,
            enforcing_failure_percentage: 0,
            enforcing_failure_percentage_local_origin: 0,
            failure_percentage_threshold: 85,
            failure_percentage_minimum_hosts: 5,
            failure_percentage_request_volume: 50,
            successful_active_health_check_uneject_host: true,
            detect_degraded_hosts: false,
            interval: Span::from_secs(10),
            base_ejection_time: Span::from_secs(30),
            max_ejection_time: Span::from_secs(300),
            max_ejection_time_jitter: Span::ZERO,
            max_ejection_percent: 10,
            always_eject_one_host: false,
        }
    }
}
