//! What calls failed of, and what saved requests before their users saw anything: a waterfall per plane.
//!
//! *Knows* causes and counts. *Does not know* how a call came to its flag.

use std::fmt::Write as _;

use super::Section;
use super::html::escape;
use super::read::Attribution;
use super::read::Cause;
use super::read::Plane;
use crate::report::format::number;

/// The panel.
pub(super) fn render(section: &Section<'_>) -> String {
    let planes: Vec<(usize, &Plane, &Attribution)> =
        section.result.shown().filter_map(|(i, p)| Some((i, p, p.attribution.as_ref()?))).collect();
    if planes.is_empty() {
        return String::new();
    }
    let finite = |x: f64| if x.is_finite() { x.max(0.0) } else { 0.0 };
    let total = |a: &Attribution| finite(a.failed_calls).max(a.failed.iter().map(|c| finite(c.count)).sum());
    let most =
        planes.iter().map(|(_, _, a)| total(a).max(a.saved.iter().map(|c| finite(c.count)).sum())).fold(0.0, f64::max);
    let mut out = format!(
        "<p class=quiet>Calls between services, means per replication. A call may carry several causes; <code>status</code> is an answer of the service itself. Bars share one scale.</p><figure class=falls id=\"{0}causes\"><div class=scroll tabindex=0 role=group aria-label=\"causes\"><table class=\"grid-table twin-of\"><thead><tr><th scope=col>plane<th scope=col>what became of calls<th scope=col class=n>per run<th scope=col class=wide>share",
        section.prefix
    );
    out.push_str("<tbody>");
    for (i, plane, attribution) in &planes {
        let mut first = true;
        let mut row = |kind: &str, label: &str, cause: &str, count: f64, from: f64| {
            let heading = if first { escape(&plane.name) } else { String::new() };
            first = false;
            let at = |x: f64| if most > 0.0 { (x / most * 100.0).clamp(0.0, 100.0) } else { 0.0 };
            let flag = if cause.is_empty() { String::new() } else { format!(" <code>{}</code>", escape(cause)) };
            let key =
                if heading.is_empty() { String::new() } else { format!("<span class=\"key k{}\"></span>", i % 8) };
            let _ = write!(
                out,
                "<tr class={kind}><th scope=row>{key}{heading}<td>{}{flag}<td class=n>{}<td class=wide><span class=fall><i class=\"{kind}\" style=\"left:{:.2}%;width:{:.2}%\"></i></span>",
                escape(label),
                number(count, usize::from(count < 10.0 && count.fract() != 0.0)),
                at(from),
                at(count)
            );
        };
        row("total", "calls that failed", "", total(attribution), 0.0);
        let mut from = 0.0;
        for cause in &attribution.failed {
            row("failed", &cause.label, &cause.name, finite(cause.count), from);
            from += finite(cause.count);
        }
        let mut from = 0.0;
        for cause in &attribution.saved {
            row("saved", &saved_label(cause), "", finite(cause.count), from);
            from += finite(cause.count);
        }
        for (label, count) in prevented(plane) {
            row("note", label, "", count, 0.0);
        }
    }
    out.push_str("</table></div><button type=button class=\"csv js\" data-name=causes>CSV</button></figure>");
    out
}

fn saved_label(cause: &Cause) -> String {
    format!("saved: {}", cause.label)
}

/// What kept calls from failing, where the file counts it: these are events, not calls.
fn prevented(plane: &Plane) -> Vec<(&'static str, f64)> {
    let mean = |key: &str| plane.metrics.get(key).copied().flatten().and_then(|f| f.mean).filter(|n| *n > 0.0);
    [
        ("ejections: endpoints taken out before more calls reached them", mean("ejections")),
        ("dials of tasks that had stopped", mean("stale_dials")),
        ("refused by circuit breakers", mean("overflow")),
    ]
    .into_iter()
    .filter_map(|(label, count)| Some((label, count?)))
    .collect()
}
