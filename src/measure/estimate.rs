//! What several replications together say about a figure: its mean, how sure that is, its worst.
//!
//! *Knows* Student's t. *Does not know* what is estimated. Intervals are two-sided and come from
//! the spread between replications, never from the requests within one: those depend on each
//! other. Transcendental functions come from `libm`, so every platform computes the same bits.

use std::cell::Cell;

/// A figure over the replications of one plane.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Estimate {
    /// Mean over replications; for percentiles that of the pooled histogram.
    pub mean: f64,
    /// Lower end of the confidence interval; `None` with a single replication.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// The worst replication, in the figure's own bad direction.
    pub worst: f64,
    /// Replications that had the figure at all.
    pub replications: u32,
}

/// Which way a figure is bad.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bad {
    /// More is worse: errors, latencies.
    Up,
    /// Less is worse: goodput.
    Down,
}

impl Bad {
    /// The worse of two values.
    pub fn worse(self, a: f64, b: f64) -> f64 {
        match self {
            Bad::Up => a.max(b),
            Bad::Down => a.min(b),
        }
    }
}

impl Estimate {
    /// Half the width of the interval; `None` without one.
    pub fn half_width(&self) -> Option<f64> {
        Some((self.high? - self.low?) / 2.0)
    }

    /// The same estimate with its interval cut to what the figure can be.
    #[must_use]
    pub fn within(mut self, least: f64, most: f64) -> Estimate {
        self.low = self.low.map(|x| x.clamp(least, most));
        self.high = self.high.map(|x| x.clamp(least, most));
        self
    }

    /// The same interval around another point (the pooled percentile instead of the mean of the
    /// replications' percentiles).
    #[must_use]
    pub fn around(mut self, point: f64) -> Estimate {
        let half = self.half_width();
        self.low = half.map(|h| point - h);
        self.high = half.map(|h| point + h);
        self.mean = point;
        self
    }
}

/// Turns replications into estimates at one confidence.
#[derive(Clone, Debug)]
pub struct Estimator {
    confidence: f64,
    /// The last quantile computed, with its degrees of freedom: nearly all calls share one.
    last: Cell<(u32, f64)>,
}

impl Estimator {
    /// An estimator at `confidence` (0.95).
    pub fn new(confidence: f64) -> Estimator {
        Estimator { confidence, last: Cell::new((0, f64::NAN)) }
    }

    /// The confidence of its intervals.
    pub fn confidence(&self) -> f64 {
        self.confidence
    }

    /// Mean, interval and worst of one figure; `None` without a single value. One value gives no
    /// interval. An infinite value (something that never happened) makes the mean infinite and
    /// leaves no interval.
    pub fn estimate(&self, values: &[f64], bad: Bad) -> Option<Estimate> {
        let (&first, rest) = values.split_first()?;
        let worst = rest.iter().fold(first, |worst, &v| bad.worse(worst, v));
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        let interval = (values.len() > 1 && mean.is_finite()).then(|| {
            let half = self.quantile(values.len() as u32 - 1) * (squares / (n - 1.0) / n).sqrt();
            (mean - half, mean + half)
        });
        Some(Estimate {
            mean,
            low: interval.map(|i| i.0),
            high: interval.map(|i| i.1),
            worst,
            replications: values.len() as u32,
        })
    }

    /// The same from exact sums, for figures of which single values are not kept.
    pub fn estimate_sums(&self, sums: Sums, replications: u32) -> Option<Estimate> {
        if replications == 0 {
            return None;
        }
        let n = f64::from(replications);
        let mean = sums.sum as f64 / n;
        let interval = (replications > 1).then(|| {
            let squares = (sums.squares as f64 - n * mean * mean).max(0.0);
            let half = self.quantile(replications - 1) * (squares / (n - 1.0) / n).sqrt();
            ((mean - half).max(0.0), mean + half)
        });
        Some(Estimate {
            mean,
            low: interval.map(|i| i.0),
            high: interval.map(|i| i.1),
            worst: sums.most as f64,
            replications,
        })
    }

    /// The paired difference `left - right` of replications that share their random numbers.
    /// Replications in which one side has no value are left out.
    pub fn difference(&self, left: &[Option<f64>], right: &[Option<f64>], bad: Bad) -> Option<Estimate> {
        let differences: Vec<f64> =
            left.iter().zip(right).filter_map(|(l, r)| Some((*l)? - (*r)?)).filter(|d| !d.is_nan()).collect();
        self.estimate(&differences, bad)
    }

