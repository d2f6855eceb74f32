//! `scsim explain`: a small manual that needs no network.
//!
//! One entry per metric, fault and often-asked field. A test holds the list of metrics against
//! the expectation language.

use std::fmt::Write as _;

use super::Exit;
use super::args::ExplainArgs;
use super::console;
use super::console::Console;
use super::console::complain;

/// A page.
struct Page {
    word: &'static str,
    kind: Kind,
    text: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Metric,
    Fault,
    Field,
}

const fn metric(word: &'static str, text: &'static str) -> Page {
    Page { word, kind: Kind::Metric, text }
}
const fn fault(word: &'static str, text: &'static str) -> Page {
    Page { word, kind: Kind::Fault, text }
}
const fn field(word: &'static str, text: &'static str) -> Page {
    Page { word, kind: Kind::Field, text }
}

const PAGES: &[Page] = &[
    metric("requests", "Requests from outside that came to an end, per replication.\nIn result files: requests."),
    metric(
        "error_rate",
        "Failed requests over all requests. A request fails if it gets no answer or a status of 500 or above.\nWritten with a percent sign: error_rate < 0.1%. In result files a fraction.",
    ),
    metric(
        "failed_requests",
        "Requests that failed, per replication. `failed_requests == 0` must hold in every replication, not just on average.",
    ),
    metric("success_rate", "One less the error rate."),
    metric("goodput", "Successful requests per second of the window: goodput > 190/s. In result files: goodput_rps."),
    metric(
        "mean",
        "Mean latency of successful requests, from the intended arrival to the last byte. Failures are kept apart.\nIn result files: mean_ms.",
    ),
    metric(
        "max",
        "Largest latency of a successful request. Grows with the number of requests: compare it only at equal load.",
    ),
    metric(
        "p99",
        "A percentile of successful requests' latency: p50, p90, p95, p99, p99.9, any pNN.\nThe figure comes from the pooled histogram of all replications (three significant digits), its\ninterval from the spread between replications. In result files: p99_ms, p999_ms.",
    ),
    metric("attempts_per_request", "Attempts over calls, on all edges or on the one in scope: 1 without retries."),
    metric("retries_per_request", "Attempts after the first, over calls, on all edges or on the one in scope."),
    metric(
        "ejections",
        "Ejections by outlier detection that took effect, whole run. Does not exist on planes without outlier detection.",
    ),
    metric(
        "time_to_eject",
        "Seconds from the beginning of the first fault to the first ejection after it. If nothing is ever ejected\nno limit is met. In result files: time_to_eject_s, over the replications that had one.",
    ),
    metric(
        "time_to_contain",
        "Seconds from the beginning of the first fault until the error rate is under twice its normal again.\nNormal is the rate between warm-up and fault, at least 0.1%; five buckets of the timeline are judged together.\nZero if errors never rose.",
    ),
    metric(
        "time_to_recover",
        "Seconds from the end of the first fault until the error rate is under twice its normal. Needs a fault with `for`.",
    ),
    metric("stale_window", "Longest time after a task had stopped at which somebody still dialled it, seconds."),
    metric("stale_dials", "Dials of, and sends to, tasks that had stopped."),
    metric("overflow", "Calls refused because a circuit breaker was full (response flag UO)."),
    metric(
        "panic_time",
        "Seconds during which balancers ignored health because too few endpoints were healthy, summed over routers.",
    ),
    metric("queue_max", "Longest queue in front of one task."),
    metric("cpu_max", "Highest share of a service's capacity in use over one bucket of the timeline."),
    metric("tasks_max", "Most tasks running at once, all services that are not external."),
    metric("cost_per_month", "Dollars per month. Not measured by a run."),
    metric("in_flight_mean", "Mean number of requests in a service, waiting and in work (Little's L)."),
    metric("queue_mean", "Mean number of requests that wait for a server."),
    metric("wait_share", "Share of arriving requests that had to wait for a server."),
    metric("wait_mean", "Mean time in the queue over all requests served, those that did not wait included."),
    metric("utilization", "Busy share of servers. Needs `concurrency`."),
    fault("crash", "The process is gone without notice: connections are reset, ECS replaces the task."),
    fault("stop", "StopTask: SIGTERM, drain, SIGKILL after stop_timeout; ECS replaces the task."),
    fault(
        "wedge",
        "Health checks pass, real requests are answered `status` at once (default 503).\nThe status decides the story: 503 is in Service Connect's retry set, a plain 500 is not.",
    ),
    fault("grey", "`wedge` for a share (`rate`) of the requests."),
    fault(
        "errors",
        "A share (`rate`) of requests is answered `status` after its work. Deep health checks fail with the same probability.",
    ),
    fault("hang", "Accepts connections and never answers, probes included. Only time-outs end it."),
    fault("slow", "Service time times `factor`, or plus `latency`."),
    fault("reset", "Accepts connections and resets them."),
    fault("refuse", "The port is closed: connections are refused at once."),
    field(
        "expect.that",
        "[plane.]metric op value, or plane.metric op plane.metric.\nHolds if the whole confidence interval satisfies it, fails if the whole interval violates it, is inconclusive\notherwise. Plane against plane is judged on the paired difference: all planes see the same arrivals,\nservice times and faults.",
    ),
    field(
        "expect.during",
        "all (default), warm, fault, after, deploy, the name of a fault, or [\"60s\", \"90s\"]: by the time of arrival.",
    ),
    field(
        "expect.over",
        "mean (default): judged by the interval of the mean. every-replication: each one must satisfy it.",
    ),
    field("expect.severity", "error (default) fails the command; warn is only shown (see --fail-on)."),
    field("run.replications", "Runs per plane. Each replication has its own random numbers, shared by all planes."),
    field(
        "run.precision",
        "Instead of replications: run until the intervals of mean latency and error rate are this narrow, up to\nmax_replications.",
    ),
    field("run.warmup", "Requests that arrive this early are left out of every metric."),
    field(
        "service.calls",
        "What a service calls: [\"a\", [\"b\", \"c\"]] means a, then b and c at once. Each name needs its [service.NAME].",
    ),
    field(
        "outlier_detection.consecutive_5xx",
        "Answers of 500 and above in a row that eject an endpoint. Envoy's default is 5; 0 switches it off.",
    ),
    field(
        "outlier_detection.interval",
        "Time between sweeps. Ejection is immediate; an ejected endpoint returns only at a sweep.",
    ),
    field(
        "outlier_detection.max_ejection_percent",
        "Largest share of endpoints out at once. With Envoy's default of 10 nobody is ejected below ten endpoints,\nunless always_eject_one_host is set.",
    ),
    field(
        "retry_policy.num_retries",
        "Attempts after the first. Bounded further by circuit_breakers.max_retries and the request time-out.",
    ),
];

