//! Text that a browser takes for text, and tables.
//!
//! *Knows* which characters mean something in HTML. *Does not know* panels. Invariant: whatever comes from a
//! file passes [`escape`] or [`island`] on its way into a page.

use std::fmt::Write as _;

use serde_json::Value;

use super::scale;

/// Text for an element or an attribute in double quotes. Control characters and those that turn the direction
/// of writing become a visible one.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c) => {
                out.push('\u{fffd}');
            }
            c => out.push(c),
        }
    }
    out
}

/// JSON that can stand inside a script element: no end tag and no comment can begin in it.
pub fn island(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// A number with at most four significant digits, as short as it goes.
pub fn short(value: f64) -> String {
    if !value.is_finite() {
        return String::new();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = scale::magnitude(value);
    let decimals = (3 - magnitude).clamp(0, 9) as usize;
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// The same for a figure that may not exist.
pub fn maybe(value: Option<f64>) -> String {
    value.map_or_else(String::new, short)
}

/// The twin of a chart: what it shows, as a table. The script reads it for its hints and its CSV.
#[derive(Default)]
pub struct Table {
    /// Headings; the first is that of the row headings.
    pub head: Vec<String>,
    /// Rows of texts that are not escaped yet.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Table {
        Table { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// The element. End tags that HTML does not ask for are left out: tables are half of a page.
    pub fn render(&self, caption: &str) -> String {
        let mut out =
            String::from("<div class=scroll tabindex=0 role=group aria-label=\"table\"><table class=twin-table>");
        let _ = write!(out, "<caption>{}</caption><thead><tr>", escape(caption));
        for head in &self.head {
            let _ = write!(out, "<th scope=col>{}", escape(head));
        }
        out.push_str("<tbody>");
        for row in &self.rows {
            out.push_str("\n<tr>");
            for (i, cell) in row.iter().enumerate() {
                out.push_str(if i == 0 { "<th>" } else { "<td>" });
                out.push_str(&escape(cell));
            }
        }
        out.push_str("</table></div>");
        out
    }
}

/// A table behind a heading that opens it, with a button for its CSV.
pub fn twin(table: &Table, name: &str, caption: &str) -> String {
    format!(
        "<details class=twin><summary>Table</summary>{}</details><button type=button class=\"csv js\" data-name=\"{}\">CSV</button>",
        table.render(caption),
        escape(name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_file_becomes_markup() {
        assert_eq!(escape("<script>\"'&\u{202e}\u{1b}"), "&lt;script&gt;&quot;&#39;&amp;\u{fffd}\u{fffd}");
        let value = serde_json::json!({"a": "</script><!--\u{2028}"});
        let text = island(&value);
        assert!(!text.contains('<'), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value, "it reads back the same");
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (0.16667, "0.1667"),
            (1234.567, "1235"),
            (12.5, "12.5"),
            (-1e-12, "0"),
            (1e6, "1000000"),
        ] {
            assert_eq!(short(value), text, "{value}");
        }
        assert_eq!(short(f64::INFINITY), "");
    }
}
