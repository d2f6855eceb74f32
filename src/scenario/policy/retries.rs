//! `retry_policy` and `hedge_policy` in Envoy's fields.
//!
//! *Knows* the conditions by name and the shapes of predicates and header matchers. *Does not
//! know* when anything is retried.

use crate::policy::config::HeaderMatch;
use crate::policy::config::PreviousPriorities;
use crate::policy::config::RateLimitedBackOff;
use crate::policy::config::ResetFormat;
use crate::policy::config::ResetHeader;
use crate::policy::config::RetryOn;
use crate::policy::config::RetryPolicy;
use crate::scenario::policy::Patch;
use crate::scenario::policy::envoy_fields;
use crate::scenario::policy::finish;
use crate::scenario::policy::harmless;
use crate::scenario::policy::invalid;
use crate::scenario::policy::not_modelled;
use crate::scenario::policy::unlimited;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::scenario::tree::Place;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::scenario::vocabulary::Form;
use crate::scenario::watch;
use crate::units::Span;

/// A longer wait than this is not believed unless the file says otherwise (envoy.md 2.4).
const RESET_MAX: Span = Span::from_secs(300);

pub fn read(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    patch.push(|config| {
        config.retry_policy.get_or_insert_with(RetryPolicy::envoy_default);
    });
    let mut set = |change: Box<dyn Fn(&mut RetryPolicy)>| {
        patch.push(move |config| change(config.retry_policy.get_or_insert_with(RetryPolicy::envoy_default)));
    };
    if let Some(on) = reader.get("retry_on").and_then(|node| retry_on(node, problems)) {
        set(Box::new(move |retry| retry.retry_on = on));
    }
    if let Some(node) = reader.get("retriable_status_codes") {
        let items = value::list(node, problems).unwrap_or(&[]);
        let codes: Vec<u16> =
            items.iter().filter_map(|item| value::count(item, 100..=599, problems)).map(|code| code as u16).collect();
        set(Box::new(move |retry| retry.retriable_status_codes.clone_from(&codes)));
    }
    if let Some(n) = reader.count("num_retries", 0..=u64::from(u32::MAX), problems) {
        set(Box::new(move |retry| retry.num_retries = n as u32));
    }
    if let Some(n) = reader.count("host_selection_retry_max_attempts", 0..=1_000, problems) {
        set(Box::new(move |retry| retry.host_selection_retry_max_attempts = n as u32));
    }
    if let Some(avoids) = reader.get("retry_host_predicate").and_then(|node| host_predicate(node, problems)) {
        set(Box::new(move |retry| retry.previous_hosts = avoids));
    }
    if let Some(node) = reader.get("retry_priority") {
        let priority = if off(node) { None } else { retry_priority(node, problems) };
        set(Box::new(move |retry| retry.retry_priority = priority));
    }
    if let Some(node) = reader.get("retriable_headers") {
        let headers = headers(node, "retry_policy.retriable_headers", problems);
        set(Box::new(move |retry| retry.retriable_headers.clone_from(&headers)));
    }
    if let Some(node) = reader.get("retriable_request_headers") {
        let headers = headers(node, "retry_policy.retriable_request_headers", problems);
        set(Box::new(move |retry| retry.retriable_request_headers.clone_from(&headers)));
    }
    if let Some(node) = reader.get("rate_limited_retry_back_off") {
        let limited = if off(node) { None } else { rate_limited(node, problems) };
        set(Box::new(move |retry| retry.rate_limited_retry_back_off.clone_from(&limited)));
    }
    if let Some(node) = reader.get("retry_back_off")
        && let Some(mut inner) = Reader::of(node, "retry_back_off", problems)
    {
        let base = inner.span("base_interval", problems);
        let most = inner.span("max_interval", problems);
        finish(&inner, &[&envoy_fields::BACK_OFF], "retry_policy.retry_back_off.", problems);
        if base.is_none() && !inner.has("base_interval") {
            let reason = "retry_policy.retry_back_off.base_interval: value is required";
            invalid(&node.place, reason, "add base_interval = \"25ms\", which is Envoy's default", problems);
        }
        set(Box::new(move |retry| {
            if let Some(base) = base {
                retry.base_interval = base;
                // Envoy's default is ten times the base.
                retry.max_interval = base.times(10);
            }
            retry.max_interval = most.unwrap_or(retry.max_interval);
        }));
    }
    if let Some(span) = reader.span("per_try_timeout", problems) {
        patch.push(move |config| config.timeouts.per_try = unlimited(span));
    }
    if let Some(span) = reader.span("per_try_idle_timeout", problems) {
        patch.push(move |config| config.timeouts.per_try_idle = unlimited(span));
    }
}

