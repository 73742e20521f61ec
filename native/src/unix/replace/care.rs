//! The choice between two ways of mapping a file over memory: directly, or first elsewhere, so that a failure does not
//! touch the target.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whether a file system has refused to map a file in this process: it may do so again.
static CAREFUL: AtomicBool = AtomicBool::new(false);

/// Returns whether files must be mapped elsewhere first: after a file system has failed, and where the kernel accounts
/// for all memory, which up to Linux 6.11 it does after it has unmapped the target.
pub(super) fn is_needed() -> bool {
    static ACCOUNTS: OnceLock<bool> = OnceLock::new();
    let read = || std::fs::read_to_string("/proc/sys/vm/overcommit_memory").is_ok_and(|mode| mode.trim() == "2");
    CAREFUL.load(Relaxed) || *ACCOUNTS.get_or_init(read)
}

/// Maps files elsewhere first from now on.
pub(super) fn require() {
    CAREFUL.store(true, Relaxed);
}

/// Maps files directly again, until a file system fails.
#[cfg(feature = "failures")]
pub(super) fn reset() {
    CAREFUL.store(false, Relaxed);
}
