//! Vectors of one request: what is retried, where, after which wait, and what the caller gets.

use super::Compared;
use super::Halt;
use super::attempts;
use super::bench::Bench;
use super::bench::answered;
use super::bench::boundless;
use super::choice::verdict_lines;
use super::differ;
use super::expectation;
use super::not_replayable;
use super::schema::only;
use super::schema::unknown;
use super::tape::Tape;
use super::yaml::Node;
use crate::policy::Answer;
use crate::policy::Fact;
use crate::policy::Flag;
use crate::policy::Flight;
use crate::policy::Outcome;
use crate::policy::PolicyConfig;
use crate::policy::Step;
use crate::policy::Trouble;
use crate::policy::Verdict;
use crate::policy::config::CircuitBreakers;
use crate::policy::config::LbPolicy;
use crate::policy::config::RetryBudget;
use crate::policy::config::RetryOn;
use crate::policy::config::RetryPolicy;
use crate::policy::fact::Denial;
use crate::policy::headers;
use crate::units::Ratio;
use crate::units::Span;
use crate::units::Time;

pub fn retrying(policy: RetryPolicy) -> PolicyConfig {
    PolicyConfig { retry_policy: Some(policy), lb_policy: LbPolicy::FirstListed, ..boundless() }
}

/// The conditions of a comma-separated list, or the one that scsim does not have.
pub fn conditions(names: &str) -> Result<RetryOn, String> {
    let mut set = RetryOn::NONE;
    for name in names.split(',').map(str::trim) {
        set = set.with(RetryOn::named(name).ok_or_else(|| format!("retry_on {name}"))?);
    }
    Ok(set)
}

/// The same of a node, or of a key whose value it is.
pub fn retry_on(node: &Node, names: &str) -> Result<RetryOn, Halt> {
    let known: Vec<&str> = RetryOn::NAMES.iter().map(|(name, _)| *name).collect();
    match names.split(',').map(str::trim).find(|name| RetryOn::named(name).is_none()) {
        Some(name) => Err(unknown(node, "condition of retry_on", name, &known)),
        None => conditions(names).map_err(|what| Halt::NotReplayable(format!("scsim does not model {what}"))),
    }
}

/// Endings of an attempt other than a status, for `retry_matrix` and `retry_sequence`; the last three are
/// what the same is called in `outlier`.
const ENDINGS: [&str; 6] = ["rst", "close", "refused", "reset", "connect_failed", "timeout"];

/// How an attempt ends, in the word of a node.
fn ending(node: &Node) -> Result<Outcome, Halt> {
    let word = node.text()?;
    column(word).map_err(|_| match word.parse::<i64>() {
        Ok(_) => node.wrong(&format!("`{word}` is no status: write one from 100 to 599")).into(),
        Err(_) => unknown(node, "ending of an attempt", word, &ENDINGS),
    })
}

/// How an attempt ends in a column of a matrix: a status, with headers behind `+`, or a failure.
fn column(name: &str) -> Result<Outcome, String> {
    let unknown = || format!("a failure `{name}`");
    let mut parts = name.split('+');
    let status = match parts.next().unwrap_or("") {
        "rst" | "close" | "reset" => return Ok(Outcome::Failed(Trouble::Reset { sent: true })),
        "refused" | "connect_failed" => return Ok(Outcome::Failed(Trouble::ConnectRefused)),
        "timeout" => return Ok(Outcome::Failed(Trouble::Timeout)),
        code => code.parse().ok().filter(|status| (100..600).contains(status)).ok_or_else(unknown)?,
    };
    let mut marks = Vec::new();
    for mark in parts {
        marks.push(match mark.strip_prefix("grpc") {
            Some(status) if status.parse::<u8>().is_ok() => ("grpc-status", status),
            None if mark.starts_with("x-") => (mark, "true"),
            _ => return Err(unknown()),
        });
    }
    Ok(Outcome::Answered(headers::answer(None, None, status, false, None, marks)))
}

/// How an HTTP/2 attempt ends in a row of a matrix whose columns are the conditions.
fn h2_row(name: &str) -> Option<Outcome> {
    match name {
        "refused" => Some(Outcome::Failed(Trouble::RefusedStream)),
        "rst_internal" => Some(Outcome::Failed(Trouble::StreamReset)),
        _ => None,
    }
}

