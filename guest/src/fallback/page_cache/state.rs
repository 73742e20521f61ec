//! The state of a page cache: pages come in by reads, change by writes, and go out by write-back and eviction.

use std::ops::{ControlFlow, Range};

use wasi_mmap_core::{Error, Result};

use super::buffer_pool::BufferPool;
use super::config::{CacheOptions, CacheStats};
use super::copy::copy;
use super::file_table::{AccessPattern, FileTable, OpenFile};
use super::frame::{Frame, usable_len};
use super::layout::{PageId, PageLayout};
use super::write_buffer::WriteBuffer;
use crate::fallback::file::{File, read_fully};
use crate::fallback::page::page_spans;

/// The number of consecutive pages after which a scan is long.
const LONG_SCAN: u64 = 16;

/// The number of pages that a long scan leaves in the cache: few, so that they stay in the processor's cache.
const SCAN_PAGES: u64 = 4;

/// The range of all bytes of a file.
const WHOLE_FILE: Range<u64> = 0..u64::MAX;

/// The pages of all files in a cache, and the changes that are not yet written.
#[derive(Debug)]
pub(super) struct PageCache<F> {
    layout: PageLayout,
    pool: BufferPool,
    write_buffer: WriteBuffer,
    pub(super) files: FileTable<F>,
    stats: CacheStats,
}

/// The result of looking for a range of a page.
enum Lookup {
    /// The frame that holds the range.
    Hit(usize),
    /// The frame that holds other parts of the page, if there is one.
    Miss(Option<usize>),
}

/// Files.
impl<F: File> PageCache<F> {
    /// Creates an empty cache.
    pub(super) fn new(options: CacheOptions) -> Self {
        let CacheOptions { page_size, budget } = options;
        let layout = PageLayout::new(page_size);
        let write_buffer = budget / 8;
        Self {
            layout,
            pool: BufferPool::new(layout, ((budget - write_buffer) / page_size).max(2)),
            write_buffer: WriteBuffer::new(write_buffer),
            files: FileTable::new(),
            stats: CacheStats::default(),
        }
    }

    pub(super) fn stats(&self) -> CacheStats {
        CacheStats { memory: self.pool.memory() + self.write_buffer.memory(), ..self.stats }
    }

    /// Opens a file for a mapping, which will write to it if `is_writer`.
    pub(super) fn open(&mut self, file: F, is_writer: bool) -> Result<OpenFile<F>> {
        self.files.open(file, is_writer)
    }

    /// Closes a mapping's file after writing back what can be written. The last mapping takes the file's pages along.
    pub(super) fn close(&mut self, open: &OpenFile<F>) {
        if open.is_writer {
            // Changes that cannot be written stay in the cache, with their descriptor, for the next mapping of the
            // file.
            let _ = self.write_back(open.number, 0..u64::MAX);
        }
        let is_clean = self.dirty_pages(open.number).is_empty();
        if self.files.close(open, is_clean) {
            for (_, index) in self.pool.frames_of(open.number) {
                self.pool.release(index);
            }
        }
    }

    /// Returns when everything that was written back is on the storage device.
    pub(super) fn sync(&self, open: &OpenFile<F>) -> Result<()> {
        self.files.get(open.number).and_then(|entry| entry.writer()).unwrap_or(&open.file).sync()
    }
}

/// Reads.
impl<F: File> PageCache<F> {
    /// Copies bytes of a file out.
    #[inline]
    pub(super) fn read(&mut self, open: &OpenFile<F>, offset: u64, buffer: &mut [u8]) -> Result<()> {
        match self.peek(open.number, offset, buffer.len()) {
            Some(bytes) => copy(bytes, buffer),
            None => self.read_pages(open, offset, buffer)?,
        }
        Ok(())
    }

