//! Vectors of connections: breakers, pools, draining and TCP.
//!
//! *Knows* how to bring about the situations that the titles of these kinds describe. A situation
//! in words is set up by the key that states its outcome; a key without one is not replayable.

use super::Compared;
use super::Halt;
use super::bench::Bench;
use super::bench::answered;
use super::bench::boundless;
use super::differ;
use super::expectation;
use super::not_replayable;
use super::schema::only;
use super::schema::refused;
use super::schema::stranger;
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
use crate::policy::Try;
use crate::policy::Verdict;
use crate::policy::config::LbPolicy;
use crate::policy::config::OutlierDetection;
use crate::policy::config::PoolProtocol;
use crate::policy::config::RetryOn;
use crate::policy::config::RetryPolicy;
use crate::policy::config::TcpProxy;
use crate::units::Span;

/// Round robin from the first endpoint on, pools as Envoy has them.
fn even() -> PolicyConfig {
    PolicyConfig { lb_policy: LbPolicy::RoundRobin, ..boundless() }
}

const SETTINGS: [&str; 8] = [
    "max_connections",
    "max_pending_requests",
    "max_requests",
    "per_host_max_connections",
    "max_requests_per_connection",
    "max_concurrent_streams",
    "peer_max_concurrent_streams",
    "preconnect_ratio",
];

/// Breakers and pool from a vector's `config`; what the peers say of streams comes second.
fn read(vector: &Node) -> Result<(PolicyConfig, Option<u32>), Halt> {
    let mut config = even();
    let node = vector.get("config");
    only(node, "config", &SETTINGS)?;
    let number = |key: &str| node.and_then(|node| node.get(key)).map(Node::small).transpose();
    let or = |key: &str, default: u32| Ok::<u32, Halt>(number(key)?.unwrap_or(default));
    let breakers = &mut config.circuit_breakers;
    breakers.max_connections = or("max_connections", u32::MAX)?;
    breakers.max_pending_requests = or("max_pending_requests", u32::MAX)?;
    breakers.max_requests = or("max_requests", u32::MAX)?;
    breakers.per_host_max_connections = or("per_host_max_connections", u32::MAX)?;
    config.pool.max_requests_per_connection = or("max_requests_per_connection", 0)?;
    if let Some(max_concurrent_streams) = number("max_concurrent_streams")? {
        config.pool.protocol = PoolProtocol::Http2 { max_concurrent_streams };
    }
    if let Some(ratio) = node.and_then(|node| node.get("preconnect_ratio")) {
        config.pool.preconnect_percent = (ratio.number()? * 100.0).round() as u32;
    }
    if let Err(problems) = config.check() {
        return Err(refused(vector, &problems).into());
    }
    Ok((config, number("peer_max_concurrent_streams")?))
}

/// Requests that began at once.
struct Crowd {
    open: Vec<(Flight, Try)>,
    waiting: Vec<Flight>,
    over: Vec<Verdict>,
}

impl Crowd {
    /// Begins them all before any connection stands; then the connections that were asked for do.
    fn begin(bench: &mut Bench, n: u64, streams: Option<u32>) -> Crowd {
        bench.hold = true;
        let mut crowd = Crowd { open: Vec::new(), waiting: Vec::new(), over: Vec::new() };
        for _ in 0..n {
            let (flight, step) = bench.begin();
            crowd.sort(flight, step);
        }
        bench.hold = false;
        bench.connect_all();
        if let Some(streams) = streams {
            for (conn, _) in bench.conns.clone() {
                bench.tell(|router, cx| router.on_settings(cx, conn, streams));
            }
        }
        crowd.look(bench);
        crowd
    }

    fn sort(&mut self, flight: Flight, step: Step) {
        match step {
            Step::Try(attempt) => self.open.push((flight, attempt)),
            Step::Done(verdict) => self.over.push(verdict),
            Step::Wait { .. } | Step::Resolve => self.waiting.push(flight),
        }
    }

    /// Steps those that wait.
    fn look(&mut self, bench: &mut Bench) {
        for mut flight in std::mem::take(&mut self.waiting) {
            let step = bench.step(&mut flight);
            self.sort(flight, step);
        }
    }

