//! Three drivers, one policy: a script of arrivals, answers and faults, given to the bare router,
//! to the simulator and to the live driver under a paused clock, must give equal lists of facts.
//!
//! A script is a scenario; what its endpoints answer is a function of request, attempt, endpoint
//! and instant, drawn from the simulator's keyed randomness, so that the simulator needs no hook
//! and the other two can look it up. Random words for the routers are keyed the same way.
//! Scripts in which two things happen in one millisecond are passed over: the order of a tie is
//! each driver's own.
#![cfg(feature = "live")]

use scsim::live::Backend;
use scsim::live::Chance;
use scsim::live::Clock;
use scsim::live::Driver;
use scsim::live::Exchange;
use scsim::live::Names;
use scsim::live::Occasion;
use scsim::policy::Step;
use scsim::policy::config::Affinity;
use scsim::policy::config::Discovery;
use scsim::policy::config::LbPolicy;
use scsim::policy::config::LeastRequest;
use scsim::policy::config::RetryOn;
use scsim::policy::*;
use scsim::scenario::*;
use scsim::sim::Limits;
use scsim::sim::random::Draw;
use scsim::sim::random::Key;
use scsim::sim::random::Purpose;
use scsim::sim::random::Sampler;
use scsim::sim::random::Seed;
use scsim::sim::run_with_facts;
use scsim::units::*;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

type Facts = Vec<(Time, Fact)>;

const fn ms(n: u64) -> Span {
    Span::from_millis(n)
}

/// One way between any two tasks.
const ONE_WAY: Span = ms(3);
const LOOKUP: Span = ms(4);
const TTL: Span = ms(9_000);
const ANSWERS: usize = 2;
/// The caller is task 0, the endpoints are tasks 1 and up.
const FIRST: u64 = 1;

#[derive(Clone)]
struct Script {
    config: PolicyConfig,
    seed: Seed,
    tasks: u64,
    arrivals: Vec<Time>,
    work: Distribution,
    errors: Ratio,
    faults: Vec<(MemberKey, FaultKind, Time, Time)>,
    end: Time,
    raw_seed: u64,
}

/// What an attempt meets at its endpoint.
#[derive(Clone, Copy, Debug)]
enum Meets {
    Answer(Span, u16),
    Break,
    Silence,
}

impl Script {
    fn random(config: &PolicyConfig, seed: u64) -> Script {
        let mut draw = Seed::new(seed, 7).key(Purpose::Request, 0).draw(Purpose::Work, 0);
        let mut below = |n: u64| draw.below(n as usize) as u64;
        let tasks = 3 + below(4);
        let mut at = Time::ZERO + ms(40_000 * u64::from(config.health_check.is_some()));
        let arrivals: Vec<Time> = (0..70)
            .map(|_| {
                // Bursts and pauses.
                at = at + ms(if below(4) == 0 { 500 + below(9_000) } else { 1 + below(90) });
                at
            })
            .collect();
        let last = at;
        let faults = (0..=below(4))
            .map(|_| {
                let kind = match below(6) {
                    0 => FaultKind::Wedge { status: 503 },
                    1 => FaultKind::Grey { status: 502, rate: Ratio::from_percent(60) },
                    2 => FaultKind::Hang,
                    3 => FaultKind::Slow { factor_milli: 20_000, added: None },
                    4 => FaultKind::Reset,
                    _ => FaultKind::Refuse,
                };
                let from = Time::ZERO + ms(1 + below(last.as_nanos() / 1_000_000));
                // Too short for two probes to fail: behind a target group ECS would replace the task.
                (MemberKey(FIRST + below(tasks)), kind, from, from + ms(2_000 + below(23_000)))
            })
            .collect();
        let values: Arc<[Span]> =
            (0..8).map(|i| ms(20 + 37 * i + below(900))).collect::<BTreeSet<_>>().into_iter().collect();
        let cumulative = (1..=values.len()).map(|i| i as f64 / values.len() as f64).collect();
        Script {
            config: config.clone(),
            seed: Seed::new(seed, 0),
            tasks,
            arrivals,
            work: Distribution::Empirical { values, cumulative },
            errors: Ratio::from_percent(below(3) as u32 * 5),
            faults,
            end: last + ms(70_000),
            raw_seed: seed,
        }
    }

