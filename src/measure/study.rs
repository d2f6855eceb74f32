//! What all replications of all planes leave behind, reduced to what reports need.
//!
//! *Knows* how to fold a [`Recording`] into scalars per replication and pooled histograms. *Does not know* scenarios,
//! names of planes or how a figure is shown. Invariants: what is pooled is whole numbers, so the order in which
//! replications arrive cannot show; memory grows by scalars only. Start reading at [`Study`]; [`Frame`] says what is kept.

use std::collections::BTreeMap;

use super::Books;
use super::Calls;
use super::Costliest;
use super::Flag;
use super::Happening;
use super::HappeningKind;
use super::Recording;
use super::Rollout;
use super::ServiceRecord;
use super::Timeline;
use super::Usage;
use super::containment::containment;
use super::estimate::Sums;
use super::frame::Frame;
use super::frame::Slice;
use super::pictures::Pictures;
use crate::units::Span;
use crate::units::Time;

/// All planes, all replications.
#[derive(Clone, Debug)]
pub struct Study {
    /// What was kept of each recording.
    pub frame: Frame,
    /// Seed of the whole.
    pub seed: u64,
    /// Confidence of every interval.
    pub confidence: f64,
    /// One per plane of the scenario, in its order; empty where the plane is not applicable.
    pub planes: Vec<PlaneResult>,
    /// Replications that were finished on every applicable plane.
    pub replications: u32,
    /// It was interrupted: there are fewer replications than asked for, or cut ones.
    pub partial: bool,
    /// How much work it was. No part of the result.
    pub engine: Engine,
}

/// How much work a study was; differs from machine to machine.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Engine {
    /// Simulator events, all runs.
    pub events: u64,
    /// User requests, all runs.
    pub requests: u64,
    /// Time on the wall; the caller measures it.
    pub wall: Span,
    /// Threads used.
    pub jobs: u32,
}

/// Counts of attempts on the edges that serve a set of calls.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Hops {
    /// Calls.
    pub requests: u64,
    /// Attempts made for them.
    pub attempts: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Calls that succeeded only because of a retry.
    pub saved: u64,
    /// Response flags.
    pub flags: [u64; Flag::COUNT],
}

impl Hops {
    fn add(&mut self, calls: &Calls) {
        self.requests += calls.requests;
        self.attempts += calls.attempts;
        self.retries += calls.retries;
        self.saved += calls.saved;
        for (mine, theirs) in self.flags.iter_mut().zip(calls.flags) {
            *mine += theirs;
        }
    }

    fn merge(&mut self, other: &Hops) {
        self.requests += other.requests;
        self.attempts += other.attempts;
        self.retries += other.retries;
        self.saved += other.saved;
        for (mine, theirs) in self.flags.iter_mut().zip(other.flags) {
            *mine += theirs;
        }
    }
}

/// The scalars of one slice in one replication.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Tally {
    /// Calls.
    pub requests: u64,
    /// Of them, failed.
    pub failed: u64,
    /// Succeeded, but after the measured part was over.
    pub late: u64,
    /// Mean latency of successes, ms.
    pub mean_ms: Option<f64>,
    /// Largest latency of a success, ms.
    pub max_ms: Option<f64>,
    /// Percentiles of successes, ms, by [`Frame::shares`].
    pub percentiles_ms: Vec<Option<f64>>,
    /// 99th percentile of failures, ms.
    pub failed_p99_ms: Option<f64>,
    /// Attempts below it.
    pub hops: Hops,
}

