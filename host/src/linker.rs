//! The interface's functions, as wasmtime links them.
//!
//! They are registered by hand: a list that comes in is borrowed where it lies in the plugin's memory ([`WasmList`]),
//! and one that goes out is copied there straight from the mapping ([`Reading`]).

use std::ops::Range;
use std::sync::Arc;

use wasi_mmap_core::{Backend, Error, MapOptions, Result, Slice, Storage};
use wasi_mmap_native::{Mapping, Native};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceType, WasmList};
use wasmtime_wasi::filesystem::Descriptor;

use crate::bindings::types as wit;
use crate::ctx::{MmapView, WindowPolicy};
use crate::limits::{Limit, Limits};
use crate::long::{self, Calls};
use crate::mapping::HostMapping;
use crate::memory::{self, HostWindow, Place, Reading};

/// What a function of the interface answers.
pub(crate) type Answer<T> = wasmtime::Result<(std::result::Result<T, wit::Error>,)>;

/// What a function that reads answers.
type Read = wasmtime::Result<(Reading,)>;

/// A plugin's handle: in the table stands a shared pointer, so that an operation need not keep the table borrowed.
pub(crate) type Handle = Resource<HostMapping>;

const MAPPING: &str = "wasi-mmap:mmap/mapping@0.1.0";
const WINDOW: &str = "wasi-mmap:mmap/window@0.1.0";

/// Adds `wasi-mmap:mmap` to a linker, for stores that are used without async.
///
/// # Errors
///
/// If the linker has a definition of the interface already.
pub fn add_to_linker<T: MmapView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    add_window(linker)?;
    long::add(Calls::Sync, &mut add_mapping(linker)?)
}

/// Adds `wasi-mmap:mmap` to a linker, for async stores: long calls yield to the executor.
///
/// # Errors
///
/// If the linker has a definition of the interface already.
pub fn add_to_linker_async<T: MmapView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    add_window(linker)?;
    long::add(Calls::Async, &mut add_mapping(linker)?)
}

/// The mapping behind a handle. A handle that the plugin does not have has trapped before.
pub(crate) fn get<T: MmapView>(
    store: &mut StoreContextMut<'_, T>,
    handle: &Handle,
) -> wasmtime::Result<Arc<HostMapping>> {
    Ok(Arc::clone(store.data_mut().mmap().table.get(&shared(handle))?))
}

/// The handle as the table knows it.
fn shared(handle: &Handle) -> Resource<Arc<HostMapping>> {
    Resource::new_borrow(handle.rep())
}

pub(crate) fn answer<T>(outcome: Result<T>) -> Answer<T> {
    Ok((outcome.map_err(wit::Error::from),))
}

/// Performs an operation on the mapping behind a handle.
fn with<T: MmapView, R>(
    mut store: StoreContextMut<'_, T>,
    handle: &Handle,
    operate: impl FnOnce(&mut Mapping) -> Result<R>,
) -> Answer<R> {
    let mapping = get(&mut store, handle)?;
    let outcome = operate(&mut mapping.lock());
    answer(outcome)
}

/// Performs an operation that takes bytes, which stay where they are in the plugin's memory.
fn with_bytes<T: MmapView, R>(
    mut store: StoreContextMut<'_, T>,
    handle: &Handle,
    bytes: &WasmList<u8>,
    operate: impl FnOnce(&mut Mapping, &[u8]) -> Result<R>,
) -> Answer<R> {
    let mapping = get(&mut store, handle)?;
    let bytes = bytes.as_le_slice(&store);
    let outcome = operate(&mut mapping.lock(), bytes);
    answer(outcome)
}

/// Reads a range that `plan` works out, straight into the plugin's memory; then `done` moves the cursor, if it is to move.
/// `plan` is told how many bytes are allowed.
fn read<T: MmapView>(
    store: StoreContextMut<'_, T>,
    handle: &Handle,
    plan: impl FnOnce(&Mapping, u64) -> Result<Range<u64>>,
    done: impl FnOnce(&mut Mapping, &Range<u64>),
) -> Read {
    reading(store, handle, |shared, mapping, limits| {
        let range = plan(mapping, limits.get(Limit::BytesPerCall))?;
        limits.check(Limit::BytesPerCall, range.end - range.start)?;
        let bytes = Reading::new(mapping.storage()?, range.clone())?.moved_from(shared, mapping.tell()?);
        done(mapping, &range);
        Ok(bytes)
    })
}

