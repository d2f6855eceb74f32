//! Single questions, answered by measurement; the answers stand in `docs/envoy-differences.md`.

use super::envoy::client::Client;
use super::envoy::process::Envoy;
use super::envoy::process::Setup;
use super::envoy::setup::cluster;
use super::envoy::setup::endpoint;
use super::envoy::setup::virtual_host;
use super::envoy::upstreams::Act;
use super::envoy::upstreams::Answer;
use super::envoy::upstreams::Request;
use super::envoy::upstreams::Upstreams;
use super::envoy_or_skip;
use super::runtime;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

const MS: Duration = Duration::from_millis(1);

/// How often a measurement is made before what it showed is believed.
const PLAYS: usize = 3;

/// Measures again where the machine may have come between: what is false of Envoy is false every time, what
/// a pause of the machine spoilt is not.
fn holds_when_undisturbed(mut measure: impl FnMut() -> Result<(), String>) {
    let mut off = Vec::new();
    while off.len() < PLAYS {
        match measure() {
            Ok(()) => return,
            Err(what) => off.push(what),
        }
        eprintln!("off, so measured again: {}", off[off.len() - 1]);
    }
    panic!("off in every play: {off:#?}");
}

/// One way in which twenty requests fail together.
struct Storm {
    /// First back-off, ms; a minute is never over before the request times out.
    base_ms: u32,
    body: bool,
    /// Between one failure and the next.
    apart: Duration,
    /// Envoy is stopped while they fail, and finds all failures at once when it goes on.
    stopped: bool,
}

