//! The memory of a mapping, and every access to it. The unsafe code of the crate is here, and where the system's own is.
//!
//! Another process may change the bytes at any time. So no reference to them leaves this module but through
//! [`Pages::lend`]; everything else checks the bounds, makes a pointer, copies, and asks the map whether the
//! copy can be trusted.

mod pieces;

use std::fs::File;
use std::ops::Range;
use std::slice;

use memchr::memmem;
use wasi_mmap_core::{Advice, Error, FlushFlags, Result};

use crate::os::{Attached, Map};

/// The range of so many bytes from `start` on. Said in the words of `core`'s check, so that the compiler drops the second one.
#[inline]
fn from(start: usize, count: usize) -> Range<usize> {
    start..start.checked_add(count).expect("no mapping ends past all memory")
}

/// Memory that the operating system mapped. At least one byte.
#[derive(Debug)]
pub(crate) struct Pages {
    pub(crate) map: Map,
    /// The parts that lie elsewhere for the time being; mostly none.
    pub(crate) moved: Vec<Attached>,
}

impl Pages {
    pub(crate) fn new(map: Map) -> Self {
        Self { map, moved: Vec::new() }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether writes stay in this mapping.
    pub(crate) fn is_private(&self) -> bool {
        self.map.is_private()
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.map.is_writable()
    }

    /// What private pages may still hold of bytes behind `end` that were cut off: the rest of a page.
    pub(crate) fn tail(&self, end: usize) -> Range<usize> {
        self.map.tail(end)
    }

    pub(crate) fn file(&self) -> Option<&File> {
        self.map.file()
    }

    /// A pointer to the start of `range`.
    ///
    /// # Panics
    ///
    /// If the range is not within the pages: the caller is to have checked that.
    #[inline]
    pub(crate) fn pointer(&self, range: &Range<usize>) -> *mut u8 {
        self.map.pointer(range)
    }

    /// Whether all pages are where they belong, so that a pointer to one leads to the others.
    #[inline]
    pub(crate) fn is_whole(&self) -> bool {
        self.moved.is_empty()
    }

    /// An error if a part of `range` was lost. To be called after the access that it speaks of.
    #[inline]
    pub(crate) fn check(&self, range: Range<usize>) -> Result<()> {
        if !self.is_whole() {
            return self.pieces(range).try_for_each(|piece| piece.check());
        }
        self.map.check(range)
    }

    /// Copies the bytes from `start` on to `buffer`.
    #[inline]
    pub(crate) fn read(&self, start: usize, buffer: &mut [u8]) -> Result<()> {
        let range = from(start, buffer.len());
        if !self.is_whole() {
            return self.read_pieces(start, buffer);
        }
        let source = self.pointer(&range);
        // SAFETY: `pointer` checked that so many bytes lie there; they stay mapped as long as `self` lives, and a fault in
        // them is repaired. `buffer` is memory of its own: nobody has a `&mut` to mapped pages but through `lend`.
        unsafe { source.copy_to_nonoverlapping(buffer.as_mut_ptr(), buffer.len()) };
        self.map.check(range)
    }

    /// Appends the bytes of `range` to `bytes`, which has room for them.
    #[inline]
    pub(crate) fn read_into(&self, range: Range<usize>, bytes: &mut Vec<u8>) -> Result<()> {
        if !self.is_whole() {
            let old = bytes.len();
            bytes.resize(old + range.len(), 0);
            return self.read(range.start, &mut bytes[old..]);
        }
        let source = self.pointer(&range);
        let room = &mut bytes.spare_capacity_mut()[..range.len()];
        // SAFETY: as in `read`; `room` has `range.len()` bytes, or the line before panicked.
        unsafe { source.copy_to_nonoverlapping(room.as_mut_ptr().cast(), range.len()) };
        self.map.check(range.clone())?;
        // SAFETY: the capacity suffices, and so many bytes behind the old length have just been written.
        unsafe { bytes.set_len(bytes.len() + range.len()) };
        Ok(())
    }

    /// Copies `bytes` to the pages from `start` on. For pages that were mapped for writing.
    #[inline]
    pub(crate) fn write(&mut self, start: usize, bytes: &[u8]) -> Result<()> {
        let range = from(start, bytes.len());
        if !self.is_whole() {
            return self.write_pieces(start, bytes);
        }
        let target = self.pointer(&range);
        // SAFETY: as in `read`, the other way round; `&mut self` keeps others in this process from these pages.
        unsafe { target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        self.map.check(range)
    }

    /// Sets the bytes of `range`. For pages that were mapped for writing.
    pub(crate) fn fill(&mut self, range: Range<usize>, byte: u8) -> Result<()> {
        if !self.is_whole() {
            return self.pieces(range).try_for_each(|piece| piece.fill(byte));
        }
        let target = self.pointer(&range);
        // SAFETY: as in `write`.
        unsafe { target.write_bytes(byte, range.len()) };
        self.map.check(range)
    }

    /// Copies `source` to `destination`, which may overlap. For pages that were mapped for writing.
    pub(crate) fn copy_within(&mut self, source: Range<usize>, destination: usize) -> Result<()> {
        let range = destination..destination + source.len();
        let target = self.pointer(&range);
        let from = self.pointer(&source);
        // SAFETY: as in `write`, for both ranges, which may overlap.
        unsafe { target.copy_from(from, source.len()) };
        self.check(source)?;
        self.check(range)
    }

    /// The pages themselves.
    ///
    /// # Safety
    ///
    /// While the slice lives, nobody may change or cut off these bytes: no other process, no other mapping, and not this one.
    #[inline]
    pub(crate) unsafe fn lend(&self, range: Range<usize>) -> &[u8] {
        let start = self.pointer(&range);
        // SAFETY: so many bytes lie there, mapped as long as `self` lives; that nobody changes them is the caller's promise.
        unsafe { slice::from_raw_parts(start, range.len()) }
    }

    /// The pages themselves, to be written. For pages that were mapped for writing.
    ///
    /// # Safety
    ///
    /// As [`lend`](Self::lend), and nobody may read these bytes otherwise.
    pub(crate) unsafe fn lend_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        let start = self.pointer(&range);
        // SAFETY: as in `lend`.
        unsafe { slice::from_raw_parts_mut(start, range.len()) }
    }

    /// Where `needle` first stands within `range`.
    pub(crate) fn find(&self, needle: &[u8], range: Range<usize>) -> Result<Option<usize>> {
        let at = self.search(range.clone(), |bytes| memmem::find(bytes, needle));
        let seen = at.map_or(range.end, |at| at + needle.len());
        self.check(range.start..seen)?;
        Ok(at)
    }

    /// Where `needle` last stands within `range`.
    pub(crate) fn rfind(&self, needle: &[u8], range: Range<usize>) -> Result<Option<usize>> {
        let at = self.search(range.clone(), |bytes| memmem::rfind(bytes, needle));
        self.check(at.unwrap_or(range.start)..range.end)?;
        Ok(at)
    }

    /// Appends the bytes of `range` up to the first line feed, or all of them.
    #[inline]
    pub(crate) fn read_line(&self, range: Range<usize>, line: &mut Vec<u8>) -> Result<()> {
        let found = self.search(range.clone(), |bytes| memchr::memchr(b'\n', bytes));
        let range = range.start..found.map_or(range.end, |at| at + 1);
        line.try_reserve(range.len()).map_err(|_| Error::OutOfMemory)?;
        self.read_into(range, line)
    }

    #[inline]
    fn search(&self, range: Range<usize>, find: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
        // SAFETY: another process may change the bytes during the search, which `lend` forbids. A search by memchr takes each
        // byte for a value and none for an index or a length, so that a changed byte can spoil its answer and nothing else.
        let bytes = unsafe { self.lend(range.clone()) };
        find(bytes).map(|at| range.start + at)
    }

    /// Writes changes in `range` back.
    pub(crate) fn flush(&self, range: Range<usize>, flags: FlushFlags) -> Result<()> {
        self.map.flush(range.clone(), flags)?;
        self.check(range)
    }

    /// Takes advice for `range`.
    pub(crate) fn advise(&mut self, advice: Advice, range: Range<usize>) -> Result<()> {
        self.map.advise(advice, range)
    }

    /// Makes the mapping `len` bytes long, and its file end where the mapping ends.
    pub(crate) fn resize(&mut self, len: usize) -> Result<()> {
        self.map.resize(len)
    }

    /// Maps anew what was lost.
    pub(crate) fn restore(&mut self) -> Result<()> {
        self.map.restore()
    }
}
