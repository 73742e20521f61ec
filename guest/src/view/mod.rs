//! Views: a part of a mapping as a slice.
//!
//! Where the host has windows, and on a native target, a view is the file's own pages; elsewhere it is a copy, which a
//! [`ViewMut`] writes back. The program does not see which, but can [ask](View::is_zero_copy).
//!
//! # Safety
//!
//! [`Mapping`]'s own operations copy, and are safe whatever others do to the file. A view lends the bytes, and a `&[u8]`
//! promises the compiler that they stay the same. Nobody can promise that of a file which another process may write. So the
//! three methods that lend are `unsafe`, with the contract of every mapping library: **as long as a view lives, nobody else
//! changes these bytes of the file or makes it shorter**: no other process, no other mapping, no ordinary write.
//!
//! If the promise is broken, the process or the host does not die, and no memory but the view's is touched. What the view holds is
//! unspecified then, and so is what the compiler makes of code that reads a byte twice. A file that became shorter reads as
//! zeros where its bytes are gone, and [`View::check`] says so.
//!
//! ```
//! use wasi_mmap::{Access, Mapping, Views};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("numbers");
//! # std::fs::write(&path, [1; 100_000])?;
//! let mapping = Mapping::open(&path, Access::Read)?;
//! let mut sum = 0;
//! // SAFETY: nobody else writes to the file.
//! for view in unsafe { mapping.views(.., 1 << 16) }? {
//!     sum += view?.iter().map(|&byte| u64::from(byte)).sum::<u64>();
//! }
//! assert_eq!(sum, 100_000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod copied;
#[cfg_attr(not(target_family = "wasm"), path = "native.rs")]
#[cfg_attr(all(feature = "import", target_os = "wasi", target_env = "p2"), path = "window.rs")]
#[cfg_attr(
    all(target_family = "wasm", not(all(feature = "import", target_os = "wasi", target_env = "p2"))),
    path = "none.rs"
)]
mod lent;

use std::fmt;
use std::ops::{Bound, Deref, DerefMut, RangeBounds};

use wasi_mmap_core::{Error, Mapping, Result, Storage};

use crate::fallback::{CachedStorage, File};
use copied::{Copied, CopiedMut};
use lent::{Lent, LentMut};

/// Lends parts of a mapping as slices.
pub trait Views {
    /// The `length` bytes at `offset`; neither need be aligned.
    ///
    /// # Safety
    ///
    /// As long as the view lives, nobody else changes these bytes of the file or makes it shorter. See [the module](self#safety).
    ///
    /// # Errors
    ///
    /// `closed`; `out-of-range` (`offset`, `length`); `truncated`; `out-of-memory`.
    unsafe fn view(&self, offset: u64, length: u64) -> Result<View<'_>>;

    /// The `length` bytes at `offset`, to be written.
    ///
    /// What is written reaches what the mapping's own writes reach, at the latest when the view is [closed](ViewMut::close),
    /// flushed or dropped.
    ///
    /// # Safety
    ///
    /// As [`view`](Self::view), and nobody else reads these bytes and expects sense.
    ///
    /// # Errors
    ///
    /// As [`view`](Self::view); `read-only`.
    unsafe fn view_mut(&mut self, offset: u64, length: u64) -> Result<ViewMut<'_>>;

    /// A range in views of at most `size` bytes each, in order: for files that are larger than the address space. `size`
    /// is rounded to whole pages, at least one.
    ///
    /// A view should be dropped before the next one is taken: then all lie in the same memory.
    ///
    /// # Safety
    ///
    /// As [`view`](Self::view), for every view.
    ///
    /// # Errors
    ///
    /// `closed`; `out-of-range` (`offset`, `length`). Each view may have its own.
    unsafe fn views(&self, range: impl RangeBounds<u64>, size: usize) -> Result<Chunks<'_, Self>>
    where
        Self: Sized;
}

/// A storage whose bytes can be lent, or copied instead.
trait Lending: Storage + Sized {
    /// # Safety
    ///
    /// See [`Views::view`].
    unsafe fn view(mapping: &Mapping<Self>, offset: u64, length: u64) -> Result<View<'_>>;

    /// # Safety
    ///
    /// See [`Views::view_mut`].
    unsafe fn view_mut(mapping: &mut Mapping<Self>, offset: u64, length: u64) -> Result<ViewMut<'_>>;
}

impl<S: Lending> Views for Mapping<S> {
    unsafe fn view(&self, offset: u64, length: u64) -> Result<View<'_>> {
        self.range(offset, length)?;
        // SAFETY: the caller's promise.
        unsafe { S::view(self, offset, length) }
    }

    unsafe fn view_mut(&mut self, offset: u64, length: u64) -> Result<ViewMut<'_>> {
        // The checks of a write, in its order, without writing.
        self.write_at(offset, &[])?;
        self.range(offset, length)?;
        // SAFETY: the caller's promise.
        unsafe { S::view_mut(self, offset, length) }
    }

    unsafe fn views(&self, range: impl RangeBounds<u64>, size: usize) -> Result<Chunks<'_, Self>> {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&end) => end.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => self.len()?,
        };
        let Some(length) = end.checked_sub(start) else {
            return Err(Error::out_of_range("length", format!("{end} is before {start}")));
        };
        self.range(start, length)?;
        let page = S::page_size();
        Ok(Chunks { mapping: self, next: start, end, size: (size as u64 / page).max(1) * page, page })
    }
}

