//! Who is chosen, draw by draw, and small rules at the edge of the policy that no vector states.
//! Goal: what mutation testing found unheld (reports/mutants.md). Method: an entropy that always says
//! the same word, so that each roll can be told beforehand.

use scsim::policy::*;
use scsim::units::*;
use std::sync::Arc;

use config::LbPolicy;
use config::LocalityRouting;
use config::PreviousPriorities;
use config::RetryOn;
use config::RetryPolicy;
use config::ZoneAware;

/// The same word every time, or one that rises each time by as much.
struct Words {
    next: u64,
    step: u64,
}

#[expect(non_snake_case, reason = "reads like a kind of words")]
const fn Always(word: u64) -> Words {
    Words { next: word, step: 0 }
}

impl Entropy for Words {
    fn next_u64(&mut self) -> u64 {
        let word = self.next;
        self.next = word.wrapping_add(self.step);
        word
    }
}

struct Desk {
    router: Router,
    now: Time,
    words: Words,
    requests: u64,
    held: Vec<Flight>,
}

impl Desk {
    fn new(config: PolicyConfig, list: &[Member]) -> Desk {
        let mut desk = Desk {
            router: Router::new(Arc::new(config)),
            now: Time::ZERO,
            words: Always(0),
            requests: 0,
            held: Vec::new(),
        };
        desk.list(list);
        desk
    }

