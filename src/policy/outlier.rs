//! Passive ejection: who is taken out after which results, and when it returns.
//!
//! *Knows* the counters, the percentage rule and the sweeps (envoy.md 1). *Does not know* the
//! balancer's view: it flips the truth and says so. Returns happen at a sweep, or when a probe
//! passes. Where Envoy's order is that of a hash map, it is that of the list here.

use super::Cx;
use super::config::OutlierDetection;
use super::config::OutlierReading;
use super::fact::Detector;
use super::fact::Fact;
use super::fact::NotEjected;
use super::members::Members;
use super::members::ProbeHealth;
use super::rates::Ranking;
use super::rates::SuccessRates;
use super::rates::Tally;
use crate::units::Span;
use crate::units::Time;

/// One endpoint's record.
#[derive(Clone, Debug, Default)]
pub(super) struct HostOutlier {
    consecutive_5xx: u32,
    consecutive_gateway: u32,
    consecutive_local: u32,
    /// Instants of the latest failures, for [`OutlierReading::Window`]; oldest overwritten.
    recent: Vec<Time>,
    recent_at: usize,
    /// Ejections so far.
    pub(super) ejections: u32,
    /// The duration is the base times this.
    pub(super) multiplier: u32,
    pub(super) ejected_at: Time,
    jitter: Span,
    last_uneject: Option<Time>,
}

/// The result of one attempt, as the detectors see it (envoy.md 1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reported {
    /// The stream got a connection. Counts in split mode only.
    PoolReady,
    /// Response headers with this status.
    Status(u16),
    /// Local failure: no connection, or it broke. Counts as 503.
    Connect,
    /// Local failure: time ran out. Counts as 504.
    Timeout,
}

/// The detectors of one router.
#[derive(Clone, Debug)]
pub(super) struct Outlier {
    config: OutlierDetection,
    strict_envoy: bool,
    /// Endpoints out now; those that left the list are not counted.
    active: u32,
    pub(super) tick_due: Time,
    /// Success rates by slot.
    tallies: Vec<Tallies>,
    /// Those of one sweep; kept for its memory.
    ranking: Ranking,
    /// Mean and threshold of the last sweep over answers.
    pub(super) rates: Option<SuccessRates>,
    /// The slots that the last sweep took out.
    pub(super) taken_out: Vec<u32>,
}

