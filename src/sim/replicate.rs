//! All planes times all replications, on as many threads as asked for.
//!
//! *Knows* how work is spread and when there is enough of it. *Does not know* clocks: the caller
//! measures the wall. Invariant: the result depends on the scenario alone, never on the number of
//! threads; a replication counts only when every plane finished it, so that planes stay paired.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use rayon::iter::ParallelBridge;
use rayon::iter::ParallelIterator;

use super::Limits;
use super::RunError;
use crate::measure::Recording;
use crate::measure::estimate::Bad;
use crate::measure::estimate::Estimator;
use crate::measure::frame::Frame;
use crate::measure::study::Engine;
use crate::measure::study::PlaneResult;
use crate::measure::study::Reduced;
use crate::measure::study::Study;
use crate::scenario::Replications;
use crate::scenario::Scenario;

/// How a study is carried out.
pub struct Conduct<'a> {
    /// Threads; 0 is one per core.
    pub jobs: usize,
    /// Run this replication only.
    pub only: Option<u32>,
    /// Events after which a single run is given up.
    pub events_max: u64,
    /// Set from outside to stop early.
    pub stop: &'a AtomicBool,
    /// Told after each run.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// How far a study has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Runs finished.
    pub done: u32,
    /// Runs planned so far.
    pub planned: u32,
}

/// First batch when replications go by precision, and the least growth of a later one.
const FIRST_BATCH: u32 = 5;

/// Runs every applicable plane of `scenario` as often as it says.
///
/// Stopped early, it returns the replications that every plane had finished, or, if there are
/// none, the cut recordings of the first; either way the study is marked partial.
///
/// # Errors
/// The [`RunError`] of the first run, in order of replications and planes, that hit a limit.
pub fn replicate(scenario: &Scenario, conduct: &Conduct<'_>) -> Result<Study, RunError> {
    replicate_with(scenario, conduct, |plane, replication, limits| super::run(scenario, plane, replication, limits))
}

/// [`replicate`] around any way of running one replication.
///
/// # Errors
/// As [`replicate`].
pub fn replicate_with(
    scenario: &Scenario,
    conduct: &Conduct<'_>,
    run: impl Fn(usize, u32, Limits<'_>) -> Result<Recording, RunError> + Sync,
) -> Result<Study, RunError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(conduct.jobs)
        .build()
        .expect("a pool of threads can be made wherever threads can");
    let mut study = Study {
        frame: Frame::of(scenario),
        seed: scenario.run.seed,
        confidence: scenario.run.confidence,
        planes: vec![PlaneResult::default(); scenario.planes.len()],
        replications: 0,
        partial: false,
        engine: Engine { jobs: pool.current_num_threads() as u32, ..Engine::default() },
    };
    let planes: Vec<usize> =
        (0..scenario.planes.len()).filter(|&p| scenario.planes[p].not_applicable.is_none()).collect();
    if let Some(only) = conduct.only {
        batch(&pool, &mut study, &planes, only..only + 1, conduct, &run)?;
        return Ok(study);
    }
    match scenario.run.replications {
        Replications::Fixed(n) => batch(&pool, &mut study, &planes, 0..n.max(1), conduct, &run)?,
        Replications::Precision { relative, at_most } => {
            let mut until = FIRST_BATCH.min(at_most.max(1));
            batch(&pool, &mut study, &planes, 0..until, conduct, &run)?;
            while !study.partial && until < at_most {
                let Some(needed) = needed_for(&study, relative) else { break };
                let next = needed.clamp(until + FIRST_BATCH, until.saturating_mul(4)).min(at_most);
                batch(&pool, &mut study, &planes, until..next, conduct, &run)?;
                until = next;
            }
        }
    }
    Ok(study)
}

/// Adds replications to a study of `scenario` until there are `until`: the same study as if that many had
/// been asked for at once.
///
/// # Errors
/// As [`replicate`].
pub fn extend(study: &mut Study, scenario: &Scenario, until: u32, conduct: &Conduct<'_>) -> Result<(), RunError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(conduct.jobs)
        .build()
        .expect("a pool of threads can be made wherever threads can");
    let planes: Vec<usize> =
        (0..scenario.planes.len()).filter(|&p| scenario.planes[p].not_applicable.is_none()).collect();
    let run = |plane, replication, limits: Limits<'_>| super::run(scenario, plane, replication, limits);
    batch(&pool, study, &planes, study.replications..until, conduct, &run)
}

/// Results of runs whose replication is not complete yet, and the totals.
struct Ledger<'s> {
    study: &'s mut Study,
    waiting: BTreeMap<u32, Vec<Option<Reduced>>>,
    failed: Option<((u32, usize), RunError)>,
    done: u32,
}

