//! The rules of the tree, held by reading its text. Goal: a rule that only a reviewer knows is
//! no rule. Method: plain scans of the sources and the documents, no parser; what a scan cannot
//! see is written so that it can (one `use crate::module::..` line per item).
//!
//! The table of imports below is the one of `ARCHITECTURE.md`, and a test compares the two.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// One module of the crate root.
struct Row {
    module: &'static str,
    /// Modules of ours that it may name.
    may_import: &'static [&'static str],
    /// Crates of others that it may name.
    crates: &'static [&'static str],
}

/// Who may import whom. A new module needs a row, here and in `ARCHITECTURE.md`.
const TABLE: &[Row] = &[
    Row { module: "units", may_import: &[], crates: &[] },
    Row { module: "diagnostic", may_import: &[], crates: &["serde"] },
    Row { module: "policy", may_import: &["units"], crates: &["libm", "xxhash_rust"] },
    Row { module: "measure", may_import: &["units", "policy", "scenario"], crates: &["hdrhistogram", "libm"] },
    Row {
        module: "scenario",
        may_import: &["units", "diagnostic", "policy"],
        crates: &["serde", "serde_json", "toml", "indexmap", "sha2", "libm"],
    },
    Row {
        module: "sim",
        may_import: &["units", "policy", "measure", "scenario"],
        crates: &["rand", "rand_distr", "rand_xoshiro", "rayon", "libm"],
    },
    Row {
        module: "live",
        may_import: &["units", "policy", "measure", "scenario"],
        crates: &["tokio", "rand", "rand_xoshiro", "serde", "toml"],
    },
    Row { module: "cost", may_import: &["units", "measure", "scenario"], crates: &["libm"] },
    Row {
        module: "report",
        may_import: &["units", "policy", "measure", "scenario", "cost"],
        crates: &["serde", "serde_json", "indexmap", "sha2", "hdrhistogram", "libm", "plotters"],
    },
    Row {
        module: "validate",
        may_import: &["units", "measure", "scenario", "sim", "report"],
        crates: &["serde", "serde_json", "toml", "indexmap", "rayon"],
    },
    Row {
        module: "replay",
        may_import: &["units", "diagnostic", "policy", "scenario"],
        crates: &["saphyr_parser", "serde_json"],
    },
    Row {
        module: "sweep",
        may_import: &["units", "diagnostic", "measure", "scenario", "report"],
        crates: &["serde", "serde_json", "sha2", "plotters"],
    },
    Row {
        module: "capacity",
        may_import: &["units", "policy", "measure", "scenario", "report", "sweep"],
        crates: &["serde_json", "plotters"],
    },
    Row {
        module: "trace",
        may_import: &["units", "policy", "measure", "scenario", "sim"],
        crates: &["serde", "serde_json"],
    },
    Row { module: "ledger", may_import: &["units", "measure", "scenario", "report", "sweep"], crates: &[] },
    Row {
        module: "cli",
        may_import: ALL,
        crates: &["anyhow", "clap", "clap_complete", "clap_mangen", "ctrlc", "serde_json", "rayon", "terminal_size"],
    },
    Row { module: "main", may_import: ALL, crates: &["anyhow", "clap", "ctrlc"] },
    Row { module: "lib", may_import: &[], crates: &[] },
];

/// Every module.
const ALL: &[&str] = &[
    "units",
    "diagnostic",
    "policy",
    "measure",
    "scenario",
    "sim",
    "live",
    "cost",
    "report",
    "validate",
    "replay",
    "sweep",
    "capacity",
    "trace",
    "ledger",
    "cli",
];

/// Files that only tests compile; they may make their material with the simulator.
const TESTS_ONLY: &[&str] = &["src/report/fixture.rs"];

