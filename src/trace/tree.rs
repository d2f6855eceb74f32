//! A story as an indented text.
//!
//! *Knows* layout: a column of times, then a tree. *Does not know* why anything happened; `words` does.

use super::story::Attempt;
use super::story::Call;
use super::story::Job;
use super::story::Part;
use super::story::Story;
use super::words;
use super::words::Names;
use crate::policy::Flag;
use crate::policy::Flags;
use crate::units::Span;
use crate::units::Time;

/// The strokes of a tree.
struct Strokes {
    branch: &'static str,
    last: &'static str,
    bar: &'static str,
}

const UNICODE: Strokes = Strokes { branch: "├ ", last: "└ ", bar: "│ " };
const ASCII: Strokes = Strokes { branch: "|- ", last: "`- ", bar: "|  " };

/// Deepest nesting that is drawn; what is below says how much there is.
const DEPTH_MAX: usize = 64;
/// Width of the column of times.
const TIMES: usize = 11;

/// A story as text, each line ended.
pub fn render(story: &Story, names: &Names<'_>, replication: u32, ascii: bool) -> String {
    let strokes = if ascii { &ASCII } else { &UNICODE };
    let end = match story.answered {
        Some((at, 0)) => format!("no answer after {}", words::span(at.since(story.arrived))),
        Some((at, status)) => format!("{status} after {}", words::span(at.since(story.arrived))),
        None => "no answer by the end of the run".to_owned(),
    };
    let whom = match story.task {
        Some(task) => format!("comes to {}", names.task(task)),
        None => "finds no task that serves".to_owned(),
    };
    let (request, when) = (story.request, words::instant(story.arrived));
    let head = format!("request {request} of replication {replication} {whom} {when} into the run: {end}\n");
    let mut tree = Tree { story, names, strokes, out: head };
    if let Some(how) = story.refused {
        tree.line(None, strokes.last, &words::refusal(how));
    }
    if let Some(job) = story.jobs.first() {
        tree.job(job, "", 0);
    }
    tree.out
}

struct Tree<'a> {
    story: &'a Story,
    names: &'a Names<'a>,
    strokes: &'static Strokes,
    out: String,
}

