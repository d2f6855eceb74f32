//! Pages about fields that the vocabulary of the language writes: form, default, and where a default comes from.
//!
//! *Knows* how a form is said in words. *Does not know* the fields; those are `scenario::vocabulary`.

use std::fmt::Write as _;

use crate::report::json::confidence_name;
use crate::scenario::Assumption;
use crate::scenario::Preset;
use crate::scenario::vocabulary;
use crate::scenario::vocabulary::Form;
use crate::scenario::vocabulary::Key;
use crate::scenario::vocabulary::Table;

/// A field of the language.
pub type Field = (&'static Table, &'static Key);

/// Every field but those of single planes, which the table of all planes has.
pub fn fields() -> impl Iterator<Item = Field> {
    let shared =
        |table: &&Table| table.name.strip_prefix("plane.").is_none_or(|name| !vocabulary::planes().any(|p| p == name));
    vocabulary::tables().filter(shared).flat_map(|table| table.all().map(move |key| (table, key)))
}

/// How a field is asked for: its path.
pub fn path((table, key): Field) -> String {
    if table.name.is_empty() { key.name.to_owned() } else { format!("{}.{}", table.name, key.name) }
}

/// Fields by their path, the end of it, or the path behind a plane or a service of one's own.
pub fn find(word: &str) -> Vec<Field> {
    let wanted = word.trim().replace('-', "_").to_lowercase();
    let ends = |field: &Field| {
        let path = path(*field).replace('-', "_").to_lowercase();
        path == wanted || path.ends_with(&format!(".{wanted}"))
    };
    let found: Vec<Field> = fields().filter(ends).collect();
    let exact: Vec<Field> =
        found.iter().copied().filter(|field| path(*field).replace('-', "_").to_lowercase() == wanted).collect();
    if exact.is_empty() { found } else { exact }
}

/// The table of that name.
pub fn table(word: &str) -> Option<&'static Table> {
    let wanted = word.trim().trim_matches(['[', ']']);
    vocabulary::tables().find(|table| !table.name.is_empty() && table.name.eq_ignore_ascii_case(wanted))
}

/// A page about a table: its keys.
pub fn table_page(table: &Table) -> String {
    let mut out = format!("[{}] (table)\n  {}\n\n", table.name, table.about);
    for key in table.all() {
        let must = if table.needs.contains(&key.name) { " (must be there)" } else { "" };
        let default = if key.default.is_empty() { String::new() } else { format!(" Default: {}.", key.default) };
        let _ = writeln!(out, "  {:<28} {}{must}{default}", key.name, key.about);
    }
    out
}

/// What the vocabulary has to say below a page: form and default, and the sources of defaults.
pub fn facts(field: Field, constants: &[Assumption]) -> String {
    let (_, key) = field;
    let mut out = format!("  form: {}\n", form(&key.form));
    if !key.default.is_empty() {
        let _ = writeln!(out, "  default: {}", key.default);
    }
    let path = path(field);
    if let Some(name) = path.strip_prefix("policy.") {
        for preset in Preset::all() {
            for value in preset.values().iter().filter(|value| value.id == name) {
                let confidence = confidence_name(value.confidence);
                let _ = writeln!(out, "  {}: {} ({confidence}; {})", preset.name(), value.value, value.source);
            }
        }
    }
    for a in constants.iter().filter(|a| overrides(a, &path)) {
        let _ = writeln!(out, "  {}: {} ({}; {})", a.id, a.value, confidence_name(a.confidence), a.source);
    }
    out
}

/// Whether a constant is what this field sets.
fn overrides(a: &Assumption, path: &str) -> bool {
    a.remedy().split(", ").any(|key| {
        let mut parts: Vec<&str> = key.split('.').collect();
        // The name of a plane or a service, or the number of a fault or a deployment.
        if parts.len() > 2 && ["plane", "service", "scaling", "fault", "deploy"].contains(&parts[0]) {
            parts.remove(1);
        }
        let key = parts.join(".");
        key == path || key.strip_prefix("plane.").is_some_and(|key| key == path && key.starts_with("policy."))
    })
}

/// The whole page of a field that has no other.
pub fn page(field: Field, constants: &[Assumption]) -> String {
    format!("{} (field)\n  {}\n{}", path(field), field.1.about, facts(field, constants))
}

/// A form in words.
fn form(form: &Form) -> String {
    match form {
        Form::Text => "text".to_owned(),
        Form::Truth => "true or false".to_owned(),
        Form::Count(low, high) if *high >= i64::MAX as u64 => format!("a whole number, {low} or more"),
        Form::Count(low, high) => format!("a whole number, {low} to {high}"),
        Form::Number(low, high) => format!("a number, {low} to {high}"),
        Form::Span => "a duration, \"250ms\", \"1m30s\"".to_owned(),
        Form::Rate => "a rate, \"200/s\", \"12/min\"".to_owned(),
        Form::Share => "a share, \"0.5%\"".to_owned(),
        Form::Size => "a size, \"64MiB\"".to_owned(),
        Form::Cpu => "a processor share, \"0.25 vCPU\", or CPU units, \"256\"".to_owned(),
        Form::SizePer => "a size per second or per request, \"1MiB/s\"".to_owned(),
        Form::Money => "a price, \"$0.10\"".to_owned(),
        Form::Percent => "a percentage: \"50%\", 50, or { value = 50 }".to_owned(),
        Form::Words(words) => one_of(words),
        Form::Known(words) => one_of(&words()),
        Form::Table(name) => format!("a table: scsim explain {name}"),
        Form::Named(name) => format!("tables under names of your own: scsim explain {name}"),
        Form::List(inner) => format!("a list of: {}", self::form(inner)),
        Form::Steps => "a list of services to call in turn; a list inside is at once".to_owned(),
        Form::Either(forms) => forms.iter().map(self::form).collect::<Vec<_>>().join("; or "),
        Form::Off => "false, for none".to_owned(),
        Form::Anything => "as described".to_owned(),
    }
}

fn one_of(words: &[&str]) -> String {
    format!("one of {}", words.join(", "))
}
