//! Which fields of a scenario are varied, and over what.
//!
//! *Knows* how cells are numbered. *Does not know* what a field means, nor how a cell is simulated.

/// Most cells of one sweep: at a second each, a day and a night of one core.
pub const CELLS_MAX: u64 = 100_000;

/// `[sweep]`, or what `--vary` spells out.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Sweep {
    /// The fields that are varied, in the order written.
    pub axes: Vec<Axis>,
    /// How their values are combined.
    pub mode: SweepMode,
}

/// How the values of several fields are combined.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum SweepMode {
    /// Each with each; the last field moves fastest.
    #[default]
    Grid,
    /// The file as it is, then one field at a time.
    OneAtATime,
}

impl SweepMode {
    /// Its word in scenarios and results.
    pub const fn name(self) -> &'static str {
        match self {
            SweepMode::Grid => "grid",
            SweepMode::OneAtATime => "one-at-a-time",
        }
    }
}

/// One field and its values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Axis {
    /// The dotted key, as `--set` takes it.
    pub key: String,
    /// What it is set to; never empty.
    pub values: Vec<AxisValue>,
}

/// One value of a field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AxisValue {
    /// The right side of an override: TOML, or text that counts as a string.
    pub toml: String,
    /// The same for people: strings without their quotes.
    pub shown: String,
}

impl Sweep {
    /// How many cells there are; more than fit 64 bits count as the most.
    pub fn cells(&self) -> u64 {
        let lengths = self.axes.iter().map(|axis| axis.values.len() as u64);
        match self.mode {
            SweepMode::Grid => lengths.fold(1, u64::saturating_mul),
            SweepMode::OneAtATime => lengths.fold(1, u64::saturating_add),
        }
    }

    /// The values of one cell, by axis; `None` where the file has the say.
    pub fn cell(&self, index: u64) -> Vec<Option<usize>> {
        let mut picked = vec![None; self.axes.len()];
        match self.mode {
            SweepMode::Grid => {
                let mut rest = index;
                for (slot, axis) in picked.iter_mut().zip(&self.axes).rev() {
                    let length = axis.values.len() as u64;
                    *slot = Some((rest % length) as usize);
                    rest /= length;
                }
            }
            SweepMode::OneAtATime => {
                let mut rest = index;
                for (slot, axis) in picked.iter_mut().zip(&self.axes) {
                    let length = axis.values.len() as u64;
                    if (1..=length).contains(&rest) {
                        *slot = Some(rest as usize - 1);
                        break;
                    }
                    if rest == 0 {
                        break;
                    }
                    rest -= length;
                }
            }
        }
        picked
    }

    /// The overrides of one cell: key and value.
    pub fn overrides(&self, index: u64) -> Vec<(String, AxisValue)> {
        let picked = self.cell(index);
        let pairs = self.axes.iter().zip(picked);
        pairs.filter_map(|(axis, at)| Some((axis.key.clone(), axis.values[at?].clone()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(mode: SweepMode) -> Sweep {
        let axis = |key: &str, values: &[&str]| Axis {
            key: key.to_owned(),
            values: values.iter().map(|v| AxisValue { toml: (*v).to_owned(), shown: (*v).to_owned() }).collect(),
        };
        Sweep { axes: vec![axis("a", &["1", "2"]), axis("b", &["x", "y", "z"])], mode }
    }

    #[test]
    fn a_grid_has_each_with_each_and_the_last_field_moves_fastest() {
        let grid = sweep(SweepMode::Grid);
        let all: Vec<Vec<Option<usize>>> = (0..grid.cells()).map(|i| grid.cell(i)).collect();
        let pairs = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)];
        assert_eq!(all, pairs.map(|(a, b)| vec![Some(a), Some(b)]));
    }

    #[test]
    fn one_at_a_time_begins_with_the_file_itself() {
        let single = sweep(SweepMode::OneAtATime);
        let all: Vec<Vec<Option<usize>>> = (0..single.cells()).map(|i| single.cell(i)).collect();
        let expected =
            [(None, None), (Some(0), None), (Some(1), None), (None, Some(0)), (None, Some(1)), (None, Some(2))];
        assert_eq!(all, expected.map(|(a, b)| vec![a, b]));
        assert_eq!(single.overrides(0), []);
        assert_eq!(single.overrides(5)[0].1.shown, "z");
    }
}
