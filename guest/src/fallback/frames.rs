//! The cache's memory: frames that hold a page each, which one is where, and which one goes next.

use std::collections::HashMap;
use std::ops::Range;

use rustc_hash::FxBuildHasher;
use wasi_mmap_core::{Result, zeroed};

use super::dirty::DirtyRanges;

/// Which page: the file's number in the cache, and the page's number in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) file: usize,
    pub(super) page: u64,
}

/// A page in memory.
#[derive(Debug)]
pub(super) struct Frame {
    key: Option<Key>,
    /// A page's size of bytes, of which those in valid blocks and dirty ranges mean something.
    pub(super) bytes: Box<[u8]>,
    /// Which of them were read, or written as a whole.
    pub(super) valid: Blocks,
    /// Which were seen to be in the file, although they were not read.
    pub(super) there: Blocks,
    /// How many bytes the file has in the page, as far as is known: what is valid behind is zeros.
    pub(super) filled: usize,
    pub(super) dirty: DirtyRanges,
    /// How often it was come back to, but for the hand of the clock, which takes one away each time it passes.
    uses: u8,
}

/// How often the hand of the clock can pass a page that was used much.
const MOST_USES: u8 = 3;

/// How long the tables of pages are at most, in pages.
const MOST_SLOTS: usize = 4096;

/// Blocks of a page, 64 at most: what is read at once where a whole page would be too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Blocks(u64);

impl Blocks {
    /// Whether it has none.
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds the blocks with these numbers.
    pub(super) fn add(&mut self, numbers: Range<usize>) {
        self.0 |= mask(&numbers);
    }

    /// These and others.
    pub(super) fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether it has all blocks with these numbers.
    #[inline]
    pub(super) fn has(self, numbers: &Range<usize>) -> bool {
        self.0 & mask(numbers) == mask(numbers)
    }

    /// The first of these numbers that it lacks, and the ones after it up to the next that it has.
    pub(super) fn first_gap(self, numbers: Range<usize>) -> Option<Range<usize>> {
        let lacks = |&number: &usize| !self.has(&(number..number + 1));
        let start = numbers.clone().find(lacks)?;
        Some(start..(start..numbers.end).find(|number| !lacks(number)).unwrap_or(numbers.end))
    }
}

#[inline]
fn mask(numbers: &Range<usize>) -> u64 {
    match numbers.len() {
        0 => 0,
        count => (u64::MAX >> (64 - count)) << numbers.start,
    }
}

impl Frame {
    /// One that holds nothing.
    ///
    /// # Errors
    ///
    /// `out-of-memory`.
    pub(super) fn new(page_size: usize) -> Result<Self> {
        let bytes = zeroed(page_size as u64)?.into_boxed_slice();
        let (valid, there, dirty) = (Blocks::default(), Blocks::default(), DirtyRanges::default());
        Ok(Self { key: None, bytes, valid, there, filled: 0, dirty, uses: 0 })
    }

    /// Changes bytes, whatever is known of those around them.
    pub(super) fn change(&mut self, range: Range<usize>, bytes: &[u8]) {
        self.bytes[range.clone()].copy_from_slice(bytes);
        self.dirty.add(range);
    }

    /// The page that it holds.
    pub(super) fn key(&self) -> Option<Key> {
        self.key
    }

    /// Whether it has nothing of its page.
    pub(super) fn is_empty(&self) -> bool {
        self.valid.is_empty() && self.dirty.is_empty()
    }

    /// Lets `fill` overwrite a range of bytes, but for those that were changed.
    pub(super) fn fill_around_changes<T>(
        &mut self,
        range: Range<usize>,
        fill: impl FnOnce(&mut [u8]) -> Result<T>,
    ) -> Result<T> {
        let changed = self.dirty.within(&range).map(|range| (range.start, self.bytes[range].to_vec()));
        let changed: Vec<_> = changed.collect();
        let filled = fill(&mut self.bytes[range]);
        for (start, bytes) in changed {
            self.bytes[start..start + bytes.len()].copy_from_slice(&bytes);
        }
        filled
    }

    /// Forgets what lies from `end` on: the file ends there now.
    pub(super) fn cut(&mut self, end: usize) {
        if end < self.filled {
            self.filled = end;
        }
        if end < self.bytes.len() {
            self.dirty.cut(end);
            self.bytes[end..].fill(0);
        }
    }
}

/// All frames. Replacement is GCLOCK (Smith 1978): a page starts with no uses, so that one that is read once and never again goes
/// before one that was come back to.
#[derive(Debug)]
pub(super) struct Frames {
    frames: Vec<Frame>,
    by_key: HashMap<Key, usize, FxBuildHasher>,
    page_size: usize,
    /// The blocks of a whole page.
    all: Blocks,
    /// How many frames there may be.
    limit: usize,
    hand: usize,
    /// The frame that was found last.
    last: usize,
    /// In which frame a page may be, at the page's slot; its key tells. Most pages are found here.
    hints: Vec<usize>,
    /// The pages that were asked for lately and have no frame, each at its slot.
    asked_for: Vec<Option<Key>>,
}

