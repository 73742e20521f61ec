//! Memory-mapped files for WebAssembly components: the host side of `wasi-mmap:mmap` for [wasmtime].
//!
//! A plugin that imports the interface gets real mappings of the files behind its WASI descriptors, made by
//! `wasi-mmap-native`. A mapping has no more rights than its descriptor.
//!
//! The shape is that of wasmtime's own WASI crates: build an [`MmapCtx`], keep it in the store beside the WASI context,
//! implement [`MmapView`], and call [`add_to_linker`]. For a store type of somebody else there is
//! [`add_to_linker_with`], and [`add_to_linker_in_table`] if there is no place for the context in it. The folder
//! `examples` has whole programs.
//!
//! # Example
//!
//! ```
//! use wasi_mmap_host::{MmapCtx, MmapCtxView, MmapView};
//! use wasmtime::component::{Linker, ResourceTable};
//! use wasmtime::{Config, Engine, Store};
//! use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
//!
//! struct State { wasi: WasiCtx, mmap: MmapCtx, table: ResourceTable }
//!
//! impl WasiView for State {
//!     fn ctx(&mut self) -> WasiCtxView<'_> { WasiCtxView { ctx: &mut self.wasi, table: &mut self.table } }
//! }
//! impl MmapView for State {
//!     fn mmap(&mut self) -> MmapCtxView<'_> { MmapCtxView { ctx: &mut self.mmap, table: &mut self.table } }
//! }
//!
//! fn main() -> wasmtime::Result<()> {
//!     let mut config = Config::new();
//!     wasi_mmap_host::configure(&mut config); // for windows
//!     let engine = Engine::new(&config)?;
//!     let mut linker = Linker::<State>::new(&engine);
//!     wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
//!     wasi_mmap_host::add_to_linker(&mut linker)?;
//!     let state = State {
//!         wasi: WasiCtx::builder().build(),
//!         mmap: MmapCtx::builder().mapped_bytes(1 << 30).build(),
//!         table: ResourceTable::new(),
//!     };
//!     let store = Store::new(&engine, state);
//!     // … and instantiate the plugin in it.
//! #   drop(store);
//!     Ok(())
//! }
//! ```
//!
//! # Windows
//!
//! With [`configure`], a plugin can attach a window: pages of a mapping in place of its own memory, which it reads and
//! writes with plain loads and stores. Without, windows are `unsupported`, and the guest libraries copy instead.
//!
//! An engine that is configured so makes no copy-on-write images of modules, and has no pooling allocator: instantiating
//! a plugin copies its initial data. [`MmapCtxBuilder::windows_in_engine_memories`] allows windows in any engine whose
//! memories never move, at no such cost, for embedders that can promise what it asks for.
//!
//! Bytes that another process changes in a plugin's memory can break the host's own code, which passes on strings that
//! it validated before. So a plugin has only [stable](WindowPolicy::Stable) windows unless the embedder trusts it and
//! its files: [`WindowPolicy`].
//!
//! # Costs of a plugin
//!
//! Every store has [limits](Limits) on mappings, on mapped and anonymous bytes, and on what one call may copy or
//! search. A [`Quota`] holds for several stores together. A long call works in steps. Between them it yields in an async
//! store, and an [`Interrupt`] ends it.
//!
//! The repository's `SECURITY.md` says what else is promised of plugins that nobody trusts, and what is not.

#![deny(unsafe_code)]

mod audit;
mod bindings;
mod call;
mod ctx;
#[cfg(feature = "fallback")]
pub mod fallback;
mod limits;
mod linker;
mod lock;
mod mapping;
#[expect(
    unsafe_code,
    reason = "puts files into linear memories, and lends pages: all unsafe code of the crate is here"
)]
mod memory;
mod quota;
mod timer;
mod view;

pub use audit::{MapEvent, MapSource};
pub use ctx::{Interrupt, MmapCtx, MmapCtxBuilder, MmapCtxView, MmapView, WindowPolicy};
pub use limits::{Limit, Limits};
pub use linker::{
    add_to_linker, add_to_linker_async, add_to_linker_async_in_table, add_to_linker_async_with, add_to_linker_in_table,
    add_to_linker_with,
};
pub use memory::configure;
pub use quota::{Quota, Usage};
pub use wasi_mmap_native::{Namespace, Stability};
