//! Search and copy: what works on many bytes and carries none to the caller.

use std::ops::Range;

use super::check_range;
use crate::{Mapping, Result, Storage};

/// Search and copy.
impl<S: Storage> Mapping<S> {
    /// Where `needle` first stands within `start` to `end`. Python `mmap.find`.
    ///
    /// `start` defaults to **the cursor** and `end` to the end. Below 0 they count from the end of the mapping; what lies
    /// outside is moved to its edge. An empty needle is found at `start`. The cursor stays.
    ///
    /// # Errors
    ///
    /// `closed`; `truncated`; `limit-exceeded`.
    pub fn find(&self, needle: &[u8], start: Option<i64>, end: Option<i64>) -> Result<Option<u64>> {
        match self.search_range(needle, start, end)? {
            None => Ok(None),
            Some(range) if needle.is_empty() => Ok(Some(range.start)),
            Some(range) => self.storage()?.find(needle, range),
        }
    }

    /// Where `needle` last stands within `start` to `end`; otherwise as [`find`](Self::find). An empty needle is found at
    /// `end`. Python `mmap.rfind`.
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub fn rfind(&self, needle: &[u8], start: Option<i64>, end: Option<i64>) -> Result<Option<u64>> {
        match self.search_range(needle, start, end)? {
            None => Ok(None),
            Some(range) if needle.is_empty() => Ok(Some(range.end)),
            Some(range) => self.storage()?.rfind(needle, range),
        }
    }

    /// The range that a search from `start` to `end` covers; `None` where not even an empty needle can be found.
    ///
    /// # Errors
    ///
    /// `closed`.
    pub fn search_range(&self, needle: &[u8], start: Option<i64>, end: Option<i64>) -> Result<Option<Range<u64>>> {
        let len = self.len()?;
        let from_end = |bound: i64| match u64::try_from(bound) {
            Ok(bound) => bound,
            Err(_) => len.saturating_sub(bound.unsigned_abs()),
        };
        let start = start.map_or(self.position, from_end);
        let end = end.map_or(len, from_end).min(len);
        // A start past the end finds nothing, not even an empty needle: so it is since Python 3.15.
        let fits = start <= end && needle.len() as u64 <= end - start;
        Ok(fits.then_some(start..end))
    }

    /// Copies `count` bytes from `source` to `destination`, which may overlap. C `memmove(3)`, Python `mmap.move`.
    ///
    /// # Errors
    ///
    /// `closed`; `read-only`; `out-of-range` (`destination`, `source`, `count`); `truncated`; `no-space`.
    pub fn copy_within(&mut self, destination: u64, source: u64, count: u64) -> Result<()> {
        let storage = self.writable()?;
        check_range(storage.len(), ("destination", destination), ("count", count))?;
        let range = check_range(storage.len(), ("source", source), ("count", count))?;
        storage.copy_within(range, destination)
    }

    /// Copies `count` bytes from `offset` of another mapping to `destination` in this one.
    ///
    /// # Errors
    ///
    /// `closed`, of either; `read-only`; `out-of-range` (`destination`, `source`, `count`); `truncated`; `no-space`.
    pub fn copy_from(&mut self, destination: u64, source: &Self, offset: u64, count: u64) -> Result<()> {
        let storage = self.writable()?;
        let from = source.storage()?;
        check_range(storage.len(), ("destination", destination), ("count", count))?;
        let range = check_range(from.len(), ("source", offset), ("count", count))?;
        storage.copy_from(destination, from, range)
    }
}
