//! `scsim explain`: a small manual that needs no network.
//!
//! One entry per metric, fault, field, plane, preset, code, response flag, constant and result key. Long texts are in
//! `pages`, `faults` and `costs`; the rest is made from where a word is defined. Tests hold them against the code.

mod codes;
mod costs;
mod faults;
mod names;
mod pages;
mod words;

use std::fmt::Write as _;

use super::Exit;
use super::args::ExplainArgs;
use super::console;
use super::console::Console;
use super::console::complain;
use super::loading;
use crate::report::json::confidence_name;
use crate::scenario::Assumption;
use crate::scenario::Preset;
use crate::scenario::vocabulary;
use pages::Kind;
use pages::PAGES;
use pages::Page;

/// Longest list of fields that share the end of their names, each with a whole page.
const WHOLE_PAGES: usize = 3;

/// Prints a page, or the list of them.
pub fn explain(console: &Console, args: &ExplainArgs) -> Exit {
    let constants = loading::every_constant();
    let Some(word) = args.word.as_deref() else {
        let mut out = index(&[Kind::Metric, Kind::Fault]);
        out.push_str(&names::planes());
        out.push_str(&presets());
        out.push_str(MORE);
        return console::print(&out);
    };
    if let Some(list) = list_of(word.trim(), &constants) {
        return console::print(&list);
    }
    let pages = pages_of(word, &constants);
    if pages.is_empty() {
        let words = every_word(&constants);
        let hint = loading::did_you_mean(word, words.iter().map(String::as_str));
        complain(&format!("error: nothing is known about `{}`{hint}", word.replace(char::is_control, "?")));
        console.say("all words: scsim explain");
        return Exit::Usage;
    }
    console::print(&pages.join("\n"))
}

/// What the overview does not list.
const MORE: &str = "\
more lists
  scsim explain fields             every field of a scenario; `scsim explain service` those of a table
  scsim explain codes              every code of an error or warning
  scsim explain flags              Envoy's response flags
  scsim explain constants          what had to be assumed
  scsim explain results            every key of a result file
";

/// A list that is asked for by its name.
fn list_of(word: &str, constants: &[Assumption]) -> Option<String> {
    Some(match word {
        "metrics" => index(&[Kind::Metric]),
        "faults" => index(&[Kind::Fault]),
        "fields" => field_index(),
        "presets" => presets(),
        "planes" => names::planes(),
        "flags" => names::flags(),
        "codes" => codes_index(),
        "constants" | "assumptions" => names::constants_index(constants),
        "results" => names::results_index(),
        _ => return None,
    })
}

/// Every page that a word means.
fn pages_of(word: &str, constants: &[Assumption]) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(preset) = Preset::named(word.trim()) {
        found.push(values(preset));
    }
    found.extend(names::plane(word));
    if !found.is_empty() {
        return found;
    }
    let wanted = word.trim().replace('-', "_").to_lowercase();
    let mut written: Vec<&Page> = every_page().filter(|page| matches(page, &wanted)).collect();
    let fields = words::find(word);
    let whole = fields.len() <= WHOLE_PAGES;
    // A page that is written about a field stands for the vocabulary's own line.
    for field in fields.iter().filter(|_| whole) {
        let path = words::path(*field);
        let own = |page: &&Page| {
            page.kind == Kind::Field && (page.word == path || path.ends_with(&format!(".{}", page.word)))
        };
        match written.iter().position(own) {
            Some(at) => {
                found.push(format!("{}{}", full(written[at]), words::facts(*field, constants)));
                written.remove(at);
            }
            None => found.push(words::page(*field, constants)),
        }
    }
    found.splice(0..0, written.iter().map(|page| full(page)));
    if !whole {
        let lines: Vec<String> =
            fields.iter().map(|field| format!("  {:<44} {}\n", words::path(*field), field.1.about)).collect();
        found.push(format!("{} (fields of several tables)\n{}", word.trim(), lines.concat()));
    }
    found.extend(words::table(word).map(words::table_page));
    found.extend(codes::find(word).map(|(code, text)| format!("{code} (code of an error or warning)\n  {text}\n")));
    found.extend(names::flag(word));
    found.extend(names::constants(word, constants));
    if found.is_empty() {
        found.extend(names::results_named(word));
    }
    found
}

