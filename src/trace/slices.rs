//! A story as slices: what its user waited for, what each task worked on, each call with its attempts.
//!
//! *Knows* which slice goes on which lane and inside which other. *Does not know* files. What encloses is
//! written before what it encloses, and a story is written whole, so that its arrows meet.

use serde_json::Value;
use serde_json::json;

use super::book::caller_track;
use super::events::Arrow;
use super::events::Events;
use super::events::Place;
use super::lanes::Track;
use super::story::Attempt;
use super::story::Call;
use super::story::End;
use super::story::Job;
use super::story::Story;
use super::words;
use super::words::Names;
use crate::units::Time;

/// Writes a story; what has no end by `now` ends there.
pub(super) fn write(events: &mut Events<'_>, names: &Names<'_>, story: &Story, now: Time) {
    let (answered, status) = story.answered.map_or((now, 0), |(at, status)| (at, status));
    let place = events.lane(names, Track::Users, story.lane);
    let args = json!({
        "request": story.request,
        "status": status,
        "failed": story.failed(),
        "task": story.task.map(|task| names.task(task)),
        "attempts": story.attempts(),
        "plane": names.plane.name,
    });
    events.slice(place, ("request", &format!("request {}", story.request)), story.arrived, answered, args);
    events.arrow(place, Arrow::Start, story.request, story.arrived);
    for job in &story.jobs {
        work(events, names, story, job, now);
    }
    for made in &story.calls {
        call(events, names, story, made, now);
    }
    // Inside the slice, or the viewer binds it to the next one.
    let end = if answered.since(story.arrived).as_nanos() > 1_000 {
        Time::from_nanos(answered.as_nanos() - 1_000).max(story.arrived)
    } else {
        story.arrived
    };
    events.arrow(place, Arrow::End, story.request, end);
}

fn work(events: &mut Events<'_>, names: &Names<'_>, story: &Story, job: &Job, now: Time) {
    let place = events.lane(names, Track::Work(job.task), job.lane);
    let (over, status) = job.over.unwrap_or((now, 0));
    let host = names.task(job.task);
    let started = job.started.unwrap_or(over);
    let what = names.endpoint(job.task, job.endpoint);
    let name = if job.branch_of.is_some() { "branch".to_owned() } else { format!("{host}{what}") };
    let args = json!({
        "request": story.request,
        "host": host,
        "status": status,
        "finished": job.over.is_some(),
        "plane": names.plane.name,
    });
    events.slice(place, ("job", &name), job.came, over, args);
    events.arrow(place, Arrow::Step, story.request, job.came);
    if started > job.came {
        events.slice(place, ("queue", "queue"), job.came, started, json!({ "request": story.request, "host": host }));
    }
    if over > started {
        events.slice(place, ("work", "work"), started, over, json!({ "request": story.request, "host": host }));
    }
}

fn call(events: &mut Events<'_>, names: &Names<'_>, story: &Story, call: &Call, now: Time) {
    let track = caller_track(call.task, call.node);
    let place = events.lane(names, track, call.lane);
    let over = call.over.unwrap_or(now);
    let callee = names.callee(call.edge);
    let (status, flags) = call.result.map_or((0, "-".to_owned()), |(status, flags)| (status, flags.to_string()));
    let args = json!({
        "request": story.request,
        "to": callee,
        "status": status,
        "flags": flags,
        "attempts": call.attempts.len(),
        "given_up": call.result.is_none(),
        "plane": names.plane.name,
    });
    events.slice(place, ("call", &format!("call {callee}")), call.began, over, args);
    if let Some(from) = call.looked_up {
        let to = call.attempts.first().map_or(over, |first| first.chosen);
        events.slice(place, ("look-up", "look-up"), from, to.max(from), json!({ "request": story.request }));
    }
    for at in 0..call.attempts.len() {
        attempt(events, names, story, (call, at), (place, track), over);
    }
}

fn attempt(
    events: &mut Events<'_>,
    names: &Names<'_>,
    story: &Story,
    (call, at): (&Call, usize),
    (place, track): (Place, Track),
    call_over: Time,
) {
    let one = &call.attempts[at];
    let host = names.host(one.host);
    let over = one.over.unwrap_or(call_over);
    let place = one.lane.map_or(place, |lane| events.lane(names, track, lane));
    let name = format!("attempt {} to {host}", one.number + 1);
    events.slice(place, ("attempt", &name), one.chosen, over, args(names, story, call, at));
    events.arrow(place, Arrow::Step, story.request, one.chosen);
    let sent = one.sent.unwrap_or(over);
    if sent > one.chosen {
        events.slice(
            place,
            ("connect", "connect"),
            one.chosen,
            sent,
            json!({ "request": story.request, "host": host }),
        );
    }
    if one.retried.is_some() {
        let why = names.aftermath(call, at);
        events.instant(place, ("retry", "retry"), over, json!({ "request": story.request, "host": host, "why": why }));
        let next = call.attempts.get(at + 1);
        if let Some(next) = next.filter(|next| next.lane.is_none() && next.chosen > over && one.lane.is_none()) {
            events.slice(place, ("back-off", "back-off"), over, next.chosen, json!({ "request": story.request }));
        }
    }
}

fn args(names: &Names<'_>, story: &Story, call: &Call, at: usize) -> Value {
    let one: &Attempt = &call.attempts[at];
    let status = match one.end {
        Some(End::Answered(status)) => status,
        _ => 0,
    };
    let last = at + 1 == call.attempts.len();
    let flags = call.result.filter(|_| last).map_or_else(|| "-".to_owned(), |(_, flags)| flags.to_string());
    json!({
        "request": story.request,
        "attempt": one.number + 1,
        "host": names.host(one.host),
        "plane": names.plane.name,
        "status": status,
        "end": words::end(one),
        "flags": flags,
        "refused": one.refused.map(words::refusal),
        "chosen": names.choice(one),
        "meant": names.host(one.meant),
        "after": names.aftermath(call, at),
    })
}
