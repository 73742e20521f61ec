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
use super::patches::Patches;

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
    pub(super) patches: Patches,
    /// How many bytes the patches may take.
    pub(super) most_patches: usize,
    /// A page has two to the power of this many bytes.
    pub(super) page_bits: u32,
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
    /// The page that last came into the cache, and how many before it came in the order of the file.
    pub(super) last_page: Option<u64>,
    pub(super) run: u64,
    /// Whether an eviction found that the file had lost what it was to write.
    pub(super) has_lost: bool,
    /// The descriptors that may write, of which the first is used. They stay open while there are changes to write.
    pub(super) writers: Vec<Rc<F>>,
}

impl<F> Entry<F> {
    pub(super) fn writer(&self) -> Option<&Rc<F>> {
        self.writers.first()
    }
}

impl<F: File> Pages<F> {
    /// Bytes of a file that lie in one page and are there, where they are found at once.
    #[inline]
    pub(super) fn peek(&mut self, file: usize, offset: u64, len: usize) -> Option<&[u8]> {
        let key = Key { file, page: offset >> self.page_bits };
        let start = self.in_page(offset);
        // Both are less than memory.
        let within = start..start + len;
        if within.end > self.page_size() {
            return None;
        }
        let blocks = self.blocks(&within);
        let frame = self.frames.peek(key)?;
        if within.end > frame.filled || !frame.valid.has(&blocks) {
            return None;
        }
        self.stats.hits += 1;
        Some(&frame.bytes[within])
    }

    /// The bytes from a place in a file to the end of its page, if that is the page which was found last, and all of it is there.
    #[inline]
    pub(super) fn rest_of_last_page(&mut self, file: usize, offset: u64) -> Option<&[u8]> {
        let start = self.in_page(offset);
        let frame = self.frames.last(Key { file, page: offset >> self.page_bits })?;
        self.stats.hits += 1;
        frame.bytes.get(start..)
    }

    /// The frame that holds a part of a page, which is read from `file` if it is not there; the file must reach so far.
    pub(super) fn load(&mut self, key: Key, file: &F, within: Range<usize>, pattern: Pattern) -> Result<usize> {
        match self.find(key, &within) {
            Ok(index) => Ok(index),
            Err(found) => self.fetch(key, found, file, within, pattern),
        }
    }

    /// The frame that holds a part of a page; or else the one that holds other parts of it, if any.
    #[inline]
    pub(super) fn find(&mut self, key: Key, within: &Range<usize>) -> Result<usize, Option<usize>> {
        let index = self.frames.find(key).ok_or(None)?;
        let frame = self.frames.get(index);
        let is_there = frame.valid.has(&self.blocks(within)) && frame.filled >= within.end;
        if !is_there {
            return Err(Some(index));
        }
        self.stats.hits += 1;
        Ok(index)
    }

