//! The table of what is mapped, by addresses.

use std::collections::BTreeMap;
use std::ops::Range;

/// What an area shows.
pub(crate) trait Content: Sized {
    /// The reason why an area cannot be divided.
    type Error;

    /// Cuts off what lies behind an offset in the area, and returns it. After an error, nothing has changed.
    fn split_off(&mut self, at: usize) -> Result<Self, Self::Error>;
}

/// A range of pages.
#[derive(Debug)]
pub(crate) struct Area<C> {
    pub(crate) end: usize,
    pub(crate) content: C,
}

/// The areas, by their start. None overlaps another.
#[derive(Debug)]
pub(crate) struct Areas<C> {
    by_start: BTreeMap<usize, Area<C>>,
}

impl<C: Content> Areas<C> {
    pub(crate) const fn new() -> Self {
        Self { by_start: BTreeMap::new() }
    }

    /// Adds an area. Nothing may be mapped there.
    pub(crate) fn insert(&mut self, range: Range<usize>, content: C) {
        debug_assert!(!range.is_empty() && self.within(&range).is_empty());
        self.by_start.insert(range.start, Area { end: range.end, content });
    }

    /// Removes the area that starts at an address.
    pub(crate) fn remove(&mut self, start: usize) -> Option<Area<C>> {
        self.by_start.remove(&start)
    }

    /// Returns what all areas show.
    pub(crate) fn contents(&self) -> impl Iterator<Item = &C> {
        self.by_start.values().map(|area| &area.content)
    }

    pub(crate) fn get(&self, start: usize) -> Option<&Area<C>> {
        self.by_start.get(&start)
    }

    pub(crate) fn get_mut(&mut self, start: usize) -> Option<&mut Area<C>> {
        self.by_start.get_mut(&start)
    }

    /// Returns the ranges of the areas that have a part in a range.
    pub(crate) fn within(&self, range: &Range<usize>) -> Vec<Range<usize>> {
        let first = self.by_start.range(..=range.start).next_back();
        let first = first.map_or(range.start, |(start, _)| *start);
        let areas = self.by_start.range(first..range.end.max(first));
        areas.map(|(start, area)| *start..area.end).filter(|area| area.end > range.start).collect()
    }

    /// Returns whether every page of a range is mapped.
    pub(crate) fn covers(&self, range: &Range<usize>) -> bool {
        self.holes(range).is_empty()
    }

    /// Returns the parts of a range that are not mapped.
    pub(crate) fn holes(&self, range: &Range<usize>) -> Vec<Range<usize>> {
        let mut holes = Vec::new();
        let mut at = range.start;
        for area in self.within(range) {
            if area.start > at {
                holes.push(at..area.start);
            }
            at = area.end;
        }
        if at < range.end {
            holes.push(at..range.end);
        }
        holes
    }

    /// Divides areas, so that none crosses the ends of a range, and returns the ranges of those within it.
    ///
    /// # Errors
    ///
    /// Those of [`Content::split_off`]. Areas may be divided then, which nobody sees.
    pub(crate) fn isolate(&mut self, range: &Range<usize>) -> Result<Vec<Range<usize>>, C::Error> {
        self.cut(range.start)?;
        self.cut(range.end)?;
        Ok(self.within(range))
    }

    /// Divides the area that an address lies in the middle of.
    fn cut(&mut self, at: usize) -> Result<(), C::Error> {
        let Some((&start, area)) = self.by_start.range_mut(..at).next_back() else { return Ok(()) };
        if area.end > at {
            let content = area.content.split_off(at - start)?;
            let end = std::mem::replace(&mut area.end, at);
            self.by_start.insert(at, Area { end, content });
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a list of ranges that has one")]
mod tests {
    use super::*;

    /// The pages of a file from one on, which can be divided a number of times.
    #[derive(Debug, PartialEq, Eq, Clone, Copy)]
    struct Pages {
        first: usize,
        may_split: bool,
    }

    impl Content for Pages {
        type Error = ();

        fn split_off(&mut self, at: usize) -> Result<Self, ()> {
            if self.may_split { Ok(Self { first: self.first + at, ..*self }) } else { Err(()) }
        }
    }

    fn areas() -> Areas<Pages> {
        let mut areas = Areas::new();
        areas.insert(10..20, Pages { first: 100, may_split: true });
        areas.insert(20..25, Pages { first: 0, may_split: true });
        areas.insert(30..40, Pages { first: 500, may_split: false });
        areas
    }

    #[test]
    fn ranges_are_found() {
        let areas = areas();
        assert_eq!(areas.within(&(0..10)), []);
        assert_eq!(areas.within(&(19..20)), [10..20]);
        assert_eq!(areas.within(&(12..31)), [10..20, 20..25, 30..40]);
        assert_eq!(areas.within(&(40..usize::MAX)), []);
        assert_eq!(areas.within(&(15..15)), [10..20]);
        assert_eq!(areas.holes(&(5..50)), [5..10, 25..30, 40..50]);
        assert_eq!(areas.holes(&(12..22)), []);
        assert!(areas.covers(&(10..25)) && areas.covers(&(39..40)));
        assert!(!areas.covers(&(10..26)) && !areas.covers(&(0..5)) && !areas.covers(&(25..26)));
    }

    #[test]
    fn areas_are_divided_at_the_ends_of_a_range() {
        let mut areas = areas();
        assert_eq!(areas.isolate(&(12..22)), Ok(vec![12..20, 20..22]));
        let found = areas.by_start.iter().map(|(start, area)| (*start..area.end, area.content.first));
        let found: Vec<_> = found.collect();
        assert_eq!(found, [(10..12, 100), (12..20, 102), (20..22, 0), (22..25, 2), (30..40, 500)]);
        // What has the ends already is not divided.
        assert_eq!(areas.isolate(&(12..22)), Ok(vec![12..20, 20..22]));
        assert_eq!(areas.isolate(&(28..40)), Ok(vec![30..40]));
        assert_eq!(areas.isolate(&(28..39)), Err(()));
        assert_eq!(areas.get(30).map(|area| area.end), Some(40));
    }

    #[test]
    fn what_is_removed_is_a_hole() {
        let mut areas = areas();
        for range in areas.isolate(&(15..25)).expect("areas that can be divided") {
            assert!(areas.remove(range.start).is_some());
        }
        assert_eq!(areas.holes(&(10..25)), [15..25]);
        areas.insert(15..25, Pages { first: 7, may_split: true });
        assert!(areas.covers(&(10..25)));
        areas.get_mut(15).expect("the area").content.first = 8;
        assert_eq!(areas.get(15).map(|area| area.content.first), Some(8));
        assert_eq!(areas.contents().map(|pages| pages.first).collect::<Vec<_>>(), [100, 8, 500]);
    }
}
