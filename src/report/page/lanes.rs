//! A lane per task of replication 0: when it served, stood under a fault, was ejected, drained and was gone.
//!
//! *Knows* how happenings become stretches of time. *Does not know* other replications: a lane is what one task
//! went through, not a mean. Large fleets show the tasks to which something happened.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Section;
use super::chart::RIGHT;
use super::chart::WIDTH;
use super::html;
use super::html::Table;
use super::html::escape;
use super::html::short;
use super::read::Event;
use super::read::Lane;
use super::read::Plane;
use super::scale::Axis;
use super::timeline;

/// Lanes of a plane at the most.
const LANES_MAX: usize = 60;
/// Lanes of tasks to which nothing happened at the most, where there is no room for all.
const QUIET_MAX: usize = 12;
/// Left of the lanes.
const LEFT: f64 = 150.0;
/// Height of a lane.
const HIGH: f64 = 22.0;
/// Steps per unit, as inside charts.
const FINE: f64 = 2.0;

/// A stretch of a task's life.
struct Stretch {
    class: &'static str,
    label: String,
    from: f64,
    to: f64,
    by: String,
}

/// What the colours mean.
const LEGEND: [(&str, &str); 7] = [
    ("starting", "starting"),
    ("serving", "serving"),
    ("fault", "under a fault"),
    ("unhealthy", "declared unhealthy"),
    ("withdrawn", "withdrawn from callers"),
    ("draining", "draining"),
    ("ejected", "ejected, by one caller each"),
];

/// The panel.
pub(super) fn render(section: &Section<'_>) -> String {
    let result = section.result;
    let planes: Vec<(usize, &Plane, &[Lane])> =
        result.shown().filter_map(|(i, plane)| Some((i, plane, plane.lanes.as_deref()?))).collect();
    if planes.is_empty() {
        return String::new();
    }
    let axis = timeline::axis(result);
    let views = format!("{}lanes-views", section.prefix);
    let mut out = String::from(
        "<p class=quiet>Replication 0, task by task. What differs between the planes is who notices: an ejection is one caller's, a withdrawal everybody's.</p>",
    );
    if planes.len() > 1 {
        let _ = write!(out, "<fieldset class=\"choice js\" data-views=\"{views}\"><legend>Plane</legend>");
        for (n, (i, plane, _)) in planes.iter().enumerate() {
            let checked = if n == 0 { " checked" } else { "" };
            let _ = write!(
                out,
                "<label><input type=radio name=\"{views}\" value={i}{checked}> {}</label>",
                escape(&plane.name)
            );
        }
        out.push_str("</fieldset>");
    }
    out.push_str("<ul class=lane-legend>");
    for (class, label) in LEGEND {
        let _ = write!(
            out,
            "<li><svg viewBox=\"0 0 26 12\" aria-hidden=true><rect class=\"s {class}\" width=26 height=12 /></svg>{label}"
        );
    }
    out.push_str(
        "<li><span class=glyph>▸ ◂</span>first and last request<li><span class=glyph>|</span>got a DNS answer</ul>",
    );
    let _ = write!(out, "<div id=\"{views}\">");
    for (n, (i, plane, lanes)) in planes.iter().enumerate() {
        // Without the script and on paper all planes are seen.
        let _ = write!(
            out,
            "<div data-view={i}{}><h3>{}</h3>",
            if n > 0 { " data-later" } else { "" },
            escape(&plane.name)
        );
        out.push_str(&one(section, *i, plane, lanes, &axis));
        out.push_str("</div>");
    }
    out.push_str("</div>");
    out
}

