//! Access at an offset: the cursor is neither used nor moved.

use wasmtime::component::{LinkerInstance, WasmList};

use super::method::{Cx, Handle, Mode, add_long, begin, to_wit, with_mapping};
use crate::bindings::types as wit;
use crate::call::{read, write};
use crate::ctx::MmapView;
use crate::memory::ReadResult;

/// Adds the functions.
pub(super) fn add<T: MmapView + 'static>(mode: Mode, instance: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    add_long(
        mode,
        instance,
        "[method]mapping.read-at",
        ReadResult::to_wit,
        |store: &mut Cx<'_, T>, (handle, offset, length): (Handle, u64, u64)| {
            Ok(read::at(begin(store, &handle)?, offset, length))
        },
    )?;
    add_long(
        mode,
        instance,
        "[method]mapping.read-ranges",
        ReadResult::to_wit,
        |store: &mut Cx<'_, T>, (handle, ranges): (Handle, Vec<wit::Range>)| {
            let ranges = ranges.iter().map(|range| (range.offset, range.length));
            Ok(read::ranges(begin(store, &handle)?, ranges))
        },
    )?;
    add_long(
        mode,
        instance,
        "[method]mapping.write-at",
        to_wit,
        |store: &mut Cx<'_, T>, (handle, offset, bytes): (Handle, u64, WasmList<u8>)| {
            Ok(write::at(begin(store, &handle)?, offset, bytes.as_le_slice(&*store)).with_bytes(bytes))
        },
    )?;
    instance.func_wrap("[method]mapping.get", |store: Cx<'_, T>, (handle, index): (Handle, i64)| {
        with_mapping(store, &handle, |mapping| mapping.get(index))
    })?;
    instance.func_wrap("[method]mapping.set", |store: Cx<'_, T>, (handle, index, value): (Handle, i64, u8)| {
        with_mapping(store, &handle, |mapping| mapping.set(index, value))
    })?;
    add_long(
        mode,
        instance,
        "[method]mapping.read-slice",
        ReadResult::to_wit,
        |store: &mut Cx<'_, T>, (handle, slice): (Handle, wit::Slice)| {
            Ok(read::slice(begin(store, &handle)?, slice.into()))
        },
    )?;
    add_long(
        mode,
        instance,
        "[method]mapping.write-slice",
        to_wit,
        |store: &mut Cx<'_, T>, (handle, slice, bytes): (Handle, wit::Slice, WasmList<u8>)| {
            Ok(write::slice(begin(store, &handle)?, slice.into(), bytes.as_le_slice(&*store)).with_bytes(bytes))
        },
    )
}
