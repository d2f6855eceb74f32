//! One request: begin, judge, retry or end. The way to an attempt is in `choose`.

use super::Answer;
use super::Ask;
use super::AttemptNo;
use super::BackOff;
use super::ConnKey;
use super::Cx;
use super::Denial;
use super::Effect;
use super::EndpointId;
use super::Fact;
use super::Flag;
use super::Flags;
use super::Flight;
use super::Limit;
use super::Outcome;
use super::Outlier;
use super::Reported;
use super::RetryOn;
use super::RetryPolicy;
use super::Router;
use super::Rules;
use super::Slow;
use super::State;
use super::Step;
use super::Time;
use super::TimeLimit;
use super::Tried;
use super::Trouble;
use super::Verdict;
use super::retry;

/// The status in place of 504 where `x-envoy-upstream-rq-timeout-alt-response` asks for it.
const ALT_RESPONSE: u16 = 204;
/// Retries of one request at the most, as for a configured policy.
const RETRIES_MAX: u32 = 250;

/// What holds for a request that brings rules of retry where its route has none.
static NO_POLICY: RetryPolicy = RetryPolicy::envoy_default();

/// Whether another attempt follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Decision {
    /// It does.
    Retry,
    /// Nothing asks for one.
    No,
    /// One was asked for, and not allowed; the flags say why.
    Denied(Flags),
}

impl Router {
    /// Begins a request. Its time-out runs from now, or from the moment it is complete.
    #[inline]
    pub fn begin(&mut self, cx: &mut Cx<'_>, ask: Ask) -> Flight {
        let config = &*self.config;
        let own = ask.overrides.as_deref();
        let timeout = ask.timeout.or(own.and_then(|own| own.timeout)).unwrap_or(config.timeouts.request);
        let policy = config.retry_policy.as_ref();
        let mut retry_on = policy.map_or(RetryOn::NONE, |policy| policy.retry_on);
        let mut hedges = policy.is_some() && config.hedge_on_per_try_timeout;
        let mut num_retries = policy.unwrap_or(&NO_POLICY).num_retries;
        if let Some(own) = own {
            retry_on = retry_on.with(own.retry_on);
            hedges = own.hedge_on_per_try_timeout.unwrap_or(hedges);
            num_retries = own.max_retries.unwrap_or(num_retries).min(RETRIES_MAX);
        }
        let asked_for = policy.is_none_or(|p| p.retriable_request_headers.is_empty()) || ask.retriable_header;
        let mut may_retry = asked_for && (!retry_on.is_empty() || hedges);
        if may_retry && ask.body > config.per_request_buffer_limit_bytes {
            may_retry = false;
            cx.emit(Fact::RetryAbandoned);
        }
        Flight {
            request: ask.request,
            deadline: if ask.complete { cx.now + timeout } else { Time::NEVER },
            timeout,
            idempotent: ask.idempotent,
            hash: ask.hash,
            complete: ask.complete,
            may_retry,
            retry_on,
            backoffs: 0,
            attempts: 0,
            retries_left: if may_retry { num_retries as u8 } else { 0 },
            holds_retry: false,
            tried: Tried::default(),
            state: State::Choosing,
            overrides: ask.overrides,
            hedge: None,
        }
    }

    /// An attempt ended, or was too slow. A report about an attempt that is over changes nothing.
    #[inline]
    pub fn report(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, attempt: AttemptNo, outcome: Outcome) {
        let outcome = &outcome;
        let State::Open { endpoint, conn } = flight.state else {
            return self.report_beside(cx, flight, attempt, outcome);
        };
        if attempt.0 + 1 != flight.attempts {
            return self.report_beside(cx, flight, attempt, outcome);
        }
        flight.state = State::Late;
        if let Outcome::Failed(Trouble::Timeout | Trouble::IdleTimeout) = outcome
            && cx.now < flight.deadline
            && self.hedges(flight)
        {
            return self.go_on_beside(cx, flight, Slow { attempt, endpoint, conn, retried: false });
        }
        let retried = if self.pool.tcp() {
            self.connection_over(cx, flight, endpoint, outcome)
        } else {
            self.conclude(cx, flight, endpoint, outcome)
        };
        let dropped = retried || flight.hedge.is_some();
        self.part(cx.now, endpoint, conn, outcome, dropped);
    }

