//! Which sets of calls get figures of their own.
//!
//! *Knows* the windows and scopes that reports and expectations look at. *Does not know* how a
//! figure is computed. A study keeps one pooled histogram per slice, so the list stays short.

use crate::scenario::EdgeId;
use crate::scenario::Metric;
use crate::scenario::Operand;
use crate::scenario::Scenario;
use crate::scenario::Scope;
use crate::scenario::ServiceId;
use crate::scenario::When;
use crate::scenario::Window;
use crate::units::Span;
use crate::units::Time;

/// What is kept of a recording.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Frame {
    /// The windows of recordings, in their order.
    pub windows: Vec<Window>,
    /// The sets of calls that get figures of their own.
    pub slices: Vec<Slice>,
    /// The percentiles kept per replication (0.99).
    pub shares: Vec<f64>,
    /// Arrivals this early are not counted.
    pub warmup: Span,
    /// End of arrivals.
    pub end: Time,
    /// Beginning of the first fault, and its end if it has one.
    pub first_fault: Option<(Time, Option<Time>)>,
}

/// A set of calls in a window.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slice {
    /// Index into [`Frame::windows`].
    pub window: usize,
    /// Its name.
    pub scope: Scope,
    /// Which calls.
    pub part: Part,
}

/// A set of calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// The requests from outside are in it.
    pub users: bool,
    /// The calls on these edges are in it.
    pub edges: Vec<u32>,
    /// The edges whose attempts and retries are charged to it.
    pub hops: Vec<u32>,
}

impl Frame {
    /// What a study of `scenario` keeps: the users in every standard window, each edge and service
    /// over the whole run, and whatever an expectation asks for.
    pub fn of(scenario: &Scenario) -> Frame {
        let mut frame = Frame {
            windows: scenario.windows(),
            slices: Vec::new(),
            shares: vec![0.5, 0.9, 0.95, 0.99, 0.999],
            warmup: scenario.run.warmup,
            end: Time::ZERO + scenario.run.duration,
            first_fault: first_fault(scenario),
        };
        for window in [Window::All, Window::AnyFault, Window::AnyDeploy] {
            frame.keep(scenario, window, Scope::Users);
        }
        for edge in 0..scenario.edges.len() {
            frame.keep(scenario, Window::All, Scope::Edge(EdgeId(edge as u32)));
        }
        for service in 0..scenario.services.len() {
            frame.keep(scenario, Window::All, Scope::Service(ServiceId(service as u32)));
        }
        for expect in &scenario.expects {
            frame.keep(scenario, expect.during, expect.scope);
            for side in [&expect.left, &expect.right] {
                if let Operand::Metric { metric: Metric::Percentile(share), .. } = side
                    && !frame.shares.contains(share)
                {
                    frame.shares.push(*share);
                }
            }
        }
        for figure in scenario.claim.iter().flat_map(|claim| &claim.figures) {
            frame.keep(scenario, figure.during, figure.scope);
            if let Metric::Percentile(share) = figure.metric
                && !frame.shares.contains(&share)
            {
                frame.shares.push(share);
            }
        }
        frame
    }

    fn keep(&mut self, scenario: &Scenario, window: Window, scope: Scope) {
        let Some(index) = self.windows.iter().position(|w| *w == window) else { return };
        if self.slice(window, scope).is_none() {
            self.slices.push(Slice { window: index, scope, part: Part::of(scenario, scope) });
        }
    }

    /// The slice of that window and scope; `None` if it was not kept.
    pub fn slice(&self, window: Window, scope: Scope) -> Option<usize> {
        self.slices.iter().position(|s| s.scope == scope && self.windows[s.window] == window)
    }
}

impl Part {
    /// The calls that a scope selects. Users are charged every attempt on any edge; a service gets
    /// the calls on the edges into it, and the users too if all of them enter there.
    pub fn of(scenario: &Scenario, scope: Scope) -> Part {
        let edges = 0..scenario.edges.len() as u32;
        match scope {
            Scope::Users => Part { users: true, edges: Vec::new(), hops: edges.collect() },
            Scope::Edge(edge) => Part { users: false, edges: vec![edge.0], hops: vec![edge.0] },
            Scope::Service(service) => {
                let into: Vec<u32> = edges.filter(|&e| scenario.edges[e as usize].to == service).collect();
                let users = !scenario.loads.is_empty() && scenario.loads.iter().all(|l| l.entry == service);
                Part { users, edges: into.clone(), hops: into }
            }
        }
    }
}

/// Beginning and end of the fault that begins first.
fn first_fault(scenario: &Scenario) -> Option<(Time, Option<Time>)> {
    let span = |when: When| when.begins().map(|at| (at, when.lasts().map(|span| at + span)));
    scenario.faults.iter().filter_map(|fault| span(fault.when)).min_by_key(|(at, _)| *at)
}
