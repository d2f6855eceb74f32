//! Vectors of choosing: who is picked, what the balancer sees when, when health is ignored.

use super::Compared;
use super::Halt;
use super::balance;
use super::bench::Bench;
use super::bench::boundless;
use super::bench::plain;
use super::bench::probed;
use super::differ;
use super::expectation;
use super::not_replayable;
use super::schema;
use super::schema::only;
use super::tape::Tape;
use super::yaml::Node;
use crate::policy::Member;
use crate::policy::PolicyConfig;
use crate::policy::Step;
use crate::policy::Verdict;
use crate::policy::config::LbPolicy;
use crate::policy::config::Panic;
use crate::units::Ratio;
use crate::units::Span;
use crate::units::Time;

/// A router whose endpoints are healthy or not as probes say.
fn with_health(tape: &Tape, config: PolicyConfig, hosts: usize, word: u64, healthy: impl Fn(usize) -> bool) -> Bench {
    with_health_of(tape, config, &plain(hosts), word, healthy)
}

/// The same with members `0..` that have weights and the like.
fn with_health_of(
    tape: &Tape,
    config: PolicyConfig,
    members: &[Member],
    word: u64,
    healthy: impl Fn(usize) -> bool,
) -> Bench {
    let hosts = members.len();
    let mut bench = Bench::of(tape, PolicyConfig { health_check: Some(probed()), ..config }, members, word);
    for host in 0..hosts {
        bench.probe(host as u64, true);
    }
    // Only one that was healthy before becomes unhealthy; a new one is merely unknown.
    for host in (0..hosts).filter(|&host| !healthy(host)) {
        bench.probe(host as u64, false);
    }
    bench
}

/// Who gets the next request; it stays under way.
pub fn pick(bench: &mut Bench) -> Result<u64, Halt> {
    match bench.begin() {
        (_, Step::Try(attempt)) => Ok(attempt.member.0),
        (_, other) => not_replayable(format!("a pick became {other:?}")),
    }
}

/// `lb_picks`: a sequence of picks, with changes of health between.
pub fn picks(vector: &Node, tape: &Tape) -> Compared {
    let config = vector.get("config");
    only(config, "config", &["policy", "lb_policy", "seed_index", "weights", "prepicks"])?;
    let setting = |key: &str| config.and_then(|config| config.get(key));
    match setting("policy").or(setting("lb_policy")).map(Node::text).transpose()? {
        Some("round_robin" | "ROUND_ROBIN") | None => {}
        Some(other) => return Err(schema::unknown(vector, "policy of lb_picks", other, &["round_robin"])),
    }
    let hosts = schema::hosts(vector)?;
    let mut members = plain(hosts.len());
    if let Some(weights) = setting("weights") {
        if weights.list()?.len() != hosts.len() {
            return Err(weights.wrong("a weight for each host").into());
        }
        for (member, weight) in members.iter_mut().zip(weights.list()?) {
            member.weight = weight.small()?;
        }
    }
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["picks"])?;
    let expected = expect.get("picks").ok_or_else(|| expect.wrong("it expects no `picks`"))?;
    let expected = schema::numbers(expected, &hosts)?;
    let picked = |tape: &Tape, word| play_picks(vector, tape, &hosts, &members, word, expected.len());
    // One word is both: where indices start, and how many turns are taken before the first.
    let word = match (setting("seed_index"), setting("prepicks")) {
        (Some(word), None) => word.whole()?,
        (None, Some(word)) => {
            // Envoy's start is random and cannot be read, and whoever counts turns before what was seen
            // rounds in another way than Envoy does: any start within one round of all will do.
            let told = word.whole()?;
            let round: u64 = members.iter().map(|member| u64::from(member.weight)).sum();
            let mut starts = std::iter::once(told).chain(0..round.min(10_000));
            let fits = |start: &u64| picked(&Tape::default(), *start).is_ok_and(|got| got == expected);
            starts.find(fits).unwrap_or(told)
        }
        (None, None) => {
            return not_replayable("it does not say where the turns start: write `seed_index: 0`, or `prepicks`");
        }
        (Some(_), Some(_)) => return not_replayable("an index starts and picks go before, but it is one seed"),
    };
    differ(tape, "picks", &expected, &picked(tape, word)?);
    Ok(())
}

