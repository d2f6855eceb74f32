//! Keyed randomness and the distributions drawn with it.
//!
//! A draw depends on the seed, its purpose and its subject (this request, that attempt), never on
//! how many draws came before: adding a service, a retry or a log line moves no other number,
//! and two planes can be compared request by request.
//! Generators are named and portable: SplitMix64 for single draws, xoshiro256++ for the long
//! streams of arrivals; logarithms and exponentials come from `libm` by way of `rand_distr`.

use crate::policy::Entropy;
use crate::scenario::Distribution;
use crate::units::Span;
use rand::Rng;
use rand::SeedableRng;
use rand_distr::Distribution as _;
use rand_xoshiro::SplitMix64;
use rand_xoshiro::Xoshiro256PlusPlus;

/// What a draw is for. The numbers are part of the results: never renumber.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Purpose {
    /// Gaps between arrivals of a load.
    Arrivals = 1,
    /// The entry task of a request.
    Spread = 2,
    /// Service time of a step.
    Work = 3,
    /// Whether a request fails by itself.
    Errors = 4,
    /// Whether an optional call is made.
    Probability = 5,
    /// A router's choice.
    Choose = 6,
    /// A router's decision after an attempt.
    Decide = 7,
    /// Delays of an attempt.
    Delay = 8,
    /// A router's own affairs (list, sweeps, probes).
    Upkeep = 9,
    /// Delay of an endpoint push.
    Push = 10,
    /// A DNS answer.
    Answer = 11,
    /// Think time of a user.
    Think = 12,
    /// Start-up of a task.
    Startup = 13,
    /// Targets of a fault.
    Target = 14,
    /// Whether a fault hits a request.
    Fault = 15,
    /// Patience in a queue.
    Patience = 16,
    /// Phase of periodic checks.
    Phase = 17,
    /// A child of a request: its call, its branch.
    Child = 18,
    /// A request of a load.
    Request = 19,
    /// Delay with which a router hears of its own service's tasks.
    Neighbours = 20,
    /// A task's way to a place and a network interface.
    Provisioning = 30,
    /// A task's image pull.
    ImagePull = 31,
    /// Start of a task's sidecar.
    SidecarStart = 32,
    /// What a message suffers on its way.
    Wire = 40,
    /// The version of a service that takes a request while traffic shifts from one to the other.
    Version = 50,
    /// The path that a call takes while its caller moves from one to the other.
    Path = 60,
}

/// The root of all randomness of one replication.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seed(u64);

impl Seed {
    /// The root for one replication. Every plane of the replication has the same.
    pub fn new(seed: u64, replication: u32) -> Seed {
        Seed(mix(mix(seed ^ 0x5C51_1A7E_D00D_F00D) ^ u64::from(replication)))
    }
    /// A key for a purpose and an owner.
    pub fn key(self, what: Purpose, owner: u64) -> Key {
        Key(self.0).child(what, owner)
    }
    /// A long stream for a purpose and an owner.
    pub fn stream(self, what: Purpose, owner: u64) -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(self.key(what, owner).0)
    }
}

/// The name of a subject of randomness: a request, a call, an attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key(pub u64);

impl Key {
    /// The key of a part of this subject.
    #[inline]
    #[must_use]
    pub fn child(self, what: Purpose, which: u64) -> Key {
        Key(mix(self.0 ^ (what as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ which.wrapping_mul(0xD1B5_4A32_D192_ED03)))
    }
    /// A generator for draws of one purpose about this subject.
    #[inline]
    pub fn draw(self, what: Purpose, which: u64) -> Draw {
        Draw(SplitMix64::seed_from_u64(self.child(what, which).0))
    }
}

/// Stafford's thirteenth variant of the 64-bit finalizer, as in SplitMix64.
#[inline]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A generator for a few draws.
#[derive(Clone, Debug)]
pub struct Draw(pub SplitMix64);

impl Entropy for Draw {
    #[inline]
    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}

impl Draw {
    /// A uniform index below `n`.
    #[inline]
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }
    /// A uniform word.
    #[inline]
    pub fn word(&mut self) -> u64 {
        self.0.next_u64()
    }
    /// A uniform number in `[0, 1)`.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }
}

/// A distribution made ready for drawing.
#[derive(Clone, Debug)]
pub enum Sampler {
    /// Always this.
    Constant(Span),
    /// Exponential, mean in nanoseconds.
    Exponential(f64),
    /// Log-normal of nanoseconds.
    LogNormal(rand_distr::LogNormal<f64>),
    /// Gamma of nanoseconds.
    Gamma(rand_distr::Gamma<f64>),
    /// Two exponential branches.
    HyperExponential {
        /// Probability of the first.
        first: f64,
        /// Mean of the first.
        mean_first: f64,
        /// Mean of the second.
        mean_second: f64,
    },
    /// Pareto of nanoseconds.
    Pareto(rand_distr::Pareto<f64>),
    /// Weibull of nanoseconds.
    Weibull(rand_distr::Weibull<f64>),
    /// Uniform between two ends, in nanoseconds.
    Uniform(f64, f64),
    /// Values with cumulative weights.
    Empirical(std::sync::Arc<[Span]>, std::sync::Arc<[f64]>),
}

