//! Two result files: what changed, and whether that is more than chance and more than noise.
//!
//! *Knows* which figures are compared, in pairs where both files saw the same arrivals, and which
//! way each is bad. *Does not know* terminals; `show` lays it out, `saved` reads the files.
//! Invariant: a figure is called worse or better only where the interval of its change excludes
//! zero and the change exceeds the noise allowed. Start reading at [`compare`].

pub mod saved;
pub mod show;

use indexmap::IndexMap;
use serde_json::Value;

use super::figure::Unit;
use crate::measure::estimate::Bad;
use crate::measure::estimate::Estimate;
use crate::measure::estimate::Estimator;
use crate::measure::estimate::replications_needed;
use saved::Saved;
use saved::SavedPlane;

/// What is compared, and how much change is none.
#[derive(Clone, PartialEq, Debug)]
pub struct Terms {
    /// Change that nobody minds, as a fraction of the old value.
    pub noise: f64,
    /// Keys of figures in result files; empty for the usual ones.
    pub metrics: Vec<String>,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { noise: 0.02, metrics: Vec::new() }
    }
}

/// Figures that are compared unless others are asked for.
pub const USUAL: [&str; 6] = ["error_rate", "p50_ms", "p99_ms", "retries_per_request", "ejections", "goodput_rps"];

/// Two files, compared.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The first file.
    pub old: String,
    /// The second.
    pub new: String,
    /// Change that nobody minds.
    pub noise: f64,
    /// Scenarios that both files have, in the order of the second.
    pub pairs: Vec<Pair>,
    /// Scenarios that only the first has.
    pub only_old: Vec<String>,
    /// Scenarios that only the second has.
    pub only_new: Vec<String>,
}

/// One scenario in both files.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Its name: the stem of its file.
    pub name: String,
    /// Same seed, same replications, same arrivals on every plane: intervals are of paired differences.
    pub paired: bool,
    /// Confidence of every interval.
    pub confidence: f64,
    /// What the scenarios say differently.
    pub differs: Vec<Differs>,
    /// What else has to be known.
    pub notes: Vec<String>,
    /// Planes that both have.
    pub planes: Vec<PlaneChange>,
}

/// A setting that differs.
#[derive(Clone, PartialEq, Debug)]
pub struct Differs {
    /// As `--set` names it.
    pub key: String,
    /// The first file's value; `None` if it says nothing.
    pub old: Option<Value>,
    /// The second's.
    pub new: Option<Value>,
}

/// One plane in both files.
#[derive(Clone, Debug)]
pub struct PlaneChange {
    /// Its name.
    pub name: String,
    /// Every request went the same way.
    pub identical: bool,
    /// Its figures.
    pub changes: Vec<Change>,
}

/// One figure in both files.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// Its key in result files.
    pub metric: String,
    /// Its unit.
    pub unit: Unit,
    /// Before; `None` where it did not exist.
    pub old: Option<Estimate>,
    /// After.
    pub new: Option<Estimate>,
    /// After less before.
    pub difference: Option<Estimate>,
    /// The interval is of the paired difference.
    pub paired: bool,
    /// What to make of it.
    pub verdict: Verdict,
}

/// What to make of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Worse, beyond chance and noise.
    Worse,
    /// Better, beyond chance and noise.
    Better,
    /// No change that anybody minds.
    WithinNoise,
    /// More than noise if it is there at all, which cannot be told.
    Unclear {
        /// Replications that would likely tell.
        needed: Option<u32>,
    },
    /// Changed in a figure that is neither good nor bad by itself, or that only one side has.
    Changed,
}

impl Verdict {
    /// Its word in files.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Worse => "worse",
            Verdict::Better => "better",
            Verdict::WithinNoise => "within-noise",
            Verdict::Unclear { .. } => "unclear",
            Verdict::Changed => "changed",
        }
    }
}

