//! Finished cells on disk: a header, then a line of JSON per cell, in the order of finishing.
//!
//! *Knows* how parts are begun, continued, checked and read together. *Does not know* figures.
//! Invariant: a line is written whole or, after a crash, is the last and is passed over; memory
//! grows by a few bytes per cell, for where its line is.

use std::fmt::Write as _;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest as _;
use sha2::Sha256;

use super::Cell;
use super::Plan;
use crate::MODEL_VERSION;
use crate::scenario::CELLS_MAX;

/// The schema of a part.
const SCHEMA: &str = "scsim.part/1";

/// Longest line that is read: a cell of a thousand figures has a tenth of it.
const LINE_MAX: u64 = 16 << 20;

/// What all cells of a sweep have in common.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Header {
    /// `scsim.part/1`.
    pub schema: String,
    /// The model that computed it.
    pub model: u32,
    /// The scenario file as it was named; no part of the digest.
    pub file: String,
    /// The scenario's title.
    pub title: String,
    /// The scenario's digest, overrides included, cells not.
    pub scenario: String,
    /// First seed, the same in every cell.
    pub seed: u64,
    /// Runs per plane, the same in every cell.
    pub replications: u32,
    /// Confidence of every interval.
    pub confidence: f64,
    /// `grid` or `one-at-a-time`.
    pub mode: String,
    /// The fields that are varied.
    pub axes: Vec<HeaderAxis>,
    /// How many cells there are.
    pub cells: u64,
    /// SHA-256 over all of the above but the file's name, hex.
    pub digest: String,
}

/// One field of a header.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct HeaderAxis {
    /// Its key.
    pub key: String,
    /// Its values, as shown.
    pub values: Vec<String>,
}

impl Header {
    /// The header of a plan.
    pub fn of(plan: &Plan, replications: u32) -> Header {
        let scenario = &plan.base.scenario;
        let axes = plan.sweep.axes.iter();
        let axes = axes.map(|axis| HeaderAxis {
            key: axis.key.clone(),
            values: axis.values.iter().map(|value| value.shown.clone()).collect(),
        });
        let mut header = Header {
            schema: SCHEMA.to_owned(),
            model: MODEL_VERSION,
            file: scenario.file.clone(),
            title: scenario.title.clone(),
            scenario: scenario.digest.clone(),
            seed: scenario.run.seed,
            replications,
            confidence: scenario.run.confidence,
            mode: plan.sweep.mode.name().to_owned(),
            axes: axes.collect(),
            cells: plan.cells(),
            digest: String::new(),
        };
        header.digest = header.sum();
        header
    }

    fn sum(&self) -> String {
        let bare = Header { file: String::new(), digest: String::new(), ..self.clone() };
        hex(&Sha256::digest(serde_json::to_vec(&bare).expect("every key is a string and no number is special")))
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Why parts cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// The file system says no.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: String,
        /// What it says.
        error: io::Error,
    },
    /// It is something else.
    #[error("{path} is no part of a sweep: {why}")]
    Foreign {
        /// Which file.
        path: String,
        /// What is wrong with its first line.
        why: String,
    },
    /// A line in the middle cannot be read.
    #[error("{path}:{line}: this line is damaged: {why}; delete the file, or the line, and run the sweep again")]
    Damaged {
        /// Which file.
        path: String,
        /// Which line.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Two parts of different sweeps.
    #[error("{path} and {other} are parts of different sweeps ({what})")]
    Different {
        /// Which file.
        path: String,
        /// And which other.
        other: String,
        /// What differs.
        what: String,
    },
    /// The same cell with different figures.
    #[error("cell {cell} differs between {path} and {other}; one of them was computed by another build")]
    Torn {
        /// Which cell.
        cell: u64,
        /// In which file.
        path: String,
        /// And in which other.
        other: String,
    },
    /// Cells are missing.
    #[error("{missing} of {cells} cells are missing, cell {first} first; run the shard that has it")]
    Missing {
        /// How many are missing.
        missing: u64,
        /// Of how many.
        cells: u64,
        /// The first of them.
        first: u64,
    },
}

/// One file of finished cells.
pub struct Part {
    /// What they have in common.
    pub header: Header,
    path: PathBuf,
    /// Cell, offset and length of each line.
    lines: Vec<(u64, u64, u32)>,
    /// Bytes up to the end of the last whole line.
    good: u64,
}

#[derive(Deserialize)]
struct Numbered {
    cell: u64,
}

impl Part {
    /// Reads header and places of the cells.
    ///
    /// # Errors
    /// What keeps it from being used.
    pub fn read(path: &Path) -> Result<Part, PartError> {
        let shown = path.display().to_string();
        let io = |error| PartError::Io { path: shown.clone(), error };
        let foreign = |why: String| PartError::Foreign { path: shown.clone(), why };
        let mut reader = BufReader::new(File::open(path).map_err(io)?);
        let mut line = Vec::new();
        let mut next = |line: &mut Vec<u8>| -> Result<usize, PartError> {
            line.clear();
            reader.by_ref().take(LINE_MAX).read_until(b'\n', line).map_err(io)
        };
        let length = next(&mut line)?;
        if line.last() != Some(&b'\n') {
            return Err(foreign("its first line has no end".to_owned()));
        }
        let schema: serde_json::Value = serde_json::from_slice(&line).map_err(|error| foreign(error.to_string()))?;
        match schema["schema"].as_str() {
            Some(SCHEMA) => {}
            Some(other) => return Err(foreign(format!("its schema is {other}, this scsim reads {SCHEMA}"))),
            None => return Err(foreign("it names no schema".to_owned())),
        }
        let header: Header = serde_json::from_slice(&line).map_err(|error| foreign(error.to_string()))?;
        if header.sum() != header.digest || header.cells > CELLS_MAX {
            return Err(foreign("its header does not match its digest".to_owned()));
        }
        let mut part = Part { header, path: path.to_owned(), lines: Vec::new(), good: length as u64 };
        loop {
            let length = next(&mut line)?;
            // A line without an end was being written when somebody pulled the plug.
            if length == 0 || line.last() != Some(&b'\n') {
                return Ok(part);
            }
            let damaged = |why: String| PartError::Damaged { path: shown.clone(), line: part.lines.len() + 2, why };
            let numbered: Numbered = serde_json::from_slice(&line).map_err(|error| damaged(error.to_string()))?;
            if numbered.cell >= part.header.cells {
                return Err(damaged(format!("there is no cell {}", numbered.cell)));
            }
            part.lines.push((numbered.cell, part.good, length as u32));
            part.good += length as u64;
        }
    }

