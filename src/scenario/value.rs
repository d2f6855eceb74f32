//! Quantities as people write them: "250ms", "40rps", "0.5%", "64MiB", "0.25 vCPU".
//!
//! *Knows* each unit and what to suggest when it is missing. *Does not know* which key it reads.
//! Reading is exact: decimals become integers without passing through floating point.

use std::ops::RangeInclusive;

use crate::diagnostic::did_you_mean;
use crate::scenario::table::Problems;
use crate::scenario::tree::Node;
use crate::scenario::tree::Value;
use crate::scenario::vocabulary::Form;
use crate::scenario::watch;
use crate::units::Bytes;
use crate::units::Cpu;
use crate::units::Rate;
use crate::units::Ratio;
use crate::units::Span;

/// Longest duration that is read: 100 years would overflow nothing, a year is already absurd.
const SPAN_MAX: Span = Span::from_secs(366 * 86_400);

/// "250ms", "1.5s", "1m30s", "2h", "10us".
///
/// # Errors
/// What is wrong, fit for a label.
pub fn parse_span(text: &str) -> Result<Span, String> {
    const UNITS: [(&str, u64); 7] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("write a duration like \"250ms\" or \"1m30s\"".to_owned());
    }
    if is_number(rest) {
        return Err(span_suggestion(rest));
    }
    if rest.starts_with('-') {
        return Err("a duration cannot be negative".to_owned());
    }
    let mut sum = 0_u64;
    let mut unit_before = u64::MAX;
    while !rest.is_empty() {
        let (digits, after) = split_number(rest);
        let unit_end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (word, after) = after.split_at(unit_end);
        let factor = UNITS.iter().find(|(name, _)| *name == word).map(|(_, factor)| *factor);
        let factor = match (factor, word) {
            (Some(factor), _) => factor,
            (None, "d") => 86_400_000_000_000,
            (None, _) => {
                return Err(format!("`{text}` is no duration; write \"250ms\", \"1.5s\", \"1m30s\" or \"2h\""));
            }
        };
        if factor >= unit_before {
            return Err(format!("`{text}`: units go from large to small, each once"));
        }
        unit_before = factor;
        let part = decimal(digits, factor).ok_or_else(|| format!("`{text}` is no duration scsim can hold"))?;
        sum = sum.checked_add(part).ok_or_else(|| format!("`{text}` is too long"))?;
        rest = after.trim_start();
    }
    if Span::from_nanos(sum) > SPAN_MAX {
        return Err("longer than a year".to_owned());
    }
    Ok(Span::from_nanos(sum))
}

/// "200/s", "40rps", "12/min", "5 req/s", "3/h".
///
/// # Errors
/// What is wrong, fit for a label.
pub fn parse_rate(text: &str) -> Result<Rate, String> {
    let text = text.trim();
    let (digits, unit) = split_number(text);
    let per_seconds = match unit.trim() {
        "/s" | "rps" | "/sec" | "/second" | "req/s" | "requests/s" => 1,
        "/m" | "/min" | "/minute" | "rpm" | "req/min" => 60,
        "/h" | "/hour" | "req/h" => 3600,
        "" => return Err(format!("write \"{digits}/s\" or \"{digits}/min\"")),
        _ => return Err(format!("`{text}` is no rate; write \"200/s\", \"40rps\" or \"12/min\"")),
    };
    let micros = decimal(digits, 1_000_000).ok_or_else(|| format!("`{text}` is no rate scsim can hold"))?;
    let rate = Rate::from_micros_per_sec(micros / per_seconds);
    if rate > Rate::per_sec(10_000_000) {
        return Err("more than ten million per second".to_owned());
    }
    Ok(rate)
}

