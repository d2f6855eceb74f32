//! The presets by name, and where each of their values comes from.
//!
//! *Knows* names, sources and how sure each is. *Does not know* the values: those are read off the
//! policy's presets, so that the two cannot drift apart. What nobody publishes is called a guess.

use crate::policy::PolicyConfig;
use crate::policy::config::Affinity;
use crate::policy::config::Discovery;
use crate::policy::config::LbPolicy;
use crate::policy::config::LeastRequest;
use crate::policy::config::LocalityRouting;
use crate::policy::config::OutlierDetection;
use crate::policy::config::OutlierReading;
use crate::policy::config::Panic;
use crate::policy::config::RetryOn;
use crate::policy::config::RetryPolicy;
use crate::scenario::Assumption;
use crate::scenario::Confidence;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::value;
use crate::units::Span;

const SC_DEPLOY: &str = "ECS Developer Guide, service-connect-concepts-deploy";
const SC_ZONES: &str = "ECS Developer Guide, service-connect-zone-aware-routing";
const APP_MESH: &str = "App Mesh User Guide, envoy-defaults";
const MESH_EXAMPLE: &str = "aws/aws-app-mesh-examples, howto-outlier-detection";
const ECS_API: &str = "ECS API Reference, TimeoutConfiguration";
const ENVOY: &str = "Envoy 1.40.0, observed on the binary";
const ENVOY_DOCS: &str = "Envoy 1.40 API reference";
const ENVOY_CARRIED: &str = "not published; Envoy's default, which AWS's agent carries";
const ALB_HEALTH: &str = "Elastic Load Balancing User Guide, target-group-health-checks";
const ALB_ATTRIBUTES: &str = "Elastic Load Balancing User Guide, edit-target-group-attributes";
const ALB_API: &str = "ELBv2 API Reference, LoadBalancerAttribute";
const UNPUBLISHED: &str = "not published; a guess";
const NO_PROXY: &str = "an application's own client has none";
const OWN_CLIENT: &str = "a common client setting; a guess";

/// A set of values with a name of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preset {
    /// `service-connect@2026-01`: the managed sidecar of ECS Service Connect.
    ServiceConnect,
    /// `app-mesh`: App Mesh's documented defaults.
    AppMesh,
    /// `envoy-default`: Envoy 1.40 with nothing configured.
    EnvoyDefault,
    /// `alb-default`: one node of an internal ALB.
    AlbDefault,
    /// `dns-client`: an application's own HTTP client behind DNS.
    DnsClient,
}

/// The presets that a proxy beside a task can have.
pub const PROXIES: [Preset; 3] = [Preset::ServiceConnect, Preset::AppMesh, Preset::EnvoyDefault];

/// Every preset with the names it answers to, the first being its own.
const NAMES: [(Preset, &[&str]); 5] = [
    (Preset::ServiceConnect, &["service-connect@2026-01", "service-connect"]),
    (Preset::AppMesh, &["app-mesh", "app-mesh@2026-01"]),
    (Preset::EnvoyDefault, &["envoy-default", "envoy@1.40"]),
    (Preset::AlbDefault, &["alb-default"]),
    (Preset::DnsClient, &["dns-client"]),
];

/// Every name that a preset answers to.
pub fn names() -> Vec<&'static str> {
    NAMES.iter().flat_map(|(_, names)| names.iter().copied()).collect()
}

/// The names of those that fit a proxy.
pub fn names_of_proxies() -> Vec<&'static str> {
    NAMES.iter().filter(|(preset, _)| PROXIES.contains(preset)).flat_map(|(_, names)| names.iter().copied()).collect()
}

