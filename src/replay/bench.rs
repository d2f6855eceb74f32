//! A router with its clock and its words, and a driver that does what a vector says.
//!
//! *Knows* the contract of the policy and keeps it. *Does not know* what is expected.

use std::collections::VecDeque;
use std::sync::Arc;

use super::tape::Tape;
use crate::policy::Answer;
use crate::policy::Ask;
use crate::policy::ConnKey;
use crate::policy::Cx;
use crate::policy::EndpointId;
use crate::policy::Entropy;
use crate::policy::Fact;
use crate::policy::FactSink;
use crate::policy::Flight;
use crate::policy::Member;
use crate::policy::MemberKey;
use crate::policy::Outcome;
use crate::policy::PolicyConfig;
use crate::policy::RequestKey;
use crate::policy::Router;
use crate::policy::Standing;
use crate::policy::Stats;
use crate::policy::Step;
use crate::policy::Trouble;
use crate::policy::Try;
use crate::policy::Upkeep;
use crate::policy::Verdict;
use crate::policy::config::CircuitBreakers;
use crate::policy::config::HealthCheck;
use crate::policy::config::Timeouts;
use crate::policy::events::Event;
use crate::units::Span;
use crate::units::Time;

/// The router's world. Instants are spans since the vector's t = 0.
pub struct Bench {
    tape: Tape,
    /// Only what ends an attempt is told, and what follows from it; not its beginning, nor what a caller gets.
    pub terse: bool,
    /// What comes is one of very many alike.
    untold: bool,
    pub router: Router,
    now: Time,
    pub facts: Vec<(Time, Fact)>,
    /// What the outlier event log would have.
    pub events: Vec<(Time, Event)>,
    words: Words,
    requests: u64,
    woken: bool,
    /// New connections are refused.
    pub refuse: bool,
    /// New connections to this member are refused.
    pub refuses: Option<u64>,
    /// New connections are left unanswered until [`Bench::connect_all`].
    pub hold: bool,
    held: Vec<(ConnKey, u64)>,
    /// Connections that stand, in the order of their making, with their members.
    pub conns: Vec<(ConnKey, u64)>,
    /// The members of all connections made so far, in the order of their making.
    pub made: Vec<u64>,
    /// Every name an endpoint ever had, with its member.
    names: Vec<(EndpointId, u64)>,
    /// The members listed now.
    pub listed: Vec<u64>,
}

/// Words for the router: those queued, then always the same one, or a new one each time.
struct Words {
    queued: VecDeque<u64>,
    mixing: bool,
    word: u64,
}

impl Entropy for Words {
    fn next_u64(&mut self) -> u64 {
        if let Some(word) = self.queued.pop_front() {
            return word;
        }
        if self.mixing {
            // SplitMix64: a counter, well stirred.
            self.word = self.word.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let word = (self.word ^ (self.word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            return word ^ (word >> 31);
        }
        self.word
    }
}

/// Takes down all that is said.
struct Ear<'a> {
    facts: &'a mut Vec<(Time, Fact)>,
    events: &'a mut Vec<(Time, Event)>,
    tape: &'a Tape,
    names: &'a [(EndpointId, u64)],
    terse: bool,
    untold: bool,
}

impl FactSink for Ear<'_> {
    fn emit(&mut self, at: Time, fact: Fact) {
        self.facts.push((at, fact));
        let aside = self.terse && matches!(fact, Fact::Sent { .. } | Fact::Finished { .. });
        if !(self.untold || aside) {
            self.tape.fact(at, fact, |endpoint| named(self.names, endpoint));
        }
    }
    fn log(&mut self, at: Time, event: &Event) {
        self.events.push((at, *event));
    }
}

/// Hosts that the story of a list names.
const LISTED: usize = 16;

/// A vector's t = 0 lies this far from the router's beginning when the beginning must not matter.
const LONG_AGO: Span = Span::from_secs(100_000);

/// Limits of nothing, so that only what a vector sets takes effect.
pub fn boundless() -> PolicyConfig {
    PolicyConfig {
        circuit_breakers: CircuitBreakers::UNLIMITED,
        timeouts: Timeouts::NONE,
        update_merge_window: Span::ZERO,
        ..PolicyConfig::envoy_default()
    }
}

/// Probes by which a vector sets the health of an endpoint; their own schedule never comes round.
pub fn probed() -> HealthCheck {
    HealthCheck {
        interval: Span::from_secs(1_000_000),
        timeout: Span::from_secs(1),
        healthy_threshold: 1,
        unhealthy_threshold: 1,
        first_pass_suffices: false,
    }
}

