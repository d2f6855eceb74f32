//! The figures as comma-separated values: one line per plane, scope and metric.

use super::Report;
use super::figure;
use super::figure::Place;
use crate::scenario::EdgeId;
use crate::scenario::Metric;
use crate::scenario::Scope;
use crate::scenario::Window;

/// The head line.
pub const HEAD: &str = "scenario,plane,scope,metric,unit,mean,low,high,worst,replications\n";

/// What is exported for every scope, by metric.
pub const METRICS: [Metric; 13] = [
    Metric::Requests,
    Metric::FailedRequests,
    Metric::ErrorRate,
    Metric::Goodput,
    Metric::Mean,
    Metric::Percentile(0.5),
    Metric::Percentile(0.9),
    Metric::Percentile(0.95),
    Metric::Percentile(0.99),
    Metric::Percentile(0.999),
    Metric::Max,
    Metric::AttemptsPerRequest,
    Metric::RetriesPerRequest,
];

/// The lines of one report, without the head line. A figure that does not exist has empty fields.
pub fn render(report: &Report<'_>) -> String {
    let sheet = &report.sheet;
    let mut out = String::new();
    for plane in sheet.applicable() {
        let edges = (0..sheet.scenario.edges.len() as u32).map(|e| Scope::Edge(EdgeId(e)));
        for scope in std::iter::once(Scope::Users).chain(edges) {
            let label = match scope {
                Scope::Edge(edge) => sheet.scenario.edge_name(edge),
                _ => "users".to_owned(),
            };
            for metric in METRICS {
                let e = sheet.estimate_finite(metric, Place { plane, window: Window::All, scope });
                let part = |x: Option<f64>| x.map_or_else(String::new, |x| (x + 0.0).to_string());
                let fields = [
                    sheet.scenario.file.clone(),
                    sheet.scenario.planes[plane].name.clone(),
                    label.clone(),
                    figure::name(metric),
                    unit(metric).to_owned(),
                    part(e.map(|e| e.mean)),
                    part(e.and_then(|e| e.low)),
                    part(e.and_then(|e| e.high)),
                    part(e.map(|e| e.worst)),
                    e.map_or_else(String::new, |e| e.replications.to_string()),
                ];
                out.push_str(&fields.map(|f| quoted(&f)).join(","));
                out.push('\n');
            }
        }
    }
    out
}

/// The name of a metric's unit.
pub fn unit(metric: Metric) -> &'static str {
    match figure::unit(metric) {
        figure::Unit::Share => "fraction",
        figure::Unit::Count => "count",
        figure::Unit::PerSecond => "1/s",
        figure::Unit::Millis => "ms",
        figure::Unit::Seconds => "s",
        figure::Unit::Plain => "1",
        figure::Unit::Dollars => "USD",
    }
}

/// RFC 4180: a field with a comma, a quote or a line break stands in quotes.
pub fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
