//! Every constant in use that had to come from somewhere, with its source and how sure it is.
//!
//! *Knows* the public source of each default. *Does not know* where a default is applied.
//! A value that differs from the default is the user's, and is listed as such.

mod deploys;
pub mod extras;

use crate::policy::PolicyConfig;
use crate::policy::config::LocalityRouting;
use crate::scenario::AlbPlane;
use crate::scenario::Assumption;
use crate::scenario::Confidence;
use crate::scenario::Distribution;
use crate::scenario::DnsPlane;
use crate::scenario::FaultKind;
use crate::scenario::Mechanism;
use crate::scenario::Plane;
use crate::scenario::ReadyWhen;
use crate::scenario::Scenario;
use crate::scenario::SidecarPlane;
use crate::scenario::distribution::log_normal;
use crate::scenario::distribution::written;
use crate::scenario::ecs;
use crate::scenario::planes::client::CLIENTS;
use crate::scenario::presets;
use crate::scenario::presets::Preset;
use crate::scenario::presets::limit;
use crate::scenario::tree::Table;
use crate::units::Span;

const ECS_API: &str = "ECS API Reference";
const ALB_GUIDE: &str = "Elastic Load Balancing User Guide, target-group-health-checks";
const ALB_ATTRIBUTES: &str = "Elastic Load Balancing User Guide, edit-target-group-attributes";
const CLOUD_MAP: &str = "Cloud Map API Reference, HealthCheckCustomConfig and DnsConfig";
const AGENT: &str = "aws/amazon-ecs-service-connect-agent, agent.go";
const UNPUBLISHED: &str = "not published; a guess";

/// Collects rows; later planes add one only where they differ from an earlier one.
#[derive(Default)]
struct Rows {
    rows: Vec<Assumption>,
}

/// A constant: its name, what it is here, what it would be by default.
struct Row<'a> {
    id: &'a str,
    value: String,
    default: String,
    source: &'a str,
    confidence: Confidence,
    key: &'a str,
}

impl Rows {
    fn add(&mut self, plane: Option<&str>, row: &Row<'_>) {
        let own = row.value != row.default;
        let mut id = row.id.to_owned();
        if let Some(before) = self.rows.iter().find(|other| other.id == id) {
            if before.value == row.value {
                return;
            }
            id = format!("{}.{}", plane.unwrap_or("other"), id);
        }
        let key = plane.map_or_else(|| row.key.to_owned(), |plane| format!("plane.{plane}.{}", row.key));
        self.rows.push(Assumption {
            id,
            value: row.value.replace('"', ""),
            source: if own { "this scenario".to_owned() } else { row.source.to_owned() },
            confidence: if own { Confidence::User } else { row.confidence },
            overridden_by: key,
        });
    }
}

/// Lists the constants that the planes and services of a scenario use.
pub fn list(scenario: &Scenario, tree: &Table) -> Vec<Assumption> {
    let mut rows = Rows::default();
    services(&mut rows, scenario, tree);
    deploys::list(&mut rows, scenario, tree);
    faults(&mut rows, scenario);
    for plane in &scenario.planes {
        for path in plane.paths() {
            let internal = scenario.edges.iter().position(|edge| !scenario.service(edge.to).external);
            let config = internal.and_then(|index| path.edge_policies.get(index));
            match &path.mechanism {
                Mechanism::Direct => {}
                Mechanism::Sidecar(sidecar) => sidecar_plane(&mut rows, path, sidecar, config, scenario.zones.len()),
                Mechanism::Dns(dns) => dns_plane(&mut rows, &path.name, dns, config),
                Mechanism::Alb(alb) => alb_plane(&mut rows, &path.name, alb),
            }
        }
    }
    if scenario.planes.iter().any(|plane| plane.second.is_some()) {
        migration(&mut rows);
    }
    extras::list(&mut rows, scenario);
    rows.rows
}

/// What holds where callers move from one path to another.
fn migration(rows: &mut Rows) {
    for (id, value, source, confidence) in [
        (
            "migration.flag",
            "asked for each call; a larger share takes the calls of a smaller one and more",
            "how percentage flags are usually made; a flag that sticks to a task or a user is not modelled",
            Confidence::Guess,
        ),
        (
            "migration.inbound",
            "whatever reaches a task with a sidecar passes that sidecar",
            "documented for ALBs (ECS Developer Guide); by the same listener for clients that ask DNS",
            Confidence::Inferred,
        ),
    ] {
        let (value, default) = (value.to_owned(), value.to_owned());
        rows.add(None, &Row { id, value, default, source, confidence, key: "none" });
    }
}

