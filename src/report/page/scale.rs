//! Axes: where a value stands and which values have a label.
//!
//! *Knows* round numbers. *Does not know* what is drawn.

use crate::report::figure::Unit;
use crate::report::format::number;

/// One axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Value at its beginning.
    pub from: f64,
    /// Value at its end, above `from`.
    pub to: f64,
    /// Equal ratios take equal room; both ends are above zero then.
    pub log: bool,
    /// Values with a label, ascending.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// How far along a value stands, 0 to 1; what lies outside stands at its end.
    pub fn share(&self, value: f64) -> f64 {
        let share = if self.log {
            libm::log(value.max(self.from) / self.from) / libm::log(self.to / self.from)
        } else {
            (value - self.from) / (self.to - self.from)
        };
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Time from the beginning of a run, s.
    pub fn time(to: f64) -> Axis {
        let step = STEPS_S.into_iter().find(|step| to / step <= 10.0).unwrap_or(to / 8.0);
        let ticks = multiples(0.0, to, step).into_iter().map(|t| (t, clock(t, to))).collect();
        Axis { from: 0.0, to, log: false, ticks }
    }

    /// From zero to a little above `most`.
    pub fn upwards(most: f64, unit: Unit, count: f64) -> Axis {
        let most = if most.is_finite() && most > 0.0 { most } else { floor_of(unit) };
        let step = round(most / count);
        let to =
            if most / step > (most / step).floor() + 0.92 || most <= step { (most / step).ceil() * step } else { most };
        let to = to.max(most) * 1.04;
        let ticks = multiples(0.0, to, step).into_iter().map(|v| (v, label(v, step, unit))).collect();
        Axis { from: 0.0, to, log: false, ticks }
    }

    /// Around values between these.
    pub fn between(least: f64, most: f64, unit: Unit) -> Axis {
        let room = (most - least).max(most.abs() * 1e-9).max(f64::MIN_POSITIVE);
        let step = round(room / 6.0);
        let (from, to) = (if least == 0.0 { -room * 0.02 } else { least - room * 0.06 }, most + room * 0.06);
        let first = (from / step).ceil() * step;
        let ticks = multiples(first, to, step).into_iter().map(|v| (v, label(v, step, unit))).collect();
        Axis { from, to, log: false, ticks }
    }

    /// A logarithmic one around values above zero.
    pub fn log(least: f64, most: f64, unit: Unit) -> Axis {
        let least = if least.is_finite() && least > 0.0 { least } else { 1.0 };
        let most = if most.is_finite() && most > least { most } else { least * 10.0 };
        let (from, to) = (least / 1.12, most * 1.12);
        let few = to / from > 1_000.0;
        let mut ticks = Vec::new();
        if to / from < 8.0 {
            let step = round((to - from) / 4.0);
            let first = (from / step).ceil() * step;
            let ticks = multiples(first, to, step).into_iter().map(|v| (v, label(v, step, unit))).collect();
            return Axis { from, to, log: true, ticks };
        }
        let mut decade = power(magnitude(from));
        while decade <= to && ticks.len() < 60 {
            for factor in [1.0, 2.0, 5.0] {
                let value = decade * factor;
                if value >= from && value <= to && (factor < 1.5 || !few) {
                    ticks.push((value, label(value, value, unit)));
                }
            }
            decade *= 10.0;
        }
        Axis { from, to, log: true, ticks }
    }
}

/// Steps of a time axis, s.
const STEPS_S: [f64; 20] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10800.0,
    21600.0, 86400.0,
];

/// An instant as long runs need it: `90 s`, `12 min`, `3 h`.
pub fn clock(t: f64, length: f64) -> String {
    let plain = |x: f64| number(x, usize::from((x * 10.0).round() as i64 % 10 != 0));
    if length <= 600.0 {
        format!("{} s", plain(t))
    } else if length <= 7200.0 {
        format!("{} min", plain(t / 60.0))
    } else {
        format!("{} h", plain(t / 3600.0))
    }
}

/// The power of ten at or below a value: the exponent of its shortest form, exact where a logarithm is not.
pub fn magnitude(value: f64) -> i32 {
    let text = format!("{value:e}");
    text.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0)
}

/// Ten to a whole power.
fn power(exponent: i32) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(1.0)
}

/// The round number at or above: 1, 2 or 5 times a power of ten.
fn round(value: f64) -> f64 {
    let decade = power(magnitude(value));
    let rest = value / decade;
    decade
        * if rest <= 1.0 {
            1.0
        } else if rest <= 2.0 {
            2.0
        } else if rest <= 5.0 {
            5.0
        } else {
            10.0
        }
}

/// The end of an axis on which nothing ever rose above zero.
const fn floor_of(unit: Unit) -> f64 {
    match unit {
        Unit::Share => 0.01,
        _ => 1.0,
    }
}

fn multiples(from: f64, to: f64, step: f64) -> Vec<f64> {
    let count = ((to - from) / step + 1e-9).floor();
    (0..=count.clamp(0.0, 200.0) as u32).map(|i| from + f64::from(i) * step).collect()
}

/// A value with the digits of its step.
fn label(value: f64, step: f64, unit: Unit) -> String {
    let (factor, mark) = match unit {
        Unit::Share => (100.0, " %"),
        Unit::Millis if value >= 1000.0 && step >= 100.0 => (1e-3, " s"),
        Unit::Millis => (1.0, " ms"),
        Unit::Seconds => (1.0, " s"),
        Unit::PerSecond => (1.0, " /s"),
        Unit::Count | Unit::Plain | Unit::Dollars => (1.0, ""),
    };
    let decimals = (-magnitude(step * factor)).clamp(0, 6) as usize;
    let digits = number(value * factor, decimals);
    if unit == Unit::Dollars { format!("${digits}") } else { format!("{digits}{mark}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_round() {
        let axis = Axis::upwards(0.1672, Unit::Share, 4.0);
        let labels: Vec<&str> = axis.ticks.iter().map(|(_, l)| l.as_str()).collect();
        assert_eq!(labels, ["0 %", "5 %", "10 %", "15 %"]);
        assert!(axis.to >= 0.1672);
        let time: Vec<String> = Axis::time(330.0).ticks.into_iter().map(|(_, l)| l).collect();
        assert_eq!((time[1].as_str(), time.len()), ("60 s", 6));
        let log: Vec<String> = Axis::log(8.0, 1500.0, Unit::Millis).ticks.into_iter().map(|(_, l)| l).collect();
        assert_eq!(log, ["10 ms", "20 ms", "50 ms", "100 ms", "200 ms", "500 ms", "1 s"]);
    }

    #[test]
    fn odd_values_have_an_axis_too() {
        for most in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-300, 1e300] {
            let axis = Axis::upwards(most, Unit::Millis, 4.0);
            assert!(axis.to > axis.from && !axis.ticks.is_empty() && axis.ticks.len() < 60, "{most}: {axis:?}");
            let axis = Axis::log(most, most, Unit::Millis);
            assert!(axis.to > axis.from && axis.share(f64::NAN).is_finite(), "{most}: {axis:?}");
        }
    }
}
