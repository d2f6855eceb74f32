//! How the load is shared out among priorities, and when a priority is in panic.
//!
//! *Knows* Envoy's integer arithmetic (envoy.md 3.2). *Does not know* endpoints, only how many there
//! are of each kind.

use crate::policy::config::Panic;

/// How many endpoints of a priority are what.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in crate::policy) struct Counts {
    pub(in crate::policy) healthy: u64,
    pub(in crate::policy) degraded: u64,
    /// Those that count in percentages.
    pub(in crate::policy) counted: u64,
    pub(in crate::policy) all: u64,
}

/// Percent of the requests that each priority gets, and which of them ignore health.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PriorityLoads {
    /// Percent for the healthy endpoints of each priority; in panic, for all of them.
    pub healthy: Vec<u32>,
    /// Percent for the degraded endpoints of each priority.
    pub degraded: Vec<u32>,
    /// The priority is in panic.
    pub panic: Vec<bool>,
}

/// A share of a priority that is available, in percent: `factor` percent of what it is, 100 at the most.
fn available(factor: u32, of: u64, counted: u64) -> u32 {
    (u64::from(factor) * of).checked_div(counted).map_or(0, |share| share.min(100) as u32)
}

/// What is available of each priority, healthy and degraded; priorities left out have nothing.
#[derive(Clone, Default, Debug)]
pub(in crate::policy) struct Availability {
    healthy: Vec<u32>,
    degraded: Vec<u32>,
}

impl Availability {
    pub(in crate::policy) fn measure(&mut self, counts: &[Counts], factor: u32, left_out: impl Fn(usize) -> bool) {
        self.healthy.clear();
        self.degraded.clear();
        for (i, counts) in counts.iter().enumerate() {
            let out = left_out(i);
            self.healthy.push(if out { 0 } else { available(factor, counts.healthy, counts.counted) });
            self.degraded.push(if out { 0 } else { available(factor, counts.degraded, counts.counted) });
        }
    }

    /// The sum over all priorities, 100 at the most.
    pub(in crate::policy) fn total(&self) -> u32 {
        let sum = self.healthy.iter().chain(&self.degraded).map(|&share| u64::from(share)).sum::<u64>();
        sum.min(100) as u32
    }

    /// Shares 100 percent out: healthy priorities in order, then degraded ones; what integer division
    /// leaves goes to the first healthy priority, or else to the first degraded one. Nothing happens
    /// if nothing is available.
    pub(in crate::policy) fn share_out(&self, loads: &mut PriorityLoads) {
        let total = self.total();
        if total == 0 {
            return;
        }
        let mut left = 100;
        let mut give = |shares: &[u32], loads: &mut Vec<u32>| {
            loads.clear();
            loads.extend(shares.iter().map(|share| {
                let load = (share * 100 / total).min(left);
                left -= load;
                load
            }));
        };
        give(&self.healthy, &mut loads.healthy);
        give(&self.degraded, &mut loads.degraded);
        if let Some(first) = self.healthy.iter().position(|&share| share > 0) {
            loads.healthy[first] += left;
        } else if let Some(first) = self.degraded.iter().position(|&share| share > 0) {
            loads.degraded[first] += left;
        }
    }
}

/// Fewer than the threshold are healthy or degraded.
fn below(panic: Panic, counts: &Counts) -> bool {
    let well = counts.healthy + counts.degraded;
    match panic {
        Panic::Never => false,
        Panic::NoneHealthy => well == 0,
        Panic::FewerThan(least) => well < u64::from(least),
        Panic::Below(share) => well * 1_000_000 < u64::from(share.as_ppm()) * counts.counted.max(1),
    }
}

