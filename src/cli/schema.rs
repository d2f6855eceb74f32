//! `scsim schema`: JSON Schemas (draft 2020-12) of what scsim reads and writes, for editors and scripts.
//!
//! *Knows* how a word of the language looks as a schema. *Does not know* the words: those of scenarios and
//! price files come from `scenario::vocabulary`, which the readers are held against.

use clap::Args;
use clap::ValueEnum;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::Exit;
use super::args::Common;
use super::console;
use super::outputs;
use crate::replay as trace;
use crate::scenario::vocabulary;
use crate::scenario::vocabulary::Form;
use crate::scenario::vocabulary::Key;
use crate::scenario::vocabulary::Table;

/// `scsim schema`.
#[derive(Args, Debug)]
pub struct SchemaArgs {
    /// Schema of what
    #[arg(value_enum, default_value_t = Subject::Scenario, value_name = "SUBJECT")]
    pub subject: Subject,
}

/// What there is a schema of.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// Scenario files, TOML
    Scenario,
    /// Price files of `[cost]`, TOML
    PriceFile,
    /// Result files of `run --json`
    Result,
    /// Results of `sweep --json`
    Sweep,
    /// Vectors of `policy replay`, YAML
    PolicyTrace,
}

/// The schema of result files, written by hand; a test holds real results against it.
pub const RESULT: &str = include_str!("schema/result.json");

/// Prints a schema.
pub fn schema(common: &Common, args: &SchemaArgs) -> Exit {
    let schema = match args.subject {
        Subject::Scenario => language("", "A scenario of scsim"),
        Subject::PriceFile => language("price-file", "A price file of scsim"),
        Subject::Result => fixed(RESULT),
        Subject::Sweep => fixed(include_str!("schema/sweep.json")),
        Subject::PolicyTrace => policy_trace(),
    };
    let text = format!("{}\n", serde_json::to_string_pretty(&schema).expect("every key is a string"));
    match &common.output {
        Some(path) => outputs::deliver(path, &text),
        None => console::print(&text),
    }
}

/// A schema that is written by hand.
pub fn fixed(text: &str) -> Value {
    serde_json::from_str(text).expect("the schemas that scsim carries are JSON")
}

/// The schema of a file of vectors, from the keys that `policy replay` takes.
fn policy_trace() -> Value {
    let mut properties = Map::new();
    for key in trace::common().iter().chain(trace::situation()) {
        properties.insert((*key).to_owned(), vector_key(key));
    }
    // A kind refuses what it makes no use of.
    let refusals: Vec<Value> = trace::kinds()
        .iter()
        .map(|(kind, takes)| {
            let others = trace::situation().iter().filter(|key| !takes.contains(key));
            let refused: Map<String, Value> = others.map(|key| ((*key).to_owned(), json!(false))).collect();
            json!({ "if": { "properties": { "kind": { "const": kind } } }, "then": { "properties": refused } })
        })
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Vectors of scsim policy replay",
        "description": "A list of vectors, alone or under `vectors` with notes in `meta`.",
        "anyOf": [
            { "$ref": "#/$defs/vectors" },
            { "type": "object", "properties": { "meta": true, "vectors": { "$ref": "#/$defs/vectors" } },
              "required": ["vectors"], "additionalProperties": false }
        ],
        "$defs": {
            "vectors": { "type": "array", "items": { "$ref": "#/$defs/vector" } },
            "vector": {
                "type": "object",
                "description": "A configuration, a situation, and what must come of it.",
                "properties": properties,
                "required": ["id", "kind"],
                "additionalProperties": false,
                "allOf": refusals
            }
        }
    })
}

/// A key of a vector.
fn vector_key(key: &str) -> Value {
    let mapping = |about: &str| json!({ "type": "object", "description": about });
    match key {
        "id" => json!({ "type": ["string", "integer"], "description": "Its name; each has its own." }),
        "kind" => {
            let kinds: Vec<&str> = trace::kinds().iter().map(|(kind, _)| *kind).collect();
            json!({ "enum": kinds, "description": "What it describes." })
        }
        "title" => json!({ "type": "string", "description": "What it is about, printed." }),
        "config" => mapping("Settings in Envoy's names; what is not written is Envoy's default."),
        "expect" => mapping("What must be so; of kind `outlier` it stands on the time line."),
        "hosts" => json!({ "type": "array", "items": { "type": "string" }, "uniqueItems": true,
                           "description": "Names, in the order of the router's list." }),
        "timeline" => json!({ "type": "array", "description": "Results and moments, in order of time." }),
        "attempts" | "sets" | "cases" | "headers" | "concurrent" => {
            json!({ "description": "The situation, where the kind takes it." })
        }
        _ => json!({ "description": "A note; it is not read." }),
    }
}

