//! Typed reading of tables: what is there, what is missing, what has no business there.
//!
//! *Knows* how to collect every problem of a file. *Does not know* any particular section.
//! Invariant: a reader that is dropped through [`Reader::finish`] has reported each unknown key.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::SHOWN_MAX;
use crate::diagnostic::Severity;
use crate::diagnostic::nearest;
use crate::scenario::Distribution;
use crate::scenario::Unmodelled;
use crate::scenario::distribution;
use crate::scenario::tree::Entry;
use crate::scenario::tree::Node;
use crate::scenario::tree::Place;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::units::Bytes;
use crate::units::Cpu;
use crate::units::Rate;
use crate::units::Ratio;
use crate::units::Span;

/// Everything that was found wrong so far.
pub struct Problems<'a> {
    /// Directory that data files are relative to.
    pub base: &'a Path,
    /// Findings that stop the load.
    pub errors: Vec<Diagnostic>,
    /// Findings that do not.
    pub warnings: Vec<Diagnostic>,
    /// What is understood and cannot be simulated yet.
    pub unmodelled: Vec<Unmodelled>,
    /// Contents of data files read, for the digest.
    pub read: Vec<String>,
    seen: BTreeSet<(&'static str, String, usize, usize)>,
}

impl<'a> Problems<'a> {
    /// Nothing wrong yet.
    pub fn new(base: &'a Path) -> Problems<'a> {
        Problems {
            base,
            errors: Vec::new(),
            warnings: Vec::new(),
            unmodelled: Vec::new(),
            read: Vec::new(),
            seen: BTreeSet::new(),
        }
    }

    /// Adds a finding, once per code and place.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let span = diagnostic.span.clone().unwrap_or(0..0);
        if !self.seen.insert((diagnostic.code, diagnostic.file.clone(), span.start, span.end)) {
            return;
        }
        match diagnostic.severity {
            Severity::Error => self.errors.push(diagnostic),
            Severity::Warning => self.warnings.push(diagnostic),
        }
    }
    /// Adds an error.
    pub fn error(&mut self, code: &'static str, place: &Place, message: impl Into<String>, label: impl Into<String>) {
        self.push(at(Severity::Error, code, place, message).with_label(label));
    }
    /// Adds a warning.
    pub fn warn(&mut self, code: &'static str, place: &Place, message: impl Into<String>, label: impl Into<String>) {
        self.push(at(Severity::Warning, code, place, message).with_label(label));
    }
    /// False once so many errors were found that nobody will read advice on the next one.
    pub fn wants_advice(&self) -> bool {
        self.errors.len() < 2 * SHOWN_MAX
    }
    /// Notes that something is understood but has no model yet.
    pub fn unmodelled(&mut self, place: &Place, what: impl Into<String>) {
        let what = what.into();
        let before = self.warnings.len();
        self.warn("scenario::unmodelled", place, &what, "scsim understands this but does not simulate it yet");
        // Shared tables are read once per user; the warning is kept once, and so is this.
        if self.warnings.len() > before {
            self.unmodelled.push(Unmodelled { what, line: place.line() });
        }
    }
}

/// A finding at a place.
pub fn at(severity: Severity, code: &'static str, place: &Place, message: impl Into<String>) -> Diagnostic {
    Diagnostic::at(severity, code, &place.source, place.span.clone(), message)
}

/// Reads one table key by key and remembers which keys exist.
pub struct Reader<'t> {
    table: &'t Table,
    /// `[run]`, for messages.
    what: String,
    /// Where the table stands.
    place: Place,
    known: Vec<&'static str>,
}

#[cfg(test)]
impl Drop for Reader<'_> {
    fn drop(&mut self) {
        crate::scenario::watch::keys(&self.place, &self.known);
    }
}

