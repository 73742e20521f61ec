//! Zeros in place of memory. Async-signal-safe: the handler for SIGBUS uses them.

use std::io;
use std::ops::Range;

use super::abort::{NOT_PUT_BACK, die};
use super::calls;

/// Replaces memory with zeros: private pages that can be read and written. Async-signal-safe.
///
/// # Errors
///
/// The error of `mmap(2)`; the memory is as it was.
///
/// # Safety
///
/// The target is whole pages that are mapped and belong to the caller, and no reference into them is alive.
pub(crate) unsafe fn put_zeros(target: &Range<usize>) -> io::Result<()> {
    // SAFETY: the caller owns the target. On failure, Linux has either left it alone or unmapped all of it: up to 6.11,
    // when it had no memory to account for (only if `vm.overcommit_memory` is 2, since the pages are not reserved) or
    // none for its own records; from 6.12 on, it restores what was there. Both cases are settled below.
    match unsafe { calls::map_zeros_over(target) } {
        Ok(()) => Ok(()),
        // There was a gap, and filling it gives what was asked for.
        Err(_) if fill(target) => Ok(()),
        // No mark tells whether these are the same pages: they may map a file, which a mark would change. To be
        // mistaken, another thread must have been given exactly this place between the two calls, on a kernel that has
        // no memory left for a record of some 200 bytes.
        Err(error) if calls::is_mapped(target) => Err(error),
        Err(_) => die(NOT_PUT_BACK),
    }
}

/// Replaces memory with zeros where [`put_zeros`] cannot, by unmapping the old memory first: a process at its limit of
/// areas can exceed it by one, and then nothing can be mapped before something is unmapped. Async-signal-safe.
///
/// The process ends if another thread is given the place in between.
///
/// # Errors
///
/// The error of `munmap(2)`; the memory is as it was.
///
/// # Safety
///
/// As [`put_zeros`].
pub(crate) unsafe fn put_zeros_anew(target: &Range<usize>) -> io::Result<()> {
    // SAFETY: the caller owns the target, which is mapped again below. On failure, nothing was unmapped: the kernel
    // first splits the areas at both ends, and only that can fail.
    unsafe { calls::unmap(target) }?;
    if fill(target) {
        return Ok(());
    }
    die(NOT_PUT_BACK)
}

/// Fills a gap with zeros. Returns whether it did; if not, nothing has changed.
pub(super) fn fill(gap: &Range<usize>) -> bool {
    // Replaces nothing: the call fails where anything is mapped.
    calls::map_zeros_in_gap(gap).is_ok()
}
