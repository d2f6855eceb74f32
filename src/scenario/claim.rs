//! `[claim]`: what the ledger says of a scenario.
//!
//! *Knows* ids, verdicts, figures and the sentence that quotes them. *Does not know* what came out.

use crate::scenario::Axis;
use crate::scenario::Claim;
use crate::scenario::ClaimFigure;
use crate::scenario::ClaimSum;
use crate::scenario::ClaimVerdict;
use crate::scenario::Metric;
use crate::scenario::Phrase;
use crate::scenario::Refusal;
use crate::scenario::Scope;
use crate::scenario::Sweep;
use crate::scenario::Window;
use crate::scenario::expect;
use crate::scenario::planes;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::scenario::tree::Table;
use crate::scenario::tree::Value;
use crate::scenario::value;
use crate::scenario::vocabulary::Form;
use crate::scenario::watch;

/// Most figures of one claim: more than fit a page's width tell nobody anything.
const FIGURES_MAX: usize = 24;

/// Most sums of one claim.
const SUMS_MAX: usize = 12;

/// Reads `[claim]`. A comparison that the command line narrowed decides no claim.
pub(super) fn read(
    tree: &Table,
    cx: &expect::Context<'_>,
    sweep: Option<&Sweep>,
    problems: &mut Problems<'_>,
) -> Option<Claim> {
    let entry = tree.entries.get("claim")?;
    let mut reader = Reader::of(&entry.node, "[claim]", problems)?;
    let id = reader.need("id", problems).and_then(|node| id(node, problems));
    let says = reader.need("says", problems).and_then(|node| sentence(node, problems));
    let from = reader.get("from").map_or(Some(Vec::new()), |node| articles(node, problems));
    let verdicts = [
        ("holds", ClaimVerdict::Holds),
        ("holds only if", ClaimVerdict::HoldsOnlyIf),
        ("refuted", ClaimVerdict::Refuted),
    ];
    let verdict = reader.need("verdict", problems).and_then(|node| value::word(node, "verdict", &verdicts, problems));
    let condition = reader.get("condition").and_then(|node| sentence(node, problems));
    let because = reader.need("because", problems);
    let figures = reader.need("figures", problems);
    let refused = reader.get("refused").map_or(Some(Vec::new()), |node| refusals(node, problems));
    let sums = reader.get("sums");
    reader.finish(problems);
    if verdict == Some(ClaimVerdict::HoldsOnlyIf) && condition.is_none() {
        let label = "add condition = \"the replica fails every request\", or whatever it takes";
        problems.error("claim::condition", &entry.key, "\"holds only if\" needs a condition", label);
    }
    let figures = figures_of(figures?, cx, &planes::defined(tree), problems)?;
    let because = because.and_then(|node| phrases(node, &figures, cx, sweep, problems));
    let sums = sums.map_or(Some(Vec::new()), |node| sums_of(node, &figures, cx, sweep, problems));
    if cx.narrowed {
        return None;
    }
    Some(Claim {
        id: id?,
        says: says?,
        from: from?,
        verdict: verdict?,
        condition,
        because: because?,
        figures,
        refused: refused?,
        sums: sums?,
        line: entry.key.line(),
    })
}

/// A letter and a number.
fn id(node: &Node, problems: &mut Problems<'_>) -> Option<String> {
    let text = value::text(node, problems)?;
    let good = text.strip_prefix(|c: char| c.is_ascii_uppercase()).is_some_and(|digits| {
        (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0')
    });
    if !good {
        let label = "a letter and a number, \"A3\"; files that share a claim share its id";
        problems.error("claim::id", &node.place, format!("`{text}` is no claim's id"), label);
    }
    good.then(|| text.to_owned())
}

/// A text on one line that is not empty.
fn sentence(node: &Node, problems: &mut Problems<'_>) -> Option<String> {
    let text = value::text(node, problems)?;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        problems.error("claim::empty", &node.place, "this says nothing", "write a sentence");
        return None;
    }
    Some(text)
}

fn articles(node: &Node, problems: &mut Problems<'_>) -> Option<Vec<String>> {
    value::list(node, problems)?.iter().map(|item| value::text(item, problems).map(str::to_owned)).collect()
}

