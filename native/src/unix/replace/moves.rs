//! Moves of pages: Linux `mremap(2)`.

use std::io;
use std::ops::Range;

use super::mark::Mark;
use super::{NOT_PUT_BACK, calls, die, fill};

/// Moves pages over others. What they leave stays mapped, so that no other thread can be given the place: it is the file's
/// content, or zeros.
///
/// # Errors
///
/// The error of `mremap(2)`; the pages are where they were.
///
/// # Safety
///
/// Both are whole pages of one length, apart, that belong to the caller, and no reference into them lives. The source lies in one
/// area of memory, without huge pages: until Linux 6.16, the kernel rounds the target of huge pages up, and takes away more than it
/// is told. The target can be written, and is no file's.
pub(crate) unsafe fn move_pages(source: usize, target: &Range<usize>) -> io::Result<()> {
    // SAFETY: the caller's promise.
    unsafe { place(source, target, true) }
}

/// Moves pages over others, and settles what a failure has left.
///
/// # Safety
///
/// As [`move_pages`].
unsafe fn place(source: usize, target: &Range<usize>, leave_mapped: bool) -> io::Result<()> {
    // SAFETY: the target can be written, and is no file's.
    let mark = unsafe { Mark::set(target) };
    // SAFETY: the caller's promise. On failure, the target is as it was, or all of it is gone: every kernel first takes the whole
    // target away, as one step, and may then fail: until 6.16 even for a source in several areas (`EFAULT`), and up to now when it
    // has no memory for its records or page tables. Both cases are settled below.
    let Err(error) = (unsafe { calls::move_over(source, target, leave_mapped) }) else {
        return Ok(());
    };
    // As before, or a gap that is filled.
    if mark.take() || fill(target) {
        return Err(error);
    }
    die(NOT_PUT_BACK)
}

/// Puts pages that were prepared elsewhere over others. If that fails, they are unmapped.
///
/// # Safety
///
/// As [`move_pages`]; nobody else knows of what was prepared.
pub(super) unsafe fn put_prepared(prepared: usize, target: &Range<usize>) -> io::Result<()> {
    // SAFETY: the caller's promise.
    let placed = unsafe { place(prepared, target, false) };
    // SAFETY: nobody else knows of what was prepared, and on failure it has not moved.
    placed.inspect_err(|_| unsafe { give_back(prepared, target.len()) })
}

/// Unmaps pages that were prepared, and have not moved. If this fails, they stay mapped, where nobody looks for them.
///
/// # Safety
///
/// Nobody else knows of them.
unsafe fn give_back(prepared: usize, len: usize) {
    // SAFETY: the caller's promise.
    let _ = unsafe { calls::unmap(&(prepared..prepared + len)) };
}

/// Puts copies of memory in its place, at one moment, while others may read and write there. If that fails, the copies are
/// unmapped.
///
/// The process ends if the kernel fails after it has taken the memory away: others may have met the gap.
///
/// # Errors
///
/// The error of `mremap(2)`; the memory is as it was.
///
/// # Safety
///
/// As [`move_pages`], but for the mark: the target may be a file's. Nobody else knows of the copies.
pub(crate) unsafe fn put_copies(copies: usize, target: &Range<usize>) -> io::Result<()> {
    // SAFETY: the caller's promise. On failure, the target is as it was, where the kernel has no areas left, which it asks first, or
    // all of it is gone, when it has no memory for its records.
    match unsafe { calls::move_over(copies, target, false) } {
        Err(_) if !calls::is_mapped(target) => die("mapped memory was taken away, and its bytes with it"),
        // SAFETY: nobody else knows of the copies, and on failure they have not moved.
        outcome => outcome.inspect_err(|_| unsafe { give_back(copies, target.len()) }),
    }
}
