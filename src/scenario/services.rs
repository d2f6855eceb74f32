//! Services, their endpoints and steps: the system under test.
//!
//! *Knows* `[service.*]` and `[defaults.service]`. *Does not know* planes or what happens.
//! Invariant: the endpoints of the result call each other without a cycle.

pub mod steps;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use indexmap::IndexMap;

use crate::diagnostic::Severity;
use crate::diagnostic::did_you_mean;
use crate::diagnostic::nearest;
use crate::scenario::ContainerCheck;
use crate::scenario::Distribution;
use crate::scenario::Edge;
use crate::scenario::EdgeId;
use crate::scenario::Enrolment;
use crate::scenario::Protocol;
use crate::scenario::Replacement;
use crate::scenario::Service;
use crate::scenario::ServiceId;
use crate::scenario::TaskLife;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::table::at;
use crate::scenario::tree::Node;
use crate::scenario::tree::Place;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::units::Bytes;
use crate::units::Cpu;
use crate::units::Span;
use crate::units::Time;

/// Most tasks of a service; the ECS quota is 5,000.
pub const TASKS_MAX: u64 = 100_000;
/// Most services of a scenario.
const SERVICES_MAX: usize = 5_000;
/// Most arrows of a scenario.
const EDGES_MAX: usize = 20_000;

/// `appProtocol` by name.
const PROTOCOLS: [(&str, Protocol); 4] =
    [("http", Protocol::Http), ("http2", Protocol::Http2), ("grpc", Protocol::Grpc), ("tcp", Protocol::Tcp)];

/// The services with every name that the rest of the file may use.
#[derive(Default)]
pub struct Topology {
    /// Names of zones.
    pub zones: Vec<String>,
    /// The services.
    pub services: Vec<Service>,
    /// Arrows in order of first use.
    pub edges: Vec<Edge>,
    /// Services that another than ECS deploys, and where the file says so.
    pub controllers: BTreeMap<ServiceId, (Controller, Place)>,
    index: IndexMap<String, Named>,
    arrows: BTreeMap<(ServiceId, ServiceId), EdgeId>,
}

/// `deploymentController`: who carries out a service's deployments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Controller {
    /// ECS itself; every strategy is one of its own.
    Ecs,
    /// AWS CodeDeploy: blue-green behind an ALB. No Service Connect (ECS Developer Guide, service-connect-concepts-deploy).
    CodeDeploy,
    /// Somebody else's software, by task sets. No Service Connect either.
    External,
}

impl Controller {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Controller::Ecs => "ECS",
            Controller::CodeDeploy => "CODE_DEPLOY",
            Controller::External => "EXTERNAL",
        }
    }
}

struct Named {
    place: Place,
    endpoints: Vec<String>,
}

impl Topology {
    /// The service of that name.
    pub fn service(&self, name: &str) -> Option<ServiceId> {
        self.index.get_index_of(name).map(|index| ServiceId(index as u32))
    }
    /// Who deploys a service.
    pub fn controller(&self, id: ServiceId) -> Controller {
        self.controllers.get(&id).map_or(Controller::Ecs, |(controller, _)| *controller)
    }
    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.index.keys().map(String::as_str)
    }
    /// The name of a service.
    pub fn name(&self, id: ServiceId) -> &str {
        self.index.get_index(id.0 as usize).map_or("", |(name, _)| name)
    }
    /// The service that a value names, or an error with the nearest name.
    pub fn named(&self, node: &Node, problems: &mut Problems<'_>) -> Option<ServiceId> {
        let name = value::text(node, problems)?;
        let found = self.service(name);
        if found.is_none() {
            self.unknown(name, &node.place, &format!("there is no service `{name}`"), problems);
        }
        found
    }
    /// Reports a name that no service has.
    pub fn unknown(&self, name: &str, place: &Place, message: &str, problems: &mut Problems<'_>) {
        let mut label = format!("no [service.{name}]");
        let near = if problems.wants_advice() { nearest(name, self.names()) } else { None };
        if let Some((near, named)) = near.and_then(|near| self.index.get_key_value(near)) {
            let _ = write!(label, "; did you mean `{near}` (line {})?", named.place.line());
        }
        problems.push(
            at(Severity::Error, "scenario::unknown-service", place, message)
                .with_label(label)
                .with_help("scsim explain service.calls"),
        );
    }
    /// The endpoint of that name.
    pub fn endpoint(&self, service: ServiceId, node: Option<&Node>, problems: &mut Problems<'_>) -> u32 {
        let Some(node) = node else { return 0 };
        let Some(name) = value::text(node, problems) else { return 0 };
        let Some((owner, named)) = self.index.get_index(service.0 as usize) else { return 0 };
        if let Some(index) = named.endpoints.iter().position(|endpoint| endpoint == name) {
            return index as u32;
        }
        let near = did_you_mean(name, named.endpoints.iter().skip(1).map(String::as_str));
        let label = format!("add [service.{owner}] endpoint.{name} = {{ latency = ... }}{near}");
        problems.error("scenario::unknown-endpoint", &node.place, format!("`{owner}` has no endpoint `{name}`"), label);
        0
    }
    /// The arrow of that name, "web->payments".
    pub fn edge(&self, name: &str, place: &Place, problems: &mut Problems<'_>) -> Option<EdgeId> {
        let Some((from, to)) = name.split_once("->") else {
            problems.error("scenario::edge", place, format!("`{name}` is no edge"), "write \"caller->callee\"");
            return None;
        };
        let (from, to) = (from.trim(), to.trim());
        let mut ids = [ServiceId(0); 2];
        for (slot, side) in ids.iter_mut().zip([from, to]) {
            if let Some(id) = self.service(side) {
                *slot = id;
            } else {
                self.unknown(side, place, &format!("there is no service `{side}`"), problems);
                return None;
            }
        }
        let found = self.arrows.get(&(ids[0], ids[1])).copied();
        if found.is_none() {
            let shown = if problems.wants_advice() { &self.edges[..] } else { &[] };
            let names: Vec<String> =
                shown.iter().map(|e| format!("{}->{}", self.name(e.from), self.name(e.to))).collect();
            let label = format!("no step of `{from}` calls `{to}`{}", did_you_mean(name, names.iter().map(|n| &**n)));
            problems.error("scenario::unknown-edge", place, format!("there is no edge `{name}`"), label);
        }
        found
    }

    fn edge_between(&mut self, from: ServiceId, to: ServiceId) -> EdgeId {
        let next = EdgeId(self.edges.len() as u32);
        let id = *self.arrows.entry((from, to)).or_insert(next);
        if id == next {
            self.edges.push(Edge { from, to });
        }
        id
    }
}

