//! The changed bytes of a page.

use std::ops::Range;

/// Ranges of a page, sorted, that neither overlap nor touch.
#[derive(Debug, Clone, Default)]
pub(super) struct DirtyRanges(Vec<Range<usize>>);

impl DirtyRanges {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.0.iter().cloned()
    }

    /// Returns the parts of the ranges that lie in `bounds`.
    pub(super) fn intersect(&self, bounds: &Range<usize>) -> impl Iterator<Item = Range<usize>> + '_ {
        let (start, end) = (bounds.start, bounds.end);
        let first = self.0.partition_point(move |range| range.end <= start);
        let ranges = self.0[first..].iter().take_while(move |range| range.start < end);
        ranges.map(move |range| range.start.max(start)..range.end.min(end))
    }

    /// Adds a range, merged with those that it touches.
    pub(super) fn add(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|old| old.end < range.start);
        let last = self.0.partition_point(|old| old.start <= range.end);
        let touched = &self.0[first..last];
        let start = touched.first().map_or(range.start, |old| old.start.min(range.start));
        let end = touched.last().map_or(range.end, |old| old.end.max(range.end));
        self.0.splice(first..last, std::iter::once(start..end));
    }

    /// Removes everything from `end` on.
    pub(super) fn truncate(&mut self, end: usize) {
        self.0.retain_mut(|range| {
            range.end = range.end.min(end);
            range.start < range.end
        });
    }

    /// Returns the end of the last range, or 0 if there is none.
    pub(super) fn end(&self) -> usize {
        self.0.last().map_or(0, |range| range.end)
    }

    /// Removes the first `count` ranges.
    pub(super) fn remove_first(&mut self, count: usize) {
        self.0.drain(..count);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_agree_with_a_set_of_bytes() {
        let mut seed = 1u32;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            usize::from(seed.to_be_bytes()[1]) % below
        };
        for _ in 0..200 {
            let (mut ranges, mut bytes) = (DirtyRanges::default(), [false; 64]);
            for _ in 0..20 {
                let start = random(64);
                let range = start..start + random(65 - start);
                ranges.add(range.clone());
                bytes[range].fill(true);
                if random(10) == 0 {
                    let end = random(64);
                    ranges.truncate(end);
                    bytes[end..].fill(false);
                }
                let all: Vec<_> = ranges.iter().collect();
                let mut found = [false; 64];
                all.iter().for_each(|range| found[range.clone()].fill(true));
                assert_eq!(found, bytes);
                let start = random(64);
                let part = start..start + random(65 - start);
                let mut found = [false; 64];
                ranges.intersect(&part).for_each(|range| found[range].fill(true));
                assert!((0..64).all(|at| found[at] == (bytes[at] && part.contains(&at))), "{part:?} of {all:?}");
                assert!(all.windows(2).all(|pair| pair[0].end < pair[1].start), "{all:?}");
            }
        }
    }
}
