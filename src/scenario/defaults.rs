//! The scenario with every default filled in and marked: what `scsim check --defaults` prints.
//!
//! *Knows* how to write a scenario down again. *Does not know* where defaults come from; that is
//! `assumptions`.

mod costs;
mod deploys;
mod migrations;

use std::fmt::Write as _;

use crate::policy::config::Panic;
use crate::scenario::Distribution;
use crate::scenario::Enrolment;
use crate::scenario::Loaded;
use crate::scenario::Mechanism;
use crate::scenario::Plane;
use crate::scenario::Protocol;
use crate::scenario::ReadyWhen;
use crate::scenario::Replacement;
use crate::scenario::Replications;
use crate::scenario::ResolverCache;
use crate::scenario::Scaling;
use crate::scenario::Service;
use crate::scenario::TaskLife;
use crate::scenario::Tracked;
use crate::scenario::distribution::written;
use crate::scenario::envoy_text;
use crate::scenario::faults;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::units::Span;
use crate::units::Time;

/// The text: TOML, each default marked by a comment, policies in force as comments.
pub fn filled(loaded: &Loaded) -> String {
    let scenario = &loaded.scenario;
    let mut page = Page { text: String::new() };
    let top = &loaded.tree;
    page.line(Some(top), "scsim", "1");
    page.line(Some(top), "title", &quoted(&scenario.title));
    let planes: Vec<String> = scenario.planes.iter().map(|plane| quoted(&plane.name)).collect();
    page.line(Some(top), "compare", &format!("[{}]", planes.join(", ")));

    page.header("[run]");
    let run = top.table("run");
    page.line(run, "duration", &quoted(&scenario.run.duration.to_string()));
    page.line(run, "warmup", &quoted(&scenario.run.warmup.to_string()));
    page.line(run, "drain", &quoted(&scenario.run.drain.to_string()));
    page.line(run, "seed", &scenario.run.seed.to_string());
    match scenario.run.replications {
        Replications::Fixed(n) => page.line(run, "replications", &n.to_string()),
        Replications::Precision { relative, at_most } => {
            page.line(run, "precision", &quoted(&format!("{}%", relative * 100.0)));
            page.line(run, "max_replications", &at_most.to_string());
        }
    }
    page.line(run, "confidence", &quoted(&format!("{}%", scenario.run.confidence * 100.0)));

    let defaults = top.table("defaults").and_then(|table| table.table("service")).cloned().unwrap_or_default();
    for service in &scenario.services {
        page.header(&format!("[service.{}]", key(&service.name)));
        let own = top.table("service").and_then(|table| table.table(&service.name));
        let given = own.map(|own| defaults.overlaid(own));
        page.service(given.as_ref(), service, &scenario.zones);
    }

    let loads = match top.get("load").map(|node| &node.value) {
        Some(Value::List(items)) => items.iter().map(|item| table_of(&item.value)).collect(),
        Some(value) => vec![table_of(value)],
        None => Vec::new(),
    };
    for (load, given) in scenario.loads.iter().zip(loads) {
        page.header("[[load]]");
        page.line(given, "name", &quoted(&load.name));
        page.line(given, "entry", &quoted(&scenario.service(load.entry).name));
        page.rest(given, &["name", "entry"]);
    }

    page.header("[network]");
    let network = top.table("network");
    page.line(network, "same_zone", &written(&scenario.network.same_zone));
    page.line(network, "cross_zone", &written(&scenario.network.cross_zone));
    page.line(network, "tls_round_trips", &scenario.network.tls_round_trips.to_string());

    for plane in planes_of(&scenario.planes) {
        page.header(&format!("[plane.{}]", key(&plane.name)));
        page.plane(top.table("plane").and_then(|planes| planes.table(&plane.name)), plane);
        if let Some(warning) = &plane.warning {
            let _ = writeln!(page.text, "# {warning}");
        }
        for (index, policy) in plane.edge_policies.iter().enumerate() {
            let name = scenario.edge_name(crate::scenario::EdgeId(index as u32));
            let same = index > 0 && *policy == plane.edge_policies[index - 1];
            if same {
                let _ = writeln!(page.text, "# policy on {name}: the same");
            } else {
                let _ = writeln!(page.text, "# policy on {name}:");
                for line in envoy_text::lines(policy) {
                    let _ = writeln!(page.text, "#   {line}");
                }
            }
        }
    }
    for scaling in &scenario.scalings {
        let name = &scenario.service(scaling.service).name;
        page.header(&format!("[scaling.{}]", key(name)));
        page.scaling(top.table("scaling").and_then(|all| all.table(name)), scaling);
    }
    let deploys = match top.get("deploy").map(|node| &node.value) {
        Some(Value::List(items)) => items.iter().map(|item| table_of(&item.value)).collect(),
        _ => Vec::new(),
    };
    for (deploy, given) in scenario.deploys.iter().zip(deploys) {
        page.deploy(given, deploy, &scenario.service(deploy.service).name);
    }
    page.migrations(top, scenario);
    page.cost(top.table("cost"), &scenario.cost);
    for section in ["policy", "edge", "fault", "scale", "expect", "sweep", "claim"] {
        if top.get(section).is_some() {
            let _ = writeln!(page.text, "\n# [{section}] as written in {}", scenario.file);
        }
        if section == "fault" {
            for fault in &scenario.faults {
                let _ = writeln!(page.text, "#   {}", faults::line(fault).replace(char::is_control, " "));
            }
        }
    }
    page.text
}

