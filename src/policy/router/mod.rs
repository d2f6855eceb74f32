//! The memory of one vantage point, and the calls a driver makes on it.
//!
//! *Knows* in which order members, balancer, pool, detectors and retry rules are asked. *Does
//! not know* any rule itself; each lives in the room of its name.
//! Invariant: whatever a flight took (a connection, a place in the queue, a retry slot) is
//! returned when the flight is done or abandoned.
//!
//! The methods come in four kinds: the world changed (`on_*`), housekeeping (`poll_upkeep`,
//! `upkeep_due`), one request (`begin`, `on_body`, `on_request_complete`, `step`,
//! `report`, `abandon`), and plain nouns.

mod choose;
mod hedge;
mod request;
mod tcp;
mod upkeep;
mod world;

use super::Answer;
use super::AttemptNo;
use super::Chosen;
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
use super::balance::Choice;
use super::balance::PriorityLoads;
use super::config::Discovery;
use super::config::RetryOn;
use super::config::RetryPolicy;
use super::config::Stale;
use super::events::EjectionStats;
use super::fact::BackOff;
use super::fact::Denial;
use super::fact::Fact;
use super::fact::Flag;
use super::fact::Flags;
use super::fact::Limit;
use super::fact::TimeLimit;
use super::flight::Ask;
use super::flight::Flight;
use super::flight::Slow;
use super::flight::State;
use super::flight::Step;
use super::flight::Tried;
use super::flight::Try;
use super::flight::Verdict;
use super::members::Members;
use super::members::Probe;
use super::members::ProbeHealth;
use super::members::Standing;
use super::outlier::Effect;
use super::outlier::Outlier;
use super::outlier::Reported;
use super::pool::Acquired;
use super::pool::Pool;
use super::pool::PoolStats;
use super::pool::TicketState;
use super::rates::SuccessRates;
use super::retry;
use super::retry::Rules;
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
    /// The lowest status that the policy's own codes retry.
    codes_from: u16,
    /// Slots of the retry breaker in use.
    retries: u32,
    /// Streams that were reset at this instant and still count as active.
    lingering: (Time, u32),
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
            members: Members::new(&config),
            balancer: Balancer::new(&config),
            outlier: config.outlier_detection.map(|knobs| Outlier::new(knobs, config.strict_envoy)),
            pool: Pool::new(&config),
            codes_from: retry::codes_from(config.retry_policy.as_ref()),
            retries: 0,
            lingering: (Time::ZERO, 0),
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

    /// The driver's name for an endpoint, while the router still knows it.
    pub fn member_of(&self, endpoint: EndpointId) -> Option<MemberKey> {
        self.members.live(endpoint).map(|slot| self.members.key(slot))
    }
    /// The listed endpoints, in list order.
    pub fn endpoints(&self) -> impl Iterator<Item = (EndpointId, MemberKey)> {
        self.members.listed.iter().map(|&slot| (self.members.id(slot), self.members.key(slot)))
    }
    /// True if that member is listed.
    pub fn lists(&self, member: MemberKey) -> bool {
        self.members.find(member).is_some()
    }
    /// Requests on connections to that member, also if it has left the list.
    pub fn active_on(&self, member: MemberKey) -> u32 {
        self.members.of(member).map(|slot| self.members.active(slot)).sum()
    }
    /// Connections to that member, open and being opened, also if it has left the list.
    pub fn connections_to(&self, member: MemberKey) -> u32 {
        self.members.of(member).map(|slot| self.members.conns(slot)).sum()
    }
    /// Endpoints out now.
    pub fn ejected(&self) -> u32 {
        self.outlier.as_ref().map_or(0, Outlier::active)
    }
    /// The statistics of its detectors; all zero without detectors.
    pub fn ejection_stats(&self) -> EjectionStats {
        self.outlier.as_ref().map_or_else(EjectionStats::default, |outlier| outlier.stats)
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
        self.pool.conn_count()
    }
    /// False once the connection was closed, or its making given up, by the router.
    pub fn knows(&self, conn: ConnKey) -> bool {
        self.pool.slot_of(conn).is_some()
    }
    /// How long a connection carried nothing before the one request that it carries now, or carries
    /// nothing until now; zero for one that carries several.
    #[inline]
    pub fn idle_for(&self, now: Time, conn: ConnKey) -> Span {
        self.pool.idle_for(now, conn)
    }
    /// What happened to its connections so far.
    pub fn pool_stats(&self) -> PoolStats {
        self.pool.stats
    }
    /// Slots of the retry breaker in use.
    pub fn retries(&self) -> u32 {
        self.retries
    }
    /// Health is being ignored in a priority.
    pub fn in_panic(&self) -> bool {
        self.members.view.panic
    }
    /// How the load is shared out among priorities, as of the last delivery.
    pub fn priority_loads(&self) -> &PriorityLoads {
        &self.members.view.loads
    }
    /// The weight that round robin or least request would queue a listed endpoint with at `now`, in
    /// millionths: its own, what is under way and slow start included.
    pub fn weight_of(&self, now: Time, member: MemberKey) -> Option<u64> {
        self.members.find(member).map(|slot| self.balancer.weight_ppm(now, &self.members, slot))
    }
    /// How many entries of a priority's hash table each listed endpoint has, in list order; none
    /// without a table.
    pub fn hash_entries(&self, priority: u8) -> Vec<(MemberKey, u32)> {
        let entries = self.balancer.entries(usize::from(priority));
        let count = |slot| entries.iter().filter(|&&of| of == slot).count() as u32;
        let key = |slot: u32| self.members.slots[slot as usize].member.key;
        if entries.is_empty() {
            return Vec::new();
        }
        self.members.listed.iter().map(|&slot| (key(slot), count(slot))).collect()
    }
}
