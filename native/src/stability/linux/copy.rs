//! Memory that maps a file becomes memory with the same bytes, of nobody else.
//!
//! To make its pages private ones (`MADV_POPULATE_WRITE`) would not do: when a file is made shorter, the kernel takes the private
//! pages of its mappings, too. So the bytes are copied to memory without a file, which is then put in place by one call.

use std::io;
use std::ops::Range;
use std::ptr;
use std::time::{Duration, Instant};

use rustix::mm::{Advice, MapFlags, ProtFlags};

use super::super::page_len;
use super::super::replace::{die, put_copies};

/// How long to wait for memory before it is tried again.
const PAUSE: Duration = Duration::from_millis(10);

/// Puts a copy in the place of memory. If there is no memory for it, tries again until the deadline, and then ends the process.
///
/// # Safety
///
/// See [`try_replace`].
pub(super) unsafe fn replace(memory: &Range<usize>, deadline: Option<Instant>) {
    // SAFETY: the caller's promise.
    while let Err(error) = unsafe { try_replace(memory) } {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            // Somebody waits to write, and the kernel will let him: then bytes would change that must not.
            die(&format!("no memory to copy the bytes of a file that others want to write: {error}"));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Puts a copy in the place of memory, at one moment: who reads there sees the same bytes before and after.
///
/// # Safety
///
/// The memory is whole pages that can be read, belongs to the caller, and is replaced by nobody else during the call. It may be
/// replaced by other private memory that can be read and written. What others write there meanwhile may be lost. Faults in it are
/// repaired.
///
/// # Errors
///
/// What `mmap(2)` or `mremap(2)` answers. Nothing has changed.
unsafe fn try_replace(memory: &Range<usize>) -> io::Result<()> {
    let len = memory.len();
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: the kernel chooses where: nothing that exists is touched, whether it succeeds or fails.
    let copies = unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), len, access, MapFlags::PRIVATE) }?;
    // Pages of the usual size: larger ones were not always moved right (Linux before 6.17). Where there are none, this fails.
    // SAFETY: the memory is ours; no byte changes.
    let _ = unsafe { rustix::mm::madvise(copies, len, Advice::LinuxNoHugepage) };
    // SAFETY: both are `len` bytes; `copies` is new, and zeros.
    unsafe { copy(ptr::with_exposed_provenance(memory.start), copies.cast(), len) };
    // SAFETY: both are whole pages of the same length, and ours, the copies in one area; the target may be replaced. The kernel holds
    // the process's memory locked for the whole call, so that an access to the target meets the old pages or the new ones. On
    // failure, the target is as it was.
    unsafe { put_copies(copies.addr(), memory) }
}

/// Copies pages that have anything in them. Those that have not are zeros already, and cost no memory.
///
/// # Safety
///
/// Both have `len` bytes, are apart, and start with a page; those of `to` are zeros and nobody else's. Faults in `from` are repaired.
unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    let page = page_len();
    let mut bytes = vec![0u8; page];
    for start in (0..len).step_by(page) {
        let count = page.min(len - start);
        // SAFETY: within the `len` bytes, as just computed.
        let from = unsafe { from.add(start) };
        // SAFETY: as above.
        let to = unsafe { to.add(start) };
        // SAFETY: so many bytes are mapped, and `bytes` is memory of its own. A plugin that writes to its window meanwhile changes
        // what is copied; each byte is taken for a value, and nothing else happens.
        unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), count) };
        if bytes.iter().any(|&byte| byte != 0) {
            // SAFETY: `to` has so many bytes, and is ours.
            unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), count) };
        }
    }
}
