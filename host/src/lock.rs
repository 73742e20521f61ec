//! The resource behind a plugin's owner of locks, and its share of the store's limits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasi_mmap_core::{Error, HeldLock, LockKind, LockRange, LockTable, Result};
use wasi_mmap_native::FileLock;
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;

use crate::limits::Limit;
use crate::mapping::rights_of;
use crate::quota::Permit;
use crate::view::View;

/// A plugin's owner of locks. Dropping it releases them.
#[derive(Debug)]
pub(crate) struct HostLock {
    lock: FileLock,
    held: Mutex<Held>,
    _owner_permit: Permit,
}

/// The ranges that are locked, and the permit for as many.
#[derive(Debug)]
struct Held {
    ranges: LockTable,
    permit: Permit,
}

impl HostLock {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks a range within the store's limits, unless another owner has locked it. Returns whether it did.
    pub(crate) fn try_lock(&self, range: LockRange, kind: LockKind) -> Result<bool> {
        self.change(range, Some(kind), || self.lock.try_lock_range(range, kind))
    }

    /// Unlocks a range.
    pub(crate) fn unlock(&self, range: LockRange) -> Result<()> {
        self.change(range, None, || self.lock.unlock_range(range).map(|()| true)).map(drop)
    }

    /// Makes a change of the ranges, which returns whether it was made.
    fn change(&self, range: LockRange, kind: Option<LockKind>, make: impl FnOnce() -> Result<bool>) -> Result<bool> {
        let mut held = self.held();
        let Held { ranges, permit } = &mut *held;
        let before = permit.amount();
        permit.change(before.max(ranges.len_after(range, kind) as u64))?;
        let made = make();
        if made == Ok(true) {
            ranges.set(range, kind);
        }
        // No more than was granted.
        permit.change(ranges.len() as u64)?;
        made
    }

    pub(crate) fn test(&self, range: LockRange, kind: LockKind) -> Result<Option<HeldLock>> {
        self.lock.test_range(range, kind)
    }

    pub(crate) fn try_lock_file(&self, kind: LockKind) -> Result<bool> {
        self.lock.try_lock_file(kind)
    }

    pub(crate) fn unlock_file(&self) -> Result<()> {
        self.lock.unlock_file()
    }
}

impl View<'_> {
    /// Makes an owner of locks on the file of a descriptor, which stays in the plugin's table.
    pub(crate) fn lock_owner(
        &mut self,
        descriptor: &Resource<Descriptor>,
    ) -> wasmtime::Result<Result<Resource<Arc<HostLock>>>> {
        let owner = match self.table.get(descriptor)? {
            Descriptor::Dir(_) => Err(Error::Unsupported("locks on a directory".into())),
            Descriptor::File(file) => {
                let account = &self.ctx.account;
                Permit::new(account, Limit::LockOwners, 1).and_then(|permit| {
                    let ranges = Held { ranges: LockTable::default(), permit: Permit::new(account, Limit::Locks, 0)? };
                    let lock = FileLock::with_rights(&file.file, rights_of(file))?;
                    Ok(HostLock { lock, held: Mutex::new(ranges), _owner_permit: permit })
                })
            }
        };
        match owner {
            Ok(owner) => Ok(Ok(self.table.push(Arc::new(owner))?)),
            Err(error) => Ok(Err(error)),
        }
    }
}