impl<'t> Reader<'t> {
    /// Begins to read `table`.
    pub fn new(table: &'t Table, what: impl Into<String>, place: &Place) -> Reader<'t> {
        Reader { table, what: what.into(), place: place.clone(), known: Vec::new() }
    }
    /// Begins to read a value that ought to be a table.
    pub fn of(node: &'t Node, what: impl Into<String>, problems: &mut Problems<'_>) -> Option<Reader<'t>> {
        let what = what.into();
        match &node.value {
            Value::Table(table) => Some(Reader::new(table, what, &node.place)),
            other => {
                problems.error(
                    "scenario::type",
                    &node.place,
                    format!("{what} is a table"),
                    format!("this is {}", other.kind()),
                );
                None
            }
        }
    }
    /// What it reads, as the user would call it.
    pub fn what(&self) -> &str {
        &self.what
    }
    /// Where the table stands.
    pub fn place(&self) -> &Place {
        &self.place
    }
    /// The value of a key, which thereby becomes a known one.
    pub fn get(&mut self, key: &'static str) -> Option<&'t Node> {
        self.entry(key).map(|entry| &entry.node)
    }
    /// Key and value.
    pub fn entry(&mut self, key: &'static str) -> Option<&'t Entry> {
        self.known.push(key);
        self.table.entries.get(key)
    }
    /// Makes a key known without reading it.
    pub fn allow(&mut self, keys: &[&'static str]) {
        self.known.extend(keys);
    }
    /// True if the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.table.entries.contains_key(key)
    }
    /// Where a key stands, or the table.
    pub fn key_place(&self, key: &str) -> &Place {
        self.table.entries.get(key).map_or(&self.place, |entry| &entry.key)
    }
    /// A value that must be there.
    pub fn need(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<&'t Node> {
        let found = self.get(key);
        if found.is_none() {
            let message = format!("{} needs `{key}`", self.what);
            problems.error("scenario::missing-key", &self.place, message, format!("add `{key} = ...`"));
        }
        found
    }

    /// A duration.
    pub fn span(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<Span> {
        value::span(self.get(key)?, problems)
    }
    /// A text.
    pub fn text(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<&'t str> {
        value::text(self.get(key)?, problems)
    }
    /// A truth value.
    pub fn truth(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<bool> {
        value::truth(self.get(key)?, problems)
    }
    /// A count within bounds.
    pub fn count(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<u64>,
        problems: &mut Problems<'_>,
    ) -> Option<u64> {
        value::count(self.get(key)?, bounds, problems)
    }
    /// A share.
    pub fn ratio(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<Ratio> {
        value::ratio(self.get(key)?, problems)
    }
    /// A rate.
    pub fn rate(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<Rate> {
        value::rate(self.get(key)?, problems)
    }
    /// A size.
    pub fn bytes(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<Bytes> {
        value::bytes(self.get(key)?, problems)
    }
    /// A processor share.
    pub fn cpu(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<Cpu> {
        value::cpu(self.get(key)?, problems)
    }
    /// A distribution.
    pub fn distribution(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<Distribution> {
        distribution::read(self.get(key)?, problems)
    }
    /// One of a few words.
    pub fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
        problems: &mut Problems<'_>,
    ) -> Option<T> {
        value::word(self.get(key)?, key, words, problems)
    }

    /// Reports every key that nobody asked for. Keys that begin with `x_` are the user's own.
    pub fn finish(self, problems: &mut Problems<'_>) {
        for (key, entry) in self.leftovers() {
            let label = self.advice(key, problems);
            problems.push(
                at(Severity::Error, "scenario::unknown-key", &entry.key, format!("{} has no key `{key}`", self.what))
                    .with_label(label)
                    .with_help("keys that begin with x_ are yours to use"),
            );
        }
    }
    /// The keys that nobody asked for.
    pub fn leftovers(&self) -> Vec<(&'t str, &'t Entry)> {
        let unknown = |key: &str| !key.starts_with("x_") && !self.known.contains(&key);
        self.table.entries.iter().filter(|(key, _)| unknown(key)).map(|(key, entry)| (key.as_str(), entry)).collect()
    }
    /// The known key most like `key`, or all of them.
    pub fn advice(&self, key: &str, problems: &Problems<'_>) -> String {
        if ["compare", "title", "description", "include"].contains(&key) {
            return "this belongs to the top of the file, above the first [table]".to_owned();
        }
        let near = if problems.wants_advice() { nearest(key, self.known.iter().copied()) } else { None };
        match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", self.known.join(", ")),
        }
    }
}
