//! The fields of a plane that say what carries a call: sidecar, DNS, ALB.
//!
//! *Knows* each field with its default. *Does not know* edges or their policies, save for what a
//! field of the plane sets in them.

use crate::policy::PolicyConfig;
use crate::policy::config::HealthCheck;
use crate::policy::config::LbPolicy;
use crate::policy::config::LeastRequest;
use crate::policy::config::LocalityRouting;
use crate::policy::config::Panic;
use crate::policy::config::RetryOn;
use crate::policy::config::RetryPolicy;
use crate::policy::config::SlowStart;
use crate::policy::config::ZoneAware;
use crate::scenario::AlbPlane;
use crate::scenario::Distribution;
use crate::scenario::DnsPlane;
use crate::scenario::Mechanism;
use crate::scenario::ReadyWhen;
use crate::scenario::ResolverCache;
use crate::scenario::SidecarPlane;
use crate::scenario::distribution::log_normal;
use crate::scenario::planes::Base;
use crate::scenario::planes::client::CLIENTS;
use crate::scenario::policy;
use crate::scenario::policy::Patch;
use crate::scenario::presets;
use crate::scenario::presets::Preset;
use crate::scenario::services::Topology;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::scenario::watch;
use crate::units::Bytes;
use crate::units::Cpu;
use crate::units::Span;

/// The least share of a target under an ALB's slow start, percent of its full one; Envoy's default.
const SLOW_START_FLOOR: u32 = 10;

/// What carries a call on a plane, what the plane's own fields change in every policy, and the preset
/// that the file asks for.
pub fn read(
    base: Base,
    topology: &Topology,
    reader: &mut Reader<'_>,
    problems: &mut Problems<'_>,
) -> (Mechanism, Patch, Option<Preset>) {
    let mut fields = Patch::default();
    let fit: &[Preset] = match base {
        Base::Direct => return (Mechanism::Direct, fields, None),
        Base::ServiceConnect | Base::Envoy | Base::AppMesh => &presets::PROXIES,
        Base::CloudMapDns => &[Preset::DnsClient],
        Base::InternalAlb => &[Preset::AlbDefault],
    };
    let chosen = presets::read(reader, fit, problems);
    let mechanism = match base {
        Base::Direct => Mechanism::Direct,
        Base::ServiceConnect | Base::Envoy | Base::AppMesh => {
            Mechanism::Sidecar(sidecar(base, topology, reader, &mut fields, problems))
        }
        Base::CloudMapDns => Mechanism::Dns(dns(reader, &mut fields, problems)),
        Base::InternalAlb => Mechanism::Alb(alb(topology, reader, problems)),
    };
    if matches!(base, Base::CloudMapDns | Base::InternalAlb) {
        // ALB nodes have limits of their own; these are the client's.
        if let Some(span) = reader.span("timeout", problems) {
            fields.push(move |config| config.timeouts.request = if span.is_zero() { Span::MAX } else { span });
        }
        if base == Base::CloudMapDns
            && let Some(span) = reader.span("connect_timeout", problems)
        {
            fields.push(move |config| config.timeouts.connect = span);
        }
    }
    (mechanism, fields, chosen)
}