/// Files of `policy` that compute in doubles, because Envoy does: whether a success rate lies below
/// mean less deviation, and whose turn it is by weight, is decided by the last bit. IEEE 754 defines + - * / and the square root to
/// that bit, so equal configurations and calls still give equal answers everywhere.
const FLOATS_IN_POLICY: &[&str] = &[
    "src/policy/rates.rs",
    "src/policy/balance/edf.rs",
    "src/policy/balance/hashing.rs",
    "src/policy/balance/least_request.rs",
    "src/policy/balance/locality.rs",
    "src/policy/balance/maglev.rs",
    "src/policy/balance/memory.rs",
    "src/policy/balance/mod.rs",
    "src/policy/balance/ring_hash.rs",
    "src/policy/balance/slow_start.rs",
];

/// `thiserror` is welcome everywhere but here.
const NO_THISERROR: &[&str] = &["policy", "units"];

/// Lines of a source file at the most.
const FILE_MAX: usize = 600;
/// Lines of a function at the most.
const FUNCTION_MAX: usize = 100;

/// Longer files: path, lines at the most, why it is one file.
const LONG_FILES: &[(&str, usize, &str)] = &[];

/// Longer functions: path, name, lines at the most, why it is one function.
const LONG_FUNCTIONS: &[(&str, &str, usize, &str)] = &[];

// ---- imports -------------------------------------------------------------------------------

#[test]
fn modules_import_only_what_the_table_allows() {
    let mut problems = Problems::default();
    for source in sources() {
        let Some(row) = TABLE.iter().find(|row| row.module == source.module) else {
            problems.add(&source.path, 0, format!("module `{}` has no row in the table of imports", source.module));
            continue;
        };
        let mut ours: BTreeSet<&str> = row.may_import.iter().copied().collect();
        ours.insert(&source.module);
        if TESTS_ONLY.contains(&source.path.as_str()) {
            ours.insert("sim");
        }
        for (line, module) in source.modules_named() {
            if TABLE.iter().any(|row| row.module == module) && !ours.contains(module) {
                problems.add(&source.path, line, format!("`{}` may not import `{module}`", source.module));
            }
        }
        let mut crates: BTreeSet<&str> = row.crates.iter().copied().collect();
        if !NO_THISERROR.contains(&row.module) {
            crates.insert("thiserror");
        }
        if source.module == "main" {
            crates.insert("scsim");
        }
        for (line, name) in source.crates_named() {
            if !crates.contains(name) {
                problems.add(&source.path, line, format!("`{}` may not use the crate `{name}`", source.module));
            }
        }
    }
    problems.check();
}

#[test]
fn one_use_line_per_item() {
    // Groups would hide an import from the scan above.
    let mut problems = Problems::default();
    for source in sources() {
        for (line, text) in source.code() {
            let text = text.trim_start();
            let text = text.strip_prefix("pub ").unwrap_or(text);
            if text.starts_with("use crate::{") || text.starts_with("use super::{") {
                problems.add(&source.path, line, "name each import on a line of its own");
            }
        }
    }
    problems.check();
}

#[test]
fn only_lib_and_mod_files_re_export() {
    let mut problems = Problems::default();
    for source in sources() {
        let name = source.file_name();
        for (line, text) in source.code() {
            let text = text.trim_start();
            if text.starts_with("pub use ") && name != "lib.rs" && name != "mod.rs" {
                problems.add(&source.path, line, "only lib.rs and mod.rs re-export");
            }
        }
    }
    problems.check();
}

#[test]
fn the_table_in_the_documentation_is_this_one() {
    let page = read(&root().join("ARCHITECTURE.md"));
    for row in TABLE.iter().filter(|row| !["lib", "main"].contains(&row.module)) {
        let code = |names: &[&str]| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
        let imports = match row.may_import {
            [] => "nothing".to_owned(),
            all if all == ALL => "all".to_owned(),
            some => code(some),
        };
        let crates = if row.crates.is_empty() { "none".to_owned() } else { code(row.crates) };
        let line = format!("| `{}` | {imports} | {crates} |", row.module);
        assert!(page.contains(&line), "ARCHITECTURE.md lacks this row of its table of imports:\n{line}");
    }
}