/// Who is picked when the turns start there: as often as the timeline says, or that often.
fn play_picks(
    vector: &Node,
    tape: &Tape,
    hosts: &[String],
    members: &[Member],
    word: u64,
    often: usize,
) -> Result<Vec<u64>, Halt> {
    let config = PolicyConfig { lb_policy: LbPolicy::RoundRobin, panic: Panic::Never, ..boundless() };
    let mut bench = with_health_of(tape, config, members, word, |_| true);
    let mut got = Vec::new();
    let Some(timeline) = vector.get("timeline") else {
        for _ in 0..often {
            got.push(pick(&mut bench)?);
        }
        return Ok(got);
    };
    for step in timeline.list()? {
        only(Some(step), "a step", &["pick", "op", "host"])?;
        if let Some(n) = step.get("pick") {
            for _ in 0..n.whole()?.min(100_000) {
                got.push(pick(&mut bench)?);
            }
            continue;
        }
        let name = step.get("host").ok_or_else(|| step.wrong("a step needs `pick`, or `op` and `host`"))?;
        let host = schema::host(name, hosts)?;
        let op = step.get("op").ok_or_else(|| step.wrong("a step needs `pick`, or `op` and `host`"))?;
        match op.text()? {
            // To the balancer, one that is out and one that fails its probes are the same.
            "eject" => bench.probe(host as u64, false),
            "uneject" => bench.probe(host as u64, true),
            other => return Err(schema::unknown(op, "op", other, &["eject", "uneject"])),
        }
    }
    Ok(got)
}

/// `panic`: with so many healthy, is health ignored?
pub fn panic(vector: &Node, tape: &Tape) -> Compared {
    let config = vector.get("config");
    only(config, "config", &["threshold"])?;
    let percent = config.and_then(|config| config.get("threshold")).map_or(Ok(50), Node::small)?;
    if percent > 100 {
        return Err(vector.wrong("a threshold is a percentage").into());
    }
    let panic = if percent == 0 { Panic::Never } else { Panic::Below(Ratio::from_percent(percent)) };
    let sets = vector.get("sets").ok_or_else(|| vector.wrong("it needs `sets`"))?.list()?;
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["panic", "share_each", "code", "flags", "attempts"])?;
    let [set] = sets else { return several(sets, panic, expect, tape) };
    only(Some(set), "a set", &["healthy", "degraded", "total"])?;
    let count = |key: &str| set.get(key).map_or(Ok(0), Node::small);
    let (healthy, total) = (count("healthy")?, count("total")?);
    if count("degraded")? > 0 {
        return several(sets, panic, expect, tape);
    }
    if healthy > total || total > 10_000 {
        return Err(set.wrong("more are healthy than there are, or too many").into());
    }
    let mut bench =
        with_health(tape, PolicyConfig { panic, ..boundless() }, total as usize, 0, |host| host < healthy as usize);
    if let Some(node) = expect.get("panic") {
        let expected = node.list()?.iter().map(Node::truth).collect::<Result<Vec<_>, _>>()?;
        differ(tape, "panic", &expected, &vec![bench.router.in_panic()]);
    }
    if let Some(share) = expect.get("share_each") {
        // Round robin over a whole number of rounds is exact.
        let mut hits = vec![0_u32; total as usize];
        for _ in 0..total * 4 {
            hits[pick(&mut bench)? as usize] += 1;
        }
        let got: Vec<f64> = hits.iter().map(|&n| f64::from(n) / f64::from(total * 4)).collect();
        differ(tape, "share_each", &vec![share.number()?; total as usize], &got);
    }
    if ["code", "flags", "attempts"].iter().any(|key| expect.get(key).is_some()) {
        match bench.begin() {
            (_, Step::Done(verdict)) => verdict_lines(tape, expect, verdict)?,
            (_, other) => tape.wrong(&format!("the request became {other:?}")),
        }
    }
    Ok(())
}