/// `refused = [{ set = 'compare = ["service-connect"]', with = "not supported" }]`.
fn refusals(node: &Node, problems: &mut Problems<'_>) -> Option<Vec<Refusal>> {
    let one = |item: &Node, problems: &mut Problems<'_>| {
        let mut reader = Reader::of(item, "a refusal", problems)?;
        let set = reader.need("set", problems).and_then(|node| sentence(node, problems));
        let with = reader.need("with", problems).and_then(|node| sentence(node, problems));
        reader.finish(problems);
        let set = set?;
        if !set.contains('=') {
            let label = "write set = 'compare = [\"service-connect\"]', as after --set";
            problems.error("claim::refused", &item.place, format!("`{set}` changes nothing"), label);
            return None;
        }
        Some(Refusal { set, with: with? })
    };
    value::list(node, problems)?.iter().map(|item| one(item, problems)).collect()
}

/// `sums = [{ article = "004", says = "60 tasks: $18", figure = "service-connect.cost_sidecar" }]`.
fn sums_of(
    node: &Node,
    figures: &[ClaimFigure],
    cx: &expect::Context<'_>,
    sweep: Option<&Sweep>,
    problems: &mut Problems<'_>,
) -> Option<Vec<ClaimSum>> {
    let items = value::list(node, problems)?;
    if items.len() > SUMS_MAX {
        problems.error("claim::sum", &node.place, "too many sums for one page", format!("at most {SUMS_MAX}"));
        return None;
    }
    items.iter().map(|item| sum(item, figures, cx, sweep, problems)).collect()
}

fn sum(
    node: &Node,
    figures: &[ClaimFigure],
    cx: &expect::Context<'_>,
    sweep: Option<&Sweep>,
    problems: &mut Problems<'_>,
) -> Option<ClaimSum> {
    let mut reader = Reader::of(node, "a sum", problems)?;
    let article = reader.need("article", problems).and_then(|node| sentence(node, problems));
    let says = reader.need("says", problems).and_then(|node| sentence(node, problems));
    let named = reader.need("figure", problems);
    reader.finish(problems);
    let named = named?;
    let inside = value::text(named, problems)?;
    match quoted(inside, figures, cx, sweep) {
        Ok(Phrase::Figure { figure, plane, cell }) => {
            if !matches!(figures[figure].metric, Metric::CostPerMonth | Metric::Cost(_)) {
                let label = "a sum stands beside a figure of cost: \"service-connect.cost_sidecar\"";
                problems.error("claim::sum", &named.place, format!("`{inside}` is no figure of cost"), label);
                return None;
            }
            Some(ClaimSum { article: article?, says: says?, figure, plane, cell })
        }
        Ok(Phrase::Text(_)) => None,
        Err(label) => {
            problems.error("claim::figure", &named.place, format!("`{inside}` is no figure of this claim"), label);
            None
        }
    }
}

fn figures_of(
    node: &Node,
    cx: &expect::Context<'_>,
    defined: &[String],
    problems: &mut Problems<'_>,
) -> Option<Vec<ClaimFigure>> {
    let items = value::list(node, problems)?;
    if items.is_empty() || items.len() > FIGURES_MAX {
        let label = format!("between one and {FIGURES_MAX}, such as \"internal-alb.error_rate\"");
        problems.error("claim::figures", &node.place, "a claim is decided by figures", label);
        return None;
    }
    let mut figures: Vec<ClaimFigure> = Vec::new();
    for item in items {
        let figure = figure(item, cx, defined, problems)?;
        if figures.iter().any(|other| other.label == figure.label) {
            let label = "give one of them a `label` of its own";
            problems.error("claim::figures", &item.place, format!("two figures are called `{}`", figure.label), label);
            return None;
        }
        figures.push(figure);
    }
    Some(figures)
}

/// `"plane.metric"`, `"metric"`, or a table with `metric`, `during`, `service` or `edge`, and `label`.
fn figure(
    node: &Node,
    cx: &expect::Context<'_>,
    defined: &[String],
    problems: &mut Problems<'_>,
) -> Option<ClaimFigure> {
    if let Value::Text(text) = &node.value {
        watch::form(&node.place, Form::Text);
        let (metric, planes) = expect::measured(text, node, cx, defined, problems)?;
        return Some(ClaimFigure { label: text.clone(), metric, planes, during: Window::All, scope: Scope::Users });
    }
    let mut reader = Reader::of(node, "a figure", problems)?;
    let metric_node = reader.need("metric", problems);
    let during = reader.get("during").map_or(Some(Window::All), |node| expect::window(node, cx, problems));
    let scope = expect::scope(&mut reader, cx, problems);
    let label = reader.get("label").and_then(|node| sentence(node, problems));
    reader.finish(problems);
    let metric_node = metric_node?;
    let text = value::text(metric_node, problems)?;
    let (metric, planes) = expect::measured(text, metric_node, cx, defined, problems)?;
    Some(ClaimFigure {
        label: label.unwrap_or_else(|| text.to_owned()),
        metric,
        planes,
        during: during?,
        scope: scope?,
    })
}

