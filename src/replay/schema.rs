//! Which keys a vector may have.
//!
//! *Knows* the kinds, what each takes besides what all do, and how to tell a slip of the pen from a
//! field of Envoy's that scsim does not model. *Does not know* what any key means: each kind checks its
//! own `config`, `timeline` and `expect` with [`only`].

use super::Halt;
use super::Malformed;
use super::not_replayable;
use super::yaml::Data;
use super::yaml::Node;
use crate::diagnostic::nearest;
use crate::policy::config::ConfigProblem;
use crate::scenario::envoy_message;

/// What every vector may have. The last four are notes, which nobody reads here.
const COMMON: [&str; 9] = ["id", "kind", "title", "config", "expect", "source", "verified", "observed", "note"];

/// The situation that a kind may describe, besides `config` and `expect`.
const SITUATION: [&str; 7] = ["hosts", "timeline", "sets", "attempts", "cases", "headers", "concurrent"];

/// The kinds, each with the part of [`SITUATION`] that it takes.
const KINDS: [(&str, &[&str]); 35] = [
    ("outlier", &["hosts", "timeline"]),
    ("config_error", &[]),
    ("lb_picks", &["hosts", "timeline"]),
    ("lb_visibility", &["hosts", "timeline"]),
    ("panic", &["sets"]),
    ("priority_load", &["sets"]),
    ("lb_distribution", &["hosts"]),
    ("lb_choice", &["hosts"]),
    ("lb_weight", &[]),
    ("health_status", &[]),
    ("slow_start", &[]),
    ("ring_hash", &["hosts"]),
    ("maglev", &["hosts"]),
    ("retry_matrix", &[]),
    ("retry_sequence", &["attempts"]),
    ("retry_hosts", &[]),
    ("retry_breaker", &["concurrent"]),
    ("retry_budget", &["concurrent"]),
    ("backoff", &[]),
    ("timeout", &["timeline"]),
    ("hedge", &["attempts"]),
    ("buffer", &["cases"]),
    ("headers", &["headers"]),
    ("flags", &[]),
    ("breaker_defaults", &[]),
    ("breaker", &["hosts", "concurrent"]),
    ("pool", &["concurrent"]),
    ("pool_on_ejection", &[]),
    ("pool_on_retry", &[]),
    ("eds", &[]),
    ("tcp", &["hosts"]),
    ("outlier_jitter", &[]),
    ("outlier_degraded", &["hosts"]),
    ("outlier_hc", &[]),
    ("outlier_bug", &[]),
];

/// Keys that every vector may have.
pub const fn common() -> &'static [&'static str] {
    &COMMON
}

/// Keys of the situation that some kinds take.
pub const fn situation() -> &'static [&'static str] {
    &SITUATION
}

/// The kinds, each with the part of the situation that it takes.
pub const fn kinds() -> &'static [(&'static str, &'static [&'static str])] {
    &KINDS
}

/// The kind of a vector, once the vector's own keys and the order of its time line are looked at.
pub fn checked(vector: &Node) -> Result<&str, Halt> {
    let Some(node) = vector.get("kind") else { return Err(vector.wrong("a vector needs `kind`").into()) };
    let kind = node.text()?;
    let Some((_, takes)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        return Err(unknown(node, "kind", kind, &KINDS.map(|(name, _)| name)));
    };
    let known: Vec<&str> = COMMON.into_iter().chain(SITUATION).collect();
    only(Some(vector), "a vector", &known)?;
    for key in SITUATION.iter().filter(|key| !takes.contains(key)) {
        if vector.get(key).is_some() {
            return not_replayable(format!("a vector of kind `{kind}` makes no use of `{key}`"));
        }
    }
    for key in ["config", "expect"] {
        if let Some(node) = vector.get(key)
            && !matches!(node.data, Data::Map(_))
        {
            return Err(node.wrong(&format!("`{key}` is a mapping: write {key}: {{name: value}}")).into());
        }
    }
    in_order(vector)?;
    Ok(kind)
}

/// The steps of a time line come in the order of their instants.
fn in_order(vector: &Node) -> Result<(), Malformed> {
    let Some(timeline) = vector.get("timeline") else { return Ok(()) };
    let mut before = 0;
    for step in timeline.list()? {
        let Some(node) = step.get("t") else { continue };
        let at = node.millis()?;
        if at < before {
            return Err(node.wrong(&format!("t {at} stands after t {before}; write the steps in order of time")));
        }
        before = at;
    }
    Ok(())
}

