//! Data planes: the built-in ones, variants by `extends`, and the policy of each edge on each.
//!
//! *Knows* which mechanism carries a call where, and to which planes `[policy]` applies.
//! *Does not know* Envoy's fields (that is `policy`) nor how a mechanism is simulated.

pub mod client;
mod mechanism;
mod preset;
mod second;

use indexmap::IndexMap;

use crate::scenario::Distribution;
use crate::scenario::EdgeId;
use crate::scenario::Network;
use crate::scenario::Plane;
use crate::scenario::Protocol;
use crate::scenario::policy;
use crate::scenario::policy::Patch;
use crate::scenario::policy::interplay;
use crate::scenario::presets::Preset;
use crate::scenario::services::Topology;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::scenario::tree::Place;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::scenario::value;
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
        let shared = Shared { topology, policy: &shared, edges: &edges, network, compared: compared.contains(name) };
        let plane = plane(name, draft, &shared, problems);
        planes.insert(name.clone(), plane);
    }
    let mut chosen: Vec<Plane> = compared.iter().filter_map(|name| planes.get(name).cloned()).collect();
    for plane in &mut chosen {
        second::add(plane, &drafts, &planes, problems);
    }
    chosen
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
            // Every plane of a circle comes here; the first in the file speaks for all.
            if names.iter().filter_map(|name| own.entries.get_index_of(*name)).min() != own.entries.get_index_of(name) {
                return None;
            }
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
        for group in ["sidecar", "health_check", "slow_start"] {
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

/// What all planes have in common.
struct Shared<'a> {
    topology: &'a Topology,
    policy: &'a Patch,
    edges: &'a IndexMap<EdgeId, EdgePolicy>,
    network: &'a (Network, bool),
    /// Somebody will look at this plane.
    compared: bool,
}

fn plane(name: &str, draft: &Draft, shared: &Shared<'_>, problems: &mut Problems<'_>) -> Plane {
    let Shared { topology, edges, network, .. } = *shared;
    let what = format!("[plane.{name}]");
    let mut reader = Reader::new(&draft.table, what.clone(), &draft.place);
    reader.allow(&["extends", "policy", "migrate_to"]);
    let own: Vec<Patch> =
        draft.patches.iter().map(|(table, place)| policy::read(table, &what, place, problems)).collect();
    let (mechanism, fields, chosen) = mechanism::read(draft.base, topology, &mut reader, problems);
    reader.finish(problems);

    let takes_shared = !matches!(draft.base, Base::CloudMapDns | Base::InternalAlb);
    let start = preset::Start { base: draft.base, chosen, zones: topology.zones.len() };
    let mut edge_policies = Vec::with_capacity(topology.edges.len());
    for (index, edge) in topology.edges.iter().enumerate() {
        let callee = &topology.services[edge.to.0 as usize];
        let mut config = preset::preset(&start, callee);
        fields.apply(&mut config);
        let mut layers: Vec<&Patch> = Vec::new();
        if takes_shared {
            layers.push(shared.policy);
        }
        layers.extend(&own);
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
        if draft.base == Base::ServiceConnect && !callee.external {
            // Of perRequestTimeout and idleTimeout the shorter one ends a silent request (aws.md 1.1).
            config.timeouts.request = config.timeouts.request.min(config.timeouts.idle);
        }
        let one_call_each = layers.iter().any(|layer| layer.place_exactly("max_connect_attempts").is_some());
        preset::restrict(&mut config, draft.base, callee, one_call_each);
        let found = config.check().err().unwrap_or_default();
        for problem in &found {
            let exact = layers.iter().rev().find_map(|layer| layer.place_exactly(problem.field));
            let place = exact.or_else(|| layers.iter().rev().find_map(|layer| layer.place_of(problem.field)));
            policy::rejected(problem, place.unwrap_or(&draft.place), problems);
        }
        if shared.compared && found.is_empty() && !callee.external {
            interplay::advise(&config, &layers, callee, problems);
        }
        edge_policies.push(config);
    }

    let foreign = chosen.is_some_and(|preset| preset != Preset::ServiceConnect);
    let tuned = foreign
        || (takes_shared && shared.policy.tunes())
        || own.iter().any(Patch::tunes)
        || edges.values().any(|edge| edge.patch.tunes());
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
    Plane { name: name.to_owned(), mechanism, edge_policies, network, warning, not_applicable, second: None }
}

#[cfg(test)]
mod tests;
