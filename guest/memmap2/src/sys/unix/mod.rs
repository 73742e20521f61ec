//! Unix: `mmap(2)` and its relatives.

mod immutable;
mod page;

use std::io::{Error, Result};
use std::ptr;

use crate::MmapRawDescriptor;
#[cfg(target_os = "linux")]
use crate::RemapOptions;
use crate::request::{Access, AnonymousRequest, FileRequest, advised_len, check_range};

pub(crate) use immutable::{check_immutable, file_len};
use page::{covered, page_size};

// The variants with a 64-bit offset, where the C library has others as well.
#[cfg(not(any(
    target_os = "android",
    all(target_os = "linux", not(any(target_env = "musl", target_env = "ohos")))
)))]
use libc::{mmap, off_t};
#[cfg(any(target_os = "android", all(target_os = "linux", not(any(target_env = "musl", target_env = "ohos")))))]
use libc::{mmap64 as mmap, off64_t as off_t};

/// Flags that not every system has; 0 elsewhere.
mod flags {
    use libc::c_int;

    #[cfg(any(all(target_os = "linux", not(target_arch = "mips")), target_os = "freebsd", target_os = "android"))]
    pub(super) const STACK: c_int = libc::MAP_STACK;
    #[cfg(not(any(
        all(target_os = "linux", not(target_arch = "mips")),
        target_os = "freebsd",
        target_os = "android"
    )))]
    pub(super) const STACK: c_int = 0;

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) const POPULATE: c_int = libc::MAP_POPULATE;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) const POPULATE: c_int = 0;

    #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "netbsd",
        target_os = "solaris",
        target_os = "illumos",
    ))]
    pub(super) const NO_RESERVE: c_int = libc::MAP_NORESERVE;
    #[cfg(not(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "netbsd",
        target_os = "solaris",
        target_os = "illumos",
    )))]
    pub(super) const NO_RESERVE: c_int = 0;

    /// Returns the flags for huge pages, whose size may be given by its logarithm.
    pub(super) fn huge(bits: u8) -> c_int {
        #[cfg(target_os = "linux")]
        return libc::MAP_HUGETLB | (c_int::from(bits) & libc::MAP_HUGE_MASK) << libc::MAP_HUGE_SHIFT;
        // Android's headers have no way to choose a size.
        #[cfg(not(target_os = "linux"))]
        let _ = bits;
        #[cfg(target_os = "android")]
        return libc::MAP_HUGETLB;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        return 0;
    }
}

/// A mapping of the process. Dropping it unmaps it.
pub(crate) struct Mapped {
    /// The first byte that was asked for. Its page and all pages up to the last byte are mapped, and at least one.
    ptr: *mut u8,
    len: usize,
}

// SAFETY: the memory belongs to the process and not to a thread, and every system call on it may come from any thread.
unsafe impl Send for Mapped {}
// SAFETY: as above; `&Mapped` alone reads and writes no bytes.
unsafe impl Sync for Mapped {}