/// What came of the requests to one endpoint.
#[derive(Clone, Copy, Debug, Default)]
struct Tallies {
    external: Tally,
    /// In split mode only.
    local: Tally,
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
            active: 0,
            tick_due: Time::NEVER,
            tallies: Vec::new(),
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
        self.active
    }

    /// A new endpoint took the slot.
    pub(super) fn on_added(&mut self, slot: u32) {
        let at = slot as usize;
        if at < self.tallies.len() {
            self.tallies[at] = Tallies::default();
        } else {
            self.tallies.resize(at + 1, Tallies::default());
        }
    }

    /// An ejected endpoint left the list; a later one of that key starts clean (envoy.md 1.5).
    pub(super) fn on_removed(&mut self, members: &mut Members, slot: u32) {
        let endpoint = &mut members.slots[slot as usize];
        if endpoint.ejected {
            endpoint.ejected = false;
            self.active -= 1;
        }
    }

    /// Takes one result. True if the endpoint was ejected by it.
    pub(super) fn on_result(&mut self, cx: &mut Cx<'_>, members: &mut Members, slot: u32, result: Reported) -> bool {
        let split = self.config.split_external_local_origin_errors;
        let tallies = &mut self.tallies[slot as usize];
        let status = match result {
            Reported::PoolReady => {
                if split {
                    tallies.local.count(true);
                    members.slots[slot as usize].outlier.consecutive_local = 0;
                }
                return false;
            }
            Reported::Connect | Reported::Timeout if split => {
                tallies.local.count(false);
                return self.on_local_failure(cx, members, slot);
            }
            Reported::Status(status) => status,
            Reported::Connect => 503,
            Reported::Timeout => 504,
        };
        tallies.external.count(status < 500);
        match self.config.reading {
            OutlierReading::Consecutive => self.on_status(cx, members, slot, status),
            OutlierReading::Window(window) => self.on_status_in_window(cx, members, slot, status, window),
        }
    }

    fn on_local_failure(&mut self, cx: &mut Cx<'_>, members: &mut Members, slot: u32) -> bool {
        let host = &mut members.slots[slot as usize].outlier;
        host.consecutive_local += 1;
        host.consecutive_local == self.config.consecutive_local_origin_failure
            && self.fire(cx, members, slot, Detector::ConsecutiveLocalOriginFailure)
    }

    fn on_status(&mut self, cx: &mut Cx<'_>, members: &mut Members, slot: u32, status: u16) -> bool {
        let host = &mut members.slots[slot as usize].outlier;
        if status < 500 {
            host.consecutive_5xx = 0;
            host.consecutive_gateway = 0;
            return false;
        }
        let mut ejected = false;
        if matches!(status, 502..=504) {
            host.consecutive_gateway += 1;
            // Equality, not at least: a counter past the limit does not fire again (envoy.md 1.3).
            if host.consecutive_gateway == self.config.consecutive_gateway_failure {
                ejected |= self.fire(cx, members, slot, Detector::ConsecutiveGatewayFailure);
            }
        } else {
            host.consecutive_gateway = 0;
        }
        let host = &mut members.slots[slot as usize].outlier;
        host.consecutive_5xx += 1;
        if host.consecutive_5xx == self.config.consecutive_5xx {
            ejected |= self.fire(cx, members, slot, Detector::Consecutive5xx);
        }
        ejected
    }

    fn on_status_in_window(
        &mut self,
        cx: &mut Cx<'_>,
        members: &mut Members,
        slot: u32,
        status: u16,
        window: Span,
    ) -> bool {
        let limit = self.config.consecutive_5xx as usize;
        if status < 500 || limit == 0 {
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
        if !members.slots[slot as usize].listed || members.slots[slot as usize].ejected {
            return false;
        }
        let ejected = self.try_eject(cx, members, slot, detector);
        let host = &mut members.slots[slot as usize].outlier;
        match detector {
            Detector::Consecutive5xx => host.consecutive_5xx = 0,
            Detector::ConsecutiveGatewayFailure => host.consecutive_gateway = 0,
            Detector::ConsecutiveLocalOriginFailure => host.consecutive_local = 0,
            Detector::FailuresInWindow => {
                host.recent.clear();
                host.recent_at = 0;
            }
            // Found by a sweep; they have no counter.
            Detector::SuccessRate
            | Detector::FailurePercentage
            | Detector::LocalOriginSuccessRate
            | Detector::LocalOriginFailurePercentage => {}
        }
        ejected
    }

    fn try_eject(&mut self, cx: &mut Cx<'_>, members: &mut Members, slot: u32, detector: Detector) -> bool {
        let endpoint = members.id(slot);
        let config = &self.config;
        let share_after = 100 * (u64::from(self.active) + 1);
        let share_max = u64::from(config.max_ejection_percent.min(100)) * members.listed.len() as u64;
        if share_after > share_max && !(config.always_eject_one_host && self.active == 0) {
            cx.emit(Fact::NotEjected { endpoint, detector, because: NotEjected::Overflow });
            return false;
        }
        let enforcing = match detector {
            Detector::Consecutive5xx | Detector::FailuresInWindow => config.enforcing_consecutive_5xx,
            Detector::ConsecutiveGatewayFailure => config.enforcing_consecutive_gateway_failure,
            Detector::ConsecutiveLocalOriginFailure => config.enforcing_consecutive_local_origin_failure,
            Detector::SuccessRate => config.enforcing_success_rate,
            Detector::LocalOriginSuccessRate => config.enforcing_local_origin_success_rate,
            Detector::FailurePercentage => config.enforcing_failure_percentage,
            Detector::LocalOriginFailurePercentage => config.enforcing_failure_percentage_local_origin,
        };
        // The roll is drawn only where it can go either way.
        if enforcing == 0 || (enforcing < 100 && cx.below(100) >= enforcing as usize) {
            cx.emit(Fact::NotEjected { endpoint, detector, because: NotEjected::NotEnforced });
            return false;
        }
        self.active += 1;
        let jitter_max = config.max_ejection_time_jitter.as_millis();
        let jitter = if jitter_max == 0 { 0 } else { cx.rng.next_u64() % (jitter_max + 1) };
        let state = &mut members.slots[slot as usize];
        state.ejected = true;
        let host = &mut state.outlier;
        host.ejections += 1;
        host.ejected_at = cx.now;
        host.jitter = Span::from_millis(jitter);
        if config.base_ejection_time.times(u64::from(host.multiplier))
            < config.max_ejection_time + config.base_ejection_time
        {
            host.multiplier += 1;
        }
        let until = cx.now + out_for(config, host);
        cx.emit(Fact::Ejected { endpoint, detector, until });
        true
    }

    /// One sweep (envoy.md 1.5, order matters): returns, buckets, rates, then decay. Those
    /// who were taken out are in `taken_out`.
    ///
    /// `changed` hears of each return and each ejection when it happens: Envoy tells of them one by
    /// one, so that the merge window holds back all but the first of a sweep (envoy.md 1.7; measured,
    /// `docs/envoy-differences.md`).
    pub(super) fn sweep(
        &mut self,
        cx: &mut Cx<'_>,
        members: &mut Members,
        mut changed: impl FnMut(&mut Cx<'_>, &mut Members),
    ) {
        self.tick_due = cx.now + self.config.interval;
        self.taken_out.clear();
        for i in 0..members.listed.len() {
            let slot = members.listed[i];
            let state = &members.slots[slot as usize];
            if state.ejected && cx.now.since(state.outlier.ejected_at) >= out_for(&self.config, &state.outlier) {
                self.uneject(cx, members, slot);
                changed(cx, members);
            }
            let tallies = &mut self.tallies[slot as usize];
            tallies.external.close();
            tallies.local.close();
        }
        self.rates = None;
        self.compare(cx, members, Origin::External, &mut changed);
        if self.config.split_external_local_origin_errors {
            self.compare(cx, members, Origin::Local, &mut changed);
        }
        for &slot in &members.listed {
            let state = &mut members.slots[slot as usize];
            let host = &mut state.outlier;
            // Never true of those that have just returned.
            let rested = host.last_uneject.is_none_or(|at| cx.now.since(at) >= self.config.interval);
            if !state.ejected && host.multiplier > 0 && rested {
                host.multiplier -= 1;
            }
        }
    }

    /// Takes out those that stand out by their rate over the last full interval (envoy.md 1.6).
    fn compare(
        &mut self,
        cx: &mut Cx<'_>,
        members: &mut Members,
        origin: Origin,
        changed: &mut impl FnMut(&mut Cx<'_>, &mut Members),
    ) {
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
            if !members.slots[slot as usize].ejected {
                let tallies = &self.tallies[slot as usize];
                ranking.add(slot, if origin == Origin::External { &tallies.external } else { &tallies.local });
            }
        }
        let volume = config.success_rate_request_volume;
        let rates = ranking.success_rates(volume, config.success_rate_minimum_hosts, config.success_rate_stdev_factor);
        if origin == Origin::External {
            self.rates = rates;
        }
        if let Some(rates) = rates {
            for slot in (0..ranking.len()).filter_map(|i| ranking.below(i, volume, rates)) {
                self.take_out(cx, members, slot, by_rate, changed);
            }
        }
        let volume = config.failure_percentage_request_volume;
        if ranking.enough(volume, config.failure_percentage_minimum_hosts) {
            let limit = config.failure_percentage_threshold;
            for slot in (0..ranking.len()).filter_map(|i| ranking.failing(i, volume, limit)) {
                // Envoy 1.40 ejects an endpoint twice that both rules find (envoy.md 1.6).
                if self.strict_envoy || !members.slots[slot as usize].ejected {
                    self.take_out(cx, members, slot, by_percentage, changed);
                }
            }
        }
        self.ranking = ranking;
    }

    fn take_out(
        &mut self,
        cx: &mut Cx<'_>,
        members: &mut Members,
        slot: u32,
        detector: Detector,
        changed: &mut impl FnMut(&mut Cx<'_>, &mut Members),
    ) {
        let out_before = members.slots[slot as usize].ejected;
        if self.try_eject(cx, members, slot, detector) && !out_before {
            self.taken_out.push(slot);
            changed(cx, members);
        }
    }

    /// A probe of an ejected endpoint passed. True if that brought it back.
    pub(super) fn on_probe_passed(&mut self, cx: &mut Cx<'_>, members: &mut Members, slot: u32) -> bool {
        let state = &members.slots[slot as usize];
        let returns = self.config.successful_active_health_check_uneject_host
            && state.listed
            && state.ejected
            && state.probe.health == ProbeHealth::Passing;
        if returns {
            self.uneject(cx, members, slot);
        }
        returns
    }

    fn uneject(&mut self, cx: &mut Cx<'_>, members: &mut Members, slot: u32) {
        let state = &mut members.slots[slot as usize];
        state.ejected = false;
        let host = &mut state.outlier;
        host.last_uneject = Some(cx.now);
        host.consecutive_5xx = 0;
        host.consecutive_gateway = 0;
        host.consecutive_local = 0;
        self.active -= 1;
        cx.emit(Fact::Unejected { endpoint: members.id(slot) });
    }
}

/// How long the current ejection lasts at the least.
fn out_for(config: &OutlierDetection, host: &HostOutlier) -> Span {
    config.base_ejection_time.times(u64::from(host.multiplier)).min(config.max_ejection_time) + host.jitter
}