/// `retry_matrix`: rows are conditions, columns failures, or the other way round; 1 is a retry. Cells that scsim has no
/// model for leave the vector not replayable, unless another cell is wrong.
pub fn matrix(vector: &Node, tape: &Tape) -> Compared {
    only(vector.get("config"), "config", &[])?;
    let rows = expectation(vector)?.entries();
    // A row without columns is about per_try_timeout, a local reset.
    let per_try =
        vector.get("title").is_some_and(|title| title.text().is_ok_and(|text| text.contains("per_try_timeout")));
    let (mut strangers, mut held) = (Vec::new(), 0);
    for (row, cells) in rows {
        if let Some(outcome) = h2_row(row) {
            for (name, expected) in cells.entries() {
                match retry_on(expected, name) {
                    Ok(on) => {
                        let got = u32::from(retried(tape, on, outcome));
                        differ(tape, &format!("{row} x {name}: retried"), &expected.small()?, &got);
                    }
                    Err(Halt::NotReplayable(what)) => strangers.push(what),
                    Err(malformed) => return Err(malformed),
                }
            }
            continue;
        }
        let on = match retry_on(cells, row) {
            Ok(on) => on,
            Err(Halt::NotReplayable(what)) => {
                strangers.push(what);
                continue;
            }
            Err(malformed) => return Err(malformed),
        };
        let mut cell = |name: &str, outcome: Outcome, expected: u32| {
            let got = u32::from(retried(tape, on, outcome));
            held += usize::from(differ(tape, &format!("{row} x {name}: retried"), &expected, &got));
        };
        if cells.entries().is_empty() {
            if !per_try {
                return not_replayable("it does not say what fails");
            }
            cell("per_try_timeout", Outcome::Failed(Trouble::Timeout), cells.small()?);
        }
        for (name, expected) in cells.entries() {
            match column(name) {
                Ok(outcome) => cell(name, outcome, expected.small()?),
                Err(what) => strangers.push(format!("scsim does not know {what}")),
            }
        }
    }
    strangers.sort();
    strangers.dedup();
    if tape.holds() && !strangers.is_empty() {
        return not_replayable(format!("{held} cells hold; {}", strangers.join("; ")));
    }
    Ok(())
}

/// Whether an attempt that ends so is followed by another.
fn retried(tape: &Tape, on: RetryOn, outcome: Outcome) -> bool {
    let mut bench = Bench::new(tape, retrying(RetryPolicy { retry_on: on, ..RetryPolicy::envoy_default() }), 1, 0);
    if outcome == Outcome::Failed(Trouble::ConnectRefused) {
        bench.refuse = true;
        let _ = bench.begin();
    } else if let (mut flight, Step::Try(attempt)) = bench.begin() {
        let _ = bench.report(&mut flight, attempt, outcome);
    }
    bench.facts.iter().any(|(_, fact)| matches!(fact, Fact::Retrying { .. }))
}

/// Plays a request whose attempts end as told, the last ending repeated. Who got them, and the end.
pub fn play(
    bench: &mut Bench,
    (mut flight, mut step): (Flight, Step),
    endings: &[Outcome],
) -> Result<(Vec<u64>, Verdict), Halt> {
    let mut hosts = Vec::new();
    loop {
        match step {
            Step::Try(attempt) => {
                let ending = endings.get(hosts.len()).or(endings.last());
                let Some(&outcome) = ending else { return not_replayable("it has no attempts") };
                hosts.push(attempt.member.0);
                step = bench.report(&mut flight, attempt, outcome);
            }
            Step::Done(verdict) => return Ok((hosts, verdict)),
            Step::Wait { until: Some(until) } => {
                bench.advance(until, |_| {});
                step = bench.step(&mut flight);
            }
            Step::Wait { until: None } | Step::Resolve => return not_replayable("the request waits for ever"),
        }
    }
}

