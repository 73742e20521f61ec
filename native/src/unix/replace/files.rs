//! Files in place of memory.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
#[cfg(target_os = "linux")]
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::abort::{NOT_PUT_BACK, die};
use super::calls::{self, FilePart, Sharing};
#[cfg(target_os = "linux")]
use super::care;
#[cfg(target_os = "linux")]
use super::maps::List;
#[cfg(target_os = "linux")]
use super::moves;
use super::zeros::fill;

/// Replaces memory with pages of a file, from `file_offset` on. Must only be called for a part that was mapped in this
/// way before, so that the system can refuse it for lack of memory or because the file system is broken, and for no
/// other reason.
///
/// # Errors
///
/// The error of `mmap(2)` or `mremap(2)`. The target is as it was, or zeros.
///
/// # Safety
///
/// The target is whole writable pages that map no file and belong to the caller, and no reference into them is alive.
pub(crate) unsafe fn put_file(
    target: &Range<usize>,
    file: &File,
    file_offset: u64,
    sharing: Sharing,
    can_write: bool,
) -> io::Result<()> {
    let part = FilePart { file: file.as_raw_fd(), file_offset, sharing, can_write };
    #[cfg(target_os = "linux")]
    if care::is_needed() {
        // SAFETY: the caller's promise.
        return unsafe { put_prepared(target, &part) };
    }
    // SAFETY: the caller's promise. On failure, the target is as it was, if the kernel has no memory or areas left, or
    // all of it is unmapped: every kernel unmaps the target, in one step, before it asks the file system, which may
    // refuse. Both cases are settled below.
    let Err(error) = (unsafe { calls::map_file_over(target, &part) }) else {
        return Ok(());
    };
    let has_filled = fill(target);
    // The kernel checks areas, limits and memory before it unmaps anything.
    let is_early = matches!(error.raw_os_error(), Some(libc::ENOMEM | libc::EAGAIN));
    #[cfg(target_os = "linux")]
    if !is_early {
        care::require();
    }
    // As in `put_zeros`, no mark tells whether these are the same pages; to be mistaken takes a kernel without memory
    // for a record.
    if has_filled || (is_early && calls::is_mapped(target)) {
        return Err(error);
    }
    die(NOT_PUT_BACK)
}

/// Keeps other threads from preparing pages of a file until the guard is dropped. Prepared pages are moved away again. If
/// they lay in a gap that a failed call has left, they could pass for the pages that belong there, and leave a hole.
#[cfg(target_os = "linux")]
fn prepares() -> MutexGuard<'static, ()> {
    static PREPARES: Mutex<()> = Mutex::new(());
    PREPARES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Maps a part of a file elsewhere, and moves it over the target: two calls, but a failure of the first does not touch
/// the target.
///
/// # Safety
///
/// As [`put_file`].
#[cfg(target_os = "linux")]
unsafe fn put_prepared(target: &Range<usize>, part: &FilePart) -> io::Result<()> {
    let _prepares = prepares();
    let prepared = calls::map_file(target.len(), part)?;
    // SAFETY: the caller's promise; what was just mapped has the same length, is one area, and nobody else knows of it.
    unsafe { moves::put_prepared(prepared, target) }
}

/// Maps a part of a file over zeros that stood for it, in place, while others may read and write there. Otherwise as
/// [`put_file`].
///
/// # Errors
///
/// As [`put_file`].
///
/// # Safety
///
/// As [`put_file`], but the target may also map the same part of the file in the same way.
pub(crate) unsafe fn put_file_back(
    target: &Range<usize>,
    file: &File,
    file_offset: u64,
    sharing: Sharing,
    can_write: bool,
) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if let Ok(list) = List::open() {
        let part = FilePart { file: file.as_raw_fd(), file_offset, sharing, can_write };
        let _prepares = prepares();
        // Elsewhere first, as in `remap_file`.
        let prepared = calls::map_file(target.len(), &part)?;
        // SAFETY: the caller's promise; what was just mapped has the same length, is one area, and nobody else knows of
        // it. On failure, the target is as it was, or maps the file.
        return unsafe { moves::put_over_file(prepared, target, &part, list, || target.clone()) };
    }
    // Without the system's list, or on another system: a failure of the file system leaves a gap for a moment.
    // SAFETY: the caller's promise.
    unsafe { put_file(target, file, file_offset, sharing, can_write) }
}

/// Maps a part of a file over pages that map it in another way, in place, while others may read and write there.
///
/// The process ends if the kernel fails after it has unmapped the pages, and they cannot be put back. `lost` returns
/// the addresses at which a repair has put zeros in their place.
///
/// # Errors
///
/// The error of `mmap(2)` or `mremap(2)`, or of opening the system's list of areas. The target is as it was.
///
/// # Safety
///
/// The target is whole pages that map this part of the file, or were zeros in its place, can be read and written, and
/// belong to the caller. No reference into them is alive.
#[cfg(target_os = "linux")]
pub(crate) unsafe fn remap_file(
    target: &Range<usize>,
    file: &File,
    offset: u64,
    sharing: Sharing,
    lost: impl FnOnce() -> Range<usize>,
) -> io::Result<()> {
    let part = FilePart { file: file.as_raw_fd(), file_offset: offset, sharing, can_write: true };
    // While nothing has changed yet: a process without free descriptors could not open it afterwards.
    let list = List::open()?;
    let _prepares = prepares();
    // Elsewhere first: a file system may refuse after the kernel has unmapped the target.
    let prepared = calls::map_file(target.len(), &part)?;
    // SAFETY: the caller's promise; what was just mapped has the same length, is one area, and nobody else knows of it.
    unsafe { moves::put_over_file(prepared, target, &part, list, lost) }
}

/// Returns an error, and touches nothing: there is no way to replace pages in place that leaves them as they were if it
/// fails.
///
/// # Errors
///
/// `Unsupported`.
///
/// # Safety
///
/// None is needed here. On Linux, the target belongs to the caller.
#[cfg(not(target_os = "linux"))]
pub(crate) unsafe fn remap_file(
    _: &Range<usize>,
    _: &File,
    _offset: u64,
    _: Sharing,
    _lost: impl FnOnce() -> Range<usize>,
) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "the mode of a window on this system"))
}
