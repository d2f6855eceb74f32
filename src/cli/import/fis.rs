//! An AWS FIS experiment template as `[[fault]]` tables.
//!
//! *Knows* the actions that mean something to a scenario, ISO 8601 durations, `startAfter` chains and
//! how FIS selects targets. *Does not know* the scenario it will belong to: services and zones are
//! checked when that is read.
//! Sources: FIS User Guide, "Actions reference" and "Targets" (documented); defaults of parameters as given there.

use crate::scenario::quoted;
use crate::units::Span;
use serde_json::Map;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Longest experiment that FIS runs is 12 h; anything beyond a week is a slip.
const DURATION_MAX: Span = Span::from_secs(7 * 86_400);

/// What became of a template.
#[derive(Debug)]
pub struct Found {
    /// The tables.
    pub toml: String,
    /// Actions understood, waits included.
    pub read: usize,
    /// Faults written.
    pub faults: usize,
    /// Actions not understood, and why.
    pub unread: Vec<(String, String)>,
}

/// One table to write.
struct Table {
    at: Span,
    name: String,
    lines: Vec<String>,
    notes: Vec<String>,
}

/// What an action's target comes to.
struct Aim {
    /// As a scenario writes it: `payments[2]`, `zone:a`.
    target: String,
    /// The zone alone, if it was named.
    zone: Option<String>,
    notes: Vec<String>,
}

/// Reads a template. `service` stands in where the template names none.
///
/// # Errors
/// What makes it no template, with the place.
pub fn read(text: &str, file: &str, service: Option<&str>, starts: Span) -> Result<Found, String> {
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| format!("{file}:{}:{}: this is not JSON: {error}", error.line(), error.column()))?;
    // What `aws fis get-experiment-template` prints has the template one level down.
    let template = value.get("experimentTemplate").unwrap_or(&value);
    let actions = template
        .get("actions")
        .and_then(Value::as_object)
        .ok_or_else(|| format!("{file}: no FIS experiment template: it has no \"actions\""))?;
    let empty = Map::new();
    let targets = template.get("targets").and_then(Value::as_object).unwrap_or(&empty);
    let (mut tables, mut unread, mut read) = (Vec::new(), Vec::new(), 0);
    for (name, action) in actions {
        let id = text_of(action, "actionId");
        let outcome = begins(name, actions, 0).and_then(|after| Ok((after, table(id, action, targets, service)?)));
        match outcome {
            Ok((after, made)) => {
                read += 1;
                if let Some((lines, notes)) = made {
                    tables.push(Table { at: starts + after, name: name.clone(), lines, notes });
                }
            }
            Err(why) => unread.push((format!("{name} ({id})"), why)),
        }
    }
    tables.sort_by(|a, b| (a.at, &a.name).cmp(&(b.at, &b.name)));
    let faults = tables.len();
    Ok(Found { toml: written(file, template, &tables, &unread, read), read, faults, unread })
}

fn written(file: &str, template: &Value, tables: &[Table], unread: &[(String, String)], read: usize) -> String {
    let mut out = format!("# From the FIS experiment template {}\n", comment(file));
    let description = text_of(template, "description");
    if !description.is_empty() {
        let _ = writeln!(out, "# {}", comment(description));
    }
    let _ = writeln!(out, "# {read} of {} actions read.", read + unread.len());
    for (action, why) in unread {
        let _ = writeln!(out, "# Not read: {}: {}", comment(action), comment(why));
    }
    for condition in template.get("stopConditions").and_then(Value::as_array).into_iter().flatten() {
        let source = text_of(condition, "source");
        if source != "none" {
            let value = text_of(condition, "value");
            let _ = writeln!(
                out,
                "# Stop condition {} {}: no alarm stops a fault here; an event does, stop_when = {{ event = \"ejected\" }}",
                comment(source),
                comment(value)
            );
        }
    }
    for table in tables {
        out.push('\n');
        for note in &table.notes {
            let _ = writeln!(out, "# {}", comment(note));
        }
        let _ = writeln!(out, "[[fault]]\nname   = {}\nat     = \"{}\"", quoted(&name(&table.name)), table.at);
        for line in &table.lines {
            let _ = writeln!(out, "{line}");
        }
    }
    out
}