/// Refuses a mapping with keys that would be passed over.
pub fn only(node: Option<&Node>, what: &str, known: &[&str]) -> Result<(), Halt> {
    let Some(node) = node else { return Ok(()) };
    if !matches!(node.data, Data::Map(_)) {
        return Err(node.wrong(&format!("{what} is a mapping of names to values")).into());
    }
    let Some((key, value)) = node.entries().iter().find(|(key, _)| !known.contains(&key.as_str())) else {
        return Ok(());
    };
    Err(stranger(value.named_at, what, key, known))
}

/// What to say of a key that nobody reads.
pub fn stranger(line: usize, what: &str, key: &str, known: &[&str]) -> Halt {
    if let Some(message) = envoy_message(key) {
        return Halt::NotReplayable(format!("scsim does not replay Envoy's `{key}` ({message}) in {what} here"));
    }
    let instead = match nearest(key, known.iter().copied()) {
        Some(near) => format!("write `{near}`?"),
        None if known.is_empty() => "nothing is known there".to_owned(),
        None => format!("it may have {}", list(known)),
    };
    Malformed { line, message: format!("there is no `{key}` in {what}; {instead}") }.into()
}

/// What to say of a word that is none of those known: a slip is malformed, another word may be one of a
/// later version.
pub fn unknown(node: &Node, what: &str, word: &str, known: &[&str]) -> Halt {
    match nearest(word, known.iter().copied()) {
        Some(near) => node.wrong(&format!("there is no {what} `{word}`; write `{near}`?")).into(),
        None => Halt::NotReplayable(format!("scsim does not know the {what} `{word}`; it knows {}", list(known))),
    }
}

/// What Envoy refuses of a configuration, told where the file says it.
pub fn refused(vector: &Node, problems: &[ConfigProblem]) -> Malformed {
    let Some(problem) = problems.first() else { return vector.wrong("Envoy refuses the configuration") };
    let config = vector.get("config");
    let name = problem.field.rsplit('.').next().unwrap_or(problem.field);
    let place = config.and_then(|config| config.get(name)).or(config).unwrap_or(vector);
    place.wrong(&format!("{name}: {}; {}", problem.message, problem.remedy))
}

/// The first of many names.
fn list(names: &[&str]) -> String {
    const LISTED: usize = 8;
    let more = if names.len() > LISTED { format!(" and {} more", names.len() - LISTED) } else { String::new() };
    names.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ") + &more
}

/// The hosts of a vector; each has a name of its own.
pub fn hosts(vector: &Node) -> Result<Vec<String>, Malformed> {
    let kind = vector.get("kind").map_or(Ok(""), Node::text)?;
    let Some(node) = vector.get("hosts") else {
        return Err(vector.wrong(&format!("a vector of kind {kind} needs `hosts`: write hosts: [h0, h1]")));
    };
    let names = node.words()?;
    match names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
        Some((_, name)) => Err(node.wrong(&format!("the host `{name}` is there twice; each has its own name"))),
        None => Ok(names),
    }
}

/// The place of a host in the list, by its name.
pub fn host(node: &Node, hosts: &[String]) -> Result<usize, Malformed> {
    let name = node.text()?;
    host_named(node, name, hosts)
}

/// Hosts by name or by number from 0, as numbers.
pub fn numbers(node: &Node, hosts: &[String]) -> Result<Vec<u64>, Malformed> {
    let number = |item: &Node| match item.text()?.parse() {
        Ok(number) => Ok(number),
        Err(_) => host(item, hosts).map(|at| at as u64),
    };
    node.list()?.iter().map(number).collect()
}

/// The same where the name is a key.
pub fn host_named(node: &Node, name: &str, hosts: &[String]) -> Result<usize, Malformed> {
    let names = hosts.iter().map(String::as_str);
    hosts.iter().position(|host| host == name).ok_or_else(|| match nearest(name, names) {
        Some(near) => node.wrong(&format!("there is no host `{name}`; write `{near}`?")),
        None => node.wrong(&format!("there is no host `{name}`; `hosts` has {}", hosts.join(", "))),
    })
}