    /// The cells in it.
    pub fn cells(&self) -> impl Iterator<Item = u64> + '_ {
        self.lines.iter().map(|(cell, ..)| *cell)
    }
}

/// Writes finished cells.
pub struct Writer {
    file: File,
}

impl Writer {
    /// Begins a part.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn create(path: &Path, header: &Header) -> io::Result<Writer> {
        let mut file = File::create(path)?;
        let mut line = serde_json::to_vec(header)?;
        line.push(b'\n');
        file.write_all(&line)?;
        Ok(Writer { file })
    }

    /// Continues a part behind its last whole line.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn resume(part: &Part) -> io::Result<Writer> {
        let mut file = OpenOptions::new().write(true).open(&part.path)?;
        file.set_len(part.good)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Writer { file })
    }

    /// Writes one cell, in one piece.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn write(&mut self, cell: &Cell) -> io::Result<()> {
        let mut line = serde_json::to_vec(cell)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

/// All cells of a sweep, in their order, from one part or several.
pub struct Cells {
    /// What they have in common.
    pub header: Header,
    paths: Vec<PathBuf>,
    /// Part, offset and length of each cell's line.
    places: Vec<(u32, u64, u32)>,
}

impl Cells {
    /// Puts parts together; their order does not matter.
    ///
    /// # Errors
    /// A part that cannot be used, parts of different sweeps, and missing cells.
    pub fn join(paths: &[PathBuf]) -> Result<Cells, PartError> {
        let mut joined: Option<Cells> = None;
        let mut found: Vec<Option<(u32, u64, u32)>> = Vec::new();
        for (number, path) in paths.iter().enumerate() {
            let part = Part::read(path)?;
            let all = joined.get_or_insert_with(|| {
                found.resize(part.header.cells as usize, None);
                Cells { header: part.header.clone(), paths: Vec::new(), places: Vec::new() }
            });
            all.paths.push(path.clone());
            if part.header.digest != all.header.digest {
                let (path, other) = (path.display().to_string(), all.paths[0].display().to_string());
                return Err(PartError::Different { path, other, what: difference(&part.header, &all.header) });
            }
            for &(cell, offset, length) in &part.lines {
                let place = (number as u32, offset, length);
                let slot = &mut found[cell as usize];
                if let Some(before) = *slot {
                    if all.line(before)? != all.line(place)? {
                        let other = all.paths[before.0 as usize].display().to_string();
                        return Err(PartError::Torn { cell, path: path.display().to_string(), other });
                    }
                } else {
                    *slot = Some(place);
                }
            }
        }
        let mut joined =
            joined.ok_or_else(|| PartError::Foreign { path: String::new(), why: "none given".to_owned() })?;
        let missing = found.iter().filter(|place| place.is_none()).count() as u64;
        if missing > 0 {
            let first = found.iter().position(Option::is_none).unwrap_or(0) as u64;
            return Err(PartError::Missing { missing, cells: joined.header.cells, first });
        }
        joined.places = found.into_iter().flatten().collect();
        Ok(joined)
    }