impl Preset {
    /// Every preset.
    pub fn all() -> impl Iterator<Item = Preset> {
        NAMES.iter().map(|(preset, _)| *preset)
    }
    /// The preset of that name.
    pub fn named(word: &str) -> Option<Preset> {
        NAMES.iter().find(|(_, names)| names.contains(&word)).map(|(preset, _)| *preset)
    }
    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(preset, _)| *preset == self).map_or("", |(_, names)| names[0])
    }
    /// Its values.
    pub fn policy(self) -> PolicyConfig {
        match self {
            Preset::ServiceConnect => PolicyConfig::service_connect(),
            Preset::AppMesh => PolicyConfig::app_mesh(),
            Preset::EnvoyDefault => PolicyConfig::envoy_default(),
            Preset::AlbDefault => PolicyConfig::alb_node(),
            Preset::DnsClient => PolicyConfig::dns_client(),
        }
    }
    /// One line about it.
    pub fn about(self) -> &'static str {
        match self {
            Preset::ServiceConnect => "the managed sidecar of ECS Service Connect, as of January 2026",
            Preset::AppMesh => "App Mesh's documented defaults; the service ended on 2026-09-30",
            Preset::EnvoyDefault => "Envoy 1.40 with nothing configured: what a self-managed sidecar begins with",
            Preset::AlbDefault => "one node of an internal Application Load Balancer",
            Preset::DnsClient => "an application's own HTTP client that asks DNS",
        }
    }
    /// Each value with its source, in the order of a policy.
    pub fn values(self) -> Vec<Assumption> {
        let policy = self.policy();
        let row = |(field, read): &(&str, Read)| {
            let (source, confidence) = origin(self, field);
            Assumption {
                id: (*field).to_owned(),
                value: read(&policy),
                source: source.to_owned(),
                confidence,
                overridden_by: self.overridden_by(field),
            }
        };
        FIELDS.iter().map(row).collect()
    }
    /// The scenario key that changes a field.
    fn overridden_by(self, field: &str) -> String {
        let own = match (self, field) {
            (Preset::AlbDefault, "lb_policy") => "plane.internal-alb.algorithm",
            (Preset::AlbDefault, "slow_start_config") => "plane.internal-alb.slow_start.duration_seconds",
            (Preset::AlbDefault, "health_check") => "plane.internal-alb.health_check",
            (Preset::AlbDefault, "timeout" | "idle_timeout") => "plane.internal-alb.idle_timeout",
            (Preset::AlbDefault, "connect_timeout") => "plane.internal-alb.connect_timeout",
            (Preset::DnsClient, "lb_policy") => "plane.cloud-map-dns.pick",
            (Preset::DnsClient, "idle_timeout") => "plane.cloud-map-dns.keep_alive",
            (Preset::DnsClient, "retry_policy.num_retries") => "plane.cloud-map-dns.client_retries",
            (Preset::DnsClient, "timeout") => "plane.cloud-map-dns.timeout",
            (Preset::DnsClient, "connect_timeout") => "plane.cloud-map-dns.connect_timeout",
            (Preset::ServiceConnect, "common_lb_config.zone_aware_lb_config") => "plane.service-connect.zone_aware",
            (Preset::AlbDefault, _) | (_, "discovery") => "none",
            _ => return format!("policy.{field}"),
        };
        own.to_owned()
    }
}

/// Reads `preset`; only those of `fit` belong here.
pub fn read(reader: &mut Reader<'_>, fit: &[Preset], problems: &mut Problems<'_>) -> Option<Preset> {
    let node = reader.get("preset")?;
    let word = value::text(node, problems)?;
    let names = || fit.iter().map(|preset| preset.name());
    match Preset::named(word) {
        Some(preset) if fit.contains(&preset) => Some(preset),
        Some(preset) => {
            let message = format!("`{word}` does not fit here: it is {}", preset.about());
            let label = format!("one of: {}", names().collect::<Vec<_>>().join(", "));
            problems.error("scenario::preset", &node.place, message, label);
            None
        }
        None => {
            let near = crate::diagnostic::nearest(word, names());
            let label = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("one of: {}", names().collect::<Vec<_>>().join(", ")),
            };
            problems.error("scenario::preset", &node.place, format!("there is no preset `{word}`"), label);
            None
        }
    }
}

/// Where a preset's value of a field comes from, and how sure that is.
pub fn origin(preset: Preset, field: &str) -> (&'static str, Confidence) {
    match preset {
        Preset::ServiceConnect => service_connect(field),
        Preset::AppMesh => app_mesh(field),
        Preset::EnvoyDefault => envoy_default(field),
        Preset::AlbDefault => alb_default(field),
        Preset::DnsClient => dns_client(field),
    }
}

