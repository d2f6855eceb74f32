//! Whom a fault hits.
//!
//! *Knows* targets, and that newcomers of a hit service or zone are hit too.

use crate::scenario::Target;
use crate::sim::life::Phase;
use crate::sim::random::Purpose;
use crate::sim::world::World;

impl World<'_> {
    /// The tasks a fault is aimed at, now.
    pub(in crate::sim) fn targets(&self, fault: u32) -> Vec<u32> {
        let there = |task: &u32| {
            let state = &self.tasks[*task as usize];
            !state.leaving && state.phase != Phase::Gone
        };
        let of = |service: u32| -> Vec<u32> {
            self.services[service as usize].tasks.iter().copied().filter(there).collect()
        };
        let draw = || {
            let times = self.faults[fault as usize].times;
            self.seed.key(Purpose::Target, u64::from(fault)).draw(Purpose::Target, u64::from(times))
        };
        match &self.scenario.faults[fault as usize].target {
            Target::Task(service, number) => self.services[service.0 as usize]
                .tasks
                .iter()
                .copied()
                .filter(|&task| self.tasks[task as usize].number == *number)
                .collect(),
            Target::AnyTask(service) => {
                let tasks = of(service.0);
                if tasks.is_empty() { tasks } else { vec![tasks[draw().below(tasks.len())]] }
            }
            Target::Count(service, count) => {
                let mut tasks = of(service.0);
                let mut draw = draw();
                let count = (*count as usize).min(tasks.len());
                for i in 0..count {
                    let j = i + draw.below(tasks.len() - i);
                    tasks.swap(i, j);
                }
                tasks.truncate(count);
                tasks.sort_unstable();
                tasks
            }
            Target::Share(service, share) => {
                let tasks = of(service.0);
                let count = (tasks.len() as u64 * u64::from(share.as_ppm())).div_ceil(1_000_000);
                tasks.into_iter().take(count as usize).collect()
            }
            Target::Service(service) => of(service.0),
            Target::Zone(zone) => (0..self.tasks.len() as u32)
                .filter(|task| there(task) && self.tasks[*task as usize].zone == *zone)
                .collect(),
            Target::Edge(_) | Target::Resolver | Target::ControlPlane => Vec::new(),
        }
    }

    /// A task that starts while a fault of its whole service or zone is on has it too.
    pub(in crate::sim) fn trouble_newcomer(&mut self, task: u32) {
        let mut hit = false;
        for fault in 0..self.faults.len() {
            let spec = &self.scenario.faults[fault];
            let aimed = match &spec.target {
                Target::Service(service) => service.0 == self.tasks[task as usize].service,
                Target::Zone(zone) => *zone == self.tasks[task as usize].zone,
                _ => false,
            };
            if self.faults[fault].on && aimed && !spec.kind.is_stroke() {
                self.faults[fault].tasks.push(task);
                self.strike_newcomer(fault as u32, task);
                hit = true;
            }
        }
        if hit {
            self.refresh_trouble();
        }
    }
}
