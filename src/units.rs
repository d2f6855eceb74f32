//! Quantities with their units: instants, spans, shares, rates, sizes and money, all integers.
//!
//! *Knows* how a quantity is stored, printed and combined. *Does not know* what it measures.
//! Invariant: arithmetic exists only where it means something (`Time - Time = Span`; two
//! instants cannot be added). Deadlines saturate, sums are checked by the standard overflow rules.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Sub};

/// An instant, in nanoseconds since the start of the run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Time(u64);

impl Time {
    /// The start of the run.
    pub const ZERO: Time = Time(0);
    /// An instant that never comes: the deadline of a request without a time-out.
    pub const NEVER: Time = Time(u64::MAX);

    /// The instant `ns` nanoseconds after the start.
    pub const fn from_nanos(ns: u64) -> Time {
        Time(ns)
    }
    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
    /// Seconds since the start, for reports.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
    /// The span since `earlier`, zero if `earlier` lies ahead.
    pub const fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for Time {
    type Output = Time;
    /// Saturates at [`Time::NEVER`].
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl Sub for Time {
    type Output = Span;
    fn sub(self, earlier: Time) -> Span {
        self.since(earlier)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Span(self.0).fmt(f)
    }
}

/// A length of time, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Span(u64);

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);
    /// Longer than any run.
    pub const MAX: Span = Span(u64::MAX);

    /// `n` nanoseconds.
    pub const fn from_nanos(n: u64) -> Span {
        Span(n)
    }
    /// `n` microseconds.
    pub const fn from_micros(n: u64) -> Span {
        Span(n * 1_000)
    }
    /// `n` milliseconds.
    pub const fn from_millis(n: u64) -> Span {
        Span(n * 1_000_000)
    }
    /// `n` seconds.
    pub const fn from_secs(n: u64) -> Span {
        Span(n * 1_000_000_000)
    }
    /// The nearest whole nanosecond to `seconds`; negative and NaN become zero, too large saturates.
    pub fn from_secs_f64(seconds: f64) -> Span {
        Span::from_nanos_f64(seconds * 1e9)
    }
    /// The nearest whole nanosecond to `ns`; negative and NaN become zero, too large saturates.
    pub fn from_nanos_f64(ns: f64) -> Span {
        Span((ns + 0.5) as u64)
    }
    /// Nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
    /// Whole milliseconds, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }
    /// Milliseconds, for reports.
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
    /// Seconds, for reports.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
    /// This span times `n`, saturating.
    #[must_use]
    pub const fn times(self, n: u64) -> Span {
        Span(self.0.saturating_mul(n))
    }
    /// This span less `other`, zero at the least.
    #[must_use]
    pub const fn less(self, other: Span) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
    /// True for no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}
impl AddAssign for Span {
    fn add_assign(&mut self, other: Span) {
        *self = *self + other;
    }
}
impl Sum for Span {
    fn sum<I: Iterator<Item = Span>>(spans: I) -> Span {
        spans.fold(Span::ZERO, Add::add)
    }
}
impl Mul<Ratio> for Span {
    type Output = Span;
    fn mul(self, share: Ratio) -> Span {
        Span((u128::from(self.0) * u128::from(share.0) / 1_000_000) as u64)
    }
}

impl fmt::Display for Span {
    /// The form the scenario language reads: "250ms", "1.5s", "1m30s", "2h".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0;
        if ns == 0 {
            return f.write_str("0s");
        }
        if ns >= 60_000_000_000 && ns.is_multiple_of(1_000_000_000) {
            let secs = ns / 1_000_000_000;
            let (h, m, s) = (secs / 3600, secs / 60 % 60, secs % 60);
            if h > 0 {
                write!(f, "{h}h")?;
            }
            if m > 0 {
                write!(f, "{m}m")?;
            }
            if s > 0 {
                write!(f, "{s}s")?;
            }
            return Ok(());
        }
        let (unit, name) = match ns {
            1_000_000_000.. => (1_000_000_000, "s"),
            1_000_000.. => (1_000_000, "ms"),
            1_000.. => (1_000, "us"),
            _ => (1, "ns"),
        };
        let whole = ns / unit;
        let rest = ns % unit;
        if rest == 0 {
            write!(f, "{whole}{name}")
        } else {
            let digits = unit.ilog10() as usize;
            let fraction = format!("{rest:0digits$}");
            write!(f, "{whole}.{}{name}", fraction.trim_end_matches('0'))
        }
    }
}

/// A share between none and all, in parts per million.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Ratio(u32);