/// The planes compared, and those that callers only move to; each once.
fn planes_of(compared: &[Plane]) -> Vec<&Plane> {
    let behind = compared.iter().filter_map(|plane| plane.second.as_deref());
    let mut shown: Vec<&Plane> = Vec::new();
    for plane in compared.iter().chain(behind) {
        if shown.iter().all(|other| other.name != plane.name) {
            shown.push(plane);
        }
    }
    shown
}

fn table_of(value: &Value) -> Option<&Table> {
    match value {
        Value::Table(table) => Some(table),
        _ => None,
    }
}

/// How long a client keeps an answer, as a file says it.
fn cache(cache: ResolverCache) -> String {
    match cache {
        ResolverCache::Ttl => "ttl".to_owned(),
        ResolverCache::Forever => "forever".to_owned(),
        ResolverCache::For(span) if span.is_zero() => "none".to_owned(),
        ResolverCache::For(span) => span.to_string(),
    }
}

/// A bare key where TOML allows one.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { quoted(name) }
}

/// A TOML string.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

struct Page {
    text: String,
}

impl Page {
    fn header(&mut self, header: &str) {
        let _ = writeln!(self.text, "\n{header}");
    }

    /// One line, marked if the file did not give it.
    fn line(&mut self, given: Option<&Table>, key: &str, value: &str) {
        let there = given.is_some_and(|table| table.get(key).is_some());
        let _ = match there {
            true => writeln!(self.text, "{key} = {value}"),
            false if value.contains(" # ") => writeln!(self.text, "{key} = {value}, default"),
            false => writeln!(self.text, "{key} = {value}  # default"),
        };
    }

    /// The lines of a table that are printed as they stand.
    fn rest(&mut self, given: Option<&Table>, but: &[&str]) {
        let Some(table) = given else { return };
        for (name, entry) in &table.entries {
            let text = entry.node.place.source.text().get(entry.node.place.span.clone());
            if let Some(text) = text.filter(|_| !but.contains(&name.as_str())) {
                let _ = writeln!(self.text, "{} = {text}", key(name));
            }
        }
    }

