//! The system calls themselves. [`failures`] can make each of them fail. All are async-signal-safe.

use std::io;
use std::ops::Range;
use std::os::fd::RawFd;
use std::ptr;

use libc::{c_int, c_void};

use super::failures::{self, Call, Order};

/// The way that pages of a file are mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Writes reach the file.
    Shared,
    /// Writes stay in the pages.
    Private,
    /// As [`Private`](Self::Private), without memory reserved for writes. Such pages do not merge with others to one
    /// area.
    PrivateUnreserved,
}

/// A part of a file, and the way that it is mapped.
#[derive(Debug, Clone, Copy)]
pub(super) struct FilePart {
    pub(super) file: RawFd,
    /// In bytes, a multiple of the page size.
    pub(super) file_offset: u64,
    pub(super) sharing: Sharing,
    pub(super) can_write: bool,
}

/// The flag that keeps the system from reserving memory for pages that may never be touched. FreeBSD has none.
#[cfg(not(target_os = "freebsd"))]
const NO_RESERVE: c_int = libc::MAP_NORESERVE;
#[cfg(target_os = "freebsd")]
const NO_RESERVE: c_int = 0;

/// The flag that keeps `mmap` from replacing anything: Linux since 4.17. Older kernels and other systems take the
/// address as a hint.
#[cfg(target_os = "linux")]
const NO_REPLACE: c_int = libc::MAP_FIXED_NOREPLACE;
#[cfg(not(target_os = "linux"))]
const NO_REPLACE: c_int = 0;

const READ_WRITE: c_int = libc::PROT_READ | libc::PROT_WRITE;

/// Returns the address of the pages, or the error in `errno`.
fn mapped(start: *mut c_void) -> io::Result<*mut c_void> {
    if start == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(start) }
}

