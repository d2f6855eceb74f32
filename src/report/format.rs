//! Numbers as people read them.
//!
//! *Knows* that digits follow the interval and that zero has no sign. *Does not know* tables.

use super::figure::Unit;
use crate::measure::estimate::Estimate;
use crate::units::Money;

/// A figure ready to print.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Shown {
    /// `11.1 %`.
    pub value: String,
    /// `±0.1` or `[84, 88]`; empty without an interval.
    pub spread: String,
}

/// `value` with `decimals` digits after the point, thousands apart, never a negative zero.
pub fn number(value: f64, decimals: usize) -> String {
    if value.is_infinite() {
        return "never".to_owned();
    }
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), ""), |(w, f)| (w, f));
    let mut out = String::new();
    if value < 0.0 && text.bytes().any(|b| matches!(b, b'1'..=b'9')) {
        out.push('-');
    }
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) && whole.len() > 3 {
            out.push(' ');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// Digits after the point so that `half` shows one significant digit.
pub(super) fn decimals_of(half: f64, most: usize) -> usize {
    let mut decimals = 0;
    let mut scaled = half;
    while scaled < 0.95 && decimals < most {
        scaled *= 10.0;
        decimals += 1;
    }
    decimals
}

/// Digits after the point so that `value` shows four significant digits; `most` for zero.
fn significant(value: f64, most: usize) -> usize {
    if value == 0.0 { most } else { decimals_of(value.abs() / 1_000.0, most) }
}

/// Digits after the point so that `value` shows three significant digits.
fn three_digits(value: f64, most: usize) -> usize {
    if value == 0.0 { 0 } else { decimals_of(value.abs() / 100.0, most) }
}

/// Factor from the stored to the shown unit, the unit's mark, the most digits, the digits of an
/// exact figure (`None`: three significant ones).
pub(super) fn scale(unit: Unit, value: f64) -> (f64, &'static str, usize, Option<usize>) {
    match unit {
        Unit::Share => (100.0, " %", 4, Some(2)),
        Unit::Count => (1.0, "", 1, Some(0)),
        Unit::PerSecond => (1.0, " /s", 2, None),
        Unit::Millis if value.abs() >= 10_000.0 => (1e-3, " s", 2, None),
        Unit::Millis if value != 0.0 && value.abs() < 0.1 => (1e3, " µs", 2, None),
        Unit::Millis => (1.0, " ms", 3, None),
        Unit::Seconds => (1.0, " s", 2, None),
        Unit::Plain => (1.0, "", 4, None),
        Unit::Dollars => (1.0, " $", 4, Some(2)),
    }
}

/// An estimate with as many digits as its interval deserves.
pub fn estimate(e: &Estimate, unit: Unit) -> Shown {
    let (factor, mark, most, exact) = scale(unit, e.mean);
    let half = e.half_width().map(|h| h * factor);
    let decimals = match half {
        // Cents, and parts of them only where there is nothing else.
        _ if unit == Unit::Dollars => {
            if e.mean != 0.0 && e.mean.abs() < 0.1 {
                4
            } else {
                2
            }
        }
        // Counts stay whole unless they are small means.
        // Four significant digits are enough, however narrow the interval.
        Some(h) if h > 0.0 => decimals_of(h, most).min(significant(e.mean * factor, most)),
        _ if (e.mean * factor).fract() == 0.0 && unit != Unit::Share && unit != Unit::Millis => 0,
        _ => exact.unwrap_or_else(|| three_digits(e.mean * factor, most)),
    };
    let value = marked(&number(to_show(e.mean * factor, decimals, unit), decimals), mark, unit);
    let spread = match (e.low, e.high, half) {
        (Some(low), Some(high), Some(half)) if half > 0.0 => {
            let skew = ((high - e.mean) - (e.mean - low)).abs() * factor;
            if skew <= half * 0.02 {
                format!("±{}", number(half, decimals))
            } else {
                format!("[{}, {}]", number(low * factor, decimals), number(high * factor, decimals))
            }
        }
        // Money that no replication changes is exact.
        (Some(_), Some(_), Some(_)) if unit == Unit::Dollars => String::new(),
        (Some(_), Some(_), Some(_)) => format!("±{}", number(0.0, decimals)),
        _ => String::new(),
    };
    Shown { value, spread }
}

/// An estimate with its interval in brackets, for sentences: `0.4 s [0.3, 0.5]`.
pub fn bracketed(e: &Estimate, unit: Unit) -> String {
    let (factor, ..) = scale(unit, e.mean);
    let shown = estimate(e, unit);
    match (e.low, e.high) {
        (Some(low), Some(high)) => {
            let decimals = shown.value.split(' ').find_map(|part| part.split_once('.')).map_or(0, |(_, f)| f.len());
            format!("{} [{}, {}]", shown.value, number(low * factor, decimals), number(high * factor, decimals))
        }
        _ => shown.value,
    }
}

/// Another value of the same figure, with the digits of its estimate.
pub fn alike(e: &Estimate, value: f64, unit: Unit) -> String {
    let (factor, mark, ..) = scale(unit, e.mean);
    let digits = estimate(e, unit).value;
    let decimals = digits.split(' ').find_map(|part| part.split_once('.')).map_or(0, |(_, f)| f.len());
    marked(&number(to_show(value * factor, decimals, unit), decimals), mark, unit)
}

/// Money is rounded as in bills, halves away from zero; a float's half may be a little less.
fn to_show(value: f64, decimals: usize, unit: Unit) -> f64 {
    if unit == Unit::Dollars && value.is_finite() {
        Money::from_f64(value).rounded(decimals).parse().unwrap_or(value)
    } else {
        value
    }
}

/// The mark stands behind the number; that of dollars before it.
fn marked(number: &str, mark: &str, unit: Unit) -> String {
    match (unit, number.strip_prefix('-')) {
        (Unit::Dollars, Some(digits)) => format!("-${digits}"),
        (Unit::Dollars, None) => format!("${number}"),
        _ => format!("{number}{mark}"),
    }
}

/// A single value, three significant digits.
pub fn single(value: f64, unit: Unit) -> String {
    let alone = Estimate { mean: value, low: None, high: None, worst: value, replications: 1 };
    estimate(&alone, unit).value
}

/// A word as a shell takes it: in single quotes if it would be read otherwise.
pub fn shell_word(word: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%+@".contains(c);
    if !word.is_empty() && word.chars().all(harmless) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mean: f64, half: f64, unit: Unit, expected: &str) {
        let e = Estimate { mean, low: Some(mean - half), high: Some(mean + half), worst: mean, replications: 9 };
        let shown = estimate(&e, unit);
        assert_eq!(format!("{} {}", shown.value, shown.spread), expected);
    }

    #[test]
    fn digits_follow_the_interval() {
        check(0.111_234, 0.000_98, Unit::Share, "11.1 % ±0.1");
        check(0.0, 0.0, Unit::Share, "0.00 % ±0.00");
        check(83.4127, 2.2, Unit::Millis, "83 ms ±2");
        check(13.31, 0.12, Unit::Millis, "13.3 ms ±0.1");
        check(6004.2, 74.0, Unit::Count, "6 004 ±74");
        check(1.001_04, 0.000_2, Unit::Plain, "1.001 ±0.000");
        check(0.166_664, 0.000_01, Unit::Share, "16.67 % ±0.00");
        check(12.0, 0.0, Unit::Count, "12 ±0");
        check(15_000.0, 130.0, Unit::Millis, "15.0 s ±0.1");
        check(0.052, 0.001, Unit::Millis, "52 µs ±1");
        check(1_234_567.0, 10.0, Unit::Count, "1 234 567 ±10");
        check(221.628, 0.0, Unit::Dollars, "$221.63 ");
        check(-1_234.5, 0.5, Unit::Dollars, "-$1 234.50 ±0.50");
        check(9_010.025, 0.0, Unit::Dollars, "$9 010.03 ");
        check(0.004_2, 0.0, Unit::Dollars, "$0.0042 ");
    }

    #[test]
    fn one_sided_intervals_are_bracketed() {
        let e = Estimate { mean: 0.000_4, low: Some(0.0), high: Some(0.001_2), worst: 0.002, replications: 5 };
        assert_eq!(estimate(&e, Unit::Share).spread, "[0.00, 0.12]");
        assert_eq!(bracketed(&e, Unit::Share), "0.04 % [0.00, 0.12]");
    }

    #[test]
    fn zero_has_no_sign() {
        assert_eq!(number(-0.0, 2), "0.00");
        assert_eq!(number(-0.004, 2), "0.00");
        assert_eq!(number(-0.006, 2), "-0.01");
        assert_eq!(number(-12_345.6, 0), "-12 346");
        assert_eq!(number(999.0, 0), "999");
    }

    #[test]
    fn a_single_run_shows_three_digits() {
        assert_eq!(single(13.3456, Unit::Millis), "13.3 ms");
        assert_eq!(single(0.167, Unit::Share), "16.70 %");
        assert_eq!(single(0.412, Unit::Seconds), "0.41 s");
    }
}