    /// Reads what is missing of `within`, and perhaps more.
    #[cold]
    pub(super) fn fetch(
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
        let wanted = if whole { 0..self.page_size() } else { within.clone() };
        // Only up to where the file is known to end: what may have come since is looked for at need.
        let known = wanted.start..wanted.end.min(frame.filled);
        let mut blocks = self.blocks(&known);
        while let Some(gap) = self.frames.get(index).valid.first_gap(blocks.clone()) {
            blocks.start = gap.end;
            if let Err(error) = self.read_gap(key, index, file, gap) {
                // A frame of nothing is of no use to anyone.
                if self.frames.get(index).is_empty() {
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

    /// Reads a part of a page that has no frame straight into the caller's buffer, where a frame would not pay: a whole page, or less
    /// than a block out of the order of the file, of a page that was not asked for lately. Answers whether it did.
    ///
    /// Such a page gets its frame the second time: the queue of remembered pages of 2Q (Johnson and Shasha 1994), as a table.
    pub(super) fn read_past(&mut self, key: Key, file: &F, part: Range<usize>, buffer: &mut [u8]) -> Result<bool> {
        let Some(entry) = self.files.get_mut(&key.file) else { return Ok(false) };
        let is_next = entry.last_page.is_some_and(|last| last + 1 == key.page);
        let (is_whole, is_small) = (part.len() == 1 << self.page_bits, part.len() < 1 << self.block_bits);
        let is_new = self.patches.memory_of(key) == 0 && !self.frames.has(key);
        if !(is_new && (is_whole || is_small && !is_next)) || self.frames.was_asked_for(key) {
            return Ok(false);
        }
        let count = read_fully(file, key.page * self.page_size() as u64 + part.start as u64, buffer)?;
        self.stats.bytes_read += count as u64;
        if count < buffer.len() {
            // The page in which the file ends needs more care.
            return Ok(false);
        }
        self.stats.misses += 1;
        Ok(true)
    }

    /// Changes a part of a page. What is around it is read when it is wanted.
    pub(super) fn write(&mut self, key: Key, file: &F, part: Range<usize>, bytes: &[u8]) -> Result<()> {
        let blocks = self.blocks(&part);
        let found = self.frames.find(key);
        let seen = match found {
            Some(index) => {
                let frame = self.frames.get(index);
                frame.filled >= part.end && frame.valid.and(frame.there).has(&blocks)
            }
            None => self.patches.there(key).has(&blocks),
        };
        if !seen && reach(self.rest(key, file.len()?)) < part.end {
            return Err(Error::Truncated);
        }
        let index = match found {
            Some(index) => index,
            // Many changes to a page pay for a frame, which has each byte once.
            None if part.len() < self.block_size()
                && self.patches.memory_of(key) < self.page_size() / 4
                && self.make_room_for_patch(part.len()) =>
            {
                self.patches.add(key, part.start, bytes)?;
                self.patches.see(key, blocks);
                return Ok(());
            }
            None => self.take_frame(key)?.0,
        };
        let size = self.block_size();
        let whole = part.start.div_ceil(size)..part.end / size;
        let frame = self.frames.get_mut(index);
        frame.change(part, bytes);
        frame.there.add(blocks);
        if !whole.is_empty() {
            frame.valid.add(whole);
        }
        Ok(())
    }

    /// Writes back where patches take all that they may. Answers whether one with so many bytes has room then.
    fn make_room_for_patch(&mut self, len: usize) -> bool {
        let most = self.most_patches.saturating_sub(Patches::cost(len));
        while self.patches.memory() > most {
            let Some(file) = self.patches.any_file() else { return false };
            if self.write_back_unasked(file).is_err() {
                return false;
            }
        }
        self.most_patches >= Patches::cost(len)
    }

    /// A frame for a page that has none, and whether the page before it was the last to get one in its file.
    fn take_frame(&mut self, key: Key) -> Result<(usize, bool)> {
        let (mut is_next, mut run) = (false, 0);
        if let Some(entry) = self.files.get_mut(&key.file) {
            is_next = entry.last_page.is_some_and(|last| last + 1 == key.page);
            entry.run = if is_next { entry.run + 1 } else { 0 };
            entry.last_page = Some(key.page);
            run = entry.run;
        }
        let index = if let Some(index) = self.behind_a_scan(key, run) {
            self.frames.release(index);
            index
        } else if let Some(index) = self.frames.add() {
            index
        } else {
            self.evict()?
        };
        self.frames.assign(index, key);
        if let Some(changes) = self.patches.take(key) {
            changes.make(self.frames.get_mut(index));
        }
        Ok((index, is_next))
    }

    /// The frame that a long scan has left behind, if it has changes nowhere and was not come back to: the scan would wash everything
    /// else out, and itself before it comes back. A page that was asked for lately is kept.
    fn behind_a_scan(&mut self, key: Key, run: u64) -> Option<usize> {
        let is_new = !self.frames.was_asked_for(key);
        if run < SCAN_START || !is_new {
            return None;
        }
        let page = key.page.checked_sub(SCAN_PAGES)?;
        self.frames.unused(Key { page, ..key })
    }

    /// Takes a frame from a page. If that has changes, those of the whole file are written back: together, in the order of the file,
    /// and so that the next pages to go have none.
    ///
    /// # Errors
    ///
    /// What the write-back last answered, where every page has changes and none could be written; `out-of-memory`.
    fn evict(&mut self) -> Result<usize> {
        let mut refusal = Error::OutOfMemory;
        for _ in 0..self.frames.most_turns() {
            let Some(index) = self.frames.turn() else { continue };
            let frame = self.frames.get(index);
            if let Some(key) = frame.key()
                && !frame.dirty.is_empty()
                && let Err(error) = self.write_back_unasked(key.file)
            {
                refusal = error;
                continue;
            }
            self.frames.release(index);
            return Ok(index);
        }
        Err(refusal)
    }

    /// Writes all changes of a file back, to make room. What the file has lost is said at the next write-back that is asked for.
    fn write_back_unasked(&mut self, file: usize) -> Result<()> {
        match self.write_back(file, 0..u64::MAX) {
            Err(Error::Truncated) => {
                if let Some(entry) = self.files.get_mut(&file) {
                    entry.has_lost = true;
                }
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Writes the changes in a file's pages with these numbers back, in the order of the file. What could not be written stays dirty.
    ///
    /// # Errors
    ///
    /// What the file answers; `truncated` where the file has become shorter, now or before an unasked write-back since the last
    /// call: those changes are lost, and the rest is written.
    pub(super) fn write_back(&mut self, file: usize, pages: Range<u64>) -> Result<()> {
        let mut dirty = self.dirty_pages(file);
        dirty.retain(|(page, _)| pages.contains(page));
        let page_size = self.page_size();
        let Some(entry) = self.files.get_mut(&file) else { return Ok(()) };
        if !dirty.is_empty() {
            let writer = entry.writers.first().expect("a file with changes has a descriptor to write them with");
            let len = writer.len()?;
            // Patches come together here, one page's at a time.
            let mut scratch = None;
            for (page, index) in dirty {
                let (key, start) = (Key { file, page }, page * page_size as u64);
                let cleaned = match index {
                    Some(index) => clean(self.frames.get_mut(index), &**writer, start, len, &mut self.stats),
                    None => {
                        let frame = match &mut scratch {
                            Some(frame) => frame,
                            empty => empty.insert(Frame::new(page_size)?),
                        };
                        if let Some(changes) = self.patches.take(key) {
                            changes.make(frame);
                        }
                        let cleaned = clean(frame, &**writer, start, len, &mut self.stats);
                        // What could not be written.
                        self.patches.keep(key, frame)?;
                        frame.dirty.clear();
                        cleaned
                    }
                };
                match cleaned {
                    Err(Error::Truncated) => entry.has_lost = true,
                    cleaned => cleaned?,
                }
            }
        }
        if std::mem::take(&mut entry.has_lost) { Err(Error::Truncated) } else { Ok(()) }
    }

    /// Reads blocks of which none is valid.
    fn read_gap(&mut self, key: Key, index: usize, file: &F, gap: Range<usize>) -> Result<()> {
        let (start, size) = (self.start(key), self.block_size());
        let frame = self.frames.get_mut(index);
        let range = gap.start * size..gap.end * size;
        let count = frame.fill_around_changes(range.clone(), |bytes| {
            let count = read_fully(file, start + range.start as u64, bytes)?;
            bytes[count..].fill(0);
            Ok(count)
        })?;
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
        let (start, size, page_size) = (self.start(key), self.block_size(), self.page_size());
        let frame = self.frames.get_mut(index);
        let filled = frame.filled;
        let count =
            frame.fill_around_changes(filled..page_size, |bytes| read_fully(file, start + filled as u64, bytes))?;
        frame.filled += count;
        // What was never read still holds another page's bytes.
        let mut blocks = filled.div_ceil(size)..page_size / size;
        while let Some(gap) = frame.valid.first_gap(blocks.clone()) {
            blocks.start = gap.end;
            let rest = (gap.start * size).max(frame.filled).min(gap.end * size)..gap.end * size;
            frame.fill_around_changes(rest, |bytes| {
                bytes.fill(0);
                Ok(())
            })?;
            frame.valid.add(gap);
        }
        self.stats.bytes_read += count as u64;
        Ok(())
    }

    /// Where a page starts in its file.
    fn start(&self, key: Key) -> u64 {
        key.page * self.page_size() as u64
    }

    /// How much of a page and of what follows it a file of `len` bytes has.
    fn rest(&self, key: Key, len: u64) -> usize {
        usize::try_from(len.saturating_sub(self.start(key))).unwrap_or(usize::MAX)
    }

    /// How many bytes a page has.
    #[inline]
    pub(super) fn page_size(&self) -> usize {
        1 << self.page_bits
    }

    /// Where a place in a file lies in its page.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "only the lower bits are used")]
    fn in_page(&self, offset: u64) -> usize {
        offset as usize & (self.page_size() - 1)
    }

    /// How many bytes there are from a place in a file to the end of its page.
    #[inline]
    pub(super) fn rest_of_page(&self, offset: u64) -> usize {
        self.page_size() - self.in_page(offset)
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

    /// The pages of a file that have changes, and the frames of those that have one, in the order of the file.
    pub(super) fn dirty_pages(&self, file: usize) -> Vec<(u64, Option<usize>)> {
        let frames = self.frames.of_file(file).into_iter().map(|(page, index)| (page, Some(index)));
        let mut pages: Vec<_> =
            frames.filter(|&(_, index)| index.is_some_and(|index| !self.frames.get(index).dirty.is_empty())).collect();
        let framed = pages.len();
        pages.extend(self.patches.of_file(file).map(|page| (page, None)));
        if pages.len() > framed {
            pages.sort_unstable();
        }
        pages
    }

    /// The numbers of the pages that a range of a file touches.
    pub(super) fn pages(&self, range: &Range<u64>) -> Range<u64> {
        let size = self.page_size() as u64;
        range.start / size..range.end.div_ceil(size)
    }
}

/// From how many pages in a row on a scan is long.
const SCAN_START: u64 = 16;

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
