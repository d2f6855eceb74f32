//! From a file, or a text, and command-line overrides to a checked [`Scenario`].
//!
//! *Knows* files, sizes, includes, overrides and the digest. *Does not know* what a key means.
//! Invariant: whatever bytes a file holds, loading ends soon, with a scenario or with diagnostics.

use std::fmt::Write as _;
use std::fs::File;
use std::io::ErrorKind;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use sha2::Digest as _;
use sha2::Sha256;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::Severity;
use crate::diagnostic::Source;
use crate::scenario::AxisValue;
use crate::scenario::Scenario;
use crate::scenario::lower;
use crate::scenario::table::Problems;
use crate::scenario::table::at;
use crate::scenario::tree;
use crate::scenario::tree::Node;
use crate::scenario::tree::Place;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::scenario::value;

/// Largest scenario file. The largest published topology, a thousand services, has a fifth of it.
const FILE_MAX: u64 = 1 << 20;

/// Largest data file: a trace of some million arrivals.
const DATA_MAX: u64 = 256 << 20;

/// How many files may be included in all.
const INCLUDES_MAX: usize = 64;

/// What the command line adds to the file.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct LoadOptions {
    /// `key=value`: a dotted key and TOML on the right; text that is no TOML counts as a string.
    pub set: Vec<String>,
    /// Narrows the comparison to these planes; empty leaves it to the file.
    pub planes: Vec<String>,
    /// `--duration 2m`.
    pub duration: Option<String>,
    /// `--seed 7`.
    pub seed: Option<u64>,
    /// `--replications 50`.
    pub replications: Option<u32>,
    /// `--precision 5%`.
    pub precision: Option<String>,
    /// Three replications.
    pub fast: bool,
    /// The cell of a sweep: fields and values, laid over everything else. `None` outside sweeps.
    pub cell: Option<Vec<(String, AxisValue)>>,
    /// Flags of `scsim cost` with the `key=value` that each stands for.
    pub cost: Vec<(&'static str, String)>,
    /// `--price-file`: its name and its text, in place of the scenario's own.
    pub price_file: Option<(String, String)>,
    /// A bill is asked for, whether or not the file has `[cost]`.
    pub priced: bool,
    /// `--slo`: clauses that take the place of the file's expectations.
    pub slo: Option<String>,
}

impl LoadOptions {
    /// All overrides as `key=value` with the flag each comes from.
    fn overrides(&self) -> Vec<(&'static str, String)> {
        let mut all: Vec<(&'static str, String)> = self.set.iter().map(|set| ("--set", set.clone())).collect();
        if self.fast {
            all.push(("--fast", "run.replications=3".to_owned()));
        }
        if let Some(duration) = &self.duration {
            all.push(("--duration", format!("run.duration={duration}")));
        }
        if let Some(seed) = self.seed {
            all.push(("--seed", format!("run.seed={seed}")));
        }
        if let Some(replications) = self.replications {
            all.push(("--replications", format!("run.replications={replications}")));
        }
        if let Some(precision) = &self.precision {
            all.push(("--precision", format!("run.precision={precision}")));
        }
        all.extend(self.cost.iter().cloned());
        all
    }

    /// What the cell lays over everything else, as `key=value`.
    fn varied(&self) -> impl Iterator<Item = String> + '_ {
        self.cell.iter().flatten().map(|(key, value)| format!("{key}={}", value.toml))
    }
}

/// A scenario with what came up while it was read.
#[derive(Clone, PartialEq, Debug)]
pub struct Loaded {
    /// What to simulate.
    pub scenario: Scenario,
    /// What is odd about the file, and what is not modelled yet.
    pub warnings: Vec<Diagnostic>,
    /// The text of the file.
    pub source: Arc<Source>,
    /// The file as a tree, with includes and overrides.
    pub(crate) tree: Table,
    /// Its text, those of its includes, and its overrides, for the digest; those of a cell left out.
    texts: Vec<String>,
}

/// Loads a scenario file.
///
/// # Errors
/// Every problem that keeps it from being simulated.
pub fn load(path: &Path, options: &LoadOptions) -> Result<Loaded, Vec<Diagnostic>> {
    let name = path.display().to_string();
    let text = read_text(path, &name, FILE_MAX).map_err(|found| vec![*found])?;
    let base = path.parent().unwrap_or(Path::new("."));
    parse(&name, &text, base, options)
}

/// True if a file is, with what it includes, a scenario: it has services and load. Parts that other
/// files include and TOML of other programs are not. What cannot be read may be one, and
/// [`load`] says what is wrong with it.
pub fn holds_scenario(path: &Path) -> bool {
    let name = path.display().to_string();
    let Ok(text) = read_text(path, &name, FILE_MAX) else { return true };
    let source = Arc::new(Source::new(name, text.strip_prefix('\u{feff}').unwrap_or(&text)));
    let Ok(mut tree) = tree::parse(&source) else { return true };
    let base = path.parent().unwrap_or(Path::new("."));
    let mut problems = Problems::new(base);
    include(&mut tree, base, &mut problems, &mut Vec::new());
    !problems.errors.is_empty() || ["service", "load"].iter().all(|key| tree.get(key).is_some())
}

