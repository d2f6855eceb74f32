//! Counts what is paid by use.
//!
//! *Knows* how to count without slowing anything: a word more per attempt and answer, and once a minute a look at every
//! task and connection. *Does not know* prices. It changes nothing in the world, so no result depends on it.

use super::hop::Feed;
use super::program::Program;
use super::record::NOBODY;
use super::world::Ev;
use super::world::World;
use crate::measure::EdgeUse;
use crate::measure::Leg;
use crate::measure::Usage;
use crate::scenario::Scenario;
use crate::units::Span;
use crate::units::Time;

/// Attempts on the way of one call site: requests and answers, inside a zone and between zones.
#[derive(Clone, Copy, Default)]
struct Count {
    requests: [u64; 2],
    answers: [u64; 2],
}

/// The counters of a run.
pub(super) struct Meter {
    /// By call site, path and leg.
    sites: Vec<Count>,
    /// Connections made by callers, by edge and path.
    opened: Vec<u64>,
    /// Callers' connections that stood, by edge and path, summed over the samples.
    standing: Vec<u64>,
    samples: u64,
    /// Requests of each task at the end of the last stretch.
    seen: Vec<u64>,
    requests_max: Vec<u64>,
    stretch: Span,
    edges: usize,
    /// When the warm-up was over: the counts to take off.
    base: Option<Box<Base>>,
}

struct Base {
    sites: Vec<Count>,
    opened: Vec<u64>,
    lookups: u64,
}

/// The place of a counter: each call site has two paths of two legs.
#[inline]
fn at(site: u32, path: u8, behind: bool) -> usize {
    site as usize * 4 + usize::from(path) * 2 + usize::from(behind)
}

impl Meter {
    pub(super) fn new(scenario: &Scenario, program: &Program) -> Meter {
        let edges = scenario.edges.len();
        let duration = scenario.run.duration.as_nanos();
        let stretches = duration.div_ceil(60_000_000_000).max(1);
        Meter {
            sites: vec![Count::default(); program.sites.len() * 4],
            opened: vec![0; edges * 2],
            standing: vec![0; edges * 2],
            samples: 0,
            seen: Vec::new(),
            requests_max: vec![0; scenario.services.len()],
            stretch: Span::from_nanos(duration / stretches),
            edges,
            base: None,
        }
    }

    /// An attempt is sent.
    #[inline]
    pub(super) fn sent(&mut self, site: u32, path: u8, behind: bool, crosses: bool) {
        let place = at(site, path, behind);
        if place >= self.sites.len() {
            self.grow(place);
        }
        self.sites[place].requests[usize::from(crosses)] += 1;
    }

    /// A deployment has brought call sites of its own.
    #[cold]
    fn grow(&mut self, place: usize) {
        self.sites.resize(place + 1, Count::default());
    }

    /// An answer with its body came back; its request was counted before.
    #[inline]
    pub(super) fn answered(&mut self, site: u32, path: u8, behind: bool, crosses: bool) {
        self.sites[at(site, path, behind)].answers[usize::from(crosses)] += 1;
    }

    /// A caller's connection stands.
    pub(super) fn connected(&mut self, edge: u32, path: u8) {
        if edge != NOBODY {
            self.opened[edge as usize + usize::from(path) * self.edges] += 1;
        }
    }
}

impl World<'_> {
    /// Sets the meter's clock.
    pub(super) fn set_up_meter(&mut self) {
        let (stretch, end) = (self.meter.stretch, Time::ZERO + self.scenario.run.duration);
        let mut next = Time::ZERO + stretch;
        while next <= end && !stretch.is_zero() {
            self.engine.at(next, Ev::Metered);
            next = next + stretch;
        }
    }

    /// A stretch is over: who was busiest, and which connections stand.
    pub(super) fn on_metered(&mut self) {
        let warm = self.engine.now() > Time::ZERO + self.scenario.run.warmup;
        let tasks = &self.recorder.recording.tasks;
        let meter = &mut self.meter;
        meter.seen.resize(tasks.len(), 0);
        for (task, seen) in tasks.iter().zip(&mut meter.seen) {
            let most = &mut meter.requests_max[task.service as usize];
            if warm {
                *most = (*most).max(task.requests - *seen);
            }
            *seen = task.requests;
        }
        if !warm {
            return;
        }
        meter.samples += 1;
        for host in &self.routers {
            if host.edge != NOBODY && host.feed == Feed::Nodes && !host.dead {
                meter.standing[host.edge as usize + usize::from(host.path) * meter.edges] +=
                    u64::from(host.router.connections());
            }
        }
    }

    /// The warm-up is over: what was counted so far does not count.
    pub(super) fn restart_meter(&mut self) {
        if self.scenario.run.warmup.is_zero() {
            return;
        }
        let lookups = self.recorder.recording.lookups;
        let meter = &mut self.meter;
        meter.base = Some(Box::new(Base { sites: meter.sites.clone(), opened: meter.opened.clone(), lookups }));
    }

    /// Reads the meter.
    pub(super) fn read_meter(&mut self, measured: Span) {
        let meter = &self.meter;
        let mut usage = Usage {
            measured,
            edges: vec![EdgeUse::default(); meter.edges * 2],
            lookups: self.recorder.recording.lookups,
            task_requests_max: meter.requests_max.clone(),
            stretch: meter.stretch,
            samples: meter.samples,
        };
        for (number, site) in self.program.sites.iter().enumerate() {
            let sized = site.request.get() + site.response.get() > 0;
            let (request, response) = (site.request.get(), site.response.get());
            for path in 0..2_u8 {
                for behind in [false, true] {
                    let place = at(number as u32, path, behind);
                    let count = meter.sites.get(place).copied().unwrap_or_default();
                    let base = meter.base.as_ref().and_then(|base| base.sites.get(place)).copied().unwrap_or_default();
                    let requests = [count.requests[0] - base.requests[0], count.requests[1] - base.requests[1]];
                    let answers = [count.answers[0] - base.answers[0], count.answers[1] - base.answers[1]];
                    let edge = &mut usage.edges[site.edge.0 as usize + usize::from(path) * meter.edges];
                    let leg = if behind { &mut edge.behind } else { &mut edge.first };
                    leg.requests += requests[0] + requests[1];
                    leg.answers += answers[0] + answers[1];
                    leg.requests_cross += requests[1];
                    if sized {
                        let bytes = |way: usize| {
                            requests[way].saturating_mul(request).saturating_add(answers[way].saturating_mul(response))
                        };
                        leg.bytes = leg.bytes.saturating_add(bytes(0).saturating_add(bytes(1)));
                        leg.bytes_cross = leg.bytes_cross.saturating_add(bytes(1));
                    } else {
                        bare(leg, requests, answers);
                    }
                }
            }
        }
        for (number, edge) in usage.edges.iter_mut().enumerate() {
            edge.connections = meter.opened[number] - meter.base.as_ref().map_or(0, |base| base.opened[number]);
            edge.standing = meter.standing[number];
        }
        usage.lookups -= meter.base.as_ref().map_or(0, |base| base.lookups);
        self.recorder.recording.usage = usage;
    }
}

fn bare(leg: &mut Leg, requests: [u64; 2], answers: [u64; 2]) {
    leg.bare_requests += requests[0] + requests[1];
    leg.bare_requests_cross += requests[1];
    leg.bare_answers += answers[0] + answers[1];
    leg.bare_answers_cross += answers[1];
}
