//! `scsim trace`, `run --trace` and `run --why`. Goal: a viewer can open what is written, and a reader can
//! believe what is told. Method: a run with faults of every sort, on every kind of plane, drawn as a whole and
//! read back: slices nest or follow, arrows meet, counts are those of the recording; a golden story; the
//! digest of a run that was watched.
//!
//! `SCSIM_BLESS=1 cargo test --test trace` writes the story anew.

#![expect(clippy::disallowed_methods, reason = "goldens are blessed by an environment variable")]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::sync::atomic::AtomicBool;

use scsim::scenario::LoadOptions;
use scsim::scenario::Scenario;
use scsim::sim;
use scsim::sim::Limits;
use scsim::trace::book::Book;
use scsim::trace::book::Wanted;
use scsim::trace::chrome::Chrome;
use scsim::trace::chrome::Windows;
use scsim::trace::chrome::Written;
use scsim::units::Span;
use scsim::units::Time;
use serde_json::Value;

/// Everything at once: branches, queues, hedging, wedges, hangs, resets, crashes, a scale-in.
const TROUBLE: &str = r#"
title   = "everything at once"
compare = ["service-connect", "cloud-map-dns", "internal-alb", "hedge", "direct"]
[service.web]
tasks = 2
steps = [{ work = "1ms" }, [{ call = "cart" }, { call = "stock" }], { call = "cart", optional = true }]
[service.cart]
tasks = 4
concurrency = 2
queue = 20
latency = { p50 = "15ms", p99 = "120ms" }
calls = ["stock"]
[service.stock]
tasks   = 3
latency = { p50 = "5ms", p99 = "60ms" }
[load]
rate = "30/s"
[run]
duration = "40s"
warmup   = "2s"
replications = 2
[plane.hedge]
extends = "envoy"
policy.retry_policy = { retry_on = ["5xx"], num_retries = 2, per_try_timeout = "40ms" }
policy.hedge_policy = { hedge_on_per_try_timeout = true }
[[fault]]
name   = "wedged"
at     = "5s"
for    = "15s"
target = "cart#1"
kind   = "wedge"
[[fault]]
at     = "8s"
for    = "6s"
target = "stock#2"
kind   = "hang"
[[fault]]
at     = "10s"
target = "cart#2"
kind   = "crash"
[[fault]]
at     = "16s"
for    = "3s"
target = "stock#1"
kind   = "reset"
[[scale]]
at      = "25s"
service = "stock"
tasks   = 1
"#;

/// One wedged replica.
const WEDGED: &str = r#"
title   = "wedged"
compare = ["service-connect", "internal-alb"]
[service.checkout]
tasks = 2
calls = ["payments"]
[service.payments]
tasks   = 3
latency = "12ms"
[load]
rate = "50/s"
[run]
duration = "20s"
replications = 2
[[fault]]
at     = "5s"
target = "payments#1"
kind   = "wedge"
"#;

static NEVER: AtomicBool = AtomicBool::new(false);
const LIMITS: Limits<'_> = Limits { stop: &NEVER, events_max: u64::MAX };

fn scenario(text: &str) -> Scenario {
    let loaded = scsim::scenario::parse("t.toml", text, Path::new("."), &LoadOptions::default());
    loaded.unwrap_or_else(|problems| panic!("{problems:?}")).scenario
}

/// A plane drawn into memory.
fn drawn(scenario: &Scenario, plane: usize, windows: Windows, cap: u64) -> (Value, Written, u64) {
    let mut file = Vec::new();
    let mut chrome = Chrome::new(scenario, plane, 1, windows, &mut file, cap);
    let recording = sim::run_traced(scenario, plane, 1, LIMITS, &mut chrome).unwrap();
    let written = chrome.finish().unwrap();
    assert_eq!(written.bytes, file.len() as u64);
    (serde_json::from_slice(&file).expect("the file is JSON"), written, recording.digest)
}

fn events(trace: &Value) -> &[Value] {
    trace["traceEvents"].as_array().unwrap()
}

fn number(event: &Value, key: &str) -> u64 {
    event[key].as_u64().unwrap_or_else(|| panic!("{key} of {event}"))
}

/// Its beginning, its end turned round so that what encloses sorts first, its name.
type Slice<'a> = (u64, u64, &'a str);

