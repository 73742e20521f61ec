//! Moves of pages: Linux `mremap(2)`.

use std::io;
use std::ops::Range;

use super::super::abort::{NOT_PUT_BACK, die};
use super::super::calls::{self, FilePart};
use super::super::maps::List;
use super::super::mark::Mark;
use super::super::zeros::fill;

/// Moves pages over others. Their old addresses stay mapped, so that no other thread is given the place, and show the
/// file's contents, or zeros.
///
/// # Errors
///
/// The error of `mremap(2)`; the pages are where they were.
///
/// # Safety
///
/// Source and target are whole pages of the same length that belong to the caller and do not overlap, and no reference
/// into them is alive. The source lies in one area of memory, without huge pages: until Linux 6.16, the kernel rounds
/// the target of huge pages up and unmaps more than it was told to. The target is writable and maps no file.
pub(crate) unsafe fn move_pages(source: usize, target: &Range<usize>) -> io::Result<()> {
    // SAFETY: the caller's promise.
    unsafe { move_marked(source, target, true) }
}

/// Moves pages over others, and restores the target after a failure.
///
/// # Safety
///
/// As [`move_pages`].
unsafe fn move_marked(source: usize, target: &Range<usize>, leave_mapped: bool) -> io::Result<()> {
    // SAFETY: the target is writable and maps no file.
    let mark = unsafe { Mark::set(target) };
    // SAFETY: the caller's promise. On failure, the target is as it was, or all of it is unmapped: every kernel first
    // unmaps the whole target, in one step, and may fail afterwards: until 6.16 for a source in several areas
    // (`EFAULT`), and to this day if it has no memory for its records or page tables. Both cases are settled below.
    let Err(error) = (unsafe { calls::move_over(source, target, leave_mapped) }) else {
        return Ok(());
    };
    // The target is as before, or is a gap, which is filled with zeros.
    if mark.take() || fill(target) {
        return Err(error);
    }
    die(NOT_PUT_BACK)
}

/// Moves pages that were prepared elsewhere over others. If that fails, the prepared pages are unmapped.
///
/// # Safety
///
/// As [`move_pages`]; nobody else knows of the prepared pages.
pub(crate) unsafe fn put_prepared(prepared: usize, target: &Range<usize>) -> io::Result<()> {
    // SAFETY: the caller's promise.
    let moved = unsafe { move_marked(prepared, target, false) };
    // SAFETY: nobody else knows of the prepared pages, and on failure they have not moved.
    moved.inspect_err(|_| unsafe { discard(prepared, target.len()) })
}

/// Moves pages of a file that were prepared elsewhere over others that map the same part, atomically, while others may
/// read and write there. If that fails, the prepared pages are unmapped.
///
/// `lost` returns the addresses whose pages may have been replaced by zeros. Memory that `list` shows there is the
/// target's own.
///
/// # Errors
///
/// The error of `mremap(2)`; the target is as it was.
///
/// # Safety
///
/// As [`move_pages`], but the target maps the file, or was replaced by zeros. Nobody else knows of the prepared pages,
/// which map `part`.
pub(crate) unsafe fn put_over_file(
    prepared: usize,
    target: &Range<usize>,
    part: &FilePart,
    list: List,
    lost: impl FnOnce() -> Range<usize>,
) -> io::Result<()> {
    // SAFETY: the caller's promise. On failure, the target is as it was, if the kernel has no areas left, which it
    // checks first, or all of it is unmapped, if the kernel has no memory for its records. Both cases are settled
    // below.
    let Err(error) = (unsafe { calls::move_over(prepared, target, false) }) else {
        return Ok(());
    };
    let outcome = if calls::map_file_in_gap(target, part).is_ok() {
        // There was a gap, and filling it gives what was asked for.
        Ok(())
    } else {
        // The target cannot be marked: a mark would be in the file, or make a page private. The prepared pages, which
        // are still there, tell what is mapped at the target. What cannot be told may be another thread's.
        let is_ours = list.are_one_file(prepared, target, lost).unwrap_or(false);
        if is_ours { Err(error) } else { die(NOT_PUT_BACK) }
    };
    // SAFETY: nobody else knows of the prepared pages, and on failure they have not moved.
    unsafe { discard(prepared, target.len()) };
    outcome
}

/// Unmaps prepared pages that have not moved. If this fails, they stay mapped, and nobody uses them.
///
/// # Safety
///
/// Nobody else knows of them.
unsafe fn discard(prepared: usize, len: usize) {
    // SAFETY: the caller's promise.
    let _ = unsafe { calls::unmap(&(prepared..prepared + len)) };
}

/// Replaces memory with copies of it, atomically, while others may read and write there. If that fails, the copies are
/// unmapped.
///
/// The process ends if the kernel fails after it has unmapped the memory: others may have met the gap.
///
/// # Errors
///
/// The error of `mremap(2)`; the memory is as it was.
///
/// # Safety
///
/// As [`move_pages`], but the target may map a file, because it is not marked. Nobody else knows of the copies.
pub(crate) unsafe fn put_copies(copies: usize, target: &Range<usize>) -> io::Result<()> {
    // SAFETY: the caller's promise. On failure, the target is as it was, if the kernel has no areas left, which it
    // checks first, or all of it is unmapped, if the kernel has no memory for its records.
    match unsafe { calls::move_over(copies, target, false) } {
        // If another thread was given the place, it has other bytes, in all likelihood.
        // SAFETY: the copies are mapped, and so is the target, which nobody writes to, or whose stores wait.
        Err(_) if !calls::is_mapped(target) || !unsafe { are_equal(copies, target) } => {
            die("mapped memory was taken away, and its bytes with it")
        }
        // SAFETY: nobody else knows of the copies, and on failure they have not moved.
        outcome => outcome.inspect_err(|_| unsafe { discard(copies, target.len()) }),
    }
}

/// Compares memory with copies of it.
///
/// # Safety
///
/// Both can be read for the length of `memory`, and nobody writes to either.
unsafe fn are_equal(copies: usize, memory: &Range<usize>) -> bool {
    let bytes = |start: usize| {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance::<u8>(start), memory.len()) }
    };
    bytes(copies) == bytes(memory.start)
}