fn one(section: &Section<'_>, number: usize, plane: &Plane, lanes: &[Lane], axis: &Axis) -> String {
    let events: Vec<&Event> = plane.events.iter().filter(|event| event.replication == 0).collect();
    let end = axis.to;
    let mut all: Vec<(usize, Vec<Stretch>)> =
        lanes.iter().enumerate().map(|(i, lane)| (i, stretches(lane, &events, end))).collect();
    let total = all.len();
    if total > LANES_MAX {
        // A task that only served has one stretch. Those with more stand first, then what served beside them.
        let service = |i: usize| lanes[i].task.rsplit_once('#').map_or("", |(service, _)| service);
        let eventful: Vec<&str> = all.iter().filter(|(_, s)| s.len() > 1).map(|(i, _)| service(*i)).collect();
        let struck = all.iter().filter(|(_, s)| s.len() > 1).count();
        let beside: Vec<bool> = (0..lanes.len()).map(|i| eventful.contains(&service(i))).collect();
        all.sort_by_key(|(i, stretches)| (stretches.len() < 2, !beside[*i], *i));
        all.truncate(LANES_MAX.min(struck.max(12) + QUIET_MAX));
    }
    let id = format!("{}lanes-{number}", section.prefix);
    let high = all.len() as f64 * HIGH;
    let wide = WIDTH - LEFT - RIGHT;
    let mut out = format!(
        "<figure class=\"chart lanes\" id=\"{id}\" data-left={LEFT} data-wide={wide} data-from=0 data-to=\"{}\" data-top=8 data-height={high} data-zoom data-lanes><div class=scroll tabindex=0 role=group aria-label=\"tasks on {}\"><svg viewBox=\"0 0 {WIDTH} {}\" role=img aria-label=\"tasks on {}\">",
        axis.to,
        escape(&plane.name),
        high + 34.0,
        escape(&plane.name)
    );
    out.push_str("<g class=axis>");
    for (row, (i, _)) in all.iter().enumerate() {
        let y = 8.0 + row as f64 * HIGH;
        let name: String = lanes[*i].task.chars().take(22).collect();
        let _ = write!(
            out,
            "<text x={} y=\"{}\" text-anchor=end>{}</text><path class=grid d=\"M{LEFT} {}H{}\"/>",
            LEFT - 8.0,
            y + HIGH / 2.0 + 4.0,
            escape(&name),
            y + HIGH,
            WIDTH - RIGHT
        );
    }
    out.push_str("</g><g class=\"axis xticks\">");
    let bottom = 8.0 + high;
    for (value, label) in &axis.ticks {
        let x = LEFT + axis.share(*value) * wide;
        let _ = write!(
            out,
            "<path d=\"M{x:.1} {bottom}v4\"/><text x=\"{x:.1}\" y={} text-anchor=middle>{}</text>",
            bottom + 17.0,
            escape(label)
        );
    }
    let _ = write!(
        out,
        "</g><svg class=plot x={LEFT} y=8 width={wide} height={high} viewBox=\"0 0 {} {}\" preserveAspectRatio=none>",
        wide * FINE,
        high * FINE
    );
    for (row, (i, stretches)) in all.iter().enumerate() {
        out.push_str(&lane(&lanes[*i], stretches, &events, axis, row as f64 * HIGH * FINE, wide * FINE));
    }
    out.push_str("</svg></svg></div>");
    if total > all.len() {
        let _ = write!(
            out,
            "<p class=notice role=note>{} of {total} tasks, those to which least happened, are left out.</p>",
            total - all.len()
        );
    }
    if let Some(last) =
        events.last().filter(|_| plane.events_dropped > 0 && events.len() >= crate::measure::Recording::EVENTS_MAX)
    {
        let _ = write!(
            out,
            "<p class=notice role=note>More happened than is kept: after {} s lanes are no longer followed.</p>",
            short(last.t_s)
        );
    }
    let mut table = Table::new(["task", "from s", "to s", "state", "by"]);
    for (i, stretches) in &all {
        for s in stretches {
            table.rows.push(vec![lanes[*i].task.clone(), short(s.from), short(s.to), s.label.clone(), s.by.clone()]);
        }
    }
    out.push_str(&html::twin(&table, &id, "What each task went through"));
    out.push_str("</figure>");
    out.push_str(&happened(&events));
    out
}

/// Happenings listed at the most.
const LISTED_MAX: usize = 200;

