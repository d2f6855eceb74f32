//! The memory of one vantage point, and the calls a driver makes on it.
//!
//! *Knows* in which order members, balancer, pool, detectors and retry rules are asked. *Does
//! not know* any rule itself; each lives in the room of its name.
//! Invariant: whatever a flight took (a connection, a place in the queue, a retry slot) is
//! returned when the flight is done or abandoned.
//!
//! The methods come in four kinds: the world changed (`on_*`), housekeeping (`poll_upkeep`,
//! `upkeep_due`), one request (`begin`, `step`, `report`, `abandon`), and plain nouns.

use super::AttemptNo;
use super::ConnKey;
use super::Cx;
use super::EndpointId;
use super::Member;
use super::MemberKey;
use super::Outcome;
use super::PolicyConfig;
use super::RequestKey;
use super::Trouble;
use super::balance::Balancer;
use super::config::Discovery;
use super::config::Stale;
use super::fact::Denial;
use super::fact::Fact;
use super::fact::Flag;
use super::fact::Flags;
use super::fact::Limit;
use super::flight::Ask;
use super::flight::Flight;
use super::flight::State;
use super::flight::Step;
use super::flight::Tried;
use super::flight::Try;
use super::flight::Verdict;
use super::members::Members;
use super::members::Probe;
use super::members::ProbeHealth;
use super::members::Standing;
use super::outlier::Outlier;
use super::outlier::Reported;
use super::pool::Acquired;
use super::pool::Pool;
use super::pool::TicketState;
use super::rates::SuccessRates;
use super::retry;
use crate::units::Span;
use crate::units::Time;
use std::collections::VecDeque;
use std::sync::Arc;

/// Something the driver has to do, apart from answering steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Upkeep {
    /// Step that flight again.
    Wake {
        /// Its name.
        request: RequestKey,
    },
    /// Open a connection; answer with `on_connected` or `on_connect_failed`.
    Connect {
        /// To whom.
        endpoint: EndpointId,
        /// The driver's name for it.
        member: MemberKey,
        /// The connection's name from now on.
        conn: ConnKey,
        /// Then it has failed with `ConnectTimeout`.
        give_up_at: Time,
    },
    /// Close a connection; its name means nothing afterwards.
    Close {
        /// Which.
        conn: ConnKey,
    },
    /// Send a probe; answer with `on_probe`.
    Probe {
        /// To whom.
        endpoint: EndpointId,
        /// The driver's name for it.
        member: MemberKey,
        /// Then it has failed.
        give_up_at: Time,
    },
}

/// The shared memory of one vantage point.
#[derive(Clone, Debug)]
pub struct Router {
    config: Arc<PolicyConfig>,
    members: Members,
    balancer: Balancer,
    outlier: Option<Outlier>,
    pool: Pool,
    /// Slots of the retry breaker in use.
    retries: u32,
    names: Names,
    upkeep: VecDeque<Upkeep>,
    probe_due: Time,
}

/// What a resolving router knows of its names.
#[derive(Clone, Debug)]
struct Names {
    valid_until: Time,
    resolving: bool,
    failed: bool,
    waiting: Vec<RequestKey>,
}

impl Router {
    /// A router that knows nobody yet. Many may share one configuration.
    ///
    /// # Panics
    /// If the configuration does not pass [`PolicyConfig::check`].
    pub fn new(config: Arc<PolicyConfig>) -> Router {
        assert!(config.check().is_ok(), "a router is built from a checked configuration");
        Router {
            members: Members::new(),
            balancer: Balancer::new(config.lb_policy),
            outlier: config.outlier_detection.map(Outlier::new),
            pool: Pool::new(&config),
            retries: 0,
            names: Names { valid_until: Time::ZERO, resolving: false, failed: false, waiting: Vec::new() },
            upkeep: VecDeque::new(),
            probe_due: Time::NEVER,
            config,
        }
    }

    /// Its configuration.
    pub fn config(&self) -> &PolicyConfig {
        &self.config
    }

    // ---- the world changed -----------------------------------------------------------------