fn service_connect(field: &str) -> (&'static str, Confidence) {
    match field {
        "timeout" | "idle_timeout" => (ECS_API, Confidence::Documented),
        "lb_policy"
        | "retry_policy.num_retries"
        | "retry_policy.retry_host_predicate"
        | "outlier_detection.consecutive_5xx"
        | "outlier_detection.interval"
        | "outlier_detection.base_ejection_time"
        | "outlier_detection.max_ejection_time" => (SC_DEPLOY, Confidence::Documented),
        "common_lb_config.zone_aware_lb_config" => (SC_ZONES, Confidence::Documented),
        "retry_policy.retry_on" | "circuit_breakers" => (APP_MESH, Confidence::Inferred),
        "retry_policy.retry_back_off" => ("Envoy documentation, router filter", Confidence::Memory),
        "outlier_reading" => (
            "aws/aws-app-mesh-examples, howto-outlier-detection; the wording of the guide differs",
            Confidence::Inferred,
        ),
        "outlier_detection.max_ejection_percent" => {
            ("not published; Envoy's default and the App Mesh API Reference", Confidence::Guess)
        }
        "outlier_detection.enforcing_success_rate" => {
            ("not published; the guide names failures in a row only", Confidence::Guess)
        }
        "common_lb_config.healthy_panic_threshold" => (MESH_EXAMPLE, Confidence::Inferred),
        "health_check" => ("ECS Developer Guide: the proxy probes nobody, ECS does", Confidence::Documented),
        "discovery" => ("aws/amazon-ecs-service-connect-agent: endpoints are pushed over xDS", Confidence::Source),
        _ => (ENVOY_CARRIED, Confidence::Inferred),
    }
}

fn app_mesh(field: &str) -> (&'static str, Confidence) {
    match field {
        "retry_policy.retry_on" | "retry_policy.num_retries" | "circuit_breakers" | "timeout" => {
            (APP_MESH, Confidence::Documented)
        }
        "idle_timeout" => ("App Mesh API Reference, HttpTimeout", Confidence::Memory),
        field if field.starts_with("outlier_") => {
            ("App Mesh API Reference: off unless configured", Confidence::Documented)
        }
        "retry_policy.retry_back_off" => ("Envoy documentation, router filter", Confidence::Memory),
        "retry_policy.retry_host_predicate" => ("as Service Connect, which runs the same agent", Confidence::Inferred),
        "common_lb_config.healthy_panic_threshold" => (MESH_EXAMPLE, Confidence::Inferred),
        "discovery" => ("App Mesh User Guide: endpoints are pushed over xDS", Confidence::Documented),
        _ => (ENVOY_CARRIED, Confidence::Inferred),
    }
}

fn envoy_default(field: &str) -> (&'static str, Confidence) {
    match field {
        "timeout"
        | "connect_timeout"
        | "overprovisioning_factor"
        | "common_lb_config.healthy_panic_threshold"
        | "fail_traffic_on_panic"
        | "common_lb_config.update_merge_window"
        | "circuit_breakers"
        | "max_requests_per_connection"
        | "preconnect_policy.per_upstream_preconnect_ratio"
        | "per_request_buffer_limit_bytes"
        | "replies" => (ENVOY, Confidence::Observed),
        "common_lb_config.zone_aware_lb_config" => {
            ("Envoy 1.40 API reference: only with a local cluster, which nothing configures", Confidence::Documented)
        }
        "discovery" => ("a control plane of one's own pushes them", Confidence::Inferred),
        _ => (ENVOY_DOCS, Confidence::Documented),
    }
}

fn alb_default(field: &str) -> (&'static str, Confidence) {
    match field {
        "health_check" | "common_lb_config.healthy_panic_threshold" | "fail_traffic_on_panic" => {
            (ALB_HEALTH, Confidence::Documented)
        }
        "lb_policy" | "slow_start_config" => (ALB_ATTRIBUTES, Confidence::Documented),
        "timeout" | "idle_timeout" => (ALB_API, Confidence::Documented),
        "connect_timeout" | "replies" => {
            ("Elastic Load Balancing User Guide, load-balancer-troubleshooting", Confidence::Documented)
        }
        field if field.starts_with("retry_policy") => {
            ("repost.aws answers; AWS documents none", Confidence::ThirdParty)
        }
        field if field.starts_with("outlier_") => {
            ("Elastic Load Balancing User Guide: live answers fail no health check", Confidence::Documented)
        }
        "discovery" => ("targets are registered", Confidence::Documented),
        "common_lb_config.zone_aware_lb_config" => {
            ("Elastic Load Balancing User Guide: cross-zone is always on for an ALB", Confidence::Documented)
        }
        _ => (UNPUBLISHED, Confidence::Guess),
    }
}