/// Answers bytes of a mapping.
fn reading<T: MmapView>(
    mut store: StoreContextMut<'_, T>,
    handle: &Handle,
    read: impl FnOnce(&Arc<HostMapping>, &mut Mapping, &Limits) -> Result<Reading>,
) -> Read {
    let mapping = get(&mut store, handle)?;
    let limits = store.data_mut().mmap().ctx.limits;
    let bytes = read(&mapping, &mut mapping.lock(), &limits);
    Ok((bytes.unwrap_or_else(Reading::from),))
}

fn keep_cursor(_: &mut Mapping, _: &Range<u64>) {}

fn read_slice<T: MmapView>(store: StoreContextMut<'_, T>, handle: &Handle, slice: Slice) -> Read {
    reading(store, handle, |_, mapping, limits| {
        let strided = slice.resolve(mapping.len()?)?;
        limits.check(Limit::BytesPerCall, strided.count)?;
        match strided.contiguous() {
            Some(range) => Reading::new(mapping.storage()?, range),
            None => {
                limits.check(Limit::WorkPerCall, strided.span())?;
                Ok(mapping.read_slice(slice)?.into())
            }
        }
    })
}

fn write_slice<T: MmapView>(
    mut store: StoreContextMut<'_, T>,
    handle: &Handle,
    slice: Slice,
    bytes: &WasmList<u8>,
) -> Answer<()> {
    let limits = store.data_mut().mmap().ctx.limits;
    with_bytes(store, handle, bytes, |mapping, bytes| {
        // What the mapping itself refuses is no work.
        let strided = mapping.len().and_then(|len| slice.resolve(len));
        if let Ok(strided) = strided
            && mapping.access().is_writable()
            && strided.count == bytes.len() as u64
        {
            limits.check(Limit::WorkPerCall, strided.span())?;
        }
        mapping.write_slice(slice, bytes)
    })
}

fn read_ranges<T: MmapView>(store: StoreContextMut<'_, T>, handle: &Handle, ranges: &[wit::Range]) -> Read {
    reading(store, handle, |_, mapping, limits| {
        let inside: Result<Vec<_>> = ranges.iter().map(|range| mapping.range(range.offset, range.length)).collect();
        let ranges = inside?;
        mapping.storage()?;
        let total = ranges.iter().fold(0u64, |sum, range| sum.saturating_add(range.end - range.start));
        limits.check(Limit::BytesPerCall, total)?;
        Ok(mapping.read_ranges(&ranges)?.into())
    })
}

