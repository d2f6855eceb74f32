//! Reports from result files. Goal: a page made again is the page that `run` wrote, whatever a file says stays
//! text, and no file, however broken, leaves half a page or a panic. Method: one small run, its result file bent in
//! many ways. What a browser makes of the page is looked at in `tests/page`.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::sync::OnceLock;

use serde_json::Value;
use serde_json::json;

/// A fault, a deployment, three planes, two edges.
const SMALL: &str = r#"
title = "small"
[service.web]
calls = ["cart"]
[service.cart]
tasks = 3
calls = ["stock"]
[service.stock]
tasks   = 4
latency = { p50 = "5ms", p99 = "40ms" }
[load]
rate = "30/s"
[run]
duration = "20s"
replications = 3
[[fault]]
at     = "5s"
for    = "5s"
target = "stock#1"
kind   = "wedge"
[[expect]]
that = "error_rate < 50%"
"#;

/// A folder of its own for one test.
fn desk(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("report").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn scsim(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_scsim")).current_dir(folder).args(arguments).output().unwrap()
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

/// The result of the small scenario, made once.
fn small() -> &'static str {
    static SMALL_RESULT: OnceLock<String> = OnceLock::new();
    SMALL_RESULT.get_or_init(|| {
        let folder = desk("small");
        std::fs::write(folder.join("small.toml"), SMALL).unwrap();
        let run = scsim(&folder, &["run", "small.toml", "--json", "-"]);
        assert_eq!(code(&run), 0, "{}", err(&run));
        out(&run)
    })
}

/// A sweep of the small scenario over two tasks and three rates, made once.
fn swept() -> &'static str {
    static SWEPT: OnceLock<String> = OnceLock::new();
    SWEPT.get_or_init(|| {
        made(
            "swept",
            SMALL,
            &["sweep", "small.toml", "--vary", "service.stock.tasks=3,4", "--vary", "load.rate=10/s,20/s,30/s"],
        )
    })
}

/// What the small scenario is for a search: tasks with one slot, and no fault.
const BUSY: &str = r#"
title = "small"
[service.web]
calls = ["stock"]
[service.stock]
tasks       = 2
concurrency = 1
latency     = { p50 = "15ms", p99 = "60ms" }
[load]
rate = "30/s"
[run]
duration = "10s"
"#;

/// A search for its capacity, made once.
fn searched() -> &'static str {
    static SEARCHED: OnceLock<String> = OnceLock::new();
    SEARCHED.get_or_init(|| {
        let asked = ["--slo", "p99<300ms,error_rate<1%", "--variant", "n-1", "--rate-max", "200/s"];
        let few = ["-n", "2", "--max-replications", "3", "--within", "20%", "--plane", "service-connect,internal-alb"];
        made("searched", BUSY, &[&["capacity", "small.toml"][..], &asked, &few].concat())
    })
}

/// What a command writes as JSON about a scenario.
fn made(name: &str, scenario: &str, arguments: &[&str]) -> String {
    let folder = desk(name);
    std::fs::write(folder.join("small.toml"), scenario).unwrap();
    let run = scsim(&folder, &[arguments, &["--json", "-", "-q"]].concat());
    assert_eq!(code(&run), 0, "{}", err(&run));
    out(&run)
}

/// The page of a text, or what is said against it.
fn page(folder: &Path, text: &str) -> Result<String, String> {
    std::fs::write(folder.join("r.json"), text).unwrap();
    let made = scsim(folder, &["report", "r.json"]);
    match code(&made) {
        0 => Ok(out(&made)),
        2 => Err(err(&made)),
        other => panic!("exit code {other}: {}", err(&made)),
    }
}

#[test]
fn a_page_made_again_is_the_page_of_the_run() {
    let folder = desk("again");
    std::fs::write(folder.join("small.toml"), SMALL).unwrap();
    let run = scsim(
        &folder,
        &["run", "small.toml", "--json", "r.json", "--html", "a.html", "--markdown", "a.md", "--csv", "a.csv", "-q"],
    );
    assert_eq!(code(&run), 0, "{}", err(&run));
    let made = |arguments: &[&str]| out(&scsim(&folder, &[&["report", "r.json"], arguments].concat()));
    let kept = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let html = kept("a.html");
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"));
    assert_eq!(made(&[]), html);
    assert_eq!(made(&["--format", "html"]), html);
    assert_eq!(made(&["--format", "markdown"]), kept("a.md"));
    assert_eq!(made(&["--format", "csv"]), kept("a.csv"));
    let written = scsim(&folder, &["report", "r.json", "-o", "b.html"]);
    assert_eq!((code(&written), out(&written)), (0, String::new()));
    assert_eq!(kept("b.html"), html);
}

