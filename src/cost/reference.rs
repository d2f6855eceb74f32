//! What could be bought instead: VPC Lattice, and a PrivateLink endpoint for each service.
//!
//! *Knows* their prices by service, byte and request. *Does not know* how they would behave: no plane simulates them, and
//! no sum has these lines.

use super::amount::Amount;
use super::lines::Group;
use super::lines::Line;
use super::lines::Shape;
use super::lines::counted;
use super::lines::fixed;
use super::month::Month;
use super::month::called;
use crate::measure::EdgeUse;
use crate::measure::study::Replica;
use crate::measure::study::Study;
use crate::scenario::PriceItem;
use crate::scenario::Scenario;
use crate::scenario::ServiceId;

/// Requests an hour and service that Lattice takes without a fee.
const LATTICE_FREE: u128 = 300_000;

/// Something that could be bought instead.
#[derive(Clone, PartialEq, Debug)]
pub struct Reference {
    /// Its name.
    pub name: &'static str,
    /// What it would cost.
    pub lines: Vec<Line>,
    /// What is not in the lines.
    pub note: &'static str,
}

impl Reference {
    /// The sum of its lines.
    pub fn total(&self) -> Amount {
        self.lines.iter().map(|line| &line.amount).sum()
    }
}

/// Both, with the traffic of the first plane that was simulated.
pub(super) fn of(scenario: &Scenario, study: Option<&Study>) -> Vec<Reference> {
    let services: Vec<ServiceId> = called(scenario).collect();
    let Some(plane) = scenario.planes.iter().position(|plane| plane.not_applicable.is_none()) else {
        return Vec::new();
    };
    if services.is_empty() {
        return Vec::new();
    }
    let (cost, month, group) = (&scenario.cost, Month::of(scenario, study, plane), Group::Reference);
    let (request, response) = (cost.message.request.get(), cost.message.response.get());
    let both = |figure: &dyn Fn(&EdgeUse) -> u128, replica: &Replica, service: ServiceId| {
        (0..2).map(|path| month.leading_to(replica, service, path, figure)).sum::<u128>()
    };
    let bytes = month.count(|replica| {
        services.iter().map(|&service| both(&|edge| edge.first.total(request, response), replica, service)).sum()
    });
    let free = LATTICE_FREE * u128::from(cost.hours);
    let paid: Vec<_> = services
        .iter()
        .map(|&service| {
            month.count(|replica| both(&|edge| u128::from(edge.first.requests), replica, service)).above(free)
        })
        .collect();
    let count = services.len() as u64;
    let gb = |because| Shape { per: 1 << 30, times: 1, unit: "GB", because };
    let shape =
        Shape { per: 1_000_000, times: 1, unit: "million requests", because: ", past 300,000 an hour and service" };
    let lattice = vec![
        fixed(cost, group, "Lattice services", PriceItem::LatticeServiceHour, (count, "services"), cost.hours),
        counted(cost, group, "Lattice bytes", PriceItem::LatticeGb, &bytes, gb("")),
        counted(
            cost,
            group,
            "Lattice requests",
            PriceItem::LatticeRequests,
            &super::month::Counted::total(&paid),
            shape,
        ),
    ];
    let zones = scenario.zones.len() as u64;
    let private_link = vec![
        fixed(
            cost,
            group,
            "interface endpoints",
            PriceItem::PrivateLinkHour,
            (count * zones, "endpoint zones"),
            cost.hours,
        ),
        counted(
            cost,
            group,
            "PrivateLink bytes",
            PriceItem::PrivateLinkGb,
            &bytes,
            gb(", at the price of the first petabyte"),
        ),
    ];
    vec![
        Reference { name: "vpc-lattice", lines: lattice, note: "no plane simulates it" },
        Reference { name: "privatelink", lines: private_link, note: "without the NLB in front of each service" },
    ]
}
