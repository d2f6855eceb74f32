//! Quantities with their units: instants, spans, shares, rates, sizes and money, all integers.
//!
//! *Knows* how a quantity is stored, printed and combined. *Does not know* what it measures.
//! Invariant: arithmetic exists only where it means something (`Time - Time = Span`; two
//! instants cannot be added). Deadlines saturate, sums are checked by the standard overflow rules.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Neg, Sub};

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

/// An amount of US dollars, in whole nano-dollars: a price of $0.40 per million is 400 of them.
///
/// Amounts add; an amount times an amount does not exist. A share of one ([`Money::part`]) is rounded once, to the
/// nearest nano-dollar, halves away from zero. It prints exactly; [`Money::rounded`] is for people.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Money(i128);

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money(0);
    /// Nano-dollars in a dollar.
    const DOLLAR: i128 = 1_000_000_000;
    /// Digits after the point that an amount can have.
    const DIGITS: usize = 9;

    /// `n` nano-dollars.
    pub const fn from_nanos(n: i128) -> Money {
        Money(n)
    }
    /// `n` cents.
    pub const fn from_cents(n: i64) -> Money {
        Money(n as i128 * 10_000_000)
    }
    /// Nano-dollars.
    pub const fn as_nanos(self) -> i128 {
        self.0
    }
    /// Dollars, for estimates and charts.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
    /// The nearest nano-dollar to `dollars`; what no amount can hold saturates, NaN is nothing.
    pub fn from_f64(dollars: f64) -> Money {
        Money((dollars * 1e9).round() as i128)
    }
    /// A decimal number, "0.04048" or "-3"; `None` if it is none, finer than a nano-dollar, or absurd.
    pub fn from_decimal(text: &str) -> Option<Money> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let fraction = fraction.trim_end_matches('0');
        if digits.is_empty() || digits == "." || !plain(whole) || !plain(fraction) || fraction.len() > Money::DIGITS {
            return None;
        }
        let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i64>().ok() };
        let high = i128::from(number(whole)?) * Money::DOLLAR;
        let low = i128::from(number(fraction)?) * 10_i128.pow((Money::DIGITS - fraction.len()) as u32);
        Some(Money(if negative { -(high + low) } else { high + low }))
    }
    /// True below nothing.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
    /// True for nothing at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
    /// This amount `n` times.
    #[must_use]
    pub fn times(self, n: u64) -> Money {
        Money(self.0.saturating_mul(i128::from(n)))
    }
    /// `of` parts of this amount where `whole` make one, to the nearest nano-dollar, halves away from zero. What no
    /// amount can hold saturates; a `whole` of zero is a bug of the caller.
    #[must_use]
    pub fn part(self, of: u128, whole: u128) -> Money {
        assert!(whole > 0, "something is divided into a number of parts");
        let divisor = gcd(of, whole);
        let (mut of, mut whole) = (of / divisor.max(1), whole / divisor.max(1));
        let mut amount = self.0.unsigned_abs();
        let divisor = gcd(amount, whole);
        amount /= divisor.max(1);
        whole /= divisor.max(1);
        // Past 128 bits the last digits of both sides go; what is left is exact to one part in 2^60.
        while amount.checked_mul(of).is_none() && whole > 1 && of > 1 << 60 {
            of >>= 1;
            whole = (whole >> 1).max(1);
        }
        let product = amount.saturating_mul(of);
        let half_up = product / whole + u128::from(product % whole >= whole - product % whole);
        let nearest = i128::try_from(half_up).unwrap_or(i128::MAX);
        Money(if self.0 < 0 { -nearest } else { nearest })
    }
    /// With `digits` after the point (at most nine), halves away from zero, thousands not parted: "541.23".
    pub fn rounded(self, digits: usize) -> String {
        let digits = digits.min(Money::DIGITS);
        let unit = 10_u128.pow((Money::DIGITS - digits) as u32);
        let nearest = (self.0.unsigned_abs() + unit / 2) / unit;
        let sign = if self.0 < 0 && nearest > 0 { "-" } else { "" };
        let parts = 10_u128.pow(digits as u32);
        if digits == 0 {
            return format!("{sign}{nearest}");
        }
        format!("{sign}{}.{:0digits$}", nearest / parts, nearest % parts)
    }
}

/// The greatest number that divides both; the other if one is zero.
const fn gcd(a: u128, b: u128) -> u128 {
    let (mut a, mut b) = (a, b);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Add for Money {
    type Output = Money;
    fn add(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }
}
impl AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        *self = *self + other;
    }
}
impl Sub for Money {
    type Output = Money;
    fn sub(self, other: Money) -> Money {
        Money(self.0.saturating_sub(other.0))
    }
}
impl Neg for Money {
    type Output = Money;
    fn neg(self) -> Money {
        Money(self.0.saturating_neg())
    }
}
impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(amounts: I) -> Money {
        amounts.fold(Money::ZERO, Add::add)
    }
}

impl fmt::Display for Money {
    /// Exact, at least two digits after the point: "541.23", "0.04048".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.rounded(Money::DIGITS);
        let spare = all.bytes().rev().take_while(|b| *b == b'0').count().min(Money::DIGITS - 2);
        f.write_str(&all[..all.len() - spare])
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

    #[test]
    fn money_reads_what_it_prints_and_never_passes_through_a_float() {
        for (text, nanos) in
            [("0.04048", 40_480_000), ("400", 400_000_000_000), ("-3", -3_000_000_000), (".5", 500_000_000), ("0", 0)]
        {
            assert_eq!(Money::from_decimal(text), Some(Money::from_nanos(nanos)), "{text}");
            assert_eq!(Money::from_decimal(&Money::from_nanos(nanos).to_string()), Some(Money::from_nanos(nanos)));
        }
        for text in ["", ".", "-", "1e3", "0.0000000001", "1.2.3", "$1", "٣", "99999999999999999999"] {
            assert_eq!(Money::from_decimal(text), None, "{text}");
        }
        assert_eq!(Money::from_cents(-1).to_string(), "-0.01");
        assert_eq!(Money::from_nanos(541_230_000_001).to_string(), "541.230000001");
    }

    #[test]
    fn a_part_is_rounded_once_and_halves_go_away_from_zero() {
        let cent = Money::from_cents(1);
        assert_eq!(cent.part(1, 3), Money::from_nanos(3_333_333));
        assert_eq!(Money::from_nanos(1).part(1, 2), Money::from_nanos(1));
        assert_eq!(Money::from_nanos(-1).part(1, 2), Money::from_nanos(-1));
        assert_eq!(Money::from_nanos(1).part(2, 5), Money::ZERO);
        assert_eq!(cent.part(0, 7), Money::ZERO);
        // A month of bytes in nanoseconds: the product is past 128 bits, the result is not.
        let huge = cent.part(u128::MAX / 4, u128::MAX / 8);
        assert!((huge - Money::from_cents(2)).as_nanos().abs() < 1_000, "{huge}");
    }

    #[test]
    fn only_display_rounds_money() {
        let amount = Money::from_nanos(5_005_000_000);
        assert_eq!(
            (amount.rounded(2), amount.rounded(0), amount.rounded(12)),
            ("5.01".into(), "5".into(), "5.005000000".into())
        );
        assert_eq!(Money::from_nanos(-4_000_000).rounded(2), "0.00", "no negative nothing");
    }
}