    /// Hands over every cell with its line, in order.
    ///
    /// # Errors
    /// What cannot be read, and whatever `each` says.
    pub fn for_each(&self, mut each: impl FnMut(Cell, &str) -> io::Result<()>) -> Result<(), PartError> {
        let mut files: Vec<File> = Vec::new();
        for path in &self.paths {
            files.push(File::open(path).map_err(|error| self.io(files.len(), error))?);
        }
        let mut line = Vec::new();
        for (number, &(part, offset, length)) in self.places.iter().enumerate() {
            let at = part as usize;
            line.resize(length as usize - 1, 0);
            let read = files[at].seek(SeekFrom::Start(offset)).and_then(|_| files[at].read_exact(&mut line));
            read.map_err(|error| self.io(at, error))?;
            let damaged =
                |why: String| PartError::Damaged { path: self.paths[at].display().to_string(), line: number, why };
            let text = std::str::from_utf8(&line).map_err(|error| damaged(error.to_string()))?;
            let cell: Cell = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
            each(cell, text).map_err(|error| PartError::Io { path: "output".to_owned(), error })?;
        }
        Ok(())
    }

    fn line(&self, (part, offset, length): (u32, u64, u32)) -> Result<Vec<u8>, PartError> {
        let at = part as usize;
        let mut bytes = vec![0; length as usize];
        let mut read = || {
            let mut file = File::open(&self.paths[at])?;
            file.seek(SeekFrom::Start(offset))?;
            file.read_exact(&mut bytes)
        };
        read().map_err(|error| self.io(at, error))?;
        Ok(bytes)
    }

    fn io(&self, part: usize, error: io::Error) -> PartError {
        PartError::Io { path: self.paths[part].display().to_string(), error }
    }
}

/// What tells two headers apart.
pub fn difference(a: &Header, b: &Header) -> String {
    let differs = [
        ("the model", a.model != b.model),
        ("the scenario or its overrides", a.scenario != b.scenario),
        ("the fields that are varied", a.axes != b.axes || a.mode != b.mode),
        ("the seed", a.seed != b.seed),
        ("the replications", a.replications != b.replications),
    ];
    let named: Vec<&str> = differs.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
    if named.is_empty() { "their headers".to_owned() } else { named.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(seed: u64) -> Header {
        let axes =
            vec![HeaderAxis { key: "a".to_owned(), values: vec!["1".to_owned(), "2".to_owned(), "3".to_owned()] }];
        let mut header = Header {
            schema: SCHEMA.to_owned(),
            model: MODEL_VERSION,
            file: "t.toml".to_owned(),
            title: "t".to_owned(),
            scenario: "0".to_owned(),
            seed,
            replications: 3,
            confidence: 0.95,
            mode: "grid".to_owned(),
            axes,
            cells: 3,
            digest: String::new(),
        };
        header.digest = header.sum();
        header
    }

    fn cell(number: u64) -> Cell {
        let values = vec![Some((number + 1).to_string())];
        Cell { cell: number, values, digest: "d".to_owned(), planes: Vec::new(), expectations: Vec::new() }
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("scsim-part-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_torn_line_is_passed_over_and_overwritten() {
        let folder = folder("torn");
        let path = folder.join("a.part");
        let mut writer = Writer::create(&path, &header(1)).unwrap();
        writer.write(&cell(2)).unwrap();
        writer.write(&cell(0)).unwrap();
        drop(writer);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"cell\":1,\"val").unwrap();
        drop(file);
        let part = Part::read(&path).unwrap();
        assert_eq!(part.cells().collect::<Vec<_>>(), [2, 0]);
        let missing = Cells::join(std::slice::from_ref(&path)).err().unwrap();
        assert!(matches!(missing, PartError::Missing { missing: 1, first: 1, .. }), "{missing}");
        Writer::resume(&part).unwrap().write(&cell(1)).unwrap();
        let mut seen = Vec::new();
        let cells = Cells::join(&[path]).unwrap();
        cells
            .for_each(|cell, _| {
                seen.push(cell);
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, [cell(0), cell(1), cell(2)]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn parts_of_different_sweeps_and_damaged_ones_are_refused() {
        let folder = folder("wrong");
        let (a, b, c) = (folder.join("a"), folder.join("b"), folder.join("c"));
        Writer::create(&a, &header(1)).unwrap().write(&cell(0)).unwrap();
        Writer::create(&b, &header(2)).unwrap().write(&cell(1)).unwrap();
        let found = Cells::join(&[a.clone(), b]).err().unwrap();
        assert!(found.to_string().contains("the seed"), "{found}");
        let mut other = cell(0);
        other.digest = "e".to_owned();
        Writer::create(&c, &header(1)).unwrap().write(&other).unwrap();
        assert!(matches!(Cells::join(&[a.clone(), c]).err().unwrap(), PartError::Torn { cell: 0, .. }));
        let text = std::fs::read_to_string(&a).unwrap();
        for wrong in
            ["", "{}\n", "no json\n", &text.replace("\"seed\":1", "\"seed\":5"), &text.replace("part/1", "part/9")]
        {
            std::fs::write(&a, wrong).unwrap();
            assert!(matches!(Part::read(&a), Err(PartError::Foreign { .. })), "{wrong}");
        }
        std::fs::write(&a, format!("{text}x\n")).unwrap();
        assert!(matches!(Part::read(&a), Err(PartError::Damaged { line: 3, .. })));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
