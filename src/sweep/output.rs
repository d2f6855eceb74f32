//! A sweep as CSV, one row per cell, plane and figure, and as JSON, `schema = "scsim.sweep/1"`.
//!
//! *Knows* the published names. *Does not know* how many cells fit into memory: both formats are
//! written cell by cell.

use std::io;
use std::io::Write;

use sha2::Digest as _;
use sha2::Sha256;

use super::Cells;
use super::PartError;
use super::part::hex;
use crate::report::csv::quoted;

/// Writes the CSV. A field that the file decides is empty, and so is a figure's missing end.
///
/// # Errors
/// What cannot be read or written.
pub fn csv(cells: &Cells, out: &mut dyn Write) -> Result<(), PartError> {
    let said = |error| PartError::Io { path: "output".to_owned(), error };
    let mut head = vec!["cell".to_owned()];
    head.extend(cells.header.axes.iter().map(|axis| quoted(&axis.key)));
    let columns =
        ["plane", "scope", "during", "metric", "unit", "mean", "low", "high", "worst", "replications", "never"];
    head.extend(columns.map(str::to_owned));
    writeln!(out, "{}", head.join(",")).map_err(said)?;
    cells.for_each(|cell, _| {
        let mut front = vec![cell.cell.to_string()];
        front.extend(cell.values.iter().map(|value| quoted(value.as_deref().unwrap_or(""))));
        let front = front.join(",");
        for plane in &cell.planes {
            for figure in &plane.figures {
                let number = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
                let names = [&plane.name, &figure.scope, &figure.during, &figure.metric, &figure.unit];
                let names = names.map(|name| quoted(name)).join(",");
                let numbers = [figure.mean, figure.low, figure.high, figure.worst].map(number).join(",");
                writeln!(out, "{front},{names},{numbers},{},{}", figure.replications, figure.never)?;
            }
        }
        Ok(())
    })
}

/// Writes the JSON. Its digest covers the header and every cell.
///
/// # Errors
/// What cannot be read or written.
pub fn json(cells: &Cells, out: &mut dyn Write) -> Result<(), PartError> {
    let said = |error: io::Error| PartError::Io { path: "output".to_owned(), error };
    let header = &cells.header;
    let text = |value: &str| serde_json::Value::from(value).to_string();
    let scenario = format!(
        "{{\"file\":{},\"title\":{},\"digest\":{}}}",
        text(&header.file),
        text(&header.title),
        text(&header.scenario)
    );
    let axes = serde_json::to_string(&header.axes).expect("every key is a string");
    write!(
        out,
        "{{\"schema\":\"scsim.sweep/1\",\n\"scsim\":{{\"model\":{}}},\n\"scenario\":{scenario},\n\"seed\":{},\
         \"replications\":{},\"confidence\":{},\n\"mode\":{},\n\"axes\":{axes},\n\"cells\":[\n",
        header.model,
        header.seed,
        header.replications,
        header.confidence,
        text(&header.mode),
    )
    .map_err(said)?;
    let mut hasher = Sha256::new();
    hasher.update(&header.digest);
    let mut first = true;
    cells.for_each(|_, line| {
        hasher.update(line);
        let comma = if std::mem::take(&mut first) { "" } else { ",\n" };
        write!(out, "{comma}{line}")
    })?;
    writeln!(out, "\n],\n\"digest\":\"{}\"}}", hex(&hasher.finalize())).map_err(said)
}