#[test]
fn a_page_asks_for_nothing_outside_of_it() {
    let html = page(&desk("alone"), small()).unwrap();
    for outside in ["http://", "https://", "src=", "@import", "url(h", "fetch(", "import(", "type=module", "<link"] {
        let at = html.find(outside);
        let allowed = |at: usize| html[at..].starts_with("http://www.w3.org/2000/svg");
        assert!(at.is_none_or(allowed), "{outside}: {}", &html[at.unwrap()..][..80]);
    }
    for panel in [
        "verdict",
        "compare",
        "timeline",
        "topology",
        "lanes",
        "latency",
        "attribution",
        "replications",
        "cost",
        "scenario",
        "assumptions",
        "data",
    ] {
        assert!(html.contains(&format!("<section class=panel id=\"{panel}\"")), "{panel}");
    }
    assert!(html.len() < 500_000, "{} bytes", html.len());
}

#[test]
fn run_writes_pages_distributions_and_series() {
    let folder = desk("outputs");
    std::fs::write(folder.join("small.toml"), SMALL).unwrap();
    let run = scsim(&folder, &["run", "small.toml", "--html", "-", "--hdr", "hdr", "--timeseries", "t.csv"]);
    assert_eq!(code(&run), 0, "{}", err(&run));
    assert!(out(&run).starts_with("<!DOCTYPE html>"), "stdout is the page alone");
    let series = std::fs::read_to_string(folder.join("t.csv")).unwrap();
    let mut rows = series.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = rows.next().unwrap();
    let at = |name: &str| head.iter().position(|column| *column == name).unwrap();
    let rows: Vec<Vec<&str>> = rows.collect();
    assert!(rows.iter().all(|row| row.len() == head.len()));
    // 20 s and 30 s to drain, on three planes.
    assert_eq!(rows.len(), 50 * 3);
    let sum: f64 =
        rows.iter().filter(|r| r[1] == "service-connect").map(|r| r[at("requests")].parse::<f64>().unwrap()).sum();
    let result: Value = serde_json::from_str(small()).unwrap();
    let requests = result["planes"][0]["metrics"]["requests"]["mean"].as_f64().unwrap();
    assert!((sum - requests).abs() < 1e-6, "{sum} and {requests}");
    let hdr = std::fs::read_to_string(folder.join("hdr/small-service-connect.hgrm")).unwrap();
    let count = result["planes"][0]["latency"]["ok"].as_u64().unwrap();
    assert!(hdr.contains(&format!("Total count    = {count:12}")), "{hdr}");
    assert!(hdr.starts_with("       Value     Percentile TotalCount 1/(1-Percentile)\n\n"));
}

#[test]
fn outputs_have_twins_in_the_environment() {
    let folder = desk("environment");
    std::fs::write(folder.join("small.toml"), SMALL).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_scsim"))
        .current_dir(&folder)
        .args(["run", "small.toml", "-q", "-n", "1"])
        .envs([("SCSIM_HTML", "p.html"), ("SCSIM_HDR", "h"), ("SCSIM_TIMESERIES", "t.csv")])
        .output()
        .unwrap();
    assert_eq!(code(&run), 0, "{}", err(&run));
    for name in ["p.html", "h/small-internal-alb.hgrm", "t.csv"] {
        assert!(folder.join(name).is_file(), "{name}");
    }
}