    /// A new list is in force, in place of the old one; `valid_for` says for how long when it was
    /// asked for. Endpoints that are missing are chosen no more; requests under way may finish. A
    /// pushed list also ends their connections; an answer of DNS leaves those that stand in use.
    pub fn on_members(&mut self, cx: &mut Cx<'_>, list: &[Member], valid_for: Option<Span>) {
        self.balancer.seed(cx);
        if let Some(outlier) = &mut self.outlier {
            outlier.start(cx.now);
        }
        let probing = self.config.health_check;
        let mut added = Vec::new();
        let probe = Probe {
            health: if probing.is_some() { ProbeHealth::Unknown } else { ProbeHealth::Unprobed },
            streak: 0,
            next: Time::NEVER,
        };
        let gone = self.members.replace(list, probe, |slot| added.push(slot));
        if let Some(outlier) = &mut self.outlier {
            for &slot in &added {
                outlier.on_added(slot);
            }
        }
        if let Some(probing) = probing {
            for slot in added {
                // Probes of different endpoints are spread over the interval.
                let phase = Span::from_nanos(cx.below(probing.interval.as_nanos() as usize) as u64);
                self.members.slots[slot as usize].probe.next = cx.now + phase;
            }
            self.find_next_probe();
        }
        for slot in gone {
            if let Some(outlier) = &mut self.outlier {
                outlier.on_removed(&mut self.members, slot);
            }
            self.pool.on_unlisted(slot, &mut self.members, &mut self.upkeep);
        }
        cx.emit(Fact::Members { live: self.members.listed.len() as u32 });
        self.members.deliver(cx, self.config.panic);
        self.names.failed = false;
        self.names.valid_until = valid_for.map_or(Time::NEVER, |span| cx.now + span);
        self.answer_lookups();
    }

    /// The lookup that a `Step::Resolve` asked for gave no answer.
    pub fn on_lookup_failed(&mut self, cx: &mut Cx<'_>) {
        let serves = match self.config.discovery {
            Discovery::Pushed => true,
            Discovery::Resolved { on_failure: Stale::Refuse } => false,
            Discovery::Resolved { on_failure: Stale::Serve { at_most } } => {
                !self.members.listed.is_empty() && cx.now <= self.names.valid_until + at_most
            }
        };
        self.names.failed = !serves;
        self.answer_lookups();
    }

    fn answer_lookups(&mut self) {
        self.names.resolving = false;
        for request in self.names.waiting.drain(..) {
            self.upkeep.push_back(Upkeep::Wake { request });
        }
    }

    /// A probe ended. Results for endpoints that are gone are ignored.
    pub fn on_probe(&mut self, cx: &mut Cx<'_>, endpoint: EndpointId, healthy: bool) {
        let (Some(slot), Some(probing)) = (self.members.live(endpoint), self.config.health_check) else { return };
        let state = &mut self.members.slots[slot as usize];
        let contradicts = match state.probe.health {
            ProbeHealth::Unprobed => return,
            ProbeHealth::Unknown => true,
            ProbeHealth::Passing => !healthy,
            ProbeHealth::Failing => healthy,
        };
        let mut changed = None;
        if contradicts {
            state.probe.streak += 1;
            let needed = match (state.probe.health, healthy) {
                (ProbeHealth::Unknown, true) if probing.first_pass_suffices => 1,
                // A first failure makes a new endpoint unhealthy: it never was healthy.
                (ProbeHealth::Unknown, false) => 1,
                (_, true) => probing.healthy_threshold,
                (_, false) => probing.unhealthy_threshold,
            };
            if state.probe.streak >= needed {
                let was_new = state.probe.health == ProbeHealth::Unknown;
                state.probe.health = match (healthy, was_new) {
                    (true, _) => ProbeHealth::Passing,
                    // A new endpoint that failed still needs only one pass.
                    (false, true) if probing.first_pass_suffices => ProbeHealth::Unknown,
                    (false, _) => ProbeHealth::Failing,
                };
                state.probe.streak = 0;
                if healthy || !was_new {
                    changed = Some(healthy);
                }
            }
        } else {
            state.probe.streak = 0;
        }
        if let Some(healthy) = changed {
            cx.emit(Fact::Probed { endpoint, healthy });
            if !healthy {
                self.pool.drain_endpoint(slot, &mut self.members, &mut self.upkeep);
            }
        }
        let returned = match &mut self.outlier {
            Some(outlier) => healthy && outlier.on_probe_passed(cx, &mut self.members, slot),
            None => false,
        };
        if changed.is_some() || returned {
            self.members.health_changed(cx, self.config.update_merge_window, self.config.panic);
        }
    }

    /// A connection that `Upkeep::Connect` asked for stands.
    pub fn on_connected(&mut self, cx: &mut Cx<'_>, conn: ConnKey) {
        self.pool.on_connected(conn, cx.now, &mut self.members, &mut self.upkeep);
    }

