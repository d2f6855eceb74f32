//! Balancing in Envoy's fields: `lb_policy`, the table of each rule, `common_lb_config`, slow start.
//!
//! *Knows* names, shapes and Envoy's defaults. *Does not know* how a rule chooses.

use crate::policy::PolicyConfig;
use crate::policy::config::LbPolicy;
use crate::policy::config::LeastRequest;
use crate::policy::config::LocalityRouting;
use crate::policy::config::Panic;
use crate::policy::config::SlowStart;
use crate::policy::config::ZoneAware;
use crate::scenario::policy::Patch;
use crate::scenario::policy::envoy_fields;
use crate::scenario::policy::finish;
use crate::scenario::policy::invalid;
use crate::scenario::policy::not_modelled;
use crate::scenario::policy::percent;
use crate::scenario::policy::runtime_number;
use crate::scenario::policy::whole_percent;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::units::Ratio;

/// Envoy's rules by name, each with its own defaults (envoy.md 3.4, 3.5).
pub const RULES: [(&str, LbPolicy); 5] = [
    ("ROUND_ROBIN", LbPolicy::RoundRobin),
    ("LEAST_REQUEST", LbPolicy::LeastRequest(LeastRequest::Choices(2))),
    ("RANDOM", LbPolicy::Random),
    ("RING_HASH", LbPolicy::RingHash { minimum_ring_size: 1024, maximum_ring_size: 8_388_608 }),
    ("MAGLEV", LbPolicy::Maglev { table_size: 65_537 }),
];

/// `zone_aware_lb_config` with nothing in it (envoy.md 3.6).
const ZONE_AWARE: ZoneAware = ZoneAware { routing_enabled: 100, min_cluster_size: 6 };

pub fn read(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    if let Some(rule) = reader.get("lb_policy").and_then(|node| rule(node, problems)) {
        patch.push(move |config| {
            config.lb_policy = rule;
            // Envoy keeps slow start in the tables of these two rules.
            if !ramps(config) {
                config.slow_start = None;
            }
        });
    }
    least_request(reader, patch, problems);
    hashing(reader, patch, problems);
    if let Some(node) = reader.get("round_robin_lb_config")
        && let Some(mut inner) = Reader::of(node, "round_robin_lb_config", problems)
    {
        slow_start(&mut inner, "round_robin_lb_config.", |rule| rule == LbPolicy::RoundRobin, patch, problems);
        finish(&inner, &[&envoy_fields::ROUND_ROBIN], "round_robin_lb_config.", problems);
    }
    slow_start(reader, "", |_| true, patch, problems);
    if let Some(node) = reader.get("common_lb_config")
        && let Some(mut inner) = Reader::of(node, "common_lb_config", problems)
    {
        common(&mut inner, "common_lb_config.", patch, problems);
        finish(&inner, &[&envoy_fields::COMMON_LB], "common_lb_config.", problems);
    }
    common(reader, "", patch, problems);
    // Envoy has these two in messages that a policy does not spell out.
    if let Some(n) = reader.count("overprovisioning_factor", 0..=u64::from(u32::MAX), problems) {
        patch.push(move |config| config.overprovisioning_factor = n as u32);
    }
    if let Some(fails) = reader.truth("fail_traffic_on_panic", problems) {
        patch.push(move |config| config.fail_traffic_on_panic = fails);
    }
}

fn ramps(config: &PolicyConfig) -> bool {
    matches!(config.lb_policy, LbPolicy::RoundRobin | LbPolicy::LeastRequest(_))
}

fn rule(node: &Node, problems: &mut Problems<'_>) -> Option<LbPolicy> {
    let name = value::text(node, problems)?;
    if let Some((_, rule)) = RULES.iter().find(|(known, _)| *known == name) {
        return Some(*rule);
    }
    if ["CLUSTER_PROVIDED", "LOAD_BALANCING_POLICY_CONFIG"].contains(&name) {
        not_modelled(&node.place, &format!("lb_policy {name}"), problems);
        return None;
    }
    let names = RULES.map(|(name, _)| name);
    let label = match crate::diagnostic::nearest(name, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("one of {}", names.join(", ")),
    };
    problems.error("policy::lb-policy", &node.place, format!("Envoy has no lb_policy `{name}`"), label);
    None
}

