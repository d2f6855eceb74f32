//! Judges expectations: holds, fails, or cannot be told yet.
//!
//! *Knows* the three-valued verdict: an expectation holds if the whole interval satisfies it,
//! fails if the whole interval violates it, and is inconclusive otherwise. Plane against plane
//! is judged on the paired difference. *Does not know* how verdicts are shown.
//! Start reading at [`judge`].

use super::figure;
use super::figure::Place;
use super::figure::Sheet;
use super::figure::Values;
use crate::measure::estimate::Bad;
use crate::measure::estimate::Estimate;
use crate::measure::estimate::replications_needed;
use crate::scenario::Comparison;
use crate::scenario::Expect;
use crate::scenario::Fault;
use crate::scenario::Metric;
use crate::scenario::Operand;
use crate::scenario::Over;
use crate::scenario::Scenario;
use crate::scenario::Severity;
use crate::scenario::Window;

/// What became of an expectation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is true.
    Holds,
    /// It is false.
    Fails,
    /// It cannot be told.
    Inconclusive,
}

impl Verdict {
    /// Its word in result files.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Fails => "fails",
            Verdict::Inconclusive => "inconclusive",
        }
    }
}

/// One expectation on one plane.
#[derive(Clone, PartialEq, Debug)]
pub struct Judgement {
    /// Index into `Scenario::expects`.
    pub expect: usize,
    /// As written.
    pub that: String,
    /// Line in the file.
    pub line: u32,
    /// The plane it was judged on; `None` if both sides name theirs.
    pub plane: Option<usize>,
    /// The window's name.
    pub during: String,
    /// The result.
    pub verdict: Verdict,
    /// Left side, or the paired difference when two metrics are compared.
    pub observed: Option<Estimate>,
    /// The metric observed.
    pub metric: Option<Metric>,
    /// `observed` is a difference.
    pub paired: bool,
    /// The replication that does worst.
    pub worst_replication: Option<u32>,
    /// What it shows: the value farthest to the wrong side.
    pub worst: Option<f64>,
    /// Replications that would likely decide.
    pub needed: Option<u32>,
    /// Why, where the figures do not say it.
    pub note: Option<String>,
    /// What a failure does.
    pub severity: Severity,
}

/// Judges every expectation on every plane it names, in the order of the file.
pub fn judge(sheet: &Sheet<'_>) -> Vec<Judgement> {
    let mut judgements = Vec::new();
    for (index, expect) in sheet.scenario.expects.iter().enumerate() {
        if expect.planes.is_empty() {
            judgements.push(judge_one(sheet, index, expect, None));
        }
        for &plane in &expect.planes {
            judgements.push(judge_one(sheet, index, expect, Some(plane)));
        }
    }
    judgements
}

/// The name of a window in files and reports.
pub fn window_name(scenario: &Scenario, window: Window) -> String {
    match window {
        Window::All => "all".to_owned(),
        Window::Warm => "warm".to_owned(),
        Window::AnyFault => "fault".to_owned(),
        Window::After => "after".to_owned(),
        Window::AnyDeploy => "deploy".to_owned(),
        Window::Fault(i) => scenario.faults.get(i as usize).map_or_else(String::new, |f: &Fault| f.name.clone()),
        Window::Between(from, to) => format!("{from}-{to}"),
    }
}

/// A side: values of a metric at a place, or a number.
enum Side {
    Metric(Metric, Place, Values),
    Number(f64),
}