    /// A connection that `Upkeep::Connect` asked for could not be made.
    pub fn on_connect_failed(&mut self, cx: &mut Cx<'_>, conn: ConnKey, trouble: Trouble) {
        self.pool.on_connect_failed(conn, trouble, cx.now, &mut self.members, &mut self.upkeep);
    }

    /// The peer closed a connection. Attempts on it are reported one by one, as ever.
    pub fn on_conn_closed(&mut self, _cx: &mut Cx<'_>, conn: ConnKey) {
        self.pool.on_closed(conn, &mut self.members, &mut self.upkeep);
    }

    /// The peer of that name closed all its connections.
    pub fn on_peer_gone(&mut self, _cx: &mut Cx<'_>, member: MemberKey) {
        for slot in 0..self.members.slots.len() as u32 {
            let state = &self.members.slots[slot as usize];
            if state.occupied && state.member.key == member {
                self.pool.on_peer_gone(slot, &mut self.members, &mut self.upkeep);
            }
        }
    }

    // ---- housekeeping ----------------------------------------------------------------------

    /// The earliest instant at which [`Router::poll_upkeep`] has something to do by itself.
    #[inline]
    pub fn upkeep_due(&self) -> Time {
        let mut due = self.probe_due.min(self.pool.sweep_due);
        if let Some(outlier) = &self.outlier {
            due = due.min(outlier.tick_due);
        }
        if let Some(merge) = self.members.merge_due() {
            due = due.min(merge);
        }
        due
    }

    /// The next thing to do; the driver asks until `None`.
    #[inline]
    pub fn poll_upkeep(&mut self, cx: &mut Cx<'_>) -> Option<Upkeep> {
        if cx.now >= self.upkeep_due() {
            self.run_timers(cx);
        }
        self.upkeep.pop_front()
    }

    fn run_timers(&mut self, cx: &mut Cx<'_>) {
        if let Some(outlier) = &mut self.outlier
            && cx.now >= outlier.tick_due
            && outlier.sweep(cx, &mut self.members)
        {
            for &slot in &outlier.taken_out {
                self.pool.drain_endpoint(slot, &mut self.members, &mut self.upkeep);
            }
            self.members.health_changed(cx, self.config.update_merge_window, self.config.panic);
        }
        if self.members.merge_due().is_some_and(|due| cx.now >= due) {
            self.members.deliver(cx, self.config.panic);
        }
        if cx.now >= self.pool.sweep_due {
            self.pool.sweep(cx.now, &mut self.members, &mut self.upkeep);
        }
        if cx.now >= self.probe_due {
            self.start_probes(cx);
        }
    }

    fn start_probes(&mut self, cx: &mut Cx<'_>) {
        let Some(probing) = self.config.health_check else { return };
        for i in 0..self.members.listed.len() {
            let slot = self.members.listed[i];
            let endpoint = self.members.id(slot);
            let state = &mut self.members.slots[slot as usize];
            if state.probe.next <= cx.now {
                state.probe.next = cx.now + probing.interval;
                self.upkeep.push_back(Upkeep::Probe {
                    endpoint,
                    member: state.member.key,
                    give_up_at: cx.now + probing.timeout,
                });
            }
        }
        self.find_next_probe();
    }

    fn find_next_probe(&mut self) {
        let slots = &self.members.slots;
        let next = self.members.listed.iter().map(|&slot| slots[slot as usize].probe.next).min();
        self.probe_due = next.unwrap_or(Time::NEVER);
    }

    // ---- one request -----------------------------------------------------------------------

    /// Begins a request. Its time-out runs from now.
    #[inline]
    pub fn begin(&mut self, cx: &mut Cx<'_>, ask: Ask) -> Flight {
        let timeout = ask.timeout.unwrap_or(self.config.timeouts.request);
        Flight {
            request: ask.request,
            deadline: cx.now + timeout,
            idempotent: ask.idempotent,
            attempts: 0,
            retries_left: self.config.retry_policy.as_ref().map_or(0, |retry| retry.num_retries as u8),
            holds_retry: false,
            tried: Tried::default(),
            state: State::Choosing,
        }
    }

