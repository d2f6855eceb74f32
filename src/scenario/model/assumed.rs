//! Constants that had to come from somewhere.
//!
//! *Knows* the words of the vocabulary. *Does not know* TOML, nor how anything is simulated.

/// A constant that had to come from somewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assumption {
    /// `sc.push_latency`.
    pub id: String,
    /// The value in use, with its unit.
    pub value: String,
    /// Where it comes from.
    pub source: String,
    /// How sure that source is.
    pub confidence: Confidence,
    /// The scenario key that overrides it.
    pub overridden_by: String,
}

impl Assumption {
    /// How to change it: keys for `--set`, with N for the number or name of a fault or deployment, or that
    /// nothing does.
    pub fn remedy(&self) -> String {
        // The key that results carry for these sets a neighbour: the length of the ramp, the share of the period.
        let nothing = ["alb.slow_start_floor", "proxy.cpu_period"].iter().any(|id| self.id.ends_with(id));
        if nothing || self.overridden_by.is_empty() || self.overridden_by.rsplit('.').next() == Some("none") {
            return "none: part of the model".to_owned();
        }
        let numbered = |key: &str| {
            for list in ["fault", "deploy"] {
                if let Some(rest) = key.strip_prefix(list).and_then(|rest| rest.strip_prefix('.')) {
                    return format!("{list}.N.{rest}");
                }
            }
            key.to_owned()
        };
        self.overridden_by.split(", ").map(numbered).collect::<Vec<_>>().join(", ")
    }
}

/// How sure a source is (aws.md's tags).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Confidence {
    /// In the vendor's documentation or API model.
    Documented,
    /// Read in published source code.
    Source,
    /// Observed on the real binary.
    Observed,
    /// Inferred from the above.
    Inferred,
    /// Credible third party.
    ThirdParty,
    /// From memory, not checked again.
    Memory,
    /// Not published anywhere: a guess.
    Guess,
    /// The user said so.
    User,
}

impl Confidence {
    /// All, surest first.
    pub const ALL: [Confidence; 8] = [
        Confidence::Documented,
        Confidence::Source,
        Confidence::Observed,
        Confidence::Inferred,
        Confidence::ThirdParty,
        Confidence::Memory,
        Confidence::Guess,
        Confidence::User,
    ];

    /// The word in price files and result files.
    pub const fn name(self) -> &'static str {
        match self {
            Confidence::Documented => "documented",
            Confidence::Source => "source",
            Confidence::Observed => "observed",
            Confidence::Inferred => "inferred",
            Confidence::ThirdParty => "third-party",
            Confidence::Memory => "memory",
            Confidence::Guess => "guess",
            Confidence::User => "user",
        }
    }
}

/// Constants of ECS that the simulator uses and no scenario key changes.
pub mod ecs {
    use crate::units::Span;

    /// A task without load balancer and container check counts as healthy this long after RUNNING
    /// (ECS API, DeploymentConfiguration; documented).
    pub const HEALTHY_WITHOUT_CHECK: Span = Span::from_secs(40);
    /// ASSUMPTION(ecs.replace_after): from a stopped task to the start of its replacement; 9 s in one
    /// public capture of service events.
    pub const REPLACE_AFTER: Span = Span::from_secs(9);
    /// ASSUMPTION(ecs.notice): from a crash to the control plane acting on it; a guess.
    pub const NOTICE: Span = Span::from_secs(5);
    /// ASSUMPTION(ecs.shift_settle): after the last shift of production traffic ECS waits this long, the
    /// bake time included, until tasks without traffic may stop; a guess that covers the pushes.
    pub const SHIFT_SETTLE: Span = Span::from_secs(30);
    /// ASSUMPTION(deploy.crash_loop): an app that crashes in a loop dies this long after RUNNING; a guess.
    pub const CRASH_LOOP: Span = Span::from_secs(10);
}