#[test]
fn broken_files_are_refused_with_a_remedy_and_leave_no_page() {
    let folder = desk("broken");
    let whole = small();
    let value: Value = serde_json::from_str(whole).unwrap();
    let bent = |bend: &dyn Fn(&mut Value)| {
        let mut value = value.clone();
        bend(&mut value);
        serde_json::to_string_pretty(&value).unwrap()
    };
    let cases: [(&str, String, &str); 9] = [
        ("cut off", whole[..whole.len() / 2].to_owned(), "cut off in line"),
        ("newer", whole.replace("scsim.result/1", "scsim.result/2"), "newer than this scsim reads"),
        ("not JSON", SMALL.to_owned(), "not JSON"),
        ("another kind", "{\"schema\": \"scsim.replay/1\"}".to_owned(), "no result of scsim"),
        ("empty", "[]".to_owned(), "holds no result"),
        (
            "a field is missing",
            bent(&|v| drop(v["planes"][1].as_object_mut().unwrap().remove("metrics"))),
            "missing field `metrics` at line",
        ),
        ("a field is of another kind", bent(&|v| v["summary"]["rows"][0]["label"] = json!(3)), "at line"),
        (
            "lists differ",
            bent(&|v| drop(v["planes"][0]["timeline"]["errors"].as_array_mut().unwrap().pop())),
            "`timeline`",
        ),
        ("no duration", bent(&|v| v["scenario"]["duration_s"] = json!(0)), "duration_s is 0"),
    ];
    for (name, text, says) in cases {
        std::fs::write(folder.join("r.json"), text).unwrap();
        std::fs::write(folder.join("page.html"), "as it was").unwrap();
        let made = scsim(&folder, &["report", "r.json", "-o", "page.html"]);
        assert_eq!(code(&made), 2, "{name}");
        let said = err(&made);
        assert!(said.contains("r.json") && said.contains(says), "{name}: {said}");
        assert_eq!(said.lines().count(), 1, "{name}: one diagnostic: {said}");
        assert_eq!(std::fs::read_to_string(folder.join("page.html")).unwrap(), "as it was", "{name}");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2, "{name}: nothing half written");
    }
    assert_eq!(code(&scsim(&folder, &["report", "nowhere.json"])), 2);
    assert_eq!(code(&scsim(&folder, &["report", "r.json", "-o", "r.json"])), 2);
    assert_eq!(code(&scsim(&folder, &["report", "r.json", "--format", "json"])), 2);
}

#[test]
fn commands_repeat_what_the_run_was_told() {
    let folder = desk("commands");
    std::fs::write(folder.join("small.toml"), SMALL).unwrap();
    let run = scsim(
        &folder,
        &[
            "run",
            "small.toml",
            "--set",
            "title=\"a --seed 9\"",
            "--duration",
            "10s",
            "--plane",
            "direct",
            "--json",
            "-",
        ],
    );
    let html = page(&folder, &out(&run)).unwrap();
    let set = "--set &#39;title=&quot;a --seed 9&quot;&#39; --duration 10s";
    assert!(html.contains(&format!("<code id=\"again\">scsim run small.toml {set} --seed 1 --plane direct -n 3<")));
    assert!(html.contains(&format!(">scsim run small.toml {set} --seed 1 --plane direct --replication ")));
    assert!(html.contains(&format!(">scsim trace small.toml {set} --seed 1 --plane direct --replication ")));
    // Whatever stands there instead, there is a command.
    let mut value: Value = serde_json::from_str(&out(&run)).unwrap();
    for odd in ["", "scsim run --seed 1", "scsim run ", " --seed ", "\u{e9} --seed \u{e9}"] {
        value["summary"]["again"] = json!(odd);
        assert!(page(&folder, &value.to_string()).unwrap().contains(">scsim run small.toml --seed 1 --plane"), "{odd}");
    }
}

#[test]
fn several_results_share_a_page_or_are_chosen() {
    let folder = desk("several");
    let other = small().replace("small.toml", "other.toml").replace("\"title\": \"small\"", "\"title\": \"the other\"");
    let both = format!("[{},{other}]", small());
    let html = page(&folder, &both).unwrap();
    assert!(html.contains("id=\"r1-verdict\"") && html.contains("id=\"r2-verdict\""));
    let made = scsim(&folder, &["report", "r.json", "--scenario", "other"]);
    assert_eq!(code(&made), 0, "{}", err(&made));
    assert!(out(&made).contains("<h1>the other</h1>") && !out(&made).contains("r1-verdict"));
    let missing = scsim(&folder, &["report", "r.json", "--scenario", "othr"]);
    assert_eq!(code(&missing), 2);
    assert!(err(&missing).contains("did you mean `other`"), "{}", err(&missing));
    let many = format!("[{}]", vec![small(); 13].join(","));
    assert!(page(&folder, &many).unwrap_err().contains("--scenario"));
}

