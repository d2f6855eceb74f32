//! `scsim cost` as people and scripts see it. Goal: every dollar on a bill can be worked out again from its line, and what
//! is not known is never a zero. Method: estates whose sums are known by hand, prices of our own, and bad inputs one by one.

use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use serde_json::Value;

/// 10 services of 3 tasks, 0.5 vCPU and 1 GB each.
const TEN: &str = r#"
title = "ten"
compare = ["service-connect", "internal-alb", "cloud-map-dns"]
[defaults.service]
tasks = 3
cpu = "0.5 vCPU"
memory = "1GiB"
[service.web]
calls = ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"]
[service.s1]
[service.s2]
[service.s3]
[service.s4]
[service.s5]
[service.s6]
[service.s7]
[service.s8]
[service.s9]
[load]
rate = "20/s"
arrivals = "constant"
[run]
duration = "1m"
replications = 2
"#;

struct Desk(PathBuf);

impl Desk {
    fn new(name: &str) -> Desk {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cost").join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let desk = Desk(folder);
        desk.file("t.toml", TEN);
        desk
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    fn cost(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scsim"));
        command.current_dir(&self.0).args(["cost", "t.toml"]).args(arguments).output().unwrap()
    }

    fn bill(&self, arguments: &[&str]) -> Value {
        let output = self.cost(&[arguments, &["--json", "-"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        let all: Value = serde_json::from_slice(&output.stdout).unwrap();
        all["cost"].clone()
    }
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn plane<'a>(bill: &'a Value, name: &str) -> &'a Value {
    bill["planes"].as_array().unwrap().iter().find(|plane| plane["name"] == name).unwrap()
}

/// Nano-dollars of exact text.
fn nanos(text: &Value) -> i128 {
    let text = text.as_str().unwrap_or_else(|| panic!("no amount: {text}"));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= 9, "{text}");
    whole.parse::<i128>().unwrap() * 1_000_000_000 + format!("{fraction:0<9}").parse::<i128>().unwrap()
}

fn line<'a>(plane: &'a Value, item: &str) -> &'a Value {
    let found = plane["lines"].as_array().unwrap().iter().find(|line| line["item"].as_str().unwrap().starts_with(item));
    found.unwrap_or_else(|| panic!("no line {item}: {plane:#}"))
}

fn reading<'a>(plane: &'a Value, id: &str) -> &'a Value {
    plane["readings"].as_array().unwrap().iter().find(|reading| reading["id"] == id).unwrap()
}

#[test]
fn three_readings_of_the_envoy_tax_are_exact() {
    let bill = Desk::new("readings").bill(&["--set", "cost.measured_cpu=\"40%\""]);
    let connect = plane(&bill, "service-connect");
    // 30 × 730 × (0.25 × 0.04048 + 0.0625 × 0.004445), each part rounded to a nano-dollar.
    assert_eq!(nanos(&reading(connect, "exact")["per_month"]), 221_628_000_000 + 6_084_093_750);
    // 30 × 730 × (0.5 × 0.04048 + 1 × 0.004445).
    assert_eq!(nanos(&reading(connect, "next_size")["per_month"]), 30 * 18_020_050_000);
    assert_eq!(nanos(&reading(connect, "fits")["per_month"]), 0);
    assert_eq!(reading(connect, "next_size")["in_sum"], true);
    // 9 × 730 × 0.0225; 16.425 / 18.02005 = 0.91 tasks.
    assert_eq!(nanos(&line(plane(&bill, "internal-alb"), "ALB hours")["per_month"]), 147_825_000_000);
    let s1 = bill["break_even"].as_array().unwrap().iter().find(|at| at["service"] == "s1").unwrap();
    assert_eq!(s1["tasks"], "0.91");
}