// ---- what is absent on purpose -------------------------------------------------------------

#[test]
fn policy_has_no_clock_no_thread_no_float_and_no_hash_order() {
    let mut problems = Problems::default();
    for source in sources().into_iter().filter(|source| source.module == "policy") {
        for (line, text) in source.code() {
            for absent in [
                "std::time",
                "std::thread",
                "std::net",
                "std::fs",
                "std::io",
                "std::env",
                "std::process",
                "Instant",
                "SystemTime",
                "HashMap",
                "HashSet",
                "async ",
                ".await",
                "println!",
                "Mutex",
                "RwLock",
                "Atomic",
                "Cell<",
            ] {
                if text.contains(absent) {
                    problems.add(&source.path, line, format!("`policy` has no `{}`", absent.trim()));
                }
            }
            let float = words(&text).any(|word| word == "f64" || word == "f32") || has_float_literal(&text);
            if FLOATS_IN_POLICY.contains(&source.path.as_str()) {
                // What the C library or a fused instruction could round differently stays out.
                for absent in ["f32", "mul_add", "powi", "powf", "exp(", "ln("] {
                    if text.contains(absent) {
                        problems.add(&source.path, line, format!("`{absent}` may differ between machines"));
                    }
                }
            } else if float {
                problems.add(&source.path, line, "`policy` computes in integers");
            }
        }
    }
    problems.check();
}

#[test]
fn sim_and_scenario_touch_no_clock_no_file_and_no_socket() {
    let mut problems = Problems::default();
    for source in sources() {
        let absent: &[&str] = match source.module.as_str() {
            "units" | "measure" | "sim" => {
                &["std::time", "std::fs", "std::net", "std::env", "std::process", "HashMap", "HashSet", "println!"]
            }
            "scenario" | "report" | "diagnostic" => &["std::time", "std::net", "HashMap", "HashSet"],
            _ => continue,
        };
        for (line, text) in source.code() {
            for name in absent.iter().filter(|name| text.contains(**name)) {
                problems.add(&source.path, line, format!("`{}` has no `{name}`", source.module));
            }
        }
    }
    problems.check();
}

#[test]
fn nothing_is_called_utils() {
    let mut problems = Problems::default();
    for source in sources() {
        for part in Path::new(&source.path).iter().filter_map(|part| part.to_str()) {
            let stem = part.strip_suffix(".rs").unwrap_or(part);
            if ["util", "utils", "common", "helper", "helpers", "misc"].contains(&stem) {
                problems.add(&source.path, 0, format!("`{stem}` says nothing: name it after what it knows"));
            }
        }
        for (line, text) in source.code() {
            for name in ["utils", "common", "helpers"] {
                if text.contains(&format!("mod {name}")) {
                    problems.add(&source.path, line, format!("`{name}` says nothing: name it after what it knows"));
                }
            }
        }
    }
    problems.check();
}

// ---- lengths and headers -------------------------------------------------------------------

#[test]
fn files_and_functions_stay_short() {
    let mut problems = Problems::default();
    let mut used = BTreeSet::new();
    for source in sources() {
        let lines = source.text.lines().count();
        let exception = LONG_FILES.iter().find(|(path, ..)| *path == source.path);
        let max = exception.map_or(FILE_MAX, |(_, max, _)| *max);
        if lines > max {
            problems.add(&source.path, 0, format!("{lines} lines, {max} are allowed"));
        }
        if exception.is_some() && lines > FILE_MAX {
            used.insert(source.path.clone());
        }
        for (name, line, length) in source.functions() {
            let exception =
                LONG_FUNCTIONS.iter().find(|(path, function, ..)| *path == source.path && *function == name);
            let max = exception.map_or(FUNCTION_MAX, |(_, _, max, _)| *max);
            if length > max {
                problems.add(&source.path, line, format!("function `{name}` has {length} lines, {max} are allowed"));
            }
            if exception.is_some() && length > FUNCTION_MAX {
                used.insert(format!("{}::{name}", source.path));
            }
        }
    }
    for (path, _, _) in LONG_FILES {
        if !used.contains(*path) {
            problems.add(path, 0, "is short now: take it off the list of exceptions");
        }
    }
    for (path, name, _, _) in LONG_FUNCTIONS {
        if !used.contains(&format!("{path}::{name}")) {
            problems.add(path, 0, format!("`{name}` is short now: take it off the list of exceptions"));
        }
    }
    problems.check();
}