    fn service(&mut self, given: Option<&Table>, service: &Service, zones: &[String]) {
        let protocol = match service.protocol {
            Protocol::Http => "http",
            Protocol::Http2 => "http2",
            Protocol::Grpc => "grpc",
            Protocol::Tcp => "tcp",
        };
        let zones: Vec<String> =
            service.zones.iter().filter_map(|zone| zones.get(*zone as usize)).map(|z| quoted(z)).collect();
        self.line(given, "tasks", &service.tasks.to_string());
        self.line(given, "zones", &format!("[{}]", zones.join(", ")));
        self.line(given, "protocol", &quoted(protocol));
        self.line(given, "cpu", &quoted(&service.cpu.to_string()));
        self.line(given, "memory", &quoted(&service.memory.to_string()));
        self.line(given, "startup", &written(&service.startup));
        self.line(given, "stop_timeout", &quoted(&service.stop_timeout.to_string()));
        self.line(given, "handles_sigterm", &service.handles_sigterm.to_string());
        self.task_life(given, &service.life);
        if service.external {
            self.line(given, "external", "true");
        }
        match service.keep_alive {
            Some(span) => self.line(given, "keep_alive", &quoted(&span.to_string())),
            None => self.text.push_str("# keep_alive: the app closes no idle connection  # default\n"),
        }
        let role = match service.service_connect {
            Enrolment::ClientServer => "client-server",
            Enrolment::Client => "client",
            Enrolment::None => "none",
        };
        self.line(given, "service_connect", &quoted(role));
        if service.created > Time::ZERO {
            self.line(given, "created", &quoted(&service.created.since(Time::ZERO).to_string()));
        }
        if given.is_none_or(|table| table.get("controller").is_none()) {
            self.line(given, "controller", "\"ECS\"");
        }
        match service.concurrency {
            Some(n) => self.line(given, "concurrency", &n.to_string()),
            None => self.text.push_str("# concurrency: no limit  # default\n"),
        }
        match service.queue {
            Some(n) => self.line(given, "queue", &n.to_string()),
            None => self.text.push_str("# queue: no limit  # default\n"),
        }
        match service.health_check {
            Some(check) => {
                let (interval, timeout) = (check.interval, check.timeout);
                let text = format!(
                    "{{ interval = \"{interval}\", timeout = \"{timeout}\", retries = {}, start_period = \"{}\", deep = {} }}",
                    check.retries, check.start_period, check.deep
                );
                self.line(given, "health_check", &text);
            }
            None => self.text.push_str("# health_check: none  # default\n"),
        }
        let printed = [
            "tasks",
            "zones",
            "protocol",
            "cpu",
            "memory",
            "startup",
            "provisioning",
            "image_pull",
            "health_check_grace_period",
            "stop_delay",
            "replacement",
            "stop_timeout",
            "handles_sigterm",
            "external",
            "keep_alive",
            "service_connect",
            "created",
            "concurrency",
            "queue",
            "health_check",
            "endpoint",
        ];
        self.rest(given, &printed);
        let latency = given.is_none_or(|table| table.get("latency").is_none() && table.get("steps").is_none());
        if latency {
            self.line(given, "latency", &written(&Distribution::Constant(Span::ZERO)));
        }
        if let Some(endpoints) = given.and_then(|table| table.table("endpoint")) {
            for (name, entry) in &endpoints.entries {
                let text = entry.node.place.source.text().get(entry.node.place.span.clone()).unwrap_or("{}");
                if text.starts_with('{') {
                    let _ = writeln!(self.text, "endpoint.{} = {text}", key(name));
                } else {
                    let _ = writeln!(self.text, "# endpoint {name}: as written");
                }
            }
        }
    }

    fn task_life(&mut self, given: Option<&Table>, life: &TaskLife) {
        self.line(given, "provisioning", &written(&life.provisioning));
        self.line(given, "image_pull", &written(&life.image_pull));
        match life.health_check_grace_period {
            Some(grace) => self.line(given, "health_check_grace_period", &quoted(&grace.to_string())),
            None => self.text.push_str("# health_check_grace_period: covers the start-up  # default\n"),
        }
        self.line(given, "stop_delay", &quoted(&life.stop_delay.to_string()));
        let replacement = match life.replacement {
            Replacement::First => "first",
            Replacement::After => "after",
        };
        self.line(given, "replacement", &quoted(replacement));
    }

    fn scaling(&mut self, given: Option<&Table>, scaling: &Scaling) {
        self.line(given, "min", &scaling.min.to_string());
        self.line(given, "max", &scaling.max.to_string());
        match scaling.tracked {
            Tracked::Cpu(share) => self.line(given, "target_cpu", &quoted(&share.to_string())),
            Tracked::Requests(rate) => self.line(given, "target_rps", &quoted(&rate.to_string())),
            Tracked::Concurrency(milli) => {
                self.line(given, "target_concurrency", &(f64::from(milli) / 1e3).to_string());
            }
        }
        self.line(given, "scale_out_cooldown", &quoted(&scaling.scale_out_cooldown.to_string()));
        self.line(given, "scale_in_cooldown", &quoted(&scaling.scale_in_cooldown.to_string()));
    }

