//! The wedged host, simulated and on the real Envoy.
//!
//! Goal: the simulator says what happens on the binary: the same ejections, and errors and retries within 3 or 1 %. Method: every variant of
//! one experiment (eight hosts, 200 requests a second at equal distances for a minute, one host
//! wedged after 5 s) is written once, as a scenario; its `[policy]` is handed to Envoy as it stands,
//! durations apart. All variants run at once on one Envoy, each with a cluster of its own.
//! Times count from the birth of the clusters, when Envoy begins to time its sweeps.
//!
//! Without `SCSIM_ENVOY=<binary>` nothing is compared, and the test says so. The whole table is
//! written by `SCSIM_ENVOY=<binary> cargo test --test wedged_host -- --ignored`.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the real Envoy lives in real time, is found through the environment, and a test says what it skipped"
)]

#[path = "support/envoy/mod.rs"]
mod envoy;

use envoy::client::Client;
use envoy::process::Envoy;
use envoy::process::Setup;
use envoy::upstreams::Act;
use envoy::upstreams::Answer;
use envoy::upstreams::Request;
use envoy::upstreams::Upstreams;
use serde_json::Value;
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use tokio::time::sleep_until;

const HOSTS: usize = 8;
const APART: Duration = Duration::from_millis(5);
const WEDGED_AT: Duration = Duration::from_secs(5);
const END: Duration = Duration::from_secs(60);
/// What a host needs for an answer, and the simulator's for one.
const WORK: Duration = Duration::from_millis(1);

/// What a wedged host does.
#[derive(Clone, Copy)]
enum Wedge {
    Says(u16),
    Hangs,
    Resets,
    Slow(Duration),
}

struct Variant {
    name: &'static str,
    wedge: Wedge,
    /// `[policy]` of the scenario, in TOML.
    policy: &'static str,
    /// Part of every run of `./test`.
    core: bool,
}

const OUTLIER: &str = "outlier_detection = { consecutive_5xx = 5, interval = '10s', base_ejection_time = '30s', max_ejection_percent = 50, enforcing_success_rate = 0 }";

fn variants() -> Vec<Variant> {
    let core = |name, wedge, policy| Variant { name, wedge, policy, core: true };
    let more = |name, wedge, policy| Variant { name, wedge, policy, core: false };
    let says = Wedge::Says(503);
    vec![
        core("two retries and ejection", says, "retry_policy = { retry_on = '5xx', num_retries = 2 }\nOUTLIER"),
        core("ejection alone", says, "OUTLIER"),
        core("neither", says, ""),
        core("two retries alone", says, "retry_policy = { retry_on = '5xx', num_retries = 2 }"),
        core("ejection, update_merge_window 0", says, "update_merge_window = '0s'\nOUTLIER"),
        more(
            "two retries and ejection, update_merge_window 0",
            says,
            "update_merge_window = '0s'\nretry_policy = { retry_on = '5xx', num_retries = 2 }\nOUTLIER",
        ),
        more(
            "previous_hosts too",
            says,
            "retry_policy = { retry_on = '5xx', num_retries = 2, retry_host_predicate = 'previous_hosts' }\nOUTLIER",
        ),
        more(
            "max_ejection_percent 10: one of eight is more",
            says,
            "outlier_detection = { interval = '10s', base_ejection_time = '30s', max_ejection_percent = 10, enforcing_success_rate = 0 }",
        ),
        more(
            "always_eject_one_host at 10 %",
            says,
            "outlier_detection = { interval = '10s', base_ejection_time = '30s', max_ejection_percent = 10, always_eject_one_host = true, enforcing_success_rate = 0 }",
        ),
        more(
            "base 5 s: out ever longer",
            says,
            "outlier_detection = { interval = '2s', base_ejection_time = '5s', max_ejection_percent = 50, enforcing_success_rate = 0 }",
        ),
        more(
            "enforcing_consecutive_5xx 0",
            says,
            "outlier_detection = { interval = '10s', base_ejection_time = '30s', max_ejection_percent = 50, enforcing_consecutive_5xx = 0, enforcing_success_rate = 0 }",
        ),
        more(
            "success rate alone",
            says,
            "outlier_detection = { consecutive_5xx = 0, interval = '10s', base_ejection_time = '25s', max_ejection_percent = 50 }",
        ),
        more(
            "failure percentage alone",
            says,
            "outlier_detection = { consecutive_5xx = 0, interval = '10s', base_ejection_time = '25s', max_ejection_percent = 50, enforcing_success_rate = 0, enforcing_failure_percentage = 100 }",
        ),
        more(
            "it says 500, gateway-error retries",
            Wedge::Says(500),
            "retry_policy = { retry_on = 'gateway-error', num_retries = 2 }\nOUTLIER",
        ),
        core(
            "it resets, retries on reset",
            Wedge::Resets,
            "retry_policy = { retry_on = 'reset', num_retries = 2 }\nOUTLIER",
        ),
        more(
            "it resets, retries on connect-failure",
            Wedge::Resets,
            "retry_policy = { retry_on = 'connect-failure', num_retries = 2 }\nOUTLIER",
        ),
        core("it hangs, time-out 1 s", Wedge::Hangs, "timeout = '1s'\nOUTLIER"),
        more(
            "it hangs, per-try time-out 300 ms, two retries",
            Wedge::Hangs,
            "timeout = '2s'\nretry_policy = { retry_on = '5xx', num_retries = 2, per_try_timeout = '300ms' }\nOUTLIER",
        ),
        more(
            "it hangs, split local errors",
            Wedge::Hangs,
            "timeout = '1s'\noutlier_detection = { interval = '10s', base_ejection_time = '30s', max_ejection_percent = 50, split_external_local_origin_errors = true, enforcing_success_rate = 0, enforcing_local_origin_success_rate = 0 }",
        ),
        more(
            "it answers after 500 ms",
            Wedge::Slow(Duration::from_millis(500)),
            "retry_policy = { retry_on = '5xx', num_retries = 2 }\nOUTLIER",
        ),
        more(
            "it answers after 500 ms, per-try time-out 300 ms",
            Wedge::Slow(Duration::from_millis(500)),
            "retry_policy = { retry_on = '5xx', num_retries = 2, per_try_timeout = '300ms' }\nOUTLIER",
        ),
    ]
}

