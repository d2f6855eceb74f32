//! One request: choose, send, judge, retry or end.

use super::Acquired;
use super::Ask;
use super::AttemptNo;
use super::ConnKey;
use super::Cx;
use super::Denial;
use super::Discovery;
use super::Effect;
use super::EndpointId;
use super::Fact;
use super::Flag;
use super::Flags;
use super::Flight;
use super::Limit;
use super::Outcome;
use super::Reported;
use super::Router;
use super::State;
use super::Step;
use super::TicketState;
use super::Time;
use super::Tried;
use super::Trouble;
use super::Try;
use super::Verdict;
use super::retry;

impl Router {
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
                TicketState::Waiting => Router::wait(flight),
                TicketState::Granted(conn) => self.send(cx, flight, conn),
                TicketState::Refused(limit) => self.refuse(cx, flight, limit),
                TicketState::Failed(trouble) => {
                    let State::Pending { endpoint, .. } = flight.state else { unreachable!("matched above") };
                    if let Some(tcp) = self.tcp() {
                        return self.connect_failed(cx, flight, endpoint, trouble, tcp);
                    }
                    self.conclude(cx, flight, endpoint, &Outcome::Failed(trouble));
                    self.step(cx, flight)
                }
            },
            State::Open { .. } => Router::wait(flight),
            State::Done(verdict) => Step::Done(verdict),
        }
    }

    pub(super) fn wait(flight: &Flight) -> Step {
        Step::Wait { until: (flight.deadline != Time::NEVER).then_some(flight.deadline) }
    }

    pub(super) fn choose(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, names_are_fresh: bool) -> Step {
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
        if self.pool.refuses_connection() {
            flight.attempts += 1;
            return self.refuse(cx, flight, Limit::Connections);
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
    pub(super) fn pick(&mut self, cx: &mut Cx<'_>, flight: &Flight) -> Option<u32> {
        let members = &self.members;
        let tried = |slot: u32| flight.tried.contains(members.id(slot));
        let mut pick = self.balancer.pick(cx, members, tried)?;
        if flight.attempts > 0
            && let Some(retry) = &self.config.retry_policy
            && retry.previous_hosts
        {
            for _ in 0..retry.host_selection_retry_max_attempts {
                if !tried(pick) {
                    break;
                }
                pick = self.balancer.pick(cx, members, tried)?;
            }
        }
        Some(pick)
    }

    #[inline]
    pub(super) fn send(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, conn: ConnKey) -> Step {
        let slot = self.pool.slot_of(conn).expect("the pool has just handed out this connection");
        let endpoint = self.members.id(slot);
        if let Some(outlier) = &mut self.outlier
            && (outlier.counts_connections() || self.pool.tcp())
        {
            let got = if self.pool.tcp() { Reported::Connected } else { Reported::PoolReady };
            let effect = outlier.on_result(cx, &mut self.members, slot, got);
            debug_assert_eq!(effect, Effect::None, "a success ejects nobody");
        }
        flight.state = State::Open { endpoint, conn };
        let attempt = AttemptNo(flight.attempts - 1);
        cx.emit(Fact::Sent { endpoint, attempt });
        Step::Try(Try {
            attempt,
            endpoint,
            member: self.members.key(slot),
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
        let retried = match self.tcp() {
            Some(_) => self.connection_over(cx, flight, endpoint, outcome),
            None => self.conclude(cx, flight, endpoint, &outcome),
        };
        let h1 = self.pool.one_request_per_connection();
        let keep = match outcome {
            _ if self.pool.tcp() => false,
            Outcome::Answered(answer) => !(h1 && retried && answer.body_follows),
            Outcome::Failed(_) => !h1,
        };
        self.pool.release(conn, keep, cx.now, &mut self.members, &mut self.upkeep);
        self.pool.release_if_gone(endpoint.slot, &mut self.members);
    }

    /// Charges the endpoint and decides: retry, or the end. True if a retry was decided. The
    /// order of the decision is Envoy's (envoy.md 2.2).
    pub(super) fn conclude(
        &mut self,
        cx: &mut Cx<'_>,
        flight: &mut Flight,
        endpoint: EndpointId,
        outcome: &Outcome,
    ) -> bool {
        match *outcome {
            Outcome::Answered(ref answer) => cx.emit(Fact::Answered { endpoint, status: answer.status }),
            Outcome::Failed(trouble) => cx.emit(Fact::Failed { endpoint, trouble }),
        }
        self.charge(cx, endpoint, outcome);
        if flight.holds_retry {
            flight.holds_retry = false;
            self.retries -= 1;
        }
        let out_of_time = matches!(outcome, Outcome::Failed(Trouble::Timeout)) && cx.now >= flight.deadline;
        let (status, mut flags) = retry::reply(&self.config.replies, *outcome);
        if let Some(policy) = &self.config.retry_policy
            && !out_of_time
            && retry::retriable(policy, *outcome)
        {
            if !flight.idempotent && retry::may_have_acted(*outcome) {
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

    pub(super) fn charge(&mut self, cx: &mut Cx<'_>, endpoint: EndpointId, outcome: &Outcome) {
        let (Some(slot), Some(outlier)) = (self.members.live(endpoint), &mut self.outlier) else { return };
        let effect = outlier.on_result(cx, &mut self.members, slot, Reported::of(outcome));
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
        self.members.health_changed(cx, self.config.update_merge_window, self.config.panic);
    }

    pub(super) fn retries_max(&self) -> u32 {
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
    pub(super) fn expire(&mut self, cx: &mut Cx<'_>, flight: &mut Flight) -> Step {
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
    pub(super) fn refuse(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, limit: Limit) -> Step {
        flight.attempts -= 1;
        cx.emit(Fact::LimitHit(limit));
        self.finish(cx, flight, self.config.replies.overflow, Flags::NONE.with(Flag::Uo))
    }

    pub(super) fn finish(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, status: u16, flags: Flags) -> Step {
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
    pub(super) fn leave_lookup(&mut self, flight: &Flight) {
        self.names.waiting.retain(|&request| request != flight.request);
    }

    /// True if [`Router::poll_upkeep`] has nothing to say now.
    #[inline]
    pub fn is_quiet(&self, now: Time) -> bool {
        self.upkeep.is_empty() && now < self.upkeep_due()
    }
}
