//! Cases on the real Envoy, many at a time, each on a cluster of its own.
//!
//! *Knows* when to ask and where everything is written down. *Does not know* what should come.

use super::case::COUNTS;
use super::case::Case;
use super::case::Event;
use super::case::GAP;
use super::case::Name;
use super::case::Played;
use super::case::Seen;
use super::envoy::client::Client;
use super::envoy::process::Access;
use super::envoy::process::Envoy;
use super::envoy::process::OutlierEvent;
use super::envoy::process::Setup;
use super::envoy::upstreams::Act;
use super::envoy::upstreams::Request;
use super::envoy::upstreams::Upstreams;
use super::setup::HASHED_HEADER;
use super::setup::case_cluster;
use super::setup::case_virtual_host;
use scsim::units::Span;
use scsim::units::Time;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

/// What Envoy did with a case.
pub struct Observed {
    pub played: Played,
    /// When each request began and ended, in the case's time.
    pub times: BTreeMap<Name, (Time, Time)>,
    /// When upstreams got the attempts of each request, in the case's time.
    pub hits: BTreeMap<Name, Vec<Time>>,
    /// Outlier events with their instants, in the case's time.
    pub event_times: Vec<Time>,
    /// Moments at which this process itself was held up, in the case's time, and for how long.
    pub hiccups: Vec<(Time, Span)>,
    /// The same of Envoy's main thread, which ejects and counts.
    pub main_thread: Vec<(Time, Span)>,
    /// Of its hosts, in order: hashes depend on them.
    pub addresses: Vec<SocketAddr>,
}

/// Ways of telling one instant in three clocks.
#[derive(Clone, Copy)]
struct Zero {
    instant: Instant,
    system: SystemTime,
}

impl Zero {
    fn time(self, at: Instant) -> Time {
        Time::ZERO + span(at.saturating_duration_since(self.instant))
    }
    fn of_system(self, at: SystemTime) -> Time {
        Time::ZERO + span(at.duration_since(self.system).unwrap_or(Duration::ZERO))
    }
}

fn span(duration: Duration) -> Span {
    Span::from_nanos(duration.as_nanos() as u64)
}

fn duration(span: Span) -> Duration {
    Duration::from_nanos(span.as_nanos())
}

