//! The first panel: what was asked, what came out, whether it holds, and how to run it again.
//!
//! *Knows* the sentences of the comparison. *Does not know* how they were decided.

use std::fmt::Write as _;

use super::Section;
use super::html::escape;
use super::read::Judged;
use super::read::Outcome;
use super::read::Summary;

/// The panel.
pub(super) fn render(section: &Section<'_>) -> String {
    let result = section.result;
    let mut out = format!("<h1>{}</h1>", escape(&result.scenario.title));
    if let Some(summary) = &result.summary {
        let _ = write!(out, "<p class=subtitle>{}</p>", escape(&summary.subtitle));
    }
    if !result.scenario.description.is_empty() {
        let _ = write!(out, "<p class=description>{}</p>", escape(&result.scenario.description));
    }
    for notice in notices(result) {
        let _ = write!(out, "<p class=notice role=note>{}</p>", escape(&notice));
    }
    if let Some(summary) = &result.summary {
        for alarm in &summary.alarms {
            let _ = write!(
                out,
                "<p class=alarm role=alert><b>The books do not balance</b>, which is a bug in scsim; the figures are not to be trusted: {}</p>",
                escape(alarm)
            );
        }
        let lead: Vec<String> = summary.sentences.iter().map(|s| escape(s)).collect();
        if !lead.is_empty() {
            let _ = write!(out, "<p class=lead>{}</p>", lead.join(" "));
        }
        out.push_str(&judgements(&summary.judgements));
        for warning in &summary.warnings {
            let _ = write!(out, "<p class=notice role=note>{}</p>", escape(warning));
        }
        out.push_str(&provenance(result));
        let _ = write!(
            out,
            "<p class=again><span>Run it again</span> <code id=\"{0}again\">{1}</code> <button type=button class=\"copy js\" data-of=\"{0}again\">Copy</button></p>",
            section.prefix,
            escape(again(summary))
        );
    }
    out
}

/// What a reader must know before any figure.
fn notices(result: &Outcome) -> Vec<String> {
    let mut all = Vec::new();
    if result.partial {
        all.push("The run was interrupted: these results are partial.".to_owned());
    }
    if result.trimmed {
        all.push("This result was saved as a baseline: it has figures, but nothing over time. `scsim run … --json FILE` keeps everything.".to_owned());
    } else if result.summary.is_none() {
        all.push("This result was written by an earlier scsim, which kept less than a page shows; run the scenario again for the rest.".to_owned());
    }
    let absent = result.planes.iter().filter(|plane| !plane.applicable);
    all.extend(
        absent.map(|p| format!("{}: not applicable: {}", p.name, p.reason.as_deref().unwrap_or("no reason given"))),
    );
    all
}

/// The same figures again. Results of earlier versions have no such command, only what to try next.
fn again(summary: &Summary) -> &str {
    if summary.again.is_empty() { &summary.next } else { &summary.again }
}

fn judgements(all: &[Judged]) -> String {
    if all.is_empty() {
        return "<p class=quiet>The scenario states no expectations.</p>".to_owned();
    }
    let count = |verdict: &str| all.iter().filter(|j| j.verdict == verdict).count();
    let (held, failed, open) = (count("holds"), count("fails"), count("inconclusive"));
    let mut words = vec![format!("{held} of {} expectations {}", all.len(), if held == 1 { "holds" } else { "hold" })];
    if failed > 0 {
        words.push(format!("{failed} {}", if failed == 1 { "fails" } else { "fail" }));
    }
    if open > 0 {
        words.push(format!("{open} cannot be decided with these replications"));
    }
    let class = if failed > 0 {
        "fails"
    } else if open > 0 {
        "inconclusive"
    } else {
        "holds"
    };
    let mut out = format!("<div class=\"verdicts {class}\"><p class=sum>{}</p><ul>", words.join(", "));
    for j in all {
        let (mark, class) = match j.verdict.as_str() {
            "holds" => ("✓", "holds"),
            "fails" => ("✗", "fails"),
            _ => ("?", "inconclusive"),
        };
        let during =
            if j.during == "all" { String::new() } else { format!(" <span class=dim>in {}</span>", escape(&j.during)) };
        let remark = if j.remark.is_empty() {
            String::new()
        } else {
            format!(" <span class=dim>({})</span>", escape(&j.remark))
        };
        let _ = write!(
            out,
            "<li class={class}><span class=mark aria-hidden=true>{mark}</span><span class=unseen>{}</span> <code>{}</code>{during} <span class=plane>{}</span> <b>{}</b>{remark}",
            escape(&j.verdict),
            escape(&j.that),
            escape(&j.plane),
            escape(&j.observed)
        );
    }
    out.push_str("</ul></div>");
    out
}

fn provenance(result: &Outcome) -> String {
    let mut facts = vec![
        ("scenario", result.scenario.file.clone()),
        ("seed", result.seed.to_string()),
        ("replications", result.replications.to_string()),
        ("intervals", format!("{} %", super::html::short(result.confidence * 100.0))),
        ("digest", result.digest.clone()),
        ("scsim", format!("{} (model {})", result.scsim.version, result.scsim.model)),
    ];
    facts.retain(|(_, value)| !value.is_empty());
    let mut out = String::from("<dl class=facts>");
    for (name, value) in facts {
        let long = if name == "digest" { " class=long" } else { "" };
        let _ = write!(out, "<div><dt>{name}<dd{long}>{}</div>", escape(&value));
    }
    out.push_str("</dl>");
    out
}
