//! Where requests come from: `[load]` in its open, closed and recorded forms.
//!
//! *Knows* rates, points, bursts, days and traces, and lowers them to pieces. *Does not know* how
//! arrivals are drawn.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::scenario::Arrivals;
use crate::scenario::Burst;
use crate::scenario::Distribution;
use crate::scenario::Load;
use crate::scenario::RatePiece;
use crate::scenario::ServiceId;
use crate::scenario::Spacing;
use crate::scenario::Spread;
use crate::scenario::load::Data;
use crate::scenario::load::read_data;
use crate::scenario::services::Topology;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::scenario::tree::Place;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::units::Rate;
use crate::units::Span;
use crate::units::Time;

/// Straight pieces per day of a diurnal curve: half an hour each.
const PIECES_PER_DAY: u64 = 48;
/// Most pieces of a rate curve.
const PIECES_MAX: u64 = 100_000;
/// Most arrivals of a trace.
const ARRIVALS_MAX: usize = 20_000_000;

/// Reads all loads.
pub fn read(tree: &Table, topology: &Topology, duration: Span, problems: &mut Problems<'_>) -> Vec<Load> {
    let Some(entry) = tree.entries.get("load") else { return Vec::new() };
    let (nodes, single) = match &entry.node.value {
        Value::Table(_) => (std::slice::from_ref(&entry.node), true),
        Value::List(items) => (items.as_slice(), false),
        other => {
            let label = format!("this is {}; write [load] or [[load]]", other.kind());
            problems.error("scenario::type", &entry.node.place, "a load is a table", label);
            return Vec::new();
        }
    };
    let mut loads: Vec<Load> = Vec::new();
    let mut names = BTreeSet::new();
    for (index, node) in nodes.iter().enumerate() {
        let Some(reader) = Reader::of(node, if single { "[load]" } else { "[[load]]" }, problems) else { continue };
        let name = if single { "load".to_owned() } else { format!("load {}", index + 1) };
        if let Some(load) = load(name, reader, topology, duration, problems) {
            if !names.insert(load.name.clone()) {
                let message = format!("two loads are called `{}`", load.name);
                problems.error("scenario::duplicate-name", &node.place, message, "give each its own name");
            }
            loads.push(load);
        }
    }
    loads
}

fn load(
    default_name: String,
    mut reader: Reader<'_>,
    topology: &Topology,
    duration: Span,
    problems: &mut Problems<'_>,
) -> Option<Load> {
    let name = reader.text("name", problems).map_or(default_name, str::to_owned);
    let entry = match reader.get("entry") {
        Some(node) => topology.named(node, problems),
        None => default_entry(topology, reader.place(), problems),
    };
    let endpoint_node = reader.get("endpoint");
    let endpoint = entry.map_or(0, |entry| topology.endpoint(entry, endpoint_node, problems));
    let (from, until) = between(&mut reader, duration, problems);
    let spread = reader
        .word("spread", &[("random", Spread::Random), ("round-robin", Spread::RoundRobin)], problems)
        .unwrap_or(Spread::Random);
    let test = reader.truth("test", problems).unwrap_or(false);
    let arrivals = arrivals(&mut reader, duration, problems);
    reader.finish(problems);
    Some(Load { name, entry: entry?, endpoint, arrivals: arrivals?, from, until, spread, test })
}

/// The one service that nobody calls.
fn default_entry(topology: &Topology, place: &Place, problems: &mut Problems<'_>) -> Option<ServiceId> {
    let called = |id: ServiceId| topology.edges.iter().any(|edge| edge.to == id);
    let free: Vec<ServiceId> = (0..topology.services.len() as u32)
        .map(ServiceId)
        .filter(|id| !called(*id) && !topology.services[id.0 as usize].external)
        .collect();
    if let [only] = free[..] {
        return Some(only);
    }
    // A misspelt call makes its callee look uncalled; that has been reported.
    let misspelt = problems.errors.iter().any(|error| error.code == "scenario::unknown-service");
    if !topology.services.is_empty() && !misspelt {
        let names: Vec<&str> = free.iter().take(8).map(|id| topology.name(*id)).collect();
        let label = match names[..] {
            [] => "every service is called by another; add entry = \"...\"".to_owned(),
            _ => format!("nobody calls {}; add entry = \"{}\" or another", names.join(", "), names[0]),
        };
        problems.error("scenario::no-entry", place, "it is not clear where requests enter", label);
    }
    None
}