impl Variant {
    fn policy(&self) -> String {
        self.policy.replace("OUTLIER", OUTLIER)
    }

    fn scenario(&self) -> String {
        let fault = match self.wedge {
            Wedge::Says(status) => format!("kind = 'wedge'\nstatus = {status}"),
            Wedge::Hangs => "kind = 'hang'".to_owned(),
            Wedge::Resets => "kind = 'reset'".to_owned(),
            Wedge::Slow(after) => format!("kind = 'slow'\nlatency = '{}ms'", after.as_millis()),
        };
        format!(
            "compare = ['envoy']\n\
             [service.client]\ntasks = 1\ncalls = ['hosts']\n\
             [service.hosts]\ntasks = {HOSTS}\nlatency = '{}ms'\n\
             [load]\nrate = '200/s'\narrivals = 'constant'\n\
             [run]\nduration = '60s'\nwarmup = '0s'\nreplications = 1\n\
             [plane.envoy]\nsidecar = {{ inbound = false }}\n\
             [policy]\n{}\n\
             [[fault]]\nat = '5s'\ntarget = 'hosts#1'\n{fault}\n",
            WORK.as_millis(),
            self.policy()
        )
    }

    fn act(&self, request: &Request, since: Duration) -> Act {
        let good = Act::Answer(Answer { after: WORK, ..Answer::of(200) });
        if request.host != 0 || since < WEDGED_AT {
            return good;
        }
        match self.wedge {
            Wedge::Says(status) => Act::Answer(Answer::of(status)),
            Wedge::Hangs => Act::Hang,
            Wedge::Resets => Act::Reset(Duration::ZERO),
            Wedge::Slow(after) => Act::Answer(Answer { after, ..Answer::of(200) }),
        }
    }
}

/// What happened in one variant.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    requests: u64,
    errors: u64,
    retries: u64,
    /// Attempts that reached the host after it was wedged.
    hits: u64,
    /// Out (true) and back (false), seconds.
    moves: Vec<(bool, f64)>,
}

/// The sweep at the very end belongs to neither side.
fn counts(&(_, at): &(bool, f64)) -> bool {
    at < END.as_secs_f64() - 0.1
}

// ---- the simulator ---------------------------------------------------------------------------

/// Back-offs are random, so the simulator is asked more than once.
const SEEDS: u64 = 10;

fn simulate(variant: &Variant) -> Vec<Seen> {
    (1..=SEEDS).map(|seed| simulate_once(variant, seed)).collect()
}

