//! What goes wrong, for whom, when.
//!
//! *Knows* the words of the vocabulary. *Does not know* TOML, nor how anything is simulated.

use crate::scenario::Distribution;
use crate::scenario::EdgeId;
use crate::scenario::ServiceId;
use crate::units::Ratio;
use crate::units::Span;
use crate::units::Time;

/// `[[fault]]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Fault {
    /// Its name, usable in `during`; "fault 2" if the user gave none.
    pub name: String,
    /// What goes wrong.
    pub kind: FaultKind,
    /// For whom.
    pub target: Target,
    /// When.
    pub when: When,
}

/// When a fault is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// Once.
    Once {
        /// From.
        at: Time,
        /// For how long; `None` is to the end (or a single stroke, for `crash` and `stop`).
        lasts: Option<Span>,
    },
    /// Again and again.
    Every {
        /// Time between beginnings; the first comes after one period.
        period: Span,
        /// How long each lasts.
        lasts: Option<Span>,
    },
}

/// What goes wrong.
#[derive(Clone, PartialEq, Debug)]
pub enum FaultKind {
    /// Health checks pass; real requests are answered `status` at once.
    Wedge {
        /// The status.
        status: u16,
    },
    /// A share of real requests is answered `status` at once; health checks pass.
    Grey {
        /// The status.
        status: u16,
        /// The share.
        rate: Ratio,
    },
    /// A share of requests is answered `status` after its work; deep checks fail with that probability.
    Errors {
        /// The status.
        status: u16,
        /// The share.
        rate: Ratio,
    },
    /// Accepts, never answers; probes included.
    Hang,
    /// Service time times a factor in parts per million of itself, plus an addition.
    Slow {
        /// Factor in thousandths: 3000 is three times as slow.
        factor_milli: u32,
        /// Added to each request's work.
        added: Option<Distribution>,
    },
    /// Accepts and resets.
    Reset,
    /// The port is closed.
    Refuse,
    /// The process is gone without notice; ECS replaces the task.
    Crash,
    /// `StopTask`: SIGTERM, drain, SIGKILL; ECS replaces the task.
    Stop,
}

/// For whom.
#[derive(Clone, PartialEq, Debug)]
pub enum Target {
    /// `payments#1`: the task of that number (1 is the first).
    Task(ServiceId, u32),
    /// `payments#any`: one task, drawn at each beginning.
    AnyTask(ServiceId),
    /// `payments[50%]`: this share of the tasks, rounded up, the first ones.
    Share(ServiceId, Ratio),
    /// `payments`: all tasks.
    Service(ServiceId),
    /// `web->payments`: only requests on that edge see it.
    Edge(EdgeId),
    /// `zone:a`: every task in the zone (index into [`Scenario::zones`](crate::scenario::Scenario::zones)).
    Zone(u8),
}
