//! The page cache: bounded memory between mappings and their files.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;

use wasi_mmap_core::{Error, Result};

use super::PAGE_LEN;
use super::file::File;
use super::frames::{Frames, Key};
use super::overlay::parts;
use super::pages::{Entry, Pages, Pattern};
use super::patches::Patches;

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

    /// Sets how much memory the cache may take, in bytes; never less than two pages. An eighth is for small writes to pages that are
    /// not in the cache.
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
    inner: Rc<RefCell<Pages<F>>>,
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

impl<F: File> Cache<F> {
    /// An empty cache.
    pub fn new(options: CacheOptions) -> Self {
        let CacheOptions { page_size, budget } = options;
        let most_patches = budget / 8;
        let block_size = PAGE_LEN.max(page_size / 64);
        let inner = Pages {
            frames: Frames::new(page_size, block_size, ((budget - most_patches) / page_size).max(2)),
            patches: Patches::default(),
            most_patches,
            page_bits: page_size.trailing_zeros(),
            block_bits: block_size.trailing_zeros(),
            files: HashMap::default(),
            next_number: 0,
            stats: CacheStats::default(),
        };
        Self { inner: Rc::new(RefCell::new(inner)) }
    }

    /// What the cache has done so far.
    pub fn stats(&self) -> CacheStats {
        let inner = self.inner.borrow();
        CacheStats { memory: inner.frames.memory() + inner.patches.memory(), ..inner.stats }
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
        let entry = inner.files.entry(number).or_insert(Entry {
            id,
            holds: 0,
            last_page: None,
            run: 0,
            has_lost: false,
            writers: Vec::new(),
        });
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
    #[inline]
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let mut inner = self.cache.inner.borrow_mut();
        match inner.peek(self.number, offset, buffer.len()) {
            Some(bytes) => copy(bytes, buffer),
            None => self.read_parts(&mut inner, offset, buffer)?,
        }
        Ok(())
    }

    /// What `look` finds in the bytes of a range up to the end of their page, if that is the one which was found last, and is there.
    #[inline]
    pub(super) fn glance<T>(&self, range: &Range<u64>, look: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        let mut inner = self.cache.inner.borrow_mut();
        let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let rest = inner.rest_of_last_page(self.number, range.start)?;
        look(&rest[..len.min(rest.len())])
    }

    /// Copies bytes out of several pages, or of one that may have to be read.
    fn read_parts(&self, inner: &mut Pages<F>, offset: u64, buffer: &mut [u8]) -> Result<()> {
        for part in parts(offset, buffer.len(), inner.page_size()) {
            let (key, buffer) = (self.key(part.page), &mut buffer[part.buffer]);
            let index = match inner.find(key, &part.within) {
                Ok(index) => index,
                Err(None) if inner.read_past(key, &self.file, part.within.clone(), buffer)? => continue,
                Err(found) => inner.fetch(key, found, &self.file, part.within.clone(), self.pattern.get())?,
            };
            copy(&inner.frames.get(index).bytes[part.within], buffer);
        }
        Ok(())
    }

    /// Shows `look` the bytes of a range, piece by piece, until it has seen enough.
    #[inline]
    pub(super) fn visit(
        &self,
        range: Range<u64>,
        mut look: impl FnMut(&[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut inner = self.cache.inner.borrow_mut();
        let mut at = range.start;
        while at < range.end {
            let rest = inner.rest_of_page(at);
            let len = usize::try_from(range.end - at).map_or(rest, |len| len.min(rest));
            let seen = match inner.peek(self.number, at, len) {
                Some(bytes) => look(bytes).map(|flow| (flow, len)),
                None => {
                    let bytes = self.load_some(&mut inner, at, len)?;
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

    /// The first of `len` bytes of a page: all that are there, or no more than a block. What is looked for may be found at once, and
    /// what follows need not be there.
    fn load_some<'a>(&self, inner: &'a mut Pages<F>, at: u64, len: usize) -> Result<&'a [u8]> {
        let Some(part) = parts(at, len, inner.page_size()).next() else { return Ok(&[]) };
        let (key, mut within) = (self.key(part.page), part.within);
        let index = match inner.find(key, &within) {
            Ok(index) => index,
            Err(_) => {
                let size = inner.block_size();
                within.end = within.end.min((within.start / size + 1) * size);
                inner.load(key, &self.file, within.clone(), self.pattern.get())?
            }
        };
        Ok(&inner.frames.get(index).bytes[within])
    }

    /// Copies bytes in; they reach the file later.
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut inner = self.cache.inner.borrow_mut();
        for part in parts(offset, bytes.len(), inner.page_size()) {
            inner.write(self.key(part.page), &self.file, part.within, &bytes[part.buffer])?;
        }
        Ok(())
    }

    /// Writes changes in the pages of a range of the file back: see [`Pages::write_back`].
    pub(super) fn write_back(&self, range: Range<u64>) -> Result<()> {
        let mut inner = self.cache.inner.borrow_mut();
        let pages = inner.pages(&range);
        inner.write_back(self.number, pages)
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
        let size = inner.page_size() as u64;
        for (page, index) in inner.frames.of_file(self.number) {
            if page * size >= start {
                inner.frames.release(index);
            } else if (page + 1) * size > start {
                let end = usize::try_from(start - page * size).expect("less than a page");
                inner.frames.get_mut(index).cut(end);
            }
        }
        let patched: Vec<u64> = inner.patches.of_file(self.number).collect();
        for page in patched {
            let end = usize::try_from(start.saturating_sub(page * size)).unwrap_or(usize::MAX);
            inner.patches.cut(self.key(page), end);
        }
    }

    /// Starts to read a range: as much of it as fits into half of the budget.
    pub(super) fn prefetch(&self, range: Range<u64>) -> Result<()> {
        let mut inner = self.cache.inner.borrow_mut();
        let pages = inner.pages(&range);
        let most = inner.frames.limit() as u64 / 2;
        for page in pages.take(usize::try_from(most).unwrap_or(usize::MAX)) {
            // What is not there any more is not read before it is wanted.
            let whole = 0..inner.page_size();
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

/// Copies bytes, a few of them without `memory.copy`: in a sandbox that may be a call, which takes longer than they do.
#[inline]
fn copy(from: &[u8], to: &mut [u8]) {
    const WORD: usize = 8;
    if from.len() <= 2 * WORD
        && let (Some(first), Some(last)) = (from.first_chunk::<WORD>(), from.last_chunk::<WORD>())
        && to.len() == from.len()
    {
        // The two may overlap.
        to[..WORD].copy_from_slice(first);
        let at = to.len() - WORD;
        to[at..].copy_from_slice(last);
    } else {
        to.copy_from_slice(from);
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
