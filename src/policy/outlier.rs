//! Passive ejection: who is taken out after which results, and when it returns.
//!
//! *Knows* the counters, the percentage rule and the sweeps (envoy.md 1). *Does not know* the
//! balancer's view: it flips the truth and says so of each flip, in order. Returns happen at a sweep, or when a probe
//! passes. Where Envoy's order is that of a hash map, it is that of the list here.

use super::Answer;
use super::Cx;
use super::Outcome;
use super::Trouble;
use super::config::OutlierDetection;
use super::config::OutlierReading;
use super::events::Action;
use super::events::EjectionStats;
use super::events::Event;
use super::fact::Detector;
use super::fact::Fact;
use super::fact::NotEjected;
use super::members::Members;
use super::members::ProbeHealth;
use super::rates::Bucket;
use super::rates::HostRate;
use super::rates::Ranking;
use super::rates::SuccessRates;
use super::retry;
use crate::units::Span;
use crate::units::Time;

/// What is counted with every result of an endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    consecutive_5xx: u32,
    consecutive_gateway: u32,
    consecutive_local: u32,
    /// The interval under way.
    external: Bucket,
    /// In split mode only.
    local: Bucket,
}

impl Counters {
    /// An answer below 500 came.
    #[inline]
    pub(super) fn succeed(&mut self) {
        self.external.count(true);
        self.consecutive_5xx = 0;
        self.consecutive_gateway = 0;
    }
}

/// The rest of one endpoint's record.
#[derive(Clone, Debug, Default)]
pub(super) struct HostOutlier {
    /// The last full interval.
    external: Bucket,
    local: Bucket,
    /// Instants of the latest failures, for [`OutlierReading::Window`]; oldest overwritten.
    recent: Vec<Time>,
    recent_at: usize,
    /// Ejections so far.
    pub(super) ejections: u32,
    /// The duration is the base times this.
    pub(super) multiplier: u32,
    ejected_at: Option<Time>,
    jitter: Span,
    last_uneject: Option<Time>,
    degraded: Degraded,
}

/// How long an endpoint is taken for degraded: reckoned like an ejection, with a multiplier apart.
#[derive(Clone, Copy, Debug, Default)]
struct Degraded {
    multiplier: u32,
    since: Time,
    jitter: Span,
    ended: Option<Time>,
}

/// The result of one attempt, as the detectors see it (envoy.md 1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reported {
    /// The stream got a connection. Counts in split mode only.
    PoolReady,
    /// A TCP proxy's connection stands: 200, or a local success in split mode.
    Connected,
    /// Response headers with this status, and whether they say `x-envoy-degraded`.
    Status(u16, bool),
    /// Local failure: no connection, or it broke. Counts as 503.
    Connect,
    /// Local failure: time ran out. Counts as 504.
    Timeout,
}

impl Reported {
    /// What the detectors are told of an HTTP attempt's end.
    pub(super) fn of(outcome: Outcome, alt_response: Option<u16>) -> Option<Reported> {
        Some(match outcome {
            Outcome::Answered(answer) => {
                Reported::Status(answer.grpc_status.map_or(answer.status, retry::http_of_grpc), answer.degraded)
            }
            // A connect time-out over HTTP is a failed connect, 503, not 504 (envoy.md 1.2).
            Outcome::Failed(
                Trouble::ConnectRefused
                | Trouble::ConnectTimeout
                | Trouble::Reset { .. }
                | Trouble::RefusedStream
                | Trouble::StreamReset
                | Trouble::Protocol,
            ) => Reported::Connect,
            Outcome::Failed(Trouble::Timeout | Trouble::IdleTimeout) => {
                alt_response.map_or(Reported::Timeout, |status| Reported::Status(status, false))
            }
            Outcome::Failed(Trouble::MaxDuration) => return None,
        })
    }
}

/// What a result did to an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    /// Nothing that others must know.
    None,
    /// It is second choice now.
    Degraded,
    /// It is out, since now or still. Whatever changes about one that is out drains its connections.
    Ejected,
}

/// The detectors of one router.
#[derive(Clone, Debug)]
pub(super) struct Outlier {
    config: OutlierDetection,
    strict_envoy: bool,
    /// Among them the endpoints out now; those that left the list are not counted.
    pub(super) stats: EjectionStats,
    pub(super) tick_due: Time,
    /// Those of one sweep; kept for its memory.
    ranking: Ranking,
    /// Mean and threshold of the last sweep over answers.
    pub(super) rates: Option<SuccessRates>,
    /// The slots that the last sweep took out.
    pub(super) taken_out: Vec<u32>,
}

