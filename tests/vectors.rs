//! Vectors of the policy, replayed. Goal: what was seen on Envoy stays so in the policy. Method:
//! every vector of `tests/vectors` has to pass; and a vector made wrong on purpose has to fail, or
//! a replay that compares nothing would pass too.

use scsim::replay::Outcome;
use scsim::replay::Shown;
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
        ("balance.yaml", "seed_index: 16", "seed_index: 15"),
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
        ("attempts.yaml", "503+x-envoy-ratelimited: 0, 503", "503+x-envoy-ratelimited: 1, 503"),
        ("attempts.yaml", "refused-stream: 0", "refused-stream: 1"),
        ("attempts.yaml", "retried: 4", "retried: 5"),
        ("attempts.yaml", "success: 1", "success: 0"),
        ("attempts.yaml", "{t: 1199, op: answer}", "{t: 1200, op: answer}"),
        ("attempts.yaml", "at_ms: 260", "at_ms: 261"),
        ("attempts.yaml", "charged: 2, flags: '-'", "charged: 1, flags: '-'"),
        ("attempts.yaml", "{body: 1000, attempts: 3}", "{body: 1001, attempts: 3}"),
        ("attempts.yaml", "internal_attempts: 4", "internal_attempts: 3"),
        ("attempts.yaml", "code: 204", "code: 504"),
        ("attempts.yaml", "reset: 200", "reset: 503"),
        ("attempts.yaml", "path: [0, 1]", "path: [0, 0]"),
        ("attempts.yaml", "[504, UMSDR]", "[504, UT]"),
        ("outlier.yaml", "sr_threshold: 52.0", "sr_threshold: 52.1"),
        ("pools.yaml", "{ok: 1, rejected: 3,", "{ok: 1, rejected: 2,"),
        ("pools.yaml", "conn_of_request: [1, 1, 2,", "conn_of_request: [1, 1, 1,"),
        ("pools.yaml", "idle_closed: true", "idle_closed: false"),
        ("pools.yaml", "with_body_conns: 20", "with_body_conns: 19"),
        ("pools.yaml", "inflight_code: 200", "inflight_code: 503"),
        ("pools.yaml", "failed_before_ejection: 5", "failed_before_ejection: 4"),
        ("pools.yaml", "[500, 1600]", "[500, 1500]"),
        ("pools.yaml", "state: degraded", "state: ejected"),
        ("pools.yaml", "hc_success: true", "hc_success: false"),
        ("pools.yaml", "ejections_active: 2", "ejections_active: 1"),
        ("pools.yaml", "ejections_detected_degradation: 1", "ejections_detected_degradation: 0"),
        ("pools.yaml", "secs_since_last_action", "secs_since_last_passion"),
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
        ("kind: outlier", "kind: telepathy"),
        ("max_ejection_percent: 100", "max_ejection_percent: 100, monitors: []"),
        ("result: 500", "result: tcp_connected"),
        ("max_ejection_percent: 100", "max_ejection_percent: 100, enforcing_consecutive_5xx: 50"),
    ] {
        let got = outcome(&RIGHT.replace(right, unknown));
        assert!(matches!(got, Outcome::NotReplayable(_)), "{unknown}: {got:?}");
    }
}

#[test]
fn a_malformed_file_is_told_with_its_line() {
    for (text, line) in [("- id: A\n  kind: [", 2), ("vectors: 3\n", 1), ("vectros: []\n", 1), ("", 1)] {
        let malformed = replay(text).unwrap_err();
        assert!(malformed.line >= line && malformed.line <= line + 1, "{text:?}: {malformed}");
    }
}

