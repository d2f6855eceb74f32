//! Where requests come from: open arrivals at a rate, closed-loop users, traces.
//!
//! Arrivals depend on the seed and the load alone, so every plane sees the same ones.

use super::fault::Place;
use super::network::Reception;
use super::note::Note;
use super::note::Refusal;
use super::random::Purpose;
use super::random::Sampler;
use super::record::NOBODY;
use super::record::TESTING;
use super::task::Parent;
use super::task::User;
use super::world::Ev;
use super::world::World;
use crate::measure::Ending;
use crate::policy::Flags;
use crate::scenario::Arrivals;
use crate::scenario::Burst;
use crate::scenario::RatePiece;
use crate::scenario::Spacing;
use crate::scenario::Spread;
use crate::units::Span;
use crate::units::Time;
use rand::Rng;
use rand_distr::Distribution as _;
use rand_xoshiro::Xoshiro256PlusPlus;

/// One load's state.
pub(super) struct Source {
    entry: u32,
    endpoint: u32,
    until: Time,
    spread: Spread,
    /// Its requests carry the test header.
    test: bool,
    /// Requests so far.
    count: u64,
    stream: Xoshiro256PlusPlus,
    kind: Kind,
}

enum Kind {
    Open { stretches: Vec<Stretch>, at: usize, spacing: Spacing, left_in_batch: u32, carry: f64 },
    Users { think: Sampler, asked: Vec<u64> },
    Trace { times: std::sync::Arc<[Time]>, next: usize },
}

/// A stretch of time over which the rate is a straight line.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Stretch {
    from: Time,
    to: Time,
    /// Requests per second at both ends.
    rate: (f64, f64),
}

impl World<'_> {
    pub(super) fn set_up_loads(&mut self) {
        let end = Time::ZERO + self.scenario.run.duration;
        for (i, load) in self.scenario.loads.iter().enumerate() {
            let until = load.until.min(end);
            let kind = match &load.arrivals {
                Arrivals::Open { pieces, bursts, spacing } => Kind::Open {
                    stretches: stretches(pieces, bursts, load.from, until),
                    at: 0,
                    spacing: *spacing,
                    left_in_batch: 0,
                    carry: 0.0,
                },
                Arrivals::Users { users, think } => {
                    Kind::Users { think: Sampler::new(think), asked: vec![0; *users as usize] }
                }
                Arrivals::Trace(times) => Kind::Trace { times: times.clone(), next: 0 },
            };
            self.sources.push(Source {
                entry: load.entry.0,
                endpoint: load.endpoint,
                until,
                spread: load.spread,
                test: load.test,
                count: 0,
                stream: self.seed.stream(Purpose::Arrivals, i as u64),
                kind,
            });
            let load_index = i as u32;
            if let Arrivals::Users { users, .. } = &load.arrivals {
                for user in 0..*users {
                    let wait = self.think(load_index, user);
                    self.engine.at(load.from + wait, Ev::UserAsks { load: load_index, user });
                }
            } else if let Some(at) = self.sources[i].next(load.from) {
                self.engine.at(at, Ev::Arrive { load: load_index });
            }
        }
    }

    pub(super) fn on_arrive(&mut self, load: u32) {
        let now = self.engine.now();
        if let Some(at) = self.sources[load as usize].next(now) {
            self.engine.at(at, Ev::Arrive { load });
        }
        self.enter(load, NOBODY);
    }

    pub(super) fn on_user_asks(&mut self, load: u32, user: u32) {
        if self.engine.now() < self.sources[load as usize].until {
            self.enter(load, user);
        }
    }

    fn think(&mut self, load: u32, user: u32) -> Span {
        let key = self.seed.key(Purpose::Think, u64::from(load) << 32 | u64::from(user));
        let Kind::Users { think, asked } = &mut self.sources[load as usize].kind else { return Span::ZERO };
        let nth = asked[user as usize];
        asked[user as usize] += 1;
        think.sample(&mut key.draw(Purpose::Think, nth))
    }

    /// A request from outside comes in now.
    fn enter(&mut self, load: u32, user: u32) {
        let now = self.engine.now();
        let source = &mut self.sources[load as usize];
        let key = self.seed.key(Purpose::Request, u64::from(load) << 48 | source.count);
        source.count += 1;
        let (service, endpoint) = (source.entry, source.endpoint);
        let segment = if source.test { TESTING } else { self.recorder.segment() };
        let state = &mut self.services[service as usize];
        let other = state.paired && state.shift.group(key, segment) != state.live;
        let serving = if other { &state.side } else { &state.serving };
        self.recorder.recording.books.arrived += 1;
        let who = User { load, who: user, request: self.recorder.recording.books.arrived as u32 };
        self.in_flight += 1;
        let task = match (source.spread, serving.len()) {
            (_, 0) => None,
            (_, 1) => Some(serving[0]),
            (Spread::Random, n) => Some(serving[key.draw(Purpose::Spread, 0).below(n)]),
            (Spread::RoundRobin, n) => {
                state.next_spread += 1;
                Some(serving[((state.next_spread - 1) % n as u64) as usize])
            }
        };
        let task = match task {
            Some(task) if self.faulting.cut_zones != 0 => {
                self.entry_elsewhere(service, task, key.draw(Purpose::Spread, 1))
            }
            task => task,
        };
        self.note(Note::Arrived { request: who.request, task });
        match task {
            Some(task) => match self.user_reception(task) {
                Reception::Serves | Reception::BreaksAfter(_) => {
                    self.admit(task, endpoint, key, Parent::User(who), segment, None);
                }
                Reception::Answers(status) => {
                    self.turned_away(task, Parent::User(who), Refusal::Answered(status));
                    self.user_answered(who, segment, now, key.0, status);
                }
                Reception::Breaks => {
                    self.turned_away(task, Parent::User(who), Refusal::Broke);
                    self.user_answered(who, segment, now, key.0, 503);
                }
                Reception::Silent => {
                    self.turned_away(task, Parent::User(who), Refusal::Silent);
                    self.silent.push((who.request, segment, now));
                }
            },
            None => self.user_answered(who, segment, now, key.0, 503),
        }
    }

    /// How a task takes a request from outside. Faults of the network act on it only where they cut
    /// the task off; the way from the user is not modelled.
    fn user_reception(&mut self, task: u32) -> Reception {
        if self.faulting.impaired && self.out_of_reach(Place { task, zone: self.tasks[task as usize].zone }) {
            return Reception::Silent;
        }
        let reception = self.reception(task, None, false);
        if self.faulting.numbered && reception == Reception::Serves {
            return self.numbered(task, NOBODY, false);
        }
        reception
    }

    /// A request from outside has its answer.
    #[inline]
    pub(super) fn user_answered(&mut self, from: User, segment: u16, since: Time, key: u64, status: u16) {
        let now = self.engine.now();
        let ending =
            Ending { latency: now.since(since), failed: status == 0 || status >= 500, attempts: 1, flags: Flags::NONE };
        self.in_flight -= 1;
        self.note(Note::Answered { request: from.request, status });
        self.recorder.user_done(from.request, segment, now, key, status, ending);
        if from.who != NOBODY {
            let (load, user) = (from.load, from.who);
            let wait = self.think(load, user);
            self.engine.after(wait, Ev::UserAsks { load, user });
        }
    }
}