    /// What the request does next.
    #[inline]
    pub fn step(&mut self, cx: &mut Cx<'_>, flight: &mut Flight) -> Step {
        if let State::Done(verdict) = flight.state {
            return Step::Done(verdict);
        }
        if cx.now >= flight.deadline {
            return self.expire(cx, flight);
        }
        match flight.state {
            State::Choosing => self.choose(cx, flight, false),
            State::BackOff { until } if cx.now >= until => self.choose(cx, flight, false),
            State::BackOff { until } => Step::Wait { until: Some(until.min(flight.deadline)) },
            State::Resolving if self.names.resolving => Router::wait(flight),
            State::Resolving if self.names.failed => {
                self.finish(cx, flight, self.config.replies.no_endpoint, Flags::NONE.with(Flag::Df))
            }
            // The names that just came are good for those who waited, whatever their TTL.
            State::Resolving => self.choose(cx, flight, true),
            State::Pending { ticket, .. } => match self.pool.redeem(ticket) {
                TicketState::Waiting | TicketState::Cancelled => Router::wait(flight),
                TicketState::Granted(conn) => self.send(cx, flight, conn),
                TicketState::Refused(limit) => self.refuse(cx, flight, limit),
                TicketState::Failed(trouble) => {
                    let State::Pending { endpoint, .. } = flight.state else { unreachable!("matched above") };
                    self.conclude(cx, flight, endpoint, Outcome::Failed(trouble));
                    self.step(cx, flight)
                }
            },
            State::Open { .. } => Router::wait(flight),
            State::Done(verdict) => Step::Done(verdict),
        }
    }

    fn wait(flight: &Flight) -> Step {
        Step::Wait { until: (flight.deadline != Time::NEVER).then_some(flight.deadline) }
    }

    fn choose(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, names_are_fresh: bool) -> Step {
        match self.pool.take_shared(cx.now, &mut self.members, &mut self.upkeep) {
            Some(Acquired::Ready(conn)) => {
                flight.attempts += 1;
                return self.send(cx, flight, conn);
            }
            Some(Acquired::Refused(limit)) => {
                flight.attempts += 1;
                return self.refuse(cx, flight, limit);
            }
            Some(Acquired::Pending(_)) | None => {}
        }
        // Expired names are asked for again each time; whether they still serve when there is no
        // answer is decided then.
        if matches!(self.config.discovery, Discovery::Resolved { .. })
            && !names_are_fresh
            && cx.now >= self.names.valid_until
        {
            flight.state = State::Resolving;
            if self.names.resolving {
                self.names.waiting.push(flight.request);
                return Router::wait(flight);
            }
            self.names.resolving = true;
            return Step::Resolve;
        }
        let Some(slot) = self.pick(cx, flight) else {
            return self.finish(cx, flight, self.config.replies.no_endpoint, Flags::NONE.with(Flag::Uh));
        };
        flight.attempts += 1;
        match self.pool.acquire(slot, flight.request, cx.now, &mut self.members, &mut self.upkeep) {
            Acquired::Ready(conn) => self.send(cx, flight, conn),
            Acquired::Pending(ticket) => {
                flight.state = State::Pending { ticket, endpoint: self.members.id(slot) };
                Router::wait(flight)
            }
            Acquired::Refused(limit) => self.refuse(cx, flight, limit),
        }
    }

    /// Picks an endpoint, again while the host predicate rejects and extra picks are left; then
    /// the last pick is used anyway (envoy.md 2.6).
    #[inline]
    fn pick(&mut self, cx: &mut Cx<'_>, flight: &Flight) -> Option<u32> {
        let members = &self.members;
        let tried = |slot: u32| flight.tried.contains(members.id(slot));
        let mut pick = self.balancer.pick(cx, &members.view, &members.slots, tried)?;
        if flight.attempts > 0
            && let Some(retry) = &self.config.retry_policy
            && retry.previous_hosts
        {
            for _ in 0..retry.host_selection_retry_max_attempts {
                if !tried(pick) {
                    break;
                }
                pick = self.balancer.pick(cx, &members.view, &members.slots, tried)?;
            }
        }
        Some(pick)
    }

    #[inline]
    fn send(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, conn: ConnKey) -> Step {
        let slot = self.pool.slot_of(conn).expect("the pool has just handed out this connection");
        let endpoint = self.members.id(slot);
        if let Some(outlier) = &mut self.outlier {
            outlier.on_result(cx, &mut self.members, slot, Reported::PoolReady);
        }
        flight.state = State::Open { endpoint, conn };
        let attempt = AttemptNo(flight.attempts - 1);
        cx.emit(Fact::Sent { endpoint, attempt });
        Step::Try(Try {
            attempt,
            endpoint,
            member: self.members.slots[slot as usize].member.key,
            conn,
            // per_try_timeout starts here, so that waiting for a connection is not in it (envoy.md 2.5).
            give_up_at: (cx.now + self.config.timeouts.per_try).min(flight.deadline),
        })
    }

