//! Vectors of what surrounds the attempts of a request: headers, bodies, hedges, flags.
//!
//! *Knows* how to bring a request into the situation that a vector describes, where that takes more
//! than a list of endings. *Does not know* any rule.

use super::Compared;
use super::Halt;
use super::bench::Bench;
use super::bench::answered;
use super::bench::boundless;
use super::choice::verdict_lines;
use super::differ;
use super::expectation;
use super::not_replayable;
use super::requests::play;
use super::requests::retry_on;
use super::requests::retrying;
use super::schema::only;
use super::tape::Tape;
use super::yaml::Node;
use crate::policy::Ask;
use crate::policy::Flight;
use crate::policy::Outcome;
use crate::policy::PolicyConfig;
use crate::policy::Router;
use crate::policy::Step;
use crate::policy::Trouble;
use crate::policy::Try;
use crate::policy::Verdict;
use crate::policy::config::OutlierDetection;
use crate::policy::config::RetryOn;
use crate::policy::config::RetryPolicy;
use crate::policy::headers;
use crate::units::Span;
use crate::units::Time;

fn five_xx(num_retries: u32) -> RetryPolicy {
    RetryPolicy { retry_on: RetryOn::FIVE_XX, num_retries, ..RetryPolicy::envoy_default() }
}

/// An attempt under way, and what the vector says of it.
struct Open {
    attempt: Try,
    /// Until when the driver is patient; [`Time::NEVER`] once that has passed.
    patience: Time,
    answers_at: Time,
    status: u16,
}

/// Plays a request whose attempts answer after so many ms with that status; those that are not listed
/// never answer.
fn unfold(bench: &mut Bench, (mut flight, mut step): (Flight, Step), answers: &[(u64, u16)]) -> Result<Verdict, Halt> {
    let mut open: Vec<Open> = Vec::new();
    let mut made = 0;
    loop {
        let until = match step {
            Step::Done(verdict) => return Ok(verdict),
            Step::Try(attempt) => {
                let answer = answers.get(made);
                made += 1;
                open.push(Open {
                    attempt,
                    patience: attempt.give_up_at,
                    answers_at: answer.map_or(Time::NEVER, |(ms, _)| bench.now() + Span::from_millis(*ms)),
                    status: answer.map_or(0, |(_, status)| *status),
                });
                flight.deadline()
            }
            Step::Wait { until } => until.unwrap_or(Time::NEVER),
            Step::Resolve => return not_replayable("the request waits for ever"),
        };
        open.retain(|one| flight.is_open(one.attempt.attempt));
        let next = open.iter().map(|one| one.patience.min(one.answers_at)).fold(until, Time::min);
        if next == Time::NEVER {
            return not_replayable("the request waits for ever");
        }
        bench.advance(next, |_| {});
        step = if let Some(one) = open.iter().position(|one| one.answers_at == next) {
            let one = open.remove(one);
            bench.report(&mut flight, one.attempt, answered(one.status))
        } else if let Some(one) = open.iter_mut().find(|one| one.patience == next) {
            one.patience = Time::NEVER;
            bench.report(&mut flight, one.attempt, Outcome::Failed(one.attempt.then))
        } else {
            bench.step(&mut flight)
        };
    }
}

/// `hedge`: attempts with their latencies, slow ones going on beside their retries.
pub fn hedge(vector: &Node, tape: &Tape) -> Compared {
    let config = vector.get("config");
    let known = ["per_try_timeout", "num_retries", "retry_on", "timeout", "max_retries", "strict_envoy"];
    only(config, "config", &known)?;
    let setting = |key: &str| config.and_then(|config| config.get(key));
    let length = |key: &str| setting(key).map(Node::millis).transpose();
    let Some(per_try) = length("per_try_timeout")? else { return not_replayable("nothing makes an attempt slow") };
    let mut policy = five_xx(setting("num_retries").map_or(Ok(1), Node::small)?.min(250));
    if let Some(on) = setting("retry_on") {
        policy.retry_on = retry_on(on, on.text()?)?;
    }
    let mut config = PolicyConfig { hedge_on_per_try_timeout: true, ..retrying(policy) };
    config.timeouts.per_try = Span::from_millis(per_try);
    config.timeouts.request = length("timeout")?.map_or(Span::from_secs(15), Span::from_millis);
    config.strict_envoy = setting("strict_envoy").map_or(Ok(false), Node::truth)?;
    config.circuit_breakers.max_retries = setting("max_retries").map_or(Ok(3), Node::small)?;
    let mut answers = Vec::new();
    for attempt in vector.get("attempts").ok_or_else(|| vector.wrong("it needs `attempts`"))?.list()? {
        only(Some(attempt), "an attempt", &["latency", "code"])?;
        let latency = attempt.get("latency").ok_or_else(|| attempt.wrong("it needs `latency`"))?.millis()?;
        answers.push((latency, attempt.get("code").map_or(Ok(200), Node::small)? as u16));
    }
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["code", "flags", "attempts", "at_ms", "per_try_timeout_stat", "charged"])?;
    // A back-off of nothing: attempts follow each other at once.
    let mut bench = Bench::new(tape, config, 1, 0);
    let begun = bench.begin();
    let verdict = unfold(&mut bench, begun, &answers)?;
    verdict_lines(tape, expect, verdict)?;
    if let Some(at) = expect.get("at_ms") {
        differ(tape, "at_ms", &at.whole()?, &bench.now().since(Time::ZERO).as_millis());
    }
    if let Some(stat) = expect.get("per_try_timeout_stat") {
        let got = bench.stats().named("upstream_rq_per_try_timeout");
        differ(tape, "upstream_rq_per_try_timeout", &Some(stat.whole()?), &got);
    }
    if let Some(charged) = expect.get("charged") {
        let slow = |fact: &crate::policy::Fact| matches!(fact, crate::policy::Fact::Slow { .. });
        let got = bench.facts.iter().filter(|(_, fact)| slow(fact)).count() as u64;
        differ(tape, "slow attempts charged", &charged.whole()?, &got);
    }
    held_nothing(tape, &bench);
    Ok(())
}

