//! Locks of the host.

use std::fs::File;
use std::ops::RangeBounds;
use std::os::fd::AsFd;

use wasi_mmap_core::{HeldLock, LockKind, LockRange, Result};
use wasi_mmap_sys::HeldFile;
use wasi_mmap_sys::bindings::wasi::filesystem::types::Descriptor;
use wasi_mmap_sys::bindings::wasi_mmap::mmap::lock::FileLock as Handle;

/// An owner of locks on one file. Dropping it releases all of them.
///
/// Locks are advisory: they conflict with other locks, and not with reads and writes. Locks of one owner do not conflict
/// with each other; those of two owners do, also in one plugin. Locks on ranges conflict with those of `fcntl(2)` of
/// native programs, and locks on the whole file with those of `flock(2)`; the two know nothing of each other.
#[derive(Debug)]
pub struct FileLock(Handle);

impl FileLock {
    /// Makes an owner without locks. A shared lock needs a file that is open for reading, and an exclusive one a file
    /// that is open for writing.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`](crate::Error::Unsupported) for anything but a regular file, on the fallback, for a file of
    /// a C library other than wasi-libc, and if the host's system has no such locks;
    /// [`Error::LimitExceeded`](crate::Error::LimitExceeded); [`Error::NotPermitted`](crate::Error::NotPermitted);
    /// [`Error::Io`](crate::Error::Io).
    pub fn new(file: &File) -> Result<Self> {
        Self::of_descriptor(HeldFile::new(file.as_fd())?.descriptor())
    }

    /// Makes an owner without locks for a file of `wasi:filesystem`. Otherwise as [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn of_descriptor(file: &Descriptor) -> Result<Self> {
        Ok(Self(Handle::from_borrowed(file)?))
    }

    /// Locks a range. Waits as long as another owner holds a conflicting lock on a part of it.
    ///
    /// The range has the new kind afterwards, whatever locks of this owner were there. Until the lock is granted, those
    /// remain. Deadlocks are not detected. A range without an end reaches to the end of the file, however long the file
    /// becomes.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) (`offset`, `length`);
    /// [`Error::Invalid`](crate::Error::Invalid) (`length`, an empty range);
    /// [`Error::NotPermitted`](crate::Error::NotPermitted), if the file is not open for it;
    /// [`Error::LimitExceeded`](crate::Error::LimitExceeded); [`Error::Io`](crate::Error::Io).
    pub fn lock(&self, range: impl RangeBounds<u64>, kind: LockKind) -> Result<()> {
        let range = LockRange::of(&range)?;
        Ok(self.0.lock(range.offset(), range.length(), kind.into())?)
    }

    /// Locks a range, and returns true, unless another owner holds a conflicting lock on a part of it. Then returns
    /// false, and nothing has changed.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock).
    pub fn try_lock(&self, range: impl RangeBounds<u64>, kind: LockKind) -> Result<bool> {
        let range = LockRange::of(&range)?;
        Ok(self.0.try_lock(range.offset(), range.length(), kind.into())?)
    }

    /// Unlocks a range, of which any part, or none, may be locked. What is locked on both sides of it remains.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) (`offset`, `length`);
    /// [`Error::Invalid`](crate::Error::Invalid) (`length`, an empty range);
    /// [`Error::LimitExceeded`](crate::Error::LimitExceeded), if a lock would be split in two;
    /// [`Error::Io`](crate::Error::Io).
    pub fn unlock(&self, range: impl RangeBounds<u64>) -> Result<()> {
        let range = LockRange::of(&range)?;
        Ok(self.0.unlock(range.offset(), range.length())?)
    }

    /// Returns a lock of another owner that conflicts with a lock of this kind on the range, if there is one. There may
    /// be more.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) (`offset`, `length`);
    /// [`Error::Invalid`](crate::Error::Invalid) (`length`, an empty range); [`Error::Io`](crate::Error::Io).
    pub fn test(&self, range: impl RangeBounds<u64>, kind: LockKind) -> Result<Option<HeldLock>> {
        let range = LockRange::of(&range)?;
        self.0.test(range.offset(), range.length(), kind.into())?.map(HeldLock::try_from).transpose()
    }

    /// Locks the whole file. Waits as long as another owner holds a conflicting lock.
    ///
    /// If this owner holds a lock of the other kind, that is released first: others may lock the file in between.
    ///
    /// # Errors
    ///
    /// [`Error::NotPermitted`](crate::Error::NotPermitted), if the file is not open for it;
    /// [`Error::Io`](crate::Error::Io).
    pub fn lock_file(&self, kind: LockKind) -> Result<()> {
        Ok(self.0.lock_file(kind.into())?)
    }

    /// Locks the whole file, and returns true, unless another owner holds a conflicting lock. Then returns false, and a
    /// lock of the other kind that this owner held is released.
    ///
    /// # Errors
    ///
    /// As [`lock_file`](Self::lock_file).
    pub fn try_lock_file(&self, kind: LockKind) -> Result<bool> {
        Ok(self.0.try_lock_file(kind.into())?)
    }

    /// Unlocks the whole file. Unlocking a file that is not locked is not an error.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io).
    pub fn unlock_file(&self) -> Result<()> {
        Ok(self.0.unlock_file()?)
    }
}
