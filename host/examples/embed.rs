//! Runs a plugin with real mappings of the files in a folder: the smallest embedding.
//!
//! ```sh
//! cargo build --release -p wasi-mmap --example grep --target wasm32-wasip2
//! cargo run --release -p wasi-mmap-host --example embed -- \
//!     target/wasm32-wasip2/release/examples/grep.wasm . mmap README.md
//! ```

use wasi_mmap_host::{MmapCtx, MmapCtxView, MmapView};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Result, Store, bail};
use wasmtime_wasi::filesystem::FsPerms;
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
    let [path, folder, ..] = &arguments[..] else { bail!("usage: embed PLUGIN FOLDER [ARGUMENT]...") };

    // `configure` lets plugins have windows. Any other configuration works as well; views are copies then.
    let engine = Engine::new(wasi_mmap_host::configure(&mut Config::new()))?;
    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    wasi_mmap_host::add_to_linker(&mut linker)?;

    let mut wasi = WasiCtx::builder();
    wasi.inherit_stdio().arg(path).args(&arguments[2..]).preopened_dir(folder, ".", FsPerms::ReadWrite)?;
    let state = State { wasi: wasi.build(), mmap: MmapCtx::builder().build(), table: ResourceTable::new() };
    let mut store = Store::new(&engine, state);

    let plugin = Command::instantiate(&mut store, &Component::from_file(&engine, path)?, &linker)?;
    match plugin.wasi_cli_run().call_run(&mut store)? {
        Ok(()) => Ok(()),
        Err(()) => bail!("the plugin failed"),
    }
}
