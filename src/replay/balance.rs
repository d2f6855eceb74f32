//! Vectors of weights, priorities and hashes: how the load is shared out, and which key goes where.
//!
//! *Knows* how to bring a router into the situation and how to count what comes of it. *Does not
//! know* the rules; what it computes itself about rings is the definition, point by point.

use super::Compared;
use super::Halt;
use super::bench::Bench;
use super::bench::answered;
use super::bench::boundless;
use super::bench::plain;
use super::choice::pick;
use super::differ;
use super::expectation;
use super::not_replayable;
use super::schema;
use super::schema::only;
use super::tape::Tape;
use super::yaml::Node;
use crate::policy::EdsHealth;
use crate::policy::Member;
use crate::policy::MemberKey;
use crate::policy::PolicyConfig;
use crate::policy::Step;
use crate::policy::balance::header_hash;
use crate::policy::config::LbPolicy;
use crate::policy::config::LeastRequest;
use crate::policy::config::Panic;
use crate::policy::config::RetryOn;
use crate::policy::config::RetryPolicy;
use crate::policy::config::SlowStart;
use crate::units::Ratio;
use crate::units::Span;

/// Picks for a distribution; a share is then within 0.7 points of its probability, four deviations.
const PICKS: u32 = 100_000;

/// The members of `sets`, a priority each: so many healthy, degraded, unhealthy up to `total`, and
/// `excluded` ones besides.
pub fn members(sets: &[Node]) -> Result<Vec<Member>, Halt> {
    let mut members = Vec::new();
    for (priority, set) in sets.iter().enumerate() {
        only(Some(set), "a set", &["healthy", "degraded", "total", "excluded"])?;
        let count = |key: &str| set.get(key).map_or(Ok(0), Node::small);
        let (healthy, degraded, total) = (count("healthy")?, count("degraded")?, count("total")?);
        let excluded = count("excluded")?;
        if healthy + degraded > total || total + excluded > 10_000 || priority > 255 {
            return Err(set.wrong("more are healthy or degraded than there are, or too many").into());
        }
        let healths = [
            (healthy, EdsHealth::Healthy),
            (degraded, EdsHealth::Degraded),
            (total - healthy - degraded, EdsHealth::Unhealthy),
            (excluded, EdsHealth::Draining),
        ];
        for (n, health) in healths {
            for _ in 0..n {
                let member = Member::of(MemberKey(members.len() as u64));
                members.push(Member { priority: priority as u8, health, ..member });
            }
        }
    }
    Ok(members)
}

/// `priority_load`: how the load is shared out, and what is in panic.
pub fn priority_load(vector: &Node, tape: &Tape) -> Compared {
    let config = vector.get("config");
    only(config, "config", &["threshold", "overprovisioning_factor"])?;
    let setting = |key: &str| config.and_then(|config| config.get(key));
    let percent = setting("threshold").map_or(Ok(50), Node::small)?.min(100);
    let panic = if percent == 0 { Panic::Never } else { Panic::Below(Ratio::from_percent(percent)) };
    let overprovisioning_factor = setting("overprovisioning_factor").map_or(Ok(140), Node::small)?.max(1);
    let sets = vector.get("sets").ok_or_else(|| vector.wrong("it needs `sets`"))?.list()?;
    let config = PolicyConfig { overprovisioning_factor, panic, ..boundless() };
    let bench = Bench::of(tape, config, &members(sets)?, 0);
    let loads = bench.router.priority_loads();
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["healthy_load", "degraded_load", "panic"])?;
    for (key, got) in [("healthy_load", &loads.healthy), ("degraded_load", &loads.degraded)] {
        if let Some(node) = expect.get(key) {
            let expected = node.list()?.iter().map(Node::small).collect::<Result<Vec<_>, _>>()?;
            differ(tape, key, &expected, got);
        }
    }
    if let Some(node) = expect.get("panic") {
        let expected = node.list()?.iter().map(Node::truth).collect::<Result<Vec<_>, _>>()?;
        differ(tape, "panic", &expected, &loads.panic);
    }
    Ok(())
}

