//! The last panel: the result itself inside the page, so that a mailed page can be read by programs.
//!
//! *Knows* how much room there is and what is left out first. *Does not know* what keys mean beyond that.

use serde_json::Map;
use serde_json::Value;

use super::html;
use super::html::escape;
use super::read::Taken;
use crate::report::format::number;

/// Bytes of a page at the most, all of it.
pub(super) const PAGE_MAX: usize = 1_400_000;
/// Bytes that the data of all results may take, however large the rest is.
const LEAST: usize = 150_000;

/// What is left out if there is no room, in this order: the key in each plane, and what it holds.
const EXPENDABLE: [(&str, &str); 8] = [
    ("edges.policy", "policies by edge, which the map has"),
    ("tasks", "figures by task"),
    ("lanes", "tasks of replication 0"),
    ("services", "figures by service"),
    ("flows", "calls of each edge over time"),
    ("heat", "latency over time"),
    ("events", "what happened"),
    ("edges", "figures by edge"),
];

/// The panel of one of `count` results whose other panels take `used` bytes together.
pub(super) fn render(taken: &Taken, prefix: &str, count: usize, used: usize) -> String {
    let mut value = taken.whole.clone();
    let mut omitted: Vec<&str> = Vec::new();
    let room = PAGE_MAX.saturating_sub(used).max(LEAST) / count.max(1);
    let mut text = text_of(&mut value);
    for (key, what) in EXPENDABLE {
        if text.len() <= room {
            break;
        }
        if drop_key(&mut value, key) {
            omitted.push(what);
            text = html::island(&value);
        }
    }
    if text.len() > room {
        omitted.push("everything else over time, the bill and the scenario's text");
        value = Value::Object(essence(&value));
        text = html::island(&value);
    }
    let left = if omitted.is_empty() {
        "Numbers have seven significant digits; otherwise it is the whole result.".to_owned()
    } else {
        format!("To keep the page small it leaves out: {}. The result file has them.", omitted.join(", "))
    };
    let name = format!("{}.json", crate::report::compare::stem(&taken.result.scenario.file));
    format!(
        "<p class=quiet>The result that this page was made of, as <code>scsim.result/1</code>, {} KB. {} <code>scsim report RESULT.json</code> makes the page again.</p><p class=js><button type=button class=json data-of=\"{prefix}result-json\" data-name=\"{}\">Download JSON</button> Each chart and table above has its CSV.</p><script type=\"application/json\" id=\"{prefix}result-json\">{text}</script>",
        number(text.len() as f64 / 1e3, 0),
        escape(&left),
        escape(&name),
    )
}

/// Rounds every number and writes the value.
fn text_of(value: &mut Value) -> String {
    round(value);
    html::island(value)
}

fn round(value: &mut Value) {
    match value {
        Value::Number(n) if n.is_f64() => {
            if let Some(x) = n.as_f64() {
                let short: f64 = format!("{x:.6e}").parse().unwrap_or(x);
                // Whole numbers lose their ".0".
                *value = if short.fract() == 0.0 && short.abs() < 9e15 {
                    Value::from(short as i64)
                } else {
                    Value::from(short)
                };
            }
        }
        Value::Array(all) => all.iter_mut().for_each(round),
        Value::Object(all) => all.values_mut().for_each(round),
        _ => {}
    }
}

/// Takes a key out of every plane, or out of everything in a list of every plane; false if none had it.
fn drop_key(value: &mut Value, path: &str) -> bool {
    let Some(planes) = value.get_mut("planes").and_then(Value::as_array_mut) else { return false };
    let mut any = false;
    for plane in planes.iter_mut().filter_map(Value::as_object_mut) {
        match path.split_once('.') {
            None => any |= plane.remove(path).is_some(),
            Some((list, key)) => {
                let members = plane.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
                for member in members.filter_map(Value::as_object_mut) {
                    any |= member.remove(key).is_some();
                }
            }
        }
    }
    any
}

/// What is kept in the worst case.
fn essence(value: &Value) -> Map<String, Value> {
    let keys = ["schema", "scsim", "seed", "replications", "confidence", "digest", "summary", "expectations"];
    keys.iter().filter_map(|key| Some(((*key).to_owned(), value.get(*key)?.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_seven_digits() {
        let mut value = serde_json::json!({"a": [59963.7, 0.100_000_01, 3.0, 1e300, 12_345_678_901_234_567_i64]});
        let text = text_of(&mut value);
        assert_eq!(text, r#"{"a":[59963.7,0.1,3,1e+300,12345678901234567]}"#);
    }

    #[test]
    fn what_repeats_goes_first() {
        let mut value = serde_json::json!({"planes": [{"edges": [{"to": "b", "policy": "long"}], "tasks": [1]}, {}]});
        assert!(drop_key(&mut value, "edges.policy") && !drop_key(&mut value, "edges.policy"));
        assert!(drop_key(&mut value, "tasks"));
        assert_eq!(value, serde_json::json!({"planes": [{"edges": [{"to": "b"}]}, {}]}));
    }
}
