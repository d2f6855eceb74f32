//! A task at work: admission, queue, service, answers.
//!
//! *Knows* concurrency, queues, programs and what becomes of work nobody waits for. *Does not
//! know* how requests find the task. A request holds its place until all its steps are over, its
//! calls included; work goes on when the caller has given up.

use super::call::Call;
use super::fault::Parked;
use super::fault::slowed;
use super::life::Phase;
use super::note::For;
use super::note::Note;
use super::note::Refusal;
use super::program::Op;
use super::program::Version;
use super::random::Draw;
use super::random::Key;
use super::random::Purpose;
use super::record::NOBODY;
use super::slab::Ref;
use super::world::Ev;
use super::world::World;
use crate::measure::ServiceRecord;
use crate::scenario::ServiceId;
use crate::units::Ratio;
use crate::units::Span;
use crate::units::Time;
use std::collections::VecDeque;

/// One ECS task.
pub(super) struct Task {
    pub(super) service: u32,
    pub(super) number: u32,
    pub(super) zone: u8,
    pub(super) version: Version,
    pub(super) phase: Phase,
    /// It is on its way out; ECS no longer counts it.
    pub(super) leaving: bool,
    /// Its inbound sidecar takes new connections.
    pub(super) inbound_open: bool,
    /// Its container check passed, or it needs none.
    pub(super) container_healthy: bool,
    pub(super) check_failures: u32,
    /// ALB nodes that see it healthy.
    pub(super) nodes_healthy: u32,
    /// Probes of ALB nodes that failed since one passed.
    pub(super) probes_failed: u32,
    /// When it became RUNNING.
    pub(super) started: Time,
    /// Until then no failed check makes ECS replace it.
    pub(super) grace_until: Time,
    /// A check has failed for good: ECS replaces it.
    pub(super) condemned: bool,
    /// SIGTERM has come.
    pub(super) termed: bool,
    /// Its app exited by itself, or was killed.
    pub(super) exited: bool,
    /// When it stopped taking requests.
    pub(super) deaf_since: Option<Time>,
    pub(super) trouble: super::fault::Trouble,
    pub(super) strain: super::fault::Strain,
    /// Servers in use.
    pub(super) busy: u32,
    pub(super) queue: VecDeque<Ref<Job>>,
    /// Jobs in the task, waiting or in work.
    pub(super) jobs: u32,
    /// Which of its service's two lists of endpoints it is in.
    pub(super) group: u8,
    /// When what it runs was deployed: it resolves the names that existed then.
    pub(super) deployed: Time,
    /// ECS has seen it healthy.
    pub(super) proven: bool,
    /// Its router for each edge, [`NOBODY`] where it calls nobody; those of a second path behind those of the first.
    pub(super) routers: Vec<u32>,
}

/// Who waits for a job.
#[derive(Clone, Copy)]
pub(super) enum Parent {
    /// A user.
    User(User),
    /// A call from another task.
    Call { call: Ref<Call>, attempt: u8 },
    /// The job it is a branch of.
    Fork(Ref<Job>),
}

/// A request from outside.
#[derive(Clone, Copy)]
pub(super) struct User {
    pub(super) load: u32,
    /// Who of a closed loop it is, else [`NOBODY`].
    pub(super) who: u32,
    /// Its number, 1 for the first to arrive.
    pub(super) request: u32,
}

/// One request in a task, or one branch of it.
pub(super) struct Job {
    pub(super) key: Key,
    pub(super) entered: Time,
    pub(super) parent: Parent,
    pub(super) task: u32,
    /// Next instruction.
    pub(super) pc: u32,
    /// Branches that are not over.
    pub(super) branches: u32,
    pub(super) edge: u32,
    pub(super) segment: u16,
    pub(super) endpoint: u16,
    pub(super) status: u16,
    /// It counts in the service's books; a branch does not.
    pub(super) counted: bool,
    pub(super) in_service: bool,
    /// The fault that strikes this request by its number, [`NOBODY`] if none.
    pub(super) struck: u32,
    /// How long its task had stood still when its work began.
    pub(super) stood: Span,
}