    /// All are answered, in the order in which they got their connections.
    fn finish(mut self, bench: &mut Bench) -> Result<Vec<Verdict>, Halt> {
        while !self.open.is_empty() {
            for (mut flight, attempt) in std::mem::take(&mut self.open) {
                let step = bench.report(&mut flight, attempt, answered(200));
                self.sort(flight, step);
            }
            self.look(bench);
        }
        if self.waiting.is_empty() { Ok(self.over) } else { not_replayable("a request waits for ever") }
    }
}

/// How many requests begin at once, and among how many endpoints.
fn crowd_of(vector: &Node) -> Result<(u64, usize), Halt> {
    let Some(n) = vector.get("concurrent") else { return not_replayable("it does not say how many at once") };
    let hosts = vector.get("hosts").map_or(Ok(1), |hosts| hosts.words().map(|names| names.len()))?;
    let n = n.whole()?;
    if n > 10_000 { not_replayable("at most 10000 at once") } else { Ok((n, hosts)) }
}

/// `breaker`: many requests at once meet cold pools; who is served, who is turned away?
pub fn breaker(vector: &Node, tape: &Tape) -> Compared {
    let (n, hosts) = crowd_of(vector)?;
    let (mut config, streams) = read(vector)?;
    // Were an overflow retriable, it would be retried.
    config.retry_policy = Some(RetryPolicy { retry_on: RetryOn::FIVE_XX, ..RetryPolicy::envoy_default() });
    let mut bench = Bench::new(tape, config, hosts, 0);
    let verdicts = Crowd::begin(&mut bench, n, streams).finish(&mut bench)?;
    let (ok, rejected): (Vec<_>, Vec<_>) = verdicts.into_iter().partition(|verdict| verdict.status == 200);
    let stats = bench.router.pool_stats();
    for (key, node) in expectation(vector)?.entries() {
        let count = match key.as_str() {
            "ok" => ok.len() as u64,
            "rejected" => rejected.len() as u64,
            "retried" => bench.facts.iter().filter(|(_, fact)| matches!(fact, Fact::Retrying { .. })).count() as u64,
            "active_overflow" => stats.upstream_rq_active_overflow,
            "pending_overflow" => stats.upstream_rq_pending_overflow,
            "cx_overflow" => stats.upstream_cx_overflow,
            "flags" => {
                let names = |verdict: &Verdict| {
                    let flags = Flag::ALL.into_iter().filter(|flag| verdict.flags.has(*flag)).map(Flag::name);
                    flags.collect::<Vec<_>>().join(",")
                };
                let expected = vec![node.text()?.to_owned(); rejected.len()];
                differ(tape, key, &expected, &rejected.iter().map(names).collect());
                continue;
            }
            "header" => {
                // Envoy adds it where a breaker turned the request away, and nowhere else.
                if node.text()? != "x-envoy-overloaded: true" {
                    return not_replayable("scsim does not know that header");
                }
                let limited = bench.facts.iter().filter(|(_, fact)| matches!(fact, Fact::LimitHit(_))).count();
                differ(tape, "turned away by a breaker", &rejected.len(), &limited);
                continue;
            }
            "conns" => {
                let got = (0..hosts as u64).map(|host| bench.made.iter().filter(|to| **to == host).count() as u64);
                differ(tape, key, &node.wholes()?, &got.collect());
                continue;
            }
            other => {
                return Err(stranger(
                    node.named_at,
                    "expect",
                    other,
                    &[
                        "ok",
                        "rejected",
                        "retried",
                        "active_overflow",
                        "pending_overflow",
                        "cx_overflow",
                        "flags",
                        "header",
                        "conns",
                    ],
                ));
            }
        };
        differ(tape, key, &node.whole()?, &count);
    }
    Ok(())
}

