//! `[[expect]]`: the small language of expectations.
//!
//! *Knows* metrics, their units, comparison signs and windows. *Does not know* how a metric is
//! measured or judged.

mod metrics;
pub mod slo;

use std::ops::Range;

use crate::scenario::AxisValue;
use crate::scenario::Comparison;
use crate::scenario::Expect;
use crate::scenario::Metric;
use crate::scenario::Operand;
use crate::scenario::Over;
use crate::scenario::Plane;
use crate::scenario::Scope;
use crate::scenario::Severity;
use crate::scenario::Sweep;
use crate::scenario::When;
use crate::scenario::Window;
use crate::scenario::expect::metrics::Unit;
use crate::scenario::expect::metrics::metric;
use crate::scenario::happenings::Happenings;
use crate::scenario::happenings::items;
use crate::scenario::planes;
use crate::scenario::services::Topology;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::scenario::tree::Place;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::scenario::workload::interval;
use crate::units::Span;
use crate::units::Time;

/// What an expectation may refer to.
pub struct Context<'a> {
    /// The services and edges.
    pub topology: &'a Topology,
    /// Faults and deployments.
    pub happenings: &'a Happenings,
    /// The planes compared.
    pub planes: &'a [Plane],
    /// Length of the run.
    pub duration: Span,
    /// Cut off at the start.
    pub warmup: Span,
    /// True if the command line narrowed the comparison.
    pub narrowed: bool,
    /// What the file varies.
    pub sweep: Option<&'a Sweep>,
    /// The cell that is loaded, by key and value; `None` outside sweeps.
    pub cell: Option<&'a [(String, AxisValue)]>,
}

/// Reads all expectations.
pub fn read(tree: &Table, cx: &Context<'_>, problems: &mut Problems<'_>) -> Vec<Expect> {
    let defined = planes::defined(tree);
    let mut found = Vec::new();
    for node in items(tree, "expect", problems) {
        let Some(reader) = Reader::of(node, "[[expect]]", problems) else { continue };
        found.extend(expect(reader, cx, &defined, problems));
    }
    // What is said of one cell is not asked of another, nor of the file as it is.
    found.retain(|expect| {
        expect.cell.iter().all(|(key, wanted)| {
            cx.cell.is_some_and(|cell| cell.iter().any(|(k, value)| k == key && value.shown == *wanted))
        })
    });
    found
}

/// Why a plane of an expectation has no index.
enum Missing {
    /// `--plane` left it out, so the expectation is left out too.
    Narrowed,
    /// Reported.
    Wrong,
}

fn expect(mut reader: Reader<'_>, cx: &Context<'_>, defined: &[String], problems: &mut Problems<'_>) -> Option<Expect> {
    let node = reader.need("that", problems);
    let plane_node = reader.get("plane");
    let during = reader.get("during").map_or(Some(Window::All), |node| window(node, cx, problems));
    let scope = scope(&mut reader, cx, problems);
    let overs = [("mean", Over::Mean), ("every-replication", Over::EveryReplication)];
    let over = reader.word("over", &overs, problems).unwrap_or(Over::Mean);
    let severity = reader
        .word("severity", &[("error", Severity::Error), ("warn", Severity::Warn)], problems)
        .unwrap_or(Severity::Error);
    let cell = reader.get("cell").map_or(Some(Vec::new()), |node| cell(node, cx, problems));
    reader.finish(problems);
    let node = node?;
    let that = value::text(node, problems)?;
    let Some((left, op, right)) = split(that) else {
        let label = "write it like \"error_rate < 0.1%\" or \"a.p99 < b.p99\"";
        problems.error("expect::syntax", &node.place, "this expectation has no comparison", label);
        return None;
    };
    let at = |range: &Range<usize>| node.place.inside(range.clone(), that);
    let mut sides = Vec::new();
    let mut narrowed = false;
    for range in [&left, &right] {
        sides.push(side(&that[range.clone()], &at(range), cx, defined, &mut narrowed, problems));
    }
    let planes = named_planes(plane_node, cx, defined, &mut narrowed, problems);
    let (right_side, left_side) = (sides.pop()??, sides.pop()??);
    let (left_operand, right_operand) = typed(left_side, right_side, &at(&left), &at(&right), problems)?;
    if narrowed {
        return None;
    }
    let open = |operand: &Operand| matches!(operand, Operand::Metric { plane: None, .. });
    let planes = if open(&left_operand) || open(&right_operand) { planes? } else { Vec::new() };
    Some(Expect {
        that: that.to_owned(),
        line: node.place.line(),
        left: left_operand,
        op,
        right: right_operand,
        planes,
        scope: scope?,
        during: during?,
        over,
        severity,
        cell: cell?,
    })
}