/// What holds for services and the network on every plane.
fn services(rows: &mut Rows, scenario: &Scenario, tree: &Table) {
    let given = |key: &str| {
        tree.table("service").is_some_and(|services| {
            services.entries.values().all(
                |entry| matches!(&entry.node.value, crate::scenario::tree::Value::Table(table) if table.get(key).is_some()),
            )
        })
    };
    for (id, key, value, source, confidence) in [
        (
            "ecs.startup",
            "startup",
            "30s",
            "elasticscale.com 2024-04 and AWS News on SOCI; no SLA exists",
            Confidence::Guess,
        ),
        ("ecs.stop_timeout", "stop_timeout", "30s", ECS_API, Confidence::Documented),
    ] {
        if !given(key) {
            let (value, default) = (value.to_owned(), value.to_owned());
            rows.add(None, &Row { id, value, default, source, confidence, key: &format!("service.NAME.{key}") });
        }
    }
    let constant = |micros| Distribution::Constant(Span::from_micros(micros));
    for (id, key, value, default) in [
        ("network.same_zone", "network.same_zone", &scenario.network.same_zone, constant(250)),
        ("network.cross_zone", "network.cross_zone", &scenario.network.cross_zone, constant(600)),
    ] {
        let (value, default) = (written(value), written(&default));
        rows.add(None, &Row { id, value, default, source: UNPUBLISHED, confidence: Confidence::Guess, key });
    }
    if !scenario.deploys.is_empty() || scenario.services.iter().any(|service| service.health_check.is_none()) {
        let (value, default) = ("40s".to_owned(), "40s".to_owned());
        let (source, confidence) = (ECS_API, Confidence::Documented);
        let key = "service.NAME.health_check";
        rows.add(None, &Row { id: "ecs.healthy_without_check", value, default, source, confidence, key });
    }
    let fixed = |text: &str| (text.to_owned(), text.to_owned());
    let changes = !scenario.deploys.is_empty() || !scenario.faults.is_empty() || !scenario.scales.is_empty();
    if changes {
        let (value, default) = fixed(&ecs::REPLACE_AFTER.to_string());
        let (source, confidence) = ("one public capture of service events", Confidence::ThirdParty);
        rows.add(None, &Row { id: "ecs.replace_after", value, default, source, confidence, key: "none" });
        let (value, default) = fixed(&ecs::NOTICE.to_string());
        let confidence = Confidence::Guess;
        rows.add(None, &Row { id: "ecs.notice", value, default, source: UNPUBLISHED, confidence, key: "none" });
    }
    if scenario.services.iter().any(|s| s.health_check.is_some_and(|check| check.start_period.is_zero())) {
        let (value, default) = fixed("failed checks during start-up do not count");
        let (confidence, key) = (Confidence::Guess, "service.NAME.health_check.start_period");
        let source = "as if startPeriod covered the start-up, image pull included";
        rows.add(None, &Row { id: "ecs.start_period", value, default, source, confidence, key });
    }
    lives(rows, scenario);
    if !scenario.edges.is_empty() {
        let (value, default) = fixed("the status of the failed call, 503 where there was none");
        let (source, confidence) = ("what a task answers when a dependency failed is the app's", Confidence::Guess);
        rows.add(None, &Row { id: "app.dependency_status", value, default, source, confidence, key: "none" });
    }
}