impl Source {
    /// The next arrival after `now`; `None` when there is none.
    #[inline]
    fn next(&mut self, now: Time) -> Option<Time> {
        let at = match &mut self.kind {
            Kind::Users { .. } => None,
            Kind::Trace { times, next } => {
                let at = times.get(*next).copied();
                *next += 1;
                at
            }
            Kind::Open { spacing: Spacing::Bursty { .. }, left_in_batch, .. } if *left_in_batch > 0 => {
                *left_in_batch -= 1;
                Some(now)
            }
            Kind::Open { stretches, at, spacing: Spacing::Constant, carry, .. } => {
                next_constant(stretches, at, carry, now)
            }
            Kind::Open { stretches, at, spacing, left_in_batch, .. } => {
                let mean_batch = match spacing {
                    Spacing::Bursty { mean_batch } => (*mean_batch).max(1),
                    Spacing::Poisson | Spacing::Constant => 1,
                };
                let next = next_poisson(stretches, at, f64::from(mean_batch), &mut self.stream, now);
                if mean_batch > 1 {
                    // Geometric with that mean: go on with probability 1 - 1/mean.
                    while unit(&mut self.stream) >= 1.0 / f64::from(mean_batch) {
                        *left_in_batch += 1;
                    }
                }
                next
            }
        }?;
        (at < self.until).then_some(at)
    }
}

