//! A mark that identifies memory.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::ptr;
use std::sync::OnceLock;

use super::calls;

/// Eight bytes at the start of memory for the duration of a call. Memory that another thread maps there does not have
/// them: fresh memory is zeros, and nobody can predict the bytes.
#[derive(Debug)]
pub(super) struct Mark {
    address: usize,
    /// The bytes that the mark replaced.
    before: u64,
}

impl Mark {
    /// Marks memory.
    ///
    /// # Safety
    ///
    /// The memory is whole writable pages that map no file and belong to the caller.
    pub(super) unsafe fn set(memory: &Range<usize>) -> Self {
        let start = ptr::with_exposed_provenance_mut::<u64>(memory.start);
        // SAFETY: the caller's promise; a page's address is aligned.
        let before = unsafe { start.read_volatile() };
        // SAFETY: as above.
        unsafe { start.write_volatile(value()) };
        Self { address: memory.start, before }
    }

    /// Removes the mark if it is still there. Returns whether it was: then the memory is the marked memory, and is as
    /// before.
    pub(super) fn take(self) -> bool {
        let [low, high] = halves(value());
        if !calls::holds(self.address, low) || !calls::holds(self.address + 4, high) {
            return false;
        }
        // SAFETY: the mark shows that this is the marked memory, which is writable, as the caller of `set` promised.
        unsafe { ptr::with_exposed_provenance_mut::<u64>(self.address).write_volatile(self.before) };
        true
    }
}

/// Returns the bytes of a mark, which differ from process to process.
fn value() -> u64 {
    static VALUE: OnceLock<u64> = OnceLock::new();
    // Neither half is zero.
    *VALUE.get_or_init(|| RandomState::new().hash_one("wasi-mmap") | 0x0000_0001_0000_0001)
}

/// Returns the two halves of a number in memory order.
fn halves(number: u64) -> [u32; 2] {
    let bytes = number.to_ne_bytes();
    let [a, b, c, d, e, f, g, h] = bytes;
    [u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])]
}
