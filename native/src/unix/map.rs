//! Memory that Unix mapped, guarded against faults: `mmap(2)`.

#[cfg_attr(not(target_os = "linux"), path = "map/no_resize.rs")]
mod resize;

use std::fs::File;
use std::io;
use std::ops::Range;

use memmap2::MmapRaw;
use rustix::io::Errno;
use rustix::mm::MsyncFlags;
use wasi_mmap_core::{Advice, Error, FlushFlags, MapFlags, MapOptions, Result};

use super::advice;
use super::fault::{Fault, Guard};
use super::memory::Memory;
use super::replace::{self, Sharing};

/// Memory that the operating system mapped, guarded against faults. At least one byte.
#[derive(Debug)]
pub(crate) struct Map {
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
    /// Whether it may lie in several areas of memory: parts of it were given advice, or were replaced.
    has_areas: bool,
    /// The size of the map's pages.
    page: usize,
}

/// The size of the huge pages that are asked for: 2 MiB, as a power of two.
const HUGE_PAGE_BITS: u8 = 21;

impl Map {
    /// Maps `len` bytes of `file` from `offset`, a multiple of the page size.
    pub(crate) fn of_file(file: File, offset: u64, len: usize, options: &MapOptions) -> Result<Self> {
        Self::try_file(file, offset, len, options).map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::NODEV) => Error::Unsupported("mapping files of this file system".into()),
            _ => error.into(),
        })
    }

    /// Maps the first `len` bytes of memory that mappings share.
    pub(crate) fn of_memory(memory: &Memory, len: usize, options: &MapOptions) -> Result<Self> {
        Self::of_file(memory.file()?, 0, len, options)
    }

    /// Maps `len` bytes of memory without a name, which starts as zeros.
    ///
    /// Shared memory is a file that nobody sees, where the system has such files, so that it can grow. Private memory serves
    /// as well elsewhere: without a name, only a forked child could tell the two apart.
    pub(crate) fn anonymous(len: usize, options: &MapOptions) -> Result<Self> {
        let flags = options.flags;
        if cfg!(target_os = "linux") && !options.is_private() && !flags.contains(MapFlags::HUGE_PAGES) {
            return Self::of_memory(&Memory::new(len as u64)?, len, options);
        }
        Ok(Self::private_memory(len, flags)?)
    }

    fn try_file(file: File, offset: u64, len: usize, options: &MapOptions) -> io::Result<Self> {
        let mut map = memmap2::MmapOptions::new();
        map.offset(offset).len(len);
        apply_flags(&mut map, options.flags);
        let (private, writable) = (options.is_private(), options.access.is_writable());
        let map = if !writable {
            map.map_raw_read_only(&file)?
        } else if private {
            // SAFETY: the mapping becomes a raw one at once, and no reference to its bytes is made here.
            unsafe { map.map_copy(&file)? }.into()
        } else {
            map.map_raw(&file)?
        };
        let guard = Guard::new(addresses(&map), &file, offset, private)?;
        let page = page_len();
        Ok(Self { guard, map, file: Some(file), offset, private, writable, len, has_areas: false, page })
    }

    fn private_memory(len: usize, flags: MapFlags) -> io::Result<Self> {
        let mut map = memmap2::MmapOptions::new();
        apply_flags(&mut map, flags);
        let (mut whole, mut page) = (len, page_len());
        if flags.contains(MapFlags::HUGE_PAGES) {
            map.huge(Some(HUGE_PAGE_BITS));
            page = 1 << HUGE_PAGE_BITS;
            whole = len.checked_next_multiple_of(page).ok_or(io::ErrorKind::OutOfMemory)?;
        }
        let map = map.len(whole).map_anon()?.into();
        // Huge pages may be missing when they are touched, and are replaced whole then. Others are always there.
        let guard = Guard::without_file(addresses(&map), page)?;
        let (private, writable) = (true, true);
        Ok(Self { guard, map, file: None, offset: 0, private, writable, len, has_areas: false, page })
    }

    #[inline]
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
    /// If the range is not within the map: the caller is to have checked that.
    #[inline]
    pub(crate) fn pointer(&self, range: &Range<usize>) -> *mut u8 {
        assert!(range.start <= range.end && range.end <= self.len, "a range outside the map");
        // SAFETY: `range.start` is at most `self.len`, which is at most what the map has, just checked.
        unsafe { self.map.as_mut_ptr().add(range.start) }
    }

    /// An error if a part of `range` was lost. To be called after the access that it speaks of.
    #[inline]
    pub(crate) fn check(&self, range: Range<usize>) -> Result<()> {
        let base = self.map.as_ptr() as usize;
        self.guard.check(base + range.start..base + range.end)
    }

    /// Returns why pages of the map cannot be moved to other memory, if they cannot.
    pub(crate) fn why_not_movable(&self) -> Option<&'static str> {
        if self.page != page_len() {
            Some("they are huge pages")
        } else if self.has_areas {
            Some("they may lie in several areas of memory, after advice for a part, or a repair")
        } else {
            None
        }
    }

    /// Notes that the map may lie in several areas from now on.
    pub(crate) fn note_areas(&mut self) {
        self.has_areas = true;
    }

    /// Notes that a part of the map was lost elsewhere, and did not come back.
    pub(crate) fn note_lost(&self, range: Range<usize>, fault: Fault) {
        let base = self.map.as_ptr() as usize;
        self.guard.lose(base + range.start..base + range.end, fault);
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
        // There, `msync` leaves the bytes in the device's own cache.
        #[cfg(target_vendor = "apple")]
        if let Some(file) = self.file.as_ref().filter(|_| flags.contains(FlushFlags::SYNC) && !self.private) {
            full_sync(file)?;
        }
        Ok(())
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
        self.has_areas |= advice.lasts() && range != (0..self.len);
        let start = self.pointer(&range);
        // SAFETY: the range is mapped. Some advice changes bytes (DONTNEED, REMOVE); `&mut self` keeps other users in this
        // process away, and bytes that change under others are what every user of a mapping must expect.
        unsafe { rustix::mm::madvise(start.cast(), range.len(), os) }.map_err(io::Error::from)?;
        Ok(())
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
        let sharing = if self.private { Sharing::Private } else { Sharing::Shared };
        let (start, offset) = (self.pointer(&lost).expose_provenance(), self.offset + lost.start as u64);
        let memory = start..start + lost.len().next_multiple_of(page_len());
        self.has_areas = true;
        // SAFETY: whole pages of this mapping, and `&mut self` means that nobody in this process uses them. What they hold is lost
        // already. On failure, they are as they were.
        unsafe { replace::put_zeros(&memory) }?;
        // SAFETY: as above; they are zeros now. On failure, they still are, and stay lost. The part was mapped in this way before.
        unsafe { replace::put_file(&memory, file, offset, sharing, self.writable) }?;
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

/// Writes the device's cache to the device as well. Apple `fcntl(2)` with `F_FULLFSYNC`; file systems without it have `fsync(2)`.
#[cfg(target_vendor = "apple")]
fn full_sync(file: &File) -> io::Result<()> {
    match rustix::fs::fcntl_fullfsync(file) {
        Err(Errno::NOTSUP | Errno::NOTTY | Errno::INVAL) => Ok(rustix::fs::fsync(file)?),
        outcome => Ok(outcome?),
    }
}

/// The size of a page of memory, in bytes, as an index. POSIX `sysconf(3)`.
///
/// `rustix` finds it without the C library, in a way that ends a program which Valgrind runs.
pub(super) fn page_len() -> usize {
    // SAFETY: `sysconf` answers a number.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).expect("every system has pages")
}
