//! Delays between places, connections being made, probes on their way.
//!
//! *Knows* zones, proxies' and nodes' delay and how a closed, hanging or absent port answers.

use super::call::Call;
use super::call::Dial;
use super::fault::Resend;
use super::life::Phase;
use super::note::Note;
use super::random::Draw;
use super::random::Purpose;
use super::random::Sampler;
use super::record::NOBODY;
use super::slab::Ref;
use super::world::Ev;
use super::world::World;
use crate::policy::ConnKey;
use crate::policy::EndpointId;
use crate::policy::MemberKey;
use crate::policy::Trouble;
use crate::scenario::Mechanism;
use crate::scenario::Plane;
use crate::units::Span;
use crate::units::Time;

/// The delays of a plane, ready for drawing.
pub(super) struct Delays {
    same_zone: Sampler,
    cross_zone: Sampler,
    tls_round_trips: u8,
    /// Both directions of one passage through one proxy or node, by path.
    passage: [Option<Sampler>; 2],
    /// The same through a proxy that stands before an app, for calls of the other path.
    inbound: Option<Sampler>,
}

impl Delays {
    pub(super) fn new(plane: &Plane) -> Delays {
        let passage = |plane: &Plane| match &plane.mechanism {
            Mechanism::Direct | Mechanism::Dns(_) => None,
            Mechanism::Sidecar(sidecar) => Some(Sampler::new(&sidecar.overhead)),
            Mechanism::Alb(alb) => Some(Sampler::new(&alb.hop)),
        };
        Delays {
            same_zone: Sampler::new(&plane.network.same_zone),
            cross_zone: Sampler::new(&plane.network.cross_zone),
            tls_round_trips: plane.network.tls_round_trips,
            passage: [passage(plane), plane.second.as_deref().and_then(passage)],
            inbound: plane.sidecar().map(|sidecar| Sampler::new(&sidecar.overhead)),
        }
    }

    fn wire(&self, from: u8, to: u8, draw: &mut Draw) -> Span {
        if from == to { self.same_zone.sample(draw) } else { self.cross_zone.sample(draw) }
    }

    /// One way of an attempt: the wire, and half of what the proxies on the way add. Through two
    /// sidecars that is half of each one's passage, through one of them or an ALB node half of its own.
    #[inline]
    pub(super) fn hop(&self, from: u8, to: u8, path: u8, one_proxy: bool, two_proxies: bool, draw: &mut Draw) -> Span {
        let wire = self.wire(from, to, draw);
        match &self.passage[usize::from(path)] {
            Some(passage) if two_proxies => {
                let both = passage.sample(draw) + passage.sample(draw);
                wire + Span::from_nanos(both.as_nanos() / 2)
            }
            Some(passage) if one_proxy => wire + Span::from_nanos(passage.sample(draw).as_nanos() / 2),
            _ => wire,
        }
    }

    /// One way through a proxy that stands before an app, on top of a way that has no proxy at the caller.
    pub(super) fn inbound(&self, draw: &mut Draw) -> Span {
        self.inbound.as_ref().map_or(Span::ZERO, |passage| Span::from_nanos(passage.sample(draw).as_nanos() / 2))
    }
}

