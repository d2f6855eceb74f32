//! The pages of `scsim explain` about faults: what each kind does and what one may say about it.
//!
//! *Knows* words and their meaning. *Does not know* how a page is found or printed.

use super::pages::Kind;
use super::pages::Page;
use super::pages::fault;

const fn field(word: &'static str, text: &'static str) -> Page {
    Page { word, kind: Kind::Field, text }
}

/// Other words for a kind.
pub fn aliases(word: &str) -> &'static [&'static str] {
    match word {
        "packet-loss" => &["loss"],
        "partition" => &["blackhole"],
        "dns-freeze" => &["dns-stale"],
        "push-freeze" => &["control-plane-loss"],
        _ => &[],
    }
}

/// Every page.
pub const FAULTS: &[Page] = &[
    fault("crash", "The process is gone without notice: connections are reset, ECS replaces the task."),
    fault(
        "crash-loop",
        "The tasks of a service or zone crash, and so does each that takes their place, `delay` after its start,\nuntil the fault is over.",
    ),
    fault("stop", "StopTask: SIGTERM, drain, SIGKILL after stop_timeout; ECS replaces the task."),
    fault(
        "spot-reclaim",
        "AWS takes the capacity back: the stop begins at once, and `notice` (default 2m) later what is left is killed.",
    ),
    fault(
        "wedge",
        "Health checks pass, real requests are answered `status` at once (default 503).\nThe status decides the story: 503 is in Service Connect's retry set, a plain 500 is not.\nnth = [3, 9] or every_nth = 10 strikes single requests.",
    ),
    fault("grey", "`wedge` for a share (`rate`) of the requests, or for those that `nth` or `every_nth` name."),
    fault(
        "errors",
        "A share (`rate`) of requests is answered `status` after its work. Deep health checks fail with the same probability.\nnth or every_nth in place of rate strikes single requests.",
    ),
    fault(
        "hang",
        "Accepts connections and never answers, probes included. Only time-outs end it.\nnth and every_nth strike single requests.",
    ),
    fault(
        "slow",
        "Service time times `factor`, or plus `latency`. ramp = \"30s\" grows into it; nth and every_nth strike single requests.",
    ),
    fault(
        "cpu",
        "Others use `rate` of the task's processor: work takes 1 / (1 - rate) times as long. rate = \"80%\" is five times.",
    ),
    fault("reset", "Accepts connections and resets them; with `delay`, resets what has no answer after that time."),
    fault("refuse", "The port is closed: connections are refused at once."),
    fault(
        "connection-limit",
        "A task takes `limit` connections. One more gets no answer to its SYN (then = \"time-out\", as Linux does with a full\nbacklog), or is refused (then = \"refuse\"). Behind a sidecar the limit is one of requests under way.",
    ),
    fault(
        "cut-body",
        "The headers of an answer come and its body breaks off, for a share `rate` (default all). Nobody retries: the\nheaders were passed on. The call fails with flag UC. sent = \"50%\" is how much comes first, where bandwidth matters.",
    ),
    fault(
        "gc-pause",
        "The app stands still for `pause`: work, answers and health checks wait, the kernel accepts. `interval` repeats it\nwhile the fault is on (spread over several tasks, not in step); `every` repeats the fault.",
    ),
    fault("freeze", "SIGSTOP: a pause for as long as the fault is on. Connections are accepted, nothing is answered."),
    fault(
        "memory-leak",
        "Memory grows by rate = \"1MiB/s\" or rate = \"10KiB/request\" from `used` (default 50%) of the task's memory until the\nkernel kills it. A replacement starts with a clean slate, and leaks again if its whole service does.",
    ),
    fault(
        "latency",
        "Messages take `latency` longer, plus or minus `jitter` (uniform). direction = \"egress\" (default: what the target\nsends, once per round trip, as tc netem does), \"ingress\" or \"both\".\nOn an edge the target is the callee: ingress are requests.",
    ),
    fault(
        "packet-loss",
        "A share `rate` of packets is lost and sent again when TCP's timer fires: after 200 ms, doubling; a SYN after 1 s.\nA message is as many packets as its bytes need, one at least. Fast retransmit is left out. Also called loss.",
    ),
    fault(
        "partition",
        "Every packet is lost: connections time out, requests hang. What is under way when it ends arrives with its next\nretransmission. direction = \"both\" (default), \"ingress\", \"egress\". Also called blackhole.",
    ),
    fault(
        "bandwidth",
        "The target's link carries rate = \"10MiB/s\" and no more, one message after the other; each task has its own link.\nNeeds sizes: steps = [{ call = \"b\", request = \"4KiB\", response = \"64KiB\" }].",
    ),
    fault(
        "az-outage",
        "zone:a is cut off from the other zones; inside it all goes on, and DNS answers. Users enter elsewhere, ECS starts\nno task there. power = true: its tasks die too. An ALB node of the zone stays in its clients' lists.",
    ),
    fault("dns-freeze", "DNS goes on showing what it shows. target = \"dns\", or none. Also called dns-stale."),
    fault("dns-fail", "Every look-up fails (SERVFAIL). Connections that stand are not touched."),
    fault("dns-slow", "Every look-up takes `latency` longer."),
    fault(
        "push-freeze",
        "No list of endpoints reaches a proxy; what it has serves on. target = \"control-plane\", or none.\nAlso called control-plane-loss.",
    ),
    fault("push-delay", "Every push of endpoints takes `latency` longer."),
    fault("throttle", "Registrations of new tasks take effect `latency` later, as when the API throttles."),
    fault(
        "namespace-deleted",
        "The Cloud Map namespace is gone: running proxies go on, tasks that start resolve nothing.",
    ),
    fault(
        "sidecar-crash",
        "The proxy of a task dies with its connections; its agent starts it again. target = \"sidecar:web#2\".",
    ),
    fault("sidecar-slow", "The proxy of a task needs `factor` times its processor time. target = \"sidecar:web\"."),
    fault(
        "cert-expiry",
        "New TLS handshakes with the target fail; connections that stand go on. Needs [network] tls = true.",
    ),
    fault(
        "goaway",
        "The target ends its connections gracefully: requests under way finish, new ones need a new connection.",
    ),
    field(
        "fault.target",
        "\"payments#1\", \"payments#any\" (drawn at each beginning), \"payments[2]\" (two, drawn), \"payments[50%]\" (the first ones,\nrounded up), \"payments\" (all, newcomers too), \"web->payments\" (requests or packets of that edge), \"zone:a\",\n\"sidecar:web#2\", \"dns\", \"control-plane\".",
    ),
    field(
        "fault.after",
        "In place of `at`: { event = \"ejected\", count = 3, service = \"payments\", by = \"web\", task = \"payments#1\", wait = \"5s\" }.\nEvents are those of the result file: ejected, unhealthy, task_started, task_ready, task_stopped, sigterm,\ndeploy_step, fault_on, ...",
    ),
    field("fault.stop_when", "Ends a fault early: { event = \"ejected\", count = 3 }, counted since it began."),
    field("fault.every", "A fault again and again, first after one period; `for` is how long each lasts."),
    field(
        "fault.ramp",
        "ramp = \"30s\": the strength of a rate, a factor or a latency grows from nothing in a straight line, in a hundred steps.",
    ),
    field(
        "fault.nth",
        "nth = 5, nth = [3, 9]: those of the requests that the target receives, retries included, counted since the fault began.\nFor wedge, grey, errors, hang, slow, reset and cut-body. The same request on each run, whatever the seed draws.",
    ),
    field("fault.every_nth", "every_nth = 10: the tenth request, the twentieth, ...: exactly one in ten."),
];