fn batch(
    pool: &rayon::ThreadPool,
    study: &mut Study,
    planes: &[usize],
    replications: std::ops::Range<u32>,
    conduct: &Conduct<'_>,
    run: &(impl Fn(usize, u32, Limits<'_>) -> Result<Recording, RunError> + Sync),
) -> Result<(), RunError> {
    if planes.is_empty() {
        return Ok(());
    }
    let before = study.replications * planes.len() as u32;
    let planned = before + (replications.end - replications.start) * planes.len() as u32;
    let frame = study.frame.clone();
    let ledger = Mutex::new(Ledger { study, waiting: BTreeMap::new(), failed: None, done: before });
    let abandoned = AtomicBool::new(false);
    // Replication by replication, so that few wait for their last plane.
    let work = replications.flat_map(|r| planes.iter().enumerate().map(move |(slot, &plane)| (r, slot, plane)));
    pool.install(|| {
        work.par_bridge().for_each(|(replication, slot, plane)| {
            if conduct.stop.load(Ordering::Relaxed) || abandoned.load(Ordering::Relaxed) {
                return;
            }
            let limits = Limits { stop: conduct.stop, events_max: conduct.events_max };
            let outcome = run(plane, replication, limits).map(|recording| Reduced::of(recording, &frame));
            let mut ledger = ledger.lock().expect("no run panics while it holds the ledger");
            match outcome {
                Ok(reduced) => {
                    ledger.enter(planes, replication, slot, reduced);
                    ledger.done += 1;
                    let progress = Progress { done: ledger.done, planned };
                    drop(ledger);
                    (conduct.progress)(progress);
                }
                Err(error) => {
                    abandoned.store(true, Ordering::Relaxed);
                    if ledger.failed.as_ref().is_none_or(|(at, _)| *at > (replication, slot)) {
                        ledger.failed = Some(((replication, slot), error));
                    }
                }
            }
        });
    });
    let ledger = ledger.into_inner().expect("no run panics while it holds the ledger");
    ledger.close(planes, planned)
}

impl Ledger<'_> {
    fn enter(&mut self, planes: &[usize], replication: u32, slot: usize, reduced: Reduced) {
        self.study.engine.events += reduced.engine_events;
        self.study.engine.requests += reduced.arrived();
        let row = self.waiting.entry(replication).or_insert_with(|| planes.iter().map(|_| None).collect());
        row[slot] = Some(reduced);
        if row.iter().all(|r| r.as_ref().is_some_and(|r| !r.partial)) {
            let row = self.waiting.remove(&replication).expect("the row was just filled");
            self.absorb(planes, row);
        }
    }

    fn absorb(&mut self, planes: &[usize], row: Vec<Option<Reduced>>) {
        for (&plane, reduced) in planes.iter().zip(row) {
            if let Some(reduced) = reduced {
                self.study.planes[plane].absorb(reduced);
            }
        }
        self.study.replications += 1;
    }

    fn close(mut self, planes: &[usize], planned: u32) -> Result<(), RunError> {
        if let Some((_, error)) = self.failed.take() {
            return Err(error);
        }
        if self.study.replications * (planes.len() as u32) < planned {
            self.study.partial = true;
            // Better a cut replication than nothing at all.
            if self.study.replications == 0
                && let Some((_, row)) = std::mem::take(&mut self.waiting).into_iter().next()
            {
                self.absorb(planes, row);
            }
        }
        Ok(())
    }
}

/// How many replications would meet the precision; `None` if it is met. Mean latency and error
/// rate of the users are looked at on every plane, and a rate of zero is as precise as can be.
pub fn needed_for(study: &Study, relative: f64) -> Option<u32> {
    let estimator = Estimator::new(study.confidence);
    let mut needed = None;
    for plane in &study.planes {
        let tallies = || plane.replicas.iter().filter_map(|r| r.tallies.first());
        let means: Vec<f64> = tallies().filter_map(|t| t.mean_ms).collect();
        let rates: Vec<f64> =
            tallies().filter(|t| t.requests > 0).map(|t| t.failed as f64 / t.requests as f64).collect();
        for values in [means, rates] {
            let Some(estimate) = estimator.estimate(&values, Bad::Up) else { continue };
            let Some(half) = estimate.half_width() else { continue };
            if estimate.mean > 0.0 && half > relative * estimate.mean {
                let ratio = half / (relative * estimate.mean);
                let want = (f64::from(study.replications) * ratio * ratio).ceil() as u32;
                needed = Some(needed.unwrap_or(0).max(want));
            }
        }
    }
    needed
}
