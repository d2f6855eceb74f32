//! The tables inside a policy: ejection, breakers, active checks.
//!
//! *Knows* which of Envoy's fields are modelled there. *Does not know* retries and balancing,
//! which are next door.

use crate::policy::config::CircuitBreakers;
use crate::policy::config::HealthCheck;
use crate::policy::config::OutlierDetection;
use crate::policy::config::RetryBudget;
use crate::scenario::policy::Number;
use crate::scenario::policy::Patch;
use crate::scenario::policy::finish;
use crate::scenario::policy::not_modelled;
use crate::scenario::policy::percent;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::units::Ratio;

/// Sets one switch of ejection.
type Switch = fn(&mut OutlierDetection, bool);

pub fn outliers(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    patch.push(|config| {
        config.outlier_detection.get_or_insert_with(OutlierDetection::envoy_default);
    });
    let most_given = reader.has("max_ejection_time");
    let mut set = |change: Box<dyn Fn(&mut OutlierDetection)>| {
        patch.push(move |config| change(config.outlier_detection.get_or_insert_with(OutlierDetection::envoy_default)));
    };
    let counts: [(&'static str, Number<OutlierDetection>); 8] = [
        ("consecutive_5xx", |od, n| od.consecutive_5xx = n),
        ("consecutive_gateway_failure", |od, n| od.consecutive_gateway_failure = n),
        ("consecutive_local_origin_failure", |od, n| od.consecutive_local_origin_failure = n),
        ("success_rate_minimum_hosts", |od, n| od.success_rate_minimum_hosts = n),
        ("success_rate_request_volume", |od, n| od.success_rate_request_volume = n),
        ("success_rate_stdev_factor", |od, n| od.success_rate_stdev_factor = n),
        ("failure_percentage_minimum_hosts", |od, n| od.failure_percentage_minimum_hosts = n),
        ("failure_percentage_request_volume", |od, n| od.failure_percentage_request_volume = n),
    ];
    for (key, change) in counts {
        if let Some(n) = reader.count(key, 0..=u64::from(u32::MAX), problems) {
            set(Box::new(move |od| change(od, n as u32)));
        }
    }
    let percents: [(&'static str, Number<OutlierDetection>); 9] = [
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
    for (key, change) in percents {
        if let Some(share) = reader.get(key).and_then(|node| percent(node, problems)) {
            set(Box::new(move |od| change(od, share.as_ppm() / 10_000)));
        }
    }
    if let Some(span) = reader.span("interval", problems) {
        set(Box::new(move |od| od.interval = span));
    }
    if let Some(span) = reader.span("base_ejection_time", problems) {
        set(Box::new(move |od| {
            od.base_ejection_time = span;
            // Envoy's default maximum is the larger of 300 s and the base.
            if !most_given {
                od.max_ejection_time = od.max_ejection_time.max(span);
            }
        }));
    }
    if let Some(span) = reader.span("max_ejection_time", problems) {
        set(Box::new(move |od| od.max_ejection_time = span));
    }
    if let Some(span) = reader.span("max_ejection_time_jitter", problems) {
        set(Box::new(move |od| od.max_ejection_time_jitter = span));
    }
    let switches: [(&'static str, Switch); 3] = [
        ("split_external_local_origin_errors", |od, on| od.split_external_local_origin_errors = on),
        ("always_eject_one_host", |od, on| od.always_eject_one_host = on),
        ("successful_active_health_check_uneject_host", |od, on| od.successful_active_health_check_uneject_host = on),
    ];
    for (key, change) in switches {
        if let Some(on) = reader.truth(key, problems) {
            set(Box::new(move |od| change(od, on)));
        }
    }
}

pub fn breakers(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    if let Some(node) = reader.get("thresholds") {
        let items = value::list(node, problems).unwrap_or(&[]);
        if items.len() > 1 {
            not_modelled(&node.place, "circuit_breakers.thresholds for several priorities", problems);
        }
        if let Some(mut inner) = items.first().and_then(|item| Reader::of(item, "thresholds", problems)) {
            let priority = inner.get("priority").cloned();
            if let Some(node) = priority.filter(|node| node.value != Value::Text("DEFAULT".to_owned())) {
                not_modelled(&node.place, "a priority other than DEFAULT", problems);
            }
            thresholds(&mut inner, patch, problems);
            finish(&inner, "circuit_breakers.thresholds.", problems);
        }
    }
    thresholds(reader, patch, problems);
}

fn thresholds(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    let counts: [(&'static str, Number<CircuitBreakers>); 4] = [
        ("max_connections", |cb, n| cb.max_connections = n),
        ("max_pending_requests", |cb, n| cb.max_pending_requests = n),
        ("max_requests", |cb, n| cb.max_requests = n),
        ("max_retries", |cb, n| cb.max_retries = n),
    ];
    for (key, change) in counts {
        if let Some(n) = reader.count(key, 0..=u64::from(u32::MAX), problems) {
            patch.push(move |config| change(&mut config.circuit_breakers, n as u32));
        }
    }
    if reader.truth("track_remaining", problems).is_some() {
        // It only adds gauges to Envoy's statistics.
    }
    let Some(node) = reader.get("retry_budget") else { return };
    let Some(mut inner) = Reader::of(node, "retry_budget", problems) else { return };
    let share = inner.get("budget_percent").and_then(|node| percent(node, problems));
    let least = inner.count("min_retry_concurrency", 0..=u64::from(u32::MAX), problems);
    finish(&inner, "circuit_breakers.retry_budget.", problems);
    let budget = RetryBudget {
        budget_percent: share.unwrap_or(Ratio::from_percent(20)),
        min_retry_concurrency: least.unwrap_or(3) as u32,
    };
    patch.push(move |config| config.circuit_breakers.retry_budget = Some(budget));
}

/// Active health checks of a proxy. Envoy asks for all four; so does scsim.
pub fn probes(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    let interval = reader.need("interval", problems).and_then(|node| value::span(node, problems));
    let limit = reader.need("timeout", problems).and_then(|node| value::span(node, problems));
    let mut threshold =
        |key| reader.need(key, problems).and_then(|node| value::count(node, 1..=1_000, problems)).map(|n| n as u32);
    let (healthy, unhealthy) = (threshold("healthy_threshold"), threshold("unhealthy_threshold"));
    // Which path is asked makes no difference to a model.
    reader.allow(&["path", "http_health_check"]);
    let (Some(interval), Some(limit), Some(healthy), Some(unhealthy)) = (interval, limit, healthy, unhealthy) else {
        return;
    };
    let check = HealthCheck {
        interval,
        timeout: limit,
        healthy_threshold: healthy,
        unhealthy_threshold: unhealthy,
        first_pass_suffices: true,
    };
    patch.push(move |config| config.health_check = Some(check));
}
