//! Files in the place of memory.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};

use super::{NOT_PUT_BACK, Sharing, calls, die, fill};

/// A part of a file, and how it is mapped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) file: RawFd,
    /// In bytes, a multiple of the page size.
    pub(super) offset: u64,
    pub(super) sharing: Sharing,
    pub(super) can_write: bool,
}

/// Puts a file's pages, from `offset` on, in the place of memory. To be called for a part that was mapped in this way before, so that
/// the system refuses it for want of memory, or because the file system is broken, and for no other reason.
///
/// # Errors
///
/// The error of `mmap(2)` or `mremap(2)`. The target is as it was, or zeros.
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
    let part = Part { file: file.as_raw_fd(), offset, sharing, can_write };
    #[cfg(target_os = "linux")]
    if care::is_needed() {
        // SAFETY: the caller's promise.
        return unsafe { care::put_prepared(target, &part) };
    }
    // SAFETY: the caller's promise. On failure, the target is as it was, where the kernel has no memory or no areas left, or all of
    // it is gone: every kernel takes the target away, as one step, before it asks the file system, which may refuse. Both cases
    // are settled below.
    let Err(error) = (unsafe { calls::map_file_over(target, &part) }) else {
        return Ok(());
    };
    let has_filled = fill(target);
    // What the kernel looks at before it takes anything away: areas, limits, memory.
    let is_early = matches!(error.raw_os_error(), Some(libc::ENOMEM | libc::EAGAIN));
    #[cfg(target_os = "linux")]
    if !is_early {
        care::take();
    }
    // As in `put_zeros`, no mark says that these are the same pages, and memory for a record must have run out in between.
    if has_filled || (is_early && calls::is_mapped(target)) {
        return Err(error);
    }
    die(NOT_PUT_BACK)
}

/// The careful way, which takes two calls: the file is mapped elsewhere first, so that what fails there has not touched the target.
#[cfg(target_os = "linux")]
pub(super) mod care {
    use std::io;
    use std::ops::Range;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use super::super::{calls, moves};
    use super::Part;

    /// Whether a file system has refused to map a file in this process: it may do so again and again.
    static TAKEN: AtomicBool = AtomicBool::new(false);

    /// Returns whether the careful way is to be taken: after a file system has failed, and where the kernel accounts for all memory,
    /// which until Linux 6.11 it does after it has taken the target away.
    pub(super) fn is_needed() -> bool {
        static ACCOUNTS: OnceLock<bool> = OnceLock::new();
        let read = || std::fs::read_to_string("/proc/sys/vm/overcommit_memory").is_ok_and(|mode| mode.trim() == "2");
        TAKEN.load(Relaxed) || *ACCOUNTS.get_or_init(read)
    }

    /// Takes the careful way from now on.
    pub(in super::super) fn take() {
        TAKEN.store(true, Relaxed);
    }

    /// Takes the short way again, until a file system fails.
    #[cfg(feature = "failures")]
    pub(in super::super) fn forget() {
        TAKEN.store(false, Relaxed);
    }

    /// Maps a part of a file elsewhere, and moves it over the target.
    ///
    /// # Safety
    ///
    /// As [`put_file`](super::put_file).
    pub(super) unsafe fn put_prepared(target: &Range<usize>, part: &Part) -> io::Result<()> {
        let prepared = calls::map_file(target.len(), part)?;
        // SAFETY: the caller's promise; what was just mapped is as long, and is one area: nobody else knows of it.
        unsafe { moves::put_prepared(prepared, target) }
    }
}
