//! The buffer pool: the frames of the cache, the page table, and the choice of the page to evict.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::frame::Frame;
use super::layout::{Blocks, PageId, PageLayout};

/// The largest reference count of a frame.
const MAX_REFERENCES: u8 = 3;

/// The most entries of the lookaside table and of the ghost table.
const MAX_SLOTS: usize = 4096;

/// All frames. Replacement is GCLOCK (Smith 1978). A page starts with a reference count of 0, so that a page that is
/// read once is evicted before one that was used again.
#[derive(Debug)]
pub(super) struct BufferPool {
    frames: Vec<Frame>,
    page_table: HashMap<PageId, usize, FxBuildHasher>,
    page_size: usize,
    all_blocks: Blocks,
    /// The most frames that the pool may have.
    limit: usize,
    clock_hand: usize,
    /// The frame that was found last.
    last: usize,
    /// A direct-mapped table of frames before the page table. The frame itself tells whether it holds the page. Most
    /// lookups end here.
    lookaside: Vec<usize>,
    /// A direct-mapped table of pages that were requested lately and have no frame: the ghost entries of 2Q (Johnson
    /// and Shasha 1994).
    ghosts: Vec<Option<PageId>>,
}

impl BufferPool {
    /// Creates a pool of at most `limit` frames, which are allocated when they are needed.
    pub(super) fn new(layout: PageLayout, limit: usize) -> Self {
        let slots = limit.next_power_of_two().min(MAX_SLOTS);
        Self {
            frames: Vec::new(),
            page_table: HashMap::default(),
            page_size: layout.page_size(),
            all_blocks: layout.all_blocks(),
            limit,
            clock_hand: 0,
            last: 0,
            lookaside: vec![0; slots],
            ghosts: vec![None; slots],
        }
    }

    /// Returns the most frames that the pool may have.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the memory that the frames take, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.frames.len() * self.page_size
    }

    pub(super) fn frame(&self, index: usize) -> &Frame {
        &self.frames[index]
    }

    pub(super) fn frame_mut(&mut self, index: usize) -> &mut Frame {
        &mut self.frames[index]
    }

    /// Returns the frame that holds a page, and counts the reference, unless the frame is the one that was found last:
    /// consecutive accesses to one page are one reference.
    #[inline]
    pub(super) fn find(&mut self, page: PageId) -> Option<usize> {
        match self.find_fast(page) {
            Some(_) => Some(self.last),
            None => self.find_in_page_table(page),
        }
    }

    /// Does the same as [`find`](Self::find) for a page that the lookaside table has.
    #[inline]
    pub(super) fn find_fast(&mut self, page: PageId) -> Option<&Frame> {
        let index = self.lookaside[self.slot(page)];
        let frame = self.frames.get_mut(index)?;
        if frame.page != Some(page) {
            return None;
        }
        if index != self.last {
            frame.references = MAX_REFERENCES.min(frame.references + 1);
            self.last = index;
        }
        Some(frame)
    }

    #[cold]
    fn find_in_page_table(&mut self, page: PageId) -> Option<usize> {
        let index = *self.page_table.get(&page)?;
        let slot = self.slot(page);
        self.lookaside[slot] = index;
        let frame = &mut self.frames[index];
        frame.references = MAX_REFERENCES.min(frame.references + 1);
        self.last = index;
        Some(index)
    }

    /// Returns the frame that was found last if it holds this page completely.
    #[inline]
    pub(super) fn last_if_complete(&self, page: PageId) -> Option<&Frame> {
        let frame = self.frames.get(self.last)?;
        let is_complete = frame.valid == self.all_blocks && frame.filled == frame.bytes.len();
        (frame.page == Some(page) && is_complete).then_some(frame)
    }

    /// Returns true if a page has a frame. Does not count as a reference.
    pub(super) fn contains(&self, page: PageId) -> bool {
        self.page_table.contains_key(&page)
    }

    /// Returns the frame of a page if it is clean and its reference count is 0.
    pub(super) fn find_disposable(&self, page: PageId) -> Option<usize> {
        let index = *self.page_table.get(&page)?;
        let frame = &self.frames[index];
        (frame.references == 0 && frame.dirty.is_empty()).then_some(index)
    }

    /// Returns the frames of a file and their pages, in the order of the file.
    pub(super) fn frames_of(&self, file: usize) -> Vec<(u64, usize)> {
        let frames = self.frames.iter().enumerate();
        let mut found: Vec<_> = frames
            .filter_map(|(index, frame)| frame.page.filter(|id| id.file == file).map(|id| (id.page, index)))
            .collect();
        found.sort_unstable();
        found
    }

    /// Remembers that a page was requested. Returns true if it was remembered already.
    pub(super) fn remember(&mut self, page: PageId) -> bool {
        let slot = self.slot(page);
        self.ghosts[slot].replace(page) == Some(page)
    }

    /// Returns the entry for a page in the lookaside and ghost tables.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "only the lower bits are used")]
    fn slot(&self, id: PageId) -> usize {
        // The file's number spreads the first pages of several files, which would all meet at the first entries.
        (id.page as usize).wrapping_add(id.file.wrapping_mul(0x9e37_79b9)) & (self.lookaside.len() - 1)
    }

    /// Allocates a frame, unless the limit is reached or memory is exhausted.
    pub(super) fn allocate(&mut self) -> Option<usize> {
        if self.frames.len() >= self.limit {
            return None;
        }
        self.frames.push(Frame::new(self.page_size).ok()?);
        Some(self.frames.len() - 1)
    }

    /// Moves the clock hand over one frame, and returns the frame if it can be evicted.
    pub(super) fn advance_clock(&mut self) -> Option<usize> {
        let (index, count) = (self.clock_hand, self.frames.len());
        let frame = self.frames.get_mut(index)?;
        self.clock_hand = (index + 1) % count;
        let is_victim = frame.page.is_none() || frame.references == 0;
        frame.references = frame.references.saturating_sub(1);
        is_victim.then_some(index)
    }

    /// Returns the number of steps in which the clock hand has offered every frame.
    pub(super) fn max_clock_steps(&self) -> usize {
        // A frame with the largest count is offered in the round after those that count it down.
        (usize::from(MAX_REFERENCES) + 1) * self.frames.len()
    }

    /// Gives a free frame to a page.
    pub(super) fn assign(&mut self, index: usize, page: PageId) {
        self.frames[index].assign(page);
        self.page_table.insert(page, index);
        let slot = self.slot(page);
        self.lookaside[slot] = index;
        self.last = index;
    }

    /// Frees a frame. Its dirty ranges are lost.
    pub(super) fn release(&mut self, index: usize) {
        let frame = &mut self.frames[index];
        frame.dirty.clear();
        if let Some(page) = frame.page.take() {
            self.page_table.remove(&page);
        }
    }
}