/// Every word that has a page, for suggestions.
fn every_word(constants: &[Assumption]) -> Vec<String> {
    let mut all: Vec<String> = every_page().map(|page| page.word.to_owned()).collect();
    all.extend(Preset::all().map(|preset| preset.name().to_owned()));
    all.extend(vocabulary::planes().map(str::to_owned));
    for field in words::fields() {
        all.extend([words::path(field), field.1.name.to_owned()]);
    }
    for (code, _) in codes::CODES {
        all.extend([(*code).to_owned(), code.rsplit("::").next().unwrap_or(code).to_owned()]);
    }
    all.extend(constants.iter().map(|a| a.id.clone()));
    all.extend(names::results().into_iter().map(|(path, _)| path.rsplit('.').next().unwrap_or("").to_owned()));
    all
}

fn codes_index() -> String {
    let mut out = String::from("codes of errors and warnings\n");
    for (code, text) in codes::CODES {
        let _ = writeln!(out, "  {code:<32} {text}");
    }
    out
}

/// The fields, table by table.
fn field_index() -> String {
    let mut out = String::from("fields\n");
    for field in words::fields() {
        let _ = writeln!(out, "  {:<48} {}", words::path(field), field.1.about);
    }
    out
}

/// All pages: metrics and fields, then faults.
fn every_page() -> impl Iterator<Item = &'static Page> {
    PAGES.iter().chain(costs::COSTS).chain(faults::FAULTS)
}

/// A word names a page in full, by its result-file key, or by the last part of a field.
fn matches(page: &Page, wanted: &str) -> bool {
    if page.word.eq_ignore_ascii_case(wanted) {
        return true;
    }
    match page.kind {
        Kind::Metric => {
            let is_percentile =
                wanted.strip_prefix('p').is_some_and(|rest| rest.trim_end_matches("_ms").parse::<f64>().is_ok());
            (page.word == "p99" && is_percentile)
                || ["_ms", "_s", "_rps"].iter().any(|unit| wanted.strip_suffix(unit) == Some(page.word))
        }
        // Faults are spelt with a hyphen; what is asked for has none left.
        Kind::Fault => {
            let same = |word: &str| word.replace('-', "_").eq_ignore_ascii_case(wanted);
            same(page.word) || faults::aliases(page.word).iter().any(|alias| same(alias))
        }
        Kind::Field => page.word.rsplit('.').next() == Some(wanted) || wanted.ends_with(&format!(".{}", page.word)),
    }
}

fn full(page: &Page) -> String {
    let kind = match page.kind {
        Kind::Metric => "metric",
        Kind::Fault => "fault",
        Kind::Field => "field",
    };
    let text: Vec<String> = page.text.lines().map(|line| format!("  {line}\n")).collect();
    format!("{} ({kind})\n{}", page.word, text.concat())
}

/// The presets by name.
fn presets() -> String {
    let mut out = String::from("presets\n");
    for preset in Preset::all() {
        let _ = writeln!(out, "  {:<24} {}", preset.name(), preset.about());
    }
    out
}

/// A preset, each value with its source and how sure that is.
fn values(preset: Preset) -> String {
    let mut out = format!("{} (preset)\n  {}\n\n", preset.name(), preset.about());
    for value in preset.values() {
        let _ = writeln!(out, "  {} = {}  ({})", value.id, value.value, confidence_name(value.confidence));
        let _ = writeln!(out, "      source: {}", value.source);
    }
    let _ = writeln!(out, "\n  what else a run assumes: scsim assumptions");
    out
}