fn least_request(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    let Some(node) = reader.get("least_request_lb_config") else { return };
    let Some(mut inner) = Reader::of(node, "least_request_lb_config", problems) else { return };
    let prefix = "least_request_lb_config.";
    let choices = inner.count("choice_count", 0..=1_000, problems).map(|n| n as u32);
    let full = inner.word("selection_method", &[("N_CHOICES", false), ("FULL_SCAN", true)], problems).unwrap_or(false);
    // scsim's own: what the literature calls power of d choices draws without replacement.
    let distinct = inner.truth("distinct", problems).unwrap_or(false);
    if let Some(node) = inner.get("active_request_bias")
        && let Some(bias) = runtime_number(node, problems)
        && (bias - 1.0).abs() > f64::EPSILON
    {
        not_modelled(&node.place, "least_request_lb_config.active_request_bias other than 1.0", problems);
    }
    patch.push(move |config| {
        if let LbPolicy::LeastRequest(how) = &mut config.lb_policy {
            let n = choices.unwrap_or(2);
            *how = match (full, distinct) {
                (true, _) => LeastRequest::FullScan,
                (false, true) => LeastRequest::DistinctChoices(n),
                (false, false) => LeastRequest::Choices(n),
            };
        }
    });
    slow_start(&mut inner, prefix, |rule| matches!(rule, LbPolicy::LeastRequest(_)), patch, problems);
    finish(&inner, &[&envoy_fields::LEAST_REQUEST], prefix, problems);
}

/// `ring_hash_lb_config` and `maglev_lb_config`.
fn hashing(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    if let Some(node) = reader.get("ring_hash_lb_config")
        && let Some(mut inner) = Reader::of(node, "ring_hash_lb_config", problems)
    {
        let least = inner.count("minimum_ring_size", 0..=u64::MAX, problems);
        let most = inner.count("maximum_ring_size", 0..=u64::MAX, problems);
        let functions = [("XX_HASH", true), ("MURMUR_HASH_2", false)];
        if inner.word("hash_function", &functions, problems) == Some(false) {
            let place = inner.key_place("hash_function");
            not_modelled(place, "ring_hash_lb_config.hash_function MURMUR_HASH_2", problems);
        }
        finish(&inner, &[&envoy_fields::RING_HASH], "ring_hash_lb_config.", problems);
        patch.push(move |config| {
            if let LbPolicy::RingHash { minimum_ring_size, maximum_ring_size } = &mut config.lb_policy {
                *minimum_ring_size = least.unwrap_or(*minimum_ring_size);
                *maximum_ring_size = most.unwrap_or(*maximum_ring_size);
            }
        });
    }
    if let Some(node) = reader.get("maglev_lb_config")
        && let Some(mut inner) = Reader::of(node, "maglev_lb_config", problems)
    {
        let size = inner.count("table_size", 0..=u64::MAX, problems);
        finish(&inner, &[&envoy_fields::MAGLEV], "maglev_lb_config.", problems);
        patch.push(move |config| {
            if let LbPolicy::Maglev { table_size } = &mut config.lb_policy {
                *table_size = size.unwrap_or(*table_size);
            }
        });
    }
}

