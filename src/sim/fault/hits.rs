//! Faults that strike single requests by number, and answers whose body breaks off.
//!
//! *Knows* which request is the n-th and what becomes of it. *Does not know* who sent it.

use crate::policy::Answer;
use crate::policy::AttemptNo;
use crate::policy::Outcome;
use crate::scenario::FaultKind;
use crate::scenario::Hits;
use crate::scenario::Target;
use crate::sim::call::CUT;
use crate::sim::call::Call;
use crate::sim::network::Reception;
use crate::sim::random::Purpose;
use crate::sim::record::NOBODY;
use crate::sim::slab::Ref;
use crate::sim::task::Job;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Ratio;
use crate::units::Span;

impl World<'_> {
    /// Counts a request that a task received, and says how it is received if one of the faults that
    /// count strikes it. What strikes it later, in its work or answer, is kept in `marked`.
    pub(in crate::sim) fn numbered(&mut self, task: u32, arrow: u32, fronted: bool) -> Reception {
        let scenario = self.scenario;
        let mut struck = NOBODY;
        for (i, (fault, spec)) in self.faults.iter_mut().zip(&scenario.faults).enumerate() {
            let aimed = match spec.target {
                Target::Edge(edge) => edge.0 == arrow,
                _ => fault.tasks.contains(&task),
            };
            if fault.on && aimed && spec.how.hits != Hits::All {
                fault.seen += 1;
                if struck == NOBODY && spec.how.hits.strikes(fault.seen) {
                    struck = i as u32;
                }
            }
        }
        if struck == NOBODY {
            return Reception::Serves;
        }
        match scenario.faults[struck as usize].kind {
            FaultKind::Wedge { status } | FaultKind::Grey { status, .. } => Reception::Answers(status),
            FaultKind::Hang => Reception::Silent,
            FaultKind::Reset if fronted => Reception::Answers(503),
            FaultKind::Reset => Reception::Breaks,
            FaultKind::ResetAfter { delay } => Reception::BreaksAfter(delay),
            _ => {
                self.faulting.marked = struck;
                Reception::Serves
            }
        }
    }

    /// The status that a fault which counts gives this request after its work.
    pub(in crate::sim) fn marked_error(&self, job: &Job) -> Option<u16> {
        match self.scenario.faults.get(job.struck as usize)?.kind {
            FaultKind::Errors { status, .. } => Some(status),
            _ => None,
        }
    }

    /// By how much a fault that counts slows this request down: factor and addition.
    pub(in crate::sim) fn marked_slow(&self, struck: u32) -> Option<(u32, Option<(u32, u32)>)> {
        let FaultKind::Slow { factor_milli, .. } = self.scenario.faults.get(struck as usize)?.kind else { return None };
        let fault = &self.faults[struck as usize];
        let factor = super::effect::part_of_factor(factor_milli, fault.level);
        Some((factor, fault.sampler.map(|sampler| (sampler, fault.level))))
    }

    /// How much of the answer's body comes, if not all.
    #[inline]
    pub(in crate::sim) fn cut_short(&self, job: &Job) -> Option<Ratio> {
        if job.struck != NOBODY
            && let FaultKind::CutBody { sent, .. } = self.scenario.faults[job.struck as usize].kind
        {
            return Some(sent);
        }
        let on_task = &self.tasks[job.task as usize].trouble;
        let on_edge = if job.edge == NOBODY { None } else { self.edge_trouble.get(job.edge as usize) };
        let cuts = std::iter::once(on_task).chain(on_edge).filter(|trouble| trouble.sick);
        cuts.filter_map(|trouble| trouble.cut)
            .find(|(rate, _)| rate.covers(job.key.draw(Purpose::Fault, 2).word()))
            .map(|(_, sent)| sent)
    }

    /// An attempt breaks after that time, unless it has its answer by then.
    pub(in crate::sim) fn break_after(&mut self, call: Ref<Call>, attempt: u8, delay: Span, fronted: bool) {
        // Behind a living sidecar a broken app is a 503 of that sidecar.
        let broken = if fronted { Ev::Answer { call, attempt, status: 503 } } else { Ev::Broken { call, attempt } };
        self.engine.after(delay, broken);
    }

    /// Headers, and then the connection breaks. Headers of 200 are an answer to every router: it has
    /// passed them on, so it retries nothing, and charges the endpoint with a success before it sees
    /// the break (Envoy: `downstream_response_started_`; source). The failure it then counts is left out.
    pub(in crate::sim) fn on_cut(&mut self, at: Ref<Call>, attempt: u8) {
        let Some(call) = self.calls.get_mut(at) else { return };
        if call.flight.is_open(AttemptNo(attempt)) {
            call.hidden_status = CUT;
            self.report(at, attempt, Outcome::Answered(Answer::of(200).with_body(true)));
        }
    }
}
