//! `[x_reference]`: what a validation scenario is checked against.
//!
//! *Knows* the shape of that table. *Does not know* how a figure is computed or judged.

use indexmap::IndexMap;
use serde::Deserialize;

/// A reference case as its scenario file states it.
#[derive(Clone, PartialEq, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The case; several files may share one.
    pub id: String,
    /// `exact`, `fluid limit`, `simulated reference`, `published`.
    pub kind: String,
    /// The model in words.
    pub model: String,
    /// Where the values come from.
    pub formula: String,
    /// Who says so.
    pub source: String,
    /// The tolerance in words, as the reference states it.
    pub tolerance: String,
    /// The unit of time of the values, in milliseconds.
    pub unit_ms: f64,
    /// A result also counts as inside when the reference lies in the run's 95 % interval.
    #[serde(default)]
    pub or_inside_interval: bool,
    /// The run under `--quick`; a file without it is left out there.
    pub quick: Option<Quick>,
    /// The values by name, in order.
    pub values: IndexMap<String, Value>,
}

/// A short run.
#[derive(Clone, PartialEq, Eq, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Quick {
    /// In place of `run.duration`.
    pub duration: String,
    /// In place of `run.warmup`.
    pub warmup: String,
    /// In place of `run.replications`.
    pub replications: u32,
}

/// One reference value.
#[derive(Clone, PartialEq, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Value {
    /// The value, in units of time where it is one.
    pub value: f64,
    /// The figure of the run that it is compared with.
    pub metric: String,
    /// Largest relative error, `"1%"`.
    pub within: Option<String>,
    /// Largest absolute error.
    pub plus_minus: Option<f64>,
    /// Half-width of the reference's own 95 % interval: the two intervals must overlap.
    pub ci95: Option<f64>,
    /// The value is a bound that the result must not pass, and must come within `within` of.
    pub bound: Option<Bound>,
    /// Narrows the metric to a service.
    pub service: Option<String>,
    /// Narrows the metric to an edge, `a->b`.
    pub edge: Option<String>,
    /// On this plane; the first of `compare` if not given.
    pub plane: Option<String>,
    /// In the window of the scenario's first expectation, not over the whole run.
    #[serde(default)]
    pub in_window_of_expect: bool,
    /// For `share_over`: the threshold in milliseconds.
    pub over_ms: Option<f64>,
}

/// Which side of a bound is allowed.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Debug)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// The result is at least the value.
    Least,
    /// The result is at most the value.
    Most,
}

/// What a value demands of the result.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Demand {
    /// A relative error of at most this.
    Within(f64),
    /// An absolute error of at most this.
    PlusMinus(f64),
    /// An interval that overlaps the reference's, whose half-width this is.
    Overlap(f64),
    /// At or beyond the value, and within that relative error of it.
    Bounded(Bound, f64),
}

#[derive(Deserialize)]
struct File {
    x_reference: Option<Reference>,
}

impl Reference {
    /// The reference in the text of a scenario file; `None` if it has none.
    ///
    /// # Errors
    /// What is wrong with the table, in words.
    pub fn parse(text: &str) -> Result<Option<Reference>, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        if let Some(reference) = &file.x_reference {
            for (name, value) in &reference.values {
                value.demand().map_err(|problem| format!("{name}: {problem}"))?;
            }
        }
        Ok(file.x_reference)
    }
}

impl Value {
    /// What the value demands.
    ///
    /// # Errors
    /// If it demands nothing, or two things.
    pub fn demand(&self) -> Result<Demand, String> {
        let within = self.within.as_deref().map(percent).transpose()?;
        match (within, self.plus_minus, self.ci95, self.bound) {
            (Some(share), None, None, None) => Ok(Demand::Within(share)),
            (None, Some(half), None, None) => Ok(Demand::PlusMinus(half)),
            (None, None, Some(half), None) => Ok(Demand::Overlap(half)),
            (share, None, None, Some(bound)) => Ok(Demand::Bounded(bound, share.unwrap_or(f64::INFINITY))),
            _ => Err("give one of `within`, `plus_minus`, `ci95`, `bound`".to_owned()),
        }
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    number.map(|n| n / 100.0).ok_or_else(|| format!("`{text}` is no percentage"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_demands_exactly_one_thing() {
        let value = |rest: &str| toml::from_str::<Value>(&format!("value = 2.0\nmetric = \"mean\"\n{rest}")).unwrap();
        assert_eq!(value("within = \"1%\"").demand(), Ok(Demand::Within(0.01)));
        assert_eq!(value("ci95 = 0.5").demand(), Ok(Demand::Overlap(0.5)));
        assert_eq!(value("bound = \"most\"\nwithin = \"2%\"").demand(), Ok(Demand::Bounded(Bound::Most, 0.02)));
        assert!(value("").demand().is_err());
        assert!(value("ci95 = 0.5\nwithin = \"1%\"").demand().is_err());
        assert!(value("within = \"1\"").demand().is_err());
    }
}