/// How tasks come, are replaced and go, and how their number follows a metric.
fn lives(rows: &mut Rows, scenario: &Scenario) {
    let mut row = |id: &str, value: &str, source: &str, confidence, key: &str| {
        rows.add(None, &Row { id, value: value.to_owned(), default: value.to_owned(), source, confidence, key });
    };
    let tasks_start = !scenario.deploys.is_empty()
        || !scenario.faults.is_empty()
        || !scenario.scales.is_empty()
        || !scenario.scalings.is_empty();
    let ours = || scenario.services.iter().filter(|service| !service.external);
    let zero = Distribution::Constant(Span::ZERO);
    if tasks_start && ours().any(|service| service.life.provisioning == zero && service.life.image_pull == zero) {
        let source = "no SLA exists; `startup` stands for the whole way unless they are given";
        let key = "service.NAME.provisioning, service.NAME.image_pull";
        row(
            "ecs.provisioning",
            "provisioning and image pull take no time of their own",
            source,
            Confidence::Guess,
            key,
        );
    }
    let alb = scenario.planes.iter().any(|plane| plane.alb().is_some());
    let checked = ours().any(|service| service.health_check.is_some()) || alb;
    if tasks_start && checked && ours().any(|service| service.life.health_check_grace_period.is_none()) {
        let source = "ECS's own default is 0 s, with which a boot longer than the checks' patience never ends";
        let key = "service.NAME.health_check_grace_period";
        row("ecs.grace_period", "covers the start-up", source, Confidence::Guess, key);
    }
    if !scenario.faults.is_empty() {
        let value = "stops as usual at once, is replaced, and is killed when the notice is over";
        row("ecs.reclaim", value, "Fargate's Spot notice; its order is a guess", Confidence::Guess, "none");
    }
    let alarms = "3 datapoints of 60 s above the target, 15 below 90 % of it";
    for scaling in &scenario.scalings {
        let source = "the alarms that Application Auto Scaling makes for ECS";
        row("scaling.alarms", alarms, source, Confidence::Memory, "none");
        let source = "Application Auto Scaling User Guide; in proportion both ways";
        row("scaling.capacity", "running tasks x metric / target, rounded up", source, Confidence::Memory, "none");
        let cooldown = Span::from_secs(300);
        if scaling.scale_out_cooldown == cooldown || scaling.scale_in_cooldown == cooldown {
            let source = "Application Auto Scaling API Reference, for ECS services";
            let key = "scaling.NAME.scale_out_cooldown, scaling.NAME.scale_in_cooldown";
            row("scaling.cooldown", "5m", source, Confidence::Memory, key);
        }
    }
}

/// What the faults of this scenario take for granted.
fn faults(rows: &mut Rows, scenario: &Scenario) {
    let any = |which: fn(&FaultKind) -> bool| scenario.faults.iter().any(|fault| which(&fault.kind));
    let tcp = "RFC 6298; Linux TCP_RTO_MIN, tcp_retries2, tcp_syn_retries";
    let packets = |kind: &FaultKind| {
        matches!(kind, FaultKind::PacketLoss { .. } | FaultKind::Partition { .. } | FaultKind::AzOutage { .. })
    };
    let zone = |kind: &FaultKind| matches!(kind, FaultKind::AzOutage { .. });
    for (used, id, value, source, confidence, key) in [
        (
            any(packets),
            "fault.retransmission",
            "200ms doubling to 2m, SYN 1s doubling",
            tcp,
            Confidence::Source,
            "none",
        ),
        (
            any(zone),
            "fault.entry_avoids_zone",
            "users leave a zone that is cut off at once",
            UNPUBLISHED,
            Confidence::Guess,
            "none",
        ),
        (
            any(zone),
            "fault.placement_avoids_zone",
            "ECS starts no task in a zone that is cut off",
            UNPUBLISHED,
            Confidence::Guess,
            "none",
        ),
        (
            any(|kind| matches!(kind, FaultKind::MemoryLeak { .. })),
            "fault.memory_used",
            "50% unless the fault says",
            "what a task uses before it leaks is the app's",
            Confidence::Guess,
            "fault.used",
        ),
        (
            any(|kind| matches!(kind, FaultKind::SpotReclaim { .. })),
            "fault.spot_notice",
            "2m unless the fault says",
            "ECS Developer Guide, Fargate Spot; EC2 User Guide, Spot interruption notices",
            Confidence::Documented,
            "fault.notice",
        ),
    ] {
        if used {
            let (value, default) = (value.to_owned(), value.to_owned());
            rows.add(None, &Row { id, value, default, source, confidence, key });
        }
    }
}

