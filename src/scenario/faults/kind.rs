//! `kind` of a fault, and what each kind lets one say.
//!
//! *Knows* the parameters, their defaults and limits. *Does not know* targets and times.

use crate::scenario::Direction;
use crate::scenario::FaultKind;
use crate::scenario::Leak;
use crate::scenario::faults::words;
use crate::scenario::faults::words::KEYS;
use crate::scenario::faults::words::WORDS;
use crate::scenario::faults::words::Word;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::units::Bytes;
use crate::units::Ratio;
use crate::units::Span;

/// A wedged replica answers this unless the file says otherwise.
const STATUS: u16 = 503;
/// ASSUMPTION(fault.spot_notice): two minutes, which Fargate Spot and EC2 Spot both document.
const SPOT_NOTICE: Span = Span::from_secs(120);
/// ASSUMPTION(fault.memory_used): a healthy task uses half of its memory.
const MEMORY_USED: Ratio = Ratio::from_percent(50);

/// The kind with its parameters, and the word it was written with.
pub fn read(reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> Option<(FaultKind, &'static Word)> {
    let node = reader.need("kind", problems);
    reader.allow(&KEYS);
    let node = node?;
    let name = value::text(node, problems)?;
    let Some(word) = words::find(name) else {
        if let Some(advice) = words::no_meaning(name) {
            problems.error("scenario::fault-kind", &node.place, format!("`{name}` has no meaning here"), advice);
            return None;
        }
        let label = match crate::diagnostic::nearest(name, words::all()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of: {}", WORDS.iter().map(|word| word.name).collect::<Vec<_>>().join(", ")),
        };
        problems.error("scenario::fault-kind", &node.place, format!("there is no fault `{name}`"), label);
        return None;
    };
    foreign_keys(reader, word, name, problems);
    Some((kind(reader, word, node, problems)?, word))
}

/// Keys that belong to other kinds.
fn foreign_keys(reader: &mut Reader<'_>, word: &Word, name: &str, problems: &mut Problems<'_>) {
    for key in KEYS {
        if reader.has(key) && !word.keys.contains(&key) {
            let label = if word.keys.is_empty() {
                "it has no parameter".to_owned()
            } else {
                format!("it has {}", word.keys.join(", "))
            };
            let message = format!("`{name}` has no `{key}`");
            problems.error("scenario::fault-parameter", reader.key_place(key), message, label);
        }
    }
    let after = reader.get("after").filter(|node| !matches!(node.value, Value::Table(_)));
    if let Some(after) = after {
        let label = match word.name {
            "cut-body" => "the share of the body that comes is `sent = \"50%\"`",
            "reset" | "crash-loop" => "the time is `delay = \"5s\"`",
            _ => "write after = { event = \"ejected\", count = 3 }",
        };
        problems.error("scenario::after", &after.place, "`after` waits for an event", label);
    }
    for (key, label) in [
        ("correlation", "a draw depends on its own message and not on the one before; use `jitter` or `rate` alone"),
        ("port", "a task has one port here; aim at an edge, \"web->payments\", for one caller's packets"),
    ] {
        if word.keys.contains(&key) && reader.has(key) {
            let message = format!("`{key}` is not modelled");
            problems.error("scenario::fault-parameter", reader.key_place(key), message, label);
        }
    }
}

fn kind(reader: &mut Reader<'_>, word: &Word, node: &Node, problems: &mut Problems<'_>) -> Option<FaultKind> {
    let status = if word.keys.contains(&"status") {
        reader.count("status", 100..=599, problems).map_or(STATUS, |status| status as u16)
    } else {
        STATUS
    };
    let numbered = word.counts && (reader.has("nth") || reader.has("every_nth"));
    Some(match word.name {
        "wedge" => FaultKind::Wedge { status },
        "grey" if numbered => FaultKind::Grey { status, rate: Ratio::ONE },
        "grey" => FaultKind::Grey { status, rate: share(reader, node, word.name, problems)? },
        "errors" if numbered => FaultKind::Errors { status, rate: Ratio::ONE },
        "errors" => FaultKind::Errors { status, rate: share(reader, node, word.name, problems)? },
        "hang" => FaultKind::Hang,
        "slow" => slow(reader, node, problems)?,
        "cpu" => cpu(reader, node, problems)?,
        "reset" if reader.has("delay") => FaultKind::ResetAfter { delay: reader.span("delay", problems)? },
        "reset" => FaultKind::Reset,
        "refuse" => FaultKind::Refuse,
        "cut-body" => {
            let rate = if reader.has("rate") { reader.ratio("rate", problems)? } else { Ratio::ONE };
            let sent = if reader.has("sent") { reader.ratio("sent", problems)? } else { Ratio::ONE };
            FaultKind::CutBody { rate, sent }
        }
        "connection-limit" => {
            let limit = need(reader, "limit", node, "connection-limit", "limit = 100", problems)?;
            let limit = value::count(limit, 0..=1_000_000, problems)? as u32;
            let then = [("time-out", false), ("refuse", true)];
            let refuses = reader.word("then", &then, problems).unwrap_or(false);
            FaultKind::ConnectionLimit { limit, refuses }
        }
        "gc-pause" => pause(reader, node, problems)?,
        "freeze" => FaultKind::Freeze,
        "memory-leak" => leak(reader, node, problems)?,
        "crash" => FaultKind::Crash,
        "crash-loop" => {
            let delay = need(reader, "delay", node, "crash-loop", "delay = \"10s\"", problems)?;
            FaultKind::CrashLoop { delay: longer_than_zero(delay, problems)? }
        }
        "stop" => FaultKind::Stop,
        "spot-reclaim" => FaultKind::SpotReclaim { notice: reader.span("notice", problems).unwrap_or(SPOT_NOTICE) },
        "az-outage" => FaultKind::AzOutage { power: reader.truth("power", problems).unwrap_or(false) },
        "namespace-deleted" => FaultKind::NamespaceDeleted,
        "sidecar-crash" => FaultKind::SidecarCrash,
        "sidecar-slow" => {
            let factor = need(reader, "factor", node, "sidecar-slow", "factor = 3", problems)?;
            FaultKind::SidecarSlow { factor_milli: milli(value::number(factor, 0.001..=1e6, problems)?) }
        }
        "cert-expiry" => FaultKind::CertExpiry,
        "goaway" => FaultKind::Goaway,
        "dns-freeze" => FaultKind::DnsFreeze,
        "dns-fail" => FaultKind::DnsFail,
        "push-freeze" => FaultKind::PushFreeze,
        "dns-slow" => FaultKind::DnsSlow { added: added(reader, node, word.name, problems)? },
        "push-delay" => FaultKind::PushDelay { added: added(reader, node, word.name, problems)? },
        "throttle" => FaultKind::Throttle { added: added(reader, node, word.name, problems)? },
        _ => packets(reader, word, node, problems)?,
    })
}

/// What happens to packets.
fn packets(reader: &mut Reader<'_>, word: &Word, node: &Node, problems: &mut Problems<'_>) -> Option<FaultKind> {
    let directions = [("ingress", Direction::Ingress), ("egress", Direction::Egress), ("both", Direction::Both)];
    let direction = reader.word("direction", &directions, problems);
    Some(match word.name {
        "latency" => {
            need(reader, "latency", node, "latency", "latency = \"100ms\"", problems)?;
            let delay = reader.distribution("latency", problems)?;
            let jitter = reader.span("jitter", problems).unwrap_or(Span::ZERO);
            // What a queueing discipline delays is what leaves the interface: once per round trip.
            FaultKind::Latency { delay, jitter, direction: direction.unwrap_or(Direction::Egress) }
        }
        "packet-loss" => {
            let rate = share(reader, node, word.name, problems)?;
            FaultKind::PacketLoss { rate, direction: direction.unwrap_or(Direction::Both) }
        }
        "bandwidth" => {
            let rate = need(reader, "rate", node, "bandwidth", "rate = \"10MiB/s\"", problems)?;
            let (bytes, unit) = bytes_per(rate, problems)?;
            if unit != "s" || bytes.get() == 0 {
                let label = "write rate = \"10MiB/s\", above zero; nothing at all is kind = \"partition\"";
                problems.error("scenario::value", &rate.place, "a bandwidth is expected here", label);
                return None;
            }
            FaultKind::Bandwidth { rate: bytes, direction: direction.unwrap_or(Direction::Egress) }
        }
        _ => FaultKind::Partition { direction: direction.unwrap_or(Direction::Both) },
    })
}

/// A value that must be there, with an example.
fn need<'t>(
    reader: &mut Reader<'t>,
    key: &'static str,
    kind: &Node,
    name: &str,
    example: &str,
    problems: &mut Problems<'_>,
) -> Option<&'t Node> {
    let found = reader.get(key);
    if found.is_none() {
        let message = format!("`{name}` needs a `{key}`");
        problems.error("scenario::missing-key", &kind.place, message, format!("add {example}"));
    }
    found
}

