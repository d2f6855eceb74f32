//! Single figures of a bill, for expectations and claims.
//!
//! *Knows* where each stands in a bill. *Does not know* how it is judged.

use super::Amount;
use super::Bill;
use super::Group;
use super::PlaneBill;
use super::SidecarNeed;
use crate::scenario::CostFigure;
use crate::scenario::Reading;
use crate::scenario::ServiceId;
use crate::units::Money;

/// A figure of one plane, `None` being the whole month: by replication, or one value where nothing varies.
///
/// # Errors
/// What is not known, in words.
pub fn figure(
    bill: &Bill,
    plane: usize,
    figure: Option<CostFigure>,
    service: Option<ServiceId>,
) -> Result<Vec<f64>, String> {
    let of = &bill.planes[plane];
    if let Some(reason) = &of.not_applicable {
        return Err(format!("{} is not applicable: {reason}", of.name));
    }
    let Some(figure) = figure else { return dollars(&of.total) };
    let reading = |wanted| match of.readings.iter().find(|reading| reading.reading == wanted) {
        Some(reading) => dollars(&reading.per_month),
        None => Err(format!("{} has no sidecars", of.name)),
    };
    match figure {
        CostFigure::Sidecar => dollars(&of.of_group(Group::Sidecar)),
        CostFigure::LoadBalancer => dollars(&of.of_group(Group::LoadBalancer)),
        CostFigure::Discovery => dollars(&of.of_group(Group::Discovery)),
        CostFigure::CrossZone => dollars(&of.of_group(Group::CrossZone)),
        CostFigure::Tls => dollars(&of.of_group(Group::Tls)),
        CostFigure::Observability => dollars(&of.of_group(Group::Observability)),
        CostFigure::PrivateLink => dollars(&of.of_group(Group::PrivateLink)),
        CostFigure::Orphans => dollars(&of.of_group(Group::Orphans)),
        CostFigure::Fits => reading(Reading::Fits),
        CostFigure::Exact => reading(Reading::Exact),
        CostFigure::NextSize => reading(Reading::NextSize),
        CostFigure::ExactCpu => exact(of, true),
        CostFigure::ExactMemory => exact(of, false),
        CostFigure::PerTask => per_task(of, bill.sizes, service),
        CostFigure::PerMillion => match of.per_million_good() {
            Some(money) if of.total.unknown().is_none() => Ok(vec![money.as_f64()]),
            _ => Err(why(&of.total, "no request was answered")),
        },
        CostFigure::SidecarCpu => most(of, service, |need| Some(f64::from(need.cpu.as_millis()) / 1e3)),
        CostFigure::SidecarMemory => most(of, service, |need| Some((need.memory.get() >> 20) as f64)),
        CostFigure::CpuGrowth => {
            most(of, service, |need| Some(f64::from(need.cpu.as_millis()) / f64::from(need.now.cpu.as_millis().max(1))))
        }
        CostFigure::TaskGrowth => most(of, service, |need| Some(need.step?.as_f64() / need.task?.as_f64())),
        CostFigure::BreakEven => {
            let name = service.map(|service| bill.services[service.0 as usize].as_str());
            let found = bill
                .break_even
                .iter()
                .find(|at| at.service.as_deref() == name && (name.is_some() || at.reading == bill.weighed));
            found.map(|at| vec![at.tasks.tasks()]).ok_or_else(|| "there is no break-even".to_owned())
        }
        CostFigure::Lcus => of.lcus.map(|lcus| vec![lcus]).ok_or_else(|| format!("{} has no LCUs", of.name)),
        CostFigure::Certificates => {
            let line = of.lines.iter().find(|line| line.group == Group::Tls && line.unit == "certificate");
            Ok(vec![line.and_then(|line| line.quantity).unwrap_or(0.0)])
        }
    }
}

fn dollars(amount: &Amount) -> Result<Vec<f64>, String> {
    match amount.unknown() {
        Some(why) => Err(format!("not known in full: {why}")),
        None => Ok(amount.known().iter().map(|money| money.as_f64()).collect()),
    }
}

fn why(amount: &Amount, otherwise: &str) -> String {
    amount.unknown().map_or_else(|| otherwise.to_owned(), |why| format!("not known in full: {why}"))
}

/// CPU or memory of the exact reading.
fn exact(of: &PlaneBill, cpu: bool) -> Result<Vec<f64>, String> {
    let parts = of.sidecars.iter().flatten().map(|need| {
        let one = if cpu { need.exact_cpu? } else { need.exact? - need.exact_cpu? };
        let tasks = need.tasks.iter().sum::<u64>() / need.tasks.len() as u64;
        Some(one.part(u128::from(tasks), 1_000))
    });
    let sum: Option<Money> = parts.sum();
    match sum {
        Some(sum) if of.sidecars.iter().any(Option::is_some) => Ok(vec![sum.as_f64()]),
        Some(_) => Err(format!("{} has no sidecars", of.name)),
        None => Err("the sidecars' own CPU and memory have no price".to_owned()),
    }
}

fn per_task(of: &PlaneBill, reading: Reading, service: Option<ServiceId>) -> Result<Vec<f64>, String> {
    if service.is_some() {
        return most(of, service, |need| Some(need.per_task(reading)?.as_f64()));
    }
    let found = of.readings.iter().find(|one| one.reading == reading).and_then(|one| one.per_task);
    found.map(|money| vec![money.as_f64()]).ok_or_else(|| format!("{} has no price per sidecar", of.name))
}

/// The largest over the services, or that of the one in scope.
fn most(
    of: &PlaneBill,
    service: Option<ServiceId>,
    figure: impl Fn(&SidecarNeed) -> Option<f64>,
) -> Result<Vec<f64>, String> {
    let picked = of.sidecars.iter().enumerate().filter(|(number, _)| service.is_none_or(|s| s.0 as usize == *number));
    let values: Vec<f64> = picked.filter_map(|(_, need)| figure(need.as_ref()?)).collect();
    match values.into_iter().reduce(f64::max) {
        Some(most) => Ok(vec![most]),
        None => Err(format!("{} has no sidecar there, or no price for it", of.name)),
    }
}
