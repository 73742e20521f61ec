//! Handles to a page cache: one for programs, and one for each mapping of a file.

use std::cell::RefCell;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;

use wasi_mmap_core::Result;

use super::config::{CacheOptions, CacheStats};
use super::file_table::{AccessPattern, OpenFile};
use super::state::PageCache;
use crate::fallback::file::File;
#[cfg(target_os = "wasi")]
use crate::fallback::file::FileId;

/// A page cache that mappings share. Clones are handles to the same cache.
///
/// It is neither [`Send`] nor [`Sync`]: its mappings share it without a lock.
#[derive(Debug)]
pub struct Cache<F: File>(Rc<RefCell<PageCache<F>>>);

impl<F: File> Clone for Cache<F> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<F: File> Cache<F> {
    /// Creates an empty cache.
    pub fn new(options: CacheOptions) -> Self {
        Self(Rc::new(RefCell::new(PageCache::new(options))))
    }

    /// Returns the statistics since the cache was created.
    pub fn stats(&self) -> CacheStats {
        self.0.borrow().stats()
    }

    /// Writes back what the program is going to read or write by itself. Does nothing while the cache is in use: then
    /// the I/O is the cache's own.
    #[cfg(target_os = "wasi")]
    pub(crate) fn before_io(&self, id: Option<FileId>, is_file: impl Fn(&F) -> bool, range: &Range<u64>) {
        if let Ok(mut cache) = self.0.try_borrow_mut() {
            cache.before_io(id, is_file, range);
        }
    }

    /// Discards what the program has written by itself. Does nothing while the cache is in use.
    #[cfg(target_os = "wasi")]
    pub(crate) fn after_write(&self, id: Option<FileId>, is_file: impl Fn(&F) -> bool, range: &Range<u64>) {
        if let Ok(mut cache) = self.0.try_borrow_mut() {
            cache.after_write(id, is_file, range);
        }
    }

    /// Opens a file for a mapping, which will write to it if `is_writer`.
    pub(crate) fn open(&self, file: F, is_writer: bool) -> Result<CachedFile<F>> {
        let open = self.0.borrow_mut().open(file, is_writer)?;
        Ok(CachedFile { cache: self.clone(), open })
    }
}

/// A mapping's file in a cache. Its bytes are read and written through the cache; dropping it writes changes back as
/// far as possible.
#[derive(Debug)]
pub(crate) struct CachedFile<F: File> {
    cache: Cache<F>,
    open: OpenFile<F>,
}

impl<F: File> CachedFile<F> {
    /// Returns the file itself, for its length and size.
    pub(crate) fn file(&self) -> &F {
        &self.open.file
    }

    /// Sets the order in which the mapping will be read.
    pub(crate) fn set_pattern(&self, pattern: AccessPattern) {
        self.open.pattern.set(pattern);
    }

    /// Copies bytes of the file out.
    #[inline]
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.cache.0.borrow_mut().read(&self.open, offset, buffer)
    }

    /// Copies bytes in. They reach the file later.
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.cache.0.borrow_mut().write(&self.open, offset, bytes)
    }

    /// Calls `look` with the bytes of a range, one part after the other, until it breaks.
    #[inline]
    pub(crate) fn visit(&self, range: Range<u64>, look: impl FnMut(&[u8]) -> Result<ControlFlow<()>>) -> Result<()> {
        self.cache.0.borrow_mut().visit(&self.open, range, look)
    }

    /// Returns what `look` finds in a range up to the end of its page, if that page was found last and is complete.
    #[inline]
    pub(crate) fn look_in_last_page<T>(&self, range: &Range<u64>, look: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        let mut cache = self.cache.0.borrow_mut();
        let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let rest = cache.rest_of_last_page(&self.open, range.start)?;
        look(&rest[..len.min(rest.len())])
    }

    /// Reads a range ahead, up to half of the cache.
    pub(crate) fn prefetch(&self, range: &Range<u64>) -> Result<()> {
        self.cache.0.borrow_mut().prefetch(&self.open, range)
    }

    /// Discards the clean pages that a range touches, so that they are read again.
    pub(crate) fn invalidate(&self, range: &Range<u64>) {
        self.cache.0.borrow_mut().invalidate(self.open.number, range);
    }

    /// Writes back the changes in the pages that a range touches.
    ///
    /// # Errors
    ///
    /// Any error of the file; [`Error::Truncated`](wasi_mmap_core::Error::Truncated) if changes were lost because the
    /// file became shorter.
    pub(crate) fn flush(&self, range: &Range<u64>) -> Result<()> {
        self.cache.0.borrow_mut().flush(&self.open, range)
    }

    /// Returns when everything that was written back is on the storage device.
    pub(crate) fn sync(&self) -> Result<()> {
        self.cache.0.borrow().sync(&self.open)
    }

    /// Discards changes from `end` on, where the file now ends.
    pub(crate) fn truncate(&self, end: u64) {
        self.cache.0.borrow_mut().truncate(&self.open, end);
    }
}

impl<F: File> Drop for CachedFile<F> {
    fn drop(&mut self) {
        self.cache.0.borrow_mut().close(&self.open);
    }
}
