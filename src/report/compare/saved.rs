//! Result files, read back.
//!
//! *Knows* as much of `scsim.result/1` as a comparison needs, and what a file may be instead of a
//! whole result. *Does not know* file systems. Keys that it has not heard of are passed over.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;
use serde_json::error::Category;
use thiserror::Error;

/// The result of one scenario.
#[derive(Clone, Deserialize, Debug)]
pub struct Saved {
    /// The program.
    pub scsim: Program,
    /// The scenario.
    pub scenario: About,
    /// Its seed.
    pub seed: u64,
    /// Replications that every plane finished.
    pub replications: u32,
    /// Confidence of every interval.
    pub confidence: f64,
    /// It was interrupted.
    #[serde(default)]
    pub partial: bool,
    /// Its planes.
    pub planes: Vec<SavedPlane>,
}

/// The program that wrote it.
#[derive(Clone, Deserialize, Debug)]
pub struct Program {
    /// Version of the model: results differ between two of them.
    pub model: u32,
}

/// What was simulated.
#[derive(Clone, Deserialize, Debug)]
pub struct About {
    /// The file as it was named.
    #[serde(default)]
    pub file: String,
    /// Title.
    pub title: String,
    /// Digest of its text.
    #[serde(default)]
    pub digest: String,
    /// What the file said.
    #[serde(default)]
    pub settings: Option<IndexMap<String, Value>>,
}

/// One plane.
#[derive(Clone, Deserialize, Debug)]
pub struct SavedPlane {
    /// Name.
    pub name: String,
    /// It was simulated.
    #[serde(default = "yes")]
    pub applicable: bool,
    /// Figures by name.
    pub metrics: IndexMap<String, Option<Figure>>,
    /// A digest per replication.
    #[serde(default)]
    pub runs: Vec<String>,
    /// Figures by replication.
    #[serde(default)]
    pub replications_detail: Option<SavedDetail>,
}

const fn yes() -> bool {
    true
}

/// `M` of the format.
#[derive(Clone, Copy, PartialEq, Deserialize, Debug)]
pub struct Figure {
    /// Mean.
    pub mean: Option<f64>,
    /// Lower end of the interval.
    #[serde(default)]
    pub low: Option<f64>,
    /// Upper end.
    #[serde(default)]
    pub high: Option<f64>,
    /// Worst replication.
    #[serde(default)]
    pub worst: Option<f64>,
}

/// Arrays by replication.
#[derive(Clone, Deserialize, Debug)]
pub struct SavedDetail {
    /// Which replications.
    pub index: Vec<u32>,
    /// User requests that came in.
    pub arrived: Vec<u64>,
    #[serde(flatten)]
    figures: IndexMap<String, Value>,
}

impl SavedDetail {
    /// The values of a figure, one per replication.
    pub fn values(&self, key: &str) -> Option<Vec<Option<f64>>> {
        let values: Vec<Option<f64>> = self.figures.get(key)?.as_array()?.iter().map(Value::as_f64).collect();
        (values.len() == self.index.len()).then_some(values)
    }
}

/// Why a text is no result file.
#[derive(Error, Clone, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// It ends too early.
    #[error("this file is cut off in line {line}: write it again with `scsim run ... --json FILE`")]
    CutOff {
        /// Its last line.
        line: usize,
    },
    /// It is no JSON.
    #[error("this is not JSON: {0}")]
    NotJson(String),
    /// It is another kind of JSON.
    #[error(
        "this is no result of scsim (it has no \"schema\": \"scsim.result/1\"): write one with `scsim run ... --json FILE`"
    )]
    NotAResult,
    /// It was written for another reader.
    #[error("this file has the schema \"{0}\", which is newer than this scsim reads (scsim.result/1): update scsim")]
    Newer(String),
    /// It holds nothing.
    #[error("this file holds no result")]
    Empty,
    /// Something in it is wrong.
    #[error("result {place} of this file is damaged: {what}; write it again with `scsim run ... --json FILE`")]
    Damaged {
        /// Which of its results, from 1.
        place: usize,
        /// What is wrong.
        what: String,
    },
}

/// How results stand in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// One, of `run --json`.
    One,
    /// An array, of `run --json` for several scenarios.
    Array,
    /// Those of `test --json`.
    Suite,
}

/// The results in a text: of `run --json`, one or an array; of `test --json`, all of them.
///
/// # Errors
/// [`Unreadable`] if it is no such file, or only a part of one.
pub fn read(text: &str) -> Result<Vec<Saved>, Unreadable> {
    values(text)?.1.into_iter().enumerate().map(|(i, result)| one(i + 1, result)).collect()
}

