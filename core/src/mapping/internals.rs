//! The operations of a mapping with the arguments of the WIT interface, and the steps that they are made of.

use std::io::SeekFrom;
use std::ops::{Range, RangeBounds};

use super::bounds::{check_page, check_range, select};
use super::find::SearchPlan;
use crate::{Access, Advice, Direction, Error, FlushFlags, Mapping, Result, Slice, Storage, Strided};

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

    /// Checks [`Mapping::find_from_cursor`] or [`Mapping::rfind_from_cursor`], and returns what remains to be done.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    fn plan_search(
        &self,
        needle: &[u8],
        start: Option<i64>,
        end: Option<i64>,
        direction: Direction,
    ) -> Result<SearchPlan>;

    /// Checks [`Mapping::write`] of `count` bytes, and returns the range that it covers.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::ReadOnly`]; [`Error::OutOfRange`] (`cursor`, `bytes`).
    fn next_write_range(&self, count: u64) -> Result<Range<u64>>;

    /// Checks [`Mapping::write_all_at`] of `count` bytes, and returns the range that it covers.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::ReadOnly`]; [`Error::OutOfRange`] (`offset`, `bytes`).
    fn write_range(&self, offset: u64, count: u64) -> Result<Range<u64>>;

    /// Checks [`Mapping::compare`] of `count` bytes, and returns the range that it covers.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::OutOfRange`] (`offset`, `bytes`).
    fn compare_range(&self, offset: u64, count: u64) -> Result<Range<u64>>;

    /// Checks [`Mapping::fill`], and returns the range that it covers.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::ReadOnly`]; [`Error::OutOfRange`] (`offset`, `length`).
    fn fill_range(&self, offset: u64, length: u64) -> Result<Range<u64>>;

    /// Checks [`Mapping::copy_within`], and returns the range that it reads.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::ReadOnly`]; [`Error::OutOfRange`] (`destination`, `source`, `count`).
    fn copy_within_range(&self, destination: u64, source: u64, count: u64) -> Result<Range<u64>>;

    /// Checks [`Mapping::copy_from`], and returns the range of the other mapping that it reads.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::ReadOnly`]; [`Error::OutOfRange`] (`destination`, `source`, `count`).
    fn copy_from_range(&self, destination: u64, source: &Self, offset: u64, count: u64) -> Result<Range<u64>>;

    /// Checks [`Mapping::write_slice`] of `count` bytes, and returns the bytes that it covers.
    ///
    /// # Errors
    ///
    /// In Python's order: [`Error::ReadOnly`]; [`Error::Invalid`] (`step`); [`Error::Closed`]; [`Error::Invalid`]
    /// (`bytes`).
    fn resolve_for_write(&self, slice: Slice, count: u64) -> Result<Strided>;

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

    /// Checks that a window can have a mode.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::ReadOnly`], for a writable window of a mapping for reading.
    fn check_window_mode(&self, writable: bool) -> Result<()>;
}

impl<S: Storage> Internals for Mapping<S> {
    type Storage = S;

    #[inline]
    fn storage(&self) -> Result<&S> {
        // Not `ok_or`: every operation begins here, and would make and drop an error that it does not need.
        match &self.storage {
            Some(storage) => Ok(storage),
            None => Err(Error::Closed),
        }
    }

    #[inline]
    fn storage_mut(&mut self) -> Result<&mut S> {
        match &mut self.storage {
            Some(storage) => Ok(storage),
            None => Err(Error::Closed),
        }
    }

    fn seek_to(&mut self, offset: i64, whence: Whence) -> Result<u64> {
        self.storage()?;
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
        let len = self.len()?;
        let start = self.position.min(len);
        let end = count.map_or(len, |count| start.saturating_add(count).min(len));
        Ok(start..end)
    }

    fn next_line_within(&self, most: u64) -> Result<Range<u64>> {
        let rest = self.next_range(Some(most.saturating_add(1)))?;
        if rest.is_empty() {
            return Ok(rest);
        }
        let end = self.storage()?.find(b"\n", rest.clone())?.map_or(rest.end, |offset| offset + 1);
        Ok(rest.start..end)
    }

    #[inline]
    fn advance(&mut self, range: &Range<u64>) {
        if !range.is_empty() {
            self.position = range.end;
        }
    }

    #[inline]
    fn range(&self, offset: u64, length: u64) -> Result<Range<u64>> {
        check_range(self.len()?, ("offset", offset), ("length", length))
    }

    fn select(&self, range: impl RangeBounds<u64>) -> Result<Range<u64>> {
        select(self.len()?, &range)
    }

