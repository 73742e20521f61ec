//! Calls of the system that replace memory, and what is true when they fail.
//!
//! `mmap(2)` with `MAP_FIXED` and `mremap(2)` with `MREMAP_FIXED` take away what lies at the target before they put anything
//! there, and may fail in between. The gap is open to every other thread: an allocation or a stack that the system puts there
//! lies within memory that its owner, a plugin say, still reads and writes. So nothing else in this crate makes such a call, and
//! the functions here keep one contract:
//!
//! **When one returns, with success or with an error, every page of the target is mapped and belongs to who owned it before, and
//! the source is as it was, or has moved as a whole.**
//!
//! How:
//!
//! - Pages are put in place with one call, and what can fail for more reasons than want of memory is done elsewhere before: pages
//!   that are moved must be one area; a file system that has failed once is asked elsewhere first ([`files`]).
//! - Before pages are moved, the target is [marked](mark): after a failure, the mark tells memory that was not touched from memory
//!   that somebody else has mapped there since.
//! - A gap is filled with `MAP_FIXED_NOREPLACE`, which takes no place away from others. When somebody else has the place, the
//!   process ends: nothing has run in the memory since, so that nothing was read or written that was not its owner's.
//!
//! The functions that the handler for SIGBUS uses, [`put_zeros`] and [`put_zeros_anew`], are async-signal-safe.

mod call;
mod calls;
#[cfg(all(target_os = "linux", feature = "failures"))]
pub mod failures;
#[cfg(not(all(target_os = "linux", feature = "failures")))]
#[path = "no_failures.rs"]
pub(crate) mod failures;
mod files;
#[cfg(target_os = "linux")]
mod mark;
#[cfg_attr(not(target_os = "linux"), path = "no_moves.rs")]
mod moves;
mod reservation;

use std::io;
use std::ops::Range;

pub(super) use files::put_file;
pub(super) use moves::move_pages;
#[cfg(target_os = "linux")]
pub(super) use moves::put_copies;
pub use reservation::Reservation;

/// How pages of a file are mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// Writes reach the file.
    Shared,
    /// Writes stay in the pages.
    Private,
    /// The same, with no memory reserved for them. Such pages do not become one area with others.
    PrivateUnreserved,
}

/// Puts zeros in the place of memory: private pages that can be read and written. Async-signal-safe.
///
/// # Errors
///
/// The error of `mmap(2)`; the memory is as it was.
///
/// # Safety
///
/// The target is whole pages that are mapped and belong to the caller, and no reference into them lives.
pub(super) unsafe fn put_zeros(target: &Range<usize>) -> io::Result<()> {
    // SAFETY: the caller owns the target. On failure, Linux has left it alone, or has taken all of it away: until 6.11, when
    // there was no memory to account for it (only where `vm.overcommit_memory` is 2, since the pages are not reserved) or for
    // the kernel's own records; from 6.12 on, it puts back what was there. Both cases are settled below.
    match unsafe { calls::map_zeros_over(target) } {
        Ok(()) => Ok(()),
        // What was asked for, where there was a gap.
        Err(_) if fill(target) => Ok(()),
        // No mark says that these are the same pages: they may be a file's, which a mark would change. Another thread would have to
        // be given exactly this place between the two calls, on a kernel that has no memory left for a record of some 200 bytes.
        Err(error) if calls::is_mapped(target) => Err(error),
        Err(_) => die(NOT_PUT_BACK),
    }
}

/// Puts zeros in the place of memory where [`put_zeros`] cannot, by taking the old memory away first: a process can have one area
/// more than it may have, and then nothing can be mapped before something is given back. Async-signal-safe.
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
pub(super) unsafe fn put_zeros_anew(target: &Range<usize>) -> io::Result<()> {
    // SAFETY: the caller owns the target, which comes back below. On failure, nothing was unmapped: the kernel first splits the
    // areas at both ends, which is what can fail.
    unsafe { calls::unmap(target) }?;
    if fill(target) {
        return Ok(());
    }
    die(NOT_PUT_BACK)
}

/// Fills a gap with zeros. Returns whether it did; if not, the gap, if there is one, is as it was.
fn fill(gap: &Range<usize>) -> bool {
    // Nothing is replaced: where anything is mapped, this fails.
    calls::map_zeros_in_gap(gap).is_ok()
}

/// Why the process ends where a gap cannot be filled.
const NOT_PUT_BACK: &str =
    "memory was taken away, and cannot be put back: another thread has its place, or there is no memory left";

/// Ends the process, because a page of memory may be somebody else's, or the bytes in it may change under its readers.
/// Async-signal-safe. The message does not go through `std::io::stderr`, whose lock may be held by a thread that waits for this one.
pub(super) fn die(why: &str) -> ! {
    for part in ["wasi-mmap: ", why, "\n"] {
        calls::write_to_stderr(part);
    }
    std::process::abort()
}
