//! Many scenarios on one pool of threads: the cells of a sweep, the claims of a ledger.
//!
//! *Knows* how runs of different scenarios share the machine. *Does not know* where scenarios come
//! from or what becomes of a study. Invariants: a study depends on its scenario alone; at most a
//! scenario per thread, and one more, is under way, so memory does not grow with their number.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use rayon::iter::ParallelBridge;
use rayon::iter::ParallelIterator;

use super::Conduct;
use super::Limits;
use super::Progress;
use super::RunError;
use crate::measure::frame::Frame;
use crate::measure::study::Engine;
use crate::measure::study::PlaneResult;
use crate::measure::study::Reduced;
use crate::measure::study::Study;
use crate::scenario::Replications;
use crate::scenario::Scenario;

/// How often each plane of `scenario` is run here: replications are fixed, so that scenarios can
/// be compared run by run. A search by precision takes the number at which it would end.
pub fn replications(scenario: &Scenario) -> u32 {
    match scenario.run.replications {
        Replications::Fixed(n) => n.max(1),
        Replications::Precision { at_most, .. } => at_most.max(1),
    }
}

/// A scenario under way.
struct Open<T> {
    tag: T,
    scenario: Scenario,
    frame: Frame,
    state: Mutex<State>,
}

struct State {
    planes: Vec<PlaneResult>,
    engine: Engine,
    left: u32,
    /// The first error, in order of replications and planes.
    failed: Option<((u32, usize), RunError)>,
}

/// Runs every scenario that `scenarios` yields and hands each study to `done` as soon as it is
/// complete, in any order and from any thread. `planned` is the number of runs expected, for the
/// progress. Stopped early, it leaves out what was not complete.
pub fn many<T: Send + Sync>(
    conduct: &Conduct<'_>,
    planned: u32,
    scenarios: impl Iterator<Item = (T, Scenario)> + Send,
    done: impl Fn(&T, &Scenario, Result<Study, RunError>) + Sync,
) {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(conduct.jobs)
        .build()
        .expect("a pool of threads can be made wherever threads can");
    let jobs = pool.current_num_threads() as u32;
    let finished = AtomicU32::new(0);
    let halted = || conduct.stop.load(Ordering::Relaxed);
    let work = scenarios.take_while(|_| !halted()).flat_map(|(tag, scenario)| {
        let planes: Vec<usize> =
            (0..scenario.planes.len()).filter(|&p| scenario.planes[p].not_applicable.is_none()).collect();
        let often = if planes.is_empty() { 0 } else { replications(&scenario) };
        let state = State {
            planes: vec![PlaneResult::default(); scenario.planes.len()],
            engine: Engine { jobs, ..Engine::default() },
            left: often * planes.len() as u32,
            failed: None,
        };
        let open = Arc::new(Open { tag, frame: Frame::of(&scenario), scenario, state: Mutex::new(state) });
        let mut runs: Vec<(u32, Option<usize>)> =
            (0..often).flat_map(|r| planes.iter().map(move |&plane| (r, Some(plane)))).collect();
        if runs.is_empty() {
            // No plane applies: the study is empty, and somebody waits for it.
            runs.push((0, None));
        }
        runs.into_iter().map(move |(replication, plane)| (Arc::clone(&open), replication, plane))
    });
    pool.install(|| {
        work.par_bridge().for_each(|(open, replication, plane)| {
            let Some(plane) = plane else {
                done(&open.tag, &open.scenario, Ok(study_of(&open, Vec::new(), Engine::default())));
                return;
            };
            if halted() {
                return;
            }
            let limits = Limits { stop: conduct.stop, events_max: conduct.events_max };
            let outcome = super::run(&open.scenario, plane, replication, limits);
            let outcome = outcome.map(|recording| Reduced::of(recording, &open.frame));
            if let Some(outcome) = open.enter(plane, replication, outcome) {
                done(&open.tag, &open.scenario, outcome);
            }
            let finished = finished.fetch_add(1, Ordering::Relaxed) + 1;
            (conduct.progress)(Progress { done: finished, planned: planned.max(finished) });
        });
    });
}