/// Checks the text of a scenario; `base` is where the files that it names are.
///
/// # Errors
/// Every problem that keeps it from being simulated.
pub fn parse(name: &str, text: &str, base: &Path, options: &LoadOptions) -> Result<Loaded, Vec<Diagnostic>> {
    if text.len() as u64 > FILE_MAX {
        return Err(vec![too_large(name, FILE_MAX)]);
    }
    let source = Arc::new(Source::new(name, text.strip_prefix('\u{feff}').unwrap_or(text)));
    let mut problems = Problems::new(base);
    let mut tree = tree::parse(&source)?;
    let mut texts = vec![source.text().to_owned()];
    include(&mut tree, base, &mut problems, &mut texts);
    for (flag, set) in options.overrides() {
        apply(&mut tree, flag, &set, &mut problems);
        texts.push(set);
    }
    complete(source, tree, texts, options, problems)
}

/// A cell of a file that was loaded without one, from `base` and with the same other options: what [`parse`]
/// would say, without reading the file again.
///
/// # Errors
/// Every problem that keeps it from being simulated.
pub fn with_cell(loaded: &Loaded, base: &Path, options: &LoadOptions) -> Result<Loaded, Vec<Diagnostic>> {
    complete(Arc::clone(&loaded.source), loaded.tree.clone(), loaded.texts.clone(), options, Problems::new(base))
}

/// Lays the cell over a tree and lowers it.
fn complete(
    source: Arc<Source>,
    mut tree: Table,
    texts: Vec<String>,
    options: &LoadOptions,
    mut problems: Problems<'_>,
) -> Result<Loaded, Vec<Diagnostic>> {
    let mut hashed = texts.clone();
    for set in options.varied() {
        apply(&mut tree, "--vary", &set, &mut problems);
        hashed.push(set);
    }
    let mut scenario = lower::lower(&source, &tree, options, &mut problems);
    if !problems.errors.is_empty() {
        problems.errors.append(&mut problems.warnings);
        return Err(problems.errors);
    }
    hashed.push(options.planes.join(","));
    hashed.extend(options.slo.clone());
    hashed.extend(options.price_file.iter().map(|(_, text)| text.clone()));
    hashed.append(&mut problems.read);
    scenario.digest = digest(&hashed);
    scenario.unmodelled = problems.unmodelled;
    Ok(Loaded { scenario, warnings: problems.warnings, source, tree, texts })
}

/// SHA-256 over the texts, each preceded by its length.
fn digest(texts: &[String]) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Merges the files named by `include`, theirs below ours, one after the other.
fn include(tree: &mut Table, base: &Path, problems: &mut Problems<'_>, texts: &mut Vec<String>) {
    let mut open: Vec<Node> = tree.get("include").into_iter().cloned().collect();
    let mut done: Vec<String> = Vec::new();
    while let Some(node) = open.pop() {
        let items = match &node.value {
            Value::List(items) => items.clone(),
            _ => vec![node],
        };
        for item in items {
            let Some(file) = value::text(&item, problems) else { continue };
            if done.iter().any(|other| other == file) {
                continue;
            }
            done.push(file.to_owned());
            if done.len() > INCLUDES_MAX {
                let label = format!("at most {INCLUDES_MAX}");
                problems.error("scenario::include", &item.place, "too many included files", label);
                return;
            }
            let path = base.join(file);
            let text = match read_text(&path, file, FILE_MAX) {
                Ok(text) => text,
                Err(found) => {
                    problems.error("scenario::include", &item.place, found.message, "included here");
                    continue;
                }
            };
            let source = Arc::new(Source::new(path.display().to_string(), text));
            match tree::parse(&source) {
                Ok(other) => {
                    open.extend(other.get("include").cloned());
                    tree.fill_from(other);
                }
                Err(found) => found.into_iter().for_each(|diagnostic| problems.push(diagnostic)),
            }
            texts.push(source.text().to_owned());
        }
    }
}