/// What happened, in order: steps of deployments, scalings, panics and all that lanes show.
fn happened(events: &[&Event]) -> String {
    let told: Vec<&&Event> = events.iter().filter(|event| event.kind != "dns_answer").collect();
    if told.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["t s", "what", "task", "by", "note"]);
    for event in told.iter().take(LISTED_MAX) {
        let what = event.kind.replace('_', " ");
        table.rows.push(vec![short(event.t_s), what, event.task.clone(), event.by.clone(), event.note.clone()]);
    }
    let more = told.len().saturating_sub(LISTED_MAX);
    let more = if more > 0 { format!("; {more} more are in the data") } else { String::new() };
    let table = table.render(&format!("Replication 0, DNS answers left out{more}"));
    format!("<details class=twin><summary>What happened, in order</summary>{table}</details>")
}

/// The stretches of one task, those that are drawn below first.
fn stretches(lane: &Lane, events: &[&Event], end: f64) -> Vec<Stretch> {
    let mine: Vec<&&Event> = events.iter().filter(|event| event.task == lane.task).collect();
    let at = |kind: &str| mine.iter().find(|event| event.kind == kind).map(|event| event.t_s);
    let gone = lane.to_s.or_else(|| at("task_stopped")).unwrap_or(end).min(end);
    let mut all = Vec::new();
    let mut add = |class: &'static str, label: &str, from: f64, to: f64, by: &str| {
        // Nothing goes on after the task has gone.
        let to = to.min(gone);
        if to > from {
            all.push(Stretch { class, label: label.to_owned(), from, to, by: by.to_owned() });
        }
    };
    let ready = at("task_ready").unwrap_or(lane.from_s).min(gone);
    let leaves = at("sigterm").unwrap_or(gone).min(gone);
    add("starting", "starting", lane.from_s, ready, "");
    add("serving", "serving", ready, leaves, "");
    add("draining", "draining", leaves.max(ready), gone, "");
    let pairs = [
        ("unhealthy", "healthy", "unhealthy", "declared unhealthy"),
        ("sidecar_down", "sidecar_up", "fault", "sidecar down"),
        ("withdrawn", "task_stopped", "withdrawn", "withdrawn"),
        ("deregistered", "task_stopped", "withdrawn", "deregistered"),
    ];
    for (on, off, class, label) in pairs {
        let mut since = None;
        for event in &mine {
            if event.kind == on && since.is_none() {
                since = Some(event.t_s);
            } else if event.kind == off
                && let Some(from) = since.take()
            {
                add(class, label, from, event.t_s, "");
            }
        }
        if let Some(from) = since {
            add(class, label, from, gone, "");
        }
    }
    for fault in &lane.faults {
        add("fault", &fault.label, fault.from_s, fault.to_s.unwrap_or(gone), "");
    }
    let mut out: BTreeMap<&str, f64> = BTreeMap::new();
    for event in &mine {
        match event.kind.as_str() {
            "ejected" => {
                out.entry(&event.by).or_insert(event.t_s);
            }
            "unejected" => {
                if let Some(from) = out.remove(event.by.as_str()) {
                    add("ejected", "ejected", from, event.t_s, &event.by);
                }
            }
            _ => {}
        }
    }
    for (by, from) in out {
        add("ejected", "ejected", from, gone, by);
    }
    all
}

/// Ejections by different callers lie side by side; so many have room.
const CALLERS_MAX: usize = 6;