/// A router of least request whose members have so many requests under way.
fn busy(vector: &Node, tape: &Tape) -> Result<(Bench, usize), Halt> {
    let Some(config) = vector.get("config") else { return not_replayable("it has no `config`") };
    let count = config.get("choice_count").map_or(Ok(2), Node::small)?;
    match config.get("policy").map(Node::text).transpose()? {
        Some("least_request") if count >= 2 => {}
        _ => return not_replayable("scsim replays least_request with two choices and more here"),
    }
    let active = config.get("active").map_or(Ok(Vec::new()), Node::wholes)?;
    let hosts = schema::hosts(vector)?.len();
    if active.len() > hosts || active.iter().any(|&n| n > 1000) {
        return Err(config.wrong("`active` has more entries than there are hosts, or too large ones").into());
    }
    let lb_policy = LbPolicy::LeastRequest(LeastRequest::Choices(count));
    let mut bench = Bench::new(tape, PolicyConfig { lb_policy, ..boundless() }, hosts, 0);
    for (host, &n) in active.iter().enumerate() {
        // With one word for all draws the choice falls on this host, however busy it is.
        bench.set_word(bench.word_for(host as u64).unwrap_or(0));
        for _ in 0..n {
            let got = pick(&mut bench)?;
            if got != host as u64 {
                return not_replayable(format!("a request meant for host {host} went to {got}"));
            }
        }
    }
    Ok((bench, hosts))
}

/// Compares shares of all picks with what was expected.
fn share_line(tape: &Tape, what: &str, expected: f64, tolerance: f64, got: f64) {
    let same = (expected - got).abs() <= tolerance;
    tape.compared(what, &format!("{expected} within {tolerance}"), &format!("{got:.4}"), same);
}

/// `lb_distribution`: shares of many picks with real random words.
pub fn distribution(vector: &Node, tape: &Tape) -> Compared {
    let expect = expectation(vector)?;
    let Some(tolerance) = expect.get("tolerance") else { return not_replayable("it has no `tolerance`") };
    let tolerance = tolerance.number()?;
    let Some(share) = expect.get("share") else { return retries_elsewhere(vector, tape, tolerance) };
    only(Some(expect), "expect", &["share", "tolerance"])?;
    only(vector.get("config"), "config", &["policy", "choice_count", "active"])?;
    let (mut bench, hosts) = busy(vector, tape)?;
    bench.mix_words();
    let mut hits = vec![0_u32; hosts];
    for _ in 0..PICKS {
        let (flight, step) = bench.begin();
        let Step::Try(attempt) = step else { return not_replayable(format!("a pick became {step:?}")) };
        hits[attempt.member.0 as usize] += 1;
        // What was under way before stays all there is.
        bench.abandon(flight);
    }
    let expected = share.list()?;
    if expected.len() != hosts {
        return Err(share.wrong("a share for each host").into());
    }
    for (host, (expected, hits)) in expected.iter().zip(&hits).enumerate() {
        let got = f64::from(*hits) / f64::from(PICKS);
        share_line(tape, &format!("share of host {host}"), expected.number()?, tolerance, got);
    }
    Ok(())
}

/// How many of the retries went to the same host, of two, without and with the predicate.
fn retries_elsewhere(vector: &Node, tape: &Tape, tolerance: f64) -> Compared {
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["none", "prev_1", "prev_5", "tolerance"])?;
    only(vector.get("config"), "config", &[])?;
    for (name, extra) in [("none", 0), ("prev_1", 1), ("prev_5", 5)] {
        let Some(expected) = expect.get(name) else { continue };
        let mut bench = Bench::new(tape, retrying(LbPolicy::Random, extra), 2, 1);
        bench.mix_words();
        let mut same = 0;
        for _ in 0..PICKS {
            let (first, second) = tried_twice(&mut bench, None)?;
            same += u32::from(first == second);
        }
        share_line(tape, name, expected.number()?, tolerance, f64::from(same) / f64::from(PICKS));
    }
    Ok(())
}

/// One retry, at once enough; with that many extra picks while the predicate rejects.
fn retrying(lb_policy: LbPolicy, extra: u32) -> PolicyConfig {
    let policy = RetryPolicy {
        retry_on: RetryOn::FIVE_XX,
        previous_hosts: extra > 0,
        host_selection_retry_max_attempts: extra,
        ..RetryPolicy::envoy_default()
    };
    PolicyConfig { lb_policy, retry_policy: Some(policy), ..boundless() }
}

