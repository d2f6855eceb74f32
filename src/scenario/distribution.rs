//! Random times as people write them: a constant, two percentiles, a mean and a name, a data file.
//!
//! *Knows* every family and how its parameters follow from what was given. *Does not know* how
//! to draw from it.

use std::sync::Arc;

use crate::scenario::Distribution;
use crate::scenario::load::Data;
use crate::scenario::load::read_data;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::units::Span;

/// Stands in for a data file that is not there, so that the rest can be checked.
const STAND_IN: Distribution = Distribution::Constant(Span::from_millis(10));

/// Most lines of a latency file that are kept.
const VALUES_MAX: usize = 5_000_000;

/// Percentiles that a log-normal can be fitted through, with the normal quantile of each.
const QUANTILES: [(&str, f64); 4] = [
    ("p90", 1.281_551_565_544_600_4),
    ("p95", 1.644_853_626_951_472_2),
    ("p99", 2.326_347_874_040_840_8),
    ("p999", 3.090_232_306_167_813),
];

#[derive(Clone, Copy, PartialEq)]
enum Family {
    Constant,
    Exponential,
    LogNormal,
    Gamma,
    Erlang,
    HyperExponential,
    Pareto,
    Weibull,
    Uniform,
}

const FAMILIES: [(&str, Family); 10] = [
    ("constant", Family::Constant),
    ("deterministic", Family::Constant),
    ("exponential", Family::Exponential),
    ("lognormal", Family::LogNormal),
    ("gamma", Family::Gamma),
    ("erlang", Family::Erlang),
    ("hyperexponential", Family::HyperExponential),
    ("pareto", Family::Pareto),
    ("weibull", Family::Weibull),
    ("uniform", Family::Uniform),
];

/// The names of the families.
pub fn families() -> Vec<&'static str> {
    FAMILIES.iter().map(|(name, _)| *name).collect()
}

/// The log-normal with that median and 99th percentile.
pub fn log_normal(p50: Span, p99: Span) -> Distribution {
    fit(p50, p99, QUANTILES[2].1)
}

fn fit(median: Span, upper: Span, quantile: f64) -> Distribution {
    let mu = libm::log(median.as_nanos() as f64);
    let sigma = (libm::log(upper.as_nanos() as f64) - mu) / quantile;
    Distribution::LogNormal { mu, sigma }
}

/// Reads a distribution in any of its forms.
pub fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Distribution> {
    let Value::Table(table) = &node.value else {
        return value::span(node, problems).map(Distribution::Constant);
    };
    let mut reader = Reader::new(table, "a distribution", &node.place);
    let found = if reader.has("hist") {
        histogram(&mut reader, problems)
    } else if reader.has("file") {
        latencies(&mut reader, problems)
    } else if reader.has("values") {
        empirical(&mut reader, problems)
    } else if reader.has("p50") {
        percentiles(&mut reader, problems)
    } else {
        family(&mut reader, problems)
    };
    reader.finish(problems);
    found
}