    /// Gives an attempt's connection back. `dropped` is an answer that nobody reads to its end: on
    /// HTTP/1 that costs the connection (envoy.md 2.7).
    #[inline]
    pub(super) fn part(&mut self, now: Time, endpoint: EndpointId, conn: ConnKey, outcome: &Outcome, dropped: bool) {
        let h1 = self.pool.one_request_per_connection();
        let keep = match outcome {
            Outcome::Answered(answer) => !(h1 && dropped && answer.body_follows),
            Outcome::Failed(_) => !h1,
        };
        if h1 && dropped && !keep && matches!(outcome, Outcome::Answered(_)) {
            self.linger(now);
        }
        self.pool.release(conn, keep, now, &mut self.members, &mut self.upkeep);
        self.pool.release_if_gone(endpoint.slot, &mut self.members);
    }

    /// Charges the endpoint and decides: retry, or the end. True if a retry was decided.
    #[inline]
    pub(super) fn conclude(
        &mut self,
        cx: &mut Cx<'_>,
        flight: &mut Flight,
        endpoint: EndpointId,
        outcome: &Outcome,
    ) -> bool {
        let mut out_of_time = false;
        match *outcome {
            Outcome::Answered(Answer { status, .. }) => cx.emit(Fact::Answered { endpoint, status }),
            Outcome::Failed(trouble) => {
                out_of_time = trouble.is_timeout() && cx.now >= flight.deadline;
                cx.emit(Fact::Failed { endpoint, trouble });
                let limit = match trouble {
                    _ if out_of_time => Some(TimeLimit::Request),
                    Trouble::Timeout => Some(TimeLimit::PerTry),
                    Trouble::IdleTimeout => Some(TimeLimit::PerTryIdle),
                    Trouble::MaxDuration => Some(TimeLimit::StreamDuration),
                    _ => None,
                };
                if let Some(limit) = limit {
                    cx.emit(Fact::TimedOut(limit));
                }
            }
        }
        self.charge(cx, flight, endpoint, outcome);
        let decision = if out_of_time {
            self.return_retry(flight);
            Decision::No
        } else {
            self.decide(cx, flight, endpoint, AttemptNo(flight.attempts - 1), Some(outcome))
        };
        self.settle(cx, flight, outcome, decision, out_of_time)
    }

    /// Whether another attempt follows; without an outcome it is a slow one's, which needs no
    /// condition. The order is Envoy's (envoy.md 2.2).
    #[inline]
    pub(super) fn decide(
        &mut self,
        cx: &mut Cx<'_>,
        flight: &mut Flight,
        endpoint: EndpointId,
        attempt: AttemptNo,
        outcome: Option<&Outcome>,
    ) -> Decision {
        let held = self.return_retry(flight);
        if !flight.may_retry {
            return Decision::No;
        }
        if !outcome.is_none_or(|outcome| self.retriable(flight, outcome)) {
            if held {
                cx.emit(Fact::RetrySucceeded);
            }
            return Decision::No;
        }
        self.ask_limits(cx, flight, endpoint, attempt, outcome)
    }

    /// A retry is wanted: whether it is allowed.
    #[inline(never)]
    fn ask_limits(
        &mut self,
        cx: &mut Cx<'_>,
        flight: &mut Flight,
        endpoint: EndpointId,
        attempt: AttemptNo,
        outcome: Option<&Outcome>,
    ) -> Decision {
        if !flight.idempotent && outcome.is_none_or(|outcome| retry::may_have_acted(*outcome)) {
            cx.emit(Fact::RetryDenied(Denial::NotIdempotent));
            return Decision::Denied(Flags::NONE);
        }
        if flight.retries_left == 0 {
            cx.emit(Fact::RetryDenied(Denial::LimitExceeded));
            return Decision::Denied(Flags::NONE.with(Flag::Urx));
        }
        // The budget of retries is spent even when the breaker then says no.
        flight.retries_left -= 1;
        if self.retries >= self.retries_max(cx.now) {
            cx.emit(Fact::RetryDenied(Denial::Overflow));
            return Decision::Denied(Flags::NONE.with(Flag::Uo));
        }
        self.retries += 1;
        flight.holds_retry = true;
        flight.tried.push(endpoint);
        let policy = self.config.retry_policy.as_ref().unwrap_or(&NO_POLICY);
        let answer = match outcome {
            Some(Outcome::Answered(answer)) => Some(*answer),
            _ => None,
        };
        let told = policy.rate_limited_retry_back_off.as_ref().and_then(|limited| {
            answer.and_then(|answer| answer.reset_after).filter(|wait| *wait <= limited.max_interval)
        });
        let (wait, backoff) = if let Some(wait) = told {
            (retry::backoff_told(cx, wait), BackOff::RateLimited)
        } else {
            flight.backoffs += 1;
            (retry::backoff(cx, policy, u32::from(flight.backoffs) - 1), BackOff::Exponential)
        };
        flight.state = State::BackOff { until: cx.now + wait };
        cx.emit(Fact::Retrying { after: attempt, status: answer.map(|answer| answer.status), backoff });
        Decision::Retry
    }

