//! The file behind a mapping: write-back, advice, length.

use std::ops::RangeBounds;

use super::bounds::offset_and_length;
#[cfg(doc)]
use crate::Access;
use crate::{Advice, Error, FlushFlags, Internals, Mapping, Result, Storage};

/// The file behind the mapping.
impl<S: Storage> Mapping<S> {
    /// Writes all changes back to the file and returns when they are safe from a crash of the process and of the
    /// system. POSIX `msync(2)` with `MS_SYNC`, Python `mmap.flush()`.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Truncated`]; [`Error::NoSpace`]; [`Error::Io`].
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{Access, Mapping};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("file");
    /// std::fs::write(&path, "hello")?;
    /// let mut mapping = Mapping::options().access(Access::Write).open(&path)?;
    /// mapping.write(b"j")?;
    /// mapping.flush()?;
    /// assert_eq!(std::fs::read(&path)?, b"jello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flush(&mut self) -> Result<()> {
        self.flush_at(0, None, FlushFlags::SYNC)
    }

    /// Writes the changes in a range back to the file. The range starts at a multiple of the page size. POSIX
    /// `msync(2)`, Python `mmap.flush(offset, size, flags=…)`.
    ///
    /// With [`Access::Read`] and [`Access::Copy`] there is nothing to write back, and only the range is checked.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::OutOfRange`] (`offset`, `length`); [`Error::Invalid`] (`offset`, not a multiple of
    /// the page size; `flags`, two that exclude each other); [`Error::Truncated`]; [`Error::NoSpace`]; [`Error::Io`].
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{Access, FlushFlags, Mapping};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("file");
    /// std::fs::write(&path, "hello")?;
    /// let mut mapping = Mapping::options().access(Access::Write).open(&path)?;
    /// mapping.write(b"j")?;
    /// mapping.flush_range(..1, FlushFlags::ASYNC)?; // starts the write, and does not wait for it
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flush_range(&mut self, range: impl RangeBounds<u64>, flags: FlushFlags) -> Result<()> {
        self.storage()?;
        let (offset, length) = offset_and_length(&range)?;
        self.flush_at(offset, length, flags)
    }

    /// Tells the system how the whole mapping will be used. POSIX `madvise(2)`, Python `mmap.madvise`.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Unsupported`]; [`Error::NotPermitted`]; [`Error::Io`].
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{Advice, Error, Mapping};
    ///
    /// let mut mapping = Mapping::anonymous(4096)?;
    /// match mapping.advise(Advice::Sequential) {
    ///     Ok(()) | Err(Error::Unsupported(_)) => {} // advice is a hint
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    pub fn advise(&mut self, advice: Advice) -> Result<()> {
        self.advise_at(advice, 0, None)
    }

    /// Tells the system how a range will be used. The range starts at a multiple of the page size, and is clipped at
    /// the end of the mapping. POSIX `madvise(2)`, Python `mmap.madvise(option, start, length)`.
    ///
    /// # Errors
    ///
    /// Those of [`advise`](Self::advise); [`Error::OutOfRange`] (`start`, at the end of the mapping or past it;
    /// `length`, if the range ends after 2^63 - 1); [`Error::Invalid`] (`start`, not a multiple of the page size).
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{Advice, Mapping};
    ///
    /// let mut mapping = Mapping::anonymous(1 << 20)?;
    /// # #[cfg(unix)]
    /// mapping.advise_range(Advice::WillNeed, ..65536)?;
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn advise_range(&mut self, advice: Advice, range: impl RangeBounds<u64>) -> Result<()> {
        self.storage()?;
        let (start, length) = offset_and_length(&range)?;
        self.advise_at(advice, start, length)
    }

    /// Makes the mapping `length` bytes long, and its file end where the mapping ends: it is cut off, or extended with
    /// zeros. The cursor stays, even past the end. POSIX `ftruncate(2)` and Linux `mremap(2)`, Python `mmap.resize`.
    ///
    /// A refused argument changes nothing. A length of 0 is refused before the file is touched, unlike in CPython.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Busy`]; [`Error::ReadOnly`] ([`Access::Read`] and [`Access::Copy`]);
    /// [`Error::Invalid`] (`length` 0); [`Error::OutOfRange`] (`length`); [`Error::NotPermitted`];
    /// [`Error::LimitExceeded`]; [`Error::NoSpace`]; [`Error::OutOfMemory`]; [`Error::Unsupported`]; [`Error::Io`].
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{Access, Mapping};
    ///
    /// # if cfg!(not(any(target_os = "linux", windows))) { return Ok(()); }
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("file");
    /// std::fs::write(&path, "hello")?;
    /// let mut mapping = Mapping::options().access(Access::Write).open(&path)?;
    /// mapping.resize(7)?;
    /// assert_eq!(std::fs::read(&path)?, b"hello\0\0");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resize(&mut self, length: u64) -> Result<()> {
        self.check_resize(length)?;
        self.storage_mut()?.resize(length)
    }

    /// Maps the file anew. Bytes that were lost to a truncation can be read again, if the file is long enough again,
    /// and what others wrote is seen.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Busy`]; [`Error::Truncated`], if the file is still too short; [`Error::Io`].
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap::{Error, Mapping};
    ///
    /// # if cfg!(windows) { return Ok(()); }
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("file");
    /// std::fs::write(&path, vec![7; 1 << 20])?;
    /// let mut mapping = Mapping::open(&path)?;
    /// std::fs::write(&path, "short")?;
    /// assert_eq!(mapping.get(-1), Err(Error::Truncated));
    /// std::fs::write(&path, vec![8; 1 << 20])?;
    /// mapping.refresh()?;
    /// assert_eq!(mapping.get(-1), Ok(8));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn refresh(&mut self) -> Result<()> {
        let storage = self.storage_mut()?;
        if storage.is_busy() {
            return Err(Error::Busy);
        }
        storage.refresh()
    }
}
