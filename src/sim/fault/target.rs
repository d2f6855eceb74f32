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
        match &self.scenario.faults[fault as usize].target {
            Target::Task(service, number) => self.services[service.0 as usize]
                .tasks
                .iter()
                .copied()
                .filter(|&task| self.tasks[task as usize].number == *number)
                .collect(),
            Target::AnyTask(service) => {
                let tasks: Vec<u32> = self.services[service.0 as usize].tasks.iter().copied().filter(there).collect();
                let times = self.faults[fault as usize].times;
                let mut draw = self.seed.key(Purpose::Target, u64::from(fault)).draw(Purpose::Target, u64::from(times));
                if tasks.is_empty() { tasks } else { vec![tasks[draw.below(tasks.len())]] }
            }
            Target::Share(service, share) => {
                let tasks: Vec<u32> = self.services[service.0 as usize].tasks.iter().copied().filter(there).collect();
                let count = (tasks.len() as u64 * u64::from(share.as_ppm())).div_ceil(1_000_000);
                tasks.into_iter().take(count as usize).collect()
            }
            Target::Service(service) => self.services[service.0 as usize].tasks.iter().copied().filter(there).collect(),
            Target::Zone(zone) => (0..self.tasks.len() as u32)
                .filter(|task| there(task) && self.tasks[*task as usize].zone == *zone)
                .collect(),
            Target::Edge(_) => Vec::new(),
        }
    }

    /// A task that starts while a fault of its whole service or zone is on has it too.
    pub(in crate::sim) fn trouble_newcomer(&mut self, task: u32) {
        let mut hit = false;
        for (fault, spec) in self.faults.iter_mut().zip(&self.scenario.faults) {
            let aimed = match &spec.target {
                Target::Service(service) => service.0 == self.tasks[task as usize].service,
                Target::Zone(zone) => *zone == self.tasks[task as usize].zone,
                _ => false,
            };
            if fault.on && aimed && !Self::is_stroke(&spec.kind) {
                fault.tasks.push(task);
                hit = true;
            }
        }
        if hit {
            self.refresh_trouble();
        }
    }
}
