//! What differs between two pages, line by line.
//!
//! *Knows* lines. *Does not know* what is on them.

use std::fmt::Write as _;

/// Lines around a change.
const AROUND: usize = 1;

/// The lines that `new` has and `old` lacks, `+`, and the other way round, `-`, with a line around
/// each change; empty if there is none. Lines in common are found as the longest sequence.
pub fn difference(old: &str, new: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let front = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let back = a[front..].iter().rev().zip(b[front..].iter().rev()).take_while(|(x, y)| x == y).count();
    let (a_mid, b_mid) = (&a[front..a.len() - back], &b[front..b.len() - back]);
    // length[i][j]: lines in common of a_mid[i..] and b_mid[j..].
    let width = b_mid.len() + 1;
    let mut length = vec![0_u32; (a_mid.len() + 1) * width];
    for i in (0..a_mid.len()).rev() {
        for j in (0..b_mid.len()).rev() {
            length[i * width + j] = if a_mid[i] == b_mid[j] {
                length[(i + 1) * width + j + 1] + 1
            } else {
                length[(i + 1) * width + j].max(length[i * width + j + 1])
            };
        }
    }
    let mut lines: Vec<(char, &str)> = a[front.saturating_sub(AROUND)..front].iter().map(|line| (' ', *line)).collect();
    let (mut i, mut j) = (0, 0);
    while i < a_mid.len() || j < b_mid.len() {
        if i < a_mid.len() && j < b_mid.len() && a_mid[i] == b_mid[j] {
            lines.push((' ', a_mid[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == b_mid.len() || i < a_mid.len() && length[(i + 1) * width + j] >= length[i * width + j + 1] {
            lines.push(('-', a_mid[i]));
            i += 1;
        } else {
            lines.push(('+', b_mid[j]));
            j += 1;
        }
    }
    lines.extend(a[a.len() - back..].iter().take(AROUND).map(|line| (' ', *line)));
    if lines.iter().all(|(mark, _)| *mark == ' ') {
        return String::new();
    }
    let near = |at: usize| {
        let range = at.saturating_sub(AROUND)..(at + AROUND + 1).min(lines.len());
        lines[range].iter().any(|(mark, _)| *mark != ' ')
    };
    let mut out = String::new();
    let mut gap = false;
    for (at, (mark, line)) in lines.iter().enumerate() {
        if near(at) {
            let _ = writeln!(out, "{mark} {line}");
        } else if !gap {
            out.push_str("…\n");
        }
        gap = !near(at);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_shown() {
        assert_eq!(difference("a\nb\nc\n", "a\nb\nc\n"), "");
        assert_eq!(difference("a\nb\nc\nd\n", "a\nb\nx\nd\n"), "  b\n- c\n+ x\n  d\n");
        assert_eq!(difference("a\n", "a\nb\n"), "  a\n+ b\n");
        let (old, new) = ("1\na\nb\nc\nd\ne\n2\n", "x\na\nb\nc\nd\ne\ny\n");
        assert_eq!(difference(old, new), "- 1\n+ x\n  a\n…\n  e\n- 2\n+ y\n");
    }
}