/// Slices on a thread, which must nest or follow; how many there were.
fn nest(trace: &Value) -> usize {
    let mut tracks: BTreeMap<(u64, u64), Vec<Slice<'_>>> = BTreeMap::new();
    for event in events(trace).iter().filter(|event| event["ph"] == "X") {
        let (from, to) = (number(event, "ts"), number(event, "ts") + number(event, "dur"));
        let track = tracks.entry((number(event, "pid"), number(event, "tid"))).or_default();
        track.push((from, u64::MAX - to, event["name"].as_str().unwrap()));
    }
    for (track, slices) in &mut tracks {
        slices.sort_unstable();
        let mut around: Vec<(u64, &str)> = Vec::new();
        for &(from, turned, name) in slices.iter() {
            let to = u64::MAX - turned;
            around.retain(|(end, _)| *end > from);
            if let Some((end, outer)) = around.last() {
                assert!(to <= *end, "{name} [{from}, {to}] reaches out of {outer}, which ends at {end}, on {track:?}");
            }
            around.push((to, name));
        }
    }
    tracks.values().map(Vec::len).sum()
}

/// Every arrow has one start, one end and, in between, its steps; the numbers of the requests.
fn meet(trace: &Value) -> BTreeSet<u64> {
    let mut arrows: BTreeMap<u64, Vec<(u64, &str)>> = BTreeMap::new();
    for event in events(trace) {
        let ph = event["ph"].as_str().unwrap();
        if ["s", "t", "f"].contains(&ph) {
            arrows.entry(number(event, "id")).or_default().push((number(event, "ts"), ph));
        }
    }
    for (request, parts) in &arrows {
        let count = |ph| parts.iter().filter(|part| part.1 == ph).count();
        assert_eq!((count("s"), count("f")), (1, 1), "request {request}: {parts:?}");
        let start = parts.iter().find(|part| part.1 == "s").unwrap().0;
        assert!(parts.iter().all(|part| part.0 >= start), "request {request} begins before its start");
    }
    arrows.into_keys().collect()
}

#[test]
fn a_whole_run_with_faults_nests_meets_and_counts_right() {
    let scenario = scenario(TROUBLE);
    for plane in 0..scenario.planes.len() {
        let name = &scenario.planes[plane].name;
        let plain = sim::run(&scenario, plane, 1, LIMITS).unwrap();
        let (trace, written, digest) = drawn(&scenario, plane, Windows::All, u64::MAX);
        assert_eq!(digest, plain.digest, "{name}: watching a run changed it");
        assert_eq!((written.requests, written.cut_at), (plain.books.arrived, None), "{name}");
        assert!(nest(&trace) > 5 * written.requests as usize, "{name}");
        assert_eq!(meet(&trace), (1..=plain.books.arrived).collect(), "{name}");
        let slices =
            |cat: &str| events(&trace).iter().filter(|e| e["ph"] == "X" && e["cat"] == cat).collect::<Vec<_>>();
        let failed = slices("request").iter().filter(|e| e["args"]["failed"] == true).count() as u64;
        assert_eq!(failed, plain.books.failed + plain.books.in_flight, "{name}");
        let arrived: u64 = plain.services.iter().map(|service| service.finished).sum();
        assert!(slices("job").len() as u64 >= arrived, "{name}");
        assert_eq!(slices("ejected").len() as u64, plain.ejections, "{name}");
        assert_eq!(slices("fault").len(), 4, "{name}");
        let stale = events(&trace).iter().filter(|e| e["cat"] == "stale").count() as u64;
        assert_eq!(stale, plain.stale_dials, "{name}");
        let (lines, left_out) = (plain.events.len(), plain.events_dropped);
        let told = events(&trace)
            .iter()
            .filter(|e| e["ph"] == "i" && plain.events.iter().any(|event| event.kind.name() == e["cat"]))
            .count();
        assert_eq!((told, left_out), (lines, 0), "{name}: the instants are the lines of the log");
        let retries = events(&trace).iter().filter(|e| e["cat"] == "retry").count();
        assert_eq!(retries > 0, scenario.planes[plane].edge_policies[0].retry_policy.is_some(), "{name}: {retries}");
        assert_eq!(trace["metadata"]["plane"], name.as_str());
        assert_eq!(trace["metadata"]["digest"], scenario.digest.as_str());
    }
}

