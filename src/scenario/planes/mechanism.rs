//! The fields of a plane that say what carries a call: sidecar, DNS, ALB.
//!
//! *Knows* each field with its default. *Does not know* edges or their policies, save for what a
//! field of the plane sets in them.

use crate::policy::PolicyConfig;
use crate::policy::config::HealthCheck;
use crate::policy::config::LbPolicy;
use crate::policy::config::LeastRequest;
use crate::policy::config::RetryOn;
use crate::policy::config::RetryPolicy;
use crate::scenario::AlbPlane;
use crate::scenario::Distribution;
use crate::scenario::DnsPlane;
use crate::scenario::ReadyWhen;
use crate::scenario::ResolverCache;
use crate::scenario::SidecarPlane;
use crate::scenario::distribution::log_normal;
use crate::scenario::planes::Base;
use crate::scenario::policy;
use crate::scenario::policy::Patch;
use crate::scenario::services::Topology;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::units::Bytes;
use crate::units::Cpu;
use crate::units::Span;

pub fn sidecar(base: Base, reader: &mut Reader<'_>, fields: &mut Patch, problems: &mut Problems<'_>) -> SidecarPlane {
    let managed = base != Base::Envoy;
    let presets: &[(&str, ())] = match base {
        Base::Envoy => &[("envoy@1.40", ())],
        Base::AppMesh => &[("app-mesh@2026-01", ())],
        _ => &[("service-connect@2026-01", ())],
    };
    reader.word("preset", presets, problems);
    // Names cannot change while a scenario runs, so this is what happens anyway.
    reader.word("names", &[("snapshot-at-start", ())], problems);
    if let Some(reading) = policy::outlier_reading(reader, problems) {
        fields.push(move |config| {
            if let Some(od) = &mut config.outlier_detection {
                od.reading = reading;
            }
        });
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
        // ASSUMPTION(proxy.overhead): 0.2 to 0.5 ms per passage (aws.md 8).
        overhead: log_normal(Span::from_micros(300), Span::from_millis(1)),
        // ASSUMPTION(proxy.cpu_per_request).
        cpu_per_request: Span::from_micros(100),
        // 20 s, fixed in the agent (aws.md 1.6).
        drain: if managed { Span::from_secs(20) } else { Span::ZERO },
        inbound: true,
        drains_inbound_first: base == Base::ServiceConnect,
        cpu: Cpu::from_millis(250),
        memory: Bytes::new(64 << 20),
    };
    let Some(node) = reader.get("sidecar") else { return plane };
    let Some(mut inner) = Reader::of(node, "sidecar", problems) else { return plane };
    plane.cpu = inner.cpu("cpu", problems).unwrap_or(plane.cpu);
    plane.memory = inner.bytes("memory", problems).unwrap_or(plane.memory);
    plane.overhead = inner.distribution("overhead", problems).unwrap_or(plane.overhead);
    plane.cpu_per_request = inner.span("cpu_per_request", problems).unwrap_or(plane.cpu_per_request);
    // Service Connect and App Mesh always have both.
    if !managed {
        plane.inbound = inner.truth("inbound", problems).unwrap_or(plane.inbound);
    }
    plane.drain = inner.span("drain", problems).unwrap_or(plane.drain);
    plane.drains_inbound_first = inner.truth("drains_inbound_first", problems).unwrap_or(plane.drains_inbound_first);
    inner.finish(problems);
    plane
}

pub fn dns(reader: &mut Reader<'_>, fields: &mut Patch, problems: &mut Problems<'_>) -> DnsPlane {
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
        Some(Node { value: Value::Text(text), .. }) if text == "ttl" => ResolverCache::Ttl,
        Some(Node { value: Value::Text(text), .. }) if text == "forever" => ResolverCache::Forever,
        Some(node) => value::span(node, problems).map_or(ResolverCache::Ttl, ResolverCache::For),
        None => ResolverCache::Ttl,
    };
    DnsPlane {
        // ASSUMPTION(dns.ttl): no default at AWS; 60 s is what most files seen have (aws.md 2).
        ttl: reader.span("ttl", problems).unwrap_or(Span::from_secs(60)),
        resolver_cache,
        // ASSUMPTION(dns.negative_ttl): the zone's SOA, 15 to 900 s (aws.md 2).
        negative_ttl: reader.span("negative_ttl", problems).unwrap_or(Span::from_secs(60)),
        max_answers: reader.count("max_answers", 1..=1_000, problems).unwrap_or(8) as u32,
        // ASSUMPTION(dns.record_lag).
        record_lag: reader
            .distribution("record_lag", problems)
            .unwrap_or_else(|| log_normal(Span::from_secs(3), Span::from_secs(20))),
        // About 30 s after a custom health status changes (aws.md 2).
        health_lag: reader.span("health_lag", problems).unwrap_or(Span::from_secs(30)),
        deregister_before_stop: reader.span("deregister_before_stop", problems),
        // ASSUMPTION(dns.lookup).
        lookup: reader.distribution("lookup", problems).unwrap_or(Distribution::Constant(Span::from_millis(1))),
    }
}

pub fn alb(topology: &Topology, reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> AlbPlane {
    let mut node_policy = PolicyConfig::alb_node();
    if let Some(node) = reader.get("algorithm") {
        match value::text(node, problems) {
            Some("round_robin") | None => node_policy.lb_policy = LbPolicy::RoundRobin,
            Some("least_outstanding_requests") => {
                node_policy.lb_policy = LbPolicy::LeastRequest(LeastRequest::FullScan);
            }
            Some("weighted_random") => problems.error(
                "scenario::not-modelled",
                &node.place,
                "scsim does not model `weighted_random` yet",
                "use \"round_robin\" or \"least_outstanding_requests\"",
            ),
            Some(other) => problems.error(
                "scenario::word",
                &node.place,
                format!("an ALB has no algorithm `{other}`"),
                "one of: round_robin, least_outstanding_requests",
            ),
        }
    }
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
    if let Some(ramp) = reader.span("slow_start", problems)
        && !ramp.is_zero()
    {
        problems.unmodelled(reader.key_place("slow_start"), "slow start of an ALB");
    }
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