/// The scalars of one replication.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Which replication.
    pub index: u32,
    /// By [`Frame::slices`].
    pub tallies: Vec<Tally>,
    /// How long each window was open.
    pub window_lengths: Vec<Span>,
    /// One per service.
    pub services: Vec<ServiceRecord>,
    /// From the first fault to the first ejection after it.
    pub time_to_eject: Option<Span>,
    /// Seconds from the first fault until errors were contained; infinite if they never were.
    pub contained: Option<f64>,
    /// Seconds from the end of the first fault until errors were normal; infinite if never.
    pub recovered: Option<f64>,
    /// Ejections that took effect.
    pub ejections: u64,
    /// User requests that came in, warm-up included.
    pub arrived: u64,
    /// Dials of stopped tasks.
    pub stale_dials: u64,
    /// Requests without an answer at the end.
    pub unanswered: u64,
    /// Longest time after a task had stopped at which it was still dialled.
    pub stale_window: Span,
    /// Time in panic, summed over routers.
    pub panic_time: Span,
    /// Most tasks running at once.
    pub tasks_max: u32,
    /// DNS lookups.
    pub lookups: u64,
    /// Connections that were made.
    pub connections_opened: u64,
    /// Requests that met a connection which the app was just closing.
    pub keep_alive_races: u64,
    /// Requests saved by a retry.
    pub saved_by_retry: u64,
    /// What deployments came to.
    pub rollout: Rollout,
    /// What it used of things that are paid by use.
    pub usage: Usage,
    /// Happenings by kind.
    pub happenings: [u32; HAPPENINGS],
    /// The recording's digest.
    pub digest: u64,
}

/// Kinds of happenings.
const HAPPENINGS: usize = HappeningKind::Migrated as usize + 1;

impl Replica {
    /// How often something of that kind happened.
    pub fn count(&self, kind: HappeningKind) -> u32 {
        self.happenings[kind as usize]
    }
}

/// All replications of one plane.
#[derive(Clone, Debug, Default)]
pub struct PlaneResult {
    /// Scalars, by replication.
    pub replicas: Vec<Replica>,
    /// Calls of each slice, all replications together.
    pub pooled: Vec<Calls>,
    /// Attempts of each slice, all replications together.
    pub hops: Vec<Hops>,
    /// Counts over time, summed over replications.
    pub timeline: Timeline,
    /// The 50th and the 99th percentile of each bucket, ms: in the replication where it is lowest and in that
    /// where it is highest; infinite where no replication had a success.
    pub spread: [Vec<(f64, f64)>; 2],
    /// Maps and lanes.
    pub pictures: Pictures,
    /// Tasks by name.
    pub tasks: Vec<TaskTotals>,
    /// Replication 0 in full, the beginning of a few others.
    pub events: Vec<KeptEvent>,
    /// Events left out.
    pub events_dropped: u64,
    /// The books of all runs together.
    pub books: Books,
    /// The failed requests that cost the most time, all replications together.
    pub costliest: Costliest,
}

/// A task over the replications; one in which it never ran counts as zero.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskTotals {
    /// `payments#1`.
    pub name: String,
    /// Index of its service.
    pub service: u32,
    /// Requests that reached it.
    pub requests: Sums,
    /// Failed ones.
    pub errors: Sums,
    /// Milliseconds ejected, summed over routers.
    pub ejected_ms: Sums,
}

/// A happening with its names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptEvent {
    /// In which replication.
    pub replication: u32,
    /// When.
    pub at: Time,
    /// What.
    pub kind: HappeningKind,
    /// Who did it.
    pub by: Option<String>,
    /// To whom.
    pub task: Option<String>,
    /// Until when.
    pub until: Option<Time>,
    /// More about it; empty for nothing.
    pub note: &'static str,
}

/// Replications besides the first of which events are kept, and how many of each.
const MORE_REPLICATIONS: u32 = 9;
const MORE_EVENTS: usize = 50;
/// Sentences of unbalanced books kept per plane.
const PROBLEMS_MAX: usize = 20;

/// One recording, folded.
#[derive(Clone, Debug)]
pub struct Reduced {
    replica: Replica,
    pooled: Vec<Calls>,
    timeline: Timeline,
    pictures: Pictures,
    tasks: Vec<(String, u32, [u64; 3])>,
    events: Vec<KeptEvent>,
    events_dropped: u64,
    books: Books,
    costliest: Costliest,
    /// Simulator events handled.
    pub engine_events: u64,
    /// The run was cut short.
    pub partial: bool,
}

