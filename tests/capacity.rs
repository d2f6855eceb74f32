//! `scsim capacity` as scripts see it. Goal: the bracket holds the boundary, and what is named is what
//! binds. Method: queues whose capacity theory knows, and small systems each with one narrow place.

use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use serde_json::Value;

/// One server of 100 a second; a user's time there is exponential with the rate that is left.
const QUEUE: &str = r#"
title   = "M/M/1"
compare = ["direct"]
[service.queue]
tasks       = 1
concurrency = 1
latency     = { mean = "10ms", dist = "exponential" }
[load]
rate = "30/s"
[run]
duration = "220s"
warmup   = "20s"
seed     = 2
"#;

/// Six tasks with two servers of 20 ms behind three callers.
const SHOP: &str = r#"
title   = "shop"
compare = ["internal-alb"]
[service.checkout]
tasks = 3
calls = ["payments"]
[service.payments]
tasks       = 6
concurrency = 2
latency     = "20ms"
[load]
rate = "400/s"
[run]
duration = "8s"
drain    = "2s"
"#;

/// A folder of its own for one test.
struct Desk(PathBuf);

impl Desk {
    fn new(name: &str, scenario: &str) -> Desk {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("capacity").join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("s.toml"), scenario).unwrap();
        Desk(folder)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scsim"));
        command.current_dir(&self.0).args(["capacity", "s.toml"]).args(arguments).stdin(Stdio::null());
        command.output().unwrap()
    }

    /// Runs it, which must end with `code`: what it said on stdout and on stderr.
    fn ends(&self, code: i32, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        let (out, told) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}{out}");
        (out, told)
    }

    /// The answers, from the JSON on stdout.
    fn answers(&self, arguments: &[&str]) -> Vec<Value> {
        let mut all = arguments.to_vec();
        all.extend(["--json", "-"]);
        let (out, _) = self.ends(0, &all);
        let study: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(study["schema"], "scsim.capacity/1");
        study["answers"].as_array().unwrap().clone()
    }
}

fn ends_of(answer: &Value) -> (f64, f64) {
    (answer["passes"].as_f64().unwrap(), answer["fails"].as_f64().unwrap())
}

#[test]
fn the_bracket_of_a_single_server_holds_what_theory_says() {
    let desk = Desk::new("mm1", QUEUE);
    // Time in M/M/1 is exponential with rate mu - lambda (Kleinrock, vol. 1, 3.2): its p99 is ln(100)/(mu - lambda).
    for (slo, truth) in [("p99<100ms", 100.0 - libm::log(100.0) / 0.1), ("mean < 20ms", 100.0 - 1.0 / 0.02)] {
        let answers = desk.answers(&["--slo", slo, "--within", "4%", "-n", "6"]);
        let (passes, fails) = ends_of(&answers[0]);
        assert!(passes <= truth && truth <= fails, "{slo}: {truth} is not in [{passes}, {fails})");
        assert!(fails < passes * 1.25, "{slo}: [{passes}, {fails}) says little");
        assert_eq!(
            (&answers[0]["binding"]["at_fails"]["kind"], &answers[0]["binding"]["at_fails"]["at"]),
            (&"tasks".into(), &"queue".into())
        );
    }
}

#[test]
fn the_fewest_tasks_are_those_of_theory() {
    // Users spread at random, so each of n tasks is an M/M/1 of its own: 200/n a second, p99 = ln(100)/(100 - 200/n).
    // That is 138 ms for three and 92 ms for four.
    let desk = Desk::new("tasks", QUEUE);
    let (out, _) = desk.ends(
        0,
        &[
            "--slo",
            "p99<115ms",
            "--tasks",
            "queue",
            "--set",
            "load.rate=200/s",
            "--set",
            "service.queue.tasks=9",
            "--set",
            "run.duration=120s",
        ],
    );
    assert!(out.contains("4 tasks"), "{out}");
    assert!(out.contains("next: scsim run s.toml --plane direct --set service.queue.tasks=4"), "{out}");
    let answers = desk.answers(&[
        "--slo",
        "p99<115ms",
        "--tasks",
        "queue",
        "--set",
        "load.rate=200/s",
        "--set",
        "run.duration=120s",
    ]);
    assert_eq!(ends_of(&answers[0]), (4.0, 3.0));
}

