//! Calls between tasks: hosts the routers and drives each call through its flight.
//!
//! *Knows* how a step becomes events. *Does not know* any rule of choice, retry or ejection:
//! those are `policy`'s. A call through an ALB is two calls in a row: the client's to a node, and
//! the node's to a target.

use super::call::CUT;
use super::call::Call;
use super::call::CallParent;
use super::call::Hop;
pub(super) use super::host::Feed;
pub(super) use super::host::RouterHost;
use super::network::Reception;
use super::note::CallId;
use super::note::Note;
use super::note::Refusal;
use super::note::Tracer;
use super::random::Key;
use super::random::Purpose;
use super::record::NOBODY;
use super::slab::Ref;
use super::task::Job;
use super::task::Parent;
use super::world::Ev;
use super::world::World;
use crate::measure::Ending;
use crate::measure::HappeningKind;
use crate::policy::Answer;
use crate::policy::Ask;
use crate::policy::AttemptNo;
use crate::policy::Cx;
use crate::policy::EndpointId;
use crate::policy::Fact;
use crate::policy::FactSink;
use crate::policy::Flag;
use crate::policy::MemberKey;
use crate::policy::Outcome;
use crate::policy::RequestKey;
use crate::policy::Router;
use crate::policy::Step;
use crate::policy::Trouble;
use crate::policy::Try;
use crate::policy::Upkeep;
use crate::policy::Verdict;
use crate::scenario::Protocol;
use crate::units::Ratio;
use crate::units::Span;
use crate::units::Time;

/// An ALB node.
pub(super) struct Node {
    pub(super) zone: u8,
    pub(super) router: u32,
}

/// Where routers' facts go: those the world acts on into a list, all of them where a test listens.
struct Sink<'a> {
    notable: &'a mut Vec<Fact>,
    tracer: Option<&'a mut (dyn Tracer + 'a)>,
    router: u32,
    call: Option<Ref<Call>>,
}

impl FactSink for Sink<'_> {
    #[inline]
    fn emit(&mut self, at: Time, fact: Fact) {
        if let Some(tracer) = &mut self.tracer {
            let (router, call) = (self.router, self.call.map(CallId::from));
            tracer.note(at, Note::Fact { router, call, fact });
        }
        if matches!(fact, Fact::Ejected { .. } | Fact::Unejected { .. } | Fact::Panic(_) | Fact::Probed { .. }) {
            self.notable.push(fact);
        }
    }
}

/// Calls a router with its context. A macro, because the parts of the world it borrows differ.
macro_rules! with_router {
    ($world:ident, $router:expr, $call:expr, $draw:expr, |$host:ident, $cx:ident| $body:expr) => {{
        let mut draw = $draw;
        let tracer: Option<&mut dyn Tracer> = match &mut $world.tracer {
            Some(tracer) => Some(&mut **tracer),
            None => None,
        };
        let mut sink = Sink { notable: &mut $world.notable, tracer, router: $router, call: $call };
        let $cx = &mut Cx { now: $world.engine.now(), rng: &mut draw, facts: &mut sink };
        let $host = &mut $world.routers[$router as usize].router;
        $body
    }};
}

