//! Taking turns by weight: the earliest deadline first.
//!
//! *Knows* Envoy's scheduler (envoy.md 3.3): a deadline is the time of the last turn plus the inverse
//! of the weight, in doubles; among equals who came first is first. *Does not know* what takes turns.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Turns taken before the first at the most; more would cost precision (envoy.md 3.3).
const HEAD_START_MAX: u64 = 429_496_729;

/// Added to each weight while turns before the first are counted, and only then (\[S\],
/// `EdfScheduler::createWithPicks`): without it, weights that are multiples of each other would have
/// their common turns rounded apart.
const NUDGE: f64 = 1e-13;

/// Who takes turns, by their deadlines. A turn costs the logarithm of their number and no memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Edf {
    now: f64,
    /// Ever more; breaks ties.
    order: u64,
    queue: BinaryHeap<Reverse<Entry>>,
}

/// The order of fields is the order of turns. A deadline is not negative, so that its bits stand in
/// the order of its value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Entry {
    deadline: u64,
    order: u64,
    item: u32,
}

impl Edf {
    /// A scheduler after `seed` turns (as many as are allowed): each item has had its whole share of
    /// them, and those that are left over are taken one by one. Weights are above zero. A seed of
    /// more than 32 bits counts by its lower 32, as in Envoy.
    ///
    /// Each step is rounded as Envoy rounds it, because the bits of the first deadlines decide who is
    /// first of those whose turns fall together. By [`NUDGE`] it is mostly the lightest.
    pub(super) fn with_head_start(items: &[u32], seed: u64, weight: impl Fn(u32) -> f64) -> Edf {
        let mut edf = Edf { queue: BinaryHeap::with_capacity(items.len()), ..Edf::default() };
        let turns = seed % (1 << 32) % HEAD_START_MAX;
        let sum = items.iter().fold(0.0, |sum, &item| sum + (weight(item) + NUDGE));
        let mut taken = 0;
        for &item in items {
            let weight = weight(item) + NUDGE;
            // Truncated: the whole turns of its share.
            let mut whole = (weight * turns as f64 / sum) as u64;
            // One too many by rounding.
            if whole > 0 && whole as f64 / weight >= turns as f64 / sum {
                whole -= 1;
            }
            taken += whole;
            edf.now = edf.now.max(whole as f64 / weight);
            edf.insert((whole + 1) as f64 / weight, item);
        }
        for _ in taken..turns {
            let _ = edf.pick(&weight);
        }
        edf
    }

    fn insert(&mut self, deadline: f64, item: u32) {
        self.queue.push(Reverse(Entry { deadline: deadline.to_bits(), order: self.order, item }));
        self.order += 1;
    }

    /// Whose turn it is. Its weight is read for the turn after.
    #[inline]
    pub(super) fn pick(&mut self, weight: impl Fn(u32) -> f64) -> Option<u32> {
        let mut top = self.queue.peek_mut()?;
        let item = top.0.item;
        // A turn that is overdue does not turn time back.
        self.now = self.now.max(f64::from_bits(top.0.deadline));
        let deadline = self.now + 1.0 / weight(item);
        *top = Reverse(Entry { deadline: deadline.to_bits(), order: self.order, item });
        self.order += 1;
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(weights: &[u32], seed: u64, picks: usize) -> String {
        let items: Vec<u32> = (0..weights.len() as u32).collect();
        let weight = |item: u32| f64::from(weights[item as usize]);
        let mut edf = Edf::with_head_start(&items, seed, weight);
        (0..picks).map(|_| char::from(b'0' + edf.pick(weight).unwrap() as u8)).collect()
    }

    #[test]
    fn three_to_one_is_as_observed() {
        assert_eq!(sequence(&[3, 1], 16, 20), "00100010001000100010");
    }

    #[test]
    fn five_three_two_is_as_observed_in_one_of_its_phases_however_many_turns_came_before() {
        let seen = "02100102010210010201";
        let phases: Vec<u64> = (0..20).filter(|&seed| sequence(&[5, 3, 2], seed, 20) == seen).collect();
        assert_eq!(phases, [6, 16]);
        for seed in [1_006, 200_000_006, 429_496_726, (1 << 40) + 200_000_006] {
            assert_eq!(sequence(&[5, 3, 2], seed, 20), seen, "start {seed}");
        }
    }

    #[test]
    fn a_head_start_is_as_many_turns_taken_one_by_one() {
        // Of these starts a share comes out whole by rounding, and would be one turn too many.
        for start in [3, 6, 12, 15, 24] {
            let turns = sequence(&[1, 2, 3], 0, start + 20);
            assert_eq!(sequence(&[1, 2, 3], start as u64, 20), turns[start..], "start {start}");
        }
    }

    /// Where a share comes out whole, one turn of it is left to be taken in order (\[S\], `createWithPicks`): a third of
    /// three turns is none.
    #[test]
    fn equals_keep_the_order_of_their_first_turns() {
        let mut edf = Edf::with_head_start(&[1, 0], 0, |_| 1.0);
        assert_eq!([(); 6].map(|()| edf.pick(|_| 1.0).unwrap()), [1, 0, 1, 0, 1, 0]);
    }

    #[test]
    fn a_whole_share_is_one_turn_less() {
        assert_eq!(sequence(&[2, 3, 4], 3, 20), "21202121021202121021");
        assert_eq!(sequence(&[4, 5, 6], 6, 20), "21201202121021021201");
        assert_eq!(sequence(&[3, 7, 5], 3, 20), "02112012101212102112");
    }

    #[test]
    fn who_stands_first_in_the_list_goes_first_among_equals() {
        let weight = |item| if item == 2 { 1.0 } else { 2.0 };
        for items in [[0, 1, 2], [1, 0, 2]] {
            let mut edf = Edf::with_head_start(&items, 0, weight);
            assert_eq!([edf.pick(weight), edf.pick(weight)], [Some(items[0]), Some(items[1])]);
        }
    }

    #[test]
    fn a_long_head_start_leaves_the_proportion_as_it_is() {
        let picks = sequence(&[5, 3, 2], u64::MAX, 1000);
        for (item, expected) in [('0', 500), ('1', 300), ('2', 200)] {
            let got = picks.chars().filter(|&c| c == item).count();
            assert!(got.abs_diff(expected) <= 1, "{item}: {got}");
        }
    }
}
