//! What happened, line by line: what the driver did, what the router made of it, what was compared.
//!
//! *Knows* how facts are said in words, with the names of the file, and how to keep a long story
//! short. *Does not know* what is expected, nor any rule. A [`Tape`] is a handle that the kinds pass
//! on; each [`Bench`](super::bench::Bench) writes to it by itself, and so does every comparison.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::rc::Rc;

use super::facts;
use crate::policy::Fact;
use crate::units::Time;

/// Lines kept from the beginning of a story, and as many again from its end.
const KEPT: usize = 100;
/// Hosts that one line of requests names.
const NAMED: usize = 24;

/// What one vector did, as far as it is told.
#[derive(Clone, Default)]
pub struct Tape(Rc<RefCell<Roll>>);

#[derive(Default)]
struct Roll {
    /// The hosts, as the file calls them.
    names: Vec<String>,
    /// How many routers there were so far.
    runs: u32,
    now: Time,
    /// The vector's t = 0.
    zero: Time,
    /// The line that is still being written.
    open: Option<Line>,
    first: Vec<Line>,
    last: VecDeque<Line>,
    left_out: u64,
    /// Where the comparisons that come next stand.
    heading: Option<String>,
    differences: Vec<String>,
    comparisons: u64,
}

#[derive(Clone, PartialEq)]
struct Line {
    run: u32,
    from: Time,
    to: Time,
    zero: Time,
    times: u32,
    what: What,
}

#[derive(Clone, PartialEq)]
enum What {
    /// Requests that got a connection; the hosts named, and how many more.
    Picks(Vec<String>, u32),
    Said(String),
}

impl Tape {
    /// A tape on which hosts have these names, in the order of the members' keys.
    pub fn new(names: Vec<String>) -> Tape {
        let tape = Tape::default();
        tape.rename(names);
        tape
    }

    pub fn rename(&self, names: Vec<String>) {
        self.0.borrow_mut().names = names;
    }

    /// A new router; its clock stands at 0.
    pub fn run(&self) {
        let mut roll = self.0.borrow_mut();
        roll.flush();
        roll.runs += 1;
        (roll.now, roll.zero) = (Time::ZERO, Time::ZERO);
    }

    /// The vector's t = 0 is now.
    pub fn zero(&self) {
        let mut roll = self.0.borrow_mut();
        roll.flush();
        let (zero, run) = (roll.now, roll.runs);
        let Roll { first, last, .. } = &mut *roll;
        first.iter_mut().chain(last).filter(|line| line.run == run).for_each(|line| line.zero = zero);
        roll.zero = zero;
    }

    pub fn at(&self, now: Time) {
        self.0.borrow_mut().now = now;
    }

    pub fn host(&self, member: u64) -> String {
        self.0.borrow().host(member)
    }

    /// Something new begins, whatever it is.
    pub fn flush(&self) {
        self.0.borrow_mut().flush();
    }

    /// The driver does this.
    pub fn start(&self, what: impl Into<String>) {
        self.0.borrow_mut().start(What::Said(what.into()));
    }

    /// The router says this, at this instant; `member` is whom it is about.
    pub fn fact(&self, at: Time, fact: Fact, member: impl Fn(crate::policy::EndpointId) -> u64) {
        let mut roll = self.0.borrow_mut();
        roll.now = at;
        let zero = roll.zero;
        let named = |endpoint| roll.host(member(endpoint));
        match fact {
            Fact::Members { .. } => {}
            Fact::Sent { endpoint, attempt } if attempt.0 == 0 => {
                let host = named(endpoint);
                roll.start(What::Picks(vec![host], 0));
            }
            Fact::Sent { endpoint, attempt } => {
                let text = format!("retry {} to {}", attempt.0, named(endpoint));
                roll.start(What::Said(text));
            }
            Fact::Answered { endpoint, .. } | Fact::Failed { endpoint, .. } => {
                let (host, ending) = (named(endpoint), facts::ending(fact));
                if roll.was_sent_to(&host) {
                    roll.also(ending);
                } else {
                    roll.start(What::Said(format!("{host} {ending}")));
                }
            }
            _ => {
                let text = facts::words(fact, named, |until| instant(until, zero));
                roll.also(text);
            }
        }
    }

