//! Views: a range of a mapping as a slice.
//!
//! Where the host has windows, and on native targets, a view is a window: the file's own pages. Elsewhere it is a copy,
//! which a [`ViewMut`] writes back. A program works with either, and can [ask](View::is_zero_copy) which one it has.
//!
//! # Safety
//!
//! The operations of [`Mapping`] copy, and are safe whatever others do to the file. A view lends the bytes, and a
//! `&[u8]` promises the compiler that they do not change. No one can promise that of a file which another process may
//! write. So the three methods that lend are `unsafe`, with the contract of every mapping library: **as long as a view
//! lives, no one else changes these bytes of the file or makes it shorter**: no other process, no other mapping, no
//! ordinary write.
//!
//! If the contract is broken, the process and the host survive, and no memory outside the view is touched. The contents
//! of the view are unspecified then, and so is the behaviour of code that reads a byte twice. Where a file became
//! shorter, its lost bytes read as zeros, and [`View::check`] reports it.
//!
//! ```
//! use wasi_mmap::{Mapping, Views};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("numbers");
//! # std::fs::write(&path, [1; 100_000])?;
//! let mapping = Mapping::open(&path)?;
//! let mut sum = 0;
//! // SAFETY: no one else writes to the file.
//! for view in unsafe { mapping.views(.., 1 << 16) }? {
//!     sum += view?.iter().map(|&byte| u64::from(byte)).sum::<u64>();
//! }
//! assert_eq!(sum, 100_000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bytes;
mod copied;
mod storage;
mod window;

use std::fmt;
use std::ops::{Deref, DerefMut, RangeBounds};

#[cfg(doc)]
use wasi_mmap_core::Error;
use wasi_mmap_core::{Internals, Mapping, Result};

use self::bytes::{Bytes, BytesMut};
use self::storage::ViewStorage;

/// Lends ranges of a mapping as slices.
pub trait Views {
    /// Returns a view of a range, which need not be aligned.
    ///
    /// # Safety
    ///
    /// As long as the view lives, no one else changes these bytes of the file or makes it shorter. See [the
    /// module](self#safety).
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::OutOfRange`] (`offset`, `length`); [`Error::Truncated`]; [`Error::OutOfMemory`].
    unsafe fn view(&self, range: impl RangeBounds<u64>) -> Result<View<'_>>
    where
        Self: Sized;

    /// Returns a view of a range that can be written.
    ///
    /// Writes have the effect of the mapping's own writes, at the latest when the view is [closed](ViewMut::close),
    /// flushed or dropped.
    ///
    /// # Safety
    ///
    /// As [`view`](Self::view), and no one else relies on what these bytes contain.
    ///
    /// # Errors
    ///
    /// As [`view`](Self::view); [`Error::ReadOnly`].
    unsafe fn view_mut(&mut self, range: impl RangeBounds<u64>) -> Result<ViewMut<'_>>
    where
        Self: Sized;

    /// Returns views of a range, in order, each of at most `size` bytes: for files larger than the address space.
    /// `size` is rounded to whole pages, at least one.
    ///
    /// Drop each view before taking the next one, so that they reuse the same memory.
    ///
    /// # Safety
    ///
    /// As [`view`](Self::view), for every view.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::OutOfRange`] (`offset`, `length`). Each view may have errors of its own.
    unsafe fn views(&self, range: impl RangeBounds<u64>, size: usize) -> Result<Chunks<'_, Self>>
    where
        Self: Sized;
}

impl<S: ViewStorage> Views for Mapping<S> {
    unsafe fn view(&self, range: impl RangeBounds<u64>) -> Result<View<'_>> {
        let range = self.select(range)?;
        // SAFETY: the contract is the caller's.
        unsafe { S::view(self, range.start, range.end - range.start) }.map(View)
    }

    unsafe fn view_mut(&mut self, range: impl RangeBounds<u64>) -> Result<ViewMut<'_>> {
        // The same checks as a write, in the same order, without writing.
        self.write_all_at(&[], 0)?;
        let range = self.select(range)?;
        // SAFETY: the contract is the caller's.
        unsafe { S::view_mut(self, range.start, range.end - range.start) }.map(ViewMut)
    }

    unsafe fn views(&self, range: impl RangeBounds<u64>, size: usize) -> Result<Chunks<'_, Self>> {
        let range = self.select(range)?;
        let page = S::page_size();
        Ok(Chunks { mapping: self, next: range.start, end: range.end, size: (size as u64 / page).max(1) * page, page })
    }
}

/// A view of a range of a mapping, for reading. See [`Views::view`].
#[must_use]
pub struct View<'a>(Bytes<'a>);

impl View<'_> {
    /// Returns true if this is a window on the file's own pages, and false if it is a copy.
    pub fn is_zero_copy(&self) -> bool {
        self.0.is_window()
    }

    /// Checks that everything read from the view so far was in the file. Bytes read as zeros if the file became shorter
    /// or could not grow. A copy was checked when it was made.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`]; [`Error::NoSpace`].
    pub fn check(&self) -> Result<()> {
        self.0.check()
    }
}

impl Deref for View<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

/// A view of a range of a mapping, for reading and writing. See [`Views::view_mut`].
///
/// Dropping it ends the view. If a copy cannot be written back then, its changes are lost silently;
/// [`close`](Self::close) and [`flush`](Self::flush) report that.
///
/// It is neither [`Send`] nor [`Sync`]: a copy is written back to its mapping, which may be bound to its thread.
#[must_use]
pub struct ViewMut<'a>(BytesMut<'a>);

impl ViewMut<'_> {
    /// Returns true if this is a window on the file's own pages, and false if it is a copy.
    pub fn is_zero_copy(&self) -> bool {
        self.0.is_window()
    }

    /// Checks what was read and written, as [`View::check`].
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`]; [`Error::NoSpace`].
    pub fn check(&self) -> Result<()> {
        self.0.check()
    }

    /// Writes changes to the file, and returns when they are on the storage device.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`]; [`Error::NoSpace`]; [`Error::Io`]. A copy keeps the changes that it could not write.
    pub fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }

    /// Ends the view. A copy is written back first.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`]; [`Error::NoSpace`]; [`Error::Io`].
    pub fn close(mut self) -> Result<()> {
        self.0.close()
    }
}

impl Deref for ViewMut<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl DerefMut for ViewMut<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("len", &self.len()).field("is_zero_copy", &self.is_zero_copy()).finish()
    }
}

impl fmt::Debug for ViewMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ViewMut").field("len", &self.len()).field("is_zero_copy", &self.is_zero_copy()).finish()
    }
}

/// An iterator over views of a range, in order. See [`Views::views`].
#[derive(Debug)]
pub struct Chunks<'a, M> {
    mapping: &'a M,
    next: u64,
    end: u64,
    /// The size of a view in bytes, a multiple of `page`.
    size: u64,
    page: u64,
}

impl<'a, M: Views> Iterator for Chunks<'a, M> {
    type Item = Result<View<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.next;
        if start >= self.end {
            return None;
        }
        // The view ends at a page boundary, so that the next one starts at a page.
        let boundary = start.saturating_add(self.size) / self.page * self.page;
        self.next = boundary.min(self.end);
        // SAFETY: the contract of `Views::views` covers every view.
        Some(unsafe { self.mapping.view(start..self.next) })
    }
}