/// Reads all services.
pub fn read(tree: &Table, problems: &mut Problems<'_>) -> Topology {
    let mut topology = Topology::default();
    let defaults = defaults(tree, problems);
    let Some(node) = tree.get("service") else { return topology };
    let Value::Table(services) = &node.value else {
        problems.error("scenario::type", &node.place, "services are tables", "write [service.NAME]");
        return topology;
    };
    if services.entries.len() > SERVICES_MAX {
        let label = format!("{} services; {SERVICES_MAX} is the most", services.entries.len());
        problems.error("scenario::too-many", &node.place, "this graph is too large", label);
        return topology;
    }
    let mut merged: Vec<(&str, Place, Table)> = Vec::new();
    for (name, entry) in &services.entries {
        let Value::Table(own) = &entry.node.value else {
            problems.error(
                "scenario::type",
                &entry.key,
                format!("`{name}` is no table"),
                format!("write [service.{name}]"),
            );
            continue;
        };
        check_name(name, &entry.key, problems);
        let table = defaults.overlaid(own);
        let mut endpoints = vec![String::new()];
        if let Some(named) = table.table("endpoint") {
            endpoints.extend(named.entries.keys().cloned());
        }
        topology.index.insert(name.clone(), Named { place: entry.key.clone(), endpoints });
        merged.push((name, entry.key.clone(), table));
    }
    zones(&mut topology, &merged, problems);
    for (name, place, table) in &merged {
        let reader = Reader::new(table, format!("[service.{name}]"), place);
        let service = service(name, reader, &mut topology, problems);
        topology.services.push(service);
    }
    if topology.edges.len() > EDGES_MAX {
        let label = format!("{} edges; {EDGES_MAX} is the most", topology.edges.len());
        problems.error("scenario::too-many", &node.place, "this graph is too large", label);
    }
    steps::refuse_cycles(&topology, problems);
    topology
}

fn defaults(tree: &Table, problems: &mut Problems<'_>) -> Table {
    let Some(node) = tree.get("defaults") else { return Table::default() };
    let Some(mut reader) = Reader::of(node, "[defaults]", problems) else { return Table::default() };
    let found = reader.get("service").and_then(|node| {
        if let Value::Table(table) = &node.value {
            Some(table.clone())
        } else {
            problems.error(
                "scenario::type",
                &node.place,
                "defaults of services are a table",
                "write [defaults.service]",
            );
            None
        }
    });
    reader.finish(problems);
    found.unwrap_or_default()
}

fn check_name(name: &str, place: &Place, problems: &mut Problems<'_>) {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if name.is_empty() || name.len() > 128 || !name.chars().all(plain) || name.contains("->") {
        let label = "letters, digits, `-`, `_`, `.` and `/` make a name";
        problems.error("scenario::name", place, "a service cannot have this name", label);
    }
}