#[test]
fn every_file_opens_with_a_sentence() {
    let mut problems = Problems::default();
    for source in sources() {
        if !source.text.starts_with("//! ") {
            problems.add(&source.path, 1, "a file begins with `//!` and what it is for");
        }
    }
    problems.check();
}

#[test]
fn lints_are_lifted_with_expect_and_a_reason() {
    let mut problems = Problems::default();
    for source in sources() {
        for (line, text) in source.code() {
            if text.contains("#[allow(") || text.contains("#![allow(") {
                problems.add(&source.path, line, "`expect` with a reason, so that a stale exception shows");
            }
            if text.trim_start() == "#[ignore]" {
                problems.add(&source.path, line, "no test is ignored");
            }
        }
    }
    problems.check();
}

// ---- documents -----------------------------------------------------------------------------

#[test]
fn every_assumption_is_listed() {
    let page = read(&root().join("ARCHITECTURE.md"));
    let mut problems = Problems::default();
    let mut ids = BTreeSet::new();
    for source in sources() {
        for (i, text) in source.text.lines().enumerate() {
            for part in text.split("ASSUMPTION(").skip(1) {
                let id = part.split(')').next().unwrap_or("").to_owned();
                if !page.contains(&format!("`{id}`")) {
                    problems.add(&source.path, i + 1, format!("assumption `{id}` is not listed in ARCHITECTURE.md"));
                }
                ids.insert(id);
            }
        }
    }
    let section = page.split("## Assumptions").nth(1).expect("ARCHITECTURE.md has a section on assumptions");
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let id = line.split('`').nth(1).unwrap_or("");
        if !ids.contains(id) {
            problems.add("ARCHITECTURE.md", 0, format!("assumption `{id}` is listed, but nothing in src is marked so"));
        }
    }
    problems.check();
}

#[test]
fn relative_links_lead_somewhere() {
    let mut problems = Problems::default();
    for page in files(&root(), "md") {
        let text = read(&page);
        let shown = relative(&page);
        for (i, line) in without_code_blocks(&text).enumerate() {
            for part in line.split("](").skip(1) {
                let target = part.split(')').next().unwrap_or("").split(' ').next().unwrap_or("");
                let (file, _anchor) = target.split_once('#').unwrap_or((target, ""));
                if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
                    continue;
                }
                if !page.parent().expect("a page lies in a directory").join(file).exists() {
                    problems.add(&shown, i + 1, format!("`{file}` does not exist"));
                }
            }
        }
    }
    problems.check();
}

#[test]
fn decisions_are_numbered_and_complete() {
    let mut problems = Problems::default();
    let mut numbers = BTreeSet::new();
    for page in files(&root().join("docs/adr"), "md") {
        let (shown, text) = (relative(&page), read(&page));
        let name = page.file_name().and_then(|name| name.to_str()).unwrap_or("");
        match name.split_once('-').and_then(|(number, _)| number.parse::<usize>().ok()) {
            Some(number) => {
                if !numbers.insert(number) {
                    problems.add(&shown, 0, format!("the number {number} is taken"));
                }
            }
            None => problems.add(&shown, 0, "is called NNNN-title.md".to_owned()),
        }
        for heading in ["## Context", "## Decision", "## Alternatives", "## Consequences"] {
            if !text.contains(heading) {
                problems.add(&shown, 0, format!("lacks `{heading}`"));
            }
        }
    }
    let expected: BTreeSet<usize> = (1..=numbers.len()).collect();
    if numbers != expected {
        problems.add("docs/adr", 0, "the numbers have a gap");
    }
    problems.check();
}

