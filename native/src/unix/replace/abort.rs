//! Ending the process where it cannot safely go on.

use super::calls;

/// The message where a gap in memory cannot be filled.
pub(super) const NOT_PUT_BACK: &str =
    "memory was taken away, and cannot be put back: another thread has its place, or there is no memory left";

/// Ends the process, because a page of memory may belong to somebody else, or its bytes may change under their readers.
///
/// Async-signal-safe. The message does not go through `std::io::stderr`, whose lock may be held by a thread that waits
/// for this one.
pub(crate) fn die(why: &str) -> ! {
    for part in ["wasi-mmap: ", why, "\n"] {
        calls::write_to_stderr(part);
    }
    std::process::abort()
}
