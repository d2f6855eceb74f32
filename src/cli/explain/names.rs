//! Pages about names that are defined elsewhere: planes, response flags, constants, keys of result files.
//!
//! *Knows* where each is defined. *Does not know* what any of them means.

use std::fmt::Write as _;

use serde_json::Value;

use super::super::assumptions;
use super::super::schema;
use crate::measure::Flag;
use crate::scenario::Assumption;
use crate::scenario::vocabulary;

/// The page of a built-in plane.
pub fn plane(word: &str) -> Option<String> {
    let wanted = word.trim().to_lowercase().replace('_', "-");
    let name = vocabulary::planes().find(|name| *name == wanted)?;
    let table = vocabulary::of(&format!("plane.{name}"))?;
    let mut out = format!("{name} (plane)\n  {}\n\n", table.about);
    for key in table.all() {
        let default = if key.default.is_empty() { String::new() } else { format!(" Default: {}.", key.default) };
        let _ = writeln!(out, "  {:<24} {}{default}", key.name, key.about);
    }
    let _ = writeln!(
        out,
        "\n  [plane.{name}] changes them; extends = \"{name}\" makes a variant. What it assumes: scsim assumptions"
    );
    Some(out)
}

/// The planes, a line each.
pub fn planes() -> String {
    let mut out = String::from("planes\n");
    for name in vocabulary::planes() {
        let about = vocabulary::of(&format!("plane.{name}")).map_or("", |table| table.about);
        let _ = writeln!(out, "  {name:<24} {about}");
    }
    out
}

/// The page of a response flag.
pub fn flag(word: &str) -> Option<String> {
    let flag = Flag::named(&word.trim().to_uppercase())?;
    let raised = if flag.is_raised() {
        "scsim raises it: `flags` of an edge in result files counts such calls."
    } else {
        "scsim's policy never raises it: it takes a listener, routes or filters."
    };
    Some(format!("{} (response flag)\n  Envoy's access log: {}.\n  {raised}\n", flag.name(), flag.meaning()))
}

/// The flags, a line each.
pub fn flags() -> String {
    let mut out = String::from("response flags\n");
    for flag in Flag::ALL {
        let _ = writeln!(out, "  {:<24} {}", flag.name(), flag.meaning());
    }
    out
}

/// The pages of constants: by id, or by the id behind the name of a plane.
pub fn constants(word: &str, all: &[Assumption]) -> Vec<String> {
    let wanted = word.trim().to_lowercase().replace('-', "_");
    let same = |a: &&Assumption| a.id.to_lowercase().replace('-', "_") == wanted;
    all.iter().filter(same).map(|a| format!("(constant) {}", assumptions::entry(a))).collect()
}

/// The constants, a line each.
pub fn constants_index(all: &[Assumption]) -> String {
    let mut out = String::from("constants\n");
    for a in all {
        let _ = writeln!(out, "  {:<32} {}", a.id, a.value);
    }
    out
}

/// Every key of a result file with its description: `planes.metrics.p99_ms`.
pub fn results() -> Vec<(String, String)> {
    let schema = schema::fixed(schema::RESULT);
    let mut found = Vec::new();
    collect(&schema["$defs"]["result"], &schema, "", &mut found);
    found
}

fn collect(schema: &Value, root: &Value, path: &str, found: &mut Vec<(String, String)>) {
    // An estimate is described once, by itself.
    if schema["$ref"].as_str().is_some_and(|name| name.ends_with("line")) {
        return collect(&root["$defs"]["line"], root, path, found);
    }
    for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let about = inner["description"].as_str().unwrap_or_default().to_owned();
        found.push((path.clone(), about));
        collect(inner, root, &path, found);
    }
    if schema.get("items").is_some() {
        collect(&schema["items"], root, path, found);
    }
}

/// The pages of keys of result files: by path, or the end of it.
pub fn results_named(word: &str) -> Vec<String> {
    let wanted = word.trim().to_lowercase().replace("[]", "").replace('-', "_");
    let ends = |path: &str| path == wanted || path.ends_with(&format!(".{wanted}"));
    results()
        .into_iter()
        .filter(|(path, _)| ends(path))
        .map(|(path, about)| format!("{path} (result key)\n  {about}\n"))
        .collect()
}

/// The keys of a result file, a line each.
pub fn results_index() -> String {
    let mut out = String::from("keys of result files (scsim schema result)\n");
    for (path, about) in results() {
        let _ = writeln!(out, "  {path:<44} {about}");
    }
    out
}