fn dns_client(field: &str) -> (&'static str, Confidence) {
    match field {
        "timeout" => ("as Service Connect, so that planes are compared and not time-outs", Confidence::Guess),
        "idle_timeout" => ("Go net/http.Transport", Confidence::Memory),
        "lb_policy" | "affinity" => ("what most resolvers and client pools do", Confidence::Memory),
        "connect_timeout" | "retry_policy.num_retries" | "max_requests_per_connection" => {
            (OWN_CLIENT, Confidence::Guess)
        }
        "discovery" => ("it asks DNS when it needs a connection", Confidence::Memory),
        _ => (NO_PROXY, Confidence::Inferred),
    }
}

/// Reads one value of a policy, as people would write it.
type Read = fn(&PolicyConfig) -> String;

/// The fields of a policy that a preset decides.
const FIELDS: [(&str, Read); 30] = [
    ("timeout", |c| limit(c.timeouts.request)),
    ("connect_timeout", |c| limit(c.timeouts.connect)),
    ("idle_timeout", |c| limit(c.timeouts.idle)),
    ("lb_policy", |c| rule(c.lb_policy)),
    ("slow_start_config", |c| c.slow_start.map_or_else(off, |slow| slow.window.to_string())),
    ("common_lb_config.zone_aware_lb_config", zones),
    ("overprovisioning_factor", |c| c.overprovisioning_factor.to_string()),
    ("common_lb_config.healthy_panic_threshold", |c| panic(c.panic)),
    ("fail_traffic_on_panic", |c| c.fail_traffic_on_panic.to_string()),
    ("common_lb_config.update_merge_window", |c| c.update_merge_window.to_string()),
    ("retry_policy.retry_on", |c| retry(c, conditions)),
    ("retry_policy.num_retries", |c| c.retry_policy.as_ref().map_or(0, |retry| retry.num_retries).to_string()),
    ("retry_policy.retry_back_off", |c| {
        retry(c, |retry| format!("{} to {}, full jitter", retry.base_interval, retry.max_interval))
    }),
    ("retry_policy.per_try_timeout", |c| limit(c.timeouts.per_try)),
    ("retry_policy.per_try_idle_timeout", |c| limit(c.timeouts.per_try_idle)),
    ("retry_policy.retry_host_predicate", |c| {
        retry(c, |retry| if retry.previous_hosts { "previous_hosts".to_owned() } else { "none".to_owned() })
    }),
    ("hedge_policy.hedge_on_per_try_timeout", |c| c.hedge_on_per_try_timeout.to_string()),
    ("per_request_buffer_limit_bytes", |c| c.per_request_buffer_limit_bytes.to_string()),
    ("outlier_detection.consecutive_5xx", |c| detector(c, |od| od.consecutive_5xx.to_string())),
    ("outlier_reading", |c| detector(c, |od| reading(od.reading))),
    ("outlier_detection.interval", |c| detector(c, |od| od.interval.to_string())),
    ("outlier_detection.base_ejection_time", |c| detector(c, |od| od.base_ejection_time.to_string())),
    ("outlier_detection.max_ejection_time", |c| detector(c, |od| od.max_ejection_time.to_string())),
    ("outlier_detection.max_ejection_percent", |c| {
        detector(c, |od| format!("{} %, at least one: {}", od.max_ejection_percent, od.always_eject_one_host))
    }),
    ("outlier_detection.enforcing_success_rate", |c| detector(c, |od| format!("{} %", od.enforcing_success_rate))),
    ("circuit_breakers", breakers),
    ("health_check", |c| {
        c.health_check.map_or_else(off, |check| {
            let (up, down) = (check.healthy_threshold, check.unhealthy_threshold);
            format!("every {}, timeout {}, {up} up, {down} down", check.interval, check.timeout)
        })
    }),
    ("max_requests_per_connection", |c| match c.pool.max_requests_per_connection {
        0 => "no limit".to_owned(),
        n => n.to_string(),
    }),
    ("preconnect_policy.per_upstream_preconnect_ratio", |c| format!("{} %", c.pool.preconnect_percent)),
    ("discovery", |c| match (c.discovery, c.affinity) {
        (Discovery::Pushed, Affinity::Request) => "pushed, chosen per request".to_owned(),
        (Discovery::Pushed, Affinity::Connection { .. }) => "pushed, chosen per connection".to_owned(),
        (Discovery::Resolved { .. }, Affinity::Request) => "asked for, chosen per request".to_owned(),
        (Discovery::Resolved { .. }, Affinity::Connection { .. }) => "asked for, chosen per connection".to_owned(),
    }),
];

