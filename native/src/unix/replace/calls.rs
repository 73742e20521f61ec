//! The system's calls themselves. Each can be made to fail by [`failures`]. All are async-signal-safe.

use std::io;
use std::ops::Range;
use std::ptr;

use libc::{c_int, c_void};

use super::Sharing;
use super::call::{Call, Order};
use super::failures;
use super::files::Part;

/// What keeps the system from reserving memory for pages that may never be touched. FreeBSD has no such flag.
#[cfg(not(target_os = "freebsd"))]
const NO_RESERVE: c_int = libc::MAP_NORESERVE;
#[cfg(target_os = "freebsd")]
const NO_RESERVE: c_int = 0;

/// What keeps `mmap` from replacing anything: Linux since 4.17. Others take the address for a hint, and so do older kernels.
#[cfg(target_os = "linux")]
const NO_REPLACE: c_int = libc::MAP_FIXED_NOREPLACE;
#[cfg(not(target_os = "linux"))]
const NO_REPLACE: c_int = 0;

const READ_WRITE: c_int = libc::PROT_READ | libc::PROT_WRITE;

/// Returns the pages' address, or what `errno` says.
fn mapped(start: *mut c_void) -> io::Result<*mut c_void> {
    if start == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(start) }
}

/// Returns what `errno` says, if a call failed.
fn done(status: c_int) -> io::Result<()> {
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes a call that replaces memory, unless it is to fail.
///
/// # Safety
///
/// The target is whole pages that belong to the caller.
unsafe fn replacing(call: Call, target: &Range<usize>, make: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    match failures::order(call) {
        Order::Make => make(),
        Order::Fail(error) => Err(io::Error::from_raw_os_error(error)),
        Order::TakeAndFail(error) => {
            // SAFETY: the caller owns the target, and is to find that it is gone.
            unsafe { libc::munmap(pointer(target), length(target)) };
            failures::taken(target);
            Err(io::Error::from_raw_os_error(error))
        }
    }
}

/// Makes a call that replaces nothing, unless it is to fail.
fn plain<T>(call: Call, make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    match failures::order(call) {
        Order::Make => make(),
        Order::Fail(error) | Order::TakeAndFail(error) => Err(io::Error::from_raw_os_error(error)),
    }
}

/// An address as the system takes it: a mere number.
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
unsafe fn map(start: *mut c_void, len: usize, part: &Part, flags: c_int) -> io::Result<*mut c_void> {
    let offset = libc::off_t::try_from(part.offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    let protection = libc::PROT_READ | if part.can_write { libc::PROT_WRITE } else { 0 };
    let sharing = match part.sharing {
        Sharing::Shared => libc::MAP_SHARED,
        Sharing::Private => libc::MAP_PRIVATE,
        Sharing::PrivateUnreserved => libc::MAP_PRIVATE | NO_RESERVE,
    };
    // SAFETY: without `MAP_FIXED` the system chooses a free place; with it, the caller promises that it may replace what is there.
    mapped(unsafe { libc::mmap(start, len, protection, sharing | flags, part.file, offset) })
}

/// Maps a part of a file where nothing else is. POSIX `mmap(2)`. Returns the address.
#[cfg(target_os = "linux")]
pub(super) fn map_file(len: usize, part: &Part) -> io::Result<usize> {
    plain(Call::MapFile, || {
        // SAFETY: nothing is replaced; on failure nothing was mapped.
        let start = unsafe { map(ptr::null_mut(), len, part, 0) }?;
        Ok(start.expose_provenance())
    })
}

/// Maps a part of a file over a target. POSIX `mmap(2)` with `MAP_FIXED`.
///
/// # Safety
///
/// The target is whole pages that belong to the caller. On failure, it may be gone.
pub(super) unsafe fn map_file_over(target: &Range<usize>, part: &Part) -> io::Result<()> {
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

/// Lets pages be read and written. POSIX `mprotect(2)`.
///
/// # Safety
///
/// The pages lie in one area that belongs to the caller. On failure nothing has changed: the kernel splits the area first, which
/// is what can fail, and there is no second area whose turn would come after a change.
pub(super) unsafe fn make_accessible(pages: &Range<usize>) -> io::Result<()> {
    plain(Call::Protect, || {
        // SAFETY: the caller's promise.
        let status = unsafe { libc::mprotect(pointer(pages), length(pages), READ_WRITE) };
        done(status)
    })
}

/// Takes memory away. POSIX `munmap(2)`.
///
/// # Safety
///
/// The memory belongs to the caller. On failure it is still mapped, as it was: the kernel first splits the areas at both ends, which
/// is what can fail.
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
/// The target is whole pages that belong to the caller. On failure, it may be gone.
pub(super) unsafe fn map_zeros_over(target: &Range<usize>) -> io::Result<()> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED | NO_RESERVE;
    let make = || {
        // SAFETY: the caller's promise.
        let start = unsafe { libc::mmap(pointer(target), length(target), READ_WRITE, flags, -1, 0) };
        mapped(start).map(|_| ())
    };
    // SAFETY: the caller's promise.
    unsafe { replacing(Call::MapZeros, target, make) }
}

/// Maps zeros where nothing is mapped. Linux `mmap(2)` with `MAP_FIXED_NOREPLACE`.
///
/// It cannot be made to fail: what it repairs is made to fail.
pub(super) fn map_zeros_in_gap(gap: &Range<usize>) -> io::Result<()> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | NO_RESERVE | NO_REPLACE;
    // SAFETY: nothing is replaced: with `NO_REPLACE`, or with the address as a hint, the system maps free memory alone. On
    // failure it has mapped nothing.
    let start = unsafe { libc::mmap(pointer(gap), length(gap), READ_WRITE, flags, -1, 0) };
    if mapped(start)?.addr() == gap.start {
        return Ok(());
    }
    // It took the address for a hint, and the place was not free.
    // SAFETY: it was mapped just now, and nobody knows of it.
    unsafe { libc::munmap(start, length(gap)) };
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Moves pages over a target. Linux `mremap(2)` with `MREMAP_FIXED`; with `leave_mapped` also `MREMAP_DONTUNMAP`, which takes the
/// pages of a file since Linux 5.13.
///
/// # Safety
///
/// Both are whole pages of one length that belong to the caller, and the source lies in one area. On failure the source is as it
/// was: the kernel moves the entries of its page table back. The target may be gone.
#[cfg(target_os = "linux")]
pub(super) unsafe fn move_over(source: usize, target: &Range<usize>, leave_mapped: bool) -> io::Result<()> {
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | if leave_mapped { libc::MREMAP_DONTUNMAP } else { 0 };
    let (source, len) = (ptr::without_provenance_mut::<c_void>(source), length(target));
    let make = || {
        // SAFETY: the caller's promise.
        let start = unsafe { libc::mremap(source, len, len, flags, pointer(target)) };
        mapped(start).map(|_| ())
    };
    // SAFETY: the caller's promise.
    unsafe { replacing(Call::Move, target, make) }
}

/// Whether every page of a range is mapped, by whomever. POSIX `msync(2)` with `MS_ASYNC`, which does nothing else on Linux.
pub(super) fn is_mapped(range: &Range<usize>) -> bool {
    // SAFETY: no byte changes, whatever lies there; a gap is an error.
    unsafe { libc::msync(pointer(range), length(range), libc::MS_ASYNC) == 0 }
}

/// Whether four bytes at an address can be read and are `value`. Linux `futex(2)`: to wait there for no time.
#[cfg(target_os = "linux")]
pub(super) fn holds(address: usize, value: u32) -> bool {
    let no_time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    let word = ptr::without_provenance::<u32>(address);
    loop {
        // SAFETY: the kernel reads the word, where it can be read, and fails elsewhere; no byte changes.
        let status = unsafe { libc::syscall(libc::SYS_futex, word, operation, value, &raw const no_time) };
        match io::Error::last_os_error().raw_os_error() {
            Some(libc::EINTR) if status == -1 => {}
            // It would have waited: the word is `value`. Another value is `EAGAIN`, and memory that cannot be read is `EFAULT`.
            error => return status == -1 && error == Some(libc::ETIMEDOUT),
        }
    }
}

/// Writes text to the standard error output, as far as it goes.
pub(super) fn write_to_stderr(text: &str) {
    // SAFETY: the text is valid for reads of its length.
    unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
}