/// `retry_sequence`: one request, its attempts' statuses, what was decided after each.
pub fn sequence(vector: &Node, tape: &Tape) -> Compared {
    let config = vector.get("config");
    only(config, "config", &["retry_on", "num_retries"])?;
    let Some(attempts) = vector.get("attempts") else { return attempts::stale_connection(vector, tape) };
    let mut policy = RetryPolicy::envoy_default();
    if let Some(on) = config.and_then(|config| config.get("retry_on")) {
        policy.retry_on = retry_on(on, on.text()?)?;
    }
    if let Some(n) = config.and_then(|config| config.get("num_retries")) {
        policy.num_retries = n.small()?.min(250);
    }
    let mut endings = Vec::new();
    for attempt in attempts.list()? {
        endings.push(ending(attempt)?);
    }
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["decisions", "code", "flags", "attempts", "stats"])?;
    let mut bench = Bench::new(tape, retrying(policy), 1, 0);
    let begun = bench.begin();
    let (_, verdict) = play(&mut bench, begun, &endings)?;
    let decisions: Vec<String> =
        bench.facts.iter().filter_map(|(_, fact)| decision(*fact)).map(str::to_owned).collect();
    verdict_lines(tape, expect, verdict)?;
    if let Some(expected) = expect.get("decisions") {
        differ(tape, "decisions", &expected.words()?, &decisions);
    }
    let stats = bench.stats();
    for (name, node) in expect.get("stats").map_or(&[][..], Node::entries) {
        let full = match name.as_str() {
            "retry_or_shadow_abandoned" => name.clone(),
            code if code.starts_with("rq_") => format!("upstream_{code}"),
            code if code.starts_with("retry.") || code.starts_with("upstream_") => code.to_owned(),
            short if short.starts_with("retry") => format!("upstream_rq_{short}"),
            short => format!("upstream_rq_retry_{short}"),
        };
        let Some(got) = stats.named(&full) else {
            return not_replayable(format!("scsim does not know the statistic `{name}`"));
        };
        differ(tape, name, &node.whole()?, &got);
    }
    Ok(())
}

fn decision(fact: Fact) -> Option<&'static str> {
    match fact {
        Fact::Retrying { .. } => Some("retry"),
        Fact::RetryDenied(Denial::LimitExceeded) => Some("limit_exceeded"),
        Fact::RetryDenied(Denial::Overflow) => Some("overflow"),
        Fact::RetryDenied(Denial::NotIdempotent) => Some("not_idempotent"),
        _ => None,
    }
}

/// `retry_hosts`: who gets each attempt of a request that always fails.
pub fn hosts(vector: &Node, tape: &Tape) -> Compared {
    let Some(config) = vector.get("config") else { return attempts::ejected_meanwhile(vector, tape) };
    only(Some(config), "config", &["hosts", "seed_index", "num_retries", "predicate", "max_attempts"])?;
    let number = |key: &str, default: u32| config.get(key).map_or(Ok(default), Node::small);
    let previous_hosts = match config.get("predicate").map(Node::text).transpose()? {
        None => false,
        Some("previous_hosts") => true,
        Some(other) => return not_replayable(format!("scsim does not know the predicate `{other}`")),
    };
    let policy = RetryPolicy {
        retry_on: RetryOn::FIVE_XX,
        num_retries: number("num_retries", 1)?.min(250),
        previous_hosts,
        host_selection_retry_max_attempts: number("max_attempts", 1)?,
        ..RetryPolicy::envoy_default()
    };
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["hosts"])?;
    let expected = expect.get("hosts").ok_or_else(|| expect.wrong("it expects no `hosts`"))?.wholes()?;
    let config = PolicyConfig { lb_policy: LbPolicy::RoundRobin, ..retrying(policy) };
    let mut bench =
        Bench::new(tape, config, number("hosts", 1)?.min(10_000) as usize, u64::from(number("seed_index", 0)?));
    let begun = bench.begin();
    let (got, _) = play(&mut bench, begun, &[answered(503)])?;
    differ(tape, "hosts", &expected, &got);
    Ok(())
}

