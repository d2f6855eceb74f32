//! Findings about a user's file: what is wrong, where, and what to write instead.
//!
//! *Knows* source text, positions and three renderings (for people, for pipes, for programs).
//! *Does not know* what a scenario is, nor any file system.
//! Invariant: rendering never fails and never prints a control character of the user's file.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

/// How many diagnostics of one file are rendered; the rest is counted.
pub const SHOWN_MAX: usize = 20;

/// Widest source excerpt; longer lines are clipped around the span.
const EXCERPT_MAX: usize = 100;

/// One finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// Stable identifier, `scenario::unknown-service`.
    pub code: &'static str,
    /// Whether it stops the program.
    pub severity: Severity,
    /// Name of the file as the user gave it.
    pub file: String,
    /// Bytes of the source that are meant; `None` if it is about the file as a whole.
    pub span: Option<Range<usize>>,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// Written under the span; empty for none.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
    /// What else is worth knowing.
    pub note: Option<String>,
    /// The text that `span` points into.
    pub source: Option<Arc<Source>>,
}

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a look.
    Warning,
    /// Nothing is run.
    Error,
}

impl Severity {
    /// `error` or `warning`.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// A text with a name and an index of its lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    name: String,
    text: String,
    line_starts: Vec<usize>,
}

impl Source {
    /// Indexes `text`.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Source {
        let text = text.into();
        let mut line_starts = vec![0];
        line_starts.extend(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1));
        Source { name: name.into(), text, line_starts }
    }
    /// The name it was given.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }
    /// Line and column of a byte, both from 1; columns count characters.
    pub fn position(&self, byte: usize) -> Position {
        let byte = self.boundary(byte);
        let line = self.line_number(byte);
        let start = self.line_starts[line - 1];
        Position { line, column: self.text[start..byte].chars().count() + 1 }
    }
    /// Line of a byte, from 1.
    pub fn line_number(&self, byte: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= byte).max(1)
    }
    /// A line by its number from 1, without its end; empty if there is none.
    pub fn line(&self, number: usize) -> &str {
        let Some(start) = number.checked_sub(1).and_then(|index| self.line_starts.get(index)) else {
            return "";
        };
        let end = self.line_starts.get(number).map_or(self.text.len(), |next| next - 1);
        self.text[*start..end].trim_end_matches('\r')
    }
    /// The nearest character boundary at or before `byte`.
    fn boundary(&self, byte: usize) -> usize {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    }
}

/// A place in a text, for people.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// Which characters a rendering may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Charset {
    /// Box drawing.
    Unicode,
    /// Seven bits.
    Ascii,
}

/// The characters of a frame.
struct Strokes {
    top: &'static str,
    bar: &'static str,
    dot: &'static str,
    bottom: &'static str,
    dash: &'static str,
    tee: &'static str,
    elbow: &'static str,
    clipped: &'static str,
}

const UNICODE: Strokes =
    Strokes {
        top: "╭─", bar: "│", dot: "·", bottom: "╰────", dash: "─", tee: "┬", elbow: "╰── ", clipped: "…"
    };
const ASCII: Strokes =
    Strokes { top: ",-", bar: "|", dot: ":", bottom: "`----", dash: "-", tee: "|", elbow: "`-- ", clipped: "..." };

impl Diagnostic {
    /// A finding about a whole file.
    pub fn of_file(
        severity: Severity,
        code: &'static str,
        file: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Diagnostic {
            code,
            severity,
            file: file.into(),
            span: None,
            message: message.into(),
            label: String::new(),
            help: None,
            note: None,
            source: None,
        }
    }
    /// A finding about a part of a source.
    pub fn at(
        severity: Severity,
        code: &'static str,
        source: &Arc<Source>,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        Diagnostic {
            span: Some(span),
            source: Some(Arc::clone(source)),
            ..Diagnostic::of_file(severity, code, source.name(), message)
        }
    }
    /// With a text under the span.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }
    /// With advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
    /// Where it begins, if it points anywhere.
    pub fn position(&self) -> Option<Position> {
        Some(self.source.as_ref()?.position(self.span.as_ref()?.start))
    }

    /// For people: several lines, ending with a line break.
    pub fn render(&self, charset: Charset) -> String {
        let strokes = match charset {
            Charset::Unicode => &UNICODE,
            Charset::Ascii => &ASCII,
        };
        let mut out = format!("{}[{}]: {}\n", self.severity.name(), self.code, printable(&self.message));
        if let (Some(source), Some(span)) = (&self.source, &self.span) {
            self.render_excerpt(&mut out, strokes, source, span);
        } else {
            let _ = writeln!(out, "   {}[{}]", strokes.top, printable(&self.file));
            if !self.label.is_empty() {
                let _ = writeln!(out, "   {} {}", strokes.dot, printable(&self.label));
            }
            let _ = writeln!(out, "   {}", strokes.bottom);
        }
        for (word, text) in [("help", &self.help), ("note", &self.note)] {
            let Some(text) = text else { continue };
            for (i, line) in text.lines().enumerate() {
                let _ = match i {
                    0 => writeln!(out, "  {word}: {}", printable(line)),
                    _ => writeln!(out, "        {}", printable(line)),
                };
            }
        }
        out
    }