/// `pool`: which connections requests get, and how many are made.
pub fn pool(vector: &Node, tape: &Tape) -> Compared {
    let (config, streams) = read(vector)?;
    let made = |config: PolicyConfig, n: u64| -> Result<u64, Halt> {
        let mut bench = Bench::new(tape, config, 1, 0);
        let crowd = Crowd::begin(&mut bench, n, streams);
        let made = bench.made.len() as u64;
        crowd.finish(&mut bench)?;
        Ok(made)
    };
    let http2 = |max_concurrent_streams: u32| {
        let mut config = config.clone();
        config.pool.protocol = PoolProtocol::Http2 { max_concurrent_streams };
        config
    };
    let ratio = |preconnect_percent: u32| {
        let mut config = config.clone();
        config.pool.preconnect_percent = preconnect_percent;
        config
    };
    for (key, node) in expectation(vector)?.entries() {
        // The numbers of requests are those of the titles.
        let got = match key.as_str() {
            "conn_of_request" => {
                let expected = node.wholes()?;
                let mut bench = Bench::new(tape, config.clone(), 1, 0);
                let got = serial(&mut bench, expected.len())?;
                differ(tape, key, &expected, &got);
                continue;
            }
            "conn_of_8_serial_requests" => {
                let mut bench = Bench::new(tape, config.clone(), 1, 0);
                Crowd::begin(&mut bench, 4, streams).finish(&mut bench)?;
                let got = serial(&mut bench, 8)?;
                differ(tape, key, &node.wholes()?, &got);
                continue;
            }
            "conns_limit4" => made(http2(4), 8)?,
            "conns_default" => made(http2(1024), 20)?,
            "preconnect" => made(ratio(200), 3)?,
            "default" => made(ratio(100), 3)?,
            "conns" => made(config.clone(), crowd_of(vector)?.0)?,
            other => {
                return Err(stranger(
                    node.named_at,
                    "expect",
                    other,
                    &[
                        "conn_of_request",
                        "conn_of_8_serial_requests",
                        "conns_limit4",
                        "conns_default",
                        "preconnect",
                        "default",
                        "conns",
                    ],
                ));
            }
        };
        differ(tape, key, &node.whole()?, &got);
    }
    Ok(())
}

/// The connections of requests that come one after another, numbered from 1 in order of making.
fn serial(bench: &mut Bench, n: usize) -> Result<Vec<u64>, Halt> {
    let mut seen: Vec<_> = bench.conns.iter().map(|(conn, _)| *conn).collect();
    let mut got = Vec::new();
    for _ in 0..n {
        let (mut flight, step) = bench.begin();
        let Step::Try(attempt) = step else { return not_replayable(format!("a request became {step:?}")) };
        let at = seen.iter().position(|conn| *conn == attempt.conn).unwrap_or_else(|| {
            seen.push(attempt.conn);
            seen.len() - 1
        });
        got.push(at as u64 + 1);
        let _ = bench.report(&mut flight, attempt, answered(200));
    }
    Ok(got)
}

/// A request to the first endpoint, under way, beside an idle connection to it.
fn under_way(bench: &mut Bench) -> Result<(Flight, Try), Halt> {
    let mut open = Crowd::begin(bench, 2, None).open;
    if open.len() != 2 || open.iter().any(|(_, attempt)| attempt.member.0 != 0) {
        return not_replayable("two requests at once do not get two connections to the first endpoint");
    }
    let (kept, (mut flight, attempt)) = (open.remove(0), open.remove(0));
    let _ = bench.report(&mut flight, attempt, answered(200));
    Ok(kept)
}

