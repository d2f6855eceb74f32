//! `[sweep]` and `--vary`: fields, lists, ranges.
//!
//! *Knows* how values and ranges are written, and which first words of a key name something.
//! *Does not know* what a field means: a cell is loaded like any file with overrides, which checks it.

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::Severity;
use crate::diagnostic::Source;
use crate::diagnostic::nearest;
use crate::scenario::Axis;
use crate::scenario::AxisValue;
use crate::scenario::CELLS_MAX;
use crate::scenario::Loaded;
use crate::scenario::Sweep;
use crate::scenario::SweepMode;
use crate::scenario::load;
use crate::scenario::planes;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree;
use crate::scenario::tree::Node;
use crate::scenario::tree::Place;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::units::Bytes;
use crate::units::Rate;
use crate::units::Ratio;
use crate::units::Span;

/// The forms of a range, for messages.
const RANGES: &str = "1..10, 10ms..1s:log:7 or 1%..50%:lin:8";

/// Reads `[sweep]`.
pub(super) fn read(tree: &Table, problems: &mut Problems<'_>) -> Option<Sweep> {
    let node = tree.get("sweep")?;
    let mut reader = Reader::of(node, "[sweep]", problems)?;
    let modes = [("grid", SweepMode::Grid), ("one-at-a-time", SweepMode::OneAtATime)];
    let mode = reader.word("mode", &modes, problems).unwrap_or_default();
    let vary = reader.need("vary", problems);
    reader.finish(problems);
    let vary = vary?;
    let Value::Table(fields) = &vary.value else {
        let label = "write vary = { \"service.payments.tasks\" = [2, 4, 8] }";
        problems.error("sweep::vary", &vary.place, "`vary` is a table of fields and their values", label);
        return None;
    };
    let mut axes = Vec::new();
    for (key, entry) in &fields.entries {
        axes.extend(axis_of(key, &entry.key, &entry.node, problems));
    }
    let sweep = Sweep { axes, mode };
    if fields.entries.is_empty() {
        let label = "name a field: vary = { \"service.payments.tasks\" = [2, 4, 8] }";
        problems.error("sweep::empty", &vary.place, "nothing is varied", label);
        return None;
    }
    if sweep.cells() > CELLS_MAX {
        let (message, label) = too_many(&sweep);
        problems.error("sweep::cells", &vary.place, message, label);
        return None;
    }
    Some(sweep)
}

/// Message and advice for a sweep of too many cells.
fn too_many(sweep: &Sweep) -> (String, String) {
    let count = match sweep.cells() {
        u64::MAX => "more cells than can be counted".to_owned(),
        count => format!("{count} cells"),
    };
    let lengths: Vec<String> = sweep.axes.iter().map(|axis| axis.values.len().to_string()).collect();
    (
        format!("this sweep has {count}, at most {CELLS_MAX} are run"),
        format!("{}: take fewer values, a range with fewer points, or mode = \"one-at-a-time\"", lengths.join(" × ")),
    )
}

/// One field of `vary`.
fn axis_of(key: &str, place: &Place, node: &Node, problems: &mut Problems<'_>) -> Option<Axis> {
    check_key(key, place, problems)?;
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Text(text) if is_range(text) => std::slice::from_ref(node),
        // `fault.0.rate = [..]` without quotes is a table of tables in TOML.
        Value::Table(_) => {
            let label = format!("put the whole key in quotes: \"{key}.…\" = [..]");
            problems.error("sweep::vary", &node.place, "a table is no list of values", label);
            return None;
        }
        other => {
            let label = format!("this is {}; write a list, [2, 3, 5], or a range, \"{RANGES}\"", other.kind());
            problems.error("sweep::vary", &node.place, "a field is varied over a list or a range", label);
            return None;
        }
    };
    let mut values = Vec::new();
    for item in items {
        let raw = item.place.source.text().get(item.place.span.clone()).unwrap_or("").to_owned();
        let added = match &item.value {
            Value::Text(text) if is_range(text) => range(text),
            Value::Text(text) => Ok(vec![AxisValue { toml: raw, shown: text.clone() }]),
            _ => Ok(vec![AxisValue { shown: raw.clone(), toml: raw }]),
        };
        match added {
            Ok(added) => values.extend(added),
            Err(label) => problems.error("sweep::range", &item.place, "this is no range", label),
        }
    }
    if values.is_empty() {
        problems.error("sweep::empty", &node.place, format!("`{key}` has no values"), "write a list, [2, 3, 5]");
        return None;
    }
    distinct(key, values, &node.place, problems)
}

