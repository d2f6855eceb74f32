//! `scsim test` and `scsim compare` as build machines see them: lines, exit codes, files. Method:
//! services that take exactly 10 ms, called directly, so that every figure is known by heart.

use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

/// Two tasks, 10 ms each, four replications; `expects` is appended.
fn scenario(expects: &str) -> String {
    format!(
        "compare = [\"direct\"]\n[service.a]\nlatency = \"10ms\"\n[load]\nrate = \"50/s\"\n[run]\nduration = \"10s\"\n\
         replications = 4\n{expects}"
    )
}

const HOLDS: &str = "[[expect]]\nthat = \"p50 < 11ms\"\n";
const FAILS: &str = "[[expect]]\nthat = \"p50 < 5ms\"\n";
/// How many requests arrive is chance, and their mean is somewhere near 500.
const UNTOLD: &str = "[[expect]]\nthat = \"requests > MEAN\"\n";

/// A folder of its own for one test.
struct Desk(PathBuf);

impl Desk {
    fn new(name: &str) -> Desk {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("suite-{name}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("s/sub")).unwrap();
        Desk(folder)
    }

    fn file(&self, name: &str, text: &str) -> &Desk {
        std::fs::write(self.0.join(name), text).unwrap();
        self
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn scsim(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scsim"));
        command.current_dir(&self.0).args(arguments);
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "GITHUB_STEP_SUMMARY"] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.scsim(arguments).output().unwrap()
    }

    /// Runs and demands an exit code; gives stdout with times on the wall replaced.
    fn ends(&self, exit: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let out = String::from_utf8(output.stdout).unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}\n{out}\n{err}");
        timeless(&out)
    }

    /// A scenario of which nobody can tell whether it holds: the limit is the mean seen.
    fn untold(&self, name: &str) {
        self.file(name, &scenario(&UNTOLD.replace("MEAN", "1")));
        let result: serde_json::Value = serde_json::from_str(&self.ends(0, &["run", name, "--json", "-"])).unwrap();
        let mean = result["planes"][0]["metrics"]["requests"]["mean"].as_f64().unwrap();
        self.file(name, &scenario(&UNTOLD.replace("MEAN", &(mean - 1.0).to_string())));
    }
}

/// `1.9s` and `time="0.012"` are the machine's.
fn timeless(text: &str) -> String {
    let line = |line: &str| {
        let mut line = line.to_owned();
        if let Some(at) = line.find(" time=\"") {
            let end = at + 7 + line[at + 7..].find('"').unwrap();
            line.replace_range(at + 7..end, "T");
        }
        match line.rsplit_once("  ") {
            Some((rest, last)) if last.ends_with('s') && last.trim_end_matches('s').parse::<f64>().is_ok() => {
                format!("{rest}  Ts")
            }
            _ => line,
        }
    };
    text.lines().map(|l| line(l) + "\n").collect()
}

/// Fails unless the text is well-formed XML: tags in pairs, attributes quoted and named once, no
/// bare `&` or `<`, no character that XML does not have. Returns the names of all elements.
fn well_formed(xml: &str) -> Vec<String> {
    let body = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").expect("the declaration");
    let forbidden = |c: char| c < ' ' && c != '\n' || c == '\u{fffe}' || c == '\u{ffff}';
    assert!(!body.contains(forbidden), "control characters");
    let check_text = |text: &str| {
        for after in text.split('&').skip(1) {
            let name = after.split_once(';').expect("an entity ends").0;
            let known = ["amp", "lt", "gt", "quot"].contains(&name);
            assert!(known || name.strip_prefix('#').is_some_and(|n| n.parse::<u32>().is_ok()), "&{name};");
        }
        assert!(!text.contains('>'), "bare > in {text}");
    };
    let (mut open, mut names): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut parts = body.split('<');
    assert_eq!(parts.next(), Some(""), "text before the root");
    for part in parts {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        check_text(text);
        assert!(!open.is_empty() || !names.is_empty() || text.trim().is_empty());
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let (tag, alone) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "<{name}>");
        let mut seen = Vec::new();
        while !rest.is_empty() {
            let (key, after) = rest.split_once("=\"").expect("an attribute has a value in quotes");
            let (value, after) = after.split_once('"').expect("a value ends");
            check_text(value);
            assert!(!seen.contains(&key.to_owned()), "{key} twice");
            seen.push(key.to_owned());
            rest = after.strip_prefix(' ').unwrap_or(after);
        }
        names.push(name.to_owned());
        if !alone {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty(), "{open:?} is not closed");
    names
}

