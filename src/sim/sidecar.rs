//! A sidecar as a thing that costs and can break: processor share, memory, crash, restart.
//!
//! *Knows* what a proxy needs and what becomes of calls while it is slow or gone. *Does not know*
//! any rule of choice: those are `policy`'s.

use crate::sim::world::World;

impl World<'_> {
    /// The proxy of a task dies: its connections break, in and out; its agent starts it again.
    pub(in crate::sim) fn crash_sidecar(&mut self, task: u32) {
        let _ = task;
    }

    /// The proxy of a task needs `factor_milli` thousandths of its usual processor time; 1000 is healthy.
    pub(in crate::sim) fn slow_sidecar(&mut self, task: u32, factor_milli: u32) {
        let _ = (task, factor_milli);
    }
}
