//! What became of the vectors of a file: for people, for scripts, for build machines.

use std::fmt::Write as _;

use serde_json::Value;
use serde_json::json;

use super::Outcome;
use super::Replayed;

/// What reports are to show and how they count.
#[derive(Clone, Copy, Default, Debug)]
pub struct Shown {
    /// The time line of every vector, not only of those that failed.
    pub timeline: bool,
    /// What is not replayable counts as failed.
    pub strict: bool,
}

impl Shown {
    fn timeline_of(self, vector: &Replayed) -> &[String] {
        let failed = matches!(vector.outcome, Outcome::Failed(_));
        if failed || self.timeline { &vector.timeline } else { &[] }
    }
}

/// How many vectors ended in which way.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// All that they expect is so.
    pub passed: usize,
    /// Something is not.
    pub failed: usize,
    /// scsim has no model for something in them.
    pub not_replayable: usize,
    /// They break the schema.
    pub malformed: usize,
}

/// Counts the outcomes.
pub fn counts<'a>(vectors: impl IntoIterator<Item = &'a Replayed>) -> Counts {
    let mut counts = Counts::default();
    for vector in vectors {
        match vector.outcome {
            Outcome::Passed => counts.passed += 1,
            Outcome::Failed(_) => counts.failed += 1,
            Outcome::NotReplayable(_) => counts.not_replayable += 1,
            Outcome::Malformed(_) => counts.malformed += 1,
        }
    }
    counts
}

/// One line per vector, difference and time line below each that failed, and a line that counts.
pub fn text(file: &str, vectors: &[Replayed], shown: Shown) -> String {
    let mut out = format!("{file}\n");
    for vector in vectors {
        let (id, title) = (&vector.id, &vector.title);
        let _ = match &vector.outcome {
            Outcome::Passed => writeln!(out, "  pass            {id:<8} {title}"),
            Outcome::NotReplayable(why) => writeln!(out, "  not replayable  {id:<8} {why}"),
            Outcome::Malformed(wrong) => {
                writeln!(out, "  MALFORMED       {id:<8} {} (line {})", wrong.message, wrong.line)
            }
            Outcome::Failed(lines) => {
                let _ = writeln!(out, "  FAIL            {id:<8} {title} (line {})", vector.line);
                lines.iter().try_for_each(|line| writeln!(out, "      {line}"))
            }
        };
        let story = shown.timeline_of(vector);
        if !story.is_empty() {
            out.push_str("      timeline\n");
            let _ = story.iter().try_for_each(|line| writeln!(out, "        {line}"));
        }
    }
    let Counts { passed, failed, not_replayable, malformed } = counts(vectors);
    let _ = write!(out, "{passed} passed, {failed} failed, {not_replayable} not replayable");
    let _ = if malformed > 0 { writeln!(out, ", {malformed} malformed") } else { writeln!(out) };
    out
}

/// `scsim.replay/1`.
pub fn json(files: &[(String, Vec<Replayed>)], shown: Shown) -> Value {
    let vector = |vector: &Replayed| {
        let (line, detail) = match &vector.outcome {
            Outcome::Passed => (vector.line, Value::Null),
            Outcome::Failed(lines) => (vector.line, json!(lines)),
            Outcome::NotReplayable(why) => (vector.line, json!([why])),
            Outcome::Malformed(wrong) => (wrong.line, json!([wrong.message])),
        };
        json!({
            "id": vector.id, "kind": vector.kind, "title": vector.title, "line": line,
            "status": vector.outcome.name(), "detail": detail, "timeline": shown.timeline_of(vector),
        })
    };
    let file = |(name, vectors): &(String, Vec<Replayed>)| {
        let counts = counts(vectors);
        json!({
            "file": name, "passed": counts.passed, "failed": counts.failed,
            "not_replayable": counts.not_replayable, "malformed": counts.malformed,
            "vectors": vectors.iter().map(vector).collect::<Vec<_>>(),
        })
    };
    json!({ "schema": "scsim.replay/1", "files": files.iter().map(file).collect::<Vec<_>>() })
}

/// A suite per file; what cannot be replayed is skipped, or a failure where that is asked for.
pub fn junit(files: &[(String, Vec<Replayed>)], shown: Shown) -> String {
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for (name, vectors) in files {
        let Counts { failed, not_replayable, malformed, .. } = counts(vectors);
        let (failed, skipped) = if shown.strict { (failed + not_replayable, 0) } else { (failed, not_replayable) };
        let (name, tests) = (escaped(name), vectors.len());
        let _ = writeln!(
            out,
            "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\" errors=\"{malformed}\" \
             skipped=\"{skipped}\">"
        );
        for vector in vectors {
            let case = escaped(format!("{} {}", vector.id, vector.title).trim_end());
            let _ = writeln!(out, "    <testcase classname=\"{name}\" name=\"{case}\">");
            match &vector.outcome {
                Outcome::Passed => {}
                Outcome::NotReplayable(why) if shown.strict => element(&mut out, "failure", why, ""),
                Outcome::NotReplayable(why) => element(&mut out, "skipped", why, ""),
                Outcome::Malformed(wrong) => element(&mut out, "error", &wrong.to_string(), ""),
                Outcome::Failed(lines) => {
                    // The first two lines that differ: what was expected, what was got.
                    let pair: Vec<&str> =
                        lines.iter().filter(|l| !l.starts_with("at ")).take(2).map(|l| &**l).collect();
                    element(&mut out, "failure", &pair.join("  "), &lines.join("\n"));
                }
            }
            let story = shown.timeline_of(vector);
            if !story.is_empty() {
                let _ = writeln!(out, "      <system-out>{}</system-out>", escaped(&story.join("\n")));
            }
            out.push_str("    </testcase>\n");
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn element(out: &mut String, name: &str, message: &str, text: &str) {
    let _ = writeln!(out, "      <{name} message=\"{}\">{}</{name}>", escaped(message), escaped(text));
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
