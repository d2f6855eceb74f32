//! New endpoints get their share bit by bit.
//!
//! *Knows* the factor on a weight (envoy.md 3.6). *Does not know* since when an endpoint is available;
//! `members` does.

use crate::policy::config::SlowStart;
use crate::units::Span;

/// The factor on the weight of an endpoint that has been available for so long. Envoy counts whole
/// milliseconds, the first one included.
pub(super) fn factor(config: SlowStart, available_for: Span) -> f64 {
    let (t, window) = (available_for.as_millis(), config.window.as_millis());
    if t >= window {
        return 1.0;
    }
    let time = t.max(1) as f64 / window as f64;
    let risen = match config.aggression_milli {
        1000 => time,
        // The C library could round it differently elsewhere; libm is the same everywhere.
        aggression => libm::pow(time, 1000.0 / f64::from(aggression)),
    };
    risen.max(f64::from(config.min_weight_percent) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_with_time_from_its_minimum() {
        let linear = SlowStart { window: Span::from_secs(8), aggression_milli: 1000, min_weight_percent: 10 };
        for (ms, expected) in [(0, 0.1), (800, 0.1), (4000, 0.5), (7999, 7999.0 / 8000.0), (8000, 1.0)] {
            assert_eq!(factor(linear, Span::from_millis(ms)).to_bits(), f64::to_bits(expected), "{ms} ms");
        }
        let eager = SlowStart { aggression_milli: 2000, ..linear };
        assert_eq!(factor(eager, Span::from_secs(2)).to_bits(), 0.5_f64.to_bits(), "the square root of a quarter");
    }
}
