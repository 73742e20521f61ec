//! Creating and closing a mapping.

use std::sync::Arc;

use wasi_mmap_core::{Backend, MapOptions, Result};
use wasi_mmap_native::OsStorage;
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;

use super::method::{Caller, Handle, Interface, WitResult, to_wit};
use crate::bindings::types as wit;
use crate::mapping::HostMapping;
use crate::view::View;

/// Adds the functions.
pub(super) fn add<T: Send + 'static>(interface: &mut Interface<'_, T>) -> wasmtime::Result<()> {
    interface.resource::<HostMapping>("mapping", |view, rep| {
        view.table.delete(Resource::<Arc<HostMapping>>::new_own(rep))?;
        Ok(())
    })?;
    interface.add("granularity", |_: Caller<'_, T>, ()| Ok((OsStorage::granularity(),)))?;
    interface.add(
        "[static]mapping.from-descriptor",
        |mut caller: Caller<'_, T>, (file, options): (Resource<Descriptor>, wit::MapOptions)| {
            caller.create(options, |mut view, options| view.map_file(file, options))
        },
    )?;
    interface.add(
        "[static]mapping.from-borrowed",
        |mut caller: Caller<'_, T>, (file, options): (Resource<Descriptor>, wit::MapOptions)| {
            caller.create(options, |mut view, options| view.map_borrowed_file(&file, options))
        },
    )?;
    interface.add("[static]mapping.anonymous", |mut caller: Caller<'_, T>, (options,): (wit::MapOptions,)| {
        caller.create(options, |mut view, options| view.map_anonymous(options))
    })?;
    interface.add(
        "[static]mapping.named",
        |mut caller: Caller<'_, T>, (name, options): (String, wit::MapOptions)| {
            caller.create(options, |mut view, options| view.map_named(&name, options))
        },
    )?;
    interface.add("[method]mapping.close", |mut caller: Caller<'_, T>, (handle,): (Handle,)| {
        to_wit(caller.mapping(&handle)?.close())
    })?;
    interface.add("[method]mapping.is-closed", |mut caller: Caller<'_, T>, (handle,): (Handle,)| {
        Ok((caller.mapping(&handle)?.lock().is_closed(),))
    })
}

impl<T> Caller<'_, T> {
    fn create(
        &mut self,
        options: wit::MapOptions,
        map: impl FnOnce(View<'_>, MapOptions) -> wasmtime::Result<Result<Resource<Arc<HostMapping>>>>,
    ) -> WitResult<Handle> {
        let mapping = map(self.view()?, options.into())?;
        to_wit(mapping.map(|mapping| Resource::new_own(mapping.rep())))
    }
}