/// Computes the loads of all priorities. With everything available nothing is in panic, however bad
/// one priority is; with everything in panic the load goes by the number of endpoints.
pub(in crate::policy) fn compute(
    counts: &[Counts],
    factor: u32,
    panic: Panic,
    availability: &mut Availability,
    loads: &mut PriorityLoads,
) {
    availability.measure(counts, factor, |_| false);
    let total = availability.total();
    loads.panic.clear();
    loads.panic.extend(counts.iter().map(|counts| total != 100 && below(panic, counts)));
    loads.healthy.clear();
    loads.healthy.resize(counts.len(), 0);
    loads.degraded.clear();
    loads.degraded.resize(counts.len(), 0);
    let Some(first) = loads.healthy.first_mut() else { return };
    if loads.panic.iter().all(|&panic| panic) {
        let hosts: u64 = counts.iter().map(|counts| counts.all).sum();
        if hosts == 0 {
            *first = 100;
            return;
        }
        let mut left = 100;
        for (load, counts) in loads.healthy.iter_mut().zip(counts) {
            *load = (100 * counts.all / hosts) as u32;
            left -= *load;
        }
        if let Some(occupied) = counts.iter().position(|counts| counts.all > 0) {
            loads.healthy[occupied] += left;
        }
    } else if total == 0 {
        // Somebody has to be asked, if only to find nobody.
        *first = 100;
    } else {
        availability.share_out(loads);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Ratio;

    fn loads(sets: &[(u64, u64, u64)], panic: Panic) -> PriorityLoads {
        let counts: Vec<Counts> =
            sets.iter().map(|&(healthy, degraded, all)| Counts { healthy, degraded, counted: all, all }).collect();
        let mut loads = PriorityLoads::default();
        compute(&counts, 140, panic, &mut Availability::default(), &mut loads);
        loads
    }

    const HALF: Panic = Panic::Below(Ratio::from_percent(50));

    #[test]
    fn panic_begins_strictly_below_the_threshold() {
        // envoy.md 3.2: 4 of 8 is not panic, 3 of 8 is.
        let panic = |healthy, all, panic| loads(&[(healthy, 0, all)], panic).panic[0];
        assert!(!panic(4, 8, HALF));
        assert!(panic(3, 8, HALF));
        assert!(panic(0, 0, HALF));
        assert!(!panic(0, 8, Panic::Below(Ratio::ZERO)));
        assert!(!panic(6, 8, Panic::Below(Ratio::from_percent(90))), "75 % times 1.4 is all");
        assert!(panic(0, 3, Panic::NoneHealthy));
        assert!(!panic(1, 3, Panic::NoneHealthy));
        assert!(!panic(0, 3, Panic::Never));
        assert!(panic(1, 3, Panic::FewerThan(2)));
        assert!(!panic(2, 3, Panic::FewerThan(2)));
    }

    #[test]
    fn the_next_priority_gets_what_the_first_cannot_take() {
        assert_eq!(loads(&[(3, 0, 4), (4, 0, 4)], HALF).healthy, [100, 0]);
        assert_eq!(loads(&[(2, 0, 4), (4, 0, 4)], HALF).healthy, [70, 30]);
        let third = loads(&[(1, 0, 4), (4, 0, 4)], HALF);
        assert_eq!((third.healthy, third.panic), (vec![35, 65], vec![false, false]));
    }

    #[test]
    fn the_example_of_the_source_with_its_remainder() {
        // 10, 20, 10 percent healthy and 20, 10, 0 percent degraded become 16, 28, 14 and 28, 14, 0.
        let counts: Vec<Counts> = [(10, 20), (20, 10), (10, 0)]
            .map(|(healthy, degraded)| Counts { healthy, degraded, counted: 100, all: 100 })
            .to_vec();
        let mut got = PriorityLoads::default();
        compute(&counts, 100, Panic::Never, &mut Availability::default(), &mut got);
        assert_eq!((got.healthy, got.degraded), (vec![16, 28, 14], vec![28, 14, 0]));
    }

    #[test]
    fn in_total_panic_the_number_of_endpoints_counts() {
        let got = loads(&[(0, 0, 3), (0, 0, 0), (1, 0, 6)], HALF);
        assert_eq!((got.healthy, got.panic), (vec![34, 0, 66], vec![true; 3]));
        assert_eq!(loads(&[(0, 0, 3), (0, 0, 6)], Panic::Never).healthy, [100, 0]);
        assert_eq!(loads(&[(0, 0, 0)], HALF).healthy, [100]);
    }
}
