//! The size of a page of memory.

/// Returns the size of a page of memory, in bytes.
pub(crate) fn page_size() -> u64 {
    page_len() as u64
}

/// Returns the number that the offset of a mapping must be a multiple of, in bytes.
pub(crate) fn granularity() -> u64 {
    page_size()
}

/// Returns the size of a page of memory as an index. POSIX `sysconf(3)`.
///
/// `rustix` reads it without the C library, in a way that crashes programs under Valgrind.
pub(crate) fn page_len() -> usize {
    // SAFETY: `sysconf` has no precondition: it returns a number, or -1, which is refused below.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).expect("every system has pages")
}
