//! Vectors of passive ejection: results by host over time, and who is out when.
//!
//! *Knows* how to make an attempt to a given host end in a given way. Where local failures are not
//! split off, all attempts are begun when their host is listed, so that they can also end while it
//! is out; in split mode getting a connection counts, so each begins when its result is due.

use super::Compared;
use super::Halt;
use super::bench::Bench;
use super::bench::answered;
use super::bench::boundless;
use super::differ;
use super::events::log_line;
use super::expectation;
use super::facts::detector_name;
use super::not_replayable;
use super::schema::host as host_in;
use super::schema::host_named;
use super::schema::hosts as schema_hosts;
use super::schema::only;
use super::schema::refused;
use super::schema::stranger;
use super::schema::unknown;
use super::tape::Tape;
use super::tape::shown;
use super::yaml::Node;
use crate::policy::Answer;
use crate::policy::Flight;
use crate::policy::Outcome;
use crate::policy::PolicyConfig;
use crate::policy::Step;
use crate::policy::Trouble;
use crate::policy::Try;
use crate::policy::config::LbPolicy;
use crate::policy::config::OutlierDetection;
use crate::policy::config::Pool;
use crate::policy::config::SetNumber;
use crate::policy::events::Action;
use crate::policy::events::Event;
use crate::policy::fact::Detector;
use crate::units::Span;
use crate::units::Time;

/// What can be expected of an instant.
const EXPECTED: [&str; 13] = [
    "ejected",
    "events",
    "events_last",
    "multiplier",
    "num_ejections",
    "overflow",
    "ejections_active",
    "detected",
    "stats",
    "event_log",
    "degraded",
    "sr_mean",
    "sr_threshold",
];

/// Results other than a status.
const RESULTS: [&str; 6] = ["connect_failed", "reset", "timeout", "overflow", "pool_ready", "client_disconnect"];

type Length = fn(&mut OutlierDetection, Span);

/// Counts and percents are read alike; the check of the configuration knows the difference.
fn numbers() -> impl Iterator<Item = (&'static str, SetNumber)> {
    OutlierDetection::COUNTS.into_iter().chain(OutlierDetection::PERCENTS)
}

/// In milliseconds. The base goes first: it moves the default of the maximum.
const LENGTHS: [(&str, Length); 4] = [
    ("base_ejection_time", |od, span| {
        od.base_ejection_time = span;
        od.max_ejection_time = od.max_ejection_time.max(span);
    }),
    ("max_ejection_time", |od, span| od.max_ejection_time = span),
    ("max_ejection_time_jitter", |od, span| od.max_ejection_time_jitter = span),
    ("interval", |od, span| od.interval = span),
];

/// All that have a name in vectors.
const DETECTORS: [Detector; Detector::COUNT] = [
    Detector::Consecutive5xx,
    Detector::ConsecutiveGatewayFailure,
    Detector::ConsecutiveLocalOriginFailure,
    Detector::SuccessRate,
    Detector::FailurePercentage,
    Detector::LocalOriginSuccessRate,
    Detector::LocalOriginFailurePercentage,
    Detector::Degraded,
    Detector::FailuresInWindow,
];

pub fn read(vector: &Node) -> Result<OutlierDetection, Halt> {
    let mut od = OutlierDetection::envoy_default();
    let Some(mut config) = vector.get("config") else { return Ok(od) };
    // As in Envoy's own file, too.
    if let Some(inner) = config.get("outlier_detection") {
        only(Some(config), "config", &["outlier_detection", "strict_envoy"])?;
        config = inner;
    }
    let known: Vec<&str> = numbers()
        .map(|(name, _)| name)
        .chain(LENGTHS.iter().map(|(name, _)| *name))
        .chain(OutlierDetection::SWITCHES.iter().map(|(name, _)| *name))
        .chain(["strict_envoy"])
        .collect();
    only(Some(config), "outlier_detection", &known)?;
    for (name, set) in numbers() {
        if let Some(node) = config.get(name) {
            set(&mut od, node.small()?);
        }
    }
    for (name, set) in LENGTHS {
        if let Some(node) = config.get(name) {
            set(&mut od, Span::from_millis(node.millis()?));
        }
    }
    for (name, set) in OutlierDetection::SWITCHES {
        if let Some(node) = config.get(name) {
            set(&mut od, node.truth()?);
        }
    }
    Ok(od)
}

