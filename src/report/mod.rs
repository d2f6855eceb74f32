//! What people and scripts read: one model of the comparison, rendered in several formats.
//!
//! Start reading at [`Report`]. `figure` reads metrics off a study, `expect` judges expectations,
//! `model` is the format-free comparison; `text`, `markdown`, `csv` and `json` lay it out.

pub mod csv;
pub mod expect;
pub mod figure;
pub mod file;
pub mod format;
pub mod json;
pub mod markdown;
pub mod model;
pub mod text;

use crate::measure::study::Study;
use crate::scenario::Scenario;
use expect::Judgement;
use figure::Sheet;
use model::Circumstances;
use model::Comparison;

/// A study with its judgements, ready for any format.
pub struct Report<'a> {
    /// Scenario and study.
    pub sheet: Sheet<'a>,
    /// Expectations, judged.
    pub judgements: Vec<Judgement>,
    /// SHA-256 of everything in the result file but `engine`, hex.
    pub digest: String,
    /// Overrides that belong to a re-run command.
    pub arguments: Vec<String>,
}

impl<'a> Report<'a> {
    /// Judges a study. `arguments` are the overrides to repeat in a re-run command.
    pub fn new(scenario: &'a Scenario, study: &'a Study, arguments: Vec<String>) -> Report<'a> {
        let sheet = Sheet::new(scenario, study);
        let judgements = expect::judge(&sheet);
        let digest = json::digest(&sheet, &judgements);
        Report { sheet, judgements, digest, arguments }
    }

    /// The format-free comparison.
    pub fn comparison(&self) -> Comparison {
        let circumstances = Circumstances { digest: self.digest.clone(), arguments: self.arguments.clone() };
        model::compare(&self.sheet, &self.judgements, &circumstances)
    }
}
