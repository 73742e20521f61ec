//! The file behind a mapping.

use wasi_mmap_core::Internals;
use wasmtime::component::LinkerInstance;

use super::method::{Cx, Handle, mapping_of, to_wit, with_mapping};
use crate::bindings::types as wit;
use crate::ctx::MmapView;

/// Adds the functions.
pub(super) fn add<T: MmapView + 'static>(instance: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "[method]mapping.flush",
        |store: Cx<'_, T>, (handle, offset, length, flags): (Handle, u64, Option<u64>, wit::FlushFlags)| {
            with_mapping(store, &handle, |mapping| mapping.flush_at(offset, length, flags.into()))
        },
    )?;
    instance.func_wrap(
        "[method]mapping.advise",
        |mut store: Cx<'_, T>, (handle, advice, start, length): (Handle, wit::Advice, u64, Option<u64>)| {
            let mapping = mapping_of(&mut store, &handle)?;
            to_wit(mapping.advise(store.data_mut().mmap().ctx, advice.into(), start, length))
        },
    )?;
    instance.func_wrap("[method]mapping.resize", |mut store: Cx<'_, T>, (handle, length): (Handle, u64)| {
        let mapping = mapping_of(&mut store, &handle)?;
        to_wit(mapping.resize(store.data_mut().mmap().ctx, length))
    })?;
    instance.func_wrap("[method]mapping.refresh", |store: Cx<'_, T>, (handle,): (Handle,)| {
        with_mapping(store, &handle, |mapping| mapping.refresh())
    })
}
