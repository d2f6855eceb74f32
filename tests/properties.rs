//! What must hold of a bare router under any history of calls.
//!
//! `Harness` plays a driver that keeps the policy's contract and nothing else; histories and
//! configurations are random. Failures are kept in `tests/regressions/`.

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use scsim::policy::*;
use scsim::units::*;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

#[path = "support/oracle.rs"]
mod oracle;

use config::*;
use fact::Limit;
use oracle::Oracle;

const fn ms(n: u64) -> Span {
    Span::from_millis(n)
}

/// Words from a counter.
struct Words(u64);

impl Entropy for Words {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

type Knobs = [u8; 24];

/// Any configuration that passes its check; small ceilings and short times, so that they matter.
fn any_config(b: &Knobs) -> PolicyConfig {
    let pick = |i: usize, of: &[u32]| of[b[i] as usize % of.len()];
    let span = |i: usize, of: &[u64]| match of[b[i] as usize % of.len()] {
        0 => Span::MAX,
        n => ms(n),
    };
    let none = u32::MAX;
    let base = ms(40 * (1 + u64::from(b[5] % 3)));
    PolicyConfig {
        discovery: match b[0] % 3 {
            0 => Discovery::Pushed,
            1 => Discovery::Resolved { on_failure: Stale::Refuse },
            _ => Discovery::Resolved { on_failure: Stale::Serve { at_most: ms(60) } },
        },
        lb_policy: match b[1] % 7 {
            0 | 1 => LbPolicy::RoundRobin,
            2 => LbPolicy::Random,
            3 => LbPolicy::FirstListed,
            4 => LbPolicy::LeastRequest(LeastRequest::Choices(2)),
            5 => LbPolicy::LeastRequest(LeastRequest::FullScan),
            _ => LbPolicy::LeastRequest(LeastRequest::DistinctChoices(2)),
        },
        affinity: match b[2] % 4 {
            0 | 1 => Affinity::Request,
            2 => Affinity::Connection { age_max: None },
            _ => Affinity::Connection { age_max: Some(ms(100)) },
        },
        outlier_detection: (!b[3].is_multiple_of(4)).then(|| OutlierDetection {
            reading: if b[4] % 4 == 3 { OutlierReading::Window(ms(50)) } else { OutlierReading::Consecutive },
            consecutive_5xx: pick(6, &[2, 3, 0, 1]),
            consecutive_gateway_failure: pick(7, &[2, 0, 3]),
            enforcing_consecutive_5xx: pick(8, &[100, 100, 0, 50]),
            enforcing_consecutive_gateway_failure: pick(9, &[0, 100, 50]),
            split_external_local_origin_errors: b[10] & 1 == 1,
            consecutive_local_origin_failure: pick(10, &[2, 2, 3, 1]),
            enforcing_consecutive_local_origin_failure: 100,
            interval: ms(u64::from(pick(11, &[30, 70]))),
            base_ejection_time: base,
            max_ejection_time: base + ms(u64::from(pick(12, &[0, 50, 200]))),
            max_ejection_time_jitter: if b[13].is_multiple_of(3) { ms(20) } else { Span::ZERO },
            max_ejection_percent: pick(13, &[10, 34, 50, 100]),
            always_eject_one_host: b[14] & 1 == 1,
            success_rate_minimum_hosts: pick(12, &[5, 2]),
            success_rate_request_volume: pick(14, &[100, 100, 3]),
            success_rate_stdev_factor: pick(13, &[1900, 500]),
            enforcing_failure_percentage: pick(12, &[0, 100]),
            failure_percentage_minimum_hosts: pick(11, &[5, 1]),
            failure_percentage_request_volume: pick(14, &[50, 50, 2]),
            ..OutlierDetection::envoy_default()
        }),
        health_check: (b[14] % 3 == 2).then(|| HealthCheck {
            interval: ms(40),
            timeout: ms(15),
            healthy_threshold: 1 + u32::from(b[15] % 2),
            unhealthy_threshold: 1 + u32::from(b[15] / 2 % 2),
            first_pass_suffices: b[15] & 4 == 0,
        }),
        retry_policy: (!b[16].is_multiple_of(4)).then(|| RetryPolicy {
            retry_on: if b[16] & 4 == 0 {
                RetryOn::FIVE_XX
            } else {
                RetryOn::CONNECT_FAILURE.with(RetryOn::RETRIABLE_STATUS_CODES)
            },
            retriable_status_codes: vec![503],
            num_retries: u32::from(b[17] % 6),
            base_interval: ms(5),
            max_interval: ms(20),
            previous_hosts: b[17] & 8 == 0,
            host_selection_retry_max_attempts: u32::from(b[17] / 16 % 4),
            ..RetryPolicy::envoy_default()
        }),
        circuit_breakers: CircuitBreakers {
            max_connections: pick(18, &[none, 1, 2, 3]),
            per_host_max_connections: none,
            max_pending_requests: pick(19, &[none, none, 1, 2, 3, 0]),
            max_requests: pick(20, &[none, none, 1, 2]),
            max_retries: pick(21, &[none, 1, 2, 0]),
            retry_budget: (b[21] & 32 != 0).then(|| RetryBudget {
                budget_percent: Ratio::from_percent(u32::from(b[21] % 101)),
                min_retry_concurrency: u32::from(b[20] / 4 % 3),
            }),
        },
        timeouts: Timeouts {
            connect: span(22, &[0, 25]),
            per_try_idle: Span::MAX,
            per_try: span(22, &[0, 0, 15, 40]),
            request: span(23, &[0, 90, 300]),
            idle: span(23, &[0, 0, 0, 50, 50]),
        },
        panic: [Panic::Never, Panic::Below(Ratio::from_percent(50)), Panic::NoneHealthy][b[4] as usize / 4 % 3],
        update_merge_window: if b[4] & 64 == 0 { Span::ZERO } else { ms(30) },
        pool: Pool {
            protocol: if b[2] & 8 == 0 {
                PoolProtocol::Http1
            } else {
                PoolProtocol::Http2 { max_concurrent_streams: 2 }
            },
            max_requests_per_connection: pick(1, &[0, 0, 0, 1, 3]),
            ..Pool::envoy_default()
        },
        ..PolicyConfig::envoy_default()
    }
}

/// What came later has knobs of its own: all zero leaves a configuration, and what happens to it, as
/// it was, so that old regressions stay what they are.
type More = [u8; 4];

fn with_more(config: PolicyConfig, more: More) -> PolicyConfig {
    let mut config = config;
    if more[0] & 3 == 1 {
        config.pool.protocol = PoolProtocol::Tcp(TcpProxy { max_connect_attempts: 1 + u32::from(more[0] / 4 % 3) });
    } else if more[0] & 3 >= 2 {
        config.pool.protocol = PoolProtocol::Http2 { max_concurrent_streams: 1 + u32::from(more[0] / 4 % 5) };
    }
    config.pool.preconnect_percent = [100, 150, 200, 300][more[1] as usize % 4];
    config.circuit_breakers.per_host_max_connections = [u32::MAX, 1, 2, 3][more[1] as usize / 4 % 4];
    if let Some(od) = &mut config.outlier_detection {
        od.detect_degraded_hosts = more[2] & 1 == 1;
    }
    config
}

/// One thing that happens; the numbers choose among what is possible at that moment.
type Op = (u8, u8, u8);

/// What a driver remembers of a request.
struct InFlight {
    flight: Flight,
    doing: Doing,
    tries: u32,
    /// Attempts that go on beside the newest.
    slow: Vec<Try>,
    /// Members listed since the endpoint of the present attempt was chosen.
    listed_then: BTreeSet<MemberKey>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Doing {
    Waiting { until: Time },
    Open(Try),
    Resolving,
}

struct Harness {
    router: Router,
    config: PolicyConfig,
    now: Time,
    words: Words,
    facts: Vec<(Time, Fact)>,
    requests: u64,
    flights: BTreeMap<u64, InFlight>,
    /// Who is to be stepped.
    woken: Vec<u64>,
    dials: BTreeMap<u64, (MemberKey, Time)>,
    /// Connections that stand, with attempts on them and attempts so far.
    conns: BTreeMap<u64, (MemberKey, u32, u32)>,
    /// Those the peer closed under an attempt.
    dead: BTreeMap<u64, u32>,
    probes: Vec<(EndpointId, Time)>,
    resolver: Option<u64>,
    listed: BTreeSet<MemberKey>,
    ejected: BTreeSet<EndpointId>,
    /// What peers said of HTTP/2 connections: streams at a time, or no more of them.
    said: BTreeMap<u64, u32>,
    degraded: BTreeSet<EndpointId>,
    /// Settings, GOAWAY and degraded answers come too.
    more: bool,
    oracle: Option<Oracle>,
    checked: usize,
    /// Streams reset for a retry at that instant, to whose end they count in the budget.
    reset: (Time, u32),
    /// Answers carry marks, bodies are long now and then, and slow attempts are answered too.
    hedged: bool,
    /// Connections that the router closed in the call that gave up a slow attempt on them.
    closed: BTreeMap<u64, u32>,
}

impl Harness {
    fn new(config: PolicyConfig) -> Harness {
        config.check().expect("any_config gives sound configurations");
        // The oracle does not hear of probes.
        let oracle = config.outlier_detection.filter(|od| config.health_check.is_none() && Oracle::applies(od));
        let tcp = matches!(config.pool.protocol, PoolProtocol::Tcp(_));
        let oracle = oracle.map(|od| Oracle::new(od, tcp));
        Harness {
            router: Router::new(Arc::new(config.clone())),
            config,
            now: Time::ZERO,
            words: Words(1),
            facts: Vec::new(),
            requests: 0,
            flights: BTreeMap::new(),
            woken: Vec::new(),
            dials: BTreeMap::new(),
            conns: BTreeMap::new(),
            dead: BTreeMap::new(),
            probes: Vec::new(),
            resolver: None,
            listed: BTreeSet::new(),
            ejected: BTreeSet::new(),
            said: BTreeMap::new(),
            degraded: BTreeSet::new(),
            more: false,
            oracle,
            checked: 0,
            reset: (Time::ZERO, 0),
            hedged: false,
            closed: BTreeMap::new(),
        }
    }