#[test]
fn sums_are_those_of_their_lines_to_the_last_digit() {
    let desk = Desk::new("sums");
    let more = ["--set", "cost.tls=true", "--set", "cost.access_logs=true", "--set", "cost.private_link=2"];
    let bill = desk.bill(&more);
    for plane in bill["planes"].as_array().unwrap() {
        let lines = plane["lines"].as_array().unwrap();
        let sum: i128 = lines.iter().map(|line| nanos(&line["per_month"])).sum();
        let total = nanos(&plane["per_month"]);
        // Each mean over replications is rounded for itself.
        assert!((sum - total).abs() <= lines.len() as i128, "{}: {sum} {total}", plane["name"]);
        for line in lines {
            for key in ["formula", "source", "confidence", "unit"] {
                assert!(line[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {line}");
            }
        }
        assert!(plane["reliability"]["p99_ms"]["mean"].as_f64().is_some_and(|p99| p99 > 1.0), "{plane}");
        assert!(nanos(&plane["per_million_good_requests"]) > 0);
    }
    let connect = plane(&bill, "service-connect");
    // 9 services × 730 / 120 × 0.058.
    assert_eq!(nanos(&line(connect, "certificates")["per_month"]), 3_175_500_000);
    // 2 endpoints in 3 zones.
    assert_eq!(nanos(&line(connect, "interface endpoints")["per_month"]), 43_800_000_000);
    assert!(nanos(&line(connect, "access logs taken in")["per_month"]) > 0);
    let again = desk.bill(&more);
    assert_eq!(bill, again, "equal runs give equal bills");
}

/// Bytes are those of the simulated calls: 20 requests/s × 9 calls × 5 KiB.
#[test]
fn use_is_simulated() {
    let desk = Desk::new("use");
    let bill = desk.bill(&[]);
    let quantity = |plane: &str, item: &str| {
        line(self::plane(&bill, plane), item)["quantity"].as_str().unwrap().parse::<f64>().unwrap()
    };
    // 20 × 5 × 1024 × 3600 / 2^30 = 0.3433 LCU for each of nine, 730 h.
    let lcu = quantity("internal-alb", "LCU hours") / 730.0 / 9.0;
    assert!((lcu - 0.343_3).abs() < 0.001, "{lcu}");
    let zones = &plane(&bill, "service-connect")["cross_zone"];
    let (without, with) = (nanos(&zones["without_zone_routing"]), nanos(&zones["with_zone_routing"]));
    // 20 × 9 × 5 KiB × 730 h = 2,255.9 GB, two thirds of it between zones, a cent out and one in.
    assert!((without - 30_078_000_000).abs() < 50_000_000, "{without}");
    assert!(with <= without);
    assert!(quantity("cloud-map-dns", "Route 53 queries") > 0.0);
    // A shared ALB has the same LCUs and an eighth of the hours saved.
    let shared = desk.bill(&["--alb", "shared"]);
    assert_eq!(nanos(&line(plane(&shared, "internal-alb"), "ALB hours")["per_month"]), 16_425_000_000);
    let twice = desk.bill(&["--set", "cost.load_share=\"50%\""]);
    let half = nanos(&line(plane(&twice, "internal-alb"), "LCU hours")["per_month"]);
    let whole = nanos(&line(plane(&bill, "internal-alb"), "LCU hours")["per_month"]);
    assert!((whole - 2 * half).abs() < 100, "{whole} {half}");
}

#[test]
fn what_is_not_known_is_no_zero() {
    let desk = Desk::new("unknown");
    let bill = desk.bill(&["--no-run"]);
    assert_eq!(bill["simulated"], false);
    let alb = plane(&bill, "internal-alb");
    let lcu = line(alb, "LCU hours");
    assert!(lcu["per_month"].is_null() && lcu["unknown"].as_str().unwrap().contains("nothing was simulated"), "{lcu}");
    assert!(!alb["unknown"].as_array().unwrap().is_empty());
    assert!(alb["reliability"]["error_rate"].is_null() && alb["per_million_good_requests"].is_null());
    // A price that nobody gave for the region.
    let spot = desk.bill(&["--no-run", "--launch-type", "fargate-spot", "--arch", "arm"]);
    let connect = plane(&spot, "service-connect");
    let tax = &connect["lines"][0];
    assert!(tax["per_month"].is_null(), "{tax}");
    assert!(tax["unknown"].as_str().unwrap().contains("no price fargate_spot_arm.vcpu_hour for us-east-1"), "{tax}");
    let shown =
        String::from_utf8(desk.cost(&["--no-run", "--launch-type", "fargate-spot", "--arch", "arm"]).stdout).unwrap();
    assert!(shown.contains("service-connect: unknown a month"), "{shown}");
}

#[test]
fn prices_of_ones_own_go_on_top() {
    let desk = Desk::new("prices");
    desk.file("p.toml", "date = \"2026-11-02\"\nsource = \"our contract\"\n[alb]\nhour = \"$0.02 per ALB-hour\"\n");
    let bill = desk.bill(&["--no-run", "--price-file", "p.toml"]);
    let hours = line(plane(&bill, "internal-alb"), "ALB hours");
    assert_eq!(nanos(&hours["per_month"]), 9 * 730 * 20_000_000);
    assert_eq!(
        (hours["confidence"].as_str(), hours["source"].as_str()),
        (Some("user"), Some("our contract (2026-11-02)"))
    );
    // What the file does not name stays, and so does where it comes from.
    assert_eq!(line(plane(&bill, "cloud-map-dns"), "private hosted zone")["confidence"], "third-party");
    // The scenario's own file, and overrides on top of it.
    desk.file(
        "t.toml",
        &format!("{TEN}[cost]\nprice_file = \"p.toml\"\noverrides = {{ alb = {{ hour = \"$0.03\" }} }}\n"),
    );
    let bill = desk.bill(&["--no-run"]);
    assert_eq!(nanos(&line(plane(&bill, "internal-alb"), "ALB hours")["per_month"]), 9 * 730 * 30_000_000);
    // A region that scsim has no prices for.
    desk.file("t.toml", TEN);
    desk.file("mars.toml", "region = \"mars-1\"\nsource = \"NASA\"\ndate = \"2031\"\n[alb]\nhour = \"$9\"\n");
    let bill = desk.bill(&["--no-run", "--price-file", "mars.toml"]);
    assert_eq!(bill["region"], "mars-1");
    assert!(line(plane(&bill, "service-connect"), "task")["per_month"].is_null(), "no other region's price stands in");
}

#[test]
fn each_region_bills_the_sidecar() {
    let desk = Desk::new("regions");
    let mut seen = std::collections::BTreeSet::new();
    for region in [
        "us-east-1",
        "us-east-2",
        "us-west-2",
        "eu-west-1",
        "eu-west-2",
        "eu-central-1",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-south-1",
        "ca-central-1",
        "sa-east-1",
    ] {
        let bill = desk.bill(&["--no-run", "--region", region]);
        assert_eq!(bill["region"], region);
        seen.insert(nanos(&line(plane(&bill, "service-connect"), "task")["per_month"]));
        let spot = desk.bill(&["--no-run", "--region", region, "--launch-type", "fargate-spot"]);
        let (on_demand, spot) =
            (line(plane(&bill, "service-connect"), "task"), line(plane(&spot, "service-connect"), "task"));
        assert!(nanos(&spot["per_month"]) < nanos(&on_demand["per_month"]), "{region}");
    }
    assert_eq!(seen.len(), 7, "regions differ");
    let arm = desk.bill(&["--no-run", "--arch", "arm"]);
    // 30 × 730 × (0.5 × 0.03238 + 0.00356).
    assert_eq!(nanos(&line(plane(&arm, "service-connect"), "task")["per_month"]), 432_525_000_000);
    let ec2 = desk.bill(&["--no-run", "--launch-type", "ec2"]);
    // 15 and 22.5 vCPU on machines of 2: four more of them.
    assert_eq!(nanos(&line(plane(&ec2, "service-connect"), "more instances")["per_month"]), 4 * 730 * 96_000_000);
}

#[test]
fn bad_inputs_end_with_two_a_line_and_a_remedy() {
    let desk = Desk::new("bad");
    desk.file("unit.toml", "[alb]\nhour = \"$0.02 per LCU-hour\"\n");
    desk.file("key.toml", "[alb]\nhours = \"$0.02\"\n");
    desk.file("negative.toml", "[alb]\nhour = \"-$0.02\"\n");
    desk.file("fine.toml", "[alb]\nhour = \"$0.0000000001\"\n");
    desk.file("euro.toml", "[alb]\nhour = \"€0.02\"\n");
    desk.file("cut.toml", "[alb]\nhour = \"$0.0");
    desk.file("other.toml", "region = \"eu-west-1\"\n");
    for (arguments, told) in [
        (&["--region", "us-est-1"][..], &["cost::region", "did you mean `us-east-1`?"][..]),
        (&["--region", "mars-1"], &["no prices for the region `mars-1`", "known: us-east-1"]),
        (&["--region", "us-east-1", "--price-file", "other.toml"], &["cost::region", "is about eu-west-1"]),
        (&["--set", "service.s1.cpu=\"0.75 vCPU\""], &["cost::size", "1 vCPU / 2 GB"]),
        (&["--set", "service.s1.memory=\"1088MiB\""], &["no task of 0.5 vCPU / 1088 MiB", "0.5 vCPU / 2 GB"]),
        (&["--set", "service.s1.cpu=\"32 vCPU\""], &["cost::size", "16 vCPU / 120 GB"]),
        (&["--hours", "0"], &["between 1 and 10000"]),
        (&["--launch-type", "lambda"], &["one of: fargate, fargate-spot, ec2"]),
        (&["--fargate-sizes", "cheap"], &["one of: "]),
        (&["--price-file", "none.toml"], &["none.toml"]),
        (&["--price-file", "."], &["this is no file"]),
        (&["--price-file", "unit.toml"], &["unit.toml:2:8", "per ALB-hour"]),
        (&["--price-file", "key.toml"], &["key.toml:2:1", "did you mean `hour`?"]),
        (&["--price-file", "negative.toml"], &["negative.toml:2:8", "cannot be negative"]),
        (&["--price-file", "fine.toml"], &["fine.toml:2:8", "finer than a billionth"]),
        (&["--price-file", "euro.toml"], &["euro.toml:2:8", "write \"$0.10\""]),
        (&["--price-file", "cut.toml"], &["cut.toml:2"]),
        (&["--json", "-", "--csv", "-"], &["--csv"]),
        (&["--json", "t.toml"], &["t.toml"]),
    ] {
        let output = desk.cost(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", err(&output));
        for words in told {
            assert!(err(&output).contains(words), "{arguments:?} does not say {words}: {}", err(&output));
        }
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    assert_eq!(std::fs::read_to_string(desk.0.join("t.toml")).unwrap(), TEN, "no input is written over");
}

#[test]
fn csv_and_markdown_say_what_the_json_says() {
    let desk = Desk::new("forms");
    let bill = desk.bill(&["--csv", "b.csv", "--markdown", "b.md"]);
    let csv = std::fs::read_to_string(desk.0.join("b.csv")).unwrap();
    let markdown = std::fs::read_to_string(desk.0.join("b.md")).unwrap();
    let count: usize = bill["planes"].as_array().unwrap().iter().map(|p| p["lines"].as_array().unwrap().len()).sum();
    let references: usize =
        bill["references"].as_array().unwrap().iter().map(|r| r["lines"].as_array().unwrap().len()).sum();
    assert_eq!(csv.lines().count(), 1 + count + references);
    let hours = line(plane(&bill, "internal-alb"), "ALB hours")["per_month"].as_str().unwrap();
    assert!(csv.contains(&format!(",{hours},")) && markdown.contains("$147.83"), "{csv}{markdown}");
}

#[test]
fn expectations_on_money_decide_a_run() {
    let desk = Desk::new("expect");
    let test = |that: &str| {
        desk.file("t.toml", &format!("{TEN}[cost]\n[[expect]]\nthat = \"{that}\"\n"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_scsim"));
        command.current_dir(&desk.0).args(["test", "t.toml"]).output().unwrap().status.code()
    };
    assert_eq!(test("internal-alb.cost_load_balancer < service-connect.cost_sidecar"), Some(0));
    assert_eq!(test("internal-alb.cost_load_balancer > service-connect.cost_sidecar"), Some(1));
    assert_eq!(test("service-connect.cost_next_size == $540.6015"), Some(0));
}

#[test]
fn more_than_a_hundred_services_need_more_memory() {
    let desk = Desk::new("large");
    let memory = |services: usize| {
        let names: Vec<String> = (1..services).map(|number| format!("\"s{number}\"")).collect();
        let tables: Vec<String> = (1..services).map(|number| format!("[service.s{number}]")).collect();
        let (calls, tables) = (names.join(", "), tables.join("\n"));
        desk.file("t.toml", &format!("[service.web]\ncalls = [{calls}]\n{tables}\n[load]\nrate = \"1/s\"\n"));
        let bill = desk.bill(&["--no-run", "--fargate-sizes", "exact"]);
        line(plane(&bill, "service-connect"), "sidecar memory")["formula"].as_str().unwrap().to_owned()
    };
    assert!(memory(100).contains("0.0625 GB"));
    assert!(memory(101).contains("0.125 GB"));
}