fn simulate_once(variant: &Variant, seed: u64) -> Seen {
    let file = std::env::temp_dir().join(format!("scsim-wedged-{}.toml", std::process::id()));
    std::fs::write(&file, variant.scenario()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_scsim"))
        .arg("run")
        .arg(&file)
        .args(["--json", "-", "--seed", &seed.to_string()])
        .output()
        .unwrap();
    let _ = std::fs::remove_file(&file);
    let complaint = String::from_utf8_lossy(&output.stderr);
    let result: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {complaint}"));
    let plane = &result["planes"][0];
    let mean = |metric: &str| plane["metrics"][metric]["mean"].as_f64().unwrap_or(0.0);
    let moves = plane["events"].as_array().unwrap().iter().filter_map(|event| {
        let out = match event["kind"].as_str()? {
            "ejected" => true,
            "unejected" => false,
            _ => return None,
        };
        Some((out, event["t_s"].as_f64()?))
    });
    let moves = moves.filter(counts);
    let requests = mean("requests");
    // Every attempt on a host is a request of its task; the other seven share the rest.
    let before = requests * WEDGED_AT.as_secs_f64() / END.as_secs_f64() / HOSTS as f64;
    let tasks = plane["tasks"].as_array().unwrap();
    let all = tasks.iter().find(|task| task["id"] == "hosts#1").map(|task| &task["requests"]["mean"]);
    Seen {
        requests: requests as u64,
        errors: mean("failed_requests").round() as u64,
        retries: (mean("retries_per_request") * requests).round() as u64,
        hits: (all.and_then(Value::as_f64).unwrap_or(0.0) - before).round().max(0.0) as u64,
        moves: moves.collect(),
    }
}

// ---- the real one ----------------------------------------------------------------------------

/// Envoy's JSON of what TOML says; durations are in seconds there.
fn envoys(key: &str, value: &toml::Value) -> Value {
    const DURATIONS: [&str; 8] = [
        "timeout",
        "per_try_timeout",
        "interval",
        "base_ejection_time",
        "max_ejection_time",
        "update_merge_window",
        "base_interval",
        "max_interval",
    ];
    match value {
        toml::Value::String(text) if key == "retry_host_predicate" => json!([{
            "name": format!("envoy.retry_host_predicates.{text}"),
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
            },
        }]),
        toml::Value::String(text) if DURATIONS.contains(&key) => {
            let (number, unit) = text.split_at(text.find(|c: char| c.is_alphabetic()).unwrap());
            let ms = number.parse::<f64>().unwrap() * if unit == "ms" { 1.0 } else { 1000.0 };
            json!(format!("{}s", ms / 1000.0))
        }
        toml::Value::String(text) => json!(text),
        toml::Value::Integer(n) => json!(n),
        toml::Value::Boolean(on) => json!(on),
        toml::Value::Table(table) => {
            table.iter().map(|(key, value)| (key.clone(), envoys(key, value))).collect::<serde_json::Map<_, _>>().into()
        }
        other => panic!("{other} is not used here"),
    }
}

fn setup_of(variants: &[Variant], upstreams: &Upstreams) -> Setup {
    let (mut clusters, mut hosts) = (Vec::new(), Vec::new());
    for (i, variant) in variants.iter().enumerate() {
        let name = format!("v{i}");
        let policy: toml::Table = variant.policy().parse().unwrap();
        let part = |key: &str| policy.get(key).map(|value| envoys(key, value));
        let mut cluster = envoy::setup::cluster(&name, &upstreams.hosts);
        if let Some(outlier) = part("outlier_detection") {
            cluster["outlier_detection"] = outlier;
        }
        if let Some(window) = part("update_merge_window") {
            cluster["common_lb_config"] = json!({"update_merge_window": window});
        }
        clusters.push(cluster);
        let timeout = part("timeout");
        hosts.push(envoy::setup::virtual_host(&name, part("retry_policy"), timeout.as_ref().and_then(Value::as_str)));
    }
    Setup::of(clusters, hosts)
}

/// What the client of one variant saw.
#[derive(Default)]
struct Tally {
    requests: u64,
    errors: u64,
    latest: Duration,
}