/// The schema of a table of the language, with a definition for each table that it leads to.
fn language(root: &str, title: &str) -> Value {
    let root = vocabulary::of(root).expect("it is a table of the language");
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!(title));
    schema.append(&mut object(root));
    let mut definitions = Map::new();
    for table in vocabulary::tables().filter(|table| !table.name.is_empty()) {
        definitions.insert(table.name.to_owned(), Value::Object(object(table)));
    }
    definitions.insert("steps".to_owned(), steps());
    definitions.insert("off".to_owned(), off());
    schema.insert("$defs".to_owned(), Value::Object(definitions));
    Value::Object(schema)
}

/// A table: what it may hold and nothing else, but for notes of the user's own.
fn object(table: &Table) -> Map<String, Value> {
    let mut properties = Map::new();
    for key in table.all() {
        properties.insert(key.name.to_owned(), property(key));
    }
    for name in (table.unmodelled)() {
        let about = "Envoy has this and scsim does not model it: refused unless it is off.";
        properties.insert(name.to_owned(), json!({ "$ref": "#/$defs/off", "description": about, "deprecated": true }));
    }
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("description".to_owned(), json!(table.about));
    schema.insert("properties".to_owned(), Value::Object(properties));
    // Keys that begin with x_ are the user's own.
    schema.insert("patternProperties".to_owned(), json!({ "^x_": true }));
    schema.insert("additionalProperties".to_owned(), json!(false));
    if !table.needs.is_empty() {
        schema.insert("required".to_owned(), json!(table.needs));
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = match form(&key.form) {
        Value::Object(schema) => schema,
        // Anything goes.
        _ => Map::new(),
    };
    let default = if key.default.is_empty() { String::new() } else { format!("\n\nDefault: {}.", key.default) };
    schema.insert("description".to_owned(), json!(format!("{}{default}", key.about)));
    if let Some(default) = plain_default(&key.form, key.default) {
        schema.insert("default".to_owned(), default);
    }
    Value::Object(schema)
}

/// A default that is a value and not a sentence.
fn plain_default(form: &Form, text: &str) -> Option<Value> {
    match form {
        Form::Span => text_value(crate::scenario::value::parse_span(text).is_ok(), text),
        Form::Rate => text_value(crate::scenario::value::parse_rate(text).is_ok(), text),
        Form::Share | Form::Percent => text_value(crate::scenario::value::parse_ratio(text).is_ok(), text),
        Form::Size => text_value(crate::scenario::value::parse_bytes(text).is_ok(), text),
        Form::Cpu => text_value(crate::scenario::value::parse_cpu(text).is_ok(), text),
        Form::Truth => text.parse::<bool>().ok().map(Value::from),
        Form::Count(..) => text.parse::<u64>().ok().map(Value::from),
        Form::Number(..) => text.parse::<f64>().ok().map(Value::from),
        Form::Words(words) => text_value(words.contains(&text), text),
        Form::Known(words) => text_value(words().contains(&text), text),
        Form::Either(forms) => forms.iter().find_map(|form| plain_default(form, text)),
        _ => None,
    }
}

fn text_value(fits: bool, text: &str) -> Option<Value> {
    fits.then(|| Value::from(text))
}

/// A decimal as scsim reads it.
const DECIMAL: &str = r"([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9_]+)";

fn quantity(unit: &str, example: &str) -> Value {
    json!({ "type": "string", "pattern": format!(r"^\s*{DECIMAL}\s*{unit}\s*$"), "examples": [example] })
}

/// A form as a schema; `true` is anything.
fn form(form: &Form) -> Value {
    match form {
        Form::Text => json!({ "type": "string" }),
        Form::Truth => json!({ "type": "boolean" }),
        Form::Count(low, high) => json!({ "type": "integer", "minimum": low, "maximum": high }),
        Form::Number(low, high) => json!({ "type": "number", "minimum": low, "maximum": high }),
        Form::Span => json!({
            "type": "string",
            "pattern": format!(r"^\s*({DECIMAL}(ns|us|µs|ms|s|m|h|d)\s*)+$"),
            "examples": ["250ms", "30s", "1m30s"]
        }),
        Form::Rate => {
            quantity("(/s|rps|/sec|/second|req/s|requests/s|/m|/min|/minute|rpm|req/min|/h|/hour|req/h)", "200/s")
        }
        Form::Share => quantity("%", "0.5%"),
        Form::Size => quantity("(B|KiB|MiB|GiB|KB|kB|MB|GB)", "64MiB"),
        Form::Cpu => quantity("([vV]?[cC][pP][uU]|([cC][pP][uU] )?[uU][nN][iI][tT][sS])?", "0.25 vCPU"),
        Form::SizePer => quantity(r"(B|KiB|MiB|GiB|KB|kB|MB|GB)\s*/\s*(s|sec|second|request|req)", "1MiB/s"),
        Form::Money => json!({ "type": "string", "pattern": r"^\s*\$[0-9._]+", "examples": ["$0.10"] }),
        Form::Percent => json!({ "anyOf": [
            quantity("%", "50%"),
            { "type": "number", "minimum": 0, "maximum": 100 },
            { "type": "object", "properties": { "value": { "type": "number", "minimum": 0, "maximum": 100 } },
              "required": ["value"], "additionalProperties": false }
        ] }),
        Form::Words(words) => json!({ "enum": words }),
        Form::Known(words) => json!({ "enum": words() }),
        Form::Table(name) => reference(name),
        Form::Named("plane") => planes(),
        Form::Named(name) => json!({ "type": "object", "additionalProperties": reference(name) }),
        Form::List(item) => json!({ "type": "array", "items": self::form(item) }),
        Form::Steps => reference("steps"),
        Form::Either(forms) => json!({ "anyOf": forms.iter().map(self::form).collect::<Vec<_>>() }),
        Form::Off => json!({ "const": false }),
        Form::Anything => json!(true),
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// Built-in planes have their own keys; a name of the user's own extends one of them.
fn planes() -> Value {
    let mut properties = Map::new();
    for name in vocabulary::planes() {
        properties.insert(name.to_owned(), reference(&format!("plane.{name}")));
    }
    json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": { "$ref": "#/$defs/plane", "required": ["extends"] }
    })
}

/// A list of steps: names, tables, or lists of what happens at once.
fn steps() -> Value {
    json!({
        "type": "array",
        "items": { "anyOf": [{ "type": "string" }, reference("steps"), reference("service.steps")] }
    })
}

/// A value that switches its field off.
fn off() -> Value {
    json!({ "anyOf": [
        { "enum": [false, 0, "0s", "0ms", "0%"] },
        { "type": "array", "maxItems": 0 },
        { "type": "object", "additionalProperties": { "$ref": "#/$defs/off" } }
    ] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::yaml;
    use crate::replay::yaml::Data;
    use crate::replay::yaml::Node;

    /// Scalars as text: the schema of vectors tells apart lists, mappings and names.
    fn plain(node: &Node) -> Value {
        match &node.data {
            Data::Map(entries) => entries.iter().map(|(key, inner)| (key.clone(), plain(inner))).collect(),
            Data::List(items) => items.iter().map(plain).collect(),
            _ => Value::from(node.text().unwrap_or_default()),
        }
    }

    #[test]
    fn vectors_of_the_tests_fit_their_schema_and_slips_do_not() {
        let validator = jsonschema::draft202012::new(&policy_trace()).unwrap();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let file = yaml::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
            assert!(validator.is_valid(&plain(&file)), "{}", path.display());
            count += 1;
        }
        assert!(count > 4);
        let right = json!([{ "id": "a", "kind": "outlier", "hosts": ["h"], "timeline": [] }]);
        assert!(validator.is_valid(&right));
        for wrong in [
            json!([{ "id": "a", "kind": "outlire" }]),
            json!([{ "id": "a" }]),
            json!([{ "id": "a", "kind": "outlier", "host": ["h"] }]),
            json!([{ "id": "a", "kind": "outlier", "sets": [] }]),
            json!([{ "id": "a", "kind": "outlier", "hosts": "h" }]),
            json!({ "vectors": right, "notes": 1 }),
        ] {
            assert!(!validator.is_valid(&wrong), "{wrong}");
        }
    }
}
