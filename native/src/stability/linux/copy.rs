//! Replaces memory that maps a file with a copy of it.
//!
//! Making its pages private (`MADV_POPULATE_WRITE`) is not enough: when a file is made shorter, the kernel also removes
//! the private pages of its mappings. So the bytes are copied to memory without a file, which one call then puts in
//! place.

use std::io;
use std::ops::Range;
use std::ptr;
use std::time::{Duration, Instant};

use rustix::mm::{Advice, MapFlags, ProtFlags};

use crate::sys::{die, page_len, put_copies};

/// The time between attempts to get memory.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// Replaces memory with a copy. If there is no memory for it, tries again until the deadline, and then ends the
/// process.
///
/// # Safety
///
/// See [`try_replace`].
pub(super) unsafe fn replace(memory: &Range<usize>, deadline: Option<Instant>) {
    // SAFETY: the caller's promise.
    while let Err(error) = unsafe { try_replace(memory) } {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            // The kernel is about to let the waiting writer go on, and bytes would change that must not.
            die(&format!("no memory to copy the bytes of a leased file that another process wants to write: {error}"));
        }
        std::thread::sleep(RETRY_INTERVAL);
    }
}

/// Replaces memory with a copy, atomically: readers see the same bytes before and after.
///
/// # Safety
///
/// The memory is whole pages that can be read, belongs to the caller, and is replaced by nobody else during the call.
/// It may be replaced by other private memory that can be read and written. Bytes that others write there meanwhile may
/// be lost. Faults in it are repaired.
///
/// # Errors
///
/// The error of `mmap(2)` or `mremap(2)`. Nothing has changed.
unsafe fn try_replace(memory: &Range<usize>) -> io::Result<()> {
    let len = memory.len();
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: the kernel chooses a free place, so no existing memory is touched, whether the call succeeds or fails.
    let copies = unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), len, access, MapFlags::PRIVATE) }?;
    // Pages of the usual size: before Linux 6.17, huge ones were not always moved correctly. On a kernel without huge
    // pages this fails, which does no harm.
    // SAFETY: the memory was mapped just now; the call changes no byte, whether it succeeds or fails.
    let _ = unsafe { rustix::mm::madvise(copies, len, Advice::LinuxNoHugepage) };
    // SAFETY: both are `len` bytes and start with a page; `copies` is new, and zeros. The caller promises the rest.
    unsafe { copy(ptr::with_exposed_provenance(memory.start), copies.cast(), len) };
    // SAFETY: both are whole pages of the same length and belong to this process; the copies are one area, and the
    // caller lets the target be replaced. The kernel locks the process's memory for the whole call, so an access to the
    // target meets either the old pages or the new ones. On failure, the target is as it was.
    unsafe { put_copies(copies.addr(), memory) }
}

/// Copies all pages that are not zeros. The others are zeros in the copy already, and cost no memory.
///
/// # Safety
///
/// Both are mapped for `len` bytes, start with a page and do not overlap; those of `to` are zeros, and nobody else uses
/// them. Faults in `from` are repaired.
unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    let page = page_len();
    let mut bytes = vec![0u8; page];
    for start in (0..len).step_by(page) {
        let count = page.min(len - start);
        // SAFETY: within the `len` bytes, as just computed.
        let from = unsafe { from.add(start) };
        // SAFETY: as above.
        let to = unsafe { to.add(start) };
        // SAFETY: so many bytes are mapped, and `bytes` is memory of its own. A plugin that writes to its window
        // meanwhile changes what is copied; each byte is treated as a value, and nothing else happens.
        unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), count) };
        if bytes.iter().any(|&byte| byte != 0) {
            // SAFETY: `to` has so many bytes, and nobody else uses them.
            unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), count) };
        }
    }
}