fn share(reader: &mut Reader<'_>, node: &Node, name: &str, problems: &mut Problems<'_>) -> Option<Ratio> {
    let rate = need(reader, "rate", node, name, "rate = \"30%\"", problems)?;
    value::ratio(rate, problems)
}

fn added(reader: &mut Reader<'_>, node: &Node, name: &str, problems: &mut Problems<'_>) -> Option<Span> {
    let latency = need(reader, "latency", node, name, "latency = \"5s\"", problems)?;
    longer_than_zero(latency, problems)
}

fn longer_than_zero(node: &Node, problems: &mut Problems<'_>) -> Option<Span> {
    let span = value::span(node, problems)?;
    if span.is_zero() {
        problems.error("scenario::range", &node.place, "this is no time at all", "longer than zero");
        return None;
    }
    Some(span)
}

fn milli(factor: f64) -> u32 {
    (factor * 1000.0 + 0.5) as u32
}

fn slow(reader: &mut Reader<'_>, node: &Node, problems: &mut Problems<'_>) -> Option<FaultKind> {
    let latency = reader.distribution("latency", problems);
    let factor = reader.get("factor").map(|node| value::number(node, 0.001..=1e6, problems));
    if factor.is_none() && !reader.has("latency") {
        let label = "add factor = 3 or latency = \"200ms\"";
        problems.error("scenario::missing-key", &node.place, "`slow` does not say how slow", label);
        return None;
    }
    let factor = match factor {
        Some(factor) => factor?,
        None => 1.0,
    };
    Some(FaultKind::Slow { factor_milli: milli(factor), added: latency })
}

