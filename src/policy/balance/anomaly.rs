//! The ALB's anomaly mitigation: targets that fail more than their peers get less (aws.md 3.2).
//!
//! *Knows* what AWS documents: errors of a target (5xx and failed connections) are compared with its
//! peers', three healthy targets are needed, weights change every 5 s, an anomalous target keeps a
//! trickle and comes back gradually. *Does not know* health checks, which are independent of it. How
//! much is anomalous, what a trickle is and how fast the way back is are assumptions, marked below.

use crate::policy::Cx;
use crate::policy::EndpointId;
use crate::policy::members::Members;
use crate::units::Span;
use crate::units::Time;

/// Weights change this often (aws.md 3.2).
const PERIOD: Span = Span::from_secs(5);
/// With fewer healthy targets nobody is anomalous (aws.md 3.2).
const HEALTHY_MIN: usize = 3;
/// The weight of a target with nothing against it.
const FULL: u32 = 1000;
// ASSUMPTION(alb.anomaly_threshold): anomalous is who fails more than twice as often as its peers and
// 10 percentage points more, over 10 requests and more in 5 s. AWS publishes no figure.
const TIMES_PEERS: u64 = 2;
const ABOVE_PEERS: u64 = 100;
const REQUESTS_MIN: u32 = 10;
// ASSUMPTION(alb.anomaly_trickle): an anomalous target keeps 1 % of its share. AWS publishes no figure.
const TRICKLE: u32 = 10;
// ASSUMPTION(alb.anomaly_ramp): it regains 10 % of its share every 5 s. AWS publishes no figure.
const RAMP: u32 = 100;

/// The weights of all targets, by slot.
#[derive(Clone, Debug)]
pub(super) struct Anomalies {
    targets: Vec<Target>,
    /// When weights change next.
    pub(super) due: Time,
}

#[derive(Clone, Copy, Debug)]
struct Target {
    generation: u32,
    requests: u32,
    failures: u32,
    weight: u32,
}

impl Target {
    const fn new(generation: u32) -> Target {
        Target { generation, requests: 0, failures: 0, weight: FULL }
    }

    /// True if there is enough to judge by: who is out of favour proves itself on what little it gets.
    const fn heard(self) -> bool {
        self.requests >= REQUESTS_MIN || (self.weight < FULL && self.requests > 0)
    }
}

/// True if a target of which `failed` of `own` requests failed is anomalous among all, itself included.
const fn stands_out((own, failed): (u64, u64), (all, all_failed): (u64, u64)) -> bool {
    let (peers, peers_failed) = (all - own, all_failed - failed);
    peers > 0 && failed * 1000 * peers > own * (TIMES_PEERS * 1000 * peers_failed + ABOVE_PEERS * peers)
}

impl Anomalies {
    pub(super) fn new() -> Anomalies {
        Anomalies { targets: Vec::new(), due: Time::NEVER }
    }

    /// The first list is here: the periods begin.
    pub(super) fn start(&mut self, now: Time) {
        if self.due == Time::NEVER {
            self.due = now + PERIOD;
        }
    }

    fn target(&mut self, id: EndpointId) -> &mut Target {
        let at = id.slot as usize;
        if at >= self.targets.len() {
            self.targets.resize(at + 1, Target::new(0));
        }
        let target = &mut self.targets[at];
        if target.generation != id.generation {
            *target = Target::new(id.generation);
        }
        target
    }

    /// An attempt ended: with a 5xx or without a connection it failed.
    pub(super) fn count(&mut self, id: EndpointId, failed: bool) {
        let target = self.target(id);
        target.requests += 1;
        target.failures += u32::from(failed);
    }

    /// A period is over: new weights for the healthy ones, and counts from zero.
    pub(super) fn reweigh(&mut self, now: Time, members: &Members) {
        self.due = now + PERIOD;
        let healthy = members.view.levels.first().map_or(&[][..], |level| &level.healthy);
        let (mut requests, mut failures) = (0, 0);
        for &slot in healthy {
            let target = self.target(members.id(slot));
            requests += u64::from(target.requests);
            failures += u64::from(target.failures);
        }
        let enough = healthy.len() >= HEALTHY_MIN;
        for &slot in healthy {
            let target = self.target(members.id(slot));
            let own = (u64::from(target.requests), u64::from(target.failures));
            let anomalous = enough && target.heard() && stands_out(own, (requests, failures));
            target.weight = if anomalous { TRICKLE } else { (target.weight + RAMP).min(FULL) };
        }
        for target in &mut self.targets {
            (target.requests, target.failures) = (0, 0);
        }
    }

    /// A target's weight, in thousandths of a full one.
    pub(super) fn weight(&self, id: EndpointId) -> u32 {
        let target = self.targets.get(id.slot as usize).filter(|target| target.generation == id.generation);
        target.map_or(FULL, |target| target.weight)
    }

    /// A draw by weight: uniform, drawn again when the weight says so.
    pub(super) fn pick(&self, cx: &mut Cx<'_>, candidates: &[u32], members: &Members) -> u32 {
        let mut pick = candidates[cx.below(candidates.len())];
        // Few are ever out of favour; the bound is there for a list of which all are.
        for _ in 0..32 {
            let weight = self.weight(members.id(pick));
            if weight >= FULL || cx.below(FULL as usize) < weight as usize {
                break;
            }
            pick = candidates[cx.below(candidates.len())];
        }
        pick
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_requests_are_enough_and_one_for_who_is_out_of_favour() {
        let heard = |requests, weight| Target { requests, weight, ..Target::new(0) }.heard();
        assert!(heard(10, FULL) && !heard(9, FULL) && !heard(1, FULL));
        assert!(heard(1, FULL - 1) && heard(1, TRICKLE) && !heard(0, TRICKLE));
    }

    #[test]
    fn anomalous_is_more_than_twice_the_peers_and_ten_points() {
        // Of the peers one in ten fails: the limit is 30 of 100.
        for (failed, out) in [(30, false), (31, true), (0, false)] {
            assert_eq!(stands_out((100, failed), (300, 20 + failed)), out, "{failed} of 100");
        }
        assert!(!stands_out((100, 10), (400, 10)) && stands_out((100, 11), (400, 11)), "ten points of nothing");
        assert!(!stands_out((100, 100), (100, 100)), "it has no peers");
    }
}
