//! Maglev's table: endpoints take turns at claiming entries, each in an order of its own.
//!
//! *Knows* the permutations and the turns by weight (envoy.md 3.5). *Does not know* where hashes come
//! from.

use super::hashing::Part;
use super::hashing::extremes;
use super::hashing::key_hash;

struct Claimant {
    slot: u32,
    offset: u64,
    skip: u64,
    next: u64,
    share: f64,
    target: f64,
}

impl Claimant {
    /// The next entry of its permutation.
    fn claim(&mut self, size: u64) -> usize {
        // Both factors are below the size, at most 5000011: nothing overflows.
        let entry = (self.offset + self.skip * (self.next % size)) % size;
        self.next += 1;
        entry as usize
    }
}

/// The table. Its size is a prime, so that each permutation visits every entry.
pub(super) fn build(parts: &[Part], size: u64) -> Vec<u32> {
    let (_, most) = extremes(parts);
    let mut sorted: Vec<&Part> = parts.iter().collect();
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    let mut claimants: Vec<Claimant> = sorted
        .into_iter()
        .map(|part| Claimant {
            slot: part.id.slot,
            offset: key_hash(&part.key, 0) % size,
            skip: key_hash(&part.key, 1) % (size - 1) + 1,
            next: 0,
            share: part.share,
            target: 0.0,
        })
        .collect();
    let mut table = vec![u32::MAX; size as usize];
    let mut left = table.len();
    let mut round = 0.0;
    while left > 0 {
        round += 1.0;
        for claimant in &mut claimants {
            if left == 0 {
                break;
            }
            // The largest weight claims in every round, the others when their sum has caught up.
            if round * claimant.share < claimant.target {
                continue;
            }
            claimant.target += most;
            let mut entry = claimant.claim(size);
            while table[entry] != u32::MAX {
                entry = claimant.claim(size);
            }
            table[entry] = claimant.slot;
            left -= 1;
        }
    }
    table
}

/// The entry of a hash; later attempts flip the hash.
#[inline]
pub(super) fn pick(table: &[u32], hash: u64, attempt: u32) -> u32 {
    let hash = if attempt == 0 { hash } else { hash ^ (u64::MAX - u64::from(attempt) + 1) };
    table[(hash % table.len() as u64) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::EndpointId;

    /// Half the weight claims in the rounds 1, 2, 4 and so on (envoy.md 3.5): three of seven entries.
    #[test]
    fn who_has_caught_up_exactly_claims() {
        let part =
            |slot: u32, share| Part { id: EndpointId { slot, generation: 0 }, key: format!("10.0.0.{slot}:80"), share };
        let table = build(&[part(1, 0.5), part(2, 0.25)], 7);
        assert_eq!([1, 2].map(|slot| table.iter().filter(|&&at| at == slot).count()), [4, 3]);
    }
}
