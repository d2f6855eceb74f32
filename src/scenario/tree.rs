//! A TOML file as a tree of values that know where they stand.
//!
//! *Knows* TOML, nesting limits, and how one tree is laid over another (includes, `--set`).
//! *Does not know* what any key means.

use std::ops::Range;
use std::sync::Arc;

use indexmap::IndexMap;
use toml::de::DeTable;
use toml::de::DeValue;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::Severity;
use crate::diagnostic::Source;

/// Deepest nesting of arrays and tables that is read.
pub const DEPTH_MAX: usize = 32;

/// Longest text in which more than the first syntax error is looked for.
const RECOVER_MAX: usize = 64 << 10;

/// Where a value stands.
#[derive(Clone, PartialEq, Debug)]
pub struct Place {
    /// The text.
    pub source: Arc<Source>,
    /// Bytes in it.
    pub span: Range<usize>,
}

impl Place {
    /// The line, from 1.
    pub fn line(&self) -> u32 {
        self.source.line_number(self.span.start) as u32
    }
    /// A part of a string value: `from..to` in bytes of its content, if the content is written plainly.
    pub fn inside(&self, part: Range<usize>, content: &str) -> Place {
        let text = self.source.text();
        let quoted =
            text.get(self.span.clone()).is_some_and(|t| t.len() == content.len() + 2 && t[1..].starts_with(content));
        if !quoted {
            return self.clone();
        }
        let start = self.span.start + 1;
        Place { source: Arc::clone(&self.source), span: start + part.start..start + part.end }
    }
}

/// A value and its place.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub value: Value,
}

/// A TOML value.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number; `None` if it does not fit 64 bits.
    Whole(Option<i64>),
    /// A number with a point.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// A date or time, which scenarios do not use.
    Date,
    /// A list.
    List(Vec<Node>),
    /// A table.
    Table(Table),
}

impl Value {
    /// What it is, with its article.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a string",
            Value::Whole(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Bool(_) => "true or false",
            Value::Date => "a date",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// A table, in file order.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Table {
    /// Keys with the place of the key and the value.
    pub entries: IndexMap<String, Entry>,
}

/// One line of a table.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Where the key stands.
    pub key: Place,
    /// The value.
    pub node: Node,
}

impl Table {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.get(key).map(|entry| &entry.node)
    }
    /// The sub-table of a key.
    pub fn table(&self, key: &str) -> Option<&Table> {
        match &self.get(key)?.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }
    /// This table with the entries of `over` in place of its own of the same key.
    #[must_use]
    pub fn overlaid(&self, over: &Table) -> Table {
        let mut entries = self.entries.clone();
        for (key, entry) in &over.entries {
            entries.insert(key.clone(), entry.clone());
        }
        Table { entries }
    }
    /// Adds what `other` has and this table lacks, table by table; lists of tables are joined.
    pub fn fill_from(&mut self, other: Table) {
        for (key, entry) in other.entries {
            match self.entries.get_mut(&key) {
                None => {
                    self.entries.insert(key, entry);
                }
                Some(own) => match (&mut own.node.value, entry.node.value) {
                    (Value::Table(own), Value::Table(other)) => own.fill_from(other),
                    (Value::List(own), Value::List(other))
                        if own.iter().chain(&other).all(|n| matches!(n.value, Value::Table(_))) =>
                    {
                        own.extend(other);
                    }
                    // The including file has the last word.
                    _ => {}
                },
            }
        }
    }
    /// Puts a value at a path, making tables on the way; numbers index lists, and so do the names of
    /// the tables in them.
    ///
    /// # Errors
    /// The part of the path that leads nowhere.
    pub fn set(&mut self, path: &[String], key: &Place, node: Node) -> Result<(), String> {
        let (first, rest) = path.split_first().ok_or_else(String::new)?;
        if rest.is_empty() {
            self.entries.insert(first.clone(), Entry { key: key.clone(), node });
            return Ok(());
        }
        let entry = self.entries.entry(first.clone()).or_insert_with(|| Entry {
            key: key.clone(),
            node: Node { place: key.clone(), value: Value::Table(Table::default()) },
        });
        match &mut entry.node.value {
            Value::Table(table) => table.set(rest, key, node),
            Value::List(items) => {
                let named = |item: &Node| match &item.value {
                    Value::Table(table) => {
                        table.get("name").is_some_and(|n| matches!(&n.value, Value::Text(t) if *t == rest[0]))
                    }
                    _ => false,
                };
                let index = items.iter().position(named).or_else(|| rest[0].parse::<usize>().ok());
                let Some(item) = index.and_then(|i| items.get_mut(i)) else {
                    return Err(format!("{first}.{} (the list has {} entries, from 0)", rest[0], items.len()));
                };
                match &mut item.value {
                    Value::Table(table) if rest.len() > 1 => table.set(&rest[1..], key, node),
                    _ if rest.len() == 1 => {
                        *item = node;
                        Ok(())
                    }
                    _ => Err(format!("{first}.{}", rest[0])),
                }
            }
            // A short form gives way to the table that the path needs.
            other => {
                let mut table = Table::default();
                let result = table.set(rest, key, node);
                *other = Value::Table(table);
                result
            }
        }
    }
}

