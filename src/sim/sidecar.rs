//! A sidecar as a thing that costs and can break: processor share, memory, crash, restart.
//!
//! *Knows* what a proxy needs and what becomes of calls while it is slow or gone. *Does not know*
//! any rule of choice: those are `policy`'s.
//!
//! A proxy is a fluid server: what it is given, divided by its share, moves the instant at which it
//! will have done it all. The kernel meters the share by periods, so that a proxy may be one period
//! ahead of its share before anything waits; from then on requests leave in the order in which they
//! came. No queue is kept, so that a passage costs the same whether it waits or not.

use super::call::Call;
use super::call::CallParent;
use super::hop::Feed;
use super::life::Phase;
use super::note::Note;
use super::record::NOBODY;
use super::slab::Ref;
use super::task::Job;
use super::world::Ev;
use super::world::World;
use crate::measure::Ending;
use crate::measure::HappeningKind;
use crate::policy::Flag;
use crate::policy::Flags;
use crate::policy::MemberKey;
use crate::policy::Router;
use crate::scenario::Enrolment;
use crate::scenario::Plane;
use crate::scenario::Protocol;
use crate::scenario::Scenario;
use crate::scenario::ServiceId;
use crate::scenario::ecs;
use crate::units::Span;
use crate::units::Time;

/// How far a proxy may be ahead of its share before anything waits.
// ASSUMPTION(proxy.cpu_period): the kernel's default period of a processor quota, `cpu.cfs_period_us`.
const PERIOD: Span = Span::from_millis(100);
const SECOND: Span = Span::from_secs(1);

/// The proxy beside one task.
#[derive(Clone, Copy)]
pub(in crate::sim) struct Proxy {
    /// When it will have done what it was given, at its share.
    done_at: Time,
    /// What it was given in the second under way, as time of its share.
    used: Span,
    second_ends: Time,
    /// The highest share of its processor share that it used in a second.
    pub(in crate::sim) busy_max_ppm: u32,
    /// Thousandths of its usual need.
    factor_milli: u32,
    /// gRPC requests since it started.
    streams: u64,
    crashes: u32,
    /// It does not run.
    pub(in crate::sim) down: bool,
    /// Its task began when the namespace was gone: no name of it resolves there.
    pub(in crate::sim) nameless: bool,
    /// It began when the control plane was away and has no list yet.
    pub(in crate::sim) cold: bool,
    /// The app starts behind it; not ready before this.
    pub(in crate::sim) ready_at: Time,
}

impl Proxy {
    const NEW: Proxy = Proxy {
        done_at: Time::ZERO,
        used: Span::ZERO,
        second_ends: Time::ZERO,
        busy_max_ppm: 0,
        factor_milli: 1000,
        streams: 0,
        crashes: 0,
        down: false,
        nameless: false,
        cold: false,
        ready_at: Time::ZERO,
    };

    /// Takes work of that length at its share; how long it has to wait.
    #[inline]
    fn take(&mut self, now: Time, work: Span) -> Span {
        if now >= self.second_ends {
            self.close_second();
            self.second_ends = now + SECOND;
        }
        self.used += work;
        self.done_at = self.done_at.max(now) + work;
        self.done_at.since(now).less(PERIOD)
    }

    /// Puts the second under way into the maximum.
    pub(in crate::sim) fn close_second(&mut self) {
        let ppm = (self.used.as_nanos() / 1_000).min(1_000_000) as u32;
        self.busy_max_ppm = self.busy_max_ppm.max(ppm);
        self.used = Span::ZERO;
    }
}

/// The proxies of a run, and what keeps calls from being made at all.
pub(in crate::sim) struct Proxies {
    /// By task.
    pub(in crate::sim) all: Vec<Proxy>,
    /// A request or an answer on its way through one proxy, as time of the proxy's share.
    half: Span,
    /// The same as time of a processor.
    half_alone: Span,
    /// gRPC requests that fill the memory of a proxy; `None` if it does not grow.
    fill: Option<u64>,
    /// By edge: the caller cannot resolve the callee's name, whatever happens.
    shut: Vec<bool>,
    /// How many proxies and edges bar calls; 0 nearly always, which is all that a call looks at.
    pub(in crate::sim) barred: u32,
}

