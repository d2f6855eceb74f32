//! Every shipped scenario: loads, runs, gives the same digest whatever the number of threads, and
//! gives the numbers of its golden summary. Long ones are cut to a minute or two here.
//!
//! `SCSIM_BLESS=1 cargo test --test scenarios` writes the summaries anew. A number that moves needs
//! a line under "Results changed" in CHANGELOG.md and a new MODEL_VERSION.

#![expect(clippy::disallowed_methods, reason = "goldens are blessed by an environment variable")]

use serde_json::Value;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn shipped() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join("scenarios"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    files
}

fn run(file: &std::path::Path, arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_scsim"))
        .arg("run")
        .arg(file.strip_prefix(root()).unwrap())
        .args(["--json", "-", "--fast", "--exit-zero", "--progress", "never"])
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The part of a result that fits on one screen.
fn summary(result: &Value) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "digest {}", result["digest"].as_str().unwrap());
    let _ = writeln!(text, "seed {} replications {}", result["seed"], result["replications"]);
    for plane in result["planes"].as_array().unwrap() {
        let _ = writeln!(text, "{}", plane["name"].as_str().unwrap());
        for metric in [
            "requests",
            "failed_requests",
            "mean_ms",
            "p50_ms",
            "p99_ms",
            "retries_per_request",
            "ejections",
            "stale_dials",
        ] {
            let mean = &plane["metrics"][metric]["mean"];
            let shown = mean.as_f64().map_or("none".to_owned(), |x| format!("{x:.3}"));
            let _ = writeln!(text, "  {metric:<20} {shown}");
        }
    }
    text
}

#[test]
fn shipped_scenarios_give_their_golden_summaries_on_one_thread_and_on_two() {
    let mut moved = Vec::new();
    for file in shipped() {
        let cut = ["--duration", "100s"];
        let one = run(&file, &[&cut[..], &["--jobs", "1"]].concat());
        let two = run(&file, &[&cut[..], &["--jobs", "2"]].concat());
        assert_eq!(one["digest"], two["digest"], "{}: the number of threads changed the result", file.display());
        let got = summary(&one);
        let golden = root().join("tests/golden/scenarios").join(file.with_extension("txt").file_name().unwrap());
        if std::env::var_os("SCSIM_BLESS").is_some() {
            std::fs::write(&golden, &got).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if got != expected {
            moved.push(format!("--- {}\n{expected}+++ now\n{got}", golden.display()));
        }
    }
    assert!(moved.is_empty(), "results changed:\n{}", moved.join("\n"));
}

#[test]
fn another_seed_gives_another_digest() {
    let file = root().join("scenarios/wedged-replica.toml");
    let a = run(&file, &["--duration", "20s", "--seed", "1"]);
    let b = run(&file, &["--duration", "20s", "--seed", "2"]);
    assert_ne!(a["digest"], b["digest"]);
}
