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
use crate::scenario::policy::envoy_fields;
use crate::scenario::policy::finish;
use crate::scenario::policy::invalid;
use crate::scenario::policy::not_modelled;
use crate::scenario::policy::percent;
use crate::scenario::policy::whole_percent;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::scenario::watch;
use crate::units::Ratio;

pub fn outliers(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    patch.push(|config| {
        config.outlier_detection.get_or_insert_with(OutlierDetection::envoy_default);
    });
    let most_given = reader.has("max_ejection_time");
    let mut set = |change: Box<dyn Fn(&mut OutlierDetection)>| {
        patch.push(move |config| change(config.outlier_detection.get_or_insert_with(OutlierDetection::envoy_default)));
    };
    for (key, change) in OutlierDetection::COUNTS {
        if let Some(n) = reader.count(key, 0..=u64::from(u32::MAX), problems) {
            set(Box::new(move |od| change(od, n as u32)));
        }
    }
    for (key, change) in OutlierDetection::PERCENTS {
        if let Some(share) = reader.get(key).and_then(|node| whole_percent(node, problems)) {
            set(Box::new(move |od| change(od, share)));
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
    for (key, change) in OutlierDetection::SWITCHES {
        if let Some(on) = reader.truth(key, problems) {
            set(Box::new(move |od| change(od, on)));
        }
    }
}

pub fn breakers(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    if let Some(mut inner) = first_of(reader, "thresholds", problems) {
        thresholds(&mut inner, patch, problems);
        finish(&inner, &[&envoy_fields::THRESHOLDS], "circuit_breakers.thresholds.", problems);
    }
    if let Some(mut inner) = first_of(reader, "per_host_thresholds", problems) {
        if let Some(n) = inner.count("max_connections", 0..=u64::from(u32::MAX), problems) {
            patch.push(move |config| config.circuit_breakers.per_host_max_connections = n as u32);
        }
        for (key, entry) in inner.leftovers() {
            if envoy_fields::THRESHOLDS.fields.contains(&key) {
                // Envoy 1.40 has the fields and refuses them here.
                let reason = format!("Unsupported field in per_host_thresholds: {key}");
                invalid(&entry.key, &reason, "max_connections is all there is per host", problems);
                inner.allow(&["max_pending_requests", "max_requests", "max_retries", "retry_budget"]);
                inner.allow(&["track_remaining", "max_connection_pools"]);
            }
        }
        finish(&inner, &[&envoy_fields::THRESHOLDS], "circuit_breakers.per_host_thresholds.", problems);
    }
    thresholds(reader, patch, problems);
}

/// The thresholds of the default priority, the only one that requests have here.
fn first_of<'t>(reader: &mut Reader<'t>, key: &'static str, problems: &mut Problems<'_>) -> Option<Reader<'t>> {
    let node = reader.get(key)?;
    let items = value::list(node, problems)?;
    if items.len() > 1 {
        not_modelled(&node.place, &format!("circuit_breakers.{key} for several priorities"), problems);
    }
    let mut inner = Reader::of(items.first()?, key, problems)?;
    let priority = inner.get("priority");
    if let Some(node) = priority {
        watch::words(&node.place, &[("DEFAULT", ())]);
    }
    if let Some(node) = priority.filter(|node| node.value != Value::Text("DEFAULT".to_owned())) {
        not_modelled(&node.place, "a priority other than DEFAULT", problems);
    }
    Some(inner)
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
    finish(&inner, &[&envoy_fields::BUDGET], "circuit_breakers.retry_budget.", problems);
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
    let mut threshold = |key| {
        reader
            .need(key, problems)
            .and_then(|node| value::count(node, 0..=u64::from(u32::MAX), problems))
            .map(|n| n as u32)
    };
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