/// The queueing books of one service, kept from the start of the run.
#[derive(Clone, Copy, Default)]
pub(super) struct Queueing {
    total: ServiceRecord,
    changed: Time,
    in_service: u32,
    waiting: u32,
    busy: u32,
    pub(super) servers: u32,
    tasks: u32,
    tasks_since: Time,
    second: Time,
    busy_in_second: u128,
}

impl Queueing {
    #[inline]
    fn tick(&mut self, now: Time) {
        let ns = now.since(self.changed).as_nanos();
        if ns == 0 {
            return;
        }
        self.total.levels[(self.in_service as usize).min(ServiceRecord::LEVELS - 1)] += ns;
        let ns = u128::from(ns);
        let busy = u128::from(self.busy) * ns;
        self.total.area_in_service += u128::from(self.in_service) * ns;
        self.total.area_queue += u128::from(self.waiting) * ns;
        self.total.area_busy += busy;
        self.total.area_servers += u128::from(self.servers) * ns;
        self.busy_in_second += busy;
        let since = now.since(self.second).as_nanos();
        if since >= 1_000_000_000 {
            if self.servers > 0 {
                let share = self.busy_in_second * 1_000_000 / (u128::from(self.servers) * u128::from(since));
                self.total.busy_max_ppm = self.total.busy_max_ppm.max(share as u32);
            }
            self.second = now;
            self.busy_in_second = 0;
        }
        self.changed = now;
    }

    /// The books up to an instant.
    pub(super) fn at(&mut self, now: Time) -> ServiceRecord {
        self.tick(now);
        self.tasks_change(now, 0);
        self.total
    }

    /// The number of tasks changes.
    pub(super) fn tasks_change(&mut self, now: Time, by: i32) {
        self.total.area_tasks += u128::from(self.tasks) * u128::from(now.since(self.tasks_since).as_nanos());
        self.tasks_since = now;
        self.tasks = self.tasks.saturating_add_signed(by);
    }

    /// The number of servers changes.
    pub(super) fn set_servers(&mut self, now: Time, servers: u32) {
        self.tick(now);
        self.servers = servers;
    }

    /// Processor time of a sidecar.
    pub(super) fn sidecar(&mut self, cpu: Span) {
        self.total.sidecar_cpu += cpu;
    }

    /// Something waited in a sidecar.
    pub(super) fn sidecar_waited(&mut self, wait: Span) {
        self.total.sidecar_wait += wait;
    }
}

