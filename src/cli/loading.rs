//! From a path on the command line to a scenario, or to diagnostics on stderr.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use super::Exit;
use super::args::Shape;
use super::console::Console;
use super::console::complain;
use crate::diagnostic;
use crate::diagnostic::Charset;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Form;
use crate::scenario;
use crate::scenario::LoadOptions;
use crate::scenario::Loaded;
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
    loaded(console, path, shape, often).map(|loaded| loaded.scenario)
}

/// A scenario with what its file says, or `None` after its problems have been told.
pub fn loaded(console: &Console, path: &Path, shape: &Shape, often: &Often) -> Option<Loaded> {
    told(console, quietly(path, shape, often))
}

/// A scenario with what its file says, or its problems, of which nobody is told.
///
/// # Errors
/// Every problem that keeps it from being simulated.
pub fn quietly(path: &Path, shape: &Shape, often: &Often) -> Result<Loaded, Vec<Diagnostic>> {
    scenario::load(path, &options(shape, often))
}

/// A scenario of a suite.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its file.
    pub file: PathBuf,
    /// What it is called: its path below the folder named, without its ending.
    pub name: String,
}

/// Deepest nesting of folders that is searched.
const FOLDERS_MAX: usize = 32;

/// Every scenario that the arguments name: files as they are, folders with all below them, in
/// order of their paths; and how many `.toml` files there are no scenarios.
///
/// # Errors
/// [`Exit::Usage`] if a folder cannot be read.
pub fn suite(paths: &[PathBuf]) -> Result<(Vec<Member>, usize), Exit> {
    let mut all = Vec::new();
    let mut passed_over = 0;
    for path in paths {
        if !path.is_dir() {
            let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
            all.push(Member { file: path.clone(), name: stem });
            continue;
        }
        let mut found = Vec::new();
        below(path, FOLDERS_MAX, &mut found)?;
        found.sort();
        for file in found {
            if scenario::holds_scenario(&file) {
                let inner = file.strip_prefix(path).unwrap_or(&file).with_extension("");
                all.push(Member { name: inner.display().to_string(), file });
            } else {
                passed_over += 1;
            }
        }
    }
    Ok((all, passed_over))
}

/// Collects the `.toml` files below a folder. Hidden folders are left out, and links to folders,
/// which may lead back up.
fn below(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Exit> {
    let unreadable = |error: std::io::Error| {
        complain(&format!("error: cannot read the folder {}: {error}", folder.display()));
        Exit::Usage
    };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if entry.file_type().map_err(unreadable)?.is_dir() {
            if depth > 0 && !hidden {
                below(&path, depth - 1, found)?;
            }
        } else if path.extension().is_some_and(|e| e == "toml") && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

/// As [`scenario()`], with the text of every value that would be used.
pub fn with_defaults(console: &Console, path: &Path, shape: &Shape) -> Option<(Scenario, String)> {
    let loaded = told(console, scenario::load(path, &options(shape, &Often::default())))?;
    let filled = scenario::filled(&loaded);
    Some((loaded.scenario, filled))
}

/// The scenario whose constants to list: the one named, or one that uses all there are.
pub fn for_assumptions(console: &Console, path: Option<&Path>, shape: &Shape) -> Option<Scenario> {
    if let Some(path) = path {
        return scenario(console, path, shape, &Often::default());
    }
    let options = options(shape, &Often::default());
    match scenario::parse("built-in", EVERYTHING, Path::new("."), &options) {
        // Its warnings are about a file that nobody wrote.
        Ok(loaded) => Some(loaded.scenario),
        problems => told(console, problems).map(|loaded| loaded.scenario),
    }
}

/// Every constant there is, at its default.
pub fn every_constant() -> Vec<scenario::Assumption> {
    let loaded = scenario::parse("built-in", EVERYTHING, Path::new("."), &LoadOptions::default());
    loaded.map(|loaded| loaded.scenario.assumptions).unwrap_or_default()
}

/// "; did you mean `x`?", or nothing.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    diagnostic::did_you_mean(word, candidates)
}

/// Refuses what no model covers, unless told to go on without it. What that is has been told as
/// warnings by then.
pub fn refuses_unmodelled(scenario: &Scenario, shape: &Shape) -> bool {
    let refused = !scenario.unmodelled.is_empty() && !shape.allow_unmodelled;
    if refused {
        let list: Vec<String> =
            scenario.unmodelled.iter().map(|u| format!("  {}:{}: {}", scenario.file, u.line, u.what)).collect();
        complain(&format!(
            "error: scsim does not simulate this yet:\n{}\n  help: --allow-unmodelled runs the rest without it",
            list.join("\n")
        ));
    }
    refused
}

pub(super) fn options(shape: &Shape, often: &Often) -> LoadOptions {
    LoadOptions {
        set: shape.set.clone(),
        planes: shape.plane.clone(),
        duration: shape.duration.clone(),
        seed: shape.seed,
        replications: often.replications,
        precision: often.precision.clone(),
        fast: often.fast,
        ..LoadOptions::default()
    }
}

/// Tells what is wrong, even when asked to be quiet.
pub(super) fn tell(console: &Console, problems: &[Diagnostic]) {
    complain(&diagnostic::render_all(problems, form(console)));
}

/// Full excerpts on a terminal, one line each on a pipe.
fn form(console: &Console) -> Form {
    match (console.talks_to_terminal, console.ascii) {
        (true, false) => Form::Full(Charset::Unicode),
        (true, true) => Form::Full(Charset::Ascii),
        (false, _) => Form::OneLine,
    }
}

/// Tells warnings and problems; full excerpts on a terminal, one line each on a pipe.
pub(super) fn told(console: &Console, outcome: Result<Loaded, Vec<Diagnostic>>) -> Option<Loaded> {
    let form = form(console);
    match outcome {
        Ok(loaded) => {
            if !loaded.warnings.is_empty() {
                console.say(&diagnostic::render_all(&loaded.warnings, form));
            }
            Some(loaded)
        }
        Err(problems) => {
            complain(&diagnostic::render_all(&problems, form));
            None
        }
    }
}

/// A scenario that uses every constant, to list them.
pub(super) const EVERYTHING: &str = include_str!("assumptions/everything.toml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_of_every_plane_can_be_listed() {
        let loaded = scenario::parse("built-in", EVERYTHING, Path::new("."), &LoadOptions::default());
        let scenario = loaded.unwrap().scenario;
        let planes: Vec<&str> = scenario.planes.iter().map(|plane| plane.name.as_str()).collect();
        assert!(scenario::vocabulary::planes().all(|name| planes.contains(&name)), "{planes:?}");
    }

    #[test]
    fn a_folder_without_scenarios_is_nothing_to_do() {
        let folder = std::env::temp_dir().join(format!("scsim-empty-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(files(std::slice::from_ref(&folder)), Err(Exit::Nothing));
        fs::write(folder.join("b.toml"), "").unwrap();
        fs::write(folder.join("a.toml"), "").unwrap();
        assert_eq!(files(std::slice::from_ref(&folder)), Ok(vec![folder.join("a.toml"), folder.join("b.toml")]));
        fs::remove_dir_all(&folder).unwrap();
    }
}
