//! The vocabulary that simulation, live mode and reports share: a checked scenario.
//!
//! *Knows* what a scenario means once names are indices and units are types. *Does not know*
//! TOML (that is `file` and `lower`), nor how anything is simulated.
//! Invariant: every index in a [`Scenario`] points into that scenario; lowering proved it.

mod assumptions;
mod claim;
pub mod cost;
mod defaults;
mod distribution;
mod envoy_text;
mod expect;
mod faults;
mod fit;
mod happenings;
mod load;
mod lower;
mod model;
mod planes;
mod policy;
mod presets;
mod services;
mod settings;
mod sweep;
mod table;
mod tree;
pub mod value;
pub mod vocabulary;
mod watch;
mod workload;

use crate::units::Span;

pub use assumptions::extras::IDS as LISTED_LATER;
pub use defaults::filled;
pub use defaults::quoted;
pub use envoy_text::lines as policy_lines;
pub use load::LoadOptions;
pub use load::Loaded;
pub use load::holds_scenario;
pub use load::load;
pub use load::parse;
pub use load::with_cell;
pub use model::Alarm;
pub use model::AlarmOn;
pub use model::AlbPlane;
pub use model::AlbSharing;
pub use model::Arch;
pub use model::Arrivals;
pub use model::Asked;
pub use model::Assumption;
pub use model::Authority;
pub use model::Awaited;
pub use model::Axis;
pub use model::AxisValue;
pub use model::Burst;
pub use model::CELLS_MAX;
pub use model::CallSite;
pub use model::Change;
pub use model::CircuitBreaker;
pub use model::Claim;
pub use model::ClaimFigure;
pub use model::ClaimSum;
pub use model::ClaimVerdict;
pub use model::Comparison;
pub use model::Confidence;
pub use model::ContainerCheck;
pub use model::Cost;
pub use model::CostFigure;
pub use model::Deploy;
pub use model::Direction;
pub use model::Distribution;
pub use model::DnsPlane;
pub use model::EarlySuccess;
pub use model::Edge;
pub use model::Endpoint;
pub use model::Enrolment;
pub use model::Expect;
pub use model::FailureThreshold;
pub use model::Fault;
pub use model::FaultKind;
pub use model::Hits;
pub use model::How;
pub use model::Instance;
pub use model::LaunchType;
pub use model::Leak;
pub use model::Load;
pub use model::Mechanism;
pub use model::Message;
pub use model::Metric;
pub use model::Migrate;
pub use model::Network;
pub use model::Operand;
pub use model::Over;
pub use model::Phrase;
pub use model::Plane;
pub use model::Price;
pub use model::PriceBook;
pub use model::PriceItem;
pub use model::Protocol;
pub use model::RatePiece;
pub use model::Reading;
pub use model::ReadyWhen;
pub use model::Refusal;
pub use model::Registration;
pub use model::Replacement;
pub use model::ResolverCache;
pub use model::Scale;
pub use model::Scaling;
pub use model::Scope;
pub use model::Service;
pub use model::Severity;
pub use model::Shifting;
pub use model::SidecarPlane;
pub use model::SidecarSize;
pub use model::Spacing;
pub use model::Spread;
pub use model::Step;
pub use model::Strategy;
pub use model::Sweep;
pub use model::SweepMode;
pub use model::Target;
pub use model::TaskLife;
pub use model::Tracked;
pub use model::When;
pub use model::Window;
pub use model::ecs;
pub use policy::envoy_message;
pub use presets::Preset;
pub use settings::Setting;
pub use sweep::in_file;
pub use sweep::nobody;
pub use sweep::vary;

/// Index of a service in [`Scenario::services`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServiceId(pub u32);

/// Index of an edge in [`Scenario::edges`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EdgeId(pub u32);

