//! Packets in trouble: late, lost, cut off, queued behind a narrow link.
//!
//! *Knows* what a message between two places suffers, TCP's retransmissions included. *Does not know*
//! what the message says.
//!
//! The model is of messages, not of packets: a request or an answer is one message of
//! `max(1, bytes / 1460)` packets, all sent at once. A lost packet is sent again when TCP's
//! retransmission timer fires: 200 ms after it was sent (Linux, `TCP_RTO_MIN`; source) and twice as long
//! each time after that (RFC 6298 5.5; documented), at most 120 s, 15 times (`tcp_retries2`; source).
//! A SYN waits 1 s (RFC 6298 2.1; documented), doubling, 6 times (`tcp_syn_retries`; source). Fast
//! retransmit would be quicker for a loss in the middle of a long message; most messages between
//! services are too short for it, so it is left out, which makes loss of long messages too dear.
//! Lost acknowledgements cost nothing: the answer acknowledges. A message into a partition arrives
//! with the first retransmission after its end.

use crate::scenario::Direction;
use crate::scenario::FaultKind;
use crate::scenario::Target;
use crate::sim::call::Call;
use crate::sim::fault::effect::part_of;
use crate::sim::fault::effect::part_of_span;
use crate::sim::hop::Feed;
use crate::sim::random::Draw;
use crate::sim::random::Purpose;
use crate::sim::record::NOBODY;
use crate::sim::slab::Ref;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Ratio;
use crate::units::Span;
use crate::units::Time;

/// Bytes of a TCP segment over Ethernet.
const SEGMENT: u64 = 1460;
/// Longest wait for a retransmission.
const RTO_MAX: Span = Span::from_secs(120);

/// How a message is sent again. ASSUMPTION(fault.retransmission): see above.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::sim) enum Resend {
    /// Data on a connection that stands.
    Data,
    /// The first packet of a connection, or the answer to it.
    Syn,
    /// A question to the resolver: glibc asks again after 5 s, once (resolv.conf(5); documented).
    Query,
}

impl Resend {
    /// First wait, and how often it is sent again.
    const fn timer(self) -> (Span, u32) {
        match self {
            Resend::Data => (Span::from_millis(200), 15),
            Resend::Syn => (Span::from_secs(1), 6),
            Resend::Query => (Span::from_secs(5), 1),
        }
    }
    /// How long after the first sending the `n`-th one is made, 0 being the first.
    fn after(self, n: u32) -> Span {
        let (first, _) = self.timer();
        (0..n).map(|i| first.times(1 << i.min(20)).min(RTO_MAX)).sum()
    }
}

/// A network fault that is on.
#[derive(Clone, Debug)]
pub(in crate::sim) struct PathFault {
    fault: u32,
    who: Who,
    ingress: bool,
    egress: bool,
    what: What,
}

/// Where packets are in trouble.
#[derive(Clone, Debug)]
enum Who {
    /// At these tasks, by number.
    Tasks(Vec<bool>),
    /// On an arrow: the way between a caller's router and whoever it asks.
    Edge(u32),
    /// At everything in a zone.
    Zone(u8),
    /// Between a zone and the others.
    Border(u8),
}

/// What happens to them.
#[derive(Clone, Copy, Debug)]
enum What {
    Late { sampler: Option<u32>, jitter: Span, percent: u32 },
    Lost(Ratio),
    Cut { until: Time },
    Narrow { bytes_per_second: u64 },
}

/// A place that sends or receives: a task, or a node or resolver that is none.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Place {
    pub(in crate::sim) task: u32,
    pub(in crate::sim) zone: u8,
}

/// A message's way.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Way {
    pub(in crate::sim) from: Place,
    pub(in crate::sim) to: Place,
    /// The arrow it belongs to, [`NOBODY`] if none.
    pub(in crate::sim) arrow: u32,
    /// It goes from callee to caller.
    pub(in crate::sim) back: bool,
}

impl Way {
    /// The same way in the other direction.
    pub(in crate::sim) fn reversed(self) -> Way {
        Way { from: self.to, to: self.from, arrow: self.arrow, back: !self.back }
    }
}

