//! Runs a plugin in an async store, with a limit on its time. A call that takes long yields to other tasks, so that the
//! timeout, which runs on the same thread, ends the plugin in the middle of a call.
//!
//! ```sh
//! cargo build --release -p wasi-mmap --example grep --target wasm32-wasip2
//! cargo run --release -p wasi-mmap-host --example async_store -- \
//!     target/wasm32-wasip2/release/examples/grep.wasm . mmap README.md
//! ```

use std::time::Duration;

use wasi_mmap_host::{MmapCtx, MmapCtxView, MmapView};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Result, Store, bail};
use wasmtime_wasi::filesystem::FsPerms;
use wasmtime_wasi::p2::bindings::Command;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// The time that a plugin may take.
const TIMEOUT: Duration = Duration::from_secs(5);

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

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, folder, ..] = &arguments[..] else { bail!("usage: async_store PLUGIN FOLDER [ARGUMENT]...") };

    let engine = Engine::new(wasi_mmap_host::configure(&mut Config::new()))?;
    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasi_mmap_host::add_to_linker_async(&mut linker)?;

    let mut wasi = WasiCtx::builder();
    wasi.inherit_stdio().arg(path).args(&arguments[2..]).preopened_dir(folder, ".", FsPerms::ReadWrite)?;
    let state = State { wasi: wasi.build(), mmap: MmapCtx::builder().build(), table: ResourceTable::new() };
    let mut store = Store::new(&engine, state);

    let component = Component::from_file(&engine, path)?;
    let plugin = Command::instantiate_async(&mut store, &component, &linker).await?;
    // If the time is up, the call is dropped where it last yielded. A thread would use `MmapCtx::interrupt_handle`.
    match tokio::time::timeout(TIMEOUT, plugin.wasi_cli_run().call_run(&mut store)).await {
        Ok(outcome) => match outcome? {
            Ok(()) => Ok(()),
            Err(()) => bail!("the plugin failed"),
        },
        Err(_) => bail!("the plugin took longer than {} s", TIMEOUT.as_secs()),
    }
}
