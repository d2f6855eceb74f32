//! Where the boxes of a map stand: callers left, those they call to the right of them.
//!
//! *Knows* graphs, cycles included. *Does not know* what flows. Invariant: the same edges give the same map.

/// Width and height of a box.
pub const BOX: (f64, f64) = (152.0, 30.0);
/// Room between two boxes, one under the other.
const GAP: f64 = 16.0;
/// Width that a map takes if it can.
const WHOLE: f64 = 1000.0;
/// Room between two columns: at the least and at the most.
const BETWEEN: (f64, f64) = (84.0, 220.0);

/// A box.
#[derive(Clone, Debug)]
pub struct Node {
    /// The service.
    pub name: String,
    /// Left.
    pub x: f64,
    /// Top.
    pub y: f64,
}

/// An arrow.
#[derive(Clone, Debug)]
pub struct Arrow {
    /// Path of its line.
    pub line: String,
    /// Path of its head.
    pub head: String,
    /// A place for a word about it.
    pub middle: (f64, f64),
}

/// A map.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Boxes.
    pub nodes: Vec<Node>,
    /// Arrows, in the order of the edges.
    pub edges: Vec<Arrow>,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// The map of these edges, each from a caller to whom it calls.
pub fn of(edges: &[(&str, &str)]) -> Layout {
    let mut names: Vec<&str> = Vec::new();
    let mut number = |name| {
        names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        })
    };
    let links: Vec<(usize, usize)> = edges.iter().map(|(from, to)| (number(from), number(to))).collect();
    let layers = layers(names.len(), &links);
    let count = layers.iter().max().map_or(1, |most| most + 1);
    let mut columns: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (node, layer) in layers.iter().enumerate() {
        columns[*layer].push(node);
    }
    straighten(&mut columns, &links, &layers);
    let tallest = columns.iter().map(Vec::len).max().unwrap_or(1) as f64;
    let height = (tallest * (BOX.1 + GAP) + GAP).max(90.0);
    let between = if count > 1 {
        ((WHOLE - 8.0 - BOX.0 * count as f64) / (count - 1) as f64).clamp(BETWEEN.0, BETWEEN.1)
    } else {
        0.0
    };
    let width = 8.0 + BOX.0 * count as f64 + between * (count - 1) as f64;
    let mut nodes: Vec<Node> = names.iter().map(|name| Node { name: (*name).to_owned(), x: 0.0, y: 0.0 }).collect();
    for (c, column) in columns.iter().enumerate() {
        let room = height / column.len() as f64;
        for (r, &node) in column.iter().enumerate() {
            nodes[node].x = 4.0 + c as f64 * (BOX.0 + between);
            nodes[node].y = room * (r as f64 + 0.5) - BOX.1 / 2.0;
        }
    }
    let edges = links.iter().map(|&(from, to)| arrow(&nodes[from], &nodes[to])).collect();
    Layout { nodes, edges, width, height }
}

