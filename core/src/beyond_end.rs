//! The rules of a mapping that may reach past the end of its file: [`MapFlags::BEYOND_END`](crate::MapFlags::BEYOND_END).

use std::ops::Range;

use crate::{Error, Result};

/// The rules of a mapping that may reach past the end of its file, for storages.
///
/// Bytes past the end are zeros, unless the file had them when it was mapped: then they are lost.
///
/// # Example
///
/// ```
/// use wasi_mmap_core::{BeyondEnd, Error};
///
/// // A mapping of a file that has 100 bytes.
/// let rules = BeyondEnd::new(0, 100, 4096);
/// assert_eq!(rules.part_in_file(&(90..110), 100)?, 10);
/// assert_eq!(rules.part_in_file(&(90..110), 5000)?, 20); // it has grown
/// assert_eq!(rules.part_in_file(&(90..110), 0), Err(Error::Truncated));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeyondEnd {
    /// The offset in the file at which the mapping starts.
    file_offset: u64,
    /// The number of bytes from there on that the file had when it was mapped.
    had: u64,
    page_size: u64,
}

impl BeyondEnd {
    /// Makes the rules of a mapping that starts at `file_offset` of a file that has `file_len` bytes.
    pub fn new(file_offset: u64, file_len: u64, page_size: u64) -> Self {
        Self { file_offset, had: file_len.saturating_sub(file_offset), page_size }
    }

    /// Returns the number of bytes, from the start of the mapping on, that the file had when it was mapped.
    pub fn had(&self) -> u64 {
        self.had
    }

    /// Returns how many bytes of a range of the mapping, from its start on, are those of a file that has `file_len`
    /// bytes. The others are zeros.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`], if the range has bytes that were lost.
    pub fn part_in_file(&self, range: &Range<u64>, file_len: u64) -> Result<u64> {
        self.check_lost(range, file_len)?;
        Ok(self.present(file_len).clamp(range.start, range.end) - range.start)
    }

    /// Checks that a range of the mapping can be written: that each of its pages begins within a file of `file_len`
    /// bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`], if the range has bytes that were lost; [`Error::BeyondEndOfFile`] (`offset`).
    pub fn check_write(&self, range: &Range<u64>, file_len: u64) -> Result<()> {
        self.check_lost(range, file_len)?;
        let usable = self.usable(file_len);
        if range.is_empty() || range.end <= usable {
            return Ok(());
        }
        let first = usable.max(range.start);
        let reason = format!("{first} is in a page past the end of the file, {file_len}, which a write does not extend");
        Err(Error::beyond_end_of_file("offset", reason))
    }

    fn check_lost(&self, range: &Range<u64>, file_len: u64) -> Result<()> {
        let lost = self.usable(file_len)..self.had;
        if range.start.max(lost.start) < range.end.min(lost.end) { Err(Error::Truncated) } else { Ok(()) }
    }

    /// Returns the number of bytes of the mapping that the file has.
    fn present(&self, file_len: u64) -> u64 {
        file_len.saturating_sub(self.file_offset)
    }

    /// Returns the number of bytes of the mapping in pages that begin within the file. The bytes past its end in the
    /// last one can be accessed, as in every mapping.
    fn usable(&self, file_len: u64) -> u64 {
        self.present(file_len).checked_next_multiple_of(self.page_size).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 4096;

    #[test]
    fn every_byte_follows_the_rules() {
        for offset in [0, 2 * PAGE] {
            let had = PAGE + 10;
            let rules = BeyondEnd::new(offset, offset + had, PAGE);
            for present in [0, 1, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 1, 5 * PAGE] {
                let file_len = if present == 0 { offset / 2 } else { offset + present };
                let usable = present.div_ceil(PAGE) * PAGE;
                for at in [0, 9, PAGE - 1, PAGE, PAGE + 9, PAGE + 10, 2 * PAGE - 1, 2 * PAGE, 3 * PAGE, u64::MAX - 1] {
                    let byte = at..at + 1;
                    let is_lost = at >= usable && at < had;
                    let read = rules.part_in_file(&byte, file_len);
                    let write = rules.check_write(&byte, file_len).map_err(|error| error.name());
                    if is_lost {
                        assert_eq!(read, Err(Error::Truncated), "{at} of {present}");
                        assert_eq!(write, Err("truncated"), "{at} of {present}");
                    } else {
                        assert_eq!(read, Ok(u64::from(at < present)), "{at} of {present}");
                        let expected = if at < usable { Ok(()) } else { Err("beyond-end-of-file") };
                        assert_eq!(write, expected, "{at} of {present}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_range_that_reaches_past_the_end_has_a_part_in_the_file() {
        let rules = BeyondEnd::new(0, 0, PAGE);
        assert_eq!(rules.part_in_file(&(0..100), 0), Ok(0));
        assert_eq!(rules.part_in_file(&(50..150), 100), Ok(50));
        assert_eq!(rules.part_in_file(&(150..200), 100), Ok(0));
        assert_eq!(rules.check_write(&(50..PAGE), 100), Ok(()));
        assert!(rules.check_write(&(50..PAGE + 1), 100).is_err());
        assert_eq!(rules.check_write(&(2 * PAGE..2 * PAGE), 100), Ok(()), "no byte");
    }
}
