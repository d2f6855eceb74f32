//! Figures over time as comma-separated values: one line per plane and bucket.

use super::Report;
use super::csv::quoted;

/// The head line.
pub const HEAD: &str = "scenario,plane,t_s,bucket_s,requests,errors,p50_ms,p50_low_ms,p50_high_ms,p99_ms,p99_low_ms,p99_high_ms,retries,ejected,tasks\n";

/// The lines of one report, without the head line. Counts are means per replication, percentiles are of all
/// replications together, `low` and `high` those of the lowest and the highest replication. What does not exist
/// in a bucket has an empty field.
pub fn render(report: &Report<'_>) -> String {
    let sheet = &report.sheet;
    let mut out = String::new();
    for plane in sheet.applicable() {
        let result = sheet.result(plane);
        let runs = result.replicas.len().max(1) as f64;
        let bucket_s = result.timeline.bucket.as_secs_f64();
        for (i, bucket) in result.timeline.buckets.iter().enumerate() {
            let mean = |n: u64| (n as f64 / runs).to_string();
            let ms = |value: Option<f64>| {
                value.filter(|ms| ms.is_finite()).map_or_else(String::new, |ms| rounded(ms).to_string())
            };
            let spread = |of: usize| result.spread[of].get(i).copied();
            let mut fields = vec![
                quoted(&sheet.scenario.file),
                quoted(&sheet.scenario.planes[plane].name),
                rounded(i as f64 * bucket_s).to_string(),
                bucket_s.to_string(),
                mean(bucket.requests),
                mean(bucket.errors),
            ];
            for (of, share) in [(0, 0.5), (1, 0.99)] {
                fields.push(ms(result.timeline.percentile_ms(i, share)));
                fields.push(ms(spread(of).map(|(low, _)| low)));
                fields.push(ms(spread(of).map(|(_, high)| high)));
            }
            fields.extend([bucket.retries, bucket.ejected, bucket.tasks].map(mean));
            out.push_str(&fields.join(","));
            out.push('\n');
        }
    }
    out
}

fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
