//! The page of all claims, in Markdown.
//!
//! *Knows* its layout. *Does not know* how a figure was made.

use std::fmt::Write as _;
use std::path::Path;

use super::Entry;
use super::Kept;
use super::Shown;
use crate::MODEL_VERSION;
use crate::report::expect::Verdict;
use crate::report::markdown::escaped;
use crate::scenario::ClaimVerdict;
use crate::scenario::Phrase;

/// The page. `folder` is what the ledger was made from, `page` where it will lie, for its links.
/// Entries come in the order of their claims.
pub fn page(entries: &[Entry], folder: &str, page: &Path) -> String {
    let mut out = String::from("# Claims\n\n");
    let _ = write!(
        out,
        "What practitioners say about connecting ECS services, and what simulation and bills show. This page is generated: \
         `scsim ledger {folder} -o {}`; `--check` fails if it is stale. Model {MODEL_VERSION}.\n\n\
         A verdict stands only if every expectation of its scenario held; otherwise it is **NOT SHOWN**. Figures are means \
         over replications with their confidence interval, `±` half its width; a percentile is that of all replications together.\n\n",
        page.display()
    );
    let stands = entries.iter().filter(|entry| entry.stands()).count();
    let count = |verdict| entries.iter().filter(|e| e.stands() && e.claim.verdict == verdict).count();
    let _ = write!(
        out,
        "{} scenarios. Holds: {}. Holds only if: {}. Refuted: {}. Not shown: {}.\n\n",
        entries.len(),
        count(ClaimVerdict::Holds),
        count(ClaimVerdict::HoldsOnlyIf),
        count(ClaimVerdict::Refuted),
        entries.len() - stands
    );
    out.push_str("| | claim | verdict | condition | deciding figure | scenario |\n|---|---|---|---|---|---|\n");
    for entry in entries {
        let claim = &entry.claim;
        let _ = writeln!(
            out,
            "| [{}](#{}) | {} | {} | {} | {} | [{}]({}) |",
            claim.id,
            claim.id.to_lowercase(),
            escaped(&claim.says),
            verdict(entry),
            claim.condition.as_deref().map_or_else(|| "–".to_owned(), escaped),
            deciding(entry),
            escaped(stem(&entry.file)),
            link(&entry.file, page)
        );
    }
    for (i, entry) in entries.iter().enumerate() {
        if i == 0 || entries[i - 1].claim.id != entry.claim.id {
            let claim = &entry.claim;
            let gap = if i == 0 { "\n" } else { "" };
            let _ = write!(out, "{gap}## {}\n\n> {}\n\n", claim.id, escaped(&claim.says));
            if !claim.from.is_empty() {
                let _ = write!(
                    out,
                    "Said in {}.\n\n",
                    claim.from.iter().map(|from| escaped(from)).collect::<Vec<_>>().join(", ")
                );
            }
        }
        section(&mut out, entry, page);
    }
    out
}

/// The part of one scenario.
fn section(out: &mut String, entry: &Entry, page: &Path) {
    let claim = &entry.claim;
    let condition = claim.condition.as_deref().map_or_else(String::new, |text| format!(" {}", escaped(text)));
    let _ = write!(
        out,
        "### [{}]({})\n\nVerdict: {}{}. {}\n\n",
        escaped(&entry.title),
        link(&entry.file, page),
        verdict(entry),
        condition.trim_end_matches('.'),
        because(entry)
    );
    if !entry.stands() {
        out.push_str(&missing(entry));
    }
    figures(out, entry);
    sums(out, entry);
    expectations(out, entry);
    refusals(out, entry);
    let command = if entry.keys.is_empty() { "run" } else { "sweep" };
    let cells = match entry.cells.len() {
        1 => String::new(),
        n => format!("{n} cells of "),
    };
    let billed = if entry.claim.sums.is_empty() {
        String::new()
    } else {
        format!(" Every line of its bill: `scsim cost {}`.", entry.file)
    };
    let _ = writeln!(
        out,
        "Again: `scsim {command} {}` ({cells}{} replications of {}, seed {}).{billed}\n",
        entry.file, entry.replications, entry.duration, entry.seed
    );
}

