//! The addresses of mappings: memory that the library takes from the plugin's memory once, and uses again and again.

use std::collections::BTreeMap;
use std::ops::Range;

/// The alignment of what a plugin's memory grows by: a page of WebAssembly.
const GRANULARITY: usize = 64 << 10;

/// Free memory.
#[derive(Debug, Clone, Copy)]
struct Free {
    end: usize,
    /// Whether it may have bytes other than 0.
    is_dirty: bool,
}

/// Memory that was taken. It is whole pages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) start: usize,
    /// Parts that may have bytes other than 0.
    pub(crate) dirty: Vec<Range<usize>>,
}

/// The free memory, by its start. Ranges that touch are one, unless one of them is dirty.
#[derive(Debug, Default)]
pub(crate) struct Space {
    free: BTreeMap<usize, Free>,
}

impl Space {
    pub(crate) const fn new() -> Self {
        Self { free: BTreeMap::new() }
    }

    /// Takes `len` bytes, which are whole pages, at the lowest multiple of `align` where there is room. If there is
    /// none, `grow` is asked for memory, of which it returns the range: zeros, at least as long as asked for, from a multiple of [`GRANULARITY`] on.
    pub(crate) fn take(
        &mut self,
        len: usize,
        align: usize,
        grow: impl FnOnce(usize) -> Option<Range<usize>>,
    ) -> Option<Taken> {
        if let Some(start) = self.find(len, align) {
            return self.take_at(start..start + len);
        }
        let more = if align <= GRANULARITY { Some(len) } else { len.checked_add(align) };
        let new = grow(more?)?;
        self.give_back(new, false);
        let start = self.find(len, align)?;
        self.take_at(start..start + len)
    }

    /// Returns the start of the first free range for `len` bytes.
    fn find(&self, len: usize, align: usize) -> Option<usize> {
        let mut run: Option<Range<usize>> = None;
        for (&start, free) in &self.free {
            let joined = match run {
                Some(previous) if previous.end == start => previous.start..free.end,
                _ => start..free.end,
            };
            if let Some(first) = joined.start.checked_next_multiple_of(align)
                && joined.end.checked_sub(first).is_some_and(|room| room >= len)
            {
                return Some(first);
            }
            run = Some(joined);
        }
        None
    }

    /// Returns whether all of a range is free.
    pub(crate) fn is_free(&self, range: &Range<usize>) -> bool {
        let mut at = range.start;
        while at < range.end {
            match self.free.range(..=at).next_back() {
                Some((_, free)) if free.end > at => at = free.end,
                _ => return false,
            }
        }
        true
    }

    /// Takes a range; `None` if not all of it is free.
    pub(crate) fn take_at(&mut self, range: Range<usize>) -> Option<Taken> {
        if !self.is_free(&range) {
            return None;
        }
        let mut dirty = Vec::new();
        let first = self.free.range(..=range.start).next_back().map_or(range.start, |(start, _)| *start);
        let starts: Vec<usize> = self.free.range(first..range.end).map(|(start, _)| *start).collect();
        for start in starts {
            let Some(free) = self.free.remove(&start) else { continue };
            if start < range.start {
                self.free.insert(start, Free { end: range.start, ..free });
            }
            if free.end > range.end {
                self.free.insert(range.end, free);
            }
            if free.is_dirty {
                dirty.push(start.max(range.start)..free.end.min(range.end));
            }
        }
        Some(Taken { start: range.start, dirty })
    }

    /// Makes a range free.
    pub(crate) fn give_back(&mut self, range: Range<usize>, is_dirty: bool) {
        if range.is_empty() {
            return;
        }
        let mut joined = Free { end: range.end, is_dirty };
        let mut start = range.start;
        if let Some(after) = self.free.get(&range.end).copied()
            && after.is_dirty == is_dirty
        {
            self.free.remove(&range.end);
            joined.end = after.end;
        }
        if let Some((&before, free)) = self.free.range(..range.start).next_back()
            && free.end == range.start
            && free.is_dirty == is_dirty
        {
            start = before;
        }
        self.free.insert(start, joined);
    }

    /// Returns the number of free bytes.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.free.iter().map(|(start, free)| free.end - start).sum()
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a list of ranges that has one")]
mod tests {
    use super::*;

    const PAGE: usize = 4096;

    fn none(_: usize) -> Option<Range<usize>> {
        None
    }

    #[test]
    fn memory_is_used_again() {
        let mut space = Space::new();
        let mut end = 10 * PAGE;
        let mut settled = 0;
        for round in 0..100_000_usize {
            let lens = [1 + round % 7, 1 + round % 3, 5].map(|pages| pages * PAGE);
            let taken = lens.map(|len| {
                space.take(len, PAGE, |more| {
                    let start = end;
                    end += more;
                    Some(start..end)
                })
            });
            for (taken, len) in taken.into_iter().zip(lens) {
                let start = taken.expect("memory").start;
                // In two parts, the second one first.
                let middle = start + len / 2 / PAGE * PAGE;
                space.give_back(middle..start + len, round % 2 == 0);
                space.give_back(start..middle, round % 2 == 1);
            }
            if round == 1000 {
                settled = end;
            }
        }
        assert_eq!(end, settled);
        // Twice what is taken at most at a time.
        assert!(end <= 40 * PAGE, "{end} bytes");
        assert_eq!(space.len(), end - 10 * PAGE);
        assert!(space.is_free(&(10 * PAGE..end)));
    }

    #[test]
    fn what_was_used_is_known_to_be_dirty() {
        let mut space = Space::new();
        space.give_back(0..PAGE, false);
        space.give_back(PAGE..2 * PAGE, true);
        space.give_back(2 * PAGE..4 * PAGE, false);
        let taken = space.take(3 * PAGE, PAGE, none);
        assert_eq!(taken, Some(Taken { start: 0, dirty: vec![PAGE..2 * PAGE] }));
        assert_eq!(space.len(), PAGE);
    }

    #[test]
    fn a_range_is_taken_only_if_all_of_it_is_free() {
        let mut space = Space::new();
        space.give_back(2 * PAGE..6 * PAGE, false);
        assert_eq!(space.take_at(5 * PAGE..7 * PAGE), None);
        assert_eq!(space.take_at(PAGE..3 * PAGE), None);
        assert_eq!(space.take_at(3 * PAGE..4 * PAGE), Some(Taken { start: 3 * PAGE, dirty: Vec::new() }));
        assert_eq!(space.take_at(2 * PAGE..5 * PAGE), None);
        assert_eq!(space.len(), 3 * PAGE);
        space.give_back(3 * PAGE..4 * PAGE, false);
        assert!(space.take_at(2 * PAGE..6 * PAGE).is_some());
        assert_eq!(space.take(PAGE, PAGE, none), None);
    }

    #[test]
    fn the_start_is_aligned() {
        let mut space = Space::new();
        space.give_back(3 * PAGE..9 * PAGE, false);
        let taken = space.take(2 * PAGE, 4 * PAGE, none).expect("room");
        assert_eq!(taken.start, 4 * PAGE);
        assert_eq!(space.take(3 * PAGE, 4 * PAGE, none), None);
        assert_eq!(space.take(usize::MAX, PAGE, none), None);
    }
}
