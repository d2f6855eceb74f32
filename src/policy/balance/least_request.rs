//! Who has the least to do.
//!
//! *Knows* Envoy's draws with replacement, the whole scan, and the weight of a busy endpoint (envoy.md
//! 3.4). *Does not know* what a request is; it compares counts.

use crate::policy::Cx;
use crate::policy::config::LeastRequest;
use crate::policy::explain::Watch;
use crate::policy::members::Members;

/// Picks among endpoints of equal weight.
#[inline]
pub(super) fn pick<W: Watch>(
    cx: &mut Cx<'_>,
    how: LeastRequest,
    candidates: &[u32],
    members: &Members,
    watch: &mut W,
) -> u32 {
    let load = |slot: u32| members.active(slot);
    match how {
        LeastRequest::Choices(count) => {
            let mut best = candidates[cx.below(candidates.len())];
            let mut least = load(best);
            watch.drawn(best, least);
            for _ in 1..count {
                let other = candidates[cx.below(candidates.len())];
                // Strictly less: the first draw keeps a tie.
                let its = load(other);
                watch.drawn(other, its);
                if its < least {
                    (best, least) = (other, its);
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
                watch.drawn(pick, load(pick));
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

/// With unequal weights endpoints take turns by this: the weight over one more than what is under way
/// (`active_request_bias` 1).
#[inline]
pub(super) fn weight(weight: u32, active: u32) -> f64 {
    f64::from(weight) / (f64::from(active) + 1.0)
}