impl Reduced {
    /// Folds one recording.
    pub fn of(recording: Recording, frame: &Frame) -> Reduced {
        let pooled: Vec<Calls> = frame
            .slices
            .iter()
            .map(|slice| {
                recording.window(slice.window, |segment, sum| {
                    if slice.part.users {
                        sum.add(&segment.users);
                    }
                    for &edge in &slice.part.edges {
                        sum.add(&segment.edges[edge as usize]);
                    }
                })
            })
            .collect();
        let tallies = frame
            .slices
            .iter()
            .zip(&pooled)
            .map(|(slice, calls)| Tally {
                requests: calls.requests,
                failed: calls.failed,
                late: calls.late,
                mean_ms: calls.mean_ms(),
                max_ms: (calls.succeeded() > 0).then(|| calls.max.as_millis_f64()),
                percentiles_ms: frame.shares.iter().map(|&share| calls.percentile_ms(share)).collect(),
                failed_p99_ms: calls.failed_percentile_ms(0.99),
                hops: hops(&recording, slice, calls),
            })
            .collect();
        let mut happenings = [0; HAPPENINGS];
        for event in &recording.events {
            happenings[event.kind as usize] += 1;
        }
        let (contained, recovered) = containment(&recording.timeline, frame);
        let keep = match recording.replication {
            0 => recording.events.len(),
            1..=MORE_REPLICATIONS => MORE_EVENTS.min(recording.events.len()),
            _ => 0,
        };
        let events = recording.events[..keep].iter().map(|e| named(e, &recording)).collect();
        let events_dropped = recording.events_dropped + (recording.events.len() - keep) as u64;
        let tasks = recording
            .tasks
            .iter()
            .map(|t| (t.name.clone(), t.service, [t.requests, t.errors, t.ejected.as_millis()]))
            .collect();
        Reduced {
            pictures: Pictures::of(&recording),
            replica: Replica {
                index: recording.replication,
                tallies,
                window_lengths: recording.window_lengths,
                services: recording.services,
                time_to_eject: recording.time_to_eject,
                contained,
                recovered,
                ejections: recording.ejections,
                arrived: recording.books.arrived,
                unanswered: recording.unanswered,
                stale_dials: recording.stale_dials,
                stale_window: recording.stale_window,
                panic_time: recording.panic_time,
                tasks_max: recording.tasks_max,
                lookups: recording.lookups,
                connections_opened: recording.connections_opened,
                keep_alive_races: recording.keep_alive_races,
                saved_by_retry: recording.saved_by_retry,
                rollout: recording.rollout,
                usage: recording.usage,
                happenings,
                digest: recording.digest,
            },
            pooled,
            timeline: recording.timeline,
            tasks,
            events,
            events_dropped,
            books: recording.books,
            costliest: recording.costliest,
            engine_events: recording.engine_events,
            partial: recording.partial,
        }
    }

    /// User requests that arrived in it.
    pub fn arrived(&self) -> u64 {
        self.books.arrived
    }
}

/// The attempts that serve a slice; a slice without edges below it is charged its own.
fn hops(recording: &Recording, slice: &Slice, calls: &Calls) -> Hops {
    let mut hops = Hops::default();
    if slice.part.hops.is_empty() {
        hops.add(calls);
        return hops;
    }
    for segment in recording.segments.iter().filter(|s| s.windows & (1 << slice.window) != 0) {
        for &edge in &slice.part.hops {
            hops.add(&segment.edges[edge as usize]);
        }
    }
    hops
}

fn named(event: &Happening, recording: &Recording) -> KeptEvent {
    let name = |task: u32| recording.tasks.get(task as usize).map(|t| t.name.clone());
    KeptEvent {
        replication: recording.replication,
        at: event.at,
        kind: event.kind,
        by: name(event.by),
        task: name(event.task),
        until: event.until,
        note: event.note,
    }
}