/// Service Connect, Envoy, App Mesh.
fn sidecar_plane(rows: &mut Rows, plane: &Plane, sidecar: &SidecarPlane, config: Option<&PolicyConfig>, zones: usize) {
    let name = plane.name.as_str();
    let constant = |micros| Distribution::Constant(Span::from_micros(micros));
    let managed = !sidecar.drain.is_zero() || sidecar.drains_inbound_first;
    let short = if managed { "sc" } else { "envoy" };
    let push = if managed { log_normal(Span::from_secs(3), Span::from_secs(20)) } else { constant(1_000_000) };
    let mut row = |id: &str, value: String, default: String, source, confidence, key: &str| {
        rows.add(Some(name), &Row { id: &format!("{short}.{id}"), value, default, source, confidence, key });
    };
    row(
        "push_latency",
        written(&sidecar.endpoint_push),
        written(&push),
        "\"seconds\" in the ECS Developer Guide; the figures are a guess",
        Confidence::Guess,
        "endpoint_push",
    );
    row(
        "proxy_overhead",
        written(&sidecar.overhead),
        written(&log_normal(Span::from_micros(300), Span::from_millis(1))),
        UNPUBLISHED,
        Confidence::Guess,
        "sidecar.overhead",
    );
    row(
        "proxy_cpu_per_request",
        sidecar.cpu_per_request.to_string(),
        "100us".to_owned(),
        UNPUBLISHED,
        Confidence::Guess,
        "sidecar.cpu_per_request",
    );
    if managed && sidecar.ready_when == ReadyWhen::Healthy {
        let value = "withdrawn at once when its container is unhealthy";
        let source = "as it is announced when healthy; not documented";
        row("unhealthy", value.to_owned(), value.to_owned(), source, Confidence::Guess, "ready_when");
    }
    let connect = sidecar.drains_inbound_first;
    let start = if connect {
        Distribution::Uniform { low: Span::from_secs(5), high: Span::from_secs(15) }
    } else {
        constant(0)
    };
    if connect || sidecar.start != start {
        row(
            "sidecar_start",
            written(&sidecar.start),
            written(&start),
            "the agent polls readiness every 10 s (amazon-ecs-service-connect-agent); the spread is inferred",
            Confidence::Inferred,
            "sidecar.start",
        );
    }
    row(
        "drain",
        sidecar.drain.to_string(),
        if managed { "20s" } else { "0s" }.to_owned(),
        AGENT,
        Confidence::Source,
        "sidecar.drain",
    );
    proxy_limits(rows, plane, sidecar);
    if let Some(config) = config.filter(|_| managed) {
        // Only App Mesh carries a warning of its own that is no "tuned".
        let ended = plane.warning.as_ref().is_some_and(|warning| warning.starts_with("App Mesh"));
        managed_policy(rows, name, config, if ended { Preset::AppMesh } else { Preset::ServiceConnect });
        if !ended {
            zone_aware(rows, name, config, zones);
        }
    }
}

/// What a proxy can do, and what becomes of it when it breaks.
fn proxy_limits(rows: &mut Rows, plane: &Plane, sidecar: &SidecarPlane) {
    let mut row = |id: &str, value: String, default: &str, source, confidence, key: &str| {
        let (default, id) = (default.to_owned(), &format!("proxy.{id}"));
        rows.add(Some(&plane.name), &Row { id, value, default, source, confidence, key });
    };
    let kernel = "the kernel's default quota period, cpu.cfs_period_us";
    row("cpu_period", "100ms".to_owned(), "100ms", kernel, Confidence::Inferred, "sidecar.cpu");
    let (restart, restarts) = (sidecar.restart.to_string(), sidecar.restarts.to_string());
    row("restart", restart, "1s", UNPUBLISHED, Confidence::Guess, "sidecar.restart");
    row("restarts", restarts, "3", AGENT, Confidence::Source, "sidecar.restarts");
    let asked = "as long as a push; how fast a restarted proxy is served is not published";
    row("refetch", asked.to_owned(), asked, UNPUBLISHED, Confidence::Guess, "endpoint_push");
    let cold = "its app waits, because a proxy without a configuration is not healthy".to_owned();
    let source = "ENVOY_INITIAL_FETCH_TIMEOUT 0 and the dependency on HEALTHY, in the agents' sources";
    row("cold_start", cold.clone(), &cold, source, Confidence::Inferred, "none");
    if sidecar.memory_growth.get() > 0 {
        let base = sidecar.memory_base.to_string();
        row("memory_base", base, "40MiB", UNPUBLISHED, Confidence::Guess, "sidecar.memory_base");
    }
}