fn cpu(reader: &mut Reader<'_>, node: &Node, problems: &mut Problems<'_>) -> Option<FaultKind> {
    let load = share(reader, node, "cpu", problems)?;
    if load > Ratio::from_ppm(999_000) {
        let label = "at most \"99.9%\"; a process that gets nothing is kind = \"freeze\"";
        problems.error("scenario::range", reader.key_place("rate"), "this leaves nothing for the task", label);
        return None;
    }
    Some(FaultKind::Cpu { load })
}

fn pause(reader: &mut Reader<'_>, node: &Node, problems: &mut Problems<'_>) -> Option<FaultKind> {
    let pause = need(reader, "pause", node, "gc-pause", "pause = \"200ms\"", problems)?;
    let pause = longer_than_zero(pause, problems)?;
    let interval = match reader.get("interval") {
        Some(node) => Some(longer_than_zero(node, problems)?),
        None => None,
    };
    let period = reader.get("every").and_then(|node| value::parse_span(plain(node)?).ok());
    for (key, period) in [("interval", interval), ("every", period)] {
        if period.is_some_and(|period| period <= pause) {
            let label = format!("longer than the pause of {pause}; a task that never runs is kind = \"freeze\"");
            problems.error("scenario::range", reader.key_place(key), "there is no time between the pauses", label);
            return None;
        }
    }
    Some(FaultKind::Pause { pause, interval })
}

fn plain(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn leak(reader: &mut Reader<'_>, node: &Node, problems: &mut Problems<'_>) -> Option<FaultKind> {
    let rate = need(reader, "rate", node, "memory-leak", "rate = \"1MiB/s\" or rate = \"10KiB/request\"", problems)?;
    let (bytes, unit) = bytes_per(rate, problems)?;
    if bytes.get() == 0 {
        problems.error("scenario::range", &rate.place, "this leak loses nothing", "more than zero");
        return None;
    }
    let rate = if unit == "s" { Leak::PerSecond(bytes) } else { Leak::PerRequest(bytes) };
    let used = if reader.has("used") { reader.ratio("used", problems)? } else { MEMORY_USED };
    if used >= Ratio::ONE {
        let label = "below \"100%\"";
        problems.error("scenario::range", reader.key_place("used"), "there is no memory left to lose", label);
        return None;
    }
    Some(FaultKind::MemoryLeak { rate, used })
}

/// "1MiB/s" or "10KiB/request".
fn bytes_per(node: &Node, problems: &mut Problems<'_>) -> Option<(Bytes, &'static str)> {
    let text = value::text(node, problems)?;
    let parts = text.trim().rsplit_once('/').and_then(|(size, unit)| match unit.trim() {
        "s" | "sec" | "second" => Some((size, "s")),
        "request" | "req" => Some((size, "request")),
        _ => None,
    });
    let read = match parts {
        Some((size, unit)) => value::parse_bytes(size).map(|bytes| (bytes, unit)),
        None => Err(format!("`{text}` is no size per time; write \"1MiB/s\"")),
    };
    match read {
        Ok(found) => Some(found),
        Err(label) => {
            problems.error("scenario::value", &node.place, "a size per second is expected here", label);
            None
        }
    }
}