/// The members of a request's two attempts; the first fails.
fn tried_twice(bench: &mut Bench, hash: Option<u64>) -> Result<(u64, u64), Halt> {
    let (mut flight, mut step) = bench.begin_hashed(hash);
    let Step::Try(first) = step else { return not_replayable(format!("a pick became {step:?}")) };
    step = bench.report(&mut flight, first, answered(503));
    if let Step::Wait { until: Some(until) } = step {
        bench.advance(until, |_| {});
        step = bench.step(&mut flight);
    }
    let Step::Try(second) = step else { return not_replayable(format!("a retry became {step:?}")) };
    let _ = bench.report(&mut flight, second, answered(200));
    Ok((first.member.0, second.member.0))
}

/// `lb_choice`: who is picked with these draws.
pub fn choice(vector: &Node, tape: &Tape) -> Compared {
    let Some(config) = vector.get("config") else { return not_replayable("it has no `config`") };
    only(Some(config), "config", &["policy", "choice_count", "active", "draws"])?;
    let (mut bench, hosts) = busy(vector, tape)?;
    let draws = config.get("draws").ok_or_else(|| config.wrong("it needs `draws`"))?.wholes()?;
    if draws.len() as u64 != config.get("choice_count").map_or(Ok(2), Node::whole)? {
        return not_replayable("a draw for each choice is needed");
    }
    if draws.iter().any(|&draw| draw >= hosts as u64) {
        return Err(config.wrong("a draw is the number of a host").into());
    }
    let words: Vec<u64> = draws.iter().filter_map(|&draw| bench.word_for(draw)).collect();
    bench.queue_words(words);
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["pick"])?;
    let expected = expect.get("pick").ok_or_else(|| expect.wrong("it expects no `pick`"))?.whole()?;
    differ(tape, "pick", &expected, &pick(&mut bench)?);
    Ok(())
}

/// Compares a weight in millionths.
fn weight_line(tape: &Tape, what: &str, expected: f64, got: Option<u64>) {
    differ(tape, what, &Some((expected * 1e6).round() as u64), &got);
}

/// `lb_weight`: the weight of a busy endpoint.
pub fn weight(vector: &Node, tape: &Tape) -> Compared {
    let Some(config) = vector.get("config") else { return not_replayable("it has no `config`") };
    only(Some(config), "config", &["weight", "active", "bias"])?;
    if config.get("bias").map_or(Ok(1.0), Node::number)?.to_bits() != 1.0_f64.to_bits() {
        return not_replayable("scsim has an active_request_bias of 1");
    }
    let weight = config.get("weight").map_or(Ok(1), Node::small)?;
    let active = config.get("active").map_or(Ok(0), Node::small)?.min(10_000);
    let lb_policy = LbPolicy::LeastRequest(LeastRequest::Choices(2));
    let member = Member { weight, ..Member::of(MemberKey(0)) };
    let mut bench = Bench::of(tape, PolicyConfig { lb_policy, ..boundless() }, &[member], 0);
    for _ in 0..active {
        pick(&mut bench)?;
    }
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["edf_weight"])?;
    let expected = expect.get("edf_weight").ok_or_else(|| expect.wrong("it expects no `edf_weight`"))?.number()?;
    weight_line(tape, "edf_weight, millionths", expected, bench.router.weight_of(bench.now(), MemberKey(0)));
    Ok(())
}

/// `health_status`: what a status of the control plane means, told by what its endpoint gets.
pub fn health_status(vector: &Node, tape: &Tape) -> Compared {
    for (status, expected) in expectation(vector)?.entries() {
        let health = match status.as_str() {
            "healthy" | "unknown" => EdsHealth::Healthy,
            "unhealthy" | "timeout" => EdsHealth::Unhealthy,
            "draining" => EdsHealth::Draining,
            "degraded" => EdsHealth::Degraded,
            other => return not_replayable(format!("scsim does not know the status `{other}`")),
        };
        let list = |wells: u64, second: bool| {
            let mut list = plain(wells as usize + 1 + usize::from(second));
            list[wells as usize].health = health;
            if second {
                list[wells as usize + 1].priority = 1;
            }
            list
        };
        let config = || PolicyConfig { panic: Panic::Never, ..boundless() };
        // Alone it is used, or not; beside enough healthy ones it gets its part, or not.
        let mut alone = Bench::of(tape, config(), &list(0, false), 0);
        let used = matches!(alone.begin(), (_, Step::Try(_)));
        let mut beside = Bench::of(tape, config(), &list(4, false), 0);
        let mut shares = false;
        for _ in 0..100 {
            shares |= pick(&mut beside)? == 4;
        }
        // Beside one healthy one it halves what counts as healthy, or it does not count.
        let counts = Bench::of(tape, config(), &list(1, true), 0).router.priority_loads().healthy != [100, 0];
        let got = match (used, shares, counts) {
            (true, true, _) => "healthy",
            (true, false, _) => "degraded",
            (false, _, true) => "unhealthy",
            (false, _, false) => "unhealthy+excluded",
        };
        differ(tape, status, &expected.text()?, &got);
    }
    Ok(())
}

