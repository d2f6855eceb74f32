//! Files of prices: those that come with scsim, and the user's on top.
//!
//! *Knows* how a price is written, and what it is one of. *Does not know* what is bought. Both kinds of file have one
//! shape and one reader. Invariant: a price that a region's file lacks is absent; no other region's stands in.

use std::sync::Arc;
use std::sync::OnceLock;

use crate::diagnostic::Source;
use crate::scenario::Confidence;
use crate::scenario::Instance;
use crate::scenario::Price;
use crate::scenario::PriceBook;
use crate::scenario::PriceItem;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree;
use crate::scenario::tree::Node;
use crate::scenario::tree::Place;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::scenario::vocabulary::Form;
use crate::scenario::watch;
use crate::units::Money;

/// The regions that scsim has prices for, with their files.
const REGIONS: [(&str, &str); 13] = [
    ("us-east-1", include_str!("prices/us-east-1.toml")),
    ("us-east-2", include_str!("prices/us-east-2.toml")),
    ("us-west-2", include_str!("prices/us-west-2.toml")),
    ("eu-west-1", include_str!("prices/eu-west-1.toml")),
    ("eu-west-2", include_str!("prices/eu-west-2.toml")),
    ("eu-central-1", include_str!("prices/eu-central-1.toml")),
    ("ap-northeast-1", include_str!("prices/ap-northeast-1.toml")),
    ("ap-northeast-2", include_str!("prices/ap-northeast-2.toml")),
    ("ap-southeast-1", include_str!("prices/ap-southeast-1.toml")),
    ("ap-southeast-2", include_str!("prices/ap-southeast-2.toml")),
    ("ap-south-1", include_str!("prices/ap-south-1.toml")),
    ("ca-central-1", include_str!("prices/ca-central-1.toml")),
    ("sa-east-1", include_str!("prices/sa-east-1.toml")),
];

/// What is the same in every region.
const EVERYWHERE: &str = include_str!("prices/everywhere.toml");

/// The regions that scsim has prices for.
pub fn regions() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().map(|(name, _)| *name)
}

/// The book of a region that comes with scsim; read once.
pub fn of_region(region: &str) -> Option<Arc<PriceBook>> {
    static BOOKS: [OnceLock<Arc<PriceBook>>; REGIONS.len()] = [const { OnceLock::new() }; REGIONS.len()];
    let at = REGIONS.iter().position(|(name, _)| *name == region)?;
    let made = BOOKS[at].get_or_init(|| {
        let mut book = PriceBook::empty(region, "");
        for text in [EVERYWHERE, REGIONS[at].1] {
            built_in(&format!("{region}.toml"), text).put(&mut book);
        }
        Arc::new(book)
    });
    Some(Arc::clone(made))
}

/// A book with what is the same everywhere and nothing else.
pub fn of_nowhere(region: &str) -> PriceBook {
    let mut book = PriceBook::empty(region, "");
    built_in("everywhere.toml", EVERYWHERE).put(&mut book);
    book
}

fn built_in(name: &str, text: &str) -> PriceFile {
    let mut problems = Problems::new(std::path::Path::new("."));
    let file = parse(name, text, "", &mut problems);
    assert!(problems.errors.is_empty(), "the price files of scsim are right: {:?}", problems.errors);
    file.expect("a file without problems was read")
}

/// What a price file says.
pub struct PriceFile {
    /// The region it is about, if it says so.
    pub region: Option<String>,
    date: String,
    instance: Option<Instance>,
    prices: Vec<(PriceItem, Price)>,
}

impl PriceFile {
    /// Lays it over a book.
    pub fn put(self, book: &mut PriceBook) {
        if !self.date.is_empty() {
            book.date = self.date;
        }
        if self.instance.is_some() {
            book.instance = self.instance;
        }
        for (item, price) in self.prices {
            book.enter(item, price);
        }
    }
}

/// Reads the text of a price file; `from` is its source where it names none.
pub fn parse(name: &str, text: &str, from: &str, problems: &mut Problems<'_>) -> Option<PriceFile> {
    let source = Arc::new(Source::new(name, text.strip_prefix('\u{feff}').unwrap_or(text)));
    match tree::parse(&source) {
        Ok(table) => {
            let start = Place { source, span: 0..0 };
            Some(read(&table, "a price file", &start, from, problems))
        }
        Err(found) => {
            for diagnostic in found {
                problems.push(diagnostic);
            }
            None
        }
    }
}