impl Sampler {
    /// Makes a checked distribution ready.
    ///
    /// # Panics
    /// If the scenario's check let an impossible parameter pass.
    pub fn new(distribution: &Distribution) -> Sampler {
        let ns = |span: Span| span.as_nanos() as f64;
        let checked = "the scenario was checked";
        match distribution {
            Distribution::Constant(span) => Sampler::Constant(*span),
            Distribution::Exponential { mean } => Sampler::Exponential(ns(*mean)),
            Distribution::LogNormal { mu, sigma } => {
                Sampler::LogNormal(rand_distr::LogNormal::new(*mu, *sigma).expect(checked))
            }
            Distribution::Gamma { shape, mean } => {
                Sampler::Gamma(rand_distr::Gamma::new(*shape, ns(*mean) / shape).expect(checked))
            }
            Distribution::HyperExponential { first, mean_first, mean_second } => {
                Sampler::HyperExponential { first: *first, mean_first: ns(*mean_first), mean_second: ns(*mean_second) }
            }
            Distribution::Pareto { minimum, shape } => {
                Sampler::Pareto(rand_distr::Pareto::new(ns(*minimum), *shape).expect(checked))
            }
            Distribution::Weibull { scale, shape } => {
                Sampler::Weibull(rand_distr::Weibull::new(ns(*scale), *shape).expect(checked))
            }
            Distribution::Uniform { low, high } => Sampler::Uniform(ns(*low), ns(*high)),
            Distribution::Empirical { values, cumulative } => Sampler::Empirical(values.clone(), cumulative.clone()),
        }
    }

    /// Draws once.
    #[inline]
    pub fn sample(&self, draw: &mut Draw) -> Span {
        match self {
            Sampler::Constant(span) => *span,
            Sampler::Exponential(mean) => {
                let x: f64 = rand_distr::Exp1.sample(&mut draw.0);
                Span::from_nanos_f64(x * mean)
            }
            Sampler::LogNormal(law) => Span::from_nanos_f64(law.sample(&mut draw.0)),
            Sampler::Gamma(law) => Span::from_nanos_f64(law.sample(&mut draw.0)),
            Sampler::HyperExponential { first, mean_first, mean_second } => {
                let mean = if draw.unit() < *first { mean_first } else { mean_second };
                let x: f64 = rand_distr::Exp1.sample(&mut draw.0);
                Span::from_nanos_f64(x * mean)
            }
            Sampler::Pareto(law) => Span::from_nanos_f64(law.sample(&mut draw.0)),
            Sampler::Weibull(law) => Span::from_nanos_f64(law.sample(&mut draw.0)),
            Sampler::Uniform(low, high) => Span::from_nanos_f64(low + (high - low) * draw.unit()),
            Sampler::Empirical(values, cumulative) => {
                let u = draw.unit();
                let at = cumulative.partition_point(|&c| c <= u);
                values[at.min(values.len() - 1)]
            }
        }
    }

    /// True if it can never give anything but zero.
    pub fn is_zero(&self) -> bool {
        matches!(self, Sampler::Constant(span) if span.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_words_of_each_stream_are_pinned() {
        // A change here changes every result: raise MODEL_VERSION and say so in CHANGELOG.md.
        let seed = Seed::new(1, 0);
        let mut stream = seed.stream(Purpose::Arrivals, 0);
        let mut draw = seed.key(Purpose::Request, 812).draw(Purpose::Work, 0);
        let words = [stream.next_u64(), stream.next_u64(), draw.word(), draw.word()];
        assert_eq!(words, PINNED, "{words:#x?}");
    }
    const PINNED: [u64; 4] =
        [0x8ce4_3a8b_6b25_091d, 0xaa15_f260_a111_b223, 0x394f_df56_826a_151a, 0xe9a3_b11c_11aa_a586];

    #[test]
    fn means_are_what_the_distributions_promise() {
        let ms = Span::from_millis;
        for (law, mean_ms) in [
            (Distribution::Exponential { mean: ms(10) }, 10.0),
            (Distribution::Gamma { shape: 4.0, mean: ms(10) }, 10.0),
            (Distribution::Uniform { low: ms(5), high: ms(15) }, 10.0),
            (Distribution::HyperExponential { first: 0.5, mean_first: ms(2), mean_second: ms(18) }, 10.0),
            (Distribution::Empirical { values: [ms(5), ms(55)].into(), cumulative: [0.9, 1.0].into() }, 10.0),
            (Distribution::Pareto { minimum: ms(5), shape: 3.0 }, 7.5),
            (Distribution::LogNormal { mu: 15.0, sigma: 0.5 }, 3.269_017_372_472_11 * 1.133_148_453_066_826),
        ] {
            let sampler = Sampler::new(&law);
            let n = 200_000;
            let total: Span = (0..n)
                .map(|i| sampler.sample(&mut Seed::new(7, 0).key(Purpose::Request, i).draw(Purpose::Work, 0)))
                .sum();
            let mean = total.as_millis_f64() / n as f64;
            assert!((mean / mean_ms - 1.0).abs() < 0.02, "{law:?}: {mean} against {mean_ms}");
        }
    }
}