fn judge_one(sheet: &Sheet<'_>, index: usize, expect: &Expect, plane: Option<usize>) -> Judgement {
    let mut judgement = Judgement {
        expect: index,
        that: expect.that.clone(),
        line: expect.line,
        plane,
        during: window_name(sheet.scenario, expect.during),
        verdict: Verdict::Inconclusive,
        observed: None,
        metric: None,
        paired: false,
        worst_replication: None,
        worst: None,
        needed: None,
        note: None,
        severity: expect.severity,
    };
    let sides = side(sheet, expect, &expect.left, plane)
        .and_then(|left| side(sheet, expect, &expect.right, plane).map(|right| (left, right)));
    match sides {
        Err(note) => judgement.note = Some(note),
        Ok((Side::Metric(metric, place, values), Side::Number(limit))) => {
            judge_number(sheet, &mut judgement, expect.op, expect.over, (metric, place, &values), limit);
        }
        Ok((Side::Number(limit), Side::Metric(metric, place, values))) => {
            judge_number(sheet, &mut judgement, mirrored(expect.op), expect.over, (metric, place, &values), limit);
        }
        Ok((Side::Metric(metric, left, values), Side::Metric(other, right, others))) => {
            judgement.metric = Some(metric);
            judgement.paired = true;
            let differences: Values = values.iter().zip(&others).map(|(a, b)| Some((*a)? - (*b)?)).collect();
            let pooled = if metric == other { sheet.difference(metric, left, right) } else { None };
            let known: Vec<f64> = differences.iter().copied().flatten().filter(|d| !d.is_nan()).collect();
            let observed = pooled.or_else(|| sheet.estimator().estimate(&known, figure::bad(metric)));
            decide(sheet, &mut judgement, expect.op, expect.over, observed, &differences, 0.0);
        }
        Ok((Side::Number(a), Side::Number(b))) => {
            judgement.verdict = if satisfies(expect.op, a, b) { Verdict::Holds } else { Verdict::Fails };
        }
    }
    if let Some(metric) = judgement.metric
        && figure::is_whole_run(metric)
        && expect.during != Window::All
        && judgement.note.is_none()
    {
        judgement.note = Some(format!("{} is counted over the whole run", figure::name(metric)));
    }
    judgement
}

fn side(sheet: &Sheet<'_>, expect: &Expect, operand: &Operand, plane: Option<usize>) -> Result<Side, String> {
    let (metric, named) = match operand {
        Operand::Number(n) => return Ok(Side::Number(*n)),
        Operand::Metric { metric, plane } => (*metric, *plane),
    };
    let Some(plane) = named.or(plane) else { return Err("no plane to judge it on".to_owned()) };
    let place = Place { plane, window: expect.during, scope: expect.scope };
    let what = &sheet.scenario.planes[plane];
    if let Some(reason) = &what.not_applicable {
        return Err(format!("{} is not applicable: {reason}", what.name));
    }
    if let Metric::CostPerMonth | Metric::Cost(_) = metric {
        return sheet.cost_values(metric, place).map(|values| Side::Metric(metric, place, values));
    }
    match sheet.values(metric, place) {
        Some(values) => Ok(Side::Metric(metric, place, values)),
        None if is_empty(sheet, place) => {
            Err(format!("during = \"{}\" covers no request", window_name(sheet.scenario, expect.during)))
        }
        None => Err(format!("{} does not exist on {}", figure::name(metric), what.name)),
    }
}

/// No request in that window, on no replication.
fn is_empty(sheet: &Sheet<'_>, place: Place) -> bool {
    let slice = sheet.study.frame.slice(place.window, place.scope);
    slice.is_none_or(|s| sheet.result(place.plane).pooled.get(s).is_none_or(|c| c.requests == 0))
}

fn judge_number(
    sheet: &Sheet<'_>,
    judgement: &mut Judgement,
    op: Comparison,
    over: Over,
    (metric, place, values): (Metric, Place, &Values),
    limit: f64,
) {
    judgement.metric = Some(metric);
    let observed = sheet.estimate(metric, place);
    decide(sheet, judgement, op, over, observed, values, limit);
}

