//! The simulator: runs a scenario on one plane and returns what it recorded.
//!
//! Start reading at [`run`]. `engine` is the clock and its queue, `random` the keyed streams,
//! `world` the state and the closed event enum; the other rooms each handle one kind of event.

mod call;
mod control;
mod deploy;
pub mod engine;
mod fault;
mod hop;
mod host;
mod life;
mod load;
mod many;
mod meter;
mod migration;
mod network;
mod note;
mod program;
pub mod random;
mod record;
mod replicate;
mod scaling;
mod sidecar;
mod slab;
mod task;
#[cfg(test)]
mod tests;
mod world;

pub use many::many;
pub use many::replications;
pub use note::CallId;
pub use note::Caller;
pub use note::For;
pub use note::Host;
pub use note::JobId;
pub use note::Note;
pub use note::Refusal;
pub use note::Tracer;
pub use replicate::Conduct;
pub use replicate::Progress;
pub use replicate::extend;
pub use replicate::needed_for;
pub use replicate::replicate;
pub use replicate::replicate_with;

use crate::measure::Recording;
use crate::policy::Fact;
use crate::scenario::Scenario;
use crate::units::Time;

/// Limits of one run.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// Set from outside to stop early; the recording is then marked partial.
    pub stop: &'a std::sync::atomic::AtomicBool,
    /// Events after which the run is given up.
    pub events_max: u64,
}

/// Why a run gave no recording.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum RunError {
    /// Too many events: the scenario does not end in reasonable time.
    #[error(
        "finish within {events} events: at {at} of simulated time with seed {seed}, replication {replication}, {in_flight} requests were in flight"
    )]
    TooManyEvents {
        /// The limit.
        events: u64,
        /// Simulated time reached.
        at: crate::units::Time,
        /// Requests under way.
        in_flight: u64,
        /// Seed of the run.
        seed: u64,
        /// Replication.
        replication: u32,
    },
}

/// Runs one replication of `scenario` on `scenario.planes[plane]`.
///
/// The result depends on the scenario, the plane, `scenario.run.seed` and `replication`, nothing else.
///
/// # Errors
/// [`RunError`] when a limit is hit.
pub fn run(scenario: &Scenario, plane: usize, replication: u32, limits: Limits<'_>) -> Result<Recording, RunError> {
    world::World::new(scenario, plane, replication).run_to_end(limits)
}

/// As [`run`], watched by `tracer`; the recording is the same, unless the tracer had enough before the end.
///
/// # Errors
/// [`RunError`] when a limit is hit.
pub fn run_traced<'a>(
    scenario: &'a Scenario,
    plane: usize,
    replication: u32,
    limits: Limits<'_>,
    tracer: &'a mut (dyn Tracer + 'a),
) -> Result<Recording, RunError> {
    let mut world = world::World::new(scenario, plane, replication);
    world.tracer = Some(tracer);
    world.name_tasks();
    world.run_to_end(limits)
}

/// As [`run`], with every fact that the routers emitted after the set-up, each with the number
/// of its router. For the test of parity between the drivers.
///
/// # Errors
/// [`RunError`] when a limit is hit.
#[doc(hidden)]
pub fn run_with_facts(
    scenario: &Scenario,
    plane: usize,
    replication: u32,
    limits: Limits<'_>,
) -> Result<Vec<(u32, Time, Fact)>, RunError> {
    let mut facts = note::Facts::default();
    run_traced(scenario, plane, replication, limits, &mut facts)?;
    Ok(facts.0)
}