/// `cell = { "fault.0.rate" = "10%" }`: which cells of the sweep an expectation is about.
fn cell(node: &Node, cx: &Context<'_>, problems: &mut Problems<'_>) -> Option<Vec<(String, String)>> {
    let Value::Table(table) = &node.value else {
        let label = "write cell = { \"fault.0.rate\" = \"10%\" }";
        problems.error("expect::cell", &node.place, "`cell` names fields and their values", label);
        return None;
    };
    let Some(sweep) = cx.sweep else {
        let label = "add [sweep], or leave `cell` out";
        problems.error("expect::cell", &node.place, "this scenario has no cells", label);
        return None;
    };
    let mut found = Vec::new();
    for (key, entry) in &table.entries {
        let Some(axis) = sweep.axes.iter().find(|axis| axis.key == *key) else {
            let keys: Vec<&str> = sweep.axes.iter().map(|axis| axis.key.as_str()).collect();
            let label = format!("varied: {}", keys.join(", "));
            problems.error("expect::cell", &entry.key, format!("[sweep] does not vary `{key}`"), label);
            return None;
        };
        let place = &entry.node.place;
        let shown = match &entry.node.value {
            Value::Text(text) => text.as_str(),
            _ => place.source.text().get(place.span.clone()).unwrap_or(""),
        };
        if !axis.values.iter().any(|value| value.shown == shown) {
            let values: Vec<&str> = axis.values.iter().map(|value| value.shown.as_str()).collect();
            let label = format!("its values: {}", values.join(", "));
            problems.error("expect::cell", place, format!("`{key}` is never {shown}"), label);
            return None;
        }
        found.push((key.clone(), shown.to_owned()));
    }
    Some(found)
}

/// A metric by itself, and the planes it is read on: the one in front of it, or all.
pub fn measured(
    text: &str,
    node: &Node,
    cx: &Context<'_>,
    defined: &[String],
    problems: &mut Problems<'_>,
) -> Option<(Metric, Vec<usize>)> {
    let mut narrowed = false;
    match side(text.trim(), &node.place, cx, defined, &mut narrowed, problems)? {
        Side::Metric { metric, plane: Some(plane), .. } => Some((metric, vec![plane])),
        Side::Metric { metric, plane: None, .. } => Some((metric, (0..cx.planes.len()).collect())),
        Side::Text(text) => {
            let label = "write a metric, \"internal-alb.error_rate\"; all metrics: scsim explain metrics";
            problems.error("claim::figures", &node.place, format!("`{text}` is a number"), label);
            None
        }
    }
}

/// Both sides and the sign between them.
fn split(that: &str) -> Option<(Range<usize>, Comparison, Range<usize>)> {
    const SIGNS: [(&str, Comparison); 9] = [
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("==", Comparison::Equal),
        ("!=", Comparison::Unequal),
        ("≤", Comparison::AtMost),
        ("≥", Comparison::AtLeast),
        ("<", Comparison::Less),
        (">", Comparison::More),
        ("=", Comparison::Equal),
    ];
    let start = that.find(['<', '>', '=', '!', '≤', '≥'])?;
    let (sign, op) = SIGNS.iter().find(|(sign, _)| that[start..].starts_with(sign))?;
    let trim = |range: Range<usize>| {
        let text = &that[range.clone()];
        let from = range.start + (text.len() - text.trim_start().len());
        from..(from + text.trim().len())
    };
    Some((trim(0..start), *op, trim(start + sign.len()..that.len())))
}

