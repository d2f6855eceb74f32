//! The world changed: lists, answers to lookups, probes, connections.

use super::ConnKey;
use super::Cx;
use super::Discovery;
use super::EndpointId;
use super::Fact;
use super::Member;
use super::MemberKey;
use super::Probe;
use super::ProbeHealth;
use super::Router;
use super::Span;
use super::Stale;
use super::Time;
use super::Trouble;
use super::Upkeep;
use crate::policy::config::HealthCheck;

impl Router {
    /// A new list is in force, in place of the old one; `valid_for` says for how long when it was
    /// asked for. Endpoints that are missing are chosen no more; requests under way may finish. A
    /// pushed list also ends their connections; an answer of DNS leaves those that stand in use.
    pub fn on_members(&mut self, cx: &mut Cx<'_>, list: &[Member], valid_for: Option<Span>) {
        self.balancer.seed(cx);
        if let Some(outlier) = &mut self.outlier {
            outlier.start(cx.now);
        }
        let probing = self.config.health_check;
        let mut added = Vec::new();
        let probe = Probe {
            health: if probing.is_some() { ProbeHealth::Unknown } else { ProbeHealth::Unprobed },
            streak: 0,
            next: Time::NEVER,
        };
        let gone = self.members.replace(list, probe, |slot| added.push(slot));
        if let Some(probing) = probing {
            for slot in added {
                // Probes of different endpoints are spread over the interval.
                let phase = Span::from_nanos(cx.below(probing.interval.as_nanos() as usize) as u64);
                self.members.slots[slot as usize].probe.next = cx.now + phase;
            }
            self.find_next_probe();
        }
        for slot in gone {
            if let Some(outlier) = &mut self.outlier {
                outlier.on_removed(&mut self.members, slot);
            }
            self.pool.on_unlisted(slot, &mut self.members, &mut self.upkeep);
        }
        cx.emit(Fact::Members { live: self.members.listed.len() as u32 });
        self.members.deliver_all(cx);
        self.balancer.refresh(cx, &self.members);
        self.names.failed = false;
        self.names.valid_until = valid_for.map_or(Time::NEVER, |span| cx.now + span);
        self.answer_lookups();
    }

    /// The lookup that a `Step::Resolve` asked for gave no answer.
    pub fn on_lookup_failed(&mut self, cx: &mut Cx<'_>) {
        let serves = match self.config.discovery {
            Discovery::Pushed => true,
            Discovery::Resolved { on_failure: Stale::Refuse } => false,
            Discovery::Resolved { on_failure: Stale::Serve { at_most } } => {
                !self.members.listed.is_empty() && cx.now <= self.names.valid_until + at_most
            }
        };
        self.names.failed = !serves;
        self.answer_lookups();
    }

    pub(super) fn answer_lookups(&mut self) {
        self.names.resolving = false;
        for request in self.names.waiting.drain(..) {
            self.upkeep.push_back(Upkeep::Wake { request });
        }
    }

    /// A probe ended. Results for endpoints that are gone are ignored.
    pub fn on_probe(&mut self, cx: &mut Cx<'_>, endpoint: EndpointId, healthy: bool) {
        let (Some(slot), Some(probing)) = (self.members.live(endpoint), self.config.health_check) else { return };
        let state = &mut self.members.slots[slot as usize];
        let contradicts = match state.probe.health {
            ProbeHealth::Unprobed => return,
            ProbeHealth::Unknown => true,
            ProbeHealth::Passing => !healthy,
            ProbeHealth::Failing => healthy,
        };
        let mut changed = None;
        if contradicts {
            state.probe.streak += 1;
            let needed = match (state.probe.health, healthy) {
                (ProbeHealth::Unknown, true) if probing.first_pass_suffices => 1,
                // A first failure makes a new endpoint unhealthy: it never was healthy.
                (ProbeHealth::Unknown, false) => 1,
                (_, true) => probing.healthy_threshold,
                (_, false) => probing.unhealthy_threshold,
            };
            if state.probe.streak >= needed {
                let was_new = state.probe.health == ProbeHealth::Unknown;
                state.probe.health = match (healthy, was_new) {
                    (true, _) => ProbeHealth::Passing,
                    // A new endpoint that failed still needs only one pass.
                    (false, true) if probing.first_pass_suffices => ProbeHealth::Unknown,
                    (false, _) => ProbeHealth::Failing,
                };
                state.probe.streak = 0;
                if healthy || !was_new {
                    changed = Some(healthy);
                }
            }
        } else {
            state.probe.streak = 0;
        }
        if let Some(healthy) = changed {
            cx.emit(Fact::Probed { endpoint, healthy });
            if healthy {
                self.members.slots[slot as usize].available_since = Some(self.slow_since(cx.now, slot, probing));
            } else {
                self.pool.drain_endpoint(slot, &mut self.members, &mut self.upkeep);
            }
        }
        if changed.is_some() {
            self.members.health_changed(cx, slot);
        }
        if healthy && let Some(outlier) = &mut self.outlier {
            outlier.on_probe_passed(cx, &mut self.members, slot);
        }
        self.balancer.refresh(cx, &self.members);
    }

