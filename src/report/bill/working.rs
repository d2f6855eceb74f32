//! What a figure of cost is made of: its lines, with formula and source, as people read them.
//!
//! *Knows* which lines belong to which figure. *Does not know* how a line came about.

use super::table::amount;
use super::table::dollars;
use crate::cost::Group;
use crate::cost::Line;
use crate::cost::PlaneBill;
use crate::cost::SidecarNeed;
use crate::report::figure::Place;
use crate::report::figure::Sheet;
use crate::scenario::CostFigure;
use crate::scenario::Metric;
use crate::scenario::Reading;
use crate::scenario::Scope;
use crate::scenario::cost::fargate::TaskSize;

/// Who says how large a sidecar must be.
const SIZING: &str = "ECS Developer Guide, service-connect-concepts-deploy; documented";

/// One line of the working.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// What is bought.
    pub item: String,
    /// What it costs, or how much of it there is.
    pub amount: String,
    /// How that was worked out.
    pub formula: String,
    /// Where the price or the rule comes from, and how sure that is.
    pub source: String,
}

/// The lines that a figure of cost is made of; empty for other metrics, and where the plane has no bill.
pub fn working(sheet: &Sheet<'_>, metric: Metric, place: Place) -> Vec<Step> {
    let plane = &sheet.bill().planes[place.plane];
    let step = |line: &Line| of_line(line, sheet.scenario.run.confidence);
    let group = |group: Group| plane.lines.iter().filter(|line| line.group == group).map(step).collect();
    let unit = |unit: &str| plane.lines.iter().filter(|line| line.unit == unit).map(step).collect();
    let figure = match metric {
        Metric::CostPerMonth => return plane.lines.iter().map(step).collect(),
        Metric::Cost(figure) => figure,
        _ => return Vec::new(),
    };
    match figure {
        CostFigure::PerTask if place.scope != Scope::Users => needs(sheet, plane, place.scope),
        CostFigure::Sidecar | CostFigure::PerTask => group(Group::Sidecar),
        CostFigure::LoadBalancer => group(Group::LoadBalancer),
        CostFigure::Discovery => group(Group::Discovery),
        CostFigure::CrossZone => group(Group::CrossZone),
        CostFigure::Tls => group(Group::Tls),
        CostFigure::Observability => group(Group::Observability),
        CostFigure::PrivateLink => group(Group::PrivateLink),
        CostFigure::Orphans => group(Group::Orphans),
        CostFigure::PerMillion => plane.lines.iter().map(step).collect(),
        CostFigure::Fits => by_reading(plane, Reading::Fits).iter().map(step).collect(),
        CostFigure::Exact | CostFigure::ExactCpu | CostFigure::ExactMemory => {
            by_reading(plane, Reading::Exact).iter().map(step).collect()
        }
        CostFigure::NextSize => by_reading(plane, Reading::NextSize).iter().map(step).collect(),
        CostFigure::SidecarCpu | CostFigure::SidecarMemory | CostFigure::CpuGrowth | CostFigure::TaskGrowth => {
            needs(sheet, plane, place.scope)
        }
        CostFigure::BreakEven => crossings(sheet, place.scope),
        CostFigure::Lcus => unit("LCU-hour"),
        CostFigure::Certificates => unit("certificate"),
    }
}

fn by_reading(plane: &PlaneBill, wanted: Reading) -> &[Line] {
    plane.readings.iter().find(|reading| reading.reading == wanted).map_or(&[], |reading| &reading.lines)
}

fn of_line(line: &Line, confidence: f64) -> Step {
    Step {
        item: line.item.clone(),
        amount: amount(&line.amount, confidence),
        formula: match line.amount.unknown() {
            Some(why) => format!("{} ({why})", line.formula),
            None => line.formula.clone(),
        },
        source: format!("{}; {}", line.source, line.confidence.name()),
    }
}

/// The sidecars of a service, or one line for all that need the same.
fn needs(sheet: &Sheet<'_>, plane: &PlaneBill, scope: Scope) -> Vec<Step> {
    let one = |(number, need): (usize, &SidecarNeed)| Step {
        item: format!("sidecar of {}", sheet.scenario.services[number].name),
        amount: TaskSize { cpu: need.cpu, memory: need.memory }.to_string(),
        formula: match (need.next, need.step, need.task) {
            (Some(next), Some(step), Some(task)) => {
                format!("{}; task {} at {} becomes {next}: {} more", need.why, need.now, dollars(task), dollars(step))
            }
            _ => format!("{}; task {}", need.why, need.now),
        },
        source: SIZING.to_owned(),
    };
    let wanted = |number: usize| match scope {
        Scope::Users => true,
        Scope::Service(service) => service.0 as usize == number,
        Scope::Edge(edge) => sheet.scenario.edge(edge).to.0 as usize == number,
    };
    let all = plane.sidecars.iter().enumerate().filter_map(|(number, need)| Some((number, need.as_ref()?)));
    all.filter(|(number, _)| wanted(*number)).map(one).collect()
}

/// What was divided by what.
fn crossings(sheet: &Sheet<'_>, scope: Scope) -> Vec<Step> {
    let bill = sheet.bill();
    let name = match scope {
        Scope::Users => None,
        Scope::Service(service) => Some(sheet.scenario.service(service).name.as_str()),
        Scope::Edge(edge) => Some(sheet.scenario.service(sheet.scenario.edge(edge).to).name.as_str()),
    };
    let of_scope = |at: &&crate::cost::BreakEven| at.service.as_deref() == name && at.reading == bill.weighed;
    let one = |at: &crate::cost::BreakEven| Step {
        item: format!("break-even against {}", at.against),
        amount: format!("{} tasks", at.tasks),
        formula: format!("{} / {} a task; {}", dollars(at.alb), dollars(at.per_task), at.note),
        source: "the lines above it".to_owned(),
    };
    bill.break_even.iter().filter(of_scope).map(one).collect()
}
