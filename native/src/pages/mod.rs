//! The memory of a mapping, and every access to it. The unsafe code of the crate is here, and in [`fault`](crate::fault) and
//! [`attach`](crate::attach).
//!
//! Another process may change the bytes at any time. So no reference to them leaves this module but through
//! [`Pages::lend`]; everything else checks the bounds, makes a pointer, copies, and asks the guard whether the
//! copy can be trusted.

mod advice;
mod moved;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::slice;

use memchr::memmem;
use memmap2::{MmapRaw, RemapOptions};
use rustix::io::Errno;
use rustix::mm::{MapFlags as OsMapFlags, MsyncFlags, ProtFlags};
use wasi_mmap_core::{Advice, Error, FlushFlags, MapFlags, MapOptions, Result};

use crate::attach::Attached;
use crate::fault::Guard;

/// Memory that the operating system mapped, guarded against faults. At least one byte.
#[derive(Debug)]
pub(crate) struct Pages {
    /// Dropped first: the memory must be mapped as long as it is guarded.
    guard: Guard,
    map: MmapRaw,
    /// Kept open for the guard, and to map the memory anew.
    file: Option<File>,
    offset: u64,
    /// How the file was mapped, to map it anew.
    private: bool,
    writable: bool,
    /// How much of the map is meant: huge pages are mapped whole.
    len: usize,
    /// The parts that lie elsewhere for the time being; mostly none.
    moved: Vec<Attached>,
}

/// The size of the huge pages that are asked for: 2 MiB, as a power of two.
const HUGE_PAGE_BITS: u8 = 21;

impl Pages {
    /// Maps `len` bytes of `file` from `offset`, a multiple of the page size.
    pub(crate) fn of_file(file: File, offset: u64, len: usize, options: &MapOptions) -> io::Result<Self> {
        let mut map = memmap2::MmapOptions::new();
        map.offset(offset).len(len);
        apply_flags(&mut map, options.get_flags());
        let (private, writable) = (options.is_private(), options.get_access().is_writable());
        let map = if !writable {
            map.map_raw_read_only(&file)?
        } else if private {
            // SAFETY: the mapping becomes a raw one at once, and no reference to its bytes is made here.
            unsafe { map.map_copy(&file)? }.into()
        } else {
            map.map_raw(&file)?
        };
        let guard = Guard::new(addresses(&map), Some(&file), offset)?;
        Ok(Self { guard, map, file: Some(file), offset, private, writable, len, moved: Vec::new() })
    }

    /// Maps `len` bytes of private memory that starts as zeros.
    pub(crate) fn of_memory(len: usize, flags: MapFlags) -> io::Result<Self> {
        let mut map = memmap2::MmapOptions::new();
        apply_flags(&mut map, flags);
        let (mut whole, mut page) = (len, rustix::param::page_size());
        if flags.contains(MapFlags::HUGE_PAGES) {
            map.huge(Some(HUGE_PAGE_BITS));
            page = 1 << HUGE_PAGE_BITS;
            whole = len.checked_next_multiple_of(page).ok_or(io::ErrorKind::OutOfMemory)?;
        }
        let map = map.len(whole).map_anon()?.into();
        // Huge pages may be missing when they are touched, and are replaced whole then. Others are always there.
        let guard = Guard::with_pages(addresses(&map), None, 0, page)?;
        Ok(Self { guard, map, file: None, offset: 0, private: true, writable: true, len, moved: Vec::new() })
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether writes stay in this mapping.
    pub(crate) fn is_private(&self) -> bool {
        self.private
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.writable
    }

    pub(crate) fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }

    /// A pointer to the start of `range`.
    ///
    /// # Panics
    ///
    /// If the range is not within the pages: the caller is to have checked that.
    #[inline]
    fn pointer(&self, range: &Range<usize>) -> *mut u8 {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {} bytes", self.len);
        // SAFETY: `range.start` is at most `self.len`, which is at most what the map has, just checked.
        unsafe { self.map.as_mut_ptr().add(range.start) }
    }

    /// Whether all pages are where they belong, so that a pointer to one leads to the others.
    pub(crate) fn is_whole(&self) -> bool {
        self.moved.is_empty()
    }