/// The column of each box: one to the right of the last that calls it. Calls back to a caller do not count.
fn layers(count: usize, links: &[(usize, usize)]) -> Vec<usize> {
    let mut layers = vec![0; count];
    // As often as a chain can be long; a cycle would go on for ever.
    for _ in 0..count {
        let mut moved = false;
        for &(from, to) in links {
            if from != to && layers[to] <= layers[from] && layers[from] + 1 < count && !leads_back(links, to, from) {
                layers[to] = layers[from] + 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    // Columns that nobody is left in are closed.
    let mut used: Vec<usize> = layers.clone();
    used.sort_unstable();
    used.dedup();
    layers.iter().map(|layer| used.binary_search(layer).unwrap_or(0)).collect()
}

/// True if calls go from `at` to `goal`, so that the edge back closes a circle.
fn leads_back(links: &[(usize, usize)], at: usize, goal: usize) -> bool {
    let mut seen = vec![at];
    let mut next = 0;
    while next < seen.len() {
        let here = seen[next];
        next += 1;
        for &(from, to) in links {
            if from == here && !seen.contains(&to) {
                if to == goal {
                    return true;
                }
                seen.push(to);
            }
        }
    }
    false
}

/// Sorts each column by where its callers stand, twice to the right and once back.
fn straighten(columns: &mut [Vec<usize>], links: &[(usize, usize)], layers: &[usize]) {
    let mut place = vec![0.0; layers.len()];
    let note = |column: &[usize], place: &mut [f64]| {
        for (i, &node) in column.iter().enumerate() {
            place[node] = (i as f64 + 0.5) / column.len() as f64;
        }
    };
    for column in columns.iter() {
        note(column, &mut place);
    }
    for round in 0..3 {
        let order: Vec<usize> =
            if round == 1 { (0..columns.len()).rev().collect() } else { (0..columns.len()).collect() };
        for c in order {
            let pull = |node: usize| {
                let near = links.iter().filter_map(|&(from, to)| match round {
                    1 if from == node && layers[to] > layers[node] => Some(place[to]),
                    0 | 2 if to == node && layers[from] < layers[node] => Some(place[from]),
                    _ => None,
                });
                let near: Vec<f64> = near.collect();
                if near.is_empty() { place[node] } else { near.iter().sum::<f64>() / near.len() as f64 }
            };
            let mut keyed: Vec<(f64, usize)> = columns[c].iter().map(|&node| (pull(node), node)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            columns[c] = keyed.into_iter().map(|(_, node)| node).collect();
            note(&columns[c], &mut place);
        }
    }
}

fn arrow(from: &Node, to: &Node) -> Arrow {
    let (x0, y0) = (from.x + BOX.0, from.y + BOX.1 / 2.0);
    let (x1, y1) = (to.x - 9.0, to.y + BOX.1 / 2.0);
    let head = |x: f64, y: f64| format!("M{x:.0} {:.0}l10 5-10 5z", y - 5.0);
    if x1 > x0 {
        let bend = (x1 - x0) * 0.5;
        return Arrow {
            line: format!("M{x0:.0} {y0:.0}C{:.0} {y0:.0} {:.0} {y1:.0} {x1:.0} {y1:.0}", x0 + bend, x1 - bend),
            head: head(x1 - 1.0, y1),
            middle: (f64::midpoint(x0, x1), f64::midpoint(y0, y1)),
        };
    }
    // Back, or to itself: out on the right, around below, in on the left.
    let low = y0.max(y1) + BOX.1 / 2.0 + 10.0;
    Arrow {
        line: format!(
            "M{x0:.0} {y0:.0}C{:.0} {y0:.0} {:.0} {low:.0} {:.0} {low:.0}S{:.0} {y1:.0} {x1:.0} {y1:.0}",
            x0 + 30.0,
            x0 + 30.0,
            f64::midpoint(x0, x1),
            x1 - 30.0
        ),
        head: head(x1 - 1.0, y1),
        middle: (f64::midpoint(x0, x1), low),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(layout: &Layout, name: &str) -> f64 {
        layout.nodes.iter().find(|node| node.name == name).unwrap().x
    }

    #[test]
    fn callers_stand_left() {
        let layout = of(&[("web", "cart"), ("cart", "db"), ("web", "db")]);
        assert!(column(&layout, "web") < column(&layout, "cart"));
        assert!(column(&layout, "cart") < column(&layout, "db"));
    }

    #[test]
    fn circles_and_long_chains_end() {
        let layout = of(&[("a", "b"), ("b", "a"), ("c", "c"), ("b", "d")]);
        assert_eq!((layout.nodes.len(), layout.edges.len()), (4, 4));
        let names: Vec<String> = (0..200).map(|i| format!("s{i}")).collect();
        let chain: Vec<(&str, &str)> = names.windows(2).map(|w| (w[0].as_str(), w[1].as_str())).collect();
        assert!(column(&of(&chain), "s199") > column(&of(&chain), "s198"));
    }

    #[test]
    fn boxes_do_not_overlap() {
        let names: Vec<String> = (0..60).map(|i| format!("s{i}")).collect();
        let edges: Vec<(&str, &str)> = (1..60).map(|i| (names[i / 4].as_str(), names[i].as_str())).collect();
        let layout = of(&edges);
        for (i, a) in layout.nodes.iter().enumerate() {
            assert!(a.y >= 0.0 && a.y + BOX.1 <= layout.height && a.x + BOX.0 <= layout.width, "{a:?}");
            for b in &layout.nodes[..i] {
                assert!((a.x - b.x).abs() >= BOX.0 || (a.y - b.y).abs() >= BOX.1, "{a:?} {b:?}");
            }
        }
    }
}