#[test]
fn results_that_hold_less_make_a_page_that_says_so() {
    let folder = desk("less");
    let mut value: Value = serde_json::from_str(small()).unwrap();
    value.as_object_mut().unwrap().remove("summary");
    for plane in value["planes"].as_array_mut().unwrap() {
        for key in ["latency", "attribution", "heat", "flows", "lanes", "replications_detail"] {
            plane.as_object_mut().unwrap().remove(key);
        }
    }
    let html = page(&folder, &value.to_string()).unwrap();
    assert!(html.contains("written by an earlier scsim"));
    assert!(html.contains("id=\"timeline\"") && !html.contains("id=\"lanes\""));
    let made = scsim(&folder, &["report", "r.json", "--format", "markdown"]);
    assert_eq!(code(&made), 2, "there is no table to write");
    // What `--save-baseline` keeps.
    value["trimmed"] = json!(true);
    for plane in value["planes"].as_array_mut().unwrap() {
        plane["timeline"] = Value::Null;
        for key in ["edges", "services", "tasks", "events"] {
            plane[key] = json!([]);
        }
    }
    value.as_object_mut().unwrap().remove("cost");
    let html = page(&folder, &value.to_string()).unwrap();
    assert!(html.contains("saved as a baseline") && html.contains("id=\"data\""));
}

/// Puts something else where a number or a text stood: the `n`th of them.
fn bend(value: &mut Value, n: &mut usize, to: &dyn Fn(&Value) -> Option<Value>) -> bool {
    match value {
        Value::Array(all) => all.iter_mut().any(|v| bend(v, n, to)),
        Value::Object(all) => all.values_mut().any(|v| bend(v, n, to)),
        leaf => {
            let Some(new) = to(leaf) else { return false };
            if *n > 0 {
                *n -= 1;
                return false;
            }
            *leaf = new;
            true
        }
    }
}

#[test]
fn no_number_breaks_a_page() {
    let folder = desk("numbers");
    let value: Value = serde_json::from_str(small()).unwrap();
    let mut refused = 0;
    for (round, odd) in [json!(-1.0), json!(0.0), json!(1e300), json!(-1e300), json!(1e-300)].into_iter().enumerate() {
        // Every number of a kind at once: what is drawn first would hide what is drawn later.
        for step in 1..=6_usize {
            let mut bent = value.clone();
            let to = |leaf: &Value| leaf.is_f64().then(|| odd.clone());
            let mut at = round + step;
            while bend(&mut bent, &mut at.clone(), &to) && at < 6_000 {
                at += step * 37;
            }
            match page(&folder, &bent.to_string()) {
                Ok(html) => assert!(!html.contains("NaN") && !html.contains("inf\""), "{odd} every {step}"),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused < 30, "a page is refused only for what cannot be drawn");
}

/// What would be markup.
const EVIL: &str = "</script><script>alert(1)</script><img src=x onerror=\"a\">'\"</style></title>";

/// Adds it to every text.
fn poison(value: &mut Value) {
    match value {
        Value::String(text) if !text.starts_with("scsim.") => text.push_str(EVIL),
        Value::Array(all) => all.iter_mut().for_each(poison),
        Value::Object(all) => all.values_mut().for_each(poison),
        _ => {}
    }
}

#[test]
fn texts_of_a_file_stay_texts() {
    let folder = desk("hostile");
    let mut value: Value = serde_json::from_str(small()).unwrap();
    poison(&mut value);
    let html = page(&folder, &value.to_string()).unwrap();
    assert!(!html.contains("<script>alert") && !html.contains("<img"), "markup came through");
    let clean = page(&folder, small()).unwrap();
    for tag in ["<script", "</script>", "<style>", "</style>", "</title>"] {
        assert_eq!(html.matches(tag).count(), clean.matches(tag).count(), "{tag}");
    }
}

#[test]
fn wrong_wishes_are_told_before_anything_runs() {
    let folder = desk("wishes");
    std::fs::write(folder.join("small.toml"), SMALL).unwrap();
    for (arguments, says) in [
        (&["run", "small.toml", "--open"][..], "--html"),
        (&["run", "small.toml", "--html", "-", "--open"], "--open needs a file"),
        (&["run", "small.toml", "--html", "-", "--json", "-"], "only one output"),
        (&["run", "small.toml", "--html", "a", "--json", "a"], "both write"),
        (&["run", "small.toml", "--html", "no/such/folder.html"], "no file can be written"),
        (&["run", "small.toml", "--html", "small.toml"], "overwrite the scenario"),
        (&["run", "small.toml", "--hdr", "small.toml"], "this is no folder"),
        (&["check", "small.toml", "--format", "html"], "only `scsim run`"),
    ] {
        let made = scsim(&folder, arguments);
        assert_eq!(code(&made), 2, "{arguments:?}");
        assert!(err(&made).contains(says), "{arguments:?}: {}", err(&made));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "{arguments:?}");
    }
}

#[test]
fn pictures_agree_with_the_figures() {
    let result: Value = serde_json::from_str(small()).unwrap();
    for plane in result["planes"].as_array().unwrap() {
        let sum = |list: &Value| list.as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).sum::<f64>();
        for (e, edge) in plane["edges"].as_array().unwrap().iter().enumerate() {
            for (flow, metric) in [("calls", "requests"), ("failed", "failed_requests")] {
                let frames = plane["flows"][flow][e].as_array().unwrap().len() as f64;
                let (sum, mean) = (sum(&plane["flows"][flow][e]), edge["metrics"][metric]["mean"].as_f64().unwrap());
                // Each frame is rounded to a tenth.
                assert!((sum - mean).abs() <= 0.05 * frames, "{}: {flow} {sum}, {metric} {mean}", plane["name"]);
            }
        }
        let heat: f64 = plane["heat"]["columns"].as_array().unwrap().iter().map(sum).sum();
        assert_eq!(heat as u64, plane["latency"]["ok"].as_u64().unwrap(), "every success has its tile");
        let lanes = plane["lanes"].as_array().unwrap();
        assert_eq!(lanes.len(), 2 + 3 + 4, "{}", plane["name"]);
        let struck: Vec<&Value> = lanes.iter().filter(|lane| lane.get("faults").is_some()).collect();
        assert_eq!(struck.len(), 1);
        assert_eq!(
            (&struck[0]["task"], &struck[0]["faults"][0]["label"]),
            (&json!("stock#1"), &json!("wedge stock#1"))
        );
        assert_eq!((&struck[0]["faults"][0]["from_s"], &struck[0]["faults"][0]["to_s"]), (&json!(5.0), &json!(10.0)));
    }
}