fn percentiles(reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> Option<Distribution> {
    let median = reader.span("p50", problems);
    reader.word("dist", &[("lognormal", ())], problems);
    let mut upper = None;
    for (name, quantile) in QUANTILES {
        if let Some(entry) = reader.entry(name) {
            if upper.is_some() {
                let label = "a log-normal goes through the median and one more percentile";
                problems.error("scenario::distribution", &entry.key, "one percentile too many", label);
            }
            upper = value::span(&entry.node, problems).map(|span| (span, quantile, &entry.node.place));
        }
    }
    if upper.is_none() && !QUANTILES.iter().any(|(name, _)| reader.has(name)) {
        let label = "add `p99 = ...`, or write the constant as a plain string";
        problems.error("scenario::distribution", reader.place(), "`p50` alone does not say how it spreads", label);
    }
    let (median, (upper, quantile, place)) = (median?, upper?);
    if median.is_zero() || upper < median {
        let label = format!("must be at least the median, {median}, and the median above zero");
        problems.error("scenario::distribution", place, "these percentiles do not fit together", label);
        return None;
    }
    if upper == median {
        return Some(Distribution::Constant(median));
    }
    Some(fit(median, upper, quantile))
}

fn family(reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> Option<Distribution> {
    let family = reader.word("dist", &FAMILIES, problems);
    let mean_place = reader.key_place("mean").clone();
    let mean = reader.span("mean", problems);
    let Some(family) = family else {
        if !reader.has("dist") {
            let label = "write a string such as \"8ms\", { p50, p99 }, { mean, dist }, { hist } or { file }";
            problems.error("scenario::distribution", reader.place(), "this does not say how it is distributed", label);
        }
        reader.allow(&["cv", "k", "shape", "scale", "low", "high", "minimum"]);
        return None;
    };
    let shape_given = reader.has("shape");
    let mut parameter = |key: &'static str, low: f64, high: f64, problems: &mut Problems<'_>| {
        reader.get(key).and_then(|node| value::number(node, low..=high, problems))
    };
    let found = match family {
        Family::Constant => mean.map(Distribution::Constant),
        Family::Exponential => mean.map(|mean| Distribution::Exponential { mean }),
        Family::LogNormal => {
            let cv = parameter("cv", 1e-6, 1e3, problems);
            mean.filter(|m| !m.is_zero()).zip(cv).map(|(mean, cv)| {
                let variance = libm::log(1.0 + cv * cv);
                Distribution::LogNormal {
                    mu: libm::log(mean.as_nanos() as f64) - variance / 2.0,
                    sigma: variance.sqrt(),
                }
            })
        }
        Family::Gamma => {
            let cv = parameter("cv", 1e-3, 1e3, problems);
            let shape = parameter("shape", 1e-6, 1e6, problems).or(cv.map(|cv| 1.0 / (cv * cv)));
            mean.zip(shape).map(|(mean, shape)| Distribution::Gamma { shape, mean })
        }
        Family::Erlang => {
            let k = reader.count("k", 1..=1_000, problems);
            mean.zip(k).map(|(mean, k)| Distribution::Gamma { shape: k as f64, mean })
        }
        Family::HyperExponential => {
            let cv = parameter("cv", 1.0, 1e3, problems);
            mean.zip(cv).map(|(mean, cv)| balanced_means(mean, cv))
        }
        Family::Pareto => {
            let shape = parameter("shape", 1.000_001, 1e6, problems);
            let minimum = reader.span("minimum", problems);
            let minimum = minimum.or_else(|| {
                let (mean, shape) = mean.zip(shape)?;
                Some(Span::from_nanos_f64(mean.as_nanos() as f64 * (shape - 1.0) / shape))
            });
            minimum.zip(shape).map(|(minimum, shape)| Distribution::Pareto { minimum, shape })
        }
        Family::Weibull => {
            let shape = parameter("shape", 0.05, 1e3, problems);
            let scale = reader.span("scale", problems);
            let scale = scale.or_else(|| {
                let (mean, shape) = mean.zip(shape)?;
                Some(Span::from_nanos_f64(mean.as_nanos() as f64 / libm::tgamma(1.0 + 1.0 / shape)))
            });
            scale.zip(shape).map(|(scale, shape)| Distribution::Weibull { scale, shape })
        }
        Family::Uniform => {
            let low = reader.span("low", problems);
            let high = reader.span("high", problems);
            low.zip(high).map(|(low, high)| Distribution::Uniform { low: low.min(high), high: high.max(low) })
        }
    };
    if found.is_none() {
        let needs = match family {
            Family::Constant | Family::Exponential => "`mean`",
            Family::LogNormal => "`mean` and `cv`, or `p50` and `p99`",
            Family::Gamma => "`mean` and `shape` (or `cv`)",
            Family::Erlang => "`mean` and `k`",
            Family::HyperExponential => "`mean` and `cv` (1 or more)",
            Family::Pareto | Family::Weibull if shape_given => "`mean` as well",
            Family::Pareto => "`mean` (or `minimum`) and `shape` above 1",
            Family::Weibull => "`mean` (or `scale`) and `shape`",
            Family::Uniform => "`low` and `high`",
        };
        let place = if mean.is_some() { &mean_place } else { reader.place() };
        problems.error(
            "scenario::distribution",
            place,
            "this distribution is not complete",
            format!("it needs {needs}"),
        );
    }
    found
}

/// Two branches that carry equal shares of the mean, with that coefficient of variation.
fn balanced_means(mean: Span, cv: f64) -> Distribution {
    let square = cv * cv;
    let first = f64::midpoint(1.0, ((square - 1.0) / (square + 1.0)).sqrt());
    let mean = mean.as_nanos() as f64;
    Distribution::HyperExponential {
        first,
        mean_first: Span::from_nanos_f64(mean / (2.0 * first)),
        mean_second: Span::from_nanos_f64(mean / (2.0 * (1.0 - first))),
    }
}

fn empirical(reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> Option<Distribution> {
    let values = reader.get("values").and_then(|node| value::list(node, problems))?;
    let values: Vec<Span> = values.iter().filter_map(|node| value::span(node, problems)).collect();
    let weights: Option<Vec<f64>> = match reader.get("weights") {
        Some(node) => {
            let list = value::list(node, problems)?;
            let weights: Vec<f64> = list.iter().filter_map(|n| value::number(n, 0.0..=1e12, problems)).collect();
            if weights.len() != values.len() {
                let label = format!("{} weights for {} values", weights.len(), values.len());
                problems.error("scenario::distribution", &node.place, "each value needs one weight", label);
                return None;
            }
            Some(weights)
        }
        None => None,
    };
    let weights = weights.unwrap_or_else(|| vec![1.0; values.len()]);
    let found = weighted(values.into_iter().zip(weights).collect());
    if found.is_none() {
        let label = "give at least one value with a weight above zero";
        problems.error("scenario::distribution", reader.place(), "there is nothing to draw", label);
    }
    found
}

/// The distribution of values with weights; `None` without any weight.
fn weighted(mut pairs: Vec<(Span, f64)>) -> Option<Distribution> {
    pairs.sort_by_key(|(value, _)| *value);
    let total: f64 = pairs.iter().map(|(_, weight)| weight).sum();
    if total <= 0.0 {
        return None;
    }
    let mut sum = 0.0;
    let mut cumulative: Vec<f64> = pairs
        .iter()
        .map(|(_, weight)| {
            sum += weight;
            (sum / total).min(1.0)
        })
        .collect();
    *cumulative.last_mut()? = 1.0;
    let values: Vec<Span> = pairs.into_iter().map(|(value, _)| value).collect();
    Some(Distribution::Empirical { values: Arc::from(values), cumulative: Arc::from(cumulative) })
}

/// The unit of bare numbers in a data file, in nanoseconds.
fn unit(reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> Option<f64> {
    reader.word("unit", &[("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)], problems)
}

/// `{ hist = "x.hgrm" }`: the text form of an `HdrHistogram`'s percentile distribution.
fn histogram(reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> Option<Distribution> {
    let unit = unit(reader, problems).unwrap_or(1e6);
    let node = reader.get("hist")?;
    let text = match read_data(node, "histogram", problems) {
        Data::Text(text) => text,
        Data::Absent => return Some(STAND_IN),
        Data::Wrong => return None,
    };
    let mut values: Vec<Span> = Vec::new();
    let mut cumulative: Vec<f64> = Vec::new();
    for line in text.lines() {
        let mut columns = line.split_whitespace();
        let numbers = (columns.next().and_then(|c| c.parse::<f64>().ok()), columns.next().map(str::parse::<f64>));
        let (Some(latency), Some(Ok(percentile))) = numbers else { continue };
        if latency.is_nan() || latency < 0.0 || !(0.0..=1.0).contains(&percentile) {
            continue;
        }
        let latency = Span::from_nanos_f64(latency * unit);
        if values.last().is_some_and(|last| *last > latency) || cumulative.last().is_some_and(|l| *l > percentile) {
            continue;
        }
        values.push(latency);
        cumulative.push(percentile);
    }
    let Some(last) = cumulative.last_mut() else {
        let label = "no line with a value and a percentile in it";
        problems.error("scenario::data-file", &node.place, "this file holds no percentile distribution", label);
        return None;
    };
    *last = 1.0;
    Some(Distribution::Empirical { values: Arc::from(values), cumulative: Arc::from(cumulative) })
}

/// `{ file = "x.csv" }`: one latency per line, with a unit, or in a column named for its unit.
fn latencies(reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> Option<Distribution> {
    let mut unit = unit(reader, problems).unwrap_or(1e6);
    let node = reader.get("file")?;
    let text = match read_data(node, "latency", problems) {
        Data::Text(text) => text,
        Data::Absent => return Some(STAND_IN),
        Data::Wrong => return None,
    };
    let mut column = 0;
    let mut pairs = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let cell = line.split([',', ';', '\t']).nth(column).unwrap_or("").trim().trim_matches('"');
        let parsed = match cell.parse::<f64>() {
            Ok(number) if number >= 0.0 && number.is_finite() => Some(Span::from_nanos_f64(number * unit)),
            _ => value::parse_span(cell).ok(),
        };
        match parsed {
            Some(latency) if pairs.len() < VALUES_MAX => pairs.push((latency, 1.0)),
            Some(_) => break,
            // The first line may name the columns.
            None if pairs.is_empty() => {
                let names: Vec<&str> = line.split([',', ';', '\t']).map(|n| n.trim().trim_matches('"')).collect();
                let suffixes = [("_ns", 1.0), ("_us", 1e3), ("_ms", 1e6), ("_s", 1e9)];
                let named = names.iter().enumerate().find_map(|(i, name)| {
                    let factor = suffixes.iter().find(|(s, _)| name.ends_with(s) || *name == &s[1..])?.1;
                    Some((i, factor))
                });
                (column, unit) = named.unwrap_or((0, unit));
            }
            None => {
                let message = format!("line {} of this file is no latency", index + 1);
                problems.error("scenario::data-file", &node.place, message, "write one like \"12.5ms\" per line");
                return None;
            }
        }
    }
    let found = weighted(pairs);
    if found.is_none() {
        problems.error("scenario::data-file", &node.place, "this file holds no latency", "nothing to draw from");
    }
    found
}

/// The distribution as a scenario would write it; percentiles are rounded to four digits.
pub fn written(distribution: &Distribution) -> String {
    let pair = |low: (&str, Span), shape: (&str, f64), name: &str| {
        format!("{{ {} = \"{}\", {} = {}, dist = \"{name}\" }}", low.0, low.1, shape.0, plain(shape.1))
    };
    match distribution {
        Distribution::Constant(span) => format!("\"{span}\""),
        Distribution::Exponential { mean } => format!("{{ mean = \"{mean}\", dist = \"exponential\" }}"),
        Distribution::LogNormal { mu, sigma } => {
            let at = |quantile: f64| rounded(libm::exp(mu + sigma * quantile));
            format!("{{ p50 = \"{}\", p99 = \"{}\" }}", at(0.0), at(QUANTILES[2].1))
        }
        Distribution::Gamma { shape, mean } => pair(("mean", *mean), ("shape", *shape), "gamma"),
        Distribution::HyperExponential { first, mean_first, mean_second } => {
            let mean = first * mean_first.as_nanos() as f64 + (1.0 - first) * mean_second.as_nanos() as f64;
            // From first = (1 + sqrt((c2 - 1) / (c2 + 1))) / 2, the balanced-means rule above.
            let root = 2.0 * first - 1.0;
            let cv = ((1.0 + root * root) / (1.0 - root * root)).sqrt();
            pair(("mean", rounded(mean)), ("cv", cv), "hyperexponential")
        }
        Distribution::Pareto { minimum, shape } => pair(("minimum", *minimum), ("shape", *shape), "pareto"),
        Distribution::Weibull { scale, shape } => pair(("scale", *scale), ("shape", *shape), "weibull"),
        Distribution::Uniform { low, high } => {
            format!("{{ low = \"{low}\", high = \"{high}\", dist = \"uniform\" }}")
        }
        Distribution::Empirical { values, .. } => {
            let ends = values.first().zip(values.last()).unwrap_or((&Span::ZERO, &Span::ZERO));
            format!("{{ values = [\"{}\", \"{}\"] }} # {} measured values", ends.0, ends.1, values.len())
        }
    }
}

/// A number with a point in it, as TOML wants floats.
fn plain(number: f64) -> String {
    let text = format!("{number:.6}");
    let text = text.trim_end_matches('0');
    if text.ends_with('.') { format!("{text}0") } else { text.to_owned() }
}

/// The span to four significant digits.
fn rounded(nanos: f64) -> Span {
    let mut unit = 1.0;
    while nanos / unit >= 9_999.5 {
        unit *= 10.0;
    }
    Span::from_nanos_f64((nanos / unit).round() * unit)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::diagnostic::Source;
    use crate::scenario::tree;

    fn read_text(text: &str) -> Result<Distribution, Vec<String>> {
        let table = tree::parse(&Arc::new(Source::new("t", format!("d = {text}\n")))).unwrap();
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        let mut problems = Problems::new(&base);
        let found = read(table.get("d").unwrap(), &mut problems);
        let labels: Vec<String> = problems.errors.iter().map(|error| error.label.clone()).collect();
        match found {
            Some(found) if labels.is_empty() => Ok(found),
            _ => Err(labels),
        }
    }

    #[test]
    fn every_form_is_written_back() {
        for text in [
            "\"8ms\"",
            "{ p50 = \"12ms\", p99 = \"80ms\" }",
            "{ mean = \"10ms\", dist = \"exponential\" }",
            "{ mean = \"10ms\", shape = 2.5, dist = \"gamma\" }",
            "{ mean = \"10ms\", cv = 2.0, dist = \"hyperexponential\" }",
            "{ minimum = \"10ms\", shape = 2.0, dist = \"pareto\" }",
            "{ scale = \"10ms\", shape = 1.5, dist = \"weibull\" }",
            "{ low = \"1ms\", high = \"3ms\", dist = \"uniform\" }",
        ] {
            assert_eq!(written(&read_text(text).unwrap()), text);
        }
        let erlang = read_text("{ mean = \"10ms\", k = 4, dist = \"erlang\" }").unwrap();
        assert_eq!(erlang, Distribution::Gamma { shape: 4.0, mean: Span::from_millis(10) });
    }

    #[test]
    fn moments_follow_from_what_was_given() {
        let Ok(Distribution::LogNormal { mu, sigma }) =
            read_text("{ mean = \"10ms\", cv = 0.5, dist = \"lognormal\" }")
        else {
            panic!("not log-normal")
        };
        assert!((libm::exp(mu + sigma * sigma / 2.0) / 1e7 - 1.0).abs() < 1e-9);
        let Ok(Distribution::Pareto { minimum, .. }) = read_text("{ mean = \"10ms\", shape = 2.0, dist = \"pareto\" }")
        else {
            panic!("not Pareto")
        };
        assert_eq!(minimum, Span::from_millis(5));
    }

    #[test]
    fn measured_files_become_empirical() {
        let Ok(Distribution::Empirical { values, cumulative }) = read_text("{ file = \"inventory-latency.csv\" }")
        else {
            panic!("not empirical")
        };
        assert_eq!((values.len(), cumulative.last()), (12, Some(&1.0)));
        let Ok(Distribution::Empirical { values, cumulative }) = read_text("{ hist = \"ads.hgrm\" }") else {
            panic!("not empirical")
        };
        assert_eq!(values.first(), Some(&Span::from_micros(1_200)));
        assert_eq!(cumulative.last(), Some(&1.0));
        assert!(read_text("{ values = [\"1ms\", \"2ms\"], weights = [3, 1] }").is_ok());
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, part) in [
            ("{ mean = \"10ms\" }", "p50"),
            ("{ p50 = \"10ms\" }", "p99"),
            ("{ p50 = \"10ms\", p99 = \"5ms\" }", "median"),
            ("{ mean = \"10ms\", dist = \"gamma\" }", "shape"),
            ("{ mean = \"10ms\", dist = \"exponentail\" }", "exponential"),
            ("{ values = [] }", "at least one"),
            ("66", "66s"),
        ] {
            let labels = read_text(text).unwrap_err();
            assert!(labels.iter().any(|label| label.contains(part)), "{text}: {labels:?}");
        }
    }
}
