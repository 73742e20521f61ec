//! The operations of a mapping with the arguments of the WIT interface, and the steps that they are made of.

use std::io::SeekFrom;
use std::ops::{Range, RangeBounds};

use super::bounds::{check_page, check_range, select};
use crate::{Advice, Error, FlushFlags, Mapping, Result, Storage};

/// The origin of a seek: POSIX `lseek(2)`, Python `os.SEEK_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Whence {
    /// The start of the mapping. `SEEK_SET`, 0.
    Start,
    /// The cursor. `SEEK_CUR`, 1.
    Current,
    /// The end of the mapping. `SEEK_END`, 2.
    End,
}

/// The operations of a [`Mapping`] as the WIT interface has them, with offsets and lengths instead of ranges, and the
/// steps of those that a host takes apart.
///
/// Crates that put the mapping behind an interface, or give it a storage, use this trait. Programs do not need it.
pub trait Internals {
    /// The storage under the mapping.
    type Storage: Storage;

    /// Returns the storage under the mapping.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    fn storage(&self) -> Result<&Self::Storage>;

    /// Returns the storage under the mapping. Direct changes to it bypass the mapping's checks.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    fn storage_mut(&mut self) -> Result<&mut Self::Storage>;

    /// Moves the cursor by a signed offset: POSIX `lseek(2)` with `SEEK_SET`, `SEEK_CUR`, `SEEK_END`. Otherwise as
    /// [`Mapping::seek`].
    ///
    /// # Errors
    ///
    /// Those of [`Mapping::seek`].
    fn seek_to(&mut self, offset: i64, whence: Whence) -> Result<u64>;

    /// Returns the range that the next read of up to `count` bytes (`None`: all) covers. It is empty at the end and
    /// past it.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    fn next_range(&self, count: Option<u64>) -> Result<Range<u64>>;

    /// Returns the range that the next line covers, including its line feed. Searches at most `most + 1` bytes; a
    /// longer line is cut there.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Truncated`].
    fn next_line_within(&self, most: u64) -> Result<Range<u64>>;

    /// Moves the cursor past a range that [`next_range`](Self::next_range) or
    /// [`next_line_within`](Self::next_line_within) returned. An empty range leaves it where it is.
    fn advance(&mut self, range: &Range<u64>);

    /// Returns the range of `length` bytes at `offset`, if it lies within the mapping.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::OutOfRange`] (`offset`, `length`).
    fn range(&self, offset: u64, length: u64) -> Result<Range<u64>>;

    /// Returns the part of the mapping that a range selects.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::OutOfRange`] (`offset`, `length`).
    fn select(&self, range: impl RangeBounds<u64>) -> Result<Range<u64>>;

    /// Returns the range that [`Mapping::find_from_cursor`] covers, or `None` if not even an empty needle can be found
    /// there.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    fn search_range(&self, needle: &[u8], start: Option<i64>, end: Option<i64>) -> Result<Option<Range<u64>>>;

    /// Reads `length` bytes at `offset` into a new vector: [`Mapping::read_range`].
    ///
    /// # Errors
    ///
    /// Those of [`Mapping::read_range`].
    fn read_vec_at(&self, offset: u64, length: u64) -> Result<Vec<u8>>;

    /// Sets `length` bytes at `offset`: [`Mapping::fill`].
    ///
    /// # Errors
    ///
    /// Those of [`Mapping::fill`].
    fn fill_at(&mut self, offset: u64, length: u64, byte: u8) -> Result<()>;

    /// Copies `count` bytes from `source` to `destination`: [`Mapping::copy_within`].
    ///
    /// # Errors
    ///
    /// Those of [`Mapping::copy_within`].
    fn copy_within_at(&mut self, destination: u64, source: u64, count: u64) -> Result<()>;

    /// Copies `count` bytes from `offset` of another mapping to `destination`: [`Mapping::copy_from`].
    ///
    /// # Errors
    ///
    /// Those of [`Mapping::copy_from`].
    fn copy_from_at(&mut self, destination: u64, source: &Self, offset: u64, count: u64) -> Result<()>;

    /// Flushes `length` bytes at `offset` (`None`: to the end): [`Mapping::flush_range`].
    ///
    /// # Errors
    ///
    /// Those of [`Mapping::flush_range`].
    fn flush_at(&mut self, offset: u64, length: Option<u64>, flags: FlushFlags) -> Result<()>;

    /// Gives advice for `length` bytes at `start` (`None`: to the end): [`Mapping::advise_range`].
    ///
    /// # Errors
    ///
    /// Those of [`Mapping::advise_range`], where the argument `offset` is called `start`.
    fn advise_at(&mut self, advice: Advice, start: u64, length: Option<u64>) -> Result<()>;