impl Frames {
    pub(super) fn new(page_size: usize, block_size: usize, limit: usize) -> Self {
        let slots = limit.next_power_of_two().min(MOST_SLOTS);
        Self {
            frames: Vec::new(),
            by_key: HashMap::default(),
            page_size,
            all: Blocks(mask(&(0..page_size / block_size))),
            limit,
            hand: 0,
            last: 0,
            hints: vec![0; slots],
            asked_for: vec![None; slots],
        }
    }

    /// How many frames there may be.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// How many bytes the frames take.
    pub(super) fn memory(&self) -> usize {
        self.frames.len() * self.page_size
    }

    /// The frame that holds a page, which is used thereby, unless it was the last one that was found: reads within a page, one after
    /// the other, are one use.
    #[inline]
    pub(super) fn find(&mut self, key: Key) -> Option<usize> {
        match self.peek(key) {
            Some(_) => Some(self.last),
            None => self.find_by_key(key),
        }
    }

    /// The same, where the page is found at once.
    #[inline]
    pub(super) fn peek(&mut self, key: Key) -> Option<&Frame> {
        let index = self.hints[self.slot(key)];
        let frame = self.frames.get_mut(index)?;
        if frame.key != Some(key) {
            return None;
        }
        if index != self.last {
            frame.uses = MOST_USES.min(frame.uses + 1);
            self.last = index;
        }
        Some(frame)
    }

    /// The frame that was found last, if it holds this page, and all of it.
    #[inline]
    pub(super) fn last(&self, key: Key) -> Option<&Frame> {
        let frame = self.frames.get(self.last)?;
        let is_whole = frame.valid == self.all && frame.filled == frame.bytes.len();
        (frame.key == Some(key) && is_whole).then_some(frame)
    }

    #[cold]
    fn find_by_key(&mut self, key: Key) -> Option<usize> {
        let index = *self.by_key.get(&key)?;
        let slot = self.slot(key);
        self.hints[slot] = index;
        let frame = &mut self.frames[index];
        frame.uses = MOST_USES.min(frame.uses + 1);
        self.last = index;
        Some(index)
    }

    /// Where a page has its place in the tables.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "only the lower bits are used")]
    fn slot(&self, key: Key) -> usize {
        // The files' pages are numbered from 0 on: those of several must not all meet at the start.
        (key.page as usize).wrapping_add(key.file.wrapping_mul(0x9e37_79b9)) & (self.hints.len() - 1)
    }

    /// Whether a page was asked for lately; from now on, it was.
    pub(super) fn was_asked_for(&mut self, key: Key) -> bool {
        let slot = self.slot(key);
        self.asked_for[slot].replace(key) == Some(key)
    }

    pub(super) fn get(&self, index: usize) -> &Frame {
        &self.frames[index]
    }

    pub(super) fn get_mut(&mut self, index: usize) -> &mut Frame {
        &mut self.frames[index]
    }

    /// A new frame that holds nothing, while the budget and the memory last.
    pub(super) fn add(&mut self) -> Option<usize> {
        if self.frames.len() >= self.limit {
            return None;
        }
        self.frames.push(Frame::new(self.page_size).ok()?);
        Some(self.frames.len() - 1)
    }

    /// Moves the hand of the clock over a frame; answers it, if it is its turn to go.
    pub(super) fn turn(&mut self) -> Option<usize> {
        let (index, count) = (self.hand, self.frames.len());
        let frame = self.frames.get_mut(index)?;
        self.hand = (index + 1) % count;
        let is_due = frame.key.is_none() || frame.uses == 0;
        frame.uses = frame.uses.saturating_sub(1);
        is_due.then_some(index)
    }

    /// How often the hand may have to move until it has come to every frame's turn.
    pub(super) fn most_turns(&self) -> usize {
        // Once more than a page can be passed: the first times may do no more than take uses away.
        (usize::from(MOST_USES) + 1) * self.frames.len()
    }

    /// Gives a frame to a page, of which nothing is valid yet.
    pub(super) fn assign(&mut self, index: usize, key: Key) {
        let frame = &mut self.frames[index];
        frame.key = Some(key);
        frame.valid = Blocks::default();
        frame.there = Blocks::default();
        frame.filled = frame.bytes.len();
        frame.uses = 0;
        self.by_key.insert(key, index);
        let slot = self.slot(key);
        self.hints[slot] = index;
        self.last = index;
    }

    /// Whether a page has a frame.
    pub(super) fn has(&self, key: Key) -> bool {
        self.by_key.contains_key(&key)
    }

    /// The frame of a page, if it was not come back to, and has no changes.
    pub(super) fn unused(&self, key: Key) -> Option<usize> {
        let index = *self.by_key.get(&key)?;
        let frame = &self.frames[index];
        (frame.uses == 0 && frame.dirty.is_empty()).then_some(index)
    }

    /// Makes a frame hold nothing. What was dirty in it is lost.
    pub(super) fn release(&mut self, index: usize) {
        let frame = &mut self.frames[index];
        frame.dirty.clear();
        if let Some(key) = frame.key.take() {
            self.by_key.remove(&key);
        }
    }

    /// The frames of a file, in the order of the file.
    pub(super) fn of_file(&self, file: usize) -> Vec<(u64, usize)> {
        let frames = self.frames.iter().enumerate();
        let mut found: Vec<_> = frames
            .filter_map(|(index, frame)| frame.key.filter(|key| key.file == file).map(|key| (key.page, index)))
            .collect();
        found.sort_unstable();
        found
    }
}
