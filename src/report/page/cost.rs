//! What each plane costs a month, beside what it bought, and where sidecars and load balancers break even.
//!
//! *Knows* the lines of a bill as the file has them: amounts are decimal texts and stay as they are where they are
//! shown. *Does not know* prices.

use std::fmt::Write as _;

use super::Section;
use super::chart::Chart;
use super::chart::LEFT;
use super::chart::Layer;
use super::html::Table;
use super::html::escape;
use super::html::short;
use super::read::Bill;
use super::read::BreakEven;
use super::read::PlaneBill;
use super::scale::Axis;
use crate::report::figure::Unit;
use crate::report::format;
use crate::report::format::number;

/// The panel.
pub(super) fn render(section: &Section<'_>) -> String {
    let Some(bill) = &section.result.cost else { return String::new() };
    if bill.planes.iter().all(|plane| !plane.applicable) {
        return String::new();
    }
    let mut out = format!(
        "<p class=quiet>{}, {} hours a month, {} ({}). {}</p>",
        escape(&bill.region),
        bill.hours,
        escape(&bill.price_book.name),
        escape(&bill.price_book.date),
        if bill.simulated { "Lines by use come from this run." } else { "Nothing was simulated for lines by use." }
    );
    out.push_str(&sums(section, bill));
    out.push_str(&readings(bill));
    out.push_str(&break_even(section, bill));
    out.push_str(&lines(bill));
    for note in &bill.notes {
        let _ = write!(out, "<p class=quiet>{}</p>", escape(note));
    }
    out
}

/// `$1 234.56`, ready for the page; the text itself if it is no number.
fn dollars(text: &str) -> String {
    text.parse::<f64>()
        .ok()
        .filter(|x| x.is_finite())
        .map_or_else(|| escape(text), |x| format!("${}", number(x, if x.abs() < 0.1 && x != 0.0 { 4 } else { 2 })))
}

fn amount(text: Option<&str>) -> String {
    text.map_or_else(|| "unknown".to_owned(), dollars)
}

fn value(text: Option<&str>) -> Option<f64> {
    text?.parse::<f64>().ok().filter(|x| x.is_finite())
}

/// Dollars beside error rate and p99.
fn sums(section: &Section<'_>, bill: &Bill) -> String {
    let most =
        bill.planes.iter().filter_map(|p| value(p.high.as_deref().or(p.per_month.as_deref()))).fold(0.0, f64::max);
    let mut out = format!(
        "<figure class=falls id=\"{}bill\"><div class=scroll tabindex=0 role=group aria-label=\"cost beside reliability\"><table class=\"grid-table twin-of\"><thead><tr><th scope=col>plane<th scope=col class=n>a month<th scope=col class=n>interval<th scope=col class=n>per million good requests<th scope=col class=n>error rate<th scope=col class=n>p99<th scope=col class=wide>a month<tbody>",
        section.prefix
    );
    for (i, plane) in bill.planes.iter().enumerate() {
        if !plane.applicable {
            let _ = write!(
                out,
                "<tr><th scope=row>{}<td colspan=6 class=dim>{}",
                escape(&plane.name),
                escape(plane.reason.as_deref().unwrap_or("not applicable"))
            );
            continue;
        }
        let mean = |key: &str| {
            let plane = section.result.planes.iter().find(|p| p.name == plane.name)?;
            plane.metrics.get(key).copied().flatten()?.mean
        };
        let interval = match (&plane.low, &plane.high) {
            (Some(low), Some(high)) if low != high => format!("{} to {}", dollars(low), dollars(high)),
            _ => String::new(),
        };
        let share = value(plane.per_month.as_deref()).map_or(0.0, |x| if most > 0.0 { x / most * 100.0 } else { 0.0 });
        let unknown = if plane.unknown.is_empty() {
            String::new()
        } else {
            format!(" <span class=dim title=\"{}\">+ unknown</span>", escape(&plane.unknown.join("; ")))
        };
        let shown = |key: &str, unit| mean(key).map_or_else(|| "–".to_owned(), |x| format::single(x, unit));
        let _ = write!(
            out,
            "<tr><th scope=row><span class=\"key k{0}\"></span>{1}<td class=n><b>{2}</b>{unknown}<td class=\"n dim\">{interval}<td class=n>{3}<td class=n>{4}<td class=n>{5}<td class=wide><span class=\"fall k{0}\"><i class=money style=\"left:0;width:{share:.2}%\"></i></span>",
            i % 8,
            escape(&plane.name),
            amount(plane.per_month.as_deref()),
            amount(plane.per_million_good_requests.as_deref()),
            shown("error_rate", Unit::Share),
            shown("p99_ms", Unit::Millis),
        );
    }
    out.push_str("</table></div><button type=button class=\"csv js\" data-name=cost>CSV</button></figure>");
    out
}