/// Plays the cases and says what came of each, in their order.
pub async fn play(binary: &Path, cases: Arc<Vec<Case>>) -> Vec<Observed> {
    let by_name: BTreeMap<String, usize> = cases.iter().enumerate().map(|(i, case)| (case.name(), i)).collect();
    let hits: Mutex<BTreeMap<(usize, usize, usize), usize>> = Mutex::default();
    let (script_cases, script_names) = (Arc::clone(&cases), by_name.clone());
    let most = cases.iter().map(|case| case.hosts.len()).max().unwrap_or(1);
    let script = move |request: &Request| -> Act {
        let Some(name) = Name::of(&request.path) else { return Act::Close };
        let i = script_names[&request.authority];
        let mut hits = hits.lock().expect("nobody panics in here");
        let hit = hits.entry((i, name.burst, request.host)).or_default();
        *hit += 1;
        script_cases[i].act(name.burst, request.host, *hit - 1).clone()
    };
    let upstreams = Upstreams::start(most, script).await.expect("upstreams can be started on loopback");
    let addresses = |case: &Case| -> Vec<_> {
        let address = |(i, host): (usize, &super::case::Host)| {
            if host.refuses { upstreams.refusing[i] } else { upstreams.hosts[i] }
        };
        case.hosts.iter().enumerate().map(address).collect()
    };
    let clusters = cases.iter().map(|case| case_cluster(case, &addresses(case))).collect();
    let envoy = Envoy::start(binary, &Setup::of(clusters, cases.iter().map(case_virtual_host).collect()));
    let zeros = zeros(&cases, &envoy);
    let metronome = Metronome::start(envoy.admin);
    let mut tasks = Vec::new();
    for (i, case) in cases.iter().enumerate() {
        let client = Arc::new(Client::new(envoy.listener));
        tasks.push(tokio::spawn(ask(Arc::new(case.clone()), client, zeros[i])));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.push(task.await.expect("asking does not panic"));
    }
    settle(&envoy).await;
    let noted = |zero: &Zero, notes: &Notes| -> Vec<(Time, Span)> {
        let notes = notes.lock().expect("nobody panics in here");
        notes.iter().map(|&(at, late)| (zero.time(at), span(late))).collect()
    };
    let mut all: Vec<Observed> = times
        .into_iter()
        .zip(zeros.iter().zip(cases.iter()))
        .map(|(times, (zero, case))| Observed {
            played: Played::default(),
            times,
            hits: BTreeMap::new(),
            addresses: addresses(case),
            event_times: Vec::new(),
            hiccups: noted(zero, &metronome.late),
            main_thread: noted(zero, &metronome.main_thread),
        })
        .collect();
    for access in envoy.accesses() {
        if let (Some(&i), Some(name)) = (by_name.get(&access.authority), Name::of(&access.path)) {
            all[i].played.requests.insert(name, seen(&access));
        }
    }
    for event in envoy.outlier_events() {
        if let Some(&i) = by_name.get(&event.cluster) {
            add_event(&mut all[i], &cases[i], &event, zeros[i]);
        }
    }
    for hit in upstreams.hits() {
        if let (Some(&i), Some(name)) = (by_name.get(&hit.authority), Name::of(&hit.path)) {
            all[i].hits.entry(name).or_default().push(zeros[i].time(hit.at));
            if let Some(seen) = all[i].played.requests.get_mut(&name) {
                seen.hosts.push(hit.host);
            }
        }
    }
    let statistics = envoy.statistics();
    let failed = envoy.admin("GET", "/clusters").unwrap_or_default();
    for (case, observed) in cases.iter().zip(&mut all) {
        for name in COUNTS {
            let count = statistics.get(&format!("{}.{name}", case.name())).copied().unwrap_or(0);
            observed.played.counts.insert(name, count);
        }
        observed.played.refusals = refusals(&failed, &addresses(case), &case.name());
    }
    all
}

/// Waits until Envoy's main thread and its logs have caught up.
async fn settle(envoy: &Envoy) {
    let mut before = None;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let ejections = |name: &str| name.contains("ejections_");
        let counts: Vec<u64> =
            envoy.statistics().into_iter().filter(|(name, _)| ejections(name)).map(|(_, count)| count).collect();
        let now = Some((counts, envoy.outlier_events().len(), envoy.accesses().len()));
        if now == before {
            return;
        }
        before = now;
    }
}

/// Each case begins at a sweep of its own cluster, soon after Envoy serves.
fn zeros(cases: &[Case], envoy: &Envoy) -> Vec<Zero> {
    let births = envoy.cluster_births();
    let (instant, system) = (Instant::now(), SystemTime::now());
    let zero = |case: &Case| {
        let born = births.get(&case.name()).unwrap_or_else(|| panic!("no birth of {}", case.name()));
        let age = system.duration_since(*born).unwrap_or(Duration::ZERO);
        let soon = age + Duration::from_millis(300);
        let sweeps = soon.as_nanos() as u64 / case.interval.as_nanos() + 1;
        let ahead = duration(case.interval.times(sweeps)).saturating_sub(age);
        Zero { instant: instant + ahead, system: system + ahead }
    };
    cases.iter().map(zero).collect()
}

