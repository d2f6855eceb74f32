//! Our own bugs: caught at the outermost point and told with all it takes to see them again.

use std::ffi::OsString;
use std::panic;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::PoisonError;

use super::Exit;
use super::console::complain;
use crate::MODEL_VERSION;
use crate::report::format::shell_word;
use crate::report::json::VERSION;

/// What was being done.
static UNDER_WAY: Mutex<Option<UnderWay>> = Mutex::new(None);

/// What was being done.
#[derive(Clone, Debug)]
pub struct UnderWay {
    /// Seed of the run.
    pub seed: u64,
    /// Digest of the scenario.
    pub digest: String,
}

/// Notes what is being done, for the report of a crash.
pub fn note(under_way: UnderWay) {
    *UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner) = Some(under_way);
}

/// Runs `body`; a panic is told and becomes [`Exit::Bug`].
pub fn guarded(arguments: &[OsString], body: impl FnOnce() -> Exit) -> Exit {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |l| format!(" at {}:{}", l.file(), l.line()));
        let what = info
            .payload()
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| info.payload().downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "panic".to_owned());
        complain(&format!("scsim: internal error{place}: {what}"));
    }));
    let ended = panic::catch_unwind(AssertUnwindSafe(body));
    let _ = panic::take_hook();
    ended.unwrap_or_else(|_| {
        let under_way = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (seed, digest) = under_way.map_or_else(
            || ("not begun".to_owned(), String::new()),
            |u| (u.seed.to_string(), format!("  scenario {}\n", u.digest)),
        );
        complain(&format!(
            "This is a bug in scsim, not in your scenario. Please report it with these lines:\n  \
             version {VERSION}, model {MODEL_VERSION}\n  seed {seed}\n{digest}  again: {}",
            command_line(arguments)
        ));
        Exit::Bug
    })
}

/// The command as it was typed, quoted for a shell.
pub fn command_line(arguments: &[OsString]) -> String {
    let words = arguments.iter().skip(1).map(|a| quoted(&a.to_string_lossy()));
    std::iter::once("scsim".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// A word in single quotes if a shell would read it otherwise.
pub fn quoted(word: &str) -> String {
    shell_word(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(quoted("a.toml"), "a.toml");
        assert_eq!(quoted("load.rate=\"5/s\""), "'load.rate=\"5/s\"'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
