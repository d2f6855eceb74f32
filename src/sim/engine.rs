//! The clock and its queue; knows no domain.
//!
//! Events fire in order of time, and at one instant in the order they were scheduled (FIFO). The
//! queue is a 4-ary heap on one packed key of time and sequence number. Timers whose delay is a
//! constant of the configuration live in a lane each, a plain FIFO, because they fire in the
//! order they were set; they never enter the heap.
//! Nothing is cancelled: an event names its subject by index and generation. One whose subject is
//! gone does nothing when it fires, and in a lane it is dropped unfired.

use crate::units::Span;
use crate::units::Time;
use std::collections::VecDeque;

/// A lane of timers with one delay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lane(u32);

#[derive(Clone, Copy)]
struct Entry<E> {
    /// Time above, sequence number below.
    key: u128,
    event: E,
}

/// A clock with its queue of events.
pub struct Engine<E> {
    now: Time,
    sequence: u64,
    heap: Vec<Entry<E>>,
    lanes: Vec<(Span, VecDeque<Entry<E>>)>,
    /// The key of the earliest lane head and its lane; `u128::MAX` with all lanes empty.
    lane_key: u128,
    lane_at: usize,
    fired: u64,
}

impl<E: Copy> Default for Engine<E> {
    fn default() -> Self {
        Engine::new()
    }
}

impl<E: Copy> Engine<E> {
    /// An empty queue at time zero.
    pub fn new() -> Engine<E> {
        Engine {
            now: Time::ZERO,
            sequence: 0,
            heap: Vec::new(),
            lanes: Vec::new(),
            lane_key: u128::MAX,
            lane_at: 0,
            fired: 0,
        }
    }

    /// The instant of the event that fired last.
    #[inline]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Events fired so far.
    pub fn fired(&self) -> u64 {
        self.fired
    }

    /// The lane for that delay; asked once per constant of the configuration.
    pub fn lane(&mut self, delay: Span) -> Lane {
        if let Some(at) = self.lanes.iter().position(|(d, _)| *d == delay) {
            return Lane(at as u32);
        }
        self.lanes.push((delay, VecDeque::new()));
        Lane((self.lanes.len() - 1) as u32)
    }

    #[inline]
    fn key(&mut self, at: Time) -> u128 {
        self.sequence += 1;
        u128::from(at.as_nanos()) << 64 | u128::from(self.sequence)
    }

    /// Schedules an event `delay` from now.
    #[inline]
    pub fn after(&mut self, delay: Span, event: E) {
        self.at(self.now + delay, event);
    }

    /// Schedules an event at an instant, now at the earliest.
    ///
    /// # Panics
    /// If the instant has passed: the model would run backwards.
    #[inline]
    pub fn at(&mut self, at: Time, event: E) {
        assert!(at >= self.now, "an event was scheduled in the past: {at} at {}", self.now);
        let key = self.key(at);
        self.heap.push(Entry { key, event });
        self.sift_up(self.heap.len() - 1);
    }

    /// Schedules an event after the lane's delay.
    #[inline]
    pub fn in_lane(&mut self, lane: Lane, event: E) {
        let delay = self.lanes[lane.0 as usize].0;
        let key = self.key(self.now + delay);
        let queue = &mut self.lanes[lane.0 as usize].1;
        queue.push_back(Entry { key, event });
        if key < self.lane_key {
            self.lane_key = key;
            self.lane_at = lane.0 as usize;
        }
    }

    /// Fires the earliest event, if it is due by `until`. Timers in a lane whose subject is gone,
    /// as `stale` says, are dropped without being fired: most time-outs never come to pass.
    #[inline]
    pub fn pop(&mut self, until: Time, stale: impl Fn(&E) -> bool) -> Option<E> {
        loop {
            let heap_key = self.heap.first().map_or(u128::MAX, |entry| entry.key);
            let key = heap_key.min(self.lane_key);
            let at = (key >> 64) as u64;
            if key == u128::MAX || at > until.as_nanos() {
                return None;
            }
            if heap_key <= self.lane_key {
                self.now = Time::from_nanos(at);
                self.fired += 1;
                return Some(self.pop_heap());
            }
            let event = self.pop_lane(&stale);
            if !stale(&event) {
                self.now = Time::from_nanos(at);
                self.fired += 1;
                return Some(event);
            }
        }
    }

