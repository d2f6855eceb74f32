//! How a client learns addresses from DNS.
//!
//! *Knows* look-ups, answers, caches. *Does not know* why a task is registered.
//!
//! Each client has a cache of its own, whose time runs from the answer: the VPC resolver's cache, which
//! would hand out what is left of a TTL, is not modelled, and neither is its limit of 1,024 packets a
//! second for one interface: a client asks once for all that wait for the same name.

use crate::measure::HappeningKind;
use crate::policy::Member;
use crate::policy::MemberKey;
use crate::policy::Router;
use crate::scenario::ResolverCache;
use crate::sim::random::Purpose;
use crate::sim::random::Sampler;
use crate::sim::record::NOBODY;
use crate::sim::slab::Ref;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Span;
use crate::units::Time;

impl World<'_> {
    /// A router asks DNS.
    pub(in crate::sim) fn look_up(&mut self, router: u32, call: Ref<crate::sim::call::Call>) {
        let Some(dns) = self.dns() else { return };
        let host = &mut self.routers[router as usize];
        host.lookups += 1;
        let nth = host.lookups;
        let mut delay = Span::ZERO;
        if self.engine.now() >= host.negative_until {
            let mut draw = self.seed.key(Purpose::Answer, u64::from(router)).draw(Purpose::Delay, nth);
            delay = Sampler::new(&dns.lookup).sample(&mut draw);
            delay += self.outage.dns_delay;
            self.recorder.recording.lookups += 1;
        }
        if self.faulting.impaired && !delay.is_zero() {
            delay += self.look_up_time(router, nth);
        }
        self.engine.after(delay, Ev::Resolved { router, call });
    }

    /// DNS shows a list from now on, unless it shows a newer one or its answers are frozen.
    pub(in crate::sim) fn on_dns_shows(&mut self, service: u32, version: u32) {
        let frozen = self.outage.dns_frozen;
        let path = usize::from(self.dns_path());
        let registry = &mut self.services[service as usize].registries[path];
        registry.due = registry.due.max(version);
        if !frozen {
            registry.shown = registry.due;
        }
    }

    /// A task is registered before it is known to be healthy.
    pub(in crate::sim) fn register_unproven(&mut self, task: u32) {
        let Some(dns) = self.dns() else { return };
        let mut draw = self.task_draw(Purpose::Answer, task);
        let shown = self.engine.now() + Sampler::new(&dns.record_lag).sample(&mut draw);
        let service = self.tasks[task as usize].service;
        let path = usize::from(self.dns_path());
        self.services[service as usize].registries[path].unproven.push((task, shown));
    }

    /// The records that there are to answer with: the healthy ones, and where there are none all that
    /// are registered (aws.md 2). A namespace that was deleted has none.
    pub(in crate::sim) fn records(&self, service: u32) -> Vec<Member> {
        if self.outage.namespace_deleted {
            return Vec::new();
        }
        let registry = &self.services[service as usize].registries[usize::from(self.dns_path())];
        let healthy = registry.versions[registry.shown as usize].members.to_vec();
        if !healthy.is_empty() || self.outage.dns_frozen {
            return healthy;
        }
        let now = self.engine.now();
        let known = registry.unproven.iter().filter(|&&(_, shown)| shown <= now);
        known
            .map(|&(task, _)| {
                let zone = self.tasks[task as usize].zone;
                Member { zone, ..Member::of(MemberKey(u64::from(task))) }
            })
            .collect()
    }

    /// The answer to a look-up: up to `max_answers` healthy records in random order.
    pub(in crate::sim) fn on_resolved(&mut self, router: u32, call: Ref<crate::sim::call::Call>) {
        let Some(dns) = self.dns() else { return };
        let now = self.engine.now();
        let host = &self.routers[router as usize];
        if host.dead {
            return;
        }
        if self.faulting.impaired && self.resolver_unreachable(router) {
            self.tell_router(router, Router::on_lookup_failed);
            return self.drive(call);
        }
        let host = &self.routers[router as usize];
        let (service, nth, by, known_absent) = (host.service, host.lookups, host.task, now < host.negative_until);
        if self.outage.dns_failing && !known_absent {
            // A server failure is not kept: the next connection asks again.
            self.tell_router(router, Router::on_lookup_failed);
            self.drive(call);
            return;
        }
        let mut list = if known_absent { Vec::new() } else { self.records(service) };
        if list.is_empty() {
            if !known_absent {
                self.routers[router as usize].negative_until = now + dns.negative_ttl;
            }
            self.tell_router(router, Router::on_lookup_failed);
        } else {
            let mut draw = self.seed.key(Purpose::Answer, u64::from(router)).draw(Purpose::Answer, nth);
            let answers = (dns.max_answers as usize).min(list.len());
            for i in 0..answers {
                let j = i + draw.below(list.len() - i);
                list.swap(i, j);
            }
            list.truncate(answers);
            let valid_for = match dns.resolver_cache {
                ResolverCache::Ttl => dns.ttl,
                ResolverCache::Forever => Span::MAX,
                ResolverCache::For(span) => span,
            };
            let now = self.engine.now();
            if now > Time::ZERO {
                self.log(HappeningKind::DnsAnswer, by, NOBODY);
            }
            self.tell_router(router, |router, cx| router.on_members(cx, &list, Some(valid_for)));
        }
        self.drive(call);
    }
}
