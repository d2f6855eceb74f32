//! `scsim ledger` as scripts see it. Goal: a page never says what the runs behind it do not show.
//! Method: a folder of small claims, one of which is made false, a page that is made stale.
//! The real page is compared with real runs by `./test ledger`, in a release build.

use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

const CLAIM: &str = r#"
title = "A wedged task"
compare = ["internal-alb"]
[claim]
id = "A1"
says = "An ALB keeps a wedged task"
from = ["000"]
verdict = "holds"
because = "One of six fails: {internal-alb.error_rate} of all."
figures = ["internal-alb.error_rate", { metric = "internal-alb.p99", during = "fault", label = "p99 in it" }]
[service.checkout]
calls = ["payments"]
[service.payments]
tasks = 6
latency = "10ms"
[load]
rate = "60/s"
arrivals = "constant"
[run]
duration = "20s"
replications = 2
[[fault]]
at = "10s"
target = "payments#1"
kind = "wedge"
[[expect]]
that = "error_rate > 6%"
"#;

const SWEPT: &str = r#"
[sweep]
vary = { "service.payments.tasks" = [6, 12] }
[[expect]]
that = "error_rate < 5%"
cell = { "service.payments.tasks" = 12 }
"#;

struct Desk(PathBuf);

impl Desk {
    fn new(name: &str) -> Desk {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("ledger").join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("claims/more")).unwrap();
        std::fs::create_dir_all(folder.join("reports")).unwrap();
        Desk(folder)
    }

    fn file(&self, name: &str, text: &str) -> &Desk {
        std::fs::write(self.0.join(name), text).unwrap();
        self
    }

    fn ledger(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scsim"));
        command.current_dir(&self.0).args(["ledger", "claims", "-o", "reports/claims.md"]).args(arguments);
        command.output().unwrap()
    }

    fn page(&self) -> String {
        std::fs::read_to_string(self.0.join("reports/claims.md")).unwrap()
    }
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The second claim: the same system in two sizes.
fn swept() -> String {
    CLAIM
        .replace("\"A1\"", "\"A12\"")
        .replace("says = \"An ALB", "says = \"In two sizes an ALB")
        .replace("{internal-alb.error_rate}", "{internal-alb.error_rate @ 12}")
        .replace("error_rate > 6%", "error_rate > 3%")
        + SWEPT
}