/// Whatever a request took is back at its end.
fn held_nothing(tape: &Tape, bench: &Bench) {
    let held = (bench.router.active(), bench.router.pending(), bench.router.retries());
    differ(tape, "requests, waiting ones and retries held at the end", &(0, 0, 0), &held);
}

/// `buffer`: requests with bodies, all of whose attempts fail.
pub fn buffer(vector: &Node, tape: &Tape) -> Compared {
    let config = vector.get("config");
    only(config, "config", &["per_request_buffer_limit_bytes", "num_retries"])?;
    let setting = |key: &str| config.and_then(|config| config.get(key));
    let mut policy = retrying(five_xx(setting("num_retries").map_or(Ok(1), Node::small)?.min(250)));
    if let Some(limit) = setting("per_request_buffer_limit_bytes") {
        policy.per_request_buffer_limit_bytes = limit.whole()?;
    }
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["abandoned"])?;
    let mut bench = Bench::new(tape, policy, 1, 0);
    for case in vector.get("cases").ok_or_else(|| vector.wrong("it needs `cases`"))?.list()? {
        only(Some(case), "a case", &["body", "attempts"])?;
        let body = case.get("body").ok_or_else(|| case.wrong("it needs `body`"))?.whole()?;
        let begun = bench.begin_as(|ask| Ask { body, ..ask });
        let (_, verdict) = play(&mut bench, begun, &[answered(503)])?;
        if let Some(attempts) = case.get("attempts") {
            differ(tape, &format!("attempts with {body} bytes"), &attempts.small()?, &u32::from(verdict.attempts));
        }
    }
    if let Some(abandoned) = expect.get("abandoned") {
        let got = bench.stats().named("retry_or_shadow_abandoned");
        differ(tape, "retry_or_shadow_abandoned", &Some(abandoned.whole()?), &got);
    }
    Ok(())
}

/// A request with those headers.
fn begin_with(bench: &mut Bench, headers: &[(String, String)], internal: bool) -> (Flight, Step) {
    let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let overrides = headers::overrides(pairs, internal);
    bench.begin_as(|ask| Ask { overrides, ..ask })
}

/// `headers`: what a request's own headers change, and for whom. Where a vector does not list them,
/// they are those of the observation.
pub fn headers(vector: &Node, tape: &Tape) -> Compared {
    only(vector.get("config"), "config", &[])?;
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["external_attempts", "internal_attempts", "internal_timeout_ms", "code", "flags"])?;
    let mut sent: Vec<(String, String)> = Vec::new();
    match vector.get("headers") {
        Some(listed) => {
            for (name, value) in listed.entries() {
                sent.push((name.clone(), value.text()?.to_owned()));
            }
        }
        None if expect.get("code").is_some() => {
            sent.push(("x-envoy-upstream-rq-timeout-alt-response".to_owned(), "1".to_owned()));
        }
        None => {
            for (name, value) in
                [("x-envoy-retry-on", "5xx"), ("x-envoy-max-retries", "3"), ("x-envoy-upstream-rq-timeout-ms", "150")]
            {
                sent.push((name.to_owned(), value.to_owned()));
            }
        }
    }
    let mut config = boundless();
    config.timeouts.request = Span::from_secs(15);
    for (key, internal) in [("external_attempts", false), ("internal_attempts", true)] {
        if let Some(expected) = expect.get(key) {
            let mut bench = Bench::new(tape, config.clone(), 1, 0);
            let begun = begin_with(&mut bench, &sent, internal);
            let (_, verdict) = play(&mut bench, begun, &[answered(503)])?;
            differ(tape, key, &expected.small()?, &u32::from(verdict.attempts));
        }
    }
    // Nobody ever answers.
    let mut bench = Bench::new(tape, config, 1, 0);
    let begun = begin_with(&mut bench, &sent, true);
    let verdict = unfold(&mut bench, begun, &[])?;
    if let Some(expected) = expect.get("internal_timeout_ms") {
        let got = bench.now().since(Time::ZERO).as_millis();
        differ(tape, "internal_timeout_ms", &expected.whole()?, &got);
    }
    verdict_lines(tape, expect, verdict)?;
    Ok(())
}