#[test]
fn windows_draw_what_arrives_in_them() {
    let scenario = scenario(TROUBLE);
    let recording = sim::run(&scenario, 0, 1, LIMITS).unwrap();
    let windows = Windows::around(&recording, Span::from_secs(2));
    let Windows::These(stretches) = windows.clone() else { panic!("windows around events are not all") };
    assert!(stretches.len() > 1 && stretches.windows(2).all(|pair| pair[0].1 < pair[1].0), "{stretches:?}");
    assert_eq!(stretches[0].0, Time::ZERO + Span::from_secs(4), "a second before the first fault");
    let (trace, written, _) = drawn(&scenario, 0, windows, u64::MAX);
    assert!(written.requests > 50 && written.requests < recording.books.arrived, "{written:?}");
    nest(&trace);
    assert_eq!(meet(&trace).len() as u64, written.requests);
    let inside =
        |ts: u64| stretches.iter().any(|(from, to)| (from.as_nanos() / 1_000..=to.as_nanos() / 1_000).contains(&ts));
    for event in events(&trace).iter().filter(|e| e["cat"] == "request" && e["ph"] == "X" || e["ph"] == "C") {
        assert!(inside(number(event, "ts")), "{event}");
    }
}

#[test]
fn a_full_file_is_whole_says_so_and_is_no_larger() {
    let scenario = scenario(TROUBLE);
    let (trace, written, _) = drawn(&scenario, 0, Windows::All, 300_000);
    assert!(written.bytes < 320_000, "{written:?}");
    let at = written.cut_at.expect("a full file says when");
    assert!(at > Time::ZERO && at < Time::ZERO + Span::from_secs(20), "{at}");
    nest(&trace);
    assert_eq!(meet(&trace).len() as u64, written.requests);
    assert!(events(&trace).last().unwrap()["name"].as_str().unwrap().starts_with("the file is full"));
}

