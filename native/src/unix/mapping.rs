//! Mappings of the operating system, guarded against faults: `mmap(2)`.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use memmap2::MmapRaw;
use rustix::io::Errno;
use rustix::mm::MsyncFlags;
use wasi_mmap_core::{Advice, BeyondEnd, Error, FlushFlags, MapFlags, MapOptions, Result};

use super::advice::os_advice;
use super::fault::{Fault, FaultGuard};
use super::file::page_len_of;
use super::memory::SharedMemory;
use super::page::page_len;
use super::replace::{self, Sharing};

/// A mapping of the operating system, guarded against faults. At least one byte long.
#[derive(Debug)]
pub(crate) struct OsMapping {
    /// Dropped first: the memory must stay mapped as long as it is guarded.
    pub(super) guard: FaultGuard,
    pub(super) map: MmapRaw,
    /// Kept open for the guard, and to map lost pages anew.
    pub(super) file: Option<Arc<File>>,
    pub(super) file_offset: u64,
    pub(super) private: bool,
    pub(super) writable: bool,
    /// The length of the mapping. `map` may be longer: huge pages are mapped whole.
    pub(super) len: usize,
    /// Whether the memory may consist of several areas, because parts of it were advised or replaced.
    is_split: AtomicBool,
    /// The size of the mapping's pages.
    pub(super) page: usize,
    /// The rules of a mapping that may reach past the end of its file.
    pub(super) beyond_end: Option<BeyondEnd>,
}

/// The size of huge pages: 2 MiB, as a power of two.
const HUGE_PAGE_BITS: u8 = 21;

