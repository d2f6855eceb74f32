//! Choosing an endpoint: what must hold of every rule whatever the numbers. Goal: shares, turns and
//! tables are what their names promise. Method: a bare router, a driver that answers at once, random
//! members, and counts compared with what follows from the rule.

use proptest::prelude::*;
use scsim::policy::Answer;
use scsim::policy::Ask;
use scsim::policy::Cx;
use scsim::policy::EdsHealth;
use scsim::policy::Entropy;
use scsim::policy::Fact;
use scsim::policy::Flag;
use scsim::policy::Member;
use scsim::policy::MemberKey;
use scsim::policy::Outcome;
use scsim::policy::PolicyConfig;
use scsim::policy::RequestKey;
use scsim::policy::Router;
use scsim::policy::Step;
use scsim::policy::Upkeep;
use scsim::policy::config::CircuitBreakers;
use scsim::policy::config::LbPolicy;
use scsim::policy::config::LeastRequest;
use scsim::policy::config::LocalityRouting;
use scsim::policy::config::OutlierDetection;
use scsim::policy::config::Panic;
use scsim::policy::config::PreviousPriorities;
use scsim::policy::config::RetryOn;
use scsim::policy::config::RetryPolicy;
use scsim::policy::config::SlowStart;
use scsim::policy::config::ZoneAware;
use scsim::units::Ratio;
use scsim::units::Span;
use scsim::units::Time;
use std::sync::Arc;

/// SplitMix64.
struct Words(u64);

impl Entropy for Words {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

struct Bench {
    router: Router,
    now: Time,
    words: Words,
    facts: Vec<(Time, Fact)>,
    requests: u64,
}

impl Bench {
    fn new(config: PolicyConfig, seed: u64, members: &[Member]) -> Bench {
        let mut bench = Bench {
            router: Router::new(Arc::new(config)),
            now: Time::ZERO,
            words: Words(seed),
            facts: Vec::new(),
            requests: 0,
        };
        bench.list(members);
        bench
    }