    fn all_members(&self) -> Vec<Member> {
        (0..self.tasks).map(|i| Member::of(MemberKey(FIRST + i))).collect()
    }

    fn resolves(&self) -> bool {
        self.config.discovery != Discovery::Pushed
    }

    /// The simulator's name for the call of request `n`.
    fn call(&self, n: u64) -> Key {
        self.seed.key(Purpose::Request, n).child(Purpose::Child, 0)
    }

    /// The words the simulator gives the router.
    fn words(&self, occasion: Occasion, now: Time) -> Draw {
        match occasion {
            Occasion::Step { request, attempts } => self.call(request.0).draw(Purpose::Choose, u64::from(attempts)),
            Occasion::Report { request, attempt } => self.call(request.0).draw(Purpose::Decide, u64::from(attempt.0)),
            Occasion::World => self.seed.key(Purpose::Upkeep, 0).draw(Purpose::Choose, now.as_nanos()),
            Occasion::Upkeep => self.seed.key(Purpose::Upkeep, 0).draw(Purpose::Upkeep, now.as_nanos()),
        }
    }

    fn faults_at(&self, member: MemberKey, at: Time) -> impl Iterator<Item = &FaultKind> {
        self.faults
            .iter()
            .filter(move |(target, _, from, until)| *target == member && *from <= at && at < *until)
            .map(|(_, kind, ..)| kind)
    }

    fn refuses(&self, member: MemberKey, at: Time) -> bool {
        self.faults_at(member, at).any(|kind| *kind == FaultKind::Refuse)
    }

    /// True where a check fails; `None` where nothing comes back.
    fn check(&self, member: MemberKey, at: Time) -> Option<bool> {
        if self.faults_at(member, at).any(|kind| *kind == FaultKind::Hang) {
            return None;
        }
        Some(!self.faults_at(member, at).any(|kind| matches!(kind, FaultKind::Refuse | FaultKind::Reset)))
    }

    /// What attempt `attempt` of request `n` meets when it arrives at its endpoint.
    fn meets(&self, n: u64, attempt: AttemptNo, member: MemberKey, at: Time) -> Meets {
        let kinds: Vec<_> = self.faults_at(member, at).collect();
        if kinds.iter().any(|kind| matches!(kind, FaultKind::Refuse | FaultKind::Reset)) {
            return Meets::Break;
        }
        if kinds.contains(&&FaultKind::Hang) {
            return Meets::Silence;
        }
        let job = self.call(n).child(Purpose::Child, u64::from(attempt.0));
        for kind in &kinds {
            if let FaultKind::Wedge { status } = kind {
                return Meets::Answer(Span::ZERO, *status);
            }
        }
        for kind in &kinds {
            if let FaultKind::Grey { status, rate } = kind
                && rate.covers(job.draw(Purpose::Fault, 0).word())
            {
                return Meets::Answer(Span::ZERO, *status);
            }
        }
        // The callee's program follows the caller's two instructions.
        let mut work = Sampler::new(&self.work).sample(&mut job.draw(Purpose::Work, 2));
        for kind in &kinds {
            if let FaultKind::Slow { factor_milli, .. } = kind {
                work = Span::from_nanos(work.as_nanos() * u64::from(*factor_milli) / 1000);
            }
        }
        let fails = self.errors.as_ppm() > 0 && self.errors.covers(job.draw(Purpose::Errors, 0).word());
        Meets::Answer(work, if fails { 500 } else { 200 })
    }

    /// The answer to the `nth` look-up, the first being 1.
    fn names(&self, nth: u64) -> Vec<Member> {
        let mut list = self.all_members();
        let mut draw = self.seed.key(Purpose::Answer, 0).draw(Purpose::Answer, nth);
        let answers = ANSWERS.min(list.len());
        for i in 0..answers {
            let j = i + draw.below(list.len() - i);
            list.swap(i, j);
        }
        list.truncate(answers);
        list
    }

    /// Instants at which connections to a member break, because a fault begins.
    fn hang_ups(&self) -> Vec<(Time, MemberKey)> {
        let closes = |kind: &FaultKind| matches!(kind, FaultKind::Refuse | FaultKind::Reset);
        self.faults
            .iter()
            .filter(|(member, kind, from, _)| {
                let before = Time::from_nanos(from.as_nanos() - 1);
                closes(kind) && !self.faults_at(*member, before).any(closes)
            })
            .map(|(member, _, from, _)| (*from, *member))
            .collect()
    }
}