    /// Copies bytes of several pages out, or of one page that may be absent.
    fn read_pages(&mut self, open: &OpenFile<F>, offset: u64, buffer: &mut [u8]) -> Result<()> {
        for span in page_spans(offset, buffer.len(), self.layout.page_size()) {
            let (page, buffer) = (open.page(span.page), &mut buffer[span.buffer]);
            let index = match self.find(page, &span.within) {
                Lookup::Hit(index) => index,
                Lookup::Miss(None) if self.read_uncached(page, &open.file, span.within.clone(), buffer)? => continue,
                Lookup::Miss(found) => self.fetch(page, found, &open.file, span.within.clone(), open.pattern.get())?,
            };
            copy(&self.pool.frame(index).bytes[span.within], buffer);
        }
        Ok(())
    }

    /// Calls `look` with the bytes of a range, one part after the other, until it breaks.
    #[inline]
    pub(super) fn visit(
        &mut self,
        open: &OpenFile<F>,
        range: Range<u64>,
        mut look: impl FnMut(&[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut at = range.start;
        while at < range.end {
            let rest = self.layout.rest_of_page(at);
            let len = usize::try_from(range.end - at).map_or(rest, |len| len.min(rest));
            let seen = match self.peek(open.number, at, len) {
                Some(bytes) => look(bytes).map(|flow| (flow, len)),
                None => {
                    let bytes = self.load_prefix(open, at, len)?;
                    look(bytes).map(|flow| (flow, bytes.len()))
                }
            };
            match seen? {
                (ControlFlow::Break(()), _) => break,
                (ControlFlow::Continue(()), count) => at += count as u64,
            }
        }
        Ok(())
    }

    /// Returns the bytes from an offset to the end of its page, if the page was found last and is complete.
    #[inline]
    pub(super) fn rest_of_last_page(&mut self, open: &OpenFile<F>, offset: u64) -> Option<&[u8]> {
        let start = self.layout.within_page(offset);
        let frame = self.pool.last_if_complete(open.page(self.layout.page_at(offset)))?;
        self.stats.hits += 1;
        frame.bytes.get(start..)
    }

    /// Returns bytes that lie in one page, if the lookaside table has the page and all of them are valid.
    #[inline]
    fn peek(&mut self, file: usize, offset: u64, len: usize) -> Option<&[u8]> {
        let page = PageId { file, page: self.layout.page_at(offset) };
        let start = self.layout.within_page(offset);
        // The sum cannot overflow: neither is larger than memory.
        let within = start..start + len;
        if within.end > self.layout.page_size() {
            return None;
        }
        let blocks = self.layout.blocks(&within);
        let frame = self.pool.find_fast(page)?;
        if within.end > frame.filled || !frame.valid.contains(&blocks) {
            return None;
        }
        self.stats.hits += 1;
        Some(&frame.bytes[within])
    }

    #[inline]
    fn find(&mut self, page: PageId, within: &Range<usize>) -> Lookup {
        let Some(index) = self.pool.find(page) else { return Lookup::Miss(None) };
        let frame = self.pool.frame(index);
        if !frame.valid.contains(&self.layout.blocks(within)) || frame.filled < within.end {
            return Lookup::Miss(Some(index));
        }
        self.stats.hits += 1;
        Lookup::Hit(index)
    }

    /// Returns the first of `len` bytes that lie in one page: all of them if they are valid, otherwise no more than a
    /// block. The caller may find what it looks for at once, and what follows need not be in the file.
    fn load_prefix(&mut self, open: &OpenFile<F>, at: u64, len: usize) -> Result<&[u8]> {
        let Some(span) = page_spans(at, len, self.layout.page_size()).next() else { return Ok(&[]) };
        let (page, mut within) = (open.page(span.page), span.within);
        let index = match self.find(page, &within) {
            Lookup::Hit(index) => index,
            Lookup::Miss(_) => {
                let block_size = self.layout.block_size();
                within.end = within.end.min((within.start / block_size + 1) * block_size);
                self.load(page, &open.file, within.clone(), open.pattern.get())?
            }
        };
        Ok(&self.pool.frame(index).bytes[within])
    }

    /// Returns the frame that holds a range of a page, which is read from `file` if needed.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] if the file does not reach the end of the range; any error of the file or of an eviction.
    fn load(&mut self, page: PageId, file: &F, within: Range<usize>, pattern: AccessPattern) -> Result<usize> {
        match self.find(page, &within) {
            Lookup::Hit(index) => Ok(index),
            Lookup::Miss(found) => self.fetch(page, found, file, within, pattern),
        }
    }

    /// Reads what is missing of a range, or the whole page if that will pay.
    #[cold]
    fn fetch(
        &mut self,
        page: PageId,
        found: Option<usize>,
        file: &F,
        within: Range<usize>,
        pattern: AccessPattern,
    ) -> Result<usize> {
        self.stats.misses += 1;
        let (index, is_next) = match found {
            Some(index) => (index, false),
            None => self.take_frame(page)?,
        };
        let (layout, start) = (self.layout, self.layout.start_of(page.page));
        let frame = self.pool.frame_mut(index);
        let reads_page = match pattern {
            AccessPattern::Random => false,
            AccessPattern::Sequential => true,
            // A page that is used again, or follows the one read before it, is likely to be needed as a whole.
            AccessPattern::Normal => is_next || !frame.valid.is_empty(),
        };
        let wanted = if reads_page { 0..layout.page_size() } else { within.clone() };
        if let Err(error) = frame.read_missing(file, start, &wanted, layout, &mut self.stats) {
            if frame.is_empty() {
                self.pool.release(index);
            }
            return Err(error);
        }
        if frame.filled < within.end {
            frame.read_growth(file, start, layout, &mut self.stats)?;
            if usable_len(frame.filled) < within.end {
                return Err(Error::Truncated);
            }
        }
        Ok(index)
    }

    /// Reads a part of a page straight into the caller's buffer if a frame would not pay: on the first request for a
    /// whole page, or for less than a block out of the order of the file. Returns true if it did. The page gets its
    /// frame on the second request.
    fn read_uncached(&mut self, page: PageId, file: &F, within: Range<usize>, buffer: &mut [u8]) -> Result<bool> {
        let Some(entry) = self.files.get(page.file) else { return Ok(false) };
        let is_whole = within.len() == self.layout.page_size();
        let is_small = within.len() < self.layout.block_size() && !entry.is_next(page.page);
        let is_absent = self.write_buffer.memory_of(page) == 0 && !self.pool.contains(page);
        if !(is_absent && (is_whole || is_small)) || self.pool.remember(page) {
            return Ok(false);
        }
        let count = read_fully(file, self.layout.start_of(page.page) + within.start as u64, buffer)?;
        self.stats.bytes_read += count as u64;
        if count < buffer.len() {
            // The file ends in this page, which takes the rules of `fetch`.
            return Ok(false);
        }
        self.stats.misses += 1;
        Ok(true)
    }

    /// Reads a range ahead, up to half of the cache.
    pub(super) fn prefetch(&mut self, open: &OpenFile<F>, range: &Range<u64>) -> Result<()> {
        let max_pages = self.pool.limit() / 2;
        for page in self.layout.pages(range).take(max_pages) {
            let whole = 0..self.layout.page_size();
            match self.load(open.page(page), &open.file, whole, AccessPattern::Sequential) {
                // A truncated file is reported when the bytes are accessed.
                Ok(_) | Err(Error::Truncated) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Discards the clean pages that a range of a file touches, so that they are read again.
    pub(super) fn invalidate(&mut self, file: usize, range: &Range<u64>) {
        let pages = self.layout.pages(range);
        for (page, index) in self.pool.frames_of(file) {
            if pages.contains(&page) && self.pool.frame(index).dirty.is_empty() {
                self.pool.release(index);
            }
        }
    }
}

/// Writes.
impl<F: File> PageCache<F> {
    /// Copies bytes in. They reach the file later.
    pub(super) fn write(&mut self, open: &OpenFile<F>, offset: u64, bytes: &[u8]) -> Result<()> {
        for span in page_spans(offset, bytes.len(), self.layout.page_size()) {
            self.write_page(open.page(span.page), &open.file, span.within, &bytes[span.buffer])?;
        }
        Ok(())
    }

    /// Changes a range of a page. The bytes around it are read when they are needed.
    fn write_page(&mut self, page: PageId, file: &F, within: Range<usize>, bytes: &[u8]) -> Result<()> {
        let blocks = self.layout.blocks(&within);
        let found = self.pool.find(page);
        let is_in_file = match found {
            Some(index) => {
                let frame = self.pool.frame(index);
                frame.filled >= within.end && frame.valid.union(frame.in_file).contains(&blocks)
            }
            None => self.write_buffer.in_file(page).contains(&blocks),
        };
        if !is_in_file {
            let filled = file.len()?.saturating_sub(self.layout.start_of(page.page));
            if usable_len(usize::try_from(filled).unwrap_or(usize::MAX)) < within.end {
                return Err(Error::Truncated);
            }
        }
        let index = match found {
            Some(index) => index,
            // With many writes to a page, a frame takes less memory: it has each byte once.
            None if within.len() < self.layout.block_size()
                && self.write_buffer.memory_of(page) < self.layout.page_size() / 4
                && self.make_room_in_write_buffer(within.len()) =>
            {
                self.write_buffer.add(page, within.start, bytes)?;
                self.write_buffer.mark_in_file(page, blocks);
                return Ok(());
            }
            None => self.take_frame(page)?.0,
        };
        let frame = self.pool.frame_mut(index);
        frame.in_file.add(blocks);
        frame.valid.add(self.layout.whole_blocks(&within));
        frame.write(within, bytes);
        Ok(())
    }

    /// Writes files back until a write of `len` bytes fits into the write buffer. Returns false if it cannot fit.
    fn make_room_in_write_buffer(&mut self, len: usize) -> bool {
        while !self.write_buffer.has_room_for(len) {
            let Some(file) = self.write_buffer.any_file() else { return false };
            if self.write_back_unasked(file, &WHOLE_FILE).is_err() {
                return false;
            }
        }
        self.write_buffer.can_hold(len)
    }

    /// Discards changes from `end` on, where the file now ends.
    pub(super) fn truncate(&mut self, open: &OpenFile<F>, end: u64) {
        let within = |start: u64| usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
        for (page, index) in self.pool.frames_of(open.number) {
            let start = self.layout.start_of(page);
            if start >= end {
                self.pool.release(index);
            } else {
                self.pool.frame_mut(index).truncate(within(start));
            }
        }
        let buffered: Vec<u64> = self.write_buffer.pages_of(open.number).collect();
        for page in buffered {
            self.write_buffer.truncate(open.page(page), within(self.layout.start_of(page)));
        }
    }
}

/// Eviction and write-back.
impl<F: File> PageCache<F> {
    /// Returns a frame for a page that has none, and true if the page follows the one that got a frame before it in its
    /// file.
    fn take_frame(&mut self, page: PageId) -> Result<(usize, bool)> {
        let run = self.files.get_mut(page.file).map_or(0, |entry| entry.record(page.page));
        let index = if let Some(index) = self.find_behind_scan(page, run) {
            self.pool.release(index);
            index
        } else if let Some(index) = self.pool.allocate() {
            index
        } else {
            self.evict()?
        };
        self.pool.assign(index, page);
        if let Some(writes) = self.write_buffer.take(page) {
            writes.apply(self.pool.frame_mut(index));
        }
        Ok((index, run > 0))
    }

    /// Returns a clean frame that a long scan has left behind and that was not used again. Otherwise the scan would
    /// displace all other pages, and its own before it reaches them again. Pages that were requested lately are kept:
    /// the scan is repeated.
    fn find_behind_scan(&mut self, page: PageId, run: u64) -> Option<usize> {
        let is_new = !self.pool.remember(page);
        if run < LONG_SCAN || !is_new {
            return None;
        }
        let behind = page.page.checked_sub(SCAN_PAGES)?;
        self.pool.find_disposable(PageId { page: behind, ..page })
    }

    /// Evicts a page and returns its frame. If the page is dirty, its whole file is written back: in the order of the
    /// file, and so that the next pages to be evicted are clean.
    ///
    /// # Errors
    ///
    /// The error of the last write-back, if all pages are dirty and none could be written; [`Error::OutOfMemory`].
    fn evict(&mut self) -> Result<usize> {
        let mut last_error = Error::OutOfMemory;
        for _ in 0..self.pool.max_clock_steps() {
            let Some(index) = self.pool.advance_clock() else { continue };
            let frame = self.pool.frame(index);
            if let Some(page) = frame.page
                && !frame.dirty.is_empty()
                && let Err(error) = self.write_back_unasked(page.file, &WHOLE_FILE)
            {
                last_error = error;
                continue;
            }
            self.pool.release(index);
            return Ok(index);
        }
        Err(last_error)
    }

    /// Writes a range of a file back that nobody asked to flush. That changes were lost to a truncation is reported by
    /// the next call of [`write_back`](Self::write_back).
    pub(super) fn write_back_unasked(&mut self, file: usize, range: &Range<u64>) -> Result<()> {
        match self.write_back(file, self.layout.pages(range)) {
            Err(Error::Truncated) => {
                if let Some(entry) = self.files.get_mut(file) {
                    entry.has_lost_changes = true;
                }
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Writes back the changes in the pages that a range of a file touches: see [`write_back`](Self::write_back).
    pub(super) fn flush(&mut self, open: &OpenFile<F>, range: &Range<u64>) -> Result<()> {
        self.write_back(open.number, self.layout.pages(range))
    }

    /// Writes back the changes in these pages of a file, in the order of the file. Changes that could not be written
    /// stay dirty.
    ///
    /// # Errors
    ///
    /// Any error of the file; [`Error::Truncated`] if the file was found truncated, now or by a write-back that made
    /// room since the last call. The changes beyond its end are lost, and all others are written.
    fn write_back(&mut self, file: usize, pages: Range<u64>) -> Result<()> {
        let mut dirty = self.dirty_pages(file);
        dirty.retain(|(page, _)| pages.contains(page));
        let page_size = self.layout.page_size();
        let Some(entry) = self.files.get_mut(file) else { return Ok(()) };
        if !dirty.is_empty() {
            let writer = entry.writer().cloned().expect("a file with changes has a descriptor to write them with");
            let file_len = writer.len()?;
            // Collects the buffered writes of one page after the other.
            let mut scratch = None;
            for (page, index) in dirty {
                let (start, stats) = (self.layout.start_of(page), &mut self.stats);
                let written = match index {
                    Some(index) => self.pool.frame_mut(index).write_back(&*writer, start, file_len, stats),
                    None => {
                        let frame = match &mut scratch {
                            Some(frame) => frame,
                            empty => empty.insert(Frame::new(page_size)?),
                        };
                        self.write_buffer.write_back(PageId { file, page }, frame, &*writer, start, file_len, stats)
                    }
                };
                match written {
                    Err(Error::Truncated) => entry.has_lost_changes = true,
                    written => written?,
                }
            }
        }
        if std::mem::take(&mut entry.has_lost_changes) { Err(Error::Truncated) } else { Ok(()) }
    }

    /// Returns the pages of a file that have changes, with the frames of those that have one, in the order of the file.
    fn dirty_pages(&self, file: usize) -> Vec<(u64, Option<usize>)> {
        let frames =
            self.pool.frames_of(file).into_iter().filter(|&(_, index)| !self.pool.frame(index).dirty.is_empty());
        let mut pages: Vec<_> = frames.map(|(page, index)| (page, Some(index))).collect();
        let framed = pages.len();
        pages.extend(self.write_buffer.pages_of(file).map(|page| (page, None)));
        if pages.len() > framed {
            pages.sort_unstable();
        }
        pages
    }
}
