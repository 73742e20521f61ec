//! Creating and closing a mapping.

use std::sync::Arc;

use wasi_mmap_core::{Backend, MapOptions, Result};
use wasi_mmap_native::OsStorage;
use wasmtime::component::{LinkerInstance, Resource, ResourceType};
use wasmtime_wasi::filesystem::Descriptor;

use super::method::{Cx, Handle, WitResult, mapping_of, to_wit};
use crate::bindings::types as wit;
use crate::ctx::{MmapCtxView, MmapView};
use crate::mapping::HostMapping;

/// Adds the functions.
pub(super) fn add<T: MmapView + 'static>(instance: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    instance.resource("mapping", ResourceType::host::<HostMapping>(), |mut store, rep| {
        let handle = Resource::<Arc<HostMapping>>::new_own(rep);
        store.data_mut().mmap().table.delete(handle)?;
        Ok(())
    })?;
    instance.func_wrap("granularity", |_: Cx<'_, T>, ()| Ok((OsStorage::granularity(),)))?;
    instance.func_wrap(
        "[static]mapping.from-descriptor",
        |store: Cx<'_, T>, (file, options): (Resource<Descriptor>, wit::MapOptions)| {
            create(store, options, |mut view, options| view.map_file(file, options))
        },
    )?;
    instance.func_wrap(
        "[static]mapping.from-borrowed",
        |store: Cx<'_, T>, (file, options): (Resource<Descriptor>, wit::MapOptions)| {
            create(store, options, |mut view, options| view.map_borrowed_file(&file, options))
        },
    )?;
    instance.func_wrap("[static]mapping.anonymous", |store: Cx<'_, T>, (options,): (wit::MapOptions,)| {
        create(store, options, |mut view, options| view.map_anonymous(options))
    })?;
    instance.func_wrap("[static]mapping.named", |store: Cx<'_, T>, (name, options): (String, wit::MapOptions)| {
        create(store, options, |mut view, options| view.map_named(&name, options))
    })?;
    instance.func_wrap("[method]mapping.close", |mut store: Cx<'_, T>, (handle,): (Handle,)| {
        to_wit(mapping_of(&mut store, &handle)?.close())
    })?;
    instance.func_wrap("[method]mapping.is-closed", |mut store: Cx<'_, T>, (handle,): (Handle,)| {
        Ok((mapping_of(&mut store, &handle)?.lock().is_closed(),))
    })
}

fn create<T: MmapView>(
    mut store: Cx<'_, T>,
    options: wit::MapOptions,
    map: impl FnOnce(MmapCtxView<'_>, MapOptions) -> wasmtime::Result<Result<Resource<Arc<HostMapping>>>>,
) -> WitResult<Handle> {
    let mapping = map(store.data_mut().mmap(), options.into())?;
    to_wit(mapping.map(|mapping| Resource::new_own(mapping.rep())))
}