/// A side whose number has no unit yet.
enum Side {
    Metric { metric: Metric, unit: Unit, plane: Option<usize> },
    Text(String),
}

/// One side of a comparison. A plane that the command line left out is noted in `narrowed`.
fn side(
    text: &str,
    place: &Place,
    cx: &Context<'_>,
    defined: &[String],
    narrowed: &mut bool,
    problems: &mut Problems<'_>,
) -> Option<Side> {
    if text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | '$')) {
        return Some(Side::Text(text.to_owned()));
    }
    if let Some((metric, unit)) = metric(text) {
        return Some(Side::Metric { metric, unit, plane: None });
    }
    // Names of planes and percentiles may both hold points, so every point is tried.
    for (dot, _) in text.match_indices('.') {
        let (plane, name) = (&text[..dot], &text[dot + 1..]);
        let Some((metric, unit)) = metric(name) else { continue };
        return match plane_index(plane, place, cx, defined, problems) {
            Ok(index) => Some(Side::Metric { metric, unit, plane: Some(index) }),
            Err(Missing::Narrowed) => {
                *narrowed = true;
                Some(Side::Metric { metric, unit, plane: Some(0) })
            }
            Err(Missing::Wrong) => None,
        };
    }
    let name = text.rsplit_once('.').filter(|(plane, _)| defined.iter().any(|d| d == plane)).map_or(text, |(_, n)| n);
    let label = match crate::diagnostic::nearest(name, metrics::names()) {
        Some(near) => format!("did you mean `{near}`? all metrics: scsim explain metrics"),
        None => "all metrics: scsim explain metrics".to_owned(),
    };
    problems.error("expect::unknown-metric", place, format!("`{name}` is not a metric"), label);
    None
}

fn plane_index(
    name: &str,
    place: &Place,
    cx: &Context<'_>,
    defined: &[String],
    problems: &mut Problems<'_>,
) -> Result<usize, Missing> {
    if let Some(index) = cx.planes.iter().position(|plane| plane.name == name) {
        return Ok(index);
    }
    if defined.iter().any(|other| other == name) {
        if cx.narrowed {
            return Err(Missing::Narrowed);
        }
        let label = "add it to `compare`, which is at the top of the file";
        problems.error(
            "expect::plane-not-compared",
            place,
            format!("`{name}` is not among the planes compared"),
            label,
        );
    } else {
        let near = crate::diagnostic::nearest(name, cx.planes.iter().map(|plane| plane.name.as_str()));
        let label = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("compared: {}", cx.planes.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ")),
        };
        problems.error("expect::unknown-plane", place, format!("there is no plane `{name}`"), label);
    }
    Err(Missing::Wrong)
}

/// `plane = "a"` or a list; all planes if there is none.
fn named_planes(
    node: Option<&Node>,
    cx: &Context<'_>,
    defined: &[String],
    narrowed: &mut bool,
    problems: &mut Problems<'_>,
) -> Option<Vec<usize>> {
    let Some(node) = node else { return Some((0..cx.planes.len()).collect()) };
    let names = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut found = Vec::new();
    for item in names {
        match plane_index(value::text(item, problems)?, &item.place, cx, defined, problems) {
            Ok(index) => found.push(index),
            Err(Missing::Narrowed) => {}
            Err(Missing::Wrong) => return None,
        }
    }
    *narrowed |= found.is_empty();
    Some(found)
}

