//! A claim that practitioners make, and the verdict that a scenario shows.
//!
//! *Knows* the words of the ledger. *Does not know* TOML, nor whether the verdict is true.

use crate::scenario::Metric;
use crate::scenario::Scope;
use crate::scenario::Window;

/// `[claim]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Claim {
    /// `A3`: a letter and a number. Several files may decide one claim.
    pub id: String,
    /// The claim in one line.
    pub says: String,
    /// Names of the articles that make it.
    pub from: Vec<String>,
    /// What the scenario shows.
    pub verdict: ClaimVerdict,
    /// Under which condition it holds.
    pub condition: Option<String>,
    /// Why, in a sentence or two, cut at its figures.
    pub because: Vec<Phrase>,
    /// The figures of the page; the first is the one that decides.
    pub figures: Vec<ClaimFigure>,
    /// Changes with which the file must not load: what ECS refuses has no run that could show it.
    pub refused: Vec<Refusal>,
    /// Sums of money as the articles give them, each beside one of the figures.
    pub sums: Vec<ClaimSum>,
    /// Line of the table in the file.
    pub line: u32,
}

/// A sum of money as an article has it, and the figure that it is held against. The page shows both, and the lines of a bill
/// that ours is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimSum {
    /// The article.
    pub article: String,
    /// What it works out, and how.
    pub says: String,
    /// Index into [`Claim::figures`]: a figure of cost.
    pub figure: usize,
    /// Index of the plane.
    pub plane: usize,
    /// The cell of a sweep; zero without one.
    pub cell: u64,
}

/// A change of the file that must be refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What to change, as `--set` takes it.
    pub set: String,
    /// Part of the message that must come of it.
    pub with: String,
}

/// What becomes of a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClaimVerdict {
    /// It is true.
    Holds,
    /// It is true under a condition.
    HoldsOnlyIf,
    /// It is false.
    Refuted,
}

impl ClaimVerdict {
    /// Its words in scenarios and on the page.
    pub const fn name(self) -> &'static str {
        match self {
            ClaimVerdict::Holds => "holds",
            ClaimVerdict::HoldsOnlyIf => "holds only if",
            ClaimVerdict::Refuted => "refuted",
        }
    }
}

/// A figure that the page shows.
#[derive(Clone, PartialEq, Debug)]
pub struct ClaimFigure {
    /// What the page calls it; as written where the user gave no label.
    pub label: String,
    /// What is measured.
    pub metric: Metric,
    /// On which planes (indices into [`Scenario::planes`](crate::scenario::Scenario::planes)).
    pub planes: Vec<usize>,
    /// In which part of the run.
    pub during: Window,
    /// For which calls.
    pub scope: Scope,
}

/// A piece of a sentence.
#[derive(Clone, PartialEq, Debug)]
pub enum Phrase {
    /// Text as it is.
    Text(String),
    /// `{label}`, `{plane.label}` or `{plane.label @ cell}`: a figure's value.
    Figure {
        /// Index into [`Claim::figures`].
        figure: usize,
        /// Index of the plane.
        plane: usize,
        /// The cell of a sweep; zero without one.
        cell: u64,
    },
}