    /// Checks that [`Mapping::resize`] would not be refused before it touches anything.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Busy`]; [`Error::ReadOnly`]; [`Error::Invalid`] (`length`); [`Error::OutOfRange`]
    /// (`length`).
    fn check_resize(&self, length: u64) -> Result<()>;

    /// Returns the range that a window of `length` bytes at `offset` covers: whole pages, except that the last page of
    /// the mapping may be partial.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::ReadOnly`], for a writable window of a mapping for reading; [`Error::Invalid`]
    /// (`length` 0, or ending within a page before the end of the mapping; `offset` misaligned); [`Error::OutOfRange`]
    /// (`offset`, `length`).
    fn window_range(&self, offset: u64, length: u64, writable: bool) -> Result<Range<u64>>;
}

impl<S: Storage> Internals for Mapping<S> {
    type Storage = S;

    #[inline]
    fn storage(&self) -> Result<&S> {
        Mapping::storage(self)
    }

    #[inline]
    fn storage_mut(&mut self) -> Result<&mut S> {
        Mapping::storage_mut(self)
    }

    fn seek_to(&mut self, offset: i64, whence: Whence) -> Result<u64> {
        Mapping::storage(self)?;
        self.seek(match whence {
            Whence::Start => match u64::try_from(offset) {
                Ok(offset) => SeekFrom::Start(offset),
                Err(_) => {
                    return Err(Error::out_of_range("offset", format!("{offset} is before the start of the mapping")));
                }
            },
            Whence::Current => SeekFrom::Current(offset),
            Whence::End => SeekFrom::End(offset),
        })
    }

    #[inline]
    fn next_range(&self, count: Option<u64>) -> Result<Range<u64>> {
        Mapping::next_range(self, count)
    }

    fn next_line_within(&self, most: u64) -> Result<Range<u64>> {
        let rest = Mapping::next_range(self, Some(most.saturating_add(1)))?;
        if rest.is_empty() {
            return Ok(rest);
        }
        let end = Mapping::storage(self)?.find(b"\n", rest.clone())?.map_or(rest.end, |offset| offset + 1);
        Ok(rest.start..end)
    }

    #[inline]
    fn advance(&mut self, range: &Range<u64>) {
        Mapping::advance(self, range);
    }

    #[inline]
    fn range(&self, offset: u64, length: u64) -> Result<Range<u64>> {
        check_range(self.len()?, ("offset", offset), ("length", length))
    }

    fn select(&self, range: impl RangeBounds<u64>) -> Result<Range<u64>> {
        select(self.len()?, &range)
    }

    fn search_range(&self, needle: &[u8], start: Option<i64>, end: Option<i64>) -> Result<Option<Range<u64>>> {
        Mapping::search_range(self, needle, start, end)
    }

    fn read_vec_at(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        let storage = Mapping::storage(self)?;
        storage.read_vec(check_range(storage.len(), ("offset", offset), ("length", length))?)
    }

    fn fill_at(&mut self, offset: u64, length: u64, byte: u8) -> Result<()> {
        self.do_fill(offset, length, byte)
    }

    fn copy_within_at(&mut self, destination: u64, source: u64, count: u64) -> Result<()> {
        self.do_copy_within(destination, source, count)
    }

    fn copy_from_at(&mut self, destination: u64, source: &Self, offset: u64, count: u64) -> Result<()> {
        self.do_copy_from(destination, source, offset, count)
    }

    fn flush_at(&mut self, offset: u64, length: Option<u64>, flags: FlushFlags) -> Result<()> {
        self.do_flush(offset, length, flags)
    }

    fn advise_at(&mut self, advice: Advice, start: u64, length: Option<u64>) -> Result<()> {
        self.do_advise(advice, start, length)
    }

    fn check_resize(&self, length: u64) -> Result<()> {
        Mapping::check_resize(self, length)
    }

    fn window_range(&self, offset: u64, length: u64, writable: bool) -> Result<Range<u64>> {
        let storage = Mapping::storage(self)?;
        if writable {
            self.check_writable()?;
        }
        if length == 0 {
            return Err(Error::invalid("length", "a window cannot be empty"));
        }
        check_page(S::page_size(), ("offset", offset))?;
        let range = check_range(storage.len(), ("offset", offset), ("length", length))?;
        if range.end != storage.len() && !length.is_multiple_of(S::page_size()) {
            return Err(Error::invalid("length", "only the last window of a mapping may end within a page"));
        }
        Ok(range)
    }
}
