//! The subcommand `wasi-mmap run`.

mod hint;
mod state;
mod stats;

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use wasmtime::component::Linker;
use wasmtime::{Result, Store};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::sync::CommandPre;

use self::state::State;
pub(crate) use self::stats::size;
use self::stats::{Faults, Host, Stats};
use crate::arguments::{Backend, RunOptions};
use crate::console::Console;
use crate::engine::{self, Preparation, Prepared};
use crate::files;

/// The exit status if the plugin could not be run.
pub(crate) const NOT_RUN: u8 = 125;
/// The exit status if the plugin trapped: the same that a shell reports for an aborted process.
const TRAPPED: u8 = 134;

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

    let mut store = Store::new(&engine, state::state(options)?);
    store.limiter(|state| &mut state.memory);
    let (started, faults) = (Instant::now(), Faults::so_far());
    let outcome = command.instantiate(&mut store).and_then(|command| command.wasi_cli_run().call_run(&mut store));
    let run_seconds = started.elapsed().as_secs_f64();
    let page_faults = faults.and_then(|earlier| Some(Faults::so_far()?.since(earlier)));
    let status = status(&options.plugin, outcome);
    if status != 0
        && let Some(hint) = hint::missing_directory(options)
    {
        console.note(hint);
    }
    if let Some(path) = &options.stats {
        let data = store.data();
        let stats = Stats {
            backend: options.backend,
            exit_status: status,
            code: origin,
            compile_seconds,
            run_seconds,
            peak_memory_bytes: data.memory.bytes,
            page_faults,
            host: (options.backend == Backend::Host).then(|| {
                Host::new(data.mmap.usage(), data.mapped.mappings.load(Relaxed), data.mapped.bytes.load(Relaxed))
            }),
        };
        let text = if options.json { serde_json::to_string(&stats)? + "\n" } else { stats.to_string() };
        if files::is_stream(path) {
            // Standard output is the plugin's.
            eprint!("{text}");
        } else {
            files::write(path, text.as_bytes())?;
        }
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
                eprintln!("error: {} trapped: {error:?}", files::name(plugin));
                TRAPPED
            }
        },
    }
}
