//! Certificates, logs, metrics, PrivateLink and what a teardown left behind.
//!
//! *Knows* the counts that each is paid by. *Does not know* the calls themselves.

use super::amount::Amount;
use super::amount::plain;
use super::lines::Group;
use super::lines::Line;
use super::lines::Shape;
use super::lines::begun;
use super::lines::counted;
use super::lines::dollars;
use super::lines::fixed;
use super::month::Month;
use super::month::called;
use crate::scenario::Authority;
use crate::scenario::Enrolment;
use crate::scenario::PriceItem;
use crate::scenario::Registration;
use crate::scenario::Scenario;

/// Service Connect has certificates renewed every five days (ECS Developer Guide, service-connect-tls).
const ROTATION_HOURS: u64 = 120;

/// The lines of a plane.
pub(super) fn lines(scenario: &Scenario, plane: usize, month: &Month<'_>) -> Vec<Line> {
    let (cost, facts) = (&scenario.cost, &scenario.planes[plane]);
    let mut all = Vec::new();
    let managed = facts.sidecar().is_some_and(|sidecar| sidecar.snapshot_names);
    if let (Some(authority), Some(_)) = (cost.tls, facts.sidecar()) {
        all.extend(tls(scenario, authority));
    }
    if managed {
        let (group, item) = (Group::Observability, PriceItem::ServiceConnectMetrics);
        let services = called(scenario).count() as u64;
        all.push(fixed(cost, group, "Service Connect's own metrics", item, (services, "services"), 1));
    }
    if cost.metrics > 0 {
        let group = Group::Observability;
        all.push(fixed(cost, group, "custom metrics", PriceItem::Metric, (cost.metrics, "metrics"), 1));
    }
    if let (true, Some(sidecar)) = (cost.access_logs, facts.sidecar()) {
        let sides = if sidecar.inbound { 2 } else { 1 };
        all.extend(logs(scenario, month, sides));
    }
    if cost.private_link > 0 {
        let zones = scenario.zones.len() as u64;
        let things = (cost.private_link * zones, "endpoint zones");
        let name = "interface endpoints, without their bytes";
        all.push(fixed(cost, Group::PrivateLink, name, PriceItem::PrivateLinkHour, things, cost.hours));
    }
    if cost.orphans > 0 && (managed || facts.dns().is_some()) {
        let item = match cost.registration {
            Registration::Free => PriceItem::CloudMapEcsRegistration,
            Registration::Charged => PriceItem::CloudMapRegistration,
        };
        all.push(fixed(cost, Group::Orphans, "registrations left behind", item, (cost.orphans, "resources"), 1));
    }
    all
}

/// One CA; for each service that is called a certificate every five days and a secret that holds its key.
fn tls(scenario: &Scenario, authority: Authority) -> Vec<Line> {
    let (cost, group) = (&scenario.cost, Group::Tls);
    let (ca, certificate, kind) = match authority {
        Authority::ShortLived => {
            (PriceItem::CaShortLived, PriceItem::CertificateShortLived, "private CA, short-lived certificates")
        }
        Authority::General => (PriceItem::CaGeneral, PriceItem::CertificateGeneral, "private CA, general"),
    };
    let enrolled = |id: &crate::scenario::ServiceId| scenario.service(*id).service_connect == Enrolment::ClientServer;
    let services = called(scenario).filter(enrolled).count() as u64;
    let mut line = begun(cost, group, "certificates", certificate, "certificate");
    line.quantity = Some(services as f64 * cost.hours as f64 / ROTATION_HOURS as f64);
    let shown = line.unit_price.map_or_else(|| "?".to_owned(), dollars);
    line.formula = format!(
        "{services} service{} × {} h / {ROTATION_HOURS} h = {} certificates × {shown}",
        if services == 1 { "" } else { "s" },
        cost.hours,
        plain(line.quantity.unwrap_or(0.0))
    );
    if let Some(price) = line.unit_price {
        let made = u128::from(services) * u128::from(cost.hours);
        line.amount = Amount::Fixed(price.part(made, u128::from(ROTATION_HOURS)));
    }
    vec![
        fixed(cost, group, kind, ca, (1, "CA"), 1),
        line,
        fixed(cost, group, "secrets that hold the keys", PriceItem::Secret, (services, "secrets"), 1),
    ]
}

/// A line of log for each attempt, at the caller's proxy and the callee's.
fn logs(scenario: &Scenario, month: &Month<'_>, sides: u128) -> Vec<Line> {
    let cost = &scenario.cost;
    let line = u128::from(cost.log_line.get());
    let bytes = month.count(|replica| {
        let attempts: u128 = replica.usage.edges.iter().map(|edge| u128::from(edge.first.requests)).sum();
        attempts * sides * line
    });
    let because = format!(", {sides} lines of {} an attempt", cost.log_line);
    let shape = || Shape { per: 1 << 30, times: 1, unit: "GB", because: &because };
    vec![
        counted(cost, Group::Observability, "access logs taken in", PriceItem::LogsIn, &bytes, shape()),
        counted(cost, Group::Observability, "access logs kept a month", PriceItem::LogsStored, &bytes, shape()),
    ]
}
