//! `[[migrate]]` written down again, with every value in force.

use super::Page;
use super::quoted;
use super::table_of;
use crate::scenario::Scenario;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::units::Time;

impl Page {
    /// Every step, in the order of the file.
    pub(super) fn migrations(&mut self, top: &Table, scenario: &Scenario) {
        let given = match top.get("migrate").map(|node| &node.value) {
            Some(Value::List(items)) => items.iter().map(|item| table_of(&item.value)).collect(),
            _ => Vec::new(),
        };
        for (step, given) in scenario.migrations.iter().zip(given) {
            self.header("[[migrate]]");
            self.line(given, "at", &quoted(&step.at.since(Time::ZERO).to_string()));
            self.line(given, "name", &quoted(&step.name));
            // What was written as one caller is the same as a list of one.
            let callers: Vec<String> = step.callers.iter().map(|id| quoted(&scenario.service(*id).name)).collect();
            let written = given.filter(|given| given.get("caller").is_none());
            self.line(written.or(given), "callers", &format!("[{}]", callers.join(", ")));
            self.line(given, "share", &quoted(&step.share.to_string()));
        }
    }
}
