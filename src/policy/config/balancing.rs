//! The rules that pick an endpoint: the knobs and their defaults.

use super::ConfigProblem;
use super::PolicyConfig;
use crate::units::Span;

/// The rule that picks an endpoint (Envoy's `lb_policy` and what DNS clients do).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LbPolicy {
    /// `ROUND_ROBIN`: random start, never reset, one index per list (envoy.md 3.3).
    RoundRobin,
    /// `RANDOM`: uniform.
    Random,
    /// `LEAST_REQUEST`.
    LeastRequest(LeastRequest),
    /// `RING_HASH` (envoy.md 3.5).
    RingHash {
        /// `minimum_ring_size`. Default 1024.
        minimum_ring_size: u64,
        /// `maximum_ring_size`. Default 8 Mi.
        maximum_ring_size: u64,
    },
    /// `MAGLEV` (envoy.md 3.5).
    Maglev {
        /// `table_size`, a prime. Default 65537.
        table_size: u64,
    },
    /// The ALB's `weighted_random`: uniform while nobody is anomalous (aws.md 3.2).
    WeightedRandom {
        /// `anomaly_mitigation`: endpoints that fail more than their peers get less.
        anomaly_mitigation: bool,
    },
    /// The first of the list, as a DNS client that takes the first address does.
    FirstListed,
}

/// How `LEAST_REQUEST` looks for the least loaded endpoint (envoy.md 3.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeastRequest {
    /// `choice_count` uniform draws with replacement; the first keeps a tie. With unequal weights
    /// endpoints take turns by weight / (active + 1) instead (`active_request_bias` of 1).
    Choices(u32),
    /// `choice_count` draws of different endpoints. Envoy does not do this; the literature does.
    DistinctChoices(u32),
    /// `FULL_SCAN`: the minimum, ties broken at random.
    FullScan,
}

/// `slow_start_config` (envoy.md 3.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlowStart {
    /// `slow_start_window`: this long after it became available an endpoint has its full weight.
    pub window: Span,
    /// `aggression`, in thousandths: the weight grows with time to the power of its inverse. Default 1000.
    pub aggression_milli: u32,
    /// `min_weight_percent`: it never has less than this share of its weight. Default 10.
    pub min_weight_percent: u32,
}

/// How zones matter to the choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LocalityRouting {
    /// They do not.
    None,
    /// `locality_weighted_lb_config`: by the weights of localities and how much of each is healthy.
    Weighted,
    /// `zone_aware_lb_config`: the caller's own zone first.
    ZoneAware(ZoneAware),
}

/// `zone_aware_lb_config` (envoy.md 3.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ZoneAware {
    /// `routing_enabled`: the percent of requests that it applies to. Default 100.
    pub routing_enabled: u32,
    /// `min_cluster_size`: with fewer endpoints than this zones do not matter. Envoy default 6.
    pub min_cluster_size: u64,
}

/// `maximum_ring_size` and `table_size` at the most, as Envoy has them.
const RING_MAX: u64 = 8 * 1024 * 1024;
const TABLE_MAX: u64 = 5_000_011;

/// What Envoy rejects of the rules of choice.
pub(super) fn problems(config: &PolicyConfig) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    let mut check = |right: bool, field, message: &str| {
        if !right {
            problems.push(ConfigProblem { field, message: message.to_owned() });
        }
    };
    match config.lb_policy {
        LbPolicy::RingHash { minimum_ring_size, maximum_ring_size } => {
            let right = (1..=maximum_ring_size).contains(&minimum_ring_size);
            check(right, "ring_hash_lb_config.minimum_ring_size", "must lie between 1 and maximum_ring_size");
            let right = maximum_ring_size <= RING_MAX;
            check(right, "ring_hash_lb_config.maximum_ring_size", "must be at most 8388608");
        }
        LbPolicy::Maglev { table_size } => {
            let right = table_size <= TABLE_MAX && is_prime(table_size);
            check(right, "maglev_lb_config.table_size", "must be a prime, at most 5000011");
        }
        _ => {}
    }
    if let Some(slow_start) = config.slow_start {
        let right = matches!(config.lb_policy, LbPolicy::RoundRobin | LbPolicy::LeastRequest(_));
        check(right, "slow_start_config", "is for ROUND_ROBIN and LEAST_REQUEST only");
        let right = slow_start.window.as_millis() > 0;
        check(right, "slow_start_config.slow_start_window", "must be a millisecond or longer");
        check(slow_start.aggression_milli > 0, "slow_start_config.aggression", "must be above zero");
        let right = slow_start.min_weight_percent <= 100;
        check(right, "slow_start_config.min_weight_percent", "must lie between 0 and 100");
    }
    if let LocalityRouting::ZoneAware(zone_aware) = config.locality {
        let right = zone_aware.routing_enabled <= 100;
        check(right, "zone_aware_lb_config.routing_enabled", "must lie between 0 and 100");
    }
    check(config.overprovisioning_factor > 0, "overprovisioning_factor", "must be above zero");
    if let Some(priorities) = config.retry_policy.as_ref().and_then(|retry| retry.retry_priority) {
        let right = priorities.update_frequency > 0;
        check(right, "retry_policy.retry_priority.update_frequency", "must be above zero");
    }
    problems
}

fn is_prime(n: u64) -> bool {
    n >= 2 && (2..n).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d))
}