#[test]
fn every_scenario_is_in_the_index() {
    let scenarios: Vec<PathBuf> = files(&root().join("scenarios"), "toml")
        .into_iter()
        .filter(|path| path.parent() == Some(&root().join("scenarios")))
        .collect();
    if scenarios.is_empty() {
        return;
    }
    let index = read(&root().join("scenarios/README.md"));
    let mut problems = Problems::default();
    for scenario in scenarios {
        let name = scenario.file_name().and_then(|name| name.to_str()).unwrap_or("").to_owned();
        if !index.contains(&name) {
            problems.add(&relative(&scenario), 0, "is not listed in scenarios/README.md");
        }
    }
    problems.check();
}

// ---- the scan itself -----------------------------------------------------------------------

#[test]
fn the_scan_sees_what_it_is_meant_to_see() {
    let source = Source {
        path: "src/sim/x.rs".to_owned(),
        module: "sim".to_owned(),
        text: concat!(
            "use crate::live::Proxy;\n",
            "// use crate::cli::X;\n",
            "fn f() -> crate::report::Report {\n",
            "    let s = \"tokio::spawn\";\n",
            "    tokio::spawn(std::mem::take(x)); // rayon::join\n",
            "    use rand::Rng as _;\n",
            "    Sampler::new(module::name());\n",
            "}\n",
        )
        .to_owned(),
    };
    assert_eq!(source.modules_named(), [(1, "live"), (3, "report")]);
    assert_eq!(source.crates_named(), [(5, "tokio"), (6, "rand")]);
    assert_eq!(source.functions(), [("f".to_owned(), 3, 6)]);
    assert!(
        has_float_literal("let x = 0.5;")
            && has_float_literal("1e9")
            && !has_float_literal("1.max(2); a.0.1; 0..5; 0x1e9")
    );
}

/// A file of the package.
struct Source {
    /// From the root of the package, with forward slashes.
    path: String,
    /// The module of the crate root it belongs to.
    module: String,
    text: String,
}

impl Source {
    fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or("")
    }

    /// Lines with their numbers, comments and the insides of strings cut out.
    fn code(&self) -> impl Iterator<Item = (usize, String)> {
        self.text.lines().enumerate().map(|(i, line)| (i + 1, without_strings_and_comments(line)))
    }

    /// Modules of ours named by a path from the root of the crate.
    fn modules_named(&self) -> Vec<(usize, &str)> {
        let mut named = Vec::new();
        for (line, text) in self.code() {
            for root in ["crate::", "scsim::"] {
                for part in text.split(root).skip(1) {
                    let name = words(part).next().unwrap_or("");
                    if let Some(module) = ALL.iter().find(|module| **module == name) {
                        named.push((line, *module));
                    }
                }
            }
        }
        named
    }

    /// Crates of others named by a path that begins with them.
    fn crates_named(&self) -> Vec<(usize, &'static str)> {
        let mut named = Vec::new();
        for (line, text) in self.code() {
            for &name in dependencies() {
                let path = format!("{name}::");
                let begins = |at: usize| {
                    let before = text[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
                };
                if text.match_indices(&path).any(|(at, _)| begins(at))
                    || text.trim_start().starts_with(&format!("use {name} as"))
                {
                    named.push((line, name));
                }
            }
        }
        named
    }

    /// Name, first line and length of each function, by indentation: the tree is formatted.
    fn functions(&self) -> Vec<(String, usize, usize)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let mut found = Vec::new();
        for (i, line) in lines.iter().enumerate() {
            let body = line.trim_start();
            let indent = &line[..line.len() - body.len()];
            let Some(at) = body.find("fn ") else { continue };
            let qualifiers = body[..at].split_whitespace();
            let is_function = qualifiers.clone().all(|word| {
                word.starts_with("pub")
                    || ["const", "async", "unsafe", "extern", "in"].contains(&word)
                    || word.ends_with(')')
            });
            let name = words(&body[at + 3..]).next().unwrap_or("");
            if !is_function || name.is_empty() || body.ends_with(';') || body.ends_with('}') {
                continue;
            }
            let end = format!("{indent}}}");
            if let Some(length) = lines[i..].iter().position(|line| *line == end) {
                found.push((name.to_owned(), i + 1, length + 1));
            }
        }
        found
    }
}

