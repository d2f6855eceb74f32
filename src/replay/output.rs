//! What became of the vectors of a file: for people, for scripts, for build machines.

use std::fmt::Write as _;

use serde_json::Value;
use serde_json::json;

use super::Outcome;
use super::Replayed;

/// One line per vector, the difference below each that failed, and a line that counts.
pub fn text(file: &str, vectors: &[Replayed]) -> String {
    let mut out = format!("{file}\n");
    for vector in vectors {
        let (id, title) = (&vector.id, &vector.title);
        let _ = match &vector.outcome {
            Outcome::Passed => writeln!(out, "  pass            {id:<8} {title}"),
            Outcome::NotReplayable(why) => writeln!(out, "  not replayable  {id:<8} {why}"),
            Outcome::Failed(lines) => {
                let _ = writeln!(out, "  FAIL            {id:<8} {title} (line {})", vector.line);
                lines.iter().try_for_each(|line| writeln!(out, "      {line}"))
            }
        };
    }
    let (passed, failed, not) = counts(vectors);
    let _ = writeln!(out, "{passed} passed, {failed} failed, {not} not replayable");
    out
}

fn counts(vectors: &[Replayed]) -> (usize, usize, usize) {
    let count = |what: fn(&Outcome) -> bool| vectors.iter().filter(|vector| what(&vector.outcome)).count();
    (
        count(|outcome| matches!(outcome, Outcome::Passed)),
        count(|outcome| matches!(outcome, Outcome::Failed(_))),
        count(|outcome| matches!(outcome, Outcome::NotReplayable(_))),
    )
}

/// `scsim.replay/1`.
pub fn json(files: &[(String, Vec<Replayed>)]) -> Value {
    let vector = |vector: &Replayed| {
        let (status, detail) = match &vector.outcome {
            Outcome::Passed => ("passed", Value::Null),
            Outcome::Failed(lines) => ("failed", json!(lines)),
            Outcome::NotReplayable(why) => ("not_replayable", json!([why])),
        };
        json!({
            "id": vector.id, "kind": vector.kind, "title": vector.title, "line": vector.line,
            "status": status, "detail": detail,
        })
    };
    let file = |(name, vectors): &(String, Vec<Replayed>)| {
        let (passed, failed, not) = counts(vectors);
        json!({
            "file": name, "passed": passed, "failed": failed, "not_replayable": not,
            "vectors": vectors.iter().map(vector).collect::<Vec<_>>(),
        })
    };
    json!({ "schema": "scsim.replay/1", "files": files.iter().map(file).collect::<Vec<_>>() })
}

/// A suite per file; what cannot be replayed is skipped.
pub fn junit(files: &[(String, Vec<Replayed>)]) -> String {
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for (name, vectors) in files {
        let (_, failed, not) = counts(vectors);
        let name = escaped(name);
        let tests = vectors.len();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\" errors=\"0\" skipped=\"{not}\">"
        );
        for vector in vectors {
            let case = escaped(&format!("{} {}", vector.id, vector.title));
            let _ = write!(out, "    <testcase classname=\"{name}\" name=\"{case}\"");
            let _ = match &vector.outcome {
                Outcome::Passed => writeln!(out, "/>"),
                Outcome::NotReplayable(why) => {
                    writeln!(out, "><skipped message=\"{}\"/></testcase>", escaped(why))
                }
                Outcome::Failed(lines) => {
                    let first = escaped(lines.first().map_or("", |line| line));
                    let all = escaped(&lines.join("\n"));
                    writeln!(out, "><failure message=\"{first}\">{all}</failure></testcase>")
                }
            };
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// Text as XML takes it; characters that XML cannot have at all are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() && c != '\n' && c != '\t' => {}
            c => out.push(c),
        }
    }
    out
}
