//! Reading and writing at an offset: the cursor is neither used nor moved.

use std::cmp::Ordering;
use std::ops::{Range, RangeBounds};

use super::bounds::{check_range, not_within, offset_and_length, resolve_index, select, within};
#[cfg(doc)]
use crate::Error;
use crate::storage::to_usize;
use crate::{Internals, Mapping, Result, Storage};

/// At an offset.
impl<S: Storage> Mapping<S> {
    /// Reads into `buffer` from `offset` on, as far as the mapping goes, and returns the count of bytes read: 0 at the
    /// end and past it. POSIX `pread(2)`, [`FileExt::read_at`].
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Truncated`].
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(6)?;
    /// mapping.write(b"abcdef")?;
    /// let mut buffer = [0; 4];
    /// assert_eq!(mapping.read_at(&mut buffer, 4)?, 2);
    /// assert_eq!(&buffer[..2], b"ef");
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    ///
    /// [`FileExt::read_at`]: https://doc.rust-lang.org/std/os/unix/fs/trait.FileExt.html#tymethod.read_at
    #[inline]
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let storage = self.storage()?;
        let count = storage.len().saturating_sub(offset).min(buffer.len() as u64);
        if count == 0 {
            return Ok(0);
        }
        let count = to_usize(count)?;
        storage.read_at(offset, &mut buffer[..count])?;
        Ok(count)
    }

    /// Reads exactly `buffer.len()` bytes at `offset`, or fails. [`FileExt::read_exact_at`].
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::OutOfRange`] (`offset`, `length`); [`Error::Truncated`].
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(6)?;
    /// mapping.write(b"abcdef")?;
    /// let mut buffer = [0; 4];
    /// mapping.read_exact_at(&mut buffer, 1)?;
    /// assert_eq!(&buffer, b"bcde");
    /// assert!(mapping.read_exact_at(&mut buffer, 3).is_err());
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    ///
    /// [`FileExt::read_exact_at`]: https://doc.rust-lang.org/std/os/unix/fs/trait.FileExt.html#method.read_exact_at
    #[inline]
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let (storage, count) = (self.storage()?, buffer.len() as u64);
        // Not `check_range(…)?`: the compiler would not conclude that the range is within, and a storage would check
        // again.
        if within(storage.len(), offset, count).is_none() {
            return Err(not_within(storage.len(), ("offset", offset), ("length", count)));
        }
        storage.read_at(offset, buffer)
    }

    /// Reads a range into a new vector.
    ///
    /// # Errors
    ///
    /// Those of [`read_exact_at`](Self::read_exact_at); [`Error::LimitExceeded`]; [`Error::OutOfMemory`].
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(6)?;
    /// mapping.write(b"abcdef")?;
    /// assert_eq!(mapping.read_range(1..3)?, b"bc");
    /// assert_eq!(mapping.read_range(4..)?, b"ef");
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn read_range(&self, range: impl RangeBounds<u64>) -> Result<Vec<u8>> {
        let storage = self.storage()?;
        storage.read_vec(select(storage.len(), &range)?)
    }

    /// Reads several ranges, one after the other, into one vector. POSIX `preadv(2)`.
    ///
    /// # Errors
    ///
    /// Those of [`read_range`](Self::read_range). All ranges are checked before anything is read.
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(6)?;
    /// mapping.write(b"abcdef")?;
    /// assert_eq!(mapping.read_ranges(&[4..6, 0..1])?, b"efa");
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<u8>> {
        let storage = self.storage()?;
        for range in ranges {
            select(storage.len(), range)?;
        }
        storage.read_ranges(ranges)
    }

    /// Writes `bytes` from `offset` on, as far as the mapping goes, and returns the count of bytes written: 0 at the
    /// end and past it. POSIX `pwrite(2)`, [`FileExt::write_at`].
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::ReadOnly`]; [`Error::Truncated`]; [`Error::NoSpace`].
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(6)?;
    /// assert_eq!(mapping.write_at(b"abc", 4)?, 2);
    /// assert_eq!(mapping.read_range(..)?, b"\0\0\0\0ab");
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    ///
    /// [`FileExt::write_at`]: https://doc.rust-lang.org/std/os/unix/fs/trait.FileExt.html#tymethod.write_at
    pub fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<usize> {
        let storage = self.writable()?;
        let count = storage.len().saturating_sub(offset).min(bytes.len() as u64);
        if count == 0 {
            return Ok(0);
        }
        storage.check_write(&(offset..offset + count))?;
        let count = to_usize(count)?;
        storage.write_at(offset, &bytes[..count])?;
        Ok(count)
    }

    /// Writes all of `bytes` at `offset`, or nothing. [`FileExt::write_all_at`].
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::ReadOnly`]; [`Error::OutOfRange`] (`offset`, `bytes`); [`Error::Truncated`];
    /// [`Error::NoSpace`].
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(6)?;
    /// mapping.write_all_at(b"abc", 3)?;
    /// assert!(mapping.write_all_at(b"abc", 4).is_err());
    /// assert_eq!(mapping.read_range(..)?, b"\0\0\0abc");
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    ///
    /// [`FileExt::write_all_at`]: https://doc.rust-lang.org/std/os/unix/fs/trait.FileExt.html#method.write_all_at
    #[inline]
    pub fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        let storage = self.writable()?;
        let range = check_range(storage.len(), ("offset", offset), ("bytes", bytes.len() as u64))?;
        storage.check_write(&range)?;
        storage.write_at(range.start, bytes)
    }

    /// Sets every byte of a range to `byte`. C `memset(3)`, Rust [`slice::fill`].
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::ReadOnly`]; [`Error::OutOfRange`] (`offset`, `length`); [`Error::Truncated`];
    /// [`Error::NoSpace`].
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(4)?;
    /// mapping.fill(1..3, 7)?;
    /// assert_eq!(mapping.read_range(..)?, [0, 7, 7, 0]);
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn fill(&mut self, range: impl RangeBounds<u64>, byte: u8) -> Result<()> {
        let len = self.len()?;
        let (offset, length) = offset_and_length(&range)?;
        self.fill_at(offset, length.unwrap_or(len.saturating_sub(offset)), byte)
    }

    /// Compares the bytes at `offset` with `bytes`, as many as those are. C `memcmp(3)`.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::OutOfRange`] (`offset`, `bytes`); [`Error::Truncated`].
    ///
    /// # Example
    ///
    /// ```
    /// use std::cmp::Ordering;
    ///
    /// let mut mapping = wasi_mmap::Mapping::anonymous(6)?;
    /// mapping.write(b"abcdef")?;
    /// assert_eq!(mapping.compare(b"cd", 2)?, Ordering::Equal);
    /// assert_eq!(mapping.compare(b"ce", 2)?, Ordering::Less); // the mapping is less
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn compare(&self, bytes: &[u8], offset: u64) -> Result<Ordering> {
        let range = self.compare_range(offset, bytes.len() as u64)?;
        self.storage()?.compare(range.start, bytes)
    }

    /// Returns the byte at `index`. A negative index counts from the end. Python `mmap[index]`.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::OutOfRange`] (`index`); [`Error::Truncated`].
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(3)?;
    /// mapping.write(b"abc")?;
    /// assert_eq!((mapping.get(0)?, mapping.get(-1)?), (b'a', b'c'));
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    #[inline]
    pub fn get(&self, index: i64) -> Result<u8> {
        let storage = self.storage()?;
        let mut byte = [0];
        storage.read_at(resolve_index(index, storage.len())?, &mut byte)?;
        Ok(byte[0])
    }

    /// Sets the byte at `index`. A negative index counts from the end. Python `mmap[index] = value`.
    ///
    /// # Errors
    ///
    /// [`Error::ReadOnly`], before [`Error::Closed`], as in Python; [`Error::OutOfRange`] (`index`);
    /// [`Error::Truncated`]; [`Error::NoSpace`].
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(3)?;
    /// mapping.set(-1, b'c')?;
    /// assert_eq!(mapping.read_range(..)?, b"\0\0c");
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    #[inline]
    pub fn set(&mut self, index: i64, value: u8) -> Result<()> {
        self.check_writable()?;
        let storage = self.storage_mut()?;
        let offset = resolve_index(index, storage.len())?;
        storage.check_write(&(offset..offset + 1))?;
        storage.write_at(offset, &[value])
    }
}
