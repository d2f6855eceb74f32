//! scsim: a deterministic simulator and chaos testbed for Amazon ECS service-to-service
//! networking, around the very policy code that its sidecar runs on real sockets.
//!
//! Where to start: [`policy`] decides, [`sim`] and `live` are its two drivers, [`scenario`] is
//! their common vocabulary, [`measure`] what a run leaves behind, [`report`] what people read.
//! Who may import whom is a table in `ARCHITECTURE.md`, held by `tests/architecture.rs`.

pub mod capacity;
pub mod cli;
pub mod cost;
pub mod diagnostic;
pub mod ledger;
#[cfg(feature = "live")]
pub mod live;
pub mod measure;
pub mod policy;
pub mod replay;
pub mod report;
pub mod scenario;
pub mod sim;
pub mod sweep;
pub mod trace;
pub mod units;
pub mod validate;

/// The version of the models. It rises when the same scenario gives other numbers; results
/// carry it, and `CHANGELOG.md` says under "Results changed" what moved.
pub const MODEL_VERSION: u32 = 3;
