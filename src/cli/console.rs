//! Streams: what goes to stdout, what to stderr, in which colours, and when nobody listens.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the console keeps real time for its progress bar and reads the terminal conventions of the environment"
)]

use std::env;
use std::io;
use std::io::IsTerminal as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use super::Exit;
use super::args::Common;
use super::args::Progress as ShowProgress;
use super::args::When;
use crate::report::text::Style;
use crate::sim::Progress;

/// What is known about the streams.
pub struct Console {
    /// Errors only.
    pub quiet: bool,
    /// Nothing but ASCII.
    pub ascii: bool,
    /// How reports are laid out on stdout.
    pub style: Style,
    /// stderr is a terminal.
    pub talks_to_terminal: bool,
    /// Progress may be drawn.
    progress: bool,
}

impl Console {
    /// Looks at the flags, the environment and the streams.
    pub fn new(common: &Common) -> Console {
        let out = io::stdout().is_terminal();
        let err = io::stderr().is_terminal();
        let width = if out {
            terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0)).max(20)
        } else {
            usize::MAX
        };
        Console {
            quiet: common.quiet,
            ascii: common.ascii,
            style: Style {
                width,
                color: colors(common.color, out),
                ascii: common.ascii,
                sparklines: out || common.ascii,
                verbose: common.verbose > 0,
            },
            talks_to_terminal: err,
            progress: err && !common.quiet && common.progress == ShowProgress::Auto,
        }
    }

    /// Says something on stderr, unless asked to be quiet.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            complain(text);
        }
    }

    /// A progress bar, if one is wanted.
    pub fn progress(&self) -> Bar {
        Bar { wanted: self.progress, state: Mutex::new(BarState { began: Instant::now(), drawn: None }) }
    }
}

/// The file to which GitHub Actions wants a job's summary appended.
pub fn step_summary() -> Option<PathBuf> {
    env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Writes to stderr whatever was asked; nobody can be told if that fails.
pub fn complain(text: &str) {
    let mut err = io::stderr().lock();
    let _ = writeln!(err, "{}", text.trim_end());
}

/// Writes data to stdout. A reader that went away is no error.
pub fn print(text: &str) -> Exit {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Exit::Held,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Held,
        Err(error) => {
            complain(&format!("error: cannot write to stdout: {error}"));
            Exit::Usage
        }
    }
}

/// The conventions of `NO_COLOR` and `CLICOLOR_FORCE`; a flag beats both.
fn colors(when: When, terminal: bool) -> bool {
    let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto if set("NO_COLOR") => false,
        When::Auto if env::var_os("CLICOLOR_FORCE").is_some_and(|v| !v.is_empty() && v != "0") => true,
        When::Auto => terminal && env::var_os("TERM").is_none_or(|term| term != "dumb"),
    }
}

/// A progress bar on stderr that appears after a second.
pub struct Bar {
    wanted: bool,
    state: Mutex<BarState>,
}

struct BarState {
    began: Instant,
    drawn: Option<Instant>,
}

/// A run shorter than this shows no progress.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time between two drawings.
const REDRAW: Duration = Duration::from_millis(100);

impl Bar {
    /// Draws how far it is.
    pub fn update(&self, progress: Progress) {
        if !self.wanted {
            return;
        }
        let Ok(mut state) = self.state.lock() else { return };
        let now = Instant::now();
        if now - state.began < PATIENCE || state.drawn.is_some_and(|drawn| now - drawn < REDRAW) {
            return;
        }
        state.drawn = Some(now);
        let cells = 30 * progress.done as usize / progress.planned.max(1) as usize;
        let text = format!(
            "\r[{}{}] {} of {} runs",
            "=".repeat(cells.min(30)),
            " ".repeat(30 - cells.min(30)),
            progress.done,
            progress.planned
        );
        let mut err = io::stderr().lock();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        if self.wanted && self.state.lock().is_ok_and(|state| state.drawn.is_some()) {
            let mut err = io::stderr().lock();
            let _ = err.write_all(b"\r\x1b[K").and_then(|()| err.flush());
        }
    }
}
