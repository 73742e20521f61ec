//! Reading and writing at an offset: the cursor is neither used nor moved.

use std::cmp::Ordering;
use std::ops::Range;

use super::{check_range, not_within, within};
use crate::{Error, Mapping, Result, Storage};

/// At an offset.
impl<S: Storage> Mapping<S> {
    /// The range of `length` bytes at `offset`, if it lies within the mapping.
    ///
    /// # Errors
    ///
    /// `closed`; `out-of-range` (`offset`, `length`).
    #[inline]
    pub fn range(&self, offset: u64, length: u64) -> Result<Range<u64>> {
        check_range(self.len()?, ("offset", offset), ("length", length))
    }

    /// Reads exactly `buffer.len()` bytes at `offset`. POSIX `pread(2)`.
    ///
    /// # Errors
    ///
    /// `closed`; `out-of-range` (`offset`, `length`); `truncated`.
    #[inline]
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let (storage, count) = (self.storage()?, buffer.len() as u64);
        // Not `check_range(…)?`: the compiler would not know from it that the range is within, and a storage would check again.
        if within(storage.len(), offset, count).is_none() {
            return Err(not_within(storage.len(), ("offset", offset), ("length", count)));
        }
        storage.read_at(offset, buffer)
    }

    /// Reads `length` bytes at `offset` into a new vector.
    ///
    /// # Errors
    ///
    /// As [`read_at`](Self::read_at); `limit-exceeded`; `out-of-memory`.
    pub fn read_vec_at(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        let range = self.range(offset, length)?;
        self.storage()?.read_vec(range)
    }

    /// Reads several ranges, one after the other into one vector. POSIX `preadv(2)`.
    ///
    /// # Errors
    ///
    /// As [`read_vec_at`](Self::read_vec_at), before anything is read.
    pub fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<u8>> {
        for &Range { start, end } in ranges {
            let Some(length) = end.checked_sub(start) else {
                return Err(Error::out_of_range("length", format!("{end} is before {start}")));
            };
            self.range(start, length)?;
        }
        self.storage()?.read_ranges(ranges)
    }

    /// Writes all of `bytes` at `offset`, or nothing. POSIX `pwrite(2)`.
    ///
    /// # Errors
    ///
    /// `closed`; `read-only`; `out-of-range` (`offset`, `bytes`); `truncated`; `no-space`.
    #[inline]
    pub fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let storage = self.writable()?;
        let range = check_range(storage.len(), ("offset", offset), ("bytes", bytes.len() as u64))?;
        storage.write_at(range.start, bytes)
    }

    /// Sets `length` bytes at `offset` to `byte`. C `memset(3)`.
    ///
    /// # Errors
    ///
    /// `closed`; `read-only`; `out-of-range` (`offset`, `length`); `truncated`; `no-space`.
    pub fn fill(&mut self, offset: u64, length: u64, byte: u8) -> Result<()> {
        let storage = self.writable()?;
        let range = check_range(storage.len(), ("offset", offset), ("length", length))?;
        storage.fill(range, byte)
    }

    /// How the bytes at `offset` compare with `bytes`. C `memcmp(3)`.
    ///
    /// # Errors
    ///
    /// `closed`; `out-of-range` (`offset`, `bytes`); `truncated`.
    pub fn compare(&self, offset: u64, bytes: &[u8]) -> Result<Ordering> {
        let range = check_range(self.len()?, ("offset", offset), ("bytes", bytes.len() as u64))?;
        self.storage()?.compare(range.start, bytes)
    }

    /// The byte at `index`; below 0 it counts from the end. Python `mmap[index]`.
    ///
    /// # Errors
    ///
    /// `closed`; `out-of-range` (`index`); `truncated`.
    #[inline]
    pub fn get(&self, index: i64) -> Result<u8> {
        let storage = self.storage()?;
        let mut byte = [0];
        storage.read_at(resolve_index(index, storage.len())?, &mut byte)?;
        Ok(byte[0])
    }

    /// Sets the byte at `index`; below 0 it counts from the end. Python `mmap[index] = value`.
    ///
    /// # Errors
    ///
    /// `read-only`, before `closed`, as in Python; `out-of-range` (`index`); `truncated`; `no-space`.
    #[inline]
    pub fn set(&mut self, index: i64, value: u8) -> Result<()> {
        self.check_writable()?;
        let storage = self.storage_mut()?;
        storage.write_at(resolve_index(index, storage.len())?, &[value])
    }
}

#[inline]
fn resolve_index(index: i64, len: u64) -> Result<u64> {
    // Nothing is lost: no index below 0 is counted from an end that is further than `i64::MAX` away.
    let position = if index < 0 { len.checked_add_signed(index) } else { u64::try_from(index).ok() };
    match position {
        Some(position) if position < len => Ok(position),
        _ => Err(outside(index, len)),
    }
}

#[cold]
fn outside(index: i64, len: u64) -> Error {
    Error::out_of_range("index", format!("{index} is outside a mapping of {len} bytes"))
}