    /// True if the request's rules retry that outcome, limits aside.
    #[inline]
    pub(super) fn retriable(&self, flight: &Flight, outcome: &Outcome) -> bool {
        if flight.overrides.is_none() && retry::never_retriable(self.codes_from, outcome) {
            return false;
        }
        let policy = self.config.retry_policy.as_ref().unwrap_or(&NO_POLICY);
        let own = flight.overrides.as_ref().map_or(&[][..], |own| &own.retriable_status_codes);
        retry::retriable(&Rules { on: flight.retry_on, codes: [&policy.retriable_status_codes, own] }, *outcome)
    }

    /// Ends the request unless a retry was decided or, hedged, another attempt may still do better.
    /// True for a retry.
    #[inline]
    pub(super) fn settle(
        &mut self,
        cx: &mut Cx<'_>,
        flight: &mut Flight,
        outcome: &Outcome,
        decision: Decision,
        out_of_time: bool,
    ) -> bool {
        if let (Decision::No, Outcome::Answered(answer), None) = (decision, outcome, &flight.hedge) {
            // Most end so; what follows comes to the same for them.
            let _ = self.finish(cx, flight, answer.status, Flags::NONE);
            return false;
        }
        self.settle_all(cx, flight, outcome, decision, out_of_time)
    }

    #[inline(never)]
    fn settle_all(
        &mut self,
        cx: &mut Cx<'_>,
        flight: &mut Flight,
        outcome: &Outcome,
        decision: Decision,
        out_of_time: bool,
    ) -> bool {
        let (lost, denied) = match decision {
            Decision::Retry => return true,
            Decision::No => (matches!(outcome, Outcome::Failed(_)), Flags::NONE),
            Decision::Denied(flags) => (true, flags),
        };
        if lost && !out_of_time && flight.expects_more() {
            let hedge = flight.hedge.get_or_insert_default();
            hedge.flags = hedge.flags.and(denied);
            return false;
        }
        let (mut status, mut flags) = retry::reply(&self.config.replies, *outcome);
        flags = flags.and(denied);
        if lost || self.config.strict_envoy {
            flags = flags.and(flight.hedge.as_ref().map_or(Flags::NONE, |hedge| hedge.flags));
        }
        if flags.has(Flag::Ut) {
            status = self.timeout_status(flight);
        }
        let _ = self.finish(cx, flight, status, flags);
        false
    }

    /// What the caller of a request that ran out of time gets.
    fn timeout_status(&self, flight: &Flight) -> u16 {
        if flight.overrides.as_ref().is_some_and(|own| own.timeout_alt_response) {
            return ALT_RESPONSE;
        }
        self.config.replies.timeout
    }

    /// Returns the slot of the retry breaker; true if there was one to return.
    pub(super) fn return_retry(&mut self, flight: &mut Flight) -> bool {
        let held = std::mem::take(&mut flight.holds_retry);
        self.retries -= u32::from(held);
        held
    }

    #[inline]
    pub(super) fn charge(&mut self, cx: &mut Cx<'_>, flight: &Flight, endpoint: EndpointId, outcome: &Outcome) {
        self.balancer.on_result(endpoint, outcome);
        let (Some(slot), Some(_)) = (self.members.live(endpoint), &self.outlier) else { return };
        match outcome {
            Outcome::Answered(answer) if Outlier::is_plain_success(answer) => {
                self.members.counters_mut(slot).succeed();
            }
            _ => self.charge_slot(cx, flight, slot, outcome),
        }
    }

    #[inline(never)]
    fn charge_slot(&mut self, cx: &mut Cx<'_>, flight: &Flight, slot: u32, outcome: &Outcome) {
        let Some(outlier) = &mut self.outlier else { return };
        let split = self.config.outlier_detection.is_some_and(|od| od.split_external_local_origin_errors);
        let alt = flight.overrides.as_ref().is_some_and(|own| own.timeout_alt_response) && !split;
        let Some(reported) = Reported::of(*outcome, alt.then_some(ALT_RESPONSE)) else { return };
        let effect = outlier.on_result(cx, &mut self.members, slot, reported);
        self.after_result(cx, slot, effect);
    }

    /// A result changed what is thought of an endpoint.
    #[inline]
    pub(super) fn after_result(&mut self, cx: &mut Cx<'_>, slot: u32, effect: Effect) {
        if effect == Effect::None {
            return;
        }
        if effect == Effect::Ejected {
            // Draining is not held back by the merge window (envoy.md 1.7).
            self.pool.drain_endpoint(slot, &mut self.members, &mut self.upkeep);
        }
        self.balancer.refresh(cx, &self.members);
    }

