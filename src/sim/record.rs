//! Turns what happens in the world into a [`Recording`].
//!
//! *Knows* which windows are open, which segment a request belongs to and the current timeline
//! bucket. *Does not know* why anything happened. Nothing here allocates per request once every
//! segment has been seen.

use crate::measure::Books;
use crate::measure::Calls;
use crate::measure::Costliest;
use crate::measure::Costly;
use crate::measure::Ending;
use crate::measure::Flows;
use crate::measure::Happening;
use crate::measure::HappeningKind;
use crate::measure::Recording;
use crate::measure::Rollout;
use crate::measure::Segment;
use crate::measure::ServiceRecord;
use crate::measure::Strike;
use crate::measure::TaskRecord;
use crate::measure::Timeline;
use crate::measure::Usage;
use crate::policy::Flags;
use crate::scenario::Scenario;
use crate::scenario::Window;
use crate::units::Span;
use crate::units::Time;

/// The segment of a request that arrived during the warm-up: it is not recorded.
pub(super) const UNRECORDED: u16 = u16::MAX;

/// The segment of a request with the test header: counted apart from the users' requests, and sent to the
/// new version while a deployment has one to test. ASSUMPTION(app.forwards_test_header): apps pass the
/// header on, so that the calls of a test are tests.
pub(super) const TESTING: u16 = u16::MAX - 1;

/// A task nobody.
pub(super) const NOBODY: u32 = u32::MAX;

/// A recording in the making.
pub(super) struct Recorder {
    pub(super) recording: Recording,
    windows: Vec<Window>,
    /// Bit per open window.
    open: u64,
    opened_at: Vec<Time>,
    segment: u16,
    edges: usize,
    warmup: Time,
    end: Time,
    bucket: usize,
    bucket_end: Time,
    /// The frame of the flows that the bucket lies in.
    frame: usize,
    /// Endpoints out now: router, task, since.
    out: Vec<(u32, u32, Time)>,
    first_fault: Option<Time>,
    /// Tasks there are now.
    running: u32,
    /// Some fault waits for events.
    pub(super) listening: bool,
    /// What happened since those faults were told.
    pub(super) heard: Vec<Happening>,
    /// Somebody watches the run.
    pub(super) tells: bool,
    /// What happened since that one was told.
    pub(super) told: Vec<Happening>,
}

impl Recorder {
    pub(super) fn new(scenario: &Scenario, replication: u32) -> Recorder {
        let windows = scenario.windows();
        assert!(windows.len() <= 64, "the checker allows at most 64 windows");
        let run = &scenario.run;
        let timeline = Timeline::new(run.duration + run.drain);
        let bucket_end = Time::ZERO + timeline.bucket;
        let recording = Recording {
            replication,
            segments: Vec::new(),
            window_lengths: vec![Span::ZERO; windows.len()],
            flows: Flows::new(&timeline, scenario.edges.len()),
            timeline,
            tasks: Vec::new(),
            services: vec![ServiceRecord::default(); scenario.services.len()],
            events: Vec::new(),
            strikes: Vec::new(),
            events_dropped: 0,
            time_to_eject: None,
            ejections: 0,
            unanswered: 0,
            stale_dials: 0,
            stale_window: Span::ZERO,
            panic_time: Span::ZERO,
            tasks_max: 0,
            lookups: 0,
            connections_opened: 0,
            keep_alive_races: 0,
            saved_by_retry: 0,
            costliest: Costliest::new(),
            rollout: Rollout::default(),
            usage: Usage::default(),
            books: Books::default(),
            engine_events: 0,
            digest: 0xCBF2_9CE4_8422_2325,
            partial: false,
        };
        Recorder {
            recording,
            opened_at: vec![Time::ZERO; windows.len()],
            windows,
            open: 0,
            segment: UNRECORDED,
            edges: scenario.edges.len(),
            warmup: Time::ZERO + run.warmup,
            end: Time::ZERO + run.duration,
            bucket: 0,
            bucket_end,
            frame: 0,
            out: Vec::new(),
            first_fault: None,
            running: 0,
            listening: false,
            heard: Vec::new(),
            tells: false,
            told: Vec::new(),
        }
    }

    /// Opens or closes every window that satisfies `which`.
    pub(super) fn set_windows(&mut self, now: Time, open: bool, which: impl Fn(Window) -> bool) {
        for i in 0..self.windows.len() {
            if !which(self.windows[i]) {
                continue;
            }
            let bit = 1 << i;
            if open && self.open & bit == 0 {
                self.open |= bit;
                self.opened_at[i] = now;
            } else if !open && self.open & bit != 0 {
                self.open &= !bit;
                self.close(i, now);
            }
        }
        self.choose_segment(now);
    }