/// What a user may get wrong, each with the words that have to be in the message.
const SLIPS: [(&str, &str, &str); 21] = [
    ("id: A", "name: A", "needs `id`"),
    ("kind: outlier", "kind: outlyer", "write `outlier`"),
    ("title: five", "titel: five", "write `title`"),
    ("title: five", "mood: five", "there is no `mood` in a vector"),
    ("hosts: [h0]", "hosts: h0", "list"),
    ("hosts: [h0]", "hosts: [h0, h0]", "there twice"),
    ("max_ejection_percent: 100", "max_ejection_percnt: 100", "write `max_ejection_percent`"),
    ("max_ejection_percent: 100", "detect_moody_people: true", "there is no `detect_moody_people`"),
    ("max_ejection_percent: 100", "max_ejection_percent: all", "`all`: write a whole number"),
    ("max_ejection_percent: 100", "max_ejection_percent: -1", "nothing is below zero"),
    ("max_ejection_percent: 100", "interval: 10 min", "`10s` or `250ms`"),
    ("max_ejection_percent: 100", "interval: 0", "interval: value must be greater than 0s"),
    ("t: 0", "t: soon", "`soon`: write milliseconds"),
    ("t: 0", "t: -5", "nothing is below zero"),
    ("host: h0", "host: h-0", "write `h0`"),
    ("result: 500", "result: 999", "100 to 599"),
    ("result: 500", "result: tiemout", "write `timeout`"),
    ("result: 500,", "reslut: 500,", "write `result`"),
    ("ejected: [h0]", "ejekted: [h0]", "write `ejected`"),
    ("overflow: 0", "mood: good", "there is no `mood` in expect"),
    ("ejected: [h0]", "ejected: [h7]", "there is no host `h7`"),
];

#[test]
fn each_slip_is_told_with_its_line_and_what_to_write_instead() {
    for (right, wrong, words) in SLIPS {
        assert!(RIGHT.contains(right), "{right}");
        let text = RIGHT.replacen(right, wrong, 1);
        let Outcome::Malformed(got) = outcome(&text) else { panic!("{wrong}: {:?}", outcome(&text)) };
        assert!(got.message.contains(words), "{wrong}: {got}");
        // The second line of the text, where the vector begins, is as good as any for what is missing.
        let place = 1 + text.lines().position(|line| line.contains(wrong)).unwrap();
        assert_eq!(got.line, place, "{wrong}: {got}");
    }
}

#[test]
fn a_slip_in_one_vector_leaves_the_others_to_be_replayed() {
    let text = format!("{}{RIGHT}", RIGHT.replace("id: A", "id: B").replace("t: 0", "t: -1"));
    let got = replay(&text).unwrap();
    assert!(matches!(got[0].outcome, Outcome::Malformed(_)), "{:?}", got[0]);
    assert_eq!(got[1].outcome, Outcome::Passed);
    // The later step is the one that is told.
    let Outcome::Malformed(late) = outcome(&RIGHT.replace("t: 0", "t: 50")) else { panic!("it passed") };
    assert!(late.line == 9 && late.message.contains("in order of time"), "{late}");
    let twice = replay(&format!("{RIGHT}{RIGHT}")).unwrap();
    assert!(matches!(&twice[1].outcome, Outcome::Malformed(wrong) if wrong.message.contains("twice")));
}

#[test]
fn who_expects_nothing_does_not_pass() {
    for text in [
        "- {id: A, kind: retry_sequence, attempts: [500], expect: {}}",
        "- {id: A, kind: outlier, hosts: [a], timeline: [{t: 0, expect: {}}]}",
        "- {id: A, kind: outlier, hosts: [a], timeline: [{t: 0, host: a, result: 500}]}",
        "- {id: A, kind: breaker_defaults, expect: {}}",
    ] {
        let got = outcome(text);
        assert!(matches!(got, Outcome::Malformed(_)), "{text}: {got:?}");
    }
}

#[test]
fn the_timeline_says_what_was_done_and_what_was_compared() {
    let wrong = RIGHT.replace("{h0: 1}", "{h0: 2}").replace("h0", "pay-1");
    let got = replay(&wrong).unwrap().remove(0);
    assert_eq!(
        got.timeline,
        [
            "    0 ms  list of hosts: pay-1",
            "0..30 ms  pay-1 500 ×4",
            "   40 ms  pay-1 500 -> ejected pay-1 by consecutive_5xx until 30 040 ms at least -> panic: health is ignored",
            "   41 ms    expected ejected [pay-1]  ok",
            "   41 ms    expected events [[eject, pay-1, consecutive_5xx, true]]  ok",
            "   41 ms  - expected multiplier of pay-1 2",
            "   41 ms  + got multiplier of pay-1 1",
            "   41 ms    expected overflow 0  ok",
        ]
    );
    let Outcome::Failed(lines) = got.outcome else { panic!("{:?}", got.outcome) };
    assert_eq!(lines, ["at 41 ms (line 9):", "- multiplier of pay-1 2", "+ multiplier of pay-1 1"]);
}

