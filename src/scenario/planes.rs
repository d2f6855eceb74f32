//! Data planes: the built-in ones, variants by `extends`, and the policy of each edge on each.
//!
//! *Knows* which mechanism carries a call where, and to which planes `[policy]` applies.
//! *Does not know* Envoy's fields (that is `policy`) nor how a mechanism is simulated.

use indexmap::IndexMap;

use crate::policy::PolicyConfig;
use crate::policy::config::Affinity;
use crate::policy::config::Discovery;
use crate::policy::config::HealthCheck;
use crate::policy::config::LbPolicy;
use crate::policy::config::LeastRequest;
use crate::policy::config::PoolProtocol;
use crate::policy::config::RetryOn;
use crate::policy::config::RetryPolicy;
use crate::scenario::AlbPlane;
use crate::scenario::Distribution;
use crate::scenario::DnsPlane;
use crate::scenario::EdgeId;
use crate::scenario::Mechanism;
use crate::scenario::Network;
use crate::scenario::Plane;
use crate::scenario::Protocol;
use crate::scenario::ReadyWhen;
use crate::scenario::ResolverCache;
use crate::scenario::Service;
use crate::scenario::SidecarPlane;
use crate::scenario::distribution::log_normal;
use crate::scenario::policy;
use crate::scenario::policy::Patch;
use crate::scenario::services::Topology;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::scenario::tree::Place;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::units::Bytes;
use crate::units::Cpu;
use crate::units::Span;

/// Most planes of a scenario.
const PLANES_MAX: usize = 32;

/// What a plane is built upon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Base {
    /// ECS Service Connect.
    ServiceConnect,
    /// Cloud Map DNS.
    CloudMapDns,
    /// An internal ALB.
    InternalAlb,
    /// The ideal.
    Direct,
    /// A self-managed Envoy sidecar.
    Envoy,
    /// App Mesh.
    AppMesh,
}

/// The built-in planes; the first three are compared unless the file says otherwise.
pub const BUILT_IN: [(&str, Base); 6] = [
    ("service-connect", Base::ServiceConnect),
    ("cloud-map-dns", Base::CloudMapDns),
    ("internal-alb", Base::InternalAlb),
    ("direct", Base::Direct),
    ("envoy", Base::Envoy),
    ("app-mesh", Base::AppMesh),
];

/// A plane before it meets the edges.
struct Draft {
    base: Base,
    /// Merged fields of the chain, the plane's own last; without `policy`.
    table: Table,
    place: Place,
    /// `policy.*` of the chain, the root's first.
    patches: Vec<(Table, Place)>,
}

/// `[network]` with its defaults, and whether the file gives one.
pub fn network(tree: &Table, problems: &mut Problems<'_>) -> (Network, bool) {
    let mut network = Network {
        // ASSUMPTION(network.same_zone), ASSUMPTION(network.cross_zone): AWS publishes neither.
        same_zone: Distribution::Constant(Span::from_micros(250)),
        cross_zone: Distribution::Constant(Span::from_micros(600)),
        tls_round_trips: 0,
    };
    let Some(node) = tree.get("network") else { return (network, false) };
    let Some(mut reader) = Reader::of(node, "[network]", problems) else { return (network, true) };
    if let Some(delay) = reader.distribution("same_zone", problems) {
        network.same_zone = delay;
    }
    if let Some(delay) = reader.distribution("cross_zone", problems) {
        network.cross_zone = delay;
    }
    // TLS 1.3 takes one round trip more per connection.
    if reader.truth("tls", problems) == Some(true) {
        network.tls_round_trips = 1;
    }
    if let Some(trips) = reader.count("tls_round_trips", 0..=4, problems) {
        network.tls_round_trips = trips as u8;
    }
    reader.finish(problems);
    (network, true)
}

/// Reads `[plane.*]`, `[policy]`, `[edge.*]` and `compare`; `only` narrows the comparison.
pub fn read(
    tree: &Table,
    topology: &Topology,
    only: &[String],
    network: &(Network, bool),
    problems: &mut Problems<'_>,
) -> Vec<Plane> {
    let drafts = drafts(tree, problems);
    let shared = shared_policy(tree, problems);
    let edges = edge_policies(tree, topology, problems);
    let compared = compared(tree, &drafts, only, problems);
    let mut planes = IndexMap::new();
    for (name, draft) in &drafts {
        let plane = plane(name, draft, topology, &shared, &edges, network, problems);
        planes.insert(name.clone(), plane);
    }
    compared.iter().filter_map(|name| planes.get(name).cloned()).collect()
}