/// `retry_sequence` without a sequence: the connection that a request goes on was closed meanwhile.
pub fn stale_connection(vector: &Node, tape: &Tape) -> Compared {
    if !vector.get("title").is_some_and(|title| title.text().is_ok_and(|text| text.contains("keep-alive"))) {
        return not_replayable("it does not list its attempts");
    }
    let expect = expectation(vector)?;
    let flags = expect.get("flags").map(Node::text).transpose()?;
    for (name, code) in expect.entries().iter().filter(|(name, _)| name != "flags") {
        let on = retry_on(code, &name.replace('_', "-"))?;
        let mut bench = Bench::new(tape, retrying(RetryPolicy { retry_on: on, ..RetryPolicy::envoy_default() }), 1, 0);
        let begun = bench.begin();
        let _ = play(&mut bench, begun, &[answered(200)])?;
        let begun = bench.begin();
        let closed = Outcome::Failed(Trouble::Reset { sent: true });
        let (_, verdict) = play(&mut bench, begun, &[closed, answered(200)])?;
        differ(tape, name, &code.small()?, &u32::from(verdict.status));
        if verdict.status != 200
            && let Some(flags) = flags
        {
            differ(tape, &format!("{name}: flags"), &flags.to_owned(), &verdict.flags.to_string());
        }
    }
    Ok(())
}

/// `retry_hosts` without a configuration: the first failure ejects its host.
pub fn ejected_meanwhile(vector: &Node, tape: &Tape) -> Compared {
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["path"])?;
    let Some(path) = expect.get("path") else { return not_replayable("it has no `config`") };
    // Of two hosts always the first that is seen as healthy, so that only the ejection moves the choice.
    let config = PolicyConfig {
        outlier_detection: Some(OutlierDetection {
            consecutive_5xx: 1,
            max_ejection_percent: 100,
            ..OutlierDetection::envoy_default()
        }),
        ..retrying(five_xx(1))
    };
    let mut bench = Bench::new(tape, config, 2, 0);
    let begun = bench.begin();
    let (got, _) = play(&mut bench, begun, &[answered(503), answered(200)])?;
    differ(tape, "path", &path.wholes()?, &got);
    Ok(())
}

/// `timeout` with a timeline: a request that is received bit by bit, and answered once it is complete.
pub fn slow_upload(vector: &Node, tape: &Tape) -> Compared {
    let config = vector.get("config");
    let length = |key: &str| config.and_then(|config| config.get(key)).map(Node::millis).transpose();
    let mut policy = boundless();
    policy.timeouts.request = length("timeout")?.map_or(Span::from_secs(15), Span::from_millis);
    policy.timeouts.per_try = length("per_try_timeout")?.map_or(Span::MAX, Span::from_millis);
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["code", "flags", "attempts", "at_ms"])?;
    let mut bench = Bench::new(tape, policy, 1, 0);
    let mut begun: Option<(Flight, Step)> = None;
    let mut verdict = None;
    for entry in vector.get("timeline").ok_or_else(|| vector.wrong("it needs `timeline`"))?.list()? {
        only(Some(entry), "a step", &["t", "op"])?;
        let need = |key: &str| entry.get(key).ok_or_else(|| entry.wrong(&format!("it needs `{key}`")));
        let at = Time::ZERO + Span::from_millis(need("t")?.millis()?);
        match (need("op")?.text()?, begun.as_mut()) {
            ("headers+half body", None) => {
                bench.advance(at, |_| {});
                begun = Some(bench.begin_as(|ask| Ask { complete: false, ..ask }));
            }
            // Then no time limit may have passed before; whatever did has its way.
            (op @ ("rest of body" | "answer"), Some((flight, Step::Try(attempt)))) => {
                let limit = attempt.give_up_at.min(flight.deadline());
                if verdict.is_none() && limit <= at {
                    bench.advance(limit, |_| {});
                    verdict = over(bench.report(flight, *attempt, Outcome::Failed(attempt.then)));
                }
                bench.advance(at, |_| {});
                if verdict.is_none() && op == "answer" {
                    verdict = over(bench.report(flight, *attempt, answered(200)));
                } else if let Some(anew) = bench.tell(|router, cx| Router::on_request_complete(router, cx, flight)) {
                    *attempt = anew;
                }
            }
            (op, _) => return not_replayable(format!("scsim does not know the step `{op}` here")),
        }
    }
    // Unless the vector says when, the endpoint answers as soon as it has the whole request.
    if let (None, Some((flight, Step::Try(attempt)))) = (verdict, begun.as_mut()) {
        verdict = over(bench.report(flight, *attempt, answered(200)));
    }
    let Some(verdict) = verdict else { return not_replayable("the request does not end") };
    verdict_lines(tape, expect, verdict)?;
    if let Some(at) = expect.get("at_ms") {
        differ(tape, "at_ms", &at.whole()?, &bench.now().since(Time::ZERO).as_millis());
    }
    Ok(())
}

