//! The properties of a mapping, and of the system's pages.

use wasi_mmap_core::{Internals, Storage};
use wasi_mmap_native::OsStorage;
use wasmtime::component::LinkerInstance;

use super::method::{Cx, Handle, with_mapping};
use crate::bindings::types as wit;
use crate::ctx::MmapView;

/// Adds the functions.
pub(super) fn add<T: MmapView + 'static>(instance: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    instance.func_wrap("page-size", |_: Cx<'_, T>, ()| Ok((OsStorage::page_size(),)))?;
    instance.func_wrap("[method]mapping.length", |store: Cx<'_, T>, (handle,): (Handle,)| {
        with_mapping(store, &handle, |mapping| mapping.len())
    })?;
    instance.func_wrap("[method]mapping.size", |store: Cx<'_, T>, (handle,): (Handle,)| {
        with_mapping(store, &handle, |mapping| mapping.file_len())
    })?;
    instance.func_wrap("[method]mapping.access", |store: Cx<'_, T>, (handle,): (Handle,)| {
        with_mapping(store, &handle, |mapping| mapping.storage().map(|_| wit::Access::from(mapping.access())))
    })
}