fn make<T: MmapView>(
    mut store: StoreContextMut<'_, T>,
    options: wit::MapOptions,
    map: impl FnOnce(crate::MmapCtxView<'_>, MapOptions) -> wasmtime::Result<Result<Resource<Arc<HostMapping>>>>,
) -> Answer<Handle> {
    let made = map(store.data_mut().mmap(), options.into())?;
    answer(made.map(|mapping| Resource::new_own(mapping.rep())))
}

/// Adds every function of the interface `mapping` but those that take long.
fn add_mapping<T: MmapView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<LinkerInstance<'_, T>> {
    let mut instance = linker.instance(MAPPING)?;
    type Cx<'a, T> = StoreContextMut<'a, T>;

    instance.resource("mapping", ResourceType::host::<HostMapping>(), |mut store, rep| {
        let handle = Resource::<Arc<HostMapping>>::new_own(rep);
        store.data_mut().mmap().table.delete(handle)?;
        Ok(())
    })?;
    instance.func_wrap("page-size", |_: Cx<'_, T>, ()| Ok((Native::page_size(),)))?;
    instance.func_wrap("granularity", |_: Cx<'_, T>, ()| Ok((Native::granularity(),)))?;

    instance.func_wrap(
        "[static]mapping.from-descriptor",
        |store: Cx<'_, T>, (file, options): (Resource<Descriptor>, wit::MapOptions)| {
            make(store, options, |mut view, options| view.map_file(file, options))
        },
    )?;
    instance.func_wrap("[static]mapping.anonymous", |store: Cx<'_, T>, (options,): (wit::MapOptions,)| {
        make(store, options, |mut view, options| view.map_anonymous(options))
    })?;
    instance.func_wrap("[static]mapping.named", |store: Cx<'_, T>, (name, options): (String, wit::MapOptions)| {
        make(store, options, |mut view, options| view.map_named(&name, options))
    })?;
    instance.func_wrap("[method]mapping.close", |mut store: Cx<'_, T>, (handle,): (Handle,)| {
        answer(get(&mut store, &handle)?.close())
    })?;
    instance.func_wrap("[method]mapping.is-closed", |mut store: Cx<'_, T>, (handle,): (Handle,)| {
        Ok((get(&mut store, &handle)?.lock().is_closed(),))
    })?;

    instance.func_wrap("[method]mapping.length", |store: Cx<'_, T>, (handle,): (Handle,)| {
        with(store, &handle, |mapping| mapping.len())
    })?;
    instance.func_wrap("[method]mapping.size", |store: Cx<'_, T>, (handle,): (Handle,)| {
        with(store, &handle, |mapping| mapping.size())
    })?;
    instance.func_wrap("[method]mapping.access", |store: Cx<'_, T>, (handle,): (Handle,)| {
        with(store, &handle, |mapping| mapping.storage().map(|_| ()).map(|()| wit::Access::from(mapping.access())))
    })?;

    instance.func_wrap("[method]mapping.tell", |store: Cx<'_, T>, (handle,): (Handle,)| {
        with(store, &handle, |mapping| mapping.tell())
    })?;
    instance.func_wrap(
        "[method]mapping.seek",
        |store: Cx<'_, T>, (handle, offset, whence): (Handle, i64, wit::Whence)| {
            with(store, &handle, |mapping| mapping.seek_to(offset, whence.into()))
        },
    )?;
    instance.func_wrap("[method]mapping.read", |store: Cx<'_, T>, (handle, count): (Handle, Option<u64>)| {
        read(store, &handle, |mapping, _| mapping.next_range(count), Mapping::advance)
    })?;
    instance.func_wrap("[method]mapping.read-byte", |store: Cx<'_, T>, (handle,): (Handle,)| {
        with(store, &handle, |mapping| mapping.read_byte())
    })?;
    instance.func_wrap("[method]mapping.read-line", |store: Cx<'_, T>, (handle,): (Handle,)| {
        read(store, &handle, Mapping::next_line_within, Mapping::advance)
    })?;
    instance.func_wrap("[method]mapping.write", |store: Cx<'_, T>, (handle, bytes): (Handle, WasmList<u8>)| {
        with_bytes(store, &handle, &bytes, |mapping, bytes| mapping.write(bytes).map(|count| count as u64))
    })?;
    instance.func_wrap("[method]mapping.write-byte", |store: Cx<'_, T>, (handle, byte): (Handle, u8)| {
        with(store, &handle, |mapping| mapping.write_byte(byte))
    })?;

    instance.func_wrap(
        "[method]mapping.read-at",
        |store: Cx<'_, T>, (handle, offset, length): (Handle, u64, u64)| {
            read(store, &handle, |mapping, _| mapping.range(offset, length), keep_cursor)
        },
    )?;
    instance
        .func_wrap("[method]mapping.read-ranges", |store: Cx<'_, T>, (handle, ranges): (Handle, Vec<wit::Range>)| {
            read_ranges(store, &handle, &ranges)
        })?;
    instance.func_wrap(
        "[method]mapping.write-at",
        |store: Cx<'_, T>, (handle, offset, bytes): (Handle, u64, WasmList<u8>)| {
            with_bytes(store, &handle, &bytes, |mapping, bytes| mapping.write_at(offset, bytes))
        },
    )?;
    instance.func_wrap("[method]mapping.get", |store: Cx<'_, T>, (handle, index): (Handle, i64)| {
        with(store, &handle, |mapping| mapping.get(index))
    })?;
    instance.func_wrap("[method]mapping.set", |store: Cx<'_, T>, (handle, index, value): (Handle, i64, u8)| {
        with(store, &handle, |mapping| mapping.set(index, value))
    })?;
    instance.func_wrap("[method]mapping.read-slice", |store: Cx<'_, T>, (handle, slice): (Handle, wit::Slice)| {
        read_slice(store, &handle, slice.into())
    })?;
    instance.func_wrap(
        "[method]mapping.write-slice",
        |store: Cx<'_, T>, (handle, slice, bytes): (Handle, wit::Slice, WasmList<u8>)| {
            write_slice(store, &handle, slice.into(), &bytes)
        },
    )?;

    instance.func_wrap(
        "[method]mapping.compare",
        |store: Cx<'_, T>, (handle, offset, bytes): (Handle, u64, WasmList<u8>)| {
            with_bytes(store, &handle, &bytes, |mapping, bytes| mapping.compare(offset, bytes).map(wit::Ordering::from))
        },
    )?;

    instance.func_wrap(
        "[method]mapping.flush",
        |store: Cx<'_, T>, (handle, offset, length, flags): (Handle, u64, Option<u64>, wit::FlushFlags)| {
            with(store, &handle, |mapping| mapping.flush_range(offset, length, flags.into()))
        },
    )?;
    instance.func_wrap(
        "[method]mapping.advise",
        |mut store: Cx<'_, T>, (handle, advice, start, length): (Handle, wit::Advice, u64, Option<u64>)| {
            let mapping = get(&mut store, &handle)?;
            answer(mapping.advise(store.data_mut().mmap().ctx, advice.into(), start, length))
        },
    )?;
    instance.func_wrap("[method]mapping.resize", |mut store: Cx<'_, T>, (handle, length): (Handle, u64)| {
        let mapping = get(&mut store, &handle)?;
        answer(mapping.resize(store.data_mut().mmap().ctx, length))
    })?;
    instance.func_wrap("[method]mapping.refresh", |store: Cx<'_, T>, (handle,): (Handle,)| {
        with(store, &handle, |mapping| mapping.refresh())
    })?;
    Ok(instance)
}

