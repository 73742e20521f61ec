//! Searches: Python's `find` and `rfind`.

use std::ops::{Range, RangeBounds};

use super::bounds::select;
#[cfg(doc)]
use crate::Error;
use crate::{Direction, Internals, Mapping, Result, Storage};

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
        self.search(needle, SearchPlan::new(needle, range, Direction::Forward), Direction::Forward)
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
        self.search(needle, SearchPlan::new(needle, range, Direction::Backward), Direction::Backward)
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
        self.search(needle, self.plan_search(needle, start, end, Direction::Forward)?, Direction::Forward)
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
        self.search(needle, self.plan_search(needle, start, end, Direction::Backward)?, Direction::Backward)
    }

    fn search(&self, needle: &[u8], plan: SearchPlan, direction: Direction) -> Result<Option<u64>> {
        match (plan, direction) {
            (SearchPlan::Done(found), _) => Ok(found),
            (SearchPlan::Search(range), Direction::Forward) => self.storage()?.find(needle, range),
            (SearchPlan::Search(range), Direction::Backward) => self.storage()?.rfind(needle, range),
        }
    }
}

/// What remains to be done of a search whose arguments are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchPlan {
    /// Nothing: the result is known without a look at the bytes.
    Done(Option<u64>),
    /// A search of this range for a needle that is not empty and fits in it.
    Search(Range<u64>),
}

impl SearchPlan {
    pub(super) fn new(needle: &[u8], range: Range<u64>, direction: Direction) -> Self {
        if needle.len() as u64 > range.end - range.start {
            Self::Done(None)
        } else if needle.is_empty() {
            Self::Done(Some(match direction {
                Direction::Forward => range.start,
                Direction::Backward => range.end,
            }))
        } else {
            Self::Search(range)
        }
    }
}