#[test]
fn what_binds_is_named() {
    let shop = Desk::new("binds", SHOP);
    // Twelve servers of 50 a second.
    let narrow = |arguments: &[&str], kind: &str, at: &str| -> (f64, f64) {
        let mut all = vec!["--within", "10%", "-n", "2"];
        all.extend(arguments);
        let answer = shop.answers(&all)[0].clone();
        let binding = &answer["binding"]["at_fails"];
        assert_eq!((binding["kind"].as_str(), binding["at"].as_str()), (Some(kind), Some(at)), "{answer:#}");
        ends_of(&answer)
    };
    let (passes, fails) = narrow(&["--slo", "p99<200ms,error_rate<1%"], "tasks", "payments");
    assert!(passes < 600.0 && fails > 500.0 && fails < 720.0, "[{passes}, {fails})");
    let queue =
        ["--slo", "error_rate<20%", "--set", "service.payments.queue=0", "--set", "service.payments.concurrency=1"];
    narrow(&queue, "queue", "payments");
    // 100 µs of a twentieth of a processor each: 500 a second for each of three callers' sidecars.
    let sidecar = [
        "--plane",
        "service-connect",
        "--set",
        "compare=[\"service-connect\"]",
        "--slo",
        "p99<200ms",
        "--set",
        "service.payments.tasks=60",
    ];
    let cpu = ["--set", "plane.service-connect.sidecar.cpu=0.05vCPU", "--set", "run.duration=4s"];
    let (passes, fails) = narrow(&[&sidecar[..], &cpu].concat(), "sidecar-cpu", "checkout");
    assert!(passes < 1_500.0 && fails > 1_300.0, "[{passes}, {fails})");
    let breaker =
        ["--set", "compare=[\"envoy\"]", "--slo", "error_rate<1%", "--set", "policy.circuit_breakers.max_requests=3"];
    let answers =
        narrow(&[&breaker[..], &["--set", "service.payments.tasks=60"]].concat(), "breaker", "checkout->payments");
    assert!(answers.0 < 600.0, "{answers:?}");
}

#[test]
fn a_lost_task_takes_its_share_and_so_does_a_zone() {
    let shop = Desk::new("losses", SHOP);
    let slo = ["--slo", "p99<200ms,error_rate<1%", "--within", "5%", "-n", "2", "--settle", "75s"];
    let answers = shop.answers(&[&slo[..], &["--variant", "n-1,zone-loss"]].concat());
    let names: Vec<&str> = answers.iter().map(|answer| answer["variant"].as_str().unwrap_or("-")).collect();
    assert_eq!(names, ["-", "n-1 (payments#1)", "zone-loss (a)"]);
    let middles: Vec<f64> = answers.iter().map(ends_of).map(|(a, b)| f64::midpoint(a, b)).collect();
    // Five of six tasks, four of six.
    let shares = [middles[1] / middles[0], middles[2] / middles[0]];
    assert!((shares[0] - 5.0 / 6.0).abs() < 0.06 && (shares[1] - 4.0 / 6.0).abs() < 0.06, "{shares:?} of {middles:?}");
    let one = Desk::new("no-loss", QUEUE);
    let quick = ["--slo", "mean<20ms", "--set", "run.duration=40s", "--within", "20%", "--variant", "zone-loss,n-1"];
    let answers = one.answers(&quick);
    assert!(answers[1..].iter().all(|answer| answer["outcome"] == "not-applicable"), "{answers:?}");
}

#[test]
fn threads_change_no_byte_and_every_file_says_the_same() {
    let shop = Desk::new("jobs", SHOP);
    let arguments = |jobs: &'static str| {
        let files = ["--json", jobs, "--jobs", jobs];
        [&["--slo", "p99<100ms,error_rate<1%", "-n", "2", "--within", "20%", "--csv", "a.csv", "--chart", "a.svg"][..], &files].concat()
    };
    let read = |name: &str| std::fs::read_to_string(shop.0.join(name)).unwrap();
    let first = shop.ends(0, &arguments("1"));
    let drawn = (read("a.csv"), read("a.svg"));
    assert_eq!(first, shop.ends(0, &arguments("2")));
    assert_eq!((read("1"), &drawn), (read("2"), &(read("a.csv"), read("a.svg"))));
    let probes = serde_json::from_str::<Value>(&read("1")).unwrap()["answers"][0]["probes"].as_array().unwrap().len();
    assert_eq!(drawn.0.lines().count(), 1 + 2 * probes, "a line per probe and clause");
    for word in ["p99<100ms", "error_rate<1%", "limit 100 ms", "internal-alb", "requests per second"] {
        assert!(drawn.1.replace("&lt;", "<").contains(word), "{word} is not drawn");
    }
}