    /// The difference `left - right` of two estimates that share nothing, by Welch's interval. Both
    /// must be at this estimator's confidence; without an interval on both sides there is none.
    pub fn unpaired(&self, left: &Estimate, right: &Estimate) -> Estimate {
        let mean = left.mean - right.mean;
        let half = left.half_width().zip(right.half_width()).and_then(|(a, b)| {
            let (n, m) = (left.replications.max(2) - 1, right.replications.max(2) - 1);
            let (a, b) = (a / self.quantile(n), b / self.quantile(m));
            let variance = a * a + b * b;
            if variance == 0.0 {
                return Some(0.0);
            }
            let (n, m) = (f64::from(n), f64::from(m));
            let degrees = variance * variance / (a * a * a * a / n + b * b * b * b / m);
            let half = t_quantile(0.5 + self.confidence / 2.0, degrees.max(1.0)) * variance.sqrt();
            half.is_finite().then_some(half)
        });
        Estimate {
            mean,
            low: half.map(|h| mean - h),
            high: half.map(|h| mean + h),
            worst: mean,
            replications: left.replications.min(right.replications),
        }
    }

    fn quantile(&self, degrees: u32) -> f64 {
        let (known, value) = self.last.get();
        if known == degrees {
            return value;
        }
        let value = t_quantile(0.5 + self.confidence / 2.0, f64::from(degrees));
        self.last.set((degrees, value));
        value
    }
}

/// Exact sums of a whole-number figure over replications; adding is order-independent.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Sums {
    /// Sum.
    pub sum: u128,
    /// Sum of squares.
    pub squares: u128,
    /// Largest.
    pub most: u64,
}

impl Sums {
    /// Adds one replication's value.
    pub fn add(&mut self, value: u64) {
        self.sum += u128::from(value);
        self.squares += u128::from(value) * u128::from(value);
        self.most = self.most.max(value);
    }
}

/// How many replications would narrow an interval of half-width `half`, seen in `now`
/// replications, to less than `gap`. `None` if no reasonable number would.
pub fn replications_needed(now: u32, half: f64, gap: f64) -> Option<u32> {
    let ratio = half / gap;
    // A tenth on top: the spread is itself only estimated.
    let needed = f64::from(now) * ratio * ratio * 1.1;
    (needed.is_finite() && needed < 1e6).then(|| {
        let needed = (needed.ceil() as u32).max(now + 1);
        // Two digits are all that this guess is worth.
        let step = if needed > 100 { 10 } else { 1 };
        needed.div_ceil(step) * step
    })
}

/// The value that a Student-t variable with `degrees` of freedom does not exceed with
/// probability `p`, for `0 < p < 1`.
///
/// Found by bisection on the distribution function, which is monotone and cheap; exact to about
/// twelve digits.
pub fn t_quantile(p: f64, degrees: f64) -> f64 {
    if p < 0.5 {
        return -t_quantile(1.0 - p, degrees);
    }
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    while t_cdf(high, degrees) < p && high < 1e12 {
        low = high;
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if t_cdf(middle, degrees) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// Student's distribution function for `t >= 0`.
fn t_cdf(t: f64, degrees: f64) -> f64 {
    let square = t * t;
    // Each form keeps its digits where the other loses them.
    if square < degrees {
        0.5 + 0.5 * incomplete_beta(0.5, degrees / 2.0, square / (degrees + square))
    } else {
        1.0 - 0.5 * incomplete_beta(degrees / 2.0, 0.5, degrees / (degrees + square))
    }
}

/// The regularized incomplete beta function, by its continued fraction (DLMF 8.17.22).
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let log_front = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * libm::log(x) + b * libm::log1p(-x);
    let front = libm::exp(log_front);
    // The fraction converges fast on one side of the mean only; the other side is its mirror.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(a, b, x) / a
    } else {
        1.0 - front * beta_fraction(b, a, 1.0 - x) / b
    }
}

/// The continued fraction of the incomplete beta function, by Lentz's method.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut upper = 1.0;
    let mut lower = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = lower;
    for step in 1..=500 {
        let m = f64::from(step);
        for numerator in [
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        ] {
            lower = 1.0 / away_from_zero(1.0 + numerator * lower);
            upper = away_from_zero(1.0 + numerator / upper);
            value *= upper * lower;
        }
        if (upper * lower - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "means of small whole numbers are exact")]
mod tests {
    use super::*;

    #[test]
    fn quantiles_agree_with_the_tables() {
        // Two-sided 90 %, 95 % and 99 % points of any statistics table, to six decimals.
        for (degrees, p, table) in [
            (1.0, 0.95, 6.313_752),
            (1.0, 0.975, 12.706_205),
            (1.0, 0.995, 63.656_741),
            (2.0, 0.975, 4.302_653),
            (3.0, 0.975, 3.182_446),
            (4.0, 0.995, 4.604_095),
            (5.0, 0.975, 2.570_582),
            (9.0, 0.975, 2.262_157),
            (10.0, 0.95, 1.812_461),
            (19.0, 0.975, 2.093_024),
            (29.0, 0.975, 2.045_230),
            (30.0, 0.995, 2.749_996),
            (120.0, 0.975, 1.979_930),
            (1e6, 0.975, 1.959_966),
        ] {
            let t = t_quantile(p, degrees);
            assert!((t - table).abs() < 1e-6, "{degrees} degrees at {p}: {t} against {table}");
        }
        assert!((t_quantile(0.025, 9.0) + 2.262_157).abs() < 1e-6);
        assert!(t_quantile(0.5, 7.0).abs() < 1e-12);
    }

