//! Locks on files. Only Linux has them.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod unsupported;

use std::fs::File;
use std::ops::RangeBounds;

use wasi_mmap_core::{HeldLock, LockKind, LockRange, Result, Rights};

#[cfg(target_os = "linux")]
use linux as sys;
#[cfg(not(target_os = "linux"))]
use unsupported as sys;

/// An owner of locks on one file. Dropping it releases all of them.
///
/// Locks are advisory: they conflict with other locks, and not with reads and writes. Locks of one owner do not conflict
/// with each other; those of two owners do, also in one process. There are two kinds, which know nothing of each other:
///
/// - Locks on ranges are open-file-description locks. They conflict with each other, with the locks of `fcntl(2)` of
///   other processes, such as those of SQLite and LMDB, and with those of this process.
/// - Locks on the whole file are those of BSD `flock(2)`, which [`File::lock`] takes as well.
///
/// An owner has an open file description of its own. So the file's own descriptor may be closed, and locks on it are
/// others. When an owner is dropped, the system closes a descriptor of the file: as after every other `close(2)`, the
/// locks that this *process* holds on the file with `F_SETLK` are gone.
///
/// Only Linux has these locks; elsewhere, [`new`](Self::new) returns [`Error::Unsupported`](crate::Error::Unsupported).
///
/// # Example
///
/// ```
/// use wasi_mmap_native::{FileLock, LockKind};
///
/// # if cfg!(not(target_os = "linux")) { return Ok(()); }
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("database");
/// let file = std::fs::File::create_new(&path)?;
/// let (one, other) = (FileLock::new(&file)?, FileLock::new(&file)?);
/// one.lock(..100, LockKind::Exclusive)?;
/// assert!(!other.try_lock(50..150, LockKind::Exclusive)?);
/// one.unlock(50..100)?;
/// assert!(other.try_lock(50..150, LockKind::Exclusive)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FileLock(sys::Owner);

