//! No locks, on systems where this crate has none.

use std::fs::File;

use wasi_mmap_core::{Error, HeldLock, LockKind, LockRange, Result, Rights};

/// An owner of locks. None exists on this system.
#[derive(Debug)]
pub(super) enum Owner {}

impl Owner {
    /// Returns an error for every file.
    pub(super) fn new(_: &File, _: Rights) -> Result<Self> {
        Err(Error::Unsupported("locks on this system".into()))
    }

    pub(super) fn lock(&self, _: LockRange, _: LockKind) -> Result<()> {
        match *self {}
    }

    pub(super) fn try_lock(&self, _: LockRange, _: LockKind) -> Result<bool> {
        match *self {}
    }

    pub(super) fn unlock(&self, _: LockRange) -> Result<()> {
        match *self {}
    }

    pub(super) fn test(&self, _: LockRange, _: LockKind) -> Result<Option<HeldLock>> {
        match *self {}
    }

    pub(super) fn lock_file(&self, _: LockKind) -> Result<()> {
        match *self {}
    }

    pub(super) fn try_lock_file(&self, _: LockKind) -> Result<bool> {
        match *self {}
    }

    pub(super) fn unlock_file(&self) -> Result<()> {
        match *self {}
    }
}
