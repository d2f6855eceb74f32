//! The two sides of a case, side by side.
//!
//! *Knows* what must agree and when Envoy's side was disturbed. *Does not know* how either side
//! came to be.

use super::case::COUNTS;
use super::case::Case;
use super::case::Event;
use super::case::Family;
use super::case::Name;
use super::case::Played;
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
        if best.as_ref().is_some_and(|best| best.differences.is_empty() && best.outcomes.uncertain.is_none()) {
            break;
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

/// So many turns by weight, and fewer, come before the first, whatever the start is.
const MOST_TURNS: u64 = 429_496_729;

/// In the midst of these.
const MIDST: u64 = 200_000_000;

/// All starts that agree with the first pick, by what they leave when divided by any number of turns.
fn starts(case: &Case, observed: &Observed) -> Vec<u64> {
    if !case.random_start() {
        return vec![0];
    }
    let n = case.hosts.len() as u64;
    // With weights the turns of any set of hosts come again after the sum of their weights.
    let weights: u64 = case.hosts.iter().map(|host| u64::from(host.weight)).sum();
    let all = (1..=weights).fold(1, |all, n| all / gcd(all, n) * n);
    let even = case.hosts.iter().all(|host| host.weight == case.hosts[0].weight);
    // Known if the first attempt of all is one that a host saw.
    let first = observed.played.requests.values().next();
    let first = first.filter(|seen| seen.hosts.len() as u32 == seen.attempts).and_then(|seen| seen.hosts.first());
    if case.rolls() {
        // One index per list, and the first pick is of an unknown one.
        return (0..all).collect();
    }
    if even {
        return (0..all).filter(|start| first.is_none_or(|&first| start % n == first as u64)).collect();
    }
    // Turns by weight begin after as many turns as the start says, counted in doubles. All starts but
    // the very smallest that leave the same round in the same way. Where those that are left have one
    // weight, the start itself counts, of which the number of turns says nothing: six remainders are
    // all that two or three hosts can tell apart.
    let base = MIDST / all * all;
    (0..6).flat_map(|index| (0..all).map(move |turns| start_with(base + turns, index))).collect()
}

/// A start with that many turns by weight, which leaves `index` when divided by six.
fn start_with(turns: u64, index: u64) -> u64 {
    // Envoy takes the lower 32 bits by the odd number of most turns; the upper ones are worth 1 modulo 3.
    let low = turns + MOST_TURNS * ((turns + index) % 2);
    low + (((index + 3 - low % 3) % 3) << 32)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn compare(case: &Case, observed: &Observed, start: u64) -> Comparison {
    let outcomes = module::play(case, start, observed);
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
    // The last burst's own events are the last that both sides had time for.
    let end = case.bursts.last().map_or(Span::ZERO, |burst| burst.at + Span::from_nanos(1));
    let before = if until == Time::NEVER { end } else { case.stretch(until.since(Time::ZERO)).begin(case).min(end) };
    let (theirs, ours) = (events(case, &observed.played, before), events(case, &outcomes.played, before));
    if theirs != ours {
        let at = theirs.iter().zip(&ours).take_while(|(a, b)| a == b).count();
        differences.push(format!("event {at}: Envoy {:?}, scsim {:?}", theirs.get(at), ours.get(at)));
    }
    if outcomes.uncertain.is_none() {
        let (theirs, ours) = (&observed.played.refusals, &outcomes.played.refusals);
        if theirs != ours {
            differences.push(format!("connections refused: Envoy {theirs:?}, scsim {ours:?}"));
        }
        for name in COUNTS {
            let count = |played: &Played| played.counts.get(name).copied().unwrap_or(0);
            let (theirs, ours) = (count(&observed.played), count(&outcomes.played));
            if theirs != ours {
                differences.push(format!("{name}: Envoy {theirs}, scsim {ours}"));
            }
        }
    }
    Comparison { outcomes, start, compared, agreed, differences }
}

/// The events before that instant, in order; those of one sweep sorted, as Envoy finds them in the
/// order of a hash map.
fn events(case: &Case, played: &Played, before: Span) -> Vec<Event> {
    let mut events = played.events.clone();
    events.retain(|event| event.stretch.begin(case) < before);
    let key = |event: &Event| match event.stretch {
        Stretch::Sweep(_) => (event.stretch.begin(case), event.host, event.kind.clone()),
        Stretch::Burst(_) => (event.stretch.begin(case), 0, String::new()),
    };
    events.sort_by_key(key);
    events
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
    let event = |event: &Event| format!("{event:?}");
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
        Family::Breaker | Family::RetryBreaker | Family::Merge | Family::Timeout => Span::from_millis(40),
        _ => Span::from_nanos(case.interval.as_nanos() / 10),
    };
    // Attempts of requests that overlap, in the order of their hosts.
    let overlapping = |name: &Name| case.bursts[name.burst].apart.is_some();
    let mut hits: Vec<Time> =
        observed.hits.iter().filter(|(name, _)| overlapping(name)).flat_map(|(_, hits)| hits.clone()).collect();
    hits.sort();
    if hits.windows(2).any(|pair| pair[1].since(pair[0]) < Span::from_millis(3)) {
        return Some("two attempts began together that should have come one after the other".to_owned());
    }
    let begins: Vec<Time> = observed.times.values().map(|(began, _)| *began).collect();
    if begins.windows(2).any(|pair| pair[1].since(pair[0]) < Span::from_millis(2)) {
        return Some("two requests began together that should have come one after the other".to_owned());
    }
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
        // A retry that was chosen before the ejection by the attempt before it had come through.
        let hits = observed.hits.get(name).map_or(&[][..], |hits| hits);
        let close = hits.windows(2).any(|pair| pair[1].since(pair[0]) < Span::from_millis(6));
        // Refused attempts leave no instants: the back-off between two of them may have been next to nothing.
        let refused = observed
            .played
            .requests
            .get(name)
            .is_some_and(|seen| seen.attempts > 1 && hits.len() < seen.attempts as usize);
        let events = observed.event_times.iter().any(|at| began.as_nanos() <= at.as_nanos() + 1_000_000 && at <= ended);
        // Ejections that may not be are in no log with their instants.
        let overflow = "outlier_detection.ejections_overflow";
        let overflows = observed.played.counts.get(overflow) != outcomes.played.counts.get(overflow);
        if (close || refused) && (events || overflows) {
            return Some(format!(
                "a retry of {} was as quick as the detection before it, or could have been",
                name.path()
            ));
        }
    }
    for (event, at) in observed.played.events.iter().zip(&observed.event_times) {
        match event.stretch {
            Stretch::Sweep(nth) => {
                let late = at.since(Time::ZERO + case.interval.times(nth));
                if late > margin {
                    return Some(format!("sweep {nth} came {late:?} late"));
                }
            }
            Stretch::Burst(_) if !event.ejected => return Some(format!("a sweep came as late as {at:?}")),
            Stretch::Burst(_) => {}
        }
    }
    // A detection that the main thread has not dealt with before the next failure is lost.
    let during = |at: Time, by: Span| {
        observed.times.values().any(|(began, ended)| at <= *ended + Span::from_millis(10) && *began <= at + by)
    };
    if case.config.outlier_detection.is_some()
        && let Some((at, by)) =
            observed.main_thread.iter().find(|(at, by)| *by >= Span::from_millis(8) && during(*at, *by))
    {
        return Some(format!("Envoy's main thread was busy for {by:?} at {at:?}"));
    }
    let hiccup = observed.hiccups.iter().find(|(at, by)| *by > margin && *at > Time::ZERO);
    hiccup.map(|(at, by)| format!("everything stood still for {by:?} at {at:?}"))
}

#[test]
fn starts_have_the_turns_and_the_index_they_are_made_for() {
    for (turns, index) in [(0, 0), (MIDST, 5), (MIDST + 1, 0), (MOST_TURNS - 1, 3), (7, 4), (MIDST + 3, 2)] {
        let start = start_with(turns, index);
        assert_eq!((start % (1 << 32) % MOST_TURNS, start % 6), (turns, index));
    }
}
