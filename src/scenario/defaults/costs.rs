//! `[cost]` written down again.
//!
//! *Knows* its keys. *Does not know* prices. Where the file asks for no bill the values are comments: written out they would
//! make sizes that Fargate does not sell an error.

use std::fmt::Write as _;

use super::Page;
use super::quoted;
use crate::scenario::AlbSharing;
use crate::scenario::Asked;
use crate::scenario::Authority;
use crate::scenario::Cost;
use crate::scenario::Registration;
use crate::scenario::SidecarSize;
use crate::scenario::tree::Table;

impl Page {
    pub(super) fn cost(&mut self, given: Option<&Table>, cost: &Cost) {
        let word = |text: &str| quoted(text);
        let lines = [
            ("region", word(&cost.prices.region)),
            ("hours", cost.hours.to_string()),
            ("launch_type", word(cost.launch_type.name())),
            ("arch", word(cost.arch.name())),
            ("fargate_sizes", word(cost.sizes.name())),
            ("sidecar", word(if cost.sidecar == SidecarSize::Rule { "rule" } else { "as-written" })),
            ("alb", word(if cost.alb == AlbSharing::Dedicated { "dedicated" } else { "shared" })),
            ("registration", word(if cost.registration == Registration::Free { "free" } else { "charged" })),
            ("discovery", word(if cost.discovery == Asked::Dns { "dns" } else { "api" })),
            ("tls", cost.tls.is_some().to_string()),
            ("access_logs", cost.access_logs.to_string()),
            ("log_line", word(&cost.log_line.to_string())),
            ("metrics", cost.metrics.to_string()),
            ("private_link", cost.private_link.to_string()),
            ("orphans", cost.orphans.to_string()),
            ("load_share", word(&cost.load_share.to_string())),
            ("request", word(&cost.message.request.to_string())),
            ("response", word(&cost.message.response.to_string())),
        ];
        if given.is_none() {
            self.text.push_str("\n# [cost], if a bill is asked for:\n");
            for (key, value) in lines {
                let _ = writeln!(self.text, "#   {key} = {value}");
            }
            return;
        }
        self.header("[cost]");
        for (key, value) in &lines {
            self.line(given, key, value);
        }
        if let Some(authority) = cost.tls {
            self.line(given, "ca", &word(if authority == Authority::ShortLived { "short-lived" } else { "general" }));
        }
        match cost.measured_cpu {
            Some(share) => self.line(given, "measured_cpu", &word(&share.to_string())),
            None => self.text.push_str("# measured_cpu: the busiest simulated second  # default\n"),
        }
        match cost.measured_memory {
            Some(share) => self.line(given, "measured_memory", &word(&share.to_string())),
            None => self.text.push_str("# measured_memory: taken to have room  # default\n"),
        }
        let printed: Vec<&str> =
            lines.iter().map(|(key, _)| *key).chain(["ca", "measured_cpu", "measured_memory", "overrides"]).collect();
        self.rest(given, &printed);
        if given.is_some_and(|table| table.get("overrides").is_some()) {
            self.text.push_str("# overrides as written\n");
        }
    }
}