/// Cloud Map DNS.
fn dns_plane(rows: &mut Rows, name: &str, dns: &DnsPlane, config: Option<&PolicyConfig>) {
    let mut row = |id: &str, value: String, default: &str, source, confidence, key: &str| {
        rows.add(
            Some(name),
            &Row { id: &format!("dns.{id}"), value, default: default.to_owned(), source, confidence, key },
        );
    };
    row(
        "ttl",
        dns.ttl.to_string(),
        "1m",
        "AWS samples use 10, 60 and 300 s; there is no default",
        Confidence::ThirdParty,
        "ttl",
    );
    row(
        "negative_ttl",
        dns.negative_ttl.to_string(),
        "1m",
        "SOA of the zone, 15 to 900 s (aws/aws-app-mesh-roadmap#151)",
        Confidence::ThirdParty,
        "negative_ttl",
    );
    row("max_answers", dns.max_answers.to_string(), "8", CLOUD_MAP, Confidence::Documented, "max_answers");
    row("health_lag", dns.health_lag.to_string(), "30s", CLOUD_MAP, Confidence::Documented, "health_lag");
    row(
        "record_lag",
        written(&dns.record_lag),
        &written(&log_normal(Span::from_secs(3), Span::from_secs(20))),
        UNPUBLISHED,
        Confidence::Guess,
        "record_lag",
    );
    if let Some(client) = CLIENTS.iter().find(|client| Some(client.name) == dns.client) {
        row("client", client.name.to_owned(), client.name, client.source, client.confidence, "client");
    }
    row("lookup", written(&dns.lookup), "\"1ms\"", UNPUBLISHED, Confidence::Guess, "lookup");
    let lead = dns.deregister_before_stop.unwrap_or(Span::ZERO).to_string();
    row(
        "deregister_before_stop",
        lead,
        "0s",
        "aws/containers-roadmap#343",
        Confidence::ThirdParty,
        "deregister_before_stop",
    );
    if let Some(config) = config {
        row(
            "keep_alive",
            config.timeouts.idle.to_string(),
            "1m30s",
            "Go net/http.Transport",
            Confidence::Memory,
            "keep_alive",
        );
        row(
            "client_timeout",
            limit(config.timeouts.request),
            "15s",
            "as Service Connect, so that planes are compared and not time-outs",
            Confidence::Guess,
            "timeout",
        );
    }
}

/// An internal ALB.
fn alb_plane(rows: &mut Rows, name: &str, alb: &AlbPlane) {
    let standard = PolicyConfig::alb_node();
    let mut row = |id: &str, value: String, default: String, source, confidence, key: &str| {
        rows.add(Some(name), &Row { id: &format!("alb.{id}"), value, default, source, confidence, key });
    };
    let check = |config: &PolicyConfig| {
        config.health_check.map_or_else(String::new, |check| {
            let (healthy, unhealthy) = (check.healthy_threshold, check.unhealthy_threshold);
            format!("every {}, timeout {}, {healthy} up, {unhealthy} down", check.interval, check.timeout)
        })
    };
    row("health_check", check(&alb.node_policy), check(&standard), ALB_GUIDE, Confidence::Documented, "health_check");
    row(
        "deregistration_delay",
        alb.deregistration_delay.to_string(),
        "5m".to_owned(),
        ALB_ATTRIBUTES,
        Confidence::Documented,
        "deregistration_delay",
    );
    row(
        "idle_timeout",
        limit(alb.node_policy.timeouts.request),
        "1m".to_owned(),
        "ELBv2 API Reference, LoadBalancerAttribute",
        Confidence::Documented,
        "idle_timeout",
    );
    row(
        "hop",
        written(&alb.hop),
        written(&log_normal(Span::from_micros(700), Span::from_millis(2))),
        UNPUBLISHED,
        Confidence::Guess,
        "hop",
    );
    if let Some(slow) = alb.node_policy.slow_start {
        row(
            "slow_start_floor",
            format!("{} %", slow.min_weight_percent),
            "10 %".to_owned(),
            "AWS names no lower bound; Envoy's default",
            Confidence::Guess,
            "slow_start.duration_seconds",
        );
    }
    row(
        "nodes",
        alb.nodes.to_string(),
        alb.nodes.to_string(),
        "one per zone in use; ELB scales them as it sees fit",
        Confidence::Inferred,
        "nodes",
    );
    row(
        "retry",
        "none".to_owned(),
        "none".to_owned(),
        "repost.aws answers; AWS documents none",
        Confidence::ThirdParty,
        "policy.retry_policy",
    );
}