/// `between = ["10s", "4m"]`.
fn between(reader: &mut Reader<'_>, duration: Span, problems: &mut Problems<'_>) -> (Time, Time) {
    let end = Time::ZERO + duration;
    let Some(node) = reader.get("between") else { return (Time::ZERO, end) };
    let Some((from, until)) = interval(node, problems) else { return (Time::ZERO, end) };
    if from >= end {
        let label = format!("[run] duration is {duration}");
        problems.warn("scenario::after-end", &node.place, "this load begins when the run is over", label);
    }
    (from, until.min(end))
}

/// A list of two instants.
pub fn interval(node: &Node, problems: &mut Problems<'_>) -> Option<(Time, Time)> {
    let items = value::list(node, problems)?;
    let [from, until] = items else {
        problems.error("scenario::interval", &node.place, "an interval has two ends", "write [\"60s\", \"90s\"]");
        return None;
    };
    let (from, until) = (value::span(from, problems)?, value::span(until, problems)?);
    if from >= until {
        problems.error("scenario::interval", &node.place, "this interval is empty", "the first end comes first");
        return None;
    }
    Some((Time::ZERO + from, Time::ZERO + until))
}

fn arrivals(reader: &mut Reader<'_>, duration: Span, problems: &mut Problems<'_>) -> Option<Arrivals> {
    let kinds = ["rate", "diurnal", "users", "trace"];
    let present: Vec<&str> = kinds.into_iter().filter(|kind| reader.has(kind)).collect();
    let place = reader.place().clone();
    if present.len() != 1 {
        reader.allow(&["rate", "diurnal", "users", "trace", "think", "speed", "burst", "arrivals", "batch"]);
        let label = match present[..] {
            [] => "add `rate`, `diurnal`, `users` or `trace`".to_owned(),
            _ => format!("it has {}; use one, or write several [[load]]", present.join(" and ")),
        };
        problems.error(
            "scenario::load-kind",
            &place,
            format!("{} needs one way for requests to come", reader.what()),
            label,
        );
        return None;
    }
    match present[0] {
        "users" => {
            let users = reader.count("users", 1..=1_000_000, problems);
            let think = reader.distribution("think", problems).unwrap_or(Distribution::Constant(Span::ZERO));
            Some(Arrivals::Users { users: users? as u32, think })
        }
        "trace" => trace(reader, duration, problems),
        kind => {
            let pieces = if kind == "rate" {
                reader.get("rate").and_then(|node| pieces(node, duration, problems))
            } else {
                reader.get("diurnal").and_then(|node| diurnal(node, duration, problems))
            };
            let bursts = bursts(reader, problems);
            let batch = reader.count("batch", 1..=100_000, problems);
            // ASSUMPTION(load.batch): ten arrivals per batch, unless the file says otherwise.
            let bursty = Spacing::Bursty { mean_batch: batch.unwrap_or(10) as u32 };
            let words = [("poisson", Spacing::Poisson), ("constant", Spacing::Constant), ("bursty", bursty)];
            let spacing = reader.word("arrivals", &words, problems).unwrap_or(Spacing::Poisson);
            if batch.is_some() && spacing != bursty {
                let label = "add arrivals = \"bursty\"";
                problems.error(
                    "scenario::batch",
                    reader.key_place("batch"),
                    "only bursty arrivals have batches",
                    label,
                );
            }
            Some(Arrivals::Open { pieces: pieces?, bursts, spacing })
        }
    }
}

/// A constant rate, or points.
fn pieces(node: &Node, duration: Span, problems: &mut Problems<'_>) -> Option<Vec<RatePiece>> {
    let Value::List(items) = &node.value else {
        let rate = value::rate(node, problems)?;
        return Some(vec![RatePiece { at: Time::ZERO, rate, ramps_to_next: false }]);
    };
    let mut pieces: Vec<RatePiece> = Vec::new();
    let mut whole = !items.is_empty();
    for item in items {
        let Some(mut reader) = Reader::of(item, "a point of a rate", problems) else {
            whole = false;
            continue;
        };
        let at = reader.need("at", problems).and_then(|node| value::span(node, problems));
        let rate = reader.need("rate", problems).and_then(|node| value::rate(node, problems));
        let ramp = reader.word("ramp", &[("step", false), ("linear", true)], problems).unwrap_or(false);
        let place = reader.key_place("at").clone();
        reader.finish(problems);
        let (Some(at), Some(rate)) = (at, rate) else {
            whole = false;
            continue;
        };
        let at = Time::ZERO + at;
        if pieces.is_empty() && at > Time::ZERO {
            pieces.push(RatePiece { at: Time::ZERO, rate: Rate::default(), ramps_to_next: false });
        }
        if pieces.last().is_some_and(|last| last.at >= at) {
            problems.error("scenario::points", &place, "points go forward in time", "later than the point before");
            whole = false;
        }
        if at >= Time::ZERO + duration && at > Time::ZERO {
            let label = format!("[run] duration is {duration}");
            problems.warn("scenario::after-end", &place, "this point comes when the run is over", label);
        }
        // `ramp` says how this point is reached from the one before.
        if let Some(last) = pieces.last_mut() {
            last.ramps_to_next = ramp;
        }
        pieces.push(RatePiece { at, rate, ramps_to_next: false });
    }
    if items.is_empty() {
        problems.error("scenario::points", &node.place, "a rate needs a point", "write \"200/s\" or a list of points");
    }
    whole.then_some(pieces)
}