/// Parses a text.
///
/// # Errors
/// Every syntax error, at most as many as are shown.
pub fn parse(source: &Arc<Source>) -> Result<Table, Vec<Diagnostic>> {
    if let Some(at) = too_deep(source.text()) {
        let span = at..at + 1;
        let message = format!("more than {DEPTH_MAX} levels of nesting");
        let found = Diagnostic::at(Severity::Error, "scenario::nesting", source, span, message);
        return Err(vec![found.with_label("no scenario needs this")]);
    }
    let errors = match DeTable::parse(source.text()) {
        Ok(table) => return Ok(convert_table(source, table.get_ref())),
        // Looking for more errors costs memory for each; a big file is more likely no TOML at all.
        Err(_) if source.text().len() <= RECOVER_MAX => DeTable::parse_recoverable(source.text()).1,
        Err(error) => vec![error],
    };
    let found = errors.iter().take(crate::diagnostic::SHOWN_MAX).map(|error| {
        let span = error.span().unwrap_or(0..0);
        let message = format!("this is not TOML: {}", error.message());
        let found = Diagnostic::at(Severity::Error, "scenario::syntax", source, span.clone(), message);
        match source.text().get(span).filter(|name| mixes(source.text(), name)) {
            Some(name) => found.with_label(format!("[{name}] and [[{name}]] cannot mix; write [[{name}]] each time")),
            None => found,
        }
    });
    Err(found.collect())
}

fn convert_table(source: &Arc<Source>, table: &DeTable<'_>) -> Table {
    let mut entries = IndexMap::with_capacity(table.len());
    for (key, value) in table {
        let place = Place { source: Arc::clone(source), span: key.span() };
        let mut node = convert(source, value.span(), value.get_ref());
        // The span of a table that dotted keys or headers opened may be anywhere; its key is not.
        if matches!(node.value, Value::Table(_)) && source.text().as_bytes().get(node.place.span.start) != Some(&b'{') {
            node.place = place.clone();
        }
        entries.insert(key.get_ref().to_string(), Entry { key: place, node });
    }
    Table { entries }
}

fn convert(source: &Arc<Source>, span: Range<usize>, value: &DeValue<'_>) -> Node {
    let value = match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(whole) => Value::Whole(i64::from_str_radix(whole.as_str(), whole.radix()).ok()),
        DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(items) => {
            Value::List(items.iter().map(|item| convert(source, item.span(), item.get_ref())).collect())
        }
        DeValue::Table(table) => Value::Table(convert_table(source, table)),
    };
    Node { place: Place { source: Arc::clone(source), span }, value }
}

/// True if a table is opened both as one and as several.
fn mixes(text: &str, name: &str) -> bool {
    let opens = |header: &str| text.lines().any(|line| line.trim_start().starts_with(header));
    opens(&format!("[{name}]")) && opens(&format!("[[{name}]]"))
}

/// The first bracket that opens a level beyond the limit, outside strings and comments.
fn too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'#' => i += bytes[i..].iter().position(|b| *b == b'\n').unwrap_or(bytes.len() - i),
            b'"' | b'\'' => i = string_end(bytes, i),
            b'[' | b'{' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Some(i);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        i += 1;
    }
    None
}

/// The last byte of the string that begins at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let long = bytes[start..].starts_with(&[quote; 3]);
    let mut i = start + if long { 3 } else { 1 };
    while i < bytes.len() {
        match bytes[i] {
            b'\\' if quote == b'"' => i += 1,
            b'\n' if !long => return i,
            b if b == quote && !long => return i,
            b if b == quote && bytes[i..].starts_with(&[quote; 3]) => return i + 2,
            _ => {}
        }
        i += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Table {
        parse(&Arc::new(Source::new("t", text))).unwrap()
    }

    #[test]
    fn brackets_in_strings_and_comments_are_no_nesting() {
        let text = format!("a = \"{0}\"\nb = '{0}'\n# {0}\nc = '''\n{0}'''\n", "[".repeat(500));
        assert_eq!(tree(&text).entries.len(), 3);
    }

    #[test]
    fn overrides_reach_into_lists_and_make_tables() {
        let mut table = tree("[[fault]]\nat = \"1s\"\n");
        let node = table.get("fault").unwrap().clone();
        let path = |p: &str| p.split('.').map(str::to_owned).collect::<Vec<_>>();
        table.set(&path("fault.0.at"), &node.place, node.clone()).unwrap();
        table.set(&path("run.seed"), &node.place, node.clone()).unwrap();
        assert!(table.table("run").unwrap().get("seed").is_some());
        assert!(table.set(&path("fault.7.at"), &node.place, node.clone()).is_err());
    }

    #[test]
    fn overrides_reach_the_tables_of_a_list_by_name() {
        let mut table = tree("[[fault]]\nname = \"first\"\n[[fault]]\nname = \"grey-replica\"\nrate = \"1%\"\n");
        let node = tree("x = \"2%\"").get("x").unwrap().clone();
        let path = ["fault", "grey-replica", "rate"].map(str::to_owned);
        table.set(&path, &node.place, node.clone()).unwrap();
        let Value::List(faults) = &table.get("fault").unwrap().value else { panic!("a list") };
        let Value::Table(second) = &faults[1].value else { panic!("a table") };
        assert_eq!(second.get("rate").unwrap().value, Value::Text("2%".to_owned()));
        assert!(table.set(&["fault", "none", "rate"].map(str::to_owned), &node.place, node.clone()).is_err());
    }

    #[test]
    fn a_part_of_a_string_has_a_place() {
        let table = tree("that = \"abc < 1\"\n");
        let node = table.get("that").unwrap();
        assert_eq!(node.place.inside(0..3, "abc < 1").span, 8..11);
    }
}
