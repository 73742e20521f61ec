//! The interface `window`.

use std::ops::Range;

use wasi_mmap_core::{Error, Internals, Result, Storage};
use wasi_mmap_native::OsStorage;
use wasmtime::component::{Resource, WasmList};

use super::method::{Caller, Handle, Interface, WitResult, to_wit};
use crate::bindings::types as wit;
use crate::ctx::WindowPolicy;
use crate::memory::{self, AttachRequest, HostWindow};
use crate::view::View;

/// Adds the functions.
pub(super) fn add<T: Send + 'static>(interface: &mut Interface<'_, T>) -> wasmtime::Result<()> {
    interface.resource::<HostWindow>("window", |view, rep| {
        let window = view.table.delete(Resource::<HostWindow>::new_own(rep))?;
        // Dropping a handle returns nothing.
        if let Err(error) = window.release() {
            tracing::warn!(target: "wasi_mmap", %error, "a dropped window could not be detached");
        }
        Ok(())
    })?;
    interface.add("granularity", |mut caller: Caller<'_, T>, ()| {
        to_wit(caller.check_windows()?.map(|()| OsStorage::page_size()))
    })?;
    interface.add("is-live", |mut caller: Caller<'_, T>, (handle,): (Handle,)| {
        let mapping = caller.mapping(&handle)?;
        let allowed = caller.check_windows()?;
        let policy = caller.view()?.ctx.windows;
        // A window of the policy `Stable` may become a copy, and a fault in one ends the process, which reading by a
        // call does not.
        to_wit(allowed.and_then(|()| mapping.lock().storage().map(|_| policy == WindowPolicy::Any)))
    })?;
    interface.add(
        "[static]window.attach",
        |mut caller: Caller<'_, T>,
         (handle, anchor, end, offset, length, mode): (
            Handle,
            WasmList<u8>,
            WasmList<u8>,
            u64,
            u64,
            wit::WindowMode,
        )| {
            let mapping = caller.mapping(&handle)?;
            let anchor = addresses(anchor.as_le_slice(&caller.store));
            let end = addresses(end.as_le_slice(&caller.store));
            let writable = mode == wit::WindowMode::Write;
            let memories = caller.view()?.ctx.engine_memories.clone();
            let store_windows = memories.of_store(&mut caller.store);
            let View { ctx, table } = caller.view()?;
            let request = AttachRequest { anchor, end, offset, length, writable };
            match HostWindow::attach(&mapping, &request, &ctx, store_windows.as_ref()) {
                Ok(window) => Ok((Ok(table.push(window)?),)),
                Err(error) => to_wit(Err(error)),
            }
        },
    )?;
    interface.add("[method]window.detach", |mut caller: Caller<'_, T>, (window,): (Resource<HostWindow>,)| {
        caller.with_window(&window, HostWindow::detach)
    })?;
    interface.add(
        "[method]window.set-mode",
        |mut caller: Caller<'_, T>, (window, mode): (Resource<HostWindow>, wit::WindowMode)| {
            caller.with_window(&window, |window| window.set_mode(mode == wit::WindowMode::Write))
        },
    )?;
    interface.add(
        "[method]window.flush",
        |mut caller: Caller<'_, T>, (window, offset, length): (Resource<HostWindow>, u64, Option<u64>)| {
            caller.with_window(&window, |window| window.flush(offset, length))
        },
    )?;
    interface.add("[method]window.check", |mut caller: Caller<'_, T>, (window,): (Resource<HostWindow>,)| {
        caller.with_window(&window, HostWindow::check)
    })
}

/// Returns where a list lies, unless it is empty.
fn addresses(list: &[u8]) -> Option<Range<usize>> {
    let start = list.as_ptr().expose_provenance();
    (!list.is_empty()).then(|| start..start + list.len())
}

impl<T> Caller<'_, T> {
    /// Checks that the plugin may have windows, and that its memory may be made for them.
    fn check_windows(&mut self) -> wasmtime::Result<Result<()>> {
        let ctx = self.view()?.ctx;
        let (policy, memories) = (ctx.windows, ctx.engine_memories.clone());
        Ok(if policy == WindowPolicy::Never {
            Err(memory::windows_not_allowed())
        } else if memory::has_memory_for_windows() || memories.are_allowed(&self.store) {
            Ok(())
        } else {
            Err(Error::Unsupported("windows in this engine's memories".into()))
        })
    }

    /// Performs an operation on the window behind a handle.
    fn with_window(
        &mut self,
        handle: &Resource<HostWindow>,
        operate: impl FnOnce(&HostWindow) -> Result<()>,
    ) -> WitResult<()> {
        to_wit(operate(self.view()?.table.get(handle)?))
    }
}