/// Cuts a sentence at its `{figures}`.
fn phrases(
    node: &Node,
    figures: &[ClaimFigure],
    cx: &expect::Context<'_>,
    sweep: Option<&Sweep>,
    problems: &mut Problems<'_>,
) -> Option<Vec<Phrase>> {
    let text = sentence(node, problems)?;
    let mut phrases = Vec::new();
    let mut rest = text.as_str();
    while let Some(open) = rest.find('{') {
        phrases.push(Phrase::Text(rest[..open].to_owned()));
        let Some(close) = rest[open..].find('}') else {
            let label = "close it: {internal-alb.error_rate}";
            problems.error("claim::figure", &node.place, "a figure in this sentence has no end", label);
            return None;
        };
        let inside = &rest[open + 1..open + close];
        match quoted(inside, figures, cx, sweep) {
            Ok(phrase) => phrases.push(phrase),
            Err(label) => {
                let message = format!("`{{{inside}}}` is no figure of this claim");
                problems.error("claim::figure", &node.place, message, label);
                return None;
            }
        }
        rest = &rest[open + close + 1..];
    }
    phrases.push(Phrase::Text(rest.to_owned()));
    phrases.retain(|phrase| !matches!(phrase, Phrase::Text(text) if text.is_empty()));
    Some(phrases)
}