    fn plane(&mut self, given: Option<&Table>, plane: &Plane) {
        if let Some(table) = given
            && let Some(node) = table.get("extends")
            && let Value::Text(base) = &node.value
        {
            let _ = writeln!(self.text, "extends = {}", quoted(base));
        }
        if let Some(second) = &plane.second {
            let _ = writeln!(self.text, "migrate_to = {}", quoted(&second.name));
        }
        match &plane.mechanism {
            Mechanism::Direct => {}
            Mechanism::Sidecar(sidecar) => {
                self.line(given, "endpoint_push", &written(&sidecar.endpoint_push));
                let ready = match sidecar.ready_when {
                    ReadyWhen::Healthy => "healthy",
                    ReadyWhen::TaskRunning => "task-running",
                };
                self.line(given, "ready_when", &quoted(ready));
                let text = format!(
                    "{{ cpu = \"{}\", memory = \"{}\", memory_base = \"{}\", memory_growth = \"{}\", restart = \"{}\", restarts = {}, overhead = {}, cpu_per_request = \"{}\", start = {}, drain = \"{}\", drains_inbound_first = {}{} }}",
                    sidecar.cpu,
                    sidecar.memory,
                    sidecar.memory_base,
                    sidecar.memory_growth,
                    sidecar.restart,
                    sidecar.restarts,
                    written(&sidecar.overhead),
                    sidecar.cpu_per_request,
                    written(&sidecar.start),
                    sidecar.drain,
                    sidecar.drains_inbound_first,
                    if sidecar.inbound { "" } else { ", inbound = false" }
                );
                self.line(given, "sidecar", &text);
            }
            Mechanism::Dns(dns) => {
                if let Some(client) = dns.client {
                    self.line(given, "client", &quoted(client));
                }
                self.line(given, "ttl", &quoted(&dns.ttl.to_string()));
                let cache = cache(dns.resolver_cache);
                self.line(given, "resolver_cache", &quoted(&cache));
                self.line(given, "negative_ttl", &quoted(&dns.negative_ttl.to_string()));
                self.line(given, "max_answers", &dns.max_answers.to_string());
                self.line(given, "record_lag", &written(&dns.record_lag));
                self.line(given, "health_lag", &quoted(&dns.health_lag.to_string()));
                self.line(given, "lookup", &written(&dns.lookup));
                self.line(given, "custom_health", &dns.custom_health.to_string());
                match dns.deregister_before_stop {
                    Some(span) => self.line(given, "deregister_before_stop", &quoted(&span.to_string())),
                    None => self.text.push_str("# deregister_before_stop: at once, without waiting  # default\n"),
                }
            }
            Mechanism::Alb(alb) => {
                self.line(given, "nodes", &alb.nodes.to_string());
                if let Some(check) = alb.node_policy.health_check {
                    let text = format!(
                        "{{ interval = \"{}\", timeout = \"{}\", healthy_threshold = {}, unhealthy_threshold = {} }}",
                        check.interval, check.timeout, check.healthy_threshold, check.unhealthy_threshold
                    );
                    self.line(given, "health_check", &text);
                }
                self.line(given, "deregistration_delay", &quoted(&alb.deregistration_delay.to_string()));
                self.line(given, "idle_timeout", &quoted(&alb.node_policy.timeouts.idle.to_string()));
                match alb.node_policy.panic {
                    Panic::FewerThan(n) => self.line(given, "minimum_healthy_targets", &n.to_string()),
                    Panic::Below(share) => self.line(given, "minimum_healthy_targets", &quoted(&share.to_string())),
                    Panic::Never | Panic::NoneHealthy => self.line(given, "minimum_healthy_targets", "1"),
                }
                self.line(given, "hop", &written(&alb.hop));
                self.line(given, "cross_zone", &alb.cross_zone.to_string());
            }
        }
    }
}
