//! Vectors of passive ejection that say their situation in words: jitter, degraded endpoints,
//! returns by probes, and 1.40's ejection of one endpoint twice.

use super::Compared;
use super::Halt;
use super::bench::Bench;
use super::bench::answered;
use super::bench::boundless;
use super::bench::probed;
use super::differ;
use super::expectation;
use super::not_replayable;
use super::outlier::read;
use super::schema;
use super::schema::only;
use super::tape::Tape;
use super::yaml::Node;
use crate::policy::Answer;
use crate::policy::Outcome;
use crate::policy::PolicyConfig;
use crate::policy::Step;
use crate::policy::config::LbPolicy;
use crate::policy::config::OutlierDetection;
use crate::units::Span;
use crate::units::Time;

fn with(od: OutlierDetection) -> PolicyConfig {
    PolicyConfig { outlier_detection: Some(od), lb_policy: LbPolicy::Random, ..boundless() }
}

/// One request to that member, answered so.
fn one(bench: &mut Bench, member: u64, outcome: Outcome) -> Result<(), Halt> {
    let Some(word) = bench.word_for(member) else {
        return not_replayable(format!("the balancer sends nothing to member {member}"));
    };
    bench.set_word(word);
    let (mut flight, step) = bench.begin();
    match step {
        Step::Try(attempt) if attempt.member.0 == member => {
            let _ = bench.report(&mut flight, attempt, outcome);
            Ok(())
        }
        other => not_replayable(format!("a request to member {member} became {other:?}")),
    }
}

/// A run of failures that ejects that member.
fn eject(bench: &mut Bench, member: u64) -> Result<(), Halt> {
    let run = bench.router.config().outlier_detection.map_or(0, |od| od.consecutive_5xx);
    for _ in 0..run {
        one(bench, member, answered(500))?;
    }
    if bench.standing(member).is_some_and(|standing| standing.ejected) {
        return Ok(());
    }
    not_replayable(format!("{run} failures do not eject"))
}

/// `outlier_jitter`: how long one endpoint is out, for every jitter that can be drawn and every
/// millisecond of the interval at which it may be ejected.
pub fn jitter(vector: &Node, tape: &Tape) -> Compared {
    let od = read(vector)?;
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["duration_ms_range"])?;
    let Some(range) = expect.get("duration_ms_range") else { return not_replayable("it expects no range") };
    let expected = range.wholes()?;
    if od.max_ejection_time_jitter > Span::from_secs(60) || od.interval > Span::from_secs(1) {
        return not_replayable("at most 1 s of interval and 60 s of jitter");
    }
    let longest = od.max_ejection_time + od.max_ejection_time_jitter + od.interval + od.interval;
    let (mut least, mut most) = (u64::MAX, 0);
    for jitter in 0..=od.max_ejection_time_jitter.as_millis() {
        // The draws of whole milliseconds within an interval are the extremes and one between.
        let interval = od.interval.as_millis();
        for phase in [0, interval / 2, interval - 1] {
            let mut bench = Bench::new(tape, with(od), 1, 0);
            let start = Time::ZERO + od.interval + Span::from_millis(phase);
            bench.advance(start, |_| {});
            // With one endpoint any word chooses it; the same word is the jitter's.
            for _ in 0..od.consecutive_5xx {
                bench.set_word(jitter);
                let (mut flight, step) = bench.begin();
                let Step::Try(attempt) = step else { return not_replayable(format!("a request became {step:?}")) };
                let _ = bench.report(&mut flight, attempt, answered(500));
            }
            let mut back = None;
            bench.advance(start + longest, |bench| {
                if back.is_none() && bench.standing(0).is_some_and(|standing| !standing.ejected) {
                    back = Some(bench.now());
                }
            });
            let Some(back) = back else { return not_replayable("it never returns") };
            let out = back.since(start).as_millis();
            (least, most) = (least.min(out), most.max(out));
        }
    }
    let [low, high] = expected[..] else { return Err(range.wrong("two numbers were expected").into()) };
    let (wanted, got) = (format!("{low} to {high}"), format!("{least} to {most}"));
    tape.compared("duration_ms_range holds", &wanted, &got, least >= low && most <= high);
    // The ends of the range are reached, or a duration that never varies would pass too.
    let reach = od.interval.as_millis();
    let reached = least < low + reach && most + reach > high;
    tape.compared("duration_ms_range is reached", &wanted, &got, reached);
    Ok(())
}

