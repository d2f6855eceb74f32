//! How fast the simulator is against the least that a simulator could do.
//!
//! `cargo bench --bench engine` prints requests per second of a bare queue on the standard
//! library's heap, of the same queue in the simulator with everything recorded, and of one Service
//! Connect hop, and what the event queue alone does. The three are run in turn, so that a change
//! of the machine's pace hits all of them; medians count. `-- once` runs each a single time.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]

mod models;

use rand::SeedableRng as _;
use rand_distr::Distribution as _;
use rand_xoshiro::SplitMix64;
use rand_xoshiro::Xoshiro256PlusPlus;
use scsim::sim::engine::Engine;
use scsim::units::Span;
use scsim::units::Time;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::Instant;

/// Simulated seconds of the queue: 1.6 million requests.
const QUEUE_SECONDS: u64 = 2_000;
/// Simulated seconds of the hop: 400,000 requests.
const HOP_SECONDS: u64 = 200;
const ROUNDS: usize = 7;
/// What `b` and `c` are to reach of `a`.
const TARGETS: (f64, f64) = (0.27, 0.09);

fn main() {
    let rounds = if std::env::args().any(|arg| arg == "once") { 1 } else { ROUNDS };
    let (queue, hop) = (models::queue(QUEUE_SECONDS), models::hop(HOP_SECONDS));
    let (mut bare_rates, mut queue_rates, mut hop_rates) = (Vec::new(), Vec::new(), Vec::new());
    let mut digests = None;
    for round in 0..rounds as u64 {
        bare_rates.push(per_second(|| bare(round, 800 * QUEUE_SECONDS)));
        let mut seen = (0, 0, 0, 0);
        queue_rates.push(per_second(|| {
            let recording = models::run(&queue);
            (seen.0, seen.1) = (recording.digest, recording.engine_events);
            recording.books.arrived
        }));
        hop_rates.push(per_second(|| {
            let recording = models::run(&hop);
            (seen.2, seen.3) = (recording.digest, recording.engine_events);
            recording.books.arrived
        }));
        assert_eq!(*digests.get_or_insert(seen), seen, "equal runs have equal digests");
    }
    let (bare, queue, hop) = (median(bare_rates), median(queue_rates), median(hop_rates));
    println!("requests per second, median of {rounds}");
    println!("  a  bare heap, M/M/10, nothing recorded    {bare:>12.0}");
    println!(
        "  b  simulator, M/M/10, all recorded        {queue:>12.0}   b/a {:.3} (target {})",
        queue / bare,
        TARGETS.0
    );
    println!("  c  simulator, one Service Connect hop     {hop:>12.0}   c/a {:.3} (target {})", hop / bare, TARGETS.1);
    if let Some((queue_digest, queue_events, hop_digest, hop_events)) = digests {
        println!("  digests  b {queue_digest:016x} ({queue_events} events)  c {hop_digest:016x} ({hop_events} events)");
    }
    println!("\nevents per second of the queue alone, fired and scheduled anew");
    for pending in [1_000_u64, 1_000_000] {
        let rates = (0..rounds).map(|_| hold(pending, 2_000_000)).collect();
        println!("  {pending:>9} pending  {:>12.0}", median(rates));
    }
}

/// Runs `work`, which says how many requests it handled, and returns requests per second.
fn per_second(work: impl FnOnce() -> u64) -> f64 {
    let start = Instant::now();
    let requests = work();
    requests as f64 / start.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// M/M/10 with two kinds of events and one counter; returns the requests that arrived.
fn bare(seed: u64, requests: u64) -> u64 {
    const ARRIVAL: u8 = 0;
    let mut stream = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut exponential = |mean: f64| -> u64 {
        let x: f64 = rand_distr::Exp1.sample(&mut stream);
        (x * mean) as u64
    };
    let mut heap = BinaryHeap::new();
    let mut sequence = 0_u64;
    let (mut arrived, mut busy, mut waiting) = (0_u64, 0_u32, 0_u32);
    heap.push(Reverse((exponential(1_250_000.0), sequence, ARRIVAL)));
    while let Some(Reverse((now, _, kind))) = heap.pop() {
        sequence += 1;
        if kind == ARRIVAL {
            arrived += 1;
            if arrived < requests {
                heap.push(Reverse((now + exponential(1_250_000.0), sequence, ARRIVAL)));
                sequence += 1;
            }
            if busy == 10 {
                waiting += 1;
                continue;
            }
            busy += 1;
        } else if waiting == 0 {
            busy -= 1;
            continue;
        } else {
            waiting -= 1;
        }
        heap.push(Reverse((now + exponential(10_000_000.0), sequence, 1)));
    }
    assert_eq!(black_box(busy + waiting), 0);
    arrived
}

/// Fires and schedules `n` events with `pending` of them in the queue; returns events per second.
fn hold(pending: u64, n: u64) -> f64 {
    use rand::Rng as _;
    let mut stream = SplitMix64::seed_from_u64(1);
    let mut delay = || Span::from_nanos(stream.next_u64() >> 34);
    let mut engine = Engine::new();
    for i in 0..pending {
        engine.after(delay(), i);
    }
    let start = Instant::now();
    for _ in 0..n {
        if let Some(event) = engine.pop(Time::NEVER, |_| false) {
            engine.after(delay(), event);
        }
    }
    let rate = n as f64 / start.elapsed().as_secs_f64();
    black_box(engine.fired());
    rate
}