fn verdict(entry: &Entry) -> String {
    if entry.stands() {
        format!("**{}**", entry.claim.verdict.name())
    } else {
        format!("**NOT SHOWN** (claimed: {})", entry.claim.verdict.name())
    }
}

/// Why a verdict does not stand.
fn missing(entry: &Entry) -> String {
    let all: Vec<&Kept> = entry.cells.iter().flat_map(|cell| &cell.expectations).filter(|kept| kept.counts).collect();
    let not = |verdict| all.iter().filter(|kept| kept.verdict == verdict).count();
    if all.is_empty() {
        return "> Nothing is expected of this scenario, so nothing was shown.\n\n".to_owned();
    }
    format!(
        "> {} of {} expectations failed, {} are inconclusive.\n\n",
        not(Verdict::Fails),
        all.len(),
        not(Verdict::Inconclusive)
    )
}

/// The sentence with its figures.
fn because(entry: &Entry) -> String {
    let phrase = |phrase: &Phrase| match phrase {
        Phrase::Text(text) => escaped(text),
        Phrase::Figure { figure, plane, cell } => {
            let found = entry.cells.get(*cell as usize).and_then(|cell| cell.figures[*figure][*plane].clone());
            escaped(&found.unwrap_or_else(|| "–".to_owned()))
        }
    };
    entry.claim.because.iter().map(phrase).collect()
}

/// The first figure of the claim, on the first plane that it names; of a sweep its first and last cell.
fn deciding(entry: &Entry) -> String {
    let (Some(figure), Some(first), Some(last)) =
        (entry.claim.figures.first(), entry.cells.first(), entry.cells.last())
    else {
        return "–".to_owned();
    };
    let Some(&plane) = figure.planes.first() else { return "–".to_owned() };
    let name = label(entry, 0, plane);
    let value = |cell: &Shown| escaped(cell.figures[0][plane].as_deref().unwrap_or("–"));
    if entry.cells.len() == 1 {
        return format!("{}: {}", escaped(&name), value(first));
    }
    let at = |cell: &Shown| escaped(&cell.values.join(", "));
    format!("{}: {} at {}, {} at {}", escaped(&name), value(first), at(first), value(last), at(last))
}

/// What a figure is called on one plane.
fn label(entry: &Entry, figure: usize, plane: usize) -> String {
    let figure = &entry.claim.figures[figure];
    match figure.planes[..] {
        [_] => figure.label.clone(),
        _ => format!("{}.{}", entry.planes[plane], figure.label),
    }
}

/// Without a sweep a row per figure and a column per plane; with one, a row per cell.
fn figures(out: &mut String, entry: &Entry) {
    let [cell] = &entry.cells[..] else { return cells(out, entry) };
    if !cell.values.is_empty() {
        return cells(out, entry);
    }
    let shown: Vec<usize> =
        (0..entry.planes.len()).filter(|plane| entry.claim.figures.iter().any(|f| f.planes.contains(plane))).collect();
    out.push_str("| |");
    for &plane in &shown {
        let _ = write!(out, " {} |", escaped(&entry.planes[plane]));
    }
    let _ = writeln!(out, "\n|---|{}", "---:|".repeat(shown.len()));
    for (figure, values) in cell.figures.iter().enumerate() {
        // The plane stands above the column.
        let _ = write!(out, "| {} |", escaped(&figure_name(entry, figure)));
        for &plane in &shown {
            let _ = write!(out, " {} |", values[plane].as_deref().map_or_else(String::new, escaped));
        }
        out.push('\n');
    }
    out.push('\n');
}

fn cells(out: &mut String, entry: &Entry) {
    let columns: Vec<(usize, usize)> = entry
        .claim
        .figures
        .iter()
        .enumerate()
        .flat_map(|(number, figure)| figure.planes.iter().map(move |&plane| (number, plane)))
        .collect();
    out.push('|');
    for key in &entry.keys {
        let _ = write!(out, " {} |", escaped(key));
    }
    for &(figure, plane) in &columns {
        let _ = write!(out, " {} |", escaped(&label(entry, figure, plane)));
    }
    let _ = writeln!(out, "\n|{}{}", "---|".repeat(entry.keys.len()), "---:|".repeat(columns.len()));
    for cell in &entry.cells {
        out.push('|');
        for value in &cell.values {
            let _ = write!(out, " {} |", escaped(value));
        }
        for &(figure, plane) in &columns {
            let _ = write!(out, " {} |", cell.figures[figure][plane].as_deref().map_or_else(String::new, escaped));
        }
        out.push('\n');
    }
    out.push('\n');
}

