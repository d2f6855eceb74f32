//! Trouble of what tells routers about tasks: the control plane, the namespace, the resolver.
//!
//! *Knows* what goes on working without them, and what does not. *Does not know* when they fail;
//! `fault` says so.

use crate::sim::life::Phase;
use crate::sim::world::World;
use crate::units::Span;

/// What is wrong with the ways by which routers hear of tasks.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in crate::sim) struct Outage {
    /// No list reaches a proxy; what it has serves on.
    pub(in crate::sim) push_frozen: bool,
    /// Added to every push.
    pub(in crate::sim) push_delay: Span,
    /// Added to every registration.
    pub(in crate::sim) registration_delay: Span,
    /// The namespace is gone: no name of it resolves for a task that starts.
    pub(in crate::sim) namespace_deleted: bool,
    /// DNS goes on showing the lists it has.
    pub(in crate::sim) dns_frozen: bool,
    /// Every look-up fails (SERVFAIL).
    pub(in crate::sim) dns_failing: bool,
    /// Added to every look-up.
    pub(in crate::sim) dns_delay: Span,
}

impl World<'_> {
    /// The outage changes. What was held back comes when it is over.
    pub(in crate::sim) fn set_outage(&mut self, outage: Outage) {
        self.outage = outage;
    }

    /// A registration that was throttled goes through, unless the task left meanwhile.
    pub(in crate::sim) fn on_registered(&mut self, task: u32) {
        let state = &self.tasks[task as usize];
        if !state.leaving && state.phase != Phase::Gone {
            self.register(task);
        }
    }
}