fn off() -> String {
    "off".to_owned()
}

/// A time limit.
pub fn limit(span: Span) -> String {
    if span == Span::MAX { "none".to_owned() } else { span.to_string() }
}

fn retry(config: &PolicyConfig, read: impl Fn(&RetryPolicy) -> String) -> String {
    config.retry_policy.as_ref().map_or_else(off, read)
}

fn detector(config: &PolicyConfig, read: impl Fn(&OutlierDetection) -> String) -> String {
    config.outlier_detection.as_ref().map_or_else(off, read)
}

fn rule(rule: LbPolicy) -> String {
    match rule {
        LbPolicy::RoundRobin => "round robin".to_owned(),
        LbPolicy::Random => "random".to_owned(),
        LbPolicy::LeastRequest(LeastRequest::FullScan) => "least request, all compared".to_owned(),
        LbPolicy::LeastRequest(LeastRequest::Choices(n) | LeastRequest::DistinctChoices(n)) => {
            format!("least request of {n}")
        }
        LbPolicy::RingHash { .. } => "ring hash".to_owned(),
        LbPolicy::Maglev { .. } => "maglev".to_owned(),
        LbPolicy::WeightedRandom { anomaly_mitigation } => {
            format!("weighted random, anomaly mitigation {}", if anomaly_mitigation { "on" } else { "off" })
        }
        LbPolicy::FirstListed => "the first address".to_owned(),
    }
}

/// How zones matter, as an assumption shows it too.
pub fn zones(config: &PolicyConfig) -> String {
    match config.locality {
        LocalityRouting::None => off(),
        LocalityRouting::Weighted => "by weight".to_owned(),
        LocalityRouting::ZoneAware(zones) => {
            format!("{} % of requests, from {} endpoints on", zones.routing_enabled, zones.min_cluster_size)
        }
    }
}

/// When health is ignored.
pub fn panic(panic: Panic) -> String {
    match panic {
        Panic::Never => "never".to_owned(),
        Panic::Below(share) => format!("below {share}"),
        Panic::FewerThan(least) => format!("fewer than {least} healthy"),
        Panic::NoneHealthy => "when nobody is healthy".to_owned(),
    }
}

/// How failures are counted.
pub fn reading(reading: OutlierReading) -> String {
    match reading {
        OutlierReading::Consecutive => "consecutive".to_owned(),
        OutlierReading::Window(window) => format!("window of {window}"),
    }
}

/// Limits on what is under way.
pub fn breakers(config: &PolicyConfig) -> String {
    let b = &config.circuit_breakers;
    let all = [b.max_connections, b.max_pending_requests, b.max_requests, b.max_retries];
    if all.iter().all(|limit| *limit == u32::MAX) { "none".to_owned() } else { format!("{all:?}") }
}

/// Conditions by name, with the statuses.
pub fn conditions(retry: &RetryPolicy) -> String {
    let names = RetryOn::NAMES.into_iter().filter(|(_, one)| retry.retry_on.any(*one)).map(|(name, _)| name);
    let mut all: Vec<String> = names.filter(|name| *name != "retriable-status-codes").map(str::to_owned).collect();
    all.extend(retry.retriable_status_codes.iter().map(u16::to_string));
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_source_and_guesses_say_so() {
        for preset in Preset::all() {
            assert_eq!(Preset::named(preset.name()), Some(preset));
            for value in preset.values() {
                assert!(!value.source.is_empty() && !value.value.is_empty(), "{} {}", preset.name(), value.id);
                if value.source.contains("guess") {
                    assert_eq!(value.confidence, Confidence::Guess, "{} {}", preset.name(), value.id);
                }
            }
        }
    }

    #[test]
    fn no_two_presets_read_the_same() {
        let read = |preset: Preset| preset.values().into_iter().map(|value| value.value).collect::<Vec<_>>();
        let all: Vec<_> = Preset::all().map(read).collect();
        for (index, one) in all.iter().enumerate() {
            assert!(!all[index + 1..].contains(one));
        }
    }
}