/// The wait after each failed attempt, with that random word.
fn waits(tape: &Tape, policy: &RetryPolicy, word: u64) -> Vec<Span> {
    let mut bench = Bench::new(tape, retrying(policy.clone()), 1, word);
    let (mut flight, mut step): (Flight, Step) = bench.begin();
    let mut waits = Vec::new();
    while let Step::Try(attempt) = step {
        step = bench.report(&mut flight, attempt, answered(503));
        match step {
            Step::Wait { until: Some(until) } => {
                waits.push(until.since(bench.now()));
                bench.advance(until, |_| {});
                step = bench.step(&mut flight);
            }
            // No wait at all: it went on at once.
            Step::Try(_) => waits.push(Span::ZERO),
            Step::Wait { until: None } | Step::Resolve | Step::Done(_) => {}
        }
    }
    waits
}

/// `backoff`: the range of each wait, found by the words that fall on its ends.
pub fn backoff(vector: &Node, tape: &Tape) -> Compared {
    let Some(config) = vector.get("config") else { return not_replayable("it has no `config`") };
    only(Some(config), "config", &["base", "max"])?;
    let base = config.get("base").map_or(Ok(25), Node::millis)?;
    let max = config.get("max").map_or(Ok(base.saturating_mul(10)), Node::millis)?;
    if base == 0 || max < base {
        return Err(config.wrong("0 < base <= max").into());
    }
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["upper_bounds_ms", "means_ms"])?;
    let bounds =
        expect.get("upper_bounds_ms").ok_or_else(|| expect.wrong("it expects no `upper_bounds_ms`"))?.wholes()?;
    let policy = RetryPolicy {
        retry_on: RetryOn::FIVE_XX,
        num_retries: bounds.len().min(250) as u32,
        base_interval: Span::from_millis(base),
        max_interval: Span::from_millis(max),
        ..RetryPolicy::envoy_default()
    };
    for (i, &bound) in bounds.iter().enumerate() {
        // A draw is the word modulo the range: the largest stays what it is, the next begins anew.
        let got = |word: u64| waits(tape, &policy, word).get(i).map(|wait| wait.as_millis());
        differ(tape, &format!("largest wait {i}, ms"), &Some(bound.saturating_sub(1)), &got(bound.saturating_sub(1)));
        differ(tape, &format!("wait {i} past the range, ms"), &Some(0), &got(bound));
    }
    if let Some(means) = expect.get("means_ms") {
        for (i, mean) in means.list()?.iter().enumerate() {
            // Of whole milliseconds below a bound, uniform: half a millisecond less than half of it.
            let got = bounds.get(i).map_or(0.0, |&bound| (bound as f64 - 1.0) / 2.0);
            if (got - mean.number()?).abs() > 1.0 {
                differ(tape, &format!("mean wait {i}, ms"), &mean.number()?, &got);
            }
        }
    }
    Ok(())
}

/// `timeout`: a request that gets no answer, or a 503 and a long back-off.
pub fn timeout(vector: &Node, tape: &Tape) -> Compared {
    only(vector.get("config"), "config", &["timeout", "per_try_timeout", "base_interval"])?;
    if vector.get("timeline").is_some() {
        return attempts::slow_upload(vector, tape);
    }
    let length = |key: &str| vector.get("config").and_then(|config| config.get(key)).map(Node::millis).transpose();
    let mut policy = RetryPolicy { retry_on: RetryOn::FIVE_XX, ..RetryPolicy::envoy_default() };
    let base = length("base_interval")?;
    if let Some(base) = base {
        policy.base_interval = Span::from_millis(base);
        policy.max_interval = Span::from_millis(base * 10);
    }
    let mut config = retrying(policy);
    config.timeouts.request = length("timeout")?.map_or(Span::from_secs(15), Span::from_millis);
    config.timeouts.per_try = length("per_try_timeout")?.map_or(Span::MAX, Span::from_millis);
    let expect = expectation(vector)?;
    // What Envoy calls its details is not modelled; flag and instant say the same.
    only(Some(expect), "expect", &["code", "flags", "attempts", "at_ms", "details"])?;
    // The word that makes the back-off as long as it can be.
    let mut bench = Bench::new(tape, config, 1, base.map_or(0, |base| base.saturating_sub(1)));
    let (mut flight, mut step) = bench.begin();
    let verdict = loop {
        match step {
            Step::Try(attempt) if base.is_some() => step = bench.report(&mut flight, attempt, answered(503)),
            Step::Try(attempt) => {
                bench.advance(attempt.give_up_at, |_| {});
                step = bench.report(&mut flight, attempt, Outcome::Failed(Trouble::Timeout));
            }
            Step::Wait { until: Some(until) } => {
                bench.advance(until, |_| {});
                step = bench.step(&mut flight);
            }
            Step::Done(verdict) => break verdict,
            Step::Wait { until: None } | Step::Resolve => return not_replayable("the request waits for ever"),
        }
    };
    verdict_lines(tape, expect, verdict)?;
    if let Some(at) = expect.get("at_ms") {
        differ(tape, "at_ms", &at.whole()?, &bench.now().since(Time::ZERO).as_millis());
    }
    if let Some(details) = expect.get("details")
        && details.text()? != "response_timeout"
    {
        return not_replayable("scsim does not model response details");
    }
    Ok(())
}

