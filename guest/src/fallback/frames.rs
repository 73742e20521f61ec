//! The cache's memory: frames that hold a page each, which one is where, and which one goes next.

use std::collections::HashMap;
use std::ops::Range;

use rustc_hash::FxBuildHasher;
use wasi_mmap_core::{Error, Result, zeroed};

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
    /// A page's size of bytes.
    pub(super) bytes: Box<[u8]>,
    /// Which of them were read.
    pub(super) valid: Blocks,
    /// How many bytes the file has in the page, as far as is known: what is valid behind is zeros.
    pub(super) filled: usize,
    pub(super) dirty: DirtyRanges,
    /// How often it was come back to, but for the hand of the clock, which takes one away each time it passes.
    uses: u8,
}

/// How often the hand of the clock can pass a page that was used much.
const MOST_USES: u8 = 3;

/// Blocks of a page, 64 at most: what is read at once where a whole page would be too much.
#[derive(Debug, Clone, Copy, Default)]
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
    let below = |number: usize| if number >= 64 { u64::MAX } else { (1 << number) - 1 };
    below(numbers.end) & !below(numbers.start)
}

impl Frame {
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
    /// How many frames there may be.
    limit: usize,
    hand: usize,
    /// The page that was found last, which is mostly the next one too.
    last: Option<(Key, usize)>,
}

impl Frames {
    pub(super) fn new(page_size: usize, limit: usize) -> Self {
        Self { frames: Vec::new(), by_key: HashMap::default(), page_size, limit, hand: 0, last: None }
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
        if let Some((last, index)) = self.last
            && last == key
        {
            return Some(index);
        }
        let index = *self.by_key.get(&key)?;
        let frame = &mut self.frames[index];
        frame.uses = MOST_USES.min(frame.uses + 1);
        self.last = Some((key, index));
        Some(index)
    }

    pub(super) fn get(&self, index: usize) -> &Frame {
        &self.frames[index]
    }

    pub(super) fn get_mut(&mut self, index: usize) -> &mut Frame {
        &mut self.frames[index]
    }

    /// A frame that holds nothing, for a page: a new one while the budget lasts, or one that `clean` could write back.
    ///
    /// # Errors
    ///
    /// What `clean` last answered, where every frame is dirty and none could be cleaned; `out-of-memory`.
    pub(super) fn take(&mut self, mut clean: impl FnMut(Key, &mut Frame) -> Result<()>) -> Result<usize> {
        if self.frames.len() < self.limit
            && let Ok(bytes) = zeroed(self.page_size as u64)
        {
            let bytes = bytes.into_boxed_slice();
            let dirty = DirtyRanges::default();
            self.frames.push(Frame { key: None, bytes, valid: Blocks::default(), filled: 0, dirty, uses: 0 });
            return Ok(self.frames.len() - 1);
        }
        let mut refusal = Error::OutOfMemory;
        // Once more than a page can be passed: the first times may do no more than take uses away.
        for _ in 0..(usize::from(MOST_USES) + 1) * self.frames.len() {
            let index = self.hand;
            self.hand = (index + 1) % self.frames.len();
            let frame = &mut self.frames[index];
            let Some(key) = frame.key else { return Ok(index) };
            if frame.uses > 0 {
                frame.uses -= 1;
                continue;
            }
            match clean(key, frame) {
                Ok(()) => {
                    self.release(index);
                    return Ok(index);
                }
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    /// Gives a frame to a page, of which nothing is valid yet.
    pub(super) fn assign(&mut self, index: usize, key: Key) {
        let frame = &mut self.frames[index];
        frame.key = Some(key);
        frame.valid = Blocks::default();
        frame.filled = frame.bytes.len();
        frame.uses = 0;
        self.by_key.insert(key, index);
        self.last = Some((key, index));
    }

    /// Whether a page has a frame.
    pub(super) fn has(&self, key: Key) -> bool {
        self.by_key.contains_key(&key)
    }

    /// Makes the hand come to a page next, if it was not come back to, and has no changes.
    pub(super) fn retire(&mut self, key: Key) {
        if let Some(&index) = self.by_key.get(&key)
            && self.frames[index].uses == 0
            && self.frames[index].dirty.is_empty()
        {
            self.hand = index;
        }
    }

    /// Makes a frame hold nothing. What was dirty in it is lost.
    pub(super) fn release(&mut self, index: usize) {
        let frame = &mut self.frames[index];
        frame.dirty.clear();
        if let Some(key) = frame.key.take() {
            self.by_key.remove(&key);
            self.last = self.last.filter(|(last, _)| *last != key);
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