/// Sums of the articles beside ours, then the lines that ours are made of.
fn sums(out: &mut String, entry: &Entry) {
    if entry.claim.sums.is_empty() {
        return;
    }
    let swept = !entry.keys.is_empty();
    out.push_str("| article | its sum | ours | |\n|---|---|---:|---|\n");
    let mut lines: Vec<String> = Vec::new();
    for (number, sum) in entry.claim.sums.iter().enumerate() {
        let Some(cell) = entry.cells.get(sum.cell as usize) else { continue };
        let mut place = escaped(&entry.planes[sum.plane]);
        if swept {
            let _ = write!(place, ", at {}", escaped(&cell.values.join(", ")));
        }
        let _ = writeln!(
            out,
            "| {} | {} | {} | {}, {place} |",
            escaped(&sum.article),
            escaped(&sum.says),
            escaped(cell.figures[sum.figure][sum.plane].as_deref().unwrap_or("–")),
            escaped(&figure_name(entry, sum.figure)),
        );
        for step in &cell.workings[number] {
            let line = format!(
                "| {place} | {} | {} | {} | {} |\n",
                escaped(&step.item),
                escaped(&step.amount),
                escaped(&step.formula),
                escaped(&step.source)
            );
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    if !lines.is_empty() {
        out.push_str("\nOur lines:\n\n| | line | a month | formula | source |\n|---|---|---:|---|---|\n");
        out.push_str(&lines.concat());
    }
    out.push('\n');
}

/// A figure's label without the plane before it.
fn figure_name(entry: &Entry, figure: usize) -> String {
    let label = &entry.claim.figures[figure].label;
    let bare = entry.planes.iter().find_map(|plane| label.strip_prefix(plane)?.strip_prefix('.'));
    bare.unwrap_or(label).to_owned()
}

fn expectations(out: &mut String, entry: &Entry) {
    let swept = !entry.keys.is_empty();
    if entry.cells.iter().all(|cell| cell.expectations.is_empty()) {
        return;
    }
    out.push_str(if swept {
        "| | expected | cell | plane | observed |\n|---|---|---|---|---:|\n"
    } else {
        "| | expected | plane | observed |\n|---|---|---|---:|\n"
    });
    for cell in &entry.cells {
        for kept in &cell.expectations {
            let mark = match kept.verdict {
                Verdict::Holds => "✓",
                Verdict::Fails => "✗",
                Verdict::Inconclusive => "?",
            };
            let during = if kept.during.is_empty() { String::new() } else { format!(" in {}", escaped(&kept.during)) };
            let scope = if kept.scope.is_empty() { String::new() } else { format!(" on {}", escaped(&kept.scope)) };
            let place = if swept { format!(" {} |", escaped(&cell.values.join(", "))) } else { String::new() };
            let _ = writeln!(
                out,
                "| {mark} | `{}`{scope}{during} |{place} {} | {} |",
                kept.that.replace('|', "\\|"),
                escaped(&kept.plane),
                escaped(&kept.observed)
            );
        }
    }
    out.push('\n');
}

/// What the file must not load with.
fn refusals(out: &mut String, entry: &Entry) {
    for refused in &entry.refusals {
        let (mark, said) = match &refused.message {
            Some(message) => ("✓", format!("refused: \"{}\"", escaped(message))),
            None => ("✗", "not refused as claimed".to_owned()),
        };
        let _ = writeln!(out, "{mark} With `{}`: {said}.\n", refused.set);
    }
}

/// The file's name without folder and extension.
fn stem(file: &str) -> &str {
    Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or(file)
}

/// From the page to a file, if both are named from the same place.
fn link(file: &str, page: &Path) -> String {
    if Path::new(file).is_absolute() || page.is_absolute() || page.starts_with("..") {
        return file.to_owned();
    }
    let depth = page.parent().map_or(0, |parent| parent.components().filter(|c| c.as_os_str() != ".").count());
    format!("{}{file}", "../".repeat(depth))
}
