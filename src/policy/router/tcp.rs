//! A TCP proxy's requests: each is a connection of its own.
//!
//! *Knows* what follows a connection that could not be made, and that nothing after it counts
//! (envoy.md 4.4). *Does not know* retry policies: they are HTTP's.

use super::Cx;
use super::EndpointId;
use super::Fact;
use super::Flag;
use super::Flight;
use super::Outcome;
use super::Reported;
use super::Router;
use super::State;
use super::Step;
use super::Trouble;
use super::retry;
use crate::policy::config::PoolProtocol;
use crate::policy::config::TcpProxy;

impl Router {
    /// What a TCP proxy was told; `None` for HTTP.
    #[inline]
    pub(super) fn tcp(&self) -> Option<TcpProxy> {
        match self.config.pool.protocol {
            PoolProtocol::Tcp(tcp) => Some(tcp),
            PoolProtocol::Http1 | PoolProtocol::Http2 { .. } => None,
        }
    }

    /// The connection could not be made: charged, and tried anew at once with a fresh pick while
    /// attempts are left.
    pub(super) fn connect_failed(
        &mut self,
        cx: &mut Cx<'_>,
        flight: &mut Flight,
        endpoint: EndpointId,
        trouble: Trouble,
        tcp: TcpProxy,
    ) -> Step {
        cx.emit(Fact::Failed { endpoint, trouble });
        if let (Some(slot), Some(outlier)) = (self.members.live(endpoint), &mut self.outlier) {
            // Refused or too late: the detectors count both alike.
            let effect = outlier.on_result(cx, &mut self.members, slot, Reported::Connect);
            self.after_result(cx, slot, effect);
        }
        if u32::from(flight.attempts) < tcp.max_connect_attempts {
            flight.state = State::Choosing;
            return self.choose(cx, flight, false);
        }
        let (status, flags) = retry::reply(&self.config.replies, Outcome::Failed(trouble));
        self.finish(cx, flight, status, flags.with(Flag::Urx))
    }

    /// The connection ended, however: nobody is charged, nothing is tried again. Never a retry, so
    /// false.
    pub(super) fn connection_over(
        &mut self,
        cx: &mut Cx<'_>,
        flight: &mut Flight,
        endpoint: EndpointId,
        outcome: &Outcome,
    ) -> bool {
        match *outcome {
            Outcome::Answered(answer) => cx.emit(Fact::Answered { endpoint, status: answer.status }),
            Outcome::Failed(trouble) => cx.emit(Fact::Failed { endpoint, trouble }),
        }
        let (status, flags) = retry::reply(&self.config.replies, *outcome);
        let _ = self.finish(cx, flight, status, flags);
        false
    }
}