/// `pool_on_ejection`: an endpoint with one idle and one busy connection is ejected.
pub fn on_ejection(vector: &Node, tape: &Tape) -> Compared {
    only(vector.get("config"), "config", &[])?;
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["idle_closed", "inflight_finish"])?;
    let od = OutlierDetection { consecutive_5xx: 1, max_ejection_percent: 100, ..OutlierDetection::envoy_default() };
    // The merge window is the default: draining does not wait for it.
    let mut bench = Bench::new(
        tape,
        PolicyConfig {
            outlier_detection: Some(od),
            lb_policy: LbPolicy::FirstListed,
            update_merge_window: Span::from_secs(1),
            ..boundless()
        },
        2,
        0,
    );
    let (mut flight, attempt) = under_way(&mut bench)?;
    // The idle connection carries the failure that ejects: it is kept, and idle when the drain comes.
    let mut third = Crowd::begin(&mut bench, 2, None).open;
    if third.len() != 2 {
        return not_replayable("there are no three connections");
    }
    let ((mut idle, idle_try), (mut fails, fails_try)) = (third.remove(0), third.remove(0));
    let _ = bench.report(&mut idle, idle_try, answered(200));
    let before = bench.conns_to(0);
    let _ = bench.report(&mut fails, fails_try, answered(500));
    let ejected = bench.router.ejected() == 1;
    if before != 3 || !ejected {
        return not_replayable(format!("{before} connections, ejected: {ejected}"));
    }
    if let Some(expected) = expect.get("idle_closed") {
        let only_busy = bench.conns.iter().all(|(conn, to)| *to != 0 || *conn == attempt.conn);
        differ(tape, "idle_closed", &expected.truth()?, &only_busy);
    }
    if let Some(expected) = expect.get("inflight_finish") {
        let kept = bench.conns.iter().any(|(conn, _)| *conn == attempt.conn);
        let step = bench.report(&mut flight, attempt, answered(200));
        let done = matches!(step, Step::Done(verdict) if verdict.status == 200);
        differ(tape, "inflight_finish", &expected.truth()?, &(kept && done && bench.conns_to(0) == 0));
    }
    Ok(())
}

/// `pool_on_retry`: twenty requests fail at the first endpoint and are retried at the second.
pub fn on_retry(vector: &Node, tape: &Tape) -> Compared {
    only(vector.get("config"), "config", &[])?;
    for (key, node) in expectation(vector)?.entries() {
        let body = match key.as_str() {
            "with_body_conns" => true,
            "empty_body_conns" => false,
            other => return Err(stranger(node.named_at, "expect", other, &["with_body_conns", "empty_body_conns"])),
        };
        let retry_policy = Some(RetryPolicy { retry_on: RetryOn::FIVE_XX, ..RetryPolicy::envoy_default() });
        let config = PolicyConfig { retry_policy, lb_policy: LbPolicy::FirstListed, ..boundless() };
        let mut bench = Bench::new(tape, config, 2, 0);
        let mut hits = 0;
        for _ in 0..20 {
            let (mut flight, mut step) = bench.begin();
            loop {
                match step {
                    Step::Try(attempt) if attempt.member.0 == 0 => {
                        hits += 1;
                        let outcome = Outcome::Answered(Answer::of(503).with_body(body));
                        step = bench.report(&mut flight, attempt, outcome);
                    }
                    Step::Try(attempt) => step = bench.report(&mut flight, attempt, answered(200)),
                    Step::Wait { until: Some(until) } => {
                        bench.advance(until, |_| {});
                        step = bench.step(&mut flight);
                    }
                    Step::Done(verdict) if verdict.status == 200 => break,
                    other => return not_replayable(format!("a request became {other:?}")),
                }
            }
        }
        if hits != 20 {
            return not_replayable(format!("{hits} hits instead of 20"));
        }
        let made = bench.made.iter().filter(|to| **to == 0).count() as u64;
        differ(tape, key, &node.whole()?, &made);
    }
    Ok(())
}

/// `eds`: an endpoint with one idle and one busy connection leaves the list.
pub fn removal(vector: &Node, tape: &Tape) -> Compared {
    only(vector.get("config"), "config", &[])?;
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["inflight_code", "conn_closed_after"])?;
    let mut bench = Bench::new(tape, PolicyConfig { lb_policy: LbPolicy::FirstListed, ..boundless() }, 3, 0);
    let (mut flight, attempt) = under_way(&mut bench)?;
    bench.list(vec![1, 2]);
    // What the title says besides.
    let left: Vec<_> = bench.conns.iter().filter(|(_, to)| *to == 0).map(|(conn, _)| *conn).collect();
    differ(tape, "connections to it while one is busy", &vec![attempt.conn], &left);
    for _ in 0..6 {
        let (mut other, step) = bench.begin();
        let Step::Try(elsewhere) = step else { return not_replayable(format!("a request became {step:?}")) };
        if elsewhere.member.0 == 0 {
            tape.wrong("a request went to the endpoint that had left");
        }
        let _ = bench.report(&mut other, elsewhere, answered(200));
    }
    let step = bench.report(&mut flight, attempt, answered(200));
    let code = if let Step::Done(verdict) = step { verdict.status } else { 0 };
    if let Some(expected) = expect.get("inflight_code") {
        differ(tape, "inflight_code", &expected.small()?, &u32::from(code));
    }
    if let Some(expected) = expect.get("conn_closed_after") {
        differ(tape, "conn_closed_after", &expected.truth()?, &(bench.conns_to(0) == 0));
    }
    Ok(())
}