impl FileLock {
    /// Makes an owner without locks.
    ///
    /// A shared lock needs a file that is open for reading, and an exclusive one a file that is open for writing.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`](crate::Error::Unsupported) for anything but a regular file, on other systems than Linux,
    /// and without `/proc`; [`Error::NotPermitted`](crate::Error::NotPermitted), if this process may no longer open the
    /// file as it is open; [`Error::Io`](crate::Error::Io).
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_native::Error;
    /// use wasi_mmap_native::{FileLock, LockKind};
    ///
    /// # if cfg!(not(target_os = "linux")) { return Ok(()); }
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("database");
    /// std::fs::write(&path, "")?;
    /// let lock = FileLock::new(&std::fs::File::open(&path)?)?;
    /// lock.lock(.., LockKind::Shared)?;
    /// assert!(matches!(lock.lock(.., LockKind::Exclusive), Err(Error::NotPermitted(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(file: &File) -> Result<Self> {
        Self::with_rights(file, Rights::all())
    }

    /// Makes an owner with no more rights than `rights`, even if the file's descriptor has more.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_rights(file: &File, rights: Rights) -> Result<Self> {
        Ok(Self(sys::Owner::new(file, rights)?))
    }

    /// Locks a range. Waits as long as another owner holds a conflicting lock on a part of it.
    ///
    /// The range has the new kind afterwards, whatever locks of this owner were there. Until the lock is granted, those
    /// remain. Deadlocks are not detected. A range without an end reaches to the end of the file, however long the file
    /// becomes. Linux `fcntl(2)` with `F_OFD_SETLKW`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) (`offset`, `length`);
    /// [`Error::Invalid`](crate::Error::Invalid) (`length`, an empty range);
    /// [`Error::NotPermitted`](crate::Error::NotPermitted), if the file is not open for it;
    /// [`Error::Io`](crate::Error::Io).
    ///
    /// # Example
    ///
    /// See [the type](Self#example).
    pub fn lock(&self, range: impl RangeBounds<u64>, kind: LockKind) -> Result<()> {
        self.0.lock(LockRange::of(&range)?, kind)
    }

    /// Locks a range, and returns true, unless another owner holds a conflicting lock on a part of it. Then returns
    /// false, and nothing has changed. Linux `fcntl(2)` with `F_OFD_SETLK`.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock).
    ///
    /// # Example
    ///
    /// See [the type](Self#example).
    pub fn try_lock(&self, range: impl RangeBounds<u64>, kind: LockKind) -> Result<bool> {
        self.try_lock_range(LockRange::of(&range)?, kind)
    }

    /// As [`try_lock`](Self::try_lock).
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock).
    #[doc(hidden)]
    pub fn try_lock_range(&self, range: LockRange, kind: LockKind) -> Result<bool> {
        self.0.try_lock(range, kind)
    }

    /// Unlocks a range, of which any part, or none, may be locked. What is locked on both sides of it remains. Linux
    /// `fcntl(2)` with `F_OFD_SETLK` and `F_UNLCK`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) (`offset`, `length`);
    /// [`Error::Invalid`](crate::Error::Invalid) (`length`, an empty range); [`Error::Io`](crate::Error::Io).
    ///
    /// # Example
    ///
    /// See [the type](Self#example).
    pub fn unlock(&self, range: impl RangeBounds<u64>) -> Result<()> {
        self.unlock_range(LockRange::of(&range)?)
    }

    /// As [`unlock`](Self::unlock).
    ///
    /// # Errors
    ///
    /// As [`unlock`](Self::unlock).
    #[doc(hidden)]
    pub fn unlock_range(&self, range: LockRange) -> Result<()> {
        self.0.unlock(range)
    }

    /// Returns a lock of another owner that conflicts with a lock of this kind on the range, if there is one. There may
    /// be more. Linux `fcntl(2)` with `F_OFD_GETLK`.
    ///
    /// # Errors
    ///
    /// As [`unlock`](Self::unlock).
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_native::{FileLock, LockKind};
    ///
    /// # if cfg!(not(target_os = "linux")) { return Ok(()); }
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("database");
    /// let file = std::fs::File::create_new(&path)?;
    /// let (one, other) = (FileLock::new(&file)?, FileLock::new(&file)?);
    /// one.lock(10..20, LockKind::Exclusive)?;
    /// let held = other.test(.., LockKind::Shared)?.expect("a conflict");
    /// assert_eq!((held.range.offset(), held.range.length()), (10, 10));
    /// assert_eq!(one.test(.., LockKind::Shared)?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn test(&self, range: impl RangeBounds<u64>, kind: LockKind) -> Result<Option<HeldLock>> {
        self.test_range(LockRange::of(&range)?, kind)
    }

    /// As [`test`](Self::test).
    ///
    /// # Errors
    ///
    /// As [`unlock`](Self::unlock).
    #[doc(hidden)]
    pub fn test_range(&self, range: LockRange, kind: LockKind) -> Result<Option<HeldLock>> {
        self.0.test(range, kind)
    }

    /// Locks the whole file. Waits as long as another owner holds a conflicting lock. BSD `flock(2)`.
    ///
    /// If this owner holds a lock of the other kind, that is released first: others may lock the file in between.
    ///
    /// # Errors
    ///
    /// [`Error::NotPermitted`](crate::Error::NotPermitted), if the file is not open for it;
    /// [`Error::Io`](crate::Error::Io).
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_native::{FileLock, LockKind};
    ///
    /// # if cfg!(not(target_os = "linux")) { return Ok(()); }
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("database");
    /// let file = std::fs::File::create_new(&path)?;
    /// let lock = FileLock::new(&file)?;
    /// lock.lock_file(LockKind::Exclusive)?;
    /// assert!(matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)));
    /// lock.unlock_file()?;
    /// file.try_lock()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lock_file(&self, kind: LockKind) -> Result<()> {
        self.0.lock_file(kind)
    }

    /// Locks the whole file, and returns true, unless another owner holds a conflicting lock. Then returns false, and a
    /// lock of the other kind that this owner held is released. BSD `flock(2)` with `LOCK_NB`.
    ///
    /// # Errors
    ///
    /// As [`lock_file`](Self::lock_file).
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_native::{FileLock, LockKind};
    ///
    /// # if cfg!(not(target_os = "linux")) { return Ok(()); }
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("database");
    /// let file = std::fs::File::create_new(&path)?;
    /// let (one, other) = (FileLock::new(&file)?, FileLock::new(&file)?);
    /// assert!(one.try_lock_file(LockKind::Shared)?);
    /// assert!(!other.try_lock_file(LockKind::Exclusive)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_lock_file(&self, kind: LockKind) -> Result<bool> {
        self.0.try_lock_file(kind)
    }

    /// Unlocks the whole file. Unlocking a file that is not locked is not an error. BSD `flock(2)` with `LOCK_UN`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io).
    ///
    /// # Example
    ///
    /// See [`lock_file`](Self::lock_file#example).
    pub fn unlock_file(&self) -> Result<()> {
        self.0.unlock_file()
    }
}
