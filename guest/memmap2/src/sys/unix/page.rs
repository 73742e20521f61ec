//! The size of a page, and the pages that cover a range.

use std::sync::OnceLock;

/// Returns the size of a page of memory in bytes.
pub(super) fn page_size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| {
        // SAFETY: the call has a number as its argument, and always succeeds for this one.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(size).ok().filter(|size| size.is_power_of_two()).expect("POSIX requires a page size")
    })
}

/// Returns how far before an address its page starts, and the length from there to the end of a range, at least 1.
pub(super) fn covered(address: usize, len: usize) -> (usize, usize) {
    let back = address % page_size();
    (back, (back + len).max(1))
}