/// Reads a table of prices.
pub fn read(table: &Table, what: &str, place: &Place, from: &str, problems: &mut Problems<'_>) -> PriceFile {
    let mut reader = Reader::new(table, what, place);
    let mut text = |key| reader.text(key, problems).map(str::to_owned);
    let (region, date, source) = (text("region"), text("date"), text("source"));
    let confidence = confidence(&mut reader, problems);
    let usual = Price {
        amount: Money::ZERO,
        source: source.unwrap_or_else(|| from.to_owned()).into(),
        date: date.clone().unwrap_or_default().into(),
        confidence: confidence.unwrap_or(Confidence::User),
    };
    let mut file = PriceFile { region, date: date.unwrap_or_default(), instance: None, prices: Vec::new() };
    let mut groups: Vec<&'static str> = PriceItem::ALL.iter().map(|item| item.key().0).collect();
    groups.dedup();
    for group in groups {
        let Some(node) = reader.get(group) else { continue };
        let Some(mut inner) = Reader::of(node, format!("[{group}]"), problems) else { continue };
        if group == "ec2" {
            file.instance = inner.get("instance").and_then(|node| instance(node, problems));
        }
        for item in PriceItem::ALL.into_iter().filter(|item| item.key().0 == group) {
            if let Some(node) = inner.get(item.key().1)
                && let Some(price) = price(node, item, &usual, problems)
            {
                file.prices.push((item, price));
            }
        }
        inner.finish(problems);
    }
    reader.finish(problems);
    file
}

fn confidence(reader: &mut Reader<'_>, problems: &mut Problems<'_>) -> Option<Confidence> {
    let words = Confidence::ALL.map(|confidence| (confidence.name(), confidence));
    reader.word("confidence", &words, problems)
}

fn instance(node: &Node, problems: &mut Problems<'_>) -> Option<Instance> {
    let mut reader = Reader::of(node, "an instance", problems)?;
    let name = reader.need("name", problems).and_then(|node| value::text(node, problems)).map(str::to_owned);
    let cpu = reader.need("cpu", problems).and_then(|node| value::cpu(node, problems));
    let memory = reader.need("memory", problems).and_then(|node| value::bytes(node, problems));
    reader.finish(problems);
    let memory = memory?;
    if memory.get() == 0 {
        problems.error("cost::instance", &node.place, "an instance has memory", "such as memory = \"8GiB\"");
        return None;
    }
    Some(Instance { name: name?, cpu: cpu?, memory })
}

/// `"$0.0225"`, `"$0.0225 per ALB-hour"`, or a table with `price`, `source`, `date` and `confidence`.
fn price(node: &Node, item: PriceItem, usual: &Price, problems: &mut Problems<'_>) -> Option<Price> {
    let Value::Table(_) = &node.value else {
        return Some(Price { amount: amount(node, item, problems)?, ..usual.clone() });
    };
    let mut reader = Reader::of(node, "a price", problems)?;
    let amount = reader.need("price", problems).and_then(|node| amount(node, item, problems));
    let mut text = |key| reader.text(key, problems).map(Arc::from);
    let (source, date) = (text("source"), text("date"));
    let confidence = confidence(&mut reader, problems);
    reader.finish(problems);
    Some(Price {
        amount: amount?,
        source: source.unwrap_or_else(|| usual.source.clone()),
        date: date.unwrap_or_else(|| usual.date.clone()),
        confidence: confidence.unwrap_or(usual.confidence),
    })
}

fn amount(node: &Node, item: PriceItem, problems: &mut Problems<'_>) -> Option<Money> {
    watch::form(&node.place, Form::Money);
    let per = item.key().2;
    let text = match &node.value {
        Value::Text(text) => text.as_str(),
        Value::Whole(_) | Value::Float(_) => {
            let written = node.place.source.text().get(node.place.span.clone()).unwrap_or("0");
            problems.error("cost::price", &node.place, "a price has a unit", format!("write \"${written}\""));
            return None;
        }
        other => {
            let label = format!("this is {}; write \"$0.10\"", other.kind());
            problems.error("scenario::type", &node.place, "a price is expected here", label);
            return None;
        }
    };
    match parse_price(text, per) {
        Ok(amount) => Some(amount),
        Err(label) => {
            problems.error("cost::price", &node.place, format!("no price per {per}"), label);
            None
        }
    }
}