impl Ratio {
    /// None of it.
    pub const ZERO: Ratio = Ratio(0);
    /// All of it.
    pub const ONE: Ratio = Ratio(1_000_000);

    /// `ppm` parts per million, at most all.
    pub const fn from_ppm(ppm: u32) -> Ratio {
        Ratio(if ppm > 1_000_000 { 1_000_000 } else { ppm })
    }
    /// `percent` hundredths, at most all.
    pub const fn from_percent(percent: u32) -> Ratio {
        Ratio::from_ppm(percent.saturating_mul(10_000))
    }
    /// Parts per million.
    pub const fn as_ppm(self) -> u32 {
        self.0
    }
    /// The share as a fraction, for reports.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1e6
    }
    /// True with this probability for a uniform random `word`.
    pub fn covers(self, word: u64) -> bool {
        // The top 32 bits scaled to parts per million: exact to one part in 2^32.
        (((word >> 32) * 1_000_000) >> 32) < u64::from(self.0)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0 / 10_000;
        let rest = self.0 % 10_000;
        if rest == 0 {
            write!(f, "{whole}%")
        } else {
            let fraction = format!("{rest:04}");
            write!(f, "{whole}.{}%", fraction.trim_end_matches('0'))
        }
    }
}

/// Requests per time, in millionths of a request per second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Rate(u64);

impl Rate {
    /// `n` millionths of a request per second.
    pub const fn from_micros_per_sec(n: u64) -> Rate {
        Rate(n)
    }
    /// `n` requests per second.
    pub const fn per_sec(n: u64) -> Rate {
        Rate(n * 1_000_000)
    }
    /// Millionths of a request per second.
    pub const fn as_micros_per_sec(self) -> u64 {
        self.0
    }
    /// Requests per second, for draws and reports.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0 / 1_000_000;
        let rest = self.0 % 1_000_000;
        if rest == 0 {
            write!(f, "{whole}/s")
        } else {
            let fraction = format!("{rest:06}");
            write!(f, "{whole}.{}/s", fraction.trim_end_matches('0'))
        }
    }
}

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Bytes(u64);

impl Bytes {
    /// `n` bytes.
    pub const fn new(n: u64) -> Bytes {
        Bytes(n)
    }
    /// Bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
            if self.0 >= unit && self.0.is_multiple_of(unit) {
                return write!(f, "{}{name}", self.0 / unit);
            }
        }
        write!(f, "{}B", self.0)
    }
}

/// Processor share in thousandths of a vCPU (Fargate's 256 CPU units are 250).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Cpu(u32);

impl Cpu {
    /// `n` thousandths of a vCPU.
    pub const fn from_millis(n: u32) -> Cpu {
        Cpu(n)
    }
    /// Thousandths of a vCPU.
    pub const fn as_millis(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0 / 1000;
        let rest = self.0 % 1000;
        if rest == 0 {
            write!(f, "{whole} vCPU")
        } else {
            let fraction = format!("{rest:03}");
            write!(f, "{whole}.{} vCPU", fraction.trim_end_matches('0'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_print_the_way_they_are_written() {
        for (ns, text) in [
            (0, "0s"),
            (250_000_000, "250ms"),
            (1_500_000_000, "1.5s"),
            (90_000_000_000, "1m30s"),
            (7_200_000_000_000, "2h"),
            (1_001, "1.001us"),
            (999, "999ns"),
            (61_500_000_000, "61.5s"),
        ] {
            assert_eq!(Span::from_nanos(ns).to_string(), text);
        }
    }

    #[test]
    fn deadlines_saturate_and_differences_never_go_negative() {
        assert_eq!(Time::NEVER + Span::from_secs(1), Time::NEVER);
        assert_eq!(Time::ZERO - Time::from_nanos(5), Span::ZERO);
    }

    #[test]
    fn a_ratio_covers_its_share_of_words() {
        assert!(Ratio::ONE.covers(u64::MAX));
        assert!(!Ratio::ZERO.covers(0));
        let quarter = Ratio::from_percent(25);
        assert!(quarter.covers(u64::MAX / 4 - (1 << 34)));
        assert!(!quarter.covers(u64::MAX / 4 + (1 << 34)));
    }

    #[test]
    fn shares_and_rates_print_without_trailing_zeros() {
        assert_eq!(Ratio::from_ppm(200).to_string(), "0.02%");
        assert_eq!(Rate::from_micros_per_sec(1_500_000).to_string(), "1.5/s");
        assert_eq!(Cpu::from_millis(250).to_string(), "0.25 vCPU");
        assert_eq!(Bytes::new(64 << 20).to_string(), "64MiB");
    }
}