/// When an action begins after the experiment did: when all it starts after are over.
fn begins(name: &str, actions: &Map<String, Value>, depth: usize) -> Result<Span, String> {
    if depth > actions.len() {
        return Err("its `startAfter` goes round in a circle".to_owned());
    }
    let action = actions.get(name).ok_or_else(|| format!("it starts after `{name}`, which is not there"))?;
    let mut latest = Span::ZERO;
    for earlier in action.get("startAfter").and_then(Value::as_array).into_iter().flatten() {
        let earlier = earlier.as_str().ok_or("`startAfter` is no list of names")?;
        let begun = begins(earlier, actions, depth + 1)?;
        let lasted = actions.get(earlier).map_or(Ok(None), duration)?.unwrap_or(Span::ZERO);
        latest = latest.max(begun + lasted);
    }
    Ok(latest)
}

fn duration(action: &Value) -> Result<Option<Span>, String> {
    match parameter(action, "duration") {
        None => Ok(None),
        Some(text) => iso8601(&text).map(Some),
    }
}

/// `PT1M`, `PT1H30M`, `P1DT2H`, `PT0.5S`.
fn iso8601(text: &str) -> Result<Span, String> {
    let wrong = || format!("`{text}` is no duration like PT1M");
    let rest = text.strip_prefix('P').ok_or_else(wrong)?;
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    let mut seconds = 0.0;
    let mut parts = 0;
    for (part, units) in
        [(days, &[('D', 86_400.0), ('W', 604_800.0)][..]), (time, &[('H', 3600.0), ('M', 60.0), ('S', 1.0)])]
    {
        let mut rest = part;
        while let Some(end) = rest.find(|c: char| c.is_ascii_alphabetic()) {
            let (_, length) = units.iter().find(|(unit, _)| rest[end..].starts_with(*unit)).ok_or_else(wrong)?;
            let number: f64 = rest[..end].parse().map_err(|_| wrong())?;
            seconds += number * length;
            parts += 1;
            rest = &rest[end + 1..];
        }
        if !rest.is_empty() {
            return Err(wrong());
        }
    }
    if parts == 0 || !(0.0..=DURATION_MAX.as_secs_f64()).contains(&seconds) {
        return Err(wrong());
    }
    Ok(Span::from_secs_f64(seconds))
}

type Lines = (Vec<String>, Vec<String>);