    /// An attempt ended. A report about an attempt that is over changes nothing.
    #[inline]
    pub fn report(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, attempt: AttemptNo, outcome: Outcome) {
        let State::Open { endpoint, conn } = flight.state else {
            cx.emit(Fact::StaleReport);
            return;
        };
        if attempt.0 + 1 != flight.attempts {
            cx.emit(Fact::StaleReport);
            return;
        }
        let retried = self.conclude(cx, flight, endpoint, outcome);
        let h1 = self.pool.one_request_per_connection();
        let keep = match outcome {
            Outcome::Answered { body_follows, .. } => !(h1 && retried && body_follows),
            Outcome::Failed(_) => !h1,
        };
        self.pool.release(conn, keep, cx.now, &mut self.members, &mut self.upkeep);
        self.pool.release_if_gone(endpoint.slot, &mut self.members);
    }

    /// Charges the endpoint and decides: retry, or the end. True if a retry was decided. The
    /// order of the decision is Envoy's (envoy.md 2.2).
    fn conclude(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, endpoint: EndpointId, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Answered { status, .. } => cx.emit(Fact::Answered { endpoint, status }),
            Outcome::Failed(trouble) => cx.emit(Fact::Failed { endpoint, trouble }),
        }
        self.charge(cx, endpoint, outcome);
        if flight.holds_retry {
            flight.holds_retry = false;
            self.retries -= 1;
        }
        let out_of_time = outcome == Outcome::Failed(Trouble::Timeout) && cx.now >= flight.deadline;
        let (status, mut flags) = retry::reply(&self.config.replies, outcome);
        if let Some(policy) = &self.config.retry_policy
            && !out_of_time
            && retry::retriable(policy, outcome)
        {
            if !flight.idempotent && retry::may_have_acted(outcome) {
                cx.emit(Fact::RetryDenied(Denial::NotIdempotent));
            } else if flight.retries_left == 0 {
                flags = flags.with(Flag::Urx);
                cx.emit(Fact::RetryDenied(Denial::LimitExceeded));
            } else {
                // The budget of retries is spent even when the breaker then says no.
                flight.retries_left -= 1;
                if self.retries < self.retries_max() {
                    self.retries += 1;
                    flight.holds_retry = true;
                    flight.tried.push(endpoint);
                    let nth = policy.num_retries - u32::from(flight.retries_left) - 1;
                    let until = cx.now + retry::backoff(cx, policy, nth);
                    flight.state = State::BackOff { until };
                    cx.emit(Fact::Retrying { after: AttemptNo(flight.attempts - 1) });
                    return true;
                }
                flags = flags.with(Flag::Uo);
                cx.emit(Fact::RetryDenied(Denial::Overflow));
            }
        }
        let _ = self.finish(cx, flight, status, flags);
        false
    }

    fn charge(&mut self, cx: &mut Cx<'_>, endpoint: EndpointId, outcome: Outcome) {
        let (Some(slot), Some(outlier)) = (self.members.live(endpoint), &mut self.outlier) else { return };
        if outlier.on_result(cx, &mut self.members, slot, retry::reported(outcome)) {
            // Draining is not held back by the merge window (envoy.md 1.7).
            self.pool.drain_endpoint(slot, &mut self.members, &mut self.upkeep);
            self.members.health_changed(cx, self.config.update_merge_window, self.config.panic);
        }
    }

    fn retries_max(&self) -> u32 {
        match self.config.circuit_breakers.retry_budget {
            None => self.config.circuit_breakers.max_retries,
            Some(budget) => {
                let under_way = u64::from(self.pool.active) + u64::from(self.pool.pending);
                let share = under_way * u64::from(budget.budget_percent.as_ppm()) / 1_000_000;
                budget.min_retry_concurrency.max(share.min(u64::from(u32::MAX)) as u32)
            }
        }
    }

    /// The request time-out passed, whatever the flight was waiting for.
    fn expire(&mut self, cx: &mut Cx<'_>, flight: &mut Flight) -> Step {
        match flight.state {
            State::Open { .. } => {
                let attempt = AttemptNo(flight.attempts - 1);
                self.report(cx, flight, attempt, Outcome::Failed(Trouble::Timeout));
                if let State::Done(verdict) = flight.state {
                    return Step::Done(verdict);
                }
            }
            State::Pending { ticket, .. } => {
                self.pool.cancel(ticket, cx.now, &mut self.members, &mut self.upkeep);
            }
            State::Resolving => self.leave_lookup(flight),
            State::Choosing | State::BackOff { .. } | State::Done(_) => {}
        }
        self.finish(cx, flight, self.config.replies.timeout, Flags::NONE.with(Flag::Ut))
    }

    /// A breaker was full: the attempt that had just begun was none.
    fn refuse(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, limit: Limit) -> Step {
        flight.attempts -= 1;
        cx.emit(Fact::LimitHit(limit));
        self.finish(cx, flight, self.config.replies.overflow, Flags::NONE.with(Flag::Uo))
    }

    fn finish(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, status: u16, flags: Flags) -> Step {
        if flight.holds_retry {
            flight.holds_retry = false;
            self.retries -= 1;
        }
        let verdict = Verdict { status, attempts: flight.attempts, flags };
        flight.state = State::Done(verdict);
        cx.emit(Fact::Finished { verdict });
        Step::Done(verdict)
    }

    /// The caller went away: everything the flight holds is returned, nobody is charged.
    pub fn abandon(&mut self, cx: &mut Cx<'_>, mut flight: Flight) {
        match flight.state {
            State::Open { endpoint, conn } => {
                let keep = !self.pool.one_request_per_connection();
                self.pool.release(conn, keep, cx.now, &mut self.members, &mut self.upkeep);
                self.pool.release_if_gone(endpoint.slot, &mut self.members);
            }
            State::Pending { ticket, .. } => {
                self.pool.cancel(ticket, cx.now, &mut self.members, &mut self.upkeep);
            }
            State::Resolving => self.leave_lookup(&flight),
            State::Choosing | State::BackOff { .. } | State::Done(_) => {}
        }
        if std::mem::take(&mut flight.holds_retry) {
            self.retries -= 1;
        }
    }

    /// A flight stops waiting for names; the lookup itself goes on.
    fn leave_lookup(&mut self, flight: &Flight) {
        self.names.waiting.retain(|&request| request != flight.request);
    }

    /// True if [`Router::poll_upkeep`] has nothing to say now.
    #[inline]
    pub fn is_quiet(&self, now: Time) -> bool {
        self.upkeep.is_empty() && now < self.upkeep_due()
    }

    // ---- nouns -----------------------------------------------------------------------------

    /// The driver's name for an endpoint, while the router still knows it.
    pub fn member_of(&self, endpoint: EndpointId) -> Option<MemberKey> {
        self.members.live(endpoint).map(|slot| self.members.slots[slot as usize].member.key)
    }
    /// The listed endpoints, in list order.
    pub fn endpoints(&self) -> impl Iterator<Item = (EndpointId, MemberKey)> {
        self.members.listed.iter().map(|&slot| (self.members.id(slot), self.members.slots[slot as usize].member.key))
    }
    /// True if that member is listed.
    pub fn lists(&self, member: MemberKey) -> bool {
        self.members.find(member).is_some()
    }
    /// Requests on connections to that member, also if it has left the list.
    pub fn active_on(&self, member: MemberKey) -> u32 {
        self.members
            .slots
            .iter()
            .filter(|slot| slot.occupied && slot.member.key == member)
            .map(|slot| slot.active)
            .sum()
    }
    /// Endpoints out now.
    pub fn ejected(&self) -> u32 {
        self.outlier.as_ref().map_or(0, Outlier::active)
    }
    /// The health of a listed endpoint.
    pub fn standing_of(&self, member: MemberKey) -> Option<Standing> {
        self.members.find(member).map(|slot| self.members.standing(slot))
    }
    /// Mean and threshold of the last sweep's success rates, if it compared any.
    pub fn success_rates(&self) -> Option<SuccessRates> {
        self.outlier.as_ref().and_then(|outlier| outlier.rates)
    }
    /// Requests on a connection.
    pub fn active(&self) -> u32 {
        self.pool.active
    }
    /// Requests waiting for a connection.
    pub fn pending(&self) -> u32 {
        self.pool.pending
    }
    /// Connections, open and being opened.
    pub fn connections(&self) -> u32 {
        self.pool.conn_count
    }
    /// Slots of the retry breaker in use.
    pub fn retries(&self) -> u32 {
        self.retries
    }
    /// Health is being ignored.
    pub fn in_panic(&self) -> bool {
        self.members.view.panic
    }
}
