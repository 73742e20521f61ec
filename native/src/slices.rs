//! Slices of a mapping's own pages: unsafe, for programs that know who else uses the file.

use std::ops::Range;

use wasi_mmap_core::{Internals, Result};

use crate::storage::Mapping;

/// Lends a mapping's pages instead of copying.
///
/// # Safety
///
/// All methods have the contract of memmap2. As long as a slice is alive, nobody may change its bytes or make the file
/// shorter: no other process, no other mapping of the file, and no other handle to it. A change that the compiler does
/// not expect is undefined behaviour. If the file becomes shorter nevertheless, the process does not die: the bytes
/// read as zeros, and [`check`](Self::check) reports the loss.
pub trait Lend {
    /// Returns all bytes of the mapping.
    ///
    /// # Safety
    ///
    /// See [the trait](Lend#safety).
    ///
    /// # Errors
    ///
    /// [`Error::Closed`](crate::Error::Closed); [`Error::Busy`](crate::Error::Busy) while a window holds some of the
    /// pages.
    unsafe fn as_slice(&self) -> Result<&[u8]>;

    /// Returns all bytes of the mapping, for writing.
    ///
    /// # Safety
    ///
    /// See [the trait](Lend#safety). In addition, nobody else may read the bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`](crate::Error::Closed); [`Error::ReadOnly`](crate::Error::ReadOnly);
    /// [`Error::Busy`](crate::Error::Busy) while the pages are lent or a window holds some of them.
    unsafe fn as_mut_slice(&mut self) -> Result<&mut [u8]>;

    /// Checks that none of the bytes of a range was lost. Must be called after they were read.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`](crate::Error::Closed); [`Error::OutOfRange`](crate::Error::OutOfRange) (`offset`, `length`);
    /// [`Error::Truncated`](crate::Error::Truncated); [`Error::NoSpace`](crate::Error::NoSpace).
    fn check(&self, range: Range<u64>) -> Result<()>;
}

impl Lend for Mapping {
    unsafe fn as_slice(&self) -> Result<&[u8]> {
        let pages = self.storage()?.contiguous_pages()?;
        pages.mapping.put_back(false)?;
        // SAFETY: the caller promises what `slice` asks for; the pages are contiguous, as just checked.
        Ok(unsafe { pages.slice(0..pages.len()) })
    }

    unsafe fn as_mut_slice(&mut self) -> Result<&mut [u8]> {
        self.storage()?.contiguous_pages()?;
        let pages = self.storage_mut()?.writable_pages()?;
        pages.mapping.put_back(true)?;
        let len = pages.len();
        // SAFETY: the caller promises what `slice_mut` asks for; the pages are contiguous and writable, as just
        // checked.
        Ok(unsafe { pages.slice_mut(0..len) })
    }

    fn check(&self, range: Range<u64>) -> Result<()> {
        let range = self.range(range.start, range.end.saturating_sub(range.start))?;
        let storage = self.storage()?;
        // A private mapping that is lent for writing may be used by other threads: see `put_back`.
        if !(storage.pages().is_private() && storage.pages().is_writable()) {
            storage.pages().mapping.put_back(false)?;
        }
        storage.check(range)
    }
}
