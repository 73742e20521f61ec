//! The interface `lock`.

use std::sync::Arc;

use wasi_mmap_core::{LockRange, Result};
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;

use super::method::{Caller, Interface, WitResult, to_wit};
use crate::bindings::types as wit;
use crate::call::lock::{self, LockCall};
use crate::ctx::MmapCtx;
use crate::lock::HostLock;

/// A plugin's handle. As of a mapping, the table holds a shared pointer.
type Handle = Resource<HostLock>;

/// Adds the functions.
pub(super) fn add<T: Send + 'static>(interface: &mut Interface<'_, T>) -> wasmtime::Result<()> {
    interface.resource::<HostLock>("file-lock", |view, rep| {
        view.table.delete(Resource::<Arc<HostLock>>::new_own(rep))?;
        Ok(())
    })?;
    interface.add(
        "[static]file-lock.from-borrowed",
        |mut caller: Caller<'_, T>, (file,): (Resource<Descriptor>,)| -> WitResult<Handle> {
            let owner = caller.view()?.lock_owner(&file)?;
            to_wit(owner.map(|owner| Resource::new_own(owner.rep())))
        },
    )?;
    interface.add_long(
        "[method]file-lock.lock",
        to_wit,
        |caller: &mut Caller<'_, T>, (handle, offset, length, kind): (Handle, u64, u64, wit::LockKind)| {
            Ok(lock::range(caller.begin_lock(&handle)?, LockRange::new(offset, length), kind.into()))
        },
    )?;
    interface.add(
        "[method]file-lock.try-lock",
        |mut caller: Caller<'_, T>, (handle, offset, length, kind): (Handle, u64, u64, wit::LockKind)| {
            let call = caller.begin_lock(&handle)?;
            to_wit(LockRange::new(offset, length).and_then(|range| call.try_range(range, kind.into())))
        },
    )?;
    interface.add(
        "[method]file-lock.unlock",
        |mut caller: Caller<'_, T>, (handle, offset, length): (Handle, u64, u64)| {
            let owner = caller.begin_lock(&handle)?.owner;
            to_wit(LockRange::new(offset, length).and_then(|range| owner.unlock(range)))
        },
    )?;
    interface.add(
        "[method]file-lock.test",
        |mut caller: Caller<'_, T>, (handle, offset, length, kind): (Handle, u64, u64, wit::LockKind)| {
            let owner = caller.begin_lock(&handle)?.owner;
            let held: Result<_> = LockRange::new(offset, length).and_then(|range| owner.test(range, kind.into()));
            to_wit(held.map(|held| held.map(wit::HeldLock::from)))
        },
    )?;
    interface.add_long(
        "[method]file-lock.lock-file",
        to_wit,
        |caller: &mut Caller<'_, T>, (handle, kind): (Handle, wit::LockKind)| {
            Ok(lock::file(caller.begin_lock(&handle)?, kind.into()))
        },
    )?;
    interface.add(
        "[method]file-lock.try-lock-file",
        |mut caller: Caller<'_, T>, (handle, kind): (Handle, wit::LockKind)| {
            to_wit(caller.begin_lock(&handle)?.try_file(kind.into()))
        },
    )?;
    interface.add("[method]file-lock.unlock-file", |mut caller: Caller<'_, T>, (handle,): (Handle,)| {
        to_wit(caller.begin_lock(&handle)?.owner.unlock_file())
    })
}

impl<T> Caller<'_, T> {
    /// Begins a call on the owner behind a handle. The engine has trapped before if the plugin does not own the handle.
    fn begin_lock(&mut self, handle: &Handle) -> wasmtime::Result<LockCall> {
        let view = self.view()?;
        let owner = Arc::clone(view.table.get(&Resource::<Arc<HostLock>>::new_borrow(handle.rep()))?);
        let MmapCtx { interrupt, growing, .. } = &*view.ctx;
        Ok(LockCall { owner, interrupt: interrupt.clone(), growing: growing.clone() })
    }
}