/// The axis, if no value comes twice.
fn distinct(key: &str, values: Vec<AxisValue>, place: &Place, problems: &mut Problems<'_>) -> Option<Axis> {
    for (i, value) in values.iter().enumerate() {
        if values[..i].iter().any(|other| other.shown == value.shown) {
            let message = format!("`{key}` takes the value {} twice", value.shown);
            problems.error("sweep::twice", place, message, "each value is one cell; leave it out once");
            return None;
        }
    }
    Some(Axis { key: key.to_owned(), values })
}

/// The key must be one that an override can reach.
fn check_key(key: &str, place: &Place, problems: &mut Problems<'_>) -> Option<()> {
    let Some(path) = load::dotted(key) else {
        let label = "such as service.payments.tasks or fault.0.rate; quote parts with points or spaces";
        problems.error("sweep::key", place, format!("`{key}` is no key"), label);
        return None;
    };
    let why = match path[0].as_str() {
        "sweep" | "claim" => "says what to do with the runs, not what is simulated",
        "include" => "is read before any field is set",
        "run" if path.get(1).is_some_and(|k| ["precision", "max_replications", "replications"].contains(&&**k)) => {
            "decides how often, and cells are compared replication by replication"
        }
        _ => return Some(()),
    };
    problems.error("sweep::key", place, format!("`{key}` cannot be varied"), format!("it {why}"));
    None
}

/// What `--vary key=values` asks for.
///
/// # Errors
/// What is wrong with it.
pub fn vary(text: &str) -> Result<Axis, Vec<Diagnostic>> {
    let source = Arc::new(Source::new("--vary", text));
    let mut problems = Problems::new(std::path::Path::new("."));
    let axis = typed(text, &source, &mut problems);
    match axis {
        Some(axis) if problems.errors.is_empty() => Ok(axis),
        _ => Err(problems.errors),
    }
}

fn typed(text: &str, source: &Arc<Source>, problems: &mut Problems<'_>) -> Option<Axis> {
    let all = Place { source: Arc::clone(source), span: 0..text.len() };
    let Some((_, equals)) = load::key_path(text) else {
        problems.error(
            "sweep::vary",
            &all,
            "a field is varied by `key=values`",
            "such as service.payments.tasks=2,4,8",
        );
        return None;
    };
    let key = text[..equals].trim();
    check_key(key, &Place { source: Arc::clone(source), span: 0..equals }, problems)?;
    let right = &text[equals + 1..];
    let place = Place { source: Arc::clone(source), span: equals + 1..text.len() };
    if right.trim().is_empty() {
        problems.error(
            "sweep::empty",
            &place,
            format!("`{key}` has no values"),
            format!("such as {key}=2,3,5 or {RANGES}"),
        );
        return None;
    }
    let mut values = Vec::new();
    for item in split(right) {
        let item = item.trim();
        if item.is_empty() {
            problems.error("sweep::empty", &place, "there is an empty value", "one comma between two values");
            return None;
        }
        if is_range(item) {
            match range(item) {
                Ok(added) => values.extend(added),
                Err(label) => problems.error("sweep::range", &place, format!("`{item}` is no range"), label),
            }
            continue;
        }
        let parsed = tree::parse(&Arc::new(Source::new("", format!("v = {item}")))).ok();
        let shown = match parsed.as_ref().and_then(|table| table.get("v")).map(|node| &node.value) {
            Some(Value::Text(text)) => text.clone(),
            _ => item.to_owned(),
        };
        values.push(AxisValue { toml: item.to_owned(), shown });
    }
    if values.is_empty() {
        return None;
    }
    distinct(key, values, &place, problems)
}

/// The parts between the commas that stand outside quotes and brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut depth, mut quote) = (Vec::new(), 0, 0_i32, None);
    for (i, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) => quote = (c != open).then_some(open),
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth -= 1,
            (None, ',') if depth == 0 => {
                parts.push(&text[from..i]);
                from = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

/// True for what begins like a number and has two dots: no path and no name does.
fn is_range(text: &str) -> bool {
    text.contains("..") && text.starts_with(|c: char| c.is_ascii_digit())
}

/// What the ends of a range are counted in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Whole,
    Decimal,
    Span,
    Share,
    Rate,
    Bytes,
}

/// A number of some kind, in the smallest unit of its kind.
fn quantity(text: &str) -> Option<(Kind, f64)> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<u32>() {
        return Some((Kind::Whole, f64::from(whole)));
    }
    if let Ok(number) = text.parse::<f64>() {
        return number.is_finite().then_some((Kind::Decimal, number));
    }
    if let Ok(span) = value::parse_span(text) {
        return Some((Kind::Span, span.as_nanos() as f64));
    }
    if let Ok(share) = value::parse_ratio(text) {
        return Some((Kind::Share, f64::from(share.as_ppm())));
    }
    if let Ok(rate) = value::parse_rate(text) {
        return Some((Kind::Rate, rate.as_f64() * 1e6));
    }
    value::parse_bytes(text).ok().map(|bytes| (Kind::Bytes, bytes.get() as f64))
}