fn index(kinds: &[Kind]) -> String {
    let mut out = String::new();
    for &kind in kinds {
        let title = match kind {
            Kind::Metric => "metrics",
            Kind::Fault => "faults",
            Kind::Field => "fields",
        };
        let _ = writeln!(out, "{title}");
        for page in every_page().filter(|page| page.kind == kind) {
            let line = page.text.lines().next().unwrap_or_default();
            let _ = writeln!(out, "  {:<24} {line}", page.word);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure;
    use crate::scenario::Metric;

    #[test]
    fn every_metric_has_a_page() {
        for metric in [
            Metric::Requests,
            Metric::ErrorRate,
            Metric::FailedRequests,
            Metric::SuccessRate,
            Metric::Goodput,
            Metric::Mean,
            Metric::Max,
            Metric::Percentile(0.999),
            Metric::AttemptsPerRequest,
            Metric::RetriesPerRequest,
            Metric::Ejections,
            Metric::TimeToEject,
            Metric::TimeToContain,
            Metric::TimeToRecover,
            Metric::StaleWindow,
            Metric::StaleDials,
            Metric::Overflow,
            Metric::PanicTime,
            Metric::QueueMax,
            Metric::CpuMax,
            Metric::TasksMax,
            Metric::TasksMean,
            Metric::DeployTime,
            Metric::Rollbacks,
            Metric::TestRequests,
            Metric::TestErrorRate,
            Metric::UnresolvedCalls,
            Metric::CostPerMonth,
            Metric::InFlightMean,
            Metric::QueueMean,
            Metric::WaitShare,
            Metric::WaitMean,
            Metric::Utilization,
        ] {
            let name = figure::name(metric);
            assert!(every_page().any(|page| page.kind == Kind::Metric && matches(page, &name)), "{name}");
        }
        for figure in crate::scenario::CostFigure::ALL {
            let name = figure.name();
            assert!(every_page().any(|page| page.kind == Kind::Metric && matches(page, name)), "{name}");
        }
    }

    #[test]
    fn every_kind_of_fault_has_a_page() {
        let toml = |kind: &str| {
            format!(
                "[service.a]\nlatency = \"1ms\"\n[load]\nrate = \"1/s\"\n[[fault]]\nat = \"1s\"\nkind = \"{kind}\"\n"
            )
        };
        // The reader's own list of kinds, as its diagnostic gives it.
        let path = std::path::Path::new(".");
        let found = crate::scenario::parse("t", &toml("xxxxxxxxxxxx"), path, &crate::scenario::LoadOptions::default());
        let label = found.unwrap_err().iter().find(|d| d.code == "scenario::fault-kind").unwrap().label.clone();
        let kinds: Vec<&str> = label.trim_start_matches("one of: ").split(", ").collect();
        assert!(kinds.len() > 30, "{label}");
        for kind in kinds {
            let wanted = kind.replace('-', "_");
            assert!(every_page().any(|page| page.kind == Kind::Fault && matches(page, &wanted)), "{kind}");
        }
        assert!(every_page().any(|page| page.word == "partition" && matches(page, "blackhole")));
    }

    #[test]
    fn words_are_found_in_the_forms_people_use() {
        for (wanted, word) in
            [("p99.9", "p99"), ("time_to_eject_s", "time_to_eject"), ("interval", "outlier_detection.interval")]
        {
            assert!(every_page().any(|page| page.word == word && matches(page, wanted)), "{wanted}");
        }
        assert!(!every_page().any(|page| matches(page, "nonsense")));
    }

    #[test]
    fn every_field_of_the_policy_has_a_page() {
        for word in [
            "lb_policy",
            "ring_hash_lb_config",
            "maglev_lb_config",
            "least_request_lb_config",
            "slow_start_config",
            "zone_aware_lb_config",
            "locality_weighted_lb_config",
            "update_merge_window",
            "healthy_panic_threshold",
            "fail_traffic_on_panic",
            "overprovisioning_factor",
            "retry_on",
            "num_retries",
            "retriable_status_codes",
            "retriable_headers",
            "retriable_request_headers",
            "retry_back_off",
            "rate_limited_retry_back_off",
            "retry_host_predicate",
            "host_selection_retry_max_attempts",
            "retry_priority",
            "per_try_timeout",
            "per_try_idle_timeout",
            "hedge_on_per_try_timeout",
            "per_request_buffer_limit_bytes",
            "circuit_breakers",
            "retry_budget",
            "per_host_thresholds",
            "per_upstream_preconnect_ratio",
            "max_connect_attempts",
            "consecutive_5xx",
            "interval",
            "max_ejection_percent",
            "detect_degraded_hosts",
            "strict_envoy",
        ] {
            assert!(every_page().any(|page| page.kind == Kind::Field && matches(page, word)), "{word}");
        }
    }

    /// Every code of a diagnostic in the source, but those of tests.
    fn codes_in(folder: &std::path::Path, found: &mut std::collections::BTreeSet<String>) {
        const KINDS: [&str; 6] = ["scenario", "expect", "policy", "cost", "sweep", "claim"];
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // This room names them all.
                if !path.ends_with("explain") {
                    codes_in(&path, found);
                }
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            for literal in text.split('"').skip(1) {
                let Some((kind, name)) = literal.split_once("::") else { continue };
                let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                if KINDS.contains(&kind) && !name.is_empty() && name.chars().all(plain) {
                    found.insert(literal.to_owned());
                }
            }
        }
    }

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        let mut used = std::collections::BTreeSet::new();
        codes_in(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut used);
        let pages: std::collections::BTreeSet<String> =
            codes::CODES.iter().map(|(code, _)| (*code).to_owned()).collect();
        assert!(used.len() > 90, "{}", used.len());
        assert_eq!(used.symmetric_difference(&pages).collect::<Vec<_>>(), [""; 0]);
        assert_eq!(pages.len(), codes::CODES.len(), "a code stands there twice");
    }

    #[test]
    fn every_word_that_can_be_met_has_a_page() {
        let constants = loading::every_constant();
        let has = |word: &str| !pages_of(word, &constants).is_empty();
        for field in words::fields() {
            let path = words::path(field);
            assert!(has(&path), "{path}");
            let last = pages_of(&path, &constants).concat();
            assert!(last.contains("form: "), "{path}: {last}");
        }
        assert!(words::fields().count() > 400);
        for flag in crate::measure::Flag::ALL {
            assert!(pages_of(flag.name(), &constants).concat().contains(flag.meaning()), "{}", flag.name());
        }
        for plane in vocabulary::planes() {
            assert!(pages_of(plane, &constants).concat().contains("(plane)"), "{plane}");
        }
        for constant in &constants {
            assert!(pages_of(&constant.id, &constants).concat().contains(&constant.source), "{}", constant.id);
        }
        let results = names::results();
        assert!(results.len() > 250, "{}", results.len());
        for (key, about) in results {
            assert!(has(&key) && !about.is_empty(), "{key}");
        }
        for list in ["metrics", "faults", "fields", "planes", "presets", "codes", "flags", "constants", "results"] {
            assert!(list_of(list, &constants).is_some_and(|list| list.lines().count() > 4), "{list}");
        }
        assert!(!has("nonsense"));
    }

    #[test]
    fn a_page_about_a_field_has_its_form_default_and_sources() {
        let constants = loading::every_constant();
        let page = pages_of("outlier_detection.consecutive_5xx", &constants).concat();
        assert!(page.contains("Envoy's default is 5") && page.contains("default: 5"), "{page}");
        assert!(page.contains("service-connect@2026-01: 5 (documented"), "{page}");
        let page = pages_of("plane.endpoint_push", &constants).concat();
        assert!(page.contains("sc.push_latency") && page.contains("(guess"), "{page}");
    }

    #[test]
    fn a_preset_says_where_each_value_comes_from_and_what_is_a_guess() {
        let text = values(Preset::ServiceConnect);
        assert!(text.contains("outlier_detection.max_ejection_percent = 10 %, at least one: true  (guess)"), "{text}");
        assert!(text.contains("retry_policy.num_retries = 2  (documented)"), "{text}");
    }
}
