//! Bulk operations, which do not copy the bytes to the plugin.

use std::sync::Arc;

use wasi_mmap_core::Direction;
use wasmtime::component::{LinkerInstance, WasmList};

use super::method::{Cx, Handle, Mode, add_long, begin, mapping_of, to_wit};
use crate::bindings::types as wit;
use crate::call::{Started, compare, copy, fill, search};
use crate::ctx::MmapView;

/// Adds the functions.
pub(super) fn add<T: MmapView + 'static>(mode: Mode, instance: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    add_long(mode, instance, "[method]mapping.find", to_wit, |store: &mut Cx<'_, T>, arguments| {
        start_search(store, arguments, Direction::Forward)
    })?;
    add_long(mode, instance, "[method]mapping.rfind", to_wit, |store: &mut Cx<'_, T>, arguments| {
        start_search(store, arguments, Direction::Backward)
    })?;
    add_long(
        mode,
        instance,
        "[method]mapping.copy-within",
        to_wit,
        |store: &mut Cx<'_, T>, (handle, destination, source, count): (Handle, u64, u64, u64)| {
            Ok(copy::within(begin(store, &handle)?, destination, source, count))
        },
    )?;
    add_long(
        mode,
        instance,
        "[method]mapping.copy-from",
        to_wit,
        |store: &mut Cx<'_, T>, (handle, destination, source, offset, count): (Handle, u64, Handle, u64, u64)| {
            let (call, source) = (begin(store, &handle)?, mapping_of(store, &source)?);
            // Both handles may be the same mapping, whose lock cannot be taken twice.
            Ok(if Arc::ptr_eq(&call.mapping, &source) {
                copy::within(call, destination, offset, count)
            } else {
                copy::from(call, destination, source, offset, count)
            })
        },
    )?;
    add_long(
        mode,
        instance,
        "[method]mapping.fill",
        to_wit,
        |store: &mut Cx<'_, T>, (handle, offset, length, byte): (Handle, u64, u64, u8)| {
            Ok(fill::at(begin(store, &handle)?, offset, length, byte))
        },
    )?;
    add_long(
        mode,
        instance,
        "[method]mapping.compare",
        |ordering| to_wit(ordering.map(wit::Ordering::from)),
        |store: &mut Cx<'_, T>, (handle, offset, bytes): (Handle, u64, WasmList<u8>)| {
            Ok(compare::at(begin(store, &handle)?, offset, bytes.as_le_slice(&*store)).with_bytes(bytes))
        },
    )
}

fn start_search<T: MmapView>(
    store: &mut Cx<'_, T>,
    (handle, needle, start, end): (Handle, WasmList<u8>, Option<i64>, Option<i64>),
    direction: Direction,
) -> wasmtime::Result<Started<Option<u64>>> {
    Ok(search::start(begin(store, &handle)?, needle.as_le_slice(&*store), start, end, direction))
}