fn sidecar(
    base: Base,
    topology: &Topology,
    reader: &mut Reader<'_>,
    fields: &mut Patch,
    problems: &mut Problems<'_>,
) -> SidecarPlane {
    let managed = base != Base::Envoy;
    // What a task can call is settled when its service is deployed; there is no other way.
    reader.word("names", &[("snapshot-at-start", ())], problems);
    if let Some(reading) = policy::outlier_reading(reader, problems) {
        fields.push(move |config| {
            if let Some(od) = &mut config.outlier_detection {
                od.reading = reading;
            }
        });
    }
    if base == Base::ServiceConnect
        && let Some(on) = reader.truth("zone_aware", problems)
    {
        // Services that were not redeployed since it came, client and server, do without (aws.md 1.3).
        let zones = ZoneAware { routing_enabled: 100, min_cluster_size: 2 * topology.zones.len() as u64 };
        let locality = if on { LocalityRouting::ZoneAware(zones) } else { LocalityRouting::None };
        fields.push(move |config| config.locality = locality);
    }
    let push = reader.distribution("endpoint_push", problems);
    let ready = [("healthy", ReadyWhen::Healthy), ("task-running", ReadyWhen::TaskRunning)];
    let ready_when = reader.word("ready_when", &ready, problems).unwrap_or(ReadyWhen::Healthy);
    let mut plane = SidecarPlane {
        // ASSUMPTION(sc.push_latency), ASSUMPTION(envoy.push_latency): "seconds", says AWS (aws.md 1.5).
        endpoint_push: push.unwrap_or_else(|| {
            if managed {
                log_normal(Span::from_secs(3), Span::from_secs(20))
            } else {
                Distribution::Constant(Span::from_secs(1))
            }
        }),
        ready_when,
        // ASSUMPTION(sc.proxy_overhead), ASSUMPTION(envoy.proxy_overhead): 0.2 to 0.5 ms per passage (aws.md 8).
        overhead: log_normal(Span::from_micros(300), Span::from_millis(1)),
        // ASSUMPTION(sc.proxy_cpu_per_request), ASSUMPTION(envoy.proxy_cpu_per_request).
        cpu_per_request: Span::from_micros(100),
        // ASSUMPTION(sc.sidecar_start): the agent looks every 10 s whether Envoy is ready; 5 to 15 s (aws.md 1.5). Elsewhere
        // the order of containers is the user's own.
        start: if base == Base::ServiceConnect {
            Distribution::Uniform { low: Span::from_secs(5), high: Span::from_secs(15) }
        } else {
            Distribution::Constant(Span::ZERO)
        },
        // 20 s, fixed in the agent (aws.md 1.6).
        drain: if managed { Span::from_secs(20) } else { Span::ZERO },
        inbound: true,
        drains_inbound_first: base == Base::ServiceConnect,
        cpu: Cpu::from_millis(250),
        memory: Bytes::new(64 << 20),
        // ASSUMPTION(proxy.memory_base): AWS asks for 64 MiB at the least (aws.md 1.7).
        memory_base: Bytes::new(40 << 20),
        memory_growth: Bytes::new(0),
        // ASSUMPTION(proxy.restart): noticed within 0.1 s; Envoy's own start is the rest (aws.md 1.8).
        restart: Span::from_secs(1),
        // APPNET_ENVOY_RESTART_COUNT (aws.md 1.5, 1.8).
        restarts: 3,
        snapshot_names: managed,
    };
    let Some(node) = reader.get("sidecar") else { return plane };
    let Some(mut inner) = Reader::of(node, "sidecar", problems) else { return plane };
    plane.cpu = inner.cpu("cpu", problems).unwrap_or(plane.cpu);
    plane.memory = inner.bytes("memory", problems).unwrap_or(plane.memory);
    plane.memory_base = inner.bytes("memory_base", problems).unwrap_or(plane.memory_base);
    plane.memory_growth = inner.bytes("memory_growth", problems).unwrap_or(plane.memory_growth);
    plane.restart = inner.span("restart", problems).unwrap_or(plane.restart);
    plane.restarts = inner.count("restarts", 0..=10, problems).map_or(plane.restarts, |n| n as u32);
    if plane.memory_growth.get() > 0 && plane.memory_base >= plane.memory {
        let message = format!("a proxy of {} needs more than its {}", plane.memory_base, plane.memory);
        let label = "write a larger `memory`, or a smaller `memory_base`";
        problems.error("scenario::range", inner.key_place("memory_base"), message, label);
    }
    plane.overhead = inner.distribution("overhead", problems).unwrap_or(plane.overhead);
    plane.cpu_per_request = inner.span("cpu_per_request", problems).unwrap_or(plane.cpu_per_request);
    // Service Connect and App Mesh always have both.
    if !managed {
        plane.inbound = inner.truth("inbound", problems).unwrap_or(plane.inbound);
    }
    plane.start = inner.distribution("start", problems).unwrap_or(plane.start);
    plane.drain = inner.span("drain", problems).unwrap_or(plane.drain);
    plane.drains_inbound_first = inner.truth("drains_inbound_first", problems).unwrap_or(plane.drains_inbound_first);
    inner.finish(problems);
    plane
}

