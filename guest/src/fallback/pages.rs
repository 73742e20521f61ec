//! Pages and their files: how pages come into the cache, which of their parts are there, and how changes go out.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use rustc_hash::FxBuildHasher;
use wasi_mmap_core::{Error, Result};

use super::PAGE_LEN;
use super::cache::CacheStats;
use super::file::{File, FileId, read_fully, write_fully};
use super::frames::{Frame, Frames, Key};

/// How a mapping says that it will be read. POSIX `posix_madvise(3)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Pattern {
    /// As the last accesses were.
    #[default]
    Normal,
    /// Here and there: no more is read than is wanted.
    Random,
    /// From start to end: whole pages are read.
    Sequential,
}

/// All pages of a cache, and the files that they belong to.
#[derive(Debug)]
pub(super) struct Pages<F> {
    pub(super) frames: Frames,
    /// A power of two.
    pub(super) page_size: usize,
    /// A block has two to the power of this many bytes: a page of memory, or what 64 blocks to a page make necessary.
    pub(super) block_bits: u32,
    pub(super) files: HashMap<usize, Entry<F>, FxBuildHasher>,
    pub(super) next_number: usize,
    pub(super) stats: CacheStats,
}

/// A file that is mapped, or that still has changes that could not be written.
#[derive(Debug)]
pub(super) struct Entry<F> {
    pub(super) id: FileId,
    /// How many mappings hold it.
    pub(super) holds: usize,
    /// The page that was last read from the file, and how many before it were read in the order of the file.
    pub(super) last_page: Option<u64>,
    pub(super) run: u64,
    /// The descriptors that may write, of which the first is used. They stay open while there are changes to write.
    pub(super) writers: Vec<Rc<F>>,
}

impl<F> Entry<F> {
    pub(super) fn writer(&self) -> Option<&Rc<F>> {
        self.writers.first()
    }
}

impl<F: File> Pages<F> {
    /// The frame that holds a page, of which `within` is read from `file` where it is not there; the file must reach so far.
    #[inline]
    pub(super) fn load(&mut self, key: Key, file: &F, within: Range<usize>, pattern: Pattern) -> Result<&mut Frame> {
        let index = match self.find(key, &within) {
            Ok(index) => {
                self.stats.hits += 1;
                index
            }
            Err(found) => self.fetch(key, found, file, within, pattern)?,
        };
        Ok(self.frames.get_mut(index))
    }

    /// The frame that holds a part of a page; or else the one that holds other parts of it, if any.
    #[inline]
    pub(super) fn find(&mut self, key: Key, within: &Range<usize>) -> Result<usize, Option<usize>> {
        let index = self.frames.find(key).ok_or(None)?;
        let frame = self.frames.get(index);
        let is_there = frame.valid.has(&self.blocks(within)) && frame.filled >= within.end;
        if is_there { Ok(index) } else { Err(Some(index)) }
    }

    /// Reads what is missing of `within`, and perhaps more.
    #[cold]
    fn fetch(
        &mut self,
        key: Key,
        found: Option<usize>,
        file: &F,
        within: Range<usize>,
        pattern: Pattern,
    ) -> Result<usize> {
        self.stats.misses += 1;
        let (index, is_next) = match found {
            Some(index) => (index, false),
            None => self.take_frame(key)?,
        };
        let frame = self.frames.get(index);
        let is_known = !frame.valid.is_empty();
        let whole = match pattern {
            Pattern::Random => false,
            Pattern::Sequential => true,
            // What was come back to, or follows what was read before it, will be wanted whole.
            Pattern::Normal => is_known || is_next,
        };
        let wanted = if whole { 0..self.page_size } else { within.clone() };
        // Only up to where the file is known to end: what may have come since is looked for at need.
        let known = wanted.start..wanted.end.min(frame.filled);
        let mut blocks = self.blocks(&known);
        while let Some(gap) = self.frames.get(index).valid.first_gap(blocks.clone()) {
            blocks.start = gap.end;
            if let Err(error) = self.read_gap(key, index, file, gap) {
                // A frame of nothing is of no use to anyone.
                if self.frames.get(index).valid.is_empty() {
                    self.frames.release(index);
                }
                return Err(error);
            }
        }
        if self.frames.get(index).filled < within.end {
            self.read_rest(key, index, file)?;
            // As in a real mapping, the page in which the file ends is there to its end; the next one is not.
            if reach(self.frames.get(index).filled) < within.end {
                return Err(Error::Truncated);
            }
        }
        Ok(index)
    }

    /// Reads a whole page straight into the caller's buffer, if it is the next one of a scan of more than the cache holds, where
    /// it would go before anyone came back to it. Answers whether it did.
    pub(super) fn read_past(&mut self, key: Key, file: &F, buffer: &mut [u8]) -> Result<bool> {
        let Some(entry) = self.files.get_mut(&key.file) else { return Ok(false) };
        let is_next = entry.last_page.is_some_and(|last| last + 1 == key.page);
        if !is_next || entry.run <= self.frames.limit() as u64 || self.frames.has(key) {
            return Ok(false);
        }
        let count = read_fully(file, key.page * self.page_size as u64, buffer)?;
        self.stats.bytes_read += count as u64;
        if count < buffer.len() {
            // The page in which the file ends needs more care.
            return Ok(false);
        }
        self.stats.misses += 1;
        entry.last_page = Some(key.page);
        entry.run += 1;
        Ok(true)
    }