impl Proxies {
    pub(in crate::sim) fn new(scenario: &Scenario, plane: &Plane) -> Proxies {
        let mut proxies = Proxies {
            all: Vec::new(),
            half: Span::ZERO,
            half_alone: Span::ZERO,
            fill: None,
            shut: vec![false; scenario.edges.len()],
            barred: 0,
        };
        let Some(sidecar) = plane.sidecar() else { return proxies };
        let half = sidecar.cpu_per_request.as_nanos() / 2;
        let share = u64::from(sidecar.cpu.as_millis()).max(1);
        proxies.half_alone = Span::from_nanos(half);
        proxies.half = Span::from_nanos((u128::from(half) * 1000 / u128::from(share)) as u64);
        let room = sidecar.memory.get().saturating_sub(sidecar.memory_base.get());
        proxies.fill = room.checked_div(sidecar.memory_growth.get()).map(|requests| requests + 1);
        for (shut, edge) in proxies.shut.iter_mut().zip(&scenario.edges) {
            let (from, to) = (scenario.service(edge.from), scenario.service(edge.to));
            let calls = from.service_connect != Enrolment::None;
            let reaches = calls && to.service_connect == Enrolment::ClientServer;
            *shut = !to.external && !reaches;
            proxies.barred += u32::from(*shut);
        }
        proxies
    }
}

