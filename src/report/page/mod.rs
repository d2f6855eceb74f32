//! The page: one HTML file for an architecture review, made from result files and nothing else.
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
mod study;
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
pub use study::Study;
pub use study::Unfit;
pub use study::read as read_study;

/// The style sheet.
const STYLE: &str = include_str!("style.css");
/// The script.
const SCRIPT: &str = include_str!("script.js");

/// A panel: its name in addresses, its heading, how it is made; an empty text where there is nothing to show.
type Panel = (&'static str, &'static str, fn(&Section<'_>) -> String);

/// A panel that was made: name, heading, what is inside.
type Made = (String, String, String);

/// The panel that studies stand behind.
const BEFORE_STUDIES: &str = "cost";

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
    Ok(page(&read(text)?, &[]))
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

/// One result, or the studies of one scenario, on a page.
struct Article {
    /// In front of every name in an address.
    prefix: String,
    /// Of the scenario.
    title: String,
    /// In their order.
    panels: Vec<Made>,
}

/// The page of results and of what varied them. There is at least one of either.
pub fn page(taken: &[Taken], studies: &[Study]) -> String {
    let articles = articles(taken, studies);
    let title = match &articles[..] {
        [one] => one.title.clone(),
        many => format!("{} scenarios", many.len()),
    };
    let mut nav = String::new();
    let mut body = String::new();
    for article in &articles {
        let prefix = &article.prefix;
        if articles.len() > 1 {
            let _ = write!(nav, "<li class=of><a href=\"#{prefix}result\">{}</a>", escape(&article.title));
        }
        let _ = write!(body, "<article class=result id=\"{prefix}result\">");
        for (name, heading, inside) in article.panels.iter().filter(|(_, _, inside)| !inside.is_empty()) {
            let id = format!("{prefix}{name}");
            let class = if ["verdict", "about"].contains(&name.as_str()) { " class=unseen" } else { "" };
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

/// Results in their order, each with its studies; then the studies of no result.
fn articles(taken: &[Taken], studies: &[Study]) -> Vec<Article> {
    let placed = study::placed(taken, studies);
    let many = taken.len() + placed.alone.len() > 1;
    let prefix = |at: usize| if many { format!("r{}-", at + 1) } else { String::new() };
    let mut articles = Vec::new();
    for (at, (one, mine)) in taken.iter().zip(&placed.of).enumerate() {
        let section = Section { result: &one.result, marks: one.result.marks(), prefix: prefix(at) };
        let made = |(name, heading, make): &Panel| ((*name).to_owned(), (*heading).to_owned(), make(&section));
        let mut panels: Vec<Made> = PANELS.iter().map(made).collect();
        let behind = panels.iter().position(|(name, ..)| name == BEFORE_STUDIES).map_or(panels.len(), |at| at + 1);
        let studied = study::panels(mine, Some(&one.result), &section.prefix, studies.len());
        panels.splice(behind..behind, studied);
        articles.push(Article { prefix: section.prefix, title: one.result.scenario.title.clone(), panels });
    }
    for (at, group) in placed.alone.iter().enumerate() {
        let prefix = prefix(taken.len() + at);
        let mut panels = vec![("about".to_owned(), "About".to_owned(), study::about(group, taken.len()))];
        panels.extend(study::panels(group, None, &prefix, studies.len()));
        articles.push(Article { prefix, title: group[0].title().to_owned(), panels });
    }
    // The data takes what room the others leave.
    let inside = articles.iter().flat_map(|article| &article.panels).map(|(_, _, inside)| inside.len());
    let used = inside.sum::<usize>() + STYLE.len() + SCRIPT.len();
    for (one, article) in taken.iter().zip(&mut articles) {
        let data = data::render(one, &article.prefix, taken.len(), used);
        article.panels.push(("data".to_owned(), "Data".to_owned(), data));
    }
    articles
}

/// Fill patterns that every picture may use.
const PATTERNS: &str = "<svg width=0 height=0 aria-hidden=true class=patterns><defs><pattern id=hatch width=8 height=8 patternUnits=userSpaceOnUse patternTransform=\"rotate(45)\"><path class=hatched d=\"M0 0H8V8H0z\"/><path class=hatch d=\"M0 0V8\"/></pattern><pattern id=hatch2 width=8 height=8 patternUnits=userSpaceOnUse patternTransform=\"rotate(-45)\"><path class=hatched2 d=\"M0 0H8V8H0z\"/><path class=hatch2 d=\"M0 0V8\"/></pattern><pattern id=cross width=9 height=9 patternUnits=userSpaceOnUse><path class=cross d=\"M0 0L9 9M9 0L0 9\"/></pattern><pattern id=bars width=7 height=7 patternUnits=userSpaceOnUse><path class=bars d=\"M3 0V7\"/></pattern></defs></svg>";
