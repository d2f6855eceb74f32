//! `[[fault]]`: what goes wrong, for whom, when.
//!
//! *Knows* which kind can hit which target, and what a fault needs of the rest of the file. *Does
//! not know* deployments, nor how a fault acts. A room for each part: `words` the vocabulary,
//! `kind` its parameters, `target` whom, `timing` when; `written` writes it down again.

mod kind;
mod target;
mod timing;
mod words;
mod written;

pub use written::line;

use std::collections::BTreeSet;

use crate::scenario::Fault;
use crate::scenario::FaultKind;
use crate::scenario::How;
use crate::scenario::Mechanism;
use crate::scenario::Plane;
use crate::scenario::Target;
use crate::scenario::When;
use crate::scenario::faults::target::Aim;
use crate::scenario::faults::words::Aims;
use crate::scenario::happenings::Happenings;
use crate::scenario::happenings::items;
use crate::scenario::services::Topology;
use crate::scenario::services::steps::call_sites;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Place;
use crate::scenario::tree::Table;
use crate::units::Span;

/// Words of `during` that no fault may be called.
const RESERVED: [&str; 5] = ["all", "warm", "fault", "after", "deploy"];

/// Every kind of fault, aliases included.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    words::all()
}

/// Reads all faults.
pub fn read(
    tree: &Table,
    topology: &Topology,
    duration: Span,
    happenings: &mut Happenings,
    problems: &mut Problems<'_>,
) {
    let mut names = BTreeSet::new();
    for (index, node) in items(tree, "fault", problems).iter().enumerate() {
        let Some(mut reader) = Reader::of(node, "[[fault]]", problems) else { continue };
        let name = match reader.text("name", problems) {
            Some(name) => name.to_owned(),
            None => format!("fault {}", index + 1),
        };
        let name_place = reader.key_place("name").clone();
        if RESERVED.contains(&name.as_str()) {
            let label = "`during` already gives this word a meaning";
            problems.error("scenario::name", &name_place, format!("a fault cannot be called `{name}`"), label);
        }
        if !names.insert(name.clone()) {
            let message = format!("two faults are called `{name}`");
            problems.error("scenario::duplicate-name", &name_place, message, "give each its own name");
        }
        if let Some((fault, place)) = fault(&mut reader, name, topology, duration, problems) {
            happenings.faults.push(fault);
            happenings.fault_places.push(place);
        }
        reader.finish(problems);
    }
}

fn fault(
    reader: &mut Reader<'_>,
    name: String,
    topology: &Topology,
    duration: Span,
    problems: &mut Problems<'_>,
) -> Option<(Fault, Place)> {
    let when = timing::when(reader, topology, duration, problems);
    let stop_when = reader.get("stop_when").map(|node| timing::awaited(node, topology, false, problems));
    let target_node = reader.get("target");
    let aim = target_node.map(|node| target::read(node, topology, problems));
    let kind = kind::read(reader, problems);
    let word = kind.as_ref().map(|(_, word)| *word);
    let (kind_name, counts, ramps) = word.map_or(("", true, true), |word| (word.name, word.counts, word.ramps));
    let hits = timing::hits(reader, kind_name, counts, problems);
    // Whoever asks for a ramp of a fault without a time hears of the time only.
    let spread = When::Once { at: crate::units::Time::ZERO, lasts: None };
    let ramp = timing::ramp(reader, kind_name, when.unwrap_or(spread), ramps, problems);
    let aim = match (aim, word.map(|word| word.aims)) {
        (Some(aim), _) => aim?,
        (None, Some(Aims::Resolver)) => Aim::At(Target::Resolver),
        (None, Some(Aims::ControlPlane)) => Aim::At(Target::ControlPlane),
        (None, _) => {
            reader.need("target", problems);
            return None;
        }
    };
    let (kind, word) = kind?;
    let place = target_node.map_or_else(|| reader.place().clone(), |node| node.place.clone());
    let target = aimed(aim, word.name, word.aims, &place, problems)?;
    let stop_when = match stop_when {
        Some(read) => Some(read?.0),
        None => None,
    };
    let when = lasting(when?, &kind);
    Some((Fault { name, kind, target, when, how: How { ramp, hits: hits?, stop_when } }, place))
}

/// A pause that is not repeated within the fault is the whole fault.
fn lasting(when: When, kind: &FaultKind) -> When {
    let FaultKind::Pause { pause, interval: None } = *kind else { return when };
    let lasts = Some(pause);
    match when {
        When::Once { at, .. } => When::Once { at, lasts },
        When::Every { period, .. } => When::Every { period, lasts },
        When::After { event, wait, .. } => When::After { event, wait, lasts },
    }
}

