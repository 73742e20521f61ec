//! The mapping object: its state, its properties and its end. The other operations are in the files beside this one.

mod bounds;
mod copy;
mod cursor;
mod file;
mod find;
mod internals;
mod io;
mod positional;
mod slices;

pub use bounds::part_of_window;
pub use find::SearchPlan;
pub use internals::{Internals, Whence};

use std::fmt;
use std::ops::Range;

use crate::{Access, Error, Result, Storage};

/// A run of bytes with a cursor, over a file or over anonymous memory: Python's `mmap.mmap`.
///
/// Bytes are copied in and out. If others change the file meanwhile, the result is other bytes, and if they truncate
/// it, an error, but never a dangling reference. All offsets and lengths are in bytes, counted from the start of the
/// mapping, and have 64 bits on every system.
///
/// Over an OS mapping, [`find`](Self::find), [`rfind`](Self::rfind) and [`read_line`](Self::read_line) search the pages
/// in place. If another process writes to them at that moment, this is formally a data race. The search treats each
/// byte as a value, and none as an index or a length, so that in practice its result can be wrong, and nothing else
/// happens.
///
/// A closed mapping remains an object: every operation on it returns [`Error::Closed`], apart from
/// [`close`](Self::close), [`is_closed`](Self::is_closed) and [`access`](Self::access).
///
/// # Example
///
/// ```
/// use wasi_mmap::{Access, Mapping};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("greeting");
/// std::fs::write(&path, "hello, world\n")?;
/// let mut mapping = Mapping::options().access(Access::Write).open(&path)?;
/// let offset = mapping.find(b"world", ..)?.expect("it was just written");
/// mapping.write_all_at(b"there", offset)?;
/// mapping.flush()?;
/// assert_eq!(std::fs::read(&path)?, b"hello, there\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Mapping<S: Storage> {
    /// `None` once closed.
    storage: Option<S>,
    access: Access,
    /// The cursor. After a resize it may be past the end.
    position: u64,
}

impl<S: Storage> Mapping<S> {
    /// Makes a mapping over a storage, with its cursor at the start. For crates that implement a [`Storage`]; programs
    /// [open](Self::open) a file.
    pub fn new(storage: S, access: Access) -> Self {
        Self { storage: Some(storage), access, position: 0 }
    }

    /// Returns the length of the mapping in bytes, at least 1. Python `len(mmap)`.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    ///
    /// # Example
    ///
    /// ```
    /// let mapping = wasi_mmap::Mapping::anonymous(100)?;
    /// assert_eq!(mapping.len()?, 100);
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    #[expect(clippy::len_without_is_empty, reason = "a mapping is never empty")]
    #[inline]
    pub fn len(&self) -> Result<u64> {
        Ok(self.storage()?.len())
    }

    /// Returns the length of the whole file in bytes, whatever part of it is mapped. For memory without a file, that is
    /// the length of the mapping. POSIX `fstat(2)`, Python `mmap.size`.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Io`].
    ///
    /// # Example
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("file");
    /// std::fs::write(&path, [7; 100])?;
    /// let mapping = wasi_mmap::Mapping::options().length(10).open(&path)?;
    /// assert_eq!((mapping.len()?, mapping.file_len()?), (10, 100));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn file_len(&self) -> Result<u64> {
        self.storage()?.file_len()
    }

    /// Returns the offset in the file at which the mapping starts, in bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::Mapping;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("file");
    /// let granularity = Mapping::granularity();
    /// std::fs::write(&path, vec![7; granularity as usize + 100])?;
    /// let mapping = Mapping::options().offset(granularity).open(&path)?;
    /// assert_eq!((mapping.file_offset()?, mapping.len()?), (granularity, 100));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn file_offset(&self) -> Result<u64> {
        Ok(self.storage()?.offset())
    }

    /// Returns the access of the mapping: the one that it was made with, or with
    /// [`MapFlags::WIDEST_ACCESS`](crate::MapFlags::WIDEST_ACCESS) the one that it got.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{Access, Mapping};
    ///
    /// assert_eq!(Mapping::anonymous(1)?.access(), Access::Write);
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn access(&self) -> Access {
        self.access
    }

    /// Returns whether the mapping was closed. Python `mmap.closed`.
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(1)?;
    /// assert!(!mapping.is_closed());
    /// mapping.close()?;
    /// assert!(mapping.is_closed());
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn is_closed(&self) -> bool {
        self.storage.is_none()
    }

    /// Closes the mapping. Closing it twice is not an error. POSIX `munmap(2)`, Python `mmap.close`.
    ///
    /// Changes that were not flushed are handed to the file, but are not yet safe from a crash of the system. Dropping
    /// a mapping closes it and ignores errors, so that changes which the storage cannot write are lost silently.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`]; [`Error::NoSpace`] or [`Error::Io`], if the storage could not write its changes. The mapping
    /// stays open.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{Error, Mapping};
    ///
    /// let mut mapping = Mapping::anonymous(1)?;
    /// mapping.close()?;
    /// mapping.close()?;
    /// assert_eq!(mapping.get(0), Err(Error::Closed));
    /// # Ok::<(), Error>(())
    /// ```
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

    /// Returns the storage, for a write.
    #[inline]
    fn writable(&mut self) -> Result<&mut S> {
        let access = self.access;
        let storage = self.storage_mut()?;
        if !access.is_writable() {
            return Err(Error::ReadOnly);
        }
        Ok(storage)
    }

    /// Returns the length, for a write.
    fn writable_len(&self) -> Result<u64> {
        let len = self.len()?;
        self.check_writable()?;
        Ok(len)
    }

    /// Returns a range if it can be written at present.
    fn check_write(&self, range: Range<u64>) -> Result<Range<u64>> {
        self.storage()?.check_write(&range)?;
        Ok(range)
    }

    /// Refuses a write to a read-only mapping, even if it is closed: Python checks an assignment in this order.
    fn check_writable(&self) -> Result<()> {
        if self.access.is_writable() { Ok(()) } else { Err(Error::ReadOnly) }
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
                .field("file_offset", &storage.offset()),
        };
        debug.finish()
    }
}
