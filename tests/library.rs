//! The library of scenarios, `scenarios/library`. Goal: every file is valid, says what it is for, and stands in the
//! index once; the index names no file that is gone. Method: each is read as the command reads it. That what they state
//! holds, in every cell of their sweeps too, is for `./test library`, which runs them all in a release build.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files with their text, by their path below `scenarios/`.
fn library() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for topic in std::fs::read_dir(root().join("scenarios/library")).unwrap() {
        let topic = topic.unwrap().path();
        for file in std::fs::read_dir(&topic).unwrap() {
            let file = file.unwrap().path();
            let name = file.strip_prefix(root().join("scenarios")).unwrap().to_str().unwrap().to_owned();
            found.insert(name, std::fs::read_to_string(&file).unwrap());
        }
    }
    assert!(found.len() >= 40, "{} scenarios", found.len());
    found
}

#[test]
fn the_index_lists_every_scenario_once_and_nothing_else() {
    let index = std::fs::read_to_string(root().join("scenarios/README.md")).unwrap();
    let mut listed: BTreeMap<&str, usize> = BTreeMap::new();
    for line in index.lines().filter(|line| line.starts_with("| [")) {
        let link = line.split(['(', ')']).nth(1).unwrap();
        *listed.entry(link).or_default() += 1;
        assert!(Path::new(&root().join("scenarios").join(link)).is_file(), "{link} is listed and does not exist");
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        assert!(cells.len() == 4 && cells.iter().all(|cell| !cell.is_empty()), "not four cells: {line}");
    }
    for name in library().keys() {
        assert_eq!(listed.get(name.as_str()), Some(&1), "{name} must be listed once");
    }
}

#[test]
fn every_scenario_teaches_and_expects_something() {
    for (name, text) in library() {
        let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(table.contains_key("title"), "{name} has no title");
        let lesson = text.lines().take_while(|line| line.starts_with("# ")).count();
        assert!((2..=5).contains(&lesson), "{name}: two to five lines of comment say what it teaches, not {lesson}");
        let expected = table.get("expect").and_then(toml::Value::as_array).map_or(0, Vec::len);
        assert!(expected > 0, "{name} expects nothing");
        // TOML 1.0: an inline table has no comma at its end, and none of its keys begins a line of its own.
        assert!(!text.contains(", }"), "{name}: an inline table ends in a comma");
        assert!(text.is_ascii(), "{name}: plain characters only");
    }
}

#[test]
fn every_scenario_can_be_run() {
    let files: Vec<PathBuf> = library().keys().map(|name| root().join("scenarios").join(name)).collect();
    let output = Command::new(env!("CARGO_BIN_EXE_scsim")).arg("check").args(&files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
