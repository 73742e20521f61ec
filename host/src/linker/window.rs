//! The interface `window`.

use wasi_mmap_core::{Error, Result, Storage};
use wasi_mmap_native::OsStorage;
use wasmtime::component::{LinkerInstance, Resource, ResourceType, WasmList};

use super::method::{Cx, Handle, WitResult, mapping_of, to_wit};
use crate::bindings::types as wit;
use crate::ctx::{MmapView, WindowPolicy};
use crate::memory::{self, AttachRequest, HostWindow};

/// Adds the functions.
pub(super) fn add<T: MmapView + 'static>(instance: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    instance.resource("window", ResourceType::host::<HostWindow>(), |mut store, rep| {
        let window = store.data_mut().mmap().table.delete(Resource::<HostWindow>::new_own(rep))?;
        // Dropping a handle returns nothing. A window that cannot be detached stays in the plugin's memory, and goes
        // with it.
        if let Err(error) = window.detach() {
            tracing::warn!(target: "wasi_mmap", %error, "a dropped window could not be detached");
        }
        Ok(())
    })?;
    instance.func_wrap("granularity", |mut store: Cx<'_, T>, ()| {
        to_wit(if store.data_mut().mmap().ctx.windows == WindowPolicy::Never {
            Err(memory::windows_not_allowed())
        } else if memory::has_memory_for_windows() {
            Ok(OsStorage::page_size())
        } else {
            Err(Error::Unsupported("windows in this engine's memories".into()))
        })
    })?;
    instance.func_wrap(
        "[static]window.attach",
        |mut store: Cx<'_, T>,
         (handle, anchor, offset, length, mode): (Handle, WasmList<u8>, u64, u64, wit::WindowMode)| {
            let mapping = mapping_of(&mut store, &handle)?;
            let anchor = anchor.as_le_slice(&store);
            let anchor = (!anchor.is_empty()).then(|| anchor.as_ptr().expose_provenance());
            let writable = mode == wit::WindowMode::Write;
            let view = store.data_mut().mmap();
            match HostWindow::attach(&mapping, AttachRequest { anchor, offset, length, writable }, view.ctx) {
                Ok(window) => Ok((Ok(view.table.push(window)?),)),
                Err(error) => to_wit(Err(error)),
            }
        },
    )?;
    instance.func_wrap("[method]window.detach", |store: Cx<'_, T>, (window,): (Resource<HostWindow>,)| {
        with_window(store, &window, HostWindow::detach)
    })?;
    instance.func_wrap(
        "[method]window.flush",
        |store: Cx<'_, T>, (window, offset, length): (Resource<HostWindow>, u64, Option<u64>)| {
            with_window(store, &window, |window| window.flush(offset, length))
        },
    )?;
    instance.func_wrap("[method]window.check", |store: Cx<'_, T>, (window,): (Resource<HostWindow>,)| {
        with_window(store, &window, HostWindow::check)
    })
}

/// Performs an operation on the window behind a handle.
fn with_window<T: MmapView>(
    mut store: Cx<'_, T>,
    handle: &Resource<HostWindow>,
    operate: impl FnOnce(&HostWindow) -> Result<()>,
) -> WitResult<()> {
    to_wit(operate(store.data_mut().mmap().table.get(handle)?))
}