/// "0.5%".
///
/// # Errors
/// What is wrong, fit for a label.
pub fn parse_ratio(text: &str) -> Result<Ratio, String> {
    let text = text.trim();
    let Some(digits) = text.strip_suffix('%') else {
        return Err(match text.parse::<f64>() {
            Ok(number) if (0.0..=1.0).contains(&number) => {
                format!("write \"{}%\"", trimmed(number * 100.0))
            }
            Ok(_) => format!("write \"{text}%\""),
            Err(_) => format!("`{text}` is no share; write \"0.5%\""),
        });
    };
    let ppm = decimal(digits.trim(), 10_000).ok_or_else(|| format!("`{text}` is no share; write \"0.5%\""))?;
    if ppm > 1_000_000 {
        return Err("more than all of it; a share is at most \"100%\"".to_owned());
    }
    Ok(Ratio::from_ppm(ppm as u32))
}

/// "64MiB", "16KiB", "1GB", "500B".
///
/// # Errors
/// What is wrong, fit for a label.
pub fn parse_bytes(text: &str) -> Result<Bytes, String> {
    let text = text.trim();
    let (digits, unit) = split_number(text);
    let factor = match unit.trim() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "KB" | "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "" => return Err(format!("write \"{digits}KiB\", \"{digits}MiB\" or \"{digits}B\"")),
        _ => return Err(format!("`{text}` is no size; write \"64MiB\", \"1GiB\" or \"500B\"")),
    };
    let bytes = decimal(digits, factor).ok_or_else(|| format!("`{text}` is no size scsim can hold"))?;
    if bytes > 1 << 50 { Err("larger than a pebibyte".to_owned()) } else { Ok(Bytes::new(bytes)) }
}

/// "0.25 vCPU", or CPU units as in a task definition: "256".
///
/// # Errors
/// What is wrong, fit for a label.
pub fn parse_cpu(text: &str) -> Result<Cpu, String> {
    let text = text.trim();
    let (digits, unit) = split_number(text);
    let millis = match unit.trim().to_ascii_lowercase().as_str() {
        "vcpu" | "cpu" => decimal(digits, 1_000),
        // 1024 CPU units are one vCPU, in task definitions and in Fargate's price list.
        "" | "units" | "cpu units" => decimal(digits, 1_000).map(|thousandths| thousandths / 1_024),
        _ => return Err(format!("`{text}` is no CPU size; write \"0.25 vCPU\" or \"256\" (CPU units)")),
    };
    match millis {
        Some(millis @ 1..=1_000_000) => Ok(Cpu::from_millis(millis as u32)),
        _ => Err(format!("`{text}` is no CPU size scsim can hold")),
    }
}

/// A number without a unit, split from what follows it.
pub(crate) fn split_number(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(text.len()))
}

/// True for a number and nothing else.
fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

/// `digits * factor`, exactly, rounded down; `None` if it is no number or does not fit.
fn decimal(digits: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let clean = |text: &str| text.chars().filter(|c| *c != '_').collect::<String>();
    let (whole, mut fraction) = (clean(whole), clean(fraction));
    // Further digits are below a nanosecond of an hour.
    fraction.truncate(15);
    let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u64>().ok() };
    let high = u128::from(number(&whole)?) * u128::from(factor);
    let low = u128::from(number(&fraction)?) * u128::from(factor) / 10_u128.pow(fraction.len() as u32);
    u64::try_from(high + low).ok()
}

