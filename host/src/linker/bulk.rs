//! Bulk operations, which do not copy the bytes to the plugin.

use std::sync::Arc;

use wasi_mmap_core::Direction;
use wasmtime::component::WasmList;

use super::method::{Caller, Handle, Interface, to_wit};
use crate::bindings::types as wit;
use crate::call::{Started, compare, copy, fill, search};

/// Adds the functions.
pub(super) fn add<T: Send + 'static>(interface: &mut Interface<'_, T>) -> wasmtime::Result<()> {
    interface.add_long("[method]mapping.find", to_wit, |caller: &mut Caller<'_, T>, arguments| {
        start_search(caller, arguments, Direction::Forward)
    })?;
    interface.add_long("[method]mapping.rfind", to_wit, |caller: &mut Caller<'_, T>, arguments| {
        start_search(caller, arguments, Direction::Backward)
    })?;
    interface.add_long(
        "[method]mapping.copy-within",
        to_wit,
        |caller: &mut Caller<'_, T>, (handle, destination, source, count): (Handle, u64, u64, u64)| {
            Ok(copy::within(caller.begin(&handle)?, destination, source, count))
        },
    )?;
    interface.add_long(
        "[method]mapping.copy-from",
        to_wit,
        |caller: &mut Caller<'_, T>, (handle, destination, source, offset, count): (Handle, u64, Handle, u64, u64)| {
            let (call, source) = (caller.begin(&handle)?, caller.mapping(&source)?);
            // Both handles may be the same mapping, whose lock cannot be taken twice.
            Ok(if Arc::ptr_eq(&call.mapping, &source) {
                copy::within(call, destination, offset, count)
            } else {
                copy::from(call, destination, source, offset, count)
            })
        },
    )?;
    interface.add_long(
        "[method]mapping.fill",
        to_wit,
        |caller: &mut Caller<'_, T>, (handle, offset, length, byte): (Handle, u64, u64, u8)| {
            Ok(fill::at(caller.begin(&handle)?, offset, length, byte))
        },
    )?;
    interface.add_long(
        "[method]mapping.compare",
        |ordering| to_wit(ordering.map(wit::Ordering::from)),
        |caller: &mut Caller<'_, T>, (handle, offset, bytes): (Handle, u64, WasmList<u8>)| {
            Ok(compare::at(caller.begin(&handle)?, offset, bytes.as_le_slice(&caller.store)).with_bytes(bytes))
        },
    )
}

fn start_search<T>(
    caller: &mut Caller<'_, T>,
    (handle, needle, start, end): (Handle, WasmList<u8>, Option<i64>, Option<i64>),
    direction: Direction,
) -> wasmtime::Result<Started<Option<u64>>> {
    Ok(search::start(caller.begin(&handle)?, needle.as_le_slice(&caller.store), start, end, direction))
}