    fn render_excerpt(&self, out: &mut String, strokes: &Strokes, source: &Source, span: &Range<usize>) {
        let begin = source.position(span.start);
        let line = source.line(begin.line);
        let width = begin.line.to_string().len().max(2);
        let pad = " ".repeat(width + 1);
        // A span over several lines is underlined on the first one only.
        let line_left = line.chars().count().saturating_sub(begin.column - 1);
        let end = source.boundary(span.end);
        let spanned = source.text()[source.boundary(span.start).min(end)..end].chars().count();
        let length = spanned.min(line_left).max(1);
        let _ = writeln!(out, "{pad}{}[{}:{}:{}]", strokes.top, printable(&self.file), begin.line, begin.column);
        if begin.line > 1 {
            let before = source.line(begin.line - 1);
            if !before.trim().is_empty() {
                let shown = clip(before, 0, 0, strokes);
                let _ = writeln!(out, "{:>width$} {} {}", begin.line - 1, strokes.bar, shown.text);
            }
        }
        let shown = clip(line, begin.column - 1, length, strokes);
        let _ = writeln!(out, "{}", format!("{:>width$} {} {}", begin.line, strokes.bar, shown.text).trim_end());
        let left = " ".repeat(shown.column);
        let half = shown.length / 2;
        if self.label.is_empty() {
            let _ = writeln!(out, "{pad}{} {left}{}", strokes.dot, strokes.dash.repeat(shown.length));
        } else {
            let (before, after) = (strokes.dash.repeat(half), strokes.dash.repeat(shown.length - half - 1));
            let _ = writeln!(out, "{pad}{} {left}{before}{}{after}", strokes.dot, strokes.tee);
            let stem = " ".repeat(half);
            for (i, text) in self.label.lines().enumerate() {
                let elbow = if i == 0 { strokes.elbow } else { "    " };
                let _ = writeln!(out, "{pad}{} {left}{stem}{elbow}{}", strokes.dot, printable(text));
            }
        }
        let _ = writeln!(out, "{pad}{}", strokes.bottom);
    }

    /// For pipes: one line without its end.
    pub fn one_line(&self) -> String {
        let mut out = printable(&self.file);
        if let Some(position) = self.position() {
            let _ = write!(out, ":{}:{}", position.line, position.column);
        }
        let _ = write!(out, ": {}[{}] {}", self.severity.name(), self.code, printable(&self.message));
        if !self.label.is_empty() {
            let _ = write!(out, ": {}", printable(&self.label.replace('\n', " ")));
        }
        out
    }

    /// For programs.
    pub fn record(&self) -> Record<'_> {
        let position = self.position();
        Record {
            code: self.code,
            severity: self.severity,
            file: &self.file,
            line: position.map(|p| p.line),
            column: position.map(|p| p.column),
            start: self.span.as_ref().map(|s| s.start),
            end: self.span.as_ref().map(|s| s.end),
            message: &self.message,
            label: &self.label,
            help: self.help.as_deref(),
            note: self.note.as_deref(),
        }
    }
}

/// The JSON form of a [`Diagnostic`].
#[derive(Clone, Debug, Serialize)]
pub struct Record<'a> {
    /// Identifier.
    pub code: &'a str,
    /// Severity.
    pub severity: Severity,
    /// File.
    pub file: &'a str,
    /// Line, from 1.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// First byte.
    pub start: Option<usize>,
    /// Byte after the last.
    pub end: Option<usize>,
    /// What is wrong.
    pub message: &'a str,
    /// What stands under the span.
    pub label: &'a str,
    /// Advice.
    pub help: Option<&'a str>,
    /// Remark.
    pub note: Option<&'a str>,
}

/// How a list of diagnostics is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Several lines each, for people.
    Full(Charset),
    /// One line each, for pipes.
    OneLine,
}

/// Renders a list: at most [`SHOWN_MAX`] per file, then how many more there are.
pub fn render_all(diagnostics: &[Diagnostic], form: Form) -> String {
    let mut shown: Vec<(&str, usize)> = Vec::new();
    let mut out = String::new();
    for diagnostic in diagnostics {
        let index = shown.iter().position(|(file, _)| *file == diagnostic.file).unwrap_or_else(|| {
            shown.push((&diagnostic.file, 0));
            shown.len() - 1
        });
        shown[index].1 += 1;
        if shown[index].1 > SHOWN_MAX {
            continue;
        }
        match form {
            Form::Full(charset) => {
                if !out.is_empty() {
                    out.push('\n');
                }
                out.push_str(&diagnostic.render(charset));
            }
            Form::OneLine => {
                out.push_str(&diagnostic.one_line());
                out.push('\n');
            }
        }
    }
    for (file, count) in shown {
        if count > SHOWN_MAX {
            let _ = writeln!(out, "{}: and {} more", printable(file), count - SHOWN_MAX);
        }
    }
    out
}