/// Panic of several priorities, or with degraded endpoints.
fn several(sets: &[Node], panic: Panic, expect: &Node, tape: &Tape) -> Compared {
    only(Some(expect), "what several sets or degraded endpoints expect", &["panic"])?;
    let bench = Bench::of(tape, PolicyConfig { panic, ..boundless() }, &balance::members(sets)?, 0);
    let expected = expect.get("panic").ok_or_else(|| expect.wrong("it expects no `panic`"))?;
    let expected = expected.list()?.iter().map(Node::truth).collect::<Result<Vec<_>, _>>()?;
    differ(tape, "panic", &expected, &bench.router.priority_loads().panic);
    Ok(())
}

/// Compares `code`, `flags` and `attempts`.
pub fn verdict_lines(tape: &Tape, expect: &Node, verdict: Verdict) -> Compared {
    if let Some(code) = expect.get("code") {
        differ(tape, "code", &code.small()?, &u32::from(verdict.status));
    }
    if let Some(flags) = expect.get("flags") {
        differ(tape, "flags", &flags.text()?.to_owned(), &verdict.flags.to_string());
    }
    if let Some(attempts) = expect.get("attempts") {
        differ(tape, "attempts", &attempts.small()?, &u32::from(verdict.attempts));
    }
    Ok(())
}

/// `lb_visibility`: when a change of health reaches the balancer.
pub fn visibility(vector: &Node, tape: &Tape) -> Compared {
    let config = vector.get("config");
    only(config, "config", &["update_merge_window"])?;
    let window = config.and_then(|config| config.get("update_merge_window")).map_or(Ok(1_000), Node::millis)?;
    let mut names: Vec<String> = Vec::new();
    let mut changes = Vec::new();
    let mut first = Vec::new();
    for step in vector.get("timeline").ok_or_else(|| vector.wrong("it needs `timeline`"))?.list()? {
        only(Some(step), "a step", &["t", "host", "health"])?;
        let need = |key: &str| step.get(key).ok_or_else(|| step.wrong(&format!("a step needs `{key}`")));
        let healthy = match need("health")?.text()? {
            "ok" => true,
            "ejected" => false,
            _ => return Err(need("health")?.wrong("ok or ejected").into()),
        };
        let name = need("host")?.text()?;
        let host = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            first.push(!healthy);
            names.len() - 1
        });
        changes.push((need("t")?.millis()?, host, healthy));
    }
    tape.rename(names.clone());
    let config = PolicyConfig { update_merge_window: Span::from_millis(window), ..boundless() };
    let mut bench = with_health(tape, config, names.len(), 0, |host| first[host]);
    bench.settle_long_ago();
    let zero = bench.now();
    let mut seen: Vec<bool> = first.clone();
    let mut changed: Vec<(u64, usize)> = Vec::new();
    let mut look = |bench: &Bench| {
        for (host, before) in seen.iter_mut().enumerate() {
            let now = bench.standing(host as u64).is_some_and(|standing| standing.seen_healthy);
            if now != *before {
                *before = now;
                changed.push((bench.now().since(zero).as_millis(), host));
            }
        }
    };
    let at = |ms: u64| -> Time { zero + Span::from_millis(ms) };
    let mut last = 0;
    for (ms, host, healthy) in changes {
        last = ms;
        bench.advance(at(ms), &mut look);
        bench.probe(host as u64, healthy);
        look(&bench);
    }
    bench.advance(at(last + 10 * window.max(1)), &mut look);
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["visible_at"])?;
    let visible = expect.get("visible_at").ok_or_else(|| expect.wrong("it expects no `visible_at`"))?;
    if visible.entries().is_empty() {
        let got: Vec<u64> = changed.iter().map(|(ms, _)| *ms).collect();
        differ(tape, "visible_at", &visible.wholes()?, &got);
    }
    for (name, node) in visible.entries() {
        let got: Vec<u64> = changed.iter().filter(|(_, host)| names[*host] == *name).map(|(ms, _)| *ms).collect();
        differ(tape, &format!("visible_at of {name}"), &vec![node.whole()?], &got);
    }
    Ok(())
}
