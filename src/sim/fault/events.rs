//! Faults that begin or end when something has happened.
//!
//! *Knows* how to count events of the log. *Does not know* what made them.

use crate::measure::Happening;
use crate::scenario::Awaited;
use crate::scenario::When;
use crate::sim::record::NOBODY;
use crate::sim::world::Ev;
use crate::sim::world::World;
use crate::units::Span;

impl World<'_> {
    /// Counts what was just logged.
    pub(in crate::sim) fn on_heard(&mut self) {
        let now = self.engine.now();
        let mut heard = std::mem::take(&mut self.recorder.heard);
        for happening in heard.drain(..) {
            for fault in 0..self.faults.len() {
                let spec = &self.scenario.faults[fault];
                if let When::After { event, wait, .. } = spec.when
                    && self.faults[fault].heard < event.count
                    && self.is_awaited(&event, &happening)
                {
                    self.faults[fault].heard += 1;
                    if self.faults[fault].heard == event.count {
                        self.faults_to_come += 1;
                        self.engine.after(wait, Ev::FaultOn { fault: fault as u32 });
                    }
                }
                if let Some(event) = spec.how.stop_when
                    && self.faults[fault].on
                    && self.is_awaited(&event, &happening)
                {
                    self.faults[fault].heard_since += 1;
                    if self.faults[fault].heard_since == event.count {
                        self.faults[fault].until = now;
                        self.engine.after(Span::ZERO, Ev::FaultOff { fault: fault as u32 });
                    }
                }
            }
        }
        if self.recorder.heard.is_empty() {
            // Its room serves again.
            self.recorder.heard = heard;
        }
    }

    fn is_awaited(&self, event: &Awaited, happening: &Happening) -> bool {
        let of = |task: u32| (task != NOBODY).then(|| &self.tasks[task as usize]);
        event.event == happening.kind.name()
            && event.service.is_none_or(|service| of(happening.task).is_some_and(|task| task.service == service.0))
            && event.by.is_none_or(|service| of(happening.by).is_some_and(|task| task.service == service.0))
            && event.task.is_none_or(|(service, number)| {
                of(happening.task).is_some_and(|task| task.service == service.0 && task.number == number)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::HappeningKind;

    #[test]
    fn every_event_of_the_log_can_be_waited_for() {
        let kinds = [
            HappeningKind::Ejected,
            HappeningKind::Unejected,
            HappeningKind::PanicOn,
            HappeningKind::PanicOff,
            HappeningKind::Unhealthy,
            HappeningKind::Healthy,
            HappeningKind::Withdrawn,
            HappeningKind::Deregistered,
            HappeningKind::TaskStarted,
            HappeningKind::TaskReady,
            HappeningKind::Sigterm,
            HappeningKind::Sigkill,
            HappeningKind::TaskStopped,
            HappeningKind::DnsAnswer,
            HappeningKind::DeployStep,
            HappeningKind::FaultOn,
            HappeningKind::FaultOff,
        ];
        assert_eq!(kinds.map(HappeningKind::name), Awaited::EVENTS);
    }
}
