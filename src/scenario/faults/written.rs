//! A fault with every default filled in, for `check --defaults`.
//!
//! *Knows* which defaults a kind has. *Does not know* where they come from.

use crate::scenario::Direction;
use crate::scenario::Fault;
use crate::scenario::FaultKind;
use crate::scenario::Leak;
use crate::scenario::distribution::written;

/// "packet-loss, rate = 40%, direction = both".
pub fn line(fault: &Fault) -> String {
    let parts: Vec<String> =
        parameters(&fault.kind).into_iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let ramp = if fault.how.ramp.is_zero() { String::new() } else { format!(", ramp = {}", fault.how.ramp) };
    let parts = if parts.is_empty() { String::new() } else { format!(", {}", parts.join(", ")) };
    format!("{}: {}{parts}{ramp}", fault.name, fault.kind.name())
}

const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
        Direction::Both => "both",
    }
}

fn factor(milli: u32) -> String {
    format!("{}", f64::from(milli) / 1000.0)
}

fn parameters(kind: &FaultKind) -> Vec<(&'static str, String)> {
    match kind {
        FaultKind::Wedge { status } => vec![("status", status.to_string())],
        FaultKind::Grey { status, rate } | FaultKind::Errors { status, rate } => {
            vec![("status", status.to_string()), ("rate", rate.to_string())]
        }
        FaultKind::Slow { factor_milli, added } => {
            let mut all = vec![("factor", factor(*factor_milli))];
            all.extend(added.as_ref().map(|law| ("latency", written(law))));
            all
        }
        FaultKind::Cpu { load } => vec![("rate", load.to_string())],
        FaultKind::ResetAfter { delay } | FaultKind::CrashLoop { delay } => vec![("delay", delay.to_string())],
        FaultKind::ConnectionLimit { limit, refuses } => {
            let then = if *refuses { "refuse" } else { "time-out" };
            vec![("limit", limit.to_string()), ("then", then.to_owned())]
        }
        FaultKind::CutBody { rate, sent } => vec![("rate", rate.to_string()), ("sent", sent.to_string())],
        FaultKind::Pause { pause, interval } => {
            let mut all = vec![("pause", pause.to_string())];
            all.extend(interval.map(|interval| ("interval", interval.to_string())));
            all
        }
        FaultKind::MemoryLeak { rate, used } => {
            let rate = match rate {
                Leak::PerSecond(bytes) => format!("{bytes}/s"),
                Leak::PerRequest(bytes) => format!("{bytes}/request"),
            };
            vec![("rate", rate), ("used", used.to_string())]
        }
        FaultKind::SpotReclaim { notice } => vec![("notice", notice.to_string())],
        FaultKind::Latency { delay, jitter, direction } => vec![
            ("latency", written(delay)),
            ("jitter", jitter.to_string()),
            ("direction", direction_name(*direction).to_owned()),
        ],
        FaultKind::PacketLoss { rate, direction } => {
            vec![("rate", rate.to_string()), ("direction", direction_name(*direction).to_owned())]
        }
        FaultKind::Partition { direction } => vec![("direction", direction_name(*direction).to_owned())],
        FaultKind::Bandwidth { rate, direction } => {
            vec![("rate", format!("{rate}/s")), ("direction", direction_name(*direction).to_owned())]
        }
        FaultKind::AzOutage { power } => vec![("power", power.to_string())],
        FaultKind::DnsSlow { added } | FaultKind::PushDelay { added } | FaultKind::Throttle { added } => {
            vec![("latency", added.to_string())]
        }
        FaultKind::SidecarSlow { factor_milli } => vec![("factor", factor(*factor_milli))],
        FaultKind::Hang
        | FaultKind::Reset
        | FaultKind::Refuse
        | FaultKind::Freeze
        | FaultKind::Crash
        | FaultKind::Stop
        | FaultKind::DnsFreeze
        | FaultKind::DnsFail
        | FaultKind::PushFreeze
        | FaultKind::NamespaceDeleted
        | FaultKind::SidecarCrash
        | FaultKind::CertExpiry
        | FaultKind::Goaway => Vec::new(),
    }
}