    /// Comparisons from here on stand under this instant and line of the file.
    pub fn heading(&self, line: usize) {
        let mut roll = self.0.borrow_mut();
        roll.heading = Some(format!("at {} ms (line {line}):", instant(roll.now, roll.zero)));
    }

    /// Takes down a comparison and returns whether it held.
    pub fn compared(&self, what: &str, expected: &str, got: &str, same: bool) -> bool {
        let mut roll = self.0.borrow_mut();
        roll.flush();
        roll.comparisons += 1;
        if same {
            roll.start(What::Said(format!("  expected {what} {expected}  ok")));
        } else {
            if let Some(heading) = roll.heading.take() {
                roll.differences.push(heading);
            }
            roll.differences.push(format!("- {what} {expected}"));
            roll.differences.push(format!("+ {what} {got}"));
            roll.start(What::Said(format!("- expected {what} {expected}")));
            roll.start(What::Said(format!("+ got {what} {got}")));
        }
        roll.flush();
        same
    }

    /// Something is wrong that no value says.
    pub fn wrong(&self, what: &str) {
        let mut roll = self.0.borrow_mut();
        roll.comparisons += 1;
        roll.differences.push(format!("+ {what}"));
        roll.start(What::Said(format!("+ {what}")));
        roll.flush();
    }

    pub fn holds(&self) -> bool {
        self.0.borrow().differences.is_empty()
    }

    /// True if anything was compared.
    pub fn compares(&self) -> bool {
        self.0.borrow().comparisons > 0
    }

    pub fn differences(&self) -> Vec<String> {
        self.0.borrow().differences.clone()
    }

    /// The story, in order of time within each run.
    pub fn timeline(&self) -> Vec<String> {
        let mut roll = self.0.borrow_mut();
        roll.flush();
        let lines: Vec<&Line> = roll.first.iter().chain(&roll.last).collect();
        let width = lines.iter().map(|line| line.when().chars().count()).max().unwrap_or(0);
        let mut out = Vec::new();
        let mut run = 0;
        for (i, line) in lines.into_iter().enumerate() {
            if roll.left_out > 0 && i == roll.first.len() {
                out.push(format!("... {} lines left out ...", roll.left_out));
            }
            if roll.runs > 1 && run != line.run {
                out.push(format!("run {}", line.run));
            }
            run = line.run;
            let when = line.when();
            let unit = if when == "before" { "  " } else { "ms" };
            out.push(format!("{when:>width$} {unit}  {}", line.text()));
        }
        out
    }
}

impl Roll {
    fn host(&self, member: u64) -> String {
        let name = usize::try_from(member).ok().and_then(|at| self.names.get(at));
        name.cloned().unwrap_or_else(|| format!("h{member}"))
    }

    fn start(&mut self, what: What) {
        self.flush();
        let (from, run) = (self.now, self.runs.max(1));
        self.open = Some(Line { run, from, to: from, zero: self.zero, times: 1, what });
    }

    /// What follows from the line that is open, if that is of this instant.
    fn also(&mut self, text: String) {
        match &mut self.open {
            Some(line) if line.from == self.now => line.what = What::Said(format!("{} -> {text}", line.what.text())),
            _ => self.start(What::Said(text)),
        }
    }

    /// True if the open line says last that a request went to that host, now.
    fn was_sent_to(&self, host: &str) -> bool {
        let Some(line) = self.open.as_ref().filter(|line| line.from == self.now) else { return false };
        match &line.what {
            What::Picks(hosts, _) => hosts.last().is_some_and(|last| last == host),
            What::Said(text) => text.strip_suffix(host).is_some_and(|rest| rest.ends_with(" to ")),
        }
    }

