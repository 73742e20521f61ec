//! Access at an offset: the cursor is neither used nor moved.

use wasmtime::component::WasmList;

use super::method::{Caller, Handle, Interface, to_wit};
use crate::bindings::types as wit;
use crate::call::{read, write};
use crate::memory::ReadResult;

/// Adds the functions.
pub(super) fn add<T: Send + 'static>(interface: &mut Interface<'_, T>) -> wasmtime::Result<()> {
    interface.add_long(
        "[method]mapping.read-at",
        ReadResult::to_wit,
        |caller: &mut Caller<'_, T>, (handle, offset, length): (Handle, u64, u64)| {
            Ok(read::at(caller.begin(&handle)?, offset, length))
        },
    )?;
    interface.add_long(
        "[method]mapping.read-ranges",
        ReadResult::to_wit,
        |caller: &mut Caller<'_, T>, (handle, ranges): (Handle, Vec<wit::Range>)| {
            let ranges = ranges.iter().map(|range| (range.offset, range.length));
            Ok(read::ranges(caller.begin(&handle)?, ranges))
        },
    )?;
    interface.add_long(
        "[method]mapping.write-at",
        to_wit,
        |caller: &mut Caller<'_, T>, (handle, offset, bytes): (Handle, u64, WasmList<u8>)| {
            let call = caller.begin_write(&handle, bytes.len())?;
            Ok(write::at(call, offset, bytes.as_le_slice(&caller.store)).with_bytes(bytes))
        },
    )?;
    interface.add("[method]mapping.get", |mut caller: Caller<'_, T>, (handle, index): (Handle, i64)| {
        caller.with_mapping(&handle, |mapping| mapping.get(index))
    })?;
    interface.add("[method]mapping.set", |mut caller: Caller<'_, T>, (handle, index, value): (Handle, i64, u8)| {
        caller.with_mapping(&handle, |mapping| mapping.set(index, value))
    })?;
    interface.add_long(
        "[method]mapping.read-slice",
        ReadResult::to_wit,
        |caller: &mut Caller<'_, T>, (handle, slice): (Handle, wit::Slice)| {
            Ok(read::slice(caller.begin(&handle)?, slice.into()))
        },
    )?;
    interface.add_long(
        "[method]mapping.write-slice",
        to_wit,
        |caller: &mut Caller<'_, T>, (handle, slice, bytes): (Handle, wit::Slice, WasmList<u8>)| {
            let call = caller.begin_write(&handle, bytes.len())?;
            Ok(write::slice(call, slice.into(), bytes.as_le_slice(&caller.store)).with_bytes(bytes))
        },
    )
}