// ---- (a) the bare router ---------------------------------------------------------------------

#[derive(Clone, Copy, Debug)]
enum Ev {
    Arrive(u64),
    Reach(u64, Try),
    Ends(u64, AttemptNo, Outcome),
    /// The flight is to be stepped at that time, if it still waits for it.
    Wake(u64),
    DialArrives(ConnKey, MemberKey, Time),
    Dialled(ConnKey, Option<Trouble>),
    Resolved(u64),
    Probed(EndpointId, bool),
    HangUp(MemberKey),
    Upkeep,
}

struct Bare<'a> {
    script: &'a Script,
    router: Router,
    facts: Facts,
    now: Time,
    queue: BTreeMap<(Time, u64), Ev>,
    sequence: u64,
    flights: BTreeMap<u64, (Flight, Time)>,
    woken: VecDeque<u64>,
    lookups: u64,
    /// Milliseconds in which something happened.
    busy: BTreeSet<u64>,
    tied: bool,
}

/// The facts of the bare router; `None` if the script has a tie.
fn bare(script: &Script) -> Option<Facts> {
    let mut driver = Bare {
        script,
        router: Router::new(Arc::new(script.config.clone())),
        facts: Vec::new(),
        now: Time::ZERO,
        queue: BTreeMap::new(),
        sequence: 0,
        flights: BTreeMap::new(),
        woken: VecDeque::new(),
        lookups: 0,
        busy: BTreeSet::new(),
        tied: false,
    };
    if !script.resolves() {
        driver.call(Occasion::World, |router, cx| router.on_members(cx, &script.all_members(), None));
        driver.facts.clear();
    }
    for (n, &at) in script.arrivals.iter().enumerate() {
        driver.at(at, Ev::Arrive(n as u64));
    }
    for (at, member) in script.hang_ups() {
        driver.at(at, Ev::HangUp(member));
    }
    for (_, _, from, until) in &script.faults {
        driver.happens_in_a_millisecond_of_its_own(*from, false);
        driver.happens_in_a_millisecond_of_its_own(*until, false);
    }
    while let Some((&(at, sequence), &ev)) = driver.queue.first_key_value() {
        if at > script.end || driver.tied {
            break;
        }
        driver.queue.remove(&(at, sequence));
        driver.now = at;
        driver.fire(ev);
        while let Some(n) = driver.woken.pop_front() {
            driver.step(n);
        }
    }
    assert!(driver.tied || driver.flights.is_empty(), "the script is long enough for every request");
    (!driver.tied).then_some(driver.facts)
}

/// The runtime's timers fire at whole milliseconds.
fn up_to_ms(at: Time) -> u64 {
    at.as_nanos().div_ceil(1_000_000)
}

