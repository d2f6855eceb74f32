//! The two sides of a case, side by side.
//!
//! *Knows* what must agree and when Envoy's side was disturbed. *Does not know* how either side
//! came to be.

use super::case::COUNTS;
use super::case::Case;
use super::case::Family;
use super::case::Name;
use super::case::Seen;
use super::case::Stretch;
use super::module;
use super::module::Outcomes;
use super::real::Observed;
use scsim::units::Span;
use scsim::units::Time;
use std::fmt::Write as _;

/// What a comparison led to.
pub enum Verdict {
    /// All agrees. `up_to` says why it was compared only up to some request, if it was.
    Equal { compared: usize, of: usize, up_to: Option<&'static str> },
    /// It does not; `disturbed` says what was measured that can explain it without a bug.
    Different { text: String, disturbed: Option<String> },
}

/// One candidate for the random start, compared.
struct Comparison {
    outcomes: Outcomes,
    start: u64,
    /// Requests compared, and those of them before the first difference.
    compared: usize,
    agreed: usize,
    differences: Vec<String>,
}

/// Compares. The random start is unknown: there must be one from which everything follows.
pub fn judge(case: &Case, observed: &Observed) -> Verdict {
    let mut best: Option<Comparison> = None;
    for start in starts(case, observed) {
        let it = compare(case, observed, start);
        let rank = |it: &Comparison| (it.differences.is_empty(), it.agreed);
        if best.as_ref().is_none_or(|best| rank(&it) > rank(best)) {
            best = Some(it);
        }
    }
    let best = best.expect("there is at least one start");
    if best.differences.is_empty() {
        let of = observed.times.len();
        let up_to = (best.compared < of).then_some(best.outcomes.uncertain).flatten().map(|(_, why)| why);
        return Verdict::Equal { compared: best.compared, of, up_to };
    }
    Verdict::Different { text: report(case, observed, &best), disturbed: disturbance(case, observed, &best.outcomes) }
}

/// All starts that agree with the first pick, by what they leave when divided by any number of hosts.
fn starts(case: &Case, observed: &Observed) -> Vec<u64> {
    if !case.random_start() {
        return vec![0];
    }
    let n = case.hosts.len() as u64;
    let all = (1..=n).fold(1, |all, n| all / gcd(all, n) * n);
    let first = observed.played.requests.values().find_map(|seen| seen.hosts.first());
    (0..all).filter(|start| first.is_none_or(|&first| start % n == first as u64)).collect()
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn compare(case: &Case, observed: &Observed, start: u64) -> Comparison {
    let outcomes = module::play(case, start);
    let until = outcomes.uncertain.map_or(Time::NEVER, |(at, _)| at);
    let certain = |name: &Name| outcomes.times.get(name).is_none_or(|(began, _)| *began < until);
    let mut differences = Vec::new();
    let (mut compared, mut agreed) = (0, 0);
    for name in observed.times.keys().filter(|name| certain(name)) {
        compared += 1;
        let (theirs, ours) = (observed.played.requests.get(name), outcomes.played.requests.get(name));
        if theirs == ours {
            agreed += usize::from(differences.is_empty());
        } else {
            differences.push(format!("{}: Envoy {}, scsim {}", name.path(), line(theirs), line(ours)));
        }
    }
    let stretch = if until == Time::NEVER { Stretch::Burst(usize::MAX) } else { case.stretch(until.since(Time::ZERO)) };
    let before = |at: &Stretch| until == Time::NEVER || position(case, *at) < position(case, stretch);
    let events = |played: &super::case::Played| {
        let mut events = played.events.clone();
        events.retain(|event| before(&event.stretch));
        module::ordered(events)
    };
    let (theirs, ours) = (events(&observed.played), events(&outcomes.played));
    if theirs != ours {
        let at = theirs.iter().zip(&ours).take_while(|(a, b)| a == b).count();
        differences.push(format!("event {at}: Envoy {:?}, scsim {:?}", theirs.get(at), ours.get(at)));
    }
    if outcomes.uncertain.is_none() {
        for name in COUNTS {
            let count = |played: &super::case::Played| played.counts.get(name).copied().unwrap_or(0);
            let (theirs, ours) = (count(&observed.played), count(&outcomes.played));
            if theirs != ours {
                differences.push(format!("{name}: Envoy {theirs}, scsim {ours}"));
            }
        }
    }
    Comparison { outcomes, start, compared, agreed, differences }
}

/// A stretch's place in time.
fn position(case: &Case, stretch: Stretch) -> Span {
    match stretch {
        Stretch::Sweep(nth) => case.interval.times(nth),
        Stretch::Burst(0) => Span::ZERO,
        Stretch::Burst(begun) => case.bursts[begun - 1].at,
    }
}

fn line(seen: Option<&Seen>) -> String {
    seen.map_or_else(
        || "nothing".to_owned(),
        |seen| format!("{} [{}] x{} {:?}", seen.status, seen.flags.join(","), seen.attempts, seen.hosts),
    )
}

/// Both timelines, for a person.
fn report(case: &Case, observed: &Observed, best: &Comparison) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "case {} differs (best start {}): {}", case.nth, best.start, case.describe());
    for difference in &best.differences {
        let _ = writeln!(text, "  {difference}");
    }
    if let Some((at, why)) = best.outcomes.uncertain {
        let _ = writeln!(text, "  uncertain from {at:?}: {why}");
    }
    let _ = writeln!(text, "  {:<10} {:<44} {:<44}", "request", "Envoy", "scsim");
    for (name, (began, _)) in &observed.times {
        let (theirs, ours) = (observed.played.requests.get(name), best.outcomes.played.requests.get(name));
        let mark = if theirs == ours { ' ' } else { '!' };
        let planned = best.outcomes.times.get(name).map_or(Time::ZERO, |(began, _)| *began);
        let ms = |at: Time| at.as_nanos() / 1_000_000;
        let (began, planned) = (ms(*began), ms(planned));
        let _ = writeln!(
            text,
            "{mark} {:<10} {began:>6} {:<38} {planned:>6} {:<38}",
            name.path(),
            line(theirs),
            line(ours)
        );
    }
    let event = |event: &super::case::Event| format!("{event:?}");
    let _ = writeln!(text, "  Envoy's events:");
    for (it, at) in observed.played.events.iter().zip(&observed.event_times) {
        let _ = writeln!(text, "    {:>6} {}", at.as_nanos() / 1_000_000, event(it));
    }
    let _ = writeln!(text, "  scsim's events:");
    for it in &best.outcomes.played.events {
        let _ = writeln!(text, "    {}", event(it));
    }
    let _ = writeln!(text, "  to play it alone: SCSIM_ENVOY_CASE={} with the same SCSIM_ENVOY_SEED", case.nth);
    text
}