/// `slow_start`: the weight of a new endpoint over time, and its share beside two old ones.
pub fn slow_start(vector: &Node, tape: &Tape) -> Compared {
    let Some(config) = vector.get("config") else { return not_replayable("it has no `config`") };
    only(Some(config), "config", &["window", "aggression", "min_weight_percent"])?;
    let window = config.get("window").ok_or_else(|| config.wrong("it needs `window`"))?.millis()?;
    let aggression = config.get("aggression").map_or(Ok(1.0), Node::number)?;
    if window == 0 || !(0.001..1000.0).contains(&aggression) {
        return Err(config.wrong("a window above zero and an aggression from 0.001 to 1000").into());
    }
    let window = Span::from_millis(window);
    let rule = SlowStart {
        window,
        aggression_milli: (aggression * 1000.0).round() as u32,
        min_weight_percent: config.get("min_weight_percent").map_or(Ok(10), Node::small)?.min(100),
    };
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["weight_factor", "share_in_second", "tolerance_pct"])?;
    let mut bench = Bench::of(tape, PolicyConfig { slow_start: Some(rule), ..boundless() }, &plain(2), 1);
    bench.settle_long_ago();
    bench.list_members(&plain(3));
    let zero = bench.now();
    for (ms, factor) in expect.get("weight_factor").map_or(&[][..], Node::entries) {
        let Ok(after) = ms.parse() else { return Err(expect.wrong("milliseconds as a whole number").into()) };
        let got = bench.router.weight_of(zero + Span::from_millis(after), MemberKey(2));
        weight_line(tape, &format!("weight after {ms} ms, millionths"), factor.number()?, got);
    }
    if let Some(shares) = expect.get("share_in_second") {
        let Some(tolerance) = expect.get("tolerance_pct") else { return not_replayable("it has no `tolerance_pct`") };
        for (second, expected) in shares.list()?.iter().enumerate() {
            let mut hits = 0;
            for i in 0..500 {
                bench.advance(zero + Span::from_millis(second as u64 * 1000 + i * 2), |_| {});
                let (flight, step) = bench.begin();
                hits += u32::from(matches!(step, Step::Try(attempt) if attempt.member.0 == 2));
                bench.abandon(flight);
            }
            let what = format!("percent in second {second}");
            share_line(tape, &what, expected.number()?, tolerance.number()?, f64::from(hits) / 5.0);
        }
    }
    Ok(())
}

/// Hosts of a vector of hashing; three where none are given.
fn hosts(vector: &Node) -> Result<usize, Halt> {
    Ok(vector.get("hosts").map(Node::words).transpose()?.map_or(3, |hosts| hosts.len()))
}

/// Who gets a request with that hash.
fn owner(bench: &mut Bench, hash: u64) -> Result<u64, Halt> {
    let (flight, step) = bench.begin_hashed(Some(hash));
    bench.abandon(flight);
    match step {
        Step::Try(attempt) => Ok(attempt.member.0),
        other => not_replayable(format!("a pick became {other:?}")),
    }
}

/// Keys as a header might have them.
fn keys(n: u32) -> impl Iterator<Item = u64> {
    (0..n).map(|i| header_hash(format!("key-{i}").as_bytes()))
}

