//! Success rates over one interval, and which endpoints stand out by theirs.
//!
//! *Knows* Envoy's arithmetic, which is in doubles (envoy.md 1.6). *Does not know* what a low
//! rate leads to. Invariant: nothing but + - * / and the square root, which IEEE 754 defines to
//! the last bit, so that every machine finds the same endpoints.

use std::fmt;

/// What came of the requests to one endpoint in one interval.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    requests: u32,
    successes: u32,
}

impl Bucket {
    /// Counts one request.
    #[inline]
    pub(super) fn count(&mut self, success: bool) {
        self.requests = self.requests.saturating_add(1);
        self.successes = self.successes.saturating_add(u32::from(success));
    }
}

/// What a comparison saw of an endpoint, in percent.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct HostRate {
    /// Its success rate.
    pub success_rate: f64,
    /// What it was compared with, if its success rate was.
    pub cluster: Option<SuccessRates>,
}

impl fmt::Display for HostRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "host_success_rate={}", self.success_rate)?;
        let of = |rates: SuccessRates| (rates.mean, rates.threshold);
        self.cluster.map(of).map_or(Ok(()), |(mean, threshold)| {
            write!(f, " cluster_average_success_rate={mean} cluster_success_rate_ejection_threshold={threshold}")
        })
    }
}

/// Mean success rate of a sweep and the rate below which an endpoint stands out, in percent.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SuccessRates {
    /// The mean over endpoints, each counting once.
    pub mean: f64,
    /// The mean less the standard deviation times its factor.
    pub threshold: f64,
}

/// The endpoints of one sweep with their rates over the last full interval.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranking(Vec<Rated>);

#[derive(Clone, Copy, Debug)]
struct Rated {
    slot: u32,
    requests: u32,
    percent: f64,
}

impl Ranking {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds an endpoint; one without requests has no rate.
    pub(super) fn add(&mut self, slot: u32, full: Bucket) {
        let Bucket { requests, successes } = full;
        if requests > 0 {
            let percent = f64::from(successes) * 100.0 / f64::from(requests);
            self.0.push(Rated { slot, requests, percent });
        }
    }

    fn with_volume(&self, volume: u32) -> impl Iterator<Item = &Rated> {
        self.0.iter().filter(move |rated| rated.requests >= volume)
    }

    /// Mean and threshold over those with enough requests; `None` if they are too few.
    /// `stdev_factor` is in thousandths.
    pub(super) fn success_rates(&self, volume: u32, minimum_hosts: u32, stdev_factor: u32) -> Option<SuccessRates> {
        let n = self.with_volume(volume).count() as u32;
        if n == 0 || n < minimum_hosts {
            return None;
        }
        let sum = self.with_volume(volume).fold(0.0, |sum, rated| sum + rated.percent);
        let mean = sum / f64::from(n);
        let squares = self.with_volume(volume).fold(0.0, |sum, rated| {
            let off = rated.percent - mean;
            sum + off * off
        });
        // The population's deviation: divided by n, not by n - 1.
        let stdev = (squares / f64::from(n)).sqrt();
        Some(SuccessRates { mean, threshold: mean - f64::from(stdev_factor) / 1000.0 * stdev })
    }

    /// The `i`th endpoint, if it has enough requests and its success rate is below the threshold.
    pub(super) fn below(&self, i: usize, volume: u32, rates: SuccessRates) -> Option<(u32, HostRate)> {
        let rated = &self.0[i];
        let seen = HostRate { success_rate: rated.percent, cluster: Some(rates) };
        (rated.requests >= volume && rated.percent < rates.threshold).then_some((rated.slot, seen))
    }

    /// True if as many as `minimum_hosts`, and at least one, have enough requests.
    pub(super) fn enough(&self, volume: u32, minimum_hosts: u32) -> bool {
        let n = self.with_volume(volume).count();
        n > 0 && n >= minimum_hosts as usize
    }

    /// The `i`th endpoint, if it has enough requests and at least `percent` of them failed.
    pub(super) fn failing(&self, i: usize, volume: u32, percent: u32) -> Option<(u32, HostRate)> {
        let rated = &self.0[i];
        let seen = HostRate { success_rate: rated.percent, cluster: None };
        (rated.requests >= volume && 100.0 - rated.percent >= f64::from(percent)).then_some((rated.slot, seen))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranking(rates: &[u32]) -> Ranking {
        let mut ranking = Ranking::default();
        for (slot, &successes) in rates.iter().enumerate() {
            ranking.add(slot as u32, Bucket { requests: 100, successes });
        }
        ranking
    }

    /// It would have no rate, and the mean none with it.
    #[test]
    fn who_got_no_request_is_in_no_ranking() {
        let mut ranking = ranking(&[100, 50]);
        ranking.add(2, Bucket::default());
        assert_eq!(ranking.len(), 2);
        assert_eq!(ranking.success_rates(0, 2, 1900).map(|rates| rates.mean), Some(75.0));
    }

    /// The threshold of equals is their rate, and below it is none of them.
    #[test]
    fn equals_do_not_stand_out() {
        let ranking = ranking(&[100; 5]);
        let rates = ranking.success_rates(100, 5, 1900).unwrap();
        assert!((0..5).all(|i| ranking.below(i, 100, rates).is_none()));
    }

    #[test]
    fn the_example_of_the_source_has_its_threshold_at_52() {
        let rates = ranking(&[50, 100, 100, 100, 100]).success_rates(100, 5, 1900).unwrap();
        assert_eq!((rates.mean, rates.threshold), (90.0, 52.0));
    }

    #[test]
    fn one_of_four_can_never_stand_out_at_the_default_factor() {
        let ranking = ranking(&[0, 100, 100, 100]);
        let rates = ranking.success_rates(100, 4, 1900).unwrap();
        assert!((0..4).all(|i| ranking.below(i, 100, rates).is_none()), "{rates:?}");
    }

    #[test]
    fn too_few_endpoints_or_requests_say_nothing() {
        assert_eq!(ranking(&[0, 100]).success_rates(100, 3, 1900), None);
        assert_eq!(ranking(&[0, 100]).success_rates(101, 2, 1900), None);
        assert!(!ranking(&[0, 100]).enough(101, 0) && ranking(&[0, 100]).enough(100, 2));
    }
}