/// A value of a kind as an override.
fn written(kind: Kind, number: f64) -> AxisValue {
    let whole = number.round() as u64;
    let shown = match kind {
        Kind::Whole => whole.to_string(),
        Kind::Decimal => {
            let text = format!("{number:.6}");
            let text = text.trim_end_matches('0');
            if text.ends_with('.') { format!("{text}0") } else { text.to_owned() }
        }
        Kind::Span => Span::from_nanos(whole).to_string(),
        Kind::Share => Ratio::from_ppm(whole as u32).to_string(),
        Kind::Rate => Rate::from_micros_per_sec(whole).to_string(),
        Kind::Bytes => Bytes::new(whole).to_string(),
    };
    let toml = if matches!(kind, Kind::Whole | Kind::Decimal) { shown.clone() } else { format!("\"{shown}\"") };
    AxisValue { toml, shown }
}

/// `1..10`, `10ms..1s:log:7`, `1%..50%:lin:8`. Points between the ends keep three digits.
fn range(text: &str) -> Result<Vec<AxisValue>, String> {
    let (ends, spacing) = text.split_once(':').map_or((text, None), |(ends, rest)| (ends, Some(rest)));
    let (from, to) = ends.split_once("..").ok_or_else(|| format!("write {RANGES}"))?;
    let number = |end: &str| quantity(end).ok_or_else(|| format!("`{end}` is no quantity; write {RANGES}"));
    let ((mut kind, low), (other, high)) = (number(from)?, number(to)?);
    if kind != other {
        if !matches!((kind, other), (Kind::Whole, Kind::Decimal) | (Kind::Decimal, Kind::Whole)) {
            return Err("both ends need the same kind of unit".to_owned());
        }
        kind = Kind::Decimal;
    }
    if low >= high {
        return Err("the smaller end comes first".to_owned());
    }
    let Some(spacing) = spacing else {
        if kind != Kind::Whole {
            return Err(format!("say how many points: {ends}:lin:5 or {ends}:log:5"));
        }
        if high - low >= CELLS_MAX as f64 {
            return Err(format!("more than {CELLS_MAX} values; write {ends}:lin:5 or {ends}:log:5"));
        }
        return Ok((low as u64..=high as u64).map(|n| written(kind, n as f64)).collect());
    };
    let (word, points) = spacing.split_once(':').ok_or_else(|| format!("write {ends}:lin:5 or {ends}:log:5"))?;
    let points: u64 = points.trim().parse().map_err(|_| format!("`{points}` is no number of points"))?;
    if !(2..=CELLS_MAX).contains(&points) {
        return Err(format!("a range has 2 to {CELLS_MAX} points"));
    }
    let log = match word.trim() {
        "lin" => false,
        "log" if low > 0.0 => true,
        "log" => return Err("a range that begins at zero has no logarithms; use lin".to_owned()),
        other => return Err(format!("`{other}` is no spacing; lin or log")),
    };
    let last = points - 1;
    let mut values: Vec<AxisValue> = Vec::with_capacity(points as usize);
    for i in 0..points {
        let share = i as f64 / last as f64;
        let exact = match i {
            0 => low,
            _ if i == last => high,
            _ if log => three_digits(libm::exp(libm::log(low) + share * (libm::log(high) - libm::log(low)))),
            _ => three_digits(low + share * (high - low)),
        };
        let value = written(kind, exact);
        // Few whole numbers between the ends: a point less is no error.
        if values.last().is_none_or(|before| *before != value) {
            values.push(value);
        }
    }
    Ok(values)
}

/// The number with three significant digits.
fn three_digits(number: f64) -> f64 {
    let mut step = 1.0;
    while number / step >= 1_000.0 {
        step *= 10.0;
    }
    while number / step < 100.0 && step > 1e-9 {
        step /= 10.0;
    }
    (number / step).round() * step
}