impl World<'_> {
    /// A request reached the app of a task that listens. `edge` says by which arrow it came.
    #[inline]
    pub(super) fn admit(
        &mut self,
        task: u32,
        endpoint: u32,
        key: Key,
        parent: Parent,
        segment: u16,
        edge: Option<u32>,
    ) {
        let now = self.engine.now();
        let struck = std::mem::replace(&mut self.faulting.marked, NOBODY);
        let state = &mut self.tasks[task as usize];
        let service = state.service;
        self.recorder.reached(task, now);
        let spec = self.scenario.service(ServiceId(service));
        let edge = edge.unwrap_or(NOBODY);
        if state.trouble.sick && state.trouble.leak.is_some() {
            self.leak(task);
        }
        if let Some(status) = self.struck(task, edge, key) {
            self.note(Note::Refused { whose: parent.into(), task, how: Refusal::Fault(status) });
            self.recorder.recording.tasks[task as usize].errors += 1;
            self.respond(parent, task, segment, now, key, status);
            return;
        }
        let state = &mut self.tasks[task as usize];
        let queueing = &mut self.services[service as usize].queueing;
        queueing.tick(now);
        queueing.total.arrived += 1;
        let full = spec.concurrency.is_some_and(|limit| state.busy >= limit);
        if full && spec.queue.is_some_and(|limit| state.queue.len() as u32 >= limit) {
            queueing.total.rejected += 1;
            self.note(Note::Refused { whose: parent.into(), task, how: Refusal::Full });
            self.recorder.recording.tasks[task as usize].errors += 1;
            self.respond(parent, task, segment, now, key, 503);
            return;
        }
        queueing.in_service += 1;
        queueing.total.in_service_max = queueing.total.in_service_max.max(queueing.in_service);
        let start = self.program.entry(state.version, endpoint).start;
        let job = self.jobs.insert_with(|_| Job {
            key,
            entered: now,
            parent,
            task,
            pc: start,
            branches: 0,
            edge,
            segment,
            endpoint: endpoint as u16,
            status: 200,
            counted: true,
            in_service: !full,
            struck,
            stood: Span::ZERO,
        });
        state.jobs += 1;
        if let Some(tracer) = &mut self.tracer {
            let (job, whose, endpoint) = (job.into(), parent.into(), endpoint as u16);
            tracer.note(now, Note::Admitted { job, whose, task, endpoint, waits: full });
        }
        if full {
            state.queue.push_back(job);
            queueing.waiting += 1;
            queueing.total.queue_max = queueing.total.queue_max.max(state.queue.len() as u32);
            if let Some(sampler) = self.services[service as usize].patience {
                let patience = self.program.samplers[sampler as usize].sample(&mut key.draw(Purpose::Patience, 0));
                self.engine.after(patience, Ev::QueueTimeout(job));
            }
            return;
        }
        state.busy += 1;
        queueing.busy += 1;
        self.run(job);
    }

    /// A request came to a task and its app never got to serve it.
    pub(super) fn turned_away(&mut self, task: u32, parent: Parent, how: Refusal) {
        self.note(Note::Refused { whose: parent.into(), task, how });
        self.recorder.reached(task, self.engine.now()).errors += 1;
    }

    /// Runs a job until it has to wait.
    pub(super) fn run(&mut self, at: Ref<Job>) {
        if self.faulting.pauses && self.parks(at, Parked::Run(at, Span::ZERO)) {
            return;
        }
        loop {
            let Some(job) = self.jobs.get_mut(at) else { return };
            let op = self.program.ops[job.pc as usize];
            let pc = job.pc;
            job.pc += 1;
            match op {
                Op::Work(sampler) => {
                    let mut draw = job.key.draw(Purpose::Work, u64::from(pc));
                    let mut work = self.program.samplers[sampler as usize].sample(&mut draw);
                    let task = &self.tasks[job.task as usize];
                    if task.trouble.slows {
                        work = task.trouble.slowed(work, &self.program.samplers, &mut draw);
                    }
                    if job.edge != NOBODY && self.edge_trouble[job.edge as usize].slows {
                        work = self.edge_trouble[job.edge as usize].slowed(work, &self.program.samplers, &mut draw);
                    }
                    if job.struck != NOBODY {
                        work = self.slowed_by_number(at, work, &mut draw);
                    }
                    if !work.is_zero() {
                        if self.faulting.pauses {
                            self.begin_work(at);
                        }
                        self.engine.after(work, Ev::WorkDone(at));
                        return;
                    }
                }
                Op::Call(site) => {
                    let probability = self.program.sites[site as usize].probability;
                    let key = job.key;
                    if probability == Ratio::ONE
                        || probability.covers(key.draw(Purpose::Probability, u64::from(pc)).word())
                    {
                        self.begin_call(at, site, pc);
                        return;
                    }
                }
                Op::Fork { first, count } => {
                    self.fork(at, first, count);
                    return;
                }
                Op::End => {
                    self.end(at);
                    return;
                }
            }
        }
    }

    fn fork(&mut self, at: Ref<Job>, first: u32, count: u32) {
        let Some(job) = self.jobs.get_mut(at) else { return };
        job.branches = count;
        let (key, task, edge, segment, endpoint) = (job.key, job.task, job.edge, job.segment, job.endpoint);
        let struck = job.struck;
        let now = self.engine.now();
        for branch in first..first + count {
            let pc = self.program.branches[branch as usize];
            let child = self.jobs.insert_with(|_| Job {
                // The branch's own instructions have places of their own, so its draws are its own.
                key,
                entered: now,
                parent: Parent::Fork(at),
                task,
                pc,
                branches: 0,
                edge,
                segment,
                endpoint,
                status: 200,
                counted: false,
                in_service: true,
                struck,
                stood: Span::ZERO,
            });
            let (job, whose) = (child.into(), For::Branch(at.into()));
            self.note(Note::Admitted { job, whose, task, endpoint, waits: false });
            self.run(child);
        }
        if count == 0 {
            self.run(at);
        }
    }

    #[inline]
    pub(super) fn on_work_done(&mut self, job: Ref<Job>) {
        if self.faulting.pauses && self.still_works(job) {
            return;
        }
        self.run(job);
    }

    /// A call of a job is over.
    pub(super) fn call_over(&mut self, at: Ref<Job>, status: u16, optional: bool) {
        let Some(job) = self.jobs.get_mut(at) else { return };
        if (status == 0 || status >= 500) && !optional {
            // ASSUMPTION(app.dependency_status): a task whose dependency failed answers the same
            // status, 503 where there was none.
            job.status = if status == 0 { 503 } else { status };
            if !self.faulting.pauses || !self.parks(at, Parked::End(at)) {
                self.end(at);
            }
        } else {
            self.run(at);
        }
    }

    /// What a fault that strikes this request by its number makes of a piece of its work.
    #[inline(never)]
    fn slowed_by_number(&self, at: Ref<Job>, work: Span, draw: &mut Draw) -> Span {
        match self.jobs.get(at).and_then(|job| self.marked_slow(job.struck)) {
            Some((factor, added)) => slowed(work, factor, added, &self.program.samplers, draw),
            None => work,
        }
    }

    /// A piece of work begins: pauses of its task count from now on.
    fn begin_work(&mut self, at: Ref<Job>) {
        let Some(task) = self.jobs.get(at).map(|job| job.task) else { return };
        let stood = self.stood(task);
        if let Some(job) = self.jobs.get_mut(at) {
            job.stood = stood;
        }
    }

    /// A job's last step is over.
    pub(super) fn end(&mut self, at: Ref<Job>) {
        let Some(job) = self.jobs.remove(at) else { return };
        if let Parent::Fork(parent) = job.parent {
            self.note(Note::Left { job: at.into(), status: job.status });
            let Some(whole) = self.jobs.get_mut(parent) else { return };
            whole.branches -= 1;
            if whole.status < 500 {
                whole.status = job.status;
            }
            if whole.branches == 0 {
                if whole.status >= 500 { self.end(parent) } else { self.run(parent) }
            }
            return;
        }
        let mut status = job.status;
        if status < 500 {
            status = self.own_failure(&job).unwrap_or(200);
        }
        if status >= 500 {
            self.recorder.recording.tasks[job.task as usize].errors += 1;
        }
        let cut = if status < 500 { self.cut_short(&job) } else { None };
        self.note(Note::Left { job: at.into(), status: if cut.is_some() { 0 } else { status } });
        self.depart(&job, true);
        if let Some(sent) = cut {
            return self.respond_cut(&job, sent);
        }
        self.respond(job.parent, job.task, job.segment, job.entered, job.key, status);
    }

    /// Whether the request fails by the app's own doing after its work.
    #[inline]
    fn own_failure(&self, job: &Job) -> Option<u16> {
        let task = &self.tasks[job.task as usize];
        let entry = self.program.entry(task.version, u32::from(job.endpoint));
        if entry.errors.as_ppm() > 0 && entry.errors.covers(job.key.draw(Purpose::Errors, 0).word()) {
            return Some(entry.error_status);
        }
        if job.struck != NOBODY
            && let Some(status) = self.marked_error(job)
        {
            return Some(status);
        }
        let mut troubles = [task.trouble.errors, None];
        if job.edge != NOBODY {
            troubles[1] = self.edge_trouble[job.edge as usize].errors;
        }
        troubles
            .into_iter()
            .flatten()
            .find(|(_, rate)| rate.covers(job.key.draw(Purpose::Fault, 1).word()))
            .map(|(status, _)| status)
    }

    /// A job leaves its task, and the next one in the queue takes its place.
    fn depart(&mut self, job: &Job, finished: bool) {
        let now = self.engine.now();
        let task = &mut self.tasks[job.task as usize];
        let service = task.service;
        let queueing = &mut self.services[service as usize].queueing;
        queueing.tick(now);
        queueing.in_service -= 1;
        queueing.total.sojourn += u128::from(now.since(job.entered).as_nanos());
        queueing.total.finished += u64::from(finished);
        task.jobs -= 1;
        let mut next = None;
        if job.in_service {
            task.busy -= 1;
            queueing.busy -= 1;
            while let Some(at) = task.queue.pop_front() {
                // One that lost patience is no longer there.
                if let Some(waiting) = self.jobs.get_mut(at) {
                    waiting.in_service = true;
                    task.busy += 1;
                    queueing.busy += 1;
                    queueing.waiting -= 1;
                    queueing.total.waited += 1;
                    queueing.total.wait += now.since(waiting.entered);
                    next = Some(at);
                    break;
                }
            }
        } else {
            queueing.waiting -= 1;
            queueing.total.waited += 1;
            queueing.total.wait += now.since(job.entered);
        }
        if let Some(next) = next {
            self.note(Note::Started { job: next.into() });
            self.run(next);
        }
        if self.tasks[job.task as usize].jobs == 0 {
            self.on_task_empty(job.task);
        }
    }

    pub(super) fn on_queue_timeout(&mut self, at: Ref<Job>) {
        if self.jobs.get(at).is_none_or(|job| job.in_service) {
            return;
        }
        let Some(job) = self.jobs.remove(at) else { return };
        let task = &mut self.tasks[job.task as usize];
        task.queue.retain(|&other| other != at);
        self.services[task.service as usize].queueing.total.rejected += 1;
        self.recorder.recording.tasks[job.task as usize].errors += 1;
        self.note(Note::Left { job: at.into(), status: 503 });
        self.depart(&job, false);
        self.respond(job.parent, job.task, job.segment, job.entered, job.key, 503);
    }

    /// Every job of a task dies; who waits for one sees `status`, or a broken connection.
    pub(super) fn kill_jobs(&mut self, task: u32, status: Option<u16>) {
        let doomed: Vec<Ref<Job>> = self.jobs.refs().filter(|(_, job)| job.task == task).map(|(at, _)| at).collect();
        self.abandon_calls_of(task);
        self.tasks[task as usize].queue.clear();
        for at in doomed {
            let Some(job) = self.jobs.remove(at) else { continue };
            self.note(Note::Left { job: at.into(), status: status.unwrap_or(0) });
            if !job.counted {
                continue;
            }
            self.recorder.recording.tasks[task as usize].errors += 1;
            self.depart(&job, false);
            match (status, job.parent) {
                (None, Parent::Call { call, attempt }) => self.break_attempt(call, attempt),
                (status, parent) => {
                    self.respond(parent, task, job.segment, job.entered, job.key, status.unwrap_or(503));
                }
            }
        }
    }

    /// Sends an answer to whoever waits for it.
    #[inline]
    pub(super) fn respond(&mut self, parent: Parent, task: u32, segment: u16, since: Time, key: Key, status: u16) {
        match parent {
            Parent::User(user) => self.user_answered(user, segment, since, key.0, status),
            Parent::Call { call, attempt } => {
                if let Some(mut delay) = self.answer_time(call, attempt, Ratio::ONE) {
                    if self.calls.get(call).is_some_and(|waiting| self.fronted(waiting.router)) {
                        delay += self.pass(task);
                    }
                    self.engine.after(delay, Ev::Answer { call, attempt, status });
                }
            }
            Parent::Fork(_) => unreachable!("a branch answers nobody"),
        }
    }

    /// Sends the headers of an answer and a part of its body.
    fn respond_cut(&mut self, job: &Job, sent: Ratio) {
        self.recorder.recording.tasks[job.task as usize].errors += 1;
        match job.parent {
            Parent::Call { call, attempt } => {
                if let Some(delay) = self.answer_time(call, attempt, sent) {
                    self.engine.after(delay, Ev::Cut { call, attempt });
                }
            }
            parent => self.respond(parent, job.task, job.segment, job.entered, job.key, 0),
        }
    }
}
