//! The owners of the program's locks.
//!
//! The host's locks belong to owners, each of which is an open file of its own. POSIX knows two other ways:
//!
//! - `F_SETLK`: all locks of the program on a file have one owner, whatever descriptor they were made with, and are gone
//!   when the program closes any descriptor of the file.
//! - `F_OFD_SETLK` and `flock(2)`: each open file has its own, which are gone when it is closed.
//!
//! Who locks a file believes to see what the last owner has stored. Copies do not show it: a program has shared copies or
//! locks, and not both.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, Once, TryLockError};

use wasi_mmap_core::{Error, FileKind, Rights};
use wasi_mmap_sys::HeldFile;
use wasi_mmap_sys::bindings::wasi_mmap::mmap::lock::FileLock;
use wasi_mmap_sys::bindings::wasi_mmap::mmap::types::{HeldLock, LockKind};
use wasi_mmap_sys::observer::{Observer, add_observer};

use super::errno::{EAGAIN, EBADF, EINVAL, ENOLCK, Errno, Result};
use super::process::process;
use crate::ranges::{END, Kind, Ranges};

/// The locks of the program.
#[derive(Debug)]
struct Locks {
    /// Those of the program, for each file that it has locked.
    of_files: Vec<FileLocks>,
    /// The owners for each open file, by its handle.
    of_descriptions: BTreeMap<u32, LockOwner>,
}

/// An owner of locks, which is counted.
#[derive(Debug)]
struct LockOwner(FileLock);

static OWNERS: AtomicUsize = AtomicUsize::new(0);

/// Returns whether the program may have locks.
pub(crate) fn has_owners() -> bool {
    OWNERS.load(Relaxed) > 0
}

impl Drop for LockOwner {
    fn drop(&mut self) {
        OWNERS.fetch_sub(1, Relaxed);
    }
}

static LOCKS: Mutex<Locks> = Mutex::new(Locks { of_files: Vec::new(), of_descriptions: BTreeMap::new() });

/// The locks of the program on a file.
#[derive(Debug)]
struct FileLocks {
    /// An open file, which tells which one it is.
    file: HeldFile,
    owner: LockOwner,
    /// What the owner may do.
    rights: Rights,
    ranges: Ranges,
}

/// Releases the locks of files that are closed.
struct CloseObserver;

impl Observer for CloseObserver {
    fn before(&self, _: &HeldFile, _: &Range<u64>) {}

    fn after_write(&self, _: &HeldFile, _: &Range<u64>) {}

    fn before_close(&self, file: &HeldFile) {
        // Files that are opened and closed while the table is in use are not the program's.
        let mut locks = match LOCKS.try_lock() {
            Ok(locks) => locks,
            Err(TryLockError::Poisoned(locks)) => locks.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        locks.of_descriptions.remove(&file.descriptor().handle());
        locks.of_files.retain(|locks| !locks.file.is_same(file));
    }
}

/// Who owns a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The program: `F_SETLK`.
    Program,
    /// The open file: `F_OFD_SETLK`, `flock(2)`.
    Description,
}

/// An open file that is to be locked.
#[derive(Debug)]
pub(crate) struct Lockable {
    file: HeldFile,
    rights: Rights,
}

impl Lockable {
    /// # Errors
    ///
    /// `EBADF`; `EINVAL`, if it is not a regular file.
    pub(crate) fn new(fd: RawFd) -> Result<Self> {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| add_observer(&CloseObserver));
        if fd < 0 {
            return Err(EBADF);
        }
        // SAFETY: if the descriptor is not open, the system says so.
        let file =
            HeldFile::new(unsafe { BorrowedFd::borrow_raw(fd) }).map_err(|error| match error.raw_os_error() {
                Some(code) => Errno(code),
                // Standard input and the like.
                None => EINVAL,
            })?;
        let info = file.info()?;
        if info.kind != FileKind::Regular {
            return Err(EINVAL);
        }
        Ok(Self { file, rights: info.rights })
    }

    /// Returns the length of the file in bytes.
    pub(crate) fn len(&self) -> Result<u64> {
        Ok(self.file.len()?)
    }

    fn check_rights(&self, kind: Kind) -> Result<()> {
        if self.rights.contains(right(kind)) { Ok(()) } else { Err(EBADF) }
    }

    /// Locks a range, and waits for it if `wait`.
    ///
    /// # Errors
    ///
    /// `EAGAIN`, if somebody else has a lock; `EBADF`, if the descriptor was not opened for it; `ENOLCK`, if there are
    /// no locks, or no more of them.
    pub(crate) fn lock(self, owner: Owner, range: &Range<u64>, kind: Kind, wait: bool) -> Result<()> {
        self.check_rights(kind)?;
        let mut locks = lock_table();
        match owner {
            Owner::Program => {
                let locks = locks.of_file(self, Some(kind))?;
                acquire(&locks.owner.0, range, kind, wait)?;
                locks.ranges.set(range.clone(), Some(kind));
                Ok(())
            }
            Owner::Description => acquire(locks.of_description(&self.file)?, range, kind, wait),
        }
    }

    /// Unlocks a range.
    ///
    /// # Errors
    ///
    /// `ENOLCK`, if there are no locks, or no more of them.
    pub(crate) fn unlock(self, owner: Owner, range: &Range<u64>) -> Result<()> {
        let mut locks = lock_table();
        match owner {
            Owner::Program => {
                let locks = locks.of_file(self, None)?;
                locks.owner.0.unlock(range.start, length(range)).map_err(refusal)?;
                locks.ranges.set(range.clone(), None);
                Ok(())
            }
            Owner::Description => {
                Ok(locks.of_description(&self.file)?.unlock(range.start, length(range)).map_err(refusal)?)
            }
        }
    }

    /// Returns a lock of somebody else that excludes one of a kind.
    ///
    /// # Errors
    ///
    /// `ENOLCK`, if there are no locks, or no more of them.
    pub(crate) fn test(self, owner: Owner, range: &Range<u64>, kind: Kind) -> Result<Option<HeldLock>> {
        let mut locks = lock_table();
        let owner = match owner {
            Owner::Program => &locks.of_file(self, None)?.owner.0,
            Owner::Description => locks.of_description(&self.file)?,
        };
        owner.test(range.start, length(range), wit(kind)).map_err(refusal)
    }

    /// Locks the whole file as `flock(2)` does, or unlocks it.
    ///
    /// # Errors
    ///
    /// `EWOULDBLOCK`, if somebody else has a lock; `ENOLCK`, if there are no locks.
    pub(crate) fn lock_file(self, kind: Option<Kind>, wait: bool) -> Result<()> {
        let mut locks = lock_table();
        let owner = locks.of_description(&self.file)?;
        let Some(kind) = kind else { return owner.unlock_file().map_err(refusal) };
        if wait {
            return owner.lock_file(wit(kind)).map_err(refusal);
        }
        if owner.try_lock_file(wit(kind)).map_err(refusal)? { Ok(()) } else { Err(EAGAIN) }
    }
}

