//! Latencies as HdrHistogram's percentile distribution, the text that its plotting tools read.
//!
//! *Knows* that form (`outputPercentileDistribution` of the Java library, values in ms). *Does not know* files.

use std::fmt::Write as _;

use super::Report;
use super::compare;
use crate::measure::Histogram;

/// One distribution and the name of its file.
pub struct Distribution {
    /// `wedged-replica-service-connect.hgrm`.
    pub name: String,
    /// The text.
    pub text: String,
}

/// The distributions of every plane that was simulated: of successes, and of failures where there were any. The
/// percentiles of all replications together.
pub fn distributions(report: &Report<'_>) -> Vec<Distribution> {
    let sheet = &report.sheet;
    let stem = compare::stem(&sheet.scenario.file);
    let mut all = Vec::new();
    for plane in sheet.applicable() {
        let Some(users) = sheet.result(plane).pooled.first() else { continue };
        let name = &sheet.scenario.planes[plane].name;
        for (suffix, histogram) in [("", &users.latency), ("-failed", &users.failed_latency)] {
            if let Some(histogram) = histogram.as_deref().filter(|h| !h.is_empty()) {
                all.push(Distribution { name: format!("{stem}-{name}{suffix}.hgrm"), text: distribution(histogram) });
            }
        }
    }
    all
}

/// Steps per halving of what is left above, as the Java library takes by default.
const STEPS: u32 = 5;

fn distribution(histogram: &Histogram) -> String {
    let ms = |ns: u64| ns as f64 / 1e6;
    let mut out = String::from("       Value     Percentile TotalCount 1/(1-Percentile)\n\n");
    for step in histogram.iter_quantiles(STEPS) {
        let share = step.quantile_iterated_to();
        let value = ms(step.value_iterated_to().min(histogram.max()));
        let _ = write!(out, "{value:12.3} {share:14.12} {:10}", histogram.count_between(0, step.value_iterated_to()));
        if share < 1.0 {
            let _ = write!(out, " {:14.2}", 1.0 / (1.0 - share));
        }
        out.push('\n');
    }
    let _ = write!(
        out,
        "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]\n#[Max     = {:12.3}, Total count    = {:12}]\n#[Buckets = {:12}, SubBuckets     = {:12}]\n",
        histogram.mean() / 1e6,
        histogram.stdev() / 1e6,
        ms(histogram.max()),
        histogram.len(),
        BUCKETS,
        SUB_BUCKETS,
    );
    out
}

/// Powers of two that the histogram's range needs, from 1 µs to 1 h.
const BUCKETS: u32 = 22;
/// Parts of each at three significant digits.
const SUB_BUCKETS: u32 = 2048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Histogram;

    #[test]
    fn the_last_line_counts_everything() {
        let mut histogram = Histogram::new_with_bounds(1_000, 3_600_000_000_000, 3).unwrap();
        for ms in 1..=1_000_u64 {
            histogram.record(ms * 1_000_000).unwrap();
        }
        let text = distribution(&histogram);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]);
        let last = lines.iter().rfind(|line| line.len() == 3 && !line[0].starts_with('#')).unwrap();
        assert_eq!((last[1], last[2]), ("1.000000000000", "1000"));
        assert!((last[0].parse::<f64>().unwrap() - 1_000.0).abs() < 1.0, "{last:?}");
        let half = lines.iter().find(|line| line.get(1) == Some(&"0.500000000000")).unwrap();
        assert!((half[0].parse::<f64>().unwrap() - 500.0).abs() < 1.0, "{half:?}");
        assert_eq!(half[3], "2.00");
        assert!(text.contains("Total count    =         1000"), "{text}");
    }
}
