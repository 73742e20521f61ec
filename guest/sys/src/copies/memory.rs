//! Memory of whole pages.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io::{Error, ErrorKind, Result};
use std::ptr::NonNull;
use std::slice;

/// The size of a page in bytes. Memory is aligned to it, as programs expect of mappings.
pub const PAGE: usize = 4096;

/// Memory of whole pages, which starts as zeros.
#[derive(Debug)]
pub struct Memory {
    start: NonNull<u8>,
    len: usize,
    /// How it was allocated; `None` for memory that is somebody else's.
    layout: Option<Layout>,
}

// SAFETY: the memory belongs to the value, and to no thread.
unsafe impl Send for Memory {}
// SAFETY: as above; `&Memory` alone gives an address.
unsafe impl Sync for Memory {}

impl Memory {
    /// Allocates at least `len` bytes, at least one page.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`.
    pub fn new(len: usize) -> Result<Self> {
        let whole = len.max(1).checked_next_multiple_of(PAGE);
        let layout = whole.and_then(|whole| Layout::from_size_align(whole, PAGE).ok()).ok_or_else(out_of_memory)?;
        // SAFETY: the size is not 0. If the allocation fails, the pointer is null, which is checked.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(out_of_memory)?;
        Ok(Self { start, len: layout.size(), layout: Some(layout) })
    }

    /// Uses memory that belongs to somebody else, who keeps it after this is dropped.
    ///
    /// # Safety
    ///
    /// The memory has `len` bytes, which are whole pages. As long as this exists, it stays, and only the users of the
    /// mapping have references to it.
    #[must_use]
    pub unsafe fn borrowed(start: NonNull<u8>, len: usize) -> Self {
        Self { start, len, layout: None }
    }

    /// Returns whether the memory belongs to somebody else.
    pub(super) fn is_borrowed(&self) -> bool {
        self.layout.is_none()
    }

    /// Cuts off what lies behind an offset of memory that belongs to somebody else, and returns it.
    ///
    /// # Panics
    ///
    /// Panics if the offset is not within the memory, or if the memory was allocated here.
    pub(super) fn split_off(&mut self, at: usize) -> Self {
        assert!(at < self.len && self.is_borrowed());
        let start = NonNull::new(self.ptr().wrapping_add(at)).expect("memory does not wrap");
        let rest = Self { start, len: self.len - at, layout: None };
        self.len = at;
        rest
    }

    /// Returns the address.
    #[inline]
    #[must_use]
    pub fn ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Returns the number of bytes, a multiple of [`PAGE`].
    #[expect(clippy::len_without_is_empty, reason = "memory is never empty")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns all bytes, of memory that has no mapping yet.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the memory has this many bytes, and is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.ptr(), self.len()) }
    }

    /// Copies bytes of memory that mappings may have references to: none is made here.
    ///
    /// # Panics
    ///
    /// Panics if the range is not within the memory.
    pub fn copy_to(&self, at: usize, bytes: &mut [u8]) {
        assert!(at <= self.len() && bytes.len() <= self.len() - at);
        let start = self.ptr().wrapping_add(at);
        // SAFETY: the range is within the memory, as just checked, and `bytes` are not in it: nobody makes such
        // references but the users of mappings, who do not call this.
        unsafe { start.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
    }

    /// Returns a byte of memory that mappings may have references to.
    pub fn get(&self, at: usize) -> u8 {
        let mut byte = [0];
        self.copy_to(at, &mut byte);
        byte[0]
    }

    /// Changes a byte of memory that mappings may have references to. Whoever mapped the file has promised that nobody
    /// uses them while its bytes change.
    ///
    /// # Panics
    ///
    /// Panics if the byte is not within the memory.
    pub fn set(&self, at: usize, byte: u8) {
        assert!(at < self.len());
        let place = self.ptr().wrapping_add(at);
        // SAFETY: the byte is within the memory, as just checked.
        unsafe { place.write(byte) };
    }

    /// Fills a range of memory without a file, up to its end, with zeros, as [`set`](Self::set) does.
    pub fn clear(&self, start: usize, end: usize) {
        (start..end.min(self.len())).for_each(|at| self.set(at, 0));
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Some(layout) = self.layout {
            // SAFETY: the memory was allocated with this layout, and is not used any more.
            unsafe { dealloc(self.ptr(), layout) };
        }
    }
}

/// Returns the error of an allocation that failed.
#[must_use]
pub fn out_of_memory() -> Error {
    let why = "out of memory for a mapping: a plugin has at most 2 GiB; views of wasi_mmap map a part at a time";
    Error::new(ErrorKind::OutOfMemory, why)
}