/// `false` switches a whole table off.
fn off(node: &Node) -> bool {
    node.value == Value::Bool(false)
}

/// `hedge_policy`, or `false`.
pub fn hedging(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    let Some(node) = reader.get("hedge_policy") else { return };
    if off(node) {
        patch.push(|config| config.hedge_on_per_try_timeout = false);
        return;
    }
    let Some(mut inner) = Reader::of(node, "hedge_policy", problems) else { return };
    if let Some(on) = inner.truth("hedge_on_per_try_timeout", problems) {
        patch.push(move |config| config.hedge_on_per_try_timeout = on);
    }
    // Envoy loads more than one and sends one.
    if let Some(node) = inner.get("initial_requests") {
        match value::count(node, 0..=u64::from(u32::MAX), problems) {
            Some(0) => {
                let reason = "hedge_policy.initial_requests: value must be greater than or equal to 1";
                invalid(&node.place, reason, "1 is the default", problems);
            }
            Some(2..) => not_modelled(&node.place, "hedge_policy.initial_requests above 1", problems),
            _ => {}
        }
    }
    if let Some(entry) = inner.entry("additional_request_chance") {
        let none = match &entry.node.value {
            Value::Table(chance) => chance.get("numerator").is_none_or(|node| harmless(&node.value)),
            other => harmless(other),
        };
        if !none {
            not_modelled(&entry.key, "hedge_policy.additional_request_chance", problems);
        }
    }
    finish(&inner, &[&envoy_fields::HEDGE], "hedge_policy.", problems);
}

/// `retry_on`: a list of conditions, or Envoy's own comma-separated string.
fn retry_on(node: &Node, problems: &mut Problems<'_>) -> Option<RetryOn> {
    let mut names: Vec<(&str, &Place)> = Vec::new();
    match &node.value {
        Value::Text(text) => {
            watch::form(&node.place, Form::Text);
            names.extend(text.split(',').map(|name| (name.trim(), &node.place)));
        }
        _ => {
            for item in value::list(node, problems)? {
                names.push((value::text(item, problems)?.trim(), &item.place));
            }
        }
    }
    let mut set = RetryOn::NONE;
    for (name, place) in names {
        match RetryOn::named(name) {
            Some(condition) => set = set.with(condition),
            None if name.is_empty() => {}
            None if name == "http3-post-connect-failure" => {
                not_modelled(place, "retry_on http3-post-connect-failure", problems);
            }
            None => {
                let known = RetryOn::NAMES.map(|(name, _)| name);
                let label = match crate::diagnostic::nearest(name, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("one of {}", known.join(", ")),
                };
                problems.error("policy::retry-on", place, format!("Envoy has no retry condition `{name}`"), label);
            }
        }
    }
    Some(set)
}

/// The name of an extension, in Envoy's shape or as a bare word.
fn extension<'n>(node: &'n Node, category: &str, problems: &mut Problems<'_>) -> Option<&'n str> {
    let name = match &node.value {
        Value::Table(table) => table.get("name").and_then(|name| value::text(name, problems))?,
        _ => value::text(node, problems)?,
    };
    Some(name.strip_prefix(category).unwrap_or(name))
}

fn host_predicate(node: &Node, problems: &mut Problems<'_>) -> Option<bool> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut avoids = false;
    for item in items {
        match extension(item, "envoy.retry_host_predicates.", problems)? {
            "previous_hosts" => avoids = true,
            other => not_modelled(&item.place, &format!("retry_host_predicate {other}"), problems),
        }
    }
    Some(avoids)
}