/// Collects the names of zones: those written down, and a, b, c if a service names none.
fn zones(topology: &mut Topology, services: &[(&str, Place, Table)], problems: &mut Problems<'_>) {
    let mut add = |name: &str, place: &Place| {
        if !topology.zones.iter().any(|zone| zone == name) {
            if topology.zones.len() >= 255 {
                problems.error("scenario::zones", place, "too many zones", "255 is the most");
                return;
            }
            topology.zones.push(name.to_owned());
        }
    };
    for (_, place, table) in services {
        match table.get("zones").map(|node| &node.value) {
            Some(Value::List(items)) => {
                for item in items {
                    if let Value::Text(name) = &item.value {
                        add(name, &item.place);
                    }
                }
            }
            _ => ["a", "b", "c"].into_iter().for_each(|name| add(name, place)),
        }
    }
}

fn service(name: &str, mut reader: Reader<'_>, topology: &mut Topology, problems: &mut Problems<'_>) -> Service {
    let id = topology.service(name).expect("every name was indexed before");
    let tasks = reader.count("tasks", 1..=TASKS_MAX, problems).unwrap_or(2) as u32;
    let zones = service_zones(&mut reader, topology, problems);
    let concurrency = reader.count("concurrency", 1..=1_000_000, problems).map(|n| n as u32);
    let queue = reader.count("queue", 0..=100_000_000, problems).map(|n| n as u32);
    let mut endpoints = vec![steps::endpoint(String::new(), id, &mut reader, topology, problems)];
    if let Some(node) = reader.get("endpoint") {
        match &node.value {
            Value::Table(named) => {
                for (endpoint_name, entry) in &named.entries {
                    let what = format!("[service.{name}] endpoint.{endpoint_name}");
                    // A broken endpoint keeps its place, so that indices stay right.
                    let empty = Table::default();
                    let table = if let Value::Table(table) = &entry.node.value {
                        table
                    } else {
                        problems.error(
                            "scenario::type",
                            &entry.node.place,
                            format!("{what} is a table"),
                            "write { ... }",
                        );
                        &empty
                    };
                    let mut inner = Reader::new(table, what, &entry.key);
                    endpoints.push(steps::endpoint(endpoint_name.clone(), id, &mut inner, topology, problems));
                    inner.finish(problems);
                }
            }
            other => {
                let label = format!("this is {}; write endpoint.NAME = {{ ... }}", other.kind());
                problems.error("scenario::type", &node.place, "endpoints are tables", label);
            }
        }
    }
    let service = Service {
        name: name.to_owned(),
        tasks,
        zones,
        protocol: reader.word("protocol", &PROTOCOLS, problems).unwrap_or(Protocol::Http),
        cpu: reader.cpu("cpu", problems).unwrap_or(Cpu::from_millis(500)),
        memory: reader.bytes("memory", problems).unwrap_or(Bytes::new(1 << 30)),
        endpoints,
        concurrency,
        queue,
        queue_timeout: reader.distribution("queue_timeout", problems),
        startup: reader.distribution("startup", problems).unwrap_or(Distribution::Constant(Span::from_secs(30))),
        stop_timeout: reader.span("stop_timeout", problems).unwrap_or(Span::from_secs(30)),
        handles_sigterm: reader.truth("handles_sigterm", problems).unwrap_or(true),
        health_check: reader.get("health_check").and_then(|node| container_check(node, problems)),
        external: reader.truth("external", problems).unwrap_or(false),
        keep_alive: keep_alive(&mut reader, problems),
        service_connect: enrolment(&mut reader, problems),
        life: task_life(&mut reader, problems),
        created: reader.span("created", problems).map_or(Time::ZERO, |span| Time::ZERO + span),
    };
    life_fits(&service, &reader, problems);
    controller(id, &mut reader, topology, problems);
    if service.external && service.created > Time::ZERO {
        let label = "take out `created`, or `external`";
        problems.error("scenario::created", reader.key_place("created"), "ECS does not create this service", label);
    }
    if service.queue.is_some() && service.concurrency.is_none() {
        let place = reader.key_place("queue").clone();
        let label = "without `concurrency` every request is worked on at once and none waits";
        problems.warn("scenario::no-queue", &place, "this queue is never used", label);
    }
    reader.finish(problems);
    service
}

