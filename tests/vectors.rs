//! Vectors of the policy, replayed. Goal: what was seen on Envoy stays so in the policy. Method:
//! every vector of `tests/vectors` has to pass; and a vector made wrong on purpose has to fail, or
//! a replay that compares nothing would pass too.

use scsim::replay::Outcome;
use scsim::replay::json;
use scsim::replay::junit;
use scsim::replay::replay;
use std::path::PathBuf;
use std::process::Command;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

#[test]
fn every_vector_of_the_folder_passes() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let vectors = replay(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for vector in vectors {
            assert_eq!(vector.outcome, Outcome::Passed, "{}: {} {}", path.display(), vector.id, vector.title);
            count += 1;
        }
    }
    assert!(count >= 50, "{count} vectors");
}

/// A vector that is right as it stands.
const RIGHT: &str = "
- id: A
  kind: outlier
  title: five
  config: {max_ejection_percent: 100}
  hosts: [h0]
  timeline:
  - {t: 0, host: h0, result: 500, repeat: 5, every: 10}
  - {t: 41, expect: {ejected: [h0], events: [[eject, h0, consecutive_5xx, true]], multiplier: {h0: 1}, overflow: 0}}
";

fn outcome(text: &str) -> Outcome {
    replay(text).unwrap().remove(0).outcome
}

#[test]
fn whatever_is_expected_is_compared() {
    assert_eq!(outcome(RIGHT), Outcome::Passed);
    for (right, wrong) in [
        ("ejected: [h0]", "ejected: []"),
        ("consecutive_5xx, true", "consecutive_5xx, false"),
        ("{h0: 1}", "{h0: 2}"),
        ("overflow: 0", "overflow: 1"),
        ("repeat: 5", "repeat: 4"),
        ("result: 500", "result: 499"),
        ("max_ejection_percent: 100", "max_ejection_percent: 99"),
    ] {
        let Outcome::Failed(lines) = outcome(&RIGHT.replace(right, wrong)) else { panic!("{wrong} passed") };
        assert!(lines.iter().any(|line| line.starts_with("- ")) && lines.iter().any(|line| line.starts_with("+ ")));
    }
}

#[test]
fn a_wrong_number_fails_whatever_the_kind() {
    for (file, right, wrong) in [
        ("choice.yaml", "picks: [1, 2, 3, 0", "picks: [2, 2, 3, 0"),
        ("choice.yaml", "h0: 1080", "h0: 1070"),
        ("choice.yaml", "panic: [true]", "panic: [false]"),
        ("balance.yaml", "picks: [0, 0, 1, 0", "picks: [0, 1, 0, 0"),
        ("balance.yaml", "prepicks: 16", "prepicks: 15"),
        ("balance.yaml", "healthy_load: [35, 65]", "healthy_load: [36, 64]"),
        ("balance.yaml", "degraded_load: [28, 14, 0]", "degraded_load: [28, 13, 0]"),
        ("balance.yaml", "share: [0.75, 0.25]", "share: [0.72, 0.28]"),
        ("balance.yaml", "prev_5: 0.0156", "prev_5: 0.03"),
        ("balance.yaml", "expect: {pick: 1}", "expect: {pick: 0}"),
        ("balance.yaml", "edf_weight: 2.0", "edf_weight: 2.1"),
        ("balance.yaml", "draining: unhealthy+excluded", "draining: unhealthy"),
        ("balance.yaml", "'4000': 0.5", "'4000': 0.51"),
        ("balance.yaml", "17.7, 22.1", "17.7, 24.1"),
        ("balance.yaml", "ring_size: 1026", "ring_size: 1024"),
        ("balance.yaml", "match: 1.0", "match: 0.99"),
        ("balance.yaml", "user-0: 1", "user-0: 2"),
        ("balance.yaml", "min_entries: 21845", "min_entries: 21844"),
        ("requests.yaml", "upper_bounds_ms: [100,", "upper_bounds_ms: [101,"),
        ("requests.yaml", "hosts: [2, 3, 0, 1, 3, 1]", "hosts: [2, 3, 0, 1, 2, 3]"),
        ("requests.yaml", "at_ms: 500", "at_ms: 501"),
        ("requests.yaml", "'409': 1", "'409': 0"),
        ("outlier.yaml", "sr_threshold: 52.0", "sr_threshold: 52.1"),
    ] {
        let text = read(file);
        assert!(text.contains(right), "{file} has no {right}");
        let failed = replay(&text.replacen(right, wrong, 1)).unwrap();
        let failed = failed.iter().filter(|vector| matches!(vector.outcome, Outcome::Failed(_))).count();
        assert_eq!(failed, 1, "{file}: {wrong}");
    }
}

#[test]
fn what_is_not_known_is_never_counted_as_passed() {
    for (right, unknown) in [
        ("kind: outlier", "kind: tcp"),
        ("max_ejection_percent: 100", "max_ejection_percent: 100, detect_degraded_hosts: true"),
        ("overflow: 0", "mood: good"),
        ("result: 500", "result: tcp_connected"),
        ("max_ejection_percent: 100", "max_ejection_percent: 100, enforcing_consecutive_5xx: 50"),
    ] {
        let got = outcome(&RIGHT.replace(right, unknown));
        assert!(matches!(got, Outcome::NotReplayable(_)), "{unknown}: {got:?}");
    }
}

#[test]
fn a_malformed_file_is_told_with_its_line() {
    for (text, line) in [
        ("- id: A\n  kind: [", 2),
        ("- id: A\n", 1),
        ("- id: A\n  kind: outlier\n  hosts: [h0]\n  timeline:\n  - {t: soon, host: h0, result: 500}\n", 5),
        ("- {id: A, kind: tcp}\n- {id: A, kind: tcp}\n", 2),
        ("vectors: 3\n", 1),
        ("", 1),
    ] {
        let malformed = replay(text).unwrap_err();
        assert!(malformed.line >= line && malformed.line <= line + 1, "{text:?}: {malformed}");
    }
}

#[test]
fn the_command_ends_with_its_codes() {
    let desk = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("vectors");
    std::fs::create_dir_all(&desk).unwrap();
    let run = |name: &str, text: &str| {
        let file = desk.join(name);
        std::fs::write(&file, text).unwrap();
        let command = Command::new(env!("CARGO_BIN_EXE_scsim"))
            .args(["policy", "replay"])
            .arg(&file)
            .arg("--junit")
            .arg(desk.join("junit.xml"))
            .output()
            .unwrap();
        let text = [command.stdout, command.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (command.status.code(), text)
    };
    let (code, text) = run("right.yaml", RIGHT);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("1 passed, 0 failed, 0 not replayable"), "{text}");
    let (code, text) = run("wrong.yaml", &RIGHT.replace("{h0: 1}", "{h0: 3}"));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("- multiplier of h0 3") && text.contains("+ multiplier of h0 1"), "{text}");
    assert!(std::fs::read_to_string(desk.join("junit.xml")).unwrap().contains("failures=\"1\""));
    let (code, text) = run("malformed.yaml", "- id: A\n  kind: [\n");
    assert_eq!(code, Some(2), "{text}");
}

#[test]
fn reports_say_which_failed() {
    let files = [("a<b>.yaml".to_owned(), replay(&RIGHT.replace("{h0: 1}", "{h0: 2}")).unwrap())];
    assert_eq!(json(&files)["files"][0]["vectors"][0]["status"], "failed");
    assert!(junit(&files).contains("classname=\"a&lt;b&gt;.yaml\""));
}
