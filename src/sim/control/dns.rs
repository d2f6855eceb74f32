//! How a client learns addresses from DNS.
//!
//! *Knows* look-ups, answers, caches. *Does not know* what is registered.

use crate::measure::HappeningKind;
use crate::policy::Router;
use crate::scenario::Mechanism;
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
        let Mechanism::Dns(dns) = &self.plane.mechanism else { return };
        let host = &mut self.routers[router as usize];
        host.lookups += 1;
        let nth = host.lookups;
        let mut delay = Span::ZERO;
        if self.engine.now() >= host.negative_until {
            let mut draw = self.seed.key(Purpose::Answer, u64::from(router)).draw(Purpose::Delay, nth);
            delay = Sampler::new(&dns.lookup).sample(&mut draw);
            self.recorder.recording.lookups += 1;
        }
        if self.faulting.impaired && !delay.is_zero() {
            delay += self.look_up_time(router, nth);
        }
        self.engine.after(delay, Ev::Resolved { router, call });
    }

    /// The answer to a look-up: up to `max_answers` healthy records in random order.
    pub(in crate::sim) fn on_resolved(&mut self, router: u32, call: Ref<crate::sim::call::Call>) {
        let Mechanism::Dns(dns) = &self.plane.mechanism else { return };
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
        let registry = &self.services[service as usize].registry;
        let mut list =
            if known_absent { Vec::new() } else { registry.versions[registry.shown as usize].members.to_vec() };
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