    /// A frame for a page that has none, and whether the page before it was the last to be read from its file.
    fn take_frame(&mut self, key: Key) -> Result<(usize, bool)> {
        let Self { frames, files, stats, page_size, .. } = self;
        let mut is_next = false;
        if let Some(entry) = files.get_mut(&key.file) {
            is_next = entry.last_page.is_some_and(|last| last + 1 == key.page);
            entry.run = if is_next { entry.run + 1 } else { 0 };
            entry.last_page = Some(key.page);
            // A scan of more than fits would wash everything else out, and itself before it comes back.
            if entry.run > frames.limit() as u64
                && let Some(page) = key.page.checked_sub(SCAN_PAGES)
            {
                frames.retire(Key { page, ..key });
            }
        }
        let index = frames.take(|key, frame| {
            if frame.dirty.is_empty() {
                return Ok(());
            }
            let writer = files.get(&key.file).and_then(Entry::writer);
            let writer = writer.expect("a file with changes has a descriptor to write them with");
            match clean(frame, &**writer, key.page * *page_size as u64, writer.len()?, stats) {
                // What the file lost, the page has lost too.
                Err(Error::Truncated) => Ok(()),
                cleaned => cleaned,
            }
        })?;
        frames.assign(index, key);
        Ok((index, is_next))
    }

    /// Reads blocks of which none is valid.
    fn read_gap(&mut self, key: Key, index: usize, file: &F, gap: Range<usize>) -> Result<()> {
        let (start, size) = (key.page * self.page_size as u64, self.block_size());
        let frame = self.frames.get_mut(index);
        let range = gap.start * size..gap.end * size;
        let count = read_fully(file, start + range.start as u64, &mut frame.bytes[range.clone()])?;
        frame.bytes[range.start + count..range.end].fill(0);
        frame.valid.add(gap);
        if count < range.len() {
            frame.filled = frame.filled.min(range.start + count);
        } else {
            frame.filled = frame.filled.max(range.end);
        }
        self.stats.bytes_read += count as u64;
        Ok(())
    }

    /// Reads on where the file ended in a page when it was read: it may have become longer.
    fn read_rest(&mut self, key: Key, index: usize, file: &F) -> Result<()> {
        let start = key.page * self.page_size as u64;
        let (size, page_size) = (self.block_size(), self.page_size);
        let frame = self.frames.get_mut(index);
        let filled = frame.filled;
        let count = read_fully(file, start + filled as u64, &mut frame.bytes[filled..])?;
        frame.filled += count;
        // What was never read still holds another page's bytes.
        let mut blocks = filled.div_ceil(size)..page_size / size;
        while let Some(gap) = frame.valid.first_gap(blocks.clone()) {
            blocks.start = gap.end;
            frame.bytes[(gap.start * size).max(frame.filled).min(gap.end * size)..gap.end * size].fill(0);
            frame.valid.add(gap);
        }
        self.stats.bytes_read += count as u64;
        Ok(())
    }

    /// How many bytes a block has.
    #[inline]
    pub(super) fn block_size(&self) -> usize {
        1 << self.block_bits
    }

    /// The numbers of the blocks that a range of a page touches.
    #[inline]
    pub(super) fn blocks(&self, within: &Range<usize>) -> Range<usize> {
        within.start >> self.block_bits..(within.end + self.block_size() - 1) >> self.block_bits
    }

    /// The pages of a file that have changes, and their frames, in the order of the file.
    pub(super) fn dirty_pages(&self, file: usize) -> Vec<(u64, usize)> {
        let mut pages = self.frames.of_file(file);
        pages.retain(|&(_, index)| !self.frames.get(index).dirty.is_empty());
        pages
    }

    /// The numbers of the pages that a range of a file touches.
    pub(super) fn pages(&self, range: &Range<u64>) -> Range<u64> {
        let size = self.page_size as u64;
        range.start / size..range.end.div_ceil(size)
    }
}

/// How many pages of a long scan stay behind it: few, so that they stay in the processor's cache.
const SCAN_PAGES: u64 = 4;

/// How far a page that has `filled` bytes of the file can be used: to the end of the page of memory where the file ends.
fn reach(filled: usize) -> usize {
    filled.saturating_add(PAGE_LEN - 1) / PAGE_LEN * PAGE_LEN
}

/// Writes the changes of a page that starts at `start` to its file of `len` bytes, in order. What was written before an error
/// is clean.
///
/// # Errors
///
/// What the file answers; `truncated` where the file has become shorter: to write there would make it longer again.
pub(super) fn clean<F: File>(frame: &mut Frame, file: &F, start: u64, len: u64, stats: &mut CacheStats) -> Result<()> {
    let end = usize::try_from(len.saturating_sub(start)).unwrap_or(usize::MAX);
    let is_lost = frame.dirty.end() > reach(end);
    frame.cut(end);
    let ranges: Vec<_> = frame.dirty.iter().collect();
    for (done, range) in ranges.into_iter().enumerate() {
        if let Err(error) = write_fully(file, start + range.start as u64, &frame.bytes[range.clone()]) {
            frame.dirty.remove_first(done);
            return Err(error);
        }
        stats.writes += 1;
        stats.bytes_written += range.len() as u64;
    }
    frame.dirty.clear();
    if is_lost { Err(Error::Truncated) } else { Ok(()) }
}
