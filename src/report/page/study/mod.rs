//! What varied a scenario, as panels: sweeps and searches for a capacity.
//!
//! *Knows* which result a study belongs to: that of the same file and title. *Does not know* how studies are
//! made. Start reading at `read`, which says what a file must have; `sweep` and `capacity` draw.

mod capacity;
mod read;
mod sweep;

use std::fmt::Write as _;

use serde_json::Value;

use super::Made;
use super::Taken;
use super::html;
use super::html::escape;
use super::read::Outcome;
use crate::report::compare;
use crate::report::format::number;
pub use read::Study;
pub use read::Unfit;
use read::What;
pub use read::read;

/// Bytes that the data of all studies may take on a page.
const DATA_MAX: usize = 300_000;

/// Where each study goes.
pub(super) struct Placed<'a> {
    /// The studies of each result.
    pub of: Vec<Vec<&'a Study>>,
    /// Those of no result, by scenario.
    pub alone: Vec<Vec<&'a Study>>,
}

/// Puts studies beside the results of the same scenario.
pub(super) fn placed<'a>(taken: &[Taken], studies: &'a [Study]) -> Placed<'a> {
    let mut placed = Placed { of: taken.iter().map(|_| Vec::new()).collect(), alone: Vec::new() };
    for study in studies {
        if let Some(at) = taken.iter().position(|one| study.is_of(&one.result)) {
            placed.of[at].push(study);
        } else if let Some(group) = placed.alone.iter_mut().find(|group| group[0].is_beside(study)) {
            group.push(study);
        } else {
            placed.alone.push(vec![study]);
        }
    }
    placed
}

/// A study on its way to a page.
struct Place<'a> {
    /// In front of every name in an address.
    base: String,
    /// The planes whose colours are taken already, in their order.
    planes: Vec<&'a str>,
}

impl<'a> Place<'a> {
    /// The number of a plane's colour: that of the result, where there is one.
    fn colour(&mut self, plane: &'a str) -> usize {
        self.planes.iter().position(|known| *known == plane).unwrap_or_else(|| {
            self.planes.push(plane);
            self.planes.len() - 1
        })
    }
}

/// The panels of studies of one scenario. `count` studies share the page.
pub(super) fn panels(studies: &[&Study], beside: Option<&Outcome>, prefix: &str, count: usize) -> Vec<Made> {
    let mut seen = (0, 0);
    let made = studies.iter().map(|study| {
        let (name, heading, number) = match study.what {
            What::Sweep(_) => ("sweep", "Sweep", &mut seen.0),
            What::Capacity(_) => ("capacity", "Capacity", &mut seen.1),
        };
        *number += 1;
        let (name, heading) = if *number == 1 {
            (name.to_owned(), heading.to_owned())
        } else {
            (format!("{name}-{number}"), format!("{heading} {number}"))
        };
        let planes = beside.map_or_else(Vec::new, |result| result.planes.iter().map(|p| p.name.as_str()).collect());
        let mut place = Place { base: format!("{prefix}{name}"), planes };
        let mut inside = against(study, beside);
        inside.push_str(&match &study.what {
            What::Sweep(found) => sweep::render(found, &mut place),
            What::Capacity(found) => capacity::render(found, &mut place),
        });
        inside.push_str(&data(study, &place.base, DATA_MAX / count.max(1)));
        (name, heading, inside)
    });
    made.collect()
}

/// The first panel of an article without a result.
pub(super) fn about(studies: &[&Study], results: usize) -> String {
    let origin = studies[0].origin();
    let mut out = format!("<h1>{}</h1>", escape(&origin.title));
    let kinds: Vec<&str> = studies
        .iter()
        .map(|study| match study.what {
            What::Sweep(_) => "a sweep",
            What::Capacity(_) => "a search for its capacity",
        })
        .collect();
    let _ = write!(out, "<p class=subtitle>{}, without the result of a run</p>", kinds.join(" and "));
    if results > 0 {
        let these = if results == 1 { "the result" } else { "the results" };
        let _ = write!(
            out,
            "<p class=notice role=note>This is of another scenario than {these} on this page (<code>{}</code>, “{}”): do not compare their figures.</p>",
            escape(&origin.file),
            escape(&origin.title)
        );
    }
    out
}

/// What sets a study apart from the result beside it.
fn against(study: &Study, beside: Option<&Outcome>) -> String {
    let Some(result) = beside else { return String::new() };
    let mut differ = Vec::new();
    if study.model() != result.scsim.model {
        differ.push(format!("it was made with model {}, the result with model {}", study.model(), result.scsim.model));
    }
    if study.seed() != result.seed {
        differ.push(format!("its seed is {}, that of the result {}", study.seed(), result.seed));
    }
    // A search sets rates, tasks and replications itself, so its digest is never that of a run.
    if matches!(study.what, What::Sweep(_)) && study.origin().digest != result.scenario.digest {
        differ.push("the text of the file or its overrides (--set, --duration, -n, --fast) differ".to_owned());
    }
    if differ.is_empty() {
        return String::new();
    }
    format!(
        "<p class=notice role=note>Not under the same conditions as the result on this page: {}.</p>",
        escape(&differ.join("; "))
    )
}

/// The study itself inside the page.
fn data(study: &Study, base: &str, room: usize) -> String {
    let schema = study.schema();
    let text = html::island(&study.whole);
    if text.len() > room {
        return format!(
            "<p class=quiet>The <code>{schema}</code> behind this panel has {} KB and is left out to keep the page small; its file has it.</p>",
            number(text.len() as f64 / 1e3, 0)
        );
    }
    let stem = compare::stem(&study.origin().file);
    format!(
        "<p class=quiet>The data behind this panel is <code>{schema}</code>, {} KB, digest of the scenario <code>{}</code>. <button type=button class=\"json js\" data-of=\"{base}-json\" data-name=\"{}\">Download JSON</button></p><script type=\"application/json\" id=\"{base}-json\">{text}</script>",
        number(text.len() as f64 / 1e3, 0),
        escape(study.origin().digest.get(..12).unwrap_or(&study.origin().digest)),
        escape(&format!("{stem}-{}.json", schema.trim_start_matches("scsim.").trim_end_matches("/1"))),
    )
}

/// What lines mean: the planes with their colours.
fn keys<'a>(planes: impl Iterator<Item = (usize, &'a str)>) -> String {
    let mut out = String::from("<ul class=keys>");
    for (colour, name) in planes {
        let _ = write!(
            out,
            "<li class=k{0}><svg viewBox=\"0 0 30 10\" aria-hidden=true><path class=\"stroke k{0}\" d=\"M1 5H29\"/></svg>{1}",
            colour % 8,
            escape(name)
        );
    }
    out.push_str("</ul>");
    out
}

/// The value of a key, for names of files and schemas.
fn text_at<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}