    /// An error if a part of `range` was lost. To be called after the access that it speaks of.
    #[inline]
    pub(crate) fn check(&self, range: Range<usize>) -> Result<()> {
        if !self.is_whole() {
            return self.pieces(range).try_for_each(|piece| piece.check());
        }
        self.check_home(range)
    }

    /// The same, for pages that are where they belong.
    #[inline]
    fn check_home(&self, range: Range<usize>) -> Result<()> {
        let base = self.map.as_ptr() as usize;
        match self.guard.lost(base + range.start..base + range.end) {
            None => Ok(()),
            Some(fault) => Err(fault.into()),
        }
    }

    /// Copies the bytes from `start` on to `buffer`.
    #[inline]
    pub(crate) fn read(&self, start: usize, buffer: &mut [u8]) -> Result<()> {
        let range = start..start + buffer.len();
        if !self.is_whole() {
            return self.pieces(range).try_for_each(|piece| piece.read(&mut buffer[piece.range_from(start)]));
        }
        let source = self.pointer(&range);
        // SAFETY: `pointer` checked that so many bytes lie there; they stay mapped as long as `self` lives, and a fault in
        // them is repaired. `buffer` is memory of its own: nobody has a `&mut` to mapped pages but through `lend`.
        unsafe { source.copy_to_nonoverlapping(buffer.as_mut_ptr(), buffer.len()) };
        self.check(range)
    }

