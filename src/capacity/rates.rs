//! The same load at another height.
//!
//! *Knows* curves, bursts and their highest point. *Does not know* how requests are drawn. Open-loop
//! sources are multiplied by one factor, so that schedules keep their shape and sources their
//! proportions; users in a closed loop and traces are left as they are.

use crate::scenario::Arrivals;
use crate::scenario::Burst;
use crate::scenario::Load;
use crate::scenario::RatePiece;
use crate::scenario::Scenario;
use crate::units::Rate;
use crate::units::Time;

/// The highest rate of all open-loop sources together, requests per second; zero without any.
///
/// A curve is looked at where it bends, so a ramp counts with its end.
pub fn peak(scenario: &Scenario) -> f64 {
    let mut instants: Vec<Time> = Vec::new();
    for load in &scenario.loads {
        if let Arrivals::Open { pieces, bursts, .. } = &load.arrivals {
            instants.push(load.from);
            instants.extend(pieces.iter().map(|piece| piece.at));
            instants.extend(bursts.iter().flat_map(|burst| [burst.at, burst.until]));
        }
    }
    let all = |at: Time| scenario.loads.iter().map(|load| rate_at(load, at)).sum::<f64>();
    instants.into_iter().filter(|at| *at < Time::ZERO + scenario.run.duration).map(all).fold(0.0, f64::max)
}

fn rate_at(load: &Load, at: Time) -> f64 {
    let Arrivals::Open { pieces, bursts, .. } = &load.arrivals else { return 0.0 };
    if at < load.from || at >= load.until {
        return 0.0;
    }
    if let Some(burst) = bursts.iter().find(|burst| burst.at <= at && at < burst.until) {
        return burst.rate.as_f64();
    }
    let next = pieces.iter().position(|piece| piece.at > at).unwrap_or(pieces.len());
    let Some(piece) = next.checked_sub(1).and_then(|place| pieces.get(place)) else { return 0.0 };
    match pieces.get(next) {
        Some(end) if piece.ramps_to_next => {
            let share = at.since(piece.at).as_secs_f64() / end.at.since(piece.at).as_secs_f64();
            piece.rate.as_f64() + (end.rate.as_f64() - piece.rate.as_f64()) * share
        }
        _ => piece.rate.as_f64(),
    }
}

/// The rate does not change over the run.
pub fn is_flat(scenario: &Scenario) -> bool {
    scenario.loads.iter().all(|load| match &load.arrivals {
        Arrivals::Open { pieces, bursts, .. } => {
            let whole = load.from == Time::ZERO && load.until >= Time::ZERO + scenario.run.duration;
            whole && bursts.is_empty() && pieces.iter().all(|piece| piece.rate == pieces[0].rate)
        }
        _ => true,
    })
}

/// Names of the sources whose rate is no number: users in a closed loop, traces.
pub fn without_rate(scenario: &Scenario) -> Vec<&str> {
    let open = |load: &&Load| !matches!(load.arrivals, Arrivals::Open { .. });
    scenario.loads.iter().filter(open).map(|load| load.name.as_str()).collect()
}

/// Multiplies every open-loop source by `factor`.
pub fn scale(scenario: &mut Scenario, factor: f64) {
    let times = |rate: Rate| Rate::from_micros_per_sec((rate.as_micros_per_sec() as f64 * factor).round() as u64);
    for load in &mut scenario.loads {
        if let Arrivals::Open { pieces, bursts, .. } = &mut load.arrivals {
            for piece in pieces.iter_mut() {
                *piece = RatePiece { rate: times(piece.rate), ..*piece };
            }
            for burst in bursts.iter_mut() {
                *burst = Burst { rate: times(burst.rate), ..*burst };
            }
        }
    }
}
