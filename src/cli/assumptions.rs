//! `scsim assumptions`: every constant in use, where it comes from, how to override it.

use std::fmt::Write as _;
use std::path::Path;

use super::Exit;
use super::args::AssumptionsArgs;
use super::args::Common;
use super::args::Format;
use super::console;
use super::console::Console;
use super::console::complain;
use super::loading;
use crate::report::json::confidence_name;
use crate::report::model::unverified;
use crate::scenario::Assumption;
use crate::scenario::Preset;

/// Lists the constants of a scenario, the values of a preset, or the constants of all built-in planes.
pub fn list(console: &Console, common: &Common, args: &AssumptionsArgs) -> Exit {
    let assumptions = match preset(args.scenario.as_deref()) {
        Some(preset) => preset.values(),
        None => match loading::for_assumptions(console, args.scenario.as_deref(), &args.shape) {
            Some(scenario) => scenario.assumptions,
            None => return Exit::Usage,
        },
    };
    match common.format {
        Format::Human => {
            let mut out = String::new();
            for assumption in &assumptions {
                out.push_str(&entry(assumption));
            }
            let count = assumptions.len();
            let _ = writeln!(out, "{count} constants, {} of them unverified", unverified(&assumptions));
            console::print(&out)
        }
        Format::Json => {
            let records: Vec<serde_json::Value> = assumptions.iter().map(record).collect();
            let text = serde_json::to_string_pretty(&records).expect("every key is a string");
            console::print(&format!("{text}\n"))
        }
        Format::Markdown => {
            let mut out = String::from("| id | value | source | confidence | override |\n|---|---|---|---|---|\n");
            for a in &assumptions {
                let confidence = confidence_name(a.confidence);
                let cells = [a.id.as_str(), &a.value, &a.source, confidence, &a.remedy()].map(cell);
                let _ = writeln!(out, "| {} |", cells.join(" | "));
            }
            console::print(&out)
        }
        Format::Csv | Format::Html => {
            complain("error: assumptions are printed as human, json or markdown");
            Exit::Usage
        }
    }
}

/// The preset of that name, unless a file has it.
fn preset(scenario: Option<&Path>) -> Option<Preset> {
    scenario.filter(|path| !path.exists()).and_then(Path::to_str).and_then(Preset::named)
}

pub fn entry(a: &Assumption) -> String {
    let value = if a.value.is_empty() { "none" } else { &a.value };
    format!(
        "{} = {value}  ({})\n    source: {}\n    override: {}\n",
        a.id,
        confidence_name(a.confidence),
        a.source,
        a.remedy()
    )
}

/// A cell of a table: nothing in it ends the cell or the line.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(char::is_control, " ")
}

