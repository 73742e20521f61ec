//! The interface's functions, as wasmtime links them.
//!
//! They are registered by hand: a list that comes in is borrowed where it lies in the plugin's memory ([`WasmList`]),
//! and one that goes out is copied there straight from the mapping ([`Reading`](memory::Reading)).

use std::sync::Arc;

use wasi_mmap_core::{Backend, Error, Internals, MapOptions, Result, Storage};
use wasi_mmap_native::{Mapping, OsStorage};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceType, WasmList};
use wasmtime_wasi::filesystem::Descriptor;

use crate::bindings::types as wit;
use crate::ctx::{MmapView, WindowPolicy};
use crate::long::{self, Calls};
use crate::mapping::HostMapping;
use crate::memory::{self, HostWindow, Place};
use crate::transfer;

/// What a function of the interface answers.
pub(crate) type Answer<T> = wasmtime::Result<(std::result::Result<T, wit::Error>,)>;

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
    add_long(Calls::Sync, &mut add_mapping(linker)?)
}

/// Adds `wasi-mmap:mmap` to a linker, for async stores: long calls yield to the executor.
///
/// # Errors
///
/// If the linker has a definition of the interface already.
pub fn add_to_linker_async<T: MmapView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    add_window(linker)?;
    add_long(Calls::Async, &mut add_mapping(linker)?)
}

fn add_long<T: MmapView + 'static>(calls: Calls, mapping: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    long::add(calls, mapping)?;
    transfer::add(calls, mapping)
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

fn make<T: MmapView>(
    mut store: StoreContextMut<'_, T>,
    options: wit::MapOptions,
    map: impl FnOnce(crate::MmapCtxView<'_>, MapOptions) -> wasmtime::Result<Result<Resource<Arc<HostMapping>>>>,
) -> Answer<Handle> {
    let made = map(store.data_mut().mmap(), options.into())?;
    answer(made.map(|mapping| Resource::new_own(mapping.rep())))
}

/// Adds every function of the interface `mapping` but those that may take long: see [`long`] and [`transfer`].
fn add_mapping<T: MmapView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<LinkerInstance<'_, T>> {
    let mut instance = linker.instance(MAPPING)?;
    type Cx<'a, T> = StoreContextMut<'a, T>;

    instance.resource("mapping", ResourceType::host::<HostMapping>(), |mut store, rep| {
        let handle = Resource::<Arc<HostMapping>>::new_own(rep);
        store.data_mut().mmap().table.delete(handle)?;
        Ok(())
    })?;
    instance.func_wrap("page-size", |_: Cx<'_, T>, ()| Ok((OsStorage::page_size(),)))?;
    instance.func_wrap("granularity", |_: Cx<'_, T>, ()| Ok((OsStorage::granularity(),)))?;

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
        with(store, &handle, |mapping| mapping.file_len())
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
    instance.func_wrap("[method]mapping.read-byte", |store: Cx<'_, T>, (handle,): (Handle,)| {
        with(store, &handle, |mapping| mapping.read_byte())
    })?;
    instance.func_wrap("[method]mapping.write-byte", |store: Cx<'_, T>, (handle, byte): (Handle, u8)| {
        with(store, &handle, |mapping| mapping.write_byte(byte))
    })?;

    instance.func_wrap("[method]mapping.get", |store: Cx<'_, T>, (handle, index): (Handle, i64)| {
        with(store, &handle, |mapping| mapping.get(index))
    })?;
    instance.func_wrap("[method]mapping.set", |store: Cx<'_, T>, (handle, index, value): (Handle, i64, u8)| {
        with(store, &handle, |mapping| mapping.set(index, value))
    })?;
    instance.func_wrap(
        "[method]mapping.flush",
        |store: Cx<'_, T>, (handle, offset, length, flags): (Handle, u64, Option<u64>, wit::FlushFlags)| {
            with(store, &handle, |mapping| mapping.flush_at(offset, length, flags.into()))
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
            Ok(OsStorage::page_size())
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
