//! When a fault is on: `at`, `for`, `every`, `after`, `ramp`, `stop_when`, `nth`, `every_nth`.
//!
//! *Knows* the forms of time. *Does not know* what goes wrong meanwhile.

use crate::scenario::Awaited;
use crate::scenario::Hits;
use crate::scenario::When;
use crate::scenario::faults::target;
use crate::scenario::happenings::instant;
use crate::scenario::services::Topology;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::units::Span;

/// Most numbers in `nth`.
const NTH_MAX: usize = 10_000;

/// When it is on.
pub fn when(reader: &mut Reader<'_>, topology: &Topology, duration: Span, problems: &mut Problems<'_>) -> Option<When> {
    let lasts = reader.span("for", problems);
    let at = reader.get("at");
    let every = reader.get("every");
    // Anything but a table is a parameter of the kind.
    let after = reader.get("after").filter(|node| matches!(node.value, Value::Table(_)));
    if lasts == Some(Span::ZERO) {
        problems.error("scenario::range", reader.key_place("for"), "this fault lasts no time", "longer than zero");
    }
    if let (Some(after), true) = (after, at.is_some() || every.is_some()) {
        let label = "a fault begins at an instant or after an event; use one";
        problems.error("scenario::at-and-every", &after.place, "`after` beside `at` or `every`", label);
        return None;
    }
    match (at, every, after) {
        (None, None, Some(after)) => {
            let (event, wait) = awaited(after, topology, true, problems)?;
            Some(When::After { event, wait, lasts })
        }
        (Some(at), None, _) => {
            let at = instant(at, duration, "this fault", problems)?;
            Some(When::Once { at, lasts })
        }
        (None, Some(every), _) => {
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
        (None, None, None) => {
            let label = "add at = \"60s\" or every = \"90s\"";
            problems.error("scenario::missing-key", reader.place(), "a fault needs a time", label);
            None
        }
        (Some(_), Some(every), _) => {
            let label = "`at` is once, `every` is again and again; use one";
            problems.error("scenario::at-and-every", &every.place, "both `at` and `every`", label);
            None
        }
    }
}

/// `{ event = "ejected", count = 3, service = "payments", task = "payments#1", by = "web", wait = "5s" }`.
pub fn awaited(node: &Node, topology: &Topology, waits: bool, problems: &mut Problems<'_>) -> Option<(Awaited, Span)> {
    let mut reader = Reader::of(node, "an event", problems)?;
    let words: Vec<(&'static str, &'static str)> = Awaited::EVENTS.iter().map(|name| (*name, *name)).collect();
    let event = reader.need("event", problems).and_then(|node| value::word(node, "event", &words, problems));
    let count = reader.count("count", 1..=1_000_000, problems).unwrap_or(1) as u32;
    let service = reader.get("service").map(|node| topology.named(node, problems).ok_or(()));
    let by = reader.get("by").map(|node| topology.named(node, problems).ok_or(()));
    let task = reader.get("task").map(|node| target::task(node, topology, problems).ok_or(()));
    let wait = if waits { reader.span("wait", problems).unwrap_or(Span::ZERO) } else { Span::ZERO };
    reader.finish(problems);
    // What was written and could not be read spoils the whole.
    let (service, by, task) = (service.transpose().ok()?, by.transpose().ok()?, task.transpose().ok()?);
    Some((Awaited { event: event?, count, service, task, by }, wait))
}

/// `nth` and `every_nth`.
pub fn hits(reader: &mut Reader<'_>, kind: &str, counts: bool, problems: &mut Problems<'_>) -> Option<Hits> {
    let nth = reader.get("nth");
    let every_nth = reader.get("every_nth");
    let Some(node) = nth.or(every_nth) else { return Some(Hits::All) };
    if !counts {
        let label = "only wedge, errors, grey, hang, slow, reset and cut-body can pick requests by number";
        problems.error("scenario::fault-parameter", &node.place, format!("`{kind}` strikes no single request"), label);
        return None;
    }
    if let (Some(_), Some(every_nth)) = (nth, every_nth) {
        let label = "`nth` names single requests, `every_nth` one in so many; use one";
        problems.error("scenario::nth", &every_nth.place, "both `nth` and `every_nth`", label);
        return None;
    }
    if reader.has("rate") {
        let label = "which requests are struck is said by their numbers; leave `rate` out";
        problems.error("scenario::nth", reader.key_place("rate"), "`rate` beside `nth` or `every_nth`", label);
        return None;
    }
    if let Some(node) = every_nth {
        return value::count(node, 1..=u64::from(u32::MAX), problems).map(Hits::EveryNth);
    }
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if items.is_empty() || items.len() > NTH_MAX {
        let label = format!("1 to {NTH_MAX} numbers, or `every_nth`");
        problems.error("scenario::nth", &node.place, "`nth` names no request, or too many", label);
        return None;
    }
    let mut numbers = Vec::with_capacity(items.len());
    for item in items {
        numbers.push(value::count(item, 1..=u64::from(u32::MAX), problems)?);
    }
    numbers.sort_unstable();
    numbers.dedup();
    Some(Hits::Nth(numbers))
}

/// `ramp`.
pub fn ramp(reader: &mut Reader<'_>, kind: &str, when: When, ramps: bool, problems: &mut Problems<'_>) -> Span {
    let Some(ramp) = reader.span("ramp", problems) else { return Span::ZERO };
    let place = reader.key_place("ramp").clone();
    if !ramps {
        let label = "only kinds with a rate, a factor or a latency can: grey, errors, slow, cpu, cut-body, latency, \
                     packet-loss, dns-slow, push-delay, sidecar-slow";
        problems.error("scenario::fault-parameter", &place, format!("`{kind}` cannot grow"), label);
    }
    if let Some(lasts) = when.lasts()
        && ramp > lasts
    {
        let label = format!("it lasts {lasts}, so it never reaches its full strength");
        problems.warn("scenario::ramp", &place, "the ramp is longer than the fault", label);
    }
    ramp
}