/// The same before anybody asks what they hold: each has the schema, and there is at least one.
///
/// # Errors
/// [`Unreadable`] if it is no such file, or only a part of one.
pub fn values(text: &str) -> Result<(Shape, Vec<Value>), Unreadable> {
    let value: Value = serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Eof => Unreadable::CutOff { line: error.line() },
        _ => Unreadable::NotJson(error.to_string()),
    })?;
    let (shape, results) = match value {
        Value::Array(results) => (Shape::Array, results),
        Value::Object(mut object) if schema(object.get("schema"), "scsim.suite/")? => match object.remove("results") {
            Some(Value::Array(results)) => (Shape::Suite, results),
            _ => return Err(Unreadable::NotAResult),
        },
        other => (Shape::One, vec![other]),
    };
    if results.is_empty() {
        return Err(Unreadable::Empty);
    }
    for result in &results {
        if !schema(result.get("schema"), "scsim.result/")? {
            return Err(Unreadable::NotAResult);
        }
    }
    Ok((shape, results))
}

/// True if that is the schema, false if it is another kind.
fn schema(found: Option<&Value>, kind: &str) -> Result<bool, Unreadable> {
    let Some(name) = found.and_then(Value::as_str) else { return Ok(false) };
    match name.strip_prefix(kind) {
        Some("1") => Ok(true),
        Some(version) if !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()) => {
            Err(Unreadable::Newer(name.to_owned()))
        }
        _ => Ok(false),
    }
}

fn one(place: usize, value: Value) -> Result<Saved, Unreadable> {
    let damaged = |what: String| Unreadable::Damaged { place, what };
    let saved: Saved = serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
    if !(0.5..1.0).contains(&saved.confidence) {
        return Err(damaged(format!("a confidence of {}", saved.confidence)));
    }
    Ok(saved)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"schema": "scsim.result/1", "scsim": {"model": 1}, "scenario": {"title": "t"}, "seed": 1,
        "replications": 2, "confidence": 0.95, "news": [1], "planes": [{"name": "direct", "metrics": {
        "p99_ms": {"mean": 8.0, "low": 7.0, "high": 9.0, "worst": 9.5}, "ejections": null},
        "replications_detail": {"index": [0, 1], "arrived": [5, 6], "p99_ms": [7.5, null], "p50_ms": [1.0], "note": 3}}]}"#;

    #[test]
    fn results_come_alone_in_arrays_and_in_suites() {
        let one = read(WHOLE).unwrap();
        assert_eq!((one.len(), one[0].planes[0].metrics["p99_ms"].unwrap().mean), (1, Some(8.0)));
        let detail = one[0].planes[0].replications_detail.as_ref().unwrap();
        assert_eq!(detail.values("p99_ms"), Some(vec![Some(7.5), None]));
        assert_eq!(detail.values("p50_ms"), None, "an array of another length is worth nothing");
        assert_eq!(detail.values("note"), None);
        assert_eq!(read(&format!("[{WHOLE}, {WHOLE}]")).unwrap().len(), 2);
        let suite = format!("{{\"schema\": \"scsim.suite/1\", \"results\": [{WHOLE}]}}");
        assert_eq!(read(&suite).unwrap().len(), 1);
    }

    #[test]
    fn every_part_of_a_file_is_refused() {
        let text = WHOLE.replace('\n', "");
        for end in 0..text.len() {
            assert!(matches!(read(&text[..end]), Err(Unreadable::CutOff { .. })), "cut at {end}");
        }
    }

    #[test]
    fn what_is_no_result_says_what_it_is() {
        let newer = WHOLE.replace("result/1", "result/2");
        assert_eq!(read(&newer).unwrap_err(), Unreadable::Newer("scsim.result/2".to_owned()));
        assert_eq!(read("[]").unwrap_err(), Unreadable::Empty);
        for text in ["{}", "3", "null", "[{}]", r#"{"schema": "scsim.replay/1"}"#, r#"{"schema": 1}"#] {
            assert_eq!(read(text).unwrap_err(), Unreadable::NotAResult, "{text}");
        }
        for (from, to) in [
            ("0.95", "95"),
            ("\"seed\": 1", "\"seed\": -1"),
            ("\"replications\": 2", "\"replications\": 99999999999"),
            ("8.0", "\"8\""),
            ("\"model\": 1", "\"model\": {}"),
        ] {
            let found = read(&WHOLE.replace(from, to)).unwrap_err();
            assert!(matches!(found, Unreadable::Damaged { place: 1, .. }), "{to}: {found:?}");
        }
        assert!(matches!(read(&WHOLE.replace("8.0", "1e999")), Err(Unreadable::NotJson(_))));
        assert!(matches!(read("title = \"a scenario\""), Err(Unreadable::NotJson(_))));
        assert!(matches!(read(&"[".repeat(100_000)), Err(Unreadable::NotJson(_) | Unreadable::CutOff { .. })));
    }
}