fn dns(reader: &mut Reader<'_>, fields: &mut Patch, problems: &mut Problems<'_>) -> DnsPlane {
    let clients = CLIENTS.map(|client| (client.name, client));
    let client = reader.word("client", &clients, problems);
    if let Some(client) = client {
        fields.push(move |config| client.apply(config));
    }
    let picks = [("first", LbPolicy::FirstListed), ("random", LbPolicy::Random), ("round-robin", LbPolicy::RoundRobin)];
    if let Some(pick) = reader.word("pick", &picks, problems) {
        fields.push(move |config| config.lb_policy = pick);
    }
    if let Some(idle) = reader.span("keep_alive", problems) {
        fields.push(move |config| config.timeouts.idle = idle);
    }
    if let Some(n) = reader.count("client_retries", 0..=250, problems) {
        fields.push(move |config| {
            config.retry_policy = (n > 0).then(|| RetryPolicy {
                retry_on: RetryOn::CONNECT_FAILURE.with(RetryOn::RESET),
                num_retries: n as u32,
                ..RetryPolicy::envoy_default()
            });
        });
    }
    // Both kinds of record lead to the same addresses.
    reader.word("record", &[("A", ()), ("SRV", ())], problems);
    let resolver_cache = match reader.get("resolver_cache") {
        Some(node) => resolver_cache(node, problems),
        None => client.map_or(ResolverCache::Ttl, |client| client.cache),
    };
    let negative = client.and_then(|client| client.negative).unwrap_or(Span::from_secs(60));
    // WEIGHTED answers with one record (aws.md 2); ECS gives all the same weight.
    let answers = reader.word("routing", &[("multivalue", 8), ("weighted", 1)], problems).unwrap_or(8);
    DnsPlane {
        // ASSUMPTION(dns.ttl): no default at AWS; 60 s is what most files seen have (aws.md 2).
        ttl: reader.span("ttl", problems).unwrap_or(Span::from_secs(60)),
        resolver_cache,
        // ASSUMPTION(dns.negative_ttl): the zone's SOA, 15 to 900 s (aws.md 2).
        negative_ttl: reader.span("negative_ttl", problems).unwrap_or(negative),
        max_answers: reader.count("max_answers", 1..=1_000, problems).unwrap_or(answers) as u32,
        // ASSUMPTION(dns.record_lag).
        record_lag: reader
            .distribution("record_lag", problems)
            .unwrap_or_else(|| log_normal(Span::from_secs(3), Span::from_secs(20))),
        // About 30 s after a custom health status changes (aws.md 2).
        health_lag: reader.span("health_lag", problems).unwrap_or(Span::from_secs(30)),
        deregister_before_stop: reader.span("deregister_before_stop", problems),
        // ASSUMPTION(dns.lookup).
        lookup: reader.distribution("lookup", problems).unwrap_or(Distribution::Constant(Span::from_millis(1))),
        custom_health: reader.truth("custom_health", problems).unwrap_or(true),
        client: client.map(|client| client.name),
    }
}

/// A word, or a duration that holds whatever the TTL.
fn resolver_cache(node: &Node, problems: &mut Problems<'_>) -> ResolverCache {
    let words = [
        ("ttl", ResolverCache::Ttl),
        ("forever", ResolverCache::Forever),
        ("none", ResolverCache::For(Span::ZERO)),
        // 30 s, where no security manager is installed (aws.md 2.1).
        ("jvm", ResolverCache::For(Span::from_secs(30))),
    ];
    watch::words(&node.place, &words);
    match &node.value {
        Value::Text(text) if let Some((_, cache)) = words.iter().find(|(word, _)| word == text) => *cache,
        _ => value::span(node, problems).map_or(ResolverCache::Ttl, ResolverCache::For),
    }
}

