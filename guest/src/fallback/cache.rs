//! The page cache: bounded memory between mappings and their files.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;

use rustc_hash::FxBuildHasher;
use wasi_mmap_core::{Error, Result};

use super::PAGE_LEN;
use super::file::{File, FileId, read_fully, write_fully};
use super::frames::{Frame, Frames, Key};
use super::overlay::parts;

/// How a [`Cache`] uses memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct CacheOptions {
    page_size: usize,
    budget: usize,
}

impl Default for CacheOptions {
    /// Pages of 64 KiB, which is what WASI reads at most in one call; a budget of 16 MiB.
    fn default() -> Self {
        Self { page_size: 64 * 1024, budget: 16 * 1024 * 1024 }
    }
}

impl CacheOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how much the cache reads at a time, in bytes: rounded up to a power of two, at least 4096.
    pub fn page_size(mut self, bytes: usize) -> Self {
        self.page_size = bytes.clamp(4096, 1 << 30).next_power_of_two();
        self
    }

    /// Sets how much memory the pages may take, in bytes; never less than two pages.
    pub fn budget(mut self, bytes: usize) -> Self {
        self.budget = bytes;
        self
    }
}

/// What a cache has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Accesses that found their page.
    pub hits: u64,
    /// Accesses that had to read their page from the file.
    pub misses: u64,
    /// Bytes that were read from files.
    pub bytes_read: u64,
    /// Calls that wrote to a file.
    pub writes: u64,
    /// Bytes that were written to files.
    pub bytes_written: u64,
    /// Memory that the pages take now, in bytes.
    pub memory: usize,
}

/// A page cache that mappings share. Clones are handles to the same cache.
#[derive(Debug)]
pub struct Cache<F: File> {
    inner: Rc<RefCell<Inner<F>>>,
}

impl<F: File> Clone for Cache<F> {
    fn clone(&self) -> Self {
        Self { inner: Rc::clone(&self.inner) }
    }
}

/// A mapping's hold on a file in a cache.
#[derive(Debug)]
pub(super) struct Hold<F: File> {
    cache: Cache<F>,
    number: usize,
    file: Rc<F>,
    writes: bool,
    pattern: Cell<Pattern>,
}

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

#[derive(Debug)]
struct Inner<F> {
    frames: Frames,
    /// A power of two.
    page_size: usize,
    /// A block has two to the power of this many bytes: a page of memory, or what 64 blocks to a page make necessary.
    block_bits: u32,
    files: HashMap<usize, Entry<F>, FxBuildHasher>,
    next_number: usize,
    stats: CacheStats,
}

/// A file that is mapped, or that still has changes that could not be written.
#[derive(Debug)]
struct Entry<F> {
    id: FileId,
    /// How many mappings hold it.
    holds: usize,
    /// The page that was last read from the file, and how many before it were read in the order of the file.
    last_page: Option<u64>,
    run: u64,
    /// The descriptors that may write, of which the first is used. They stay open while there are changes to write.
    writers: Vec<Rc<F>>,
}

impl<F: File> Cache<F> {
    /// An empty cache.
    pub fn new(options: CacheOptions) -> Self {
        let CacheOptions { page_size, budget } = options;
        let inner = Inner {
            frames: Frames::new(page_size, (budget / page_size).max(2)),
            page_size,
            block_bits: PAGE_LEN.max(page_size / 64).trailing_zeros(),
            files: HashMap::default(),
            next_number: 0,
            stats: CacheStats::default(),
        };
        Self { inner: Rc::new(RefCell::new(inner)) }
    }

    /// What the cache has done so far.
    pub fn stats(&self) -> CacheStats {
        let inner = self.inner.borrow();
        CacheStats { memory: inner.frames.memory(), ..inner.stats }
    }