/// Plays all variants at once. Also how late the latest request was sent.
async fn play(binary: &Path, variants: Vec<Variant>) -> (Vec<Seen>, Duration) {
    let variants = Arc::new(variants);
    let start: Arc<OnceLock<Instant>> = Arc::default();
    let (script_start, script_variants) = (Arc::clone(&start), Arc::clone(&variants));
    let upstreams = Upstreams::start(HOSTS, move |request| {
        let nth: usize = request.authority[1..].parse().unwrap();
        let since = script_start.get().map_or(Duration::ZERO, |start| request.at.duration_since(*start));
        script_variants[nth].act(request, since)
    })
    .await
    .unwrap();
    let envoy = Envoy::start(binary, &setup_of(&variants, &upstreams));
    let births = envoy.cluster_births();
    let born = births["v0"];
    let t0 = Instant::now().checked_sub(SystemTime::now().duration_since(born).unwrap()).unwrap();
    start.set(t0).unwrap();
    let tallies: Vec<Arc<Mutex<Tally>>> = variants.iter().map(|_| Arc::default()).collect();
    let mut clients = Vec::new();
    for (i, tally) in tallies.iter().enumerate() {
        let (tally, listener) = (Arc::clone(tally), envoy.listener);
        // Variants take turns within the 5 ms.
        let shift = APART * i as u32 / variants.len() as u32;
        clients.push(tokio::spawn(async move {
            let client = Arc::new(Client::new(listener));
            let mut open = Vec::new();
            let first = t0.elapsed().as_millis() as u32 / APART.as_millis() as u32 + 1;
            for nth in first.. {
                let due = t0 + APART * nth + shift;
                if due >= t0 + END {
                    break;
                }
                sleep_until(due.into()).await;
                let (client, tally) = (Arc::clone(&client), Arc::clone(&tally));
                open.push(tokio::spawn(async move {
                    let late = due.elapsed();
                    let reply = client.get(&format!("v{i}"), "/", "").await;
                    let mut tally = tally.lock().unwrap();
                    tally.requests += 1;
                    tally.errors += u64::from(!reply.is_ok_and(|reply| reply.status == 200));
                    tally.latest = tally.latest.max(late);
                }));
            }
            for one in open {
                let _ = one.await;
            }
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
    // Events are written every 50 ms.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (statistics, events, hits) = (envoy.statistics(), envoy.outlier_events(), upstreams.hits());
    let seen = tallies.iter().enumerate().map(|(i, tally)| {
        let tally = tally.lock().unwrap();
        let name = format!("v{i}");
        let mine = events.iter().filter(|event| event.cluster == name && (event.enforced || !event.eject));
        let since = |at: SystemTime| at.duration_since(births[&name]).unwrap_or_default().as_secs_f64();
        let wedged = |hit: &&Request| hit.host == 0 && hit.authority == name && hit.at >= t0 + WEDGED_AT;
        Seen {
            requests: tally.requests,
            errors: tally.errors,
            retries: statistics.get(&format!("{name}.upstream_rq_retry")).copied().unwrap_or(0),
            hits: hits.iter().filter(wedged).count() as u64,
            moves: mine.map(|event| (event.eject, since(event.at))).filter(counts).collect(),
        }
    });
    let latest = tallies.iter().map(|tally| tally.lock().unwrap().latest).max().unwrap_or_default();
    (seen.collect(), latest)
}

// ---- side by side ------------------------------------------------------------------------------

fn binary() -> Option<PathBuf> {
    let binary = envoy::process::binary();
    if binary.is_none() {
        eprintln!("skipped, SCSIM_ENVOY names no Envoy binary");
    }
    binary
}

/// A host is hit every 40 ms. Of a machine that is later than this nothing follows for Envoy.
const TOO_LATE: Duration = Duration::from_millis(60);

/// Simulates and plays those variants; plays them again where the machine was too busy. Also how late the
/// latest request was sent.
fn both(binary: &Path, which: &[usize]) -> (Vec<Vec<Seen>>, Vec<Seen>, Duration) {
    let chosen = || -> Vec<Variant> {
        variants().into_iter().enumerate().filter(|(nth, _)| which.contains(nth)).map(|(_, variant)| variant).collect()
    };
    let simulated = chosen().iter().map(simulate).collect();
    // Client, upstreams and clock share one thread; Envoy has the other core.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for plays_left in (0..3).rev() {
        let (real, latest) = runtime.block_on(play(binary, chosen()));
        if latest <= TOO_LATE || plays_left == 0 {
            return (simulated, real, latest);
        }
        eprintln!("a request was sent {latest:?} late: the machine was busy, once more");
    }
    unreachable!("the last play is taken as it is")
}

/// Room for a request that was sent a few milliseconds late, on either side of an ejection.
fn close(simulated: &[Seen], real: u64, what: fn(&Seen) -> u64) -> bool {
    let (low, high) = range(simulated, what);
    let room = 3 + real / 100;
    real + room >= low && real <= high + room
}

/// The least and the most of the simulator's seeds.
fn range(simulated: &[Seen], what: fn(&Seen) -> u64) -> (u64, u64) {
    let all = || simulated.iter().map(what);
    (all().min().unwrap_or(0), all().max().unwrap_or(0))
}

fn agree(simulated: &[Seen], real: &Seen) -> bool {
    let same_moves = |one: &Seen| {
        one.moves.len() == real.moves.len()
            && one.moves.iter().zip(&real.moves).all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() < 0.5)
    };
    simulated.iter().any(same_moves)
        && close(simulated, real.errors, |seen| seen.errors)
        && close(simulated, real.retries, |seen| seen.retries)
        && close(simulated, real.hits, |seen| seen.hits)
}

#[test]
fn the_simulator_agrees_with_envoy_on_the_wedged_host() {
    let Some(binary) = binary() else { return };
    let core: Vec<usize> = (0..variants().len()).filter(|&nth| variants()[nth].core).collect();
    let (simulated, real, latest) = both(&binary, &core);
    for ((nth, simulated), real) in core.into_iter().zip(&simulated).zip(&real) {
        assert!(
            agree(simulated, real),
            "{} (the latest request was {latest:?} late)\n  simulated {simulated:?}\n  Envoy     {real:?}",
            variants()[nth].name
        );
    }
}

/// What all seeds agree on, or their range.
fn shown(simulated: &[Seen], what: fn(&Seen) -> u64) -> String {
    match range(simulated, what) {
        (low, high) if low == high => low.to_string(),
        (low, high) => format!("{low} to {high}"),
    }
}

#[test]
#[ignore = "writes reports/wedged-host.md; takes minutes and wants a quiet machine"]
fn the_table_of_all_variants() {
    let Some(binary) = binary() else { return };
    let mut rows = String::new();
    let all: Vec<usize> = (0..variants().len()).collect();
    let mut latest = Duration::ZERO;
    for batch in all.chunks(7) {
        let (simulated, real, late) = both(&binary, batch);
        latest = latest.max(late);
        for ((&nth, a), b) in batch.iter().zip(&simulated).zip(&real) {
            let name = variants()[nth].name;
            let moves = |seen: &Seen| {
                let text = |&(out, at): &(bool, f64)| format!("{} {at:.2}", if out { "out" } else { "back" });
                if seen.moves.is_empty() {
                    "never out".to_owned()
                } else {
                    seen.moves.iter().map(text).collect::<Vec<_>>().join(", ")
                }
            };
            let _ = writeln!(
                rows,
                "| {name} | {} / {} | {} / {} | {} / {} | {}<br>{} | {} |",
                shown(a, |seen| seen.errors),
                b.errors,
                shown(a, |seen| seen.retries),
                b.retries,
                shown(a, |seen| seen.hits),
                b.hits,
                moves(&a[0]),
                moves(b),
                if agree(a, b) { "yes" } else { "**no**" }
            );
        }
    }
    let text = REPORT.replace("ROWS", rows.trim_end()).replace("LATEST", &format!("{} ms", latest.as_millis()));
    std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/wedged-host.md"), text).unwrap();
}

const REPORT: &str = "\
# The wedged host: simulation and Envoy side by side

One Envoy 1.40.0 with one worker in front of eight hosts; 200 requests a second at equal distances for 60 s; host 1 is
wedged after 5 s. Every figure is *simulated / on the real binary*, on loopback. Times are seconds since the cluster was made,
which is when Envoy begins to time its sweeps. Written by
`SCSIM_ENVOY=<binary> cargo test --release --test wedged_host -- --ignored`; the first variant as a scenario is
[scenarios/wedged-host.toml](../scenarios/wedged-host.toml). The core of the table is a test: `tests/wedged_host.rs`.

| variant | errors | retries | attempts on host 1 | out and back, s (simulated, Envoy) | agree |
|---|---|---|---|---|---|
ROWS

Where back-offs are drawn, the simulated figure is the range over ten seeds; the moves are those of the first. *Agree*: the same
moves within 0.5 s, and errors, retries and attempts within 3 or 1 % of the range: a request that is sent a few milliseconds late
falls on the other side of an ejection. The latest request of these runs was sent LATEST late.
The simulated client counts from 0 s; the real one begins when Envoy serves, a tenth of a second later.
";