impl World<'_> {
    /// A job makes the call at `site`; `pc` tells its calls apart.
    pub(super) fn begin_call(&mut self, job: Ref<Job>, site: u32, pc: u32) {
        let Some(state) = self.jobs.get(job) else { return };
        let spec = &self.program.sites[site as usize];
        let edge = spec.edge.0;
        let key = state.key.child(Purpose::Child, u64::from(pc));
        let mut router = self.tasks[state.task as usize].routers[edge as usize];
        if !self.moved.is_empty() {
            router = self.router_of_flag(state.task, edge, key);
        }
        if self.proxies.barred > 0
            && let Some(flag) = self.bar(router, edge)
        {
            return self.refuse_call(job, site, flag);
        }
        let segment = state.segment;
        let (timeout, idempotent) = (spec.timeout, spec.idempotent);
        if self.names_differ && !self.resolves(state.task, edge, router) {
            return self.fail_unresolved(job, site, router, segment);
        }
        let router = self.side(router, key, segment);
        self.open_call(router, edge, site, CallParent::Job(job), key, segment, timeout, idempotent);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a call, used in two places")]
    fn open_call(
        &mut self,
        router: u32,
        edge: u32,
        site: u32,
        parent: CallParent,
        key: Key,
        segment: u16,
        timeout: Option<Span>,
        idempotent: bool,
    ) {
        let now = self.engine.now();
        let configured = self.routers[router as usize].router.config().timeouts.request;
        let timeout = timeout.filter(|&own| own < configured);
        let (calls, routers) = (&mut self.calls, &mut self.routers);
        let call = calls.insert_with(|at| {
            let ask = Ask { timeout, idempotent, ..Ask::of(RequestKey(at.word())) };
            let mut draw = key.draw(Purpose::Upkeep, 0);
            let cx = &mut Cx { now, rng: &mut draw, facts: &mut crate::policy::NoFacts };
            Call {
                flight: routers[router as usize].router.begin(cx, ask),
                router,
                edge,
                site,
                parent,
                key,
                started: now,
                hop: Hop { attempt: u8::MAX, delay: Span::ZERO, crosses: false, member: MemberKey(u64::MAX) },
                older: Vec::new(),
                segment,
                hidden_status: 0,
            }
        });
        if self.tracer.is_some() {
            self.note_call(call);
        }
        if configured != Span::MAX || timeout.is_some() {
            if let Some(own) = timeout {
                self.engine.after(own, Ev::Deadline(call));
            } else {
                let lane = if edge == NOBODY {
                    self.node_request_lane
                } else {
                    self.request_lanes[self.slot(edge, self.routers[router as usize].path)]
                };
                self.engine.in_lane(lane, Ev::Deadline(call));
            }
        }
        self.drive(call);
    }

    /// Steps a call until it has to wait.
    pub(super) fn drive(&mut self, at: Ref<Call>) {
        let why = if self.tracer.is_some() { self.explain(at) } else { None };
        let Some(call) = self.calls.get_mut(at) else { return };
        let (router, attempts) = (call.router, u64::from(call.flight.attempts()));
        let step = with_router!(self, router, Some(at), call.key.draw(Purpose::Choose, attempts), |host, cx| {
            host.step(cx, &mut call.flight)
        });
        let deadline = call.flight.deadline();
        if self.tracer.is_some() {
            self.note_choice(at, attempts, why, step);
        }
        match step {
            Step::Try(attempt) => self.send(at, attempt),
            Step::Wait { until } => {
                // The deadline has its own timer.
                if let Some(until) = until
                    && until < deadline
                {
                    self.engine.at(until, Ev::Step(at));
                }
            }
            Step::Resolve => self.look_up(router, at),
            Step::Done(verdict) => self.finish_call(at, verdict),
        }
        self.after_router(router);
    }

    fn send(&mut self, at: Ref<Call>, attempt: Try) {
        let inbound = self.front().is_some();
        let Some(call) = self.calls.get_mut(at) else { return };
        let host = &self.routers[call.router as usize];
        let zone = match Self::member_task(attempt.member) {
            Some(task) => self.tasks[task as usize].zone,
            None => self.nodes[attempt.member.0 as u32 as usize].zone,
        };
        let mut draw = call.key.draw(Purpose::Delay, u64::from(attempt.attempt.0));
        let pushed = host.feed == Feed::Pushed;
        let one_proxy = host.node != NOBODY || (pushed && !inbound);
        let mut delay = self.delays.hop(host.zone, zone, host.path, one_proxy, pushed && inbound, &mut draw);
        if inbound && !pushed && host.meets_proxies() {
            delay += self.delays.inbound(&mut draw);
        }
        if call.open_hop(call.hop.attempt).is_some() {
            // Hedged: that attempt goes on.
            call.older.push(call.hop);
        }
        let crosses = host.zone != zone;
        call.hop = Hop { attempt: attempt.attempt.0, delay, crosses, member: attempt.member };
        self.meter.sent(call.site, host.path, host.node != NOBODY, crosses);
        if let Some(tracer) = &mut self.tracer {
            let (call, attempt, host) = (at.into(), attempt.attempt.0, attempt.member.into());
            tracer.note(self.engine.now(), Note::Sent { call, attempt, host, wire: delay });
        }
        let (router, proxied, site) = (call.router, host.task, call.site);
        let races = host.app_idle != Span::MAX;
        let deadline = call.flight.deadline();
        if attempt.give_up_at < deadline {
            let event = Ev::PerTry { call: at, attempt: attempt.attempt.0 };
            let lane = if call.edge == NOBODY {
                self.node_per_try_lane
            } else {
                self.per_try_lanes[call.edge as usize + usize::from(host.path) * self.edge_trouble.len()]
            };
            self.engine.in_lane(lane, event);
        }
        if races && self.meets_closing(router, attempt.conn, delay) {
            return self.lose_race(at, attempt.attempt.0, router, attempt.conn, delay);
        }
        let wait = if pushed { self.pass_request(proxied, site) } else { Span::ZERO };
        let mut reaches = Some(delay + wait);
        if self.faulting.impaired {
            reaches = self.request_time(at, attempt.attempt.0, delay + wait);
        }
        if let Some(delay) = reaches {
            self.engine.after(delay, Ev::Reach { call: at, attempt: attempt.attempt.0 });
        }
    }

    /// An attempt arrives at its endpoint; `through` says that it has passed the proxy there.
    pub(super) fn on_reach(&mut self, at: Ref<Call>, attempt: u8, through: bool) {
        let Some(call) = self.calls.get(at) else { return };
        let Some(hop) = call.open_hop(attempt) else { return };
        let (key, segment, edge, site) = (call.key, call.segment, call.edge, call.site);
        let Some(task) = Self::member_task(hop.member) else {
            return self.relay(at, attempt, hop.member);
        };
        let endpoint = self.program.sites[site as usize].endpoint;
        let parent = Parent::Call { call: at, attempt };
        let fronted = self.fronted(call.router);
        let pushed = self.routers[call.router as usize].feed == Feed::Pushed;
        if !through
            && (pushed || fronted)
            && let Some(plane) = self.sidecar()
        {
            // Every proxy of the call pays for it.
            if pushed {
                let caller = self.routers[call.router as usize].task;
                let caller = self.tasks[caller as usize].service;
                self.services[caller as usize].queueing.sidecar(plane.cpu_per_request);
            }
            if fronted {
                let callee = self.tasks[task as usize].service;
                self.services[callee as usize].queueing.sidecar(plane.cpu_per_request);
                let wait = self.pass_request(task, site);
                if !wait.is_zero() {
                    return self.engine.after(wait, Ev::Through { call: at, attempt });
                }
            }
        }
        // The arrow as the client sees it, also behind an ALB.
        let arrow = if edge == NOBODY { self.program.sites[site as usize].edge.0 } else { edge };
        let mut reception = self.reception(task, Some(arrow), fronted);
        if self.faulting.numbered && reception == Reception::Serves {
            reception = self.numbered(task, arrow, fronted);
        }
        if let Reception::BreaksAfter(delay) = reception {
            self.break_after(at, attempt, delay, fronted);
        }
        match reception {
            Reception::Serves | Reception::BreaksAfter(_) => {
                self.admit(task, endpoint, key.child(Purpose::Child, u64::from(attempt)), parent, segment, Some(arrow));
            }
            Reception::Answers(status) => {
                self.turned_away(task, parent, Refusal::Answered(status));
                self.respond(parent, task, segment, self.engine.now(), key, status);
            }
            Reception::Breaks => {
                self.turned_away(task, parent, Refusal::Broke);
                self.break_attempt(at, attempt);
            }
            Reception::Silent => self.turned_away(task, parent, Refusal::Silent),
        }
    }

    /// An ALB node passes a request on: a call of its own.
    fn relay(&mut self, at: Ref<Call>, attempt: u8, node: MemberKey) {
        let Some(call) = self.calls.get(at) else { return };
        let node = node.0 as u32;
        let router = self.nodes[node as usize].router;
        let (site, segment) = (call.site, call.segment);
        // The first attempt keeps the key, so that the work behind it is the same on every plane.
        let key = if attempt == 0 { call.key } else { call.key.child(Purpose::Child, u64::from(attempt)) };
        let router = self.side(router, key, segment);
        self.open_call(router, NOBODY, site, CallParent::Relay { call: at, attempt }, key, segment, None, true);
    }

    /// The connection under an attempt broke at the far end.
    pub(super) fn break_attempt(&mut self, call: Ref<Call>, attempt: u8) {
        if let Some(delay) = self.answer_time(call, attempt, Ratio::ONE) {
            self.engine.after(delay, Ev::Broken { call, attempt });
        }
    }

    pub(super) fn on_answer(&mut self, at: Ref<Call>, attempt: u8, status: u16, through: bool) {
        let Some(call) = self.calls.get_mut(at) else { return };
        if !call.flight.is_open(AttemptNo(attempt)) {
            return;
        }
        let host = &self.routers[call.router as usize];
        if host.feed == Feed::Pushed && !through {
            let wait = self.pass(host.task);
            if !wait.is_zero() {
                return self.engine.after(wait, Ev::AnswerThrough { call: at, attempt, status });
            }
        }
        let Some(call) = self.calls.get_mut(at) else { return };
        let mut seen = status;
        if status < 500 {
            // What fails has no body to speak of.
            let host = &self.routers[call.router as usize];
            self.meter.answered(call.site, host.path, host.node != NOBODY, call.hop_of(attempt).crosses);
        }
        if call.edge != NOBODY {
            let callee = self.scenario.edge(crate::scenario::EdgeId(call.edge)).to;
            if self.scenario.service(callee).protocol == Protocol::Tcp {
                // A proxy of bytes sees no status: to it, the bytes came.
                call.hidden_status = status;
                seen = 200;
            }
        }
        self.report(at, attempt, Outcome::Answered(Answer::of(seen).with_body(seen >= 400)));
    }

    pub(super) fn on_trouble(&mut self, at: Ref<Call>, attempt: u8, trouble: Trouble) {
        let Some(call) = self.calls.get(at) else { return };
        if call.flight.is_open(AttemptNo(attempt)) {
            self.report(at, attempt, Outcome::Failed(trouble));
        }
    }

    /// The patience with one attempt is at its end.
    pub(super) fn on_per_try(&mut self, at: Ref<Call>, attempt: u8) {
        let Some(call) = self.calls.get(at) else { return };
        if call.flight.open_attempt() == Some(AttemptNo(attempt)) {
            let limits = self.routers[call.router as usize].router.config().timeouts;
            // No part of an answer is ever seen before the whole: silence is as long as the wait.
            let silent = limits.per_try_idle < limits.per_try;
            self.report(at, attempt, Outcome::Failed(if silent { Trouble::IdleTimeout } else { Trouble::Timeout }));
        }
    }

    pub(super) fn on_deadline(&mut self, at: Ref<Call>) {
        self.drive(at);
    }

    #[inline]
    pub(super) fn report(&mut self, at: Ref<Call>, attempt: u8, outcome: Outcome) {
        let Some(call) = self.calls.get_mut(at) else { return };
        let router = call.router;
        with_router!(self, router, Some(at), call.key.draw(Purpose::Decide, u64::from(attempt)), |host, cx| {
            host.report(cx, &mut call.flight, AttemptNo(attempt), outcome);
        });
        self.drive(at);
    }

    fn finish_call(&mut self, at: Ref<Call>, verdict: Verdict) {
        let Some(call) = self.calls.remove(at) else { return };
        let now = self.engine.now();
        let cut = call.hidden_status == CUT;
        let status = match call.hidden_status {
            0 => verdict.status,
            CUT => 0,
            hidden if verdict.status == 200 => hidden,
            _ => verdict.status,
        };
        let flags = if cut { verdict.flags.with(Flag::Uc) } else { verdict.flags };
        self.note(Note::Ended { call: at.into(), status, attempts: verdict.attempts, flags });
        if call.edge != NOBODY {
            let ending = Ending {
                latency: now.since(call.started),
                failed: status == 0 || status >= 500,
                attempts: u32::from(verdict.attempts),
                flags,
            };
            self.recorder.call_done(call.segment, call.edge, now, ending);
        }
        match call.parent {
            CallParent::Job(job) => {
                let optional = self.program.sites[call.site as usize].optional;
                self.call_over(job, status, optional);
            }
            CallParent::Relay { call: outer, attempt } => {
                if let Some(delay) = self.answer_time(outer, attempt, Ratio::ONE) {
                    let cut_too = Ev::Cut { call: outer, attempt };
                    self.engine.after(delay, if cut { cut_too } else { Ev::Answer { call: outer, attempt, status } });
                }
            }
        }
    }

    /// A task died: its calls have nobody to come back to.
    pub(super) fn abandon_calls_of(&mut self, task: u32) {
        let orphans: Vec<Ref<Call>> = self
            .calls
            .refs()
            .filter(|(_, call)| match call.parent {
                CallParent::Job(job) => self.jobs.get(job).is_none_or(|job| job.task == task),
                CallParent::Relay { .. } => false,
            })
            .map(|(at, _)| at)
            .collect();
        for at in orphans {
            let Some(call) = self.calls.remove(at) else { continue };
            let router = call.router;
            self.note(Note::Dropped { call: at.into() });
            let _ = with_router!(self, router, Some(at), call.key.draw(Purpose::Decide, u64::MAX), |host, cx| {
                host.abandon(cx, call.flight)
            });
            self.after_router(router);
        }
    }

    // ---- routers ---------------------------------------------------------------------------

    /// Drains what a router wants done after a call on it.
    #[inline]
    pub(super) fn after_router(&mut self, router: u32) {
        if !self.notable.is_empty() {
            self.act_on_facts(router);
        }
        let now = self.engine.now();
        if !self.routers[router as usize].router.is_quiet(now) {
            self.drain_upkeep(router);
        }
        let host = &mut self.routers[router as usize];
        let due = host.router.upkeep_due();
        if let Some(tracer) = &mut self.tracer {
            tracer.note(now, Note::Connections { router, count: host.router.connections() });
        }
        if due < host.scheduled && !host.dead {
            host.scheduled = due;
            self.engine.at(due.max(now), Ev::Upkeep { router });
        }
    }

    fn drain_upkeep(&mut self, router: u32) {
        let key = self.seed.key(Purpose::Upkeep, u64::from(router));
        loop {
            let now = self.engine.now();
            let upkeep = with_router!(self, router, None, key.draw(Purpose::Upkeep, now.as_nanos()), |host, cx| {
                host.poll_upkeep(cx)
            });
            if !self.notable.is_empty() {
                self.act_on_facts(router);
            }
            match upkeep {
                None => break,
                Some(Upkeep::Wake { request }) => self.woken.push_back(Ref::from_word(request.0)),
                Some(Upkeep::Connect { member, conn, give_up_at, .. }) => self.dial(router, member, conn, give_up_at),
                Some(Upkeep::Close { .. }) => {}
                Some(Upkeep::Probe { endpoint, member, give_up_at }) => {
                    self.probe(router, endpoint, member, give_up_at);
                }
            }
        }
    }

    pub(super) fn on_upkeep(&mut self, router: u32) {
        self.routers[router as usize].scheduled = Time::NEVER;
        if !self.routers[router as usize].dead {
            self.drain_upkeep(router);
            self.after_router(router);
        }
    }

    pub(super) fn on_probed(&mut self, router: u32, endpoint: EndpointId, healthy: bool) {
        let key = self.seed.key(Purpose::Upkeep, u64::from(router));
        let now = self.engine.now();
        with_router!(self, router, None, key.draw(Purpose::Upkeep, now.as_nanos()), |host, cx| {
            host.on_probe(cx, endpoint, healthy);
        });
        self.after_router(router);
        if self.routers[router as usize].node != NOBODY {
            self.count_probe(router, endpoint, healthy);
        }
    }

    /// Facts the world must know: the log, the swim-lanes, ECS's view of a target's health.
    fn act_on_facts(&mut self, router: u32) {
        let now = self.engine.now();
        let facts = std::mem::take(&mut self.notable);
        let by = self.routers[router as usize].task;
        for &fact in &facts {
            let task_of = |world: &Self, endpoint| {
                world.routers[router as usize].router.member_of(endpoint).and_then(Self::member_task)
            };
            match fact {
                Fact::Ejected { endpoint, until, .. } => {
                    if let Some(task) = task_of(self, endpoint) {
                        self.recorder.ejected(now, router, by, task, until);
                    }
                }
                Fact::Unejected { endpoint } => {
                    if let Some(task) = task_of(self, endpoint) {
                        self.recorder.unejected(now, router, by, task);
                    }
                }
                Fact::Panic(on) if self.is_idle_panic(router, on) => {}
                Fact::Panic(on) => {
                    let host = &mut self.routers[router as usize];
                    if on {
                        host.panic_since = Some(now);
                    } else if let Some(since) = host.panic_since.take() {
                        self.recorder.recording.panic_time += now.since(since);
                    }
                    // At time zero routers have just met their endpoints.
                    if now > Time::ZERO {
                        self.log(if on { HappeningKind::PanicOn } else { HappeningKind::PanicOff }, by, NOBODY);
                    }
                }
                Fact::Probed { endpoint, healthy } => {
                    if let Some(task) = task_of(self, endpoint) {
                        // Only a target group's verdict reaches ECS; a sidecar's own probes are its own affair.
                        if self.routers[router as usize].node != NOBODY {
                            self.on_target_probed(task, healthy, now > Time::ZERO);
                        } else if now > Time::ZERO {
                            let kind = if healthy { HappeningKind::Healthy } else { HappeningKind::Unhealthy };
                            self.log(kind, by, task);
                        }
                    }
                }
                _ => {}
            }
        }
        self.notable = facts;
        self.notable.clear();
    }

    /// Calls a router outside any request: a list, a broken peer, a lookup.
    pub(super) fn tell_router(&mut self, router: u32, what: impl FnOnce(&mut Router, &mut Cx<'_>)) {
        let key = self.seed.key(Purpose::Upkeep, u64::from(router));
        let now = self.engine.now();
        with_router!(self, router, None, key.draw(Purpose::Choose, now.as_nanos()), |host, cx| what(host, cx));
        self.after_router(router);
    }
}