    fn tell<T>(&mut self, what: impl FnOnce(&mut Router, &mut Cx<'_>) -> T) -> T {
        what(&mut self.router, &mut Cx { now: self.now, rng: &mut self.words, facts: &mut NoFacts })
    }

    fn list(&mut self, list: &[Member]) {
        self.tell(|router, cx| router.on_members(cx, list, None));
        self.look();
    }

    /// Does what is to be done; true if that was something.
    fn look(&mut self) -> bool {
        let mut done = false;
        while let Some(upkeep) = self.tell(Router::poll_upkeep) {
            done = true;
            if let Upkeep::Connect { conn, .. } = upkeep {
                self.tell(|router, cx| router.on_connected(cx, conn));
            }
        }
        done
    }

    /// The members that a request goes to, each of which answers `status`.
    fn ask(&mut self, hash: Option<u64>, status: u16) -> Vec<u64> {
        self.requests += 1;
        let ask = Ask { hash, ..Ask::of(RequestKey(self.requests)) };
        let mut flight = self.tell(|router, cx| router.begin(cx, ask));
        let mut went = Vec::new();
        loop {
            match self.tell(|router, cx| router.step(cx, &mut flight)) {
                Step::Try(attempt) => {
                    went.push(attempt.member.0);
                    let outcome = Outcome::Answered(Answer::of(status));
                    self.tell(|router, cx| router.report(cx, &mut flight, attempt.attempt, outcome));
                }
                Step::Wait { until } => {
                    // Nothing to do but to let a back-off end.
                    if !self.look() {
                        self.now = until.expect("something ends the wait");
                    }
                }
                Step::Done(_) => {
                    self.look();
                    return went;
                }
                Step::Resolve => panic!("endpoints are pushed"),
            }
        }
    }

    /// Where a request goes that never ends.
    fn hold(&mut self) -> u64 {
        self.requests += 1;
        let ask = Ask::of(RequestKey(self.requests));
        let mut flight = self.tell(|router, cx| router.begin(cx, ask));
        loop {
            match self.tell(|router, cx| router.step(cx, &mut flight)) {
                Step::Try(attempt) => {
                    self.held.push(flight);
                    return attempt.member.0;
                }
                Step::Wait { .. } => assert!(self.look(), "a connection is made"),
                other => panic!("{other:?}"),
            }
        }
    }

    fn pick(&mut self) -> u64 {
        self.ask(None, 200)[0]
    }
}

fn config(lb_policy: LbPolicy) -> PolicyConfig {
    PolicyConfig { lb_policy, update_merge_window: Span::ZERO, ..PolicyConfig::envoy_default() }
}

/// Members 0 to 9 in priority 0, 10 to 19 in priority 1 and so on; `down` of each priority are unhealthy.
fn priorities(down: &[usize], each: usize) -> Vec<Member> {
    let level = |(priority, &down): (usize, &usize)| {
        (0..each).map(move |i| Member {
            priority: priority as u8,
            health: if i < down { EdsHealth::Unhealthy } else { EdsHealth::Healthy },
            ..Member::of(MemberKey((priority * 10 + i) as u64))
        })
    };
    down.iter().enumerate().flat_map(level).collect()
}

/// Envoy rolls 1 to 100 and takes the first priority whose loads add up to that (envoy.md 3.2). Half of
/// priority 0 times 1.4 is 70.
#[test]
fn a_roll_of_one_to_a_hundred_decides_between_priorities() {
    for lb_policy in [LbPolicy::RoundRobin, LbPolicy::Random] {
        let mut desk = Desk::new(config(lb_policy), &priorities(&[2, 0], 4));
        for word in 0..200 {
            desk.words = Always(word);
            assert_eq!(desk.pick() / 10, u64::from(word % 100 + 1 > 70), "{lb_policy:?}, word {word}");
        }
    }
}

/// With a hash the hash is the roll.
#[test]
fn the_hash_decides_between_priorities_too() {
    let ring = LbPolicy::RingHash { minimum_ring_size: 64, maximum_ring_size: 128 };
    for lb_policy in [ring, LbPolicy::Maglev { table_size: 211 }] {
        let mut desk = Desk::new(config(lb_policy), &priorities(&[2, 0], 4));
        for hash in 0..200 {
            let went = desk.ask(Some(hash), 200)[0];
            assert_eq!(went / 10, u64::from(hash % 100 + 1 > 70), "{lb_policy:?}, hash {hash}");
        }
    }
}

/// The loads of the priorities that are left share the roll of a retry: half of priority 1 takes 70.
#[test]
fn a_retry_rolls_among_the_priorities_that_are_left() {
    let retry = RetryPolicy {
        retry_on: RetryOn::FIVE_XX,
        num_retries: 1,
        retry_priority: Some(PreviousPriorities { update_frequency: 1 }),
        ..RetryPolicy::envoy_default()
    };
    let rules = PolicyConfig { retry_policy: Some(retry), ..config(LbPolicy::RoundRobin) };
    let mut desk = Desk::new(rules, &priorities(&[0, 2, 0], 4));
    for word in 0..200 {
        desk.words = Always(word);
        let went: Vec<u64> = desk.ask(None, 503).iter().map(|member| member / 10).collect();
        assert_eq!(went, [0, if word % 100 + 1 > 70 { 2 } else { 1 }], "word {word}");
    }
}

/// When all have been tried it begins again (envoy.md 2.6).
#[test]
fn retries_go_round_the_priorities() {
    let retry = RetryPolicy {
        retry_on: RetryOn::FIVE_XX,
        num_retries: 4,
        retry_priority: Some(PreviousPriorities { update_frequency: 1 }),
        ..RetryPolicy::envoy_default()
    };
    let rules = PolicyConfig { retry_policy: Some(retry), ..config(LbPolicy::RoundRobin) };
    let mut desk = Desk::new(rules, &priorities(&[0, 0], 4));
    let went: Vec<u64> = desk.ask(None, 503).iter().map(|member| member / 10).collect();
    assert_eq!(went, [0, 1, 0, 1, 0]);
}

/// Zones are kept in ascending order, whatever the order of the list: among equals the lowest goes first.
#[test]
fn of_zones_that_weigh_the_same_the_lowest_goes_first() {
    let rules = PolicyConfig { locality: LocalityRouting::Weighted, ..config(LbPolicy::RoundRobin) };
    let zones = [2, 0, 1];
    let list: Vec<Member> =
        zones.iter().map(|&zone| Member { zone, ..Member::of(MemberKey(u64::from(zone))) }).collect();
    let mut desk = Desk::new(rules, &list);
    let went: Vec<u64> = (0..3).map(|_| desk.pick()).collect();
    assert_eq!(went, [0, 1, 2]);
}

fn zone_aware() -> PolicyConfig {
    let zones = ZoneAware { routing_enabled: 100, min_cluster_size: 6 };
    PolicyConfig { locality: LocalityRouting::ZoneAware(zones), ..config(LbPolicy::RoundRobin) }
}

/// Who is picked in so many requests, ascending.
fn who(desk: &mut Desk, picks: usize) -> Vec<u64> {
    let mut who: Vec<u64> = (0..picks).map(|_| desk.pick()).collect();
    who.sort_unstable();
    who.dedup();
    who
}

#[test]
fn a_router_knows_whom_it_lists_and_its_connections_to_each() {
    let mut desk = Desk::new(config(LbPolicy::RoundRobin), &[Member::of(MemberKey(1)), Member::of(MemberKey(2))]);
    let (one, three) = (MemberKey(1), MemberKey(3));
    assert_eq!(desk.router.connections_to(one), 0);
    for _ in 0..4 {
        desk.pick();
    }
    assert_eq!((desk.router.connections_to(one), desk.router.connections_to(three)), (1, 0));
    assert_eq!((desk.router.lists(one), desk.router.lists(three)), (true, false));
    desk.list(&[Member::of(three)]);
    assert_eq!((desk.router.lists(one), desk.router.lists(three)), (false, true));
}

/// Only priority 0 is routed by zone (envoy.md 3.6).
#[test]
fn the_second_priority_is_not_routed_by_zone() {
    let list = |down| -> Vec<Member> {
        let zone = |member: Member| Member { zone: (member.key.0 % 3) as u8, ..member };
        priorities(&[down, 0], 6).into_iter().map(zone).collect()
    };
    let mut desk = Desk::new(zone_aware(), &list(0));
    desk.tell(|router, cx| router.on_local_cluster(cx, 0, &[1, 1, 1]));
    assert_eq!(who(&mut desk, 30), [0, 3], "those of the own zone");
    desk.list(&list(6));
    assert_eq!(who(&mut desk, 30), (10..16).collect::<Vec<u64>>(), "all of the second priority");
}

/// Also while priority 0 takes its share by zone.
#[test]
fn what_flows_over_to_the_second_priority_is_not_routed_by_zone() {
    // Two of four are healthy in each zone: 70 of 100 stay.
    let zone = |(i, member): (usize, Member)| Member {
        zone: (member.key.0 % 3) as u8,
        health: if i < 6 { EdsHealth::Unhealthy } else { EdsHealth::Healthy },
        ..member
    };
    let first = (0..12).map(|key| Member::of(MemberKey(key))).enumerate().map(zone);
    let second = (20..26).map(|key| Member { zone: (key % 3) as u8, priority: 1, ..Member::of(MemberKey(key)) });
    let mut desk = Desk::new(zone_aware(), &first.chain(second).collect::<Vec<Member>>());
    desk.tell(|router, cx| router.on_local_cluster(cx, 0, &[1, 1, 1]));
    assert_eq!(who(&mut desk, 30), [6, 9], "those of the own zone");
    desk.words = Always(99);
    assert_eq!(who(&mut desk, 30), (20..26).collect::<Vec<u64>>(), "all of the second priority");
}

/// A list that comes after the callers' own places routes by zone as one that came before.
#[test]
fn zones_are_routed_anew_with_each_list() {
    let list = |zones: &[u8]| -> Vec<Member> {
        let with = |(key, &zone): (usize, &u8)| Member { zone, ..Member::of(MemberKey(key as u64)) };
        zones.iter().enumerate().map(with).collect()
    };
    let mut desk = Desk::new(zone_aware(), &list(&[0, 0, 1, 1, 2, 2]));
    desk.tell(|router, cx| router.on_local_cluster(cx, 0, &[1, 1, 1]));
    assert_eq!(who(&mut desk, 30), [0, 1]);
    // The own zone has one of seven left, too few for a third of the callers.
    desk.list(&list(&[0, 1, 1, 1, 2, 2, 2]));
    desk.words = Always(9_999);
    assert!(!who(&mut desk, 30).contains(&0), "the highest roll leaves the own zone");
    desk.list(&list(&[0, 0, 0, 1, 1, 1, 2, 2, 2]));
    assert_eq!(who(&mut desk, 30), [0, 1, 2]);
}

/// A zone's part of the degraded load is its weight times 1.4 of the share of its endpoints that are
/// degraded, at most all of it: three of four are 1, one of four is 0.35.
#[test]
fn zones_share_the_degraded_load_by_how_many_of_theirs_are_degraded() {
    let health = |i: u64| match i {
        0..=2 | 4 => EdsHealth::Degraded,
        _ => EdsHealth::Unhealthy,
    };
    let list: Vec<Member> =
        (0..8).map(|i| Member { zone: (i / 4) as u8, health: health(i), ..Member::of(MemberKey(i)) }).collect();
    let rules = PolicyConfig {
        locality: LocalityRouting::Weighted,
        panic: config::Panic::Never,
        ..config(LbPolicy::RoundRobin)
    };
    let mut desk = Desk::new(rules, &list);
    let first = (0..1350).filter(|_| desk.pick() < 4).count();
    assert!(first.abs_diff(1000) <= 1, "{first} of 1,350 went to the first zone");
}

fn three() -> [Member; 3] {
    [0, 1, 2].map(|key| Member::of(MemberKey(key)))
}

/// Of those with the fewest requests each is as likely: the highest word keeps the first of them, the lowest takes the last.
#[test]
fn a_full_scan_finds_the_least_and_draws_among_equals() {
    for (word, went) in [(u64::MAX, [0, 1, 2, 0, 1, 2]), (0, [2, 1, 0, 2, 1, 0])] {
        let mut desk = Desk::new(config(LbPolicy::LeastRequest(config::LeastRequest::FullScan)), &three());
        desk.words = Always(word);
        assert_eq!([(); 6].map(|()| desk.hold()), went);
    }
}

/// Drawn without replacement, three of three are all: the least has it, and the first drawn of equals.
#[test]
fn of_distinct_choices_the_least_has_it() {
    let mut desk = Desk::new(config(LbPolicy::LeastRequest(config::LeastRequest::DistinctChoices(3))), &three());
    desk.words = Words { next: 0, step: u64::MAX / 3 + 1 };
    assert_eq!([(); 6].map(|()| desk.hold()), [0, 1, 2, 0, 1, 2]);
}

/// `routing_enabled` is a roll below 100, drawn only where it can go either way.
#[test]
fn zone_routing_is_for_a_share_of_requests() {
    let list: Vec<Member> = (0..6).map(|key| Member { zone: (key % 3) as u8, ..Member::of(MemberKey(key)) }).collect();
    for (enabled, word, home) in [(50, 49, true), (50, 50, false), (100, 99, true), (0, 0, false)] {
        let zones = ZoneAware { routing_enabled: enabled, min_cluster_size: 6 };
        let rules = PolicyConfig { locality: LocalityRouting::ZoneAware(zones), ..config(LbPolicy::RoundRobin) };
        let mut desk = Desk::new(rules, &list);
        desk.tell(|router, cx| router.on_local_cluster(cx, 0, &[1, 1, 1]));
        desk.words = Always(word);
        assert_eq!(who(&mut desk, 30).len(), if home { 2 } else { 6 }, "{enabled} %, word {word}");
    }
}

/// A third of the callers have a seventh of the endpoints at home: 4,284 of 10,000 rolls stay.
#[test]
fn as_many_stay_at_home_as_home_can_take() {
    let zones = [0, 1, 1, 1, 2, 2, 2];
    let with = |(key, &zone): (usize, &u8)| Member { zone, ..Member::of(MemberKey(key as u64)) };
    let list: Vec<Member> = zones.iter().enumerate().map(with).collect();
    let mut desk = Desk::new(zone_aware(), &list);
    desk.tell(|router, cx| router.on_local_cluster(cx, 0, &[1, 1, 1]));
    for (word, stays) in [(4_283, true), (4_284, false)] {
        desk.words = Always(word);
        assert_eq!(desk.pick() == 0, stays, "word {word}");
    }
}

/// What rounding leaves over goes to the first priority that has somebody: of 46 and 23 in 69, 67 and 33 of 100.
#[test]
fn what_rounding_leaves_goes_to_the_first_who_has_somebody() {
    for health in [EdsHealth::Healthy, EdsHealth::Degraded] {
        let mut list = priorities(&[6, 4, 5], 6);
        for member in &mut list {
            if member.health == EdsHealth::Healthy {
                member.health = health;
            }
        }
        let rules = PolicyConfig { panic: config::Panic::Never, ..config(LbPolicy::RoundRobin) };
        let mut desk = Desk::new(rules, &list);
        for (word, priority) in [(0, 1), (66, 1), (67, 2), (99, 2)] {
            desk.words = Always(word);
            assert_eq!(desk.pick() / 10, priority, "{health:?}, word {word}");
        }
    }
}

/// In panic everywhere, loads go by the number of endpoints, and what rounding leaves to the first that has any.
#[test]
fn in_panic_everywhere_the_first_priority_may_be_empty() {
    let mut list = priorities(&[0, 1, 2], 2);
    list.retain(|member| member.priority > 0 && member.key.0 != 11);
    for member in &mut list {
        member.health = EdsHealth::Unhealthy;
    }
    let mut desk = Desk::new(config(LbPolicy::RoundRobin), &list);
    for (word, priority) in [(0, 1), (33, 1), (34, 2), (99, 2)] {
        desk.words = Always(word);
        assert_eq!(desk.pick() / 10, priority, "word {word}");
    }
}

/// In a hash table a zone has the share of its weight, whatever stands in it, and none without weight.
#[test]
fn zones_share_a_hash_table_by_their_weight() {
    let member = |key: u64, zone, locality_weight, weight| Member {
        zone,
        locality_weight,
        weight,
        ..Member::of(MemberKey(key))
    };
    let list = [member(0, 0, 3, 1), member(1, 1, 1, 2), member(2, 1, 1, 2), member(3, 2, 0, 1)];
    let rules = PolicyConfig { locality: LocalityRouting::Weighted, ..config(LbPolicy::Maglev { table_size: 211 }) };
    let mut desk = Desk::new(rules, &list);
    let mut counts = [0_u32; 4];
    for hash in 0..211 {
        counts[desk.ask(Some(hash), 200)[0] as usize] += 1;
    }
    // Three quarters of 211 and an eighth twice.
    assert!(counts[0].abs_diff(158) <= 2 && counts[1].abs_diff(26) <= 2 && counts[2].abs_diff(26) <= 2, "{counts:?}");
    assert_eq!(counts[3], 0);
}

/// Why the next step of a new request would choose whom it will, with the words as they stand.
fn explained(desk: &mut Desk, hash: Option<u64>) -> (Flight, Option<explain::Chosen>) {
    desk.requests += 1;
    let ask = Ask { hash, ..Ask::of(RequestKey(desk.requests)) };
    let flight = desk.tell(|router, cx| router.begin(cx, ask));
    let (next, step) = (desk.words.next, desk.words.step);
    let why = desk.tell(|router, cx| router.explain(cx, &flight));
    desk.words = Words { next, step };
    (flight, why)
}

/// What is told is what is done then, by each rule, and telling it moves nothing.
#[test]
fn who_is_explained_is_who_is_chosen() {
    let ring = LbPolicy::RingHash { minimum_ring_size: 64, maximum_ring_size: 128 };
    let rules = [
        LbPolicy::RoundRobin,
        LbPolicy::Random,
        LbPolicy::LeastRequest(config::LeastRequest::Choices(2)),
        LbPolicy::LeastRequest(config::LeastRequest::FullScan),
        ring,
        LbPolicy::Maglev { table_size: 211 },
    ];
    for lb_policy in rules {
        let mut desk = Desk::new(config(lb_policy), &three());
        for word in [0, u64::MAX / 2, u64::MAX, 7] {
            desk.words = Always(word);
            let (mut flight, why) = explained(&mut desk, Some(word));
            let why = why.expect("somebody is chosen");
            assert_eq!((why.among, why.priority, why.by_weight, why.again), (3, 0, false, false), "{lb_policy:?}");
            let mut step = desk.tell(|router, cx| router.step(cx, &mut flight));
            while let Step::Wait { .. } = step {
                desk.look();
                step = desk.tell(|router, cx| router.step(cx, &mut flight));
            }
            let Step::Try(attempt) = step else { panic!("{step:?}") };
            assert_eq!(attempt.endpoint, why.endpoint, "{lb_policy:?}, word {word}");
            desk.held.push(flight);
        }
    }
}

#[test]
fn an_explanation_names_the_other_draw_the_weights_and_what_was_turned_down() {
    let mut desk = Desk::new(config(LbPolicy::LeastRequest(config::LeastRequest::Choices(2))), &three());
    assert_eq!(desk.hold(), 0);
    let ids: Vec<EndpointId> = desk.router.endpoints().map(|(endpoint, _)| endpoint).collect();
    desk.words = Words { next: 0, step: u64::MAX / 3 + 1 };
    let (_, why) = explained(&mut desk, None);
    let why = why.expect("somebody is chosen");
    assert_eq!((why.endpoint, why.active, why.other), (ids[1], 0, Some((ids[0], 1))));

    let heavy = [1, 2].map(|weight| Member { weight, ..Member::of(MemberKey(u64::from(weight))) });
    let mut desk = Desk::new(config(LbPolicy::RoundRobin), &heavy);
    assert!(explained(&mut desk, None).1.is_some_and(|why| why.by_weight));

    let retry = RetryPolicy {
        retry_on: RetryOn::FIVE_XX,
        num_retries: 1,
        previous_hosts: true,
        host_selection_retry_max_attempts: 2,
        ..RetryPolicy::envoy_default()
    };
    let mut desk = Desk::new(PolicyConfig { retry_policy: Some(retry), ..config(LbPolicy::Random) }, &three());
    let (mut flight, _) = explained(&mut desk, None);
    let mut step = desk.tell(|router, cx| router.step(cx, &mut flight));
    while let Step::Wait { .. } = step {
        desk.look();
        step = desk.tell(|router, cx| router.step(cx, &mut flight));
    }
    let Step::Try(attempt) = step else { panic!("{step:?}") };
    assert_eq!(desk.tell(|router, cx| router.explain(cx, &flight)), None, "it has chosen");
    let outcome = Outcome::Answered(Answer::of(503));
    desk.tell(|router, cx| router.report(cx, &mut flight, attempt.attempt, outcome));
    // The same word chooses the same again, as often as it may.
    let why = desk.tell(|router, cx| router.explain(cx, &flight)).expect("it tries again");
    assert_eq!((why.endpoint, why.rejected, why.again), (attempt.endpoint, 2, true));
    // In a back-off and past its deadline it chooses nobody.
    desk.now = Time::ZERO + Span::from_secs(15);
    assert_eq!(desk.tell(|router, cx| router.explain(cx, &flight)), None);
}

/// While a name is looked up nobody is chosen, also where there is an old answer.
#[test]
fn nobody_is_explained_while_a_name_is_looked_up() {
    let mut desk = Desk::new(PolicyConfig::dns_client(), &[]);
    let list = |desk: &mut Desk| {
        let valid_for = Some(Span::from_secs(1));
        desk.tell(|router, cx| router.on_members(cx, &three(), valid_for));
    };
    list(&mut desk);
    desk.now = Time::ZERO + Span::from_secs(2);
    let (mut flight, _) = explained(&mut desk, None);
    let step = desk.tell(|router, cx| router.step(cx, &mut flight));
    assert_eq!(step, Step::Resolve);
    assert_eq!(desk.tell(|router, cx| router.explain(cx, &flight)), None);
    list(&mut desk);
    assert!(desk.tell(|router, cx| router.explain(cx, &flight)).is_some());
}

/// Where every request is routed by zone nothing is drawn for it.
#[test]
fn full_zone_routing_draws_no_word() {
    let list: Vec<Member> = (0..6).map(|key| Member { zone: (key % 3) as u8, ..Member::of(MemberKey(key)) }).collect();
    let mut desk = Desk::new(zone_aware(), &list);
    desk.tell(|router, cx| router.on_local_cluster(cx, 0, &[1, 1, 1]));
    desk.words = Words { next: 0, step: 1 };
    assert_eq!((desk.pick() % 3, desk.words.next), (0, 0));
}

/// A lone zone's weight cancels out, and zones without any weight are none.
#[test]
fn the_weight_of_a_lone_zone_says_nothing() {
    let rules = |lb_policy| PolicyConfig { locality: LocalityRouting::Weighted, ..config(lb_policy) };
    let weighed = |key: u64, weight| Member { locality_weight: 3, weight, ..Member::of(MemberKey(key)) };
    let mut desk = Desk::new(rules(LbPolicy::Maglev { table_size: 211 }), &[weighed(0, 1), weighed(1, 3)]);
    let first = (0..211).filter(|&hash| desk.ask(Some(hash), 200)[0] == 0).count();
    assert!(first.abs_diff(53) <= 2, "{first} of 211");

    let list = [0, 1].map(|zone| Member { zone, locality_weight: 0, ..Member::of(MemberKey(u64::from(zone))) });
    let mut desk = Desk::new(rules(LbPolicy::RoundRobin), &list);
    assert_eq!(who(&mut desk, 4), [0, 1]);
}

/// Who is out of favour keeps ten of a thousand: a roll of 9 takes it, at 10 another is drawn.
#[test]
fn an_anomalous_target_keeps_a_hundredth_of_its_share() {
    const TENTH: u64 = u64::MAX / 10;
    for (roll, went) in [(9, 0), (10, 2)] {
        let mut desk = Desk::new(config(LbPolicy::WeightedRandom { anomaly_mitigation: true }), &three());
        for at in 0..30 {
            let third = at % 3;
            desk.words = Always(u64::MAX / 3 * third + u64::MAX / 6);
            assert_eq!(desk.ask(None, if third == 0 { 500 } else { 200 }), [third]);
        }
        desk.now = Time::ZERO + Span::from_secs(5);
        desk.look();
        // The first draw is a tenth above the roll, the third a tenth below it, which is the last of three.
        let low = u64::MAX / 1000 * roll + u64::MAX / 2000;
        desk.words = Words { next: low + TENTH, step: TENTH.wrapping_neg() };
        assert_eq!(desk.pick(), went, "roll {roll}");
    }
}

/// An ALB's target starts slowly only beside one that has its full share already (aws.md 3.2): not beside one that is
/// still starting, nor beside one that failed.
#[test]
fn nobody_starts_slowly_beside_one_that_starts() {
    let slow_start =
        Some(config::SlowStart { window: Span::from_secs(60), aggression_milli: 1000, min_weight_percent: 10 });
    let health_check = Some(config::HealthCheck {
        interval: Span::from_secs(1000),
        timeout: Span::from_secs(1),
        healthy_threshold: 1,
        unhealthy_threshold: 1,
        first_pass_suffices: true,
    });
    let mut desk = Desk::new(PolicyConfig { slow_start, health_check, ..config(LbPolicy::RoundRobin) }, &three());
    let ids: Vec<EndpointId> = desk.router.endpoints().map(|(endpoint, _)| endpoint).collect();
    for (second, member, healthy) in [(1000, 0, true), (1010, 1, true), (1020, 0, false), (1020, 2, true)] {
        desk.now = Time::ZERO + Span::from_secs(second);
        desk.tell(|router, cx| router.on_probe(cx, ids[member], healthy));
    }
    let third = (0..12).filter(|_| desk.pick() == 2).count();
    assert!(third > 8, "{third} of 12 went to the third, which has its full share");
}
