//! Choices that Envoy draws: the shares of many requests, side by side with the router's own.
//!
//! *Knows* a few lists of hosts and rules of choice. *Does not know* the formulas: both sides are asked.

use super::case::Case;
use super::case::Family;
use super::case::Host;
use super::envoy::client::Client;
use super::envoy::process::Envoy;
use super::envoy::process::Setup;
use super::envoy::upstreams::Act;
use super::envoy::upstreams::Answer;
use super::envoy::upstreams::Upstreams;
use super::envoy_or_skip;
use super::runtime;
use super::setup::case_cluster;
use super::setup::case_virtual_host;
use scsim::policy::Ask;
use scsim::policy::Cx;
use scsim::policy::EdsHealth;
use scsim::policy::Entropy;
use scsim::policy::Member;
use scsim::policy::MemberKey;
use scsim::policy::NoFacts;
use scsim::policy::Outcome;
use scsim::policy::PolicyConfig;
use scsim::policy::RequestKey;
use scsim::policy::Router;
use scsim::policy::Step;
use scsim::policy::Upkeep;
use scsim::policy::config::LbPolicy;
use scsim::policy::config::LeastRequest;
use scsim::policy::config::RetryOn;
use scsim::policy::config::RetryPolicy;
use scsim::units::Span;
use scsim::units::Time;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// Requests that Envoy gets.
const THEIRS: u32 = 2000;
/// Requests that the router gets, which cost next to nothing.
const OURS: u32 = 50_000;

/// A list of hosts, a rule, and who answers 503.
struct Draw {
    what: &'static str,
    /// Priority, weight, and what the control plane says of it.
    hosts: Vec<(u8, u32, bool)>,
    lb_policy: LbPolicy,
    retry_policy: Option<RetryPolicy>,
    failing: usize,
}

/// Nobody.
const NOBODY: usize = usize::MAX;

fn draws() -> Vec<Draw> {
    let priorities = |what, first: [bool; 4], second: [bool; 3]| Draw {
        what,
        hosts: first.map(|healthy| (0, 1, healthy)).into_iter().chain(second.map(|healthy| (1, 1, healthy))).collect(),
        lb_policy: LbPolicy::RoundRobin,
        retry_policy: None,
        failing: NOBODY,
    };
    let retries = |what, extra| Draw {
        what,
        hosts: vec![(0, 1, true); 4],
        lb_policy: LbPolicy::Random,
        retry_policy: Some(RetryPolicy {
            retry_on: RetryOn::FIVE_XX,
            base_interval: Span::from_millis(1),
            max_interval: Span::from_millis(1),
            previous_hosts: extra > 0,
            host_selection_retry_max_attempts: extra,
            ..RetryPolicy::envoy_default()
        }),
        failing: 0,
    };
    vec![
        priorities("half of the first priority", [true, true, false, false], [true; 3]),
        priorities("a quarter of the first priority", [true, false, false, false], [true; 3]),
        priorities("too few in both: panic", [true, false, false, false], [true, false, false]),
        priorities("half of both", [true, true, false, false], [true, false, false]),
        retries("random, retried anywhere", 0),
        retries("random, retried elsewhere, one pick more", 1),
        retries("random, retried elsewhere, three picks more", 3),
        Draw {
            what: "least request by weight",
            hosts: vec![(0, 1, true), (0, 2, true), (0, 5, true)],
            lb_policy: LbPolicy::LeastRequest(LeastRequest::Choices(2)),
            retry_policy: None,
            failing: NOBODY,
        },
    ]
}

impl Draw {
    fn config(&self) -> PolicyConfig {
        PolicyConfig {
            lb_policy: self.lb_policy,
            retry_policy: self.retry_policy.clone(),
            ..PolicyConfig::envoy_default()
        }
    }

    fn status(&self, host: usize) -> u16 {
        if host == self.failing { 503 } else { 200 }
    }

    /// As a case, for its JSON.
    fn case(&self, nth: usize) -> Case {
        let host = |&(priority, weight, _): &(u8, u32, bool)| Host { refuses: false, weight, priority };
        let hosts = self.hosts.iter().map(host).collect();
        let interval = Span::from_secs(10);
        Case { nth, family: Family::Priorities, config: self.config(), hosts, bursts: Vec::new(), interval }
    }
}