/// The candidate most like `word`, if one is like enough to suggest.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Long words are no misspelling of anything, and the distance is quadratic.
    if word.chars().count() > 64 {
        return None;
    }
    let wanted = fold(word);
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= 128)
        .map(|candidate| (edit_distance(&wanted, &fold(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// "; did you mean `x`?" or nothing, to be appended to a label.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

fn fold(word: &str) -> Vec<char> {
    word.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (above[j - 1] + same).min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

/// Control characters would let a file write to the terminal; each becomes one visible character.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' | '\n' => ' ',
            c if c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c) => {
                '\u{fffd}'
            }
            c => c,
        })
        .collect()
}

struct Clipped {
    text: String,
    /// Columns in front of the span.
    column: usize,
    /// Columns of the span.
    length: usize,
}

/// The part of a line around a span, at most [`EXCERPT_MAX`] characters and two ellipses.
fn clip(line: &str, column: usize, length: usize, strokes: &Strokes) -> Clipped {
    let count = line.chars().count();
    if count <= EXCERPT_MAX {
        return Clipped { text: printable(line), column, length };
    }
    let from = if column + length <= EXCERPT_MAX { 0 } else { column.saturating_sub(EXCERPT_MAX / 4) };
    let kept: String = line.chars().skip(from).take(EXCERPT_MAX).collect();
    let mut text = printable(&kept);
    let mut shift = 0;
    if from > 0 {
        text.insert_str(0, strokes.clipped);
        shift = strokes.clipped.chars().count();
    }
    if from + EXCERPT_MAX < count {
        text.push_str(strokes.clipped);
    }
    Clipped {
        text,
        column: column - from + shift,
        length: length.min(EXCERPT_MAX - (column - from)).max(length.min(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, span: Range<usize>, expected: &str) {
        let source = Arc::new(Source::new("a.toml", text));
        let diagnostic = Diagnostic::at(Severity::Error, "x::y", &source, span, "it is wrong").with_label("here");
        assert_eq!(diagnostic.render(Charset::Unicode), expected);
    }

    #[test]
    fn the_underline_stands_below_its_span() {
        check(
            "tasks = 3\ncalls = [\"paymnets\"]\n",
            19..29,
            concat!(
                "error[x::y]: it is wrong\n",
                "   ╭─[a.toml:2:10]\n",
                " 1 │ tasks = 3\n",
                " 2 │ calls = [\"paymnets\"]\n",
                "   ·          ─────┬────\n",
                "   ·               ╰── here\n",
                "   ╰────\n",
            ),
        );
    }

    #[test]
    fn odd_spans_do_not_panic() {
        let source = Arc::new(Source::new("a", "äöü\r\n\u{1b}[31m\n"));
        for start in 0..14 {
            for end in 0..14 {
                let d = Diagnostic::at(Severity::Warning, "x::y", &source, start..end, "m");
                let text = d.render(Charset::Ascii);
                assert!(!text.contains('\u{1b}'));
                let _ = d.with_label("l").render(Charset::Unicode);
            }
        }
    }

    #[test]
    fn long_lines_are_clipped_around_the_span() {
        let text = format!("{}bad{}", "a".repeat(5000), "b".repeat(5000));
        let source = Arc::new(Source::new("a", text));
        let d = Diagnostic::at(Severity::Error, "x::y", &source, 5000..5003, "m").with_label("l");
        let lines: Vec<String> = d.render(Charset::Unicode).lines().map(str::to_owned).collect();
        let at = lines[2].chars().position(|c| c == 'b').unwrap();
        assert!(lines[2].chars().count() < 120);
        assert_eq!(lines[3].chars().position(|c| c == '─').unwrap(), at);
    }

    #[test]
    fn misspellings_find_their_word() {
        for (word, expected) in [
            ("paymnets", Some("payments")),
            ("Payments", Some("payments")),
            ("zebra", None),
            ("paymentz", Some("payments")),
        ] {
            assert_eq!(nearest(word, ["checkout", "payments"]), expected, "{word}");
        }
    }

    #[test]
    fn the_twenty_first_is_only_counted() {
        let many = vec![Diagnostic::of_file(Severity::Error, "x::y", "f", "m"); 25];
        let text = render_all(&many, Form::OneLine);
        assert_eq!(text.lines().count(), 21);
        assert!(text.ends_with("f: and 5 more\n"));
    }
}