/// A whole scenario, names resolved, units typed, every default filled in.
#[derive(Clone, PartialEq, Debug)]
pub struct Scenario {
    /// The file as the user named it.
    pub file: String,
    /// One line; the file's stem if the user gave none.
    pub title: String,
    /// Longer text for reports.
    pub description: String,
    /// SHA-256 (hex) of the scenario's text, includes and overrides.
    pub digest: String,
    /// How long, how often, which seed.
    pub run: Run,
    /// Names of the availability zones; zone numbers index it.
    pub zones: Vec<String>,
    /// Services in file order.
    pub services: Vec<Service>,
    /// Every caller-callee pair that some step uses, in order of first use.
    pub edges: Vec<Edge>,
    /// Where requests come from.
    pub loads: Vec<Load>,
    /// Delays between tasks.
    pub network: Network,
    /// The planes to compare, in the order of `compare`.
    pub planes: Vec<Plane>,
    /// Things that go wrong.
    pub faults: Vec<Fault>,
    /// Changes of a service's task count.
    pub scales: Vec<Scale>,
    /// Services whose task count follows a metric.
    pub scalings: Vec<Scaling>,
    /// Deployments.
    pub deploys: Vec<Deploy>,
    /// Callers that move to a plane's other path, or back.
    pub migrations: Vec<Migrate>,
    /// What must be true.
    pub expects: Vec<Expect>,
    /// The fields that `scsim sweep` varies.
    pub sweep: Option<Sweep>,
    /// What it is billed by.
    pub cost: Cost,
    /// The claim that `scsim ledger` enters.
    pub claim: Option<Claim>,
    /// Constants that scsim had to take from somewhere, with source and confidence.
    pub assumptions: Vec<Assumption>,
    /// What the file says and no model covers yet; a run must refuse unless told otherwise.
    pub unmodelled: Vec<Unmodelled>,
}

/// Something that is understood and checked but not simulated yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unmodelled {
    /// What it is, a sentence fragment.
    pub what: String,
    /// Line in the file.
    pub line: u32,
}

/// `[run]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    /// Time over which requests arrive and are counted.
    pub duration: Span,
    /// Requests that arrive this early are left out of every metric.
    pub warmup: Span,
    /// Time after the last arrival in which requests may still finish.
    pub drain: Span,
    /// First seed; replication `i` derives its own from it.
    pub seed: u64,
    /// How often each plane is run.
    pub replications: Replications,
    /// Confidence of every interval, 0.95 by default.
    pub confidence: f64,
}

/// How often each plane is run.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Replications {
    /// This often.
    Fixed(u32),
    /// Until the interval of the mean latency and of the error rate is this narrow, relative to the mean.
    Precision {
        /// Half-width over mean.
        relative: f64,
        /// Stop here at the latest.
        at_most: u32,
    },
}

impl Scenario {
    /// The service of that index.
    pub fn service(&self, id: ServiceId) -> &Service {
        &self.services[id.0 as usize]
    }
    /// The edge of that index.
    pub fn edge(&self, id: EdgeId) -> Edge {
        self.edges[id.0 as usize]
    }
    /// `checkout->payments`.
    pub fn edge_name(&self, id: EdgeId) -> String {
        let edge = self.edge(id);
        format!("{}->{}", self.service(edge.from).name, self.service(edge.to).name)
    }
    /// The windows that some metric is asked for, [`Window::All`] first; recordings index it.
    pub fn windows(&self) -> Vec<Window> {
        let mut windows = vec![Window::All];
        if !self.faults.is_empty() {
            windows.push(Window::AnyFault);
        }
        if !self.deploys.is_empty() {
            windows.push(Window::AnyDeploy);
        }
        for expect in &self.expects {
            if !windows.contains(&expect.during) {
                windows.push(expect.during);
            }
        }
        for figure in self.claim.iter().flat_map(|claim| &claim.figures) {
            if !windows.contains(&figure.during) {
                windows.push(figure.during);
            }
        }
        windows
    }
}
