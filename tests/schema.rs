//! The schemas that editors use: every scenario that is shipped fits, and slips of the pen do not.
//!
//! Files are read as TOML and asked of a JSON Schema validator, as an editor does it.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use serde_json::json;

fn schema(subject: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_scsim")).args(["schema", subject]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A validator of a schema that is itself valid.
fn validator(schema: &Value) -> jsonschema::Validator {
    jsonschema::draft202012::meta::validate(schema).unwrap_or_else(|error| panic!("{error}"));
    jsonschema::draft202012::new(schema).unwrap()
}

fn toml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            toml_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            found.push(path);
        }
    }
    found.sort();
}

fn toml_value(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap()
}

fn errors(validator: &jsonschema::Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn every_scenario_that_is_shipped_fits() {
    let validator = validator(&schema("scenario"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["scenarios", "tests/examples", "tests/data/words", "src/cli/init"] {
        toml_files(&root.join(folder), &mut files);
    }
    let mut count = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        // A file without services is included by others and is none by itself.
        if !text.contains("[service") {
            continue;
        }
        assert_eq!(errors(&validator, &toml_value(&text)), [""; 0], "{}", file.display());
        count += 1;
    }
    assert!(count > 200, "only {count} scenarios were found");
}

#[test]
fn price_files_fit_theirs() {
    let validator = validator(&schema("price-file"));
    let mut files = Vec::new();
    toml_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/scenario/cost/prices"), &mut files);
    assert!(files.len() > 10);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(errors(&validator, &toml_value(&text)), [""; 0], "{}", file.display());
    }
    for slip in [json!({ "alb": { "hours": "$1" } }), json!({ "alb": { "hour": 1 } }), json!({ "albs": {} })] {
        assert!(!validator.is_valid(&slip), "{slip}");
    }
}

/// A file that uses many words, each line of which the schema and the loader accept.
const WHOLE: &str = r#"
title = "whole"
compare = ["service-connect", "mine"]
[run]
duration = "1m"
[service.web]
tasks = 3
calls = ["api"]
[service.api]
latency = { p50 = "8ms", p99 = "50ms" }
[load]
rate = "10/s"
[policy]
outlier_detection = { consecutive_5xx = 3 }
[plane.mine]
extends = "cloud-map-dns"
ttl = "10s"
[[fault]]
at = "10s"
target = "api#1"
kind = "wedge"
[[expect]]
that = "error_rate < 100%"
"#;

/// What must not pass: a line, and what stands in its place.
const SLIPS: [(&str, &str); 21] = [
    ("title = \"whole\"", "titel = \"whole\""),
    ("title = \"whole\"", "title = 5"),
    ("duration = \"1m\"", "duration = 60"),
    ("duration = \"1m\"", "duration = \"60\""),
    ("duration = \"1m\"", "durations = \"1m\""),
    ("tasks = 3", "tasks = \"3\""),
    ("tasks = 3", "tasks = 0"),
    ("tasks = 3", "task = 3"),
    ("calls = [\"api\"]", "calls = \"api\""),
    ("calls = [\"api\"]", "calls = [1]"),
    ("{ p50 = \"8ms\", p99 = \"50ms\" }", "{ p50 = \"8ms\", p98 = \"50ms\" }"),
    ("{ p50 = \"8ms\", p99 = \"50ms\" }", "12"),
    ("rate = \"10/s\"", "rate = 10"),
    ("rate = \"10/s\"", "rate = \"10\""),
    ("consecutive_5xx = 3", "consecutive_errors = 3"),
    ("consecutive_5xx = 3", "consecutive_5xx = \"3\""),
    ("consecutive_5xx = 3", "monitors = [\"x\"]"),
    ("extends = \"cloud-map-dns\"\n", ""),
    ("ttl = \"10s\"", "tll = \"10s\""),
    ("kind = \"wedge\"", "kind = \"wegde\""),
    ("that = \"error_rate < 100%\"", "severity = \"warn\""),
];

#[test]
fn what_the_loader_refuses_the_schema_refuses() {
    let validator = validator(&schema("scenario"));
    assert_eq!(errors(&validator, &toml_value(WHOLE)), [""; 0]);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("schema-slips");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("slip.toml");
    let loads = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Command::new(env!("CARGO_BIN_EXE_scsim")).arg("check").arg(&file).output().unwrap().status.success()
    };
    assert!(loads(WHOLE), "the file without a slip loads");
    for (right, wrong) in SLIPS {
        assert!(WHOLE.contains(right), "{right}");
        let text = WHOLE.replacen(right, wrong, 1);
        assert!(!validator.is_valid(&toml_value(&text)), "the schema lets `{wrong}` pass");
        assert!(!loads(&text), "the loader lets `{wrong}` pass");
    }
    // A note of the user's own is none of these.
    assert!(validator.is_valid(&toml_value(&WHOLE.replace("tasks = 3", "tasks = 3\nx_note = \"three\""))));
}