/// Which failures a comparison of rates looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Origin {
    External,
    Local,
}

impl Outlier {
    pub(super) fn new(config: OutlierDetection, strict_envoy: bool) -> Outlier {
        Outlier {
            config,
            strict_envoy,
            stats: EjectionStats::default(),
            tick_due: Time::NEVER,
            ranking: Ranking::default(),
            rates: None,
            taken_out: Vec::new(),
        }
    }

    /// Arms the sweep when the cluster starts.
    pub(super) fn start(&mut self, now: Time) {
        if self.tick_due == Time::NEVER {
            self.tick_due = now + self.config.interval;
        }
    }

    /// Endpoints out now.
    pub(super) fn active(&self) -> u32 {
        self.stats.active
    }

    /// An ejected endpoint left the list; a later one of that key starts clean (envoy.md 1.5).
    pub(super) fn on_removed(&mut self, members: &mut Members, slot: u32) {
        let endpoint = &mut members.slots[slot as usize];
        endpoint.degraded = false;
        if endpoint.ejected {
            endpoint.ejected = false;
            self.stats.active -= 1;
        }
    }

    /// Connections and answers are counted apart.
    #[inline]
    pub(super) fn splits(&self) -> bool {
        self.config.split_external_local_origin_errors
    }

    /// True of an answer that only [counts](Counters::succeed).
    #[inline]
    pub(super) fn is_plain_success(answer: &Answer) -> bool {
        answer.status < 500 && answer.grpc_status.is_none() && !answer.degraded
    }

    /// Takes one result.
    pub(super) fn on_result(&mut self, cx: &mut Cx<'_>, members: &mut Members, slot: u32, result: Reported) -> Effect {
        let split = self.config.split_external_local_origin_errors;
        let (status, degraded) = match result {
            Reported::PoolReady | Reported::Connected if split => {
                let counters = members.counters_mut(slot);
                counters.local.count(true);
                counters.consecutive_local = 0;
                return Effect::None;
            }
            Reported::PoolReady => return Effect::None,
            Reported::Connect | Reported::Timeout if split => {
                members.counters_mut(slot).local.count(false);
                return self.on_local_failure(cx, members, slot);
            }
            Reported::Status(status, degraded) => (status, degraded),
            Reported::Connected => (200, false),
            Reported::Connect => (503, false),
            Reported::Timeout => (504, false),
        };
        let counters = members.counters_mut(slot);
        if status < 500 {
            counters.succeed();
            if degraded && self.config.detect_degraded_hosts {
                return self.degrade(cx, members, slot);
            }
            return Effect::None;
        }
        counters.external.count(false);
        let ejected = match self.config.reading {
            OutlierReading::Consecutive => self.on_failure(cx, members, slot, status),
            OutlierReading::Window(window) => self.on_failure_in_window(cx, members, slot, window),
        };
        if ejected { Effect::Ejected } else { Effect::None }
    }

    fn on_local_failure(&mut self, cx: &mut Cx<'_>, members: &mut Members, slot: u32) -> Effect {
        let counters = members.counters_mut(slot);
        counters.consecutive_local += 1;
        let fires = counters.consecutive_local == self.config.consecutive_local_origin_failure;
        let ejected = fires && self.fire(cx, members, slot, Detector::ConsecutiveLocalOriginFailure);
        if ejected { Effect::Ejected } else { Effect::None }
    }

    fn on_failure(&mut self, cx: &mut Cx<'_>, members: &mut Members, slot: u32, status: u16) -> bool {
        let mut ejected = false;
        let counters = members.counters_mut(slot);
        if matches!(status, 502..=504) {
            counters.consecutive_gateway += 1;
            // Equality, not at least: a counter past the limit does not fire again (envoy.md 1.3).
            if counters.consecutive_gateway == self.config.consecutive_gateway_failure {
                ejected |= self.fire(cx, members, slot, Detector::ConsecutiveGatewayFailure);
            }
        } else {
            counters.consecutive_gateway = 0;
        }
        let counters = members.counters_mut(slot);
        counters.consecutive_5xx += 1;
        if counters.consecutive_5xx == self.config.consecutive_5xx {
            ejected |= self.fire(cx, members, slot, Detector::Consecutive5xx);
        }
        ejected
    }

