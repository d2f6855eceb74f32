//! What maps and lanes are drawn from: calls of each edge over time, and the life of each task.
//!
//! *Knows* frames, which are coarser than the buckets of the timeline, and replication 0, whose tasks stand for the
//! others'. *Does not know* drawings. Neither decides anything: no figure of a report is made of them.

use super::Recording;
use super::Timeline;
use crate::units::Span;
use crate::units::Time;

/// Calls of each edge over time.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Flows {
    /// Buckets of the timeline in a frame.
    per_frame: usize,
    /// Length of a frame.
    pub frame: Span,
    frames: usize,
    /// By edge, then by frame.
    cells: Vec<Flow>,
}

/// Calls of an edge that ended in one frame.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Flow {
    /// Calls, warm-up left out.
    pub calls: u64,
    /// Of them, failed.
    pub failed: u64,
}

impl Flows {
    /// Frames at the most.
    pub const FRAMES_MAX: usize = 60;

    /// Frames over the buckets of `timeline`, for so many edges.
    pub fn new(timeline: &Timeline, edges: usize) -> Flows {
        let buckets = timeline.buckets.len();
        let per_frame = buckets.div_ceil(Flows::FRAMES_MAX).max(1);
        let frames = buckets.div_ceil(per_frame);
        let frame = Span::from_nanos(timeline.bucket.as_nanos() * per_frame as u64);
        Flows { per_frame, frame, frames, cells: vec![Flow::default(); edges * frames] }
    }

    /// The frame of a bucket of the timeline.
    pub fn frame_of(&self, bucket: usize) -> usize {
        bucket / self.per_frame
    }

    /// Counts a call that ended in frame `frame`.
    #[inline]
    pub fn record(&mut self, edge: usize, frame: usize, failed: bool) {
        let cell = &mut self.cells[edge * self.frames + frame];
        cell.calls += 1;
        cell.failed += u64::from(failed);
    }

    /// The frames of one edge; empty for an edge that was not there.
    pub fn of(&self, edge: usize) -> &[Flow] {
        self.cells.get(edge * self.frames..(edge + 1) * self.frames).unwrap_or_default()
    }

    fn add(&mut self, other: Flows) {
        if self.cells.is_empty() {
            *self = other;
            return;
        }
        for (mine, theirs) in self.cells.iter_mut().zip(other.cells) {
            mine.calls += theirs.calls;
            mine.failed += theirs.failed;
        }
    }
}

/// The life of one task of replication 0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lane {
    /// `payments#1`.
    pub task: String,
    /// When it started.
    pub started: Time,
    /// When it had gone.
    pub stopped: Option<Time>,
    /// The first and the last request that reached it.
    pub reached: Option<(Time, Time)>,
    /// Requests that reached it.
    pub requests: u64,
    /// Of them, answered 500 or above or not at all.
    pub errors: u64,
    /// Faults that were on it.
    pub strikes: Vec<Strike>,
}

/// A fault on a task, for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Strike {
    /// Index into `Scenario::faults`.
    pub fault: u32,
    /// Index into [`Recording::tasks`].
    pub task: u32,
    /// From when.
    pub from: Time,
    /// Until when; `None` if the run was over first.
    pub to: Option<Time>,
}

/// Both, of one recording or of all of a plane.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Pictures {
    /// Summed over replications.
    pub flows: Flows,
    /// Of replication 0 alone.
    pub lanes: Vec<Lane>,
}

impl Pictures {
    /// What one recording has of it.
    pub fn of(recording: &Recording) -> Pictures {
        let strikes = |i: usize| recording.strikes.iter().filter(move |strike| strike.task as usize == i).copied();
        let lane = |(i, task): (usize, &super::TaskRecord)| Lane {
            task: task.name.clone(),
            started: task.started,
            stopped: task.stopped,
            reached: task.reached,
            requests: task.requests,
            errors: task.errors,
            strikes: strikes(i).collect(),
        };
        let tasks = recording.tasks.iter().enumerate();
        let lanes = if recording.replication == 0 { tasks.map(lane).collect() } else { Vec::new() };
        Pictures { flows: recording.flows.clone(), lanes }
    }

    /// Adds another replication's; the order does not matter.
    pub fn add(&mut self, other: Pictures) {
        self.flows.add(other.flows);
        if !other.lanes.is_empty() {
            self.lanes = other.lanes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_cover_every_bucket() {
        for seconds in [1, 59, 60, 61, 330, 1_200, 90_000] {
            let timeline = Timeline::new(Span::from_secs(seconds));
            let mut flows = Flows::new(&timeline, 2);
            for bucket in 0..timeline.buckets.len() {
                flows.record(1, flows.frame_of(bucket), bucket == 0);
            }
            assert!(flows.of(1).len() <= Flows::FRAMES_MAX);
            assert_eq!(flows.of(1).iter().map(|f| f.calls).sum::<u64>(), timeline.buckets.len() as u64);
            assert_eq!(flows.of(1)[0].failed, 1);
            assert_eq!(flows.of(0).iter().map(|f| f.calls).sum::<u64>(), 0);
            assert!(flows.of(2).is_empty());
            assert!(flows.frame.as_nanos() * flows.of(0).len() as u64 >= Span::from_secs(seconds).as_nanos());
        }
    }

    #[test]
    fn the_order_of_replications_does_not_show() {
        let timeline = Timeline::new(Span::from_secs(10));
        let one = |bucket| {
            let mut flows = Flows::new(&timeline, 1);
            flows.record(0, bucket, false);
            Pictures { flows, lanes: Vec::new() }
        };
        let sum = |a, b| {
            let mut all = Pictures::default();
            all.add(one(a));
            all.add(one(b));
            all
        };
        assert_eq!(sum(1, 2), sum(2, 1));
    }
}