#[test]
fn a_probe_is_the_run_of_that_name() {
    let shop = Desk::new("same", SHOP);
    let probes =
        shop.answers(&["--slo", "mean<60ms", "-n", "2", "--within", "50%"])[0]["probes"].as_array().unwrap().clone();
    let probe = probes.iter().find(|probe| probe["replications"] == 2 && probe["at"] != 400.0).unwrap();
    let rate = format!("load.rate={}/s", probe["at"]);
    let mut run = Command::new(env!("CARGO_BIN_EXE_scsim"));
    run.current_dir(&shop.0).args(["run", "s.toml", "-n", "2", "--json", "-", "--set", &rate]);
    let result: Value = serde_json::from_slice(&run.output().unwrap().stdout).unwrap();
    let mean = result["planes"][0]["metrics"]["mean_ms"]["mean"].as_f64().unwrap();
    let seen = probe["clauses"][0]["observed"]["mean"].as_f64().unwrap();
    assert!((mean - seen).abs() < 1e-9, "{mean} and {seen} at {rate}");
}

#[test]
fn what_cannot_be_answered_is_said() {
    let shop = Desk::new("refused", SHOP);
    for (arguments, words) in [
        (&["--slo", "eror_rate<1%"][..], "did you mean `error_rate`?"),
        (&["--slo", "p99<300"], "--slo:1:5"),
        (&["--slo", "p99<300ms,,mean<1ms"], "--slo:1:11"),
        (&["--slo", "p99"], "no comparison"),
        (&["--slo", "p99<p95"], "is no limit"),
        (&["--slo", "internal-alb.p99<1s"], "is no limit"),
        (&["--slo", "failed_requests==0"], "write a limit"),
        (&["--slo", "ejections<1"], "ejections does not exist on internal-alb"),
        (&["--slo", "p99<1s", "--tasks", "paymens"], "did you mean `payments`?"),
        (&["--slo", "p99<1s", "--rate-min", "50/s", "--rate-max", "40/s"], "leave nothing between"),
        (&["--slo", "p99<1s", "--set", "load={users=5}"], "no [load] has a rate"),
        (&["--slo", "p99<1s", "--within", "0%"], "between 0.1% and 100%"),
        (&["--slo", "p99<1s", "-n", "1"], "2..=100000"),
        (&["--slo", "p99<1s", "--json", "s.toml"], "would overwrite"),
        (&[], "--slo"),
    ] {
        let (_, told) = shop.ends(2, arguments);
        assert!(told.contains(words), "{arguments:?}: {told}");
    }
}

#[test]
fn a_limit_that_no_rate_meets_and_one_that_all_meet_get_no_number() {
    let shop = Desk::new("none", SHOP);
    let (out, told) = shop.ends(2, &["--slo", "p99<10ms,error_rate<1%", "-n", "2"]);
    assert!(told.contains("no rate meets p99<10ms on internal-alb: p99 2"), "{told}");
    assert!(out.contains("no rate"), "{out}");
    let answers = shop.answers(&["--slo", "p99<300s", "-n", "2", "--rate-max", "500/s"]);
    assert_eq!((&answers[0]["outcome"], &answers[0]["fails"]), (&"never-broken".into(), &Value::Null));
    let (out, _) = shop.ends(0, &["--slo", "p99<300s", "-n", "2", "--rate-max", "500/s"]);
    assert!(out.contains("500/s or more") && out.contains("nothing up to 500/s"), "{out}");
    // A handful of requests without a failure proves no such share.
    let few = ["--slo", "error_rate<0.001%", "-n", "2", "--rate-max", "410/s", "--rate-min", "390/s"];
    let (out, _) = shop.ends(3, &few);
    assert!(out.contains("cannot be told"), "{out}");
}

#[test]
fn a_schedule_keeps_its_shape_and_an_slo_without_errors_is_warned_of() {
    let steps = SHOP
        .replace("rate = \"400/s\"", "rate = [{ at = \"0s\", rate = \"100/s\" }, { at = \"4s\", rate = \"200/s\" }]");
    let desk = Desk::new("shape", &steps);
    let (out, _) = desk.ends(0, &["--slo", "p99<200ms", "-n", "2", "--within", "20%"]);
    assert!(out.contains("largest peak rate"), "{out}");
    let refusing = Desk::new("silent", SHOP);
    let full = ["--slo", "p99<90ms", "-n", "2", "--within", "20%", "--set", "service.payments.queue=1"];
    let (out, _) = refusing.ends(0, &full);
    assert!(out.contains("says nothing of errors"), "{out}");
}