impl Mapped {
    pub(crate) fn file(file: &MmapRawDescriptor, access: Access, request: &FileRequest) -> Result<Self> {
        let (protection, sharing) = match access {
            Access::Read => (libc::PROT_READ, libc::MAP_SHARED),
            Access::Execute => (libc::PROT_READ | libc::PROT_EXEC, libc::MAP_SHARED),
            Access::Write => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED),
            Access::Copy => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE),
            Access::CopyReadOnly => (libc::PROT_READ, libc::MAP_PRIVATE),
        };
        let mut flags = sharing;
        if request.populate {
            flags |= flags::POPULATE;
        }
        if request.no_reserve_swap {
            flags |= flags::NO_RESERVE;
        }
        Self::map(request.len, protection, flags, file.0, request.offset)
    }

    pub(crate) fn anonymous(request: &AnonymousRequest) -> Result<Self> {
        let mut flags = libc::MAP_PRIVATE | libc::MAP_ANON;
        if request.stack {
            flags |= flags::STACK;
        }
        if request.populate {
            flags |= flags::POPULATE;
        }
        if request.no_reserve_swap {
            flags |= flags::NO_RESERVE;
        }
        if let Some(bits) = request.huge {
            flags |= flags::huge(bits);
        }
        Self::map(request.len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
    }

    /// Calls `mmap(2)` for the pages that cover a range.
    fn map(len: usize, protection: libc::c_int, flags: libc::c_int, fd: libc::c_int, offset: u64) -> Result<Self> {
        let within = offset % page_size() as u64;
        let first = off_t::try_from(offset - within).map_err(|_| Error::from_raw_os_error(libc::EOVERFLOW))?;
        let within = usize::try_from(within).expect("less than a page");
        // `mmap(2)` refuses an empty range, but an empty mapping must have the errors of any other.
        let whole = (within + len).max(1);
        // SAFETY: the system chooses the address, so that no memory in use is affected. If the call fails, it has no
        // effect.
        let start = unsafe { mmap(ptr::null_mut(), whole, protection, flags, fd, first) };
        if start == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        // SAFETY: `within` is less than a page, and the first page is mapped.
        Ok(Self { ptr: unsafe { start.cast::<u8>().add(within) }, len })
    }

    /// Returns the pages that cover a range: the address of the first one, and the length up to the end of the range,
    /// at least 1.
    fn pages(&self, offset: usize, len: usize) -> (*mut libc::c_void, usize) {
        let (back, len) = covered(self.ptr.addr() + offset, len);
        let start = self.ptr.wrapping_add(offset).wrapping_sub(back);
        (start.cast(), len)
    }

    pub(crate) fn flush(&self, offset: usize, len: usize) -> Result<()> {
        self.sync(offset, len, libc::MS_SYNC)
    }

    pub(crate) fn flush_async(&self, offset: usize, len: usize) -> Result<()> {
        self.sync(offset, len, libc::MS_ASYNC)
    }

    fn sync(&self, offset: usize, len: usize, flags: libc::c_int) -> Result<()> {
        check_range(offset, len, self.len)?;
        if len == 0 {
            return Ok(());
        }
        let (start, len) = self.pages(offset, len);
        // SAFETY: the pages are mapped, and the call changes no bytes, whether it succeeds or fails.
        check(unsafe { libc::msync(start, len, flags) })
    }

    pub(crate) fn make_read_only(&mut self) -> Result<()> {
        self.protect(libc::PROT_READ)
    }

    pub(crate) fn make_exec(&mut self) -> Result<()> {
        self.protect(libc::PROT_READ | libc::PROT_EXEC)
    }

    pub(crate) fn make_mut(&mut self) -> Result<()> {
        self.protect(libc::PROT_READ | libc::PROT_WRITE)
    }

    fn protect(&mut self, protection: libc::c_int) -> Result<()> {
        let (start, len) = self.pages(0, self.len);
        // SAFETY: the pages are this mapping's own, which is borrowed mutably, so that there is no reference to its
        // bytes. If the call fails, some pages may have the new protection; the mapping is dropped then.
        check(unsafe { libc::mprotect(start, len, protection) })
    }

    /// Gives advice, by its number, for the pages of a range.
    ///
    /// # Safety
    ///
    /// There is no reference to bytes that the advice may change.
    pub(crate) unsafe fn advise(&self, advice: i32, offset: usize, len: usize) -> Result<()> {
        let len = advised_len(offset, len, self.len)?;
        if len == 0 && self.len > 0 {
            return Ok(());
        }
        let (start, len) = self.pages(offset, len);
        // SAFETY: the pages are this mapping's own, as the range is within it. If the call fails, a part of them may
        // have the advice, for which the caller's promise holds as well.
        check(unsafe { libc::madvise(start.cast(), len, advice) })
    }

    pub(crate) fn lock(&self) -> Result<()> {
        let (start, len) = self.pages(0, self.len);
        // SAFETY: the call changes no bytes. If it fails, some pages may be locked until they are unmapped.
        check(unsafe { libc::mlock(start, len) })
    }

    pub(crate) fn unlock(&self) -> Result<()> {
        let (start, len) = self.pages(0, self.len);
        // SAFETY: the call changes no bytes, whether it succeeds or fails.
        check(unsafe { libc::munlock(start, len) })
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn remap(&mut self, new_len: usize, options: RemapOptions) -> Result<()> {
        let new_len = crate::request::slice_len(new_len as u64)?;
        let (start, old) = self.pages(0, self.len);
        let within = self.ptr.addr() - start.addr();
        // SAFETY: the old pages are this mapping's own, which is borrowed mutably. The new ones are where the system
        // has room. If the call fails, the mapping is as before.
        let start = unsafe { libc::mremap(start, old, (within + new_len).max(1), options.flags()) };
        if start == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        // SAFETY: `within` is less than a page, and the first page is mapped.
        self.ptr = unsafe { start.cast::<u8>().add(within) };
        self.len = new_len;
        Ok(())
    }

    #[inline]
    pub(crate) fn ptr(&self) -> *mut u8 {
        self.ptr
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        let (start, len) = self.pages(0, self.len);
        // SAFETY: the pages are this mapping's own, and nobody has a reference to them any more. The call can only fail
        // if the system cannot split a neighbour's area, which it need not: then the pages stay mapped, and are leaked.
        let _ = unsafe { libc::munmap(start, len) };
    }
}

/// Returns the error of a system call that returns 0 on success.
fn check(outcome: libc::c_int) -> Result<()> {
    if outcome == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}
