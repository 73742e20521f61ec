//! Mappings that may reach past the end of their file.
//!
//! The kernel raises SIGBUS for a page past the end. The handler puts zeros in the place of all such pages, and records
//! where they begin. When the file has grown, it is put back there ([`OsMapping::put_back`]).
//!
//! The mapping's own operations look for the end of the file first, and touch no page past it, unless the file becomes
//! shorter at that moment. So zeros remain there only after accesses to slices. Where they may be, reads take the bytes
//! from the file itself ([`OsMapping::correct`]), and writes put it back first: a read must not replace pages that
//! another thread may be using.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use wasi_mmap_core::{BeyondEnd, Error, Result};

use super::fault::FaultGuard;
use super::mapping::{OsMapping, addresses};
use super::replace::{self, Sharing};

/// The file behind memory that shows zeros past the file's end, to be put back there.
#[derive(Debug, Clone)]
pub(crate) struct GrowingFile {
    file: Arc<File>,
    /// The offset in the file that the memory starts at.
    file_offset: u64,
}

impl GrowingFile {
    /// Puts the file back in the place of zeros past its end: if it has grown, or else if it is to be done `always`.
    /// Nothing happens if there are none. `memory` is the guarded memory.
    ///
    /// # Errors
    ///
    /// Those of `fstat(2)`, `mmap(2)` and `mremap(2)`. The zeros are still there.
    ///
    /// # Safety
    ///
    /// The memory is whole pages that belong to the caller, and mapped this part of the file in this way before the
    /// handler put zeros there. No reference into the zeros is alive.
    pub(crate) unsafe fn put_back(
        &self,
        guard: &FaultGuard,
        memory: &Range<usize>,
        sharing: Sharing,
        can_write: bool,
        always: bool,
    ) -> io::Result<bool> {
        let offset_of = |from: usize| self.file_offset + (from - memory.start) as u64;
        let Some(from) = guard.zeros_from() else { return Ok(false) };
        if !always && self.file.metadata()?.len() <= offset_of(from) {
            return Ok(false);
        }
        // `None` if another thread has done it just now.
        let Some(from) = guard.take_zeros() else { return Ok(false) };
        // SAFETY: the caller's promise. On failure the memory is as it was, and recorded again.
        let outcome =
            unsafe { replace::put_file_back(&(from..memory.end), &self.file, offset_of(from), sharing, can_write) };
        outcome.inspect_err(|_| guard.add_zeros(from)).map(|()| true)
    }
}

impl OsMapping {
    /// Returns the file of a mapping that may reach past its end, for other memory that maps it from `start` on.
    pub(crate) fn growing_file(&self, start: usize) -> Option<GrowingFile> {
        let (_, file) = self.beyond_end()?;
        Some(GrowingFile { file: Arc::clone(file), file_offset: self.file_offset + start as u64 })
    }

    /// Guards memory that maps the file from `start` on as well.
    ///
    /// # Errors
    ///
    /// As [`FaultGuard::new`].
    pub(crate) fn guard_beyond_end(&self, memory: Range<usize>, start: usize, private: bool) -> io::Result<FaultGuard> {
        let Some((rules, file)) = self.beyond_end() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let had = rules.had().saturating_sub(start as u64);
        FaultGuard::beyond_end(memory, file, self.file_offset + start as u64, self.page, private, had)
    }

    /// Returns whether the mapping may reach past the end of its file.
    #[inline]
    pub(crate) fn may_reach_beyond_end(&self) -> bool {
        self.beyond_end.is_some()
    }

    /// Returns the rules of a mapping that may reach past the end of its file, with the file.
    pub(crate) fn beyond_end(&self) -> Option<(&BeyondEnd, &Arc<File>)> {
        self.beyond_end.as_ref().zip(self.file.as_ref())
    }

    /// Returns how many bytes of a range, from its start on, are to be read. The others are zeros past the end of the
    /// file.
    pub(crate) fn part_in_file(&self, range: &Range<usize>) -> Result<usize> {
        let Some((rules, file)) = self.beyond_end() else { return Ok(range.len()) };
        let count = rules.part_in_file(&to_u64(range), file.metadata()?.len())?;
        Ok(usize::try_from(count).expect("within the range"))
    }

    /// Checks that a range can be written at present.
    #[inline]
    pub(crate) fn check_write(&self, range: &Range<u64>) -> Result<()> {
        match self.beyond_end() {
            Some((rules, file)) => rules.check_write(range, file.metadata()?.len()),
            None => Ok(()),
        }
    }

    /// Reads those bytes of a range from the file that were copied to `buffer` from pages which may have been zeros.
    /// `start` is the start of the range.
    pub(crate) fn correct(&self, start: usize, buffer: &mut [u8]) -> Result<()> {
        let Some((rules, file)) = self.beyond_end() else { return Ok(()) };
        let Some(zeros) = self.guard.zeros_from() else { return Ok(()) };
        let mut done = zeros.saturating_sub(self.map.as_ptr().addr()).saturating_sub(start);
        while done < buffer.len() {
            match file.read_at(&mut buffer[done..], self.file_offset + (start + done) as u64)? {
                0 => {
                    // The file ends here now.
                    rules.part_in_file(&to_u64(&(start + done..start + buffer.len())), file.metadata()?.len())?;
                    buffer[done..].fill(0);
                    break;
                }
                count => done += count,
            }
        }
        Ok(())
    }

    /// Returns an error if a part of a range that was just written may have been zeros past the end of the file: the
    /// file became shorter during the write.
    pub(crate) fn check_written(&self, range: &Range<usize>) -> Result<()> {
        match self.guard.zeros_from() {
            Some(zeros) if !range.is_empty() && zeros < self.map.as_ptr().addr() + range.end => Err(Error::Truncated),
            _ => Ok(()),
        }
    }

    /// Puts the file back in the place of zeros past its end: if it has grown, or else if it is to be done `always`.
    ///
    /// Must be `always` before writes to a private mapping: the record of the zeros can name pages that show the file
    /// again, if another thread has met the end of the file meanwhile. Later, private changes would be lost there.
    pub(crate) fn put_back(&self, always: bool) -> Result<()> {
        let (Some(file), Some(_)) = (self.growing_file(0), self.guard.zeros_from()) else { return Ok(()) };
        let Range { start, end } = addresses(&self.map);
        let memory = start..end.next_multiple_of(self.page);
        let sharing = if self.private { Sharing::Private } else { Sharing::Shared };
        // SAFETY: the pages of this mapping. References into them are those that callers of unsafe functions have made:
        // they look like bytes that another process has changed.
        if unsafe { file.put_back(&self.guard, &memory, sharing, self.writable, always) }? {
            self.mark_split();
        }
        Ok(())
    }
}

fn to_u64(range: &Range<usize>) -> Range<u64> {
    range.start as u64..range.end as u64
}
