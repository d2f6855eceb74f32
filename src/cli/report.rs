//! `scsim report`: result files, with sweeps and searches for a capacity, as a page, as Markdown or as CSV, without running anything; and the same page,
//! distributions and time series for `scsim run`.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::Exit;
use super::args::Common;
use super::args::Format;
use super::console;
use super::console::Console;
use super::console::complain;
use super::gate;
use super::outputs;
use crate::report::csv;
use crate::report::hdr::Distribution;
use crate::report::page;
use crate::report::page::Study;
use crate::report::page::Taken;

/// `scsim report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// Result files of `run --json` or `test --json`; with them, or alone, those of `sweep --json` and
    /// `capacity --json`
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Only this scenario of several: its title, the name of its file, or its number; repeat for more
    #[arg(long, env = "SCSIM_SCENARIO", value_name = "NAME")]
    pub scenario: Vec<String>,
    /// Open the page in a browser
    #[arg(long, env = "SCSIM_OPEN", requires = "output", value_parser = FalseyValueParser::new())]
    pub open: bool,
}

/// What `run` can write for people to look at.
#[derive(Args, Clone, Debug)]
pub struct PageArgs {
    /// Write the report as one HTML page
    #[arg(long, env = "SCSIM_HTML", value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Open that page in a browser
    #[arg(long, env = "SCSIM_OPEN", requires = "html", value_parser = FalseyValueParser::new())]
    pub open: bool,
    /// Write latencies as HdrHistogram percentile files into this folder, one per plane
    #[arg(long, env = "SCSIM_HDR", value_name = "DIR")]
    pub hdr: Option<PathBuf>,
    /// Write figures over time as CSV
    #[arg(long, env = "SCSIM_TIMESERIES", value_name = "FILE")]
    pub timeseries: Option<PathBuf>,
}

/// Writes the result in the form asked for.
pub fn report(console: &Console, common: &Common, args: &ReportArgs) -> Exit {
    match written(common, args) {
        Ok(text) => {
            let exit = match &common.output {
                Some(path) => outputs::deliver(path, &text),
                None => console::print(&text),
            };
            if exit == Exit::Held && args.open {
                open(console, common.output.as_deref());
            }
            exit
        }
        Err(exit) => exit,
    }
}

fn written(common: &Common, args: &ReportArgs) -> Result<String, Exit> {
    let named = args.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    let refuse = |what: &str| {
        complain(&format!("error: {named}: {what}"));
        Exit::Usage
    };
    outputs::check_all(&[("--output", &common.output)], "the result", &args.files)?;
    if args.open && common.output.as_deref() == Some(Path::new("-")) {
        complain("error: --open needs a file to open: -o FILE");
        return Err(Exit::Usage);
    }
    if common.format == Format::Json {
        return Err(refuse("this is JSON already; a report is html, markdown or csv"));
    }
    let (all, studies) = read(&args.files)?;
    let (chosen, studies) = chosen(all, studies, &args.scenario).map_err(|what| refuse(&what))?;
    let page = matches!(common.format, Format::Human | Format::Html);
    if !page && !studies.is_empty() {
        return Err(refuse(
            "Markdown and CSV of a report are of results alone; `scsim sweep` and `scsim capacity` write their own",
        ));
    }
    match common.format {
        Format::Csv => Ok(format!("{}{}", csv::HEAD, chosen.iter().map(page::csv).collect::<String>())),
        Format::Markdown => {
            let pages: Option<Vec<String>> = chosen.iter().map(page::markdown).collect();
            pages.map(|pages| pages.join("\n")).ok_or_else(|| {
                refuse("an earlier scsim wrote this, or it was trimmed: it lacks the table; write it again with `scsim run ... --json FILE`")
            })
        }
        Format::Human | Format::Html | Format::Json => {
            let count = chosen.len() + studies.len();
            if count > page::RESULTS_MAX {
                return Err(refuse(&format!(
                    "{count} results, a page shows {} at the most; choose with --scenario NAME",
                    page::RESULTS_MAX
                )));
            }
            Ok(page::page(&chosen, &studies))
        }
    }
}

/// What stands in the files: results, sweeps, searches for a capacity.
fn read(files: &[PathBuf]) -> Result<(Vec<Taken>, Vec<Study>), Exit> {
    let (mut results, mut studies) = (Vec::new(), Vec::new());
    for file in files {
        let refuse = |what: String| {
            complain(&format!("error: {}: {what}", file.display()));
            Exit::Usage
        };
        let text = gate::text_of(file)?;
        match page::read_study(&text).map_err(|error| refuse(error.to_string()))? {
            Some(study) => studies.push(study),
            None => results.extend(page::read(&text).map_err(|error| refuse(error.to_string()))?),
        }
    }
    Ok((results, studies))
}

/// The results and studies of scenarios with these names, all of them without any.
fn chosen(all: Vec<Taken>, studies: Vec<Study>, names: &[String]) -> Result<(Vec<Taken>, Vec<Study>), String> {
    if names.is_empty() {
        return Ok((all, studies));
    }
    let is = |taken: &Taken, at: usize, name: &str| taken.is_called(name) || name.parse() == Ok(at + 1);
    let known = |name: &str| {
        all.iter().enumerate().any(|(at, taken)| is(taken, at, name)) || studies.iter().any(|s| s.is_called(name))
    };
    if let Some(name) = names.iter().find(|name| !known(name)) {
        let mut known: Vec<String> = all.iter().map(Taken::name).chain(studies.iter().map(Study::name)).collect();
        known.dedup();
        let hint = super::loading::did_you_mean(name, known.iter().map(String::as_str));
        return Err(format!("this file has no result of `{name}`{hint} (it has {})", listed(&known)));
    }
    let mut at = 0..;
    let wanted = |taken: &Taken| {
        let at = at.next().unwrap_or_default();
        names.iter().any(|name| is(taken, at, name))
    };
    let keep: Vec<bool> = all.iter().map(wanted).collect();
    let chosen: Vec<Taken> = all.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(taken, _)| taken).collect();
    let of_them = |study: &Study| {
        names.iter().any(|name| study.is_called(name)) || chosen.iter().any(|taken| study.varies(taken))
    };
    let studies = studies.into_iter().filter(of_them).collect();
    Ok((chosen, studies))
}

/// A few names, and how many more.
fn listed(names: &[String]) -> String {
    let shown = names.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > 10 { format!("{shown} and {} more", names.len() - 10) } else { shown }
}

/// Shows a page that was written. That it cannot be shown is said, and no failure.
pub fn open(console: &Console, page: Option<&Path>) {
    let Some(page) = page else { return };
    let program = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(target_os = "windows") {
        "explorer"
    } else {
        "xdg-open"
    };
    let started =
        Command::new(program).arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if let Err(error) = started {
        console.say(&format!("scsim: {} is written, but {program} cannot be started: {error}", page.display()));
    }
}

/// Puts distributions into a folder, which is made if there is none.
pub fn distributions(folder: &Path, all: &[Distribution]) -> Exit {
    if let Err(error) = fs::create_dir_all(folder) {
        complain(&format!("error: --hdr {}: no folder can be made there: {error}", folder.display()));
        return Exit::Usage;
    }
    all.iter().fold(Exit::Held, |exit, one| exit.or_worse(outputs::deliver(&folder.join(&one.name), &one.text)))
}
