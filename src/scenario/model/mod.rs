//! The types of a checked scenario, a file for each part of the story.
//!
//! *Knows* which part a type belongs to, and nothing else.

mod assumed;
mod change;
mod expect;
mod fault;
mod load;
mod plane;
mod service;

pub use assumed::Assumption;
pub use assumed::Confidence;
pub use assumed::ecs;
pub use change::Alarm;
pub use change::AlarmOn;
pub use change::Change;
pub use change::CircuitBreaker;
pub use change::Deploy;
pub use change::EarlySuccess;
pub use change::FailureThreshold;
pub use change::Scale;
pub use change::Shifting;
pub use change::Strategy;
pub use expect::Comparison;
pub use expect::Expect;
pub use expect::Metric;
pub use expect::Operand;
pub use expect::Over;
pub use expect::Scope;
pub use expect::Severity;
pub use expect::Window;
pub use fault::Fault;
pub use fault::FaultKind;
pub use fault::Target;
pub use fault::When;
pub use load::Arrivals;
pub use load::Burst;
pub use load::Load;
pub use load::RatePiece;
pub use load::Spacing;
pub use load::Spread;
pub use plane::AlbPlane;
pub use plane::DnsPlane;
pub use plane::Mechanism;
pub use plane::Network;
pub use plane::Plane;
pub use plane::ReadyWhen;
pub use plane::ResolverCache;
pub use plane::SidecarPlane;
pub use service::CallSite;
pub use service::ContainerCheck;
pub use service::Distribution;
pub use service::Edge;
pub use service::Endpoint;
pub use service::Protocol;
pub use service::Service;
pub use service::Step;
