//! What a run tells somebody who watches it.
//!
//! *Knows* the closed list of notes. *Does not know* who listens, nor what is made of them. A run that
//! nobody watches makes none; one that is watched decides nothing by it, so that both leave the same
//! recording. Jobs and calls have names that are unique among those under way.

use super::call::Call;
use super::call::CallParent;
use super::random::Purpose;
use super::slab::Ref;
use super::task::Parent;
use crate::measure::Happening;
use crate::policy::Chosen;
use crate::policy::Cx;
use crate::policy::Fact;
use crate::policy::Flag;
use crate::policy::Flags;
use crate::policy::MemberKey;
use crate::policy::NoFacts;
use crate::policy::Step;
use crate::units::Span;
use crate::units::Time;

/// The name of a job: a request in a task, or one branch of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct JobId(u64);

/// The name of a call under way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CallId(u64);

impl<T> From<Ref<T>> for JobId {
    fn from(at: Ref<T>) -> JobId {
        JobId(at.word())
    }
}
impl<T> From<Ref<T>> for CallId {
    fn from(at: Ref<T>) -> CallId {
        CallId(at.word())
    }
}

/// Whom something is done for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum For {
    /// A request from outside, by its number: 1 is the first to arrive, the warm-up included.
    User(u32),
    /// An attempt of a call.
    Attempt(CallId, u8),
    /// A job: this is a branch of it.
    Branch(JobId),
}

impl From<Parent> for For {
    fn from(parent: Parent) -> For {
        match parent {
            Parent::User(user) => For::User(user.request),
            Parent::Call { call, attempt } => For::Attempt(call.into(), attempt),
            Parent::Fork(job) => For::Branch(job.into()),
        }
    }
}

/// Who makes a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Caller {
    /// A job of a task.
    Job(JobId),
    /// An ALB node, for an attempt of a client.
    Node {
        /// Its number.
        node: u32,
        /// The client's call.
        call: CallId,
        /// Which attempt of it.
        attempt: u8,
    },
}

/// Where an attempt goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Host {
    /// A task.
    Task(u32),
    /// A node of an ALB.
    Node(u32),
}

impl From<MemberKey> for Host {
    fn from(member: MemberKey) -> Host {
        if member.0 >> 32 == 0 { Host::Task(member.0 as u32) } else { Host::Node(member.0 as u32) }
    }
}

/// How a request ended that reached a task whose app did not get to serve it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// A fault makes its app answer at once.
    Fault(u16),
    /// A fault, or the sidecar of an app that is out of reach, answered in its place.
    Answered(u16),
    /// The task's queue was full.
    Full,
    /// The connection broke, or nobody was there.
    Broke,
    /// It is never answered.
    Silent,
}

/// One thing that happened.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Note {
    /// A task exists from now on; tasks are numbered from 0 in this order.
    Task {
        /// Its service.
        service: u32,
        /// Its number within the service, from 1.
        number: u32,
    },
    /// A request came in from outside.
    Arrived {
        /// Its number.
        request: u32,
        /// The task that it came to; `None` if there was none.
        task: Option<u32>,
    },
    /// A request from outside has its answer.
    Answered {
        /// Its number.
        request: u32,
        /// 0 is no answer.
        status: u16,
    },
    /// A request reached a task that did not take it.
    Refused {
        /// Whose.
        whose: For,
        /// The task.
        task: u32,
        /// How.
        how: Refusal,
    },
    /// A task took a request.
    Admitted {
        /// Its name from now on.
        job: JobId,
        /// Whose it is.
        whose: For,
        /// The task.
        task: u32,
        /// What is asked for, an index into the service's endpoints.
        endpoint: u16,
        /// It has to wait for a server.
        waits: bool,
    },
    /// A job got the server that it waited for.
    Started {
        /// Which.
        job: JobId,
    },
    /// A job is over.
    Left {
        /// Which.
        job: JobId,
        /// What it answered; 0 is nothing whole.
        status: u16,
    },
    /// A call begins.
    Called {
        /// Its name from now on.
        call: CallId,
        /// Who makes it.
        by: Caller,
        /// The edge, an index into the scenario's.
        edge: u32,
    },
    /// A call that failed before it began.
    NotCalled {
        /// Who would have made it.
        job: JobId,
        /// The edge.
        edge: u32,
        /// Why: DF, the name means nothing there; UF, the proxy is down.
        flag: Flag,
    },
    /// A call has to wait for a look-up of a name.
    LooksUp {
        /// Which.
        call: CallId,
    },
    /// An endpoint was chosen for an attempt, which may still wait for a connection. Only for calls
    /// that are [followed](Tracer::follows).
    Chose {
        /// Which call.
        call: CallId,
        /// Which attempt, from 0.
        attempt: u8,
        /// Whom.
        host: Host,
        /// Why, if the balancer was asked.
        why: Option<Chosen>,
        /// Who `why.other` is.
        other: Option<Host>,
    },
    /// An attempt has a connection and is on its way.
    Sent {
        /// Which call.
        call: CallId,
        /// Which attempt.
        attempt: u8,
        /// Where to.
        host: Host,
        /// How long it is on its way.
        wire: Span,
    },
    /// A call is over.
    Ended {
        /// Which.
        call: CallId,
        /// What its caller sees; 0 is nothing whole.
        status: u16,
        /// Attempts made.
        attempts: u8,
        /// Why.
        flags: Flags,
    },
    /// A call is given up, because its caller died.
    Dropped {
        /// Which.
        call: CallId,
    },
    /// A router's fact.
    Fact {
        /// The router.
        router: u32,
        /// The call that it was asked about, if any.
        call: Option<CallId>,
        /// The fact.
        fact: Fact,
    },
    /// A router's connections, those included that are being made; told when their number may have changed.
    Connections {
        /// The router.
        router: u32,
        /// How many.
        count: u32,
    },
    /// A task that had stopped taking requests was dialled or sent to.
    Stale {
        /// The task.
        task: u32,
        /// How long it had been deaf.
        after: Span,
    },
    /// A fault begins or ends.
    Fault {
        /// Which, an index into the scenario's.
        fault: u32,
        /// It begins; one that begins again while it is on goes on.
        on: bool,
    },
    /// Something worth a line in the log.
    Happened(Happening),
}

