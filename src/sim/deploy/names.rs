//! Which names a task can resolve, and services that come to be during a run.
//!
//! *Knows* that ECS writes the names of a namespace into a task when it starts, those that existed at its
//! service's last deployment (aws.md 1.5): replacement and scale-out tasks know no more than it. Endpoints
//! behind a known name are another matter; they are pushed. *Does not know* DNS nor ALBs, whose names
//! resolve for everybody as soon as they exist.

use crate::measure::Ending;
use crate::measure::HappeningKind;
use crate::policy::Flag;
use crate::policy::Flags;
use crate::scenario::EdgeId;
use crate::sim::hop::Feed;
use crate::sim::note::Note;
use crate::sim::record::NOBODY;
use crate::sim::record::UNRECORDED;
use crate::sim::slab::Ref;
use crate::sim::task::Job;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Span;
use crate::units::Time;

impl World<'_> {
    /// Services that do not exist yet come when the scenario says so.
    pub(in crate::sim) fn set_up_names(&mut self) {
        let mut late = false;
        for (i, service) in self.scenario.services.iter().enumerate() {
            if service.created > Time::ZERO {
                late = true;
                self.engine.at(service.created, Ev::Created { service: i as u32 });
            }
        }
        let snapshots = self.sidecar().is_some_and(|sidecar| sidecar.snapshot_names);
        self.names_differ = late && snapshots;
    }

    /// A service is created, and with it its name.
    pub(in crate::sim) fn on_created(&mut self, service: u32) {
        let state = &mut self.services[service as usize];
        state.deployed = self.engine.now();
        state.desired = self.scenario.services[service as usize].tasks;
        self.reconcile(service);
    }

    /// Whether a task's name table has the callee of an arrow, which matters to a router in its proxy.
    #[inline]
    pub(in crate::sim) fn resolves(&self, task: u32, edge: u32, router: u32) -> bool {
        if self.routers[router as usize].feed != Feed::Pushed {
            return true;
        }
        let callee = self.scenario.service(self.scenario.edge(EdgeId(edge)).to);
        callee.external || callee.created <= self.tasks[task as usize].deployed
    }

    /// A call to a name that the task does not know fails at once, before any proxy sees it.
    pub(in crate::sim) fn fail_unresolved(&mut self, job: Ref<Job>, site: u32, router: u32, segment: u16) {
        let now = self.engine.now();
        let (edge, optional) = (self.program.sites[site as usize].edge.0, self.program.sites[site as usize].optional);
        let ending = Ending { latency: Span::ZERO, failed: true, attempts: 0, flags: Flags::NONE };
        self.recorder.call_done(segment, edge, now, ending);
        if segment != UNRECORDED {
            self.recorder.recording.rollout.unresolved += 1;
        }
        let host = &mut self.routers[router as usize];
        if !std::mem::replace(&mut host.unresolved, true) {
            let by = host.task;
            self.log(HappeningKind::UnknownHost, by, NOBODY);
        }
        self.note(Note::NotCalled { job: job.into(), edge, flag: Flag::Df });
        // No status: nobody answered.
        self.call_over(job, 0, optional);
    }
}
