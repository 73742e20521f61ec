//! The pages of a mapping.
//!
//! Another process may change the bytes at any time, so a Rust reference to them promises too much. Every access checks
//! the bounds, makes a pointer, copies, and then checks whether the copy can be trusted. Only [`MappedPages::slice`]
//! and [`MappedPages::slice_mut`] make references. Their callers are unsafe themselves, or keep the bytes from
//! changing, with one exception: [`MappedPages::search`] lends the bytes to memchr for a moment. If another process
//! writes to them meanwhile, that is formally a data race.

use std::fs::File;
use std::ops::Range;
use std::slice;

use memchr::memmem;
use wasi_mmap_core::{Advice, Error, FlushFlags, Result};

use super::segments::{Segment, segments};
use crate::sys::OsMapping;
use crate::window::Window;

/// Returns the range of `count` bytes from `start` on. Written like the check in `core`, so that the compiler drops the
/// second one.
#[inline]
fn range_of(start: usize, count: usize) -> Range<usize> {
    start..start.checked_add(count).expect("no mapping ends past all memory")
}

/// The pages of a mapping. At least one byte.
#[derive(Debug)]
pub(crate) struct MappedPages {
    pub(crate) mapping: OsMapping,
    /// The windows that hold pages of the mapping, or copies of them; usually none.
    pub(super) windows: Vec<Window>,
}

impl MappedPages {
    pub(crate) fn new(mapping: OsMapping) -> Self {
        Self { mapping, windows: Vec::new() }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.mapping.len()
    }

    /// Returns whether writes stay in this mapping.
    pub(crate) fn is_private(&self) -> bool {
        self.mapping.is_private()
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.mapping.is_writable()
    }

    /// Returns the range behind `end` in which private pages may still hold bytes that were cut off: the rest of a
    /// page.
    pub(crate) fn tail(&self, end: usize) -> Range<usize> {
        self.mapping.tail(end)
    }

    /// Ends the process at the next fault in the pages, whose bytes were promised not to change.
    pub(crate) fn set_stable(&self) {
        self.mapping.set_stable();
    }

    pub(crate) fn file(&self) -> Option<&File> {
        self.mapping.file()
    }

    /// Returns a pointer to the start of `range`.
    ///
    /// # Panics
    ///
    /// If the range is not within the pages, which the caller must have checked.
    #[inline]
    pub(crate) fn pointer(&self, range: &Range<usize>) -> *mut u8 {
        self.mapping.pointer(range)
    }

    /// Returns whether all pages are contiguous in memory: none is in a window.
    #[inline]
    pub(crate) fn is_contiguous(&self) -> bool {
        self.windows.is_empty()
    }

