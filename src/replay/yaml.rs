//! YAML as a tree whose every node knows its line.
//!
//! *Knows* mappings, lists, scalars and anchors. *Does not know* what a vector is.

use saphyr_parser::Event;
use saphyr_parser::Parser;
use saphyr_parser::ScalarStyle;

use super::Malformed;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    pub line: usize,
    /// Where its name stands, if it has one.
    pub named_at: usize,
    pub data: Data,
}

/// A value. Scalars keep their text, which is read by whoever knows what it should be.
#[derive(Clone, PartialEq, Debug)]
pub enum Data {
    Plain(String),
    Quoted(String),
    List(Vec<Node>),
    /// In the order of the file.
    Map(Vec<(String, Node)>),
}

impl PartialEq for Node {
    fn eq(&self, other: &Node) -> bool {
        self.data == other.data
    }
}

/// Reads one document.
pub fn parse(text: &str) -> Result<Node, Malformed> {
    let mut reader = Reader { parser: Parser::new_from_str(text), anchors: Vec::new(), line: 1 };
    loop {
        match reader.next()? {
            Event::StreamEnd => return Err(Malformed { line: reader.line, message: "the file is empty".to_owned() }),
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
            first => {
                let node = reader.node(first, 0)?;
                // What follows is read too, so that a mistake in it is not passed over.
                loop {
                    match reader.next()? {
                        Event::StreamEnd => return Ok(node),
                        Event::Nothing | Event::DocumentEnd => {}
                        _ => return Err(reader.wrong("a second document; one file holds one")),
                    }
                }
            }
        }
    }
}

struct Reader<'a, T: saphyr_parser::Input> {
    parser: Parser<'a, T>,
    anchors: Vec<(usize, Node)>,
    line: usize,
}

/// Nesting at the most; vectors need a handful.
const DEPTH_MAX: usize = 64;

impl<'a, T: saphyr_parser::Input> Reader<'a, T> {
    fn wrong(&self, message: &str) -> Malformed {
        Malformed { line: self.line, message: message.to_owned() }
    }

    fn next(&mut self) -> Result<Event<'a>, Malformed> {
        match self.parser.next() {
            Some(Ok((event, span))) => {
                self.line = span.start.line();
                Ok(event)
            }
            Some(Err(error)) => Err(Malformed { line: error.marker().line(), message: error.info().to_owned() }),
            None => Ok(Event::StreamEnd),
        }
    }

    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<Node, Malformed> {
        if depth > DEPTH_MAX {
            return Err(self.wrong("nested too deeply"));
        }
        let line = self.line;
        let (anchor, data) = match event {
            Event::Scalar(text, ScalarStyle::Plain, anchor, _) => (anchor, Data::Plain(text.into_owned())),
            Event::Scalar(text, _, anchor, _) => (anchor, Data::Quoted(text.into_owned())),
            Event::SequenceStart(anchor, _) => (anchor, Data::List(self.list(depth)?)),
            Event::MappingStart(anchor, _) => (anchor, Data::Map(self.map(depth)?)),
            Event::Alias(of) => {
                let known = self.anchors.iter().find(|(anchor, _)| *anchor == of);
                return known.map(|(_, node)| node.clone()).ok_or_else(|| self.wrong("an alias of nothing"));
            }
            _ => return Err(self.wrong("a value is missing")),
        };
        let node = Node { line, named_at: line, data };
        if anchor != 0 {
            self.anchors.push((anchor, node.clone()));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Malformed> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(items),
                event => items.push(self.node(event, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<(String, Node)>, Malformed> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => return Ok(entries),
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(self.wrong("a key is a single word here")),
            };
            if entries.iter().any(|(other, _)| *other == key) {
                return Err(self.wrong(&format!("`{key}` is there twice")));
            }
            let named_at = self.line;
            let event = self.next()?;
            let node = self.node(event, depth + 1)?;
            entries.push((key, Node { named_at, ..node }));
        }
    }
}

impl Node {
    /// The entry of that name, if this is a mapping that has one.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }
    /// The entries of a mapping; none of anything else.
    pub fn entries(&self) -> &[(String, Node)] {
        if let Data::Map(entries) = &self.data { entries } else { &[] }
    }

    pub fn text(&self) -> Result<&str, Malformed> {
        match &self.data {
            Data::Plain(text) | Data::Quoted(text) => Ok(text),
            Data::List(_) => Err(self.wrong("a word or a number was expected here, not a list")),
            Data::Map(_) => Err(self.wrong("a word or a number was expected here, not a mapping")),
        }
    }
    fn parsed<T: std::str::FromStr>(&self, what: &str) -> Result<T, Malformed> {
        let text = self.text()?;
        text.parse().map_err(|_| {
            let negative = text.strip_prefix('-').is_some_and(|rest| rest.parse::<f64>().is_ok());
            let instead = if negative { "nothing is below zero here; write" } else { "write" };
            self.wrong(&format!("`{text}`: {instead} {what}"))
        })
    }
    pub fn whole(&self) -> Result<u64, Malformed> {
        self.parsed("a whole number")
    }
    pub fn small(&self) -> Result<u32, Malformed> {
        self.parsed("a whole number below 4294967296")
    }
    pub fn number(&self) -> Result<f64, Malformed> {
        let number: f64 = self.parsed("a number")?;
        if number.is_finite() { Ok(number) } else { Err(self.wrong("a finite number was expected")) }
    }
    /// A time in milliseconds: a bare number, or one with Envoy's `s` or with `ms`.
    pub fn millis(&self) -> Result<u64, Malformed> {
        let what = "milliseconds as a whole number, or a time as `10s` or `250ms`";
        let text = self.text()?;
        if let Some(number) = text.strip_suffix("ms") {
            return number.parse().map_err(|_| self.wrong(&format!("`{text}`: write {what}")));
        }
        let Some(seconds) = text.strip_suffix('s') else { return self.parsed(what) };
        let (whole, part) = seconds.split_once('.').unwrap_or((seconds, ""));
        let millis = part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit());
        let whole = whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(1000));
        match (whole, format!("{part:0<3}").parse::<u64>()) {
            (Some(whole), Ok(part)) if millis => Ok(whole.saturating_add(part)),
            _ => Err(self.wrong(&format!("`{text}`: write {what}"))),
        }
    }
    pub fn truth(&self) -> Result<bool, Malformed> {
        match &self.data {
            Data::Plain(text) if text == "true" => Ok(true),
            Data::Plain(text) if text == "false" => Ok(false),
            Data::Plain(text) | Data::Quoted(text) => {
                Err(self.wrong(&format!("`{text}`: write true or false, without quotes")))
            }
            _ => Err(self.wrong("true or false was expected")),
        }
    }
    pub fn list(&self) -> Result<&[Node], Malformed> {
        match &self.data {
            Data::List(items) => Ok(items),
            Data::Plain(text) | Data::Quoted(text) => Err(self.wrong(&format!("a list was expected: write [{text}]"))),
            Data::Map(_) => Err(self.wrong("a list was expected, not a mapping: write [a, b]")),
        }
    }
    pub fn words(&self) -> Result<Vec<String>, Malformed> {
        self.list()?.iter().map(|item| item.text().map(str::to_owned)).collect()
    }
    pub fn wholes(&self) -> Result<Vec<u64>, Malformed> {
        self.list()?.iter().map(Node::whole).collect()
    }

    pub fn wrong(&self, message: &str) -> Malformed {
        Malformed { line: self.line, message: message.to_owned() }
    }
}
