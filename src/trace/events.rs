//! Trace events on their way into a file.
//!
//! *Knows* the Chrome trace event format, how tracks become processes and threads, and where to stop.
//! *Does not know* what an event means. Times are whole microseconds, both ends rounded down, so that what
//! nests or follows in nanoseconds does so in the file.
//! Source: "Trace Event Format" of the Chromium project, and Perfetto's notes on it: slices on one thread
//! must nest.

use std::collections::BTreeMap;
use std::io;
use std::io::Write;

use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use super::lanes::Track;
use super::words::Names;
use crate::units::Time;

/// The process of whatever belongs to no service. 0 means something else to viewers.
pub(super) const WORLD: u32 = 1;
/// The thread of events that belong to no task.
const EVENTS: u32 = 1;

/// Where an event goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) pid: u32,
    pub(super) tid: u32,
}

impl Place {
    /// The line of events that belong to no task.
    pub(super) const EVENTS: Place = Place { pid: WORLD, tid: EVENTS };

    /// The process of a service.
    pub(super) const fn service(service: u32) -> Place {
        Place { pid: WORLD + 1 + service, tid: 0 }
    }
}

/// One event, its fields named as in the file.
#[derive(Serialize)]
struct Event<'a> {
    ph: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    cat: &'a str,
    ts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<u64>,
    pid: u32,
    tid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    /// How far an instant reaches, or where a flow is bound.
    #[serde(flatten)]
    how: How,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Value>,
}

#[derive(Serialize, Default)]
struct How {
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bp: Option<&'static str>,
}

/// Where in its chain an arrow stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arrow {
    Start,
    Step,
    End,
}

/// Events on their way into a file.
pub(super) struct Events<'w> {
    out: &'w mut dyn Write,
    written: u64,
    cap: u64,
    first: bool,
    threads: BTreeMap<(Track, u32), Place>,
    next_tid: u32,
    /// The first error; nothing is written after it.
    failed: Option<io::Error>,
    full: bool,
}

impl<'w> Events<'w> {
    /// Begins a file that will not grow much beyond `cap` bytes.
    pub(super) fn new(out: &'w mut dyn Write, cap: u64, metadata: &Value) -> Events<'w> {
        let mut events = Events {
            out,
            written: 0,
            cap,
            first: true,
            threads: BTreeMap::new(),
            next_tid: EVENTS + 1,
            failed: None,
            full: false,
        };
        events.raw(&format!("{{\"displayTimeUnit\":\"ms\",\"metadata\":{metadata},\"traceEvents\":[\n"));
        events
    }

    /// No more events are taken: the file is as large as it may get, or cannot be written.
    pub(super) fn is_full(&self) -> bool {
        self.full || self.failed.is_some()
    }

    /// Whether something was left out, after looking at the size. Asked between things that belong together.
    pub(super) fn has_room(&mut self) -> bool {
        self.full |= self.written >= self.cap;
        !self.is_full()
    }

    fn raw(&mut self, text: &str) {
        if self.failed.is_some() {
            return;
        }
        match self.out.write_all(text.as_bytes()) {
            Ok(()) => self.written += text.len() as u64,
            Err(error) => self.failed = Some(error),
        }
    }

    fn put(&mut self, event: &impl Serialize) {
        let text = serde_json::to_string(event).expect("events are plain data");
        let comma = if std::mem::take(&mut self.first) { "" } else { ",\n" };
        self.raw(comma);
        self.raw(&text);
    }

    /// Ends the file.
    ///
    /// # Errors
    /// The first error of any write.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.raw("\n]}\n");
        match self.failed {
            Some(error) => Err(error),
            None => self.out.flush().map(|()| self.written),
        }
    }