/// The inside of the panel of that name.
fn panel<'a>(html: &'a str, name: &str) -> &'a str {
    let from = html.find(&format!("<section class=panel id=\"{name}\"")).unwrap_or_else(|| panic!("no panel `{name}`"));
    let rest = &html[from..];
    &rest[..rest.find("</section>").unwrap()]
}

/// The rows of the table in the figure of that name, as texts.
fn rows(html: &str, figure: &str) -> Vec<Vec<String>> {
    let from = html.find(&format!("id=\"{figure}\"")).unwrap_or_else(|| panic!("no figure `{figure}`"));
    let table = &html[from..];
    let table = &table[table.find("<tbody>").unwrap()..table.find("</table>").unwrap()];
    let text = |cell: &str| {
        let plain: String = cell.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
        plain.trim().to_owned()
    };
    let cells = |row: &str| {
        let row = row
            .replace("<th scope=row>", "<th>")
            .replace("<td class=none>", "<td>")
            .replace("<td class=carries>", "<td>");
        row.replace("<th>", "<td>").split("<td>").skip(1).map(text).collect()
    };
    table.split("<tr>").skip(1).map(cells).collect()
}

#[test]
fn sweeps_and_capacities_are_panels_of_their_result() {
    let folder = desk("studies");
    for (name, text) in [("r.json", small()), ("s.json", swept()), ("c.json", searched())] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let made = scsim(&folder, &["report", "s.json", "r.json", "c.json"]);
    assert_eq!(code(&made), 0, "{}", err(&made));
    let html = out(&made);
    let at = |name: &str| html.find(&format!("<section class=panel id=\"{name}\"")).unwrap();
    let order = ["verdict", "cost", "sweep", "capacity", "scenario", "data"].map(at);
    assert!(order.is_sorted(), "{order:?}");
    let sweep = panel(&html, "sweep");
    assert!(!sweep.contains("Not under the same conditions"), "the sweep has the digest of the run");
    assert_eq!(sweep.matches("<figure class=\"heat-grid").count(), 2 * 3, "two figures on three planes");
    let capacity = panel(&html, "capacity");
    assert_eq!(capacity.matches("<figure class=chart").count(), 2 * 2, "two clauses, with and without a loss");
    assert_eq!(capacity.matches("SLO p99&lt;300ms").count(), 2, "each has its limit");
    // Colours are those of the result, whatever planes were searched.
    let planes: Value = serde_json::from_str::<Value>(small()).unwrap()["planes"].clone();
    let alb = planes.as_array().unwrap().iter().position(|plane| plane["name"] == "internal-alb").unwrap();
    assert!(capacity.contains(&format!("<span class=\"key k{alb}\"></span>internal-alb")));
    // A result alone is the page that it was.
    let alone = scsim(&folder, &["report", "r.json"]);
    assert!(!out(&alone).contains("id=\"sweep\"") && !out(&alone).contains("id=\"capacity\""));
}