    /// From when on an endpoint that passes its probes counts as available. An ALB's target starts slowly
    /// only beside one that does not: in a group that was empty it has its full share (aws.md 3.2).
    fn slow_since(&self, now: Time, slot: u32, probing: HealthCheck) -> Time {
        let Some(slow) = self.config.slow_start.filter(|_| probing.first_pass_suffices) else { return now };
        let settled = |since: Time| since == Time::ZERO || now.since(since) >= slow.window;
        let beside = self.members.listed.iter().filter(|&&other| other != slot).any(|&other| {
            let state = &self.members.slots[other as usize];
            state.probe.health == ProbeHealth::Passing && state.available_since.is_some_and(settled)
        });
        if beside { now } else { Time::ZERO }
    }

    /// Where the caller is and how many healthy ones of its kind there are in each zone, by zone:
    /// Envoy's local cluster. Without it zone-aware routing does nothing.
    pub fn on_local_cluster(&mut self, _cx: &mut Cx<'_>, zone: u8, hosts_per_zone: &[u32]) {
        self.balancer.set_local_cluster(zone, hosts_per_zone, &self.members);
    }

    /// A connection that `Upkeep::Connect` asked for stands.
    pub fn on_connected(&mut self, cx: &mut Cx<'_>, conn: ConnKey) {
        self.pool.on_connected(conn, cx.now, &mut self.members, &mut self.upkeep);
    }

    /// A connection that `Upkeep::Connect` asked for could not be made.
    pub fn on_connect_failed(&mut self, cx: &mut Cx<'_>, conn: ConnKey, trouble: Trouble) {
        self.pool.on_connect_failed(conn, trouble, cx.now, &mut self.members, &mut self.upkeep);
    }

    /// The peer of an HTTP/2 connection said how many streams it takes at a time (SETTINGS). Other
    /// protocols have no such thing.
    pub fn on_settings(&mut self, cx: &mut Cx<'_>, conn: ConnKey, max_concurrent_streams: u32) {
        self.pool.on_settings(conn, max_concurrent_streams, cx.now, &mut self.members, &mut self.upkeep);
    }

    /// The peer takes no new requests on a connection (GOAWAY): those under way may finish.
    pub fn on_goaway(&mut self, _cx: &mut Cx<'_>, conn: ConnKey) {
        self.pool.on_goaway(conn, &mut self.members, &mut self.upkeep);
    }

    /// The peer of that name takes no new requests on any of its connections.
    pub fn on_goaway_from(&mut self, _cx: &mut Cx<'_>, member: MemberKey) {
        let slots: Vec<u32> = self.members.of(member).collect();
        for slot in slots {
            self.pool.drain_endpoint(slot, &mut self.members, &mut self.upkeep);
        }
    }

    /// The peer closed a connection. Attempts on it are reported one by one, as ever.
    pub fn on_conn_closed(&mut self, cx: &mut Cx<'_>, conn: ConnKey) {
        self.pool.on_closed(conn, cx.now, &mut self.members, &mut self.upkeep);
    }

    /// The peer of that name closed all its connections.
    pub fn on_peer_gone(&mut self, cx: &mut Cx<'_>, member: MemberKey) {
        let slots: Vec<u32> = self.members.of(member).collect();
        for slot in slots {
            self.pool.on_peer_gone(slot, cx.now, &mut self.members, &mut self.upkeep);
        }
    }
}
