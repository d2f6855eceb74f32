//! What loads, anomaly mitigation, clients and bills assume.
//!
//! *Knows* which scenario uses which of these constants. *Does not know* where they act. Results were
//! published before these were listed, so digests leave them out: see [`IDS`].

use super::Row;
use super::Rows;
use crate::policy::config::LbPolicy;
use crate::scenario::AlbSharing;
use crate::scenario::Arrivals;
use crate::scenario::Confidence;
use crate::scenario::Cost;
use crate::scenario::Mechanism;
use crate::scenario::Scenario;
use crate::scenario::Spacing;

/// The constants of this room.
pub const IDS: [&str; 8] = [
    "load.batch",
    "alb.anomaly_threshold",
    "alb.anomaly_trickle",
    "alb.anomaly_ramp",
    "dns.connect_timeout",
    "cost.message",
    "cost.log_line",
    "cost.alb_groups",
];

pub(super) fn list(rows: &mut Rows, scenario: &Scenario) {
    loads(rows, scenario);
    for plane in scenario.planes.iter().flat_map(crate::scenario::Plane::paths) {
        match &plane.mechanism {
            Mechanism::Alb(alb)
                if alb.node_policy.lb_policy == LbPolicy::WeightedRandom { anomaly_mitigation: true } =>
            {
                anomalies(rows);
            }
            Mechanism::Dns(_) => {
                let internal = scenario.edges.iter().position(|edge| !scenario.service(edge.to).external);
                if let Some(config) = internal.and_then(|index| plane.edge_policies.get(index)) {
                    let value = config.timeouts.connect.to_string();
                    let (source, confidence) = ("a common client setting", Confidence::Guess);
                    let (id, default, key) = ("dns.connect_timeout", "5s".to_owned(), "connect_timeout");
                    rows.add(Some(&plane.name), &Row { id, value, default, source, confidence, key });
                }
            }
            _ => {}
        }
    }
    if scenario.cost.asked {
        bill(rows, &scenario.cost);
    }
}

fn loads(rows: &mut Rows, scenario: &Scenario) {
    for load in &scenario.loads {
        if let Arrivals::Open { spacing: Spacing::Bursty { mean_batch }, .. } = &load.arrivals {
            let (value, default) = (mean_batch.to_string(), "10".to_owned());
            let (source, confidence, key) = ("no measurement behind it; a guess", Confidence::Guess, "load.batch");
            rows.add(None, &Row { id: "load.batch", value, default, source, confidence, key });
        }
    }
}

fn anomalies(rows: &mut Rows) {
    for (id, value) in [
        ("alb.anomaly_threshold", "twice as often as its peers and 10 points more, over 10 requests in 5 s"),
        ("alb.anomaly_trickle", "1 % of its share"),
        ("alb.anomaly_ramp", "10 % of its share every 5 s"),
    ] {
        let (value, default) = (value.to_owned(), value.to_owned());
        let (source, confidence) = ("AWS publishes no figure; a guess", Confidence::Guess);
        rows.add(None, &Row { id, value, default, source, confidence, key: "none" });
    }
}

fn bill(rows: &mut Rows, cost: &Cost) {
    let mut row = |id: &str, value: String, default: &str, source, confidence, key: &str| {
        rows.add(None, &Row { id, value, default: default.to_owned(), source, confidence, key });
    };
    let message = format!("{} there, {} back", cost.message.request, cost.message.response);
    let source = "calls that write no size still have one; a guess";
    row("cost.message", message, "1KiB there, 4KiB back", source, Confidence::Guess, "cost.request, cost.response");
    if cost.access_logs {
        let source = "the twenty fields of Envoy's default format, most of them short; a guess";
        row("cost.log_line", cost.log_line.to_string(), "350B", source, Confidence::Guess, "cost.log_line");
    }
    if cost.alb == AlbSharing::Shared {
        let source = "the ELB quota of target groups per load balancer";
        row("cost.alb_groups", "100".to_owned(), "100", source, Confidence::Memory, "none");
    }
}