/// Gives the number on one side the unit of the metric on the other.
fn typed(
    left: Side,
    right: Side,
    left_at: &Place,
    right_at: &Place,
    problems: &mut Problems<'_>,
) -> Option<(Operand, Operand)> {
    match (left, right) {
        (Side::Metric { metric: m, unit, plane }, Side::Metric { metric: n, unit: other, plane: second }) => {
            if unit != other {
                let label = format!("the left side is {}, this is {}", unit_name(unit), unit_name(other));
                problems.error("expect::units", right_at, "these cannot be compared", label);
                return None;
            }
            Some((Operand::Metric { metric: m, plane }, Operand::Metric { metric: n, plane: second }))
        }
        (Side::Metric { metric, unit, plane }, Side::Text(text)) => {
            let number = number(&text, unit, right_at, problems)?;
            Some((Operand::Metric { metric, plane }, Operand::Number(number)))
        }
        (Side::Text(text), Side::Metric { metric, unit, plane }) => {
            let number = number(&text, unit, left_at, problems)?;
            Some((Operand::Number(number), Operand::Metric { metric, plane }))
        }
        (Side::Text(_), Side::Text(_)) => {
            problems.error("expect::syntax", left_at, "neither side is a metric", "all metrics: scsim explain metrics");
            None
        }
    }
}

fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Share => "a share",
        Unit::Millis | Unit::Seconds => "a time",
        Unit::Number => "a number",
        Unit::PerSecond => "a rate",
        Unit::Money => "an amount of dollars",
    }
}

/// A number as people write it, in the metric's own unit.
fn number(text: &str, unit: Unit, place: &Place, problems: &mut Problems<'_>) -> Option<f64> {
    let found = match unit {
        Unit::Share => match text.parse::<f64>() {
            Ok(0.0) => Ok(0.0),
            _ => value::parse_ratio(text).map(crate::units::Ratio::as_f64),
        },
        Unit::Millis => span(text).map(crate::units::Span::as_millis_f64),
        Unit::Seconds => span(text).map(crate::units::Span::as_secs_f64),
        Unit::PerSecond => value::parse_rate(text).map(crate::units::Rate::as_f64),
        Unit::Money => match text.strip_prefix('$').map(|digits| digits.replace('_', "")) {
            Some(digits) => match crate::units::Money::from_decimal(&digits) {
                Some(amount) => Ok(amount.as_f64()),
                None => Err("write it like \"$500\" or \"$0.40\"".to_owned()),
            },
            None if text == "0" => Ok(0.0),
            None => Err(format!("write \"${text}\"")),
        },
        Unit::Number => match text.replace('_', "").parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err("write a plain number".to_owned()),
        },
    };
    match found {
        Ok(number) => Some(number),
        Err(label) => {
            problems.error("expect::number", place, format!("{} is expected here", unit_name(unit)), label);
            None
        }
    }
}

fn span(text: &str) -> Result<Span, String> {
    if text == "0" { Ok(Span::ZERO) } else { value::parse_span(text) }
}

/// `service` or `edge`; the users if there is neither.
pub fn scope(reader: &mut Reader<'_>, cx: &Context<'_>, problems: &mut Problems<'_>) -> Option<Scope> {
    let service = reader.get("service");
    let edge = reader.get("edge");
    match (service, edge) {
        (None, None) => Some(Scope::Users),
        (Some(node), None) => cx.topology.named(node, problems).map(Scope::Service),
        (None, Some(node)) => {
            let name = value::text(node, problems)?;
            cx.topology.edge(name, &node.place, problems).map(Scope::Edge)
        }
        (Some(_), Some(node)) => {
            let label = "`service` is all calls to it, `edge` those of one caller; use one";
            problems.error("expect::scope", &node.place, "both `service` and `edge`", label);
            None
        }
    }
}