    /// An answer said that its endpoint is degraded. No percentage forbids that (envoy.md 1.8).
    fn degrade(&mut self, cx: &mut Cx<'_>, members: &mut Members, slot: u32) -> Effect {
        if !members.listed(slot) || members.slots[slot as usize].degraded {
            return Effect::None;
        }
        self.stats.count_detected(Detector::Degraded);
        let jitter = self.jitter(cx);
        let state = &mut members.slots[slot as usize];
        state.degraded = true;
        let degraded = &mut state.outlier.degraded;
        (degraded.since, degraded.jitter) = (cx.now, jitter);
        self.config.lengthen(&mut degraded.multiplier);
        let until = cx.now + self.config.lasts(degraded.multiplier) + jitter;
        let ended = degraded.ended;
        cx.emit(Fact::Degraded { endpoint: members.id(slot), until });
        log(cx, members, slot, Logged { enforced: true, last: ended, ..Logged::eject(Detector::Degraded) });
        members.health_changed(cx, slot);
        if members.slots[slot as usize].ejected { Effect::Ejected } else { Effect::Degraded }
    }

    /// The random extra of one ejection. A draw is made only where it can make a difference.
    fn jitter(&self, cx: &mut Cx<'_>) -> Span {
        let max = self.config.max_ejection_time_jitter.as_millis();
        Span::from_millis(if max == 0 { 0 } else { cx.rng.next_u64() % (max + 1) })
    }

    fn on_failure_in_window(&mut self, cx: &mut Cx<'_>, members: &mut Members, slot: u32, window: Span) -> bool {
        let limit = self.config.consecutive_5xx as usize;
        if limit == 0 {
            return false;
        }
        let host = &mut members.slots[slot as usize].outlier;
        if host.recent.len() < limit {
            host.recent.push(cx.now);
        } else {
            host.recent[host.recent_at] = cx.now;
        }
        host.recent_at = (host.recent_at + 1) % limit;
        // With `limit` instants kept, the next place to overwrite holds the oldest.
        let full = host.recent.len() == limit;
        full && cx.now.since(host.recent[host.recent_at]) <= window
            && self.fire(cx, members, slot, Detector::FailuresInWindow)
    }

    /// A detector fired: nothing if the endpoint is out already (its counter stays), else the
    /// percentage rule, the roll, the ejection; the counter starts again whatever comes of it.
    fn fire(&mut self, cx: &mut Cx<'_>, members: &mut Members, slot: u32, detector: Detector) -> bool {
        if !members.listed(slot) || members.slots[slot as usize].ejected {
            return false;
        }
        let ejected = self.try_eject(cx, members, slot, detector, None);
        match detector {
            Detector::Consecutive5xx => members.counters_mut(slot).consecutive_5xx = 0,
            Detector::ConsecutiveGatewayFailure => members.counters_mut(slot).consecutive_gateway = 0,
            Detector::ConsecutiveLocalOriginFailure => members.counters_mut(slot).consecutive_local = 0,
            Detector::FailuresInWindow => {
                let host = &mut members.slots[slot as usize].outlier;
                host.recent.clear();
                host.recent_at = 0;
            }
            // They have no counter.
            Detector::SuccessRate
            | Detector::FailurePercentage
            | Detector::LocalOriginSuccessRate
            | Detector::LocalOriginFailurePercentage
            | Detector::Degraded => {}
        }
        ejected
    }

    fn try_eject(
        &mut self,
        cx: &mut Cx<'_>,
        members: &mut Members,
        slot: u32,
        detector: Detector,
        rate: Option<HostRate>,
    ) -> bool {
        let endpoint = members.id(slot);
        self.stats.count_detected(detector);
        let share_after = 100 * (u64::from(self.stats.active) + 1);
        let share_max = u64::from(self.config.max_ejection_percent.min(100)) * members.listed.len() as u64;
        if share_after > share_max && !(self.config.always_eject_one_host && self.stats.active == 0) {
            self.stats.overflow += 1;
            cx.emit(Fact::NotEjected { endpoint, detector, because: NotEjected::Overflow });
            return false;
        }
        self.stats.count_allowed(detector);
        let last = members.slots[slot as usize].outlier.last_uneject;
        let enforcing = self.config.enforcing(detector);
        // The roll is drawn only where it can go either way.
        if enforcing == 0 || (enforcing < 100 && cx.below(100) >= enforcing as usize) {
            cx.emit(Fact::NotEjected { endpoint, detector, because: NotEjected::NotEnforced });
            log(cx, members, slot, Logged { last, rate, ..Logged::eject(detector) });
            return false;
        }
        self.stats.count_enforced(detector);
        let jitter = self.jitter(cx);
        let state = &mut members.slots[slot as usize];
        state.ejected = true;
        let host = &mut state.outlier;
        host.ejections += 1;
        host.ejected_at = Some(cx.now);
        host.jitter = jitter;
        self.config.lengthen(&mut host.multiplier);
        let until = cx.now + self.config.lasts(host.multiplier) + jitter;
        cx.emit(Fact::Ejected { endpoint, detector, until });
        members.health_changed(cx, slot);
        log(cx, members, slot, Logged { enforced: true, last, rate, ..Logged::eject(detector) });
        true
    }

