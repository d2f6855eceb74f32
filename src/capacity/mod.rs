//! How much load is carried, or how few tasks carry it, with an SLO met.
//!
//! *Knows* how a boundary is searched for, when a verdict is sure, and what is full at it. *Does not
//! know* files, threads or how a scenario is run: whoever searches brings that along. Start reading
//! at [`search::Line`]; `probe` judges one position, `pressure` names what binds, `rates` and `variant`
//! change a scenario, `answer` is what came out, and `text`, `json`, `csv` and `chart` write it.

pub mod answer;
pub mod chart;
pub mod csv;
pub mod json;
pub mod pressure;
pub mod probe;
pub mod rates;
pub mod search;
pub mod text;
pub mod variant;
