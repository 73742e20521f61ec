//! Replaces memory that maps a file with a copy of it.
//!
//! Making its pages private (`MADV_POPULATE_WRITE`) is not enough: when a file is made shorter, the kernel also removes
//! the private pages of its mappings. So the bytes are copied to memory without a file, which one call then puts in
//! place.

use std::io;
use std::ops::Range;
use std::ptr;
use std::slice;
use std::time::Instant;

use rustix::mm::{Advice, MapFlags, ProtFlags};

use crate::sys::{PausedStores, page_len, put_copies};

/// The most pieces that memory is copied in. Each may be an area of memory of its own afterwards.
const MAX_PIECES: usize = 16;

/// The least size of a piece. Stores to a piece wait while it is copied.
const MIN_PIECE: usize = 256 << 10;

/// Replaces memory with a copy, piece by piece, each atomically: readers see the same bytes before and after.
///
/// With `has_stores`, stores to the memory wait while their piece is copied, so that none is undone. `memory` becomes
/// what is left to be replaced, which after an error is as it was.
///
/// # Safety
///
/// The memory is whole pages that can be read and written, belongs to the caller, and is replaced by nobody else during
/// the call. It may be replaced by other private memory that can be read and written. Without `has_stores`, nobody
/// writes there.
///
/// # Errors
///
/// The error of `mmap(2)`, `mprotect(2)` or `mremap(2)`; `TimedOut` at the deadline.
pub(super) unsafe fn try_replace(
    memory: &mut Range<usize>,
    has_stores: bool,
    deadline: Option<Instant>,
) -> io::Result<()> {
    let size = (memory.len() / MAX_PIECES).max(MIN_PIECE).next_multiple_of(page_len());
    while memory.start < memory.end {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let piece = memory.start..memory.end.min(memory.start + size);
        // SAFETY: the caller's promise, of which the piece is a part.
        let paused = if has_stores { Some(unsafe { PausedStores::new(&piece) }?) } else { None };
        // SAFETY: the caller's promise. If there are stores, they wait.
        let replaced = unsafe { replace_piece(&piece) };
        if let Some(paused) = paused {
            paused.resume(replaced.is_ok());
        }
        replaced?;
        memory.start = piece.end;
    }
    Ok(())
}

/// Replaces a piece with a copy, atomically.
///
/// # Safety
///
/// As [`try_replace`]; nobody writes to the piece.
///
/// # Errors
///
/// The error of `mmap(2)` or `mremap(2)`. Nothing has changed.
unsafe fn replace_piece(memory: &Range<usize>) -> io::Result<()> {
    let len = memory.len();
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: the kernel chooses a free place, so no existing memory is touched, whether the call succeeds or fails.
    let copies = unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), len, access, MapFlags::PRIVATE) }?;
    // Pages of the usual size: before Linux 6.17, huge ones were not always moved correctly. On a kernel without huge
    // pages this fails, which does no harm.
    // SAFETY: the memory was mapped just now; the call changes no byte, whether it succeeds or fails.
    let _ = unsafe { rustix::mm::madvise(copies, len, Advice::LinuxNoHugepage) };
    // SAFETY: both are `len` bytes and start with a page; `copies` is new, and zeros. The caller promises that nobody
    // writes to the others.
    unsafe { copy(ptr::with_exposed_provenance(memory.start), copies.cast(), len) };
    // SAFETY: both are whole pages of the same length and belong to this process; the copies are one area, and the
    // caller lets the target be replaced. The kernel locks the process's memory for the whole call, so an access to the
    // target meets either the old pages or the new ones. On failure, the target is as it was.
    unsafe { put_copies(copies.expose_provenance(), memory) }
}

/// Copies all pages that are not zeros, without memory of the allocator, which may be short. The others are zeros in
/// the copy already, and cost no memory.
///
/// # Safety
///
/// Both are mapped for `len` bytes, start with a page and do not overlap. Nobody writes to those of `from`; those of
/// `to` are zeros, and nobody else uses them.
unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    let page = page_len();
    for start in (0..len).step_by(page) {
        let count = page.min(len - start);
        // SAFETY: within the `len` bytes, as just computed.
        let from = unsafe { from.add(start) };
        // SAFETY: as above.
        let to = unsafe { to.add(start) };
        // SAFETY: so many bytes are mapped, and nobody writes to them during the call.
        let bytes = unsafe { slice::from_raw_parts(from, count) };
        if bytes.iter().any(|&byte| byte != 0) {
            // SAFETY: `to` has so many bytes, and nobody else uses them.
            unsafe { to.copy_from_nonoverlapping(from, count) };
        }
    }
}