#[test]
fn a_suite_prints_short_lines_in_the_order_of_paths_whatever_the_jobs() {
    let desk = Desk::new("lines");
    desk.file("s/pass.toml", &scenario(HOLDS))
        .file("s/sub/fail.toml", &scenario(&format!("{HOLDS}{FAILS}")))
        .file("s/broken.toml", "[service.a]\nclals = 3\n[load]\nrate = \"5/s\"\n")
        .file("s/topology.toml", "[service.a]\nlatency = \"1ms\"\n")
        .file("s/notes.txt", "no scenario");
    let lines = desk.ends(2, &["test", "s", "--jobs", "1"]);
    assert_eq!(
        lines,
        "  ERR   broken\n        s/broken.toml:2:1: error[scenario::unknown-key] [service.a] has no key `clals`: did you \
         mean `calls`?\n  PASS  pass      1/1    Ts\n  FAIL  sub/fail  1/2    Ts\n        ✗ p50 < 5ms   direct   10.0 ms \
         [10.0, 10.0]\n          s/sub/fail.toml:12\n          rerun: scsim run s/sub/fail.toml --plane direct --seed 1 \
         --replication 0\n3 scenarios: 1 passed, 1 failed, 1 broken   (exit 2)\n"
    );
    assert_eq!(desk.ends(2, &["test", "s", "--jobs", "3"]), lines);
    // The command that is printed shows the failure again.
    let rerun = lines.lines().find_map(|l| l.trim().strip_prefix("rerun: scsim ")).unwrap();
    let arguments: Vec<&str> = rerun.split(' ').collect();
    let again = desk.ends(1, &arguments);
    assert!(again.contains("✗ p50 < 5ms"), "{again}");
}