/// The target, if that kind can hit it.
fn aimed(aim: Aim, kind: &str, aims: Aims, place: &Place, problems: &mut Problems<'_>) -> Option<Target> {
    let (target, sidecars) = match aim {
        Aim::At(target) => (target, false),
        Aim::Sidecars(target) => (target, true),
    };
    let tasks = matches!(
        target,
        Target::Task(..) | Target::AnyTask(_) | Target::Count(..) | Target::Share(..) | Target::Service(_)
    );
    let fits = match aims {
        _ if sidecars => aims == Aims::Sidecars,
        Aims::Requests | Aims::Packets => tasks || matches!(target, Target::Zone(_) | Target::Edge(_)),
        Aims::Tasks | Aims::Sidecars => tasks || matches!(target, Target::Zone(_)),
        Aims::Groups => matches!(target, Target::Service(_) | Target::Zone(_)),
        Aims::Zone => matches!(target, Target::Zone(_)),
        Aims::Resolver => target == Target::Resolver,
        Aims::ControlPlane => target == Target::ControlPlane,
    };
    if fits {
        return Some(target);
    }
    let what = match target {
        _ if sidecars => "a sidecar",
        Target::Edge(_) => "an edge",
        Target::Resolver => "the resolver",
        Target::ControlPlane => "the control plane",
        Target::Zone(_) => "a zone",
        Target::Service(_) => "a whole service",
        _ => "single tasks",
    };
    let label = match aims {
        Aims::Requests => "use a task, a service, an edge or a zone",
        Aims::Packets => "use a task, a service, a zone, or an edge \"web->payments\"",
        Aims::Tasks => "name tasks: \"payments#1\", \"payments#any\", \"payments[50%]\" or \"payments\"",
        Aims::Sidecars => "write \"sidecar:web\" or \"sidecar:web#2\"",
        Aims::Groups => "use a service or a zone: it is the replacements that crash again",
        Aims::Zone => "write \"zone:a\"",
        Aims::Resolver => "write \"dns\", or leave `target` out",
        Aims::ControlPlane => "write \"control-plane\", or leave `target` out",
    };
    let message = match target {
        Target::Edge(_) if aims == Aims::Tasks => "an edge has no process that could end".to_owned(),
        _ => format!("`{kind}` cannot hit {what}"),
    };
    problems.error("scenario::target", place, message, label);
    None
}

/// What a fault needs of the planes and services around it; a fault that can do nothing is worth a word.
pub fn fits(happenings: &Happenings, planes: &[Plane], topology: &Topology, problems: &mut Problems<'_>) {
    let any = |which: fn(&Mechanism) -> bool| planes.iter().flat_map(Plane::paths).any(|path| which(&path.mechanism));
    let dns = any(|mechanism| matches!(mechanism, Mechanism::Dns(_)));
    let sidecars = any(|mechanism| matches!(mechanism, Mechanism::Sidecar(_)));
    for (fault, place) in happenings.faults.iter().zip(&happenings.fault_places) {
        let name = fault.kind.name();
        let idle = match fault.kind {
            FaultKind::DnsFreeze | FaultKind::DnsFail | FaultKind::DnsSlow { .. } if !dns => {
                Some("no plane compared asks DNS for tasks, so nothing happens")
            }
            FaultKind::PushFreeze | FaultKind::PushDelay { .. } if !sidecars => {
                Some("no plane compared pushes endpoints, so nothing happens")
            }
            FaultKind::SidecarCrash | FaultKind::SidecarSlow { .. } if !sidecars => {
                Some("no plane compared has sidecars, so nothing happens")
            }
            FaultKind::AzOutage { .. } if topology.zones.len() < 2 => {
                Some("there is no other zone to be cut off from; give services zones = [\"a\", \"b\", \"c\"]")
            }
            _ => None,
        };
        if let Some(label) = idle.filter(|_| !planes.is_empty()) {
            problems.warn("scenario::idle-fault", place, format!("`{name}` finds nothing to act on"), label);
        }
        if matches!(fault.kind, FaultKind::CertExpiry)
            && planes.iter().all(|plane| plane.network.tls_round_trips == 0)
            && !planes.is_empty()
        {
            let label = "no handshake can fail; add [network] tls = true";
            problems.error("scenario::no-tls", place, "`cert-expiry` needs TLS", label);
        }
        let endpoints = || topology.services.iter().flat_map(|service| &service.endpoints);
        let sized = || {
            endpoints()
                .flat_map(|endpoint| call_sites(&endpoint.steps))
                .any(|site| site.request.get() + site.response.get() > 0)
        };
        if matches!(fault.kind, FaultKind::Bandwidth { .. }) && !sized() {
            let label = "no call has one; write steps = [{ call = \"b\", request = \"4KiB\", response = \"64KiB\" }]";
            problems.error("scenario::no-sizes", place, "`bandwidth` needs the sizes of requests and answers", label);
        }
    }
}
