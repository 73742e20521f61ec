//! Files in the place of memory, on systems without `mremap(2)`.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

use super::{Sharing, calls, die, fill};

/// Puts a file's pages, from `offset` on, in the place of memory of this process alone.
///
/// # Errors
///
/// The error of `mmap(2)`.
///
/// # Safety
///
/// The target is whole pages that can be written, and belongs to the caller; no reference into it lives.
pub(crate) unsafe fn put_file(
    target: &Range<usize>,
    file: &File,
    offset: u64,
    sharing: Sharing,
    can_write: bool,
) -> io::Result<()> {
    let protection = libc::PROT_READ | if can_write { libc::PROT_WRITE } else { 0 };
    let shared = sharing == Sharing::Shared;
    // SAFETY: the caller's promise. POSIX says of a failure that the target may be gone, which is settled below.
    match unsafe { calls::map_file_over(target, shared, protection, file.as_raw_fd(), offset) } {
        Ok(()) => Ok(()),
        Err(error) if fill(target) => Err(error),
        // Nothing can be moved here, and no mark is read without a fault: that it is mapped must do.
        Err(error) if calls::is_mapped(target) => Err(error),
        Err(_) => {
            die("memory was taken away, and cannot be put back: another thread has its place, or there is no more")
        }
    }
}
