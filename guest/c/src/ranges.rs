//! The ranges of a file that the program has locked.

use std::collections::BTreeMap;
use std::ops::Range;

/// What a lock excludes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Shared,
    Exclusive,
}

/// The end of a range to the end of the file, however long the file becomes.
pub(crate) const END: u64 = 1 << 63;

/// The locked ranges, by their start. None overlaps another.
#[derive(Debug, Default)]
pub(crate) struct Ranges {
    by_start: BTreeMap<u64, (u64, Kind)>,
}

impl Ranges {
    /// Notes that a range has a lock of a kind from now on, or none.
    pub(crate) fn set(&mut self, range: Range<u64>, kind: Option<Kind>) {
        let first = self.by_start.range(..range.start).next_back().map_or(range.start, |(start, _)| *start);
        let overlapping: Vec<u64> = self.by_start.range(first..range.end).map(|(start, _)| *start).collect();
        for start in overlapping {
            let Some((end, other)) = self.by_start.remove(&start) else { continue };
            if start < range.start {
                self.by_start.insert(start, (end.min(range.start), other));
            }
            if end > range.end {
                self.by_start.insert(range.end, (end, other));
            }
        }
        if let Some(kind) = kind {
            self.by_start.insert(range.start, (range.end, kind));
        }
    }

    /// Returns all ranges and their kinds.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Range<u64>, Kind)> {
        self.by_start.iter().map(|(start, (end, kind))| (*start..*end, *kind))
    }
}

#[cfg(test)]
mod tests {
    use super::{END, Kind, Ranges};

    use Kind::{Exclusive, Shared};

    fn all(ranges: &Ranges) -> Vec<(u64, u64, Kind)> {
        ranges.iter().map(|(range, kind)| (range.start, range.end, kind)).collect()
    }

    #[test]
    fn a_range_has_its_last_kind() {
        let mut ranges = Ranges::default();
        ranges.set(10..20, Some(Shared));
        ranges.set(15..25, Some(Exclusive));
        assert_eq!(all(&ranges), [(10, 15, Shared), (15, 25, Exclusive)]);
        ranges.set(0..END, Some(Shared));
        assert_eq!(all(&ranges), [(0, END, Shared)]);
        ranges.set(100..200, None);
        ranges.set(150..160, None);
        assert_eq!(all(&ranges), [(0, 100, Shared), (200, END, Shared)]);
        ranges.set(300..400, Some(Exclusive));
        assert_eq!(all(&ranges), [(0, 100, Shared), (200, 300, Shared), (300, 400, Exclusive), (400, END, Shared)]);
        ranges.set(0..END, None);
        assert_eq!(all(&ranges), []);
    }

    #[test]
    fn neighbours_stay() {
        let mut ranges = Ranges::default();
        for start in [0, 10, 20] {
            ranges.set(start..start + 10, Some(Exclusive));
        }
        ranges.set(10..20, None);
        assert_eq!(all(&ranges), [(0, 10, Exclusive), (20, 30, Exclusive)]);
    }
}
