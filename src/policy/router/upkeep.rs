//! Housekeeping: timers, and what the driver has to do for the router.

use super::Cx;
use super::Router;
use super::Time;
use super::Upkeep;

impl Router {
    /// The earliest instant at which [`Router::poll_upkeep`] has something to do by itself.
    #[inline]
    pub fn upkeep_due(&self) -> Time {
        let mut due = self.probe_due.min(self.pool.sweep_due);
        if let Some(outlier) = &self.outlier {
            due = due.min(outlier.tick_due);
        }
        due.min(self.members.merge_due()).min(self.balancer.due())
    }

    /// The next thing to do; the driver asks until `None`.
    #[inline]
    pub fn poll_upkeep(&mut self, cx: &mut Cx<'_>) -> Option<Upkeep> {
        if cx.now >= self.upkeep_due() {
            self.run_timers(cx);
        }
        self.upkeep.pop_front()
    }

    pub(super) fn run_timers(&mut self, cx: &mut Cx<'_>) {
        if let Some(outlier) = &mut self.outlier
            && cx.now >= outlier.tick_due
        {
            outlier.sweep(cx, &mut self.members);
            for &slot in &outlier.taken_out {
                self.pool.drain_endpoint(slot, &mut self.members, &mut self.upkeep);
            }
        }
        if cx.now >= self.members.merge_due() {
            self.members.deliver_due(cx);
        }
        self.balancer.refresh(cx, &self.members);
        if cx.now >= self.balancer.due() {
            self.balancer.reweigh(cx.now, &self.members);
        }
        if cx.now >= self.pool.sweep_due {
            self.pool.sweep(cx.now, &mut self.members, &mut self.upkeep);
        }
        if cx.now >= self.probe_due {
            self.start_probes(cx);
        }
    }

    pub(super) fn start_probes(&mut self, cx: &mut Cx<'_>) {
        let Some(probing) = self.config.health_check else { return };
        for i in 0..self.members.listed.len() {
            let slot = self.members.listed[i];
            let endpoint = self.members.id(slot);
            let member = self.members.key(slot);
            let state = &mut self.members.slots[slot as usize];
            if state.probe.next <= cx.now {
                state.probe.next = cx.now + probing.interval;
                self.upkeep.push_back(Upkeep::Probe { endpoint, member, give_up_at: cx.now + probing.timeout });
            }
        }
        self.find_next_probe();
    }

    pub(super) fn find_next_probe(&mut self) {
        let slots = &self.members.slots;
        let next = self.members.listed.iter().map(|&slot| slots[slot as usize].probe.next).min();
        self.probe_due = next.unwrap_or(Time::NEVER);
    }
}