    #[test]
    fn an_interval_agrees_with_the_textbook() {
        // NIST/SEMATECH e-Handbook 1.3.5.2: mean 9.261460, s 0.02278881, n 195, 95 % gives
        // 9.258242 to 9.264679. Two points with that spread and count reproduce it in formula;
        // here a small sample by hand: 1..=5 has mean 3, s 1.581139, t 2.776445.
        let e = Estimator::new(0.95).estimate(&[1.0, 2.0, 3.0, 4.0, 5.0], Bad::Up).unwrap();
        assert_eq!((e.mean, e.worst), (3.0, 5.0));
        assert!((e.half_width().unwrap() - 1.963_243).abs() < 1e-6);
        let down = Estimator::new(0.95).estimate(&[1.0, 2.0], Bad::Down).unwrap();
        assert_eq!(down.worst, 1.0);
    }

    #[test]
    fn one_replication_gives_no_interval() {
        let e = Estimator::new(0.95).estimate(&[2.5], Bad::Up).unwrap();
        assert_eq!((e.mean, e.low, e.high, e.worst), (2.5, None, None, 2.5));
        assert_eq!(Estimator::new(0.95).estimate(&[], Bad::Up), None);
    }

    #[test]
    fn pairs_remove_what_both_sides_share() {
        let left = [Some(10.1), Some(20.3), Some(30.2), None];
        let right = [Some(10.0), Some(20.0), Some(30.0), Some(1.0)];
        let e = Estimator::new(0.95).difference(&left, &right, Bad::Up).unwrap();
        assert!((e.mean - 0.2).abs() < 1e-12 && e.replications == 3);
        assert!(e.high.unwrap() < 0.5, "the common 10, 20, 30 must not widen it");
    }

    #[test]
    fn strangers_are_compared_by_welch() {
        // By hand: 1..=5 has mean 3, s^2/n 0.5; 2, 4, .., 12 has mean 7, s^2/n 14/6. Welch-Satterthwaite:
        // (0.5 + 2.33333)^2 / (0.25/4 + 5.44444/5) = 6.97243 degrees; t(0.975) is 2.3667 there, so the
        // half-width is 2.3667 * sqrt(2.83333) = 3.9837.
        let estimator = Estimator::new(0.95);
        let left = estimator.estimate(&[1.0, 2.0, 3.0, 4.0, 5.0], Bad::Up).unwrap();
        let right = estimator.estimate(&[2.0, 4.0, 6.0, 8.0, 10.0, 12.0], Bad::Up).unwrap();
        let e = estimator.unpaired(&left, &right);
        assert_eq!(e.mean, -4.0);
        assert!((e.half_width().unwrap() - 3.9837).abs() < 1e-3, "{e:?}");
        let alone = estimator.estimate(&[1.0], Bad::Up).unwrap();
        assert_eq!(estimator.unpaired(&left, &alone).low, None);
    }

    #[test]
    fn sums_give_what_the_values_give() {
        let mut sums = Sums::default();
        let values = [3_u64, 9, 4, 4];
        for value in values {
            sums.add(value);
        }
        let floats: Vec<f64> = values.iter().map(|&v| v as f64).collect();
        let estimator = Estimator::new(0.9);
        let (a, b) = (estimator.estimate_sums(sums, 4).unwrap(), estimator.estimate(&floats, Bad::Up).unwrap());
        assert!((a.high.unwrap() - b.high.unwrap()).abs() < 1e-9 && a.worst == b.worst);
    }

    #[test]
    fn the_interval_covers_the_mean_as_often_as_it_says() {
        // 2,000 samples of five uniform numbers from a fixed linear congruential sequence.
        let mut state = 7_u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let estimator = Estimator::new(0.95);
        let covered = (0..2_000)
            .filter(|_| {
                let sample: Vec<f64> = (0..5).map(|_| uniform()).collect();
                let e = estimator.estimate(&sample, Bad::Up).unwrap();
                e.low.unwrap() <= 0.5 && 0.5 <= e.high.unwrap()
            })
            .count();
        assert!((1_840..=1_950).contains(&covered), "{covered} of 2,000");
    }

    #[test]
    fn the_number_needed_grows_with_the_square() {
        assert_eq!(replications_needed(10, 2.0, 1.0), Some(44));
        assert_eq!(replications_needed(10, 2.0, 0.0), None);
    }
}
