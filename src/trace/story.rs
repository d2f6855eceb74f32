//! What became of one request: its jobs, its calls, their attempts.
//!
//! *Knows* the parts of a story and how they hang together. *Does not know* where it comes from.

use crate::policy::Chosen;
use crate::policy::EndpointId;
use crate::policy::Flag;
use crate::policy::Flags;
use crate::policy::Trouble;
use crate::policy::fact::BackOff;
use crate::policy::fact::Denial;
use crate::policy::fact::Detector;
use crate::policy::fact::Limit;
use crate::policy::fact::TimeLimit;
use crate::sim::Host;
use crate::sim::Refusal;
use crate::units::Span;
use crate::units::Time;

/// A request from outside.
#[derive(Clone, PartialEq, Debug)]
pub struct Story {
    /// Its number, 1 for the first to arrive.
    pub request: u32,
    /// When it arrived.
    pub arrived: Time,
    /// The task that it came to; `None` if there was none.
    pub task: Option<u32>,
    /// How that task took it, if it did not serve it.
    pub refused: Option<Refusal>,
    /// When it was answered, and how; 0 is no answer.
    pub answered: Option<(Time, u16)>,
    /// Its lane.
    pub lane: u32,
    /// Everything that was worked on for it; the first is what the user asked for.
    pub jobs: Vec<Job>,
    /// Every call that was made for it.
    pub calls: Vec<Call>,
    /// Jobs and calls that are not over.
    pub open: u32,
}

impl Story {
    /// Answered, and nobody works for it any more.
    pub fn is_over(&self) -> bool {
        self.answered.is_some() && self.open == 0
    }
    /// It failed, or was never answered.
    pub fn failed(&self) -> bool {
        self.answered.is_none_or(|(_, status)| status == 0 || status >= 500)
    }
    /// Attempts of all calls that tasks made; those of an ALB's nodes are part of them.
    pub fn attempts(&self) -> usize {
        self.calls.iter().filter(|call| call.node.is_none()).map(|call| call.attempts.len()).sum()
    }
}

/// One request in one task, or one branch of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Job {
    /// Where.
    pub task: u32,
    /// What is asked for.
    pub endpoint: u16,
    /// The job that it is a branch of.
    pub branch_of: Option<usize>,
    /// When it came.
    pub came: Time,
    /// When it got a server; `None` while it waits.
    pub started: Option<Time>,
    /// When it was over, and what it answered; 0 is nothing whole.
    pub over: Option<(Time, u16)>,
    /// Its lane.
    pub lane: u32,
    /// What it did, in order.
    pub parts: Vec<Part>,
}

/// Something that a job did.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Part {
    /// A call, an index into [`Story::calls`].
    Call(usize),
    /// A branch, an index into [`Story::jobs`].
    Branch(usize),
    /// A call that could not be begun.
    NotCalled {
        /// When.
        at: Time,
        /// The edge.
        edge: u32,
        /// Why.
        flag: Flag,
    },
}

/// A call.
#[derive(Clone, PartialEq, Debug)]
pub struct Call {
    /// Who makes it: a task.
    pub task: Option<u32>,
    /// Or an ALB node.
    pub node: Option<u32>,
    /// The edge, an index into the scenario's.
    pub edge: u32,
    /// When it began.
    pub began: Time,
    /// When it was over.
    pub over: Option<Time>,
    /// What its caller saw; `None` if the caller died before.
    pub result: Option<(u16, Flags)>,
    /// Its lane.
    pub lane: u32,
    /// When it waited for a look-up.
    pub looked_up: Option<Time>,
    /// A ceiling that it met.
    pub limit: Option<Limit>,
    /// Its attempts, in order.
    pub attempts: Vec<Attempt>,
}

/// An attempt.
#[derive(Clone, PartialEq, Debug)]
pub struct Attempt {
    /// Its number, from 0.
    pub number: u8,
    /// Where to.
    pub host: Host,
    /// Where it was to go when it was chosen: another's connection may have come free first.
    pub meant: Host,
    /// The router's name for that.
    pub endpoint: Option<EndpointId>,
    /// Why there.
    pub why: Option<Chosen>,
    /// Who was drawn with it and passed over.
    pub other: Option<Host>,
    /// When it was chosen.
    pub chosen: Time,
    /// When it had a connection.
    pub sent: Option<Time>,
    /// One way.
    pub wire: Span,
    /// How its endpoint turned it away.
    pub refused: Option<Refusal>,
    /// What was worked on for it, an index into [`Story::jobs`].
    pub job: Option<usize>,
    /// The call that a node made for it, an index into [`Story::calls`].
    pub relayed: Option<usize>,
    /// When it was over.
    pub over: Option<Time>,
    /// How it ended; `None` if it was given up.
    pub end: Option<End>,
    /// Which time limit ended it.
    pub timed_out: Option<TimeLimit>,
    /// A retry was decided.
    pub retried: Option<BackOff>,
    /// A retry was wanted and not allowed.
    pub denied: Option<Denial>,
    /// It went on beside its retry.
    pub slow: bool,
    /// It made a detector take its endpoint out, until then at the earliest.
    pub ejected: Option<(Detector, Time)>,
    /// Its lane, if it has one of its own beside its call's.
    pub lane: Option<u32>,
}

/// How an attempt ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// With an answer.
    Answered(u16),
    /// Without one.
    Failed(Trouble),
}
