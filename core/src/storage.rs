//! The trait of all storages.

use std::cmp::Ordering;
use std::ops::Range;

use crate::{Advice, Error, FlushFlags, Result, Strided, provided};

/// A source of bytes under a [`Mapping`](crate::Mapping).
///
/// A storage has at least 1 byte and checks no rules: before it calls, [`Mapping`](crate::Mapping) has checked the
/// access, and every range against [`len`](Self::len). A storage that is asked for bytes outside its length returns an
/// error or panics, but never touches other memory. It reports what only a storage can know: [`Error::Truncated`],
/// [`Error::NoSpace`], [`Error::Io`].
///
/// The provided methods are correct for every storage. A backend that can do better, such as an OS mapping in
/// contiguous memory, or a host that is one call away, overrides them, but never changes their meaning.
pub trait Storage {
    /// Returns the length of the storage in bytes.
    fn len(&self) -> u64;

    /// Returns false: a storage has at least 1 byte.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the offset in the file at which the storage starts, in bytes; for memory without a file, the offset of
    /// its options.
    fn offset(&self) -> u64;

    /// Returns the current length of the whole file in bytes; for memory without a file, the length of the storage.
    fn file_len(&self) -> Result<u64>;

    /// Returns the number of bytes that the start of a flushed or advised range must be a multiple of.
    fn page_size() -> u64
    where
        Self: Sized;

    /// Reads the bytes at `offset` into `buffer`, and fills it.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()>;

    /// Checks that a range can be written at present, before a write that may take several steps. A storage whose file
    /// may [end before it](crate::BeyondEnd) refuses what is past the end; all others can be written everywhere.
    #[inline]
    fn check_write(&self, _range: &Range<u64>) -> Result<()> {
        Ok(())
    }

    /// Writes `bytes` at `offset`.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()>;

    /// Writes the changes in `range` to the file. `flags` has exactly one of [`FlushFlags::ASYNC`] and
    /// [`FlushFlags::SYNC`].
    fn flush(&mut self, range: Range<u64>, flags: FlushFlags) -> Result<()>;

    /// Gives advice for `range`.
    fn advise(&mut self, advice: Advice, range: Range<u64>) -> Result<()>;

    /// Sets the length of the storage to `len` bytes, and the end of the file to the end of the storage.
    fn resize(&mut self, len: u64) -> Result<()>;

    /// Discards what is cached of the file, so that the next read shows its current state.
    fn refresh(&mut self) -> Result<()>;

    /// Does the work before a drop that can fail. After an error, the storage remains usable.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }

    /// Returns whether the memory is in use elsewhere, so that the storage can be neither closed nor resized.
    fn is_busy(&self) -> bool {
        false
    }

    /// Reads the bytes of `range` into a new vector.
    fn read_vec(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let mut bytes = zeroed(range.end - range.start)?;
        self.read_at(range.start, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads the bytes of several ranges into a new vector, one after the other.
    fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<u8>> {
        let total = ranges.iter().try_fold(0u64, |sum, range| sum.checked_add(range.end - range.start));
        let mut bytes = zeroed(total.ok_or(Error::OutOfMemory)?)?;
        let mut rest = &mut bytes[..];
        for range in ranges {
            let (part, tail) = rest.split_at_mut(to_usize(range.end - range.start)?);
            self.read_at(range.start, part)?;
            rest = tail;
        }
        Ok(bytes)
    }

    /// Returns the offset of the first occurrence of `needle`, which is not empty, that lies wholly within `range`.
    fn find(&self, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
        provided::find(self, needle, range)
    }

    /// Returns the offset of the last occurrence of `needle`, which is not empty, that lies wholly within `range`.
    fn rfind(&self, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
        provided::rfind(self, needle, range)
    }

    /// Appends the bytes of `range` up to and including the first line feed to `line`, or all of them if there is none.
    /// After an error, some may have been appended.
    fn read_line(&self, range: Range<u64>, line: &mut Vec<u8>) -> Result<()> {
        provided::read_line(self, range, line)
    }

    /// Compares the bytes at `offset` with `bytes`, as many as those are.
    fn compare(&self, offset: u64, bytes: &[u8]) -> Result<Ordering> {
        provided::compare(self, offset, bytes)
    }

    /// Sets every byte of `range` to `byte`.
    fn fill(&mut self, range: Range<u64>, byte: u8) -> Result<()> {
        provided::fill(self, range, byte)
    }

    /// Copies `source` to `destination`. The two may overlap.
    fn copy_within(&mut self, source: Range<u64>, destination: u64) -> Result<()> {
        provided::copy_within(self, source, destination)
    }

    /// Copies `range` of `source` to `destination` in this storage.
    fn copy_from(&mut self, destination: u64, source: &Self, range: Range<u64>) -> Result<()>
    where
        Self: Sized,
    {
        provided::copy_from(self, destination, source, range)
    }

    /// Reads the bytes of a slice into `buffer`, which has `slice.count` bytes.
    fn read_strided(&self, slice: Strided, buffer: &mut [u8]) -> Result<()> {
        provided::read_strided(self, slice, buffer)
    }

    /// Sets the bytes of a slice, in its order. `bytes` has `slice.count` bytes.
    fn write_strided(&mut self, slice: Strided, bytes: &[u8]) -> Result<()> {
        provided::write_strided(self, slice, bytes)
    }
}

/// Returns a zero-filled vector.
///
/// # Errors
///
/// [`Error::OutOfMemory`], where `vec![0; len]` would end the program.
///
/// # Example
///
/// ```
/// assert_eq!(wasi_mmap_core::zeroed(3)?, [0, 0, 0]);
/// assert_eq!(wasi_mmap_core::zeroed(u64::MAX).unwrap_err().name(), "out-of-memory");
/// # Ok::<(), wasi_mmap_core::Error>(())
/// ```
pub fn zeroed(len: u64) -> Result<Vec<u8>> {
    let len = to_usize(len)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Error::OutOfMemory)?;
    bytes.resize(len, 0);
    Ok(bytes)
}

/// Returns a length as a `usize`.
///
/// # Errors
///
/// [`Error::OutOfMemory`], if no memory can be so large.
pub(crate) fn to_usize(len: u64) -> Result<usize> {
    usize::try_from(len).map_err(|_| Error::OutOfMemory)
}