    pub(super) fn retries_max(&self, now: Time) -> u32 {
        match self.config.circuit_breakers.retry_budget {
            None => self.config.circuit_breakers.max_retries,
            Some(budget) => {
                let lingering = if self.lingering.0 == now { self.lingering.1 } else { 0 };
                let under_way = u64::from(self.pool.active) + u64::from(self.pool.pending) + u64::from(lingering);
                let share = under_way * u64::from(budget.budget_percent.as_ppm()) / 1_000_000;
                budget.min_retry_concurrency.max(share.min(u64::from(u32::MAX)) as u32)
            }
        }
    }

    /// A stream that was reset for a retry counts as active until Envoy's event loop has come round
    /// (measured, `docs/envoy-differences.md`): to the end of the instant here.
    fn linger(&mut self, now: Time) {
        let before = if self.lingering.0 == now { self.lingering.1 } else { 0 };
        self.lingering = (now, before + 1);
    }

    /// The request time-out passed, whatever the flight was waiting for.
    #[cold]
    #[inline(never)]
    pub(super) fn expire(&mut self, cx: &mut Cx<'_>, flight: &mut Flight) -> Step {
        if let State::Open { .. } = flight.state {
            let attempt = AttemptNo(flight.attempts - 1);
            self.report(cx, flight, attempt, Outcome::Failed(Trouble::Timeout));
            if let State::Done(verdict) = flight.state {
                return Step::Done(verdict);
            }
        }
        cx.emit(Fact::TimedOut(TimeLimit::Request));
        let flags = flight.hedge.as_ref().map_or(Flags::NONE, |hedge| hedge.flags).with(Flag::Ut);
        let status = self.timeout_status(flight);
        self.finish(cx, flight, status, flags)
    }

    /// A breaker was full: the attempt that had just begun was none.
    pub(super) fn refuse(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, limit: Limit) -> Step {
        flight.attempts -= 1;
        flight.state = State::Late;
        cx.emit(Fact::LimitHit(limit));
        if flight.expects_more() {
            self.return_retry(flight);
            return Router::wait(flight);
        }
        self.finish(cx, flight, self.config.replies.overflow, Flags::NONE.with(Flag::Uo))
    }

    #[inline]
    pub(super) fn finish(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, status: u16, flags: Flags) -> Step {
        if flight.holds_something() {
            self.let_go(cx, flight, true);
        }
        let verdict = Verdict { status, attempts: flight.attempts, flags };
        flight.state = State::Done(verdict);
        cx.emit(Fact::Finished { verdict });
        Step::Done(verdict)
    }

    /// Returns all that the flight holds.
    #[inline(never)]
    fn let_go(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, told: bool) {
        self.return_retry(flight);
        match flight.state {
            State::Open { endpoint, conn } => {
                let attempt = AttemptNo(flight.attempts - 1);
                self.withdraw(cx, Slow { attempt, endpoint, conn, retried: false }, told);
            }
            State::Pending { ticket, .. } => {
                self.pool.cancel(ticket, cx.now, &mut self.members, &mut self.upkeep);
            }
            State::Resolving => self.leave_lookup(flight),
            State::Choosing | State::BackOff { .. } | State::Late | State::Done(_) => {}
        }
        if let Some(hedge) = flight.hedge.take() {
            for slow in hedge.slow {
                self.withdraw(cx, slow, told);
            }
        }
    }

    /// The caller went away: everything the flight holds is returned, nobody is charged. What an
    /// access log says of it; of a flight that was over, what it said before.
    pub fn abandon(&mut self, cx: &mut Cx<'_>, mut flight: Flight) -> Verdict {
        if let State::Done(verdict) = flight.state {
            return verdict;
        }
        self.let_go(cx, &mut flight, false);
        let verdict = Verdict { status: 0, attempts: flight.attempts, flags: Flags::NONE.with(Flag::Dc) };
        cx.emit(Fact::Abandoned { verdict });
        verdict
    }

    /// A flight stops waiting for names; the lookup itself goes on.
    pub(super) fn leave_lookup(&mut self, flight: &Flight) {
        self.names.waiting.retain(|&request| request != flight.request);
    }

    /// True if [`Router::poll_upkeep`] has nothing to say now.
    #[inline]
    pub fn is_quiet(&self, now: Time) -> bool {
        self.upkeep.is_empty() && now < self.upkeep_due()
    }
}
