//! Where the boundary lies between what passes and what fails.
//!
//! *Knows* steps, brackets and verdicts of three values. *Does not know* what is probed nor how a
//! verdict is come by. A boundary is never a point: it is the hardest position that surely passes
//! and the easiest beyond it that surely fails, with whatever stayed undecided in between.
//! Invariant: the positions asked for depend on the verdicts alone.

/// What is known of a position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Every interval lies inside its limit.
    Passes,
    /// An interval lies outside.
    Fails,
    /// An interval holds its limit, however often it was run.
    Undecided,
}

/// What positions are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Requests per second: more is harder.
    Rate,
    /// A whole number of tasks: fewer is harder.
    Tasks,
}

/// The positions that may be tried.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Line {
    /// What they are.
    pub kind: Kind,
    /// The first to try.
    pub start: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
    /// How far the two ends of a bracket of rates may lie apart, as a share of the lower one.
    pub within: f64,
}

/// What has been tried: positions in the order of trying.
pub type Seen = [(f64, Verdict)];

/// The boundary, as far as it is known.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Bracket {
    /// The hardest position that passes and has none that fails on its easier side.
    pub passes: Option<f64>,
    /// The easiest position that fails.
    pub fails: Option<f64>,
    /// Undecided positions between the two, from easy to hard.
    pub undecided: Vec<f64>,
    /// Positions that pass although an easier one fails.
    pub passes_beyond: Vec<f64>,
}

/// Positions tried at the most: far above what any search needs.
const TRIES_MAX: usize = 200;

impl Line {
    /// Larger is harder.
    fn hardness(&self, at: f64) -> f64 {
        match self.kind {
            Kind::Rate => at,
            Kind::Tasks => -at,
        }
    }

    /// A step to the harder side; `None` at the end.
    fn harder(&self, at: f64) -> Option<f64> {
        match self.kind {
            Kind::Rate => self.up(at),
            Kind::Tasks => self.down(at),
        }
    }

    /// A step to the easier side; `None` at the end.
    fn easier(&self, at: f64) -> Option<f64> {
        match self.kind {
            Kind::Rate => self.down(at),
            Kind::Tasks => self.up(at),
        }
    }

    fn up(&self, at: f64) -> Option<f64> {
        (at < self.most).then(|| self.rounded(at * 2.0).min(self.most))
    }

    fn down(&self, at: f64) -> Option<f64> {
        (at > self.least).then(|| self.rounded((at / 2.0).max(self.least)))
    }

    /// A position that people can type: four significant digits, or a whole number.
    fn rounded(&self, at: f64) -> f64 {
        match self.kind {
            Kind::Rate => four_digits(at),
            Kind::Tasks => at.floor(),
        }
    }

    /// A position between two others; `None` once they are close enough.
    fn between(&self, a: f64, b: f64) -> Option<f64> {
        let (low, high) = (a.min(b), a.max(b));
        let middle = match self.kind {
            Kind::Rate if high <= low * (1.0 + self.within) => return None,
            Kind::Rate => four_digits((low * high).sqrt()),
            Kind::Tasks => f64::midpoint(low, high).floor(),
        };
        (middle > low && middle < high).then_some(middle)
    }

    /// Further positions that make a curve of a bracket, from easy to hard. They also show whether what
    /// lies on the easy side passes and what lies beyond fails.
    pub fn curve(&self, seen: &Seen) -> Vec<f64> {
        let bracket = self.bracket(seen);
        let anchor = |at: Option<f64>, factors: &[f64]| -> Vec<f64> {
            at.map_or_else(Vec::new, |at| factors.iter().map(|factor| at * factor).collect())
        };
        let mut wanted = match self.kind {
            Kind::Rate => anchor(bracket.passes, &[0.25, 0.5, 0.75, 0.9]),
            Kind::Tasks => anchor(bracket.passes, &[2.0, 1.5, 1.25]),
        };
        if self.kind == Kind::Rate {
            wanted.extend(anchor(bracket.fails, &[1.1, 1.3]));
        }
        let mut found: Vec<f64> = Vec::new();
        for at in wanted {
            let at = self.rounded(at);
            let near = |other: f64| match self.kind {
                Kind::Rate => (at / other - 1.0).abs() < 0.05,
                Kind::Tasks => (at - other).abs() < 0.5,
            };
            let known = seen.iter().any(|(other, _)| near(*other)) || found.iter().any(|other| near(*other));
            if at >= self.least && at <= self.most && !known {
                found.push(at);
            }
        }
        found
    }

    /// What the verdicts so far say of the boundary.
    pub fn bracket(&self, seen: &Seen) -> Bracket {
        let mut order: Vec<(f64, Verdict)> = seen.to_vec();
        order.sort_by(|a, b| self.hardness(a.0).total_cmp(&self.hardness(b.0)));
        let first_failure = order.iter().position(|(_, verdict)| *verdict == Verdict::Fails).unwrap_or(order.len());
        let (before, from) = order.split_at(first_failure);
        let last_pass = before.iter().rposition(|(_, verdict)| *verdict == Verdict::Passes);
        Bracket {
            passes: last_pass.map(|place| before[place].0),
            fails: from.first().map(|(at, _)| *at),
            undecided: before[last_pass.map_or(0, |place| place + 1)..].iter().map(|(at, _)| *at).collect(),
            passes_beyond: from.iter().filter(|(_, verdict)| *verdict == Verdict::Passes).map(|(at, _)| *at).collect(),
        }
    }