    /// Closes the open line. One that repeats the line before lengthens it.
    fn flush(&mut self) {
        let Some(line) = self.open.take() else { return };
        if let Some(before) = self.last.back_mut().or(self.first.last_mut()) {
            if before.what == line.what && before.run == line.run && before.zero == line.zero {
                before.to = line.to;
                before.times += 1;
                return;
            }
            let joins = before.from == line.from && before.to == line.to && before.run == line.run;
            if let (What::Picks(hosts, more), What::Picks(new, _)) = (&mut before.what, &line.what)
                && joins
                && before.times == 1
            {
                if hosts.len() < NAMED {
                    hosts.extend(new.iter().cloned());
                } else {
                    *more += 1;
                }
                return;
            }
        }
        if self.first.len() < KEPT {
            self.first.push(line);
            return;
        }
        self.last.push_back(line);
        if self.last.len() > KEPT {
            self.last.pop_front();
            self.left_out += 1;
        }
    }
}

impl What {
    fn text(&self) -> String {
        match self {
            What::Said(text) => text.clone(),
            What::Picks(hosts, more) => {
                let (s, names) = (if hosts.len() > 1 { "s" } else { "" }, hosts.join(" "));
                let more = if *more > 0 { format!(" and {more} more") } else { String::new() };
                format!("request{s} to {names}{more}")
            }
        }
    }
}

impl Line {
    fn when(&self) -> String {
        let (from, to) = (instant(self.from, self.zero), instant(self.to, self.zero));
        if from == to { from } else { format!("{from}..{to}") }
    }

    fn text(&self) -> String {
        let times = if self.times > 1 { format!(" ×{}", self.times) } else { String::new() };
        format!("{}{times}", self.what.text())
    }
}

/// Milliseconds since the vector's t = 0, thousands apart; what was before that is `before`.
fn instant(at: Time, zero: Time) -> String {
    if at < zero {
        return "before".to_owned();
    }
    if at == Time::NEVER {
        return "never".to_owned();
    }
    let nanos = at.since(zero).as_nanos();
    let (whole, micros) = (nanos / 1_000_000, nanos % 1_000_000 / 1_000);
    let digits = whole.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    if micros > 0 {
        out.push_str(format!(".{micros:03}").trim_end_matches('0'));
    }
    out
}

/// A value as people write it: words without quotes, `Some(1)` as 1, `None` as nothing.
pub fn shown<T: Debug + ?Sized>(value: &T) -> String {
    let text = format!("{value:?}");
    // A word that has quotes of its own keeps them all.
    if text.contains('\\') {
        return text;
    }
    let text = text.replace('"', "");
    match text.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => inner.to_owned(),
        None if text == "None" => "nothing".to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Span;

    #[test]
    fn instants_are_read_at_a_glance() {
        let at = |nanos| instant(Time::ZERO + Span::from_nanos(nanos), Time::ZERO);
        assert_eq!(at(0), "0");
        assert_eq!(at(40_000_000_000), "40 000");
        assert_eq!(at(1_234_567_000_000), "1 234 567");
        assert_eq!(at(1_500_000), "1.5");
        assert_eq!(instant(Time::ZERO, Time::ZERO + Span::from_millis(1)), "before");
    }

    #[test]
    fn repetitions_are_one_line_and_long_stories_lose_their_middle() {
        let tape = Tape::new(vec!["a".to_owned()]);
        tape.run();
        for i in 0..14 {
            tape.at(Time::ZERO + Span::from_millis(i * 10));
            tape.start("a 500");
        }
        assert_eq!(tape.timeline(), ["0..130 ms  a 500 ×14"]);
        for i in 0..1000 {
            tape.start(format!("{i}"));
        }
        let lines = tape.timeline();
        assert_eq!(lines.len(), 2 * KEPT + 1);
        assert_eq!(lines[KEPT], "... 801 lines left out ...");
        assert!(lines.last().unwrap().ends_with("  999"));
    }

    #[test]
    fn values_are_shown_without_the_marks_of_the_language() {
        assert_eq!(shown(&vec!["h0", "h1"]), "[h0, h1]");
        assert_eq!(shown(&Some(3)), "3");
        assert_eq!(shown(&None::<u32>), "nothing");
    }
}
