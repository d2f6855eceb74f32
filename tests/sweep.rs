//! `scsim sweep` as scripts see it. Goal: a cell depends on file, cell and seed alone, so it does not
//! matter how often a sweep was interrupted or on how many machines it ran. Method: the same small
//! sweep in one piece, in shards, on one thread and two, continued and stopped, compared byte by byte.

use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use serde_json::Value;

/// Two fields, six cells; an expectation for all and one for the cells at 100 %.
const TINY: &str = r#"
title = "tiny"
compare = ["service-connect", "internal-alb"]
[service.checkout]
calls = ["payments"]
[service.payments]
tasks   = 6
latency = "12ms"
[load]
rate = "40/s"
[run]
duration = "12s"
replications = 2
[[fault]]
name   = "grey"
at     = "4s"
target = "payments#1"
kind   = "errors"
rate   = "50%"
status = 503
[sweep]
vary = { "fault.grey.rate" = ["1%", "10%", "100%"], "service.payments.tasks" = "5..6" }
[[expect]]
that  = "requests > 300"
over  = "every-replication"
[[expect]]
that  = "internal-alb.error_rate > 5%"
over  = "every-replication"
cell  = { "fault.grey.rate" = "100%" }
"#;

/// A folder of its own for one test.
struct Desk(PathBuf);

impl Desk {
    fn new(name: &str) -> Desk {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("sweep").join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("tiny.toml"), TINY).unwrap();
        Desk(folder)
    }

    fn scsim(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scsim"));
        command.current_dir(&self.0).args(arguments).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.scsim(arguments).output().unwrap()
    }

    /// Runs it, which must end with `code`, and gives what it said on stderr.
    fn ends(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        told
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }
}

#[test]
fn shards_and_threads_cannot_be_seen() {
    let desk = Desk::new("shards");
    desk.ends(0, &["sweep", "tiny.toml", "-o", "one.csv", "--json", "one.json", "--jobs", "1"]);
    desk.ends(0, &["sweep", "tiny.toml", "-o", "two.csv", "--json", "two.json", "--jobs", "2"]);
    for shard in 1..=3 {
        let (part, shard) = (format!("{shard}.part"), format!("{shard}/3"));
        desk.ends(0, &["sweep", "tiny.toml", "--shard", &shard, "-o", &part]);
    }
    desk.ends(0, &["sweep", "merge", "3.part", "1.part", "2.part", "-o", "merged.csv", "--json", "merged.json"]);
    let (csv, json) = (desk.read("one.csv"), desk.read("one.json"));
    for other in ["two", "merged"] {
        assert!(desk.read(&format!("{other}.csv")) == csv, "{other}.csv differs");
        assert!(desk.read(&format!("{other}.json")) == json, "{other}.json differs");
    }
    assert!(!desk.0.join("one.csv.part").exists(), "a complete sweep leaves no part behind");
    let told = desk.ends(2, &["sweep", "merge", "3.part", "1.part", "-o", "less.csv"]);
    assert!(told.contains("2 of 6 cells are missing, cell 1 first"), "{told}");
    assert!(!desk.0.join("less.csv").exists());

    let value = desk.json("one.json");
    assert_eq!(value["schema"], "scsim.sweep/1");
    assert_eq!(value["axes"][1]["values"], serde_json::json!(["5", "6"]));
    let cells = value["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 6);
    assert_eq!(cells[5]["values"], serde_json::json!(["100%", "6"]));
    // Six cells, two planes, a head line; a figure that a plane lacks has no row.
    let head = "cell,fault.grey.rate,service.payments.tasks,plane,scope,during,metric,unit,mean,low,high,worst,replications,never";
    assert_eq!(csv.lines().next().unwrap(), head);
    assert_eq!(csv.lines().filter(|line| line.contains(",users,all,error_rate,fraction,")).count(), 12);
    assert_eq!(csv.lines().filter(|line| line.contains(",users,all,ejections,count,")).count(), 6);
}

#[test]
fn a_cell_is_the_run_with_its_overrides() {
    let desk = Desk::new("cell");
    desk.ends(0, &["sweep", "tiny.toml", "--json", "sweep.json"]);
    let overrides = ["--set", "fault.0.rate=10%", "--set", "service.payments.tasks=5"];
    let output = desk.run(&[&["run", "tiny.toml", "--json", "-"][..], &overrides].concat());
    assert_eq!(output.status.code(), Some(0), "an expectation about a cell is none of a run's");
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    let sweep = desk.json("sweep.json");
    for plane in 0..2 {
        let figures = sweep["cells"][2]["planes"][plane]["figures"].as_array().unwrap();
        for (name, key) in
            [("requests", "requests"), ("error_rate", "error_rate"), ("p99", "p99_ms"), ("mean", "mean_ms")]
        {
            let figure = figures.iter().find(|f| f["metric"] == name && f["scope"] == "users").unwrap();
            let metric = &run["planes"][plane]["metrics"][key];
            for end in ["mean", "low", "high", "worst"] {
                assert_eq!(figure[end], metric[end], "{name} {end} on plane {plane}");
            }
        }
    }
    assert_eq!(run["expectations"].as_array().unwrap().len(), 2, "one expectation, two planes");
}

#[test]
fn cells_share_their_random_numbers() {
    let desk = Desk::new("common");
    // The title is no part of what is simulated.
    let told = desk.ends(0, &["sweep", "tiny.toml", "--vary", "description=a,b", "--json", "a.json"]);
    assert!(!told.contains("changes nothing"), "a text is a difference: {told}");
    let value = desk.json("a.json");
    assert_eq!(value["cells"][0]["planes"], value["cells"][1]["planes"]);
    assert_ne!(value["cells"][0]["digest"], value["cells"][1]["digest"]);
}

#[test]
fn finished_cells_are_kept_and_not_computed_again() {
    let desk = Desk::new("resume");
    desk.ends(0, &["sweep", "tiny.toml", "-o", "whole.csv"]);
    desk.ends(0, &["sweep", "tiny.toml", "--shard", "1/2", "-o", "half.part"]);
    let half = desk.read("half.part");
    // Cells 0, 2 and 4 are there; the last line is torn, and one figure is marked.
    let mut lines: Vec<&str> = half.lines().collect();
    assert_eq!(lines.len(), 4);
    let torn = lines.pop().unwrap();
    let marked = lines.join("\n").replacen("\"metric\":\"max\"", "\"metric\":\"marked\"", 1);
    std::fs::write(desk.0.join("again.csv.part"), format!("{marked}\n{}", &torn[..torn.len() / 2])).unwrap();
    let told = desk.ends(0, &["sweep", "tiny.toml", "-o", "again.csv"]);
    assert!(told.contains("2 of 6 cells were finished before"), "{told}");
    let (again, whole) = (desk.read("again.csv"), desk.read("whole.csv"));
    assert_eq!(again.matches(",marked,").count(), 1, "a kept cell was computed again");
    assert!(again.replacen(",marked,", ",max,", 1) == whole, "what was computed differs");

    // Cells of another sweep are neither used nor overwritten.
    std::fs::write(desk.0.join("again.csv.part"), &half).unwrap();
    let told = desk.ends(2, &["sweep", "tiny.toml", "-o", "again.csv", "--seed", "9"]);
    assert!(told.contains("the seed") && told.contains("--fresh"), "{told}");
    assert!(desk.read("again.csv.part") == half);
    desk.ends(0, &["sweep", "tiny.toml", "-o", "again.csv", "--seed", "9", "--fresh"]);
}

#[test]
fn an_interrupt_keeps_what_is_finished() {
    let desk = Desk::new("interrupt");
    let arguments = [
        "sweep",
        "tiny.toml",
        "--vary",
        "service.payments.tasks=2..400",
        "-o",
        "out.csv",
        "--jobs",
        "1",
        "--set",
        "run.duration=6s",
    ];
    let mut child = desk.scsim(&arguments).stderr(Stdio::piped()).spawn().unwrap();
    let part = desk.0.join("out.csv.part");
    while std::fs::read_to_string(&part).map_or(0, |text| text.lines().count()) < 4 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before anything was finished");
        std::thread::yield_now();
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("finished cells are kept in out.csv.part"), "{told}");
    let kept = desk.read("out.csv.part").lines().count() - 1;
    assert!((3..399).contains(&kept), "{kept} cells");
    assert!(!desk.0.join("out.csv").exists(), "half a table is no table");
}