impl Bench {
    /// A router that was told of members `0..hosts` at its t = 0, with `word` as its random word.
    pub fn new(tape: &Tape, config: PolicyConfig, hosts: usize, word: u64) -> Bench {
        Bench::of(tape, config, &plain(hosts), word)
    }

    /// The same with members that have weights, priorities and the like.
    pub fn of(tape: &Tape, config: PolicyConfig, members: &[Member], word: u64) -> Bench {
        tape.run();
        let mut bench = Bench {
            tape: tape.clone(),
            terse: false,
            untold: false,
            router: Router::new(Arc::new(config)),
            now: Time::ZERO,
            facts: Vec::new(),
            events: Vec::new(),
            words: Words { queued: VecDeque::new(), mixing: false, word },
            requests: 0,
            woken: false,
            refuse: false,
            refuses: None,
            hold: false,
            held: Vec::new(),
            conns: Vec::new(),
            made: Vec::new(),
            names: Vec::new(),
            listed: Vec::new(),
        };
        bench.list_members(members);
        bench
    }

    /// Lets the list that the router began with be history: t = 0 is long after it.
    pub fn settle_long_ago(&mut self) {
        self.advance(self.now + LONG_AGO, |_| {});
        self.tape.zero();
    }

    pub fn set_word(&mut self, word: u64) {
        self.words.word = word;
    }

    /// Real random words from now on.
    pub fn mix_words(&mut self) {
        self.tape.start("picks with random words from here on, told by their shares only");
        self.untold = true;
        self.words.mixing = true;
    }

    /// The words that come next.
    pub fn queue_words(&mut self, words: impl IntoIterator<Item = u64>) {
        self.words.queued.extend(words);
    }

