//! Ordinary reads and writes of the program to files that it has mapped.

use std::ops::Range;

use super::state::PageCache;
use crate::fallback::file::{File, FileId};

impl<F: File> PageCache<F> {
    /// Writes back the changes in a range of a file that the program is going to read or write by itself. Changes that
    /// cannot be written stay in the cache, for the next flush to report.
    pub(super) fn before_io(&mut self, id: Option<FileId>, is_file: impl Fn(&F) -> bool, range: &Range<u64>) {
        if let Some(file) = self.files.find(id, is_file) {
            let _ = self.write_back_unasked(file, range);
        }
    }

    /// Discards what the cache has of a range of a file that the program has written by itself.
    pub(super) fn after_write(&mut self, id: Option<FileId>, is_file: impl Fn(&F) -> bool, range: &Range<u64>) {
        if let Some(file) = self.files.find(id, is_file) {
            self.invalidate(file, range);
        }
    }
}