/// `ring_hash`: the ring's size and parts, whether keys go where the definition says, and retries.
pub fn ring_hash(vector: &Node, tape: &Tape) -> Compared {
    let config = vector.get("config");
    only(config, "config", &["minimum_ring_size", "maximum_ring_size"])?;
    let setting = |key: &str, default: u64| config.and_then(|config| config.get(key)).map_or(Ok(default), Node::whole);
    let (minimum_ring_size, maximum_ring_size) =
        (setting("minimum_ring_size", 1024)?, setting("maximum_ring_size", 8 * 1024 * 1024)?);
    if minimum_ring_size == 0 || minimum_ring_size > maximum_ring_size || maximum_ring_size > 8 * 1024 * 1024 {
        return Err(vector.wrong("Envoy rejects these ring sizes").into());
    }
    let rule = LbPolicy::RingHash { minimum_ring_size, maximum_ring_size };
    let members = plain(hosts(vector)?);
    let mut bench = Bench::of(tape, retrying(rule, 0), &members, 0);
    let entries = bench.router.hash_entries(0);
    let size: u32 = entries.iter().map(|(_, n)| n).sum();
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["ring_size", "per_host", "match", "retry_same_host_without_predicate", "owners"])?;
    if let Some(node) = expect.get("ring_size") {
        differ(tape, "ring_size", &node.small()?, &size);
    }
    if let Some(node) = expect.get("per_host") {
        let got: Vec<u32> = entries.iter().map(|(_, n)| *n).collect();
        differ(tape, "per_host", &vec![node.small()?; members.len()], &got);
    }
    owners(&mut bench, expect, tape)?;
    if let Some(node) = expect.get("match") {
        // The definition: of all points `ip:port_i` the first at or after the hash.
        let mut points: Vec<(u64, u64)> = Vec::new();
        for (member, (_, n)) in members.iter().zip(&entries) {
            let point = |i| header_hash(format!("{}_{i}", member.address).as_bytes());
            points.extend((0..*n).map(|i| (point(i), member.key.0)));
        }
        let (mut same, of) = (0, 200);
        for hash in keys(of) {
            let after = points.iter().filter(|(point, _)| *point >= hash).min();
            let expected = after.or_else(|| points.iter().min()).map_or(u64::MAX, |(_, member)| *member);
            same += u32::from(owner(&mut bench, hash)? == expected);
        }
        share_line(tape, "match", node.number()?, 0.0, f64::from(same) / f64::from(of));
    }
    if let Some(node) = expect.get("retry_same_host_without_predicate") {
        let (mut same, of) = (0, 60);
        for hash in keys(of) {
            let (first, second) = tried_twice(&mut bench, Some(hash))?;
            same += u32::from(first == second);
        }
        share_line(tape, "retry on the same host", node.number()?, 0.0, f64::from(same) / f64::from(of));
    }
    Ok(())
}

/// `owners`: keys, as a header has them, with the host that each belongs to.
fn owners(bench: &mut Bench, expect: &Node, tape: &Tape) -> Result<(), Halt> {
    for (key, host) in expect.get("owners").map_or(&[][..], Node::entries) {
        differ(tape, &format!("owner of {key}"), &host.whole()?, &owner(bench, header_hash(key.as_bytes()))?);
    }
    Ok(())
}

/// `maglev`: the table's parts, keys, and where a retry goes.
pub fn maglev(vector: &Node, tape: &Tape) -> Compared {
    let config = vector.get("config");
    only(config, "config", &["table_size"])?;
    let table_size = config.and_then(|config| config.get("table_size")).map_or(Ok(65_537), Node::whole)?;
    let rule = LbPolicy::Maglev { table_size };
    if (PolicyConfig { lb_policy: rule, ..boundless() }).check().is_err() {
        return Err(vector.wrong("Envoy rejects this table size").into());
    }
    let members = plain(hosts(vector)?);
    let mut bench = Bench::of(tape, retrying(rule, 0), &members, 0);
    let entries: Vec<u32> = bench.router.hash_entries(0).iter().map(|(_, n)| *n).collect();
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["min_entries", "max_entries", "formula", "owners"])?;
    for (key, got) in [("min_entries", entries.iter().min()), ("max_entries", entries.iter().max())] {
        if let Some(node) = expect.get(key) {
            differ(tape, key, &Some(node.small()?), &got.copied());
        }
    }
    owners(&mut bench, expect, tape)?;
    if let Some(node) = expect.get("formula") {
        if node.text()? != "hash ^ (2^64-1-a+1)" {
            return not_replayable("scsim knows the formula `hash ^ (2^64-1-a+1)` only");
        }
        // Two extra picks: the second is asked for when the first falls on the same host again.
        let mut retrying = Bench::of(tape, retrying(rule, 2), &members, 0);
        for hash in keys(200) {
            let flipped = |a: u64| hash ^ (u64::MAX - a + 1);
            let (first, second) = tried_twice(&mut retrying, Some(hash))?;
            let mut expected = owner(&mut bench, hash)?;
            differ(tape, &format!("first attempt of {hash:x}"), &expected, &first);
            for a in [1, 2] {
                if expected == first {
                    expected = owner(&mut bench, flipped(a))?;
                }
            }
            differ(tape, &format!("retry of {hash:x}"), &expected, &second);
        }
    }
    Ok(())
}