/// `keep_alive` of an app's own server.
fn keep_alive(reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> Option<Span> {
    let span = reader.span("keep_alive", problems)?;
    if span.is_zero() {
        let label = "write how long the app keeps an idle connection, \"5s\"; without it the app never closes one";
        problems.error("scenario::range", reader.key_place("keep_alive"), "`keep_alive` is zero", label);
    }
    Some(span)
}

/// `service_connect`: the role in it.
fn enrolment(reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> Enrolment {
    let Some(node) = reader.get("service_connect") else { return Enrolment::ClientServer };
    if matches!(&node.value, Value::Text(text) if text == "server") {
        let label = "write \"client-server\"; \"none\" for a service that is not enrolled";
        problems.error("scenario::role", &node.place, "Service Connect has no server-only role", label);
        return Enrolment::ClientServer;
    }
    let roles = [("client-server", Enrolment::ClientServer), ("client", Enrolment::Client), ("none", Enrolment::None)];
    value::word(node, "service_connect", &roles, problems).unwrap_or(Enrolment::ClientServer)
}

/// The keys that say how tasks come, are replaced and go.
fn task_life(reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> TaskLife {
    let usual = TaskLife::default();
    let orders = [("first", Replacement::First), ("after", Replacement::After)];
    TaskLife {
        provisioning: reader.distribution("provisioning", problems).unwrap_or(usual.provisioning),
        image_pull: reader.distribution("image_pull", problems).unwrap_or(usual.image_pull),
        health_check_grace_period: reader.span("health_check_grace_period", problems),
        stop_delay: reader.span("stop_delay", problems).unwrap_or(usual.stop_delay),
        replacement: reader.word("replacement", &orders, problems).unwrap_or(usual.replacement),
    }
}

/// What contradicts itself among those keys.
fn life_fits(service: &Service, reader: &Reader<'_>, problems: &mut Problems<'_>) {
    let delay = service.life.stop_delay;
    if !delay.is_zero() && !service.handles_sigterm {
        let label = "without handles_sigterm the app dies of SIGTERM; take one of the two out";
        problems.error(
            "scenario::stop-delay",
            reader.key_place("stop_delay"),
            "nobody is left to go on serving",
            label,
        );
    } else if delay > service.stop_timeout {
        let label = format!(
            "SIGKILL comes {} after SIGTERM; raise stop_timeout (Fargate: to 120 s at most)",
            service.stop_timeout
        );
        let place = reader.key_place("stop_delay").clone();
        problems.warn("scenario::stop-delay", &place, "SIGKILL ends this delay before it is over", label);
    }
    let most = Span::from_secs(2_147_483_647);
    if service.life.health_check_grace_period.is_some_and(|grace| grace > most) {
        let place = reader.key_place("health_check_grace_period");
        problems.error("scenario::range", place, "ECS takes no such grace period", format!("{most} at most"));
    }
}

/// `controller`: who deploys the service.
fn controller(id: ServiceId, reader: &mut Reader<'_>, topology: &mut Topology, problems: &mut Problems<'_>) {
    let words = [("ECS", Controller::Ecs), ("CODE_DEPLOY", Controller::CodeDeploy), ("EXTERNAL", Controller::External)];
    let Some(controller) = reader.word("controller", &words, problems) else { return };
    if controller != Controller::Ecs {
        topology.controllers.insert(id, (controller, reader.key_place("controller").clone()));
    }
}

fn service_zones(reader: &mut Reader<'_>, topology: &Topology, problems: &mut Problems<'_>) -> Vec<u8> {
    let number = |name: &str| topology.zones.iter().position(|zone| zone == name).map(|index| index as u8);
    let default = || ["a", "b", "c"].iter().filter_map(|name| number(name)).collect::<Vec<u8>>();
    let Some(node) = reader.get("zones") else { return default() };
    let Some(items) = value::list(node, problems) else { return vec![0] };
    let found: Vec<u8> = items.iter().filter_map(|item| value::text(item, problems).and_then(number)).collect();
    if items.is_empty() {
        problems.error("scenario::zones", &node.place, "a service needs a zone", "write zones = [\"a\", \"b\"]");
    }
    if found.is_empty() { vec![0] } else { found }
}

/// `health_check` of a container, with the defaults of ECS.
fn container_check(node: &Node, problems: &mut Problems<'_>) -> Option<ContainerCheck> {
    let mut reader = Reader::of(node, "health_check", problems)?;
    // Which path is asked makes no difference to a model; `deep` says what it exercises.
    reader.text("path", problems);
    let check = ContainerCheck {
        interval: reader.span("interval", problems).unwrap_or(Span::from_secs(30)),
        timeout: reader.span("timeout", problems).unwrap_or(Span::from_secs(5)),
        retries: reader.count("retries", 1..=1_000, problems).unwrap_or(3) as u32,
        start_period: reader.span("start_period", problems).unwrap_or(Span::ZERO),
        deep: reader.truth("deep", problems).unwrap_or(false),
    };
    for (key, span) in [("interval", check.interval), ("timeout", check.timeout)] {
        if span.is_zero() {
            problems.error("scenario::range", reader.key_place(key), format!("`{key}` is zero"), "must be longer");
        }
    }
    reader.finish(problems);
    Some(check)
}
