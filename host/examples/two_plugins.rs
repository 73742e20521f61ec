//! Runs two plugins that share memory: the embedder gives both the same namespace for names. It reads the memory, too.
//!
//! ```sh
//! cargo build --release -p wasi-mmap --example shared_memory --target wasm32-wasip2
//! cargo run --release -p wasi-mmap-host --example two_plugins -- \
//!     target/wasm32-wasip2/release/examples/shared_memory.wasm
//! ```

use wasi_mmap_host::{MmapCtx, MmapCtxView, MmapView, Namespace};
use wasi_mmap_native::{Access, MapOptions, Mapping};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Result, Store, bail};
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// The data of a store: the context of WASI, that of the mappings, and the table of the resources of both.
struct State {
    wasi: WasiCtx,
    mmap: MmapCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl MmapView for State {
    fn mmap(&mut self) -> MmapCtxView<'_> {
        MmapCtxView { ctx: &mut self.mmap, table: &mut self.table }
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path] = &arguments[..] else { bail!("usage: two_plugins PLUGIN") };

    let engine = Engine::new(wasi_mmap_host::configure(&mut Config::new()))?;
    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    wasi_mmap_host::add_to_linker(&mut linker)?;
    let component = Component::from_file(&engine, path)?;

    // The memory exists as long as someone maps it: here, the host does.
    let namespace = Namespace::new();
    let memory = namespace.map("board", &MapOptions::new().length(4096))?;
    let board = Mapping::new(memory, Access::Write);

    for message in ["hello from one", "hello from the other"] {
        let wasi = WasiCtx::builder().args(&[path, "board", message]).build();
        let mmap = MmapCtx::builder().namespace(namespace.clone()).build();
        let mut store = Store::new(&engine, State { wasi, mmap, table: ResourceTable::new() });
        let plugin = Command::instantiate(&mut store, &component, &linker)?;
        if plugin.wasi_cli_run().call_run(&mut store)?.is_err() {
            bail!("the plugin failed");
        }
    }

    let end = board.find(&[0], ..)?.unwrap_or(board.len()?);
    print!("{}", String::from_utf8_lossy(&board.read_range(..end)?));
    Ok(())
}