    /// Returns whether the pages are contiguous, and all of the file at all times, unless they are lost.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.is_contiguous() && !self.mapping.may_reach_beyond_end()
    }

    fn segments(&self, range: Range<usize>) -> impl Iterator<Item = Segment<'_>> {
        segments(&self.mapping, &self.windows, range)
    }

    /// Returns an error if a part of `range` was lost. Must be called after the access that it is to vouch for.
    #[inline]
    pub(crate) fn check(&self, range: Range<usize>) -> Result<()> {
        if !self.is_contiguous() {
            return self.segments(range).try_for_each(|segment| segment.check());
        }
        self.mapping.check(range)
    }

    /// Copies the bytes from `start` on to `buffer`.
    #[inline]
    pub(crate) fn read(&self, start: usize, buffer: &mut [u8]) -> Result<()> {
        let range = range_of(start, buffer.len());
        if !self.is_plain() {
            return self.read_segments(start, buffer);
        }
        let source = self.pointer(&range);
        // SAFETY: `pointer` checked that so many bytes lie there; they stay mapped as long as `self` lives, and a fault
        // in them is repaired. `buffer` does not overlap them: only `slice_mut` makes a `&mut` to mapped pages.
        unsafe { source.copy_to_nonoverlapping(buffer.as_mut_ptr(), buffer.len()) };
        self.mapping.check(range)
    }

    #[cold]
    fn read_segments(&self, start: usize, buffer: &mut [u8]) -> Result<()> {
        let count = self.mapping.part_in_file(&(start..start + buffer.len()))?;
        let (buffer, beyond) = buffer.split_at_mut(count);
        beyond.fill(0);
        let mut segments = self.segments(start..start + count);
        segments.try_for_each(|segment| segment.read(&mut buffer[segment.range_from(start)]))?;
        self.mapping.correct(start, buffer)
    }

    /// Appends the bytes of `range` to `bytes`, which has room for them.
    #[inline]
    pub(crate) fn read_into(&self, range: Range<usize>, bytes: &mut Vec<u8>) -> Result<()> {
        if !self.is_plain() {
            let old = bytes.len();
            bytes.resize(old + range.len(), 0);
            return self.read(range.start, &mut bytes[old..]);
        }
        let source = self.pointer(&range);
        let room = &mut bytes.spare_capacity_mut()[..range.len()];
        // SAFETY: as in `read`; `room` has `range.len()` bytes, or the line before panicked.
        unsafe { source.copy_to_nonoverlapping(room.as_mut_ptr().cast(), range.len()) };
        self.mapping.check(range.clone())?;
        // SAFETY: the capacity suffices, and so many bytes behind the old length have just been written.
        unsafe { bytes.set_len(bytes.len() + range.len()) };
        Ok(())
    }

    /// Copies `bytes` to the pages from `start` on. The pages must be writable.
    #[inline]
    pub(crate) fn write(&mut self, start: usize, bytes: &[u8]) -> Result<()> {
        let range = range_of(start, bytes.len());
        if !self.is_plain() {
            return self.write_segments(start, bytes);
        }
        let target = self.pointer(&range);
        // SAFETY: as in `read`, in the other direction; `&mut self` keeps others in this process from these pages.
        unsafe { target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        self.mapping.check(range)
    }

    /// Returns the part of a range that is to be written: bytes past the end of the file, in its last page, are
    /// discarded.
    fn writable_part(&mut self, range: Range<usize>) -> Result<Range<usize>> {
        self.mapping.put_back(true)?;
        self.mapping.check_write(&(range.start as u64..range.end as u64))?;
        let count = self.mapping.part_in_file(&range)?;
        Ok(range.start..range.start + count)
    }

    #[cold]
    fn write_segments(&mut self, start: usize, bytes: &[u8]) -> Result<()> {
        let range = self.writable_part(start..start + bytes.len())?;
        let bytes = &bytes[..range.len()];
        let mut segments = self.segments(range.clone());
        segments.try_for_each(|segment| segment.write(&bytes[segment.range_from(start)]))?;
        self.mapping.check_written(&range)
    }

    /// Sets the bytes of `range`. The pages must be writable.
    pub(crate) fn fill(&mut self, range: Range<usize>, byte: u8) -> Result<()> {
        if !self.is_plain() {
            let range = self.writable_part(range)?;
            self.segments(range.clone()).try_for_each(|segment| segment.fill(byte))?;
            return self.mapping.check_written(&range);
        }
        let target = self.pointer(&range);
        // SAFETY: as in `write`.
        unsafe { target.write_bytes(byte, range.len()) };
        self.mapping.check(range)
    }

    /// Copies `source` to `destination`; the two may overlap. The pages must be plain and writable.
    pub(crate) fn copy_within(&mut self, source: Range<usize>, destination: usize) -> Result<()> {
        let range = destination..destination + source.len();
        let target = self.pointer(&range);
        let from = self.pointer(&source);
        // SAFETY: as in `write`, for both ranges, which may overlap.
        unsafe { target.copy_from(from, source.len()) };
        self.check(source)?;
        self.check(range)
    }

    /// Returns the pages themselves. They must be contiguous.
    ///
    /// # Safety
    ///
    /// While the slice is alive, nobody may change or cut off these bytes: no other process, no other mapping, and not
    /// this one.
    #[inline]
    pub(crate) unsafe fn slice(&self, range: Range<usize>) -> &[u8] {
        let start = self.pointer(&range);
        // SAFETY: `pointer` checked that so many bytes lie there, and they stay mapped as long as `self` lives. The
        // caller promises that nobody changes them.
        unsafe { slice::from_raw_parts(start, range.len()) }
    }

    /// Returns the pages themselves, for writing. They must be contiguous and writable.
    ///
    /// # Safety
    ///
    /// As [`slice`](Self::slice), and nobody else may read these bytes.
    pub(crate) unsafe fn slice_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        let start = self.pointer(&range);
        // SAFETY: as in `slice`.
        unsafe { slice::from_raw_parts_mut(start, range.len()) }
    }

    /// Returns the start of the first `needle` within `range`. The pages must be plain.
    pub(crate) fn find(&self, needle: &[u8], range: Range<usize>) -> Result<Option<usize>> {
        let at = self.search(range.clone(), |bytes| memmem::find(bytes, needle));
        let seen = at.map_or(range.end, |at| at + needle.len());
        self.check(range.start..seen)?;
        Ok(at)
    }

    /// Returns the start of the last `needle` within `range`. The pages must be plain.
    pub(crate) fn rfind(&self, needle: &[u8], range: Range<usize>) -> Result<Option<usize>> {
        let at = self.search(range.clone(), |bytes| memmem::rfind(bytes, needle));
        self.check(at.unwrap_or(range.start)..range.end)?;
        Ok(at)
    }

    /// Appends the bytes of `range` up to and including the first line feed, or all of them. The pages must be
    /// plain.
    #[inline]
    pub(crate) fn read_line(&self, range: Range<usize>, line: &mut Vec<u8>) -> Result<()> {
        let found = self.search(range.clone(), |bytes| memchr::memchr(b'\n', bytes));
        let range = range.start..found.map_or(range.end, |at| at + 1);
        line.try_reserve(range.len()).map_err(|_| Error::OutOfMemory)?;
        self.read_into(range, line)
    }

    #[inline]
    fn search(&self, range: Range<usize>, find: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
        // SAFETY: the range is mapped, as `slice` checks. Another process may change the bytes during the search, which
        // `slice` forbids, so this is formally a data race. memchr treats each byte as a value, and none as an index or
        // a length, so a changed byte can make its result wrong and do nothing else.
        let bytes = unsafe { self.slice(range.clone()) };
        find(bytes).map(|at| range.start + at)
    }

    /// Writes changes in `range` to the file.
    pub(crate) fn flush(&self, range: Range<usize>, flags: FlushFlags) -> Result<()> {
        self.mapping.flush(range.clone(), flags)?;
        self.check(range)
    }

    /// Advises the system on the use of `range`.
    pub(crate) fn advise(&mut self, advice: Advice, range: Range<usize>) -> Result<()> {
        self.mapping.advise(advice, range)
    }

    /// Sets the length of the mapping to `len` bytes, and the end of its file to the end of the mapping.
    pub(crate) fn resize(&mut self, len: usize) -> Result<()> {
        self.mapping.resize(len)
    }

    /// Maps lost pages anew.
    pub(crate) fn restore(&mut self) -> Result<()> {
        self.mapping.restore()
    }
}