/// Problems found, reported together.
#[derive(Default)]
struct Problems(String);

impl Problems {
    fn add(&mut self, path: &str, line: usize, problem: impl std::fmt::Display) {
        let place = if line == 0 { path.to_owned() } else { format!("{path}:{line}") };
        writeln!(self.0, "  {place}: {problem}").expect("a string takes all");
    }

    fn check(self) {
        assert!(self.0.is_empty(), "the rules of the tree are broken:\n{}", self.0);
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// All files below a directory with that extension, in order of path; none if it does not exist.
fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries {
            let path = entry.expect("a directory entry can be read").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("").to_owned();
            if path.is_dir() {
                // Neither build products nor hidden directories, except the CI's.
                if name != "target" && name != "node_modules" && (!name.starts_with('.') || name == ".ci") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|e| e == extension) {
                found.insert(path);
            }
        }
    }
    found.into_iter().collect()
}

fn sources() -> Vec<Source> {
    let mut all = Vec::new();
    for path in files(&root().join("src"), "rs") {
        let shown = relative(&path);
        let inside = shown.strip_prefix("src/").expect("it lies below src");
        let module = inside.split('/').next().unwrap_or("");
        let module = module.strip_suffix(".rs").unwrap_or(module).to_owned();
        all.push(Source { path: shown, module, text: read(&path) });
    }
    assert!(all.len() > 10, "the sources were found");
    all
}

/// Names of all dependencies in `Cargo.toml`, as paths spell them.
fn dependencies() -> &'static [&'static str] {
    static NAMES: std::sync::OnceLock<Vec<&'static str>> = std::sync::OnceLock::new();
    NAMES.get_or_init(|| {
        let mut names = BTreeSet::new();
        let mut section = String::new();
        for line in read(&root().join("Cargo.toml")).lines() {
            if let Some(name) = line.strip_prefix('[') {
                name.trim_end_matches(']').clone_into(&mut section);
            } else if section == "dependencies"
                && let Some((name, _)) = line.split_once('=')
                && !line.starts_with('#')
            {
                names.insert(name.trim().replace('-', "_"));
            }
        }
        assert!(names.contains("rand"), "the dependencies were found");
        names.into_iter().map(|name| &*name.leak()).collect()
    })
}

/// The words of a line: runs of letters, digits and underscores.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

/// True for `0.5` and `1e9`; false for `a.0.1`, `0..5`, `1.max(2)` and `0x1e9`.
fn has_float_literal(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit()
            || (at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || b"_.".contains(&bytes[at - 1])))
        {
            at += 1;
            continue;
        }
        let mut end = at;
        while end < bytes.len() && (bytes[end].is_ascii_alphanumeric() || bytes[end] == b'_') {
            end += 1;
        }
        let digits = &text[at..end];
        let fraction = bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        let exponent = !digits.starts_with("0x")
            && digits.contains(['e', 'E'])
            && !digits.contains("usize")
            && !digits.contains("isize");
        if fraction || exponent {
            return true;
        }
        at = end;
    }
    false
}

/// Cuts comments and the insides of one-line strings out of a line of code.
fn without_strings_and_comments(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    let mut inside = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' if inside => {
                chars.next();
            }
            '"' => {
                inside = !inside;
                out.push('"');
            }
            // A quote as a character is no string.
            '\'' if !inside && chars.peek() == Some(&'"') => {
                chars.next();
                chars.next();
            }
            '/' if !inside && chars.peek() == Some(&'/') => break,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out
}

/// The lines of a page, those of code blocks empty.
fn without_code_blocks(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().map(move |line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        if inside || fence { "" } else { line }
    })
}