#[test]
fn the_page_shows_what_the_runs_show() {
    let desk = Desk::new("page");
    desk.file("claims/b.toml", CLAIM)
        .file("claims/more/a.toml", &swept())
        .file("claims/none.toml", &CLAIM.replace("[claim]", "[x_claim]"));
    let output = desk.ledger(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(err(&output).contains("2 of 2 verdicts stand"), "{}", err(&output));
    let page = desk.page();
    // 1199 requests at even distances, the next comes as the run ends; 600 of them in the fault, a
    // sixth of those at the task: 100 / 1199.
    assert!(page.contains("One of six fails: 8.34 % ±0.00 of all."), "{page}");
    assert!(page.contains("| 6 | 8.34 % ±0.00 |") && page.contains("\n| 12 | 4."), "a row per cell: {page}");
    assert!(page.contains("[A1](#a1)") && page.contains("](../claims/more/a.toml)"), "{page}");
    let (a1, a12) = (page.find("\n## A1\n").unwrap(), page.find("\n## A12\n").unwrap());
    assert!(a1 < a12, "claims go by number");
    assert_eq!(
        page.matches("| ✓ |").count(),
        1 + 3,
        "an expectation, two in two cells and one of them for both: {page}"
    );
    let again = desk.ledger(&["--check", "--jobs", "1"]);
    assert_eq!(again.status.code(), Some(0), "{}{}", err(&again), String::from_utf8_lossy(&again.stdout));
}

#[test]
fn an_articles_sum_stands_beside_ours_and_its_lines() {
    let desk = Desk::new("sums");
    let sums =
        "sums = [{ article = \"004\", says = \"7 tasks x $0.31: $2\", figure = \"service-connect.cost_sidecar\" }]\n";
    let claim = CLAIM
        .replace("compare = [\"internal-alb\"]", "compare = [\"internal-alb\", \"service-connect\"]")
        .replace("figures = [", &format!("{sums}figures = [\"service-connect.cost_sidecar\", "))
        .replace("that = \"error_rate > 6%\"", "that = \"service-connect.cost_sidecar > $2\"")
        + "[cost]\nfargate_sizes = \"exact\"\n";
    desk.file("claims/a.toml", &claim);
    let output = desk.ledger(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let page = desk.page();
    // Eight tasks, 6 and 2: 8 x 730 x 0.25 x 0.04048 and 8 x 730 x 0.0625 x 0.004445.
    assert!(page.contains("| 004 | 7 tasks x $0.31: $2 | $60.72 | cost\\_sidecar, service-connect |"), "{page}");
    assert!(page.contains("| sidecar CPU | $59.10 | 8 tasks × 730 h × 0.25 vCPU × $0.04048 |"), "{page}");
    assert!(page.contains("| sidecar memory | $1.62 | 8 tasks × 730 h × 0.0625 GB × $0.004445 |"), "{page}");
    // A figure that is none of money has no bill behind it.
    desk.file(
        "claims/a.toml",
        &claim.replace("figure = \"service-connect.cost_sidecar\"", "figure = \"internal-alb.error_rate\""),
    );
    let output = desk.ledger(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("is no figure of cost"), "{}", err(&output));
}

#[test]
fn a_stale_page_is_told_and_left_alone() {
    let desk = Desk::new("stale");
    desk.file("claims/a.toml", CLAIM);
    assert_eq!(desk.ledger(&[]).status.code(), Some(0));
    let old = desk.page();
    desk.file("claims/a.toml", &CLAIM.replace("tasks = 6", "tasks = 5"));
    let output = desk.ledger(&["--check"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(err(&output).contains("stale") && shown.contains("- ") && shown.contains("10.01 %"), "{shown}");
    assert!(desk.page() == old, "--check writes nothing");
}

#[test]
fn a_verdict_that_is_not_shown_is_not_given() {
    let desk = Desk::new("not-shown");
    desk.file("claims/a.toml", &CLAIM.replace("error_rate > 6%", "error_rate > 60%"));
    let output = desk.ledger(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("NOT SHOWN  A1"), "{}", err(&output));
    let page = desk.page();
    assert!(page.contains("**NOT SHOWN** (claimed: holds)") && page.contains("1 of 1 expectations failed"), "{page}");
    // Nothing expected shows nothing.
    desk.file("claims/a.toml", CLAIM.split("[[expect]]").next().unwrap());
    assert_eq!(desk.ledger(&[]).status.code(), Some(1));
    assert!(desk.page().contains("nothing was shown"));
    // What a warning says does not count, for or against.
    desk.file("claims/a.toml", &(CLAIM.to_owned() + "[[expect]]\nthat = \"error_rate > 60%\"\nseverity = \"warn\"\n"));
    assert_eq!(desk.ledger(&[]).status.code(), Some(0));
}

#[test]
fn wrong_claims_end_with_two() {
    let desk = Desk::new("wrong");
    assert_eq!(desk.ledger(&[]).status.code(), Some(4), "an empty folder");
    desk.file("claims/a.toml", CLAIM).file("claims/b.toml", &CLAIM.replace("\"holds\"", "\"refuted\""));
    let output = desk.ledger(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("`verdict` of claim A1 is not what claims/a.toml"), "{}", err(&output));
    desk.file("claims/b.toml", &CLAIM.replace("{internal-alb.error_rate}", "{internal-alb.p42}"));
    let output = desk.ledger(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("is no figure of this claim"), "{}", err(&output));
    assert!(!desk.0.join("reports/claims.md").exists());
}