#[test]
fn exit_codes_say_what_became_of_the_suite() {
    let desk = Desk::new("codes");
    desk.file("s/pass.toml", &scenario(HOLDS));
    let warns = FAILS.replace("5ms\"", "5ms\"\nseverity = \"warn\"");
    desk.file("warn.toml", &scenario(&warns)).file("fail.toml", &scenario(FAILS));
    desk.untold("untold.toml");
    desk.ends(0, &["test", "s"]);
    // `s/sub` is empty: a green build that tested nothing is the worst result.
    desk.ends(4, &["test", "s/sub"]);
    desk.ends(4, &["test", "s", "--filter", "nothing like it"]);
    desk.ends(2, &["test", "missing.toml"]);
    desk.ends(2, &["test", "s", "--format", "csv"]);
    desk.ends(2, &["test", "s", "--json", "-", "--junit", "-"]);
    desk.ends(1, &["test", "fail.toml"]);
    desk.ends(0, &["test", "fail.toml", "--exit-zero"]);
    desk.ends(0, &["test", "warn.toml"]);
    desk.ends(1, &["test", "warn.toml", "--fail-on", "warn"]);
    let told = desk.ends(3, &["test", "untold.toml"]);
    assert!(
        told.contains("????  untold") && told.contains("? requests > ") && told.contains(": needs about "),
        "{told}"
    );
    assert!(told.ends_with("1 scenario: 0 passed, 1 inconclusive   (exit 3)\n"), "{told}");
    desk.ends(0, &["test", "untold.toml", "--inconclusive", "pass"]);
    desk.ends(1, &["test", "untold.toml", "--inconclusive", "fail"]);
    desk.ends(1, &["test", "untold.toml", "fail.toml", "s"]);
    let some = desk.ends(0, &["test", "--filter", "pass", ".", "-q"]);
    assert_eq!(some, "", "quiet is quiet");
    // An environment variable for each flag.
    let output = desk.scsim(&["test", "fail.toml"]).env("SCSIM_EXIT_ZERO", "1").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn overrides_reach_every_scenario() {
    let desk = Desk::new("overrides");
    desk.file("s/pass.toml", &scenario(HOLDS));
    let arguments = ["test", "s", "--set", "service.a.latency=12ms", "-n", "2", "--seed", "9", "--json", "-"];
    let suite: serde_json::Value = serde_json::from_str(&desk.ends(1, &arguments)).unwrap();
    let result = &suite["results"][0];
    assert_eq!((result["seed"].as_u64(), result["replications"].as_u64()), (Some(9), Some(2)));
    assert_eq!(result["scenario"]["settings"]["service.a.latency"], "12ms");
    assert_eq!(suite["scenarios"][0]["cases"][0]["observed"], "12.0 ms [12.0, 12.0]");
    let rerun = suite["scenarios"][0]["cases"][0]["rerun"].as_str().unwrap();
    assert!(rerun.contains("--set service.a.latency=12ms --plane direct --seed 9 --replication"), "{rerun}");
    assert_eq!((suite["schema"].as_str(), suite["exit"].as_u64()), (Some("scsim.suite/1"), Some(1)));
}

#[test]
fn junit_is_well_formed_whatever_a_scenario_says() {
    let desk = Desk::new("junit");
    let nasty = r#"title = "<a href='x'> & \"b\" ]]> \u0007 \uFFFE \n é""#;
    desk.file("s/a & b.toml", &format!("{nasty}\n{}", scenario(&format!("{HOLDS}{FAILS}"))))
        .file("s/broken.toml", "[service.a]\n'<&>' = 3\n[load]\nrate = \"5/s\"\n");
    desk.untold("s/untold.toml");
    desk.ends(2, &["test", "s", "--junit", "out.xml"]);
    let xml = desk.read("out.xml");
    let names = well_formed(&xml);
    let count = |name: &str| names.iter().filter(|n| *n == name).count();
    assert_eq!((count("testsuite"), count("testcase")), (3, 4));
    assert_eq!((count("failure"), count("error"), count("skipped")), (1, 1, 1));
    assert!(xml.contains("<testsuites name=\"scsim\" tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\">"), "{xml}");
    assert!(xml.contains("name=\"p50 &lt; 5ms @ direct\""), "{xml}");
    assert!(xml.contains("rerun: scsim run 's/a &amp; b.toml' --plane direct --seed 1 --replication 0"), "{xml}");
    for property in ["seed", "digest", "version"] {
        assert!(xml.contains(&format!("<property name=\"{property}\" value=\"")), "{property}");
    }
    // The checker itself can fail.
    for wrong in ["<a>", "<a></b>", "<a b=c/>", "<a>&</a>", "<a>\u{7}</a>", "<a b=\"1\" b=\"2\"/>"] {
        let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{wrong}");
        assert!(std::panic::catch_unwind(|| well_formed(&text)).is_err(), "{wrong}");
    }
}

#[test]
fn github_gets_annotations_and_a_summary_that_is_appended() {
    let desk = Desk::new("github");
    desk.file("s/fail.toml", &scenario(FAILS)).file("summary.md", "before\n");
    for command in ["test", "run"] {
        let arguments = [command, "s/fail.toml", "--github"];
        let output = desk.scsim(&arguments).env("GITHUB_STEP_SUMMARY", "summary.md").output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let out = String::from_utf8(output.stdout).unwrap();
        let annotation = out.lines().find(|line| line.starts_with("::")).unwrap();
        assert_eq!(
            annotation,
            "::error file=s/fail.toml,line=10,title=fail::failed: p50 < 5ms on direct: observed 10.0 ms [10.0, 10.0]%0A\
             rerun: scsim run s/fail.toml --plane direct --seed 1 --replication 0"
        );
    }
    let summary = desk.read("summary.md");
    assert!(summary.starts_with("before\n### scsim test\n\n1 scenario: 0 passed, 1 failed\n"), "{summary}");
    assert_eq!(summary.matches("`p50 < 5ms`").count(), 2, "one from each command: {summary}");
    // Elsewhere there is no summary, and no harm; with JSON on stdout annotations go to stderr.
    let output = desk.run(&["test", "s", "--github", "--json", "-"]);
    assert!(serde_json::from_slice::<serde_json::Value>(&output.stdout).is_ok());
    assert!(String::from_utf8_lossy(&output.stderr).contains("::error file=s/fail.toml"));
}

#[test]
fn a_baseline_fails_what_got_worse_although_every_expectation_holds() {
    let desk = Desk::new("baseline");
    desk.file("s/pass.toml", &scenario("[[expect]]\nthat = \"p50 < 50ms\"\n"));
    desk.ends(2, &["test", "s", "--baseline", "base.json"]);
    desk.ends(0, &["test", "s", "--save-baseline", "base.json"]);
    desk.ends(0, &["test", "s", "--baseline", "base.json"]);
    let slower = ["--baseline", "base.json", "--set", "service.a.latency=12ms"];
    for command in ["test", "run"] {
        let out = desk.ends(1, &[&[command, "s/pass.toml"], &slower[..]].concat());
        assert!(out.contains("against the baseline: direct: p50 rose from 10.0 ms to 12.0 ms, +20 %"), "{out}");
        assert!(out.contains("differs from the baseline's: service.a.latency 10ms → 12ms"), "{out}");
        // Faster is no failure, nor is what a wide noise allows.
        desk.ends(0, &[command, "s/pass.toml", "--baseline", "base.json", "--set", "service.a.latency=8ms"]);
        desk.ends(0, &[&[command, "s/pass.toml", "--noise", "25%"], &slower[..]].concat());
        desk.ends(0, &[&[command, "s/pass.toml", "--exit-zero"], &slower[..]].concat());
    }
    desk.ends(1, &[&["test", "s", "--junit", "out.xml"], &slower[..]].concat());
    let xml = desk.read("out.xml");
    assert_eq!(well_formed(&xml).iter().filter(|n| *n == "failure").count(), 2, "p50 and p99: {xml}");
    // What the baseline has no figures for, and what it has for nothing, is said.
    desk.file("s/sub/more.toml", &scenario(HOLDS));
    let told = |arguments: &[&str]| String::from_utf8(desk.run(arguments).stderr).unwrap();
    assert_eq!(told(&["test", "s", "--baseline", "base.json"]), "scsim: the baseline has no sub/more\n");
    assert!(told(&["test", "s/sub", "--baseline", "base.json"]).contains("the baseline has pass, which was not run"));
    // A suite that is not whole leaves the baseline as it was.
    let before = desk.read("base.json");
    assert!(before.len() < 12_000, "a baseline is kept in a repository: {} bytes", before.len());
    desk.file("s/broken.toml", "[service.a]\nclals = 3\n[load]\nrate = \"5/s\"\n");
    desk.ends(2, &["test", "s", "--save-baseline", "base.json"]);
    assert_eq!(desk.read("base.json"), before);
    desk.file("base.json", &before[..before.len() / 2]);
    desk.ends(2, &["test", "s", "--baseline", "base.json"]);
}

#[test]
fn compare_tells_what_changed_and_why() {
    let desk = Desk::new("compare");
    desk.file("a.toml", &scenario(HOLDS));
    desk.ends(0, &["run", "a.toml", "--json", "main.json"]);
    desk.ends(1, &["run", "a.toml", "--set", "service.a.latency=12ms", "--json", "pr.json"]);
    let told = desk.ends(1, &["compare", "main.json", "pr.json"]);
    let table = [
        "                          main     pr       change [95 %]",
        " direct  error rate       0.00 %   0.00 %   0 pt              the same",
        "         p50              10.0 ms  12.0 ms  +20 % [+20, +20]  worse",
        "         p99              10.0 ms  12.0 ms  +20 % [+20, +20]  worse",
        "         retries/request  0        0        0                 the same",
    ];
    assert_eq!(told.lines().take(5).collect::<Vec<_>>(), table);
    assert!(told.contains(" differs: service.a.latency 10ms → 12ms     same seed, same arrivals\n"), "{told}");
    assert!(told.ends_with("2 worse, 0 better, 3 unchanged   (exit 1)\n"), "{told}");
    desk.ends(0, &["compare", "pr.json", "main.json"]);
    desk.ends(0, &["compare", "main.json", "pr.json", "--noise", "20%"]);
    desk.ends(0, &["compare", "main.json", "pr.json", "--metric", "error_rate"]);
    desk.ends(2, &["compare", "main.json", "pr.json", "--metric", "p9"]);
    desk.ends(2, &["compare", "main.json", "pr.json", "--seed", "3"]);
    let json: serde_json::Value =
        serde_json::from_str(&desk.ends(1, &["compare", "main.json", "pr.json", "--metric", "p95", "--json", "-"]))
            .unwrap();
    let change = &json["scenarios"][0]["changes"][0];
    assert_eq!((change["metric"].as_str(), change["verdict"].as_str()), (Some("p95_ms"), Some("worse")));
    assert_eq!((change["paired"].as_bool(), json["worse"].as_u64()), (Some(true), Some(1)));
    assert_eq!(json["scenarios"][0]["differs"][0]["new"], "12ms");
    // Scenarios are run for it, both from the first one's seed.
    desk.file("b.toml", &scenario(HOLDS).replace("replications", "seed = 7\nreplications"));
    let same = desk.ends(0, &["compare", "a.toml", "b.toml"]);
    assert!(same.starts_with(" direct: the same, request by request\n same seed, same arrivals\n"), "{same}");
    desk.ends(1, &["compare", "a.toml", "pr.json"]);
    let page = desk.ends(1, &["compare", "main.json", "pr.json", "--format", "markdown"]);
    assert!(page.contains("| **worse** |") && page.contains("- direct: p50 rose from 10.0 ms to 12.0 ms"), "{page}");
}

#[test]
fn files_that_are_no_results_end_with_two_and_say_what_to_do() {
    let desk = Desk::new("hostile");
    desk.file("a.toml", &scenario(HOLDS));
    desk.ends(0, &["run", "a.toml", "--json", "good.json"]);
    let good = desk.read("good.json");
    for (name, text, told) in [
        ("cut", &good[..good.len() / 3], "cut off in line"),
        ("newer", &good.replace("scsim.result/1", "scsim.result/2"), "update scsim"),
        ("other", "{\"schema\": \"scsim.replay/1\"}", "this is no result of scsim"),
        ("huge", &good.replacen("\"mean\": ", "\"mean\": 1e999", 1), "not JSON"),
        ("wrong", &good.replacen("\"seed\": 1", "\"seed\": \"one\"", 1), "result 1 of this file is damaged"),
        ("many", &good.replacen("\"replications\": 4", "\"replications\": 4e99", 1), "damaged"),
        ("none", "[]", "holds no result"),
        ("empty", "", "cut off"),
        ("text", "hello", "not JSON"),
    ] {
        let file = format!("{name}.json");
        desk.file(&file, text);
        for arguments in [["compare", "good.json", &file], ["compare", &file, "good.json"]] {
            let output = desk.run(&arguments);
            let err = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{name}: {err}");
            assert!(err.contains(told) && err.contains(&file), "{name}: {err}");
            assert!(output.stdout.is_empty(), "{name}");
        }
    }
    std::fs::write(desk.0.join("bytes.json"), [0xff, 0x00, 0xfe]).unwrap();
    desk.ends(2, &["compare", "good.json", "bytes.json"]);
    desk.ends(2, &["compare", "good.json", "missing.json"]);
    desk.ends(2, &["compare", "good.json", "s"]);
    // Numbers at the edge of what there is do no harm, nor do names that steer terminals.
    let edge = good.replace("\"mean\": 10.0", "\"mean\": 1.7e308").replace("\"direct\"", "\"dir\\u001b[31mect\"");
    desk.file("edge.json", &edge);
    let told = desk.ends(0, &["compare", "edge.json", "edge.json", "-v"]);
    assert!(!told.contains('\u{1b}'), "{told}");
    // Another scenario has nothing to compare.
    desk.file("plane.json", &good.replace("\"direct\"", "\"envoy\""));
    desk.ends(4, &["compare", "good.json", "plane.json"]);
}

#[test]
fn suites_are_compared_scenario_by_scenario() {
    let desk = Desk::new("suites");
    desk.file("s/one.toml", &scenario(HOLDS)).file("s/sub/two.toml", &scenario(HOLDS));
    desk.ends(0, &["test", "s", "--json", "old.json"]);
    desk.file("s/sub/two.toml", &scenario(HOLDS).replace("10ms", "13ms").replace("11ms", "20ms"));
    desk.file("s/three.toml", &scenario(HOLDS));
    desk.ends(0, &["test", "s", "--json", "new.json"]);
    let told = desk.ends(1, &["compare", "old.json", "new.json"]);
    assert!(told.starts_with("one: nothing beyond noise\ntwo\n"), "{told}");
    assert!(told.contains("+30 % [+30, +30]  worse"), "{told}");
    assert!(told.contains("only in new.json: three\n2 worse, 0 better"), "{told}");
}