/// A day's curve, as straight pieces over the whole run.
fn diurnal(node: &Node, duration: Span, problems: &mut Problems<'_>) -> Option<Vec<RatePiece>> {
    let mut reader = Reader::of(node, "diurnal", problems)?;
    let low = reader.need("low", problems).and_then(|node| value::rate(node, problems));
    let high = reader.need("high", problems).and_then(|node| value::rate(node, problems));
    let period = reader.span("period", problems).unwrap_or(Span::from_secs(86_400));
    let peak = reader.span("peak", problems).unwrap_or(Span::from_secs(14 * 3_600));
    let speedup = reader.get("speedup").and_then(|n| value::number(n, 1e-3..=1e6, problems)).unwrap_or(1.0);
    let place = reader.place().clone();
    reader.finish(problems);
    let (low, high) = (low?, high?);
    if low > high || period.is_zero() {
        let label = "`low` is at most `high`, and `period` is longer than zero";
        problems.error("scenario::diurnal", &place, "these values make no day", label);
        return None;
    }
    let day = period.as_nanos() as f64 / speedup;
    let count = (duration.as_nanos() as f64 / day * PIECES_PER_DAY as f64) as u64 + 1;
    if count > PIECES_MAX {
        problems.error("scenario::diurnal", &place, "too many days in this run", "shorten it, or lower `speedup`");
        return None;
    }
    let (low, high) = (low.as_micros_per_sec() as f64, high.as_micros_per_sec() as f64);
    let pieces = (0..=count).map(|i| {
        let days = i as f64 / PIECES_PER_DAY as f64;
        let turns = days - peak.as_nanos() as f64 / period.as_nanos() as f64;
        let share = f64::midpoint(1.0, libm::cos(turns * std::f64::consts::TAU));
        RatePiece {
            at: Time::from_nanos((days * day) as u64),
            rate: Rate::from_micros_per_sec((low + (high - low) * share) as u64),
            ramps_to_next: i < count,
        }
    });
    Some(pieces.collect())
}

fn bursts(reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> Vec<Burst> {
    let Some(node) = reader.get("burst") else { return Vec::new() };
    let items = match &node.value {
        Value::Table(_) => std::slice::from_ref(node),
        _ => value::list(node, problems).unwrap_or(&[]),
    };
    let mut found: Vec<Burst> = Vec::new();
    for item in items {
        let Some(mut reader) = Reader::of(item, "a burst", problems) else { continue };
        let at = reader.need("at", problems).and_then(|node| value::span(node, problems));
        let lasts = reader.need("for", problems).and_then(|node| value::span(node, problems));
        let rate = reader.need("rate", problems).and_then(|node| value::rate(node, problems));
        reader.finish(problems);
        if let (Some(at), Some(lasts), Some(rate)) = (at, lasts, rate) {
            let at = Time::ZERO + at;
            found.push(Burst { at, until: at + lasts, rate });
        }
    }
    found.sort_by_key(|burst| burst.at);
    if found.windows(2).any(|pair| pair[1].at < pair[0].until) {
        problems.error("scenario::burst", &node.place, "these bursts overlap", "one after the other");
    }
    found
}

/// Recorded arrivals: one instant per line, in seconds, with a unit, or as date and time.
fn trace(reader: &mut Reader<'_>, duration: Span, problems: &mut Problems<'_>) -> Option<Arrivals> {
    let speed = reader.get("speed").and_then(|node| value::number(node, 1e-6..=1e6, problems)).unwrap_or(1.0);
    let node = reader.get("trace")?;
    let text = match read_data(node, "trace", problems) {
        Data::Text(text) => text,
        Data::Absent => return Some(Arrivals::Trace(Arc::from([]))),
        Data::Wrong => return None,
    };
    let mut instants: Vec<f64> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let cell = line.split([',', ';', '\t']).next().unwrap_or("").trim().trim_matches('"');
        if cell.is_empty() || cell.starts_with('#') {
            continue;
        }
        match seconds(cell) {
            Some(instant) if instants.len() < ARRIVALS_MAX => instants.push(instant),
            Some(_) => break,
            // The first line may be a heading.
            None if instants.is_empty() && index == 0 => {}
            None => {
                let message = format!("line {} of this file is no instant", index + 1);
                problems.error(
                    "scenario::data-file",
                    &node.place,
                    message,
                    "write one like \"12.5\" (seconds) per line",
                );
                return None;
            }
        }
    }
    if instants.is_empty() {
        problems.error("scenario::data-file", &node.place, "this trace holds no arrival", "one instant per line");
        return None;
    }
    instants.sort_by(f64::total_cmp);
    // Times of day or since 1970 are counted from the first one.
    let zero = if instants[0] > 1e8 { instants[0] } else { 0.0 };
    let end = Time::ZERO + duration;
    let arrivals = instants.iter().map(|instant| Time::ZERO + Span::from_secs_f64((instant - zero) / speed));
    let arrivals: Vec<Time> = arrivals.take_while(|at| *at < end).collect();
    if arrivals.is_empty() {
        let label = format!("the first arrival comes after [run] duration, {duration}");
        problems.warn("scenario::after-end", &node.place, "no arrival of this trace is used", label);
    }
    Some(Arrivals::Trace(Arc::from(arrivals)))
}

