//! Files in the place of memory.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

use super::{Sharing, calls, moves};

/// Puts a file's pages, from `offset` on, in the place of memory.
///
/// # Errors
///
/// The error of `mmap(2)` or `mremap(2)`.
///
/// # Safety
///
/// The target is whole pages that can be written, no file's, and belongs to the caller; no reference into it lives.
pub(crate) unsafe fn put_file(
    target: &Range<usize>,
    file: &File,
    offset: u64,
    sharing: Sharing,
    can_write: bool,
) -> io::Result<()> {
    let len = target.end - target.start;
    let protection = libc::PROT_READ | if can_write { libc::PROT_WRITE } else { 0 };
    // Elsewhere first: what fails here, such as a file system that refuses or is broken, has not touched the target.
    let prepared = calls::map_file(len, sharing == Sharing::Shared, protection, file.as_raw_fd(), offset)?;
    // SAFETY: the caller's promise; what was just mapped is as long, and is one area: nobody else knows of it.
    let placed = unsafe { moves::place(prepared, target, false) };
    if placed.is_err() {
        // SAFETY: it has not moved, and nobody else knows of it. If this fails, it stays mapped, where nobody looks for it.
        let _ = unsafe { calls::unmap(&(prepared..prepared + len)) };
    }
    placed
}