#[test]
fn a_table_has_a_row_per_cell_with_its_figures() {
    let html = page(&desk("cells"), swept()).unwrap();
    assert!(html.contains("<h1>small</h1>") && !html.contains("id=\"data\""));
    let sweep: Value = serde_json::from_str(swept()).unwrap();
    let cells = sweep["cells"].as_array().unwrap();
    let table = rows(&html, "sweep-cells");
    assert_eq!((table.len(), cells.len()), (6, 6));
    for (row, cell) in table.iter().zip(cells) {
        assert_eq!(row[0], cell["cell"].to_string());
        assert_eq!((json!(row[1]), json!(row[2])), (cell["values"][0].clone(), cell["values"][1].clone()));
        for (p, plane) in cell["planes"].as_array().unwrap().iter().enumerate() {
            for (m, (metric, factor)) in [("error_rate", 100.0), ("p99", 1.0)].into_iter().enumerate() {
                let figures = plane["figures"].as_array().unwrap();
                let of = |f: &&Value| f["metric"] == metric && f["scope"] == "users" && f["during"] == "all";
                let figure = figures.iter().find(of).unwrap();
                for (e, end) in ["mean", "low", "high"].into_iter().enumerate() {
                    let (text, value) = (&row[4 + p * 6 + m * 3 + e], figure[end].as_f64().unwrap() * factor);
                    let shown: f64 = text.parse().unwrap_or_else(|_| panic!("`{text}` in {row:?}"));
                    assert!((shown - value).abs() <= value.abs() * 1e-3, "{metric} {end} {shown} and {value}");
                }
            }
        }
    }
    // Heat maps: a row per value of the first field, a tile per value of the second.
    let heat = rows(&html, "sweep-error_rate-0");
    assert_eq!(heat.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4]);
    assert_eq!(heat.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), ["3", "4"]);
}

#[test]
fn one_field_is_a_curve_and_three_are_a_table() {
    let folder = desk("fields");
    let mut value: Value = serde_json::from_str(swept()).unwrap();
    value["axes"].as_array_mut().unwrap().push(json!({"key": "run.seed", "values": ["1"]}));
    for cell in value["cells"].as_array_mut().unwrap() {
        cell["values"].as_array_mut().unwrap().push(json!("1"));
    }
    let html = page(&folder, &value.to_string()).unwrap();
    assert!(panel(&html, "sweep").contains("Only the table is shown: 3 fields at once have no picture."));
    assert_eq!((rows(&html, "sweep-cells").len(), html.matches("<figure").count()), (6, 1));
    // The rates with three tasks alone.
    let mut value: Value = serde_json::from_str(swept()).unwrap();
    value["axes"].as_array_mut().unwrap().remove(0);
    value["cells"].as_array_mut().unwrap().truncate(3);
    for cell in value["cells"].as_array_mut().unwrap() {
        cell["values"].as_array_mut().unwrap().remove(0);
    }
    let html = page(&folder, &value.to_string()).unwrap();
    let sweep = panel(&html, "sweep");
    assert_eq!(sweep.matches("<figure class=chart data-rank").count(), 2);
    assert_eq!(
        rows(&html, "sweep-p99").iter().map(|row| row[0].as_str()).collect::<Vec<_>>(),
        ["10/s", "20/s", "30/s"]
    );
    // What a plane lacks in a cell is a gap, and no zero.
    for figure in value["cells"][1]["planes"][0]["figures"].as_array_mut().unwrap() {
        figure["mean"] = Value::Null;
    }
    let html = page(&folder, &value.to_string()).unwrap();
    assert_eq!(rows(&html, "sweep-p99")[1][1], "");
}

