//! Envoy's field names onto [`PolicyConfig`]: `[policy]`, `policy.*` of a plane, `[edge."a->b"]`.
//!
//! *Knows* which Envoy fields there are, which are modelled and which values change nothing.
//! *Does not know* to which planes a table applies.
//! Invariant: no field of Envoy is passed over in silence; it is applied, harmless, or an error.

mod balancing;
mod connections;
pub mod envoy_fields;
pub mod interplay;
mod parts;
mod retries;

use crate::diagnostic::Severity;
use crate::diagnostic::nearest;
use crate::policy::PolicyConfig;
use crate::policy::config::CircuitBreakers;
use crate::policy::config::ConfigProblem;
use crate::policy::config::OutlierReading;
use crate::scenario::policy::envoy_fields::Message;
use crate::scenario::presets;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::table::at;
use crate::scenario::tree::Node;
use crate::scenario::tree::Place;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::scenario::vocabulary::Form;
use crate::scenario::watch;
use crate::units::Ratio;
use crate::units::Span;

/// The names of the balancing rules.
pub fn rule_names() -> Vec<&'static str> {
    balancing::RULES.iter().map(|(name, _)| *name).collect()
}

/// The message of Envoy's that has a field of this name, if one has.
pub fn envoy_message(field: &str) -> Option<&'static str> {
    envoy_fields::elsewhere(field, &[]).map(|message| message.name)
}

/// Window of the AWS wording of outlier detection (aws.md 1.2).
const OUTLIER_WINDOW: Span = Span::from_secs(30);

type Change = Box<dyn Fn(&mut PolicyConfig)>;

/// Sets one number of a part of the policy.
type Number<T> = fn(&mut T, u32);

/// What one table changes in a policy.
#[derive(Default)]
pub struct Patch {
    changes: Vec<Change>,
    places: Vec<(String, Place)>,
}

impl Patch {
    /// Makes the changes.
    pub fn apply(&self, config: &mut PolicyConfig) {
        for change in &self.changes {
            change(config);
        }
    }
    /// True if it sets more than the two limits that Service Connect lets one set.
    pub fn tunes(&self) -> bool {
        self.places.iter().any(|(name, _)| name != "timeout" && name != "idle_timeout" && !name.starts_with("x_"))
    }
    /// Where a field of Envoy's is set, be it in Envoy's nesting or flat.
    pub fn place_exactly(&self, field: &str) -> Option<&Place> {
        let ends = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|rest| rest.ends_with('.'));
        let same = |name: &str| name == field || ends(name, field) || ends(field, name);
        self.places.iter().rev().find(|(name, _)| same(name)).map(|(_, place)| place)
    }
    /// Where a field of Envoy's is set, the nearest table around it otherwise.
    pub fn place_of(&self, field: &str) -> Option<&Place> {
        let mut path = field;
        loop {
            if let Some(place) = self.place_exactly(path) {
                return Some(place);
            }
            path = path.rsplit_once('.')?.0;
        }
    }
    /// Adds one change.
    pub fn push(&mut self, change: impl Fn(&mut PolicyConfig) + 'static) {
        self.changes.push(Box::new(change));
    }
}

/// Reads a table of Envoy's fields.
pub fn read(table: &Table, what: &str, place: &Place, problems: &mut Problems<'_>) -> Patch {
    let mut patch = Patch::default();
    record_places(table, "", &mut patch.places);
    let mut reader = Reader::new(table, what, place);
    if let Some(preset) = presets::read(&mut reader, &presets::PROXIES, problems) {
        // What a callee speaks is no matter of taste.
        patch.push(move |config| {
            let protocol = config.pool.protocol;
            *config = preset.policy();
            config.pool.protocol = protocol;
        });
    }
    if let Some(span) = reader.span("timeout", problems) {
        patch.push(move |config| config.timeouts.request = unlimited(span));
    }
    if let Some(span) = reader.span("idle_timeout", problems) {
        patch.push(move |config| config.timeouts.idle = unlimited(span));
    }
    if let Some(span) = reader.span("connect_timeout", problems) {
        patch.push(move |config| config.timeouts.connect = span);
    }
    // scsim's own: Envoy has no switch for its mistakes.
    if let Some(strict) = reader.truth("strict_envoy", problems) {
        patch.push(move |config| config.strict_envoy = strict);
    }
    balancing::read(&mut reader, &mut patch, problems);
    connections::read(&mut reader, &mut patch, problems);
    retries::hedging(&mut reader, &mut patch, problems);
    section(&mut reader, &RETRIES, &mut patch, problems);
    section(&mut reader, &OUTLIERS, &mut patch, problems);
    section(&mut reader, &BREAKERS, &mut patch, problems);
    section(&mut reader, &PROBES, &mut patch, problems);
    // After the detector that it belongs to.
    if let Some(reading) = outlier_reading(&mut reader, problems) {
        patch.push(move |config| {
            if let Some(od) = &mut config.outlier_detection {
                od.reading = reading;
            }
        });
    }
    finish(&reader, envoy_fields::POLICY, "", problems);
    patch
}

