//! A run as a trace that Perfetto and Chrome open, streamed into a file while it runs.
//!
//! *Knows* what of a run is worth drawing: the stories of requests, what happened to tasks and in the world,
//! a few counters. *Does not know* the simulator. Memory grows with the requests under way.

use std::collections::BTreeMap;
use std::io;
use std::io::Write;

use serde_json::Value;
use serde_json::json;

use super::book::Book;
use super::book::Wanted;
use super::book::covered;
use super::events::Events;
use super::events::Place;
use super::events::WORLD;
use super::lanes::Track;
use super::slices;
use super::words;
use super::words::Names;
use crate::measure::Happening;
use crate::measure::HappeningKind;
use crate::measure::Recording;
use crate::scenario::Scenario;
use crate::sim::CallId;
use crate::sim::JobId;
use crate::sim::Note;
use crate::sim::Tracer;
use crate::units::Span;
use crate::units::Time;

/// Counters have a value so often.
const TICK: Span = Span::from_millis(100);
/// Ticks in a second.
const SECOND: usize = 10;

/// What of a run is drawn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Windows {
    /// Everything.
    All,
    /// These stretches of time, which do not overlap, in order.
    These(Vec<(Time, Time)>),
}

impl Windows {
    /// Windows of that width around everything that happened in a run; around nothing if nothing did. Answers
    /// of DNS are routine and open none.
    pub fn around(recording: &Recording, width: Span) -> Windows {
        let half = Span::from_nanos(width.as_nanos() / 2);
        let mut stretches: Vec<(Time, Time)> = Vec::new();
        let mut instants: Vec<Time> = recording
            .events
            .iter()
            .filter(|event| event.kind != HappeningKind::DnsAnswer && event.at > Time::ZERO)
            .map(|event| event.at)
            .collect();
        instants.sort_unstable();
        for at in instants {
            let from = Time::from_nanos(at.as_nanos().saturating_sub(half.as_nanos()));
            let to = at + half;
            match stretches.last_mut() {
                Some(last) if from <= last.1 => last.1 = to,
                _ => stretches.push((from, to)),
            }
        }
        Windows::These(stretches)
    }

    fn covers(&self, now: Time) -> bool {
        match self {
            Windows::All => true,
            Windows::These(stretches) => covered(stretches, now),
        }
    }
}

/// What became of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    /// Its bytes.
    pub bytes: u64,
    /// Requests in it.
    pub requests: u64,
    /// It was full before the run was over; this is when.
    pub cut_at: Option<Time>,
}

/// Counts of the whole run, whichever requests are drawn.
#[derive(Default)]
struct Counts {
    in_flight: u64,
    /// Requests that wait for a server, by service.
    queues: Vec<u64>,
    waiting: BTreeMap<JobId, u32>,
    connections: BTreeMap<u32, u32>,
    connected: u64,
    out: u64,
    /// Failures of the last second, by tick.
    failures: [u64; SECOND],
}

/// Draws a run.
pub struct Chrome<'a> {
    scenario: &'a Scenario,
    plane: usize,
    windows: Windows,
    book: Book,
    events: Events<'a>,
    counts: Counts,
    next_tick: Time,
    ticks: usize,
    now: Time,
    requests: u64,
    /// Faults that are on, since when, on which lane.
    faults: BTreeMap<u32, (Time, u32)>,
    /// Who is ejected: by whom, whom, since when, until when, its lane.
    ejected: Vec<(u32, u32, Time, Option<Time>, u32)>,
    cut_at: Option<Time>,
}