impl PathFault {
    /// The link of this fault that a message passes, if it passes one: its owner, and whether inwards.
    fn link(&self, way: Way) -> Option<(u32, bool)> {
        let at = |place: Place| match &self.who {
            Who::Tasks(hit) => hit.get(place.task as usize).copied().unwrap_or(false),
            Who::Zone(zone) => place.zone == *zone,
            Who::Edge(_) | Who::Border(_) => false,
        };
        match self.who {
            Who::Edge(edge) if edge == way.arrow => {
                // Seen from the callee: requests come in, answers go out.
                let inwards = !way.back;
                (if inwards { self.ingress } else { self.egress }).then_some((edge, inwards))
            }
            Who::Border(zone) => ((way.from.zone == zone) != (way.to.zone == zone)).then_some((NOBODY, true)),
            Who::Tasks(_) | Who::Zone(_) if self.egress && at(way.from) => Some((way.from.task, false)),
            Who::Tasks(_) | Who::Zone(_) if self.ingress && at(way.to) => Some((way.to.task, true)),
            Who::Tasks(_) | Who::Zone(_) | Who::Edge(_) => None,
        }
    }
}

impl World<'_> {
    /// Works out anew which packets are in trouble.
    pub(in crate::sim) fn refresh_paths(&mut self) {
        let cut_before = self.faulting.paths.iter().any(|path| matches!(path.what, What::Cut { .. }));
        self.faulting.paths.clear();
        self.faulting.cut_zones = 0;
        for (i, (fault, spec)) in self.faults.iter().zip(&self.scenario.faults).enumerate() {
            if !fault.on {
                continue;
            }
            let (what, direction) = match &spec.kind {
                FaultKind::Latency { jitter, direction, .. } => {
                    (What::Late { sampler: fault.sampler, jitter: *jitter, percent: fault.level }, *direction)
                }
                FaultKind::PacketLoss { rate, direction } => (What::Lost(part_of(*rate, fault.level)), *direction),
                FaultKind::Partition { direction } => (What::Cut { until: fault.until }, *direction),
                FaultKind::Bandwidth { rate, direction } => {
                    (What::Narrow { bytes_per_second: rate.get().max(1) }, *direction)
                }
                FaultKind::AzOutage { .. } => (What::Cut { until: fault.until }, Direction::Both),
                _ => continue,
            };
            let who = match (&spec.target, &spec.kind) {
                (Target::Zone(zone), FaultKind::AzOutage { .. }) => {
                    self.faulting.cut_zones |= 1 << (*zone).min(63);
                    Who::Border(*zone)
                }
                (Target::Zone(zone), _) => Who::Zone(*zone),
                (Target::Edge(edge), _) => Who::Edge(edge.0),
                _ => {
                    let mut hit = vec![false; self.tasks.len()];
                    fault.tasks.iter().for_each(|&task| hit[task as usize] = true);
                    Who::Tasks(hit)
                }
            };
            self.faulting.paths.push(PathFault {
                fault: i as u32,
                who,
                ingress: direction != Direction::Egress,
                egress: direction != Direction::Ingress,
                what,
            });
        }
        self.faulting.impaired = !self.faulting.paths.is_empty();
        if cut_before {
            self.catch_up_on_pushes();
        }
    }

    /// How much later than usual a message of so many bytes arrives; `None` if it never does.
    pub(in crate::sim) fn cross(&mut self, way: Way, bytes: u64, resend: Resend, draw: &mut Draw) -> Option<Span> {
        let now = self.engine.now();
        let mut late = Span::ZERO;
        let mut survives = 1.0;
        let mut cut_until = now;
        for path in &self.faulting.paths {
            let Some((owner, inwards)) = path.link(way) else { continue };
            match path.what {
                What::Late { sampler, jitter, percent } => {
                    let delay =
                        sampler.map_or(Span::ZERO, |sampler| self.program.samplers[sampler as usize].sample(draw));
                    // Uniformly from `delay - jitter` to `delay + jitter`, never below nothing.
                    let swing = (jitter.as_nanos() as f64 * 2.0 * draw.unit()) as u64;
                    let delay = if jitter.is_zero() { delay } else { (delay + Span::from_nanos(swing)).less(jitter) };
                    late += part_of_span(delay, percent);
                }
                What::Lost(rate) => survives *= 1.0 - rate.as_f64(),
                What::Cut { until } => cut_until = cut_until.max(until),
                What::Narrow { bytes_per_second } => {
                    // The link takes one message after the other.
                    let takes = (u128::from(bytes) * 1_000_000_000).div_ceil(u128::from(bytes_per_second));
                    let takes = Span::from_nanos(u64::try_from(takes).unwrap_or(u64::MAX));
                    let free_at = self.faulting.links.entry((path.fault, owner, inwards)).or_insert(now);
                    *free_at = (*free_at).max(now) + takes;
                    late += free_at.since(now);
                }
            }
        }
        let (_, most) = resend.timer();
        let lost = 1.0 - survives;
        let packets = bytes.div_ceil(SEGMENT).max(1) as f64;
        let mut sendings = 0;
        if lost > 0.0 {
            // All packets are through after n resendings with probability (1 - lost^(n+1))^packets.
            let word = draw.unit();
            let through = |n: u32| libm::pow(1.0 - libm::pow(lost, f64::from(n + 1)), packets);
            while word >= through(sendings) {
                sendings += 1;
                if sendings > most {
                    return None;
                }
            }
        }
        if cut_until > now {
            while now + resend.after(sendings) < cut_until {
                sendings += 1;
                if sendings > most {
                    return None;
                }
            }
        }
        Some(late + resend.after(sendings))
    }

    /// The way of an attempt's request: from its router to whoever it asks.
    pub(in crate::sim) fn way(&self, at: Ref<Call>, attempt: u8) -> Option<Way> {
        let call = self.calls.get(at)?;
        Some(self.way_to(call.router, call.hop_of(attempt).member))
    }

    /// The way from a router to a member.
    pub(in crate::sim) fn way_to(&self, router: u32, member: crate::policy::MemberKey) -> Way {
        let host = &self.routers[router as usize];
        let to = match Self::member_task(member) {
            Some(task) => Place { task, zone: self.tasks[task as usize].zone },
            None => Place { task: NOBODY, zone: self.nodes[member.0 as u32 as usize].zone },
        };
        Way { from: Place { task: host.task, zone: host.zone }, to, arrow: host.edge, back: false }
    }

    /// How long a request takes to its endpoint; `None` if it never comes there.
    pub(in crate::sim) fn request_time(&mut self, at: Ref<Call>, attempt: u8, usual: Span) -> Option<Span> {
        let way = self.way(at, attempt)?;
        let call = self.calls.get(at)?;
        let bytes = self.program.sites[call.site as usize].request.get();
        let mut draw = call.key.draw(Purpose::Wire, u64::from(attempt) << 1);
        self.cross(way, bytes, Resend::Data, &mut draw).map(|late| usual + late)
    }

    /// How long an answer takes to its caller, or the share of it that is sent; `None` if it never comes.
    #[inline]
    pub(in crate::sim) fn answer_time(&mut self, at: Ref<Call>, attempt: u8, sent: Ratio) -> Option<Span> {
        let usual = self.calls.get(at)?.hop_of(attempt).delay;
        if self.faulting.impaired { self.late_answer_time(at, attempt, sent, usual) } else { Some(usual) }
    }

    #[inline(never)]
    fn late_answer_time(&mut self, at: Ref<Call>, attempt: u8, sent: Ratio, usual: Span) -> Option<Span> {
        let way = self.way(at, attempt)?.reversed();
        let call = self.calls.get(at)?;
        let size = self.program.sites[call.site as usize].response.get();
        let bytes = (u128::from(size) * u128::from(sent.as_ppm()) / 1_000_000) as u64;
        let mut draw = call.key.draw(Purpose::Wire, u64::from(attempt) << 1 | 1);
        self.cross(way, bytes, Resend::Data, &mut draw).map(|late| usual + late)
    }

    /// Whether nothing from outside its own network reaches a place now.
    pub(in crate::sim) fn out_of_reach(&self, place: Place) -> bool {
        let outside = Place { task: NOBODY, zone: u8::MAX };
        let way = Way { from: outside, to: place, arrow: NOBODY, back: false };
        self.faulting.impaired
            && self.faulting.paths.iter().any(|path| {
                matches!(path.what, What::Cut { .. })
                    && (path.link(way).is_some() || path.link(way.reversed()).is_some())
            })
    }

    /// Whether the control plane's word reaches a router's proxy.
    pub(in crate::sim) fn misses_push(&mut self, router: u32) -> bool {
        let host = &self.routers[router as usize];
        let misses = host.feed == Feed::Pushed && self.out_of_reach(Place { task: host.task, zone: host.zone });
        self.faulting.missed |= misses;
        misses
    }

    /// Proxies that were cut off hear of what they missed.
    fn catch_up_on_pushes(&mut self) {
        if !std::mem::take(&mut self.faulting.missed) {
            return;
        }
        for router in 0..self.routers.len() as u32 {
            let host = &self.routers[router as usize];
            let version = self.services[host.service as usize].registries[usize::from(host.path)].latest();
            if host.dead || host.feed != Feed::Pushed || host.version.is_none_or(|has| has >= version) {
                continue;
            }
            if self.misses_push(router) {
                continue;
            }
            let delay = self.push_delay(router, version);
            self.engine.after(delay, Ev::Push { router, version });
        }
    }

    /// What a look-up of a router costs on top: the resolver is asked inside the asker's zone, so that a
    /// zone that is cut off still has one.
    pub(in crate::sim) fn look_up_time(&mut self, router: u32, nth: u64) -> Span {
        let host = &self.routers[router as usize];
        let here = Place { task: host.task, zone: host.zone };
        let way = Way { from: here, to: Place { task: NOBODY, ..here }, arrow: NOBODY, back: false };
        let mut draw = self.seed.key(Purpose::Wire, u64::from(router)).draw(Purpose::Answer, nth);
        let there = self.cross(way, 0, Resend::Query, &mut draw);
        let back = self.cross(way.reversed(), 0, Resend::Query, &mut draw);
        match (there, back) {
            (Some(there), Some(back)) => there + back,
            // Asked twice, waited twice.
            _ => Resend::Query.after(1).times(2),
        }
    }

    /// Whether a look-up of a router finds its resolver now.
    pub(in crate::sim) fn resolver_unreachable(&self, router: u32) -> bool {
        let host = &self.routers[router as usize];
        let here = Place { task: host.task, zone: host.zone };
        let way = Way { from: here, to: Place { task: NOBODY, ..here }, arrow: NOBODY, back: false };
        self.faulting.paths.iter().any(|path| {
            matches!(path.what, What::Cut { .. }) && (path.link(way).is_some() || path.link(way.reversed()).is_some())
        })
    }

    /// A task that requests from outside can be sent to, in place of one whose zone is cut off.
    ///
    /// ASSUMPTION(fault.entry_avoids_zone): whatever stands before the entry service leaves a zone that
    /// is cut off at once.
    pub(in crate::sim) fn entry_elsewhere(&self, service: u32, task: u32, mut draw: Draw) -> Option<u32> {
        let cut = |task: u32| self.faulting.cut_zones & (1 << self.tasks[task as usize].zone.min(63)) != 0;
        if !cut(task) {
            return Some(task);
        }
        let serving = &self.services[service as usize].serving;
        let left = serving.iter().filter(|&&other| !cut(other)).count();
        if left == 0 {
            return None;
        }
        serving.iter().copied().filter(|&other| !cut(other)).nth(draw.below(left))
    }

    /// The zone a new task is placed in: the one whose turn it is, or the next that is not cut off.
    ///
    /// ASSUMPTION(fault.placement_avoids_zone): ECS starts no task in a zone that is cut off.
    pub(in crate::sim) fn placeable(&self, zones: &[u8], turn: usize) -> u8 {
        let of = |turn: usize| zones.get(turn % zones.len().max(1)).copied().unwrap_or(0);
        let cut = |zone: u8| self.faulting.cut_zones & (1 << zone.min(63)) != 0;
        (turn..turn + zones.len().max(1)).map(of).find(|&zone| !cut(zone)).unwrap_or_else(|| of(turn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_double_up_to_two_minutes() {
        let ms = |resend: Resend, n| resend.after(n).as_millis();
        assert_eq!([0, 1, 2, 3].map(|n| ms(Resend::Data, n)), [0, 200, 600, 1_400]);
        assert_eq!([0, 1, 2, 3].map(|n| ms(Resend::Syn, n)), [0, 1_000, 3_000, 7_000]);
        // 0.2 s doubled ten times is 204.8 s, which the limit makes 120 s.
        assert_eq!(ms(Resend::Data, 11) - ms(Resend::Data, 10), 120_000);
    }
}