    /// One sweep (envoy.md 1.5, order matters): returns, buckets, rates, then decay. Who is to be drained
    /// is in `taken_out`.
    pub(super) fn sweep(&mut self, cx: &mut Cx<'_>, members: &mut Members) {
        self.tick_due = cx.now + self.config.interval;
        self.taken_out.clear();
        for i in 0..members.listed.len() {
            let slot = members.listed[i];
            let state = &members.slots[slot as usize];
            let (host, degraded) = (&state.outlier, &state.outlier.degraded);
            let over = |since: Time, multiplier, jitter| cx.now.since(since) >= self.config.lasts(multiplier) + jitter;
            let returns = state.ejected && host.ejected_at.is_some_and(|at| over(at, host.multiplier, host.jitter));
            let recovers = state.degraded && over(degraded.since, degraded.multiplier, degraded.jitter);
            if returns {
                self.uneject(cx, members, slot);
            }
            if recovers {
                undegrade(cx, members, slot);
                if members.slots[slot as usize].ejected {
                    self.taken_out.push(slot);
                }
            }
            let counters = members.counters_mut(slot);
            let (external, local) = (std::mem::take(&mut counters.external), std::mem::take(&mut counters.local));
            let host = &mut members.slots[slot as usize].outlier;
            (host.external, host.local) = (external, local);
        }
        self.rates = None;
        self.compare(cx, members, Origin::External);
        if self.config.split_external_local_origin_errors {
            self.compare(cx, members, Origin::Local);
        }
        for &slot in &members.listed {
            let state = &mut members.slots[slot as usize];
            // Never true of those that have just returned.
            let rested = |last: Option<Time>| last.is_none_or(|at| cx.now.since(at) >= self.config.interval);
            let host = &mut state.outlier;
            if !state.ejected && rested(host.last_uneject) {
                host.multiplier = host.multiplier.saturating_sub(1);
            }
            if !state.degraded && rested(host.degraded.ended) {
                host.degraded.multiplier = host.degraded.multiplier.saturating_sub(1);
            }
        }
    }

    /// Takes out those that stand out by their rate over the last full interval (envoy.md 1.6).
    fn compare(&mut self, cx: &mut Cx<'_>, members: &mut Members, origin: Origin) {
        let config = self.config;
        let listed = members.listed.len();
        if listed < config.success_rate_minimum_hosts as usize
            && listed < config.failure_percentage_minimum_hosts as usize
        {
            return;
        }
        let (by_rate, by_percentage) = match origin {
            Origin::External => (Detector::SuccessRate, Detector::FailurePercentage),
            Origin::Local => (Detector::LocalOriginSuccessRate, Detector::LocalOriginFailurePercentage),
        };
        let mut ranking = std::mem::take(&mut self.ranking);
        ranking.clear();
        for &slot in &members.listed {
            let state = &members.slots[slot as usize];
            if !state.ejected {
                let full = if origin == Origin::External { state.outlier.external } else { state.outlier.local };
                ranking.add(slot, full);
            }
        }
        let volume = config.success_rate_request_volume;
        let rates = ranking.success_rates(volume, config.success_rate_minimum_hosts, config.success_rate_stdev_factor);
        if origin == Origin::External {
            self.rates = rates;
        }
        if let Some(rates) = rates {
            for (slot, seen) in (0..ranking.len()).filter_map(|i| ranking.below(i, volume, rates)) {
                self.take_out(cx, members, slot, by_rate, seen);
            }
        }
        let volume = config.failure_percentage_request_volume;
        if ranking.enough(volume, config.failure_percentage_minimum_hosts) {
            let limit = config.failure_percentage_threshold;
            for (slot, seen) in (0..ranking.len()).filter_map(|i| ranking.failing(i, volume, limit)) {
                // Envoy 1.40 ejects an endpoint twice that both rules find (envoy.md 1.6).
                if self.strict_envoy || !members.slots[slot as usize].ejected {
                    self.take_out(cx, members, slot, by_percentage, seen);
                }
            }
        }
        self.ranking = ranking;
    }