/// The fallback copies.
impl<F: File> Lending for CachedStorage<F> {
    unsafe fn view(mapping: &Mapping<Self>, offset: u64, length: u64) -> Result<View<'_>> {
        View::copied(mapping, offset, length)
    }

    unsafe fn view_mut(mapping: &mut Mapping<Self>, offset: u64, length: u64) -> Result<ViewMut<'_>> {
        ViewMut::copied(mapping, offset, length)
    }
}

/// A part of a mapping, to be read as a slice. See [`Views::view`].
#[must_use]
pub struct View<'a>(Kind<'a>);

enum Kind<'a> {
    Copied(Copied),
    #[allow(dead_code, reason = "where nothing can be lent, none is made")]
    Lent(Lent<'a>),
}

impl<'a> View<'a> {
    fn copied<S: Storage>(mapping: &'a Mapping<S>, offset: u64, length: u64) -> Result<Self> {
        Ok(Self(Kind::Copied(Copied::new(mapping, offset, length)?)))
    }

    /// Whether this is the file's own pages, and not a copy.
    pub fn is_zero_copy(&self) -> bool {
        !matches!(self.0, Kind::Copied(_))
    }

    /// Whether all that was read from the view until now was the file's: a file that became shorter, or could not grow, reads
    /// as zeros. A copy was checked when it was made.
    ///
    /// # Errors
    ///
    /// `truncated`; `no-space`.
    pub fn check(&self) -> Result<()> {
        match &self.0 {
            Kind::Copied(_) => Ok(()),
            Kind::Lent(lent) => lent.check(),
        }
    }
}

impl Deref for View<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Kind::Copied(copied) => copied.bytes(),
            Kind::Lent(lent) => lent.bytes(),
        }
    }
}

/// A part of a mapping, to be written as a slice. See [`Views::view_mut`].
///
/// Dropping it lets go of the part; what a copy could not write back is lost then, without a word. [`close`](Self::close)
/// and [`flush`](Self::flush) report it.
#[must_use]
pub struct ViewMut<'a>(KindMut<'a>);

enum KindMut<'a> {
    Copied(CopiedMut<'a>),
    #[allow(dead_code, reason = "where nothing can be lent, none is made")]
    Lent(LentMut<'a>),
}

impl<'a> ViewMut<'a> {
    fn copied<S: Storage>(mapping: &'a mut Mapping<S>, offset: u64, length: u64) -> Result<Self> {
        Ok(Self(KindMut::Copied(CopiedMut::new(mapping, offset, length)?)))
    }

    /// Whether this is the file's own pages, and not a copy.
    pub fn is_zero_copy(&self) -> bool {
        !matches!(self.0, KindMut::Copied(_))
    }

    /// As [`View::check`].
    ///
    /// # Errors
    ///
    /// `truncated`; `no-space`.
    pub fn check(&self) -> Result<()> {
        match &self.0 {
            KindMut::Copied(_) => Ok(()),
            KindMut::Lent(lent) => lent.check(),
        }
    }

    /// Writes changes to the file, and returns when they are safe on the storage device.
    ///
    /// # Errors
    ///
    /// `truncated`; `no-space`; `io`. A copy keeps what it could not write.
    pub fn flush(&mut self) -> Result<()> {
        match &mut self.0 {
            KindMut::Copied(copied) => copied.flush(),
            KindMut::Lent(lent) => lent.flush(),
        }
    }

    /// Lets go of the part, after a copy has been written back.
    ///
    /// # Errors
    ///
    /// `truncated`; `no-space`; `io`.
    pub fn close(mut self) -> Result<()> {
        match &mut self.0 {
            KindMut::Copied(copied) => copied.write_back(),
            KindMut::Lent(lent) => lent.close(),
        }
    }
}

impl Deref for ViewMut<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            KindMut::Copied(copied) => copied.bytes(),
            KindMut::Lent(lent) => lent.bytes(),
        }
    }
}

impl DerefMut for ViewMut<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            KindMut::Copied(copied) => copied.bytes_mut(),
            KindMut::Lent(lent) => lent.bytes_mut(),
        }
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

/// The views of a range, in order. See [`Views::views`].
#[derive(Debug)]
pub struct Chunks<'a, M> {
    mapping: &'a M,
    next: u64,
    end: u64,
    /// Whole pages.
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
        // Up to the border of a page, so that the next view begins with one.
        let border = start.saturating_add(self.size) / self.page * self.page;
        self.next = border.min(self.end);
        // SAFETY: whoever made the iterator promised it for every view.
        Some(unsafe { self.mapping.view(start, self.next - start) })
    }
}