    #[inline]
    fn pop_heap(&mut self) -> E {
        let last = self.heap.pop().expect("the caller saw a first entry");
        let Some(first) = self.heap.first_mut() else { return last.event };
        let top = std::mem::replace(first, last);
        self.sift_down();
        top.event
    }

    fn pop_lane(&mut self, stale: impl Fn(&E) -> bool) -> E {
        let queue = &mut self.lanes[self.lane_at].1;
        let entry = queue.pop_front().expect("the caller saw a lane head");
        while queue.front().is_some_and(|head| stale(&head.event)) {
            queue.pop_front();
        }
        self.lane_key = u128::MAX;
        for (at, (_, queue)) in self.lanes.iter().enumerate() {
            if let Some(head) = queue.front()
                && head.key < self.lane_key
            {
                self.lane_key = head.key;
                self.lane_at = at;
            }
        }
        entry.event
    }

    #[inline]
    fn sift_up(&mut self, mut at: usize) {
        let entry = self.heap[at];
        while at > 0 {
            let parent = (at - 1) / 4;
            if self.heap[parent].key <= entry.key {
                break;
            }
            self.heap[at] = self.heap[parent];
            at = parent;
        }
        self.heap[at] = entry;
    }

    #[inline]
    fn sift_down(&mut self) {
        let heap = self.heap.as_mut_slice();
        let entry = heap[0];
        let mut at = 0;
        loop {
            let first = at * 4 + 1;
            let (child, least) = if let Some(four) = heap.get(first..first + 4) {
                // In pairs, so that the compiler can choose without branching.
                let (a, b) = (usize::from(four[1].key < four[0].key), 2 + usize::from(four[3].key < four[2].key));
                let (key_a, key_b) = (four[a & 1].key, four[b & 3].key);
                if key_b < key_a { (first + b, key_b) } else { (first + a, key_a) }
            } else if first < heap.len() {
                let mut child = first;
                for other in first + 1..heap.len() {
                    if heap[other].key < heap[child].key {
                        child = other;
                    }
                }
                (child, heap[child].key)
            } else {
                break;
            };
            if least >= entry.key {
                break;
            }
            heap[at] = heap[child];
            at = child;
        }
        heap[at] = entry;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn events_fire_by_time_then_in_order_of_scheduling(delays in proptest::collection::vec((0_u64..50, 0_u8..3), 1..300)) {
            let mut engine = Engine::new();
            let lanes = [engine.lane(Span::from_nanos(7)), engine.lane(Span::from_nanos(20))];
            let mut expected = Vec::new();
            for (i, &(delay, how)) in delays.iter().enumerate() {
                let at = match how {
                    0 => { engine.after(Span::from_nanos(delay), i); delay }
                    1 => { engine.in_lane(lanes[0], i); 7 }
                    _ => { engine.in_lane(lanes[1], i); 20 }
                };
                expected.push((at, i));
            }
            expected.sort_unstable();
            let mut fired = Vec::new();
            while let Some(i) = engine.pop(Time::NEVER, |_| false) {
                fired.push((engine.now().as_nanos(), i));
            }
            prop_assert_eq!(fired, expected);
        }
    }

    #[test]
    fn stale_timers_are_dropped_and_live_ones_fire_in_time() {
        let mut engine = Engine::new();
        let lane = engine.lane(Span::from_secs(1));
        (0..10).for_each(|i| engine.in_lane(lane, i));
        engine.after(Span::from_millis(500), 99);
        let stale = |i: &i32| i % 4 != 3 && *i != 99;
        let mut fired = Vec::new();
        while let Some(i) = engine.pop(Time::NEVER, stale) {
            fired.push((engine.now().as_nanos() / 1_000_000, i));
        }
        assert_eq!(fired, [(500, 99), (1000, 3), (1000, 7)]);
    }

    #[test]
    fn nothing_fires_after_the_limit() {
        let mut engine = Engine::new();
        engine.after(Span::from_secs(2), ());
        assert_eq!(engine.pop(Time::from_nanos(1_999_999_999), |()| false), None);
        assert_eq!(engine.pop(Time::from_nanos(2_000_000_000), |()| false), Some(()));
    }
}
