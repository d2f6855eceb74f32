//! Listens to a run and writes down the stories of the requests that somebody wants.
//!
//! *Knows* which note belongs to which part of which story. *Does not know* how stories are shown.
//! Memory grows with the requests under way, not with those that are over: who reads takes them out.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::lanes::Lanes;
use super::lanes::Track;
use super::story::Attempt;
use super::story::Call;
use super::story::End;
use super::story::Job;
use super::story::Part;
use super::story::Story;
use crate::policy::Fact;
use crate::sim::CallId;
use crate::sim::Caller;
use crate::sim::For;
use crate::sim::JobId;
use crate::sim::Note;
use crate::sim::Tracer;
use crate::units::Span;
use crate::units::Time;

/// Which requests are wanted.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// These.
    Numbers(BTreeSet<u32>),
    /// Those that arrive in one of these stretches of time, which do not overlap, in order.
    Between(Vec<(Time, Time)>),
    /// All.
    All,
}

impl Wanted {
    /// True if a request is wanted that arrives now.
    fn wants(&self, request: u32, now: Time) -> bool {
        match self {
            Wanted::Numbers(numbers) => numbers.contains(&request),
            Wanted::Between(stretches) => covered(stretches, now),
            Wanted::All => true,
        }
    }
}

/// True if one of the stretches covers that instant.
pub(super) fn covered(stretches: &[(Time, Time)], now: Time) -> bool {
    let at = stretches.partition_point(|(_, to)| *to < now);
    stretches.get(at).is_some_and(|(from, _)| *from <= now)
}

/// The stories under way.
pub struct Book {
    wanted: Wanted,
    /// Requests that are not over.
    open: BTreeMap<u32, Story>,
    /// Those that are, until somebody takes them.
    over: Vec<Story>,
    jobs: BTreeMap<JobId, (u32, usize)>,
    calls: BTreeMap<CallId, (u32, usize)>,
    pub(super) lanes: Lanes,
    /// The service and the number of each task.
    tasks: Vec<(u32, u32)>,
}

impl Book {
    /// An empty book.
    pub fn new(wanted: Wanted) -> Book {
        Book {
            wanted,
            open: BTreeMap::new(),
            over: Vec::new(),
            jobs: BTreeMap::new(),
            calls: BTreeMap::new(),
            lanes: Lanes::default(),
            tasks: Vec::new(),
        }
    }

    /// The stories that came to their end since the last time.
    pub fn take_over(&mut self) -> Vec<Story> {
        std::mem::take(&mut self.over)
    }

    /// All stories, those included that have no end.
    pub fn close(&mut self) -> Vec<Story> {
        self.over.extend(std::mem::take(&mut self.open).into_values());
        std::mem::take(&mut self.over)
    }

    /// The service and the number within it of every task that came to be.
    pub fn tasks(&self) -> &[(u32, u32)] {
        &self.tasks
    }

    fn arrive(&mut self, at: Time, request: u32, task: Option<u32>) {
        if !self.wanted.wants(request, at) {
            return;
        }
        let lane = self.lanes.take(Track::Users);
        let story = Story {
            request,
            arrived: at,
            task,
            refused: None,
            answered: None,
            lane,
            jobs: Vec::new(),
            calls: Vec::new(),
            open: 0,
        };
        self.open.insert(request, story);
    }

    fn answer(&mut self, at: Time, request: u32, status: u16) {
        let Some(story) = self.open.get_mut(&request) else { return };
        story.answered = Some((at, status));
        self.lanes.give_back(Track::Users, story.lane);
        self.shelve(request);
    }

    /// Puts a story aside that is over.
    fn shelve(&mut self, request: u32) {
        if self.open.get(&request).is_some_and(Story::is_over) {
            self.over.extend(self.open.remove(&request));
        }
    }

    /// The story that something is done for.
    fn request_of(&self, whose: For) -> Option<u32> {
        match whose {
            For::User(request) => self.open.contains_key(&request).then_some(request),
            For::Attempt(call, _) => self.calls.get(&call).map(|(request, _)| *request),
            For::Branch(job) => self.jobs.get(&job).map(|(request, _)| *request),
        }
    }

    fn call(&mut self, call: CallId) -> Option<&mut Call> {
        let &(request, at) = self.calls.get(&call)?;
        self.open.get_mut(&request)?.calls.get_mut(at)
    }

    fn attempt(&mut self, call: CallId, number: u8) -> Option<&mut Attempt> {
        self.call(call)?.attempts.iter_mut().rfind(|attempt| attempt.number == number)
    }