    fn tell<R>(&mut self, what: impl FnOnce(&mut Router, &mut Cx<'_>) -> R) -> R {
        let cx = &mut Cx { now: self.now, rng: &mut self.words, facts: &mut self.facts };
        what(&mut self.router, cx)
    }

    fn list(&mut self, members: &[Member]) {
        self.tell(|router, cx| router.on_members(cx, members, None));
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(upkeep) = self.tell(Router::poll_upkeep) {
            if let Upkeep::Connect { conn, .. } = upkeep {
                self.tell(|router, cx| router.on_connected(cx, conn));
            }
        }
    }

    fn wait(&mut self, span: Span) {
        let until = self.now + span;
        while self.router.upkeep_due() <= until {
            self.now = self.now.max(self.router.upkeep_due());
            self.settle();
        }
        self.now = until;
    }

    /// A request that is answered at once with what `status` says of each member: the members it
    /// went to and what its caller sees.
    fn ask(&mut self, hash: Option<u64>, status: impl Fn(u64) -> u16) -> (Vec<u64>, u16, bool) {
        self.requests += 1;
        let ask = Ask { hash, ..Ask::of(RequestKey(self.requests)) };
        let mut flight = self.tell(|router, cx| router.begin(cx, ask));
        let mut members = Vec::new();
        loop {
            match self.tell(|router, cx| router.step(cx, &mut flight)) {
                Step::Try(attempt) => {
                    members.push(attempt.member.0);
                    let outcome = Outcome::Answered(Answer::of(status(attempt.member.0)));
                    self.tell(|router, cx| router.report(cx, &mut flight, attempt.attempt, outcome));
                }
                Step::Wait { until } => {
                    let before = self.router.connections();
                    self.settle();
                    if let (Some(until), true) = (until, before == self.router.connections())
                        && !self.router.is_quiet(self.now)
                    {
                        self.now = until;
                    } else if flight.open_attempt().is_none() && self.router.pending() == 0 {
                        // In back-off.
                        let step = self.tell(|router, cx| router.step(cx, &mut flight));
                        if let Step::Wait { until: Some(until) } = step {
                            self.now = until;
                        } else if let Step::Try(attempt) = step {
                            members.push(attempt.member.0);
                            let outcome = Outcome::Answered(Answer::of(status(attempt.member.0)));
                            self.tell(|router, cx| router.report(cx, &mut flight, attempt.attempt, outcome));
                        }
                    }
                }
                Step::Done(verdict) => {
                    self.settle();
                    return (members, verdict.status, verdict.flags.has(Flag::Uh));
                }
                Step::Resolve => panic!("endpoints are pushed"),
            }
        }
    }

    fn pick(&mut self) -> u64 {
        self.ask(None, |_| 200).0[0]
    }

    fn owner(&mut self, hash: u64) -> u64 {
        self.ask(Some(hash), |_| 200).0[0]
    }

    fn counts(&mut self, members: usize, picks: usize) -> Vec<u32> {
        let mut counts = vec![0; members];
        for _ in 0..picks {
            counts[self.pick() as usize] += 1;
        }
        counts
    }
}

fn config(lb_policy: LbPolicy) -> PolicyConfig {
    PolicyConfig {
        lb_policy,
        circuit_breakers: CircuitBreakers::UNLIMITED,
        update_merge_window: Span::ZERO,
        ..PolicyConfig::envoy_default()
    }
}

fn members(n: usize) -> Vec<Member> {
    (0..n as u64).map(|key| Member::of(MemberKey(key))).collect()
}

fn weighted(weights: &[u32]) -> Vec<Member> {
    let with = |(member, &weight)| Member { weight, ..member };
    members(weights.len()).into_iter().zip(weights).map(with).collect()
}

const RING: LbPolicy = LbPolicy::RingHash { minimum_ring_size: 1024, maximum_ring_size: 8 * 1024 * 1024 };
const MAGLEV: LbPolicy = LbPolicy::Maglev { table_size: 65_537 };
const TWO: LbPolicy = LbPolicy::LeastRequest(LeastRequest::Choices(2));

fn health(pick: u8) -> EdsHealth {
    [EdsHealth::Healthy, EdsHealth::Degraded, EdsHealth::Unhealthy, EdsHealth::Draining][usize::from(pick) % 4]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn loads_sum_to_a_hundred(
        healths in prop::collection::vec((0_u8..4, 0_u8..4), 1..40),
        threshold in 0_u32..=100,
        factor in 100_u32..200,
    ) {
        let with = |(member, &(priority, pick)): (Member, &(u8, u8))| {
            Member { priority, health: health(pick), ..member }
        };
        let list: Vec<Member> = members(healths.len()).into_iter().zip(&healths).map(with).collect();
        let panic = if threshold == 0 { Panic::Never } else { Panic::Below(Ratio::from_percent(threshold)) };
        let rules = PolicyConfig { panic, overprovisioning_factor: factor, ..config(LbPolicy::RoundRobin) };
        let bench = Bench::new(rules, 1, &list);
        let loads = bench.router.priority_loads();
        prop_assert_eq!(loads.healthy.iter().chain(&loads.degraded).sum::<u32>(), 100);
        let of = |priority: usize, what: EdsHealth| {
            list.iter().any(|member| usize::from(member.priority) == priority && member.health == what)
        };
        for priority in 0..loads.healthy.len() {
            prop_assert!(loads.degraded[priority] == 0 || of(priority, EdsHealth::Degraded));
            let fallback = priority == 0 && loads.healthy[0] == 100;
            prop_assert!(
                loads.healthy[priority] == 0 || loads.panic[priority] || fallback || of(priority, EdsHealth::Healthy)
            );
        }
    }

    #[test]
    fn only_who_may_be_used_is_used(
        healths in prop::collection::vec((0_u8..3, 0_u8..4), 1..20),
        rule in prop::sample::select(vec![LbPolicy::RoundRobin, LbPolicy::Random, TWO]),
        seed: u64,
    ) {
        let with = |(member, &(priority, pick)): (Member, &(u8, u8))| {
            Member { priority, health: health(pick), ..member }
        };
        let list: Vec<Member> = members(healths.len()).into_iter().zip(&healths).map(with).collect();
        let mut bench = Bench::new(config(rule), seed, &list);
        let panic = bench.router.priority_loads().panic.clone();
        for _ in 0..50 {
            let (went, status, unhealthy) = bench.ask(None, |_| 200);
            prop_assert!(status == 200 || unhealthy);
            for member in went {
                let member = &list[member as usize];
                let well = matches!(member.health, EdsHealth::Healthy | EdsHealth::Degraded);
                prop_assert!(well || panic[usize::from(member.priority)], "{member:?}");
            }
        }
    }

    #[test]
    fn turns_by_weight_differ_from_the_proportion_by_one(
        weights in prop::collection::vec(1_u32..20, 2..8),
        seed: u64,
        rounds in 1_u32..4,
    ) {
        for rule in [LbPolicy::RoundRobin, TWO] {
            let mut bench = Bench::new(config(rule), seed, &weighted(&weights));
            // One by one: least request weighs by weight alone then. Equal weights make it random.
            if rule == TWO && weights.iter().all(|weight| *weight == weights[0]) {
                continue;
            }
            let sum: u32 = weights.iter().sum();
            let counts = bench.counts(weights.len(), (sum * rounds) as usize);
            for (count, weight) in counts.iter().zip(&weights) {
                prop_assert!(count.abs_diff(weight * rounds) <= 1, "{counts:?} for {weights:?}");
            }
        }
    }

    #[test]
    fn plain_turns_differ_by_one(n in 1_usize..12, picks in 1_usize..60, seed: u64, weight in 1_u32..5) {
        let mut bench = Bench::new(config(LbPolicy::RoundRobin), seed, &weighted(&vec![weight; n]));
        let counts = bench.counts(n, picks);
        prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
    }

    #[test]
    fn a_ring_moves_only_the_keys_of_who_left(n in 172_usize..=204, gone in 0_usize..172, key: u64) {
        // With so many endpoints each has six points before and after. Where the number of points
        // changes, 342 of three and 512 of two, the others' keys move as well; so they do where the
        // sum of the doubles that count the points gives one endpoint a seventh, as Envoy's does.
        let even = |bench: &Bench, n: usize| {
            let points: Vec<u32> = bench.router.hash_entries(0).iter().map(|&(_, n)| n).filter(|&n| n > 0).collect();
            points.len() == n && points.iter().all(|&n| n == 6)
        };
        let mut list = members(n);
        let mut bench = Bench::new(PolicyConfig { panic: Panic::Never, ..config(RING) }, 1, &list);
        let keys: Vec<u64> = (0..50).map(|i| Words(key ^ i).next_u64()).collect();
        let before: Vec<u64> = keys.iter().map(|&key| bench.owner(key)).collect();
        prop_assume!(even(&bench, n));
        list[gone].health = EdsHealth::Unhealthy;
        bench.list(&list);
        prop_assume!(even(&bench, n - 1));
        for (&key, before) in keys.iter().zip(before) {
            let after = bench.owner(key);
            prop_assert!(after != gone as u64 && (before == gone as u64 || after == before));
        }
    }

    #[test]
    fn maglev_fills_its_table_evenly(weights in prop::collection::vec(1_u32..6, 1..12)) {
        for (weights, slack) in [(vec![1; weights.len()], 1.0), (weights.clone(), weights.len() as f64)] {
            let bench = Bench::new(config(MAGLEV), 1, &weighted(&weights));
            let entries = bench.router.hash_entries(0);
            prop_assert_eq!(entries.iter().map(|(_, n)| n).sum::<u32>(), 65_537);
            let sum: u32 = weights.iter().sum();
            for ((_, n), weight) in entries.iter().zip(&weights) {
                let share = 65_537.0 * f64::from(*weight) / f64::from(sum);
                prop_assert!((f64::from(*n) - share).abs() <= slack, "{n} of {share} for {weights:?}");
            }
        }
    }

    #[test]
    fn equal_hashes_go_to_equal_members(hash: u64, n in 1_usize..10) {
        for rule in [RING, MAGLEV] {
            let (mut a, mut b) = (Bench::new(config(rule), 1, &members(n)), Bench::new(config(rule), 2, &members(n)));
            prop_assert_eq!(a.owner(hash), b.owner(hash));
        }
    }
}

#[test]
fn localities_get_their_weight_as_far_as_they_are_healthy() {
    let list = |down: usize| -> Vec<Member> {
        let with = |(i, member): (usize, Member)| {
            let zone = (i / 4) as u8;
            let health = if i < down { EdsHealth::Unhealthy } else { EdsHealth::Healthy };
            Member { zone, locality_weight: [3, 1][usize::from(zone)], health, ..member }
        };
        members(8).into_iter().enumerate().map(with).collect()
    };
    let rules = PolicyConfig { locality: LocalityRouting::Weighted, ..config(LbPolicy::RoundRobin) };
    let mut bench = Bench::new(rules, 5, &list(0));
    let counts = bench.counts(8, 4000);
    assert_eq!((counts[..4].iter().sum::<u32>(), counts[4..].iter().sum::<u32>()), (3000, 1000), "{counts:?}");
    assert!(counts[..4].iter().all(|&n| n == 750), "{counts:?}");
    // Half of the first zone times 1.4 is 0.7 of its weight: 2.1 to 1.
    bench.list(&list(2));
    let counts = bench.counts(8, 3100);
    let first: u32 = counts[..4].iter().sum();
    assert!(first.abs_diff(2100) <= 1 && counts[0] + counts[1] == 0, "{counts:?}");
}

/// Requests per endpoint of each zone, with as many callers per zone as `local` says, each with as
/// many requests.
fn per_endpoint(local: [u32; 3], upstream: [usize; 3]) -> (Vec<f64>, [f64; 3]) {
    let zones = upstream.iter().enumerate().flat_map(|(zone, &n)| std::iter::repeat_n(zone as u8, n));
    let list: Vec<Member> =
        members(upstream.iter().sum()).into_iter().zip(zones).map(|(member, zone)| Member { zone, ..member }).collect();
    let zones = ZoneAware { routing_enabled: 100, min_cluster_size: 6 };
    let rules = PolicyConfig { locality: LocalityRouting::ZoneAware(zones), ..config(LbPolicy::RoundRobin) };
    let (mut load, mut stayed) = (vec![0.0; list.len()], [0.0; 3]);
    for (zone, &callers) in local.iter().enumerate().filter(|(_, callers)| **callers > 0) {
        let mut bench = Bench::new(rules.clone(), 9 + zone as u64, &list);
        bench.tell(|router, cx| router.on_local_cluster(cx, zone as u8, &local));
        let picks = 6000;
        for (member, n) in bench.counts(list.len(), picks).into_iter().enumerate() {
            load[member] += f64::from(n) * f64::from(callers);
            if usize::from(list[member].zone) == zone {
                stayed[zone] += f64::from(n) / picks as f64;
            }
        }
    }
    (load, stayed)
}

#[test]
fn zone_aware_routing_stays_at_home_as_far_as_the_load_allows() {
    for (local, upstream, home) in [
        // Equal shares: nobody leaves.
        ([2, 2, 2], [3, 3, 3], [1.0, 1.0, 1.0]),
        // The example of Envoy's source: 40, 40 and 20 percent of callers, 25, 50 and 25 of endpoints.
        ([2, 2, 1], [3, 6, 3], [0.625, 1.0, 1.0]),
        ([1, 2, 3], [4, 4, 4], [1.0, 1.0, 2.0 / 3.0]),
    ] {
        let (load, stayed) = per_endpoint(local, upstream);
        let mean = load.iter().sum::<f64>() / load.len() as f64;
        for one in &load {
            assert!((one / mean - 1.0).abs() < 0.05, "{local:?} {upstream:?}: {load:?}");
        }
        for (stayed, home) in stayed.iter().zip(home) {
            assert!((stayed - home).abs() < 0.02, "{local:?} {upstream:?}: {stayed:?} stayed");
        }
    }
}

#[test]
fn zone_aware_routing_is_off_where_it_makes_no_sense() {
    // Below min_cluster_size, with callers in one zone, without a caller in the own zone.
    for (local, upstream) in [([2, 2, 0], [2, 2, 1]), ([4, 0, 0], [3, 3, 3]), ([0, 2, 2], [3, 3, 3])] {
        let zones = upstream.iter().enumerate().flat_map(|(zone, &n)| std::iter::repeat_n(zone as u8, n));
        let list: Vec<Member> = members(upstream.iter().sum())
            .into_iter()
            .zip(zones)
            .map(|(member, zone)| Member { zone, ..member })
            .collect();
        let zones = ZoneAware { routing_enabled: 100, min_cluster_size: 6 };
        let rules = PolicyConfig { locality: LocalityRouting::ZoneAware(zones), ..config(LbPolicy::RoundRobin) };
        let mut bench = Bench::new(rules, 1, &list);
        bench.tell(|router, cx| router.on_local_cluster(cx, 0, &local));
        assert!(bench.counts(list.len(), list.len() * 10).iter().all(|&n| n == 10), "{local:?} {upstream:?}");
    }
}

#[test]
fn several_flips_in_one_sweep_go_through_the_window_one_by_one() {
    let detection = OutlierDetection {
        consecutive_5xx: 1,
        max_ejection_percent: 100,
        enforcing_success_rate: 0,
        ..OutlierDetection::envoy_default()
    };
    let rules = PolicyConfig {
        outlier_detection: Some(detection),
        update_merge_window: Span::from_secs(1),
        ..config(LbPolicy::RoundRobin)
    };
    let mut bench = Bench::new(rules, 1, &members(6));
    bench.wait(Span::from_secs(5));
    for _ in 0..12 {
        let _ = bench.ask(None, |member| if member < 2 { 503 } else { 200 });
    }
    bench.wait(Span::from_secs(2));
    let seen = |bench: &Bench| [0, 1].map(|key| bench.router.standing_of(MemberKey(key)).unwrap().seen_healthy);
    assert_eq!((bench.router.ejected(), seen(&bench)), (2, [false, false]));
    // Both return at the sweep at 40 s; the second is seen when the window closes.
    bench.wait(Span::from_secs(33));
    assert_eq!((bench.router.ejected(), seen(&bench)), (0, [true, false]));
    bench.wait(Span::from_secs(1));
    assert_eq!(seen(&bench), [true, true]);
}

#[test]
fn a_retry_leaves_out_the_priorities_that_were_tried() {
    let list: Vec<Member> =
        members(6).into_iter().map(|member| Member { priority: (member.key.0 / 2) as u8, ..member }).collect();
    let tried = |frequency: Option<u32>| {
        let retry = RetryPolicy {
            retry_on: RetryOn::FIVE_XX,
            num_retries: 2,
            retry_priority: frequency.map(|update_frequency| PreviousPriorities { update_frequency }),
            ..RetryPolicy::envoy_default()
        };
        let rules = PolicyConfig { retry_policy: Some(retry), ..config(LbPolicy::RoundRobin) };
        let (went, ..) = Bench::new(rules, 3, &list).ask(None, |_| 503);
        went.iter().map(|member| member / 2).collect::<Vec<_>>()
    };
    assert_eq!(tried(None), [0, 0, 0]);
    assert_eq!(tried(Some(1)), [0, 1, 2]);
    assert_eq!(tried(Some(2)), [0, 0, 1]);
}

#[test]
fn traffic_fails_in_panic_where_it_is_told_to() {
    let mut list = members(4);
    for member in &mut list[1..] {
        member.health = EdsHealth::Unhealthy;
    }
    for (fail_traffic_on_panic, expected) in [(false, (200, false)), (true, (503, true))] {
        let mut bench = Bench::new(PolicyConfig { fail_traffic_on_panic, ..config(LbPolicy::RoundRobin) }, 1, &list);
        assert!(bench.router.in_panic());
        let (_, status, unhealthy) = bench.ask(None, |_| 200);
        assert_eq!((status, unhealthy), expected);
    }
}

#[test]
fn after_slow_start_a_new_list_has_plain_turns_again() {
    let slow = SlowStart { window: Span::from_secs(10), aggression_milli: 1000, min_weight_percent: 10 };
    let mut bench = Bench::new(PolicyConfig { slow_start: Some(slow), ..config(LbPolicy::RoundRobin) }, 1, &members(2));
    bench.wait(Span::from_secs(20));
    bench.list(&members(3));
    let counts = bench.counts(3, 210);
    assert!(counts[2].abs_diff(10) <= 1, "a tenth of the weight at first: {counts:?}");
    bench.wait(Span::from_secs(20));
    bench.list(&members(4)[..3]);
    let counts = bench.counts(3, 300);
    assert_eq!(counts, [100, 100, 100]);
}

#[test]
fn a_target_that_fails_more_than_its_peers_gets_a_trickle_until_it_is_well() {
    let rule = |anomaly_mitigation| config(LbPolicy::WeightedRandom { anomaly_mitigation });
    for (mitigation, targets, expected) in [(true, 4, true), (true, 2, false), (false, 4, false)] {
        let mut bench = Bench::new(rule(mitigation), 7, &members(targets));
        let period = |bench: &mut Bench, bad: u64| {
            let mut count = 0;
            for _ in 0..1000 {
                bench.wait(Span::from_millis(5));
                let (went, ..) = bench.ask(None, |member| if member == bad { 500 } else { 200 });
                count += u32::from(went[0] == 0);
            }
            f64::from(count) / 1000.0
        };
        let fair = 1.0 / targets as f64;
        assert!((period(&mut bench, 0) - fair).abs() < 0.06);
        let share = period(&mut bench, 0);
        assert_eq!(share < 0.02, expected, "{mitigation} with {targets}: {share}");
        if expected {
            let shares: Vec<f64> = (0..13).map(|_| period(&mut bench, u64::MAX)).collect();
            assert!(shares[2] < 0.15 && shares[2] < shares[6] && (shares[12] - fair).abs() < 0.06, "{shares:?}");
        }
    }
}

#[test]
fn what_envoy_rejects_is_rejected() {
    let slow = |window| SlowStart { window, aggression_milli: 1000, min_weight_percent: 10 };
    for (rules, field) in [
        (config(LbPolicy::Maglev { table_size: 65_536 }), "maglev_lb_config.table_size"),
        (
            config(LbPolicy::RingHash { minimum_ring_size: 2048, maximum_ring_size: 1024 }),
            "ring_hash_lb_config.minimum_ring_size",
        ),
        (PolicyConfig { slow_start: Some(slow(Span::ZERO)), ..config(TWO) }, "slow_start_config.slow_start_window"),
        (PolicyConfig { slow_start: Some(slow(Span::from_secs(1))), ..config(RING) }, "slow_start_config"),
        (PolicyConfig { overprovisioning_factor: 0, ..config(TWO) }, "overprovisioning_factor"),
    ] {
        let problems = rules.check().unwrap_err();
        assert_eq!(problems.iter().map(|problem| problem.field).collect::<Vec<_>>(), [field]);
    }
    for rule in [RING, MAGLEV, TWO, LbPolicy::WeightedRandom { anomaly_mitigation: true }] {
        assert_eq!(config(rule).check(), Ok(()));
    }
}

#[test]
fn slow_start_is_for_healthy_endpoints_only() {
    let slow = SlowStart { window: Span::from_secs(10), aggression_milli: 1000, min_weight_percent: 10 };
    let mut list = members(2);
    let mut bench = Bench::new(PolicyConfig { slow_start: Some(slow), ..config(LbPolicy::RoundRobin) }, 1, &list);
    bench.wait(Span::from_secs(4));
    list[1].health = EdsHealth::Degraded;
    bench.list(&list);
    let weight = |key| bench.router.weight_of(bench.now, MemberKey(key));
    assert_eq!((weight(0), weight(1)), (Some(400_000), Some(1_000_000)));
}

#[test]
fn turns_that_one_takes_alone_count_while_it_starts_slowly() {
    // Envoy keeps no queue for a single endpoint: it takes plain turns, whose index is never reset.
    let slow = SlowStart { window: Span::from_secs(10), aggression_milli: 1000, min_weight_percent: 10 };
    let first_after = |turns: usize| {
        let rules = PolicyConfig { slow_start: Some(slow), ..config(LbPolicy::RoundRobin) };
        let mut bench = Bench::new(rules, 1, &members(1));
        bench.counts(1, turns);
        bench.list(&members(2));
        bench.wait(Span::from_secs(20));
        bench.list(&members(3)[..2]);
        bench.pick()
    };
    let start = first_after(0);
    assert_eq!([1, 2, 3].map(first_after), [1 - start, start, 1 - start]);
}

#[test]
fn localities_share_out_degraded_endpoints_by_their_weight_too() {
    let with = |member: Member| {
        let zone = (member.key.0 / 4) as u8;
        Member { zone, locality_weight: [3, 1][usize::from(zone)], health: EdsHealth::Degraded, ..member }
    };
    let list: Vec<Member> = members(8).into_iter().map(with).collect();
    let rules = PolicyConfig { locality: LocalityRouting::Weighted, ..config(LbPolicy::RoundRobin) };
    let counts = Bench::new(rules, 5, &list).counts(8, 800);
    assert_eq!(counts, [150, 150, 150, 150, 50, 50, 50, 50]);
}

#[test]
fn the_weight_of_an_anomalous_target_is_a_hundredth_and_rises_by_a_tenth_every_five_seconds() {
    let mut bench = Bench::new(config(LbPolicy::WeightedRandom { anomaly_mitigation: true }), 7, &members(4));
    for _ in 0..200 {
        let _ = bench.ask(None, |member| if member == 0 { 500 } else { 200 });
    }
    for expected in [10_000, 110_000, 210_000] {
        bench.wait(Span::from_secs(5));
        let weights = [0, 1, 2, 3].map(|key| bench.router.weight_of(bench.now, MemberKey(key)).unwrap());
        assert_eq!(weights, [expected, 1_000_000, 1_000_000, 1_000_000]);
    }
}

#[test]
fn a_start_is_drawn_once_and_only_where_turns_are_taken() {
    let weighted = LocalityRouting::Weighted;
    for (rule, locality, list, words) in [
        (LbPolicy::RoundRobin, LocalityRouting::None, members(4), 1),
        (TWO, LocalityRouting::None, members(4), 0),
        (TWO, LocalityRouting::None, self::weighted(&[1, 2]), 1),
        (LbPolicy::Random, LocalityRouting::None, self::weighted(&[1, 2]), 0),
        (LbPolicy::Random, weighted, members(4), 1),
        (RING, weighted, members(4), 0),
    ] {
        let mut bench = Bench::new(PolicyConfig { locality, ..config(rule) }, 0, &list);
        bench.list(&members(5));
        let mut expected = Words(0);
        (0..words).for_each(|_| _ = expected.next_u64());
        assert_eq!(bench.words.0, expected.0, "{rule:?} {locality:?}");
    }
    let starts: std::collections::BTreeSet<u64> =
        (0..40).map(|seed| Bench::new(config(LbPolicy::RoundRobin), seed, &members(4)).pick()).collect();
    assert_eq!(starts.len(), 4, "round robin starts anywhere");
}