/// The lines of an action's table, and what to say of it; `None` if it only passes the time.
fn table(
    id: &str,
    action: &Value,
    targets: &Map<String, Value>,
    service: Option<&str>,
) -> Result<Option<Lines>, String> {
    if id == "aws:fis:wait" {
        return duration(action)?.map(|_| None).ok_or_else(|| "it does not say how long".to_owned());
    }
    let aim = || aim(action, targets, service);
    let kind = |kind: &str| format!("kind   = \"{kind}\"");
    let (aim, mut lines) = match id {
        "aws:ecs:stop-task" => (aim()?, vec![kind("stop")]),
        "aws:ecs:drain-container-instances" => {
            let mut aim = aim()?;
            let share = percent(action, "drainagePercentage", 100.0)?;
            if aim.zone.is_none() {
                let base = aim.target.split(['#', '[']).next().unwrap_or_default().to_owned();
                aim.target = format!("{base}[{share}%]");
            }
            (aim, vec![kind("stop")])
        }
        "aws:ecs:task-kill-process" => match parameter(action, "signal").as_deref() {
            Some("SIGSTOP" | "STOP") => (aim()?, vec![kind("freeze")]),
            _ => (aim()?, vec![kind("crash")]),
        },
        "aws:ec2:terminate-instances" | "aws:ec2:stop-instances" | "aws:ec2:reboot-instances" => {
            (aim()?, vec![kind("crash")])
        }
        "aws:ec2:send-spot-instance-interruptions" => {
            let notice =
                parameter(action, "durationBeforeInterruption").map_or(Ok(Span::from_secs(120)), |t| iso8601(&t));
            (aim()?, vec![kind("spot-reclaim"), format!("notice = \"{}\"", notice?)])
        }
        "aws:ecs:task-cpu-stress" => cpu(aim()?, percent(action, "percent", 100.0)?),
        "aws:ecs:task-network-latency" => latency(aim()?, action)?,
        "aws:ecs:task-network-packet-loss" => {
            let mut aim = aim()?;
            flows(action, &mut aim.notes)?;
            match percent(action, "lossPercent", 7.0)? {
                share if share >= 100.0 => (aim, vec![kind("partition")]),
                share => (aim, vec![kind("packet-loss"), format!("rate   = \"{share}%\"")]),
            }
        }
        "aws:ecs:task-network-blackhole-port" => {
            let mut aim = aim()?;
            let port = parameter(action, "port").unwrap_or_default();
            aim.notes.push(format!("port {port}: a task has one port here, so all its packets are lost"));
            let traffic = parameter(action, "trafficType").unwrap_or_default();
            let mut lines = vec![kind("blackhole")];
            match traffic.as_str() {
                "ingress" | "egress" => lines.push(format!("direction = \"{traffic}\"")),
                other => return Err(format!("`trafficType` is ingress or egress, not `{other}`")),
            }
            (aim, lines)
        }
        "aws:network:disrupt-connectivity" => disrupt(action, targets, service)?,
        "aws:fis:inject-api-throttle-error"
        | "aws:fis:inject-api-unavailable-error"
        | "aws:fis:inject-api-internal-error" => {
            return api_errors(action);
        }
        "aws:ecs:task-io-stress" => {
            return Err("disks are not modelled; what requests feel of it is kind = \"slow\"".to_owned());
        }
        "" => return Err("it has no actionId".to_owned()),
        _ => return Err("scsim has no fault like this action".to_owned()),
    };
    let strokes = ["\"stop\"", "\"crash\"", "\"spot-reclaim\""];
    let stroke = lines.first().is_some_and(|kind| strokes.iter().any(|word| kind.contains(word)));
    if let Some(lasts) = duration(action)?.filter(|_| !stroke) {
        lines.insert(0, format!("for    = \"{lasts}\""));
    }
    let kind_at = lines.iter().position(|line| line.starts_with("kind")).unwrap_or(0);
    lines.insert(kind_at, format!("target = {}", quoted(&aim.target)));
    let mut notes = vec![format!("{id}{}", description(action))];
    notes.extend(aim.notes);
    Ok(Some((lines, notes)))
}

fn description(action: &Value) -> String {
    match text_of(action, "description") {
        "" => String::new(),
        text => format!(": {text}"),
    }
}

/// A stressor that wants this share of every processor shares with the task in the scheduler's fair way:
/// while it runs the task has half.
fn cpu(mut aim: Aim, share: f64) -> (Aim, Vec<String>) {
    let taken = (share / 2.0).clamp(0.0, 99.0);
    aim.notes
        .push(format!("a stressor at {share} % takes half of what it wants from a task that wants the rest: a guess"));
    (aim, vec!["kind   = \"cpu\"".to_owned(), format!("rate   = \"{taken}%\"")])
}

fn latency(mut aim: Aim, action: &Value) -> Result<(Aim, Vec<String>), String> {
    flows(action, &mut aim.notes)?;
    let delay = whole(action, "delayMilliseconds", 200)?;
    let jitter = whole(action, "jitterMilliseconds", 10)?;
    let lines =
        vec!["kind   = \"latency\"".to_owned(), format!("latency = \"{delay}ms\""), format!("jitter = \"{jitter}ms\"")];
    Ok((aim, lines))
}