/// Attempts by host, per thousand requests, on Envoy.
async fn theirs(binary: &Path, draws: Arc<Vec<Draw>>) -> Vec<Vec<f64>> {
    let most = draws.iter().map(|draw| draw.hosts.len()).max().unwrap_or(1);
    let nth = |authority: &str| authority[1..].parse::<usize>().expect("c and a number");
    let script_draws = Arc::clone(&draws);
    let script = move |request: &super::envoy::upstreams::Request| {
        Act::Answer(Answer::of(script_draws[nth(&request.authority)].status(request.host)))
    };
    let upstreams = Upstreams::start(most, script).await.expect("upstreams can be started on loopback");
    let (mut clusters, mut virtual_hosts) = (Vec::new(), Vec::new());
    for (i, draw) in draws.iter().enumerate() {
        let case = draw.case(i);
        let mut it = case_cluster(&case, &upstreams.hosts[..draw.hosts.len()]);
        let mut next = [0, 0];
        for &(priority, _, healthy) in &draw.hosts {
            let at = &mut next[usize::from(priority)];
            it["load_assignment"]["endpoints"][usize::from(priority)]["lb_endpoints"][*at]["health_status"] =
                json!(if healthy { "HEALTHY" } else { "UNHEALTHY" });
            *at += 1;
        }
        clusters.push(it);
        virtual_hosts.push(case_virtual_host(&case));
    }
    let envoy = Envoy::start(binary, &Setup::of(clusters, virtual_hosts));
    let mut all = Vec::new();
    for i in 0..draws.len() {
        let client = Client::new(envoy.listener);
        all.push(tokio::spawn(async move {
            for _ in 0..THEIRS {
                let _ = client.get(&format!("c{i}"), "/", "").await;
            }
        }));
    }
    for one in all {
        let _ = one.await;
    }
    let mut counts: Vec<Vec<u32>> = draws.iter().map(|draw| vec![0; draw.hosts.len()]).collect();
    for hit in upstreams.hits() {
        counts[nth(&hit.authority)][hit.host] += 1;
    }
    counts.into_iter().map(|counts| per_thousand(&counts, THEIRS)).collect()
}

fn per_thousand(counts: &[u32], of: u32) -> Vec<f64> {
    counts.iter().map(|&count| f64::from(count) * 1000.0 / f64::from(of)).collect()
}

/// Words in a row (SplitMix64).
struct Words(u64);

impl Entropy for Words {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// The same on the router.
fn ours(draw: &Draw) -> Vec<f64> {
    let mut router = Router::new(Arc::new(draw.config()));
    let mut words = Words(7);
    let mut counts = vec![0; draw.hosts.len()];
    let list: Vec<Member> = (0..)
        .zip(&draw.hosts)
        .map(|(key, &(priority, weight, healthy))| Member {
            priority,
            weight,
            health: if healthy { EdsHealth::Healthy } else { EdsHealth::Unhealthy },
            ..Member::of(MemberKey(key))
        })
        .collect();
    let mut facts = NoFacts;
    let cx = &mut Cx { now: Time::ZERO, rng: &mut words, facts: &mut facts };
    router.on_members(cx, &list, None);
    let mut now = Time::ZERO;
    for request in 0..u64::from(OURS) {
        cx.now = now;
        let mut flight = router.begin(cx, Ask::of(RequestKey(request)));
        loop {
            cx.now = now;
            let step = router.step(cx, &mut flight);
            while let Some(upkeep) = router.poll_upkeep(cx) {
                if let Upkeep::Connect { conn, .. } = upkeep {
                    router.on_connected(cx, conn);
                }
            }
            match step {
                Step::Try(attempt) => {
                    let host = attempt.member.0 as usize;
                    counts[host] += 1;
                    let answer = scsim::policy::Answer::of(draw.status(host));
                    router.report(cx, &mut flight, attempt.attempt, Outcome::Answered(answer));
                }
                Step::Wait { until } => now = until.unwrap_or(now),
                Step::Resolve => unreachable!("members are pushed"),
                Step::Done(_) => break,
            }
        }
        now = now + Span::from_millis(1);
    }
    per_thousand(&counts, OURS)
}

/// Five standard deviations, each request taken for a draw of its own on either side: with a few dozen
/// figures, one in a hundred thousand runs is off by chance.
fn margin(per_thousand: f64) -> f64 {
    let share = (per_thousand / 1000.0).clamp(0.0, 1.0);
    // A retry adds a second draw, which the quarter covers.
    let variance = (share * (1.0 - share)).max(0.001) * 1.25;
    5000.0 * (variance * (1.0 / f64::from(THEIRS) + 1.0 / f64::from(OURS))).sqrt()
}

#[test]
fn drawn_choices_have_the_shares_of_the_router() {
    let Some((binary, _alone)) = envoy_or_skip("shares") else { return };
    let draws = Arc::new(draws());
    let all = runtime().block_on(theirs(&binary, Arc::clone(&draws)));
    let mut off = Vec::new();
    for (draw, theirs) in draws.iter().zip(&all) {
        let ours = ours(draw);
        eprintln!("{}, attempts per thousand requests: Envoy {theirs:.1?}, scsim {ours:.1?}", draw.what);
        for (host, (theirs, ours)) in theirs.iter().zip(&ours).enumerate() {
            if (theirs - ours).abs() > margin(*ours) {
                off.push(format!("{}, host {host}: Envoy {theirs:.1}, scsim {ours:.1}", draw.what));
            }
        }
    }
    assert!(off.is_empty(), "{off:#?}");
}