/// How many changes ended in which way.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Worse.
    pub worse: usize,
    /// Better.
    pub better: usize,
    /// Within noise.
    pub unchanged: usize,
    /// Unclear.
    pub unclear: usize,
    /// Neither good nor bad.
    pub changed: usize,
}

impl Compared {
    /// Every change.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.pairs.iter().flat_map(|pair| &pair.planes).flat_map(|plane| &plane.changes)
    }

    /// Counts the changes.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for change in self.changes() {
            match change.verdict {
                Verdict::Worse => counts.worse += 1,
                Verdict::Better => counts.better += 1,
                Verdict::WithinNoise => counts.unchanged += 1,
                Verdict::Unclear { .. } => counts.unclear += 1,
                Verdict::Changed => counts.changed += 1,
            }
        }
        counts
    }
}

/// Compares two files' results; `old` and `new` are their names.
pub fn compare(old: (&str, &[Saved]), new: (&str, &[Saved]), terms: &Terms) -> Compared {
    let (matches, only_old, only_new) = matched(old.1, new.1);
    Compared {
        old: old.0.to_owned(),
        new: new.0.to_owned(),
        noise: terms.noise,
        pairs: matches.into_iter().map(|(a, b)| pair(&old.1[a], &new.1[b], terms)).collect(),
        only_old: only_old.into_iter().map(|i| name(&old.1[i])).collect(),
        only_new: only_new.into_iter().map(|i| name(&new.1[i])).collect(),
    }
}

/// The key of a figure that a user may name as in scenarios: `p99` is `p99_ms`, `goodput` is
/// `goodput_rps`. `None` if no plane of these results has it.
pub fn key_of(word: &str, results: &[&[Saved]]) -> Option<String> {
    let percentile = word.strip_prefix('p').filter(|rest| rest.contains('.')).map(|rest| rest.replace('.', ""));
    let base = percentile.map_or_else(|| word.to_owned(), |digits| format!("p{digits}"));
    let there = |key: &str| {
        results.iter().flat_map(|r| r.iter()).flat_map(|r| &r.planes).any(|plane| plane.metrics.contains_key(key))
    };
    ["", "_ms", "_s", "_rps"].iter().map(|unit| format!("{base}{unit}")).find(|key| there(key))
}

/// What a scenario is called: the stem of its file, else its title.
pub fn name(result: &Saved) -> String {
    let stem = stem(&result.scenario.file);
    if stem.is_empty() { result.scenario.title.clone() } else { stem.to_owned() }
}

/// The last part of a path without its ending.
pub fn stem(path: &str) -> &str {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    file.rsplit_once('.').map_or(file, |(stem, _)| if stem.is_empty() { file } else { stem })
}

/// The result in a baseline that belongs to `new`: of the same file, else of the same name of
/// file, else of the same title.
pub fn found<'a>(baseline: &'a [Saved], new: &Saved) -> Option<&'a Saved> {
    SAME.iter().find_map(|same| baseline.iter().find(|old| same(old, new)))
}

type Matches = (Vec<(usize, usize)>, Vec<usize>, Vec<usize>);

/// What makes two results those of one scenario, the surest first.
const SAME: [fn(&Saved, &Saved) -> bool; 3] = [
    |a, b| !a.scenario.file.is_empty() && a.scenario.file == b.scenario.file,
    |a, b| !stem(&a.scenario.file).is_empty() && stem(&a.scenario.file) == stem(&b.scenario.file),
    |a, b| a.scenario.title == b.scenario.title,
];

/// Which results belong together: two single ones always, else those of the same file, of the
/// same name of file, of the same title.
fn matched(old: &[Saved], new: &[Saved]) -> Matches {
    if let ([_], [_]) = (old, new) {
        return (vec![(0, 0)], Vec::new(), Vec::new());
    }
    let mut partner: Vec<Option<usize>> = vec![None; new.len()];
    let mut taken = vec![false; old.len()];
    for same in SAME {
        for (j, b) in new.iter().enumerate() {
            if partner[j].is_none()
                && let Some(i) = (0..old.len()).find(|&i| !taken[i] && same(&old[i], b))
            {
                (partner[j], taken[i]) = (Some(i), true);
            }
        }
    }
    let pairs = partner.iter().enumerate().filter_map(|(j, i)| Some(((*i)?, j))).collect();
    let only_old = (0..old.len()).filter(|&i| !taken[i]).collect();
    let only_new = (0..new.len()).filter(|&j| partner[j].is_none()).collect();
    (pairs, only_old, only_new)
}

