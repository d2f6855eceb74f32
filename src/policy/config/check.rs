//! What Envoy checks when it loads a configuration.

use super::LbPolicy;
use super::LeastRequest;
use super::OutlierReading;
use super::PolicyConfig;
use super::PoolProtocol;
use crate::units::Span;

/// One thing wrong with a configuration, in the field's Envoy name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigProblem {
    /// Dotted path of the field, `outlier_detection.max_ejection_time`.
    pub field: &'static str,
    /// What is wrong, a sentence fragment.
    pub message: String,
}

impl PolicyConfig {
    /// Checks what Envoy checks when it loads a configuration.
    ///
    /// # Errors
    /// Every problem found, in field order.
    pub fn check(&self) -> Result<(), Vec<ConfigProblem>> {
        let mut problems = Vec::new();
        let mut wrong = |field, message: &str| {
            problems.push(ConfigProblem { field, message: message.to_owned() });
        };
        if let Some(od) = &self.outlier_detection {
            if od.max_ejection_time < od.base_ejection_time {
                wrong(
                    "outlier_detection.max_ejection_time",
                    "must not be shorter than base_ejection_time (Envoy rejects it)",
                );
            }
            if od.interval.is_zero() {
                wrong("outlier_detection.interval", "must be longer than zero");
            }
            if od.base_ejection_time.is_zero() {
                wrong("outlier_detection.base_ejection_time", "must be longer than zero");
            }
            for (field, percent) in [
                ("outlier_detection.max_ejection_percent", od.max_ejection_percent),
                ("outlier_detection.enforcing_consecutive_5xx", od.enforcing_consecutive_5xx),
                ("outlier_detection.enforcing_consecutive_gateway_failure", od.enforcing_consecutive_gateway_failure),
                (
                    "outlier_detection.enforcing_consecutive_local_origin_failure",
                    od.enforcing_consecutive_local_origin_failure,
                ),
                ("outlier_detection.enforcing_success_rate", od.enforcing_success_rate),
                ("outlier_detection.enforcing_local_origin_success_rate", od.enforcing_local_origin_success_rate),
                ("outlier_detection.enforcing_failure_percentage", od.enforcing_failure_percentage),
                (
                    "outlier_detection.enforcing_failure_percentage_local_origin",
                    od.enforcing_failure_percentage_local_origin,
                ),
                ("outlier_detection.failure_percentage_threshold", od.failure_percentage_threshold),
            ] {
                if percent > 100 {
                    wrong(field, "must lie between 0 and 100");
                }
            }
            if od.reading == OutlierReading::Window(Span::ZERO) {
                wrong("outlier_reading", "the window must be longer than zero");
            }
        }
        if let Some(retry) = &self.retry_policy {
            if retry.base_interval.is_zero() {
                wrong("retry_policy.retry_back_off.base_interval", "must be longer than zero");
            }
            if retry.max_interval < retry.base_interval {
                wrong(
                    "retry_policy.retry_back_off.max_interval",
                    "must not be shorter than base_interval (Envoy rejects it)",
                );
            }
            if retry.num_retries > 250 {
                wrong("retry_policy.num_retries", "scsim counts at most 250 retries");
            }
        }
        if let Some(hc) = &self.health_check {
            if hc.interval.is_zero() || hc.timeout.is_zero() {
                wrong("health_check", "interval and timeout must be longer than zero");
            }
            if hc.healthy_threshold == 0 || hc.unhealthy_threshold == 0 {
                wrong("health_check", "thresholds must be at least 1");
            }
        }
        match self.lb_policy {
            LbPolicy::LeastRequest(LeastRequest::Choices(n)) if n < 2 => {
                wrong("least_request_lb_config.choice_count", "must be at least 2 (Envoy rejects less)");
            }
            LbPolicy::LeastRequest(LeastRequest::DistinctChoices(n)) if n < 2 => {
                wrong("least_request_lb_config.choice_count", "must be at least 2");
            }
            LbPolicy::RingHash { .. } | LbPolicy::Maglev { .. } | LbPolicy::WeightedRandom { .. } => {
                wrong("lb_policy", "is not modelled yet");
            }
            _ => {}
        }
        if let PoolProtocol::Http2 { max_concurrent_streams: 0 } = self.pool.protocol {
            wrong("max_concurrent_streams", "must be at least 1");
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}