/// Adds the interface `window`.
fn add_window<T: MmapView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    type Cx<'a, T> = StoreContextMut<'a, T>;
    let mut instance = linker.instance(WINDOW)?;

    instance.resource("window", ResourceType::host::<HostWindow>(), |mut store, rep| {
        let window = store.data_mut().mmap().table.delete(Resource::<HostWindow>::new_own(rep))?;
        // Dropping a handle has no answer. What cannot be detached stays in the plugin's memory, and goes with it.
        if let Err(error) = window.detach() {
            tracing::warn!(target: "wasi_mmap", %error, "a dropped window could not be detached");
        }
        Ok(())
    })?;
    instance.func_wrap("granularity", |mut store: Cx<'_, T>, ()| {
        answer(if store.data_mut().mmap().ctx.windows == WindowPolicy::Never {
            Err(memory::no_windows())
        } else if memory::is_any() {
            Ok(Native::page_size())
        } else {
            Err(Error::Unsupported("windows in this engine's memories".into()))
        })
    })?;
    instance.func_wrap(
        "[static]window.attach",
        |mut store: Cx<'_, T>,
         (handle, anchor, offset, length, mode): (Handle, WasmList<u8>, u64, u64, wit::WindowMode)| {
            let mapping = get(&mut store, &handle)?;
            let anchor = anchor.as_le_slice(&store);
            let anchor = (!anchor.is_empty()).then(|| anchor.as_ptr().expose_provenance());
            let place = Place { anchor, offset, length, to_write: mode == wit::WindowMode::Write };
            let view = store.data_mut().mmap();
            match HostWindow::attach(&mapping, place, view.ctx) {
                Ok(window) => Ok((Ok(view.table.push(window)?),)),
                Err(error) => answer(Err(error)),
            }
        },
    )?;
    instance.func_wrap("[method]window.detach", |store: Cx<'_, T>, (window,): (Resource<HostWindow>,)| {
        with_window(store, &window, HostWindow::detach)
    })?;
    instance.func_wrap(
        "[method]window.flush",
        |store: Cx<'_, T>, (window, offset, length): (Resource<HostWindow>, u64, Option<u64>)| {
            with_window(store, &window, |window| window.flush(offset, length))
        },
    )?;
    instance.func_wrap("[method]window.check", |store: Cx<'_, T>, (window,): (Resource<HostWindow>,)| {
        with_window(store, &window, HostWindow::check)
    })?;
    Ok(())
}

/// Performs an operation on the window behind a handle.
fn with_window<T: MmapView>(
    mut store: StoreContextMut<'_, T>,
    handle: &Resource<HostWindow>,
    operate: impl FnOnce(&HostWindow) -> Result<()>,
) -> Answer<()> {
    answer(operate(store.data_mut().mmap().table.get(handle)?))
}