fn pair(old: &Saved, new: &Saved, terms: &Terms) -> Pair {
    let mut notes = Vec::new();
    if old.scsim.model != new.scsim.model {
        let (a, b) = (old.scsim.model, new.scsim.model);
        notes.push(format!(
            "results of two models ({a} and {b}): the program may make the difference, not the scenario"
        ));
    }
    for (which, result) in [("first", old), ("second", new)] {
        if result.partial {
            notes.push(format!("the {which} result is of an interrupted run"));
        }
    }
    let simulated = |result: &Saved, name: &str| result.planes.iter().any(|p| p.applicable && p.name == name);
    for (which, result, other) in [("first", old, new), ("second", new, old)] {
        for plane in result.planes.iter().filter(|p| p.applicable && !simulated(other, &p.name)) {
            notes.push(format!("only the {which} has {}", plane.name));
        }
    }
    let both: Vec<(&SavedPlane, &SavedPlane)> = new
        .planes
        .iter()
        .filter(|p| p.applicable)
        .filter_map(|b| Some((old.planes.iter().find(|a| a.applicable && a.name == b.name)?, b)))
        .collect();
    let paired = old.seed == new.seed && both.iter().all(|(a, b)| same_arrivals(a, b));
    if old.seed != new.seed {
        notes.push(format!("seeds {} and {}: compared as strangers", old.seed, new.seed));
    } else if !paired {
        notes.push("same seed, other arrivals or replications: compared as strangers".to_owned());
    }
    let terms = Sides { old, new, paired, terms };
    Pair {
        name: name(new),
        paired,
        confidence: old.confidence,
        differs: differs(old, new, &mut notes),
        planes: both.into_iter().map(|(a, b)| terms.plane(a, b)).collect(),
        notes,
    }
}

fn same_arrivals(old: &SavedPlane, new: &SavedPlane) -> bool {
    match (&old.replications_detail, &new.replications_detail) {
        (Some(a), Some(b)) => a.index == b.index && a.arrived == b.arrived,
        _ => false,
    }
}

/// The settings that differ, in the order of the second file, then those that only the first has.
fn differs(old: &Saved, new: &Saved, notes: &mut Vec<String>) -> Vec<Differs> {
    let (Some(a), Some(b)) = (&old.scenario.settings, &new.scenario.settings) else {
        if old.scenario.digest != new.scenario.digest {
            notes.push("the scenarios differ; an older scsim did not note in what".to_owned());
        }
        return Vec::new();
    };
    let value = |map: &IndexMap<String, Value>, key: &str| map.get(key).cloned();
    let of = |key: &String| Differs { key: key.clone(), old: value(a, key), new: value(b, key) };
    let gone = a.keys().filter(|key| !b.contains_key(*key));
    // A seed that is written down, or overridden, and is the same is no difference.
    let matters = |d: &Differs| d.old != d.new && !(d.key == "run.seed" && old.seed == new.seed);
    let all: Vec<Differs> = b.keys().chain(gone).map(of).filter(matters).collect();
    if all.is_empty() && old.scenario.digest != new.scenario.digest {
        notes.push("the texts differ and say the same".to_owned());
    }
    all
}

/// Both results and what is asked of them.
struct Sides<'a> {
    old: &'a Saved,
    new: &'a Saved,
    paired: bool,
    terms: &'a Terms,
}