fn over(step: Step) -> Option<Verdict> {
    if let Step::Done(verdict) = step { Some(verdict) } else { None }
}

/// `flags`: situations with the status and the flags that the caller and the log get.
pub fn flags(vector: &Node, tape: &Tape) -> Compared {
    let (mut held, mut unknown) = (0, Vec::new());
    for (situation, expected) in expectation(vector)?.entries() {
        let [code, flags] = expected.list()? else {
            return Err(expected.wrong("a code and flags were expected").into());
        };
        let (code, flags) = (code.text()?, flags.text()?);
        let Some(seen) = situation_named(situation, tape)? else {
            unknown.push(format!("`{situation}`"));
            continue;
        };
        for (status, verdict) in seen {
            let wanted = if code.ends_with("upstream code") { status.to_string() } else { code.to_owned() };
            let got = (verdict.status.to_string(), verdict.flags.to_string());
            held += usize::from(differ(tape, situation, &(wanted, flags.to_owned()), &got));
        }
    }
    if tape.holds() && !unknown.is_empty() {
        let what = unknown.join(", ");
        return not_replayable(format!("{held} situations hold; a listener or a route alone knows of {what}"));
    }
    Ok(())
}

/// How requests end in a situation, each with the last status that its endpoint gave. `None` if the
/// policy cannot come into it.
fn situation_named(name: &str, tape: &Tape) -> Result<Option<Vec<(u16, Verdict)>>, Halt> {
    let mut config = boundless();
    config.timeouts.request = Span::from_secs(15);
    let ends = |config: PolicyConfig, hosts: usize, endings: &[Outcome]| {
        let mut bench = Bench::new(tape, config, hosts, 0);
        let begun = bench.begin();
        play(&mut bench, begun, endings).map(|(_, verdict)| verdict)
    };
    let fails = |trouble| ends(boundless(), 1, &[Outcome::Failed(trouble)]).map(|verdict| vec![(0, verdict)]);
    let silent = |config: PolicyConfig, headers: &[(String, String)]| {
        let mut bench = Bench::new(tape, config, 1, 0);
        let begun = begin_with(&mut bench, headers, true);
        unfold(&mut bench, begun, &[]).map(|verdict| (0, verdict))
    };
    Ok(Some(match name {
        "no healthy host/empty cluster" => vec![(0, ends(config, 0, &[])?)],
        "connect refused" => {
            let mut bench = Bench::new(tape, config, 1, 0);
            bench.refuse = true;
            let begun = bench.begin();
            vec![(0, play(&mut bench, begun, &[])?.1)]
        }
        "connection lost before headers" => fails(Trouble::Reset { sent: true })?,
        "H2 RST_STREAM from upstream" => fails(Trouble::StreamReset)?,
        "bad upstream bytes / cut body" | "bad upstream bytes" => fails(Trouble::Protocol)?,
        "route or per-try timeout" => {
            let mut per_try = config.clone();
            per_try.timeouts.per_try = Span::from_millis(100);
            vec![silent(config, &[])?, silent(per_try, &[])?]
        }
        "per_try_idle_timeout" => {
            config.timeouts.per_try_idle = Span::from_millis(300);
            vec![silent(config, &[])?]
        }
        "upstream max_stream_duration" => {
            let header = ("x-envoy-upstream-stream-duration-ms".to_owned(), "300".to_owned());
            vec![silent(config, &[header])?]
        }
        "breaker" => {
            config.circuit_breakers.max_pending_requests = 0;
            vec![(0, ends(config, 1, &[])?)]
        }
        "retries used up" => vec![(502, ends(retrying(five_xx(1)), 1, &[answered(500), answered(502)])?)],
        "retry breaker full" => {
            let mut config = retrying(five_xx(1));
            config.circuit_breakers.max_retries = 0;
            vec![(500, ends(config, 1, &[answered(500)])?)]
        }
        "client gone" => {
            let mut bench = Bench::new(tape, config, 1, 0);
            let (flight, _) = bench.begin();
            vec![(0, bench.abandon(flight))]
        }
        _ => return Ok(None),
    }))
}