/// What is wrong with varying `key` in this file: a name that nothing bears. Setting a field of a
/// service that does not exist would make one, and the sweep would show nothing.
pub fn nobody(loaded: &Loaded, key: &str) -> Option<Diagnostic> {
    let path = load::dotted(key)?;
    let (section, name) = (path.first()?.as_str(), path.get(1)?);
    let mut numbered = 0;
    let names: Vec<String> = match section {
        // These are lists: an entry has a number, and a name if somebody gave it one.
        "fault" | "deploy" | "scale" | "migrate" | "expect" => {
            let items = match loaded.tree.get(section).map(|node| &node.value) {
                Some(Value::List(items)) => items.as_slice(),
                _ => &[],
            };
            numbered = items.len();
            items.iter().filter_map(entry_name).collect()
        }
        "plane" => planes::defined(&loaded.tree),
        "service" | "scaling" | "edge" => {
            loaded.tree.table(section).map(|table| table.entries.keys().cloned().collect()).unwrap_or_default()
        }
        _ => return None,
    };
    if names.contains(name) || name.parse().is_ok_and(|number: usize| number < numbered) {
        return None;
    }
    let source = Arc::new(Source::new("--vary", key));
    let label = match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if numbered > 0 => format!("write the entry's number, from 0 to {}, or its name", numbered - 1),
        None if names.is_empty() => format!("this scenario has no {}", header(section, "…")),
        None => format!("there are: {}", names.join(", ")),
    };
    let message = format!("`{key}` is varied, but there is no {}", header(section, name));
    Some(Diagnostic::at(Severity::Error, "sweep::unknown-field", &source, 0..key.len(), message).with_label(label))
}

/// The name of a list's entry.
fn entry_name(item: &Node) -> Option<String> {
    let Value::Table(table) = &item.value else { return None };
    match &table.get("name")?.value {
        Value::Text(name) => Some(name.clone()),
        _ => None,
    }
}

/// What an entry of a section looks like in a file.
fn header(section: &str, name: &str) -> String {
    match section {
        "plane" | "service" | "scaling" | "edge" => format!("[{section}.{name}]"),
        _ if name == "…" => format!("[[{section}]]"),
        _ => format!("[[{section}]] `{name}`"),
    }
}

/// A problem with a field or a value of the file's own `[sweep]`, placed where the file says it. Cells are
/// loaded by laying `key=value` over the file, so it is found in that text.
pub fn in_file(loaded: &Loaded, mut found: Diagnostic) -> Diagnostic {
    let vary = loaded.tree.get("sweep").and_then(|node| match &node.value {
        Value::Table(sweep) => sweep.get("vary"),
        _ => None,
    });
    let (Some(Node { value: Value::Table(fields), .. }), Some(source)) = (vary, &found.source) else { return found };
    if source.name() != "--vary" {
        return found;
    }
    let key_of =
        |text: &str, key: &str| text.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
    let Some((key, entry)) = fields.entries.iter().find(|(key, _)| key_of(source.text(), key)) else { return found };
    let at_key = found.span.as_ref().is_none_or(|span| span.start < key.len());
    let place = if at_key { &entry.key } else { &entry.node.place };
    place.source.name().clone_into(&mut found.file);
    (found.span, found.source) = (Some(place.span.clone()), Some(Arc::clone(&place.source)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        vary(text).unwrap().values.into_iter().map(|v| v.shown).collect()
    }

    #[test]
    fn lists_and_ranges() {
        assert_eq!(shown("a.b=2,3,5,8"), ["2", "3", "5", "8"]);
        assert_eq!(shown("a=1..4"), ["1", "2", "3", "4"]);
        assert_eq!(shown("a=10ms..1s:log:3"), ["10ms", "100ms", "1s"]);
        assert_eq!(shown("a=1%..100%:log:3"), ["1%", "10%", "100%"]);
        assert_eq!(shown("a=0%..50%:lin:3"), ["0%", "25%", "50%"]);
        assert_eq!(shown("a=100/s..1000/s:log:2,2000/s"), ["100/s", "1000/s", "2000/s"]);
        assert_eq!(shown("a=1..1000:log:4"), ["1", "10", "100", "1000"]);
        assert_eq!(shown("a=1..3:log:6"), ["1", "2", "3"], "a whole number comes once");
        assert_eq!(shown("a=0.5..1.5:lin:3"), ["0.5", "1.0", "1.5"]);
        assert_eq!(shown("a=\"x,y\",[1, 2]"), ["x,y", "[1, 2]"]);
        assert_eq!(shown("a=10ms"), ["10ms"]);
    }

    #[test]
    fn what_cannot_be_varied_is_told() {
        for (text, code) in [
            ("a", "sweep::vary"),
            ("a=", "sweep::empty"),
            ("a=1,,2", "sweep::empty"),
            ("a=1,1", "sweep::twice"),
            ("a=10ms..1s", "sweep::range"),
            ("a=1s..10ms:log:3", "sweep::range"),
            ("a=1s..5%:lin:3", "sweep::range"),
            ("a=0..5:log:3", "sweep::range"),
            ("a=1..5:cubic:3", "sweep::range"),
            ("a=1..5:lin:1", "sweep::range"),
            ("a=0..1000000000", "sweep::range"),
            ("sweep.mode=1,2", "sweep::key"),
            ("run.replications=3,5", "sweep::key"),
        ] {
            let found = vary(text).unwrap_err();
            assert_eq!(found[0].code, code, "{text}: {found:?}");
        }
    }
}