#[test]
fn a_writer_that_fails_is_heard() {
    struct Broken(usize);
    impl std::io::Write for Broken {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let scenario = scenario(WEDGED);
    let mut out = Broken(50_000);
    let mut chrome = Chrome::new(&scenario, 0, 0, Windows::All, &mut out, u64::MAX);
    let recording = sim::run_traced(&scenario, 0, 0, LIMITS, &mut chrome).unwrap();
    assert!(recording.partial, "nobody runs on for a file that cannot be written");
    assert_eq!(chrome.finish().unwrap_err().kind(), std::io::ErrorKind::StorageFull);
}

#[test]
fn the_costliest_failures_are_the_ones_that_took_longest() {
    let scenario = scenario(TROUBLE);
    let recording = sim::run(&scenario, 2, 0, LIMITS).unwrap();
    let mut book = Book::new(Wanted::All);
    sim::run_traced(&scenario, 2, 0, LIMITS, &mut book).unwrap();
    let end = Time::ZERO + scenario.run.duration + scenario.run.drain;
    let warm = Time::ZERO + scenario.run.warmup;
    let mut failures: Vec<(u64, u32)> = book
        .close()
        .iter()
        .filter(|story| story.failed() && story.arrived >= warm)
        .map(|story| {
            let over = story.answered.map_or(end, |(at, _)| at);
            (u64::MAX - over.since(story.arrived).as_nanos(), story.request)
        })
        .collect();
    failures.sort_unstable();
    failures.truncate(10);
    let kept: Vec<u32> = recording.costliest.iter().map(|one| one.request).collect();
    assert_eq!(kept, failures.into_iter().map(|(_, request)| request).collect::<Vec<_>>());
    assert_eq!(kept.len(), 10);
}

// ---- the command ---------------------------------------------------------------------------

/// A folder of its own for one test.
struct Desk(PathBuf);

impl Desk {
    fn new(name: &str) -> Desk {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("trace").join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("wedged.toml"), WEDGED).unwrap();
        Desk(folder)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_scsim")).current_dir(&self.0).args(arguments).output().unwrap()
    }

    /// Runs it, which must end with `code`; what it said on stdout and stderr.
    fn ends(&self, code: i32, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {err}");
        (out, err)
    }

    fn json(&self, name: &str) -> Value {
        let text = std::fs::read(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        serde_json::from_slice(&text).unwrap()
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

#[test]
fn each_plane_has_a_file_of_its_own() {
    let desk = Desk::new("files");
    let (_, told) = desk.ends(0, &["trace", "wedged.toml"]);
    assert_eq!(
        desk.files(),
        ["wedged.internal-alb.trace.json", "wedged.service-connect.trace.json", "wedged.toml"],
        "{told}"
    );
    assert!(told.contains("open it at https://ui.perfetto.dev"), "{told}");
    desk.ends(0, &["trace", "wedged.toml", "--plane", "service-connect,internal-alb", "-o", "both.json"]);
    let same = |one: &str, other: &str| {
        assert!(events(&desk.json(one)) == events(&desk.json(other)), "{one} and {other} differ");
    };
    same("both.internal-alb.json", "wedged.internal-alb.trace.json");
    desk.ends(0, &["trace", "wedged.toml", "--plane", "internal-alb", "-o", "one.json", "--trace-all"]);
    assert!(events(&desk.json("one.json")).len() > events(&desk.json("both.internal-alb.json")).len());
    let (out, _) = desk.ends(0, &["trace", "wedged.toml", "--plane", "internal-alb", "-o", "-"]);
    let out: Value = serde_json::from_str(&out).unwrap();
    assert!(events(&out) == events(&desk.json("both.internal-alb.json")), "stdout has another trace");
    desk.ends(0, &["run", "wedged.toml", "--trace", "run.json", "--json", "result.json"]);
    same("run.service-connect.json", "wedged.service-connect.trace.json");
    desk.ends(0, &["run", "wedged.toml", "--json", "plain.json"]);
    assert_eq!(desk.json("plain.json")["digest"], desk.json("result.json")["digest"]);
}

#[test]
fn the_story_of_a_request_that_met_the_wedged_replica() {
    let desk = Desk::new("story");
    desk.ends(0, &["trace", "wedged.toml", "--trace-all"]);
    // The first request that was retried, as the trace has it.
    let trace = desk.json("wedged.service-connect.trace.json");
    let retried = events(&trace).iter().find(|event| event["cat"] == "retry").expect("somebody retried");
    let request = number(&retried["args"], "request").to_string();
    let (told, _) = desk.ends(0, &["trace", "wedged.toml", "--request", &request]);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/trace/wedged.txt");
    if std::env::var_os("SCSIM_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&golden, &told).unwrap();
    }
    assert_eq!(told, std::fs::read_to_string(&golden).unwrap());
    let (ascii, _) = desk.ends(0, &["--ascii", "trace", "wedged.toml", "--request", &request]);
    assert!(ascii.is_ascii(), "{ascii}");
    desk.ends(0, &["trace", "wedged.toml", "--request", &request, "-o", "story.txt"]);
    assert_eq!(std::fs::read_to_string(desk.0.join("story.txt")).unwrap(), told);
}

#[test]
fn why_tells_ten_failures_of_each_plane() {
    let desk = Desk::new("why");
    let (told, _) = desk.ends(0, &["run", "wedged.toml", "--why", "--exit-zero"]);
    assert!(told.contains("service-connect: no request failed"), "{told}");
    assert!(told.contains("internal-alb: the 10 costliest of"), "{told}");
    let times: Vec<f64> = told
        .lines()
        .filter(|line| line.starts_with("request "))
        .map(|line| line.rsplit_once("503 after ").unwrap().1.trim_end_matches(" ms").parse().unwrap())
        .collect();
    assert_eq!(times.len(), 10);
    assert!(times.windows(2).all(|pair| pair[0] >= pair[1]), "{times:?}");
    assert!(told.contains("not retried: there is no retry_on on this plane"), "{told}");
}

#[test]
fn wrong_questions_get_a_remedy_and_leave_no_file() {
    let desk = Desk::new("wrong");
    for (arguments, remedy) in [
        (&["trace", "wedged.toml", "--request", "999999"][..], "numbered from 1 in order of arrival"),
        (&["trace", "wedged.toml", "--request", "0"], "0 is not in 1.."),
        (&["trace", "wedged.toml", "--plane", "service-conect"], "there is no plane `service-conect`"),
        (&["trace", "wedged.toml", "--replication", "2"], "they are numbered from 0 to 1"),
        (&["trace", "wedged.toml", "--window", "10"], "write \"10s\" or \"10ms\""),
        (&["trace", "wedged.toml", "--request", "1", "--trace-all"], "cannot be used with"),
        (&["trace", "wedged.toml", "--format", "csv"], "a trace is JSON"),
        (&["trace", "wedged.toml", "-o", "-"], "choose one with --plane"),
        (&["trace", "wedged.toml", "-o", "no/such/folder.json"], "no file can be written there"),
        (&["trace", "wedged.toml", "--plane", "internal-alb", "-o", "wedged.toml"], "overwrite the scenario"),
        (&["trace", "missing.toml"], "missing.toml"),
        (&["run", "wedged.toml", "--trace", "-"], "--trace needs a file"),
        (&["run", "wedged.toml", "--why", "--format", "json"], "--why is text"),
        (&["run", "wedged.toml", "wedged.toml", "--trace", "t.json"], "one scenario at a time"),
    ] {
        let (_, told) = desk.ends(2, arguments);
        assert!(told.contains(remedy), "{arguments:?}: {told}");
        assert_eq!(desk.files(), ["wedged.toml"], "{arguments:?}");
    }
}
