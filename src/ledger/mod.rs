//! The ledger: claims that practitioners make, what scenarios show of them, one page.
//!
//! *Knows* when a verdict stands and how the page is laid out. *Does not know* how anything is
//! simulated, nor where files are. Invariant: a verdict stands only if every expectation of its
//! scenario held, in every cell; the page has no date and no wall time, so equal runs give equal
//! bytes. Start reading at [`Entry`].

mod diff;
mod page;

pub use diff::difference;
pub use page::page;

use crate::measure::estimate::Estimate;
use crate::report::bill::working::Step;
use crate::report::bill::working::working;
use crate::report::expect::Judgement;
use crate::report::expect::Verdict;
use crate::report::figure;
use crate::report::figure::Place;
use crate::report::figure::Sheet;
use crate::report::format;
use crate::scenario::Claim;
use crate::scenario::ClaimSum;
use crate::scenario::Metric;
use crate::scenario::Refusal;
use crate::scenario::Scenario;
use crate::scenario::Scope;
use crate::scenario::Severity;
use crate::scenario::Sweep;
use crate::sweep::cell::Figure;
use crate::sweep::cell::figure_of;
use crate::sweep::table;

/// One scenario that decides a claim, and what came out.
pub struct Entry {
    /// The claim as the file makes it.
    pub claim: Claim,
    /// The file, from where the ledger was made.
    pub file: String,
    /// The scenario's title.
    pub title: String,
    /// Names of its planes.
    pub planes: Vec<String>,
    /// Fields that are varied; empty without a sweep.
    pub keys: Vec<String>,
    /// First seed.
    pub seed: u64,
    /// Runs per plane and cell.
    pub replications: u32,
    /// Simulated time of a run, as written.
    pub duration: String,
    /// One per cell of the sweep, in order; one without a sweep.
    pub cells: Vec<Shown>,
    /// What must be refused, and whether it was.
    pub refusals: Vec<Refused>,
}

/// A change of the file that must not load.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// What was changed.
    pub set: String,
    /// The message that came of it; `None` if there was none, or not the one that is claimed.
    pub message: Option<String>,
}

impl Refused {
    /// What loading the changed file came to: the message that has the claimed words in it.
    pub fn of<'a>(refusal: &Refusal, messages: impl IntoIterator<Item = &'a str>) -> Refused {
        let said = messages.into_iter().find(|message| message.contains(&refusal.with));
        Refused { set: refusal.set.clone(), message: said.map(str::to_owned) }
    }
}

/// What one cell shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// The values of the fields; "as in the file" where none is set.
    pub values: Vec<String>,
    /// By figure of the claim, by plane of the scenario; `None` where the claim does not ask.
    pub figures: Vec<Vec<Option<String>>>,
    /// By sum of the claim: what ours is made of; empty for a sum of another cell.
    pub workings: Vec<Vec<Step>>,
    /// The expectations of this cell.
    pub expectations: Vec<Kept>,
}

/// An expectation and what became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// As written.
    pub that: String,
    /// On which plane; empty if both sides name theirs.
    pub plane: String,
    /// The window's name; empty for the whole run.
    pub during: String,
    /// The service or edge; empty for the users.
    pub scope: String,
    /// What was seen.
    pub observed: String,
    /// What became of it.
    pub verdict: Verdict,
    /// A warning does not bring a verdict down.
    pub counts: bool,
}

