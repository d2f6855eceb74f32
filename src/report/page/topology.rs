//! Who calls whom: a map whose arrows are as wide as their rate and coloured by their errors.
//!
//! *Knows* where boxes stand (`layout` decides) and what the script needs to play the run: calls per frame. *Does
//! not know* time; without the script the map shows the whole run. Large estates show their busiest edges, and
//! the panel says how many are left out.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use super::Section;
use super::html;
use super::html::Table;
use super::html::escape;
use super::html::maybe;
use super::html::short;
use super::layout;
use super::layout::BOX;
use super::layout::Layout;
use super::read::Edge;
use super::read::Outcome;
use super::read::Plane;

/// Edges drawn at the most.
const EDGES_MAX: usize = 200;
/// Edges up to which each has its error rate written on it.
const LABELLED_MAX: usize = 40;

/// The panel.
pub(super) fn render(section: &Section<'_>) -> String {
    let result = section.result;
    let planes: Vec<(usize, &Plane)> = result.shown().filter(|(_, plane)| !plane.edges.is_empty()).collect();
    let Some((_, first)) = planes.first() else { return String::new() };
    // The planes of one scenario have the same edges; a file in which they do not has no one map.
    let alike = |plane: &Plane| {
        plane.edges.len() == first.edges.len()
            && plane.edges.iter().zip(&first.edges).all(|(a, b)| a.from == b.from && a.to == b.to)
    };
    let planes: Vec<(usize, &Plane)> = planes.into_iter().filter(|(_, plane)| alike(plane)).collect();
    let kept = busiest(&planes);
    let edges: Vec<(&str, &str)> = kept.iter().map(|&e| ends(&planes[0].1.edges[e])).collect();
    let layout = layout::of(&edges);
    let id = format!("{}map", section.prefix);
    let mut out = controls(section, &planes, &id);
    let _ = write!(
        out,
        "<figure class=\"map\" id=\"{id}\"><div class=scroll tabindex=0 role=group aria-label=\"map of services\">"
    );
    out.push_str(&svg(&planes, &kept, &layout));
    out.push_str("</div>");
    out.push_str("<p class=\"quiet\">Arrows are as wide as their calls per second (by the root, so that quiet ones stay visible). <span class=scale><span class=e0>no error</span> <span class=e1>below 0.1 %</span> <span class=e2>below 1 %</span> <span class=e3>below 10 %</span> <span class=e4>10 % or more</span></span></p>");
    let left = planes[0].1.edges.len() - kept.len();
    if left > 0 {
        let _ = write!(
            out,
            "<p class=notice role=note>{left} of {} edges, those with the fewest calls, are left out of the map; the table below has them all.</p>",
            planes[0].1.edges.len()
        );
    }
    out.push_str(&html::twin(&table(&planes), &id, "Calls by edge, whole run"));
    out.push_str("</figure>");
    out.push_str(&policies(&planes));
    let _ = write!(
        out,
        "<script type=\"application/json\" id=\"{id}-data\">{}</script>",
        html::island(&data(result, &planes, &kept))
    );
    out
}

fn ends(edge: &Edge) -> (&str, &str) {
    (&edge.from, &edge.to)
}

fn mean(edge: &Edge, metric: &str) -> Option<f64> {
    edge.metrics.get(metric).copied().flatten().and_then(|figure| figure.mean)
}

/// The edges that are drawn: the busiest, in the order of the file.
fn busiest(planes: &[(usize, &Plane)]) -> Vec<usize> {
    let calls = |e: usize| planes.iter().filter_map(|(_, p)| mean(&p.edges[e], "requests")).fold(0.0, f64::max);
    let mut kept: Vec<usize> = (0..planes[0].1.edges.len()).collect();
    kept.sort_by(|a, b| calls(*b).total_cmp(&calls(*a)));
    kept.truncate(EDGES_MAX);
    kept.sort_unstable();
    kept
}