    /// A call of the router.
    pub fn tell<R>(&mut self, what: impl FnOnce(&mut Router, &mut Cx<'_>) -> R) -> R {
        self.tape.at(self.now);
        let ear = &mut Ear {
            facts: &mut self.facts,
            events: &mut self.events,
            tape: &self.tape,
            names: &self.names,
            terse: self.terse,
            untold: self.untold,
        };
        let cx = &mut Cx { now: self.now, rng: &mut self.words, facts: ear };
        what(&mut self.router, cx)
    }

    /// Gives the router a new list.
    pub fn list(&mut self, members: Vec<u64>) {
        let list: Vec<Member> = members.into_iter().map(|key| Member::of(MemberKey(key))).collect();
        self.list_members(&list);
    }

    /// Gives the router a new list.
    pub fn list_members(&mut self, list: &[Member]) {
        self.listed = list.iter().map(|member| member.key.0).collect();
        let names: Vec<String> = self.listed.iter().take(LISTED).map(|member| self.tape.host(*member)).collect();
        let more = if list.len() > LISTED { format!(" and {} more", list.len() - LISTED) } else { String::new() };
        self.tape.at(self.now);
        self.tape.start(format!("list of hosts: {}{more}", names.join(" ")));
        self.tell(|router, cx| router.on_members(cx, list, None));
        for (id, key) in self.router.endpoints() {
            if !self.names.iter().any(|(known, _)| *known == id) {
                self.names.push((id, key.0));
            }
        }
        self.drain();
    }

    /// The member an endpoint is or was.
    pub fn member(&self, endpoint: EndpointId) -> u64 {
        named(&self.names, endpoint)
    }

    pub fn standing(&self, member: u64) -> Option<Standing> {
        self.router.standing_of(MemberKey(member))
    }

    /// Sets an endpoint's health by the result of a probe.
    pub fn probe(&mut self, member: u64, healthy: bool) {
        let id = self.router.endpoints().find(|(_, key)| key.0 == member).map(|(id, _)| id);
        if let Some(id) = id {
            self.tape.at(self.now);
            let ends = if healthy { "passes" } else { "fails" };
            self.tape.start(format!("probe of {} {ends}", self.tape.host(member)));
            self.tell(|router, cx| router.on_probe(cx, id, healthy));
            self.drain();
        }
    }

    /// Lets time pass up to `now`, whatever is due on the way included. `seen` is called after each.
    pub fn advance(&mut self, now: Time, mut seen: impl FnMut(&Bench)) {
        while self.router.upkeep_due() <= now {
            self.now = self.now.max(self.router.upkeep_due());
            self.drain();
            seen(self);
        }
        self.now = self.now.max(now);
        self.tape.at(self.now);
    }

    pub fn now(&self) -> Time {
        self.now
    }

    /// Every dial succeeds at once, or fails at once, unless they are held back.
    fn drain(&mut self) {
        self.woken |= self.poll();
    }

    /// True if somebody was woken.
    fn poll(&mut self) -> bool {
        let mut woken = false;
        while let Some(upkeep) = self.tell(Router::poll_upkeep) {
            match upkeep {
                Upkeep::Connect { conn, member, .. } if self.hold => self.held.push((conn, member.0)),
                Upkeep::Connect { conn, member, .. } => self.connect(conn, member.0),
                Upkeep::Close { conn } => {
                    self.held.retain(|(held, _)| *held != conn);
                    self.conns.retain(|(stands, _)| *stands != conn);
                }
                Upkeep::Wake { .. } => woken = true,
                Upkeep::Probe { .. } => {}
            }
        }
        woken
    }

    fn connect(&mut self, conn: ConnKey, member: u64) {
        if self.refuse || self.refuses == Some(member) {
            self.tell(|router, cx| router.on_connect_failed(cx, conn, Trouble::ConnectRefused));
        } else {
            self.conns.push((conn, member));
            self.made.push(member);
            self.tell(|router, cx| router.on_connected(cx, conn));
        }
    }

    /// Answers all dials that were held back.
    pub fn connect_all(&mut self) {
        for (conn, member) in std::mem::take(&mut self.held) {
            self.connect(conn, member);
        }
        self.drain();
    }

    /// Connections to a member that stand.
    pub fn conns_to(&self, member: u64) -> usize {
        self.conns.iter().filter(|(_, to)| *to == member).count()
    }

    /// Begins a request and brings it as far as it goes.
    pub fn begin(&mut self) -> (Flight, Step) {
        self.begin_as(|ask| ask)
    }

    /// The same for a request with a hash.
    pub fn begin_hashed(&mut self, hash: Option<u64>) -> (Flight, Step) {
        self.begin_as(|ask| Ask { hash, ..ask })
    }

    /// Begins a request that asks for more than the usual.
    pub fn begin_as(&mut self, what: impl FnOnce(Ask) -> Ask) -> (Flight, Step) {
        self.requests += 1;
        self.tape.flush();
        let ask = what(Ask::of(RequestKey(self.requests)));
        let mut flight = self.tell(|router, cx| router.begin(cx, ask));
        let step = self.step(&mut flight);
        (flight, step)
    }

    pub fn step(&mut self, flight: &mut Flight) -> Step {
        loop {
            self.woken = false;
            let step = self.tell(|router, cx| router.step(cx, flight));
            self.drain();
            if !(self.woken && matches!(step, Step::Wait { .. })) {
                return step;
            }
        }
    }

    pub fn report(&mut self, flight: &mut Flight, attempt: Try, outcome: Outcome) -> Step {
        self.tell(|router, cx| router.report(cx, flight, attempt.attempt, outcome));
        self.drain();
        self.step(flight)
    }

    pub fn abandon(&mut self, flight: Flight) -> Verdict {
        self.tape.flush();
        let verdict = self.tell(|router, cx| router.abandon(cx, flight));
        self.drain();
        verdict
    }

    /// Envoy's counters over all facts so far.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        self.facts.iter().for_each(|(at, fact)| stats.emit(*at, *fact));
        stats
    }

    /// The random word with which a uniform choice among the candidates falls on that member;
    /// `None` if the balancer does not see it.
    pub fn word_for(&self, member: u64) -> Option<u64> {
        let all = self.router.in_panic();
        let mut candidates =
            self.listed.iter().filter(|&&key| all || self.standing(key).is_some_and(|s| s.seen_healthy));
        let at = candidates.clone().position(|&key| key == member)?;
        let n = candidates.by_ref().count() as u128;
        Some((((at as u128) << 64).div_ceil(n)) as u64)
    }
}

/// The member that an endpoint is or was.
fn named(names: &[(EndpointId, u64)], endpoint: EndpointId) -> u64 {
    names.iter().find(|(id, _)| *id == endpoint).map_or(u64::MAX, |(_, member)| *member)
}

/// Members `0..hosts` of weight 1.
pub fn plain(hosts: usize) -> Vec<Member> {
    (0..hosts as u64).map(|key| Member::of(MemberKey(key))).collect()
}

/// An answer without a body.
pub fn answered(status: u16) -> Outcome {
    Outcome::Answered(Answer::of(status))
}
