//! What ring hash and maglev share: hashes, keys, weights, and when a table is built anew.
//!
//! *Knows* xxh64, how an endpoint's address becomes a key, and shares of weight (envoy.md 3.5). *Does
//! not know* the tables' layouts.

use super::maglev;
use super::ring_hash;
use crate::policy::EndpointId;
use crate::policy::config::LbPolicy;
use std::sync::Arc;
use xxhash_rust::xxh64::xxh64;

/// What Envoy's `header` hash policy makes of a header's value: xxh64 with seed 0 (envoy.md 3.5). For
/// drivers that fill [`Ask::hash`](crate::policy::Ask::hash).
pub fn header_hash(value: &[u8]) -> u64 {
    xxh64(value, 0)
}

/// An endpoint's part in a table.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Part {
    pub(super) id: EndpointId,
    /// `ip:port`.
    pub(super) key: String,
    /// Its share of all weight; all shares sum to one.
    pub(super) share: f64,
}

/// A table with the parts it was made of. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Table {
    parts: Arc<[Part]>,
    layout: Layout,
}

#[derive(Clone, Debug)]
enum Layout {
    /// Sorted hashes with the slots behind them.
    Ring(Arc<[(u64, u32)]>),
    /// A slot for each remainder of the hash.
    Maglev(Arc<[u32]>),
}

impl Table {
    /// A table of those parts, the old one if it is of the same; `None` without any or for rules that
    /// have no table.
    pub(super) fn build(rule: LbPolicy, parts: Vec<Part>, old: Option<Table>) -> Option<Table> {
        if parts.is_empty() {
            return None;
        }
        if let Some(old) = old
            && *old.parts == *parts
        {
            return Some(old);
        }
        let layout = match rule {
            LbPolicy::RingHash { minimum_ring_size, maximum_ring_size } => {
                Layout::Ring(ring_hash::build(&parts, minimum_ring_size, maximum_ring_size).into())
            }
            LbPolicy::Maglev { table_size } => Layout::Maglev(maglev::build(&parts, table_size).into()),
            _ => return None,
        };
        Some(Table { parts: parts.into(), layout })
    }

    /// The slot for a hash at the `attempt`th pick of one choice: the first is 0, later ones are asked
    /// for when the host predicate rejects (envoy.md 2.6).
    #[inline]
    pub(super) fn pick(&self, hash: u64, attempt: u32) -> u32 {
        match &self.layout {
            Layout::Ring(ring) => ring_hash::pick(ring, hash, attempt),
            Layout::Maglev(table) => maglev::pick(table, hash, attempt),
        }
    }

    /// Endpoints in it.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// The slot behind each entry.
    pub(super) fn entries(&self) -> Vec<u32> {
        match &self.layout {
            Layout::Ring(ring) => ring.iter().map(|&(_, slot)| slot).collect(),
            Layout::Maglev(table) => table.to_vec(),
        }
    }
}

/// Smallest and largest share.
pub(super) fn extremes(parts: &[Part]) -> (f64, f64) {
    parts.iter().fold((1.0, 0.0), |(least, most), part| (part.share.min(least), part.share.max(most)))
}

/// A key's hash with a seed.
pub(super) fn key_hash(key: &str, seed: u64) -> u64 {
    xxh64(key.as_bytes(), seed)
}
