//! `scsim explain`: a small manual that needs no network.
//!
//! One entry per metric, fault and field. A test holds the list of metrics against
//! the expectation language; the texts are in `pages`, and presets speak for themselves.

mod costs;
mod faults;
mod pages;

use std::fmt::Write as _;

use super::Exit;
use super::args::ExplainArgs;
use super::console;
use super::console::Console;
use super::console::complain;
use crate::report::json::confidence_name;
use crate::scenario::Preset;
use pages::Kind;
use pages::PAGES;
use pages::Page;

/// Prints a page, or the list of them.
pub fn explain(console: &Console, args: &ExplainArgs) -> Exit {
    let Some(word) = args.word.as_deref() else {
        let mut out = index(&[Kind::Metric, Kind::Fault, Kind::Field]);
        out.push_str(&presets());
        return console::print(&out);
    };
    if let Some(preset) = Preset::named(word.trim()) {
        return console::print(&values(preset));
    }
    let wanted = word.trim().replace('-', "_").to_lowercase();
    match wanted.as_str() {
        "metrics" => return console::print(&index(&[Kind::Metric])),
        "faults" => return console::print(&index(&[Kind::Fault])),
        "fields" => return console::print(&index(&[Kind::Field])),
        "presets" => return console::print(&presets()),
        _ => {}
    }
    let found: Vec<&Page> = every_page().filter(|page| matches(page, &wanted)).collect();
    if found.is_empty() {
        let words = every_page().map(|page| page.word).chain(Preset::all().map(Preset::name));
        let hint = super::loading::did_you_mean(word, words);
        complain(&format!("error: nothing is known about `{word}`{hint}"));
        console.say("all words: scsim explain");
        return Exit::Usage;
    }
    let pages: Vec<String> = found.iter().map(|page| full(page)).collect();
    console::print(&pages.join("\n"))
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

    #[test]
    fn a_preset_says_where_each_value_comes_from_and_what_is_a_guess() {
        let text = values(Preset::ServiceConnect);
        assert!(text.contains("outlier_detection.max_ejection_percent = 10 %, at least one: true  (guess)"), "{text}");
        assert!(text.contains("retry_policy.num_retries = 2  (documented)"), "{text}");
    }
}