fn trimmed(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `write "66s", "66ms" or "1m6s"`.
fn span_suggestion(number: &str) -> String {
    match number.parse::<u64>() {
        Ok(seconds) if seconds > 60 && seconds < 86_400 && seconds % 60 != 0 => {
            format!("write \"{number}s\", \"{number}ms\" or \"{}\"", Span::from_secs(seconds))
        }
        _ => format!("write \"{number}s\" or \"{number}ms\""),
    }
}

/// A bare number as it stands in the file.
fn bare(node: &Node) -> Option<&str> {
    match node.value {
        Value::Whole(_) | Value::Float(_) => node.place.source.text().get(node.place.span.clone()),
        _ => None,
    }
}

/// A quantity with a unit: the text is parsed, anything else gets the suggestion.
fn quantity<T>(
    node: &Node,
    problems: &mut Problems<'_>,
    what: &str,
    example: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    let found = match (&node.value, bare(node)) {
        (Value::Text(text), _) => parse(text),
        (_, Some(number)) => {
            let label = parse(number).err().unwrap_or_else(|| format!("write \"{number}\" in quotes"));
            problems.error("scenario::unit", &node.place, format!("{what} needs a unit"), label);
            return None;
        }
        (other, None) => {
            let label = format!("this is {}; write {example}", other.kind());
            problems.error("scenario::type", &node.place, format!("{what} is expected here"), label);
            return None;
        }
    };
    match found {
        Ok(value) => Some(value),
        Err(label) => {
            let Value::Text(text) = &node.value else { return None };
            let (code, message) = if is_number(text.trim()) {
                ("scenario::unit", format!("{what} needs a unit"))
            } else {
                ("scenario::value", format!("{what} is expected here"))
            };
            problems.error(code, &node.place, message, label);
            None
        }
    }
}

/// A duration.
pub(crate) fn span(node: &Node, problems: &mut Problems<'_>) -> Option<Span> {
    watch::form(&node.place, Form::Span);
    quantity(node, problems, "a duration", "\"250ms\"", parse_span)
}
/// A rate.
pub(crate) fn rate(node: &Node, problems: &mut Problems<'_>) -> Option<Rate> {
    watch::form(&node.place, Form::Rate);
    quantity(node, problems, "a rate", "\"200/s\"", parse_rate)
}
/// A share.
pub(crate) fn ratio(node: &Node, problems: &mut Problems<'_>) -> Option<Ratio> {
    watch::form(&node.place, Form::Share);
    quantity(node, problems, "a share", "\"0.5%\"", parse_ratio)
}
/// A size.
pub(crate) fn bytes(node: &Node, problems: &mut Problems<'_>) -> Option<Bytes> {
    watch::form(&node.place, Form::Size);
    quantity(node, problems, "a size", "\"64MiB\"", parse_bytes)
}
/// A processor share; a bare whole number is CPU units, as in a task definition.
pub(crate) fn cpu(node: &Node, problems: &mut Problems<'_>) -> Option<Cpu> {
    watch::form(&node.place, Form::Cpu);
    quantity(node, problems, "a CPU size", "\"0.25 vCPU\"", parse_cpu)
}

/// A text.
pub(crate) fn text<'n>(node: &'n Node, problems: &mut Problems<'_>) -> Option<&'n str> {
    watch::form(&node.place, Form::Text);
    match &node.value {
        Value::Text(text) => Some(text),
        other => wrong_kind(node, problems, "a string", other),
    }
}

/// True or false.
pub(crate) fn truth(node: &Node, problems: &mut Problems<'_>) -> Option<bool> {
    watch::form(&node.place, Form::Truth);
    match &node.value {
        Value::Bool(truth) => Some(*truth),
        other => wrong_kind(node, problems, "true or false", other),
    }
}

/// A list.
pub(crate) fn list<'n>(node: &'n Node, problems: &mut Problems<'_>) -> Option<&'n [Node]> {
    watch::list(&node.place);
    match &node.value {
        Value::List(items) => Some(items),
        other => wrong_kind(node, problems, "a list", other),
    }
}

/// A count within bounds.
pub(crate) fn count(node: &Node, bounds: RangeInclusive<u64>, problems: &mut Problems<'_>) -> Option<u64> {
    watch::form(&node.place, Form::Count(*bounds.start(), *bounds.end()));
    let number = match &node.value {
        Value::Whole(number) => number.and_then(|n| u64::try_from(n).ok()),
        other => return wrong_kind(node, problems, "a whole number", other),
    };
    if let Some(number) = number.filter(|n| bounds.contains(n)) {
        return Some(number);
    }
    let label = format!("must lie between {} and {}", bounds.start(), bounds.end());
    problems.error("scenario::range", &node.place, "this count is out of range", label);
    None
}

/// A plain number within bounds.
pub(crate) fn number(node: &Node, bounds: RangeInclusive<f64>, problems: &mut Problems<'_>) -> Option<f64> {
    watch::form(&node.place, Form::Number(*bounds.start(), *bounds.end()));
    let number = match &node.value {
        Value::Whole(Some(number)) => *number as f64,
        Value::Float(number) => *number,
        other => return wrong_kind(node, problems, "a number", other),
    };
    if bounds.contains(&number) {
        return Some(number);
    }
    let label = format!("must lie between {} and {}", bounds.start(), bounds.end());
    problems.error("scenario::range", &node.place, "this number is out of range", label);
    None
}

/// One of a few words.
pub(crate) fn word<T: Copy>(
    node: &Node,
    key: &str,
    words: &[(&'static str, T)],
    problems: &mut Problems<'_>,
) -> Option<T> {
    watch::words(&node.place, words);
    let text = text(node, problems)?;
    if let Some((_, found)) = words.iter().find(|(name, _)| *name == text) {
        return Some(*found);
    }
    let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    let near = did_you_mean(text, names.iter().copied());
    let label = if near.is_empty() { format!("one of: {}", names.join(", ")) } else { near[2..].to_owned() };
    problems.error("scenario::word", &node.place, format!("`{key}` cannot be `{text}`"), label);
    None
}

fn wrong_kind<T>(node: &Node, problems: &mut Problems<'_>, wanted: &str, found: &Value) -> Option<T> {
    let label = format!("this is {}", found.kind());
    problems.error("scenario::type", &node.place, format!("{wanted} is expected here"), label);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, ns) in [
            ("250ms", 250_000_000),
            ("1m6s", 66_000_000_000),
            ("2h", 7_200_000_000_000),
            ("10us", 10_000),
            ("0.1ms", 100_000),
            ("1.5s", 1_500_000_000),
            ("1h 30m", 5_400_000_000_000),
            ("0s", 0),
            ("24h", 86_400_000_000_000),
        ] {
            assert_eq!(parse_span(text), Ok(Span::from_nanos(ns)), "{text}");
        }
        for text in
            ["", "66", "s", "-1s", "1s2m", "1s1s", "1.2.3s", "1e3s", "9999999999999999h", "5 parsecs", "1\u{0}s"]
        {
            assert!(parse_span(text).is_err(), "{text}");
        }
        assert_eq!(parse_span("66").unwrap_err(), "write \"66s\", \"66ms\" or \"1m6s\"");
    }

    #[test]
    fn rates_shares_sizes_and_processors() {
        assert_eq!(parse_rate("200/s"), Ok(Rate::per_sec(200)));
        assert_eq!(parse_rate("40rps"), Ok(Rate::per_sec(40)));
        assert_eq!(parse_rate("12/min"), Ok(Rate::from_micros_per_sec(200_000)));
        assert!(parse_rate("200").is_err());
        assert_eq!(parse_ratio("0.5%"), Ok(Ratio::from_ppm(5_000)));
        assert_eq!(parse_ratio("100%"), Ok(Ratio::ONE));
        assert!(parse_ratio("150%").is_err());
        assert_eq!(parse_ratio("0.005").unwrap_err(), "write \"0.5%\"");
        assert_eq!(parse_bytes("64MiB"), Ok(Bytes::new(64 << 20)));
        assert!(parse_bytes("64").is_err());
        assert_eq!(parse_cpu("0.25 vCPU"), Ok(Cpu::from_millis(250)));
        assert_eq!(parse_cpu("256"), Ok(Cpu::from_millis(250)));
    }

    #[test]
    fn what_units_print_is_read_back() {
        for ns in [1, 999, 1_001, 250_000_000, 1_500_000_000, 90_000_000_000, 61_500_000_000, 3_723_000_000_000] {
            let span = Span::from_nanos(ns);
            assert_eq!(parse_span(&span.to_string()), Ok(span));
        }
        for ppm in [0, 1, 200, 5_000, 999_999, 1_000_000] {
            assert_eq!(parse_ratio(&Ratio::from_ppm(ppm).to_string()), Ok(Ratio::from_ppm(ppm)));
        }
    }
}
