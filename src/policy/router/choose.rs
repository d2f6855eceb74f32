//! The way to an attempt: step, choose, send.
//!
//! *Knows* what a flight waits for and in which order names, ceilings, balancer and pool are asked.
//! *Does not know* what follows from an answer; that is `request`.
//! Every request comes through here, so that rare turns are functions of their own.

use super::Acquired;
use super::AttemptNo;
use super::Choice;
use super::Chosen;
use super::ConnKey;
use super::Cx;
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
use super::Span;
use super::State;
use super::Step;
use super::TicketState;
use super::Time;
use super::Trouble;
use super::Try;

impl Router {
    /// What the request does next.
    #[inline]
    pub fn step(&mut self, cx: &mut Cx<'_>, flight: &mut Flight) -> Step {
        match flight.state {
            State::Done(verdict) => Step::Done(verdict),
            _ => self.go_on(cx, flight),
        }
    }

    /// The next step of a flight that is not over.
    #[inline]
    fn go_on(&mut self, cx: &mut Cx<'_>, flight: &mut Flight) -> Step {
        if cx.now >= flight.deadline {
            return self.expire(cx, flight);
        }
        match flight.state {
            State::Choosing => self.choose(cx, flight, false),
            State::BackOff { until } if cx.now < until => Step::Wait { until: Some(until.min(flight.deadline)) },
            _ => self.resume(cx, flight),
        }
    }

    /// The next step of a flight that was waiting.
    #[inline(never)]
    fn resume(&mut self, cx: &mut Cx<'_>, flight: &mut Flight) -> Step {
        match flight.state {
            State::Choosing | State::BackOff { .. } => self.choose(cx, flight, false),
            State::Resolving if self.names.resolving => Router::wait(flight),
            State::Resolving if self.names.failed => {
                self.finish(cx, flight, self.config.replies.no_endpoint, Flags::NONE.with(Flag::Df))
            }
            // The names that just came are good for those who waited, whatever their TTL.
            State::Resolving => self.choose(cx, flight, true),
            State::Pending { ticket, endpoint } => match self.pool.redeem(ticket) {
                TicketState::Waiting => Router::wait(flight),
                TicketState::Granted(conn) => self.send(cx, flight, conn),
                TicketState::Refused(limit) => self.refuse(cx, flight, limit),
                TicketState::Failed(trouble) => {
                    flight.state = State::Late;
                    if let Some(tcp) = self.tcp() {
                        return self.connect_failed(cx, flight, endpoint, trouble, tcp);
                    }
                    self.conclude(cx, flight, endpoint, &Outcome::Failed(trouble));
                    self.step(cx, flight)
                }
            },
            State::Open { .. } | State::Late => Router::wait(flight),
            State::Done(verdict) => Step::Done(verdict),
        }
    }

    pub(super) fn wait(flight: &Flight) -> Step {
        Step::Wait { until: (flight.deadline != Time::NEVER).then_some(flight.deadline) }
    }

    #[inline(never)]
    pub(super) fn choose(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, names_are_fresh: bool) -> Step {
        let shared = self.pool.take_shared(cx.now, &mut self.members, &mut self.upkeep);
        let mut slot = u32::MAX;
        let acquired = match shared {
            Some(taken @ (Acquired::Ready(_) | Acquired::Refused(_))) => taken,
            Some(Acquired::Pending(_)) | None => {
                if let Some(step) = self.stop_short(cx, flight, names_are_fresh) {
                    return step;
                }
                let Some(pick) = self.pick(cx, flight) else {
                    return self.finish(cx, flight, self.config.replies.no_endpoint, Flags::NONE.with(Flag::Uh));
                };
                slot = pick;
                self.pool.acquire(slot, flight.request, cx.now, &mut self.members, &mut self.upkeep)
            }
        };
        flight.attempts += 1;
        match acquired {
            Acquired::Ready(conn) => self.send(cx, flight, conn),
            Acquired::Pending(ticket) => {
                flight.state = State::Pending { ticket, endpoint: self.members.id(slot) };
                Router::wait(flight)
            }
            Acquired::Refused(limit) => self.refuse(cx, flight, limit),
        }
    }

    /// What keeps a request from a choice: names that are not known, or a TCP proxy's ceiling.
    #[inline]
    fn stop_short(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, names_are_fresh: bool) -> Option<Step> {
        // Expired names are asked for again each time; whether they still serve when there is no
        // answer is decided then.
        if matches!(self.config.discovery, Discovery::Resolved { .. })
            && !names_are_fresh
            && cx.now >= self.names.valid_until
        {
            flight.state = State::Resolving;
            if self.names.resolving {
                self.names.waiting.push(flight.request);
                return Some(Router::wait(flight));
            }
            self.names.resolving = true;
            return Some(Step::Resolve);
        }
        if self.pool.refuses_connection() {
            flight.attempts += 1;
            return Some(self.refuse(cx, flight, Limit::Connections));
        }
        None
    }