/// `{ name, typed_config = { update_frequency } }`, or the frequency without the wrapping.
fn retry_priority(node: &Node, problems: &mut Problems<'_>) -> Option<PreviousPriorities> {
    let mut inner = Reader::of(node, "retry_priority", problems)?;
    if inner.has("name") {
        inner.allow(&["name"]);
        let name = extension(node, "envoy.retry_priorities.", problems)?;
        if name != "previous_priorities" {
            not_modelled(&node.place, &format!("retry_priority {name}"), problems);
            return None;
        }
    }
    let often = |reader: &mut Reader<'_>, problems: &mut Problems<'_>| {
        reader.count("update_frequency", 0..=2_147_483_647, problems).map(|n| n as u32)
    };
    let mut frequency = often(&mut inner, problems);
    if let Some(node) = inner.get("typed_config")
        && let Some(mut config) = Reader::of(node, "typed_config", problems)
    {
        config.allow(&["@type"]);
        frequency = often(&mut config, problems).or(frequency);
        let prefix = "retry_policy.retry_priority.typed_config.";
        finish(&config, &[&envoy_fields::PREVIOUS_PRIORITIES], prefix, problems);
    }
    finish(&inner, &[&envoy_fields::PREVIOUS_PRIORITIES], "retry_policy.retry_priority.", problems);
    // A frequency that is not there is 0 in Envoy, and `check` rejects that.
    Some(PreviousPriorities { update_frequency: frequency.unwrap_or(0) })
}

/// Header matchers: a bare name, or `{ name, exact_match }` and its relatives.
fn headers(node: &Node, field: &str, problems: &mut Problems<'_>) -> Vec<HeaderMatch> {
    let mut found = Vec::new();
    for item in value::list(node, problems).unwrap_or(&[]) {
        if let Value::Text(name) = &item.value {
            watch::form(&item.place, Form::Text);
            found.push(HeaderMatch { name: name.to_lowercase(), exact: None });
            continue;
        }
        let Some(mut inner) = Reader::of(item, "a header", problems) else { continue };
        let name = inner.need("name", problems).and_then(|node| value::text(node, problems));
        let mut exact = inner.text("exact_match", problems).map(str::to_owned);
        if inner.truth("present_match", problems) == Some(false) {
            not_modelled(inner.key_place("present_match"), &format!("{field}.present_match = false"), problems);
        }
        if let Some(node) = inner.get("string_match")
            && let Some(mut matcher) = Reader::of(node, "string_match", problems)
        {
            exact = matcher.text("exact", problems).map(str::to_owned).or(exact);
            for (key, entry) in matcher.leftovers() {
                if !harmless(&entry.node.value) {
                    not_modelled(&entry.key, &format!("{field}.string_match.{key}"), problems);
                }
            }
        }
        finish(&inner, &[&envoy_fields::HEADER], &format!("{field}."), problems);
        if let Some(name) = name {
            found.push(HeaderMatch { name: name.to_lowercase(), exact });
        }
    }
    found
}

fn rate_limited(node: &Node, problems: &mut Problems<'_>) -> Option<RateLimitedBackOff> {
    let mut inner = Reader::of(node, "rate_limited_retry_back_off", problems)?;
    let formats = [("SECONDS", ResetFormat::Seconds), ("UNIX_TIMESTAMP", ResetFormat::UnixTimestamp)];
    let prefix = "retry_policy.rate_limited_retry_back_off.";
    let mut reset_headers = Vec::new();
    for item in inner.get("reset_headers").and_then(|node| value::list(node, problems)).unwrap_or(&[]) {
        let Some(mut header) = Reader::of(item, "a reset header", problems) else { continue };
        let name = header.need("name", problems).and_then(|node| value::text(node, problems));
        let format = header.word("format", &formats, problems).unwrap_or(ResetFormat::Seconds);
        finish(&header, &[&envoy_fields::RESET_HEADER], &format!("{prefix}reset_headers."), problems);
        reset_headers.extend(name.map(|name| ResetHeader { name: name.to_lowercase(), format }));
    }
    let max_interval = inner.span("max_interval", problems).unwrap_or(RESET_MAX);
    finish(&inner, &[&envoy_fields::RATE_LIMITED], prefix, problems);
    Some(RateLimitedBackOff { reset_headers, max_interval })
}
