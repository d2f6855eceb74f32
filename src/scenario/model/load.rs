//! Where requests come from.
//!
//! *Knows* the words of the vocabulary. *Does not know* TOML, nor how anything is simulated.

use crate::scenario::Distribution;
use crate::scenario::ServiceId;
use crate::units::Rate;
use crate::units::Time;

/// `[load]`: one source of requests.
#[derive(Clone, PartialEq, Debug)]
pub struct Load {
    /// For reports.
    pub name: String,
    /// Where requests enter.
    pub entry: ServiceId,
    /// Which endpoint of it.
    pub endpoint: u32,
    /// How requests come.
    pub arrivals: Arrivals,
    /// From when (relative to the start).
    pub from: Time,
    /// Until when.
    pub until: Time,
    /// Over which tasks of the entry they spread.
    pub spread: Spread,
    /// Its requests carry the test header of blue-green deployments, and so does every call they cause.
    /// They are counted apart from what users see.
    pub test: bool,
}

/// How arrivals spread over the tasks of the entry service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spread {
    /// Each to a random task.
    Random,
    /// In turn.
    RoundRobin,
}

/// How requests come.
#[derive(Clone, PartialEq, Debug)]
pub enum Arrivals {
    /// Open loop: at a rate, whatever becomes of them.
    Open {
        /// Rate over time: pieces in ascending order, the first at zero.
        pieces: Vec<RatePiece>,
        /// Extra rate in windows.
        bursts: Vec<Burst>,
        /// How they are spaced.
        spacing: Spacing,
    },
    /// Closed loop: each user waits for its answer, thinks, asks again.
    Users {
        /// How many.
        users: u32,
        /// Between an answer and the next request.
        think: Distribution,
    },
    /// At these instants.
    Trace(std::sync::Arc<[Time]>),
}

/// A piece of a rate curve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RatePiece {
    /// From this instant.
    pub at: Time,
    /// The rate at that instant.
    pub rate: Rate,
    /// The rate approaches the next piece's in a straight line; otherwise it stays.
    pub ramps_to_next: bool,
}

/// An extra rate for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Burst {
    /// From.
    pub at: Time,
    /// To.
    pub until: Time,
    /// The rate during the burst, in place of the curve's.
    pub rate: Rate,
}

/// How open arrivals are spaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spacing {
    /// Exponential gaps.
    Poisson,
    /// Equal gaps.
    Constant,
    /// Poisson batches: exponential gaps between batches of geometric size with this mean.
    Bursty {
        /// Mean batch size.
        mean_batch: u32,
    },
}