/// Asks what the case asks.
async fn ask(case: Arc<Case>, client: Arc<Client>, zero: Zero) -> BTreeMap<Name, (Time, Time)> {
    let mut times = BTreeMap::new();
    let authority = case.name();
    for (i, burst) in case.bursts.iter().enumerate() {
        let begin = zero.instant + duration(burst.at);
        let Some(apart) = burst.apart else {
            tokio::time::sleep_until(begin.into()).await;
            for nth in 0..burst.requests {
                let name = Name { burst: i, nth };
                let began = Instant::now();
                // What went wrong is seen by Envoy's log, or missing in it.
                let _ = client.get(&authority, &name.path(), &headers(&case, name)).await;
                times.insert(name, (zero.time(began), zero.time(Instant::now())));
                tokio::time::sleep(duration(GAP)).await;
            }
            continue;
        };
        let mut requests = Vec::new();
        for nth in 0..burst.requests {
            let (client, authority, case) = (Arc::clone(&client), authority.clone(), Arc::clone(&case));
            requests.push(tokio::spawn(async move {
                let name = Name { burst: i, nth };
                tokio::time::sleep_until((begin + duration(apart) * nth as u32).into()).await;
                let began = Instant::now();
                let _ = client.get(&authority, &name.path(), &headers(&case, name)).await;
                (name, (zero.time(began), zero.time(Instant::now())))
            }));
        }
        for request in requests {
            if let Ok((name, span)) = request.await {
                times.insert(name, span);
            }
        }
    }
    times
}

/// Connections that each host refused: the only trace of an attempt that no host saw.
fn refusals(clusters: &str, hosts: &[SocketAddr], name: &str) -> Vec<u64> {
    let count = |host: &SocketAddr| {
        let start = format!("{name}::{host}::cx_connect_fail::");
        clusters.lines().find_map(|line| line.strip_prefix(&start)?.trim().parse().ok()).unwrap_or(0)
    };
    hosts.iter().map(count).collect()
}

fn headers(case: &Case, name: Name) -> String {
    format!("{HASHED_HEADER}: {}\r\n{}", name.key(), case.family.headers())
}

fn host_of(address: &str) -> usize {
    let octet =
        address.split(':').next().and_then(|ip| ip.rsplit('.').next()).and_then(|text| text.parse::<usize>().ok());
    octet.map_or(usize::MAX, |octet| octet - 1)
}

fn seen(access: &Access) -> Seen {
    Seen { status: access.status, flags: access.flags.clone(), attempts: access.attempts, hosts: Vec::new() }
}

fn add_event(observed: &mut Observed, case: &Case, event: &OutlierEvent, zero: Zero) {
    let at = zero.of_system(event.at);
    observed.event_times.push(at);
    observed.played.events.push(Event {
        stretch: case.stretch(at.since(Time::ZERO)),
        host: host_of(&event.host),
        ejected: event.eject,
        kind: if event.eject { event.kind.clone() } else { String::new() },
        enforced: event.enforced,
    });
}

/// Delays, with the instants at which they began.
type Notes = Arc<Mutex<Vec<(Instant, Duration)>>>;

/// Wakes up often and notes when it was woken late: then everybody in this process was. Asks Envoy's
/// main thread often and notes when the answer took long.
struct Metronome {
    late: Notes,
    main_thread: Notes,
    tasks: [tokio::task::JoinHandle<()>; 2],
}

impl Metronome {
    fn start(admin: SocketAddr) -> Metronome {
        let (late, main_thread) = (Notes::default(), Notes::default());
        let note = |notes: &Notes, at: Instant, most: u64| {
            let by = at.elapsed();
            if by > Duration::from_millis(most) {
                notes.lock().expect("nobody panics in here").push((at, by));
            }
        };
        let notes = Arc::clone(&late);
        let beat = async move {
            loop {
                let due = Instant::now() + Duration::from_millis(4);
                tokio::time::sleep_until(due.into()).await;
                note(&notes, due, 10);
            }
        };
        let notes = Arc::clone(&main_thread);
        let knock = async move {
            let client = Client::new(admin);
            loop {
                let asked = Instant::now();
                let _ = client.get("admin", "/ready", "").await;
                note(&notes, asked, 5);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        Metronome { late, main_thread, tasks: [tokio::spawn(beat), tokio::spawn(knock)] }
    }
}

impl Drop for Metronome {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
