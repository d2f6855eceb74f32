//! Whether intervals cover: many small studies of a queue whose mean is known.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;

use rayon::iter::IntoParallelIterator as _;
use rayon::iter::ParallelIterator as _;

use crate::report::figure::Place;
use crate::report::figure::Sheet;
use crate::scenario::LoadOptions;
use crate::scenario::Metric;
use crate::sim;
use crate::sim::Conduct;

use super::FILES;
use super::ValidateError;

/// What came of it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Coverage {
    /// Studies, one per seed.
    pub seeds: u32,
    /// Of them, those whose interval covers the mean.
    pub covered: u32,
    /// Replications of each.
    pub replications: u32,
    /// User requests of all.
    pub requests: u64,
}

impl Coverage {
    /// Share of the intervals that cover.
    pub fn share(&self) -> f64 {
        f64::from(self.covered) / f64::from(self.seeds.max(1))
    }
    /// It lies between 93 and 97 percent.
    pub fn holds(&self) -> bool {
        (0.93..=0.97).contains(&self.share())
    }
    /// A sentence.
    pub fn text(&self) -> String {
        format!(
            "coverage: {} of {} intervals ({:.1} %) cover the exact M/M/1 mean, {} replications each, {} requests in all: {}\n",
            self.covered,
            self.seeds,
            100.0 * self.share(),
            self.replications,
            self.requests,
            if self.holds() { "inside 93 to 97 %" } else { "OUTSIDE 93 to 97 %" }
        )
    }
}

/// The file, and its exact mean in milliseconds.
const FILE: &str = "mm1-rho0.5";
const MEAN_MS: f64 = 20.0;
/// Long against the 12 service times in which this queue forgets.
const DURATION: &str = "33s";
const WARMUP: &str = "3s";
const REPLICATIONS: u32 = 10;

/// Runs one study per seed, 1 to `seeds`, and counts the intervals that cover the exact mean.
///
/// # Errors
/// [`ValidateError`] if the file is broken, a run hits a limit or is stopped.
pub fn coverage(seeds: u32, jobs: usize, stop: &AtomicBool) -> Result<Coverage, ValidateError> {
    let text = FILES.iter().find(|(file, _)| *file == FILE).map_or("", |(_, text)| *text);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(jobs)
        .build()
        .expect("a pool of threads can be made wherever threads can");
    let failed = Mutex::new(None);
    let one = |seed: u32| -> Result<(bool, u64), ValidateError> {
        let options = LoadOptions {
            set: vec![format!("run.warmup={WARMUP}")],
            duration: Some(DURATION.to_owned()),
            // Far apart: a study's replications derive their seeds from its own.
            seed: Some(u64::from(seed) * 1_000_003),
            replications: Some(REPLICATIONS),
            ..LoadOptions::default()
        };
        let scenario = super::parse(FILE, text, &options)?;
        let conduct = Conduct { jobs: 1, only: None, events_max: u64::MAX, stop, progress: &|_| {} };
        let study =
            sim::replicate(&scenario, &conduct).map_err(|error| ValidateError::Run { file: FILE.to_owned(), error })?;
        if study.partial {
            return Err(ValidateError::Stopped);
        }
        let estimate = Sheet::new(&scenario, &study).estimate(Metric::Mean, Place::users(0));
        let covers = |low: Option<f64>, high: Option<f64>| {
            low.is_some_and(|low| low <= MEAN_MS) && high.is_some_and(|high| MEAN_MS <= high)
        };
        Ok((estimate.is_some_and(|e| covers(e.low, e.high)), study.engine.requests))
    };
    let (covered, requests) = pool.install(|| {
        (1..=seeds)
            .into_par_iter()
            .map(|seed| match one(seed) {
                Ok((covers, requests)) => (u32::from(covers), requests),
                Err(error) => {
                    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    (0, 0)
                }
            })
            .reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(Coverage { seeds, covered, replications: REPLICATIONS, requests }),
    }
}
