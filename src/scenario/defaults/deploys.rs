//! `[[deploy]]` written down again, with every value in force.
//!
//! *Knows* the keys of a deployment. *Does not know* where their defaults come from.

use super::Page;
use super::quoted;
use crate::scenario::Alarm;
use crate::scenario::AlarmOn;
use crate::scenario::Change;
use crate::scenario::CircuitBreaker;
use crate::scenario::Deploy;
use crate::scenario::FailureThreshold;
use crate::scenario::Shifting;
use crate::scenario::Strategy;
use crate::scenario::distribution::written;
use crate::scenario::tree::Table;
use crate::units::Time;

impl Page {
    /// One deployment of a service of that name.
    pub(super) fn deploy(&mut self, given: Option<&Table>, deploy: &Deploy, service: &str) {
        let instant = |at: Time| quoted(&at.since(Time::ZERO).to_string());
        self.header("[[deploy]]");
        self.line(given, "at", &instant(deploy.at));
        self.line(given, "service", &quoted(service));
        self.strategy(given, &deploy.strategy);
        self.line(given, "bake_time", &quoted(&deploy.bake_time.to_string()));
        match deploy.circuit_breaker {
            Some(breaker) => self.line(given, "circuit_breaker", &circuit_breaker(breaker)),
            None => self.line(given, "circuit_breaker", "false"),
        }
        match deploy.alarm {
            Some(set) => self.line(given, "alarm", &alarm(set)),
            None => self.text.push_str("# alarm: none  # default\n"),
        }
        if let Some(at) = deploy.rollback_at {
            self.line(given, "rollback_at", &instant(at));
        }
        self.line(given, "change", &change(&deploy.change));
    }

    fn strategy(&mut self, given: Option<&Table>, strategy: &Strategy) {
        let share = |ratio: crate::units::Ratio| quoted(&ratio.to_string());
        match strategy {
            Strategy::Rolling { minimum_healthy_percent, maximum_percent, early_success } => {
                self.line(given, "strategy", "\"rolling\"");
                self.line(given, "minimum_healthy_percent", &minimum_healthy_percent.to_string());
                self.line(given, "maximum_percent", &maximum_percent.to_string());
                match early_success {
                    Some(early) => {
                        let cleanup = if early.blocking { "blocking" } else { "deferred" };
                        let percent = early.healthy_percent;
                        let text = format!("{{ healthy_percent = {percent}, cleanup = \"{cleanup}\" }}");
                        self.line(given, "early_success", &text);
                    }
                    None => self.text.push_str("# early_success: off  # default\n"),
                }
            }
            Strategy::Shifting { shift, test_time, test_errors, settle } => {
                match shift {
                    Shifting::AllAtOnce => self.line(given, "strategy", "\"blue-green\""),
                    Shifting::Canary { share: part, bake } => {
                        self.line(given, "strategy", "\"canary\"");
                        self.line(given, "canary_percent", &share(*part));
                        self.line(given, "canary_bake_time", &quoted(&bake.to_string()));
                    }
                    Shifting::Linear { step, every } => {
                        self.line(given, "strategy", "\"linear\"");
                        self.line(given, "step_percent", &share(*step));
                        self.line(given, "step_bake_time", &quoted(&every.to_string()));
                    }
                }
                self.line(given, "test_time", &quoted(&test_time.to_string()));
                match test_errors {
                    Some(most) => self.line(given, "test_error_rate", &share(*most)),
                    None => self.text.push_str("# test_error_rate: no hook looks at it  # default\n"),
                }
                self.line(given, "settle", &quoted(&settle.to_string()));
            }
        }
    }
}

fn circuit_breaker(breaker: CircuitBreaker) -> String {
    let threshold = match breaker.threshold {
        FailureThreshold::BoundedPercent(percent) => format!("percent = {percent}"),
        FailureThreshold::UnboundedPercent(percent) => format!("unbounded_percent = {percent}"),
        FailureThreshold::Count(count) => format!("count = {count}"),
    };
    format!(
        "{{ rollback = {}, threshold = {{ {threshold} }}, reset_on_healthy_task = {} }}",
        breaker.rollback, breaker.reset_on_healthy_task
    )
}

fn alarm(alarm: Alarm) -> String {
    let of = match alarm.of {
        AlarmOn::Users => "users",
        AlarmOn::Service => "service",
    };
    format!(
        "{{ error_rate = \"{}\", over = \"{}\", of = \"{of}\", rollback = {} }}",
        alarm.error_rate, alarm.over, alarm.rollback
    )
}

fn change(change: &Change) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(change.latency.as_ref().map(|law| format!("latency = {}", written(law))));
    parts.extend(change.errors.map(|share| format!("errors = \"{share}\"")));
    parts.extend(change.status.map(|status| format!("status = {status}")));
    parts.extend(change.startup.as_ref().map(|law| format!("startup = {}", written(law))));
    parts.extend(change.crash_loop.map(|after| format!("crash_loop = \"{after}\"")));
    if parts.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", parts.join(", ")) }
}
