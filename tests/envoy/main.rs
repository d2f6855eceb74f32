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
//! `SCSIM_ENVOY_SEED` is the seed of all cases, `SCSIM_ENVOY_CASE` plays one of them only.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the real Envoy lives in real time, is found through the environment, and a test says what it skipped"
)]

#[path = "../support/envoy/mod.rs"]
mod envoy;
mod experiments;
mod setup;

use std::path::PathBuf;
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