fn lock_table() -> std::sync::MutexGuard<'static, Locks> {
    LOCKS.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Locks {
    /// Returns the locks of the program on a file, whose owner may lock it with a kind.
    fn of_file(&mut self, lockable: Lockable, kind: Option<Kind>) -> Result<&mut FileLocks> {
        let Some(index) = self.of_files.iter().position(|locks| locks.file.is_same(&lockable.file)) else {
            let owner = new_owner(&lockable.file)?;
            let Lockable { file, rights } = lockable;
            self.of_files.push(FileLocks { file, owner, rights, ranges: Ranges::default() });
            let last = self.of_files.len() - 1;
            return Ok(&mut self.of_files[last]);
        };
        let locks = &mut self.of_files[index];
        if let Some(kind) = kind
            && !locks.rights.contains(right(kind))
        {
            locks.change_owner(lockable)?;
        }
        Ok(locks)
    }

    /// Returns the owner for an open file.
    fn of_description(&mut self, file: &HeldFile) -> Result<&FileLock> {
        Ok(match self.of_descriptions.entry(file.descriptor().handle()) {
            Entry::Occupied(entry) => &entry.into_mut().0,
            Entry::Vacant(entry) => &entry.insert(new_owner(file)?).0,
        })
    }
}

impl FileLocks {
    /// Gives all locks to an owner with other rights. Shared locks of both exist side by side for a moment. Exclusive
    /// ones cannot: they are released first, and if somebody else gets one, the error is `EAGAIN`.
    fn change_owner(&mut self, lockable: Lockable) -> Result<()> {
        let owner = new_owner(&lockable.file)?;
        for (range, kind) in self.ranges.iter() {
            if kind == Kind::Exclusive {
                self.owner.0.unlock(range.start, length(&range)).map_err(refusal)?;
            }
            if let Err(error) = acquire(&owner.0, &range, kind, false) {
                drop(owner);
                for (range, kind) in self.ranges.iter() {
                    // Those that were released, if nobody else has them.
                    let _ = acquire(&self.owner.0, &range, kind, false);
                }
                return Err(error);
            }
        }
        self.owner = owner;
        self.rights = lockable.rights;
        Ok(())
    }
}

fn new_owner(file: &HeldFile) -> Result<LockOwner> {
    let owner = FileLock::from_borrowed(file.descriptor()).map_err(refusal)?;
    if process().has_shared_copies() {
        return Err(ENOLCK);
    }
    OWNERS.fetch_add(1, Relaxed);
    Ok(LockOwner(owner))
}

fn acquire(owner: &FileLock, range: &Range<u64>, kind: Kind, wait: bool) -> Result<()> {
    if wait {
        return owner.lock(range.start, length(range), wit(kind)).map_err(refusal);
    }
    if owner.try_lock(range.start, length(range), wit(kind)).map_err(refusal)? { Ok(()) } else { Err(EAGAIN) }
}

/// Returns the length of a range as the host has it: 0 for one without an end.
fn length(range: &Range<u64>) -> u64 {
    if range.end == END { 0 } else { range.end - range.start }
}

fn wit(kind: Kind) -> LockKind {
    match kind {
        Kind::Shared => LockKind::Shared,
        Kind::Exclusive => LockKind::Exclusive,
    }
}

fn right(kind: Kind) -> Rights {
    match kind {
        Kind::Shared => Rights::READ,
        Kind::Exclusive => Rights::WRITE,
    }
}

fn refusal(error: wasi_mmap_sys::bindings::wasi_mmap::mmap::types::Error) -> Errno {
    match Error::from(error) {
        Error::Unsupported(_) | Error::LimitExceeded(_) => ENOLCK,
        Error::NotPermitted(_) => EBADF,
        error => error.into(),
    }
}