/// `label`, `plane.label`, with ` @ cell` behind it in a sweep.
fn quoted(
    inside: &str,
    figures: &[ClaimFigure],
    cx: &expect::Context<'_>,
    sweep: Option<&Sweep>,
) -> Result<Phrase, String> {
    let (name, cell) = match inside.split_once('@') {
        Some((name, cell)) => (name.trim(), Some(cell.trim())),
        None => (inside.trim(), None),
    };
    let cell = match (sweep, cell) {
        (None, None) => 0,
        (None, Some(_)) => return Err("this scenario has no [sweep]; leave out the @".to_owned()),
        (Some(sweep), None) => {
            let example: Vec<&str> = sweep.axes.iter().map(|axis| axis.values[0].shown.as_str()).collect();
            return Err(format!("say in which cell: {{{name} @ {}}}", example.join(", ")));
        }
        (Some(sweep), Some(wanted)) => {
            let shown =
                |i: &u64| sweep.overrides(*i).iter().map(|(_, v)| v.shown.clone()).collect::<Vec<_>>().join(", ");
            (0..sweep.cells()).find(|i| shown(i) == wanted).ok_or_else(|| {
                let values = |axis: &Axis| axis.values.iter().map(|v| v.shown.clone()).collect::<Vec<_>>().join(" | ");
                let all: Vec<String> = sweep.axes.iter().map(values).collect();
                format!("no cell has `{wanted}`; there are: {}", all.join(" , "))
            })?
        }
    };
    if let Some(figure) = figures.iter().position(|f| f.label == name) {
        return match figures[figure].planes[..] {
            [plane] => Ok(Phrase::Figure { figure, plane, cell }),
            _ => Err(format!("on which plane? write {{{}.{name}}}", cx.planes[figures[figure].planes[0]].name)),
        };
    }
    for (figure, candidate) in figures.iter().enumerate() {
        for &plane in &candidate.planes {
            let prefix = name.strip_suffix(candidate.label.as_str()).and_then(|rest| rest.strip_suffix('.'));
            if prefix == Some(cx.planes[plane].name.as_str()) {
                return Ok(Phrase::Figure { figure, plane, cell });
            }
        }
    }
    let labels: Vec<&str> = figures.iter().map(|f| f.label.as_str()).collect();
    Err(format!("figures: {}", labels.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::LoadOptions;
    use crate::scenario::Scenario;
    use crate::scenario::parse;

    const BASE: &str = "compare = [\"service-connect\", \"internal-alb\"]\n[service.a]\ncalls = [\"b\"]\n[service.b]\n\
        [load]\nrate = \"10/s\"\n[[fault]]\nat = \"60s\"\ntarget = \"b#1\"\nkind = \"errors\"\nrate = \"5%\"\n";

    fn load(rest: &str) -> Result<Scenario, Vec<String>> {
        let text = format!("{BASE}{rest}");
        parse("t.toml", &text, Path::new("."), &LoadOptions::default())
            .map(|loaded| loaded.scenario)
            .map_err(|found| found.iter().map(|d| format!("{}: {}", d.code, d.label)).collect())
    }

    fn claim(rest: &str) -> String {
        format!("[claim]\nid = \"A3\"\nsays = \"it works\"\nverdict = \"holds\"\n{rest}\n")
    }

    #[test]
    fn a_claim_quotes_its_figures() {
        let text = claim(
            "because = \"The ALB fails {internal-alb.error_rate}, the sidecar {service-connect.p99 in it}.\"\n\
             figures = [\"internal-alb.error_rate\", { metric = \"p99\", during = \"fault\", label = \"p99 in it\" }]",
        );
        let claim = load(&text).unwrap().claim.unwrap();
        assert_eq!(claim.figures[0].planes, [1]);
        assert_eq!(claim.figures[1].planes, [0, 1]);
        assert_eq!(claim.because[1], Phrase::Figure { figure: 0, plane: 1, cell: 0 });
        assert_eq!(claim.because[3], Phrase::Figure { figure: 1, plane: 0, cell: 0 });
        assert_eq!(claim.because[4], Phrase::Text(".".to_owned()));
    }

    #[test]
    fn in_a_sweep_a_figure_names_its_cell() {
        let sweep = "[sweep]\nvary = { \"fault.0.rate\" = [\"1%\", \"10%\"] }\n";
        let one = |because: &str| {
            let rest = format!("because = \"{because}\"\nfigures = [\"internal-alb.error_rate\"]");
            load(&format!("{sweep}{}", claim(&rest)))
        };
        let found = one("{internal-alb.error_rate @ 10%}").unwrap().claim.unwrap();
        assert_eq!(found.because, [Phrase::Figure { figure: 0, plane: 1, cell: 1 }]);
        assert!(one("{internal-alb.error_rate}").unwrap_err()[0].contains("@ 1%"));
        assert!(one("{internal-alb.error_rate @ 7%}").unwrap_err()[0].contains("no cell has `7%`"));
    }

    #[test]
    fn a_claim_may_name_what_must_not_load() {
        let rest = "because = \"y\"\nfigures = [\"internal-alb.p99\"]\nrefused = [{ set = 'compare = [\"x\"]', with = \"no plane\" }]";
        let found = load(&claim(rest)).unwrap().claim.unwrap();
        let refusal = Refusal { set: "compare = [\"x\"]".to_owned(), with: "no plane".to_owned() };
        assert_eq!(found.refused, [refusal]);
    }

    fn sums(figure: &str) -> String {
        let sums = format!("sums = [{{ article = \"004\", says = \"60 tasks: $18\", figure = \"{figure}\" }}]");
        format!("because = \"y\"\nfigures = [\"cost_sidecar\", \"p99\"]\n{sums}")
    }

    #[test]
    fn a_sum_stands_beside_a_figure_of_cost() {
        let found = load(&claim(&sums("service-connect.cost_sidecar"))).unwrap().claim.unwrap();
        let (article, says) = ("004".to_owned(), "60 tasks: $18".to_owned());
        assert_eq!(found.sums, [ClaimSum { article, says, figure: 0, plane: 0, cell: 0 }]);
    }

    #[test]
    fn a_claim_that_says_too_little_is_refused() {
        for (text, code) in [
            (
                "[claim]\nid = \"a3\"\nsays = \"x\"\nverdict = \"holds\"\nbecause = \"y\"\nfigures = [\"p99\"]\n",
                "claim::id",
            ),
            (
                "[claim]\nid = \"A3\"\nsays = \"x\"\nverdict = \"holds only if\"\nbecause = \"y\"\nfigures = [\"p99\"]\n",
                "claim::condition",
            ),
            (&claim("because = \"y\"\nfigures = []"), "claim::figures"),
            (&claim("because = \"y\"\nfigures = [\"p99\", \"p99\"]"), "claim::figures"),
            (&claim("because = \"{p99}\"\nfigures = [\"p99\"]"), "claim::figure"),
            (&claim("because = \"{service-connect.p99\"\nfigures = [\"p99\"]"), "claim::figure"),
            (&claim("because = \"y\"\nfigures = [\"p98x\"]"), "expect::unknown-metric"),
            (&claim("figures = [\"p99\"]"), "scenario::missing-key"),
            (
                &claim("because = \"y\"\nfigures = [\"p99\"]\nrefused = [{ set = \"compare\", with = \"x\" }]"),
                "claim::refused",
            ),
            (&claim("because = \"y\"\nfigures = [\"p99\"]\nrefused = [{ set = \"a = 1\" }]"), "scenario::missing-key"),
            (&claim(&sums("service-connect.p99")), "claim::sum"),
            (&claim(&sums("service-connect.p98")), "claim::figure"),
            (&claim(&sums("cost_sidecar")), "claim::figure"),
        ] {
            let found = load(text).unwrap_err();
            assert!(found[0].starts_with(code), "{text}: {found:?}");
        }
    }
}
