//! The tables of ring hash and maglev. Goal: shares of entries as Envoy reckons them. Method: a bare
//! router told a list, and the entries counted.

use scsim::policy::config::LbPolicy;
use scsim::policy::config::LocalityRouting;
use scsim::policy::config::Panic;
use scsim::policy::*;
use scsim::units::Ratio;
use scsim::units::Time;
use std::sync::Arc;

struct Zero;

impl Entropy for Zero {
    fn next_u64(&mut self) -> u64 {
        0
    }
}

const RING: LbPolicy = LbPolicy::RingHash { minimum_ring_size: 1024, maximum_ring_size: 8 * 1024 * 1024 };
const MAGLEV: LbPolicy = LbPolicy::Maglev { table_size: 65_537 };

/// Entries of each member in list order; none without a table.
fn entries(config: PolicyConfig, list: &[Member]) -> Vec<u32> {
    let mut router = Router::new(Arc::new(config));
    let cx = &mut Cx { now: Time::ZERO, rng: &mut Zero, facts: &mut NoFacts };
    router.on_members(cx, list, None);
    router.hash_entries(0).into_iter().map(|(_, n)| n).collect()
}

fn members(n: u64) -> impl Iterator<Item = Member> {
    (0..n).map(|key| Member::of(MemberKey(key)))
}

#[test]
fn a_ring_gives_the_least_weight_whole_points_and_the_others_in_proportion() {
    let ring = |weights: &[u32], lb_policy| {
        let list = members(weights.len() as u64).zip(weights).map(|(member, &weight)| Member { weight, ..member });
        let config = PolicyConfig { lb_policy, ..PolicyConfig::envoy_default() };
        entries(config, &list.collect::<Vec<Member>>())
    };
    assert_eq!(ring(&[1, 1, 1], RING), [342, 342, 342]);
    assert_eq!(ring(&[1, 3, 4], RING), [128, 384, 512]);
    let small = LbPolicy::RingHash { minimum_ring_size: 8, maximum_ring_size: 10 };
    assert_eq!(ring(&[1, 1, 1], small), [3, 3, 3]);
    // One whole point for the first would make 16 in all; running sums of 0.75, 3 and 12 are filled up.
    let capped = LbPolicy::RingHash { minimum_ring_size: 8, maximum_ring_size: 12 };
    assert_eq!(ring(&[1, 3, 12], capped), [1, 2, 9]);
}

#[test]
fn a_localitys_weight_is_shared_out_among_its_own() {
    // Two in a locality of weight 3, four in one of weight 1, and one that weighs nothing.
    let with = |member: Member| {
        let zone = [0, 0, 1, 1, 1, 1, 2][member.key.0 as usize];
        Member { zone, locality_weight: [3, 1, 0][usize::from(zone)], ..member }
    };
    let list: Vec<Member> = members(7).map(with).collect();
    // Maglev: the first two claim an entry in every round, the others in the first and in every sixth. After
    // 24 570 rounds each of these has 4096 and 13 entries are left: 2, 2, 2, 2, 2, then 2 and one more.
    for (lb_policy, expected) in
        [(RING, [384, 384, 64, 64, 64, 64, 0]), (MAGLEV, [24_576, 24_576, 4097, 4096, 4096, 4096, 0])]
    {
        let config = PolicyConfig { lb_policy, locality: LocalityRouting::Weighted, ..PolicyConfig::envoy_default() };
        assert_eq!(entries(config, &list), expected, "{lb_policy:?}");
    }
}

#[test]
fn a_table_is_of_the_healthy_and_in_panic_of_all() {
    let list: Vec<Member> = members(4)
        .map(|member| Member { health: if member.key.0 < 3 { EdsHealth::Unhealthy } else { member.health }, ..member })
        .collect();
    for (panic, expected) in
        [(Panic::Never, [0, 0, 0, 1024]), (Panic::Below(Ratio::from_percent(50)), [256, 256, 256, 256])]
    {
        for locality in [LocalityRouting::None, LocalityRouting::Weighted] {
            let config = PolicyConfig { lb_policy: RING, panic, locality, ..PolicyConfig::envoy_default() };
            assert_eq!(entries(config, &list), expected, "{panic:?} {locality:?}");
        }
    }
    let config = PolicyConfig { lb_policy: RING, panic: Panic::Never, ..PolicyConfig::envoy_default() };
    assert_eq!(entries(config, &list[..3]), [0; 0], "nobody is left");
}