/// Prints a page, or the list of them.
pub fn explain(console: &Console, args: &ExplainArgs) -> Exit {
    let Some(word) = args.word.as_deref() else {
        return console::print(&index(&[Kind::Metric, Kind::Fault, Kind::Field]));
    };
    let wanted = word.trim().replace('-', "_").to_lowercase();
    match wanted.as_str() {
        "metrics" => return console::print(&index(&[Kind::Metric])),
        "faults" => return console::print(&index(&[Kind::Fault])),
        "fields" => return console::print(&index(&[Kind::Field])),
        _ => {}
    }
    let found: Vec<&Page> = PAGES.iter().filter(|page| matches(page, &wanted)).collect();
    if found.is_empty() {
        let hint = super::loading::did_you_mean(word, PAGES.iter().map(|page| page.word));
        complain(&format!("error: nothing is known about `{word}`{hint}"));
        console.say("all words: scsim explain");
        return Exit::Usage;
    }
    let pages: Vec<String> = found.iter().map(|page| full(page)).collect();
    console::print(&pages.join("\n"))
}

/// A word names a page in full, by its result-file key, or by the last part of a field.
fn matches(page: &Page, wanted: &str) -> bool {
    if page.word.eq_ignore_ascii_case(wanted) {
        return true;
    }
    match page.kind {
        Kind::Metric => {
            let is_percentile =
                wanted.strip_prefix('p').is_some_and(|rest| rest.trim_end_matches("_ms").parse::<f64>().is_ok());
            (page.word == "p99" && is_percentile)
                || ["_ms", "_s", "_rps"].iter().any(|unit| wanted.strip_suffix(unit) == Some(page.word))
        }
        Kind::Fault => false,
        Kind::Field => page.word.rsplit('.').next() == Some(wanted) || wanted.ends_with(&format!(".{}", page.word)),
    }
}

fn full(page: &Page) -> String {
    let kind = match page.kind {
        Kind::Metric => "metric",
        Kind::Fault => "fault",
        Kind::Field => "field",
    };
    let text: Vec<String> = page.text.lines().map(|line| format!("  {line}\n")).collect();
    format!("{} ({kind})\n{}", page.word, text.concat())
}

fn index(kinds: &[Kind]) -> String {
    let mut out = String::new();
    for &kind in kinds {
        let title = match kind {
            Kind::Metric => "metrics",
            Kind::Fault => "faults",
            Kind::Field => "fields",
        };
        let _ = writeln!(out, "{title}");
        for page in PAGES.iter().filter(|page| page.kind == kind) {
            let line = page.text.lines().next().unwrap_or_default();
            let _ = writeln!(out, "  {:<24} {line}", page.word);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure;
    use crate::scenario::Metric;

    #[test]
    fn every_metric_has_a_page() {
        for metric in [
            Metric::Requests,
            Metric::ErrorRate,
            Metric::FailedRequests,
            Metric::SuccessRate,
            Metric::Goodput,
            Metric::Mean,
            Metric::Max,
            Metric::Percentile(0.999),
            Metric::AttemptsPerRequest,
            Metric::RetriesPerRequest,
            Metric::Ejections,
            Metric::TimeToEject,
            Metric::TimeToContain,
            Metric::TimeToRecover,
            Metric::StaleWindow,
            Metric::StaleDials,
            Metric::Overflow,
            Metric::PanicTime,
            Metric::QueueMax,
            Metric::CpuMax,
            Metric::TasksMax,
            Metric::CostPerMonth,
            Metric::InFlightMean,
            Metric::QueueMean,
            Metric::WaitShare,
            Metric::WaitMean,
            Metric::Utilization,
        ] {
            let name = figure::name(metric);
            assert!(PAGES.iter().any(|page| page.kind == Kind::Metric && matches(page, &name)), "{name}");
        }
    }

    #[test]
    fn words_are_found_in_the_forms_people_use() {
        for (wanted, word) in
            [("p99.9", "p99"), ("time_to_eject_s", "time_to_eject"), ("interval", "outlier_detection.interval")]
        {
            assert!(PAGES.iter().any(|page| page.word == word && matches(page, wanted)), "{wanted}");
        }
        assert!(!PAGES.iter().any(|page| matches(page, "nonsense")));
    }
}
