//! The real Envoy on loopback, scripted upstreams behind it, and a client in front.
//!
//! *Knows* how to start and stop the binary that `SCSIM_ENVOY` names and how to speak just enough
//! HTTP/1.1 on both sides of it. *Does not know* scsim: what is asked and answered is its user's.
//! For a test target: `#[path = "support/envoy/mod.rs"] mod envoy;`.
#![allow(dead_code, reason = "shared by test targets, each of which uses a part of it")]

pub mod client;
pub mod process;
pub mod setup;
pub mod upstreams;