impl Entry {
    /// An entry without its cells.
    pub fn new(scenario: &Scenario, claim: Claim, replications: u32) -> Entry {
        Entry {
            claim,
            file: scenario.file.clone(),
            title: scenario.title.clone(),
            planes: scenario.planes.iter().map(|plane| plane.name.clone()).collect(),
            keys: scenario.sweep.iter().flat_map(|sweep| &sweep.axes).map(|axis| axis.key.clone()).collect(),
            seed: scenario.run.seed,
            replications,
            duration: scenario.run.duration.to_string(),
            cells: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// Every expectation held, and there was one; what must be refused was.
    pub fn stands(&self) -> bool {
        if self.refusals.iter().any(|refused| refused.message.is_none()) {
            return false;
        }
        let mut all = self.cells.iter().flat_map(|cell| &cell.expectations).filter(|kept| kept.counts).peekable();
        all.peek().is_some() && all.all(|kept| kept.verdict == Verdict::Holds)
    }
}

impl Shown {
    /// Reads the claim's figures off the study of one cell.
    pub fn of(sheet: &Sheet<'_>, judgements: &[Judgement], claim: &Claim, sweep: Option<&Sweep>, cell: u64) -> Shown {
        let values = sweep.map_or_else(Vec::new, |sweep| {
            let picked = sweep.cell(cell);
            let shown = |(axis, at): (&crate::scenario::Axis, Option<usize>)| {
                at.map_or_else(|| "as in the file".to_owned(), |at| axis.values[at].shown.clone())
            };
            sweep.axes.iter().zip(picked).map(shown).collect()
        });
        let of_plane = |figure: &crate::scenario::ClaimFigure, plane: usize| {
            let place = Place { plane, window: figure.during, scope: figure.scope };
            figure.planes.contains(&plane).then(|| {
                let found = figure_of(sheet, figure.metric, place);
                table::shown(found.map(|found| exact(figure.metric, found)).as_ref())
            })
        };
        let planes = sheet.scenario.planes.len();
        let figures = claim.figures.iter().map(|f| (0..planes).map(|plane| of_plane(f, plane)).collect()).collect();
        let kept = |j: &Judgement| Kept {
            that: j.that.clone(),
            plane: j.plane.map_or_else(String::new, |plane| sheet.scenario.planes[plane].name.clone()),
            during: if j.during == "all" { String::new() } else { j.during.clone() },
            scope: scope(sheet.scenario, sheet.scenario.expects[j.expect].scope),
            observed: observed(j),
            verdict: j.verdict,
            counts: j.severity == Severity::Error,
        };
        let worked = |sum: &ClaimSum| {
            let figure = &claim.figures[sum.figure];
            let place = Place { plane: sum.plane, window: figure.during, scope: figure.scope };
            if sum.cell == cell { working(sheet, figure.metric, place) } else { Vec::new() }
        };
        let workings = claim.sums.iter().map(worked).collect();
        Shown { values, figures, workings, expectations: judgements.iter().map(kept).collect() }
    }
}

/// What a bill says and no replication changes has no interval.
fn exact(metric: Metric, mut figure: Figure) -> Figure {
    if matches!(metric, Metric::CostPerMonth | Metric::Cost(_)) && figure.low == figure.high {
        (figure.low, figure.high) = (None, None);
    }
    figure
}

fn scope(scenario: &Scenario, scope: Scope) -> String {
    match scope {
        Scope::Users => String::new(),
        Scope::Service(service) => scenario.service(service).name.clone(),
        Scope::Edge(edge) => scenario.edge_name(edge),
    }
}

fn observed(judgement: &Judgement) -> String {
    let (Some(estimate), Some(metric)) = (judgement.observed, judgement.metric) else {
        return judgement.note.clone().unwrap_or_default();
    };
    if estimate.mean.is_infinite() {
        return judgement.note.clone().unwrap_or_else(|| "never".to_owned());
    }
    let of_bill = matches!(metric, Metric::CostPerMonth | Metric::Cost(_));
    let estimate = if of_bill && estimate.low == estimate.high {
        Estimate { low: None, high: None, ..estimate }
    } else {
        estimate
    };
    let shown = format::estimate(&estimate, figure::unit(metric));
    let difference = if judgement.paired { "difference " } else { "" };
    let spread = if shown.spread.is_empty() { String::new() } else { format!(" {}", shown.spread) };
    format!("{difference}{}{spread}", shown.value)
}

/// What contradicts itself: files that share a claim must agree on what it says and what becomes of it.
pub fn contradiction(entries: &[Entry]) -> Option<String> {
    for (i, entry) in entries.iter().enumerate() {
        let Some(other) = entries[..i].iter().find(|other| other.claim.id == entry.claim.id) else { continue };
        let (a, b) = (&other.claim, &entry.claim);
        let what = [
            ("says", a.says != b.says),
            ("verdict", a.verdict != b.verdict),
            ("condition", a.condition != b.condition),
        ];
        if let Some((what, _)) = what.iter().find(|(_, differs)| *differs) {
            return Some(format!(
                "{}:{}: `{what}` of claim {} is not what {}:{} says; files that share a claim agree on it",
                entry.file, b.line, b.id, other.file, a.line
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::LoadOptions;
    use crate::scenario::parse;

    const CLAIM: &str = "compare = [\"internal-alb\"]\n[service.a]\ncalls = [\"b\"]\n[service.b]\n[load]\nrate = \"10/s\"\n\
        [claim]\nid = \"A25\"\nsays = \"x\"\nverdict = \"holds\"\nbecause = \"y\"\nfigures = [\"p99\"]\n\
        refused = [{ set = 'compare = [\"mars\"]', with = \"no plane `mars`\" }]\n";

    #[test]
    fn a_verdict_falls_with_what_was_to_be_refused_and_is_not() {
        let scenario = parse("t", CLAIM, Path::new("."), &LoadOptions::default()).expect("it loads").scenario;
        let claim = scenario.claim.clone().expect("there is one");
        let changed = |set: &str| {
            let options = LoadOptions { set: vec![set.to_owned()], ..LoadOptions::default() };
            let problems = parse("t", CLAIM, Path::new("."), &options).err().unwrap_or_default();
            Refused::of(&claim.refused[0], problems.iter().map(|problem| &*problem.message))
        };
        let kept = Kept {
            that: "p99 < 1s".to_owned(),
            plane: String::new(),
            during: String::new(),
            scope: String::new(),
            observed: String::new(),
            verdict: Verdict::Holds,
            counts: true,
        };
        let mut entry = Entry::new(&scenario, claim.clone(), 1);
        entry.cells =
            vec![Shown { values: Vec::new(), figures: Vec::new(), workings: Vec::new(), expectations: vec![kept] }];
        for (set, stands) in [
            // As claimed; loads after all; is refused for another reason.
            (claim.refused[0].set.as_str(), true),
            ("run.seed = 2", false),
            ("run.seed = \"x\"", false),
        ] {
            entry.refusals = vec![changed(set)];
            assert_eq!(entry.stands(), stands, "{set}: {:?}", entry.refusals);
        }
    }
}
