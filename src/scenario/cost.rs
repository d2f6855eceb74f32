//! `[cost]`: in which region, on what, by which reading and at which prices a scenario is billed.
//!
//! *Knows* the section and its files of prices. *Does not know* how a bill is made; that is the module `cost`.

mod book;
pub mod fargate;

use std::sync::Arc;

use crate::scenario::AlbSharing;
use crate::scenario::Arch;
use crate::scenario::Asked;
use crate::scenario::Authority;
use crate::scenario::Cost;
use crate::scenario::LaunchType;
use crate::scenario::Message;
use crate::scenario::PriceBook;
use crate::scenario::Reading;
use crate::scenario::Registration;
use crate::scenario::Service;
use crate::scenario::SidecarSize;
use crate::scenario::load::Data;
use crate::scenario::load::LoadOptions;
use crate::scenario::load::read_data;
use crate::scenario::lower::TOP;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::table::at;
use crate::scenario::tree::Node;
use crate::scenario::tree::Place;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::units::Bytes;
use crate::units::Ratio;

/// The region of a scenario that names none.
const DEFAULT_REGION: &str = "us-east-1";

/// The regions that scsim has prices for.
pub fn regions() -> impl Iterator<Item = &'static str> {
    book::regions()
}

impl Default for Cost {
    /// Fargate on x86 in us-east-1, 730 hours, every line as the bill would show it.
    fn default() -> Cost {
        Cost {
            hours: 730,
            launch_type: LaunchType::Fargate,
            arch: Arch::X86,
            sizes: Reading::NextSize,
            sidecar: SidecarSize::Rule,
            alb: AlbSharing::Dedicated,
            registration: Registration::Free,
            discovery: Asked::Dns,
            tls: None,
            access_logs: false,
            // ASSUMPTION(cost.log_line): the default format's twenty fields, most of them short; a guess.
            log_line: Bytes::new(350),
            metrics: 0,
            private_link: 0,
            orphans: 0,
            measured_cpu: None,
            measured_memory: None,
            load_share: Ratio::ONE,
            message: Message { request: Bytes::new(1 << 10), response: Bytes::new(4 << 10) },
            prices: book::of_region(DEFAULT_REGION).expect("the default region has a price file"),
            asked: false,
        }
    }
}

/// Reads `[cost]`. `tls` says that the scenario's connections are encrypted.
pub fn read(tree: &Table, services: &[Service], tls: bool, options: &LoadOptions, problems: &mut Problems<'_>) -> Cost {
    let mut cost = Cost { tls: tls.then_some(Authority::ShortLived), ..Cost::default() };
    let reader = tree.get("cost").and_then(|node| Reader::of(node, "[cost]", problems));
    cost.asked = options.priced || reader.is_some();
    let Some(mut reader) = reader else {
        if let Some((name, text)) = &options.price_file {
            cost.prices = prices(None, book::parse(name, text, name, problems), Some(name), problems);
        }
        refuse_sizes(tree, services, &cost, problems);
        return cost;
    };
    reader.allow(&TOP);
    terms(&mut reader, &mut cost, problems);
    let region = reader.get("region");
    let named = reader.get("price_file");
    let overrides = reader.get("overrides");
    reader.finish(problems);
    let mut name = None;
    let file = match (&options.price_file, named) {
        (Some((flag, text)), _) => {
            name = Some(flag.as_str());
            book::parse(flag, text, flag, problems)
        }
        (None, Some(node)) => match read_data(node, "price", problems) {
            Data::Text(text) => {
                name = value::text(node, problems);
                book::parse(name.unwrap_or_default(), &text, name.unwrap_or_default(), problems)
            }
            Data::Absent | Data::Wrong => None,
        },
        (None, None) => None,
    };
    cost.prices = prices(region, file, name, problems);
    if let Some(node) = overrides {
        if let Value::Table(table) = &node.value {
            let file = book::read(table, "[cost] overrides", &node.place, "overrides in [cost]", problems);
            file.put(Arc::make_mut(&mut cost.prices));
        } else {
            let label = "write overrides = { alb = { hour = \"$0.02\" } }";
            problems.error("scenario::type", &node.place, "`overrides` is a table of prices", label);
        }
    }
    refuse_sizes(tree, services, &cost, problems);
    cost
}