fn controls(section: &Section<'_>, planes: &[(usize, &Plane)], id: &str) -> String {
    let mut out = format!("<div class=\"player js\" data-map=\"{id}\"><fieldset class=choice><legend>Plane</legend>");
    for (n, (_, plane)) in planes.iter().enumerate() {
        let _ = write!(
            out,
            "<label><input type=radio name=\"{}plane\" value={n}{}> {}</label>",
            section.prefix,
            if n == 0 { " checked" } else { "" },
            escape(&plane.name)
        );
    }
    out.push_str("</fieldset>");
    let frames = planes.iter().filter_map(|(_, p)| p.flows.as_ref()?.calls.first().map(Vec::len)).max().unwrap_or(0);
    if frames > 1 {
        let _ = write!(
            out,
            "<div class=playing><button type=button class=play aria-pressed=false>Play</button><label>Time <input type=range min=0 max={frames} value=0 step=1></label><output>whole run</output></div>"
        );
    }
    out.push_str("</div>");
    out
}

/// The class of an error rate: as in the legend.
fn class_of(rate: f64) -> usize {
    [0.0, 0.001, 0.01, 0.1].iter().filter(|limit| rate > 0.0 && rate >= **limit).count()
}

/// The width of an arrow whose calls are that share of the busiest one's.
fn width_of(share: f64) -> f64 {
    1.2 + 8.0 * share.clamp(0.0, 1.0).sqrt()
}

fn svg(planes: &[(usize, &Plane)], kept: &[usize], layout: &Layout) -> String {
    let plane = planes[0].1;
    let most = kept.iter().filter_map(|&e| mean(&plane.edges[e], "requests")).fold(0.0, f64::max);
    let mut out = format!(
        "<svg viewBox=\"0 0 {:.0} {:.0}\" role=img aria-label=\"services and their calls\" style=\"max-width:{:.0}px;min-width:{:.0}px\">",
        layout.width,
        layout.height,
        layout.width * 1.1,
        layout.width * 0.75
    );
    for (n, &e) in kept.iter().enumerate() {
        let edge = &plane.edges[e];
        let rate = mean(edge, "error_rate").unwrap_or(0.0);
        let share = if most > 0.0 { mean(edge, "requests").unwrap_or(0.0) / most } else { 0.0 };
        let path = &layout.edges[n];
        let _ = write!(
            out,
            "<g class=\"flow e{}\" data-edge={n}><path class=line d=\"{}\" stroke-width=\"{:.1}\"/><path class=head d=\"{}\"/>",
            class_of(rate),
            path.line,
            width_of(share),
            path.head
        );
        if kept.len() <= LABELLED_MAX {
            let text = if rate > 0.0 { percent(rate) } else { String::new() };
            let _ = write!(
                out,
                "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=middle>{text}</text>",
                path.middle.0,
                path.middle.1 - 7.0
            );
        }
        let _ = write!(out, "<title>{} → {}</title></g>", escape(&edge.from), escape(&edge.to));
    }
    let tasks = tasks_of(plane);
    for (n, node) in layout.nodes.iter().enumerate() {
        let name: String = if node.name.chars().count() > 20 {
            node.name.chars().take(19).chain(['…']).collect()
        } else {
            node.name.clone()
        };
        let count = tasks.get(node.name.as_str()).map_or(String::new(), |n| format!(" ×{n}"));
        let _ = write!(
            out,
            "<g class=node data-node={n}><rect x=\"{:.0}\" y=\"{:.0}\" width={} height={} rx=5 /><text x=\"{:.0}\" y=\"{:.0}\" text-anchor=middle>{}<tspan class=dim>{count}</tspan></text><title>{}</title></g>",
            node.x,
            node.y,
            BOX.0,
            BOX.1,
            node.x + BOX.0 / 2.0,
            node.y + BOX.1 / 2.0 + 4.0,
            escape(&name),
            escape(&node.name)
        );
    }
    out.push_str("</svg>");
    out
}

/// `16.7 %`.
fn percent(rate: f64) -> String {
    let percent = rate * 100.0;
    let decimals = if percent >= 9.95 { 1 } else { 2 };
    if percent < 0.01 { "<0.01 %".replace('<', "&lt;") } else { format!("{percent:.decimals$} %") }
}