fn unit(stream: &mut Xoshiro256PlusPlus) -> f64 {
    (stream.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// A Poisson process whose rate is a straight line per stretch: the exponential gap of the higher
/// end, thinned. At a boundary the process starts afresh, as it has no memory.
#[inline]
fn next_poisson(
    stretches: &[Stretch],
    at: &mut usize,
    batch: f64,
    stream: &mut Xoshiro256PlusPlus,
    now: Time,
) -> Option<Time> {
    let mut now = now;
    loop {
        let stretch = stretches.get(*at)?;
        now = now.max(stretch.from);
        let high = stretch.rate.0.max(stretch.rate.1) / batch;
        if high > 0.0 {
            let gap: f64 = rand_distr::Exp1.sample(stream);
            let next = now + Span::from_nanos_f64(gap * 1e9 / high);
            if next < stretch.to {
                now = next;
                if stretch.is_level() || unit(stream) * high * batch < stretch.at(now) {
                    return Some(now);
                }
                continue;
            }
        }
        now = stretch.to;
        *at += 1;
    }
}

/// Equal gaps: an arrival whenever the integral of the rate passes a whole number.
fn next_constant(stretches: &[Stretch], at: &mut usize, carry: &mut f64, now: Time) -> Option<Time> {
    let mut now = now;
    loop {
        let stretch = stretches.get(*at)?;
        now = now.max(stretch.from);
        let needed = 1.0 - *carry;
        let (rate, slope) = (stretch.at(now), stretch.slope());
        // rate t + slope t^2 / 2 = needed, for the smallest positive t.
        let wait = if slope == 0.0 {
            if rate > 0.0 { needed / rate } else { f64::INFINITY }
        } else {
            let inside = rate * rate + 2.0 * slope * needed;
            if inside < 0.0 { f64::INFINITY } else { 2.0 * needed / (rate + inside.sqrt()) }
        };
        let next = now + Span::from_secs_f64(wait);
        if next < stretch.to {
            *carry = 0.0;
            return Some(next);
        }
        let left = stretch.to.since(now).as_secs_f64();
        *carry += rate * left + slope * left * left / 2.0;
        now = stretch.to;
        *at += 1;
    }
}

impl Stretch {
    /// Both ends are the same number, bit for bit.
    fn is_level(&self) -> bool {
        self.rate.0.total_cmp(&self.rate.1).is_eq()
    }
    fn slope(&self) -> f64 {
        let length = self.to.since(self.from).as_secs_f64();
        if self.is_level() || length == 0.0 { 0.0 } else { (self.rate.1 - self.rate.0) / length }
    }
    fn at(&self, now: Time) -> f64 {
        self.rate.0 + self.slope() * now.since(self.from).as_secs_f64()
    }
}

/// Cuts a rate curve and its bursts into stretches between `from` and `until`.
fn stretches(pieces: &[RatePiece], bursts: &[Burst], from: Time, until: Time) -> Vec<Stretch> {
    let mut cuts: Vec<Time> = pieces.iter().map(|p| p.at).collect();
    cuts.extend(bursts.iter().flat_map(|b| [b.at, b.until]));
    cuts.extend([from, until]);
    cuts.retain(|&cut| cut >= from && cut <= until);
    cuts.sort_unstable();
    cuts.dedup();
    let curve = |now: Time| -> f64 {
        let at = pieces.iter().rposition(|p| p.at <= now);
        let Some(at) = at else { return 0.0 };
        let piece = pieces[at];
        match pieces.get(at + 1) {
            Some(next) if piece.ramps_to_next => {
                let share = now.since(piece.at).as_secs_f64() / next.at.since(piece.at).as_secs_f64();
                piece.rate.as_f64() + (next.rate.as_f64() - piece.rate.as_f64()) * share
            }
            _ => piece.rate.as_f64(),
        }
    };
    cuts.windows(2)
        .map(|cut| {
            let (from, to) = (cut[0], cut[1]);
            if let Some(burst) = bursts.iter().find(|b| b.at <= from && from < b.until) {
                return Stretch { from, to, rate: (burst.rate.as_f64(), burst.rate.as_f64()) };
            }
            let ramps = pieces.iter().rev().find(|p| p.at <= from).is_some_and(|p| p.ramps_to_next);
            let start = curve(from);
            let just_before = Time::from_nanos(to.as_nanos() - 1);
            let end = if ramps { curve(just_before) } else { start };
            Stretch { from, to, rate: (start, end) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Rate;
    use rand::SeedableRng;

    fn at(secs: u64) -> Time {
        Time::ZERO + Span::from_secs(secs)
    }

    fn count(stretches: &[Stretch], spacing: Spacing) -> Vec<f64> {
        let mut source = Source {
            entry: 0,
            endpoint: 0,
            until: at(100),
            spread: Spread::Random,
            test: false,
            count: 0,
            stream: Xoshiro256PlusPlus::seed_from_u64(1),
            kind: Kind::Open { stretches: stretches.to_vec(), at: 0, spacing, left_in_batch: 0, carry: 0.0 },
        };
        let mut times = Vec::new();
        let mut now = Time::ZERO;
        while let Some(next) = source.next(now) {
            times.push(next.as_secs_f64());
            now = next;
        }
        times
    }

    #[test]
    fn a_ramp_and_a_burst_give_the_area_under_the_curve() {
        let pieces = [
            RatePiece { at: at(0), rate: Rate::per_sec(100), ramps_to_next: true },
            RatePiece { at: at(50), rate: Rate::per_sec(300), ramps_to_next: false },
        ];
        let bursts = [Burst { at: at(60), until: at(70), rate: Rate::per_sec(1000) }];
        let cut = stretches(&pieces, &bursts, at(0), at(100));
        // 50 s at 200 on average, 40 s at 300, 10 s at 1000.
        let area = 10_000.0 + 12_000.0 + 10_000.0;
        let constant = count(&cut, Spacing::Constant).len() as f64;
        assert!((constant - area).abs() <= 2.0, "{constant}");
        for spacing in [Spacing::Poisson, Spacing::Bursty { mean_batch: 5 }] {
            let n = count(&cut, spacing).len() as f64;
            assert!((n / area - 1.0).abs() < 0.04, "{n} of {area}");
        }
    }

    #[test]
    fn constant_spacing_is_equal_gaps() {
        let pieces = [RatePiece { at: at(0), rate: Rate::per_sec(4), ramps_to_next: false }];
        let times = count(&stretches(&pieces, &[], at(0), at(2)), Spacing::Constant);
        assert_eq!(times, [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75]);
    }
}
