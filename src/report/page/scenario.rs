//! What was simulated: the scenario with every default filled in and marked, and the constants in use.
//!
//! *Knows* how defaults are marked in the text. *Does not know* TOML.

use std::fmt::Write as _;

use super::Section;
use super::html::escape;

/// The mark of a default at the end of a line.
const DEFAULT: &str = "# default";

/// The panel of the scenario.
pub(super) fn render(section: &Section<'_>) -> String {
    let Some(toml) = section.result.scenario.toml.as_deref() else { return String::new() };
    let lines: Vec<&str> = toml.lines().collect();
    let defaults = lines.iter().filter(|line| line.trim_end().ends_with(DEFAULT)).count();
    let mut out = format!(
        "<p class=quiet>{} with includes, overrides and every default filled in; {defaults} of the lines are defaults and greyed.</p><label class=\"js quiet\"><input type=checkbox class=hide-defaults data-of=\"{1}toml\"> hide defaults</label><pre class=toml id=\"{1}toml\" tabindex=0>",
        escape(if section.result.scenario.file.is_empty() { "The scenario" } else { &section.result.scenario.file }),
        section.prefix
    );
    for line in lines {
        // Short names: a large estate has thousands of lines. The end of the line is inside, so that a hidden
        // line leaves no empty one.
        let name = if line.trim_end().ends_with(DEFAULT) {
            "i"
        } else if line.starts_with('[') {
            "b"
        } else if line.starts_with('#') {
            "em"
        } else {
            let _ = writeln!(out, "{}", escape(line));
            continue;
        };
        let _ = write!(out, "<{name}>{}\n</{name}>", escape(line));
    }
    out.push_str("</pre>");
    out
}

/// The panel of the assumptions.
pub(super) fn assumptions(section: &Section<'_>) -> String {
    let all = &section.result.assumptions;
    if all.is_empty() {
        return String::new();
    }
    let count = |word: &str| all.iter().filter(|a| a.confidence == word).count();
    let mut out = format!(
        "<p class=quiet>{} constants were in use; {} of them are guesses. Whatever matters to a decision should be measured and overridden.</p><label class=\"js quiet\">Filter <input type=search class=filter data-of=\"{2}constants\" size=24></label><figure id=\"{2}constants-figure\"><div class=scroll tabindex=0 role=group aria-label=assumptions><table class=\"grid-table twin-of\" id=\"{2}constants\"><thead><tr><th scope=col>constant<th scope=col>value<th scope=col>confidence<th scope=col>source<th scope=col>override with<tbody>",
        all.len(),
        count("guess"),
        section.prefix
    );
    for a in all {
        let _ = write!(
            out,
            "<tr><th scope=row><code>{}</code><td><b>{}</b><td><span class=\"confidence {}\">{}</span><td class=dim>{}<td><code>{}</code>",
            escape(&a.id),
            escape(&a.value),
            class(&a.confidence),
            escape(&a.confidence),
            escape(&a.source),
            escape(&a.overridden_by)
        );
    }
    out.push_str("</table></div><button type=button class=\"csv js\" data-name=assumptions>CSV</button></figure>");
    out
}

/// A class for a word of the file: one of ours, whatever it says.
fn class(confidence: &str) -> &'static str {
    match confidence {
        "documented" => "sure",
        "measured" | "third-party" => "fair",
        _ => "weak",
    }
}