impl Sides<'_> {
    fn plane(&self, old: &SavedPlane, new: &SavedPlane) -> PlaneChange {
        let keys: Vec<&str> = match self.terms.metrics.as_slice() {
            [] => USUAL.to_vec(),
            some => some.iter().map(String::as_str).collect(),
        };
        let changes = keys.into_iter().filter_map(|key| self.change(key, old, new)).collect();
        PlaneChange {
            name: new.name.clone(),
            identical: self.paired && !old.runs.is_empty() && old.runs == new.runs,
            changes,
        }
    }

    /// A figure; `None` where neither side has it.
    fn change(&self, key: &str, old: &SavedPlane, new: &SavedPlane) -> Option<Change> {
        let estimator = Estimator::new(self.old.confidence);
        let values = |plane: &SavedPlane| plane.replications_detail.as_ref().and_then(|d| d.values(key));
        let (before, after) = (values(old), values(new));
        let a = estimate(old, key, self.old.replications);
        let b = estimate(new, key, self.new.replications);
        if a.is_none() && b.is_none() {
            return None;
        }
        let mut change = Change {
            metric: key.to_owned(),
            unit: unit(key),
            old: a,
            new: b,
            difference: None,
            paired: false,
            verdict: Verdict::Changed,
        };
        let (Some(a), Some(b)) = (a, b) else { return Some(change) };
        let difference = match (&before, &after) {
            (Some(before), Some(after)) if self.paired => {
                change.paired = true;
                estimator.difference(after, before, Bad::Up).map(|d| d.around(b.mean - a.mean))
            }
            (Some(before), Some(after)) => {
                // The spread of the replications, before it was cut to what the figure can be.
                let spread = |values: &[Option<f64>]| {
                    let values: Vec<f64> = values.iter().copied().flatten().collect();
                    estimator.estimate(&values, Bad::Up)
                };
                spread(after)
                    .zip(spread(before))
                    .map(|(b, a)| estimator.unpaired(&b, &a))
                    .map(|d| d.around(b.mean - a.mean))
            }
            _ if self.old.confidence.total_cmp(&self.new.confidence).is_eq() => Some(estimator.unpaired(&b, &a)),
            _ => None,
        };
        // No figure falls below zero, however wide the interval.
        let difference = difference.map(|d| Estimate { low: d.low.map(|low| low.max(-a.mean).min(d.mean)), ..d });
        change.difference = difference;
        change.verdict = verdict(key, &a, difference.as_ref(), self.terms.noise);
        Some(change)
    }
}

fn estimate(plane: &SavedPlane, key: &str, replications: u32) -> Option<Estimate> {
    let figure = plane.metrics.get(key).copied().flatten()?;
    let mean = figure.mean?;
    let worst = figure.worst.unwrap_or(mean);
    Some(Estimate { mean, low: figure.low, high: figure.high, worst, replications })
}

fn verdict(key: &str, old: &Estimate, difference: Option<&Estimate>, noise: f64) -> Verdict {
    let Some(d) = difference else { return Verdict::Unclear { needed: None } };
    let minded = d.mean.abs() > noise * old.mean.abs();
    let (Some(low), Some(high)) = (d.low, d.high) else {
        return if minded { Verdict::Unclear { needed: None } } else { Verdict::WithinNoise };
    };
    if !minded {
        return Verdict::WithinNoise;
    }
    if low <= 0.0 && high >= 0.0 {
        let half = (high - low) / 2.0;
        return Verdict::Unclear { needed: replications_needed(d.replications, half, d.mean.abs()) };
    }
    match bad(key) {
        None => Verdict::Changed,
        Some(Bad::Up) if low > 0.0 => Verdict::Worse,
        Some(Bad::Down) if high < 0.0 => Verdict::Worse,
        Some(_) => Verdict::Better,
    }
}

/// Which way a figure is bad; `None` for those that are neither good nor bad by themselves: more
/// ejections may be what saved the others.
fn bad(key: &str) -> Option<Bad> {
    match key {
        "goodput_rps" => Some(Bad::Down),
        "ejections" | "requests" | "lookups" | "saved_by_retry" | "tasks_max" | "cpu_max" | "utilization"
        | "in_flight_mean" => None,
        _ => Some(Bad::Up),
    }
}