/// What is paid for the sidecars, read in three ways.
fn readings(bill: &Bill) -> String {
    let mut out = String::new();
    for plane in bill.planes.iter().filter(|plane| plane.applicable && !plane.readings.is_empty()) {
        let _ = write!(
            out,
            "<h3>What you pay for the sidecars of {}</h3><div class=scroll tabindex=0 role=group aria-label=readings><table class=grid-table><thead><tr><th scope=col>reading<th scope=col class=n>per task<th scope=col class=n>a month<th scope=col>note<tbody>",
            escape(&plane.name)
        );
        for reading in &plane.readings {
            let (open, close) = if reading.in_sum { ("<b>", "</b>") } else { ("", "") };
            let _ = write!(
                out,
                "<tr><th scope=row>{open}{}{close}{}<td class=n>{}<td class=n>{open}{}{close}<td class=dim>{}",
                escape(&reading.label),
                if reading.in_sum { " <span class=dim>(in the sum)</span>" } else { "" },
                amount(reading.per_task.as_deref()),
                amount(reading.per_month.as_deref()),
                escape(&reading.note)
            );
        }
        out.push_str("</table></div>");
    }
    out
}

/// Sidecars by the number of tasks, against load balancers.
fn break_even(section: &Section<'_>, bill: &Bill) -> String {
    let whole: Vec<&BreakEven> = bill.break_even.iter().filter(|at| at.service.is_none()).collect();
    let mut curves: Vec<(String, f64, bool)> = Vec::new();
    for at in &whole {
        let words = |reading: &str| match reading {
            "next_size" => "sidecars, next size on sale".to_owned(),
            "exact" => "sidecars, exact addition".to_owned(),
            other => format!("sidecars, {other}"),
        };
        for (name, slope, rises) in [
            (words(&at.reading), value(at.sidecar_per_task.as_deref()), true),
            (at.against.clone(), value(at.alb_per_month.as_deref()), false),
        ] {
            if let Some(slope) = slope.filter(|slope| *slope > 0.0)
                && !curves.iter().any(|(known, ..)| *known == name)
            {
                curves.push((name, slope, rises));
            }
        }
    }
    if !curves.iter().any(|c| c.2) || curves.iter().all(|c| c.2) {
        return per_service(section, bill);
    }
    let reach = whole.iter().flat_map(|at| [value(at.tasks.as_deref()), value(Some(&at.tasks_now))]).flatten();
    let most = (reach.fold(1.0, f64::max) * 1.15).ceil().max(4.0);
    let steps = most.min(40.0);
    let points = |slope: f64, rises: bool| -> Vec<(f64, f64)> {
        let xs = (0..=steps as u32).map(|i| (f64::from(i) * most / steps).round());
        xs.map(|x| (x, if rises { slope * x } else { slope })).collect()
    };
    let lines: Vec<Vec<(f64, f64)>> = curves.iter().map(|(_, slope, rises)| points(*slope, *rises)).collect();
    let high = lines.iter().flatten().map(|p| p.1).fold(0.0, f64::max);
    let mut table = Table::new(["tasks".to_owned()].into_iter().chain(curves.iter().map(|(name, ..)| name.clone())));
    for (n, (x, _)) in lines[0].iter().enumerate() {
        table.rows.push(
            [short(*x)]
                .into_iter()
                .chain(lines.iter().map(|line| short((line[n].1 * 100.0).round() / 100.0)))
                .collect(),
        );
    }
    let now = whole.first().map_or("0", |at| at.tasks_now.as_str());
    let note = format!("dollars a month by the number of tasks with a sidecar; this estate has {now}");
    let mut layers: Vec<Layer> = lines
        .iter()
        .enumerate()
        .map(|(i, line)| Layer::Line(i, line.iter().map(|(x, y)| (*x, Some(*y))).collect()))
        .collect();
    if let Some(now) = value(Some(now)) {
        let at = curves.iter().enumerate().filter(|(_, (.., rises))| *rises);
        layers.extend(at.map(|(i, (_, slope, _))| Layer::Dots(i, vec![(now, slope * now)])));
    }
    let mut x = Axis::between(0.0, most, Unit::Count);
    x.to = most;
    let chart = Chart {
        id: format!("{}break-even", section.prefix),
        title: "Break-even",
        note: &note,
        x,
        y: Axis::upwards(high, Unit::Dollars, 4.0),
        left: LEFT,
        height: 190.0,
        marks: &[],
        names: false,
        zooms: false,
        layers,
        table,
    };
    let mut out = chart.render();
    out.push_str("<ul class=keys>");
    for (i, (name, ..)) in curves.iter().enumerate() {
        let _ = write!(
            out,
            "<li class=k{0}><svg viewBox=\"0 0 30 10\" aria-hidden=true><path class=\"stroke k{0}\" d=\"M1 5H29\"/></svg>{1}",
            i % 8,
            escape(name)
        );
    }
    out.push_str("</ul>");
    out.push_str(&per_service(section, bill));
    out
}