/// The names that `[plane.NAME]` or scsim itself defines.
pub fn defined(tree: &Table) -> Vec<String> {
    let mut names: Vec<String> = BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
    if let Some(own) = tree.table("plane") {
        names.extend(own.entries.keys().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
    }
    names
}

fn drafts(tree: &Table, problems: &mut Problems<'_>) -> IndexMap<String, Draft> {
    let mut drafts = IndexMap::new();
    let nowhere = Place { source: std::sync::Arc::new(crate::diagnostic::Source::new("", "")), span: 0..0 };
    let empty = Table::default();
    let own = match tree.get("plane").map(|node| (&node.value, &node.place)) {
        Some((Value::Table(own), _)) => own,
        Some((_, place)) => {
            problems.error("scenario::type", place, "planes are tables", "write [plane.NAME]");
            &empty
        }
        None => &empty,
    };
    if own.entries.len() > PLANES_MAX {
        let place = &own.entries[PLANES_MAX].key;
        problems.error("scenario::too-many", place, "too many planes", format!("{PLANES_MAX} is the most"));
        return drafts;
    }
    for (name, base) in BUILT_IN {
        if !own.entries.contains_key(name) {
            let draft = Draft { base, table: Table::default(), place: nowhere.clone(), patches: Vec::new() };
            drafts.insert(name.to_owned(), draft);
        }
    }
    for (name, entry) in &own.entries {
        if let Some(draft) = draft(name, own, problems) {
            drafts.insert(name.clone(), draft);
        } else if !matches!(entry.node.value, Value::Table(_)) {
            let label = format!("write [plane.{name}]");
            problems.error("scenario::type", &entry.node.place, "a plane is a table", label);
        }
    }
    drafts
}

/// Follows `extends` down to a built-in plane and merges on the way back.
fn draft(name: &str, own: &Table, problems: &mut Problems<'_>) -> Option<Draft> {
    let mut chain: Vec<(&str, &Table, &Place)> = Vec::new();
    let mut here = name;
    let base = loop {
        let built_in = BUILT_IN.iter().find(|(built_in, _)| *built_in == here).map(|(_, base)| *base);
        let Some(entry) = own.entries.get(here) else {
            if let Some(base) = built_in {
                break base;
            }
            let (_, table, place) = chain.last()?;
            let place = table.get("extends").map_or(*place, |node| &node.place);
            let names = BUILT_IN.iter().map(|(name, _)| *name).chain(own.entries.keys().map(String::as_str));
            let near = crate::diagnostic::nearest(here, names);
            let label = near.map_or("no [plane] of that name".to_owned(), |near| format!("did you mean `{near}`?"));
            problems.error("scenario::unknown-plane", place, format!("there is no plane `{here}` to extend"), label);
            return None;
        };
        let Value::Table(table) = &entry.node.value else { return None };
        if chain.iter().any(|(seen, _, _)| *seen == here) {
            let names: Vec<&str> = chain.iter().map(|(name, _, _)| *name).chain([here]).collect();
            problems.error("scenario::extends-cycle", &entry.key, "these planes extend each other", names.join(" -> "));
            return None;
        }
        chain.push((here, table, &entry.key));
        match (built_in, table.get("extends")) {
            (Some(base), None) => break base,
            (Some(_), Some(node)) => {
                let label = "give the variant a name of its own";
                problems.error(
                    "scenario::extends",
                    &node.place,
                    format!("`{here}` is built in and extends nothing"),
                    label,
                );
                return None;
            }
            (None, Some(node)) => here = value::text(node, problems)?,
            (None, None) => {
                let near = crate::diagnostic::nearest(here, BUILT_IN.iter().map(|(name, _)| *name));
                let label = match near {
                    Some(near) => format!("did you mean [plane.{near}]? else add extends = \"{near}\""),
                    None => "add extends = \"service-connect\" or another built-in plane".to_owned(),
                };
                problems.error("scenario::unknown-plane", &entry.key, format!("`{here}` is no built-in plane"), label);
                return None;
            }
        }
    };
    let place = chain.first().map(|(_, _, place)| (*place).clone())?;
    let mut table = Table::default();
    let mut patches = Vec::new();
    for (_, own, _) in chain.iter().rev() {
        let mut layer = (*own).clone();
        if let Some(entry) = layer.entries.shift_remove("policy") {
            match entry.node.value {
                Value::Table(policy) => patches.push((policy, entry.key)),
                _ => problems.error(
                    "scenario::type",
                    &entry.node.place,
                    "`policy` is a table",
                    "write policy.FIELD = ...",
                ),
            }
        }
        // One changed field of a group leaves the rest of the group as it was.
        for group in ["sidecar", "health_check"] {
            if let (Some(before), Some(over)) = (table.table(group), layer.table(group)) {
                let merged = before.overlaid(over);
                if let Some(entry) = layer.entries.get_mut(group) {
                    entry.node.value = Value::Table(merged);
                }
            }
        }
        table = table.overlaid(&layer);
    }
    Some(Draft { base, table, place, patches })
}

fn shared_policy(tree: &Table, problems: &mut Problems<'_>) -> Patch {
    match tree.get("policy") {
        Some(Node { value: Value::Table(table), place }) => policy::read(table, "[policy]", place, problems),
        Some(node) => {
            problems.error("scenario::type", &node.place, "the policy is a table", "write [policy]");
            Patch::default()
        }
        None => Patch::default(),
    }
}

fn edge_policies(tree: &Table, topology: &Topology, problems: &mut Problems<'_>) -> IndexMap<EdgeId, EdgePolicy> {
    let mut found = IndexMap::new();
    let Some(node) = tree.get("edge") else { return found };
    let Value::Table(edges) = &node.value else {
        problems.error("scenario::type", &node.place, "edges are tables", "write [edge.\"caller->callee\"]");
        return found;
    };
    for (name, entry) in &edges.entries {
        if name.starts_with("x_") {
            continue;
        }
        let id = topology.edge(name, &entry.key, problems);
        let Value::Table(table) = &entry.node.value else {
            let label = format!("write [edge.\"{name}\"]");
            problems.error("scenario::type", &entry.node.place, "an edge is a table", label);
            continue;
        };
        let patch = policy::read(table, &format!("[edge.\"{name}\"]"), &entry.key, problems);
        let only: Vec<&str> = vec!["timeout"];
        let limit = Table {
            entries: table
                .entries
                .iter()
                .filter(|(k, _)| only.contains(&k.as_str()))
                .map(|(k, e)| (k.clone(), e.clone()))
                .collect(),
        };
        let timeout = policy::read(&limit, "[edge]", &entry.key, problems);
        if let Some(id) = id {
            found.insert(id, EdgePolicy { patch, timeout });
        }
    }
    found
}

/// `[edge."a->b"]`, in full and cut down to what every plane understands.
struct EdgePolicy {
    patch: Patch,
    timeout: Patch,
}

/// The names in `compare`, or the default ones, narrowed by `--plane`.
fn compared(
    tree: &Table,
    drafts: &IndexMap<String, Draft>,
    only: &[String],
    problems: &mut Problems<'_>,
) -> Vec<String> {
    let unknown = |name: &str| match crate::diagnostic::nearest(name, drafts.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known: {}", drafts.keys().cloned().collect::<Vec<_>>().join(", ")),
    };
    let mut names: Vec<String> = Vec::new();
    if let Some(node) = tree.get("compare") {
        for item in value::list(node, problems).unwrap_or(&[]) {
            let Some(name) = value::text(item, problems) else { continue };
            if !drafts.contains_key(name) {
                // A plane that is there and broken has its own diagnostic already.
                if tree.table("plane").is_none_or(|planes| planes.get(name).is_none()) {
                    let message = format!("there is no plane `{name}` to compare");
                    problems.error("scenario::unknown-plane", &item.place, message, unknown(name));
                }
            } else if names.iter().any(|other| other == name) {
                let message = format!("`{name}` is compared twice");
                problems.error("scenario::duplicate-name", &item.place, message, "once is enough");
            } else {
                names.push(name.to_owned());
            }
        }
        if matches!(&node.value, Value::List(items) if items.is_empty()) {
            problems.error("scenario::no-plane", &node.place, "there is nothing to compare", "name one plane or more");
        }
    } else {
        names.extend(BUILT_IN[..3].iter().map(|(name, _)| (*name).to_owned()));
        let built_in = |name: &str| BUILT_IN[..3].iter().any(|(built_in, _)| *built_in == name);
        let own = tree.table("plane").map(|planes| planes.entries.keys().cloned().collect::<Vec<_>>());
        names.extend(own.unwrap_or_default().into_iter().filter(|name| !built_in(name)));
    }
    if only.is_empty() {
        return names;
    }
    for name in only {
        if !drafts.contains_key(name) {
            let source = std::sync::Arc::new(crate::diagnostic::Source::new("--plane", name.as_str()));
            let place = Place { source, span: 0..name.len() };
            problems.error("scenario::unknown-plane", &place, format!("there is no plane `{name}`"), unknown(name));
        }
    }
    // The order of the file first, then planes that only the command line asks for.
    let mut narrowed: Vec<String> = names.into_iter().filter(|name| only.contains(name)).collect();
    for name in only {
        if !narrowed.contains(name) {
            narrowed.push(name.clone());
        }
    }
    narrowed
}

fn plane(
    name: &str,
    draft: &Draft,
    topology: &Topology,
    shared: &Patch,
    edges: &IndexMap<EdgeId, EdgePolicy>,
    network: &(Network, bool),
    problems: &mut Problems<'_>,
) -> Plane {
    let what = format!("[plane.{name}]");
    let mut reader = Reader::new(&draft.table, what.clone(), &draft.place);
    reader.allow(&["extends", "policy"]);
    let patches: Vec<Patch> =
        draft.patches.iter().map(|(table, place)| policy::read(table, &what, place, problems)).collect();
    let mut fields = Patch::default();
    let mechanism = match draft.base {
        Base::Direct => Mechanism::Direct,
        Base::ServiceConnect | Base::Envoy | Base::AppMesh => {
            Mechanism::Sidecar(sidecar(draft.base, &mut reader, &mut fields, problems))
        }
        Base::CloudMapDns => Mechanism::Dns(dns(&mut reader, &mut fields, problems)),
        Base::InternalAlb => Mechanism::Alb(alb(topology, &mut reader, problems)),
    };
    if matches!(draft.base, Base::CloudMapDns | Base::InternalAlb) {
        // ALB nodes have limits of their own; these are the client's.
        if let Some(span) = reader.span("timeout", problems) {
            fields.push(move |config| config.timeouts.request = if span.is_zero() { Span::MAX } else { span });
        }
        if draft.base == Base::CloudMapDns
            && let Some(span) = reader.span("connect_timeout", problems)
        {
            fields.push(move |config| config.timeouts.connect = span);
        }
    }
    reader.finish(problems);

    let takes_shared = !matches!(draft.base, Base::CloudMapDns | Base::InternalAlb);
    let mut edge_policies_of_plane = Vec::with_capacity(topology.edges.len());
    for (index, edge) in topology.edges.iter().enumerate() {
        let callee = &topology.services[edge.to.0 as usize];
        let mut config = preset(draft.base, callee);
        fields.apply(&mut config);
        let mut layers: Vec<&Patch> = Vec::new();
        if takes_shared {
            layers.push(shared);
        }
        layers.extend(&patches);
        if let Some(edge) = edges.get(&EdgeId(index as u32)) {
            layers.push(if takes_shared { &edge.patch } else { &edge.timeout });
        }
        if !callee.external || draft.base == Base::Direct {
            for layer in &layers {
                layer.apply(&mut config);
            }
        } else if let Some(edge) = edges.get(&EdgeId(index as u32)) {
            edge.timeout.apply(&mut config);
        }
        restrict(&mut config, draft.base, callee);
        for problem in config.check().err().unwrap_or_default() {
            let place = layers.iter().rev().find_map(|layer| layer.place_of(problem.field)).unwrap_or(&draft.place);
            problems.error(
                "policy::invalid",
                place,
                format!("Envoy would not load this `{}`", problem.field),
                problem.message,
            );
        }
        edge_policies_of_plane.push(config);
    }

    let tuned = (takes_shared && !shared.is_empty())
        || patches.iter().any(|patch| !patch.is_empty())
        || edges.values().any(|edge| !edge.patch.is_empty());
    let warning = match draft.base {
        Base::ServiceConnect if tuned => Some(
            "tuned: AWS does not let you set the retries, ejection or balancing of Service Connect \
             (aws/containers-roadmap#1963)"
                .to_owned(),
        ),
        Base::AppMesh => Some("App Mesh ended on 2026-09-30".to_owned()),
        _ => None,
    };
    let plain = topology.edges.iter().map(|edge| &topology.services[edge.to.0 as usize]);
    let plain =
        plain.filter(|callee| callee.protocol == Protocol::Tcp && !callee.external).map(|callee| &callee.name).next();
    let not_applicable = match (draft.base, plain) {
        (Base::InternalAlb, Some(name)) => Some(format!("{name} speaks plain TCP, and an ALB speaks HTTP")),
        _ => None,
    };
    let still = Distribution::Constant(Span::ZERO);
    let network = match draft.base {
        // The ideal has no distances unless the file gives them.
        Base::Direct if !network.1 => Network { same_zone: still.clone(), cross_zone: still, tls_round_trips: 0 },
        _ => network.0.clone(),
    };
    Plane { name: name.to_owned(), mechanism, edge_policies: edge_policies_of_plane, network, warning, not_applicable }
}

/// The policy of a caller before anything is changed.
fn preset(base: Base, callee: &Service) -> PolicyConfig {
    let http2 = PoolProtocol::Http2 { max_concurrent_streams: 1024 };
    let multiplexed = matches!(callee.protocol, Protocol::Http2 | Protocol::Grpc);
    if base == Base::Direct {
        return PolicyConfig::direct();
    }
    let client = PolicyConfig::dns_client();
    let mut config = if callee.external {
        // No proxy can be put in front of it, so the client has its own limits and nothing else.
        PolicyConfig { timeouts: client.timeouts, replies: client.replies, pool: client.pool, ..PolicyConfig::direct() }
    } else {
        match base {
            Base::ServiceConnect => PolicyConfig::service_connect(),
            Base::Envoy => PolicyConfig::envoy_default(),
            Base::AppMesh => PolicyConfig::app_mesh(),
            Base::CloudMapDns => client,
            // The members are the nodes of the ALB, whose addresses change rarely.
            Base::InternalAlb => PolicyConfig { discovery: Discovery::Pushed, lb_policy: LbPolicy::Random, ..client },
            Base::Direct => PolicyConfig::direct(),
        }
    };
    if multiplexed {
        config.pool.protocol = http2;
    }
    config
}

/// What a proxy cannot do for a callee that speaks plain TCP.
fn restrict(config: &mut PolicyConfig, base: Base, callee: &Service) {
    let sidecar = matches!(base, Base::ServiceConnect | Base::Envoy | Base::AppMesh);
    if !sidecar || callee.external || callee.protocol != Protocol::Tcp {
        return;
    }
    config.affinity = Affinity::Connection { age_max: None };
    if let Some(retry) = &mut config.retry_policy {
        // Only the connection can be tried again (aws.md 1.4).
        retry.retry_on = RetryOn::CONNECT_FAILURE;
    }
    if let Some(od) = &mut config.outlier_detection {
        // There is no status; failed connections are all that counts.
        od.split_external_local_origin_errors = true;
        od.consecutive_local_origin_failure = od.consecutive_5xx.max(1);
        od.consecutive_5xx = 0;
        od.consecutive_gateway_failure = 0;
    }
    config.timeouts.request = Span::MAX;
    config.timeouts.per_try = Span::MAX;
    config.timeouts.idle = config.timeouts.idle.max(Span::from_secs(3600));
}

fn sidecar(base: Base, reader: &mut Reader<'_>, fields: &mut Patch, problems: &mut Problems<'_>) -> SidecarPlane {
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
    plane.drain = inner.span("drain", problems).unwrap_or(plane.drain);
    plane.drains_inbound_first = inner.truth("drains_inbound_first", problems).unwrap_or(plane.drains_inbound_first);
    inner.finish(problems);
    plane
}

fn dns(reader: &mut Reader<'_>, fields: &mut Patch, problems: &mut Problems<'_>) -> DnsPlane {
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

fn alb(topology: &Topology, reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> AlbPlane {
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