#[test]
fn answers_say_what_binds() {
    let html = page(&desk("answers"), searched()).unwrap();
    let study: Value = serde_json::from_str(searched()).unwrap();
    let table = rows(&html, "capacity-answers");
    let answers = study["answers"].as_array().unwrap();
    assert_eq!(table.len(), answers.len());
    let found: Vec<usize> = (0..answers.len()).filter(|i| answers[*i]["outcome"] == "found").collect();
    assert!(!found.is_empty(), "the search finds a boundary somewhere");
    for i in found {
        let (row, answer) = (&table[i], &answers[i]);
        assert_eq!(row[0], answer["plane"].as_str().unwrap());
        let ends = format!("[{}, {})", answer["passes"].as_f64().unwrap(), answer["fails"].as_f64().unwrap());
        assert!(row[2].contains(&ends), "{row:?}: {ends}");
        assert!(answer["binding"].is_null() || row[4].contains('%'), "{row:?}");
    }
    // Each position that was tried has a row.
    let mut tried: Vec<f64> = answers
        .iter()
        .filter(|answer| answer["variant"].is_null())
        .flat_map(|answer| answer["probes"].as_array().unwrap().iter().map(|probe| probe["at"].as_f64().unwrap()))
        .collect();
    tried.sort_by(f64::total_cmp);
    tried.dedup();
    let shown: Vec<f64> = rows(&html, "capacity-1-1").iter().map(|row| row[0].parse().unwrap()).collect();
    assert_eq!(shown, tried);
}

#[test]
fn a_study_of_another_scenario_stands_apart() {
    let folder = desk("apart");
    let other = swept().replace("\"title\":\"small\",\"digest\":\"", "\"title\":\"the other\",\"digest\":\"ff");
    std::fs::write(folder.join("s.json"), other).unwrap();
    std::fs::write(folder.join("r.json"), small()).unwrap();
    let made = scsim(&folder, &["report", "r.json", "s.json"]);
    assert_eq!(code(&made), 0, "{}", err(&made));
    let html = out(&made);
    assert!(panel(&html, "r2-about").contains("another scenario than the result on this page"));
    assert!(
        html.contains("id=\"r2-sweep\"") && !html.contains("id=\"r1-sweep\"") && html.contains("id=\"r1-verdict\"")
    );
    // Of several scenarios one is chosen, with what varied it.
    let chosen = |name: &str| scsim(&folder, &["report", "r.json", "s.json", "--scenario", name]);
    let html = out(&chosen("the other"));
    assert!(html.contains("id=\"sweep\"") && !html.contains("id=\"verdict\""));
    let missing = chosen("the third");
    assert_eq!(code(&missing), 2);
    assert!(err(&missing).contains("no result of `the third` (it has small)"), "{}", err(&missing));
    // The same scenario with another seed is beside its result, with a word on it.
    std::fs::write(folder.join("s.json"), swept().replace("\"seed\":1,", "\"seed\":9,")).unwrap();
    let html = out(&scsim(&folder, &["report", "r.json", "s.json"]));
    assert!(panel(&html, "sweep").contains("its seed is 9, that of the result 1"));
}