impl Tree<'_> {
    fn line(&mut self, at: Option<Time>, indent: &str, text: &str) {
        let time = at.map_or_else(String::new, |at| words::span(at.since(self.story.arrived)));
        let line = format!("{time:>TIMES$}  {indent}{text}");
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    /// The indents of a child: of its first line, and of what is below it.
    fn indents(&self, indent: &str, last: bool) -> (String, String) {
        let (stroke, below) = if last {
            (self.strokes.last, " ".repeat(self.strokes.last.chars().count()))
        } else {
            (self.strokes.branch, self.strokes.bar.to_owned())
        };
        (format!("{indent}{stroke}"), format!("{indent}{below}"))
    }

    /// What a task did for the story: its line, and its parts below it.
    fn job(&mut self, job: &Job, indent: &str, depth: usize) {
        let end = match job.over {
            Some((at, 0)) => format!("gave nothing whole after {}", words::span(at.since(job.came))),
            Some((at, status)) => format!("answers {status} after {}", words::span(at.since(job.came))),
            None => "is not done by the end of the run".to_owned(),
        };
        let queued = match job.started {
            Some(started) if started > job.came => {
                format!(", {} of it in its queue", words::span(started.since(job.came)))
            }
            Some(_) => String::new(),
            None => ", always in its queue".to_owned(),
        };
        let endpoint = self.names.endpoint(job.task, job.endpoint);
        let who = if job.branch_of.is_some() {
            "a branch".to_owned()
        } else {
            format!("{}{endpoint}", self.names.task(job.task))
        };
        self.line(Some(job.came), indent, &format!("{who} {end}{queued}"));
        self.parts(job, indent, depth + 1);
    }

    fn parts(&mut self, job: &Job, indent: &str, depth: usize) {
        if depth > DEPTH_MAX {
            self.line(None, indent, &format!("… {} more below", job.parts.len()));
            return;
        }
        for (i, part) in job.parts.iter().enumerate() {
            let (first, below) = self.indents(indent, i + 1 == job.parts.len());
            match *part {
                Part::Call(call) => self.call(&self.story.calls[call], &first, &below, depth),
                Part::Branch(branch) => {
                    let branch = &self.story.jobs[branch];
                    self.line(Some(branch.came), &first, "at the same time");
                    self.parts(branch, &below, depth + 1);
                }
                Part::NotCalled { at, edge, flag } => {
                    let why = match flag {
                        Flag::Df => "the name means nothing there",
                        _ => "the proxy on the way is down",
                    };
                    let callee = self.names.callee(edge);
                    self.line(Some(at), &first, &format!("cannot call {callee}: {why} ({})", flag.name()));
                }
            }
        }
    }

    fn call(&mut self, call: &Call, first: &str, below: &str, depth: usize) {
        let took = call.over.map(|over| words::span(over.since(call.began)));
        let end = match (call.result, took) {
            (Some((status, flags)), Some(took)) => format!("{} after {took}", verdict(status, flags)),
            (None, Some(took)) => format!("given up after {took}: its caller died"),
            (_, None) => "no end".to_owned(),
        };
        let callee = self.names.callee(call.edge);
        let attempts = match call.attempts.len() {
            0 => ", no attempt made".to_owned(),
            1 => String::new(),
            n => format!(", {n} attempts"),
        };
        self.line(Some(call.began), first, &format!("calls {callee}: {end}{attempts}"));
        self.tries(call, below, depth);
    }

    fn tries(&mut self, call: &Call, indent: &str, depth: usize) {
        if let Some(at) = call.looked_up {
            self.line(Some(at), &format!("{indent}{}", self.strokes.branch), "looks the name up");
        }
        if let Some(limit) = call.limit {
            self.line(
                None,
                &format!("{indent}{}", self.strokes.branch),
                &format!("turned away: {}", words::limit(limit)),
            );
        }
        for at in 0..call.attempts.len() {
            let (first, below) = self.indents(indent, at + 1 == call.attempts.len());
            self.attempt(call, at, &first, &below, depth);
        }
    }

    fn attempt(&mut self, call: &Call, at: usize, first: &str, below: &str, depth: usize) {
        let attempt = &call.attempts[at];
        let host = self.names.host(attempt.host);
        let took =
            attempt.over.map_or_else(String::new, |over| format!(" after {}", words::span(over.since(attempt.chosen))));
        let slow = if attempt.slow { ", slow and left open" } else { "" };
        self.line(
            Some(attempt.chosen),
            first,
            &format!("attempt {} to {host}: {}{took}{slow}", attempt.number + 1, words::end(attempt)),
        );
        let why = self.names.choice(attempt);
        let why = why.unwrap_or_else(|| "a connection that stood ready leads there".to_owned());
        self.line(None, below, &format!("chosen: {why}"));
        if attempt.meant != attempt.host {
            let meant = self.names.host(attempt.meant);
            self.line(None, below, &format!("that was {meant}; a connection to {host} could be had first"));
        }
        self.way(attempt, below);
        if let Some(how) = attempt.refused {
            self.line(None, below, &format!("there: {}", words::refusal(how)));
        }
        if let Some(job) = attempt.job
            && depth <= DEPTH_MAX
        {
            let job = &self.story.jobs[job];
            self.job(job, below, depth + 1);
            if attempt.over.is_some_and(|over| job.over.is_none_or(|(at, _)| at > over)) {
                self.line(None, below, "for nobody: its caller had given up");
            }
        }
        if let Some(relayed) = attempt.relayed
            && depth <= DEPTH_MAX
        {
            self.tries(&self.story.calls[relayed], below, depth + 1);
        }
        if let Some((detector, until)) = attempt.ejected {
            let text = format!(
                "{host} is ejected for it ({}), until {} at the earliest",
                words::detector(detector),
                words::instant(until)
            );
            self.line(None, below, &text);
        }
        if let Some(aftermath) = self.names.aftermath(call, at) {
            self.line(None, below, &aftermath);
        }
    }

    /// How long it took to get a connection, where that took time.
    fn way(&mut self, attempt: &Attempt, below: &str) {
        let wait = match attempt.sent {
            Some(sent) => sent.since(attempt.chosen),
            None => return self.line(None, below, "it never got a connection"),
        };
        if wait > Span::ZERO {
            self.line(None, below, &format!("waited {} for a connection", words::span(wait)));
        }
    }
}

/// `503 (URX,UF)`.
fn verdict(status: u16, flags: Flags) -> String {
    let status = if status == 0 { "no answer".to_owned() } else { status.to_string() };
    if flags == Flags::NONE { status } else { format!("{status} ({flags})") }
}