#[test]
fn what_was_killed_goes_on_to_the_same_bytes() {
    let desk = Desk::new("killed");
    let arguments = |out: &'static str| {
        [
            "sweep",
            "tiny.toml",
            "--vary",
            "service.payments.tasks=2..30",
            "-o",
            out,
            "--jobs",
            "1",
            "--set",
            "run.duration=6s",
            "--exit-zero",
        ]
    };
    let mut child = desk.scsim(&arguments("out.csv")).stderr(Stdio::null()).spawn().unwrap();
    let part = desk.0.join("out.csv.part");
    while std::fs::read_to_string(&part).map_or(0, |text| text.lines().count()) < 4 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before anything was finished");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let told = desk.ends(0, &arguments("out.csv"));
    assert!(told.contains("of 29 cells were finished before"), "{told}");
    desk.ends(0, &arguments("whole.csv"));
    assert!(desk.read("out.csv") == desk.read("whole.csv"));
    assert!(!part.exists());
}

#[test]
fn what_is_wrong_with_a_sweep_in_a_file_is_told_with_its_line() {
    let desk = Desk::new("places");
    let axis = "\"service.payments.tasks\" = \"5..6\"";
    for (wrong, says) in [
        ("\"service.paymnets.tasks\" = \"5..6\"", "t.toml:22:53: error[sweep::unknown-field]"),
        ("\"service.payments.takss\" = \"5..6\"", "t.toml:22:53: error[scenario::unknown-key]"),
        ("\"service.payments.tasks\" = [5, \"x\"]", "t.toml:22:80: error["),
        ("\"run.seed\" = \"1..1000000000\"", "t.toml:22:66: error[sweep::range]"),
        (
            "\"run.seed\" = \"1..1000\", \"load.rate\" = \"1/s..9/s:lin:1000\", \"run.duration\" = \"1s..9s:lin:1000\"",
            "error[sweep::cells]",
        ),
    ] {
        std::fs::write(desk.0.join("t.toml"), TINY.replace(axis, wrong)).unwrap();
        let told = desk.ends(2, &["sweep", "t.toml"]);
        assert!(told.contains(says), "{wrong}: {told}");
    }
}

