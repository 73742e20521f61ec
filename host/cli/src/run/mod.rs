//! The subcommand `wasi-mmap run`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use serde::Serialize;
use wasi_mmap_host::{MmapCtx, MmapCtxView, MmapView};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime::error::Context;
use wasmtime::{ResourceLimiter, Store};
use wasmtime::{Result, bail};
use wasmtime_wasi::filesystem::FsPerms;
use wasmtime_wasi::p2::bindings::sync::CommandPre;
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::arguments::{Backend, Directory, RunOptions};
use crate::console::Console;
use crate::engine::{self, Origin, Preparation, Prepared};
use crate::{cache, files};

/// The exit status if the plugin could not be run.
pub(crate) const NOT_RUN: u8 = 125;
/// The exit status if the plugin trapped: the same that a shell reports for an aborted process.
const TRAPPED: u8 = 134;

/// The contents of the file that `--stats` names.
#[derive(Debug, Serialize)]
struct Stats {
    backend: Backend,
    exit_status: u8,
    /// Where the plugin's code came from.
    code: Origin,
    compile_seconds: f64,
    run_seconds: f64,
    /// The peak of the plugin's linear memory, which includes that of its fallback.
    peak_memory_bytes: u64,
}

/// The store's data.
struct State {
    wasi: WasiCtx,
    mmap: MmapCtx,
    table: ResourceTable,
    memory: Memory,
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

/// Counts the plugin's linear memory. Memories never shrink, so the sum is also the peak.
#[derive(Debug, Default)]
struct Memory {
    bytes: u64,
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.bytes += desired.saturating_sub(current) as u64;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

pub(crate) fn run(options: &RunOptions, console: Console) -> Result<ExitCode> {
    let engine = engine::engine()?;
    let started = Instant::now();
    let preparation = Preparation {
        path: &options.plugin,
        backend: options.backend,
        use_cache: !options.no_cache,
        allow_compiled: options.allow_compiled,
        console,
    };
    let Prepared { component, origin } = preparation.prepare(&engine)?;
    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    if options.backend == Backend::Host {
        wasi_mmap_host::add_to_linker(&mut linker)?;
    }
    let name = files::name(&options.plugin);
    let command = linker
        .instantiate_pre(&component)
        .and_then(CommandPre::new)
        .map_err(|error| wasmtime::format_err!("{name} cannot be linked: {error:?}"))?;
    let compile_seconds = started.elapsed().as_secs_f64();

    let mut store = Store::new(&engine, state(options)?);
    store.limiter(|state| &mut state.memory);
    let started = Instant::now();
    let outcome = command.instantiate(&mut store).and_then(|command| command.wasi_cli_run().call_run(&mut store));
    let run_seconds = started.elapsed().as_secs_f64();
    let status = status(&options.plugin, outcome);
    if let Some(path) = &options.stats {
        let stats = Stats {
            backend: options.backend,
            exit_status: status,
            code: origin,
            compile_seconds,
            run_seconds,
            peak_memory_bytes: store.data().memory.bytes,
        };
        std::fs::write(path, serde_json::to_string(&stats)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(ExitCode::from(status))
}

/// Returns the exit status of the command for the outcome of the plugin, and reports a trap.
fn status(plugin: &Path, outcome: wasmtime::Result<Result<(), ()>>) -> u8 {
    match outcome {
        Ok(Ok(())) => 0,
        Ok(Err(())) => 1,
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(exit) => u8::try_from(exit.0).unwrap_or(1),
            None => {
                eprintln!("error: {} trapped: {error:?}", plugin.display());
                TRAPPED
            }
        },
    }
}

fn state(options: &RunOptions) -> Result<State> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdio().arg(options.plugin.to_string_lossy()).args(&options.arguments);
    // This process runs a single plugin, so its file I/O does not need another thread.
    wasi.allow_blocking_current_thread(true);
    for variable in &options.environment {
        match variable.split_once('=') {
            Some((name, value)) => wasi.env(name, value),
            None => match std::env::var(variable) {
                Ok(value) => wasi.env(variable, value),
                Err(error) => bail!("--env {variable}: {error}"),
            },
        };
    }
    let read_only = options.read_only_directories.iter().map(|directory| (directory, FsPerms::ReadOnly));
    let writable = options.directories.iter().map(|directory| (directory, FsPerms::ReadWrite));
    for (Directory { host, guest }, permissions) in writable.chain(read_only) {
        if permissions == FsPerms::ReadWrite {
            cache::check_separate(host)?;
        }
        wasi.preopened_dir(host, guest, permissions).map_err(|error| {
            wasmtime::format_err!("cannot open the directory {} for the plugin: {error}", host.display())
        })?;
    }
    let mut mmap = MmapCtx::builder().windows(options.windows.into());
    for &(limit, to) in &options.limits {
        mmap = mmap.limit(limit, to);
    }
    Ok(State { wasi: wasi.build(), mmap: mmap.build(), table: ResourceTable::new(), memory: Memory::default() })
}
