//! Policy traces: a file of vectors, replayed on the very router that both drivers use.
//!
//! *Knows* the vocabulary of vectors and how to bring a router into the situation that one
//! describes. *Does not know* any rule. Invariant: a vector passes only if everything it expects
//! was compared; what cannot be replayed says why and never counts as passed.
//! Start reading at [`replay`]; each kind of vector has a function in one of the rooms, and
//! `schema` knows which keys it takes. The schema for users is `docs/policy-traces.md`.

mod attempts;
mod balance;
mod bench;
mod choice;
mod connections;
mod ejections;
mod events;
mod facts;
mod outlier;
mod output;
mod requests;
mod schema;
mod tape;
pub(crate) mod yaml;

pub use output::Counts;
pub use output::Shown;
pub use output::counts;
pub use output::json;
pub use output::junit;
pub use output::text;
pub use schema::common;
pub use schema::kinds;
pub use schema::situation;

use schema::only;
use tape::Tape;
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
    /// What became of it.
    pub outcome: Outcome,
    /// What was done, what came of it and what was compared, a line each, in order of time; instants in
    /// ms since the vector's t = 0.
    pub timeline: Vec<String>,
}

/// What became of a vector.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// All that it expects is so.
    Passed,
    /// Something is not so; the lines say what happened, `-` what was expected, `+` what was.
    Failed(Vec<String>),
    /// It is right as far as one can see, but scsim has no model for something in it.
    NotReplayable(String),
    /// It breaks the schema, there.
    Malformed(Malformed),
}

impl Outcome {
    /// Its name in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed(_) => "failed",
            Outcome::NotReplayable(_) => "not_replayable",
            Outcome::Malformed(_) => "malformed",
        }
    }
}

/// A mistake in a file of vectors.
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

impl Halt {
    /// Where nothing can be left unreplayed, as in the head of a file.
    fn into_malformed(self) -> Malformed {
        match self {
            Halt::Malformed(malformed) => malformed,
            Halt::NotReplayable(message) => Malformed { line: 1, message },
        }
    }
}

impl From<Malformed> for Halt {
    fn from(malformed: Malformed) -> Halt {
        Halt::Malformed(malformed)
    }
}

/// Whether all was compared; what differed is on the tape.
type Compared = Result<(), Halt>;

fn not_replayable<T>(why: impl Into<String>) -> Result<T, Halt> {
    Err(Halt::NotReplayable(why.into()))
}

/// Replays every vector of a file, in its order.
///
/// # Errors
/// If the file is not one of vectors. A mistake within one vector is that vector's outcome.
pub fn replay(text: &str) -> Result<Vec<Replayed>, Malformed> {
    let file = yaml::parse(text)?;
    let vectors = if let Data::List(items) = &file.data {
        items.as_slice()
    } else {
        only(Some(&file), "a file of vectors", &["meta", "vectors"]).map_err(Halt::into_malformed)?;
        let vectors = file.get("vectors");
        vectors.ok_or_else(|| file.wrong("a list under `vectors`, or a list alone, was expected"))?.list()?
    };
    let mut all: Vec<Replayed> = Vec::new();
    for vector in vectors {
        let word = |key: &str| vector.get(key).and_then(|node| node.text().ok()).unwrap_or("").to_owned();
        let (id, kind, title) = (word("id"), word("kind"), word("title"));
        let tape = Tape::new(vector.get("hosts").and_then(|hosts| hosts.words().ok()).unwrap_or_default());
        let twice = all.iter().any(|other| other.id == id && !id.is_empty());
        let outcome = match attempt(vector, &id, twice, &tape) {
            Ok(()) if !tape.compares() => {
                Outcome::Malformed(vector.wrong("it expects nothing; write what under `expect`"))
            }
            Ok(()) if tape.holds() => Outcome::Passed,
            Ok(()) => Outcome::Failed(tape.differences()),
            Err(Halt::NotReplayable(why)) => Outcome::NotReplayable(why),
            Err(Halt::Malformed(malformed)) => Outcome::Malformed(malformed),
        };
        all.push(Replayed { id, kind, title, line: vector.line, outcome, timeline: tape.timeline() });
    }
    Ok(all)
}

/// One vector, from its name to its last comparison.
fn attempt(vector: &Node, id: &str, twice: bool, tape: &Tape) -> Compared {
    for key in ["id", "kind"] {
        vector.get(key).ok_or_else(|| vector.wrong(&format!("a vector needs `{key}`")))?.text()?;
    }
    if twice {
        return Err(vector.wrong(&format!("the id `{id}` is there twice; each vector has its own")).into());
    }
    let kind = schema::checked(vector)?;
    compare(kind, vector, tape)
}

fn compare(kind: &str, vector: &Node, tape: &Tape) -> Compared {
    match kind {
        "outlier" => outlier::timeline(vector, tape),
        "config_error" => outlier::config_error(vector, tape),
        "lb_picks" => choice::picks(vector, tape),
        "lb_visibility" => choice::visibility(vector, tape),
        "panic" => choice::panic(vector, tape),
        "priority_load" => balance::priority_load(vector, tape),
        "lb_distribution" => balance::distribution(vector, tape),
        "lb_choice" => balance::choice(vector, tape),
        "lb_weight" => balance::weight(vector, tape),
        "health_status" => balance::health_status(vector, tape),
        "slow_start" => balance::slow_start(vector, tape),
        "ring_hash" => balance::ring_hash(vector, tape),
        "maglev" => balance::maglev(vector, tape),
        "retry_matrix" => requests::matrix(vector, tape),
        "retry_sequence" => requests::sequence(vector, tape),
        "retry_hosts" => requests::hosts(vector, tape),
        "retry_breaker" | "retry_budget" => requests::breaker(vector, tape),
        "backoff" => requests::backoff(vector, tape),
        "timeout" => requests::timeout(vector, tape),
        "hedge" => attempts::hedge(vector, tape),
        "buffer" => attempts::buffer(vector, tape),
        "headers" => attempts::headers(vector, tape),
        "flags" => attempts::flags(vector, tape),
        "breaker_defaults" => requests::breaker_defaults(vector, tape),
        "breaker" => connections::breaker(vector, tape),
        "pool" => connections::pool(vector, tape),
        "pool_on_ejection" => connections::on_ejection(vector, tape),
        "pool_on_retry" => connections::on_retry(vector, tape),
        "eds" => connections::removal(vector, tape),
        "tcp" => connections::tcp(vector, tape),
        "outlier_jitter" => ejections::jitter(vector, tape),
        "outlier_degraded" => ejections::degraded(vector, tape),
        "outlier_hc" => ejections::probe_returns(vector, tape),
        "outlier_bug" => ejections::twice(vector, tape),
        other => not_replayable(format!("scsim has no way to replay the kind `{other}`")),
    }
}

/// What a vector expects. Every vector expects something.
fn expectation(vector: &Node) -> Result<&Node, Malformed> {
    vector.get("expect").ok_or_else(|| vector.wrong("a vector needs `expect`"))
}

/// Compares, takes it down, and says whether the values are equal.
fn differ<T: PartialEq + std::fmt::Debug>(tape: &Tape, what: &str, expected: &T, got: &T) -> bool {
    tape.compared(what, &tape::shown(expected), &tape::shown(got), expected == got)
}