    fn take_out(&mut self, cx: &mut Cx<'_>, members: &mut Members, slot: u32, detector: Detector, seen: HostRate) {
        let out_before = members.slots[slot as usize].ejected;
        if self.try_eject(cx, members, slot, detector, Some(seen)) && !out_before {
            self.taken_out.push(slot);
        }
    }

    /// A probe of an ejected endpoint passed. True if that brought it back.
    pub(super) fn on_probe_passed(&mut self, cx: &mut Cx<'_>, members: &mut Members, slot: u32) -> bool {
        let state = &members.slots[slot as usize];
        let returns = self.config.successful_active_health_check_uneject_host
            && members.listed(slot)
            && state.ejected
            && state.probe.health == ProbeHealth::Passing;
        if returns {
            self.uneject(cx, members, slot);
        }
        returns
    }

    fn uneject(&mut self, cx: &mut Cx<'_>, members: &mut Members, slot: u32) {
        let counters = members.counters_mut(slot);
        counters.consecutive_5xx = 0;
        counters.consecutive_gateway = 0;
        counters.consecutive_local = 0;
        let state = &mut members.slots[slot as usize];
        state.ejected = false;
        let last = state.outlier.ejected_at;
        state.outlier.last_uneject = Some(cx.now);
        self.stats.active -= 1;
        cx.emit(Fact::Unejected { endpoint: members.id(slot) });
        members.health_changed(cx, slot);
        log(cx, members, slot, Logged { last, ..Logged::UNEJECT });
    }
}

/// The time for which an endpoint is taken for degraded is over.
fn undegrade(cx: &mut Cx<'_>, members: &mut Members, slot: u32) {
    let state = &mut members.slots[slot as usize];
    state.degraded = false;
    let degraded = &mut state.outlier.degraded;
    degraded.ended = Some(cx.now);
    let last = Some(degraded.since);
    cx.emit(Fact::Undegraded { endpoint: members.id(slot) });
    members.health_changed(cx, slot);
    log(cx, members, slot, Logged { last, ..Logged::UNEJECT });
}

/// Writes a line of the event log.
fn log(cx: &mut Cx<'_>, members: &Members, slot: u32, what: Logged) {
    let event = Event {
        endpoint: members.id(slot),
        member: members.key(slot),
        action: what.action,
        detector: what.detector,
        num_ejections: members.slots[slot as usize].outlier.ejections,
        enforced: what.enforced,
        since_last_action: what.last.map(|at| cx.now.since(at)),
        rate: what.rate,
    };
    cx.facts.log(cx.now, &event);
}

/// What an event says beyond the endpoint's record.
#[derive(Clone, Copy)]
struct Logged {
    action: Action,
    detector: Detector,
    enforced: bool,
    last: Option<Time>,
    rate: Option<HostRate>,
}

impl Logged {
    const UNEJECT: Logged =
        Logged { action: Action::Uneject, detector: Detector::Consecutive5xx, enforced: false, last: None, rate: None };

    const fn eject(detector: Detector) -> Logged {
        Logged { action: Action::Eject, detector, ..Logged::UNEJECT }
    }
}

impl OutlierDetection {
    /// Percent chance that a detector's finding is acted on.
    fn enforcing(&self, detector: Detector) -> u32 {
        match detector {
            Detector::Consecutive5xx | Detector::FailuresInWindow => self.enforcing_consecutive_5xx,
            Detector::ConsecutiveGatewayFailure => self.enforcing_consecutive_gateway_failure,
            Detector::ConsecutiveLocalOriginFailure => self.enforcing_consecutive_local_origin_failure,
            Detector::SuccessRate => self.enforcing_success_rate,
            Detector::LocalOriginSuccessRate => self.enforcing_local_origin_success_rate,
            Detector::FailurePercentage => self.enforcing_failure_percentage,
            Detector::LocalOriginFailurePercentage => self.enforcing_failure_percentage_local_origin,
            Detector::Degraded => 100,
        }
    }

    /// One more time the base, unless that is past the maximum (envoy.md 1.4).
    fn lengthen(&self, multiplier: &mut u32) {
        let so_far = self.base_ejection_time.times(u64::from(*multiplier));
        if so_far < self.max_ejection_time + self.base_ejection_time {
            *multiplier += 1;
        }
    }

    /// How long an ejection lasts at the least, without its jitter.
    fn lasts(&self, multiplier: u32) -> Span {
        self.base_ejection_time.times(u64::from(multiplier)).min(self.max_ejection_time)
    }
}