impl<'a> Chrome<'a> {
    /// Begins a file of at most about `cap` bytes.
    pub fn new(
        scenario: &'a Scenario,
        plane: usize,
        replication: u32,
        windows: Windows,
        out: &'a mut dyn Write,
        cap: u64,
    ) -> Chrome<'a> {
        let wanted = match &windows {
            Windows::All => Wanted::All,
            Windows::These(stretches) => Wanted::Between(stretches.clone()),
        };
        let seconds = |stretches: &[(Time, Time)]| -> Vec<[f64; 2]> {
            stretches.iter().map(|(from, to)| [from.as_secs_f64(), to.as_secs_f64()]).collect()
        };
        let metadata = json!({
            "scsim": env!("CARGO_PKG_VERSION"),
            "model": crate::MODEL_VERSION,
            "scenario": scenario.file,
            "title": scenario.title,
            "digest": scenario.digest,
            "seed": scenario.run.seed,
            "plane": scenario.planes[plane].name,
            "replication": replication,
            "windows_s": match &windows {
                Windows::All => Value::Null,
                Windows::These(stretches) => json!(seconds(stretches)),
            },
        });
        let mut events = Events::new(out, cap, &metadata);
        events.world();
        for (i, service) in scenario.services.iter().enumerate() {
            events.process(Place::service(i as u32).pid, &service.name, i as u32 + 1);
        }
        Chrome {
            scenario,
            plane,
            windows,
            book: Book::new(wanted),
            events,
            counts: Counts { queues: vec![0; scenario.services.len()], ..Counts::default() },
            next_tick: Time::ZERO,
            ticks: 0,
            now: Time::ZERO,
            requests: 0,
            faults: BTreeMap::new(),
            ejected: Vec::new(),
            cut_at: None,
        }
    }

    /// Draws what is still under way and ends the file.
    ///
    /// # Errors
    /// Whatever the writer said first.
    pub fn finish(mut self) -> io::Result<Written> {
        let stories = self.book.close();
        if self.events.is_full() {
            self.cut_at = self.cut_at.or(Some(self.now));
        }
        self.draw(&stories);
        for (fault, (since, lane)) in std::mem::take(&mut self.faults) {
            self.draw_fault(fault, since, lane);
        }
        for at in 0..self.ejected.len() {
            self.draw_ejected(self.ejected[at]);
        }
        if let Some(at) = self.cut_at {
            let args = json!({ "at_s": at.as_secs_f64() });
            self.events.instant(Place::EVENTS, ("scsim", "the file is full: nothing after this"), at, args);
        }
        let (requests, cut_at) = (self.requests, self.cut_at);
        self.events.finish().map(|bytes| Written { bytes, requests, cut_at })
    }

    fn draw(&mut self, stories: &[super::story::Story]) {
        let plane = &self.scenario.planes[self.plane];
        for story in stories {
            if !self.events.has_room() {
                self.cut_at = self.cut_at.or(Some(self.now));
                return;
            }
            let names = Names { scenario: self.scenario, plane, tasks: self.book.tasks() };
            slices::write(&mut self.events, &names, story, self.now);
            self.requests += 1;
        }
    }

    fn place(&mut self, track: Track, lane: u32) -> Place {
        let plane = &self.scenario.planes[self.plane];
        let names = Names { scenario: self.scenario, plane, tasks: self.book.tasks() };
        self.events.lane(&names, track, lane)
    }

    fn name(&self, task: u32) -> Option<String> {
        let plane = &self.scenario.planes[self.plane];
        let names = Names { scenario: self.scenario, plane, tasks: self.book.tasks() };
        (task != u32::MAX).then(|| names.task(task))
    }

    fn happened(&mut self, happening: Happening) {
        let (by, task) = (self.name(happening.by), self.name(happening.task));
        match happening.kind {
            HappeningKind::Ejected => {
                let lane = self.book.lanes.take(Track::Out(happening.task));
                self.ejected.push((happening.by, happening.task, happening.at, happening.until, lane));
                self.counts.out += 1;
            }
            HappeningKind::Unejected => {
                let (by, task) = (happening.by, happening.task);
                if let Some(at) = self.ejected.iter().position(|one| (one.0, one.1) == (by, task)) {
                    let one = self.ejected.remove(at);
                    self.book.lanes.give_back(Track::Out(task), one.4);
                    self.draw_ejected(one);
                }
                self.counts.out = self.counts.out.saturating_sub(1);
            }
            _ => {}
        }
        if !self.windows.covers(happening.at) || self.events.is_full() {
            return;
        }
        // At its task if it has one, else at whoever did it.
        let whose = if task.is_some() { happening.task } else { happening.by };
        let place = if whose == u32::MAX { Place::EVENTS } else { self.place(Track::Work(whose), 0) };
        let until = happening.until.map(Time::as_secs_f64);
        let args = json!({ "host": task, "by": by, "until_s": until, "note": happening.note });
        let name = happening.kind.name();
        let name = if happening.note.is_empty() { name.to_owned() } else { format!("{name}: {}", happening.note) };
        self.events.instant(place, (happening.kind.name(), &name), happening.at, args);
    }

    fn draw_ejected(&mut self, (by, task, since, until, lane): (u32, u32, Time, Option<Time>, u32)) {
        let place = self.place(Track::Out(task), lane);
        let by = self.name(by).unwrap_or_else(|| "an ALB node".to_owned());
        let args = json!({ "host": self.name(task), "by": by, "until_s": until.map(Time::as_secs_f64) });
        self.events.slice(place, ("ejected", &format!("ejected by {by}")), since, self.now, args);
    }

    fn fault(&mut self, at: Time, fault: u32, on: bool) {
        if on && !self.faults.contains_key(&fault) {
            let lane = self.book.lanes.take(Track::Faults);
            self.faults.insert(fault, (at, lane));
        }
        if !on && let Some((since, lane)) = self.faults.remove(&fault) {
            self.book.lanes.give_back(Track::Faults, lane);
            self.draw_fault(fault, since, lane);
        }
    }

    fn draw_fault(&mut self, fault: u32, since: Time, lane: u32) {
        let name = self.scenario.faults.get(fault as usize).map_or("fault", |fault| fault.name.as_str());
        let place = self.place(Track::Faults, lane);
        self.events.slice(place, ("fault", name), since, self.now, json!({ "fault": name }));
    }

    fn stale(&mut self, at: Time, task: u32, after: Span) {
        if !self.windows.covers(at) || self.events.is_full() {
            return;
        }
        let place = self.place(Track::Work(task), 0);
        let args = json!({ "host": self.name(task), "after": words::span(after), "after_ms": after.as_millis() });
        self.events.instant(place, ("stale", "dialled after it had stopped"), at, args);
    }

    /// Counters, for every tick up to now.
    fn tick(&mut self, now: Time) {
        while self.next_tick <= now {
            let at = self.next_tick;
            if self.windows.covers(at) && self.events.has_room() {
                self.events.counter(WORLD, "requests in flight", at, self.counts.in_flight);
                self.events.counter(WORLD, "ejected hosts", at, self.counts.out);
                self.events.counter(WORLD, "connections", at, self.counts.connected);
                self.events.counter(WORLD, "errors in the last second", at, self.counts.failures.iter().sum());
                for (service, &queue) in self.counts.queues.iter().enumerate() {
                    self.events.counter(Place::service(service as u32).pid, "queue", at, queue);
                }
            }
            self.ticks += 1;
            self.counts.failures[self.ticks % SECOND] = 0;
            self.next_tick = at + TICK;
        }
    }

    fn count(&mut self, note: &Note) {
        let counts = &mut self.counts;
        match *note {
            Note::Arrived { .. } => counts.in_flight += 1,
            Note::Answered { status, .. } => {
                counts.in_flight = counts.in_flight.saturating_sub(1);
                counts.failures[self.ticks % SECOND] += u64::from(status == 0 || status >= 500);
            }
            Note::Admitted { job, task, waits: true, .. } => {
                let service = self.book.tasks().get(task as usize).map_or(0, |task| task.0);
                counts.waiting.insert(job, service);
                counts.queues[service as usize] += 1;
            }
            Note::Started { job } | Note::Left { job, .. } => {
                if let Some(service) = counts.waiting.remove(&job) {
                    counts.queues[service as usize] -= 1;
                }
            }
            Note::Connections { router, count } => {
                let before = counts.connections.insert(router, count).unwrap_or(0);
                counts.connected = counts.connected + u64::from(count) - u64::from(before);
            }
            _ => {}
        }
    }
}

impl Tracer for Chrome<'_> {
    fn note(&mut self, at: Time, note: Note) {
        self.now = at;
        if self.next_tick <= at {
            self.tick(at);
        }
        self.count(&note);
        self.book.note(at, note);
        match note {
            Note::Happened(happening) => self.happened(happening),
            Note::Stale { task, after } => self.stale(at, task, after),
            Note::Fault { fault, on } => self.fault(at, fault, on),
            Note::Answered { .. } | Note::Left { .. } | Note::Ended { .. } | Note::Dropped { .. } => {
                let stories = self.book.take_over();
                self.draw(&stories);
            }
            _ => {}
        }
    }

    fn follows(&self, call: CallId) -> bool {
        self.book.follows(call)
    }

    fn has_enough(&self) -> bool {
        self.events.is_full()
    }
}