    fn admit(&mut self, at: Time, job: JobId, whose: For, (task, endpoint): (u32, u16), waits: bool) {
        let Some(request) = self.request_of(whose) else { return };
        let lane = self.lanes.take(Track::Work(task));
        let Some(story) = self.open.get_mut(&request) else { return };
        let place = story.jobs.len();
        let mut branch_of = None;
        if let For::Branch(of) = whose
            && let Some(&(_, of)) = self.jobs.get(&of)
        {
            branch_of = Some(of);
            story.jobs[of].parts.push(Part::Branch(place));
        }
        let started = (!waits).then_some(at);
        let came = at;
        story.jobs.push(Job { task, endpoint, branch_of, came, started, over: None, lane, parts: Vec::new() });
        story.open += 1;
        self.jobs.insert(job, (request, place));
        if let For::Attempt(call, number) = whose
            && let Some(attempt) = self.attempt(call, number)
        {
            attempt.job = Some(place);
        }
    }

    fn leave(&mut self, at: Time, job: JobId, status: u16) {
        let Some((request, place)) = self.jobs.remove(&job) else { return };
        let Some(story) = self.open.get_mut(&request) else { return };
        let done = &mut story.jobs[place];
        done.over = Some((at, status));
        story.open -= 1;
        self.lanes.give_back(Track::Work(done.task), done.lane);
        self.shelve(request);
    }

    fn begin_call(&mut self, at: Time, id: CallId, by: Caller, edge: u32) {
        let (request, task, node) = match by {
            Caller::Job(job) => match self.jobs.get(&job) {
                Some(&(request, place)) => {
                    let task = self.open.get(&request).map(|story| story.jobs[place].task);
                    (request, task, None)
                }
                None => return,
            },
            Caller::Node { node, call, .. } => match self.calls.get(&call) {
                Some(&(request, _)) => (request, None, Some(node)),
                None => return,
            },
        };
        let track = caller_track(task, node);
        let lane = self.lanes.take(track);
        let Some(story) = self.open.get_mut(&request) else { return };
        let place = story.calls.len();
        if let Caller::Job(job) = by
            && let Some(&(_, job)) = self.jobs.get(&job)
        {
            story.jobs[job].parts.push(Part::Call(place));
        }
        story.calls.push(Call {
            task,
            node,
            edge,
            began: at,
            over: None,
            result: None,
            lane,
            looked_up: None,
            limit: None,
            attempts: Vec::new(),
        });
        story.open += 1;
        self.calls.insert(id, (request, place));
        if let Caller::Node { call, attempt, .. } = by
            && let Some(attempt) = self.attempt(call, attempt)
        {
            attempt.relayed = Some(place);
        }
    }

    fn end_call(&mut self, at: Time, id: CallId, result: Option<(u16, crate::policy::Flags)>) {
        let Some((request, place)) = self.calls.remove(&id) else { return };
        let Some(story) = self.open.get_mut(&request) else { return };
        let call = &mut story.calls[place];
        (call.over, call.result) = (Some(at), result);
        let track = caller_track(call.task, call.node);
        for attempt in call.attempts.iter_mut().filter(|attempt| attempt.over.is_none()) {
            attempt.over = Some(at);
            if let Some(lane) = attempt.lane {
                self.lanes.give_back(track, lane);
            }
        }
        self.lanes.give_back(track, call.lane);
        story.open -= 1;
        self.shelve(request);
    }

    fn choose(&mut self, id: CallId, mut attempt: Attempt) {
        let Some(call) = self.call(id) else { return };
        let track = caller_track(call.task, call.node);
        let beside = call.attempts.iter().any(|other| other.over.is_none());
        attempt.lane = beside.then(|| self.lanes.take(track));
        if let Some(call) = self.call(id) {
            call.attempts.push(attempt);
        }
    }

    fn refuse(&mut self, whose: For, how: crate::sim::Refusal) {
        match whose {
            For::User(request) => {
                if let Some(story) = self.open.get_mut(&request) {
                    story.refused = Some(how);
                }
            }
            For::Attempt(call, number) => {
                if let Some(attempt) = self.attempt(call, number) {
                    attempt.refused = Some(how);
                }
            }
            For::Branch(_) => {}
        }
    }