/// Services in the table at the most.
const SERVICES_MAX: usize = 100;

fn per_service(_: &Section<'_>, bill: &Bill) -> String {
    if bill.break_even.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<details><summary>Break-even by service</summary><div class=scroll tabindex=0 role=group aria-label=\"break-even by service\"><table class=grid-table><thead><tr><th scope=col>service<th scope=col>reading<th scope=col>against<th scope=col class=n>ALB a month<th scope=col class=n>sidecar per task<th scope=col class=n>break-even tasks<th scope=col class=n>tasks now<th scope=col>verdict<tbody>",
    );
    for at in bill.break_even.iter().take(SERVICES_MAX) {
        let _ = write!(
            out,
            "<tr><th scope=row>{}<td>{}<td>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=dim>{}",
            at.service.as_deref().map_or_else(|| "<i>the whole estate</i>".to_owned(), escape),
            escape(&at.reading.replace('_', " ")),
            escape(&at.against),
            amount(at.alb_per_month.as_deref()),
            amount(at.sidecar_per_task.as_deref()),
            escape(at.tasks.as_deref().unwrap_or("–")),
            escape(&at.tasks_now),
            escape(&at.note)
        );
    }
    out.push_str("</table></div>");
    if bill.break_even.len() > SERVICES_MAX {
        let _ = write!(out, "<p class=notice>{} more are in the data.</p>", bill.break_even.len() - SERVICES_MAX);
    }
    out.push_str("</details>");
    out
}

/// Lines of one plane in the table at the most.
const LINES_MAX: usize = 60;

/// Every line with its formula and source.
fn lines(bill: &Bill) -> String {
    let mut out = String::from("<details><summary>Every line, with formula and source</summary>");
    for plane in bill.planes.iter().filter(|plane| plane.applicable) {
        out.push_str(&lines_of(plane));
    }
    out.push_str("</details>");
    out
}

fn lines_of(plane: &PlaneBill) -> String {
    let mut out = format!(
        "<h3>{}</h3><div class=scroll tabindex=0 role=group aria-label=\"lines\"><table class=grid-table><thead><tr><th scope=col>line<th scope=col class=n>quantity<th scope=col class=n>a month<th scope=col>formula<th scope=col>source<tbody>",
        escape(&plane.name)
    );
    for line in plane.lines.iter().take(LINES_MAX) {
        let _ = write!(
            out,
            "<tr><th scope=row>{}<br><span class=dim>{}</span><td class=n>{} {}<td class=n>{}<td><code>{}</code><td class=dim>{} ({})",
            escape(&line.item),
            escape(&line.group),
            escape(line.quantity.as_deref().unwrap_or("unknown")),
            escape(&line.unit),
            amount(line.per_month.as_deref()),
            escape(&line.formula),
            escape(&line.source),
            escape(&line.confidence)
        );
    }
    out.push_str("</table></div>");
    if plane.lines.len() > LINES_MAX {
        let _ = write!(out, "<p class=notice>{} more lines are in the data.</p>", plane.lines.len() - LINES_MAX);
    }
    out
}
