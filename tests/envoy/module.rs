//! A case on scsim's router, in simulated time.
//!
//! *Knows* the contract of the policy and how hosts act. *Does not know* what Envoy did, except the
//! random start that it is told.

use super::case::Case;
use super::case::Event;
use super::case::Family;
use super::case::GAP;
use super::case::Host;
use super::case::Name;
use super::case::Played;
use super::case::Seen;
use super::envoy::upstreams::Act;
use super::hash::xxh64;
use super::real::Observed;
use scsim::policy::Answer;
use scsim::policy::Ask;
use scsim::policy::AttemptNo;
use scsim::policy::ConnKey;
use scsim::policy::Cx;
use scsim::policy::EndpointId;
use scsim::policy::Entropy;
use scsim::policy::Fact;
use scsim::policy::Flag;
use scsim::policy::Flight;
use scsim::policy::Member;
use scsim::policy::MemberKey;
use scsim::policy::Outcome;
use scsim::policy::RequestKey;
use scsim::policy::Router;
use scsim::policy::Step;
use scsim::policy::Trouble;
use scsim::policy::Try;
use scsim::policy::Upkeep;
use scsim::policy::Verdict;
use scsim::policy::config::RetryPolicy;
use scsim::policy::fact::Denial;
use scsim::policy::fact::Detector;
use scsim::policy::fact::Limit;
use scsim::policy::fact::NotEjected;
use scsim::policy::headers;
use scsim::units::Span;
use scsim::units::Time;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::Arc;

/// An act takes this long where it says nothing else; the network is in it.
const PROMPT: Span = Span::from_millis(1);

/// What a play led to, and how far it can be held against Envoy.
pub struct Outcomes {
    pub played: Played,
    /// From here on Envoy may differ for a reason that is none of the module's, and which.
    pub uncertain: Option<(Time, &'static str)>,
    /// When each request began and ended, in the case's time.
    pub times: BTreeMap<Name, (Time, Time)>,
}

/// The router's words: its start first, then one that lies in the middle of every back-off and
/// rolls, of a hundred, one or a hundred.
struct Words {
    start: Option<u64>,
    /// The next roll is the highest.
    high: bool,
}

impl Entropy for Words {
    fn next_u64(&mut self) -> u64 {
        self.start.take().unwrap_or(if self.high { 10_099 } else { 10_000 })
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Due {
    /// The request of that name begins.
    Begin(Name),
    /// The attempt of that flight ends as its host acts.
    End(usize, u8),
    /// Its time is up.
    GiveUp(usize, u8),
    /// The flight asked to be stepped.
    Step(usize),
}

struct Running {
    flight: Flight,
    name: Name,
    /// How its attempts end: by time, and by their hosts.
    attempts: BTreeMap<u8, (Trouble, Outcome)>,
    hosts: Vec<usize>,
    began: Time,
    /// A breaker was full when it wanted a connection.
    turned_away: bool,
    done: bool,
}

/// What is known of an endpoint's multiplier, to tell where one microsecond decides in Envoy.
#[derive(Clone, Copy, Default)]
struct Return {
    at: Time,
    multiplier: u32,
}

struct Play<'a> {
    case: &'a Case,
    observed: &'a Observed,
    router: Router,
    now: Time,
    words: Words,
    facts: Vec<(Time, Fact)>,
    read: usize,
    queue: BinaryHeap<Reverse<(Time, u64, Due)>>,
    order: u64,
    running: Vec<Running>,
    hits: BTreeMap<(usize, usize), usize>,
    conns: BTreeMap<ConnKey, usize>,
    ids: BTreeMap<EndpointId, usize>,
    /// By host; from ejections, and from being degraded.
    returns: Vec<[Option<Return>; 2]>,
    /// By host: how many times the base the last degradation lasts.
    degraded: Vec<u32>,
    out: Outcomes,
}

/// Plays the case with that random start. Addresses are Envoy's, because hashes depend on them, and so
/// is the side on which a roll between priorities came down.
pub fn play(case: &Case, start: u64, observed: &Observed) -> Outcomes {
    let mut play = Play {
        case,
        observed,
        router: Router::new(Arc::new(case.config.clone())),
        now: Time::ZERO,
        words: Words { start: Some(start), high: false },
        facts: Vec::new(),
        read: 0,
        queue: BinaryHeap::new(),
        order: 0,
        running: Vec::new(),
        hits: BTreeMap::new(),
        conns: BTreeMap::new(),
        ids: BTreeMap::new(),
        returns: vec![[None; 2]; case.hosts.len()],
        degraded: vec![0; case.hosts.len()],
        out: Outcomes {
            played: Played { refusals: vec![0; case.hosts.len()], ..Played::default() },
            uncertain: None,
            times: BTreeMap::new(),
        },
    };
    play.begin(&observed.addresses);
    play.run();
    play.out.played.counts.entry("upstream_rq_retry").or_default();
    play.out
}

impl Play<'_> {
    fn begin(&mut self, addresses: &[SocketAddr]) {
        let list: Vec<Member> = (0..self.case.hosts.len())
            .map(|i| {
                let Host { weight, priority, .. } = self.case.hosts[i];
                Member { weight, priority, address: addresses[i], ..Member::of(MemberKey(i as u64)) }
            })
            .collect();
        self.tell(|router, cx| router.on_members(cx, &list, None));
        self.ids = self.router.endpoints().map(|(id, key)| (id, key.0 as usize)).collect();
        // Words that nobody asked for in the beginning are not a start.
        self.words.start = None;
        for (i, burst) in self.case.bursts.iter().enumerate() {
            let first = Time::ZERO + burst.at;
            match burst.apart {
                None => self.schedule(first, Due::Begin(Name { burst: i, nth: 0 })),
                Some(apart) => {
                    for nth in 0..burst.requests {
                        self.schedule(first + apart.times(nth as u64), Due::Begin(Name { burst: i, nth }));
                    }
                }
            }
        }
    }