impl World<'_> {
    /// A task gets its proxy, if the plane has proxies.
    pub(in crate::sim) fn new_proxy(&mut self, task: u32) {
        let mut proxy = Proxy::NEW;
        if self.sidecar().is_some() {
            // Names are written down when a task starts (aws.md 1.5).
            proxy.nameless = self.outage.namespace_deleted;
            proxy.cold = self.outage.push_frozen && !proxy.nameless;
            self.proxies.barred += u32::from(proxy.nameless);
        }
        debug_assert_eq!(self.proxies.all.len(), task as usize, "each task gets one, in order");
        self.proxies.all.push(proxy);
    }

    /// A request or an answer passes the proxy of a task: how much longer than usual that takes.
    #[inline]
    pub(in crate::sim) fn pass(&mut self, task: u32) -> Span {
        let now = self.engine.now();
        let proxy = &mut self.proxies.all[task as usize];
        if proxy.factor_milli == 1000 {
            let wait = proxy.take(now, self.proxies.half);
            if !wait.is_zero() {
                self.waited(task, wait);
            }
            return wait;
        }
        self.pass_slowly(task)
    }

    #[inline(never)]
    fn waited(&mut self, task: u32, wait: Span) {
        let service = self.tasks[task as usize].service;
        self.services[service as usize].queueing.sidecar_waited(wait);
    }

    #[inline(never)]
    fn pass_slowly(&mut self, task: u32) -> Span {
        let now = self.engine.now();
        let proxy = &mut self.proxies.all[task as usize];
        let times =
            |span: Span, milli: u32| Span::from_nanos((u128::from(span.as_nanos()) * u128::from(milli) / 1000) as u64);
        let work = times(self.proxies.half, proxy.factor_milli);
        // A slow proxy takes longer over each request, be it alone or not.
        let longer = times(self.proxies.half_alone, proxy.factor_milli.saturating_sub(1000));
        let wait = proxy.take(now, work);
        self.waited(task, wait);
        wait + longer
    }

    /// A request passes the proxy of a task on its way to the callee of that site.
    #[inline]
    pub(in crate::sim) fn pass_request(&mut self, task: u32, site: u32) -> Span {
        if self.proxies.fill.is_some() {
            self.fill_memory(task, site);
        }
        self.pass(task)
    }

    /// What a gRPC stream leaves behind in a proxy adds up to the end of its memory.
    #[inline(never)]
    fn fill_memory(&mut self, task: u32, site: u32) {
        let callee = self.scenario.edge(self.program.sites[site as usize].edge).to;
        if self.scenario.service(callee).protocol != Protocol::Grpc {
            return;
        }
        let proxy = &mut self.proxies.all[task as usize];
        proxy.streams += 1;
        if Some(proxy.streams) == self.proxies.fill {
            // Not at once: a router is in the middle of a call.
            self.engine.after(Span::ZERO, Ev::ProxyDies { task });
        }
    }

    /// Why a task cannot even begin a call on an edge by one of its routers, as the flag of a failed call. Asked only
    /// while something is barred.
    #[inline(never)]
    pub(in crate::sim) fn bar(&self, router: u32, edge: u32) -> Option<Flag> {
        let host = &self.routers[router as usize];
        if host.feed != Feed::Pushed {
            return None;
        }
        let proxy = &self.proxies.all[host.task as usize];
        if self.proxies.shut[edge as usize] || proxy.nameless {
            return Some(Flag::Df);
        }
        proxy.down.then_some(Flag::Uf)
    }

    /// A call that could not be begun: the app knows at once.
    pub(in crate::sim) fn refuse_call(&mut self, job: Ref<Job>, site: u32, flag: Flag) {
        let Some(state) = self.jobs.get(job) else { return };
        let spec = &self.program.sites[site as usize];
        let ending = Ending { latency: Span::ZERO, failed: true, attempts: 0, flags: Flags::NONE.with(flag) };
        let (edge, optional) = (spec.edge.0, spec.optional);
        self.recorder.call_done(state.segment, edge, self.engine.now(), ending);
        self.note(Note::NotCalled { job: job.into(), edge, flag });
        self.call_over(job, 0, optional);
    }

    /// The proxy of a task dies: its connections break, in and out; its agent starts it again.
    pub(in crate::sim) fn crash_sidecar(&mut self, task: u32) {
        let Some(plane) = self.sidecar() else { return };
        let service = self.tasks[task as usize].service;
        let gone = self.tasks[task as usize].phase == Phase::Gone;
        let proxy = &mut self.proxies.all[task as usize];
        if gone || proxy.down || self.scenario.service(ServiceId(service)).external {
            return;
        }
        proxy.down = true;
        proxy.crashes += 1;
        proxy.streams = 0;
        proxy.done_at = Time::ZERO;
        let finally = proxy.crashes > plane.restarts;
        self.proxies.barred += 1;
        self.log(HappeningKind::SidecarDown, NOBODY, task);
        if plane.inbound {
            self.break_inbound(task);
        }
        self.break_outbound(task);
        if finally {
            // The agent gives up and exits; its container is essential (aws.md 1.5).
            self.stop_task(task);
            self.engine.after(ecs::REPLACE_AFTER, Ev::Reconcile { service });
        } else {
            self.engine.after(plane.restart, Ev::ProxyBack { task });
        }
    }

    /// The connections that lead to a task through its proxy break; the app works on what it has.
    fn break_inbound(&mut self, task: u32) {
        let service = self.tasks[task as usize].service;
        let member = MemberKey(u64::from(task));
        for (at, attempt) in self.attempts_on(member, World::fronted) {
            self.break_attempt(at, attempt);
        }
        for router in self.services[service as usize].routers_in.clone() {
            if self.fronted(router) {
                self.tell_router(router, |router, cx| router.on_peer_gone(cx, member));
            }
        }
    }

    /// The attempts under way to a member, from routers of that kind.
    pub(in crate::sim) fn attempts_on(
        &self,
        member: MemberKey,
        from: impl Fn(&Self, u32) -> bool,
    ) -> Vec<(Ref<Call>, u8)> {
        let mut found = Vec::new();
        for (at, call) in self.calls.refs() {
            if !from(self, call.router) {
                continue;
            }
            for hop in call.older.iter().chain(std::iter::once(&call.hop)) {
                if hop.member == member && call.open_hop(hop.attempt).is_some() {
                    found.push((at, hop.attempt));
                }
            }
        }
        found
    }

    /// The calls of a task lose the proxy they went through, and with it all that it knew.
    fn break_outbound(&mut self, task: u32) {
        let twins = |router| [router, self.routers[router as usize].twin];
        let routers: Vec<u32> = self.pushed_routers(task).flat_map(twins).filter(|&router| router != NOBODY).collect();
        let dials: Vec<_> =
            self.dials.refs().filter(|(_, dial)| routers.contains(&dial.router)).map(|(at, _)| at).collect();
        for dial in dials {
            self.dials.remove(dial);
        }
        for &router in &routers {
            let host = &mut self.routers[router as usize];
            let config = std::sync::Arc::new(host.router.config().clone());
            host.router = Router::new(config);
            (host.version, host.neighbours) = (None, None);
            if let Some(since) = host.panic_since.take() {
                self.recorder.recording.panic_time += self.engine.now().since(since);
            }
            self.forget_missing(router);
        }
        let lost: Vec<Ref<Call>> =
            self.calls.refs().filter(|(_, call)| routers.contains(&call.router)).map(|(at, _)| at).collect();
        for at in lost {
            let Some(call) = self.calls.remove(at) else { continue };
            let now = self.engine.now();
            let ending = Ending {
                latency: now.since(call.started),
                failed: true,
                attempts: u32::from(call.flight.attempts()),
                flags: Flags::NONE.with(Flag::Uc),
            };
            self.recorder.call_done(call.segment, call.edge, now, ending);
            if let CallParent::Job(job) = call.parent {
                let optional = self.program.sites[call.site as usize].optional;
                self.call_over(job, 0, optional);
            }
        }
    }

    /// The routers that live in a task's proxy.
    pub(in crate::sim) fn pushed_routers(&self, task: u32) -> impl Iterator<Item = u32> + '_ {
        let routers = self.tasks[task as usize].routers.iter().copied();
        routers.filter(|&router| router != NOBODY && self.routers[router as usize].feed == Feed::Pushed)
    }

    /// The agent has started a proxy again. It asks for its lists anew.
    // ASSUMPTION(proxy.refetch): they take as long as a push.
    pub(in crate::sim) fn on_proxy_back(&mut self, task: u32) {
        if self.tasks[task as usize].phase == Phase::Gone {
            return;
        }
        self.proxies.all[task as usize].down = false;
        self.proxies.barred -= 1;
        self.log(HappeningKind::SidecarUp, NOBODY, task);
        self.send_latest(task);
    }

    /// The proxy of a task needs `factor_milli` thousandths of its usual processor time; 1000 is healthy.
    pub(in crate::sim) fn slow_sidecar(&mut self, task: u32, factor_milli: u32) {
        if self.sidecar().is_some() {
            self.proxies.all[task as usize].factor_milli = factor_milli;
        }
    }

    /// The busiest second of any proxy of a service, parts per million of its share.
    pub(in crate::sim) fn note_busiest_proxies(&mut self) {
        for (task, proxy) in self.tasks.iter().zip(&mut self.proxies.all) {
            proxy.close_second();
            let record = &mut self.recorder.recording.services[task.service as usize];
            record.sidecar_busy_max_ppm = record.sidecar_busy_max_ppm.max(proxy.busy_max_ppm);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_as_in_a_deterministic_queue_with_one_period_in_advance() {
        // Work of 400 us every 300 us: the n-th waits n work - (n - 1) gaps - a period, from the first that
        // is more than a period ahead on, which is the 998th.
        let (work, gap) = (Span::from_micros(400), 300_000);
        let mut proxy = Proxy::NEW;
        for n in 1..=5_000_u64 {
            let wait = proxy.take(Time::from_nanos((n - 1) * gap), work);
            let ahead = (n * 400_000).saturating_sub((n - 1) * gap);
            assert_eq!(wait.as_nanos(), ahead.saturating_sub(100_000_000), "{n}");
            assert_eq!(wait.is_zero(), n <= 997, "{n}");
        }
        // 3,334 of them begin in the first second: 1.33 times its share, which counts as all of it.
        assert_eq!(proxy.busy_max_ppm, 1_000_000);
        // It was 500.3 ms ahead then, and a second later it has nothing to do.
        let idle = Time::from_nanos(4_999 * gap) + Span::from_millis(1_000);
        assert_eq!(proxy.take(idle, work), Span::ZERO);
    }
}
