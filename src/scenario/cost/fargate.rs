//! The task sizes that Fargate sells.
//!
//! *Knows* the table of CPU and memory (ECS API, RegisterTaskDefinition; documented). *Does not know* prices.

use crate::units::Bytes;
use crate::units::Cpu;

/// A task size.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TaskSize {
    /// Its processor share.
    pub cpu: Cpu,
    /// Its memory.
    pub memory: Bytes,
}

impl TaskSize {
    /// This size and another's on top.
    #[must_use]
    pub fn with(self, cpu: Cpu, memory: Bytes) -> TaskSize {
        TaskSize {
            cpu: Cpu::from_millis(self.cpu.as_millis() + cpu.as_millis()),
            memory: Bytes::new(self.memory.get() + memory.get()),
        }
    }
}

impl std::fmt::Display for TaskSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} / {}", self.cpu, memory(self.memory))
    }
}

/// Memory as AWS's tables write it: "1 GB" for 1,024 MiB.
pub fn memory(bytes: Bytes) -> String {
    match bytes.get() {
        whole if whole.is_multiple_of(1 << 30) => format!("{} GB", whole >> 30),
        whole if whole.is_multiple_of(1 << 20) => format!("{} MiB", whole >> 20),
        _ => bytes.to_string(),
    }
}

/// Processor share in thousandths; least and most memory and the step between, MiB.
const STEPS: [(u32, u64, u64, u64); 7] = [
    (250, 512, 2_048, 0),
    (500, 1_024, 4_096, 1_024),
    (1_000, 2_048, 8_192, 1_024),
    (2_000, 4_096, 16_384, 1_024),
    (4_000, 8_192, 30_720, 1_024),
    (8_000, 16_384, 61_440, 4_096),
    (16_000, 32_768, 122_880, 8_192),
];

/// Memory sizes at one processor share, ascending.
fn memories(row: (u32, u64, u64, u64)) -> impl Iterator<Item = Bytes> {
    let (_, least, most, step) = row;
    // The smallest share doubles; the others go in steps.
    let next = move |mib: &u64| Some(if step == 0 { mib * 2 } else { mib + step }).filter(|mib| *mib <= most);
    std::iter::successors(Some(least), next).map(|mib| Bytes::new(mib << 20))
}

/// Every size, by processor share and memory.
pub fn sizes() -> impl Iterator<Item = TaskSize> {
    STEPS.into_iter().flat_map(|row| {
        let cpu = Cpu::from_millis(row.0);
        memories(row).map(move |memory| TaskSize { cpu, memory })
    })
}

/// Fargate sells this size.
pub fn sells(size: TaskSize) -> bool {
    sizes().any(|legal| legal == size)
}

/// The least processor share that Fargate sells with room for `size`, and the least memory there; `None` past the
/// largest.
pub fn next(size: TaskSize) -> Option<TaskSize> {
    sizes().find(|legal| legal.cpu >= size.cpu && legal.memory >= size.memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(units: u32, mib: u64) -> TaskSize {
        TaskSize { cpu: Cpu::from_millis(units * 1_000 / 1_024), memory: Bytes::new(mib << 20) }
    }

    #[test]
    fn the_table_is_the_api_references() {
        let at = |units: u32| sizes().filter(move |s| s.cpu == size(units, 0).cpu).map(|s| s.memory.get() >> 20);
        assert_eq!(at(256).collect::<Vec<_>>(), [512, 1_024, 2_048]);
        assert_eq!(at(512).collect::<Vec<_>>(), [1_024, 2_048, 3_072, 4_096]);
        for (units, count, last) in
            [(1_024, 7, 8_192), (2_048, 13, 16_384), (4_096, 23, 30_720), (8_192, 12, 61_440), (16_384, 12, 122_880)]
        {
            assert_eq!((at(units).count(), at(units).last()), (count, Some(last)), "{units}");
        }
    }

    #[test]
    fn the_next_size_has_room_and_is_the_least_that_has() {
        for (from, to) in [
            ((256 + 256, 512 + 64), (512, 1_024)),
            ((512 + 256, 1_024 + 64), (1_024, 2_048)),
            ((1_024 + 256, 2_048 + 64), (2_048, 4_096)),
            ((256, 512), (256, 512)),
            ((256, 3_000), (512, 3_072)),
            ((4_096, 30_721), (8_192, 32_768)),
        ] {
            assert_eq!(next(size(from.0, from.1)), Some(size(to.0, to.1)), "{from:?}");
        }
        assert_eq!(next(size(16_384 + 256, 32_768)), None);
        assert!(!sells(size(768, 1_088)) && sells(size(512, 1_024)));
    }
}