/// Puts one `key=value` into the tree.
fn apply(tree: &mut Table, flag: &str, set: &str, problems: &mut Problems<'_>) {
    let source = Arc::new(Source::new(flag, set));
    let all = Place { source: Arc::clone(&source), span: 0..set.len() };
    let Some((path, equals)) = key_path(set) else {
        problems.error("scenario::override", &all, "an override is `key=value`", "such as run.seed=7");
        return;
    };
    let right = &set[equals + 1..];
    // The value is parsed in its place, so that its diagnostics point into what was typed.
    let padded = format!("{}={right}", "v".repeat(equals.max(1)));
    let parsed = tree::parse(&Arc::new(Source::new(flag, &padded))).ok();
    let node = parsed.and_then(|table| table.entries.into_iter().next()).map(|(_, entry)| entry.node);
    let node = match node {
        Some(node) => rebased(node, &source),
        None => Node {
            place: Place { source: Arc::clone(&source), span: equals + 1..set.len() },
            value: Value::Text(right.trim().to_owned()),
        },
    };
    if let Err(place) = tree.set(&path, &Place { source, span: 0..equals }, node) {
        problems.error("scenario::override", &all, "this override leads nowhere", format!("there is no {place}"));
    }
}

/// The same node with its places in `source`.
fn rebased(mut node: Node, source: &Arc<Source>) -> Node {
    node.place.source = Arc::clone(source);
    match &mut node.value {
        Value::List(items) => {
            for item in items {
                *item = rebased(item.clone(), source);
            }
        }
        Value::Table(table) => {
            for entry in table.entries.values_mut() {
                entry.key.source = Arc::clone(source);
                entry.node = rebased(entry.node.clone(), source);
            }
        }
        _ => {}
    }
    node
}

/// The dotted key in front of the first equals sign outside quotes, and where that sign is.
pub(super) fn key_path(set: &str) -> Option<(Vec<String>, usize)> {
    let mut quoted = false;
    let equals = set.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b'=' && !quoted
    })?;
    let source = Arc::new(Source::new("", format!("{} = 0", &set[..equals])));
    let mut table = tree::parse(&source).ok()?;
    let mut path = Vec::new();
    while let Some((key, entry)) = table.entries.shift_remove_index(0) {
        path.push(key);
        match entry.node.value {
            Value::Table(inner) => table = inner,
            _ => return Some((path, equals)),
        }
    }
    None
}

/// The parts of a dotted key.
pub(super) fn dotted(key: &str) -> Option<Vec<String>> {
    key_path(&format!("{key}=0")).map(|(path, _)| path)
}

fn too_large(name: &str, limit: u64) -> Diagnostic {
    let message = format!("this file is larger than {} MiB, the most that is read", limit >> 20);
    Diagnostic::of_file(Severity::Error, "scenario::too-large", name, message)
        .with_help("a scenario is a page of TOML; measurements and traces go into files of their own")
}

/// Reads a text file of limited size.
fn read_text(path: &Path, name: &str, limit: u64) -> Result<String, Box<Diagnostic>> {
    let failed = |message: String| Box::new(Diagnostic::of_file(Severity::Error, "scenario::read", name, message));
    let why = |error: &std::io::Error| match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "this file may not be read".to_owned(),
        _ => format!("this file cannot be read: {error}"),
    };
    let meta = std::fs::metadata(path).map_err(|error| failed(why(&error)))?;
    if !meta.is_file() {
        return Err(failed("this is no file".to_owned()));
    }
    if meta.len() > limit {
        return Err(Box::new(too_large(name, limit)));
    }
    let mut bytes = Vec::with_capacity(meta.len() as usize);
    let file = File::open(path).map_err(|error| failed(why(&error)))?;
    // The file may have grown in the meantime.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| failed(why(&error)))?;
    if bytes.len() as u64 > limit {
        return Err(Box::new(too_large(name, limit)));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let help = "save it as UTF-8, which is what TOML asks for";
        return Err(Box::new(failed("this file is UTF-16".to_owned()).with_help(help)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].split(|byte| *byte == b'\n').count();
        Box::new(
            failed(format!("this file is not UTF-8: byte {at}, line {line}"))
                .with_help("a scenario is a TOML text; save it as UTF-8"),
        )
    })
}

/// A data file that a scenario names.
pub(crate) enum Data {
    /// What is in it.
    Text(String),
    /// It is not there, which only a run minds.
    Absent,
    /// It cannot be used; that has been reported.
    Wrong,
}

/// Reads a data file that a scenario names.
pub(crate) fn read_data(node: &Node, what: &str, problems: &mut Problems<'_>) -> Data {
    let Some(file) = value::text(node, problems) else { return Data::Wrong };
    let path = problems.base.join(file);
    if std::fs::metadata(&path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        problems.unmodelled(&node.place, format!("{what} file `{file}` not found"));
        return Data::Absent;
    }
    match read_text(&path, file, DATA_MAX) {
        Ok(text) => {
            problems.read.push(text.clone());
            Data::Text(text)
        }
        Err(found) => {
            let diagnostic = at(Severity::Error, "scenario::data-file", &node.place, found.message.clone());
            problems.push(diagnostic.with_label(format!("the {what} file")));
            Data::Wrong
        }
    }
}