/// Tasks at the beginning by service, as the tasks of the file are named.
fn tasks_of(plane: &Plane) -> BTreeMap<&str, usize> {
    let mut all = BTreeMap::new();
    match &plane.lanes {
        Some(lanes) => {
            for lane in lanes.iter().filter(|lane| lane.from_s <= 0.0) {
                let service = lane.task.rsplit_once('#').map_or(lane.task.as_str(), |(service, _)| service);
                *all.entry(service).or_insert(0) += 1;
            }
        }
        None => {
            for task in &plane.tasks {
                *all.entry(task.service.as_str()).or_insert(0) += 1;
            }
        }
    }
    all
}

fn table(planes: &[(usize, &Plane)]) -> Table {
    let mut head = vec!["edge".to_owned()];
    for (_, plane) in planes {
        head.extend(["calls", "error rate", "p99 ms"].map(|what| format!("{} {what}", plane.name)));
    }
    let mut table = Table::new(head);
    for (e, edge) in planes[0].1.edges.iter().enumerate() {
        let mut row = vec![format!("{} → {}", edge.from, edge.to)];
        for (_, plane) in planes {
            let edge = &plane.edges[e];
            row.extend(["requests", "error_rate", "p99_ms"].map(|metric| maybe(mean(edge, metric))));
        }
        table.rows.push(row);
    }
    table
}

/// The policy texts, each once, with the edges that have it.
fn policies(planes: &[(usize, &Plane)]) -> String {
    let mut out = String::from("<details class=policies><summary>Policies of the edges</summary>");
    let mut any = false;
    for (_, plane) in planes {
        let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
        for edge in &plane.edges {
            let Some(policy) = edge.policy.as_deref() else { continue };
            let name = format!("{} → {}", edge.from, edge.to);
            match groups.iter_mut().find(|(text, _)| *text == policy) {
                Some((_, names)) => names.push(name),
                None => groups.push((policy, vec![name])),
            }
        }
        if groups.is_empty() {
            continue;
        }
        any = true;
        let _ = write!(out, "<h3>{}</h3>", escape(&plane.name));
        for (policy, names) in groups {
            let shown = if names.len() > 8 {
                format!("{} and {} more", names[..8].join(", "), names.len() - 8)
            } else {
                names.join(", ")
            };
            let _ = write!(out, "<p class=quiet>{}</p><pre class=policy>{}</pre>", escape(&shown), escape(policy));
        }
    }
    out.push_str("</details>");
    if any { out } else { String::new() }
}

/// What the script plays: per plane and edge the whole run, then its frames.
fn data(result: &Outcome, planes: &[(usize, &Plane)], kept: &[usize]) -> serde_json::Value {
    let measured = (result.scenario.duration_s - result.scenario.warmup_s).max(f64::MIN_POSITIVE);
    let tenth = |x: f64| (x * 10.0).round() / 10.0;
    let fine = |x: f64| (x * 1e6).round() / 1e6;
    let mut texts: Vec<&str> = Vec::new();
    let planes: Vec<serde_json::Value> = planes
        .iter()
        .map(|(_, plane)| {
            let edges: Vec<&Edge> = kept.iter().map(|&e| &plane.edges[e]).collect();
            let policies: Vec<Option<usize>> = edges
                .iter()
                .map(|edge| {
                    let text = edge.policy.as_deref()?;
                    let known = texts.iter().position(|known| *known == text);
                    Some(known.unwrap_or_else(|| {
                        texts.push(text);
                        texts.len() - 1
                    }))
                })
                .collect();
            let flows = plane.flows.as_ref();
            json!({
                "name": plane.name,
                "rate": edges.iter().map(|e| mean(e, "requests").map(|n| tenth(n / measured))).collect::<Vec<_>>(),
                "errors": edges.iter().map(|e| mean(e, "error_rate").map(fine)).collect::<Vec<_>>(),
                "p99": edges.iter().map(|e| mean(e, "p99_ms").map(short)).collect::<Vec<_>>(),
                "policy": policies,
                "frame": flows.map(|f| f.frame_s),
                "calls": flows.map(|f| kept.iter().map(|&e| &f.calls[e]).collect::<Vec<_>>()),
                "failed": flows.map(|f| kept.iter().map(|&e| &f.failed[e]).collect::<Vec<_>>()),
            })
        })
        .collect();
    json!({ "planes": planes, "policies": texts, "end": result.scenario.duration_s })
}