fn flows(action: &Value, notes: &mut Vec<String>) -> Result<(), String> {
    let share = percent(action, "flowsPercent", 100.0)?;
    if share < 100.0 {
        notes.push(format!("flowsPercent {share}: all connections are hit here"));
    }
    if let Some(sources) = parameter(action, "sources").filter(|sources| sources != "0.0.0.0/0") {
        notes.push(format!(
            "sources {sources}: all peers are hit here; one caller's packets are target = \"web->payments\""
        ));
    }
    Ok(())
}

fn disrupt(action: &Value, targets: &Map<String, Value>, service: Option<&str>) -> Result<(Aim, Vec<String>), String> {
    let scope = parameter(action, "scope").unwrap_or_else(|| "all".to_owned());
    let kind = match scope.as_str() {
        "availability-zone" => "az-outage",
        "all" | "vpc" => "partition",
        other => return Err(format!("scope `{other}` is about traffic that no scenario has")),
    };
    let aim = aim(action, targets, service)?;
    if aim.zone.is_none() {
        return Err("its subnets name no zone; add a filter on AvailabilityZone".to_owned());
    }
    Ok((aim, vec![format!("kind   = \"{kind}\"")]))
}

/// Only what the control planes of discovery hear matters to requests.
fn api_errors(action: &Value) -> Result<Option<Lines>, String> {
    let service = parameter(action, "service").unwrap_or_default();
    if !matches!(service.as_str(), "ecs" | "servicediscovery") {
        return Err(format!(
            "calls to the API of `{service}` are not modelled; registrations that come late are kind = \"throttle\""
        ));
    }
    let mut lines = vec!["kind   = \"throttle\"".to_owned(), "latency = \"30s\"".to_owned()];
    if let Some(lasts) = duration(action)? {
        lines.insert(0, format!("for    = \"{lasts}\""));
    }
    let note = "API errors make registrations late; 30 s is a guess".to_owned();
    Ok(Some((lines, vec![format!("{}{}", text_of(action, "actionId"), description(action)), note])))
}

/// Whom an action is aimed at, in the words of a scenario.
fn aim(action: &Value, targets: &Map<String, Value>, service: Option<&str>) -> Result<Aim, String> {
    let named = action.get("targets").and_then(Value::as_object).and_then(|map| map.values().next());
    let name = named.and_then(Value::as_str).ok_or("it has no target")?;
    let spec = targets.get(name).ok_or_else(|| format!("the target `{name}` is not in the template"))?;
    let mut notes = Vec::new();
    let tags: BTreeMap<&str, &str> = spec
        .get("resourceTags")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
        .collect();
    if !tags.is_empty() {
        let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        notes.push(format!("tags {}: a scenario has none", tags.join(", ")));
    }
    let zone = zone_of(spec, &mut notes);
    let own = spec.get("parameters").map(|parameters| text_of(parameters, "service")).filter(|name| !name.is_empty());
    // A service may be given by its ARN.
    let service = own.map(|name| name.rsplit('/').next().unwrap_or(name)).or(service);
    let mode = text_of(spec, "selectionMode");
    if let Some(zone) = zone {
        if mode != "ALL" && !mode.is_empty() {
            notes.push(format!("{mode} of the zone: all of it is hit here"));
        }
        if let Some(service) = service {
            notes.push(format!("only {service} in the template: every service of the zone is hit here"));
        }
        return Ok(Aim { target: format!("zone:{zone}"), zone: Some(zone), notes });
    }
    let service = service.ok_or("it names no service; give one with --service NAME")?;
    let inner = |prefix: &str| mode.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(')')).map(str::trim);
    let target = if mode == "ALL" || mode.is_empty() {
        service.to_owned()
    } else if let Some(count) = inner("COUNT(").and_then(|count| count.parse::<u32>().ok()).filter(|count| *count > 0) {
        if count == 1 { format!("{service}#any") } else { format!("{service}[{count}]") }
    } else if let Some(share) =
        inner("PERCENT(").and_then(|share| share.parse::<u32>().ok()).filter(|s| (1..=100).contains(s))
    {
        format!("{service}[{share}%]")
    } else {
        return Err(format!("`{mode}` is no selectionMode"));
    };
    Ok(Aim { target, zone: None, notes })
}

