//! Ketama's ring: endpoints own the arcs before their points.
//!
//! *Knows* how many points each endpoint has, where they lie, and whose arc a hash is in (envoy.md
//! 3.5). *Does not know* where hashes come from.

use super::hashing::Part;
use super::hashing::extremes;
use super::hashing::key_hash;
use std::fmt::Write as _;

/// The ring, sorted by hash. The least weight gets a whole number of points, the others in proportion,
/// counted by running sums so that rounding does not add up.
pub(super) fn build(parts: &[Part], minimum: u64, maximum: u64) -> Vec<(u64, u32)> {
    let (least, _) = extremes(parts);
    let scale = ((least * minimum as f64).ceil() / least).min(maximum as f64);
    let mut ring = Vec::with_capacity(scale.ceil() as usize);
    let (mut points, mut target) = (0.0, 0.0);
    let mut key = String::new();
    for part in parts {
        target += scale * part.share;
        let mut i = 0;
        while points < target {
            key.clear();
            let _ = write!(key, "{}_{i}", part.key);
            ring.push((key_hash(&key, 0), part.id.slot));
            i += 1;
            points += 1.0;
        }
    }
    // Stable: where two hashes are equal, which Envoy leaves to its sort, list order decides.
    ring.sort_by_key(|&(hash, _)| hash);
    ring
}

/// The first point at or after the hash, from the end on to the first; later attempts go on from there.
#[inline]
pub(super) fn pick(ring: &[(u64, u32)], hash: u64, attempt: u32) -> u32 {
    let at = ring.partition_point(|&(point, _)| point < hash) + attempt as usize;
    // One past the end is the first, before attempts are added and after.
    let first = if at - attempt as usize == ring.len() { attempt as usize } else { at };
    ring[first % ring.len()].1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_finds_the_point_at_or_after_it_and_retries_go_on_from_there() {
        let ring = [(10, 0), (20, 1), (30, 2)];
        for (hash, went) in
            [(9, [0, 1, 2, 0]), (10, [0, 1, 2, 0]), (11, [1, 2, 0, 1]), (30, [2, 0, 1, 2]), (31, [0, 1, 2, 0])]
        {
            assert_eq!([0, 1, 2, 3].map(|attempt| pick(&ring, hash, attempt)), went, "hash {hash}");
        }
    }
}