/// "$0.04048", "$0.04048 per vCPU-hour", "$0.04048/vCPU-hour".
fn parse_price(text: &str, per: &str) -> Result<Money, String> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '$' | '-' | '_'))).unwrap_or(text.len());
    let (amount, unit) = (text[..end].replace('_', ""), text[end..].trim());
    let digits = match (amount.strip_prefix("-$").or_else(|| amount.strip_prefix("$-")), amount.strip_prefix('$')) {
        (Some(_), _) => return Err("a price cannot be negative".to_owned()),
        (None, Some(digits)) => digits,
        (None, None) if amount.starts_with('-') => return Err("a price cannot be negative".to_owned()),
        (None, None) if Money::from_decimal(&amount).is_some() && unit.is_empty() => {
            return Err(format!("write \"${amount}\""));
        }
        (None, None) => return Err(format!("`{text}` is no price in dollars; write \"$0.10\"")),
    };
    let unit = unit.strip_prefix("per ").or_else(|| unit.strip_prefix('/')).unwrap_or(unit).trim();
    if !unit.is_empty() && !unit.eq_ignore_ascii_case(per) {
        return Err(format!(
            "this price is per {per}, not per {unit}; write \"${digits} per {per}\" or leave the unit out"
        ));
    }
    match Money::from_decimal(digits) {
        Some(amount) if amount <= Money::from_cents(100_000_000) => Ok(amount),
        Some(_) => Err("more than a million dollars".to_owned()),
        None if digits.split_once('.').is_some_and(|(_, fraction)| fraction.len() > 9) => {
            Err("finer than a billionth of a dollar".to_owned())
        }
        None => Err(format!("`{text}` is no price; write \"$0.10\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_has_its_own_prices_and_says_where_from() {
        for region in regions() {
            let book = of_region(region).expect("it is in the table");
            assert_eq!(book.region, region);
            assert!(!book.date.is_empty(), "{region}");
            for item in [PriceItem::FargateX86Vcpu, PriceItem::SpotGb, PriceItem::AlbHour, PriceItem::LcuHour] {
                let price = book.get(item).unwrap_or_else(|| panic!("{region} {item:?}"));
                assert!(!price.amount.is_zero() && !price.source.is_empty() && !price.date.is_empty(), "{region}");
            }
            let from = parse(
                region,
                REGIONS.iter().find(|(name, _)| *name == region).unwrap().1,
                "",
                &mut Problems::new(std::path::Path::new(".")),
            );
            assert_eq!(from.and_then(|file| file.region).as_deref(), Some(region), "the file is about its region");
        }
        // What nobody gave for a region is absent there, and not another region's.
        let ireland = of_region("eu-west-1").unwrap();
        assert_eq!(ireland.get(PriceItem::LogsIn), None);
        assert_eq!(ireland.get(PriceItem::SpotArmVcpu), None);
        assert_eq!(ireland.get(PriceItem::CrossZone).unwrap().confidence, Confidence::Memory);
        assert_eq!(ireland.get(PriceItem::AlbHour).unwrap().confidence, Confidence::Memory);
        assert_eq!(of_region("mars-north-1"), None);
    }

    #[test]
    fn a_price_is_dollars_for_a_known_unit() {
        let hour = |text| parse_price(text, "ALB-hour");
        for text in ["$0.0225", "$0.0225 per ALB-hour", "$0.0225/alb-hour", " $0.02_25 "] {
            assert_eq!(hour(text), Ok(Money::from_nanos(22_500_000)), "{text}");
        }
        for (text, label) in [
            ("0.0225", "write \"$0.0225\""),
            ("-$0.01", "negative"),
            ("$-0.01", "negative"),
            ("-0.01", "negative"),
            ("€0.01", "no price in dollars"),
            ("$0.0225 per month", "per ALB-hour, not per month"),
            ("$", "no price"),
            ("$1.2.3", "no price"),
            ("$0.0000000001", "finer"),
            ("$1000001", "million"),
        ] {
            let found = hour(text).expect_err(text);
            assert!(found.contains(label), "{text}: {found}");
        }
    }
}
