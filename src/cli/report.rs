//! `scsim report`: a result file as a page, as Markdown or as CSV, without running anything.

use std::path::PathBuf;

use clap::Args;

use super::Exit;
use super::args::Common;
use super::console;
use super::console::Console;
use super::console::complain;
use super::gate;
use super::outputs;
use crate::report::page;

/// `scsim report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// Result file of `run --json` or `test --json`
    #[arg(value_name = "RESULT")]
    pub result: PathBuf,
}

/// Writes the page.
pub fn report(_console: &Console, common: &Common, args: &ReportArgs) -> Exit {
    let named = [("--output", &common.output)];
    if let Err(exit) = outputs::check_all(&named, "the result", std::slice::from_ref(&args.result)) {
        return exit;
    }
    let text = match gate::text_of(&args.result) {
        Ok(text) => text,
        Err(exit) => return exit,
    };
    match page::render(&text) {
        Ok(page) => deliver(common, &page),
        Err(error) => {
            complain(&format!("error: {}: {error}", args.result.display()));
            Exit::Usage
        }
    }
}

fn deliver(common: &Common, text: &str) -> Exit {
    match &common.output {
        Some(path) => outputs::deliver(path, text),
        None => console::print(text),
    }
}
