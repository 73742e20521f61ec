//! The cursor.

use wasi_mmap_core::Internals;
use wasmtime::component::{LinkerInstance, WasmList};

use super::method::{Cx, Handle, Mode, add_long, begin, to_wit, with_mapping};
use crate::bindings::types as wit;
use crate::call::{read, write};
use crate::ctx::MmapView;
use crate::memory::ReadResult;

/// Adds the functions.
pub(super) fn add<T: MmapView + 'static>(mode: Mode, instance: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    instance.func_wrap("[method]mapping.tell", |store: Cx<'_, T>, (handle,): (Handle,)| {
        with_mapping(store, &handle, |mapping| mapping.tell())
    })?;
    instance.func_wrap(
        "[method]mapping.seek",
        |store: Cx<'_, T>, (handle, offset, whence): (Handle, i64, wit::Whence)| {
            with_mapping(store, &handle, |mapping| mapping.seek_to(offset, whence.into()))
        },
    )?;
    add_long(
        mode,
        instance,
        "[method]mapping.read",
        ReadResult::to_wit,
        |store: &mut Cx<'_, T>, (handle, count): (Handle, Option<u64>)| Ok(read::next(begin(store, &handle)?, count)),
    )?;
    instance.func_wrap("[method]mapping.read-byte", |store: Cx<'_, T>, (handle,): (Handle,)| {
        with_mapping(store, &handle, |mapping| mapping.read_byte())
    })?;
    add_long(
        mode,
        instance,
        "[method]mapping.read-line",
        ReadResult::to_wit,
        |store: &mut Cx<'_, T>, (handle,): (Handle,)| Ok(read::line(begin(store, &handle)?)),
    )?;
    add_long(
        mode,
        instance,
        "[method]mapping.write",
        to_wit,
        |store: &mut Cx<'_, T>, (handle, bytes): (Handle, WasmList<u8>)| {
            Ok(write::next(begin(store, &handle)?, bytes.as_le_slice(&*store)).with_bytes(bytes))
        },
    )?;
    instance.func_wrap("[method]mapping.write-byte", |store: Cx<'_, T>, (handle, byte): (Handle, u8)| {
        with_mapping(store, &handle, |mapping| mapping.write_byte(byte))
    })
}