fn record(a: &Assumption) -> serde_json::Value {
    serde_json::json!({
        "id": a.id,
        "value": a.value,
        "source": a.source,
        "confidence": confidence_name(a.confidence),
        "override": a.remedy(),
        "overridden_by": a.overridden_by,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::scenario::LoadOptions;
    use crate::scenario::Scenario;
    use crate::scenario::parse;

    fn loaded(set: &[String]) -> Result<Scenario, String> {
        let options = LoadOptions { set: set.to_vec(), ..LoadOptions::default() };
        let loaded = parse("built-in", loading::EVERYTHING, Path::new("."), &options);
        loaded.map(|loaded| loaded.scenario).map_err(|problems| problems[0].message.clone())
    }

    /// The marks in the source, `ASSUMPTION` and an id.
    fn marks(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                marks(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for part in text.split(concat!("ASSUMP", "TION(")).skip(1) {
                    found.insert(part.split(')').next().unwrap().to_owned());
                }
            }
        }
    }

    #[test]
    fn what_the_source_marks_is_listed() {
        let mut marked = BTreeSet::new();
        marks(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut marked);
        assert!(marked.len() > 50, "{}", marked.len());
        let all = loaded(&[]).unwrap().assumptions;
        let missing: Vec<&String> = marked.iter().filter(|id| !all.iter().any(|a| a.id == **id)).collect();
        assert_eq!(missing, [""; 0], "not listed by scsim assumptions");
        for a in &all {
            assert!(!a.source.is_empty() && !a.remedy().is_empty(), "{}", a.id);
        }
    }

    /// A value for a key that is none of its defaults.
    fn other(key: &str) -> &'static str {
        let leaf = key.rsplit('.').next().unwrap();
        match leaf {
            "ready_when" => "\"task-running\"",
            "outlier_reading" => "\"window\"",
            "zone_aware" | "crash_loop" => "false",
            "outlier_detection" => "{ consecutive_5xx = 7 }",
            "circuit_breakers" => "{ max_retries = 7 }",
            "retry_policy" => "{ num_retries = 1 }",
            "retry_on" => "[\"5xx\"]",
            "retry_back_off" => "{ base_interval = \"7ms\" }",
            "num_retries" | "restarts" | "nodes" | "max_answers" | "batch" => "7",
            "max_ejection_percent" | "enforcing_success_rate" => "37",
            "healthy_panic_threshold" | "used" => "\"37%\"",
            "memory" | "memory_base" | "log_line" | "request" | "response" => "\"3KiB\"",
            "cpu" => "\"0.5 vCPU\"",
            "health_check" => "{ interval = \"7s\", timeout = \"2s\" }",
            "alarm" => "{ error_rate = \"7%\", over = \"70s\" }",
            "duration_seconds" => "77",
            _ => "\"7s\"",
        }
    }

    /// The key for `--set` in this scenario.
    fn here(key: &str, a: &Assumption) -> Vec<String> {
        let key = key.replace("scaling.NAME", "scaling.api");
        let key = match a.id.as_str() {
            "fault.memory_used" => key.replace("fault.N", "fault.2"),
            "fault.spot_notice" => key.replace("fault.N", "fault.3"),
            "ecs.shift_settle" => key.replace("deploy.N", "deploy.1"),
            _ => key.replace("deploy.N", "deploy.0"),
        };
        if key.contains("service.NAME") {
            return ["web", "api", "plain"].map(|name| key.replace("NAME", name)).to_vec();
        }
        if key.starts_with("load.") { vec![key.replace("load.", "load.0.")] } else { vec![key] }
    }

    /// Constants whose value is a rule or a default: their key makes another one of it where it is used, and the
    /// list says the rule.
    const RULES: [&str; 7] = [
        "ecs.healthy_without_check",
        "deploy.alarm",
        "fault.memory_used",
        "fault.spot_notice",
        "sc.unhealthy",
        "proxy.refetch",
        "alb.retry",
    ];

    /// What is simulated, without what is said about it.
    fn bare(mut scenario: Scenario) -> Scenario {
        scenario.assumptions.clear();
        scenario.digest.clear();
        scenario
    }

    #[test]
    fn every_override_that_is_named_changes_its_value() {
        let before = loaded(&[]).unwrap();
        let mut still = Vec::new();
        for a in &before.assumptions {
            let remedy = a.remedy();
            // What is off has no value to change.
            if remedy.starts_with("none") || a.value.is_empty() {
                continue;
            }
            let keys = remedy.split(", ").flat_map(|key| here(key, a));
            let set: Vec<String> = keys.map(|key| format!("{key}={}", other(&key))).collect();
            match loaded(&set) {
                Ok(after) if RULES.contains(&a.id.as_str()) => {
                    if bare(after) == bare(before.clone()) {
                        still.push(format!("{} by {set:?}", a.id));
                    }
                }
                Ok(after) => {
                    if after.assumptions.iter().any(|b| (&b.id, &b.value) == (&a.id, &a.value)) {
                        still.push(format!("{} by {set:?}", a.id));
                    }
                }
                Err(problem) => still.push(format!("{} by {set:?}: {problem}", a.id)),
            }
        }
        assert_eq!(still, [""; 0]);
    }
}
