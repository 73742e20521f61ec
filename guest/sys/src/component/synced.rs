//! Files that were opened with `O_SYNC` or `O_DSYNC`, on hosts that refuse to open them so, as wasmtime does: each write
//! is made durable here.

use std::cell::RefCell;
use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::calls::lent;
use crate::bindings::wasi::filesystem::types::ErrorCode;

/// `descriptor-flags.file-integrity-sync`: `O_SYNC`.
const FILE_INTEGRITY: i32 = 1 << 2;

/// `descriptor-flags.data-integrity-sync`: `O_DSYNC`.
const DATA_INTEGRITY: i32 = 1 << 3;

/// `descriptor-flags.requested-write-sync`: `O_RSYNC`.
const REQUESTED_WRITE: i32 = 1 << 4;

/// What is synchronized after each write.
#[derive(Debug, Clone, Copy)]
enum Synced {
    Data,
    File,
}

thread_local! {
    static SYNCED: RefCell<HashMap<i32, Synced, FxBuildHasher>> = const { RefCell::new(HashMap::with_hasher(FxBuildHasher)) };
}

/// Returns the flags without those that a host may refuse, if there are any among them.
pub(super) fn without(flags: i32) -> Option<i32> {
    let remaining = flags & !(FILE_INTEGRITY | DATA_INTEGRITY | REQUESTED_WRITE);
    (remaining != flags).then_some(remaining)
}

/// Notes that a file was opened without the flags that the program has asked for.
pub(super) fn record(handle: i32, flags: i32) {
    let synced = match flags {
        flags if flags & FILE_INTEGRITY != 0 => Synced::File,
        flags if flags & DATA_INTEGRITY != 0 => Synced::Data,
        // It is about reads.
        _ => return,
    };
    SYNCED.with_borrow_mut(|files| files.insert(handle, synced));
}

/// Forgets a handle that is dropped.
pub(super) fn forget(handle: i32) {
    SYNCED.with_borrow_mut(|files| files.remove(&handle));
}

/// Makes what was written to a file durable, if the program has opened it for that.
///
/// # Errors
///
/// Those of `descriptor.sync` and `descriptor.sync-data`.
pub(super) fn after_write(handle: i32) -> Result<(), ErrorCode> {
    match SYNCED.with_borrow(|files| files.get(&handle).copied()) {
        None => Ok(()),
        Some(Synced::Data) => lent(handle).descriptor().sync_data(),
        Some(Synced::File) => lent(handle).descriptor().sync(),
    }
}