#[test]
fn expectations_decide_by_cell() {
    let desk = Desk::new("expect");
    let strict = TINY.replace("error_rate > 5%", "error_rate > 90%");
    std::fs::write(desk.0.join("strict.toml"), strict).unwrap();
    let output = desk.run(&["sweep", "strict.toml"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("✗ internal-alb.error_rate > 90%"), "{shown}");
    assert!(shown.contains("12 held, 2 failed, 0 inconclusive"), "six cells on two planes, two cells fail: {shown}");
    desk.ends(0, &["sweep", "strict.toml", "--exit-zero"]);
}

#[test]
fn charts_are_drawn_without_fonts() {
    let desk = Desk::new("charts");
    desk.ends(0, &["sweep", "tiny.toml", "--svg", "maps", "--metric", "error_rate", "--metric", "ejections"]);
    desk.ends(0, &["sweep", "tiny.toml", "--svg", "maps2", "--metric", "error_rate", "--metric", "ejections"]);
    let names = |folder: &str| {
        let mut names: Vec<String> = std::fs::read_dir(desk.0.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let maps = ["ejections-service-connect.svg", "error_rate-internal-alb.svg", "error_rate-service-connect.svg"];
    assert_eq!(names("maps"), maps, "nobody ejects behind this ALB");
    for name in maps {
        assert_eq!(desk.read(&format!("maps/{name}")), desk.read(&format!("maps2/{name}")));
    }
    desk.ends(0, &["sweep", "tiny.toml", "--one-at-a-time", "--svg", "lines", "--metric", "p99"]);
    assert_eq!(names("lines"), ["p99-1.svg", "p99-2.svg"]);
    assert!(desk.read("lines/p99-1.svg").contains("fault.grey.rate"));
}

#[test]
fn what_cannot_be_swept_ends_with_two_and_writes_nothing() {
    let desk = Desk::new("wrong");
    std::fs::write(desk.0.join("plain.toml"), TINY.replace("[sweep]", "[x_sweep]").replace("cell ", "x_cell "))
        .unwrap();
    std::fs::write(desk.0.join("empty.toml"), TINY.replace("[\"1%\", \"10%\", \"100%\"]", "[]")).unwrap();
    std::fs::write(desk.0.join("cell.toml"), TINY.replace("= \"100%\" }", "= \"99%\" }")).unwrap();
    for (arguments, says) in [
        (&["sweep", "plain.toml"][..], "nothing is varied"),
        (&["sweep", "empty.toml"], "has no values"),
        (&["sweep", "cell.toml"], "`fault.grey.rate` is never 99%"),
        (&["sweep", "tiny.toml", "--vary", "service.paymnets.tasks=1,2"], "did you mean `payments`?"),
        (&["sweep", "tiny.toml", "--vary", "fault.gray.rate=1%,2%"], "did you mean `grey`?"),
        (&["sweep", "tiny.toml", "--vary", "fault.3.rate=1%,2%"], "no [[fault]] `3`"),
        (&["sweep", "tiny.toml", "--vary", "deploy.0.at=1s,2s"], "this scenario has no [[deploy]]"),
        (&["sweep", "tiny.toml", "--vary", "run.sed=1,2"], "did you mean `seed`?"),
        (&["sweep", "tiny.toml", "--vary", "fault.0.rte=1%,2%"], "did you mean `rate`?"),
        (&["sweep", "tiny.toml", "--vary", "fault.0.rate=1,2"], "needs a unit"),
        (
            &["sweep", "tiny.toml", "--vary", "run.seed=1..1000", "--vary", "service.payments.tasks=1..1000"],
            "at most 100000",
        ),
        (&["sweep", "tiny.toml", "--vary", "run.seed=0..1000000000"], "more than 100000 values"),
        (&["sweep", "tiny.toml", "--set", "run.precision=5%"], "give --replications"),
        (&["sweep", "tiny.toml", "--metric", "p98x"], "--metric p98x"),
        (&["sweep", "tiny.toml", "--shard", "4/3", "-o", "x.part"], "I from 1 to N"),
        (&["sweep", "tiny.toml", "-o", "tiny.toml"], "would overwrite"),
        (&["sweep", "merge", "tiny.toml", "-o", "x.csv"], "no part of a sweep"),
    ] {
        let told = desk.ends(2, arguments);
        assert!(told.contains(says), "{arguments:?}: {told}");
    }
    let left: Vec<_> = std::fs::read_dir(&desk.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 4, "{left:?}");
    let told = desk.ends(0, &["sweep", "tiny.toml", "--vary", "plane.cloud-map-dns.ttl=5s,60s"]);
    assert!(told.contains("changes nothing on the planes compared"), "{told}");
}
