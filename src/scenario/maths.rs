//! Logarithm, exponential, cosine and gamma function with the same bits on every platform.
//!
//! *Knows* series that use only `+ - * /`, which IEEE 754 fixes. *Does not know* what for.
//! The standard library's versions may differ in the last bit between platforms, and a parameter
//! that differs in the last bit changes a digest.

use std::f64::consts::LN_2;
use std::f64::consts::PI;

/// Natural logarithm of a positive finite number; NaN for others.
pub fn ln(x: f64) -> f64 {
    if !(x > 0.0 && x.is_finite()) {
        return f64::NAN;
    }
    let (mut mantissa, mut exponent) = (x, 0_i32);
    while mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    while mantissa < std::f64::consts::FRAC_1_SQRT_2 {
        mantissa *= 2.0;
        exponent -= 1;
    }
    // ln m = 2 artanh((m - 1) / (m + 1)); the ratio is at most 0.172, so 16 terms are plenty.
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let mut sum = 0.0;
    for k in (0..16).rev() {
        sum = sum * square + 1.0 / f64::from(2 * k + 1);
    }
    2.0 * ratio * sum + f64::from(exponent) * LN_2
}

/// Exponential.
pub fn exp(x: f64) -> f64 {
    if x.is_nan() || x > 709.0 {
        return if x.is_nan() { x } else { f64::INFINITY };
    }
    if x < -745.0 {
        return 0.0;
    }
    let halvings = (x / LN_2 + if x < 0.0 { -0.5 } else { 0.5 }) as i32;
    let rest = x - f64::from(halvings) * LN_2;
    let mut sum = 1.0;
    for k in (1..=18).rev() {
        sum = 1.0 + sum * rest / f64::from(k);
    }
    let step = if halvings < 0 { 0.5 } else { 2.0 };
    (0..halvings.unsigned_abs()).fold(sum, |product, _| product * step)
}

/// Cosine of a number of whole turns.
pub fn cos_turns(turns: f64) -> f64 {
    let part = turns - turns.floor();
    // Into [-1/2, 1/2], then a Taylor series on at most half a turn.
    let angle = (if part > 0.5 { part - 1.0 } else { part }) * 2.0 * PI;
    let square = angle * angle;
    let mut sum = 1.0;
    for k in (1..=14).rev() {
        sum = 1.0 - sum * square / f64::from((2 * k - 1) * (2 * k));
    }
    sum
}

/// The gamma function for `1 <= x <= 100`, by Lanczos' approximation.
pub fn gamma(x: f64) -> f64 {
    const G: f64 = 7.0;
    const COEFFICIENTS: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let mut sum = COEFFICIENTS[0];
    for (i, coefficient) in (1_u8..).zip(&COEFFICIENTS[1..]) {
        sum += coefficient / (x + f64::from(i));
    }
    let t = x + G + 0.5;
    (2.0 * PI).sqrt() * exp((x + 0.5) * ln(t) - t) * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_agree_with_the_standard_library() {
        for i in 1..2000 {
            let x = f64::from(i) * 0.37;
            assert!((ln(x) - x.ln()).abs() < 1e-14 * x.ln().abs().max(1.0), "ln {x}");
            let y = f64::from(i - 1000) * 0.31;
            assert!((exp(y) / y.exp() - 1.0).abs() < 1e-12, "exp {y}");
            let z = f64::from(i - 1000) * 0.0173;
            assert!((cos_turns(z) - (z * 2.0 * PI).cos()).abs() < 1e-12, "cos {z}");
        }
        for (x, expected) in [(1.0, 1.0), (2.0, 1.0), (5.0, 24.0), (1.5, 0.886_226_925_452_758)] {
            assert!((gamma(x) / expected - 1.0).abs() < 1e-12, "gamma {x}");
        }
    }
}