impl World<'_> {
    /// A router opens a connection.
    pub(super) fn dial(&mut self, router: u32, member: MemberKey, conn: ConnKey, give_up_at: Time) {
        let host = &self.routers[router as usize];
        let zone = match Self::member_task(member) {
            Some(task) => self.tasks[task as usize].zone,
            None => self.nodes[member.0 as u32 as usize].zone,
        };
        let mut draw = self.seed.key(Purpose::Delay, u64::from(router)).draw(Purpose::Delay, conn.0);
        let one_way = self.delays.wire(host.zone, zone, &mut draw);
        let dial = self.dials.insert_with(|_| Dial {
            router,
            conn,
            member,
            give_up_at,
            one_way,
            accepted: false,
            trouble: None,
        });
        let mut arrives = Some(self.engine.now() + one_way);
        if self.faulting.impaired {
            let mut draw = self.dial_draw(router, conn, 0);
            let late = self.cross(self.way_to(router, member), 0, Resend::Syn, &mut draw);
            arrives = late.map(|late| self.engine.now() + one_way + late).filter(|&at| at <= give_up_at);
        }
        match arrives {
            Some(at) => self.engine.at(at, Ev::DialArrives(dial)),
            None => self.dial_in_vain(dial, give_up_at),
        }
    }

    /// No answer to a SYN comes in time.
    fn dial_in_vain(&mut self, at: Ref<Dial>, give_up_at: Time) {
        if let Some(dial) = self.dials.get_mut(at) {
            dial.trouble = Some(Trouble::ConnectTimeout);
        }
        if give_up_at != Time::NEVER {
            self.engine.at(give_up_at, Ev::Dialled(at));
        }
    }

    /// Draws for the packets of a handshake.
    fn dial_draw(&self, router: u32, conn: ConnKey, packet: u64) -> Draw {
        self.seed.key(Purpose::Wire, u64::from(router)).child(Purpose::Wire, conn.0).draw(Purpose::Delay, packet)
    }

    /// What trouble on the way adds to the rest of a handshake: the SYN-ACK, then TLS there and back.
    fn handshake_time(&mut self, at: Ref<Dial>, answered: bool) -> Option<Span> {
        let dial = self.dials.get(at)?;
        let (router, conn, member) = (dial.router, dial.conn, dial.member);
        let way = self.way_to(router, member);
        let mut draw = self.dial_draw(router, conn, 1);
        let mut late = self.cross(way.reversed(), 0, Resend::Syn, &mut draw)?;
        if answered {
            for trip in 0..u64::from(self.delays.tls_round_trips) {
                let mut draw = self.dial_draw(router, conn, 2 + trip);
                late += self.cross(way, 0, Resend::Data, &mut draw)?;
                late += self.cross(way.reversed(), 0, Resend::Data, &mut draw)?;
            }
        }
        Some(late)
    }

    pub(super) fn on_dial_arrives(&mut self, at: Ref<Dial>) {
        let now = self.engine.now();
        let Some(dial) = self.dials.get(at) else { return };
        let (router, one_way, give_up_at) = (dial.router, dial.one_way, dial.give_up_at);
        let verdict = match Self::member_task(dial.member) {
            Some(task) => self.port(task, router),
            None => Port::Open,
        };
        let (trouble, ends) = match verdict {
            Port::Open => {
                // The SYN-ACK, then the TLS handshake's round trips.
                (None, now + one_way.times(1 + 2 * u64::from(self.delays.tls_round_trips)))
            }
            // The handshake fails when the caller has seen the certificate: to its pool a connect failure.
            Port::Untrusted => (Some(Trouble::ConnectRefused), now + one_way.times(3)),
            Port::Closed => (Some(Trouble::ConnectRefused), now + one_way),
            Port::Nowhere => (Some(Trouble::ConnectTimeout), give_up_at),
        };
        let ends = if self.faulting.impaired && ends < give_up_at {
            self.handshake_time(at, trouble.is_none()).map_or(Time::NEVER, |late| ends + late)
        } else {
            ends
        };
        let (trouble, ends) =
            if ends > give_up_at { (Some(Trouble::ConnectTimeout), give_up_at) } else { (trouble, ends) };
        if let Some(dial) = self.dials.get_mut(at) {
            dial.trouble = trouble;
            dial.accepted = trouble.is_none();
        }
        if ends != Time::NEVER {
            self.engine.at(ends.max(now), Ev::Dialled(at));
        }
    }

    /// How a task's address takes a new connection from a router.
    fn port(&mut self, task: u32, router: u32) -> Port {
        let host = &self.routers[router as usize];
        let sidecar = self.fronted(router);
        let on_edge = if host.edge == NOBODY { None } else { self.edge_trouble.get(host.edge as usize) };
        let edge_refuses = on_edge.is_some_and(|trouble| trouble.refuse);
        let edge_cert = on_edge.is_some_and(|trouble| trouble.cert_expired);
        if let Some(since) = self.tasks[task as usize].deaf_since {
            let stale = self.engine.now().since(since);
            self.recorder.stale_dial(stale);
            self.note(Note::Stale { task, after: stale });
        }
        let state = &self.tasks[task as usize];
        let state_phase = state.phase;
        if state_phase == Phase::Gone {
            // The network interface went with the task: nobody is there to refuse.
            return Port::Nowhere;
        }
        let open = if sidecar {
            state.inbound_open && !self.proxies.all[task as usize].down
        } else {
            state_phase == Phase::Serving && !state.trouble.refuse && !edge_refuses
        };
        if !open {
            return Port::Closed;
        }
        let trouble = &state.trouble;
        if (trouble.cert_expired || edge_cert) && self.delays.tls_round_trips > 0 {
            return Port::Untrusted;
        }
        match trouble.limit {
            // Behind a sidecar it is the sidecar's connections to the app that are limited.
            Some((limit, refuses)) if !sidecar && self.connections_to(task) >= limit => {
                if refuses {
                    Port::Closed
                } else {
                    Port::Nowhere
                }
            }
            _ => Port::Open,
        }
    }

    /// Connections that stand to a task, those included whose caller has not heard of it yet.
    fn connections_to(&self, task: u32) -> u32 {
        let member = MemberKey(u64::from(task));
        let service = self.tasks[task as usize].service;
        let routers = &self.services[service as usize].routers_in;
        let all: u32 = routers.iter().map(|&router| self.routers[router as usize].router.connections_to(member)).sum();
        let making = self.dials.refs().filter(|(_, dial)| dial.member == member && !dial.accepted).count() as u32;
        all.saturating_sub(making)
    }

    /// How a task's address takes a request that arrives on a connection.
    pub(super) fn reception(&mut self, task: u32, edge: Option<u32>, sidecar: bool) -> Reception {
        let on_edge = edge.and_then(|edge| self.edge_trouble.get(edge as usize)).filter(|trouble| trouble.sick);
        let state = &self.tasks[task as usize];
        let trouble = &state.trouble;
        // An app that is out of reach behind a living sidecar is a 503 of that sidecar (aws.md 1.4).
        let unreachable = if sidecar { Reception::Answers(503) } else { Reception::Breaks };
        if sidecar && self.proxies.all[task as usize].down {
            return Reception::Breaks;
        }
        if let Some(since) = state.deaf_since {
            let stale = self.engine.now().since(since);
            let gone = state.phase == Phase::Gone;
            self.recorder.stale_dial(stale);
            self.note(Note::Stale { task, after: stale });
            return if gone { Reception::Breaks } else { unreachable };
        }
        if state.phase != Phase::Serving {
            return unreachable;
        }
        if !trouble.sick && on_edge.is_none() {
            return Reception::Serves;
        }
        let any = |has: fn(&super::fault::Trouble) -> bool| has(trouble) || on_edge.is_some_and(has);
        if any(|trouble| trouble.refuse) || any(|trouble| trouble.reset) {
            return unreachable;
        }
        if any(|trouble| trouble.hang) {
            return Reception::Silent;
        }
        if sidecar && trouble.limit.is_some_and(|(limit, _)| state.jobs >= limit) {
            // The sidecar needs a connection for each request under way, and gets no more.
            return unreachable;
        }
        match trouble.reset_after.or_else(|| on_edge.and_then(|trouble| trouble.reset_after)) {
            Some(delay) => Reception::BreaksAfter(delay),
            None => Reception::Serves,
        }
    }

    /// True if a request that is sent now meets its connection closed at the app's end, which the sender
    /// has not heard of yet. The app counts from its last answer, one way before that came here, and
    /// what it closes is known here one way after: a request that is sent within a round trip of the
    /// end arrives too late.
    pub(super) fn meets_closing(&self, router: u32, conn: ConnKey, one_way: Span) -> bool {
        let host = &self.routers[router as usize];
        host.router.idle_for(self.engine.now(), conn) + one_way.times(2) > host.app_idle
    }

    /// A request that the app answers with a reset, because it had closed the connection.
    pub(super) fn lose_race(&mut self, call: Ref<Call>, attempt: u8, router: u32, conn: ConnKey, one_way: Span) {
        self.recorder.recording.keep_alive_races += 1;
        // Nothing else goes that way.
        self.tell_router(router, |router, cx| router.on_conn_closed(cx, conn));
        self.engine.after(one_way.times(2), Ev::Broken { call, attempt });
    }

    /// A connection that was being made stands, or failed.
    pub(super) fn on_dialled(&mut self, at: Ref<Dial>) {
        let Some(dial) = self.dials.remove(at) else { return };
        if dial.trouble.is_none() {
            self.recorder.recording.connections_opened += 1;
            let host = &self.routers[dial.router as usize];
            self.meter.connected(host.edge, host.path);
        }
        self.tell_router(dial.router, |router, cx| match dial.trouble {
            None => router.on_connected(cx, dial.conn),
            Some(trouble) => router.on_connect_failed(cx, dial.conn, trouble),
        });
    }

    /// A router probes a member. The result is what the task's port and check say when the probe
    /// arrives; only a hang, or an address where nobody is, takes the whole time-out.
    pub(super) fn probe(&mut self, router: u32, endpoint: EndpointId, member: MemberKey, give_up_at: Time) {
        let Some(task) = Self::member_task(member) else { return };
        let now = self.engine.now();
        let host = &self.routers[router as usize];
        let key = self.seed.key(Purpose::Delay, u64::from(router) << 32 | u64::from(task));
        let mut draw = key.draw(Purpose::Upkeep, now.as_nanos());
        let one_way = self.delays.wire(host.zone, self.tasks[task as usize].zone, &mut draw);
        let silent = self.tasks[task as usize].trouble.hang || self.tasks[task as usize].phase == Phase::Gone;
        let (mut healthy, took) = if silent { (false, Span::MAX) } else { self.check_once(task, &mut draw) };
        // A node's probe comes in by the task's proxy, where there is one.
        healthy &= host.node == NOBODY || !self.proxies.all[task as usize].down;
        let mut ends = now + one_way.times(2) + took;
        if self.faulting.impaired {
            let way = self.way_to(router, member);
            let there = self.cross(way, 0, Resend::Data, &mut draw);
            let back = self.cross(way.reversed(), 0, Resend::Data, &mut draw);
            ends = match (there, back) {
                (Some(there), Some(back)) => ends + there + back,
                _ => Time::NEVER,
            };
        }
        let (healthy, ends) = if ends > give_up_at { (false, give_up_at) } else { (healthy, ends) };
        self.engine.at(ends, Ev::Probed { router, endpoint, healthy });
    }
}

/// How a port answers a SYN.
enum Port {
    Open,
    Closed,
    /// It takes the connection, and its certificate is not to be trusted.
    Untrusted,
    /// Nobody answers.
    Nowhere,
}

/// How a task's address receives a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reception {
    /// The app takes it.
    Serves,
    /// Somebody in front of the app answers.
    Answers(u16),
    /// The connection breaks.
    Breaks,
    /// The app takes it, and the connection breaks after this time.
    BreaksAfter(Span),
    /// Nothing ever comes back.
    Silent,
}