/// Whether the configuration asks for 1.40's mistakes as well.
fn strict_envoy(vector: &Node) -> Result<bool, Halt> {
    let config = vector.get("config");
    let inner = config.and_then(|config| config.get("outlier_detection"));
    let node = [config, inner].into_iter().flatten().find_map(|node| node.get("strict_envoy"));
    Ok(node.map_or(Ok(false), Node::truth)?)
}

/// `config_error`: Envoy refuses the configuration, naming a field.
pub fn config_error(vector: &Node, tape: &Tape) -> Compared {
    let config = PolicyConfig { outlier_detection: Some(read(vector)?), ..boundless() };
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["error"])?;
    let expected = expect.get("error").map_or(Ok(""), Node::text)?;
    let problems = config.check().err().unwrap_or_default();
    let names_it = |field: &str| expected.contains(field.rsplit('.').next().unwrap_or(field));
    if problems.iter().any(|problem| names_it(problem.field)) {
        tape.compared("refused:", expected, expected, true);
        return Ok(());
    }
    let got: Vec<String> = problems.iter().map(|p| format!("{} {}", p.field, p.message)).collect();
    tape.compared("refused:", expected, &got.join("; "), false);
    Ok(())
}

/// One thing on the time line.
#[derive(Clone, Copy)]
enum Doing<'a> {
    Result(usize, &'a str),
    Remove(usize),
    Add(usize),
    Expect(&'a Node),
}

struct Stage<'a> {
    bench: Bench,
    hosts: Vec<String>,
    split: bool,
    steps: Vec<(u64, Doing<'a>)>,
    /// Attempts under way, by host.
    open: Vec<(usize, Flight, Try)>,
}

/// `outlier`: the whole time line.
pub fn timeline(vector: &Node, tape: &Tape) -> Compared {
    let od = read(vector)?;
    let hosts = schema_hosts(vector)?;
    let timeline = vector.get("timeline").ok_or_else(|| vector.wrong("it needs `timeline`"))?;
    let steps = steps(timeline, &hosts)?;
    let mut config = PolicyConfig {
        strict_envoy: strict_envoy(vector)?,
        outlier_detection: Some(od),
        lb_policy: LbPolicy::Random,
        // Every attempt makes its own connection, so that each may fail to.
        pool: Pool { max_requests_per_connection: 1, ..Pool::envoy_default() },
        ..boundless()
    };
    // Sweeps cost time, here too.
    let sweeps = steps.last().map_or(0, |(at, _)| at / od.interval.as_millis().max(1));
    if sweeps > 10_000_000 {
        return Err(timeline.wrong("at most 10000000 intervals can be replayed").into());
    }
    if let Err(problems) = config.check() {
        return Err(refused(vector, &problems).into());
    }
    let dice = [od.enforcing_consecutive_5xx, od.enforcing_consecutive_gateway_failure, od.enforcing_success_rate];
    if dice.iter().any(|percent| !matches!(percent, 0 | 100)) || !od.max_ejection_time_jitter.is_zero() {
        return not_replayable("it depends on a roll of dice");
    }
    let overflows = steps.iter().any(|(_, doing)| matches!(doing, Doing::Result(_, "overflow")));
    if overflows {
        if steps.iter().any(|(_, doing)| matches!(doing, Doing::Result(_, other) if *other != "overflow")) {
            return not_replayable("breaker overflow among other results");
        }
        config.circuit_breakers.max_pending_requests = 0;
    }
    let mut bench = Bench::new(tape, config, hosts.len(), 0);
    bench.terse = true;
    let split = od.split_external_local_origin_errors;
    let mut stage = Stage { bench, hosts, split, steps: steps.clone(), open: Vec::new() };
    if !overflows {
        for host in 0..stage.hosts.len() {
            stage.begin_all(host, 0)?;
        }
    }
    for (i, (at, doing)) in steps.iter().enumerate() {
        stage.bench.advance(Time::ZERO + Span::from_millis(*at), |_| {});
        match *doing {
            Doing::Result(host, result) => stage.result(host, result)?,
            Doing::Remove(host) => {
                let left = stage.bench.listed.iter().copied().filter(|&member| member != host as u64).collect();
                stage.bench.list(left);
                stage.abandon_all(host);
            }
            Doing::Add(host) => {
                let mut members = stage.bench.listed.clone();
                if members.contains(&(host as u64)) {
                    return Err(timeline.wrong(&format!("add_host: {} is in the list", stage.hosts[host])).into());
                }
                members.push(host as u64);
                stage.bench.list(members);
                stage.begin_all(host, i)?;
            }
            Doing::Expect(expect) => {
                tape.heading(expect.line);
                stage.compare(expect, tape)?;
            }
        }
    }
    Ok(())
}

/// A result that there is.
fn result_of(node: &Node) -> Result<&str, Halt> {
    let word = node.text()?;
    let status = word.strip_suffix("+degraded").unwrap_or(word);
    match status.parse::<i64>() {
        Ok(status) if (100..600).contains(&status) => Ok(word),
        Ok(_) => Err(node.wrong(&format!("`{word}` is no status: write one from 100 to 599")).into()),
        Err(_) if RESULTS.contains(&word) => Ok(word),
        Err(_) => Err(unknown(node, "result", word, &RESULTS)),
    }
}

/// The time line with repetitions written out, in order of time.
fn steps<'a>(timeline: &'a Node, hosts: &[String]) -> Result<Vec<(u64, Doing<'a>)>, Halt> {
    let mut steps = Vec::new();
    let mut expects = false;
    for step in timeline.list()? {
        only(Some(step), "a step", &["t", "host", "result", "repeat", "every", "op", "expect"])?;
        let at = step.get("t").ok_or_else(|| step.wrong("a step needs `t`"))?.millis()?;
        let host = match step.get("host") {
            None => None,
            Some(node) => Some(host_in(node, hosts)?),
        };
        if host.is_some() && step.get("result").or(step.get("op")).is_none() {
            return Err(step.wrong("a step with `host` needs `result` or `op` as well").into());
        }
        let needs_host = || host.ok_or_else(|| step.wrong("a step with a result or an op needs `host`"));
        if let Some(result) = step.get("result") {
            let (host, result) = (needs_host()?, result_of(result)?);
            let repeat = step.get("repeat").map_or(Ok(1), Node::whole)?;
            let every = step.get("every").map_or(Ok(0), Node::millis)?;
            if repeat > 100_000 {
                return Err(step.wrong("at most 100000 repetitions").into());
            }
            steps
                .extend((0..repeat).map(|i| (at.saturating_add(i.saturating_mul(every)), Doing::Result(host, result))));
        }
        if let Some(op) = step.get("op") {
            let host = needs_host()?;
            match op.text()? {
                "remove_host" => steps.push((at, Doing::Remove(host))),
                "add_host" => steps.push((at, Doing::Add(host))),
                other => return Err(unknown(op, "op", other, &["remove_host", "add_host"])),
            }
        }
        if let Some(expect) = step.get("expect") {
            expects = true;
            steps.push((at, Doing::Expect(expect)));
        }
    }
    if !expects {
        return Err(timeline.wrong("a time line expects something at some instant").into());
    }
    steps.sort_by_key(|(at, _)| *at);
    Ok(steps)
}

