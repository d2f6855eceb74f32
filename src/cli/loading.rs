//! From a path on the command line to a scenario, or to diagnostics on stderr.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use super::Exit;
use super::args::Shape;
use super::console::Console;
use super::console::complain;
use crate::scenario::Scenario;

/// How often a run wants each plane simulated, as far as flags say.
#[derive(Clone, Default, Debug)]
pub struct Often {
    /// `--replications`.
    pub replications: Option<u32>,
    /// `--precision`.
    pub precision: Option<String>,
    /// `--fast`.
    pub fast: bool,
}

/// The files that the arguments name: files as they are, folders as the `.toml` files in them.
///
/// # Errors
/// [`Exit::Nothing`] if that is no file at all, [`Exit::Usage`] if a folder cannot be read.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Exit> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let entries = fs::read_dir(path).map_err(|error| {
            complain(&format!("error: cannot read the folder {}: {error}", path.display()));
            Exit::Usage
        })?;
        let mut found: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|file| file.extension().is_some_and(|e| e == "toml") && file.is_file())
            .collect();
        found.sort();
        all.append(&mut found);
    }
    if all.is_empty() {
        complain("error: no scenario found (a folder counts its .toml files)");
        return Err(Exit::Nothing);
    }
    Ok(all)
}

/// A scenario, or `None` after its problems have been told.
pub fn scenario(console: &Console, path: &Path, shape: &Shape, often: &Often) -> Option<Scenario> {
    let _ = (console, shape, often);
    complain(&format!("error: {}: loading scenarios is not merged yet", path.display()));
    None
}

/// Every value that a run of the file would use.
pub fn defaults(path: &Path, shape: &Shape) -> String {
    let _ = (path, shape);
    String::new()
}

/// The scenario whose constants to list: the one named, or one with every built-in plane.
pub fn for_assumptions(console: &Console, path: Option<&Path>, shape: &Shape) -> Option<Scenario> {
    scenario(console, path?, shape, &Often::default())
}

/// "; did you mean `x`?", or nothing.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let _ = (word, candidates.into_iter());
    String::new()
}