    /// Takes hold of a file; `writes` says whether the mapping will write to it.
    pub(super) fn hold(&self, file: F, writes: bool) -> Result<Hold<F>> {
        let id = file.id()?;
        let file = Rc::new(file);
        let mut inner = self.inner.borrow_mut();
        let known = inner.files.iter().find(|(_, entry)| entry.id == id).map(|(&number, _)| number);
        let number = known.unwrap_or_else(|| {
            inner.next_number += 1;
            inner.next_number
        });
        let entry =
            inner.files.entry(number).or_insert(Entry { id, holds: 0, last_page: None, run: 0, writers: Vec::new() });
        entry.holds += 1;
        if writes {
            entry.writers.push(Rc::clone(&file));
        }
        Ok(Hold { cache: self.clone(), number, file, writes, pattern: Cell::default() })
    }
}

impl<F: File> Hold<F> {
    /// The file, for what does not concern its bytes.
    pub(super) fn file(&self) -> &F {
        &self.file
    }

    /// Takes advice on how the mapping will be read.
    pub(super) fn set_pattern(&self, pattern: Pattern) {
        self.pattern.set(pattern);
    }

    /// Copies bytes of the file out.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let mut inner = self.cache.inner.borrow_mut();
        for part in parts(offset, buffer.len(), inner.page_size) {
            let key = self.key(part.page);
            if part.within.len() == inner.page_size
                && inner.read_past(key, &self.file, &mut buffer[part.buffer.clone()])?
            {
                continue;
            }
            let frame = inner.load(key, &self.file, part.within.clone(), self.pattern.get())?;
            buffer[part.buffer].copy_from_slice(&frame.bytes[part.within]);
        }
        Ok(())
    }

    /// Shows `look` the bytes of a range, piece by piece, until it has seen enough.
    pub(super) fn visit(
        &self,
        range: Range<u64>,
        mut look: impl FnMut(&[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut inner = self.cache.inner.borrow_mut();
        let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let (mut rest, mut at) = (length, range.start);
        while rest > 0 {
            let Some(part) = parts(at, rest, inner.page_size).next() else { break };
            let (key, mut within) = (self.key(part.page), part.within);
            let frame = match inner.find(key, &within) {
                Ok(index) => inner.frames.get_mut(index),
                Err(_) => {
                    // No more than a block: what is looked for may be found at once, and what follows need not be there.
                    let size = inner.block_size();
                    within.end = within.end.min((within.start / size + 1) * size);
                    inner.load(key, &self.file, within.clone(), self.pattern.get())?
                }
            };
            if look(&frame.bytes[within.clone()])?.is_break() {
                break;
            }
            rest -= within.len();
            at += within.len() as u64;
        }
        Ok(())
    }

    /// Copies bytes in; they reach the file later.
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut inner = self.cache.inner.borrow_mut();
        for part in parts(offset, bytes.len(), inner.page_size) {
            let frame = inner.load(self.key(part.page), &self.file, part.within.clone(), self.pattern.get())?;
            frame.bytes[part.within.clone()].copy_from_slice(&bytes[part.buffer]);
            frame.dirty.add(part.within);
        }
        Ok(())
    }

    /// Writes changes in a range of the file back, in the order of the file. What could not be written stays dirty.
    ///
    /// # Errors
    ///
    /// What the file answers; `truncated` where the file has become shorter: those changes are lost, and the rest is written.
    pub(super) fn write_back(&self, range: Range<u64>) -> Result<()> {
        let inner = &mut *self.cache.inner.borrow_mut();
        let pages = inner.pages(&range);
        let mut dirty = inner.dirty_pages(self.number);
        dirty.retain(|(page, _)| pages.contains(page));
        if dirty.is_empty() {
            return Ok(());
        }
        let writer = inner.files.get(&self.number).and_then(Entry::writer).unwrap_or(&self.file);
        let len = writer.len()?;
        let mut outcome = Ok(());
        for (page, index) in dirty {
            let frame = inner.frames.get_mut(index);
            match clean(frame, &**writer, page * inner.page_size as u64, len, &mut inner.stats) {
                Err(Error::Truncated) => outcome = Err(Error::Truncated),
                cleaned => cleaned?,
            }
        }
        outcome
    }

    /// Returns when what was written back is on the storage device.
    pub(super) fn sync(&self) -> Result<()> {
        let inner = self.cache.inner.borrow();
        inner.files.get(&self.number).and_then(Entry::writer).unwrap_or(&self.file).sync()
    }

    /// Forgets pages that a range touches and that have no changes, so that they are read anew.
    pub(super) fn forget(&self, range: Range<u64>) {
        let mut inner = self.cache.inner.borrow_mut();
        let pages = inner.pages(&range);
        for (page, index) in inner.frames.of_file(self.number) {
            if pages.contains(&page) && inner.frames.get(index).dirty.is_empty() {
                inner.frames.release(index);
            }
        }
    }

    /// Forgets changes from `start` on: that part of the file is gone.
    pub(super) fn cut(&self, start: u64) {
        let mut inner = self.cache.inner.borrow_mut();
        let size = inner.page_size as u64;
        for (page, index) in inner.frames.of_file(self.number) {
            if page * size >= start {
                inner.frames.release(index);
            } else if (page + 1) * size > start {
                let end = usize::try_from(start - page * size).expect("less than a page");
                inner.frames.get_mut(index).cut(end);
            }
        }
    }

    /// Starts to read a range: as much of it as fits into half of the budget.
    pub(super) fn prefetch(&self, range: Range<u64>) -> Result<()> {
        let mut inner = self.cache.inner.borrow_mut();
        let pages = inner.pages(&range);
        let most = inner.frames.limit() as u64 / 2;
        for page in pages.take(usize::try_from(most).unwrap_or(usize::MAX)) {
            // What is not there any more is not read before it is wanted.
            let whole = 0..inner.page_size;
            match inner.load(self.key(page), &self.file, whole, Pattern::Sequential) {
                Ok(_) | Err(Error::Truncated) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn key(&self, page: u64) -> Key {
        Key { file: self.number, page }
    }
}

/// Writes changes back as far as it can; the last mapping of a file takes the pages along.
impl<F: File> Drop for Hold<F> {
    fn drop(&mut self) {
        if self.writes {
            // Changes that cannot be written stay in the cache, with this descriptor, for the next mapping of the file.
            let _ = self.write_back(0..u64::MAX);
        }
        let mut inner = self.cache.inner.borrow_mut();
        let is_clean = inner.dirty_pages(self.number).is_empty();
        let Some(entry) = inner.files.get_mut(&self.number) else { return };
        entry.holds -= 1;
        if is_clean {
            entry.writers.retain(|writer| !Rc::ptr_eq(writer, &self.file));
        }
        if is_clean && entry.holds == 0 {
            inner.files.remove(&self.number);
            for (_, index) in inner.frames.of_file(self.number) {
                inner.frames.release(index);
            }
        }
    }
}

impl<F> Entry<F> {
    fn writer(&self) -> Option<&Rc<F>> {
        self.writers.first()
    }
}

impl<F: File> Inner<F> {
    /// The frame that holds a page, of which `within` is read from `file` where it is not there; the file must reach so far.
    #[inline]
    fn load(&mut self, key: Key, file: &F, within: Range<usize>, pattern: Pattern) -> Result<&mut Frame> {
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
    fn find(&mut self, key: Key, within: &Range<usize>) -> Result<usize, Option<usize>> {
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
    fn read_past(&mut self, key: Key, file: &F, buffer: &mut [u8]) -> Result<bool> {
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
    fn block_size(&self) -> usize {
        1 << self.block_bits
    }

    /// The numbers of the blocks that a range of a page touches.
    #[inline]
    fn blocks(&self, within: &Range<usize>) -> Range<usize> {
        within.start >> self.block_bits..(within.end + self.block_size() - 1) >> self.block_bits
    }

    /// The pages of a file that have changes, and their frames, in the order of the file.
    fn dirty_pages(&self, file: usize) -> Vec<(u64, usize)> {
        let mut pages = self.frames.of_file(file);
        pages.retain(|&(_, index)| !self.frames.get(index).dirty.is_empty());
        pages
    }

    /// The numbers of the pages that a range of a file touches.
    fn pages(&self, range: &Range<u64>) -> Range<u64> {
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
fn clean<F: File>(frame: &mut Frame, file: &F, start: u64, len: u64, stats: &mut CacheStats) -> Result<()> {
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