    /// A fact about a call.
    fn learn(&mut self, at: Time, id: CallId, fact: Fact) {
        let Some(call) = self.call(id) else { return };
        let track = caller_track(call.task, call.node);
        match fact {
            Fact::Sent { endpoint, attempt } => {
                if let Some(attempt) = call.attempts.iter_mut().rfind(|one| one.number == attempt.0) {
                    attempt.endpoint = Some(endpoint);
                }
                return;
            }
            Fact::LimitHit(limit) => {
                call.limit = Some(limit);
                return;
            }
            _ => {}
        }
        let number = match fact {
            Fact::Answered { endpoint, .. }
            | Fact::Failed { endpoint, .. }
            | Fact::Slow { endpoint, .. }
            | Fact::Withdrawn { endpoint, .. } => {
                let open = |one: &&mut Attempt| one.over.is_none() && one.endpoint.is_none_or(|own| own == endpoint);
                call.attempts.iter_mut().rfind(open).map(|one| one.number)
            }
            Fact::Retrying { after, .. } => Some(after.0),
            // Told right after the end that it is about.
            Fact::TimedOut(_) | Fact::RetryDenied(_) | Fact::Ejected { .. } => {
                call.attempts.iter().rfind(|one| one.over == Some(at) || one.slow).map(|one| one.number)
            }
            _ => None,
        };
        let Some(attempt) = number.and_then(|number| call.attempts.iter_mut().rfind(|one| one.number == number)) else {
            return;
        };
        let mut ended = None;
        match fact {
            Fact::Answered { status, .. } => ended = Some(Some(End::Answered(status))),
            Fact::Failed { trouble, .. } => ended = Some(Some(End::Failed(trouble))),
            Fact::Withdrawn { .. } => ended = Some(None),
            Fact::Slow { .. } => attempt.slow = true,
            Fact::TimedOut(limit) => attempt.timed_out = attempt.timed_out.or(Some(limit)),
            Fact::Retrying { backoff, .. } => attempt.retried = Some(backoff),
            Fact::RetryDenied(denial) => attempt.denied = Some(denial),
            Fact::Ejected { endpoint, detector, until } if attempt.endpoint == Some(endpoint) => {
                attempt.ejected = Some((detector, until));
            }
            _ => {}
        }
        if let Some(end) = ended {
            (attempt.over, attempt.end) = (Some(at), end);
            if let Some(lane) = attempt.lane {
                self.lanes.give_back(track, lane);
            }
        }
    }
}

/// Where a caller's calls are drawn.
pub(super) fn caller_track(task: Option<u32>, node: Option<u32>) -> Track {
    match (task, node) {
        (Some(task), _) => Track::Calls(task),
        (None, Some(node)) => Track::Node(node),
        (None, None) => Track::Users,
    }
}

impl Tracer for Book {
    fn note(&mut self, at: Time, note: Note) {
        match note {
            Note::Task { service, number } => self.tasks.push((service, number)),
            Note::Arrived { request, task } => self.arrive(at, request, task),
            Note::Answered { request, status } => self.answer(at, request, status),
            Note::Refused { whose, how, .. } => self.refuse(whose, how),
            Note::Admitted { job, whose, task, endpoint, waits } => {
                self.admit(at, job, whose, (task, endpoint), waits);
            }
            Note::Started { job } => {
                if let Some(&(request, place)) = self.jobs.get(&job)
                    && let Some(story) = self.open.get_mut(&request)
                {
                    story.jobs[place].started = Some(at);
                }
            }
            Note::Left { job, status } => self.leave(at, job, status),
            Note::Called { call, by, edge } => self.begin_call(at, call, by, edge),
            Note::NotCalled { job, edge, flag } => {
                if let Some(&(request, place)) = self.jobs.get(&job)
                    && let Some(story) = self.open.get_mut(&request)
                {
                    story.jobs[place].parts.push(Part::NotCalled { at, edge, flag });
                }
            }
            Note::LooksUp { call } => {
                if let Some(call) = self.call(call) {
                    call.looked_up = Some(at);
                }
            }
            Note::Chose { call, attempt, host, why, other } => {
                self.choose(call, Attempt::chosen(attempt, host, at, why, other));
            }
            Note::Sent { call, attempt, host, wire } => {
                if let Some(attempt) = self.attempt(call, attempt) {
                    (attempt.sent, attempt.wire, attempt.host) = (Some(at), wire, host);
                }
            }
            Note::Ended { call, status, flags, .. } => self.end_call(at, call, Some((status, flags))),
            Note::Dropped { call } => self.end_call(at, call, None),
            Note::Fact { call: Some(call), fact, .. } => self.learn(at, call, fact),
            Note::Fact { call: None, .. }
            | Note::Connections { .. }
            | Note::Stale { .. }
            | Note::Fault { .. }
            | Note::Happened(_) => {}
        }
    }

    fn follows(&self, call: CallId) -> bool {
        self.calls.contains_key(&call)
    }

    fn has_enough(&self) -> bool {
        match &self.wanted {
            Wanted::Numbers(numbers) => self.over.len() == numbers.len(),
            Wanted::Between(_) | Wanted::All => false,
        }
    }
}

impl Attempt {
    fn chosen(
        number: u8,
        host: crate::sim::Host,
        at: Time,
        why: Option<crate::policy::Chosen>,
        other: Option<crate::sim::Host>,
    ) -> Attempt {
        Attempt {
            number,
            host,
            meant: host,
            endpoint: None,
            why,
            other,
            chosen: at,
            sent: None,
            wire: Span::ZERO,
            refused: None,
            job: None,
            relayed: None,
            over: None,
            end: None,
            timed_out: None,
            retried: None,
            denied: None,
            slow: false,
            ejected: None,
            lane: None,
        }
    }
}