#[test]
fn every_word_is_described() {
    let schema = schema("scenario");
    let mut open = vec![(String::new(), &schema)];
    let definitions = schema["$defs"].as_object().unwrap();
    open.extend(definitions.iter().map(|(name, table)| (name.clone(), table)));
    let mut count = 0;
    for (name, table) in open {
        for (key, property) in table["properties"].as_object().into_iter().flatten() {
            let about = property["description"].as_str().unwrap_or_default();
            assert!(about.len() > 3 && !about.starts_with('\n'), "{name}.{key} has no description");
            count += 1;
        }
    }
    assert!(count > 400, "{count}");
}

/// A result of each of these, as one file.
fn results() -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO_BIN_EXE_scsim"))
        .current_dir(root)
        .args(["run", "src/cli/init/cost.toml", "scenarios/library/deploys/migration.toml", "-n", "2", "--json", "-"])
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Every object of a value against the schema at the same place: keys that it does not describe.
fn undescribed(schema: &Value, root: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        return undescribed(&root["$defs"][name.trim_start_matches("#/$defs/")], root, value, path, found);
    }
    if let Some(forms) = schema["anyOf"].as_array() {
        let fits = |form: &&Value| form["type"] != "null" || value.is_null();
        if let Some(form) = forms.iter().find(fits) {
            undescribed(form, root, value, path, found);
        }
        return;
    }
    match value {
        Value::Object(entries) => {
            for (key, inner) in entries {
                match (schema["properties"].get(key), schema.get("additionalProperties")) {
                    (Some(schema), _) => undescribed(schema, root, inner, &format!("{path}.{key}"), found),
                    (None, Some(_)) => {}
                    (None, None) => found.push(format!("{path}.{key}")),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| undescribed(&schema["items"], root, item, path, found)),
        _ => {}
    }
}

#[test]
fn results_fit_theirs_and_every_key_is_described() {
    let schema = schema("result");
    let validator = validator(&schema);
    let results = results();
    assert_eq!(results.as_array().map(Vec::len), Some(2));
    let one = &results[1];
    for result in [&results, one] {
        assert_eq!(errors(&validator, result), [""; 0]);
    }
    let mut found = Vec::new();
    for result in results.as_array().unwrap() {
        undescribed(&schema["$defs"]["result"], &schema, result, "", &mut found);
    }
    found.sort();
    found.dedup();
    assert_eq!(found, [""; 0]);
    for (path, wrong) in [
        ("/schema", json!("scsim.result/2")),
        ("/seed", json!("1")),
        ("/planes/0/metrics/error_rate/mean", json!("0.1")),
        ("/expectations/0/verdict", json!("maybe")),
        ("/assumptions/0/confidence", json!("sure")),
        ("/planes", json!({})),
    ] {
        let mut broken = one.clone();
        *broken.pointer_mut(path).unwrap() = wrong;
        assert!(!validator.is_valid(&broken), "{path}");
    }
    let mut more = one.clone();
    more["a_key_of_a_later_version"] = json!(1);
    assert!(validator.is_valid(&more), "keys are only ever added");
}

#[test]
fn sweeps_fit_theirs_and_every_key_is_described() {
    let output = Command::new(env!("CARGO_BIN_EXE_scsim"))
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .args(["sweep", concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/init/capacity.toml"), "-n", "2"])
        .args(["--vary", "service.catalog.tasks=3,4", "--duration", "20s", "--fresh", "--json", "-"])
        .output()
        .unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    let schema = schema("sweep");
    assert_eq!(errors(&validator(&schema), &result), [""; 0]);
    let mut found = Vec::new();
    undescribed(&schema, &schema, &result, "", &mut found);
    assert_eq!(found, [""; 0]);
}
