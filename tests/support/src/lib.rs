//! Builds the programs of the tests for WebAssembly, and runs them in a real engine.
//!
//! The build script builds the programs in `tests/programs`; [`plugin`] reads them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use wasi_mmap_host::{MmapCtx, MmapCtxBuilder, MmapCtxView, MmapView, WindowPolicy};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Module, ResourceLimiter, Result, Store};
use wasmtime_wasi::filesystem::FsPerms;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::bindings::{Command, sync};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

pub use wasi_mmap_conformance::is_long;

/// The number of bytes that a plugin may print.
const MOST_PRINTED: usize = 64 * 1024 * 1024;

/// Returns a program of `tests/programs`, built for a target: `wasm32-wasip2` for a component, `wasm32-wasip1` for a
/// module.
///
/// # Panics
///
/// Panics if the file is missing. Unless `WASI_MMAP_PLUGINS` names another folder, the build script has made it.
pub fn plugin(name: &str, target: &str) -> Vec<u8> {
    let path = plugin_path(name, target);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask guests` builds it", path.display()))
}

/// Returns the path of what [`plugin`] reads.
pub fn plugin_path(name: &str, target: &str) -> PathBuf {
    let folder = std::env::var_os("WASI_MMAP_PLUGINS").unwrap_or_else(|| env!("WASI_MMAP_PROGRAMS").into());
    Path::new(&folder).join(target).join("release").join(format!("{name}.wasm"))
}

/// The data of a store.
pub struct State {
    wasi: WasiCtx,
    /// The context of the interface under test.
    pub mmap: MmapCtx,
    /// The table of all resources.
    pub table: ResourceTable,
    /// Called before a memory grows, with the number of bytes.
    pub before_growth: Option<Box<dyn FnMut(usize) + Send>>,
}

impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        if let Some(before) = &mut self.before_growth {
            before(desired - current);
        }
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> Result<bool> {
        Ok(true)
    }
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

/// Returns a builder of a context that allows every window, even if other processes write to the file.
pub fn builder() -> MmapCtxBuilder {
    MmapCtx::builder().windows(WindowPolicy::Any)
}

/// Returns a context that allows every window.
pub fn any_windows() -> MmapCtx {
    builder().build()
}

/// Returns the engine of all tests of this process, which supports windows.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = Config::new();
        wasi_mmap_host::configure(&mut config);
        Engine::new(&config).expect("an engine")
    })
}

fn wasi(directory: &Path, arguments: &[&str], stdout: &MemoryOutputPipe) -> Result<WasiCtxBuilder> {
    wasi_with(directory, FsPerms::ReadWrite, arguments, stdout)
}

fn wasi_with(
    directory: &Path,
    perms: FsPerms,
    arguments: &[&str],
    stdout: &MemoryOutputPipe,
) -> Result<WasiCtxBuilder> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.args(arguments).stdout(stdout.clone()).inherit_stderr();
    // Each test has a thread of its own, which may wait for files.
    wasi.allow_blocking_current_thread(true);
    wasi.preopened_dir(directory, "/scratch", perms)?;
    Ok(wasi)
}

/// Compiles a component, and links it with the host (`with_host`), or with WASI only.
pub fn prepare(component: &[u8], with_host: bool) -> Result<sync::CommandPre<State>> {
    link(&Component::from_binary(engine(), component)?, with_host)
}

fn link(component: &Component, with_host: bool) -> Result<sync::CommandPre<State>> {
    let mut linker = Linker::<State>::new(component.engine());
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    if with_host {
        wasi_mmap_host::add_to_linker(&mut linker)?;
    }
    sync::CommandPre::new(linker.instantiate_pre(component)?)
}

/// A single run of a command, in a store that tests can inspect.
pub struct Run {
    /// The store.
    pub store: Store<State>,
    stdout: MemoryOutputPipe,
}

/// The outcome of a run: its output, and whether it succeeded.
pub type Ended = (String, std::result::Result<(), ()>);

impl Run {
    /// Makes a store for a plugin that has `directory` as `/scratch`.
    pub fn new(mmap: MmapCtx, directory: &Path, arguments: &[&str]) -> Result<Self> {
        Self::in_engine(engine(), mmap, directory, arguments)
    }

    /// Makes such a store for a plugin that has further directories, under the names that follow them.
    pub fn with_directories(
        mmap: MmapCtx,
        directory: &Path,
        further: &[(&Path, &str)],
        arguments: &[&str],
    ) -> Result<Self> {
        let stdout = MemoryOutputPipe::new(MOST_PRINTED);
        let mut wasi = wasi(directory, arguments, &stdout)?;
        for (path, name) in further {
            wasi.preopened_dir(path, name, FsPerms::ReadWrite)?;
        }
        Ok(Self::of(engine(), wasi.build(), mmap, stdout))
    }

    /// Makes such a store for a plugin that may only read the directory.
    pub fn read_only(mmap: MmapCtx, directory: &Path, arguments: &[&str]) -> Result<Self> {
        let stdout = MemoryOutputPipe::new(MOST_PRINTED);
        let wasi = wasi_with(directory, FsPerms::ReadOnly, arguments, &stdout)?.build();
        Ok(Self::of(engine(), wasi, mmap, stdout))
    }

    /// Makes such a store for a plugin that prints to the standard output of this process.
    pub fn with_stdout(mmap: MmapCtx, directory: &Path, arguments: &[&str]) -> Result<Self> {
        let stdout = MemoryOutputPipe::new(0);
        let wasi = wasi(directory, arguments, &stdout)?.inherit_stdout().build();
        Ok(Self::of(engine(), wasi, mmap, stdout))
    }

    /// Makes such a store in another engine than [`engine`].
    pub fn in_engine(engine: &Engine, mmap: MmapCtx, directory: &Path, arguments: &[&str]) -> Result<Self> {
        let stdout = MemoryOutputPipe::new(MOST_PRINTED);
        let wasi = wasi(directory, arguments, &stdout)?.build();
        Ok(Self::of(engine, wasi, mmap, stdout))
    }

    fn of(engine: &Engine, wasi: WasiCtx, mmap: MmapCtx, stdout: MemoryOutputPipe) -> Self {
        let mut store = Store::new(engine, State { wasi, mmap, table: ResourceTable::new(), before_growth: None });
        store.limiter(|state| state);
        Self { store, stdout }
    }

    /// Compiles and runs a component, linked with the host (`with_host`), or with WASI only.
    pub fn call(&mut self, component: &[u8], with_host: bool) -> Result<Ended> {
        let component = Component::from_binary(self.store.engine(), component)?;
        self.call_compiled(&component, with_host)
    }

    /// Runs a component that is compiled already.
    pub fn call_compiled(&mut self, component: &Component, with_host: bool) -> Result<Ended> {
        self.call_prepared(&link(component, with_host)?)
    }

    /// Runs a component that is compiled and linked already.
    pub fn call_prepared(&mut self, command: &sync::CommandPre<State>) -> Result<Ended> {
        let outcome = command.instantiate(&mut self.store)?.wasi_cli_run().call_run(&mut self.store)?;
        Ok((self.printed(), outcome))
    }

    /// Runs an export of a component that is an instance of `wasi:cli/run`.
    pub fn call_export(&mut self, component: &[u8], export: &str) -> Result<std::result::Result<(), ()>> {
        let engine = self.store.engine().clone();
        let mut linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        wasi_mmap_host::add_to_linker(&mut linker)?;
        let component = Component::from_binary(&engine, component)?;
        let instance = linker.instantiate(&mut self.store, &component)?;
        let export = instance.get_export_index(&mut self.store, None, export).expect("an export");
        let run = instance.get_export_index(&mut self.store, Some(&export), "run").expect("a function");
        let run = instance.get_typed_func::<(), (std::result::Result<(), ()>,)>(&mut self.store, &run)?;
        Ok(run.call(&mut self.store, ())?.0)
    }

    /// Compiles and runs a component in an async store, linked with the host.
    pub async fn call_async(&mut self, component: &[u8]) -> Result<Ended> {
        let mut linker = Linker::<State>::new(engine());
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasi_mmap_host::add_to_linker_async(&mut linker)?;
        let component = Component::from_binary(engine(), component)?;
        let command = Command::instantiate_async(&mut self.store, &component, &linker).await?;
        let outcome = command.wasi_cli_run().call_run(&mut self.store).await?;
        Ok((self.printed(), outcome))
    }

    /// Returns the output so far.
    pub fn printed(&self) -> String {
        // A plugin that has corrupted its own memory may print anything.
        String::from_utf8_lossy(&self.stdout.contents()).into_owned()
    }
}

/// Runs a component, which must succeed, and returns its output.
pub fn run_component(component: &[u8], with_host: bool, directory: &Path, arguments: &[&str]) -> Result<String> {
    let (printed, outcome) = Run::new(any_windows(), directory, arguments)?.call(component, with_host)?;
    assert_eq!(outcome, Ok(()), "the plugin failed: {printed}");
    Ok(printed)
}

/// Compiles and runs a preview 1 module, and returns its output.
pub fn compile_and_run_module(module: &[u8], directory: &Path, arguments: &[&str]) -> Result<String> {
    run_module(&Module::from_binary(engine(), module)?, directory, arguments)
}

/// Runs a preview 1 module, and returns its output.
pub fn run_module(module: &Module, directory: &Path, arguments: &[&str]) -> Result<String> {
    let stdout = MemoryOutputPipe::new(MOST_PRINTED);
    let mut linker = wasmtime::Linker::<WasiP1Ctx>::new(engine());
    wasmtime_wasi::p1::add_to_linker_sync(&mut linker, |state| state)?;
    let wasi = wasi(directory, arguments, &stdout)?.build_p1();
    let mut store = Store::new(engine(), wasi);
    // A program may read a whole file at once.
    store.set_hostcall_fuel(usize::MAX);
    let instance = linker.instantiate(&mut store, module)?;
    instance.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ())?;
    drop(store);
    Ok(String::from_utf8(stdout.contents().to_vec()).expect("a module prints UTF-8"))
}

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
