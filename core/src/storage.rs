//! What a supplier of bytes gives, and what can be done with it in general.

use std::cmp::Ordering;
use std::ops::Range;

use crate::{Advice, Error, FlushFlags, Result, Strided, general};

/// A supplier of bytes: what is under a [`Mapping`](crate::Mapping).
///
/// A storage has a length of at least 1 and keeps no rules. [`Mapping`](crate::Mapping) has checked every range against
/// [`len`](Self::len), and the access, before it calls; a storage that is asked for bytes outside its length answers an error
/// or panics, but never touches other memory. What only the storage can know, it reports: `truncated`, `no-space`, `busy`.
///
/// The provided methods are correct for any storage. A supplier that can do better (an OS mapping that lies in one
/// piece, a host that is one call away) overrides them, never their meaning.
pub trait Storage {
    /// How long the storage is, in bytes.
    fn len(&self) -> u64;

    /// Always false: a storage is at least one byte long.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where in its file the storage starts, in bytes.
    fn offset(&self) -> u64;

    /// How long the whole file is now; for memory without a file, how long the storage is.
    fn file_len(&self) -> Result<u64>;

    /// What the start of a flushed or advised range must be a multiple of, in bytes.
    fn page_size() -> u64
    where
        Self: Sized;

    /// Copies `buffer.len()` bytes at `offset` out.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()>;

    /// Copies `bytes` in at `offset`.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()>;

    /// Writes changes in `range` back; `flags` has exactly one of `ASYNC` and `SYNC`.
    fn flush(&mut self, range: Range<u64>, flags: FlushFlags) -> Result<()>;

    /// Takes advice for `range`.
    fn advise(&mut self, advice: Advice, range: Range<u64>) -> Result<()>;

    /// Makes the storage `len` bytes long, and its file end where the storage ends.
    fn resize(&mut self, len: u64) -> Result<()>;

    /// Forgets what is known of the file and looks anew.
    fn refresh(&mut self) -> Result<()>;

    /// Does what must be done before the storage is dropped and can fail. After an error the storage goes on.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }

    /// Whether the memory is in use elsewhere, so that the storage can be neither closed nor resized.
    fn is_busy(&self) -> bool {
        false
    }

    /// The bytes of `range` as a vector.
    fn read_vec(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let mut bytes = zeroed(range.end - range.start)?;
        self.read_at(range.start, &mut bytes)?;
        Ok(bytes)
    }

    /// The bytes of several ranges, one after the other.
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

    /// Where `needle`, which is not empty, first stands wholly within `range`.
    fn find(&self, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
        general::find(self, needle, range)
    }

    /// Where `needle`, which is not empty, last stands wholly within `range`.
    fn rfind(&self, needle: &[u8], range: Range<u64>) -> Result<Option<u64>> {
        general::rfind(self, needle, range)
    }

    /// Appends the bytes of `range` up to the first line feed, which is part of them, or all of them. After an error some may have
    /// been appended.
    fn read_line(&self, range: Range<u64>, line: &mut Vec<u8>) -> Result<()> {
        general::read_line(self, range, line)
    }

    /// How the bytes at `offset` compare with `bytes`.
    fn compare(&self, offset: u64, bytes: &[u8]) -> Result<Ordering> {
        general::compare(self, offset, bytes)
    }

    /// Sets every byte of `range` to `byte`.
    fn fill(&mut self, range: Range<u64>, byte: u8) -> Result<()> {
        general::fill(self, range, byte)
    }

    /// Copies `source` to `destination`; the two may overlap.
    fn copy_within(&mut self, source: Range<u64>, destination: u64) -> Result<()> {
        general::copy_within(self, source, destination)
    }

    /// Copies `range` of `source` to `destination` in this storage.
    fn copy_from(&mut self, destination: u64, source: &Self, range: Range<u64>) -> Result<()>
    where
        Self: Sized,
    {
        general::copy_from(self, destination, source, range)
    }

    /// Copies the bytes of a slice out; `buffer` has `slice.count` bytes.
    fn read_strided(&self, slice: Strided, buffer: &mut [u8]) -> Result<()> {
        general::read_strided(self, slice, buffer)
    }

    /// Sets the bytes of a slice, in its order; `bytes` has `slice.count` bytes.
    fn write_strided(&mut self, slice: Strided, bytes: &[u8]) -> Result<()> {
        general::write_strided(self, slice, bytes)
    }
}

/// So many zeros.
///
/// # Errors
///
/// `out-of-memory`, where a vector of the standard library would end the program.
pub fn zeroed(len: u64) -> Result<Vec<u8>> {
    let len = to_usize(len)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Error::OutOfMemory)?;
    bytes.resize(len, 0);
    Ok(bytes)
}

/// A length as an index into memory; one that no memory can hold is `out-of-memory`.
pub(crate) fn to_usize(len: u64) -> Result<usize> {
    usize::try_from(len).map_err(|_| Error::OutOfMemory)
}
