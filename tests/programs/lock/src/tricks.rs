//! Handles that a plugin does not have.

use wasi_mmap::bindings::wasi_mmap::mmap::lock::FileLock as Handle;
use wasi_mmap::bindings::wasi_mmap::mmap::types::LockKind as WitKind;

use crate::{Check, descriptor, handle};

pub(crate) const CHECKS: &[Check] =
    &[("dropped-handle", dropped_handle), ("foreign-handle", foreign_handle), ("unknown-handle", unknown_handle)];

/// Uses a handle as one of an owner of locks.
fn use_handle(handle: u32) {
    // SAFETY: none is claimed: the host must cope with whatever number a plugin passes it.
    let handle = unsafe { Handle::from_handle(handle) };
    let outcome = handle.try_lock(0, 0, WitKind::Exclusive);
    println!("{outcome:?}");
}

fn dropped_handle() {
    let owner = handle();
    let number = owner.handle();
    drop(owner);
    use_handle(number);
}

fn foreign_handle() {
    let descriptor = descriptor();
    use_handle(descriptor.handle());
}

fn unknown_handle() {
    use_handle(12_345);
}