fn storms() -> Vec<Storm> {
    let mut storms = Vec::new();
    for body in [false, true] {
        for (base_ms, apart, stopped) in
            [(60_000, Duration::ZERO, true), (60_000, 5 * MS, false), (25, Duration::ZERO, true), (25, 5 * MS, false)]
        {
            storms.extend((0..3).map(|_| Storm { base_ms, body, apart, stopped }));
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
        if storms[i].stopped {
            tokio::time::sleep(100 * MS).await;
            envoy.signal("STOP");
            tokio::time::sleep(150 * MS).await;
            envoy.signal("CONT");
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
/// not: 20, 19 and 18 under way allow 4, 3 and 3 retries, so the third is the last. An answer with a
/// body makes a difference: its stream is reset for the retry, and counts until Envoy's event loop
/// has come round. Twenty of them in one turn see 20 under way and get four retries. More are seen
/// only where a retry ends, and frees its slot, before the last of the twenty has failed.
#[test]
fn a_budget_of_20_percent_allows_three_of_twenty_that_fail_at_once_and_four_with_bodies() {
    let Some((binary, _alone)) = envoy_or_skip("retry budget") else { return };
    let storms = Arc::new(storms());
    holds_when_undisturbed(|| {
        let all = runtime().block_on(rage(&binary, Arc::clone(&storms)));
        for (storm, &denied) in storms.iter().zip(&all) {
            let Storm { base_ms, body, apart, stopped } = *storm;
            let what = format!("base {base_ms} ms, body {body}, {apart:?} apart, stopped {stopped}");
            let least = if body && stopped { 16 } else { 17 };
            let right = if base_ms == 60_000 { denied == least } else { denied <= 17 };
            eprintln!("{what}: {denied} of 20 denied");
            if !right {
                return Err(format!("{what}: {denied} of 20 denied"));
            }
        }
        Ok(())
    });
}

/// How long after two hosts returned in one sweep each of them got its first request.
async fn returns(binary: &Path, clusters: usize) -> Result<Vec<[Duration; 2]>, String> {
    // Hosts 2 and 3 fail until both are out.
    let upstreams = Upstreams::start(4, |request| {
        let failing = request.host >= 2 && request.path == "/fail";
        Act::Answer(Answer::of(if failing { 500 } else { 200 }))
    })
    .await
    .unwrap();
    let name = |i: usize| format!("r{i}");
    let make = |i: usize| {
        let mut it = cluster(&name(i), &upstreams.hosts);
        it["common_lb_config"] = json!({"update_merge_window": "0.4s", "healthy_panic_threshold": {"value": 0}});
        it["outlier_detection"] = json!({
            "consecutive_5xx": 1, "interval": "1s", "base_ejection_time": "2s", "max_ejection_percent": 100,
        });
        it
    };
    let hosts = (0..clusters).map(|i| virtual_host(&name(i), None, None)).collect();
    let envoy = Envoy::start(binary, &Setup::of((0..clusters).map(make).collect(), hosts));
    let births = envoy.cluster_births();
    let mut all = Vec::new();
    for i in 0..clusters {
        let client = Arc::new(Client::new(envoy.listener));
        // In the middle between two sweeps, as is the end of the ejections: both return in the same sweep.
        let age = SystemTime::now().duration_since(births[&name(i)]).unwrap();
        let begin = Instant::now() + Duration::from_millis(1500 - age.as_millis() as u64 % 1000);
        all.push(tokio::spawn(async move {
            tokio::time::sleep_until(begin.into()).await;
            // As many as reach both, wherever round robin begins and although it skips the first that is out.
            for _ in 0..10 {
                let _ = client.get(&name(i), "/fail", "").await;
            }
            let begun = Instant::now();
            while begun.elapsed() < 6000 * MS {
                let _ = client.get(&name(i), "/", "").await;
                tokio::time::sleep(8 * MS).await;
            }
        }));
    }
    for one in all {
        let _ = one.await;
    }
    tokio::time::sleep(200 * MS).await;
    let (now, system_now) = (Instant::now(), SystemTime::now());
    let (hits, events) = (upstreams.hits(), envoy.outlier_events());
    let first = |i: usize| {
        let back: Vec<SystemTime> =
            events.iter().filter(|event| event.cluster == name(i) && !event.eject).map(|event| event.at).collect();
        if back.len() != 2 || back[1].duration_since(back[0]).map_or(true, |apart| apart > 20 * MS) {
            return Err(format!("cluster {i}: not two returns in one sweep but {back:?}"));
        }
        let back = now.checked_sub(system_now.duration_since(back[0]).unwrap()).unwrap();
        let host = |host: usize| {
            let later = |hit: &&Request| hit.authority == name(i) && hit.host == host && hit.at > back;
            let first = hits.iter().find(later).ok_or_else(|| format!("cluster {i}: host {host} got no request"))?;
            Ok::<_, String>(first.at - back)
        };
        Ok([host(2)?, host(3)?])
    };
    (0..clusters).map(first).collect()
}

/// Each return of a sweep is an update of its own: the first is delivered at once, the second when
/// the window after it is over. Which of them is the first is a matter of a hash map's order.
#[test]
fn of_two_returns_in_one_sweep_the_balancer_sees_the_second_a_window_later() {
    let Some((binary, _alone)) = envoy_or_skip("returns in one sweep") else { return };
    holds_when_undisturbed(|| {
        for (i, both) in runtime().block_on(returns(&binary, 8))?.iter().enumerate() {
            eprintln!("cluster {i}: host 2 after {:?}, host 3 after {:?}", both[0], both[1]);
            let (first, second) = (both[0].min(both[1]), both[0].max(both[1]));
            if first >= 150 * MS {
                return Err(format!("the first at once, not after {first:?}"));
            }
            if !(400 * MS..550 * MS).contains(&second) {
                return Err(format!("the second after the window of 400 ms, not after {second:?}"));
            }
        }
        Ok(())
    });
}

/// Hosts by zone: those of the caller's cluster, and of the one it calls with how many are healthy.
struct Zones {
    name: &'static str,
    upstream: [(usize, usize); 3],
    /// Weights of localities, for locality-weighted balancing; none for zone-aware routing.
    weights: Option<[u32; 3]>,
    /// Shares that follow from the formula, in percent.
    expected: [f64; 3],
}

/// The caller's own cluster has six, three and one host; the caller is in the first zone.
const CALLERS: [usize; 3] = [6, 3, 1];

const ZONES: [Zones; 5] = [
    // 60 % of the callers and 30 % of the hosts are here: half of the requests stay. The rest goes
    // where hosts are in excess: 10 % in the second zone, 20 % in the third.
    Zones { name: "z0", upstream: [(3, 3), (4, 4), (3, 3)], weights: None, expected: [50.0, 16.67, 33.33] },
    // More hosts than callers are here: all stay.
    Zones { name: "z1", upstream: [(8, 8), (1, 1), (1, 1)], weights: None, expected: [100.0, 0.0, 0.0] },
    // 20 % of the hosts are here, 30 % in the second zone, no excess; 50 % in the third.
    Zones { name: "z2", upstream: [(2, 2), (3, 3), (5, 5)], weights: None, expected: [33.33, 0.0, 66.67] },
    // Weights 1, 2 and 5, of which the last counts 1.4 times a quarter.
    Zones { name: "z3", upstream: [(4, 4), (4, 3), (4, 1)], weights: Some([1, 2, 5]), expected: [21.05, 42.11, 36.84] },
    Zones { name: "z4", upstream: [(1, 1), (2, 2), (7, 7)], weights: Some([3, 2, 5]), expected: [30.0, 20.0, 50.0] },
];

/// The share of each zone in two thousand requests, in percent.
async fn shares(binary: &Path) -> Vec<[f64; 3]> {
    let upstreams = Upstreams::start(12, |_| Act::Answer(Answer::of(200))).await.unwrap();
    let locality = |zone: usize, hosts: Vec<Value>, weight: Option<u32>| {
        let mut it = json!({"locality": {"zone": format!("zone{zone}")}, "lb_endpoints": hosts});
        if let Some(weight) = weight {
            it["load_balancing_weight"] = json!(weight);
        }
        it
    };
    let mut zone_of: BTreeMap<(&str, usize), usize> = BTreeMap::new();
    let mut clusters = Vec::new();
    for zones in &ZONES {
        let mut it = cluster(zones.name, &[]);
        let (mut endpoints, mut next) = (Vec::new(), 0);
        for (zone, &(count, healthy)) in zones.upstream.iter().enumerate() {
            let host = |i: usize| {
                let mut host = endpoint(upstreams.hosts[i]);
                host["health_status"] = json!(if i < next + healthy { "HEALTHY" } else { "UNHEALTHY" });
                host
            };
            let hosts = (next..next + count).map(host).collect();
            zone_of.extend((next..next + count).map(|i| ((zones.name, i), zone)));
            endpoints.push(locality(zone, hosts, zones.weights.map(|weights| weights[zone])));
            next += count;
        }
        it["load_assignment"]["endpoints"] = json!(endpoints);
        let how = if zones.weights.is_some() { "locality_weighted_lb_config" } else { "zone_aware_lb_config" };
        it["common_lb_config"] = json!({how: {}});
        clusters.push(it);
    }
    let mut callers = cluster("callers", &[]);
    let mut next = 0;
    let mut endpoints = Vec::new();
    for (zone, count) in CALLERS.into_iter().enumerate() {
        endpoints.push(locality(zone, (next..next + count).map(|i| endpoint(upstreams.hosts[i])).collect(), None));
        next += count;
    }
    callers["load_assignment"]["endpoints"] = json!(endpoints);
    clusters.push(callers);
    let virtual_hosts = ZONES.iter().map(|zones| virtual_host(zones.name, None, None)).collect();
    let setup =
        Setup { zone: "zone0".to_owned(), local_cluster: "callers".to_owned(), ..Setup::of(clusters, virtual_hosts) };
    let envoy = Envoy::start(binary, &setup);
    let mut all = Vec::new();
    for zones in &ZONES {
        let client = Client::new(envoy.listener);
        all.push(tokio::spawn(async move {
            for _ in 0..2000 {
                let _ = client.get(zones.name, "/", "").await;
            }
        }));
    }
    for one in all {
        let _ = one.await;
    }
    let hits = upstreams.hits();
    let share = |zones: &Zones| {
        let mut counts = [0.0; 3];
        for hit in hits.iter().filter(|hit| hit.authority == zones.name) {
            counts[zone_of[&(zones.name, hit.host)]] += 100.0 / 2000.0;
        }
        counts
    };
    ZONES.iter().map(share).collect()
}

/// Two thousand draws: the standard deviation of a share is 1.1 % at the most; locality weights are
/// not drawn.
#[test]
fn zones_get_the_shares_of_the_formulas() {
    let Some((binary, _alone)) = envoy_or_skip("zones") else { return };
    holds_when_undisturbed(|| {
        for (zones, got) in ZONES.iter().zip(&runtime().block_on(shares(&binary))) {
            eprintln!("{}: {got:.2?}, by the formula {:.2?}", zones.name, zones.expected);
            let margin = if zones.weights.is_some() { 0.2 } else { 4.5 };
            for (got, expected) in got.iter().zip(&zones.expected) {
                if (got - expected).abs() > margin {
                    return Err(format!("{}: {got} and not {expected}", zones.name));
                }
            }
        }
        Ok(())
    });
}