impl PlaneResult {
    /// Adds one replication. The order of calls does not matter.
    pub fn absorb(&mut self, reduced: Reduced) {
        if self.pooled.is_empty() {
            self.hops.resize(reduced.pooled.len(), Hops::default());
            // The first is taken as it is: to add it to nothing would cost a cell of a sweep a fiftieth of its time.
            self.pooled = reduced.pooled;
        } else {
            for (mine, theirs) in self.pooled.iter_mut().zip(&reduced.pooled) {
                mine.add(theirs);
            }
        }
        for (mine, theirs) in self.hops.iter_mut().zip(&reduced.replica.tallies) {
            mine.merge(&theirs.hops);
        }
        self.timeline.add(&reduced.timeline);
        for (share, spread) in [0.5, 0.99].into_iter().zip(&mut self.spread) {
            spread.resize(reduced.timeline.buckets.len(), (f64::INFINITY, f64::NEG_INFINITY));
            for (index, (low, high)) in spread.iter_mut().enumerate() {
                if let Some(ms) = reduced.timeline.percentile_ms(index, share) {
                    (*low, *high) = (low.min(ms), high.max(ms));
                }
            }
        }
        self.pictures.add(reduced.pictures);
        self.absorb_tasks(reduced.tasks);
        self.events_dropped += reduced.events_dropped;
        let at = self.events.partition_point(|e| e.replication < reduced.replica.index);
        self.events.splice(at..at, reduced.events);
        self.absorb_books(reduced.replica.index, reduced.books);
        self.costliest.merge(&reduced.costliest);
        let at = self.replicas.partition_point(|r| r.index < reduced.replica.index);
        self.replicas.insert(at, reduced.replica);
    }

    fn absorb_tasks(&mut self, tasks: Vec<(String, u32, [u64; 3])>) {
        let mut known: BTreeMap<(u32, u32, String), TaskTotals> =
            std::mem::take(&mut self.tasks).into_iter().map(|t| (order_of(t.service, &t.name), t)).collect();
        for (name, service, [requests, errors, ejected]) in tasks {
            let entry = known.entry(order_of(service, &name)).or_insert_with(|| TaskTotals {
                name,
                service,
                requests: Sums::default(),
                errors: Sums::default(),
                ejected_ms: Sums::default(),
            });
            entry.requests.add(requests);
            entry.errors.add(errors);
            entry.ejected_ms.add(ejected);
        }
        self.tasks = known.into_values().collect();
    }

    fn absorb_books(&mut self, replication: u32, books: Books) {
        self.books.arrived += books.arrived;
        self.books.finished += books.finished;
        self.books.failed += books.failed;
        self.books.in_flight += books.in_flight;
        self.books.little_error = match (self.books.little_error, books.little_error) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        self.books.problems.extend(books.problems.into_iter().map(|p| format!("replication {replication}: {p}")));
        self.books.problems.sort();
        self.books.problems.truncate(PROBLEMS_MAX);
    }
}

