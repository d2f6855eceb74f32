//! The page: one HTML file for an architecture review, made from a result file and nothing else.
//!
//! *Knows* the order of the panels: verdict, evidence, cause, detail. *Does not know* how a result came to be;
//! whatever a page shows, the JSON has. Start reading at [`render`]; `read` says what a file must have, `chart`
//! how numbers become pictures, and each panel has a file. The page is whole without its script, without the
//! network and on paper; the script adds hints, zoom, choices and downloads.

mod attribution;
mod chart;
mod cost;
mod data;
mod export;
mod html;
mod lanes;
mod latency;
mod layout;
mod read;
mod replications;
mod scale;
mod scenario;
mod table;
mod timeline;
mod topology;
mod verdict;

use std::fmt::Write as _;

use super::compare::saved::Unreadable;
use html::escape;
use read::Mark;
use read::Outcome;
pub use read::Taken;
pub use read::read;

/// The style sheet.
const STYLE: &str = include_str!("style.css");
/// The script.
const SCRIPT: &str = include_str!("script.js");

/// A panel: its name in addresses, its heading, how it is made; an empty text where there is nothing to show.
type Panel = (&'static str, &'static str, fn(&Section<'_>) -> String);

/// A panel that was made: name, heading, what is inside.
type Made = (&'static str, &'static str, String);

/// The panels in their order.
const PANELS: [Panel; 11] = [
    ("verdict", "Verdict", verdict::render),
    ("compare", "Side by side", table::render),
    ("timeline", "Timeline", timeline::render),
    ("topology", "Topology", topology::render),
    ("lanes", "Tasks", lanes::render),
    ("latency", "Latency", latency::render),
    ("attribution", "Attribution", attribution::render),
    ("replications", "Replications", replications::render),
    ("cost", "Cost", cost::render),
    ("scenario", "Scenario", scenario::render),
    ("assumptions", "Assumptions", scenario::assumptions),
];

/// One result on its way to a page.
pub struct Section<'a> {
    /// What is drawn.
    result: &'a Outcome,
    /// Faults, deployments and scalings.
    marks: Vec<Mark>,
    /// In front of every name in an address, so that several results can share a page.
    prefix: String,
}

/// The page of a result file's text.
///
/// # Errors
/// [`Unreadable`] if it is no result file, or only a part of one.
pub fn render(text: &str) -> Result<String, Unreadable> {
    Ok(page(&read(text)?))
}

/// Results that a page shows at the most.
pub const RESULTS_MAX: usize = 12;

/// A result as Markdown; `None` if it lacks the table.
pub fn markdown(taken: &Taken) -> Option<String> {
    export::markdown(&taken.result)
}

/// A result as lines of CSV.
pub fn csv(taken: &Taken) -> String {
    export::csv(&taken.result)
}

/// The page of results.
pub fn page(taken: &[Taken]) -> String {
    let title = match taken {
        [one] => one.result.scenario.title.clone(),
        many => format!("{} scenarios", many.len()),
    };
    let sections: Vec<Section<'_>> = taken
        .iter()
        .enumerate()
        .map(|(i, one)| {
            let prefix = if taken.len() == 1 { String::new() } else { format!("r{}-", i + 1) };
            Section { result: &one.result, marks: one.result.marks(), prefix }
        })
        .collect();
    let made = |section: &Section<'_>| -> Vec<Made> {
        PANELS.iter().map(|(name, heading, make)| (*name, *heading, make(section))).collect()
    };
    let mut panels: Vec<Vec<Made>> = sections.iter().map(made).collect();
    // The data takes what room the others leave.
    let used = panels.iter().flatten().map(|(_, _, inside)| inside.len()).sum::<usize>() + STYLE.len() + SCRIPT.len();
    for ((one, section), panels) in taken.iter().zip(&sections).zip(&mut panels) {
        panels.push(("data", "Data", data::render(one, &section.prefix, taken.len(), used)));
    }
    let mut nav = String::new();
    let mut body = String::new();
    for (section, panels) in sections.iter().zip(&panels) {
        if taken.len() > 1 {
            let (prefix, title) = (&section.prefix, escape(&section.result.scenario.title));
            let _ = write!(nav, "<li class=of><a href=\"#{prefix}result\">{title}</a>");
        }
        let _ = write!(body, "<article class=result id=\"{}result\">", section.prefix);
        for (name, heading, inside) in panels.iter().filter(|(_, _, inside)| !inside.is_empty()) {
            let id = format!("{}{name}", section.prefix);
            let class = if *name == "verdict" { " class=unseen" } else { "" };
            let _ = write!(nav, "<li><a href=\"#{id}\">{heading}</a>");
            let _ = write!(
                body,
                "\n<section class=panel id=\"{id}\" aria-labelledby=\"{id}-h\"><h2 id=\"{id}-h\"{class}>{heading}</h2>{inside}</section>",
            );
        }
        body.push_str("</article>");
    }
    format!(
        "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width, initial-scale=1\"><meta name=generator content=\"scsim {}\"><title>{} – scsim</title><style>{STYLE}</style></head>\n<body><a class=skip href=\"#main\">Skip to the verdict</a><nav aria-label=\"Panels\"><div class=brand>scsim</div><button type=button id=theme class=js aria-pressed=false>Dark</button><ul>{nav}</ul></nav><main id=main>{PATTERNS}{body}</main><div id=hint role=status aria-live=off hidden></div>\n<script>{SCRIPT}</script></body></html>\n",
        super::json::VERSION,
        escape(&title),
    )
}

/// Fill patterns that every picture may use.
const PATTERNS: &str = "<svg width=0 height=0 aria-hidden=true class=patterns><defs><pattern id=hatch width=8 height=8 patternUnits=userSpaceOnUse patternTransform=\"rotate(45)\"><path class=hatched d=\"M0 0H8V8H0z\"/><path class=hatch d=\"M0 0V8\"/></pattern><pattern id=hatch2 width=8 height=8 patternUnits=userSpaceOnUse patternTransform=\"rotate(-45)\"><path class=hatched2 d=\"M0 0H8V8H0z\"/><path class=hatch2 d=\"M0 0V8\"/></pattern><pattern id=cross width=9 height=9 patternUnits=userSpaceOnUse><path class=cross d=\"M0 0L9 9M9 0L0 9\"/></pattern><pattern id=bars width=7 height=7 patternUnits=userSpaceOnUse><path class=bars d=\"M3 0V7\"/></pattern></defs></svg>";
