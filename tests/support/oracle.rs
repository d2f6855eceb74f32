//! A naive oracle of passive ejection: Envoy's counters and sweeps, written down straight.
//!
//! It hears what happened to each attempt and keeps its own books; what it expects of the
//! detectors is compared with what the router said.

use scsim::policy::EndpointId;
use scsim::policy::Fact;
use scsim::policy::Trouble;
use scsim::policy::config::OutlierDetection;
use scsim::policy::config::OutlierReading;
use scsim::policy::fact::Detector;
use scsim::policy::fact::NotEjected;
use scsim::units::Span;
use scsim::units::Time;
use std::collections::BTreeMap;

#[derive(Default)]
struct Host {
    five_xx: u32,
    gateway: u32,
    local: u32,
    multiplier: u64,
    ejected_at: Option<Time>,
    came_back_at: Option<Time>,
}

pub struct Oracle {
    config: OutlierDetection,
    /// Connections are what counts, and nothing after them.
    tcp: bool,
    /// In the order of the list.
    listed: Vec<EndpointId>,
    hosts: BTreeMap<EndpointId, Host>,
    next_tick: Option<Time>,
    expected: Vec<(Time, Fact)>,
    seen: Vec<(Time, Fact)>,
}

impl Oracle {
    /// True where no roll of dice is involved.
    pub fn applies(config: &OutlierDetection) -> bool {
        let sure = |percent| percent == 0 || percent == 100;
        config.reading == OutlierReading::Consecutive
            && sure(config.enforcing_consecutive_5xx)
            && sure(config.enforcing_consecutive_gateway_failure)
            && sure(config.enforcing_consecutive_local_origin_failure)
            // More requests than these tests make in an interval: nobody is judged by rates.
            && config.success_rate_request_volume >= 50
            && config.failure_percentage_request_volume >= 50
            && config.max_ejection_time_jitter.is_zero()
    }

    pub fn new(config: OutlierDetection, tcp: bool) -> Oracle {
        Oracle {
            config,
            tcp,
            listed: Vec::new(),
            hosts: BTreeMap::new(),
            next_tick: None,
            expected: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// The cluster exists from the first list on.
    pub fn start(&mut self, now: Time) {
        self.next_tick.get_or_insert(now + self.config.interval);
    }

    /// A list is in force; an id that was never seen is a host with a clean slate.
    pub fn list(&mut self, ids: Vec<EndpointId>) {
        self.hosts.retain(|id, _| ids.contains(id));
        for &id in &ids {
            self.hosts.entry(id).or_default();
        }
        self.listed = ids;
    }

    /// Time has come to `now`.
    pub fn clock(&mut self, now: Time) {
        while let Some(tick) = self.next_tick
            && tick <= now
        {
            self.next_tick = Some(tick + self.config.interval);
            for id in &self.listed {
                let host = self.hosts.get_mut(id).expect("every listed host has books");
                match host.ejected_at {
                    Some(since) => {
                        let out = self.config.base_ejection_time.times(host.multiplier);
                        if tick.since(since) >= out.min(self.config.max_ejection_time) {
                            host.ejected_at = None;
                            host.came_back_at = Some(tick);
                            (host.five_xx, host.gateway, host.local) = (0, 0, 0);
                            self.expected.push((tick, Fact::Unejected { endpoint: *id }));
                        }
                    }
                    None => {
                        if host.came_back_at.is_none_or(|back| tick.since(back) >= self.config.interval) {
                            host.multiplier = host.multiplier.saturating_sub(1);
                        }
                    }
                }
            }
        }
    }

    /// Something happened.
    pub fn hear(&mut self, at: Time, fact: Fact) {
        match fact {
            Fact::Ejected { .. } | Fact::Unejected { .. } | Fact::NotEjected { .. } => self.seen.push((at, fact)),
            Fact::Sent { endpoint, .. } => {
                if self.config.split_external_local_origin_errors
                    && let Some(host) = self.hosts.get_mut(&endpoint)
                {
                    host.local = 0;
                } else if self.tcp {
                    self.answer(at, endpoint, 200);
                }
            }
            Fact::Answered { .. } if self.tcp => {}
            Fact::Failed { trouble, .. }
                if self.tcp && !matches!(trouble, Trouble::ConnectRefused | Trouble::ConnectTimeout) => {}
            Fact::Answered { endpoint, status } => self.answer(at, endpoint, status),
            Fact::Failed { endpoint, trouble } => {
                if self.config.split_external_local_origin_errors {
                    let Some(host) = self.hosts.get_mut(&endpoint) else { return };
                    host.local += 1;
                    if host.local == self.config.consecutive_local_origin_failure {
                        self.fire(at, endpoint, Detector::ConsecutiveLocalOriginFailure);
                    }
                } else {
                    let late = if self.tcp { Trouble::ConnectTimeout } else { Trouble::Timeout };
                    self.answer(at, endpoint, if trouble == late { 504 } else { 503 });
                }
            }
            _ => {}
        }
    }

    fn answer(&mut self, at: Time, id: EndpointId, status: u16) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if status < 500 {
            (host.five_xx, host.gateway) = (0, 0);
            return;
        }
        if [502, 503, 504].contains(&status) {
            host.gateway += 1;
            if host.gateway == self.config.consecutive_gateway_failure {
                self.fire(at, id, Detector::ConsecutiveGatewayFailure);
            }
        } else {
            host.gateway = 0;
        }
        let host = self.hosts.get_mut(&id).expect("just seen");
        host.five_xx += 1;
        if host.five_xx == self.config.consecutive_5xx {
            self.fire(at, id, Detector::Consecutive5xx);
        }
    }

    fn fire(&mut self, at: Time, id: EndpointId, detector: Detector) {
        let out = self.hosts.values().filter(|host| host.ejected_at.is_some()).count();
        let host = self.hosts.get_mut(&id).expect("the caller saw it");
        if host.ejected_at.is_some() {
            return;
        }
        let (counter, enforced) = match detector {
            Detector::Consecutive5xx => (&mut host.five_xx, self.config.enforcing_consecutive_5xx),
            Detector::ConsecutiveGatewayFailure => {
                (&mut host.gateway, self.config.enforcing_consecutive_gateway_failure)
            }
            _ => (&mut host.local, self.config.enforcing_consecutive_local_origin_failure),
        };
        *counter = 0;
        let share = 100.0 * (out + 1) as f64 / self.listed.len() as f64;
        let one = self.config.always_eject_one_host && out == 0;
        let not = |because| Fact::NotEjected { endpoint: id, detector, because };
        let fact = if share > f64::from(self.config.max_ejection_percent) && !one {
            not(NotEjected::Overflow)
        } else if enforced == 0 {
            not(NotEjected::NotEnforced)
        } else {
            host.ejected_at = Some(at);
            let (base, max) = (self.config.base_ejection_time, self.config.max_ejection_time);
            if base.times(host.multiplier) < max + base {
                host.multiplier += 1;
            }
            let lasts: Span = base.times(host.multiplier).min(max);
            Fact::Ejected { endpoint: id, detector, until: at + lasts }
        };
        self.expected.push((at, fact));
    }

    pub fn expected(&self) -> &[(Time, Fact)] {
        &self.expected
    }
    pub fn seen(&self) -> &[(Time, Fact)] {
        &self.seen
    }
}
