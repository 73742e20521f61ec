//! The mapping object: state, and what it is. Its operations are in the files beside this one.

mod bulk;
mod cursor;
mod file;
mod io;
mod positional;
mod slices;
mod window;

pub use cursor::Whence;
pub use window::part_of_window;

use std::fmt;
use std::ops::Range;

use crate::{Access, Error, Result, Storage};

/// A run of bytes with a cursor, over a file or over anonymous memory: Python's `mmap.mmap`.
///
/// Bytes go in and out by copy, so that whatever others do to the file is never undefined behaviour here. All offsets and
/// lengths are bytes, counted from the start of the mapping, and 64-bit on every system.
///
/// A closed mapping stays an object: every operation on it answers `closed`, apart from
/// [`close`](Self::close), [`is_closed`](Self::is_closed) and [`access`](Self::access).
pub struct Mapping<S: Storage> {
    /// `None` once closed.
    storage: Option<S>,
    access: Access,
    /// The cursor. After a resize it may be past the end.
    position: u64,
}

impl<S: Storage> Mapping<S> {
    /// A mapping over a storage, with its cursor at the start.
    pub fn new(storage: S, access: Access) -> Self {
        Self { storage: Some(storage), access, position: 0 }
    }

    /// How long the mapping is, in bytes; at least 1. Python `len(mmap)`.
    ///
    /// # Errors
    ///
    /// `closed`.
    #[expect(clippy::len_without_is_empty, reason = "a mapping is never empty")]
    #[inline]
    pub fn len(&self) -> Result<u64> {
        Ok(self.storage()?.len())
    }

    /// How long the whole file is now, whatever part of it is mapped; for memory without a file, how long the mapping
    /// is. POSIX `fstat(2)`, Python `mmap.size`.
    ///
    /// # Errors
    ///
    /// `closed`; `io`.
    pub fn size(&self) -> Result<u64> {
        self.storage()?.file_len()
    }

    /// Where in the file the mapping starts, in bytes.
    ///
    /// # Errors
    ///
    /// `closed`.
    pub fn offset(&self) -> Result<u64> {
        Ok(self.storage()?.offset())
    }

    /// What the mapping may do.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Whether the mapping was closed. Python `mmap.closed`.
    pub fn is_closed(&self) -> bool {
        self.storage.is_none()
    }

    /// Closes the mapping; closing twice is no error. POSIX `munmap(2)`, Python `mmap.close`.
    ///
    /// Changes to the file that were not flushed are on their way to it, but not yet safe from a crash of the system. A mapping
    /// that is dropped is closed, and what a storage cannot write then is lost without a word.
    ///
    /// # Errors
    ///
    /// `busy`, and `no-space` or `io` where a storage still had changes to write: the mapping stays open.
    pub fn close(&mut self) -> Result<()> {
        if let Some(storage) = &mut self.storage {
            if storage.is_busy() {
                return Err(Error::Busy);
            }
            storage.close()?;
            self.storage = None;
        }
        Ok(())
    }

    /// The storage under the mapping.
    ///
    /// # Errors
    ///
    /// `closed`.
    #[inline]
    pub fn storage(&self) -> Result<&S> {
        match &self.storage {
            Some(storage) => Ok(storage),
            None => Err(Error::Closed),
        }
    }

    /// The storage under the mapping. What is done to it directly passes the mapping's checks by.
    ///
    /// # Errors
    ///
    /// `closed`.
    #[inline]
    pub fn storage_mut(&mut self) -> Result<&mut S> {
        match &mut self.storage {
            Some(storage) => Ok(storage),
            None => Err(Error::Closed),
        }
    }

    /// The storage, for a write.
    #[inline]
    fn writable(&mut self) -> Result<&mut S> {
        let access = self.access;
        let storage = self.storage_mut()?;
        if !access.is_writable() {
            return Err(Error::ReadOnly);
        }
        Ok(storage)
    }
}

/// The part of `len` bytes that `count` bytes at `offset` are, if they lie within.
#[inline]
fn within(len: u64, offset: u64, count: u64) -> Option<Range<u64>> {
    offset.checked_add(count).filter(|&end| end <= len).map(|end| offset..end)
}

/// As [`within`], or `out-of-range` with the name of the culprit.
#[inline]
fn check_range(len: u64, offset: (&'static str, u64), count: (&'static str, u64)) -> Result<Range<u64>> {
    within(len, offset.1, count.1).ok_or_else(|| not_within(len, offset, count))
}

/// Why a range is not within `len` bytes.
#[cold]
fn not_within(len: u64, (start, offset): (&'static str, u64), (extent, count): (&'static str, u64)) -> Error {
    if offset > len {
        Error::out_of_range(start, format!("{offset} is past the end of the mapping, {len}"))
    } else {
        Error::out_of_range(extent, format!("{count} bytes from {offset} reach past the end of the mapping, {len}"))
    }
}

impl<S: Storage> fmt::Debug for Mapping<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Mapping");
        match &self.storage {
            None => debug.field("closed", &true),
            Some(storage) => debug
                .field("access", &self.access)
                .field("len", &storage.len())
                .field("position", &self.position)
                .field("offset", &storage.offset()),
        };
        debug.finish()
    }
}