#[test]
fn broken_studies_are_refused_with_a_remedy_and_leave_no_page() {
    let folder = desk("broken-studies");
    let (sweep, capacity) = (swept(), searched());
    std::fs::write(folder.join("r.json"), small()).unwrap();
    std::fs::write(folder.join("page.html"), "as it was").unwrap();
    for (name, text, says) in [
        ("cut off", sweep[..sweep.len() / 2].to_owned(), "this sweep is cut off in line"),
        ("cut off", capacity[..capacity.len() / 2].to_owned(), "`scsim capacity ... --json FILE`"),
        ("newer", sweep.replace("scsim.sweep/1", "scsim.sweep/2"), "newer than this scsim reads (scsim.sweep/1)"),
        ("newer", capacity.replace("scsim.capacity/1", "scsim.capacity/3"), "newer than this scsim reads"),
        ("another kind", sweep.replace("scsim.sweep/1", "scsim.swoop/1"), "no result of scsim"),
        ("a strange value", sweep.replacen("\"values\":[\"3\",\"10/s\"]", "\"values\":[\"5\",\"10/s\"]", 1), "`5` for"),
        ("no cells", "{\"schema\":\"scsim.sweep/1\"}".to_owned(), "missing field"),
        ("a clause less", capacity.replacen("\"slo\": [", "\"slo\": [\"p50<1s\",", 1), "clauses at"),
    ] {
        std::fs::write(folder.join("s.json"), &text).unwrap();
        for files in [&["report", "s.json", "-o", "page.html"][..], &["report", "r.json", "s.json", "-o", "page.html"]]
        {
            let made = scsim(&folder, files);
            assert_eq!(code(&made), 2, "{name}");
            let said = err(&made);
            assert!(said.contains("s.json: ") && said.contains(says), "{name}: {said}");
            assert_eq!(said.lines().count(), 1, "{name}: one diagnostic: {said}");
            assert_eq!(std::fs::read_to_string(folder.join("page.html")).unwrap(), "as it was", "{name}");
        }
    }
    std::fs::write(folder.join("s.json"), sweep).unwrap();
    let made = scsim(&folder, &["report", "s.json", "--format", "csv"]);
    assert_eq!(code(&made), 2);
    assert!(err(&made).contains("`scsim sweep`"), "{}", err(&made));
    assert_eq!(
        code(&scsim(&folder, &["report", "r.json", "s.json", "-o", "s.json"])),
        2,
        "it would write over its source"
    );
}

#[test]
fn hostile_studies_stay_texts_and_odd_numbers_have_places() {
    let folder = desk("hostile-studies");
    for text in [swept(), searched()] {
        let clean = page(&folder, text).unwrap();
        let mut value: Value = serde_json::from_str(text).unwrap();
        poison(&mut value);
        // These are names of the format, not texts.
        for key in ["mode", "varied"] {
            if let Some(Value::String(word)) = value.get_mut(key) {
                word.truncate(word.len() - EVIL.len());
            }
        }
        let html = page(&folder, &value.to_string()).unwrap();
        assert!(!html.contains("<script>alert") && !html.contains("<img"), "markup came through");
        for tag in ["<script", "</script>", "<style>", "</style>", "</title>"] {
            assert_eq!(html.matches(tag).count(), clean.matches(tag).count(), "{tag}");
        }
        let value: Value = serde_json::from_str(text).unwrap();
        for odd in [json!(-1.0), json!(0.0), json!(1e300), json!(-1e300), json!(1e-300)] {
            for step in [1, 2, 3, 5, 7_usize] {
                let mut bent = value.clone();
                let to = |leaf: &Value| (leaf.is_f64() && *leaf != json!(0.95)).then(|| odd.clone());
                let mut at = step;
                while bend(&mut bent, &mut at.clone(), &to) && at < 2_000 {
                    at += step * 7;
                }
                let html = page(&folder, &bent.to_string()).unwrap();
                assert!(!html.contains("NaN") && !html.contains("inf\""), "{odd} every {step}");
            }
        }
    }
}

#[test]
fn large_sweeps_make_small_pages() {
    let folder = desk("large");
    let mut value: Value = serde_json::from_str(swept()).unwrap();
    let cell = value["cells"][0].clone();
    let values: Vec<String> = (0..5_000).map(|i| format!("{i}/s")).collect();
    value["axes"] = json!([{"key": "load.rate", "values": values}]);
    let numbered = values.iter().enumerate().map(|(i, rate)| {
        let mut cell = cell.clone();
        cell["cell"] = json!(i);
        cell["values"] = json!([rate]);
        cell
    });
    value["cells"] = numbered.collect();
    let html = page(&folder, &value.to_string()).unwrap();
    assert!(html.len() < 1_500_000, "{} bytes", html.len());
    let sweep = panel(&html, "sweep");
    assert!(sweep.contains("1 of 1 fields have no curve") && sweep.contains("is left out to keep the page small"));
    let kept = rows(&html, "sweep-cells").len();
    assert!(sweep.contains(&format!("{} more cells are in the file", 5_000 - kept)), "{kept} are kept");
}
