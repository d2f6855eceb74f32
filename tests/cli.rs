//! The command as scripts see it: exit codes, streams, colours, closed pipes.

use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

/// Eleven lines: three planes, one fault.
const TINY: &str = r#"
title = "tiny"
[service.checkout]
calls = ["payments"]
[service.payments]
tasks   = 6
latency = { p50 = "12ms", p99 = "80ms" }
[load]
rate = "20/s"
[run]
duration = "20s"
replications = 3
[[fault]]
at     = "5s"
target = "payments#1"
kind   = "wedge"
"#;

/// A folder of its own for one test.
struct Desk(PathBuf);

impl Desk {
    fn new(name: &str) -> Desk {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Desk(folder)
    }

    fn file(&self, name: &str, text: &str) -> &Desk {
        std::fs::write(self.0.join(name), text).unwrap();
        self
    }

    fn scsim(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scsim"));
        command.current_dir(&self.0).args(arguments).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.scsim(arguments).output().unwrap()
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}
fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}
fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn no_argument_prints_six_lines() {
    let output = Desk::new("welcome").run(&[]);
    assert_eq!(code(&output), 0);
    let text = out(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 6);
    assert!(lines[1].contains("scsim init wedged-replica"), "{text}");
    assert!(lines[2].contains("scsim run wedged-replica.toml"), "{text}");
}

#[test]
fn wrong_use_ends_with_two() {
    let desk = Desk::new("usage");
    desk.file("bad.toml", "[service.a]\nclals = [\"b\"]\n[load]\nrate = \"1/s\"\n").file("tiny.toml", TINY);
    desk.file("code-deploy.toml", "[service.a]\ncontroller = \"CODE_DEPLOY\"\n[load]\nrate = \"1/s\"\n");
    for arguments in [
        &["fly"][..],
        &["run"],
        &["run", "missing.toml"],
        &["run", "bad.toml"],
        &["run", "code-deploy.toml"],
        &["check", "bad.toml"],
        &["run", "tiny.toml", "--fast", "-n", "5"],
        &["run", "tiny.toml", "--precision", "5"],
        &["run", "tiny.toml", "--json", "-", "--csv", "-"],
        &["run", "tiny.toml", "--plane", "carrier-pigeon"],
        &["explain", "nonsense"],
    ] {
        let output = desk.run(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}: {}", err(&output));
        assert!(out(&output).is_empty(), "stdout is data: {arguments:?}");
        assert!(!err(&output).is_empty(), "{arguments:?}");
    }
    let told = err(&desk.run(&["check", "bad.toml"]));
    assert!(told.starts_with("bad.toml:2:1: error["), "one line each on a pipe: {told}");
}

#[test]
fn nothing_to_do_ends_with_four() {
    let desk = Desk::new("nothing");
    std::fs::create_dir(desk.0.join("empty")).unwrap();
    assert_eq!(code(&desk.run(&["run", "empty"])), 4);
}