/// `slow_start_config`, in force for the rules that `applies` names.
fn slow_start(
    reader: &mut Reader<'_>,
    prefix: &str,
    applies: fn(LbPolicy) -> bool,
    patch: &mut Patch,
    problems: &mut Problems<'_>,
) {
    let Some(node) = reader.get("slow_start_config") else { return };
    if node.value == Value::Bool(false) {
        patch.push(|config| config.slow_start = None);
        return;
    }
    let Some(mut inner) = Reader::of(node, "slow_start_config", problems) else { return };
    let window = inner.span("slow_start_window", problems);
    // A negative aggression is as wrong as none, and `check` says so.
    let aggression = inner.get("aggression").and_then(|node| runtime_number(node, problems));
    let aggression = aggression.map(|number| (number * 1000.0 + 0.5).max(0.0) as u32);
    let least = inner.get("min_weight_percent").and_then(|node| whole_percent(node, problems));
    finish(&inner, &[&envoy_fields::SLOW_START], &format!("{prefix}slow_start_config."), problems);
    if window.is_none() {
        let message = "a slow start without a window is none";
        problems.warn(
            "policy::no-effect",
            &node.place,
            message,
            "Envoy loads it and does nothing; add slow_start_window",
        );
    }
    patch.push(move |config| {
        if applies(config.lb_policy) {
            let window = window.filter(|window| !window.is_zero());
            config.slow_start = window.map(|window| SlowStart {
                window,
                aggression_milli: aggression.unwrap_or(1000),
                min_weight_percent: least.unwrap_or(10),
            });
        }
    });
}

/// The fields of `common_lb_config`, which may also stand flat in a policy.
fn common(reader: &mut Reader<'_>, prefix: &str, patch: &mut Patch, problems: &mut Problems<'_>) {
    if let Some(share) = reader.get("healthy_panic_threshold").and_then(|node| percent(node, problems)) {
        let panic = if share == Ratio::ZERO { Panic::Never } else { Panic::Below(share) };
        patch.push(move |config| config.panic = panic);
    }
    if let Some(span) = reader.span("update_merge_window", problems) {
        patch.push(move |config| config.update_merge_window = span);
    }
    let zones = reader.get("zone_aware_lb_config");
    let weights = reader.get("locality_weighted_lb_config");
    let off = |node: &Node| node.value == Value::Bool(false);
    if let (Some(zones), Some(weights)) = (zones, weights)
        && !off(zones)
        && !off(weights)
    {
        let reason = "'locality_config_specifier' is already set: zone_aware_lb_config or locality_weighted_lb_config";
        invalid(&weights.place, reason, "keep one of the two", problems);
    }
    if let Some(node) = zones {
        zone_aware(node, prefix, patch, problems);
    }
    if let Some(node) = weights {
        let locality = if off(node) {
            LocalityRouting::None
        } else {
            if let Some(inner) = Reader::of(node, "locality_weighted_lb_config", problems) {
                let prefix = format!("{prefix}locality_weighted_lb_config.");
                finish(&inner, &[&envoy_fields::LOCALITY_WEIGHTED], &prefix, problems);
            }
            LocalityRouting::Weighted
        };
        patch.push(move |config| config.locality = locality);
    }
}

fn zone_aware(node: &Node, prefix: &str, patch: &mut Patch, problems: &mut Problems<'_>) {
    if node.value == Value::Bool(false) {
        patch.push(|config| config.locality = LocalityRouting::None);
        return;
    }
    let Some(mut inner) = Reader::of(node, "zone_aware_lb_config", problems) else { return };
    let share = inner.get("routing_enabled").and_then(|node| whole_percent(node, problems));
    let least = inner.count("min_cluster_size", 0..=u64::MAX, problems);
    let fails = inner.truth("fail_traffic_on_panic", problems);
    finish(&inner, &[&envoy_fields::ZONE_AWARE], &format!("{prefix}zone_aware_lb_config."), problems);
    patch.push(move |config| {
        let before = match config.locality {
            LocalityRouting::ZoneAware(before) => before,
            LocalityRouting::None | LocalityRouting::Weighted => ZONE_AWARE,
        };
        config.locality = LocalityRouting::ZoneAware(ZoneAware {
            routing_enabled: share.unwrap_or(before.routing_enabled),
            min_cluster_size: least.unwrap_or(before.min_cluster_size),
        });
        config.fail_traffic_on_panic = fails.unwrap_or(config.fail_traffic_on_panic);
    });
}
