//! Words of what happens: faults, deployments, scaling, migrations.

use super::Form;
use super::Key;
use super::Table;
use super::key;
use super::table;
use crate::scenario::Awaited;
use crate::scenario::faults;
use crate::scenario::services::TASKS_MAX;

const LAW: Form = Form::Either(&[Form::Span, Form::Table("distribution")]);

pub(super) const TABLES: &[Table] = &[
    table("fault", "What goes wrong: whom it strikes, when, and how.", &[FAULT]).needs(&["kind"]),
    table("fault.after", "An event that is waited for, as result files name it.", &[EVENT, WAIT]).needs(&["event"]),
    table("fault.stop_when", "An event that ends a fault, as result files name it.", &[EVENT]).needs(&["event"]),
    table("deploy", "A new version of a service rolls out.", &[DEPLOY]).needs(&["at", "service"]),
    table("deploy.early_success", "COMPLETED before the last task is replaced.", &[EARLY]).needs(&["healthy_percent"]),
    table("deploy.circuit_breaker", "Too many failed tasks take the deployment back.", &[BREAKER]),
    table("deploy.circuit_breaker.threshold", "How many are too many: one of three.", &[THRESHOLD]),
    table("deploy.alarm", "Too many errors take the deployment back.", &[ALARM]).needs(&["error_rate"]),
    table("deploy.change", "What the new version changes.", &[CHANGE]),
    table("scale", "Somebody sets the number of tasks.", &[SCALE]).needs(&["at", "service", "tasks"]),
    table("scaling", "Target tracking, as in Application Auto Scaling: one of three targets.", &[SCALING])
        .needs(&["max"]),
    table("migrate", "Callers take the second path of planes with `migrate_to`.", &[MIGRATE]).needs(&["at"]),
];

fn kinds() -> Vec<&'static str> {
    faults::kinds().collect()
}

fn events() -> Vec<&'static str> {
    Awaited::EVENTS.to_vec()
}

const FAULT: &[Key] = &[
    key("name", Form::Text, "fault 1, fault 2", "A name for `during`."),
    key("kind", Form::Known(kinds), "", "What happens."),
    key(
        "target",
        Form::Text,
        "",
        "\"payments#1\", \"payments#any\", \"payments[50%]\", \"payments\", \"web->payments\", \"zone:a\", \"sidecar:web#2\", \"dns\", \"control-plane\".",
    ),
    key("at", Form::Span, "", "When it begins. One of `at`, `every` and `after`."),
    key("for", Form::Span, "to the end", "How long it lasts."),
    key("every", Form::Span, "", "Again and again, first after one period."),
    key("after", Form::Table("fault.after"), "", "It begins after an event."),
    key("stop_when", Form::Table("fault.stop_when"), "never", "An event that ends it early."),
    key("ramp", Form::Span, "0s", "Its strength grows from nothing over this time."),
    key(
        "nth",
        Form::Either(&[Form::Count(1, u32::MAX as u64), Form::List(&Form::Count(1, u32::MAX as u64))]),
        "all requests",
        "Strikes only these requests, by number.",
    ),
    key("every_nth", Form::Count(1, u32::MAX as u64), "all requests", "Strikes one request in so many."),
    key("status", Form::Count(100, 599), "503", "wedge, grey, errors: the status that is answered."),
    key(
        "rate",
        Form::Either(&[Form::Share, Form::SizePer]),
        "",
        "The share of requests, packets or processor time; bandwidth and memory-leak: a size per second or per request.",
    ),
    key("factor", Form::Number(0.001, 1e6), "1", "slow, sidecar-slow: work takes so many times as long."),
    key("latency", LAW, "", "slow, latency, dns-slow, push-delay, throttle: time on top."),
    key("jitter", Form::Span, "0s", "latency: up to so much more or less."),
    key("correlation", Form::Anything, "", "Known from tc and refused: draws are independent."),
    key(
        "direction",
        Form::Words(&["ingress", "egress", "both"]),
        "egress; packet-loss and partition: both",
        "Which packets, as the target sees them.",
    ),
    key("power", Form::Truth, "false", "az-outage: the tasks of the zone are gone, not only cut off."),
    key("notice", Form::Span, "2m", "spot-reclaim: time until what is left is killed."),
    key("pause", Form::Span, "", "gc-pause: how long nothing runs."),
    key("interval", Form::Span, "once", "gc-pause: from one pause to the next."),
    key("limit", Form::Count(0, 1_000_000), "", "connection-limit: connections that a task takes."),
    key("then", Form::Words(&["time-out", "refuse"]), "time-out", "connection-limit: what becomes of one more."),
    key("used", Form::Share, "50%", "memory-leak: memory in use before it begins."),
    key("sent", Form::Share, "100%", "cut-body: share of the answer that arrives."),
    key("delay", Form::Span, "", "reset: what has no answer by then is reset; crash-loop: from a start to its crash."),
    key("port", Form::Anything, "", "Known from FIS and refused: a task has one port here."),
];

const EVENT: &[Key] = &[
    key("event", Form::Known(events), "", "Its kind."),
    key("count", Form::Count(1, 1_000_000), "1", "The how manieth."),
    key("service", Form::Text, "any", "Of tasks of this service."),
    key("by", Form::Text, "any", "Noted by routers of this service."),
    key("task", Form::Text, "any", "About this task, \"payments#1\"."),
];
const WAIT: &[Key] = &[key("wait", Form::Span, "0s", "So much later.")];

