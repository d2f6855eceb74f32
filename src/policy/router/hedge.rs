//! What happens beside the newest attempt: slow attempts that go on, and a body that still comes.
//!
//! *Knows* Envoy's rules of hedging and of the kept body (envoy.md 2.7). *Does not know* which
//! failures are retried; that is asked as for any attempt.

use super::AttemptNo;
use super::Cx;
use super::Fact;
use super::Flags;
use super::Flight;
use super::Outcome;
use super::Router;
use super::Slow;
use super::State;
use super::Trouble;
use super::Try;
use super::request::Decision;

/// The status of a request whose body can be neither kept for a retry nor sent anywhere.
const INSUFFICIENT_STORAGE: u16 = 507;

impl Router {
    /// The newest attempt was too slow: its endpoint is charged, its stream kept, and another
    /// attempt made if the limits allow one, whatever the conditions are.
    pub(super) fn go_on_beside(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, mut slow: Slow) {
        cx.emit(Fact::Slow { endpoint: slow.endpoint, attempt: slow.attempt });
        self.charge(cx, flight, slow.endpoint, &Outcome::Failed(Trouble::Timeout));
        let decision = self.decide(cx, flight, slow.endpoint, slow.attempt, None);
        slow.retried = decision == Decision::Retry;
        let hedge = flight.hedge.get_or_insert_default();
        hedge.slow.push(slow);
        if let Decision::Denied(flags) = decision {
            hedge.flags = hedge.flags.and(flags);
        }
    }

    /// A report about an attempt that is not the newest.
    #[cold]
    pub(super) fn report_beside(
        &mut self,
        cx: &mut Cx<'_>,
        flight: &mut Flight,
        attempt: AttemptNo,
        outcome: &Outcome,
    ) {
        // It has been charged with its time-out; another one says nothing.
        let timeout = matches!(outcome, Outcome::Failed(trouble) if trouble.is_timeout());
        let slow = if timeout { None } else { flight.take_slow(attempt) };
        let Some(slow) = slow else {
            cx.emit(Fact::StaleReport);
            return;
        };
        match *outcome {
            Outcome::Answered(answer) => {
                cx.emit(Fact::Answered { endpoint: slow.endpoint, status: answer.status });
            }
            Outcome::Failed(trouble) => cx.emit(Fact::Failed { endpoint: slow.endpoint, trouble }),
        }
        self.charge(cx, flight, slow.endpoint, outcome);
        // What was retried once is not retried again; neither is anything while a retry is on its way.
        let decision = if !slow.retried && flight.state == State::Late {
            self.decide(cx, flight, slow.endpoint, attempt, Some(outcome))
        } else if flight.may_retry && self.retriable(flight, outcome) {
            Decision::Denied(Flags::NONE)
        } else {
            Decision::No
        };
        let _ = self.settle(cx, flight, outcome, decision, false);
        // Its answer is read to the end only if it was the one that won.
        let won = matches!(outcome, Outcome::Answered(_)) && matches!(flight.state, State::Done(_));
        self.part(cx.now, slow.endpoint, slow.conn, outcome, !won);
    }

    /// An attempt is of no use any more.
    pub(super) fn withdraw(&mut self, cx: &mut Cx<'_>, slow: Slow, told: bool) {
        if told {
            cx.emit(Fact::Withdrawn { endpoint: slow.endpoint, attempt: slow.attempt });
        }
        let keep = !self.pool.one_request_per_connection();
        self.pool.release(slow.conn, keep, cx.now, &mut self.members, &mut self.upkeep);
        self.pool.release_if_gone(slow.endpoint.slot, &mut self.members);
    }

    /// More of the body came: `so_far` bytes by now. Beyond what is kept the request is retried no
    /// more, and ends if no attempt is under way that the rest could go to.
    pub fn on_body(&mut self, cx: &mut Cx<'_>, flight: &mut Flight, so_far: u64) {
        if !flight.may_retry || so_far <= self.config.per_request_buffer_limit_bytes {
            return;
        }
        flight.may_retry = false;
        cx.emit(Fact::RetryAbandoned);
        self.return_retry(flight);
        let live = matches!(flight.state, State::Open { .. } | State::Pending { .. } | State::Late);
        if live || flight.attempts == 0 {
            return;
        }
        if let State::Resolving = flight.state {
            self.leave_lookup(flight);
        }
        flight.state = State::Late;
        if !flight.expects_more() {
            let _ = self.finish(cx, flight, INSUFFICIENT_STORAGE, Flags::NONE);
        }
    }

    /// The request has been received to its end: its time-outs run from now. The open attempt, if
    /// there is one, with its new times.
    pub fn on_request_complete(&mut self, cx: &mut Cx<'_>, flight: &mut Flight) -> Option<Try> {
        if std::mem::replace(&mut flight.complete, true) {
            return None;
        }
        flight.deadline = cx.now + flight.timeout;
        match flight.state {
            State::Open { endpoint, conn } => Some(self.attempt(cx.now, flight, endpoint, conn)),
            _ => None,
        }
    }
}