/// The managed policy, field by field, against the preset; the sources are the preset's.
fn managed_policy(rows: &mut Rows, plane: &str, config: &PolicyConfig, preset: Preset) {
    let standard = preset.policy();
    let mut row = |id: &str, field: &str, read: &dyn Fn(&PolicyConfig) -> String, key: &str| {
        let (source, confidence) = presets::origin(preset, field);
        let (value, default) = (read(config), read(&standard));
        rows.add(Some(plane), &Row { id, value, default, source, confidence, key });
    };
    let retry = |c: &PolicyConfig| c.retry_policy.as_ref().map_or(0, |retry| retry.num_retries).to_string();
    row("sc.retries", "retry_policy.num_retries", &retry, "policy.retry_policy.num_retries");
    let on = |c: &PolicyConfig| c.retry_policy.as_ref().map_or_else(String::new, presets::conditions);
    row("sc.retry_on", "retry_policy.retry_on", &on, "policy.retry_policy.retry_on");
    let back_off = |c: &PolicyConfig| {
        c.retry_policy
            .as_ref()
            .map_or_else(String::new, |r| format!("{} to {}, full jitter", r.base_interval, r.max_interval))
    };
    row("sc.backoff", "retry_policy.retry_back_off", &back_off, "policy.retry_policy.retry_back_off");
    row("sc.request_timeout", "timeout", &|c| limit(c.timeouts.request), "policy.timeout");
    row("sc.idle_timeout", "idle_timeout", &|c| limit(c.timeouts.idle), "policy.idle_timeout");
    let outlier = |c: &PolicyConfig| {
        c.outlier_detection.map_or_else(
            || "off".to_owned(),
            |od| {
                format!(
                    "{} failures, {} sweep, out {} to {}",
                    od.consecutive_5xx, od.interval, od.base_ejection_time, od.max_ejection_time
                )
            },
        )
    };
    row("sc.outlier_detection", "outlier_detection.consecutive_5xx", &outlier, "policy.outlier_detection");
    let reading = |c: &PolicyConfig| c.outlier_detection.map_or_else(String::new, |od| presets::reading(od.reading));
    row("sc.outlier_reading", "outlier_reading", &reading, "outlier_reading");
    let share = |c: &PolicyConfig| {
        c.outlier_detection.map_or_else(String::new, |od| {
            format!("{} %, at least one: {}", od.max_ejection_percent, od.always_eject_one_host)
        })
    };
    let field = "outlier_detection.max_ejection_percent";
    row("sc.max_ejection_percent", field, &share, "policy.outlier_detection.max_ejection_percent");
    let rates = |c: &PolicyConfig| match c.outlier_detection {
        Some(od) if od.enforcing_success_rate > 0 => format!("{} % enforced", od.enforcing_success_rate),
        _ => "off".to_owned(),
    };
    let field = "outlier_detection.enforcing_success_rate";
    row("sc.success_rate_ejection", field, &rates, "policy.outlier_detection.enforcing_success_rate");
    let field = "common_lb_config.healthy_panic_threshold";
    row("sc.panic_threshold", field, &|c| presets::panic(c.panic), "policy.healthy_panic_threshold");
    row("sc.circuit_breakers", "circuit_breakers", &presets::breakers, "policy.circuit_breakers");
}

/// Zones, whose default threshold is the scenario's own: two endpoints per zone.
fn zone_aware(rows: &mut Rows, plane: &str, config: &PolicyConfig, zones: usize) {
    let mut standard = Preset::ServiceConnect.policy();
    if let LocalityRouting::ZoneAware(standard) = &mut standard.locality {
        standard.min_cluster_size = 2 * zones as u64;
    }
    let (source, confidence) = presets::origin(Preset::ServiceConnect, "common_lb_config.zone_aware_lb_config");
    let (value, default) = (presets::zones(config), presets::zones(&standard));
    let row = Row { id: "sc.zone_aware", value, default, source, confidence, key: "zone_aware" };
    rows.add(Some(plane), &row);
}
