//! `[[fault]]`: what goes wrong, for whom, when.
//!
//! *Knows* every kind of fault and every form of target. *Does not know* deployments, nor how a
//! fault acts.

mod target;

use std::collections::BTreeSet;

use crate::scenario::Fault;
use crate::scenario::FaultKind;
use crate::scenario::Target;
use crate::scenario::When;
use crate::scenario::faults::target::Aim;
use crate::scenario::happenings::Happenings;
use crate::scenario::happenings::instant;
use crate::scenario::happenings::items;
use crate::scenario::services::Topology;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::scenario::tree::Table;
use crate::scenario::value;
use crate::units::Span;
use crate::units::Time;

/// Words of `during` that no fault may be called.
const RESERVED: [&str; 5] = ["all", "warm", "fault", "after", "deploy"];

/// Kinds that are understood and have no model yet.
const LATER: [&str; 10] = [
    "packet-loss",
    "partition",
    "az-outage",
    "cpu",
    "spot-reclaim",
    "dns-freeze",
    "dns-fail",
    "push-freeze",
    "sidecar-crash",
    "sidecar-slow",
];
/// Kinds that are simulated.
const NOW: [&str; 9] = ["crash", "stop", "wedge", "hang", "errors", "slow", "refuse", "reset", "grey"];

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
        let when = when(&mut reader, duration, problems);
        let target = reader.need("target", problems).and_then(|node| target::read(node, topology, problems));
        let kind = kind(&mut reader, problems);
        reader.finish(problems);
        let (Some(when), Some(target), Some(kind)) = (when, target, kind) else { continue };
        let target_place = reader_place(node, "target");
        match (kind, target) {
            (Kind::Now(kind), Aim::Tasks(target)) => {
                let needs_tasks = matches!(kind, FaultKind::Crash | FaultKind::Stop);
                if needs_tasks && matches!(target, Target::Edge(_)) {
                    problems.error(
                        "scenario::target",
                        &target_place,
                        "an edge has no process that could end",
                        "name tasks: \"payments#1\", \"payments#any\", \"payments[50%]\" or \"payments\"",
                    );
                    continue;
                }
                happenings.faults.push(Fault { name, kind, target, when });
            }
            (Kind::Now(_), Aim::Other(what)) => {
                let label = "use a task, a service, an edge or a zone";
                problems.error(
                    "scenario::target",
                    &target_place,
                    format!("this kind of fault cannot hit {what}"),
                    label,
                );
            }
            (Kind::Later(what), _) => {
                problems.unmodelled(&reader_place(node, "kind"), format!("fault {what}"));
                happenings.later.insert(name, when);
            }
        }
    }
}

fn reader_place(node: &Node, key: &str) -> crate::scenario::tree::Place {
    match &node.value {
        crate::scenario::tree::Value::Table(table) => {
            table.get(key).map_or_else(|| node.place.clone(), |node| node.place.clone())
        }
        _ => node.place.clone(),
    }
}

fn when(reader: &mut Reader<'_>, duration: Span, problems: &mut Problems<'_>) -> Option<When> {
    let lasts = reader.span("for", problems);
    let at = reader.get("at");
    let every = reader.get("every");
    if lasts == Some(Span::ZERO) {
        problems.error("scenario::range", reader.key_place("for"), "this fault lasts no time", "longer than zero");
    }
    match (at, every) {
        (Some(at), None) => {
            let at = instant(at, duration, "this fault", problems)?;
            Some(When::Once { at, lasts })
        }
        (None, Some(every)) => {
            let period = value::span(every, problems)?;
            if period.is_zero() {
                problems.error("scenario::range", &every.place, "`every` is zero", "longer than zero");
                return None;
            }
            if period >= duration {
                let label = format!("the first comes at {period}, but [run] duration is {duration}");
                problems.warn("scenario::after-end", &every.place, "this fault never comes", label);
            }
            Some(When::Every { period, lasts })
        }
        (None, None) => {
            let label = "add at = \"60s\" or every = \"90s\"";
            problems.error("scenario::missing-key", reader.place(), "a fault needs a time", label);
            None
        }
        (Some(_), Some(every)) => {
            let label = "`at` is once, `every` is again and again; use one";
            problems.error("scenario::at-and-every", &every.place, "both `at` and `every`", label);
            None
        }
    }
}

enum Kind {
    Now(FaultKind),
    Later(String),
}

fn kind(reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> Option<Kind> {
    let node = reader.need("kind", problems);
    let status = reader.count("status", 100..=599, problems).map(|status| status as u16);
    let rate = reader.ratio("rate", problems);
    let latency = reader.distribution("latency", problems);
    let factor = reader.get("factor").map(|node| value::number(node, 0.001..=1e6, problems));
    let node = node?;
    let name = value::text(node, problems)?;
    if LATER.contains(&name) {
        return Some(Kind::Later(name.to_owned()));
    }
    let uses: &[&str] = match name {
        "wedge" => &["status"],
        "grey" | "errors" => &["status", "rate"],
        "slow" => &["factor", "latency"],
        _ if NOW.contains(&name) => &[],
        _ => {
            let label = match crate::diagnostic::nearest(name, NOW.into_iter().chain(LATER)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("one of: {}", NOW.join(", ")),
            };
            problems.error("scenario::fault-kind", &node.place, format!("there is no fault `{name}`"), label);
            return None;
        }
    };
    for key in ["status", "rate", "factor", "latency"] {
        if reader.has(key) && !uses.contains(&key) {
            let label =
                if uses.is_empty() { "it has no parameter".to_owned() } else { format!("it has {}", uses.join(", ")) };
            problems.error(
                "scenario::fault-parameter",
                reader.key_place(key),
                format!("`{name}` has no `{key}`"),
                label,
            );
        }
    }
    // 503 is what a wedged replica answers unless the file says otherwise.
    let status = status.unwrap_or(503);
    let mut share = || {
        if rate.is_none() && !reader.has("rate") {
            let label = "add rate = \"30%\"";
            problems.error("scenario::missing-key", &node.place, format!("`{name}` needs a `rate`"), label);
        }
        rate
    };
    let kind = match name {
        "wedge" => FaultKind::Wedge { status },
        "grey" => FaultKind::Grey { status, rate: share()? },
        "errors" => FaultKind::Errors { status, rate: share()? },
        "hang" => FaultKind::Hang,
        "slow" => {
            if factor.is_none() && !reader.has("latency") {
                let label = "add factor = 3 or latency = \"200ms\"";
                problems.error("scenario::missing-key", &node.place, "`slow` does not say how slow", label);
                return None;
            }
            let factor = match factor {
                Some(factor) => factor?,
                None => 1.0,
            };
            FaultKind::Slow { factor_milli: (factor * 1000.0 + 0.5) as u32, added: latency }
        }
        "reset" => FaultKind::Reset,
        "refuse" => FaultKind::Refuse,
        "crash" => FaultKind::Crash,
        _ => FaultKind::Stop,
    };
    Some(Kind::Now(kind))
}

impl Happenings {
    /// When an unmodelled fault of that name would be on.
    pub fn later_window(&self, name: &str, duration: Span) -> Option<(Time, Time)> {
        match self.later.get(name)? {
            When::Once { at, lasts } => Some((*at, lasts.map_or(Time::ZERO + duration, |lasts| *at + lasts))),
            When::Every { .. } => Some((Time::ZERO, Time::ZERO + duration)),
        }
    }
}