impl OsMapping {
    /// Maps `len` bytes of `file` from `file_offset`, a multiple of the page size.
    pub(crate) fn of_file(file: File, file_offset: u64, len: usize, options: &MapOptions) -> Result<Self> {
        Self::try_file(file, file_offset, len, options).map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::NODEV) => Error::Unsupported("mapping files of this file system".into()),
            _ => error.into(),
        })
    }

    /// Maps the first `len` bytes of shared memory.
    pub(crate) fn of_memory(memory: &SharedMemory, len: usize, options: &MapOptions) -> Result<Self> {
        Self::of_file(memory.file()?, 0, len, options)
    }

    /// Maps `len` bytes of zeros, without a name.
    ///
    /// On Linux, shared memory is an unnamed file, so that it can grow. Elsewhere private memory serves as well:
    /// without a name, only a forked child could tell the two apart.
    pub(crate) fn anonymous(len: usize, options: &MapOptions) -> Result<Self> {
        let flags = options.flags;
        if cfg!(target_os = "linux") && !options.is_private() && !flags.contains(MapFlags::HUGE_PAGES) {
            return Self::of_memory(&SharedMemory::new(len as u64)?, len, options);
        }
        Ok(Self::private_memory(len, flags)?)
    }

    fn try_file(file: File, file_offset: u64, len: usize, options: &MapOptions) -> io::Result<Self> {
        let mut map = memmap2::MmapOptions::new();
        // The kernel maps whole huge pages, whatever the length, and unmaps nothing else.
        let page = page_len_of(&file);
        let beyond_end = if options.flags.contains(MapFlags::BEYOND_END) {
            Some(BeyondEnd::new(file_offset, file.metadata()?.len(), page as u64))
        } else {
            None
        };
        // The kernel would make such a file longer.
        if beyond_end.is_some_and(|rules| rules.had() < len as u64) && page != page_len() {
            let reason = "a mapping that reaches past the end of a file of huge pages";
            return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
        }
        let whole = if page == page_len() { Some(len) } else { len.checked_next_multiple_of(page) };
        map.offset(file_offset).len(whole.ok_or(io::ErrorKind::OutOfMemory)?);
        apply_flags(&mut map, options.flags);
        let (private, writable) = (options.is_private(), options.access.is_writable());
        let map = if !writable {
            map.map_raw_read_only(&file)?
        } else if private {
            // SAFETY: the mapping is turned into a raw one at once, and no reference to its bytes is made here. On
            // failure there is none.
            unsafe { map.map_copy(&file)? }.into()
        } else {
            map.map_raw(&file)?
        };
        let memory = addresses(&map);
        let guard = match &beyond_end {
            Some(rules) => FaultGuard::beyond_end(memory, &file, file_offset, page, private, rules.had()),
            None => FaultGuard::new(memory, &file, file_offset, page, private),
        }?;
        let (file, is_split) = (Some(Arc::new(file)), AtomicBool::new(false));
        Ok(Self { guard, map, file, file_offset, private, writable, len, is_split, page, beyond_end })
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
        // Huge pages may be missing when they are touched, and are then replaced whole. Others are always available.
        let guard = FaultGuard::without_file(addresses(&map), page)?;
        let (private, writable, is_split) = (true, true, AtomicBool::new(false));
        Ok(Self { guard, map, file: None, file_offset: 0, private, writable, len, is_split, page, beyond_end: None })
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns whether writes stay in this mapping.
    pub(crate) fn is_private(&self) -> bool {
        self.private
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.writable
    }

    pub(crate) fn file(&self) -> Option<&File> {
        self.file.as_deref()
    }

    /// Returns a pointer to the start of `range`.
    ///
    /// # Panics
    ///
    /// If the range is not within the mapping, which the caller must have checked.
    #[inline]
    pub(crate) fn pointer(&self, range: &Range<usize>) -> *mut u8 {
        assert!(range.start <= range.end && range.end <= self.len, "a range outside of the mapping");
        // SAFETY: `range.start` is at most `self.len`, as just checked, and `map` has at least so many bytes.
        unsafe { self.map.as_mut_ptr().add(range.start) }
    }

    /// Ends the process at the next fault in the mapping, whose bytes were promised not to change.
    pub(crate) fn set_stable(&self) {
        self.guard.set_stable();
    }

    /// Returns an error if a part of `range` was lost. Must be called after the access that it is to vouch for.
    #[inline]
    pub(crate) fn check(&self, range: Range<usize>) -> Result<()> {
        let base = self.map.as_ptr() as usize;
        self.guard.check(base + range.start..base + range.end)
    }

    /// Returns whether the mapping has larger pages than memory usually has.
    pub(crate) fn has_huge_pages(&self) -> bool {
        self.page > page_len()
    }

    /// Returns the reason why pages of the mapping cannot be moved to other memory, if there is one.
    pub(crate) fn immovable_reason(&self) -> Option<&'static str> {
        if self.has_huge_pages() {
            Some("they are huge pages")
        } else if self.is_split.load(Relaxed) {
            Some("advice for a part, or a repair, may have split the mapping into several areas of memory")
        } else {
            None
        }
    }

    /// Records that the memory may consist of several areas from now on.
    pub(crate) fn mark_split(&self) {
        self.is_split.store(true, Relaxed);
    }

    /// Records that a part of the mapping was lost in a window, and did not come back.
    pub(crate) fn mark_lost(&self, range: Range<usize>, fault: Fault) {
        let base = self.map.as_ptr() as usize;
        self.guard.lose(base + range.start..base + range.end, fault);
    }

    /// Writes changes in `range` to the file. POSIX `msync(2)`.
    pub(crate) fn flush(&self, range: Range<usize>, flags: FlushFlags) -> Result<()> {
        let mut os = MsyncFlags::empty();
        os.set(MsyncFlags::ASYNC, flags.contains(FlushFlags::ASYNC));
        os.set(MsyncFlags::SYNC, flags.contains(FlushFlags::SYNC));
        os.set(MsyncFlags::INVALIDATE, flags.contains(FlushFlags::INVALIDATE));
        let start = self.pointer(&range);
        // SAFETY: the range is mapped, as `pointer` checked. `msync` changes no byte that this process sees, and unmaps
        // nothing.
        unsafe { rustix::mm::msync(start.cast(), range.len(), os) }.map_err(io::Error::from)?;
        // On Apple systems, `msync` leaves the bytes in the device's own cache.
        #[cfg(target_vendor = "apple")]
        if let Some(file) = self.file().filter(|_| flags.contains(FlushFlags::SYNC) && !self.private) {
            full_sync(file)?;
        }
        Ok(())
    }

    /// Advises the system on the use of `range`; for a private mapping, advice on read-ahead applies to all of it.
    /// POSIX `posix_madvise(3)`, Linux `madvise(2)`.
    pub(crate) fn advise(&mut self, advice: Advice, range: Range<usize>) -> Result<()> {
        self.put_back(true)?;
        let Some(os) = os_advice(advice) else {
            return Err(Error::Unsupported(format!("the advice {advice:?} on this system").into()));
        };
        // Read-ahead is a property of an area of memory, so setting it for a part splits the area. Private areas that
        // were written do not merge again, and could not be resized.
        let is_read_ahead = matches!(advice, Advice::Normal | Advice::Random | Advice::Sequential);
        let range = if self.private && is_read_ahead { 0..self.len } else { range };
        if advice.lasts() && range != (0..self.len) {
            self.mark_split();
        }
        let start = self.pointer(&range);
        // SAFETY: the range is mapped, as `pointer` checked, and stays mapped. Some advice changes bytes (DONTNEED,
        // REMOVE): `&mut self` keeps other users in this process away, and every user of a shared mapping must expect
        // its bytes to change.
        unsafe { rustix::mm::madvise(start.cast(), range.len(), os) }.map_err(io::Error::from)?;
        Ok(())
    }

    /// Maps lost pages anew.
    pub(crate) fn restore(&mut self) -> Result<()> {
        self.put_back(true)?;
        let lost = self.guard.lost_range();
        let Some(file) = self.file.clone() else { return Ok(()) };
        let file_len = file.metadata()?.len();
        if let Some(rules) = &mut self.beyond_end {
            *rules = BeyondEnd::new(self.file_offset, file_len, self.page as u64);
            self.guard.set_had(rules.had());
        }
        if lost.is_empty() {
            return Ok(());
        }
        let base = self.map.as_ptr() as usize;
        // The lost range ends at the end of a page; the mapping may end before.
        let lost = lost.start - base..(lost.end - base).min(self.len);
        if self.beyond_end.is_none() && file_len < self.file_offset + lost.end as u64 {
            return Err(Error::Truncated);
        }
        let sharing = if self.private { Sharing::Private } else { Sharing::Shared };
        let (start, file_offset) = (self.pointer(&lost).expose_provenance(), self.file_offset + lost.start as u64);
        let memory = start..start + lost.len().next_multiple_of(self.page);
        self.mark_split();
        // SAFETY: whole pages of this mapping, and `&mut self` means that nobody in this process uses them. Their
        // contents are lost already. On failure, they are as they were.
        unsafe { replace::put_zeros(&memory) }?;
        // SAFETY: as above; they are zeros now. On failure, they still are, and stay recorded as lost. The part was
        // mapped in this way before.
        unsafe { replace::put_file(&memory, &file, file_offset, sharing, self.writable) }?;
        self.guard.forget();
        Ok(())
    }
}

/// Returns the addresses that a map lies at.
pub(super) fn addresses(map: &MmapRaw) -> Range<usize> {
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

/// Flushes the device's cache as well. Apple `fcntl(2)` with `F_FULLFSYNC`, or `fsync(2)` on file systems without it.
#[cfg(target_vendor = "apple")]
fn full_sync(file: &File) -> io::Result<()> {
    match rustix::fs::fcntl_fullfsync(file) {
        Err(Errno::NOTSUP | Errno::NOTTY | Errno::INVAL) => Ok(rustix::fs::fsync(file)?),
        outcome => Ok(outcome?),
    }
}