    fn close(&mut self, window: usize, now: Time) {
        let (from, to) = (self.opened_at[window].max(self.warmup), now.min(self.end));
        self.recording.window_lengths[window] += to.since(from);
    }

    /// The warm-up is over, or the set of open windows changed.
    pub(super) fn choose_segment(&mut self, now: Time) {
        if now < self.warmup {
            self.segment = UNRECORDED;
            return;
        }
        let open = self.open;
        let at = self.recording.segments.iter().position(|s| s.windows == open).unwrap_or_else(|| {
            self.recording.segments.push(Segment {
                windows: open,
                users: Calls::default(),
                edges: vec![Calls::default(); self.edges],
            });
            self.recording.segments.len() - 1
        });
        self.segment = at as u16;
    }

    /// The segment of a request that arrives now.
    #[inline]
    pub(super) fn segment(&self) -> u16 {
        self.segment
    }

    #[inline]
    fn bucket(&mut self, now: Time) -> usize {
        while now >= self.bucket_end && self.bucket + 1 < self.recording.timeline.buckets.len() {
            self.recording.timeline.buckets[self.bucket].ejected = self.out.len() as u64;
            self.recording.timeline.buckets[self.bucket].tasks = u64::from(self.running);
            self.bucket += 1;
            self.frame = self.recording.flows.frame_of(self.bucket);
            self.bucket_end = self.bucket_end + self.recording.timeline.bucket;
        }
        self.bucket
    }

