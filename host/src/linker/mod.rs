//! The functions of the interface, as wasmtime links them: a file for each section of `wit/mapping.wit`, and one each
//! for `wit/window.wit` and `wit/lock.wit`.
//!
//! They are registered by hand. A list that comes in is borrowed where it lies in the plugin's memory ([`WasmList`]),
//! and one that goes out is copied there straight from the mapping ([`ReadResult`]), which generated signatures do not
//! allow.
//!
//! [`WasmList`]: wasmtime::component::WasmList
//! [`ReadResult`]: crate::memory::ReadResult

mod bulk;
mod cursor;
mod file;
mod lifetime;
mod lock;
mod method;
mod positional;
mod properties;
mod window;

use std::sync::Arc;

use wasmtime::component::{Linker, ResourceTable};

use self::method::{Interface, Mode};
use crate::ctx::{MmapCtx, MmapCtxView, MmapView};
use crate::view::GetView;

const MAPPING: &str = "wasi-mmap:mmap/mapping@0.1.0";
const WINDOW: &str = "wasi-mmap:mmap/window@0.1.0";
const LOCK: &str = "wasi-mmap:mmap/lock@0.1.0";

/// Adds `wasi-mmap:mmap` to a linker, for stores that are used without async.
///
/// # Errors
///
/// Fails if the linker already has a definition of the interface.
///
/// # Example
///
/// See the [example of the crate](crate#example).
pub fn add_to_linker<T: MmapView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    add_to_linker_with(linker, T::mmap)
}

/// Adds `wasi-mmap:mmap` to a linker, for async stores: long calls yield to the executor.
///
/// # Errors
///
/// Fails if the linker already has a definition of the interface.
///
/// # Example
///
/// ```
/// use wasi_mmap_host::{MmapCtx, MmapCtxView, MmapView};
/// use wasmtime::Engine;
/// use wasmtime::component::{Linker, ResourceTable};
///
/// #[derive(Default)]
/// struct State { mmap: MmapCtx, table: ResourceTable }
///
/// impl MmapView for State {
///     fn mmap(&mut self) -> MmapCtxView<'_> { MmapCtxView { ctx: &mut self.mmap, table: &mut self.table } }
/// }
///
/// let engine = Engine::default();
/// let mut linker = Linker::<State>::new(&engine);
/// wasi_mmap_host::add_to_linker_async(&mut linker)?;
/// # Ok::<(), wasmtime::Error>(())
/// ```
pub fn add_to_linker_async<T: MmapView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    add_to_linker_async_with(linker, T::mmap)
}

/// Adds `wasi-mmap:mmap` to a linker, for a store type that does not implement [`MmapView`]: `get` returns the context
/// and the table in the store's data. Otherwise as [`add_to_linker`].
///
/// # Errors
///
/// Fails if the linker already has a definition of the interface.
///
/// # Example
///
/// ```
/// use wasi_mmap_host::{MmapCtx, MmapCtxView};
/// use wasmtime::Engine;
/// use wasmtime::component::{Linker, ResourceTable};
///
/// /// The store's data of somebody else, with a place for extensions.
/// struct Foreign<E> { table: ResourceTable, extension: E }
///
/// let engine = Engine::default();
/// let mut linker = Linker::<Foreign<MmapCtx>>::new(&engine);
/// wasi_mmap_host::add_to_linker_with(&mut linker, |data| MmapCtxView {
///     ctx: &mut data.extension,
///     table: &mut data.table,
/// })?;
/// # Ok::<(), wasmtime::Error>(())
/// ```
pub fn add_to_linker_with<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> MmapCtxView<'_>,
) -> wasmtime::Result<()> {
    add(linker, Mode::Sync, &GetView::Data(get))
}

/// Adds `wasi-mmap:mmap` to a linker, for async stores whose type does not implement [`MmapView`]. Otherwise as
/// [`add_to_linker_async`] and [`add_to_linker_with`].
///
/// # Errors
///
/// Fails if the linker already has a definition of the interface.
pub fn add_to_linker_async_with<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> MmapCtxView<'_>,
) -> wasmtime::Result<()> {
    add(linker, Mode::Async, &GetView::Data(get))
}

/// Adds `wasi-mmap:mmap` to a linker, for a store type with a table and no place for the context, as in hosts that share
/// one object of an extension among all stores: the context is kept in the table. `make` makes it from the store's data
/// when the plugin first uses the interface, and [`MmapCtx::find_in`] finds it. Otherwise as [`add_to_linker`].
///
/// Every call looks for the context from the front of the table on, which takes some nanoseconds per entry before it.
///
/// # Errors
///
/// Fails if the linker already has a definition of the interface.
///
/// # Example
///
/// ```
/// use wasi_mmap_host::{Limits, MmapCtx, Quota};
/// use wasmtime::Engine;
/// use wasmtime::component::{Linker, ResourceTable};
///
/// /// The store's data of somebody else.
/// struct Foreign { table: ResourceTable }
///
/// let process = Quota::new(Limits::of_process());
/// let engine = Engine::default();
/// let mut linker = Linker::<Foreign>::new(&engine);
/// wasi_mmap_host::add_to_linker_in_table(
///     &mut linker,
///     |data| &mut data.table,
///     move |_| MmapCtx::builder().quota(&process).build(),
/// )?;
/// # Ok::<(), wasmtime::Error>(())
/// ```
pub fn add_to_linker_in_table<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> &mut ResourceTable,
    make: impl Fn(&mut T) -> MmapCtx + Send + Sync + 'static,
) -> wasmtime::Result<()> {
    add(linker, Mode::Sync, &GetView::Table(get, Arc::new(make)))
}

/// Adds `wasi-mmap:mmap` to a linker, for async stores whose table contains the context. Otherwise as
/// [`add_to_linker_async`] and [`add_to_linker_in_table`].
///
/// # Errors
///
/// Fails if the linker already has a definition of the interface.
pub fn add_to_linker_async_in_table<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> &mut ResourceTable,
    make: impl Fn(&mut T) -> MmapCtx + Send + Sync + 'static,
) -> wasmtime::Result<()> {
    add(linker, Mode::Async, &GetView::Table(get, Arc::new(make)))
}

fn add<T: Send + 'static>(linker: &mut Linker<T>, mode: Mode, get: &GetView<T>) -> wasmtime::Result<()> {
    let mut mapping = Interface::new(linker, MAPPING, mode, get)?;
    lifetime::add(&mut mapping)?;
    properties::add(&mut mapping)?;
    cursor::add(&mut mapping)?;
    positional::add(&mut mapping)?;
    bulk::add(&mut mapping)?;
    file::add(&mut mapping)?;
    window::add(&mut Interface::new(linker, WINDOW, mode, get)?)?;
    lock::add(&mut Interface::new(linker, LOCK, mode, get)?)
}
