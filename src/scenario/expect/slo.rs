//! `--slo`: what users were promised, in the language of expectations, clauses apart by commas.
//!
//! *Knows* that a clause holds a metric against a number. *Does not know* what is done with it.

use std::sync::Arc;

use super::Context;
use super::side;
use super::split;
use super::typed;
use crate::diagnostic::Source;
use crate::scenario::Comparison;
use crate::scenario::Expect;
use crate::scenario::Operand;
use crate::scenario::Over;
use crate::scenario::Scope;
use crate::scenario::Severity;
use crate::scenario::Window;
use crate::scenario::planes;
use crate::scenario::table::Problems;
use crate::scenario::tree::Place;
use crate::scenario::tree::Table;

/// The clauses of an SLO as expectations of every plane compared, over the whole run.
pub fn read(text: &str, tree: &Table, cx: &Context<'_>, problems: &mut Problems<'_>) -> Vec<Expect> {
    let source = Arc::new(Source::new("--slo", text));
    let defined = planes::defined(tree);
    let mut start = 0;
    let mut found = Vec::new();
    for part in text.split(',') {
        let clause = part.trim();
        let from = start + (part.len() - part.trim_start().len());
        start += part.len() + 1;
        let place = |from: usize, until: usize| Place { source: Arc::clone(&source), span: from..until };
        let whole = place(from, from + clause.len());
        let Some((left, op, right)) = split(clause) else {
            let label = "write it like --slo \"p99<300ms,error_rate<0.1%\"";
            problems.error("expect::syntax", &whole, "this clause has no comparison", label);
            continue;
        };
        let (left_at, right_at) =
            (place(from + left.start, from + left.end), place(from + right.start, from + right.end));
        let mut narrowed = false;
        let first = side(&clause[left], &left_at, cx, &defined, &mut narrowed, problems);
        let second = side(&clause[right], &right_at, cx, &defined, &mut narrowed, problems);
        let (Some(first), Some(second)) = (first, second) else { continue };
        let Some((left, right)) = typed(first, second, &left_at, &right_at, problems) else { continue };
        if !is_limit(&left, &right) {
            let label = "a metric by itself on one side, a number on the other; --plane says for which plane";
            problems.error("expect::slo", &whole, "this clause is no limit", label);
            continue;
        }
        if matches!(op, Comparison::Equal | Comparison::Unequal) {
            let label = "write a limit: <, <=, > or >=";
            problems.error("expect::slo", &whole, "an interval can lie on one side of a number, not on it", label);
            continue;
        }
        found.push(Expect {
            that: clause.to_owned(),
            line: 1,
            left,
            op,
            right,
            planes: (0..cx.planes.len()).collect(),
            scope: Scope::Users,
            during: Window::All,
            over: Over::Mean,
            severity: Severity::Error,
            cell: Vec::new(),
        });
    }
    found
}

fn is_limit(left: &Operand, right: &Operand) -> bool {
    matches!(
        (left, right),
        (Operand::Metric { plane: None, .. }, Operand::Number(_))
            | (Operand::Number(_), Operand::Metric { plane: None, .. })
    )
}