    /// Calls the router, checks the facts, drains the upkeep.
    fn call<T>(&mut self, what: impl FnOnce(&mut Router, &mut Cx<'_>) -> T) -> T {
        let before = (self.router.active(), self.router.pending(), self.router.retries());
        let mut cx = Cx { now: self.now, rng: &mut self.words, facts: &mut self.facts };
        let result = what(&mut self.router, &mut cx);
        self.check_facts(before);
        self.drain();
        result
    }

    fn drain(&mut self) {
        loop {
            let mut cx = Cx { now: self.now, rng: &mut self.words, facts: &mut self.facts };
            let upkeep = self.router.poll_upkeep(&mut cx);
            self.check_facts((u32::MAX, 0, u32::MAX));
            match upkeep {
                None => break,
                Some(Upkeep::Wake { request }) => self.woken.push(request.0),
                Some(Upkeep::Connect { member, conn, give_up_at, .. }) => {
                    assert!(!self.conns.contains_key(&conn.0), "{conn:?} is in use");
                    self.said.remove(&conn.0);
                    assert!(self.dials.insert(conn.0, (member, give_up_at)).is_none(), "{conn:?} is being made");
                }
                Some(Upkeep::Close { conn }) if self.dials.remove(&conn.0).is_some() => {}
                Some(Upkeep::Close { conn }) => {
                    let was = self.conns.remove(&conn.0);
                    if self.hedged {
                        self.closed.insert(conn.0, was.expect("it stood").1);
                        continue;
                    }
                    assert!(was.is_some_and(|(_, streams, _)| streams == 0), "{conn:?} closed, but {was:?}");
                }
                Some(Upkeep::Probe { endpoint, member, give_up_at }) => {
                    assert!(self.listed.contains(&member), "a probe of {member:?}, which has left");
                    self.probes.push((endpoint, give_up_at));
                }
            }
        }
        self.check_limits();
    }

    fn check_facts(&mut self, before: (u32, u32, u32)) {
        for i in self.checked..self.facts.len() {
            let (at, fact) = self.facts[i];
            assert_eq!(at, self.now);
            match fact {
                Fact::Ejected { endpoint, until, .. } => {
                    let od = self.config.outlier_detection.expect("it ejects");
                    let share = 100 * (self.ejected.len() + 1);
                    let allowed = share <= od.max_ejection_percent as usize * self.listed.len()
                        || (od.always_eject_one_host && self.ejected.is_empty());
                    assert!(allowed, "{} of {} and one more", self.ejected.len(), self.listed.len());
                    assert!(until > at);
                    assert!(self.ejected.insert(endpoint), "{endpoint:?} was out");
                }
                Fact::Degraded { endpoint, until } => {
                    assert!(until > at);
                    assert!(self.degraded.insert(endpoint), "{endpoint:?} was degraded");
                }
                Fact::Undegraded { endpoint } => assert!(self.degraded.remove(&endpoint), "{endpoint:?} was not"),
                Fact::Unejected { endpoint } => assert!(self.ejected.remove(&endpoint), "{endpoint:?} was in"),
                Fact::Retrying { .. } => {
                    let reset = if self.reset.0 == at { self.reset.1 } else { 0 };
                    let under_way = u64::from(before.0) + u64::from(before.1) + u64::from(reset);
                    let allowed = match self.config.circuit_breakers.retry_budget {
                        None => self.config.circuit_breakers.max_retries,
                        Some(budget) => {
                            let share = under_way * u64::from(budget.budget_percent.as_ppm()) / 1_000_000;
                            budget.min_retry_concurrency.max(share as u32)
                        }
                    };
                    assert!(self.router.retries() <= allowed, "{} retries of {allowed}", self.router.retries());
                }
                Fact::StaleReport => panic!("the harness reports only what is open"),
                _ => {}
            }
            if let Some(oracle) = &mut self.oracle {
                oracle.hear(at, fact);
            }
        }
        self.checked = self.facts.len();
    }

    fn check_limits(&self) {
        let breakers = &self.config.circuit_breakers;
        let tcp = matches!(self.config.pool.protocol, PoolProtocol::Tcp(_));
        // A proxy of bytes counts connections instead.
        assert!(tcp || self.router.active() <= breakers.max_requests);
        assert!(self.router.pending() <= breakers.max_pending_requests);
        if breakers.retry_budget.is_none() {
            assert!(self.router.retries() <= breakers.max_retries);
        }
        assert_eq!(self.router.ejected() as usize, self.ejected.len());
        let names: BTreeSet<_> = self.router.endpoints().map(|(_, member)| member).collect();
        assert_eq!(names.len(), self.router.endpoints().count(), "a member is listed twice");
    }

    fn begin(&mut self, timeout: Option<Span>, idempotent: bool) {
        let request = self.requests;
        self.requests += 1;
        // Every ninth body is longer than what is kept.
        let body = if self.hedged && request % 9 == 8 { 1 << 30 } else { 0 };
        let ask = Ask { timeout, idempotent, body, ..Ask::of(RequestKey(request)) };
        let flight = self.call(|router, cx| router.begin(cx, ask));
        let state =
            InFlight { flight, doing: Doing::Resolving, tries: 0, slow: Vec::new(), listed_then: self.listed.clone() };
        self.flights.insert(request, state);
        self.step(request);
        self.step_woken();
    }

    fn step_woken(&mut self) {
        while !self.woken.is_empty() {
            let request = self.woken.remove(0);
            if self.flights.contains_key(&request) {
                self.step(request);
            }
        }
    }

    fn step(&mut self, request: u64) {
        let mut state = self.flights.remove(&request).expect("the caller saw it");
        let before = state.flight.attempts();
        if self.now >= state.flight.deadline() {
            // Its attempt is over with it; the router may close the connection in this very call.
            self.release(&state);
            state.doing = Doing::Waiting { until: self.now };
        }
        let step = self.call(|router, cx| router.step(cx, &mut state.flight));
        self.release_slow(&mut state);
        if state.flight.attempts() > before {
            // It chose in this very call.
            state.listed_then.clone_from(&self.listed);
        }
        let most = match self.config.pool.protocol {
            PoolProtocol::Tcp(tcp) => tcp.max_connect_attempts,
            _ => 1 + self.config.retry_policy.as_ref().map_or(0, |retry| retry.num_retries),
        };
        assert!(u32::from(state.flight.attempts()) <= most, "{} attempts", state.flight.attempts());
        let deadline = state.flight.deadline();
        match step {
            Step::Done(verdict) => {
                self.release(&state);
                if self.resolver == Some(request) {
                    // The lookup goes on without it.
                    self.resolver = Some(u64::MAX);
                }
                assert!(u32::from(verdict.attempts) >= state.tries, "{verdict:?} after {}", state.tries);
                return;
            }
            Step::Resolve => {
                assert_eq!(self.resolver, None, "two lookups at once");
                self.resolver = Some(request);
                state.doing = Doing::Resolving;
            }
            Step::Wait { until } => {
                assert!(until.is_none_or(|until| until <= deadline && until > self.now), "waits until {until:?}");
                if !matches!(state.doing, Doing::Open(_)) {
                    state.doing = Doing::Waiting { until: until.unwrap_or(deadline) };
                }
            }
            Step::Try(attempt) => {
                assert!(self.now < deadline, "a try at or past the deadline");
                assert!(attempt.give_up_at <= deadline);
                assert!(!matches!(state.doing, Doing::Open(_)), "two attempts at once");
                // An answer of DNS that leaves an address out does not end the connections to it.
                let stands = matches!(self.config.discovery, Discovery::Resolved { .. });
                assert!(
                    stands || self.listed.contains(&attempt.member) || state.listed_then.contains(&attempt.member),
                    "routed to {:?}, which left before it was chosen",
                    attempt.member
                );
                let (member, streams, served) =
                    self.conns.get_mut(&attempt.conn.0).expect("an attempt goes on a connection that stands");
                assert_eq!(*member, attempt.member);
                *streams += 1;
                *served += 1;
                match self.config.pool.protocol {
                    PoolProtocol::Tcp(_) => assert!(*served == 1, "a second request on a connection of TCP"),
                    PoolProtocol::Http1 => assert!(*streams <= 1),
                    PoolProtocol::Http2 { max_concurrent_streams } => {
                        let peers = self.said.get(&attempt.conn.0).copied().unwrap_or(u32::MAX);
                        assert!(*streams <= max_concurrent_streams.min(peers), "{streams}, and the peer said {peers}");
                    }
                }
                let served_max = self.config.pool.max_requests_per_connection;
                assert!(served_max == 0 || *served <= served_max);
                state.tries += 1;
                state.doing = Doing::Open(attempt);
            }
        }
        self.flights.insert(request, state);
    }

    /// An attempt leaves its connection.
    fn release(&mut self, state: &InFlight) {
        if let Doing::Open(attempt) = state.doing {
            self.leave(attempt.conn);
        }
    }

    fn leave(&mut self, conn: ConnKey) {
        if let Some((_, streams, _)) = self.conns.get_mut(&conn.0) {
            *streams -= 1;
        } else if let Some(streams) = self.dead.get_mut(&conn.0) {
            *streams -= 1;
        } else if let Some(streams) = self.closed.get_mut(&conn.0) {
            *streams -= 1;
        }
    }

    /// Slow attempts that are over leave their connections.
    fn release_slow(&mut self, state: &mut InFlight) {
        let (open, over): (Vec<Try>, Vec<Try>) = state.slow.iter().partition(|slow| state.flight.is_open(slow.attempt));
        state.slow = open;
        for slow in over {
            self.leave(slow.conn);
        }
    }

    /// Ends a slow attempt the way `outcome` says.
    fn report_slow(&mut self, request: u64, outcome: Outcome) {
        let mut state = self.flights.remove(&request).expect("the caller saw it");
        let attempt = state.slow.remove(0);
        self.leave(attempt.conn);
        if let (Doing::Open(newest), Outcome::Answered(_)) = (state.doing, outcome) {
            assert!(newest.attempt > attempt.attempt);
        }
        self.call(|router, cx| router.report(cx, &mut state.flight, attempt.attempt, outcome));
        self.note_reset(true, outcome);
        self.release_slow(&mut state);
        self.flights.insert(request, state);
        self.step(request);
        self.step_woken();
    }

    /// Ends an attempt the way `outcome` says.
    fn report(&mut self, request: u64, outcome: Outcome) {
        let mut state = self.flights.remove(&request).expect("the caller saw it");
        let Doing::Open(attempt) = state.doing else { panic!("the caller saw an open attempt") };
        let timeout = matches!(outcome, Outcome::Failed(Trouble::Timeout | Trouble::IdleTimeout));
        let goes_on = timeout && self.config.hedge_on_per_try_timeout && self.now < state.flight.deadline();
        if goes_on {
            state.slow.push(attempt);
        } else {
            // The books first: the router may close the connection in this very call.
            self.release(&state);
        }
        state.doing = Doing::Waiting { until: self.now };
        let facts = self.facts.len();
        self.call(|router, cx| router.report(cx, &mut state.flight, attempt.attempt, outcome));
        let retried = self.facts[facts..].iter().any(|(_, fact)| matches!(fact, Fact::Retrying { .. }));
        self.note_reset(retried || self.hedged, outcome);
        assert_eq!(state.flight.is_open(attempt.attempt), goes_on);
        self.release_slow(&mut state);
        self.flights.insert(request, state);
        self.step(request);
        self.step_woken();
    }

    /// An answer with a body that nobody reads to its end resets its stream, which counts in the budget to
    /// the end of the instant. Beside a hedge, at most so.
    fn note_reset(&mut self, dropped: bool, outcome: Outcome) {
        let body = matches!(outcome, Outcome::Answered(answer) if answer.body_follows);
        if dropped && body && self.config.pool.protocol == PoolProtocol::Http1 {
            let before = if self.reset.0 == self.now { self.reset.1 } else { 0 };
            self.reset = (self.now, before + 1);
        }
    }

    fn abandon(&mut self, request: u64) {
        let state = self.flights.remove(&request).expect("the caller saw it");
        self.release(&state);
        for slow in &state.slow {
            self.leave(slow.conn);
        }
        if self.resolver == Some(request) {
            self.resolver = Some(u64::MAX);
        }
        self.call(|router, cx| router.abandon(cx, state.flight));
        self.step_woken();
    }

    fn members(&mut self, mask: u8, valid_for: Option<Span>) {
        // The order matters to a DNS client; an entry may come twice.
        let keys = (0..7).filter(|i| mask >> i & 1 == 1).map(|i| (i + u64::from(mask >> 6)) % 6);
        let list: Vec<Member> = keys.map(|i| Member::of(MemberKey(i))).collect();
        self.listed = list.iter().map(|member| member.key).collect();
        let before: BTreeMap<_, _> = self.router.endpoints().map(|(id, member)| (member, id)).collect();
        for (member, id) in &before {
            if !self.listed.contains(member) {
                self.ejected.remove(id);
                self.degraded.remove(id);
            }
        }
        if let Some(oracle) = &mut self.oracle {
            oracle.start(self.now);
        }
        self.call(|router, cx| router.on_members(cx, &list, valid_for));
        if let Some(oracle) = &mut self.oracle {
            oracle.list(self.router.endpoints().map(|(id, _)| id).collect());
        }
    }

    fn answer_lookup(&mut self, mask: u8, valid_for: Span) {
        let Some(request) = self.resolver.take() else { return };
        if mask.is_multiple_of(64) {
            self.call(Router::on_lookup_failed);
        } else {
            self.members(mask, Some(valid_for));
        }
        if self.flights.contains_key(&request) {
            self.step(request);
        }
        self.step_woken();
    }

    fn connected(&mut self, conn: u64, trouble: Option<Trouble>) {
        let (member, _) = self.dials.remove(&conn).expect("the caller saw it");
        match trouble {
            None => {
                self.conns.insert(conn, (member, 0, 0));
                self.call(|router, cx| router.on_connected(cx, ConnKey(conn)));
            }
            Some(trouble) => self.call(|router, cx| router.on_connect_failed(cx, ConnKey(conn), trouble)),
        }
        self.step_woken();
    }

    fn conn_lost(&mut self, conn: u64) {
        let (_, streams, _) = self.conns.remove(&conn).expect("the caller saw it");
        self.dead.insert(conn, streams);
        self.call(|router, cx| router.on_conn_closed(cx, ConnKey(conn)));
        self.step_woken();
    }

    fn probed(&mut self, nth: usize, healthy: bool) {
        let (endpoint, _) = self.probes.remove(nth);
        self.call(|router, cx| router.on_probe(cx, endpoint, healthy));
        self.step_woken();
    }

    /// The earliest instant at which a driver must act by itself.
    fn next_timer(&self) -> Time {
        let mut next = self.router.upkeep_due();
        for state in self.flights.values() {
            next = next.min(match state.doing {
                Doing::Waiting { until } => until,
                Doing::Open(attempt) => attempt.give_up_at,
                Doing::Resolving => state.flight.deadline(),
            });
        }
        let dials = self.dials.values().map(|(_, at)| *at);
        dials.chain(self.probes.iter().map(|(_, at)| *at)).fold(next, Time::min)
    }

    /// Lets time pass, and everything that is due happen when it is.
    fn advance(&mut self, until: Time) {
        loop {
            let next = self.next_timer();
            if next > until {
                self.now = self.now.max(until);
                return;
            }
            self.now = self.now.max(next);
            if self.router.upkeep_due() <= self.now {
                if let Some(oracle) = &mut self.oracle {
                    oracle.clock(self.now);
                }
                self.drain();
                assert!(self.router.upkeep_due() > self.now, "upkeep is due again at once");
                self.step_woken();
                continue;
            }
            if let Some((&conn, _)) = self.dials.iter().find(|(_, (_, at))| *at <= self.now) {
                self.connected(conn, Some(Trouble::ConnectTimeout));
                continue;
            }
            if let Some(nth) = self.probes.iter().position(|(_, at)| *at <= self.now) {
                self.probed(nth, false);
                continue;
            }
            let due = self.flights.iter().find_map(|(&request, state)| match state.doing {
                Doing::Waiting { until } if until <= self.now => Some((request, false)),
                Doing::Resolving if state.flight.deadline() <= self.now => Some((request, false)),
                Doing::Open(attempt) if attempt.give_up_at <= self.now => Some((request, true)),
                _ => None,
            });
            let Some((request, open)) = due else { continue };
            // At the deadline itself a driver may report or step: the end is the same.
            let at_deadline = self.now >= self.flights[&request].flight.deadline();
            if open && (!at_deadline || self.words.next_u64().is_multiple_of(2)) {
                let Doing::Open(attempt) = self.flights[&request].doing else { unreachable!("it is open") };
                self.report(request, Outcome::Failed(attempt.then));
            } else {
                self.step(request);
                self.step_woken();
            }
        }
    }

    /// A step that nobody asked for changes nothing.
    fn spare_step(&mut self, request: u64) {
        let state = self.flights.get_mut(&request).expect("the caller saw it");
        let seen = format!("{:?} {:?}", self.router, state.flight);
        let mut cx = Cx { now: self.now, rng: &mut self.words, facts: &mut self.facts };
        let step = self.router.step(&mut cx, &mut state.flight);
        assert!(matches!(step, Step::Wait { .. }), "{step:?} while {:?}", state.doing);
        assert_eq!(self.facts.len(), self.checked, "a spare step is silent");
        assert_eq!(seen, format!("{:?} {:?}", self.router, state.flight));
        assert!(self.router.is_quiet(self.now));
    }

    fn nth(&self, arg: u8, which: impl Fn(&Doing) -> bool) -> Option<u64> {
        let all: Vec<u64> = self.flights.iter().filter(|(_, s)| which(&s.doing)).map(|(&r, _)| r).collect();
        (!all.is_empty()).then(|| all[arg as usize % all.len()])
    }

    fn happen(&mut self, (kind, a, b): Op) {
        let open = |doing: &Doing| matches!(doing, Doing::Open(_));
        if self.more && kind >= 224 {
            self.more_happens(kind, a, b);
            self.check_books();
            return;
        }
        match kind % 32 {
            0..=7 => {
                let timeout = (b % 8 == 7).then(|| ms(u64::from(b) + 1));
                self.begin(timeout, b & 3 != 1);
            }
            8..=13 => {
                let status = [200, 503, 500, 200, 503, 502, 503, 404][b as usize % 8];
                let mut answer = Answer::of(status).with_body(b & 16 != 0);
                answer.degraded = self.more && b & 32 != 0;
                if self.hedged {
                    answer.grpc_status = (b & 0x60 == 0x20).then_some(b % 18);
                    answer.ratelimited = b & 0xe0 == 0x80;
                    answer.retriable_header = b & 0xe0 == 0xe0;
                    answer.reset_after = (b & 64 != 0).then(|| ms(u64::from(a)));
                    let late: Vec<u64> =
                        self.flights.iter().filter(|(_, s)| !s.slow.is_empty()).map(|(&r, _)| r).collect();
                    if kind & 1 == 1 && !late.is_empty() {
                        let broken = Outcome::Failed(Trouble::Reset { sent: true });
                        let outcome = if b & 8 != 0 { broken } else { Outcome::Answered(answer) };
                        self.report_slow(late[a as usize % late.len()], outcome);
                        return self.check_books();
                    }
                }
                if let Some(request) = self.nth(a, open) {
                    self.report(request, Outcome::Answered(answer));
                }
            }
            14 | 15 => {
                if let Some(request) = self.nth(a, open) {
                    let trouble = [
                        Trouble::Reset { sent: true },
                        Trouble::Reset { sent: false },
                        Trouble::RefusedStream,
                        Trouble::Timeout,
                    ][b as usize % 4];
                    if matches!(trouble, Trouble::Timeout) {
                        let Doing::Open(attempt) = self.flights[&request].doing else { return };
                        if attempt.give_up_at != Time::NEVER {
                            self.advance(attempt.give_up_at);
                        }
                    } else {
                        self.report(request, Outcome::Failed(trouble));
                    }
                }
            }
            16..=20 => {
                let all: Vec<u64> = self.dials.keys().copied().collect();
                if !all.is_empty() {
                    let trouble = (b % 4 == 0).then_some(Trouble::ConnectRefused);
                    self.connected(all[a as usize % all.len()], trouble);
                }
            }
            21 => {
                if self.config.discovery == Discovery::Pushed {
                    self.members(a, None);
                    self.step_woken();
                } else {
                    self.answer_lookup(a, ms(u64::from(b)));
                }
            }
            22 | 23 => self.answer_lookup(a | 1, ms(20 + u64::from(b))),
            24 => {
                if !self.probes.is_empty() {
                    self.probed(a as usize % self.probes.len(), b & 1 == 0);
                }
            }
            25 => {
                if let Some(request) = self.nth(a, |_| true) {
                    self.abandon(request);
                }
            }
            26..=28 => self.advance(self.now + ms(u64::from(a % 40))),
            29 => {
                let all: Vec<u64> = self.conns.keys().copied().collect();
                if !all.is_empty() {
                    self.conn_lost(all[a as usize % all.len()]);
                }
            }
            30 => {
                let member = MemberKey(u64::from(a % 6));
                let gone: Vec<u64> =
                    self.conns.iter().filter(|(_, (m, ..))| *m == member).map(|(&conn, _)| conn).collect();
                for conn in gone {
                    let (_, streams, _) = self.conns.remove(&conn).expect("just seen");
                    self.dead.insert(conn, streams);
                }
                self.call(|router, cx| router.on_peer_gone(cx, member));
                self.step_woken();
            }
            _ => {
                if let Some(request) = self.nth(a, |_| true) {
                    self.spare_step(request);
                }
            }
        }
        self.check_books();
    }

    /// What the peers of HTTP/2 connections say. They have nothing to say on others, and are not heard.
    fn more_happens(&mut self, kind: u8, a: u8, b: u8) {
        let all: Vec<u64> = self.conns.keys().chain(self.dials.keys()).copied().collect();
        if all.is_empty() {
            return;
        }
        let conn = all[a as usize % all.len()];
        if kind.is_multiple_of(4) {
            if self.conns.contains_key(&conn) {
                self.said.insert(conn, 0);
            }
            self.call(|router, cx| router.on_goaway(cx, ConnKey(conn)));
        } else {
            let streams = 1 + u32::from(b % 6);
            // Who said that it takes no more does not take that back.
            if self.said.get(&conn) != Some(&0) {
                self.said.insert(conn, streams);
            }
            self.call(|router, cx| router.on_settings(cx, ConnKey(conn), streams));
        }
        self.step_woken();
    }

    fn check_books(&self) {
        let open = self.flights.values().filter(|state| matches!(state.doing, Doing::Open(_))).count();
        let slow: usize = self.flights.values().map(|state| state.slow.len()).sum();
        assert_eq!(self.router.active() as usize, open + slow);
        assert!(self.closed.values().all(|&streams| streams == 0), "a connection closed under an attempt");
        let waiting = self.flights.len() - open;
        assert!(self.router.pending() as usize <= waiting);
        assert!(self.router.retries() as usize <= self.flights.len());
        let dead = self.dead.values().filter(|&&streams| streams > 0).count();
        assert_eq!(self.router.connections() as usize, self.dials.len() + self.conns.len() + dead);
        let groups = match self.config.affinity {
            Affinity::Request => self.dials.len() + self.conns.len() + dead,
            Affinity::Connection { .. } => 1,
        };
        let most = (self.config.circuit_breakers.max_connections as usize).saturating_add(groups);
        assert!(self.router.connections() as usize <= most);
    }

    /// From now on all goes well: every request must come to its end without waiting for a
    /// time-out, and hold nothing afterwards.
    fn finale(&mut self) {
        for _ in 0..100_000 {
            if self.flights.is_empty() {
                break;
            }
            if self.resolver.is_some() {
                self.answer_lookup(63, ms(1_000_000));
            } else if let Some((&conn, _)) = self.dials.first_key_value() {
                self.connected(conn, None);
            } else if let Some(request) = self.nth(0, |doing| matches!(doing, Doing::Open(_))) {
                self.report(request, Outcome::Answered(Answer::of(200)));
            } else if let Some(request) = self.flights.iter().find(|(_, s)| !s.slow.is_empty()).map(|(&r, _)| r) {
                self.report_slow(request, Outcome::Answered(Answer::of(200)));
            } else {
                // Only back-offs are left.
                let next = self.flights.values().filter_map(|state| match state.doing {
                    // A back-off that would outlast its request ends with it.
                    Doing::Waiting { until } => format!("{:?}", state.flight).contains("BackOff").then_some(until),
                    _ => None,
                });
                let next = next.min();
                assert!(next.is_some(), "{} requests wait for nothing, the first in {:?}", self.flights.len(), {
                    &self.flights.values().next().expect("there are some").flight
                });
                self.advance(next.expect("just asserted"));
            }
        }
        assert_eq!(self.flights.len(), 0);
        self.check_books();
        assert_eq!((self.router.active(), self.router.pending(), self.router.retries()), (0, 0, 0));
        if matches!(self.config.pool.protocol, PoolProtocol::Tcp(_)) {
            assert!(self.conns.values().all(|(_, _, served)| *served == 0), "a connection outlived its request");
        }
        if let Some(oracle) = &self.oracle {
            assert_eq!(oracle.expected(), oracle.seen());
        }
    }
}

fn play(knobs: &Knobs, ops: &[Op]) -> Vec<(Time, Fact)> {
    play_more(knobs, [0; 4], ops)
}

fn play_more(knobs: &Knobs, more: More, ops: &[Op]) -> Vec<(Time, Fact)> {
    let mut harness = Harness::new(with_more(any_config(knobs), more));
    harness.more = more != [0; 4];
    if harness.config.discovery == Discovery::Pushed {
        harness.members(0b10_1111, None);
    }
    for &op in ops {
        harness.happen(op);
    }
    harness.finale();
    harness.facts
}

/// The same with hedging, waits that answers ask for, and conditions about marks in the headers.
fn play_hedged(knobs: &Knobs, ops: &[Op]) -> Vec<(Time, Fact)> {
    let mut config = any_config(knobs);
    config.hedge_on_per_try_timeout = true;
    config.strict_envoy = knobs[0] & 128 != 0;
    if let (true, Some(od)) = (config.strict_envoy, &mut config.outlier_detection) {
        // Both sweeps together may eject twice then, which the books here do not know.
        od.enforcing_failure_percentage = 0;
    }
    if config.timeouts.per_try == Span::MAX {
        config.timeouts.per_try = ms(10);
    }
    config.timeouts.per_try_idle = if knobs[1] & 128 == 0 { Span::MAX } else { ms(8) };
    let policy = config.retry_policy.get_or_insert(RetryPolicy { num_retries: 3, ..RetryPolicy::envoy_default() });
    let marks = RetryOn::GRPC.with(RetryOn::RETRIABLE_HEADERS);
    policy.retry_on = policy.retry_on.with(if knobs[2] & 128 == 0 { marks } else { RetryOn::ENVOY_RATELIMITED });
    policy.rate_limited_retry_back_off = Some(RateLimitedBackOff {
        reset_headers: vec![ResetHeader { name: "retry-after".to_owned(), format: ResetFormat::Seconds }],
        max_interval: ms(100),
    });
    let mut harness = Harness::new(config);
    harness.hedged = true;
    harness.oracle = None;
    if harness.config.discovery == Discovery::Pushed {
        harness.members(0b10_1111, None);
    }
    for &op in ops {
        harness.happen(op);
    }
    harness.finale();
    // Every attempt that got a connection ended in exactly one way, but for those that a caller left.
    let count = |which: fn(&Fact) -> bool| harness.facts.iter().filter(|(_, fact)| which(fact)).count();
    let sent = count(|fact| matches!(fact, Fact::Sent { .. }));
    let over = count(|fact| {
        let unsent = Trouble::ConnectRefused;
        match fact {
            Fact::Failed { trouble, .. } => *trouble != unsent && *trouble != Trouble::ConnectTimeout,
            fact => matches!(fact, Fact::Answered { .. } | Fact::Withdrawn { .. }),
        }
    });
    let left = count(|fact| matches!(fact, Fact::Abandoned { .. }));
    assert!(over <= sent && (left > 0 || over == sent), "{sent} sent, {over} over, {left} abandoned");
    harness.facts
}

fn proptest_config() -> ProptestConfig {
    ProptestConfig {
        // More with PROPTEST_CASES.
        cases: ProptestConfig::default().cases.max(1500),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/regressions/properties.txt"))),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(proptest_config())]

    #[test]
    fn any_history_keeps_the_books_and_the_limits(
        knobs in any::<Knobs>(),
        ops in proptest::collection::vec(any::<Op>(), 1..200),
    ) {
        play(&knobs, &ops);
    }

    #[test]
    fn so_does_one_with_streams_tcp_preconnecting_and_degraded_endpoints(
        knobs in any::<Knobs>(),
        more in any::<More>(),
        ops in proptest::collection::vec(any::<Op>(), 1..200),
    ) {
        play_more(&knobs, more, &ops);
    }

    #[test]
    fn hedged_histories_keep_them_too(
        knobs in any::<Knobs>(),
        ops in proptest::collection::vec(any::<Op>(), 1..200),
    ) {
        play_hedged(&knobs, &ops);
    }

    #[test]
    fn the_same_calls_give_the_same_facts(
        knobs in any::<Knobs>(),
        ops in proptest::collection::vec(any::<Op>(), 1..60),
    ) {
        prop_assert_eq!(play(&knobs, &ops), play(&knobs, &ops));
    }

    #[test]
    fn round_robin_differs_by_at_most_one(members in 1_u64..9, requests in 1_usize..60, start in any::<u64>()) {
        let config = PolicyConfig { lb_policy: LbPolicy::RoundRobin, ..PolicyConfig::envoy_default() };
        let mut harness = Harness::new(config);
        harness.words = Words(start);
        let list: Vec<Member> =
            (0..members).map(|i| Member::of(MemberKey(i))).collect();
        harness.listed = list.iter().map(|member| member.key).collect();
        harness.call(|router, cx| router.on_members(cx, &list, None));
        let mut counts = vec![0_u32; members as usize];
        for _ in 0..requests {
            harness.begin(None, true);
            if let Some((&conn, _)) = harness.dials.first_key_value() {
                harness.connected(conn, None);
            }
            let (&request, state) = harness.flights.first_key_value().expect("it waits for its answer");
            let Doing::Open(attempt) = state.doing else { panic!("{:?}", state.doing) };
            counts[attempt.member.0 as usize] += 1;
            harness.report(request, Outcome::Answered(Answer::of(200)));
        }
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        prop_assert!(most - least <= 1, "{counts:?}");
    }
}

#[test]
fn a_failed_lookup_is_made_again_for_the_next_request() {
    let mut config = PolicyConfig::dns_client();
    config.discovery = Discovery::Resolved { on_failure: Stale::Serve { at_most: ms(1_000) } };
    let mut harness = Harness::new(config);
    for _ in 0..2 {
        harness.begin(None, true);
        assert!(harness.resolver.is_some(), "the name is asked for");
        harness.answer_lookup(0, Span::ZERO);
        assert!(harness.flights.is_empty(), "there is nothing stale to serve");
    }
}

#[test]
fn a_refused_request_made_no_attempt() {
    let mut config = PolicyConfig::envoy_default();
    config.circuit_breakers.max_pending_requests = 0;
    let mut harness = Harness::new(config);
    harness.members(1, None);
    harness.begin(None, true);
    let verdict = harness.facts.iter().find_map(|(_, fact)| match fact {
        Fact::Finished { verdict } => Some(*verdict),
        _ => None,
    });
    assert!(harness.facts.iter().any(|(_, fact)| *fact == Fact::LimitHit(Limit::Pending)));
    assert_eq!(verdict.unwrap().attempts, 0);
}