const DEPLOY: &[Key] = &[
    key("at", Form::Span, "", "When it begins."),
    key("service", Form::Text, "", "Whose new version."),
    key(
        "strategy",
        Form::Words(&["rolling", "blue-green", "canary", "linear"]),
        "rolling",
        "Task by task, or both versions in full with the traffic shifted.",
    ),
    key(
        "minimum_healthy_percent",
        Form::Count(0, 100),
        "100",
        "rolling: healthy tasks that stay, of the desired count.",
    ),
    key("maximum_percent", Form::Count(100, 10_000), "200", "rolling: tasks that may run, of the desired count."),
    key("early_success", Form::Table("deploy.early_success"), "off", "rolling: COMPLETED before the last task."),
    key("canary_percent", Form::Share, "5%", "canary: share of the traffic that shifts first."),
    key("canary_bake_time", Form::Span, "10m", "canary: until the rest follows, at most 24h."),
    key("step_percent", Form::Share, "10%", "linear: share of the traffic that shifts at each step."),
    key("step_bake_time", Form::Span, "6m", "linear: from one step to the next, at most 24h."),
    key(
        "test_time",
        Form::Span,
        "0s",
        "blue-green, canary, linear: how long test requests alone reach the new version.",
    ),
    key("test_error_rate", Form::Share, "none", "More failed test requests than this fail the deployment."),
    key("settle", Form::Span, "30s", "From the last shift until tasks without traffic stop."),
    key("bake_time", Form::Span, "0s; blue-green needs one", "Both versions run on, and alarms still count."),
    key(
        "circuit_breaker",
        Form::Either(&[Form::Truth, Form::Table("deploy.circuit_breaker")]),
        "false",
        "Too many failed tasks take the deployment back.",
    ),
    key("alarm", Form::Table("deploy.alarm"), "none", "Too many errors take the deployment back."),
    key("rollback_at", Form::Span, "never", "When somebody stops it with ROLLBACK."),
    key("change", Form::Table("deploy.change"), "nothing", "What the new version changes."),
];

const EARLY: &[Key] = &[
    key("healthy_percent", Form::Count(0, 100), "", "New tasks that are healthy by then."),
    key("cleanup", Form::Words(&["deferred", "blocking"]), "deferred", "`blocking` waits for the old ones to go."),
];

const BREAKER: &[Key] = &[
    key("enable", Form::Truth, "true", "On at all."),
    key("rollback", Form::Truth, "true", "Back to the version before, or only stopped."),
    key("threshold", Form::Table("deploy.circuit_breaker.threshold"), "percent = 50", "How many are too many."),
    key("reset_on_healthy_task", Form::Truth, "true", "A healthy task sets the count back."),
];

const THRESHOLD: &[Key] = &[
    key("percent", Form::Count(1, 100), "50", "Of the desired count, rounded up, 3 to 200."),
    key("unbounded_percent", Form::Count(1, 100), "", "Of the desired count, rounded up."),
    key("count", Form::Count(1, 100_000), "", "So many."),
];

const ALARM: &[Key] = &[
    key("error_rate", Form::Share, "", "More failures than this in one period."),
    key("over", Form::Span, "60s", "Length of a period, at least 10s."),
    key("of", Form::Words(&["users", "service"]), "users", "Whose requests count."),
    key("rollback", Form::Truth, "true", "Back to the version before, or only stopped."),
];

const CHANGE: &[Key] = &[
    key("latency", LAW, "as before", "Own work of the new version."),
    key("errors", Form::Share, "as before", "Share of requests that it fails."),
    key("status", Form::Count(500, 599), "500", "Their status."),
    key("startup", LAW, "as before", "From RUNNING until it serves."),
    key("crash_loop", Form::Either(&[Form::Truth, Form::Span]), "false", "It dies so long after RUNNING; true is 10s."),
];

const SCALE: &[Key] = &[
    key("at", Form::Span, "", "When."),
    key("service", Form::Text, "", "Whose tasks."),
    key("tasks", Form::Count(0, TASKS_MAX), "", "How many there shall be."),
];

const SCALING: &[Key] = &[
    key("min", Form::Count(0, TASKS_MAX), "1", "Fewest tasks."),
    key("max", Form::Count(1, TASKS_MAX), "", "Most tasks."),
    key("target_cpu", Form::Share, "", "Busy share of `concurrency`, which stands for the CPU."),
    key("target_rps", Form::Rate, "", "Requests per second and task."),
    key("target_concurrency", Form::Number(0.0, 1e6), "", "Requests in a task at once."),
    key("scale_out_cooldown", Form::Span, "5m", "From one scale-out to the next."),
    key("scale_in_cooldown", Form::Span, "5m", "From one scale-in to the next."),
];

const MIGRATE: &[Key] = &[
    key("at", Form::Span, "", "When."),
    key("name", Form::Text, "step 1, step 2", "A name for `during`."),
    key("caller", Form::Text, "", "Who moves."),
    key("callers", Form::List(&Form::Text), "", "Who move."),
    key("share", Form::Share, "100%", "Share of their calls that take the second path."),
    key("back", Form::Truth, "false", "Everything goes back to the first path."),
];
