//! Connections on a bare router: which one carries a request, how many there are, and how they end.
//! Goal: what no vector says. Method: requests led by hand; every dial waits until it is answered.

use scsim::policy::*;
use scsim::units::*;
use std::sync::Arc;

use config::Affinity;
use config::PoolProtocol;
use config::TcpProxy;

struct Zero;

impl Entropy for Zero {
    fn next_u64(&mut self) -> u64 {
        0
    }
}

struct Desk {
    router: Router,
    now: Time,
    facts: Vec<(Time, Fact)>,
    /// Connections that are being made, in order.
    dials: Vec<ConnKey>,
    closed: Vec<ConnKey>,
    woken: Vec<u64>,
    requests: u64,
}

impl Desk {
    fn new(config: PolicyConfig, members: &[u64]) -> Desk {
        let mut desk = Desk {
            router: Router::new(Arc::new(config)),
            now: Time::ZERO,
            facts: Vec::new(),
            dials: Vec::new(),
            closed: Vec::new(),
            woken: Vec::new(),
            requests: 0,
        };
        desk.list(members);
        desk
    }

    /// A call without a look at what is to be done.
    fn call<T>(&mut self, what: impl FnOnce(&mut Router, &mut Cx<'_>) -> T) -> T {
        what(&mut self.router, &mut Cx { now: self.now, rng: &mut Zero, facts: &mut self.facts })
    }

    fn tell<T>(&mut self, what: impl FnOnce(&mut Router, &mut Cx<'_>) -> T) -> T {
        let result = self.call(what);
        self.look();
        result
    }

    fn look(&mut self) {
        while let Some(upkeep) = self.call(Router::poll_upkeep) {
            match upkeep {
                Upkeep::Connect { conn, .. } => self.dials.push(conn),
                Upkeep::Close { conn } => self.closed.push(conn),
                Upkeep::Wake { request } => self.woken.push(request.0),
                Upkeep::Probe { .. } => {}
            }
        }
    }

    fn list(&mut self, members: &[u64]) {
        let list: Vec<Member> = members.iter().map(|&key| Member::of(MemberKey(key))).collect();
        self.tell(|router, cx| router.on_members(cx, &list, None));
    }

    fn wait(&mut self, ms: u64) {
        self.now = self.now + Span::from_millis(ms);
    }

    /// The oldest dial succeeds.
    fn connect(&mut self) -> ConnKey {
        let conn = self.dials.remove(0);
        self.tell(|router, cx| router.on_connected(cx, conn));
        conn
    }

    fn begin(&mut self) -> (Flight, Step) {
        self.requests += 1;
        let ask = Ask::of(RequestKey(self.requests));
        let mut flight = self.tell(|router, cx| router.begin(cx, ask));
        let step = self.step(&mut flight);
        (flight, step)
    }

    fn step(&mut self, flight: &mut Flight) -> Step {
        self.tell(|router, cx| router.step(cx, flight))
    }

    /// A request on its connection, which is made first if there is none.
    fn open(&mut self) -> (Flight, Try) {
        let (mut flight, mut step) = self.begin();
        if let Step::Wait { .. } = step {
            self.connect();
            step = self.step(&mut flight);
        }
        match step {
            Step::Try(attempt) => (flight, attempt),
            other => panic!("expected an attempt, got {other:?}"),
        }
    }

    fn answer(&mut self, flight: &mut Flight, attempt: Try) {
        let outcome = Outcome::Answered(Answer::of(200));
        self.tell(|router, cx| router.report(cx, flight, attempt.attempt, outcome));
        let Step::Done(_) = self.step(flight) else { panic!("it goes on") };
    }

    /// A request that is answered at once; the connection it went over.
    fn ask(&mut self) -> ConnKey {
        let (mut flight, attempt) = self.open();
        self.answer(&mut flight, attempt);
        attempt.conn
    }
}

fn tcp() -> PolicyConfig {
    let mut config = PolicyConfig::envoy_default();
    config.pool.protocol = PoolProtocol::Tcp(TcpProxy { max_connect_attempts: 1 });
    config
}

#[test]
fn a_client_does_not_reuse_a_connection_that_is_too_old_however_busy_it_was() {
    let affinity = Affinity::Connection { age_max: Some(Span::from_secs(1)) };
    let mut desk = Desk::new(PolicyConfig { affinity, ..PolicyConfig::envoy_default() }, &[1]);
    let first = desk.ask();
    for _ in 0..3 {
        desk.wait(333);
        assert_eq!(desk.ask(), first);
    }
    desk.wait(1);
    let second = desk.ask();
    assert_ne!(second, first, "it is a second old");
    assert_eq!((desk.closed.as_slice(), desk.router.connections()), ([first].as_slice(), 1));
    desk.wait(999);
    assert_eq!(desk.ask(), second, "its age is its own");
}

#[test]
fn connections_that_were_idle_too_long_carry_nothing_even_before_they_are_looked_through() {
    let mut config = PolicyConfig::envoy_default();
    config.timeouts.idle = Span::from_secs(1);
    let mut desk = Desk::new(config, &[1]);
    let mut pair = [desk.open(), desk.open()];
    for (flight, attempt) in &mut pair {
        let attempt = *attempt;
        desk.answer(flight, attempt);
    }
    desk.wait(999);
    let kept = desk.ask();
    assert_eq!(kept, pair[1].1.conn, "the one used last");
    desk.wait(1000);
    // A request comes in the same instant as the time-out, before it.
    let mut flight = desk.call(|router, cx| router.begin(cx, Ask::of(RequestKey(9))));
    let step = desk.call(|router, cx| router.step(cx, &mut flight));
    assert!(matches!(step, Step::Wait { .. }), "{step:?}");
    desk.look();
    assert_eq!((desk.closed.len(), desk.dials.len(), desk.router.connections()), (2, 1, 1));
    desk.tell(|router, cx| router.abandon(cx, flight));
}

#[test]
fn a_pool_without_a_connection_may_make_one_beyond_the_limit_also_after_it_has_lost_its_last() {
    let mut config = PolicyConfig::envoy_default();
    config.circuit_breakers.max_connections = 1;
    let mut desk = Desk::new(config, &[1, 2]);
    let (_first, of_first) = desk.open();
    for (made, overflow) in [(2, 1), (3, 3)] {
        let (mut second, of_second) = desk.open();
        assert_eq!((of_first.member.0, of_second.member.0), (1, 2));
        let stats = desk.router.pool_stats();
        assert_eq!((stats.upstream_cx_total, stats.upstream_cx_overflow), (made, overflow));
        desk.answer(&mut second, of_second);
        desk.tell(|router, cx| router.on_conn_closed(cx, of_second.conn));
        // The turn of the first member: it has a connection, so that another request waits, which is counted too.
        let (third, step) = desk.begin();
        assert!(matches!(step, Step::Wait { .. }) && desk.dials.is_empty(), "{step:?}");
        desk.tell(|router, cx| router.abandon(cx, third));
    }
}

#[test]
fn a_dial_that_fails_fails_all_who_wait_for_that_endpoint_and_nobody_else() {
    let mut desk = Desk::new(PolicyConfig::envoy_default(), &[1, 2]);
    // In turns: 1, 2, 1.
    let mut waiting = [desk.begin(), desk.begin(), desk.begin()].map(|(flight, _)| flight);
    assert_eq!((desk.dials.len(), desk.router.pending()), (3, 3));
    let conn = desk.dials.remove(0);
    desk.tell(|router, cx| router.on_connect_failed(cx, conn, Trouble::ConnectRefused));
    assert_eq!((desk.woken.as_slice(), desk.router.pending()), ([1, 3].as_slice(), 1));
    for (flight, fails) in waiting.iter_mut().zip([true, false, true]) {
        let step = desk.step(flight);
        let failed = matches!(step, Step::Done(verdict) if verdict.status == 503 && verdict.flags.to_string() == "UF");
        assert_eq!(failed, fails, "{step:?}");
    }
    let stats = desk.router.pool_stats();
    assert_eq!((stats.upstream_cx_connect_fail, stats.upstream_cx_connect_timeout), (1, 0));
    let conn = desk.dials[0];
    desk.tell(|router, cx| router.on_connect_failed(cx, conn, Trouble::ConnectTimeout));
    let stats = desk.router.pool_stats();
    assert_eq!((stats.upstream_cx_connect_fail, stats.upstream_cx_connect_timeout), (2, 1));
}

#[test]
fn where_the_choice_is_per_connection_one_dial_takes_the_place_of_one_that_failed() {
    let mut config = PolicyConfig { affinity: Affinity::Connection { age_max: None }, ..PolicyConfig::envoy_default() };
    config.circuit_breakers.max_connections = 1;
    let mut desk = Desk::new(config, &[1]);
    let mut waiting = [desk.begin(), desk.begin(), desk.begin()].map(|(flight, _)| flight);
    assert_eq!((desk.dials.len(), desk.router.pool_stats().upstream_cx_overflow), (1, 2));
    let conn = desk.dials.remove(0);
    desk.tell(|router, cx| router.on_connect_failed(cx, conn, Trouble::ConnectRefused));
    let steps = waiting.each_mut().map(|flight| matches!(desk.step(flight), Step::Done(_)));
    assert_eq!(steps, [true, false, false], "the others go on hoping");
    assert_eq!((desk.dials.len(), desk.router.pool_stats().upstream_cx_overflow), (1, 2));
}

#[test]
fn a_connection_takes_no_more_streams_than_its_peer_says_also_when_it_says_so_late() {
    let mut config = PolicyConfig::envoy_default();
    config.pool.protocol = PoolProtocol::Http2 { max_concurrent_streams: 4 };
    let mut desk = Desk::new(config, &[1]);
    let [mut first, mut second, third] = [desk.open(), desk.open(), desk.open()];
    let conn = first.1.conn;
    assert!(second.1.conn == conn && third.1.conn == conn);
    desk.tell(|router, cx| router.on_settings(cx, conn, 3));
    let (mut fourth, step) = desk.begin();
    assert!(matches!(step, Step::Wait { .. }) && desk.dials.len() == 1, "three of three: {step:?}");
    desk.tell(|router, cx| router.on_settings(cx, conn, 2));
    desk.answer(&mut first.0, first.1);
    assert_eq!(desk.woken, [1], "two of two are left: nobody but the first was ever woken");
    desk.answer(&mut second.0, second.1);
    assert_eq!(desk.woken, [1, 4]);
    let Step::Try(attempt) = desk.step(&mut fourth) else { panic!("it was woken") };
    assert_eq!(attempt.conn, conn);
}

#[test]
fn what_was_idle_too_long_is_closed_in_time_and_nothing_else() {
    let mut config = PolicyConfig::envoy_default();
    config.timeouts.idle = Span::from_secs(1);
    let mut desk = Desk::new(config, &[1]);
    let [mut busy, mut short, mut long] = [desk.open(), desk.open(), desk.open()];
    let due = |desk: &Desk| desk.router.upkeep_due().since(Time::ZERO).as_millis();
    desk.answer(&mut long.0, long.1);
    desk.wait(400);
    desk.answer(&mut short.0, short.1);
    assert_eq!(due(&desk), 1000);
    desk.wait(600);
    desk.look();
    assert_eq!((desk.closed.as_slice(), due(&desk)), ([long.1.conn].as_slice(), 1400));
    desk.wait(400);
    desk.look();
    assert_eq!(desk.closed, [long.1.conn, short.1.conn]);
    assert_eq!(desk.router.upkeep_due(), Time::NEVER, "what carries something is not idle");
    desk.wait(600);
    desk.answer(&mut busy.0, busy.1);
    assert_eq!((due(&desk), desk.router.connections()), (3000, 1));
}

#[test]
fn a_connection_that_has_carried_all_it_may_is_closed_and_counted() {
    let mut config = PolicyConfig::envoy_default();
    config.pool.max_requests_per_connection = 2;
    let mut desk = Desk::new(config, &[1]);
    let used: Vec<ConnKey> = (0..5).map(|_| desk.ask()).collect();
    assert!(used[0] == used[1] && used[1] != used[2] && used[2] == used[3] && used[3] != used[4], "{used:?}");
    let stats = desk.router.pool_stats();
    assert_eq!((stats.upstream_cx_max_requests, stats.upstream_cx_total, desk.closed.len()), (2, 3, 2));
}

#[test]
fn a_tcp_proxy_counts_each_client_that_it_refuses_for_max_connections() {
    let mut config = tcp();
    config.circuit_breakers.max_connections = 1;
    let mut desk = Desk::new(config, &[1]);
    let (mut flight, attempt) = desk.open();
    for refused in 1..=3 {
        let (_, step) = desk.begin();
        let Step::Done(verdict) = step else { panic!("{step:?}") };
        assert_eq!((verdict.flags.to_string().as_str(), verdict.attempts), ("UO", 0));
        assert_eq!(desk.router.pool_stats().upstream_cx_overflow, refused);
    }
    desk.answer(&mut flight, attempt);
    let _ = desk.open();
    assert_eq!(desk.router.pool_stats().upstream_cx_overflow, 3);
}

#[test]
fn a_connection_made_for_one_who_has_left_serves_the_next_over_http_and_ends_over_tcp() {
    for (config, stands) in [(PolicyConfig::envoy_default(), 1), (tcp(), 0)] {
        let mut desk = Desk::new(config, &[1]);
        let (flight, step) = desk.begin();
        assert!(matches!(step, Step::Wait { .. }));
        assert_eq!((desk.router.pending(), desk.router.active()), (1, 0));
        let conn = desk.connect();
        assert_eq!(desk.woken, [1], "the connection is kept for it");
        assert_eq!((desk.router.pending(), desk.router.active()), (0, 1));
        desk.tell(|router, cx| router.abandon(cx, flight));
        assert_eq!((desk.router.connections(), desk.closed.len()), (stands, 1 - stands as usize));
        assert_eq!(desk.ask() == conn, stands == 1);
    }
}

/// Connections for requests to come are made to healthy endpoints only (envoy.md 4.2).
#[test]
fn one_that_is_out_gets_no_connection_beyond_the_one_it_needs() {
    let mut config = PolicyConfig::envoy_default();
    config.pool.preconnect_percent = 200;
    config.outlier_detection = Some(config::OutlierDetection {
        consecutive_5xx: 1,
        max_ejection_percent: 100,
        ..config::OutlierDetection::envoy_default()
    });
    let mut desk = Desk::new(config, &[1]);
    let (mut flight, _) = desk.begin();
    assert_eq!(desk.dials.len(), 2, "one for it and one for the next");
    desk.connect();
    let Step::Try(attempt) = desk.step(&mut flight) else { panic!("no attempt") };
    let outcome = Outcome::Answered(Answer::of(500));
    desk.tell(|router, cx| router.report(cx, &mut flight, attempt.attempt, outcome));
    let Step::Done(_) = desk.step(&mut flight) else { panic!("it goes on") };
    assert_eq!(desk.router.ejected(), 1);
    desk.dials.clear();
    let before = desk.router.connections();
    let _ = desk.begin();
    assert_eq!((before, desk.dials.len()), (0, 1), "all are out, and it is tried in panic");
}

/// A newcomer is nobody who was tried before, also where it takes the place of one that was.
#[test]
fn who_takes_the_place_of_one_that_left_is_not_taken_for_it() {
    let retry = config::RetryPolicy {
        retry_on: config::RetryOn::FIVE_XX,
        num_retries: 1,
        previous_hosts: true,
        host_selection_retry_max_attempts: 1,
        ..config::RetryPolicy::envoy_default()
    };
    for keeps in [[2, 3], [3, 2]] {
        let config = PolicyConfig {
            retry_policy: Some(retry.clone()),
            lb_policy: config::LbPolicy::FirstListed,
            update_merge_window: Span::ZERO,
            ..PolicyConfig::envoy_default()
        };
        let mut desk = Desk::new(config, &[1, 2]);
        let (mut flight, attempt) = desk.open();
        assert_eq!(attempt.member, MemberKey(1));
        let outcome = Outcome::Answered(Answer::of(503));
        desk.tell(|router, cx| router.report(cx, &mut flight, attempt.attempt, outcome));
        desk.list(&[2]);
        desk.list(&keeps);
        desk.wait(1000);
        if let Step::Wait { .. } = desk.step(&mut flight) {
            desk.connect();
        }
        let Step::Try(second) = desk.step(&mut flight) else { panic!("no retry") };
        assert_eq!(second.member, MemberKey(keeps[0]));
    }
}

/// A request that takes a connection asks for those of the requests to come (envoy.md 4.2).
#[test]
fn a_connection_that_is_taken_is_made_up_for_ahead() {
    let mut config = PolicyConfig::envoy_default();
    config.pool.preconnect_percent = 200;
    let mut desk = Desk::new(config, &[1]);
    let (mut first, _) = desk.begin();
    desk.connect();
    desk.connect();
    assert!(matches!(desk.step(&mut first), Step::Try(_)));
    assert_eq!((desk.router.connections(), desk.dials.len()), (2, 0), "two for one");
    let (_second, step) = desk.begin();
    assert!(matches!(step, Step::Try(_)));
    assert_eq!(desk.dials.len(), 2, "four for two");
}

/// Who keeps a connection for all it does chooses when it dials, and not when it sends.
#[test]
fn a_request_on_a_kept_connection_takes_nobodys_turn() {
    let affinity = Affinity::Connection { age_max: None };
    let mut desk = Desk::new(PolicyConfig { affinity, ..PolicyConfig::envoy_default() }, &[1, 2, 3]);
    for _ in 0..2 {
        desk.ask();
    }
    let (_busy, first) = desk.open();
    let (_other, second) = desk.open();
    assert_eq!((first.member, second.member), (MemberKey(1), MemberKey(2)));
}

/// The peer of that name says goodbye on all of its connections, and on nobody else's.
#[test]
fn a_peer_that_goes_loses_its_connections() {
    let mut desk = Desk::new(PolicyConfig::envoy_default(), &[1, 2]);
    let (first, second) = (desk.ask(), desk.ask());
    desk.tell(|router, cx| router.on_goaway_from(cx, MemberKey(1)));
    assert_eq!(desk.closed, [first]);
    assert_ne!(first, second);
    assert_eq!((desk.router.connections_to(MemberKey(1)), desk.router.connections_to(MemberKey(2))), (0, 1));
}

#[test]
fn a_connection_says_how_long_it_carried_nothing() {
    let mut desk = Desk::new(PolicyConfig::envoy_default(), &[1]);
    let conn = desk.ask();
    desk.wait(5);
    assert_eq!(desk.router.idle_for(desk.now, conn), Span::from_millis(5));
}

#[test]
fn requests_beyond_the_limit_are_counted() {
    let mut config = PolicyConfig::envoy_default();
    config.circuit_breakers.max_requests = 1;
    config.pool.protocol = PoolProtocol::Http2 { max_concurrent_streams: 10 };
    let mut desk = Desk::new(config, &[1]);
    let (_first, _) = desk.open();
    for _ in 0..2 {
        assert!(matches!(desk.begin().1, Step::Done(_)));
    }
    assert_eq!(desk.router.pool_stats().upstream_rq_active_overflow, 2);
}

/// A TCP proxy's connection that stands is a success (envoy.md 1.1): failures before it do not count on.
#[test]
fn a_connection_that_stands_ends_a_row_of_failures_of_a_tcp_proxy() {
    let mut config = tcp();
    config.outlier_detection = Some(config::OutlierDetection {
        consecutive_5xx: 2,
        max_ejection_percent: 100,
        ..config::OutlierDetection::envoy_default()
    });
    let mut desk = Desk::new(config, &[1]);
    let fail = |desk: &mut Desk| {
        let (mut flight, _) = desk.begin();
        let dial = desk.dials.remove(0);
        desk.tell(|router, cx| router.on_connect_failed(cx, dial, Trouble::ConnectRefused));
        assert!(matches!(desk.step(&mut flight), Step::Done(_)));
    };
    fail(&mut desk);
    let (mut flight, attempt) = desk.open();
    desk.answer(&mut flight, attempt);
    fail(&mut desk);
    assert_eq!(desk.router.ejected(), 0);
    fail(&mut desk);
    assert_eq!(desk.router.ejected(), 1);
}

#[test]
fn requests_on_a_member_are_counted_until_they_end_also_after_it_has_left() {
    let mut desk = Desk::new(PolicyConfig::envoy_default(), &[1, 2]);
    let mut open = [desk.open(), desk.open(), desk.open()];
    let on = |desk: &Desk| [1, 2, 3].map(|key| desk.router.active_on(MemberKey(key)));
    assert_eq!(open.each_ref().map(|(_, attempt)| attempt.member.0), [1, 2, 1]);
    assert_eq!(on(&desk), [2, 1, 0]);
    desk.list(&[2]);
    assert_eq!(on(&desk), [2, 1, 0]);
    for ((flight, attempt), left) in open.iter_mut().zip([[1, 1, 0], [1, 0, 0], [0, 0, 0]]) {
        let attempt = *attempt;
        desk.answer(flight, attempt);
        assert_eq!(on(&desk), left);
    }
}

#[test]
fn statistics_of_connections_have_envoys_names() {
    let stats = PoolStats {
        upstream_cx_total: 1,
        upstream_cx_overflow: 2,
        upstream_cx_connect_fail: 3,
        upstream_cx_connect_timeout: 4,
        upstream_cx_max_requests: 5,
        upstream_rq_pending_overflow: 6,
        upstream_rq_active_overflow: 7,
    };
    let expected = [
        ("upstream_cx_total", 1),
        ("upstream_cx_overflow", 2),
        ("upstream_cx_connect_fail", 3),
        ("upstream_cx_connect_timeout", 4),
        ("upstream_cx_max_requests", 5),
        ("upstream_rq_pending_overflow", 6),
        ("upstream_rq_active_overflow", 7),
    ];
    assert_eq!(stats.named(), expected);
}

/// Envoy looks through a pool that is to go whenever a connection of it stands or a request on it ends.
#[test]
fn the_other_dials_to_one_who_has_left_are_given_up_when_the_last_who_waits_is_served() {
    let mut desk = Desk::new(PolicyConfig::envoy_default(), &[1]);
    let (mut first, _) = desk.begin();
    let (second, _) = desk.begin();
    desk.tell(|router, cx| router.abandon(cx, second));
    desk.list(&[]);
    assert!(desk.dials.len() == 2 && desk.closed.is_empty(), "one still waits, and it may be served by either");
    desk.connect();
    assert_eq!(desk.closed, desk.dials, "nobody waits for the second");
    let Step::Try(attempt) = desk.step(&mut first) else { panic!("it has a connection") };
    desk.answer(&mut first, attempt);

    let mut desk = Desk::new(PolicyConfig::envoy_default(), &[1]);
    let (mut busy, attempt) = desk.open();
    let (mut next, _) = desk.begin();
    desk.list(&[]);
    assert!(desk.dials.len() == 1 && desk.closed.is_empty());
    desk.answer(&mut busy, attempt);
    assert_eq!(desk.closed, desk.dials, "the one who waited got the connection that became free");
    assert!(matches!(desk.step(&mut next), Step::Try(_)));
}

#[test]
fn an_endpoint_that_left_is_forgotten_when_its_last_request_is_over() {
    let mut desk = Desk::new(PolicyConfig::envoy_default(), &[1]);
    let (mut flight, attempt) = desk.open();
    desk.list(&[2]);
    assert_eq!(desk.router.member_of(attempt.endpoint), Some(MemberKey(1)));
    desk.answer(&mut flight, attempt);
    assert_eq!((desk.router.member_of(attempt.endpoint), desk.closed.len()), (None, 1));
    // Nothing of the second was ever under way.
    let second = desk.router.endpoints().next().map(|(endpoint, _)| endpoint);
    desk.list(&[3]);
    assert_eq!(second.and_then(|endpoint| desk.router.member_of(endpoint)), None);
}

#[test]
fn a_dial_that_nobody_waits_for_is_given_up_when_its_endpoint_leaves() {
    for waits in [false, true] {
        let mut desk = Desk::new(PolicyConfig::envoy_default(), &[1]);
        let (first, _) = desk.begin();
        let (mut second, _) = desk.begin();
        let dials = desk.dials.clone();
        desk.tell(|router, cx| router.abandon(cx, first));
        if !waits {
            desk.tell(|router, cx| router.abandon(cx, second.clone()));
        }
        assert_eq!(desk.router.connections(), 2, "the next one may need them");
        desk.list(&[2]);
        if waits {
            desk.connect();
            assert!(matches!(desk.step(&mut second), Step::Try(attempt) if attempt.member.0 == 1));
        } else {
            assert_eq!(desk.closed, dials);
        }
    }
}

#[test]
fn a_tcp_client_that_goes_takes_a_dial_along_unless_another_needs_it() {
    let mut desk = Desk::new(tcp(), &[1]);
    let (first, _) = desk.begin();
    let (second, _) = desk.begin();
    desk.tell(|router, cx| router.abandon(cx, first));
    assert_eq!((desk.closed.len(), desk.router.connections()), (1, 1));
    desk.tell(|router, cx| router.abandon(cx, second));
    assert_eq!((desk.closed.len(), desk.router.connections()), (2, 0));
    // A connection under way needs none of the dials.
    for waits in [false, true] {
        let mut desk = Desk::new(tcp(), &[1]);
        let (_busy, _) = desk.open();
        let (first, _) = desk.begin();
        let _other = waits.then(|| desk.begin());
        desk.tell(|router, cx| router.abandon(cx, first));
        assert_eq!((desk.closed.len(), desk.router.connections()), (1, 1 + u32::from(waits)), "{waits}");
    }
    // Two are wanted for each, and two is all that its host allows.
    let mut config = tcp();
    config.pool.preconnect_percent = 200;
    config.circuit_breakers.per_host_max_connections = 2;
    let mut desk = Desk::new(config, &[1]);
    let (first, _) = desk.begin();
    let (_second, _) = desk.begin();
    desk.tell(|router, cx| router.abandon(cx, first));
    assert_eq!((desk.closed.len(), desk.router.connections()), (0, 2));
}

#[test]
fn where_the_choice_is_per_connection_one_to_who_has_left_serves_only_who_hoped_for_it() {
    let affinity = Affinity::Connection { age_max: None };
    let mut desk = Desk::new(PolicyConfig { affinity, ..PolicyConfig::envoy_default() }, &[1]);
    let (mut first, _) = desk.begin();
    let (mut second, _) = desk.begin();
    desk.list(&[2]);
    desk.connect();
    assert_eq!(desk.woken, [1], "one request at a time");
    let Step::Try(attempt) = desk.step(&mut first) else { panic!("it was woken") };
    assert_eq!(attempt.member, MemberKey(1));
    desk.connect();
    assert!(matches!(desk.step(&mut second), Step::Try(attempt) if attempt.member.0 == 1));
    desk.answer(&mut first, attempt);
    assert_eq!(desk.closed, [attempt.conn], "nobody after them");
    let (mut third, _) = desk.begin();
    desk.connect();
    assert!(matches!(desk.step(&mut third), Step::Try(attempt) if attempt.member.0 == 2));
}

#[test]
fn a_peer_that_says_goaway_gets_nothing_new_and_may_finish_what_it_has() {
    let mut config = PolicyConfig::envoy_default();
    config.pool.protocol = PoolProtocol::Http2 { max_concurrent_streams: 4 };
    let mut desk = Desk::new(config, &[1]);
    let (mut flight, attempt) = desk.open();
    desk.tell(|router, cx| router.on_goaway(cx, attempt.conn));
    assert_ne!(desk.ask(), attempt.conn);
    assert_eq!(desk.closed, []);
    desk.answer(&mut flight, attempt);
    assert_eq!(desk.closed, [attempt.conn]);
}
