//! The page cache: bounded memory between mappings and their files.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

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
}

#[derive(Debug)]
struct Inner<F> {
    frames: Frames,
    page_size: usize,
    files: HashMap<usize, Entry<F>>,
    next_number: usize,
    stats: CacheStats,
}

/// A file that is mapped, or that still has changes that could not be written.
#[derive(Debug)]
struct Entry<F> {
    id: FileId,
    /// How many mappings hold it.
    holds: usize,
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
            files: HashMap::new(),
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
        let entry = inner.files.entry(number).or_insert(Entry { id, holds: 0, writers: Vec::new() });
        entry.holds += 1;
        if writes {
            entry.writers.push(Rc::clone(&file));
        }
        Ok(Hold { cache: self.clone(), number, file, writes })
    }
}

impl<F: File> Hold<F> {
    /// The file, for what does not concern its bytes.
    pub(super) fn file(&self) -> &F {
        &self.file
    }

    /// Copies bytes of the file out.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let mut inner = self.cache.inner.borrow_mut();
        for part in parts(offset, buffer.len(), inner.page_size) {
            let frame = inner.load(self.key(part.page), &self.file, part.within.end)?;
            buffer[part.buffer].copy_from_slice(&frame.bytes[part.within]);
        }
        Ok(())
    }

    /// Copies bytes in; they reach the file later.
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut inner = self.cache.inner.borrow_mut();
        for part in parts(offset, bytes.len(), inner.page_size) {
            let frame = inner.load(self.key(part.page), &self.file, part.within.end)?;
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
            inner.load(self.key(page), &self.file, 0)?;
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
    /// The frame that holds a page, read from `file` where it is not there; the file must reach to `end` in it.
    fn load(&mut self, key: Key, file: &F, end: usize) -> Result<&mut Frame> {
        let index = match self.frames.find(key) {
            Some(index) => {
                self.stats.hits += 1;
                index
            }
            None => self.read_page(key, file)?,
        };
        if self.frames.get(index).filled < end {
            self.read_rest(key, index, file)?;
            // As in a real mapping, the page in which the file ends is there to its end; the next one is not.
            if reach(self.frames.get(index).filled) < end {
                return Err(Error::Truncated);
            }
        }
        Ok(self.frames.get_mut(index))
    }

    fn read_page(&mut self, key: Key, file: &F) -> Result<usize> {
        let Self { frames, files, stats, page_size, .. } = self;
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
        let frame = frames.get_mut(index);
        let filled = read_fully(file, key.page * *page_size as u64, &mut frame.bytes)?;
        frame.bytes[filled..].fill(0);
        frames.assign(index, key, filled);
        stats.misses += 1;
        stats.bytes_read += filled as u64;
        Ok(index)
    }

    /// Reads on where the file ended in a page when it was read: it may have become longer.
    fn read_rest(&mut self, key: Key, index: usize, file: &F) -> Result<()> {
        let start = key.page * self.page_size as u64;
        let frame = self.frames.get_mut(index);
        let filled = frame.filled;
        let count = read_fully(file, start + filled as u64, &mut frame.bytes[filled..])?;
        frame.filled += count;
        self.stats.bytes_read += count as u64;
        Ok(())
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