#[test]
fn every_kind_has_a_timeline() {
    for entry in std::fs::read_dir(folder()).unwrap() {
        for vector in replay(&std::fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap() {
            assert!(vector.timeline.iter().any(|line| line.ends_with("  ok")), "{}", vector.id);
            assert!(vector.timeline.len() < 500, "{}: {} lines", vector.id, vector.timeline.len());
        }
    }
}

/// The fenced blocks of that language in a page.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = std::fs::read_to_string(path).unwrap();
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn every_example_of_the_manual_passes() {
    let mut kinds = Vec::new();
    for block in blocks("docs/policy-traces.md", "yaml") {
        for vector in replay(&block).unwrap() {
            assert_eq!(vector.outcome, Outcome::Passed, "{}", vector.id);
            kinds.push(vector.kind);
        }
    }
    kinds.sort();
    kinds.dedup();
    // One kind per line of the dispatch; each has an example.
    assert_eq!(kinds.len(), 35, "{kinds:?}");
}

#[test]
fn the_example_of_the_readme_prints_what_it_says() {
    let example = blocks("README.md", "yaml").remove(0);
    let got = replay(&example).unwrap();
    let said = scsim::replay::text("policy.yaml", &got, Shown::default());
    let readme = std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    assert!(said.contains("FAIL") && readme.contains(&said), "{said}");
}

#[test]
fn the_command_ends_with_its_codes() {
    let desk = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("vectors");
    std::fs::create_dir_all(&desk).unwrap();
    let run_with = |flag: Option<&str>, name: &str, text: &str| {
        let file = desk.join(name);
        std::fs::write(&file, text).unwrap();
        let command = Command::new(env!("CARGO_BIN_EXE_scsim"))
            .args(["policy", "replay"])
            .arg(&file)
            .args(flag)
            .arg("--junit")
            .arg(desk.join("junit.xml"))
            .output()
            .unwrap();
        let text = [command.stdout, command.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (command.status.code(), text)
    };
    let run = |name: &str, text: &str| run_with(None, name, text);
    let (code, text) = run("right.yaml", RIGHT);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("1 passed, 0 failed, 0 not replayable"), "{text}");
    let (code, text) = run("wrong.yaml", &RIGHT.replace("{h0: 1}", "{h0: 3}"));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("- multiplier of h0 3") && text.contains("+ multiplier of h0 1"), "{text}");
    let junit = std::fs::read_to_string(desk.join("junit.xml")).unwrap();
    assert!(junit.contains("failures=\"1\"") && junit.contains("<system-out>"), "{junit}");
    assert!(text.contains("  - expected multiplier of h0 3"), "{text}");
    let (code, text) = run_with(Some("--timeline"), "right.yaml", RIGHT);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("0..30 ms  h0 500 ×4"), "{text}");
    // A file of which nothing can be replayed, and one that is half so.
    let strange = RIGHT.replace("max_ejection_percent: 100", "monitors: []");
    let half = format!("{RIGHT}{}", strange.replace("id: A", "id: B"));
    for (text, flag, expected) in [
        (strange.as_str(), None, 4),
        (&strange, Some("--strict"), 1),
        (&half, None, 0),
        (&half, Some("--strict"), 1),
        ("[]", None, 4),
    ] {
        let (code, said) = run_with(flag, "strange.yaml", text);
        assert_eq!(code, Some(expected), "{flag:?} {said}");
    }
    let (code, text) = run("slip.yaml", &RIGHT.replace("result: 500", "result: 999"));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("slip.yaml:8: `999`"), "{text}");
    let (code, text) = run_with(Some("--json=right.yaml/nowhere"), "right.yaml", RIGHT);
    assert_eq!(code, Some(2), "{text}");
    let (code, text) = run("malformed.yaml", "- id: A\n  kind: [\n");
    assert_eq!(code, Some(2), "{text}");
}

#[test]
fn reports_say_which_failed() {
    let files = [("a<b>.yaml".to_owned(), replay(&RIGHT.replace("{h0: 1}", "{h0: 2}")).unwrap())];
    assert_eq!(json(&files, Shown::default())["files"][0]["vectors"][0]["status"], "failed");
    assert!(junit(&files, Shown::default()).contains("classname=\"a&lt;b&gt;.yaml\""));
}
