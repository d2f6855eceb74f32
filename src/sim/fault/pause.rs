//! Tasks that stand still: a collector stops the world, a debugger sent SIGSTOP.
//!
//! *Knows* that nothing a process does goes on while it stands: work, calls it would make, answers, checks.
//! *Does not know* why. The kernel goes on: it accepts connections and keeps what comes.

use crate::sim::life::Phase;
use crate::sim::slab::Ref;
use crate::sim::task::Job;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Span;
use crate::units::Time;

/// How a task stands, and what else it has lost.
#[derive(Clone, Copy, Default, Debug)]
pub(in crate::sim) struct Strain {
    /// It stands still now.
    pub(in crate::sim) stands: bool,
    since: Time,
    until: Time,
    /// How long it stood still, earlier pauses together.
    stood: Span,
    /// Bytes that leaked.
    pub(in crate::sim) leaked: u64,
    /// Since when it leaks.
    pub(in crate::sim) leaks_since: Time,
    /// What its sidecar was last told, thousandths; 0 is nothing yet.
    pub(in crate::sim) sidecar_milli: u32,
}

impl Strain {
    /// How long it stood still up to now.
    fn stood(&self, now: Time) -> Span {
        if self.stands { self.stood + now.since(self.since) } else { self.stood }
    }
    /// How long it will stand still from now on.
    pub(in crate::sim) fn left(&self, now: Time) -> Span {
        if !self.stands {
            Span::ZERO
        } else if self.until == Time::NEVER {
            Span::MAX
        } else {
            self.until.since(now)
        }
    }
}

/// What a task will do when it moves again.
#[derive(Clone, Copy)]
pub(in crate::sim) enum Parked {
    /// Go on with a job after so much more work.
    Run(Ref<Job>, Span),
    /// Answer.
    End(Ref<Job>),
}

impl World<'_> {
    /// A task stands still until then.
    pub(in crate::sim) fn pause(&mut self, task: u32, until: Time) {
        let now = self.engine.now();
        let state = &mut self.tasks[task as usize];
        if state.phase == Phase::Gone || until <= now {
            return;
        }
        if !state.strain.stands {
            state.strain.stands = true;
            state.strain.since = now;
            state.strain.until = until;
        }
        state.strain.until = state.strain.until.max(until);
        if until != Time::NEVER {
            self.engine.at(until, Ev::Resume { task });
        }
    }

    /// It may move again.
    pub(in crate::sim) fn on_resume(&mut self, task: u32) {
        let now = self.engine.now();
        let strain = &mut self.tasks[task as usize].strain;
        if !strain.stands || strain.until > now {
            return;
        }
        strain.stood += now.since(strain.since);
        strain.stands = false;
        let mut waiting = Vec::new();
        self.faulting.parked.retain(|&(of, parked)| {
            if of == task {
                waiting.push(parked);
            }
            of != task
        });
        for parked in waiting {
            match parked {
                Parked::Run(job, Span::ZERO) => self.run(job),
                Parked::Run(at, owed) => {
                    let stood = self.tasks[task as usize].strain.stood;
                    if let Some(job) = self.jobs.get_mut(at) {
                        job.stood = stood;
                    }
                    self.engine.after(owed, Ev::WorkDone(at));
                }
                Parked::End(job) => self.end(job),
            }
        }
    }

    /// It moves again at once, whatever was planned.
    pub(in crate::sim) fn thaw(&mut self, task: u32) {
        self.tasks[task as usize].strain.until = self.engine.now();
        self.on_resume(task);
    }

    /// How long the task of a job stood still so far.
    pub(in crate::sim) fn stood(&self, task: u32) -> Span {
        self.tasks[task as usize].strain.stood(self.engine.now())
    }

    /// True if a job has to wait for its task to move; it is taken up again then.
    pub(in crate::sim) fn parks(&mut self, at: Ref<Job>, parked: Parked) -> bool {
        let Some(job) = self.jobs.get(at) else { return false };
        let task = job.task;
        let stands = self.tasks[task as usize].strain.stands;
        if stands {
            self.faulting.parked.push((task, parked));
        }
        stands
    }

    /// True if the work of a job is not done after all, because its task stood still meanwhile.
    pub(in crate::sim) fn still_works(&mut self, at: Ref<Job>) -> bool {
        let Some(job) = self.jobs.get(at) else { return false };
        let stood = self.stood(job.task);
        let owed = stood.less(job.stood);
        if let Some(job) = self.jobs.get_mut(at) {
            job.stood = stood;
        }
        if self.parks(at, Parked::Run(at, owed)) {
            return true;
        }
        if !owed.is_zero() {
            self.engine.after(owed, Ev::WorkDone(at));
        }
        !owed.is_zero()
    }
}
