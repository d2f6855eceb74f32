//! The three readings side by side.
//!
//! *Knows* their sums and what must be said with them. *Does not know* how a line comes about.

use super::Fleet;
use super::mean;
use crate::cost::amount::Amount;
use crate::cost::amount::plain;
use crate::cost::lines::Line;
use crate::scenario::LaunchType;
use crate::scenario::Reading;
use crate::units::Money;

/// What all sidecars of a plane cost by one reading.
#[derive(Clone, PartialEq, Debug)]
pub struct ReadingBill {
    /// Which.
    pub reading: Reading,
    /// In words.
    pub label: String,
    /// Dollars a month per task, the mean where tasks differ; `None` where a price is missing.
    pub per_task: Option<Money>,
    /// Dollars a month for all.
    pub per_month: Amount,
    /// What must be said with it.
    pub note: String,
    /// What adds up to it.
    pub lines: Vec<Line>,
}

impl Fleet<'_> {
    /// All three, cheapest first.
    pub(in crate::cost) fn readings(&self) -> Vec<ReadingBill> {
        Reading::ALL.into_iter().map(|reading| self.reading(reading)).collect()
    }

    fn reading(&self, reading: Reading) -> ReadingBill {
        let lines = self.lines(reading);
        let per_month: Amount = lines.iter().map(|line| &line.amount).sum();
        let kinds = self.alike();
        let thousandths: u64 = kinds.iter().map(|kind| kind.tasks.iter().sum::<u64>() / kind.tasks.len() as u64).sum();
        let per_task = match reading {
            Reading::Fits => Some(Money::ZERO),
            _ if per_month.unknown().is_some() || thousandths == 0 => None,
            _ => per_month.spread(0.95).map(|spread| spread.mean.part(1_000, u128::from(thousandths))),
        };
        ReadingBill { reading, label: self.label(reading), per_task, per_month, note: self.note(reading), lines }
    }

    fn label(&self, reading: Reading) -> String {
        let kinds = self.alike();
        match (reading, self.cost.launch_type) {
            (Reading::Fits, _) => "it fits in today's head-room".to_owned(),
            (Reading::Exact, LaunchType::Ec2) => "its share of an instance".to_owned(),
            (Reading::NextSize, LaunchType::Ec2) => "the instances that it takes more".to_owned(),
            (Reading::Exact, _) => match &kinds[..] {
                [kind] => {
                    format!("exact addition ({}, {})", kind.cpu, crate::scenario::cost::fargate::memory(kind.memory))
                }
                _ => "exact addition".to_owned(),
            },
            (Reading::NextSize, _) => match &kinds[..] {
                [kind] => match kind.next {
                    Some(next) => format!("next size on sale ({next})"),
                    None => "next size on sale (there is none)".to_owned(),
                },
                _ => "next size on sale".to_owned(),
            },
        }
    }

    fn note(&self, reading: Reading) -> String {
        let kinds = self.alike();
        match reading {
            Reading::Fits => {
                let of =
                    |fits: Option<bool>| kinds.iter().filter(|k| k.fits == fits).map(|k| mean(&k.tasks)).sum::<f64>();
                let (yes, no, open) = (of(Some(true)), of(Some(false)), of(None));
                let all = plain(yes + no + open);
                let what = match self.cost.measured_cpu {
                    Some(share) => format!("measured CPU {share}"),
                    None => "by the busiest simulated second".to_owned(),
                };
                match (open > 0.0, no > 0.0) {
                    (true, _) => format!("{} of {all} tasks have no measured CPU: [cost] measured_cpu", plain(open)),
                    (false, true) => {
                        format!("{} of {all} tasks have room, {what}; the others take the next size", plain(yes))
                    }
                    (false, false) => format!("all {all} tasks have room, {what}"),
                }
            }
            Reading::Exact if self.cost.launch_type == LaunchType::Ec2 => {
                "what it reserves; idle CPU costs nothing".to_owned()
            }
            Reading::Exact => "what articles quote; Fargate sells no such size".to_owned(),
            Reading::NextSize => {
                let steps: Vec<Money> = kinds.iter().filter_map(|kind| kind.step).collect();
                match (steps.iter().min(), steps.iter().max()) {
                    (Some(least), Some(most)) if least != most => {
                        format!("from ${} to ${} a task; what the bill shows", least.rounded(2), most.rounded(2))
                    }
                    _ => "what the bill shows".to_owned(),
                }
            }
        }
    }
}