    fn schedule(&mut self, at: Time, due: Due) {
        self.order += 1;
        self.queue.push(Reverse((at, self.order, due)));
    }

    fn tell<R>(&mut self, what: impl FnOnce(&mut Router, &mut Cx<'_>) -> R) -> R {
        let cx = &mut Cx { now: self.now, rng: &mut self.words, facts: &mut self.facts };
        what(&mut self.router, cx)
    }

    fn run(&mut self) {
        let end = Time::ZERO + self.case.bursts.last().map_or(Span::ZERO, |burst| burst.at) + Span::from_secs(4);
        loop {
            let next = self.queue.peek().map_or(Time::NEVER, |Reverse((at, ..))| *at);
            let upkeep = self.router.upkeep_due();
            if next.min(upkeep) > end {
                return;
            }
            if upkeep <= next {
                self.now = self.now.max(upkeep);
                self.drain();
                continue;
            }
            let Some(Reverse((at, _, due))) = self.queue.pop() else { return };
            self.now = at;
            match due {
                Due::Begin(name) => self.begin_request(name),
                Due::End(nth, attempt) => {
                    let outcome = self.running[nth].attempts[&attempt].1;
                    self.end_attempt(nth, attempt, outcome);
                }
                Due::GiveUp(nth, attempt) => {
                    let trouble = self.running[nth].attempts[&attempt].0;
                    self.end_attempt(nth, attempt, Outcome::Failed(trouble));
                }
                Due::Step(nth) => self.step(nth),
            }
            self.drain();
        }
    }

    fn begin_request(&mut self, name: Name) {
        let request = RequestKey(self.running.len() as u64);
        let hashed = self.case.family == Family::Hashed;
        let hash = hashed.then(|| xxh64(name.key().as_bytes(), 0));
        let ask = Ask { hash, ..Ask::of(request) };
        let flight = self.tell(|router, cx| router.begin(cx, ask));
        let nth = self.running.len();
        if flight.deadline() != Time::NEVER {
            self.schedule(flight.deadline(), Due::Step(nth));
        }
        let began = self.now;
        self.running.push(Running {
            flight,
            name,
            attempts: BTreeMap::new(),
            hosts: Vec::new(),
            began,
            turned_away: false,
            done: false,
        });
        self.step(nth);
    }

    fn step(&mut self, nth: usize) {
        if self.running[nth].done {
            return;
        }
        let before = self.facts.len();
        self.words.high = self.case.rolls() && self.chose_second(nth);
        let cx = &mut Cx { now: self.now, rng: &mut self.words, facts: &mut self.facts };
        let step = self.router.step(cx, &mut self.running[nth].flight);
        self.attempts_since(nth, before);
        match step {
            Step::Try(attempt) => self.attempt(nth, attempt),
            Step::Wait { until: Some(until) } if until > self.now => self.schedule(until, Due::Step(nth)),
            Step::Wait { .. } => {}
            Step::Resolve => unreachable!("members are pushed"),
            Step::Done(verdict) => self.done(nth, verdict),
        }
        self.drain();
    }

    /// True if Envoy sent the flight's next attempt to a host of the second choice.
    fn chose_second(&self, nth: usize) -> bool {
        let running = &self.running[nth];
        let theirs = self.observed.played.requests.get(&running.name);
        let host = theirs.and_then(|seen| seen.hosts.get(running.hosts.len()));
        host.is_some_and(|&host| {
            let standing = self.router.standing_of(MemberKey(host as u64));
            self.case.hosts[host].priority > 0 || standing.is_some_and(|standing| standing.degraded)
        })
    }

    /// Whom the flight tried in one step.
    fn attempts_since(&mut self, nth: usize, before: usize) {
        for (_, fact) in &self.facts[before..] {
            match fact {
                Fact::Sent { endpoint, .. } => self.running[nth].hosts.push(self.ids[endpoint]),
                Fact::Failed { endpoint, trouble: Trouble::ConnectRefused } => {
                    self.out.played.refusals[self.ids[endpoint]] += 1;
                }
                Fact::LimitHit(_) => self.running[nth].turned_away = true,
                _ => {}
            }
        }
    }

    /// The host of an attempt acts.
    fn attempt(&mut self, nth: usize, attempt: Try) {
        let host = attempt.member.0 as usize;
        let burst = self.running[nth].name.burst;
        let hit = self.hits.entry((burst, host)).or_default();
        let act = self.case.act(burst, host, *hit).clone();
        *hit += 1;
        let (after, outcome) = self.outcome(&act);
        self.running[nth].attempts.insert(attempt.attempt.0, (attempt.then, outcome));
        if let Some(after) = after {
            self.schedule(self.now + after, Due::End(nth, attempt.attempt.0));
        }
        if attempt.give_up_at != Time::NEVER {
            self.schedule(attempt.give_up_at, Due::GiveUp(nth, attempt.attempt.0));
        }
    }

    fn outcome(&self, act: &Act) -> (Option<Span>, Outcome) {
        match act {
            Act::Answer(answer) => {
                let after = Span::from_nanos(answer.after.as_nanos() as u64) + PROMPT;
                let retry = self.case.config.retry_policy.as_ref();
                (Some(after), Outcome::Answered(marks(answer, retry)))
            }
            Act::Reset(after) => {
                let after = Span::from_nanos(after.as_nanos() as u64) + PROMPT;
                (Some(after), Outcome::Failed(Trouble::Reset { sent: true }))
            }
            Act::Close => (Some(PROMPT), Outcome::Failed(Trouble::Reset { sent: true })),
            Act::Hang => (None, Outcome::Failed(Trouble::Timeout)),
        }
    }

    /// Whatever comes first ends an attempt, but for a slow one that goes on beside its retry.
    fn end_attempt(&mut self, nth: usize, number: u8, outcome: Outcome) {
        let running = &mut self.running[nth];
        if !running.flight.is_open(AttemptNo(number)) {
            return;
        }
        let cx = &mut Cx { now: self.now, rng: &mut self.words, facts: &mut self.facts };
        self.router.report(cx, &mut running.flight, AttemptNo(number), outcome);
        self.drain();
        self.step(nth);
    }

    fn done(&mut self, nth: usize, verdict: Verdict) {
        let running = &mut self.running[nth];
        running.done = true;
        let mut flags: Vec<String> =
            Flag::ALL.iter().filter(|flag| verdict.flags.has(**flag)).map(|flag| flag.name().to_owned()).collect();
        flags.sort();
        // Envoy counts an attempt that found no endpoint or no connection; the router does not.
        let futile = running.turned_away || verdict.flags.has(Flag::Uh);
        let attempts = u32::from(verdict.attempts) + u32::from(futile);
        let seen = Seen { status: verdict.status, flags, attempts, hosts: running.hosts.clone() };
        let (name, began) = (running.name, running.began);
        self.out.played.requests.insert(name, seen);
        self.out.times.insert(name, (began, self.now));
        *self.out.played.counts.entry("upstream_rq_retry").or_default() += u64::from(attempts.saturating_sub(1));
        let burst = &self.case.bursts[name.burst];
        if burst.apart.is_none() && name.nth + 1 < burst.requests {
            self.schedule(self.now + GAP, Due::Begin(Name { nth: name.nth + 1, ..name }));
        }
    }

    /// Does what the router wants done, and reads what it observed.
    fn drain(&mut self) {
        while let Some(upkeep) = self.tell(Router::poll_upkeep) {
            match upkeep {
                Upkeep::Connect { conn, member, .. } => {
                    let host = member.0 as usize;
                    self.count("upstream_cx_total");
                    self.conns.insert(conn, host);
                    if self.case.hosts[host].refuses {
                        self.tell(|router, cx| router.on_connect_failed(cx, conn, Trouble::ConnectRefused));
                    } else {
                        self.tell(|router, cx| router.on_connected(cx, conn));
                    }
                }
                Upkeep::Wake { request } => self.step(request.0 as usize),
                Upkeep::Close { .. } => {}
                Upkeep::Probe { .. } => unreachable!("there are no probes"),
            }
        }
        self.read_facts();
    }

    fn read_facts(&mut self) {
        while let Some(&(at, fact)) = self.facts.get(self.read) {
            self.read += 1;
            match fact {
                Fact::Ejected { endpoint, detector, until } => {
                    self.event(at, endpoint, detector.name(), true);
                    self.count("outlier_detection.ejections_enforced_total");
                    self.was_ejected(at, self.ids[&endpoint], until, detector);
                }
                Fact::Degraded { endpoint, until } => {
                    self.event(at, endpoint, Detector::Degraded.name(), true);
                    let host = self.ids[&endpoint];
                    self.was_ejected(at, host, until, Detector::Degraded);
                    let base =
                        self.case.config.outlier_detection.as_ref().map_or(1, |od| od.base_ejection_time.as_nanos());
                    self.degraded[host] = (until.since(at).as_nanos() / base) as u32;
                }
                Fact::Undegraded { endpoint } => {
                    let host = self.ids[&endpoint];
                    self.back(at, host);
                    self.has_returned(at, host, Some(self.degraded[host]));
                }
                Fact::NotEjected { endpoint, detector, because: NotEjected::NotEnforced } => {
                    self.event(at, endpoint, detector.name(), false);
                }
                Fact::NotEjected { detector, because: NotEjected::Overflow, .. } => {
                    self.count("outlier_detection.ejections_overflow");
                    if !consecutive(detector) && self.others_found(at) {
                        self.doubt(at, "a sweep found more than may go, and Envoy's order is that of a hash map");
                    }
                }
                Fact::Unejected { endpoint } => {
                    let host = self.ids[&endpoint];
                    self.back(at, host);
                    self.has_returned(at, host, None);
                }
                Fact::RetryDenied(Denial::Overflow) => self.count("upstream_rq_retry_overflow"),
                Fact::RetryDenied(Denial::LimitExceeded) => self.count("upstream_rq_retry_limit_exceeded"),
                Fact::LimitHit(Limit::Pending) => self.count("upstream_rq_pending_overflow"),
                Fact::LimitHit(Limit::Requests) => self.count("upstream_rq_active_overflow"),
                _ => {}
            }
        }
    }

    fn count(&mut self, name: &'static str) {
        *self.out.played.counts.entry(name).or_default() += 1;
    }

    fn event(&mut self, at: Time, endpoint: EndpointId, kind: &str, enforced: bool) {
        let stretch = self.case.stretch(at.since(Time::ZERO));
        let (host, kind) = (self.ids[&endpoint], kind.to_owned());
        self.out.played.events.push(Event { stretch, host, ejected: true, kind, enforced });
    }

    fn back(&mut self, at: Time, host: usize) {
        let stretch = self.case.stretch(at.since(Time::ZERO));
        let event = Event { stretch, host, ejected: false, kind: String::new(), enforced: false };
        self.out.played.events.push(event);
    }

    // ---- where Envoy itself is uncertain ----------------------------------------------------

    fn doubt(&mut self, at: Time, why: &'static str) {
        if self.out.uncertain.is_none_or(|(known, _)| at < known) {
            self.out.uncertain = Some((at, why));
        }
    }

    /// True if the sweep at that instant found somebody else by rates.
    fn others_found(&self, at: Time) -> bool {
        let found = self.facts.iter().rev().take_while(|(then, _)| *then == at);
        let by_rates = found.filter(|(_, fact)| match fact {
            Fact::Ejected { detector, .. } | Fact::NotEjected { detector, .. } => !consecutive(*detector),
            _ => false,
        });
        by_rates.count() > 1
    }

    /// Exactly one interval after a return Envoy's sweep sees that interval as over or not,
    /// by a microsecond (envoy.md 1.5). If it does not, the multiplier is larger by one.
    fn was_ejected(&mut self, at: Time, host: usize, until: Time, detector: Detector) {
        let degraded = detector == Detector::Degraded;
        let Some(back) = self.returns[host][usize::from(degraded)] else { return };
        let interval = self.case.interval.as_nanos();
        let sweeps = (at.as_nanos() / interval - back.at.as_nanos() / interval) as u32;
        // A sweep that ejects has not come to the multipliers yet.
        let sweeps = if consecutive(detector) || degraded { sweeps } else { sweeps.saturating_sub(1) };
        let here = back.multiplier.saturating_sub(sweeps);
        let there = if sweeps == 0 { back.multiplier } else { back.multiplier.saturating_sub(sweeps - 1) };
        if here != there {
            self.doubt(until, "the sweep one interval after a return shortens the next ejection or not");
        }
    }

    /// With the multiplier of a degradation, or after an ejection.
    fn has_returned(&mut self, at: Time, host: usize, degraded: Option<u32>) {
        let standing = self.router.standing_of(MemberKey(host as u64));
        let multiplier = degraded.unwrap_or(standing.map_or(0, |standing| standing.multiplier));
        let together = self.returns.iter().flatten().flatten().any(|back| back.at == at);
        self.returns[host][usize::from(degraded.is_some())] = Some(Return { at, multiplier });
        if together && !self.case.config.update_merge_window.is_zero() {
            self.doubt(at, "several return together, and Envoy shows the first in the order of a hash map");
        }
    }
}

/// An answer's headers as a driver reads them.
fn marks(answer: &super::envoy::upstreams::Answer, retry: Option<&RetryPolicy>) -> Answer {
    let lines = answer.headers.iter().filter_map(|line| line.split_once(": "));
    headers::answer(retry, None, answer.status, answer.body, None, lines)
}

fn consecutive(detector: Detector) -> bool {
    matches!(
        detector,
        Detector::Consecutive5xx | Detector::ConsecutiveGatewayFailure | Detector::ConsecutiveLocalOriginFailure
    )
}
