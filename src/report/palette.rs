//! The colours of charts, for pages and for files.
//!
//! *Knows* an order of colours. *Does not know* what they stand for.

use plotters::style::RGBColor;

/// Colours that are told apart on white, by those who see few colours too (Okabe and Ito). A page's style sheet has
/// others of the same order for dark.
pub const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(80, 80, 80),
    RGBColor(160, 120, 60),
];
