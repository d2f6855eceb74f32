//! What people and scripts read: one model of the comparison, rendered in several formats.
//!
//! Start reading at [`Report`]. `figure` reads metrics off a study, `expect` judges expectations,
//! `model` is the format-free comparison; `text`, `markdown`, `csv` and `json` lay it out.

pub mod bill;
mod cause;
pub mod compare;
pub mod csv;
mod detail;
mod differences;
pub mod expect;
pub mod figure;
pub mod file;
#[cfg(test)]
mod fixture;
pub mod format;
pub mod github;
pub mod hdr;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod model;
pub mod page;
pub mod palette;
pub mod series;
pub mod suite;
pub mod text;

use crate::measure::study::Study;
use crate::scenario::Scenario;
use crate::scenario::Setting;
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
    /// What the file says with its includes and overrides; empty where nobody asks for it.
    pub settings: Vec<Setting>,
    /// The scenario as TOML with every default filled in and marked; empty where nobody asks for it.
    pub filled: String,
    /// The command that makes this result again; empty where nobody asks for it.
    pub again: String,
}

impl<'a> Report<'a> {
    /// Judges a study. `arguments` are the overrides to repeat in a re-run command.
    pub fn new(scenario: &'a Scenario, study: &'a Study, arguments: Vec<String>) -> Report<'a> {
        let sheet = Sheet::new(scenario, study);
        let judgements = expect::judge(&sheet);
        let digest = json::digest(&sheet, &judgements);
        Report {
            sheet,
            judgements,
            digest,
            arguments,
            settings: Vec::new(),
            filled: String::new(),
            again: String::new(),
        }
    }

    /// The format-free comparison.
    pub fn comparison(&self) -> Comparison {
        let circumstances = Circumstances { digest: self.digest.clone(), arguments: self.arguments.clone() };
        model::compare(&self.sheet, &self.judgements, &circumstances)
    }
}

#[cfg(test)]
mod tests {
    use super::fixture;
    use super::text::Style;
    use super::*;

    const EXPECTS: &str = r#"
[[expect]]
that = "error_rate < 0.1%"
plane = "service-connect"
[[expect]]
that = "error_rate > 10%"
plane = "internal-alb"
during = "fault"
[[expect]]
that = "p99 < 76ms"
[[expect]]
that = "service-connect.failed_requests < internal-alb.failed_requests"
"#;

    /// Compares with `tests/golden/report/<name>`; `SCSIM_BLESS=1` writes it instead.
    #[expect(clippy::disallowed_methods, reason = "goldens are blessed by an environment variable")]
    fn golden(name: &str, text: &str) {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/report").join(name);
        if std::env::var_os("SCSIM_BLESS").is_some_and(|v| v == "1") {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, expected, "{name} changed; SCSIM_BLESS=1 writes it anew");
    }

    #[test]
    fn reports_look_as_agreed() {
        let scenario = fixture::scenario(EXPECTS);
        let study = fixture::study(&scenario, 1);
        let report = Report::new(&scenario, &study, Vec::new());
        let comparison = report.comparison();
        golden("plain.txt", &text::render(&comparison, Style::PLAIN));
        let wide = Style { width: 100, sparklines: true, verbose: true, ..Style::PLAIN };
        golden("wide.txt", &text::render(&comparison, wide));
        golden("color.txt", &text::render(&comparison, Style { color: true, ..wide }));
        golden("narrow.txt", &text::render(&comparison, Style { width: 60, ..wide }));
        let ascii = text::render(&comparison, Style { ascii: true, ..wide });
        assert!(ascii.is_ascii());
        golden("ascii.txt", &ascii);
        golden("page.md", &markdown::render(&comparison));
        golden("figures.csv", &csv::render(&report));
    }

    #[test]
    fn the_number_of_threads_cannot_be_seen() {
        let scenario = fixture::scenario(EXPECTS);
        let one = fixture::study(&scenario, 1);
        let many = fixture::study(&scenario, 4);
        let digest = |study: &Study| Report::new(&scenario, study, Vec::new()).digest;
        assert_eq!(digest(&one), digest(&many));
        let mut other = scenario.clone();
        other.run.seed = 2;
        let mut moved = fixture::study(&other, 1);
        assert_ne!(digest(&one), digest(&moved), "the seed is part of the result");
        moved.seed = 1;
        moved.engine.wall = crate::units::Span::from_secs(9);
        assert_eq!(digest(&one), digest(&moved), "the wall is not");
    }

    #[test]
    fn result_files_have_the_agreed_shape() {
        let scenario = fixture::scenario(EXPECTS);
        let study = fixture::study(&scenario, 2);
        let report = Report::new(&scenario, &study, Vec::new());
        let text = json::render(&report);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["schema"], "scsim.result/1");
        assert_eq!(value["digest"], report.digest.as_str());
        let plane = &value["planes"][0];
        assert_eq!(plane["name"], "service-connect");
        assert_eq!(plane["metrics"]["error_rate"]["mean"], 0.0);
        assert!(plane["metrics"]["time_to_eject_s"]["low"].as_f64().unwrap() > 0.39);
        assert!(value["planes"][1]["metrics"]["ejections"].is_null(), "DNS clients eject nobody");
        assert_eq!(plane["tasks"][0]["id"], "payments#1");
        assert_eq!(plane["events"][0]["kind"], "ejected");
        assert_eq!(plane["timeline"]["bucket_s"], 1.0);
        assert_eq!(value["expectations"][0]["verdict"], "holds");
        assert_eq!(value["expectations"].as_array().unwrap().len(), 6);
        assert_eq!(value["differences"][0]["metric"], "error_rate");
        assert!(!text.contains("-0.0,"), "zero has no sign");
        assert_eq!(json::join(&[text.clone(), text.clone()]).trim().chars().next(), Some('['));
    }

    #[test]
    fn one_replication_has_no_interval() {
        let mut scenario = fixture::scenario("");
        scenario.run.replications = crate::scenario::Replications::Fixed(1);
        let study = fixture::study(&scenario, 1);
        let report = Report::new(&scenario, &study, Vec::new());
        let value: serde_json::Value = serde_json::from_str(&json::render(&report)).unwrap();
        assert!(value["planes"][0]["metrics"]["p99_ms"]["low"].is_null());
        assert!(value["planes"][0]["metrics"]["p99_ms"]["mean"].is_number());
        let shown = text::render(&report.comparison(), Style::PLAIN);
        assert!(!shown.contains('±'), "{shown}");
    }

    #[test]
    fn a_plane_that_was_not_simulated_says_why() {
        let mut scenario = fixture::scenario("[[expect]]\nthat = \"error_rate < 1%\"");
        scenario.planes[1].not_applicable = Some("no DNS name was imported".to_owned());
        scenario.planes[2].warning = Some("it is old".to_owned());
        let mut study = fixture::study(&scenario, 1);
        study.planes[0].books.problems.push("one request is missing".to_owned());
        let report = Report::new(&scenario, &study, Vec::new());
        let shown = text::render(&report.comparison(), Style::PLAIN);
        assert!(shown.contains("cloud-map-dns: not applicable: no DNS name was imported"), "{shown}");
        assert!(shown.contains("note: internal-alb: it is old"), "{shown}");
        assert!(shown.contains("BOOKS DO NOT BALANCE"), "{shown}");
        assert_eq!(report.judgements[1].verdict, expect::Verdict::Inconclusive);
        let value: serde_json::Value = serde_json::from_str(&json::render(&report)).unwrap();
        assert_eq!(value["planes"][1]["applicable"], false);
        assert!(value["planes"][1]["metrics"]["error_rate"].is_null());
    }
}
