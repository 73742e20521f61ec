//! No locks, where there is only the fallback.

use std::fs::File;
use std::ops::RangeBounds;

use wasi_mmap_core::{Error, HeldLock, LockKind, Result};

/// An owner of locks on one file. None exists on this target.
#[derive(Debug)]
pub enum FileLock {}

impl FileLock {
    /// Returns an error for every file.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`].
    pub fn new(_: &File) -> Result<Self> {
        Err(Error::Unsupported("locks in the fallback".into()))
    }

    /// Locks a range. There is no owner that could.
    ///
    /// # Errors
    ///
    /// None.
    pub fn lock(&self, _: impl RangeBounds<u64>, _: LockKind) -> Result<()> {
        match *self {}
    }

    /// Locks a range, if no other owner has locked it. There is no owner that could.
    ///
    /// # Errors
    ///
    /// None.
    pub fn try_lock(&self, _: impl RangeBounds<u64>, _: LockKind) -> Result<bool> {
        match *self {}
    }

    /// Unlocks a range. There is no owner that could.
    ///
    /// # Errors
    ///
    /// None.
    pub fn unlock(&self, _: impl RangeBounds<u64>) -> Result<()> {
        match *self {}
    }

    /// Returns a lock of another owner on the range. There is no owner that could.
    ///
    /// # Errors
    ///
    /// None.
    pub fn test(&self, _: impl RangeBounds<u64>, _: LockKind) -> Result<Option<HeldLock>> {
        match *self {}
    }

    /// Locks the whole file. There is no owner that could.
    ///
    /// # Errors
    ///
    /// None.
    pub fn lock_file(&self, _: LockKind) -> Result<()> {
        match *self {}
    }

    /// Locks the whole file, if no other owner has locked it. There is no owner that could.
    ///
    /// # Errors
    ///
    /// None.
    pub fn try_lock_file(&self, _: LockKind) -> Result<bool> {
        match *self {}
    }

    /// Unlocks the whole file. There is no owner that could.
    ///
    /// # Errors
    ///
    /// None.
    pub fn unlock_file(&self) -> Result<()> {
        match *self {}
    }
}