/// Service, number, name: the order of tasks in reports.
fn order_of(service: u32, name: &str) -> (u32, u32, String) {
    let number = name.rsplit_once('#').and_then(|(_, n)| n.parse().ok()).unwrap_or(u32::MAX);
    (service, number, name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::Ending;
    use super::super::Segment;
    use super::super::TaskRecord;
    use super::super::frame::Part;
    use super::*;
    use crate::policy::Flags;
    use crate::scenario::Scope;
    use crate::scenario::Window;

    fn frame() -> Frame {
        let part = Part { users: true, edges: vec![], hops: vec![0] };
        Frame {
            windows: vec![Window::All],
            slices: vec![Slice { window: 0, scope: Scope::Users, part }],
            shares: vec![0.5, 0.99],
            warmup: Span::ZERO,
            end: Time::from_nanos(60_000_000_000),
            first_fault: Some((Time::from_nanos(20_000_000_000), Some(Time::from_nanos(40_000_000_000)))),
        }
    }

    fn recording(replication: u32, bad: impl Fn(u64) -> bool) -> Recording {
        let mut users = Calls::default();
        let mut timeline = Timeline::new(Span::from_secs(60));
        for second in 0..60 {
            for i in 0..100 {
                let failed = bad(second) && i < 20;
                let latency = Span::from_millis(10 + i);
                users.record(Ending { latency, failed, attempts: 1, flags: Flags::NONE });
                timeline.record(second as usize, latency, failed);
            }
        }
        let mut edge = users.clone();
        edge.attempts += 60;
        edge.retries += 60;
        Recording {
            replication,
            segments: vec![Segment { windows: 1, users, edges: vec![edge] }],
            window_lengths: vec![Span::from_secs(60)],
            flows: crate::measure::Flows::default(),
            timeline,
            tasks: vec![TaskRecord { name: format!("a#{}", replication + 1), requests: 5, ..TaskRecord::default() }],
            services: vec![],
            events: vec![Happening {
                at: Time::from_nanos(20_000_000_000),
                kind: HappeningKind::FaultOn,
                by: u32::MAX,
                task: 0,
                until: None,
                note: "",
            }],
            strikes: vec![],
            events_dropped: 0,
            time_to_eject: None,
            ejections: 0,
            stale_dials: 0,
            unanswered: 0,
            stale_window: Span::ZERO,
            panic_time: Span::ZERO,
            tasks_max: 1,
            lookups: 0,
            connections_opened: 0,
            keep_alive_races: 0,
            saved_by_retry: 0,
            costliest: Costliest::default(),
            rollout: Rollout::default(),
            usage: Usage::default(),
            books: Books { problems: vec!["x".into()], ..Books::default() },
            engine_events: 1,
            digest: u64::from(replication),
            partial: false,
        }
    }

    fn contained(bad: impl Fn(u64) -> bool) -> (Option<f64>, Option<f64>) {
        let reduced = Reduced::of(recording(0, bad), &frame());
        (reduced.replica.contained, reduced.replica.recovered)
    }

    #[test]
    fn containment_is_measured_from_the_fault() {
        assert_eq!(contained(|_| false), (Some(0.0), Some(0.0)));
        assert_eq!(contained(|s| (20..26).contains(&s)), (Some(6.0), Some(0.0)));
        assert_eq!(contained(|s| (20..43).contains(&s)), (Some(23.0), Some(3.0)));
        assert_eq!(contained(|s| s >= 20), (Some(f64::INFINITY), Some(f64::INFINITY)));
        // A hang shows late: the calm before the first time-out is not containment.
        assert_eq!(contained(|s| (35..38).contains(&s)), (Some(18.0), Some(0.0)));
    }

    #[test]
    fn replications_may_arrive_in_any_order() {
        let add = |order: &[u32]| {
            let mut plane = PlaneResult::default();
            for &i in order {
                plane.absorb(Reduced::of(recording(i, |s| s < u64::from(i)), &frame()));
            }
            (plane.replicas.clone(), plane.tasks.clone(), plane.events.clone(), plane.books.clone())
        };
        assert_eq!(format!("{:?}", add(&[0, 1, 2])), format!("{:?}", add(&[2, 0, 1])));
        let (replicas, tasks, events, books) = add(&[1, 0]);
        assert_eq!(replicas[0].index, 0);
        assert_eq!(tasks.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["a#1", "a#2"]);
        assert_eq!(events[0].task.as_deref(), Some("a#1"));
        assert_eq!(books.problems[1], "replication 1: x");
    }

    #[test]
    fn attempts_are_charged_to_the_edges_below() {
        let reduced = Reduced::of(recording(0, |_| false), &frame());
        assert_eq!(reduced.replica.tallies[0].hops.attempts, 6_060);
        assert_eq!(reduced.replica.tallies[0].requests, 6_000);
    }
}
