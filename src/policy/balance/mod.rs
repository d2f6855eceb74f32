//! The rules that pick one endpoint out of a list.
//!
//! *Knows* the rules and their indices. *Does not know* health: it is handed the candidates.

use super::Cx;
use super::config::LbPolicy;
use super::config::LeastRequest;
use super::members::Endpoint;
use super::members::View;

/// The memory of a rule.
#[derive(Clone, Debug)]
pub(super) struct Balancer {
    rule: LbPolicy,
    /// Round robin over the healthy list. Both indices start at one random word (envoy.md 3.3).
    index_healthy: u64,
    /// Round robin over all endpoints, in panic.
    index_all: u64,
    seeded: bool,
}

impl Balancer {
    pub(super) fn new(rule: LbPolicy) -> Balancer {
        Balancer { rule, index_healthy: 0, index_all: 0, seeded: false }
    }

    /// Draws the random start, once.
    pub(super) fn seed(&mut self, cx: &mut Cx<'_>) {
        if !self.seeded {
            self.seeded = true;
            if self.rule == LbPolicy::RoundRobin {
                self.index_healthy = cx.rng.next_u64();
                self.index_all = self.index_healthy;
            }
        }
    }

    /// Picks a slot; `None` with nobody to pick. `tried` says whether this request was there before;
    /// only [`LbPolicy::FirstListed`] heeds it, as a client walks down the addresses it was given.
    #[inline]
    pub(super) fn pick(
        &mut self,
        cx: &mut Cx<'_>,
        view: &View,
        slots: &[Endpoint],
        tried: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let candidates = view.candidates();
        if candidates.is_empty() {
            return None;
        }
        Some(match self.rule {
            LbPolicy::RoundRobin => {
                let index = if view.panic { &mut self.index_all } else { &mut self.index_healthy };
                let pick = candidates[(*index % candidates.len() as u64) as usize];
                *index = index.wrapping_add(1);
                pick
            }
            LbPolicy::RingHash { .. } | LbPolicy::Maglev { .. } | LbPolicy::WeightedRandom { .. } => {
                unreachable!("refused by PolicyConfig::check")
            }
            LbPolicy::Random => candidates[cx.below(candidates.len())],
            LbPolicy::FirstListed => candidates.iter().copied().find(|&slot| !tried(slot)).unwrap_or(candidates[0]),
            LbPolicy::LeastRequest(how) => least(cx, how, candidates, slots),
        })
    }
}

fn least(cx: &mut Cx<'_>, how: LeastRequest, candidates: &[u32], slots: &[Endpoint]) -> u32 {
    let load = |slot: u32| slots[slot as usize].active;
    match how {
        LeastRequest::Choices(count) => {
            let mut best = candidates[cx.below(candidates.len())];
            for _ in 1..count {
                let other = candidates[cx.below(candidates.len())];
                // Strictly less: the first draw keeps a tie.
                if load(other) < load(best) {
                    best = other;
                }
            }
            best
        }
        LeastRequest::DistinctChoices(count) => {
            let count = (count as usize).min(candidates.len());
            let mut drawn = [u32::MAX; 16];
            let mut best = None;
            for i in 0..count.min(drawn.len()) {
                let pick = loop {
                    let pick = candidates[cx.below(candidates.len())];
                    if !drawn[..i].contains(&pick) {
                        break pick;
                    }
                };
                drawn[i] = pick;
                if best.is_none_or(|b| load(pick) < load(b)) {
                    best = Some(pick);
                }
            }
            best.unwrap_or(candidates[0])
        }
        LeastRequest::FullScan => {
            let mut best = candidates[0];
            let mut ties = 0;
            for &slot in candidates {
                if load(slot) < load(best) {
                    best = slot;
                    ties = 1;
                } else if load(slot) == load(best) {
                    // Reservoir sampling: each of the ties ends up chosen with equal probability.
                    ties += 1;
                    if cx.below(ties) == 0 {
                        best = slot;
                    }
                }
            }
            best
        }
    }
}