    /// Picks an endpoint, again while the host predicate rejects and extra picks are left; then
    /// the last pick is used anyway (envoy.md 2.6).
    #[inline]
    pub(super) fn pick(&mut self, cx: &mut Cx<'_>, flight: &Flight) -> Option<u32> {
        let choice = self.choice(flight);
        self.balancer.pick(cx, &self.members, &choice)
    }

    /// The endpoint that the next [`Router::step`] of that flight would choose at this instant with these
    /// random words, and why; `None` if it chooses none. Changes nothing: it is for those who trace. A
    /// flight may be given a connection to somebody else, where a pool shares them among endpoints.
    pub fn explain(&self, cx: &mut Cx<'_>, flight: &Flight) -> Option<Chosen> {
        let chooses = match flight.state {
            State::Choosing => true,
            State::BackOff { until } => cx.now >= until,
            State::Resolving => !self.names.resolving && !self.names.failed,
            State::Pending { .. } | State::Open { .. } | State::Late | State::Done(_) => false,
        };
        if !chooses || cx.now >= flight.deadline {
            return None;
        }
        self.balancer.explain(cx, &self.members, &self.choice(flight))
    }

    #[inline]
    fn choice<'f>(&self, flight: &'f Flight) -> Choice<'f> {
        let mut choice = Choice { hash: flight.hash, tried: &flight.tried, extra: 0, retry_priority: None };
        if flight.attempts > 0
            && let Some(retry) = &self.config.retry_policy
        {
            choice.extra = if retry.previous_hosts { retry.host_selection_retry_max_attempts } else { 0 };
            choice.retry_priority = retry.retry_priority;
        }
        choice
    }

    #[expect(clippy::inline_always, reason = "every request makes this call (reports/performance.md)")]
    #[inline(always)]
    pub(super) fn send(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, conn: ConnKey) -> Step {
        let slot = self.pool.leads_to(conn);
        let endpoint = self.members.id(slot);
        if let Some(outlier) = &mut self.outlier {
            let tcp = self.pool.tcp();
            if tcp || outlier.splits() {
                let got = if tcp { Reported::Connected } else { Reported::PoolReady };
                let effect = outlier.on_result(cx, &mut self.members, slot, got);
                debug_assert_eq!(effect, Effect::None, "a success ejects nobody");
            }
        }
        flight.state = State::Open { endpoint, conn };
        let attempt = AttemptNo(flight.attempts - 1);
        cx.emit(Fact::Sent { endpoint, attempt });
        Step::Try(self.attempt(cx.now, flight, endpoint, conn))
    }

    /// The attempt as the driver is to make it, its times from now.
    #[expect(clippy::inline_always, reason = "every request makes this call (reports/performance.md)")]
    #[inline(always)]
    pub(super) fn attempt(&self, now: Time, flight: &Flight, endpoint: EndpointId, conn: ConnKey) -> Try {
        let (config, own) = (&*self.config, flight.overrides.as_deref());
        let mut per_try = config.timeouts.per_try;
        let mut idle = config.timeouts.per_try_idle;
        let mut stream = None;
        if let Some(own) = own {
            per_try = own.per_try_timeout.unwrap_or(per_try);
            stream = own.stream_duration;
        }
        let left = if flight.complete { flight.deadline.since(now) } else { flight.timeout };
        let expected = if self.hedges(flight) { left } else { per_try.min(left) };
        if !flight.complete {
            // Time-outs wait until the request has been received (envoy.md 2.5).
            (per_try, idle) = (Span::MAX, Span::MAX);
        }
        // per_try_timeout starts here, so that waiting for a connection is not in it (envoy.md 2.5).
        let mut hard = ((now + per_try).min(flight.deadline), Trouble::Timeout);
        if let Some(stream) = stream
            && now + stream < hard.0
        {
            hard = (now + stream, Trouble::MaxDuration);
        }
        let (give_up_at, then) = Try::limit(hard, now, idle);
        Try {
            attempt: AttemptNo(flight.attempts - 1),
            endpoint,
            member: self.members.key(endpoint.slot),
            conn,
            give_up_at,
            then,
            idle,
            hard,
            expected,
        }
    }

    /// True if a slow attempt of that request goes on beside its retry.
    #[inline]
    pub(super) fn hedges(&self, flight: &Flight) -> bool {
        let own = flight.overrides.as_ref().and_then(|own| own.hedge_on_per_try_timeout);
        own.unwrap_or(self.config.hedge_on_per_try_timeout)
    }
}
