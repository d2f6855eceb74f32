//! Policy traces: a file of vectors, replayed on the very router that both drivers use.
//!
//! *Knows* the vocabulary of vectors and how to bring a router into the situation that one
//! describes. *Does not know* any rule. Invariant: a vector passes only if everything it expects
//! was compared; what cannot be replayed says why and never counts as passed.
//! Start reading at [`replay`]; each kind of vector has a function in one of the rooms.

mod balance;
mod bench;
mod choice;
mod outlier;
mod output;
mod requests;
mod yaml;

pub use output::json;
pub use output::junit;
pub use output::text;

use yaml::Data;
use yaml::Node;

/// What became of one vector.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replayed {
    /// Its name.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// What it is about.
    pub title: String,
    /// Where it stands.
    pub line: usize,
    /// Passed, failed or not replayable.
    pub outcome: Outcome,
}

/// Passed, failed or not replayable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// All that it expects is so.
    Passed,
    /// Something is not so; the lines say what happened, `-` what was expected, `+` what was.
    Failed(Vec<String>),
    /// It cannot be replayed, for this reason.
    NotReplayable(String),
}

/// A file that is no file of vectors.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Malformed {
    /// Where.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// Why a vector was not compared to its end.
enum Halt {
    Malformed(Malformed),
    NotReplayable(String),
}

impl From<Malformed> for Halt {
    fn from(malformed: Malformed) -> Halt {
        Halt::Malformed(malformed)
    }
}

/// Lines of difference; none if there is no difference.
type Compared = Result<Vec<String>, Halt>;

fn not_replayable<T>(why: impl Into<String>) -> Result<T, Halt> {
    Err(Halt::NotReplayable(why.into()))
}

/// Replays every vector of a file, in its order.
///
/// # Errors
/// If the file is not one of vectors.
pub fn replay(text: &str) -> Result<Vec<Replayed>, Malformed> {
    let file = yaml::parse(text)?;
    let vectors = match &file.data {
        Data::List(items) => items.as_slice(),
        _ => file.get("vectors").ok_or_else(|| file.wrong("a list under `vectors` was expected"))?.list()?,
    };
    let mut all: Vec<Replayed> = Vec::new();
    for vector in vectors {
        let need = |key: &str| vector.get(key).ok_or_else(|| vector.wrong(&format!("a vector needs `{key}`")));
        let (id, kind) = (need("id")?.text()?.to_owned(), need("kind")?.text()?.to_owned());
        if all.iter().any(|other| other.id == id) {
            return Err(need("id")?.wrong(&format!("the id `{id}` is there twice")));
        }
        let title = vector.get("title").map_or(Ok(""), Node::text)?.to_owned();
        let outcome = match compare(&kind, vector) {
            Ok(lines) if lines.is_empty() => Outcome::Passed,
            Ok(lines) => Outcome::Failed(lines),
            Err(Halt::NotReplayable(why)) => Outcome::NotReplayable(why),
            Err(Halt::Malformed(malformed)) => return Err(malformed),
        };
        all.push(Replayed { id, kind, title, line: vector.line, outcome });
    }
    Ok(all)
}

fn compare(kind: &str, vector: &Node) -> Compared {
    match kind {
        "outlier" => outlier::timeline(vector),
        "config_error" => outlier::config_error(vector),
        "lb_picks" => choice::picks(vector),
        "lb_visibility" => choice::visibility(vector),
        "panic" => choice::panic(vector),
        "priority_load" => balance::priority_load(vector),
        "lb_distribution" => balance::distribution(vector),
        "lb_choice" => balance::choice(vector),
        "lb_weight" => balance::weight(vector),
        "health_status" => balance::health_status(vector),
        "slow_start" => balance::slow_start(vector),
        "ring_hash" => balance::ring_hash(vector),
        "maglev" => balance::maglev(vector),
        "retry_matrix" => requests::matrix(vector),
        "retry_sequence" => requests::sequence(vector),
        "retry_hosts" => requests::hosts(vector),
        "retry_breaker" | "retry_budget" => requests::breaker(vector),
        "backoff" => requests::backoff(vector),
        "timeout" => requests::timeout(vector),
        "breaker_defaults" => requests::breaker_defaults(vector),
        other => not_replayable(format!("scsim has no way to replay the kind `{other}`")),
    }
}

/// What a vector expects. Every vector expects something.
fn expectation(vector: &Node) -> Result<&Node, Malformed> {
    vector.get("expect").ok_or_else(|| vector.wrong("a vector needs `expect`"))
}

/// Refuses a mapping with keys that would be passed over.
fn only(node: Option<&Node>, what: &str, known: &[&str]) -> Result<(), Halt> {
    let entries = node.map_or(&[][..], Node::entries);
    match entries.iter().find(|(key, _)| !known.contains(&key.as_str())) {
        Some((key, _)) => not_replayable(format!("scsim does not know `{key}` in {what}")),
        None => Ok(()),
    }
}

/// Adds two lines if the values differ.
fn differ<T: PartialEq + std::fmt::Debug>(lines: &mut Vec<String>, what: &str, expected: &T, got: &T) {
    if expected != got {
        lines.push(format!("- {what} {expected:?}"));
        lines.push(format!("+ {what} {got:?}"));
    }
}