/// Everything but prices.
fn terms(reader: &mut Reader<'_>, cost: &mut Cost, problems: &mut Problems<'_>) {
    cost.hours = reader.count("hours", 1..=10_000, problems).unwrap_or(cost.hours);
    let types = [LaunchType::Fargate, LaunchType::Spot, LaunchType::Ec2].map(|launch| (launch.name(), launch));
    cost.launch_type = reader.word("launch_type", &types, problems).unwrap_or(cost.launch_type);
    let kinds = [Arch::X86, Arch::Arm].map(|arch| (arch.name(), arch));
    cost.arch = reader.word("arch", &kinds, problems).unwrap_or(cost.arch);
    let readings = Reading::ALL.map(|reading| (reading.name(), reading));
    cost.sizes = reader.word("fargate_sizes", &readings, problems).unwrap_or(cost.sizes);
    let rules = [("rule", SidecarSize::Rule), ("as-written", SidecarSize::AsWritten)];
    cost.sidecar = reader.word("sidecar", &rules, problems).unwrap_or(cost.sidecar);
    let sharings = [("dedicated", AlbSharing::Dedicated), ("shared", AlbSharing::Shared)];
    cost.alb = reader.word("alb", &sharings, problems).unwrap_or(cost.alb);
    let fees = [("free", Registration::Free), ("charged", Registration::Charged)];
    cost.registration = reader.word("registration", &fees, problems).unwrap_or(cost.registration);
    let ways = [("dns", Asked::Dns), ("api", Asked::Api)];
    cost.discovery = reader.word("discovery", &ways, problems).unwrap_or(cost.discovery);
    let authorities = [("short-lived", Authority::ShortLived), ("general", Authority::General)];
    let authority = reader.word("ca", &authorities, problems);
    let wanted = reader.truth("tls", problems).unwrap_or(cost.tls.is_some() || authority.is_some());
    cost.tls = wanted.then_some(authority.unwrap_or(Authority::ShortLived));
    cost.access_logs = reader.truth("access_logs", problems).unwrap_or(false);
    cost.log_line = reader.bytes("log_line", problems).unwrap_or(cost.log_line);
    for (key, slot) in
        [("metrics", &mut cost.metrics), ("private_link", &mut cost.private_link), ("orphans", &mut cost.orphans)]
    {
        *slot = reader.count(key, 0..=10_000_000, problems).unwrap_or(0);
    }
    cost.measured_cpu = reader.ratio("measured_cpu", problems);
    cost.measured_memory = reader.ratio("measured_memory", problems);
    cost.load_share = reader.ratio("load_share", problems).unwrap_or(cost.load_share);
    cost.message.request = reader.bytes("request", problems).unwrap_or(cost.message.request);
    cost.message.response = reader.bytes("response", problems).unwrap_or(cost.message.response);
}

/// The book of a region with the user's file on top. A file may bring a region that scsim has no prices for.
fn prices(
    region: Option<&Node>,
    file: Option<book::PriceFile>,
    name: Option<&str>,
    problems: &mut Problems<'_>,
) -> Arc<PriceBook> {
    let brought = file.as_ref().and_then(|file| file.region.clone());
    let asked = region.and_then(|node| value::text(node, problems));
    let wanted = asked.map(str::to_owned).or_else(|| brought.clone()).unwrap_or_else(|| DEFAULT_REGION.to_owned());
    let mut book = match book::of_region(&wanted) {
        Some(book) => book,
        None if brought.as_deref() == Some(&*wanted) => Arc::new(book::of_nowhere(&wanted)),
        None => {
            if let Some(node) = region {
                unknown_region(&wanted, node, problems);
            }
            return Cost::default().prices;
        }
    };
    if let (Some(node), Some(brought)) = (region, &brought)
        && *brought != wanted
    {
        let label = format!("the price file is about {brought}");
        problems.error("cost::region", &node.place, format!("prices of {brought} are none of {wanted}"), label);
    }
    if let Some(file) = file {
        let book = Arc::make_mut(&mut book);
        file.put(book);
        book.file = name.map(str::to_owned);
    }
    book
}

fn unknown_region(wanted: &str, node: &Node, problems: &mut Problems<'_>) {
    let all: Vec<&str> = regions().collect();
    let label = match crate::diagnostic::nearest(wanted, regions()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known: {}", all.join(", ")),
    };
    problems.push(
        at(
            crate::diagnostic::Severity::Error,
            "cost::region",
            &node.place,
            format!("scsim has no prices for the region `{wanted}`"),
        )
        .with_label(label)
        .with_help(format!("regions: {}; a price_file with region = \"{wanted}\" brings its own", all.join(", "))),
    );
}

/// Sizes that Fargate does not sell, where a bill is asked for.
fn refuse_sizes(tree: &Table, services: &[Service], cost: &Cost, problems: &mut Problems<'_>) {
    if !cost.asked || cost.launch_type == LaunchType::Ec2 {
        return;
    }
    for service in services.iter().filter(|service| !service.external) {
        let size = fargate::TaskSize { cpu: service.cpu, memory: service.memory };
        if fargate::sells(size) {
            continue;
        }
        let Some(place) = place_of_size(tree, &service.name) else { continue };
        let label = match fargate::next(size) {
            Some(next) => format!("the next size that it sells is {next}"),
            None => "the largest that it sells is 16 vCPU / 120 GB".to_owned(),
        };
        problems.push(
            at(
                crate::diagnostic::Severity::Error,
                "cost::size",
                place,
                format!("Fargate sells no task of {size}, which `{}` asks for", service.name),
            )
            .with_label(label)
            .with_help(
                "[cost] launch_type = \"ec2\" takes any size; all that Fargate sells: scsim explain cost.fargate_sizes",
            ),
        );
    }
}

/// Where a service's size is written: its own keys, the defaults', or the service.
fn place_of_size<'t>(tree: &'t Table, service: &str) -> Option<&'t Place> {
    let services = tree.table("service")?;
    let tables = [services.table(service), tree.table("defaults").and_then(|all| all.table("service"))];
    for table in tables.into_iter().flatten() {
        for key in ["cpu", "memory"] {
            if let Some(node) = table.get(key) {
                return Some(&node.place);
            }
        }
    }
    services.entries.get(service).map(|entry| &entry.key)
}