impl Bare<'_> {
    fn at(&mut self, at: Time, ev: Ev) {
        if at != Time::NEVER {
            self.sequence += 1;
            self.queue.insert((at, self.sequence), ev);
        }
    }

    fn happens_in_a_millisecond_of_its_own(&mut self, at: Time, may_share: bool) {
        let fresh = self.busy.insert(up_to_ms(at));
        self.tied |= !fresh && !may_share;
    }

    fn call<T>(&mut self, occasion: Occasion, what: impl FnOnce(&mut Router, &mut Cx<'_>) -> T) -> T {
        let mut words = self.script.words(occasion, self.now);
        let result = what(&mut self.router, &mut Cx { now: self.now, rng: &mut words, facts: &mut self.facts });
        loop {
            let mut words = self.script.words(Occasion::Upkeep, self.now);
            let cx = &mut Cx { now: self.now, rng: &mut words, facts: &mut self.facts };
            match self.router.poll_upkeep(cx) {
                None => break,
                Some(Upkeep::Wake { request }) => self.woken.push_back(request.0),
                Some(Upkeep::Connect { member, conn, give_up_at, .. }) => {
                    self.at(self.now + ONE_WAY, Ev::DialArrives(conn, member, give_up_at));
                }
                Some(Upkeep::Close { .. }) => {}
                Some(Upkeep::Probe { endpoint, member, give_up_at }) => match self.script.check(member, self.now) {
                    Some(healthy) => self.at(self.now + ONE_WAY.times(2), Ev::Probed(endpoint, healthy)),
                    None => self.at(give_up_at, Ev::Probed(endpoint, false)),
                },
            }
        }
        let due = self.router.upkeep_due();
        if !self.queue.iter().any(|((at, _), ev)| *at <= due && matches!(ev, Ev::Upkeep)) {
            self.at(due, Ev::Upkeep);
        }
        result
    }

    fn step(&mut self, n: u64) {
        let Some((mut flight, mut waits)) = self.flights.remove(&n) else { return };
        let occasion = Occasion::Step { request: RequestKey(n), attempts: flight.attempts() };
        match self.call(occasion, |router, cx| router.step(cx, &mut flight)) {
            Step::Try(attempt) => {
                waits = attempt.give_up_at;
                self.at(self.now + ONE_WAY, Ev::Reach(n, attempt));
                self.at(waits, Ev::Wake(n));
            }
            Step::Wait { until } if flight.open_attempt().is_none() => {
                waits = until.unwrap_or(Time::NEVER);
                self.at(waits, Ev::Wake(n));
            }
            Step::Wait { .. } => {}
            Step::Resolve => {
                self.lookups += 1;
                waits = flight.deadline();
                self.at(self.now + LOOKUP, Ev::Resolved(n));
                self.at(waits, Ev::Wake(n));
            }
            Step::Done(_) => return,
        }
        self.flights.insert(n, (flight, waits));
    }

    fn report(&mut self, n: u64, attempt: AttemptNo, outcome: Outcome) {
        let (mut flight, waits) = self.flights.remove(&n).expect("the caller saw it");
        let occasion = Occasion::Report { request: RequestKey(n), attempt };
        self.call(occasion, |router, cx| router.report(cx, &mut flight, attempt, outcome));
        self.flights.insert(n, (flight, waits));
        self.step(n);
    }

    fn open(&self, n: u64, attempt: AttemptNo) -> bool {
        self.flights.get(&n).is_some_and(|(flight, _)| flight.is_open(attempt))
    }

    fn fire(&mut self, ev: Ev) {
        // A timer that nobody waits for any more is no event.
        match ev {
            Ev::Wake(n) if self.flights.get(&n).is_none_or(|(_, waits)| *waits != self.now) => return,
            Ev::Reach(n, attempt) if !self.open(n, attempt.attempt) => return,
            Ev::Ends(n, attempt, _) if !self.open(n, attempt) => return,
            Ev::Upkeep if self.router.upkeep_due() > self.now => {
                // Set anew by the next call.
                let due = self.router.upkeep_due();
                return self.at(due, Ev::Upkeep);
            }
            // The beginning of a fault was counted with the faults.
            Ev::HangUp(_) => self.happens_in_a_millisecond_of_its_own(self.now, true),
            _ => self.happens_in_a_millisecond_of_its_own(self.now, false),
        }
        match ev {
            Ev::Arrive(n) => {
                let ask = Ask::of(RequestKey(n));
                let occasion = Occasion::Step { request: RequestKey(n), attempts: 0 };
                let flight = self.call(occasion, |router, cx| router.begin(cx, ask));
                self.flights.insert(n, (flight, Time::NEVER));
                self.step(n);
            }
            Ev::Reach(n, attempt) => {
                let ends = |after: Span, outcome| (after, Ev::Ends(n, attempt.attempt, outcome));
                let (after, ev) = match self.script.meets(n, attempt.attempt, attempt.member, self.now) {
                    Meets::Silence => return,
                    Meets::Break => ends(ONE_WAY, Outcome::Failed(Trouble::Reset { sent: true })),
                    Meets::Answer(work, status) => {
                        ends(work + ONE_WAY, Outcome::Answered(Answer::of(status).with_body(status >= 400)))
                    }
                };
                self.at(self.now + after, ev);
            }
            Ev::Ends(n, attempt, outcome) => {
                // Hedged, a slow attempt may end when the wait before its retry does.
                self.tied |= up_to_ms(self.flights[&n].1) == up_to_ms(self.now);
                self.report(n, attempt, outcome);
            }
            Ev::Wake(n) => match self.flights[&n].0.open_attempt() {
                Some(attempt) => {
                    let silent = self.script.config.timeouts.per_try_idle < self.script.config.timeouts.per_try;
                    let early = self.now < self.flights[&n].0.deadline();
                    let trouble = if silent && early { Trouble::IdleTimeout } else { Trouble::Timeout };
                    self.report(n, attempt, Outcome::Failed(trouble));
                }
                None => self.step(n),
            },
            Ev::DialArrives(conn, member, give_up_at) => {
                let trouble = self.script.refuses(member, self.now).then_some(Trouble::ConnectRefused);
                let ends = self.now + ONE_WAY;
                assert!(ends < give_up_at, "the script's dials are in time");
                self.at(ends, Ev::Dialled(conn, trouble));
            }
            Ev::Dialled(conn, trouble) => self.call(Occasion::World, |router, cx| match trouble {
                None => router.on_connected(cx, conn),
                Some(trouble) => router.on_connect_failed(cx, conn, trouble),
            }),
            Ev::Resolved(n) => {
                let list = self.script.names(self.lookups);
                self.call(Occasion::World, |router, cx| router.on_members(cx, &list, Some(TTL)));
                self.step(n);
            }
            Ev::Probed(endpoint, healthy) => {
                self.call(Occasion::World, |router, cx| router.on_probe(cx, endpoint, healthy));
            }
            Ev::HangUp(member) => self.call(Occasion::World, |router, cx| router.on_peer_gone(cx, member)),
            Ev::Upkeep => self.call(Occasion::Upkeep, |_, _| ()),
        }
    }
}