/// `outlier_degraded`: one answer with `x-envoy-degraded`, then many requests.
pub fn degraded(vector: &Node, tape: &Tape) -> Compared {
    let od = read(vector)?;
    let hosts = schema::hosts(vector)?;
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["host", "state", "share_when_3_healthy"])?;
    let need = |key: &str| expect.get(key).ok_or_else(|| expect.wrong(&format!("it expects no `{key}`")));
    let name = need("host")?;
    let host = schema::host(name, &hosts)? as u64;
    let mut bench = Bench::new(tape, with(od), hosts.len(), 0);
    one(&mut bench, host, Outcome::Answered(Answer { degraded: true, ..Answer::of(200) }))?;
    let standing = bench.standing(host);
    let state = match standing {
        Some(standing) if standing.ejected => "ejected",
        Some(standing) if standing.degraded => "degraded",
        _ => "healthy",
    };
    differ(tape, "state", &need("state")?.text()?, &state);
    if let Some(share) = expect.get("share_when_3_healthy") {
        if hosts.len() != 4 {
            return not_replayable("three healthy ones and the degraded one make four");
        }
        // Words spread evenly over all that a uniform choice can draw.
        let (draws, mut hits) = (4000_u64, 0_u32);
        for draw in 0..draws {
            bench.set_word((u64::MAX / draws) * draw);
            let (mut flight, step) = bench.begin();
            let Step::Try(attempt) = step else { return not_replayable(format!("a request became {step:?}")) };
            hits += u32::from(attempt.member.0 == host);
            let _ = bench.report(&mut flight, attempt, answered(200));
        }
        let got = f64::from(hits) / draws as f64;
        let expected = share.number()?;
        tape.compared(
            "share_when_3_healthy",
            &format!("{expected}"),
            &format!("{got}"),
            (got - expected).abs() <= 0.001,
        );
    }
    // What the title says: it ends at a sweep, not before the base has passed.
    let ends = Time::ZERO
        + Span::from_nanos(od.base_ejection_time.as_nanos().div_ceil(od.interval.as_nanos()) * od.interval.as_nanos());
    let mut ended = None;
    bench.advance(ends + od.interval, |bench| {
        if ended.is_none() && bench.standing(host).is_some_and(|standing| !standing.degraded) {
            ended = Some(bench.now());
        }
    });
    differ(tape, "ends at", &Some(ends), &ended);
    Ok(())
}

/// `outlier_hc`: an endpoint is out and its next probe passes.
pub fn probe_returns(vector: &Node, tape: &Tape) -> Compared {
    let od = OutlierDetection { max_ejection_percent: 100, ..read(vector)? };
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["unejected_at_next_hc_success"])?;
    let Some(expected) = expect.get("unejected_at_next_hc_success") else { return not_replayable("nothing expected") };
    let mut bench = Bench::new(tape, PolicyConfig { health_check: Some(probed()), ..with(od) }, 2, 0);
    for host in 0..2 {
        bench.probe(host, true);
    }
    // One failure short of another ejection is forgotten as well.
    eject(&mut bench, 0)?;
    bench.probe(0, true);
    let back = |bench: &Bench| bench.standing(0).is_some_and(|standing| !standing.ejected);
    differ(tape, "unejected_at_next_hc_success", &expected.truth()?, &back(&bench));
    if back(&bench) {
        for _ in 1..od.consecutive_5xx {
            one(&mut bench, 0, answered(500))?;
        }
        differ(tape, "counters cleared", &true, &back(&bench));
    }
    Ok(())
}

/// `outlier_bug`: success rate and failure percentage find the same endpoint in one sweep, with
/// 1.40's mistake and without.
pub fn twice(vector: &Node, tape: &Tape) -> Compared {
    let od = read(vector)?;
    let expect = expectation(vector)?;
    only(Some(expect), "expect", &["envoy", "recommended"])?;
    for (key, strict_envoy) in [("envoy", true), ("recommended", false)] {
        let Some(expect) = expect.get(key) else { continue };
        only(Some(expect), key, &["num_ejections", "ejections_active", "ejections_active_after_return"])?;
        // Five endpoints, one of which fails all the time; no run of failures is long enough.
        let od = OutlierDetection { consecutive_5xx: 0, consecutive_gateway_failure: 0, ..od };
        let mut bench = Bench::new(tape, PolicyConfig { strict_envoy, ..with(od) }, 5, 0);
        let volume = od.success_rate_request_volume.max(od.failure_percentage_request_volume);
        for host in 0..5 {
            for _ in 0..volume {
                one(&mut bench, host, answered(if host == 2 { 500 } else { 200 }))?;
            }
        }
        bench.advance(Time::ZERO + od.interval, |_| {});
        let ejections = bench.standing(2).map_or(0, |standing| standing.ejections);
        let (active, after) = (bench.router.ejected(), od.interval + od.max_ejection_time + od.interval);
        bench.advance(Time::ZERO + after, |_| {});
        if bench.standing(2).is_none_or(|standing| standing.ejected) {
            tape.wrong(&format!("{key}: the endpoint did not return"));
        }
        for (name, got) in [
            ("num_ejections", ejections),
            ("ejections_active", active),
            ("ejections_active_after_return", bench.router.ejected()),
        ] {
            if let Some(number) = expect.get(name) {
                differ(tape, &format!("{key}: {name}"), &number.small()?, &got);
            }
        }
    }
    Ok(())
}