/// Returns the error in `errno` if a call failed.
fn done(status: c_int) -> io::Result<()> {
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes a call that replaces memory, unless it is ordered to fail.
///
/// # Safety
///
/// The target is whole pages that belong to the caller.
unsafe fn replacing(call: Call, target: &Range<usize>, make: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    match failures::order(call) {
        Order::Make => make(),
        Order::Fail(error) => Err(io::Error::from_raw_os_error(error)),
        Order::TakeAndFail(error) => {
            // SAFETY: the caller owns the target, and must cope with its loss after a failure.
            unsafe { libc::munmap(pointer(target), length(target)) };
            failures::taken(target);
            Err(io::Error::from_raw_os_error(error))
        }
    }
}

/// Makes a call that replaces nothing, unless it is ordered to fail.
fn plain<T>(call: Call, make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    match failures::order(call) {
        Order::Make => make(),
        Order::Fail(error) | Order::TakeAndFail(error) => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Returns the start of a range as the system takes it: a mere number.
fn pointer(range: &Range<usize>) -> *mut c_void {
    ptr::without_provenance_mut(range.start)
}

fn length(range: &Range<usize>) -> usize {
    range.end - range.start
}

/// Maps a part of a file. POSIX `mmap(2)`.
///
/// # Safety
///
/// With `MAP_FIXED` among the flags, the target is whole pages that belong to the caller.
unsafe fn map(start: *mut c_void, len: usize, part: &FilePart, flags: c_int) -> io::Result<*mut c_void> {
    let offset = libc::off_t::try_from(part.file_offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    let protection = libc::PROT_READ | if part.can_write { libc::PROT_WRITE } else { 0 };
    let sharing = match part.sharing {
        Sharing::Shared => libc::MAP_SHARED,
        Sharing::Private => libc::MAP_PRIVATE,
        Sharing::PrivateUnreserved => libc::MAP_PRIVATE | NO_RESERVE,
    };
    // SAFETY: without `MAP_FIXED` the system chooses a free place; with it, the caller promises that the target may be
    // replaced.
    mapped(unsafe { libc::mmap(start, len, protection, sharing | flags, part.file, offset) })
}

/// Maps a part of a file where nothing else is. POSIX `mmap(2)`. Returns the address.
#[cfg(target_os = "linux")]
pub(super) fn map_file(len: usize, part: &FilePart) -> io::Result<usize> {
    plain(Call::MapFile, || {
        // SAFETY: the call replaces nothing; on failure nothing was mapped.
        let start = unsafe { map(ptr::null_mut(), len, part, 0) }?;
        Ok(start.expose_provenance())
    })
}

/// Maps a part of a file where nothing is mapped. Linux `mmap(2)` with `MAP_FIXED_NOREPLACE`.
///
/// Tests cannot make it fail: it repairs what they made fail.
#[cfg(target_os = "linux")]
pub(super) fn map_file_in_gap(gap: &Range<usize>, part: &FilePart) -> io::Result<()> {
    // SAFETY: the call replaces nothing: with `NO_REPLACE`, or with the address as a hint, the system only maps free
    // addresses. On failure it has mapped nothing.
    let start = unsafe { map(pointer(gap), length(gap), part, NO_REPLACE) }?;
    keep_in_gap(start, gap)
}

/// Checks that memory was mapped where a gap was. If not, it is unmapped again: the system took the address as a hint,
/// and the place was not free.
fn keep_in_gap(start: *mut c_void, gap: &Range<usize>) -> io::Result<()> {
    if start.addr() == gap.start {
        return Ok(());
    }
    // SAFETY: the memory was mapped just now, and nobody else knows of it. On failure it stays, and nobody uses it.
    unsafe { libc::munmap(start, length(gap)) };
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Maps a part of a file over a target. POSIX `mmap(2)` with `MAP_FIXED`.
///
/// # Safety
///
/// The target is whole pages that belong to the caller. On failure, it may be unmapped.
pub(super) unsafe fn map_file_over(target: &Range<usize>, part: &FilePart) -> io::Result<()> {
    // SAFETY: the caller's promise.
    let make = || unsafe { map(pointer(target), length(target), part, libc::MAP_FIXED) }.map(|_| ());
    // SAFETY: the caller's promise.
    unsafe { replacing(Call::MapFile, target, make) }
}

/// Reserves address space where nothing else is: pages that cannot be accessed. Returns the address.
pub(super) fn reserve(len: usize) -> io::Result<usize> {
    plain(Call::Reserve, || {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON | NO_RESERVE;
        // SAFETY: the system chooses a free place; on failure it has mapped nothing.
        let start = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0) };
        Ok(mapped(start)?.expose_provenance())
    })
}

/// Makes pages readable and writable. POSIX `mprotect(2)`.
///
/// # Safety
///
/// The pages lie in one area that belongs to the caller. On failure nothing has changed: the kernel splits the area
/// first, which is all that can fail, and there is no second area that it could fail at after the first has changed.
pub(super) unsafe fn make_accessible(pages: &Range<usize>) -> io::Result<()> {
    plain(Call::Protect, || {
        // SAFETY: the caller's promise.
        let status = unsafe { libc::mprotect(pointer(pages), length(pages), READ_WRITE) };
        done(status)
    })
}

/// Unmaps memory. POSIX `munmap(2)`.
///
/// # Safety
///
/// The memory belongs to the caller. On failure it is still mapped, as it was: the kernel first splits the areas at
/// both ends, and only that can fail.
pub(super) unsafe fn unmap(memory: &Range<usize>) -> io::Result<()> {
    // SAFETY: the caller's promise.
    let make = || done(unsafe { libc::munmap(pointer(memory), length(memory)) });
    match failures::order(Call::Unmap) {
        Order::Make => make(),
        Order::Fail(error) => Err(io::Error::from_raw_os_error(error)),
        Order::TakeAndFail(_) => {
            make()?;
            failures::taken(memory);
            Ok(())
        }
    }
}

/// Maps zeros over a target. POSIX `mmap(2)` with `MAP_FIXED`.
///
/// # Safety
///
/// The target is whole pages that belong to the caller. On failure, it may be unmapped.
pub(super) unsafe fn map_zeros_over(target: &Range<usize>) -> io::Result<()> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED | NO_RESERVE;
    let make = || {
        // SAFETY: the caller's promise.
        let start = unsafe { libc::mmap(pointer(target), length(target), READ_WRITE, flags, -1, 0) };
        mapped(start).map(drop)
    };
    // SAFETY: the caller's promise.
    unsafe { replacing(Call::MapZeros, target, make) }
}

/// Maps zeros where nothing is mapped. Linux `mmap(2)` with `MAP_FIXED_NOREPLACE`.
///
/// Tests cannot make it fail: it repairs what they made fail.
pub(super) fn map_zeros_in_gap(gap: &Range<usize>) -> io::Result<()> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | NO_RESERVE | NO_REPLACE;
    // SAFETY: the call replaces nothing: with `NO_REPLACE`, or with the address as a hint, the system only maps free
    // addresses. On failure it has mapped nothing.
    let start = unsafe { libc::mmap(pointer(gap), length(gap), READ_WRITE, flags, -1, 0) };
    keep_in_gap(mapped(start)?, gap)
}

/// Moves pages over a target. Linux `mremap(2)` with `MREMAP_FIXED`; with `leave_mapped` also `MREMAP_DONTUNMAP`, which
/// works for pages of a file since Linux 5.13.
///
/// # Safety
///
/// Both are whole pages of one length that belong to the caller, and the source lies in one area. On failure the source
/// is as it was: the kernel moves the entries of its page table back. The target may be unmapped.
#[cfg(target_os = "linux")]
pub(super) unsafe fn move_over(source: usize, target: &Range<usize>, leave_mapped: bool) -> io::Result<()> {
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | if leave_mapped { libc::MREMAP_DONTUNMAP } else { 0 };
    let (source, len) = (ptr::without_provenance_mut::<c_void>(source), length(target));
    let make = || {
        // SAFETY: the caller's promise.
        let start = unsafe { libc::mremap(source, len, len, flags, pointer(target)) };
        mapped(start).map(drop)
    };
    // SAFETY: the caller's promise.
    unsafe { replacing(Call::Move, target, make) }
}

/// Returns whether every page of a range is mapped, by whomever. POSIX `msync(2)` with `MS_ASYNC`, which does nothing
/// else on Linux.
pub(super) fn is_mapped(range: &Range<usize>) -> bool {
    // SAFETY: the call changes no byte, whatever is mapped there; a gap is an error.
    unsafe { libc::msync(pointer(range), length(range), libc::MS_ASYNC) == 0 }
}

/// Returns whether the four bytes at an address can be read and equal `value`. Linux `futex(2)`: a wait of no time.
#[cfg(target_os = "linux")]
pub(super) fn holds(address: usize, value: u32) -> bool {
    let no_time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    let word = ptr::without_provenance::<u32>(address);
    loop {
        // SAFETY: the kernel reads the word if it can be read, and fails if not; no byte changes.
        let status = unsafe { libc::syscall(libc::SYS_futex, word, operation, value, &raw const no_time) };
        match io::Error::last_os_error().raw_os_error() {
            Some(libc::EINTR) if status == -1 => {}
            // It would have waited, so the word is `value`. Another value gives `EAGAIN`, and unreadable memory
            // `EFAULT`.
            error => return status == -1 && error == Some(libc::ETIMEDOUT),
        }
    }
}

/// Writes text to standard error, and ignores failures.
pub(super) fn write_to_stderr(text: &str) {
    // SAFETY: the text is valid for reads of its length.
    unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
}