impl<T> Open<T> {
    /// Enters one run; the study once it was the last.
    fn enter(
        &self,
        plane: usize,
        replication: u32,
        outcome: Result<Reduced, RunError>,
    ) -> Option<Result<Study, RunError>> {
        let mut state = self.state.lock().expect("no run panics while it holds the state");
        match outcome {
            // A cut run leaves its scenario incomplete for ever.
            Ok(reduced) if reduced.partial => return None,
            Ok(reduced) => {
                state.engine.events += reduced.engine_events;
                state.engine.requests += reduced.arrived();
                state.planes[plane].absorb(reduced);
            }
            Err(error) => {
                if state.failed.as_ref().is_none_or(|(at, _)| *at > (replication, plane)) {
                    state.failed = Some(((replication, plane), error));
                }
            }
        }
        state.left -= 1;
        if state.left > 0 {
            return None;
        }
        Some(match state.failed.take() {
            Some((_, error)) => Err(error),
            None => Ok(study_of(self, std::mem::take(&mut state.planes), state.engine)),
        })
    }
}

fn study_of<T>(open: &Open<T>, planes: Vec<PlaneResult>, engine: Engine) -> Study {
    let scenario = &open.scenario;
    let all = scenario.planes.len();
    let empty = planes.is_empty();
    Study {
        frame: open.frame.clone(),
        seed: scenario.run.seed,
        confidence: scenario.run.confidence,
        planes: if empty { vec![PlaneResult::default(); all] } else { planes },
        replications: if empty { 0 } else { replications(scenario) },
        partial: false,
        engine,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::scenario::LoadOptions;

    fn scenario(tasks: u32) -> Scenario {
        let text = format!(
            "compare = [\"direct\", \"service-connect\"]\n[service.a]\ncalls = [\"b\"]\n[service.b]\ntasks = {tasks}\n\
             latency = \"10ms\"\n[load]\nrate = \"20/s\"\n[run]\nduration = \"5s\"\nreplications = 3\n"
        );
        crate::scenario::parse("t.toml", &text, Path::new("."), &LoadOptions::default()).unwrap().scenario
    }

    /// The digests of every run, plane by plane.
    fn digests(study: &Study) -> Vec<Vec<u64>> {
        study.planes.iter().map(|plane| plane.replicas.iter().map(|r| r.digest).collect()).collect()
    }

    #[test]
    fn a_scenario_among_many_gives_what_it_gives_alone() {
        let stop = AtomicBool::new(false);
        let conduct = |jobs| Conduct { jobs, only: None, events_max: 1 << 40, stop: &stop, progress: &|_| {} };
        let alone: Vec<_> = (1..=4)
            .map(|tasks| {
                let study = crate::sim::replicate(&scenario(tasks), &conduct(1)).unwrap();
                assert_eq!(study.replications, 3);
                digests(&study)
            })
            .collect();
        assert_ne!(alone[0], alone[1]);
        for jobs in [1, 3] {
            let found = Mutex::new(vec![Vec::new(); 4]);
            many(&conduct(jobs), 24, (1..=4).map(|tasks| (tasks, scenario(tasks))), |&tasks, _, study| {
                found.lock().unwrap()[tasks as usize - 1] = digests(&study.unwrap());
            });
            assert_eq!(found.into_inner().unwrap(), alone, "{jobs} threads");
        }
    }

    #[test]
    fn a_stopped_crowd_hands_over_nothing_incomplete() {
        let stop = AtomicBool::new(false);
        let progress = |progress: Progress| {
            if progress.done == 2 {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let conduct = Conduct { jobs: 1, only: None, events_max: 1 << 40, stop: &stop, progress: &progress };
        let done = AtomicU32::new(0);
        many(&conduct, 24, (1..=4).map(|tasks| (tasks, scenario(tasks))), |_, _, _| {
            done.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(done.into_inner(), 0, "six runs make a study, two were made");
    }
}
