//! Waiting for a lock.
//!
//! The system's own wait could not be interrupted, and would block an async store. So the lock is tried again and again,
//! with pauses in between.

use std::sync::Arc;

use wasi_mmap_core::{LockKind, LockRange, Result};

use super::{Started, Steps};
use crate::ctx::Interrupt;
use crate::limits::Limits;
use crate::lock::HostLock;

/// A call that locks: its owner, and what the store allows.
#[derive(Debug)]
pub(crate) struct LockCall {
    pub(crate) owner: Arc<HostLock>,
    pub(crate) limits: Limits,
    pub(crate) interrupt: Interrupt,
}

/// Locks a range.
pub(crate) fn range(call: LockCall, range: Result<LockRange>, kind: LockKind) -> Started<()> {
    let LockCall { owner, limits, interrupt } = call;
    match range {
        Ok(range) => wait(interrupt, move || owner.try_lock(&limits, range, kind)),
        Err(error) => Started::Done(Err(error)),
    }
}

/// Locks the whole file.
pub(crate) fn file(call: LockCall, kind: LockKind) -> Started<()> {
    let LockCall { owner, interrupt, .. } = call;
    wait(interrupt, move || owner.try_lock_file(kind))
}

fn wait(interrupt: Interrupt, mut try_lock: impl FnMut() -> Result<bool> + Send + 'static) -> Started<()> {
    let mut attempt = move || match try_lock() {
        Ok(true) => Some(Ok(())),
        Ok(false) => None,
        Err(error) => Some(Err(error)),
    };
    match attempt() {
        Some(result) => Started::Done(result),
        None => Started::Steps(Steps::new("waiting for a lock", interrupt, move |_| attempt()).with_pauses()),
    }
}