/// `outlier_reading`, which is scsim's own: how the failures of `outlier_detection` are counted.
pub fn outlier_reading(reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> Option<OutlierReading> {
    let words = [("consecutive", OutlierReading::Consecutive), ("window", OutlierReading::Window(OUTLIER_WINDOW))];
    reader.word("outlier_reading", &words, problems)
}

/// A table of a policy that `false` switches off as a whole.
struct Section {
    key: &'static str,
    messages: &'static [&'static Message],
    off: fn(&mut PolicyConfig),
    read: fn(&mut Reader<'_>, &mut Patch, &mut Problems<'_>),
}

const RETRIES: Section = Section {
    key: "retry_policy",
    messages: &[&envoy_fields::RETRY],
    off: |config| {
        config.retry_policy = None;
        // Envoy keeps the limits of an attempt in the retry policy.
        config.timeouts.per_try = Span::MAX;
        config.timeouts.per_try_idle = Span::MAX;
    },
    read: retries::read,
};
const OUTLIERS: Section = Section {
    key: "outlier_detection",
    messages: &[&envoy_fields::OUTLIER],
    off: |config| config.outlier_detection = None,
    read: parts::outliers,
};
const BREAKERS: Section = Section {
    key: "circuit_breakers",
    messages: &[&envoy_fields::BREAKERS, &envoy_fields::THRESHOLDS],
    off: |config| config.circuit_breakers = CircuitBreakers::UNLIMITED,
    read: parts::breakers,
};
const PROBES: Section = Section {
    key: "health_check",
    messages: &[&envoy_fields::HEALTH_CHECK],
    off: |config| config.health_check = None,
    read: parts::probes,
};

fn section(reader: &mut Reader<'_>, section: &Section, patch: &mut Patch, problems: &mut Problems<'_>) {
    let Some(node) = reader.get(section.key) else { return };
    if node.value == Value::Bool(false) {
        patch.push(section.off);
        return;
    }
    let Some(mut inner) = Reader::of(node, section.key, problems) else { return };
    (section.read)(&mut inner, patch, problems);
    finish(&inner, section.messages, &format!("{}.", section.key), problems);
}

/// In Envoy a time limit of zero is none.
fn unlimited(span: Span) -> Span {
    if span.is_zero() { Span::MAX } else { span }
}

fn record_places(table: &Table, prefix: &str, places: &mut Vec<(String, Place)>) {
    for (key, entry) in &table.entries {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match &entry.node.value {
            Value::Table(inner) => {
                places.push((path.clone(), entry.key.clone()));
                record_places(inner, &path, places);
            }
            _ => places.push((path, entry.node.place.clone())),
        }
    }
}

/// A percentage: "50%", Envoy's whole number 50, or Envoy's `{ value = 50 }`.
fn percent(node: &Node, problems: &mut Problems<'_>) -> Option<Ratio> {
    watch::form(&node.place, Form::Percent);
    let number = match &node.value {
        Value::Table(table) => {
            let inner = Reader::of(node, "a percentage", problems)?;
            if let Some((key, entry)) = inner.leftovers().into_iter().find(|(key, _)| *key != "value") {
                let message = format!("a percentage has no `{key}`");
                problems.error("policy::unknown-field", &entry.key, message, "write { value = 50 }, or \"50%\"");
            }
            table.get("value")?
        }
        _ => node,
    };
    let given = match &number.value {
        Value::Whole(whole) => whole.map(|n| n as f64),
        Value::Float(float) => Some(*float),
        Value::Text(text) => text.trim().strip_suffix('%').and_then(|digits| digits.trim().parse::<f64>().ok()),
        _ => None,
    };
    if given.is_some_and(|share| !(0.0..=100.0).contains(&share)) {
        invalid(&number.place, "value must be inside range [0, 100]", "a percentage", problems);
        return None;
    }
    match (&number.value, given) {
        (Value::Whole(_) | Value::Float(_), Some(share)) => Some(Ratio::from_ppm((share * 10_000.0 + 0.5) as u32)),
        _ => value::ratio(number, problems),
    }
}

