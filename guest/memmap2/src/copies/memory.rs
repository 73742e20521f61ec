//! Memory of whole pages.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io::{Error, ErrorKind, Result};
use std::ptr::NonNull;
use std::slice;

/// The size of a page in bytes. Memory is aligned to it, as programs expect of mappings.
pub(crate) const PAGE: usize = 4096;

/// Memory of whole pages, which starts as zeros.
pub(crate) struct Memory {
    start: NonNull<u8>,
    layout: Layout,
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
    pub(crate) fn new(len: usize) -> Result<Self> {
        let whole = len.max(1).checked_next_multiple_of(PAGE);
        let layout = whole.and_then(|whole| Layout::from_size_align(whole, PAGE).ok()).ok_or_else(out_of_memory)?;
        // SAFETY: the size is not 0. If the allocation fails, the pointer is null, which is checked.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(out_of_memory)?;
        Ok(Self { start, layout })
    }

    #[inline]
    pub(crate) fn ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Returns the number of bytes, a multiple of [`PAGE`].
    pub(crate) fn len(&self) -> usize {
        self.layout.size()
    }

    /// Returns all bytes, of memory that has no mapping yet.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the memory has this many bytes, and is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.ptr(), self.len()) }
    }

    /// Copies bytes of memory that mappings may have references to: none is made here.
    ///
    /// # Panics
    ///
    /// Panics if the range is not within the memory.
    pub(crate) fn copy_to(&self, at: usize, bytes: &mut [u8]) {
        assert!(at <= self.len() && bytes.len() <= self.len() - at);
        let start = self.ptr().wrapping_add(at);
        // SAFETY: the range is within the memory, as just checked, and `bytes` are not in it: nobody makes such
        // references but the users of mappings, who do not call this.
        unsafe { start.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
    }

    /// Returns a byte of memory that mappings may have references to.
    pub(crate) fn get(&self, at: usize) -> u8 {
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
    pub(crate) fn set(&self, at: usize, byte: u8) {
        assert!(at < self.len());
        let place = self.ptr().wrapping_add(at);
        // SAFETY: the byte is within the memory, as just checked.
        unsafe { place.write(byte) };
    }

    /// Fills a range of memory without a file, up to its end, with zeros, as [`set`](Self::set) does.
    pub(crate) fn clear(&self, start: usize, end: usize) {
        (start..end.min(self.len())).for_each(|at| self.set(at, 0));
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the memory was allocated with this layout, and is not used any more.
        unsafe { dealloc(self.ptr(), self.layout) };
    }
}

/// Returns the error of an allocation that failed.
pub(crate) fn out_of_memory() -> Error {
    let why = "out of memory for a mapping: a plugin has at most 2 GiB; views of wasi_mmap map a part at a time";
    Error::new(ErrorKind::OutOfMemory, why)
}
