//! Which parts of a mapping can be a window: lie in other memory than the mapping's own.

use std::ops::Range;

use super::{check_range, file::check_page};
use crate::{Error, Mapping, Result, Storage};

/// Windows.
impl<S: Storage> Mapping<S> {
    /// The range that a window of `length` bytes from `offset` covers: whole pages, but for the last one of the mapping.
    ///
    /// # Errors
    ///
    /// `closed`; `read-only` (to write, to a mapping for reading); `invalid` (`length` 0, or ending within a page before the
    /// end of the mapping; `offset` misaligned); `out-of-range` (`offset`, `length`).
    pub fn window_range(&self, offset: u64, length: u64, writable: bool) -> Result<Range<u64>> {
        let storage = self.storage()?;
        if writable {
            self.check_writable()?;
        }
        if length == 0 {
            return Err(Error::invalid("length", "a window cannot be empty"));
        }
        check_page::<S>("offset", offset)?;
        let range = check_range(storage.len(), ("offset", offset), ("length", length))?;
        if range.end != storage.len() && !length.is_multiple_of(S::page_size()) {
            return Err(Error::invalid("length", "only the last window of a mapping may end within a page"));
        }
        Ok(range)
    }
}

/// The part of a window of `len` bytes that a flush from `offset` on means; `length` `None`: to its end.
///
/// # Errors
///
/// `out-of-range` (`offset`, `length`).
pub fn part_of_window(len: u64, offset: u64, length: Option<u64>) -> Result<Range<u64>> {
    let length = length.unwrap_or_else(|| len.saturating_sub(offset));
    check_range(len, ("offset", offset), ("length", length))
}
