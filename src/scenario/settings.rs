//! What a file says, laid flat: one line per value, named as `--set` names it.
//!
//! *Knows* the tree with its includes and overrides. *Does not know* defaults, nor what a key
//! means. Result files carry this list, so that two of them can tell what differs between their
//! scenarios.

use serde_json::Value as Json;

use crate::scenario::Loaded;
use crate::scenario::tree::Node;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;

/// A dotted key and its value.
pub type Setting = (String, Json);

impl Loaded {
    /// Every value of the file with its includes and overrides, in the order of the file. Lists of
    /// tables are numbered from 0, as in `--set fault.0.at=90s`; other lists are one value.
    pub fn settings(&self) -> Vec<Setting> {
        let mut all = Vec::new();
        table("", &self.tree, &mut all);
        // What is included is there by itself.
        all.retain(|(key, _)| key != "include");
        all
    }
}

fn table(path: &str, table: &Table, all: &mut Vec<Setting>) {
    for (name, entry) in &table.entries {
        node(&joined(path, name), &entry.node, all);
    }
}

fn node(path: &str, at: &Node, all: &mut Vec<Setting>) {
    match &at.value {
        Value::Table(inner) if !inner.entries.is_empty() => table(path, inner, all),
        Value::List(items) if items.iter().any(|item| matches!(item.value, Value::Table(_))) => {
            for (i, item) in items.iter().enumerate() {
                node(&joined(path, &i.to_string()), item, all);
            }
        }
        value => all.push((path.to_owned(), plain(value))),
    }
}

/// A key as TOML writes it behind a path.
fn joined(path: &str, name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let name = if bare { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

fn plain(value: &Value) -> Json {
    match value {
        Value::Text(text) => Json::from(text.as_str()),
        Value::Whole(Some(whole)) => Json::from(*whole),
        Value::Float(float) => Json::from(*float),
        Value::Bool(truth) => Json::from(*truth),
        Value::List(items) => items.iter().map(|item| plain(&item.value)).collect(),
        // Neither gets past the checks of any key.
        Value::Whole(None) | Value::Date => Json::Null,
        Value::Table(table) => {
            table.entries.iter().map(|(key, entry)| (key.clone(), plain(&entry.node.value))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::scenario::LoadOptions;
    use crate::scenario::parse;

    #[test]
    fn settings_are_named_as_set_names_them() {
        let text = "title = \"t\"\n[service.a]\ncalls = [\"b\", [\"c\"]]\n[service.b]\n[service.c]\n\
                    [load]\nrate = \"1/s\"\n[edge.\"a->b\"]\ntimeout = \"2s\"\n\
                    [[fault]]\nat = \"5s\"\ntarget = \"b#1\"\nkind = \"wedge\"\n";
        let options = LoadOptions {
            set: vec!["fault.0.at=9s".to_owned(), "policy.retry_policy.num_retries=0".to_owned()],
            seed: Some(7),
            ..LoadOptions::default()
        };
        let settings = parse("t.toml", text, Path::new("."), &options).unwrap().settings();
        let lines: Vec<String> = settings.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        assert_eq!(
            lines,
            [
                "title = \"t\"",
                "service.a.calls = [\"b\",[\"c\"]]",
                "service.b = {}",
                "service.c = {}",
                "load.rate = \"1/s\"",
                "edge.\"a->b\".timeout = \"2s\"",
                "fault.0.at = \"9s\"",
                "fault.0.target = \"b#1\"",
                "fault.0.kind = \"wedge\"",
                "policy.retry_policy.num_retries = 0",
                "run.seed = 7",
            ]
        );
    }
}