/// Seconds from "12.5", "1.5s", or "2024-05-01 12:00:00.25" (since 1970).
fn seconds(cell: &str) -> Option<f64> {
    if let Ok(number) = cell.parse::<f64>() {
        return (number.is_finite() && number >= 0.0).then_some(number);
    }
    if let Ok(span) = value::parse_span(cell) {
        return Some(span.as_secs_f64());
    }
    let (date, clock) = cell.trim_end_matches('Z').split_once([' ', 'T'])?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut clock = clock.splitn(3, ':').map(|part| part.parse::<f64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970 in the Gregorian calendar, with years that begin in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719_468;
    Some(days as f64 * 86_400.0 + hour * 3_600.0 + minute * 60.0 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals_of(load: &str) -> Arrivals {
        let text = format!("[service.a]\nlatency = \"1ms\"\n[run]\nduration = \"10m\"\n[load]\n{load}\n");
        let base = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        let options = crate::scenario::LoadOptions::default();
        let loaded = crate::scenario::parse("t", &text, &base, &options);
        loaded.unwrap_or_else(|found| panic!("{found:#?}")).scenario.loads.remove(0).arrivals
    }

    #[test]
    fn points_ramp_towards_the_one_that_says_so() {
        let load = "rate = [ { at = \"0s\", rate = \"100/s\" }, { at = \"3m\", rate = \"400/s\", ramp = \"linear\" } ]";
        let Arrivals::Open { pieces, .. } = arrivals_of(load) else { panic!("open") };
        assert_eq!(pieces.iter().map(|piece| piece.ramps_to_next).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn a_day_peaks_when_it_should() {
        let load = "diurnal = { low = \"20/s\", high = \"300/s\", period = \"24h\", peak = \"14h\", speedup = 144 }";
        let Arrivals::Open { pieces, .. } = arrivals_of(load) else { panic!("open") };
        assert_eq!(pieces.len(), 50);
        let top = pieces.iter().max_by_key(|piece| piece.rate).expect("there are pieces");
        assert_eq!((top.at, top.rate), (Time::ZERO + Span::from_secs(350), Rate::per_sec(300)));
    }

    #[test]
    fn a_trace_is_sped_up() {
        let Arrivals::Trace(instants) = arrivals_of("trace = \"arrivals.csv\"\nspeed = 2.0") else { panic!("trace") };
        assert_eq!((instants.len(), instants[0]), (10, Time::ZERO + Span::from_millis(50)));
    }

    #[test]
    fn instants_come_as_numbers_units_or_dates() {
        for (cell, expected) in [
            ("12.5", Some(12.5)),
            ("250ms", Some(0.25)),
            ("1970-01-02 00:00:01", Some(86_401.0)),
            ("2000-03-01T00:00:00Z", Some(951_868_800.0)),
            ("nan", None),
            ("TIMESTAMP", None),
        ] {
            assert_eq!(seconds(cell), expected, "{cell}");
        }
    }
}