fn alb(topology: &Topology, reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> AlbPlane {
    let mut node_policy = PolicyConfig::alb_node();
    algorithm(&mut node_policy, reader, problems);
    if let Some(node) = reader.get("health_check")
        && let Some(mut inner) = Reader::of(node, "health_check", problems)
    {
        inner.text("path", problems);
        let check = node_policy.health_check.get_or_insert(HealthCheck {
            interval: Span::from_secs(30),
            timeout: Span::from_secs(5),
            healthy_threshold: 5,
            unhealthy_threshold: 2,
            first_pass_suffices: true,
        });
        check.interval = inner.span("interval", problems).unwrap_or(check.interval);
        check.timeout = inner.span("timeout", problems).unwrap_or(check.timeout);
        let mut threshold = |key, before: &mut u32| {
            if let Some(n) = inner.count(key, 1..=1_000, problems) {
                *before = n as u32;
            }
        };
        threshold("healthy_threshold", &mut check.healthy_threshold);
        threshold("unhealthy_threshold", &mut check.unhealthy_threshold);
        for (key, span) in [("interval", check.interval), ("timeout", check.timeout)] {
            if span.is_zero() {
                problems.error("scenario::range", inner.key_place(key), format!("`{key}` is zero"), "must be longer");
            }
        }
        inner.finish(problems);
    }
    if let Some(idle) = reader.span("idle_timeout", problems) {
        // A target that says nothing for this long is answered for with 504 (aws.md 3.3).
        node_policy.timeouts.request = idle;
        node_policy.timeouts.idle = idle;
    }
    if let Some(connect) = reader.span("connect_timeout", problems) {
        node_policy.timeouts.connect = connect;
    }
    slow_start(&mut node_policy, reader, problems);
    fail_open(&mut node_policy, reader, problems);
    let mut zones: Vec<u8> = topology.services.iter().flat_map(|service| service.zones.iter().copied()).collect();
    zones.sort_unstable();
    zones.dedup();
    AlbPlane {
        nodes: reader.count("nodes", 1..=1_000, problems).unwrap_or(zones.len().max(1) as u64) as u32,
        node_policy,
        deregistration_delay: reader.span("deregistration_delay", problems).unwrap_or(Span::from_secs(300)),
        // ASSUMPTION(alb.hop): AWS publishes none; 0.5 to 1.5 ms (aws.md 3.2).
        hop: reader
            .distribution("hop", problems)
            .unwrap_or_else(|| log_normal(Span::from_micros(700), Span::from_millis(2))),
        cross_zone: reader.truth("cross_zone", problems).unwrap_or(true),
    }
}

/// `algorithm` and `anomaly_mitigation`, with an ALB's own rules (aws.md 3.2).
fn algorithm(node_policy: &mut PolicyConfig, reader: &mut Reader<'_>, problems: &mut Problems<'_>) {
    let algorithms = [
        ("round_robin", LbPolicy::RoundRobin),
        ("least_outstanding_requests", LbPolicy::LeastRequest(LeastRequest::FullScan)),
        ("weighted_random", LbPolicy::WeightedRandom { anomaly_mitigation: false }),
    ];
    if let Some(rule) = reader.word("algorithm", &algorithms, problems) {
        node_policy.lb_policy = rule;
    }
    let Some(node) = reader.get("anomaly_mitigation") else { return };
    let on = match &node.value {
        // The attribute's own words.
        Value::Text(_) => value::word(node, "anomaly_mitigation", &[("on", true), ("off", false)], problems),
        _ => value::truth(node, problems),
    };
    match (&mut node_policy.lb_policy, on) {
        (LbPolicy::WeightedRandom { anomaly_mitigation }, Some(on)) => *anomaly_mitigation = on,
        (_, Some(true)) => problems.error(
            "scenario::alb",
            &node.place,
            "an ALB mitigates anomalies with weighted_random only",
            "set algorithm = \"weighted_random\", or take this out",
        ),
        _ => {}
    }
}

/// `minimum_healthy_targets`, a count or a share: with fewer than that healthy, requests go to all targets
/// (`target_group_health.unhealthy_state_routing`; the default is one, aws.md 3.1).
fn fail_open(node_policy: &mut PolicyConfig, reader: &mut Reader<'_>, problems: &mut Problems<'_>) {
    let Some(node) = reader.get("minimum_healthy_targets") else { return };
    let panic = match &node.value {
        Value::Text(_) => value::ratio(node, problems).map(Panic::Below),
        _ => value::count(node, 1..=1_000_000, problems).map(|n| Panic::FewerThan(n as u32)),
    };
    if let Some(panic) = panic.filter(|panic| *panic != Panic::FewerThan(1)) {
        node_policy.panic = panic;
        // An ALB counts targets as they are.
        node_policy.overprovisioning_factor = 100;
    }
}

/// `slow_start`, a duration, or the attribute `slow_start.duration_seconds`, a count (aws.md 3.2).
fn slow_start(node_policy: &mut PolicyConfig, reader: &mut Reader<'_>, problems: &mut Problems<'_>) {
    let Some(node) = reader.get("slow_start") else { return };
    let (window, place) = match &node.value {
        Value::Table(_) => {
            let Some(mut inner) = Reader::of(node, "slow_start", problems) else { return };
            let seconds = inner.count("duration_seconds", 0..=u64::from(u32::MAX), problems);
            let place = inner.key_place("duration_seconds").clone();
            inner.finish(problems);
            (seconds.map(Span::from_secs), place)
        }
        _ => (value::span(node, problems), node.place.clone()),
    };
    let Some(window) = window.filter(|window| !window.is_zero()) else { return };
    if !(Span::from_secs(30)..=Span::from_secs(900)).contains(&window) {
        let message = format!("an ALB takes no slow start of {window}");
        problems.error("scenario::alb", &place, message, "30 s to 900 s, or 0 for none");
    } else if node_policy.lb_policy != LbPolicy::RoundRobin {
        let message = "an ALB has slow start with round_robin only";
        problems.error("scenario::alb", &place, message, "set algorithm = \"round_robin\", or take this out");
    } else {
        // ASSUMPTION(alb.slow_start_floor): a straight ramp, from a tenth on. AWS names no lower bound; but with
        // none, turns by weight would reach a new target of next to no weight only after minutes.
        node_policy.slow_start =
            Some(SlowStart { window, aggression_milli: 1000, min_weight_percent: SLOW_START_FLOOR });
    }
}
