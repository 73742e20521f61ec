//! Searches: Python's `find` and `rfind`.

use std::ops::{Range, RangeBounds};

use super::bounds::select;
#[cfg(doc)]
use crate::Error;
use crate::{Mapping, Result, Storage};

/// Search.
impl<S: Storage> Mapping<S> {
    /// Returns the offset of the first occurrence of `needle` that lies wholly within `range`, or `None`.
    ///
    /// An empty needle is found at the start of the range. The cursor is neither used nor moved.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::OutOfRange`] (`offset`, `length`), if the range is not within the mapping;
    /// [`Error::Truncated`]; [`Error::LimitExceeded`].
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(100)?;
    /// mapping.write(b"one, two, one")?;
    /// assert_eq!(mapping.find(b"one", ..)?, Some(0));
    /// assert_eq!(mapping.find(b"one", 1..)?, Some(10));
    /// assert_eq!(mapping.find(b"one", 1..12)?, None);
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn find(&self, needle: &[u8], range: impl RangeBounds<u64>) -> Result<Option<u64>> {
        let range = select(self.len()?, &range)?;
        self.find_within(needle, fitting(needle, range))
    }

    /// Returns the offset of the last occurrence of `needle` that lies wholly within `range`, or `None`.
    ///
    /// An empty needle is found at the end of the range. The cursor is neither used nor moved.
    ///
    /// # Errors
    ///
    /// Those of [`find`](Self::find).
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(100)?;
    /// mapping.write(b"one, two, one")?;
    /// assert_eq!(mapping.rfind(b"one", ..)?, Some(10));
    /// assert_eq!(mapping.rfind(b"one", ..12)?, Some(0));
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn rfind(&self, needle: &[u8], range: impl RangeBounds<u64>) -> Result<Option<u64>> {
        let range = select(self.len()?, &range)?;
        self.rfind_within(needle, fitting(needle, range))
    }

    /// Returns the offset of the first occurrence of `needle` between `start` and `end`, or `None`. Python `mmap.find`.
    ///
    /// `start` defaults to **the cursor**, and `end` to the end. Negative bounds count from the end of the mapping, and
    /// bounds outside the mapping are clamped to it. An empty needle is found at `start`. The cursor does not move.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Truncated`];
    /// [`Error::LimitExceeded`].
    ///
    /// # Example
    ///
    /// ```
    /// use std::io::SeekFrom;
    ///
    /// let mut mapping = wasi_mmap::Mapping::anonymous(13)?;
    /// mapping.write_all_at(b"one, two, one", 0)?;
    /// mapping.seek(SeekFrom::Start(1))?;
    /// assert_eq!(mapping.find_from_cursor(b"one", None, None)?, Some(10));
    /// assert_eq!(mapping.find_from_cursor(b"o", Some(-4), None)?, Some(10));
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn find_from_cursor(&self, needle: &[u8], start: Option<i64>, end: Option<i64>) -> Result<Option<u64>> {
        self.find_within(needle, self.search_range(needle, start, end)?)
    }

    /// Returns the offset of the last occurrence of `needle` between `start` and `end`, or `None`. Python `mmap.rfind`.
    ///
    /// The bounds are those of [`find_from_cursor`](Self::find_from_cursor): `start` defaults to **the cursor**. An
    /// empty needle is found at `end`.
    ///
    /// # Errors
    ///
    /// Those of [`find_from_cursor`](Self::find_from_cursor).
    ///
    /// # Example
    ///
    /// ```
    /// let mut mapping = wasi_mmap::Mapping::anonymous(13)?;
    /// mapping.write_all_at(b"one, two, one", 0)?;
    /// assert_eq!(mapping.rfind_from_cursor(b"one", None, Some(-1))?, Some(0));
    /// # Ok::<(), wasi_mmap::Error>(())
    /// ```
    pub fn rfind_from_cursor(&self, needle: &[u8], start: Option<i64>, end: Option<i64>) -> Result<Option<u64>> {
        self.rfind_within(needle, self.search_range(needle, start, end)?)
    }

    /// Returns the range that a search from `start` to `end` covers, or `None` if not even an empty needle can be found
    /// there.
    pub(super) fn search_range(
        &self,
        needle: &[u8],
        start: Option<i64>,
        end: Option<i64>,
    ) -> Result<Option<Range<u64>>> {
        let len = self.len()?;
        let from_end = |bound: i64| match u64::try_from(bound) {
            Ok(bound) => bound,
            Err(_) => len.saturating_sub(bound.unsigned_abs()),
        };
        let start = start.map_or(self.position, from_end);
        let end = end.map_or(len, from_end).min(len);
        // A start past the end finds nothing, not even an empty needle: so it is since Python 3.15.
        Ok(if start <= end { fitting(needle, start..end) } else { None })
    }

    fn find_within(&self, needle: &[u8], range: Option<Range<u64>>) -> Result<Option<u64>> {
        match range {
            None => Ok(None),
            Some(range) if needle.is_empty() => Ok(Some(range.start)),
            Some(range) => self.storage()?.find(needle, range),
        }
    }

    fn rfind_within(&self, needle: &[u8], range: Option<Range<u64>>) -> Result<Option<u64>> {
        match range {
            None => Ok(None),
            Some(range) if needle.is_empty() => Ok(Some(range.end)),
            Some(range) => self.storage()?.rfind(needle, range),
        }
    }
}

/// Returns the range if the needle fits in it.
fn fitting(needle: &[u8], range: Range<u64>) -> Option<Range<u64>> {
    (needle.len() as u64 <= range.end - range.start).then_some(range)
}