// ---- (b) the simulator -----------------------------------------------------------------------

fn service(name: &str, tasks: u32, errors: Ratio, steps: Vec<scsim::scenario::Step>) -> Service {
    Service {
        name: name.to_owned(),
        tasks,
        zones: vec![0],
        protocol: Protocol::Http,
        cpu: Cpu::from_millis(500),
        memory: Bytes::new(1 << 30),
        endpoints: vec![Endpoint { name: String::new(), errors, steps }],
        concurrency: None,
        queue: None,
        queue_timeout: None,
        startup: Distribution::Constant(Span::from_secs(30)),
        stop_timeout: Span::from_secs(30),
        handles_sigterm: true,
        health_check: None,
        external: false,
        keep_alive: None,
        service_connect: Enrolment::ClientServer,
        life: TaskLife::default(),
        created: Time::ZERO,
    }
}

fn scenario(script: &Script) -> Scenario {
    let call = scsim::scenario::Step::Call(CallSite {
        edge: EdgeId(0),
        endpoint: 0,
        timeout: None,
        probability: Ratio::ONE,
        idempotent: true,
        optional: false,
        request: Bytes::new(0),
        response: Bytes::new(0),
    });
    let network = Network {
        same_zone: Distribution::Constant(ONE_WAY),
        cross_zone: Distribution::Constant(ONE_WAY),
        tls_round_trips: 0,
    };
    let mechanism = if script.resolves() {
        Mechanism::Dns(DnsPlane {
            ttl: TTL,
            resolver_cache: ResolverCache::Ttl,
            negative_ttl: TTL,
            max_answers: ANSWERS as u32,
            record_lag: Distribution::Constant(Span::ZERO),
            health_lag: Span::ZERO,
            deregister_before_stop: None,
            lookup: Distribution::Constant(LOOKUP),
            custom_health: true,
            client: None,
        })
    } else {
        Mechanism::Direct
    };
    Scenario {
        file: "parity".to_owned(),
        title: String::new(),
        description: String::new(),
        digest: String::new(),
        run: Run {
            duration: script.end.since(Time::ZERO),
            warmup: Span::ZERO,
            drain: Span::from_secs(30),
            seed: script.raw_seed,
            replications: Replications::Fixed(1),
            confidence: 0.95,
        },
        zones: vec!["a".to_owned()],
        services: vec![
            service("caller", 1, Ratio::ZERO, vec![call]),
            service(
                "callee",
                script.tasks as u32,
                script.errors,
                vec![scsim::scenario::Step::Work(script.work.clone())],
            ),
        ],
        edges: vec![Edge { from: ServiceId(0), to: ServiceId(1) }],
        loads: vec![Load {
            name: "script".to_owned(),
            entry: ServiceId(0),
            endpoint: 0,
            arrivals: Arrivals::Trace(script.arrivals.clone().into()),
            from: Time::ZERO,
            until: Time::NEVER,
            spread: Spread::RoundRobin,
            test: false,
        }],
        network: network.clone(),
        planes: vec![Plane {
            name: "parity".to_owned(),
            mechanism,
            edge_policies: vec![script.config.clone()],
            network,
            warning: None,
            not_applicable: None,
            second: None,
        }],
        faults: script
            .faults
            .iter()
            .map(|(member, kind, from, until)| Fault {
                name: String::new(),
                kind: kind.clone(),
                target: Target::Task(ServiceId(1), (member.0 - FIRST + 1) as u32),
                when: When::Once { at: *from, lasts: Some(until.since(*from)) },
                how: How::default(),
            })
            .collect(),
        scales: vec![],
        scalings: vec![],
        migrations: vec![],
        deploys: vec![],
        expects: vec![],
        sweep: None,
        cost: scsim::scenario::Cost::default(),
        claim: None,
        unmodelled: Vec::new(),
        assumptions: vec![],
    }
}

