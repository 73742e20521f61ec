//! The file behind a mapping.

use wasi_mmap_core::Internals;

use super::method::{Caller, Handle, Interface, to_wit};
use crate::bindings::types as wit;

/// Adds the functions.
pub(super) fn add<T: Send + 'static>(interface: &mut Interface<'_, T>) -> wasmtime::Result<()> {
    interface.add(
        "[method]mapping.flush",
        |mut caller: Caller<'_, T>, (handle, offset, length, flags): (Handle, u64, Option<u64>, wit::FlushFlags)| {
            caller.with_mapping(&handle, |mapping| mapping.flush_at(offset, length, flags.into()))
        },
    )?;
    interface.add(
        "[method]mapping.advise",
        |mut caller: Caller<'_, T>, (handle, advice, start, length): (Handle, wit::Advice, u64, Option<u64>)| {
            let mapping = caller.mapping(&handle)?;
            to_wit(mapping.advise(advice.into(), start, length))
        },
    )?;
    interface.add("[method]mapping.resize", |mut caller: Caller<'_, T>, (handle, length): (Handle, u64)| {
        let mapping = caller.mapping(&handle)?;
        to_wit(mapping.resize(length))
    })?;
    interface.add("[method]mapping.refresh", |mut caller: Caller<'_, T>, (handle,): (Handle,)| {
        caller.with_mapping(&handle, |mapping| mapping.refresh())
    })
}