/// The zone that a filter names, by its letter: `eu-west-1a` is zone a.
fn zone_of(spec: &Value, notes: &mut Vec<String>) -> Option<String> {
    let filters = spec.get("filters").and_then(Value::as_array)?;
    let filter = filters.iter().find(|filter| {
        matches!(text_of(filter, "path"), "AvailabilityZone" | "Placement.AvailabilityZone" | "AvailabilityZoneId")
    })?;
    let values: Vec<&str> =
        filter.get("values").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let first = values.first().copied().unwrap_or_default();
    if values.len() > 1 {
        notes.push(format!("zones {}: only the first; write a fault for each", values.join(", ")));
    }
    let letter = first.chars().last().filter(char::is_ascii_lowercase);
    let regular = first.contains('-') && first.chars().rev().nth(1).is_some_and(|c| c.is_ascii_digit());
    if let (Some(letter), true) = (letter, regular) {
        return Some(letter.to_string());
    }
    notes.push(format!("the template names the zone {first}: a is put in its place"));
    Some("a".to_owned())
}

fn text_of<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A parameter as text; FIS writes numbers in quotes, people do not always.
fn parameter(action: &Value, key: &str) -> Option<String> {
    match action.get("parameters")?.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn percent(action: &Value, key: &str, default: f64) -> Result<f64, String> {
    match parameter(action, key) {
        None => Ok(default),
        Some(text) => match text.trim().parse::<f64>() {
            Ok(share) if (0.0..=100.0).contains(&share) => Ok(share),
            _ => Err(format!("`{key}` is a percentage, not `{text}`")),
        },
    }
}

fn whole(action: &Value, key: &str, default: u64) -> Result<u64, String> {
    match parameter(action, key) {
        None => Ok(default),
        Some(text) => text.trim().parse().map_err(|_| format!("`{key}` is a whole number, not `{text}`")),
    }
}

/// A name that `during` can use.
fn name(action: &str) -> String {
    match action {
        "all" | "warm" | "fault" | "after" | "deploy" => format!("fis-{action}"),
        _ => action.to_owned(),
    }
}

/// One line of a comment, whatever it holds.
fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::LoadOptions;
    use crate::scenario::parse;

    const IMPAIRMENT: &str = include_str!("../../../tests/data/fis-az-impairment.json");

    /// The template with a scenario around it.
    fn loads(toml: &str) -> Vec<crate::scenario::Fault> {
        let text = format!(
            "[run]\nduration = \"30m\"\n[service.web]\nzones = [\"a\", \"b\"]\ntasks = 4\ncalls = [\"payments\"]\n\
             [service.payments]\ntasks = 6\nzones = [\"a\", \"b\"]\nlatency = \"5ms\"\n[load]\nrate = \"10/s\"\n{toml}"
        );
        parse("t", &text, std::path::Path::new("."), &LoadOptions::default()).unwrap().scenario.faults
    }

    #[test]
    fn an_az_impairment_becomes_faults_at_the_right_times() {
        let found = read(IMPAIRMENT, "t.json", None, Span::from_secs(60)).unwrap();
        assert_eq!((found.read, found.faults, found.unread.len()), (5, 4, 1));
        let faults = loads(&found.toml);
        let of = |name: &str| faults.iter().find(|fault| fault.name == name).unwrap();
        let begins = |name: &str| of(name).when.begins().unwrap().since(crate::units::Time::ZERO).as_millis();
        assert_eq!(of("cut-zone").kind.name(), "az-outage");
        assert_eq!(of("cut-zone").when.lasts(), Some(Span::from_secs(900)));
        assert_eq!(of("lose-packets").kind.name(), "partition");
        // One minute into the run, one minute of waiting.
        assert_eq!((begins("cut-zone"), begins("stop-tasks")), (60_000, 120_000));
        assert_eq!(of("slow-half").kind.name(), "latency");
        // It starts after the outage of a quarter of an hour.
        assert_eq!(begins("slow-half"), 960_000);
        assert!(found.unread[0].0.starts_with("fill-disk"), "{:?}", found.unread);
        assert!(found.toml.contains("# Stop condition aws:cloudwatch:alarm"), "{}", found.toml);
    }

    #[test]
    fn every_action_of_ecs_is_read_or_says_why_not() {
        let template = |id: &str, parameters: &str| {
            format!(
                "{{\"actions\":{{\"x\":{{\"actionId\":\"{id}\",\"parameters\":{{{parameters}}},\"targets\":{{\"Tasks\":\"t\"}}}}}},\
                 \"targets\":{{\"t\":{{\"selectionMode\":\"COUNT(2)\"}}}}}}"
            )
        };
        for (id, parameters, kind) in [
            ("aws:ecs:stop-task", "", "stop"),
            ("aws:ecs:task-kill-process", "\"signal\":\"SIGKILL\"", "crash"),
            ("aws:ecs:task-kill-process", "\"signal\":\"SIGSTOP\",\"duration\":\"PT10S\"", "freeze"),
            ("aws:ecs:task-cpu-stress", "\"percent\":\"80\",\"duration\":\"PT1M\"", "cpu"),
            ("aws:ecs:task-network-latency", "\"delayMilliseconds\":\"100\",\"duration\":\"PT1M\"", "latency"),
            ("aws:ecs:task-network-packet-loss", "\"lossPercent\":\"40\",\"duration\":\"PT1M\"", "packet-loss"),
            ("aws:ecs:task-network-blackhole-port", "\"port\":\"80\",\"trafficType\":\"egress\"", "partition"),
            ("aws:ec2:send-spot-instance-interruptions", "\"durationBeforeInterruption\":\"PT2M\"", "spot-reclaim"),
        ] {
            let found = read(&template(id, parameters), "t", Some("payments"), Span::ZERO).unwrap();
            let faults = loads(&found.toml);
            assert_eq!(faults[0].kind.name(), kind, "{id}: {}", found.toml);
            assert!(found.toml.contains("target = \"payments[2]\""), "{}", found.toml);
        }
        for (id, parameters) in [
            ("aws:ecs:task-io-stress", ""),
            ("aws:eks:pod-delete", ""),
            ("aws:ecs:task-network-packet-loss", "\"lossPercent\":\"400\""),
            ("aws:ecs:task-network-latency", "\"duration\":\"5 minutes\""),
        ] {
            let found = read(&template(id, parameters), "t", Some("payments"), Span::ZERO).unwrap();
            assert_eq!((found.faults, found.unread.len()), (0, 1), "{id}");
        }
    }

    #[test]
    fn durations_are_iso_8601() {
        let seconds = |text: &str| iso8601(text).map(Span::as_millis);
        assert_eq!(seconds("PT1M"), Ok(60_000));
        assert_eq!(seconds("PT1H30M0.5S"), Ok(5_400_500));
        assert_eq!(seconds("P1DT2H"), Ok(93_600_000));
        for wrong in ["", "PT", "1M", "PT5", "PTM", "PT1D", "PT-5S", "P99999W"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn circles_missing_targets_and_no_json_are_told() {
        let circle = "{\"actions\":{\"a\":{\"actionId\":\"aws:fis:wait\",\"startAfter\":[\"b\"],\"parameters\":{\"duration\":\"PT1M\"}},\
                      \"b\":{\"actionId\":\"aws:fis:wait\",\"startAfter\":[\"a\"],\"parameters\":{\"duration\":\"PT1M\"}}}}";
        let found = read(circle, "t", None, Span::ZERO).unwrap();
        assert!(found.unread.iter().all(|(_, why)| why.contains("circle")), "{:?}", found.unread);
        assert!(read("{\n\"actions\": oops}", "t.json", None, Span::ZERO).unwrap_err().starts_with("t.json:2:"));
        assert!(read("[]", "t.json", None, Span::ZERO).unwrap_err().contains("no FIS experiment template"));
    }
}
