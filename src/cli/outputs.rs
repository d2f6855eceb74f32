//! Where results go: every file once, none of them a scenario, each in a folder that is there.
//!
//! Looked at before anything is simulated: a wrong path must not cost a run, nor a file.

use super::Exit;
use super::args::Common;
use super::args::Format;
use super::args::RunArgs;
use super::console;
use super::console::complain;
use crate::report::file::write_whole;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Checks every output that the arguments name against the inputs and each other.
///
/// # Errors
/// [`Exit::Usage`] after telling what is wrong.
pub fn check(common: &Common, args: &RunArgs, inputs: &[PathBuf]) -> Result<(), Exit> {
    let named = [
        ("--output", &common.output),
        ("--json", &args.json),
        ("--markdown", &args.markdown),
        ("--csv", &args.csv),
        ("--html", &args.pages.html),
        ("--timeseries", &args.pages.timeseries),
        ("--trace", &args.look.trace),
        ("--junit", &args.gate.junit),
        ("--save-baseline", &args.gate.save_baseline),
    ];
    if let Some(folder) = args.pages.hdr.as_deref().filter(|folder| folder.exists() && !folder.is_dir()) {
        complain(&format!("error: --hdr {}: this is no folder", folder.display()));
        return Err(Exit::Usage);
    }
    check_all(&named, "the scenario", inputs)
}

/// The same for outputs with these flags; `what` is said of an input.
///
/// # Errors
/// [`Exit::Usage`] after telling what is wrong.
pub fn check_all(named: &[(&str, &Option<PathBuf>)], what: &str, inputs: &[PathBuf]) -> Result<(), Exit> {
    let files: Vec<(&str, &Path)> = named
        .iter()
        .filter_map(|(flag, path)| Some((*flag, path.as_deref()?)))
        .filter(|(_, path)| *path != Path::new("-"))
        .collect();
    for (i, (flag, path)) in files.iter().enumerate() {
        let place = real(path);
        if inputs.iter().any(|input| real(input) == place) {
            complain(&format!("error: {flag} {} would overwrite {what} itself", path.display()));
            return Err(Exit::Usage);
        }
        if let Some((other, _)) = files[..i].iter().find(|(_, earlier)| real(earlier) == place) {
            complain(&format!("error: {other} and {flag} both write {}", path.display()));
            return Err(Exit::Usage);
        }
        if path.is_dir() || !folder(path).is_dir() {
            complain(&format!("error: {flag} {}: no file can be written there", path.display()));
            return Err(Exit::Usage);
        }
    }
    Ok(())
}

/// Two outputs cannot share stdout, nor one with the main output where that was asked for.
///
/// # Errors
/// [`Exit::Usage`] after telling which do.
pub fn one_owner_of_stdout(common: &Common, named: &[(&str, &Option<PathBuf>)]) -> Result<(), Exit> {
    let dash = Path::new("-");
    let owners: Vec<&str> =
        named.iter().filter(|(_, path)| path.as_deref() == Some(dash)).map(|(flag, _)| *flag).collect();
    let main_asked =
        common.output.as_deref() == Some(dash) || common.format != Format::Human && common.output.is_none();
    if owners.len() > 1 || main_asked && !owners.is_empty() {
        complain(&format!(
            "error: only one output can go to stdout, but {} ask for it",
            if owners.len() > 1 { owners.join(" and ") } else { format!("{} and the main output", owners[0]) }
        ));
        return Err(Exit::Usage);
    }
    Ok(())
}

/// Puts a text where it belongs: on stdout for `-`, else whole into a file or not at all.
pub fn deliver(path: &Path, text: &str) -> Exit {
    if path == Path::new("-") {
        return console::print(text);
    }
    match write_whole(path, text.as_bytes()) {
        Ok(()) => Exit::Held,
        Err(error) => {
            complain(&format!("error: cannot write {}: {error}", path.display()));
            Exit::Usage
        }
    }
}

fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The place a path means, also when the file is not there yet.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| {
        let folder = fs::canonicalize(folder(path)).unwrap_or_else(|_| folder(path));
        path.file_name().map_or_else(|| folder.clone(), |name| folder.join(name))
    })
}