/// What was measured that could have led Envoy astray: asked too late, or held up between two steps.
fn disturbance(case: &Case, observed: &Observed, outcomes: &Outcomes) -> Option<String> {
    let margin = match case.family {
        // Requests pile up every 8 ms, and the next must not overtake.
        Family::Breaker | Family::RetryBreaker => Span::from_millis(6),
        Family::Merge | Family::Timeout => Span::from_millis(40),
        _ => Span::from_nanos(case.interval.as_nanos() / 10),
    };
    for (name, (began, ended)) in &observed.times {
        let Some((planned, planned_end)) = outcomes.times.get(name) else { continue };
        let late = began.since(*planned);
        if late > margin {
            return Some(format!("{} began {late:?} late", name.path()));
        }
        let longer = ended.since(*began).less(planned_end.since(*planned));
        if longer > margin {
            return Some(format!("{} took {longer:?} longer than planned", name.path()));
        }
        let hiccup = observed.hiccups.iter().find(|(at, by)| *by > margin && *at < *ended && *began < *at + *by);
        if let Some((_, by)) = hiccup {
            return Some(format!("everything stood still for {by:?} during {}", name.path()));
        }
        // A retry that was chosen before the ejection by the attempt before it had come through.
        let hits = observed.hits.get(name).map_or(&[][..], |hits| hits);
        let close = hits.windows(2).any(|pair| pair[1].since(pair[0]) < Span::from_millis(6));
        let refused = observed.played.requests.get(name).is_some_and(|seen| {
            let unseen = seen.hosts.len().saturating_sub(hits.len()) as u64;
            unseen > 0 && ended.since(*began) < Span::from_millis(6 * unseen)
        });
        let events = observed.event_times.iter().any(|at| began.as_nanos() <= at.as_nanos() + 1_000_000 && at <= ended);
        if (close || refused) && events {
            return Some(format!("a retry of {} was as quick as the ejection before it", name.path()));
        }
    }
    for (event, at) in observed.played.events.iter().zip(&observed.event_times) {
        if let Stretch::Sweep(nth) = event.stretch {
            let due = Time::ZERO + case.interval.times(nth);
            if at.since(due) > margin {
                return Some(format!("sweep {nth} came {:?} late", at.since(due)));
            }
        }
    }
    None
}