fn simulated(script: &Script) -> Facts {
    let stop = AtomicBool::new(false);
    let limits = Limits { stop: &stop, events_max: u64::MAX };
    let facts = run_with_facts(&scenario(script), 0, 0, limits).expect("there is no limit");
    assert!(facts.iter().all(|(router, ..)| *router == 0), "there is one router");
    facts.into_iter().filter(|(_, at, _)| *at <= script.end).map(|(_, at, fact)| (at, fact)).collect()
}

// ---- (c) the live driver ---------------------------------------------------------------------

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Facts>>);

impl FactSink for Heard {
    fn emit(&mut self, at: Time, fact: Fact) {
        self.0.lock().unwrap().push((at, fact));
    }
}

struct Scripted {
    script: Arc<Script>,
    clock: Clock,
    lookups: AtomicU64,
}

impl Scripted {
    async fn after(&self, span: Span) -> Time {
        let at = self.clock.now() + span;
        self.clock.sleep_until(at).await;
        at
    }
}

impl Backend for Scripted {
    /// The number of the request.
    type Request = u64;
    type Answer = u16;

    async fn dial(&self, member: MemberKey, _conn: ConnKey) -> Result<(), Trouble> {
        let arrives = self.after(ONE_WAY).await;
        let refused = self.script.refuses(member, arrives);
        self.after(ONE_WAY).await;
        if refused { Err(Trouble::ConnectRefused) } else { Ok(()) }
    }

    async fn send(&self, attempt: &Try, n: &u64) -> Exchange<u16> {
        let arrives = self.after(ONE_WAY).await;
        match self.script.meets(*n, attempt.attempt, attempt.member, arrives) {
            Meets::Silence => std::future::pending().await,
            Meets::Break => {
                self.after(ONE_WAY).await;
                Exchange::failed(Trouble::Reset { sent: true })
            }
            Meets::Answer(work, status) => {
                self.after(work + ONE_WAY).await;
                let outcome = Outcome::Answered(Answer::of(status).with_body(status >= 400));
                Exchange { outcome, answer: Some(status), reusable: true }
            }
        }
    }

    fn close(&self, _conn: ConnKey) {}

    async fn probe(&self, member: MemberKey) -> bool {
        match self.script.check(member, self.clock.now()) {
            None => std::future::pending().await,
            Some(healthy) => {
                self.after(ONE_WAY.times(2)).await;
                healthy
            }
        }
    }

    async fn resolve(&self) -> Option<Names> {
        let nth = self.lookups.fetch_add(1, Ordering::Relaxed) + 1;
        self.after(LOOKUP).await;
        Some(Names { list: self.script.names(nth), valid_for: TTL })
    }
}

struct Keyed {
    script: Arc<Script>,
    words: Option<Draw>,
}

impl Chance for Keyed {
    fn words(&mut self, occasion: Occasion, now: Time) -> &mut dyn Entropy {
        self.words.insert(self.script.words(occasion, now))
    }
}

