//! A line of a bill, and how one comes about.
//!
//! *Knows* prices, and that a missing one makes a line unknown. *Does not know* any particular item.

use super::amount::Amount;
use super::amount::plain;
use super::month::Counted;
use crate::scenario::Confidence;
use crate::scenario::Cost;
use crate::scenario::Price;
use crate::scenario::PriceItem;
use crate::units::Money;

/// What a line is part of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Group {
    /// CPU and memory of proxies.
    Sidecar,
    /// ALB hours and LCUs.
    LoadBalancer,
    /// Cloud Map and Route 53.
    Discovery,
    /// Bytes between zones.
    CrossZone,
    /// CA, certificates, secrets.
    Tls,
    /// Logs and metrics.
    Observability,
    /// PrivateLink.
    PrivateLink,
    /// What a teardown left behind.
    Orphans,
    /// Lines that are in no plane's sum.
    Reference,
}

impl Group {
    /// Those of a plane's bill.
    pub const ALL: [Group; 8] = [
        Group::Sidecar,
        Group::LoadBalancer,
        Group::Discovery,
        Group::CrossZone,
        Group::Tls,
        Group::Observability,
        Group::PrivateLink,
        Group::Orphans,
    ];

    /// The word in result files.
    pub const fn name(self) -> &'static str {
        match self {
            Group::Sidecar => "sidecar",
            Group::LoadBalancer => "load_balancer",
            Group::Discovery => "discovery",
            Group::CrossZone => "cross_zone",
            Group::Tls => "tls",
            Group::Observability => "observability",
            Group::PrivateLink => "private_link",
            Group::Orphans => "orphans",
            Group::Reference => "reference",
        }
    }
}

/// One line.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    /// What it is part of.
    pub group: Group,
    /// What is bought.
    pub item: String,
    /// How much of it a month, mean over replications; `None` where it is not known.
    pub quantity: Option<f64>,
    /// Of what.
    pub unit: String,
    /// The price of one; `None` where nobody gave one for the region, or several are mixed.
    pub unit_price: Option<Money>,
    /// What it costs.
    pub amount: Amount,
    /// How that was worked out.
    pub formula: String,
    /// Where the price comes from, and of when.
    pub source: String,
    /// How sure that is; the least sure, where several prices meet.
    pub confidence: Confidence,
}

/// Who said so, and when.
pub(super) fn source(price: &Price) -> String {
    match (price.source.is_empty(), price.date.is_empty()) {
        (false, false) => format!("{} ({})", price.source, price.date),
        (false, true) => price.source.to_string(),
        (true, false) => format!("unnamed ({})", price.date),
        (true, true) => "unnamed".to_owned(),
    }
}

/// Where a price is missing: what to say.
pub(super) fn no_price(cost: &Cost, item: PriceItem) -> String {
    let (group, key, _) = item.key();
    format!("no price {group}.{key} for {}; a price_file can give one", cost.prices.region)
}

/// `$0.04048`.
pub(super) fn dollars(money: Money) -> String {
    format!("${money}")
}

/// Begins a line with what its price says.
pub(super) fn begun(cost: &Cost, group: Group, item: &str, priced: PriceItem, unit: &str) -> Line {
    let price = cost.prices.get(priced);
    Line {
        group,
        item: item.to_owned(),
        quantity: None,
        unit: unit.to_owned(),
        unit_price: price.map(|price| price.amount),
        amount: Amount::Unknown(no_price(cost, priced)),
        formula: String::new(),
        source: price.map_or_else(|| "none".to_owned(), source),
        confidence: price.map_or(Confidence::Guess, |price| price.confidence),
    }
}

/// A line for a number of things known beforehand, each for `hours` (1 for a monthly fee).
pub(super) fn fixed(cost: &Cost, group: Group, item: &str, priced: PriceItem, things: (u64, &str), hours: u64) -> Line {
    let (count, what) = things;
    let per = priced.key().2;
    let mut line = begun(cost, group, item, priced, per);
    line.quantity = Some(count as f64 * hours as f64);
    let times = if hours == 1 { String::new() } else { format!(" × {hours} h") };
    let shown = line.unit_price.map_or_else(|| "?".to_owned(), dollars);
    // "1 service"; what is counted begins with the plural.
    let what = match what.split_once(' ') {
        _ if count != 1 => what.to_owned(),
        Some((first, rest)) => format!("{} {rest}", first.strip_suffix('s').unwrap_or(first)),
        None => what.strip_suffix('s').unwrap_or(what).to_owned(),
    };
    line.formula = format!("{count} {what}{times} × {shown}");
    if let Some(price) = line.unit_price {
        line.amount = Amount::Fixed(price.times(count).times(hours));
    }
    line
}

/// A line for what was counted, `per` of it making one of the priced unit; `times` says how often each is paid for.
pub(super) fn counted(
    cost: &Cost,
    group: Group,
    item: &str,
    priced: PriceItem,
    counts: &Counted,
    shape: Shape<'_>,
) -> Line {
    let mut line = begun(cost, group, item, priced, shape.unit);
    let shown = line.unit_price.map_or_else(|| "?".to_owned(), dollars);
    let times = if shape.times == 1 { String::new() } else { format!(" × {}", shape.times) };
    line.quantity = counts.mean(shape.per).map(|mean| mean * shape.times as f64);
    let quantity = counts.mean(shape.per).map_or_else(|| "?".to_owned(), plain);
    line.formula = format!("{quantity} {}{times} × {shown}{}", shape.unit, shape.because);
    line.amount = match (line.unit_price, counts.is_known()) {
        (Some(price), _) if price.is_zero() => Amount::Fixed(Money::ZERO),
        (Some(price), true) => Amount::Each(counts.priced(price, shape.times, shape.per)),
        (Some(_), false) => Amount::Unknown("depends on use, and nothing was simulated".to_owned()),
        (None, _) => line.amount,
    };
    line
}

/// How counts become a quantity.
#[derive(Clone, Copy)]
pub(super) struct Shape<'a> {
    /// Counts in one of the priced unit.
    pub(super) per: u128,
    /// How often each is paid for.
    pub(super) times: u128,
    /// The unit.
    pub(super) unit: &'a str,
    /// Behind the formula.
    pub(super) because: &'a str,
}