/// The unit of a figure, by its key.
fn unit(key: &str) -> Unit {
    match key {
        "error_rate" | "wait_share" | "utilization" | "cpu_max" => Unit::Share,
        "requests" | "failed_requests" | "ejections" | "stale_dials" | "overflow" | "queue_max" | "tasks_max"
        | "saved_by_retry" | "lookups" => Unit::Count,
        _ if key.ends_with("_rps") => Unit::PerSecond,
        _ if key.ends_with("_ms") => Unit::Millis,
        _ if key.ends_with("_s") => Unit::Seconds,
        _ => Unit::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A result on one plane whose p99 has these values.
    fn result(seed: u64, settings: &str, p99: &[f64]) -> Saved {
        let estimate = Estimator::new(0.95).estimate(p99, Bad::Up).unwrap();
        let index: Vec<usize> = (0..p99.len()).collect();
        let arrived = vec![100; p99.len()];
        let text = serde_json::json!({
            "schema": "scsim.result/1", "scsim": { "model": 1 }, "seed": seed, "replications": p99.len(),
            "scenario": { "file": "a.toml", "title": "a", "digest": settings,
                          "settings": { "policy.retry_policy.num_retries": settings, "run.seed": 1 } },
            "confidence": 0.95,
            "planes": [{ "name": "direct", "runs": p99.iter().map(f64::to_string).collect::<Vec<_>>(),
                "metrics": { "p99_ms": { "mean": estimate.mean, "low": estimate.low, "high": estimate.high },
                             "goodput_rps": { "mean": 100.0 - estimate.mean } },
                "replications_detail": { "index": index, "arrived": arrived, "p99_ms": p99,
                             "goodput_rps": p99.iter().map(|p| 100.0 - p).collect::<Vec<_>>() } }],
        });
        saved::read(&text.to_string()).unwrap().remove(0)
    }

    fn changes(old: &Saved, new: &Saved, noise: f64) -> (Pair, Change) {
        let terms = Terms { noise, ..Terms::default() };
        let (old, new) = (std::slice::from_ref(old), std::slice::from_ref(new));
        let pair = compare(("old.json", old), ("new.json", new), &terms).pairs.remove(0);
        let change = pair.planes[0].changes[0].clone();
        (pair, change)
    }

    #[test]
    fn pairs_see_what_strangers_cannot() {
        let old = result(1, "2", &[10.0, 20.0, 30.0]);
        let new = result(1, "2", &[8.1, 18.0, 27.9]);
        let (pair, change) = changes(&old, &new, 0.02);
        // The differences -1.9, -2.0, -2.1: mean -2, s 0.1, half-width 4.302653 * 0.1 / sqrt(3) = 0.248414.
        let d = change.difference.unwrap();
        assert!((d.mean + 2.0).abs() < 1e-9 && (d.half_width().unwrap() - 0.248_414).abs() < 1e-5, "{d:?}");
        assert!(pair.paired && change.paired && change.verdict == Verdict::Better);
        let (pair, change) = changes(&old, &result(2, "2", &[8.1, 18.0, 27.9]), 0.02);
        assert!(
            !pair.paired && matches!(change.verdict, Verdict::Unclear { needed: Some(n) } if n > 100),
            "{change:?}"
        );
        assert!(pair.notes[0].contains("seeds 1 and 2"), "{:?}", pair.notes);
    }

    #[test]
    fn the_verdict_asks_chance_and_noise() {
        let old = result(1, "2", &[10.0, 20.0, 30.0]);
        let slower = result(1, "2", &[11.9, 22.0, 32.1]);
        assert_eq!(changes(&old, &slower, 0.02).1.verdict, Verdict::Worse);
        // A tenth more is not more than a tenth more.
        assert_eq!(changes(&old, &slower, 0.1).1.verdict, Verdict::WithinNoise);
        assert_eq!(changes(&old, &old, 0.0).1.verdict, Verdict::WithinNoise);
        // -1, -2, -3: half-width 4.302653 / sqrt(3) = 2.4841 reaches over zero; 3 * (2.4841 / 2)^2 * 1.1 = 5.09.
        let perhaps = result(1, "2", &[9.0, 18.0, 27.0]);
        assert_eq!(changes(&old, &perhaps, 0.02).1.verdict, Verdict::Unclear { needed: Some(6) });
        // One replication tells nothing, unless nothing changed.
        let (a, b) = (result(1, "2", &[10.0]), result(1, "2", &[20.0]));
        assert_eq!(changes(&a, &b, 0.02).1.verdict, Verdict::Unclear { needed: None });
        assert_eq!(changes(&a, &a, 0.02).1.verdict, Verdict::WithinNoise);
        // Goodput is bad the other way round.
        let pair = changes(&old, &slower, 0.01).0;
        assert_eq!(
            (pair.planes[0].changes[1].metric.as_str(), pair.planes[0].changes[1].verdict),
            ("goodput_rps", Verdict::Worse)
        );
    }

    #[test]
    fn what_differs_is_named() {
        let (pair, _) = changes(&result(1, "2", &[1.0, 2.0]), &result(1, "0", &[1.0, 2.0]), 0.02);
        assert_eq!(show::differs(&pair.differs[0]), "policy.retry_policy.num_retries 2 → 0");
        assert_eq!(pair.differs.len(), 1);
        assert!(pair.planes[0].identical);
    }

    #[test]
    fn sizes_are_points_percents_or_counts() {
        let old = result(1, "2", &[10.0, 20.0, 30.0]);
        let (_, change) = changes(&old, &result(1, "2", &[8.1, 18.0, 27.9]), 0.02);
        assert_eq!(show::size(&change, true), "−10 % [−11, −9]");
        assert_eq!(
            show::sentence("direct", &change, 0.02),
            "direct: p99 fell from 20 ms to 18 ms, −10 % [−11, −9]: better."
        );
        let share = Estimate { mean: 0.0, low: Some(0.0), high: Some(0.0), worst: 0.0, replications: 9 };
        let d = Estimate { mean: 0.0021, low: Some(0.0017), high: Some(0.0025), ..share };
        let change = Change { unit: Unit::Share, old: Some(share), difference: Some(d), ..change };
        assert_eq!(show::size(&change, true), "+0.21 pt [+0.17, +0.25]");
        let change = Change { unit: Unit::Count, ..change };
        assert_eq!(
            show::size(
                &Change { difference: Some(Estimate { mean: 3.0, low: None, high: None, ..d }), ..change },
                true
            ),
            "+3"
        );
    }

    #[test]
    fn results_of_many_scenarios_find_each_other() {
        let named = |file: &str, title: &str| {
            let mut result = result(1, "2", &[1.0, 2.0]);
            (result.scenario.file, result.scenario.title) = (file.to_owned(), title.to_owned());
            result
        };
        let old = [named("main/a.toml", "A"), named("main/b.toml", "B"), named("main/gone.toml", "G")];
        let new = [named("pr/b.toml", "changed title"), named("pr/renamed.toml", "A"), named("pr/new.toml", "N")];
        let compared = compare(("o", &old), ("n", &new), &Terms::default());
        let names: Vec<&str> = compared.pairs.iter().map(|pair| pair.name.as_str()).collect();
        assert_eq!(names, ["b", "renamed"]);
        assert_eq!((compared.only_old, compared.only_new), (vec!["gone".to_owned()], vec!["new".to_owned()]));
        assert_eq!(key_of("p99", &[&old]), Some("p99_ms".to_owned()));
        assert_eq!((key_of("goodput", &[&old]), key_of("p98", &[&old])), (Some("goodput_rps".to_owned()), None));
    }
}
