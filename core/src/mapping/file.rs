//! What concerns the file behind a mapping: write-back, advice, length.

use super::check_range;
use crate::{Access, Advice, Error, FlushFlags, Mapping, Result, Storage};

/// The file behind the mapping.
impl<S: Storage> Mapping<S> {
    /// Writes all changes back to the file, and returns when they are safe from a crash of the process and of the
    /// system. POSIX `msync(2)` with `MS_SYNC`, Python `mmap.flush()`.
    ///
    /// # Errors
    ///
    /// `closed`; `truncated`; `no-space`; `io`.
    pub fn flush(&mut self) -> Result<()> {
        self.flush_range(0, None, FlushFlags::SYNC)
    }

    /// Writes changes in a range back to the file; `length` `None`: to the end of the mapping. POSIX `msync(2)`, Python
    /// `mmap.flush(offset, size, flags=…)`.
    ///
    /// There is nothing to do for [`Access::Read`] and [`Access::Copy`]: only the range is checked.
    ///
    /// # Errors
    ///
    /// `closed`; `out-of-range` (`offset`, `length`); `invalid` (`offset`, not a multiple of the page size; `flags`);
    /// `truncated`; `no-space`; `io`.
    pub fn flush_range(&mut self, offset: u64, length: Option<u64>, flags: FlushFlags) -> Result<()> {
        let access = self.access;
        let storage = self.storage_mut()?;
        // An offset past the end leaves no length: `check_range` refuses it by its own name.
        let length = length.unwrap_or_else(|| storage.len().saturating_sub(offset));
        let range = check_range(storage.len(), ("offset", offset), ("length", length))?;
        if access != Access::Write {
            return Ok(());
        }
        check_page::<S>("offset", offset)?;
        let flags = flags.resolve()?;
        if range.is_empty() { Ok(()) } else { storage.flush(range, flags) }
    }

    /// Says how a range will be used; `length` `None`, or reaching past the end: to the end of the mapping.
    /// POSIX `madvise(2)`, Python `mmap.madvise`.
    ///
    /// # Errors
    ///
    /// `closed`; `out-of-range` (`start` at or past the end; `length`, when `start + length` exceeds 2^63 - 1);
    /// `invalid` (`start`, not a multiple of the page size); `unsupported`; `not-permitted`; `io`.
    pub fn advise(&mut self, advice: Advice, start: u64, length: Option<u64>) -> Result<()> {
        let storage = self.storage_mut()?;
        let len = storage.len();
        if start >= len {
            return Err(Error::out_of_range("start", format!("{start} is not before the end of the mapping, {len}")));
        }
        let end = start.checked_add(length.unwrap_or(len - start)).filter(|&end| i64::try_from(end).is_ok());
        let Some(end) = end else {
            return Err(Error::out_of_range("length", "start and length together exceed 2^63 - 1"));
        };
        check_page::<S>("start", start)?;
        storage.advise(advice, start..end.min(len))
    }

    /// Makes the mapping `length` bytes long, and its file end where the mapping ends: longer with zeros, or shorter. The
    /// cursor stays, even past the end. POSIX `ftruncate(2)` and Linux `mremap(2)`, Python `mmap.resize`.
    ///
    /// Nothing has been touched when an argument is refused: a length of 0 leaves the file as it is, unlike CPython's.
    ///
    /// # Errors
    ///
    /// `closed`; `busy`; `read-only` ([`Access::Read`] and [`Access::Copy`]); `invalid` (`length` 0); `out-of-range`
    /// (`length`); `not-permitted`; `limit-exceeded`; `no-space`; `out-of-memory`; `io`.
    pub fn resize(&mut self, length: u64) -> Result<()> {
        self.check_resize(length)?;
        self.storage_mut()?.resize(length)
    }

    /// Refuses what [`resize`](Self::resize) refuses before it touches anything.
    ///
    /// # Errors
    ///
    /// `closed`; `busy`; `read-only`; `invalid` (`length`); `out-of-range` (`length`).
    pub fn check_resize(&self, length: u64) -> Result<()> {
        let storage = self.storage()?;
        if storage.is_busy() {
            return Err(Error::Busy);
        }
        if self.access != Access::Write {
            return Err(Error::ReadOnly);
        }
        if length == 0 {
            return Err(Error::invalid("length", "a mapping cannot be empty"));
        }
        if storage.offset().checked_add(length).is_none_or(|end| i64::try_from(end).is_err()) {
            return Err(Error::out_of_range("length", "offset and length together exceed 2^63 - 1"));
        }
        Ok(())
    }

    /// Maps the file anew: what `truncated` reported is forgotten, and what others wrote is seen.
    ///
    /// # Errors
    ///
    /// `closed`; `busy`; `truncated` (the file is still too short); `io`.
    pub fn refresh(&mut self) -> Result<()> {
        let storage = self.storage_mut()?;
        if storage.is_busy() {
            return Err(Error::Busy);
        }
        storage.refresh()
    }
}

pub(super) fn check_page<S: Storage>(name: &'static str, offset: u64) -> Result<()> {
    let page = S::page_size();
    if offset.is_multiple_of(page) {
        return Ok(());
    }
    Err(Error::invalid(name, format!("{offset} is not a multiple of the page size, {page}")))
}