    /// The next position to try; `None` when the boundary is known as well as it can be.
    fn next(&self, seen: &Seen) -> Option<f64> {
        if seen.is_empty() {
            return Some(self.start);
        }
        let bracket = self.bracket(seen);
        let by_hardness = |a: &f64, b: &f64| self.hardness(*a).total_cmp(&self.hardness(*b));
        let positions = || seen.iter().map(|(at, _)| *at);
        let (Some(passes), Some(fails)) = (bracket.passes, bracket.fails) else {
            // The side without an end is looked at first: harder until it fails, then easier until it passes.
            if bracket.fails.is_none() {
                let further = self.harder(positions().max_by(by_hardness)?);
                if further.is_some() {
                    return further;
                }
            }
            return if bracket.passes.is_none() { self.easier(positions().min_by(by_hardness)?) } else { None };
        };
        match (bracket.undecided.first(), bracket.undecided.last()) {
            (Some(first), Some(last)) => self.between(passes, *first).or_else(|| self.between(*last, fails)),
            _ => self.between(passes, fails),
        }
    }

    /// Tries positions until the boundary is known as well as it can be. What `seen` holds is taken as tried.
    ///
    /// # Errors
    /// Whatever `probe` says.
    pub fn search<E>(
        &self,
        seen: &mut Vec<(f64, Verdict)>,
        mut probe: impl FnMut(f64) -> Result<Verdict, E>,
    ) -> Result<(), E> {
        while seen.len() < TRIES_MAX
            && let Some(at) = self.next(seen)
        {
            let verdict = probe(at)?;
            seen.push((at, verdict));
        }
        Ok(())
    }
}

/// Four significant digits.
fn four_digits(at: f64) -> f64 {
    // Through a decimal text, so that 282.8 is the double that 282.8 is read as.
    format!("{at:.3e}").parse().unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Line = Line { kind: Kind::Rate, start: 100.0, least: 1.0, most: 10_000.0, within: 0.02 };
    const TASKS: Line = Line { kind: Kind::Tasks, start: 4.0, least: 1.0, most: 1_000.0, within: 0.02 };

    fn found(line: &Line, truth: impl Fn(f64) -> Verdict) -> (Bracket, usize) {
        let mut seen = Vec::new();
        line.search(&mut seen, |at| Ok::<_, ()>(truth(at))).unwrap();
        (line.bracket(&seen), seen.len())
    }

    fn limit(most: f64) -> impl Fn(f64) -> Verdict {
        move |at| if at <= most { Verdict::Passes } else { Verdict::Fails }
    }

    #[test]
    fn a_bracket_holds_the_boundary_and_is_narrow() {
        for truth in [1.5, 3.0, 99.0, 100.0, 101.0, 777.7, 9_900.0] {
            let (bracket, tries) = found(&RATES, limit(truth));
            let (low, high) = (bracket.passes.unwrap(), bracket.fails.unwrap());
            assert!(low <= truth && truth < high && high <= low * 1.0201, "{truth}: {bracket:?}");
            assert!(tries < 20, "{truth}: {tries} tries");
            assert!(bracket.undecided.is_empty() && bracket.passes_beyond.is_empty());
        }
    }

    #[test]
    fn what_has_no_boundary_gets_no_number() {
        let (bracket, _) = found(&RATES, |_| Verdict::Passes);
        assert_eq!((bracket.passes, bracket.fails), (Some(10_000.0), None));
        let (bracket, _) = found(&RATES, |_| Verdict::Fails);
        assert_eq!((bracket.passes, bracket.fails), (None, Some(1.0)));
        let (bracket, tries) = found(&RATES, |_| Verdict::Undecided);
        assert_eq!((bracket.passes, bracket.fails), (None, None));
        assert!(tries < 20);
    }

    #[test]
    fn what_stays_undecided_widens_the_bracket() {
        let truth = |at: f64| match at {
            at if at <= 400.0 => Verdict::Passes,
            at if at < 500.0 => Verdict::Undecided,
            _ => Verdict::Fails,
        };
        let (bracket, _) = found(&RATES, truth);
        let (low, high) = (bracket.passes.unwrap(), bracket.fails.unwrap());
        let (first, last) = (bracket.undecided[0], bracket.undecided[bracket.undecided.len() - 1]);
        assert!(low <= 400.0 && high >= 500.0 && first <= low * 1.021 && last * 1.021 >= high, "{bracket:?}");
    }

    #[test]
    fn fewest_tasks_are_whole() {
        for truth in [1.0, 2.0, 3.0, 4.0, 5.0, 17.0, 640.0] {
            let enough = |at: f64| if at >= truth { Verdict::Passes } else { Verdict::Fails };
            let (bracket, _) = found(&TASKS, enough);
            assert_eq!(bracket.passes, Some(truth));
            assert_eq!(bracket.fails, (truth > 1.0).then_some(truth - 1.0));
        }
    }

    #[test]
    fn an_island_beyond_a_failure_is_told_and_not_believed() {
        let truth =
            |at: f64| if at <= 150.0 || (350.0..450.0).contains(&at) { Verdict::Passes } else { Verdict::Fails };
        let seen: Vec<(f64, Verdict)> = [100.0, 200.0, 400.0, 800.0].map(|at| (at, truth(at))).to_vec();
        let bracket = RATES.bracket(&seen);
        assert_eq!((bracket.passes, bracket.fails), (Some(100.0), Some(200.0)));
        assert_eq!(bracket.passes_beyond, [400.0]);
    }

    #[test]
    fn a_curve_asks_for_what_is_not_known_yet() {
        let mut seen = Vec::new();
        RATES.search(&mut seen, |at| Ok::<_, ()>(limit(300.0)(at))).unwrap();
        let more = RATES.curve(&seen);
        assert!(
            !more.is_empty() && more.iter().all(|at| seen.iter().all(|(other, _)| other.total_cmp(at).is_ne())),
            "{more:?}"
        );
        assert!(more.iter().any(|at| *at > 300.0) && more.iter().any(|at| *at < 150.0));
    }
}
