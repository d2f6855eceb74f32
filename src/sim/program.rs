//! Endpoints compiled to flat programs, and every distribution made ready for drawing.
//!
//! *Knows* how steps become instructions. *Does not know* tasks or time. A job runs a program
//! from its first instruction to `End`; branches of a fork are programs of their own that end
//! with `End` too.

use super::random::Sampler;
use crate::scenario::CallSite;
use crate::scenario::Endpoint;
use crate::scenario::Scenario;
use crate::scenario::Step;
use crate::units::Ratio;

/// One instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    /// Work for a draw of that sampler.
    Work(u32),
    /// Call that site.
    Call(u32),
    /// Run the branches (a range of [`Program::branches`]) at once; go on when all are over.
    Fork {
        /// First branch.
        first: u32,
        /// How many.
        count: u32,
    },
    /// The job is over.
    End,
}

/// Where an endpoint begins and how often it fails by itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) start: u32,
    pub(super) errors: Ratio,
    /// The status of those failures.
    pub(super) error_status: u16,
    /// The first work's sampler, for deep health checks.
    pub(super) first_work: Option<u32>,
}

/// All programs of a scenario.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) ops: Vec<Op>,
    pub(super) samplers: Vec<Sampler>,
    pub(super) sites: Vec<CallSite>,
    /// Where each branch begins.
    pub(super) branches: Vec<u32>,
    /// Per version: the endpoints.
    versions: Vec<Vec<Entry>>,
}

/// A version of a service: what its tasks run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Version(u32);

impl Program {
    /// Compiles the services as they stand, version `i` for service `i`.
    pub(super) fn new(scenario: &Scenario) -> Program {
        let mut program = Program::default();
        for service in &scenario.services {
            program.version(&service.endpoints);
        }
        program
    }

    /// The version a service begins with.
    pub(super) fn first_version(service: u32) -> Version {
        Version(service)
    }

    /// Compiles a version whose own failures are answered 500.
    fn version(&mut self, endpoints: &[Endpoint]) -> Version {
        self.version_failing_with(endpoints, 500)
    }

    /// Compiles another version, with the status of its own failures.
    pub(super) fn version_failing_with(&mut self, endpoints: &[Endpoint], error_status: u16) -> Version {
        let entries = endpoints
            .iter()
            .map(|endpoint| {
                let start = self.compile(&endpoint.steps);
                let first_work = self.ops[start as usize..].iter().find_map(|op| match op {
                    Op::Work(sampler) => Some(*sampler),
                    _ => None,
                });
                Entry { start, errors: endpoint.errors, error_status, first_work }
            })
            .collect();
        self.versions.push(entries);
        Version((self.versions.len() - 1) as u32)
    }

    #[inline]
    pub(super) fn entry(&self, version: Version, endpoint: u32) -> Entry {
        self.versions[version.0 as usize][endpoint as usize]
    }

    /// Compiles a sequence with its `End`; branches first, so that the sequence stays in one piece.
    fn compile(&mut self, steps: &[Step]) -> u32 {
        let mut ops = Vec::new();
        self.append(steps, &mut ops);
        ops.push(Op::End);
        let start = self.ops.len() as u32;
        self.ops.append(&mut ops);
        start
    }

    fn append(&mut self, steps: &[Step], ops: &mut Vec<Op>) {
        for step in steps {
            match step {
                Step::Work(distribution) => {
                    let sampler = Sampler::new(distribution);
                    if !sampler.is_zero() {
                        self.samplers.push(sampler);
                        ops.push(Op::Work((self.samplers.len() - 1) as u32));
                    }
                }
                Step::Call(site) => {
                    self.sites.push(site.clone());
                    ops.push(Op::Call((self.sites.len() - 1) as u32));
                }
                Step::Parallel(branches) => {
                    let starts: Vec<u32> =
                        branches.iter().map(|branch| self.compile(std::slice::from_ref(branch))).collect();
                    let first = self.branches.len() as u32;
                    self.branches.extend(starts);
                    ops.push(Op::Fork { first, count: branches.len() as u32 });
                }
                Step::Repeat { times, steps } => {
                    for _ in 0..*times {
                        self.append(steps, ops);
                    }
                }
                Step::Sequence(steps) => self.append(steps, ops),
            }
        }
    }

    /// Adds a sampler that no step uses (a fault's).
    pub(super) fn add_sampler(&mut self, sampler: Sampler) -> u32 {
        self.samplers.push(sampler);
        (self.samplers.len() - 1) as u32
    }
}