    /// A request from outside ended.
    #[inline]
    pub(super) fn user_done(&mut self, request: u32, segment: u16, now: Time, key: u64, status: u16, ending: Ending) {
        let books = &mut self.recording.books;
        if ending.failed {
            books.failed += 1;
        } else {
            books.finished += 1;
        }
        let word = key ^ ending.latency.as_nanos().rotate_left(20) ^ u64::from(status).rotate_left(52);
        // Order does not depend on threads: each recording is made by one.
        self.recording.digest = (self.recording.digest ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        if segment >= TESTING {
            let counts = u64::from(segment == TESTING);
            self.recording.rollout.tests += counts;
            self.recording.rollout.tests_failed += counts * u64::from(ending.failed);
            return;
        }
        if ending.failed {
            self.costly(request, ending.latency);
        }
        let bucket = self.bucket(now);
        self.recording.timeline.record(bucket, ending.latency, ending.failed);
        let users = &mut self.recording.segments[usize::from(segment)].users;
        users.record(ending);
        users.late += u64::from(!ending.failed && now > self.end);
    }

    /// A request from outside that has no answer at the end of the run: it failed, as far as anybody
    /// can tell. The books still have it in flight.
    pub(super) fn unanswered(&mut self, request: u32, segment: u16, latency: Span) {
        if segment == TESTING {
            self.recording.rollout.tests += 1;
            self.recording.rollout.tests_failed += 1;
        } else if segment != UNRECORDED {
            self.recording.unanswered += 1;
            self.costly(request, latency);
            let ending = Ending { latency, failed: true, attempts: 1, flags: Flags::NONE };
            self.recording.segments[usize::from(segment)].users.record(ending);
        }
    }

    fn costly(&mut self, request: u32, latency: Span) {
        let replication = self.recording.replication;
        self.recording.costliest.offer(Costly { replication, request, latency });
    }

    /// A call between services ended.
    #[inline]
    pub(super) fn call_done(&mut self, segment: u16, edge: u32, now: Time, ending: Ending) {
        if segment >= TESTING {
            return;
        }
        let bucket = self.bucket(now);
        self.recording.flows.record(edge as usize, self.frame, ending.failed);
        if ending.attempts > 1 {
            self.recording.timeline.buckets[bucket].retries += u64::from(ending.attempts - 1);
            if !ending.failed {
                self.recording.saved_by_retry += 1;
            }
        }
        self.recording.segments[usize::from(segment)].edges[edge as usize].record(ending);
    }

    /// Something worth a line.
    pub(super) fn happened(&mut self, at: Time, kind: HappeningKind, by: u32, task: u32, until: Option<Time>) {
        self.noted(Happening { at, kind, by, task, until, note: "" });
    }

    /// Something worth a line, with a word about it.
    pub(super) fn noted(&mut self, happening: Happening) {
        let (at, kind) = (happening.at, happening.kind);
        if kind == HappeningKind::FaultOn && self.first_fault.is_none() {
            self.first_fault = Some(at);
        }
        if self.listening {
            self.heard.push(happening);
        }
        if self.tells {
            self.told.push(happening);
        }
        if self.recording.events.len() < Recording::EVENTS_MAX {
            self.recording.events.push(happening);
        } else {
            self.recording.events_dropped += 1;
        }
    }

    /// A fault is on these tasks from now on, whatever tasks it was on before.
    pub(super) fn struck(&mut self, now: Time, fault: u32, tasks: &[u32]) {
        self.relieved(now, fault);
        let room = Recording::EVENTS_MAX.saturating_sub(self.recording.strikes.len());
        let strikes = tasks.iter().take(room).map(|&task| Strike { fault, task, from: now, to: None });
        self.recording.strikes.extend(strikes);
    }

    /// A fault is over.
    pub(super) fn relieved(&mut self, now: Time, fault: u32) {
        for strike in self.recording.strikes.iter_mut().filter(|strike| strike.fault == fault && strike.to.is_none()) {
            strike.to = Some(now);
        }
    }

    /// A router took a task out.
    pub(super) fn ejected(&mut self, now: Time, router: u32, by: u32, task: u32, until: Time) {
        self.bucket(now);
        self.recording.ejections += 1;
        self.out.push((router, task, now));
        if let (Some(fault), None) = (self.first_fault, self.recording.time_to_eject) {
            self.recording.time_to_eject = Some(now.since(fault));
        }
        self.happened(now, HappeningKind::Ejected, by, task, Some(until));
    }

    /// A router let a task in again, or forgot it.
    pub(super) fn unejected(&mut self, now: Time, router: u32, by: u32, task: u32) {
        self.bucket(now);
        if let Some(at) = self.out.iter().position(|(r, t, _)| *r == router && *t == task) {
            let (_, _, since) = self.out.swap_remove(at);
            self.recording.tasks[task as usize].ejected += now.since(since);
            self.happened(now, HappeningKind::Unejected, by, task, None);
        }
    }

    /// Tasks that a router holds out now.
    pub(super) fn held_by(&self, router: u32) -> Vec<u32> {
        self.out.iter().filter(|(r, _, _)| *r == router).map(|(_, t, _)| *t).collect()
    }

    /// A stopped task was dialled or sent to.
    pub(super) fn stale_dial(&mut self, after: Span) {
        self.recording.stale_dials += 1;
        self.recording.stale_window = self.recording.stale_window.max(after);
    }

    /// There are so many tasks from now on, all services that are not external.
    pub(super) fn tasks_are(&mut self, now: Time, running: u32) {
        self.bucket(now);
        self.running = running;
        self.recording.tasks_max = self.recording.tasks_max.max(running);
    }

    /// A task came to be; returns its number.
    pub(super) fn task(&mut self, name: String, service: u32, started: Time) -> u32 {
        self.recording.tasks.push(TaskRecord { name, service, started, ..TaskRecord::default() });
        (self.recording.tasks.len() - 1) as u32
    }

    /// A request reached a task.
    #[inline]
    pub(super) fn reached(&mut self, task: u32, now: Time) -> &mut TaskRecord {
        let record = &mut self.recording.tasks[task as usize];
        record.requests += 1;
        record.reached = Some((record.reached.map_or(now, |(first, _)| first), now));
        record
    }

    /// Closes the books.
    pub(super) fn finish(mut self, now: Time, in_flight: u64) -> Recording {
        for i in 0..self.windows.len() {
            if self.open & (1 << i) != 0 {
                self.close(i, now.max(self.end));
            }
        }
        self.bucket(now);
        for bucket in &mut self.recording.timeline.buckets[self.bucket..] {
            bucket.tasks = u64::from(self.running);
        }
        for (_, task, since) in std::mem::take(&mut self.out) {
            self.recording.tasks[task as usize].ejected += now.since(since);
        }
        let books = &mut self.recording.books;
        books.in_flight = in_flight;
        if books.arrived != books.finished + books.failed + in_flight {
            let (finished, failed) = (books.finished, books.failed);
            books.problems.push(format!(
                "{} requests arrived, but {finished} finished, {failed} failed and {in_flight} are in flight",
                books.arrived
            ));
        }
        self.recording
    }
}