    /// A process, in order of `rank`.
    pub(super) fn process(&mut self, pid: u32, name: &str, rank: u32) {
        self.put(&json!({"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": name}}));
        self.put(&json!({"ph": "M", "name": "process_sort_index", "pid": pid, "tid": 0, "args": {"sort_index": rank}}));
    }

    fn thread(&mut self, place: Place, name: &str, rank: u64) {
        let Place { pid, tid } = place;
        self.put(&json!({"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": name}}));
        self.put(
            &json!({"ph": "M", "name": "thread_sort_index", "pid": pid, "tid": tid, "args": {"sort_index": rank}}),
        );
    }

    /// Names the line of events that belong to no task.
    pub(super) fn world(&mut self) {
        self.process(WORLD, "world", 0);
        self.thread(Place::EVENTS, "events", 0);
    }

    /// The thread of a lane, named when it is first asked for.
    pub(super) fn lane(&mut self, names: &Names<'_>, track: Track, lane: u32) -> Place {
        if let Some(place) = self.threads.get(&(track, lane)) {
            return *place;
        }
        let of_task = |task: u32| {
            let (service, number) = names.tasks.get(task as usize).copied().unwrap_or_default();
            (Place::service(service).pid, u64::from(number) << 24)
        };
        // Within a process: what a task works on, what it calls, when it was out; then the next task.
        let ((pid, rank), kind, name) = match track {
            Track::Faults => ((WORLD, 0), 0, "faults".to_owned()),
            Track::Users => ((WORLD, 0), 1, "users".to_owned()),
            Track::Node(node) => ((WORLD, u64::from(node) << 24), 2, Names::node(node)),
            Track::Work(task) => (of_task(task), 0, names.task(task)),
            Track::Calls(task) => (of_task(task), 1, format!("{} {}", names.task(task), names.carrier())),
            Track::Out(task) => (of_task(task), 2, format!("{} ejected", names.task(task))),
        };
        let place = Place { pid, tid: self.next_tid };
        self.next_tid += 1;
        self.threads.insert((track, lane), place);
        let rank = rank + (kind << 20) + u64::from(lane) + 1;
        self.thread(place, &format!("{name} · lane {}", lane + 1), rank);
        place
    }

    /// A slice.
    pub(super) fn slice(&mut self, place: Place, (cat, name): (&str, &str), from: Time, to: Time, args: Value) {
        let ts = micros(from);
        let dur = Some(micros(to) - ts);
        let args = Some(args);
        self.put(&Event {
            ph: "X",
            name,
            cat,
            ts,
            dur,
            pid: place.pid,
            tid: place.tid,
            id: None,
            how: How::default(),
            args,
        });
    }

    /// An instant; one of the world reaches over all processes.
    pub(super) fn instant(&mut self, place: Place, (cat, name): (&str, &str), at: Time, args: Value) {
        let s = Some(if place.pid == WORLD { "g" } else { "t" });
        let how = How { s, bp: None };
        let (ts, args) = (micros(at), Some(args));
        self.put(&Event { ph: "i", name, cat, ts, dur: None, pid: place.pid, tid: place.tid, id: None, how, args });
    }

    /// A part of the arrow that follows a request; it is bound to the slice around it.
    pub(super) fn arrow(&mut self, place: Place, which: Arrow, request: u32, at: Time) {
        let ph = match which {
            Arrow::Start => "s",
            Arrow::Step => "t",
            Arrow::End => "f",
        };
        let how = How { s: None, bp: (which == Arrow::End).then_some("e") };
        let ts = micros(at);
        let (name, cat) = ("request", "request");
        let Place { pid, tid } = place;
        self.put(&Event { ph, name, cat, ts, dur: None, pid, tid, id: Some(request), how, args: None });
    }

    /// The value of a counter from now on.
    pub(super) fn counter(&mut self, pid: u32, name: &str, at: Time, value: u64) {
        let args = Some(json!({ "value": value }));
        let ts = micros(at);
        self.put(&Event { ph: "C", name, cat: "", ts, dur: None, pid, tid: 0, id: None, how: How::default(), args });
    }
}

/// Whole microseconds, rounded down.
pub(super) fn micros(at: Time) -> u64 {
    at.as_nanos() / 1_000
}