fn lane(lane: &Lane, stretches: &[Stretch], events: &[&Event], axis: &Axis, top: f64, wide: f64) -> String {
    let mut out = String::new();
    let x = |t: f64| axis.share(t) * wide;
    let mut callers: Vec<&str> = stretches.iter().filter(|s| s.class == "ejected").map(|s| s.by.as_str()).collect();
    callers.sort_unstable();
    callers.dedup();
    let strip = (14.0 / callers.len().clamp(1, CALLERS_MAX) as f64).max(2.0);
    for s in stretches {
        let (y, high) = match s.class {
            "ejected" => {
                let row = callers.iter().position(|by| *by == s.by).unwrap_or(0) % CALLERS_MAX;
                (top + 26.0 + row as f64 * strip, strip)
            }
            "withdrawn" => (top + 6.0, 5.0),
            _ => (top + 6.0, 34.0),
        };
        let by = if s.by.is_empty() { String::new() } else { format!(" by {}", s.by) };
        let _ = write!(
            out,
            "<rect class=\"s {}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{high:.1}\" data-say=\"{}\"/>",
            s.class,
            x(s.from),
            (x(s.to) - x(s.from)).max(1.5),
            escape(&format!("{}: {}{by}\n{} s to {} s", lane.task, s.label, short(s.from), short(s.to)))
        );
    }
    for event in events.iter().filter(|event| event.kind == "dns_answer" && event.by == lane.task) {
        let _ = write!(out, "<path class=answer d=\"M{:.1} {:.1}v10\"/>", x(event.t_s), top + 30.0);
    }
    let say = format!("{}: {} requests, {} failed", lane.task, lane.requests, lane.errors);
    for (at, shape) in [(lane.first_s, "l10 7-10 7z"), (lane.last_s, "l-10 7 10 7z")] {
        if let Some(at) = at {
            let _ = write!(
                out,
                "<path class=reach d=\"M{:.1} {:.1}{shape}\" data-say=\"{}\"/>",
                x(at),
                top + 9.0,
                escape(&format!(
                    "{say}\n{} request at {} s",
                    if shape.starts_with("l10") { "first" } else { "last" },
                    short(at)
                ))
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::read::Mark;

    fn event(t_s: f64, kind: &str, by: &str) -> Event {
        let text = serde_json::json!({"replication": 0, "t_s": t_s, "kind": kind, "by": by, "task": "a#1"});
        serde_json::from_value(text).unwrap()
    }

    fn lane(to_s: Option<f64>) -> Lane {
        Lane {
            task: "a#1".to_owned(),
            from_s: 10.0,
            to_s,
            first_s: None,
            last_s: None,
            requests: 0,
            errors: 0,
            faults: Vec::new(),
        }
    }

    /// The stretches of a class: from, to, by whom.
    fn of(all: &[Stretch], class: &str) -> Vec<(f64, f64, String)> {
        all.iter().filter(|s| s.class == class).map(|s| (s.from, s.to, s.by.clone())).collect()
    }

    #[test]
    fn a_life_is_told_in_stretches() {
        let events = [
            event(40.0, "task_ready", ""),
            event(51.0, "ejected", "b#1"),
            event(52.0, "ejected", "b#2"),
            event(55.0, "unejected", "b#1"),
            event(60.0, "ejected", "b#1"),
            event(70.0, "sigterm", ""),
        ];
        let events: Vec<&Event> = events.iter().collect();
        let wedge = Mark { label: "wedge a#1".to_owned(), from_s: 50.0, to_s: None };
        let all = stretches(&Lane { faults: vec![wedge], ..lane(Some(90.0)) }, &events, 100.0);
        assert_eq!(of(&all, "starting"), [(10.0, 40.0, String::new())]);
        assert_eq!(of(&all, "serving"), [(40.0, 70.0, String::new())]);
        assert_eq!(of(&all, "draining"), [(70.0, 90.0, String::new())]);
        assert_eq!(of(&all, "fault"), [(50.0, 90.0, String::new())]);
        assert_eq!(all.iter().find(|s| s.class == "fault").unwrap().label, "wedge a#1");
        let ejected = [(51.0, 55.0, "b#1".to_owned()), (60.0, 90.0, "b#1".to_owned()), (52.0, 90.0, "b#2".to_owned())];
        assert_eq!(of(&all, "ejected"), ejected);
    }

    #[test]
    fn nothing_is_drawn_after_the_end() {
        let events = [event(95.0, "ejected", "b#1"), event(150.0, "ejected", "b#2")];
        let all = stretches(&lane(None), &events.iter().collect::<Vec<_>>(), 100.0);
        assert_eq!(of(&all, "serving"), [(10.0, 100.0, String::new())], "who was there from the start was ready");
        assert_eq!(of(&all, "ejected"), [(95.0, 100.0, "b#1".to_owned())]);
    }
}
