//! The outlier event log as Envoy writes it: a line of JSON per event.
//!
//! *Knows* the field names (envoy.md 1.9). *Does not know* what led to an event.

use crate::policy::events::Action;
use crate::policy::events::Event;
use crate::policy::fact::Detector;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// One line; `host` is what stands where Envoy has the address. The time stamp and the name of the
/// cluster, which only a writer knows, are left out.
pub fn log_line(event: &Event, host: &str) -> String {
    let mut line = Map::new();
    line.insert("type".to_owned(), json!(event.detector.name()));
    if let Some(span) = event.since_last_action {
        // A 64-bit number, which is a text in protobuf's JSON.
        line.insert("secs_since_last_action".to_owned(), json!((span.as_millis() / 1000).to_string()));
    }
    line.insert("upstream_url".to_owned(), json!(host));
    line.insert("action".to_owned(), json!(event.action.name()));
    line.insert("num_ejections".to_owned(), json!(event.num_ejections));
    line.insert("enforced".to_owned(), json!(event.enforced));
    if let (Action::Eject, Some((name, details))) = (event.action, details(event)) {
        line.insert(name.to_owned(), details);
    }
    Value::Object(line).to_string()
}

fn details(event: &Event) -> Option<(&'static str, Value)> {
    // Whole numbers, as the fields are.
    let whole = |percent: f64| json!(percent as u32);
    match (event.detector, event.rate) {
        (Detector::SuccessRate | Detector::LocalOriginSuccessRate, Some(rate)) => {
            let cluster = rate.cluster?;
            Some((
                "eject_success_rate_event",
                json!({
                    "host_success_rate": whole(rate.success_rate),
                    "cluster_average_success_rate": whole(cluster.mean),
                    "cluster_success_rate_ejection_threshold": whole(cluster.threshold),
                }),
            ))
        }
        (Detector::FailurePercentage | Detector::LocalOriginFailurePercentage, Some(rate)) => {
            Some(("eject_failure_percentage_event", json!({ "host_success_rate": whole(rate.success_rate) })))
        }
        (Detector::SuccessRate | Detector::LocalOriginSuccessRate, None) => None,
        _ => Some(("eject_consecutive_event", json!({}))),
    }
}
