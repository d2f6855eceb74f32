//! Single questions, answered by measurement; the answers stand in `docs/envoy-differences.md`.

use super::envoy::client::Client;
use super::envoy::process::Envoy;
use super::envoy::process::Setup;
use super::envoy::upstreams::Act;
use super::envoy::upstreams::Answer;
use super::envoy::upstreams::Upstreams;
use super::envoy_or_skip;
use super::runtime;
use super::setup::cluster;
use super::setup::virtual_host;
use serde_json::json;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

const MS: Duration = Duration::from_millis(1);

/// One way in which twenty requests fail together.
struct Storm {
    /// First back-off, ms; a minute is never over before the request times out.
    base_ms: u32,
    body: bool,
    /// Between one failure and the next.
    apart: Duration,
}

fn storms() -> Vec<Storm> {
    let mut storms = Vec::new();
    for base_ms in [25, 60_000] {
        for body in [false, true] {
            for apart in [Duration::ZERO, MS, 5 * MS] {
                storms.extend((0..3).map(|_| Storm { base_ms, body, apart }));
            }
        }
    }
    storms
}

/// Twenty requests fail under a budget of 20 % with one retry always allowed, one storm after another. How
/// many retries the budget denied in each.
async fn rage(binary: &Path, storms: Arc<Vec<Storm>>) -> Vec<u64> {
    // The first attempts of one storm fail at times counted from its first; later ones get 200.
    let seen: Mutex<BTreeSet<(usize, String)>> = Mutex::default();
    let begun: Mutex<BTreeMap<usize, Instant>> = Mutex::default();
    let script_storms = Arc::clone(&storms);
    let upstreams = Upstreams::start(1, move |request| {
        let nth: usize = request.authority[1..].parse().unwrap();
        let storm = &script_storms[nth];
        let which: u32 = request.path[1..].parse().unwrap();
        if !seen.lock().unwrap().insert((nth, request.path.clone())) {
            return Act::Answer(Answer::of(200));
        }
        let begun = *begun.lock().unwrap().entry(nth).or_insert(request.at);
        let due = begun + 150 * MS + storm.apart * which;
        let after = due.saturating_duration_since(request.at);
        Act::Answer(Answer { body: storm.body, after, ..Answer::of(503) })
    })
    .await
    .unwrap();
    let mut clusters = Vec::new();
    let mut hosts = Vec::new();
    for (i, storm) in storms.iter().enumerate() {
        let name = format!("s{i}");
        let mut it = cluster(&name, &upstreams.hosts);
        it["circuit_breakers"] = json!({"thresholds": [{
            "retry_budget": {"budget_percent": {"value": 20.0}, "min_retry_concurrency": 1}
        }]});
        clusters.push(it);
        let backoff = json!({"base_interval": format!("{}s", f64::from(storm.base_ms) / 1000.0)});
        let policy = json!({"retry_on": "5xx", "num_retries": 1, "retry_back_off": backoff});
        hosts.push(virtual_host(&name, Some(policy), Some("0.5s")));
    }
    let envoy = Envoy::start(binary, &Setup::of(clusters, hosts));
    for i in 0..storms.len() {
        let client = Arc::new(Client::new(envoy.listener));
        let mut all = Vec::new();
        for k in 0..20 {
            let client = Arc::clone(&client);
            all.push(tokio::spawn(async move {
                let _ = client.get(&format!("s{i}"), &format!("/{k}"), "").await;
            }));
        }
        for one in all {
            let _ = one.await;
        }
    }
    let statistics = envoy.statistics();
    // A retry is counted when it begins, a denial when it is decided.
    (0..storms.len()).map(|i| statistics[&format!("s{i}.upstream_rq_retry_overflow")]).collect()
}

/// The request that fails counts as active while its retry is decided, those that failed before do
/// not: 20, 19 and 18 under way allow 4, 3 and 3 retries, so the third is the last. More are seen
/// only where a retry ends, and frees its slot, before the last of the twenty has failed.
#[test]
fn a_budget_of_20_percent_allows_three_of_twenty_that_fail_at_once() {
    let Some((binary, _alone)) = envoy_or_skip("retry budget") else { return };
    let storms = Arc::new(storms());
    let outcomes = runtime().block_on(rage(&binary, Arc::clone(&storms)));
    for (storm, overflow) in storms.iter().zip(&outcomes) {
        let Storm { base_ms, body, apart } = *storm;
        eprintln!("base {base_ms} ms, body {body}, {apart:?} apart: {overflow} of 20 denied");
        if base_ms == 60_000 {
            assert_eq!(*overflow, 17, "body {body}, {apart:?} apart");
        } else {
            assert!(*overflow <= 17);
        }
    }
}