/// Watches a run.
pub trait Tracer {
    /// Takes one note.
    fn note(&mut self, at: Time, note: Note);
    /// True if [`Note::Chose`] is wanted of a call; it costs a second choice.
    fn follows(&self, call: CallId) -> bool;
    /// True if nothing more is wanted: the run may end here. Asked once per event.
    fn has_enough(&self) -> bool {
        false
    }
}

/// Keeps every fact with its router and time, in order.
#[derive(Default)]
pub(super) struct Facts(pub(super) Vec<(u32, Time, Fact)>);

impl Tracer for Facts {
    fn note(&mut self, at: Time, note: Note) {
        if let Note::Fact { router, fact, .. } = note {
            self.0.push((router, at, fact));
        }
    }
    fn follows(&self, _call: CallId) -> bool {
        false
    }
}

impl super::world::World<'_> {
    /// Tells who watches, if anybody does.
    #[inline]
    pub(super) fn note(&mut self, note: Note) {
        if let Some(tracer) = &mut self.tracer {
            tracer.note(self.engine.now(), note);
        }
    }

    /// Somebody watches from now on: who is there already.
    pub(super) fn name_tasks(&mut self) {
        for task in 0..self.tasks.len() {
            let (service, number) = (self.tasks[task].service, self.tasks[task].number);
            self.note(Note::Task { service, number });
        }
        self.recorder.tells = true;
    }

    /// Why the next step of a call would choose whom it would choose, if somebody follows the call.
    #[inline(never)]
    pub(super) fn explain(&mut self, at: Ref<Call>) -> Option<Chosen> {
        if !self.tracer.as_ref()?.follows(at.into()) {
            return None;
        }
        let call = self.calls.get(at)?;
        let mut draw = call.key.draw(Purpose::Choose, u64::from(call.flight.attempts()));
        let cx = &mut Cx { now: self.engine.now(), rng: &mut draw, facts: &mut NoFacts };
        self.routers[call.router as usize].router.explain(cx, &call.flight)
    }

    /// What the step of a call came to that had made so many attempts.
    #[inline(never)]
    pub(super) fn note_choice(&mut self, at: Ref<Call>, attempts: u64, why: Option<Chosen>, step: Step) {
        if step == Step::Resolve {
            return self.note(Note::LooksUp { call: at.into() });
        }
        let Some(call) = self.calls.get(at) else { return };
        let now = call.flight.attempts();
        let Some(endpoint) = call.flight.endpoint() else { return };
        if u64::from(now) <= attempts {
            return;
        }
        let router = &self.routers[call.router as usize].router;
        let Some(host) = router.member_of(endpoint).map(Host::from) else { return };
        // The pool may have had another idea.
        let why = why.filter(|why| why.endpoint == endpoint);
        let other = why.and_then(|why| why.other).and_then(|(other, _)| router.member_of(other)).map(Host::from);
        self.note(Note::Chose { call: at.into(), attempt: now - 1, host, why, other });
    }

    /// A call has begun.
    #[inline(never)]
    pub(super) fn note_call(&mut self, at: Ref<Call>) {
        let Some(call) = self.calls.get(at) else { return };
        let by = match call.parent {
            CallParent::Job(job) => Caller::Job(job.into()),
            CallParent::Relay { call: outer, attempt } => {
                Caller::Node { node: self.routers[call.router as usize].node, call: outer.into(), attempt }
            }
        };
        let edge = self.program.sites[call.site as usize].edge.0;
        self.note(Note::Called { call: at.into(), by, edge });
    }

    /// Passes on what the recorder has logged. True if the one who watches has enough.
    #[inline(never)]
    pub(super) fn tell(&mut self) -> bool {
        let Some(tracer) = &mut self.tracer else { return false };
        for happening in self.recorder.told.drain(..) {
            tracer.note(happening.at, Note::Happened(happening));
        }
        tracer.has_enough()
    }
}