/// `retry_breaker`, `retry_budget`: many requests fail at once; how many may retry?
pub fn breaker(vector: &Node, tape: &Tape) -> Compared {
    let config = vector.get("config");
    only(config, "config", &["retry_on", "num_retries", "max_retries", "budget_percent", "min_retry_concurrency"])?;
    let setting = |key: &str| config.and_then(|config| config.get(key));
    let mut policy = RetryPolicy { retry_on: RetryOn::FIVE_XX, ..RetryPolicy::envoy_default() };
    if let Some(on) = setting("retry_on") {
        policy.retry_on = retry_on(on, on.text()?)?;
    }
    policy.num_retries = setting("num_retries").map_or(Ok(1), Node::small)?.min(250);
    let mut config = retrying(policy);
    config.circuit_breakers.max_retries = setting("max_retries").map_or(Ok(3), Node::small)?;
    if setting("budget_percent").is_some() || setting("min_retry_concurrency").is_some() {
        let percent = setting("budget_percent").map_or(Ok(20.0), Node::number)?;
        config.circuit_breakers.retry_budget = Some(RetryBudget {
            budget_percent: Ratio::from_ppm((percent.clamp(0.0, 100.0) * 10_000.0) as u32),
            min_retry_concurrency: setting("min_retry_concurrency").map_or(Ok(3), Node::small)?,
        });
    }
    let many = vector.get("concurrent").ok_or_else(|| vector.wrong("it needs `concurrent`"))?.whole()?;
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["retried", "overflow", "flags_overflow"])?;
    let has_bodies = config.circuit_breakers.retry_budget.is_some();
    // The longest back-off, so that no retry has begun when the next request fails.
    let mut bench = Bench::new(tape, config, 1, 24);
    let mut open = Vec::new();
    for _ in 0..many.min(10_000) {
        if let (flight, Step::Try(attempt)) = bench.begin() {
            open.push((flight, attempt));
        }
    }
    // What a budget allows depends on whether answers have bodies; where it was observed, they had.
    let failure = Outcome::Answered(Answer::of(503).with_body(has_bodies));
    let (mut retried, mut overflow, mut flags) = (0, 0, true);
    for (flight, attempt) in &mut open {
        match bench.report(flight, *attempt, failure) {
            Step::Done(verdict) => {
                overflow += 1;
                flags &= verdict.flags.has(Flag::Uo) && verdict.status == 503;
            }
            _ => retried += 1,
        }
    }
    if let Some(node) = expect.get("retried") {
        differ(tape, "retried", &node.whole()?, &retried);
    }
    if let Some(node) = expect.get("overflow") {
        differ(tape, "overflow", &node.whole()?, &overflow);
    }
    if let Some(node) = expect.get("flags_overflow") {
        differ(tape, "all that overflow carry UO", &(node.text()? == "UO"), &flags);
    }
    Ok(())
}

/// `breaker_defaults`: what holds when nothing is configured.
pub fn breaker_defaults(vector: &Node, tape: &Tape) -> Compared {
    let defaults = CircuitBreakers::envoy_default();
    for (name, node) in expectation(vector)?.entries() {
        let got = match name.as_str() {
            "max_connections" => defaults.max_connections,
            "max_pending_requests" => defaults.max_pending_requests,
            "max_requests" => defaults.max_requests,
            "max_retries" => defaults.max_retries,
            other => return not_replayable(format!("scsim does not model `{other}`")),
        };
        differ(tape, name, &node.small()?, &got);
    }
    Ok(())
}
