//! The write buffer: small writes to pages that have no frame.
//!
//! They are kept as they came, and take little more memory than their bytes, until the page gets a frame or they are
//! written back.

use std::collections::HashMap;
use std::ops::Range;

use rustc_hash::FxBuildHasher;
use wasi_mmap_core::{Error, Result};

use super::config::CacheStats;
use super::frame::Frame;
use super::layout::{Blocks, PageId};
use crate::fallback::file::File;

/// The writes to one page, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct BufferedWrites {
    /// The start within the page and the length of each write.
    places: Vec<(usize, usize)>,
    /// The bytes of all writes, one after the other.
    bytes: Vec<u8>,
    /// The blocks that are known to lie within the file.
    in_file: Blocks,
}

/// The memory that a write takes besides its bytes.
const PLACE_SIZE: usize = size_of::<(usize, usize)>();

impl BufferedWrites {
    fn memory(&self) -> usize {
        self.bytes.len() + self.places.len() * PLACE_SIZE
    }

    fn add(&mut self, start: usize, bytes: &[u8]) -> Result<()> {
        self.places.try_reserve(1).map_err(|_| Error::OutOfMemory)?;
        self.bytes.try_reserve(bytes.len()).map_err(|_| Error::OutOfMemory)?;
        self.places.push((start, bytes.len()));
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut rest = &self.bytes[..];
        self.places.iter().map(move |&(start, len)| {
            let (bytes, tail) = rest.split_at(len);
            rest = tail;
            (start, bytes)
        })
    }

    /// Applies the writes to a frame.
    pub(super) fn apply(&self, frame: &mut Frame) {
        frame.in_file = frame.in_file.union(self.in_file);
        for (start, bytes) in self.iter() {
            frame.write(start..start + bytes.len(), bytes);
        }
    }
}

/// The writes to all pages that have no frame.
#[derive(Debug)]
pub(super) struct WriteBuffer {
    pages: HashMap<PageId, BufferedWrites, FxBuildHasher>,
    memory: usize,
    limit: usize,
}

impl WriteBuffer {
    /// Creates a buffer that takes at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { pages: HashMap::default(), memory: 0, limit }
    }

    /// Returns the memory that all writes take, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    /// Returns the memory that the writes to a page take, in bytes.
    pub(super) fn memory_of(&self, page: PageId) -> usize {
        self.pages.get(&page).map_or(0, BufferedWrites::memory)
    }

    /// Returns true if a write of `len` bytes fits beside those that are there.
    pub(super) fn has_room_for(&self, len: usize) -> bool {
        self.memory <= self.limit.saturating_sub(cost(len))
    }

    /// Returns true if a write of `len` bytes fits into the empty buffer.
    pub(super) fn can_hold(&self, len: usize) -> bool {
        self.limit >= cost(len)
    }

    /// Returns the blocks of a page that are known to lie within the file.
    pub(super) fn in_file(&self, page: PageId) -> Blocks {
        self.pages.get(&page).map(|writes| writes.in_file).unwrap_or_default()
    }

    /// Records that blocks of a page with buffered writes lie within the file.
    pub(super) fn mark_in_file(&mut self, page: PageId, blocks: Range<usize>) {
        if let Some(writes) = self.pages.get_mut(&page) {
            writes.in_file.add(blocks);
        }
    }

    /// Adds a write that starts at `start` within its page.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`].
    pub(super) fn add(&mut self, page: PageId, start: usize, bytes: &[u8]) -> Result<()> {
        self.pages.entry(page).or_default().add(start, bytes)?;
        self.memory += cost(bytes.len());
        Ok(())
    }

    /// Removes and returns the writes to a page.
    pub(super) fn take(&mut self, page: PageId) -> Option<BufferedWrites> {
        let writes = self.pages.remove(&page)?;
        self.memory -= writes.memory();
        Some(writes)
    }

    /// Writes the writes to a page back, collected in `scratch`, a frame that has nothing else. Those that could not be
    /// written stay buffered. Otherwise as [`Frame::write_back`].
    pub(super) fn write_back<F: File>(
        &mut self,
        page: PageId,
        scratch: &mut Frame,
        file: &F,
        start: u64,
        file_len: u64,
        stats: &mut CacheStats,
    ) -> Result<()> {
        if let Some(writes) = self.take(page) {
            writes.apply(scratch);
        }
        let written = scratch.write_back(file, start, file_len, stats);
        scratch.dirty.iter().try_for_each(|range| self.add(page, range.start, &scratch.bytes[range]))?;
        scratch.dirty.clear();
        written
    }

    /// Discards what was written to a page from `end` on.
    pub(super) fn truncate(&mut self, page: PageId, end: usize) {
        let Some(writes) = self.take(page) else { return };
        for (start, bytes) in writes.iter().filter(|(start, _)| *start < end) {
            let kept = &bytes[..bytes.len().min(end - start)];
            self.add(page, start, kept).expect("no more memory than there was");
        }
    }

    /// Returns the pages of a file that have buffered writes, in no order.
    pub(super) fn pages_of(&self, file: usize) -> impl Iterator<Item = u64> {
        self.pages.keys().filter(move |id| id.file == file).map(|id| id.page)
    }

    /// Returns a file that has buffered writes.
    pub(super) fn any_file(&self) -> Option<usize> {
        self.pages.keys().map(|id| id.file).next()
    }
}

/// Returns the memory that a write of `len` bytes takes.
fn cost(len: usize) -> usize {
    len + PLACE_SIZE
}
