//! The requests that were the dearest to lose.
//!
//! *Knows* an order and a bound. *Does not know* what a request did; who wants that replays it.
//! Invariant: what is kept does not depend on the order in which it was offered.

use crate::units::Span;
use std::cmp::Reverse;

/// A failed request of a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Costly {
    /// In which replication.
    pub replication: u32,
    /// Its number there: 1 is the first to arrive.
    pub request: u32,
    /// The time that was spent on it, until its answer or until the end of the run.
    pub latency: Span,
}

impl Costly {
    /// What took longest comes first.
    fn order(&self) -> (Reverse<u64>, u32, u32) {
        (Reverse(self.latency.as_nanos()), self.replication, self.request)
    }
}

/// The costliest of many failures, the worst first.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Costliest(Vec<Costly>);

impl Costliest {
    /// How many are kept.
    pub const MAX: usize = 10;

    /// None yet, with room for all that will be kept.
    pub fn new() -> Costliest {
        Costliest(Vec::with_capacity(Costliest::MAX + 1))
    }

    /// Keeps a failure if it is among the costliest.
    pub fn offer(&mut self, one: Costly) {
        let at = self.0.partition_point(|kept| kept.order() < one.order());
        if at < Costliest::MAX {
            self.0.insert(at, one);
            self.0.truncate(Costliest::MAX);
        }
    }

    /// Keeps the costliest of both.
    pub fn merge(&mut self, other: &Costliest) {
        for one in &other.0 {
            self.offer(*one);
        }
    }

    /// The costliest first.
    pub fn iter(&self) -> impl Iterator<Item = &Costly> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_costliest_are_kept_in_whatever_order_they_come() {
        let all: Vec<Costly> = (0..40)
            .map(|i| Costly { replication: i % 3, request: i, latency: Span::from_millis(u64::from(i * 7 % 40) / 2) })
            .collect();
        let kept = |all: &mut dyn Iterator<Item = &Costly>| {
            let mut costliest = Costliest::new();
            all.for_each(|one| costliest.offer(*one));
            costliest
        };
        let (forward, backward) = (kept(&mut all.iter()), kept(&mut all.iter().rev()));
        assert_eq!(forward, backward);
        let latencies: Vec<u64> = forward.iter().map(|one| one.latency.as_millis()).collect();
        assert_eq!(latencies, [19, 19, 18, 18, 17, 17, 16, 16, 15, 15]);
        let mut merged = kept(&mut all[..20].iter());
        merged.merge(&kept(&mut all[20..].iter()));
        assert_eq!(merged, forward);
    }
}