impl Stage<'_> {
    /// Begins the attempts whose results come before the host leaves the list.
    fn begin_all(&mut self, host: usize, from: usize) -> Result<(), Halt> {
        if self.split {
            return Ok(());
        }
        let rest = self.steps[from..].iter().skip(usize::from(from > 0));
        let here = rest.take_while(|(_, doing)| !matches!(doing, Doing::Remove(gone) if *gone == host));
        let results = here.filter(|(_, doing)| matches!(doing, Doing::Result(of, _) if *of == host)).count();
        for _ in 0..results {
            self.begin(host)?;
        }
        Ok(())
    }

    /// Begins an attempt that gets a connection to the host.
    fn begin(&mut self, host: usize) -> Result<(), Halt> {
        let Some(word) = self.bench.word_for(host as u64) else {
            return not_replayable(format!("the balancer sends nothing to {}, which is out", self.hosts[host]));
        };
        self.bench.set_word(word);
        let (flight, step) = self.bench.begin();
        match step {
            Step::Try(attempt) if attempt.member.0 == host as u64 => {
                self.open.push((host, flight, attempt));
                Ok(())
            }
            other => not_replayable(format!("an attempt on {} became {other:?}", self.hosts[host])),
        }
    }

    fn abandon_all(&mut self, host: usize) {
        for (of, flight, attempt) in std::mem::take(&mut self.open) {
            if of == host {
                self.bench.abandon(flight);
            } else {
                self.open.push((of, flight, attempt));
            }
        }
    }

    fn result(&mut self, host: usize, result: &str) -> Result<(), Halt> {
        let outcome = match result {
            "connect_failed" => Outcome::Failed(Trouble::ConnectRefused),
            "reset" => Outcome::Failed(Trouble::Reset { sent: true }),
            "timeout" => Outcome::Failed(Trouble::Timeout),
            "overflow" => {
                self.bench.set_word(0);
                let (_, step) = self.bench.begin();
                return match step {
                    Step::Done(_) => Ok(()),
                    other => not_replayable(format!("no overflow, but {other:?}")),
                };
            }
            // Without the split, getting a connection changes nothing; the reserve stays open.
            "pool_ready" => return if self.split { self.begin(host) } else { Ok(()) },
            "client_disconnect" => {
                let (flight, _) = self.take(host)?;
                self.bench.abandon(flight);
                return Ok(());
            }
            code => match code.strip_suffix("+degraded").unwrap_or(code).parse() {
                Ok(status) if (100..600).contains(&status) && code.ends_with("+degraded") => {
                    Outcome::Answered(Answer { degraded: true, ..Answer::of(status) })
                }
                Ok(status) if (100..600).contains(&status) => answered(status),
                _ => return not_replayable(format!("scsim does not know the result `{code}`")),
            },
        };
        if self.split && result == "connect_failed" {
            let Some(word) = self.bench.word_for(host as u64) else {
                return not_replayable(format!("the balancer sends nothing to {}, which is out", self.hosts[host]));
            };
            self.bench.set_word(word);
            self.bench.refuse = true;
            let (_, step) = self.bench.begin();
            self.bench.refuse = false;
            return match step {
                Step::Done(_) => Ok(()),
                other => not_replayable(format!("a refused connection became {other:?}")),
            };
        }
        // A status says that a connection was got just before; other results end one that was got.
        if self.split && matches!(outcome, Outcome::Answered(_)) {
            self.begin(host)?;
        }
        let (mut flight, attempt) = self.take(host)?;
        let _ = self.bench.report(&mut flight, attempt, outcome);
        Ok(())
    }

    /// An attempt on the host that is under way; in split mode one that begins now if there is none.
    fn take(&mut self, host: usize) -> Result<(Flight, Try), Halt> {
        if !self.open.iter().any(|(of, ..)| *of == host) {
            self.begin(host)?;
        }
        match self.open.iter().position(|(of, ..)| *of == host) {
            Some(at) => {
                let (_, flight, attempt) = self.open.remove(at);
                Ok((flight, attempt))
            }
            None => not_replayable(format!("no attempt on {} is under way", self.hosts[host])),
        }
    }

    fn name(&self, endpoint: crate::policy::EndpointId) -> String {
        self.hosts.get(self.bench.member(endpoint) as usize).cloned().unwrap_or_else(|| "?".to_owned())
    }

    /// What Envoy's event log would have.
    fn events(&self) -> Vec<(Time, Vec<String>)> {
        let line = |event: &Event| {
            let mut line = vec![event.action.name().to_ascii_lowercase(), self.name(event.endpoint)];
            if event.action == Action::Eject {
                line.extend([detector_name(event.detector), event.enforced.to_string()]);
            }
            line
        };
        self.bench.events.iter().map(|(at, event)| (*at, line(event))).collect()
    }

    fn detected(&self, name: &str) -> u64 {
        DETECTORS
            .into_iter()
            .filter(|&detector| detector_name(detector) == name)
            .map(|detector| self.bench.router.ejection_stats().detected(detector))
            .sum()
    }

    fn compare(&self, expect: &Node, tape: &Tape) -> Result<(), Halt> {
        for (key, node) in expect.entries() {
            match key.as_str() {
                "ejected" => {
                    let out = |host: usize| self.bench.standing(host as u64).is_some_and(|standing| standing.ejected);
                    let mut got: Vec<String> =
                        (0..self.hosts.len()).filter(|&host| out(host)).map(|host| self.hosts[host].clone()).collect();
                    let mut expected = node.words()?;
                    node.list()?.iter().try_for_each(|name| host_in(name, &self.hosts).map(|_| ()))?;
                    got.sort();
                    expected.sort();
                    differ(tape, key, &expected, &got);
                }
                "events" => {
                    let expected: Vec<Vec<String>> = node.list()?.iter().map(Node::words).collect::<Result<_, _>>()?;
                    let got: Vec<Vec<String>> = self.events().into_iter().map(|(_, event)| event).collect();
                    differ(tape, key, &expected, &got);
                }
                "events_last" => {
                    let expected = node.words()?;
                    let mut got = self.events().pop().map_or(Vec::new(), |(_, event)| event);
                    got.truncate(expected.len());
                    differ(tape, key, &expected, &got);
                }
                "multiplier" | "num_ejections" => {
                    for (name, number) in node.entries() {
                        let host = host_named(number, name, &self.hosts)?;
                        let got = self.bench.standing(host as u64);
                        let got = got.map_or(0, |s| if key == "multiplier" { s.multiplier } else { s.ejections });
                        differ(tape, &format!("{key} of {name}"), &number.small()?, &got);
                    }
                }
                "overflow" => {
                    differ(tape, key, &node.whole()?, &self.bench.router.ejection_stats().overflow);
                }
                "ejections_active" => {
                    differ(tape, key, &node.small()?, &self.bench.router.ejected());
                }
                "detected" => {
                    for (name, number) in node.entries() {
                        let known = DETECTORS.map(detector_name);
                        if !known.contains(name) {
                            let known: Vec<&str> = known.iter().map(String::as_str).collect();
                            return Err(unknown(number, "detector", name, &known));
                        }
                        differ(tape, &format!("detected {name}"), &number.whole()?, &self.detected(name));
                    }
                }
                "stats" => {
                    for (name, number) in node.entries() {
                        let stats = self.bench.router.ejection_stats();
                        let Some((_, got)) = stats.named().find(|(known, _)| known == name) else {
                            let known: Vec<&str> = stats.named().map(|(known, _)| known).collect();
                            return Err(unknown(number, "statistic", name, &known));
                        };
                        differ(tape, name, &number.whole()?, &got);
                    }
                }
                "event_log" => {
                    let expected: Vec<String> = node.words()?;
                    let got = self.bench.events.iter();
                    let got: Vec<String> = got.map(|(_, event)| log_line(event, &self.name(event.endpoint))).collect();
                    differ(tape, key, &expected, &got);
                }
                "degraded" => {
                    let degraded = |host: usize| self.bench.standing(host as u64).is_some_and(|s| s.degraded);
                    let hosts = (0..self.hosts.len()).filter(|&host| degraded(host));
                    let got: Vec<String> = hosts.map(|host| self.hosts[host].clone()).collect();
                    differ(tape, key, &node.words()?, &got);
                }
                "sr_mean" | "sr_threshold" => {
                    let rates = self.bench.router.success_rates();
                    let got = rates.map(|rates| if key == "sr_mean" { rates.mean } else { rates.threshold });
                    // Vectors give three decimals.
                    let expected = node.number()?;
                    let same = got.is_some_and(|got| (got - expected).abs() < 0.000_6);
                    tape.compared(key, &expected.to_string(), &shown(&got), same);
                }
                other => return Err(stranger(node.named_at, "expect", other, &EXPECTED)),
            }
        }
        Ok(())
    }
}
