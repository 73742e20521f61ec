//! A mark in memory, by which it is known again.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::ptr;
use std::sync::OnceLock;

use super::calls;

/// Eight bytes that stand at the start of memory for the time of a call. What another thread maps there does not have them:
/// fresh memory is zeros, and nobody knows the bytes beforehand.
#[derive(Debug)]
pub(super) struct Mark {
    address: usize,
    /// What stood there before.
    before: u64,
}

impl Mark {
    /// Marks memory.
    ///
    /// # Safety
    ///
    /// The memory is whole pages that can be written, no file's, and belongs to the caller.
    pub(super) unsafe fn set(memory: &Range<usize>) -> Self {
        let start = ptr::with_exposed_provenance_mut::<u64>(memory.start);
        // SAFETY: the caller's promise; a page's address is aligned.
        let before = unsafe { start.read_volatile() };
        // SAFETY: as above.
        unsafe { start.write_volatile(value()) };
        Self { address: memory.start, before }
    }

    /// Takes the mark away, if it is still there. Returns whether it was: then the memory is what was marked, and is as before.
    pub(super) fn take(self) -> bool {
        let [low, high] = halves(value());
        if !calls::holds(self.address, low) || !calls::holds(self.address + 4, high) {
            return false;
        }
        // SAFETY: the memory is what was marked, as the mark says, and whoever set it said that it can be written.
        unsafe { ptr::with_exposed_provenance_mut::<u64>(self.address).write_volatile(self.before) };
        true
    }
}

/// The bytes of a mark, which differ from process to process.
fn value() -> u64 {
    static VALUE: OnceLock<u64> = OnceLock::new();
    // Neither half is zero.
    *VALUE.get_or_init(|| RandomState::new().hash_one("wasi-mmap") | 0x0000_0001_0000_0001)
}

/// The two halves of a number in the order of memory.
fn halves(number: u64) -> [u32; 2] {
    let bytes = number.to_ne_bytes();
    let [a, b, c, d, e, f, g, h] = bytes;
    [u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])]
}
