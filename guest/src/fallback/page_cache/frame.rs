//! A frame of the buffer pool: one page in memory, possibly in part, with its dirty ranges.

use std::ops::Range;

use wasi_mmap_core::{Error, Result, zeroed};

use super::config::CacheStats;
use super::dirty_ranges::DirtyRanges;
use super::layout::{Blocks, PageId, PageLayout};
use crate::fallback::file::{File, read_fully, write_fully};
use crate::fallback::page::PAGE_LEN;

/// A page in memory.
#[derive(Debug)]
pub(super) struct Frame {
    /// The page that the frame holds. Set by the buffer pool.
    pub(super) page: Option<PageId>,
    /// Reference count, decremented by the clock hand. Kept by the buffer pool.
    pub(super) references: u8,
    /// The bytes of the page. Only those in valid blocks and dirty ranges are defined.
    pub(super) bytes: Box<[u8]>,
    /// The blocks that were read, or written as a whole.
    pub(super) valid: Blocks,
    /// The blocks that are known to lie within the file although they were not read.
    pub(super) in_file: Blocks,
    /// The number of bytes of the page that the file has, as far as known. Valid bytes beyond are zeros.
    pub(super) filled: usize,
    pub(super) dirty: DirtyRanges,
}

impl Frame {
    /// Creates a frame that holds no page.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`].
    pub(super) fn new(page_size: usize) -> Result<Self> {
        Ok(Self {
            page: None,
            references: 0,
            bytes: zeroed(page_size as u64)?.into_boxed_slice(),
            valid: Blocks::default(),
            in_file: Blocks::default(),
            filled: 0,
            dirty: DirtyRanges::default(),
        })
    }

    /// Starts to hold a page, of which nothing is valid yet.
    pub(super) fn assign(&mut self, page: PageId) {
        self.page = Some(page);
        self.references = 0;
        self.valid = Blocks::default();
        self.in_file = Blocks::default();
        self.filled = self.bytes.len();
    }

    /// Returns true if the frame has neither valid nor changed bytes.
    pub(super) fn is_empty(&self) -> bool {
        self.valid.is_empty() && self.dirty.is_empty()
    }

    /// Changes bytes, and marks them dirty.
    pub(super) fn write(&mut self, within: Range<usize>, bytes: &[u8]) {
        self.bytes[within.clone()].copy_from_slice(bytes);
        self.dirty.add(within);
    }

    /// Discards everything from `end` on, where the file now ends.
    pub(super) fn truncate(&mut self, end: usize) {
        if end < self.filled {
            self.filled = end;
        }
        if end < self.bytes.len() {
            self.dirty.truncate(end);
            self.bytes[end..].fill(0);
        }
    }

    /// Reads those blocks of `wanted` that are not valid, no further than the file is known to reach. `start` is the
    /// file offset of the page.
    pub(super) fn read_missing<F: File>(
        &mut self,
        file: &F,
        start: u64,
        wanted: &Range<usize>,
        layout: PageLayout,
        stats: &mut CacheStats,
    ) -> Result<()> {
        let mut blocks = layout.blocks(&(wanted.start..wanted.end.min(self.filled)));
        while let Some(gap) = self.valid.first_gap(blocks.clone()) {
            blocks.start = gap.end;
            let range = gap.start * layout.block_size()..gap.end * layout.block_size();
            let count = self.fill_clean(range.clone(), |bytes| {
                let count = read_fully(file, start + range.start as u64, bytes)?;
                bytes[count..].fill(0);
                Ok(count)
            })?;
            self.valid.add(gap);
            if count < range.len() {
                self.filled = self.filled.min(range.start + count);
            } else {
                self.filled = self.filled.max(range.end);
            }
            stats.bytes_read += count as u64;
        }
        Ok(())
    }

    /// Reads from the last known end of the file to the end of the page: the file may have grown. Afterwards that part
    /// is valid.
    pub(super) fn read_growth<F: File>(
        &mut self,
        file: &F,
        start: u64,
        layout: PageLayout,
        stats: &mut CacheStats,
    ) -> Result<()> {
        let (known, page_size, block_size) = (self.filled, layout.page_size(), layout.block_size());
        let count = self.fill_clean(known..page_size, |bytes| read_fully(file, start + known as u64, bytes))?;
        self.filled += count;
        // Blocks that were never read still hold another page's bytes.
        let mut blocks = known.div_ceil(block_size)..page_size / block_size;
        while let Some(gap) = self.valid.first_gap(blocks.clone()) {
            blocks.start = gap.end;
            let (gap_start, gap_end) = (gap.start * block_size, gap.end * block_size);
            self.fill_clean(gap_start.max(self.filled).min(gap_end)..gap_end, |bytes| {
                bytes.fill(0);
                Ok(())
            })?;
            self.valid.add(gap);
        }
        stats.bytes_read += count as u64;
        Ok(())
    }

    /// Lets `fill` overwrite a range of bytes, and then restores the dirty ones.
    fn fill_clean<T>(&mut self, range: Range<usize>, fill: impl FnOnce(&mut [u8]) -> Result<T>) -> Result<T> {
        let dirty = self.dirty.intersect(&range).map(|range| (range.start, self.bytes[range].to_vec()));
        let dirty: Vec<_> = dirty.collect();
        let filled = fill(&mut self.bytes[range]);
        for (start, bytes) in dirty {
            self.bytes[start..start + bytes.len()].copy_from_slice(&bytes);
        }
        filled
    }

    /// Writes the dirty ranges to a file of `file_len` bytes, in order. `start` is the file offset of the page. Ranges
    /// that were written before an error are clean.
    ///
    /// # Errors
    ///
    /// Any error of the file; [`Error::Truncated`] if the file no longer reaches all changes. Those beyond its end are
    /// discarded, because writing them would make the file longer again.
    pub(super) fn write_back<F: File>(
        &mut self,
        file: &F,
        start: u64,
        file_len: u64,
        stats: &mut CacheStats,
    ) -> Result<()> {
        let end = usize::try_from(file_len.saturating_sub(start)).unwrap_or(usize::MAX);
        let is_lost = self.dirty.end() > usable_len(end);
        self.truncate(end);
        let ranges: Vec<_> = self.dirty.iter().collect();
        for (done, range) in ranges.into_iter().enumerate() {
            if let Err(error) = write_fully(file, start + range.start as u64, &self.bytes[range.clone()]) {
                self.dirty.remove_first(done);
                return Err(error);
            }
            stats.writes += 1;
            stats.bytes_written += range.len() as u64;
        }
        self.dirty.clear();
        if is_lost { Err(Error::Truncated) } else { Ok(()) }
    }
}

/// Returns how much of a page can be accessed if the file has its first `filled` bytes. As in a real mapping, that is
/// up to the end of the page of memory in which the file ends.
pub(super) fn usable_len(filled: usize) -> usize {
    filled.saturating_add(PAGE_LEN - 1) / PAGE_LEN * PAGE_LEN
}