    fn plan_search(
        &self,
        needle: &[u8],
        start: Option<i64>,
        end: Option<i64>,
        direction: Direction,
    ) -> Result<SearchPlan> {
        let len = self.len()?;
        let from_end = |bound: i64| match u64::try_from(bound) {
            Ok(bound) => bound,
            Err(_) => len.saturating_sub(bound.unsigned_abs()),
        };
        let start = start.map_or(self.position, from_end);
        let end = end.map_or(len, from_end).min(len);
        // A start past the end finds nothing, not even an empty needle: so it is since Python 3.15.
        Ok(if start <= end { SearchPlan::new(needle, start..end, direction) } else { SearchPlan::Done(None) })
    }

    fn next_write_range(&self, count: u64) -> Result<Range<u64>> {
        self.check_write(check_range(self.writable_len()?, ("cursor", self.position), ("bytes", count))?)
    }

    fn write_range(&self, offset: u64, count: u64) -> Result<Range<u64>> {
        self.check_write(check_range(self.writable_len()?, ("offset", offset), ("bytes", count))?)
    }

    fn compare_range(&self, offset: u64, count: u64) -> Result<Range<u64>> {
        check_range(self.len()?, ("offset", offset), ("bytes", count))
    }

    fn fill_range(&self, offset: u64, length: u64) -> Result<Range<u64>> {
        self.check_write(check_range(self.writable_len()?, ("offset", offset), ("length", length))?)
    }

    fn copy_within_range(&self, destination: u64, source: u64, count: u64) -> Result<Range<u64>> {
        self.copy_from_range(destination, self, source, count)
    }

    fn copy_from_range(&self, destination: u64, source: &Self, offset: u64, count: u64) -> Result<Range<u64>> {
        let (len, source_len) = (self.writable_len()?, source.len()?);
        let target = check_range(len, ("destination", destination), ("count", count))?;
        let source = check_range(source_len, ("source", offset), ("count", count))?;
        self.check_write(target)?;
        Ok(source)
    }

    fn resolve_for_write(&self, slice: Slice, count: u64) -> Result<Strided> {
        self.check_writable()?;
        slice.check()?;
        let strided = slice.resolve(self.len()?)?;
        if strided.count != count {
            return Err(Error::invalid("bytes", format!("{count} bytes for a slice of {}", strided.count)));
        }
        if count > 0 {
            let (first, last) = (strided.first, strided.position(count - 1));
            self.check_write(first.min(last)..first.max(last) + 1)?;
        }
        Ok(strided)
    }

    fn read_vec_at(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        let storage = self.storage()?;
        storage.read_vec(check_range(storage.len(), ("offset", offset), ("length", length))?)
    }

    fn fill_at(&mut self, offset: u64, length: u64, byte: u8) -> Result<()> {
        let range = self.fill_range(offset, length)?;
        self.storage_mut()?.fill(range, byte)
    }

    fn copy_within_at(&mut self, destination: u64, source: u64, count: u64) -> Result<()> {
        let range = self.copy_within_range(destination, source, count)?;
        self.storage_mut()?.copy_within(range, destination)
    }

    fn copy_from_at(&mut self, destination: u64, source: &Self, offset: u64, count: u64) -> Result<()> {
        let range = self.copy_from_range(destination, source, offset, count)?;
        self.storage_mut()?.copy_from(destination, source.storage()?, range)
    }

    fn flush_at(&mut self, offset: u64, length: Option<u64>, flags: FlushFlags) -> Result<()> {
        let access = self.access;
        let storage = self.storage_mut()?;
        // An offset past the end leaves no length: `check_range` refuses it by its own name.
        let length = length.unwrap_or_else(|| storage.len().saturating_sub(offset));
        let range = check_range(storage.len(), ("offset", offset), ("length", length))?;
        if access != Access::Write {
            return Ok(());
        }
        check_page(S::page_size(), ("offset", offset))?;
        let flags = flags.resolve()?;
        if range.is_empty() { Ok(()) } else { storage.flush(range, flags) }
    }

    fn advise_at(&mut self, advice: Advice, start: u64, length: Option<u64>) -> Result<()> {
        let storage = self.storage_mut()?;
        let len = storage.len();
        if start >= len {
            return Err(Error::out_of_range("start", format!("{start} is not before the end of the mapping, {len}")));
        }
        let end = start.checked_add(length.unwrap_or(len - start)).filter(|&end| i64::try_from(end).is_ok());
        let Some(end) = end else {
            return Err(Error::out_of_range("length", "start and length together exceed 2^63 - 1"));
        };
        check_page(S::page_size(), ("start", start))?;
        storage.advise(advice, start..end.min(len))
    }

    fn check_resize(&self, length: u64) -> Result<()> {
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

    fn window_range(&self, offset: u64, length: u64, writable: bool) -> Result<Range<u64>> {
        self.check_window_mode(writable)?;
        let storage = self.storage()?;
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

    fn check_window_mode(&self, writable: bool) -> Result<()> {
        self.storage()?;
        if writable { self.check_writable() } else { Ok(()) }
    }
}
