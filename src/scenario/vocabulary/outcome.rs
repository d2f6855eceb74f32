//! Words of what must be true and of what is varied: expectations, sweeps, claims.

use super::Form;
use super::Key;
use super::Table;
use super::key;
use super::table;

pub(super) const TABLES: &[Table] = &[
    table("expect", "What must be true; `scsim run` ends with 1 if it is not.", &[EXPECT, SCOPE]).needs(&["that"]),
    table("sweep", "Fields to vary, for `scsim sweep`.", &[SWEEP]).needs(&["vary"]),
    table("claim", "A statement that this scenario decides.", &[CLAIM])
        .needs(&["id", "says", "verdict", "because", "figures"]),
    table("claim.figures", "A figure that decides.", &[FIGURE, SCOPE]).needs(&["metric"]),
    table("claim.sums", "A sum of an article beside the figure that it is about.", &[SUM])
        .needs(&["article", "says", "figure"]),
    table("claim.refused", "A change that must not load.", &[REFUSED]).needs(&["set", "with"]),
];

const EXPECT: &[Key] = &[
    key(
        "that",
        Form::Text,
        "",
        "\"[plane.]metric op value\" or \"plane.metric op plane.metric\": \"error_rate < 0.1%\".",
    ),
    key("plane", Form::Either(&[Form::Text, Form::List(&Form::Text)]), "every plane", "On which planes."),
    key(
        "over",
        Form::Words(&["mean", "every-replication"]),
        "mean",
        "Judged by the interval of the mean, or each by itself.",
    ),
    key("severity", Form::Words(&["error", "warn"]), "error", "A warning is shown and fails nothing."),
    key("cell", Form::Anything, "every cell", "Which cells of a sweep: { \"fault.0.rate\" = \"10%\" }."),
];

const SCOPE: &[Key] = &[
    key("service", Form::Text, "all users", "Calls to this service."),
    key("edge", Form::Text, "all users", "Calls along this arrow, \"web->payments\"."),
    key(
        "during",
        Form::Either(&[Form::Text, Form::List(&Form::Span)]),
        "all",
        "all, warm, fault, after, deploy, the name of a fault or a [[migrate]] step, or [\"60s\", \"90s\"].",
    ),
];

const SWEEP: &[Key] = &[
    key("mode", Form::Words(&["grid", "one-at-a-time"]), "grid", "Each value with each, or one field after the other."),
    key(
        "vary",
        Form::Anything,
        "",
        "Fields, named as for --set and quoted, and their values: a list, or a range such as \"1..10\" or \"10ms..1s:log:7\".",
    ),
];

const CLAIM: &[Key] = &[
    key("id", Form::Text, "", "A letter and a number, \"A5\"."),
    key("says", Form::Text, "", "The statement."),
    key("from", Form::List(&Form::Text), "none", "Who says so."),
    key("verdict", Form::Words(&["holds", "holds only if", "refuted"]), "", "What the scenario shows."),
    key("condition", Form::Text, "none", "With \"holds only if\": the condition."),
    key("because", Form::Text, "", "A sentence or two with figures in braces."),
    key(
        "figures",
        Form::List(&Form::Either(&[Form::Text, Form::Table("claim.figures")])),
        "",
        "Figures of the ledger.",
    ),
    key(
        "sums",
        Form::List(&Form::Table("claim.sums")),
        "none",
        "Sums of articles that the ledger sets beside its own.",
    ),
    key("refused", Form::List(&Form::Table("claim.refused")), "none", "Changes that must not load."),
];

const SUM: &[Key] = &[
    key("article", Form::Text, "", "Who works it out."),
    key("says", Form::Text, "", "What, and how: \"60 x $0.31: $18\"."),
    key(
        "figure",
        Form::Text,
        "",
        "One of `figures`, with its cell in a sweep: \"service-connect.cost_sidecar @ exact\".",
    ),
];

const FIGURE: &[Key] = &[
    key("metric", Form::Text, "", "\"p99\", or \"internal-alb.p99\"."),
    key("label", Form::Text, "the metric", "What the ledger calls it."),
];

const REFUSED: &[Key] = &[
    key("set", Form::Text, "", "The change, as after --set."),
    key("with", Form::Text, "", "A part of the message that refuses it."),
];
