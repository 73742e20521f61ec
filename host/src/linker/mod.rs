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

use wasmtime::component::Linker;

use self::method::{GetView, Interface, Mode};
use crate::ctx::{MmapCtxView, MmapView};

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
    add(linker, Mode::Sync, get)
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
    add(linker, Mode::Async, get)
}

fn add<T: Send + 'static>(linker: &mut Linker<T>, mode: Mode, get: GetView<T>) -> wasmtime::Result<()> {
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
