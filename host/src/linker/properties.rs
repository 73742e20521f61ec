//! The properties of a mapping, and of the system's pages.

use wasi_mmap_core::{Internals, Storage};
use wasi_mmap_native::OsStorage;

use super::method::{Caller, Handle, Interface};
use crate::bindings::types as wit;

/// Adds the functions.
pub(super) fn add<T: Send + 'static>(interface: &mut Interface<'_, T>) -> wasmtime::Result<()> {
    interface.add("page-size", |_: Caller<'_, T>, ()| Ok((OsStorage::page_size(),)))?;
    interface.add("is-simulated", |_: Caller<'_, T>, ()| Ok((false,)))?;
    interface.add("[method]mapping.length", |mut caller: Caller<'_, T>, (handle,): (Handle,)| {
        caller.with_mapping(&handle, |mapping| mapping.len())
    })?;
    interface.add("[method]mapping.size", |mut caller: Caller<'_, T>, (handle,): (Handle,)| {
        caller.with_mapping(&handle, |mapping| mapping.file_len())
    })?;
    interface.add("[method]mapping.access", |mut caller: Caller<'_, T>, (handle,): (Handle,)| {
        caller.with_mapping(&handle, |mapping| mapping.storage().map(|_| wit::Access::from(mapping.access())))
    })
}