/// A percentage that Envoy holds as a whole number.
fn whole_percent(node: &Node, problems: &mut Problems<'_>) -> Option<u32> {
    let share = percent(node, problems)?;
    if !share.as_ppm().is_multiple_of(10_000) {
        invalid(&node.place, "invalid value for type uint32", "Envoy takes whole percents here", problems);
        return None;
    }
    Some(share.as_ppm() / 10_000)
}

/// A number that Envoy may change at run time: itself, or `{ default_value, runtime_key }`.
fn runtime_number(node: &Node, problems: &mut Problems<'_>) -> Option<f64> {
    let Value::Table(_) = &node.value else { return value::number(node, -1e9..=1e9, problems) };
    let mut inner = Reader::of(node, "a number that may change at run time", problems)?;
    // Nothing changes a configuration while a scenario runs.
    inner.allow(&["runtime_key"]);
    let found = inner.need("default_value", problems).and_then(|n| value::number(n, -1e9..=1e9, problems));
    inner.finish(problems);
    found
}

/// What Envoy would not load, at its place.
fn invalid(place: &Place, reason: &str, remedy: impl Into<String>, problems: &mut Problems<'_>) {
    problems.error("policy::invalid", place, format!("Envoy would not load this: {reason}"), remedy);
}

/// A problem of a whole configuration, at the place of its field.
pub fn rejected(problem: &ConfigProblem, place: &Place, problems: &mut Problems<'_>) {
    let ConfigProblem { field, message, remedy, by_envoy } = problem;
    let judge = if *by_envoy { "Envoy" } else { "scsim" };
    problems.error("policy::invalid", place, format!("{judge} would not load this `{field}`: {message}"), remedy);
}

/// Reports the keys that are left: unknown to Envoy, at home elsewhere, or known and not modelled.
fn finish(reader: &Reader<'_>, messages: &[&Message], prefix: &str, problems: &mut Problems<'_>) {
    for (key, entry) in reader.leftovers() {
        let field = format!("{prefix}{key}");
        if messages.iter().any(|message| message.fields.contains(&key)) {
            if !harmless(&entry.node.value) {
                not_modelled(&entry.key, &field, problems);
            }
            continue;
        }
        let hint = match key {
            "consecutive_errors" => Some("use `consecutive_5xx` or `consecutive_gateway_failure`".to_owned()),
            "max_retries" | "retries" if prefix == "retry_policy." => Some("use `num_retries`".to_owned()),
            "strict_envoy" | "outlier_reading" => {
                Some("this is scsim's own and stands at the top of the policy".to_owned())
            }
            _ => envoy_fields::elsewhere(key, messages).map(|home| match home.path {
                "" => "Envoy has it outside: move it to the top of the policy".to_owned(),
                path => format!("Envoy has it in {}: write {path}.{key}", home.name),
            }),
        };
        let label = hint.unwrap_or_else(|| advice(reader, messages, key, problems));
        let mut found = at(Severity::Error, "policy::unknown-field", &entry.key, format!("Envoy has no `{field}`"))
            .with_label(label);
        if prefix == "outlier_detection." || prefix == "retry_policy." {
            found.note = Some(
                "Service Connect does not let you set this today (aws/containers-roadmap#1963);\n\
                 the plane will be labelled \"tuned\", not \"service-connect\""
                    .to_owned(),
            );
        }
        problems.push(found);
    }
}

/// The field most like `key`: one that scsim reads, or else one that Envoy has.
fn advice(reader: &Reader<'_>, messages: &[&Message], key: &str, problems: &Problems<'_>) -> String {
    let label = reader.advice(key, problems);
    let fields = messages.iter().flat_map(|message| message.fields.iter().copied());
    match nearest(key, fields) {
        Some(near) if problems.wants_advice() && !label.starts_with("did you mean") => {
            format!("did you mean `{near}`?")
        }
        _ => label,
    }
}

/// A value that switches its field off.
fn harmless(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => !truth,
        Value::Table(table) => table.entries.values().all(|entry| harmless(&entry.node.value)),
        Value::List(items) => items.is_empty(),
        Value::Text(text) => matches!(text.as_str(), "0s" | "0ms" | "0%"),
        Value::Whole(number) => *number == Some(0),
        Value::Float(_) | Value::Date => false,
    }
}

fn not_modelled(place: &Place, what: &str, problems: &mut Problems<'_>) {
    problems.push(
        at(Severity::Error, "policy::not-modelled", place, format!("Envoy has `{what}`, scsim does not model it"))
            .with_label("Envoy would act on this; a result without it would mislead")
            .with_help("take it out, or rename the key to x_... to keep it as a note"),
    );
}
