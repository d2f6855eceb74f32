//! scsim's policy against the real Envoy 1.40.0: generated cases are played on both, and what
//! every request met and every ejection must agree.
//!
//! Goal: a difference is a bug of scsim or stands in `docs/envoy-differences.md`. Method: `script`
//! makes cases from a seed; `real` plays one on an Envoy in front of scripted upstreams in real
//! time; `module` plays it on a bare router in its own time; `compare` puts the two side by side.
//! Steps lie far from Envoy's timers, so that what a busy machine does to them does not matter;
//! where it did matter, by measurement, the case is played again. `experiments` answers single
//! questions by measurement.
//!
//! Without `SCSIM_ENVOY=<binary>` nothing is compared, and the test says so.
//! `SCSIM_ENVOY_SEED` is the seed of all cases, `SCSIM_ENVOY_CASE` plays one of them only, and
//! `SCSIM_ENVOY_KEEP=1` leaves Envoy's files behind.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the real Envoy lives in real time, is found through the environment, and a test says what it skipped"
)]

mod case;
mod compare;
#[path = "../support/envoy/mod.rs"]
mod envoy;
mod experiments;
mod hash;
mod module;
mod real;
mod script;
mod setup;
mod shares;

use case::Case;
use compare::Verdict;
use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

/// One test at a time: each wants the machine for itself.
static ALONE: Mutex<()> = Mutex::new(());

/// The binary and the right to use it; `None`, having said so, without one.
fn envoy_or_skip(test: &str) -> Option<(PathBuf, MutexGuard<'static, ()>)> {
    let Some(binary) = envoy::process::binary() else {
        eprintln!("{test}: skipped, SCSIM_ENVOY names no Envoy binary");
        return None;
    };
    let alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Some((binary, alone))
}

/// Client, upstreams and clock share one thread: what one of them did is over when the next begins.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built")
}

/// Cases that are played at the same time: more would be in each other's way.
const TOGETHER: usize = 110;

/// How often a disturbed case is played again.
const AGAIN: usize = 3;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// What became of all cases.
#[derive(Default)]
struct Tally {
    equal: usize,
    compared: usize,
    of: usize,
    /// Cases that were compared up to some point only, by the reason.
    cut: BTreeMap<&'static str, usize>,
    /// Disturbed plays that were repeated.
    repeated: Vec<String>,
    /// Disturbed to the last.
    undecided: Vec<String>,
    different: Vec<String>,
}

#[test]
fn generated_cases_agree_with_envoy() {
    let Some((binary, _alone)) = envoy_or_skip("generated cases") else { return };
    let seed = number("SCSIM_ENVOY_SEED").unwrap_or(1);
    let mut cases = script::cases(seed);
    if let Some(only) = number("SCSIM_ENVOY_CASE") {
        cases.retain(|case| case.nth as u64 == only);
    }
    let mut tally = Tally::default();
    let all = cases.len();
    for repeats in 0..=AGAIN {
        let mut again = Vec::new();
        // Neighbours are of one family; each round gets some of all.
        let rounds = cases.len().div_ceil(TOGETHER);
        for round in 0..rounds {
            let some: Vec<Case> = cases.iter().skip(round).step_by(rounds).cloned().collect();
            again.extend(play(&binary, some, repeats, &mut tally));
        }
        cases = again;
    }
    eprintln!(
        "seed {seed}: {} of {} cases agree with Envoy, {} of {} requests compared",
        tally.equal, all, tally.compared, tally.of
    );
    for (why, count) in &tally.cut {
        eprintln!("  {count} cases compared only until {why}");
    }
    eprintln!("  {} disturbed plays were repeated", tally.repeated.len());
    for one in &tally.repeated {
        eprintln!("    {one}");
    }
    for one in &tally.different {
        eprintln!("{one}");
    }
    assert!(tally.different.is_empty(), "{} cases differ from Envoy (seed {seed})", tally.different.len());
    assert!(tally.undecided.is_empty(), "disturbed every time (seed {seed}): {:#?}", tally.undecided);
    assert_eq!(tally.equal, all, "no case is lost");
}

/// Plays the cases together; those that have to be played again come back.
fn play(binary: &Path, cases: Vec<Case>, repeats: usize, tally: &mut Tally) -> Vec<Case> {
    let cases = Arc::new(cases);
    let observed = runtime().block_on(real::play(binary, Arc::clone(&cases)));
    let mut again = Vec::new();
    for (case, observed) in cases.iter().zip(&observed) {
        match compare::judge(case, observed) {
            Verdict::Equal { compared, of, up_to } => {
                tally.equal += 1;
                tally.compared += compared;
                tally.of += of;
                if let Some(why) = up_to {
                    *tally.cut.entry(why).or_default() += 1;
                }
            }
            Verdict::Different { disturbed: Some(why), .. } if repeats < AGAIN => {
                tally.repeated.push(format!("case {}: {why}", case.nth));
                again.push(case.clone());
            }
            Verdict::Different { text, disturbed: Some(why) } => tally.undecided.push(format!("{why}\n{text}")),
            Verdict::Different { text, disturbed: None } => tally.different.push(text),
        }
    }
    again
}