fn decide(
    sheet: &Sheet<'_>,
    judgement: &mut Judgement,
    op: Comparison,
    over: Over,
    observed: Option<Estimate>,
    values: &Values,
    limit: f64,
) {
    judgement.observed = observed;
    let known: Vec<f64> = values.iter().copied().flatten().filter(|v| !v.is_nan()).collect();
    let Some(observed) = observed.filter(|_| !known.is_empty()) else {
        judgement.note = Some("no replication has a value".to_owned());
        return;
    };
    (judgement.worst_replication, judgement.worst) = worst_replication(sheet, judgement, op, values).unzip();
    // An equality with a whole number is a claim about every run, not about a mean.
    if over == Over::EveryReplication || op == Comparison::Equal {
        let broken = known.iter().filter(|&&v| !satisfies(op, v, limit)).count();
        judgement.verdict = if broken == 0 { Verdict::Holds } else { Verdict::Fails };
        if broken > 0 {
            judgement.note = Some(format!("broken in {broken} of {} replications", known.len()));
        }
        return;
    }
    let (Some(low), Some(high)) = (observed.low, observed.high) else {
        judgement.verdict = if satisfies(op, observed.mean, limit) { Verdict::Holds } else { Verdict::Fails };
        judgement.note = match known.iter().filter(|v| v.is_infinite()).count() {
            0 => Some("one replication: judged without an interval".to_owned()),
            n => Some(format!("never happened in {n} of {} replications", known.len())),
        };
        return;
    };
    judgement.verdict = of_interval(op, low, high, limit);
    if judgement.verdict == Verdict::Inconclusive {
        let half = (high - low) / 2.0;
        judgement.needed = replications_needed(observed.replications, half, (observed.mean - limit).abs());
    }
}

fn worst_replication(sheet: &Sheet<'_>, judgement: &Judgement, op: Comparison, values: &Values) -> Option<(u32, f64)> {
    // The worst for this expectation: the largest where small is wanted, and the other way round.
    let bad = match op {
        Comparison::Less | Comparison::AtMost | Comparison::Equal | Comparison::Unequal => Bad::Up,
        Comparison::More | Comparison::AtLeast => Bad::Down,
    };
    let plane = judgement.plane.or_else(|| {
        let expect = &sheet.scenario.expects[judgement.expect];
        [&expect.left, &expect.right].into_iter().find_map(|side| match side {
            Operand::Metric { plane, .. } => *plane,
            Operand::Number(_) => None,
        })
    })?;
    let mut worst: Option<(usize, f64)> = None;
    for (i, value) in values.iter().enumerate() {
        let Some(value) = *value else { continue };
        let worse = |than: f64| match bad {
            Bad::Up => value > than,
            Bad::Down => value < than,
        };
        if worst.is_none_or(|(_, than)| worse(than)) {
            worst = Some((i, value));
        }
    }
    let (place, value) = worst?;
    sheet.result(plane).replicas.get(place).map(|r| (r.index, value))
}

/// The three-valued verdict of an interval against a limit.
fn of_interval(op: Comparison, low: f64, high: f64, limit: f64) -> Verdict {
    let (holds, fails) = match op {
        Comparison::Less => (high < limit, low >= limit),
        Comparison::AtMost => (high <= limit, low > limit),
        Comparison::More => (low > limit, high <= limit),
        Comparison::AtLeast => (low >= limit, high < limit),
        Comparison::Equal => (low >= limit && high <= limit, low > limit || high < limit),
        Comparison::Unequal => (low > limit || high < limit, low >= limit && high <= limit),
    };
    match (holds, fails) {
        (true, _) => Verdict::Holds,
        (_, true) => Verdict::Fails,
        _ => Verdict::Inconclusive,
    }
}

fn satisfies(op: Comparison, value: f64, limit: f64) -> bool {
    of_interval(op, value, value, limit) == Verdict::Holds
}

