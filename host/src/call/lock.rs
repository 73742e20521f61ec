//! Waiting for a lock.
//!
//! The system's own wait could not be interrupted, and would block an async store. So the lock is tried again and again,
//! with pauses in between.

use std::sync::Arc;

use wasi_mmap_core::{LockKind, LockRange, Result};

use super::{Started, Steps};
use crate::ctx::Interrupt;
use crate::lock::HostLock;
use crate::memory::GrowingWindows;

/// A call that locks: its owner, and what the store has.
#[derive(Debug)]
pub(crate) struct LockCall {
    pub(crate) owner: Arc<HostLock>,
    pub(crate) interrupt: Interrupt,
    pub(crate) growing: GrowingWindows,
}

impl LockCall {
    /// Locks a range, unless another owner has locked it. Returns whether it did.
    pub(crate) fn try_range(&self, range: LockRange, kind: LockKind) -> Result<bool> {
        self.growth_after(self.owner.try_lock(range, kind))
    }

    /// Locks the whole file, unless another owner has locked it. Returns whether it did.
    pub(crate) fn try_file(&self, kind: LockKind) -> Result<bool> {
        self.growth_after(self.owner.try_lock_file(kind))
    }

    /// Shows in windows what the holders of the lock before have written.
    fn growth_after(&self, locked: Result<bool>) -> Result<bool> {
        if locked == Ok(true) {
            self.growing.show_growth();
        }
        locked
    }
}

/// Locks a range.
pub(crate) fn range(call: LockCall, range: Result<LockRange>, kind: LockKind) -> Started<()> {
    match range {
        Ok(range) => wait(call, move |call| call.try_range(range, kind)),
        Err(error) => Started::Done(Err(error)),
    }
}

/// Locks the whole file.
pub(crate) fn file(call: LockCall, kind: LockKind) -> Started<()> {
    wait(call, move |call| call.try_file(kind))
}

fn wait(call: LockCall, try_lock: impl Fn(&LockCall) -> Result<bool> + Send + 'static) -> Started<()> {
    let interrupt = call.interrupt.clone();
    let attempt = move || match try_lock(&call) {
        Ok(true) => Some(Ok(())),
        Ok(false) => None,
        Err(error) => Some(Err(error)),
    };
    match attempt() {
        Some(result) => Started::Done(result),
        None => Started::Steps(Steps::new("waiting for a lock", interrupt, move |_| attempt()).with_pauses()),
    }
}