/// `tcp`: a proxy of bytes between two endpoints, the first of which refuses connections, or ends
/// those that it accepted.
pub fn tcp(vector: &Node, tape: &Tape) -> Compared {
    let config = vector.get("config");
    only(config, "config", &["max_connect_attempts"])?;
    let setting = config.and_then(|config| config.get("max_connect_attempts"));
    let max_connect_attempts = setting.map_or(Ok(1), Node::small)?;
    let hosts = vector.get("hosts").map_or(Ok(2), |hosts| hosts.words().map(|names| names.len()))?;
    let expect = expectation(vector)?;
    for (key, node) in expect.entries() {
        match key.as_str() {
            "failed" | "failed_before_ejection" => {
                let mut bench = tcp_bench(tape, max_connect_attempts, hosts, false);
                bench.refuses = Some(0);
                let mut failed = 0;
                let begun = bench.now();
                for _ in 0..16 {
                    let (mut flight, step) = bench.begin();
                    match step {
                        Step::Try(attempt) => {
                            let _ = bench.report(&mut flight, attempt, answered(200));
                        }
                        Step::Done(verdict) => {
                            failed += 1;
                            let flags = [Flag::Urx, Flag::Uf].iter().all(|flag| verdict.flags.has(*flag));
                            differ(tape, "URX,UF", &true, &flags);
                        }
                        other => return not_replayable(format!("a connection became {other:?}")),
                    }
                }
                differ(tape, "no back-off: ms passed", &0, &bench.now().since(begun).as_millis());
                differ(tape, "out", &1, &bench.router.ejected());
                differ(tape, key, &node.whole()?, &failed);
            }
            "events" => {
                let expected: Vec<Vec<String>> = node.list()?.iter().map(Node::words).collect::<Result<_, _>>()?;
                for split in [false, true] {
                    let mut bench = tcp_bench(tape, max_connect_attempts, hosts, split);
                    // Twelve resets and twelve answers of 503, as bytes, at each endpoint.
                    for i in 0..24 * hosts {
                        let (mut flight, step) = bench.begin();
                        let Step::Try(attempt) = step else {
                            return not_replayable(format!("a connection became {step:?}"));
                        };
                        let reset = Outcome::Failed(Trouble::Reset { sent: true });
                        let outcome = if i < 12 * hosts { reset } else { answered(503) };
                        let _ = bench.report(&mut flight, attempt, outcome);
                    }
                    let got = bench.events.iter().map(|(_, event)| vec![event.to_string()]).collect();
                    differ(tape, "events", &expected, &got);
                    differ(tape, "connections made", &(24 * hosts), &bench.made.len());
                    differ(tape, "connections left", &0, &bench.conns.len());
                }
            }
            other => {
                return Err(stranger(node.named_at, "expect", other, &["failed", "failed_before_ejection", "events"]));
            }
        }
    }
    Ok(())
}

fn tcp_bench(tape: &Tape, max_connect_attempts: u32, hosts: usize, split: bool) -> Bench {
    let od = OutlierDetection {
        max_ejection_percent: 100,
        split_external_local_origin_errors: split,
        ..OutlierDetection::envoy_default()
    };
    let mut config = PolicyConfig { outlier_detection: Some(od), ..even() };
    config.pool.protocol = PoolProtocol::Tcp(TcpProxy { max_connect_attempts: max_connect_attempts.clamp(1, 250) });
    Bench::new(tape, config, hosts, 0)
}
