//! The cursor.

use wasi_mmap_core::Internals;
use wasmtime::component::WasmList;

use super::method::{Caller, Handle, Interface, to_wit};
use crate::bindings::types as wit;
use crate::call::{read, write};
use crate::memory::ReadResult;

/// Adds the functions.
pub(super) fn add<T: Send + 'static>(interface: &mut Interface<'_, T>) -> wasmtime::Result<()> {
    interface.add("[method]mapping.tell", |mut caller: Caller<'_, T>, (handle,): (Handle,)| {
        caller.with_mapping(&handle, |mapping| mapping.tell())
    })?;
    interface.add(
        "[method]mapping.seek",
        |mut caller: Caller<'_, T>, (handle, offset, whence): (Handle, i64, wit::Whence)| {
            caller.with_mapping(&handle, |mapping| mapping.seek_to(offset, whence.into()))
        },
    )?;
    interface.add_long(
        "[method]mapping.read",
        ReadResult::to_wit,
        |caller: &mut Caller<'_, T>, (handle, count): (Handle, Option<u64>)| {
            Ok(read::next(caller.begin(&handle)?, count))
        },
    )?;
    interface.add("[method]mapping.read-byte", |mut caller: Caller<'_, T>, (handle,): (Handle,)| {
        caller.with_mapping(&handle, |mapping| mapping.read_byte())
    })?;
    interface.add_long(
        "[method]mapping.read-line",
        ReadResult::to_wit,
        |caller: &mut Caller<'_, T>, (handle,): (Handle,)| Ok(read::line(caller.begin(&handle)?)),
    )?;
    interface.add_long(
        "[method]mapping.write",
        to_wit,
        |caller: &mut Caller<'_, T>, (handle, bytes): (Handle, WasmList<u8>)| {
            let call = caller.begin_write(&handle, bytes.len())?;
            Ok(write::next(call, bytes.as_le_slice(&caller.store)).with_bytes(bytes))
        },
    )?;
    interface.add("[method]mapping.write-byte", |mut caller: Caller<'_, T>, (handle, byte): (Handle, u8)| {
        caller.with_mapping(&handle, |mapping| mapping.write_byte(byte))
    })
}
