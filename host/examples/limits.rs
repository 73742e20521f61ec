//! Runs a plugin that is not trusted: with limits, an audit of every mapping, and an interrupt after a while.
//!
//! ```sh
//! cargo build --release -p wasi-mmap --example grep --target wasm32-wasip2
//! cargo run --release -p wasi-mmap-host --example limits -- \
//!     target/wasm32-wasip2/release/examples/grep.wasm . mmap README.md
//! ```
//!
//! `SECURITY.md` says what is promised of such plugins.

use std::time::Duration;

use wasi_mmap_host::{Limit, MmapCtx, MmapCtxView, MmapView, WindowPolicy};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Result, Store, bail};
use wasmtime_wasi::filesystem::FsPerms;
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// The time after which long calls are interrupted.
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

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, folder, ..] = &arguments[..] else { bail!("usage: limits PLUGIN FOLDER [ARGUMENT]...") };

    let mmap = MmapCtx::builder()
        .limit(Limit::Mappings, 16)
        .limit(Limit::MappedBytes, 1 << 20)
        .limit(Limit::WorkPerCall, 16 << 20)
        // No other process can change what is in the plugin's memory. This is the default.
        .windows(WindowPolicy::Stable)
        .audit(|event| match event.outcome {
            Ok(length) => eprintln!("audit: mapped {length} bytes, access {:?}", event.options.access),
            Err(error) => eprintln!("audit: refused: {error}"),
        })
        .build();
    let interrupt = mmap.interrupt_handle();
    // The plugin's own code needs an interrupt of the engine, such as wasmtime's epochs: this one ends calls of the
    // host.
    std::thread::spawn(move || {
        std::thread::sleep(TIMEOUT);
        interrupt.set();
    });

    let engine = Engine::new(wasi_mmap_host::configure(&mut Config::new()))?;
    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    wasi_mmap_host::add_to_linker(&mut linker)?;
    let mut wasi = WasiCtx::builder();
    wasi.inherit_stdio().arg(path).args(&arguments[2..]).preopened_dir(folder, ".", FsPerms::ReadOnly)?;
    let mut store = Store::new(&engine, State { wasi: wasi.build(), mmap, table: ResourceTable::new() });

    let plugin = Command::instantiate(&mut store, &Component::from_file(&engine, path)?, &linker)?;
    let outcome = plugin.wasi_cli_run().call_run(&mut store)?;
    let usage = store.data().mmap.usage();
    eprintln!("audit: {} mappings are left", usage.get(Limit::Mappings));
    match outcome {
        Ok(()) => Ok(()),
        Err(()) => bail!("the plugin failed"),
    }
}
