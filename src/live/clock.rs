//! Instants and random words for the live driver.
//!
//! *Knows* the runtime's monotonic clock and the operating system's entropy. *Does not know* what
//! either is used for. Both can be replaced in tests: the clock by pausing the runtime's, the
//! words by another [`Chance`].

#![expect(
    clippy::disallowed_types,
    reason = "the live driver keeps real time and takes its seed from the operating system"
)]

use crate::policy::AttemptNo;
use crate::policy::Entropy;
use crate::policy::RequestKey;
use crate::units::Time;
use rand::Rng;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::time::Duration;
use tokio::time::Instant;

/// A monotonic clock that began with the driver.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that stands at zero now.
    pub fn start() -> Clock {
        Clock { origin: Instant::now() }
    }

    /// The present instant.
    pub fn now(self) -> Time {
        let elapsed = self.origin.elapsed().as_nanos();
        Time::from_nanos(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    /// Waits for an instant; for ever if it never comes.
    pub async fn sleep_until(self, at: Time) {
        let instant =
            if at == Time::NEVER { None } else { self.origin.checked_add(Duration::from_nanos(at.as_nanos())) };
        match instant {
            Some(instant) => tokio::time::sleep_until(instant).await,
            None => std::future::pending().await,
        }
    }
}

/// What a call on the router is about, for sources that key their words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Occasion {
    /// A request takes a step (or begins, or is abandoned), after this many attempts.
    Step {
        /// Its name.
        request: RequestKey,
        /// Attempts begun.
        attempts: u8,
    },
    /// An attempt ended.
    Report {
        /// The request's name.
        request: RequestKey,
        /// Which attempt.
        attempt: AttemptNo,
    },
    /// Something outside any request: a list, a lookup, a connection, a probe.
    World,
    /// Housekeeping.
    Upkeep,
}

/// Where the words of each call on the router come from.
pub trait Chance: Send {
    /// The words for a call at that instant.
    fn words(&mut self, occasion: Occasion, now: Time) -> &mut dyn Entropy;
}

/// A generator seeded by the operating system; every call reads on in one stream.
#[derive(Clone, Debug)]
pub struct OsEntropy(Xoshiro256PlusPlus);

impl OsEntropy {
    /// A generator with a seed of its own.
    pub fn new() -> OsEntropy {
        // The standard library keys its hashers with the system's random bytes; hashing nothing
        // under four of them gives a whole seed.
        let mut seed = [0; 32];
        for part in seed.chunks_exact_mut(8) {
            part.copy_from_slice(&RandomState::new().hash_one(0_u8).to_le_bytes());
        }
        OsEntropy(Xoshiro256PlusPlus::from_seed(seed))
    }
}

impl Default for OsEntropy {
    fn default() -> Self {
        OsEntropy::new()
    }
}

impl Entropy for OsEntropy {
    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}

impl Chance for OsEntropy {
    fn words(&mut self, _occasion: Occasion, _now: Time) -> &mut dyn Entropy {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Span;

    #[tokio::test(start_paused = true)]
    async fn the_clock_counts_from_its_start_and_wakes_on_time() {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let clock = Clock::start();
        assert_eq!(clock.now(), Time::ZERO);
        clock.sleep_until(Time::ZERO + Span::from_millis(250)).await;
        assert_eq!(clock.now(), Time::ZERO + Span::from_millis(250));
    }

    #[test]
    fn two_generators_differ() {
        assert_ne!(OsEntropy::new().next_u64(), OsEntropy::new().next_u64());
    }
}