fn live(script: &Script) -> Facts {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let script = Arc::new(script.clone());
        let clock = Clock::start();
        let heard = Heard::default();
        let driver = Arc::new(Driver::start(
            Arc::new(script.config.clone()),
            Scripted { script: script.clone(), clock, lookups: AtomicU64::new(0) },
            Box::new(Keyed { script: script.clone(), words: None }),
            Box::new(heard.clone()),
        ));
        if !script.resolves() {
            driver.set_members(&script.all_members(), None);
            heard.0.lock().unwrap().clear();
        }
        for (at, member) in script.hang_ups() {
            let driver = driver.clone();
            tokio::spawn(async move {
                clock.sleep_until(at).await;
                driver.peer_gone(member);
            });
        }
        for (n, &at) in script.arrivals.iter().enumerate() {
            let driver = driver.clone();
            tokio::spawn(async move {
                clock.sleep_until(at).await;
                let done = driver.request(&(n as u64), None, true).await;
                if let Some(answer) = done.answer {
                    assert_eq!(answer, done.verdict.status);
                }
            });
        }
        clock.sleep_until(script.end).await;
        assert_eq!(driver.inspect(|router| (router.active(), router.pending(), router.retries())), (0, 0, 0));
        let facts = heard.0.lock().unwrap();
        facts.iter().copied().filter(|(at, _)| *at <= script.end).collect()
    })
}

// ---- parity ----------------------------------------------------------------------------------

fn first_difference(left: &Facts, right: &Facts) -> Option<String> {
    let at = left.iter().zip(right).position(|(a, b)| a != b);
    let at = at.or((left.len() != right.len()).then(|| left.len().min(right.len())))?;
    let from = at.saturating_sub(4);
    let show = |facts: &Facts| format!("{:#?}", facts.iter().skip(from).take(8).collect::<Vec<_>>());
    Some(format!("fact {at} of {} and {}:\n{}\n{}", left.len(), right.len(), show(left), show(right)))
}

/// Stamps and spans cut to the runtime's timers.
fn cut(facts: &Facts) -> Facts {
    let up = |at: Time| Time::ZERO + ms(up_to_ms(at));
    facts
        .iter()
        .map(|&(at, fact)| match fact {
            Fact::Ejected { endpoint, detector, until } => {
                (up(at), Fact::Ejected { endpoint, detector, until: up(until) })
            }
            fact => (up(at), fact),
        })
        .collect()
}

/// Plays `scripts` random scripts without ties under that policy. Returns how often each of the
/// facts in `wanted` was seen, so that a test can insist on having seen it.
fn check(config: &PolicyConfig, scripts: u32, wanted: &[fn(&Fact) -> bool]) {
    config.check().unwrap();
    let mut seen = vec![0_usize; wanted.len()];
    let (mut played, mut seed) = (0, 0);
    while played < scripts {
        seed += 1;
        assert!(seed < u64::from(scripts) * 200, "nearly every script has a tie");
        let script = Script::random(config, seed);
        let Some(bare) = bare(&script) else { continue };
        played += 1;
        if let Some(difference) = first_difference(&bare, &simulated(&script)) {
            panic!("bare router and simulator part with seed {seed}, {difference}");
        }
        if let Some(difference) = first_difference(&cut(&bare), &live(&script)) {
            panic!("bare router and live driver part with seed {seed}, {difference}");
        }
        for (count, is) in seen.iter_mut().zip(wanted) {
            *count += bare.iter().filter(|(_, fact)| is(fact)).count();
        }
    }
    assert!(seen.iter().all(|&count| count > 0), "facts seen: {seen:?}");
}

/// Few connections, few places to wait.
fn queued(mut config: PolicyConfig) -> PolicyConfig {
    config.circuit_breakers.max_connections = 2;
    config.circuit_breakers.max_pending_requests = 3;
    config.circuit_breakers.max_requests = 5;
    config.circuit_breakers.max_retries = 2;
    config
}

const SCRIPTS: u32 = 40;