    /// Appends the bytes of `range` to `bytes`, which has room for them.
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
        self.check(range.clone())?;
        // SAFETY: the capacity suffices, and so many bytes behind the old length have just been written.
        unsafe { bytes.set_len(bytes.len() + range.len()) };
        Ok(())
    }

    /// Copies `bytes` to the pages from `start` on. For pages that were mapped for writing.
    #[inline]
    pub(crate) fn write(&mut self, start: usize, bytes: &[u8]) -> Result<()> {
        let range = start..start + bytes.len();
        if !self.is_whole() {
            return self.pieces(range).try_for_each(|piece| piece.write(&bytes[piece.range_from(start)]));
        }
        let target = self.pointer(&range);
        // SAFETY: as in `read`, the other way round; `&mut self` keeps others in this process from these pages.
        unsafe { target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        self.check(range)
    }

    /// Sets the bytes of `range`. For pages that were mapped for writing.
    pub(crate) fn fill(&mut self, range: Range<usize>, byte: u8) -> Result<()> {
        if !self.is_whole() {
            return self.pieces(range).try_for_each(|piece| piece.fill(byte));
        }
        let target = self.pointer(&range);
        // SAFETY: as in `write`.
        unsafe { target.write_bytes(byte, range.len()) };
        self.check(range)
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

    fn search(&self, range: Range<usize>, find: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
        // SAFETY: another process may change the bytes during the search, which `lend` forbids. A search by memchr takes each
        // byte for a value and none for an index or a length, so that a changed byte can spoil its answer and nothing else.
        let bytes = unsafe { self.lend(range.clone()) };
        find(bytes).map(|at| range.start + at)
    }

    /// Writes changes in `range` back. POSIX `msync(2)`.
    pub(crate) fn flush(&self, range: Range<usize>, flags: FlushFlags) -> Result<()> {
        let mut os = MsyncFlags::empty();
        os.set(MsyncFlags::ASYNC, flags.contains(FlushFlags::ASYNC));
        os.set(MsyncFlags::SYNC, flags.contains(FlushFlags::SYNC));
        os.set(MsyncFlags::INVALIDATE, flags.contains(FlushFlags::INVALIDATE));
        let start = self.pointer(&range);
        // SAFETY: the range is mapped; `msync` changes no byte that this process sees.
        unsafe { rustix::mm::msync(start.cast(), range.len(), os) }.map_err(io::Error::from)?;
        self.check(range)
    }

    /// Takes advice for `range`; for a private mapping, advice on read-ahead is taken for all of it. POSIX `posix_madvise(3)`, Linux `madvise(2)`.
    pub(crate) fn advise(&mut self, advice: Advice, range: Range<usize>) -> Result<()> {
        let Some(os) = advice::of_system(advice) else {
            return Err(Error::Unsupported(format!("the advice {advice:?} on this system").into()));
        };
        // Read-ahead is set for an area of memory, and makes several of one. Private areas that were written do not become
        // one again, and could not be resized.
        let is_read_ahead = matches!(advice, Advice::Normal | Advice::Random | Advice::Sequential);
        let range = if self.private && is_read_ahead { 0..self.len } else { range };
        let start = self.pointer(&range);
        // SAFETY: the range is mapped. Some advice changes bytes (DONTNEED, REMOVE); `&mut self` keeps other users in this
        // process away, and bytes that change under others are what every user of a mapping must expect.
        unsafe { rustix::mm::madvise(start.cast(), range.len(), os) }.map_err(io::Error::from)?;
        Ok(())
    }

    /// Makes the mapping, not the file, `len` bytes long. Linux `mremap(2)`.
    pub(crate) fn remap(&mut self, len: usize) -> Result<()> {
        self.check(0..self.len)?;
        self.guard.suspend();
        let moved = self.try_remap_as_one(len);
        self.guard.resume(addresses(&self.map));
        moved?;
        self.len = len;
        Ok(())
    }

    fn try_remap_as_one(&mut self, len: usize) -> Result<()> {
        if let Err(error) = self.try_remap(len) {
            // Advice for a part has made several areas of one, of which `mremap` takes one at a time.
            if Errno::from_io_error(&error) != Some(Errno::FAULT) {
                return Err(error.into());
            }
            self.unadvise();
            self.try_remap(len).map_err(|error| match Errno::from_io_error(&error) {
                Some(Errno::FAULT) => {
                    Error::Unsupported("resizing a private mapping after advice for a part of it".into())
                }
                _ => error.into(),
            })?;
        }
        Ok(())
    }

    fn try_remap(&mut self, len: usize) -> io::Result<()> {
        // SAFETY: the memory may move. `&mut self` means that no slice of it is lent, and pointers into it are made anew for
        // every access. Bytes past the end of the file fault, and the guard repairs that.
        unsafe { self.map.remap(len, RemapOptions::new().may_move(true)) }
    }

    /// Takes back all advice that lasts, so that the mapping is one area again.
    fn unadvise(&mut self) {
        for advice in [Advice::Normal, Advice::DoFork, Advice::DoDump, Advice::Unmergeable, Advice::NoHugePage] {
            // What this kernel does not know was not taken before either.
            let _ = self.advise(advice, 0..self.len);
        }
    }

    /// Maps anew what was lost.
    pub(crate) fn restore(&mut self) -> Result<()> {
        let lost = self.guard.lost_range();
        let Some(file) = self.file.as_ref().filter(|_| !lost.is_empty()) else {
            return Ok(());
        };
        let base = self.map.as_ptr() as usize;
        // The lost range ends with a page; the mapping may end before.
        let lost = lost.start - base..(lost.end - base).min(self.len);
        if file.metadata()?.len() < self.offset + lost.end as u64 {
            return Err(Error::Truncated);
        }
        let sharing = if self.private { OsMapFlags::PRIVATE } else { OsMapFlags::SHARED };
        let protection = if self.writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        let (start, offset) = (self.pointer(&lost), self.offset + lost.start as u64);
        // SAFETY: the range starts with a page of this mapping, in whose place the fault handler had put zeros; `&mut self`
        // means that nobody in this process uses it. It is mapped as it was when the mapping was made.
        unsafe { rustix::mm::mmap(start.cast(), lost.len(), protection, sharing | OsMapFlags::FIXED, file, offset) }
            .map_err(io::Error::from)?;
        self.guard.forget();
        Ok(())
    }
}

/// Where the map lies in memory.
fn addresses(map: &MmapRaw) -> Range<usize> {
    let start = map.as_ptr() as usize;
    start..start + map.len()
}

fn apply_flags(map: &mut memmap2::MmapOptions, flags: MapFlags) {
    if flags.contains(MapFlags::POPULATE) {
        map.populate();
    }
    if flags.contains(MapFlags::NO_RESERVE) {
        map.no_reserve_swap();
    }
    if flags.contains(MapFlags::STACK) {
        map.stack();
    }
}
