//! Running plugins in a real engine.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use wasi_mmap_host::{MmapCtx, MmapCtxView, MmapView};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Module, Result, Store};
use wasmtime_wasi::filesystem::FsPerms;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// The most that a plugin may print.
const MOST_PRINTED: usize = 64 * 1024 * 1024;

/// A plugin of `tests/plugins`, as it was built.
pub fn plugin(name: &str, target: &str) -> Vec<u8> {
    let directory = match std::env::var_os("WASI_MMAP_PLUGINS") {
        Some(directory) => PathBuf::from(directory),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests"),
    };
    let path = directory.join(target).join("release").join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; `cargo xtask guests` builds the plugins", path.display());
    })
}

/// The store's data.
pub struct State {
    wasi: WasiCtx,
    pub mmap: MmapCtx,
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

/// An engine for all tests of a process.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(&Config::new()).expect("an engine"))
}

fn wasi(directory: &Path, arguments: &[&str], stdout: &MemoryOutputPipe) -> Result<WasiCtxBuilder> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.args(arguments).stdout(stdout.clone()).inherit_stderr();
    wasi.preopened_dir(directory, "/scratch", FsPerms::ReadWrite)?;
    Ok(wasi)
}

/// Runs a command component with real mappings in the linker, or without any interface of ours; answers what it printed.
pub fn run_component(component: &[u8], with_host: bool, directory: &Path, arguments: &[&str]) -> Result<String> {
    let stdout = MemoryOutputPipe::new(MOST_PRINTED);
    let mut linker = Linker::<State>::new(engine());
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    if with_host {
        wasi_mmap_host::add_to_linker(&mut linker)?;
    }
    let component = Component::from_binary(engine(), component)?;
    let wasi = wasi(directory, arguments, &stdout)?.build();
    let state = State { wasi, mmap: MmapCtx::default(), table: ResourceTable::new() };
    let mut store = Store::new(engine(), state);
    let command = Command::instantiate(&mut store, &component, &linker)?;
    let outcome = command.wasi_cli_run().call_run(&mut store)?;
    drop(store);
    assert_eq!(outcome, Ok(()), "the plugin failed");
    Ok(String::from_utf8(stdout.contents().to_vec()).expect("a plugin prints UTF-8"))
}

/// Runs a preview 1 module; answers what it printed.
pub fn run_module(module: &[u8], directory: &Path, arguments: &[&str]) -> Result<String> {
    let stdout = MemoryOutputPipe::new(MOST_PRINTED);
    let mut linker = wasmtime::Linker::<WasiP1Ctx>::new(engine());
    wasmtime_wasi::p1::add_to_linker_sync(&mut linker, |state| state)?;
    let module = Module::from_binary(engine(), module)?;
    let wasi = wasi(directory, arguments, &stdout)?.build_p1();
    let mut store = Store::new(engine(), wasi);
    let instance = linker.instantiate(&mut store, &module)?;
    instance.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ())?;
    drop(store);
    Ok(String::from_utf8(stdout.contents().to_vec()).expect("a module prints UTF-8"))
}