/// `during`: a word, a fault's name, or two instants.
pub fn window(node: &Node, cx: &Context<'_>, problems: &mut Problems<'_>) -> Option<Window> {
    if let Value::List(_) = &node.value {
        let (from, until) = interval(node, problems)?;
        if from >= Time::ZERO + cx.duration {
            empty(node, "these instants", &format!("[run] duration is {}", cx.duration), problems);
        }
        return Some(Window::Between(from, until));
    }
    let name = value::text(node, problems)?;
    let faults = &cx.happenings.faults;
    let no_fault = faults.is_empty();
    match name {
        "all" => Some(Window::All),
        "warm" => {
            let first = first_event(cx);
            if first.is_some_and(|first| first <= Time::ZERO + cx.warmup) {
                empty(node, "warm", "something happens before the warm-up is over", problems);
            }
            Some(Window::Warm)
        }
        "fault" => {
            if no_fault {
                empty(node, name, "this scenario has no [[fault]]", problems);
            }
            Some(Window::AnyFault)
        }
        "after" => {
            if no_fault {
                empty(node, name, "this scenario has no [[fault]]", problems);
            } else if let Some(fault) = faults.iter().find(|fault| endless(fault.when) && fault.how.stop_when.is_none())
            {
                empty(node, name, &format!("the fault `{}` never ends", fault.name), problems);
            }
            Some(Window::After)
        }
        "deploy" => {
            if cx.happenings.deploys.is_empty() {
                empty(node, name, "this scenario has no [[deploy]]", problems);
            }
            Some(Window::AnyDeploy)
        }
        _ => {
            if let Some(index) = faults.iter().position(|fault| fault.name == name) {
                if let Some(begin) = faults[index].when.begins()
                    && begin >= Time::ZERO + cx.duration
                {
                    let label = format!("the fault starts at {begin} but [run] duration is {}", cx.duration);
                    empty(node, name, &label, problems);
                }
                return Some(Window::Fault(index as u32));
            }
            if let Some(step) = cx.happenings.migrations.iter().find(|step| step.name == name) {
                let later = cx.happenings.migrations.iter().map(|other| other.at).filter(|&at| at > step.at);
                return Some(Window::Between(step.at, later.min().unwrap_or(Time::ZERO + cx.duration)));
            }
            let words = ["all", "warm", "fault", "after", "deploy"].into_iter();
            let steps = cx.happenings.migrations.iter().map(|step| step.name.as_str());
            let near = crate::diagnostic::nearest(
                name,
                words.chain(faults.iter().map(|fault| fault.name.as_str())).chain(steps),
            );
            let label = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "all, warm, fault, after, deploy, a fault's or a [[migrate]]'s name, or [\"60s\", \"90s\"]"
                    .to_owned(),
            };
            problems.error("expect::unknown-window", &node.place, format!("there is no window `{name}`"), label);
            None
        }
    }
}

fn empty(node: &Node, name: &str, why: &str, problems: &mut Problems<'_>) {
    let message = format!("`during = \"{name}\"` covers no request");
    problems.warn("expect::empty-window", &node.place, message, why);
}

fn endless(when: When) -> bool {
    when.lasts().is_none() || matches!(when, When::Every { .. })
}

fn first_event(cx: &Context<'_>) -> Option<Time> {
    let faults = cx.happenings.faults.iter().filter_map(|fault| fault.when.begins());
    let scales = cx.happenings.scales.iter().map(|scale| scale.at);
    faults.chain(scales).chain(cx.happenings.deploys.iter().map(|deploy| deploy.at)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_split_a_sentence() {
        for (text, left, right) in
            [("a<b", "a", "b"), ("p99 <= 400ms", "p99", "400ms"), (" x == 0 ", "x", "0"), ("x ≥ 1", "x", "1")]
        {
            let (l, _, r) = split(text).unwrap();
            assert_eq!((&text[l], &text[r]), (left, right));
        }
        assert!(split("error_rate").is_none());
        assert!(split("a ! b").is_none());
    }
}
