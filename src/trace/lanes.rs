//! Lanes: as many rows per track as things go on at once, so that no two of them overlap.
//!
//! *Knows* which lanes of a track are free. *Does not know* what is drawn on them.

use std::collections::BTreeMap;

/// What has lanes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Track {
    /// Faults.
    Faults,
    /// The users' requests.
    Users,
    /// What a task works on.
    Work(u32),
    /// The calls of a task: its sidecar, or the client in its app.
    Calls(u32),
    /// The calls of an ALB node.
    Node(u32),
    /// The time that a task is ejected.
    Out(u32),
}

/// The lanes in use.
#[derive(Default, Debug)]
pub(super) struct Lanes(BTreeMap<Track, Vec<bool>>);

impl Lanes {
    /// The first free lane of a track, taken from now on.
    pub(super) fn take(&mut self, track: Track) -> u32 {
        let lanes = self.0.entry(track).or_default();
        let at = lanes.iter().position(|taken| !taken).unwrap_or_else(|| {
            lanes.push(false);
            lanes.len() - 1
        });
        lanes[at] = true;
        at as u32
    }

    /// A lane is free again.
    pub(super) fn give_back(&mut self, track: Track, lane: u32) {
        if let Some(taken) = self.0.get_mut(&track).and_then(|lanes| lanes.get_mut(lane as usize)) {
            *taken = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_taken_once_at_a_time() {
        let mut lanes = Lanes::default();
        let (one, two) = (Track::Work(1), Track::Work(2));
        assert_eq!([lanes.take(one), lanes.take(one), lanes.take(two), lanes.take(one)], [0, 1, 0, 2]);
        lanes.give_back(one, 1);
        assert_eq!([lanes.take(one), lanes.take(one)], [1, 3]);
    }
}