/// `1 < x` says what `x > 1` says.
const fn mirrored(op: Comparison) -> Comparison {
    match op {
        Comparison::Less => Comparison::More,
        Comparison::AtMost => Comparison::AtLeast,
        Comparison::More => Comparison::Less,
        Comparison::AtLeast => Comparison::AtMost,
        Comparison::Equal => Comparison::Equal,
        Comparison::Unequal => Comparison::Unequal,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::measure::study::Study;

    fn verdicts(expects: &str) -> Vec<Judgement> {
        verdicts_of(expects, |_| {})
    }

    fn verdicts_of(expects: &str, change: impl FnOnce(&mut Study)) -> Vec<Judgement> {
        let scenario = fixture::scenario(expects);
        let mut study = fixture::study(&scenario, 1);
        change(&mut study);
        judge(&Sheet::new(&scenario, &study))
    }

    fn check(rest: &str, expected: Verdict) -> Judgement {
        let all = verdicts(&format!("[[expect]]\n{rest}"));
        assert_eq!(all[0].verdict, expected, "{rest}: {:?}", all[0]);
        all[0].clone()
    }

    #[test]
    fn intervals_decide() {
        check("that = \"error_rate < 0.1%\"\nplane = \"service-connect\"", Verdict::Holds);
        check("that = \"error_rate < 0.1%\"\nplane = \"internal-alb\"", Verdict::Fails);
        check("that = \"error_rate > 10%\"\nplane = \"internal-alb\"\nduring = \"fault\"", Verdict::Holds);
        check("that = \"p50 > 1ms\"\nplane = \"internal-alb\"", Verdict::Holds);
    }

    #[test]
    fn what_lies_inside_the_interval_is_inconclusive() {
        let scenario = fixture::scenario("");
        let study = fixture::study(&scenario, 1);
        let mean = Sheet::new(&scenario, &study).estimate(Metric::Mean, Place::users(0)).unwrap();
        let limit = mean.mean + mean.half_width().unwrap() / 2.0;
        let j = check(&format!("that = \"mean < {limit:.6}ms\"\nplane = \"service-connect\""), Verdict::Inconclusive);
        assert!((20..80).contains(&j.needed.unwrap()), "{j:?}");
    }

    #[test]
    fn planes_are_compared_in_pairs() {
        let j = check("that = \"service-connect.failed_requests < internal-alb.failed_requests\"", Verdict::Holds);
        assert!(j.paired && j.observed.unwrap().mean < -500.0);
        // Equal by construction on common random numbers: strictly less is wrong, at most is right.
        check("that = \"cloud-map-dns.error_rate < internal-alb.error_rate\"", Verdict::Fails);
        check("that = \"cloud-map-dns.error_rate <= internal-alb.error_rate\"", Verdict::Holds);
    }

    #[test]
    fn an_equality_must_hold_in_every_replication() {
        check("that = \"failed_requests == 0\"\nplane = \"service-connect\"", Verdict::Holds);
        let one_failure = |study: &mut Study| {
            study.planes[0].replicas[5].tallies[0].failed = 1;
        };
        let expect = "[[expect]]\nthat = \"failed_requests == 0\"\nplane = \"service-connect\"";
        let j = &verdicts_of(expect, one_failure)[0];
        assert_eq!((j.verdict, j.worst_replication), (Verdict::Fails, Some(5)));
        assert_eq!(j.note.as_deref(), Some("broken in 1 of 8 replications"));
        let every =
            "[[expect]]\nthat = \"failed_requests < 1\"\nplane = \"service-connect\"\nover = \"every-replication\"";
        assert_eq!(verdicts_of(every, one_failure)[0].verdict, Verdict::Fails);
    }

    #[test]
    fn what_does_not_exist_cannot_be_told() {
        let j = check("that = \"ejections == 0\"\nplane = \"cloud-map-dns\"", Verdict::Inconclusive);
        assert_eq!(j.note.as_deref(), Some("ejections does not exist on cloud-map-dns"));
        let j = &verdicts_of("[[expect]]\nthat = \"time_to_eject < 5s\"\nplane = \"service-connect\"", |study| {
            study.planes[0].replicas.iter_mut().for_each(|r| r.time_to_eject = None);
        })[0];
        assert_eq!(j.verdict, Verdict::Fails, "what never happens is not soon: {j:?}");
    }

    #[test]
    fn containment_and_recovery_come_from_the_timeline() {
        check("that = \"time_to_contain <= 1s\"\nplane = \"service-connect\"", Verdict::Holds);
        let j = check("that = \"time_to_contain > 170s\"\nplane = \"internal-alb\"", Verdict::Holds);
        assert!(j.observed.unwrap().mean <= 185.0, "{j:?}");
        check("that = \"time_to_recover < 5s\"\nplane = \"internal-alb\"", Verdict::Holds);
    }

    #[test]
    fn mirrored_comparisons_say_the_same() {
        for (op, other) in [(Comparison::Less, Comparison::More), (Comparison::AtMost, Comparison::AtLeast)] {
            assert_eq!((mirrored(op), mirrored(other)), (other, op));
            assert_eq!(satisfies(op, 1.0, 2.0), satisfies(mirrored(op), 2.0, 1.0));
        }
        assert_eq!(of_interval(Comparison::Unequal, 1.0, 2.0, 3.0), Verdict::Holds);
    }
}
