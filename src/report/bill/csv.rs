//! A bill as comma-separated values: a line per plane and line of the bill.
//!
//! *Knows* the columns. *Does not know* how a line came about. Amounts are exact.

use super::Priced;
use super::exactly;
use crate::cost;
use crate::report::csv::quoted;

/// The head line.
pub const HEAD: &str =
    "scenario,plane,group,item,quantity,unit,unit_price,per_month,low,high,formula,source,confidence,unknown\n";

/// The lines of one bill, without the head line. What is not known has empty fields.
pub fn render(priced: &Priced<'_>) -> String {
    let confidence = priced.scenario.run.confidence;
    let mut out = String::new();
    let planes = priced.bill.planes.iter().map(|plane| (plane.name.as_str(), &plane.lines));
    let references = priced.bill.references.iter().map(|reference| (reference.name, &reference.lines));
    for (name, lines) in planes.chain(references) {
        for line in lines {
            let (per_month, low, high) = exactly(&line.amount, confidence);
            let fields = [
                priced.scenario.file.clone(),
                name.to_owned(),
                line.group.name().to_owned(),
                line.item.clone(),
                line.quantity.map_or_else(String::new, cost::plain),
                line.unit.clone(),
                line.unit_price.map_or_else(String::new, |money| money.to_string()),
                per_month.unwrap_or_default(),
                low.unwrap_or_default(),
                high.unwrap_or_default(),
                line.formula.clone(),
                line.source.clone(),
                line.confidence.name().to_owned(),
                line.amount.unknown().unwrap_or_default().to_owned(),
            ];
            out.push_str(&fields.map(|field| quoted(&field)).join(","));
            out.push('\n');
        }
    }
    out
}