#[test]
fn check_reads_and_fills_in() {
    let desk = Desk::new("check");
    desk.file("tiny.toml", TINY);
    let output = desk.run(&["check", "tiny.toml"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(out(&output).contains("answers 503 (in Service Connect's retry set)"), "{}", out(&output));
    assert_eq!(code(&desk.run(&["check", "--defaults", "tiny.toml"])), 0);
    assert_eq!(code(&desk.run(&["assumptions", "tiny.toml"])), 0);
    assert_eq!(code(&desk.run(&["assumptions"])), 0);
}

#[test]
fn the_manual_needs_no_network() {
    let desk = Desk::new("explain");
    for word in ["p99", "error_rate", "wedge", "metrics", "faults", "expect.that", "time_to_eject_s"] {
        let output = desk.run(&["explain", word]);
        assert_eq!(code(&output), 0, "{word}");
        assert!(!out(&output).is_empty());
    }
    assert!(err(&desk.run(&["explain", "wegde"])).contains("did you mean `wedge`"));
}

#[test]
fn flags_have_twins_in_the_environment() {
    let desk = Desk::new("env");
    desk.file("tiny.toml", TINY);
    let output = desk.scsim(&["check", "tiny.toml"]).env("SCSIM_SEED", "41").output().unwrap();
    assert!(out(&output).contains("from seed 41"), "{}", out(&output));
    let help = out(&desk.run(&["run", "--help"]));
    assert!(help.contains("SCSIM_REPLICATIONS"), "{help}");
}

#[test]
fn a_closed_pipe_is_quiet() {
    let desk = Desk::new("pipe");
    let mut child = desk.scsim(&["explain"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), err(&output).as_str()), (0, ""));
}

#[test]
fn a_run_prints_a_report_and_obeys_expectations() {
    let desk = Desk::new("run");
    let holds = "[[expect]]\nthat = \"error_rate < 99%\"\n";
    let fails = "[[expect]]\nthat = \"p50 < 1ns\"\nplane = \"direct\"\n";
    desk.file("tiny.toml", TINY).file("holds.toml", &format!("{TINY}{holds}")).file(
        "fails.toml",
        &format!("{TINY}{fails}").replace("[service.checkout]", "compare = [\"direct\"]\n[service.checkout]"),
    );
    let output = desk.run(&["run", "holds.toml", "--json", "a.json", "--markdown", "a.md", "--csv", "a.csv"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(out(&output).contains("error rate") && out(&output).contains("seed 1"), "{}", out(&output));
    assert!(!out(&output).contains('\u{1b}'), "no colour on a pipe");
    for file in ["a.json", "a.md", "a.csv"] {
        assert!(std::fs::metadata(desk.0.join(file)).unwrap().len() > 100, "{file}");
    }
    let failed = desk.run(&["run", "fails.toml"]);
    assert_eq!(code(&failed), 1, "{}", err(&failed));
    assert_eq!(code(&desk.run(&["run", "fails.toml", "--exit-zero"])), 0);
}

#[test]
fn json_on_stdout_is_nothing_but_json_and_jobs_do_not_show() {
    let desk = Desk::new("json");
    desk.file("tiny.toml", TINY);
    let result = |jobs| -> serde_json::Value {
        let output = desk.run(&["run", "tiny.toml", "--json", "-", "--jobs", jobs]);
        assert_eq!(code(&output), 0, "{}", err(&output));
        serde_json::from_str(&out(&output)).unwrap()
    };
    let (one, four) = (result("1"), result("4"));
    assert_eq!(one["schema"], "scsim.result/1");
    assert_eq!(one["digest"], four["digest"]);
    assert_eq!(one["planes"], four["planes"]);
}

#[test]
fn colour_follows_the_conventions() {
    let desk = Desk::new("color");
    desk.file("tiny.toml", TINY);
    let arguments = ["run", "tiny.toml", "--fast"];
    let forced = desk.scsim(&arguments).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(out(&forced).contains('\u{1b}'));
    let none = desk.scsim(&arguments).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").output().unwrap();
    assert!(!out(&none).contains('\u{1b}'));
    let ascii = desk.run(&["run", "tiny.toml", "--fast", "--ascii"]);
    assert!(out(&ascii).is_ascii());
}

#[test]
fn an_output_that_is_an_input_is_refused_and_the_file_left_alone() {
    let folder = std::env::temp_dir().join(format!("scsim-outputs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("a.toml");
    let text = "[service.a]\nlatency = \"5ms\"\n[load]\nrate = \"10/s\"\n";
    std::fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap();
    let missing = folder.join("no/such/b.json");
    for arguments in [
        vec!["--json", path],
        vec!["-o", path],
        vec!["--csv", "x.csv", "--markdown", "x.csv"],
        vec!["--json", missing.to_str().unwrap()],
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_scsim"))
            .args(["run", path])
            .args(&arguments)
            .current_dir(&folder)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_overload_is_no_success_because_its_requests_never_end() {
    let folder = std::env::temp_dir().join(format!("scsim-overload-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("a.toml");
    // Twice what one server can do: half the requests are still in its queue at the end.
    let text = "compare = [\"direct\"]\n[service.a]\ntasks = 1\nconcurrency = 1\nlatency = \"10ms\"\n[load]\nrate = \"200/s\"\n\
                [run]\nduration = \"60s\"\ndrain = \"0s\"\nreplications = 2\n";
    std::fs::write(&file, text).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_scsim"))
        .args(["run", file.to_str().unwrap(), "--json", "-"])
        .output()
        .unwrap();
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let metrics = &result["planes"][0]["metrics"];
    let mean = |name: &str| metrics[name]["mean"].as_f64().unwrap();
    assert!((mean("error_rate") - 0.5).abs() < 0.02, "{}", mean("error_rate"));
    assert!((mean("goodput_rps") - 100.0).abs() < 0.5, "{}", mean("goodput_rps"));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_fis_template_becomes_faults() {
    let desk = Desk::new("fis");
    let template = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fis-az-impairment.json");
    let template = template.to_str().unwrap();
    let output = desk.run(&["import", "fis", template, "--at", "10s"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert_eq!(out(&output).matches("[[fault]]").count(), 4);
    assert!(err(&output).contains("not read: fill-disk (aws:ecs:task-io-stress)"), "{}", err(&output));
    assert!(err(&output).contains("5 of 6 actions read, 4 faults"), "{}", err(&output));
    let output = desk.run(&["import", "fis", template, "-o", "faults.toml"]);
    assert_eq!((code(&output), out(&output)), (0, String::new()));
    assert!(std::fs::read_to_string(desk.0.join("faults.toml")).unwrap().contains("kind   = \"az-outage\""));
    desk.file("nothing.json", "{\"actions\": {\"x\": {\"actionId\": \"aws:eks:pod-delete\"}}}");
    assert_eq!(code(&desk.run(&["import", "fis", "nothing.json"])), 4);
    desk.file("broken.json", "{\n  \"actions\": {\n");
    let output = desk.run(&["import", "fis", "broken.json"]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("broken.json:3:"), "{}", err(&output));
    assert_eq!(code(&desk.run(&["import", "fis", "missing.json"])), 2);
    assert_eq!(code(&desk.run(&["import", "fis", template, "--at", "10"])), 2);
}
