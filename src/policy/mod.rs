//! DECISIONS: which endpoint, whether to retry, whom to eject, when to give up.
//!
//! *Knows* Envoy's semantics (observed on 1.40, see `envoy.md` where cited) and what has been
//! reported to it. *Does not know* a clock, sockets, threads, files or random numbers of its own:
//! whatever reaches a decision comes in through [`Cx`] or the arguments. A role (sidecar, ALB
//! node, DNS client) is a [`PolicyConfig`] value.
//!
//! # The two halves
//! A [`Router`] is the memory of one vantage point: endpoints, health, pool, limits. A [`Flight`]
//! is one request's progress. A driver owns both, calls methods and acts on the answer.
//!
//! # The contract
//! 1. `now` never decreases for one router. Calls may share an instant; their order is the driver's.
//! 2. After any call the driver drains [`Router::poll_upkeep`]; `Wake` names a flight to step again.
//!    A spare `step` changes nothing.
//! 3. [`Step::Wait`] means: step me at that time, at my next report, or at a `Wake`, whichever is
//!    first. [`Step::Resolve`] means: look the name up, call [`Router::on_members`] or
//!    [`Router::on_lookup_failed`], step again. Only one flight at a time is told `Resolve`.
//! 4. Every `Try` is answered by one [`Router::report`], or the flight is abandoned. The driver enforces
//!    `give_up_at` and reports `then`; at a flight's [`Flight::deadline`] it steps the flight whatever
//!    it waits for. With hedging that report may leave the attempt open ([`Flight::is_open`]): nothing
//!    is enforced on it any more, and its answer is a second report. Then a `Try` comes while others
//!    are open; once a flight is over, its open attempts are dropped without a report.
//! 5. Every `Upkeep::Connect` is answered by one [`Router::on_connected`] or
//!    [`Router::on_connect_failed`], unless `Upkeep::Close` took it back.
//!    What the peer of an HTTP/2 connection says of it goes to [`Router::on_settings`] and
//!    [`Router::on_goaway`].
//! 6. Same configuration, same calls, same random words: same answers and same facts everywhere.
//! 7. Attempts, tried endpoints, slots and queues have maxima in the configuration; hitting one
//!    is a [`Fact`].

pub mod balance;
pub mod config;
pub mod events;
pub mod explain;
pub mod fact;
pub mod flight;
pub mod headers;
pub mod member;
pub mod members;
pub mod outcome;
pub mod outlier;
pub mod pool;
pub mod rates;
pub mod retry;
pub mod router;
pub mod stats;
mod view;

pub use balance::PriorityLoads;
pub use config::PolicyConfig;
pub use explain::Chosen;
pub use fact::Fact;
pub use fact::FactSink;
pub use fact::Flag;
pub use fact::Flags;
pub use fact::NoFacts;
pub use flight::Ask;
pub use flight::Flight;
pub use flight::Step;
pub use flight::Try;
pub use flight::Verdict;
pub use member::EdsHealth;
pub use member::Member;
pub use members::Standing;
pub use outcome::Answer;
pub use outcome::Outcome;
pub use outcome::Trouble;
pub use pool::PoolStats;
pub use rates::HostRate;
pub use rates::SuccessRates;
pub use router::Router;
pub use router::Upkeep;
pub use stats::Stats;

use crate::units::Time;

/// What a decision may depend on besides its arguments.
pub struct Cx<'a> {
    /// The instant of the call.
    pub now: Time,
    /// Random words, owned and seeded by the driver.
    pub rng: &'a mut dyn Entropy,
    /// Where observations go.
    pub facts: &'a mut dyn FactSink,
}

impl Cx<'_> {
    /// Emits a fact at this instant.
    #[inline]
    pub fn emit(&mut self, fact: Fact) {
        self.facts.emit(self.now, fact);
    }
    /// A uniform index below `n`, by widening multiplication (bias below `n / 2^64`).
    #[inline]
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.rng.next_u64()) * n as u128) >> 64) as usize
    }
}

/// A source of uniform random words.
pub trait Entropy {
    /// The next word.
    fn next_u64(&mut self) -> u64;
}

/// What a router calls an endpoint. A stale generation is reported, never followed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EndpointId {
    /// Slot in the router.
    pub slot: u32,
    /// How often the slot was reused before.
    pub generation: u32,
}

/// The driver's name for an endpoint (a task, an address).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MemberKey(pub u64);

/// The driver's name for a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestKey(pub u64);

/// A router's name for a connection: slot and generation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnKey(pub u64);

/// The number of an attempt, 0 for the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AttemptNo(pub u8);