const FINISHED: fn(&Fact) -> bool = |fact| matches!(fact, Fact::Finished { .. });
const LIMITED: fn(&Fact) -> bool = |fact| matches!(fact, Fact::LimitHit(_));
const EJECTED: fn(&Fact) -> bool = |fact| matches!(fact, Fact::Ejected { .. });
const UNEJECTED: fn(&Fact) -> bool = |fact| matches!(fact, Fact::Unejected { .. });
const RETRYING: fn(&Fact) -> bool = |fact| matches!(fact, Fact::Retrying { .. });
const DENIED: fn(&Fact) -> bool = |fact| matches!(fact, Fact::RetryDenied(_));
const PROBED: fn(&Fact) -> bool = |fact| matches!(fact, Fact::Probed { .. });
const MEMBERS: fn(&Fact) -> bool = |fact| matches!(fact, Fact::Members { .. });
const SLOW: fn(&Fact) -> bool = |fact| matches!(fact, Fact::Slow { .. });
const WITHDRAWN: fn(&Fact) -> bool = |fact| matches!(fact, Fact::Withdrawn { .. });
const SILENT: fn(&Fact) -> bool = |fact| matches!(fact, Fact::TimedOut(fact::TimeLimit::PerTryIdle));
const FAILED: fn(&Fact) -> bool = |fact| matches!(fact, Fact::Failed { .. });

#[test]
fn service_connect() {
    check(&PolicyConfig::service_connect(), SCRIPTS, &[FINISHED, EJECTED, UNEJECTED, RETRYING, FAILED]);
}

#[test]
fn service_connect_with_queues() {
    check(&queued(PolicyConfig::service_connect()), SCRIPTS, &[FINISHED, EJECTED, RETRYING, LIMITED, DENIED]);
}

#[test]
fn service_connect_with_a_limit_per_try() {
    let mut config = PolicyConfig::service_connect();
    config.timeouts.per_try = ms(600);
    config.retry_policy.as_mut().unwrap().retry_on = RetryOn::FIVE_XX;
    check(&config, SCRIPTS, &[FINISHED, EJECTED, UNEJECTED, RETRYING, DENIED, FAILED]);
}

#[test]
fn service_connect_with_a_limit_on_silence() {
    let mut config = PolicyConfig::service_connect();
    config.timeouts.per_try_idle = ms(600);
    config.retry_policy.as_mut().unwrap().retry_on = RetryOn::FIVE_XX;
    check(&config, SCRIPTS, &[FINISHED, EJECTED, RETRYING, DENIED, SILENT]);
}

#[test]
fn service_connect_with_hedging() {
    let mut config = PolicyConfig::service_connect();
    config.hedge_on_per_try_timeout = true;
    config.timeouts.per_try = ms(600);
    check(&config, SCRIPTS, &[FINISHED, EJECTED, UNEJECTED, RETRYING, DENIED, SLOW, WITHDRAWN]);
    check(&queued(config), SCRIPTS, &[FINISHED, RETRYING, LIMITED, DENIED, SLOW, WITHDRAWN]);
}

#[test]
fn alb_node() {
    check(&PolicyConfig::alb_node(), SCRIPTS, &[FINISHED, PROBED, FAILED]);
}

#[test]
fn alb_node_with_queues() {
    check(&queued(PolicyConfig::alb_node()), SCRIPTS, &[FINISHED, PROBED, LIMITED]);
}

#[test]
fn every_rule_of_choice() {
    for rule in [
        LbPolicy::Random,
        LbPolicy::LeastRequest(LeastRequest::Choices(2)),
        LbPolicy::LeastRequest(LeastRequest::DistinctChoices(2)),
        LbPolicy::LeastRequest(LeastRequest::FullScan),
    ] {
        let config = PolicyConfig { lb_policy: rule, ..PolicyConfig::service_connect() };
        check(&config, 10, &[FINISHED, RETRYING]);
    }
}

#[test]
fn dns_client() {
    check(&PolicyConfig::dns_client(), SCRIPTS, &[FINISHED, MEMBERS, FAILED]);
}

#[test]
fn dns_client_with_queues() {
    check(&queued(PolicyConfig::dns_client()), SCRIPTS, &[FINISHED, MEMBERS, LIMITED]);
}

#[test]
fn dns_client_with_old_connections() {
    let mut config = PolicyConfig::dns_client();
    config.affinity = Affinity::Connection { age_max: Some(ms(5_000)) };
    config.timeouts.idle = ms(3_000);
    check(&config, SCRIPTS, &[FINISHED, MEMBERS]);
}
